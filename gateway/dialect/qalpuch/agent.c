/* agent.c - workers as an administrator sees them. See agent.h. */
#include "gateway/dialect/qalpuch/agent.h"
#include "gateway/account.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_ROWS_MAX = 1000 };

/* ---- the object ---- */

bool capabilities_have(const struct capabilities *l, struct slice word) {
    for (uint32_t i = 0; i < l->count; i++) {
        if (slice_equal(l->list[i], word)) return true;
    }
    return false;
}

static struct slice text_copy(struct exchange *x, const json_t *value) {
    if (!json_is_string(value)) return (struct slice){0};
    return exchange_copy(x, slice_of(json_string_value(value), json_string_length(value)));
}

static void list_take(struct exchange *x, const json_t *list, struct capabilities *ret) {
    size_t i, count = json_array_size(list);
    json_t *item;
    if (count > QALPUCH_CAPABILITIES_MAX) count = QALPUCH_CAPABILITIES_MAX;
    if (count > 0) ret->list = exchange_alloc(x, sizeof *ret->list * count);
    json_array_foreach(list, i, item) {
        struct slice word = text_copy(x, item);
        if (ret->count < count && !capabilities_have(ret, word))
            ret->list[ret->count++] = word;
    }
}

/* Reads a list of capabilities; a text stands for a list of one. Notes what is wrong. */
static void capabilities_read(struct exchange *x, json_t *object, struct capabilities *ret) {
    json_t *one = member_find(object, "capabilities");
    *ret = (struct capabilities){0};
    if (json_is_string(one)) {
        ret->list = exchange_alloc(x, sizeof *ret->list);
        ret->list[ret->count++] = member_text(object, "capabilities", 0, QALPUCH_NAME_MAX,
                                              &x->errors);
        return;
    }
    json_t *list = member_list(object, "capabilities", NULLABLE, QALPUCH_CAPABILITIES_MAX,
                               &x->errors);
    size_t i;
    json_array_foreach(list, i, one) {
        if (json_is_string(one) && json_string_length(one) > 0 &&
            json_string_length(one) <= QALPUCH_NAME_MAX)
            continue;
        field_refuse(&x->errors, "capabilities", "Names of 1 to 128 bytes are expected.");
        return;
    }
    list_take(x, list, ret);
}

bool agent_of(struct exchange *x, const struct object_row *row, struct agent *ret) {
    json_t *body = json_of(row->body);
    if (!json_is_object(body) || !cuid_form(row->name)) {
        json_decref(body);
        return false;
    }
    const json_t *load = json_object_get(body, "load");
    struct slice brand = exchange_copy(x, row->owner);
    *ret = (struct agent){
        .id = exchange_copy(x, row->name),
        .brand = (uint32_t)strtoul((const char *)brand.data, NULL, 10),
        .version = row->version,
        .created_ms = row->created_ms,
        .updated_ms = row->updated_ms,
        .name = text_copy(x, json_object_get(body, "name")),
        .token_until_ms = json_integer_value(json_object_get(body, "token_until_ms")),
        .registered_ms = json_integer_value(json_object_get(body, "registered_ms")),
        .registered_by = text_copy(x, json_object_get(body, "registered_by")),
        .boot = (uint64_t)json_integer_value(json_object_get(body, "boot")),
        .refreshes = (uint32_t)json_integer_value(json_object_get(body, "refreshes")),
        .issued_s = json_integer_value(json_object_get(body, "issued_s")),
        .seen_ms = json_integer_value(json_object_get(body, "seen_ms")),
        .said = text_copy(x, json_object_get(body, "said")),
        .load = json_is_number(load) ? json_number_value(load) : -1,
    };
    list_take(x, json_object_get(body, "capabilities"), &ret->capabilities);
    json_decref(body);
    return true;
}

static void capabilities_write(struct out *o, const struct agent *a) {
    out_key(o, "capabilities");
    out_list(o);
    for (uint32_t i = 0; i < a->capabilities.count; i++) out_text(o, a->capabilities.list[i]);
    out_list_end(o);
}

