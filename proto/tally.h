/* tally.h - what a tally holds: how many tasks began and ended, and what they took.
 *
 * The sums of a tally are bytes to the store and on the wire. Counters may be negative: a row may
 * be a correction of others of its place. Reading is bounded and refuses what is not exactly one.
 * Pure.
 *
 * ASK "tallies" answers rows [slot, priority, name, sums (bin)], rows of one place summed; which of
 * the three tell rows apart is the question's (broker/rows_tally.c). */
#ifndef RELAIS_PROTO_TALLY_H
#define RELAIS_PROTO_TALLY_H
#include "proto/measure.h"

enum { TALLY_DAY_MS = 86400000, TALLY_HOUR_MS = 3600000 };

struct tally_sums {
    int64_t created, completed, failed, cancelled;
    struct span spans[MEASURE_COUNT]; /* of tasks that ended */
    int64_t bins[BINNED][BIN_COUNT];
};

void tally_add(struct tally_sums *sums, enum measure measure, double number);
/* Takes a number out again, as far as that goes: the smallest and the largest stay. */
void tally_subtract(struct tally_sums *sums, enum measure measure, double number);
void tally_merge(struct tally_sums *sums, const struct tally_sums *other);
void tally_sums_put(struct buffer *b, const struct tally_sums *sums);
bool tally_sums_read(struct slice bytes, struct tally_sums *ret);

struct tally_row { uint32_t slot; uint8_t priority; struct slice name; struct tally_sums sums; };
void tally_row_put(struct buffer *b, const struct tally_row *row);
/* The next of several; *at starts at 0. False at the end or at the first that is malformed. */
bool tally_row_next(struct slice rows, uint32_t *at, struct tally_row *ret);
#endif
