#include "broker/core/sweep.h"
#include "broker/core/bond.h"
#include "broker/core/cache.h"
#include "broker/core/effect.h"
#include "broker/core/object.h"
#include "broker/core/park.h"
#include "broker/core/tally.h"
#include "broker/core/task.h"

enum { SWEEP_OBJECT_COUNT = 64 /* their bodies may be large */ };

/* The walk begins where the last one ended: what went before left nothing there but the marks of
 * its going, which a read would have to pass over. Ends set since then may lie earlier. */
static void sweep_objects_begin(struct core *c) {
    if (c->sweep_low_ms < c->sweep_from_ms) c->sweep_from_ms = c->sweep_low_ms;
    c->sweep_low_ms = INT64_MAX;
    c->sweep_to_ms = c->wall;
}

void sweep_timer(struct core *c) {
    if (!c->ready) {
        heap_set(&c->clock, &c->sweep, c->now + SWEEP_STEP_MS);
        return;
    }
    struct need need = {.kind = NEED_SWEEP, .count = SWEEP_COUNT, .object = c->sweep_kind,
                        .id = c->sweep_kind == SWEEP_TASKS ? c->sweep_id : 0,
                        .brand = c->sweep_brand, .key = buffer_slice(&c->sweep_key)};
    if (c->sweep_kind == SWEEP_OBJECTS) {
        sweep_objects_begin(c);
        need.count = SWEEP_OBJECT_COUNT;
        need.due_ms = c->sweep_from_ms;
        need.order = (uint64_t)c->sweep_to_ms;
    }
    if (c->sweep_kind == SWEEP_TALLIES) {
        need.count = TALLY_SWEEP_COUNT;
        need.lane = c->sweep_span;
        need.seq = c->sweep_slot;
        need.id = c->sweep_id;
        c->tally_swept = (uint32_t)(c->wall / TALLY_DAY_MS);
    }
    c->dedup_renewed = false;
    c->sweep_bonds = 0;
    want(c, &need);
}

bool sweep_expired(const struct core *c, const struct task_head *h) {
    if (!status_ended((enum status)h->status)) return false;
    const bool failed = h->status != STATUS_COMPLETED && h->keep_ms == KEEP_FAILED;
    const int64_t keep = h->keep_ms > 0 ? h->keep_ms : failed ? c->limits.failed_keep_ms : 0;
    return h->finished_ms + keep <= c->wall;
}

static void sweep_task(struct core *c, const struct task_head *h) {
    if (c->sweep_bonds == BOND_SWEEP_COUNT) return; /* the next step begins with this one */
    if (h->id > c->sweep_id) c->sweep_seen++;
    c->sweep_id = h->id;
    struct task *t = task_held(c, h->id);
    if (t && (task_gone(t) || !sweep_expired(c, &t->head))) return;
    if (!sweep_expired(c, h)) return;
    if (h->flags & TASK_BOUND && cache_full(c)) return; /* to the next walk */
    if (!t) t = task_adopt(c, h);
    if (bond_swept(c, t)) task_remove(c, t);
    else c->sweep_bonds++;
}

/* A key that was taken anew while the load was out is left to the next walk: the load may show
 * its older record. */
static void sweep_dedup(struct core *c, const struct dedup_record *d) {
    if (d->brand != c->sweep_brand || !slice_equal(d->key, buffer_slice(&c->sweep_key)))
        c->sweep_seen++;
    c->sweep_brand = d->brand;
    buffer_clear(&c->sweep_key);
    buffer_append(&c->sweep_key, d->key.data, d->key.len);
    if (c->dedup_renewed || c->wall - d->time_ms < (int64_t)c->limits.dedup_ms) return;
    struct slice key = note_keep(c, d->key);
    note(c, RECORD_DEDUP_GONE)->dedup = (struct dedup_record){.brand = d->brand, .key = key};
}

void sweep_loaded(struct core *c, const struct event *e) {
    for (uint32_t i = 0; i < e->record_count; i++) {
        const struct record *r = &e->records[i];
        if (r->kind == RECORD_TASK && c->sweep_kind == SWEEP_TASKS) sweep_task(c, &r->task);
        else if (r->kind == RECORD_DEDUP && c->sweep_kind == SWEEP_DEDUPS)
            sweep_dedup(c, &r->dedup);
        else if (r->kind == RECORD_OBJECT && c->sweep_kind == SWEEP_OBJECTS)
            c->sweep_seen += object_sweep(c, &r->object);
        else if (r->kind == RECORD_TALLY && c->sweep_kind == SWEEP_TALLIES)
            tally_sweep(c, &r->tally);
    }
    if (e->more) return;
    bool end = c->sweep_seen == 0; /* the walk goes on until a load shows nothing new */
    const bool rests = end && c->sweep_kind != SWEEP_TALLIES;
    c->sweep_seen = 0;
    if (end) {
        if (c->sweep_kind == SWEEP_OBJECTS) c->sweep_from_ms = c->sweep_to_ms;
        c->sweep_kind = (uint8_t)((c->sweep_kind + 1) % SWEEP_KINDS);
        if (c->sweep_kind == SWEEP_TALLIES && !tally_sweep_due(c)) c->sweep_kind = SWEEP_TASKS;
        c->sweep_id = 0;
        c->sweep_brand = c->sweep_slot = c->sweep_span = 0;
        buffer_clear(&c->sweep_key);
    }
    heap_set(&c->clock, &c->sweep, c->now + (rests ? SWEEP_REST_MS : SWEEP_STEP_MS));
}
