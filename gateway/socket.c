#include "gateway/socket.h"
#include "gateway/handshake.h"
#include "gateway/house.h"
#include "gateway/http.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

enum {
    BEHIND_MAX = 64 << 10, QUEUED_MAX = 1024, READ_MAX = 64 << 10, CLOSE_MS = 3000,
    FRAGMENTS_MAX = 1024, REASON_MAX = 123
};

enum { /* RFC 6455, section 7.4.1 */
    CODE_GONE_AWAY = 1001, CODE_PROTOCOL = 1002, CODE_UNSUPPORTED = 1003, CODE_CUT = 1006,
    CODE_POLICY = 1008
};

struct socket {
    const struct socket_calls *calls; /* borrowed: the route's */
    struct request *request;
    struct wslay_event_context *frames; /* owned */
    void *handle;          /* libmicrohttpd's; NULL = not opened yet */
    struct buffer early;   /* came behind the handshake */
    size_t early_at;
    size_t budget;         /* bytes that may still be read in this turn */
    bool cut, closed;      /* cut: nothing more can be said; closed: the last call was made */
    bool readable, pinged;  /* pinged: and nothing heard since */
    uint32_t fragments;    /* of the message that is coming */
    uint32_t why;          /* the code with which this side closed; 0 = it did not */
    int64_t heard_ms, close_ms; /* close_ms: when the close began; 0 = it did not */
    int64_t taken_ms;      /* the peer took something, or there was nothing to take */
    bool parting;          /* the close is said behind what lies unsent */
    uint8_t reason[REASON_MAX];
    size_t reason_len;
    struct node in_used;
};

/* ---- what libwslay calls ---- */

