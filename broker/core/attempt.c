#include "broker/core/schedule.h"
#include "broker/core/attempt.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/hook.h"
#include "broker/core/lease.h"
#include "broker/core/tally.h"
#include "broker/core/task.h"
#include "broker/core/watch.h"

void settled_put(struct core *c, uint64_t id, uint64_t epoch, enum verb verb) {
    c->settled[epoch % SETTLED_SLOTS] =
        (struct settled_slot){.id = id, .epoch = epoch, .verb = (uint8_t)verb};
}

enum verb settled_get(const struct core *c, uint64_t id, uint64_t epoch) {
    const struct settled_slot *s = &c->settled[epoch % SETTLED_SLOTS];
    return s->id == id && s->epoch == epoch ? (enum verb)s->verb : VERB_NONE;
}

static uint64_t lost_hash(uint64_t id, struct slice principal) {
    return hash_bytes(hash_number(id) | 1, principal.data, principal.len);
}

bool lease_was_lost(const struct core *c, uint64_t id, struct slice principal) {
    uint64_t hash = lost_hash(id, principal);
    return c->lost[hash % LOST_SLOTS] == hash;
}

/* An attempt that did not start has the number that it would have had, and no time. */
static void ledger_put(struct core *c, const struct lease *l, enum reason reason,
                       struct slice text) {
    struct task *t = l->task;
    if (task_accepted(t)) return;
    struct record *r = note(c, RECORD_ATTEMPT);
    r->attempt = (struct attempt_record){
        .id = t->head.id, .epoch = l->epoch,
        .started_ms = l->started ? t->head.started_ms : c->wall, .ended_ms = c->wall,
        .run = t->head.run, .attempt = (uint16_t)(t->head.attempt + !l->started),
        .reason = (uint8_t)reason, .worker = note_keep(c, l->worker->record.name),
        .message = note_keep(c, text)};
    task_change(c, t, CHANGE_NOTES);
}

/* The delay before the next try: doubles with each failure, with a quarter of jitter. */
static int64_t backoff(struct core *c, const struct task *t) {
    uint64_t delay = t->head.backoff_ms ? t->head.backoff_ms : c->limits.backoff_ms;
    for (int i = 1; i < t->head.failures && delay < c->limits.backoff_ms_max; i++) delay *= 2;
    if (delay > c->limits.backoff_ms_max) delay = c->limits.backoff_ms_max;
    c->random = hash_number(c->random + 1);
    return (int64_t)(delay * 3 / 4 + c->random % (delay / 2 + 1));
}

static void task_back(struct core *c, struct task *t, bool handed_back) {
    enum code code = task_move(c, t, MOVE_BACK);
    assert(code == CODE_OK);
    if (!handed_back) {
        t->regrant = true;
        if (!core_bug(c, BUG_NO_FENCE)) t->head.epoch = number_next(c);
    }
    t->head.worker = 0;
    c->stats.requeued++;
    if (core_bug(c, BUG_NO_REQUEUE)) return;
    task_place(c, t);
    crew_dispatch_lane(c, t->lane);
}

static void task_again(struct core *c, struct task *t, bool handed_back) {
    enum code code = task_move(c, t, MOVE_AGAIN);
    assert(code == CODE_OK);
    if (!handed_back) {
        t->regrant = true;
        t->head.epoch = number_next(c);
    }
    t->head.due_ms = c->wall + backoff(c, t);
    t->head.progress = 0;
    c->stats.requeued++;
    task_place(c, t);
}

static void task_fail(struct core *c, struct task *t, struct lease *l, enum reason reason,
                      struct slice text, bool answered, const struct report *r) {
    struct task_result result = {.message = note_keep(c, text),
                                 .worker = note_keep(c, l->worker->record.name)};
    if (r) result.metrics = r->metrics, result.numbers = r->numbers;
    if (answered) lease_end(c, l);
    else lease_stop(c, l, reason);
    task_settle(c, t, MOVE_FAIL, reason, &result);
}

/* Takes the task out of the queue until it is resumed. */
static void task_pause(struct core *c, struct task *t) {
    const enum code code = task_move(c, t, MOVE_PAUSE);
    assert(code == CODE_OK);
    t->head.flags &= (uint8_t)~TASK_PAUSING;
    t->head.reason = REASON_PAUSED;
    t->head.epoch = number_next(c);
    t->regrant = true;
}

