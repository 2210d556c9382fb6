#include "broker/core/command.h"
#include "broker/core/effect.h"
#include "broker/core/fleet.h"
#include "broker/core/session.h"
#include "broker/core/station.h"
#include "broker/core/task.h"
#include "broker/core/watch.h"
#include <stdlib.h>

enum { GIVE_MAX = 100, LOOKS_MAX = 4096 };

static uint32_t bit(const struct command *cmd) { return 1u << cmd->type; }

static struct slice command_payload(const struct command *cmd) {
    return slice_of(cmd->bytes, cmd->payload_len);
}
static struct slice command_key(const struct command *cmd) {
    return slice_of(cmd->bytes + cmd->payload_len, cmd->key_len);
}
static struct slice command_session(const struct command *cmd) {
    return slice_of(cmd->bytes + cmd->payload_len + cmd->key_len, cmd->session_len);
}

static size_t command_size(const struct command *cmd) {
    return sizeof *cmd + cmd->payload_len + cmd->key_len + cmd->session_len;
}

static uint64_t key_hash(const struct fleet *f, struct slice key) {
    return hash_bytes(f->brand, key.data, key.len);
}

static struct command *command_new(struct core *c, struct fleet *f,
                                   const struct command_record *r) {
    assert(r->key.len <= UINT8_MAX && r->session.len <= UINT8_MAX);
    struct command *cmd =
        calloc(1, sizeof *cmd + r->payload.len + r->key.len + r->session.len);
    assert(cmd != NULL);
    cmd->fleet = f;
    cmd->id = r->id;
    cmd->order = r->order;
    cmd->type = r->type;
    cmd->created_ms = r->created_ms;
    cmd->payload_len = r->payload.len;
    cmd->key_len = (uint8_t)r->key.len;
    cmd->session_len = (uint8_t)r->session.len;
    uint8_t *p = cmd->bytes;
    const struct slice parts[] = {r->payload, r->key, r->session};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].len) memcpy(p, parts[i].data, parts[i].len);
        p += parts[i].len;
    }
    list_init(&cmd->in_station);
    list_init(&cmd->in_session);
    list_init(&cmd->dirty);
    map_put(&c->command_ids, &cmd->by_id, hash_number(cmd->id));
    if (cmd->key_len) map_put(&c->command_keys, &cmd->by_key, key_hash(f, r->key));
    c->command_bytes += command_size(cmd);
    return cmd;
}

/* Ties it to its station; the queue is in order, and most come at its end. */
static void command_seat(struct command *cmd, struct station *st) {
    cmd->station = st;
    if (!st) return;
    struct node *at = &st->commands;
    while (at->prev != &st->commands &&
           owner_of(at->prev, struct command, in_station)->order > cmd->order)
        at = at->prev;
    list_insert(at, &cmd->in_station);
    if (st->command_count++ == 0) list_push(&st->fleet->queued, &st->queued);
}

static void command_unseat(struct command *cmd) {
    struct station *st = cmd->station;
    if (!st) return;
    list_unlink(&cmd->in_station);
    cmd->station = NULL;
    if (--st->command_count == 0) list_unlink(&st->queued);
}

static void command_changed(struct core *c, struct command *cmd) {
    if (list_empty(&cmd->dirty)) list_push(&c->dirty_commands, &cmd->dirty);
}

/* ---- waiting for commands ---- */

static void wait_drop(struct core *c, struct command_wait *w) {
    heap_clear(&c->clock, &w->timer);
    list_unlink(&w->called);
    list_unlink(&w->in_link);
    list_unlink(&w->in_list);
    watch_count(c, w->link, -1);
    free(w);
}

static void wait_say(struct core *c, uint32_t peer, uint64_t number, const struct buffer *rows,
                     uint32_t count) {
    const struct fleet_answer a = {.commands = buffer_slice(rows), .command_count = count};
    struct buffer b = {0};
    fleet_put(&b, &a);
    assert(!b.failed);
    struct message *m = say(c, peer, VERB_ANSWER, number);
    m->answer = (struct answer){.number = number, .body = note_keep(c, buffer_slice(&b))};
    buffer_free(&b);
}

