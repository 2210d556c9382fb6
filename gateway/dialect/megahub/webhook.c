/* webhook.c - /tasks/webhooks/: who is told of a brand's events, and what could not be told.
 *
 * A subscription is an object of the kind `hook` (gateway/hook_call.h); its secret is shown by the
 * answer that made it and never again. Before it is stored the brand's events are switched on
 * (QUEUE with `hooks`), so there is none that waits for events which are not made. What was tried
 * in vain is a failed task of the queue relais.webhook, and replaying it is a RETRY. */
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/page.h"
#include "gateway/dialect/megahub/schedule.h"
#include "gateway/hook_call.h"
#include "gateway/outward.h"
#include <sodium.h>
#include <stdio.h>

enum { NAME_BYTES = 16, DESCRIPTION_MAX = 1000 };

struct hook { /* x->state of an exchange about one */
    uint64_t id;
    uint32_t version;   /* that was read */
    struct slice bytes; /* the body as stored */
    uint8_t bits;       /* of its events */
    const char *secret; /* shown once; NULL = not */
    struct slice stored; /* the object as it was answered */
};

/* ---- the Webhook JSON ---- */

static void hook_write(struct exchange *x, const struct object_row *row, const char *secret) {
    static const char *const members[] = {"url", "events", "active", "description"};
    struct out *o = &x->out;
    json_t *body = json_of(row->body);
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, row->id);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        out_key(o, members[i]);
        out_json(o, json_object_get(body, members[i]));
    }
    if (secret != NULL) {
        out_key(o, "secret");
        out_string(o, secret);
    }
    out_key(o, "created_by");
    out_text(o, row->owner);
    out_key(o, "created_at");
    out_time(o, row->created_ms);
    out_key(o, "updated_at");
    out_time(o, row->updated_ms);
    out_object_end(o);
    json_decref(body);
}

/* ---- fields ---- */

const char *megahub_url_wrong(struct exchange *x, const char *url) {
    const char *list = exchange_option(x, "hook_allow");
    char why[128];
    struct allow *allow = allow_new(list != NULL ? list : "", why, sizeof why);
    const char *wrong = allow != NULL ? outward_wrong(url, allow) : "No URL is called here.";
    allow_destroy(&allow);
    return wrong;
}

static void url_read(struct exchange *x, json_t *to) {
    struct slice url = member_text(x->json, "url", REQUIRED, HOOK_URL_MAX, &x->errors);
    if (url.len == 0) return;
    const char *wrong = megahub_url_wrong(x, (const char *)url.data);
    if (wrong != NULL) field_refuse(&x->errors, "url", wrong);
    else json_object_set_new(to, "url", json_stringn((const char *)url.data, url.len));
}

static void events_read(struct exchange *x, json_t *to) {
    json_t *list = member_list(x->json, "events", REQUIRED, HOOK_EVENTS_MAX, &x->errors);
    if (list == NULL) return;
    if (json_array_size(list) == 0) field_wrong(&x->errors, "events", FIELD_BLANK, 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *topic = json_string_value(json_array_get(list, i));
        if (topic == NULL || hook_bit_of(topic) == 0) {
            field_wrong(&x->errors, "events", FIELD_NOT_A_CHOICE, 0);
            return;
        }
    }
    json_object_set(to, "events", list);
}

static void secret_read(struct exchange *x, struct hook *h, json_t *to) {
    struct slice given = member_text(x->json, "secret", NULLABLE, HOOK_SECRET_SIZE * 2, &x->errors);
    char made[HOOK_SECRET_SIZE];
    if (given.len > 0 && !hook_secret_good((const char *)given.data)) {
        field_refuse(&x->errors, "secret", "Enter whsec_ and the base64 of 24 to 64 bytes.");
        return;
    }
    if (given.len == 0) hook_secret_make(made);
    h->secret = given.len > 0 ? (const char *)given.data : exchange_print(x, "%s", made);
    json_object_set_new(to, "secret", json_string(h->secret));
}

/* What the request names; with `whole`, what must be there. */
static void fields_read(struct exchange *x, json_t *to, bool whole) {
    if (whole || member_find(x->json, "url") != NULL) url_read(x, to);
    if (whole || member_find(x->json, "events") != NULL) events_read(x, to);
    if (whole || member_find(x->json, "active") != NULL)
        json_object_set_new(to, "active",
                            json_boolean(member_bool(x->json, "active", 0, true, &x->errors)));
    if (whole || member_find(x->json, "description") != NULL) {
        struct slice text = member_text(x->json, "description", NULLABLE | BLANK_OK,
                                        DESCRIPTION_MAX, &x->errors);
        json_object_set_new(to, "description", json_stringn(text.len ? (const char *)text.data : "",
                                                            text.len));
    }
}

