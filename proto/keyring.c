/* keyring.c - see keyring.h. */
#include "proto/keyring.h"
#include "proto/decode.h"
#include "proto/encode.h"
#include <stdlib.h>

/* The entry at *at, which moves behind it. */
static const char *entry_at(const uint8_t **at, int64_t *before_s) {
    memcpy(before_s, *at, sizeof *before_s);
    const char *text = (const char *)*at + sizeof *before_s;
    *at += sizeof *before_s + strlen(text) + 1;
    return text;
}

static void revoked_write(struct buffer *b, struct slice text, int64_t before_s) {
    if (before_s > 0) encode_array(b, 2);
    encode_text(b, text);
    if (before_s > 0) encode_int(b, before_s);
}

void keyring_write_revoked(struct buffer *b, struct slice text, int64_t before_s) {
    encode_map(b, 1);
    encode_text(b, slice_text("revoked"));
    encode_array(b, 1);
    revoked_write(b, text, before_s);
}

void keyring_write(struct buffer *b, const struct keyring *k) {
    encode_map(b, 4);
    encode_text(b, slice_text("tokens"));
    encode_array(b, k->token_count);
    for (uint32_t i = 0; i < k->token_count; i++)
        encode_bin(b, slice_of(k->tokens[i], KEYRING_SECRET_BYTES));
    encode_text(b, slice_text("id_key"));
    encode_bin(b, slice_of(k->id_key, KEYRING_ID_KEY_BYTES));
    encode_text(b, slice_text("revoked"));
    encode_array(b, k->revoked_count);
    const uint8_t *at = k->revoked.data;
    for (uint32_t i = 0; i < k->revoked_count; i++) {
        int64_t before_s;
        const char *text = entry_at(&at, &before_s);
        revoked_write(b, slice_text(text), before_s);
    }
    encode_text(b, slice_text("keys"));
    encode_array(b, k->key_count);
    for (uint32_t i = 0; i < k->key_count; i++) {
        const struct keyring_key *key = &k->keys[i];
        encode_array(b, 5);
        encode_bin(b, slice_of(key->hash, KEYRING_HASH_BYTES));
        encode_text(b, slice_text(key->name));
        encode_uint(b, key->role);
        encode_uint(b, key->brand);
        encode_int(b, key->made_s);
    }
}

static bool bytes_read(struct decode *d, uint8_t *out, size_t len) {
    struct slice bytes;
    if (!decode_slice(d, &bytes) || bytes.len != len) return false;
    memcpy(out, bytes.data, len);
    return true;
}

static bool tokens_read(struct decode *d, struct keyring *k) {
    if (!decode_array(d, &k->token_count) || k->token_count > KEYRING_TOKENS_MAX) return false;
    for (uint32_t i = 0; i < k->token_count; i++)
        if (!bytes_read(d, k->tokens[i], KEYRING_SECRET_BYTES)) return false;
    return true;
}

