#include "broker/core/link.h"
#include "broker/core/claim.h"
#include "broker/core/command.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/feed.h"
#include "broker/core/hold.h"
#include "broker/core/watch.h"
#include "broker/core/who.h"
#include "broker/core/worker.h"

enum { SLOTS_MAX = 65536 };

void link_open(struct core *c, const struct event *e) {
    assert(e->peer < c->limits.links_max);
    struct link *link = &c->links[e->peer];
    if (link->open) link_gone(c, e->peer);
    *link = (struct link){.peer = e->peer, .open = true, .who = e->who, .heard = c->now,
                            .serial = ++c->link_serial};
    link->timer.kind = TIMER_LINK;
    list_init(&link->watches);
    list_init(&link->claims);
    list_init(&link->calls);
    list_init(&link->feeds);
    if (e->peer >= c->links_used) c->links_used = e->peer + 1;
    c->link_count++;
}

/* Ends what hangs on the connection; the worker behind it stays, without a link. */
static void link_clear(struct core *c, struct link *link) {
    for (struct node *n; (n = list_first(&link->watches));)
        watch_drop(c, owner_of(n, struct watch, in_link));
    feed_leave(c, link);
    command_leave(c, link);
    for (struct node *n; (n = list_first(&link->claims));)
        claim_drop(c, owner_of(n, struct claim_wait, in_link));
    heap_clear(&c->clock, &link->timer);
    struct worker *w = link->worker;
    link->worker = NULL;
    link->number = 0;
    if (!w) return;
    w->link = NULL;
    worker_room(c, w);
    worker_leave(c, w);
}

void link_gone(struct core *c, uint32_t peer) {
    assert(peer < c->limits.links_max);
    struct link *link = &c->links[peer];
    if (!link->open) return;
    link_clear(c, link);
    link->open = false;
    c->link_count--;
}

bool link_push(struct core *c, struct link *link, size_t bytes) {
    link->pushed += bytes;
    if (!c->limits.push_bytes_max || link->pushed < c->limits.push_bytes_max) return false;
    link->full = true;
    return true;
}

void link_room(struct core *c, uint32_t peer) {
    struct link *link = &c->links[peer];
    link->pushed = 0;
    link->full = false;
    if (link->open && link->worker) worker_room(c, link->worker);
}

bool link_check(struct core *c, const struct event *e) {
    struct link *link = &c->links[e->peer];
    if (link->open && link->number && link->number == e->link) {
        link->heard = c->now;
        link->welcomed = true;
        if (link->worker) worker_heard(c, link->worker);
        return true;
    }
    if (c->now < link->resync_at) return false; /* a peer may have thousands of frames under way */
    link->resync_at = c->now + c->limits.beat_ms;
    say_now(c, e->peer, VERB_RESYNC, 0);
    return false;
}

static enum code hello_check(const struct core *c, const struct event *e) {
    const struct hello *h = &e->message->hello;
    bool ok = true;
    if (h->version != PROTOCOL_VERSION) return CODE_BAD_VERSION;
    if (!c->ready) return CODE_UNAVAILABLE;
    if (h->kind == LINK_GATEWAY) return e->who.role == ROLE_GATEWAY ? CODE_OK : CODE_FORBIDDEN;
    if (h->kind == LINK_CLIENT) return who_writes(&e->who) ? CODE_OK : CODE_FORBIDDEN;
    if (h->kind != LINK_WORKER || !name_good(c, h->name) || h->boot == 0 ||
        h->slots > SLOTS_MAX || h->prefetch > SLOTS_MAX || !serves_good(c, &h->serves))
        return CODE_VALIDATION_ERROR;
    who_serves(&e->who, h->brand, &ok);
    return who_works(&e->who) && ok ? CODE_OK : CODE_FORBIDDEN;
}

static void hello_refuse(struct core *c, const struct event *e, enum code code) {
    struct message *m = say(c, e->peer, VERB_REFUSED, e->message->number);
    m->refused = (struct busy){.number = e->message->number, .code = code,
                               .retry_ms = code == CODE_UNAVAILABLE ? 200 : 0};
}

