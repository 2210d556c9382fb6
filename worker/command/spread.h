/* spread.h - a distribution of durations: counts in buckets that widen with the value.
 *
 * 64 buckets for each doubling, so a percentile is off by less than 1.6 %. Fixed memory, one
 * addition per value. Values are nanoseconds. */
#ifndef RELAIS_WORKER_COMMAND_SPREAD_H
#define RELAIS_WORKER_COMMAND_SPREAD_H
#include <stdint.h>

enum { SPREAD_FINE = 64, SPREAD_BUCKETS = SPREAD_FINE * 40 };

struct spread {
    uint64_t count;
    uint64_t bucket[SPREAD_BUCKETS];
};

void spread_add(struct spread *s, int64_t ns);
/* The value below which `part` (0 to 1) of all values lie, in microseconds; 0 without values. */
double spread_at_us(const struct spread *s, double part);
#endif
