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

static void push_task(struct overlay *o, const struct pending *p, const struct task_entry *e) {
    o->tasks = grow(o, o->tasks, o->task_count, &o->task_cap, sizeof *o->tasks);
    if (o->failed) return;
    struct task_state *t = &o->tasks[o->task_count++];
    *t = e->state;
    t->head = part_copy(&e->state.head);
    t->body = part_copy(&e->state.body);
    t->result = part_copy(&e->state.result);
    t->subs = subs_copy(o, e->state.subs);
    if (t->head.state == PART_PUT) t->type = pending_lane_type(p, t->now.lane);
}

static void push_hidden(struct overlay *o, uint64_t id) {
    o->hidden = grow(o, o->hidden, o->hidden_count, &o->hidden_cap, sizeof *o->hidden);
    if (!o->failed) o->hidden[o->hidden_count++] = id;
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

/* The table may show the task in a status that is asked for, where it no longer is. */
static bool table_shows(const struct collect *c, const struct task_entry *e) {
    if (e->state.head.state == PART_TABLE) return false; /* and rightly so */
    if (!e->where_known || e->writing) return true;
    return e->where.status && c->status_mask >> e->where.status & 1;
}

static void collect_statuses(struct overlay *o, const struct pending *p, const struct collect *c) {
    for (int list = 0; list < 2; list++)
        for (const struct task_entry *e = pending_tasks(p, list); e && !o->failed; e = e->next) {
            bool put = e->state.head.state == PART_PUT;
            if (put && c->status_mask >> e->state.now.status & 1) push_task(o, p, e);
            else if (table_shows(c, e)) push_hidden(o, e->state.id);
        }
}

/* Which of the table's rows do not count, until `limit` have been seen that do. This reads the
 * table under the lock: asking pending about each row is what keeps a lane's cost to its rows. */
static bool collect_hidden_rows(struct overlay *o, const struct pending *p, const struct collect *c,
                                struct table *table, const struct table_snapshot *at, char *why,
                                size_t why_size) {
    struct range range;
    struct key prefix;
    key_number(&prefix, KEY_LANED, c->lane);
    key_u8(&prefix, c->priority);
    key_after_prefix(&range.to, &prefix);
    key_laned(&range.from, c->lane, c->priority, c->order);
    struct table_scan *scan = table_scan_open(table, at, &range, false);
    if (!scan) { o->failed = true; return true; }
    for (uint32_t count = 0; count < c->limit && table_scan_valid(scan); table_scan_next(scan)) {
        struct head_place place;
        if (!head_place(table_scan_value(scan), &place)) continue; /* whoever decodes it will say */
        const struct task_entry *e = pending_task(p, place.id);
        if (e && e->state.head.state != PART_TABLE) push_hidden(o, place.id);
        else count++;
    }
    bool ok = table_scan_ok(scan, why, why_size);
    table_scan_close(&scan);
    return ok;
}

static void collect_line(struct overlay *o, const struct pending *p, const struct collect *c) {
    const struct task_entry *e = pending_line(p, c->lane, c->priority, c->order);
    for (uint32_t count = 0; e && count < c->limit && !o->failed; e = e->behind, count++)
        push_task(o, p, e);
}

/* The object that a name stands for, as pending or the table has it. The table is read under the
 * lock: name and object must be of one moment. */
static bool collect_named(struct overlay *o, const struct pending *p, struct slice name,
                          const struct plain_entry *plain, struct table *table,
                          const struct table_snapshot *at, char *why, size_t why_size) {
    struct buffer value = {0};
    struct key key;
    int got = 0;
    if (plain) buffer_append(&value, plain->part.data, plain->part.len);
    else if (table) got = table_get(table, at, name, &value, why, why_size);
    if (value.failed) o->failed = true;
    key_begin(&key, KEY_OBJECT);
    for (uint32_t i = 1; i < 6; i++) key_u8(&key, name.data[i]); /* kind and brand */
    for (size_t i = value.len; i-- > 0 && value.len == 8;) key_u8(&key, value.data[i]);
    const struct plain_entry *object = value.len == 8 ? pending_plain(p, key_slice(&key)) : NULL;
    if (object) push_plain(o, object);
    buffer_free(&value);
    return got >= 0;
}

static int by_key(const void *a, const void *b) {
    const struct overlay_plain *x = a, *y = b;
    return slice_order(x->key, y->key);
}

static size_t slot_of(uint64_t id, size_t count) {
    return (size_t)(id * 0x9e3779b97f4a7c15ull >> 32) & (count - 1);
}

static uint32_t *slots_new(struct overlay *o, size_t entries, size_t *count) {
    *count = 16;
    while (*count < entries * 2) *count *= 2;
    uint32_t *slots = calloc(*count, sizeof *slots);
    if (!slots) { *count = 0; o->failed = true; }
    return slots;
}

static void slot_take(uint32_t *slots, size_t count, uint64_t id, size_t index) {
    size_t slot = slot_of(id, count);
    while (slots[slot]) slot = (slot + 1) & (count - 1);
    slots[slot] = (uint32_t)index + 1;
}

static void index_tasks(struct overlay *o) {
    if (o->task_count) o->slots = slots_new(o, o->task_count, &o->slot_count);
    if (o->hidden_count)
        o->hidden_slots = slots_new(o, o->hidden_count, &o->hidden_slot_count);
    if (o->failed) return;
    for (size_t i = 0; i < o->task_count; i++)
        slot_take(o->slots, o->slot_count, o->tasks[i].id, i);
    for (size_t i = 0; i < o->hidden_count; i++)
        slot_take(o->hidden_slots, o->hidden_slot_count, o->hidden[i], i);
}

bool overlay_collect(struct overlay *o, const struct pending *p, const struct collect *c,
                     struct table *table, const struct table_snapshot *at, char *why,
                     size_t why_size) {
    const struct task_entry *task = c->id ? pending_task(p, c->id) : NULL;
    const struct plain_entry *plain = c->key.len ? pending_plain(p, c->key) : NULL;
    bool ok = true;
    if (task) push_task(o, p, task);
    if (plain) push_plain(o, plain);
    if (c->key.len && c->key.data[0] == KEY_NAME)
        ok = collect_named(o, p, c->key, plain, table, at, why, why_size);
    if (c->status_mask) collect_statuses(o, p, c);
    if (c->laned) collect_line(o, p, c);
    if (c->laned && table) ok = collect_hidden_rows(o, p, c, table, at, why, why_size);
    for (int list = 0; list < 2; list++) {
        if (c->tasks)
            for (const struct task_entry *e = pending_tasks(p, list); e && !o->failed; e = e->next)
                push_task(o, p, e);
        if (c->plains)
            for (const struct plain_entry *e = pending_plains(p, list); e && !o->failed;
                 e = e->next)
                push_plain(o, e);
    }
    if (o->plain_count > 1) qsort(o->plains, o->plain_count, sizeof *o->plains, by_key);
    index_tasks(o);
    return ok;
}

const struct task_state *overlay_task(const struct overlay *o, uint64_t id) {
    if (!o->slot_count) return NULL;
    size_t mask = o->slot_count - 1;
    for (size_t slot = slot_of(id, o->slot_count); o->slots[slot]; slot = (slot + 1) & mask) {
        const struct task_state *t = &o->tasks[o->slots[slot] - 1];
        if (t->id == id) return t;
    }
    return NULL;
}

bool overlay_hides(const struct overlay *o, uint64_t id) {
    if (!o->hidden_slot_count) return false;
    size_t mask = o->hidden_slot_count - 1;
    size_t slot = slot_of(id, o->hidden_slot_count);
    for (; o->hidden_slots[slot]; slot = (slot + 1) & mask)
        if (o->hidden[o->hidden_slots[slot] - 1] == id) return true;
    return false;
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
    free(o->hidden);
    free(o->hidden_slots);
    *o = (struct overlay){0};
}
