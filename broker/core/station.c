#include "broker/core/station.h"
#include "broker/core/command.h"
#include "broker/core/effect.h"
#include "broker/core/feed.h"
#include "broker/core/fleet.h"
#include "broker/core/roster.h"
#include "broker/core/session.h"
#include "broker/core/task.h"
#include "broker/core/who.h"
#include <stdlib.h>

enum { SESSIONS_USUAL = 50, HEARD_STEP_MS = 300000, TEXT_MAX = 255, LOAD_UNIT = 1000000,
       COMMANDS_GIVEN_MAX = 100, FREEZE_STEP_MS = 1000, SPENT_MAX = 2000 };

static uint64_t name_hash(uint32_t brand, struct slice name) {
    return hash_bytes(brand, name.data, name.len);
}

struct station *station_known(const struct core *c, uint32_t brand, struct slice name) {
    for (struct map_node *n = map_first(&c->station_names, name_hash(brand, name)); n;
         n = map_next(n)) {
        struct station *st = owner_of(n, struct station, by_name);
        if (st->fleet->brand == brand && slice_equal(st->record.name, name)) return st;
    }
    return NULL;
}

struct station *station_find(const struct core *c, uint32_t brand, struct slice name) {
    struct station *st = station_known(c, brand, name);
    return st && !(st->record.flags & STATION_REMOVED) ? st : NULL;
}

static struct station *endpoint_find(const struct core *c, uint32_t brand,
                                     struct slice endpoint) {
    if (!endpoint.len) return NULL;
    for (struct map_node *n = map_first(&c->station_endpoints, name_hash(brand, endpoint)); n;
         n = map_next(n)) {
        struct station *st = owner_of(n, struct station, by_endpoint);
        if (st->fleet->brand == brand && slice_equal(st->record.endpoint, endpoint)) return st;
    }
    return NULL;
}

/* Its texts move into one block of its own. */
static void station_texts(struct station *st, const struct slice texts[4]) {
    size_t size = 0;
    for (int i = 0; i < 4; i++) size += texts[i].len;
    uint8_t *block = malloc(size + 1), *p = block;
    assert(block != NULL);
    struct slice *own[4] = {&st->record.name, &st->record.endpoint, &st->record.description,
                            &st->record.version};
    for (int i = 0; i < 4; i++) {
        uint32_t len = texts[i].len;
        if (len) memcpy(p, texts[i].data, len);
        *own[i] = slice_of(p, len);
        p += len;
    }
    free(st->texts);
    st->texts = block;
}

static void station_changed(struct core *c, struct station *st) {
    if (list_empty(&st->dirty)) list_push(&c->dirty_stations, &st->dirty);
}

static struct station *station_new(struct core *c, const struct station_record *r) {
    struct station *st = calloc(1, sizeof *st);
    assert(st != NULL);
    struct fleet *f = fleet_get(c, r->brand);
    st->record = *r;
    st->fleet = f;
    station_texts(st, (struct slice[]){r->name, r->endpoint, r->description, r->version});
    struct node *lists[] = {&st->sessions, &st->commands, &st->queued, &st->listeners,
                            &st->dirty};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) list_init(lists[i]);
    st->timer.kind = TIMER_STATION;
    st->seat.kind = ++f->station_next;
    st->heard = c->now;
    st->heard_ms = r->heard_ms;
    list_push(&f->stations, &st->in_fleet);
    map_put(&c->station_names, &st->by_name, name_hash(r->brand, st->record.name));
    c->station_count++;
    return st;
}

/* ---- counts and seats ---- */

/* What it is counts for, taken out before a change and put in behind it. */
static void station_count(struct station *st, int sign) {
    struct fleet_counts *n = &st->fleet->counts;
    if (st->record.flags & STATION_REMOVED) return;
    n->stations[st->record.status] += (uint32_t)sign;
    if (st->record.status != STATION_ONLINE) return;
    n->capacity += (uint32_t)sign * st->record.sessions_max;
    n->seated += (uint32_t)sign * st->session_count;
}

static void station_seat(struct core *c, struct station *st) {
    if (!station_takes(st)) {
        heap_clear(&st->fleet->seats, &st->seat);
        return;
    }
    int64_t load = (int64_t)st->session_count * LOAD_UNIT / st->record.sessions_max;
    bool whole = heap_set(&st->fleet->seats, &st->seat, load);
    assert(whole);
    fleet_wake(c, st->fleet);
}

