#include "gateway/account.h"
#include "gateway/dialect/megahub/job.h"
#include "gateway/dialect/megahub/people.h"
#include "gateway/dialect/span.h"
#include "gateway/dialect/spell.h"
#include <stdlib.h>

enum { GATHER_WINDOW = 8 /* questions that are out at once */ };

struct who job_house(const struct exchange *x) {
    struct who who = account_house;
    who.brand = x->who.brand;
    return who;
}

static struct slice text_member(struct exchange *x, const json_t *fields, const char *name) {
    const json_t *text = json_object_get(fields, name);
    if (!json_is_string(text)) return (struct slice){0};
    return exchange_copy(x, slice_of(json_string_value(text), json_string_length(text)));
}

struct job_members job_members_read(struct exchange *x, struct slice extra) {
    json_t *fields = json_of(extra);
    struct job_members m = {
        .there = json_integer_value(json_object_get(fields, "job")) == 1,
        .can_resume = json_integer_value(json_object_get(fields, "job_resume")) == 1,
        .total = (uint32_t)json_integer_value(json_object_get(fields, "job_total")),
        .done = (uint32_t)json_integer_value(json_object_get(fields, "job_done")),
        .percent = (uint32_t)json_integer_value(json_object_get(fields, "job_percent")),
        .made_ms = json_integer_value(json_object_get(fields, "job_made_ms")),
        .changed_ms = json_integer_value(json_object_get(fields, "job_changed_ms")),
        .step = text_member(x, fields, "job_step"),
        .from = text_member(x, fields, "job_from"),
    };
    json_decref(fields);
    return m;
}

/* Everything that the task shows, copied: the answer is gone when the rest has arrived. */
struct job job_of_view(struct exchange *x, const struct view *v) {
    struct job j = {.version = v->head.version, .newest = v->head.checkpoint};
    megahub_task_read(x, v, &j.task);
    struct slice *texts[] = {&j.task.type, &j.task.queue, &j.task.description, &j.task.owner,
                             &j.task.context, &j.task.result, &j.task.error, &j.task.metrics,
                             &j.task.result_name, &j.task.result_mime, &j.task.source_name,
                             &j.task.source_mime};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i]->len > 0) *texts[i] = exchange_copy(x, *texts[i]);
    j.members = job_members_read(x, v->body.extra);
    return j;
}

/* ---- gathering ---- */

static struct job *job_numbered(struct jobs *jobs, uint64_t task) {
    for (uint32_t i = 0; i < jobs->count; i++)
        if (jobs->list[i].task.id == task) return &jobs->list[i];
    return NULL;
}

static void gather_on(struct exchange *x, struct jobs *jobs);

/* True when the answer is of use; one that is not ends the exchange, once. */
static bool arrived(struct exchange *x, const struct message *answer) {
    struct jobs *jobs = x->state;
    const enum code code = exchange_code(answer);
    jobs->answered++;
    if (jobs->over) return false;
    if (code == CODE_OK || code == CODE_NOT_FOUND || code == CODE_UNKNOWN_TASK)
        return code == CODE_OK;
    jobs->over = true;
    exchange_refuse(x, code, NULL);
    return false;
}

static void object_arrived(struct exchange *x, const struct message *answer) {
    struct jobs *jobs = x->state;
    struct object_row row;
    if (arrived(x, answer) && object_row_read(answer->answer.body, &row)) {
        const struct slice name = exchange_copy(x, row.name);
        struct job *j = job_numbered(jobs, strtoull((const char *)name.data, NULL, 10));
        if (j != NULL) {
            const struct slice body = exchange_copy(x, row.body);
            j->data = span_find(body, "job_data");
            j->state = span_find(body, "state");
            j->kept = true;
        }
    }
    gather_on(x, jobs);
}

