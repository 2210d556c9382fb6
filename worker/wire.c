#include "worker/wire.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

enum {
    RECONNECT_MS = 50, RECONNECT_MS_MAX = 250, HANDSHAKE_MS = 10000,
    MONITORED = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
};

struct wire {
    void *socket, *monitor; /* owned */
    zmq_msg_t newest;       /* lends the slice of wire_receive */
};

static bool option_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool option_key(void *socket, int option, const char *key) {
    if (strlen(key) != KEY_TEXT - 1) {
        errno = EINVAL;
        return false;
    }
    return zmq_setsockopt(socket, option, key, KEY_TEXT) == 0;
}

/* A fresh CURVE key pair; false when libzmq has no CURVE. */
static bool keys_make(char public_key[KEY_TEXT], char secret_key[KEY_TEXT]) {
    return zmq_curve_keypair(public_key, secret_key) == 0;
}

static bool curve(void *socket, const struct wire_options *o) {
    char public_key[KEY_TEXT], secret_key[KEY_TEXT];
    if (!o->server_key || !*o->server_key) return true;
    if (!option_key(socket, ZMQ_CURVE_SERVERKEY, o->server_key)) return false;
    if (o->public_key && o->secret_key)
        return option_key(socket, ZMQ_CURVE_PUBLICKEY, o->public_key) &&
               option_key(socket, ZMQ_CURVE_SECRETKEY, o->secret_key);
    return keys_make(public_key, secret_key) &&
           option_key(socket, ZMQ_CURVE_PUBLICKEY, public_key) &&
           option_key(socket, ZMQ_CURVE_SECRETKEY, secret_key);
}

static bool set_up(void *socket, const struct wire_options *o) {
    int64_t frame_max = WIRE_FRAME_MAX;
    return option_int(socket, ZMQ_LINGER, 0) && option_int(socket, ZMQ_SNDHWM, WIRE_HWM) &&
           option_int(socket, ZMQ_RCVHWM, WIRE_HWM) && option_int(socket, ZMQ_IPV6, 1) &&
           option_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           option_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX) &&
           option_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0 &&
           curve(socket, o);
}

/* The monitor's name must be unique in the process: the socket's own address is. */
static void *monitor_open(const struct wire_options *o, void *socket) {
    char name[64];
    snprintf(name, sizeof name, "inproc://relais-monitor-%p", socket);
    if (zmq_socket_monitor(socket, name, MONITORED) != 0) return NULL;
    void *monitor = zmq_socket(o->context, ZMQ_PAIR);
    if (monitor && option_int(monitor, ZMQ_LINGER, 0) && zmq_connect(monitor, name) == 0)
        return monitor;
    if (monitor) zmq_close(monitor);
    return NULL;
}

struct wire *wire_open(const struct wire_options *o) {
    struct wire *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    zmq_msg_init(&w->newest);
    w->socket = zmq_socket(o->context, ZMQ_DEALER);
    if (w->socket && set_up(w->socket, o)) {
        w->monitor = monitor_open(o, w->socket);
        if (w->monitor && zmq_connect(w->socket, o->endpoint) == 0) return w;
    }
    int why = errno;
    wire_close(&w, 0);
    errno = why;
    return NULL;
}

void wire_close(struct wire **self, int linger_ms) {
    struct wire *w = *self;
    if (!w) return;
    if (w->socket) {
        zmq_socket_monitor(w->socket, NULL, 0);
        option_int(w->socket, ZMQ_LINGER, linger_ms);
        zmq_close(w->socket);
    }
    if (w->monitor) zmq_close(w->monitor);
    zmq_msg_close(&w->newest);
    free(w);
    *self = NULL;
}

bool wire_send(struct wire *w, const void *data, size_t len) {
    return zmq_send(w->socket, data, len, ZMQ_DONTWAIT) >= 0;
}

/* A peer that sends several parts is no relais broker: all parts but the last are passed over. */
bool wire_receive(struct wire *w, struct slice *frame) {
    do {
        if (zmq_msg_recv(&w->newest, w->socket, ZMQ_DONTWAIT) < 0) return false;
    } while (zmq_msg_more(&w->newest));
    *frame = slice_of(zmq_msg_data(&w->newest), zmq_msg_size(&w->newest));
    return true;
}

enum wire_event wire_event(struct wire *w) {
    uint8_t raw[6];
    char peer[256];
    uint16_t event;
    if (zmq_recv(w->monitor, raw, sizeof raw, ZMQ_DONTWAIT) != sizeof raw) return WIRE_NOTHING;
    zmq_recv(w->monitor, peer, sizeof peer, ZMQ_DONTWAIT);
    memcpy(&event, raw, sizeof event);
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return WIRE_UP;
    if (event == ZMQ_EVENT_DISCONNECTED) return WIRE_DOWN;
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) return WIRE_DOWN; /* it may be restarting */
    return event == ZMQ_EVENT_CONNECTED ? WIRE_NOTHING : WIRE_REJECTED;
}

void wire_wait(struct wire *w, int fd, bool room, int64_t timeout_ms) {
    zmq_pollitem_t items[] = {
        {.socket = w ? w->socket : NULL, .events = (short)(ZMQ_POLLIN | (room ? ZMQ_POLLOUT : 0))},
        {.socket = w ? w->monitor : NULL, .events = ZMQ_POLLIN},
        {.fd = fd, .events = ZMQ_POLLIN}};
    int skip = w ? 0 : 2;
    zmq_poll(items + skip, 3 - skip, timeout_ms);
}
