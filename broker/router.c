/* router.c - see router.h. */
#include "broker/router.h"
#include "proto/host/log.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct peer_list { uint32_t *at, count; };

struct router {
    void *context;
    struct router_limits limits;
    struct socket {
        void *zmq;
        int fd;          /* readable when libzmq has something to tell; not before it was asked */
        enum endpoint_kind kind;
        bool dry;        /* the last receive found nothing, and the descriptor has been quiet */
        bool asked;      /* nothing was sent since that receive: the descriptor can be trusted */
    } sockets[SOCKETS_MAX];
    uint32_t socket_count, turn; /* turn: where router_receive goes on */
    struct peer_table peers;
    struct parcel_pool pool;
    struct peer_list now, filling, flying, blocked, full, gone;
};

struct router *router_new(void *context, const struct router_limits *limits) {
    struct router *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    r->context = context;
    r->limits = *limits;
    pool_open(&r->pool, limits->batch_max);
    struct peer_list *lists[] = {&r->now, &r->filling, &r->flying, &r->blocked, &r->full, &r->gone};
    bool good = peers_open(&r->peers, limits->peers_max);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        lists[i]->at = malloc(limits->peers_max * sizeof *lists[i]->at);
        good = good && lists[i]->at != NULL;
    }
    if (!good) router_destroy(&r);
    return r;
}

void router_destroy(struct router **self) {
    struct router *r = *self;
    if (r == NULL) return;
    for (uint32_t i = 0; i < r->socket_count; i++) zmq_close(r->sockets[i].zmq);
    if (r->peers.peers != NULL) peers_free(&r->peers, &r->pool);
    pool_free(&r->pool);
    free(r->now.at);
    free(r->filling.at);
    free(r->flying.at);
    free(r->blocked.at);
    free(r->full.at);
    free(r->gone.at);
    free(r);
    *self = NULL;
}

bool router_bind(struct router *r, const char *endpoint, const struct secret *secret,
                 char *bound, size_t bound_size, char *why, size_t why_size) {
    assert(r->socket_count < SOCKETS_MAX);
    enum endpoint_kind kind;
    void *zmq = socket_open(r->context, endpoint, &r->limits, secret, &kind, why, why_size);
    if (zmq == NULL) return false;
    size_t size = sizeof r->sockets[0].fd;
    zmq_getsockopt(zmq, ZMQ_FD, &r->sockets[r->socket_count].fd, &size);
    r->sockets[r->socket_count].zmq = zmq;
    r->sockets[r->socket_count].dry = r->sockets[r->socket_count].asked = false;
    r->sockets[r->socket_count++].kind = kind;
    socket_bound(zmq, bound, bound_size);
    return true;
}

void router_unbind(struct router *r) {
    assert(r->socket_count > 0 && r->peers.count == 0);
    zmq_close(r->sockets[--r->socket_count].zmq);
}

bool router_poll(struct router *r, struct pollfd *fds, uint32_t *count) {
    bool readable = false;
    for (uint32_t i = 0; i < r->socket_count; i++) {
        struct socket *s = &r->sockets[i];
        int events = 0;
        size_t size = sizeof events;
        if (!s->dry || !s->asked) { /* a send may have taken the descriptor's word */
            zmq_getsockopt(s->zmq, ZMQ_EVENTS, &events, &size);
            s->dry = (events & ZMQ_POLLIN) == 0;
            s->asked = true;
        }
        readable |= !s->dry;
        fds[(*count)++] = (struct pollfd){.fd = s->fd, .events = POLLIN};
    }
    return readable;
}

void router_wake(struct router *r, const struct pollfd *fds) {
    for (uint32_t i = 0; i < r->socket_count; i++)
        if ((fds[i].revents & POLLIN) != 0) r->sockets[i].dry = false;
}

void router_look(struct router *r) {
    for (uint32_t i = 0; i < r->socket_count; i++) r->sockets[i].dry = false;
}

/* ---- receiving ---- */

static void peer_drop(struct router *r, struct peer *p, const char *cause) {
    if (p->gone) return;
    p->gone = true; /* its outbox stays until router_forget: what never left is known from it */
    r->gone.at[r->gone.count++] = p->number;
    log_debug("peer gone", field_number("peer", p->number), field_text("cause", cause));
}

