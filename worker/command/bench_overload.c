/* bench_overload - what becomes of tasks when more come than the server can take.
 *
 * Native producers (frames of --batch tasks) and HTTP creators (--connections) submit together;
 * --workers take what comes and end it at once. First all of them wait for their answers, and are
 * silent for as long as a refusal says: what is accepted then, with the server's buffers full, is
 * what it can take. Then twice as an open loop, that keeps its pace whatever the answers are and
 * waits for nobody: 0.7 of that, for comparison, and three times that. Each of the three runs
 * prints a line: what was offered, accepted, refused (BUSY, 429 and 503) and not sent (all
 * connections busy, or too much unanswered); times of what was accepted (to the acknowledgement,
 * and to a worker that has it), times of the refusals; and the most memory.
 *
 * It fails when a task that was accepted is not settled afterwards, when HTTP answers anything
 * else, or when the server's memory was over --memory-max. */
#include "proto/host/clock.h"
#include "worker/command/flow.h"
#include "worker/command/watch.h"
#include "worker/command/web.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    PRODUCERS = 2, RING = 1 << 17, UNANSWERED_MAX = RING / 2, LINGER_MS = 20000,
    SETTLE_MS_MAX = 60000, TICK_MS = 1, BUSY_MS = 100
};

struct takings { /* of one producer in one run */
    uint64_t offered, accepted, refused, unsent, bare; /* bare: refusals without Retry-After */
    struct spread acked, refusal;
};

struct overload;

struct producer { /* a native one */
    struct overload *o;
    pthread_t thread;
    void *context; /* owned: ZeroMQ */
    struct peer peer;
    struct buffer payload;
    int64_t sent_ns[RING]; /* by number */
    uint64_t waiting;      /* sent and not answered */
    int64_t busy_until_ms;
    struct takings out;
    bool failed;
};

struct creator { /* the HTTP ones, on one thread */
    struct overload *o;
    pthread_t thread;
    struct web web;
    uint32_t *idle; /* owned: lines without a request */
    uint32_t idle_count;
    int64_t busy_until_ms;
    struct buffer body;
    struct takings out;
    bool failed;
};

struct overload {
    struct bench *b;
    struct flow flow; /* the worker thread's while it runs */
    pthread_t thread;
    atomic_bool ending, worker_failed;
    atomic_uint_fast64_t settled;
    struct producer *producers; /* owned: PRODUCERS */
    struct creator creator;
    struct watch watch;
    double native_rate, http_rate; /* of this run; 0 = wait for answers */
    int64_t time_ms;
    uint64_t accepted; /* in all runs */
    double load;
};

/* ---- native ---- */

static bool produce(struct producer *p) {
    const struct bench *b = p->o->b;
    struct message m = {.verb = VERB_SUBMIT};
    m.submit = (struct submit){
        .queue = slice_text("bench0"), .type = slice_text("bench"),
        .payload = buffer_slice(&p->payload),
        .options = {.set = SET_KEEP, .keep_ms = b->keep_ms, .accepted = b->accepted}};
    int64_t now = flow_now_ns();
    memcpy(p->payload.data, &now, sizeof now);
    uint64_t first = peer_begin(&p->peer, VERB_SUBMIT, true);
    for (uint64_t i = 0; i < b->batch; i++) {
        p->sent_ns[(first + i) % RING] = now;
        frame_put(&p->peer.writer, &m);
    }
    p->waiting += b->batch;
    return peer_send(&p->peer);
}

static void takings_add(struct takings *out, bool accepted, int64_t ns) {
    if (accepted) out->accepted++;
    else out->refused++;
    spread_add(accepted ? &out->acked : &out->refusal, ns);
}

/* One answer. False when it is one that no load explains. */
static bool answered(struct producer *p, const struct message *m) {
    if (m->verb != VERB_SUBMITTED && m->verb != VERB_REFUSED) return true;
    const bool told = m->verb == VERB_SUBMITTED;
    const enum code code = told ? m->submitted.code : m->refused.code;
    const uint64_t number = told ? m->submitted.number : m->refused.number;
    if (code != CODE_OK && code != CODE_BUSY) {
        fprintf(stderr, "relais bench: SUBMIT: %s\n", code_text(code));
        return false;
    }
    if (!told) p->busy_until_ms = clock_mono_ms() + m->refused.retry_ms;
    p->waiting--;
    takings_add(&p->out, code == CODE_OK, flow_now_ns() - p->sent_ns[number % RING]);
    return true;
}

