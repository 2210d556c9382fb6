#include "broker/core/cache.h"
#include "broker/core/effect.h"
#include <stdlib.h>

enum { TRIM_STEPS = 64, NAME_COST = 64, SLACK_BYTES = 8 << 20 /* some of the largest objects */,
       NEEDS_MAX = 8 /* loads that one event may ask for after it found this one */ };

/* ---- names ---- */

static uint64_t name_hash(uint8_t kind, uint32_t brand, struct slice name) {
    return hash_bytes(hash_number((uint64_t)kind << 32 | brand), name.data, name.len);
}

static struct object_name *name_find(const struct core *c, uint8_t kind, uint32_t brand,
                                     struct slice name) {
    uint64_t hash = name_hash(kind, brand, name);
    for (struct map_node *n = map_first(&c->object_names, hash); n; n = map_next(n)) {
        struct object_name *x = owner_of(n, struct object_name, by_key);
        if (x->kind == kind && x->brand == brand &&
            slice_equal(slice_of(x->bytes, x->len), name))
            return x;
    }
    return NULL;
}

/* From now on the name stands for o. */
static void name_give(struct core *c, struct object *o, uint8_t kind, uint32_t brand,
                      struct slice name) {
    struct object_name *x = name_find(c, kind, brand, name);
    if (x) {
        list_unlink(&x->in_object);
    } else {
        x = malloc(sizeof *x + name.len);
        assert(x != NULL);
        *x = (struct object_name){.kind = kind, .brand = brand, .len = (uint16_t)name.len};
        if (name.len) memcpy(x->bytes, name.data, name.len);
        map_put(&c->object_names, &x->by_key, name_hash(kind, brand, name));
        c->object_bytes += sizeof *x + name.len + NAME_COST;
    }
    x->object = o;
    list_push(&o->names, &x->in_object);
}

static void names_give(struct core *c, struct object *o) {
    const struct object_record *r = &o->record;
    struct slice key;
    name_give(c, o, r->kind, r->brand, r->name);
    for (uint32_t at = 0; text_next(r->keys, &at, &key);)
        name_give(c, o, r->kind, r->brand, key);
}

/* ---- objects ---- */

static uint64_t id_hash(uint8_t kind, uint64_t id) {
    return hash_number(id ^ (uint64_t)kind << 56);
}

struct object *cache_held(const struct core *c, uint8_t kind, uint64_t id) {
    struct map_node *n = map_first(&c->object_ids, id_hash(kind, id));
    for (; n; n = map_next(n)) {
        struct object *o = owner_of(n, struct object, by_id);
        if (o->record.id == id && o->record.kind == kind) return o;
    }
    return NULL;
}

static struct object *object_new(struct core *c, uint8_t kind, uint64_t id) {
    struct object *o = calloc(1, sizeof *o);
    assert(o != NULL);
    list_init(&o->names);
    list_init(&o->dirty);
    o->record.kind = kind;
    o->record.id = id;
    o->gone = true;
    o->counted = true;
    o->free_after = c->ticket;
    o->size = sizeof *o;
    c->object_bytes += o->size;
    if (id) map_put(&c->object_ids, &o->by_id, id_hash(kind, id));
    list_push(&c->objects_held, &o->in_order);
    return o;
}

static void object_free(struct core *c, struct object *o) {
    for (struct node *n; (n = list_first(&o->names));) {
        struct object_name *x = owner_of(n, struct object_name, in_object);
        c->object_bytes -= sizeof *x + x->len + NAME_COST;
        map_remove(&c->object_names, &x->by_key);
        list_unlink(n);
        free(x);
    }
    if (o->record.id) map_remove(&c->object_ids, &o->by_id);
    list_unlink(&o->in_order);
    list_unlink(&o->dirty);
    c->object_bytes -= o->size;
    free(o->block);
    free(o);
}

/* It is needed: it goes last, and not before the loads that are out now. */
static void object_use(struct core *c, struct object *o) {
    list_unlink(&o->in_order);
    list_push(&c->objects_held, &o->in_order);
    if (o->counted) o->free_after = c->ticket + NEEDS_MAX;
}

static uint8_t *slice_move(uint8_t *at, struct slice *s) {
    if (s->len) memcpy(at, s->data, s->len);
    s->data = s->len ? at : NULL;
    return at + s->len;
}

/* Copies the record with all its bytes; what it is copied from may be the object's own. */
static void object_hold(struct core *c, struct object *o, const struct object_record *record) {
    struct object_record r = *record;
    struct slice *slices[] = {&r.name, &r.keys, &r.owner, &r.body, &r.file_name, &r.file_mime,
                              &r.file_hash};
    enum { SLICES = sizeof slices / sizeof *slices };
    size_t len = 0;
    for (int i = 0; i < SLICES; i++) len += slices[i]->len;
    uint8_t *block = malloc(len ? len : 1), *at = block;
    assert(block != NULL);
    for (int i = 0; i < SLICES; i++) at = slice_move(at, slices[i]);
    free(o->block);
    o->block = block;
    o->record = r;
    c->object_bytes += sizeof *o + len - o->size;
    o->size = sizeof *o + len;
}

/* ---- finding ---- */

bool cache_full(const struct core *c) {
    return c->object_bytes >= 2 * c->limits.object_cache_bytes + SLACK_BYTES;
}

struct object *cache_named(struct core *c, const struct need *need) {
    struct object_name *x = name_find(c, need->object, need->brand, need->key);
    if (x) object_use(c, x->object);
    return x ? x->object : NULL;
}

