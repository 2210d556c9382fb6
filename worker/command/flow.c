#include "worker/command/flow.h"
#include "proto/host/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FILL_BATCH = 128, FILL_DEPTH = 8192, ONE_MS_MAX = 20000 };

int64_t flow_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- opening ---- */

/* Worker i serves every queue whose number is i modulo the number of workers; where they may not
 * name so many, each serves all there are. */
static void queues_of(const struct flow *f, uint32_t worker, struct buffer *names,
                      uint16_t *count) {
    char name[32];
    if (f->every) {
        text_put(names, slice_text("*"));
        *count = 1;
        return;
    }
    for (uint64_t q = 0; q < f->b->queues; q++) {
        bool all = f->b->queues < f->worker_count;
        if (!all && q % f->worker_count != worker) continue;
        int len = snprintf(name, sizeof name, "bench%llu", (unsigned long long)q);
        text_put(names, slice_of(name, (size_t)len));
        (*count)++;
    }
}

static bool worker_open(struct flow *f, uint32_t i) {
    struct flow_worker *w = &f->workers[i];
    struct buffer names = {0};
    char name[32];
    snprintf(name, sizeof name, "bench-%u", i);
    struct peer_options o = {.kind = LINK_WORKER, .name = name, .slots = (uint32_t)f->depth};
    queues_of(f, i, &names, &o.queue_count);
    o.queues = buffer_slice(&names);
    for (w->ring = 1024; w->ring < 4 * (uint64_t)o.slots;) w->ring *= 2;
    w->sent_ns = calloc(w->ring, sizeof *w->sent_ns);
    bool ok = w->sent_ns && !names.failed && peer_open(&w->peer, f->context, f->b, &o);
    buffer_free(&names);
    return ok;
}

bool flow_open(struct flow *f, const struct bench *b, uint64_t depth, uint64_t batch,
               uint32_t workers) {
    uint64_t least = (b->queues + QUEUES_MAX - 1) / QUEUES_MAX;
    *f = (struct flow){.b = b, .depth = depth, .batch = batch, .worker_count = workers};
    if (workers > 0 && workers < least) {
        f->every = !b->backlog; /* that one is nobody's */
        if (!f->every) f->worker_count = (uint32_t)least;
    }
    f->context = zmq_ctx_new();
    if (f->context) zmq_ctx_set(f->context, ZMQ_MAX_SOCKETS, 65535);
    f->workers = calloc(f->worker_count + 1, sizeof *f->workers);
    f->peers = calloc(f->worker_count + 1, sizeof(struct peer *));
    for (uint64_t i = 0; i < (b->size < 8 ? 8 : b->size); i++) buffer_byte(&f->payload, 'x');
    bool ok = f->context && f->workers && f->peers && !f->payload.failed;
    struct peer_options o = {.kind = LINK_CLIENT, .name = "bench-client"};
    ok = ok && peer_open(&f->client, f->context, b, &o);
    for (uint32_t i = 0; ok && i < f->worker_count; i++) ok = worker_open(f, i);
    if (!ok) {
        flow_close(f);
        return false;
    }
    f->peers[0] = &f->client;
    for (uint32_t i = 0; i < f->worker_count; i++) f->peers[i + 1] = &f->workers[i].peer;
    return true;
}

void flow_close(struct flow *f) {
    peer_close(&f->client);
    for (uint32_t i = 0; f->workers && i < f->worker_count; i++) {
        peer_close(&f->workers[i].peer);
        free(f->workers[i].sent_ns);
    }
    free(f->workers);
    free(f->peers);
    buffer_free(&f->payload);
    if (f->context) zmq_ctx_term(f->context);
    f->context = NULL;
}

/* ---- the way of a task ---- */

bool flow_submit(struct flow *f, uint64_t count, const char *queue, size_t queue_len) {
    struct message m = {.verb = VERB_SUBMIT};
    m.submit = (struct submit){
        .queue = slice_of(queue, queue_len), .type = slice_of("bench", 5),
        .payload = buffer_slice(&f->payload),
        .options = {.set = SET_KEEP, .keep_ms = f->b->keep_ms, .accepted = f->b->accepted}};
    int64_t now = flow_now_ns();
    memcpy(f->payload.data, &now, sizeof now);
    peer_begin(&f->client, VERB_SUBMIT, true);
    for (uint64_t i = 0; i < count; i++) frame_put(&f->client.writer, &m);
    f->submitted += count;
    return peer_send(&f->client);
}

static bool client_take(struct flow *f, const struct message *m) {
    switch ((int)m->verb) {
    case VERB_SUBMITTED:
        if (m->submitted.code == CODE_OK) {
            f->acked++;
            f->acked_at_ns = f->client.heard_ns;
            return true;
        }
        f->refused++;
        if (m->submitted.code == CODE_BUSY) return true;
        fprintf(stderr, "relais bench: SUBMIT: %s\n", code_text(m->submitted.code));
        return false;
    case VERB_REFUSED:
        f->refused++;
        f->busy_until_ms = clock_mono_ms() + m->refused.retry_ms;
        if (m->refused.code == CODE_BUSY) return true;
        fprintf(stderr, "relais bench: refused: %s\n", code_text(m->refused.code));
        return false;
    default:
        return true;
    }
}

