#include "broker/owner.h"
#include <stdlib.h>
#include <string.h>

enum { EXPECTED = 64 };

struct owner {
    struct map_node by_id; /* first: a node is its owner */
    uint64_t id;
    struct who who;
};

static struct owner *owner_of_node(struct map_node *n) { return (struct owner *)(void *)n; }

static struct owner *owner_find(const struct owners *o, uint64_t id) {
    for (struct map_node *n = map_first(&o->by_id, hash_number(id)); n != NULL; n = map_next(n))
        if (owner_of_node(n)->id == id) return owner_of_node(n);
    return NULL;
}

bool owners_open(struct owners *o) { return map_init(&o->by_id, EXPECTED); }

void owners_close(struct owners *o) {
    for (size_t i = 0; o->by_id.buckets != NULL && i <= o->by_id.mask; i++)
        while (o->by_id.buckets[i] != NULL)
            owners_forget(o, owner_of_node(o->by_id.buckets[i])->id);
    map_free(&o->by_id);
}

bool owners_put(struct owners *o, uint64_t id, const struct who *who) {
    struct owner *owner = calloc(1, sizeof *owner);
    if (owner == NULL) return false;
    owner->id = id;
    owner->who = *who;
    map_put(&o->by_id, &owner->by_id, hash_number(id));
    return true;
}

bool owners_match(const struct owners *o, uint64_t id, const struct who *who) {
    const struct owner *owner = owner_find(o, id);
    return owner != NULL && owner->who.brand == who->brand && owner->who.role == who->role &&
           strcmp(owner->who.name, who->name) == 0;
}

void owners_forget(struct owners *o, uint64_t id) {
    struct owner *owner = owner_find(o, id);
    if (owner == NULL) return;
    map_remove(&o->by_id, &owner->by_id);
    free(owner);
}
