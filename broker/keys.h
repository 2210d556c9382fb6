/* keys.h - the registry of keys in DATA/keys/: who may connect, and what gateways accept.
 *
 *   DATA/keys/curve/HEX     a CURVE public key (file name: its 64 hex digits), with the metadata
 *                           name, role, brand, queues; a ZeroMQ certificate
 *   DATA/keys/api/HEX       an API key's hash; one line each: name, role, brand, and the unix
 *                           second in which it was made
 *   DATA/keys/own/NAME      certificates with secret keys that `relais key curve` made here
 *
 * One file is one entry, written whole and renamed: the registry needs no lock, may be changed
 * while a server runs, and taking a file away revokes what it granted. The CURVE folder is read
 * by the ZAP handler at each handshake; all are looked at every KEYS_LOOK_MS and when a gateway
 * connects, and connections whose key has gone are then refused.
 *
 * Keys are files because they open doors before a server runs. What is revoked are objects of the
 * kind revocation (proto/account.h), for they come from gateways and end by themselves: the shell
 * reads them when the store is up and puts them into the ring here. */
#ifndef RELAIS_BROKER_KEYS_H
#define RELAIS_BROKER_KEYS_H
#include "broker/secret.h"
#include "proto/keyring.h"

enum { KEYS_LOOK_MS = 1000, KEYS_PATH_MAX = 4300 };

struct keys { /* owned by one thread */
    char folder[KEYS_PATH_MAX];
    int64_t changed[2]; /* of api and curve, when last looked at; nanoseconds */
    int64_t look_at_ms;
    struct keyring ring; /* `revoked` is the shell's */
    struct buffer body; /* the ring as KEYRING carries it; see keys_body */
    bool old;           /* the body is older than the ring */
};

/* Makes the folders and reads them. */
bool keys_open(struct keys *k, const char *data, const struct secret *secret, char *why,
               size_t why_size);
void keys_free(struct keys *k);
/* What changed since, as enum keys_change; with KEYS_RING the body is new. Looks at most every
 * KEYS_LOOK_MS. */
enum keys_change { KEYS_SAME = 0, KEYS_RING = 1, KEYS_CURVE = 2 };
unsigned keys_look(struct keys *k, int64_t now_ms);
/* The ring as KEYRING carries it; borrowed until the next change. */
struct slice keys_body(struct keys *k);
/* One more revocation. False when there is no room. */
bool keys_add_revoked(struct keys *k, struct slice text, int64_t before_s);
/* The ring's revocations become these (a keyring's `revoked` and count; taken). */
void keys_set_revoked(struct keys *k, struct buffer *revoked, uint32_t count);
/* True while the CURVE key with these hex digits is registered. */
bool keys_has_curve(const char *data, const char *hex);

struct key_entry { /* one registered key */
    char name[WHO_NAME_MAX];
    uint8_t role;
    uint32_t brand;   /* 0 = all */
    char queues[1024]; /* comma list; "" = all */
};
/* Reads the entry of a CURVE public key (32 bytes); false when it is not registered. */
bool keys_find_curve(const char *folder, const uint8_t public_key[32], struct key_entry *entry);
/* Registers a new CURVE pair; writes where its secret certificate is. */
bool keys_make_curve(const char *data, const struct key_entry *entry, char *path, size_t path_size,
                     char public_text[CURVE_TEXT_SIZE], char *why, size_t why_size);
/* Registers a new API key; its text is shown once. */
bool keys_make_api(const char *data, const struct secret *secret, const struct key_entry *entry,
                   char text[64], char *why, size_t why_size);
#endif