static bool producer_take(struct producer *p, bool *some) {
    struct message m;
    bool broken = false;
    while (peer_receive(&p->peer, &m, &broken)) {
        *some = true;
        if (!answered(p, &m)) return false;
    }
    return !broken && peer_beat(&p->peer, clock_mono_ms());
}

/* Everything that is due now. */
static bool producer_send(struct producer *p, int64_t since_ns) {
    const struct bench *b = p->o->b;
    const double rate = p->o->native_rate / PRODUCERS;
    const uint64_t due = (uint64_t)(rate * (double)since_ns / 1e9);
    if (rate == 0) { /* waits for answers */
        while (p->waiting + b->batch <= b->depth / PRODUCERS &&
               clock_mono_ms() >= p->busy_until_ms) {
            if (!produce(p)) return false;
            p->out.offered += b->batch;
        }
        return true;
    }
    while (p->out.offered + b->batch <= due) {
        p->out.offered += b->batch;
        if (p->waiting + b->batch > UNANSWERED_MAX) p->out.unsent += b->batch;
        else if (!produce(p)) return false;
    }
    return true;
}

static void *producer_main(void *context) {
    struct producer *p = context;
    struct peer *peer = &p->peer;
    int64_t from = flow_now_ns(), until = from + p->o->time_ms * 1000000, now = from;
    bool ok = true, some = false;
    while (ok && now < until) {
        ok = producer_send(p, now - from) && producer_take(p, &some);
        if (ok && !some) peers_wait(&peer, 1, TICK_MS);
        some = false;
        now = flow_now_ns();
    }
    until = now + (int64_t)LINGER_MS * 1000000;
    while (ok && p->waiting > 0 && flow_now_ns() < until) {
        ok = producer_take(p, &some);
        if (ok) peers_wait(&peer, 1, TICK_MS);
    }
    if (ok && p->waiting > 0)
        fprintf(stderr, "relais bench: %llu submits were not answered\n",
                (unsigned long long)p->waiting);
    p->failed = !ok || p->waiting > 0;
    return NULL;
}

static bool producer_open(struct producer *p, struct overload *o, uint32_t number) {
    char name[32];
    snprintf(name, sizeof name, "bench-producer-%u", number);
    struct peer_options options = {.kind = LINK_CLIENT, .name = name};
    p->o = o;
    p->context = zmq_ctx_new();
    for (uint64_t i = 0; i < (o->b->size < 8 ? 8 : o->b->size); i++)
        buffer_byte(&p->payload, 'x');
    return p->context && !p->payload.failed && peer_open(&p->peer, p->context, o->b, &options);
}

static void producer_close(struct producer *p) {
    peer_close(&p->peer);
    if (p->context) zmq_ctx_term(p->context);
    buffer_free(&p->payload);
}

/* ---- HTTP ---- */

static bool create(struct creator *c) {
    const struct web_request r = {.method = "POST", .path = "/tasks/", .token = c->o->b->token,
                                  .body = buffer_slice(&c->body)};
    return web_send(&c->web, c->idle[--c->idle_count], &r);
}

static bool heard(void *context, struct web_line *line) {
    struct creator *c = context;
    const bool busy = line->status == 503 || line->status == 429;
    c->idle[c->idle_count++] = line->number;
    if (line->status != 201 && !busy) {
        fprintf(stderr, "relais bench: a create got %d %.300s\n", line->status, line->body);
        return false;
    }
    if (busy) c->busy_until_ms = clock_mono_ms() + BUSY_MS;
    if (busy && !strcasestr((const char *)line->answer.data, "\r\nRetry-After:")) c->out.bare++;
    takings_add(&c->out, !busy, line->heard_ns - line->sent_ns);
    return true;
}

static bool creator_send(struct creator *c, int64_t since_ns) {
    const double rate = c->o->http_rate;
    const uint64_t due = (uint64_t)(rate * (double)since_ns / 1e9);
    bool ok = true;
    if (rate == 0) {
        while (ok && c->idle_count > 0 && clock_mono_ms() >= c->busy_until_ms) {
            c->out.offered++;
            ok = create(c);
        }
        return ok;
    }
    while (ok && c->out.offered < due) {
        c->out.offered++;
        if (c->idle_count > 0) ok = create(c);
        else c->out.unsent++;
    }
    return ok;
}

