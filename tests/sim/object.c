/* object.c - clients that put, read and drop objects, and what must hold of those:
 *
 * O1 a PUT that was acknowledged is there after any crash
 * O2 a version never goes back, and no two PUTs are told the same one
 * O3 a version that was demanded is the one that was replaced or dropped
 * O4 a name or key leads to one object, which has it      O5 a DROP is told once, and stays
 * O6 nobody sees another brand's                          O7 nobody sees one that has ended
 * O8 a file has one owner                  O9 events are told once, after their change is durable
 * O10 what is bound to a task is there as long as the task, and no longer
 *
 * A body says what was put: tag, keys, name, brand; that of a bound object says nothing. */
#include "proto/object.h"
#include "tests/sim/sim.h"
#include <assert.h>
#include <stdlib.h>

enum { NAMES = 3, KEYS = 3, FILES = 64, NOTES = 6, BOUND = 15 /* kinds */ };

struct body { uint32_t tag; uint8_t keys, name, brand, pad; };

struct object_seen { /* what is known of an object from what was said and what has left */
    uint64_t id;
    uint32_t version, tag; /* the newest that has left */
    bool dropped;          /* told, and it has left */
    bool may_go;           /* a DROP was said of it, or it has an end */
};

static struct object_seen *seen_of(struct sim *s, uint64_t id) {
    struct object_world *w = &s->objects;
    uint64_t index = map64_get(&w->by_id, id);
    if (index) return &w->seen[index - 1];
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        w->seen = realloc(w->seen, w->cap * sizeof *w->seen);
        assert(w->seen != NULL);
    }
    w->seen[w->count] = (struct object_seen){.id = id};
    map64_set(&w->by_id, id, ++w->count);
    return &w->seen[w->count - 1];
}

void object_world_free(struct object_world *w) {
    map64_free(&w->by_id);
    map64_free(&w->owners);
    map64_free(&w->told);
    map64_free(&w->unlinked);
    buffer_free(&w->keys);
    free(w->seen);
}

/* ---- asking ---- */

void object_meddle(struct sim *s, uint16_t a) {
    static const enum verb verbs[] = {VERB_PUT, VERB_PUT, VERB_PUT, VERB_FETCH, VERB_FETCH,
                                      VERB_DROP};
    struct packet *p = request_new(s, a, verbs[below(s, 6)], true);
    struct ask *ask = ask_of(s, p->number);
    p->flag = p->verb != VERB_PUT && below(s, 3); /* by a key */
    p->seq = (uint32_t)below(s, p->flag ? KEYS : NAMES);
    p->version = below(s, 3) ? 0 : 1 + (uint32_t)below(s, 4);
    p->reason = (uint8_t)below(s, 3);
    p->set = below(s, 2) ? 0 : (uint32_t)below(s, 1 << KEYS);
    p->tag = ++s->objects.tag;
    p->delay_ms = below(s, 4) ? 0 : 1 + (int64_t)below(s, 3000);
    p->resume = below(s, 12) ? 0 : 1 + below(s, FILES);
    p->percent = (uint8_t)(below(s, 16) == 0); /* lets its file go */
    ask->seq = p->version;
    ask->tag = p->tag;
    ask->mine = p->flag;
    ask->task = p->seq;
    ask->reason = p->reason;
    net_to_broker(s, a, p);
}

void bond_meddle(struct sim *s, uint16_t a, uint64_t task) {
    struct packet *p = request_new(s, a, below(s, 8) ? VERB_PUT : VERB_DROP, true);
    struct ask *ask = ask_of(s, p->number);
    p->task = ask->task = task;
    ask->bond = true;
    net_to_broker(s, a, p);
}

static void bond_speech(struct sim *s, const struct packet *p, struct object_ref *m) {
    snprintf(s->objects.name, sizeof s->objects.name, "%llu", (unsigned long long)p->task);
    *m = (struct object_ref){.kind = slice_text("job"), .name = slice_text(s->objects.name),
                             .mode = PUT_EITHER};
    if (p->verb == VERB_DROP) said_make(s, p->task)->bond_drops = true;
}

void feed_meddle(struct sim *s, uint16_t a) {
    struct packet *p = request_new(s, a, VERB_FEED, true);
    p->wait_ms = below(s, 2) ? 0 : (uint32_t)below(s, 3000);
    p->epoch = s->objects.listened[a];
    net_to_broker(s, a, p);
}

static struct slice name_of(struct sim *s, bool key, uint32_t index) {
    snprintf(s->objects.name, sizeof s->objects.name, "%s%u", key ? "key" : "name", index);
    return slice_text(s->objects.name);
}

