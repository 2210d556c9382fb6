/* message.h - one item of a frame, decoded: what the core steps on and what it says.
 *
 * A frame is one msgpack array: [verb, request, link, items] or, from a gateway,
 * [verb, request, link, items, who]. Item i of a request carries the number request + i; an
 * answer names that number, so answers to several frames may travel in one. A number is the
 * sender's own choice, below 2^53; request 0 asks for no ANSWER (START, PROGRESS, LOG) and is
 * fine wherever the answer names (task, epoch). Each item is an array in the order given beside
 * its struct; elements in [brackets] may be left out from the right or be nil. `options` are maps
 * with text keys; an unknown key is skipped. Peers' input is read by a bounded pull decoder:
 * counts <= bytes that are left, depth <= 8, text checked for UTF-8 only where it is shown.
 *
 * Slices are borrowed from the frame (decoding) or from the caller (encoding). Pure. */
#ifndef RELAIS_PROTO_MESSAGE_H
#define RELAIS_PROTO_MESSAGE_H
#include "proto/base/bytes.h"
#include "proto/record.h"
#include "proto/who.h"

enum { PROTOCOL_VERSION = 1, HELD_MAX = 4096, QUEUES_MAX = 64, LABELS_MAX = 16,
       TOPICS_MAX = 16 };

enum verb {
#define VERB(name, number, direction, answer, sentence) VERB_##name = number,
#include "proto/verb.def"
#undef VERB
    VERB_NONE = 0
};

enum code {
#define CODE(name, number, http, sentence) CODE_##name = number,
#include "proto/code.def"
#undef CODE
};

enum link_kind { LINK_CLIENT = 1, LINK_WORKER = 2, LINK_GATEWAY = 3 };

/* What a worker serves; part of HELLO and CLAIM. queues empty = none, "*" = every queue; types
 * empty = all types, and a task without a type fits any. A label "k=v" says the worker serves
 * lanes whose k is v, "+k=v" that it serves no others; naming no label of a key serves all. */
struct serves {
    struct slice queues, types, labels; /* packed: read with text_next(), write with text_put() */
    uint16_t queue_count, type_count, label_count;
};

struct held { uint64_t task, epoch; uint32_t checkpoint; bool started; };

/* [map] with keys: version, kind ("client" "worker" "gateway"), name, boot (u64, one per process
 * start), queues [text], types [text], labels [text], slots, prefetch, implied (bool: a delivered
 * task within slots counts as started, no START is sent), brand (asked for; 0 = all the key
 * allows), held [[task, epoch, checkpoint, started]] */
struct hello {
    uint32_t version, slots, prefetch, brand;
    uint8_t kind; /* enum link_kind */
    bool implied;
    uint64_t boot;
    struct slice name;
    struct serves serves;
    struct slice held; /* packed: read with held_at() */
    uint32_t held_count;
};

struct credit { uint32_t slots, prefetch; }; /* [slots, [prefetch]] */

