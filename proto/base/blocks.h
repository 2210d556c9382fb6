/* blocks.h - blocks that come and go all the time, kept for the next that is as large.
 *
 * Sizes are rounded up to BLOCK_STEP; of each size up to BLOCK_SIZE_MAX freed blocks are kept, at
 * most BLOCKS_BYTES_MAX of all, larger ones and the rest go back to malloc; what a burst needed
 * goes back with blocks_rest. With the address sanitizer everything does, so that it sees each use
 * of a freed block. Pure. */
#ifndef RELAIS_PROTO_BASE_BLOCKS_H
#define RELAIS_PROTO_BASE_BLOCKS_H
#include <stddef.h>

enum { BLOCK_STEP = 64, BLOCK_SIZE_MAX = 1024, BLOCKS_BYTES_MAX = 32 << 20,
       BLOCKS_REST_BYTES = 2 << 20 };

struct block { struct block *next; };
struct blocks { struct block *free[BLOCK_SIZE_MAX / BLOCK_STEP]; size_t bytes; };

/* A block of `size` bytes, whatever is in it; NULL when memory is out. Owned by the caller. */
void *blocks_take(struct blocks *b, size_t size);
/* The same, all zero. */
void *blocks_take_zero(struct blocks *b, size_t size);
/* Takes back a block with the size it was asked for; NULL is nothing. */
void blocks_give(struct blocks *b, void *block, size_t size);
/* Frees what is kept beyond BLOCKS_REST_BYTES: for quiet moments. The bytes freed. */
size_t blocks_rest(struct blocks *b);
/* Frees what is kept; blocks that are out stay good. */
void blocks_free(struct blocks *b);
#endif
