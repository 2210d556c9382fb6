/* rate.h - token buckets by key, shared by all threads of the gateway.
 *
 * A bucket holds what a minute allows and fills evenly. The table is bounded: a full bucket is as
 * good as none and the fullest of a set gives way to a new key. Keys are hashed with a secret of
 * this process, so that nobody can choose a neighbour's bucket.
 *
 * Threads: any, behind one mutex. The time is an argument. */
#ifndef RELAIS_GATEWAY_RATE_H
#define RELAIS_GATEWAY_RATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RATE_SETS = 4096, RATE_WAYS = 4 };

struct rates;

struct rates *rates_new(void);
void rates_destroy(struct rates **self);
/* Takes one from the bucket; false when it is empty, with the seconds until it is not. per_min 0
 * = no limit. */
bool rate_take(struct rates *r, const void *key, size_t len, uint32_t per_min, int64_t now_ms,
               uint32_t *ret_retry_s);
#endif
