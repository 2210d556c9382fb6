#include "gateway/jwt.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t hash, ring_version;
    char *text; /* owned; NULL = free */
    size_t len;
    struct credential credential;
};
struct jwt_cache {
    uint8_t secret[crypto_shorthash_KEYBYTES];
    struct entry entries[JWT_CACHE_MAX];
};

struct jwt_cache *jwt_cache_new(void) {
    struct jwt_cache *c = calloc(1, sizeof *c);
    if (c == NULL) abort();
    crypto_shorthash_keygen(c->secret);
    return c;
}

static void entry_wipe(struct entry *e) {
    if (e->text != NULL) sodium_memzero(e->text, e->len);
    free(e->text);
    *e = (struct entry){0};
}

void jwt_cache_destroy(struct jwt_cache **self) {
    if (*self == NULL) return;
    for (int i = 0; i < JWT_CACHE_MAX; i++) entry_wipe(&(*self)->entries[i]);
    sodium_memzero((*self)->secret, sizeof (*self)->secret);
    free(*self);
    *self = NULL;
}

static bool name_revoked(const struct keyring *ring, uint8_t role, const char *name,
                         int64_t issued_s) {
    const char *kind = token_role_name(role);
    if (role == ROLE_ADMIN) kind = "user"; /* both are people */
    return keyring_revoked_before(ring, kind, name) >= issued_s;
}

static bool token_read(const struct keyring *ring, struct slice text, int64_t now_s,
                       struct credential *ret, const char **why) {
    struct token_secret secrets[TOKEN_SECRETS_MAX];
    struct token token;
    uint32_t count = ring->token_count < TOKEN_SECRETS_MAX ? ring->token_count : TOKEN_SECRETS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(secrets[i].bytes, ring->tokens[i], sizeof secrets[i].bytes);
    }
    enum code code = token_verify(&token, text, secrets, count, now_s, why);
    sodium_memzero(secrets, sizeof secrets);
    if (code != CODE_OK) return false;
    *why = "type";
    if (strcmp(token.type, "refresh") == 0) return false;
    *why = "revoked";
    if (token.jti[0] != '\0' && keyring_revoked_before(ring, "jti", token.jti) >= token.issued_s)
        return false;
    if (name_revoked(ring, token.role, token.name, token.issued_s)) return false;
    *ret = (struct credential){.role = token.role, .brand_admin = token.brand_admin,
                               .brand_count = token.brand_count, .boot = token.boot,
                               .limited = strcmp(token.type, "limited") == 0,
                               .login = strcmp(token.type, "login") == 0,
                               .expires_s = token.expires_s};
    memcpy(ret->jti, token.jti, sizeof ret->jti);
    memcpy(ret->brands, token.brands, sizeof ret->brands);
    memcpy(ret->name, token.name, sizeof ret->name);
    return true;
}

static bool key_read(const struct keyring *ring, struct slice text, struct credential *ret,
                     const char **why) {
    uint8_t hash[KEYRING_HASH_BYTES];
    crypto_generichash(hash, sizeof hash, text.data, text.len, ring->id_key, sizeof ring->id_key);
    const struct keyring_key *key = keyring_find(ring, hash);
    *why = "key";
    if (key == NULL) return false;
    *why = "revoked";
    if (name_revoked(ring, key->role, key->name, key->made_s)) return false;
    *ret = (struct credential){.role = key->role, .brand_count = key->brand != 0,
                               .brands = {key->brand}, .expires_s = INT64_MAX};
    memcpy(ret->name, key->name, sizeof ret->name);
    return true;
}

static bool entry_is(const struct entry *e, uint64_t hash, struct slice text) {
    return e->text != NULL && e->hash == hash && e->len == text.len &&
           memcmp(e->text, text.data, text.len) == 0;
}

static bool entry_holds(const struct entry *e, uint64_t ring_version, int64_t now_s) {
    return e->ring_version == ring_version && now_s < e->credential.expires_s;
}

const struct credential *jwt_check(struct jwt_cache *c, const struct keyring *ring,
                                   uint64_t ring_version, const char *text, int64_t now_s,
                                   uint64_t *place, const char **why) {
    struct slice slice = slice_text(text);
    struct credential credential;
    uint64_t hash = *place;
    *why = "size";
    if (slice.len > TOKEN_BYTES_MAX) return NULL;
    /* its own text, brought again: what it could learn from the time that takes, it knows */
    struct entry *e = &c->entries[hash % JWT_CACHE_MAX];
    if (hash != 0 && entry_is(e, hash, slice) && entry_holds(e, ring_version, now_s))
        return &e->credential;
    crypto_shorthash((uint8_t *)&hash, slice.data, slice.len, c->secret);
    e = &c->entries[hash % JWT_CACHE_MAX];
    /* the keyed hash is equal: no prefix to probe */
    if (entry_is(e, hash, slice) && entry_holds(e, ring_version, now_s)) {
        *place = hash;
        return &e->credential;
    }
    bool token = memchr(text, '.', slice.len) != NULL;
    if (!(token ? token_read(ring, slice, now_s, &credential, why)
                : key_read(ring, slice, &credential, why))) {
        return NULL;
    }
    entry_wipe(e);
    if ((e->text = malloc(slice.len + 1)) == NULL) abort();
    memcpy(e->text, text, slice.len + 1);
    e->len = slice.len;
    e->hash = hash;
    e->ring_version = ring_version;
    e->credential = credential;
    *place = hash;
    return &e->credential;
}
