#include "gateway/dialect/megahub/kind.h"
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/known.h"
#include <string.h>

enum { TIMEOUT_S = 3600, TIMEOUT_S_MAX = TASK_TIMEOUT_MINUTES_MAX * 60 };

/* ---- what is stored ---- */

/* What was stored counts where a PATCH says nothing. */
static void kind_read(struct exchange *x, struct slice before, bool whole, struct out *body) {
    json_t *old = whole ? NULL : json_of(before);
    struct field_errors *e = &x->errors;
    const json_t *old_time = json_object_get(old, "timeout_seconds");
    const json_t *old_retries = json_object_get(old, "max_retries");
    const char *old_priority = json_string_value(json_object_get(old, "default_priority"));
    const char *old_queue = json_string_value(json_object_get(old, "default_queue"));
    struct slice queue = member_text(x->json, "default_queue", NULLABLE, TASK_NAME_MAX, e);
    const int priority = member_choice(x->json, "default_priority", 0, megahub_priorities, e);
    if (member_find(x->json, "default_queue") == NULL && old_queue != NULL)
        queue = slice_text(old_queue);
    out_object(body);
    out_key(body, "default_queue");
    out_text_or_null(body, queue);
    out_key(body, "default_priority");
    out_string(body, priority >= 0 ? megahub_priorities[priority]
                     : old_priority != NULL ? old_priority : "normal");
    out_key(body, "timeout_seconds");
    out_integer(body, member_integer(x->json, "timeout_seconds", 0,
                                     old_time ? json_integer_value(old_time) : TIMEOUT_S, 1,
                                     TIMEOUT_S_MAX, e));
    out_key(body, "max_retries");
    out_integer(body, member_integer(x->json, "max_retries", 0,
                                     old_retries ? json_integer_value(old_retries) : TASK_RETRIES,
                                     0, TASK_RETRIES_MAX, e));
    out_object_end(body);
    json_decref(old);
}

/* ---- what tasks take from it ---- */

bool kind_known(struct exchange *x, struct slice type) {
    struct known known;
    return type.len == 0 || type.len > KNOWN_NAME_MAX || x->who.brand == 0 ||
           known_get(x, KNOWN_TYPE, x->who.brand, type, &known);
}

void kind_load(struct exchange *x, struct slice type, void (*then)(struct exchange *x)) {
    known_load(x, KNOWN_TYPE, x->who.brand, type, then);
}

struct kind_defaults kind_defaults(struct exchange *x, struct slice type) {
    struct kind_defaults d = {.priority = -1, .max_retries = -1};
    struct known known;
    if (type.len == 0 || !known_get(x, KNOWN_TYPE, x->who.brand, type, &known)) return d;
    json_t *body = json_of(known.text);
    const char *priority = json_string_value(json_object_get(body, "default_priority"));
    const char *queue = json_string_value(json_object_get(body, "default_queue"));
    for (int i = 0; priority != NULL && megahub_priorities[i] != NULL; i++)
        if (strcmp(priority, megahub_priorities[i]) == 0) d.priority = i;
    if (queue != NULL) d.queue = exchange_copy(x, slice_text(queue));
    if (body != NULL) {
        d.timeout_ms = 1000 * json_integer_value(json_object_get(body, "timeout_seconds"));
        d.max_retries = json_integer_value(json_object_get(body, "max_retries"));
    }
    json_decref(body);
    return d;
}

/* ---- routes ---- */

static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("name", "name", TEXT),
    PAGE_FIELD("default_queue", "body.default_queue", TEXT),
    PAGE_FIELD("default_priority", "body.default_priority", TEXT),
    PAGE_FIELD("timeout_seconds", "body.timeout_seconds", NUMBER),
    PAGE_FIELD("max_retries", "body.max_retries", NUMBER),
    PAGE_TIMES("created", "created_ms"),
    PAGE_TIMES("updated", "updated_ms"),
};
const struct things things_types = {
    .object = "task_type", .path = "/tasks/types", .read = kind_read,
    .list = {.fields = fields, .field_count = sizeof fields / sizeof *fields, .search = "name"}};

static const struct route routes[] = {
    THINGS_ROUTES("/tasks/types", "types of tasks", "a type of tasks"),
};
const struct routes megahub_kinds = {routes, sizeof routes / sizeof *routes};
