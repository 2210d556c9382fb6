/* cronjob.c - cron jobs: a task type that runs at a named frequency, under a name of its own. */
#include "gateway/dialect/megahub/schedule.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/span.h"
#include "proto/schedule.h"
#include <string.h>

enum { CRONJOB_NAME_MAX = 100, FREQUENCY_CUSTOM = 5 };

static const char *const frequencies[] = {"minutely", "hourly", "daily", "weekly", "monthly",
                                          "custom", NULL};
static const char *const expressions[] = {"* * * * *", "0 * * * *", "0 9 * * *", "0 9 * * 1",
                                          "0 9 1 * *"};

/* ---- the Cron Job JSON ---- */

static void part_write(struct exchange *x, const struct schedule_record *r, const char *name) {
    out_key(&x->out, name);
    out_raw(&x->out, span_find(r->body, name)); /* written here; absent is null */
}

static void cronjob_write(struct exchange *x, const struct schedule_record *r) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, r->id);
    out_key(o, "name");
    out_text(o, r->name);
    out_key(o, "task_type");
    out_text(o, r->type);
    part_write(x, r, "description");
    part_write(x, r, "frequency");
    part_write(x, r, "custom_cron");
    out_key(o, "cron_expression");
    out_text(o, r->expression);
    out_key(o, "timezone");
    out_text(o, r->zone);
    part_write(x, r, "task_config");
    out_key(o, "is_active");
    out_bool(o, r->active);
    out_key(o, "priority");
    out_string(o, megahub_priorities[r->priority]);
    out_key(o, "queue_name");
    out_text(o, r->queue);
    out_key(o, "last_execution_at");
    out_time(o, r->run_ms);
    out_key(o, "last_execution_status");
    out_string(o, r->last_task != 0 ? megahub_status(r->last_status) : NULL);
    out_key(o, "next_execution_at");
    out_time(o, r->next_ms);
    out_key(o, "total_executions");
    out_unsigned(o, (uint64_t)r->executions + r->manual);
    out_key(o, "successful_executions");
    out_unsigned(o, r->succeeded);
    out_key(o, "failed_executions");
    out_unsigned(o, r->failed);
    origin_write(x, r);
    out_object_end(o);
}

static void cronjob_answer(struct exchange *x, const struct schedule_record *r) {
    cronjob_write(x, r);
    exchange_answer(x, x->route->status);
}

/* ---- what a request makes of it ---- */

/* A text of the body, or NULL. Owned. */
static json_t *text_part(const struct schedule_record *r, const char *name) {
    json_t *part = body_part(r, name);
    if (json_is_string(part)) return part;
    json_decref(part);
    return NULL;
}

/* The frequency that will hold; -1 when it is none of them. */
static int frequency_read(struct exchange *x, const struct schedule_record *before, bool whole,
                          const char **wrong) {
    json_t *said = member_find(x->json, "frequency"), *stood = text_part(before, "frequency");
    int found = -1;
    for (int i = 0; stood != NULL && frequencies[i] != NULL; i++)
        if (strcmp(json_string_value(stood), frequencies[i]) == 0) found = i;
    json_decref(stood);
    if (said == NULL && !whole) return found;
    found = member_choice(x->json, "frequency", REQUIRED, frequencies, &x->errors);
    if (found < 0 && json_is_string(said) && *wrong == NULL) *wrong = "FREQUENCY_NOT_SUPPORTED";
    return found;
}

