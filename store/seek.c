#include "store/seek.h"
#include <stdio.h>

enum { CLOSE_ENOUGH = 32 };

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

/* The first (descending: last) task of the table in [from, to]; false when there is none. */
static bool probe(struct store_view *v, uint64_t from, uint64_t to, bool descending,
                  struct task_head *head) {
    struct range range;
    struct record r;
    key_id(&range.from, KEY_HEAD, from);
    key_id(&range.to, KEY_HEAD, to);
    key_u8(&range.to, 0); /* behind it */
    struct table_scan *scan = table_scan_open(v->table, v->snapshot, &range, descending);
    const bool there = scan && table_scan_valid(scan) &&
                       record_decode_value(RECORD_TASK, table_scan_value(scan), &r);
    if (scan && !there) table_scan_ok(scan, v->why, sizeof v->why);
    table_scan_close(&scan);
    if (there) *head = r.task;
    return there;
}

/* Halves [low, high] until little is left: `low` moves behind tasks created before `ms`, `high` to
 * tasks that were not. */
static void halve(struct store_view *v, int64_t ms, uint64_t *low, uint64_t *high,
                  uint64_t *looked) {
    while (*high > *low && *high - *low > CLOSE_ENOUGH) {
        const uint64_t middle = *low + (*high - *low) / 2;
        struct task_head head;
        ++*looked;
        if (!probe(v, middle, *high, false, &head)) *high = middle;
        else if (head.created_ms < ms) *low = head.id + 1;
        else *high = middle;
    }
}

bool seek_ids(struct store_view *v, int64_t from_ms, int64_t to_ms, uint64_t *from, uint64_t *to,
              uint64_t *looked) {
    struct table_state state;
    struct task_head first, last;
    if (!v->table || (!from_ms && !to_ms)) return true;
    if (!seek_state(v, &state)) return false;
    if (state.version != LAYOUT_VERSION) return true;
    *looked += 2;
    if (!probe(v, *from, *to, false, &first) || !probe(v, *from, *to, true, &last))
        return !v->why[0];
    *from = first.id;
    *to = last.id;
    if (from_ms) {
        uint64_t high = *to + 1;
        halve(v, from_ms - state.setback_ms, from, &high, looked);
    }
    if (to_ms && *to > *from) {
        uint64_t low = *from, high = *to + 1;
        halve(v, to_ms + state.setback_ms + 1, &low, &high, looked);
        /* What is at `high` and behind it was created later, or is not there. */
        if (high - 1 < *to) *to = high - 1 + (high <= *from);
    }
    return !v->why[0];
}
