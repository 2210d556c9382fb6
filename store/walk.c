/* walk.c - lists: the rows of an index in its order, from a view, page by page.
 *
 * Queued tasks have no entry in the status index; they are listed lane by lane (in the order of
 * lane numbers), highest priority first, in the order in which they would run. A cursor is the key
 * of the last row given; a walk that is opened with it begins behind that row. */
#include "store/ahead.h"
#include "store/coding.h"
#include "store/search.h"
#include "store/seek.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct part_walk { uint32_t lane; uint8_t priority; }; /* of a walk over queued tasks */

struct store_walk {
    struct store_view *view;
    struct walk walk; /* type and cursor point into `texts` */
    struct buffer texts;
    struct scan scan;
    bool open, failed;
    uint64_t looked;
    struct part_walk *lanes; /* owned: what is left to walk, from lane_next on */
    size_t lane_count, lane_cap, lane_next;
    struct buffer head; /* of the row given last, when it was read apart */
    struct key last;
    uint64_t low, high; /* ids of the table outside of these are of other times; high 0 = open */
    struct search *search;   /* TEXT: of what is indexed */
    struct store_walk *rest; /* TEXT: of what is not, which is older */
    bool rest_is_last, sure;
    struct ahead ahead; /* TASKS of a brand */
};

static bool queued_walk(const struct walk *w) {
    return w->kind == WALK_STATUS && w->status == STATUS_QUEUED;
}

/* Objects of one owner have an index of their own, within their brand. */
static bool owned_walk(const struct walk *w) {
    return w->kind == WALK_OBJECTS && !w->all_brands && w->owner.len;
}

/* The first key of the walk's range and, by its prefix, the range. */
static void prefix_of(const struct walk *w, struct key *k) {
    switch (w->kind) {
    case WALK_TASKS: case WALK_TEXT:
        key_begin(k, w->brand ? KEY_CREATED : KEY_HEAD);
        if (w->brand) key_u32(k, w->brand);
        return;
    case WALK_STATUS:
        key_begin(k, KEY_STATUS);
        key_u8(k, w->status);
        if (w->brand) key_u32(k, w->brand);
        if (w->brand && w->type.len) key_type(k, w->type);
        return;
    case WALK_LANES: key_begin(k, KEY_LANE); return;
    case WALK_QUEUES:
        key_begin(k, KEY_QUEUE);
        if (w->brand) key_u32(k, w->brand);
        return;
    case WALK_WORKERS: key_begin(k, KEY_WORKER); return;
    case WALK_OBJECTS:
        key_begin(k, owned_walk(w) ? KEY_OWNED : KEY_OBJECT);
        key_u8(k, w->object);
        if (!w->all_brands) key_u32(k, w->brand);
        if (owned_walk(w)) key_type(k, w->owner);
        return;
    case WALK_CHECKPOINTS: case WALK_ATTEMPTS: case WALK_LOG:
        key_id(k, KEY_SUB, w->id);
        key_u8(k, w->kind == WALK_CHECKPOINTS ? RECORD_CHECKPOINT
                  : w->kind == WALK_ATTEMPTS  ? RECORD_ATTEMPT
                                              : RECORD_LOG);
        return;
    case WALK_FILES: key_begin(k, KEY_FILE); return;
    case WALK_SESSIONS:
        key_begin(k, KEY_SESSION);
        if (w->brand) key_u32(k, w->brand);
        return;
    case WALK_SCHEDULES: key_begin(k, KEY_SCHEDULE); return;
    case WALK_POINTS:
        key_begin(k, KEY_POINT);
        if (w->brand) key_u32(k, w->brand);
        return;
    case WALK_TALLIES:
        key_begin(k, KEY_TALLY);
        if (!w->brand) return; /* all: they are told apart when they are read */
        key_u32(k, w->brand);
        key_u8(k, w->object);
        return;
    }
    assert(!"a walk of no kind");
}

static bool tasks_ascend(const struct walk *w) {
    return w->kind == WALK_TASKS || (w->kind == WALK_STATUS && w->brand && w->type.len);
}

