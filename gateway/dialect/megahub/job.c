/* job.c - jobs are made, listed, read, changed and deleted; see job.h. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/job.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/span.h"
#include <stdlib.h>

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN };

static const char taken[] = "persistent job with this base_task already exists.";
static const char no_task[] = "Invalid pk: object does not exist.";

/* What POST, PUT and PATCH say. */
struct said {
    struct job_edit edit;
    struct slice data;     /* absent: no data pointer */
    struct slice state;
    struct megahub_task task; /* POST with task_type */
    bool creates;
};

/* ---- list ---- */

static const struct page_choice statuses[] = {
    {"pending", "1,2"}, {"queued", "2"}, {"running", "3,4"}, {"processing", "3,4"},
    {"paused", "5"}, {"completed", "6"}, {"failed", "7"}, {"cancelled", "8"}, {NULL, NULL}};
static const struct page_choice points[] = {{"true", "1"}, {"false", "0"}, {NULL, NULL}};

static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("base_task", "id", NUMBER),
    PAGE_FIELD("can_resume", "extra.job_resume", BOOL),
    PAGE_FIELD("status", "status", CHOICE, .choices = statuses),
    PAGE_FIELD("priority", "priority", CHOICE, .choices = page_priorities),
    PAGE_FIELD("task_type", "type", TEXT),
    PAGE_FIELD("created_by", "owner", TEXT),
    PAGE_FIELD("current_step", "extra.job_step", TEXT),
    PAGE_FIELD("progress", "extra.job_percent", NUMBER),
    PAGE_FIELD("progress_percentage", "extra.job_percent", NUMBER),
    PAGE_FIELD("progress_gte", "extra.job_percent", NUMBER, .op = "gte"),
    PAGE_FIELD("progress_lte", "extra.job_percent", NUMBER, .op = "lte"),
    PAGE_FIELD("total_steps", "extra.job_total", NUMBER),
    PAGE_FIELD("completed_steps", "extra.job_done", NUMBER),
    PAGE_FIELD("has_checkpoints", "has_checkpoint", CHOICE, .choices = points),
    PAGE_TIMES("created", "extra.job_made_ms"),
    PAGE_TIMES("updated", "extra.job_changed_ms"),
};
static const struct page_list list = {.fields = fields,
                                      .field_count = sizeof fields / sizeof *fields,
                                      .search = "type,extra.description,extra.job_step",
                                      .task_ids = true,
                                      .fixed_field = "extra.job", .fixed_value = "1"};

static bool job_list_read(struct exchange *x, struct message *m) {
    m->question = (struct question){.kind = slice_text("tasks"), .brand = x->who.brand,
                                    .priority = -1, .dialect = -1,
                                    .want = WANT_BODY | WANT_RESULT};
    return page_read(x, &list, &m->question);
}

static void object_out(struct exchange *x, const struct job *j) {
    out_object(&x->out);
    job_write(x, j);
    out_object_end(&x->out);
}

static void job_list_write(struct exchange *x, const struct message *answer) {
    job_page_write(x, answer, object_out);
}

/* ---- one ---- */

static void detail_write(struct exchange *x, struct jobs *jobs) {
    out_object(&x->out);
    job_write(x, &jobs->list[0]);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static bool job_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return job_load(x, detail_write);
}

/* ---- what is said ---- */

static struct slice data_read(struct exchange *x, bool required) {
    const uint32_t flags = required ? REQUIRED : NULLABLE;
    if (member_object(x->json, "job_data", flags, &x->errors) == NULL) return (struct slice){0};
    const struct slice data = span_member(x, "job_data", "jobData");
    if (data.len > JOB_DATA_MAX)
        field_wrong(&x->errors, "job_data", FIELD_TOO_LONG, JOB_DATA_MAX);
    return data;
}

/* True when the body names it. */
static bool named(const struct exchange *x, const char *name) {
    return member_find(x->json, name) != NULL;
}

static void members_read(struct exchange *x, struct said *s, bool whole) {
    struct job_edit *e = &s->edit;
    struct field_errors *errors = &x->errors;
    e->step = member_text(x->json, "current_step", NULLABLE, JOB_STEP_MAX, errors);
    if (e->step.len == 0) e->step = slice_text("init");
    e->total = (uint32_t)member_integer(x->json, "total_steps", 0, 1, 1, JOB_STEPS_MAX, errors);
    e->done = (uint32_t)member_integer(x->json, "completed_steps", 0, 0, 0, JOB_STEPS_MAX, errors);
    e->can_resume = member_bool(x->json, "can_resume", 0, true, errors);
    e->from = member_text(x->json, "resume_from_step", NULLABLE | BLANK_OK, JOB_STEP_MAX, errors);
    if (whole || named(x, "current_step")) e->set |= JOB_STEP;
    if (whole || named(x, "total_steps")) e->set |= JOB_TOTAL;
    if (whole || named(x, "completed_steps")) e->set |= JOB_DONE;
    if (whole || named(x, "can_resume")) e->set |= JOB_RESUME;
    if (named(x, "resume_from_step")) e->set |= JOB_FROM;
    if (e->set & JOB_TOTAL && e->set & JOB_DONE && e->done > e->total)
        field_wrong(errors, "completed_steps", FIELD_TOO_LARGE, e->total);
}

