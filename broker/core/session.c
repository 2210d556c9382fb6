#include "broker/core/session.h"
#include "broker/core/command.h"
#include "broker/core/effect.h"
#include "broker/core/feed.h"
#include "broker/core/fleet.h"
#include "broker/core/station.h"
#include "broker/core/task.h"
#include "broker/core/who.h"
#include <stdlib.h>

enum { CLOCK_AHEAD_MS = 60000, SEEN_STEP_MS = 600000 };

static uint64_t name_hash(uint32_t brand, struct slice name) {
    return hash_bytes(brand + 1u, name.data, name.len);
}

struct session *session_find(const struct core *c, uint32_t brand, struct slice name) {
    for (struct map_node *n = map_first(&c->session_names, name_hash(brand, name)); n;
         n = map_next(n)) {
        struct session *s = owner_of(n, struct session, by_name);
        if (s->fleet->brand == brand && slice_equal(session_text(s, SESSION_NAME), name)) return s;
    }
    return NULL;
}

struct slice session_text(const struct session *s, enum session_text which) {
    const uint8_t *p = s->texts;
    for (int i = 0; i < (int)which; i++) p += s->lens[i];
    return slice_of(p, s->lens[which]);
}

/* Up to its bound, and never half a character. */
static struct slice text_cut(struct slice text) {
    uint32_t len = text.len;
    if (len <= SESSION_TEXT_MAX) return text;
    for (len = SESSION_TEXT_MAX; len && (text.data[len] & 0xc0) == 0x80;) len--;
    return slice_of(text.data, len);
}

static void session_texts(struct session *s, const struct slice texts[SESSION_TEXTS]) {
    size_t size = 0;
    for (int i = 0; i < SESSION_TEXTS; i++) size += text_cut(texts[i]).len;
    uint8_t *block = malloc(size + 1), *p = block;
    assert(block != NULL);
    for (int i = 0; i < SESSION_TEXTS; i++) {
        const struct slice text = text_cut(texts[i]);
        if (text.len) memcpy(p, text.data, text.len);
        p += text.len;
        s->lens[i] = (uint8_t)text.len;
    }
    free(s->texts);
    s->texts = block;
}

/* One text is another now; false when it is the same. */
bool session_retext(struct session *s, enum session_text which, struct slice text) {
    struct slice texts[SESSION_TEXTS];
    if (slice_equal(session_text(s, which), text_cut(text))) return false;
    for (int i = 0; i < SESSION_TEXTS; i++) texts[i] = session_text(s, (enum session_text)i);
    texts[which] = text;
    session_texts(s, texts);
    return true;
}

struct session_row session_row_of(const struct session *s) {
    return (struct session_row){
        .id = s->id, .brand = s->fleet->brand, .version = s->version,
        .name = session_text(s, SESSION_NAME), .owner = session_text(s, SESSION_OWNER),
        .title = session_text(s, SESSION_TITLE), .phone = session_text(s, SESSION_PHONE),
        .display = session_text(s, SESSION_DISPLAY), .reason = session_text(s, SESSION_REASON),
        .station = s->station ? s->station->record.name : (struct slice){0},
        .status = s->status, .created_ms = s->created_ms, .updated_ms = s->updated_ms,
        .seen_ms = s->seen_ms, .reported_ms = s->reported_ms,
        .wanted = s->flags & SESSION_WANTED, .recovering = s->flags & SESSION_RECOVERING};
}

static void session_write(struct core *c, struct session *s) {
    if (!list_empty(&s->dirty) || core_bug(c, BUG_SEAT_LOST)) return;
    list_push(&c->dirty_sessions, &s->dirty);
}

/* Written, and told to who listens. */
void session_changed(struct core *c, struct session *s) {
    s->version++;
    s->updated_ms = c->wall;
    session_write(c, s);
    if (s->flags & SESSION_DELETING) return;
    const struct session_row row = session_row_of(s);
    struct buffer b = {0};
    session_row_put(&b, &row);
    feed_put(c, s->fleet->brand, slice_text("session_status_changed"), row.name,
             buffer_slice(&b));
    buffer_free(&b);
}

static void session_count(struct session *s, int sign) {
    if (!(s->flags & SESSION_DELETING)) s->fleet->counts.sessions[s->status] += (uint32_t)sign;
}

void session_turn(struct session *s, enum session_status status) {
    session_count(s, -1);
    s->status = (uint8_t)status;
    session_count(s, 1);
}

bool session_status_up(uint8_t status) {
    return status == SESSION_INIT || status == SESSION_QR_REQUIRED ||
           status == SESSION_CONNECTED || status == SESSION_RECONNECTING;
}