/* Whether ids ascend all along the prefix, so that bounds on ids are bounds on keys. */
static bool ids_ascend(const struct walk *w) {
    if (w->kind == WALK_OBJECTS) return !w->all_brands;
    if (w->kind == WALK_POINTS) return w->brand != 0;
    return tasks_ascend(w);
}

static void bound_ids(const struct walk *w, const struct key *prefix, struct range *r) {
    if (w->kind == WALK_TALLIES && w->brand) { /* their slots: inclusive */
        r->to = *prefix;
        key_u32(&r->from, (uint32_t)w->from_id);
        key_u32(&r->to, (uint32_t)w->to_id);
        key_u64(&r->to, UINT64_MAX);
        return;
    }
    if (!ids_ascend(w)) return;
    if (w->from_id) key_u64(&r->from, w->from_id);
    if (w->to_id && w->to_id != UINT64_MAX) {
        r->to = *prefix;
        key_u64(&r->to, w->to_id + 1);
    }
}

/* Moves the range's beginning (descending: its end) behind the row that the cursor names. A
 * cursor from elsewhere leaves an empty range or all of it: never a key outside. */
static void bound_cursor(const struct walk *w, struct range *r) {
    struct slice from = key_slice(&r->from), to = key_slice(&r->to), cursor = w->cursor;
    if (!cursor.len || cursor.len > CODEC_NAME_MAX) return;
    if (slice_order(cursor, from) < 0 || slice_order(cursor, to) >= 0) return;
    struct key *bound = w->descending ? &r->to : &r->from;
    memcpy(bound->bytes, cursor.data, cursor.len);
    bound->len = cursor.len;
    if (!w->descending) key_u8(bound, 0); /* the smallest key behind it */
}

/* Leaves out what the table has of other times. */
static void bound_times(const struct store_walk *w, struct range *r) {
    struct walk times = w->walk;
    struct range bounds;
    struct key prefix;
    if (!w->high) return;
    times.from_id = w->low;
    times.to_id = w->high;
    prefix_of(&times, &prefix);
    range_prefix(&bounds, &prefix);
    bound_ids(&times, &prefix, &bounds);
    if (slice_order(key_slice(&bounds.from), key_slice(&r->from)) > 0) r->from = bounds.from;
    if (slice_order(key_slice(&bounds.to), key_slice(&r->to)) < 0) r->to = bounds.to;
}

static bool seek(struct store_walk *w) {
    const struct walk *k = &w->walk;
    uint64_t low = 0, high = UINT64_MAX;
    /* only tasks are sought by time: what else has an order has other ids */
    if ((!k->from_ms && !k->to_ms) || !(tasks_ascend(k) || k->kind == WALK_TEXT)) return true;
    if (!seek_ids(w->view, k->from_ms, k->to_ms, &low, &high, &w->looked)) return false;
    w->low = low;
    w->high = high;
    return true;
}

/* ---- searches ---- */

/* The ids that a cursor leaves. False when it leaves none. */
static bool cursor_ids(const struct walk *k, uint64_t *from, uint64_t *to) {
    const struct slice c = k->cursor;
    if (!c.len) return true;
    if (c.len < KEY_ID_BYTES || c.len > 13) return false;
    const uint64_t id = key_tail_id(c);
    if (k->descending) *to = id - 1;
    else *from = id + 1;
    return k->descending ? id > 0 : id < UINT64_MAX;
}

