/* alert_rule.c - what an alert rule is: from a client, in an object, to a client. */
#include "gateway/dialect/megahub/alert.h"
#include <strings.h>

enum { NAME_MAX_BYTES = 200, TEXT_MAX = 4096, EMAILS_MAX = 20, EMAIL_MAX = 254, URL_MAX = 2000,
       COOLDOWN_MAX = 525600, COOLDOWN = 60 };
static const double threshold_max = 1e15;
static const enum measure watched[] = {MEASURE_RUN, MEASURE_MEMORY, MEASURE_ERRORS, MEASURE_COST,
                                       MEASURE_WAIT, MEASURE_CPU};
static const char *const members[] = {"name", "description", "metric_field", "condition",
                                      "threshold_value", "is_active", "task_types",
                                      "notification_emails", "webhook_url", "cooldown_minutes"};

/* ---- from a client ---- */

/* The text of every element; each at least one byte and at most `max`. */
static json_t *texts_read(struct exchange *x, json_t *said, const char *name, uint32_t count,
                          uint32_t max, bool mail) {
    json_t *list = member_list(said, name, NULLABLE, count, &x->errors);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *text = json_array_get(list, i);
        const size_t len = json_string_length(text);
        const char *at = json_is_string(text) ? strchr(json_string_value(text), '@') : NULL;
        const bool good = json_is_string(text) && len > 0 && len <= max;
        if (good && (!mail || (at != NULL && at != json_string_value(text) && at[1] != '\0')))
            continue;
        field_wrong(&x->errors, name, FIELD_NOT_TEXT, 0);
        break;
    }
    return list;
}

static void url_read(struct exchange *x, json_t *said) {
    const struct slice url =
        member_text(said, "webhook_url", NULLABLE | BLANK_OK, URL_MAX, &x->errors);
    if (url.len == 0) return;
    const char *text = (const char *)url.data;
    if (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0) return;
    field_refuse(&x->errors, "webhook_url", megahub_french(x) ? "Saisissez une URL valide."
                                                              : "Enter a valid URL.");
}

/* 0 = good; else the error_code of what is wrong, noted as a field error too. */
static const char *spec_read(struct exchange *x, json_t *said, struct alert_spec *spec) {
    const struct slice field = member_text(said, "metric_field", REQUIRED, 64, &x->errors);
    const int condition = member_choice(said, "condition", REQUIRED, alert_conditions, &x->errors);
    const json_t *threshold = member_find(said, "threshold_value");
    const enum measure measure = measure_named(field);
    bool known = false;
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) known |= watched[i] == measure;
    if (condition >= 0) spec->condition = (uint8_t)condition;
    spec->measure = known ? (uint8_t)measure : 0;
    spec->active = member_bool(said, "is_active", 0, true, &x->errors);
    spec->cooldown_s = 60 * (uint32_t)member_integer(said, "cooldown_minutes", 0, COOLDOWN, 0,
                                                     COOLDOWN_MAX, &x->errors);
    if (json_is_number(threshold)) spec->threshold = json_number_value(threshold);
    else member_number(said, "threshold_value", REQUIRED, 0, 0, 1, &x->errors);
    if (field.len > 0 && !known) {
        field_wrong(&x->errors, "metric_field", FIELD_NOT_A_CHOICE, 0);
        return "METRIC_FIELD_INVALID";
    }
    if (spec->threshold >= 0 && spec->threshold <= threshold_max) return NULL;
    field_wrong(&x->errors, "threshold_value",
                spec->threshold < 0 ? FIELD_TOO_SMALL : FIELD_TOO_LARGE,
                spec->threshold < 0 ? 0 : (int64_t)threshold_max);
    return "THRESHOLD_OUT_OF_RANGE";
}

/* What was said over what is stored. */
static json_t *merged(json_t *said, const json_t *before, bool partial) {
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *value = member_find(said, members[i]);
        if (value == NULL && partial) value = json_object_get(before, members[i]);
        if (value != NULL) json_object_set(all, members[i], value);
    }
    return all;
}

static void list_write(struct out *o, const char *key, const json_t *list) {
    out_key(o, key);
    if (json_is_array(list)) {
        out_json(o, list);
    } else {
        out_list(o);
        out_list_end(o);
    }
}

