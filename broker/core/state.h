/* state.h - everything the core holds, on one page. Internal to broker/core.
 *
 * Tasks. A task is in memory when it has something to wait for there: a place in its lane's
 * window, a near due time, a lease, an unwritten change, a load that may still show an older
 * version of it ("limbo"). All others are on disk only, and `where` says which of these it is.
 *
 * Lanes. A lane has one shelf per priority. A shelf's window holds its oldest tasks in order; all
 * its tasks that are on disk only come after the window, from order `from` on. Tasks put back with
 * an old order go into the window; new ones go to disk while anything of the shelf is there.
 *
 * Crews. Workers that serve the same brand, queues, types and labels are one crew. A crew knows
 * the lanes it may serve and keeps the ready ones in three nested rings: brand, queue, lane.
 * No crew ever has both a ready lane and an idle taker: every event ends with dispatch.
 *
 * Time. `now` is the monotonic clock without the broker's own stalls; `wall` the wall clock. */
#ifndef RELAIS_CORE_STATE_H
#define RELAIS_CORE_STATE_H
#include "broker/core/core.h"
#include "proto/base/blocks.h"
#include "proto/base/cron.h"
#include "proto/base/heap.h"
#include "proto/base/list.h"
#include "proto/base/map.h"
#include "proto/fleet.h"
#include "proto/alert.h"
#include "proto/tally.h"
#include <assert.h>

enum where { WHERE_NONE, WHERE_DISK, WHERE_WINDOW, WHERE_FETCH, WHERE_DUE, WHERE_FAR,
             WHERE_LEASED };
enum change { CHANGE_HEAD = 1, CHANGE_BODY = 2, CHANGE_RESULT = 4, CHANGE_RESULT_GONE = 8,
              CHANGE_GONE = 16, CHANGE_NOTES = 32 /* records of its own are in this group */ };
enum timer_kind { TIMER_LEASE, TIMER_LINK, TIMER_WORKER, TIMER_WATCH, TIMER_CLAIM, TIMER_QUEUE,
                  TIMER_SWEEP, TIMER_FEED, TIMER_STATION, TIMER_FLEET, TIMER_COMMANDS };
enum { SHELF_WINDOW_MIN = 16, SHELF_LOW = 64, FETCH_MAX = 16, LOAD_COUNT = 256,
       DUE_HELD_MAX = 65536, DUE_AHEAD_MS = 60000, DUE_LOAD_COUNT = 4096,
       SWEEP_COUNT = 1000, SWEEP_STEP_MS = 100, SWEEP_REST_MS = 60000,
       NUMBER_BLOCK = 1 << 20, SETTLED_SLOTS = 1 << 15, LOST_SLOTS = 1 << 13,
       CREWS_MAX = 1024, LOSSES_MAX = 32,
       PLACE_STEPS = 4096, FREEZE_WORKERS_MIN = 10, FREEZE_PERCENT = 30 };

struct body { size_t size; struct task_body body; uint8_t bytes[]; };       /* one block */
struct result { size_t size; struct task_result result; uint8_t bytes[]; }; /* one block */
struct carry { struct checkpoint_record checkpoint; uint8_t bytes[]; };     /* one block */
struct parts { struct buffer rows; uint32_t first, count; }; /* the newest, in order */

struct lease;
struct lane;

struct task {
    struct map_node by_id;
    struct node place;    /* window, limbo or released */
    struct node dirty;    /* core.dirty */
    struct task_head head;
    struct was was;       /* what the newest record says */
    struct timer due;     /* on core.due while WHERE_DUE */
    struct lane *lane;
    struct body *body;    /* owned; NULL = on disk */
    struct result *result; /* owned; until written */
    struct carry *carry;  /* owned; the checkpoint its next delivery takes along */
    struct parts *parts;  /* owned; NULL = none in memory */
    struct lease *lease;
    uint64_t free_after;  /* limbo: newest load that may still show an older version */
    uint8_t where, change;
    bool gone;            /* removed, and that is written; kept against older loads */
    bool regrant;         /* an earlier grant was not handed back: record the next first */
    bool fetched;         /* what could be read for its delivery has been */
    bool amended;         /* its body was changed while it was held: memory's word counts */
    bool watched;         /* core.watches has entries for it */
    bool touched;         /* in core.touched: watchers are told at the end of the step */
    bool leaving;         /* its time has come; what is bound to it is being read */
    struct node touch;
};

