#include "gateway/dialect/whatsapp/whatsapp.h"
#include "gateway/account.h"
#include "gateway/dialect/outcode.h"
#include "gateway/guard.h"
#include "proto/host/log.h"
#include <stdio.h>

enum {
    FLEET = GUARD_FLEET,
    ADMIN = GUARD_ADMIN,
    MEMBER = GUARD_USER | GUARD_ADMIN,
    SPEAKER = GUARD_USER | GUARD_ADMIN | GUARD_SERVICE,
    LISTENER = SPEAKER | GUARD_QUERY, /* browsers cannot set a header there */
    HOOK_BYTES_MAX = 2 << 20
};

#define GET(path, guard, read, sentence) ROUTE(GET, NONE, path, guard, 200, read, sentence)
#define PUT(path, guard, read, sentence) ROUTE(PUT, JSON, path, guard, 200, read, sentence)
#define DELETE(path, guard, read, sentence) ROUTE(DELETE, JSON, path, guard, 200, read, sentence)
#define POST(path, guard, status, read, sentence) \
    ROUTE(POST, JSON, path, guard, status, read, sentence)
#define HOOK(path, read, sentence) \
    ROUTE(POST, JSON, path, FLEET, 200, read, sentence, .body_max = HOOK_BYTES_MAX)

/* The table under one of its two bases. */
#define BASE_ROUTES(base) \
    POST(base "/workers/register", FLEET, 200, worker_register_read, "a worker says it is there"), \
    PUT(base "/workers/{id}/heartbeat", FLEET, worker_beat_read, "a worker says it is alive"), \
    POST(base "/workers/{id}/heartbeat", FLEET, 200, worker_beat_read, "the same"), \
    HOOK(base "/workers/{id}/events", event_read, "something happened at a worker"), \
    DELETE(base "/workers/{id}", FLEET | ADMIN, worker_leave_read, "a worker leaves"), \
    DELETE(base "/workers/unregister", FLEET | ADMIN, worker_leave_read, "the same, by its body"), \
    HOOK(base "/webhooks/session-status", hook_session_read, "a session's state"), \
    HOOK(base "/webhooks/session-status/{sessionId}", hook_session_read, "the same"), \
    HOOK(base "/webhooks/message-status", hook_message_read, "a message's state"), \
    HOOK(base "/webhooks/worker-heartbeat", worker_beat_read, "a heartbeat by its body"), \
    GET(base "/workers/{id}/sessions/assigned", FLEET, recovery_assigned_read, \
        "the sessions that are a worker's"), \
    POST(base "/workers/{id}/sessions/recovery-status", FLEET, 200, recovery_status_read, \
         "which of them came back"), \
    POST(base "/workers/{id}/sessions-preserved", FLEET, 200, recovery_preserved_read, \
         "which of them a worker keeps while it is away"), \
    GET(base "/workers/{id}/commands", FLEET, command_list_read, "what a worker is to do"), \
    POST(base "/workers/{id}/commands/{cid}/ack", FLEET, 200, command_ack_read, \
         "a command was done"), \
    GET(base "/workers", ADMIN, admin_list_read, "the workers of the brand"), \
    POST(base "/workers", ADMIN, 201, admin_create_read, "makes a worker known"), \
    GET(base "/workers/statistics", ADMIN, admin_statistics_read, "figures of the fleet"), \
    GET(base "/workers/available", ADMIN, admin_available_read, "workers that have room"), \
    POST(base "/workers/health-check", ADMIN, 200, admin_health_read, \
         "which workers were heard in time"), \
    GET(base "/workers/{id}", ADMIN, admin_detail_read, "one worker"), \
    PUT(base "/workers/{id}", ADMIN, admin_update_read, "changes a worker"), \
    GET(base "/workers/{id}/metrics", ADMIN, history_metrics_read, "its figures of 7 days"), \
    GET(base "/workers/{id}/events", ADMIN, history_events_read, "what it reported"), \
    GET(base "/sessions", MEMBER, session_list_read, "the caller's sessions"), \
    POST(base "/sessions", MEMBER, 201, session_create_read, "makes a session"), \
    GET(base "/sessions/{id}", MEMBER, session_detail_read, "one session"), \
    DELETE(base "/sessions/{id}", MEMBER, session_remove_read, "removes a session"), \
    POST(base "/sessions/{id}/connect", MEMBER, 200, session_connect_read, \
         "has a worker open it"), \
    POST(base "/sessions/{id}/restart", MEMBER, 200, session_restart_read, "opens it anew"), \
    POST(base "/sessions/{id}/disconnect", MEMBER, 200, session_disconnect_read, "closes it"), \
    POST(base "/sessions/{id}/logout", MEMBER, 200, session_logout_read, "ends its login"), \
    GET(base "/sessions/{id}/status", MEMBER, session_status_read, "its state"), \
    GET(base "/sessions/{id}/qr", MEMBER, session_qr_read, "the code to scan"), \
    POST(base "/sessions/{id}/messages", SPEAKER, 202, message_send_read, "sends a message"), \
    GET(base "/sessions/{id}/messages", SPEAKER, message_list_read, "its messages"), \
    GET(base "/messages/{id}", SPEAKER, message_detail_read, "one message"), \
    GET(base "/events/stream", LISTENER, stream_events_read, "server-sent events"), \
    GET(base "/events/ws", LISTENER, stream_socket_read, "the same over a WebSocket")

