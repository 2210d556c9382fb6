/* keyring.h - what a gateway checks credentials with; the body of KEYRING.
 *
 * The broker sends it after WELCOME to gateways and again when it changes; the newest replaces
 * all before it. On the wire: a map with
 *   tokens   [binary of 32 bytes]: secrets that sign JSON Web Tokens, newest first, at most 2
 *   id_key   binary of 16 bytes: public ids are spelled with it
 *   revoked  [text]: "jti:…" a token by its jti, "worker:…" every token of that worker
 *   keys     [[hash (32 bytes), name, role, brand]]: API keys; hash = BLAKE2b-256 of the key's
 *            text, keyed with id_key
 *
 * Limits: KEYRING_REVOKED_MAX and KEYRING_KEYS_MAX entries. Pure. */
#ifndef RELAIS_PROTO_KEYRING_H
#define RELAIS_PROTO_KEYRING_H
#include "proto/base/bytes.h"
#include "proto/who.h"

enum {
    KEYRING_TOKENS_MAX = 2, KEYRING_SECRET_BYTES = 32, KEYRING_ID_KEY_BYTES = 16,
    KEYRING_HASH_BYTES = 32, KEYRING_REVOKED_MAX = 10000, KEYRING_KEYS_MAX = 10000
};

struct keyring_key {
    uint8_t hash[KEYRING_HASH_BYTES];
    uint32_t brand;
    uint8_t role; /* enum role */
    char name[WHO_NAME_MAX];
};

struct keyring {
    uint8_t tokens[KEYRING_TOKENS_MAX][KEYRING_SECRET_BYTES];
    uint32_t token_count;
    uint8_t id_key[KEYRING_ID_KEY_BYTES];
    struct buffer revoked;  /* owned: NUL-ended texts, one after the other */
    uint32_t revoked_count;
    struct keyring_key *keys; /* owned */
    uint32_t key_count;
};

void keyring_write(struct buffer *b, const struct keyring *k);
/* False when it is malformed or memory is out; *ret is untouched then. */
bool keyring_read(struct keyring *ret, struct slice body);
void keyring_free(struct keyring *k);
/* False when the limit is reached or memory is out. */
bool keyring_add_key(struct keyring *k, const struct keyring_key *key);
bool keyring_add_revoked(struct keyring *k, struct slice text);
bool keyring_is_revoked(const struct keyring *k, const char *kind, const char *name);
/* The key with that hash, or NULL; compares all, in constant time each. */
const struct keyring_key *keyring_find(const struct keyring *k,
                                       const uint8_t hash[KEYRING_HASH_BYTES]);
#endif