void session_flag(struct session *s, uint8_t set, uint8_t clear) {
    s->flags = (uint8_t)((s->flags | set) & ~clear);
}

/* ---- where it is ---- */

static void session_unwait(struct session *s) {
    if (list_empty(&s->waiting)) return;
    list_unlink(&s->waiting);
    s->fleet->counts.waiting--;
}

static void session_unseat(struct core *c, struct session *s) {
    struct station *st = s->station;
    session_unwait(s);
    if (!st) return;
    list_unlink(&s->in_station);
    s->station = NULL;
    station_seated(c, st, -1);
}

/* A station runs what it must not: another has it, or its user ended it. */
static void session_stop(struct core *c, struct session *s, struct station *st) {
    if (core_bug(c, BUG_TWO_SEATS)) return;
    bool deleting = s->flags & SESSION_DELETING;
    struct command *stop = command_stops(st, session_text(s, SESSION_NAME));
    if (!stop)
        stop = command_add(c, st, s, deleting ? COMMAND_DELETE : COMMAND_DISCONNECT,
                           (struct slice){0}, (struct slice){0});
    stop->mark = st->mark;
}

/* From where it was to here; what another station may still run of it is to end there: one that is
 * silent, or one that is up and has not yet said what came of the last order. */
static void session_seat(struct core *c, struct session *s, struct station *st) {
    struct station *old = s->station;
    if (old == st) {
        session_unwait(s);
        return;
    }
    session_unseat(c, s);
    s->station = st;
    s->reported_ms = 0; /* another clock */
    s->mark = 0;
    list_push(&st->sessions, &s->in_station);
    station_seated(c, st, 1);
    if (!old) return;
    const uint32_t orders = COMMANDS_START | COMMANDS_STOP;
    bool runs = station_silent(old) || (station_up(old) && command_find(s, old, orders));
    if (runs && !core_bug(c, BUG_TWO_SEATS)) session_stop(c, s, old);
    else command_drop_all(c, s, old, orders);
}

void session_move(struct core *c, struct session *s, struct station *st) {
    session_seat(c, s, st);
    command_add(c, st, s, COMMAND_CREATE, (struct slice){0}, (struct slice){0});
    command_move(c, s, st);
    session_changed(c, s);
}

void session_leave(struct core *c, struct session *s) {
    struct station *st = s->station;
    session_unseat(c, s);
    if (st) command_drop_all(c, s, st, COMMANDS_START);
    if (s->flags & SESSION_RECOVERING) {
        command_move(c, s, NULL);
        list_push(&s->fleet->waiting, &s->waiting);
        s->fleet->counts.waiting++;
        fleet_wake(c, s->fleet);
    } else {
        command_drop_all(c, s, NULL, COMMANDS_MESSAGE);
    }
    session_changed(c, s);
}

void session_doom(struct session *s) {
    session_count(s, -1);
    session_flag(s, SESSION_DELETING, SESSION_WANTED | SESSION_RECOVERING);
}

void session_end(struct core *c, struct session *s) {
    struct slice name = note_keep(c, session_text(s, SESSION_NAME));
    note(c, RECORD_SESSION_GONE)->session =
        (struct session_record){.brand = s->fleet->brand, .name = name};
    session_count(s, -1);
    session_unseat(c, s);
    command_orphan(c, s);
    list_unlink(&s->dirty);
    map_remove(&c->session_names, &s->by_name);
    c->session_count--;
    free(s->texts);
    free(s);
}

bool session_lose(struct core *c, struct session *s) {
    if (!station_silent(s->station)) command_drop_all(c, s, s->station, COMMANDS_STOP);
    if (s->flags & SESSION_DELETING) {
        session_end(c, s);
        return false;
    }
    if (s->flags & SESSION_ENDED) {
        session_leave(c, s);
        return false;
    }
    if (!session_status_up(s->status)) return s->flags & SESSION_RECOVERING;
    s->before = s->status;
    session_flag(s, SESSION_RECOVERING, 0);
    if (s->status != SESSION_INIT) session_turn(s, SESSION_DISCONNECTED);
    session_changed(c, s);
    return true;
}

void session_back(struct core *c, struct session *s, bool kept) {
    session_unwait(s);
    if (!(s->flags & SESSION_RECOVERING)) return;
    if (!kept) {
        s->before = 0;
        command_add(c, s->station, s, COMMAND_CREATE, (struct slice){0}, (struct slice){0});
        session_changed(c, s);
        return;
    }
    if (!s->before) { /* it was on its way here */
        command_add(c, s->station, s, COMMAND_CREATE, (struct slice){0}, (struct slice){0});
        return;
    }
    session_turn(s, (enum session_status)s->before);
    session_flag(s, 0, SESSION_RECOVERING);
    s->before = 0;
    session_changed(c, s);
}