void station_seated(struct core *c, struct station *st, int more) {
    station_count(st, -1);
    if (more > 0 || !core_bug(c, BUG_SEAT_MISCOUNT)) st->session_count += (uint32_t)more;
    station_count(st, 1);
    station_seat(c, st);
}

/* ---- rows and events ---- */

static void station_tell(struct core *c, const struct station *st) {
    const struct station_row row = station_row_of(st);
    struct buffer b = {0};
    station_row_put(&b, &row);
    feed_put(c, st->fleet->brand, slice_text("worker_status_updated"), st->record.name,
             buffer_slice(&b));
    buffer_free(&b);
}

/* ---- up and down ---- */

/* A status that is not its last: the counts, the endpoint and the seat follow it. */
static void station_turn(struct core *c, struct station *st, enum station_status status) {
    if (st->record.status == status) return;
    station_count(st, -1);
    if (station_up(st) && st->record.endpoint.len)
        map_remove(&c->station_endpoints, &st->by_endpoint);
    st->record.status = (uint8_t)status;
    if (station_up(st) && st->record.endpoint.len)
        map_put(&c->station_endpoints, &st->by_endpoint,
                name_hash(st->fleet->brand, st->record.endpoint));
    station_count(st, 1);
    st->record.updated_ms = c->wall;
    station_changed(c, st);
    station_seat(c, st);
    station_tell(c, st);
}

static void station_flag(struct core *c, struct station *st, uint8_t flag, bool on) {
    uint8_t flags = on ? st->record.flags | flag : st->record.flags & (uint8_t)~flag;
    if (flags == st->record.flags) return;
    station_count(st, -1);
    st->record.flags = flags;
    station_count(st, 1);
    station_changed(c, st);
    station_seat(c, st);
}

static void station_quiet(struct station *st, bool quiet) {
    if (st->quiet != quiet) st->fleet->quiet += quiet ? 1u : UINT32_MAX;
    st->quiet = quiet;
}

/* Most of a fleet falling silent at once is our own network or gateway, not theirs: they run on,
 * and their sessions stay with them until that has had time to show. */
static bool recovery_frozen(const struct core *c, const struct station *st) {
    const struct fleet *f = st->fleet;
    uint32_t all = f->counts.stations[STATION_ONLINE] +
                   f->counts.stations[STATION_MAINTENANCE] + f->quiet;
    return st->quiet && all >= FREEZE_WORKERS_MIN && f->quiet * 100 > all * FREEZE_PERCENT &&
           c->now < st->down_at + c->limits.recovery_ms + c->limits.freeze_ms_max;
}

/* It is dead or gone; its sessions wait a while for it. */
static uint32_t station_down(struct core *c, struct station *st, uint32_t grace_ms) {
    uint32_t lost = 0;
    if (station_up(st) || grace_ms == 0) heap_set(&c->clock, &st->timer, c->now + grace_ms);
    if (station_up(st)) {
        station_turn(c, st, STATION_OFFLINE);
        command_unlisten(c, st);
        st->gathered = false;
        st->down_at = c->now;
        station_quiet(st, station_silent(st));
        for (struct node *n = st->sessions.next, *next; n != &st->sessions; n = next) {
            next = n->next;
            if (session_lose(c, owner_of(n, struct session, in_station))) lost++;
        }
    }
    return lost;
}

/* Another is alive at its endpoint by now: only its heartbeats are sure. */
static void station_displaced(struct core *c, struct station *st) {
    const struct station_record *r = &st->record;
    station_texts(st, (struct slice[]){r->name, {0}, r->description, r->version});
    station_flag(c, st, STATION_SHADOW, true);
    command_add(c, st, NULL, COMMAND_REGISTER, (struct slice){0}, (struct slice){0});
}

/* It is there again and has what has not moved yet. `kept`: its process never ended. */
static void station_back(struct core *c, struct station *st, enum station_status status,
                         bool kept) {
    st->gathered = false;
    station_quiet(st, false);
    station_flag(c, st, STATION_LEFT | STATION_REMOVED, false);
    if (endpoint_find(c, st->fleet->brand, st->record.endpoint)) station_displaced(c, st);
    station_turn(c, st, status);
    for (struct node *n = st->sessions.next, *next; n != &st->sessions; n = next) {
        next = n->next;
        session_back(c, owner_of(n, struct session, in_station), kept);
    }
}

