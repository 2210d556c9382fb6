#include "store/block_cache.h"
#include "proto/base/map.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 3 };

struct entry { uint64_t block, changed; struct block_value *values[KINDS]; };

struct shelf {
    struct map_node by_brand; /* first member */
    struct node used;
    uint32_t brand, walks;
    uint64_t born, known; /* of no use to those who read as of a batch before `born` */
    struct entry *entries; /* owned; in the order of blocks */
    size_t count, cap;
    bool absent; /* some blocks were found to be gone */
    bool broken; /* memory was out: it does not know all */
};

struct block_cache {
    pthread_mutex_t lock;
    struct map shelves;
    struct node shelves_used, values_used; /* the least recently used first */
    uint64_t bytes, bytes_max, batch_begun, batch_ended;
    uint32_t turned_away;
};

static uint32_t place_of(enum key_kind kind) {
    return kind == KEY_BRIEF ? 0 : kind == KEY_TEXT ? 1 : 2;
}

struct block_cache *block_cache_new(uint64_t bytes_max) {
    struct block_cache *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    if (!map_init(&c->shelves, 64)) {
        free(c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    list_init(&c->shelves_used);
    list_init(&c->values_used);
    c->bytes_max = bytes_max;
    return c;
}

/* ---- values ---- */

void block_value_drop(struct block_value **self) {
    struct block_value *v = *self;
    *self = NULL;
    if (v && __atomic_sub_fetch(&v->refs, 1, __ATOMIC_ACQ_REL) == 0) free(v);
}

/* A zone lies before the bytes. */
static struct block_value *value_new(enum key_kind kind, uint64_t block, uint64_t batch,
                                     const struct slice *bytes, const struct zone *zone) {
    const uint32_t len = bytes ? bytes->len : 0;
    const size_t before = zone ? zone_bytes(zone) : 0;
    struct block_value *v = malloc(sizeof *v + before + len);
    if (!v) return NULL;
    *v = (struct block_value){.absent = !bytes, .block = block, .batch = batch, .refs = 1,
                              .kind = place_of(kind)};
    list_init(&v->used);
    uint8_t *at = (uint8_t *)(v + 1);
    if (zone) v->zone = memcpy(at, zone, before);
    if (len) memcpy(at + before, bytes->data, len);
    v->bytes = slice_of(at + before, len);
    return v;
}

static uint64_t bytes_of(const struct block_value *v) {
    return sizeof *v + (v->zone ? zone_bytes(v->zone) : 0) + v->bytes.len;
}

static void value_unput(struct block_cache *c, struct entry *e, uint32_t kind) {
    struct block_value *v = e->values[kind];
    if (!v) return;
    list_unlink(&v->used);
    c->bytes -= bytes_of(v);
    block_value_drop(&e->values[kind]);
}

/* ---- shelves ---- */

/* The place of the first entry whose block is not before this one. */
static size_t place_at(const struct shelf *s, uint64_t block) {
    size_t low = 0, high = s->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (s->entries[middle].block < block) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct entry *entry_find(const struct shelf *s, uint64_t block) {
    const size_t at = place_at(s, block);
    return at < s->count && s->entries[at].block == block ? &s->entries[at] : NULL;
}

/* Finds or makes it; NULL when memory is out. */
static struct entry *entry_make(struct block_cache *c, struct shelf *s, uint64_t block) {
    const size_t at = place_at(s, block);
    if (at < s->count && s->entries[at].block == block) return &s->entries[at];
    if (s->count == s->cap) {
        const size_t cap = s->cap ? s->cap * 2 : 16;
        struct entry *bigger = realloc(s->entries, cap * sizeof *bigger);
        if (!bigger) return NULL;
        c->bytes += (cap - s->cap) * sizeof *bigger;
        s->entries = bigger;
        s->cap = cap;
    }
    memmove(&s->entries[at + 1], &s->entries[at], (s->count - at) * sizeof *s->entries);
    s->count++;
    s->entries[at] = (struct entry){.block = block};
    return &s->entries[at];
}

static struct shelf *shelf_find(const struct block_cache *c, uint32_t brand) {
    for (struct map_node *n = map_first(&c->shelves, hash_number(brand)); n; n = map_next(n)) {
        struct shelf *s = (struct shelf *)(void *)n;
        if (s->brand == brand) return s;
    }
    return NULL;
}

static void shelf_drop(struct block_cache *c, struct shelf *s) {
    for (size_t i = 0; i < s->count; i++)
        for (uint32_t kind = 0; kind < KINDS; kind++) value_unput(c, &s->entries[i], kind);
    c->bytes -= sizeof *s + s->cap * sizeof *s->entries;
    map_remove(&c->shelves, &s->by_brand);
    list_unlink(&s->used);
    free(s->entries);
    free(s);
}

static struct shelf *shelf_make(struct block_cache *c, uint32_t brand) {
    struct shelf *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->brand = brand;
    s->born = c->batch_begun;
    s->known = BLOCKS_NONE;
    list_init(&s->used);
    map_put(&c->shelves, &s->by_brand, hash_number(brand));
    c->bytes += sizeof *s;
    return s;
}

void block_cache_free(struct block_cache **self) {
    struct block_cache *c = *self;
    if (!c) return;
    while (!list_empty(&c->shelves_used))
        shelf_drop(c, owner_of(list_first(&c->shelves_used), struct shelf, used));
    assert(c->bytes == 0);
    map_free(&c->shelves);
    pthread_mutex_destroy(&c->lock);
    free(c);
    *self = NULL;
}

uint64_t block_cache_bytes(struct block_cache *c) {
    pthread_mutex_lock(&c->lock);
    const uint64_t bytes = c->bytes;
    pthread_mutex_unlock(&c->lock);
    return bytes;
}

/* Makes room for so many bytes: values leave first, then shelves in which nobody is. */
static void trim(struct block_cache *c, uint64_t more) {
    while (c->bytes + more > c->bytes_max && !list_empty(&c->values_used)) {
        struct block_value *v = owner_of(list_first(&c->values_used), struct block_value, used);
        value_unput(c, entry_find(v->shelf, v->block), v->kind);
    }
    for (struct node *n = c->shelves_used.next, *next; n != &c->shelves_used; n = next) {
        struct shelf *s = owner_of(n, struct shelf, used);
        next = n->next;
        if (c->bytes + more <= c->bytes_max) return;
        if (s->walks == 0) shelf_drop(c, s);
    }
}

/* ---- what is written ---- */

void block_cache_begin(struct block_cache *c) {
    pthread_mutex_lock(&c->lock);
    c->batch_begun++;
    pthread_mutex_unlock(&c->lock);
}

void block_cache_touch(struct block_cache *c, uint32_t brand, uint64_t block) {
    pthread_mutex_lock(&c->lock);
    struct shelf *s = shelf_find(c, brand);
    struct entry *e = s ? entry_make(c, s, block) : NULL;
    if (e) e->changed = c->batch_begun;
    else if (s) s->broken = true;
    pthread_mutex_unlock(&c->lock);
}

void block_cache_end(struct block_cache *c) {
    pthread_mutex_lock(&c->lock);
    c->batch_ended = c->batch_begun;
    pthread_mutex_unlock(&c->lock);
}

uint64_t block_cache_batch(struct block_cache *c) {
    pthread_mutex_lock(&c->lock);
    const uint64_t batch = c->batch_ended;
    pthread_mutex_unlock(&c->lock);
    return batch;
}

/* ---- walks ---- */

struct shelf *shelf_enter(struct block_cache *c, uint32_t brand, uint64_t batch) {
    pthread_mutex_lock(&c->lock);
    struct shelf *s = shelf_find(c, brand);
    if (s && s->broken && s->walks == 0) {
        shelf_drop(c, s);
        s = NULL;
    }
    if (!s) s = shelf_make(c, brand);
    if (s) {
        list_unlink(&s->used);
        list_push(&c->shelves_used, &s->used);
    }
    if (s && (s->broken || s->born > batch)) s = NULL;
    if (s) s->walks++;
    pthread_mutex_unlock(&c->lock);
    return s;
}

/* Forgets blocks that are gone. Who reads as of a time when they were there finds it of no use. */
static void absent_forget(struct block_cache *c, struct shelf *s) {
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct entry *e = &s->entries[i];
        bool gone = false;
        for (uint32_t kind = 0; kind < KINDS; kind++)
            gone |= e->values[kind] && e->values[kind]->absent &&
                    e->values[kind]->batch >= e->changed;
        for (uint32_t kind = 0; gone && kind < KINDS; kind++) value_unput(c, e, kind);
        if (gone && e->changed > s->born) s->born = e->changed;
        if (!gone) s->entries[kept++] = *e;
    }
    s->count = kept;
    s->absent = false;
}

void shelf_leave(struct block_cache *c, struct shelf *s) {
    pthread_mutex_lock(&c->lock);
    if (--s->walks == 0 && s->absent) absent_forget(c, s);
    if (c->bytes > c->bytes_max) trim(c, 0);
    pthread_mutex_unlock(&c->lock);
}

void shelf_extend(struct block_cache *c, struct shelf *s, uint64_t from) {
    pthread_mutex_lock(&c->lock);
    if (from < s->known && !s->broken) s->known = from;
    pthread_mutex_unlock(&c->lock);
}

bool shelf_next(struct block_cache *c, const struct shelf *s, uint64_t edge, bool descending,
                uint64_t *block, uint64_t *known) {
    pthread_mutex_lock(&c->lock);
    size_t at = place_at(s, edge);
    bool got = descending ? at > 0 : at < s->count;
    if (got && descending) at--;
    got = got && s->entries[at].block >= s->known;
    if (got) *block = s->entries[at].block;
    *known = s->known;
    pthread_mutex_unlock(&c->lock);
    return got;
}

struct block_value *shelf_get(struct block_cache *c, const struct shelf *s, enum key_kind kind,
                              uint64_t block, uint64_t batch) {
    pthread_mutex_lock(&c->lock);
    const struct entry *e = entry_find(s, block);
    struct block_value *v = e ? e->values[place_of(kind)] : NULL;
    if (v && (e->changed > v->batch || e->changed > batch)) v = NULL;
    if (v) {
        list_unlink(&v->used);
        list_push(&c->values_used, &v->used);
        __atomic_add_fetch(&v->refs, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&c->lock);
    return v;
}

static void keep(struct block_cache *c, struct shelf *s, struct block_value *v) {
    struct entry *e = s->broken ? NULL : entry_make(c, s, v->block);
    if (!e) {
        s->broken = true;
        return;
    }
    if (v->absent) s->absent = true;
    if (e->values[v->kind] && e->values[v->kind]->batch >= v->batch) return;
    value_unput(c, e, v->kind);
    if (c->bytes + bytes_of(v) > c->bytes_max) {
        if (++c->turned_away % ADMIT_EVERY != 0) return;
        trim(c, bytes_of(v));
        e = entry_find(s, v->block);
    }
    e->values[v->kind] = v;
    v->shelf = s;
    v->refs++;
    c->bytes += bytes_of(v);
    list_push(&c->values_used, &v->used);
}

struct block_value *shelf_put(struct block_cache *c, struct shelf *s, enum key_kind kind,
                              uint64_t block, uint64_t batch, const struct slice *value) {
    struct zone zone;
    const bool has_zone = s && value && kind == KEY_BRIEF && zone_of(*value, &zone);
    struct block_value *v = value_new(kind, block, batch, value, has_zone ? &zone : NULL);
    if (!v || !s) return v;
    pthread_mutex_lock(&c->lock);
    keep(c, s, v);
    pthread_mutex_unlock(&c->lock);
    return v;
}