static void point_arrived(struct exchange *x, const struct message *answer) {
    struct jobs *jobs = x->state;
    struct checkpoint_record c;
    uint32_t at = 0;
    if (arrived(x, answer) && checkpoint_row_next(answer->rows.rows, &at, &c)) {
        struct job *j = job_numbered(jobs, c.id);
        if (j != NULL) {
            c.name = exchange_copy(x, c.name);
            c.data = jobs->bodies ? exchange_copy(x, c.data) : (struct slice){0};
            j->last = c;
            j->points = (uint32_t)(answer->rows.total > 0 ? answer->rows.total : 1);
        }
    }
    gather_on(x, jobs);
}

static void people_arrived(struct exchange *x) {
    struct jobs *jobs = x->state;
    jobs->then(x, jobs);
}

static void people_ask(struct exchange *x, struct jobs *jobs) {
    struct person *list = exchange_alloc(x, (jobs->count + 1) * sizeof *list);
    for (uint32_t i = 0; i < jobs->count; i++)
        list[i] = (struct person){jobs->list[i].task.owner, jobs->list[i].task.brand};
    people_load(x, list, jobs->count, people_arrived);
}

static void object_ask(struct exchange *x, const struct job *j) {
    const struct who who = job_house(x);
    struct message m = {.verb = VERB_FETCH};
    m.object.kind = slice_text("job");
    m.object.name = slice_text(exchange_print(x, "%llu", (unsigned long long)j->task.id));
    m.object.brand = j->task.brand;
    exchange_try_as(x, &who, &m, object_arrived);
}

static void point_ask(struct exchange *x, const struct job *j) {
    const struct who who = job_house(x);
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){.kind = slice_text("checkpoints"), .id = j->task.id,
                                   .brand = j->task.brand, .priority = -1, .dialect = -1,
                                   .limit = 1, .descending = true, .count = true};
    exchange_try_as(x, &who, &m, point_arrived);
}

/* Two questions a job: its object, and its newest checkpoint when it may have one. */
static void gather_on(struct exchange *x, struct jobs *jobs) {
    while (!jobs->over && jobs->sent < 2 * jobs->count &&
           jobs->sent - jobs->answered < GATHER_WINDOW) {
        const struct job *j = &jobs->list[jobs->sent / 2];
        const bool point = jobs->sent % 2 == 1;
        jobs->sent++;
        if (!point) object_ask(x, j);
        else if (j->newest > 0) point_ask(x, j);
        else jobs->answered++;
    }
    if (!jobs->over && jobs->answered == 2 * jobs->count) {
        jobs->over = true;
        people_ask(x, jobs);
    }
}

void jobs_gather(struct exchange *x, struct jobs *jobs) {
    x->state = jobs;
    gather_on(x, jobs);
}

/* ---- one ---- */

bool job_not_found(struct exchange *x) {
    x->cause = CAUSE_NO_SUCH_PATH; /* else it would be a task that is not there */
    return exchange_refuse(x, CODE_NOT_FOUND, NULL);
}

static void task_arrived(struct exchange *x, const struct message *answer) {
    struct jobs *jobs = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) jobs->list[0] = job_of_view(x, &answer->view);
    if (code == CODE_UNKNOWN_TASK || (code == CODE_OK && !jobs->list[0].members.there))
        job_not_found(x);
    else if (code != CODE_OK)
        exchange_refuse(x, code, NULL);
    else
        jobs_gather(x, jobs);
}

bool job_load(struct exchange *x, void (*then)(struct exchange *x, struct jobs *jobs)) {
    uint64_t id;
    if (megahub_id_read(x, &id)) job_read_again(x, id, then);
    return false;
}

void job_read_again(struct exchange *x, uint64_t id,
                    void (*then)(struct exchange *x, struct jobs *jobs)) {
    struct jobs *jobs = exchange_alloc(x, sizeof *jobs);
    *jobs = (struct jobs){.list = exchange_alloc(x, sizeof *jobs->list), .count = 1,
                          .bodies = true, .then = then};
    x->state = jobs;
    const struct who who = job_house(x);
    const struct message m = {.verb = VERB_GET,
                              .ref = {.id = id, .want = WANT_BODY | WANT_RESULT}};
    exchange_try_as(x, &who, &m, task_arrived);
}

