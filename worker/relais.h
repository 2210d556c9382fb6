/* relais.h - librelais: submit tasks to a relais broker, and work on them.
 *
 *   cc program.c $(pkg-config --cflags --libs relais)
 *
 * Three objects, each with its own connection and its own background thread, which sends beats,
 * reconnects and replays what the broker has not acknowledged; none is shared between processes
 * (open after fork):
 *   relais_client   submits tasks, reads them, waits for them, lists them, sets queues and objects
 *   relais_worker   takes tasks, reports on them, settles them
 *   relais_files    moves files to and from the broker's file endpoint
 *
 * Results of functions: RELAIS_OK (0); a positive number is the broker's refusal (enum
 * relais_code, the same numbers as on the wire); a negative one is of this library. Nothing
 * is written to a ret_ parameter unless the result is 0, but where said. All functions may be
 * called from any thread. Times are milliseconds; *_ms without `timeout` or `delay` in the name
 * are Unix time. Strings are UTF-8 and end with NUL; what is handed in is borrowed for the call
 * only. Structs are set up by { .member = … }: a zero member means the default.
 *
 * What a task promises: it runs at least once; its outcome is recorded exactly once. The fence
 * (task.epoch) is carried by the library; a worker that lost its lease gets
 * RELAIS_ATTEMPT_SUPERSEDED and changes nothing. */
#ifndef RELAIS_H
#define RELAIS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct relais_client;
struct relais_worker;
struct relais_files;

enum relais_code {
    RELAIS_OK = 0,
    /* refusals of the broker */
    RELAIS_VALIDATION_ERROR = 1,
    RELAIS_UNAUTHORIZED = 2,
    RELAIS_FORBIDDEN = 3,
    RELAIS_NOT_FOUND = 4,
    RELAIS_METHOD_NOT_ALLOWED = 5,
    RELAIS_NOT_ACCEPTABLE = 6,
    RELAIS_CONFLICT = 7,
    RELAIS_ATTEMPT_SUPERSEDED = 8,
    RELAIS_IDEMPOTENCY_CONFLICT = 9,
    RELAIS_INVALID_STATE = 10,
    RELAIS_ALREADY_SETTLED = 11,
    RELAIS_MAX_RETRIES = 12,
    RELAIS_UNKNOWN_TASK = 13,
    RELAIS_GONE = 14,
    RELAIS_PAYLOAD_TOO_LARGE = 15,
    RELAIS_UNSUPPORTED_MEDIA_TYPE = 16,
    RELAIS_RATE_LIMITED = 17,
    RELAIS_LIMIT_REACHED = 18,
    RELAIS_INTERNAL_ERROR = 19,
    RELAIS_UNAVAILABLE = 20,
    RELAIS_BUSY = 21,
    RELAIS_STORAGE_FULL = 22,
    RELAIS_BAD_VERSION = 23,
    RELAIS_BAD_FRAME = 24,
    RELAIS_UNKNOWN_VERB = 25,
    RELAIS_NOT_LINKED = 26,
    RELAIS_TIMED_OUT = 27,
    RELAIS_RANGE_NOT_SATISFIABLE = 28,
    /* said over HTTP only */
    RELAIS_NO_AVAILABLE_WORKERS = 29,
    RELAIS_SESSION_NOT_CONNECTED = 30,
    RELAIS_WORKER_ALREADY_REGISTERED = 31,
    RELAIS_WORKER_NOT_FOUND = 32,
    RELAIS_URI_TOO_LONG = 40,
    RELAIS_HEADERS_TOO_LARGE = 41,
    RELAIS_VERSION_NOT_SUPPORTED = 42,
    RELAIS_REQUEST_TIMEOUT = 43,
    RELAIS_UPGRADE_REQUIRED = 44,
    /* troubles of this side */
    RELAIS_TIMEOUT = -1,    /* no answer, or no task, within the time */
    RELAIS_CLOSED = -2,     /* drained or stopped: nothing more will come */
    RELAIS_ARGUMENT = -3,   /* a parameter is missing, too long, or contradicts another */
    RELAIS_MEMORY = -4,
    RELAIS_SYSTEM = -5,     /* a system call or libzmq failed; errno says more */
    RELAIS_FULL = -6,       /* inflight_max requests wait for their answers: call relais_poll */
    RELAIS_UNCERTAIN = -7,  /* the link broke before the answer: it may or may not have happened */
    RELAIS_DAMAGED = -8     /* a file's bytes do not have the hash they should have */
};
/* The name ("ATTEMPT_SUPERSEDED", "TIMEOUT") and a sentence. Static; never NULL. */
const char *relais_error_name(int code);
const char *relais_error_text(int code);

