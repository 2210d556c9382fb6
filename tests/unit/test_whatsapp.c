/* What WhatsApp workers report, in every form that was seen, read into one struct. */
#include "gateway/dialect/whatsapp/report.h"
#include "tests/unit/tap.h"
#include <math.h>
#include <stdlib.h>

static json_t *body;
static struct field_errors errors;

static void given(const char *json) {
    char why[128];
    json_decref(body);
    errors = (struct field_errors){0};
    body = json_parse(slice_text(json), why, sizeof why);
    if (body == NULL) printf("# %s\n", why);
}

static bool is(struct slice text, const char *want) { return slice_equal(text, slice_text(want)); }

static bool wrong(const char *name, enum field_wrong how) {
    for (uint32_t i = 0; i < errors.count; i++) {
        if (strcmp(errors.list[i].name, name) == 0 && errors.list[i].wrong == how) return true;
    }
    return false;
}

/* ---- words ---- */

static void words(void) {
    static const struct { const char *text; enum session_status status; } list[] = {
        {"CONNECTED", SESSION_CONNECTED},       {"connected", SESSION_CONNECTED},
        {"qr_required", SESSION_QR_REQUIRED},   {"Qr_Ready", SESSION_QR_REQUIRED},
        {"session_qr_ready", SESSION_QR_REQUIRED}, {"LOGGED_OUT", SESSION_DISCONNECTED},
        {"session_logged_out", SESSION_DISCONNECTED}, {"initializing", SESSION_INIT},
        {"session_created", SESSION_INIT},      {"restarting", SESSION_RECONNECTING},
        {"failed", SESSION_ERROR},              {"", 0},
        {"session_", 0},                        {"CONNECTE", 0},
        {"CONNECTEDX", 0},                      {"session_status_changed", 0},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char fact[96];
        snprintf(fact, sizeof fact, "the session word \"%s\"", list[i].text);
        ok(word_session(slice_text(list[i].text)) == list[i].status, fact);
    }
    ok(word_deleted(slice_text("session_deleted")) && word_deleted(slice_text("deleted")),
       "a session may be deleted");
    ok(!word_deleted(slice_text("session_delete")), "and not by half the word");
    ok(word_environment(slice_text("test")) == ENVIRONMENT_TESTING, "TEST is TESTING");
    ok(word_station(slice_text("Maintenance")) == STATION_MAINTENANCE, "a worker's status");
    ok(word_station(slice_text("busy")) == 0, "which it must be one of");
    ok(word_delivery(slice_text("message_failed")) == DELIVERY_FAILED, "a message's state");
    is_text(delivery_word(DELIVERY_READ), "READ", "is printed in upper case");
    is_text(session_word(0), "", "nothing is printed as nothing");
}

static void deliveries(void) {
    static const char *const names[] = {"none", "PENDING", "SENT", "DELIVERED", "READ", "FAILED"};
    static const bool may[6][6] = {
        /* to: none PENDING SENT DELIVERED READ FAILED */
        {false, true, true, true, true, true},
        {false, false, true, true, true, true},
        {false, false, false, true, true, true},
        {false, false, false, false, true, false},
        {false, false, false, false, false, false},
        {false, false, false, false, false, false},
    };
    for (int now = 0; now < 6; now++) {
        for (int next = 1; next < 6; next++) {
            char fact[64];
            snprintf(fact, sizeof fact, "%s %s %s", names[now],
                     may[now][next] ? "goes to" : "never becomes", names[next]);
            ok(delivery_follows((enum delivery_word)now, (enum delivery_word)next) ==
                   may[now][next], fact);
        }
    }
}

