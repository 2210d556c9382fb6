/* periodic.c - periodic tasks, and what is done with one.
 *
 * A periodic task names its runs by task_type, or by base_task: an existing task of the brand,
 * whose template (type, queue, priority, description, context, retries, timeout) is copied. */
#include "gateway/dialect/megahub/schedule.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/span.h"
#include "gateway/dialect/spell.h"
#include "proto/schedule.h"
#include <string.h>

/* ---- the Periodic Task JSON ---- */

static void number_or_null(struct out *o, const char *key, uint64_t number) {
    out_key(o, key);
    if (number != 0) out_unsigned(o, number);
    else out_null(o);
}

static void body_write(struct exchange *x, const struct schedule_record *r, const char *name,
                       const char *fallback) {
    const struct slice part = span_find(r->body, name); /* written here: no escapes in keys */
    out_key(&x->out, name);
    out_raw(&x->out, part.len > 0 ? part : slice_text(fallback));
}

/* What its runs are made after: an existing task, or a type alone. */
static void base_write(struct exchange *x, const struct schedule_record *r) {
    struct out *o = &x->out;
    char text[TASK_TEXT_SIZE];
    uint64_t base = 0;
    if (schedule_number(span_find(r->body, "base_task"), &base)) spell_task(x, base, text);
    out_key(o, "base_task");
    out_object(o);
    number_or_null(o, "id", base);
    out_key(o, "task_id");
    out_string(o, base != 0 ? text : NULL);
    out_key(o, "task_type");
    out_text(o, r->type);
    out_key(o, "priority");
    out_string(o, megahub_priorities[r->priority]);
    out_key(o, "queue_name");
    out_text(o, r->queue);
    out_object_end(o);
}

static void times_write(struct exchange *x, const struct schedule_record *r) {
    struct out *o = &x->out;
    const struct { const char *key; int64_t ms; } times[] = {
        {"start_date", r->start_ms}, {"end_date", r->end_ms}, {"next_run_at", r->next_ms},
        {"last_run_at", r->run_ms}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        out_key(o, times[i].key);
        out_time(o, times[i].ms);
    }
    out_key(o, "last_run_status");
    out_string(o, r->last_task != 0 ? megahub_status(r->last_status) : NULL);
    number_or_null(o, "last_task", r->last_task);
}

static void periodic_write(struct exchange *x, const struct schedule_record *r) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, r->id);
    base_write(x, r);
    out_key(o, "task_type");
    out_text(o, r->type);
    body_write(x, r, "description", "\"\"");
    out_key(o, "cron_expression");
    out_text(o, r->expression);
    out_key(o, "timezone");
    out_text(o, r->zone.len > 0 ? r->zone : slice_text("UTC"));
    times_write(x, r);
    out_key(o, "is_active");
    out_bool(o, r->active);
    number_or_null(o, "max_executions", r->executions_max);
    out_key(o, "executions_count");
    out_unsigned(o, r->executions);
    out_key(o, "manual_executions_count");
    out_unsigned(o, r->manual);
    body_write(x, r, "schedule_config", "{}");
    body_write(x, r, "context_data", "{}");
    out_key(o, "priority");
    out_string(o, megahub_priorities[r->priority]);
    out_key(o, "queue_name");
    out_text(o, r->queue);
    out_key(o, "max_retries");
    out_unsigned(o, r->retries);
    out_key(o, "timeout_minutes");
    out_unsigned(o, r->timeout_ms / 60000);
    out_key(o, "next_runs");
    runs_write(x, r, 3);
    origin_write(x, r);
    out_object_end(o);
}

static void periodic_answer(struct exchange *x, const struct schedule_record *r) {
    periodic_write(x, r);
    exchange_answer(x, x->route->status);
}

/* ---- a POST that is repeated ---- */

/* What is made under an Idempotency-Key has it for a name, which nobody is shown, and keeps a hash
 * of the body that made it. */
static const char *once_name(struct exchange *x) {
    const char *key = once_key(x);
    return key == NULL ? NULL : exchange_print(x, "once:%s", key);
}

