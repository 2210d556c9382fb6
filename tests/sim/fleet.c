#include "tests/sim/fleet.h"
#include "broker/core/core.h"
#include "proto/base/map.h"
#include "proto/base/random.h"
#include "proto/fleet.h"
#include "store/codec.h"
#include "store/store.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATIONS = 4, SESSIONS = 8, SENDS = 64, WAITING = 64, TICK_MS = 20, BEAT_MS = 300,
       DEAD_MS = 1200, RECOVERY_MS = 200, SLACK_MS = 300, TICKS_WILD = 500, TICKS_CALM = 500,
       LOST_MS = 100, TAKE_MAX = 10, ROWS_MAX = 64 };

enum step_of { BOOT, SERVE }; /* of a station's process: it registers, then it beats */
struct host { /* a station's process */
    bool lives, runs[SESSIONS], known; /* known: the broker has heard of it */
    enum step_of step;
    int64_t wake_at, silent_until, beat_at, asked_at;
    uint64_t asked;      /* number of the request under way */
    int64_t heard_at;    /* by the core, on its own clock; INT64_MIN = it left or never came */
    bool beaten;         /* in this life of the broker */
    uint32_t max;
    int64_t stuck_since; /* OFFLINE with sessions to recover, and others have room; 0 = not */
    uint64_t ack[TAKE_MAX];
    uint32_t acks;
};

struct user { /* what the user of a session knows and wants */
    bool there, wanted, ended, deleting;
    int doing;           /* the act under way */
    uint64_t asked;
};

struct sent { uint8_t session; bool taken, given, reached, void_; uint64_t asked; };

struct answer_kept { uint64_t number; enum code code; uint8_t *body; uint32_t len; };

struct world {
    struct core_limits limits;
    struct core *core;
    struct store *store;
    struct effects fx;
    struct random random;
    struct buffer bytes;
    int64_t now, wall_off, core_stalled, up_at, room_since;
    uint64_t group, incarnation, number, steps, digest;
    uint32_t link;
    bool calm, compare, failed;
    struct answer_kept waiting[WAITING];
    uint32_t waiting_count;
    struct answer_kept now_answer; /* of a look: read at once */
    struct host hosts[STATIONS];
    struct user users[SESSIONS];
    struct sent sends[SENDS];
    uint32_t send_count;
    char *why;
    size_t why_size;
};

__attribute__((format(printf, 2, 3))) static void violate(struct world *w, const char *format,
                                                          ...) {
    if (w->failed) return;
    va_list list;
    va_start(list, format);
    int n = snprintf(w->why, w->why_size, "fleet, at %lld ms: ", (long long)w->now);
    vsnprintf(w->why + n, w->why_size - (size_t)n, format, list);
    va_end(list);
    w->failed = true;
}

static uint64_t below(struct world *w, uint64_t bound) { return random_below(&w->random, bound); }
static bool chance(struct world *w, uint32_t permille) {
    return !w->calm && random_chance(&w->random, permille);
}

static const char *name_of(char kind, int index) {
    static char names[4][8];
    static int next;
    char *name = names[next++ & 3];
    snprintf(name, 8, "%c%d", kind, index);
    return name;
}

static int index_of(struct slice name) {
    return name.len == 2 ? name.data[1] - '0' : -1;
}

/* ---- the broker ---- */

static void heard(struct world *w, const struct answer_kept *a);

static void keep(struct world *w, const struct say *say) {
    const struct message *m = &say->message;
    if (m->verb == VERB_WELCOME) w->link = m->welcome.link;
    if (m->verb != VERB_ANSWER && m->verb != VERB_ROWS) return;
    struct slice body = m->verb == VERB_ROWS ? m->rows.rows : m->answer.body;
    struct answer_kept a = {.number = m->verb == VERB_ROWS ? m->rows.number : m->answer.number,
                            .code = m->verb == VERB_ROWS ? m->rows.code : m->answer.code,
                            .len = body.len, .body = malloc(body.len + 1)};
    assert(a.body != NULL);
    if (body.len) memcpy(a.body, body.data, body.len);
    assert(w->waiting_count < WAITING);
    w->waiting[w->waiting_count++] = a;
}

static void found(void *context, const struct record *r) { record_encode(context, r); }

static void step(struct world *w, struct event *e);