static void end(struct core *c, struct lease *l, enum reason reason, struct slice text,
                bool retryable, const struct report *r) {
    struct task *t = l->task;
    bool answered = reason == REASON_FAILED || reason == REASON_PERMANENT ||
                    reason == REASON_RELEASED;
    bool told = answered || reason == REASON_CRASHED || reason == REASON_LEASE_LOST ||
                reason == REASON_BROKER_RESTART;
    if (reason == REASON_FAILED || reason == REASON_PERMANENT) lease_start(c, l);
    bool started = l->started;
    bool taken = !answered && l->worker->record.http; /* its worker must hear so later */
    if (started || taken) ledger_put(c, l, reason, text);
    t->head.reason = (uint8_t)reason;
    if (taken) {
        uint64_t hash = lost_hash(l->id, l->worker->principal);
        c->lost[hash % LOST_SLOTS] = hash;
    }
    if (reason == REASON_FAILED || reason == REASON_TIMEOUT) t->head.failures++;
    if (started && reason == REASON_CRASHED) t->head.crashes++;
    if (started && (reason == REASON_LEASE_LOST || reason == REASON_BROKER_RESTART))
        t->head.losses++;
    if (reason == REASON_PERMANENT || t->head.losses > LOSSES_MAX ||
        t->head.attempt == UINT16_MAX || /* started and handed back, again and again */
        ((reason == REASON_FAILED || reason == REASON_TIMEOUT) &&
         (!retryable || t->head.failures > t->head.max_retries))) {
        task_fail(c, t, l, reason, text, told, r);
        return;
    }
    if (reason == REASON_CRASHED && t->head.crashes >= c->limits.crashes_max) {
        task_fail(c, t, l, REASON_POISON, text, true, r);
        return;
    }
    if (told) lease_end(c, l);
    else lease_stop(c, l, reason);
    if (t->head.flags & TASK_PAUSING) task_pause(c, t);
    else if (reason == REASON_FAILED || reason == REASON_TIMEOUT) task_again(c, t, answered);
    else task_back(c, t, answered);
}

void attempt_pause(struct core *c, struct task *t) {
    struct lease *l = t->lease;
    if (l && l->started) ledger_put(c, l, REASON_PAUSED, slice_text("paused"));
    if (l) lease_stop(c, l, REASON_PAUSED);
    task_pause(c, t);
}

void attempt_cancel(struct core *c, struct task *t, struct slice text) {
    struct lease *l = t->lease;
    if (!l) return;
    if (l->started || l->worker->record.http) ledger_put(c, l, REASON_CANCELLED, text);
    lease_stop(c, l, REASON_CANCELLED);
}

void attempt_end(struct core *c, struct lease *l, enum reason reason, struct slice text,
                 bool retryable) {
    end(c, l, reason, text, retryable, NULL);
}

void attempt_fail(struct core *c, struct lease *l, enum reason reason, const struct report *r) {
    end(c, l, reason, r->text, r->retryable, r);
}

void task_settle(struct core *c, struct task *t, enum move move, enum reason reason,
                 const struct task_result *result) {
    enum code code = task_move(c, t, move);
    assert(code == CODE_OK);
    enum status end = (enum status)t->head.status;
    t->head.finished_ms = c->wall;
    t->head.reason = (uint8_t)reason;
    t->head.flags &= (uint8_t)~TASK_PAUSING;
    if (end == STATUS_COMPLETED) t->head.progress = 100;
    if (end == STATUS_COMPLETED) c->stats.completed++;
    else if (end == STATUS_FAILED) c->stats.failed++;
    else c->stats.cancelled++;
    tally_settled(c, t, result->worker, result->numbers);
    t->head.result_len = result->result.len;
    t->head.result_file = result->result_file;
    bool kept = task_kept(t, end);
    if (kept || t->watched) {
        task_set_result(t, result);
        if (kept) task_change(c, t, CHANGE_RESULT);
    }
    if (t->watched) watch_outcome(c, t);
    if (t->head.schedule) schedule_settled(c, t);
    hook_settled(c, t, result);
    if (!kept) task_remove(c, t);
}

void task_revive(struct core *c, struct task *t) {
    bool had_result = t->head.finished_ms != 0;
    enum code code = task_move(c, t, MOVE_REVIVE);
    assert(code == CODE_OK);
    t->head.run++;
    t->head.attempt = t->head.failures = 0;
    t->head.losses = t->head.crashes = t->head.reason = 0;
    t->head.started_ms = t->head.finished_ms = t->head.due_ms = 0;
    t->head.result_len = 0;
    t->head.worker = 0;
    t->head.epoch = number_next(c);
    t->head.order = number_next(c);
    t->regrant = true;
    if (t->head.result_file) note(c, RECORD_FILE_GONE)->file.file = t->head.result_file;
    t->head.result_file = 0;
    t->change &= (uint8_t)~CHANGE_RESULT;
    if (had_result) task_change(c, t, CHANGE_RESULT_GONE);
    task_place(c, t);
    crew_dispatch_lane(c, t->lane);
}
