#include "broker/core/lane.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/park.h"
#include "broker/core/queue.h"
#include "broker/core/task.h"
#include <stdlib.h>

static uint64_t lane_hash(uint32_t brand, struct slice queue, struct slice type,
                          struct slice labels) {
    uint64_t h = hash_bytes(brand + 1u, queue.data, queue.len);
    return hash_bytes(hash_bytes(h, type.data, type.len), labels.data, labels.len);
}

static bool lane_is(const struct lane *l, uint32_t brand, struct slice queue, struct slice type,
                    struct slice labels) {
    return l->queue->set.brand == brand && slice_equal(l->queue->set.name, queue) &&
           slice_equal(l->type, type) && slice_equal(l->labels, labels);
}

static struct lane *lane_find(const struct core *c, uint64_t hash, uint32_t brand,
                              struct slice queue, struct slice type, struct slice labels) {
    for (struct map_node *n = map_first(&c->lane_keys, hash); n; n = map_next(n)) {
        struct lane *l = owner_of(n, struct lane, by_key);
        if (lane_is(l, brand, queue, type, labels)) return l;
    }
    return NULL;
}

static void lane_enter(struct core *c, struct lane *l, uint32_t number) {
    if (number >= c->lane_cap) {
        uint32_t cap = c->lane_cap ? c->lane_cap * 2 : 64;
        while (cap <= number) cap *= 2;
        struct lane **lanes = realloc(c->lanes, cap * sizeof *lanes);
        assert(lanes != NULL);
        memset(lanes + c->lane_cap, 0, (cap - c->lane_cap) * sizeof *lanes);
        c->lanes = lanes;
        c->lane_cap = cap;
    }
    c->lanes[number] = l;
    l->number = number;
    if (number > c->lane_count) c->lane_count = number;
}

static struct lane *lane_new(struct core *c, struct queue *queue, struct slice type,
                             struct slice labels, uint32_t number) {
    struct lane *l = calloc(1, sizeof *l + type.len + labels.len);
    assert(l != NULL);
    if (type.len) memcpy(l->bytes, type.data, type.len);
    if (labels.len) memcpy(l->bytes + type.len, labels.data, labels.len);
    l->type = slice_of(l->bytes, type.len);
    l->labels = slice_of(l->bytes + type.len, labels.len);
    l->queue = queue;
    list_init(&l->crews);
    list_init(&l->dirty);
    list_push(&queue->lanes, &l->in_queue);
    for (int p = 0; p < PRIORITY_COUNT; p++) list_init(&l->shelves[p].window);
    lane_enter(c, l, number);
    map_put(&c->lane_keys, &l->by_key,
            lane_hash(queue->set.brand, queue->set.name, l->type, l->labels));
    crew_meet(c, l);
    return l;
}

struct lane *lane_get(struct core *c, uint32_t brand, struct slice queue, struct slice type,
                      struct slice labels) {
    struct lane *l = c->lane_newest; /* tasks of one kind come together */
    if (l && lane_is(l, brand, queue, type, labels)) return l;
    l = lane_find(c, lane_hash(brand, queue, type, labels), brand, queue, type, labels);
    if (l) return c->lane_newest = l;
    if (c->lane_count >= c->limits.lanes_max) return NULL;
    struct queue *q = queue_get(c, brand, queue);
    if (!q) return NULL;
    l = lane_new(c, q, type, labels, c->lane_count + 1);
    lane_dirty(c, l);
    return l;
}

void lane_restore(struct core *c, const struct lane_record *r) {
    struct queue *q = queue_get(c, r->brand, r->queue);
    assert(q != NULL);
    struct lane *l = lane_new(c, q, r->type, r->labels, r->lane);
    for (int p = 0; p < PRIORITY_COUNT; p++) {
        for (int s = 0; s < STATUS_COUNT; s++) {
            l->shelves[p].count[s] = r->count[s][p];
            c->stats.tasks[s] += r->count[s][p];
        }
        l->shelves[p].disk = r->count[STATUS_QUEUED][p];
        l->shelves[p].from = l->shelves[p].cursor = r->cursor[p];
    }
    l->recorded = true;
}

void lane_dirty(struct core *c, struct lane *l) {
    if (list_empty(&l->dirty)) list_push(&c->dirty_lanes, &l->dirty);
}

