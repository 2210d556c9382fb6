/* keyring.h - what a gateway checks credentials with; the body of KEYRING.
 *
 * The broker sends it after WELCOME to gateways and again when it changes; the newest replaces
 * all before it, but for one without tokens, which only adds what it holds in `revoked`. On the
 * wire: a map with
 *   tokens   [binary of 32 bytes]: secrets that sign JSON Web Tokens, newest first, at most 2
 *   id_key   binary of 16 bytes: public ids are spelled with it
 *   revoked  [text, or [text, before_s]]: "jti:…" the tokens with that jti, "worker:…" and "user:…"
 *            those of that name; with before_s (unix seconds) only those issued up to then
 *   keys     [[hash (32 bytes), name, role, brand, made_s]]: API keys; hash = BLAKE2b-256 of the
 *            key's text, keyed with id_key; what revokes a token of that name, role and time
 *            revokes the key; without made_s (0) any does
 *
 * Limits: KEYRING_REVOKED_MAX and KEYRING_KEYS_MAX entries. Pure. */
#ifndef RELAIS_PROTO_KEYRING_H
#define RELAIS_PROTO_KEYRING_H
#include "proto/base/bytes.h"
#include "proto/who.h"

enum {
    KEYRING_TOKENS_MAX = 2, KEYRING_SECRET_BYTES = 32, KEYRING_ID_KEY_BYTES = 16,
    KEYRING_HASH_BYTES = 32, KEYRING_REVOKED_MAX = 40000, KEYRING_KEYS_MAX = 10000
};

struct keyring_key {
    uint8_t hash[KEYRING_HASH_BYTES];
    uint32_t brand;
    uint8_t role; /* enum role */
    char name[WHO_NAME_MAX];
    int64_t made_s; /* unix seconds */
};

struct keyring {
    uint8_t tokens[KEYRING_TOKENS_MAX][KEYRING_SECRET_BYTES];
    uint32_t token_count;
    uint8_t id_key[KEYRING_ID_KEY_BYTES];
    struct buffer revoked;  /* owned: 8 bytes of before_s and a NUL-ended text, again and again */
    uint32_t revoked_count;
    struct keyring_key *keys; /* owned */
    uint32_t key_count;
};

void keyring_write(struct buffer *b, const struct keyring *k);
/* One entry of `revoked` alone, for those who hold the rest already. */
void keyring_write_revoked(struct buffer *b, struct slice text, int64_t before_s);
/* Replaces *k, which may be {0}, or adds to it. False when the body is malformed or memory is out;
 * *k is untouched then. */
bool keyring_take(struct keyring *k, struct slice body);
void keyring_free(struct keyring *k);
/* False when the limit is reached or memory is out. */
bool keyring_add_key(struct keyring *k, const struct keyring_key *key);
/* before_s 0 = whatever was issued. */
bool keyring_add_revoked(struct keyring *k, struct slice text, int64_t before_s);
/* Tokens of that kind and name that were issued up to this second are refused; INT64_MIN = none
 * is, INT64_MAX = all are, until a later entry names a second. */
int64_t keyring_revoked_before(const struct keyring *k, const char *kind, const char *name);
/* The key with that hash, or NULL; compares all, in constant time each. */
const struct keyring_key *keyring_find(const struct keyring *k,
                                       const uint8_t hash[KEYRING_HASH_BYTES]);
#endif
