#include "worker/command/spread.h"

/* Below 64 a bucket a nanosecond; above, the 6 bits after the leading one choose the bucket. */
static uint32_t bucket_of(uint64_t ns) {
    if (ns < SPREAD_FINE) return (uint32_t)ns;
    uint32_t shift = 63 - 6 - (uint32_t)__builtin_clzll(ns);
    uint32_t bucket = (shift + 1) * SPREAD_FINE + (uint32_t)(ns >> shift) - SPREAD_FINE;
    return bucket < SPREAD_BUCKETS ? bucket : SPREAD_BUCKETS - 1;
}

static double middle_of(uint32_t bucket) {
    if (bucket < SPREAD_FINE) return bucket;
    uint32_t shift = bucket / SPREAD_FINE - 1;
    uint64_t low = (uint64_t)(bucket % SPREAD_FINE + SPREAD_FINE) << shift;
    return (double)low + (double)((uint64_t)1 << shift) / 2;
}

void spread_add(struct spread *s, int64_t ns) {
    s->bucket[bucket_of(ns > 0 ? (uint64_t)ns : 0)]++;
    s->count++;
}

double spread_at_us(const struct spread *s, double part) {
    uint64_t wanted = (uint64_t)((double)s->count * part), seen = 0;
    for (uint32_t i = 0; i < SPREAD_BUCKETS; i++) {
        seen += s->bucket[i];
        if (s->bucket[i] > 0 && seen > wanted) return middle_of(i) / 1000;
    }
    for (uint32_t i = SPREAD_BUCKETS; i-- > 0;)
        if (s->bucket[i] > 0) return middle_of(i) / 1000;
    return 0;
}
