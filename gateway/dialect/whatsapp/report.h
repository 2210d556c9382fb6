/* report.h - what workers say about themselves, their sessions and messages: every generation of
 * a report, read into one struct. Pure but for jansson; nothing is asked and nothing answered.
 *
 * Generations (captured from real clients and the document):
 *   heartbeat        flat; {status, metrics{…, sessions{}}}; {sessions[], metrics{}} without a
 *                    status; {workerId, sessionCount, activeConnections, …} of the webhook
 *   session status   nested {event, sessionId, workerId, data{}}, with or without data.status;
 *                    flat {sessionId, status, …}
 *   message status   nested and flat likewise
 *   unregister       nothing; {workerId, endpoint}
 *
 * Rules: what is missing or of a type that cannot be stored becomes a field error; unknown keys
 * are ignored; null counts as absent. Every member is looked for in `data` first, then beside it,
 * as is and in its other spelling. Times are RFC 3339 or unix milliseconds (or seconds).
 *
 * Slices are borrowed from the JSON value. */
#ifndef RELAIS_GATEWAY_DIALECT_WHATSAPP_REPORT_H
#define RELAIS_GATEWAY_DIALECT_WHATSAPP_REPORT_H
#include "gateway/dialect/whatsapp/word.h"
#include "gateway/json.h"

enum {
    STATION_ID_MIN = 3, STATION_ID_MAX = 50, SESSION_ID_MAX = 100, MESSAGE_ID_MAX = 100,
    ENDPOINT_MAX = 255, LABEL_TEXT_MAX = 255, VERSION_TEXT_MAX = 50, ADDRESS_MAX = 100,
    QR_BYTES_MAX = 1 << 20, QR_STRING_MAX = 4096, EVENT_NAME_MAX = 100, LIST_SESSIONS_MAX = 1000,
    STATION_SESSIONS_MAX = 1000, STATION_SESSIONS_USUAL = 50, ERROR_TEXT_MAX = 500
};

struct registration {
    struct slice station, endpoint, description, version;
    enum station_status status;   /* 0 = not given */
    enum environment environment; /* 0 = not given */
    uint32_t sessions_max;        /* 0 = not given */
    int64_t time_ms;              /* 0 = not given */
};

/* The figures of one heartbeat; totals in the order of the document's members. */
enum { TOTALS = 6 };
extern const char *const total_names[TOTALS]; /* "total", "connected", … */
struct heartbeat {
    struct slice station;         /* of the body; may be empty */
    struct slice status_text;     /* as received */
    enum station_status status;   /* 0 = not given */
    double cpu, memory;           /* percent; < 0 = not given */
    int64_t uptime_s, messages;   /* -1 = not given */
    int64_t totals[TOTALS];       /* -1 = not given */
    json_t *sessions;             /* the whole list of sessions; NULL = not given; borrowed */
    int64_t time_ms;
};

struct session_report {
    struct slice session, station, event;
    struct slice status_text;     /* as received; empty when the event says it */
    enum session_status status;   /* 0 = not said */
    bool deleted;
    struct slice qr_code, qr_string, phone, name, reason;
    int64_t time_ms;
};

struct delivery_report {
    struct slice message, session, station, event, status_text;
    enum delivery_word status;
    struct slice to, from, error;
    int64_t sent_ms, delivered_ms, read_ms, failed_ms, time_ms;
    bool inbound;                 /* a message that was received */
};

void registration_read(json_t *body, struct registration *ret, struct field_errors *e);
/* The same members without their defaults, for an admin: workerId and endpoint are required to
 * create, nothing is to change. */
void registration_change_read(json_t *body, bool create, struct registration *ret,
                              struct field_errors *e);
/* {workerId, endpoint}; both may be absent. */
void unregistration_read(json_t *body, bool required, struct registration *ret,
                         struct field_errors *e);
void heartbeat_read(json_t *body, struct heartbeat *ret, struct field_errors *e);
/* Session `index` of heartbeat.sessions; false when the entry names none: it is passed over, for
 * one bad entry must not make a living worker dead. */
bool heartbeat_session(const struct heartbeat *h, uint32_t index, struct session_report *ret);
/* `path_session` is the id in the path, data NULL = none. */
void session_report_read(json_t *body, struct slice path_session, struct session_report *ret,
                         struct field_errors *e);
void delivery_report_read(json_t *body, struct delivery_report *ret, struct field_errors *e);

/* One member, in `data` or beside it. */
json_t *report_member(json_t *body, const char *name);
/* Milliseconds; 0 = absent or wrong (noted). */
int64_t report_time(json_t *body, const char *name, struct field_errors *e);
/* Plain text without control bytes, null as absent, cut to no length: longer is an error. */
struct slice report_text(json_t *body, const char *name, uint32_t max, struct field_errors *e);
/* An id of [A-Za-z0-9_-]. */
struct slice report_id(json_t *body, const char *name, uint32_t flags, uint32_t min, uint32_t max,
                       struct field_errors *e);
#endif