static void *creator_main(void *context) {
    struct creator *c = context;
    int64_t from = web_now_ns(), until = from + c->o->time_ms * 1000000, now = from;
    bool ok = true;
    while (ok && now < until) {
        ok = creator_send(c, now - from) && web_pump(&c->web, TICK_MS);
        now = web_now_ns();
    }
    until = now + (int64_t)LINGER_MS * 1000000;
    while (ok && c->idle_count < c->web.count && web_now_ns() < until) ok = web_pump(&c->web, 20);
    if (ok && c->idle_count < c->web.count)
        fprintf(stderr, "relais bench: %u creates were not answered\n",
                c->web.count - c->idle_count);
    c->failed = !ok || c->idle_count < c->web.count;
    return NULL;
}

static bool creator_open(struct creator *c, struct overload *o) {
    static const char head[] = "{\"task_type\":\"bench\",\"queue_name\":\"bench1\","
                               "\"context_data\":{\"data\":\"";
    const uint32_t count = (uint32_t)o->b->connections;
    c->o = o;
    buffer_append(&c->body, head, sizeof head - 1);
    for (uint64_t i = 0; i < o->b->size; i++) buffer_byte(&c->body, 'x');
    buffer_append(&c->body, "\"}}", 3);
    c->idle = calloc(count, sizeof *c->idle);
    bool ok = c->idle && !c->body.failed && web_open(&c->web, o->b->server.http, count);
    c->web.context = c;
    c->web.heard = heard;
    for (uint32_t i = 0; ok && i < count; i++) {
        ok = web_line_open(&c->web, i);
        c->idle[c->idle_count++] = i;
    }
    return ok;
}

static void creator_close(struct creator *c) {
    if (c->web.lines) web_close(&c->web);
    buffer_free(&c->body);
    free(c->idle);
}

/* ---- workers ---- */

static void *worker_main(void *context) {
    struct overload *o = context;
    bool ok = true;
    while (ok && !atomic_load(&o->ending)) {
        ok = flow_pump(&o->flow, TICK_MS);
        atomic_store(&o->settled, o->flow.settled);
    }
    atomic_store(&o->worker_failed, !ok);
    return NULL;
}

/* Until everything that was ever accepted is settled. */
static bool settle(struct overload *o) {
    int64_t until_ms = clock_mono_ms() + SETTLE_MS_MAX;
    while (atomic_load(&o->settled) < o->accepted && !atomic_load(&o->worker_failed) &&
           clock_mono_ms() < until_ms)
        poll(NULL, 0, 5);
    uint64_t settled = atomic_load(&o->settled);
    if (settled == o->accepted) return true;
    fprintf(stderr, "relais bench: %llu were accepted, %llu are settled\n",
            (unsigned long long)o->accepted, (unsigned long long)settled);
    return false;
}

/* ---- the runs ---- */

static void takings_join(struct takings *to, const struct takings *from) {
    to->offered += from->offered;
    to->accepted += from->accepted;
    to->refused += from->refused;
    to->unsent += from->unsent;
    to->bare += from->bare;
    for (uint32_t i = 0; i < SPREAD_BUCKETS; i++) {
        to->acked.bucket[i] += from->acked.bucket[i];
        to->refusal.bucket[i] += from->refusal.bucket[i];
    }
    to->acked.count += from->acked.count;
    to->refusal.count += from->refusal.count;
}

static size_t times_put(char *text, size_t size, const char *name, const struct spread *s) {
    if (s->count == 0) return 0;
    return (size_t)snprintf(text, size, ",\"%s_p50_us\":%.1f,\"%s_p99_us\":%.1f", name,
                            spread_at_us(s, 0.5), name, spread_at_us(s, 0.99));
}