enum relais_status { /* of a task */
    RELAIS_SCHEDULED = 1, /* waits for its time or its back-off */
    RELAIS_QUEUED = 2,
    RELAIS_DELIVERED = 3, /* with a worker, not started */
    RELAIS_RUNNING = 4,
    RELAIS_PAUSED = 5,
    RELAIS_COMPLETED = 6, /* this and the following are ends */
    RELAIS_FAILED = 7,
    RELAIS_CANCELLED = 8
};
enum relais_reason { /* why an attempt ended; also why a worker is told to stop one */
    RELAIS_REASON_NONE = 0,
    RELAIS_REASON_DONE = 1,
    RELAIS_REASON_FAILED = 2,    /* may be retried */
    RELAIS_REASON_PERMANENT = 3, /* never retried */
    RELAIS_REASON_CRASHED = 4,   /* the work's process died */
    RELAIS_REASON_LEASE_LOST = 5,
    RELAIS_REASON_RELEASED = 6,
    RELAIS_REASON_BROKER_RESTART = 7,
    RELAIS_REASON_CANCELLED = 8,
    RELAIS_REASON_TIMEOUT = 9,
    RELAIS_REASON_POISON = 10,
    RELAIS_REASON_PAUSED = 11
};
enum relais_priority { /* 0 = the default, normal */
    RELAIS_PRIORITY_LOW = 1,
    RELAIS_PRIORITY_NORMAL = 2,
    RELAIS_PRIORITY_HIGH = 3,
    RELAIS_PRIORITY_CRITICAL = 4
};
/* Names for people: "queued", "lease_lost", "high". Static; "?" for other numbers. */
const char *relais_status_name(int status);
const char *relais_reason_name(int reason);
const char *relais_priority_name(int priority);

/* How to reach the broker; part of the options of all three objects. */
struct relais_link {
    const char *endpoint;   /* NULL = $RELAIS_BROKER, else "tcp://127.0.0.1:5555" */
    const char *files;      /* file endpoint; NULL = the port after endpoint's, or name-files */
    const char *server_key; /* the broker's public CURVE key, 40 characters of Z85; NULL = none */
    const char *public_key; /* ours; NULL with server_key set = a fresh pair, if anyone may come */
    const char *secret_key;
    const char *name;       /* shown in lists; NULL = HOST-PID */
    uint32_t brand;         /* acting brand; 0 = all that the key allows, brand 1 without a key */
    uint32_t timeout_ms;    /* of each call that waits for an answer; 0 = 10,000 */
    uint32_t batch_max;     /* items in one frame when several wait, 1..256; 0 = 256 */
    void *zmq_context;      /* shared by several objects, outlives them; NULL = one of its own */
};

struct relais_bytes { /* owned by the caller once handed out; free with relais_bytes_free */
    void *data;
    size_t len;
};
void relais_bytes_free(struct relais_bytes *bytes);

/* ---- client ---- */

struct relais_client_options {
    struct relais_link link;
    uint32_t inflight_max; /* asynchronous requests without an answer yet; 0 = 65,536 */
};

/* Returns at once; the connection is made in the background and kept. RELAIS_ARGUMENT,
 * RELAIS_MEMORY, RELAIS_SYSTEM. The client is owned by the caller. */
