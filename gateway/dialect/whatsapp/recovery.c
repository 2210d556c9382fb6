/* recovery.c - the sessions that are a worker's: which it is to bring back after a restart, which
 * of them came back, and which it keeps while it is away. */
#include "gateway/dialect/whatsapp/whatsapp.h"

/* ---- assigned ---- */

static void assigned_write(struct exchange *x, const struct message *answer) {
    struct fleet_answer a;
    struct out *o = &x->out;
    if (!fleet_answer_read(x, answer, &a)) return;
    whatsapp_open(x, NULL);
    out_key(o, "workerId");
    out_text(o, a.station.name);
    out_key(o, "sessionCount");
    out_unsigned(o, a.session_count);
    sessions_show(o, "sessions", a.sessions);
    out_key(o, "retrievedAt");
    out_time(o, x->wall_ms);
    whatsapp_close(x);
}

bool recovery_assigned_read(struct exchange *x, struct message *m) {
    (void)m;
    return station_get(x, assigned_write);
}

/* ---- recovery-status ---- */

struct recovering {
    json_t *results; /* borrowed from x->json */
    uint32_t at;     /* the one under way */
    uint32_t processed, failed;
};

static const char *const outcomes[] = {"SUCCESS", "FAILED", "SKIPPED", NULL};

struct outcome_report { struct slice session, error; int outcome; int64_t time_ms; };

static bool result_read(json_t *entry, struct outcome_report *ret, struct field_errors *e) {
    uint32_t before = e->count;
    *ret = (struct outcome_report){
        .session = report_id(entry, "sessionId", REQUIRED, 1, SESSION_ID_MAX, e),
        .outcome = member_choice(entry, "status", REQUIRED, outcomes, e),
        .time_ms = report_time(entry, "recoveredAt", e),
    };
    if (json_is_string(member_find(entry, "error")))
        ret->error = report_text(entry, "error", ERROR_TEXT_MAX, e);
    return e->count == before;
}

static void result_next(struct exchange *x);

static void processed_out(struct exchange *x, const struct outcome_report *r, bool good,
                          const char *why) {
    struct recovering *p = x->state;
    struct out *o = &x->out;
    p->processed += good;
    p->failed += !good;
    out_object(o);
    out_key(o, "sessionId");
    out_text(o, r->session);
    out_key(o, "status");
    out_string(o, outcomes[r->outcome]);
    out_key(o, "processed");
    out_bool(o, good);
    if (why != NULL) {
        out_key(o, "error");
        out_string(o, why);
    }
    out_object_end(o);
}

static void result_done(struct exchange *x, const struct message *answer) {
    struct recovering *p = x->state;
    struct outcome_report r;
    struct field_errors ignored = {0};
    enum code code = exchange_code(answer);
    result_read(json_array_get(p->results, p->at), &r, &ignored);
    processed_out(x, &r, code == CODE_OK, code == CODE_OK ? NULL : code_text(code));
    p->at++;
    result_next(x);
}

static void result_end(struct exchange *x) {
    const struct recovering *p = x->state;
    struct out *o = &x->out;
    out_list_end(o);
    out_key(o, "workerId");
    out_text(o, exchange_param(x, "id"));
    out_key(o, "totalProcessed");
    out_unsigned(o, p->processed);
    out_key(o, "totalFailed");
    out_unsigned(o, p->failed);
    whatsapp_close(x);
}

/* One after the other: what is under way at once is bounded whatever the list is. */
static void result_next(struct exchange *x) {
    struct recovering *p = x->state;
    for (; p->at < json_array_size(p->results); p->at++) {
        struct outcome_report r;
        struct field_errors ignored = {0};
        result_read(json_array_get(p->results, p->at), &r, &ignored);
        if (r.outcome == 2) { /* passed over by the worker: nothing is known of it */
            processed_out(x, &r, true, NULL);
            continue;
        }
        struct message m = {.verb = VERB_SESSION_REPORT};
        m.session = (struct session_ref){
            .name = r.session,
            .station = exchange_param(x, "id"),
            .brand = x->who.brand,
            .status = (uint8_t)(r.outcome == 0 ? SESSION_CONNECTED : SESSION_ERROR),
            .reason = r.error,
            .time_ms = r.time_ms,
        };
        exchange_try(x, &m, result_done);
        return;
    }
    result_end(x);
}

static void recovery_begin(struct exchange *x, const struct message *answer) {
    (void)answer;
    whatsapp_open(x, "Recovery status processed");
    out_key(&x->out, "processedResults");
    out_list(&x->out);
    result_next(x);
}

bool recovery_status_read(struct exchange *x, struct message *m) {
    struct recovering *p = exchange_alloc(x, sizeof *p);
    (void)m;
    if (!whatsapp_object(x)) return false;
    p->results = member_list(x->json, "recoveryResults", REQUIRED, LIST_SESSIONS_MAX, &x->errors);
    for (uint32_t i = 0; i < json_array_size(p->results); i++) {
        struct outcome_report r;
        if (!result_read(json_array_get(p->results, i), &r, &x->errors)) break;
    }
    x->state = p;
    return station_get(x, recovery_begin);
}

/* ---- sessions-preserved ---- */

static void preserved_answer(struct exchange *x) {
    const json_t *list = member_find(x->json, "preservedSessions");
    whatsapp_open(x, "Preserved sessions noted");
    out_key(&x->out, "workerId");
    out_text(&x->out, exchange_param(x, "id"));
    out_key(&x->out, "preservedCount");
    out_unsigned(&x->out, json_array_size(list));
    whatsapp_close(x);
}

static void preserved_keep(struct exchange *x, const struct message *answer) {
    struct field_errors ignored = {0};
    (void)answer;
    history_event(x, exchange_param(x, "id"), slice_text("sessions_preserved"),
                  (struct slice){0}, x->json, report_time(x->json, "timestamp", &ignored),
                  preserved_answer);
}

bool recovery_preserved_read(struct exchange *x, struct message *m) {
    (void)m;
    if (!whatsapp_object(x)) return false;
    member_list(x->json, "preservedSessions", REQUIRED, LIST_SESSIONS_MAX, &x->errors);
    whatsapp_station(x, report_id(x->json, "workerId", 0, STATION_ID_MIN, STATION_ID_MAX,
                                  &x->errors));
    report_time(x->json, "timestamp", &x->errors);
    if (!whatsapp_good(x)) return false;
    return station_get(x, preserved_keep);
}
