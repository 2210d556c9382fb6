/* load.c - store_load: what a need asks for, read through a view made for that need. */
#include "proto/host/pack.h"
#include "proto/host/zones.h"
#include "store/view.h"
#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_MAX = 20000 /* rows a sweep looks at */, ROWS_MAX = 4096 /* rows a need gets */,
       PARTS_MAX = 64 /* parts a task's need gets */,
       WALK_SPREAD = 4 /* ids per wanted body, at most, for walking to pay */ };

struct load {
    struct store_view *view;
    const struct need *need;
    store_found *found;
    void *context;
};

static bool bad(struct load *l, const char *what, uint64_t id) {
    snprintf(l->view->why, sizeof l->view->why, "%s of %llu is damaged or missing", what,
             (unsigned long long)id);
    return false;
}

/* Decodes a value and hands it out. */
static bool give(struct load *l, enum record_kind kind, struct slice value, uint64_t id) {
    struct record r;
    if (!record_decode_value(kind, value, &r)) return bad(l, "a record", id);
    l->found(l->context, &r);
    return true;
}

static bool give_key(struct load *l, const struct key *key) {
    struct buffer value = {0};
    int got = view_get(l->view, key, &value);
    bool ok = got >= 0 && !value.failed;
    if (got > 0 && ok) ok = give(l, key_value_kind(key_slice(key)), buffer_slice(&value), 0);
    buffer_free(&value);
    return ok;
}

static bool give_part(struct load *l, uint64_t id, enum key_kind kind, enum record_kind record,
                      bool *there) {
    struct buffer value = {0};
    int got = view_part(l->view, id, kind, &value);
    bool ok = got >= 0 && !value.failed;
    if (got > 0 && ok) ok = give(l, record, buffer_slice(&value), id);
    buffer_free(&value);
    *there = got > 0;
    return ok;
}

static bool give_range(struct load *l, const struct range *range, bool descending, uint32_t max) {
    struct scan scan;
    struct scan_row row;
    bool ok = scan_open(&scan, l->view, range, descending);
    if (!ok) return false;
    for (; ok && max && scan_next(&scan, &row); max--)
        ok = give(l, key_value_kind(row.key), row.value, 0);
    ok = ok && !scan.failed;
    scan_close(&scan);
    return ok;
}

static bool load_parts(struct load *l) {
    struct range range;
    key_sub(&range.from, l->need->id, RECORD_PART, l->need->seq);
    key_sub(&range.to, l->need->id, RECORD_PART, UINT64_MAX);
    return give_range(l, &range, false, PARTS_MAX);
}

static bool load_task(struct load *l) {
    uint64_t id = l->need->id;
    bool there;
    if (!give_part(l, id, KEY_HEAD, RECORD_TASK, &there)) return false;
    if (!there) return true;
    if (!give_part(l, id, KEY_BODY, RECORD_BODY, &there)) return false;
    if (!give_part(l, id, KEY_RESULT, RECORD_RESULT, &there)) return false;
    struct range range;
    key_id(&range.from, KEY_SUB, id);
    range.to = range.from;
    key_u8(&range.to, RECORD_CHECKPOINT); /* behind the attempts and the log */
    return give_range(l, &range, false, UINT32_MAX) && (!l->need->seq || load_parts(l));
}

/* Hands out what was packed as it was before; false when it is not that any more. */
static bool give_unpacked(struct load *l, struct record *r) {
    struct checkpoint_record *c = &r->checkpoint;
    struct buffer bytes = {0};
    bool ok = true;
    if (l->need->kind == NEED_BODY && c->flags & CHECKPOINT_PACKED) {
        ok = pack_open(c->data, c->size, &bytes);
        c->data = buffer_slice(&bytes);
        c->flags &= (uint8_t)~CHECKPOINT_PACKED;
    }
    if (ok) l->found(l->context, r);
    buffer_free(&bytes);
    return ok;
}

/* The newest checkpoint that is more than a mark and can be read, or the one that was named. */
static bool give_point(struct load *l, const struct range *range) {
    struct scan scan;
    struct scan_row row;
    struct record r;
    if (!scan_open(&scan, l->view, range, true)) return false;
    bool ok = true, found = false;
    while (ok && !found && scan_next(&scan, &row)) {
        ok = record_decode_value(RECORD_CHECKPOINT, row.value, &r) || bad(l, "a checkpoint", 0);
        found = ok && (l->need->seq || !(r.checkpoint.flags & CHECKPOINT_PASSED));
        found = found && give_unpacked(l, &r);
    }
    ok = ok && !scan.failed;
    scan_close(&scan);
    return ok;
}