enum found cache_find(struct core *c, const struct event *e, const struct need *need,
                      struct object **o) {
    if (need->key.len) {
        *o = cache_named(c, need);
    } else {
        *o = cache_held(c, need->object, need->id);
    }
    if (!*o) return park(c, e, need);
    object_use(c, *o);
    return HELD;
}

struct object *cache_adopt(struct core *c, const struct object_record *record) {
    struct object *o = cache_held(c, record->kind, record->id);
    if (o) return o;
    o = object_new(c, record->kind, record->id);
    o->gone = false;
    object_hold(c, o, record);
    names_give(c, o);
    return o;
}

/* Nothing was found: that is held as well. */
static void absent_hold(struct core *c, const struct need *need) {
    uint8_t kind = need->kind == NEED_FILE ? FILE_HELD : need->object;
    if (!need->key.len) {
        if (!cache_held(c, kind, need->id)) object_new(c, kind, need->id);
    } else if (!name_find(c, kind, need->brand, need->key)) {
        name_give(c, object_new(c, kind, 0), kind, need->brand, need->key);
    }
}

void cache_loaded(struct core *c, const struct event *e) {
    const struct need *need = &e->need;
    bool held = need->key.len ? name_find(c, need->object, need->brand, need->key) != NULL
                              : cache_held(c, need->object, need->id) != NULL;
    if (held) return;
    for (uint32_t i = 0; i < e->record_count; i++) {
        const struct record *r = &e->records[i];
        if (r->kind == RECORD_OBJECT) cache_adopt(c, &r->object);
        if (r->kind == RECORD_FILE)
            object_new(c, FILE_HELD, r->file.file)->gone = false;
    }
    if (!e->more) absent_hold(c, need);
}

/* ---- changing ---- */

static void object_changed(struct core *c, struct object *o) {
    o->closes = c->closes;
    o->counted = false;
}

/* Remembers, once a group, what the store's keys of it are made of. */
static void object_dirty(struct core *c, struct object *o, bool stored) {
    object_changed(c, o);
    if (!list_empty(&o->dirty)) return;
    list_push(&c->objects_dirty, &o->dirty);
    o->stored = (struct object_record){0};
    if (!stored) return;
    const struct object_record *r = &o->record;
    o->stored = (struct object_record){
        .id = r->id, .kind = r->kind, .brand = r->brand, .until_ms = r->until_ms,
        .name = note_keep(c, r->name), .keys = note_keep(c, r->keys),
        .owner = note_keep(c, r->owner)};
}

struct object *cache_new(struct core *c, uint8_t kind, uint64_t id) {
    return object_new(c, kind, id);
}

/* Names it has no longer stand for nothing. */
static void names_leave(struct core *c, struct object *o) {
    struct object *none = NULL;
    for (struct node *n = o->names.next, *next; n != &o->names; n = next) {
        struct object_name *x = owner_of(n, struct object_name, in_object);
        struct slice name = slice_of(x->bytes, x->len), key;
        next = n->next;
        bool stays = slice_equal(name, o->record.name);
        for (uint32_t at = 0; !stays && text_next(o->record.keys, &at, &key);)
            stays = slice_equal(name, key);
        if (stays) continue;
        if (!none) {
            none = object_new(c, x->kind, 0);
            object_changed(c, none);
        }
        list_unlink(n);
        x->object = none;
        list_push(&none->names, n);
    }
}

void cache_set(struct core *c, struct object *o, const struct object_record *record) {
    if (record->kind == FILE_HELD) object_changed(c, o);
    else object_dirty(c, o, !o->gone);
    o->gone = false;
    object_hold(c, o, record);
    if (record->kind == FILE_HELD) return;
    names_give(c, o);
    names_leave(c, o);
}

void cache_drop(struct core *c, struct object *o) {
    assert(!o->gone);
    object_dirty(c, o, true);
    o->gone = true;
}

/* ---- leaving ---- */

void cache_trim(struct core *c) {
    for (int i = 0; i < TRIM_STEPS && c->object_bytes > c->limits.object_cache_bytes; i++) {
        struct node *n = list_first(&c->objects_held);
        if (!n) return;
        struct object *o = owner_of(n, struct object, in_order);
        bool written = list_empty(&o->dirty) && o->closes < c->closes;
        bool unneeded = o->counted ? !park_older(c, o->free_after)
                                   : core_bug(c, BUG_STALE_OBJECT);
        if (written && unneeded) {
            object_free(c, o);
            continue;
        }
        if (written && !o->counted) {
            o->counted = true;
            o->free_after = c->ticket;
        }
        list_unlink(n);
        list_push(&c->objects_held, n);
    }
}

static bool place_same(const struct object_record *a, const struct object_record *b) {
    return a->until_ms == b->until_ms && slice_equal(a->keys, b->keys) &&
           slice_equal(a->owner, b->owner);
}

/* First all that goes, then all that is: a name may have passed from one to another. */
void cache_close(struct core *c) {
    for (struct node *n = c->objects_dirty.next; n != &c->objects_dirty; n = n->next) {
        struct object *o = owner_of(n, struct object, dirty);
        bool moved = o->stored.id && (o->gone || !place_same(&o->stored, &o->record));
        if (moved && !(o->gone && core_bug(c, BUG_DROP_TWICE)))
            record_put(c, RECORD_OBJECT_GONE)->object = o->stored;
    }
    for (struct node *n; (n = list_first(&c->objects_dirty));) {
        struct object *o = owner_of(n, struct object, dirty);
        list_unlink(n);
        if (!o->gone) record_put(c, RECORD_OBJECT)->object = o->record;
    }
    c->closes++;
}

void cache_free(struct core *c) {
    for (struct node *n; (n = list_first(&c->objects_held));)
        object_free(c, owner_of(n, struct object, in_order));
}
