/* group.h - the bytes of a group, shared by all that is pending of it.
 *
 * What is released last frees them. Under load a group has hundreds of KiB, and memory that is
 * fresh from the system costs more than all else that the table thread does with it: so a pool
 * keeps large ones that are gone for the next, at most POOL_BYTES_MAX of them, until it is told to
 * let go. Any thread may call any of this. */
#ifndef RELAIS_STORE_GROUP_H
#define RELAIS_STORE_GROUP_H
#include "proto/base/bytes.h"

/* Smaller ones are malloc's, which keeps those itself. */
enum { POOL_BYTES_MAX = 4 << 20, POOLED_BYTES_MIN = 128 << 10 };

struct group_pool;
struct group_bytes {
    uint32_t refs, len;
    uint64_t group;
    int64_t time_ms; /* when it came; monotonic */
    struct group_pool *pool;  /* where it goes back to; NULL = to malloc */
    struct group_bytes *next; /* in the pool */
    size_t cap;
    uint8_t data[];
};

/* NULL when memory is out. */
struct group_pool *group_pool_new(void);
/* After the last group of it was released. */
void group_pool_free(struct group_pool **self);
/* Frees what it keeps: for quiet moments. */
void group_pool_rest(struct group_pool *p);
/* Bytes that it keeps. */
size_t group_pool_bytes(struct group_pool *p);

/* A copy of the records with one reference, the caller's; NULL when memory is out. `pool` is
 * borrowed, or NULL. */
struct group_bytes *group_bytes_new(struct group_pool *pool, uint64_t group, int64_t time_ms,
                                    struct slice records);
struct group_bytes *group_bytes_ref(struct group_bytes *g);
/* Harmless with NULL, as is the one before. */
void group_bytes_release(struct group_bytes *g);
#endif