static void body_write(struct out *o, const struct agent *a) {
    const struct { const char *name; int64_t value; } numbers[] = {
        {"token_until_ms", a->token_until_ms}, {"registered_ms", a->registered_ms},
        {"boot", (int64_t)a->boot},            {"refreshes", a->refreshes},
        {"issued_s", a->issued_s},             {"seen_ms", a->seen_ms}};
    out_object(o);
    out_key(o, "name");
    out_text(o, a->name);
    capabilities_write(o, a);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        out_key(o, numbers[i].name);
        out_integer(o, numbers[i].value);
    }
    out_key(o, "registered_by");
    out_text(o, a->registered_by);
    out_key(o, "said");
    out_text(o, a->said);
    out_key(o, "load");
    out_number(o, a->load);
    out_object_end(o);
}

bool agent_here(const struct exchange *x, const struct agent *a) {
    return a->boot != 0 && x->wall_ms - a->seen_ms <= AGENT_GONE_MS &&
           !slice_equal(a->said, slice_text("offline"));
}

void agent_fetch(struct exchange *x, struct slice name, exchange_then *then) {
    struct message m = {.verb = VERB_FETCH, .object = {.kind = slice_text("agent"), .name = name}};
    exchange_try_as(x, &account_house, &m, then);
}

void agent_store(struct exchange *x, const struct agent *a, const char *key, enum put_mode mode,
                 exchange_then *then) {
    struct out o = {0};
    struct buffer keys = {0};
    body_write(&o, a);
    if (key != NULL) text_put(&keys, slice_text(key));
    struct message m = {
        .verb = VERB_PUT,
        .object = {.kind = slice_text("agent"), .name = a->id, .mode = (uint8_t)mode,
                   .body = exchange_copy(x, buffer_slice(&o.body)),
                   .options = {.version = mode == PUT_REPLACE ? a->version : 0,
                               .key_count = key != NULL,
                               .keys = exchange_copy(x, buffer_slice(&keys)),
                               .owner = slice_text(exchange_print(x, "%u", a->brand))}}};
    buffer_free(&o.body);
    buffer_free(&keys);
    exchange_try_as(x, &account_house, &m, then);
}

/* ---- the Worker JSON ---- */

static const char *status_of(const struct exchange *x, const struct agent *a, bool busy) {
    if (busy) return "busy";
    if (!agent_here(x, a)) return "offline";
    return slice_equal(a->said, slice_text("busy")) ? "busy" : "online";
}

static void agent_members(struct exchange *x, const struct agent *a, const char *token,
                          bool busy) {
    struct out *o = &x->out;
    out_key(o, "id");
    out_text(o, a->id);
    out_key(o, "name");
    out_text(o, a->name);
    if (token != NULL) {
        out_key(o, "token");
        out_string(o, token);
    }
    out_key(o, "status");
    out_string(o, status_of(x, a, busy));
    capabilities_write(o, a);
    out_key(o, "lastSeenAt");
    out_time(o, a->seen_ms);
    if (a->load >= 0) {
        out_key(o, "load");
        out_number(o, a->load);
    }
    out_times(o, a->created_ms, a->updated_ms);
}

/* ---- create ---- */

struct making { struct agent agent; const char *token; };

/* 16 bytes as a UUID's text, marked as a random one. */
static const char *uuid_text(struct exchange *x, uint8_t bytes[16]) {
    char hex[33];
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    sodium_bin2hex(hex, sizeof hex, bytes, 16);
    return exchange_print(x, "%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static const char *token_new(struct exchange *x) {
    uint8_t bytes[16];
    randombytes_buf(bytes, sizeof bytes);
    return uuid_text(x, bytes);
}

static int64_t token_end(const struct exchange *x) {
    const char *text = exchange_option(x, "registration_ms");
    return x->wall_ms + (text != NULL ? strtoll(text, NULL, 10) : 0);
}

static void made_write(struct exchange *x, const struct agent *a, const char *token) {
    qalpuch_open(x, "Worker created successfully");
    out_object(&x->out);
    agent_members(x, a, token, false);
    out_object_end(&x->out);
    qalpuch_close(x);
}

/* The key of a repeated call names the worker that the first one made. */
static void made_before(struct exchange *x, const struct message *answer) {
    const struct making *made = x->state;
    struct object_row row;
    struct agent a;
    enum code code = exchange_code(answer);
    if (code != CODE_OK || !object_row_read(answer->answer.body, &row) || !agent_of(x, &row, &a)) {
        exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR, NULL);
        return;
    }
    bool same = slice_equal(a.name, made->agent.name) &&
                a.capabilities.count == made->agent.capabilities.count;
    for (uint32_t i = 0; same && i < a.capabilities.count; i++)
        same = slice_equal(a.capabilities.list[i], made->agent.capabilities.list[i]);
    if (same) made_write(x, &a, made->token);
    else exchange_refuse(x, CODE_IDEMPOTENCY_CONFLICT, NULL);
}

