/* script_fleet.c - dialect 003's stations, sessions and commands in a story.
 *
 * Who speaks: `http NAME fleet` behind a gateway (a worker token), `client NAME admin`, `client
 * NAME` (a user).
 *   c register S [endpoint= max= status= version= environment=]     endpoint defaults to http://S
 *   c create S | change S [… draining=1]                            an administrator's
 *   c heart S [status= draining=0|1 has=a:CONNECTED,b:INIT whole take=N time= beat=]
 *   c leave S [endpoint= remove]    c station S [take=N]
 *   c stations all [status= search= room limit= offset=]            c fleet count
 *   c add A [owner= title=]         c session A [owner=]
 *   c says A [station= status= phone= time= deleted text=]          a report about session A
 *   c connect A | restart A | disconnect A | logout A | delete A
 *   c send A [key= payload= size=] | manage A …
 *   c commands S|any [wait= limit= ack=COMMAND key=]    COMMAND as it was narrated: #1, #2 … */
#include "proto/fleet.h"
#include "tests/story/script.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const station_words[] = {"none", "ONLINE", "OFFLINE", "MAINTENANCE"};
static const char *const session_words[] = {"none", "INIT", "QR_REQUIRED", "CONNECTED",
                                            "DISCONNECTED", "RECONNECTING", "ERROR"};
static const char *const command_words[] = {"none", "create", "restart", "disconnect", "logout",
                                            "delete", "send", "manage", "drain", "register"};

static uint8_t word_of(const char *word, const char *const *words, uint8_t count) {
    uint8_t i = 0;
    while (word && i < count && strcmp(words[i], word)) i++;
    return word && i < count ? i : 0;
}

static uint8_t session_status(const char *word) { return word_of(word, session_words, 7); }

/* a:CONNECTED,b as rows. */
static void rows_of(const char *list, struct buffer *rows) {
    while (list && *list) {
        char name[NAME_BYTES] = "", status[NAME_BYTES] = "";
        size_t len = strcspn(list, ",");
        sscanf(list, "%31[^:,]:%31[^,]", name, status);
        const struct session_row row = {.name = slice_text(name),
                                        .status = session_status(status)};
        session_row_put(rows, &row);
        list += len + (list[len] == ',');
    }
}

static void set(struct story *s, struct station_ref *m, const char *key, struct slice *text,
                uint8_t bit) {
    if (!story_word(s, key)) return;
    *text = story_text(s, key);
    m->set |= bit;
}

static bool station(struct story *s, struct actor *a, const char *verb, const char *name) {
    static const struct { const char *name; enum verb verb; uint8_t mode; } verbs[] = {
        {"register", VERB_STATION_PUT, STATION_REGISTER},
        {"create", VERB_STATION_PUT, STATION_CREATE},
        {"change", VERB_STATION_PUT, STATION_UPDATE}, {"heart", VERB_STATION_BEAT, 0},
        {"leave", VERB_STATION_LEAVE, 0}, {"station", VERB_STATION_GET, 0}};
    size_t i = 0;
    while (i < sizeof verbs / sizeof *verbs && strcmp(verbs[i].name, verb)) i++;
    if (i == sizeof verbs / sizeof *verbs) return false;
    struct message m = {.verb = verbs[i].verb, .number = ++s->number};
    struct station_ref *st = &m.station;
    char endpoint[NAME_BYTES + 8];
    snprintf(endpoint, sizeof endpoint, "http://%s", name);
    st->name = slice_text(name);
    st->mode = verbs[i].mode;
    if (strcmp(verb, "register") == 0)
        st->endpoint = slice_text(endpoint), st->set |= SET_STATION_ENDPOINT;
    set(s, st, "endpoint", &st->endpoint, SET_STATION_ENDPOINT);
    set(s, st, "version", &st->version, SET_STATION_VERSION);
    set(s, st, "description", &st->description, SET_STATION_DESCRIPTION);
    if (story_word(s, "max"))
        st->set |= SET_STATION_MAX, st->sessions_max = (uint32_t)story_number(s, "max", 0);
    if (story_word(s, "status")) {
        st->set |= SET_STATION_STATUS;
        st->status = word_of(story_word(s, "status"), station_words, 4);
    }
    if (story_word(s, "draining"))
        st->set |= SET_STATION_DRAINING, st->draining = story_number(s, "draining", 0) != 0;
    struct buffer rows = {0};
    if (story_word(s, "has")) {
        rows_of(story_word(s, "has"), &rows);
        st->set |= SET_STATION_SESSIONS;
        st->sessions = buffer_slice(&rows);
    }
    st->whole = story_flag(s, "whole");
    st->remove = story_flag(s, "remove");
    st->time_ms = story_number(s, "time", 0);
    st->commands = (uint32_t)story_number(s, "take", 0);
    st->beat = story_text(s, "beat");
    story_speak(s, a, &m);
    buffer_free(&rows);
    return true;
}