/* It did not come back: its sessions go to others. */
static void station_gather(struct core *c, struct station *st) {
    st->gathered = true;
    station_quiet(st, false);
    for (struct node *n = st->sessions.next, *next; n != &st->sessions; n = next) {
        next = n->next;
        session_gather(c, owner_of(n, struct session, in_station));
    }
    fleet_wake(c, st->fleet);
}

/* Very many that die in one millisecond are taken one short step after another. */
static bool station_waits(struct core *c, struct station *st) {
    struct fleet *f = st->fleet;
    if (f->spent_at != c->now) f->spent = 0;
    f->spent_at = c->now;
    f->spent += st->session_count;
    if (f->spent <= SPENT_MAX || f->spent == st->session_count) return false;
    heap_set(&c->clock, &st->timer, c->now + 1);
    return true;
}

void station_timer(struct core *c, struct station *st) {
    int64_t dead_at = st->heard + c->limits.station_dead_ms;
    if (station_up(st) && c->now < dead_at) {
        heap_set(&c->clock, &st->timer, dead_at);
        return;
    }
    if (station_waits(c, st)) return;
    if (station_up(st)) {
        station_down(c, st, c->limits.recovery_ms);
        return;
    }
    if (recovery_frozen(c, st)) {
        heap_set(&c->clock, &st->timer, c->now + FREEZE_STEP_MS);
        return;
    }
    if (!st->gathered && !core_bug(c, BUG_NO_RECOVERY)) station_gather(c, st);
    int64_t again = command_expire(c, st);
    if (again != INT64_MAX) heap_set(&c->clock, &st->timer, again);
}

static void station_heard(struct core *c, struct station *st) {
    st->heard = c->now;
    st->heard_ms = c->wall;
    if (!st->timer.place && station_up(st))
        heap_set(&c->clock, &st->timer, c->now + c->limits.station_dead_ms);
    int64_t behind = c->wall - st->record.heard_ms;
    if (behind >= HEARD_STEP_MS || behind < 0) station_changed(c, st);
}

/* ---- STATION_PUT ---- */

static bool texts_fit(const struct core *c, const struct station_ref *m) {
    return m->endpoint.len <= TEXT_MAX && m->description.len <= TEXT_MAX &&
           m->version.len <= TEXT_MAX && name_fits(c, m->version) &&
           m->environment < ENVIRONMENT_COUNT && m->status < STATION_STATUS_COUNT &&
           (!(m->set & SET_STATION_MAX) ||
            (m->sessions_max >= 1 && m->sessions_max <= STATION_SESSIONS_MAX));
}

static struct slice chosen(bool given, struct slice new, struct slice old) {
    return given ? new : old;
}

/* What the message gives; the rest stays. */
static void station_take(struct core *c, struct station *st, const struct station_ref *m) {
    struct station_record *r = &st->record;
    bool up = station_up(st);
    station_count(st, -1);
    if (up && r->endpoint.len) map_remove(&c->station_endpoints, &st->by_endpoint);
    station_texts(st, (struct slice[]){
        r->name, chosen(m->set & SET_STATION_ENDPOINT, m->endpoint, r->endpoint),
        chosen(m->set & SET_STATION_DESCRIPTION, m->description, r->description),
        chosen(m->set & SET_STATION_VERSION, m->version, r->version)});
    if (up && r->endpoint.len)
        map_put(&c->station_endpoints, &st->by_endpoint,
                name_hash(st->fleet->brand, r->endpoint));
    if (m->set & SET_STATION_MAX) r->sessions_max = m->sessions_max;
    if (m->set & SET_STATION_ENVIRONMENT && m->environment) r->environment = m->environment;
    r->updated_ms = c->wall;
    station_count(st, 1);
    station_changed(c, st);
    station_seat(c, st);
}

static void station_forget(struct core *c, struct station *st) {
    while (!list_empty(&st->commands))
        command_drop(c, owner_of(list_first(&st->commands), struct command, in_station));
    command_unlisten(c, st);
    struct slice name = note_keep(c, st->record.name);
    note(c, RECORD_STATION_GONE)->station =
        (struct station_record){.brand = st->fleet->brand, .name = name};
    station_count(st, -1);
    heap_clear(&c->clock, &st->timer);
    list_unlink(&st->in_fleet);
    list_unlink(&st->dirty);
    map_remove(&c->station_names, &st->by_name);
    c->station_count--;
    buffer_free(&st->beat);
    free(st->texts);
    free(st);
}