void session_renew(struct core *c, struct session *s) {
    if (!session_status_up(s->status) || s->flags & SESSION_RECOVERING) return;
    session_flag(s, SESSION_RECOVERING, 0);
    session_write(c, s);
}

void session_gather(struct core *c, struct session *s) {
    if (!(s->flags & SESSION_RECOVERING)) {
        session_leave(c, s);
        return;
    }
    if (!list_empty(&s->waiting)) return;
    list_push(&s->fleet->waiting, &s->waiting);
    s->fleet->counts.waiting++;
}

/* ---- what stations say ---- */

/* A reporter's time of day, as far as it can be true. */
static int64_t time_seen(const struct core *c, int64_t ms) {
    return ms < 0 ? 0 : ms > c->wall + CLOCK_AHEAD_MS ? c->wall : ms;
}

static struct session *session_new(struct core *c, struct fleet *f, uint64_t id,
                                   const struct slice texts[SESSION_TEXTS]) {
    struct session *s = calloc(1, sizeof *s);
    assert(s != NULL);
    s->fleet = f;
    s->id = id;
    session_texts(s, texts);
    struct node *lists[] = {&s->in_station, &s->waiting, &s->dirty, &s->commands};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) list_init(lists[i]);
    map_put(&c->session_names, &s->by_name, name_hash(f->brand, session_text(s, SESSION_NAME)));
    c->session_count++;
    return s;
}

struct session *session_make(struct core *c, struct fleet *f, struct station *st,
                             const struct session_row *row) {
    if (c->session_count >= c->limits.sessions_max) return NULL;
    if (st && st->session_count >= STATION_SESSIONS_MAX) return NULL;
    const struct slice texts[SESSION_TEXTS] = {row->name, row->owner, row->title, row->phone,
                                               row->display, row->reason};
    struct session *s = session_new(c, f, number_next(c), texts);
    s->created_ms = s->updated_ms = c->wall;
    s->seen_ms = time_seen(c, row->seen_ms);
    s->status = row->status;
    session_count(s, 1);
    if (session_status_up(s->status)) session_flag(s, SESSION_WANTED, 0);
    if (st) session_seat(c, s, st);
    session_changed(c, s);
    return s;
}

/* Whether the station may report about it; a session that is up and nobody's becomes its own. */
static bool session_claimed(struct core *c, struct session *s, struct station *st, bool up) {
    struct station *holder = s->station;
    if (holder == st || !st) return true;
    if (!up) { /* what it was to stop here it has stopped */
        command_drop_all(c, s, st, COMMANDS_STOP);
        return !holder;
    }
    bool holds = holder && station_up(holder) &&
                 (session_status_up(s->status) || command_find(s, holder, COMMANDS_START));
    const struct command *stop = command_stops(st, session_text(s, SESSION_NAME));
    bool former = stop && !stop->session; /* what it runs is one of that name that was deleted */
    if (s->flags & SESSION_ENDED || holds || former || st->session_count >= STATION_SESSIONS_MAX) {
        session_stop(c, s, st);
        return false;
    }
    session_seat(c, s, st);
    command_drop_all(c, s, st, COMMANDS_STOP);
    command_move(c, s, st);
    return true;
}

/* Orders that the status shows as done. True when its seat is free now. */
static bool orders_done(struct core *c, struct session *s, enum session_status status) {
    if (!s->station) return false;
    if (status == SESSION_DISCONNECTED) {
        command_drop_all(c, s, s->station, 1u << COMMAND_DISCONNECT | 1u << COMMAND_LOGOUT);
        return s->flags & SESSION_ENDED;
    }
    struct command *start = command_find(s, s->station, COMMANDS_START);
    bool made = start && start->type == COMMAND_CREATE && session_status_up((uint8_t)status);
    if (made || (start && start->deliveries)) command_drop(c, start);
    return false;
}

