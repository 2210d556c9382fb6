/* message.c - messages as their users see them. What is sent becomes a command of the session's
 * worker and a record that the worker's reports move forward; a worker that is faster than the
 * record makes it itself, and the two are merged. */
#include "gateway/dialect/setting.h"
#include "gateway/dialect/whatsapp/whatsapp.h"
#include <sodium.h>

enum { PAGE_SIZE = 50, PAYLOAD_BYTES_MAX = 60 << 10 };

static const char *const types[] = {"text",     "image",        "document",    "audio",
                                    "video",    "location",     "contact",     "link",
                                    "poll",     "seen",         "typing_start", "typing_stop",
                                    NULL};

/* ---- sending ---- */

struct sending {
    struct slice session;
    struct delivery_report report;
    struct slice payload, facts; /* JSON texts */
};

/* Random, or always the same for one Idempotency-Key. */
static struct slice id_make(struct exchange *x, struct slice session, const char *key) {
    uint8_t bytes[16];
    char hex[2 * sizeof bytes + 1];
    if (key == NULL) {
        randombytes_buf(bytes, sizeof bytes);
    } else {
        const char *text = exchange_print(x, "message %u %.*s %s %s", x->who.brand,
                                          (int)session.len, (const char *)session.data,
                                          x->who.name, key);
        crypto_generichash(bytes, sizeof bytes, (const uint8_t *)text, strlen(text), NULL, 0);
    }
    sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
    return slice_text(exchange_print(x, "msg_%.24s", hex));
}

static bool is_address(const char *key) {
    return strcmp(key, "to") == 0 || strcmp(key, "type") == 0 || strcmp(key, "messageId") == 0 ||
           strcmp(key, "sessionId") == 0;
}

static void member_out(struct out *o, const char *key, struct slice text) {
    out_key(o, key);
    out_text(o, text);
}

/* What the worker is told, and what the record says of it: the caller's own members, and ours. */
static void texts_make(struct exchange *x, struct sending *s, int type) {
    struct out payload = {0}, facts = {0};
    const char *key;
    json_t *value;
    out_object(&payload);
    member_out(&payload, "messageId", s->report.message);
    member_out(&payload, "sessionId", s->session);
    member_out(&payload, "to", s->report.to);
    member_out(&payload, "type", slice_text(types[type]));
    out_object(&facts);
    member_out(&facts, "type", slice_text(types[type]));
    member_out(&facts, "direction", slice_text("outbound"));
    member_out(&facts, "to", s->report.to);
    out_key(&facts, "content");
    out_object(&facts);
    json_object_foreach(x->json, key, value) {
        if (is_address(key)) continue;
        out_key_slice(&payload, slice_text(key));
        out_json(&payload, value);
        out_key_slice(&facts, slice_text(key));
        out_json(&facts, value);
    }
    out_object_end(&facts);
    out_object_end(&facts);
    out_object_end(&payload);
    s->payload = exchange_copy(x, buffer_slice(&payload.body));
    s->facts = exchange_copy(x, buffer_slice(&facts.body));
    buffer_free(&payload.body);
    buffer_free(&facts.body);
}

static void sent_write(struct exchange *x, json_t *message) {
    const struct sending *s = x->state;
    const json_t *status = json_object_get(message, "status");
    whatsapp_open(x, "Message accepted");
    member_out(&x->out, "messageId", s->report.message);
    out_key(&x->out, "status");
    out_json(&x->out, status);
    member_out(&x->out, "sessionId", s->session);
    member_out(&x->out, "to", s->report.to);
    out_key(&x->out, "createdAt");
    out_json(&x->out, json_object_get(message, "createdAt"));
    whatsapp_close(x);
}

static void ordered(struct exchange *x, const struct message *answer) {
    const struct sending *s = x->state;
    (void)answer;
    delivery_note(x, &s->report, s->facts, sent_write);
}