void lane_count(struct core *c, struct lane *l, enum status status, uint8_t priority, int by) {
    struct shelf *s = &l->shelves[priority];
    int32_t *moved = &s->moved[status];
    assert(by > 0 || s->count[status] > 0);
    s->count[status] += (uint64_t)(int64_t)by;
    s->moved_cells -= *moved != 0;
    *moved += by;
    s->moved_cells += *moved != 0;
    l->touched |= (uint8_t)(1 << priority);
    lane_dirty(c, l);
}

/* No task of the shelf that is queued has a lower order. */
static uint64_t shelf_cursor(const struct core *c, const struct shelf *s) {
    struct node *first = list_first(&s->window);
    uint64_t cursor = s->disk ? s->from : c->next;
    if (s->fetching && s->fetch_low < cursor) cursor = s->fetch_low;
    if (first && owner_of(first, struct task, place)->head.order < cursor)
        cursor = owner_of(first, struct task, place)->head.order;
    return core_bug(c, BUG_CURSOR_AHEAD) ? c->next : cursor;
}

static void lane_record(struct core *c, struct lane *l) {
    struct lane_record *r = &record_put(c, RECORD_LANE)->lane;
    *r = (struct lane_record){.lane = l->number, .brand = l->queue->set.brand,
                              .queue = l->queue->set.name, .type = l->type, .labels = l->labels};
    for (int p = 0; p < PRIORITY_COUNT; p++) {
        struct shelf *s = &l->shelves[p];
        for (int of = 0; of < STATUS_COUNT; of++) r->count[of][p] = s->count[of];
        r->cursor[p] = s->cursor;
        if (s->moved_cells) memset(s->moved, 0, sizeof s->moved);
        s->moved_cells = 0;
    }
    l->recorded = true;
}

/* A lane whose tasks came and went within the group is as its newest record says, and that stays:
 * its cursors are low enough. With very many lanes that is most of them. */
void lane_close(struct core *c) {
    uint64_t cursor[PRIORITY_COUNT];
    for (struct node *n; (n = list_first(&c->dirty_lanes));) {
        struct lane *l = owner_of(n, struct lane, dirty);
        bool stands = l->recorded;
        list_unlink(n);
        for (int p = 0; p < PRIORITY_COUNT; p++) {
            struct shelf *s = &l->shelves[p];
            if ((l->touched >> p & 1) == 0) continue;
            cursor[p] = shelf_cursor(c, s);
            stands = stands && s->moved_cells == 0 && cursor[p] >= s->cursor;
        }
        if (!stands) {
            for (int p = 0; p < PRIORITY_COUNT; p++)
                if ((l->touched >> p & 1) != 0) l->shelves[p].cursor = cursor[p];
            lane_record(c, l);
        }
        l->touched = 0;
    }
}

void lane_free(struct core *c) {
    for (uint32_t i = 1; i <= c->lane_count; i++) free(c->lanes[i]);
    free(c->lanes);
}

static struct shelf *shelf_of(const struct task *t) {
    return &t->lane->shelves[t->head.priority];
}

/* Into the window in order; new tasks are at its end, tasks put back near its front. */
static void window_put(struct core *c, struct task *t) {
    struct shelf *s = shelf_of(t);
    struct node *at = &s->window;
    struct node *last = list_last(at);
    if (last && owner_of(last, struct task, place)->head.order > t->head.order) {
        at = s->window.next;
        while (at != &s->window && owner_of(at, struct task, place)->head.order < t->head.order)
            at = at->next;
    }
    if (core_bug(c, BUG_LIFO)) at = s->window.next;
    list_unlink(&t->place);
    list_insert(at, &t->place);
    t->where = WHERE_WINDOW;
    s->held++;
    c->window_bytes += sizeof *t;
}

/* A task that is put back with an old order stays in memory until that is written: a load that
 * does not show it yet would pass over its order. An order given in this group is newer than all
 * that a load can show. */
static bool may_leave(const struct task *t) {
    return !task_accepted(t) && (!t->change || t->was.order != t->head.order);
}

