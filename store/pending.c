#include "proto/base/map.h"
#include "store/entries.h"
#include "store/line.h"
#include <assert.h>
#include <stdlib.h>

enum { HASH_BITS_FIRST = 10 };

struct task_list { struct task_entry *first, *last; };
struct plain_list { struct plain_entry *first, *last; };
struct lane_type { struct lane_type *chain; uint32_t lane; struct slice type; };

struct pending {
    bool keeps, replaying;
    uint64_t bytes;
    struct task_entry **tasks; unsigned task_bits; uint64_t task_count;
    struct plain_entry **plains; unsigned plain_bits; uint64_t plain_count;
    struct task_list task_fifo, task_writing;     /* dirty, oldest first; clean but being written */
    struct plain_list plain_fifo, plain_writing;
    struct entries entries;
    struct lane_type **lanes; unsigned lane_bits; uint64_t lane_count;
    struct lines lines;
};

static void part_drop(struct pending *p, struct part *part) {
    p->bytes -= part->len;
    group_bytes_release(part->from);
    *part = (struct part){0};
}

static void part_set(struct pending *p, struct part *part, struct group_bytes *g,
                     struct slice value, enum part_state state) {
    struct group_bytes *old = part->from;
    p->bytes += value.len;
    p->bytes -= part->len;
    *part = (struct part){group_bytes_ref(g), value.data, value.len, (uint8_t)state, true};
    group_bytes_release(old);
}

/* ---- lists and hashes ---- */

#define LIST(type, name)                                                             \
    static void name##_push(struct name *l, struct type *e) {                        \
        e->prev = l->last;                                                           \
        e->next = NULL;                                                              \
        if (l->last) l->last->next = e; else l->first = e;                           \
        l->last = e;                                                                 \
    }                                                                                \
    static void name##_cut(struct name *l, struct type *e) {                         \
        if (e->prev) e->prev->next = e->next; else l->first = e->next;               \
        if (e->next) e->next->prev = e->prev; else l->last = e->prev;                \
        e->prev = e->next = NULL;                                                    \
    }
LIST(task_entry, task_list)
LIST(plain_entry, plain_list)
#undef LIST

static size_t task_slot(uint64_t id, unsigned bits) {
    return (size_t)hash_serial(id) & (((size_t)1 << bits) - 1);
}

static uint32_t key_hash(struct slice key) {
    uint64_t h = 0xcbf29ce484222325ull;
    for (uint32_t i = 0; i < key.len; i++) h = (h ^ key.data[i]) * 0x100000001b3ull;
    return (uint32_t)(h ^ h >> 32);
}

static void tasks_grow(struct pending *p) {
    size_t count = (size_t)1 << p->task_bits;
    struct task_entry **slots = calloc(count * 2, sizeof *slots);
    if (!slots) return; /* longer chains, nothing else */
    for (size_t i = 0; i < count; i++)
        for (struct task_entry *e = p->tasks[i], *next; e; e = next) {
            next = e->chain;
            size_t slot = task_slot(e->state.id, p->task_bits + 1);
            e->chain = slots[slot];
            slots[slot] = e;
        }
    free(p->tasks);
    p->tasks = slots;
    p->task_bits++;
}

static void plains_grow(struct pending *p) {
    size_t count = (size_t)1 << p->plain_bits;
    struct plain_entry **slots = calloc(count * 2, sizeof *slots);
    if (!slots) return;
    for (size_t i = 0; i < count; i++)
        for (struct plain_entry *e = p->plains[i], *next; e; e = next) {
            next = e->chain;
            size_t slot = e->hash & (count * 2 - 1);
            e->chain = slots[slot];
            slots[slot] = e;
        }
    free(p->plains);
    p->plains = slots;
    p->plain_bits++;
}

static size_t lane_slot(uint32_t lane, unsigned bits) {
    return lane & (((size_t)1 << bits) - 1);
}