/* Room for one more: one that was removed is forgotten. */
static bool station_room(struct core *c) {
    if (c->station_count < c->limits.stations_max) return true;
    for (struct node *n = c->fleets.next; n != &c->fleets; n = n->next) {
        struct fleet *f = owner_of(n, struct fleet, in_order);
        for (struct node *x = f->stations.next; x != &f->stations; x = x->next) {
            struct station *st = owner_of(x, struct station, in_fleet);
            if (!(st->record.flags & STATION_REMOVED) || st->session_count) continue;
            station_forget(c, st);
            return true;
        }
    }
    return false;
}

static struct station *station_make(struct core *c, uint32_t brand, struct slice name,
                                    uint8_t flags) {
    if (!station_room(c)) return NULL;
    struct station_record r = {
        .id = number_next(c), .brand = brand, .name = name, .flags = flags,
        .sessions_max = SESSIONS_USUAL, .status = STATION_OFFLINE,
        .environment = ENVIRONMENT_DEVELOPMENT, .created_ms = c->wall, .updated_ms = c->wall};
    struct station *st = station_new(c, &r);
    station_count(st, 1);
    station_changed(c, st);
    return st;
}

static void station_answer(struct core *c, const struct event *e, struct station *st,
                           struct fleet_answer *a, bool sessions) {
    struct buffer rows = {0};
    if (sessions) a->session_count = station_sessions(st, &rows);
    a->sessions = buffer_slice(&rows);
    a->station = station_row_of(st);
    fleet_say(c, e, a);
    buffer_free(&rows);
}

static enum code register_check(struct core *c, uint32_t brand, const struct station_ref *m,
                                const struct station *st) {
    bool alive = st && station_up(st) && c->now < st->heard + c->limits.station_dead_ms;
    if (alive && st->record.endpoint.len && !slice_equal(st->record.endpoint, m->endpoint))
        return CODE_WORKER_ALREADY_REGISTERED;
    struct station *other = endpoint_find(c, brand, m->endpoint);
    if (!other || other == st) return CODE_OK;
    if (c->now < other->heard + c->limits.station_dead_ms) return CODE_WORKER_ALREADY_REGISTERED;
    station_down(c, other, c->limits.recovery_ms);
    return CODE_OK;
}

static void station_register(struct core *c, const struct event *e, uint32_t brand,
                             struct station *st) {
    const struct station_ref *m = &e->message->station;
    enum code code = m->endpoint.len ? register_check(c, brand, m, st) : CODE_VALIDATION_ERROR;
    if (code == CODE_OK && !st && !(st = station_make(c, brand, m->name, 0)))
        code = CODE_LIMIT_REACHED;
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    enum station_status status = m->set & SET_STATION_STATUS && m->status
                                     ? (enum station_status)m->status : STATION_ONLINE;
    if (st->record.flags & STATION_HELD) status = STATION_MAINTENANCE;
    bool was_up = station_up(st);
    station_take(c, st, m);
    station_flag(c, st, STATION_SHADOW | STATION_DRAINING, false);
    command_drop_own(c, st, 1u << COMMAND_REGISTER | 1u << COMMAND_DRAIN);
    for (struct node *n = st->sessions.next; was_up && n != &st->sessions; n = n->next)
        session_renew(c, owner_of(n, struct session, in_station));
    if (status == STATION_OFFLINE) station_down(c, st, c->limits.recovery_ms);
    else if (was_up) station_turn(c, st, status);
    else station_back(c, st, status, false);
    station_heard(c, st);
    if (station_up(st))
        heap_set(&c->clock, &st->timer, c->now + c->limits.station_dead_ms);
    station_answer(c, e, st, &(struct fleet_answer){.changed = true}, true);
}

static void station_change(struct core *c, struct station *st, const struct station_ref *m) {
    enum station_status status = (enum station_status)m->status;
    station_take(c, st, m);
    if (m->set & SET_STATION_DRAINING) {
        station_flag(c, st, STATION_DRAINING, m->draining);
        command_drop_own(c, st, 1u << COMMAND_DRAIN);
        if (m->draining)
            command_add(c, st, NULL, COMMAND_DRAIN, (struct slice){0}, (struct slice){0});
    }
    if (!(m->set & SET_STATION_STATUS) || !status) return;
    station_flag(c, st, STATION_HELD, status == STATION_MAINTENANCE);
    if (status == STATION_OFFLINE && station_up(st)) station_down(c, st, c->limits.recovery_ms);
    if (status == STATION_OFFLINE || !station_up(st)) return; /* it is up when it is heard */
    station_turn(c, st, status);
}

