#include "store/materialise.h"
#include <assert.h>
#include <stdio.h>

static const enum key_kind indexes[] = {KEY_LANED, KEY_DUE, KEY_STATUS};
enum { INDEXES = sizeof indexes / sizeof *indexes };

static void put(struct materialise *m, const struct key *k, struct slice value) {
    table_batch_put(m->batch, key_slice(k), value);
    m->records++;
}

static void delete(struct materialise *m, const struct key *k) {
    table_batch_delete(m->batch, key_slice(k));
    m->records++;
}

/* The head as it was when the table last got it, as far as index keys depend on it. */
static struct task_head old_head(const struct task_entry *e, uint32_t brand) {
    const struct was *w = &e->where;
    return (struct task_head){.id = e->state.id, .brand = brand, .status = w->status,
                              .priority = w->priority, .lane = w->lane, .order = w->order,
                              .due_ms = w->due_ms};
}

static void move_index(struct materialise *m, enum key_kind kind, const struct task_head *from,
                       const struct task_head *to, struct slice head) {
    struct key old, new;
    struct slice old_type = pending_lane_type(m->pending, from->lane);
    struct slice new_type = pending_lane_type(m->pending, to->lane);
    bool was = from->status && key_index(&old, kind, from, old_type);
    bool is = to->status && key_index(&new, kind, to, new_type);
    bool same = was && is && slice_equal(key_slice(&old), key_slice(&new));
    if (was && !same) delete(m, &old);
    if (!is) return;
    /* A queued or active task's head stands in its index, so that reading a lane is one walk. */
    bool carries = kind == KEY_LANED || kind == KEY_STATUS;
    if (!same || carries) put(m, &new, carries ? head : (struct slice){0});
}

void materialise_time(struct materialise *m, int64_t created_ms) {
    const int64_t back = m->created_max_ms - created_ms;
    if (back > m->setback_ms) m->setback_ms = back;
    if (back < 0) m->created_max_ms = created_ms;
}

/* What is new, or was submitted anew, is found by its words. */
static void text_learn(struct materialise *m, const struct task_entry *e,
                       const struct task_head *head) {
    struct record r;
    if (!m->texts || !e->state.body.dirty || e->state.body.state != PART_PUT) return;
    if (!record_decode_value(RECORD_BODY, part_slice(&e->state.body), &r)) return;
    texts_note(m->texts, head->brand, head->id, pending_lane_type(m->pending, head->lane), &r.body);
}

static void put_head(struct materialise *m, struct task_entry *e, const struct task_head *head) {
    struct slice value = part_slice(&e->state.head);
    struct task_head from = old_head(e, head->brand);
    struct key key;
    key_id(&key, KEY_HEAD, head->id);
    put(m, &key, value);
    if (!e->where.status) materialise_time(m, head->created_ms);
    if (from.status != head->status || from.priority != head->priority || from.lane != head->lane) {
        const struct brief brief = brief_of(head);
        briefs_note(&m->briefs, head->brand, &brief);
    }
    text_learn(m, e, head);
    for (int i = 0; i < INDEXES; i++) move_index(m, indexes[i], &from, head, value);
}

/* The place under its number of a checkpoint that goes. */
static void delete_point(struct materialise *m, struct slice value) {
    struct record r;
    struct key key;
    if (!record_decode_value(RECORD_CHECKPOINT, value, &r)) return;
    key_point(&key, r.checkpoint.brand, r.checkpoint.number);
    delete(m, &key);
}

static bool delete_subs(struct materialise *m, uint64_t id, char *why, size_t why_size) {
    struct key prefix;
    struct range range;
    key_id(&prefix, KEY_SUB, id);
    range.from = prefix;
    key_after_prefix(&range.to, &prefix);
    struct table_scan *scan = table_scan_open(m->table, NULL, &range, false);
    if (!scan) { snprintf(why, why_size, "memory is out"); return false; }
    for (; table_scan_valid(scan); table_scan_next(scan)) {
        if (key_value_kind(table_scan_key(scan)) == RECORD_CHECKPOINT)
            delete_point(m, table_scan_value(scan));
        table_batch_delete(m->batch, table_scan_key(scan));
        m->records++;
    }
    bool ok = table_scan_ok(scan, why, why_size);
    table_scan_close(&scan);
    return ok;
}

/* Everything the table may hold of a task that is gone. A result is written with the end of the
 * task and taken away with a retry, so a task that was waiting has none. */
