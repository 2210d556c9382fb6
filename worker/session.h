/* session.h - a worker's side of the protocol: what it holds, what it must say, what it may start.
 *
 * Pure: the time is an argument; what is to be said is put into session->batch, which the owner
 * sends while the link is up. It knows each delivered task as a job:
 *
 *   TASK --> ready --session_next--> running --session_report--> reported --SETTLED--> gone
 *              |                                                   |  ^
 *              +-- RECALL, drain: RELEASE ------------------------>+  +-- said again after a
 *              +-- verdict stop: gone                                     reconnect, and when
 *                                                                         unanswered too long
 *
 * Rules
 *   HELLO names every job that is held, with its epoch and newest checkpoint; WELCOME's verdicts
 *   are obeyed: keep goes on, stop ends it, settled forgets it. What the new link never heard
 *   (reports, checkpoints, parts) is said again; (task, epoch) makes that harmless.
 *   In doubt (contact.h) nothing new is started. With on_doubt stop, what runs is told to stop.
 *   STOP marks the job; whatever the work then reports is said as STOPPED. A STOP for a job that
 *   is not held is answered STOPPED at once, for the broker repeats it until it hears that.
 *   A report answered with BUSY or UNAVAILABLE is said again later. A report that the broker will
 *   never take (too large, not valid, a file it does not have) is turned into a permanent failure
 *   without a result, once: a task must not stay with a worker that has nothing more to say.
 *
 * Jobs are pooled: pointers are valid until the job is gone. */
#ifndef RELAIS_WORKER_SESSION_H
#define RELAIS_WORKER_SESSION_H
#include "proto/base/list.h"
#include "proto/base/map.h"
#include "worker/batch.h"
#include "worker/contact.h"
#include "worker/relais.h"

enum {
    JOBS_IDLE_MAX = 4096,          /* pooled jobs kept for reuse */
    JOB_BYTES_KEPT = 16 << 10,     /* of a pooled job's buffers */
    LOG_BYTES_KEPT = 256 << 10,    /* log lines that wait for a link */
    RESAY_MS = 15000,              /* a report unanswered for so long is said again */
    TEXT_BYTES_MAX = 4096,         /* of an error or progress text; longer ones are cut */
    SLOTS_MAX = 4096               /* slots and prefetch together */
};

enum job_state { JOB_READY = 1, JOB_RUNNING = 2, JOB_REPORTED = 3 };

struct job {
    struct relais_task task;   /* what the program sees */
    struct map_node by_epoch;  /* epochs are unique: one names the delivery */
    struct node in_line;       /* of ready, running or reported jobs, or of idle ones */
    struct buffer data;        /* owned: the texts and bytes that `task` points into */
    struct buffer report;      /* owned: the texts of `said`, packed one after the other */
    struct message said;       /* JOB_REPORTED: what is said until SETTLED */
    uint64_t number;           /* of the newest saying */
    int64_t said_ms, retry_ms; /* when; when to say it again, 0 = RESAY_MS after */
    enum job_state state;
    uint8_t stop;              /* enum reason, 0 = go on */
    bool doubted;              /* stopped by our own doubt, not by the broker */
    bool fallen;               /* its report was refused for good: what is said is a failure */
    uint32_t checkpoint;       /* newest acknowledged sequence */
    uint32_t points, pointed;  /* checkpoints begun and answered: equal = none is under way */
    uint64_t point_number;     /* of the newest saying */
    struct buffer point;       /* owned: name and data of the checkpoint under way */
    uint32_t point_name;       /* bytes of the name in it */
    enum code point_code;      /* of the newest answer to a checkpoint */
    uint32_t parts, parted;    /* parts begun and answered, likewise */
    uint64_t part_number;
    struct buffer part;        /* owned: text of the part under way */
    uint32_t part_seq;         /* its place in the result, from 1 */
    enum code part_code;
};

struct session_options { /* borrowed for the session's life */
    struct slice name;
    struct serves serves;      /* packed lists */
    uint64_t boot;
    uint32_t slots, prefetch, brand;
    bool implied, stop_in_doubt;
};

struct session {
    struct session_options options;
    struct contact contact;
    struct batch batch;        /* to be sent while the link is up */
    struct map jobs;           /* by epoch */
    struct node ready, running, reported, idle;
    uint32_t ready_count, running_count, reported_count, idle_count;
    bool draining, stopped, doubt_seen;
    bool woken;                /* a job became ready, stopped or gone: the owner clears it */
    int64_t resay_at;          /* next look at the reported jobs */
    uint64_t done, failed, released, superseded, stopped_count;
};

bool session_init(struct session *s, const struct session_options *options, uint64_t seed,
                  int64_t now_ms);
void session_free(struct session *s);

/* The link. session_due answers as contact_due and does what time asks for; for DUE_HELLO *hello is
 * filled: its held list is in `held`, which the caller owns. */
enum contact_due session_due(struct session *s, int64_t now_ms, uint64_t *number);
void session_hello(struct session *s, struct message *hello, struct buffer *held);
void session_down(struct session *s, int64_t now_ms);
/* Takes one message of the broker. */
void session_message(struct session *s, const struct message *m, int64_t now_ms);
int64_t session_wake_ms(const struct session *s);

/* The work. The next job that may start, or NULL. It counts as started. */
struct job *session_next(struct session *s, int64_t now_ms);
/* Ends a job: m is a DONE, FAIL or RELEASE without task and epoch; its slices are copied. */
void session_report(struct session *s, struct job *job, const struct message *m, int64_t now_ms);
/* PROGRESS or LOG of a running job; dropped without a link, log lines only beyond their cap. */
void session_remark(struct session *s, struct job *job, struct message *m);
/* Begins a checkpoint; returns job->points, 0 when memory is out. Once job->pointed is as high it
 * is answered: job->point_code, job->checkpoint. One is under way at a time: a newer one takes the
 * place of an unanswered one. The broker numbers it: one that is said twice is stored twice. */
uint32_t session_checkpoint(struct session *s, struct job *job, struct slice name,
                            struct slice data);
/* Begins a part, in the same way: job->parts, job->parted, job->part_code. The number makes it
 * harmless to say it twice. */
uint32_t session_part(struct session *s, struct job *job, uint32_t seq, struct slice text);
/* No new tasks: what is ready goes back. */
void session_drain(struct session *s, int64_t now_ms);
/* Also tells what runs to stop. */
void session_stop(struct session *s, int64_t now_ms);
#endif
