/* audit.c - store_audit: does everything that is kept agree with itself?
 *
 * Each index row must be the one its task's head calls for; as a task has at most one row in an
 * index, equal numbers of rows and of tasks that call for one then prove that none is missing. */
#include "store/audit.h"
#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPORTS_MAX = 1000, FINDING_BYTES = 200 };

struct lane_tally {
    struct lane_record lane; /* its texts are gone; the type lies in audit.types */
    size_t type_at;
    uint64_t count[STATUS_COUNT][PRIORITY_COUNT];
};

struct audit {
    struct store_view *view;
    store_report *report;
    void *context;
    uint64_t findings;
    struct lane_tally *lanes; /* owned, sorted by number */
    size_t lane_count, lane_cap;
    struct buffer types;
    uint64_t queued, scheduled, active;
    uint64_t objects, names, owned, ending; /* names: keys too */
    uint64_t objects_meta;
    uint64_t files, object_files; /* of objects: as objects say, as records do */
    struct buffer value;
};

__attribute__((format(printf, 2, 3)))
static void finding(struct audit *a, const char *format, ...) {
    char text[FINDING_BYTES];
    va_list list;
    if (++a->findings > REPORTS_MAX) return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    a->report(a->context, text);
}

typedef void audit_row(struct audit *a, const struct scan_row *row);

static uint64_t each(struct audit *a, enum key_kind kind, audit_row *look) {
    struct key prefix;
    struct range range;
    struct scan scan;
    struct scan_row row;
    uint64_t count = 0;
    key_begin(&prefix, kind);
    range_prefix(&range, &prefix);
    if (!scan_open(&scan, a->view, &range, false)) {
        finding(a, "keys '%c': %s", kind, a->view->why);
        return 0;
    }
    for (; scan_next(&scan, &row); count++) look(a, &row);
    if (scan.failed) finding(a, "keys '%c': %s", kind, a->view->why);
    scan_close(&scan);
    return count;
}

static int by_lane(const void *a, const void *b) {
    uint32_t x = ((const struct lane_tally *)a)->lane.lane;
    uint32_t y = ((const struct lane_tally *)b)->lane.lane;
    return (x > y) - (x < y);
}

static struct lane_tally *lane_find(struct audit *a, uint32_t number) {
    struct lane_tally key = {.lane = {.lane = number}};
    if (!a->lane_count) return NULL;
    return bsearch(&key, a->lanes, a->lane_count, sizeof key, by_lane);
}

static void look_lane(struct audit *a, const struct scan_row *row) {
    struct record r;
    if (!record_decode_value(RECORD_LANE, row->value, &r)) {
        finding(a, "a lane is damaged");
        return;
    }
    if (a->lane_count == a->lane_cap) {
        size_t cap = a->lane_cap ? a->lane_cap * 2 : 64;
        struct lane_tally *lanes = realloc(a->lanes, cap * sizeof *lanes);
        if (!lanes) { finding(a, "memory is out"); return; }
        a->lanes = lanes;
        a->lane_cap = cap;
    }
    struct lane_tally *tally = &a->lanes[a->lane_count++];
    *tally = (struct lane_tally){.lane = r.lane};
    tally->lane.queue = tally->lane.labels = (struct slice){0};
    tally->lane.type.data = NULL;
    tally->type_at = a->types.len;
    buffer_append(&a->types, r.lane.type.data, r.lane.type.len);
}

static struct slice lane_type(struct audit *a, uint32_t number) {
    const struct lane_tally *l = lane_find(a, number);
    if (!l || !l->lane.type.len) return (struct slice){0};
    return slice_of(a->types.data + l->type_at, l->lane.type.len);
}

static struct slice type_of(void *context, uint32_t lane) { return lane_type(context, lane); }

static void say_task(void *context, uint64_t id, const char *what) {
    finding(context, "task %" PRIu64 ": %s", id, what);
}

static void look_head(struct audit *a, const struct scan_row *row) {
    struct record r;
    if (!record_decode_value(RECORD_TASK, row->value, &r)) {
        finding(a, "task %" PRIu64 ": its head is damaged", row_id(row));
        return;
    }
    const struct task_head *t = &r.task;
    if (t->status == STATUS_QUEUED) a->queued++;
    else if (t->status == STATUS_SCHEDULED) a->scheduled++;
    else if (t->status < STATUS_COMPLETED) a->active++;
    struct lane_tally *lane = lane_find(a, t->lane);
    if (lane) lane->count[t->status][t->priority]++;
    else finding(a, "task %" PRIu64 ": there is no lane %u", t->id, t->lane);
    if (lane && lane->lane.brand != t->brand)
        finding(a, "task %" PRIu64 ": brand %u, but its lane's is %u", t->id, t->brand,
                lane->lane.brand);
    buffer_clear(&a->value);
    if (view_part(a->view, t->id, KEY_BODY, &a->value) <= 0 ||
        !record_decode_value(RECORD_BODY, buffer_slice(&a->value), &r))
        finding(a, "task %" PRIu64 ": its body is missing or damaged", row_id(row));
}