static uint8_t bits_of(const json_t *body) {
    const json_t *events = json_object_get(body, "events");
    unsigned bits = 0;
    for (size_t i = 0; i < json_array_size(events); i++) {
        const char *topic = json_string_value(json_array_get(events, i));
        if (topic != NULL) bits |= hook_bit_of(topic);
    }
    return (uint8_t)bits;
}

/* Keeps what was read; takes `body`. False, with the exchange ended, when a field was wrong. */
static bool hook_take(struct exchange *x, struct hook *h, json_t *body) {
    h->bits = bits_of(body);
    h->bytes = json_keep(x, body);
    return megahub_fields_good(x);
}

/* ---- storing ---- */

/* Which events are made for the brand: those of `bits` too, or with 0 none any more. */
static struct message bits_message(const struct exchange *x, uint8_t bits) {
    return (struct message){
        .verb = VERB_QUEUE,
        .queue = {.queue = slice_text(HOOK_QUEUE), .brand = x->who.brand, .hooks = bits,
                  .set = SET_QUEUE_BRAND | SET_QUEUE_HOOKS}};
}

static void hook_kept(struct exchange *x, const struct message *answer) {
    struct hook *h = x->state;
    struct object_row row;
    (void)answer;
    if (!object_row_read(h->stored, &row)) {
        exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
        return;
    }
    hook_write(x, &row, h->secret);
    exchange_answer(x, x->route->status);
}

/* The bits are set again: who deleted the last webhook meanwhile may have cleared them. */
static void hook_stored(struct exchange *x, const struct message *answer) {
    struct hook *h = x->state;
    const struct message m = bits_message(x, h->bits);
    h->stored = exchange_copy(x, answer->answer.body);
    exchange_send(x, &m, hook_kept);
}

static void hook_store(struct exchange *x, const struct message *answer) {
    struct hook *h = x->state;
    struct message m = {.verb = VERB_PUT};
    uint8_t name[NAME_BYTES];
    char text[2 * NAME_BYTES + 1];
    (void)answer;
    randombytes_buf(name, sizeof name);
    m.object = (struct object_ref){.kind = slice_text("hook"), .body = h->bytes,
                                   .brand = x->who.brand, .mode = PUT_REPLACE,
                                   .options = {.id = h->id, .version = h->version}};
    if (h->id == 0) {
        m.object.name = slice_text(sodium_bin2hex(text, sizeof text, name, sizeof name));
        m.object.mode = PUT_CREATE;
        m.object.options.owner = slice_text(x->who.name);
    }
    exchange_send(x, &m, hook_stored);
}

/* Events first, then who wants them. */
static void hook_keep(struct exchange *x, const struct hook *h) {
    const struct message m = bits_message(x, h->bits);
    exchange_send(x, &m, hook_store);
}

/* ---- creating and listing ---- */

static void create_counted(struct exchange *x, const struct message *answer) {
    if (answer->rows.total < HOOK_TARGETS_MAX) hook_keep(x, x->state);
    else exchange_refuse(x, CODE_LIMIT_REACHED, "a brand has at most 100 webhooks");
}

static void hook_question(const struct exchange *x, struct message *m) {
    m->verb = VERB_ASK;
    m->question = (struct question){.kind = slice_text("objects"), .object = slice_text("hook"),
                                    .brand = x->who.brand, .priority = -1, .dialect = -1};
}

static bool hook_create_read(struct exchange *x, struct message *m) {
    struct hook *h = exchange_alloc(x, sizeof *h);
    x->state = h;
    if (!schedule_brand_good(x)) return false;
    json_t *body = json_object();
    secret_read(x, h, body);
    fields_read(x, body, true);
    if (!hook_take(x, h, body)) return false;
    hook_question(x, m);
    m->question.limit = 1;
    m->question.count = true;
    exchange_send(x, m, create_counted);
    return false;
}

static bool hook_list_read(struct exchange *x, struct message *m) {
    static const struct page_field fields[] = {
        PAGE_FIELD("id", "id", NUMBER),
        PAGE_FIELD("url", "body.url", TEXT),
        PAGE_TIMES("created", "created_ms"),
        PAGE_TIMES("updated", "updated_ms"),
    };
    static const struct page_list list = {.fields = fields,
                                          .field_count = sizeof fields / sizeof *fields,
                                          .search = "body.url,body.description"};
    if (!schedule_brand_good(x)) return false;
    hook_question(x, m);
    return page_read(x, &list, &m->question);
}

