/* alert_event.c - what has fired: alerts/active/ and alerts/history/. */
#include "gateway/dialect/megahub/alert.h"
#include "gateway/dialect/megahub/page.h"
#include "gateway/dialect/spell.h"
#include "proto/encode.h"

enum { DAYS = 30, RULES_MAX = 200, EVENTS_MAX = 1000, TASKS_SHOWN = 10 };

struct event { /* of the feed and of history; texts are borrowed from `json` */
    json_t *json; /* owned */
    uint64_t id, rule, task;
    int64_t at_ms;
};

static bool event_read(const struct object_row *row, struct event *ret) {
    json_t *json = json_of(row->body);
    if (json == NULL) return false;
    *ret = (struct event){
        .json = json, .id = row->id,
        .rule = (uint64_t)json_integer_value(json_object_get(json, "alert_rule")),
        .task = (uint64_t)json_integer_value(json_object_get(json, "task")),
        .at_ms = json_integer_value(json_object_get(json, "triggered_ms"))};
    return true;
}

static void copy(struct exchange *x, const char *key, const struct event *e, const char *member) {
    out_key(&x->out, key);
    out_json(&x->out, json_object_get(e->json, member));
}

/* ---- history ---- */

static const struct page_choice severities[] = {
    {"low", "low"}, {"medium", "medium"}, {"high", "high"}, {"critical", "critical"},
    {NULL, NULL}};
static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("alert_rule", "body.alert_rule", NUMBER),
    PAGE_FIELD("task", "body.task", NUMBER),
    PAGE_FIELD("severity", "body.severity", CHOICE, .choices = severities),
    PAGE_FIELD("metric_field", "body.metric_field", TEXT),
    PAGE_FIELD("metric_value", "body.metric_value", NUMBER),
    PAGE_FIELD("task_type", "body.task_type", TEXT),
    PAGE_FIELD("triggered_at", "created_ms", TIME),
    PAGE_TIMES("created", "created_ms"),
};
static const struct page_list events = {.fields = fields,
                                        .field_count = sizeof fields / sizeof *fields,
                                        .search = "body.rule_name,body.task_type"};

static struct question events_question(const struct exchange *x) {
    return (struct question){.kind = slice_text("objects"), .object = slice_text("alert_event"),
                             .brand = x->who.brand, .priority = -1, .dialect = -1,
                             .descending = true};
}

static bool history_read(struct exchange *x, struct message *m) {
    const int64_t days = exchange_query_number(x, "days", DAYS, 1, MONITOR_DAYS_MAX);
    m->question = events_question(x);
    if (!page_read(x, &events, &m->question)) return false;
    const int64_t from_ms = x->wall_ms - days * TALLY_DAY_MS;
    if (from_ms > m->question.from_ms) m->question.from_ms = from_ms;
    return true;
}

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct object_row row;
    struct event e;
    char text[TASK_TEXT_SIZE];
    if (!object_row_next(rows, at, &row) || !event_read(&row, &e)) return;
    spell_task(x, e.task, text);
    out_object(&x->out);
    monitor_integer(x, "id", (int64_t)e.id);
    out_key(&x->out, "alert_rule");
    out_object(&x->out);
    monitor_integer(x, "id", (int64_t)e.rule);
    copy(x, "name", &e, "rule_name");
    out_object_end(&x->out);
    out_key(&x->out, "task");
    out_object(&x->out);
    monitor_integer(x, "id", (int64_t)e.task);
    monitor_text(x, "task_id", slice_text(text));
    copy(x, "task_type", &e, "task_type");
    out_object_end(&x->out);
    copy(x, "metric_field", &e, "metric_field");
    copy(x, "metric_value", &e, "metric_value");
    copy(x, "threshold_value", &e, "threshold");
    copy(x, "condition", &e, "condition");
    copy(x, "severity", &e, "severity");
    out_key(&x->out, "triggered_at");
    out_time(&x->out, e.at_ms);
    out_object_end(&x->out);
    json_decref(e.json);
}

static void history_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}

/* ---- active ---- */

