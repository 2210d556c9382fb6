#include "broker/core/report.h"
#include "broker/core/attempt.h"
#include "broker/core/checkpoint.h"
#include "broker/core/effect.h"
#include "broker/core/hook.h"
#include "broker/core/lease.h"
#include "broker/core/object.h"
#include "broker/core/park.h"
#include "broker/core/part.h"
#include "broker/core/task.h"
#include "broker/core/who.h"
#include "broker/core/worker.h"
#include <stdlib.h>

/* True when the lease's worker is the one that speaks. */
static bool is_holder(const struct core *c, const struct event *e, const struct lease *l) {
    const struct link *link = &c->links[e->peer];
    if (!l->worker->record.http) return l->worker->link == link;
    if (link->kind != LINK_GATEWAY) return false;
    if (e->who.boot && e->who.boot != l->worker->record.boot) return false;
    return slice_equal(l->worker->principal, slice_text(e->who.name)) ||
           e->who.role == ROLE_LOCAL;
}

static bool is_end(enum verb verb) {
    return verb == VERB_DONE || verb == VERB_FAIL || verb == VERB_RELEASE || verb == VERB_STOPPED;
}

/* The reporter is the HTTP worker that held the task last. */
static bool was_holder(const struct core *c, const struct event *e, const struct task *t) {
    const struct worker *w = worker_numbered(c, t->head.worker);
    return w && w->record.http && slice_equal(w->principal, slice_text(e->who.name)) &&
           (!e->who.boot || e->who.boot == w->record.boot);
}

/* The report says again what ended this very attempt; `t` may be NULL. */
static bool is_repeated(const struct core *c, const struct event *e, const struct task *t,
                        uint64_t epoch) {
    enum verb verb = e->message->verb;
    if (!epoch || !is_end(verb)) return false;
    if (settled_get(c, e->message->report.task, epoch) == verb) return true;
    if (!t || t->head.epoch != epoch) return false;
    bool failed = t->head.reason == REASON_FAILED || t->head.reason == REASON_PERMANENT;
    return (t->head.status == STATUS_COMPLETED && verb == VERB_DONE) ||
           (t->head.status == STATUS_FAILED && verb == VERB_FAIL && failed);
}

/* Why a report that matches no lease is refused; OK when it is repeated. */
static enum code stale_code(const struct core *c, const struct event *e, const struct task *t) {
    const struct report *r = &e->message->report;
    bool mine = t && !r->epoch && was_holder(c, e, t);
    if (is_repeated(c, e, t, mine ? t->head.epoch : r->epoch)) return CODE_OK;
    if (!t) return CODE_UNKNOWN_TASK;
    if (r->epoch || mine || status_ended((enum status)t->head.status) ||
        lease_was_lost(c, t->head.id, slice_text(e->who.name)))
        return CODE_ATTEMPT_SUPERSEDED;
    return CODE_FORBIDDEN;
}

/* What memory does not know of a lease that was taken away, of a process before this one or long
 * ago, the ledger does. ASKED: the event is handled again when it has been read. */
static enum found ledger_look(struct core *c, const struct event *e, const struct task *t) {
    const struct event *read = c->handling == e ? c->loaded : NULL;
    struct need need = {.kind = NEED_TASK, .id = t->head.id};
    if (!read || read->need.kind != NEED_TASK || read->need.id != t->head.id)
        return park(c, e, &need);
    for (uint32_t i = 0; i < read->record_count; i++) {
        const struct record *r = &read->records[i];
        if (r->kind == RECORD_ATTEMPT &&
            slice_equal(r->attempt.worker, slice_text(e->who.name)))
            return HELD;
    }
    return ABSENT;
}

/* A stale START, PROGRESS or LOG that wants no answer is told to stop instead. */
static void refuse(struct core *c, const struct event *e, enum code code) {
    const struct report *r = &e->message->report;
    if (code == CODE_ATTEMPT_SUPERSEDED) c->stats.superseded++;
    bool silent = !is_end(e->message->verb) && e->message->verb != VERB_CHECKPOINT;
    if (!silent || e->message->number) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (code != CODE_ATTEMPT_SUPERSEDED && code != CODE_UNKNOWN_TASK) return;
    struct message *m = say(c, e->peer, VERB_STOP, 0);
    m->stop = (struct stop){.task = r->task, .epoch = r->epoch, .reason = REASON_LEASE_LOST};
}

/* A report that matches no lease of its task, if there is one. */
static void report_stale(struct core *c, const struct event *e, const struct task *t) {
    enum code code = stale_code(c, e, t);
    const bool http = c->links[e->peer].kind == LINK_GATEWAY && e->who.name[0];
    if (code == CODE_FORBIDDEN && http && !task_accepted(t)) {
        const enum found found = ledger_look(c, e, t);
        if (found == ASKED) return;
        if (found == HELD) code = CODE_ATTEMPT_SUPERSEDED;
    }
    refuse(c, e, code);
}