/* frequency and custom_cron make the expression; both are kept as they were said. */
static void expression_read(struct exchange *x, struct schedule_record *r, json_t *body,
                            bool whole, const char **wrong) {
    json_t *stood = text_part(r, "custom_cron");
    struct slice custom = {0};
    const json_t *said = member_find(x->json, "custom_cron");
    const int frequency = frequency_read(x, r, whole, wrong);
    if (stood != NULL)
        custom = exchange_copy(x, slice_of(json_string_value(stood), json_string_length(stood)));
    json_decref(stood);
    const bool blank = json_is_string(said) && json_string_length(said) == 0;
    if (json_is_null(said) || blank) custom = (struct slice){0};
    else field_expression(x, "custom_cron", 0, &custom, wrong);
    if (frequency == FREQUENCY_CUSTOM && custom.len == 0) {
        if (x->errors.count == 0) field_wrong(&x->errors, "custom_cron", FIELD_MISSING, 0);
        return;
    }
    if (frequency < 0) return;
    r->expression = frequency == FREQUENCY_CUSTOM ? custom : slice_text(expressions[frequency]);
    json_object_set_new(body, "frequency", json_string(frequencies[frequency]));
    json_object_set_new(body, "custom_cron",
                        custom.len == 0 ? json_null()
                                        : json_stringn((const char *)custom.data, custom.len));
}

/* Payload and extra of the runs. `by_hand`: of one that somebody asked for. */
static struct slice payload_make(struct exchange *x, uint64_t id, const json_t *config,
                                 bool by_hand) {
    json_t *run = json_object();
    if (by_hand) json_object_set_new(run, "manual_execution", json_true());
    json_object_set_new(run, "cron_job_id", json_integer((json_int_t)id));
    json_object_set_new(run, "scheduled_at", json_string(schedule_stamp));
    object_join(run, config);
    return json_keep(x, run);
}

/* What made it, when that had an Idempotency-Key: it outlives every change. */
static void once_keep(struct exchange *x, const struct schedule_record *r, json_t *body,
                      bool whole) {
    static const char *const members[] = {"once_key", "once"};
    const char *const hashes[] = {once_key(x), once_body(x)};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *part = whole && hashes[0] != NULL ? json_string(hashes[i])
                                                  : text_part(r, members[i]);
        if (part != NULL) json_object_set_new(body, members[i], part);
    }
}

static void parts_make(struct exchange *x, uint64_t id, struct schedule_record *r, json_t *body,
                       json_t *config) {
    json_t *cause = json_object();
    json_t *description = json_object_get(body, "description");
    r->payload = payload_make(x, id, config, false);
    r->stamp = stamp_find(r->payload);
    json_object_set_new(cause, "id", json_integer((json_int_t)id));
    json_object_set_new(cause, "name",
                        json_stringn((const char *)r->name.data, r->name.len));
    r->extra = extra_keep(x, slice_of(json_string_value(description),
                                      json_string_length(description)), "cron_job", cause);
    json_object_set(body, "task_config", config);
    r->body = json_keep(x, json_incref(body));
}

static void description_read(struct exchange *x, const struct schedule_record *r, json_t *body) {
    const json_t *said = member_find(x->json, "description");
    json_t *stood = text_part(r, "description");
    const struct slice given = member_text(x->json, "description", NULLABLE | BLANK_OK,
                                           TASK_DESCRIPTION_MAX, &x->errors);
    if (said != NULL || stood == NULL) {
        json_decref(stood);
        stood = json_stringn(given.data != NULL ? (const char *)given.data : "", given.len);
    }
    json_object_set_new(body, "description", stood);
}

static bool cronjob_apply(struct exchange *x, uint64_t id, struct schedule_record *r, bool whole) {
    const char *wrong = NULL;
    json_t *body = json_object();
    const struct slice name = member_text(x->json, "name", whole ? REQUIRED : 0,
                                          CRONJOB_NAME_MAX, &x->errors);
    if (name.data != NULL) r->name = name;
    field_template(x, r, whole);
    description_read(x, r, body);
    expression_read(x, r, body, whole, &wrong);
    field_zone(x, "timezone", &r->zone, &wrong);
    r->active = member_bool(x->json, "is_active", 0, r->active, &x->errors);
    json_t *config = field_object(x, "task_config", r);
    once_keep(x, r, body, whole && x->method == METHOD_POST);
    const bool good = fields_good(x, wrong);
    if (good) parts_make(x, id, r, body, config);
    json_decref(config);
    json_decref(body);
    return good;
}

