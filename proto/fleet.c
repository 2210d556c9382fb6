#include "proto/fleet.h"
#include "proto/decode.h"
#include "proto/encode.h"

enum { STATION_FIELDS = 18, SESSION_FIELDS = 17, COMMAND_FIELDS = 11, ANSWER_FIELDS = 9,
       COUNT_FIELDS = 3 + STATION_STATUS_COUNT + SESSION_STATUS_COUNT, FIELD_DEPTH = 2 };

void station_row_put(struct buffer *b, const struct station_row *row) {
    encode_array(b, STATION_FIELDS);
    encode_uint(b, row->id);
    encode_uint(b, row->brand);
    encode_text(b, row->name);
    encode_text(b, row->endpoint);
    encode_text(b, row->description);
    encode_text(b, row->version);
    encode_uint(b, row->status);
    encode_uint(b, row->environment);
    encode_uint(b, row->sessions_max);
    encode_uint(b, row->sessions);
    encode_uint(b, row->commands);
    encode_int(b, row->heard_ms);
    encode_int(b, row->created_ms);
    encode_int(b, row->updated_ms);
    encode_bool(b, row->draining);
    encode_bool(b, row->shadow);
    encode_bool(b, row->left);
    encode_bin(b, row->beat);
}

void session_row_put(struct buffer *b, const struct session_row *row) {
    encode_array(b, SESSION_FIELDS);
    encode_uint(b, row->id);
    encode_uint(b, row->brand);
    encode_text(b, row->name);
    encode_text(b, row->owner);
    encode_text(b, row->title);
    encode_text(b, row->station);
    encode_uint(b, row->status);
    encode_text(b, row->phone);
    encode_text(b, row->display);
    encode_text(b, row->reason);
    encode_uint(b, row->version);
    encode_int(b, row->created_ms);
    encode_int(b, row->updated_ms);
    encode_int(b, row->seen_ms);
    encode_int(b, row->reported_ms);
    encode_bool(b, row->wanted);
    encode_bool(b, row->recovering);
}

void command_row_put(struct buffer *b, const struct command_row *row) {
    encode_array(b, COMMAND_FIELDS);
    encode_uint(b, row->id);
    encode_uint(b, row->type);
    encode_text(b, row->session);
    encode_text(b, row->station);
    encode_int(b, row->created_ms);
    encode_uint(b, row->deliveries);
    encode_bin(b, row->payload);
    encode_text(b, row->key);
    encode_text(b, row->owner);
    encode_text(b, row->title);
    encode_text(b, row->endpoint);
}

static bool text_read(struct decode *d, struct slice *ret) {
    return decode_slice(d, ret) && decode_utf8(*ret);
}

static bool u32_read(struct decode *d, uint32_t *ret) {
    uint64_t value;
    if (!decode_uint(d, &value) || value > UINT32_MAX) return false;
    *ret = (uint32_t)value;
    return true;
}

static bool u8_read(struct decode *d, uint32_t below, uint8_t *ret) {
    uint64_t value;
    if (!decode_uint(d, &value) || value >= below) return false;
    *ret = (uint8_t)value;
    return true;
}

/* The head of an array with at least `fields` elements; *more are those that a later version
 * added. */
static bool array_open(struct decode *d, uint32_t fields, uint32_t *more) {
    uint32_t count;
    if (!decode_array(d, &count) || count < fields) return false;
    *more = count - fields;
    return true;
}

static bool array_close(struct decode *d, uint32_t more) {
    while (more--)
        if (!decode_skip(d, FIELD_DEPTH)) return false;
    return true;
}

static bool station_read(struct decode *d, struct station_row *row) {
    uint32_t more;
    return array_open(d, STATION_FIELDS, &more) && decode_uint(d, &row->id) &&
           u32_read(d, &row->brand) && text_read(d, &row->name) && text_read(d, &row->endpoint) &&
           text_read(d, &row->description) && text_read(d, &row->version) &&
           u8_read(d, STATION_STATUS_COUNT, &row->status) &&
           u8_read(d, ENVIRONMENT_COUNT, &row->environment) && u32_read(d, &row->sessions_max) &&
           u32_read(d, &row->sessions) && u32_read(d, &row->commands) &&
           decode_int(d, &row->heard_ms) && decode_int(d, &row->created_ms) &&
           decode_int(d, &row->updated_ms) && decode_bool(d, &row->draining) &&
           decode_bool(d, &row->shadow) && decode_bool(d, &row->left) &&
           decode_slice(d, &row->beat) && array_close(d, more);
}

