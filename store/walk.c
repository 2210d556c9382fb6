/* walk.c - lists: the rows of an index in its order, from a view, page by page.
 *
 * A cursor is the key of the last row looked at; a walk that is opened with it begins behind that
 * row. Of tasks it ends in an id, and that is all that counts. */
#include "store/ahead.h"
#include "store/coding.h"
#include "store/seek.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { NEAR_IDS = 32 };

struct store_walk {
    struct store_view *view;
    struct walk walk; /* owner and cursor point into `texts` */
    struct buffer texts;
    struct scan scan;
    bool open, failed, sure;
    uint64_t looked;
    struct buffer head; /* of the row given last, when it was read apart */
    struct key last;
    uint64_t low, high; /* ids of the table outside of these are of other times; high 0 = open */
    struct browse *browse; /* tasks of one brand */
    struct ahead ahead;    /* their heads */
};

/* Tasks of one brand are told apart by their briefs. */
static bool browses(const struct walk *w) {
    return (w->kind == WALK_TASKS && w->brand) || w->kind == WALK_TEXT;
}

/* Objects of one owner have an index of their own, within their brand. */
static bool owned_walk(const struct walk *w) {
    return w->kind == WALK_OBJECTS && !w->all_brands && w->owner.len;
}

/* The first key of the walk's range and, by its prefix, the range. */
static void prefix_of(const struct walk *w, struct key *k) {
    switch (w->kind) {
    case WALK_TASKS: case WALK_TEXT: key_begin(k, KEY_HEAD); return;
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

/* Whether ids ascend all along the prefix, so that bounds on ids are bounds on keys. */
static bool ids_ascend(const struct walk *w) {
    if (w->kind == WALK_OBJECTS) return !w->all_brands;
    if (w->kind == WALK_POINTS) return w->brand != 0;
    return w->kind == WALK_TASKS;
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
    if ((!k->from_ms && !k->to_ms) || (k->kind != WALK_TASKS && k->kind != WALK_TEXT)) return true;
    const uint64_t near = browses(k) ? BLOCK_IDS : NEAR_IDS; /* blocks are read whole */
    if (!seek_ids(w->view, k->from_ms, k->to_ms, near, &low, &high, &w->looked)) return false;
    w->low = low;
    w->high = high;
    return true;
}

/* ---- tasks of one brand ---- */

/* Narrows the ids to what a cursor leaves. False when it leaves none. */
static bool cursor_ids(const struct walk *k, struct span_of_ids *among) {
    const struct slice c = k->cursor;
    if (!c.len) return true;
    if (c.len != KEY_ID_BYTES || c.data[0] != KEY_HEAD) return false;
    const uint64_t id = key_tail_id(c);
    if (k->descending && id <= among->to) among->to = id - 1;
    if (!k->descending && id >= among->from) among->from = id + 1;
    return k->descending ? id > 0 : id < UINT64_MAX;
}

static struct task_head brief_head(const struct store_walk *w, const struct brief *b) {
    return (struct task_head){.id = b->id, .brand = w->walk.brand, .status = b->status,
                              .priority = b->priority, .lane = b->lane,
                              .created_ms = b->created_ms};
}

static bool browse_begin(struct store_walk *w) {
    const struct walk *k = &w->walk;
    const struct span_of_ids table = {w->low, w->high ? w->high : UINT64_MAX};
    struct span_of_ids among = {k->from_id, k->to_id ? k->to_id : UINT64_MAX};
    if (!cursor_ids(k, &among)) return true; /* nothing is left */
    w->browse = browse_open(w->view, k, &among, &table);
    return w->browse != NULL;
}

static bool browse_step(struct store_walk *w, struct record *record) {
    const uint64_t max = w->walk.looks_max;
    struct browse_row row;
    uint64_t place;
    bool got;
    if (!w->browse || w->failed || walk_spent(w)) return false;
    if (w->walk.brief && !w->walk.results) {
        got = browse_next(w->browse, max, &row);
        w->looked = browse_looked(w->browse);
        place = browse_place(w->browse);
    } else {
        const struct ahead_parts parts = {!w->walk.brief, w->walk.results};
        got = ahead_next(&w->ahead, w->view, w->browse, parts, max, &w->failed);
        if (got) row = *ahead_row(&w->ahead);
        w->looked = ahead_looked(&w->ahead, w->browse);
        place = ahead_place(&w->ahead);
    }
    w->sure = got && row.sure;
    if (got && w->walk.brief) {
        *record = (struct record){.kind = RECORD_TASK, .task = brief_head(w, &row.brief)};
    } else if (got && !record_decode_value(RECORD_TASK, ahead_head(&w->ahead), record)) {
        snprintf(w->view->why, sizeof w->view->why, "a record is damaged");
        w->failed = true;
    }
    w->failed |= browse_failed(w->browse);
    if (place) key_id(&w->last, KEY_HEAD, place);
    return got && !w->failed;
}

/* ---- the walk ---- */

static bool open_range(struct store_walk *w) {
    struct range range;
    struct key prefix;
    prefix_of(&w->walk, &prefix);
    range_prefix(&range, &prefix);
    bound_ids(&w->walk, &prefix, &range);
    bound_cursor(&w->walk, &range);
    struct range table = range;
    bound_times(w, &table);
    w->open = scan_open_within(&w->scan, w->view, &range, &table, w->walk.descending);
    return w->open;
}

struct store_walk *walk_open(struct store_view *v, const struct walk *walk) {
    struct store_walk *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->view = v;
    w->walk = *walk;
    buffer_append(&w->texts, walk->owner.data, walk->owner.len);
    buffer_append(&w->texts, walk->cursor.data, walk->cursor.len);
    w->failed = w->texts.failed || walk->owner.len > CODEC_NAME_MAX;
    const uint8_t *at = w->texts.data;
    if (walk->owner.len) w->walk.owner = slice_of(at, walk->owner.len);
    w->walk.cursor = walk->cursor.len ? slice_of(at + walk->owner.len, walk->cursor.len)
                                      : (struct slice){0};
    w->failed = w->failed || !seek(w) || !(browses(walk) ? browse_begin(w) : open_range(w));
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

static bool row_record(struct store_walk *w, const struct scan_row *row, struct record *record) {
    enum record_kind kind = key_value_kind(row->key);
    if (row->key.data[0] == KEY_OWNED) return owned_record(w, row, record);
    if (record_decode_value(kind, row->value, record)) return true;
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
    case WALK_TASKS: case WALK_TEXT:
        return (!w->from_id || r->task.id >= w->from_id) && (!w->to_id || r->task.id <= w->to_id);
    case WALK_QUEUES: case WALK_CHECKPOINTS: case WALK_ATTEMPTS: case WALK_LOG:
    case WALK_SESSIONS: case WALK_POINTS: break;
    }
    return true;
}

bool walk_next(struct store_walk *w, struct record *record) {
    struct scan_row row;
    if (browses(&w->walk)) return browse_step(w, record);
    while (w->open && !w->failed && !walk_spent(w) && scan_next(&w->scan, &row)) {
        w->looked++;
        memcpy(w->last.bytes, row.key.data, row.key.len);
        w->last.len = row.key.len;
        if (row.key.data[0] == KEY_POINT) {
            if (point_record(w, &row, record)) return true;
            if (!w->view->why[0]) continue;
        }
        if (!row_record(w, &row, record)) { w->failed = true; return false; }
        if (passes(&w->walk, record)) return true;
    }
    w->failed |= w->open && w->scan.failed;
    return false;
}

uint64_t walk_count(struct store_walk *w) {
    assert(w->walk.brief && !w->walk.results && browses(&w->walk));
    if (!w->browse || w->failed) return 0;
    const uint64_t count = browse_count(w->browse, w->walk.looks_max);
    w->looked = browse_looked(w->browse);
    w->failed = browse_failed(w->browse);
    return count;
}

bool walk_spent(const struct store_walk *w) {
    return w->walk.looks_max && w->looked >= w->walk.looks_max;
}

bool walk_sure(const struct store_walk *w) { return w->sure; }

bool walk_result(const struct store_walk *w, struct record *record) {
    const struct slice result = ahead_result(&w->ahead);
    return result.len > 0 && record_decode_value(RECORD_RESULT, result, record);
}

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
    browse_close(&w->browse);
    buffer_free(&w->texts);
    buffer_free(&w->head);
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

bool view_head(struct store_view *v, uint64_t id, store_found *found, void *context) {
    return give_part(v, id, KEY_HEAD, found, context);
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