static void phones(void) {
    ok(is(phone_trim(slice_text("6281234567890@s.whatsapp.net")), "6281234567890"),
       "an address is its number");
    ok(is(phone_trim(slice_text("6281234567890:12@s.whatsapp.net")), "6281234567890"),
       "without its device");
    ok(is(phone_trim(slice_text("6281234567890@c.us")), "6281234567890"), "the older address too");
    ok(is(phone_trim(slice_text("+6281234567890")), "+6281234567890"), "a plus sign stays");
    ok(is(phone_trim(slice_text("6281234567890:3")), "6281234567890"), "a bare device goes");
    ok(is(phone_trim(slice_text("120363041234567890@g.us")), "120363041234567890@g.us"),
       "a group is no number");
    ok(is(phone_trim(slice_text("123@g.us")), "123@g.us"), "however short it is");
    ok(is(phone_trim(slice_text("hello")), "hello"), "what is no number stays as it is");
    ok(is(phone_trim(slice_text("")), ""), "nothing is nothing");
    ok(phone_good(slice_text("+12")) && phone_good(slice_text("123456789012345")),
       "two to fifteen digits");
    ok(!phone_good(slice_text("1")) && !phone_good(slice_text("1234567890123456")),
       "no fewer, no more");
    ok(!phone_good(slice_text("012345")) && !phone_good(slice_text("+")) &&
           !phone_good(slice_text("12 34")), "none begins with 0 or holds a blank");
}

static void ids(void) {
    ok(word_plain(slice_text("worker-001_A"), 3, 50), "an id");
    ok(!word_plain(slice_text("ab"), 3, 50), "may be too short");
    ok(!word_plain(slice_text("a b"), 1, 50) && !word_plain(slice_text("a/b"), 1, 50) &&
           !word_plain(slice_text("é"), 1, 50), "or hold what it may not");
}

/* ---- register ---- */

static void registrations(void) {
    struct registration r;
    given("{\"workerId\":\"worker-001\",\"endpoint\":\"http://localhost:8001\",\"maxSessions\":50,"
          "\"description\":\"Primary\",\"status\":\"ONLINE\",\"version\":\"1.0.0\","
          "\"environment\":\"PRODUCTION\",\"timestamp\":\"2024-01-15T10:30:00.000Z\"}");
    registration_read(body, &r, &errors);
    ok(errors.count == 0 && is(r.station, "worker-001") && is(r.endpoint, "http://localhost:8001"),
       "the document's registration");
    ok(r.sessions_max == 50 && r.status == STATION_ONLINE &&
           r.environment == ENVIRONMENT_PRODUCTION && r.time_ms == 1705314600000,
       "with all it says");
    given("{\"worker_id\":\"w-1\",\"endpoint\":\"http://h\",\"description\":null}");
    registration_read(body, &r, &errors);
    ok(errors.count == 0 && r.sessions_max == 50 && r.status == STATION_ONLINE &&
           r.environment == ENVIRONMENT_DEVELOPMENT, "what is left out has its default");
    given("{}");
    registration_read(body, &r, &errors);
    ok(wrong("workerId", FIELD_MISSING) && wrong("endpoint", FIELD_MISSING), "two are required");
    given("{\"workerId\":\"w!\",\"endpoint\":7,\"maxSessions\":0,\"status\":\"UP\","
          "\"environment\":\"MOON\",\"timestamp\":\"yesterday\"}");
    registration_read(body, &r, &errors);
    ok(wrong("workerId", FIELD_REFUSED) && wrong("endpoint", FIELD_NOT_TEXT) &&
           wrong("maxSessions", FIELD_TOO_SMALL) && wrong("status", FIELD_NOT_A_CHOICE) &&
           wrong("environment", FIELD_NOT_A_CHOICE) && wrong("timestamp", FIELD_NOT_DATE),
       "each mistake is named");
    given("{\"workerId\":\"w-1\",\"endpoint\":\"http://h\",\"maxSessions\":1001}");
    registration_read(body, &r, &errors);
    ok(wrong("maxSessions", FIELD_TOO_LARGE), "1000 sessions are the most");
    given("{\"workerId\":\"w-1\",\"endpoint\":\"http://h\\n\"}");
    registration_read(body, &r, &errors);
    ok(wrong("endpoint", FIELD_REFUSED), "a line break is no part of an address");
    given("{\"description\":\"x\"}");
    registration_change_read(body, false, &r, &errors);
    ok(errors.count == 0 && r.sessions_max == 0 && r.status == 0 && r.endpoint.len == 0,
       "a change says only what changes");
}

/* ---- heartbeats ---- */

