#include "store/ahead.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { NEAR = 4 };

void ahead_free(struct ahead *a) {
    buffer_free(&a->heads);
    free(a->rows);
    *a = (struct ahead){0};
}

struct wanted { /* heads that are the table's; ids ascend */
    uint8_t keys[AHEAD_MAX][KEY_ID_BYTES];
    size_t rows[AHEAD_MAX], count;
};

static void wanted_make(const struct ahead *a, const struct scan *scan, struct wanted *w) {
    struct key key;
    w->count = 0;
    for (size_t i = 0; i < a->count; i++) {
        const size_t row = scan->descending ? a->count - 1 - i : i;
        if (a->rows[row].pending) continue;
        key_id(&key, KEY_HEAD, a->rows[row].id);
        memcpy(w->keys[w->count], key.bytes, KEY_ID_BYTES);
        w->rows[w->count++] = row;
    }
}

/* So near to each other that reading all between costs less than finding each. */
static bool heads_are_near(const struct ahead *a, const struct wanted *w) {
    const uint64_t first = a->rows[w->rows[0]].id, last = a->rows[w->rows[w->count - 1]].id;
    return last - first < NEAR * w->count;
}

static bool heads_walk(struct ahead *a, struct scan *scan, const struct wanted *w) {
    struct store_view *v = scan->view;
    struct range range;
    size_t at = 0;
    key_id(&range.from, KEY_HEAD, a->rows[w->rows[0]].id);
    key_id(&range.to, KEY_HEAD, a->rows[w->rows[w->count - 1]].id + 1);
    for (size_t i = 0; i < w->count; i++) a->rows[w->rows[i]].head.len = UINT32_MAX;
    struct table_scan *heads = table_scan_open(v->table, v->snapshot, &range, false);
    for (; heads && at < w->count && table_scan_valid(heads); table_scan_next(heads)) {
        const uint64_t id = key_tail_id(table_scan_key(heads));
        while (at < w->count && a->rows[w->rows[at]].id < id) at++;
        if (at == w->count || a->rows[w->rows[at]].id != id) continue;
        const struct slice value = table_scan_value(heads);
        a->rows[w->rows[at++]].head = (struct piece){a->heads.len, value.len};
        buffer_append(&a->heads, value.data, value.len);
    }
    const bool ok = heads && table_scan_ok(heads, v->why, sizeof v->why);
    table_scan_close(&heads);
    return ok;
}

static bool heads_read(struct ahead *a, struct scan *scan) {
    struct store_view *v = scan->view;
    struct wanted w;
    struct slice slices[AHEAD_MAX];
    struct piece pieces[AHEAD_MAX];
    buffer_clear(&a->heads);
    wanted_make(a, scan, &w);
    if (w.count == 0) return true;
    if (heads_are_near(a, &w)) return heads_walk(a, scan, &w) && !a->heads.failed;
    for (size_t i = 0; i < w.count; i++) slices[i] = slice_of(w.keys[i], KEY_ID_BYTES);
    const bool ok = table_get_many(v->table, v->snapshot, slices, w.count, &a->heads, pieces,
                                   v->why, sizeof v->why);
    for (size_t i = 0; ok && i < w.count; i++) a->rows[w.rows[i]].head = pieces[i];
    return ok && !a->heads.failed;
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
    return !scan->failed && heads_read(a, scan);
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