struct first { struct schedule_record record; bool found; };

static void first_row(struct exchange *x, void *own, const struct schedule_record *r) {
    struct first *first = own;
    struct buffer row = {0};
    uint32_t at = 0;
    schedule_row_put(&row, r);
    first->found = schedule_row_next(exchange_copy(x, buffer_slice(&row)), &at, &first->record);
    buffer_free(&row);
}

static void created(struct exchange *x, const struct schedule_record *r);

static void first_end(struct exchange *x, void *own) {
    const struct first *first = own;
    if (!first->found) exchange_refuse(x, CODE_CONFLICT, NULL);
    else if (!slice_equal(span_find(first->record.body, "once"),
                          slice_text(exchange_print(x, "\"%s\"", once_body(x)))))
        exchange_refuse(x, CODE_IDEMPOTENCY_CONFLICT, NULL);
    else created(x, &first->record);
}

/* The key was used before: the first answer again, as it is by now. */
static void once_taken(struct exchange *x) {
    struct buffer filter = {0};
    schedule_predicate(&filter, "name", "eq", once_name(x));
    const struct schedule_walk walk = {.kind = SCHEDULE_PERIODIC, .row = first_row,
                                       .end = first_end,
                                       .own = exchange_alloc(x, sizeof(struct first)),
                                       .filter = exchange_copy(x, buffer_slice(&filter)),
                                       .filter_count = 1};
    buffer_free(&filter);
    schedule_walk(x, &walk);
}

/* ---- what a request makes of it ---- */

struct base { /* a task whose template is copied; its texts are in the exchange's memory */
    uint64_t id;
    struct slice type, queue, description, context;
    uint32_t timeout_ms;
    uint16_t retries;
    uint8_t priority;
};

static struct schedule_record periodic_fresh(struct exchange *x, const struct base *base) {
    struct schedule_record r = schedule_fresh();
    r.owner = slice_text(x->who.name);
    if (base == NULL) return r;
    r.type = base->type;
    r.queue = base->queue;
    r.priority = base->priority;
    r.retries = base->retries;
    if (base->timeout_ms >= 60000) r.timeout_ms = base->timeout_ms;
    json_t *body = json_object();
    json_t *context = json_of(base->context);
    json_object_set_new(body, "description",
                        json_stringn((const char *)base->description.data,
                                     base->description.len));
    json_object_set_new(body, "base_task", json_integer((json_int_t)base->id));
    if (json_is_object(context)) json_object_set(body, "context_data", context);
    json_decref(context);
    r.body = json_keep(x, body);
    return r;
}

/* The payload: what caused the run, then the configuration, then the context. */
static struct slice payload_make(struct exchange *x, uint64_t id, const json_t *config,
                                 const json_t *context) {
    json_t *run = json_object();
    json_object_set_new(run, "periodic_execution", json_true());
    json_object_set_new(run, "periodic_task_id", json_integer((json_int_t)id));
    json_object_set_new(run, "scheduled_at", json_string(schedule_stamp));
    object_join(run, config);
    object_join(run, context);
    return json_keep(x, run);
}

/* Body, payload and extra, made anew from what the record is by now. */
static void parts_make(struct exchange *x, uint64_t id, struct schedule_record *r,
                       json_t *config, json_t *context) {
    json_t *body = json_object(), *cause = json_object();
    uint64_t base;
    json_t *said = member_find(x->json, "description");
    json_t *description = json_is_string(said) ? json_incref(said) : body_part(r, "description");
    if (!json_is_string(description)) {
        json_decref(description);
        description = json_string("");
    }
    r->payload = payload_make(x, id, config, context);
    r->stamp = stamp_find(r->payload);
    if (schedule_number(span_find(r->body, "base_task"), &base))
        json_object_set_new(body, "base_task", json_integer((json_int_t)base));
    json_object_set(body, "description", description);
    json_object_set(body, "context_data", context);
    json_object_set(body, "schedule_config", config);
    json_t *once = body_part(r, "once");
    if (json_is_string(once)) json_object_set(body, "once", once);
    json_decref(once);
    r->body = json_keep(x, body);
    json_object_set_new(cause, "id", json_integer((json_int_t)id));
    r->extra = extra_keep(x, exchange_copy(x, slice_of(json_string_value(description),
                                                       json_string_length(description))),
                          "periodic_task", cause);
    json_decref(description);
}