static void lanes_grow(struct pending *p) {
    size_t count = (size_t)1 << p->lane_bits;
    struct lane_type **slots = calloc(count * 2, sizeof *slots);
    for (size_t i = 0; slots && i < count; i++)
        for (struct lane_type *l = p->lanes[i], *next; l; l = next) {
            struct lane_type **slot = &slots[lane_slot(l->lane, p->lane_bits + 1)];
            next = l->chain, l->chain = *slot, *slot = l;
        }
    if (!slots) return;
    free(p->lanes);
    p->lanes = slots;
    p->lane_bits++;
}

static struct task_entry *task_find(const struct pending *p, uint64_t id) {
    struct task_entry *e = p->tasks[task_slot(id, p->task_bits)];
    while (e && e->state.id != id) e = e->chain;
    return e;
}

static struct plain_entry *plain_find(const struct pending *p, struct slice key, uint32_t hash) {
    struct plain_entry *e = p->plains[hash & (((size_t)1 << p->plain_bits) - 1)];
    while (e && !(e->hash == hash && slice_equal(plain_key(e), key))) e = e->chain;
    return e;
}

static struct task_entry *task_make(struct pending *p, uint64_t id) {
    struct task_entry *e = entry_take(&p->entries);
    if (!e) return NULL;
    if (p->task_count >> p->task_bits) tasks_grow(p);
    e->state.id = id;
    struct task_entry **slot = &p->tasks[task_slot(id, p->task_bits)];
    e->chain = *slot;
    *slot = e;
    p->task_count++;
    return e;
}

static void task_touch(struct pending *p, struct task_entry *e, const struct group_bytes *g) {
    if (e->dirty) return;
    if (e->writing) task_list_cut(&p->task_writing, e);
    e->dirty = true;
    e->group = g->group;
    e->time_ms = g->time_ms;
    task_list_push(&p->task_fifo, e);
}

static struct plain_entry *plain_make(struct pending *p, struct slice key, uint32_t hash) {
    struct plain_entry *e = malloc(sizeof *e + key.len);
    if (!e) return NULL;
    if (p->plain_count >> p->plain_bits) plains_grow(p);
    memset(e, 0, sizeof *e);
    e->hash = hash;
    e->key_len = key.len;
    memcpy(e->key, key.data, key.len);
    struct plain_entry **slot = &p->plains[hash & (((size_t)1 << p->plain_bits) - 1)];
    e->chain = *slot;
    *slot = e;
    p->plain_count++;
    return e;
}

/* What the entry said before is superseded whole: of all its groups only the newest is needed. So
 * what changes all the time, a lane's counters, neither holds the journal back nor is written. */
static void plain_touch(struct pending *p, struct plain_entry *e, const struct group_bytes *g) {
    if (e->dirty) plain_list_cut(&p->plain_fifo, e);
    else if (e->writing) plain_list_cut(&p->plain_writing, e);
    e->dirty = true;
    e->group = g->group;
    e->time_ms = g->time_ms;
    plain_list_push(&p->plain_fifo, e);
}

static void subs_drop(struct pending *p, struct sub **subs) {
    for (struct sub *s = *subs, *next; s; s = next) {
        next = s->next;
        part_drop(p, &s->part);
        free(s);
    }
    *subs = NULL;
}

static void task_drop_parts(struct pending *p, struct task_entry *e) {
    line_leave(e);
    part_drop(p, &e->state.head);
    part_drop(p, &e->state.body);
    part_drop(p, &e->state.result);
    subs_drop(p, &e->state.subs);
}

/* Unlinks an entry that is in the given list and frees it. */
static void task_free(struct pending *p, struct task_entry *e, struct task_list *list) {
    task_list_cut(list, e);
    task_drop_parts(p, e);
    struct task_entry **slot = &p->tasks[task_slot(e->state.id, p->task_bits)];
    while (*slot != e) slot = &(*slot)->chain;
    *slot = e->chain;
    entry_give_back(&p->entries, e);
    p->task_count--;
}

static void plain_free(struct pending *p, struct plain_entry *e, struct plain_list *list) {
    plain_list_cut(list, e);
    part_drop(p, &e->part);
    struct plain_entry **slot = &p->plains[e->hash & (((size_t)1 << p->plain_bits) - 1)];
    while (*slot != e) slot = &(*slot)->chain;
    *slot = e->chain;
    free(e);
    p->plain_count--;
}

