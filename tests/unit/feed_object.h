/* feed_object.h - objects as a core would emit them, and what a store must then say of them.
 *
 * One kind, two brands. Keys pass from one object to another within a group; owners and ends come
 * and go; a name that was dropped is taken by another object. */
#ifndef RELAIS_TESTS_UNIT_FEED_OBJECT_H
#define RELAIS_TESTS_UNIT_FEED_OBJECT_H
#include "proto/message.h"
#include "store/codec.h"
#include <assert.h>
#include <stdio.h>

enum { FEED_OBJECTS = 80 /* in all brands */, FEED_OWNERS = 3, FEED_OBJECT_KIND = 2,
       FEED_SHARED = 6 /* keys that pass around, of each brand */ };

struct feed_object {
    bool there;
    struct object_record record, stored; /* texts lie below */
    char name[8], owner[8], stored_owner[8];
    uint8_t keys[64], stored_keys[64];
};

struct feed_objects {
    struct feed_object list[FEED_OBJECTS];
    struct feed_object *holder[2][FEED_SHARED];
    uint64_t count; /* of those that are there */
};

/* Gives the object its keys: one of its own, and the shared ones that it holds. */
static inline void feed_object_keys(struct feed_objects *all, struct feed_object *o, bool own) {
    struct buffer b = {0};
    char key[24];
    snprintf(key, sizeof key, "%s.k", o->name);
    if (own) text_put(&b, slice_text(key));
    for (int i = 0; i < FEED_SHARED; i++) {
        snprintf(key, sizeof key, "shared%d", i);
        if (all->holder[o->record.brand - 1][i] == o) text_put(&b, slice_text(key));
    }
    assert(!b.failed && b.len <= sizeof o->keys);
    if (b.len) memcpy(o->keys, b.data, b.len);
    o->record.keys = slice_of(o->keys, b.len);
    buffer_free(&b);
}

static inline void feed_object_gone(struct feed_object *o, struct buffer *b) {
    struct record r = {.kind = RECORD_OBJECT_GONE, .object = o->stored};
    r.object.body = (struct slice){0};
    if (o->stored.id) record_encode(b, &r);
    o->stored.id = 0;
}

/* What the store now has of it. */
static inline void feed_object_put(struct feed_object *o, struct buffer *b) {
    struct record r = {.kind = RECORD_OBJECT, .object = o->record};
    record_encode(b, &r);
    o->stored = o->record;
    memcpy(o->stored_keys, o->keys, sizeof o->keys);
    memcpy(o->stored_owner, o->owner, sizeof o->owner);
    o->stored.keys = slice_of(o->stored_keys, o->record.keys.len);
    o->stored.owner = slice_text(o->stored_owner);
}

/* One change: at most two objects, first all that goes, then all that is. */
static inline void feed_object_change(struct feed_objects *all, uint32_t which, uint64_t random,
                                      uint64_t *next_id, int64_t now_ms, struct buffer *b) {
    struct feed_object *o = &all->list[which], *lost = NULL;
    struct object_record *r = &o->record;
    uint32_t shared = (uint32_t)(random % FEED_SHARED), brand = 1 + which % 2;
    bool drop = o->there && random >> 8 & 1 && random >> 9 & 1;
    struct feed_object **holder = &all->holder[brand - 1][shared];
    snprintf(o->name, sizeof o->name, "n%u", which / 2);
    if (!o->there) *r = (struct object_record){.id = (*next_id)++, .created_ms = now_ms};
    all->count += (uint64_t)!o->there - drop;
    r->kind = FEED_OBJECT_KIND;
    r->brand = brand;
    r->version++;
    r->updated_ms = now_ms;
    r->name = slice_text(o->name);
    r->body = slice_of("body", random >> 20 & 3);
    r->until_ms = random >> 12 & 1 ? now_ms + (int64_t)(random >> 24 & 0xfff) : 0;
    o->owner[0] = 0;
    if (random >> 13 & 1) snprintf(o->owner, sizeof o->owner, "o%u",
                                   (unsigned)(random >> 30) % FEED_OWNERS);
    r->owner = slice_text(o->owner);
    o->there = !drop;
    if (drop) {
        for (int i = 0; i < FEED_SHARED; i++)
            if (all->holder[brand - 1][i] == o) all->holder[brand - 1][i] = NULL;
    } else if (*holder != o) {
        lost = *holder;
        *holder = o;
    }
    if (lost) feed_object_keys(all, lost, random >> 14 & 1);
    feed_object_keys(all, o, random >> 15 & 1);
    feed_object_gone(o, b);
    if (lost) feed_object_gone(lost, b);
    if (lost) feed_object_put(lost, b);
    if (!drop) feed_object_put(o, b);
}
#endif
