/* agenda.c - what happens when. Equal times keep the order in which they were put down. */
#include "tests/sim/sim.h"
#include <assert.h>
#include <stdlib.h>

enum { BLOCK = 256 };

static bool before(const struct event_at *a, const struct event_at *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void agenda_put(struct sim *s, int64_t at, enum happening what, uint32_t who, struct packet *p) {
    struct agenda *a = &s->agenda;
    if (a->count == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 1024;
        a->heap = realloc(a->heap, a->cap * sizeof *a->heap);
        assert(a->heap != NULL);
    }
    struct event_at e = {at, ++a->order, what, who, p};
    uint32_t i = a->count++;
    while (i && before(&e, &a->heap[(i - 1) / 2])) {
        a->heap[i] = a->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    a->heap[i] = e;
}

bool agenda_take(struct sim *s, struct event_at *e) {
    struct agenda *a = &s->agenda;
    if (!a->count) return false;
    *e = a->heap[0];
    struct event_at last = a->heap[--a->count];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < a->count; i = child) {
        if (child + 1 < a->count && before(&a->heap[child + 1], &a->heap[child])) child++;
        if (!before(&a->heap[child], &last)) break;
        a->heap[i] = a->heap[child];
    }
    a->heap[i] = last;
    return true;
}

struct packet *packet_new(struct sim *s) {
    struct agenda *a = &s->agenda;
    if (!a->free_packets) {
        struct packet *block = malloc(BLOCK * sizeof *block);
        a->blocks = realloc(a->blocks, (a->block_count + 1) * sizeof(struct packet *));
        assert(block != NULL && a->blocks != NULL);
        a->blocks[a->block_count++] = block;
        for (int i = 0; i < BLOCK; i++) {
            block[i].next = a->free_packets;
            a->free_packets = &block[i];
        }
    }
    struct packet *p = a->free_packets;
    a->free_packets = p->next;
    memset(p, 0, offsetof(struct packet, held));
    return p;
}

void packet_free(struct sim *s, struct packet *p) {
    p->next = s->agenda.free_packets;
    s->agenda.free_packets = p;
}

void agenda_free(struct sim *s) {
    struct agenda *a = &s->agenda;
    for (uint32_t i = 0; i < a->block_count; i++) free(a->blocks[i]);
    free(a->blocks);
    free(a->heap);
    *a = (struct agenda){0};
}

/* ---- maps of numbers: open addressing, nothing is ever taken out ---- */

static size_t place(const struct map64 *m, uint64_t key) {
    size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & m->mask;
    while (m->keys[i] && m->keys[i] != key) i = (i + 1) & m->mask;
    return i;
}

uint64_t map64_get(const struct map64 *m, uint64_t key) {
    return m->keys ? m->values[place(m, key)] : 0;
}

void map64_set(struct map64 *m, uint64_t key, uint64_t value) {
    assert(key != 0);
    if (!m->keys || m->count * 2 > m->mask) {
        struct map64 more = {.mask = m->keys ? m->mask * 2 + 1 : 1023};
        more.keys = calloc(more.mask + 1, sizeof *more.keys);
        more.values = calloc(more.mask + 1, sizeof *more.values);
        assert(more.keys != NULL && more.values != NULL);
        for (size_t i = 0; m->keys && i <= m->mask; i++)
            if (m->keys[i]) map64_set(&more, m->keys[i], m->values[i]);
        free(m->keys);
        free(m->values);
        *m = more;
    }
    size_t i = place(m, key);
    if (!m->keys[i]) m->count++;
    m->keys[i] = key;
    m->values[i] = value;
}

void map64_free(struct map64 *m) {
    free(m->keys);
    free(m->values);
    *m = (struct map64){0};
}
