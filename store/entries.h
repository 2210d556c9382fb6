/* entries.h - memory for the task entries of pending.h, in slabs of an eighth of a MiB.
 *
 * Entries come and go in about the same order, so that after a burst whole slabs are empty: these
 * are freed, but for one that the next burst begins with. An entry is taken from the oldest slab
 * that has room. */
#ifndef RELAIS_STORE_ENTRIES_H
#define RELAIS_STORE_ENTRIES_H
#include "store/pending.h"

struct slab;
struct entries {
    struct slab *first, *last; /* those with room */
    struct slab *empty;        /* the one of these that is spared */
    size_t slabs;
};

/* All zero but for `slab`; NULL when memory is out. */
struct task_entry *entry_take(struct entries *all);
void entry_give_back(struct entries *all, struct task_entry *e);
/* When every entry has been given back. */
void entries_free(struct entries *all);
#endif
