#include "worker/command/peer.h"
#include "proto/host/clock.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { WELCOME_MS_MAX = 5000, PEERS_MAX = 4096, ITEMS_MAX = 4096, FEW = 8 };

static bool say(const char *what, const char *why) {
    fprintf(stderr, "relais bench: %s: %s\n", what, why);
    return false;
}

static bool option_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool option_key(void *socket, int option, const char *key) {
    return zmq_setsockopt(socket, option, key, strlen(key) + 1) == 0;
}

static bool curve(void *socket, const struct bench *b, enum link_kind kind) {
    const struct server_keys *k = &b->server.keys;
    if (!k->server[0]) return true;
    const char *public = kind == LINK_WORKER ? k->worker_public : k->client_public;
    const char *secret = kind == LINK_WORKER ? k->worker_secret : k->client_secret;
    return option_key(socket, ZMQ_CURVE_SERVERKEY, k->server) &&
           option_key(socket, ZMQ_CURVE_PUBLICKEY, public) &&
           option_key(socket, ZMQ_CURVE_SECRETKEY, secret);
}

static bool connect_to(struct peer *p, void *context, const struct bench *b, enum link_kind kind) {
    size_t size = sizeof p->fd;
    p->socket = zmq_socket(context, ZMQ_DEALER);
    return p->socket && zmq_getsockopt(p->socket, ZMQ_FD, &p->fd, &size) == 0 &&
           option_int(p->socket, ZMQ_LINGER, 0) &&
           option_int(p->socket, ZMQ_SNDHWM, 0) && option_int(p->socket, ZMQ_RCVHWM, 0) &&
           curve(p->socket, b, kind) && zmq_connect(p->socket, b->server.native) == 0;
}

static bool hello(struct peer *p, const struct peer_options *o) {
    struct message m = {.verb = VERB_HELLO};
    m.hello = (struct hello){
        .version = PROTOCOL_VERSION, .kind = (uint8_t)o->kind, .name = slice_text(o->name),
        .boot = (uint64_t)clock_mono_us() ^ (uint64_t)getpid() << 40, .slots = o->slots,
        .implied = o->kind == LINK_WORKER,
        .serves = {.queues = o->queues, .queue_count = o->queue_count}};
    peer_begin(p, VERB_HELLO, true);
    frame_put(&p->writer, &m);
    return peer_send(p);
}

static bool welcome(struct peer *p) {
    int64_t until_ms = clock_mono_ms() + WELCOME_MS_MAX;
    struct message m;
    bool broken = false;
    while (!broken && clock_mono_ms() < until_ms) {
        while (peer_receive(p, &m, &broken)) {
            if (m.verb == VERB_REFUSED) return say("HELLO", code_text(m.refused.code));
            if (m.verb != VERB_WELCOME) continue;
            p->link = m.welcome.link;
            p->beat_ms = m.welcome.beat_ms;
            p->beat_at_ms = clock_mono_ms() + p->beat_ms;
            return true;
        }
        peers_wait(&p, 1, 100);
    }
    return say("HELLO", "no answer from the broker");
}

bool peer_open(struct peer *p, void *context, const struct bench *b,
               const struct peer_options *o) {
    *p = (struct peer){.next_number = 1};
    zmq_msg_init(&p->in);
    if (!connect_to(p, context, b, o->kind)) return say(b->server.native, zmq_strerror(errno));
    return hello(p, o) && welcome(p);
}

void peer_close(struct peer *p) {
    if (!p->socket) return;
    zmq_close(p->socket);
    zmq_msg_close(&p->in);
    frame_free(&p->frame);
    buffer_free(&p->out);
    p->socket = NULL;
}

uint64_t peer_begin(struct peer *p, enum verb verb, bool answered) {
    buffer_clear(&p->out);
    frame_begin(&p->writer, &p->out, verb, answered ? p->next_number : 0, p->link, NULL);
    return p->next_number;
}

bool peer_send(struct peer *p) {
    frame_end(&p->writer);
    p->next_number += p->writer.count;
    p->asked = false;
    if (p->out.failed) return say("a frame", "out of memory");
    if (zmq_send(p->socket, p->out.data, p->out.len, ZMQ_DONTWAIT) >= 0) return true;
    return say("a frame", zmq_strerror(errno));
}

/* Opens the next frame for reading. */
static bool next_frame(struct peer *p, bool *broken) {
    if (p->dry && p->dry_ms == clock_mono_ms()) return false;
    if (zmq_msg_recv(&p->in, p->socket, ZMQ_DONTWAIT) < 0) {
        if (errno != EAGAIN && errno != EINTR) *broken = true;
        p->dry = p->asked = true;
        p->dry_ms = clock_mono_ms();
        return false;
    }
    p->dry = false;
    enum code code = frame_read(&p->frame, zmq_msg_data(&p->in), zmq_msg_size(&p->in), ITEMS_MAX);
    p->reading = code == CODE_OK;
    p->heard_ns = clock_mono_us() * 1000;
    if (!p->reading) *broken = !say("a frame of the broker", code_text(code));
    return p->reading;
}

bool peer_receive(struct peer *p, struct message *m, bool *broken) {
    enum code code;
    for (;;) {
        if (!p->reading && !next_frame(p, broken)) return false;
        if (!message_next(&p->frame, m, &code)) {
            p->reading = false;
            continue;
        }
        if (code != CODE_OK) *broken = !say("an item of the broker", code_text(code));
        if (m->verb == VERB_RESYNC) *broken = !say("the link", "the broker has forgotten it");
        return !*broken;
    }
}

bool peer_beat(struct peer *p, int64_t now_ms) {
    if (now_ms < p->beat_at_ms) return true;
    struct message m = {.verb = VERB_BEAT};
    p->beat_at_ms = now_ms + p->beat_ms;
    peer_begin(p, VERB_BEAT, true);
    frame_put(&p->writer, &m);
    return peer_send(p);
}

/* Whether it has something, as libzmq says; when not, its descriptor will tell. */
static bool peer_ready(struct peer *p) {
    int events = 0;
    size_t size = sizeof events;
    if (p->dry && p->asked) return false;
    zmq_getsockopt(p->socket, ZMQ_EVENTS, &events, &size);
    p->dry = (events & ZMQ_POLLIN) == 0;
    p->asked = true;
    p->dry_ms = clock_mono_ms();
    return !p->dry;
}

void peers_wait(struct peer **peers, uint32_t count, int timeout_ms) {
    struct pollfd fds[PEERS_MAX];
    uint32_t used = count < PEERS_MAX ? count : PEERS_MAX, ready = 0;
    for (uint32_t i = 0; i < used; i++) {
        fds[i] = (struct pollfd){.fd = peers[i]->fd, .events = POLLIN};
        ready += peer_ready(peers[i]);
    }
    if (poll(fds, used, ready > 0 ? 0 : timeout_ms) <= 0) return;
    /* of few all are tried: what has come for others by then costs no wake-up of its own */
    for (uint32_t i = 0; i < used; i++)
        if (fds[i].revents != 0 || used <= FEW) peers[i]->dry = false;
}