/* How it stands, from the station that has it. False when nothing of that counts. */
static bool session_take(struct core *c, struct session *s, const struct session_row *row) {
    bool up = session_status_up(row->status), changed = false;
    int64_t seen_ms = time_seen(c, row->seen_ms);
    if (seen_ms > s->seen_ms) {
        if (seen_ms - s->seen_ms >= SEEN_STEP_MS) session_write(c, s);
        s->seen_ms = seen_ms;
    }
    if (up && s->flags & SESSION_ENDED) {
        if (s->station) session_stop(c, s, s->station);
        return false;
    }
    if (row->phone.len) changed |= session_retext(s, SESSION_PHONE, row->phone);
    if (row->display.len) changed |= session_retext(s, SESSION_DISPLAY, row->display);
    bool turned = row->status && row->status != s->status;
    if (row->reason.len || turned) changed |= session_retext(s, SESSION_REASON, row->reason);
    if (turned) session_turn(s, (enum session_status)row->status);
    uint8_t flags = s->flags;
    if (up) session_flag(s, SESSION_WANTED, SESSION_RECOVERING);
    if (row->status == SESSION_ERROR) session_flag(s, 0, SESSION_RECOVERING);
    if (!(s->flags & SESSION_RECOVERING)) s->before = 0;
    if (row->status && orders_done(c, s, (enum session_status)row->status)) session_leave(c, s);
    else if (changed || turned || flags != s->flags) session_changed(c, s);
    return true;
}

bool session_listed(struct core *c, struct station *st, const struct session_row *row,
                    int64_t time_ms) {
    if (!name_good(c, row->name)) return true;
    struct session *s = session_find(c, st->fleet->brand, row->name);
    struct command *stop = s ? NULL : command_stops(st, row->name);
    if (stop) { /* it was deleted while this station was away */
        stop->mark = st->mark;
        return true;
    }
    if (!s) {
        struct session_row new = *row;
        if (!new.status) new.status = SESSION_INIT;
        s = session_make(c, st->fleet, st, &new);
        if (s) s->mark = st->mark;
        return s != NULL;
    }
    bool up = session_status_up(row->status);
    if (s->flags & SESSION_DELETING) {
        if (up) session_stop(c, s, st);
    } else if (session_claimed(c, s, st, up) && (!time_ms || s->reported_ms <= time_ms)) {
        session_take(c, s, row);
    }
    if (s->station == st) s->mark = st->mark;
    return true;
}

void session_missing(struct core *c, struct session *s, int64_t time_ms) {
    if (time_ms && s->reported_ms > time_ms) return; /* the list is older than what is known */
    if (s->flags & SESSION_DELETING) {
        command_drop_all(c, s, s->station, COMMANDS_STOP);
        session_end(c, s);
        return;
    }
    if (s->flags & SESSION_ENDED) {
        command_drop_all(c, s, s->station, COMMANDS_STOP);
        session_leave(c, s);
        return;
    }
    if (!session_status_up(s->status) || command_find(s, s->station, COMMANDS_START)) return;
    session_turn(s, SESSION_DISCONNECTED);
    session_retext(s, SESSION_REASON, slice_text("the worker no longer lists it"));
    session_changed(c, s);
}

void session_acked(struct core *c, struct command *cmd) {
    struct session *s = cmd->session;
    struct station *st = cmd->station;
    uint8_t type = cmd->type;
    command_drop(c, cmd);
    if (!s || s->station != st) return;
    if (type == COMMAND_DELETE && s->flags & SESSION_DELETING) session_end(c, s);
    else if (COMMANDS_STOP & 1u << type && s->flags & SESSION_ENDED) session_leave(c, s);
}

void session_unmade(struct core *c, struct session *s, const struct station *st) {
    if (s->station != st || s->status != SESSION_INIT) return;
    session_turn(s, SESSION_DISCONNECTED);
    session_retext(s, SESSION_REASON, slice_text("the worker did not take the order"));
    session_changed(c, s);
}

void session_unheard(struct core *c, struct session *s, const struct station *st) {
    if (s->station != st) return;
    if (s->flags & SESSION_DELETING) {
        session_end(c, s);
        return;
    }
    session_flag(s, 0, SESSION_ENDED);
    session_write(c, s);
}

/* ---- records ---- */

struct session_record session_record_of(const struct session *s) {
    return (struct session_record){
        .id = s->id, .brand = s->fleet->brand, .version = s->version,
        .name = session_text(s, SESSION_NAME), .owner = session_text(s, SESSION_OWNER),
        .title = session_text(s, SESSION_TITLE), .phone = session_text(s, SESSION_PHONE),
        .display = session_text(s, SESSION_DISPLAY), .reason = session_text(s, SESSION_REASON),
        .station = s->station ? s->station->record.name : (struct slice){0},
        .created_ms = s->created_ms, .updated_ms = s->updated_ms, .seen_ms = s->seen_ms,
        .reported_ms = s->reported_ms, .status = s->status, .flags = s->flags,
        .before = s->before};
}

