#include "tests/sim/fleet_world.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- stations ---- */

static void host_register(struct world *w, int i) {
    struct host *h = &w->hosts[i];
    struct message m = {.verb = VERB_STATION_PUT};
    char endpoint[24];
    snprintf(endpoint, sizeof endpoint, "http://%d", i);
    m.station.name = slice_text(fleet_name('w', i));
    m.station.endpoint = slice_text(endpoint);
    m.station.sessions_max = h->max;
    m.station.set = SET_STATION_ENDPOINT | SET_STATION_MAX;
    h->heard_at = w->now - w->core_stalled;
    h->known = h->beaten = true;
    h->stuck_since = 0;
    h->asked = fleet_speak(w, ROLE_FLEET, &m);
    h->asked_at = w->now;
}

static void host_beat(struct world *w, int i) {
    struct host *h = &w->hosts[i];
    struct message m = {.verb = VERB_STATION_BEAT};
    struct buffer rows = {0};
    for (int k = 0; k < SESSIONS; k++) {
        if (!h->runs[k]) continue;
        const struct session_row row = {.name = slice_text(fleet_name('s', k)),
                                        .status = SESSION_CONNECTED};
        session_row_put(&rows, &row);
    }
    m.station.name = slice_text(fleet_name('w', i));
    m.station.sessions = buffer_slice(&rows);
    m.station.set = SET_STATION_SESSIONS;
    m.station.whole = w->calm || !fleet_chance(w, 100);
    m.station.commands = (uint32_t)(1 + fleet_below(w, TAKE_MAX));
    h->heard_at = w->now - w->core_stalled;
    h->known = h->beaten = true;
    h->stuck_since = 0;
    h->asked = fleet_speak(w, ROLE_FLEET, &m);
    h->asked_at = w->now;
    buffer_free(&rows);
}

static void host_ack(struct world *w, struct host *h, int i) {
    while (h->acks) {
        struct message m = {.verb = VERB_COMMANDS};
        m.commands.station = slice_text(fleet_name('w', i));
        m.commands.ack = h->ack[--h->acks];
        if (!fleet_chance(w, 200)) fleet_speak(w, ROLE_FLEET, &m);
    }
}

static void host_leave(struct world *w, int i) {
    struct host *h = &w->hosts[i];
    struct message m = {.verb = VERB_STATION_LEAVE};
    m.station.name = slice_text(fleet_name('w', i));
    h->lives = false;
    h->heard_at = INT64_MIN;
    h->stuck_since = 0;
    h->wake_at = w->now + (int64_t)fleet_below(w, 2000);
    memset(h->runs, 0, sizeof h->runs);
    fleet_speak(w, ROLE_FLEET, &m);
}

void fleet_send_void(struct world *w, int k) {
    for (uint32_t i = 0; i < w->send_count; i++)
        if (w->sends[i].session == k) w->sends[i].void_ = true;
}

/* A session ends on its own, or is deleted at the phone; the report of it may be lost. */
static void host_report(struct world *w, int i) {
    struct host *h = &w->hosts[i];
    struct message m = {.verb = VERB_SESSION_REPORT};
    int k = (int)fleet_below(w, SESSIONS);
    if (!h->runs[k]) return;
    m.session.name = slice_text(fleet_name('s', k));
    m.session.station = slice_text(fleet_name('w', i));
    uint64_t what = fleet_below(w, 4);
    m.session.status = what == 0 ? SESSION_DISCONNECTED : what == 1 ? SESSION_QR_REQUIRED
                                                                    : SESSION_CONNECTED;
    m.session.time_ms = w->now + w->wall_off;
    m.session.gone = what == 0 && fleet_below(w, 2);
    if (what == 0) {
        h->runs[k] = false;
        w->users[k].wanted = false;
        fleet_send_void(w, k);
    }
    if (!fleet_chance(w, 200)) fleet_speak(w, ROLE_FLEET, &m);
}

void fleet_host_tick(struct world *w, int i) {
    struct host *h = &w->hosts[i];
    if (!h->lives && (w->calm || w->now >= h->wake_at)) {
        h->lives = true;
        h->step = BOOT;
        h->asked = h->acks = 0;
    }
    if (!h->lives) return;
    if (fleet_chance(w, 3)) { /* the process dies, and all that it ran */
        h->lives = false;
        h->wake_at = w->now + (int64_t)fleet_below(w, 3000);
        memset(h->runs, 0, sizeof h->runs);
        return;
    }
    if (fleet_chance(w, 3)) h->silent_until = w->now + (int64_t)fleet_below(w, 4000);
    if (!w->calm && w->now < h->silent_until) return;
    if (fleet_chance(w, 2) && h->step == SERVE) {
        host_leave(w, i);
        return;
    }
    if (fleet_chance(w, 10)) host_report(w, i);
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
            fleet_violate(w, "message %d is given before message %d", at, i);
    }
    sent->given = true;
}

