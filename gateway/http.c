#include "gateway/http.h"
#include "gateway/account.h"
#include "gateway/early.h"
#include "gateway/socket.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include <assert.h>
#include <errno.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 128, STREAM_BLOCK = 32768, ROUNDS_MAX = 8,
    CHECKS_MAX = 500, /* a tick: some microseconds each */
    READ_STEP = 256, /* by which the memory for a head grows: small, so that little is left over */
    DEAD_PROBES = 3  /* that a peer may leave unanswered */
};

struct http {
    struct MHD_Daemon *daemon;
    int epoll, mhd_fd, stop_fd, link_fd, files_fd;
    uint32_t woken; /* connections resumed since the last MHD_run */
    bool stopping;
};

/* What an epoll event is about, where it is no client. */
static const char about_mhd, about_stop, about_link, about_door, about_pipe;

/* ---- connections ---- */

static bool is_loopback(const struct sockaddr *a) {
    if (a->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    }
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    return a->sa_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127));
}

/* IPv6 callers are counted by their /64: one host has a whole one. */
static uint64_t address_hash(const struct sockaddr *a) {
    if (a->sa_family == AF_INET) {
        return hash_bytes(1, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
    }
    return hash_bytes(2, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 8);
}

/* A peer that vanishes without a word: what was sent to it, or a probe where nothing is, must be
 * acknowledged in time. So a task is not given to a worker that waits and is no more. */
static void death_watch(int fd, unsigned dead_ms) {
    const int on = 1, probes = DEAD_PROBES, every_s = (int)(dead_ms / 1000 / DEAD_PROBES);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &every_s, sizeof every_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void client_open(struct server *s, struct MHD_Connection *connection, void **context) {
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL) abort();
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    c->server = s;
    c->connection = connection;
    c->fd = info->connect_fd;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    c->loopback = is_loopback(info->client_addr);
    c->address = address_hash(info->client_addr);
    c->deadline_ms = s->now_ms + s->config->header_ms;
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    death_watch(c->fd, s->config->http_dead_ms);
    strain_open(s->strainer, &c->strain, c->fd);
    struct epoll_event event = {.events = STRAIN_EVENTS | EPOLLET, .data.ptr = c};
    if (epoll_ctl(s->http->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) c->gone = true;
    list_push(&s->clients, &c->in_server);
    count_add(&s->count.connections, 1);
    count_add(&s->count.open_connections, 1);
    *context = c;
}

static void client_close(struct server *s, void **context) {
    struct client *c = *context;
    if (c->request != NULL) { /* it failed between the target and the head: nobody was told */
        exchange_cut(c->request);
        request_free(c->request);
    }
    assert(c->request == NULL);
    epoll_ctl(s->http->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    strain_close(s->strainer, &c->strain);
    door_left(s->door, s->thread);
    list_unlink(&c->in_server);
    count_add(&s->count.open_connections, UINT64_MAX);
    free(c);
    *context = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED) client_open(cls, connection, context);
    else if (*context != NULL) client_close(cls, context);
}

/* One that the door gave to this thread. libmicrohttpd closes what it does not take. */
static void connection_add(struct server *s, int fd) {
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof name;
    getpeername(fd, (struct sockaddr *)&name, &len);
    if (MHD_add_connection(s->http->daemon, fd, (struct sockaddr *)&name, len) != MHD_YES)
        door_left(s->door, s->thread);
}

static struct client *client_of(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

bool http_alive(const struct client *c) {
    char byte;
    if (c->gone) return false;
    ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

/* A client that waits for something that may take long, and hung up, gets it no more. */
static void client_left(struct client *c) {
    struct request *r = c->request;
    if (r != NULL && r->socket != NULL) {
        socket_event(r);
        return;
    }
    c->gone = true;
    if (r == NULL || !r->suspended) return;
    if (r->outlet != NULL || r->stage == STAGE_BEGIN || request_waits(r)) request_left(r);
}

static void client_event(struct client *c, uint32_t events) {
    bool socket = c->request != NULL && c->request->socket != NULL;
    strain_ready(c->server->strainer, &c->strain, events);
    if (socket || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) client_left(c);
}

/* ---- requests ---- */

/* Targets stay as they were sent: they are split before they are decoded. */
static size_t on_unescape(void *cls, struct MHD_Connection *connection, char *text) {
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *connection) {
    struct server *s = cls;
    struct client *c = client_of(connection);
    struct request *r = request_new(s, c, target != NULL ? target : "");
    if (r == NULL) abort();
    /* libmicrohttpd would take memory of the connection for every argument, and when that runs out
     * it neither answers nor says that the request is over. The copy is what is read. */
    char *query = target != NULL ? strchr((char *)(uintptr_t)target, '?') : NULL;
    if (query != NULL && query[1] != '\0') query[1] = '\0';
    c->deadline_ms = s->now_ms + s->config->header_ms;
    c->begun++;
    return r;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code) {
    struct server *s = cls;
    struct request *r = *context;
    (void)connection;
    if (r == NULL) return;
    bool more = strain_rest(&r->client->strain).len > 0; /* the next one has begun */
    r->client->deadline_ms = s->now_ms + (more ? s->config->header_ms : s->config->idle_ms);
    r->client->completed++;
    if (r->socket != NULL) socket_gone(r);
    bool complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK && !r->abandoned;
    if (r->begun) request_log(r, complete || r->said);
    if (!complete) exchange_cut(r);
    request_free(r);
    *context = NULL;
}

void http_wake(struct request *r) {
    r->waiting = false;
    if (!r->suspended) return;
    r->suspended = false;
    if (r->stalled_since_ms > 0) {
        r->stalled_ms += r->server->now_ms - r->stalled_since_ms;
        r->stalled_since_ms = 0;
    }
    r->server->http->woken++;
    MHD_resume_connection(r->client->connection);
}

static enum MHD_Result suspend(struct request *r, struct MHD_Connection *connection) {
    r->suspended = true;
    if (r->stage == STAGE_BODY) r->stalled_since_ms = r->server->now_ms;
    MHD_suspend_connection(connection);
    /* what was noticed while it was not suspended */
    if (r->client->gone) client_left(r->client);
    return MHD_YES;
}

static ssize_t on_read(void *cls, uint64_t at, char *to, size_t max) {
    struct request *r = cls;
    (void)at;
    long n = r->abandoned ? -2 : outlet_read(r, (uint8_t *)to, max);
    if (n > 0) {
        count_add(&r->server->count.bytes_out, (uint64_t)n);
        return n;
    }
    if (n == 0) {
        r->suspended = true;
        r->stalled_since_ms = r->server->now_ms;
        MHD_suspend_connection(r->client->connection);
        return 0;
    }
    if (n == -1) return MHD_CONTENT_READER_END_OF_STREAM;
    /* libmicrohttpd closes at its next event only, and the client would wait for the rest */
    shutdown(r->client->fd, SHUT_RDWR);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* ---- answers ---- */

/* The 101 has been sent: from here on libmicrohttpd only closes the connection. */
static void on_upgrade(void *cls, struct MHD_Connection *connection, void *context,
                       const char *extra, size_t extra_size, MHD_socket fd,
                       struct MHD_UpgradeResponseHandle *handle) {
    struct request *r = cls;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = r->client};
    (void)connection;
    (void)context;
    (void)extra; /* the strain has kept it */
    assert(extra_size == 0);
    epoll_ctl(r->server->http->epoll, EPOLL_CTL_MOD, fd, &event);
    r->client->deadline_ms = INT64_MAX;
    socket_opened(r, handle, strain_rest(&r->client->strain));
}

void http_socket_end(struct request *r, void *handle) {
    shutdown(r->client->fd, SHUT_WR);
    r->server->http->woken++;
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

static struct MHD_Response *response_of(struct request *r) {
    struct buffer *body = &r->x.out.body;
    if (r->socket != NULL) return MHD_create_response_for_upgrade(on_upgrade, r);
    if (r->outlet == NULL) {
        count_add(&r->server->count.bytes_out, body->len);
        return MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_PERSISTENT);
    }
    uint64_t size = outlet_size(r);
    return MHD_create_response_from_callback(size == UINT64_MAX ? MHD_SIZE_UNKNOWN : size,
                                             STREAM_BLOCK, on_read, r, NULL);
}

static bool has_header(const struct request *r, const char *name) {
    for (uint32_t i = 0; i < r->answer_header_count; i++) {
        if (strcasecmp(r->answer_headers[i].name, name) == 0) return true;
    }
    return false;
}

/* What the peer's machine has taken: what is handed to the socket may lie there for long. */
static uint64_t bytes_taken(const struct client *c) {
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    return info.tcpi_bytes_acked;
}

/* The answer is ready: hands it to libmicrohttpd. */
static enum MHD_Result queue_answer(struct request *r, struct MHD_Connection *connection) {
    struct server *s = r->server;
    if (r->claimed_count > 0 && !http_alive(r->client)) request_left(r);
    if (r->abandoned) return MHD_NO;
    if (r->status == 204) buffer_clear(&r->x.out.body);
    struct MHD_Response *response = response_of(r);
    if (response == NULL) return MHD_NO;
    for (uint32_t i = 0; i < r->answer_header_count; i++) {
        MHD_add_response_header(response, r->answer_headers[i].name, r->answer_headers[i].value);
    }
    if (r->status != 204 && r->socket == NULL && !has_header(r, "Content-Type")) {
        MHD_add_response_header(response, "Content-Type", "application/json");
    }
    if (r->socket == NULL && (r->close_after || s->http->stopping)) {
        MHD_add_response_header(response, "Connection", "close");
    }
    r->stage_ms = s->now_ms;
    r->stalled_ms = 0;
    r->mark_len = r->outlet != NULL ? bytes_taken(r->client) : 0;
    /* what streams is bounded by its rate, or by what it leaves behind */
    r->client->deadline_ms = r->outlet != NULL ? INT64_MAX : s->now_ms + s->config->request_ms;
    r->queued = MHD_queue_response(connection, (unsigned)r->status, response) == MHD_YES;
    MHD_destroy_response(response);
    return r->queued ? MHD_YES : MHD_NO;
}

const char *http_reason(int status) { return MHD_get_reason_phrase_for((unsigned)status); }

/* True when the rest of the body is small enough to be read, and the connection stays. */
static bool rest_is_small(const struct request *r) {
    uint64_t whole = r->facts.content_length, read = r->body_len;
    if (r->facts.chunked) return read <= DRAIN_BYTES_MAX;
    return whole <= read + DRAIN_BYTES_MAX;
}

/* ---- libmicrohttpd's handler ---- */

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                 const char *value) {
    struct request *r = cls;
    (void)kind;
    if (r->header_count == HEADERS_MAX) return MHD_NO;
    r->headers[r->header_count++] = (struct header){name, value != NULL ? value : ""};
    return MHD_YES;
}

/* The head is whole and was strained; the request begins. False when it came past the strainer. */
static bool begin_request(struct request *r, struct MHD_Connection *connection,
                          const char *method, const char *version) {
    int count = MHD_get_connection_values(connection, MHD_HEADER_KIND, NULL, NULL);
    if (r->client->begun > r->client->strain.wire.heads || count > HEADERS_MAX) {
        log_error("libmicrohttpd has read past the strainer");
        return false;
    }
    r->headers = exchange_alloc(&r->x, sizeof *r->headers * (size_t)count);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, r);
    head_facts(r->headers, r->header_count, version, &r->facts);
    const struct config *c = r->server->config;
    r->begun = true;
    r->close_after = r->facts.upgrades; /* what was sent behind it was kept from being read */
    r->stage_ms = r->server->now_ms;
    request_start(r, method);
    bool upload = r->x.route != NULL &&
                  (r->x.route->body == BODY_FORM || r->x.route->body == BODY_FILE);
    r->client->deadline_ms = r->server->now_ms + (upload ? c->upload_ms : c->request_ms);
    return true;
}

/* The first call, and again when `begin` is done: MHD_YES lets the body come. An answer given here
 * closes the connection, so even a refusal waits for the last call when it can. */
static enum MHD_Result on_head(struct request *r, struct MHD_Connection *connection) {
    if (r->stage == STAGE_ENDED && !r->said) {
        bool small = rest_is_small(r);
        if (r->close_after || (!small && r->facts.expects_continue)) {
            return queue_answer(r, connection);
        }
        if (!small) answer_early(r);
    } else if (r->waiting) {
        return suspend(r, connection);
    }
    r->in_body = true;
    return MHD_YES;
}

static enum MHD_Result on_body(struct request *r, struct MHD_Connection *connection,
                               const char *data, size_t *size) {
    if (r->said) {
        r->body_len += *size;
        *size = 0;
        return r->body_len > LINGER_BYTES_MAX ? MHD_NO : MHD_YES;
    }
    if (r->stage == STAGE_ENDED) r->body_len += *size;
    size_t taken = request_body(r, (const uint8_t *)data, *size);
    if (r->stage == STAGE_ENDED) {
        *size = 0;
        if (!rest_is_small(r)) answer_early(r);
        return MHD_YES;
    }
    *size -= taken;
    return *size > 0 ? suspend(r, connection) : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context) {
    struct request *r = *context;
    (void)cls;
    (void)url;
    if (r == NULL || r->abandoned) return MHD_NO;
    if (!r->begun && !begin_request(r, connection, method, version)) return MHD_NO;
    if (!r->in_body) return on_head(r, connection);
    if (*size > 0) return on_body(r, connection, data, size);
    if (r->said) return MHD_NO;
    r->client->deadline_ms = INT64_MAX; /* from here on the calls have their deadlines */
    if (r->stage == STAGE_BODY) request_body_end(r);
    if (r->abandoned) return MHD_NO;
    return r->stage == STAGE_ENDED ? queue_answer(r, connection) : suspend(r, connection);
}

/* ---- deadlines ---- */

/* Every header_ms the bytes since the last look are held against body_rate_min; time in which we
 * kept the peer waiting does not count. */
static bool too_slow(struct request *r, uint64_t bytes) {
    const struct config *c = r->server->config;
    int64_t ms = r->server->now_ms - r->stage_ms - r->stalled_ms;
    if (ms < c->header_ms) return false;
    uint64_t since = bytes - r->mark_len;
    r->mark_len = bytes;
    r->stage_ms = r->server->now_ms;
    r->stalled_ms = 0;
    return since < (uint64_t)ms * c->body_rate_min / 1000;
}

static void client_tick(struct client *c) {
    struct request *r = c->request;
    if (r != NULL && request_revoked(r)) return;
    if (c->server->now_ms >= c->deadline_ms) {
        early_late(c);
        return;
    }
    if (r == NULL || r->said) return;
    if (r->socket != NULL) {
        socket_tick(r);
    } else if (r->outlet != NULL && r->stage == STAGE_ENDED) {
        bool stalled = !outlet_tick(r), file = outlet_size(r) != UINT64_MAX;
        if (stalled || (!r->suspended && file && too_slow(r, bytes_taken(c)))) early_late(c);
    } else if (r->in_body && !r->suspended && r->stage == STAGE_BODY &&
               too_slow(r, r->body_len)) {
        early_late(c);
    }
}

static void server_tick(struct server *s) {
    s->tick_ms = s->now_ms + TICK_MS;
    s->checks_left = CHECKS_MAX;
    door_watch(s->door, s->thread, s->http->epoll, (void *)(uintptr_t)&about_door);
    link_tick(s->link, s->now_ms);
    for (struct node *n = s->clients.next, *next; n != &s->clients; n = next) {
        next = n->next;
        client_tick(owner_of(n, struct client, in_server));
    }
}

/* ---- the loop ---- */

static void watch(struct http *h, int fd, const void *about) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)(uintptr_t)about};
    if (fd >= 0 && epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST)
        log_error("epoll_ctl failed", field_text("why", strerror(errno)));
}