/* What is indexed is searched, the rest (of an older layout) is walked. In memory all is walked. */
static bool search_begin(struct store_walk *w) {
    struct walk rest = w->walk;
    struct table_state state;
    uint64_t from = 0, to = UINT64_MAX;
    if (!seek_state(w->view, &state)) return false;
    const bool indexed = w->view->table && w->walk.brand && w->walk.id_key &&
                         (!state.version || (state.version == LAYOUT_VERSION &&
                                             state.text_key == texts_mark(w->walk.id_key)));
    const bool some = cursor_ids(&w->walk, &from, &to);
    rest.kind = WALK_TASKS;
    rest.cursor = (struct slice){0};
    rest.from_id = from;
    rest.to_id = some ? to : 1;
    if (!some) rest.from_id = UINT64_MAX;
    if (indexed && state.text_from <= rest.to_id) rest.to_id = state.text_from - !!state.text_from;
    w->rest_is_last = w->walk.descending;
    if (!indexed || (some && state.text_from > 1 && from < state.text_from)) {
        w->rest = walk_open(w->view, &rest);
        if (!w->rest) return false;
    }
    if (!indexed || !some) return true;
    if (from < state.text_from) from = state.text_from;
    const struct span_of_ids among = {from, to};
    const struct span_of_ids table = {w->low, w->high ? w->high : UINT64_MAX};
    w->search = search_open(w->view, &w->walk, &among, &table);
    return w->search != NULL;
}

static void place_note(struct store_walk *w, uint64_t id) {
    key_block(&w->last, KEY_TEXT, w->walk.brand, id);
}

static bool rest_next(struct store_walk *w, struct record *record) {
    w->sure = false;
    if (!w->rest || w->rest->failed) return false;
    const uint64_t looked = w->search ? search_looked(w->search) : 0;
    if (w->walk.looks_max) w->rest->walk.looks_max = w->walk.looks_max - looked;
    if (w->walk.looks_max && w->rest->walk.looks_max == 0) return false;
    const bool got = walk_next(w->rest, record);
    if (w->rest->last.len >= KEY_ID_BYTES) place_note(w, key_tail_id(key_slice(&w->rest->last)));
    w->failed |= w->rest->failed;
    return got;
}

static bool found_next(struct store_walk *w, struct record *record) {
    struct slice head;
    uint64_t max = w->walk.looks_max;
    const uint64_t looked = w->rest ? w->rest->looked : 0;
    if (!w->search || (max && max <= looked)) return false;
    if (max) max -= looked;
    bool got;
    do got = search_next(w->search, max, &head) && record_decode_value(RECORD_TASK, head, record);
    while (got && record->task.brand != w->walk.brand);
    w->sure = got && search_sure(w->search);
    if (search_place(w->search)) place_note(w, search_place(w->search));
    w->failed |= search_failed(w->search);
    return got;
}

static bool text_next_row(struct store_walk *w, struct record *record) {
    bool got = !w->failed && (w->rest_is_last ? found_next(w, record) : rest_next(w, record));
    if (!got && !w->failed && !walk_spent(w))
        got = w->rest_is_last ? rest_next(w, record) : found_next(w, record);
    w->looked = (w->search ? search_looked(w->search) : 0) + (w->rest ? w->rest->looked : 0);
    return got;
}

static bool lane_wanted(const struct walk *w, const struct lane_record *l) {
    return (!w->brand || l->brand == w->brand) && (!w->type.len || slice_equal(w->type, l->type));
}

static bool push_lane(struct store_walk *w, uint32_t lane, uint8_t priority) {
    if (w->lane_count == w->lane_cap) {
        size_t cap = w->lane_cap ? w->lane_cap * 2 : 16;
        struct part_walk *lanes = realloc(w->lanes, cap * sizeof *lanes);
        if (!lanes) return false;
        w->lanes = lanes;
        w->lane_cap = cap;
    }
    w->lanes[w->lane_count++] = (struct part_walk){lane, priority};
    return true;
}

/* Which lanes and priorities hold queued tasks, by their counters. */
static bool list_lanes(struct store_walk *w) {
    struct key prefix;
    struct range range;
    struct scan scan;
    struct scan_row row;
    bool ok = true;
    key_begin(&prefix, KEY_LANE);
    range_prefix(&range, &prefix);
    if (!scan_open(&scan, w->view, &range, w->walk.descending)) return false;
    while (ok && scan_next(&scan, &row)) {
        struct record r;
        ok = record_decode_value(RECORD_LANE, row.value, &r);
        for (int i = 0; ok && lane_wanted(&w->walk, &r.lane) && i < PRIORITY_COUNT; i++) {
            uint8_t priority = (uint8_t)(w->walk.descending ? i : PRIORITY_CRITICAL - i);
            if (r.lane.count[STATUS_QUEUED][priority]) ok = push_lane(w, r.lane.lane, priority);
        }
    }
    ok = ok && !scan.failed;
    scan_close(&scan);
    return ok;
}