static bool load_point(struct load *l) {
    uint64_t id = l->need->id;
    struct range range;
    key_id(&range.from, KEY_SUB, id);
    key_u8(&range.from, RECORD_CHECKPOINT);
    range.to = range.from;
    key_u64(&range.from, l->need->seq);
    key_u64(&range.to, l->need->seq ? (uint64_t)l->need->seq + 1 : UINT64_MAX);
    return give_point(l, &range);
}

static bool load_body(struct load *l) {
    bool there;
    if (!give_part(l, l->need->id, KEY_BODY, RECORD_BODY, &there) || !there)
        return l->view->why[0] == 0;
    return load_point(l);
}

/* Rows of an index, gathered before their bodies are read in one go. */
struct gathered { uint64_t id; size_t head_at; uint32_t head_len; struct piece body; bool here; };
struct gather {
    struct gathered *rows; /* in the order of the index */
    uint32_t count, cap;
    struct buffer bytes;
};

static bool gather_head(struct load *l, struct gather *g, const struct scan_row *row) {
    struct gathered *r = &g->rows[g->count];
    *r = (struct gathered){.id = row_id(row), .head_at = g->bytes.len};
    if (row->task || row->value.len) {
        buffer_append(&g->bytes, row->value.data, row->value.len);
    } else if (view_part(l->view, r->id, KEY_HEAD, &g->bytes) <= 0) {
        return l->view->why[0] ? false : bad(l, "the head", r->id);
    }
    r->head_len = (uint32_t)(g->bytes.len - r->head_at);
    g->count++;
    return !g->bytes.failed;
}

static bool gather_range(struct load *l, struct gather *g, const struct range *range) {
    struct scan scan;
    struct scan_row row;
    if (!scan_open(&scan, l->view, range, false)) return false;
    bool ok = true;
    while (ok && g->count < g->cap && scan_next(&scan, &row)) ok = gather_head(l, g, &row);
    ok = ok && !scan.failed;
    scan_close(&scan);
    return ok;
}

static int by_id(const void *a, const void *b) {
    const struct gathered *x = *(struct gathered *const *)a, *y = *(struct gathered *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

/* The bodies that pending tasks carry; counts those that the table has. */
static uint32_t bodies_here(struct load *l, struct gather *g, struct gathered **absent) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        struct gathered *r = &g->rows[i];
        const struct task_state *t = overlay_task(&l->view->overlay, r->id);
        r->here = t && t->body.state == PART_PUT;
        if (!r->here) { absent[count++] = r; continue; }
        r->body = (struct piece){g->bytes.len, t->body.len};
        buffer_append(&g->bytes, t->body.data, t->body.len);
    }
    return count;
}

/* Each body by its key, in one call. */
static bool bodies_get(struct load *l, struct gather *g, struct gathered **absent,
                       uint32_t count) {
    struct slice *keys = calloc(count, sizeof *keys);
    struct piece *pieces = calloc(count, sizeof *pieces);
    struct buffer bytes = {0};
    bool ok = keys && pieces && buffer_reserve(&bytes, (size_t)count * KEY_ID_BYTES);
    for (uint32_t i = 0; ok && i < count; i++) {
        struct key key;
        key_id(&key, KEY_BODY, absent[i]->id);
        keys[i] = slice_of(bytes.data + bytes.len, key.len);
        buffer_append(&bytes, key.bytes, key.len);
    }
    ok = ok && table_get_many(l->view->table, l->view->snapshot, keys, count, &g->bytes, pieces,
                              l->view->why, sizeof l->view->why);
    for (uint32_t i = 0; ok && i < count; i++) absent[i]->body = pieces[i];
    buffer_free(&bytes);
    free(keys);
    free(pieces);
    return ok;
}

