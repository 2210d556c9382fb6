#include "broker/core/fleet.h"
#include "broker/core/command.h"
#include "broker/core/effect.h"
#include "broker/core/session.h"
#include "broker/core/station.h"
#include "broker/core/who.h"
#include <stdlib.h>

enum { MOVES_MAX = 32 };

static struct fleet *fleet_find(const struct core *c, uint32_t brand) {
    for (struct map_node *n = map_first(&c->fleet_brands, hash_number(brand)); n;
         n = map_next(n)) {
        struct fleet *f = owner_of(n, struct fleet, by_brand);
        if (f->brand == brand) return f;
    }
    return NULL;
}

static bool right_good(const struct who *who, enum fleet_right right) {
    bool leads = who->role == ROLE_ADMIN || who->role == ROLE_LOCAL;
    bool works = leads || who->role == ROLE_FLEET;
    if (right == FLEET_LEADS) return leads;
    if (right == FLEET_WORKS) return works;
    return who_writes(who) || (right == FLEET_READS && works);
}

enum code fleet_enter(struct core *c, const struct event *e, uint32_t brand,
                      enum fleet_right right, struct fleet **fleet, uint32_t *acting) {
    *acting = who_brand(&e->who, brand);
    if (!*acting || !right_good(&e->who, right)) return CODE_FORBIDDEN;
    *fleet = fleet_find(c, *acting);
    return CODE_OK;
}

struct fleet *fleet_get(struct core *c, uint32_t brand) {
    struct fleet *f = fleet_find(c, brand);
    if (f) return f;
    f = calloc(1, sizeof *f);
    assert(f != NULL);
    f->brand = brand;
    f->timer.kind = TIMER_FLEET;
    struct node *lists[] = {&f->stations, &f->waiting, &f->queued, &f->listeners};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) list_init(lists[i]);
    list_push(&c->fleets, &f->in_order);
    map_put(&c->fleet_brands, &f->by_brand, hash_number(brand));
    return f;
}

struct station *fleet_seat(const struct fleet *f) {
    struct timer *first = heap_first(&f->seats);
    return first ? owner_of(first, struct station, seat) : NULL;
}

void fleet_wake(struct core *c, struct fleet *f) {
    if (f->timer.place || list_empty(&f->waiting) || !fleet_seat(f)) return;
    heap_set(&c->clock, &f->timer, c->now + 1);
}

void fleet_timer(struct core *c, struct fleet *f) {
    struct station *st;
    struct node *n;
    for (int i = 0; i < MOVES_MAX && (n = list_first(&f->waiting)) && (st = fleet_seat(f)); i++)
        session_move(c, owner_of(n, struct session, waiting), st);
    fleet_wake(c, f);
}

void fleet_step(struct core *c, const struct event *e) {
    struct fleet *f;
    struct fleet_counts counts = {0};
    struct buffer b = {0};
    uint32_t brand;
    enum code code = fleet_enter(c, e, e->message->fleet.brand, FLEET_READS, &f, &brand);
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (f) counts = f->counts;
    fleet_counts_put(&b, &counts);
    say_answer(c, e, CODE_OK, note_keep(c, buffer_slice(&b)));
    buffer_free(&b);
}

void fleet_say(struct core *c, const struct event *e, const struct fleet_answer *answer) {
    struct buffer b = {0};
    fleet_put(&b, answer);
    assert(!b.failed);
    say_answer(c, e, CODE_OK, note_keep(c, buffer_slice(&b)));
    buffer_free(&b);
}

void fleet_restored(struct core *c) {
    for (struct node *n = c->fleets.next; n != &c->fleets; n = n->next) {
        struct fleet *f = owner_of(n, struct fleet, in_order);
        for (struct node *x = f->stations.next; x != &f->stations; x = x->next)
            station_restored(c, owner_of(x, struct station, in_fleet));
        fleet_wake(c, f);
    }
}