/* Binds the worker to this link; false when a limit is reached. */
static struct worker *hello_worker(struct core *c, const struct event *e, struct link *link) {
    const struct hello *h = &e->message->hello;
    bool ok;
    uint32_t brand = who_serves(&e->who, h->brand, &ok);
    if (core_bug(c, BUG_FOREIGN_BRAND)) brand = 0;
    struct worker *w = worker_get(c, brand, &e->who, h->name, h->boot, false);
    if (!w) return NULL;
    struct link *old = w->link;
    if (old && old != link) {
        w->link = NULL;
        old->worker = NULL;
        link_clear(c, old);
    }
    w->link = link;
    link->worker = w;
    struct crew *crew = crew_get(c, brand, &h->serves);
    if (!crew) {
        worker_lost(c, w, REASON_LEASE_LOST);
        return NULL;
    }
    crew_busy(&w->taker);
    if (w->taker.crew) crew_leave(w->taker.crew);
    w->taker.crew = crew;
    w->slots = h->slots;
    w->prefetch = h->prefetch;
    w->implied = h->implied;
    w->draining = true; /* nothing new before what it holds is judged */
    w->suspect = false;
    w->heard = c->now;
    heap_set(&c->clock, &w->timer, c->now + c->limits.suspect_ms);
    return w;
}

/* Verdicts are state and wait for their group; a WELCOME without any says nothing that a crash
 * could take back, and the sooner it is there the sooner the peer beats. */
static void hello_welcome(struct core *c, const struct event *e, struct link *link,
                          struct slice verdicts) {
    bool held = link->kind == LINK_WORKER && e->message->hello.held_count;
    struct message *m = held ? say(c, e->peer, VERB_WELCOME, e->message->number)
                             : say_now(c, e->peer, VERB_WELCOME, e->message->number);
    m->welcome = (struct welcome){
        .link = link->number, .beat_ms = c->limits.beat_ms, .suspect_ms = c->limits.suspect_ms,
        .doubt_ms = c->limits.doubt_ms, .lost_ms = c->limits.lost_ms,
        .payload_max = c->limits.payload_max, .incarnation = c->incarnation, .time_ms = c->wall,
        .verdicts = verdicts,
        .verdict_count = link->kind == LINK_WORKER ? e->message->hello.held_count : 0};
}

void link_hello(struct core *c, const struct event *e) {
    const struct hello *h = &e->message->hello;
    struct link *link = &c->links[e->peer];
    enum code code = hello_check(c, e);
    if (code != CODE_OK) {
        hello_refuse(c, e, code);
        return;
    }
    if (h->kind == LINK_WORKER && !hold_ready(c, e)) return;
    if (link->number) link_clear(c, link);
    link->kind = h->kind;
    link->heard = c->now;
    struct buffer verdicts = {0};
    if (h->kind == LINK_WORKER) {
        struct worker *w = hello_worker(c, e, link);
        if (!w) {
            hello_refuse(c, e, CODE_LIMIT_REACHED);
            return;
        }
        hold_judge(c, e, w, &verdicts);
        w->draining = false;
        worker_room(c, w);
    }
    link->number = ++c->link_next;
    link->resync_at = 0;
    link->welcomed = false;
    heap_set(&c->clock, &link->timer, c->now + c->limits.lost_ms);
    hello_welcome(c, e, link, note_keep(c, buffer_slice(&verdicts)));
    buffer_free(&verdicts);
}

void link_beat(struct core *c, const struct event *e) {
    say_now(c, e->peer, VERB_BEAT, e->message->number);
}

void link_bye(struct core *c, const struct event *e) {
    struct link *link = &c->links[e->peer];
    struct worker *w = link->worker;
    if (w) worker_lost(c, w, REASON_LEASE_LOST);
    link_clear(c, link);
}

void link_credit(struct core *c, const struct event *e) {
    struct worker *w = c->links[e->peer].worker;
    const struct credit *m = &e->message->credit;
    if (!w || m->slots > SLOTS_MAX || m->prefetch > SLOTS_MAX) return;
    w->slots = m->slots;
    w->prefetch = m->prefetch;
    worker_room(c, w);
}

void link_drain(struct core *c, const struct event *e) {
    struct worker *w = c->links[e->peer].worker;
    if (!w) return;
    w->draining = true;
    worker_room(c, w);
    for (struct node *n = w->leases.next; n != &w->leases; n = n->next) {
        const struct lease *l = owner_of(n, struct lease, in_worker);
        if (!l->task || l->started) continue;
        struct message *m = say(c, e->peer, VERB_RECALL, 0);
        m->stop = (struct stop){.task = l->id, .epoch = l->epoch};
    }
}

void link_timer(struct core *c, struct link *link) {
    int64_t silence = c->now - link->heard;
    if (silence < c->limits.lost_ms) {
        heap_set(&c->clock, &link->timer, link->heard + c->limits.lost_ms);
        return;
    }
    if (link->worker) { /* the worker's own timer decides about its work */
        heap_set(&c->clock, &link->timer, c->now + c->limits.lost_ms);
        return;
    }
    link_clear(c, link);
}