/* When the first command of the station, or of any, may be given again. */
static int64_t station_due(const struct core *c, const struct station *st) {
    int64_t due = INT64_MAX;
    uint32_t looked = 0;
    for (const struct node *n = st->commands.next; n != &st->commands && looked++ < LOOKS_MAX;
         n = n->next) {
        const struct command *cmd = owner_of(n, struct command, in_station);
        int64_t at = cmd->deliveries ? cmd->delivered + c->limits.command_repeat_ms : c->now;
        if (at < due) due = at;
    }
    return due;
}

static int64_t fleet_due(const struct core *c, const struct fleet *f) {
    int64_t due = INT64_MAX;
    uint32_t looked = 0;
    for (const struct node *n = f->queued.next; n != &f->queued && looked < LOOKS_MAX;
         n = n->next) {
        const struct station *st = owner_of(n, struct station, queued);
        int64_t at = station_due(c, st);
        if (at < due) due = at;
        looked += st->command_count;
    }
    return due;
}

/* Any station's commands, each station in its turn. */
static uint32_t fleet_give(struct core *c, struct fleet *f, uint32_t limit, struct buffer *rows) {
    uint32_t given = 0, looked = 0;
    struct node *last = list_last(&f->queued);
    for (struct node *n = list_first(&f->queued), *next; n && given < limit; n = next) {
        struct station *st = owner_of(n, struct station, queued);
        next = n == last || looked > LOOKS_MAX ? NULL : n->next;
        looked += st->command_count;
        given += command_give(c, st, limit - given, rows);
        if (st->command_count == 0) continue;
        list_unlink(&st->queued);
        list_push(&f->queued, &st->queued);
    }
    return given;
}

static bool wait_answer(struct core *c, struct command_wait *w) {
    struct buffer rows = {0};
    uint32_t given = w->station ? command_give(c, w->station, w->limit, &rows)
                                : fleet_give(c, w->fleet, w->limit, &rows);
    if (given) {
        wait_say(c, w->link->peer, w->number, &rows, given);
        wait_drop(c, w);
    }
    buffer_free(&rows);
    return given > 0;
}

static void wait_arm(struct core *c, struct command_wait *w) {
    int64_t due = w->station ? station_due(c, w->station) : fleet_due(c, w->fleet);
    if (due <= c->now) due = c->now + 1;
    heap_set(&c->clock, &w->timer, due < w->until ? due : w->until);
}

void command_timer(struct core *c, struct command_wait *w) {
    if (wait_answer(c, w)) return;
    if (c->now < w->until) {
        wait_arm(c, w);
        return;
    }
    struct buffer none = {0};
    wait_say(c, w->link->peer, w->number, &none, 0);
    wait_drop(c, w);
}

/* Somebody may be waiting for what has just come: the station's own first. */
static void command_call(struct core *c, struct station *st) {
    struct node *n = list_first(&st->listeners);
    if (!n) n = list_first(&st->fleet->listeners);
    if (!n) return;
    struct command_wait *w = owner_of(n, struct command_wait, in_list);
    if (list_empty(&w->called)) list_push(&c->called, &w->called);
}

void command_flush(struct core *c) {
    for (struct node *n; (n = list_first(&c->called));) {
        struct command_wait *w = owner_of(n, struct command_wait, called);
        list_unlink(n);
        if (!wait_answer(c, w)) wait_arm(c, w);
    }
}

void command_leave(struct core *c, struct link *link) {
    for (struct node *n; (n = list_first(&link->calls));)
        wait_drop(c, owner_of(n, struct command_wait, in_link));
}

void command_unlisten(struct core *c, struct station *st) {
    for (struct node *n; (n = list_first(&st->listeners));) {
        struct command_wait *w = owner_of(n, struct command_wait, in_list);
        struct buffer none = {0};
        wait_say(c, w->link->peer, w->number, &none, 0);
        wait_drop(c, w);
    }
}

bool command_unwait(struct core *c, struct link *link, uint64_t number) {
    for (struct node *n = link->calls.next; n != &link->calls; n = n->next) {
        struct command_wait *w = owner_of(n, struct command_wait, in_link);
        if (w->number != number) continue;
        wait_drop(c, w);
        return true;
    }
    return false;
}

/* ---- making and ending ---- */

