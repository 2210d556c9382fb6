/* texts.h - the search index on its way to the table: what one batch adds to which blocks.
 *
 * The table thread notes every task that is new to the table, or whose text changed, and every one
 * that goes; texts_write adds one value a block to the batch. The blocks that tasks have gone from
 * are looked at with the next batch: one that has no task left goes too. */
#ifndef RELAIS_STORE_TEXTS_H
#define RELAIS_STORE_TEXTS_H
#include "store/table.h"
#include "store/text.h"

struct texts {
    struct id_key ids;
    struct buffer bytes, value; /* entries of the batch; scratch */
    struct texts_item { uint32_t brand, len; uint64_t block; size_t at; } *items; /* owned */
    size_t count, cap;
    struct texts_gone { uint32_t brand; uint64_t block; } *gone; /* owned */
    size_t gone_count, gone_cap;
    struct sign *sign; /* owned; scratch */
    bool failed;       /* memory is out: the batch must not be written */
};

/* False when memory is out. ids: the key of the tasks' spelling, 16 bytes, borrowed. */
bool texts_open(struct texts *t, const uint8_t *ids);
void texts_close(struct texts *t);
void texts_note(struct texts *t, uint32_t brand, uint64_t id, struct slice type,
                const struct task_body *body);
void texts_note_gone(struct texts *t, uint32_t brand, uint64_t id);
/* Before the first note of a batch: takes away blocks that tasks of the batch before have gone
 * from, when nothing is left there. False: see why. */
bool texts_sweep(struct texts *t, struct table *table, struct table_batch *batch, char *why,
                 size_t why_size);
/* Adds what was noted to the batch; false: see why. */
bool texts_write(struct texts *t, struct table_batch *batch, char *why, size_t why_size);
/* Tells keys apart. */
uint64_t texts_mark(const uint8_t *ids);
#endif
