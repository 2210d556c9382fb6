/* overlay.h - a private copy of pending entries, laid over a snapshot of the table.
 *
 * Copied under the lock of `pending`, then read by one thread without any. Parts keep their
 * group's bytes alive; nothing else is copied. A `hidden` id is here only because the table may
 * still show it in the place asked for, where it no longer is.
 *
 * Memory: overlay.failed says that it ran out; the reader then answers that it cannot read. */
#ifndef RELAIS_STORE_OVERLAY_H
#define RELAIS_STORE_OVERLAY_H
#include "store/pending.h"
#include "store/table.h"

/* Which entries an overlay copies. */
struct collect {
    uint64_t id;          /* this task */
    uint32_t status_mask; /* tasks that are, or in the table may be, in one of these */
    bool laned;           /* queued tasks of this lane and priority: the `limit` lowest orders */
    uint8_t priority;     /* from `order` on, over a table as far as it has `limit` that count */
    uint32_t lane, limit;
    uint64_t order;
    bool tasks, plains;   /* all of them */
    struct slice key;     /* this plain entry; of a name, also the object behind it */
};

struct overlay_plain { struct slice key; struct part part; };
struct overlay {
    struct task_state *tasks; /* owned */
    size_t task_count, task_cap;
    struct overlay_plain *plains; /* owned, keys too; sorted by key */
    size_t plain_count, plain_cap;
    uint64_t *hidden; /* owned */
    size_t hidden_count, hidden_cap;
    uint32_t *slots, *hidden_slots; /* open addressing: index + 1, 0 = free */
    size_t slot_count, hidden_slot_count;
    bool failed;
};

/* `o` is empty before. Call under the lock of `p`. `table` may be NULL; `at` is its snapshot,
 * taken under the same lock. False when the table cannot be read. */
bool overlay_collect(struct overlay *o, const struct pending *p, const struct collect *collect,
                     struct table *table, const struct table_snapshot *at, char *why,
                     size_t why_size);
bool overlay_hides(const struct overlay *o, uint64_t id);
/* NULL: the table knows. */
const struct task_state *overlay_task(const struct overlay *o, uint64_t id);
const struct overlay_plain *overlay_plain(const struct overlay *o, struct slice key);
void overlay_free(struct overlay *o);
#endif
