#include "store/table.h"
#include <assert.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BLOOM_BITS = 10, BLOCK_BYTES = 8 << 10, META_BLOCK_BYTES = 8 << 10, FORMAT_VERSION = 5,
    MEMTABLES = 3, FILE_BYTES = 64 << 20, LEVEL_BYTES = 256 << 20, OPEN_FILES = 512,
    L0_COMPACT = 8, L0_SLOW = 40, L0_STOP = 64, BACKGROUND_JOBS = 2, SYNC_BYTES = 1 << 20,
    DELETION_WINDOW = 4096, DELETION_TRIGGER = 2048, MANY_MAX = 128, LOG_BYTES = 1 << 20,
    MANIFEST_STEP_BYTES = 64 << 10
};

struct table {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *blocks;
    rocksdb_cache_t *cache;
    rocksdb_column_family_handle_t *family;
    rocksdb_writeoptions_t *write;
    rocksdb_flushoptions_t *flush;
};
struct table_snapshot { const rocksdb_snapshot_t *snapshot; };
struct table_batch { rocksdb_writebatch_t *batch; };
struct table_scan {
    rocksdb_iterator_t *iterator;
    rocksdb_readoptions_t *options;
    struct range range; /* RocksDB keeps pointers into it */
    bool descending;
};

/* Takes RocksDB's message: one line into `why`. True when there was none. */
static bool fine(char *error, const char *what, char *why, size_t why_size) {
    if (!error) return true;
    if (why) {
        snprintf(why, why_size, "%s: %s", what, error);
        for (char *p = why; *p; p++)
            if (*p == '\n' || *p == '\r') *p = ' ';
    }
    rocksdb_free(error);
    return false;
}

static const char *text(struct slice s) { return s.data ? (const char *)s.data : ""; }

