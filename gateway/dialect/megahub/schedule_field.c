#include "gateway/account.h"
#include "gateway/dialect/megahub/account.h"
#include "gateway/dialect/megahub/schedule.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/spell.h"
#include "proto/host/zones.h"
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_BYTES = 16 };

const char schedule_stamp[] = "0000-00-00T00:00:00.000Z"; /* no date: nobody means it */

/* ---- in ---- */

struct schedule_record schedule_fresh(void) {
    return (struct schedule_record){
        .zone = slice_text("UTC"), .active = true, .priority = PRIORITY_NORMAL,
        .retries = TASK_RETRIES, .timeout_ms = 60000 * TASK_TIMEOUT_MINUTES};
}

uint32_t schedule_same(const struct schedule_record *a, const struct schedule_record *b) {
    uint32_t same = 0;
    if (slice_equal(a->expression, b->expression)) same |= SET_SCHEDULE_EXPRESSION;
    if (slice_equal(a->zone, b->zone)) same |= SET_SCHEDULE_ZONE;
    if (a->start_ms == b->start_ms) same |= SET_SCHEDULE_START;
    if (a->end_ms == b->end_ms) same |= SET_SCHEDULE_END;
    if (a->active == b->active) same |= SET_SCHEDULE_ACTIVE;
    if (a->executions_max == b->executions_max) same |= SET_SCHEDULE_MAX;
    return same;
}

void field_expression(struct exchange *x, const char *name, uint32_t flags, struct slice *text,
                      const char **wrong) {
    struct cron cron;
    const char *why;
    const struct slice given = member_text(x->json, name, flags, EXPRESSION_MAX, &x->errors);
    if (given.data == NULL) return;
    if (!cron_parse(given, &cron, &why)) {
        field_refuse(&x->errors, name, why);
        *wrong = "INVALID_CRON_EXPRESSION";
        return;
    }
    *text = given;
}

void field_zone(struct exchange *x, const char *name, struct slice *text, const char **wrong) {
    struct zone *zone = NULL;
    const struct slice given = member_text(x->json, name, 0, ZONE_NAME_MAX, &x->errors);
    if (given.data == NULL) return;
    if (!zones_open(given, &zone)) {
        field_refuse(&x->errors, name, megahub_french(x) ? "Ce fuseau horaire n'existe pas."
                                                         : "There is no such time zone.");
        if (*wrong == NULL) *wrong = "TIMEZONE_INVALID";
        return;
    }
    zone_destroy(&zone);
    *text = given;
}

/* A time that null takes away. */
static bool time_take(struct exchange *x, const char *name, int64_t *ms) {
    const json_t *given = member_find(x->json, name);
    const uint32_t before = x->errors.count;
    if (given == NULL) return false;
    const int64_t value = member_time(x->json, name, NULLABLE, &x->errors);
    if (x->errors.count != before) return false;
    if (!json_is_null(given) && value <= 0) {
        field_wrong(&x->errors, name, FIELD_NOT_DATE, 0);
        return false;
    }
    *ms = value;
    return true;
}

void field_span(struct exchange *x, struct schedule_record *r, const char **wrong) {
    const json_t *max = member_find(x->json, "max_executions");
    const bool french = megahub_french(x);
    const bool moved = time_take(x, "start_date", &r->start_ms);
    const bool ends = time_take(x, "end_date", &r->end_ms);
    if (ends && r->end_ms != 0 && r->end_ms <= x->wall_ms) {
        field_refuse(&x->errors, "end_date", megahub_past_text(x));
        if (*wrong == NULL) *wrong = "SCHEDULE_IN_PAST";
    } else if ((moved || ends) && r->start_ms != 0 && r->end_ms != 0 &&
               r->start_ms > r->end_ms) {
        field_refuse(&x->errors, "end_date", french ? "La fin précède le début."
                                                    : "It ends before it starts.");
    }
    r->active = member_bool(x->json, "is_active", 0, r->active, &x->errors);
    if (json_is_null(max)) r->executions_max = 0;
    else r->executions_max = (uint32_t)member_integer(x->json, "max_executions", 0,
                                                      r->executions_max, max == NULL ? 0 : 1,
                                                      UINT32_MAX, &x->errors);
}

void field_template(struct exchange *x, struct schedule_record *r, bool required) {
    struct field_errors *e = &x->errors;
    const uint8_t before = r->priority;
    const struct slice type = member_text(x->json, "task_type", required ? REQUIRED : 0,
                                          TASK_NAME_MAX, e);
    if (type.data != NULL) r->type = type;
    const int priority = member_choice(x->json, "priority", 0, megahub_priorities, e);
    if (priority >= 0) r->priority = (uint8_t)priority;
    const struct slice queue = member_text(x->json, "queue_name", NULLABLE, TASK_NAME_MAX, e);
    if (queue.len > 0) r->queue = queue;
    else if (r->queue.len == 0 || slice_equal(r->queue, megahub_queue(before)))
        r->queue = megahub_queue(r->priority);
    r->retries = (uint16_t)member_integer(x->json, "max_retries", 0, r->retries, 0,
                                          TASK_RETRIES_MAX, e);
    r->timeout_ms = 60000 * (uint32_t)member_integer(x->json, "timeout_minutes", 0,
                                                     r->timeout_ms / 60000, 1,
                                                     TASK_TIMEOUT_MINUTES_MAX, e);
}