static bool session(struct story *s, struct actor *a, const char *verb, const char *name) {
    static const char *const acts[] = {"none", "connect", "restart", "disconnect", "logout",
                                       "delete", "send", "manage"};
    struct message m = {.number = ++s->number};
    m.session.act = word_of(verb, acts, 8);
    m.verb = strcmp(verb, "add") == 0       ? VERB_SESSION_PUT
             : strcmp(verb, "session") == 0 ? VERB_SESSION_GET
             : strcmp(verb, "says") == 0    ? VERB_SESSION_REPORT
             : m.session.act                ? VERB_SESSION_DO
                                            : VERB_NONE;
    if (m.verb == VERB_NONE) return false;
    struct buffer payload = {0};
    for (int64_t i = story_number(s, "size", 0); i > 0; i--) buffer_byte(&payload, 'x');
    m.session.name = slice_text(name);
    m.session.owner = story_text(s, "owner");
    m.session.title = story_text(s, "title");
    m.session.station = story_text(s, "station");
    m.session.phone = story_text(s, "phone");
    m.session.reason = story_text(s, "text");
    m.session.key = story_text(s, "key");
    m.session.payload = payload.len ? buffer_slice(&payload) : story_text(s, "payload");
    m.session.status = session_status(story_word(s, "status"));
    m.session.time_ms = story_number(s, "time", 0);
    m.session.gone = story_flag(s, "deleted");
    story_speak(s, a, &m);
    buffer_free(&payload);
    return true;
}

/* "#2" as the id of the command that was narrated so. */
static uint64_t command_id(struct story *s, const char *word) {
    uint32_t i = word && *word == '#' ? (uint32_t)atoi(word + 1) : 0;
    return i && i <= s->command_count ? s->commands[i - 1] : (uint64_t)(i ? i : 0);
}

static uint32_t command_name(struct story *s, uint64_t id) {
    uint32_t i = 0;
    while (i < s->command_count && s->commands[i] != id) i++;
    assert(i < NAMES_MAX);
    if (i == s->command_count) s->commands[s->command_count++] = id;
    return i + 1;
}

static bool commands(struct story *s, struct actor *a, const char *name) {
    struct message m = {.verb = VERB_COMMANDS, .number = ++s->number};
    a->asked = m.number;
    if (strcmp(name, "any")) m.commands.station = slice_text(name);
    m.commands.wait_ms = (uint32_t)story_number(s, "wait", 0);
    m.commands.limit = (uint32_t)story_number(s, "limit", 0);
    m.commands.ack = command_id(s, story_word(s, "ack"));
    m.commands.key = story_text(s, "key");
    story_speak(s, a, &m);
    return true;
}

bool story_fleet(struct story *s, struct actor *a, const char *verb, const char *name) {
    struct message m = {.number = s->number + 1};
    if (strcmp(verb, "commands") == 0) return commands(s, a, name);
    if (strcmp(verb, "fleet") == 0) m.verb = VERB_FLEET_STATS;
    if (strcmp(verb, "stations") == 0) {
        m.verb = VERB_STATION_LIST;
        if (story_word(s, "status"))
            m.stations.status_mask = 1u << word_of(story_word(s, "status"), station_words, 4);
        m.stations.search = story_text(s, "search");
        m.stations.room = story_flag(s, "room");
        m.stations.limit = (uint32_t)story_number(s, "limit", 0);
        m.stations.offset = (uint32_t)story_number(s, "offset", 0);
    }
    if (m.verb == 0) return station(s, a, verb, name) || session(s, a, verb, name);
    s->number++;
    story_speak(s, a, &m);
    return true;
}