/* Only a restore asks for anything: all else is in memory. */
static void answer_need(struct world *w, struct need need) {
    struct buffer bytes = {0};
    struct record *records = NULL;
    uint32_t count = 0;
    char why[256];
    bool good = store_load(w->store, &need, w->group - 1, found, &bytes, why, sizeof why);
    assert(good && !bytes.failed);
    for (struct slice in = buffer_slice(&bytes); in.len;) {
        records = realloc(records, (count + 1) * sizeof *records);
        assert(records != NULL);
        good = record_decode(&in, &records[count++]);
        assert(good);
    }
    struct event e = {.kind = EVENT_LOADED, .need = need, .records = records,
                      .record_count = count};
    step(w, &e);
    free(records);
    buffer_free(&bytes);
}

static void step(struct world *w, struct event *e) {
    e->mono_ms = w->now;
    e->wall_ms = w->now + w->wall_off;
    e->seed = random_next(&w->random);
    w->steps++;
    core_step(w->core, e, &w->fx);
    for (uint32_t i = 0; i < w->fx.say_count; i++) keep(w, &w->fx.says[i]);
    struct need need = w->fx.need_count ? w->fx.needs[0] : (struct need){.kind = NEED_NONE};
    effects_clear(&w->fx);
    if (need.kind == NEED_RESTORE) answer_need(w, need);
}

static void commit(struct world *w) {
    if (core_dirty(w->core)) {
        core_close(w->core, &w->fx);
        buffer_clear(&w->bytes);
        for (uint32_t i = 0; i < w->fx.record_count; i++)
            record_encode(&w->bytes, &w->fx.records[i]);
        if (w->fx.record_count) {
            enum store_state state = store_append(w->store, w->group++, buffer_slice(&w->bytes));
            assert(state == STORE_OK);
        }
        effects_clear(&w->fx);
    }
    uint32_t count = w->waiting_count;
    struct answer_kept left[WAITING];
    memcpy(left, w->waiting, count * sizeof *left);
    w->waiting_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        heard(w, &left[i]);
        free(left[i].body);
    }
}

static uint64_t speak(struct world *w, uint8_t role, struct message *m) {
    struct event e = {.kind = EVENT_MESSAGE, .link = w->link, .message = m,
                      .who = {.role = role, .brand = 1}};
    m->number = ++w->number;
    step(w, &e);
    return m->number;
}

static void broker_start(struct world *w) {
    w->core = core_new(&w->limits, ++w->incarnation);
    assert(w->core != NULL);
    w->group = store_next_group(w->store);
    w->core_stalled = 0;
    struct event e = {.kind = EVENT_RESTORE};
    step(w, &e);
    assert(core_ready(w->core));
    if (w->compare && core_digest(w->core) != w->digest)
        violate(w, "what was restored is not what lived");
    struct event open = {.kind = EVENT_OPEN, .who = {.role = ROLE_GATEWAY}};
    step(w, &open);
    struct message hello = {.verb = VERB_HELLO, .number = 1};
    hello.hello.version = PROTOCOL_VERSION;
    hello.hello.kind = LINK_GATEWAY;
    struct event e2 = {.kind = EVENT_MESSAGE, .message = &hello, .who = {.role = ROLE_GATEWAY}};
    step(w, &e2);
    commit(w);
    w->up_at = w->now;
    w->room_since = 0;
    for (int i = 0; i < STATIONS; i++) {
        struct host *h = &w->hosts[i];
        h->stuck_since = 0;
        h->beaten = false;
        if (h->heard_at != INT64_MIN) h->heard_at = w->now; /* it has its whole time again */
    }
}

static void broker_crash(struct world *w) {
    w->compare = !core_dirty(w->core) && w->waiting_count == 0;
    w->digest = core_digest(w->core);
    for (uint32_t i = 0; i < w->waiting_count; i++) free(w->waiting[i].body);
    w->waiting_count = 0;
    core_destroy(&w->core);
    effects_clear(&w->fx);
    for (int i = 0; i < SESSIONS; i++) w->users[i].asked = 0;
    w->now += (int64_t)below(w, 500);
    broker_start(w);
}

/* ---- stations ---- */

static void host_register(struct world *w, int i) {
    struct host *h = &w->hosts[i];
    struct message m = {.verb = VERB_STATION_PUT};
    char endpoint[24];
    snprintf(endpoint, sizeof endpoint, "http://%d", i);
    m.station.name = slice_text(name_of('w', i));
    m.station.endpoint = slice_text(endpoint);
    m.station.sessions_max = h->max;
    m.station.set = SET_STATION_ENDPOINT | SET_STATION_MAX;
    h->heard_at = w->now - w->core_stalled;
    h->known = h->beaten = true;
    h->stuck_since = 0;
    h->asked = speak(w, ROLE_FLEET, &m);
    h->asked_at = w->now;
}