/* Bodies that lie close together, by walking over them: a third of the cost. */
static bool bodies_walk(struct load *l, struct gather *g, struct gathered **absent,
                        uint32_t count) {
    struct range range;
    key_id(&range.from, KEY_BODY, absent[0]->id);
    key_id(&range.to, KEY_BODY, absent[count - 1]->id + 1);
    struct table_scan *scan = table_scan_open(l->view->table, l->view->snapshot, &range, false);
    if (!scan) return false;
    for (uint32_t i = 0; i < count && table_scan_valid(scan); table_scan_next(scan)) {
        uint64_t id = key_tail_id(table_scan_key(scan));
        while (i < count && absent[i]->id < id) i++;
        if (i == count || absent[i]->id != id) continue;
        struct slice value = table_scan_value(scan);
        absent[i]->body = (struct piece){g->bytes.len, value.len};
        buffer_append(&g->bytes, value.data, value.len);
    }
    bool ok = table_scan_ok(scan, l->view->why, sizeof l->view->why);
    table_scan_close(&scan);
    return ok;
}

static bool bodies_from_table(struct load *l, struct gather *g, struct gathered **absent,
                              uint32_t count) {
    if (!count) return true;
    if (!l->view->table) return bad(l, "the body", absent[0]->id);
    qsort(absent, count, sizeof(struct gathered *), by_id);
    for (uint32_t i = 0; i < count; i++) absent[i]->body = (struct piece){0, UINT32_MAX};
    bool close = absent[count - 1]->id - absent[0]->id < (uint64_t)count * WALK_SPREAD;
    if (!(close ? bodies_walk : bodies_get)(l, g, absent, count)) return false;
    for (uint32_t i = 0; i < count; i++)
        if (absent[i]->body.len == UINT32_MAX) return bad(l, "the body", absent[i]->id);
    return true;
}

static bool gather_bodies(struct load *l, struct gather *g) {
    struct gathered **absent = malloc((g->count + 1) * sizeof *absent);
    if (!absent) return false;
    uint32_t count = bodies_here(l, g, absent);
    bool ok = !g->bytes.failed && bodies_from_table(l, g, absent, count);
    free(absent);
    return ok && !g->bytes.failed;
}

static bool give_gathered(struct load *l, const struct gather *g, bool bodies) {
    bool ok = true;
    for (uint32_t i = 0; ok && i < g->count; i++) {
        const struct gathered *r = &g->rows[i];
        ok = give(l, RECORD_TASK, slice_of(g->bytes.data + r->head_at, r->head_len), r->id);
        if (ok && bodies)
            ok = give(l, RECORD_BODY, slice_of(g->bytes.data + r->body.at, r->body.len), r->id);
    }
    return ok;
}

static bool load_index(struct load *l, const struct range *range, bool bodies) {
    uint32_t cap = l->need->count < ROWS_MAX ? l->need->count : ROWS_MAX;
    struct gather g = {.cap = cap, .rows = calloc(cap ? cap : 1, sizeof *g.rows)};
    bool ok = g.rows && gather_range(l, &g, range);
    if (ok && bodies) ok = gather_bodies(l, &g);
    if (ok) ok = give_gathered(l, &g, bodies);
    buffer_free(&g.bytes);
    free(g.rows);
    return ok;
}

static bool load_lane(struct load *l) {
    struct range range;
    struct key prefix;
    key_number(&prefix, KEY_LANED, l->need->lane);
    key_u8(&prefix, l->need->priority);
    range_prefix(&range, &prefix);
    key_laned(&range.from, l->need->lane, l->need->priority, l->need->order);
    return load_index(l, &range, true);
}

static bool load_due(struct load *l) {
    struct range range;
    struct key prefix;
    key_begin(&prefix, KEY_DUE);
    range_prefix(&range, &prefix);
    key_due(&range.from, l->need->due_ms, l->need->order ? l->need->order + 1 : 0);
    return load_index(l, &range, false);
}

/* Heads of ended tasks in order of id. It looks at LOOK_MAX rows; when those hold fewer than
 * asked for, the last one is given too, ended or not: the next sweep goes on behind it. */
