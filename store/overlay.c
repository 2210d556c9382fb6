#include "store/overlay.h"
#include <stdlib.h>

static void *grow(struct overlay *o, void *array, size_t count, size_t *cap, size_t size) {
    if (count < *cap) return array;
    size_t more = *cap ? *cap * 2 : 16;
    void *bigger = realloc(array, more * size);
    if (!bigger) { o->failed = true; return array; }
    *cap = more;
    return bigger;
}

static void task_state_free(struct task_state *t) {
    group_bytes_release(t->head.from);
    group_bytes_release(t->body.from);
    group_bytes_release(t->result.from);
    for (struct sub *s = t->subs, *next; s; s = next) {
        next = s->next;
        group_bytes_release(s->part.from);
        free(s);
    }
}

static int sub_order(const struct sub *a, const struct sub *b) {
    return slice_order(slice_of(a->suffix, a->len), slice_of(b->suffix, b->len));
}

/* Copies the parts under a task, sorted by key. */
static struct sub *subs_copy(struct overlay *o, const struct sub *from) {
    struct sub *first = NULL;
    for (; from; from = from->next) {
        struct sub *s = malloc(sizeof *s);
        if (!s) { o->failed = true; break; }
        *s = *from;
        s->part = part_copy(&from->part);
        struct sub **at = &first;
        while (*at && sub_order(*at, s) < 0) at = &(*at)->next;
        s->next = *at;
        *at = s;
    }
    return first;
}

static void push_task(struct overlay *o, const struct pending *p, const struct task_entry *e,
                      bool hidden) {
    o->tasks = grow(o, o->tasks, o->task_count, &o->task_cap, sizeof *o->tasks);
    if (o->failed) return;
    struct task_state *t = &o->tasks[o->task_count++];
    if (hidden) {
        *t = (struct task_state){.id = e->state.id, .hidden = true};
        return;
    }
    *t = e->state;
    t->head = part_copy(&e->state.head);
    t->body = part_copy(&e->state.body);
    t->result = part_copy(&e->state.result);
    t->subs = subs_copy(o, e->state.subs);
    if (t->head.state == PART_PUT) t->type = pending_lane_type(p, t->now.lane);
}

static void push_plain(struct overlay *o, const struct plain_entry *e) {
    o->plains = grow(o, o->plains, o->plain_count, &o->plain_cap, sizeof *o->plains);
    if (o->failed) return;
    uint8_t *key = malloc(e->key_len);
    if (!key) { o->failed = true; return; }
    memcpy(key, e->key, e->key_len);
    o->plains[o->plain_count++] =
        (struct overlay_plain){slice_of(key, e->key_len), part_copy(&e->part)};
}

/* The table may show the task in a place that is asked for. */
static bool table_shows(const struct collect *c, const struct task_entry *e) {
    if (e->state.head.state == PART_TABLE) return false; /* and rightly so */
    if (!e->where_known || e->writing) return true;
    if (!(c->status_mask >> e->where.status & 1) || !e->where.status) return false;
    return !c->laned || (e->where.lane == c->lane && e->where.priority == c->priority);
}

static bool wanted(const struct collect *c, const struct task_entry *e) {
    if (e->state.head.state != PART_PUT) return false;
    if (!(c->status_mask >> e->state.now.status & 1)) return false;
    const struct head_place *now = &e->state.now;
    return !c->laned ||
           (now->lane == c->lane && now->priority == c->priority && now->order >= c->order);
}

static int by_order(const void *a, const void *b) {
    const struct task_state *x = a, *y = b;
    if (x->hidden != y->hidden) return x->hidden - y->hidden;
    return (x->now.order > y->now.order) - (x->now.order < y->now.order);
}