int relais_client_open(struct relais_client **ret_client,
                       const struct relais_client_options *options);
/* Says BYE and frees. Requests without an answer are given up, their callbacks not called. */
void relais_client_close(struct relais_client **self);
/* Waits until the link is up. RELAIS_TIMEOUT, or why the broker refuses it. */
int relais_client_connected(struct relais_client *c, uint32_t timeout_ms);
/* The sentence of the newest refusal that this client got; "" when there was none. */
void relais_client_detail(struct relais_client *c, char *text, size_t size);

struct relais_file { /* a sealed upload */
    uint64_t id, size;   /* bytes */
    uint8_t sha256[32];
    const char *name;    /* borrowed from the caller; NULL = unnamed */
    const char *mime;    /* NULL = application/octet-stream */
};

enum { RELAIS_NEVER = -1, RELAIS_KEEP_FAILED = -1, RELAIS_KEEP_NONE = -2 };
struct relais_submit {
    const char *queue; /* "" or NULL = "default" */
    const char *type;  /* what worker programs choose by; NULL = "" */
    const void *payload;
    size_t payload_len; /* bytes; at most 64 KiB, beyond that use `source` */
    int priority;       /* enum relais_priority; 0 = normal */
    int retries;        /* automatic ones; 0 = the broker's default, RELAIS_NEVER = none */
    int64_t at_ms;      /* not before; 0 = now */
    int64_t delay_ms;   /* or: so long after now */
    uint32_t timeout_ms;          /* of one run; 0 = the broker's default */
    uint32_t progress_timeout_ms; /* 0 = none */
    uint32_t backoff_ms;          /* first delay of a retry, doubles; 0 = the broker's default */
    int64_t keep_ms;    /* after its end; 0 = the queue's default, or a RELAIS_KEEP_* */
    const char *key;    /* idempotency key: the same key and body give the same task; NULL = none */
    const char *labels; /* "language=en,size=big", keys sorted; NULL = none */
    const void *extra;  /* kept with the task, not looked at */
    size_t extra_len;
    const struct relais_file *source; /* the input, uploaded before; NULL = none */
    bool accepted;      /* acknowledged from memory: faster, lost at a restart of the broker */
    bool watch;         /* report its end through relais_on_outcome */
};

/* Submits and waits until the broker has it (on disk, unless `accepted`). *ret_id may be NULL.
 * RELAIS_UNCERTAIN only without a key: with one the library asks again by itself. */
int relais_submit(struct relais_client *c, const struct relais_submit *task, uint64_t *ret_id);
struct relais_submitted { uint64_t id; int code; };
/* The same for many at once. 0 when all went well, else the first code that is not 0; ret (one
 * per task) is written in both cases. */
int relais_submit_batch(struct relais_client *c, const struct relais_submit *tasks, size_t count,
                        struct relais_submitted *ret);
/* Queues a submit and returns; `done` is called by relais_poll when the answer is there.
 * RELAIS_FULL at inflight_max. */
typedef void relais_submitted_fn(void *context, int code, uint64_t id);
int relais_submit_async(struct relais_client *c, const struct relais_submit *task,
                        relais_submitted_fn *done, void *context);

struct relais_outcome { /* slices are borrowed for the call */
    uint64_t id;
    int status; /* RELAIS_COMPLETED, RELAIS_FAILED or RELAIS_CANCELLED */
    int reason;
    const void *result;
    size_t result_len;
    uint64_t result_file; /* 0 = none */
    const char *message;
};
typedef void relais_outcome_fn(void *context, const struct relais_outcome *outcome);
/* Called by relais_poll for the end of each task that was submitted with `watch` over this link.
 * An end during a lost link is not reported: relais_wait asks for it. NULL = none. */
void relais_on_outcome(struct relais_client *c, relais_outcome_fn *fn, void *context);
/* Runs the callbacks that are due on this thread, waiting up to timeout_ms for the first one.
 * Returns how many it ran, 0 after the time-out. One thread at a time. */