/* Says LIMIT_REACHED to someone who gets no entry. */
static void newcomer_refuse(struct router *r, uint32_t socket, const void *id, size_t id_len,
                            zmq_msg_t *body) {
    struct buffer b = {0};
    struct frame_writer w;
    struct frame asked = {0}; /* what it asked is answered, so that it need not wait */
    if (frame_read(&asked, zmq_msg_data(body), zmq_msg_size(body), UINT32_MAX) == CODE_OK)
        frame_free(&asked);
    frame_begin(&w, &b, VERB_REFUSED, asked.request, 0, NULL);
    frame_put(&w, &(struct message){
        .verb = VERB_REFUSED,
        .refused = {.number = asked.request, .code = CODE_LIMIT_REACHED, .retry_ms = 1000,
                    .text = slice_text("too many connections")}});
    frame_end(&w);
    void *zmq = r->sockets[socket].zmq;
    if (!b.failed && zmq_send(zmq, id, id_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        zmq_send(zmq, b.data, b.len, ZMQ_DONTWAIT);
    buffer_free(&b);
    log_warn("connection refused: too many", field_number("limit", r->limits.peers_max));
}

/* Takes the frame after a routing id; any further part makes it no frame. */
static bool body_receive(void *zmq, zmq_msg_t *body) {
    zmq_msg_init(body);
    if (zmq_msg_recv(body, zmq, ZMQ_DONTWAIT) < 0) return false;
    bool more = zmq_msg_more(body) != 0;
    while (more) {
        zmq_msg_close(body); /* an empty frame is refused as no message */
        zmq_msg_init(body);
        zmq_msg_t part;
        zmq_msg_init(&part);
        more = zmq_msg_recv(&part, zmq, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&part) != 0;
        zmq_msg_close(&part);
    }
    return true;
}

static struct peer *peer_of(struct router *r, uint32_t socket, zmq_msg_t *id, zmq_msg_t *body) {
    const size_t len = zmq_msg_size(id);
    struct peer *p = peer_find(&r->peers, (uint8_t)socket, zmq_msg_data(id), len);
    if (p == NULL) {
        p = peer_add(&r->peers, (uint8_t)socket, r->sockets[socket].kind, zmq_msg_data(id), len,
                     body);
        if (p == NULL) newcomer_refuse(r, socket, zmq_msg_data(id), len, body);
    } else if (!peer_same(p, body)) {
        peer_drop(r, p, "its routing id came with another key");
        p = NULL;
    }
    return p != NULL && p->gone ? NULL : p;
}

/* One frame of one socket. False when it has none; *ret_peer is NULL when the frame was dropped. */
static bool socket_receive(struct router *r, uint32_t socket, zmq_msg_t *body, int64_t now_ms,
                           struct peer **ret_peer) {
    void *zmq = r->sockets[socket].zmq;
    if (r->sockets[socket].dry) return false;
    zmq_msg_t id;
    zmq_msg_init(&id);
    *ret_peer = NULL;
    if (zmq_msg_recv(&id, zmq, ZMQ_DONTWAIT) < 0) {
        r->sockets[socket].dry = r->sockets[socket].asked = true;
        zmq_msg_close(&id);
        return false;
    }
    const bool whole = zmq_msg_more(&id) != 0 && body_receive(zmq, body);
    if (whole) *ret_peer = peer_of(r, socket, &id, body);
    if (*ret_peer != NULL)
        (*ret_peer)->heard_ms = now_ms;
    else if (whole)
        zmq_msg_close(body);
    zmq_msg_close(&id);
    return true;
}

struct peer *router_receive(struct router *r, zmq_msg_t *body, int64_t now_ms) {
    for (uint32_t tried = 0; tried < r->socket_count;) {
        const uint32_t socket = r->turn;
        r->turn = r->turn + 1 == r->socket_count ? 0 : r->turn + 1;
        struct peer *p;
        if (!socket_receive(r, socket, body, now_ms, &p))
            tried++;
        else if (p != NULL)
            return p;
    }
    return NULL;
}

/* ---- sending ---- */

/* Fills a ZeroMQ message with the parcel's bytes. They are copied: a buffer that was handed over
 * would have to grow anew for each frame, which costs more. */
static bool parcel_pack(zmq_msg_t *msg, const struct parcel *p) {
    if (zmq_msg_init_size(msg, p->bytes.len) != 0) return false;
    memcpy(zmq_msg_data(msg), p->bytes.data, p->bytes.len);
    return true;
}

static void list_block(struct router *r, struct peer *p) {
    if (p->in_blocked) return;
    p->in_blocked = true;
    r->blocked.at[r->blocked.count++] = p->number;
}

/* Gives a peer up that does not read what it asked for. */
static void peer_check_bound(struct router *r, struct peer *p, int64_t now_ms) {
    if (p->in_full && now_ms - p->taken_ms > STUCK_MS_MAX) peer_drop(r, p, "it takes nothing");
    const bool over = p->outbox.bytes > r->limits.outbox_bytes_max;
    if (!over && !router_full(r)) {
        p->over_since_ms = 0;
        return;
    }
    if (p->over_since_ms == 0) p->over_since_ms = now_ms;
    if (now_ms - p->over_since_ms > SLOW_MS_MAX || (over && router_full(r))
        || p->outbox.bytes / BURST_FACTOR > r->limits.outbox_bytes_max)
        peer_drop(r, p, "it does not read");
}

/* Sends what may leave. */
static void peer_send(struct router *r, struct peer *p, int64_t now_ms) {
    void *zmq = r->sockets[p->socket].zmq;
    r->sockets[p->socket].asked = false;
    for (struct parcel *f; !p->gone && (f = outbox_first(&p->outbox)) != NULL;) {
        if (zmq_send(zmq, p->id, p->id_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
            if (errno != EAGAIN) {
                peer_drop(r, p, "not connected");
            } else {
                list_block(r, p);
                peer_check_bound(r, p, now_ms);
            }
            return;
        }
        zmq_msg_t msg;
        if (!parcel_pack(&msg, f)) { /* memory is out: end the frame empty and the peer with it */
            zmq_send(zmq, "", 0, ZMQ_DONTWAIT);
            peer_drop(r, p, "out of memory");
            return;
        }
        if (zmq_msg_send(&msg, zmq, ZMQ_DONTWAIT) < 0) zmq_msg_close(&msg);
        outbox_sent(&p->outbox, &r->pool);
        p->taken_ms = now_ms;
    }
    if (p->outbox.bytes <= r->limits.outbox_bytes_max) p->over_since_ms = 0;
}

void router_say(struct router *r, uint32_t peer, enum say_row which, const struct message *m) {
    assert(peer < r->peers.top);
    struct peer *p = &r->peers.peers[peer];
    if (!p->used || p->gone) return;
    struct outbox *o = &p->outbox;
    if (m->verb == VERB_WELCOME) p->greeted = true;
    if (p->greeted) which = SAY_GROUP;
    struct row *row = which == SAY_NOW ? &o->now : &o->filling;
    if (!outbox_put(o, row, &r->pool, p->link, m)) {
        peer_drop(r, p, "out of memory");
        return;
    }
    if (which == SAY_NOW && !p->in_now) {
        p->in_now = true;
        r->now.at[r->now.count++] = peer;
    }
    if (which == SAY_GROUP && !p->in_filling) {
        p->in_filling = true;
        r->filling.at[r->filling.count++] = peer;
    }
}

void router_await_room(struct router *r, uint32_t peer, int64_t now_ms) {
    struct peer *p = router_peer(r, peer);
    if (p == NULL || p->in_full) return;
    p->in_full = true;
    p->taken_ms = now_ms;
    r->full.at[r->full.count++] = peer;
}

struct peer *router_roomy(struct router *r) {
    for (uint32_t i = 0; i < r->full.count; i++) {
        struct peer *p = &r->peers.peers[r->full.at[i]];
        if (p->gone || p->outbox.bytes > r->limits.outbox_bytes_max / 4) continue;
        p->in_full = false;
        r->full.at[i] = r->full.at[--r->full.count];
        return p;
    }
    return NULL;
}

void router_close(struct router *r) {
    assert(r->flying.count == 0);
    for (uint32_t i = 0; i < r->filling.count; i++) {
        struct peer *p = &r->peers.peers[r->filling.at[i]];
        outbox_close(&p->outbox);
        p->in_filling = false;
        p->in_flying = true;
    }
    const struct peer_list empty = r->flying;
    r->flying = r->filling;
    r->filling = empty;
}

void router_release(struct router *r, int64_t now_ms) {
    for (uint32_t i = 0; i < r->flying.count; i++) {
        struct peer *p = &r->peers.peers[r->flying.at[i]];
        p->in_flying = false;
        p->greeted = p->in_filling && row_has(&p->outbox.filling, VERB_WELCOME);
        outbox_release(&p->outbox, &p->outbox.flying);
        peer_send(r, p, now_ms);
    }
    r->flying.count = 0;
}

void router_release_open(struct router *r, int64_t now_ms) {
    router_close(r);
    router_release(r, now_ms);
}

bool router_leaves_now(const struct router *r) { return r->now.count > 0; }

void router_flush(struct router *r, int64_t now_ms) {
    for (uint32_t i = 0; i < r->now.count; i++) {
        struct peer *p = &r->peers.peers[r->now.at[i]];
        p->in_now = false;
        outbox_release(&p->outbox, &p->outbox.now);
        peer_send(r, p, now_ms);
    }
    r->now.count = 0;
}

bool router_retry(struct router *r, int64_t now_ms) {
    const uint32_t count = r->blocked.count;
    r->blocked.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct peer *p = &r->peers.peers[r->blocked.at[i]];
        p->in_blocked = false;
        peer_send(r, p, now_ms); /* may put itself back, at or before its old place */
    }
    return r->blocked.count > 0;
}

void router_drop_unsaid(struct router *r) {
    for (uint32_t i = 0; i < r->filling.count; i++) {
        struct peer *p = &r->peers.peers[r->filling.at[i]];
        p->in_filling = p->greeted = false;
        outbox_drop(&p->outbox, &p->outbox.filling, &r->pool);
    }
    for (uint32_t i = 0; i < r->flying.count; i++) {
        struct peer *p = &r->peers.peers[r->flying.at[i]];
        p->in_flying = p->greeted = false;
        outbox_drop(&p->outbox, &p->outbox.flying, &r->pool);
    }
    r->filling.count = r->flying.count = 0;
}

/* ---- peers ---- */

void router_sweep(struct router *r, int64_t now_ms) {
    for (uint32_t i = 0; i < r->peers.top; i++) {
        struct peer *p = &r->peers.peers[i];
        if (!p->used || p->gone) continue;
        if (now_ms - p->heard_ms > r->limits.silent_ms_max) peer_drop(r, p, "silent");
    }
}

void router_leave(struct router *r, struct peer *p) { peer_drop(r, p, "it said BYE"); }

struct peer *router_gone(struct router *r) {
    return r->gone.count == 0 ? NULL : &r->peers.peers[r->gone.at[r->gone.count - 1]];
}

static void list_remove(struct peer_list *list, uint32_t number) {
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->at[i] != number) continue;
        list->at[i] = list->at[--list->count];
        return;
    }
}