static void station_put(struct core *c, const struct event *e, uint32_t brand) {
    const struct station_ref *m = &e->message->station;
    struct station *st = station_known(c, brand, m->name);
    if (m->mode == STATION_REGISTER) {
        station_register(c, e, brand, st);
        return;
    }
    bool there = st && !(st->record.flags & STATION_REMOVED);
    enum code code = CODE_OK;
    if (m->mode == STATION_UPDATE && !there) code = CODE_WORKER_NOT_FOUND;
    else if (m->mode == STATION_CREATE && there) code = CODE_CONFLICT;
    else if (m->mode > STATION_UPDATE) code = CODE_VALIDATION_ERROR;
    if (code == CODE_OK && m->set & SET_STATION_ENDPOINT) {
        const struct station *other = endpoint_find(c, brand, m->endpoint);
        if (other && other != st) code = CODE_CONFLICT;
    }
    if (code == CODE_OK && !st && !(st = station_make(c, brand, m->name, 0)))
        code = CODE_LIMIT_REACHED;
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    station_flag(c, st, STATION_REMOVED, false);
    station_change(c, st, m);
    station_answer(c, e, st, &(struct fleet_answer){.changed = true}, false);
}

/* ---- STATION_BEAT ---- */

static bool rows_good(struct slice rows) {
    struct session_row row;
    uint32_t at = 0, count = 0;
    while (session_row_next(rows, &at, &row))
        if (++count > FLEET_SESSIONS_MAX) return false;
    return at == rows.len;
}

/* How its sessions stand; returns how many were not taken for want of room. */
static uint32_t beat_sessions(struct core *c, struct station *st, const struct station_ref *m) {
    struct session_row row;
    uint32_t lost = 0;
    st->mark++;
    for (uint32_t at = 0; session_row_next(m->sessions, &at, &row);)
        if (!session_listed(c, st, &row, m->time_ms)) lost++;
    if (!m->whole) return lost;
    for (struct node *n = st->sessions.next, *next; n != &st->sessions; n = next) {
        next = n->next;
        struct session *s = owner_of(n, struct session, in_station);
        if (s->mark != st->mark) session_missing(c, s, m->time_ms);
    }
    command_stopped(c, st);
    return lost;
}

static void beat_status(struct core *c, struct station *st, const struct station_ref *m) {
    enum station_status status = m->set & SET_STATION_STATUS ? (enum station_status)m->status : 0;
    if (st->record.flags & STATION_HELD) status = STATION_MAINTENANCE;
    if (status == STATION_OFFLINE) {
        station_heard(c, st);
        if (station_up(st)) station_down(c, st, c->limits.recovery_ms);
        return;
    }
    if (!station_up(st)) {
        bool left = st->record.flags & (STATION_LEFT | STATION_REMOVED);
        station_back(c, st, status ? status : STATION_ONLINE, !left);
        if (left)
            command_add(c, st, NULL, COMMAND_REGISTER, (struct slice){0}, (struct slice){0});
        heap_set(&c->clock, &st->timer, c->now + c->limits.station_dead_ms);
    } else if (status) {
        station_turn(c, st, status);
    }
    if (m->set & SET_STATION_DRAINING) station_flag(c, st, STATION_DRAINING, m->draining);
    station_heard(c, st);
}

static void station_beat(struct core *c, const struct event *e, uint32_t brand) {
    const struct station_ref *m = &e->message->station;
    struct station *st = station_known(c, brand, m->name);
    enum code code = m->beat.len > FLEET_BEAT_BYTES_MAX ? CODE_PAYLOAD_TOO_LARGE
                     : rows_good(m->sessions)           ? CODE_OK
                                                        : CODE_VALIDATION_ERROR;
    bool shadow = !st;
    if (code == CODE_OK && !st && !(st = station_make(c, brand, m->name, STATION_SHADOW)))
        code = CODE_LIMIT_REACHED;
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (m->beat.len) {
        buffer_clear(&st->beat);
        buffer_append(&st->beat, m->beat.data, m->beat.len);
        assert(!st->beat.failed);
    }
    beat_status(c, st, m);
    if (shadow) command_add(c, st, NULL, COMMAND_REGISTER, (struct slice){0}, (struct slice){0});
    struct fleet_answer a = {.changed = true};
    if (m->set & SET_STATION_SESSIONS && station_up(st)) a.lost = beat_sessions(c, st, m);
    struct buffer rows = {0};
    uint32_t limit = m->commands < COMMANDS_GIVEN_MAX ? m->commands : COMMANDS_GIVEN_MAX;
    a.command_count = command_give(c, st, limit, &rows);
    a.commands = buffer_slice(&rows);
    station_answer(c, e, st, &a, false);
    buffer_free(&rows);
}