static bool load_sweep(struct load *l) {
    struct range range;
    struct key prefix;
    struct scan scan;
    struct scan_row row;
    key_begin(&prefix, KEY_HEAD);
    range_prefix(&range, &prefix);
    if (l->need->id == UINT64_MAX) return true;
    key_id(&range.from, KEY_HEAD, l->need->id + 1);
    if (!scan_open(&scan, l->view, &range, false)) return false;
    bool ok = true;
    uint32_t given = 0;
    for (uint32_t looked = 1; ok && given < l->need->count && scan_next(&scan, &row); looked++) {
        struct head_place place;
        ok = head_place(row.value, &place) || bad(l, "the head", row_id(&row));
        if (!ok || !(status_ended(place.status) || looked == LOOK_MAX)) continue;
        ok = give(l, RECORD_TASK, row.value, place.id);
        given++;
        if (looked == LOOK_MAX) break;
    }
    ok = ok && !scan.failed;
    scan_close(&scan);
    return ok;
}

/* The object behind a name, or with this id. The overlay has what is pending of both. */
static bool load_object(struct load *l) {
    const struct need *n = l->need;
    uint64_t id = n->id;
    struct key key;
    if (n->key.len) {
        struct buffer value = {0};
        key_name(&key, KEY_NAME, n->object, n->brand, n->key);
        int got = view_get(l->view, &key, &value);
        bool whole = got > 0 && value.len == sizeof id;
        if (whole) memcpy(&id, value.data, sizeof id);
        buffer_free(&value);
        if (got <= 0) return got == 0;
        if (!whole) return bad(l, "a name", 0);
        id = le64toh(id);
    }
    key_object(&key, n->object, n->brand, id);
    return give_key(l, &key);
}

/* Objects whose end has come, in its order. */
static bool load_ended(struct load *l) {
    struct range range;
    struct scan scan;
    struct scan_row row;
    key_begin(&range.from, KEY_EXPIRY);
    range.to = range.from;
    key_u64(&range.from, (uint64_t)l->need->due_ms ^ 1ull << 63);
    key_u64(&range.to, ((uint64_t)l->need->order ^ 1ull << 63) + 1);
    if (!scan_open(&scan, l->view, &range, false)) return false;
    bool ok = true;
    for (uint32_t n = l->need->count; ok && n && scan_next(&scan, &row); n--) {
        struct key key;
        key_begin(&key, KEY_OBJECT);
        ok = row.key.len == 1 + 8 + 1 + 4 + 8;
        for (uint32_t i = 9; ok && i < row.key.len; i++) key_u8(&key, row.key.data[i]);
        ok = ok && give_key(l, &key);
    }
    ok = ok && !scan.failed;
    scan_close(&scan);
    return ok;
}

/* Dedup records behind (brand, key), which may be gone by now. */
static bool load_dedups(struct load *l) {
    struct range range;
    struct key prefix;
    key_begin(&prefix, KEY_DEDUP);
    range_prefix(&range, &prefix);
    key_name(&range.from, KEY_DEDUP, 0, l->need->brand, l->need->key);
    key_u8(&range.from, 0); /* the smallest key behind it */
    return give_range(l, &range, false, l->need->count);
}

static bool give_kind(struct load *l, enum key_kind kind) {
    struct key prefix;
    struct range range;
    key_begin(&prefix, kind);
    range_prefix(&range, &prefix);
    return give_range(l, &range, false, UINT32_MAX);
}

static bool give_active(struct load *l, enum status status) {
    struct key prefix;
    struct range range;
    key_begin(&prefix, KEY_STATUS);
    key_u8(&prefix, (uint8_t)status);
    range_prefix(&range, &prefix);
    return give_range(l, &range, false, UINT32_MAX);
}

static bool give_objects(struct load *l, uint8_t kind) {
    struct key prefix;
    struct range range;
    key_begin(&prefix, KEY_OBJECT);
    key_u8(&prefix, kind);
    range_prefix(&range, &prefix);
    return give_range(l, &range, false, UINT32_MAX);
}

static bool load_restore(struct load *l) {
    struct key meta;
    key_plain(&meta, KEY_META);
    return give_key(l, &meta) && give_kind(l, KEY_LANE) && give_kind(l, KEY_QUEUE) &&
           give_kind(l, KEY_WORKER) && give_kind(l, KEY_STATION) &&
           give_kind(l, KEY_SESSION) && give_kind(l, KEY_COMMAND) &&
           give_kind(l, KEY_SCHEDULE) &&
           give_objects(l, l->need->object) && give_active(l, STATUS_DELIVERED) &&
           give_active(l, STATUS_RUNNING) && give_active(l, STATUS_PAUSED);
}