uint64_t job_number_member(struct exchange *x, const char *member, bool required) {
    const json_t *value = member_find(x->json, member);
    uint64_t number = 0;
    if (json_is_integer(value)) number = (uint64_t)json_integer_value(value);
    if (json_is_string(value)) {
        const struct slice text = slice_of(json_string_value(value), json_string_length(value));
        char *end = NULL;
        if (!spell_task_read(x, text, &number))
            number = text.len > 0 ? strtoull(json_string_value(value), &end, 10) : 0;
        if (end != NULL && *end != '\0') number = 0;
    }
    if (number > ID_NUMBER_MAX) number = 0;
    if (number == 0 && (value == NULL || json_is_null(value))) {
        if (required) field_wrong(&x->errors, member, FIELD_MISSING, 0);
    } else if (number == 0) {
        field_wrong(&x->errors, member, FIELD_NOT_INTEGER, 0);
    }
    return number;
}

uint32_t job_retries_max(struct exchange *x, const struct job *j) {
    const struct slice text = exchange_copy(x, span_find(j->state, "max_retries"));
    return text.len > 0 ? (uint32_t)strtoul((const char *)text.data, NULL, 10) : JOB_RETRIES_MAX;
}

/* ---- a page ---- */

struct listing { struct jobs jobs; struct message answer; void *page; job_row *row; };

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct listing *l = page_kept(x);
    (void)rows;
    (void)at;
    l->row(x, &l->jobs.list[l->jobs.at++]);
}

static void listed(struct exchange *x, struct jobs *jobs) {
    struct listing *l = (struct listing *)(void *)jobs;
    x->state = l->page;
    page_keep(x, l);
    page_write(x, &l->answer, row_write);
}

void job_page_write(struct exchange *x, const struct message *answer, job_row *write) {
    struct listing *l = exchange_alloc(x, sizeof *l);
    struct frame frame = {0};
    struct message row;
    uint32_t at = 0;
    l->answer = *answer;
    l->answer.rows.next = exchange_copy(x, answer->rows.next);
    l->answer.rows.rows = (struct slice){0};
    l->page = x->state;
    l->row = write;
    l->jobs.then = listed;
    l->jobs.list = exchange_alloc(x, (answer->rows.row_count + 1) * sizeof *l->jobs.list);
    while (l->jobs.count < answer->rows.row_count && row_next(&frame, answer->rows.rows, &at, &row))
        l->jobs.list[l->jobs.count++] = job_of_view(x, &row.view);
    frame_free(&frame);
    l->answer.rows.row_count = l->jobs.count;
    jobs_gather(x, &l->jobs);
}

/* ---- writing ---- */

int64_t job_remaining_ms(const struct exchange *x, const struct job *j) {
    const struct job_members *m = &j->members;
    if (m->done >= m->total) return 0;
    if (m->done == 0 || j->task.started_ms == 0 || x->wall_ms <= j->task.started_ms) return -1;
    return (x->wall_ms - j->task.started_ms) / m->done * (m->total - m->done);
}

/* {"id","base_task_id"} of the job that a checkpoint or state belongs to. */
static void reference_write(struct exchange *x, uint64_t task) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, task);
    out_key(o, "base_task_id");
    out_unsigned(o, task);
    out_object_end(o);
}

void job_checkpoint_write(struct exchange *x, const struct checkpoint_record *c, bool data) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, c->number);
    out_key(o, "persistent_job");
    reference_write(x, c->id);
    out_key(o, "step_name");
    out_text(o, c->name);
    if (data) {
        out_key(o, "checkpoint_data");
        out_value(o, c->data);
    }
    out_key(o, "is_recovery_point");
    out_bool(o, !(c->flags & CHECKPOINT_PASSED));
    out_key(o, "data_size_bytes");
    out_unsigned(o, c->size);
    out_key(o, "compressed");
    out_bool(o, (c->flags & CHECKPOINT_PACKED) != 0);
    out_key(o, "created_at");
    out_time(o, c->time_ms);
    out_object_end(o);
}