static bool session_read(struct decode *d, struct session_row *row) {
    uint32_t more;
    return array_open(d, SESSION_FIELDS, &more) && decode_uint(d, &row->id) &&
           u32_read(d, &row->brand) && text_read(d, &row->name) && text_read(d, &row->owner) &&
           text_read(d, &row->title) && text_read(d, &row->station) &&
           u8_read(d, SESSION_STATUS_COUNT, &row->status) && text_read(d, &row->phone) &&
           text_read(d, &row->display) && text_read(d, &row->reason) &&
           u32_read(d, &row->version) && decode_int(d, &row->created_ms) &&
           decode_int(d, &row->updated_ms) && decode_int(d, &row->seen_ms) &&
           decode_int(d, &row->reported_ms) && decode_bool(d, &row->wanted) &&
           decode_bool(d, &row->recovering) && array_close(d, more);
}

static bool command_read(struct decode *d, struct command_row *row) {
    uint32_t more;
    return array_open(d, COMMAND_FIELDS, &more) && decode_uint(d, &row->id) &&
           u8_read(d, COMMAND_TYPE_COUNT, &row->type) && text_read(d, &row->session) &&
           text_read(d, &row->station) && decode_int(d, &row->created_ms) &&
           u32_read(d, &row->deliveries) && decode_slice(d, &row->payload) &&
           text_read(d, &row->key) && text_read(d, &row->owner) && text_read(d, &row->title) &&
           text_read(d, &row->endpoint) && array_close(d, more);
}

#define ROW_NEXT(name)                                                                             \
    bool name##_row_next(struct slice rows, uint32_t *at, struct name##_row *ret) {                \
        if (*at >= rows.len) return false;                                                         \
        struct decode d = decode_of(rows.data + *at, rows.len - *at);                              \
        struct name##_row row = {0};                                                               \
        if (!name##_read(&d, &row)) return false;                                                  \
        *ret = row;                                                                                \
        *at = rows.len - (uint32_t)decode_left(&d);                                                \
        return true;                                                                               \
    }
ROW_NEXT(station)
ROW_NEXT(session)
ROW_NEXT(command)

void fleet_put(struct buffer *b, const struct fleet_answer *a) {
    encode_array(b, ANSWER_FIELDS);
    if (a->station.id) station_row_put(b, &a->station);
    else encode_nil(b);
    if (a->session.id) session_row_put(b, &a->session);
    else encode_nil(b);
    encode_uint(b, a->session_count);
    encode_bin(b, a->sessions);
    encode_uint(b, a->command_count);
    encode_bin(b, a->commands);
    encode_uint(b, a->lost);
    encode_bool(b, a->changed);
    encode_uint(b, a->command);
}

bool fleet_read(struct slice body, struct fleet_answer *ret) {
    struct decode d = decode_of(body.data, body.len);
    struct fleet_answer a = {0};
    uint32_t more;
    bool ok = array_open(&d, ANSWER_FIELDS, &more) &&
              (decode_nil(&d) || station_read(&d, &a.station)) &&
              (decode_nil(&d) || session_read(&d, &a.session)) &&
              u32_read(&d, &a.session_count) && decode_slice(&d, &a.sessions) &&
              u32_read(&d, &a.command_count) && decode_slice(&d, &a.commands) &&
              u32_read(&d, &a.lost) && decode_bool(&d, &a.changed) &&
              decode_uint(&d, &a.command) && array_close(&d, more);
    if (ok) *ret = a;
    return ok;
}

void fleet_counts_put(struct buffer *b, const struct fleet_counts *counts) {
    encode_array(b, COUNT_FIELDS);
    for (int i = 0; i < STATION_STATUS_COUNT; i++) encode_uint(b, counts->stations[i]);
    for (int i = 0; i < SESSION_STATUS_COUNT; i++) encode_uint(b, counts->sessions[i]);
    encode_uint(b, counts->capacity);
    encode_uint(b, counts->seated);
    encode_uint(b, counts->waiting);
}

bool fleet_counts_read(struct slice body, struct fleet_counts *ret) {
    struct decode d = decode_of(body.data, body.len);
    struct fleet_counts counts = {0};
    uint32_t more;
    bool ok = array_open(&d, COUNT_FIELDS, &more);
    for (int i = 0; ok && i < STATION_STATUS_COUNT; i++) ok = u32_read(&d, &counts.stations[i]);
    for (int i = 0; ok && i < SESSION_STATUS_COUNT; i++) ok = u32_read(&d, &counts.sessions[i]);
    ok = ok && u32_read(&d, &counts.capacity) && u32_read(&d, &counts.seated) &&
         u32_read(&d, &counts.waiting);
    if (ok) *ret = counts;
    return ok;
}
