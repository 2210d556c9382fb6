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

void due_put(struct core *c, struct task *t) {
    if (due_near(c, t) && (c->due.count < DUE_HELD_MAX || task_accepted(t))) {
        due_hold(c, t);
        return;
    }
    t->where = WHERE_FAR;
    if (due_near(c, t)) { /* too many: the horizon comes closer */
        c->horizon_ms = t->head.due_ms;
        c->horizon_id = t->head.id - 1;
    }
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