static const struct route routes[] = {
    BASE_ROUTES("/api/v1"),
    BASE_ROUTES("/api"),
};

static const char *const prefixes[] = {"/api/v1", "/api", NULL};

/* ---- the envelope ---- */

void whatsapp_open(struct exchange *x, const char *message) {
    out_object(&x->out);
    out_key(&x->out, "success");
    out_bool(&x->out, true);
    if (message != NULL) {
        out_key(&x->out, "message");
        out_string(&x->out, message);
    }
    out_key(&x->out, "data");
    out_object(&x->out);
}

void whatsapp_close(struct exchange *x) {
    out_object_end(&x->out);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void error_write(struct exchange *x, int status, const char *name, const char *text) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "success");
    out_bool(o, false);
    out_key(o, "error");
    out_string(o, text);
    out_key(o, "code");
    out_string(o, name);
    out_key(o, "message");
    out_string(o, text);
    out_object_end(o);
    exchange_answer(x, status);
}

/* What the getters noted, as one sentence. */
static const char *fields_join(struct exchange *x) {
    const char *all = "";
    for (uint32_t i = 0; i < x->errors.count; i++) {
        char text[160];
        field_sentence(&x->errors.list[i], text, sizeof text);
        all = exchange_print(x, "%s%s%s: %s", all, i > 0 ? " " : "", x->errors.list[i].name, text);
    }
    return all;
}

/* A worker that meets this goes on unregistered for ever: its owner must find the cause. */
static void unauthorized_log(const struct exchange *x) {
    if (x->route == NULL || (x->route->guard & GUARD_FLEET) == 0) return;
    log_warn("a WhatsApp worker was refused: its token is none of worker_tokens",
             field_text("id", x->request_id), field_text("path", x->path));
}

/* The dialect names more refusals apart than the others do. */
static struct outcode named(enum code code) {
    struct outcode plain = outcode_of(code);
    bool own = code == CODE_NO_AVAILABLE_WORKERS || code == CODE_SESSION_NOT_CONNECTED ||
               code == CODE_WORKER_ALREADY_REGISTERED || code == CODE_WORKER_NOT_FOUND;
    if (own) plain.name = code_name(code);
    return plain;
}

/* What it is that is not there, unless the text says it already. */
static const char *missing(const struct exchange *x, const char *text) {
    if (x->route == NULL || strcmp(text, code_text(CODE_NOT_FOUND)) != 0) return text;
    if (strstr(x->route->path, "/messages/{id}") != NULL) return "Message not found";
    return strstr(x->route->path, "/sessions/{id}") != NULL ? "Session not found" : text;
}

void whatsapp_fail(struct exchange *x, enum code code, const char *text) {
    struct outcode plain = named(code);
    bool worker = x->route != NULL && strstr(x->route->path, "/workers/{id}") != NULL;
    if (plain.status == 401) {
        exchange_set(x, "WWW-Authenticate", "Bearer");
        unauthorized_log(x);
    }
    if (code == CODE_NO_AVAILABLE_WORKERS)
        exchange_set(x, "Retry-After", exchange_print(x, "%d", HEARTBEAT_MS / 1000));
    if (plain.status == 400 && x->errors.count > 0) text = fields_join(x);
    if (plain.status == 404) text = missing(x, text);
    if (plain.status == 404 && worker && x->cause != CAUSE_NO_SUCH_PATH) {
        plain.name = "WORKER_NOT_FOUND";
        text = "Worker not found";
    }
    error_write(x, plain.status, plain.name, text);
}

bool whatsapp_good(struct exchange *x) {
    return x->errors.count == 0 || exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
}

bool whatsapp_object(struct exchange *x) {
    return json_is_object(x->json) ||
           exchange_refuse(x, CODE_VALIDATION_ERROR, "the body must be a JSON object");
}

void whatsapp_keep(struct exchange *x, const struct message *m, exchange_then *then) {
    struct who house = account_house;
    house.brand = x->who.brand;
    exchange_try_as(x, &house, m, then);
}

/* ---- ids ---- */

/* An id in the path that could never have been stored is an error of the request. */
struct slice whatsapp_station(struct exchange *x, struct slice in_body) {
    struct slice path = exchange_param(x, "id");
    if (path.data == NULL) return in_body;
    if (!word_plain(path, STATION_ID_MIN, STATION_ID_MAX))
        field_refuse(&x->errors, "workerId", "Must be 3 to 50 letters, digits, _ or -.");
    if (in_body.len > 0 && !slice_equal(path, in_body))
        field_refuse(&x->errors, "workerId", "The path names another worker.");
    return path;
}

static step *const steps[] = {guard_cors, guard_fleet, guard_brand, guard_role, guard_rate, NULL};

const struct dialect whatsapp = {
    .name = "whatsapp",
    .prefixes = prefixes,
    .fold = FOLD_CASE,
    .steps = steps,
    .fail = whatsapp_fail,
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
};
