#include "broker/core/claim.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/lease.h"
#include "broker/core/park.h"
#include "broker/core/task.h"
#include "broker/core/watch.h"
#include "broker/core/who.h"
#include "broker/core/worker.h"
#include <stdlib.h>

enum { CLAIM_LIMIT_MAX = 100, GRACE_MS = 200 };

static void claim_close(struct core *c, uint32_t peer, uint64_t number) {
    say(c, peer, VERB_TASK, number)->task = (struct delivery){.number = number};
}

void claim_drop(struct core *c, struct claim_wait *claim) {
    struct worker *w = claim->worker;
    crew_busy(&claim->taker);
    crew_leave(claim->taker.crew);
    heap_clear(&c->clock, &claim->timer);
    list_unlink(&claim->in_link);
    list_unlink(&claim->given);
    watch_count(c, claim->link, -1);
    free(claim);
    w->claims--;
    worker_leave(c, w);
}

void claim_drop_all(struct core *c, const struct worker *w) {
    for (uint32_t i = 0; i < c->links_used && w->claims; i++) {
        if (!c->links[i].open) continue;
        struct node *list = &c->links[i].claims;
        for (struct node *n = list->next, *next; n != list; n = next) {
            next = n->next;
            struct claim_wait *claim = owner_of(n, struct claim_wait, in_link);
            if (claim->worker != w) continue;
            claim_close(c, claim->link->peer, claim->number);
            claim_drop(c, claim);
        }
    }
}

void claim_given(struct core *c, struct claim_wait *claim) {
    if (!claim->many) {
        claim_drop(c, claim);
        return;
    }
    if (list_empty(&claim->given)) list_push(&c->claims_given, &claim->given);
    if (--claim->limit == 0 || claim->worker->lease_count >= claim->held_max)
        crew_busy(&claim->taker);
}

void claim_flush(struct core *c) {
    for (struct node *n; (n = list_first(&c->claims_given));)
        claim_timer(c, owner_of(n, struct claim_wait, given));
}

/* What this crew serves is being read: its lanes only look empty. */
static bool crew_reads(const struct crew *crew) {
    for (const struct node *n = crew->lanes.next; n != &crew->lanes; n = n->next) {
        const struct lane *l = owner_of(n, struct crew_lane, in_crew)->lane;
        for (int p = 0; p < PRIORITY_COUNT; p++)
            if (l->shelves[p].loading || l->shelves[p].fetching) return true;
    }
    return false;
}

void claim_timer(struct core *c, struct claim_wait *claim) {
    if (list_empty(&claim->given) && !claim->graced && crew_reads(claim->taker.crew)) {
        claim->graced = true;
        heap_set(&c->clock, &claim->timer, c->now + GRACE_MS);
        return;
    }
    claim_close(c, claim->link->peer, claim->number);
    claim_drop(c, claim);
}

bool claim_cancel(struct core *c, struct link *link, uint64_t number) {
    for (struct node *n = link->claims.next; n != &link->claims; n = n->next) {
        struct claim_wait *claim = owner_of(n, struct claim_wait, in_link);
        if (claim->number != number) continue;
        claim_drop(c, claim);
        return true;
    }
    return false;
}

/* What it was given, has not begun, and asks for now: a worker may serve several things. */
static struct lease *claim_unstarted(const struct worker *w, uint32_t brand,
                                     const struct serves *serves) {
    for (struct node *n = w->leases.next; n != &w->leases; n = n->next) {
        struct lease *l = owner_of(n, struct lease, in_worker);
        bool labels;
        if (!l->task || l->started) continue;
        if (crew_serves(serves, brand, l->task->lane, &labels) && labels) return l;
    }
    return NULL;
}

static enum code claim_check(struct core *c, const struct event *e, const struct claim *m,
                             uint32_t *brand) {
    bool ok;
    *brand = who_serves(&e->who, m->brand, &ok);
    if (!who_works(&e->who) || !ok) return CODE_FORBIDDEN;
    if (!name_good(c, m->worker) || m->limit > CLAIM_LIMIT_MAX || !serves_good(c, &m->serves))
        return CODE_VALIDATION_ERROR;
    return watch_room(c, &c->links[e->peer]) ? CODE_OK : CODE_BUSY;
}

static struct claim_wait *claim_park(struct core *c, const struct event *e, struct worker *w,
                                     struct crew *crew) {
    const struct claim *m = &e->message->claim;
    struct claim_wait *claim = calloc(1, sizeof *claim);
    assert(claim != NULL);
    claim->taker = (struct taker){.crew = crew, .claim = true};
    list_init(&claim->taker.idle);
    list_init(&claim->given);
    claim->many = m->limit > 1;
    claim->taker.oldest = m->oldest;
    claim->link = &c->links[e->peer];
    claim->worker = w;
    claim->number = e->message->number;
    claim->limit = m->limit ? m->limit : 1;
    claim->held_max = m->held_max ? m->held_max : UINT32_MAX;
    claim->lease_ms = m->lease_ms;
    claim->timer.kind = TIMER_CLAIM;
    uint32_t wait = m->wait_ms < c->limits.wait_ms_max ? m->wait_ms : c->limits.wait_ms_max;
    heap_set(&c->clock, &claim->timer, c->now + wait);
    list_push(&claim->link->claims, &claim->in_link);
    watch_count(c, claim->link, 1);
    w->claims++;
    return claim;
}

void claim_step(struct core *c, const struct event *e) {
    const struct claim *m = &e->message->claim;
    uint32_t brand = 0;
    enum code code = claim_check(c, e, m, &brand);
    struct worker *w = NULL;
    struct crew *crew = NULL;
    if (code == CODE_OK) {
        w = worker_get(c, brand, &e->who, m->worker, m->boot, true);
        if (w) w->heard = c->now;
        code = w ? CODE_OK : CODE_LIMIT_REACHED;
    }
    struct lease *again = w && m->again ? claim_unstarted(w, brand, &m->serves) : NULL;
    if (again && !again->task->body) { /* delivered before a restart */
        struct need need = {.kind = NEED_BODY, .id = again->id, .seq = again->task->head.resume};
        park(c, e, &need);
        return;
    }
    if (again) {
        lease_again(c, again, e->peer, e->message->number);
        if (m->limit > 1) claim_close(c, e->peer, e->message->number);
        return;
    }
    if (code == CODE_OK && m->held_max && w->lease_count >= m->held_max && !m->wait_ms) {
        claim_close(c, e->peer, e->message->number);
        return;
    }
    if (code == CODE_OK) crew = crew_get(c, brand, &m->serves);
    if (code == CODE_OK && !crew) code = CODE_LIMIT_REACHED;
    if (code != CODE_OK) {
        if (w) worker_leave(c, w);
        struct message *s = say(c, e->peer, VERB_REFUSED, e->message->number);
        s->refused = (struct busy){.number = e->message->number, .code = code,
                                   .retry_ms = code == CODE_BUSY ? 1000 : 0};
        return;
    }
    struct claim_wait *claim = claim_park(c, e, w, crew);
    if (w->lease_count < claim->held_max) crew_idle(c, &claim->taker);
}
