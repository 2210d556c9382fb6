/* Rows and answers of dialect 003's verbs come back as they were put, and noise is survived. */
#include "proto/base/random.h"
#include "proto/fleet.h"
#include "proto/message.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static struct random source = {.state = 7};
static uint64_t number(void) { return random_next(&source) >> random_below(&source, 64); }
static const char letters[] = "the quick brown fox jumps over the lazy dog";
static struct slice text(void) {
    return slice_of(letters, random_below(&source, sizeof letters));
}

static struct station_row any_station(void) {
    return (struct station_row){
        .id = number() | 1, .brand = (uint32_t)number(), .name = text(), .endpoint = text(),
        .description = text(), .version = text(), .beat = text(),
        .status = (uint8_t)random_below(&source, STATION_STATUS_COUNT),
        .environment = (uint8_t)random_below(&source, ENVIRONMENT_COUNT),
        .sessions_max = (uint32_t)number(), .sessions = (uint32_t)number(),
        .commands = (uint32_t)number(), .heard_ms = (int64_t)number(),
        .created_ms = (int64_t)number(), .updated_ms = (int64_t)number(),
        .draining = number() & 1, .shadow = number() & 1, .left = number() & 1};
}

static struct session_row any_session(void) {
    return (struct session_row){
        .id = number() | 1, .brand = (uint32_t)number(), .version = (uint32_t)number(),
        .name = text(), .owner = text(), .title = text(), .station = text(), .phone = text(),
        .display = text(), .reason = text(),
        .status = (uint8_t)random_below(&source, SESSION_STATUS_COUNT),
        .created_ms = (int64_t)number(), .updated_ms = (int64_t)number(),
        .seen_ms = (int64_t)number(), .reported_ms = (int64_t)number(), .wanted = number() & 1,
        .recovering = number() & 1};
}

static struct command_row any_command(void) {
    return (struct command_row){
        .id = number(), .type = (uint8_t)random_below(&source, COMMAND_TYPE_COUNT),
        .session = text(), .station = text(), .created_ms = (int64_t)number(),
        .deliveries = (uint32_t)number(), .payload = text(), .key = text(), .owner = text(),
        .title = text(), .endpoint = text()};
}

/* Equal when they are written alike. */
#define SAME(name)                                                                                 \
    static bool same_##name(const struct name##_row *a, const struct name##_row *b) {              \
        struct buffer x = {0}, y = {0};                                                            \
        name##_row_put(&x, a);                                                                     \
        name##_row_put(&y, b);                                                                     \
        bool same = slice_equal(buffer_slice(&x), buffer_slice(&y));                               \
        buffer_free(&x);                                                                           \
        buffer_free(&y);                                                                           \
        return same;                                                                               \
    }
SAME(station)
SAME(session)
SAME(command)

static void rows_come_back(void) {
    int wrong = 0;
    for (int i = 0; i < 2000; i++) {
        struct station_row station = any_station(), s2;
        struct session_row session = any_session(), n2;
        struct command_row command = any_command(), c2;
        struct buffer b = {0};
        uint32_t at = 0;
        station_row_put(&b, &station);
        session_row_put(&b, &session);
        command_row_put(&b, &command);
        struct slice all = buffer_slice(&b);
        bool good = station_row_next(all, &at, &s2) && session_row_next(all, &at, &n2) &&
                    command_row_next(all, &at, &c2) && at == all.len;
        good = good && same_station(&station, &s2) && same_session(&session, &n2) &&
               same_command(&command, &c2) && !session_row_next(all, &at, &n2);
        if (!good) wrong++;
        for (uint32_t len = 0; len < all.len && i < 10; len++) {
            uint8_t *exact = malloc(len + 1); /* the sanitizer sees a read behind it */
            memcpy(exact, all.data, len);
            for (at = 0; station_row_next(slice_of(exact, len), &at, &s2);) {}
            at = 0;
            if (len < 20 && station_row_next(slice_of(exact, len), &at, &s2)) wrong++;
            free(exact);
        }
        buffer_free(&b);
    }
    is_int(wrong, 0, "rows of stations, sessions and commands come back as they were put");
}

