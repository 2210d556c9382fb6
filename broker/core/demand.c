#include "broker/core/demand.h"
#include "broker/core/command.h"
#include "broker/core/effect.h"
#include "broker/core/fleet.h"
#include "broker/core/session.h"
#include "broker/core/station.h"
#include "broker/core/who.h"

enum { KEY_MAX = 100 };

static enum code demand_put(struct core *c, const struct event *e, struct session *s,
                            uint32_t brand) {
    if (s) return CODE_CONFLICT;
    if (c->disk_full) return CODE_STORAGE_FULL;
    struct session_row row = session_row_from(c, &e->message->session);
    row.status = SESSION_DISCONNECTED;
    row.seen_ms = 0;
    s = session_make(c, fleet_get(c, brand), NULL, &row);
    if (!s) return CODE_LIMIT_REACHED;
    session_say(c, e, s, true, 0);
    return CODE_OK;
}

static bool session_up(const struct session *s) { return s->station && station_up(s->station); }

static enum code act_connect(struct core *c, const struct event *e, struct session *s) {
    struct station *st = s->station;
    bool stays = session_up(s) && st->record.status == STATION_ONLINE &&
                 !(st->record.flags & STATION_DRAINING);
    if (!stays) st = fleet_seat(s->fleet);
    if (!st) return CODE_NO_AVAILABLE_WORKERS;
    session_flag(s, SESSION_WANTED, SESSION_ENDED | SESSION_RECOVERING);
    s->before = 0;
    session_turn(s, SESSION_INIT);
    session_retext(s, SESSION_REASON, (struct slice){0});
    session_move(c, s, st);
    session_say(c, e, s, true, command_find(s, st, COMMANDS_START)->id);
    return CODE_OK;
}

static enum code act_restart(struct core *c, const struct event *e, struct session *s) {
    if (!session_up(s)) return act_connect(c, e, s);
    session_flag(s, SESSION_WANTED, SESSION_ENDED | SESSION_RECOVERING);
    s->before = 0;
    session_turn(s, SESSION_RECONNECTING);
    const struct command *cmd = command_add(c, s->station, s, COMMAND_RESTART, (struct slice){0},
                                            (struct slice){0});
    session_changed(c, s);
    session_say(c, e, s, true, cmd->id);
    return CODE_OK;
}

static enum code act_end(struct core *c, const struct event *e, struct session *s,
                         enum command_type type) {
    uint64_t command = 0;
    session_flag(s, SESSION_ENDED, SESSION_WANTED | SESSION_RECOVERING);
    s->before = 0;
    session_turn(s, SESSION_DISCONNECTED);
    if (type == COMMAND_LOGOUT) {
        session_retext(s, SESSION_PHONE, (struct slice){0});
        session_retext(s, SESSION_DISPLAY, (struct slice){0});
    }
    if (session_up(s)) {
        command = command_add(c, s->station, s, type, (struct slice){0}, (struct slice){0})->id;
        session_changed(c, s);
    } else {
        if (s->station && station_silent(s->station))
            command_add(c, s->station, s, type, (struct slice){0}, (struct slice){0});
        session_leave(c, s);
    }
    session_say(c, e, s, true, command);
    return CODE_OK;
}

static enum code act_delete(struct core *c, const struct event *e, struct session *s) {
    uint64_t command = 0;
    bool up = session_up(s);
    command_drop_all(c, s, NULL, COMMANDS_MESSAGE);
    if (up || (s->station && station_silent(s->station))) {
        command = command_add(c, s->station, s, COMMAND_DELETE, (struct slice){0},
                              (struct slice){0})->id;
    }
    session_turn(s, SESSION_DISCONNECTED);
    session_changed(c, s);
    session_say(c, e, s, true, command);
    if (up) session_doom(s);
    else session_end(c, s);
    return CODE_OK;
}

static enum code act_send(struct core *c, const struct event *e, struct session *s,
                          enum command_type type) {
    const struct session_ref *m = &e->message->session;
    struct command *there = command_keyed(s, m->key);
    if (!there) {
        if (s->status != SESSION_CONNECTED || !session_up(s)) return CODE_SESSION_NOT_CONNECTED;
        if (c->disk_full) return CODE_STORAGE_FULL;
        if (!command_room(c, s->station, m->payload.len)) return CODE_BUSY;
        there = command_add(c, s->station, s, type, m->payload, m->key);
    }
    session_say(c, e, s, true, there->id);
    return CODE_OK;
}

static enum code demand_do(struct core *c, const struct event *e, struct session *s) {
    const struct session_ref *m = &e->message->session;
    bool connected = s->status == SESSION_CONNECTED;
    switch (m->act) {
    case SESSION_CONNECT:
        if (session_status_up(s->status) && (session_up(s) || connected)) {
            say_code(c, e, CODE_CONFLICT,
                     slice_text(connected ? "the session is already connected"
                                          : "the session is already being connected"));
            return CODE_OK;
        }
        return act_connect(c, e, s);
    case SESSION_RESTART: return act_restart(c, e, s);
    case SESSION_DISCONNECT: return act_end(c, e, s, COMMAND_DISCONNECT);
    case SESSION_LOGOUT: return act_end(c, e, s, COMMAND_LOGOUT);
    case SESSION_DELETE: return act_delete(c, e, s);
    case SESSION_SEND: return act_send(c, e, s, COMMAND_SEND);
    case SESSION_MANAGE: return act_send(c, e, s, COMMAND_MANAGE);
    default: return CODE_VALIDATION_ERROR;
    }
}

static enum code demand_check(const struct core *c, const struct session_ref *m) {
    if (!name_good(c, m->name) || m->name.len > SESSION_NAME_MAX || !name_fits(c, m->owner) ||
        m->title.len > SESSION_TEXT_MAX || m->key.len > KEY_MAX || !name_fits(c, m->station))
        return CODE_VALIDATION_ERROR;
    return m->payload.len > c->limits.payload_max ? CODE_PAYLOAD_TOO_LARGE : CODE_OK;
}

void demand_step(struct core *c, const struct event *e) {
    const struct session_ref *m = &e->message->session;
    enum verb verb = e->message->verb;
    enum fleet_right right = verb == VERB_SESSION_REPORT ? FLEET_WORKS
                             : verb == VERB_SESSION_GET  ? FLEET_READS
                                                         : FLEET_WRITES;
    struct fleet *f;
    uint32_t brand;
    enum code code = fleet_enter(c, e, m->brand, right, &f, &brand);
    if (code == CODE_OK) code = demand_check(c, m);
    struct session *s = code == CODE_OK ? session_find(c, brand, m->name) : NULL;
    if (code == CODE_OK && (verb == VERB_SESSION_DO || verb == VERB_SESSION_GET)) {
        bool its = s && (!m->owner.len || slice_equal(m->owner, session_text(s, SESSION_OWNER)));
        if (!its || s->flags & SESSION_DELETING) code = CODE_NOT_FOUND;
    }
    if (code == CODE_OK) {
        if (verb == VERB_SESSION_PUT) code = demand_put(c, e, s, brand);
        else if (verb == VERB_SESSION_REPORT) code = session_told(c, e, s, brand);
        else if (verb == VERB_SESSION_DO) code = demand_do(c, e, s);
        else session_say(c, e, s, true, 0);
    }
    if (code != CODE_OK) say_code(c, e, code, (struct slice){0});
}