static bool done_send(struct flow_worker *w) {
    w->writing = false;
    return peer_send(&w->peer);
}

static bool task_take(struct flow *f, struct flow_worker *w, const struct delivery *t) {
    struct message done = {.verb = VERB_DONE};
    f->delivered++;
    f->delivered_at_ns = w->peer.heard_ns;
    if (f->holds) return true;
    if (!w->writing) peer_begin(&w->peer, VERB_DONE, true);
    w->writing = true;
    uint64_t number = w->peer.next_number + w->peer.writer.count;
    int64_t sent = 0;
    if (t->payload.len >= sizeof sent) memcpy(&sent, t->payload.data, sizeof sent);
    if (t->payload.len == f->payload.len)
        spread_add(&f->delivered_ns, f->delivered_at_ns - sent);
    w->sent_ns[number & (w->ring - 1)] = sent;
    done.report = (struct report){.task = t->task, .epoch = t->epoch};
    frame_put(&w->peer.writer, &done);
    return w->peer.writer.count < f->batch || done_send(w);
}

static bool worker_take(struct flow *f, struct flow_worker *w, const struct message *m) {
    switch ((int)m->verb) {
    case VERB_TASK:
        return task_take(f, w, &m->task);
    case VERB_SETTLED:
        if (m->settled.code != CODE_OK) {
            fprintf(stderr, "relais bench: DONE: %s\n", code_text(m->settled.code));
            return false;
        }
        f->settled++;
        f->settled_at_ns = w->peer.heard_ns;
        spread_add(&f->settled_ns,
                   f->settled_at_ns - w->sent_ns[m->settled.number & (w->ring - 1)]);
        return true;
    case VERB_REFUSED:
        fprintf(stderr, "relais bench: worker refused: %s\n", code_text(m->refused.code));
        return false;
    default:
        return true;
    }
}

/* Everything that is here now; *some says whether there was anything. */
static bool take_all(struct flow *f, bool *some) {
    struct message m;
    bool broken = false;
    while (peer_receive(&f->client, &m, &broken)) {
        *some = true;
        if (!client_take(f, &m)) return false;
    }
    for (uint32_t i = 0; !broken && i < f->worker_count; i++) {
        struct flow_worker *w = &f->workers[i];
        while (peer_receive(&w->peer, &m, &broken)) {
            *some = true;
            if (!worker_take(f, w, &m)) return false;
        }
        if (w->writing && !done_send(w)) return false;
    }
    return !broken;
}

bool flow_pump(struct flow *f, int wait_ms) {
    bool some = false, ok = !f->broken && take_all(f, &some);
    const int64_t now_ms = clock_mono_ms();
    for (uint32_t i = 0; ok && i <= f->worker_count; i++) ok = peer_beat(f->peers[i], now_ms);
    if (ok && !some && wait_ms > 0) {
        peers_wait(f->peers, f->worker_count + 1, wait_ms);
        ok = take_all(f, &some);
    }
    f->broken = !ok;
    return ok;
}

bool flow_settle(struct flow *f, int64_t wait_ms) {
    int64_t until_ms = clock_mono_ms() + wait_ms;
    uint64_t due;
    do {
        if (!flow_pump(f, 100)) return false;
        due = f->submitted - f->refused;
        if (f->acked == due && (f->worker_count == 0 || f->settled == due)) return true;
    } while (clock_mono_ms() < until_ms);
    fprintf(stderr, "relais bench: %llu submitted, %llu acknowledged, %llu settled\n",
            (unsigned long long)due, (unsigned long long)f->acked, (unsigned long long)f->settled);
    return false;
}

int64_t flow_one(struct flow *f) {
    uint64_t goal = f->submitted + 1;
    int64_t from = flow_now_ns(), until_ms = clock_mono_ms() + ONE_MS_MAX;
    bool ok = flow_submit(f, 1, "bench0", 6);
    while (ok && (f->acked < goal || f->settled < goal))
        ok = flow_pump(f, 1000) && f->refused == 0 && clock_mono_ms() < until_ms;
    if (!ok) fprintf(stderr, "relais bench: a single task was not settled\n");
    return ok ? from : 0;
}

bool flow_fill(struct flow *f, uint64_t count, const char *queue) {
    uint64_t before = f->acked;
    while (f->acked - before < count) {
        uint64_t waiting = f->submitted - f->refused - f->acked;
        uint64_t left = count - (f->acked - before) - waiting;
        bool busy = clock_mono_ms() < f->busy_until_ms;
        uint64_t some = left < FILL_BATCH ? left : FILL_BATCH;
        bool room = some > 0 && waiting < FILL_DEPTH && !busy;
        if (room && !flow_submit(f, some, queue, strlen(queue))) return false;
        if (!flow_pump(f, room ? 0 : 100)) return false;
    }
    return true;
}
