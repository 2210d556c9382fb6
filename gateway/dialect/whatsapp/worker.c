/* worker.c - a worker comes, lives and goes, and asks what it is to do. */
#include "gateway/dialect/setting.h"
#include "gateway/dialect/whatsapp/whatsapp.h"
#include <stdlib.h>

/* ---- register ---- */

static void registered_write(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    struct out *o = &x->out;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, NULL);
    out_key(o, "workerId");
    out_text(o, a.station.name);
    out_key(o, "status");
    out_string(o, "registered");
    sessions_show(o, "assignedSessions", a.sessions);
    out_key(o, "message");
    out_string(o, "Worker registered successfully");
    out_key(o, "recoveryRequired");
    out_bool(o, a.session_count > 0);
    out_key(o, "assignedSessionCount");
    out_unsigned(o, a.session_count);
    out_key(o, "maxSessions");
    out_unsigned(o, a.station.sessions_max);
    out_key(o, "heartbeatInterval");
    out_integer(o, HEARTBEAT_MS);
    whatsapp_close(x);
}

bool worker_register_read(struct exchange *x, struct message *m) {
    struct registration r;
    (void)m;
    if (!whatsapp_object(x)) return false;
    registration_read(x->json, &r, &x->errors);
    if (!whatsapp_good(x)) return false;
    struct message put = {.verb = VERB_STATION_PUT};
    put.station = (struct station_ref){
        .name = r.station,
        .brand = x->who.brand,
        .mode = STATION_REGISTER,
        .set = SET_STATION_STATUS | SET_STATION_MAX | SET_STATION_ENDPOINT |
               SET_STATION_DESCRIPTION | SET_STATION_VERSION | SET_STATION_ENVIRONMENT,
        .endpoint = r.endpoint,
        .description = r.description,
        .version = r.version,
        .status = (uint8_t)r.status,
        .environment = (uint8_t)r.environment,
        .sessions_max = r.sessions_max,
        .time_ms = r.time_ms,
    };
    exchange_send(x, &put, registered_write);
    return false;
}

/* ---- heartbeat ---- */

struct beat { struct heartbeat report; struct slice station; };

static void beat_answer(struct exchange *x) { whatsapp_close(x); }

static void beaten_write(struct exchange *x, const struct message *answer) {
    const struct beat *beat = x->state;
    struct fleet_answer a;
    struct out *o = &x->out;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, NULL);
    out_key(o, "workerId");
    out_text(o, a.station.name);
    out_key(o, "status");
    out_string(o, "acknowledged");
    commands_show(o, a.commands);
    out_key(o, "lastHeartbeat");
    out_time(o, a.station.heard_ms);
    if (a.lost > 0) { /* sessions of the list that were over maxSessions */
        out_key(o, "refusedSessions");
        out_unsigned(o, a.lost);
    }
    history_metric(x, beat->station, &beat->report, beat_answer);
}

/* Rows of the sessions that the worker lists. */
static struct slice rows_of(struct exchange *x, const struct heartbeat *h) {
    struct buffer b = {0};
    for (uint32_t i = 0; i < json_array_size(h->sessions); i++) {
        struct session_report s;
        if (!heartbeat_session(h, i, &s)) continue;
        struct session_row row = {.name = s.session,
                                  .status = (uint8_t)s.status,
                                  .phone = s.phone,
                                  .display = s.name,
                                  .seen_ms = s.time_ms};
        session_row_put(&b, &row);
    }
    struct slice rows = exchange_copy(x, buffer_slice(&b));
    buffer_free(&b);
    return rows;
}

