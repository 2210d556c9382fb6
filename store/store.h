/* store.h - the seam between the core's groups and what keeps them.
 *
 * A group is what one or more turns of the broker commit together: records encoded one after the
 * other (codec.h). store_append makes it durable (one fsync) and only then may anything it
 * acknowledges leave. Records then reach the table lazily, and only if they survive: a task
 * submitted, done and not kept never touches it. Two implementations: disk (journal.h + table.h)
 * and memory, with scripted faults, for tests and the simulator.
 *
 * Threads: store_append is called by one thread at a time. store_load and store_view_open
 * may be called by any other thread, several at a time; a view and its walks belong to one thread
 * and are closed before the store. Nothing here blocks store_append but the disk.
 *
 * DIAGNOSTICS: store_open says in `why` (one line, names the file) what it refuses: another broker
 * on the folder, a valid frame behind a broken one (corruption), a table whose `reached` lies
 * beyond the journal, an unknown layout version. A torn last frame is cut and counted. */
#ifndef RELAIS_STORE_STORE_H
#define RELAIS_STORE_STORE_H
#include "proto/need.h"
#include "proto/record.h"
#include "store/brief.h"

struct store;
enum store_state { STORE_OK = 0, STORE_DOWN = 1 };

struct store_options {
    const char *folder;          /* DATA; made with mode 0700 when absent */
    uint64_t segment_bytes;      /* of one journal segment; default 16 MiB */
    uint64_t tail_bytes_max;     /* journal to replay at most; default 32 MiB */
    uint64_t debt_bytes_max;     /* records waiting for the table; over it store_debt() >= 1 */
    uint32_t age_ms_max;         /* a pending record older goes to the table; 50. Six times
                                  * as long, and as many, while nobody lists: behind.c */
    uint32_t pending_max;        /* entries that may wait longer than a moment; default 8192 */
    uint64_t free_bytes_min;     /* disk watermark; default 256 MiB */
    uint64_t ballast_bytes;      /* given up when there is no room to start; default 32 MiB, a
                                  * quarter of what is free where that and the watermark do not
                                  * fit */
    uint64_t cache_bytes;        /* the table's blocks, indexes, filters in memory; 8 MiB */
    uint64_t list_cache_bytes;   /* what lists and searches go over, in memory; 128 MiB */
    const uint8_t *id_key;       /* 16 bytes, borrowed: how tasks are spelt; NULL: nothing is
                                  * indexed for searches */
    bool read_only;              /* relais check: needs a stopped broker, changes nothing */
};

struct store_stats {
    uint64_t groups, bytes, segments, pending_records, pending_bytes, reached, cut_bytes;
    uint64_t table_batches, table_records, sync_us_p50, sync_us_p99;
};

struct store *store_open(const struct store_options *options, char *why, size_t why_size);
/* An orderly end: a store that is not down first settles, so that the next open replays nothing. */
void store_close(struct store **self);

/* Durable on return of STORE_OK. STORE_DOWN: nothing more can be acknowledged; close, open again
 * and restore. `group` is strictly increasing from store_next_group(). */
enum store_state store_append(struct store *s, uint64_t group, struct slice records);
uint64_t store_next_group(const struct store *s);
/* 0 = none; from 1 on nothing more should be admitted for a moment: too much waits for the table,
 * at the rate at which it takes it or in bytes, the oldest for more than 0.8 s, or the table has
 * too much to tidy up. */
double store_debt(struct store *s);
bool store_disk_full(struct store *s);
/* Blocks until every group appended before the call is in the table, and its records are no longer
 * pending unless newer groups named them again. Any thread, while the store is open. False: the
 * store is down. */
bool store_settle(struct store *s);

/* Reads what a need asks for, as of at least `group`. Calls `found` for each record in the order
 * core.h gives, slices borrowed for that call; then returns true. False when a read failed (the
 * cause in `why`), e.g. a damaged block: only this answer fails. */
typedef void store_found(void *context, const struct record *record);
bool store_load(struct store *s, const struct need *need, uint64_t group, store_found *found,
                void *context, char *why, size_t why_size);

/* A view: everything as of at least `group`, immutable, for lists and counts. Walks give records
 * in the order of their keys; tasks by id. */
