#include "gateway/dialect/whatsapp/report.h"

const char *const total_names[TOTALS] = {"total",        "connected", "disconnected",
                                         "qr_required", "reconnecting", "error"};

/* ---- members ---- */

/* The object that holds a member: data, or the body itself. */
static json_t *holder(json_t *body, const char *name) {
    json_t *data = member_find(body, "data");
    json_t *inner = json_is_object(data) ? member_find(data, name) : NULL;
    return inner != NULL && !json_is_null(inner) ? data : body;
}

json_t *report_member(json_t *body, const char *name) {
    return member_find(holder(body, name), name);
}

struct slice report_text(json_t *body, const char *name, uint32_t max, struct field_errors *e) {
    struct slice text = member_text(holder(body, name), name, NULLABLE | BLANK_OK, max, e);
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 0x20 && text.data[i] != 0x7f) continue;
        field_refuse(e, name, "Control characters are not allowed.");
        return (struct slice){0};
    }
    return text;
}

static struct slice required_text(json_t *body, const char *name, uint32_t max,
                                  struct field_errors *e) {
    uint32_t before = e->count;
    struct slice text = report_text(body, name, max, e);
    if (text.len == 0 && e->count == before) field_wrong(e, name, FIELD_MISSING, 0);
    return text;
}

struct slice report_id(json_t *body, const char *name, uint32_t flags, uint32_t min, uint32_t max,
                       struct field_errors *e) {
    struct slice text = member_text(holder(body, name), name, flags | NULLABLE, UINT16_MAX, e);
    if (text.data != NULL && !word_plain(text, min, max)) {
        field_refuse(e, name, min > 1 ? "Must be 3 to 50 letters, digits, _ or -."
                                      : "Must be 1 to 100 letters, digits, _ or -.");
        return (struct slice){0};
    }
    return text;
}

static bool number_time(const json_t *value, int64_t *ms) {
    static const int64_t seconds_max = 100000000000; /* the year 5138: above it, milliseconds */
    if (!json_is_number(value)) return false;
    double number = json_number_value(value);
    if (!(number > 0 && number < 253402300800000.0)) return false;
    *ms = number < (double)seconds_max ? (int64_t)(number * 1000) : (int64_t)number;
    return true;
}

int64_t report_time(json_t *body, const char *name, struct field_errors *e) {
    json_t *object = holder(body, name);
    int64_t ms = 0;
    if (number_time(member_find(object, name), &ms)) return ms;
    return member_time(object, name, NULLABLE, e);
}

static void choice_wrong(struct slice text, int value, const char *name, struct field_errors *e) {
    if (text.len > 0 && value == 0) field_wrong(e, name, FIELD_NOT_A_CHOICE, 0);
}

/* ---- the worker itself ---- */

void registration_change_read(json_t *body, bool create, struct registration *ret,
                              struct field_errors *e) {
    *ret = (struct registration){
        .station = report_id(body, "workerId", create ? REQUIRED : 0, STATION_ID_MIN,
                             STATION_ID_MAX, e),
        .endpoint = create ? required_text(body, "endpoint", ENDPOINT_MAX, e)
                           : report_text(body, "endpoint", ENDPOINT_MAX, e),
        .description = report_text(body, "description", LABEL_TEXT_MAX, e),
        .version = report_text(body, "version", VERSION_TEXT_MAX, e),
        .sessions_max = (uint32_t)member_integer(body, "maxSessions", NULLABLE, 0, 1,
                                                 STATION_SESSIONS_MAX, e),
        .time_ms = report_time(body, "timestamp", e),
    };
    struct slice status = report_text(body, "status", EVENT_NAME_MAX, e);
    struct slice environment = report_text(body, "environment", EVENT_NAME_MAX, e);
    ret->status = word_station(status);
    ret->environment = word_environment(environment);
    choice_wrong(status, (int)ret->status, "status", e);
    choice_wrong(environment, (int)ret->environment, "environment", e);
}

void registration_read(json_t *body, struct registration *ret, struct field_errors *e) {
    registration_change_read(body, true, ret, e);
    if (ret->sessions_max == 0) ret->sessions_max = STATION_SESSIONS_USUAL;
    if (ret->status == 0) ret->status = STATION_ONLINE;
    if (ret->environment == 0) ret->environment = ENVIRONMENT_DEVELOPMENT;
}