/* Options of SUBMIT, RETRY and UPDATE; `set` says which were given. Map keys as named here. */
enum option_bit {
    SET_PRIORITY = 1, SET_DUE = 2, SET_RETRIES = 4, SET_TIMEOUT = 8, SET_KEEP = 16, SET_EXTRA = 32,
    SET_PROGRESS = 64, SET_BACKOFF = 128, SET_BRAND = 256, SET_RESUME = 512, SET_PAYLOAD = 1024,
    SET_VERSION = 2048, SET_METRICS = 4096
};
struct options {
    uint32_t set;          /* enum option_bit */
    uint8_t priority;      /* "priority" 0..3 */
    uint8_t dialect;       /* "dialect": 0 native, else 0..4 as DIALECT_* of the gateway */
    bool accepted;         /* "accepted": true = memory only */
    bool watch;            /* "watch": true = send OUTCOME to this link when it ends */
    bool reset_progress;   /* "reset_progress" (RETRY) */
    uint16_t retries;      /* "retries": automatic ones a run */
    uint32_t timeout_ms;   /* "timeout": run timeout */
    uint32_t progress_ms;  /* "progress_timeout" */
    uint32_t backoff_ms;   /* "backoff": first delay, doubles, +-25 % */
    uint32_t brand;        /* "brand": acting brand, must be the principal's */
    uint32_t resume;       /* "resume": checkpoint sequence the next delivery carries */
    int64_t due_ms;        /* "at" unix ms, or "delay" ms from now (decoded with delay = true) */
    bool delay;            /* due_ms is relative */
    int64_t keep_ms;       /* "keep": -1 failed only, 0 none, else ms */
    struct slice key;      /* "key": idempotency key, <= 255 bytes */
    struct slice labels;   /* "labels": "k=v,k=v" with sorted keys */
    struct slice extra;    /* "extra": opaque, <= 8 KiB */
    struct slice payload;  /* "payload" (UPDATE) */
    uint64_t source_file;  /* "source": a sealed file's id; with it go: */
    uint64_t source_size;  /* "source_size" */
    struct slice source_name, source_mime; /* "source_name" "source_mime" */
    struct slice source_hash; /* "source_hash", 32 bytes */
    bool stream;           /* "stream": the source is a file that may still grow */
    bool hook;             /* "hook": its end becomes a task of the queue relais.webhook */
    struct slice metrics;  /* "metrics" (UPDATE of a completed or failed task): replaces them */
    struct slice numbers, numbers_before; /* "numbers" "numbers_before": lists of measure.h, of
                                           * those metrics and of the ones they replace */
    int64_t taken_ms;      /* "taken" (SUBMIT): when a gateway took it in, its time of creation */
    uint32_t version;      /* "version" (UPDATE): the task's, else CONFLICT */
};

/* [queue, type, payload, [options]] */
struct submit { struct slice queue, type, payload; struct options options; };

enum want { WANT_BODY = 1, WANT_RESULT = 2, WANT_ATTEMPTS = 4, WANT_LOG = 8, WANT_PARTS = 16 };
/* GET [id, [want, after]]; WATCH [id, [want], version, wait_ms, [after]]: with WANT_PARTS the view
 * holds parts after number `after`, as many as fit, and WATCH answers when there are any;
 * CANCEL [id, [reason text]];
 * RETRY [id, [options]]; UPDATE [id, options]; REMOVE [id]; EXPLAIN [id]; PAUSE [id] */
struct task_ref {
    uint64_t id;
    uint32_t want, version, wait_ms, after;
    struct slice text;
    struct options options;
};

/* [kind, options map]: kind "tasks" "queues" "lanes" "workers" "objects" "sessions" "checkpoints"
 * "attempts" "log"; keys: brand, status [numbers], queue, type, priority, owner, dialect, from_ms,
 * to_ms (created), order ("asc" "desc"), limit, cursor (bin, from a ROWS), offset, count (bool),
 * object (kind name), search, id, filter (bin: predicates, see broker/filter.h), sort (text: field
 * names with comma between, "-" before one that descends), want (enum want: rows of tasks carry
 * their body and result) */
struct question {
    struct slice kind, queue, type, owner, object, search, cursor, worker, filter, sort;
    uint32_t brand, status_mask /* 1 << status */, limit, offset, want;
    uint32_t looks; /* rows to look at, when less than the broker would; 0 = as many */
    int8_t priority, dialect; /* -1 = any */
    int64_t from_ms, to_ms;   /* 0 = open */
    uint64_t id;
    uint64_t number; /* checkpoints: only the one of that number; key "number" */
    bool descending, count;
};

/* [queue, settings map]: paused bool, running_max, rate_per_min, weight, keep, brand, hooks.
 * An empty map reads them. */
enum queue_bit {
    SET_QUEUE_PAUSED = 1, SET_QUEUE_RUNNING = 2, SET_QUEUE_RATE = 4, SET_QUEUE_WEIGHT = 8,
    SET_QUEUE_KEEP = 16, SET_QUEUE_BRAND = 32, SET_QUEUE_HOOKS = 64
};