void fleet_close(struct core *c) {
    for (struct node *n; (n = list_first(&c->dirty_stations));) {
        struct station *st = owner_of(n, struct station, dirty);
        list_unlink(n);
        st->record.heard_ms = st->heard_ms;
        record_put(c, RECORD_STATION)->station = st->record;
    }
    for (struct node *n; (n = list_first(&c->dirty_sessions));) {
        list_unlink(n);
        record_put(c, RECORD_SESSION)->session =
            session_record_of(owner_of(n, struct session, dirty));
    }
    for (struct node *n; (n = list_first(&c->dirty_commands));) {
        list_unlink(n);
        record_put(c, RECORD_COMMAND)->command =
            command_record_of(owner_of(n, struct command, dirty));
    }
}

bool fleet_dirty(const struct core *c) {
    return !list_empty(&c->dirty_stations) || !list_empty(&c->dirty_sessions) ||
           !list_empty(&c->dirty_commands);
}

/* Walks every node of a map in no particular order: what is summed does not depend on it. */
#define EACH(map, node, body)                                                                      \
    for (size_t i_ = 0; i_ <= (map)->mask; i_++)                                                   \
        for (struct map_node *node = (map)->buckets[i_], *next_; node; node = next_) {             \
            next_ = node->next;                                                                    \
            body                                                                                   \
        }

static uint64_t text_digest(uint64_t h, struct slice s) { return hash_bytes(h, s.data, s.len); }

uint64_t fleet_digest(const struct core *c) {
    uint64_t sum = 0;
    EACH(&c->station_names, n, {
        const struct station *st = owner_of(n, struct station, by_name);
        uint64_t h = text_digest(st->fleet->brand, st->record.name);
        h = hash_number(h ^ st->record.status ^ ((uint64_t)st->record.flags << 8) ^
                        ((uint64_t)st->session_count << 16) ^ ((uint64_t)st->command_count << 40));
        sum += text_digest(h, st->record.endpoint);
    })
    EACH(&c->session_names, n, {
        const struct session *s = owner_of(n, struct session, by_name);
        uint64_t h = text_digest(s->fleet->brand, session_text(s, SESSION_NAME));
        h = hash_number(h ^ s->status ^ ((uint64_t)s->flags << 8) ^ ((uint64_t)s->before << 16) ^
                        ((uint64_t)s->version << 24));
        if (s->station) h = text_digest(h, s->station->record.name);
        sum += text_digest(h, session_text(s, SESSION_PHONE));
    })
    EACH(&c->command_ids, n, {
        const struct command *cmd = owner_of(n, struct command, by_id);
        uint64_t h = hash_number(cmd->id) ^ hash_number(cmd->order * 3) ^ cmd->type;
        sum += cmd->station ? text_digest(h, cmd->station->record.name) : hash_number(h);
    })
    return sum;
}

bool fleet_init(struct core *c) {
    struct node *lists[] = {&c->fleets, &c->called, &c->dirty_stations, &c->dirty_sessions,
                            &c->dirty_commands};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) list_init(lists[i]);
    return map_init(&c->fleet_brands, 16) && map_init(&c->station_names, 64) &&
           map_init(&c->station_endpoints, 64) && map_init(&c->session_names, 64) &&
           map_init(&c->command_keys, 64) && map_init(&c->command_ids, 64);
}

void fleet_free(struct core *c) {
    if (!c->command_ids.buckets) return; /* nothing was ever there */
    EACH(&c->command_ids, n, { free(owner_of(n, struct command, by_id)); })
    EACH(&c->session_names, n, {
        struct session *s = owner_of(n, struct session, by_name);
        free(s->texts);
        free(s);
    })
    EACH(&c->station_names, n, {
        struct station *st = owner_of(n, struct station, by_name);
        buffer_free(&st->beat);
        free(st->texts);
        free(st);
    })
    for (struct node *n; (n = list_first(&c->fleets));) {
        struct fleet *f = owner_of(n, struct fleet, in_order);
        list_unlink(n);
        heap_free(&f->seats);
        free(f);
    }
    struct map *maps[] = {&c->fleet_brands, &c->station_names, &c->station_endpoints,
                          &c->session_names, &c->command_ids, &c->command_keys};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) map_free(maps[i]);
}
