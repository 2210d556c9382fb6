/* schedule.h - what is planned in dialect 002 (base /tasks/scheduled/): what its files share.
 *
 * schedule_flow.c    the way to the broker: one is read, changed, made; all are walked over
 * schedule_field.c   fields that they have in common, in and out
 * periodic.c         periodic tasks, and what is done with one
 * schedule_survey.c  all periodic tasks: which are ready, counters, durations, suggestions
 * cronjob.c          cron jobs
 * calendar.c         calendars
 * schedule_event.c   what a calendar has, and when it comes
 *
 * Periodic tasks and cron jobs are schedules of the broker, told apart by their kind; their number
 * is the public id. What only this dialect knows stands in the schedule's body, a JSON object. The
 * payload of the runs is made anew at each change: the members that say what caused the run, then
 * the configuration, then the base task's context; of two with the same name the first counts.
 *
 * A change is made to the version that was read; one that comes too late reads again, up to
 * TRIES_MAX times (a schedule also changes when it runs). */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_SCHEDULE_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_SCHEDULE_H
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/page.h"
#include "proto/base/cron.h"

enum { SCHEDULE_PERIODIC = 1, SCHEDULE_CRONJOB = 2 }; /* schedule_record.kind */
enum { TRIES_MAX = 8, EXPRESSION_MAX = 255, ZONE_NAME_MAX = 64, WALK_PAGES_MAX = 1000 };

/* ---- schedule_flow.c ---- */

typedef void plan_found(struct exchange *x, const struct schedule_record *r);
struct plan { /* x->state of an exchange about one schedule */
    uint64_t id;
    uint8_t kind;
    uint32_t tries, sent_version;
    plan_found *read, *done;
    void (*taken)(struct exchange *x); /* CREATE under a name that is taken; NULL: a field error */
    void *own; /* the caller's */
};

/* Reads the schedule that {id} names: `then` gets it, again after each change that came too late;
 * one of another kind or brand is not found. Always false. */
bool plan_open(struct exchange *x, uint8_t kind, plan_found *then);
/* A number for one that is to be made: `then` gets a record that has nothing but its id. */
void plan_reserve(struct exchange *x, uint8_t kind, void *own, plan_found *then);
/* DELETE: ends the schedule that {id} names. Always false. */
bool plan_remove(struct exchange *x, uint8_t kind);
/* Sends CREATE, CHANGE, RUN or REMOVE for the schedule under way; its id, kind and brand are filled
 * in. A name that is taken is a field error. */
void plan_send(struct exchange *x, struct schedule_ref *ref, plan_found *done);
/* The brand's schedules, page by page. */
bool plan_list(struct exchange *x, struct message *m, const struct page_list *list);
/* 201 says where the new one is: below /tasks/scheduled/ and its kind's path. */
void schedule_locate(struct exchange *x, const char *path, uint64_t id);
/* Ends the exchange: the name is another's. */
void schedule_name_taken(struct exchange *x);
/* False, with the exchange ended, when the caller acts for no brand or for all. */
bool schedule_brand_good(struct exchange *x);
/* A decimal number below 2^53, and nothing else. */
bool schedule_number(struct slice text, uint64_t *ret);

/* A POST that is repeated under its Idempotency-Key: a hash of the key, NULL = none was sent, and
 * of the body, both as hexadecimal text. */
const char *once_key(struct exchange *x);
const char *once_body(struct exchange *x);
/* False, with the exchange ended, when the key is none. */
bool once_good(struct exchange *x);

struct schedule_walk { /* over all schedules of one kind in the brand */
    uint8_t kind;
    struct slice filter; /* predicates encoded one after the other; may be empty */
    uint32_t filter_count;
    void (*row)(struct exchange *x, void *own, const struct schedule_record *r);
    void (*end)(struct exchange *x, void *own);
    void *own;
};
/* Gives each to `row`, then calls `end`. Slices of the record live during the call. */
void schedule_walk(struct exchange *x, const struct schedule_walk *walk);
/* Appends a predicate [field, op, value]. */
void schedule_predicate(struct buffer *b, const char *field, const char *op, const char *value);

/* ---- schedule_field.c ---- */

/* What holds of a new one that does not say it. */
struct schedule_record schedule_fresh(void);
/* SET_ bits of what two records have in common, as far as it decides about the next run: that is
 * reckoned anew, from now on, when one of them is sent. */
uint32_t schedule_same(const struct schedule_record *a, const struct schedule_record *b);
/* Reads a member into *text; one that is absent leaves it. What is wrong is a field error; *wrong
 * then has the error_code that goes before VALIDATION_ERROR. */
void field_expression(struct exchange *x, const char *name, uint32_t flags, struct slice *text,
                      const char **wrong);
void field_zone(struct exchange *x, const char *name, struct slice *text, const char **wrong);
/* start_date, end_date, is_active, max_executions; absent ones leave what the record has. */
void field_span(struct exchange *x, struct schedule_record *r, const char **wrong);
/* task_type, priority, queue_name, max_retries, timeout_minutes: the runs' template. */
void field_template(struct exchange *x, struct schedule_record *r, bool required);
/* False, with the exchange ended, when anything was found wrong. */
bool fields_good(struct exchange *x, const char *wrong);

/* The object under a name of a body that was written here; a new one when it has none. Owned. */
json_t *body_part(const struct schedule_record *r, const char *name);
/* The member of the request, or else what the body had under that name; NULL when it is neither
 * there nor here. Owned. */
json_t *field_object(struct exchange *x, const char *name, const struct schedule_record *before);
/* Puts all members of `more` that are not there into `object`. */
void object_join(json_t *object, const json_t *more);
/* A short hash as hexadecimal text. */
const char *hash_hex(struct exchange *x, const void *data, size_t len);
/* Compact JSON in the exchange's memory; takes the value. */
struct slice json_keep(struct exchange *x, json_t *value);
/* What a task's dialect knows of it: its description, and under `key` what submitted it; takes
 * `cause`. */
struct slice extra_keep(struct exchange *x, struct slice description, const char *key,
                        json_t *cause);
/* The time that each run gets in place of this text, and where it stands in a payload. */
extern const char schedule_stamp[];
uint32_t stamp_find(struct slice payload);

/* Up to `count` runs from next_ms on: a list of times. */
void runs_write(struct exchange *x, const struct schedule_record *r, uint32_t count);
/* {"id","name"} of its brand, who made it, when it was made and changed. */
void origin_write(struct exchange *x, const struct schedule_record *r);
/* "message","id","task_id": a run that was submitted. */
void run_write(struct exchange *x, const char *message, uint64_t task);
#endif
