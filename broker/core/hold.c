#include "broker/core/hold.h"
#include "broker/core/attempt.h"
#include "broker/core/lease.h"
#include "broker/core/park.h"
#include "broker/core/task.h"
#include "broker/core/worker.h"

bool hold_ready(struct core *c, const struct event *e) {
    bool ready = true;
    for (uint32_t i = 0; i < e->message->hello.held_count; i++) {
        struct task *t;
        if (task_find(c, e, held_at(&e->message->hello, i).task, &t) == ASKED) ready = false;
    }
    return ready;
}

/* A grant that left before its record was durable, and whose record a crash took back. */
static bool grant_unrecorded(const struct core *c, const struct task *t, uint64_t epoch) {
    enum status s = (enum status)t->head.status;
    return (s == STATUS_QUEUED || s == STATUS_SCHEDULED) && epoch > t->head.epoch &&
           epoch < c->born;
}

static void hold_resume(struct core *c, struct worker *w, struct task *t,
                        const struct held *held) {
    enum code code = task_move(c, t, MOVE_HOLD);
    assert(code == CODE_OK);
    t->head.epoch = held->epoch;
    t->head.worker = w->record.worker;
    if (t->head.attempt == 0) t->head.attempt = 1;
    if (!t->head.started_ms) t->head.started_ms = c->wall;
    worker_record_once(c, w);
    struct lease *l = lease_restore(c, w, t, held->epoch);
    l->restored = false;
    lease_arm(c, l);
}

static enum verdict hold_verdict(struct core *c, struct worker *w, const struct held *held) {
    struct task *t = task_held(c, held->task);
    if (settled_get(c, held->task, held->epoch)) return VERDICT_SETTLED;
    if (!t || task_gone(t)) return VERDICT_STOP;
    struct lease *l = t->lease;
    if (l && l->worker == w && l->epoch == held->epoch) {
        if (l->restored && w->restored) w->restored--;
        l->restored = false;
        l->until = INT64_MAX;
        l->offered = true;
        lease_arm(c, l);
        return VERDICT_KEEP;
    }
    if (t->head.epoch == held->epoch && status_ended((enum status)t->head.status) &&
        t->head.worker == w->record.worker)
        return VERDICT_SETTLED;
    if (l || !grant_unrecorded(c, t, held->epoch)) return VERDICT_STOP;
    hold_resume(c, w, t, held);
    t->lease->offered = true;
    return VERDICT_KEEP;
}

void hold_judge(struct core *c, const struct event *e, struct worker *w,
                struct buffer *verdicts) {
    const struct hello *h = &e->message->hello;
    for (uint32_t i = 0; i < h->held_count; i++) {
        struct held held = held_at(h, i);
        enum verdict verdict = hold_verdict(c, w, &held);
        verdict_put(verdicts, (struct verdict_row){.task = held.task, .epoch = held.epoch,
                                                   .verdict = (uint8_t)verdict});
    }
    for (struct node *n = w->leases.next, *next; n != &w->leases; n = next) {
        next = n->next;
        struct lease *l = owner_of(n, struct lease, in_worker);
        bool offered = l->offered;
        l->offered = false;
        if (offered) continue;
        if (!l->task) lease_forget(c, l);
        else attempt_end(c, l, l->restored ? REASON_BROKER_RESTART : REASON_LEASE_LOST,
                         slice_text("the worker does not hold it"), true);
    }
}