static void raw_or(struct out *o, const char *key, struct slice json, const char *otherwise) {
    out_key(o, key);
    out_raw(o, json.len > 0 ? json : slice_text(otherwise));
}

void job_state_write(struct exchange *x, const struct job *j) {
    struct out *o = &x->out;
    const struct slice said = span_find(j->state, "last_error_message");
    const uint32_t most = job_retries_max(x, j);
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, j->task.id);
    out_key(o, "persistent_job");
    reference_write(x, j->task.id);
    raw_or(o, "pages_status", span_find(j->state, "pages_status"), "{}");
    raw_or(o, "error_details", span_find(j->state, "error_details"), "[]");
    raw_or(o, "error_log", span_find(j->state, "error_log"), "[]");
    raw_or(o, "warnings", span_find(j->state, "warnings"), "[]");
    out_key(o, "retry_count");
    out_unsigned(o, j->task.retry_count);
    out_key(o, "max_retries");
    out_unsigned(o, most);
    out_key(o, "last_error_message");
    if (said.len > 0) out_raw(o, said);
    else if (j->task.error.len > 0) out_text(o, j->task.error);
    else out_null(o);
    out_key(o, "can_retry");
    out_bool(o, j->members.can_resume && j->task.retry_count < most);
    raw_or(o, "state_data", span_find(j->state, "state_data"), "{}");
    out_key(o, "updated_at");
    out_time(o, j->members.changed_ms);
    out_object_end(o);
}

static void outlook_write(struct exchange *x, const struct job *j) {
    struct out *o = &x->out;
    const int64_t left_ms = status_ended((enum status)j->task.status) ? -1
                                                                      : job_remaining_ms(x, j);
    out_key(o, "estimated_completion");
    out_time(o, left_ms > 0 ? x->wall_ms + left_ms : 0);
    out_key(o, "estimated_remaining_minutes");
    if (left_ms >= 0) out_integer(o, (left_ms + 59999) / 60000);
    else out_null(o);
}

/* The members, without the braces around them. */
void job_write(struct exchange *x, const struct job *j) {
    struct out *o = &x->out;
    const struct job_members *m = &j->members;
    out_key(o, "id");
    out_unsigned(o, j->task.id);
    out_key(o, "base_task");
    out_object(o);
    megahub_task_write(x, &j->task);
    out_object_end(o);
    raw_or(o, "job_data", j->data, "{}");
    out_key(o, "current_step");
    out_text(o, m->step);
    out_key(o, "total_steps");
    out_unsigned(o, m->total);
    out_key(o, "completed_steps");
    out_unsigned(o, m->done);
    out_key(o, "resume_from_step");
    if (m->from.len > 0) out_text(o, m->from);
    else if (j->last.number != 0) out_text(o, j->last.name);
    else out_null(o);
    out_key(o, "progress_percentage");
    out_unsigned(o, m->percent);
    out_key(o, "can_resume");
    out_bool(o, m->can_resume);
    out_key(o, "last_checkpoint_at");
    out_time(o, j->last.time_ms);
    out_key(o, "latest_checkpoint");
    if (j->last.number != 0) job_checkpoint_write(x, &j->last, j->last.data.len > 0);
    else out_null(o);
    out_key(o, "checkpoints_count");
    out_unsigned(o, j->points);
    outlook_write(x, j);
    out_key(o, "job_state");
    job_state_write(x, j);
    out_key(o, "created_at");
    out_time(o, m->made_ms);
    out_key(o, "updated_at");
    out_time(o, m->changed_ms);
}

bool job_refuse(struct exchange *x, const struct job *j, const char *name, const char *detail,
                const char *allowed) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "success");
    out_bool(o, false);
    out_key(o, "error");
    out_string(o, detail);
    megahub_stand_write(o, name, detail, j->task.status, allowed);
    out_object_end(o);
    exchange_answer(x, 400);
    return false;
}