void object_speech(struct sim *s, const struct packet *p, struct object_ref *m) {
    struct object_world *w = &s->objects;
    struct object_options *o = &m->options;
    if (p->task) {
        bond_speech(s, p, m);
        return;
    }
    *m = (struct object_ref){.kind = slice_text("note"), .name = name_of(s, p->flag, p->seq),
                             .mode = p->reason};
    o->version = p->version;
    if (p->verb != VERB_PUT) return;
    struct body body = {.tag = p->tag, .keys = (uint8_t)p->set, .name = (uint8_t)p->seq,
                        .brand = (uint8_t)s->actors[p->actor].brand};
    memcpy(w->body, &body, sizeof body);
    m->body = slice_of(w->body, sizeof body);
    buffer_clear(&w->keys);
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[8];
        snprintf(key, sizeof key, "key%u", i);
        if (p->set >> i & 1) text_put(&w->keys, slice_text(key));
    }
    o->keys = buffer_slice(&w->keys);
    o->key_count = (uint16_t)__builtin_popcount(p->set);
    o->clear = p->set ? 0 : CLEAR_KEYS;
    if (p->delay_ms) o->until_ms = s->now + s->wall_off + p->delay_ms;
    o->file = p->resume;
    if (p->percent) o->clear |= CLEAR_FILE;
    o->event = slice_text("put");
    o->data = m->body;
}

void feed_speech(const struct packet *p, struct feed_ask *m) {
    *m = (struct feed_ask){.after = p->epoch, .wait_ms = p->wait_ms};
}

/* ---- answers ---- */

void object_packet(struct packet *p, const struct answer *m) {
    struct object_row row;
    struct body body;
    p->flag = m->code == CODE_OK && object_row_read(m->body, &row) && row.body.len == sizeof body;
    if (!p->flag) return;
    memcpy(&body, row.body.data, sizeof body);
    p->task = row.id;
    p->version = row.version;
    p->tag = body.tag;
    p->set = body.keys;
    p->seq = body.name;
    p->value = body.brand;
    p->delay_ms = row.until_ms;
    p->resume = row.file;
}

void feed_packet(struct packet *p, const struct rows *m) {
    struct feed_row row;
    struct body body;
    uint32_t at = 0;
    p->epoch = feed_next_read(m->next);
    p->flag = m->incomplete;
    while (p->held_count < WORKS_MAX && feed_row_next(m->rows, &at, &row)) {
        memcpy(&body, row.data.data, sizeof body);
        p->held[p->held_count].task = body.tag;
        p->held[p->held_count].verdict = body.brand;
        p->held[p->held_count++].epoch = row.seq;
    }
}

static unsigned long long n(uint64_t number) { return number; }

/* The core decides now: what may go from here on, and what it may not show. */
void object_said(struct sim *s, const struct packet *p, const struct ask *ask) {
    if (!p->flag) return;
    struct object_seen *o = seen_of(s, p->task);
    if (p->delay_ms && p->delay_ms <= s->now + s->wall_off)
        if (ask->verb == VERB_FETCH) violate(s, "O7 object %llu has ended and is shown", n(o->id));
    if (p->delay_ms || ask->verb == VERB_DROP) o->may_go = true;
}

static void judge_put(struct sim *s, const struct packet *p, const struct ask *ask,
                      const struct object_seen *o) {
    if (p->version <= o->version)
        violate(s, "O2 object %llu: a PUT is told version %u after %u", n(o->id), p->version,
                o->version);
    map64_set(&s->objects.told, p->tag, 1);
    if (p->tag != ask->tag) violate(s, "O2 object %llu: a PUT is told another's", n(o->id));
    if (ask->seq && p->version != ask->seq + 1)
        violate(s, "O3 object %llu: version %u was demanded, and %u made", n(o->id), ask->seq,
                p->version);
    if (ask->reason == PUT_CREATE && p->version != 1)
        violate(s, "O3 object %llu is created as version %u", n(o->id), p->version);
    if (!p->resume) return;
    uint64_t owner = map64_get(&s->objects.owners, p->resume);
    bool unlinked = map64_get(&s->objects.unlinked, p->resume); /* it was another's, and went */
    if (owner && owner != o->id && !unlinked)
        violate(s, "O8 file %llu is of objects %llu and %llu", n(p->resume), n(owner), n(o->id));
    map64_set(&s->objects.owners, p->resume, o->id);
}