static bool delete_task(struct materialise *m, struct task_entry *e, uint32_t brand, char *why,
                        size_t why_size) {
    struct task_head from = old_head(e, brand), none = {.id = e->state.id};
    struct key key;
    if (!e->where.status) return true;
    briefs_note_gone(&m->briefs, brand, e->state.id);
    key_id(&key, KEY_HEAD, e->state.id);
    delete(m, &key);
    key_id(&key, KEY_BODY, e->state.id);
    delete(m, &key);
    if (e->where.status >= STATUS_PAUSED) {
        key_id(&key, KEY_RESULT, e->state.id);
        delete(m, &key);
    }
    for (int i = 0; i < INDEXES; i++) move_index(m, indexes[i], &from, &none, (struct slice){0});
    return !m->has_subs || delete_subs(m, e->state.id, why, why_size);
}

static void write_part(struct materialise *m, const struct key *key, const struct part *part) {
    if (part->state == PART_PUT) put(m, key, part_slice(part));
    else delete(m, key);
}

/* False when what goes cannot be read. */
static bool write_sub(struct materialise *m, const struct key *key, const struct part *part,
                      char *why, size_t why_size) {
    struct buffer value = {0};
    int got = 0;
    if (part->state == PART_GONE && key_value_kind(key_slice(key)) == RECORD_CHECKPOINT)
        got = table_get(m->table, NULL, key_slice(key), &value, why, why_size);
    if (got > 0) delete_point(m, buffer_slice(&value));
    buffer_free(&value);
    write_part(m, key, part);
    return got >= 0;
}

static bool write_parts(struct materialise *m, const struct task_entry *e, char *why,
                        size_t why_size) {
    struct key key;
    key_id(&key, KEY_BODY, e->state.id);
    if (e->state.body.dirty) write_part(m, &key, &e->state.body);
    key_id(&key, KEY_RESULT, e->state.id);
    if (e->state.result.dirty) write_part(m, &key, &e->state.result);
    for (const struct sub *s = e->state.subs; s; s = s->next) {
        if (!s->part.dirty) continue;
        key_id(&key, KEY_SUB, e->state.id);
        memcpy(key.bytes + key.len, s->suffix, s->len);
        key.len += s->len;
        if (!write_sub(m, &key, &s->part, why, why_size)) return false;
        m->has_subs = true;
    }
    return true;
}

/* A body that changed without its head: rare, so the head is read. */
static bool text_of_body(struct materialise *m, const struct task_entry *e, char *why,
                         size_t why_size) {
    struct buffer value = {0};
    struct record r;
    struct key key;
    if (!m->texts || !e->state.body.dirty || e->state.head.dirty || e->state.gone) return true;
    key_id(&key, KEY_HEAD, e->state.id);
    const int got = table_get(m->table, NULL, key_slice(&key), &value, why, why_size);
    if (got > 0 && record_decode_value(RECORD_TASK, buffer_slice(&value), &r))
        text_learn(m, e, &r.task);
    buffer_free(&value);
    return got >= 0;
}

bool materialise_task(struct materialise *m, struct task_entry *e, char *why, size_t why_size) {
    struct record r = {.kind = RECORD_NONE};
    struct was where = {0};
    if (e->state.head.dirty) {
        enum record_kind kind = e->state.gone ? RECORD_TASK_GONE : RECORD_TASK;
        bool ok = record_decode_value(kind, part_slice(&e->state.head), &r);
        assert(ok && e->where_known); /* it was taken in, and verified */
        if (e->state.gone) {
            if (!delete_task(m, e, r.task.brand, why, why_size)) return false;
        } else {
            put_head(m, e, &r.task);
            where = (struct was){r.task.status, r.task.priority, r.task.lane, r.task.order,
                                 r.task.due_ms};
        }
    }
    if (!text_of_body(m, e, why, why_size)) return false;
    if (!e->state.gone && !write_parts(m, e, why, why_size)) return false;
    pending_batched(e, &where);
    return true;
}

void materialise_plain(struct materialise *m, const struct plain_entry *e) {
    struct slice key = plain_key(e);
    if (e->part.state == PART_PUT) table_batch_put(m->batch, key, part_slice(&e->part));
    else table_batch_delete(m->batch, key);
    m->records++;
}

bool materialise_where(struct table *t, uint64_t id, struct was *where, char *why,
                       size_t why_size) {
    struct key key;
    struct buffer value = {0};
    struct record r;
    key_id(&key, KEY_HEAD, id);
    *where = (struct was){0};
    int got = table_get(t, NULL, key_slice(&key), &value, why, why_size);
    bool ok = got >= 0;
    if (got > 0) {
        ok = record_decode_value(RECORD_TASK, buffer_slice(&value), &r);
        if (ok)
            *where = (struct was){r.task.status, r.task.priority, r.task.lane, r.task.order,
                                  r.task.due_ms};
        else
            snprintf(why, why_size, "table: the head of %llu is damaged", (unsigned long long)id);
    }
    buffer_free(&value);
    return ok;
}