int relais_poll(struct relais_client *c, uint32_t timeout_ms);
/* Requests whose answers are still to come. */
size_t relais_inflight(struct relais_client *c);

enum relais_want { /* what a view holds besides the state */
    RELAIS_WANT_BODY = 1,
    RELAIS_WANT_RESULT = 2,
    RELAIS_WANT_ATTEMPTS = 4,
    RELAIS_WANT_LOG = 8,
    RELAIS_WANT_PARTS = 16
};
struct relais_attempt {
    uint64_t epoch;
    int64_t started_ms, ended_ms;
    int run, attempt, reason;
    const char *worker, *message;
};
struct relais_line { uint32_t line; int level; int64_t time_ms; const char *text; };
struct relais_view { /* a task as it stood; owned by the caller, everything in it with it */
    uint64_t id, epoch;
    int status, reason, priority, progress /* 0..100 */;
    uint32_t brand, version, run, attempt, retry_count, retries, crashes;
    uint32_t checkpoint, resume, timeout_ms;
    int64_t created_ms, updated_ms, started_ms, finished_ms, due_ms, keep_ms, lease_until_ms;
    uint64_t place; /* queued: 1 = next in its lane; 0 = unknown */
    bool accepted;
    const char *queue, *type, *labels, *worker, *progress_text;
    uint64_t payload_len, result_len;
    /* RELAIS_WANT_BODY */
    const void *payload, *extra;
    size_t payload_given, extra_len; /* bytes at payload: 0 when not asked for */
    const char *owner, *key;
    uint64_t source, source_size, source_ticket;
    const char *source_name, *source_mime;
    /* RELAIS_WANT_RESULT */
    const void *result, *metrics;
    size_t result_given, metrics_len;
    const char *message; /* the error, or the worker's last word */
    uint64_t result_file, result_size, result_ticket;
    const char *result_name, *result_mime;
    /* RELAIS_WANT_ATTEMPTS, RELAIS_WANT_LOG */
    const struct relais_attempt *attempts; /* those that did not complete it, oldest first */
    size_t attempt_count;
    const struct relais_line *lines;
    size_t line_count;
    /* RELAIS_WANT_PARTS: results that came while it ran, relais_part; line = their number */
    const struct relais_line *parts;
    size_t part_count;    /* those given: as many as fit, without a gap */
    uint32_t parts_total; /* all there are */
};
void relais_view_free(struct relais_view **self);

/* Reads a task. want: enum relais_want or-ed. RELAIS_UNKNOWN_TASK. */
int relais_get(struct relais_client *c, uint64_t id, unsigned want, struct relais_view **ret_view);
/* Reads it once its version differs from `version`, or after wait_ms as it is then. */
int relais_watch(struct relais_client *c, uint64_t id, unsigned want, uint32_t version,
                 uint32_t wait_ms, struct relais_view **ret_view);
/* Reads it with its parts after number `after`: at once when there are any, else as relais_watch
 * does. Ask on with the last one's number until parts_total are there and the task has ended. */
int relais_parts(struct relais_client *c, uint64_t id, uint32_t after, uint32_t version,
                 uint32_t wait_ms, struct relais_view **ret_view);
/* Reads it once it has ended; RELAIS_TIMEOUT after timeout_ms (UINT32_MAX = for ever).
 * RELAIS_UNKNOWN_TASK: it never was, or ended and was not kept. */
int relais_wait(struct relais_client *c, uint64_t id, unsigned want, uint32_t timeout_ms,
                struct relais_view **ret_view);

/* These may have NULL for ret_view; with it the task is read as it stands after the change.
 * Cancels; a running task is told to stop and ends when its worker says so. reason may be NULL. */
int relais_cancel(struct relais_client *c, uint64_t id, const char *reason,
                  struct relais_view **ret_view);
/* Opens the next run of a failed or cancelled task; `changes` (NULL = none) may name priority,
 * retries and delay. */
