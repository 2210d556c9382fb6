#include "broker/core/client.h"
#include "broker/core/command.h"
#include "broker/core/attempt.h"
#include "broker/core/bond.h"
#include "broker/core/claim.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/explain.h"
#include "broker/core/feed.h"
#include "broker/core/lane.h"
#include "broker/core/park.h"
#include "broker/core/tally.h"
#include "broker/core/task.h"
#include "broker/core/watch.h"
#include "broker/core/who.h"
#include "proto/base/utf8.h"

static void client_get(struct core *c, const struct event *e, struct task *t) {
    const struct task_ref *r = &e->message->ref;
    if (!view_whole(c, e, t, r)) {
        struct need need = view_need(r);
        park(c, e, &need);
        return;
    }
    view_say(c, e->peer, e->message->number, t, r);
}

static void client_watch(struct core *c, const struct event *e, struct task *t) {
    const struct task_ref *r = &e->message->ref;
    uint32_t wait = r->wait_ms < c->limits.wait_ms_max ? r->wait_ms : c->limits.wait_ms_max;
    bool news = t->head.version > r->version ||
                (r->want & WANT_PARTS && t->head.parts > r->after);
    if (news || wait == 0 || status_ended((enum status)t->head.status)) {
        client_get(c, e, t);
        return;
    }
    if (!watch_put(c, e, t, wait)) say_code(c, e, CODE_BUSY, (struct slice){0});
}

static void client_cancel(struct core *c, const struct event *e, struct task *t) {
    enum code code;
    if (life_next((enum status)t->head.status, MOVE_CANCEL, &code) == STATUS_NONE) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    struct slice why = e->message->ref.text;
    why.len = utf8_cut(why, c->limits.message_max);
    struct task_result result = {.message = why.len ? why : slice_text("cancelled")};
    attempt_cancel(c, t, result.message);
    t->head.epoch = number_next(c);
    t->regrant = true;
    task_settle(c, t, MOVE_CANCEL, REASON_CANCELLED, &result);
    view_say_head(c, e->peer, e->message->number, t);
}

/* A worker that polls cannot be told at once: it hears of the pause with its next call, and the
 * task pauses with its next checkpoint, or when the attempt ends without success. */
static void client_pause(struct core *c, const struct event *e, struct task *t) {
    enum code code;
    if (life_next((enum status)t->head.status, MOVE_PAUSE, &code) == STATUS_NONE) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (task_accepted(t)) { /* only what is on disk may wait for long */
        say_code(c, e, CODE_INVALID_STATE, (struct slice){0});
        return;
    }
    if (t->lease && t->lease->worker->record.http) {
        t->head.flags |= TASK_PAUSING;
        task_change(c, t, CHANGE_HEAD);
    } else if (t->head.status != STATUS_PAUSED) {
        attempt_pause(c, t);
    }
    view_say_head(c, e->peer, e->message->number, t);
}

static void client_retry(struct core *c, const struct event *e, struct task *t) {
    const struct options *o = &e->message->ref.options;
    enum code code;
    if (life_next((enum status)t->head.status, MOVE_REVIVE, &code) == STATUS_NONE) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (c->disk_full || (o->set & SET_PRIORITY && o->priority >= PRIORITY_COUNT)) {
        say_code(c, e, c->disk_full ? CODE_STORAGE_FULL : CODE_VALIDATION_ERROR,
                 (struct slice){0});
        return;
    }
    const bool paused = t->head.status == STATUS_PAUSED; /* going on is no retry */
    if (t->head.run == UINT16_MAX ||
        (!paused && o->set & SET_RETRIES && t->head.retry_count >= o->retries)) {
        say_code(c, e, CODE_MAX_RETRIES, (struct slice){0});
        return;
    }
    if (o->set & SET_RESUME && o->resume > t->head.checkpoint) {
        say_code(c, e, CODE_NOT_FOUND, slice_text("no such checkpoint"));
        return;
    }
    if (!paused) t->head.retry_count++;
    if (o->set & SET_PRIORITY) task_prioritise(c, t, o->priority);
    t->head.resume = o->set & SET_RESUME ? o->resume : 0;
    task_drop_carry(t);
    if (o->reset_progress) t->head.progress = 0;
    task_revive(c, t);
    view_say_head(c, e->peer, e->message->number, t);
}

/* The body as it now stands: held, or just read. */
static const struct task_body *body_of(const struct core *c, const struct event *e,
                                       const struct task *t) {
    if (t->body) return &t->body->body;
    if (c->handling != e || !c->loaded || c->loaded->need.kind != NEED_TASK ||
        c->loaded->need.id != t->head.id)
        return NULL;
    for (uint32_t i = 0; i < c->loaded->record_count; i++)
        if (c->loaded->records[i].kind == RECORD_BODY) return &c->loaded->records[i].body;
    return NULL;
}