void object_left(struct sim *s, const struct packet *p, const struct ask *ask) {
    if (ask->bond && ask->verb == VERB_PUT && p->code == CODE_OK)
        said_make(s, ask->task)->bond = true;
    if (!p->flag) return;
    struct object_seen *o = seen_of(s, p->task);
    if (p->value != s->actors[ask->actor].brand)
        violate(s, "O6 object %llu of brand %u is shown to %s", n(o->id), p->value,
                s->actors[ask->actor].name);
    if (ask->mine ? !(p->set >> ask->task & 1) : p->seq != ask->task)
        violate(s, "O4 object %llu has not that name", n(o->id));
    if (o->dropped) violate(s, "O5 object %llu was dropped and is there", n(o->id));
    if (p->version < o->version)
        violate(s, "O2 object %llu: version %u is shown after %u", n(o->id), p->version,
                o->version);
    if (ask->verb == VERB_PUT) judge_put(s, p, ask, o);
    else if (p->version == o->version && o->tag && p->tag != o->tag)
        violate(s, "O2 object %llu: version %u is two", n(o->id), p->version);
    if (ask->verb == VERB_DROP && ask->seq && p->version != ask->seq)
        violate(s, "O3 object %llu: version %u is dropped, %u was demanded", n(o->id),
                p->version, ask->seq);
    o->version = p->version;
    o->tag = p->tag;
    o->dropped = ask->verb == VERB_DROP;
}

void feed_left(struct sim *s, const struct packet *p, const struct ask *ask) {
    const struct actor *a = &s->actors[ask->actor];
    for (int i = 0; i < p->held_count; i++) {
        if (!map64_get(&s->objects.told, p->held[i].task))
            violate(s, "O9 event %llu is told before its change", n(p->held[i].task));
        if (p->held[i].verdict != a->brand) violate(s, "O6 an event of another brand is told");
        if (p->held[i].epoch <= ask->epoch)
            violate(s, "O9 event %llu is told again", n(p->held[i].epoch));
    }
}

void feed_heard(struct sim *s, uint16_t a, const struct packet *p) {
    if (p->epoch) s->objects.listened[a] = p->epoch;
}

/* ---- the store ---- */

void object_file_gone(struct sim *s, uint64_t file) {
    map64_set(&s->objects.unlinked, file, 1);
}

static void complain(void *context, const char *finding) { violate(context, "%s", finding); }

/* O4: the names and keys of those that are there are all different. */
static void names_audit(struct sim *s, const struct object_record *r, uint32_t *taken) {
    struct body body;
    assert(r->body.len == sizeof body);
    memcpy(&body, r->body.data, sizeof body);
    uint32_t mine = 1u << body.name | (uint32_t)body.keys << NAMES;
    if (taken[body.brand] & mine) violate(s, "O4 a name or key leads to two objects");
    taken[body.brand] |= mine;
}

static void bond_audit(struct sim *s, struct store_view *v, uint32_t serial) {
    struct walk walk = {.kind = WALK_OBJECTS, .object = BOUND, .all_brands = true};
    struct store_walk *rows = walk_open(v, &walk);
    struct record r;
    struct map64 there = {0};
    assert(rows != NULL);
    while (!s->failed && walk_next(rows, &r)) {
        char name[24] = "";
        assert(r.object.name.len < sizeof name);
        memcpy(name, r.object.name.data, r.object.name.len);
        const uint64_t id = strtoull(name, NULL, 10);
        const struct said *t = said_of(s, id);
        map64_set(&there, id, 1);
        if (!t || t->audit != serial) violate(s, "O10 the object of task %llu was left", n(id));
    }
    walk_close(&rows);
    for (uint64_t i = 0; i < s->task_count && !s->failed; i++) {
        const struct said *t = &s->tasks[i];
        if (t->bond && !t->bond_drops && t->audit == serial && !map64_get(&there, t->id))
            violate(s, "O10 the object of task %llu was told and is lost", n(t->id));
    }
    map64_free(&there);
}

void object_audit(struct sim *s, struct store_view *v, uint32_t serial) {
    bond_audit(s, v, serial);
    struct object_world *w = &s->objects;
    struct walk walk = {.kind = WALK_OBJECTS, .object = NOTES, .all_brands = true};
    struct store_walk *rows = walk_open(v, &walk);
    struct record r;
    uint32_t taken[SIM_BRANDS + 1] = {0};
    struct map64 there = {0};
    assert(rows != NULL);
    while (!s->failed && walk_next(rows, &r)) {
        struct object_seen *o = seen_of(s, r.object.id);
        map64_set(&there, o->id, 1);
        names_audit(s, &r.object, taken);
        if (o->dropped) violate(s, "O5 object %llu was dropped and is stored", n(o->id));
        if (r.object.version < o->version)
            violate(s, "O1 object %llu: version %u was told, %u is stored", n(o->id), o->version,
                    r.object.version);
    }
    walk_close(&rows);
    for (uint64_t i = 0; i < w->count && !s->failed; i++) {
        const struct object_seen *o = &w->seen[i];
        if (o->version && !o->dropped && !o->may_go && !map64_get(&there, o->id))
            violate(s, "O1 object %llu was told and is lost", n(o->id));
    }
    map64_free(&there);
    if (s->calm && !s->failed) store_audit(s->process.store, complain, s);
}