static void hook_row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct object_row row;
    if (object_row_next(rows, at, &row)) hook_write(x, &row, NULL);
}

static void hook_list_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, hook_row_write);
}

/* ---- reading, changing, deleting ---- */

static bool hook_ref(struct exchange *x, struct message *m) {
    uint64_t id;
    if (!schedule_brand_good(x)) return false;
    if (!schedule_number(exchange_param(x, "id"), &id))
        return exchange_refuse(x, CODE_NOT_FOUND, NULL);
    m->object = (struct object_ref){.kind = slice_text("hook"), .brand = x->who.brand,
                                    .options = {.id = id}};
    return true;
}

static void hook_found_write(struct exchange *x, const struct message *answer) {
    struct object_row row;
    if (!object_row_read(answer->answer.body, &row)) {
        exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
        return;
    }
    hook_write(x, &row, NULL);
    exchange_answer(x, x->route->status);
}

static void dropped_answer(struct exchange *x, const struct message *answer) {
    (void)answer; /* what could not be cleared costs a little, and goes with the next deletion */
    exchange_answer(x, x->route->status);
}

/* One that was made since the first look stands in this one, or sets the bits after its PUT. */
static void dropped_look(struct exchange *x, const struct message *answer) {
    struct object_row row;
    unsigned bits = 0;
    if (exchange_code(answer) == CODE_OK)
        for (uint32_t at = 0; object_row_next(answer->rows.rows, &at, &row);) {
            json_t *body = json_of(row.body);
            bits |= bits_of(body);
            json_decref(body);
        }
    const struct message m = bits_message(x, (uint8_t)bits);
    if (bits == 0) dropped_answer(x, answer);
    else exchange_try(x, &m, dropped_answer);
}

static void dropped_cleared(struct exchange *x, const struct message *answer) {
    struct message m = {0};
    (void)answer;
    hook_question(x, &m);
    m.question.limit = HOOK_TARGETS_MAX;
    exchange_try(x, &m, dropped_look);
}

static void dropped_counted(struct exchange *x, const struct message *answer) {
    const struct message m = bits_message(x, 0);
    if (exchange_code(answer) != CODE_OK || answer->rows.total > 0) dropped_answer(x, answer);
    else exchange_try(x, &m, dropped_cleared);
}

/* With the last webhook of the brand its events go, too. */
static void hook_dropped_write(struct exchange *x, const struct message *answer) {
    struct message m = {0};
    (void)answer;
    hook_question(x, &m);
    m.question.limit = 1;
    m.question.count = true;
    exchange_try(x, &m, dropped_counted);
}

/* PUT, PATCH, and POST: another secret. */
static void hook_change_write(struct exchange *x, const struct message *answer) {
    struct hook *h = exchange_alloc(x, sizeof *h);
    struct object_row row;
    x->state = h;
    json_t *body = object_row_read(answer->answer.body, &row) ? json_of(row.body) : NULL;
    if (body == NULL) {
        exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
        return;
    }
    h->id = row.id;
    h->version = row.version;
    if (x->method == METHOD_POST) secret_read(x, h, body);
    else fields_read(x, body, x->method == METHOD_PUT);
    if (hook_take(x, h, body)) hook_keep(x, h);
}

/* ---- the brand's own secret ---- */

static bool hook_key_read(struct exchange *x, struct message *m) {
    const uint8_t *id_key = exchange_id_key(x);
    char secret[HOOK_SECRET_SIZE];
    (void)m;
    if (!schedule_brand_good(x)) return false;
    if (id_key == NULL) return exchange_refuse(x, CODE_UNAVAILABLE, NULL);
    hook_brand_secret(id_key, x->who.brand, secret);
    out_object(&x->out);
    out_key(&x->out, "secret");
    out_string(&x->out, secret);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
    return false;
}

/* ---- what was tried in vain ---- */

static bool dead_list_read(struct exchange *x, struct message *m) {
    static const struct page_field fields[] = {
        PAGE_FIELD("id", "id", NUMBER),
        PAGE_TIMES("created", "created_ms"),
        PAGE_TIMES("updated", "updated_ms"),
        PAGE_FIELD("failed_at", "finished_ms", TIME),
    };
    static const struct page_list list = {.fields = fields,
                                          .field_count = sizeof fields / sizeof *fields,
                                          .fixed_field = "queue", .fixed_value = HOOK_QUEUE};
    if (!schedule_brand_good(x)) return false;
    m->question = (struct question){.kind = slice_text("tasks"), .brand = x->who.brand,
                                    .queue = slice_text(HOOK_QUEUE),
                                    .status_mask = 1u << STATUS_FAILED, .priority = -1,
                                    .dialect = -1, .want = WANT_BODY | WANT_RESULT};
    return page_read(x, &list, &m->question);
}

