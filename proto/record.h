/* record.h - what survives: every structure that the journal and the table keep, on one page.
 *
 * The core emits these by value (effects.records), the store encodes them (store/codec.h) and
 * hands them back decoded (EVENT_LOADED). Slices are borrowed: from the core until its next step,
 * from the store until the load is handled. Times *_ms are wall-clock milliseconds since 1970,
 * 0 = not yet. A number once used as task id, order or epoch is never used again.
 *
 * A task is split so that a change of state writes only its small head:
 *   head  (RECORD_TASK)    fixed fields, rewritten at each transition
 *   body  (RECORD_BODY)    what was submitted; written once
 *   result(RECORD_RESULT)  how the run ended; written at settlement when the task is kept */
#ifndef RELAIS_PROTO_RECORD_H
#define RELAIS_PROTO_RECORD_H
#include "proto/base/bytes.h"
#include <stdbool.h>
#include <stdint.h>

enum status { /* of a task; life.def holds the moves between them */
    STATUS_NONE = 0,
    STATUS_SCHEDULED = 1, /* waits for its due time or its back-off */
    STATUS_QUEUED = 2,
    STATUS_DELIVERED = 3, /* with a worker, not started */
    STATUS_RUNNING = 4,
    STATUS_PAUSED = 5,
    STATUS_COMPLETED = 6,
    STATUS_FAILED = 7,
    STATUS_CANCELLED = 8,
    STATUS_COUNT = 9
};
static inline bool status_ended(enum status s) { return s >= STATUS_COMPLETED; }

enum priority { PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_HIGH, PRIORITY_CRITICAL, PRIORITY_COUNT };

enum reason { /* why an attempt ended; the attempt ledger's codes */
    REASON_NONE = 0,
    REASON_DONE = 1,
    REASON_FAILED = 2,         /* reported by the worker, may be retried */
    REASON_PERMANENT = 3,      /* reported by the worker, never retried */
    REASON_CRASHED = 4,        /* the worker's process died while it ran */
    REASON_LEASE_LOST = 5,     /* silence, or no renewal in time */
    REASON_RELEASED = 6,       /* handed back clean */
    REASON_BROKER_RESTART = 7, /* not offered again after a restart */
    REASON_CANCELLED = 8,
    REASON_TIMEOUT = 9,        /* run or progress timeout */
    REASON_POISON = 10,        /* crashed its worker too often: quarantined */
    REASON_PAUSED = 11,
    REASON_COUNT = 12
};

enum { KEEP_FAILED = -1, KEEP_NONE = 0 }; /* task_head.keep_ms; > 0: so long after its end */

enum task_flag {
    TASK_ACCEPTED = 1,    /* memory only: in no group, gone at restart */
    TASK_CANCELLING = 2,  /* STOP was sent, not yet acknowledged; survives a restart */
    TASK_WATCHED = 4,     /* the submitting link wants OUTCOME (memory only) */
    TASK_FILE_RESULT = 8, /* the result is result_file */
    TASK_PAUSING = 16,
    TASK_STREAM = 32,     /* the source is a recording that may still grow */
    TASK_HOOKED = 64,     /* its end is told to a webhook, whatever its brand subscribed to */
    TASK_BOUND = 128      /* objects end with it */
};

struct task_head {
    uint64_t id;
    uint64_t order;      /* place in its lane: lower is older; unique */
    uint64_t epoch;      /* newest granted epoch, 0 = never granted */
    int64_t due_ms;      /* scheduled: when it may be queued */
    int64_t created_ms, updated_ms, started_ms, finished_ms;
    int64_t keep_ms;     /* KEEP_* or milliseconds after its end */
    uint32_t brand;
    uint32_t lane;       /* number of its lane (RECORD_LANE) */
    uint32_t worker;     /* number of the worker that holds or last held it, 0 = none */
    uint32_t timeout_ms; /* run timeout; 0 = none */
    uint32_t version;    /* raised by each change; WATCH compares it */
    uint32_t checkpoint; /* newest acknowledged checkpoint sequence, 0 = none */
    uint32_t resume;     /* checkpoint the next delivery carries; 0 = the newest */
    uint32_t payload_len, result_len;
    uint32_t backoff_ms; /* first retry delay; doubles */
    uint64_t source_file, result_file; /* 0 = none; they go when the task goes */
    uint64_t schedule;   /* the schedule that submitted it; 0 = a client */
    uint32_t lease_ms;   /* of the newest grant, when it was a claim; 0 = kept by beats */
    uint16_t run;        /* 1.. : retry and resume open the next */
    uint16_t attempt;    /* attempts STARTED in this run */
    uint16_t retry_count, max_retries; /* manual retries; automatic retries allowed per run */
    uint16_t failures;   /* attempts of this run that a worker reported failed or that timed out */
    uint16_t log_lines;
    uint32_t parts;      /* results that came while it ran: RECORD_PART 1..parts */
    uint8_t losses;      /* leases of this run that were lost to silence or a restart */
    uint8_t status, priority, reason, progress, crashes, flags, dialect;
};