bool fields_good(struct exchange *x, const char *wrong) {
    static const struct { const char *name, *detail; } details[] = {
        {"INVALID_CRON_EXPRESSION", "Invalid cron expression."},
        {"TIMEZONE_INVALID", "There is no such time zone."},
        {"SCHEDULE_IN_PAST", "The scheduled time is in the past."},
        {"FREQUENCY_NOT_SUPPORTED", "This frequency is not supported."}};
    if (x->errors.count == 0) return true;
    for (size_t i = 0; wrong != NULL && i < sizeof details / sizeof *details; i++)
        if (strcmp(details[i].name, wrong) == 0)
            return megahub_refuse(x, wrong, details[i].detail);
    return megahub_fields_good(x);
}

/* ---- the parts of a body ---- */

json_t *body_part(const struct schedule_record *r, const char *name) {
    json_t *body = json_of(r->body);
    json_t *part = json_incref(json_object_get(body, name));
    json_decref(body);
    return part != NULL ? part : json_object();
}

json_t *field_object(struct exchange *x, const char *name,
                     const struct schedule_record *before) {
    json_t *given = member_object(x->json, name, NULLABLE, &x->errors);
    if (given != NULL) return json_incref(given);
    if (json_is_null(member_find(x->json, name))) return json_object();
    return body_part(before, name);
}

void object_join(json_t *object, const json_t *more) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)more, key, value)
        if (json_object_get(object, key) == NULL) json_object_set(object, key, value);
}

const char *hash_hex(struct exchange *x, const void *data, size_t len) {
    uint8_t hash[HASH_BYTES];
    char *text = exchange_alloc(x, 2 * sizeof hash + 1);
    crypto_generichash(hash, sizeof hash, data, len, NULL, 0);
    return sodium_bin2hex(text, 2 * sizeof hash + 1, hash, sizeof hash);
}

struct slice json_keep(struct exchange *x, json_t *value) {
    char *text = json_dumps(value, JSON_COMPACT);
    const struct slice kept = exchange_copy(x, slice_text(text != NULL ? text : "null"));
    free(text);
    json_decref(value);
    return kept;
}

struct slice extra_keep(struct exchange *x, struct slice description, const char *key,
                        json_t *cause) {
    json_t *extra = json_object();
    json_object_set_new(extra, "description",
                        json_stringn((const char *)description.data, description.len));
    json_object_set_new(extra, key, cause);
    return json_keep(x, extra);
}

uint32_t stamp_find(struct slice payload) {
    const void *at = memmem(payload.data, payload.len, schedule_stamp, sizeof schedule_stamp - 1);
    return at == NULL ? 0 : (uint32_t)((const uint8_t *)at - payload.data);
}

/* ---- out ---- */

void runs_write(struct exchange *x, const struct schedule_record *r, uint32_t count) {
    struct cron cron;
    struct zone *zone = NULL;
    int64_t at = r->next_ms / 1000;
    if (r->executions_max != 0 && r->executions_max - r->executions < count)
        count = r->executions_max - r->executions;
    out_list(&x->out);
    if (r->next_ms != 0 && count > 0 && cron_parse(r->expression, &cron, NULL) &&
        zones_open(r->zone, &zone)) {
        do {
            if (r->end_ms != 0 && at * 1000 > r->end_ms) break;
            out_time(&x->out, at * 1000);
        } while (--count > 0 && cron_next(&cron, zone, at, &at));
    }
    out_list_end(&x->out);
    zone_destroy(&zone);
}

void origin_write(struct exchange *x, const struct schedule_record *r) {
    struct out *o = &x->out;
    out_key(o, "brand");
    brand_write_out(x, r->brand, exchange_print(x, "brand-%u", r->brand));
    out_key(o, "created_by_name");
    out_text_or_null(o, r->owner);
    out_key(o, "created_at");
    out_time(o, r->created_ms);
    out_key(o, "updated_at");
    out_time(o, r->updated_ms);
}

void run_write(struct exchange *x, const char *message, uint64_t task) {
    char text[TASK_TEXT_SIZE];
    struct out *o = &x->out;
    spell_task(x, task, text);
    out_object(o);
    out_key(o, "message");
    out_string(o, message);
    out_key(o, "id");
    out_unsigned(o, task);
    out_key(o, "task_id");
    out_string(o, text);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}