/* Only the lowest orders stay as they are; the rest turn into hiders. Returns the highest kept. */
static uint64_t trim(struct overlay *o, uint32_t limit) {
    qsort(o->tasks, o->task_count, sizeof *o->tasks, by_order);
    for (size_t i = limit; i < o->task_count; i++) {
        struct task_state *t = &o->tasks[i];
        uint64_t id = t->id;
        if (t->hidden) break;
        task_state_free(t);
        *t = (struct task_state){.id = id, .hidden = true};
    }
    return o->tasks[limit - 1].now.order;
}

static void collect_statuses(struct overlay *o, const struct pending *p, const struct collect *c) {
    uint64_t ceiling = UINT64_MAX;
    size_t shown = 0, trim_at = c->limit ? (size_t)c->limit * 4 + 64 : SIZE_MAX;
    for (int list = 0; list < 2; list++)
        for (const struct task_entry *e = pending_tasks(p, list); e && !o->failed; e = e->next) {
            if (wanted(c, e) && (!c->limit || e->state.now.order <= ceiling)) {
                push_task(o, p, e, false);
                if (++shown >= trim_at) { ceiling = trim(o, c->limit); shown = c->limit; }
            } else if (table_shows(c, e)) {
                push_task(o, p, e, true);
            }
        }
}

static int by_key(const void *a, const void *b) {
    const struct overlay_plain *x = a, *y = b;
    return slice_order(x->key, y->key);
}

static size_t slot_of(const struct overlay *o, uint64_t id) {
    return (size_t)(id * 0x9e3779b97f4a7c15ull >> 32) & (o->slot_count - 1);
}

static void index_tasks(struct overlay *o) {
    size_t count = 16;
    while (count < o->task_count * 2) count *= 2;
    o->slots = calloc(count, sizeof *o->slots);
    if (!o->slots) { o->failed = true; return; }
    o->slot_count = count;
    for (size_t i = 0; i < o->task_count; i++) {
        size_t slot = slot_of(o, o->tasks[i].id);
        while (o->slots[slot]) slot = (slot + 1) & (count - 1);
        o->slots[slot] = (uint32_t)i + 1;
    }
}

void overlay_collect(struct overlay *o, const struct pending *p, const struct collect *c) {
    const struct task_entry *task = c->id ? pending_task(p, c->id) : NULL;
    const struct plain_entry *plain = c->key.len ? pending_plain(p, c->key) : NULL;
    if (task) push_task(o, p, task, false);
    if (plain) push_plain(o, plain);
    if (c->status_mask) collect_statuses(o, p, c);
    for (int list = 0; list < 2; list++) {
        if (c->tasks)
            for (const struct task_entry *e = pending_tasks(p, list); e && !o->failed; e = e->next)
                push_task(o, p, e, false);
        if (c->plains)
            for (const struct plain_entry *e = pending_plains(p, list); e && !o->failed;
                 e = e->next)
                push_plain(o, e);
    }
    if (o->plain_count > 1) qsort(o->plains, o->plain_count, sizeof *o->plains, by_key);
    if (o->task_count) index_tasks(o);
}

const struct task_state *overlay_task(const struct overlay *o, uint64_t id) {
    if (!o->slot_count) return NULL;
    for (size_t slot = slot_of(o, id); o->slots[slot]; slot = (slot + 1) & (o->slot_count - 1)) {
        const struct task_state *t = &o->tasks[o->slots[slot] - 1];
        if (t->id == id) return t;
    }
    return NULL;
}

const struct overlay_plain *overlay_plain(const struct overlay *o, struct slice key) {
    struct overlay_plain wanted_key = {.key = key};
    if (!o->plain_count) return NULL;
    return bsearch(&wanted_key, o->plains, o->plain_count, sizeof *o->plains, by_key);
}

void overlay_free(struct overlay *o) {
    for (size_t i = 0; i < o->task_count; i++) task_state_free(&o->tasks[i]);
    for (size_t i = 0; i < o->plain_count; i++) {
        free((void *)(uintptr_t)o->plains[i].key.data);
        group_bytes_release(o->plains[i].part.from);
    }
    free(o->tasks);
    free(o->plains);
    free(o->slots);
    *o = (struct overlay){0};
}