enum {
    ALL_SET = SET_SCHEDULE_NAME | SET_SCHEDULE_EXPRESSION | SET_SCHEDULE_ZONE |
              SET_SCHEDULE_ACTIVE | SET_SCHEDULE_QUEUE | SET_SCHEDULE_TYPE |
              SET_SCHEDULE_PAYLOAD | SET_SCHEDULE_EXTRA | SET_SCHEDULE_PRIORITY |
              SET_SCHEDULE_RETRIES | SET_SCHEDULE_TIMEOUT | SET_SCHEDULE_BODY |
              SET_SCHEDULE_STAMP
};

/* ---- CRUD ---- */

static void created(struct exchange *x, const struct schedule_record *r) {
    schedule_locate(x, "cron-jobs", r->id);
    cronjob_answer(x, r);
}

static void first_find(struct exchange *x);

static void reserved(struct exchange *x, const struct schedule_record *number) {
    struct plan *p = x->state;
    struct schedule_ref ref = {.op = SCHEDULE_CREATE,
                               .set = ALL_SET | SET_SCHEDULE_KEEP | SET_SCHEDULE_KIND,
                               .record = schedule_fresh()};
    ref.record.dialect = MEGAHUB_NUMBER;
    ref.record.keep_ms = setting_keep_ms(x);
    if (once_key(x) != NULL) p->taken = first_find; /* its own repetition may have been faster */
    if (cronjob_apply(x, number->id, &ref.record, true)) plan_send(x, &ref, created);
}

/* ---- a POST that is repeated ---- */

struct first { struct schedule_record record; bool found, again; };

static void first_row(struct exchange *x, void *own, const struct schedule_record *r) {
    struct first *first = own;
    struct buffer row = {0};
    uint32_t at = 0;
    const char *key = exchange_print(x, "\"%s\"", once_key(x));
    if (first->found || !slice_equal(span_find(r->body, "once_key"), slice_text(key))) return;
    schedule_row_put(&row, r);
    first->found = schedule_row_next(exchange_copy(x, buffer_slice(&row)), &at, &first->record);
    buffer_free(&row);
}

static void first_end(struct exchange *x, void *own) {
    const struct first *first = own;
    const char *body = exchange_print(x, "\"%s\"", once_body(x));
    if (!first->found && first->again)
        schedule_name_taken(x);
    else if (!first->found)
        plan_reserve(x, SCHEDULE_CRONJOB, NULL, reserved);
    else if (!slice_equal(span_find(first->record.body, "once"), slice_text(body)))
        exchange_refuse(x, CODE_IDEMPOTENCY_CONFLICT, NULL);
    else
        created(x, &first->record);
}

static void first_look(struct exchange *x, bool again) {
    struct first *first = exchange_alloc(x, sizeof *first);
    *first = (struct first){.again = again};
    const struct schedule_walk walk = {.kind = SCHEDULE_CRONJOB, .row = first_row,
                                       .end = first_end, .own = first};
    schedule_walk(x, &walk);
}

static void first_find(struct exchange *x) { first_look(x, true); }

static bool cronjob_create_read(struct exchange *x, struct message *m) {
    struct schedule_record r = schedule_fresh();
    (void)m;
    if (!schedule_brand_good(x) || !once_good(x) || !cronjob_apply(x, 1, &r, true)) return false;
    if (once_key(x) != NULL) first_look(x, false);
    else plan_reserve(x, SCHEDULE_CRONJOB, NULL, reserved);
    return false;
}

static const struct page_choice frequency_words[] = {
    {"minutely", "minutely"}, {"hourly", "hourly"}, {"daily", "daily"}, {"weekly", "weekly"},
    {"monthly", "monthly"}, {"custom", "custom"}, {NULL, NULL}};