struct queue_set {
    struct slice queue;
    uint32_t brand, running_max, rate_per_min, weight;
    int64_t keep_ms;
    bool paused;
    uint8_t hooks; /* enum hook_bit */
    uint8_t set;   /* enum queue_bit */
};

enum put_mode { PUT_CREATE = 0, PUT_REPLACE = 1, PUT_EITHER = 2 };
enum object_clear { CLEAR_OWNER = 1, CLEAR_KEYS = 2, CLEAR_UNTIL = 4, CLEAR_FILE = 8 };
enum { OBJECT_KEYS_MAX = 4, OBJECT_HASH_BYTES = 32 };

/* Options of PUT, FETCH and DROP. A PUT keeps what it does not give; `clear` takes it away. */
struct object_options {
    uint64_t id;           /* "id": which object, when its name is "" */
    uint32_t version;      /* "version": the stored one, else CONFLICT; 0 = any */
    uint8_t clear;         /* "clear": enum object_clear */
    uint16_t key_count;
    struct slice keys;     /* "keys": further names, packed: text_put(); replaces the old ones */
    struct slice owner;    /* "owner" */
    int64_t until_ms;      /* "until": unix ms; from then on it is not there */
    uint64_t file;         /* "file": a sealed upload that the object takes; with it go: */
    uint64_t file_size;    /* "file_size": what is on disk counts */
    struct slice file_name, file_mime; /* "file_name" "file_mime" */
    struct slice file_hash; /* "file_hash", 32 bytes */
    struct slice event, data; /* "event" "data": PUT, DROP: said on the feed when durable */
};
/* PUT [kind, name, body, [mode, brand, options]]; FETCH and DROP [kind, name, [brand, options]].
 * FETCH and DROP also take one of its keys as the name. Answered by ANSWER, whose body is the
 * object's row (proto/object.h): as it is now, for DROP as it was. */
struct object_ref {
    struct slice kind, name, body;
    uint8_t mode;
    uint32_t brand;
    struct object_options options;
};

/* FEED [map]: brand, after (a number from an earlier `next`; 0 = from now), wait_ms, limit, topics
 * [text: prefixes, none = all], key (only events with this key). Answered by ROWS: rows of
 * proto/object.h, `next` read with feed_next_read; `incomplete` = events between `after` and the
 * first row are lost (too old, or of before a restart). */
struct feed_ask {
    uint64_t after;
    uint32_t brand, wait_ms, limit;
    struct slice topics, key; /* topics packed */
    uint16_t topic_count;
};

/* [id, op, map]: RESERVE gives a number that CREATE then names as id; RUN submits the runs'
 * template once more, whatever the clock says, with the map's payload, stamp and priority where
 * given. Keys of the map: brand, kind, name, expression, zone, start_ms, end_ms, active (bool,
 * true at CREATE), max, misfire, queue, type, payload, extra, priority, retries, timeout_ms,
 * keep_ms, dialect, body, stamp, version (CHANGE: must be the stored one; 0 = any). Answered by
 * ANSWER whose body is a row (proto/schedule.h), that of RUN with the new task as last_task. */
enum schedule_op { SCHEDULE_READ = 0, SCHEDULE_RESERVE = 1, SCHEDULE_CREATE = 2,
                   SCHEDULE_CHANGE = 3, SCHEDULE_REMOVE = 4, SCHEDULE_RUN = 5 };
enum schedule_set {
    SET_SCHEDULE_NAME = 1, SET_SCHEDULE_EXPRESSION = 2, SET_SCHEDULE_ZONE = 4,
    SET_SCHEDULE_START = 8, SET_SCHEDULE_END = 16, SET_SCHEDULE_ACTIVE = 32,
    SET_SCHEDULE_MAX = 64, SET_SCHEDULE_MISFIRE = 128, SET_SCHEDULE_QUEUE = 256,
    SET_SCHEDULE_TYPE = 512, SET_SCHEDULE_PAYLOAD = 1024, SET_SCHEDULE_EXTRA = 2048,
    SET_SCHEDULE_PRIORITY = 4096, SET_SCHEDULE_RETRIES = 8192, SET_SCHEDULE_TIMEOUT = 1 << 14,
    SET_SCHEDULE_KEEP = 1 << 15, SET_SCHEDULE_BODY = 1 << 16, SET_SCHEDULE_KIND = 1 << 17,
    SET_SCHEDULE_STAMP = 1 << 18
};
struct schedule_ref {
    uint64_t id;
    uint8_t op;
    uint32_t set; /* enum schedule_set */
    struct schedule_record record; /* id and what the clock wrote do not count */
};

