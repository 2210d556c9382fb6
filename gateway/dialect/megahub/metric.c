/* metric.c - /tasks/monitoring/metrics/: what each task took; its number is the task's.
 *
 * A metric is the task's own: it is there once the task has completed or failed, filled by the
 * broker, and what a worker or a member gives wins over that. So POST on a task that has metrics
 * changes them (200), PUT replaces what was given, and DELETE takes it all away. Changes are made
 * on the version that was read; another's in between is read again. */
#include "gateway/dialect/megahub/job.h"
#include "gateway/dialect/megahub/metric.h"
#include "gateway/dialect/megahub/page.h"
#include "gateway/dialect/output.h"
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 5 };

/* ---- list ---- */

static const struct page_choice statuses[] = {{"completed", "6"}, {"failed", "7"}, {NULL, NULL}};

static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("base_task", "id", NUMBER),
    PAGE_FIELD("execution_time_ms", "run_ms", NUMBER),
    PAGE_FIELD("execution_time", "run_ms", NUMBER),
    PAGE_FIELD("queue_wait_time_ms", "wait_ms", NUMBER),
    PAGE_FIELD("memory_usage_mb", "metrics.memory_usage_mb", NUMBER),
    PAGE_FIELD("cpu_usage_percent", "metrics.cpu_usage_percent", NUMBER),
    PAGE_FIELD("network_bytes_sent", "metrics.network_bytes_sent", NUMBER),
    PAGE_FIELD("network_bytes_received", "metrics.network_bytes_received", NUMBER),
    PAGE_FIELD("disk_io_bytes", "metrics.disk_io_bytes", NUMBER),
    PAGE_FIELD("api_calls_count", "metrics.api_calls_count", NUMBER),
    PAGE_FIELD("tokens_used", "metrics.tokens_used", NUMBER),
    PAGE_FIELD("cost_usd", "metrics.cost_usd", NUMBER),
    PAGE_FIELD("error_count", "metrics.error_count", NUMBER),
    PAGE_FIELD("warning_count", "metrics.warning_count", NUMBER),
    PAGE_FIELD("retry_count", "retry_count", NUMBER),
    PAGE_FIELD("worker_name", "ran_by", TEXT),
    PAGE_FIELD("task_type", "type", TEXT),
    PAGE_FIELD("created_by", "owner", TEXT),
    PAGE_FIELD("status", "status", CHOICE, .choices = statuses),
    PAGE_FIELD("priority", "priority", CHOICE, .choices = page_priorities),
    PAGE_TIMES("created", "finished_ms"),
    PAGE_TIMES("updated", "updated_ms"),
};

static bool list_read(struct exchange *x, struct message *m) {
    struct page_tag *tags = exchange_alloc(x, 5 * sizeof *tags);
    tags[0] = (struct page_tag){"high_memory", "metrics.memory_usage_mb", "gte",
                                exchange_print(x, "%.17g", monitor_memory_max(x))};
    tags[1] = (struct page_tag){"slow", "run_ms", "gte",
                                exchange_print(x, "%.17g", monitor_slow_ms(x))};
    tags[2] = (struct page_tag){"costly", "metrics.cost_usd", "gte",
                                exchange_print(x, "%.17g", monitor_cost_max(x))};
    tags[3] = (struct page_tag){"failing", "metrics.error_count", "gt", "0"};
    const struct page_list list = {.fields = fields,
                                   .field_count = sizeof fields / sizeof *fields,
                                   .search = "type,ran_by", .task_ids = true, .tags = tags,
                                   .present = "run_ms", .hidden = "internal"};
    m->question = (struct question){.kind = slice_text("tasks"), .brand = x->who.brand,
                                    .priority = -1, .dialect = -1, .want = WANT_RESULT};
    if (!page_read(x, &list, &m->question)) return false;
    const uint32_t ended = 1u << STATUS_COMPLETED | 1u << STATUS_FAILED;
    const uint32_t asked = m->question.status_mask;
    m->question.status_mask = asked != 0 ? asked & ended : ended;
    return true;
}

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct frame frame = {0};
    struct message m;
    if (row_next(&frame, rows, at, &m)) {
        json_t *metrics = metric_parse(&m.view);
        metric_write(x, &m.view, metrics);
        json_decref(metrics);
    }
    frame_free(&frame);
}

static void list_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}

/* ---- one ---- */

static void view_write(struct exchange *x, const struct view *v, int status) {
    json_t *metrics = metric_parse(v);
    if (metric_there(v, metrics)) {
        metric_write(x, v, metrics);
        exchange_answer(x, status);
    } else {
        monitor_missing(x);
    }
    json_decref(metrics);
}

static bool detail_read(struct exchange *x, struct message *m) {
    m->ref.want = WANT_RESULT;
    return megahub_id_read(x, &m->ref.id);
}

static void detail_write(struct exchange *x, const struct message *answer) {
    view_write(x, &answer->view, x->route->status);
}

/* ---- changes ---- */

struct change { /* x->state */
    uint64_t id;
    uint32_t tries;
    int status;   /* of the answer */
    bool made;    /* by POST: it may be the first */
};

/* A measure as it was sent: a number not below zero; null takes it away. */
static void measure_read(struct exchange *x, const char *name) {
    const json_t *value = json_object_get(x->json, name);
    if (value == NULL || json_is_null(value)) return;
    member_number(x->json, name, 0, 0, 0, 1e15, &x->errors);
}