/* The newest task of a window that has grown too large goes to disk. */
static void window_trim(struct core *c, struct shelf *s) {
    bool full = c->window_bytes > c->limits.window_bytes_max ||
                c->body_bytes > c->limits.body_bytes_max;
    if (!full || s->held <= SHELF_WINDOW_MIN || s->loading) return;
    struct task *t = owner_of(list_last(&s->window), struct task, place);
    if (!may_leave(t)) return;
    list_unlink(&t->place);
    s->held--;
    c->window_bytes -= sizeof *t;
    t->where = WHERE_DISK;
    s->disk++;
    if (t->head.order < s->from) s->from = t->head.order;
    task_rest(c, t);
}

void lane_put(struct core *c, struct task *t) {
    struct shelf *s = shelf_of(t);
    t->lane->touched |= (uint8_t)(1 << t->head.priority);
    if (s->disk == 0) s->from = UINT64_MAX;
    if (t->head.order < s->from || !may_leave(t)) {
        window_put(c, t);
        window_trim(c, s);
    } else {
        t->where = WHERE_DISK;
        if (!core_bug(c, BUG_LOST_WINDOW)) s->disk++;
    }
    lane_update(c, t->lane);
}

void lane_take(struct core *c, struct task *t) {
    struct shelf *s = shelf_of(t);
    if (t->where == WHERE_WINDOW) {
        assert(s->held > 0);
        s->held--;
        c->window_bytes -= sizeof *t;
        list_unlink(&t->place);
    } else if (t->where == WHERE_DISK) {
        assert(s->disk > 0 || core_bug(c, BUG_LOST_WINDOW));
        if (s->disk) s->disk--;
        list_unlink(&t->place);
    } else {
        assert(t->where == WHERE_FETCH && s->fetching > 0);
        s->fetching--;
    }
    t->where = WHERE_NONE;
    lane_update(c, t->lane);
}

/* The oldest of the shelf, unless what is older is on disk only: that must be read first. And
 * while many bodies are being read no further one is asked for. */
static struct task *shelf_first(const struct shelf *s) {
    if (s->fetching >= FETCH_MAX) return NULL;
    struct node *n = list_first(&s->window);
    struct task *t = n ? owner_of(n, struct task, place) : NULL;
    return t && s->disk && t->head.order > s->from ? NULL : t;
}

/* The oldest head wins once each step of priority counts as aging_ms of waiting. */
struct task *lane_head(const struct core *c, const struct lane *l) {
    struct task *best = NULL;
    int64_t best_score = 0;
    for (int p = PRIORITY_COUNT - 1; p >= 0; p--) {
        struct task *t = shelf_first(&l->shelves[p]);
        if (!t) continue;
        int64_t score = t->head.created_ms - (int64_t)p * c->limits.aging_ms;
        if (!best || score < best_score) {
            best = t;
            best_score = score;
        }
    }
    return best;
}

void lane_fetch(struct core *c, struct task *t) {
    assert(t->where == WHERE_WINDOW);
    struct lane *l = t->lane;
    lane_take(c, t);
    t->where = WHERE_FETCH;
    struct shelf *s = shelf_of(t);
    if (s->fetching++ == 0 || t->head.order < s->fetch_low) s->fetch_low = t->head.order;
    struct need need = {.kind = NEED_BODY, .id = t->head.id, .seq = t->head.resume};
    want(c, &need);
    lane_update(c, l);
}

static void shelf_refill(struct core *c, struct lane *l, uint8_t priority) {
    struct shelf *s = &l->shelves[priority];
    if (s->disk == 0 || s->loading || s->held >= SHELF_LOW || !c->ready) return;
    bool full = c->window_bytes > c->limits.window_bytes_max ||
                c->body_bytes > c->limits.body_bytes_max;
    if (full ? shelf_first(s) != NULL : list_empty(&l->crews) && s->held > 0) return;
    s->loading = true;
    s->load_from = s->from;
    struct need need = {.kind = NEED_LANE, .lane = l->number, .priority = priority,
                        .order = s->from, .count = full ? SHELF_WINDOW_MIN : LOAD_COUNT};
    want(c, &need);
}

void lane_update(struct core *c, struct lane *l) {
    bool any = false;
    for (uint8_t p = 0; p < PRIORITY_COUNT; p++) {
        if (shelf_first(&l->shelves[p])) any = true;
        if (l->shelves[p].disk) shelf_refill(c, l, p);
    }
    bool ready = any && c->ready && queue_open(c, l->queue);
    if (ready == l->ready) return;
    l->ready = ready;
    crew_ready(c, l);
}