bool worker_beat_read(struct exchange *x, struct message *m) {
    struct beat *beat = exchange_alloc(x, sizeof *beat);
    struct heartbeat *h = &beat->report;
    (void)m;
    if (!whatsapp_object(x)) return false;
    heartbeat_read(x->json, h, &x->errors);
    beat->station = whatsapp_station(x, h->station);
    bool hook = exchange_param(x, "id").data == NULL; /* the webhook must say both */
    if (hook && beat->station.len == 0 && x->errors.count == 0)
        field_wrong(&x->errors, "workerId", FIELD_MISSING, 0);
    if (hook && h->status == 0 && x->errors.count == 0)
        field_wrong(&x->errors, "status", FIELD_MISSING, 0);
    if (!whatsapp_good(x)) return false;
    x->state = beat;
    struct message put = {.verb = VERB_STATION_BEAT};
    put.station = (struct station_ref){
        .name = beat->station,
        .brand = x->who.brand,
        .status = (uint8_t)h->status,
        .set = h->status != 0 ? SET_STATION_STATUS : 0,
        .beat = history_beat(x, h),
        .time_ms = h->time_ms,
        .commands = COMMANDS_A_BEAT,
    };
    if (h->sessions != NULL) {
        put.station.set |= SET_STATION_SESSIONS;
        put.station.sessions = rows_of(x, h);
        put.station.whole = true;
    }
    exchange_send(x, &put, beaten_write);
    return false;
}

/* ---- unregister ---- */

static void left_write(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    struct out *o = &x->out;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, "Worker unregistered successfully");
    out_key(o, "workerId");
    out_text(o, a.station.name);
    out_key(o, "migratedSessions");
    out_unsigned(o, a.lost);
    out_key(o, "unregisteredAt");
    out_time(o, x->wall_ms);
    whatsapp_close(x);
}

bool worker_leave_read(struct exchange *x, struct message *m) {
    struct registration r = {0};
    bool named = exchange_param(x, "id").data != NULL;
    (void)m;
    if (!named && !whatsapp_object(x)) return false;
    if (json_is_object(x->json)) unregistration_read(x->json, !named, &r, &x->errors);
    struct slice station = whatsapp_station(x, r.station);
    if (!whatsapp_good(x)) return false;
    struct message leave = {.verb = VERB_STATION_LEAVE};
    leave.station = (struct station_ref){.name = station,
                                         .brand = x->who.brand,
                                         .endpoint = r.endpoint,
                                         .remove = x->who.role == ROLE_ADMIN};
    if (r.endpoint.len > 0) leave.station.set = SET_STATION_ENDPOINT;
    exchange_send(x, &leave, left_write);
    return false;
}

/* ---- commands ---- */

static void commands_write(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, NULL);
    out_key(&x->out, "workerId");
    out_text(&x->out, exchange_param(x, "id"));
    commands_show(&x->out, a.commands);
    whatsapp_close(x);
}

bool command_list_read(struct exchange *x, struct message *m) {
    struct slice station = whatsapp_station(x, (struct slice){0});
    (void)m;
    int64_t wait_s = exchange_query_number(x, "wait", 0, 0, INT32_MAX);
    int64_t limit = exchange_query_number(x, "limit", COMMANDS_A_BEAT, 1, 100);
    if (!whatsapp_good(x)) return false;
    struct message ask = {.verb = VERB_COMMANDS};
    ask.commands = (struct commands_ask){.station = station,
                                         .brand = x->who.brand,
                                         .limit = (uint32_t)limit,
                                         .wait_ms = setting_wait_ms(x, wait_s)};
    exchange_send(x, &ask, commands_write);
    return false;
}

static void acked_write(struct exchange *x, const struct message *answer) {
    (void)answer;
    whatsapp_open(x, "Command acknowledged");
    out_key(&x->out, "workerId");
    out_text(&x->out, exchange_param(x, "id"));
    out_key(&x->out, "commandId");
    out_text(&x->out, exchange_param(x, "cid"));
    out_key(&x->out, "status");
    out_string(&x->out, "acknowledged");
    whatsapp_close(x);
}

bool command_ack_read(struct exchange *x, struct message *m) {
    struct slice station = whatsapp_station(x, (struct slice){0});
    const char *text = (const char *)exchange_param(x, "cid").data;
    char *end;
    (void)m;
    unsigned long long id = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || strlen(text) > 16)
        field_wrong(&x->errors, "commandId", FIELD_NOT_INTEGER, 0);
    if (!whatsapp_good(x)) return false;
    struct message ack = {.verb = VERB_COMMANDS};
    ack.commands = (struct commands_ask){.station = station, .brand = x->who.brand, .ack = id};
    exchange_send(x, &ack, acked_write);
    return false;
}