struct task_body {
    uint64_t id;
    uint64_t source_file;     /* 0 = none; with it: */
    uint64_t source_size;     /* bytes */
    struct slice source_name, source_mime;
    struct slice payload;     /* opaque */
    struct slice extra;       /* the dialect's own fields, opaque to the core */
    struct slice owner;       /* name of the submitting principal */
    struct slice key;         /* idempotency key, may be empty */
    uint32_t progress_ms;     /* progress timeout; 0 = none */
};

struct task_result {
    uint64_t id;
    uint64_t result_file;
    struct slice result;  /* opaque */
    struct slice message; /* the error, or the last word of the worker */
    struct slice metrics; /* opaque */
    struct slice numbers; /* of the metrics, as measure.h has them; not kept */
    struct slice worker;  /* name */
};

struct attempt_record { /* the ledger: one per attempt that did not complete the task, newest 32 */
    uint64_t id, epoch;
    int64_t started_ms, ended_ms;
    uint16_t run, attempt;
    uint8_t reason;
    struct slice worker, message;
};

enum { LOG_LEVEL_MAX = 9, LOG_PART = 10 /* not a line of the log: a part of the result */ };

struct log_record { /* at most log_lines_max a task; parts, which count apart, at most parts_max */
    uint64_t id;
    uint32_t line; /* 1.. */
    uint8_t level; /* LOG_PART in a RECORD_PART */
    int64_t time_ms;
    struct slice text;
};

enum checkpoint_flag {
    CHECKPOINT_PASSED = 1, /* a mark only: no attempt resumes from it unless it is named */
    CHECKPOINT_PACKED = 2  /* data is packed (proto/host/pack.h); size and sum are of what it was */
};

struct checkpoint_record {
    uint64_t id, epoch; /* epoch 0: a client stored it */
    uint64_t number;    /* its own, over all tasks */
    uint32_t seq; /* 1.., strictly increasing per task */
    uint32_t brand, size;
    uint64_t sum;       /* hash_bytes(0, data) */
    uint8_t flags;
    int64_t time_ms;
    struct slice name, data;
};

struct lane_record { /* (brand, queue, type, label set); made on first use, never renumbered */
    uint32_t lane, brand;
    struct slice queue, type, labels;  /* labels: "k=v,k=v", keys sorted; may be empty */
    uint64_t cursor[PRIORITY_COUNT];   /* no queued task on disk has a lower order */
    uint64_t count[STATUS_COUNT][PRIORITY_COUNT]; /* exact; ended ones only while kept */
};

struct queue_record { /* settings of (brand, name); absent = defaults */
    uint32_t brand;
    struct slice name;
    bool paused;
    uint32_t running_max;   /* 0 = no limit */
    uint32_t rate_per_min;  /* deliveries a minute, 0 = no limit */
    uint32_t weight;        /* share within the brand, 1.. */
    int64_t keep_ms;        /* default of its tasks; KEEP_* */
    bool keep_set;
    uint8_t hooks;          /* enum hook_bit: events of the brand that its tasks tell */
};

struct worker_record { /* a worker incarnation that was given work */
    uint32_t worker; /* number */
    uint32_t brand;  /* 0 = all */
    uint64_t boot;
    bool http;
    struct slice name;
    struct slice principal; /* name of the key or token it came with; may be empty */
};

struct dedup_record { /* an idempotent submit, for dedup_ms */
    uint32_t brand;
    struct slice key;
    uint64_t body_hash, task;
    int64_t time_ms;
};

struct object_record { /* everything that has no behaviour in time; object.def lists the kinds */
    uint8_t kind;
    uint32_t brand; /* 0 = of the installation */
    uint64_t id;
    int64_t created_ms, updated_ms;
    int64_t until_ms;  /* from then on it is not there; 0 = for ever */
    uint32_t version;  /* 1.., raised by each PUT */
    struct slice name; /* unique per (kind, brand), among names and keys */
    struct slice keys; /* further names of it, packed: text_next(); may be empty */
    struct slice owner; /* may be empty */
    struct slice body; /* opaque */
    uint64_t file;     /* a file that goes with it; 0 = none; with it: */
    uint64_t file_size;
    struct slice file_name, file_mime, file_hash; /* hash: 32 bytes or none */
};