int relais_retry(struct relais_client *c, uint64_t id, const struct relais_submit *changes,
                 bool reset_progress, struct relais_view **ret_view);
/* Changes priority, due time, extra, and while it waits the payload: what `changes` names. */
int relais_update(struct relais_client *c, uint64_t id, const struct relais_submit *changes,
                  struct relais_view **ret_view);
/* Deletes an ended or waiting task. */
int relais_remove(struct relais_client *c, uint64_t id, struct relais_view **ret_view);
/* The gates that keep a task from running, in order: text, one gate a line, see PROTOCOL.md
 * "EXPLAIN". */
int relais_explain(struct relais_client *c, uint64_t id, struct relais_bytes *ret_body);

struct relais_question {
    const char *kind; /* "tasks" "queues" "lanes" "workers" "objects" "checkpoints" "attempts" or
                       * "log" */
    const char *queue, *type, *owner, *worker, *object, *search; /* NULL = any */
    uint32_t brand;       /* 0 = those of the key */
    uint32_t status_mask; /* 1 << status, or-ed; 0 = any */
    int priority;         /* enum relais_priority; 0 = any */
    int64_t from_ms, to_ms; /* created; 0 = open */
    uint64_t id;          /* of the task whose checkpoints, attempts or log are asked for */
    uint32_t limit, offset;
    const void *cursor;   /* `next` of the page before */
    size_t cursor_len;
    bool descending, count;
};
struct relais_rows { /* owned by the caller */
    const void *rows; /* concatenated msgpack values, laid out as PROTOCOL.md says for the kind */
    size_t rows_len;
    uint32_t count;
    const void *next; /* cursor of the following page; next_len 0 = this was the last */
    size_t next_len;
    bool incomplete;  /* the row budget ended first: go on with `next` */
    bool total_exact;
    int64_t total;    /* -1 = not asked for */
};
int relais_list(struct relais_client *c, const struct relais_question *question,
                struct relais_rows **ret_rows);
void relais_rows_free(struct relais_rows **self);
/* The task rows of a page as views, one after the other: *at starts at 0; false at the end. */
bool relais_rows_view(const struct relais_rows *rows, size_t *at, struct relais_view **ret_view);

struct relais_queue {
    const char *queue;
    bool set_paused, set_running_max, set_rate, set_weight, set_keep; /* which are to change */
    bool paused;
    uint32_t running_max;  /* tasks at once; 0 = no limit */
    uint32_t rate_per_min; /* deliveries a minute; 0 = no limit */
    uint32_t weight;       /* share among the brand's queues, 1.. */
    int64_t keep_ms;       /* or a RELAIS_KEEP_* */
    uint32_t brand;
};
/* Changes a queue's settings, none if none is set. *ret_body (may be NULL): as they are then,
 * "name TAB value" lines, see PROTOCOL.md "QUEUE". */
int relais_queue_set(struct relais_client *c, const struct relais_queue *queue,
                     struct relais_bytes *ret_body);

enum relais_put { RELAIS_PUT_CREATE = 0, RELAIS_PUT_REPLACE = 1, RELAIS_PUT_EITHER = 2 };
int relais_object_put(struct relais_client *c, const char *kind, const char *name,
                      const void *body, size_t len, int mode, uint32_t brand);
int relais_object_fetch(struct relais_client *c, const char *kind, const char *name,
                        uint32_t brand, struct relais_bytes *ret_body);
int relais_object_drop(struct relais_client *c, const char *kind, const char *name,
                       uint32_t brand);
/* The broker's counters: msgpack, see PROTOCOL.md "STATS". */
int relais_stats(struct relais_client *c, struct relais_bytes *ret_body);

/* ---- worker ---- */

