#include "proto/base/heap.h"
#include <assert.h>
#include <stdlib.h>

void heap_free(struct heap *h) {
    free(h->timers);
    *h = (struct heap){0};
}

static void heap_seat(struct heap *h, uint32_t i, struct timer *t) {
    h->timers[i] = t;
    t->place = i + 1;
}

static bool is_earlier(const struct timer *a, const struct timer *b) {
    return a->at != b->at ? a->at < b->at : a->kind < b->kind;
}

static void heap_rise(struct heap *h, uint32_t i, struct timer *t) {
    while (i > 0 && is_earlier(t, h->timers[(i - 1) / 2])) {
        heap_seat(h, i, h->timers[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_seat(h, i, t);
}

static void heap_sink(struct heap *h, uint32_t i, struct timer *t) {
    for (uint32_t child; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && is_earlier(h->timers[child + 1], h->timers[child])) child++;
        if (!is_earlier(h->timers[child], t)) break;
        heap_seat(h, i, h->timers[child]);
    }
    heap_seat(h, i, t);
}

bool heap_set(struct heap *h, struct timer *t, int64_t at) {
    if (t->place) {
        int64_t before = t->at;
        t->at = at;
        if (at < before) heap_rise(h, t->place - 1, t);
        else heap_sink(h, t->place - 1, t);
        return true;
    }
    if (h->count == h->cap) {
        uint32_t cap = h->cap ? h->cap * 2 : 64;
        struct timer **timers = realloc(h->timers, cap * sizeof *timers);
        if (!timers) return false;
        h->timers = timers;
        h->cap = cap;
    }
    t->at = at;
    heap_rise(h, h->count++, t);
    return true;
}

void heap_clear(struct heap *h, struct timer *t) {
    if (!t->place) return;
    uint32_t i = t->place - 1;
    assert(h->timers[i] == t);
    t->place = 0;
    struct timer *last = h->timers[--h->count];
    if (last == t) return;
    if (i > 0 && is_earlier(last, h->timers[(i - 1) / 2])) heap_rise(h, i, last);
    else heap_sink(h, i, last);
}