struct command *command_find(const struct session *s, const struct station *st,
                             uint32_t types) {
    for (const struct node *n = s->commands.next; n != &s->commands; n = n->next) {
        struct command *cmd = owner_of(n, struct command, in_session);
        if ((!st || cmd->station == st) && bit(cmd) & types) return cmd;
    }
    return NULL;
}

struct command *command_stops(const struct station *st, struct slice session) {
    for (const struct node *n = st->commands.next; n != &st->commands; n = n->next) {
        struct command *cmd = owner_of(n, struct command, in_station);
        if (bit(cmd) & COMMANDS_STOP && slice_equal(command_session(cmd), session)) return cmd;
    }
    return NULL;
}

struct command *command_keyed(const struct session *s, struct slice key) {
    for (const struct node *n = s->commands.next; key.len && n != &s->commands; n = n->next) {
        struct command *cmd = owner_of(n, struct command, in_session);
        if (slice_equal(command_key(cmd), key)) return cmd;
    }
    return NULL;
}

bool command_room(const struct core *c, const struct station *st, uint32_t bytes) {
    return st->command_count < c->limits.commands_max &&
           c->command_bytes + bytes <= c->limits.command_bytes_max;
}

struct command *command_add(struct core *c, struct station *st, struct session *s,
                            enum command_type type, struct slice payload, struct slice key) {
    const uint32_t orders = COMMANDS_START | COMMANDS_STOP;
    if (s && orders & 1u << type) {
        struct command *there = command_find(s, st, orders);
        if (there && there->type == type) return there;
        command_drop_all(c, s, st, orders);
    }
    if (s && COMMANDS_START & 1u << type) { /* also what was meant for one of that name before */
        struct command *stop;
        while ((stop = command_stops(st, session_text(s, SESSION_NAME)))) command_drop(c, stop);
    }
    struct command_record r = {.id = number_next(c), .type = (uint8_t)type, .payload = payload,
                               .key = key, .created_ms = c->wall};
    r.order = r.id;
    if (s) r.session = session_text(s, SESSION_NAME);
    struct command *cmd = command_new(c, st->fleet, &r);
    cmd->session = s;
    cmd->expires = c->now + c->limits.command_ttl_ms;
    if (s) list_push(&s->commands, &cmd->in_session);
    command_seat(cmd, st);
    if (core_bug(c, BUG_COMMAND_LIFO)) {
        list_unlink(&cmd->in_station);
        list_push_front(&st->commands, &cmd->in_station);
    }
    command_changed(c, cmd);
    command_call(c, st);
    if (!station_up(st) && !st->timer.place) heap_set(&c->clock, &st->timer, cmd->expires);
    return cmd;
}

void command_drop(struct core *c, struct command *cmd) {
    command_unseat(cmd);
    list_unlink(&cmd->in_session);
    list_unlink(&cmd->dirty);
    map_remove(&c->command_ids, &cmd->by_id);
    if (cmd->key_len) map_remove(&c->command_keys, &cmd->by_key);
    c->command_bytes -= command_size(cmd);
    note(c, RECORD_COMMAND_GONE)->command.id = cmd->id;
    free(cmd);
}

void command_drop_all(struct core *c, struct session *s, const struct station *st,
                      uint32_t types) {
    for (struct node *n = s->commands.next, *next; n != &s->commands; n = next) {
        next = n->next;
        struct command *cmd = owner_of(n, struct command, in_session);
        if ((!st || cmd->station == st) && bit(cmd) & types) command_drop(c, cmd);
    }
}

void command_drop_own(struct core *c, struct station *st, uint32_t types) {
    for (struct node *n = st->commands.next, *next; n != &st->commands; n = next) {
        next = n->next;
        struct command *cmd = owner_of(n, struct command, in_station);
        if (!cmd->session && bit(cmd) & types) command_drop(c, cmd);
    }
}

void command_stopped(struct core *c, struct station *st) {
    for (struct node *n = st->commands.next, *next; n != &st->commands; n = next) {
        next = n->next;
        struct command *cmd = owner_of(n, struct command, in_station);
        bool own = cmd->session && cmd->session->station == st;
        if (bit(cmd) & COMMANDS_STOP && !own && cmd->mark != st->mark) command_drop(c, cmd);
    }
}