/* CHECKPOINT_PUT [task, seq (0 = a new one), name, data, [flags]]: flags an enum checkpoint_flag;
 * CHECKPOINT_DROP [task, seq]. Answered by ANSWER whose body is a row without data
 * (proto/checkpoint.h). */
struct checkpoint_ref {
    uint64_t task;
    uint32_t seq;
    uint8_t flags;
    struct slice name, data;
};

enum station_mode { STATION_REGISTER = 0, STATION_CREATE = 1, STATION_UPDATE = 2 };
enum station_set { SET_STATION_STATUS = 1, SET_STATION_MAX = 2, SET_STATION_DRAINING = 4,
                   SET_STATION_SESSIONS = 8, SET_STATION_ENDPOINT = 16,
                   SET_STATION_DESCRIPTION = 32, SET_STATION_VERSION = 64,
                   SET_STATION_ENVIRONMENT = 128 };
/* STATION_PUT, STATION_BEAT, STATION_LEAVE, STATION_GET [name, map]; map: brand, mode (0 register,
 * 1 create, 2 change), endpoint, description, version, environment, status, sessions_max, draining,
 * beat (bin), sessions (bin: rows of fleet.h), whole (bool: they are all it has), time_ms (its own
 * clock), commands (at most so many in the answer), remove (bool, LEAVE: an administrator's). */
struct station_ref {
    struct slice name, endpoint, description, version, beat, sessions;
    uint32_t brand, sessions_max, commands;
    int64_t time_ms;
    uint8_t set; /* enum station_set */
    uint8_t mode, environment, status;
    bool draining, whole, remove;
};

/* STATION_LIST [map]: brand, status [numbers], environment, search (in name, endpoint or
 * description), room (bool: only those that would take a session), limit, offset */
struct station_question {
    struct slice search;
    uint32_t brand, status_mask, limit, offset;
    uint8_t environment;
    bool room;
};

enum session_act { SESSION_CONNECT = 1, SESSION_RESTART = 2, SESSION_DISCONNECT = 3,
                   SESSION_LOGOUT = 4, SESSION_DELETE = 5, SESSION_SEND = 6, SESSION_MANAGE = 7 };
/* SESSION_PUT, SESSION_REPORT, SESSION_DO, SESSION_GET [name, map]; map: brand, owner (DO and GET:
 * another's session is not found; PUT: whose it is), title, act (DO), payload, key (SEND and
 * MANAGE), station, status, phone, display, reason, time_ms, gone (REPORT: it was deleted) */
struct session_ref {
    struct slice name, owner, title, station, phone, display, reason, payload, key;
    uint32_t brand;
    int64_t time_ms;
    uint8_t act, status;
    bool gone;
};

/* [station or "" for all of the brand, map]: brand, ack (a command's id), key (acknowledges the
 * commands with that key), limit, wait_ms. With ack or key nothing is fetched. */
struct commands_ask {
    struct slice station, key;
    uint64_t ack;
    uint32_t brand, limit, wait_ms;
};

struct fleet_ask { uint32_t brand; }; /* FLEET_STATS [[brand]], WORKERS [[brand]]: proto/roll.h */