static void answers_come_back(void) {
    int wrong = 0;
    for (int i = 0; i < 1000; i++) {
        struct buffer rows = {0}, b = {0};
        const struct session_row row = any_session();
        session_row_put(&rows, &row);
        struct fleet_answer a = {.sessions = buffer_slice(&rows), .session_count = 1,
                                 .lost = (uint32_t)number(), .changed = number() & 1,
                                 .command = number()}, back;
        if (i & 1) a.station = any_station();
        if (i & 2) a.session = any_session();
        fleet_put(&b, &a);
        bool good = fleet_read(buffer_slice(&b), &back) &&
                    same_station(&a.station, &back.station) &&
                    same_session(&a.session, &back.session) && back.lost == a.lost &&
                    back.changed == a.changed && back.command == a.command &&
                    back.session_count == 1 && slice_equal(back.sessions, a.sessions);
        if (!good) wrong++;
        buffer_free(&rows);
        buffer_free(&b);
    }
    is_int(wrong, 0, "answers come back as they were put");
    struct fleet_counts counts = {.capacity = 9, .seated = 8, .waiting = 7}, back = {0};
    counts.stations[STATION_ONLINE] = 3;
    counts.sessions[SESSION_ERROR] = 70000;
    struct buffer b = {0};
    fleet_counts_put(&b, &counts);
    ok(fleet_counts_read(buffer_slice(&b), &back) && back.stations[STATION_ONLINE] == 3 &&
           back.sessions[SESSION_ERROR] == 70000 && back.capacity == 9 && back.seated == 8 &&
           back.waiting == 7, "counts come back as they were put");
    buffer_free(&b);
}

static void noise_is_survived(void) {
    int taken = 0;
    for (int i = 0; i < 200000; i++) {
        uint32_t len = (uint32_t)random_below(&source, 60);
        uint8_t *noise = malloc(len + 1);
        for (uint32_t k = 0; k < len; k++) noise[k] = (uint8_t)random_next(&source);
        if (len) noise[0] = i & 1 ? 0x99 : 0xdc; /* an array, as rows are */
        struct fleet_answer a;
        struct session_row row;
        uint32_t at = 0;
        taken += fleet_read(slice_of(noise, len), &a);
        taken += session_row_next(slice_of(noise, len), &at, &row);
        free(noise);
    }
    is_int(taken, 0, "noise is no answer and no row");
}

static void verbs_come_back(void) {
    struct message m = {.verb = VERB_STATION_BEAT}, back;
    struct frame_writer w;
    struct buffer b = {0};
    struct frame f;
    enum code code;
    m.station = (struct station_ref){
        .name = slice_text("w1"), .status = STATION_ONLINE, .sessions = slice_text("rows"),
        .set = SET_STATION_STATUS | SET_STATION_SESSIONS | SET_STATION_DRAINING, .whole = true,
        .commands = 5, .beat = slice_text("x"), .time_ms = 12};
    frame_begin(&w, &b, m.verb, 1, 2, NULL);
    frame_put(&w, &m);
    frame_end(&w);
    bool good = frame_read(&f, b.data, b.len, 10) == CODE_OK && message_next(&f, &back, &code) &&
                code == CODE_OK;
    ok(good && back.station.set == m.station.set && !back.station.draining &&
           back.station.whole && slice_equal(back.station.sessions, m.station.sessions) &&
           back.station.commands == 5 && back.station.time_ms == 12,
       "a heartbeat comes back, with what was said to be off");
    frame_free(&f);
    buffer_free(&b);
    struct message s = {.verb = VERB_SESSION_DO};
    s.session = (struct session_ref){.name = slice_text("a"), .act = SESSION_SEND,
                                     .payload = slice_text("{}"), .key = slice_text("m1")};
    frame_begin(&w, &b, s.verb, 1, 2, NULL);
    frame_put(&w, &s);
    frame_end(&w);
    good = frame_read(&f, b.data, b.len, 10) == CODE_OK && message_next(&f, &back, &code) &&
           code == CODE_OK;
    ok(good && back.session.act == SESSION_SEND && slice_equal(back.session.key, s.session.key) &&
           slice_equal(back.session.payload, s.session.payload), "an order comes back");
    frame_free(&f);
    buffer_free(&b);
}

int main(void) {
    rows_come_back();
    answers_come_back();
    noise_is_survived();
    verbs_come_back();
    return done();
}