/* ---- life ---- */

struct pending *pending_new(bool keeps) {
    struct pending *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->keeps = keeps;
    p->task_bits = p->plain_bits = p->lane_bits = HASH_BITS_FIRST;
    p->tasks = calloc((size_t)1 << p->task_bits, sizeof *p->tasks);
    p->plains = calloc((size_t)1 << p->plain_bits, sizeof *p->plains);
    p->lanes = calloc((size_t)1 << p->lane_bits, sizeof *p->lanes);
    if (!p->tasks || !p->plains || !p->lanes) pending_destroy(&p);
    return p;
}

void pending_destroy(struct pending **self) {
    struct pending *p = *self;
    if (!p) return;
    while (p->task_fifo.first) task_free(p, p->task_fifo.first, &p->task_fifo);
    while (p->task_writing.first) task_free(p, p->task_writing.first, &p->task_writing);
    while (p->plain_fifo.first) plain_free(p, p->plain_fifo.first, &p->plain_fifo);
    while (p->plain_writing.first) plain_free(p, p->plain_writing.first, &p->plain_writing);
    entries_free(&p->entries);
    for (size_t i = 0; p->lanes && i >> p->lane_bits == 0; i++)
        for (struct lane_type *l = p->lanes[i], *next; l; l = next) { next = l->chain; free(l); }
    lines_free(&p->lines);
    free(p->tasks);
    free(p->plains);
    free(p->lanes);
    free(p);
    *self = NULL;
}

void pending_replaying(struct pending *p, bool on) { p->replaying = on; }

struct slice pending_lane_type(const struct pending *p, uint32_t lane) {
    const struct lane_type *l = p->lanes[lane_slot(lane, p->lane_bits)];
    while (l && l->lane != lane) l = l->chain;
    return l ? l->type : (struct slice){0};
}

bool pending_know_lane(struct pending *p, const struct lane_record *lane) {
    for (struct lane_type *l = p->lanes[lane_slot(lane->lane, p->lane_bits)]; l; l = l->chain)
        if (l->lane == lane->lane) return true;
    struct lane_type *l = malloc(sizeof *l + lane->type.len);
    if (!l) return false;
    uint8_t *type = (uint8_t *)(l + 1);
    if (lane->type.len) memcpy(type, lane->type.data, lane->type.len);
    if (p->lane_count++ >> p->lane_bits) lanes_grow(p);
    struct lane_type **slot = &p->lanes[lane_slot(lane->lane, p->lane_bits)];
    *l = (struct lane_type){*slot, lane->lane, slice_of(type, lane->type.len)};
    *slot = l;
    return true;
}

/* ---- taking groups in ---- */

/* True when the table was never told of the task, so that nothing there has to be deleted. */
static bool never_in_table(const struct pending *p, const struct task_entry *e) {
    return p->keeps || (e->where_known && e->where.status == STATUS_NONE && !e->writing);
}

static bool plain_set(struct pending *p, struct group_bytes *g, const struct key *key,
                      struct slice value, bool gone);

/* Where the checkpoint of a number is. What of it the table alone knows goes with the row there. */
static bool point_set(struct pending *p, struct group_bytes *g, struct slice value, bool gone) {
    struct record r;
    struct key key;
    if (!record_decode_value(RECORD_CHECKPOINT, value, &r)) return false;
    key_point(&key, r.checkpoint.brand, r.checkpoint.number);
    value.len = value.len < POINT_BYTES ? value.len : POINT_BYTES;
    return plain_set(p, g, &key, value, gone);
}

/* Of one sequence, or with 0 of all. */
static bool points_gone(struct pending *p, struct task_entry *e, struct group_bytes *g,
                        uint32_t seq) {
    struct record r;
    bool ok = true;
    for (const struct sub *s = e->state.subs; s; s = s->next) {
        if (s->suffix[0] != RECORD_CHECKPOINT || s->part.state != PART_PUT) continue;
        if (seq && (!record_decode_value(RECORD_CHECKPOINT, part_slice(&s->part), &r) ||
                    r.checkpoint.seq != seq))
            continue;
        ok = point_set(p, g, part_slice(&s->part), true) && ok;
    }
    return ok;
}