/* `r` as the request wants it. False, with the exchange ended, when that cannot be. `whole`: what
 * is required must be there. */
static bool periodic_apply(struct exchange *x, uint64_t id, struct schedule_record *r,
                           bool whole) {
    const char *wrong = NULL;
    field_expression(x, "cron_expression", whole ? REQUIRED : 0, &r->expression, &wrong);
    field_zone(x, "timezone", &r->zone, &wrong);
    field_span(x, r, &wrong);
    field_template(x, r, r->type.len == 0);
    member_text(x->json, "description", NULLABLE | BLANK_OK, TASK_DESCRIPTION_MAX, &x->errors);
    json_t *config = field_object(x, "schedule_config", r);
    json_t *context = field_object(x, "context_data", r);
    const bool good = fields_good(x, wrong);
    if (good) parts_make(x, id, r, config, context);
    json_decref(config);
    json_decref(context);
    return good;
}

enum {
    ALL_SET = SET_SCHEDULE_EXPRESSION | SET_SCHEDULE_ZONE | SET_SCHEDULE_START |
              SET_SCHEDULE_END | SET_SCHEDULE_ACTIVE | SET_SCHEDULE_MAX | SET_SCHEDULE_QUEUE |
              SET_SCHEDULE_TYPE | SET_SCHEDULE_PAYLOAD | SET_SCHEDULE_EXTRA |
              SET_SCHEDULE_PRIORITY | SET_SCHEDULE_RETRIES | SET_SCHEDULE_TIMEOUT |
              SET_SCHEDULE_BODY | SET_SCHEDULE_STAMP
};

/* ---- POST ---- */

static struct slice once_keep(struct exchange *x, struct slice body) {
    return slice_text(exchange_print(x, "{\"once\":\"%s\",%.*s", once_body(x), (int)body.len - 1,
                                     (const char *)body.data + 1));
}

static void created(struct exchange *x, const struct schedule_record *r) {
    schedule_locate(x, "periodic-tasks", r->id);
    periodic_answer(x, r);
}

static void reserved(struct exchange *x, const struct schedule_record *number) {
    struct plan *p = x->state;
    struct schedule_ref ref = {.op = SCHEDULE_CREATE,
                               .set = ALL_SET | SET_SCHEDULE_KEEP | SET_SCHEDULE_KIND,
                               .record = periodic_fresh(x, p->own)};
    const char *once = once_name(x);
    ref.record.dialect = MEGAHUB_NUMBER;
    ref.record.keep_ms = setting_keep_ms(x);
    if (!periodic_apply(x, number->id, &ref.record, true)) return;
    if (once != NULL) {
        p->taken = once_taken;
        ref.set |= SET_SCHEDULE_NAME;
        ref.record.name = slice_text(once);
        ref.record.body = once_keep(x, ref.record.body);
    }
    plan_send(x, &ref, created);
}

static void create(struct exchange *x, struct base *base) {
    struct schedule_record r = periodic_fresh(x, base);
    if (periodic_apply(x, 1, &r, true)) /* what is wrong costs no number */
        plan_reserve(x, SCHEDULE_PERIODIC, base, reserved);
}

static void base_found(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    struct base *base = exchange_alloc(x, sizeof *base);
    struct megahub_task task;
    const enum code code = exchange_code(answer);
    if (code != CODE_OK) { /* of another brand too: UNKNOWN_TASK, 404 */
        exchange_refuse(x, code, NULL);
        return;
    }
    megahub_task_read(x, v, &task);
    *base = (struct base){
        .id = task.id, .type = exchange_copy(x, task.type), .queue = exchange_copy(x, task.queue),
        .description = exchange_copy(x, task.description),
        .context = exchange_copy(x, task.context), .timeout_ms = task.timeout_ms,
        .retries = task.max_retries, .priority = task.priority};
    create(x, base);
}