static void flat_heartbeat(void) {
    struct heartbeat h;
    given("{\"status\":\"ONLINE\",\"cpuUsage\":45.5,\"memoryUsage\":67.8,\"uptime\":3600,"
          "\"messageCount\":1250,\"sessions\":{\"total\":25,\"connected\":20,\"disconnected\":2,"
          "\"qr_required\":2,\"reconnecting\":1,\"error\":0},"
          "\"timestamp\":\"2024-01-15T10:30:00.000Z\"}");
    heartbeat_read(body, &h, &errors);
    ok(errors.count == 0 && h.status == STATION_ONLINE && h.cpu == 45.5 && h.memory == 67.8 &&
           h.uptime_s == 3600 && h.messages == 1250, "the document's heartbeat");
    ok(h.totals[0] == 25 && h.totals[1] == 20 && h.totals[3] == 2 && h.totals[5] == 0 &&
           h.sessions == NULL, "counts its sessions");
}

static void nested_heartbeat(void) {
    struct heartbeat h;
    given("{\"status\":\"ONLINE\",\"metrics\":{\"sessions\":{\"total\":3,\"connected\":1},"
          "\"cpuUsage\":12,\"memoryUsage\":30.25,\"uptime\":12.75,\"messageCount\":0},"
          "\"timestamp\":1705314600000}");
    heartbeat_read(body, &h, &errors);
    ok(errors.count == 0 && h.cpu == 12 && h.memory == 30.25 && h.uptime_s == 12 &&
           h.messages == 0, "figures may stand in metrics");
    ok(h.totals[0] == 3 && h.totals[1] == 1 && h.totals[2] == -1, "and the counts with them");
    ok(h.time_ms == 1705314600000, "a time may be a number");
}

static void listing_heartbeat(void) {
    struct heartbeat h;
    struct session_report s = {0};
    given("{\"sessions\":[{\"sessionId\":\"a-1\",\"status\":\"CONNECTED\",\"phoneNumber\":"
          "\"628111:4@s.whatsapp.net\",\"displayName\":\"Ann\",\"lastActivity\":"
          "\"2024-01-15T10:30:00Z\"},{\"sessionId\":\"a-2\",\"status\":\"PURPLE\"},{\"x\":1},7],"
          "\"metrics\":{\"cpuUsage\":1,\"memoryUsage\":2,\"uptime\":3,\"messageCount\":4,"
          "\"totalSessions\":2,\"activeSessions\":1},\"capabilities\":{\"x\":true},"
          "\"lastActivity\":\"2024-01-15T10:30:01Z\"}");
    heartbeat_read(body, &h, &errors);
    ok(errors.count == 0 && h.status == 0 && h.sessions != NULL && h.totals[0] == 2 &&
           h.totals[1] == 1, "a heartbeat may list its sessions and name no status");
    ok(h.time_ms == 1705314601000, "its time is its last activity");
    ok(heartbeat_session(&h, 0, &s) && is(s.session, "a-1") && s.status == SESSION_CONNECTED &&
           is(s.phone, "628111") && is(s.name, "Ann") && s.time_ms == 1705314600000,
       "each session is read");
    ok(heartbeat_session(&h, 1, &s) && s.status == 0, "an unknown state is none");
    ok(!heartbeat_session(&h, 2, &s) && !heartbeat_session(&h, 3, &s),
       "an entry without an id is passed over");
    given("{\"workerId\":\"worker-001\",\"status\":\"online\",\"sessionCount\":9,\"cpuUsage\":5,"
          "\"memoryUsage\":6,\"uptime\":7,\"activeConnections\":8}");
    heartbeat_read(body, &h, &errors);
    ok(errors.count == 0 && is(h.station, "worker-001") && h.totals[0] == 9 && h.totals[1] == 8,
       "the webhook counts by other names");
}