struct store_view;
enum walk_kind {
    WALK_TASKS = 1, WALK_LANES, WALK_QUEUES, WALK_WORKERS, WALK_OBJECTS, WALK_CHECKPOINTS,
    WALK_ATTEMPTS, WALK_LOG, WALK_FILES, WALK_SESSIONS, WALK_SCHEDULES, WALK_TALLIES,
    WALK_POINTS, /* checkpoints of all tasks, by number */
    WALK_TEXT    /* tasks of one brand that may have every term of a search; see walk_sure */
};
/* Whether tasks of a kind are looked at at all. */
typedef bool walk_wanted(void *context, uint32_t lane, uint8_t status, uint8_t priority);
struct walk {
    enum walk_kind kind;
    uint32_t brand;      /* all but CHECKPOINTS, ATTEMPTS, LOG; 0 = all brands but of OBJECTS */
    uint8_t object;      /* OBJECTS: kind */
    bool all_brands;     /* OBJECTS: of any brand; else of `brand`, which may be 0 */
    struct slice owner;  /* OBJECTS of one brand: only this owner's; empty = all */
    struct slice terms;  /* TEXT: what stands between blanks */
    const uint8_t *id_key; /* TEXT: how tasks are spelt, 16 bytes; borrowed */
    int64_t from_ms, to_ms; /* TASKS, TEXT: created then, inclusive; 0 = open. TASKS of all brands:
                          * what the table has is left out as far as the order of ids tells */
    walk_wanted *wanted; /* TASKS of one brand, TEXT: others are passed over; NULL = all */
    void *context;       /* of wanted */
    bool brief;          /* TASKS of one brand, TEXT: of a head only what a brief has, and brand */
    bool results;        /* likewise: results are read with them: walk_result */
    uint64_t id;         /* CHECKPOINTS, ATTEMPTS, LOG: the task */
    bool descending;     /* newest first */
    struct slice cursor; /* from walk_cursor of an earlier walk; empty = from the start */
    uint64_t from_id, to_id; /* TASKS, TEXT, OBJECTS of one brand: bounds, inclusive; 0 = open */
    uint64_t looks_max;      /* rows to look at in all, given or not (browse.h: 64 briefs are one);
                              * 0 = as many as there are */
};
struct store_view *store_view_open(struct store *s, uint64_t group, char *why, size_t why_size);
void store_view_close(struct store_view **self);
struct store_walk;
struct store_walk *walk_open(struct store_view *v, const struct walk *walk);
/* False at the end, or when a read failed; slices are borrowed until the next call. */
bool walk_next(struct store_walk *w, struct record *record);
/* With walk.brief and no results: goes over the rows that are left, as far as looks_max allows;
 * their number. */
uint64_t walk_count(struct store_walk *w);
/* The walk ended because it had looked at looks_max rows; a new one goes on from its cursor. */
bool walk_spent(const struct store_walk *w);
/* TEXT: the terms hold for the row given last; else they may. */
bool walk_sure(const struct store_walk *w);
/* The result of the task given last, when walk.results asks for it. False when it has none. */
bool walk_result(const struct store_walk *w, struct record *record);
/* Rows of the table and of what is pending that were looked at. */
uint64_t walk_looked(const struct store_walk *w);
/* Why the walk ended early otherwise; NULL when it did not. */
const char *walk_trouble(const struct store_walk *w);
/* Replaces `cursor`: the place behind the last row looked at. Empty before the first. */
void walk_cursor(const struct store_walk *w, struct buffer *cursor);
void walk_close(struct store_walk **self);
/* One task with body and result, from the view. False when there is none or it cannot be read. */
bool view_task(struct store_view *v, uint64_t id, store_found *found, void *context);
/* Its head, body, or result alone. */
bool view_head(struct store_view *v, uint64_t id, store_found *found, void *context);
bool view_body(struct store_view *v, uint64_t id, store_found *found, void *context);
bool view_result(struct store_view *v, uint64_t id, store_found *found, void *context);
/* One file record. False when there is none or it cannot be read: see view_trouble. */
bool view_file(struct store_view *v, uint64_t file, store_found *found, void *context);
/* Why a read through this view failed; NULL when none did. */
const char *view_trouble(const struct store_view *v);

/* Files whose records went not long before the store was opened, as the replay found them. After a
 * crash their bytes may still lie there: unlink. Any thread, as often as wanted. */
typedef void store_file_gone(void *context, uint64_t file);
void store_files_gone(struct store *s, store_file_gone *gone, void *context);

void store_stats(struct store *s, struct store_stats *stats);
/* Audit (relais check): every index entry against its record and every record against its index
 * entries, counters against a recount; calls `report` per finding (the first 1000). Returns the
 * number of findings; a read that fails is one. */
typedef void store_report(void *context, const char *finding);
uint64_t store_audit(struct store *s, store_report *report, void *context);

/* The memory store: same seam, for tests and the simulator. */
struct memory_faults {
    uint64_t fail_append_at; /* this group and later ones: STORE_DOWN, until the crash; 0 = none */
    bool holds;              /* appended groups wait for store_memory_sync */
    bool disk_full;
};
/* faults may be NULL. Owned by the caller. */
struct store *store_open_memory(const struct memory_faults *faults);
void store_memory_faults(struct store *s, const struct memory_faults *faults);
/* Held groups up to this one are durable now; reads see them. */
void store_memory_sync(struct store *s, uint64_t group);
size_t store_memory_unsynced(const struct store *s);
/* The process dies: of the held groups the first `keep` turn out to be durable, the others never
 * were. The store is then as after a restart: store_next_group follows the newest that was kept. */
void store_memory_crash(struct store *s, size_t keep);
#endif
