/* alert.c - /tasks/monitoring/alerts/: a brand's alert rules. The broker watches them
 * (broker/core/alert.h); changes are made on the version that was read. */
#include "gateway/dialect/megahub/alert.h"
#include "gateway/dialect/megahub/page.h"
#include "gateway/hook.h"
#include <stdlib.h>

enum { TRIES_MAX = 8 };

/* ---- list ---- */

static const struct page_choice measures[] = {
    {"execution_time_ms", "execution_time_ms"}, {"memory_usage_mb", "memory_usage_mb"},
    {"error_count", "error_count"}, {"cost_usd", "cost_usd"},
    {"queue_wait_time_ms", "queue_wait_time_ms"}, {"cpu_usage_percent", "cpu_usage_percent"},
    {NULL, NULL}};
static const struct page_choice conditions[] = {
    {"gt", "gt"}, {"gte", "gte"}, {"lt", "lt"}, {"lte", "lte"}, {"eq", "eq"}, {NULL, NULL}};
static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("name", "body.name", TEXT),
    PAGE_FIELD("is_active", "body.is_active", BOOL),
    PAGE_FIELD("active", "body.is_triggered", BOOL),
    PAGE_FIELD("is_triggered", "body.is_triggered", BOOL),
    PAGE_FIELD("metric_field", "body.metric_field", CHOICE, .choices = measures),
    PAGE_FIELD("condition", "body.condition", CHOICE, .choices = conditions),
    PAGE_FIELD("threshold_value", "body.threshold_value", NUMBER),
    PAGE_FIELD("cooldown_minutes", "body.cooldown_minutes", NUMBER),
    PAGE_FIELD("trigger_count", "body.trigger_count", NUMBER),
    PAGE_TIMES("last_triggered", "body.last_triggered_ms"),
    PAGE_FIELD("created_by", "body.created_by", TEXT),
    PAGE_TIMES("created", "created_ms"),
    PAGE_TIMES("updated", "updated_ms"),
};
static const struct page_list rules = {.fields = fields,
                                       .field_count = sizeof fields / sizeof *fields,
                                       .search = "body.name,body.description"};

static bool list_read(struct exchange *x, struct message *m) {
    m->question = (struct question){.kind = slice_text("objects"),
                                    .object = slice_text("alert_rule"), .brand = x->who.brand,
                                    .priority = -1, .dialect = -1};
    return page_read(x, &rules, &m->question);
}

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct object_row row;
    struct rule rule;
    if (!object_row_next(rows, at, &row) || !rule_read(x, &row, &rule)) return;
    out_object(&x->out);
    rule_write(x, &row, &rule);
    out_object_end(&x->out);
    json_decref(rule.json);
}

static void list_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}

/* ---- one ---- */

static void rule_answer(struct exchange *x, const struct message *answer) {
    struct object_row row;
    struct rule rule;
    if (!object_row_read(answer->answer.body, &row) || !rule_read(x, &row, &rule)) {
        monitor_missing(x);
        return;
    }
    out_object(&x->out);
    rule_write(x, &row, &rule);
    out_object_end(&x->out);
    json_decref(rule.json);
    exchange_answer(x, x->route->status);
}

static struct message rule_message(const struct exchange *x, enum verb verb, uint64_t id) {
    struct message m = {.verb = verb};
    m.object.kind = slice_text("alert_rule");
    m.object.brand = x->who.brand;
    m.object.options.id = id;
    return m;
}

static void detail_answer(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) rule_answer(x, answer);
    else if (code == CODE_NOT_FOUND) monitor_missing(x);
    else exchange_refuse(x, code, NULL);
}

static bool detail_read(struct exchange *x, struct message *m) {
    uint64_t id;
    (void)m;
    if (!monitor_id(x, &id)) return false;
    const struct message fetch = rule_message(x, VERB_FETCH, id);
    exchange_try(x, &fetch, detail_answer);
    return false;
}

static bool make_read(struct exchange *x, struct message *m) {
    const struct alert_state state = {0};
    if (x->who.brand == 0) {
        x->cause = CAUSE_BRAND_MALFORMED;
        return exchange_refuse(x, CODE_VALIDATION_ERROR,
                               "X-Brand-ID must name one brand to create a rule.");
    }
    const struct slice body = rule_body(x, x->json, NULL, false, &state);
    if (body.data == NULL) return false;
    *m = rule_message(x, VERB_PUT, 0);
    m->object.name = slice_text(exchange_print(x, "rule-%s", x->request_id));
    m->object.body = body;
    m->object.mode = PUT_CREATE;
    return true;
}

/* ---- changes ---- */