enum relais_doubt { /* when the broker is silent for doubt_ms (10 s) */
    RELAIS_DOUBT_GO = 0,  /* start nothing new; what runs goes on and is offered at reconnect */
    RELAIS_DOUBT_STOP = 1 /* also stop what runs: for work with effects no fence protects */
};
struct relais_worker_options {
    struct relais_link link;
    const char *const *queues; /* NULL-terminated; NULL = "default" */
    const char *const *types;  /* NULL-terminated; NULL = all, or those given to relais_handle */
    const char *const *labels; /* "key=value" served, NULL-terminated; NULL = all */
    uint32_t slots;    /* tasks that run at once; 0 = 1 */
    uint32_t prefetch; /* further ones held ready; recalled when another worker is free */
    bool implied_start; /* what is delivered within `slots` counts as started: saves a message */
    int on_doubt;      /* enum relais_doubt */
};

/* Returns at once; the connection is made in the background by the first relais_run, relais_next
 * or relais_worker_fd. Owned by the caller. Errors as relais_client_open. */
int relais_worker_new(struct relais_worker **ret_worker,
                      const struct relais_worker_options *options);
/* Gives back what has not started, waits up to link.timeout_ms until the reports are acknowledged,
 * says BYE and frees. Handlers must have returned; a task in work is left to the broker's lease. */
void relais_worker_destroy(struct relais_worker **self);

struct relais_task { /* a task in work; owned by the worker, valid until it is settled */
    uint64_t id, epoch;
    const char *queue, *type, *labels;
    const void *payload, *extra;
    size_t payload_len, extra_len;
    uint32_t attempt, run, brand, timeout_ms; /* attempt: 1 = the first of this run */
    int64_t created_ms;
    uint64_t source, source_size, source_ticket; /* the input file; 0 = none */
    const char *source_name, *source_mime;
    bool growing;        /* the source may still be sent: read it with relais_read */
    uint32_t parts;      /* that earlier attempts have sent: relais_part */
    uint32_t checkpoint; /* resume from this one; 0 = from the start */
    const char *checkpoint_name;
    const void *checkpoint_data;
    size_t checkpoint_len;
    void *user; /* the program's own */
};

/* Called on one of `slots` threads. It may settle the task by relais_done, relais_fail or
 * relais_release; if it returns without, 0 means done without a result and all else failed. */
typedef int relais_handler(struct relais_worker *w, struct relais_task *task, void *context);
/* Before relais_run. type NULL = every type that has no handler. RELAIS_ARGUMENT when the type
 * has one. */
int relais_handle(struct relais_worker *w, const char *type, relais_handler *handler,
                  void *context);
/* Runs handlers until relais_drain or relais_stop has done its work. 0, or why the broker refuses
 * this worker. */
int relais_run(struct relais_worker *w);

/* For programs with a loop of their own: the next task, which counts as started. RELAIS_TIMEOUT;
 * RELAIS_CLOSED when drained or stopped: no more will come; or why the broker refuses this
 * worker. timeout_ms UINT32_MAX = for ever. */
int relais_next(struct relais_worker *w, uint32_t timeout_ms, struct relais_task **ret_task);
/* Several at once, at most `max`: *ret_count of them, at least one. */
int relais_next_batch(struct relais_worker *w, uint32_t timeout_ms, struct relais_task **ret_tasks,
                      size_t max, size_t *ret_count);
/* Readable when relais_next would not wait, or a task was told to stop since the last call of
 * relais_next or relais_cancelled. Owned by the worker; for poll(2) only. */
int relais_worker_fd(struct relais_worker *w);

struct relais_result { /* beside the bytes; any member may be left out */
    const struct relais_file *file; /* the result as an uploaded file */
    const void *metrics;            /* opaque */
    size_t metrics_len;
    const char *message;            /* the worker's last word */
};
/* The three below settle: the task is *taken*, the pointer is dead whatever they return. They
 * return at once; the library repeats the report until the broker has it. A task that was told to
 * stop is reported as stopped, whichever is called. */
int relais_done(struct relais_worker *w, struct relais_task *task, const void *result, size_t len);
int relais_done_with(struct relais_worker *w, struct relais_task *task, const void *result,
                     size_t len, const struct relais_result *more);
