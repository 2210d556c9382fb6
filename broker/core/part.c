#include "broker/core/part.h"
#include "broker/core/effect.h"
#include "broker/core/task.h"
#include <stdlib.h>

static void rows_drop(struct core *c, struct parts *p) {
    c->part_bytes -= p->rows.len;
    buffer_clear(&p->rows);
    p->count = 0;
}

/* Half of what is held goes at once, so that each row is moved only once or twice. */
static void rows_halve(struct core *c, struct parts *p) {
    struct log_record row;
    uint32_t at = 0, gone = 0;
    const struct slice rows = buffer_slice(&p->rows);
    while (at < rows.len / 2 && log_next(rows, &at, &row)) gone++;
    memmove(p->rows.data, p->rows.data + at, p->rows.len - at);
    p->rows.len -= at;
    c->part_bytes -= at;
    p->first += gone;
    p->count -= gone;
}

static void part_hold(struct core *c, struct task *t, const struct log_record *row) {
    if (!t->parts) t->parts = calloc(1, sizeof *t->parts);
    assert(t->parts != NULL);
    struct parts *p = t->parts;
    if (c->part_bytes > c->limits.parts_held_max) rows_drop(c, p);
    if (p->count == 0) p->first = row->line;
    const size_t before = p->rows.len;
    log_put(&p->rows, row);
    assert(!p->rows.failed);
    c->part_bytes += p->rows.len - before;
    p->count++;
    while (p->rows.len > PARTS_HELD_BYTES && p->count > 1) rows_halve(c, p);
}

enum code part_take(struct core *c, const struct report *r, struct lease *l) {
    struct task *t = l->task;
    if (r->seq > 0 && r->seq <= t->head.parts) return CODE_OK;
    if (r->seq > t->head.parts + 1) return CODE_CONFLICT;
    if (t->head.parts >= c->limits.parts_max) return CODE_LIMIT_REACHED;
    if (task_accepted(t)) return CODE_INVALID_STATE;
    if (c->disk_full) return CODE_STORAGE_FULL;
    struct record *n = note(c, RECORD_PART);
    n->log = (struct log_record){.id = t->head.id, .line = ++t->head.parts, .level = LOG_PART,
                                 .time_ms = c->wall, .text = note_keep(c, r->text)};
    part_hold(c, t, &n->log);
    buffer_clear(&l->text); /* what was said meanwhile has become this */
    task_change(c, t, CHANGE_HEAD | CHANGE_NOTES);
    return CODE_OK;
}

bool part_held(const struct task *t, uint32_t after) {
    return after >= t->head.parts ||
           (t->parts && t->parts->count > 0 && t->parts->first <= after + 1);
}

/* Appends the row when it is the one that comes next and there is room; false at the end. */
static bool row_show(struct buffer *rows, struct view *v, const struct log_record *row,
                     uint32_t after) {
    if (row->line <= after + v->part_count) return true;
    if (row->line > after + v->part_count + 1) return false;
    if (rows->len > 0 && rows->len + row->text.len > PARTS_SHOWN_BYTES) return false;
    log_put(rows, row);
    v->part_count++;
    return true;
}

void part_show(struct core *c, struct view *v, const struct task *t, const struct event *loaded,
               uint32_t after) {
    struct buffer rows = {0};
    struct log_record row;
    bool more = true;
    for (uint32_t i = 0; more && loaded && i < loaded->record_count; i++)
        if (loaded->records[i].kind == RECORD_PART)
            more = row_show(&rows, v, &loaded->records[i].log, after);
    uint32_t at = 0;
    while (more && t->parts && log_next(buffer_slice(&t->parts->rows), &at, &row))
        more = row_show(&rows, v, &row, after);
    v->parts = note_keep(c, buffer_slice(&rows));
    buffer_free(&rows);
}

void part_free(struct core *c, struct task *t) {
    if (!t->parts) return;
    rows_drop(c, t->parts);
    buffer_free(&t->parts->rows);
    free(t->parts);
    t->parts = NULL;
}
