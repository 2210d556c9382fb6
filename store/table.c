#include "store/table.h"
#include "store/lexicon.h"
#include <assert.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BLOOM_BITS = 10, BLOCK_BYTES = 8 << 10, META_BLOCK_BYTES = 8 << 10, FORMAT_VERSION = 5,
    MEMTABLES = 3, FILE_BYTES = 8 << 20, FILE_GROWTH = 2, LEVEL_BYTES = 64 << 20, OPEN_FILES = 512,
    L0_COMPACT = 8, L0_SLOW = 48, L0_STOP = 64, BACKGROUND_JOBS = 2, SYNC_BYTES = 1 << 20,
    DELETION_WINDOW = 4096, DELETION_TRIGGER = 2048, MANY_MAX = 128, LOG_BYTES = 1 << 20,
    MANIFEST_STEP_BYTES = 64 << 10, CHUNK_FIRST = 64, CHUNK_ROWS = 512,
    CHUNK_BYTES = 128 << 10, CLOSE_STEPS = 4
};

struct table {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *blocks;
    rocksdb_cache_t *cache;
    rocksdb_env_t *env;
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

    /* Going back is a search a row in RocksDB, going on is a step. So keys that end in an id are
     * read forward, a chunk of ids at a time, and given from the last of the chunk. */
    bool chunked;
    uint64_t low, high, span; /* ids that are left: [low, high); as many are read next */
    struct buffer bytes;
    struct chunk_row { size_t at; uint32_t key_len, value_len; } *rows; /* owned */
    size_t row_count, row_cap; /* those before row_count are still to be given */
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

/* ---- values that are added to ---- */

static char *merged(const char *key, size_t key_len, const struct slice *parts, size_t count,
                    bool whole, unsigned char *success, size_t *new_len) {
    struct buffer sum = {0};
    const enum key_kind kind = key_len > 0 ? (enum key_kind)(uint8_t)key[0] : KEY_META;
    *success = kind == KEY_BRIEF  ? brief_merge(parts, count, whole, &sum)
               : kind == KEY_TEXT ? lexicon_merge(parts, count, &sum)
                                  : kind == KEY_SIGN && sign_merge(parts, count, &sum);
    if (!*success) buffer_free(&sum);
    *new_len = sum.len;
    return (char *)sum.data; /* given back by merge_free */
}

static char *merge_partial(void *state, const char *key, size_t key_len, const char *const *list,
                           const size_t *lens, int count, unsigned char *success,
                           size_t *new_len) {
    (void)state;
    struct slice *parts = calloc((size_t)count + 1, sizeof *parts);
    for (int i = 0; parts && i < count; i++) parts[i] = slice_of(list[i], lens[i]);
    *success = 0;
    *new_len = 0;
    char *sum = parts ? merged(key, key_len, parts, (size_t)count, false, success, new_len) : NULL;
    free(parts);
    return sum;
}

static char *merge_full(void *state, const char *key, size_t key_len, const char *existing,
                        size_t existing_len, const char *const *list, const size_t *lens,
                        int count, unsigned char *success, size_t *new_len) {
    (void)state;
    size_t have = existing ? 1 : 0;
    struct slice *parts = calloc((size_t)count + 1, sizeof *parts);
    if (parts && have) parts[0] = slice_of(existing, existing_len);
    for (int i = 0; parts && i < count; i++) parts[have + (size_t)i] = slice_of(list[i], lens[i]);
    *success = 0;
    *new_len = 0;
    char *sum = parts ? merged(key, key_len, parts, have + (size_t)count, true, success,
                               new_len) : NULL;
    free(parts);
    return sum;
}

static void merge_free(void *state, const char *value, size_t len) {
    (void)state, (void)len;
    free((void *)(uintptr_t)value);
}

static void merge_destroy(void *state) { (void)state; }

static const char *merge_name(void *state) {
    (void)state;
    return "relais.text";
}

/* New tasks come at the end of each kind of key in turn: remembering where that was saves most of
 * the search for the place of a key. What cannot be said through the C interface goes as text. */
static rocksdb_options_t *hinted(rocksdb_options_t *plain) {
    char *error = NULL;
    rocksdb_options_t *r = rocksdb_options_create();
    rocksdb_get_options_from_string(plain, "memtable_insert_with_hint_prefix_extractor=fixed:1", r,
                                    &error);
    rocksdb_options_destroy(error ? r : plain);
    if (!error) return r;
    rocksdb_free(error); /* a RocksDB that does not know it takes longer, and that is all */
    return plain;
}

static rocksdb_options_t *options_new(const struct table_options *o,
                                      rocksdb_block_based_table_options_t *blocks) {
    rocksdb_options_t *r = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(r, 1);
    rocksdb_options_set_block_based_table_factory(r, blocks);
    rocksdb_options_set_write_buffer_size(r, o->memory_bytes);
    rocksdb_options_set_max_write_buffer_number(r, MEMTABLES);
    /* A small first level of small files: what is queued comes in at the end of each kind of key,
     * so files before that end go down without being written again. */
    rocksdb_options_set_target_file_size_base(r, FILE_BYTES);
    rocksdb_options_set_target_file_size_multiplier(r, FILE_GROWTH);
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
    rocksdb_options_set_merge_operator(
        r, rocksdb_mergeoperator_create(NULL, merge_destroy, merge_full, merge_partial,
                                        merge_free, merge_name)); /* owns it */
    rocksdb_options_set_max_log_file_size(r, LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(r, 2);
    rocksdb_options_set_info_log_level(r, 2); /* warnings */
    rocksdb_options_set_stats_dump_period_sec(r, 0);
    return hinted(r);
}

struct table *table_open(const struct table_options *o, char *why, size_t why_size) {
    struct table *t = calloc(1, sizeof *t);
    if (!t) { snprintf(why, why_size, "%s: memory is out", o->folder); return NULL; }
    t->cache = rocksdb_cache_create_lru(o->cache_bytes);
    t->blocks = blocks_new(t->cache);
    t->options = options_new(o, t->blocks);
    t->env = rocksdb_create_default_env(); /* tidying up gives way to whoever waits */
    rocksdb_env_lower_thread_pool_cpu_priority(t->env);
    rocksdb_options_set_env(t->options, t->env);
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
    rocksdb_env_destroy(t->env);
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

/* ---- walks ---- */

static uint64_t tail_of(const struct key *k, uint32_t prefix) {
    uint64_t tail = 0;
    for (uint32_t i = prefix; i < prefix + 8; i++)
        tail = tail << 8 | (i < k->len ? k->bytes[i] : 0);
    return tail;
}

/* True when the range lies within keys of `prefix` bytes and an id behind them. */
static bool range_of_ids(const struct range *r, uint32_t *prefix) {
    const uint8_t kind = r->from.bytes[0];
    *prefix = kind == KEY_HEAD ? 1 : kind == KEY_BRIEF || kind == KEY_SIGN ? 5 : 0;
    return *prefix > 0 && r->from.len >= *prefix && r->from.len <= *prefix + 8;
}

static void chunks_begin(struct table_scan *s) {
    uint32_t prefix;
    s->chunked = s->descending && range_of_ids(&s->range, &prefix);
    if (!s->chunked) return;
    const bool within = s->range.to.len > prefix &&
                        memcmp(s->range.from.bytes, s->range.to.bytes, prefix) == 0;
    s->low = tail_of(&s->range.from, prefix);
    s->high = within ? tail_of(&s->range.to, prefix) : UINT64_MAX;
    if (within && s->range.to.len > prefix + 8 && s->high < UINT64_MAX) s->high++;
    s->span = prefix == 1 ? CHUNK_FIRST : 1; /* blocks of tasks are large */
    rocksdb_iter_seek_to_last(s->iterator); /* the one step back says where the ids end */
    if (!rocksdb_iter_valid(s->iterator)) { s->high = s->low; return; }
    size_t len = 0;
    const char *key = rocksdb_iter_key(s->iterator, &len);
    const uint64_t last = key_tail_id(slice_of(key, len));
    if (last + 1 < s->high) s->high = last + 1;
}

static bool chunk_keep(struct table_scan *s) {
    size_t key_len = 0, value_len = 0;
    const char *key = rocksdb_iter_key(s->iterator, &key_len);
    const char *value = rocksdb_iter_value(s->iterator, &value_len);
    if (key_tail_id(slice_of(key, key_len)) >= s->high) return false;
    if (s->row_count == s->row_cap) {
        const size_t cap = s->row_cap ? s->row_cap * 2 : CHUNK_FIRST;
        struct chunk_row *rows = realloc(s->rows, cap * sizeof *rows);
        if (!rows) abort();
        s->rows = rows;
        s->row_cap = cap;
    }
    s->rows[s->row_count++] =
        (struct chunk_row){s->bytes.len, (uint32_t)key_len, (uint32_t)value_len};
    buffer_append(&s->bytes, key, key_len);
    buffer_append(&s->bytes, value, value_len);
    if (s->bytes.failed) abort();
    return true;
}

/* Reads the chunk before the one that has been given. */
static void chunk_read(struct table_scan *s) {
    uint32_t prefix = 0;
    range_of_ids(&s->range, &prefix);
    while (s->row_count == 0 && s->high > s->low) {
        const uint64_t from = s->high - s->low > s->span ? s->high - s->span : s->low;
        struct key key = s->range.from;
        key.len = prefix;
        key_u64(&key, from);
        buffer_clear(&s->bytes);
        for (rocksdb_iter_seek(s->iterator, (const char *)key.bytes, key.len);
             rocksdb_iter_valid(s->iterator) && chunk_keep(s); rocksdb_iter_next(s->iterator))
            continue;
        s->high = from;
        if (s->row_count > 2 * CHUNK_ROWS || s->bytes.len > 2 * CHUNK_BYTES)
            s->span = s->span > 1 ? s->span / 2 : 1;
        else if (s->row_count < CHUNK_ROWS && s->bytes.len < CHUNK_BYTES)
            s->span *= s->row_count < CHUNK_FIRST ? 4 : 2;
        if (s->span > UINT64_C(1) << 40) s->span = UINT64_C(1) << 40;
    }
}

struct table_scan *table_scan_open(struct table *t, const struct table_snapshot *at,
                                   const struct range *range, bool descending) {
    struct table_scan *s = malloc(sizeof *s);
    if (!s) return NULL;
    *s = (struct table_scan){.descending = descending, .options = read_options(at)};
    s->range = *range;
    const char *from = (const char *)s->range.from.bytes, *to = (const char *)s->range.to.bytes;
    rocksdb_readoptions_set_iterate_lower_bound(s->options, from, s->range.from.len);
    rocksdb_readoptions_set_iterate_upper_bound(s->options, to, s->range.to.len);
    s->iterator = rocksdb_create_iterator(t->db, s->options);
    chunks_begin(s);
    if (s->chunked) chunk_read(s);
    else if (descending) rocksdb_iter_seek_to_last(s->iterator);
    else rocksdb_iter_seek_to_first(s->iterator);
    return s;
}

bool table_scan_valid(const struct table_scan *s) {
    return s->chunked ? s->row_count > 0 : rocksdb_iter_valid(s->iterator);
}

struct slice table_scan_key(const struct table_scan *s) {
    size_t len = 0;
    if (s->chunked) {
        const struct chunk_row *row = &s->rows[s->row_count - 1];
        return slice_of(s->bytes.data + row->at, row->key_len);
    }
    const char *key = rocksdb_iter_key(s->iterator, &len);
    return slice_of(key, len);
}

struct slice table_scan_value(const struct table_scan *s) {
    size_t len = 0;
    if (s->chunked) {
        const struct chunk_row *row = &s->rows[s->row_count - 1];
        return slice_of(s->bytes.data + row->at + row->key_len, row->value_len);
    }
    const char *value = rocksdb_iter_value(s->iterator, &len);
    return slice_of(value, len);
}

void table_scan_next(struct table_scan *s) {
    if (s->chunked && --s->row_count > 0) return;
    if (s->chunked) chunk_read(s);
    else if (s->descending) rocksdb_iter_prev(s->iterator);
    else rocksdb_iter_next(s->iterator);
}

void table_scan_seek(struct table_scan *s, struct slice key) {
    assert(!s->descending);
    for (int steps = 0; rocksdb_iter_valid(s->iterator); steps++) {
        const int order = slice_order(table_scan_key(s), key);
        if (order == 0 || (order > 0 && steps > 0)) return;
        if (order > 0 || steps == CLOSE_STEPS) break;
        rocksdb_iter_next(s->iterator);
    }
    rocksdb_iter_seek(s->iterator, text(key), key.len);
}

bool table_scan_ok(const struct table_scan *s, char *why, size_t why_size) {
    char *error = NULL;
    rocksdb_iter_get_error(s->iterator, &error);
    return fine(error, "table", why, why_size);
}

void table_scan_close(struct table_scan **self) {
    struct table_scan *s = *self;
    if (!s) return;
    rocksdb_iter_destroy(s->iterator);
    rocksdb_readoptions_destroy(s->options);
    buffer_free(&s->bytes);
    free(s->rows);
    free(s);
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

void table_batch_merge(struct table_batch *b, struct slice key, struct slice value) {
    rocksdb_writebatch_merge(b->batch, text(key), key.len, text(value), value.len);
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

bool table_compacting(struct table *t) {
    return property(t, "rocksdb.num-running-compactions") > 0;
}

uint32_t table_unsorted(struct table *t) {
    char *files = rocksdb_property_value(t->db, "rocksdb.num-files-at-level0");
    const unsigned long count = files ? strtoul(files, NULL, 10) : 0;
    rocksdb_free(files);
    return (uint32_t)count;
}