static void made_check(struct exchange *x, const struct message *answer) {
    struct making *made = x->state;
    struct object_row row;
    enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && exchange_header(x, "Idempotency-Key") != NULL) {
        agent_fetch(x, made->agent.id, made_before);
        return;
    }
    if (code != CODE_OK || !object_row_read(answer->answer.body, &row)) {
        exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR, NULL);
        return;
    }
    made->agent.created_ms = row.created_ms;
    made->agent.updated_ms = row.updated_ms;
    made_write(x, &made->agent, made->token);
}

/* With an Idempotency-Key id and token follow from it, so that they can be said again without
 * being stored. */
static void making_name(struct exchange *x, struct making *made) {
    const char *key = exchange_header(x, "Idempotency-Key");
    made->agent.id = slice_text(cuid_new(x));
    made->token = token_new(x);
    if (key == NULL || *key == '\0') return;
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char hash[QALPUCH_HASH_SIZE], *id = exchange_alloc(x, CUID_SIZE);
    uint8_t bytes[32];
    const char *whose = exchange_print(x, "%u/%s", x->who.brand, x->who.name);
    qalpuch_hash(x, "worker", slice_text(whose), slice_text(key), hash);
    sodium_hex2bin(bytes, sizeof bytes, hash, 64, NULL, NULL, NULL);
    id[0] = 'c';
    for (int i = 0; i < 24; i++) id[1 + i] = digits[bytes[i] % 36];
    made->agent.id = slice_text(id);
    qalpuch_hash(x, "worker token", slice_text(whose), slice_text(key), hash);
    sodium_hex2bin(bytes, sizeof bytes, hash, 64, NULL, NULL, NULL);
    made->token = uuid_text(x, bytes);
}

bool agent_create_read(struct exchange *x, struct message *m) {
    struct making *made = exchange_alloc(x, sizeof *made);
    struct agent *a = &made->agent;
    (void)m;
    a->name = member_text(x->json, "name", REQUIRED, QALPUCH_NAME_MAX, &x->errors);
    capabilities_read(x, x->json, &a->capabilities);
    if (!qalpuch_one_brand(x)) return false;
    making_name(x, made);
    a->brand = x->who.brand;
    a->load = -1;
    a->token_until_ms = token_end(x);
    x->state = made;
    agent_store(x, a, agent_key(x, slice_text(made->token)), PUT_CREATE, made_check);
    return false;
}

/* ---- list ---- */

struct agents {
    struct agent *list;
    uint32_t count;
    struct qalpuch_page page;
};

/* Which of the brand's workers hold a task: one question for all. */
static void held_ask(struct exchange *x, struct slice worker, uint32_t brand,
                     exchange_then *then) {
    struct message m = {.verb = VERB_ASK,
                        .question = {.kind = slice_text("tasks"), .worker = worker, .brand = brand,
                                     .priority = -1, .dialect = -1, .limit = HELD_ROWS_MAX,
                                     .status_mask = 1 << STATUS_DELIVERED | 1 << STATUS_RUNNING}};
    exchange_send_as(x, &account_house, &m, then);
}

static void list_answer(struct exchange *x, const struct message *answer) {
    const struct agents *agents = x->state;
    struct frame frame = {0};
    struct message row;
    uint32_t at = 0;
    bool *busy = exchange_alloc(x, agents->count + 1);
    while (row_next(&frame, answer->rows.rows, &at, &row)) {
        for (uint32_t i = 0; i < agents->count; i++)
            busy[i] |= slice_equal(agents->list[i].id, row.view.worker);
    }
    frame_free(&frame);
    qalpuch_open(x, "Workers retrieved successfully");
    out_list(&x->out);
    for (uint32_t i = 0; i < agents->count; i++) {
        out_object(&x->out);
        agent_members(x, &agents->list[i], NULL, busy[i]);
        out_object_end(&x->out);
    }
    out_list_end(&x->out);
    qalpuch_close(x);
}

