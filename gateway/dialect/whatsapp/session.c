/* session.c - sessions as their users see them. A user sees his own, an administrator all of the
 * brand; whose a session is, and what may be done with it, the broker decides. */
#include "gateway/dialect/setting.h"
#include "gateway/dialect/whatsapp/whatsapp.h"
#include <sodium.h>

enum { TITLE_MAX = 100, LIST_SIZE = 50 };

struct slice session_owner(const struct exchange *x) {
    return slice_text(x->who.role == ROLE_USER ? x->who.name : "");
}

bool session_id_read(struct exchange *x, struct slice *ret) {
    *ret = exchange_param(x, "id");
    if (word_plain(*ret, 1, SESSION_ID_MAX)) return true;
    field_refuse(&x->errors, "sessionId", "Must be 1 to 100 letters, digits, _ or -.");
    return exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
}

/* ---- one session ---- */

static bool session_get(struct exchange *x, exchange_then *then) {
    struct message get = {.verb = VERB_SESSION_GET};
    get.session = (struct session_ref){.brand = x->who.brand, .owner = session_owner(x)};
    if (session_id_read(x, &get.session.name)) exchange_send(x, &get, then);
    return false;
}

static void detail_write(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, NULL);
    session_show(&x->out, &a.session);
    whatsapp_close(x);
}

bool session_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return session_get(x, detail_write);
}

bool session_status_read(struct exchange *x, struct message *m) {
    (void)m;
    return session_get(x, detail_write);
}

static const char no_code[] = "There is no QR code to scan";

static void qr_write(struct exchange *x, const struct message *answer) {
    struct object_row row;
    struct out *o = &x->out;
    enum code code = exchange_code(answer);
    if (code != CODE_OK || !object_row_read(answer->answer.body, &row)) {
        exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR,
                        code == CODE_NOT_FOUND ? no_code : NULL);
        return;
    }
    json_t *body = json_of(row.body);
    const char *key;
    json_t *value;
    whatsapp_open(x, NULL);
    json_object_foreach(body, key, value) {
        out_key_slice(o, slice_text(key));
        out_json(o, value);
    }
    out_key(o, "status");
    out_string(o, session_word(SESSION_QR_REQUIRED));
    out_key(o, "expiresAt");
    out_time(o, row.until_ms);
    json_decref(body);
    whatsapp_close(x);
}

/* A code may outlive its use: a heartbeat that finds the session connected drops none. */
static void qr_go_on(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    if (a.session.status != SESSION_QR_REQUIRED) {
        exchange_refuse(x, CODE_NOT_FOUND, no_code);
        return;
    }
    struct message m = {.verb = VERB_FETCH};
    m.object = (struct object_ref){.kind = slice_text("session_qr"),
                                   .name = exchange_param(x, "id"),
                                   .brand = x->who.brand};
    exchange_try(x, &m, qr_write);
}

bool session_qr_read(struct exchange *x, struct message *m) {
    (void)m;
    return session_get(x, qr_go_on);
}

/* ---- lists ---- */

static void list_write(struct exchange *x, const struct message *answer) {
    whatsapp_open(x, NULL);
    sessions_show(&x->out, "sessions", answer->rows.rows);
    paging_show(&x->out, x->state, answer->rows.total);
    whatsapp_close(x);
}

bool session_list_read(struct exchange *x, struct message *m) {
    struct paging *page = exchange_alloc(x, sizeof *page);
    const char *status = exchange_query(x, "status");
    const char *station = exchange_query(x, "workerId");
    struct message ask = {.verb = VERB_ASK};
    (void)m;
    *page = paging_read(x, LIST_SIZE, setting_page_max(x));
    ask.question = (struct question){.kind = slice_text("sessions"),
                                     .brand = x->who.brand,
                                     .owner = session_owner(x),
                                     .priority = -1,
                                     .dialect = -1,
                                     .count = true,
                                     .limit = page->size,
                                     .offset = paging_offset(page)};
    if (status != NULL && *status != '\0') {
        ask.question.status_mask = 1u << word_session(slice_text(status));
        if (ask.question.status_mask == 1)
            field_wrong(&x->errors, "status", FIELD_NOT_A_CHOICE, 0);
    }
    if (station != NULL) ask.question.worker = slice_text(station);
    if (!whatsapp_good(x)) return false;
    x->state = page;
    exchange_send(x, &ask, list_write);
    return false;
}

/* ---- create ---- */