static bool periodic_create_read(struct exchange *x, struct message *m) {
    (void)m;
    json_t *named = member_find(x->json, "base_task");
    uint64_t id = 0;
    if (!schedule_brand_good(x) || !once_good(x)) return false;
    if (named == NULL || json_is_null(named)) {
        create(x, NULL);
        return false;
    }
    if (json_is_integer(named) && json_integer_value(named) > 0)
        id = (uint64_t)json_integer_value(named);
    const struct slice text = slice_of(json_string_value(named), json_string_length(named));
    if (id == 0 && json_is_string(named) && !schedule_number(text, &id) &&
        !spell_task_read(x, text, &id))
        return exchange_refuse(x, CODE_UNKNOWN_TASK, NULL);
    if (id == 0 || id > ID_NUMBER_MAX) {
        field_wrong(&x->errors, "base_task", FIELD_NOT_INTEGER, 0);
        return megahub_fields_good(x);
    }
    const struct message get = {.verb = VERB_GET, .ref = {.id = id, .want = WANT_BODY}};
    exchange_try(x, &get, base_found);
    return false;
}

/* ---- list and one ---- */

static const struct page_choice statuses[] = {
    {"pending", "1,2"}, {"running", "3,4"}, {"processing", "3,4"}, {"paused", "5"},
    {"completed", "6"}, {"failed", "7"}, {"cancelled", "8"}, {NULL, NULL}};

static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("is_active", "active", BOOL),
    PAGE_FIELD("cron_expression", "expression", TEXT),
    PAGE_FIELD("timezone", "zone", TEXT),
    PAGE_FIELD("task_type", "type", TEXT),
    PAGE_FIELD("queue_name", "queue", TEXT),
    PAGE_FIELD("base_task", "body.base_task", NUMBER),
    PAGE_FIELD("created_by", "owner", TEXT),
    PAGE_FIELD("priority", "priority", CHOICE, .choices = page_priorities),
    PAGE_FIELD("last_run_status", "last_status", CHOICE, .choices = statuses),
    PAGE_TIMES("next_run", "next_ms"),
    PAGE_FIELD("last_run_at", "run_ms", TIME),
    PAGE_FIELD("start_date", "start_ms", TIME),
    PAGE_FIELD("end_date", "end_ms", TIME),
    PAGE_TIMES("created", "created_ms"),
    PAGE_TIMES("updated", "updated_ms"),
    PAGE_FIELD("max_executions", "max", NUMBER),
    PAGE_FIELD("executions_count", "executions", NUMBER),
};

static bool periodic_list_read(struct exchange *x, struct message *m) {
    static const struct page_list list = {
        .fields = fields, .field_count = sizeof fields / sizeof *fields,
        .search = "type,expression,body.description", .fixed_field = "kind", .fixed_value = "1"};
    return plan_list(x, m, &list);
}

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct schedule_record r;
    if (schedule_row_next(rows, at, &r)) periodic_write(x, &r);
}

static void periodic_list_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}

static bool periodic_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_open(x, SCHEDULE_PERIODIC, periodic_answer);
}

static void change(struct exchange *x, const struct schedule_record *before) {
    struct schedule_ref ref = {.op = SCHEDULE_CHANGE, .record = *before};
    if (!periodic_apply(x, before->id, &ref.record, x->method == METHOD_PUT)) return;
    ref.set = ALL_SET & ~schedule_same(before, &ref.record);
    plan_send(x, &ref, periodic_answer);
}

static bool periodic_change_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_open(x, SCHEDULE_PERIODIC, change);
}

static bool periodic_delete_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_remove(x, SCHEDULE_PERIODIC);
}

/* ---- pause, resume, toggle, execute-now ---- */