/* Worker reports. epoch 0 = "my lease" (gateways only; resolved by the principal's name and boot).
 * START [task, epoch]            PROGRESS [task, epoch, [percent or nil, text]]
 * CHECKPOINT [task, epoch, seq or 0 = next, name, data, [mark]]: a mark is stored and listed, but
 *       no attempt resumes from it unless it is named
 * DONE [task, epoch, result, [map: file, file_size, file_hash, file_name, file_mime, metrics,
 *       message, numbers]]
 * FAIL [task, epoch, reason, text, [retryable = true, metrics, numbers]]: reason is an enum reason
 *       (FAILED, PERMANENT, CRASHED, TIMEOUT)
 * RELEASE [task, epoch]          STOPPED [task, epoch]
 * LOG [task, epoch, level, text, [number]]: with level LOG_PART a part of the result, durable when
 *       it is answered; number counts the task's parts from 1 over all attempts: one that is there
 *       already is OK again, one that leaves a gap CONFLICT; 0 = the next */
struct report {
    uint64_t task, epoch;
    uint32_t seq;
    int8_t percent;  /* -1 = not given */
    uint8_t reason, level;
    bool retryable, mark;
    struct slice text, name, data /* result or checkpoint */, metrics;
    struct slice numbers; /* of the metrics, as measure.h has them: so that they are summed */
    uint64_t file, file_size;
    struct slice file_hash, file_name, file_mime;
};

/* [map]: worker, boot, queues, types, labels, brand, limit, wait_ms, lease_ms, again (bool: give
 * a delivered, unstarted task again), max (tasks it may hold), oldest (bool: the oldest task of the
 * highest priority, whatever queue's turn it is). TASK items carry this number. */
struct claim {
    struct slice worker;
    uint64_t boot;
    struct serves serves;
    uint32_t brand, limit, wait_ms, lease_ms, held_max;
    bool again, oldest;
};

struct unwatch { uint64_t number; }; /* [number] of the WATCH or CLAIM */

/* ---- from the broker ---- */

enum verdict { VERDICT_KEEP = 0, VERDICT_STOP = 1, VERDICT_SETTLED = 2 };
/* [map]: link, incarnation, beat_ms, suspect_ms, doubt_ms, lost_ms, time_ms (wall),
 * verdicts [[task, epoch, verdict]], payload_max, batch_max, frame_max */
struct welcome {
    uint32_t link, beat_ms, suspect_ms, doubt_ms, lost_ms, payload_max, batch_max, frame_max;
    uint64_t incarnation;
    int64_t time_ms;
    struct slice verdicts; /* packed: verdict_put() and verdict_at() */
    uint32_t verdict_count;
};

/* [number, code, id, [text]] */
struct submitted { uint64_t number, id; enum code code; struct slice text; };

/* [task, epoch, queue, type, attempt, payload, map, [number]]; map: brand, labels, extra, timeout,
 * lease (ms, HTTP), source (file id), source_size, source_name, source_mime, ticket,
 * checkpoint [seq, name, data], run, created, stream (the source may still grow: FILE_READ with
 * wait_ms until `end`), parts (how many the task has already). A CLAIM that got nothing, and one
 * with limit > 1 after what it got, is closed by [0, 0, "", "", 0, "", {}, number] */
struct delivery {
    uint64_t task, epoch, number, source_file, source_size, ticket;
    uint32_t brand, timeout_ms, lease_ms, attempt, run, parts;
    bool stream;
    int64_t created_ms;
    struct slice queue, type, payload, labels, extra, source_name, source_mime;
    uint32_t checkpoint;
    struct slice checkpoint_name, checkpoint_data;
};

/* [task, epoch, code, [number]] */
struct settled { uint64_t task, epoch, number; enum code code; };
/* [task, epoch, seq, code, [number]] */
struct checkpoint_ok { uint64_t task, epoch, number; uint32_t seq; enum code code; };
/* STOP [task, epoch, reason], RECALL [task, epoch] */
struct stop { uint64_t task, epoch; uint8_t reason; };

