/* core.h - the broker's state machine: what happens to tasks, and nothing else.
 *
 * core_step(core, event, effects) is one decision. The event carries the time, a fresh random
 * seed, who speaks and one message, or "time passed". The effects say what follows:
 *   says     messages to send. `now` ones may leave at once (a first delivery, a refusal that no
 *            state caused); all others leave when the group that is open at that moment is durable.
 *   records  what must be in the group; filled by core_close, which the shell calls when it closes
 *            a group: every object changed since the last close is written once, as it now stands.
 *   needs    keys that must be read before a parked event can go on; the shell reads them off the
 *            broker thread and steps EVENT_LOADED for each, always, found or absent.
 * A step is all or nothing: either every key is held and it acts, or it changes nothing, parks the
 * event (copied) and asks. Parked events of one key act in their order of arrival.
 *
 * Pure: no I/O, no clock, no randomness of its own; calls nothing but memory and assertions. The
 * same events give the same effects. Limits are fixed at core_new (struct core_limits).
 *
 * Restart: core_new, then the shell steps EVENT_RESTORE and answers needs until core_ready. */
#ifndef RELAIS_BROKER_CORE_CORE_H
#define RELAIS_BROKER_CORE_CORE_H
#include "proto/message.h"
#include "proto/need.h"
#include "proto/record.h"
#include "proto/who.h"

struct core;

struct core_limits { /* every number is a limit or a time; see option.def for what users set */
    uint32_t window_bytes_max;   /* headers of queued tasks held in memory */
    uint64_t body_bytes_max;     /* payloads held in memory */
    uint32_t links_max, workers_max, queues_max, lanes_max;
    uint32_t push_bytes_max;     /* delivered to one native worker before EVENT_ROOM; 0 = any */
    uint32_t running_max;        /* delivered and running tasks together */
    uint32_t parked_max;         /* parked events and watches */
    uint32_t payload_max, result_max, checkpoint_max, extra_max, key_max, message_max; /* bytes */
    uint32_t name_max;           /* bytes of a queue, type, worker or label text */
    uint32_t log_lines_max, checkpoints_max, retries_max; /* a task */
    uint32_t parts_max, part_bytes_max; /* results that come while a task runs */
    uint64_t parts_held_max;     /* bytes of them in memory */
    uint64_t accepted_bytes_max; /* memory-only tasks */
    uint64_t tasks_max;          /* stored in all, ended ones too, 0 = by the disk watermark only */
    uint64_t objects_max;        /* stored objects in all, 0 = by the disk watermark only */
    uint64_t object_cache_bytes; /* objects held in memory */
    uint32_t feed_events_max;    /* of a brand */
    uint64_t feed_bytes_max;     /* of all brands */
    uint32_t wait_ms_max;
    uint32_t beat_ms, suspect_ms, doubt_ms, lost_ms; /* native links */
    uint32_t claim_lease_ms;     /* HTTP claims whose task names no timeout */
    uint32_t quiet_ms;           /* after a restart: held work is kept */
    uint32_t stop_repeat_ms;     /* STOP is repeated until acknowledged */
    uint32_t freeze_ms_max;      /* mass expiry: at most so long */
    uint32_t backoff_ms, backoff_ms_max, dedup_ms, aging_ms;
    uint32_t crashes_max;        /* poison */
    uint32_t retries;            /* automatic ones of a task that names none */
    int64_t failed_keep_ms;      /* KEEP_FAILED: failed and cancelled tasks stay so long */
    uint32_t default_timeout_ms;
    int64_t keep_ms;             /* of tasks that name none: KEEP_FAILED for native */
    uint32_t tally_rows_max, tally_days_max; /* tally.h */
    uint32_t alert_rules_max;
    uint32_t schedules_max;
    uint64_t schedule_bytes_max; /* of all their texts and templates */
    uint32_t stations_max, sessions_max; /* dialect 003, in all brands together */
    uint32_t station_dead_ms;    /* without a heartbeat for so long it is OFFLINE */
    uint32_t recovery_ms;        /* so much later its sessions go to others */
    uint32_t commands_max;       /* messages that wait for one station */
    uint64_t command_bytes_max;  /* of all commands together */
    uint32_t command_repeat_ms, command_deliveries_max;
    uint32_t command_ttl_ms;
    uint32_t bugs;               /* enum core_bug: only the simulator sets it */
};

/* Switches that break one invariant each; the simulator must catch every one. */
enum core_bug {
    BUG_ACK_BEFORE_COMMIT = 1,   BUG_NO_FENCE = 2,          BUG_EPOCH_RESET = 4,
    BUG_ID_REUSE = 8,            BUG_UNRECORDED_REGRANT = 16, BUG_READ_BEFORE_DURABLE = 32,
    BUG_CHECKPOINT_BACKWARD = 64, BUG_NO_REQUEUE = 128,     BUG_NO_DEDUP = 256,
    BUG_DOUBLE_DONE = 512,       BUG_LOST_WINDOW = 1024,    BUG_NO_QUIET = 2048,
    BUG_STALL_EXPIRES = 4096,    BUG_LIFO = 8192,           BUG_EARLY_DUE = 1 << 14,
    BUG_FOREIGN_BRAND = 1 << 15, BUG_MISCOUNT = 1 << 16,    BUG_CURSOR_AHEAD = 1 << 17,
    BUG_STALE_CARRY = 1 << 18,
    BUG_NO_CAS = 1 << 19,        BUG_SHARED_KEY = 1 << 20,  BUG_STALE_OBJECT = 1 << 21,
    BUG_DROP_TWICE = 1 << 22,     BUG_DOUBLE_FIRE = 1 << 23,
    BUG_TWO_SEATS = 1 << 24,     BUG_NO_RECOVERY = 1 << 25,  BUG_SEAT_LOST = 1 << 26,
    BUG_COMMAND_LOST = 1 << 27,  BUG_COMMAND_LIFO = 1 << 28, BUG_SEAT_MISCOUNT = 1 << 29,
    BUG_LOST_FIRE = 1 << 30,      BUG_LEFT_BEHIND = 1U << 31
};

