/* bench_native - the whole way of native tasks: at depth, and one at a time. */
#include "proto/host/clock.h"
#include "worker/command/flow.h"
#include "worker/command/watch.h"
#include <stdio.h>
#include <stdlib.h>

enum { SETTLE_MS = 20000, WARM_UP = 200 };

static size_t queue_name(char name[32], uint64_t number, uint64_t queues) {
    return (size_t)snprintf(name, 32, "bench%llu", (unsigned long long)(number % queues));
}

/* Keeps `depth` tasks in flight until the time is over. */
static bool run_at_depth(struct flow *f, int64_t time_ms) {
    const struct bench *b = f->b;
    int64_t until = flow_now_ns() + time_ms * 1000000;
    char name[32];
    size_t len = queue_name(name, 0, b->queues);
    for (uint64_t frames = 0; flow_now_ns() < until;) {
        bool busy = f->busy_until_ms && clock_mono_ms() < f->busy_until_ms;
        while (!busy && f->submitted - f->refused - f->settled + f->batch <= f->depth) {
            if (b->queues > 1) len = queue_name(name, frames++, b->queues);
            if (!flow_submit(f, f->batch, name, len)) return false;
        }
        if (!flow_pump(f, 50)) return false;
    }
    return flow_settle(f, SETTLE_MS);
}

static void native_print(const struct flow *f, const struct meter *m, int64_t from,
                         const struct watch *w) {
    const struct bench *b = f->b;
    char more[256];
    int len = snprintf(more, sizeof more,
                       ",\"batch\":%llu,\"depth\":%llu,\"workers\":%u,\"queues\":%llu,"
                       "\"size\":%llu,\"backlog\":%llu,\"curve\":%s",
                       (unsigned long long)b->batch, (unsigned long long)f->depth,
                       f->worker_count, (unsigned long long)b->queues,
                       (unsigned long long)b->size, (unsigned long long)b->backlog,
                       b->curve ? "true" : "false");
    if (w)
        snprintf(more + len, sizeof more - (size_t)len,
                 ",\"behind_max_s\":%.2f,\"rss_peak_mb\":%.1f", w->behind_max_s,
                 w->rss_peak_mb);
    struct result r = {.scenario = "native", .jobs = f->settled, .spread = &f->settled_ns,
                       .more = more, .seconds = (double)(f->settled_at_ns - from) / 1e9};
    result_print(b, m, &r);
}

bool bench_native(struct bench *b) {
    struct flow *f = calloc(1, sizeof *f);
    /* who keeps tasks asks how far behind the table is */
    struct watch *w = b->own && b->keep_ms > 0 ? calloc(1, sizeof *w) : NULL;
    if (!f) return false;
    uint64_t depth = b->depth > b->batch ? b->depth : b->batch;
    bool ok = flow_open(f, b, depth, b->batch, (uint32_t)b->workers) &&
              (b->backlog == 0 || flow_fill(f, b->backlog, "backlog"));
    ok = ok && (!w || watch_open(w, b));
    if (ok) {
        f->submitted = f->acked = f->refused = 0;
        struct meter meter = meter_start(b);
        int64_t from = flow_now_ns();
        ok = run_at_depth(f, b->time_ms);
        ok = (!w || watch_close(w)) && ok;
        if (ok) native_print(f, &meter, from, w);
    }
    flow_close(f);
    free(w);
    free(f);
    return ok;
}

struct times { struct spread acked, delivered, settled; };

static bool run_one(struct flow *f, struct times *t, uint64_t *jobs) {
    int64_t from = flow_one(f);
    if (from == 0) return false;
    if ((*jobs)++ < WARM_UP) return true;
    spread_add(&t->acked, f->acked_at_ns - from);
    spread_add(&t->delivered, f->delivered_at_ns - from);
    spread_add(&t->settled, f->settled_at_ns - from);
    return true;
}

bool bench_latency(struct bench *b) {
    struct flow *f = calloc(1, sizeof *f);
    struct times *t = calloc(1, sizeof *t);
    b->queues = 1;
    bool ok = f && t && flow_open(f, b, 1, 1, 1);
    if (ok) {
        struct meter meter = meter_start(b);
        int64_t from = flow_now_ns(), until = from + b->time_ms * 1000000;
        uint64_t jobs = 0;
        /* past the warm-up, however slow the disk is */
        while (ok && (flow_now_ns() < until || t->settled.count == 0)) ok = run_one(f, t, &jobs);
        struct result r = {.scenario = "latency", .jobs = jobs, .acked = &t->acked,
                           .delivered = &t->delivered, .settled = &t->settled,
                           .seconds = (double)(flow_now_ns() - from) / 1e9};
        if (ok) result_print(b, &meter, &r);
    }
    if (f) flow_close(f);
    free(f);
    free(t);
    return ok;
}
