/* Any JSON as what a WhatsApp worker reports: read or refused by name, and what is read is within
 * its bounds. */
#include "gateway/dialect/whatsapp/report.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void registrations(json_t *body) {
    struct registration r;
    struct field_errors e = {0};
    registration_read(body, &r, &e);
    if (e.count == 0) {
        assert(word_plain(r.station, STATION_ID_MIN, STATION_ID_MAX) && r.endpoint.len > 0);
        assert(r.sessions_max >= 1 && r.sessions_max <= STATION_SESSIONS_MAX);
        assert(r.status != 0 && r.environment != 0);
    }
    e.count = 0;
    registration_change_read(body, false, &r, &e);
    unregistration_read(body, true, &r, &e);
}

static void heartbeats(json_t *body) {
    struct heartbeat h;
    struct field_errors e = {0};
    heartbeat_read(body, &h, &e);
    assert(h.cpu <= 100 && h.memory <= 100 && h.uptime_s >= -1);
    for (uint32_t i = 0; i < json_array_size(h.sessions) && i < LIST_SESSIONS_MAX; i++) {
        struct session_report s;
        if (heartbeat_session(&h, i, &s)) assert(word_plain(s.session, 1, SESSION_ID_MAX));
    }
}

static void reports(json_t *body) {
    struct session_report s;
    struct delivery_report d;
    struct field_errors e = {0};
    session_report_read(body, (struct slice){0}, &s, &e);
    if (e.count == 0) assert(word_plain(s.session, 1, SESSION_ID_MAX));
    assert(s.qr_code.len <= QR_BYTES_MAX && s.phone.len <= ADDRESS_MAX);
    e.count = 0;
    delivery_report_read(body, &d, &e);
    if (e.count == 0) assert(d.status != 0 && d.message.len > 0);
    assert(d.message.len <= MESSAGE_ID_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char why[192];
    json_t *body = json_parse(slice_of(data, size), why, sizeof why);
    if (body == NULL) return 0;
    registrations(body);
    heartbeats(body);
    reports(body);
    json_decref(body);
    return 0;
}
