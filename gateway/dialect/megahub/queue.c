/* queue.c - queues that an administrator sets up; see kind.h. */
#include "gateway/dialect/megahub/kind.h"
#include "gateway/dialect/megahub/megahub.h"

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN, BOSS_GUARD = GUARD_ADMIN | GUARD_BRAND_ADMIN,
       CONCURRENCY_MAX = 1000000, MEMORY_MB_MAX = 1 << 30 };

static json_t *body_of(struct slice body) {
    char why[1];
    return body.len > 0 ? json_parse(body, why, sizeof why) : NULL;
}

static void queue_write(struct exchange *x, const struct object_row *row) {
    struct out *o = &x->out;
    json_t *body = body_of(row->body);
    const char *key;
    json_t *value;
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, row->id);
    out_key(o, "name");
    out_text(o, row->name);
    json_object_foreach(body, key, value) {
        out_key_slice(o, slice_text(key));
        out_json(o, value);
    }
    out_key(o, "created_at");
    out_time(o, row->created_ms);
    out_key(o, "updated_at");
    out_time(o, row->updated_ms);
    out_object_end(o);
    json_decref(body);
}

/* What was stored counts where a PATCH says nothing. */
static void queue_read(struct exchange *x, struct slice before, bool whole, struct out *body) {
    json_t *old = whole ? NULL : body_of(before);
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
    json_t *body = gone ? NULL : body_of(row->body);
    struct message m = {.verb = VERB_QUEUE};
    m.queue = (struct queue_set){.queue = row->name, .brand = row->brand, .set = 1 | 2 | 32};
    m.queue.paused = json_is_false(json_object_get(body, "is_active"));
    m.queue.running_max = (uint32_t)json_integer_value(json_object_get(body, "concurrency"));
    json_decref(body);
    exchange_try(x, &m, obeyed);
}

static const struct things queues = {.object = "task_queue", .path = "/tasks/queues",
                                     .write = queue_write, .read = queue_read,
                                     .stored = queue_stored};

/* ---- routes ---- */

static const struct page_field fields[] = {
    {.name = "id", .field = "id", .kind = PAGE_NUMBER},
    {.name = "name", .field = "name", .kind = PAGE_TEXT},
    {.name = "concurrency", .field = "body.concurrency", .kind = PAGE_NUMBER},
    {.name = "max_memory_mb", .field = "body.max_memory_mb", .kind = PAGE_NUMBER},
    {.name = "is_active", .field = "body.is_active", .kind = PAGE_BOOL},
    {.name = "created_at", .field = "created_ms", .kind = PAGE_TIME},
};
static const struct page_list list = {.fields = fields,
                                      .field_count = sizeof fields / sizeof *fields,
                                      .search = "name"};

static bool list_read(struct exchange *x, struct message *m) {
    things_ask(x, &queues, &m->question);
    return page_read(x, &list, &m->question);
}
static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct object_row row;
    if (object_row_next(rows, at, &row)) queue_write(x, &row);
}
static void list_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}
static bool create_read(struct exchange *x, struct message *m) {
    (void)m;
    return things_create(x, &queues);
}
static bool detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return things_detail(x, &queues);
}
static bool change_read(struct exchange *x, struct message *m) {
    (void)m;
    return things_change(x, &queues);
}
static bool delete_read(struct exchange *x, struct message *m) {
    (void)m;
    return things_delete(x, &queues);
}

#define BASE "/tasks/queues"
static const struct route routes[] = {
    {METHOD_GET, BASE, MEMBER_GUARD, BODY_NONE, 0, VERB_ASK, 200, list_read, list_write,
     "lists queues", NULL, NULL},
    {METHOD_POST, BASE, BOSS_GUARD, BODY_JSON, 0, VERB_NONE, 201, create_read, NULL,
     "sets up a queue", NULL, NULL},
    {METHOD_GET, BASE "/{id}", MEMBER_GUARD, BODY_NONE, 0, VERB_NONE, 200, detail_read, NULL,
     "reads a queue", NULL, NULL},
    {METHOD_PUT, BASE "/{id}", BOSS_GUARD, BODY_JSON, 0, VERB_NONE, 200, change_read, NULL,
     "changes a queue", NULL, NULL},
    {METHOD_PATCH, BASE "/{id}", BOSS_GUARD, BODY_JSON, 0, VERB_NONE, 200, change_read, NULL,
     "changes a queue", NULL, NULL},
    {METHOD_DELETE, BASE "/{id}", BOSS_GUARD, BODY_NONE, 0, VERB_NONE, 204, delete_read, NULL,
     "deletes a queue", NULL, NULL},
};
const struct routes megahub_queues = {routes, sizeof routes / sizeof *routes};