static void watch_link(struct server *s) {
    struct http *h = s->http;
    link_descriptors(s->link, &h->link_fd, &h->files_fd);
    watch(h, h->link_fd, &about_link);
    watch(h, h->files_fd, &about_link);
}

/* Requests come in, their messages go out, answers come in, and so on while there is something:
 * what arrived together travels together. */
static void turn(struct server *s) {
    struct http *h = s->http;
    for (uint32_t i = 0; i < ROUNDS_MAX; i++) {
        h->woken = 0;
        strainer_begin(s->strainer);
        MHD_run(h->daemon);
        strainer_end();
        early_settle(s);
        link_flush(s->link);
        bool heard = link_receive(s->link, s->now_ms);
        heard = sockets_flush(s) || heard;
        if (!heard && h->woken == 0 && !strainer_due(s->strainer)) break;
    }
    if (link_moved(s->link)) watch_link(s);
}

static int loop_timeout(struct server *s) {
    MHD_UNSIGNED_LONG_LONG ms;
    if (s->http->woken > 0 || strainer_due(s->strainer)) return 0;
    int64_t wait = s->tick_ms - s->now_ms;
    if (MHD_get_timeout(s->http->daemon, &ms) == MHD_YES && (int64_t)ms < wait) wait = (int64_t)ms;
    return wait < 0 ? 0 : (int)wait;
}