/* A lane's tasks of one priority. */
struct shelf {
    struct node window;
    uint32_t held;        /* tasks in the window */
    uint32_t moved_cells; /* how many of `moved` are not 0 */
    uint64_t count[STATUS_COUNT];
    int32_t moved[STATUS_COUNT]; /* of these, since the lane's newest record */
    uint64_t cursor;      /* in its newest record */
    uint64_t disk, from;  /* tasks on disk only; none of them has a lower order than `from` */
    uint64_t load_from;   /* `from` as the load under way knew it */
    bool loading;
    uint32_t fetching;    /* tasks whose bodies are being read */
    uint64_t fetch_low;   /* none of them has a lower order */
};

struct lane {
    struct map_node by_key;
    struct node crews;    /* crew_lane.in_lane */
    struct node in_queue;
    struct node dirty;
    struct queue *queue;
    uint32_t number;
    struct slice type, labels; /* owned, behind the struct */
    bool recorded;
    bool ready;           /* in its crews' rings */
    uint8_t touched;      /* a bit for each shelf that was used since the last close */
    uint32_t tally_turn;  /* the rows below are of this turn */
    struct shelf shelves[PRIORITY_COUNT];
    struct tally *tallies[PRIORITY_COUNT];
    uint8_t bytes[];
};

struct queue {
    struct map_node by_key;
    struct node lanes, dirty;
    struct queue_record set; /* name owned, behind the struct */
    uint32_t leased;      /* delivered and running tasks */
    int64_t tokens_at;    /* rate limit: when the bucket was last filled */
    double tokens;
    struct timer timer;   /* rate limit: next token */
    uint8_t bytes[];
};

struct crew_brand { struct node ring, queues; uint32_t brand; struct node in_crew; };
struct crew_queue {
    struct map_node by_queue; /* in crew.by_queue */
    struct node ring, lanes, in_crew;
    struct crew_brand *brand;
    struct queue *queue;
    uint32_t spent;       /* tasks taken in this turn */
};
struct crew_lane {
    struct node ring, in_lane, in_crew;
    struct crew *crew;
    struct lane *lane;
    struct crew_queue *queue;
};

struct crew {
    struct map_node by_key;
    struct node ring;     /* crew_brands with ready lanes */
    struct node lanes, queues, brands; /* all of its crew_lanes, crew_queues, crew_brands */
    struct node idle;     /* takers with room */
    struct node pending;  /* core.crews_pending */
    struct map by_queue;  /* its crew_queues by the queues' hashes */
    uint64_t *names;      /* owned: hashes of the queues it names, sorted */
    uint32_t name_count;
    bool every;           /* it names "*" */
    uint32_t users, brand;
    struct serves serves; /* slices owned, behind the struct */
    uint8_t bytes[];
};

struct taker {
    struct node idle;
    struct crew *crew;
    bool claim;
    bool oldest; /* it takes what is oldest of the highest priority, not what has its turn */
};

struct worker {
    struct taker taker;   /* native: idle when it has room */
    struct map_node by_name, by_number;
    struct node leases;   /* lease.in_worker */
    struct timer timer;
    struct link *link;    /* NULL: away; its leases wait for it */
    struct worker_record record; /* name owned, behind the struct */
    struct slice principal;      /* owned, behind the struct */
    int64_t heard;
    uint32_t slots, prefetch, lease_count, started;
    bool implied, draining, suspect, recorded, dying;
    uint32_t claims;      /* parked claims of it */
    struct crew *claiming; /* roll.c: of one of them, during its step */
    uint32_t stopping;    /* leases that only wait for it to stop */
    uint64_t restored;    /* leases known from before a restart and not yet re-presented */
    uint8_t bytes[];
};

struct lease { /* delivered or running; with task NULL it only waits for the worker to stop */
    struct node in_worker;
    struct timer timer;
    struct task *task;
    struct worker *worker;
    uint64_t id, epoch;
    int64_t until;        /* HTTP or restored: lost then; INT64_MAX = kept by beats */
    int64_t run_until, progress_until, stop_at; /* INT64_MAX = none */
    uint32_t lease_ms, progress_ms;
    uint32_t checkpoint;  /* newest sequence stored under this lease, 0 = none */
    bool started, restored, offered, stopping;
    uint8_t stop_reason;
    struct buffer text;   /* newest progress text */
};

