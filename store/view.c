#include "store/view.h"
#include "store/coding.h"
#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

struct overlay_row {
    size_t key_at;
    uint32_t key_len;
    struct slice value;
    const struct task_state *task;
    const struct buffer *keys; /* for sorting */
};

struct store_view *view_new(struct store *s, uint64_t group, const struct collect *collect,
                            char *why, size_t why_size) {
    struct store_view *v = calloc(1, sizeof *v);
    if (!v) { snprintf(why, why_size, "memory is out"); return NULL; }
    bool ok = s->ops->view(s, group, collect, v, why, why_size);
    if (ok && v->overlay.failed) {
        snprintf(why, why_size, "memory is out");
        ok = false;
    }
    if (!ok) store_view_close(&v);
    return v;
}

void store_view_close(struct store_view **self) {
    struct store_view *v = *self;
    if (!v) return;
    overlay_free(&v->overlay);
    if (v->table) table_snapshot_close(v->table, &v->snapshot);
    free(v);
    *self = NULL;
}

void range_prefix(struct range *r, const struct key *prefix) {
    r->from = *prefix;
    key_after_prefix(&r->to, prefix);
}

bool table_state_read(struct slice value, struct table_state *s) {
    struct reader r = {value.data, value.data + value.len, false};
    s->reached = get_u64(&r);
    s->version = get_u32(&r);
    if (r.bad || s->version < LAYOUT_VERSION_MIN || s->version > LAYOUT_VERSION) return false;
    if (s->version < LAYOUT_VERSION) return true; /* upgrade.c finds out what more there is */
    s->created_max_ms = (int64_t)get_u64(&r);
    s->setback_ms = (int64_t)get_u64(&r);
    s->text_key = get_u64(&r);
    return !r.bad && r.p == r.end;
}

uint64_t row_id(const struct scan_row *row) {
    if (row->task) return row->task->id;
    if (row->key.data[0] != KEY_LANED) return key_tail_id(row->key);
    uint64_t id = 0; /* the lane's key ends in the order; the value begins with the id */
    if (row->value.len >= 8) memcpy(&id, row->value.data, 8);
    return le64toh(id);
}

static bool task_kind(enum key_kind kind) {
    return kind == KEY_LANED || kind == KEY_DUE || kind == KEY_STATUS || kind == KEY_HEAD;
}

static struct slice row_key(const struct overlay_row *row) {
    return slice_of(row->keys->data + row->key_at, row->key_len);
}

static void push_row(struct scan *s, struct slice key, struct slice value,
                     const struct task_state *task) {
    if (slice_order(key, key_slice(&s->range.from)) < 0) return;
    if (slice_order(key, key_slice(&s->range.to)) >= 0) return;
    if (s->row_count == s->row_cap) {
        size_t cap = s->row_cap ? s->row_cap * 2 : 16;
        struct overlay_row *rows = realloc(s->rows, cap * sizeof *rows);
        if (!rows) { s->failed = true; return; }
        s->rows = rows;
        s->row_cap = cap;
    }
    s->rows[s->row_count++] =
        (struct overlay_row){s->keys.len, key.len, value, task, &s->keys};
    buffer_append(&s->keys, key.data, key.len);
    if (s->keys.failed) s->failed = true;
}

static void gather_tasks(struct scan *s) {
    const struct overlay *o = &s->view->overlay;
    for (size_t i = 0; i < o->task_count && !s->failed; i++) {
        const struct task_state *t = &o->tasks[i];
        struct record r;
        struct key key;
        if (t->head.state != PART_PUT) continue;
        if (!record_decode_value(RECORD_TASK, part_slice(&t->head), &r)) {
            s->failed = true;
            return;
        }
        if (key_index(&key, s->kind, &r.task, t->type))
            push_row(s, key_slice(&key), part_slice(&t->head), t);
    }
}

static void gather_subs(struct scan *s) {
    if (!s->owner) return;
    for (const struct sub *sub = s->owner->subs; sub; sub = sub->next) {
        struct key key;
        if (sub->part.state != PART_PUT) continue;
        key_id(&key, KEY_SUB, s->owner->id);
        memcpy(key.bytes + key.len, sub->suffix, sub->len);
        key.len += sub->len;
        push_row(s, key_slice(&key), part_slice(&sub->part), s->owner);
    }
}

static void gather_plains(struct scan *s) {
    const struct overlay *o = &s->view->overlay;
    for (size_t i = 0; i < o->plain_count; i++)
        if (o->plains[i].part.state == PART_PUT)
            push_row(s, o->plains[i].key, part_slice(&o->plains[i].part), NULL);
}

static int rows_ascending(const void *a, const void *b) {
    return slice_order(row_key(a), row_key(b));
}
static int rows_descending(const void *a, const void *b) {
    return slice_order(row_key(b), row_key(a));
}