void router_forget(struct router *r, struct peer *p) {
    assert(p->used && p->gone && p == router_gone(r));
    r->gone.count--;
    if (p->in_now) list_remove(&r->now, p->number);
    if (p->in_filling) list_remove(&r->filling, p->number);
    if (p->in_flying) list_remove(&r->flying, p->number);
    if (p->in_blocked) list_remove(&r->blocked, p->number);
    if (p->in_full) list_remove(&r->full, p->number);
    peer_remove(&r->peers, p, &r->pool);
}

struct peer *router_next(struct router *r, uint32_t *at) {
    while (*at < r->peers.top) {
        struct peer *p = &r->peers.peers[(*at)++];
        if (p->used && !p->gone) return p;
    }
    return NULL;
}

struct peer *router_peer(struct router *r, uint32_t number) {
    if (number >= r->peers.top) return NULL;
    struct peer *p = &r->peers.peers[number];
    return p->used && !p->gone ? p : NULL;
}

struct peer *router_entry(struct router *r, uint32_t number) {
    return number < r->peers.top ? &r->peers.peers[number] : NULL;
}

uint32_t router_peer_count(const struct router *r) { return r->peers.count; }
size_t router_waiting_bytes(const struct router *r) { return r->pool.waiting; }
bool router_full(const struct router *r) { return r->pool.waiting > WAITING_BYTES_MAX; }