static void wrong_heartbeat(void) {
    struct heartbeat h;
    given("{\"status\":\"SLEEPY\",\"cpuUsage\":100.5,\"memoryUsage\":\"much\",\"uptime\":-1,"
          "\"sessions\":\"many\",\"metrics\":[]}");
    heartbeat_read(body, &h, &errors);
    ok(wrong("status", FIELD_NOT_A_CHOICE) && wrong("cpuUsage", FIELD_TOO_LARGE) &&
           wrong("memoryUsage", FIELD_NOT_NUMBER) && wrong("uptime", FIELD_TOO_SMALL) &&
           wrong("sessions", FIELD_NOT_LIST) && wrong("metrics", FIELD_NOT_OBJECT),
       "each mistake of a heartbeat is named");
    given("{}");
    heartbeat_read(body, &h, &errors);
    ok(errors.count == 0 && h.cpu < 0 && h.uptime_s == -1 && h.totals[0] == -1,
       "an empty heartbeat is one");
}

/* ---- sessions ---- */

static void session_reports(void) {
    struct session_report r;
    const struct slice none = {0};
    given("{\"event\":\"qr_ready\",\"sessionId\":\"user123-session1\",\"workerId\":\"worker-001\","
          "\"data\":{\"status\":\"qr_required\",\"qrCode\":\"data:image/png;base64,iVBO\","
          "\"qrString\":\"1@ABC\"},\"timestamp\":\"2024-01-15T10:30:00.000Z\"}");
    session_report_read(body, none, &r, &errors);
    ok(errors.count == 0 && r.status == SESSION_QR_REQUIRED && is(r.status_text, "qr_required") &&
           is(r.qr_code, "data:image/png;base64,iVBO") && is(r.qr_string, "1@ABC") &&
           is(r.station, "worker-001") && r.time_ms == 1705314600000, "the document's report");
    given("{\"event\":\"connected\",\"sessionId\":\"s\","
          "\"data\":{\"phoneNumber\":\"62811@c.us\"}}");
    session_report_read(body, none, &r, &errors);
    ok(errors.count == 0 && r.status == SESSION_CONNECTED && is(r.phone, "62811") &&
           r.status_text.len == 0, "the event is the status where there is none");
    given("{\"sessionId\":\"s\",\"status\":\"CONNECTED\",\"qrCode\":null,\"phoneNumber\":"
          "\"+62811\",\"displayName\":\"Ann\",\"workerId\":\"worker-001\",\"reason\":null,"
          "\"timestamp\":\"2024-01-15T10:30:00Z\"}");
    session_report_read(body, none, &r, &errors);
    ok(errors.count == 0 && r.status == SESSION_CONNECTED && is(r.name, "Ann") &&
           r.qr_code.len == 0, "the flat report");
    given("{\"status\":\"connected\"}");
    session_report_read(body, slice_text("s-9"), &r, &errors);
    ok(errors.count == 0 && is(r.session, "s-9"), "the id may stand in the path");
    given("{\"status\":\"connected\",\"sessionId\":\"s-8\"}");
    session_report_read(body, slice_text("s-9"), &r, &errors);
    ok(wrong("sessionId", FIELD_REFUSED), "and must be the one in the body");
    given("{\"event\":\"session_deleted\",\"sessionId\":\"s\"}");
    session_report_read(body, none, &r, &errors);
    ok(errors.count == 0 && r.deleted && r.status == 0, "a session is gone");
    given("{\"event\":\"moon_rises\",\"sessionId\":\"s\"}");
    session_report_read(body, none, &r, &errors);
    ok(errors.count == 0 && r.status == 0 && !r.deleted, "an unknown event changes no state");
    given("{\"sessionId\":\"s\",\"status\":\"PURPLE\"}");
    session_report_read(body, none, &r, &errors);
    ok(wrong("status", FIELD_NOT_A_CHOICE), "an unknown state is refused");
    given("{\"sessionId\":\"\",\"status\":\"CONNECTED\"}");
    session_report_read(body, none, &r, &errors);
    ok(errors.count == 1, "an empty id is none");
    given("{\"status\":\"CONNECTED\",\"sessionId\":12}");
    session_report_read(body, none, &r, &errors);
    ok(wrong("sessionId", FIELD_NOT_TEXT), "nor is a number");
}

