#include "broker/core/checkpoint.h"
#include "broker/core/effect.h"
#include "broker/core/park.h"
#include "broker/core/task.h"
#include "broker/core/who.h"
#include "proto/base/map.h"
#include "proto/checkpoint.h"

/* Seqs may skip: all that are now too far behind the newest go, as far as they can still exist. */
static void trim(struct core *c, const struct task *t, uint32_t newest) {
    const uint32_t kept = c->limits.checkpoints_max, before = t->head.checkpoint;
    uint32_t last = newest > kept ? newest - kept : 0;
    if (last > before) last = before;
    for (uint32_t seq = before > kept ? before - kept + 1 : 1; seq <= last; seq++) {
        struct record *n = note(c, RECORD_CHECKPOINT_GONE);
        n->checkpoint.id = t->head.id;
        n->checkpoint.seq = seq;
    }
}

enum code checkpoint_check(const struct core *c, const struct task *t, struct slice name,
                           struct slice data) {
    if (data.len > c->limits.checkpoint_max) return CODE_PAYLOAD_TOO_LARGE;
    if (task_accepted(t)) return CODE_INVALID_STATE;
    if (!name_fits(c, name)) return CODE_VALIDATION_ERROR;
    return c->disk_full ? CODE_STORAGE_FULL : CODE_OK;
}

static void measure(struct checkpoint_record *r) {
    r->size = r->data.len;
    r->sum = hash_bytes(0, r->data.data, r->data.len);
}

struct checkpoint_record checkpoint_make(struct core *c, struct task *t,
                                         const struct checkpoint_record *given) {
    struct checkpoint_record made = *given;
    made.id = t->head.id;
    made.brand = t->head.brand;
    made.number = number_next(c);
    made.time_ms = c->wall;
    made.name = note_keep(c, given->name);
    made.data = note_keep(c, given->data);
    measure(&made);
    note(c, RECORD_CHECKPOINT)->checkpoint = made;
    trim(c, t, made.seq);
    t->head.checkpoint = made.seq;
    if (!(made.flags & CHECKPOINT_PASSED)) {
        /* it cannot be read before the group is written */
        if (!core_bug(c, BUG_STALE_CARRY)) task_set_carry(t, &made);
        t->head.resume = 0;
    }
    task_change(c, t, CHANGE_HEAD | CHANGE_NOTES);
    return made;
}

static void row_say(struct core *c, const struct event *e, const struct checkpoint_record *r) {
    struct buffer row = {0};
    struct checkpoint_record bare = *r;
    bare.data = (struct slice){0};
    checkpoint_row_put(&row, &bare);
    say_answer(c, e, CODE_OK, note_keep(c, buffer_slice(&row)));
    buffer_free(&row);
}

static void put_new(struct core *c, const struct event *e, struct task *t) {
    const struct checkpoint_ref *r = &e->message->checkpoint;
    const struct checkpoint_record given = {.seq = t->head.checkpoint + 1, .name = r->name,
                                            .data = r->data,
                                            .flags = r->flags & CHECKPOINT_PASSED};
    enum code code = checkpoint_check(c, t, r->name, r->data);
    if (code == CODE_OK && (t->head.status == STATUS_COMPLETED || given.seq == 0))
        code = CODE_INVALID_STATE;
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    const struct checkpoint_record made = checkpoint_make(c, t, &given);
    row_say(c, e, &made);
}

/* The one that the message names, as it was read for it; NULL: none, or the event was parked. */
static const struct checkpoint_record *stored(struct core *c, const struct event *e) {
    const struct checkpoint_ref *r = &e->message->checkpoint;
    const struct need need = {.kind = NEED_POINT, .id = r->task, .seq = r->seq};
    const struct event *l = c->handling == e ? c->loaded : NULL;
    if (!l || l->need.kind != NEED_POINT || l->need.id != r->task || l->need.seq != r->seq) {
        park(c, e, &need);
        return NULL;
    }
    for (uint32_t i = 0; i < l->record_count; i++)
        if (l->records[i].kind == RECORD_CHECKPOINT) return &l->records[i].checkpoint;
    say_code(c, e, CODE_NOT_FOUND, (struct slice){0});
    return NULL;
}

static void put_old(struct core *c, const struct event *e, struct task *t) {
    const struct checkpoint_ref *r = &e->message->checkpoint;
    const struct checkpoint_record *old = stored(c, e);
    if (!old) return;
    const enum code code = checkpoint_check(c, t, r->name, r->data);
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    struct checkpoint_record made = *old;
    made.name = note_keep(c, r->name);
    made.data = note_keep(c, r->data);
    made.flags = r->flags & (CHECKPOINT_PASSED | CHECKPOINT_PACKED);
    if (!(made.flags & CHECKPOINT_PACKED)) measure(&made);
    note(c, RECORD_CHECKPOINT)->checkpoint = made;
    const bool carried = t->carry && t->carry->checkpoint.seq == made.seq;
    if (carried && made.flags & CHECKPOINT_PASSED) task_drop_carry(t);
    else if (carried && !(made.flags & CHECKPOINT_PACKED)) task_set_carry(t, &made);
    task_change(c, t, CHANGE_NOTES);
    row_say(c, e, &made);
}

static void drop(struct core *c, const struct event *e, struct task *t) {
    const struct checkpoint_record *old = stored(c, e);
    if (!old) return;
    struct record *n = note(c, RECORD_CHECKPOINT_GONE);
    n->checkpoint.id = t->head.id;
    n->checkpoint.seq = old->seq;
    if (t->carry && t->carry->checkpoint.seq == old->seq) task_drop_carry(t);
    if (t->head.resume == old->seq) t->head.resume = 0;
    task_change(c, t, CHANGE_HEAD | CHANGE_NOTES);
    row_say(c, e, old);
}

void checkpoint_step(struct core *c, const struct event *e) {
    struct task *t;
    const enum found found = task_find(c, e, e->message->checkpoint.task, &t);
    if (found == ASKED) return;
    if (found == ABSENT || !who_reads(&e->who, &t->head) ||
        !core_queue_granted(e->queues, t->lane->queue->set.name)) {
        say_code(c, e, CODE_UNKNOWN_TASK, (struct slice){0});
        return;
    }
    if (!who_writes(&e->who)) {
        say_code(c, e, CODE_FORBIDDEN, (struct slice){0});
        return;
    }
    if (e->message->verb == VERB_CHECKPOINT_DROP) drop(c, e, t);
    else if (e->message->checkpoint.seq == 0) put_new(c, e, t);
    else put_old(c, e, t);
}
