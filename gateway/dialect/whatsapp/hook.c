/* hook.c - what workers report of sessions and messages: by the webhooks, and as events, which
 * update the same records. */
#include "gateway/dialect/whatsapp/whatsapp.h"
#include "proto/host/log.h"
#include <strings.h>

/* ---- QR codes ---- */

struct keeping { void *before; history_then *then; };

static void kept(struct exchange *x, const struct message *answer) {
    const struct keeping *k = x->state;
    history_then *then = k->then;
    enum code code = exchange_code(answer);
    x->state = k->before;
    if (code != CODE_OK && code != CODE_NOT_FOUND) exchange_refuse(x, code, NULL);
    else then(x);
}

static void keep(struct exchange *x, const struct message *m, history_then *then) {
    struct keeping *k = exchange_alloc(x, sizeof *k);
    *k = (struct keeping){x->state, then};
    x->state = k;
    whatsapp_keep(x, m, kept);
}

static void code_out(struct exchange *x, struct out *o, const struct session_report *r,
                     bool picture) {
    out_object(o);
    out_key(o, "sessionId");
    out_text(o, r->session);
    if (picture) {
        out_key(o, "qrCode");
        out_text_or_null(o, r->qr_code);
    }
    out_key(o, "qrString");
    out_text_or_null(o, r->qr_string);
    out_key(o, "updatedAt");
    out_time(o, x->wall_ms);
    out_object_end(o);
}

/* Listeners are told that there is a code, and get a small one at once; the feed is no place for
 * a megabyte. */
enum { TOLD_QR_MAX = 4 << 10 };

static void qr_keep(struct exchange *x, const struct session_report *r, history_then *then) {
    struct out body = {0}, told = {0};
    code_out(x, &body, r, true);
    code_out(x, &told, r, r->qr_code.len <= TOLD_QR_MAX);
    struct message m = {.verb = VERB_PUT};
    m.object = (struct object_ref){
        .kind = slice_text("session_qr"),
        .name = r->session,
        .body = exchange_copy(x, buffer_slice(&body.body)),
        .mode = PUT_EITHER,
        .brand = x->who.brand,
        .options = {.owner = r->session,
                    .until_ms = x->wall_ms + QR_KEEP_MS,
                    .event = slice_text("qr_code_updated"),
                    .data = exchange_copy(x, buffer_slice(&told.body))},
    };
    buffer_free(&body.body);
    buffer_free(&told.body);
    keep(x, &m, then);
}

void qr_drop(struct exchange *x, struct slice session, history_then *then) {
    struct message m = {.verb = VERB_DROP};
    m.object = (struct object_ref){.kind = slice_text("session_qr"),
                                   .name = session,
                                   .brand = x->who.brand};
    keep(x, &m, then);
}

/* ---- a session's state ---- */

struct reporting {
    struct session_report r;
    history_then *then;      /* the answer, once all is written */
    uint8_t status;          /* as stored now */
    struct slice phone, name;
    int64_t updated_ms;
};

static void reported(struct exchange *x, const struct message *answer) {
    struct reporting *p = x->state;
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    p->status = a.session.status;
    p->phone = exchange_copy(x, a.session.phone);
    p->name = exchange_copy(x, a.session.display);
    p->updated_ms = a.session.updated_ms;
    bool code = p->r.qr_code.len > 0 || p->r.qr_string.len > 0;
    if (a.changed && code && p->status == SESSION_QR_REQUIRED) qr_keep(x, &p->r, p->then);
    else if (a.changed && (p->r.deleted || p->r.status > SESSION_QR_REQUIRED))
        qr_drop(x, p->r.session, p->then);
    else p->then(x);
}

static void session_report(struct exchange *x, struct slice station, history_then *then) {
    struct reporting *p = x->state;
    const struct session_report *r = &p->r;
    struct message m = {.verb = VERB_SESSION_REPORT};
    p->then = then;
    m.session = (struct session_ref){.name = r->session,
                                     .station = station,
                                     .brand = x->who.brand,
                                     .status = (uint8_t)r->status,
                                     .phone = r->phone,
                                     .display = r->name,
                                     .reason = r->reason,
                                     .time_ms = r->time_ms,
                                     .gone = r->deleted};
    exchange_send(x, &m, reported);
}