static void host_beat(struct world *w, int i) {
    struct host *h = &w->hosts[i];
    struct message m = {.verb = VERB_STATION_BEAT};
    struct buffer rows = {0};
    for (int k = 0; k < SESSIONS; k++) {
        if (!h->runs[k]) continue;
        const struct session_row row = {.name = slice_text(name_of('s', k)),
                                        .status = SESSION_CONNECTED};
        session_row_put(&rows, &row);
    }
    m.station.name = slice_text(name_of('w', i));
    m.station.sessions = buffer_slice(&rows);
    m.station.set = SET_STATION_SESSIONS;
    m.station.whole = w->calm || !chance(w, 100);
    m.station.commands = (uint32_t)(1 + below(w, TAKE_MAX));
    h->heard_at = w->now - w->core_stalled;
    h->known = h->beaten = true;
    h->stuck_since = 0;
    h->asked = speak(w, ROLE_FLEET, &m);
    h->asked_at = w->now;
    buffer_free(&rows);
}

static void host_ack(struct world *w, struct host *h, int i) {
    while (h->acks) {
        struct message m = {.verb = VERB_COMMANDS};
        m.commands.station = slice_text(name_of('w', i));
        m.commands.ack = h->ack[--h->acks];
        if (!chance(w, 200)) speak(w, ROLE_FLEET, &m);
    }
}

static void host_leave(struct world *w, int i) {
    struct host *h = &w->hosts[i];
    struct message m = {.verb = VERB_STATION_LEAVE};
    m.station.name = slice_text(name_of('w', i));
    h->lives = false;
    h->heard_at = INT64_MIN;
    h->stuck_since = 0;
    h->wake_at = w->now + (int64_t)below(w, 2000);
    memset(h->runs, 0, sizeof h->runs);
    speak(w, ROLE_FLEET, &m);
}

static void host_tick(struct world *w, int i) {
    struct host *h = &w->hosts[i];
    if (!h->lives && (w->calm || w->now >= h->wake_at)) {
        h->lives = true;
        h->step = BOOT;
        h->asked = h->acks = 0;
    }
    if (!h->lives) return;
    if (chance(w, 3)) { /* the process dies, and all that it ran */
        h->lives = false;
        h->wake_at = w->now + (int64_t)below(w, 3000);
        memset(h->runs, 0, sizeof h->runs);
        return;
    }
    if (chance(w, 3)) h->silent_until = w->now + (int64_t)below(w, 4000);
    if (!w->calm && w->now < h->silent_until) return;
    if (chance(w, 2) && h->step == SERVE) {
        host_leave(w, i);
        return;
    }
    if (h->asked && w->now - h->asked_at < LOST_MS) return;
    if (h->step == BOOT) host_register(w, i);
    else if (w->now >= h->beat_at) {
        host_ack(w, h, i);
        h->beat_at = w->now + BEAT_MS;
        host_beat(w, i);
    }
}

/* A message is there for the first time: all that were taken before it have been given. */
static void send_given(struct world *w, struct slice key) {
    int at = atoi((const char *)key.data + 1);
    struct sent *sent = &w->sends[at];
    assert(at < (int)w->send_count);
    for (int i = 0; i < at; i++) {
        const struct sent *older = &w->sends[i];
        if (older->session == sent->session && older->taken && !older->given && !older->void_ &&
            !sent->given)
            violate(w, "message %d is given before message %d", at, i);
    }
    sent->given = true;
}

static void host_obey(struct world *w, int i, const struct command_row *row) {
    struct host *h = &w->hosts[i];
    int k = index_of(row->session);
    switch ((enum command_type)row->type) {
    case COMMAND_CREATE: case COMMAND_RESTART: h->runs[k] = true; break;
    case COMMAND_DISCONNECT: case COMMAND_LOGOUT: case COMMAND_DELETE: h->runs[k] = false; break;
    case COMMAND_SEND: w->sends[atoi((const char *)row->key.data + 1)].reached = true; break;
    case COMMAND_REGISTER: h->step = BOOT; break;
    case COMMAND_MANAGE: case COMMAND_DRAIN: case COMMAND_TYPE_COUNT: break;
    }
    if (h->acks < TAKE_MAX) h->ack[h->acks++] = row->id;
}

