/* random.h - a small seeded generator for pure code: the same seed gives the same numbers.
 *
 * For jitter, choices and simulated faults; never for secrets. splitmix64 (Steele, Lea, Flood,
 * OOPSLA 2014): one word of state, every seed is good, full period. Pure. */
#ifndef RELAIS_PROTO_BASE_RANDOM_H
#define RELAIS_PROTO_BASE_RANDOM_H
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct random { uint64_t state; };

static inline struct random random_seed(uint64_t seed) { return (struct random){.state = seed}; }

static inline uint64_t random_next(struct random *r) {
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 .. bound - 1; the bias is below bound / 2^64. */
static inline uint64_t random_below(struct random *r, uint64_t bound) {
    assert(bound > 0);
    return (uint64_t)((unsigned __int128)random_next(r) * bound >> 64);
}

/* True in `permille` of 1000 cases. */
static inline bool random_chance(struct random *r, uint32_t permille) {
    return random_below(r, 1000) < permille;
}

/* `value` +- `percent` %: the jitter of delays and beats. value < 2^56. */
static inline uint64_t random_around(struct random *r, uint64_t value, uint32_t percent) {
    uint64_t spread = value * percent / 100;
    return value - spread + random_below(r, 2 * spread + 1);
}
#endif