static rocksdb_block_based_table_options_t *blocks_new(rocksdb_cache_t *cache) {
    rocksdb_block_based_table_options_t *b = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_size(b, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(b, FORMAT_VERSION);
    rocksdb_filterpolicy_t *bloom = rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS);
    rocksdb_block_based_options_set_filter_policy(b, bloom); /* owns it */
    /* Filters and indexes of ten million tasks do not fit into memory: in parts, as needed. */
    rocksdb_block_based_options_set_index_type(
        b, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(b, 1);
    rocksdb_block_based_options_set_metadata_block_size(b, META_BLOCK_BYTES);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(b, 1);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(b, 1);
    rocksdb_block_based_options_set_block_cache(b, cache);
    return b;
}

static rocksdb_options_t *options_new(const struct table_options *o,
                                      rocksdb_block_based_table_options_t *blocks) {
    rocksdb_options_t *r = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(r, 1);
    rocksdb_options_set_block_based_table_factory(r, blocks);
    rocksdb_options_set_write_buffer_size(r, o->memory_bytes);
    rocksdb_options_set_max_write_buffer_number(r, MEMTABLES);
    rocksdb_options_set_target_file_size_base(r, FILE_BYTES);
    rocksdb_options_set_max_bytes_for_level_base(r, LEVEL_BYTES);
    rocksdb_options_set_level0_file_num_compaction_trigger(r, L0_COMPACT);
    rocksdb_options_set_level0_slowdown_writes_trigger(r, L0_SLOW);
    rocksdb_options_set_level0_stop_writes_trigger(r, L0_STOP);
    rocksdb_options_set_max_background_jobs(r, BACKGROUND_JOBS);
    rocksdb_options_set_bytes_per_sync(r, SYNC_BYTES);
    rocksdb_options_set_compression(r, rocksdb_lz4_compression);
    rocksdb_options_set_max_open_files(r, OPEN_FILES);
    rocksdb_options_set_skip_stats_update_on_db_open(r, 1);
    rocksdb_options_set_skip_checking_sst_file_sizes_on_db_open(r, 1);
    rocksdb_options_set_allow_mmap_reads(r, 0);
    rocksdb_options_set_allow_mmap_writes(r, 0);
    /* A lane's head leaves runs of tombstones: compact files that are full of them. */
    rocksdb_options_add_compact_on_deletion_collector_factory(r, DELETION_WINDOW, DELETION_TRIGGER);
    rocksdb_options_set_manifest_preallocation_size(r, MANIFEST_STEP_BYTES); /* small disks */
    rocksdb_options_set_max_log_file_size(r, LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(r, 2);
    rocksdb_options_set_info_log_level(r, 2); /* warnings */
    rocksdb_options_set_stats_dump_period_sec(r, 0);
    return r;
}

struct table *table_open(const struct table_options *o, char *why, size_t why_size) {
    struct table *t = calloc(1, sizeof *t);
    if (!t) { snprintf(why, why_size, "%s: memory is out", o->folder); return NULL; }
    t->cache = rocksdb_cache_create_lru(o->cache_bytes);
    t->blocks = blocks_new(t->cache);
    t->options = options_new(o, t->blocks);
    t->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(t->write, 1);
    t->flush = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(t->flush, 0);
    const char *name = "default";
    const rocksdb_options_t *family_options = t->options;
    char *error = NULL;
    if (o->read_only)
        t->db = rocksdb_open_for_read_only_column_families(t->options, o->folder, 1, &name,
                                                           &family_options, &t->family, 0, &error);
    else
        t->db = rocksdb_open_column_families(t->options, o->folder, 1, &name, &family_options,
                                             &t->family, &error);
    if (!fine(error, o->folder, why, why_size)) table_close(&t);
    return t;
}

void table_close(struct table **self) {
    struct table *t = *self;
    if (!t) return;
    if (t->family) rocksdb_column_family_handle_destroy(t->family);
    if (t->db) rocksdb_close(t->db);
    rocksdb_flushoptions_destroy(t->flush);
    rocksdb_writeoptions_destroy(t->write);
    rocksdb_options_destroy(t->options);
    rocksdb_block_based_options_destroy(t->blocks);
    rocksdb_cache_destroy(t->cache);
    free(t);
    *self = NULL;
}

struct table_snapshot *table_snapshot_open(struct table *t) {
    struct table_snapshot *s = malloc(sizeof *s);
    if (s) s->snapshot = rocksdb_create_snapshot(t->db);
    return s;
}

void table_snapshot_close(struct table *t, struct table_snapshot **self) {
    if (!*self) return;
    rocksdb_release_snapshot(t->db, (*self)->snapshot);
    free(*self);
    *self = NULL;
}

static rocksdb_readoptions_t *read_options(const struct table_snapshot *at) {
    rocksdb_readoptions_t *r = rocksdb_readoptions_create();
    if (at) rocksdb_readoptions_set_snapshot(r, at->snapshot);
    return r;
}

int table_get(struct table *t, const struct table_snapshot *at, struct slice key,
              struct buffer *value, char *why, size_t why_size) {
    rocksdb_readoptions_t *options = read_options(at);
    char *error = NULL;
    rocksdb_pinnableslice_t *pinned =
        rocksdb_get_pinned(t->db, options, text(key), key.len, &error);
    rocksdb_readoptions_destroy(options);
    if (!fine(error, "table", why, why_size)) return -1;
    if (!pinned) return 0;
    size_t len = 0;
    const char *data = rocksdb_pinnableslice_value(pinned, &len);
    buffer_append(value, data, len);
    rocksdb_pinnableslice_destroy(pinned);
    return 1;
}

static bool get_some(struct table *t, rocksdb_readoptions_t *options, const struct slice *keys,
                     size_t count, struct buffer *values, struct piece *pieces, char *why,
                     size_t why_size) {
    const char *key_data[MANY_MAX];
    size_t key_len[MANY_MAX];
    rocksdb_pinnableslice_t *found[MANY_MAX] = {0};
    char *errors[MANY_MAX] = {0};
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        key_data[i] = text(keys[i]);
        key_len[i] = keys[i].len;
    }
    rocksdb_batched_multi_get_cf(t->db, options, t->family, count, key_data, key_len, found, errors,
                                 true);
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        ok = fine(errors[i], "table", ok ? why : NULL, why_size) && ok;
        pieces[i] = (struct piece){values->len, UINT32_MAX};
        if (!found[i]) continue;
        const char *data = rocksdb_pinnableslice_value(found[i], &len);
        buffer_append(values, data, len);
        pieces[i].len = (uint32_t)len;
        rocksdb_pinnableslice_destroy(found[i]);
    }
    return ok;
}