enum act { ACT_CHANGE, ACT_TOGGLE, ACT_ACKNOWLEDGE };
struct change { uint64_t id; uint32_t tries; enum act act; };

static void change_ask(struct exchange *x);

static void changed(struct exchange *x, const struct message *answer) {
    struct change *c = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && ++c->tries < TRIES_MAX) change_ask(x);
    else detail_answer(x, answer);
}

static struct slice body_after(struct exchange *x, struct rule *r, enum act act) {
    const struct slice none = {0};
    json_t *said = act == ACT_CHANGE ? x->json : json_object();
    if (said == NULL && x->method == METHOD_PUT) said = json_object();
    if (act == ACT_TOGGLE) json_object_set_new(said, "is_active", json_boolean(!r->spec.active));
    if (act == ACT_ACKNOWLEDGE) {
        r->state.triggered = false;
        json_object_set_new(r->json, "acknowledged_ms", json_integer(x->wall_ms));
    }
    const bool partial = act != ACT_CHANGE || x->method == METHOD_PATCH;
    const struct slice body = rule_body(x, said, r->json, partial, &r->state);
    if (said != x->json) json_decref(said);
    return body.data != NULL ? body : none;
}

static void change_looked(struct exchange *x, const struct message *answer) {
    const struct change *c = x->state;
    const enum code code = exchange_code(answer);
    struct object_row row;
    struct rule rule;
    if (code != CODE_OK && code != CODE_NOT_FOUND) {
        exchange_refuse(x, code, NULL);
        return;
    }
    if (code != CODE_OK || !object_row_read(answer->answer.body, &row) ||
        !rule_read(x, &row, &rule)) {
        monitor_missing(x);
        return;
    }
    struct message m = rule_message(x, VERB_PUT, c->id);
    m.object.mode = PUT_REPLACE;
    m.object.options.version = row.version;
    m.object.body = body_after(x, &rule, c->act);
    json_decref(rule.json);
    if (m.object.body.data != NULL) exchange_try(x, &m, changed);
}

static void change_ask(struct exchange *x) {
    const struct change *c = x->state;
    const struct message fetch = rule_message(x, VERB_FETCH, c->id);
    exchange_try(x, &fetch, change_looked);
}

static bool act_read(struct exchange *x, enum act act) {
    struct change *c = exchange_alloc(x, sizeof *c);
    x->state = c;
    c->act = act;
    if (!monitor_id(x, &c->id)) return false;
    change_ask(x);
    return false;
}

static bool change_read(struct exchange *x, struct message *m) {
    (void)m;
    return act_read(x, ACT_CHANGE);
}

static bool toggle_read(struct exchange *x, struct message *m) {
    (void)m;
    return act_read(x, ACT_TOGGLE);
}

static bool acknowledge_read(struct exchange *x, struct message *m) {
    (void)m;
    return act_read(x, ACT_ACKNOWLEDGE);
}

static void dropped(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) exchange_answer(x, x->route->status);
    else if (code == CODE_NOT_FOUND) monitor_missing(x);
    else exchange_refuse(x, code, NULL);
}

static bool drop_read(struct exchange *x, struct message *m) {
    uint64_t id;
    (void)m;
    if (!monitor_id(x, &id)) return false;
    const struct message drop = rule_message(x, VERB_DROP, id);
    exchange_try(x, &drop, dropped);
    return false;
}

/* ---- test ---- */

struct trial { uint64_t id; double value; bool send; struct slice answer; };

static void trial_end(struct exchange *x) {
    const struct trial *t = x->state;
    out_raw(&x->out, t->answer);
    exchange_answer(x, x->route->status);
}

static void trial_sent(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) trial_end(x);
    else exchange_refuse(x, code, NULL);
}

/* The event that a firing would tell, marked as a test. */
static void trial_send(struct exchange *x, const struct object_row *row, const struct rule *r) {
    const struct trial *t = x->state;
    json_t *event = json_pack("{s:I s:O s:I s:s s:s s:f s:f s:s s:s s:I s:I s:b}",
                              "alert_rule", (json_int_t)row->id,
                              "rule_name", json_object_get(r->json, "name"),
                              "task", (json_int_t)0, "task_type", "",
                              "metric_field", measure_name((enum measure)r->spec.measure),
                              "metric_value", t->value, "threshold", r->spec.threshold,
                              "condition", alert_conditions[r->spec.condition],
                              "severity", alert_severity(&r->spec, t->value),
                              "brand", (json_int_t)x->who.brand,
                              "triggered_ms", (json_int_t)x->wall_ms, "test", 1);
    char *text = json_dumps(event, JSON_COMPACT);
    const struct hook_event told = {
        .topic = "alert.triggered",
        .key = slice_text(exchange_print(x, "%llu", (unsigned long long)row->id)),
        .data = exchange_copy(x, slice_text(text != NULL ? text : "{}"))};
    free(text);
    json_decref(event);
    hook_submit(x, &told, trial_sent);
}

