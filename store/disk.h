/* disk.h - the parts of the store on disk, for its files alone.
 *
 * disk.c opens, closes and answers calls; upgrade.c brings older tables up to date; behind.c is the
 * table thread, which brings what is durable in the journal to the table. Locks: `lock` around
 * pending, `inbox_lock` around the groups that the store thread hands over; taken in this order.
 * The store thread takes only the second. */
#ifndef RELAIS_STORE_DISK_H
#define RELAIS_STORE_DISK_H
#include "store/journal.h"
#include "store/materialise.h"
#include "store/view.h"
#include <pthread.h>

enum { SYNC_SAMPLES = 512, PATH_BYTES = 512, BATCH_MAX = 512, TICK_MS = 5 };

/* Where in the journal's bytes a group was, every MARK_BYTES: tells how much lies behind it. */
struct mark { uint64_t group, bytes; };
enum { MARKS = 4096, MARK_BYTES = 64 << 10 };

struct inbox { struct group_bytes **groups; size_t count, cap; };

struct disk {
    struct store store;
    struct store_options options;
    char folder[PATH_BYTES];
    int lock_fd;
    struct journal *journal;
    struct table *table; /* NULL only when read-only and there is none yet */
    struct block_cache *cache; /* what lists read of it; NULL when read-only */
    struct pending *pending;
    struct group_pool *pool;                /* of the groups below and in pending */
    pthread_mutex_t lock, inbox_lock;
    pthread_cond_t durable_cond, work_cond; /* both under inbox_lock; the first is also
                                              for settled and down */
    struct inbox inbox, spare;              /* spare: under lock */
    uint64_t durable; /* newest group in the journal; under inbox_lock */
    uint64_t settle_until; /* somebody waits for this group; atomic, written under inbox_lock */
    uint64_t settled; /* up to here the table has all, pending nothing; written under inbox_lock */
    bool idle, stop;  /* under inbox_lock */
    bool down;        /* atomic */
    char down_why[WHY_BYTES];
    uint64_t applied; /* under lock, as what follows */
    uint64_t taken_bytes;
    struct mark marks[MARKS];
    uint64_t mark_count;
    pthread_t thread;
    bool thread_runs;

    /* the table thread's own */
    struct materialise writer;
    struct texts texts;
    uint32_t version;   /* layout of the table as it was found; 0 = new */
    uint64_t text_key;  /* likewise: table_state */
    struct taken taken;
    uint64_t *ids;
    struct was *wheres;
    uint64_t reached;    /* as the table has it; atomic */
    uint64_t looked_at;  /* applied, when it last thought of resting */
    uint64_t flush_mark; /* reached when the flush began; 0 = no flush runs */
    uint64_t flushed;    /* reached of the last flush that ended, or of the open */
    int64_t unsorted_look_ms; /* when it next looks */
    uint64_t drained, drain_us; /* entries written, and how long that took */
    int64_t memory_look_ms;                     /* when it next thinks of giving memory back; */
    uint64_t memory_looked_at, memory_given_at; /* group_bytes then, and when it last did */
    bool memory_again;   /* it did while the table compacted */

    /* atomics, for stats and debt */
    uint64_t pending_bytes, pending_entries, inbox_bytes, groups, group_bytes, tail_bytes;
    uint64_t table_batches, table_records;
    int64_t oldest_ms;   /* since when the oldest waits for the table; 0 = nothing does */
    uint32_t unsorted;   /* table_unsorted */
    uint64_t drain_per_s; /* entries that it takes, as of late; 0 = not known yet */
    uint32_t sync_us[SYNC_SAMPLES];
    uint64_t sync_count;
    int64_t space_checked_ms;
    int64_t listed_ms; /* when somebody last had all that is pending copied */
    bool space_low;
};

#define atomic_get(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define atomic_set(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define atomic_add(field, value) __atomic_add_fetch(&(field), (value), __ATOMIC_RELAXED)

enum { BEHIND_MS_MAX = 800, AHEAD_MS_MAX = 400, UNSORTED_EASY = 12, UNSORTED_MAX = 36,
       CYCLE_MS = 200, FEW_ENTRIES = 4 * BATCH_MAX };

int64_t disk_now_ms(void);
int64_t disk_now_us(void);
/* What the table has not tidied up must not grow until RocksDB slows all writing down, for then
 * everything waits. So the more files there are, the longer the part of each CYCLE_MS in which
 * nothing is admitted; this says when. */
bool disk_untidy(uint32_t files, int64_t now_ms);
/* Takes in what the store thread handed over. Call under `lock`. */
void disk_take_in(struct disk *d);
/* Counts a group that is in the journal. Call under `lock`. */
void disk_mark(struct disk *d, uint64_t group, uint64_t bytes);
/* Bytes of groups in the journal behind `group`. Call under `lock`. */
uint64_t disk_bytes_behind(const struct disk *d, uint64_t group);
/* Nothing can be acknowledged any more. */
void disk_down(struct disk *d, const char *why);

/* Adds what the table says of itself to the batch. */
void behind_put_reached(struct disk *d, uint64_t reached);
bool behind_start(struct disk *d, char *why, size_t why_size);
void behind_stop(struct disk *d);
/* Brings a table of an older layout, or one that is indexed under another key, to this one. False:
 * see why. Before the journal is replayed. */
bool disk_upgrade(struct disk *d, char *why, size_t why_size);
/* See store_settle. */
bool behind_settle(struct disk *d);
#endif
