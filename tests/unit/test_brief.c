/* Briefs: what is merged in whatever parts says of each task what was said last. */
#include "store/zone.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

enum { PARTS = 6, BLOCK = 77 };

static uint32_t state = 1;
static uint32_t dice(uint32_t max) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % max;
}

static struct brief any(uint32_t low) {
    return (struct brief){.id = (uint64_t)BLOCK << BLOCK_BITS | low,
                          .status = (uint8_t)dice(STATUS_COUNT), .priority = (uint8_t)dice(4),
                          .lane = dice(1 << 24) << 8, .created_ms = (int64_t)dice(1 << 24) << 20};
}

static bool same(const struct brief *a, const struct brief *b) {
    return a->id == b->id && a->status == b->status && a->priority == b->priority &&
           a->lane == b->lane && a->created_ms == b->created_ms;
}

/* Parts that follow each other, or that speak of the same tasks. */
static void part_make(struct buffer *part, struct brief *last, uint32_t n, bool in_line) {
    const uint32_t step = BLOCK_IDS / PARTS, from = in_line ? n * step : 0;
    const uint32_t to = in_line ? from + step : BLOCK_IDS;
    for (uint32_t low = from; low < to; low++) {
        if (dice(4)) continue;
        last[low] = any(low);
        brief_put(part, &last[low]);
    }
}

static int wrong_in(struct slice merged, const struct brief *last, bool whole) {
    uint32_t n = 0;
    int wrong = 0;
    for (uint32_t low = 0; low < BLOCK_IDS; low++) {
        const struct brief *due = &last[low];
        if (due->id == 0 || (whole && due->status == STATUS_NONE)) continue;
        const struct brief got = brief_at(merged, BLOCK, n++);
        wrong += n > merged.len / BRIEF_BYTES || !same(&got, due);
    }
    return wrong + (n != merged.len / BRIEF_BYTES) + !brief_sound(merged);
}

static int merge_wrong(bool in_line, bool whole) {
    struct brief last[BLOCK_IDS] = {{0}};
    struct buffer parts[PARTS] = {{0}}, two = {0}, all = {0};
    struct slice slices[PARTS], halves[2];
    for (uint32_t i = 0; i < PARTS; i++) {
        part_make(&parts[i], last, i, in_line);
        slices[i] = buffer_slice(&parts[i]);
    }
    int wrong = !brief_merge(slices, PARTS, whole, &all) ||
                wrong_in(buffer_slice(&all), last, whole);
    /* Some first and these with the rest, as tables do it. */
    wrong += !brief_merge(slices + 2, PARTS - 2, false, &two);
    buffer_clear(&all);
    wrong += !brief_merge(slices, 2, whole, &all);
    halves[0] = buffer_slice(&all);
    halves[1] = buffer_slice(&two);
    struct buffer sum = {0};
    wrong += !brief_merge(halves, 2, whole, &sum) || wrong_in(buffer_slice(&sum), last, whole);
    for (int i = 0; i < PARTS; i++) buffer_free(&parts[i]);
    buffer_free(&two);
    buffer_free(&all);
    buffer_free(&sum);
    return wrong;
}

/* ---- what a block comes to ---- */

static int zone_wrong(uint32_t lanes) {
    static struct brief all[BLOCK_IDS];
    struct buffer value = {0};
    struct zone zone;
    int64_t first = INT64_MAX, last = INT64_MIN;
    uint32_t there = 0, told = 0;
    int wrong = 0;
    for (uint32_t low = 0; low < BLOCK_IDS; low++) {
        all[low] = any(low);
        all[low].lane = 1 + dice(lanes);
        all[low].priority = 1;
        if (all[low].status > 3) all[low].status = STATUS_NONE;
        brief_put(&value, &all[low]);
        if (all[low].status == STATUS_NONE) continue;
        there++;
        if (all[low].created_ms < first) first = all[low].created_ms;
        if (all[low].created_ms > last) last = all[low].created_ms;
    }
    const bool got = zone_of(buffer_slice(&value), &zone);
    buffer_free(&value);
    if (lanes * 3 > ZONE_KINDS_MAX) return got;
    wrong += !got || zone.first_ms != first || zone.last_ms != last;
    for (uint32_t i = 0; i < zone.count; i++) {
        uint32_t due = 0;
        for (uint32_t low = 0; low < BLOCK_IDS; low++)
            due += all[low].lane == zone.kinds[i].lane && all[low].status == zone.kinds[i].status;
        wrong += due != zone.kinds[i].count || due == 0;
        told += zone.kinds[i].count;
    }
    return wrong + (told != there);
}

static void what_a_block_comes_to(void) {
    struct zone zone;
    struct brief gone = {.id = 5};
    struct buffer value = {0};
    is_int(zone_wrong(1) + zone_wrong(7) + zone_wrong(ZONE_KINDS_MAX / 3), 0,
           "a zone has all kinds, their numbers and the times of their tasks");
    is_int(zone_wrong(ZONE_KINDS_MAX), 0, "of too many kinds there is none");
    brief_put(&value, &gone);
    ok(zone_of(buffer_slice(&value), &zone) && zone.count == 0 && zone.first_ms > zone.last_ms,
       "tasks that are gone are of no kind");
    brief_put(&value, &gone);
    ok(!zone_of(buffer_slice(&value), &zone), "what is not sound has none");
    buffer_free(&value);
}

int main(void) {
    int wrong = 0;
    for (int round = 0; round < 200; round++) wrong += merge_wrong(round & 1, round & 2);
    is_int(wrong, 0, "of each task the newest counts, in whatever parts it was merged");
    struct buffer b = {0};
    struct brief one = any(5);
    brief_put(&b, &one);
    ok(brief_sound(buffer_slice(&b)), "one is sound");
    brief_put(&b, &one);
    ok(!brief_sound(buffer_slice(&b)), "twice the same is not");
    ok(!brief_sound(slice_of(b.data, BRIEF_BYTES - 1)), "nor is half a one");
    b.data[1] = 0xff;
    ok(!brief_sound(slice_of(b.data, BRIEF_BYTES)), "nor one of no id");
    struct slice bad[] = {slice_of(b.data, BRIEF_BYTES), slice_of(b.data, BRIEF_BYTES)};
    struct buffer out = {0};
    ok(!brief_merge(bad, 2, true, &out), "what is not sound is not merged");
    bad[1].len--;
    ok(!brief_merge(bad + 1, 1, true, &out), "nor is half a one");
    buffer_free(&b);
    buffer_free(&out);
    what_a_block_comes_to();
    return done();
}
