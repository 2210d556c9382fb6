/* net.c - connections. What goes over one arrives in order or not at all, unless a fault says
 * otherwise; a connection that is cut takes with it what is under way, and the two sides learn of
 * it at times of their own, or not at all. */
#include "tests/sim/sim.h"
#include <assert.h>

enum { DELAY_MS = 4, LATE_MS = 1500 };

void net_connect(struct sim *s, uint16_t actor) {
    struct actor *a = &s->actors[actor];
    a->conn = CONNS_MAX;
    if (!s->process.ready || s->now < s->process.stalled_until) return;
    for (uint8_t i = 0; i < CONNS_MAX; i++) {
        struct conn *c = &s->conns[i];
        if (c->open || c->known) continue;
        *c = (struct conn){.open = true, .used = true, .actor = actor, .serial = ++s->conn_serial,
                           .boot = a->boot,
                           .to_broker_at = s->now, .to_peer_at = s->now};
        a->conn = i;
        return;
    }
}

void net_cut(struct sim *s, uint8_t conn, bool seen) {
    struct conn *c = &s->conns[conn];
    if (!c->open) return;
    c->open = false;
    s->actors[c->actor].conn = CONNS_MAX;
    s->actors[c->actor].blamed_at = s->now;
    actor_cut(s, c->actor);
    /* when nobody tells the broker, it finds out by the silence; the number stays in use */
    int64_t later = seen ? (int64_t)below(s, 500) : 20000 + (int64_t)below(s, 20000);
    agenda_put(s, s->now + later, CUT_SEEN, conn | c->serial << 8, NULL);
}

/* The broker's process has died: every connection ends, what is under way to it is lost; what it
 * had sent arrives or not. */
void net_down(struct sim *s) {
    for (uint8_t i = 0; i < CONNS_MAX; i++) {
        struct conn *c = &s->conns[i];
        if (!c->open) continue;
        c->open = c->known = false;
        s->actors[c->actor].conn = CONNS_MAX;
        actor_cut(s, c->actor);
    }
}

void net_to_broker(struct sim *s, uint16_t actor, struct packet *p) {
    struct actor *a = &s->actors[actor];
    uint16_t speaker = a->kind == POLLER ? a->gateway : actor;
    struct actor *peer = &s->actors[speaker];
    p->actor = actor;
    if (peer->conn >= CONNS_MAX || chance(s, s->rates.lose)) {
        if (peer->conn < CONNS_MAX) net_cut(s, peer->conn, below(s, 4) != 0);
        packet_free(s, p);
        return;
    }
    struct conn *c = &s->conns[peer->conn];
    p->conn = peer->conn;
    p->serial = c->serial;
    if (p->verb != VERB_HELLO) p->link = peer->link;
    int64_t at = s->now + 1 + (int64_t)below(s, DELAY_MS);
    if (at < c->to_broker_at) at = c->to_broker_at;
    bool twice = p->verb != VERB_HELLO && chance(s, s->rates.duplicate);
    if (twice) {
        struct packet *copy = packet_new(s);
        *copy = *p;
        agenda_put(s, at + (int64_t)below(s, LATE_MS), AT_BROKER, c->serial, copy);
        if (p->verb == VERB_SUBMIT) op_at(s, p->op)->copies++;
    }
    if (p->verb != VERB_HELLO && chance(s, s->rates.reorder)) at += (int64_t)below(s, LATE_MS);
    else c->to_broker_at = at;
    agenda_put(s, at, AT_BROKER, c->serial, p);
}

void net_to_peer(struct sim *s, struct packet *p) {
    struct conn *c = &s->conns[p->conn];
    if (!c->open || c->serial != p->serial) {
        packet_free(s, p);
        return;
    }
    if (chance(s, s->rates.lose)) {
        net_cut(s, p->conn, below(s, 4) != 0);
        packet_free(s, p);
        return;
    }
    int64_t at = s->now + 1 + (int64_t)below(s, DELAY_MS);
    if (at < c->to_peer_at) at = c->to_peer_at;
    c->to_peer_at = at;
    agenda_put(s, at, AT_PEER, c->serial, p);
}
