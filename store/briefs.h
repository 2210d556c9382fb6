/* briefs.h - briefs on their way to the table: what one batch adds to which blocks.
 *
 * The table thread notes every head that it writes and every task that goes; briefs_write adds one
 * value a block to the batch. The blocks that tasks have gone from are looked at with the next
 * batch: one that has no task left goes, and what its tasks were searched by (text.h) with it. */
#ifndef RELAIS_STORE_BRIEFS_H
#define RELAIS_STORE_BRIEFS_H
#include "store/block_cache.h"
#include "store/brief.h"
#include "store/table.h"

struct briefs {
    struct briefs_item { uint32_t brand; struct brief brief; } *items; /* owned */
    size_t count, cap;
    struct briefs_gone { uint32_t brand; uint64_t block; } *gone; /* owned */
    size_t gone_count, gone_cap;
    struct block_cache *cache; /* hears of what changes; borrowed */
    struct buffer value; /* scratch */
    bool failed;         /* memory is out: the batch must not be written */
};

void briefs_close(struct briefs *b);
void briefs_note(struct briefs *b, uint32_t brand, const struct brief *brief);
void briefs_note_gone(struct briefs *b, uint32_t brand, uint64_t id);
/* Before the first note of a batch. False: see why. */
bool briefs_sweep(struct briefs *b, struct table *table, struct table_batch *batch, char *why,
                  size_t why_size);
/* Adds what was noted to the batch. False: see why. */
bool briefs_write(struct briefs *b, struct table_batch *batch, char *why, size_t why_size);
#endif