static ssize_t on_read(struct wslay_event_context *frames, uint8_t *to, size_t max, int flags,
                       void *context) {
    struct socket *k = context;
    ssize_t n = -1;
    (void)flags;
    if (max > k->budget) max = k->budget;
    if (k->early_at < k->early.len) {
        size_t left = k->early.len - k->early_at;
        n = (ssize_t)(left < max ? left : max);
        memcpy(to, k->early.data + k->early_at, (size_t)n);
        k->early_at += (size_t)n;
    } else if (max > 0) {
        n = recvfrom(k->request->client->fd, to, max, MSG_DONTWAIT, NULL, NULL);
        k->readable = n > 0;
    } else {
        errno = EAGAIN;
    }
    if (n > 0) {
        k->budget -= (size_t)n;
        k->heard_ms = k->request->server->now_ms;
        k->pinged = false;
        return n;
    }
    bool again = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    k->cut = k->cut || !again;
    wslay_event_set_error(frames, again ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_write(struct wslay_event_context *frames, const uint8_t *data, size_t len,
                        int flags, void *context) {
    struct socket *k = context;
    int more = flags & WSLAY_MSG_MORE ? MSG_MORE : 0;
    ssize_t n = send(k->request->client->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL | more);
    if (n >= 0) {
        count_add(&k->request->server->count.bytes_out, (uint64_t)n);
        if (n > 0) k->taken_ms = k->request->server->now_ms;
        return n;
    }
    bool again = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    wslay_event_set_error(frames, again ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

/* libwslay keeps a record of every fragment, also of an empty one. */
static void on_frame(struct wslay_event_context *frames,
                     const struct wslay_event_on_frame_recv_start_arg *f, void *context) {
    struct socket *k = context;
    if (wslay_is_ctrl_frame(f->opcode)) return;
    k->fragments = f->opcode == WSLAY_CONTINUATION_FRAME ? k->fragments + 1 : 1;
    if (k->fragments <= FRAGMENTS_MAX) return;
    exchange_socket_close(&k->request->x, CODE_POLICY, "too many fragments");
    wslay_event_shutdown_read(frames);
}

static void on_message(struct wslay_event_context *frames,
                       const struct wslay_event_on_msg_recv_arg *m, void *context) {
    struct socket *k = context;
    struct exchange *x = &k->request->x;
    struct slice bytes = slice_of(m->msg, m->msg_length);
    (void)frames;
    if (wslay_is_ctrl_frame(m->opcode) || k->close_ms > 0) return;
    bool text = m->opcode == WSLAY_TEXT_FRAME;
    void (*call)(struct exchange *, struct slice) = text ? k->calls->text : k->calls->binary;
    count_add(&k->request->server->count.bytes_in, bytes.len);
    if (call != NULL) call(x, bytes);
    else exchange_socket_close(x, CODE_UNSUPPORTED, "messages of this kind are not taken");
}

/* ---- its life ---- */

/* It is looked at before the turn ends. One that has closed is not: it is freed with its request,
 * and an event of its descriptor may still come before that. */
static void use(struct socket *k) {
    struct server *s = k->request->server;
    if (!k->closed && list_empty(&k->in_used)) list_push(&s->sockets_used, &k->in_used);
}

static void last_call(struct socket *k, uint32_t code) {
    struct request *r = k->request;
    if (k->closed) return;
    k->closed = k->cut = true;
    list_unlink(&k->in_used);
    exchange_cut(r);
    if (k->calls->closed != NULL) k->calls->closed(&r->x, code);
    exchange_cut(r);
    wslay_event_context_free(k->frames);
    k->frames = NULL;
    buffer_free(&k->early);
    count_add(&r->server->count.open_sockets, UINT64_MAX);
}

/* The code that tells most: what the peer said, or what this side did. */
static uint32_t end_code(const struct socket *k) {
    if (k->why != 0) return k->why;
    if (wslay_event_get_close_received(k->frames)) {
        return wslay_event_get_status_code_received(k->frames);
    }
    if (wslay_event_get_close_sent(k->frames)) {
        return wslay_event_get_status_code_sent(k->frames);
    }
    return CODE_CUT;
}

static void end(struct socket *k) {
    last_call(k, end_code(k));
    if (k->handle != NULL) http_socket_end(k->request, k->handle);
}

static const struct wslay_event_callbacks callbacks = {
    .recv_callback = on_read, .send_callback = on_write, .on_frame_recv_start_callback = on_frame,
    .on_msg_recv_callback = on_message};

static void frames_open(struct socket *k) {
    uint64_t max = k->calls->message_max;
    if (max == 0) max = k->request->server->config->socket_bytes_max;
    if (wslay_event_context_server_init(&k->frames, &callbacks, k) != 0) abort();
    wslay_event_config_set_max_recv_msg_length(k->frames, max);
}

/* Of a frame whose first bytes are wrong libwslay says nothing but a close without a code. Where
 * that is all there is to send, it is said with one. */
static void not_frames(struct socket *k) {
    if (wslay_event_get_queued_msg_count(k->frames) == 1 && k->why == 0) {
        wslay_event_context_free(k->frames);
        frames_open(k);
        exchange_socket_close(&k->request->x, CODE_PROTOCOL, NULL);
    }
    wslay_event_shutdown_read(k->frames);
}

/* There is something to read, and not too much unsent: pongs count too. */
static bool reads(const struct socket *k) {
    return (k->readable || k->early_at < k->early.len) && wslay_event_want_read(k->frames) &&
           wslay_event_get_queued_msg_count(k->frames) < QUEUED_MAX;
}

/* libwslay sends a close before all that is queued: it is queued when nothing else is. */
static void part(struct socket *k) {
    if (wslay_event_get_queued_msg_count(k->frames) > 0) return;
    k->parting = false;
    wslay_event_queue_close(k->frames, (uint16_t)k->why, k->reason, k->reason_len);
    k->cut = wslay_event_send(k->frames) != 0;
}

static void work(struct socket *k) {
    if (k->handle == NULL || k->closed) return;
    k->budget = READ_MAX;
    if (reads(k) && wslay_event_recv(k->frames) != 0 && !k->cut) not_frames(k);
    if (!k->cut) k->cut = wslay_event_send(k->frames) != 0;
    if (k->parting && !k->cut) part(k);
    bool closing = wslay_event_get_close_received(k->frames) ||
                   wslay_event_get_close_sent(k->frames) || !wslay_event_want_read(k->frames);
    if (closing && k->close_ms == 0) k->close_ms = k->request->server->now_ms;
    bool done = !wslay_event_want_read(k->frames) && !wslay_event_want_write(k->frames);
    if (k->cut || done) {
        end(k);
        return;
    }
    if (reads(k)) use(k);
    if (k->close_ms == 0) exchange_taken(k->request);
}

size_t socket_behind(const struct request *r) {
    const struct socket *k = r->socket;
    return k->closed ? 0 : wslay_event_get_queued_msg_length(k->frames);
}

void socket_opened(struct request *r, void *handle, struct slice early) {
    struct socket *k = r->socket;
    int bytes = BEHIND_MAX; /* else the system would hold megabytes for a peer that does not read */
    setsockopt(r->client->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    k->handle = handle;
    k->heard_ms = k->taken_ms = r->server->now_ms;
    k->readable = true;
    buffer_append(&k->early, early.data, early.len);
    use(k);
    if (k->calls->open != NULL) k->calls->open(&r->x);
}

void socket_event(struct request *r) {
    r->socket->readable = true;
    use(r->socket);
}

bool sockets_flush(struct server *s) {
    struct node now;
    if (list_empty(&s->sockets_used)) return false;
    list_init(&now); /* those that are used anew meanwhile have their turn in the next round */
    while (!list_empty(&s->sockets_used)) {
        struct node *n = list_first(&s->sockets_used);
        list_unlink(n);
        list_push(&now, n);
    }
    while (!list_empty(&now)) {
        struct node *n = list_first(&now);
        list_unlink(n);
        work(owner_of(n, struct socket, in_used));
    }
    return !list_empty(&s->sockets_used);
}

void socket_tick(struct request *r) {
    struct socket *k = r->socket;
    struct server *s = r->server;
    int64_t silent = s->now_ms - k->heard_ms;
    if (k->handle == NULL || k->closed) return;
    if (wslay_event_get_queued_msg_count(k->frames) == 0) k->taken_ms = s->now_ms;
    if (k->close_ms > 0 && s->now_ms - k->close_ms >= CLOSE_MS) {
        end(k);
    } else if (k->close_ms == 0 && !link_up(s->link)) {
        exchange_socket_close(&r->x, CODE_GONE_AWAY, "the broker cannot be reached");
    } else if (silent >= 2 * (int64_t)s->config->socket_ping_ms) {
        k->why = CODE_GONE_AWAY;
        end(k);
    } else if (s->now_ms - k->taken_ms >= s->config->idle_ms) {
        k->why = CODE_POLICY;
        end(k);
    } else if (silent >= s->config->socket_ping_ms && !k->pinged) {
        struct wslay_event_msg ping = {.opcode = WSLAY_PING};
        k->pinged = true;
        wslay_event_queue_msg(k->frames, &ping);
        use(k);
    }
}

void socket_refuse(struct request *r, enum code code, const char *text) {
    bool away = code == CODE_UNAVAILABLE || code == CODE_BUSY || code == CODE_TIMED_OUT;
    exchange_socket_close(&r->x, away ? CODE_GONE_AWAY : CODE_POLICY, text);
}

void socket_finish(struct request *r) {
    bool away = !link_up(r->server->link); /* then that is why */
    exchange_socket_close(&r->x, away ? CODE_GONE_AWAY : WSLAY_CODE_NORMAL_CLOSURE, NULL);
}

void socket_gone(struct request *r) {
    struct socket *k = r->socket;
    if (!k->closed) end(k);
}

/* ---- what dialects call ---- */

static bool sockets_full(const struct server *s) {
    struct count n;
    gateway_count(s->gateway, &n);
    return n.open_sockets >= s->config->sockets_max;
}

bool exchange_socket(struct exchange *x, const struct socket_calls *calls) {
    struct request *r = request_of(x);
    struct server *s = r->server;
    char accept[ACCEPT_SIZE];
    const char *why;
    assert(r->stage == STAGE_WORK && r->socket == NULL);
    enum code code = handshake_read(r->headers, r->header_count, accept, &why);
    if (code == CODE_UPGRADE_REQUIRED) {
        exchange_set(x, "Upgrade", "websocket");
        exchange_set(x, "Sec-WebSocket-Version", "13");
    }
    if (code != CODE_OK) return exchange_refuse(x, code, why);
    if (r->facts.http_1_0) return exchange_refuse(x, CODE_UPGRADE_REQUIRED, NULL);
    if (sockets_full(s)) return exchange_refuse(x, CODE_LIMIT_REACHED, NULL);
    struct socket *k = exchange_alloc(x, sizeof *k);
    k->calls = calls;
    k->request = r;
    list_init(&k->in_used);
    frames_open(k);
    r->socket = k;
    if (r->credential != NULL) /* libmicrohttpd's memory is for the head alone */
        r->credential = (const char *)exchange_copy(x, slice_text(r->credential)).data;
    exchange_set(x, "Upgrade", "websocket");
    exchange_set(x, "Sec-WebSocket-Accept", accept);
    count_add(&s->count.open_sockets, 1);
    r->status = 101;
    r->streams = true;
    r->stage = STAGE_ENDED;
    http_wake(r);
    return false;
}

/* A message alone may be longer than what may lie unsent. */
static bool too_far_behind(struct socket *k, size_t more) {
    for (int tries = 0; tries < 2; tries++) {
        size_t behind = wslay_event_get_queued_msg_length(k->frames);
        bool fits = behind == 0 || behind + more <= BEHIND_MAX;
        if (fits && wslay_event_get_queued_msg_count(k->frames) < QUEUED_MAX) return false;
        if (k->handle == NULL || k->cut) break;
        k->cut = wslay_event_send(k->frames) != 0; /* of this turn nothing has left yet */
    }
    return true;
}

bool exchange_socket_send(struct exchange *x, bool text, struct slice message) {
    struct socket *k = request_of(x)->socket;
    struct wslay_event_msg m = {.opcode = text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
                                .msg = message.data, .msg_length = message.len};
    if (k->closed || k->close_ms > 0) return false;
    if (too_far_behind(k, message.len)) {
        exchange_socket_close(x, CODE_POLICY, "what was sent is not read");
        return false;
    }
    int failed = wslay_event_queue_msg(k->frames, &m);
    if (failed == WSLAY_ERR_NOMEM) abort();
    use(k);
    return failed == 0;
}

void exchange_socket_close(struct exchange *x, uint32_t code, const char *reason) {
    struct socket *k = request_of(x)->socket;
    size_t len = reason != NULL ? strnlen(reason, REASON_MAX) : 0;
    if (k->closed || k->close_ms > 0) return;
    /* cut between letters */
    while (len > 0 && reason[len] != '\0' && (reason[len] & 0xc0) == 0x80) len--;
    k->why = code;
    k->close_ms = request_of(x)->server->now_ms;
    k->parting = true;
    k->reason_len = len;
    if (len > 0) memcpy(k->reason, reason, len);
    use(k);
}
