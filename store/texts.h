/* texts.h - the search index on its way to the table: what one batch adds to which blocks.
 *
 * The table thread notes every task that is new to the table, or whose text changed; texts_write
 * adds one value a block to the batch. Blocks go with their tasks: briefs.h. */
#ifndef RELAIS_STORE_TEXTS_H
#define RELAIS_STORE_TEXTS_H
#include "store/block_cache.h"
#include "store/table.h"
#include "store/lexicon.h"

struct texts {
    struct id_key ids;
    struct buffer bytes, value; /* texts of the batch; scratch */
    struct texts_item { uint32_t brand, len; uint64_t id; size_t at; bool any; } *items; /* owned */
    size_t count, cap;
    struct block_cache *cache; /* hears of what changes; borrowed */
    struct sign *sign;     /* owned; scratch, as what follows */
    struct lexicon lexicon;
    bool failed;       /* memory is out: the batch must not be written */
};

/* False when memory is out. ids: the key of the tasks' spelling, 16 bytes, borrowed like cache. */
bool texts_open(struct texts *t, const uint8_t *ids, struct block_cache *cache);
void texts_close(struct texts *t);
void texts_note(struct texts *t, uint32_t brand, uint64_t id, struct slice type,
                const struct task_body *body);
/* Adds what was noted to the batch; false: see why. */
bool texts_write(struct texts *t, struct table_batch *batch, char *why, size_t why_size);
/* Tells keys apart. */
uint64_t texts_mark(const uint8_t *ids);
#endif