static bool poll_once(struct server *s) {
    struct epoll_event events[EVENTS_MAX];
    bool stop = false;
    int n = epoll_wait(s->http->epoll, events, EVENTS_MAX, loop_timeout(s));
    const int64_t before_ms = s->now_ms;
    s->now_ms = clock_mono_ms();
    s->wall_ms = clock_wall_ms();
    for (int i = 0; i < n; i++) {
        const void *about = events[i].data.ptr;
        if (about == &about_stop) stop = true;
        else if (about == &about_door) door_accept(s->door, s->thread, s->http->epoll);
        else if (about != &about_pipe && about != &about_mhd && about != &about_link)
            client_event(events[i].data.ptr, events[i].events);
    }
    account_hashed(s);
    for (int fd; (fd = door_take(s->door, s->thread)) >= 0;) connection_add(s, fd);
    turn(s);
    /* After the process stood still all that came meanwhile is heard before anybody is late. */
    if (s->now_ms - before_ms >= STILL_MS) s->tick_ms = s->now_ms + TICK_MS;
    if (s->now_ms >= s->tick_ms) server_tick(s);
    return stop;
}

/* True while an exchange is under way. */
static bool busy(struct server *s) {
    for (struct node *n = s->clients.next; n != &s->clients; n = n->next)
        if (owner_of(n, struct client, in_server)->request != NULL) return true;
    return false;
}

