/* map.h - an intrusive chained hash map.
 *
 * Nodes lie inside their owners and carry a 64-bit hash; the caller compares what hashes alike:
 *     for (struct map_node *n = map_first(m, hash); n; n = map_next(n)) ...
 * Grows by doubling; when memory is out it stays as it is and only gets slower. Pure. */
#ifndef RELAIS_PROTO_BASE_MAP_H
#define RELAIS_PROTO_BASE_MAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node { struct map_node *next; uint64_t hash; };
struct map { struct map_node **buckets; size_t mask, count; }; /* buckets owned */

/* Room for about `expected` nodes at once; false when memory is out. */
bool map_init(struct map *m, size_t expected);
void map_free(struct map *m);
void map_put(struct map *m, struct map_node *n, uint64_t hash);
void map_remove(struct map *m, struct map_node *n);

static inline struct map_node *map_match(struct map_node *n, uint64_t hash) {
    while (n && n->hash != hash) n = n->next;
    return n;
}
static inline struct map_node *map_first(const struct map *m, uint64_t hash) {
    return map_match(m->buckets[hash & m->mask], hash);
}
static inline struct map_node *map_next(const struct map_node *n) {
    return map_match(n->next, n->hash);
}
/* A well-mixed hash of a number, and of bytes continued from `seed`. */
static inline uint64_t hash_number(uint64_t x) {
    x ^= x >> 32; x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32; x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}
/* A hash of numbers that are given out in order: eight neighbours share a line of the buckets.
 * Neighbours differ by two, for tasks and their epochs take turns. */
static inline uint64_t hash_serial(uint64_t x) {
    return hash_number(x >> 4 | x << 63) << 3 | (x >> 1 & 7);
}
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);
#endif