/* ---- STATION_LEAVE, STATION_GET, STATION_LIST ---- */

static void station_leave(struct core *c, const struct event *e, uint32_t brand) {
    const struct station_ref *m = &e->message->station;
    struct station *st = station_known(c, brand, m->name);
    if (!st) {
        say_code(c, e, CODE_WORKER_NOT_FOUND, (struct slice){0});
        return;
    }
    struct fleet_answer a = {.changed = true};
    bool other = m->endpoint.len && st->record.endpoint.len && station_up(st) &&
                 !slice_equal(m->endpoint, st->record.endpoint);
    if (!other) { /* else it has long been replaced, and that is what it asks for */
        if (!m->remove) station_flag(c, st, STATION_LEFT, true); /* else it may run on */
        command_drop_own(c, st, 1u << COMMAND_REGISTER | 1u << COMMAND_DRAIN);
        a.lost = station_down(c, st, m->remove ? 0 : c->limits.recovery_ms);
    }
    if (!other && m->remove) {
        station_gather(c, st); /* now, and none of its sessions knows it any more */
        for (struct node *n; (n = list_first(&st->sessions));) {
            struct session *s = owner_of(n, struct session, in_station);
            command_add(c, st, s, COMMAND_DISCONNECT, (struct slice){0}, (struct slice){0});
            session_leave(c, s);
        }
        station_flag(c, st, STATION_REMOVED, true);
    }
    station_answer(c, e, st, &a, false);
}

static void station_get(struct core *c, const struct event *e, uint32_t brand) {
    const struct station_ref *m = &e->message->station;
    struct station *st = station_find(c, brand, m->name);
    if (!st) {
        say_code(c, e, CODE_WORKER_NOT_FOUND, (struct slice){0});
        return;
    }
    struct fleet_answer a = {0};
    struct buffer rows = {0};
    a.command_count = command_peek(st, m->commands < COMMANDS_GIVEN_MAX ? m->commands
                                                                       : COMMANDS_GIVEN_MAX, &rows);
    a.commands = buffer_slice(&rows);
    station_answer(c, e, st, &a, true);
    buffer_free(&rows);
}

void station_step(struct core *c, const struct event *e) {
    const struct station_ref *m = &e->message->station;
    enum verb verb = e->message->verb;
    bool leads = verb == VERB_STATION_PUT ? m->mode != STATION_REGISTER
                                          : verb == VERB_STATION_LEAVE && m->remove;
    enum fleet_right right = leads                      ? FLEET_LEADS
                             : verb == VERB_STATION_GET ? FLEET_READS
                                                        : FLEET_WORKS;
    struct fleet *f;
    uint32_t brand;
    enum code code = fleet_enter(c, e, m->brand, right, &f, &brand);
    if (code == CODE_OK && (!name_good(c, m->name) || !texts_fit(c, m)))
        code = CODE_VALIDATION_ERROR;
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (verb == VERB_STATION_PUT) station_put(c, e, brand);
    else if (verb == VERB_STATION_BEAT) station_beat(c, e, brand);
    else if (verb == VERB_STATION_LEAVE) station_leave(c, e, brand);
    else station_get(c, e, brand);
}

/* ---- restore ---- */

void station_restore(struct core *c, const struct station_record *r) {
    struct station *st = station_new(c, r);
    if (station_up(st) && st->record.endpoint.len)
        map_put(&c->station_endpoints, &st->by_endpoint, name_hash(r->brand, st->record.endpoint));
    station_count(st, 1);
    station_seat(c, st);
}

void station_restored(struct core *c, struct station *st) {
    if (station_up(st))
        heap_set(&c->clock, &st->timer, c->now + c->limits.station_dead_ms);
    st->down_at = c->now;
    station_quiet(st, station_silent(st) && st->session_count);
    if (!station_up(st) && (st->session_count || st->command_count))
        heap_set(&c->clock, &st->timer, c->now + c->limits.recovery_ms);
}
