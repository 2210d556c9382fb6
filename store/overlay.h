/* overlay.h - a private copy of pending entries, laid over a snapshot of the table.
 *
 * Copied under the lock of `pending`, then read by one thread without any. Parts keep their
 * group's bytes alive; nothing else is copied. A task that is `hidden` is here only because the
 * table may still show it in the place asked for, where it no longer is.
 *
 * Memory: overlay.failed says that it ran out; the reader then answers that it cannot read. */
#ifndef RELAIS_STORE_OVERLAY_H
#define RELAIS_STORE_OVERLAY_H
#include "store/pending.h"

/* Which entries an overlay copies. */
struct collect {
    uint64_t id;          /* this task */
    uint32_t status_mask; /* tasks that are, or in the table may be, in one of these */
    bool laned;           /* with status_mask: only this lane, priority and order >= */
    uint8_t priority;
    uint32_t lane;
    uint64_t order;
    uint32_t limit;       /* laned: only the lowest orders are wanted */
    bool tasks, plains;   /* all of them */
    struct slice key;     /* this plain entry */
};

struct overlay_plain { struct slice key; struct part part; };
struct overlay {
    struct task_state *tasks; /* owned */
    size_t task_count, task_cap;
    struct overlay_plain *plains; /* owned, keys too; sorted by key */
    size_t plain_count, plain_cap;
    uint32_t *slots; /* open addressing over tasks: index + 1, 0 = free */
    size_t slot_count;
    bool failed;
};

/* `o` is empty before. Call under the lock of `p`. */
void overlay_collect(struct overlay *o, const struct pending *p, const struct collect *collect);
/* NULL: the table knows. */
const struct task_state *overlay_task(const struct overlay *o, uint64_t id);
const struct overlay_plain *overlay_plain(const struct overlay *o, struct slice key);
void overlay_free(struct overlay *o);
#endif
