#include "proto/base/map.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool map_init(struct map *m, size_t expected) {
    size_t size = 16;
    while (size < expected && size < (SIZE_MAX >> 8)) size *= 2;
    m->buckets = calloc(size, sizeof *m->buckets);
    m->mask = size - 1;
    m->count = 0;
    return m->buckets != NULL;
}

void map_free(struct map *m) {
    free(m->buckets);
    *m = (struct map){0};
}

static void map_grow(struct map *m) {
    size_t size = (m->mask + 1) * 2;
    struct map_node **buckets = calloc(size, sizeof *buckets);
    if (!buckets) return;
    for (size_t i = 0; i <= m->mask; i++)
        for (struct map_node *n = m->buckets[i], *next; n; n = next) {
            next = n->next;
            n->next = buckets[n->hash & (size - 1)];
            buckets[n->hash & (size - 1)] = n;
        }
    free(m->buckets);
    m->buckets = buckets;
    m->mask = size - 1;
}

void map_put(struct map *m, struct map_node *n, uint64_t hash) {
    if (m->count > m->mask) map_grow(m);
    n->hash = hash;
    n->next = m->buckets[hash & m->mask];
    m->buckets[hash & m->mask] = n;
    m->count++;
}

void map_remove(struct map *m, struct map_node *n) {
    struct map_node **at = &m->buckets[n->hash & m->mask];
    while (*at && *at != n) at = &(*at)->next;
    assert(*at == n);
    *at = n->next;
    m->count--;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len) {
    const unsigned char *p = data;
    uint64_t h = seed ^ (len * 0x9e3779b97f4a7c15u);
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = hash_number(h ^ word);
    }
    uint64_t tail = 0;
    if (len) memcpy(&tail, p, len);
    return hash_number(h ^ tail);
}