static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("name", "name", TEXT),
    PAGE_FIELD("task_type", "type", TEXT),
    PAGE_FIELD("frequency", "body.frequency", CHOICE, .choices = frequency_words),
    PAGE_FIELD("cron_expression", "expression", TEXT),
    PAGE_FIELD("timezone", "zone", TEXT),
    PAGE_FIELD("is_active", "active", BOOL),
    PAGE_FIELD("created_by", "owner", TEXT),
    PAGE_FIELD("last_execution_at", "run_ms", TIME),
    PAGE_FIELD("next_execution_at", "next_ms", TIME),
    PAGE_FIELD("successful_executions", "succeeded", NUMBER),
    PAGE_FIELD("failed_executions", "failed", NUMBER),
    PAGE_TIMES("created", "created_ms"),
    PAGE_TIMES("updated", "updated_ms"),
};

static bool cronjob_list_read(struct exchange *x, struct message *m) {
    static const struct page_list list = {
        .fields = fields, .field_count = sizeof fields / sizeof *fields,
        .search = "name,type,body.description", .fixed_field = "kind", .fixed_value = "2"};
    return plan_list(x, m, &list);
}

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct schedule_record r;
    if (schedule_row_next(rows, at, &r)) cronjob_write(x, &r);
}

static void cronjob_list_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}

static bool cronjob_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_open(x, SCHEDULE_CRONJOB, cronjob_answer);
}

static void change(struct exchange *x, const struct schedule_record *before) {
    struct schedule_ref ref = {.op = SCHEDULE_CHANGE, .record = *before};
    if (!cronjob_apply(x, before->id, &ref.record, x->method == METHOD_PUT)) return;
    ref.set = ALL_SET & ~schedule_same(before, &ref.record);
    plan_send(x, &ref, cronjob_answer);
}

static bool cronjob_change_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_open(x, SCHEDULE_CRONJOB, change);
}

static bool cronjob_delete_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_remove(x, SCHEDULE_CRONJOB);
}

/* ---- execute ---- */

static void executed(struct exchange *x, const struct schedule_record *r) {
    run_write(x, "Cron job execution started", r->last_task);
}

static void executing(struct exchange *x, const struct schedule_record *r) {
    struct schedule_ref ref = {.op = SCHEDULE_RUN,
                               .set = SET_SCHEDULE_PAYLOAD | SET_SCHEDULE_STAMP |
                                      SET_SCHEDULE_PRIORITY,
                               .record.priority = PRIORITY_HIGH};
    json_t *config = body_part(r, "task_config");
    ref.record.payload = payload_make(x, r->id, config, true);
    ref.record.stamp = stamp_find(ref.record.payload);
    json_decref(config);
    plan_send(x, &ref, executed);
}

static bool cronjob_execute_read(struct exchange *x, struct message *m) {
    (void)m;
    return plan_open(x, SCHEDULE_CRONJOB, executing);
}

#define BASE "/tasks/scheduled/cron-jobs"
enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN };
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE, MEMBER_GUARD, 200, cronjob_list_read, "lists cron jobs",
          .verb = VERB_ASK, .write = cronjob_list_write),
    ROUTE(POST, JSON, BASE, MEMBER_GUARD, 201, cronjob_create_read, "makes a cron job"),
    ROUTE(GET, NONE, BASE "/{id}", MEMBER_GUARD, 200, cronjob_detail_read, "reads a cron job"),
    ROUTE(PUT, JSON, BASE "/{id}", MEMBER_GUARD, 200, cronjob_change_read, "changes a cron job"),
    ROUTE(PATCH, JSON, BASE "/{id}", MEMBER_GUARD, 200, cronjob_change_read, "changes a cron job"),
    ROUTE(DELETE, NONE, BASE "/{id}", MEMBER_GUARD, 204, cronjob_delete_read, "deletes a cron job"),
    ROUTE(POST, JSON, BASE "/{id}/execute", MEMBER_GUARD, 200, cronjob_execute_read,
          "runs it once, at once"),
    ROUTE(POST, JSON, BASE "/{id}/execute-now", MEMBER_GUARD, 200, cronjob_execute_read,
          "runs it once, at once"),
};
const struct routes megahub_cronjob = {routes, sizeof routes / sizeof *routes};