struct file_record { /* a file that a task or an object owns; bytes at DATA/files/ID */
    uint64_t file, task /* or the object's id */, size;
    uint32_t brand;
    int64_t created_ms;
    uint8_t hash[32];
    struct slice name, mime;
};

enum station_status { STATION_ONLINE = 1, STATION_OFFLINE = 2, STATION_MAINTENANCE = 3,
                      STATION_STATUS_COUNT = 4 };
enum environment { ENVIRONMENT_DEVELOPMENT = 1, ENVIRONMENT_STAGING = 2, ENVIRONMENT_TESTING = 3,
                   ENVIRONMENT_PRODUCTION = 4, ENVIRONMENT_COUNT = 5 };
enum session_status { SESSION_INIT = 1, SESSION_QR_REQUIRED = 2, SESSION_CONNECTED = 3,
                      SESSION_DISCONNECTED = 4, SESSION_RECONNECTING = 5, SESSION_ERROR = 6,
                      SESSION_STATUS_COUNT = 7 };
enum command_type { COMMAND_CREATE = 1, COMMAND_RESTART = 2, COMMAND_DISCONNECT = 3,
                    COMMAND_LOGOUT = 4, COMMAND_DELETE = 5, COMMAND_SEND = 6, COMMAND_MANAGE = 7,
                    COMMAND_DRAIN = 8, COMMAND_REGISTER = 9, COMMAND_TYPE_COUNT = 10 };

enum station_flag {
    STATION_DRAINING = 1, /* takes no further sessions */
    STATION_SHADOW = 2,   /* it has never registered: only its heartbeats are known */
    STATION_LEFT = 4,     /* it unregistered */
    STATION_REMOVED = 8,  /* by an administrator; remembered so that a repetition is answered */
    STATION_HELD = 16     /* an administrator's MAINTENANCE, which heartbeats do not end */
};

struct station_record { /* a worker of dialect 003; its sessions are counted, not stored */
    uint64_t id;
    uint32_t brand, sessions_max;
    struct slice name, endpoint, description, version;
    int64_t created_ms, updated_ms;
    int64_t heard_ms; /* newest heartbeat; coarse, a heartbeat alone is not written */
    uint8_t status, environment, flags;
};

enum session_flag {
    SESSION_WANTED = 1,     /* somebody wants it connected */
    SESSION_RECOVERING = 2, /* it lost its station while it was wanted: it goes to another */
    SESSION_ENDED = 8,      /* its user ended it: a station that still has it is told so */
    SESSION_DELETING = 4    /* deleted, but its station has not said so yet */
};

struct session_record { /* an account that a station keeps connected */
    uint64_t id;
    uint32_t brand, version;
    struct slice name, owner, title, station, phone, display, reason;
    int64_t created_ms, updated_ms, seen_ms, reported_ms;
    uint8_t status, flags;
    uint8_t before; /* status that it had when its station fell silent; 0 = none */
};

struct command_record { /* what a station is told, until it is acknowledged, fulfilled or stale */
    uint64_t id, order; /* order: place in its station's queue; changes when it moves */
    uint32_t brand;
    uint8_t type;
    struct slice station, session; /* names; station empty: its session waits for one */
    struct slice payload, key;
    int64_t created_ms;
};

enum misfire { /* what becomes of times that came while nothing could run */
    MISFIRE_ONCE = 0, /* one run for all of them */
    MISFIRE_SKIP = 1, /* none */
    MISFIRE_ALL = 2,  /* one each, up to a hundred */
    MISFIRE_COUNT = 3
};

enum { SCHEDULE_STAMP_BYTES = 24 };

struct schedule_record { /* what is submitted again and again, and when */
    uint64_t id;
    uint64_t last_task;    /* the newest run; 0 = none yet */
    uint32_t brand, version;
    uint32_t executions;   /* runs by the clock; executions_max of them end it, 0 = no limit */
    uint32_t executions_max, succeeded, failed;
    int64_t created_ms, updated_ms;
    int64_t start_ms, end_ms; /* no run before, none after; 0 = open */
    int64_t next_ms;       /* nominal time of the next run; 0 = none comes */
    int64_t last_ms;       /* nominal time of the newest */
    int64_t late_ms;       /* how much later than nominal all runs came, together */
    int64_t keep_ms;       /* of the runs; KEEP_* */
    uint32_t timeout_ms;
    uint16_t retries;
    uint8_t kind;          /* the client's own: name is unique per (brand, kind) when not empty */
    uint8_t priority, dialect, misfire, last_status;
    bool active;
    uint32_t manual;       /* runs by hand */
    uint32_t stamp;        /* where in the payload a run's nominal time is written, as the
                            * SCHEDULE_STAMP_BYTES of "2026-11-21T10:00:00.000Z"; 0 = nowhere */
    int64_t run_ms;        /* when the newest run was submitted, by the clock or by hand */
    struct slice name, expression, zone;        /* zone empty: UTC */
    struct slice queue, type, payload, extra, owner; /* of the runs */
    struct slice body;     /* the client's own, opaque */
};