static bool object_sent(struct exchange *x) {
    if (json_is_object(x->json)) return true;
    return exchange_refuse(x, CODE_VALIDATION_ERROR, "A JSON object is required.");
}

/* ---- POST ---- */

static void made(struct exchange *x, struct jobs *jobs) {
    exchange_set(x, "Location", exchange_print(x, "/tasks/persistent-jobs/persistent-jobs/%llu/",
                                               (unsigned long long)jobs->list[0].task.id));
    detail_write(x, jobs);
}

static void made_look(struct exchange *x, const struct message *answer) {
    const struct said *s = x->state;
    if (exchange_code(answer) != CODE_OK) {
        exchange_refuse(x, exchange_code(answer), NULL);
        return;
    }
    job_read_again(x, s->edit.task, s->creates ? made : detail_write);
}

static void object_write(struct exchange *x) {
    const struct said *s = x->state;
    job_put(x, s->edit.task, x->who.brand, s->data, s->state, made_look);
}

static void members_made(struct exchange *x, struct job_edit *e, enum code code) {
    (void)e;
    if (code == CODE_CONFLICT) field_refuse(&x->errors, "base_task", taken);
    if (code == CODE_UNKNOWN_TASK) field_refuse(&x->errors, "base_task", no_task);
    if (!megahub_fields_good(x)) return;
    if (code != CODE_OK) exchange_refuse(x, code, NULL);
    else object_write(x);
}

static void submitted(struct exchange *x, const struct message *answer) {
    struct said *s = x->state;
    if (exchange_code(answer) != CODE_OK) {
        exchange_refuse(x, exchange_code(answer), NULL);
        return;
    }
    s->edit.task = answer->submitted.id;
    object_write(x);
}

static struct slice extra_make(struct exchange *x, const struct said *s) {
    const struct job_edit *e = &s->edit;
    struct out o = {0};
    const struct { const char *name; int64_t value; } numbers[] = {
        {"created_ms", x->wall_ms}, {"job", 1}, {"job_total", e->total}, {"job_done", e->done},
        {"job_percent", e->done >= e->total ? 100 : 100 * (int64_t)e->done / e->total},
        {"job_resume", e->can_resume}, {"job_made_ms", x->wall_ms}, {"job_changed_ms", x->wall_ms}};
    out_object(&o);
    out_key(&o, "description");
    out_text(&o, s->task.description);
    out_key(&o, "job_step");
    out_text(&o, e->step);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        out_key(&o, numbers[i].name);
        out_integer(&o, numbers[i].value);
    }
    out_object_end(&o);
    const struct slice extra = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return extra;
}

/* A task that is made for the job: without context_data its input is the job's data. */
static void task_submit(struct exchange *x, struct said *s) {
    struct message m = {.verb = VERB_SUBMIT};
    struct options *o = &m.submit.options;
    m.submit.queue = s->task.queue;
    m.submit.type = s->task.type;
    m.submit.payload = s->task.context.len > 0 ? s->task.context : s->data;
    o->set = SET_PRIORITY | SET_RETRIES | SET_TIMEOUT | SET_KEEP | SET_EXTRA;
    o->dialect = MEGAHUB_NUMBER;
    o->priority = s->task.priority;
    o->retries = s->task.max_retries;
    o->timeout_ms = s->task.timeout_ms;
    o->keep_ms = setting_keep_ms(x);
    o->extra = extra_make(x, s);
    exchange_try(x, &m, submitted);
}

static void task_read(struct exchange *x, struct said *s) {
    struct field_errors *e = &x->errors;
    const int priority = member_choice(x->json, "priority", 0, megahub_priorities, e);
    s->task.type = member_text(x->json, "task_type", 0, TASK_NAME_MAX, e);
    s->task.priority = priority < 0 ? PRIORITY_NORMAL : (uint8_t)priority;
    s->task.queue = member_text(x->json, "queue_name", NULLABLE, TASK_NAME_MAX, e);
    if (s->task.queue.len == 0) s->task.queue = megahub_queue(s->task.priority);
    s->task.description =
        member_text(x->json, "description", NULLABLE | BLANK_OK, TASK_DESCRIPTION_MAX, e);
    s->task.max_retries = (uint16_t)member_integer(x->json, "max_retries", 0, TASK_RETRIES, 0,
                                                   TASK_RETRIES_MAX, e);
    s->task.timeout_ms = 60000 * (uint32_t)member_integer(x->json, "timeout_minutes", 0,
                                                          TASK_TIMEOUT_MINUTES, 1,
                                                          TASK_TIMEOUT_MINUTES_MAX, e);
    if (member_object(x->json, "context_data", NULLABLE, e) != NULL)
        s->task.context = span_member(x, "context_data", "contextData");
}

