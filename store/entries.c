#include "store/entries.h"
#include <assert.h>
#include <stdlib.h>

enum { SLAB_ENTRIES = 512 };

struct slab {
    struct slab *prev, *next; /* among those with room */
    struct task_entry *free;  /* by ->chain */
    uint32_t used, fresh;     /* fresh: no entry from here on was ever taken */
    struct task_entry entries[SLAB_ENTRIES];
};
static_assert(sizeof(struct slab) < 128 << 10, "malloc would map and unmap it each time");

static void room_link(struct entries *all, struct slab *s) {
    s->prev = all->last;
    s->next = NULL;
    if (all->last) all->last->next = s; else all->first = s;
    all->last = s;
}

static void room_unlink(struct entries *all, struct slab *s) {
    if (s->prev) s->prev->next = s->next; else all->first = s->next;
    if (s->next) s->next->prev = s->prev; else all->last = s->prev;
}

static struct slab *slab_new(struct entries *all) {
    struct slab *s = malloc(sizeof *s);
    if (!s) return NULL;
    s->free = NULL;
    s->used = s->fresh = 0;
    room_link(all, s);
    all->slabs++;
    return s;
}

static void slab_free(struct entries *all, struct slab *s) {
    room_unlink(all, s);
    all->slabs--;
    free(s);
}

struct task_entry *entry_take(struct entries *all) {
    struct slab *s = all->first ? all->first : slab_new(all);
    if (!s) return NULL;
    struct task_entry *e = s->free ? s->free : &s->entries[s->fresh++];
    if (e == s->free) s->free = e->chain;
    if (s == all->empty) all->empty = NULL;
    if (++s->used == SLAB_ENTRIES) room_unlink(all, s);
    *e = (struct task_entry){.slab = s};
    return e;
}

void entry_give_back(struct entries *all, struct task_entry *e) {
    struct slab *s = e->slab;
    assert(s->used > 0);
    if (s->used-- == SLAB_ENTRIES) room_link(all, s);
    e->chain = s->free;
    s->free = e;
    if (s->used) return;
    if (all->empty) slab_free(all, s);
    else all->empty = s;
}

void entries_free(struct entries *all) {
    while (all->first) {
        assert(!all->first->used);
        slab_free(all, all->first);
    }
    all->empty = NULL;
    assert(!all->slabs);
}