/* reason: RELAIS_REASON_FAILED, _PERMANENT, _CRASHED or _TIMEOUT. text may be NULL. */
int relais_fail(struct relais_worker *w, struct relais_task *task, int reason, const char *text);
/* Hands it back as if it had never been delivered: costs no attempt. */
int relais_release(struct relais_worker *w, struct relais_task *task);

/* percent 0..100, -1 = unchanged; text may be NULL, at most 4 KiB. Renews the progress timeout. */
int relais_progress(struct relais_worker *w, struct relais_task *task, int percent,
                    const char *text);
/* Stores a resume point (at most 1 MiB) and waits until it is durable; *ret_seq may be NULL.
 * RELAIS_TIMEOUT: not known yet, the library repeats it. RELAIS_ATTEMPT_SUPERSEDED: stop. */
int relais_checkpoint(struct relais_worker *w, struct relais_task *task, const char *name,
                      const void *data, size_t len, uint32_t timeout_ms, uint32_t *ret_seq);
/* Adds a part of the result while the task still runs, and waits until it is durable; whoever
 * watches the task sees it at once. number is its place in the result, 1, 2, … over all attempts:
 * a part that the broker has already is RELAIS_OK and not kept twice, one that would leave a gap is
 * RELAIS_CONFLICT. So a program that stores a checkpoint which holds the next part, then sends that
 * part, and after a takeover sends the checkpoint's newest part again, loses none and repeats none.
 * UTF-8, usually JSON; at most the broker's part_bytes_max, 16 KiB. RELAIS_TIMEOUT: not known yet,
 * the library repeats it until the next part. */
int relais_part(struct relais_worker *w, struct relais_task *task, uint32_t number,
                const void *text, size_t len, uint32_t timeout_ms);
/* Adds a line to the task's log. level: 0 debug, 1 info, 2 warning, 3 error. */
int relais_log(struct relais_worker *w, struct relais_task *task, int level, const char *text);
/* 0, or why the work must end (enum relais_reason): cancelled, lease lost, timeout, paused. */
int relais_cancelled(struct relais_worker *w, struct relais_task *task);

/* Both may be called from a signal handler. drain: no new tasks, what runs finishes. stop: the
 * running ones are told to stop too. */
void relais_drain(struct relais_worker *w);
void relais_stop(struct relais_worker *w);

struct relais_worker_state {
    bool linked, in_doubt, draining;
    int refused; /* code of the broker's refusal of this worker, 0 = none */
    uint32_t running, ready, unsettled; /* started; delivered; reported, not acknowledged */
    uint64_t done, failed, released, superseded, stopped; /* since the start, by acknowledgement */
};
void relais_worker_state(struct relais_worker *w, struct relais_worker_state *ret_state);

/* ---- files ---- */

int relais_files_open(struct relais_files **ret_files, const struct relais_link *link);
void relais_files_close(struct relais_files **self);
/* Sends everything that fd gives until its end, and checks the hash. ret_file->name and mime are
 * those handed in. A failed upload leaves nothing behind. One call at a time per object. */
int relais_upload(struct relais_files *f, int fd, const char *name, const char *mime,
                  struct relais_file *ret_file);
/* Writes the file to fd. ticket: from a relais_task or relais_view. *ret_size may be NULL. */
int relais_download(struct relais_files *f, uint64_t file, uint64_t ticket, int fd,
                    uint64_t *ret_size);
/* Reads up to `size` bytes at `offset`, at most 512 KiB a call; of a growing file whatever is
 * there, waiting up to timeout_ms for the first byte. *ret_end: nothing follows what was read
 * (*ret_len may be 0 then). RELAIS_TIMEOUT: nothing came yet, or the broker is away: call again.
 * RELAIS_NOT_FOUND: there is no such file any more. One call at a time per object. */
int relais_read(struct relais_files *f, uint64_t file, uint64_t ticket, uint64_t offset,
                void *data, size_t size, uint32_t timeout_ms, size_t *ret_len, bool *ret_end);

#ifdef __cplusplus
}
#endif
#endif