static void host_obey(struct world *w, int i, const struct command_row *row) {
    struct host *h = &w->hosts[i];
    int k = fleet_index(row->session);
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
        fleet_violate(w, "station %d is refused: %s", i, code_name(a->code));
        return;
    }
    bool lost = fleet_chance(w, 50) || !h->lives || (!w->calm && w->now < h->silent_until);
    if (lost) return;
    h->asked = 0;
    if (h->step == BOOT)
        for (uint32_t at = 0; session_row_next(f.sessions, &at, &session);)
            if (session.wanted) h->runs[fleet_index(session.name)] = true;
    if (h->step == BOOT) h->beat_at = w->now;
    h->step = SERVE;
    for (uint32_t at = 0; command_row_next(f.commands, &at, &command);) host_obey(w, i, &command);
}

/* An administrator: drains a station, ends that, holds one in maintenance, removes it. */
void fleet_admin_act(struct world *w) {
    int i = (int)fleet_below(w, STATIONS);
    struct message m = {.verb = VERB_STATION_PUT};
    m.station.name = slice_text(fleet_name('w', i));
    m.station.mode = STATION_UPDATE;
    if (fleet_below(w, 4) == 0) {
        m.verb = VERB_STATION_LEAVE;
        m.station.remove = true;
        w->hosts[i].heard_at = INT64_MIN;
        w->hosts[i].beaten = false;
    } else if (fleet_below(w, 2)) {
        m.station.set = SET_STATION_DRAINING;
        m.station.draining = fleet_below(w, 2);
    } else {
        m.station.set = SET_STATION_STATUS;
        m.station.status = fleet_below(w, 2) ? STATION_ONLINE : STATION_MAINTENANCE;
    }
    fleet_speak(w, ROLE_ADMIN, &m);
}

/* Every station takes sessions again. */
void fleet_admin_mend(struct world *w) {
    for (int i = 0; i < STATIONS; i++) {
        struct message m = {.verb = VERB_STATION_PUT};
        m.station.name = slice_text(fleet_name('w', i));
        m.station.mode = STATION_UPDATE;
        m.station.set = SET_STATION_DRAINING | SET_STATION_STATUS;
        m.station.status = STATION_ONLINE;
        fleet_speak(w, ROLE_ADMIN, &m);
    }
}

/* ---- users ---- */

static void user_send(struct world *w, int k) {
    struct message m = {.verb = VERB_SESSION_DO};
    char key[8];
    if (w->send_count == SENDS) return;
    snprintf(key, sizeof key, "m%u", w->send_count);
    m.session.name = slice_text(fleet_name('s', k));
    m.session.act = SESSION_SEND;
    m.session.key = slice_of(key, strlen(key) + 1);
    struct sent *sent = &w->sends[w->send_count++];
    *sent = (struct sent){.session = (uint8_t)k};
    sent->asked = w->number + 1;
    fleet_speak(w, ROLE_USER, &m);
}

void fleet_user_act(struct world *w) {
    int k = (int)fleet_below(w, SESSIONS);
    struct user *u = &w->users[k];
    struct message m = {.verb = VERB_SESSION_DO};
    if (u->asked) return;
    if (u->there && fleet_below(w, 3)) {
        user_send(w, k);
        return;
    }
    static const uint8_t acts[] = {SESSION_CONNECT, SESSION_CONNECT, SESSION_CONNECT,
                                   SESSION_CONNECT, SESSION_RESTART, SESSION_DISCONNECT,
                                   SESSION_LOGOUT, SESSION_DELETE};
    m.session.name = slice_text(fleet_name('s', k));
    m.session.act = acts[fleet_below(w, sizeof acts)];
    if (!u->there) m.verb = VERB_SESSION_PUT;
    u->doing = m.verb == VERB_SESSION_PUT ? 0 : m.session.act;
    if (u->doing >= SESSION_DISCONNECT) fleet_send_void(w, k);
    u->asked = w->number + 1; /* a crash may take the act back or not: nothing is known then */
    if (u->doing != SESSION_CONNECT && u->doing != SESSION_RESTART) u->wanted = false;
    u->ended = false;
    fleet_speak(w, ROLE_USER, &m);
}

static void user_heard(struct user *u, const struct answer_kept *a) {
    u->asked = 0;
    bool up = u->doing == SESSION_CONNECT || u->doing == SESSION_RESTART;
    bool anew = u->doing == 0 && u->deleting; /* what was deleted is not to run as the new one */
    if (a->code == CODE_NOT_FOUND) u->there = u->wanted = false;
    if (u->doing == 0) u->there = a->code == CODE_OK || a->code == CODE_CONFLICT;
    if (u->doing == 0 && a->code == CODE_OK) u->deleting = false;
    if (a->code != CODE_OK) return;
    u->wanted = up;
    u->ended = u->doing >= SESSION_DISCONNECT || anew;
    if (u->doing == SESSION_DELETE) u->there = false, u->deleting = true;
}

void fleet_heard(struct world *w, const struct answer_kept *a) {
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