enum tally_span { /* what a tally counts */
    TALLY_TYPE = 1,   /* a UTC day's tasks of one type and priority */
    TALLY_WORKER = 2, /* a UTC day's tasks that one worker ended */
    TALLY_HOUR = 3,   /* the same of one hour */
    TALLY_SPANS = 4
};
struct tally_record { /* how many tasks, and what they took; rows of the same place add up */
    uint64_t id;
    uint32_t brand;
    uint32_t slot;  /* days or hours since 1970 */
    uint8_t span;   /* enum tally_span */
    uint8_t priority; /* TYPE */
    struct slice name; /* task type, or worker; may be empty */
    struct slice sums; /* proto/tally.h */
};

struct meta_record {
    uint64_t sequence;    /* every number below is used up: reserved in blocks of 2^20 */
    uint64_t incarnation; /* of the broker process that wrote it */
    uint64_t objects;     /* how many there are */
};

enum record_kind {
    RECORD_NONE = 0,
    RECORD_META = 1,
    RECORD_TASK = 2,      /* head; put */
    RECORD_TASK_GONE = 3, /* head, body, result, ledger, log, checkpoints and indexes go */
    RECORD_BODY = 4,
    RECORD_RESULT = 5,
    RECORD_ATTEMPT = 6,
    RECORD_LOG = 7,
    RECORD_CHECKPOINT = 8,
    RECORD_LANE = 9,
    RECORD_QUEUE = 10,
    RECORD_WORKER = 11,
    RECORD_WORKER_GONE = 12,
    RECORD_DEDUP = 13,
    RECORD_DEDUP_GONE = 14,
    RECORD_OBJECT = 15,
    RECORD_OBJECT_GONE = 16,
    RECORD_FILE = 17,
    RECORD_FILE_GONE = 18,
    RECORD_RESULT_GONE = 19, /* a retried task forgets its last result */
    RECORD_CHECKPOINT_GONE = 20,
    RECORD_PART = 21,      /* as a log record; read by range */
    RECORD_STATION = 22,
    RECORD_STATION_GONE = 23,
    RECORD_SESSION = 24,
    RECORD_SESSION_GONE = 25,
    RECORD_COMMAND = 26,
    RECORD_COMMAND_GONE = 27,
    RECORD_SCHEDULE = 28,
    RECORD_SCHEDULE_GONE = 29,
    RECORD_TALLY = 30,
    RECORD_TALLY_GONE = 31,
    RECORD_COUNT = 32
};

struct was { /* what the newest earlier RECORD_TASK of the id said: locates its index entries */
    uint8_t status, priority; /* status 0: the task is new, nothing of it was ever written */
    uint32_t lane;
    uint64_t order;
    int64_t due_ms;
};

struct record {
    enum record_kind kind;
    struct was was; /* RECORD_TASK and RECORD_TASK_GONE only */
    union {
        struct meta_record meta;
        struct task_head task; /* RECORD_TASK_GONE: id, brand and checkpoint are set */
        struct task_body body;
        struct task_result result; /* RECORD_RESULT_GONE: id is set */
        struct attempt_record attempt;
        struct log_record log; /* RECORD_LOG, RECORD_PART */
        struct checkpoint_record checkpoint;
        struct lane_record lane;
        struct queue_record queue;
        struct worker_record worker;
        struct dedup_record dedup;
        struct object_record object;
        struct file_record file;
        struct schedule_record schedule; /* RECORD_SCHEDULE_GONE: id and brand are set */
        struct station_record station; /* RECORD_STATION_GONE: brand and name are set */
        struct session_record session; /* RECORD_SESSION_GONE: brand and name are set */
        struct command_record command; /* RECORD_COMMAND_GONE: id is set */
        struct tally_record tally; /* RECORD_TALLY_GONE: brand, span, slot and id are set */
    };
};
#endif