enum event_kind {
    EVENT_MESSAGE = 1,  /* link, who, message */
    EVENT_TIME = 2,     /* nothing but time passed */
    EVENT_LOADED = 3,   /* need, records: everything found, in the order the need asks for */
    EVENT_LINK_GONE = 4, /* the shell cannot reach this peer any more */
    EVENT_RESTORE = 5,  /* first event of a core: reads its needs */
    EVENT_STALL = 6,    /* the process was stopped or blocked for stall_ms: added to every lease */
    EVENT_OPEN = 7,     /* the shell has seen a new peer: makes `link`, before its HELLO */
    EVENT_DISK = 8,     /* disk_full: refuse admissions (507), reads and completions go on */
    EVENT_ROOM = 9      /* what was pushed to this peer has left: it takes as much again */
};

struct event {
    enum event_kind kind;
    int64_t mono_ms;   /* monotonic: leases, beats, waits */
    int64_t wall_ms;   /* wall clock: due times, stamps */
    uint64_t seed;     /* fresh randomness for this step */
    uint32_t peer;     /* the shell's number of the connection, < links_max, while it lives */
    uint32_t link;     /* MESSAGE: the link number of the frame (0 in HELLO) */
    struct who who;    /* MESSAGE: the principal, after a gateway's attachment */
    const char *queues; /* MESSAGE: comma between those that its key names; NULL or "" = all.
                         * It lives as long as the connection. */
    const struct message *message;
    struct need need;  /* LOADED: the need as given */
    const struct record *records;
    uint32_t record_count;
    bool more;         /* LOADED: further records of the same need follow in a later event */
    int64_t stall_ms;
    bool disk_full;
};

struct say {
    uint32_t peer;
    bool now;               /* need not wait for the group */
    bool fills;             /* no further delivery to this peer before EVENT_ROOM */
    struct message message; /* slices are borrowed from the core until its next call */
};

struct effects { /* owned by the shell; the core appends, the shell clears what it has taken */
    struct say *says;       uint32_t say_count, say_cap;
    struct record *records; uint32_t record_count, record_cap;
    struct need *needs;     uint32_t need_count, need_cap;
    /* Set: core_close hands over RECORDS_AT_ONCE records whenever there are so many, and the shell
     * takes them and sets record_count to 0. A large group then costs no more memory than that. */
    void (*take)(void *context, struct effects *fx);
    void *context;
};
enum { RECORDS_AT_ONCE = 128 };

/* True when `queues` (comma between, as in event.queues) names the queue, or is empty. */
bool core_queue_granted(const char *queues, struct slice queue);

/* Fills limits with the defaults of option.def. */
void core_limits_default(struct core_limits *limits);
/* sequence and incarnation: what the shell made durable before: no number below sequence is used
 * by earlier processes. NULL when memory is out. The core is owned by the caller. */
struct core *core_new(const struct core_limits *limits, uint64_t incarnation);
void core_destroy(struct core **self);

/* One decision. effects->says and needs are appended to. */
void core_step(struct core *c, const struct event *e, struct effects *fx);
/* Appends the records of everything that changed since the last close; none = nothing to commit.
 * Slices in the records are borrowed until the next call, in those that go to fx->take until it
 * returns. */
void core_close(struct core *c, struct effects *fx);
/* True when something changed since the last close. */
bool core_dirty(const struct core *c);
/* For quiet moments: frees what a burst needed; the bytes of it. */
size_t core_rest(struct core *c);
/* True once the restore has loaded what it needs; until then messages are refused. */
bool core_ready(const struct core *c);
/* Monotonic milliseconds at which the next EVENT_TIME is due; INT64_MAX = never. */
int64_t core_wake_ms(const struct core *c);

void effects_clear(struct effects *fx); /* forgets the content, keeps the memory */
void effects_free(struct effects *fx); /* content and memory */

/* For tests and the simulator: a digest over everything durable that is held in memory, equal
 * before a crash (after all groups are durable) and after the restore. */
uint64_t core_digest(const struct core *c);

struct core_stats { /* gauges and counters; metric.def says what each means */
    uint64_t tasks[STATUS_COUNT];
    uint64_t submitted, delivered, completed, failed, cancelled, requeued, superseded, refused;
    uint64_t parked, window_bytes, body_bytes, accepted_bytes;
    uint32_t links, workers, lanes, queues;
    uint64_t objects, object_bytes, events; /* events: said on the feed */
    uint64_t stations, sessions, commands, command_bytes, schedules;
};
void core_stats(const struct core *c, struct core_stats *stats);
#endif
