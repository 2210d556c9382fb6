#include "store/ahead.h"
#include "store/parts.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void ahead_free(struct ahead *a) {
    buffer_free(&a->heads);
    buffer_free(&a->results);
    free(a->rows);
    *a = (struct ahead){0};
}

static const struct part *pending_part(const struct browse_row *row, enum key_kind kind) {
    return !row->task ? NULL : kind == KEY_HEAD ? &row->task->head : &row->task->result;
}

static struct piece *piece_of(struct ahead_row *r, enum key_kind kind) {
    return kind == KEY_HEAD ? &r->head : &r->result;
}

/* What the table has of the rows goes into `bytes`, what is pending behind it. */
static bool read_parts(struct ahead *a, struct store_view *v, enum key_kind kind,
                       struct buffer *bytes) {
    uint64_t ids[AHEAD_MAX] = {0};
    struct ahead_row *rows[AHEAD_MAX];
    struct piece pieces[AHEAD_MAX];
    const bool descending =
        a->count > 0 && a->rows[0].row.brief.id > a->rows[a->count - 1].row.brief.id;
    size_t count = 0; /* ids ascend */
    buffer_clear(bytes);
    for (size_t i = 0; i < a->count; i++) {
        struct ahead_row *r = &a->rows[descending ? a->count - 1 - i : i];
        const struct part *part = pending_part(&r->row, kind);
        piece_of(r, kind)->len = UINT32_MAX;
        if (part && part->state != PART_TABLE) continue;
        ids[count] = r->row.brief.id;
        rows[count++] = r;
    }
    if (v->table && count > 0 && !parts_read(v, kind, ids, count, bytes, pieces)) return false;
    for (size_t i = 0; v->table && i < count; i++) *piece_of(rows[i], kind) = pieces[i];
    for (size_t i = 0; i < a->count; i++) {
        const struct part *part = pending_part(&a->rows[i].row, kind);
        if (!part || part->state != PART_PUT) continue;
        *piece_of(&a->rows[i], kind) = (struct piece){bytes->len, part->len};
        buffer_append(bytes, part->data, part->len);
    }
    return !bytes->failed;
}

static bool fill(struct ahead *a, struct store_view *v, struct browse *b,
                 struct ahead_parts parts, uint64_t looks_max) {
    a->count = a->next = 0;
    if (!a->rows) a->rows = malloc(AHEAD_MAX * sizeof *a->rows);
    if (!a->rows) return false;
    a->size = a->size == 0 ? AHEAD_FIRST : a->size < AHEAD_MAX ? 2 * a->size : AHEAD_MAX;
    while (a->count < a->size) {
        const uint64_t read = a->given + a->count;
        if (looks_max && read + browse_looked(b) >= looks_max) break;
        if (!browse_next(b, looks_max ? looks_max - read : 0, &a->rows[a->count].row)) break;
        a->count++;
    }
    return !browse_failed(b) && (!parts.heads || read_parts(a, v, KEY_HEAD, &a->heads)) &&
           (!parts.results || read_parts(a, v, KEY_RESULT, &a->results));
}

bool ahead_next(struct ahead *a, struct store_view *v, struct browse *b, struct ahead_parts parts,
                uint64_t looks_max, bool *failed) {
    if (a->next == a->count && !fill(a, v, b, parts, looks_max)) {
        *failed = true;
        return false;
    }
    if (a->next == a->count) {
        a->place = browse_place(b);
        return false;
    }
    const struct ahead_row *r = &a->rows[a->next++];
    a->given++;
    a->place = r->row.brief.id;
    if (!parts.heads || r->head.len != UINT32_MAX) return true;
    snprintf(v->why, sizeof v->why, "the head of %" PRIu64 " is missing", r->row.brief.id);
    *failed = true;
    return false;
}

uint64_t ahead_looked(const struct ahead *a, const struct browse *b) {
    return a->given + browse_looked(b);
}

uint64_t ahead_place(const struct ahead *a) { return a->place; }

static struct slice slice_at(const struct buffer *bytes, const struct piece *piece) {
    if (piece->len == UINT32_MAX || piece->len == 0) return (struct slice){0};
    return slice_of(bytes->data + piece->at, piece->len);
}

struct slice ahead_head(const struct ahead *a) {
    return slice_at(&a->heads, &a->rows[a->next - 1].head);
}

struct slice ahead_result(const struct ahead *a) {
    return slice_at(&a->results, &a->rows[a->next - 1].result);
}

const struct browse_row *ahead_row(const struct ahead *a) { return &a->rows[a->next - 1].row; }
