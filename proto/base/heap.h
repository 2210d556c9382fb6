/* heap.h - an intrusive binary heap: the earliest timer first.
 *
 * A timer lies inside its owner and knows its place, so that it can be moved or taken out. Equal
 * times go by `kind`, the lower one first. Grows by doubling; heap_set returns false when memory
 * is out. Pure. */
#ifndef RELAIS_PROTO_BASE_HEAP_H
#define RELAIS_PROTO_BASE_HEAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
    int64_t at;     /* milliseconds on the clock of its heap */
    uint32_t place; /* 1.. in a heap; 0 = in none */
    uint32_t kind;  /* the owner's own; decides between equal times */
};
struct heap { struct timer **timers; uint32_t count, cap; }; /* timers: owned array of borrowed */

void heap_free(struct heap *h);
/* Puts the timer in, or moves it, to `at`. */
bool heap_set(struct heap *h, struct timer *t, int64_t at);
/* Takes it out; harmless when it is in none. */
void heap_clear(struct heap *h, struct timer *t);
static inline struct timer *heap_first(const struct heap *h) {
    return h->count ? h->timers[0] : NULL;
}
#endif