/* What only waits is ended: the caller may ask another gateway. */
static void end_parked(struct server *s, bool all) {
    for (struct node *n = s->clients.next; n != &s->clients; n = n->next) {
        struct request *r = owner_of(n, struct client, in_server)->request;
        if (r != NULL && r->socket != NULL) {
            if (all) socket_gone(r);
            else socket_refuse(r, CODE_UNAVAILABLE, "the gateway is stopping");
        }
        if (r == NULL || !r->suspended) continue;
        bool parked = r->outlet != NULL || request_waits(r);
        if (all) request_left(r);
        else if (parked) exchange_refuse(&r->x, CODE_UNAVAILABLE, "the gateway is stopping");
    }
}

void http_run(struct server *s, uint32_t drain_ms) {
    struct http *h = s->http;
    while (!poll_once(s)) {
    }
    epoll_ctl(h->epoll, EPOLL_CTL_DEL, h->stop_fd, NULL);
    door_leave(s->door, s->thread, h->epoll);
    h->stopping = s->draining = true;
    end_parked(s, false);
    int64_t end_ms = s->now_ms + drain_ms;
    while (busy(s) && s->now_ms < end_ms) poll_once(s);
    end_parked(s, true);
    turn(s);
}

bool http_open(struct server *s, int stop_fd, char *why, size_t why_size) {
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL) abort();
    const struct config *c = s->config;
    s->http = h;
    list_init(&s->clients);
    list_init(&s->sockets_used);
    s->strainer = strainer_new(c->pool_bytes);
    h->stop_fd = stop_fd;
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_TURBO |
            MHD_USE_NO_LISTEN_SOCKET,
        0, NULL, NULL, on_request, s, MHD_OPTION_CONNECTION_LIMIT, c->connections_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)c->pool_bytes,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)READ_STEP,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, c->connections_per_address_max,
        MHD_OPTION_CONNECTION_TIMEOUT, 0, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_END);
    if (h->epoll < 0 || h->daemon == NULL) {
        snprintf(why, why_size, "http: libmicrohttpd does not start: %s", strerror(errno));
        http_close(s);
        return false;
    }
    h->mhd_fd = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    strainer_follow(s->strainer, h->mhd_fd);
    watch(h, h->mhd_fd, &about_mhd);
    watch(h, stop_fd, &about_stop);
    watch(h, door_pipe(s->door, s->thread), &about_pipe);
    watch(h, s->hashed.fd, &about_link);
    watch_link(s);
    return true;
}

void http_close(struct server *s) {
    struct http *h = s->http;
    if (h == NULL) return;
    strainer_begin(s->strainer);
    if (h->daemon != NULL) MHD_stop_daemon(h->daemon);
    strainer_end();
    strainer_destroy(&s->strainer);
    if (h->epoll >= 0) close(h->epoll);
    free(h);
    s->http = NULL;
}