static void lane_range(const struct part_walk *p, struct range *r) {
    struct key prefix;
    key_number(&prefix, KEY_LANED, p->lane);
    key_u8(&prefix, p->priority);
    range_prefix(r, &prefix);
}

/* Drops the lanes that a cursor has behind it. */
static void skip_lanes(struct store_walk *w) {
    struct slice cursor = w->walk.cursor;
    for (size_t i = 0; cursor.len && i < w->lane_count; i++) {
        struct range r;
        lane_range(&w->lanes[i], &r);
        bool in = slice_order(cursor, key_slice(&r.from)) >= 0 &&
                  slice_order(cursor, key_slice(&r.to)) < 0;
        if (in) { w->lane_next = i; return; }
    }
    if (cursor.len < 6 || cursor.data[0] != KEY_LANED) return;
    /* Its lane is empty by now: go on with the lane behind it. */
    uint32_t lane = (uint32_t)cursor.data[1] << 24 | (uint32_t)cursor.data[2] << 16 |
                    (uint32_t)cursor.data[3] << 8 | cursor.data[4];
    for (; w->lane_next < w->lane_count; w->lane_next++) {
        const struct part_walk *p = &w->lanes[w->lane_next];
        bool behind = w->walk.descending ? p->lane < lane : p->lane > lane;
        bool later = w->walk.descending ? p->priority > cursor.data[5]
                                        : p->priority < cursor.data[5];
        if (behind || (p->lane == lane && later)) return;
    }
}

static bool open_range(struct store_walk *w) {
    struct range range;
    if (queued_walk(&w->walk)) {
        if (w->lane_next == w->lane_count) return false;
        lane_range(&w->lanes[w->lane_next++], &range);
    } else {
        struct key prefix;
        prefix_of(&w->walk, &prefix);
        range_prefix(&range, &prefix);
        bound_ids(&w->walk, &prefix, &range);
    }
    bound_cursor(&w->walk, &range);
    struct range table = range;
    bound_times(w, &table);
    w->open = scan_open_within(&w->scan, w->view, &range, &table, w->walk.descending);
    w->failed = !w->open;
    return w->open;
}

struct store_walk *walk_open(struct store_view *v, const struct walk *walk) {
    struct store_walk *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->view = v;
    w->walk = *walk;
    buffer_append(&w->texts, walk->type.data, walk->type.len);
    buffer_append(&w->texts, walk->owner.data, walk->owner.len);
    buffer_append(&w->texts, walk->cursor.data, walk->cursor.len);
    w->failed = w->texts.failed || walk->type.len > CODEC_NAME_MAX ||
                walk->owner.len > CODEC_NAME_MAX;
    const uint8_t *at = w->texts.data;
    w->walk.type = slice_of(at, walk->type.len);
    if (walk->owner.len) w->walk.owner = slice_of(at + walk->type.len, walk->owner.len);
    w->walk.cursor = walk->cursor.len ? slice_of(at + walk->type.len + walk->owner.len,
                                                 walk->cursor.len)
                                      : (struct slice){0};
    if (!w->failed && queued_walk(walk)) {
        w->failed = !list_lanes(w);
        if (!w->failed) skip_lanes(w);
    }
    if (!w->failed) w->failed = !seek(w);
    if (!w->failed && walk->kind == WALK_TEXT) w->failed = !search_begin(w);
    else if (!w->failed) open_range(w);
    return w;
}

/* The object that a row of its owner's index names. */
static bool owned_record(struct store_walk *w, const struct scan_row *row,
                         struct record *record) {
    struct key key;
    key_begin(&key, KEY_OBJECT);
    for (uint32_t i = 1; i < 6; i++) key_u8(&key, row->key.data[i]); /* kind and brand */
    key_u64(&key, key_tail_id(row->key));
    buffer_clear(&w->head);
    if (view_get(w->view, &key, &w->head) > 0 &&
        record_decode_value(RECORD_OBJECT, buffer_slice(&w->head), record))
        return true;
    if (!w->view->why[0])
        snprintf(w->view->why, sizeof w->view->why, "object %llu is damaged or missing",
                 (unsigned long long)key_tail_id(row->key));
    return false;
}

