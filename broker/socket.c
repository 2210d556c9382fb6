/* socket.c - opening ROUTER sockets by the rules of router.h. */
#include "broker/router.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_COUNT = 3, KEEPALIVE_EVERY_S = 10, LINGER_MS = 500,
       BACKLOG = 1024 };

/* True for the host of "tcp://HOST:PORT" when nobody else's packets can reach it. */
static bool host_is_loopback(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "lo") == 0) return true;
    if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, host, &v6) != 1) return false;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

enum endpoint_kind endpoint_kind_of(const char *endpoint, bool curve_always) {
    if (strncmp(endpoint, "inproc://", 9) == 0 || strncmp(endpoint, "ipc://", 6) == 0)
        return ENDPOINT_GATEWAY;
    char host[256];
    const char *from = strstr(endpoint, "://");
    from = from == NULL ? endpoint : from + 3;
    const char *colon = strrchr(from, ':');
    const size_t len = colon == NULL ? strlen(from) : (size_t)(colon - from);
    if (curve_always || len == 0 || len >= sizeof host) return ENDPOINT_CURVE;
    const bool bracketed = from[0] == '[' && len >= 2 && from[len - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? len - 2 : len), from + bracketed);
    return host_is_loopback(host) ? ENDPOINT_LOCAL : ENDPOINT_CURVE;
}

static int option_set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

static bool curve_set(void *socket, const struct secret *secret) {
    return secret != NULL && secret->curve_secret[0] != 0
        && option_set_int(socket, ZMQ_CURVE_SERVER, 1) == 0
        && zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret->curve_secret, CURVE_TEXT_SIZE) == 0
        && zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "relais", 6) == 0;
}

static bool options_set(void *socket, const char *endpoint, const struct router_limits *limits) {
    const int64_t frame_max = limits->frame_bytes_max;
    int bad = option_set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
    bad |= option_set_int(socket, ZMQ_SNDHWM, (int)limits->peer_queue_max);
    bad |= option_set_int(socket, ZMQ_RCVHWM, RECEIVE_HWM);
    bad |= option_set_int(socket, ZMQ_LINGER, LINGER_MS);
    bad |= option_set_int(socket, ZMQ_BACKLOG, BACKLOG);
    bad |= option_set_int(socket, ZMQ_HANDSHAKE_IVL, (int)limits->handshake_ms);
    bad |= option_set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
    bad |= option_set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S);
    bad |= option_set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT);
    bad |= option_set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_EVERY_S);
    bad |= zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max);
    if (strchr(endpoint, '[') != NULL) bad |= option_set_int(socket, ZMQ_IPV6, 1);
    return bad == 0;
}

void *socket_open(void *context, const char *endpoint, const struct router_limits *limits,
                  const struct secret *secret, enum endpoint_kind *kind, char *why,
                  size_t why_size) {
    *kind = endpoint_kind_of(endpoint, limits->curve_always);
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    if (socket == NULL || !options_set(socket, endpoint, limits)) {
        snprintf(why, why_size, "cannot open a socket: %s", zmq_strerror(zmq_errno()));
    } else if (*kind == ENDPOINT_CURVE && !curve_set(socket, secret)) {
        snprintf(why, why_size, "%s needs CURVE, which cannot be set up: %s", endpoint,
                 zmq_strerror(zmq_errno()));
    } else if (zmq_bind(socket, endpoint) != 0) {
        snprintf(why, why_size, "cannot listen on %s: %s", endpoint, zmq_strerror(zmq_errno()));
    } else {
        return socket;
    }
    if (socket != NULL) zmq_close(socket);
    return NULL;
}

void socket_bound(void *socket, char *bound, size_t size) {
    assert(size > 0);
    bound[0] = 0;
    zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &size);
}