static bool apply_gone(struct pending *p, struct task_entry *e, struct group_bytes *g,
                       struct slice value) {
    if (!points_gone(p, e, g, 0)) return false;
    if (never_in_table(p, e)) { task_free(p, e, &p->task_fifo); return true; }
    part_drop(p, &e->state.body);
    part_drop(p, &e->state.result);
    subs_drop(p, &e->state.subs);
    line_leave(e);
    part_set(p, &e->state.head, g, value, PART_GONE);
    e->state.gone = true;
    return true;
}

static bool sub_put(struct pending *p, struct task_entry *e, struct group_bytes *g,
                    struct slice value, const struct record *r, enum part_state state) {
    struct key key;
    key_of_record(&key, r);
    uint32_t len = key.len - 9; /* behind 'x' and the id */
    assert(key.bytes[0] == KEY_SUB && len <= SUB_SUFFIX_MAX);
    struct sub **at = &e->state.subs;
    while (*at && !((*at)->len == len && memcmp((*at)->suffix, key.bytes + 9, len) == 0))
        at = &(*at)->next;
    struct sub *s = *at;
    if (state == PART_GONE && p->keeps) {
        if (!s) return true;
        *at = s->next;
        part_drop(p, &s->part);
        free(s);
        return true;
    }
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s) return false;
        s->len = (uint8_t)len;
        memcpy(s->suffix, key.bytes + 9, len);
        *at = s;
    }
    part_set(p, &s->part, g, value, state);
    return true;
}

static bool apply_sub(struct pending *p, struct task_entry *e, struct group_bytes *g,
                      const struct record_outline *o) {
    struct record r;
    if (!record_decode_value(o->kind, o->value, &r)) return false;
    const bool gone = o->kind == RECORD_CHECKPOINT_GONE;
    if (o->kind == RECORD_CHECKPOINT && !point_set(p, g, o->value, false)) return false;
    if (gone && !points_gone(p, e, g, r.checkpoint.seq)) return false;
    return sub_put(p, e, g, o->value, &r, gone ? PART_GONE : PART_PUT);
}

/* `was` of the first head since the last one that the table got is the place in the table. In a
 * replay it is not: the table may hold what a later group said. */
static void place_learn(const struct pending *p, struct task_entry *e, const struct was *was) {
    if (e->where_known || p->replaying || e->state.head.state != PART_TABLE) return;
    e->where = *was;
    e->where_known = true;
}

static bool apply_head(struct pending *p, struct task_entry *e, struct group_bytes *g,
                       struct slice value) {
    struct head_place place;
    if (!head_place(value, &place)) return false;
    line_leave(e);
    part_set(p, &e->state.head, g, value, PART_PUT);
    e->state.gone = false;
    e->state.now = place;
    return place.status != STATUS_QUEUED || line_enter(&p->lines, e);
}

static bool apply_task(struct pending *p, struct group_bytes *g, const struct record_outline *o) {
    struct task_entry *e = task_find(p, o->id);
    if (!e) {
        if (o->kind == RECORD_TASK_GONE && (p->keeps || (!p->replaying && !o->was.status)))
            return true; /* nothing of it was ever written */
        e = task_make(p, o->id);
        if (!e) return false;
    }
    task_touch(p, e, g);
    if (o->kind == RECORD_TASK || o->kind == RECORD_TASK_GONE) place_learn(p, e, &o->was);
    switch (o->kind) {
    case RECORD_TASK: return apply_head(p, e, g, o->value);
    case RECORD_TASK_GONE: return apply_gone(p, e, g, o->value);
    case RECORD_BODY: part_set(p, &e->state.body, g, o->value, PART_PUT); return true;
    case RECORD_RESULT: part_set(p, &e->state.result, g, o->value, PART_PUT); return true;
    case RECORD_RESULT_GONE:
        part_set(p, &e->state.result, g, (struct slice){0}, PART_GONE);
        return true;
    case RECORD_ATTEMPT: case RECORD_LOG: case RECORD_CHECKPOINT: case RECORD_CHECKPOINT_GONE:
    case RECORD_PART:
        return apply_sub(p, e, g, o);
    case RECORD_NONE: case RECORD_META: case RECORD_LANE: case RECORD_QUEUE: case RECORD_WORKER:
    case RECORD_WORKER_GONE: case RECORD_DEDUP: case RECORD_DEDUP_GONE: case RECORD_OBJECT:
    case RECORD_OBJECT_GONE: case RECORD_FILE: case RECORD_FILE_GONE: case RECORD_STATION:
    case RECORD_STATION_GONE: case RECORD_SESSION: case RECORD_SESSION_GONE: case RECORD_COMMAND:
    case RECORD_COMMAND_GONE: case RECORD_SCHEDULE: case RECORD_SCHEDULE_GONE:
    case RECORD_TALLY: case RECORD_TALLY_GONE:
    case RECORD_COUNT: break;
    }
    return false;
}