static bool revoked_read(struct decode *d, struct keyring *k) {
    uint32_t count;
    struct slice text;
    if (!decode_array(d, &count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t members = 1;
        int64_t before_s = 0;
        const bool timed = d->at < d->end && *d->at == 0x92;
        if (timed && !decode_array(d, &members)) return false;
        if (!decode_slice(d, &text) || (timed && !decode_int(d, &before_s))) return false;
        if (before_s < 0 || !keyring_add_revoked(k, text, before_s)) return false;
    }
    return true;
}

static bool key_read(struct decode *d, struct keyring_key *key) {
    uint32_t count;
    uint64_t role, brand;
    struct slice name;
    if (!decode_array(d, &count) || count < 4 || count > 5) return false;
    if (!bytes_read(d, key->hash, KEYRING_HASH_BYTES) || !decode_slice(d, &name)) return false;
    if (!decode_uint(d, &role) || !decode_uint(d, &brand)) return false;
    if (count > 4 && !decode_int(d, &key->made_s)) return false;
    if (name.len >= sizeof key->name || role > UINT8_MAX || brand > UINT32_MAX) return false;
    if (name.len > 0) memcpy(key->name, name.data, name.len);
    key->role = (uint8_t)role;
    key->brand = (uint32_t)brand;
    return true;
}

static bool keys_read(struct decode *d, struct keyring *k) {
    uint32_t count;
    if (!decode_array(d, &count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        struct keyring_key key = {0};
        if (!key_read(d, &key) || !keyring_add_key(k, &key)) return false;
    }
    return true;
}

static bool member_read(struct decode *d, struct keyring *k) {
    struct slice name;
    if (!decode_slice(d, &name)) return false;
    if (slice_equal(name, slice_text("tokens"))) return tokens_read(d, k);
    if (slice_equal(name, slice_text("id_key")))
        return bytes_read(d, k->id_key, KEYRING_ID_KEY_BYTES);
    if (slice_equal(name, slice_text("revoked"))) return revoked_read(d, k);
    if (slice_equal(name, slice_text("keys"))) return keys_read(d, k);
    return decode_skip(d, 1);
}

/* What the addition holds moves into *k, as far as there is room. */
static bool revoked_join(struct keyring *k, const struct keyring *more) {
    if (k->revoked_count + more->revoked_count > KEYRING_REVOKED_MAX) return false;
    buffer_append(&k->revoked, more->revoked.data, more->revoked.len);
    if (k->revoked.failed) return false;
    k->revoked_count += more->revoked_count;
    return true;
}

bool keyring_take(struct keyring *k, struct slice body) {
    struct keyring new = {0};
    struct decode d = decode_of(body.data, body.len);
    uint32_t members;
    bool good = decode_map(&d, &members);
    for (uint32_t i = 0; good && i < members; i++) good = member_read(&d, &new);
    const bool whole = new.token_count > 0;
    if (good && !whole) good = k->token_count > 0 && revoked_join(k, &new);
    if (!good || !whole) {
        keyring_free(&new);
        return good;
    }
    keyring_free(k);
    *k = new;
    return true;
}

void keyring_free(struct keyring *k) {
    buffer_free(&k->revoked);
    free(k->keys);
    *k = (struct keyring){0};
}

bool keyring_add_key(struct keyring *k, const struct keyring_key *key) {
    if (k->key_count >= KEYRING_KEYS_MAX) return false;
    if ((k->key_count & (k->key_count - 1)) == 0) { /* full at each power of two */
        const size_t cap = k->key_count == 0 ? 1 : 2 * (size_t)k->key_count;
        struct keyring_key *keys = realloc(k->keys, cap * sizeof *keys);
        if (keys == NULL) return false;
        k->keys = keys;
    }
    k->keys[k->key_count++] = *key;
    return true;
}

bool keyring_add_revoked(struct keyring *k, struct slice text, int64_t before_s) {
    if (k->revoked_count >= KEYRING_REVOKED_MAX) return false;
    if (text.len == 0 || memchr(text.data, 0, text.len) != NULL) return false;
    buffer_append(&k->revoked, &before_s, sizeof before_s);
    buffer_append(&k->revoked, text.data, text.len);
    buffer_byte(&k->revoked, 0);
    k->revoked_count++;
    return !k->revoked.failed;
}

int64_t keyring_revoked_before(const struct keyring *k, const char *kind, const char *name) {
    const size_t len = strlen(kind);
    const uint8_t *at = k->revoked.data;
    int64_t newest_s = INT64_MIN;
    for (uint32_t i = 0; i < k->revoked_count; i++) {
        int64_t before_s;
        const char *text = entry_at(&at, &before_s);
        if (strncmp(text, kind, len) != 0 || text[len] != ':' || strcmp(text + len + 1, name) != 0)
            continue;
        const bool lifted = newest_s == INT64_MAX; /* what all were refused for is over */
        if (before_s == 0) newest_s = INT64_MAX;
        else if (lifted || before_s > newest_s) newest_s = before_s;
    }
    return newest_s;
}

const struct keyring_key *keyring_find(const struct keyring *k,
                                       const uint8_t hash[KEYRING_HASH_BYTES]) {
    const struct keyring_key *found = NULL;
    for (uint32_t i = 0; i < k->key_count; i++) {
        uint8_t differ = 0;
        for (int b = 0; b < KEYRING_HASH_BYTES; b++) differ |= k->keys[i].hash[b] ^ hash[b];
        if (differ == 0) found = &k->keys[i];
    }
    return found;
}