bool table_get_many(struct table *t, const struct table_snapshot *at, const struct slice *keys,
                    size_t count, struct buffer *values, struct piece *pieces, char *why,
                    size_t why_size) {
    rocksdb_readoptions_t *options = read_options(at);
    bool ok = true;
    for (size_t done = 0; ok && done < count;) {
        size_t some = count - done < MANY_MAX ? count - done : MANY_MAX;
        ok = get_some(t, options, keys + done, some, values, pieces + done, why, why_size);
        done += some;
    }
    rocksdb_readoptions_destroy(options);
    return ok;
}

struct table_scan *table_scan_open(struct table *t, const struct table_snapshot *at,
                                   const struct range *range, bool descending) {
    struct table_scan *s = malloc(sizeof *s);
    if (!s) return NULL;
    s->range.from = range->from;
    s->range.to = range->to;
    s->descending = descending;
    s->options = read_options(at);
    const char *from = (const char *)s->range.from.bytes, *to = (const char *)s->range.to.bytes;
    rocksdb_readoptions_set_iterate_lower_bound(s->options, from, s->range.from.len);
    rocksdb_readoptions_set_iterate_upper_bound(s->options, to, s->range.to.len);
    s->iterator = rocksdb_create_iterator(t->db, s->options);
    if (descending) rocksdb_iter_seek_to_last(s->iterator);
    else rocksdb_iter_seek_to_first(s->iterator);
    return s;
}

bool table_scan_valid(const struct table_scan *s) { return rocksdb_iter_valid(s->iterator); }

struct slice table_scan_key(const struct table_scan *s) {
    size_t len = 0;
    const char *key = rocksdb_iter_key(s->iterator, &len);
    return slice_of(key, len);
}

struct slice table_scan_value(const struct table_scan *s) {
    size_t len = 0;
    const char *value = rocksdb_iter_value(s->iterator, &len);
    return slice_of(value, len);
}

void table_scan_next(struct table_scan *s) {
    if (s->descending) rocksdb_iter_prev(s->iterator);
    else rocksdb_iter_next(s->iterator);
}

bool table_scan_ok(const struct table_scan *s, char *why, size_t why_size) {
    char *error = NULL;
    rocksdb_iter_get_error(s->iterator, &error);
    return fine(error, "table", why, why_size);
}

void table_scan_close(struct table_scan **self) {
    if (!*self) return;
    rocksdb_iter_destroy((*self)->iterator);
    rocksdb_readoptions_destroy((*self)->options);
    free(*self);
    *self = NULL;
}

struct table_batch *table_batch_new(void) {
    struct table_batch *b = malloc(sizeof *b);
    if (b) b->batch = rocksdb_writebatch_create();
    return b;
}

void table_batch_free(struct table_batch **self) {
    if (!*self) return;
    rocksdb_writebatch_destroy((*self)->batch);
    free(*self);
    *self = NULL;
}

void table_batch_put(struct table_batch *b, struct slice key, struct slice value) {
    rocksdb_writebatch_put(b->batch, text(key), key.len, text(value), value.len);
}

void table_batch_delete(struct table_batch *b, struct slice key) {
    rocksdb_writebatch_delete(b->batch, text(key), key.len);
}

bool table_write(struct table *t, struct table_batch *b, char *why, size_t why_size) {
    char *error = NULL;
    rocksdb_write(t->db, t->write, b->batch, &error);
    rocksdb_writebatch_clear(b->batch);
    return fine(error, "table", why, why_size);
}

bool table_flush(struct table *t, char *why, size_t why_size) {
    char *error = NULL;
    rocksdb_flush(t->db, t->flush, &error);
    return fine(error, "table", why, why_size);
}

static uint64_t property(struct table *t, const char *name) {
    uint64_t value = 0;
    return rocksdb_property_int(t->db, name, &value) == 0 ? value : 0;
}

bool table_flushing(struct table *t) {
    return property(t, "rocksdb.num-immutable-mem-table") > 0;
}

bool table_broken(struct table *t) { return property(t, "rocksdb.background-errors") > 0; }

uint64_t table_compaction_debt(struct table *t) {
    return property(t, "rocksdb.estimate-pending-compaction-bytes");
}
