/* block_walk.h - a walk over the blocks of a brand: from memory where they were read before and
 * have not changed since (block_cache.h), else from the table.
 *
 * A block of the table has a value of each kind (text.h), as long as tasks are searched at all. */
#ifndef RELAIS_STORE_BLOCK_WALK_H
#define RELAIS_STORE_BLOCK_WALK_H
#include "store/block_cache.h"
#include "store/view.h"

struct span_of_blocks { uint64_t from, to; /* inclusive */ };
struct block_walk;

/* lead: the kind of value that is read of each. NULL when memory is out. */
struct block_walk *block_walk_open(struct store_view *v, uint32_t brand,
                                   const struct span_of_blocks *among, bool descending,
                                   enum key_kind lead);
void block_walk_close(struct block_walk **self);
/* False at the end, and when a read failed: see block_walk_failed. */
bool block_walk_valid(const struct block_walk *b);
bool block_walk_failed(const struct block_walk *b); /* see view->why, or memory is out */
uint64_t block_walk_number(const struct block_walk *b);
struct slice block_walk_value(const struct block_walk *b); /* borrowed until the next step */
const struct zone *block_walk_zone(const struct block_walk *b); /* likewise; NULL: not known */
void block_walk_next(struct block_walk *b);
/* A value of TEXT or BRIEF, for block_value_drop; cheap when blocks are asked for in ascending
 * order. NULL: as block_walk_failed. */
struct block_value *block_walk_read(struct block_walk *b, enum key_kind kind, uint64_t block);
#endif
