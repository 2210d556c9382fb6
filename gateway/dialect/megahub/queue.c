/* queue.c - queues that an administrator sets up; see kind.h. */
#include "gateway/dialect/megahub/kind.h"
#include "gateway/dialect/megahub/megahub.h"

enum { CONCURRENCY_MAX = 1000000, MEMORY_MB_MAX = 1 << 30 };

/* What was stored counts where a PATCH says nothing. */
static void queue_read(struct exchange *x, struct slice before, bool whole, struct out *body) {
    json_t *old = whole ? NULL : json_of(before);
    struct field_errors *e = &x->errors;
    const json_t *memory = json_object_get(old, "max_memory_mb");
    const json_t *active = json_object_get(old, "is_active");
    const int64_t limit = json_integer_value(json_object_get(old, "concurrency"));
    out_object(body);
    out_key(body, "concurrency");
    out_integer(body, member_integer(x->json, "concurrency", 0, limit, 0, CONCURRENCY_MAX, e));
    const int64_t most = member_integer(x->json, "max_memory_mb", NULLABLE,
                                        json_integer_value(memory), 1, MEMORY_MB_MAX, e);
    out_key(body, "max_memory_mb");
    if (most > 0) out_integer(body, most);
    else out_null(body);
    out_key(body, "is_active");
    out_bool(body, member_bool(x->json, "is_active", 0, active == NULL || json_is_true(active),
                               e));
    out_object_end(body);
    json_decref(old);
}

static void obeyed(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) things_done(x);
    else exchange_refuse(x, code, NULL);
}

/* The broker obeys it; a queue that is set up no more has no limits. */
static void queue_stored(struct exchange *x, const struct object_row *row, bool gone) {
    json_t *body = gone ? NULL : json_of(row->body);
    struct message m = {.verb = VERB_QUEUE};
    m.queue = (struct queue_set){.queue = row->name, .brand = row->brand,
                                 .set = SET_QUEUE_PAUSED | SET_QUEUE_RUNNING |
                                        SET_QUEUE_BRAND};
    m.queue.paused = json_is_false(json_object_get(body, "is_active"));
    m.queue.running_max = (uint32_t)json_integer_value(json_object_get(body, "concurrency"));
    json_decref(body);
    exchange_try(x, &m, obeyed);
}

/* ---- routes ---- */

static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("name", "name", TEXT),
    PAGE_FIELD("concurrency", "body.concurrency", NUMBER),
    PAGE_FIELD("max_memory_mb", "body.max_memory_mb", NUMBER),
    PAGE_FIELD("is_active", "body.is_active", BOOL),
    PAGE_TIMES("created", "created_ms"),
    PAGE_TIMES("updated", "updated_ms"),
};
const struct things things_queues = {
    .object = "task_queue", .path = "/tasks/queues", .read = queue_read, .stored = queue_stored,
    .list = {.fields = fields, .field_count = sizeof fields / sizeof *fields, .search = "name"}};

static const struct route routes[] = {
    THINGS_ROUTES("/tasks/queues", "queues", "a queue"),
};
const struct routes megahub_queues = {routes, sizeof routes / sizeof *routes};
