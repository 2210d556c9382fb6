#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/outcode.h"
#include "gateway/dialect/qalpuch/account.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/spell.h"
#include "gateway/guard.h"
#include <sodium.h>
#include <string.h>

enum {
    OWNER = GUARD_USER | GUARD_ADMIN,
    WORKER = GUARD_WORKER | GUARD_ENROLLED,
    HOLDER = GUARD_USER | GUARD_ADMIN | WORKER,
    LIMIT = 50, LIMIT_MAX = 100, PAGE_MAX = 1000000,
    LINK_QUERY_MAX = 256 /* bytes of other parameters; four links must fit into the head */
};

#define TASK_ROUTES(base) \
    ROUTE(POST, JSON, base "/tasks", OWNER, 201, qalpuch_create_read, \
          "creates a task on an uploaded file"), \
    ROUTE(GET, NONE, base "/tasks", OWNER, 200, qalpuch_list_read, \
          "the caller's tasks, newest first", .verb = VERB_ASK, .write = qalpuch_list_write), \
    ROUTE(GET, NONE, base "/tasks/pending", WORKER, 200, work_pending_read, \
          "hands a task to the calling worker"), \
    ROUTE(GET, NONE, base "/tasks/{cuid}", HOLDER, 200, qalpuch_detail_read, "reads a task"), \
    ROUTE(PATCH, JSON, base "/tasks/{cuid}", WORKER, 200, work_patch_read, \
          "says how it goes, or that it failed"), \
    ROUTE(POST, FORM, base "/tasks/{cuid}", WORKER, 200, work_result_read, \
          "completes a task with its result", .begin = work_result_begin), \
    ROUTE(POST, FORM, base "/tasks/{cuid}/result", WORKER, 200, work_result_read, "the same", \
          .begin = work_result_begin), \
    ROUTE(PUT, FORM, base "/tasks/{cuid}/result", WORKER, 200, work_result_read, "the same", \
          .begin = work_result_begin), \
    ROUTE(GET, NONE, base "/tasks/{cuid}/result", OWNER, 200, qalpuch_result_read, \
          "the result's bytes; takes Range"), \
    ROUTE(POST, JSON, base "/tasks/{cuid}/cancel", OWNER, 200, qalpuch_cancel_read, \
          "cancels a task"), \
    ROUTE(POST, JSON, base "/tasks/{cuid}/retry", OWNER, 200, qalpuch_retry_read, \
          "queues a failed task again"), \
    ROUTE(DELETE, NONE, base "/tasks/{cuid}", OWNER, 200, qalpuch_delete_read, "deletes a task")

#define WORKER_ROUTES(base) \
    ROUTE(POST, JSON, base "/worker", GUARD_ADMIN, 201, agent_create_read, \
          "creates a worker; shows its registration token once"), \
    ROUTE(GET, NONE, base "/worker", GUARD_ADMIN, 200, agent_list_read, "the workers"), \
    ROUTE(GET, NONE, base "/worker/{cuid}", GUARD_ADMIN, 200, agent_detail_read, \
          "a worker and the tasks it holds"), \
    ROUTE(DELETE, NONE, base "/worker/{cuid}", GUARD_ADMIN, 200, agent_delete_read, \
          "deletes a worker; its tokens die, its tasks go back"), \
    ROUTE(POST, JSON, base "/worker/{cuid}/token", GUARD_ADMIN, 201, agent_token_read, \
          "a new registration token in place of the old"), \
    ROUTE(POST, JSON, base "/worker/register", GUARD_OPEN | GUARD_SLOW, 200, enrol_register_read, \
          "trades a registration token for a JWT, once"), \
    ROUTE(POST, JSON, base "/worker/refresh-auth", GUARD_OPEN | GUARD_SLOW, 200, \
          enrol_refresh_read, "trades a refresh token for a new JWT, once"), \
    ROUTE(POST, JSON, base "/worker/heartbeat", WORKER, 200, enrol_heartbeat_read, \
          "says that the worker is there")

#define FILE_ROUTES(base) \
    ROUTE(POST, FORM, base "/files/upload", HOLDER, 201, file_upload_read, "takes a file", \
          .part = file_upload_part), \
    ROUTE(GET, NONE, base "/files", OWNER, 200, file_list_read, \
          "the caller's files, newest first", .verb = VERB_ASK, .write = file_list_write), \
    ROUTE(GET, NONE, base "/files/{cuid}", HOLDER, 200, file_detail_read, \
          "what is known of a file"), \
    ROUTE(GET, NONE, base "/files/{cuid}/download", HOLDER, 200, file_download_read, \
          "its bytes; takes Range"), \
    ROUTE(PUT, JSON, base "/files/{cuid}", OWNER, 200, file_rename_read, "renames a file"), \
    ROUTE(DELETE, NONE, base "/files/{cuid}", OWNER, 200, file_delete_read, \
          "deletes a file that no unfinished task needs")

