/* block_cache.h - values of blocks (brief.h, text.h) in memory, as they were read last.
 *
 * Of each brand that is listed there is a shelf. It knows which blocks the table has, from the
 * newest back to where walks have come, and has values of theirs: all together about bytes_max;
 * the least recently used leave. When it is full only one in ADMIT_EVERY is let in, so that walks
 * over more than fits do not drive out everything.
 *
 * The table thread numbers its batches and names the blocks of each before it is written. A value
 * counts for those who read as of a batch that has the block's last change, when the value itself
 * was read as of such a one. What is not known of a block is read from the table: nothing depends
 * on what is here but time.
 *
 * Threads: any; shelves stand while somebody is in them, values while they are held. */
#ifndef RELAIS_STORE_BLOCK_CACHE_H
#define RELAIS_STORE_BLOCK_CACHE_H
#include "proto/base/bytes.h"
#include "proto/base/list.h"
#include "store/key.h"
#include "store/zone.h"

enum { ADMIT_EVERY = 16 };
#define BLOCKS_NONE UINT64_MAX /* no block is known for sure */

struct block_cache;
struct shelf;
struct block_value {
    struct slice bytes;
    bool absent; /* the table has none */
    const struct zone *zone; /* of a BRIEF that is kept; NULL: unsound, or too many kinds */
    /* the cache's own */
    struct node used;
    struct shelf *shelf;
    uint64_t block, batch;
    uint32_t kind, refs; /* behind it: its zone, its bytes */
};

/* Owned by the caller; NULL when memory is out. */
struct block_cache *block_cache_new(uint64_t bytes_max);
void block_cache_free(struct block_cache **self);
uint64_t block_cache_bytes(struct block_cache *c);

/* The table thread, around what it writes: begin, the blocks, (the write), end. */
void block_cache_begin(struct block_cache *c);
void block_cache_touch(struct block_cache *c, uint32_t brand, uint64_t block);
void block_cache_end(struct block_cache *c);
/* The newest batch that a snapshot which is taken after this call surely has. */
uint64_t block_cache_batch(struct block_cache *c);

/* NULL when the brand's shelf is of no use to those who read as of this batch. */
struct shelf *shelf_enter(struct block_cache *c, uint32_t brand, uint64_t batch);
void shelf_leave(struct block_cache *c, struct shelf *s);
/* From *known on all blocks are known; *block: the first of these at `edge` or behind it
 * (descending: the last before it). False when there is none. */
bool shelf_next(struct block_cache *c, const struct shelf *s, uint64_t edge, bool descending,
                uint64_t *block, uint64_t *known);
/* What lies from `from` on has been put. */
void shelf_extend(struct block_cache *c, struct shelf *s, uint64_t from);
/* Held until block_value_drop; NULL when it is not there. kind: BRIEF, TEXT or SIGN. */
struct block_value *shelf_get(struct block_cache *c, const struct shelf *s, enum key_kind kind,
                              uint64_t block, uint64_t batch);
/* Likewise, of what was read as of `batch`: a copy, kept if there is room. s may be NULL: then it
 * is not kept. NULL when memory is out. */
struct block_value *shelf_put(struct block_cache *c, struct shelf *s, enum key_kind kind,
                              uint64_t block, uint64_t batch, const struct slice *value);
void block_value_drop(struct block_value **self);
#endif
