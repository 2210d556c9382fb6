/* materialise.h - pending entries as table writes: what is put, what is deleted, which index keys.
 *
 * The index keys of a task are derived here and nowhere else on the way in: from where the table
 * has it (entry->where) to where its head says it is. */
#ifndef RELAIS_STORE_MATERIALISE_H
#define RELAIS_STORE_MATERIALISE_H
#include "store/briefs.h"
#include "store/pending.h"
#include "store/texts.h"

struct materialise {
    struct table *table;
    struct table_batch *batch;
    const struct pending *pending;
    bool has_subs; /* the table may hold parts under tasks */
    uint64_t records;
    struct briefs briefs;
    struct texts *texts;  /* NULL: nothing is indexed for searches */
    /* The newest time of creation in the table, and by how much a task with a higher id was at most
     * created before one with a lower: the clock may have been set back. */
    int64_t created_max_ms, setback_ms;
};

/* Adds an entry's dirty parts to the batch. Call under the lock of `pending`. False: see why. */
bool materialise_task(struct materialise *m, struct task_entry *e, char *why, size_t why_size);
/* A task that is new to the table was created then. */
void materialise_time(struct materialise *m, int64_t created_ms);
void materialise_plain(struct materialise *m, const struct plain_entry *e);
/* Where the table has a task; status 0 when it has not. */
bool materialise_where(struct table *t, uint64_t id, struct was *where, char *why, size_t why_size);
#endif