static enum code update_check(const struct core *c, const struct task *t,
                              const struct options *o) {
    const bool waits = t->head.status == STATUS_QUEUED || t->head.status == STATUS_SCHEDULED;
    const unsigned known = SET_PRIORITY | SET_DUE | SET_EXTRA | SET_PAYLOAD | SET_METRICS |
                           SET_VERSION;
    const bool measured = t->head.status == STATUS_COMPLETED || t->head.status == STATUS_FAILED;
    if (o->set & ~known || !due_good(o)) return CODE_VALIDATION_ERROR;
    if (!measure_good(o->numbers) || !measure_good(o->numbers_before))
        return CODE_VALIDATION_ERROR;
    if (o->metrics.len > c->limits.extra_max) return CODE_PAYLOAD_TOO_LARGE;
    if (o->set & SET_METRICS && !measured) return CODE_INVALID_STATE;
    if (o->set & SET_VERSION && o->version != t->head.version) return CODE_CONFLICT;
    if (o->set & SET_PRIORITY && o->priority >= PRIORITY_COUNT) return CODE_VALIDATION_ERROR;
    if (o->extra.len > c->limits.extra_max || o->payload.len > c->limits.payload_max)
        return CODE_PAYLOAD_TOO_LARGE;
    if (o->set & (SET_EXTRA | SET_PAYLOAD | SET_METRICS) && c->disk_full) return CODE_STORAGE_FULL;
    if (status_ended((enum status)t->head.status))
        return o->set & ~(unsigned)(SET_EXTRA | SET_METRICS | SET_VERSION) ? CODE_ALREADY_SETTLED
                                                                           : CODE_OK;
    return o->set & (SET_DUE | SET_PAYLOAD) && !waits ? CODE_INVALID_STATE : CODE_OK;
}

static void body_amend(struct core *c, struct task *t, const struct task_body *before,
                       const struct options *o) {
    struct task_body body = *before;
    if (o->set & SET_EXTRA) body.extra = o->extra;
    if (o->set & SET_PAYLOAD) body.payload = o->payload;
    struct slice *slices[] = {&body.payload, &body.extra, &body.owner, &body.key,
                              &body.source_name, &body.source_mime};
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++)
        *slices[i] = note_keep(c, *slices[i]); /* the old body goes while the new one is made */
    task_set_body(c, t, &body);
    t->amended = true;
    t->head.payload_len = body.payload.len;
    task_change(c, t, CHANGE_BODY);
}

/* The result with other metrics in it. False when it had to be asked for. */
static bool client_measure(struct core *c, const struct event *e, struct task *t) {
    const struct options *o = &e->message->ref.options;
    const struct event *l = c->handling == e ? c->loaded : NULL;
    const bool read = l && l->need.kind == NEED_TASK && l->need.id == t->head.id;
    struct task_result result = {.id = t->head.id};
    if (t->result) result = t->result->result;
    if (!t->result && !read) {
        struct need need = {.kind = NEED_TASK, .id = t->head.id};
        park(c, e, &need);
        return false;
    }
    for (uint32_t i = 0; !t->result && i < l->record_count; i++)
        if (l->records[i].kind == RECORD_RESULT) result = l->records[i].result;
    result.metrics = o->metrics;
    struct slice *texts[] = {&result.result, &result.message, &result.metrics, &result.worker};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = note_keep(c, *texts[i]); /* the old one goes while the new one is made */
    task_set_result(t, &result);
    task_change(c, t, CHANGE_HEAD | CHANGE_RESULT);
    tally_amended(c, t, result.worker, o->numbers_before, o->numbers);
    return true;
}

static void client_update(struct core *c, const struct event *e, struct task *t) {
    const struct options *o = &e->message->ref.options;
    const enum code code = update_check(c, t, o);
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (o->set & (SET_EXTRA | SET_PAYLOAD)) {
        const struct task_body *body = body_of(c, e, t);
        if (!body) {
            struct need need = {.kind = NEED_TASK, .id = t->head.id};
            park(c, e, &need);
            return;
        }
        body_amend(c, t, body, o);
    }
    if (o->set & SET_METRICS && !client_measure(c, e, t)) return;
    if (o->set & SET_PRIORITY) task_prioritise(c, t, o->priority);
    if (o->set & SET_DUE) {
        const enum code moved = task_move(c, t, MOVE_DELAY);
        assert(moved == CODE_OK);
        t->head.due_ms = o->delay ? c->wall + o->due_ms : o->due_ms;
        task_place(c, t);
    }
    crew_dispatch_lane(c, t->lane);
    view_say_head(c, e->peer, e->message->number, t);
}

static void client_remove(struct core *c, const struct event *e, struct task *t) {
    if (t->lease) {
        say_code(c, e, CODE_INVALID_STATE, slice_text("cancel it first"));
        return;
    }
    if (bond_find(c, e, t) == ASKED) return;
    view_say_head(c, e->peer, e->message->number, t);
    task_remove(c, t);
}

void client_step(struct core *c, const struct event *e) {
    enum verb verb = e->message->verb;
    struct task *t;
    enum found found = task_find(c, e, e->message->ref.id, &t);
    if (found == ASKED) return;
    if (found == ABSENT || !who_reads(&e->who, &t->head) ||
        !core_queue_granted(e->queues, t->lane->queue->set.name)) {
        say_code(c, e, CODE_UNKNOWN_TASK, (struct slice){0});
        return;
    }
    bool reads = verb == VERB_GET || verb == VERB_WATCH || verb == VERB_EXPLAIN;
    if (!reads && !who_writes(&e->who)) {
        say_code(c, e, CODE_FORBIDDEN, (struct slice){0});
        return;
    }
    switch ((int)verb) {
    case VERB_GET: client_get(c, e, t); return;
    case VERB_WATCH: client_watch(c, e, t); return;
    case VERB_CANCEL: client_cancel(c, e, t); return;
    case VERB_RETRY: client_retry(c, e, t); return;
    case VERB_UPDATE: client_update(c, e, t); return;
    case VERB_REMOVE: client_remove(c, e, t); return;
    case VERB_PAUSE: client_pause(c, e, t); return;
    default: explain_say(c, e, t); return;
    }
}

void client_unwatch(struct core *c, const struct event *e) {
    struct link *link = &c->links[e->peer];
    uint64_t number = e->message->unwatch.number;
    if (watch_cancel(c, link, number) || feed_cancel(c, link, number) ||
        command_unwait(c, link, number))
        return;
    claim_cancel(c, link, number);
}
