/* blocks.h - a walk over the blocks of a brand: from memory where they were read before and have
 * not changed since (block_cache.h), else from the table.
 *
 * A block of the table has a value of each kind (text.h), as long as tasks are searched at all. */
#ifndef RELAIS_STORE_BLOCKS_H
#define RELAIS_STORE_BLOCKS_H
#include "store/block_cache.h"
#include "store/view.h"

struct span_of_blocks { uint64_t from, to; /* inclusive */ };
struct blocks;

/* lead: the kind of value that is read of each. NULL when memory is out. */
struct blocks *blocks_open(struct store_view *v, uint32_t brand, const struct span_of_blocks *among,
                           bool descending, enum key_kind lead);
void blocks_close(struct blocks **self);
/* False at the end, and when a read failed: see blocks_failed. */
bool blocks_valid(const struct blocks *b);
bool blocks_failed(const struct blocks *b); /* see view->why, or memory is out */
uint64_t blocks_number(const struct blocks *b);
struct slice blocks_value(const struct blocks *b); /* borrowed until the next step */
void blocks_next(struct blocks *b);
/* A value of TEXT or BRIEF, for block_value_drop; cheap when blocks are asked for in ascending
 * order. NULL: as blocks_failed. */
struct block_value *blocks_read(struct blocks *b, enum key_kind kind, uint64_t block);
#endif
