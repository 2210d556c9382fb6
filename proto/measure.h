/* measure.h - what workers measure of a task, as numbers: a list on the wire, sums on disk.
 *
 * A list is rows of 9 bytes: the number of a measure (measure.def) and a double, little-endian.
 * It travels beside the opaque metrics of DONE, FAIL and UPDATE, so that a broker that
 * reads no JSON can sum them. A list with a measure that is not known, twice the same, or a number
 * that is not finite is refused as a whole.
 *
 * A span is what became of one measure over many tasks: how many, their sum, the smallest, the
 * largest. A histogram has a bin for each power of two of milliseconds, halved: bin 1 + 2n + h
 * holds [2^n (1 + h/2), …), bin 0 all below 1 ms; so a percentile read from it is true to a third.
 *
 * Pure. */
#ifndef RELAIS_PROTO_MEASURE_H
#define RELAIS_PROTO_MEASURE_H
#include "proto/base/bytes.h"
#include <stdbool.h>
#include <stdint.h>

enum measure {
#define MEASURE(NAME, number, text, sentence) MEASURE_##NAME = number,
#include "proto/measure.def"
#undef MEASURE
    MEASURE_COUNT = 12
};
enum { MEASURE_ROW_BYTES = 9, BIN_COUNT = 64, BINNED = 2 /* measures with a histogram */ };

struct measure_row { uint8_t measure; double number; };

const char *measure_name(enum measure measure); /* "execution_time_ms"; static */
/* The measure with that text; MEASURE_COUNT = none. */
enum measure measure_named(struct slice text);
void measure_put(struct buffer *list, enum measure measure, double number);
/* The next row; *at starts at 0. False at the end. */
bool measure_next(struct slice list, uint32_t *at, struct measure_row *ret);
/* True when the whole list is sound. */
bool measure_good(struct slice list);

/* squares: the sum of the numbers' squares. count 0: none; below: a correction of others. */
struct span { int64_t count; double sum, squares, min, max; };
static inline void span_add(struct span *s, double number) {
    const bool none = s->count == 0 && s->min == 0 && s->max == 0;
    s->count++;
    s->sum += number;
    s->squares += number * number;
    if (none || number < s->min) s->min = number;
    if (none || number > s->max) s->max = number;
}
void span_merge(struct span *s, const struct span *other);
double span_mean(const struct span *s); /* 0 of none */

static inline uint32_t bin_of(double ms) {
    if (!(ms >= 1)) return 0;
    uint64_t bits;
    memcpy(&bits, &ms, sizeof bits);
    const uint32_t power = (uint32_t)(bits >> 52 & 0x7ff) - 1023, half = bits >> 51 & 1;
    const uint32_t bin = 1 + 2 * power + half;
    return bin < BIN_COUNT ? bin : BIN_COUNT - 1;
}
double bin_low(uint32_t bin); /* the smallest number of a bin */
/* The number below which `share` (0 to 1) of all lie, interpolated within its bin and held within
 * the span; 0 when there is none. */
double bins_percentile(const int64_t bins[BIN_COUNT], const struct span *s, double share);
#endif