/* The row must be what the head of its task calls for, and carry that head where it carries one. */
static void look_index(struct audit *a, const struct scan_row *row) {
    struct record r;
    struct key key;
    uint64_t id = row_id(row);
    enum key_kind kind = row->key.data[0];
    buffer_clear(&a->value);
    if (view_part(a->view, id, KEY_HEAD, &a->value) <= 0) {
        finding(a, "index '%c': task %" PRIu64 " is not there", kind, id);
        return;
    }
    if (!record_decode_value(RECORD_TASK, buffer_slice(&a->value), &r)) return; /* said already */
    bool has = key_index(&key, kind, &r.task, lane_type(a, r.task.lane));
    if (!has || !slice_equal(key_slice(&key), row->key))
        finding(a, "index '%c': task %" PRIu64 " is in a place that its head does not name", kind,
                id);
    else if (!row->task && row->value.len && !slice_equal(row->value, buffer_slice(&a->value)))
        finding(a, "index '%c': task %" PRIu64 " carries another head than its own", kind, id);
}

/* A checkpoint must be found under its number. Numbers that lead to none any more are passed over
 * by whoever walks them. */
static void look_point(struct audit *a, const struct checkpoint_record *c) {
    struct key key;
    key_point(&key, c->brand, c->number);
    buffer_clear(&a->value);
    if (view_get(a->view, &key, &a->value) <= 0)
        finding(a, "checkpoint %" PRIu64 " is not found by its number", c->number);
}

/* Parts in the table must decode and belong to a task that is there. Those of tasks that pending
 * entries speak for are not looked at: the table may be about to lose them. */
static void look_parts(struct audit *a, enum key_kind kind) {
    struct key prefix;
    struct range range;
    if (!a->view->table) return;
    key_begin(&prefix, kind);
    range_prefix(&range, &prefix);
    struct table_scan *scan = table_scan_open(a->view->table, a->view->snapshot, &range, false);
    for (; scan && table_scan_valid(scan); table_scan_next(scan)) {
        struct slice key = table_scan_key(scan), value = table_scan_value(scan);
        struct record r;
        uint64_t id = key_tail_id(slice_of(key.data, 9));
        if (overlay_task(&a->view->overlay, id)) continue;
        if (!record_decode_value(key_value_kind(key), value, &r))
            finding(a, "task %" PRIu64 ": a part of it is damaged", id);
        else if (r.kind == RECORD_CHECKPOINT)
            look_point(a, &r.checkpoint);
        buffer_clear(&a->value);
        if (view_part(a->view, id, KEY_HEAD, &a->value) <= 0)
            finding(a, "task %" PRIu64 ": a part (%c) is there, the task is not", id, kind);
    }
    char why[WHY_BYTES] = "memory is out";
    if (!scan || !table_scan_ok(scan, why, sizeof why)) finding(a, "keys '%c': %s", kind, why);
    table_scan_close(&scan);
}

static void look_plain(struct audit *a, const struct scan_row *row) {
    struct record r;
    struct key key;
    if (!record_decode_value(key_value_kind(row->key), row->value, &r))
        finding(a, "keys '%c': a record is damaged", row->key.data[0]);
    else if (!key_of_record(&key, &r) || !slice_equal(key_slice(&key), row->key))
        finding(a, "keys '%c': a record lies under another key than its own", row->key.data[0]);
}

/* ---- objects ---- */

static void look_meta(struct audit *a, const struct scan_row *row) {
    struct record r;
    if (record_decode_value(RECORD_META, row->value, &r)) a->objects_meta = r.meta.objects;
}

static void look_file(struct audit *a, const struct object_record *o) {
    struct record r;
    struct key key;
    key_id(&key, KEY_FILE, o->file);
    buffer_clear(&a->value);
    if (view_get(a->view, &key, &a->value) <= 0 ||
        !record_decode_value(RECORD_FILE, buffer_slice(&a->value), &r))
        finding(a, "object %" PRIu64 ": its file has no record", o->id);
    else if (r.file.task != o->id)
        finding(a, "object %" PRIu64 ": its file is another's", o->id);
}

static void look_object(struct audit *a, const struct scan_row *row) {
    struct record r;
    struct key key;
    struct object_keys cursor = {0};
    if (!record_decode_value(RECORD_OBJECT, row->value, &r)) return; /* look_plain says it */
    a->objects++;
    while (key_of_object(&key, &r.object, &cursor)) {
        a->names += key.bytes[0] == KEY_NAME;
        a->owned += key.bytes[0] == KEY_OWNED;
        a->ending += key.bytes[0] == KEY_EXPIRY;
    }
    if (r.object.file) look_file(a, &r.object);
    a->files += r.object.file != 0;
}

