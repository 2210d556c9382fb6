#include "broker/core/worker.h"
#include "broker/core/attempt.h"
#include "broker/core/claim.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/lease.h"
#include <stdlib.h>

enum { REST_MS = 600000 /* an HTTP worker that holds nothing is known so long */ };

static uint64_t worker_hash(uint32_t brand, struct slice principal, struct slice name) {
    return hash_bytes(hash_bytes(brand + 1u, principal.data, principal.len), name.data, name.len);
}

/* Principals of the same key may not take each other's names. */
static struct slice principal_of(const struct who *who) {
    return who->role == ROLE_WORKER ? slice_text(who->name) : (struct slice){0};
}

static struct worker *worker_named(const struct core *c, uint32_t brand, struct slice principal,
                                   struct slice name) {
    uint64_t hash = worker_hash(brand, principal, name);
    for (struct map_node *n = map_first(&c->worker_names, hash); n; n = map_next(n)) {
        struct worker *w = owner_of(n, struct worker, by_name);
        if (w->record.brand == brand && slice_equal(w->record.name, name) &&
            slice_equal(w->principal, principal))
            return w;
    }
    return NULL;
}

static struct worker *worker_new(struct core *c, const struct worker_record *r) {
    struct worker *w = calloc(1, sizeof *w + r->name.len + r->principal.len);
    assert(w != NULL);
    w->record = *r;
    if (r->name.len) memcpy(w->bytes, r->name.data, r->name.len);
    if (r->principal.len) memcpy(w->bytes + r->name.len, r->principal.data, r->principal.len);
    w->record.name = slice_of(w->bytes, r->name.len);
    w->principal = w->record.principal = slice_of(w->bytes + r->name.len, r->principal.len);
    list_init(&w->taker.idle);
    list_init(&w->leases);
    w->timer.kind = TIMER_WORKER;
    w->heard = c->now;
    map_put(&c->worker_names, &w->by_name, worker_hash(r->brand, w->principal, w->record.name));
    map_put(&c->worker_numbers, &w->by_number, hash_number(r->worker));
    c->worker_count++;
    return w;
}

static void worker_evict(struct core *c);

struct worker *worker_get(struct core *c, uint32_t brand, const struct who *who,
                          struct slice name, uint64_t boot, bool http) {
    struct slice principal = principal_of(who);
    struct worker *w = worker_named(c, brand, principal, name);
    if (w && w->record.boot == boot) return w;
    if (w) worker_lost(c, w, REASON_CRASHED);
    if (c->worker_count >= c->limits.workers_max) worker_evict(c);
    if (c->worker_count >= c->limits.workers_max) return NULL;
    struct worker_record r = {.worker = ++c->worker_next, .brand = brand, .boot = boot,
                              .http = http, .name = name, .principal = principal};
    return worker_new(c, &r);
}

void worker_restore(struct core *c, const struct worker_record *r) {
    struct worker *w = worker_new(c, r);
    w->recorded = true;
    if (r->http) w->heard = 0; /* not since the restart */
    if (r->worker > c->worker_next) c->worker_next = r->worker;
    heap_set(&c->clock, &w->timer, c->now + (r->http ? REST_MS : c->limits.quiet_ms));
}

struct worker *worker_numbered(const struct core *c, uint32_t number) {
    for (struct map_node *n = map_first(&c->worker_numbers, hash_number(number)); n;
         n = map_next(n)) {
        struct worker *w = owner_of(n, struct worker, by_number);
        if (w->record.worker == number) return w;
    }
    return NULL;
}

void worker_record_once(struct core *c, struct worker *w) {
    if (w->recorded) return;
    w->recorded = true;
    struct worker_record r = w->record; /* the worker may be forgotten before the group is closed */
    r.name = note_keep(c, r.name);
    r.principal = note_keep(c, r.principal);
    note(c, RECORD_WORKER)->worker = r;
}

void worker_room(struct core *c, struct worker *w) {
    if (!w->taker.crew) return;
    bool room = w->link && !w->link->full && !w->suspect && !w->draining && c->ready &&
                w->lease_count < w->slots + w->prefetch;
    if (room) crew_idle(c, &w->taker);
    else crew_busy(&w->taker);
}

void worker_heard(struct core *c, struct worker *w) {
    w->heard = c->now;
    if (!w->suspect) return;
    w->suspect = false;
    worker_room(c, w);
}

/* Unstarted leases go back to the queue. */
static void take_back(struct core *c, struct worker *w) {
    for (struct node *n = w->leases.next, *next; n != &w->leases; n = next) {
        next = n->next;
        struct lease *l = owner_of(n, struct lease, in_worker);
        if (l->task && !l->started)
            attempt_end(c, l, REASON_LEASE_LOST, (struct slice){0}, true);
    }
}

