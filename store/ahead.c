#include "store/ahead.h"
#include "store/heads.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void ahead_free(struct ahead *a) {
    buffer_free(&a->heads);
    free(a->rows);
    *a = (struct ahead){0};
}

static bool read_heads(struct ahead *a, const struct scan *scan) {
    uint64_t ids[AHEAD_MAX] = {0};
    size_t rows[AHEAD_MAX], count = 0; /* ids ascend */
    struct piece pieces[AHEAD_MAX];
    for (size_t i = 0; i < a->count; i++) {
        const size_t row = scan->descending ? a->count - 1 - i : i;
        if (a->rows[row].pending) continue;
        ids[count] = a->rows[row].id;
        rows[count++] = row;
    }
    if (!heads_read(scan->view, ids, count, &a->heads, pieces)) return false;
    for (size_t i = 0; i < count; i++) a->rows[rows[i]].head = pieces[i];
    return true;
}

static bool fill(struct ahead *a, struct scan *scan) {
    struct scan_row row;
    a->count = a->next = 0;
    if (!a->rows) a->rows = malloc(AHEAD_MAX * sizeof *a->rows);
    if (!a->rows) return false;
    a->size = a->size == 0 ? AHEAD_FIRST : a->size < AHEAD_MAX ? 2 * a->size : AHEAD_MAX;
    while (a->count < a->size && scan_next(scan, &row)) {
        struct ahead_row *r = &a->rows[a->count++];
        assert(row.key.len == AHEAD_KEY_BYTES);
        *r = (struct ahead_row){.id = row_id(&row), .value = row.value,
                                .pending = row.task != NULL};
        memcpy(r->key, row.key.data, AHEAD_KEY_BYTES);
    }
    return !scan->failed && read_heads(a, scan);
}

bool ahead_next(struct ahead *a, struct scan *scan, struct slice *key, struct slice *head,
                bool *failed) {
    if (a->next == a->count && !fill(a, scan)) {
        *failed = true;
        return false;
    }
    if (a->next == a->count) return false;
    const struct ahead_row *r = &a->rows[a->next++];
    *key = slice_of(r->key, AHEAD_KEY_BYTES);
    *head = r->value;
    if (r->pending) return true;
    if (r->head.len == UINT32_MAX) {
        snprintf(scan->view->why, sizeof scan->view->why, "the head of %" PRIu64 " is missing",
                 r->id);
        *failed = true;
        return false;
    }
    *head = slice_of(a->heads.data + r->head.at, r->head.len);
    return true;
}