void unregistration_read(json_t *body, bool required, struct registration *ret,
                         struct field_errors *e) {
    *ret = (struct registration){
        .station = report_id(body, "workerId", required ? REQUIRED : 0, STATION_ID_MIN,
                             STATION_ID_MAX, e),
        .endpoint = report_text(body, "endpoint", ENDPOINT_MAX, e),
    };
}

/* ---- heartbeats ---- */

/* A figure of a heartbeat: in metrics, or beside it. */
static json_t *figure_holder(json_t *body, const char *name) {
    json_t *metrics = member_find(body, "metrics");
    json_t *inner = json_is_object(metrics) ? member_find(metrics, name) : NULL;
    return inner != NULL && !json_is_null(inner) ? metrics : body;
}

static double percent_read(json_t *body, const char *name, struct field_errors *e) {
    return member_number(figure_holder(body, name), name, NULLABLE, -1, 0, 100, e);
}

/* Uptimes come with fractions: process.uptime() does. */
static int64_t count_read(json_t *body, const char *name, struct field_errors *e) {
    return (int64_t)member_number(figure_holder(body, name), name, NULLABLE, -1, 0,
                                  9007199254740991.0, e);
}

static void totals_read(json_t *body, struct heartbeat *ret, struct field_errors *e) {
    static const char *const totals[] = {"totalSessions", "sessionCount"};
    static const char *const active[] = {"activeSessions", "activeConnections"};
    json_t *sessions = report_member(body, "sessions");
    json_t *inner = member_find(member_find(body, "metrics"), "sessions");
    json_t *counts = json_is_object(inner) ? inner : json_is_object(sessions) ? sessions : NULL;
    for (int i = 0; i < TOTALS; i++) {
        ret->totals[i] = member_integer(counts, total_names[i], NULLABLE, -1, 0, INT32_MAX, e);
    }
    for (int i = 0; i < 2; i++) {
        if (ret->totals[0] < 0) ret->totals[0] = count_read(body, totals[i], e);
        if (ret->totals[1] < 0) ret->totals[1] = count_read(body, active[i], e);
    }
}

static void sessions_read(json_t *body, struct heartbeat *ret, struct field_errors *e) {
    json_t *sessions = member_find(body, "sessions");
    if (json_is_array(sessions)) {
        if (json_array_size(sessions) > LIST_SESSIONS_MAX)
            field_wrong(e, "sessions", FIELD_TOO_LONG, LIST_SESSIONS_MAX);
        ret->sessions = sessions;
    } else if (sessions != NULL && !json_is_null(sessions) && !json_is_object(sessions)) {
        field_wrong(e, "sessions", FIELD_NOT_LIST, 0);
    }
}

void heartbeat_read(json_t *body, struct heartbeat *ret, struct field_errors *e) {
    *ret = (struct heartbeat){
        .station = report_id(body, "workerId", 0, STATION_ID_MIN, STATION_ID_MAX, e),
        .status_text = report_text(body, "status", EVENT_NAME_MAX, e),
        .cpu = percent_read(body, "cpuUsage", e),
        .memory = percent_read(body, "memoryUsage", e),
        .uptime_s = count_read(body, "uptime", e),
        .messages = count_read(body, "messageCount", e),
        .time_ms = report_time(body, "timestamp", e),
    };
    json_t *metrics = member_find(body, "metrics");
    if (metrics != NULL && !json_is_null(metrics) && !json_is_object(metrics))
        field_wrong(e, "metrics", FIELD_NOT_OBJECT, 0);
    ret->status = word_station(ret->status_text);
    choice_wrong(ret->status_text, (int)ret->status, "status", e);
    sessions_read(body, ret, e);
    totals_read(body, ret, e);
    if (ret->time_ms == 0) ret->time_ms = report_time(body, "lastActivity", e);
}

bool heartbeat_session(const struct heartbeat *h, uint32_t index, struct session_report *ret) {
    json_t *entry = json_array_get(h->sessions, index);
    struct field_errors ignored = {0};
    struct session_report s = {
        .session = report_id(entry, "sessionId", 0, 1, SESSION_ID_MAX, &ignored),
        .station = h->station,
        .status_text = report_text(entry, "status", EVENT_NAME_MAX, &ignored),
        .phone = phone_trim(report_text(entry, "phoneNumber", ADDRESS_MAX, &ignored)),
        .name = report_text(entry, "displayName", LABEL_TEXT_MAX, &ignored),
        .time_ms = report_time(entry, "lastActivity", &ignored),
    };
    s.status = word_session(s.status_text);
    if (s.session.len == 0) return false;
    *ret = s;
    return true;
}