/* An id of our own: random, or always the same for one Idempotency-Key. */
static struct slice id_make(struct exchange *x, const char *key) {
    uint8_t bytes[12];
    char hex[2 * sizeof bytes + 1];
    if (key == NULL) {
        randombytes_buf(bytes, sizeof bytes);
    } else {
        uint8_t hash[16];
        const char *text = exchange_print(x, "session %u %s %s", x->who.brand, x->who.name, key);
        crypto_generichash(hash, sizeof hash, (const uint8_t *)text, strlen(text), NULL, 0);
        memcpy(bytes, hash, sizeof bytes);
    }
    sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
    return slice_text(exchange_print(x, "session-%s", hex));
}

static void created_write(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, "Session created successfully");
    session_show(&x->out, &a.session);
    whatsapp_close(x);
}

static void repeated_write(struct exchange *x, const struct message *answer) {
    const struct session_ref *wanted = x->state;
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    if (slice_equal(a.session.title, wanted->title)) created_write(x, answer);
    else exchange_refuse(x, CODE_IDEMPOTENCY_CONFLICT, NULL);
}

static void created(struct exchange *x, const struct message *answer) {
    const struct session_ref *wanted = x->state;
    enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && exchange_header(x, "Idempotency-Key") != NULL) {
        struct message get = {.verb = VERB_SESSION_GET};
        get.session = (struct session_ref){.name = wanted->name,
                                           .brand = x->who.brand,
                                           .owner = session_owner(x)};
        exchange_send(x, &get, repeated_write);
    } else if (code != CODE_OK) {
        exchange_refuse(x, code, code == CODE_CONFLICT ? "The session exists" : NULL);
    } else {
        created_write(x, answer);
    }
}

bool session_create_read(struct exchange *x, struct message *m) {
    struct session_ref *wanted = exchange_alloc(x, sizeof *wanted);
    const char *key = exchange_header(x, "Idempotency-Key");
    (void)m;
    if (!whatsapp_object(x)) return false;
    const char *member = member_find(x->json, "name") != NULL ? "name" : "sessionName";
    if (member_find(x->json, member) == NULL) member = "name";
    struct slice title = report_text(x->json, member, TITLE_MAX, &x->errors);
    struct slice id = report_id(x->json, "sessionId", 0, 1, SESSION_ID_MAX, &x->errors);
    if (title.len == 0 && x->errors.count == 0)
        field_wrong(&x->errors, "name", FIELD_MISSING, 0);
    if (!whatsapp_good(x)) return false;
    if (id.len == 0) id = id_make(x, key);
    *wanted = (struct session_ref){.name = id,
                                   .brand = x->who.brand,
                                   .owner = slice_text(x->who.name),
                                   .title = title};
    x->state = wanted;
    struct message put = {.verb = VERB_SESSION_PUT, .session = *wanted};
    exchange_try(x, &put, created);
    return false;
}

/* ---- orders ---- */

static bool session_do(struct exchange *x, enum session_act act, exchange_then *then) {
    struct message order = {.verb = VERB_SESSION_DO};
    order.session = (struct session_ref){.brand = x->who.brand,
                                         .owner = session_owner(x),
                                         .act = (uint8_t)act};
    if (session_id_read(x, &order.session.name)) exchange_send(x, &order, then);
    return false;
}

static void ordered_write(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, NULL);
    session_show(&x->out, &a.session);
    out_key(&x->out, "commandId");
    if (a.command != 0)
        out_string(&x->out, exchange_print(x, "%llu", (unsigned long long)a.command));
    else
        out_null(&x->out);
    whatsapp_close(x);
}

bool session_connect_read(struct exchange *x, struct message *m) {
    (void)m;
    return session_do(x, SESSION_CONNECT, ordered_write);
}

bool session_restart_read(struct exchange *x, struct message *m) {
    (void)m;
    return session_do(x, SESSION_RESTART, ordered_write);
}

bool session_disconnect_read(struct exchange *x, struct message *m) {
    (void)m;
    return session_do(x, SESSION_DISCONNECT, ordered_write);
}

bool session_logout_read(struct exchange *x, struct message *m) {
    (void)m;
    return session_do(x, SESSION_LOGOUT, ordered_write);
}

static void removed_answer(struct exchange *x) {
    whatsapp_open(x, "Session deleted successfully");
    out_key(&x->out, "sessionId");
    out_text(&x->out, exchange_param(x, "id"));
    out_key(&x->out, "deletedAt");
    out_time(&x->out, x->wall_ms);
    whatsapp_close(x);
}

static void removed(struct exchange *x, const struct message *answer) {
    (void)answer;
    qr_drop(x, exchange_param(x, "id"), removed_answer);
}

bool session_remove_read(struct exchange *x, struct message *m) {
    (void)m;
    return session_do(x, SESSION_DELETE, removed);
}
