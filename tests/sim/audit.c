/* audit.c - the whole store against what is known: after each crash, and at the end. */
#include "tests/sim/sim.h"
#include <assert.h>
#include <stdlib.h>

struct count { uint64_t of[STATUS_COUNT][PRIORITY_COUNT]; };
struct body_of { uint64_t op; };

static void body_found(void *context, const struct record *r) {
    struct body_of *b = context;
    if (r->kind == RECORD_BODY && r->body.payload.len >= 8)
        memcpy(&b->op, r->body.payload.data, 8);
}

static struct store_view *view_now(struct sim *s) {
    char why[256];
    struct store_view *v = store_view_open(s->process.store, 0, why, sizeof why);
    assert(v != NULL);
    return v;
}

static void task_audit(struct sim *s, struct store_view *v, const struct task_head *h,
                       uint32_t serial) {
    struct body_of b = {0};
    view_task(v, h->id, body_found, &b);
    if (b.op == 0 || b.op > s->op_count) {
        violate(s, "P1 task %llu is there and was never submitted", (unsigned long long)h->id);
        return;
    }
    struct op *op = op_at(s, b.op);
    struct said *t = said_make(s, h->id);
    if (!t->op) t->op = b.op;
    if (t->op != b.op) violate(s, "P1 task %llu has another body", (unsigned long long)h->id);
    if (t->gone) violate(s, "P1 task %llu is there again", (unsigned long long)h->id);
    t->audit = serial;
    if (++op->tasks > (op->keyed ? 1 : op->copies))
        violate(s, "P2 operation %llu made %u tasks", (unsigned long long)b.op, op->tasks);
    if (h->brand != op->brand)
        violate(s, "P10 task %llu is of brand %u", (unsigned long long)h->id, h->brand);
    if (t->done_epoch && t->done_epoch == h->epoch && h->status != STATUS_COMPLETED)
        violate(s, "P1 task %llu was settled and is %s", (unsigned long long)h->id,
                status_name(h->status));
    if (t->ckpt_acked > h->checkpoint)
        violate(s, "P1 task %llu: checkpoint %u was acknowledged, %u is there",
                (unsigned long long)h->id, t->ckpt_acked, h->checkpoint);
}

static void lanes_audit(struct sim *s, struct store_view *v, const struct count *counts) {
    struct walk_row { struct record r; } row;
    struct store_walk *w = walk_open(v, &(struct walk){.kind = WALK_LANES});
    assert(w != NULL);
    while (walk_next(w, &row.r)) {
        const struct lane_record *l = &row.r.lane;
        if (l->lane >= LANES_MAX * 4) continue;
        for (int st = STATUS_SCHEDULED; st < STATUS_COUNT; st++)
            for (int p = 0; p < PRIORITY_COUNT; p++)
                if (l->count[st][p] != counts[l->lane].of[st][p])
                    violate(s, "lane %u says %llu %s of priority %d, there are %llu", l->lane,
                            (unsigned long long)l->count[st][p], status_name((enum status)st), p,
                            (unsigned long long)counts[l->lane].of[st][p]);
    }
    walk_close(&w);
}

void audit_store(struct sim *s) {
    static uint32_t serial;
    struct count counts[LANES_MAX * 4] = {0};
    serial++;
    for (uint64_t i = 1; i <= s->op_count; i++) op_at(s, i)->tasks = 0;
    struct store_view *v = view_now(s);
    struct store_walk *w = walk_open(v, &(struct walk){.kind = WALK_TASKS});
    struct record r;
    assert(w != NULL);
    while (!s->failed && walk_next(w, &r)) {
        if (r.kind != RECORD_TASK) continue;
        if (r.task.lane < LANES_MAX * 4)
            counts[r.task.lane].of[r.task.status][r.task.priority]++;
        struct task_head head = r.task;
        task_audit(s, v, &head, serial);
    }
    walk_close(&w);
    if (!s->failed) lanes_audit(s, v, counts);
    if (!s->failed) object_audit(s, v, serial);
    store_view_close(&v);
    for (uint64_t i = 0; i < s->task_count && !s->failed; i++) {
        const struct said *t = &s->tasks[i];
        if (t->acked && t->audit != serial && !t->end_asked)
            violate(s, "P1 task %llu was acknowledged and is lost", (unsigned long long)t->id);
        if (t->acked && t->audit != serial && t->op && op_at(s, t->op)->kept && !t->removed)
            violate(s, "P1 task %llu was to be kept and is lost", (unsigned long long)t->id);
    }
}

uint64_t audit_open(struct sim *s, char *which, size_t size) {
    uint64_t open = 0;
    struct store_view *v = view_now(s);
    struct store_walk *w = walk_open(v, &(struct walk){.kind = WALK_TASKS});
    struct record r;
    assert(w != NULL);
    while (walk_next(w, &r)) {
        if (r.kind != RECORD_TASK || status_ended(r.task.status)) continue;
        if (open++ == 0)
            snprintf(which, size, "task %llu is %s, attempt %u, reason %s",
                     (unsigned long long)r.task.id, status_name(r.task.status), r.task.attempt,
                     reason_name(r.task.reason));
    }
    walk_close(&w);
    store_view_close(&v);
    return open;
}
