/* bench_store - what the disk does: durable enqueues, a backlog, and the start after a kill. */
#include "proto/host/clock.h"
#include "worker/command/flow.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HOLD_MS_MAX = 20000 };

/* ---- enqueue: producers that each wait for their acknowledgement ---- */

struct producer { struct peer peer; int64_t sent_ns; };

struct crowd {
    const struct bench *b;
    void *context;
    struct producer *producers;
    struct peer **peers;
    struct buffer payload;
    struct spread spread;
    uint64_t acked, waiting;
    bool ending;
};

static bool produce(struct crowd *c, struct producer *p) {
    struct message m = {.verb = VERB_SUBMIT};
    m.submit = (struct submit){
        .queue = slice_text("enqueue"), .type = slice_text("bench"),
        .payload = buffer_slice(&c->payload),
        .options = {.set = SET_KEEP, .keep_ms = c->b->keep_ms, .accepted = c->b->accepted}};
    p->sent_ns = flow_now_ns();
    peer_begin(&p->peer, VERB_SUBMIT, true);
    frame_put(&p->peer.writer, &m);
    c->waiting++;
    return peer_send(&p->peer);
}

static bool crowd_take(struct crowd *c, struct producer *p, bool *broken) {
    struct message m;
    while (peer_receive(&p->peer, &m, broken)) {
        if (m.verb != VERB_SUBMITTED && m.verb != VERB_REFUSED) continue;
        enum code code = m.verb == VERB_SUBMITTED ? m.submitted.code : m.refused.code;
        if (code != CODE_OK) {
            fprintf(stderr, "relais bench: SUBMIT: %s\n", code_text(code));
            return false;
        }
        c->acked++;
        c->waiting--;
        spread_add(&c->spread, flow_now_ns() - p->sent_ns);
        if (!c->ending && !produce(c, p)) return false;
    }
    return !*broken && peer_beat(&p->peer, clock_mono_ms());
}

static bool crowd_run(struct crowd *c) {
    bool broken = false;
    uint32_t count = (uint32_t)c->b->producers;
    int64_t until = flow_now_ns() + c->b->time_ms * 1000000;
    for (uint32_t i = 0; i < count; i++)
        if (!produce(c, &c->producers[i])) return false;
    while (c->waiting > 0) {
        c->ending = flow_now_ns() >= until;
        if (flow_now_ns() > until + 20000000000) {
            fprintf(stderr, "relais bench: acknowledgements did not come\n");
            return false;
        }
        peers_wait(c->peers, count, 100);
        for (uint32_t i = 0; i < count; i++)
            if (!crowd_take(c, &c->producers[i], &broken)) return false;
    }
    return true;
}

static bool crowd_open(struct crowd *c) {
    uint32_t count = (uint32_t)c->b->producers;
    c->context = zmq_ctx_new();
    c->producers = calloc(count, sizeof *c->producers);
    c->peers = calloc(count, sizeof(struct peer *));
    for (uint64_t i = 0; i < c->b->size; i++) buffer_byte(&c->payload, 'x');
    if (!c->context || !c->producers || !c->peers || c->payload.failed) return false;
    zmq_ctx_set(c->context, ZMQ_MAX_SOCKETS, 65535);
    for (uint32_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "bench-%u", i);
        struct peer_options o = {.kind = LINK_CLIENT, .name = name};
        c->peers[i] = &c->producers[i].peer;
        if (!peer_open(c->peers[i], c->context, c->b, &o)) return false;
    }
    return true;
}

bool bench_enqueue(struct bench *b) {
    struct crowd *c = calloc(1, sizeof *c);
    if (!c) return false;
    c->b = b;
    bool ok = crowd_open(c);
    if (ok) {
        struct meter meter = meter_start(b);
        int64_t from = flow_now_ns();
        ok = crowd_run(c);
        char more[64];
        snprintf(more, sizeof more, ",\"producers\":%llu", (unsigned long long)b->producers);
        struct result r = {.scenario = "enqueue", .jobs = c->acked, .spread = &c->spread,
                           .more = more, .seconds = (double)(flow_now_ns() - from) / 1e9};
        if (ok) result_print(b, &meter, &r);
    }
    for (uint64_t i = 0; c->producers && i < b->producers; i++) peer_close(&c->producers[i].peer);
    if (c->context) zmq_ctx_term(c->context);
    buffer_free(&c->payload);
    free(c->producers);
    free(c->peers);
    free(c);
    return ok;
}