void session_restore(struct core *c, const struct session_record *r) {
    struct fleet *f = fleet_get(c, r->brand);
    const struct slice texts[SESSION_TEXTS] = {r->name, r->owner, r->title, r->phone, r->display,
                                               r->reason};
    struct session *s = session_new(c, f, r->id, texts);
    s->version = r->version;
    s->created_ms = r->created_ms;
    s->updated_ms = r->updated_ms;
    s->seen_ms = r->seen_ms;
    s->reported_ms = r->reported_ms;
    s->status = r->status;
    s->flags = r->flags;
    s->before = r->before;
    session_count(s, 1);
    s->station = r->station.len ? station_find(c, r->brand, r->station) : NULL;
    if (s->station) {
        list_push(&s->station->sessions, &s->in_station);
        station_seated(c, s->station, 1);
    } else if (s->flags & SESSION_RECOVERING) {
        list_push(&f->waiting, &s->waiting);
        f->counts.waiting++;
    }
}

/* ---- SESSION_REPORT ---- */

void session_say(struct core *c, const struct event *e, const struct session *s,
                 bool changed, uint64_t command) {
    const struct fleet_answer a = {.session = session_row_of(s), .changed = changed,
                                   .command = command};
    fleet_say(c, e, &a);
}

struct session_row session_row_from(const struct core *c, const struct session_ref *m) {
    return (struct session_row){
        .name = m->name, .owner = m->owner, .title = m->title, .phone = m->phone,
        .display = m->display, .reason = m->reason, .status = m->status, .seen_ms = c->wall};
}

/* A station says that it is no more: its own, or nobody that can be told from it. What another
 * says is about what it was to stop. */
static void session_deleted(struct core *c, const struct event *e, struct session *s,
                            const struct station *from, bool stranger) {
    struct command *stop = from ? command_stops(from, session_text(s, SESSION_NAME)) : NULL;
    bool former = stop && !stop->session, unnamed = !from && !stranger;
    bool its = s->station ? s->station == from || unnamed : !former;
    if (unnamed) from = s->station;
    if (former) command_drop(c, stop);
    else if (from) command_drop_all(c, s, from, COMMANDS_STOP);
    if (its) session_turn(s, SESSION_DISCONNECTED);
    session_say(c, e, s, its, 0);
    if (its) session_end(c, s);
}

static enum code session_report_new(struct core *c, const struct event *e, uint32_t brand,
                                    const struct station *from, struct station *st) {
    const struct session_ref *m = &e->message->session;
    struct command *stop = from ? command_stops(from, m->name) : NULL;
    if (stop && m->gone) command_drop(c, stop);
    if (stop || m->gone) return CODE_NOT_FOUND;
    struct session_row row = session_row_from(c, m);
    if (!row.status) row.status = SESSION_INIT;
    struct session *s = session_make(c, fleet_get(c, brand), st, &row);
    if (!s) return CODE_LIMIT_REACHED;
    s->reported_ms = m->time_ms;
    session_say(c, e, s, true, 0);
    return CODE_OK;
}

enum code session_told(struct core *c, const struct event *e, struct session *s, uint32_t brand) {
    const struct session_ref *m = &e->message->session;
    const struct station *from = m->station.len ? station_known(c, brand, m->station) : NULL;
    struct station *st = from ? station_find(c, brand, m->station) : NULL;
    if (st && !station_up(st)) st = NULL; /* its heartbeat will say whether it is back */
    bool stranger = m->station.len && !st;
    if (m->status >= SESSION_STATUS_COUNT || m->time_ms < 0) return CODE_VALIDATION_ERROR;
    if (!s) return session_report_new(c, e, brand, from, st);
    if (m->gone) {
        session_deleted(c, e, s, from, stranger);
        return CODE_OK;
    }
    const struct session_row row = session_row_from(c, m);
    bool older = m->time_ms && m->time_ms < s->reported_ms && (!st || s->station == st) &&
                 s->reported_ms <= c->wall + CLOCK_AHEAD_MS;
    bool away = stranger && (s->station || (from && command_stops(from, m->name)));
    bool counts = !older && !away && !(s->flags & SESSION_DELETING) &&
                  session_claimed(c, s, st, session_status_up(m->status));
    if (counts && m->time_ms) s->reported_ms = m->time_ms;
    counts = counts && session_take(c, s, &row);
    if (counts && m->time_ms) session_write(c, s);
    session_say(c, e, s, counts, 0);
    return CODE_OK;
}
