#include "broker/core/due.h"
#include "broker/core/crew.h"
#include "broker/core/park.h"
#include "broker/core/task.h"

static bool due_near(const struct core *c, const struct task *t) {
    if (task_accepted(t)) return true;
    if (t->head.due_ms != c->horizon_ms) return t->head.due_ms < c->horizon_ms;
    return t->head.id <= c->horizon_id;
}

static void due_hold(struct core *c, struct task *t) {
    list_unlink(&t->place);
    bool held = heap_set(&c->due, &t->due, t->head.due_ms);
    assert(held);
    t->where = WHERE_DUE;
}

/* How many of those held are due before (ms, id) or at it. */
static uint32_t due_until(const struct core *c, int64_t ms, uint64_t id) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->due.count; i++) {
        const struct task *t = owner_of(c->due.timers[i], struct task, due);
        count += t->head.due_ms < ms || (t->head.due_ms == ms && t->head.id <= id);
    }
    return count;
}

/* Too many are held: the horizon comes closer, to where half of them are due, and the others go
 * back to where the store has them. */
static void due_shrink(struct core *c) {
    const uint32_t half = c->due.count / 2;
    int64_t from = c->wall - DUE_AHEAD_MS, to = c->horizon_ms;
    while (from < to) {
        int64_t mid = from + (to - from) / 2;
        if (due_until(c, mid, UINT64_MAX) < half) from = mid + 1;
        else to = mid;
    }
    uint64_t low = 0, high = c->next;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (due_until(c, from, mid) < half) low = mid + 1;
        else high = mid;
    }
    c->horizon_ms = from;
    c->horizon_id = low;
    for (uint32_t i = c->due.count; i > 0; i--) { /* one that is missed stays: no harm */
        if (i > c->due.count) continue;
        struct task *t = owner_of(c->due.timers[i - 1], struct task, due);
        if (due_near(c, t)) continue;
        heap_clear(&c->due, &t->due);
        t->where = WHERE_FAR;
        task_rest(c, t);
    }
}

void due_put(struct core *c, struct task *t) {
    if (c->due.count >= DUE_HELD_MAX && due_near(c, t) && !task_accepted(t)) due_shrink(c);
    if (due_near(c, t)) due_hold(c, t);
    else t->where = WHERE_FAR;
}

void due_written(struct core *c, struct task *t) {
    if (t->where == WHERE_FAR && due_near(c, t)) due_put(c, t);
}

void due_take(struct core *c, struct task *t) { heap_clear(&c->due, &t->due); }

static void due_queue(struct core *c, struct task *t) {
    enum code code = task_move(c, t, MOVE_DUE);
    assert(code == CODE_OK);
    t->head.order = number_next(c);
    task_place(c, t);
    crew_dispatch_lane(c, t->lane);
}

static void due_look_ahead(struct core *c) {
    if (c->due_loading || !c->ready) return;
    if (c->horizon_ms > c->wall + DUE_AHEAD_MS / 2 || c->due.count >= DUE_HELD_MAX) return;
    struct need need = {.kind = NEED_DUE, .due_ms = c->horizon_ms, .order = c->horizon_id,
                        .count = DUE_LOAD_COUNT};
    c->due_loading = true;
    c->horizon_ms = c->wall + DUE_AHEAD_MS;
    c->horizon_id = UINT64_MAX;
    want(c, &need);
}

void due_step(struct core *c) {
    int64_t by = core_bug(c, BUG_EARLY_DUE) ? c->wall + DUE_AHEAD_MS : c->wall;
    for (struct timer *first; (first = heap_first(&c->due)) && first->at <= by;)
        due_queue(c, owner_of(first, struct task, due));
    due_look_ahead(c);
}

void due_loaded(struct core *c, const struct event *e) {
    const struct task_head *last = NULL;
    for (uint32_t i = 0; i < e->record_count; i++) {
        const struct record *r = &e->records[i];
        if (r->kind != RECORD_TASK) continue;
        last = &r->task;
        c->due_loaded++;
        struct task *t = task_held(c, r->task.id);
        if (t && (t->where != WHERE_FAR || t->head.status != STATUS_SCHEDULED)) continue;
        if (!t) t = task_adopt(c, &r->task);
        due_hold(c, t);
    }
    bool full = c->due_loaded >= e->need.count;
    if (last && full && last->due_ms <= c->horizon_ms) {
        c->horizon_ms = last->due_ms;
        c->horizon_id = last->id;
    }
    if (e->more) return;
    c->due_loading = false;
    c->due_loaded = 0;
    due_step(c);
}

int64_t due_wake(const struct core *c) {
    int64_t wall = c->due_loading || !c->ready || c->due.count >= DUE_HELD_MAX
                       ? INT64_MAX : c->horizon_ms - DUE_AHEAD_MS / 2;
    const struct timer *first = heap_first(&c->due);
    if (first && first->at < wall) wall = first->at;
    if (wall == INT64_MAX) return INT64_MAX;
    return wall <= c->wall ? c->now : c->now + (wall - c->wall);
}