static struct slice body_write(struct exchange *x, json_t *all, const json_t *before,
                               const struct alert_state *state, struct alert_spec *spec) {
    struct out rest = {0};
    struct buffer body = {0}, types = {0};
    const json_t *kinds = member_find(all, "task_types");
    const json_t *owner = json_object_get(before, "created_by");
    for (size_t i = 0; i < json_array_size(kinds); i++) {
        const json_t *kind = json_array_get(kinds, i);
        buffer_byte(&types, (uint8_t)json_string_length(kind));
        buffer_append(&types, json_string_value(kind), json_string_length(kind));
        spec->type_count++;
    }
    spec->types = buffer_slice(&types);
    out_object(&rest);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *value = json_object_get(all, members[i]);
        if (strcmp(members[i], "task_types") == 0 ||
            strcmp(members[i], "notification_emails") == 0) {
            list_write(&rest, members[i], value);
            continue;
        }
        out_key(&rest, members[i]);
        if (strcmp(members[i], "is_active") == 0) out_bool(&rest, spec->active);
        else if (strcmp(members[i], "cooldown_minutes") == 0)
            out_integer(&rest, spec->cooldown_s / 60);
        else if (strcmp(members[i], "condition") == 0)
            out_string(&rest, alert_conditions[spec->condition]);
        else if (json_is_string(value) || json_is_number(value)) out_json(&rest, value);
        else out_string(&rest, "");
    }
    out_key(&rest, "acknowledged_ms");
    out_integer(&rest, json_integer_value(json_object_get(before, "acknowledged_ms")));
    out_key(&rest, "created_by");
    out_string(&rest, json_is_string(owner) ? json_string_value(owner) : x->who.name);
    out_object_end(&rest);
    alert_head_put(&body, state, spec);
    buffer_append(&body, rest.body.data + 1, rest.body.len - 1); /* without its bracket */
    const struct slice copy = exchange_copy(x, buffer_slice(&body));
    buffer_free(&rest.body);
    buffer_free(&body);
    buffer_free(&types);
    return copy;
}

struct slice rule_body(struct exchange *x, json_t *said, const json_t *before, bool partial,
                       const struct alert_state *state) {
    struct alert_spec spec = {0};
    struct slice body = {0};
    json_t *all = merged(said, before, partial);
    member_text(all, "name", REQUIRED, NAME_MAX_BYTES, &x->errors);
    member_text(all, "description", NULLABLE | BLANK_OK, TEXT_MAX, &x->errors);
    texts_read(x, all, "task_types", ALERT_TYPES_MAX, ALERT_TYPE_BYTES, false);
    texts_read(x, all, "notification_emails", EMAILS_MAX, EMAIL_MAX, true);
    url_read(x, all);
    const char *wrong = spec_read(x, all, &spec);
    if (wrong != NULL) {
        megahub_refuse(x, wrong, wrong[0] == 'M' ? "There is no such metric to watch."
                                                 : "The threshold is out of range.");
    } else if (megahub_fields_good(x)) {
        body = body_write(x, all, before, state, &spec);
    }
    json_decref(all);
    return body;
}

/* ---- from an object ---- */

bool rule_read(struct exchange *x, const struct object_row *row, struct rule *ret) {
    struct buffer bytes = {0};
    struct slice rest;
    struct rule r = {0};
    const bool good = alert_read(row->body, &bytes, &r.state, &r.spec, &rest);
    if (good) r.json = json_of(row->body);
    r.spec.types = exchange_copy(x, r.spec.types);
    buffer_free(&bytes);
    if (r.json == NULL) return false;
    *ret = r;
    return true;
}

/* ---- to a client ---- */

void rule_write(struct exchange *x, const struct object_row *row, const struct rule *r) {
    struct out *o = &x->out;
    const json_t *mails = json_object_get(r->json, "notification_emails");
    const char *smtp = exchange_option(x, "smtp_url");
    monitor_integer(x, "id", (int64_t)row->id);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        out_key(o, members[i]);
        out_json(o, json_object_get(r->json, members[i]));
    }
    monitor_integer(x, "trigger_count", (int64_t)r->state.count);
    out_key(o, "last_triggered_at");
    out_time(o, r->state.last_ms);
    out_key(o, "is_triggered");
    out_bool(o, r->state.triggered);
    out_key(o, "acknowledged_at");
    out_time(o, json_integer_value(json_object_get(r->json, "acknowledged_ms")));
    out_key(o, "created_by_name");
    out_json(o, json_object_get(r->json, "created_by"));
    out_key(o, "created_at");
    out_time(o, row->created_ms);
    out_key(o, "updated_at");
    out_time(o, row->updated_ms);
    if (json_array_size(mails) == 0 || (smtp != NULL && *smtp != '\0')) return;
    out_key(o, "notification_note");
    out_string(o, "No mail server is set: the addresses are kept, nothing is mailed.");
}