static void host_heard(struct world *w, int i, const struct answer_kept *a) {
    struct host *h = &w->hosts[i];
    struct fleet_answer f;
    struct command_row command;
    struct session_row session;
    bool good = a->code == CODE_OK && fleet_read(slice_of(a->body, a->len), &f);
    if (!good) {
        violate(w, "station %d is refused: %s", i, code_name(a->code));
        return;
    }
    bool lost = chance(w, 50) || !h->lives || (!w->calm && w->now < h->silent_until);
    if (lost) return;
    h->asked = 0;
    if (h->step == BOOT)
        for (uint32_t at = 0; session_row_next(f.sessions, &at, &session);)
            if (session.wanted) h->runs[index_of(session.name)] = true;
    if (h->step == BOOT) h->beat_at = w->now;
    h->step = SERVE;
    for (uint32_t at = 0; command_row_next(f.commands, &at, &command);) host_obey(w, i, &command);
}

/* ---- users ---- */

static void send_void(struct world *w, int k) {
    for (uint32_t i = 0; i < w->send_count; i++)
        if (w->sends[i].session == k) w->sends[i].void_ = true;
}

static void user_send(struct world *w, int k) {
    struct message m = {.verb = VERB_SESSION_DO};
    char key[8];
    if (w->send_count == SENDS) return;
    snprintf(key, sizeof key, "m%u", w->send_count);
    m.session.name = slice_text(name_of('s', k));
    m.session.act = SESSION_SEND;
    m.session.key = slice_of(key, strlen(key) + 1);
    struct sent *sent = &w->sends[w->send_count++];
    *sent = (struct sent){.session = (uint8_t)k};
    sent->asked = w->number + 1;
    speak(w, ROLE_USER, &m);
}

static void user_act(struct world *w) {
    int k = (int)below(w, SESSIONS);
    struct user *u = &w->users[k];
    struct message m = {.verb = VERB_SESSION_DO};
    if (u->asked) return;
    if (u->there && below(w, 3)) {
        user_send(w, k);
        return;
    }
    static const uint8_t acts[] = {SESSION_CONNECT, SESSION_CONNECT, SESSION_CONNECT,
                                   SESSION_CONNECT, SESSION_RESTART, SESSION_DISCONNECT,
                                   SESSION_LOGOUT, SESSION_DELETE};
    m.session.name = slice_text(name_of('s', k));
    m.session.act = acts[below(w, sizeof acts)];
    if (!u->there) m.verb = VERB_SESSION_PUT;
    u->doing = m.verb == VERB_SESSION_PUT ? 0 : m.session.act;
    if (u->doing >= SESSION_DISCONNECT) send_void(w, k);
    u->asked = w->number + 1; /* a crash may take the act back or not: nothing is known then */
    if (u->doing != SESSION_CONNECT && u->doing != SESSION_RESTART) u->wanted = false;
    u->ended = false;
    speak(w, ROLE_USER, &m);
}

static void user_heard(struct user *u, const struct answer_kept *a) {
    u->asked = 0;
    bool up = u->doing == SESSION_CONNECT || u->doing == SESSION_RESTART;
    if (a->code == CODE_NOT_FOUND) u->there = u->wanted = false;
    if (u->doing == 0) u->there = a->code == CODE_OK || a->code == CODE_CONFLICT;
    if (u->doing == 0 && a->code == CODE_OK) u->deleting = false;
    if (a->code != CODE_OK) return;
    u->wanted = up;
    u->ended = u->doing >= SESSION_DISCONNECT;
    if (u->doing == SESSION_DELETE) u->there = false, u->deleting = true;
}

static void heard(struct world *w, const struct answer_kept *a) {
    struct fleet_answer f;
    struct command_row command;
    bool commands = a->code == CODE_OK && fleet_read(slice_of(a->body, a->len), &f);
    for (uint32_t at = 0; commands && command_row_next(f.commands, &at, &command);)
        if (command.type == COMMAND_SEND) send_given(w, command.key);
    for (int i = 0; i < STATIONS; i++)
        if (w->hosts[i].asked == a->number) host_heard(w, i, a);
    for (int k = 0; k < SESSIONS; k++)
        if (w->users[k].asked == a->number) user_heard(&w->users[k], a);
    for (uint32_t i = 0; i < w->send_count; i++)
        if (w->sends[i].asked == a->number && a->code == CODE_OK) w->sends[i].taken = true;
}