static void load_print(struct overload *o, const struct meter *m, const struct takings *native,
                       double seconds) {
    const struct takings *http = &o->creator.out;
    const double s = seconds > 0 ? seconds : 1;
    char more[1024];
    size_t at = (size_t)snprintf(
        more, sizeof more,
        ",\"load\":%.1f,\"offered_rate\":%.0f,\"accepted_rate\":%.0f,\"refused_rate\":%.0f,"
        "\"unsent_rate\":%.0f,\"http_offered_rate\":%.0f,\"http_accepted_rate\":%.0f,"
        "\"http_refused_rate\":%.0f,\"without_retry_after\":%llu,\"rss_peak_mb\":%.1f,"
        "\"memory_max_mb\":%.0f,\"behind_max_s\":%.2f",
        o->load, (double)(native->offered + http->offered) / s,
        (double)(native->accepted + http->accepted) / s,
        (double)(native->refused + http->refused) / s,
        (double)(native->unsent + http->unsent) / s, (double)http->offered / s,
        (double)http->accepted / s, (double)http->refused / s, (unsigned long long)http->bare,
        o->watch.rss_peak_mb, (double)o->b->memory_max / (1 << 20), o->watch.behind_max_s);
    at += times_put(more + at, sizeof more - at, "refusal", &native->refusal);
    at += times_put(more + at, sizeof more - at, "http_ack", &http->acked);
    times_put(more + at, sizeof more - at, "http_refusal", &http->refusal);
    struct result r = {.scenario = "overload", .jobs = native->accepted + http->accepted,
                       .seconds = seconds, .acked = &native->acked, .more = more,
                       .delivered = &o->flow.delivered_ns};
    result_print(o->b, m, &r);
}

/* All of them for o->time_ms. */
static bool rush(struct overload *o, struct takings *native) {
    bool ok = true;
    uint32_t started = 0;
    for (; ok && started < PRODUCERS; started++) {
        o->producers[started].out = (struct takings){0};
        ok = pthread_create(&o->producers[started].thread, NULL, producer_main,
                            &o->producers[started]) == 0;
        if (!ok) break;
    }
    o->creator.out = (struct takings){0};
    if (ok) creator_main(&o->creator);
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(o->producers[i].thread, NULL);
        ok = ok && !o->producers[i].failed;
        takings_join(native, &o->producers[i].out);
    }
    o->accepted += native->accepted + o->creator.out.accepted;
    return ok && !o->creator.failed;
}

/* One run at these rates, its line, and everything settled. */
static bool load(struct overload *o, double native_rate, double http_rate) {
    struct takings *native = calloc(1, sizeof *native);
    if (!native || !watch_open(&o->watch, o->b)) {
        free(native);
        return false;
    }
    o->native_rate = native_rate;
    o->http_rate = http_rate;
    atomic_store(&o->ending, false);
    o->flow.delivered_ns = (struct spread){0};
    bool ok = pthread_create(&o->thread, NULL, worker_main, o) == 0;
    struct meter meter = meter_start(o->b);
    const bool working = ok;
    int64_t from = flow_now_ns();
    ok = ok && rush(o, native);
    double seconds = (double)(flow_now_ns() - from) / 1e9;
    ok = ok && settle(o);
    atomic_store(&o->ending, true);
    if (working) pthread_join(o->thread, NULL);
    ok = watch_close(&o->watch) && ok;
    if (ok) load_print(o, &meter, native, seconds);
    if (ok && o->watch.rss_peak_mb * (1 << 20) > (double)o->b->memory_max) {
        fprintf(stderr, "relais bench: the server took %.0f MB\n", o->watch.rss_peak_mb);
        ok = false;
    }
    o->native_rate = (double)native->accepted / seconds;
    o->http_rate = (double)o->creator.out.accepted / seconds;
    free(native);
    return ok;
}

static bool run(struct overload *o) {
    o->load = 1;
    o->time_ms = o->b->time_ms;
    if (!load(o, 0, 0)) return false;
    const double native = o->native_rate, http = o->http_rate;
    o->load = 0.7;
    if (!load(o, o->load * native, o->load * http)) return false;
    o->load = 3;
    return load(o, o->load * native, o->load * http);
}

bool bench_overload(struct bench *b) {
    if (!b->own) {
        fprintf(stderr, "relais bench: overload reads the memory of a server of its own\n");
        return false;
    }
    struct overload *o = calloc(1, sizeof *o);
    if (!o) return false;
    o->b = b;
    b->queues = 2; /* of the native tasks, and of those of HTTP */
    if (b->workers < b->queues) b->workers = b->queues;
    o->producers = calloc(PRODUCERS, sizeof *o->producers);
    bool ok = o->producers && flow_open(&o->flow, b, b->depth, b->batch, (uint32_t)b->workers);
    for (uint32_t i = 0; ok && i < PRODUCERS; i++) ok = producer_open(&o->producers[i], o, i);
    ok = ok && creator_open(&o->creator, o) && run(o);
    creator_close(&o->creator);
    for (uint32_t i = 0; o->producers && i < PRODUCERS; i++) producer_close(&o->producers[i]);
    flow_close(&o->flow);
    free(o->producers);
    free(o);
    return ok;
}