static void worker_drop(struct core *c, struct worker *w) {
    assert(list_empty(&w->leases));
    if (w->link) { /* it must say HELLO again */
        w->link->worker = NULL;
        w->link->number = 0;
    }
    if (w->taker.crew) {
        crew_busy(&w->taker);
        crew_leave(w->taker.crew);
    }
    heap_clear(&c->clock, &w->timer);
    map_remove(&c->worker_names, &w->by_name);
    map_remove(&c->worker_numbers, &w->by_number);
    if (w->recorded) note(c, RECORD_WORKER_GONE)->worker.worker = w->record.worker;
    c->worker_count--;
    free(w);
}

void worker_lost(struct core *c, struct worker *w, enum reason reason) {
    const char *text = reason == REASON_CRASHED ? "the worker's process died"
                                                : "the worker fell silent";
    struct link *link = w->link;
    w->link = NULL; /* nobody is told to stop: nobody listens */
    w->dying = true;
    crew_busy(&w->taker);
    claim_drop_all(c, w);
    for (struct node *n; (n = list_first(&w->leases));) {
        struct lease *l = owner_of(n, struct lease, in_worker);
        if (!l->task) lease_timer(c, l);
        else attempt_end(c, l, l->restored && reason == REASON_LEASE_LOST
                         ? REASON_BROKER_RESTART : reason, slice_text(text), true);
    }
    w->link = link;
    worker_drop(c, w);
}

void worker_leave(struct core *c, struct worker *w) {
    if (w->dying || w->link || !list_empty(&w->leases) || w->claims) return;
    const bool rests = w->record.http && (w->recorded || w->record.brand);
    const int64_t rest_ms = w->recorded ? REST_MS : WORKER_HEARD_MS;
    if (rests) heap_set(&c->clock, &w->timer, c->now + rest_ms);
    else worker_drop(c, w);
}

/* Room for one more: the first that only rests goes; better one that never had a task. */
static void worker_evict(struct core *c) {
    struct worker *found = NULL;
    for (size_t i = 0; i <= c->worker_names.mask && (!found || found->recorded); i++)
        for (struct map_node *n = c->worker_names.buckets[i]; n; n = n->next) {
            struct worker *w = owner_of(n, struct worker, by_name);
            if (!w->record.http || w->link || !list_empty(&w->leases) || w->claims) continue;
            if (!found || !w->recorded) found = w;
        }
    if (found) worker_drop(c, found);
}

/* Most of a fleet falling silent at once is our own network, not theirs. */
static bool expiry_frozen(struct core *c) {
    if (c->now < c->frozen_until) return true;
    if (c->frozen_until && c->now < c->frozen_until + c->limits.freeze_ms_max) return false;
    uint32_t linked = 0, silent = 0;
    for (uint32_t i = 0; i < c->links_used; i++) {
        const struct worker *w = c->links[i].worker;
        if (!w) continue;
        linked++;
        if (c->now - w->heard >= c->limits.suspect_ms) silent++;
    }
    if (linked < FREEZE_WORKERS_MIN || silent * 100 <= linked * FREEZE_PERCENT) return false;
    c->frozen_until = c->now + c->limits.freeze_ms_max;
    return true;
}

void worker_timer(struct core *c, struct worker *w) {
    if (w->record.http) {
        if (list_empty(&w->leases) && !w->claims) worker_drop(c, w);
        return;
    }
    int64_t silence = c->now - w->heard;
    if (w->restored && silence < c->limits.quiet_ms) {
        heap_set(&c->clock, &w->timer, w->heard + c->limits.quiet_ms);
    } else if (silence < c->limits.suspect_ms) {
        heap_set(&c->clock, &w->timer, w->heard + c->limits.suspect_ms);
    } else if (expiry_frozen(c)) {
        heap_set(&c->clock, &w->timer, c->frozen_until);
    } else if (silence >= c->limits.lost_ms) {
        worker_lost(c, w, REASON_LEASE_LOST);
    } else {
        w->suspect = true;
        worker_room(c, w);
        heap_set(&c->clock, &w->timer, w->heard + c->limits.lost_ms);
        take_back(c, w);
    }
}

void worker_free(struct core *c) {
    for (size_t i = 0; c->worker_names.buckets && i <= c->worker_names.mask; i++)
        for (struct map_node *n = c->worker_names.buckets[i], *next; n; n = next) {
            next = n->next;
            struct worker *w = owner_of(n, struct worker, by_name);
            for (struct node *x; (x = list_first(&w->leases));) {
                struct lease *l = owner_of(x, struct lease, in_worker);
                list_unlink(x);
                if (l->task) l->task->lease = NULL;
                buffer_free(&l->text);
                blocks_give(&c->blocks, l, sizeof *l);
            }
            free(w);
        }
}
