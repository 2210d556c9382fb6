/* Sums of what tasks took: spans, histograms, and their bytes. */
#include "proto/tally.h"
#include "tests/unit/tap.h"
#include <math.h>
#include <string.h>

static void a_list_of_measures_is_checked_as_a_whole(void) {
    struct buffer b = {0};
    struct measure_row row;
    uint32_t at = 0;
    measure_put(&b, MEASURE_COST, 0.25);
    measure_put(&b, MEASURE_RUN, 4500);
    ok(measure_good(buffer_slice(&b)), "a list is sound");
    ok(measure_next(buffer_slice(&b), &at, &row) && row.measure == MEASURE_COST &&
           row.number == 0.25, "its first row");
    ok(measure_next(buffer_slice(&b), &at, &row) && row.measure == MEASURE_RUN, "its second");
    ok(!measure_next(buffer_slice(&b), &at, &row), "there is no third");
    ok(!measure_good(slice_of(b.data, b.len - 1)), "one that is cut is refused");
    measure_put(&b, MEASURE_COST, 1);
    ok(!measure_good(buffer_slice(&b)), "one that says a measure twice is refused");
    buffer_clear(&b);
    measure_put(&b, MEASURE_COST, NAN);
    ok(!measure_good(buffer_slice(&b)), "one with no number is refused");
    buffer_clear(&b);
    measure_put(&b, MEASURE_COST, INFINITY);
    ok(!measure_good(buffer_slice(&b)), "one without end is refused");
    buffer_clear(&b);
    measure_put(&b, (enum measure)MEASURE_COUNT, 1);
    ok(!measure_good(buffer_slice(&b)), "a measure that is not known is refused");
    buffer_free(&b);
    is_int(measure_named(slice_text("cost_usd")), MEASURE_COST, "a measure has a name");
    is_int(measure_named(slice_text("cost")), MEASURE_COUNT, "others are none");
}

static void bins_hold_what_they_say(void) {
    int wrong = 0;
    for (uint32_t bin = 1; bin < BIN_COUNT; bin++) {
        wrong += bin_of(bin_low(bin)) != bin;
        wrong += bin_of(nextafter(bin_low(bin), 0)) != bin - 1;
    }
    is_int(wrong, 0, "each bin begins where it says, and the one before ends there");
    is_int(bin_of(-5), 0, "below zero is the first");
    is_int(bin_of(1e300), BIN_COUNT - 1, "the last has no end");
}

static void a_percentile_is_near(void) {
    struct tally_sums sums = {0};
    for (int i = 1; i <= 1000; i++) tally_add(&sums, MEASURE_RUN, i);
    const double p95 = bins_percentile(sums.bins[0], &sums.spans[MEASURE_RUN], 0.95);
    note("%f", p95);
    ok(p95 > 950.0 / 1.5 && p95 < 950.0 * 1.5, "of 1 to 1000 the 95th");
    ok(bins_percentile(sums.bins[1], &sums.spans[MEASURE_WAIT], 0.95) == 0, "of none it is 0");
    struct tally_sums one = {0};
    tally_add(&one, MEASURE_RUN, 700);
    ok(bins_percentile(one.bins[0], &one.spans[MEASURE_RUN], 0.5) == 700, "of one it is that");
}

static void what_is_taken_out_is_gone(void) {
    struct tally_sums a = {0}, less = {0};
    tally_add(&a, MEASURE_RUN, 100);
    tally_add(&a, MEASURE_RUN, 300);
    tally_subtract(&less, MEASURE_RUN, 300);
    tally_add(&less, MEASURE_RUN, 50);
    tally_merge(&a, &less);
    is_int(a.spans[MEASURE_RUN].count, 2, "as many as before");
    ok(a.spans[MEASURE_RUN].sum == 150, "another sum");
    is_int(a.bins[0][bin_of(300)], 0, "nothing in the old bin");
    is_int(a.bins[0][bin_of(50)], 1, "one in the new");
    ok(a.spans[MEASURE_RUN].min == 50, "a new smallest");
}

static void rows_survive(void) {
    struct tally_row in = {.slot = 20000, .priority = 3, .name = slice_text("audio")}, out;
    struct buffer b = {0};
    uint32_t at = 0;
    in.sums.created = 5;
    in.sums.failed = -3;
    for (int i = 0; i < MEASURE_COUNT; i++) tally_add(&in.sums, (enum measure)i, 1.5 * i);
    tally_row_put(&b, &in);
    tally_row_put(&b, &in);
    ok(tally_row_next(buffer_slice(&b), &at, &out), "a row comes back");
    ok(slice_equal(out.name, in.name) && out.slot == in.slot && out.priority == 3, "its place");
    ok(memcmp(&out.sums, &in.sums, sizeof in.sums) == 0, "its sums");
    ok(tally_row_next(buffer_slice(&b), &at, &out) && at == b.len, "and the next");
    int read = 0;
    for (uint32_t len = 0; len < b.len / 2; len++) {
        at = 0;
        read += tally_row_next(slice_of(b.data, len), &at, &out);
    }
    is_int(read, 0, "one that is cut is refused");
    buffer_free(&b);
}

int main(void) {
    a_list_of_measures_is_checked_as_a_whole();
    bins_hold_what_they_say();
    a_percentile_is_near();
    what_is_taken_out_is_gone();
    rows_survive();
    return done();
}