static void accept(struct core *c, const struct event *e) {
    if (is_end(e->message->verb) || e->message->number)
        say_code(c, e, CODE_OK, (struct slice){0});
}

static void report_progress(struct core *c, const struct event *e, struct lease *l) {
    const struct report *r = &e->message->report;
    struct task *t = l->task;
    lease_renew(c, l);
    const uint8_t before = t->head.progress;
    if (r->percent >= 0 && r->percent <= 100) t->head.progress = (uint8_t)r->percent;
    if (t->head.progress != before) {
        hook_progress(c, t);
        task_change(c, t, CHANGE_HEAD); /* lists show it, too; at most a hundred times a run */
    }
    if (r->text.len) {
        buffer_clear(&l->text);
        buffer_append(&l->text, r->text.data, r->text.len);
    }
    if (t->head.progress == before && (r->percent >= 0 || r->text.len)) task_touch(c, t);
    accept(c, e);
}

static void report_log(struct core *c, const struct event *e, struct lease *l) {
    const struct report *r = &e->message->report;
    struct task *t = l->task;
    lease_renew(c, l);
    if (r->level == LOG_PART) {
        enum code code = part_take(c, r, l);
        if (code == CODE_OK) accept(c, e);
        else refuse(c, e, code);
        return;
    }
    if (t->head.log_lines >= c->limits.log_lines_max) {
        refuse(c, e, CODE_LIMIT_REACHED);
        return;
    }
    t->head.log_lines++;
    if (!task_accepted(t)) {
        struct record *n = note(c, RECORD_LOG);
        n->log = (struct log_record){.id = t->head.id, .line = t->head.log_lines,
            .level = r->level > LOG_LEVEL_MAX ? LOG_LEVEL_MAX : r->level, .time_ms = c->wall,
            .text = note_keep(c, r->text)};
    }
    task_change(c, t, CHANGE_HEAD | CHANGE_NOTES);
    accept(c, e);
}

/* A claimed task that was told to pause ends its attempt with the checkpoint that it sends. */
static void checkpoint_taken(struct core *c, struct lease *l) {
    if (l->worker->record.http && l->task->head.flags & TASK_PAUSING) attempt_pause(c, l->task);
}

static void report_checkpoint(struct core *c, const struct event *e, struct lease *l) {
    const struct report *r = &e->message->report;
    struct task *t = l->task;
    bool repeated = r->seq && r->seq == l->checkpoint; /* its answer was lost */
    uint32_t seq = r->seq ? r->seq : t->head.checkpoint + 1;
    bool backward = seq <= t->head.checkpoint; /* or there is no number left */
    if (core_bug(c, BUG_CHECKPOINT_BACKWARD)) backward = false;
    enum code code = repeated ? CODE_OK
                     : backward ? CODE_CONFLICT : checkpoint_check(c, t, r->name, r->data);
    struct message *m = say(c, e->peer, VERB_CHECKPOINT_OK, e->message->number);
    m->checkpoint_ok = (struct checkpoint_ok){.task = r->task, .epoch = l->epoch, .seq = seq,
                                              .number = e->message->number, .code = code};
    lease_renew(c, l);
    if (code != CODE_OK || repeated) return;
    checkpoint_make(c, t, &(struct checkpoint_record){
        .epoch = l->epoch, .seq = seq, .name = r->name, .data = r->data,
        .flags = r->mark ? CHECKPOINT_PASSED : 0});
    l->checkpoint = seq;
    checkpoint_taken(c, l);
}

static bool measures_fit(struct core *c, const struct event *e) {
    const struct report *r = &e->message->report;
    const enum code code = r->metrics.len > c->limits.extra_max ? CODE_PAYLOAD_TOO_LARGE
                           : !measure_good(r->numbers)          ? CODE_VALIDATION_ERROR : CODE_OK;
    if (code != CODE_OK) refuse(c, e, code);
    return code == CODE_OK;
}