static bool plain_set(struct pending *p, struct group_bytes *g, const struct key *key,
                      struct slice value, bool gone) {
    uint32_t hash = key_hash(key_slice(key));
    struct plain_entry *e = plain_find(p, key_slice(key), hash);
    if (gone && p->keeps) {
        if (e) plain_free(p, e, &p->plain_fifo);
        return true;
    }
    if (!e) e = plain_make(p, key_slice(key), hash);
    if (!e) return false;
    plain_touch(p, e, g);
    part_set(p, &e->part, g, gone ? (struct slice){0} : value, gone ? PART_GONE : PART_PUT);
    return true;
}

/* The names and places of an object. One whose names changed is said gone first, in the same
 * group, so that what it no longer has goes. */
static bool apply_object(struct pending *p, struct group_bytes *g, const struct object_record *o,
                         struct slice value, bool gone) {
    struct object_keys cursor = {0};
    struct key key;
    while (key_of_object(&key, o, &cursor)) {
        bool name = key.bytes[0] == KEY_NAME;
        if (!plain_set(p, g, &key, slice_of(value.data, name ? 8 : 0), gone)) return false;
    }
    return true;
}

static bool apply_plain(struct pending *p, struct group_bytes *g, const struct record_outline *o) {
    struct record r;
    struct key key;
    if (!record_decode_value(o->kind, o->value, &r) || !key_of_record(&key, &r)) return false;
    if (o->kind == RECORD_LANE && !pending_know_lane(p, &r.lane)) return false;
    bool gone = o->kind == RECORD_WORKER_GONE || o->kind == RECORD_DEDUP_GONE ||
                o->kind == RECORD_OBJECT_GONE || o->kind == RECORD_FILE_GONE ||
                o->kind == RECORD_STATION_GONE || o->kind == RECORD_SESSION_GONE ||
                o->kind == RECORD_COMMAND_GONE || o->kind == RECORD_SCHEDULE_GONE ||
                o->kind == RECORD_TALLY_GONE;
    bool object = o->kind == RECORD_OBJECT || o->kind == RECORD_OBJECT_GONE;
    if (object && !apply_object(p, g, &r.object, o->value, gone)) return false;
    return plain_set(p, g, &key, o->value, gone);
}

bool pending_apply(struct pending *p, struct group_bytes *g) {
    struct slice in = slice_of(g->data, g->len);
    struct record_outline o;
    while (in.len) {
        if (!record_outline(&in, &o)) return false;
        if (!(record_of_task(o.kind) ? apply_task(p, g, &o) : apply_plain(p, g, &o))) return false;
    }
    return true;
}

struct pending_size pending_size(const struct pending *p) {
    return (struct pending_size){p->task_count + p->plain_count, p->bytes};
}

/* ---- handing over to the table ---- */

uint64_t pending_oldest(const struct pending *p, int64_t *time_ms) {
    const struct task_entry *t = p->task_fifo.first;
    const struct plain_entry *e = p->plain_fifo.first;
    if (!t && !e) return 0;
    bool task_first = t && (!e || t->group <= e->group);
    *time_ms = task_first ? t->time_ms : e->time_ms;
    return task_first ? t->group : e->group;
}

