/* outbox.c - see outbox.h. */
#include "broker/outbox.h"
#include <assert.h>
#include <stdlib.h>

void pool_open(struct parcel_pool *pool, uint32_t batch_max) {
    assert(batch_max > 0);
    *pool = (struct parcel_pool){.batch_max = batch_max};
}

static void parcel_free(struct parcel *p) {
    buffer_free(&p->bytes);
    free(p);
}

void pool_free(struct parcel_pool *pool) {
    while (pool->free != NULL) {
        struct parcel *p = pool->free;
        pool->free = p->next;
        parcel_free(p);
    }
    pool->free_count = 0;
    pool->free_bytes = 0;
}

static struct parcel *parcel_take(struct parcel_pool *pool) {
    struct parcel *p = pool->free;
    if (p == NULL) return calloc(1, sizeof *p);
    pool->free = p->next;
    pool->free_count--;
    pool->free_bytes -= p->bytes.cap;
    p->next = NULL;
    return p;
}

static void parcel_give(struct parcel_pool *pool, struct parcel *p) {
    if (pool->free_count >= PARCELS_KEPT) {
        parcel_free(p);
        return;
    }
    if (pool->free_bytes + p->bytes.cap > POOL_BYTES_MAX || p->bytes.failed)
        buffer_free(&p->bytes);
    buffer_clear(&p->bytes);
    pool->free_bytes += p->bytes.cap;
    p->next = pool->free;
    pool->free = p;
    pool->free_count++;
}

static void parcel_seal(struct parcel *p) {
    if (!p->open) return;
    frame_end(&p->writer);
    p->open = false;
}

/* What must keep its place among the frames of a peer. */
static bool verb_keeps_place(enum verb verb) {
    return verb == VERB_STOP || verb == VERB_RECALL || verb == VERB_WELCOME || verb == VERB_RESYNC
        || verb == VERB_KEYRING;
}

static void row_append(struct row *row, struct parcel *p) {
    if (row->last == NULL)
        row->first = p;
    else
        row->last->next = p;
    row->last = p;
}

/* Answers whose items do not name what they answer: the frame's own number does. */
static bool verb_numbers_frame(enum verb verb) {
    return verb == VERB_BEAT || verb == VERB_WELCOME;
}

/* The open frame of the row that m may join, or NULL. */
static struct parcel *row_match(struct row *row, enum verb verb) {
    if (verb_keeps_place(verb)) {
        struct parcel *last = row->last;
        if (last != NULL && last->open && last->verb == verb) return last;
        for (struct parcel *p = row->first; p != NULL; p = p->next) parcel_seal(p);
        return NULL;
    }
    for (struct parcel *p = row->first; p != NULL; p = p->next)
        if (p->open && p->verb == verb) return p;
    return NULL;
}

static struct parcel *row_begin(struct row *row, struct parcel_pool *pool, uint32_t link,
                                const struct message *m) {
    struct parcel *p = parcel_take(pool);
    if (p == NULL) return NULL;
    p->verb = m->verb;
    p->open = true;
    frame_begin(&p->writer, &p->bytes, m->verb, verb_numbers_frame(m->verb) ? m->number : 0, link,
                NULL);
    row_append(row, p);
    return p;
}

bool outbox_put(struct outbox *o, struct row *row, struct parcel_pool *pool, uint32_t link,
                const struct message *m) {
    struct parcel *p = row->last; /* the usual case: the same verb again */
    if (p == NULL || !p->open || p->verb != m->verb) p = row_match(row, m->verb);
    if (p == NULL) p = row_begin(row, pool, link, m);
    if (p == NULL) return false;
    frame_put(&p->writer, m);
    if (p->bytes.failed) return false;
    o->bytes += p->bytes.len - p->counted;
    pool->waiting += p->bytes.len - p->counted;
    p->counted = p->bytes.len;
    if (p->bytes.len >= PARCEL_BYTES || p->writer.count >= pool->batch_max ||
        verb_numbers_frame(m->verb))
        parcel_seal(p);
    return true;
}

static void row_move(struct row *to, struct row *from) {
    if (from->first == NULL) return;
    if (to->last == NULL)
        to->first = from->first;
    else
        to->last->next = from->first;
    to->last = from->last;
    *from = (struct row){0};
}

void outbox_close(struct outbox *o) {
    assert(o->flying.first == NULL);
    row_move(&o->flying, &o->filling);
}

void outbox_release(struct outbox *o, struct row *row) {
    assert(row != &o->leaving);
    for (struct parcel *p = row->first; p != NULL; p = p->next) parcel_seal(p);
    row_move(&o->leaving, row);
}

struct parcel *outbox_first(struct outbox *o) { return o->leaving.first; }

static void row_pop(struct outbox *o, struct row *row, struct parcel_pool *pool) {
    struct parcel *p = row->first;
    assert(p != NULL && o->bytes >= p->counted && pool->waiting >= p->counted);
    row->first = p->next;
    if (row->first == NULL) row->last = NULL;
    o->bytes -= p->counted;
    pool->waiting -= p->counted;
    p->counted = 0;
    parcel_give(pool, p);
}

void outbox_sent(struct outbox *o, struct parcel_pool *pool) { row_pop(o, &o->leaving, pool); }

void outbox_drop(struct outbox *o, struct row *row, struct parcel_pool *pool) {
    while (row->first != NULL) row_pop(o, row, pool);
}

struct parcel *outbox_next(struct outbox *o, struct parcel *at) {
    outbox_release(o, &o->now);
    outbox_release(o, &o->flying);
    outbox_release(o, &o->filling);
    return at == NULL ? o->leaving.first : at->next;
}

bool row_has(const struct row *row, enum verb verb) {
    for (const struct parcel *p = row->first; p != NULL; p = p->next)
        if (p->verb == verb) return true;
    return false;
}

void outbox_free(struct outbox *o, struct parcel_pool *pool) {
    outbox_drop(o, &o->now, pool);
    outbox_drop(o, &o->filling, pool);
    outbox_drop(o, &o->flying, pool);
    outbox_drop(o, &o->leaving, pool);
    assert(o->bytes == 0);
}
