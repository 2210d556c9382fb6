/* megahub.h - dialect 002, tasks of brands (base /tasks/): what its files share.
 *
 * megahub.c  the table, the error shape and the words
 * task.c     create and read a task
 * view.c     the Task JSON
 * task_list.c, task_change.c  the list; what an owner does with a task
 * page.c     lists as Django REST framework gives them
 * work.c     the worker side
 * artifact.c  the bytes of its result and of its source
 * account.c, brand.c  /auth/ and /brands/
 * schedule.h  /tasks/scheduled/
 *
 * The broker's payload of a task is its context_data, byte for byte as it was sent. What only
 * this dialect knows of a task travels in `extra`, a JSON object: "description", "scheduled_ms"
 * and "created_ms" (the gateway's time, so that the answer to POST and every later read say the
 * same; a POST with an idempotency key reads the broker's time back instead). What is said here of
 * a task that came by another dialect stands beside what that one keeps there. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_MEGAHUB_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_MEGAHUB_H
#include "gateway/dialect/number.h"
#include "gateway/exchange.h"
#include "gateway/route.h"

enum {
    TASK_TIMEOUT_MINUTES = 60,  /* of a task that names none */
    TASK_TIMEOUT_MINUTES_MAX = 43200,
    TASK_RETRIES = 3,
    TASK_RETRIES_MAX = 1000,
    TASK_NAME_MAX = 128,        /* bytes of a type or queue name */
    TASK_DESCRIPTION_MAX = 4096, /* bytes */
    TASK_MESSAGE_MAX = 4096
};

/* A task as this dialect shows it; slices are borrowed from the answer or the exchange. */
struct megahub_task {
    uint64_t id;
    struct slice type, queue, description, owner;
    struct slice context;         /* empty shows {} */
    bool context_checked;         /* it is known to be a JSON object */
    struct slice result, error, metrics;
    struct slice periodic, cron_job; /* JSON of what submitted it; empty = a client */
    bool result_filed, sourced, grows; /* the result is a file; it was made of one, which grows */
    uint64_t result_size, source_size;
    struct slice result_name, result_mime, source_name, source_mime;
    int64_t created_ms, updated_ms, started_ms, completed_ms, due_ms;
    int64_t queued_ms;            /* when the broker had it: its wait counts from here */
    const char *webhook; /* of a task that is being made: who hears of its end; NULL = nobody */
    uint32_t brand, timeout_ms;
    uint16_t retry_count, max_retries;
    uint8_t status, priority, progress, dialect;
    bool job, job_can_resume;     /* it has a persistent job (job.h) */
    uint8_t job_percent;
};

/* ---- view.c ---- */

extern const char *const megahub_priorities[]; /* by enum priority, NULL-ended */
const char *megahub_status(uint8_t status);
/* What is said here of a task, also of one that came by another dialect: its own members in the
 * extra have other names. NULL when the extra is bytes of a native client. Owned by the caller. */
json_t *megahub_extra(struct slice extra);
/* Reads a VIEW; the task borrows from it, and from x for what had to be decoded. */
void megahub_task_read(struct exchange *x, const struct view *v, struct megahub_task *ret_task);
/* The queue of a task that names none. */
struct slice megahub_queue(uint8_t priority);
/* Writes the members of a Task, without the braces around them. */
void megahub_task_write(struct exchange *x, const struct megahub_task *t);
/* Reads {id}, an integer or task_ text; else refuses as not found and returns false. */
bool megahub_id_read(struct exchange *x, uint64_t *ret_id);

/* ---- megahub.c ---- */

/* True when Accept-Language prefers French or says nothing. */
bool megahub_french(const struct exchange *x);
/* False, with the exchange ended, when a field was found wrong. */
bool megahub_fields_good(struct exchange *x);
/* A query key that names one of the caller's brands, as X-Brand-ID does. False = ended. */
bool megahub_brand_read(struct exchange *x, const char *key);
/* The sentence of SCHEDULE_IN_PAST in the client's language; by it the error code is known. */
const char *megahub_past_text(const struct exchange *x);
void megahub_fail(struct exchange *x, enum code code, const char *text);
/* Ends the exchange with 400, an error_code that is not the code's own, and the fields that were
 * found wrong. Always false. `name` and `detail` are borrowed until then. */
bool megahub_refuse(struct exchange *x, const char *name, const char *detail);
/* Members of a refusal for what a task is doing: the status it has, and those (comma between) that
 * it would have to have. */
void megahub_stand_write(struct out *o, const char *name, const char *detail, uint8_t status,
                         const char *allowed);

/* ---- routes ---- */

bool task_create_read(struct exchange *x, struct message *m);
void task_create_write(struct exchange *x, const struct message *answer);
bool task_detail_read(struct exchange *x, struct message *m);
void task_detail_write(struct exchange *x, const struct message *answer);
bool task_list_read(struct exchange *x, struct message *m);
void task_list_write(struct exchange *x, const struct message *answer);
bool task_change_read(struct exchange *x, struct message *m);
void task_change_write(struct exchange *x, const struct message *answer);
bool task_delete_read(struct exchange *x, struct message *m);
void task_delete_write(struct exchange *x, const struct message *answer);
bool task_cancel_read(struct exchange *x, struct message *m);
void task_cancel_write(struct exchange *x, const struct message *answer);
bool task_retry_read(struct exchange *x, struct message *m);
void task_retry_write(struct exchange *x, const struct message *answer);
bool task_claim_read(struct exchange *x, struct message *m);
void task_claim_write(struct exchange *x, const struct message *answer);
bool task_heartbeat_read(struct exchange *x, struct message *m);
bool task_progress_read(struct exchange *x, struct message *m);
void task_progress_write(struct exchange *x, const struct message *answer);
bool task_complete_read(struct exchange *x, struct message *m);
bool task_fail_read(struct exchange *x, struct message *m);
void task_settled_write(struct exchange *x, const struct message *answer);

extern const struct routes megahub_webhooks, megahub_artifact;
/* Why this URL is never called by a webhook; NULL = it may be. */
const char *megahub_url_wrong(struct exchange *x, const char *url);
extern const struct routes megahub_cron, megahub_periodic, megahub_survey, megahub_cronjob,
    megahub_calendar;
extern const struct dialect megahub;
#endif