void command_move(struct core *c, struct session *s, struct station *to) {
    for (struct node *n = s->commands.next, *next; n != &s->commands; n = next) {
        next = n->next;
        struct command *cmd = owner_of(n, struct command, in_session);
        if (!(bit(cmd) & COMMANDS_MESSAGE) || cmd->station == to) continue;
        if (core_bug(c, BUG_COMMAND_LOST)) {
            command_drop(c, cmd);
            continue;
        }
        command_unseat(cmd);
        cmd->order = number_next(c);
        cmd->deliveries = 0; /* the other has never seen it */
        command_seat(cmd, to);
        command_changed(c, cmd);
    }
    if (to) command_call(c, to);
}

void command_orphan(struct core *c, struct session *s) {
    command_drop_all(c, s, NULL, COMMANDS_START | COMMANDS_MESSAGE);
    for (struct node *n; (n = list_first(&s->commands));) {
        owner_of(n, struct command, in_session)->session = NULL;
        list_unlink(n);
    }
}

/* Nobody has ever said that it was done: what the stations report is the truth then. */
static void command_give_up(struct core *c, struct command *cmd) {
    struct session *s = cmd->session;
    bool stops = bit(cmd) & COMMANDS_STOP, starts = cmd->type == COMMAND_CREATE;
    struct station *st = cmd->station;
    command_drop(c, cmd);
    if (s && stops) session_unheard(c, s, st);
    if (s && starts) session_unmade(c, s, st);
}

/* ---- giving ---- */

static void row_put_command(struct buffer *rows, const struct command *cmd) {
    const struct session *s = cmd->session;
    const struct command_row row = {
        .id = cmd->id, .type = cmd->type, .session = command_session(cmd),
        .station = cmd->station->record.name, .created_ms = cmd->created_ms,
        .deliveries = cmd->deliveries, .payload = command_payload(cmd), .key = command_key(cmd),
        .owner = s ? session_text(s, SESSION_OWNER) : (struct slice){0},
        .title = s ? session_text(s, SESSION_TITLE) : (struct slice){0},
        .endpoint = cmd->station->record.endpoint};
    command_row_put(rows, &row);
}

uint32_t command_give(struct core *c, struct station *st, uint32_t limit, struct buffer *rows) {
    uint32_t given = 0;
    for (struct node *n = st->commands.next, *next; n != &st->commands && given < limit;
         n = next) {
        next = n->next;
        struct command *cmd = owner_of(n, struct command, in_station);
        if (cmd->deliveries && c->now < cmd->delivered + (int64_t)c->limits.command_repeat_ms)
            continue;
        if (c->now >= cmd->expires || cmd->deliveries >= c->limits.command_deliveries_max) {
            command_give_up(c, cmd); /* others may go with it */
            next = st->commands.next;
            continue;
        }
        cmd->deliveries++;
        cmd->delivered = c->now;
        row_put_command(rows, cmd);
        given++;
    }
    return given;
}

uint32_t command_peek(const struct station *st, uint32_t limit, struct buffer *rows) {
    uint32_t given = 0;
    for (const struct node *n = st->commands.next; n != &st->commands && given < limit;
         n = n->next) {
        row_put_command(rows, owner_of(n, struct command, in_station));
        given++;
    }
    return given;
}

int64_t command_expire(struct core *c, struct station *st) {
    struct node *n;
    while ((n = list_first(&st->commands))) {
        struct command *cmd = owner_of(n, struct command, in_station);
        if (c->now < cmd->expires) return cmd->expires;
        command_give_up(c, cmd);
    }
    return INT64_MAX;
}

/* ---- COMMANDS ---- */

static struct command *command_of_id(const struct core *c, uint64_t id) {
    for (struct map_node *n = map_first(&c->command_ids, hash_number(id)); n; n = map_next(n)) {
        struct command *cmd = owner_of(n, struct command, by_id);
        if (cmd->id == id) return cmd;
    }
    return NULL;
}

static bool command_of(const struct command *cmd, const struct fleet *f,
                       const struct station *st) {
    return cmd->fleet == f && (!st || cmd->station == st);
}

static void commands_ack_key(struct core *c, struct fleet *f, const struct station *st,
                             struct slice key) {
    for (struct map_node *n = map_first(&c->command_keys, key_hash(f, key)), *next; n; n = next) {
        struct command *cmd = owner_of(n, struct command, by_key);
        next = map_next(n);
        if (command_of(cmd, f, st) && slice_equal(command_key(cmd), key)) command_drop(c, cmd);
    }
}