static struct slice trial_answer(struct exchange *x, const struct object_row *row,
                                 const struct rule *r, bool holds) {
    const struct trial *t = x->state;
    const char *word = alert_conditions[r->spec.condition];
    struct slice body;
    out_object(&x->out);
    out_key(&x->out, "would_trigger");
    out_bool(&x->out, holds);
    out_key(&x->out, "test_passed");
    out_bool(&x->out, holds);
    monitor_integer(x, "rule_id", (int64_t)row->id);
    out_key(&x->out, "rule_name");
    out_json(&x->out, json_object_get(r->json, "name"));
    monitor_number(x, "test_value", t->value);
    monitor_number(x, "threshold_value", r->spec.threshold);
    monitor_text(x, "condition", slice_text(word));
    monitor_text(x, "message", slice_text(exchange_print(
        x, "%s %.10g %s %s %.10g", measure_name((enum measure)r->spec.measure), t->value,
        holds ? "is" : "is not", word, r->spec.threshold)));
    out_key(&x->out, "notification_sent");
    out_bool(&x->out, t->send && holds);
    out_object_end(&x->out);
    body = exchange_copy(x, buffer_slice(&x->out.body));
    buffer_clear(&x->out.body);
    x->out.depth = 0;
    x->out.more[0] = false;
    return body;
}

static void trial_looked(struct exchange *x, const struct message *answer) {
    struct trial *t = x->state;
    const enum code code = exchange_code(answer);
    struct object_row row;
    struct rule r;
    if (code != CODE_OK || !object_row_read(answer->answer.body, &row) ||
        !rule_read(x, &row, &r)) {
        if (code == CODE_OK || code == CODE_NOT_FOUND) monitor_missing(x);
        else exchange_refuse(x, code, NULL);
        return;
    }
    const int64_t again_ms = r.state.last_ms + (int64_t)r.spec.cooldown_s * 1000;
    const bool holds = alert_holds(&r.spec, t->value);
    if (t->send && r.state.last_ms > 0 && again_ms > x->wall_ms) {
        megahub_refuse(x, "ALERT_COOLDOWN_ACTIVE",
                       "The rule fired a short while ago: its cooldown is not over.");
    } else {
        t->answer = trial_answer(x, &row, &r, holds);
        if (t->send && holds) trial_send(x, &row, &r);
        else trial_end(x);
    }
    json_decref(r.json);
}

static bool trial_read(struct exchange *x, struct message *m) {
    struct trial *t = exchange_alloc(x, sizeof *t);
    (void)m;
    x->state = t;
    if (!monitor_id(x, &t->id)) return false;
    t->value = member_number(x->json, "test_value", REQUIRED, 0, -1e15, 1e15, &x->errors);
    t->send = member_bool(x->json, "send_notification", 0, false, &x->errors);
    if (!megahub_fields_good(x)) return false;
    const struct message fetch = rule_message(x, VERB_FETCH, t->id);
    exchange_try(x, &fetch, trial_looked);
    return false;
}

#define BASE "/tasks/monitoring/alerts"
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE, ALERT_GUARD, 200, list_read, "lists alert rules", .verb = VERB_ASK,
          .write = list_write),
    ROUTE(POST, JSON, BASE, ALERT_GUARD, 201, make_read, "makes an alert rule", .verb = VERB_PUT,
          .write = rule_answer),
    ROUTE(GET, NONE, BASE "/{id}", ALERT_GUARD, 200, detail_read, "an alert rule"),
    ROUTE(PUT, JSON, BASE "/{id}", ALERT_GUARD, 200, change_read, "replaces an alert rule"),
    ROUTE(PATCH, JSON, BASE "/{id}", ALERT_GUARD, 200, change_read, "changes an alert rule"),
    ROUTE(DELETE, NONE, BASE "/{id}", ALERT_GUARD, 204, drop_read, "deletes an alert rule"),
    ROUTE(POST, JSON, BASE "/{id}/test", ALERT_GUARD, 200, trial_read,
          "whether a value would fire the rule"),
    ROUTE(POST, JSON, BASE "/{id}/acknowledge", ALERT_GUARD, 200, acknowledge_read,
          "says that an alert was seen"),
    ROUTE(POST, JSON, BASE "/{id}/toggle", ALERT_GUARD, 200, toggle_read, "turns a rule on or off"),
};
const struct routes megahub_alert = {routes, sizeof routes / sizeof *routes};