/* The state in the case in which it was told (R-003-5). */
static void state_out(struct exchange *x, const struct reporting *p) {
    const char *word = session_word((enum session_status)p->status);
    struct slice told = p->r.status_text;
    out_key(&x->out, "status");
    if (told.len > 0 && word_session(told) == p->status) out_text(&x->out, told);
    else out_string(&x->out, word);
}

static void hook_session_answer(struct exchange *x) {
    const struct reporting *p = x->state;
    struct out *o = &x->out;
    whatsapp_open(x, "Session status updated");
    out_key(o, "sessionId");
    out_text(o, p->r.session);
    state_out(x, p);
    out_key(o, "phoneNumber");
    out_text_or_null(o, p->phone);
    out_key(o, "displayName");
    out_text_or_null(o, p->name);
    out_key(o, "updatedAt");
    out_time(o, p->updated_ms);
    whatsapp_close(x);
}

static bool says_nothing(const struct session_report *r) {
    return r->status == 0 && r->event.len == 0 && r->phone.len == 0 && r->name.len == 0;
}

bool hook_session_read(struct exchange *x, struct message *m) {
    struct reporting *p = exchange_alloc(x, sizeof *p);
    (void)m;
    if (!whatsapp_object(x)) return false;
    session_report_read(x->json, exchange_param(x, "sessionId"), &p->r, &x->errors);
    if (says_nothing(&p->r) && x->errors.count == 0)
        field_wrong(&x->errors, "status", FIELD_MISSING, 0);
    if (!whatsapp_good(x)) return false;
    x->state = p;
    session_report(x, p->r.station, hook_session_answer);
    return false;
}

/* ---- a message's state ---- */

static void hook_message_answer(struct exchange *x, json_t *message) {
    const struct delivery_report *r = x->state;
    const json_t *word = json_object_get(message, "status");
    struct out *o = &x->out;
    struct slice status = slice_text(json_is_string(word) ? json_string_value(word) : "");
    bool same = r->status_text.len > 0 && word_delivery(r->status_text) == word_delivery(status);
    whatsapp_open(x, "Message status updated");
    out_key(o, "messageId");
    out_text(o, r->message);
    out_key(o, "status");
    out_text(o, same ? r->status_text : status);
    out_key(o, "sessionId");
    out_json(o, json_object_get(message, "sessionId"));
    out_key(o, "updatedAt");
    out_json(o, json_object_get(message, "updatedAt"));
    whatsapp_close(x);
}

bool hook_message_read(struct exchange *x, struct message *m) {
    struct delivery_report *r = exchange_alloc(x, sizeof *r);
    (void)m;
    if (!whatsapp_object(x)) return false;
    delivery_report_read(x->json, r, &x->errors);
    if (!whatsapp_good(x)) return false;
    x->state = r;
    delivery_note(x, r, (struct slice){0}, hook_message_answer);
    return false;
}

/* ---- events ---- */

struct happening {
    struct slice station, event, session;
    int64_t time_ms;
};