/* What is gone already was acknowledged, or is too late to matter: both are fine. */
static void commands_ack(struct core *c, const struct event *e, struct fleet *f,
                         struct station *st) {
    const struct commands_ask *m = &e->message->commands;
    struct command *cmd = m->ack ? command_of_id(c, m->ack) : NULL;
    if (cmd && command_of(cmd, f, st)) session_acked(c, cmd);
    if (f && m->key.len) commands_ack_key(c, f, st, m->key);
    fleet_say(c, e, &(struct fleet_answer){.changed = true});
}

static void commands_wait(struct core *c, const struct event *e, struct fleet *f,
                          struct station *st, uint32_t limit) {
    const struct commands_ask *m = &e->message->commands;
    struct link *link = &c->links[e->peer];
    if (!watch_room(c, link)) {
        say_code(c, e, CODE_BUSY, (struct slice){0});
        return;
    }
    struct command_wait *w = calloc(1, sizeof *w);
    assert(w != NULL);
    uint32_t wait = m->wait_ms < c->limits.wait_ms_max ? m->wait_ms : c->limits.wait_ms_max;
    *w = (struct command_wait){.link = link, .fleet = f, .station = st, .limit = limit,
                               .number = e->message->number, .until = c->now + wait};
    w->timer.kind = TIMER_COMMANDS;
    list_init(&w->called);
    list_push(&link->calls, &w->in_link);
    list_push(st ? &st->listeners : &f->listeners, &w->in_list);
    watch_count(c, link, 1);
    wait_arm(c, w);
}

void command_step(struct core *c, const struct event *e) {
    const struct commands_ask *m = &e->message->commands;
    struct fleet *f;
    struct station *st = NULL;
    uint32_t brand;
    enum code code = fleet_enter(c, e, m->brand, FLEET_WORKS, &f, &brand);
    if (code == CODE_OK && m->station.len) {
        st = station_find(c, brand, m->station);
        if (!st) code = CODE_WORKER_NOT_FOUND;
    }
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (m->ack || m->key.len) {
        commands_ack(c, e, f, st);
        return;
    }
    if (!f) f = fleet_get(c, brand);
    uint32_t limit = m->limit && m->limit < GIVE_MAX ? m->limit : GIVE_MAX;
    struct buffer rows = {0};
    uint32_t given = st ? command_give(c, st, limit, &rows) : fleet_give(c, f, limit, &rows);
    if (given || !m->wait_ms) wait_say(c, e->peer, e->message->number, &rows, given);
    else commands_wait(c, e, f, st, limit);
    buffer_free(&rows);
}

/* ---- records ---- */

struct command_record command_record_of(const struct command *cmd) {
    return (struct command_record){
        .id = cmd->id, .order = cmd->order, .brand = cmd->fleet->brand, .type = cmd->type,
        .station = cmd->station ? cmd->station->record.name : (struct slice){0},
        .session = command_session(cmd), .payload = command_payload(cmd),
        .key = command_key(cmd), .created_ms = cmd->created_ms};
}

void command_restore(struct core *c, const struct command_record *r) {
    struct fleet *f = fleet_get(c, r->brand);
    struct station *st = r->station.len ? station_known(c, r->brand, r->station) : NULL;
    struct session *s = r->session.len ? session_find(c, r->brand, r->session) : NULL;
    bool stops = COMMANDS_STOP & 1u << r->type;
    if (s && s->id > r->id) s = NULL; /* it was about one of that name that was deleted */
    if ((!st && !s) || (r->session.len && !s && !stops) || (!st && stops)) {
        note(c, RECORD_COMMAND_GONE)->command.id = r->id;
        return;
    }
    struct command *cmd = command_new(c, f, r);
    int64_t age = c->wall > r->created_ms ? c->wall - r->created_ms : 0;
    cmd->expires = c->now + (age < c->limits.command_ttl_ms ? c->limits.command_ttl_ms - age : 0);
    cmd->session = s;
    if (s) list_push(&s->commands, &cmd->in_session);
    command_seat(cmd, st);
}