/* ---- looking ---- */

/* Asks the core and reads the answer before it leaves: a look at this very moment. */
static struct slice look(struct world *w, struct message *m) {
    free(w->now_answer.body);
    w->now_answer = (struct answer_kept){0};
    uint64_t number = speak(w, ROLE_ADMIN, m);
    for (uint32_t i = 0; i < w->waiting_count; i++) {
        if (w->waiting[i].number != number) continue;
        w->now_answer = w->waiting[i];
        w->waiting[i] = w->waiting[--w->waiting_count];
        return slice_of(w->now_answer.body, w->now_answer.len);
    }
    return (struct slice){0};
}

struct seen { int8_t at[SESSIONS]; bool up[STATIONS], room, stuck[STATIONS]; uint32_t online; };

static void look_station(struct world *w, int i, struct seen *seen) {
    struct message m = {.verb = VERB_STATION_GET};
    struct fleet_answer f;
    struct session_row row;
    m.station.name = slice_text(name_of('w', i));
    if (!fleet_read(look(w, &m), &f)) return;
    uint32_t deleting = 0;
    for (int k = 0; k < SESSIONS; k++) deleting += w->users[k].deleting || w->users[k].asked;
    if (f.station.sessions < f.session_count ||
        f.station.sessions > f.session_count + deleting)
        violate(w, "station %d counts %u sessions and has %u", i, f.station.sessions,
                f.session_count);
    seen->up[i] = f.station.status == STATION_ONLINE;
    seen->online += seen->up[i] ? f.station.sessions : 0;
    seen->room |= seen->up[i] && f.station.sessions < f.station.sessions_max;
    for (uint32_t at = 0; session_row_next(f.sessions, &at, &row);) {
        int k = index_of(row.name);
        if (seen->at[k] >= 0) violate(w, "session %d is at %d and at %d", k, seen->at[k], i);
        seen->at[k] = (int8_t)i;
        if (!seen->up[i] && row.recovering) seen->stuck[i] = true;
    }
}

static void look_times(struct world *w, const struct seen *seen) {
    if (!seen->room) w->room_since = 0;
    else if (!w->room_since) w->room_since = w->now;
    for (int i = 0; i < STATIONS; i++) {
        struct host *h = &w->hosts[i];
        int64_t silence = h->heard_at == INT64_MIN ? INT64_MAX
                                                   : w->now - w->core_stalled - h->heard_at;
        if (h->known && seen->up[i] && silence > DEAD_MS + SLACK_MS && silence != INT64_MAX)
            violate(w, "station %d is up after %lld ms of silence", i, (long long)silence);
        if (h->beaten && !seen->up[i] && silence < DEAD_MS)
            violate(w, "station %d is down after %lld ms of silence", i, (long long)silence);
        if (!seen->stuck[i] || !w->room_since) h->stuck_since = 0;
        else if (!h->stuck_since) h->stuck_since = w->now;
        if (h->stuck_since && w->now - h->stuck_since > RECOVERY_MS + SLACK_MS)
            violate(w, "sessions do not leave station %d, and there is room", i);
    }
}

static void look_all(struct world *w) {
    struct seen seen = {0};
    struct message stats = {.verb = VERB_FLEET_STATS};
    struct fleet_counts counts = {0};
    memset(seen.at, -1, sizeof seen.at);
    for (int i = 0; i < STATIONS; i++) look_station(w, i, &seen);
    look_times(w, &seen);
    if (fleet_counts_read(look(w, &stats), &counts) && counts.seated != seen.online)
        violate(w, "%u sessions are counted at those ONLINE, which have %u", counts.seated,
                seen.online);
    uint32_t there = 0, told = 0;
    for (int i = 1; i < SESSION_STATUS_COUNT; i++) told += counts.sessions[i];
    for (int k = 0; k < SESSIONS && !w->failed; k++) {
        struct message m = {.verb = VERB_SESSION_GET};
        struct fleet_answer f;
        m.session.name = slice_text(name_of('s', k));
        struct slice body = look(w, &m);
        if (w->now_answer.code != CODE_OK || !fleet_read(body, &f)) continue;
        there++;
        if (f.session.station.len ? index_of(f.session.station) != seen.at[k] : seen.at[k] >= 0)
            violate(w, "session %d and station %d disagree", k, seen.at[k]);
        bool down = f.session.status == SESSION_DISCONNECTED && !f.session.recovering;
        if (down) send_void(w, k); /* nobody is to bring it up again but its user */
    }
    if (there != told) violate(w, "%u sessions are counted, %u are there", told, there);
}

