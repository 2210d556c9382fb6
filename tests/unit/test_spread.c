/* Percentiles from buckets that widen: within 1.6 % of the exact ones. */
#include "tests/unit/tap.h"
#include "worker/command/spread.h"
#include <stdlib.h>

static bool near(double got, double want) { return got > want * 0.984 && got < want * 1.016; }

int main(void) {
    struct spread *s = calloc(1, sizeof *s);
    is_int(spread_at_us(s, 0.5), 0, "no value, no percentile");
    for (int64_t us = 1; us <= 100000; us++) spread_add(s, us * 1000);
    ok(near(spread_at_us(s, 0.5), 50000), "the middle of 1 to 100,000 is 50,000");
    ok(near(spread_at_us(s, 0.99), 99000), "the 99th part is 99,000");
    ok(near(spread_at_us(s, 1), 100000), "the greatest is 100,000");
    spread_add(s, -5);
    spread_add(s, INT64_MAX);
    is_int(s->count, 100002, "values beyond both ends are counted, too");
    free(s);
    return done();
}