static bool job_create_read(struct exchange *x, struct message *m) {
    struct said *s = exchange_alloc(x, sizeof *s);
    (void)m;
    if (!object_sent(x)) return false;
    const bool makes_task = !named(x, "base_task") && named(x, "task_type");
    s->creates = true;
    s->edit.task = makes_task ? 0 : job_number_member(x, "base_task", true);
    if (makes_task) task_read(x, s);
    s->data = data_read(x, true);
    members_read(x, s, true);
    if (!megahub_fields_good(x)) return false;
    if (x->who.brand == 0) { /* an admin's "all" */
        x->cause = CAUSE_BRAND_MALFORMED;
        return exchange_refuse(x, CODE_VALIDATION_ERROR, "X-Brand-ID must name one brand.");
    }
    x->state = s;
    if (makes_task) {
        task_submit(x, s);
        return false;
    }
    s->edit.set |= JOB_NEW;
    s->edit.then = members_made;
    job_edit(x, &s->edit);
    return false;
}

/* ---- PUT, PATCH ---- */

static void members_changed(struct exchange *x, struct job_edit *e, enum code code) {
    const struct said *s = x->state;
    if (code == CODE_UNKNOWN_TASK) job_not_found(x);
    else if (code != CODE_OK) exchange_refuse(x, code, NULL);
    else if (s->data.data != NULL) object_write(x);
    else job_read_again(x, e->task, detail_write);
}

static void found(struct exchange *x, struct jobs *jobs) {
    const struct job *j = &jobs->list[0];
    struct said *s = exchange_alloc(x, sizeof *s);
    const bool whole = x->method == METHOD_PUT;
    s->data = data_read(x, whole);
    s->state = j->state;
    members_read(x, s, false);
    const uint32_t total = s->edit.set & JOB_TOTAL ? s->edit.total : j->members.total;
    const uint32_t done = s->edit.set & JOB_DONE ? s->edit.done : j->members.done;
    if (done > total && x->errors.count == 0)
        field_wrong(&x->errors, "completed_steps", FIELD_TOO_LARGE, total);
    if (!megahub_fields_good(x)) return;
    x->state = s;
    s->edit.task = j->task.id;
    s->edit.then = members_changed;
    job_edit(x, &s->edit);
}

static bool job_change_read(struct exchange *x, struct message *m) {
    (void)m;
    return object_sent(x) && job_load(x, found);
}

/* ---- DELETE ---- */

static void removed(struct exchange *x, struct job_removal *r, enum code code) {
    (void)r;
    if (code == CODE_OK) exchange_answer(x, x->route->status);
    else if (code == CODE_UNKNOWN_TASK) job_not_found(x);
    else exchange_refuse(x, code, NULL);
}

static void remove_found(struct exchange *x, struct jobs *jobs) {
    const struct job *j = &jobs->list[0];
    struct job_removal *r = exchange_alloc(x, sizeof *r);
    if (j->task.status == STATUS_DELIVERED || j->task.status == STATUS_RUNNING) {
        job_refuse(x, j, "INVALID_JOB_STATE", "A running job cannot be deleted: cancel it first.",
                   "pending,paused,completed,failed,cancelled");
        return;
    }
    *r = (struct job_removal){.task = j->task.id, .brand = j->task.brand, .then = removed};
    job_remove(x, r);
}

static bool job_delete_read(struct exchange *x, struct message *m) {
    (void)m;
    return job_load(x, remove_found);
}

#define JOB_ROUTES(BASE) \
    ROUTE(GET, NONE, BASE, MEMBER_GUARD, 200, job_list_read, "lists persistent jobs", \
          .verb = VERB_ASK, .write = job_list_write), \
    ROUTE(POST, JSON, BASE, MEMBER_GUARD, 201, job_create_read, "makes a task a persistent job"), \
    ROUTE(GET, NONE, BASE "/{id}", MEMBER_GUARD, 200, job_detail_read, "reads a persistent job"), \
    ROUTE(PUT, JSON, BASE "/{id}", MEMBER_GUARD, 200, job_change_read, \
          "changes a persistent job"), \
    ROUTE(PATCH, JSON, BASE "/{id}", MEMBER_GUARD, 200, job_change_read, \
          "changes a persistent job"), \
    ROUTE(DELETE, NONE, BASE "/{id}", MEMBER_GUARD, 204, job_delete_read, \
          "deletes a persistent job and its checkpoints")

static const struct route routes[] = {
    JOB_ROUTES("/tasks/persistent-jobs/persistent-jobs"),
    JOB_ROUTES("/tasks/persistent-jobs"),
};
const struct routes megahub_jobs = {routes, sizeof routes / sizeof *routes};