struct link {
    uint32_t peer, number; /* number 0: no HELLO yet */
    uint32_t serial;      /* of this connection: peers' numbers are used again */
    bool open, draining;
    bool welcomed;        /* it has used its link number: WELCOME has arrived */
    bool full;            /* push_bytes_max were delivered: nothing more before EVENT_ROOM */
    uint8_t kind;         /* enum link_kind */
    struct who who;
    struct worker *worker;
    struct node feeds;    /* feed_wait.in_link */
    struct node watches, claims, calls; /* calls: command_wait.in_link */
    uint32_t waits;       /* of both */
    uint64_t pushed;      /* bytes delivered since EVENT_ROOM */
    struct timer timer;
    int64_t heard;
    int64_t resync_at;    /* RESYNC is not said before, unless HELLO came in between */
};

struct watch {
    struct map_node by_task;
    struct node in_link;
    struct timer timer;
    struct link *link;
    struct who who;
    uint64_t id, number;
    uint32_t want, version, after;
    bool outcome;         /* from SUBMIT with watch: told once, at the end, as OUTCOME */
};

struct claim_wait {
    struct taker taker;
    struct node in_link;
    struct timer timer;
    struct link *link;
    struct worker *worker;
    uint64_t number;
    uint32_t limit, lease_ms, held_max;
    struct node given;    /* core.claims_given: got some, closed when the step ends */
    bool many;            /* limit was over 1 */
    bool graced;          /* its time is up but for tasks that are being read */
};

struct wanted { /* a need that was asked and not yet answered */
    struct map_node by_key;
    struct node in_order; /* core.wanted, oldest first */
    struct node waiters;  /* waiter.in_wanted, in order of arrival */
    struct need need;     /* key owned, behind the struct */
    uint8_t bytes[];
};
struct parked { /* an event that waits for `waits` needs */
    struct event event;
    struct buffer frame;  /* its message, encoded */
    uint32_t waits, serial; /* serial: of the link it came from */
    struct buffer absent; /* packed ids that were looked for and are not there */
};
struct waiter { struct node in_wanted; struct parked *parked; };

struct fleet { /* the stations and sessions of one brand */
    struct map_node by_brand;
    struct node in_order; /* core.fleets */
    struct node stations; /* station.in_fleet, in order of creation */
    struct node waiting;  /* session.waiting: they go to the next station with room */
    struct node queued;   /* station.queued: those that have commands */
    struct node listeners; /* command_wait.in_list: for commands of any station */
    struct heap seats;    /* stations that take sessions, the least loaded first */
    struct timer timer;   /* moves some of the waiting */
    struct fleet_counts counts;
    uint32_t brand, station_next;
    int64_t spent_at;     /* sessions of dead stations handled in this millisecond */
    uint32_t spent;
    uint32_t quiet;       /* stations that fell silent and whose sessions wait for them */
};

struct station {
    struct map_node by_name, by_endpoint; /* the latter while it is not OFFLINE */
    struct node in_fleet, sessions, commands, queued, listeners, dirty;
    struct timer timer;   /* when it is dead; then, when its sessions go elsewhere */
    struct timer seat;    /* in fleet.seats while it takes sessions; at: its load */
    struct fleet *fleet;
    struct station_record record; /* texts owned, in `texts` */
    uint8_t *texts;
    struct buffer beat;
    int64_t heard;        /* newest sign of life, monotonic */
    int64_t heard_ms;     /* the same, wall clock; record.heard_ms is what is written */
    uint32_t session_count, command_count, mark;
    int64_t down_at;      /* OFFLINE: since then */
    bool quiet;           /* OFFLINE without a word, and its sessions wait for it */
    bool gathered;        /* OFFLINE: its sessions have begun to go elsewhere */
};

enum session_text { SESSION_NAME, SESSION_OWNER, SESSION_TITLE, SESSION_PHONE, SESSION_DISPLAY,
                    SESSION_REASON, SESSION_TEXTS };
struct session {
    struct map_node by_name;
    struct node in_station, waiting, dirty;
    struct node commands; /* command.in_session */
    struct fleet *fleet;
    struct station *station; /* NULL: with none */
    uint8_t *texts;       /* owned: one behind the other */
    uint64_t id;
    int64_t created_ms, updated_ms, seen_ms, reported_ms;
    uint32_t version, mark; /* mark: of the station's report that last named it */
    uint8_t lens[SESSION_TEXTS];
    uint8_t status, flags, before; /* enum session_status, enum session_flag */
};