/* ---- sessions ---- */

/* The id in the path and the one in the body must agree. */
static void same_id(struct slice path, struct slice *body, const char *name,
                    struct field_errors *e) {
    if (path.data == NULL) return;
    if (body->len > 0 && !slice_equal(path, *body))
        field_refuse(e, name, "The path names another one.");
    *body = path;
}

static void qr_read(json_t *body, struct session_report *ret, struct field_errors *e) {
    ret->qr_code = member_text(holder(body, "qrCode"), "qrCode", NULLABLE | BLANK_OK, QR_BYTES_MAX,
                               e);
    ret->qr_string = report_text(body, "qrString", QR_STRING_MAX, e);
}

void session_report_read(json_t *body, struct slice path_session, struct session_report *ret,
                         struct field_errors *e) {
    bool named = path_session.data != NULL;
    *ret = (struct session_report){
        .session = report_id(body, "sessionId", named ? 0 : REQUIRED, 1, SESSION_ID_MAX, e),
        .station = report_id(body, "workerId", 0, STATION_ID_MIN, STATION_ID_MAX, e),
        .event = report_text(body, "event", EVENT_NAME_MAX, e),
        .status_text = report_text(body, "status", EVENT_NAME_MAX, e),
        .phone = phone_trim(report_text(body, "phoneNumber", ADDRESS_MAX, e)),
        .name = report_text(body, "displayName", LABEL_TEXT_MAX, e),
        .reason = report_text(body, "reason", ERROR_TEXT_MAX, e),
        .time_ms = report_time(body, "timestamp", e),
    };
    if (named && !word_plain(path_session, 1, SESSION_ID_MAX))
        field_refuse(e, "sessionId", "Must be 1 to 100 letters, digits, _ or -.");
    same_id(path_session, &ret->session, "sessionId", e);
    qr_read(body, ret, e);
    ret->status = word_session(ret->status_text);
    choice_wrong(ret->status_text, (int)ret->status, "status", e);
    if (ret->status_text.len == 0) ret->status = word_session(ret->event);
    ret->deleted = word_deleted(ret->event);
    if (ret->status == 0 && (ret->qr_code.len > 0 || ret->qr_string.len > 0))
        ret->status = SESSION_QR_REQUIRED;
}

/* ---- messages ---- */

static struct slice address_read(json_t *body, const char *name, struct field_errors *e) {
    return phone_trim(report_text(body, name, ADDRESS_MAX, e));
}

void delivery_report_read(json_t *body, struct delivery_report *ret, struct field_errors *e) {
    *ret = (struct delivery_report){
        .message = required_text(body, "messageId", MESSAGE_ID_MAX, e),
        .session = report_id(body, "sessionId", 0, 1, SESSION_ID_MAX, e),
        .station = report_id(body, "workerId", 0, STATION_ID_MIN, STATION_ID_MAX, e),
        .event = report_text(body, "event", EVENT_NAME_MAX, e),
        .status_text = report_text(body, "status", EVENT_NAME_MAX, e),
        .to = address_read(body, "to", e),
        .from = address_read(body, "from", e),
        .error = report_text(body, "errorMessage", ERROR_TEXT_MAX, e),
        .sent_ms = report_time(body, "sentAt", e),
        .delivered_ms = report_time(body, "deliveredAt", e),
        .read_ms = report_time(body, "readAt", e),
        .failed_ms = report_time(body, "failedAt", e),
        .time_ms = report_time(body, "timestamp", e),
    };
    json_t *error = report_member(body, "error");
    if (ret->error.len == 0 && json_is_string(error))
        ret->error = report_text(body, "error", ERROR_TEXT_MAX, e);
    ret->inbound = slice_equal(ret->event, slice_text("message_received")) ||
                   slice_equal(ret->event, slice_text("received"));
    ret->status = word_delivery(ret->status_text);
    if (ret->status == 0) /* none, or a word that nobody knows beside an event that says it */
        ret->status = ret->inbound ? DELIVERY_DELIVERED : word_delivery(ret->event);
    choice_wrong(ret->status_text, (int)ret->status, "status", e);
    if (ret->status == 0 && ret->status_text.len == 0) field_wrong(e, "status", FIELD_MISSING, 0);
}
