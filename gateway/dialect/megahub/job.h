/* job.h - persistent jobs of dialect 002: long tasks that go on from their checkpoints.
 *
 * job_read.c    gathers what a job is made of, and writes it
 * job.c         CRUD and list
 * job_edit.c    changes a job's members; deletes a job with its checkpoints
 * job_resume.c  resume, restart, pause
 * job_ready.c   which can be resumed; resumes several
 * job_care.c    advice, figures, cleaning up
 * state.c       job states
 * checkpoint.c, checkpoint_change.c  checkpoints
 *
 * A job belongs to one task and has its number. What lists filter by lies in the task's extra, as
 * members with the prefix "job": `job` (1), `job_step`, `job_from`, `job_total`, `job_done`,
 * `job_percent`, `job_resume` (1 = may be resumed), `job_made_ms`, `job_changed_ms`; they are
 * changed by compare-and-set on the task's version, so that nobody's change is lost. What is long,
 * job_data and the state, is an object of kind "job" with the task's number as its name:
 * {"job_data": {…}, "state": {…}}. Its checkpoints are the task's own. All of it ends with the
 * task, whoever removes that and however (broker/core/bond.h). */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_JOB_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_JOB_H
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/page.h"
#include "gateway/dialect/spell.h"
#include "proto/checkpoint.h"
#include "proto/object.h"

enum {
    JOB_STEP_MAX = 128,       /* bytes of a step's name */
    JOB_STEPS_MAX = 1000000,
    JOB_RETRIES_MAX = 3,      /* resumptions after a failure, unless the state says otherwise */
    JOB_DATA_MAX = 1048576,   /* bytes */
    JOBS_AT_ONCE_MAX = 100    /* that one request looks at or resumes */
};

/* The members of a task's extra; step and from are borrowed. */
struct job_members {
    bool there, can_resume;
    uint32_t total, done, percent;
    int64_t made_ms, changed_ms;
    struct slice step, from;
};

struct job {
    struct megahub_task task;
    struct job_members members;
    uint32_t version;          /* of its task */
    uint32_t points;           /* checkpoints */
    uint32_t newest;           /* the newest sequence ever, 0 = none */
    struct checkpoint_record last; /* number 0 = none; data only when it was asked for */
    struct slice data, state;  /* JSON; empty = {} */
    bool kept;                 /* the object is there */
};

/* Several jobs, while what belongs to them is gathered. */
struct jobs {
    struct job *list;
    uint32_t count, at;        /* at: for who goes through them */
    uint32_t sent, answered;
    bool bodies;               /* with the data of the newest checkpoint */
    bool over;                 /* the exchange was refused meanwhile */
    void (*then)(struct exchange *x, struct jobs *jobs);
};

/* ---- job_read.c ---- */

/* The house within the caller's brand: for what a worker's role does not reach. */
struct who job_house(const struct exchange *x);
/* Reads the members out of a task's extra. */
struct job_members job_members_read(struct exchange *x, struct slice extra);
struct job job_of_view(struct exchange *x, const struct view *v);
/* Gathers objects and newest checkpoints of jobs->list; then calls `then`. x->state is `jobs`
 * meanwhile and in `then`. A refusal ends the exchange. */
void jobs_gather(struct exchange *x, struct jobs *jobs);
/* Reads {id}, finds the job and gathers it; NOT_FOUND otherwise. Always false. */
bool job_load(struct exchange *x, void (*then)(struct exchange *x, struct jobs *jobs));
/* The same for a job that was just changed. */
void job_read_again(struct exchange *x, uint64_t id,
                    void (*then)(struct exchange *x, struct jobs *jobs));
bool job_not_found(struct exchange *x);
void job_write(struct exchange *x, const struct job *j);
void job_state_write(struct exchange *x, const struct job *j);
void job_checkpoint_write(struct exchange *x, const struct checkpoint_record *c, bool data);
/* A page of tasks that are jobs, once each is gathered, with what `row` writes for each. */
typedef void job_row(struct exchange *x, const struct job *j);
void job_page_write(struct exchange *x, const struct message *answer, job_row *row);
int64_t job_remaining_ms(const struct exchange *x, const struct job *j); /* -1 = unknown */
/* The number that `member` of the body gives for a job or task: an integer, or task_ text. 0, with
 * the field error noted when `required`, if there is none. */
uint64_t job_number_member(struct exchange *x, const char *member, bool required);
uint32_t job_retries_max(struct exchange *x, const struct job *j);
/* {"success":false,"error",…} and what every refusal of this dialect has. */
bool job_refuse(struct exchange *x, const struct job *j, const char *name, const char *detail,
                const char *allowed);

/* ---- job_edit.c ---- */

enum job_set { JOB_STEP = 1, JOB_FROM = 2, JOB_TOTAL = 4, JOB_DONE = 8, JOB_RESUME = 16,
               JOB_NEW = 32, JOB_GONE = 64 };
struct job_edit { /* lives in the exchange until `then` */
    uint64_t task;
    uint32_t set, tries;
    struct slice step, from;
    uint32_t total, done;
    bool can_resume;
    void *state;  /* the caller's x->state, there again in `then` */
    /* code: OK, CONFLICT (JOB_NEW: there is one; else the task changed too often) … */
    void (*then)(struct exchange *x, struct job_edit *e, enum code code);
};
void job_edit(struct exchange *x, struct job_edit *e);
/* Puts job_data and state; `then` gets the ANSWER. */
void job_put(struct exchange *x, uint64_t task, uint32_t brand, struct slice data,
             struct slice state, exchange_then *then);

struct job_removal {
    uint64_t task;
    uint32_t brand, checkpoints; /* how many went */
    uint64_t bytes;
    bool keep_job;               /* only the checkpoints go */
    void *state;
    void (*then)(struct exchange *x, struct job_removal *r, enum code code);
    uint32_t left;               /* of the page under way */
    enum code code;
    struct job_edit edit;
};
void job_remove(struct exchange *x, struct job_removal *r);

extern const struct routes megahub_jobs, megahub_job_acts, megahub_job_care, megahub_states,
    megahub_checkpoints;
#endif