struct command {
    struct map_node by_id, by_key; /* the latter when it has a key */
    struct node in_station, in_session, dirty;
    struct fleet *fleet;
    struct station *station; /* NULL: its session waits for one */
    struct session *session; /* NULL: of the station itself, or of a session that is gone */
    uint64_t id, order;
    int64_t created_ms;
    int64_t expires, delivered; /* monotonic */
    uint32_t deliveries, payload_len;
    uint32_t mark;        /* a stop: of the report in which the station still had the session */
    uint8_t type, key_len, session_len;
    uint8_t bytes[];      /* payload, key, name of the session */
};

struct command_wait { /* a parked COMMANDS */
    struct node called;   /* core.called: something came for it */
    struct node in_link, in_list; /* of a station or of a fleet */
    struct timer timer;
    struct link *link;
    struct fleet *fleet;
    struct station *station; /* NULL: any of the fleet */
    uint64_t number;
    int64_t until;
    uint32_t limit;
};

struct object { /* held in memory; without an id it only says what is not there */
    struct map_node by_id;
    struct node in_order; /* core.objects_held, the one longest unused first */
    struct node dirty;    /* core.objects_dirty: changed since the last close */
    struct node names;    /* object_name.in_object */
    struct object_record record; /* slices in `block` */
    struct object_record stored; /* dirty: what the store's keys of it are made of; id 0 = none */
    uint8_t *block;       /* owned */
    size_t size;
    uint64_t free_after;  /* newest load that may still show an older version */
    uint64_t closes;      /* core.closes when it last changed */
    bool gone;            /* it is not there */
    bool counted;         /* free_after holds for its newest change */
};

struct object_name { /* which object a name or key stands for */
    struct map_node by_key;
    struct node in_object;
    struct object *object;
    uint32_t brand;
    uint8_t kind;
    uint16_t len;
    uint8_t bytes[];
};

struct held_zone { /* a time zone that some schedule names */
    struct map_node by_name;
    struct node schedules; /* schedule.in_zone */
    struct zone *zone;     /* owned; NULL: asked for, not yet here */
    uint16_t len;
    uint8_t bytes[];       /* its name */
};

struct schedule {
    struct map_node by_id, by_name; /* the latter when it has a name */
    struct node in_zone, dirty;
    struct timer timer;    /* on core.schedules while a run comes */
    struct schedule_record record; /* slices in `block` */
    struct cron cron;
    struct held_zone *zone; /* NULL: UTC */
    uint8_t *block;        /* owned */
    size_t size;
    bool gone;
};

struct feed { /* the events of one brand */
    struct map_node by_brand;
    struct node events;   /* feed_event.in_feed, oldest first */
    struct node waits;    /* feed_wait.in_feed */
    struct node fed;      /* core.fed: it had an event in this step */
    uint32_t brand, count;
    uint64_t bytes;
    uint64_t floor, last; /* newest event that is no longer kept, newest of all */
};

struct feed_event {
    struct node in_feed, in_order; /* in_order: core.events */
    struct feed *feed;
    uint64_t seq;
    int64_t time_ms;
    uint32_t topic_len, key_len, data_len;
    uint8_t bytes[];
};

struct feed_wait { /* a parked FEED */
    struct node in_feed, in_link;
    struct timer timer;
    struct link *link;
    struct feed *feed;
    uint64_t number, after;
    uint32_t limit, topics_len, key_len;
    uint8_t bytes[];
};

struct tally { /* what is counted at one place; a row on disk */
    struct map_node by_place;
    struct node dirty;
    struct tally_record record; /* name owned, behind the struct */
    struct tally_sums sums;
    uint8_t bytes[];
};
struct alert { /* a rule */
    struct map_node by_brand;
    struct object_record record; /* slices in `block` */
    uint8_t *block;              /* owned */
    struct buffer types;
    struct alert_spec spec;      /* types in `types` */
    struct alert_state state;
    struct slice rest;           /* of its body, behind the head */
    bool good;
};
enum { TALLY_SLOTS = 256 };
struct tally_slot { struct tally *rows[2]; uint32_t worker, brand, turn; };