static void state_write(struct exchange *x, const struct schedule_record *r) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "status");
    out_string(o, r->active ? "Task resumed" : "Task paused");
    out_key(o, "id");
    out_unsigned(o, r->id);
    out_key(o, "is_active");
    out_bool(o, r->active);
    out_key(o, "next_run_at");
    out_time(o, r->next_ms);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

/* One that is so already stays as it is: resuming it does not move its next run. */
static void activate(struct exchange *x, const struct schedule_record *before, bool active) {
    struct schedule_ref ref = {.op = SCHEDULE_CHANGE, .set = SET_SCHEDULE_ACTIVE,
                               .record = {.version = before->version, .active = active}};
    if (before->active == active) state_write(x, before);
    else plan_send(x, &ref, state_write);
}

static void pausing(struct exchange *x, const struct schedule_record *r) { activate(x, r, false); }
static void resuming(struct exchange *x, const struct schedule_record *r) { activate(x, r, true); }

static void toggling(struct exchange *x, const struct schedule_record *r) {
    activate(x, r, !r->active);
}

static bool periodic_pause_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_open(x, SCHEDULE_PERIODIC, pausing);
}

static bool periodic_resume_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_open(x, SCHEDULE_PERIODIC, resuming);
}

static bool periodic_toggle_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_open(x, SCHEDULE_PERIODIC, toggling);
}

static void executed(struct exchange *x, const struct schedule_record *r) {
    run_write(x, "Task execution started", r->last_task);
}

static void executing(struct exchange *x, const struct schedule_record *r) {
    struct schedule_ref ref = {.op = SCHEDULE_RUN};
    (void)r;
    plan_send(x, &ref, executed);
}

static bool periodic_execute_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_open(x, SCHEDULE_PERIODIC, executing);
}

/* ---- the map ---- */

static bool scheduled_map_read(struct exchange *x, struct message *m) {
    static const char *const names[] = {"periodic-tasks", "cron-jobs", "calendars"};
    (void)m;
    out_object(&x->out);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        out_key(&x->out, names[i]);
        out_string(&x->out, exchange_print(x, "%s/tasks/scheduled/%s/", exchange_origin(x),
                                           names[i]));
    }
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
    return false;
}

#define BASE "/tasks/scheduled/periodic-tasks"
enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN };
static const struct route routes[] = {
    ROUTE(GET, NONE, "/tasks/scheduled", MEMBER_GUARD, 200, scheduled_map_read,
          "what there is to plan with, and where"),
    ROUTE(GET, NONE, BASE, MEMBER_GUARD, 200, periodic_list_read, "lists periodic tasks",
          .verb = VERB_ASK, .write = periodic_list_write),
    ROUTE(POST, JSON, BASE, MEMBER_GUARD, 201, periodic_create_read, "makes a periodic task"),
    ROUTE(GET, NONE, BASE "/{id}", MEMBER_GUARD, 200, periodic_detail_read,
          "reads a periodic task"),
    ROUTE(PUT, JSON, BASE "/{id}", MEMBER_GUARD, 200, periodic_change_read,
          "changes a periodic task"),
    ROUTE(PATCH, JSON, BASE "/{id}", MEMBER_GUARD, 200, periodic_change_read,
          "changes a periodic task"),
    ROUTE(DELETE, NONE, BASE "/{id}", MEMBER_GUARD, 204, periodic_delete_read,
          "deletes a periodic task"),
    ROUTE(POST, JSON, BASE "/{id}/pause", MEMBER_GUARD, 200, periodic_pause_read,
          "lets it rest"),
    ROUTE(POST, JSON, BASE "/{id}/resume", MEMBER_GUARD, 200, periodic_resume_read,
          "lets it run again, from now on"),
    ROUTE(POST, JSON, BASE "/{id}/toggle", MEMBER_GUARD, 200, periodic_toggle_read,
          "pauses it, or resumes it"),
    ROUTE(POST, JSON, BASE "/{id}/execute-now", MEMBER_GUARD, 200, periodic_execute_read,
          "runs it once, at once"),
};
const struct routes megahub_periodic = {routes, sizeof routes / sizeof *routes};
