#include "store/seek.h"
#include <stdio.h>

bool seek_state(struct store_view *v, struct table_state *state) {
    struct buffer value = {0};
    struct key key;
    key_plain(&key, KEY_REACHED);
    *state = (struct table_state){0};
    int got = v->table ? table_get(v->table, v->snapshot, key_slice(&key), &value, v->why,
                                   sizeof v->why)
                       : 0;
    if (got > 0) table_state_read(buffer_slice(&value), state);
    buffer_free(&value);
    return got >= 0;
}

/* Where a search among the ids of the table is. */
struct finder {
    struct store_view *view;
    struct table_scan *scan; /* of all ids that are looked among */
    uint64_t near, *looked;
};

static struct table_scan *heads_open(struct store_view *v, uint64_t from, uint64_t to,
                                     bool descending) {
    struct range range;
    key_id(&range.from, KEY_HEAD, from);
    key_id(&range.to, KEY_HEAD, to);
    key_u8(&range.to, 0); /* behind it */
    return table_scan_open(v->table, v->snapshot, &range, descending);
}

/* The task the scan is at; false when there is none. */
static bool head_there(struct store_view *v, struct table_scan *scan, struct task_head *head) {
    struct record r;
    const bool there = scan && table_scan_valid(scan) &&
                       record_decode_value(RECORD_TASK, table_scan_value(scan), &r);
    if (scan && !there) table_scan_ok(scan, v->why, sizeof v->why);
    if (there) *head = r.task;
    return there;
}

/* Halves [low, high] until little is left: `low` moves behind tasks created before `ms`, `high` to
 * tasks that were not. */
static void halve(struct finder *f, int64_t ms, uint64_t *low, uint64_t *high) {
    while (*high > *low && *high - *low > f->near) {
        const uint64_t middle = *low + (*high - *low) / 2;
        struct task_head head;
        struct key key;
        ++*f->looked;
        key_id(&key, KEY_HEAD, middle);
        table_scan_seek(f->scan, key_slice(&key));
        const bool there = head_there(f->view, f->scan, &head) && head.id <= *high;
        if (there && head.created_ms < ms) *low = head.id + 1;
        else *high = middle;
    }
}

/* Opens the scan of what the table has in [from, to], and narrows these to it; false when it has
 * nothing. */
static bool finder_open(struct finder *f, uint64_t *from, uint64_t *to) {
    struct task_head first, last;
    struct table_scan *back = heads_open(f->view, *from, *to, true);
    const bool there = head_there(f->view, back, &last);
    table_scan_close(&back);
    *f->looked += 2;
    if (!there) return false;
    f->scan = heads_open(f->view, *from, *to, false);
    if (!head_there(f->view, f->scan, &first)) return false;
    *from = first.id;
    *to = last.id;
    return true;
}

bool seek_ids(struct store_view *v, int64_t from_ms, int64_t to_ms, uint64_t near, uint64_t *from,
              uint64_t *to, uint64_t *looked) {
    struct table_state state;
    struct finder f = {.view = v, .near = near, .looked = looked};
    if (!v->table || (!from_ms && !to_ms)) return true;
    if (!seek_state(v, &state)) return false;
    if (state.version != LAYOUT_VERSION) return true;
    const bool there = finder_open(&f, from, to);
    if (there && from_ms) {
        uint64_t high = *to + 1;
        halve(&f, from_ms - state.setback_ms, from, &high);
    }
    if (there && to_ms && *to > *from) {
        uint64_t low = *from, high = *to + 1;
        halve(&f, to_ms + state.setback_ms + 1, &low, &high);
        /* What is at `high` and behind it was created later, or is not there. */
        if (high - 1 < *to) *to = high - 1 + (high <= *from);
    }
    table_scan_close(&f.scan);
    return !v->why[0];
}