struct settled_slot { uint64_t id, epoch; uint8_t verb; };

struct chunk { struct chunk *next; size_t used, size; uint8_t bytes[]; };

struct core {
    struct core_limits limits;
    struct effects *fx;
    int64_t now, wall, stalled;
    uint64_t random, incarnation;
    uint64_t next, reserved, born; /* numbers: next free, durable bound, first of this process */
    bool fresh;            /* restored, but no event has come from outside since */
    bool ready, restoring, disk_full, meta_dirty;
    bool hooked;           /* some queue has hooks */
    struct map tasks, lane_keys, queue_keys, crew_keys, worker_names, worker_numbers, watches;
    struct map wants;
    struct map object_ids, object_names, feeds;
    struct map tallies, alerts;
    struct node dirty_tallies;
    struct buffer tally_bytes;
    uint32_t tally_turn;   /* raised when rows were forgotten: pointers to them are void */
    uint32_t tally_hour, tally_swept; /* the hour under way; the day of the newest sweep */
    struct tally_slot tally_slots[TALLY_SLOTS];
    struct node objects_held, objects_dirty, events, fed;
    uint64_t objects, object_bytes; /* stored ones in all; held in memory */
    uint64_t closes;       /* groups closed by this core, + 1 */
    uint64_t feed_born, feed_bytes; /* feed_born: a number before the first event; 0 = none yet */
    struct node dirty, limbo, released, touched, dirty_lanes, dirty_queues, wanted;
    struct node crews_pending, claims_given;
    struct map schedule_ids, schedule_names, zones;
    struct node dirty_schedules;
    struct heap schedules; /* wall clock */
    uint64_t schedule_bytes;
    struct map fleet_brands, station_names, station_endpoints, session_names, command_ids,
        command_keys;
    struct node called;
    struct node fleets, dirty_stations, dirty_sessions, dirty_commands;
    uint32_t station_count, session_count;
    uint64_t command_bytes;
    struct blocks blocks;  /* of tasks, bodies and leases */
    struct record *notes;  /* one-shot records of the open group */
    uint32_t note_count, note_cap;
    struct chunk *chunks;  /* their bytes */
    bool closed;           /* core_close was the last call: its memory may go now */
    struct heap clock, due;
    struct timer sweep;
    int64_t horizon_ms;    /* scheduled tasks due before (horizon_ms, horizon_id) are held */
    uint64_t horizon_id;
    bool due_loading;
    uint32_t due_loaded;   /* rows of the load under way */
    uint64_t sweep_id;     /* retention has looked at every task up to here */
    uint8_t sweep_kind;    /* enum sweep: what it is walking */
    int64_t sweep_from_ms, sweep_to_ms; /* objects: no end before the first is left; under way */
    int64_t sweep_low_ms;  /* the earliest end that was set since it was asked */
    bool dedup_renewed;    /* an expired key was taken anew since the walk's last load */
    uint32_t sweep_brand, sweep_seen, sweep_slot;
    uint32_t sweep_bonds;  /* tasks of the step under way that wait for what is bound to them */
    uint8_t sweep_span;
    struct buffer sweep_key;
    struct lane **lanes;   /* by number, 1.. */
    struct lane *lane_newest; /* that a task was submitted to */
    uint32_t lane_count, lane_cap, queue_count, worker_count, worker_next, link_count, link_next,
        link_serial;
    struct link *links;    /* by peer */
    uint32_t links_used;   /* peers seen so far */
    uint64_t ticket;
    uint32_t parked_count, leased;
    uint64_t parked_bytes;        /* their frames */
    uint32_t waits;               /* the watches and claims among the parked */
    struct parked *resuming;      /* the parked form of the event being handled, when it has one */
    const struct event *handling; /* that event */
    const struct event *loaded; /* EVENT_LOADED being handled */
    int64_t frozen_until;  /* mass expiry */
    uint64_t window_bytes, body_bytes, accepted_bytes, part_bytes;
    struct settled_slot settled[SETTLED_SLOTS];
    uint64_t lost[LOST_SLOTS]; /* hashes of (task, worker) whose lease was taken away */
    struct core_stats stats;
};

static inline bool core_bug(const struct core *c, enum core_bug bug) {
    return (c->limits.bugs & bug) != 0;
}
#endif