static void take_task(struct pending *p, struct task_entry *e, struct taken *taken) {
    task_list_cut(&p->task_fifo, e);
    task_list_push(&p->task_writing, e);
    e->dirty = false;
    e->writing = true;
    taken->tasks[taken->task_count++] = e;
}

static void take_plain(struct pending *p, struct plain_entry *e, struct taken *taken) {
    plain_list_cut(&p->plain_fifo, e);
    plain_list_push(&p->plain_writing, e);
    e->dirty = false;
    e->writing = true;
    taken->plains[taken->plain_count++] = e;
}

void pending_take(struct pending *p, size_t max, struct taken *taken) {
    assert(!p->keeps && !p->task_writing.first && !p->plain_writing.first);
    taken->task_count = taken->plain_count = 0;
    while (taken->task_count < max && taken->plain_count < max) {
        struct task_entry *t = p->task_fifo.first;
        struct plain_entry *e = p->plain_fifo.first;
        if (t && (!e || t->group <= e->group)) take_task(p, t, taken);
        else if (e) take_plain(p, e, taken);
        else break;
    }
}

void pending_batched(struct task_entry *e, const struct was *where) {
    assert(e->writing && !e->dirty);
    if (e->state.head.dirty) { e->where = *where; e->where_known = true; }
    e->state.head.dirty = e->state.body.dirty = e->state.result.dirty = false;
    for (struct sub *s = e->state.subs; s; s = s->next) s->part.dirty = false;
}

static void drop_if_clean(struct pending *p, struct part *part) {
    if (!part->dirty) part_drop(p, part);
}

/* The task changed while its earlier state was written: only the newer parts stay. */
static void task_keep_dirty(struct pending *p, struct task_entry *e) {
    if (!e->state.head.dirty) line_leave(e);
    drop_if_clean(p, &e->state.head);
    drop_if_clean(p, &e->state.body);
    drop_if_clean(p, &e->state.result);
    for (struct sub **at = &e->state.subs; *at;) {
        struct sub *s = *at;
        if (s->part.dirty) { at = &s->next; continue; }
        *at = s->next;
        part_drop(p, &s->part);
        free(s);
    }
}

void pending_taken(struct pending *p, struct taken *taken) {
    for (size_t i = 0; i < taken->task_count; i++) {
        struct task_entry *e = taken->tasks[i];
        e->writing = false;
        if (e->dirty) task_keep_dirty(p, e);
        else task_free(p, e, &p->task_writing);
    }
    for (size_t i = 0; i < taken->plain_count; i++) {
        struct plain_entry *e = taken->plains[i];
        e->writing = false;
        if (!e->dirty) plain_free(p, e, &p->plain_writing);
    }
    taken->task_count = taken->plain_count = 0;
}

size_t pending_unverified(const struct pending *p, size_t max, uint64_t *ids) {
    size_t count = 0, seen = 0;
    for (const struct task_entry *e = p->task_fifo.first; e && seen < max; e = e->next, seen++)
        if (!e->where_known && e->state.head.dirty) ids[count++] = e->state.id;
    return count;
}

void pending_verify(struct pending *p, uint64_t id, const struct was *where) {
    struct task_entry *e = task_find(p, id);
    if (!e || e->where_known || e->writing) return;
    e->where = *where;
    e->where_known = true;
}

/* ---- reading ---- */

const struct task_entry *pending_tasks(const struct pending *p, bool writing) {
    return writing ? p->task_writing.first : p->task_fifo.first;
}

const struct plain_entry *pending_plains(const struct pending *p, bool writing) {
    return writing ? p->plain_writing.first : p->plain_fifo.first;
}

const struct task_entry *pending_task(const struct pending *p, uint64_t id) {
    return task_find(p, id);
}

const struct plain_entry *pending_plain(const struct pending *p, struct slice key) {
    return plain_find(p, key, key_hash(key));
}

const struct task_entry *pending_line(const struct pending *p, uint32_t lane, uint8_t priority,
                                      uint64_t order) {
    return line_from(&p->lines, lane, priority, order);
}

struct part part_copy(const struct part *part) {
    group_bytes_ref(part->from);
    return *part;
}