/* ---- telling ---- */

__attribute__((format(printf, 2, 3))) static void put(struct buffer *b, const char *format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    buffer_append(b, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

static void put_station(struct buffer *b, const struct station_row *r) {
    put(b, " %.*s %s %u/%u", (int)r->name.len, r->name.data, station_words[r->status],
        r->sessions, r->sessions_max);
    if (r->draining) put(b, " draining");
    if (r->shadow) put(b, " shadow");
    if (r->left) put(b, " left");
    if (r->commands) put(b, " waiting %u", r->commands);
}

static void put_session(struct buffer *b, const struct session_row *r) {
    put(b, " %.*s %s", (int)r->name.len, r->name.data, session_words[r->status]);
    if (r->station.len) put(b, " at %.*s", (int)r->station.len, r->station.data);
    if (r->recovering) put(b, " recovering");
    if (r->phone.len) put(b, " phone %.*s", (int)r->phone.len, r->phone.data);
    if (r->reason.len) put(b, " \"%.*s\"", (int)r->reason.len, r->reason.data);
}

static void put_command(struct story *s, struct buffer *b, const struct command_row *r) {
    put(b, "\n             #%u %s", command_name(s, r->id), command_words[r->type]);
    if (r->session.len) put(b, " %.*s", (int)r->session.len, r->session.data);
    put(b, " to %.*s", (int)r->station.len, r->station.data);
    if (r->payload.len && r->payload.len < 100)
        put(b, " \"%.*s\"", (int)r->payload.len, r->payload.data);
    if (r->deliveries > 1) put(b, " again");
}

static void put_counts(struct buffer *b, const struct fleet_counts *n) {
    put(b, " online %u offline %u maintenance %u, seats %u of %u, waiting %u",
        n->stations[STATION_ONLINE], n->stations[STATION_OFFLINE],
        n->stations[STATION_MAINTENANCE], n->seated, n->capacity, n->waiting);
    for (int i = 1; i < SESSION_STATUS_COUNT; i++)
        if (n->sessions[i]) put(b, ", %s %u", session_words[i], n->sessions[i]);
}

bool tell_fleet(struct story *s, struct slice body, struct buffer *b) {
    struct fleet_answer a;
    struct fleet_counts counts;
    struct session_row session;
    struct command_row command;
    if (fleet_counts_read(body, &counts)) {
        put_counts(b, &counts);
        return true;
    }
    if (!fleet_read(body, &a)) return false;
    if (a.station.id) put_station(b, &a.station);
    if (a.session.id) put_session(b, &a.session);
    if (a.session.id && !a.changed) put(b, " as it was");
    if (a.lost) put(b, " lost %u", a.lost);
    for (uint32_t at = 0; session_row_next(a.sessions, &at, &session);) {
        put(b, "\n            ");
        put_session(b, &session);
    }
    for (uint32_t at = 0; command_row_next(a.commands, &at, &command);)
        put_command(s, b, &command);
    return true;
}

bool tell_fleet_row(struct slice data, struct buffer *b) {
    struct station_row station_row;
    struct session_row session_row;
    uint32_t at = 0;
    if (station_row_next(data, &at, &station_row) && at == data.len) {
        put_station(b, &station_row);
        return true;
    }
    at = 0;
    if (!session_row_next(data, &at, &session_row) || at != data.len) return false;
    put_session(b, &session_row);
    return true;
}

bool tell_stations(const struct rows *rows, struct buffer *b) {
    struct station_row row;
    uint32_t at = 0;
    if (!rows->total_exact) return false;
    if (rows->rows.len && !station_row_next(rows->rows, &at, &row)) return false;
    for (at = 0; station_row_next(rows->rows, &at, &row);) {
        put(b, "\n            ");
        put_station(b, &row);
    }
    put(b, "\n             of %lld", (long long)rows->total);
    return true;
}