static void report_done(struct core *c, const struct event *e, struct lease *l) {
    const struct report *r = &e->message->report;
    struct task *t = l->task;
    if (r->data.len > c->limits.result_max) {
        refuse(c, e, CODE_PAYLOAD_TOO_LARGE);
        return;
    }
    if (!measures_fit(c, e)) return;
    if (!name_fits(c, r->file_name) || !name_fits(c, r->file_mime)) {
        refuse(c, e, CODE_VALIDATION_ERROR);
        return;
    }
    if (r->file && object_file_known(c, r->file)) {
        refuse(c, e, CODE_CONFLICT);
        return;
    }
    lease_start(c, l);
    struct task_result result = {.result_file = r->file, .result = r->data, .message = r->text,
                                 .metrics = r->metrics, .numbers = r->numbers,
                                 .worker = note_keep(c, l->worker->record.name)};
    if (r->file && task_kept(t, STATUS_COMPLETED)) {
        struct record *n = note(c, RECORD_FILE);
        n->file = (struct file_record){.file = r->file, .task = t->head.id, .size = r->file_size,
            .brand = t->head.brand, .created_ms = c->wall, .name = note_keep(c, r->file_name),
            .mime = note_keep(c, r->file_mime)};
        if (r->file_hash.len == sizeof n->file.hash)
            memcpy(n->file.hash, r->file_hash.data, sizeof n->file.hash);
        object_file_taken(c, r->file);
    }
    uint64_t epoch = l->epoch;
    lease_end(c, l);
    task_settle(c, t, MOVE_COMPLETE, REASON_DONE, &result);
    settled_put(c, r->task, epoch, e->message->verb);
    accept(c, e);
}

static void report_end(struct core *c, const struct event *e, struct lease *l) {
    const struct report *r = &e->message->report;
    uint64_t epoch = l->epoch;
    if (e->message->verb == VERB_FAIL) {
        enum reason reason = r->reason == REASON_PERMANENT || r->reason == REASON_CRASHED ||
                             r->reason == REASON_TIMEOUT ? (enum reason)r->reason : REASON_FAILED;
        if (r->text.len > c->limits.message_max) {
            refuse(c, e, CODE_PAYLOAD_TOO_LARGE);
            return;
        }
        if (!measures_fit(c, e)) return;
        if (reason == REASON_TIMEOUT) reason = REASON_FAILED;
        lease_start(c, l);
        attempt_fail(c, l, reason, r);
    } else {
        attempt_end(c, l, REASON_RELEASED, r->text, true);
    }
    settled_put(c, r->task, epoch, e->message->verb);
    accept(c, e);
}

static void report_lease(struct core *c, const struct event *e, struct lease *l) {
    if (!is_end(e->message->verb)) lease_start(c, l); /* whoever reports has begun */
    switch ((int)e->message->verb) {
    case VERB_START: accept(c, e); return;
    case VERB_PROGRESS: report_progress(c, e, l); return;
    case VERB_LOG: report_log(c, e, l); return;
    case VERB_CHECKPOINT: report_checkpoint(c, e, l); return;
    case VERB_DONE: report_done(c, e, l); return;
    default: report_end(c, e, l); return;
    }
}

/* STOPPED, or any end, frees the slot of an attempt that was told to stop. */
static bool report_stopped(struct core *c, const struct event *e) {
    const struct report *r = &e->message->report;
    struct worker *w = c->links[e->peer].worker;
    struct lease *l = w && is_end(e->message->verb) ? lease_stopping(w, r->task, r->epoch) : NULL;
    if (!l) return false;
    lease_forget(c, l);
    enum code code = e->message->verb == VERB_STOPPED ? CODE_OK : CODE_ATTEMPT_SUPERSEDED;
    if (code != CODE_OK) c->stats.superseded++;
    say_code(c, e, code, (struct slice){0});
    return true;
}

static bool text_fits(const struct core *c, const struct event *e) {
    const struct report *r = &e->message->report;
    bool part = e->message->verb == VERB_LOG && r->level == LOG_PART;
    return r->text.len <= (part ? c->limits.part_bytes_max : c->limits.message_max);
}

void report_step(struct core *c, const struct event *e) {
    const struct report *r = &e->message->report;
    struct task *t;
    if (!who_works(&e->who)) {
        refuse(c, e, CODE_FORBIDDEN);
        return;
    }
    if (report_stopped(c, e)) return;
    enum found found = task_find(c, e, r->task, &t);
    if (found == ASKED) return;
    if (found == HELD && !who_reads(&e->who, &t->head)) found = ABSENT; /* of another brand */
    struct lease *l = found == HELD ? t->lease : NULL;
    bool fenced = l && r->epoch && r->epoch != l->epoch && !core_bug(c, BUG_NO_FENCE);
    if (!l || fenced || (!is_holder(c, e, l) && !core_bug(c, BUG_NO_FENCE))) {
        if (found == HELD && core_bug(c, BUG_DOUBLE_DONE) && e->message->verb == VERB_DONE) {
            accept(c, e);
            return;
        }
        report_stale(c, e, found == HELD ? t : NULL);
        return;
    }
    if (!text_fits(c, e)) {
        refuse(c, e, CODE_PAYLOAD_TOO_LARGE);
        return;
    }
    if (l->worker->record.http) l->worker->heard = c->now;
    report_lease(c, e, l);
}