/* ---- fill and restart ---- */

static bool fill(struct bench *b, const char *scenario, bool rests) {
    struct flow *f = calloc(1, sizeof *f);
    bool ok = f && flow_open(f, b, 1, 1, 0);
    if (ok) {
        struct meter meter = meter_start(b);
        int64_t from = flow_now_ns();
        ok = flow_fill(f, b->count, "fill");
        struct result r = {.scenario = scenario, .jobs = f->acked, .rests = rests,
                           .seconds = (double)(flow_now_ns() - from) / 1e9};
        if (ok) result_print(b, &meter, &r);
    }
    if (f) flow_close(f);
    free(f);
    return ok;
}

bool bench_fill(struct bench *b) { return fill(b, "fill", true); }

/* How many tasks of the queue the broker says are so; -1 when it does not. */
static int64_t counted(const struct bench *b, const char *queue, int status) {
    struct relais_client_options options = {.link = bench_link(b)};
    struct relais_client *client;
    struct relais_rows *rows = NULL;
    struct relais_question q = {.kind = "tasks", .queue = queue, .count = true, .limit = 1,
                                .status_mask = 1U << status};
    int64_t total = -1;
    if (relais_client_open(&client, &options) != RELAIS_OK) return -1;
    int code = relais_list(client, &q, &rows);
    if (code == RELAIS_OK) total = rows->total;
    else fprintf(stderr, "relais bench: the count: %s\n", relais_error_text(code));
    relais_rows_free(&rows);
    relais_client_close(&client);
    return total;
}

/* A worker that holds b->running tasks, and does nothing. */
static bool hold(struct bench *b, struct flow *f) {
    bool ok = flow_open(f, b, b->running, 1, 1);
    f->holds = true;
    ok = ok && flow_fill(f, b->running, "bench0");
    int64_t until_ms = clock_mono_ms() + HOLD_MS_MAX;
    while (ok && f->delivered < b->running && clock_mono_ms() < until_ms) ok = flow_pump(f, 100);
    if (ok && f->delivered == b->running) return true;
    fprintf(stderr, "relais bench: %llu of %llu tasks run\n", (unsigned long long)f->delivered,
            (unsigned long long)b->running);
    return false;
}

/* A long list is counted up to a bound; what is beyond it cannot be told here. */
static bool all_there(int64_t found, uint64_t wanted) {
    enum { COUNTED_MAX = 10000 };
    if (found == (int64_t)wanted || (found >= COUNTED_MAX && wanted > COUNTED_MAX)) return true;
    fprintf(stderr, "relais bench: tasks are missing after the restart: %lld of %llu\n",
            (long long)found, (unsigned long long)wanted);
    return false;
}

bool bench_restart(struct bench *b) {
    if (!b->own) {
        fprintf(stderr, "relais bench: restart kills the server: only its own\n");
        return false;
    }
    struct flow *f = calloc(1, sizeof *f);
    b->queues = 1;
    bool ok = f && fill(b, "restart-fill", false) && (b->running == 0 || hold(b, f));
    if (ok) server_kill(&b->server);
    if (f) flow_close(f);
    free(f);
    if (!ok || !server_restart(&b->server, b->server_options)) return false;
    struct meter meter = meter_start(b);
    int64_t found = counted(b, "fill", RELAIS_QUEUED);
    int64_t held = b->running ? counted(b, "bench0", RELAIS_RUNNING) : 0;
    char more[192];
    snprintf(more, sizeof more,
             ",\"ready_ms\":%lld,\"queued\":%llu,\"found\":%lld,\"running\":%llu,"
             "\"held\":%lld",
             (long long)b->server.ready_ms, (unsigned long long)b->count, (long long)found,
             (unsigned long long)b->running, (long long)held);
    struct result r = {.scenario = "restart", .jobs = b->count, .more = more,
                       .seconds = (double)b->server.ready_ms / 1000};
    result_print(b, &meter, &r);
    ok = all_there(found, b->count);
    return all_there(held, b->running) && ok;
}
