/* table.h - the ordered map on disk: RocksDB, and nothing of the tasks' meaning.
 *
 * The only module that knows RocksDB. One column family, no write-ahead log (the journal is it),
 * one writing thread; reads and snapshots from any thread. A batch is written whole or not at all,
 * and what a crash leaves is the state after some batch: the last one that was flushed.
 *
 * DIAGNOSTICS: functions that can fail say why, in one line. A damaged block fails the reads that
 * touch it and nothing else. After a failed write the table must be closed and opened again. */
#ifndef RELAIS_STORE_TABLE_H
#define RELAIS_STORE_TABLE_H
#include "store/key.h"

struct table;
struct table_snapshot;
struct table_batch;
struct table_scan;

struct table_options {
    const char *folder;
    uint64_t memory_bytes; /* of one memtable; there may be three */
    uint64_t cache_bytes;  /* blocks, indexes and filters */
    bool read_only;
};

/* Owned by the caller; NULL on failure. */
struct table *table_open(const struct table_options *options, char *why, size_t why_size);
void table_close(struct table **self);

struct table_snapshot *table_snapshot_open(struct table *t);
void table_snapshot_close(struct table *t, struct table_snapshot **self);

/* Value of a key as of the snapshot (NULL = newest), appended to `value`. 1 found, 0 absent,
 * -1 failed. */
int table_get(struct table *t, const struct table_snapshot *at, struct slice key,
              struct buffer *value, char *why, size_t why_size);
/* Values of `count` keys in ascending order: pieces[i] is where in `values` the i-th lies; len
 * UINT32_MAX = absent. */
struct piece { size_t at; uint32_t len; };
bool table_get_many(struct table *t, const struct table_snapshot *at, const struct slice *keys,
                    size_t count, struct buffer *values, struct piece *pieces, char *why,
                    size_t why_size);

/* Walks a range, from its first or (descending) its last key. Keys and values are borrowed until
 * the next call. */
struct table_scan *table_scan_open(struct table *t, const struct table_snapshot *at,
                                   const struct range *range, bool descending);
bool table_scan_valid(const struct table_scan *s);
struct slice table_scan_key(const struct table_scan *s);
struct slice table_scan_value(const struct table_scan *s);
void table_scan_next(struct table_scan *s);
/* Ascending: moves to that key or the first behind it. Cheap when it is close behind. */
void table_scan_seek(struct table_scan *s, struct slice key);
/* False when the walk ended because of an error. */
bool table_scan_ok(const struct table_scan *s, char *why, size_t why_size);
void table_scan_close(struct table_scan **self);

struct table_batch *table_batch_new(void);
void table_batch_free(struct table_batch **self);
void table_batch_put(struct table_batch *b, struct slice key, struct slice value);
/* BRIEF, TEXT and SIGN: adds to what is there, as brief.h and text.h say. */
void table_batch_merge(struct table_batch *b, struct slice key, struct slice value);
void table_batch_delete(struct table_batch *b, struct slice key);
/* Writes and empties the batch. */
bool table_write(struct table *t, struct table_batch *b, char *why, size_t why_size);

/* Begins to put on disk all that was written before; table_flushing tells when that is done. */
bool table_flush(struct table *t, char *why, size_t why_size);
bool table_flushing(struct table *t);
/* True when a background write failed: nothing can be written any more. */
bool table_broken(struct table *t);
/* It is tidying up what was written, which takes memory, too. */
bool table_compacting(struct table *t);
/* Files that are not tidied up yet. Beyond 48 writing is slowed down, beyond 64 it stands still. */
uint32_t table_unsorted(struct table *t);
#endif