/* A file that is not a task's must be an object's. */
static void look_owner(struct audit *a, const struct scan_row *row) {
    struct record r;
    if (!record_decode_value(RECORD_FILE, row->value, &r)) return; /* look_plain says it */
    buffer_clear(&a->value);
    if (r.file.task && view_part(a->view, r.file.task, KEY_HEAD, &a->value) <= 0)
        a->object_files++;
}

/* The row must be one of the keys that the object which it leads to calls for. */
static void look_object_key(struct audit *a, const struct scan_row *row) {
    enum key_kind kind = row->key.data[0];
    struct record r;
    struct key key, wanted;
    struct object_keys cursor = {0};
    uint32_t at = kind == KEY_EXPIRY ? 9 : 1; /* of kind and brand */
    uint64_t id = kind == KEY_NAME ? 0 : key_tail_id(row->key);
    if (kind == KEY_NAME && row->value.len == 8) memcpy(&id, row->value.data, 8), id = le64toh(id);
    key_begin(&key, KEY_OBJECT);
    for (uint32_t i = 0; i < 5 && at + i < row->key.len; i++) key_u8(&key, row->key.data[at + i]);
    key_u64(&key, id);
    buffer_clear(&a->value);
    if (view_get(a->view, &key, &a->value) <= 0 ||
        !record_decode_value(RECORD_OBJECT, buffer_slice(&a->value), &r)) {
        finding(a, "index '%c': object %" PRIu64 " is not there", kind, id);
        return;
    }
    while (key_of_object(&wanted, &r.object, &cursor))
        if (slice_equal(key_slice(&wanted), row->key)) return;
    finding(a, "index '%c': object %" PRIu64 " does not name that place", kind, id);
}

static void audit_objects(struct audit *a) {
    each(a, KEY_META, look_meta);
    each(a, KEY_OBJECT, look_object);
    const struct { enum key_kind kind; uint64_t rows; } indexes[] = {
        {KEY_NAME, a->names}, {KEY_OWNED, a->owned}, {KEY_EXPIRY, a->ending}};
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        uint64_t rows = each(a, indexes[i].kind, look_object_key);
        if (rows != indexes[i].rows)
            finding(a, "index '%c': %" PRIu64 " rows, objects call for %" PRIu64,
                    indexes[i].kind, rows, indexes[i].rows);
    }
    each(a, KEY_FILE, look_owner);
    if (a->object_files != a->files)
        finding(a, "files: %" PRIu64 " are of no task, %" PRIu64 " of objects", a->object_files,
                a->files);
    if (a->objects != a->objects_meta)
        finding(a, "objects: counter %" PRIu64 ", objects %" PRIu64, a->objects_meta, a->objects);
}

static void compare_counts(struct audit *a) {
    for (size_t i = 0; i < a->lane_count; i++) {
        const struct lane_tally *l = &a->lanes[i];
        for (int s = 1; s < STATUS_COUNT; s++)
            for (int p = 0; p < PRIORITY_COUNT; p++)
                if (l->count[s][p] != l->lane.count[s][p])
                    finding(a, "lane %u: status %d, priority %d: counter %" PRIu64
                            ", tasks %" PRIu64, l->lane.lane, s, p, l->lane.count[s][p],
                            l->count[s][p]);
    }
}

static void expect_rows(struct audit *a, enum key_kind kind, uint64_t tasks) {
    uint64_t rows = each(a, kind, look_index);
    if (rows != tasks)
        finding(a, "index '%c': %" PRIu64 " rows for %" PRIu64 " tasks", kind, rows, tasks);
}

uint64_t store_audit(struct store *s, store_report *report, void *context) {
    char why[WHY_BYTES];
    struct audit a = {.report = report, .context = context};
    uint64_t newest = store_next_group(s) - 1;
    a.view = store_view_open(s, newest, why, sizeof why);
    if (!a.view) { finding(&a, "%s", why); return a.findings; }
    each(&a, KEY_LANE, look_lane);
    if (a.types.failed) finding(&a, "memory is out");
    each(&a, KEY_HEAD, look_head);
    expect_rows(&a, KEY_LANED, a.queued);
    expect_rows(&a, KEY_DUE, a.scheduled);
    expect_rows(&a, KEY_STATUS, a.active);
    look_parts(&a, KEY_BODY);
    look_parts(&a, KEY_RESULT);
    look_parts(&a, KEY_SUB);
    compare_counts(&a);
    struct audit_blocks blocks = {a.view, &a, type_of, say_task};
    audit_blocks(&blocks);
    audit_objects(&a);
    static const enum key_kind plains[] = {KEY_META, KEY_LANE, KEY_QUEUE, KEY_WORKER,
                                           KEY_DEDUP, KEY_OBJECT, KEY_FILE, KEY_STATION,
                                           KEY_SESSION, KEY_COMMAND, KEY_SCHEDULE, KEY_TALLY};
    for (size_t i = 0; i < sizeof plains / sizeof *plains; i++) each(&a, plains[i], look_plain);
    store_view_close(&a.view);
    buffer_free(&a.value);
    buffer_free(&a.types);
    free(a.lanes);
    return a.findings;
}
