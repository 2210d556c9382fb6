#include "gateway/account_flow.h"
#include "gateway/jwt.h"
#include <stdio.h>
#include <string.h>

/* True the first time since the keyring changed; a name that shares its place with another one is
 * seen anew now and then, which costs a message and nothing else. */
static bool seen_first(struct server *s, uint64_t hash) {
    uint64_t *place = &s->sights[hash % SIGHTS];
    if (*place == hash) return false;
    *place = hash;
    return true;
}

static void create(struct exchange *x, const char *kind, const char *name, const struct buffer *b,
                   struct slice key, const char *owner) {
    struct message m = object_message(VERB_PUT, kind, slice_text(name));
    m.object.body = buffer_slice(b);
    m.object.mode = PUT_CREATE;
    if (owner != NULL) m.object.options.owner = slice_text(owner);
    m.object.options.keys = key;
    m.object.options.key_count = key.len > 0;
    link_tell(request_of(x)->server->link, &account_house, &m);
}

static void user_create(struct exchange *x, const struct credential *c) {
    struct account_body a = {.role = c->role, .brand_admin = c->brand_admin};
    struct buffer b = {0};
    a.brand_count = c->brand_count < ACCOUNT_BRANDS_MAX ? c->brand_count : ACCOUNT_BRANDS_MAX;
    memcpy(a.brands, c->brands, a.brand_count * sizeof *a.brands);
    account_write(&b, &a);
    create(x, "user", c->name, &b, (struct slice){0},
           exchange_print(x, "%u", account_home(&a)));
    buffer_free(&b);
}

static void brand_create(struct exchange *x, uint32_t brand) {
    char number[16], name[24], key[ACCOUNT_KEY_SIZE];
    struct buffer b = {0}, keys = {0};
    snprintf(number, sizeof number, "%u", brand);
    snprintf(name, sizeof name, "brand-%u", brand);
    account_key(key, "name", slice_text(name));
    text_put(&keys, slice_text(key));
    brand_write(&b, slice_text(name));
    create(x, "brand", number, &b, buffer_slice(&keys), NULL);
    buffer_free(&b);
    buffer_free(&keys);
}

void account_sight(struct exchange *x, const struct credential *c) {
    struct server *s = request_of(x)->server;
    const bool person = c->role == ROLE_ADMIN || c->role == ROLE_USER;
    if (s->link == NULL || c->jti[0] == 0 || c->limited || !person) return;
    if (!c->login && seen_first(s, hash_bytes(s->ring_version, c->name, strlen(c->name))))
        user_create(x, c);
    for (uint32_t i = 0; i < c->brand_count; i++)
        if (seen_first(s, hash_bytes(~s->ring_version, &c->brands[i], sizeof *c->brands)))
            brand_create(x, c->brands[i]);
}