/* The checkpoint that a row of the numbers leads to; false, without trouble, when it went. */
static bool point_record(struct store_walk *w, const struct scan_row *row, struct record *record) {
    struct reader r = {row->value.data, row->value.data + row->value.len, false};
    const uint64_t task = get_u64(&r), seq = get_varint(&r);
    struct scan scan;
    struct scan_row found;
    struct range range;
    if (r.bad) return false;
    key_sub(&range.from, task, RECORD_CHECKPOINT, seq);
    key_sub(&range.to, task, RECORD_CHECKPOINT, seq + 1);
    buffer_clear(&w->head);
    if (!scan_open(&scan, w->view, &range, false)) return false;
    if (scan_next(&scan, &found)) buffer_append(&w->head, found.value.data, found.value.len);
    scan_close(&scan);
    return w->head.len > 0 &&
           record_decode_value(RECORD_CHECKPOINT, buffer_slice(&w->head), record) &&
           record->checkpoint.number == key_tail_id(row->key);
}

/* The record of a row; the head of an index row that carries none is read by its id. */
static bool row_record(struct store_walk *w, const struct scan_row *row, struct record *record) {
    enum record_kind kind = key_value_kind(row->key);
    struct slice value = row->value;
    if (row->key.data[0] == KEY_OWNED) return owned_record(w, row, record);
    bool index = row->key.data[0] == KEY_CREATED || row->key.data[0] == KEY_STATUS;
    if (index && !row->task && !value.len) {
        buffer_clear(&w->head);
        if (view_part(w->view, row_id(row), KEY_HEAD, &w->head) <= 0) {
            if (!w->view->why[0])
                snprintf(w->view->why, sizeof w->view->why, "the head of %llu is missing",
                         (unsigned long long)row_id(row));
            return false;
        }
        value = buffer_slice(&w->head);
    }
    if (index) kind = RECORD_TASK;
    if (record_decode_value(kind, value, record)) return true;
    snprintf(w->view->why, sizeof w->view->why, "a record is damaged");
    return false;
}

static bool passes(const struct walk *w, const struct record *r) {
    switch (w->kind) {
    case WALK_LANES: return !w->brand || r->lane.brand == w->brand;
    case WALK_WORKERS: return !w->brand || !r->worker.brand || r->worker.brand == w->brand;
    case WALK_FILES: return !w->brand || r->file.brand == w->brand;
    case WALK_SCHEDULES: return !w->brand || r->schedule.brand == w->brand;
    case WALK_OBJECTS: return r->object.kind == w->object;
    case WALK_TALLIES:
        return r->tally.span == w->object && r->tally.slot >= w->from_id &&
               r->tally.slot <= w->to_id;
    case WALK_STATUS: case WALK_TASKS: case WALK_TEXT:
        return (!w->from_id || r->task.id >= w->from_id) && (!w->to_id || r->task.id <= w->to_id);
    case WALK_QUEUES: case WALK_CHECKPOINTS: case WALK_ATTEMPTS: case WALK_LOG:
    case WALK_SESSIONS: case WALK_POINTS: break;
    }
    return true;
}

/* A type without its brand is no prefix of the status index. */
static bool type_passes(const struct walk *w, struct slice key) {
    if (w->kind != WALK_STATUS || !w->type.len || w->brand) return true;
    if (key.data[0] != KEY_STATUS) return true;
    uint32_t len = w->type.len;
    return key.len == 1u + 1 + 4 + 2 + len + 8 && memcmp(key.data + 8, w->type.data, len) == 0;
}