static void order(struct exchange *x) {
    const struct sending *s = x->state;
    struct message m = {.verb = VERB_SESSION_DO};
    m.session = (struct session_ref){.name = s->session,
                                     .brand = x->who.brand,
                                     .owner = session_owner(x),
                                     .act = SESSION_SEND,
                                     .payload = s->payload,
                                     .key = s->report.message};
    exchange_send(x, &m, ordered);
}

/* True when the stored message is what is to be sent now. */
static bool same_message(const struct sending *s, const json_t *stored) {
    static const char *const members[] = {"type", "to", "content"};
    bool same = true;
    json_t *facts = json_of(s->facts);
    for (int i = 0; i < 3; i++)
        same = same && json_equal(json_object_get(facts, members[i]),
                                  json_object_get(stored, members[i]));
    json_decref(facts);
    return same;
}

static void repeated(struct exchange *x, const struct message *answer) {
    const struct sending *s = x->state;
    struct object_row row;
    enum code code = exchange_code(answer);
    if (code == CODE_NOT_FOUND) {
        order(x);
        return;
    }
    if (code != CODE_OK || !object_row_read(answer->answer.body, &row)) {
        exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR, NULL);
        return;
    }
    json_t *stored = json_of(row.body);
    if (same_message(s, stored)) sent_write(x, stored);
    else exchange_refuse(x, CODE_IDEMPOTENCY_CONFLICT, NULL);
    json_decref(stored);
}

/* "+62 812-3456" is no number that a worker could dial; a group's address is taken as it is. */
static struct slice to_read(struct exchange *x) {
    uint32_t before = x->errors.count;
    struct slice to = phone_trim(report_text(x->json, "to", ADDRESS_MAX, &x->errors));
    if (x->errors.count > before) return to;
    if (to.len == 0) field_wrong(&x->errors, "to", FIELD_MISSING, 0);
    else if (!phone_good(to) && memchr(to.data, '@', to.len) == NULL)
        field_refuse(&x->errors, "to", "Must be a phone number or a WhatsApp address.");
    return to;
}

bool message_send_read(struct exchange *x, struct message *m) {
    struct sending *s = exchange_alloc(x, sizeof *s);
    const char *key = exchange_header(x, "Idempotency-Key");
    (void)m;
    if (!session_id_read(x, &s->session) || !whatsapp_object(x)) return false;
    int type = member_choice(x->json, "type", REQUIRED, types, &x->errors);
    s->report.to = to_read(x);
    json_t *text = member_find(x->json, "message");
    if (text == NULL) text = member_find(x->json, "text");
    if (type == 0 && (!json_is_string(text) || json_string_length(text) == 0))
        field_wrong(&x->errors, "message", FIELD_MISSING, 0);
    if (key != NULL && (*key == '\0' || strlen(key) > 255))
        field_refuse(&x->errors, "Idempotency-Key", "Must be 1 to 255 bytes.");
    if (!whatsapp_good(x)) return false;
    s->report.message = id_make(x, s->session, key);
    s->report.session = s->session;
    s->report.status = DELIVERY_PENDING;
    texts_make(x, s, type);
    if (s->payload.len > PAYLOAD_BYTES_MAX)
        return exchange_refuse(x, CODE_PAYLOAD_TOO_LARGE,
                               "a message takes 60 KiB: name larger media by their address");
    x->state = s;
    if (key == NULL) {
        order(x);
        return false;
    }
    char name[DELIVERY_NAME_SIZE];
    delivery_name(s->session, s->report.message, name);
    struct message look = {.verb = VERB_FETCH};
    look.object = (struct object_ref){.kind = slice_text("message"),
                                      .name = slice_text(name),
                                      .brand = x->who.brand};
    exchange_try(x, &look, repeated);
    return false;
}

/* ---- reading ---- */

struct reading { struct slice body; int64_t limit, offset; };

/* The members of a message: what nobody has said of it is null. */
static void message_members(struct out *o, struct slice body) {
    static const char *const always[] = {"messageId", "sessionId", "to", "status", "sentAt",
                                         "deliveredAt", "readAt", "failedAt", "errorMessage"};
    const char *key;
    json_t *value;
    json_t *message = json_of(body);
    json_object_foreach(message, key, value) {
        out_key_slice(o, slice_text(key));
        out_json(o, value);
    }
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        if (json_object_get(message, always[i]) != NULL) continue;
        out_key(o, always[i]);
        out_null(o);
    }
    json_decref(message);
}