/* VIEW [number, code, array or text]: the array holds, in this order: */
struct view {
    uint64_t number;
    enum code code;
    struct slice text; /* with a code: its sentence */
    struct task_head head;
    struct slice queue, type, labels, worker;
    uint64_t place;    /* queued: tasks ahead of it in its lane, + 1; 0 = unknown */
    int64_t lease_until_ms; /* wall; 0 = no lease or kept by beats */
    struct slice progress_text;
    struct task_body body;     /* id 0 = not asked for or gone */
    struct task_result result; /* id 0 = none */
    struct slice attempts;     /* packed attempt rows, see attempt_at() */
    uint32_t attempt_count;
    struct slice logs;
    uint32_t log_count;
    struct slice parts;        /* WANT_PARTS: rows as logs, without a gap; head.parts = all */
    uint32_t part_count;
    /* what FILE_READ asks for, when the task has files; filled beside the core */
    uint64_t source_ticket, source_size, result_ticket, result_size;
    struct slice source_name, source_mime, result_name, result_mime;
};

/* [number, code, body]; with a code the body is its text */
struct answer {
    uint64_t number;
    enum code code;
    struct slice body;
    uint64_t file; /* not on the wire: the body is the row of an object with this file */
};

/* [number, code, rows (bin: concatenated msgpack), count of rows, next cursor, incomplete,
 *  total or -1, total_exact, [text]] */
struct rows {
    uint64_t number;
    enum code code;
    struct slice rows, next, text;
    uint32_t row_count;
    bool incomplete, total_exact;
    int64_t total;
};

/* [task, status, reason, result, message, [file]] */
struct outcome {
    uint64_t task, result_file;
    uint8_t status, reason;
    struct slice result, message;
};
/* REFUSED [number, code, text, [retry_ms]] */
struct busy { uint64_t number; uint32_t retry_ms; enum code code; struct slice text; };

/* ---- file endpoint ---- */

/* FILE_CREATE [name, size or 0, [stream]]; FILE_WRITE [id, offset, bytes]; FILE_SEAL [id];
 * FILE_READ [id, offset, length, ticket, [wait_ms]]; FILE_DROP [id]. FILE_CREATE's ANSWER has the
 * body msgpack [id], FILE_SEAL's [size, sha256 (32 bytes)].
 * A file created with `stream` = true grows: FILE_APPEND [id, bytes, [seq]] adds a chunk and is
 * answered when it is on disk; seq counts the chunks, the first being 0 or 1, -1 = the next; one
 * that is there already is OK again, one that leaves a gap CONFLICT, after the end GONE.
 * FILE_END [id] ends it for good, FILE_STAT [id] asks. All three are answered by the body
 * [size, next seq, ended]. It is read while it grows: a FILE_READ at its end waits up to wait_ms
 * for more; no bytes without `end` = nothing came.
 * FILE_LINK [id, ticket] gives the same bytes a second id, sealed, for another owner to take; its
 * ANSWER has the body [new id, size, sha256]. */
struct file_ref {
    uint64_t id, offset, size /* of the file, or bytes to read */, ticket;
    int64_t seq;
    uint32_t wait_ms;
    bool stream;
    struct slice name, bytes;
};
/* [number, code, offset, bytes or text, [end]] */
struct file_bytes { uint64_t number, offset; enum code code; struct slice bytes; bool end; };

struct message {
    enum verb verb;
    uint64_t number; /* request + index of the item */
    union {
        struct hello hello;
        struct credit credit;
        struct submit submit;
        struct task_ref ref;     /* GET WATCH CANCEL RETRY UPDATE REMOVE EXPLAIN PAUSE */
        struct checkpoint_ref checkpoint; /* CHECKPOINT_PUT CHECKPOINT_DROP */
        struct question question; /* ASK */
        struct queue_set queue;
        struct object_ref object; /* PUT FETCH DROP */
        struct feed_ask feed;
        struct schedule_ref schedule; /* SCHEDULE */
        struct station_ref station; /* STATION_PUT STATION_BEAT STATION_LEAVE STATION_GET */
        struct station_question stations;
        struct session_ref session; /* SESSION_ verbs */
        struct commands_ask commands;
        struct fleet_ask fleet; /* FLEET_STATS WORKERS */
        struct report report;     /* START PROGRESS CHECKPOINT DONE FAIL RELEASE STOPPED LOG */
        struct claim claim;
        struct unwatch unwatch;
        struct welcome welcome;
        struct submitted submitted;
        struct delivery task;
        struct settled settled;
        struct checkpoint_ok checkpoint_ok;
        struct stop stop; /* STOP RECALL */
        struct view view;
        struct answer answer; /* ANSWER KEYRING */
        struct rows rows;
        struct outcome outcome;
        struct busy refused;
        struct file_ref file; /* FILE_ verbs but FILE_BYTES */
        struct file_bytes file_bytes;
    };
};