static bool load_dedup(struct load *l) {
    struct key key;
    key_name(&key, KEY_DEDUP, 0, l->need->brand, l->need->key);
    return give_key(l, &key);
}

/* Tallies behind a place, whatever their age. */
static bool load_tallies(struct load *l) {
    const struct need *n = l->need;
    const struct tally_record place = {.brand = n->brand, .span = (uint8_t)n->lane,
                                       .slot = n->seq, .id = n->id + 1};
    struct range range;
    struct key prefix;
    key_begin(&prefix, KEY_TALLY);
    range_prefix(&range, &prefix);
    key_tally(&range.from, &place);
    return give_range(l, &range, false, n->count);
}

static bool load_file(struct load *l) {
    struct key key;
    key_id(&key, KEY_FILE, l->need->id);
    return give_key(l, &key);
}

/* The machine's, not ours: but files are read on this floor. */
static bool load_zone(struct load *l) {
    struct buffer bytes = {0};
    const bool there = zones_read(l->need->key, &bytes);
    const bool whole = !bytes.failed;
    struct record r = {.kind = RECORD_OBJECT, .object = {.name = l->need->key,
                                                         .body = buffer_slice(&bytes)}};
    if (there && whole) l->found(l->context, &r);
    buffer_free(&bytes);
    return whole;
}

static struct collect collect_for(const struct need *n, struct key *key) {
    struct collect c = {0};
    switch (n->kind) {
    case NEED_TASK: case NEED_BODY: case NEED_POINT: c.id = n->id; break;
    case NEED_LANE:
        c = (struct collect){.laned = true, .lane = n->lane, .priority = n->priority,
                             .order = n->order,
                             .limit = n->count < ROWS_MAX ? n->count : ROWS_MAX};
        break;
    case NEED_DUE: c.status_mask = 1u << STATUS_SCHEDULED; break;
    case NEED_DEDUP: key_name(key, KEY_DEDUP, 0, n->brand, n->key); c.key = key_slice(key); break;
    case NEED_OBJECT:
        if (n->key.len) key_name(key, KEY_NAME, n->object, n->brand, n->key);
        else key_object(key, n->object, n->brand, n->id);
        c.key = key_slice(key);
        break;
    case NEED_FILE: key_id(key, KEY_FILE, n->id); c.key = key_slice(key); break;
    case NEED_RESTORE:
        c.status_mask = 1u << STATUS_DELIVERED | 1u << STATUS_RUNNING | 1u << STATUS_PAUSED;
        c.plains = true;
        break;
    case NEED_SWEEP: c.tasks = !n->object; c.plains = n->object; break;
    case NEED_ZONE: case NEED_NONE: break;
    }
    return c;
}

static bool load(struct load *l) {
    switch (l->need->kind) {
    case NEED_TASK: return load_task(l);
    case NEED_BODY: return load_body(l);
    case NEED_POINT: return load_point(l);
    case NEED_LANE: return load_lane(l);
    case NEED_DUE: return load_due(l);
    case NEED_DEDUP: return load_dedup(l);
    case NEED_OBJECT: return load_object(l);
    case NEED_FILE: return load_file(l);
    case NEED_ZONE: return load_zone(l);
    case NEED_RESTORE: return load_restore(l);
    case NEED_SWEEP:
        return l->need->object == SWEEP_OBJECTS   ? load_ended(l)
               : l->need->object == SWEEP_TALLIES ? load_tallies(l)
               : l->need->object                  ? load_dedups(l)
                                                  : load_sweep(l);
    case NEED_NONE: break;
    }
    return true;
}

bool store_load(struct store *s, const struct need *need, uint64_t group, store_found *found,
                void *context, char *why, size_t why_size) {
    struct key key;
    if (need->key.len > CODEC_NAME_MAX) return true; /* nothing has such a name */
    struct collect collect = collect_for(need, &key);
    struct store_view *view = view_new(s, group, &collect, why, why_size);
    if (!view) return false;
    struct load l = {view, need, found, context};
    bool ok = load(&l);
    if (!ok) snprintf(why, why_size, "%s", view->why[0] ? view->why : "memory is out");
    store_view_close(&view);
    return ok;
}