#define PRESET_ROUTES(base) \
    ROUTE(POST, JSON, base "/predefined-tasks", GUARD_ADMIN, 201, preset_create_read, \
          "creates a predefined task"), \
    ROUTE(GET, NONE, base "/predefined-tasks", OWNER, 200, preset_list_read, \
          "the predefined tasks", .verb = VERB_ASK, .write = preset_list_write), \
    ROUTE(GET, NONE, base "/predefined-tasks/{cuid}", OWNER, 200, preset_detail_read, \
          "a predefined task"), \
    ROUTE(PUT, JSON, base "/predefined-tasks/{cuid}", GUARD_ADMIN, 200, preset_update_read, \
          "changes a predefined task"), \
    ROUTE(DELETE, NONE, base "/predefined-tasks/{cuid}", GUARD_ADMIN, 200, preset_delete_read, \
          "deletes a predefined task")

#define ROUTES(base) \
    QALPUCH_ACCOUNT_ROUTES(base), WORKER_ROUTES(base), FILE_ROUTES(base), TASK_ROUTES(base), \
    PRESET_ROUTES(base)

static const struct route routes[] = {ROUTES("/api/v1"), ROUTES("/v1")};

static const char *const prefixes[] = {"/api/v1", "/v1", NULL};

/* ---- the envelope ---- */

static void envelope_begin(struct exchange *x, const char *message) {
    out_key(&x->out, "success");
    out_bool(&x->out, true);
    out_key(&x->out, "message");
    out_string(&x->out, message);
    out_key(&x->out, "data");
}

void qalpuch_open(struct exchange *x, const char *message) {
    out_object(&x->out);
    envelope_begin(x, message);
}

void qalpuch_close(struct exchange *x) {
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

void qalpuch_twice(struct exchange *x, const char *message, void (*members)(struct exchange *x)) {
    const char *nested = exchange_option(x, "nested_answers");
    qalpuch_open(x, message);
    out_object(&x->out);
    members(x);
    if (nested != NULL && strcmp(nested, "true") == 0) {
        envelope_begin(x, message);
        out_object(&x->out);
        members(x);
        out_object_end(&x->out);
    }
    out_object_end(&x->out);
    qalpuch_close(x);
}

/* What the getters noted, as one sentence. */
static const char *fields_join(struct exchange *x) {
    const char *all = "";
    for (uint32_t i = 0; i < x->errors.count; i++) {
        char text[160];
        const struct field_error *e = &x->errors.list[i];
        field_sentence(e, text, sizeof text);
        all = exchange_print(x, "%s%s%s: %s", all, i > 0 ? " " : "", e->name, text);
    }
    return all;
}

bool qalpuch_fields_good(struct exchange *x) {
    return x->errors.count == 0 || exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
}

bool qalpuch_one_brand(struct exchange *x) {
    if (x->who.brand == 0) field_refuse(&x->errors, "X-Brand-ID", "One brand must be chosen.");
    return qalpuch_fields_good(x);
}

void qalpuch_fail(struct exchange *x, enum code code, const char *text) {
    struct outcode plain = outcode_of(code);
    if (plain.status == 400 && x->errors.count > 0) text = fields_join(x);
    if (plain.status == 401) exchange_set(x, "WWW-Authenticate", "Bearer");
    out_object(&x->out);
    out_key(&x->out, "success");
    out_bool(&x->out, false);
    out_key(&x->out, "message");
    out_string(&x->out, text);
    out_key(&x->out, "error");
    out_string(&x->out, text);
    out_key(&x->out, "code");
    out_string(&x->out, plain.name);
    out_object_end(&x->out);
    exchange_answer(x, plain.status);
}

/* ---- ids and names ---- */

void qalpuch_hash(const struct exchange *x, const char *use, struct slice a, struct slice b,
                  char ret[QALPUCH_HASH_SIZE]) {
    static const uint8_t none[16];
    const uint8_t *key = exchange_id_key(x);
    uint8_t hash[32], separator = 0;
    crypto_generichash_state state;
    crypto_generichash_init(&state, key != NULL ? key : none, sizeof none, sizeof hash);
    crypto_generichash_update(&state, (const uint8_t *)use, strlen(use) + 1);
    crypto_generichash_update(&state, a.data, a.len);
    crypto_generichash_update(&state, &separator, 1);
    crypto_generichash_update(&state, b.data, b.len);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(ret, QALPUCH_HASH_SIZE, hash, sizeof hash);
}

/* Both bases are the same route. */
const char *qalpuch_once(struct exchange *x) {
    const char *key = exchange_header(x, "Idempotency-Key");
    char hash[QALPUCH_HASH_SIZE];
    if (key == NULL) return NULL;
    if (*key == '\0' || strlen(key) > QALPUCH_KEY_MAX)
        field_refuse(&x->errors, "Idempotency-Key", "1 to 255 bytes are expected.");
    const char *route = strstr(x->route->path, "/v1/");
    qalpuch_hash(x, route, slice_text(x->who.name), slice_text(key), hash);
    return exchange_print(x, "i:%s", hash);
}

const char *cuid_new(struct exchange *x) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char *text = exchange_alloc(x, CUID_SIZE);
    text[0] = 'c';
    for (int i = 1; i < CUID_SIZE - 1; i++) text[i] = digits[randombytes_uniform(36)];
    return text;
}