/* Tasks of a brand: their heads are read many at a time. */
static bool created_next(struct store_walk *w, struct record *record) {
    struct slice key, head;
    while (!w->failed && !walk_spent(w) &&
           ahead_next(&w->ahead, &w->scan, &key, &head, &w->failed)) {
        w->looked++;
        memcpy(w->last.bytes, key.data, key.len);
        w->last.len = key.len;
        if (!record_decode_value(RECORD_TASK, head, record)) {
            snprintf(w->view->why, sizeof w->view->why, "a record is damaged");
            w->failed = true;
            return false;
        }
        if (passes(&w->walk, record)) return true;
    }
    return false;
}

bool walk_next(struct store_walk *w, struct record *record) {
    struct scan_row row;
    if (w->walk.kind == WALK_TEXT) return text_next_row(w, record);
    if (w->walk.kind == WALK_TASKS && w->walk.brand && w->open) return created_next(w, record);
    while (w->open && !w->failed) {
        while (!walk_spent(w) && scan_next(&w->scan, &row)) {
            w->looked++;
            memcpy(w->last.bytes, row.key.data, row.key.len);
            w->last.len = row.key.len;
            if (!type_passes(&w->walk, row.key)) continue;
            if (row.key.data[0] == KEY_POINT) {
                if (point_record(w, &row, record)) return true;
                if (!w->view->why[0]) continue;
            }
            if (!row_record(w, &row, record)) { w->failed = true; return false; }
            if (passes(&w->walk, record)) return true;
        }
        if (walk_spent(w)) return false;
        w->failed = w->scan.failed;
        scan_close(&w->scan);
        w->open = false;
        if (!w->failed && queued_walk(&w->walk)) open_range(w);
    }
    return false;
}

bool walk_spent(const struct store_walk *w) {
    return w->walk.looks_max && w->looked >= w->walk.looks_max;
}

bool walk_sure(const struct store_walk *w) { return w->search && w->sure; }

uint64_t walk_looked(const struct store_walk *w) { return w->looked; }

const char *walk_trouble(const struct store_walk *w) {
    if (!w->failed) return NULL;
    return w->view->why[0] ? w->view->why : "memory is out";
}

void walk_cursor(const struct store_walk *w, struct buffer *cursor) {
    buffer_clear(cursor);
    buffer_append(cursor, w->last.bytes, w->last.len);
}

void walk_close(struct store_walk **self) {
    struct store_walk *w = *self;
    if (!w) return;
    if (w->open) scan_close(&w->scan);
    ahead_free(&w->ahead);
    search_close(&w->search);
    walk_close(&w->rest);
    buffer_free(&w->texts);
    buffer_free(&w->head);
    free(w->lanes);
    free(w);
    *self = NULL;
}

static bool give_part(struct store_view *v, uint64_t id, enum key_kind kind, store_found *found,
                      void *context) {
    struct buffer value = {0};
    struct record r;
    struct key key;
    key_id(&key, kind, id);
    int got = kind == KEY_FILE ? view_get(v, &key, &value) : view_part(v, id, kind, &value);
    bool ok = got > 0 && !value.failed &&
              record_decode_value(key_value_kind(key_slice(&key)), buffer_slice(&value), &r);
    if (ok) found(context, &r);
    else if (got > 0 && value.failed) snprintf(v->why, sizeof v->why, "memory is out");
    else if (got > 0) snprintf(v->why, sizeof v->why, "the record of %" PRIu64 " is damaged", id);
    buffer_free(&value);
    return ok;
}

const char *view_trouble(const struct store_view *v) { return v->why[0] ? v->why : NULL; }

bool view_task(struct store_view *v, uint64_t id, store_found *found, void *context) {
    if (!give_part(v, id, KEY_HEAD, found, context)) return false;
    give_part(v, id, KEY_BODY, found, context);
    give_part(v, id, KEY_RESULT, found, context);
    return true;
}

bool view_body(struct store_view *v, uint64_t id, store_found *found, void *context) {
    return give_part(v, id, KEY_BODY, found, context);
}

bool view_result(struct store_view *v, uint64_t id, store_found *found, void *context) {
    return give_part(v, id, KEY_RESULT, found, context);
}

bool view_file(struct store_view *v, uint64_t file, store_found *found, void *context) {
    return give_part(v, file, KEY_FILE, found, context);
}