static void large_code(size_t len, bool good) {
    struct session_report r;
    char *text = malloc(len + 128);
    int n = sprintf(text, "{\"sessionId\":\"s\",\"qrCode\":\"");
    memset(text + n, 'A', len);
    strcpy(text + n + len, "\"}");
    given(text);
    session_report_read(body, (struct slice){0}, &r, &errors);
    if (good) ok(errors.count == 0 && r.qr_code.len == len && r.status == SESSION_QR_REQUIRED,
                 "a code of a megabyte is one");
    else ok(wrong("qrCode", FIELD_TOO_LONG), "a longer one is not");
    free(text);
}

/* ---- messages ---- */

static void delivery_reports(void) {
    struct delivery_report r;
    given("{\"event\":\"message_status\",\"sessionId\":\"user123-session1\",\"workerId\":"
          "\"worker-001\",\"data\":{\"messageId\":\"msg_12345\",\"status\":\"delivered\",\"to\":"
          "\"6281234567890@s.whatsapp.net\",\"deliveredAt\":\"2024-01-15T10:30:00.000Z\"},"
          "\"timestamp\":\"2024-01-15T10:30:00.000Z\"}");
    delivery_report_read(body, &r, &errors);
    ok(errors.count == 0 && r.status == DELIVERY_DELIVERED && is(r.message, "msg_12345") &&
           is(r.to, "6281234567890") && r.delivered_ms == 1705314600000 && !r.inbound,
       "the document's report");
    given("{\"sessionId\":\"s\",\"messageId\":\"3EB0\",\"status\":\"READ\",\"to\":\"62811\","
          "\"readAt\":\"2024-01-15T10:30:00Z\",\"errorMessage\":null}");
    delivery_report_read(body, &r, &errors);
    ok(errors.count == 0 && r.status == DELIVERY_READ && r.read_ms == 1705314600000,
       "the flat report");
    given("{\"event\":\"message_failed\",\"data\":{\"messageId\":\"m\",\"error\":\"no route\"}}");
    delivery_report_read(body, &r, &errors);
    ok(errors.count == 0 && r.status == DELIVERY_FAILED && is(r.error, "no route"),
       "the event is the status where there is none");
    given("{\"event\":\"message_received\",\"sessionId\":\"s\",\"data\":{\"messageId\":\"m\","
          "\"from\":\"62811@c.us\"}}");
    delivery_report_read(body, &r, &errors);
    ok(errors.count == 0 && r.inbound && is(r.from, "62811"), "a message that came in");
    given("{\"sessionId\":\"s\",\"status\":\"sent\"}");
    delivery_report_read(body, &r, &errors);
    ok(wrong("messageId", FIELD_MISSING), "a message has an id");
    given("{\"messageId\":\"m\"}");
    delivery_report_read(body, &r, &errors);
    ok(wrong("status", FIELD_MISSING), "and a state");
    given("{\"messageId\":\"m\",\"status\":\"lost\",\"sentAt\":\"soon\",\"to\":7}");
    delivery_report_read(body, &r, &errors);
    ok(wrong("status", FIELD_NOT_A_CHOICE) && wrong("sentAt", FIELD_NOT_DATE) &&
           wrong("to", FIELD_NOT_TEXT), "each mistake of a report is named");
}

static void times(void) {
    given("{\"a\":1705314600,\"b\":1705314600123,\"c\":-5,\"d\":1e300,\"e\":true}");
    ok(report_time(body, "a", &errors) == 1705314600000, "seconds");
    ok(report_time(body, "b", &errors) == 1705314600123, "milliseconds");
    ok(errors.count == 0, "both are times");
    ok(report_time(body, "c", &errors) == 0 && wrong("c", FIELD_NOT_DATE), "before 1970: none");
    ok(report_time(body, "d", &errors) == 0 && wrong("d", FIELD_NOT_DATE), "past all years: none");
    ok(report_time(body, "e", &errors) == 0 && wrong("e", FIELD_NOT_DATE), "true is no time");
}

int main(void) {
    words();
    deliveries();
    phones();
    ids();
    registrations();
    flat_heartbeat();
    nested_heartbeat();
    listing_heartbeat();
    wrong_heartbeat();
    session_reports();
    large_code(QR_BYTES_MAX, true);
    large_code(QR_BYTES_MAX + 1, false);
    delivery_reports();
    times();
    json_decref(body);
    return done();
}