static uint64_t sub_owner_id(const struct key *key) {
    uint64_t id;
    assert(key->len >= 9);
    memcpy(&id, key->bytes + 1, 8);
    return be64toh(id);
}

bool scan_open(struct scan *s, struct store_view *v, const struct range *range, bool descending) {
    return scan_open_within(s, v, range, range, descending);
}

bool scan_open_within(struct scan *s, struct store_view *v, const struct range *range,
                      const struct range *table, bool descending) {
    *s = (struct scan){.view = v, .descending = descending, .kind = range->from.bytes[0]};
    s->range = *range;
    if (s->kind == KEY_SUB) s->owner = overlay_task(&v->overlay, sub_owner_id(&range->from));
    if (task_kind(s->kind)) gather_tasks(s);
    else if (s->kind == KEY_SUB) gather_subs(s);
    else gather_plains(s);
    if (s->row_count > 1)
        qsort(s->rows, s->row_count, sizeof *s->rows,
              descending ? rows_descending : rows_ascending);
    bool from_table = v->table && !(s->owner && s->owner->gone) &&
                      slice_order(key_slice(&table->from), key_slice(&table->to)) < 0;
    if (from_table && !s->failed) {
        s->table = table_scan_open(v->table, v->snapshot, table, descending);
        if (!s->table) s->failed = true;
    }
    if (s->failed) {
        snprintf(v->why, sizeof v->why, "memory is out, or a pending record is damaged");
        scan_close(s);
    }
    return !s->failed;
}

void scan_close(struct scan *s) {
    table_scan_close(&s->table);
    buffer_free(&s->keys);
    free(s->rows);
    s->rows = NULL;
    s->row_count = s->row_next = 0;
}

static bool sub_known(const struct task_state *owner, struct slice key) {
    if (!owner) return false;
    for (const struct sub *sub = owner->subs; sub; sub = sub->next)
        if (key.len == 9u + sub->len && memcmp(key.data + 9, sub->suffix, sub->len) == 0)
            return true;
    return false;
}

/* What the overlay knows better than the table. */
static bool hidden(const struct scan *s, const struct scan_row *row) {
    if (s->kind == KEY_SUB) return sub_known(s->owner, row->key);
    if (!task_kind(s->kind)) return overlay_plain(&s->view->overlay, row->key) != NULL;
    uint64_t id = row_id(row);
    const struct task_state *t = overlay_task(&s->view->overlay, id);
    return (t && t->head.state != PART_TABLE) || overlay_hides(&s->view->overlay, id);
}

/* The table's next row that counts; false at its end. */
static bool table_row(struct scan *s, struct scan_row *row) {
    if (!s->table) return false;
    for (; table_scan_valid(s->table); table_scan_next(s->table)) {
        *row = (struct scan_row){table_scan_key(s->table), table_scan_value(s->table), NULL};
        if (!hidden(s, row)) return true;
    }
    if (!table_scan_ok(s->table, s->view->why, sizeof s->view->why)) s->failed = true;
    table_scan_close(&s->table);
    return false;
}

bool scan_next(struct scan *s, struct scan_row *row) {
    if (s->on_table && s->table) table_scan_next(s->table);
    s->on_table = false;
    struct scan_row from_table;
    bool table = table_row(s, &from_table);
    if (s->failed) return false;
    if (s->row_next == s->row_count) {
        if (!table) return false;
        s->on_table = true;
        *row = from_table;
        return true;
    }
    const struct overlay_row *mine = &s->rows[s->row_next];
    int order = table ? slice_order(from_table.key, row_key(mine)) : 1;
    if (table && (s->descending ? order > 0 : order < 0)) {
        s->on_table = true;
        *row = from_table;
        return true;
    }
    s->row_next++;
    *row = (struct scan_row){row_key(mine), mine->value, mine->task};
    return true;
}

int view_get(struct store_view *v, const struct key *key, struct buffer *value) {
    const struct overlay_plain *p = overlay_plain(&v->overlay, key_slice(key));
    if (p) {
        if (p->part.state != PART_PUT) return 0;
        buffer_append(value, p->part.data, p->part.len);
        return 1;
    }
    if (!v->table) return 0;
    return table_get(v->table, v->snapshot, key_slice(key), value, v->why, sizeof v->why);
}

int view_part(struct store_view *v, uint64_t id, enum key_kind kind, struct buffer *value) {
    const struct task_state *t = overlay_task(&v->overlay, id);
    if (t && t->gone) return 0;
    const struct part *part = !t                  ? NULL
                              : kind == KEY_HEAD  ? &t->head
                              : kind == KEY_BODY  ? &t->body
                                                  : &t->result;
    if (part && part->state == PART_GONE) return 0;
    if (part && part->state == PART_PUT) {
        buffer_append(value, part->data, part->len);
        return 1;
    }
    struct key key;
    key_id(&key, kind, id);
    if (!v->table) return 0;
    return table_get(v->table, v->snapshot, key_slice(&key), value, v->why, sizeof v->why);
}
