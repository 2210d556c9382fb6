/* actor.c - what clients, workers and gateways have in common: a link, beats, and patience. */
#include "tests/sim/sim.h"
#include <assert.h>
#include <stdlib.h>

enum { HELLO_WAIT_MS = 1500, CONNECT_MS = 50, AGAIN_MS = 60 };

struct packet *request_new(struct sim *s, uint16_t a, enum verb verb, bool numbered) {
    struct packet *p = packet_new(s);
    p->verb = verb;
    p->actor = a;
    p->boot = s->actors[a].boot;
    if (!numbered) return p;
    p->number = ++s->number;
    s->asks[p->number % ASKS] = (struct ask){.number = p->number, .actor = a, .verb = verb,
                                             .boot = s->actors[a].boot};
    return p;
}

struct ask *ask_of(struct sim *s, uint64_t number) {
    struct ask *ask = &s->asks[number % ASKS];
    return ask->number == number ? ask : NULL;
}

struct op *op_at(struct sim *s, uint64_t op) {
    assert(op > 0 && op <= s->op_count);
    return &s->ops[op - 1];
}

void actor_hello(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    struct packet *p = request_new(s, a, VERB_HELLO, true);
    x->hello_number = p->number;
    x->hello_at = s->now;
    x->hello_out = true;
    x->linked = false;
    p->value = x->boot;
    for (int i = 0; x->kind == WORKER && i < WORKS_MAX; i++) {
        const struct work *w = &x->works[i];
        if (w->phase == WORK_NONE) continue;
        p->held[p->held_count].task = w->task;
        p->held[p->held_count].epoch = w->epoch;
        p->held[p->held_count++].verdict = w->phase != WORK_NEW;
    }
    net_to_broker(s, a, p);
}

void actor_cut(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    x->linked = x->hello_out = false;
    x->op_at = 0;
}

static void actor_link(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    if (x->conn >= CONNS_MAX) {
        if (s->now < x->hello_at + CONNECT_MS) return;
        x->hello_at = s->now;
        net_connect(s, a);
        if (x->conn >= CONNS_MAX) return;
        x->heard_at = s->now;
        actor_hello(s, a);
    } else if (!x->linked && s->now - x->hello_at > HELLO_WAIT_MS) {
        actor_hello(s, a);
    } else if (x->linked && s->now >= x->beat_at) {
        x->beat_at = s->now + (int64_t)random_around(&s->random, s->limits.beat_ms, 10);
        net_to_broker(s, a, request_new(s, a, VERB_BEAT, true));
    }
}

void actor_tick(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    int64_t next = s->now + 1 + (int64_t)below(s, x->kind == CLIENT ? 12 : 40);
    if (x->dead && s->now >= x->paused_until) { /* its next process */
        x->dead = false;
        x->paused = false;
    }
    if (x->dead || (x->paused && s->now < x->paused_until)) {
        agenda_put(s, x->paused_until, TICK_ACTOR, a, NULL);
        return;
    }
    x->paused = false;
    if (x->kind != POLLER) actor_link(s, a);
    if (x->kind == CLIENT) client_tick(s, a);
    else if (x->kind != GATEWAY) work_look(s, a);
    agenda_put(s, next, TICK_ACTOR, a, NULL);
}

void actor_heard(struct sim *s, uint16_t a, struct packet *p) {
    struct actor *x = &s->actors[a];
    x->heard_at = s->now;
    if (s->trace) tell(s, "heard", p);
    if (p->verb == VERB_RESYNC) {
        if (!x->hello_out || s->now - x->hello_at > HELLO_WAIT_MS) actor_hello(s, a);
        return;
    }
    if (p->verb == VERB_WELCOME) {
        if (p->number != x->hello_number) return;
        x->link = p->link;
        x->linked = true;
        x->hello_out = false;
        x->beat_at = s->now;
    }
    if (p->verb == VERB_REFUSED && p->number == x->hello_number && !x->linked) {
        x->hello_at = s->now - HELLO_WAIT_MS + AGAIN_MS; /* busy: again, soon */
        return;
    }
    if (x->kind == CLIENT) client_heard(s, a, p);
    else if (x->kind == WORKER) work_heard(s, a, p);
    else { /* a gateway hands on to who asked */
        const struct ask *ask = p->number ? ask_of(s, p->number) : NULL;
        if (ask && s->actors[ask->actor].kind == POLLER && ask->boot == s->actors[ask->actor].boot)
            work_heard(s, ask->actor, p);
    }
}

static struct actor *actor_new(struct sim *s, enum actor_kind kind, uint32_t brand) {
    assert(s->actor_count < ACTORS_MAX);
    uint16_t at = (uint16_t)s->actor_count++;
    struct actor *x = &s->actors[at];
    *x = (struct actor){.kind = kind, .brand = brand, .conn = CONNS_MAX, .boot = 1,
                        .slots = 1, .hello_at = -1000, .blamed_at = -LONG_AGO_MS};
    static const char letters[] = "cwgp";
    snprintf(x->name, sizeof x->name, "%c%u", letters[kind], at);
    x->who = (struct who){.brand = brand, .role = kind == CLIENT ? ROLE_CLIENT
                                                  : kind == GATEWAY ? ROLE_GATEWAY : ROLE_WORKER};
    memcpy(x->who.name, x->name, sizeof x->name);
    agenda_put(s, (int64_t)below(s, 50), TICK_ACTOR, at, NULL);
    return x;
}

static void serves_draw(struct sim *s, struct actor *x, bool all) {
    static const char *const queues[] = {"mail", "video"}, *const types[] = {"big", "small"};
    x->queue_mask = all ? 3 : (uint8_t)(1 + below(s, 3));
    x->type_mask = all || below(s, 2) ? 0 : (uint8_t)(1 + below(s, 3));
    for (int i = 0; i < 2; i++) {
        if (x->queue_mask >> i & 1) text_put(&x->queues, slice_text(queues[i]));
        if (x->type_mask >> i & 1) text_put(&x->types, slice_text(types[i]));
    }
    x->type_count = (uint16_t)__builtin_popcount(x->type_mask);
    x->type_mask = x->type_mask & 1 ? 3 : x->type_mask; /* "big" is type 1, "" fits all */
}

void actors_open(struct sim *s) {
    s->client_count = 2 + (uint32_t)below(s, 3);
    for (uint32_t i = 0; i < s->client_count; i++) actor_new(s, CLIENT, 1 + i % SIM_BRANDS);
    uint16_t gateway = (uint16_t)s->actor_count;
    actor_new(s, GATEWAY, 0);
    uint32_t workers = 2 + (uint32_t)below(s, 5), pollers = (uint32_t)below(s, 4);
    for (uint32_t i = 0; i < workers + pollers; i++) {
        bool poller = i >= workers;
        struct actor *x = actor_new(s, poller ? POLLER : WORKER,
                                    i == 0 ? 0 : (uint32_t)below(s, SIM_BRANDS + 1));
        x->gateway = gateway;
        x->who.boot = poller ? x->boot : 0;
        x->slots = 1 + (uint32_t)below(s, 4);
        x->prefetch = poller ? 0 : (uint32_t)below(s, 4);
        x->implied = !poller && below(s, 3) == 0;
        serves_draw(s, x, i == 0);
    }
}