bool cuid_form(struct slice text) {
    if (text.len != CUID_SIZE - 1 || text.data[0] != 'c') return false;
    for (uint32_t i = 1; i < text.len; i++) {
        uint8_t c = text.data[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'z')) return false;
    }
    return true;
}

void out_times(struct out *o, int64_t created_ms, int64_t updated_ms) {
    static const char *const names[] = {"createdAt", "updatedAt", "created_at", "updated_at"};
    for (int i = 0; i < 4; i++) {
        out_key(o, names[i]);
        out_time(o, i % 2 == 0 ? created_ms : updated_ms);
    }
}

bool qalpuch_cuid(struct exchange *x, struct slice *ret_text) {
    struct slice text = exchange_param(x, "cuid");
    if (!cuid_form(text)) return exchange_refuse(x, CODE_NOT_FOUND, NULL);
    *ret_text = text;
    return true;
}

bool qalpuch_task_id(struct exchange *x, uint64_t *ret_id) {
    if (spell_cuid_read(x, exchange_param(x, "cuid"), ret_id)) return true;
    return exchange_refuse(x, CODE_UNKNOWN_TASK, NULL); /* as of a task of another brand */
}

/* ---- pages ---- */

bool qalpuch_page_read(struct exchange *x, struct question *q, struct qalpuch_page *ret_page) {
    const uint32_t most = setting_page_max(x) < LIMIT_MAX ? setting_page_max(x) : LIMIT_MAX;
    const uint32_t usual = most < LIMIT ? most : LIMIT;
    int64_t page = exchange_query_number(x, "page", 1, 1, PAGE_MAX);
    int64_t size = exchange_query_number(x, "limit", usual, 1, UINT32_MAX);
    if (!qalpuch_fields_good(x)) return false;
    if (size > most) size = most;
    *ret_page = (struct qalpuch_page){(uint32_t)page, (uint32_t)size};
    q->brand = x->who.brand;
    q->priority = q->dialect = -1;
    q->descending = q->count = true;
    q->limit = (uint32_t)size;
    q->offset = (uint32_t)((page - 1) * size);
    return true;
}

/* The query without page and limit, as it was sent, with "&" behind it. What would end the link
 * is escaped. */
static const char *query_rest(struct exchange *x) {
    const char *rest = "";
    for (const char *at = x->query; *at != '\0';) {
        int len = (int)strcspn(at, "&");
        bool ours = strncmp(at, "page=", 5) == 0 || strncmp(at, "limit=", 6) == 0;
        if (len > 0 && !ours && strcspn(at, "<>") >= (size_t)len)
            rest = exchange_print(x, "%s%.*s&", rest, len, at);
        at += len;
        at += *at == '&';
    }
    return rest;
}

static const char *link_to(struct exchange *x, const char *before, const char *rest,
                           const struct qalpuch_page *page, uint64_t number, const char *rel) {
    return exchange_print(x, "%s%s<%s%s?%spage=%llu&limit=%u>; rel=\"%s\"", before,
                          *before != '\0' ? ", " : "", exchange_origin(x), x->path, rest,
                          (unsigned long long)number, page->size, rel);
}

void qalpuch_page_headers(struct exchange *x, const struct qalpuch_page *page,
                          const struct rows *rows) {
    if (rows->total < 0) return;
    uint64_t total = (uint64_t)rows->total;
    uint64_t last = total == 0 ? 1 : (total + page->size - 1) / page->size;
    const char *rest = query_rest(x), *links = "";
    exchange_set(x, "X-Total-Count", exchange_print(x, "%llu", (unsigned long long)total));
    if (!rows->total_exact) exchange_set(x, "X-Total-Exact", "false");
    if (strlen(rest) > LINK_QUERY_MAX) return;
    if (page->number < last) links = link_to(x, links, rest, page, page->number + 1, "next");
    if (page->number > 1) links = link_to(x, links, rest, page, page->number - 1, "prev");
    links = link_to(x, links, rest, page, 1, "first");
    links = link_to(x, links, rest, page, last, "last");
    exchange_set(x, "Link", links);
}

static step *const steps[] = {guard_cors, guard_who, guard_brand, guard_role, guard_rate, NULL};

const struct dialect qalpuch = {
    .name = "qalpuch",
    .prefixes = prefixes,
    .fold = FOLD_CASE,
    .steps = steps,
    .fail = qalpuch_fail,
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
};
