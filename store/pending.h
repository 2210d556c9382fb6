/* pending.h - durable records that are not in the table yet.
 *
 * A map from task id to the whole task (head, body, result, and the parts under it: attempts,
 * log, checkpoints) and from key to every other record. Values are not copied out of their group:
 * a part holds a reference to the group's bytes. A task that is gone before it was ever in the
 * table leaves no trace here. The table thread takes the oldest entries (pending_take), writes
 * them and then lets go of what did not change meanwhile (pending_taken). The memory store keeps
 * everything here for ever.
 *
 * Rules: one lock, the caller's, around everything here.
 *
 * `where` of a task is the place its index keys have in the table; it is what the first record
 * since then gave as `was`, or unknown after a replay (the table may be ahead of what is replayed)
 * until pending_verify. */
#ifndef RELAIS_STORE_PENDING_H
#define RELAIS_STORE_PENDING_H
#include "store/group.h"
#include "store/key.h"

enum part_state { PART_TABLE = 0, /* nothing here: the table knows */ PART_PUT = 1, PART_GONE = 2 };
struct part {
    struct group_bytes *from; /* a reference */
    const uint8_t *data;
    uint32_t len;
    uint8_t state;
    bool dirty; /* newer than the table */
};
static inline struct slice part_slice(const struct part *p) { return slice_of(p->data, p->len); }

enum { SUB_SUFFIX_MAX = 24 };
struct sub { /* a part under a task, by the end of its SUB key */
    struct sub *next;
    struct part part;
    uint8_t len, suffix[SUB_SUFFIX_MAX];
};

struct task_state {
    uint64_t id;
    struct head_place now; /* valid while head.state is PART_PUT */
    struct part head, body, result;
    struct sub *subs;
    struct slice type; /* in an overlay: its lane's, borrowed from the pending map */
    bool gone; /* head then holds the value of RECORD_TASK_GONE */
};

struct slab;
struct task_entry {
    struct slab *slab; /* where its memory is: entries.h */
    struct task_entry *chain, *prev, *next;
    struct task_entry *before, *behind; /* in its lane's line while its head is here and queued */
    struct task_line *line;
    struct task_state state;
    struct was where;
    uint64_t group;  /* of the oldest dirty part */
    int64_t time_ms; /* when that group came */
    bool where_known, dirty, writing;
};

struct plain_entry {
    struct plain_entry *chain, *prev, *next;
    struct part part;
    uint64_t group;  /* of the newest value: it supersedes the others */
    int64_t time_ms;
    bool dirty, writing;
    uint32_t hash, key_len;
    uint8_t key[];
};
static inline struct slice plain_key(const struct plain_entry *e) {
    return slice_of(e->key, e->key_len);
}

struct pending;
/* keeps: no table behind it, nothing is ever taken. Owned by the caller. */
struct pending *pending_new(bool keeps);
void pending_destroy(struct pending **self);
/* Replaying: the table may already hold later states than `was` says. */
void pending_replaying(struct pending *p, bool on);
/* Takes in every record of a group. False when one is damaged; what came before it is taken in. */
bool pending_apply(struct pending *p, struct group_bytes *g);
/* Makes a lane's type known without a record being pending (from the table, at open). */
bool pending_know_lane(struct pending *p, const struct lane_record *lane);
struct slice pending_lane_type(const struct pending *p, uint32_t lane);

struct pending_size { uint64_t entries, bytes; };
struct pending_size pending_size(const struct pending *p);
/* Group and time of the oldest dirty entry; group 0 = none. */
uint64_t pending_oldest(const struct pending *p, int64_t *time_ms);

/* The oldest dirty entries in order, until there are `max` of a kind; they are then `writing` and
 * clean, and pending_batched is called for each task once its dirty parts are in the batch: `where`
 * is then its place in the table (status 0 when it is gone). */
struct taken {
    struct task_entry **tasks; size_t task_count;
    struct plain_entry **plains; size_t plain_count;
};
void pending_take(struct pending *p, size_t max, struct taken *taken);
void pending_batched(struct task_entry *e, const struct was *where);
/* The table now holds what was taken. */
void pending_taken(struct pending *p, struct taken *taken);
/* The oldest dirty tasks whose place in the table is not known; returns how many. */
size_t pending_unverified(const struct pending *p, size_t max, uint64_t *ids);
void pending_verify(struct pending *p, uint64_t id, const struct was *where);


/* Reading: the entries of a list, then by ->next; dirty ones or those being written. */
const struct task_entry *pending_tasks(const struct pending *p, bool writing);
const struct plain_entry *pending_plains(const struct pending *p, bool writing);
const struct task_entry *pending_task(const struct pending *p, uint64_t id);
const struct plain_entry *pending_plain(const struct pending *p, struct slice key);
/* The first queued task of a lane and priority that is pending with an order of at least `order`;
 * the others follow by ->behind, in order. */
const struct task_entry *pending_line(const struct pending *p, uint32_t lane, uint8_t priority,
                                      uint64_t order);
/* A copy with a reference of its own. */
struct part part_copy(const struct part *part);
#endif