struct standing { uint64_t id; const char *name; int64_t last_ms, seen_ms; double threshold; };
struct active { struct standing *rules; uint32_t count; };

/* The rule's newest events since it was last acknowledged: the first one says how it stands. */
static void standing_write(struct exchange *x, const struct standing *s, struct slice rows) {
    struct object_row row;
    struct event e;
    uint32_t at = 0, shown = 0;
    char text[TASK_TEXT_SIZE];
    out_object(&x->out);
    monitor_integer(x, "id", (int64_t)s->id);
    monitor_text(x, "name", slice_text(s->name));
    out_key(&x->out, "triggered_at");
    out_time(&x->out, s->last_ms);
    monitor_number(x, "threshold_value", s->threshold);
    while (object_row_next(rows, &at, &row)) {
        if (!event_read(&row, &e)) continue;
        if (e.rule == s->id && e.at_ms > s->seen_ms && shown < TASKS_SHOWN) {
            if (shown++ == 0) {
                copy(x, "current_value", &e, "metric_value");
                copy(x, "severity", &e, "severity");
                out_key(&x->out, "affected_tasks");
                out_list(&x->out);
            }
            spell_task(x, e.task, text);
            out_string(&x->out, text);
        }
        json_decref(e.json);
    }
    if (shown > 0) {
        out_list_end(&x->out);
    } else {
        out_key(&x->out, "current_value");
        out_null(&x->out);
        monitor_text(x, "severity", slice_text("medium"));
        out_key(&x->out, "affected_tasks");
        out_list(&x->out);
        out_list_end(&x->out);
    }
    out_object_end(&x->out);
}

static void active_write(struct exchange *x, const struct message *answer) {
    const struct active *a = x->state;
    out_object(&x->out);
    monitor_integer(x, "active_alerts", a->count);
    out_key(&x->out, "alerts");
    out_list(&x->out);
    for (uint32_t i = 0; i < a->count; i++) standing_write(x, &a->rules[i], answer->rows.rows);
    out_list_end(&x->out);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void active_found(struct exchange *x, const struct message *answer) {
    struct active *a = exchange_alloc(x, sizeof *a);
    struct object_row row;
    struct rule r;
    uint32_t at = 0;
    a->rules = exchange_alloc(x, RULES_MAX * sizeof *a->rules);
    x->state = a;
    while (a->count < RULES_MAX && object_row_next(answer->rows.rows, &at, &row)) {
        if (!rule_read(x, &row, &r)) continue;
        const char *name = json_string_value(json_object_get(r.json, "name"));
        a->rules[a->count++] = (struct standing){
            .id = row.id, .name = exchange_print(x, "%s", name != NULL ? name : ""),
            .last_ms = r.state.last_ms, .threshold = r.spec.threshold,
            .seen_ms = json_integer_value(json_object_get(r.json, "acknowledged_ms"))};
        json_decref(r.json);
    }
    struct message m = {.verb = VERB_ASK};
    m.question = events_question(x);
    m.question.limit = EVENTS_MAX;
    exchange_send(x, &m, active_write);
}

static bool active_read(struct exchange *x, struct message *m) {
    struct buffer filter = {0};
    encode_array(&filter, 1);
    encode_array(&filter, 3);
    encode_text(&filter, slice_text("body.is_triggered"));
    encode_text(&filter, slice_text("eq"));
    encode_text(&filter, slice_text("1"));
    m->verb = VERB_ASK;
    m->question = events_question(x);
    m->question.object = slice_text("alert_rule");
    m->question.filter = exchange_copy(x, buffer_slice(&filter));
    m->question.limit = RULES_MAX;
    buffer_free(&filter);
    exchange_send(x, m, active_found);
    return false;
}

#define BASE "/tasks/monitoring/alerts"
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE "/active", ALERT_GUARD, 200, active_read,
          "rules that fired and were not acknowledged"),
    ROUTE(GET, NONE, BASE "/history", ALERT_GUARD, 200, history_read, "what has fired",
          .verb = VERB_ASK, .write = history_write),
};
const struct routes megahub_alert_event = {routes, sizeof routes / sizeof *routes};