static void detail_answer(struct exchange *x) {
    const struct reading *r = x->state;
    whatsapp_open(x, NULL);
    message_members(&x->out, r->body);
    whatsapp_close(x);
}

static void detail_seen(struct exchange *x, const struct message *answer) {
    (void)answer;
    detail_answer(x);
}

/* A message is shown to those who see its session. */
static void detail_go_on(struct exchange *x, const struct message *answer) {
    struct reading *r = x->state;
    struct object_row row;
    if (answer->verb != VERB_ANSWER || !object_row_read(answer->answer.body, &row)) {
        exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
        return;
    }
    r->body = exchange_copy(x, row.body);
    if (session_owner(x).len == 0) {
        detail_answer(x);
        return;
    }
    if (row.owner.len == 0) { /* a worker reported it without its session */
        exchange_refuse(x, CODE_NOT_FOUND, NULL);
        return;
    }
    struct message get = {.verb = VERB_SESSION_GET};
    get.session = (struct session_ref){.name = row.owner,
                                       .brand = x->who.brand,
                                       .owner = session_owner(x)};
    exchange_send(x, &get, detail_seen);
}

bool message_detail_read(struct exchange *x, struct message *m) {
    struct slice id = exchange_param(x, "id");
    (void)m;
    x->state = exchange_alloc(x, sizeof(struct reading));
    if (id.len > MESSAGE_ID_MAX)
        return exchange_refuse(x, CODE_NOT_FOUND, NULL);
    struct message get = {.verb = VERB_FETCH};
    get.object = (struct object_ref){.kind = slice_text("message"),
                                     .name = delivery_key(x, id),
                                     .brand = x->who.brand};
    exchange_send(x, &get, detail_go_on);
    return false;
}

static void messages_write(struct out *o, struct slice rows) {
    struct object_row row;
    out_key(o, "messages");
    out_list(o);
    for (uint32_t at = 0; object_row_next(rows, &at, &row);) {
        out_object(o);
        message_members(o, row.body);
        out_object_end(o);
    }
    out_list_end(o);
}

static void list_write(struct exchange *x, const struct message *answer) {
    const struct reading *r = x->state;
    const struct rows *rows = &answer->rows;
    struct out *o = &x->out;
    whatsapp_open(x, NULL);
    member_out(o, "sessionId", exchange_param(x, "id"));
    messages_write(o, rows->rows);
    out_key(o, "limit");
    out_integer(o, r->limit);
    out_key(o, "offset");
    out_integer(o, r->offset);
    out_key(o, "total");
    out_integer(o, rows->total);
    out_key(o, "hasMore");
    out_bool(o, rows->incomplete || r->offset + rows->row_count < rows->total);
    if (rows->incomplete) {
        out_key(o, "incomplete");
        out_bool(o, true);
    }
    whatsapp_close(x);
}

static void list_go_on(struct exchange *x, const struct message *answer) {
    const struct reading *r = x->state;
    (void)answer;
    records_ask(x, "message", (uint32_t)r->limit, (uint32_t)r->offset, list_write);
}

bool message_list_read(struct exchange *x, struct message *m) {
    struct reading *r = exchange_alloc(x, sizeof *r);
    const uint32_t most = setting_page_max(x);
    struct message get = {.verb = VERB_SESSION_GET};
    (void)m;
    r->limit = exchange_query_number(x, "limit", most < PAGE_SIZE ? most : PAGE_SIZE, 1, most);
    r->offset = exchange_query_number(x, "offset", 0, 0, 10000);
    get.session = (struct session_ref){.brand = x->who.brand, .owner = session_owner(x)};
    if (!whatsapp_good(x) || !session_id_read(x, &get.session.name)) return false;
    x->state = r;
    exchange_send(x, &get, list_go_on);
    return false;
}