static void body_read(struct exchange *x) {
    for (uint32_t i = 0; i < MEASURE_COUNT; i++) measure_read(x, measure_name((enum measure)i));
    member_text(x->json, "worker_name", NULLABLE | BLANK_OK, TASK_NAME_MAX, &x->errors);
}

/* What lies among the metrics and is none: how a file is called, of dialect 000. */
static json_t *note_make(const struct view *v, json_t *metrics) {
    json_t *note = json_object();
    const char *key;
    json_t *value;
    json_object_foreach(metrics, key, value) {
        if (output_noted(v, key)) json_object_set(note, key, value);
    }
    return note;
}

/* What was given before, with what is given now: all of it (PUT), or only what is named. */
static json_t *given_make(const struct exchange *x, const struct view *v, json_t *before) {
    json_t *given = x->method == METHOD_PUT ? note_make(v, before) : json_incref(before);
    json_object_del(given, METRIC_GONE);
    for (uint32_t i = 0; i <= MEASURE_COUNT; i++) {
        const char *name = i < MEASURE_COUNT ? measure_name((enum measure)i) : "worker_name";
        json_t *value = json_object_get(x->json, name);
        if (json_is_null(value)) json_object_del(given, name);
        else if (value != NULL) json_object_set(given, name, value);
    }
    return given;
}

static void look(struct exchange *x);

static void amended(struct exchange *x, const struct message *answer) {
    struct change *c = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && ++c->tries < TRIES_MAX) {
        look(x);
        return;
    }
    if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    if (x->method == METHOD_DELETE) {
        exchange_answer(x, x->route->status);
        return;
    }
    c->tries = TRIES_MAX; /* read once more, to be shown */
    look(x);
}

static void amend(struct exchange *x, const struct view *v, json_t *given,
                  struct slice numbers_before) {
    const struct change *c = x->state;
    struct message m = {.verb = VERB_UPDATE};
    char *text = json_dumps(given, JSON_COMPACT);
    m.ref.id = c->id;
    m.ref.options = (struct options){
        .set = SET_METRICS | SET_VERSION, .version = v->head.version,
        .metrics = exchange_copy(x, slice_text(text != NULL ? text : "{}")),
        .numbers = monitor_numbers(x, given), .numbers_before = numbers_before};
    free(text);
    exchange_try(x, &m, amended);
}

static void looked(struct exchange *x, const struct message *answer) {
    struct change *c = x->state;
    const struct view *v = &answer->view;
    if (c->tries == TRIES_MAX) {
        view_write(x, v, c->status);
        return;
    }
    if (v->head.status != STATUS_COMPLETED && v->head.status != STATUS_FAILED) {
        megahub_refuse(x, "INVALID_OPERATION", "The task has not ended: it has no metrics yet.");
        return;
    }
    json_t *metrics = metric_parse(v);
    const bool there = metric_there(v, metrics);
    const struct slice before = monitor_numbers(x, metrics);
    if (!there && !c->made) {
        json_decref(metrics);
        monitor_missing(x);
        return;
    }
    json_t *note = note_make(v, metrics);
    const bool first = json_object_size(metrics) == json_object_size(note);
    c->status = c->made && (first || !there) ? 201 : 200;
    json_t *given = note;
    if (x->method == METHOD_DELETE) {
        json_object_set_new(note, METRIC_GONE, json_true());
    } else {
        json_decref(note);
        given = given_make(x, v, metrics);
    }
    amend(x, v, given, before);
    json_decref(given);
    json_decref(metrics);
}

static void look(struct exchange *x) {
    const struct change *c = x->state;
    const struct message m = {.verb = VERB_GET, .ref = {.id = c->id, .want = WANT_RESULT}};
    exchange_send(x, &m, looked);
}

static struct change *change_new(struct exchange *x) {
    struct change *c = exchange_alloc(x, sizeof *c);
    x->state = c;
    return c;
}

static bool make_read(struct exchange *x, struct message *m) {
    struct change *c = change_new(x);
    (void)m;
    c->made = true;
    body_read(x);
    c->id = job_number_member(x, "base_task", true);
    if (!megahub_fields_good(x)) return false;
    look(x);
    return false;
}

static bool change_read(struct exchange *x, struct message *m) {
    struct change *c = change_new(x);
    (void)m;
    if (!megahub_id_read(x, &c->id)) return false;
    body_read(x);
    if (megahub_fields_good(x)) look(x);
    return false;
}

static bool delete_read(struct exchange *x, struct message *m) {
    struct change *c = change_new(x);
    (void)m;
    if (!megahub_id_read(x, &c->id)) return false;
    look(x);
    return false;
}

#define BASE "/tasks/monitoring/metrics"
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE, MONITOR_MEMBER, 200, list_read, "lists what tasks took",
          .verb = VERB_ASK, .write = list_write),
    ROUTE(POST, JSON, BASE, MONITOR_MEMBER, 201, make_read,
          "gives measures of a task that has ended"),
    ROUTE(GET, NONE, BASE "/{id}", MONITOR_MEMBER, 200, detail_read, "what a task took",
          .verb = VERB_GET, .write = detail_write),
    ROUTE(PUT, JSON, BASE "/{id}", MONITOR_MEMBER, 200, change_read,
          "replaces the measures that were given"),
    ROUTE(PATCH, JSON, BASE "/{id}", MONITOR_MEMBER, 200, change_read, "changes measures"),
    ROUTE(DELETE, NONE, BASE "/{id}", MONITOR_MEMBER, 204, delete_read,
          "takes a task's measures away"),
};
const struct routes megahub_metric = {routes, sizeof routes / sizeof *routes};