static void event_answer(struct exchange *x) {
    out_object(&x->out);
    out_key(&x->out, "success");
    out_bool(&x->out, true);
    out_key(&x->out, "message");
    out_string(&x->out, "Event received");
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

/* The last step of every event: it is kept as it came. */
static void event_keep(struct exchange *x) {
    struct happening *h = exchange_alloc(x, sizeof *h);
    struct field_errors ignored = {0};
    *h = (struct happening){
        .station = exchange_param(x, "id"),
        .event = report_text(x->json, "event", EVENT_NAME_MAX, &ignored),
        .session = report_id(x->json, "sessionId", 0, 1, SESSION_ID_MAX, &ignored),
        .time_ms = report_time(x->json, "timestamp", &ignored),
    };
    history_event(x, h->station, h->event, h->session, member_find(x->json, "data"), h->time_ms,
                  event_answer);
}

static void message_done(struct exchange *x, json_t *message) {
    (void)message;
    event_keep(x);
}

static void station_done(struct exchange *x, const struct message *answer) {
    (void)answer;
    event_keep(x);
}

static bool begins(struct slice text, const char *prefix) {
    size_t len = strlen(prefix);
    return text.len >= len && strncasecmp((const char *)text.data, prefix, len) == 0;
}

static bool is(struct slice text, const char *word) {
    return text.len == strlen(word) && begins(text, word);
}

/* An error of the worker's own is a line in the log and a point among its figures. */
static void event_error(struct exchange *x) {
    struct heartbeat *h = exchange_alloc(x, sizeof *h);
    struct field_errors ignored = {0};
    json_t *data = member_find(x->json, "data");
    const char *text = json_string_value(member_find(data, "error"));
    if (text == NULL) text = json_string_value(member_find(data, "message"));
    heartbeat_read(data, h, &ignored);
    h->time_ms = report_time(x->json, "timestamp", &ignored);
    log_warn("a WhatsApp worker reports an error", field_number("brand", x->who.brand),
             field_slice("worker", exchange_param(x, "id")),
             field_text("error", text != NULL ? text : ""));
    history_metric(x, exchange_param(x, "id"), h, event_keep);
}

/* worker_started and worker_stopping change whether the worker gets new sessions. */
static bool event_worker(struct exchange *x, struct slice event) {
    if (is(event, "worker_error")) {
        event_error(x);
        return true;
    }
    bool started = is(event, "worker_started") || is(event, "started");
    bool stopping = is(event, "worker_stopping") || is(event, "stopping");
    struct message m = {.verb = VERB_STATION_BEAT};
    if (!started && !stopping) return false;
    m.station = (struct station_ref){.name = exchange_param(x, "id"),
                                     .brand = x->who.brand,
                                     .set = SET_STATION_DRAINING,
                                     .draining = stopping};
    if (started) {
        m.station.set |= SET_STATION_STATUS;
        m.station.status = STATION_ONLINE;
    }
    exchange_send(x, &m, station_done);
    return true;
}

static bool event_message(struct exchange *x, struct slice event) {
    bool named = json_is_string(report_member(x->json, "messageId"));
    struct slice bare = event;
    if (!named || (!begins(event, "message") && word_delivery(bare) == 0 && !is(bare, "received")))
        return false;
    struct delivery_report *r = exchange_alloc(x, sizeof *r);
    delivery_report_read(x->json, r, &x->errors);
    if (!whatsapp_good(x)) return true;
    struct out facts = {0};
    if (r->inbound) { /* what came in is kept with the message */
        out_object(&facts);
        out_key(&facts, "content");
        out_json(&facts, member_find(x->json, "data"));
        out_object_end(&facts);
    }
    struct slice text = exchange_copy(x, buffer_slice(&facts.body));
    buffer_free(&facts.body);
    delivery_note(x, r, text, message_done);
    return true;
}

/* A session event of a kind that nobody knows is only kept. */
static bool event_session(struct exchange *x, struct slice event) {
    bool named = json_is_string(report_member(x->json, "sessionId"));
    bool known = begins(event, "session_") || word_session(event) != 0 || word_deleted(event);
    struct reporting *p = exchange_alloc(x, sizeof *p);
    if (!named || !known) return false;
    session_report_read(x->json, (struct slice){0}, &p->r, &x->errors);
    if (!whatsapp_good(x)) return true;
    if (p->r.status == 0 && !p->r.deleted && p->r.phone.len == 0) return false;
    x->state = p;
    session_report(x, exchange_param(x, "id"), event_keep);
    return true;
}

bool event_read(struct exchange *x, struct message *m) {
    (void)m;
    if (!whatsapp_object(x)) return false;
    uint32_t before = x->errors.count;
    struct slice event = report_text(x->json, "event", EVENT_NAME_MAX, &x->errors);
    if (event.len == 0 && x->errors.count == before)
        field_wrong(&x->errors, "event", FIELD_MISSING, 0);
    whatsapp_station(x, report_id(x->json, "workerId", 0, STATION_ID_MIN, STATION_ID_MAX,
                                  &x->errors));
    report_time(x->json, "timestamp", &x->errors);
    json_t *data = member_find(x->json, "data");
    if (data != NULL && !json_is_null(data) && !json_is_object(data))
        field_wrong(&x->errors, "data", FIELD_NOT_OBJECT, 0);
    if (!whatsapp_good(x)) return false;
    if (!event_worker(x, event) && !event_message(x, event) && !event_session(x, event))
        event_keep(x);
    return false;
}
