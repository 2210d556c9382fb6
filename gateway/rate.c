#include "gateway/rate.h"
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { ONE = 60000 }; /* a request, in units of which per_min arrive each millisecond */

struct bucket {
    uint64_t key;      /* 0 = free */
    int64_t filled_ms;
    uint64_t level, top; /* in units; top = full */
};
struct rates {
    pthread_mutex_t lock;
    uint8_t secret[crypto_shorthash_KEYBYTES];
    struct bucket sets[RATE_SETS][RATE_WAYS];
};

struct rates *rates_new(void) {
    struct rates *r = calloc(1, sizeof *r);
    if (r == NULL) abort();
    pthread_mutex_init(&r->lock, NULL);
    crypto_shorthash_keygen(r->secret);
    return r;
}

void rates_destroy(struct rates **self) {
    if (*self == NULL) return;
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

static void bucket_fill(struct bucket *b, uint32_t per_min, int64_t now_ms) {
    uint64_t top = (uint64_t)per_min * ONE;
    uint64_t ms = now_ms > b->filled_ms ? (uint64_t)(now_ms - b->filled_ms) : 0;
    b->filled_ms = now_ms;
    b->level += (ms < ONE ? ms : ONE) * per_min;
    if (b->level > top) b->level = top;
    b->top = top;
}

/* The key's own bucket, or the one of its set that holds most of what it could: nearly unused. */
static struct bucket *bucket_of(struct rates *r, uint64_t key, uint32_t per_min, int64_t now_ms) {
    struct bucket *set = r->sets[key % RATE_SETS], *best = &set[0];
    for (int i = 0; i < RATE_WAYS; i++) {
        if (set[i].key == key) {
            bucket_fill(&set[i], per_min, now_ms);
            return &set[i];
        }
        uint64_t missing = set[i].key == 0 ? 0 : set[i].top - set[i].level + 1;
        uint64_t best_missing = best->key == 0 ? 0 : best->top - best->level + 1;
        if (missing < best_missing) best = &set[i];
    }
    *best = (struct bucket){.key = key, .filled_ms = now_ms, .level = (uint64_t)per_min * ONE,
                            .top = (uint64_t)per_min * ONE};
    return best;
}

bool rate_take(struct rates *r, const void *key, size_t len, uint32_t per_min, int64_t now_ms,
               uint32_t *ret_retry_s) {
    if (per_min == 0) return true;
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t number;
    crypto_shorthash(hash, key, len, r->secret);
    memcpy(&number, hash, sizeof number);
    pthread_mutex_lock(&r->lock);
    struct bucket *b = bucket_of(r, number | 1, per_min, now_ms);
    bool taken = b->level >= ONE;
    if (taken) b->level -= ONE;
    else *ret_retry_s = (uint32_t)((ONE - b->level - 1) / per_min / 1000 + 1);
    pthread_mutex_unlock(&r->lock);
    return taken;
}