static void dead_row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct frame frame = {0};
    struct message m;
    struct out *o = &x->out;
    char id[HOOK_ID_SIZE];
    if (row_next(&frame, rows, at, &m)) {
        const struct view *v = &m.view;
        json_t *call = json_of(v->body.payload);
        hook_id(v->head.id, id);
        out_object(o);
        out_key(o, "id");
        out_unsigned(o, v->head.id);
        out_key(o, "webhook_id");
        out_string(o, id);
        out_key(o, "event");
        out_json(o, json_object_get(call, "event"));
        out_key(o, "url");
        out_json(o, json_object_get(call, "url"));
        out_key(o, "subscription");
        out_json(o, json_object_get(call, "hook"));
        out_key(o, "attempts");
        out_unsigned(o, v->head.attempt);
        out_key(o, "replays");
        out_unsigned(o, v->head.retry_count);
        out_key(o, "last_error");
        out_text(o, v->result.message);
        out_key(o, "created_at");
        out_time(o, v->head.created_ms);
        out_key(o, "failed_at");
        out_time(o, v->head.finished_ms);
        out_object_end(o);
        json_decref(call);
    }
    frame_free(&frame);
}

static void dead_list_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, dead_row_write);
}

static void replayed_write(struct exchange *x, const struct message *answer) {
    out_object(&x->out);
    out_key(&x->out, "message");
    out_string(&x->out, "The webhook is sent again");
    out_key(&x->out, "id");
    out_unsigned(&x->out, answer->view.head.id);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static bool replay_read(struct exchange *x, struct message *m) {
    if (!schedule_brand_good(x)) return false;
    if (!schedule_number(exchange_param(x, "id"), &m->ref.id))
        return exchange_refuse(x, CODE_NOT_FOUND, NULL);
    return true;
}

/* Only tasks of that queue are replayed here. */
static void replay_write(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    struct message m = {.verb = VERB_RETRY, .ref = {.id = v->head.id}};
    if (!slice_equal(v->queue, slice_text(HOOK_QUEUE)) || v->head.brand != x->who.brand)
        exchange_refuse(x, CODE_NOT_FOUND, NULL);
    else exchange_send(x, &m, replayed_write);
}

/* ---- routes ---- */

#define ADMIN GUARD_BRAND_ADMIN
#define base "/tasks/webhooks"
static const struct route routes[] = {
    ROUTE(GET, NONE, base, ADMIN, 200, hook_list_read, "lists the brand's webhooks",
          .verb = VERB_ASK, .write = hook_list_write),
    ROUTE(POST, JSON, base, ADMIN, 201, hook_create_read,
          "subscribes a URL to events; the secret is shown once"),
    ROUTE(GET, NONE, base "/dead", ADMIN, 200, dead_list_read,
          "lists calls that were tried in vain", .verb = VERB_ASK, .write = dead_list_write),
    ROUTE(POST, JSON, base "/dead/{id}/replay", ADMIN, 202, replay_read, "sends such a call again",
          .verb = VERB_GET, .write = replay_write),
    ROUTE(GET, NONE, base "/signing-key", ADMIN, 200, hook_key_read,
          "the secret of calls that no subscription asked for"),
    ROUTE(GET, NONE, base "/{id}", ADMIN, 200, hook_ref, "reads a webhook", .verb = VERB_FETCH,
          .write = hook_found_write),
    ROUTE(PUT, JSON, base "/{id}", ADMIN, 200, hook_ref, "replaces a webhook", .verb = VERB_FETCH,
          .write = hook_change_write),
    ROUTE(PATCH, JSON, base "/{id}", ADMIN, 200, hook_ref, "changes a webhook", .verb = VERB_FETCH,
          .write = hook_change_write),
    ROUTE(DELETE, NONE, base "/{id}", ADMIN, 204, hook_ref, "ends a subscription",
          .verb = VERB_DROP, .write = hook_dropped_write),
    ROUTE(POST, JSON, base "/{id}/rotate-secret", ADMIN, 200, hook_ref,
          "gives a webhook another secret", .verb = VERB_FETCH, .write = hook_change_write),
};
const struct routes megahub_webhooks = {routes, sizeof routes / sizeof *routes};