/* Nothing has gone wrong for long: everything is as it was asked for. */
static void look_calm(struct world *w) {
    for (int k = 0; k < SESSIONS; k++) {
        const struct user *u = &w->users[k];
        int running = 0, at = -1;
        for (int i = 0; i < STATIONS; i++)
            if (w->hosts[i].runs[k]) running++, at = i;
        struct message m = {.verb = VERB_SESSION_GET};
        struct fleet_answer f = {0};
        m.session.name = slice_text(name_of('s', k));
        struct slice body = look(w, &m);
        bool there = w->now_answer.code == CODE_OK && fleet_read(body, &f);
        if (running > 1) violate(w, "session %d runs at %d stations", k, running);
        if (running && u->ended) violate(w, "session %d was ended and runs at %d", k, at);
        if (running && there && index_of(f.session.station) != at)
            violate(w, "session %d runs at %d and is with %d", k, at, index_of(f.session.station));
        if (!running && there && (u->wanted || f.session.recovering) &&
            f.session.status != SESSION_DISCONNECTED)
            violate(w, "session %d is wanted and does not run", k);
    }
    for (uint32_t i = 0; i < w->send_count; i++) {
        const struct sent *sent = &w->sends[i];
        if (sent->taken && !sent->void_ && !sent->reached)
            violate(w, "message %u of session %u was lost", i, sent->session);
    }
}

/* ---- time ---- */

static void tick(struct world *w) {
    w->now += TICK_MS;
    if (chance(w, 5)) { /* the whole process stood still */
        struct event stall = {.kind = EVENT_STALL, .stall_ms = (int64_t)below(w, 3000)};
        w->now += stall.stall_ms;
        w->core_stalled += stall.stall_ms;
        for (int i = 0; i < STATIONS; i++) w->hosts[i].stuck_since = 0;
        w->room_since = 0;
        step(w, &stall);
    }
    if (chance(w, 10)) w->wall_off += (int64_t)below(w, 7200000) - 3600000;
    for (int i = 0; i < STATIONS; i++) host_tick(w, i);
    if (!w->calm && below(w, 3) == 0) user_act(w);
    for (int i = 0; i < 64 && core_wake_ms(w->core) <= w->now; i++) {
        struct event time = {.kind = EVENT_TIME};
        step(w, &time);
    }
    if (w->calm || below(w, 4)) commit(w);
    if (below(w, 5) == 0) look_all(w);
    if (chance(w, 8)) broker_crash(w);
}

bool fleet_run(uint64_t seed, uint32_t bugs, uint64_t *steps, char *why, size_t why_size) {
    static struct world world;
    struct world *w = &world;
    *w = (struct world){.why = why, .why_size = why_size,
                        .random = random_seed(hash_number(seed * 2 + 1)),
                        .wall_off = INT64_C(1700000000000)};
    core_limits_default(&w->limits);
    w->limits.links_max = 4;
    w->limits.lost_ms = UINT32_MAX / 2; /* the gateway's link itself never fails here */
    w->limits.station_dead_ms = DEAD_MS;
    w->limits.recovery_ms = RECOVERY_MS;
    w->limits.command_repeat_ms = 100;
    w->limits.command_deliveries_max = 1000;
    w->limits.bugs = bugs;
    w->store = store_open_memory(NULL);
    for (int i = 0; i < STATIONS; i++) {
        w->hosts[i].heard_at = INT64_MIN;
        w->hosts[i].max = below(w, 2) ? SESSIONS : 1 + (uint32_t)below(w, 4);
        w->hosts[i].wake_at = (int64_t)below(w, 2000);
    }
    broker_start(w);
    for (int i = 0; i < TICKS_WILD && !w->failed; i++) tick(w);
    w->calm = true;
    for (int i = 0; i < TICKS_CALM && !w->failed; i++) tick(w);
    if (!w->failed) look_calm(w);
    if (!w->failed) {
        commit(w);
        broker_crash(w);
    }
    for (uint32_t i = 0; i < w->waiting_count; i++) free(w->waiting[i].body);
    free(w->now_answer.body);
    core_destroy(&w->core);
    effects_free(&w->fx);
    store_close(&w->store);
    buffer_free(&w->bytes);
    *steps += w->steps;
    return !w->failed;
}