struct frame { /* the head of a decoded frame, and where its items are */
    enum verb verb;
    uint64_t request;
    uint32_t link;
    uint32_t count;      /* items */
    bool has_who;
    struct who who;
    const uint8_t *at, *end; /* next item; moved by message_next */
    uint32_t index;
    void *packed; /* owned: the packed lists of the newest message */
};

/* Reads a frame's head. 0, or CODE_BAD_FRAME, CODE_UNKNOWN_VERB, CODE_PAYLOAD_TOO_LARGE (more
 * items than batch_max); outputs are untouched on failure but for request, which is set when it
 * could be read, so that the refusal can name it. */
enum code frame_read(struct frame *f, const void *data, size_t len, uint32_t batch_max);
/* Reads the next item; false at the end. *code is 0 or CODE_VALIDATION_ERROR / CODE_BAD_FRAME;
 * after a bad item reading goes on with the next one unless the frame itself is broken. m->verb and
 * m->number are set in any case. Packed lists live until the next call; read until false, or call
 * frame_free. */
bool message_next(struct frame *f, struct message *m, enum code *code);
/* Frees what the frame owns; only needed when it was not read to its end. */
void frame_free(struct frame *f);

/* Writes a frame: begin, one put per item, end. The count is patched in at the end, so a frame may
 * be filled over time. `b` is appended to; check b->failed at the end. who may be NULL. */
struct frame_writer { struct buffer *b; size_t count_at; uint32_t count; const struct who *who; };
void frame_begin(struct frame_writer *w, struct buffer *b, enum verb verb, uint64_t request,
                 uint32_t link, const struct who *who);
void frame_put(struct frame_writer *w, const struct message *m);
void frame_end(struct frame_writer *w);

/* A row of ROWS of the kind "tasks" is the array of a VIEW: of m->view, whose number and code do
 * not matter. row_next reads the next one, *at starts at 0; false at the end or when it is
 * malformed. The packed lists of all rows are owned by `f` (any frame, or one set to {0}):
 * frame_free. */
void row_put(struct buffer *rows, const struct message *m);
bool row_next(struct frame *f, struct slice rows, uint32_t *at, struct message *m);

/* Packed lists inside messages: fixed-size little-endian rows. */
/* A list of texts, each with a 2-byte length before it; *at starts at 0. False at the end. */
bool text_next(struct slice list, uint32_t *at, struct slice *text);
void text_put(struct buffer *b, struct slice text);
struct held held_at(const struct hello *h, uint32_t index);
void held_put(struct buffer *b, struct held held);
struct verdict_row { uint64_t task, epoch; uint8_t verdict; };
struct verdict_row verdict_at(struct slice verdicts, uint32_t index);
void verdict_put(struct buffer *b, struct verdict_row row);
/* Rows of view.attempts and view.logs, length-prefixed; *at starts at 0. False at the end. */
bool attempt_next(struct slice attempts, uint32_t *at, struct attempt_record *row);
void attempt_put(struct buffer *b, const struct attempt_record *row);
bool log_next(struct slice logs, uint32_t *at, struct log_record *row);
void log_put(struct buffer *b, const struct log_record *row);

const char *verb_name(enum verb verb);   /* static; "?" for none */
const char *code_name(enum code code);
const char *code_text(enum code code);
int code_http(enum code code);
const char *status_name(enum status status); /* "queued" … */
const char *reason_name(enum reason reason);
#endif