static void list_rows(struct exchange *x, const struct message *answer) {
    struct agents *agents = x->state;
    struct object_row row;
    uint32_t at = 0;
    qalpuch_page_headers(x, &agents->page, &answer->rows);
    agents->list = exchange_alloc(x, sizeof *agents->list * (answer->rows.row_count + 1));
    while (agents->count < answer->rows.row_count && object_row_next(answer->rows.rows, &at, &row))
        agents->count += agent_of(x, &row, &agents->list[agents->count]);
    held_ask(x, (struct slice){0}, x->who.brand, list_answer);
}

bool agent_list_read(struct exchange *x, struct message *m) {
    struct agents *agents = exchange_alloc(x, sizeof *agents);
    if (!qalpuch_page_read(x, &m->question, &agents->page)) return false;
    m->verb = VERB_ASK;
    m->question.kind = slice_text("objects");
    m->question.object = slice_text("agent");
    m->question.brand = 0;
    if (x->who.brand != 0) m->question.owner = slice_text(exchange_print(x, "%u", x->who.brand));
    x->state = agents;
    exchange_send_as(x, &account_house, m, list_rows);
    return false;
}

/* ---- one worker ---- */

bool agent_taken(struct exchange *x, const struct message *answer, struct agent *ret) {
    struct object_row row;
    enum code code = exchange_code(answer);
    bool found = code == CODE_OK && object_row_read(answer->answer.body, &row) &&
                 agent_of(x, &row, ret) && (x->who.brand == 0 || ret->brand == x->who.brand);
    if (found) return true;
    return exchange_refuse(x, code == CODE_OK || code == CODE_NOT_FOUND ? CODE_NOT_FOUND : code,
                           "there is no such worker");
}

static void agent_find(struct exchange *x, exchange_then *then) {
    struct slice id;
    if (!qalpuch_cuid(x, &id)) return;
    x->state = exchange_alloc(x, sizeof(struct making));
    agent_fetch(x, id, then);
}

static void detail_answer(struct exchange *x, const struct slice *list, uint32_t count) {
    const struct making *found = x->state;
    qalpuch_open(x, "Worker retrieved successfully");
    out_object(&x->out);
    agent_members(x, &found->agent, NULL, count > 0);
    out_key(&x->out, "tasks");
    out_list(&x->out);
    for (uint32_t i = 0; i < count; i++) out_raw(&x->out, list[i]);
    out_list_end(&x->out);
    out_object_end(&x->out);
    qalpuch_close(x);
}

static void detail_tasks(struct exchange *x, const struct message *answer) {
    qalpuch_tasks_load(x, &answer->rows, detail_answer);
}

static void detail_go_on(struct exchange *x, const struct message *answer) {
    struct making *found = x->state;
    if (!agent_taken(x, answer, &found->agent)) return;
    held_ask(x, found->agent.id, found->agent.brand, detail_tasks);
}

bool agent_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    agent_find(x, detail_go_on);
    return false;
}

/* ---- a new token ---- */

static void token_check(struct exchange *x, const struct message *answer) {
    const struct making *made = x->state;
    enum code code = exchange_code(answer);
    if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    qalpuch_open(x, "Registration token created successfully");
    out_object(&x->out);
    out_key(&x->out, "id");
    out_text(&x->out, made->agent.id);
    out_key(&x->out, "token");
    out_string(&x->out, made->token);
    out_object_end(&x->out);
    qalpuch_close(x);
}

static void token_go_on(struct exchange *x, const struct message *answer) {
    struct making *made = x->state;
    struct agent *a = &made->agent;
    if (!agent_taken(x, answer, a)) return;
    made->token = token_new(x);
    a->token_until_ms = token_end(x);
    a->registered_ms = 0;
    a->registered_by = (struct slice){0};
    a->boot = 0;
    agent_store(x, a, agent_key(x, slice_text(made->token)), PUT_REPLACE, token_check);
}

bool agent_token_read(struct exchange *x, struct message *m) {
    (void)m;
    agent_find(x, token_go_on);
    return false;
}
