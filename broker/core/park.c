#include "broker/core/park.h"
#include "broker/core/effect.h"
#include "broker/core/step.h"
#include "broker/core/task.h"
#include <stdlib.h>

static uint64_t need_hash(const struct need *n) {
    uint64_t h = hash_number(((uint64_t)n->kind << 56) ^ n->id ^ ((uint64_t)n->lane << 24));
    h = hash_number(h ^ n->brand ^ ((uint64_t)n->priority << 40) ^ ((uint64_t)n->object << 48));
    return hash_bytes(h ^ n->seq, n->key.data, n->key.len);
}

static bool need_same(const struct need *a, const struct need *b) {
    return a->kind == b->kind && a->id == b->id && a->lane == b->lane && a->brand == b->brand &&
           a->priority == b->priority && a->object == b->object && a->seq == b->seq &&
           slice_equal(a->key, b->key);
}

static struct wanted *wanted_find(struct core *c, const struct need *need) {
    for (struct map_node *n = map_first(&c->wants, need_hash(need)); n; n = map_next(n)) {
        struct wanted *w = owner_of(n, struct wanted, by_key);
        if (need_same(&w->need, need)) return w;
    }
    return NULL;
}

static struct wanted *wanted_new(struct core *c, const struct need *need) {
    struct wanted *w = calloc(1, sizeof *w + need->key.len);
    assert(w != NULL);
    w->need = *need;
    if (need->key.len) memcpy(w->bytes, need->key.data, need->key.len);
    w->need.key = slice_of(w->bytes, need->key.len);
    w->need.ticket = ++c->ticket;
    list_init(&w->waiters);
    list_push(&c->wanted, &w->in_order);
    map_put(&c->wants, &w->by_key, need_hash(need));
    *need_put(c) = w->need;
    return w;
}

void want(struct core *c, const struct need *need) {
    if (!wanted_find(c, need)) wanted_new(c, need);
}

/* The event as it must be handled again: its message lives on as an encoded frame. */
static struct parked *parked_new(const struct event *e) {
    struct parked *p = calloc(1, sizeof *p);
    assert(p != NULL);
    p->event = *e;
    struct frame_writer w;
    frame_begin(&w, &p->frame, e->message->verb, e->message->number, e->link, NULL);
    frame_put(&w, e->message);
    frame_end(&w);
    assert(!p->frame.failed);
    return p;
}

static void parked_free(struct core *c, struct parked *p) {
    c->parked_bytes -= p->frame.len;
    buffer_free(&p->frame);
    buffer_free(&p->absent);
    free(p);
    c->parked_count--;
}

enum found park(struct core *c, const struct event *e, const struct need *need) {
    struct parked *p = c->handling == e ? c->resuming : NULL;
    if (!p) {
        if (c->parked_count >= c->limits.parked_max || c->parked_bytes > PARKED_BYTES_MAX) {
            say_code(c, e, CODE_BUSY, (struct slice){0});
            return ASKED;
        }
        p = parked_new(e);
        p->serial = c->links[e->peer].serial;
        c->parked_count++;
        c->parked_bytes += p->frame.len;
        c->resuming = p;
        c->handling = e;
    }
    struct wanted *w = wanted_find(c, need);
    if (!w) w = wanted_new(c, need);
    struct waiter *waiter = malloc(sizeof *waiter);
    assert(waiter != NULL);
    waiter->parked = p;
    p->waits++;
    list_push(&w->waiters, &waiter->in_wanted);
    return ASKED;
}

struct task *task_held(const struct core *c, uint64_t id) {
    for (struct map_node *n = map_first(&c->tasks, hash_serial(id)); n; n = map_next(n)) {
        struct task *t = owner_of(n, struct task, by_id);
        if (t->head.id == id) return t;
    }
    return NULL;
}

/* p->absent is a row of ids, for this process alone. */
static void absent_put(struct parked *p, uint64_t id) {
    buffer_append(&p->absent, &id, sizeof id);
    assert(!p->absent.failed);
}

static uint64_t absent_at(struct slice list, uint32_t index) {
    uint64_t id;
    memcpy(&id, list.data + index * sizeof id, sizeof id);
    return id;
}

static bool known_absent(const struct core *c, const struct event *e, uint64_t id) {
    if (!c->resuming || c->handling != e) return false;
    struct slice list = buffer_slice(&c->resuming->absent);
    for (uint32_t i = 0; i < list.len / sizeof id; i++)
        if (absent_at(list, i) == id) return true;
    return false;
}

enum found task_find(struct core *c, const struct event *e, uint64_t id, struct task **t) {
    *t = task_held(c, id);
    if (*t) return task_gone(*t) ? ABSENT : HELD;
    if (id == 0 || id >= c->next || known_absent(c, e, id)) return ABSENT;
    struct need need = {.kind = NEED_TASK, .id = id};
    return park(c, e, &need);
}

/* Handles a parked event again; it is freed unless it had to park once more. */
static void parked_step(struct core *c, struct parked *p) {
    struct frame frame;
    struct message m;
    enum code code;
    bool whole = frame_read(&frame, p->frame.data, p->frame.len, UINT32_MAX) == CODE_OK &&
                 message_next(&frame, &m, &code) && code == CODE_OK;
    assert(whole);
    struct link *link = &c->links[p->event.peer];
    p->event.message = &m;
    p->event.mono_ms = c->now + c->stalled;
    p->event.wall_ms = c->wall;
    c->resuming = p;
    c->handling = &p->event;
    bool alive = link->open && link->serial == p->serial &&
                 (m.verb == VERB_HELLO || link->number == p->event.link);
    if (alive) step_message(c, &p->event);
    frame_free(&frame);
    c->resuming = NULL;
    c->handling = NULL;
    if (p->waits == 0) parked_free(c, p);
}

struct wanted *park_answered(struct core *c, const struct event *e) {
    struct wanted *w = wanted_find(c, &e->need);
    if (!w || w->need.ticket != e->need.ticket) return NULL;
    map_remove(&c->wants, &w->by_key);
    list_unlink(&w->in_order);
    return w;
}

void park_resume(struct core *c, struct wanted *w) {
    for (struct node *n; (n = list_first(&w->waiters));) {
        struct waiter *waiter = owner_of(n, struct waiter, in_wanted);
        struct parked *p = waiter->parked;
        list_unlink(n);
        free(waiter);
        p->waits--;
        if (w->need.kind == NEED_TASK && !task_held(c, w->need.id)) absent_put(p, w->need.id);
        if (p->waits == 0) parked_step(c, p);
    }
    free(w);
}

bool park_older(const struct core *c, uint64_t ticket) {
    struct node *n = list_first(&c->wanted);
    return n && owner_of(n, struct wanted, in_order)->need.ticket <= ticket;
}

void park_free(struct core *c) {
    for (struct node *n; (n = list_first(&c->wanted));) {
        struct wanted *w = owner_of(n, struct wanted, in_order);
        list_unlink(n);
        map_remove(&c->wants, &w->by_key);
        for (struct node *x; (x = list_first(&w->waiters));) {
            struct waiter *waiter = owner_of(x, struct waiter, in_wanted);
            list_unlink(x);
            if (--waiter->parked->waits == 0) parked_free(c, waiter->parked);
            free(waiter);
        }
        free(w);
    }
}
