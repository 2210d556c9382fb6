/* view.h - what every implementation of the store shares: reading through an overlay.
 *
 * A view is an overlay of pending entries over a snapshot of the table, taken together. A scan
 * merges both in key order: of a key (or, in the indexes of tasks, of an id) that both know the
 * overlay's word counts. The memory store has no table; its overlay is all there is.
 *
 * Threads: a view and its scans belong to one thread at a time. */
#ifndef RELAIS_STORE_VIEW_H
#define RELAIS_STORE_VIEW_H
#include "store/overlay.h"
#include "store/store.h"
#include "store/table.h"

struct store_ops {
    void (*close)(struct store **self);
    enum store_state (*append)(struct store *s, uint64_t group, struct slice records);
    uint64_t (*next_group)(const struct store *s);
    double (*debt)(struct store *s);
    bool (*disk_full)(struct store *s);
    /* Fills the view's parts, as of at least `group`. */
    bool (*view)(struct store *s, uint64_t group, const struct collect *collect,
                 struct store_view *v, char *why, size_t why_size);
    void (*stats)(struct store *s, struct store_stats *stats);
    bool (*settle)(struct store *s);
};
/* First member of each implementation. */
struct store {
    const struct store_ops *ops;
    uint64_t *gone_files; /* owned: of the replay, before the table thread takes them away */
    size_t gone_count;
};

enum { WHY_BYTES = 256, LAYOUT_VERSION = 4, LAYOUT_VERSION_MIN = 2 };
struct store_view {
    struct table *table; /* borrowed; NULL in memory */
    struct table_snapshot *snapshot;
    struct block_cache *cache; /* borrowed; NULL: none */
    uint64_t batch;            /* of the cache: the snapshot has this one */
    struct overlay overlay;
    char why[WHY_BYTES]; /* of the last read that failed */
};
struct store_view *view_new(struct store *s, uint64_t group, const struct collect *collect,
                            char *why, size_t why_size);

/* The value of REACHED. */
struct table_state {
    uint64_t reached;
    uint32_t version;
    int64_t created_max_ms, setback_ms; /* see materialise.h */
    uint64_t text_key; /* tasks are indexed for searches under this key of spelling; 0 = not */
};
/* False when it is of another layout. */
bool table_state_read(struct slice value, struct table_state *s);

struct scan_row {
    struct slice key, value;       /* borrowed until the next row */
    const struct task_state *task; /* NULL when the row is the table's */
};
struct scan {
    struct store_view *view;
    struct table_scan *table;
    struct range range;
    enum key_kind kind;
    bool descending, failed, on_table;
    struct buffer keys;       /* of the overlay's rows */
    struct overlay_row *rows; /* owned, in the order of the scan */
    size_t row_count, row_cap, row_next;
    const struct task_state *owner; /* SUB: the task that the range is about */
};
/* Fills gone_files; after the replay, before anything else changes. */
bool gone_files_note(struct store *s, char *why, size_t why_size);

/* The range lies within one kind of key; for SUB within one task. False: see view->why. */
bool scan_open(struct scan *s, struct store_view *v, const struct range *range, bool descending);
/* Of the table only what lies within `table`, too. */
bool scan_open_within(struct scan *s, struct store_view *v, const struct range *range,
                      const struct range *table, bool descending);
/* False at the end, and with s->failed when a read failed. */
bool scan_next(struct scan *s, struct scan_row *row);
void scan_close(struct scan *s);

/* One value; appended to `value`. 1 found, 0 absent, -1 failed: see view->why. */
int view_get(struct store_view *v, const struct key *key, struct buffer *value);
/* Likewise for a task's head, body or result. */
int view_part(struct store_view *v, uint64_t id, enum key_kind kind, struct buffer *value);
/* The id of a row of an index of tasks. */
uint64_t row_id(const struct scan_row *row);
/* The range of all keys that begin with `prefix`. */
void range_prefix(struct range *r, const struct key *prefix);
#endif