static void lane_admit(struct core *c, struct lane *l, struct shelf *s, const struct record *r,
                       const struct record *body) {
    struct task *t = task_held(c, r->task.id);
    if (t) {
        if (t->where != WHERE_DISK || t->head.status != STATUS_QUEUED || t->lane != l ||
            shelf_of(t) != s)
            return;
        list_unlink(&t->place);
    } else {
        t = task_adopt(c, &r->task);
    }
    if (!t->body && body && body->kind == RECORD_BODY && body->body.id == t->head.id)
        task_set_body(c, t, &body->body);
    assert(s->disk > 0);
    s->disk--;
    window_put(c, t);
}

/* The body of the last head of the part before this one. */
static void body_late(struct core *c, const struct task_body *body) {
    struct task *t = task_held(c, body->id);
    if (t && !t->body && t->where == WHERE_WINDOW) task_set_body(c, t, body);
}

void lane_loaded(struct core *c, const struct event *e) {
    struct lane *l = c->lanes[e->need.lane];
    struct shelf *s = &l->shelves[e->need.priority];
    if (e->record_count && e->records[0].kind == RECORD_BODY) body_late(c, &e->records[0].body);
    for (uint32_t i = 0; i < e->record_count; i++) {
        const struct record *r = &e->records[i];
        if (r->kind != RECORD_TASK) continue;
        if (s->from != s->load_from) break; /* something went to disk before it: load anew */
        s->from = s->load_from = r->task.order + 1;
        lane_admit(c, l, s, r, i + 1 < e->record_count ? r + 1 : NULL);
    }
    if (e->more) return;
    s->loading = false;
    lane_update(c, l);
    crew_dispatch_lane(c, l);
}

void lane_fetched(struct core *c, const struct event *e) {
    struct task *t = task_held(c, e->need.id);
    bool again = t && t->where == WHERE_LEASED && !t->body; /* a claim asks for it once more */
    if (!t || (t->where != WHERE_FETCH && !again)) return;
    for (uint32_t i = 0; i < e->record_count; i++) {
        const struct record *r = &e->records[i];
        if (r->kind == RECORD_BODY) task_set_body(c, t, &r->body);
        else if (r->kind == RECORD_CHECKPOINT && !t->carry) task_set_carry(t, &r->checkpoint);
    }
    if (e->more) return;
    if (!t->body) task_set_body(c, t, &(struct task_body){.id = t->head.id});
    if (again) return;
    if (!t->carry && t->head.resume) { /* that version is no longer kept: the newest is */
        t->head.resume = 0;
        want(c, &(struct need){.kind = NEED_BODY, .id = t->head.id});
        return;
    }
    t->fetched = true;
    shelf_of(t)->fetching--;
    window_put(c, t);
    lane_update(c, t->lane);
    crew_dispatch_lane(c, t->lane);
}

uint64_t lane_place(const struct core *c, const struct task *t) {
    const struct lane *l = t->lane;
    const struct shelf *s = &l->shelves[t->head.priority];
    uint64_t ahead = 0;
    for (int p = t->head.priority + 1; p < PRIORITY_COUNT; p++)
        ahead += l->shelves[p].count[STATUS_QUEUED];
    if (t->where == WHERE_DISK) { /* estimated: orders are about evenly spread */
        double share = (double)(t->head.order - s->from) / (double)(c->next - s->from);
        return ahead + s->held + (uint64_t)(share * (double)s->disk) + 1;
    }
    if (t->where != WHERE_WINDOW) return 0;
    const struct node *front = &t->place, *back = &t->place;
    for (uint32_t steps = 0; steps < PLACE_STEPS; steps++) {
        front = front->prev;
        back = back->next;
        if (front == &s->window) return ahead + steps + 1;
        if (back == &s->window) return ahead + s->held - steps;
    }
    return ahead + s->held / 2;
}

uint64_t lane_queued(const struct lane *l) {
    uint64_t queued = 0;
    for (int p = 0; p < PRIORITY_COUNT; p++) queued += l->shelves[p].count[STATUS_QUEUED];
    return queued;
}
