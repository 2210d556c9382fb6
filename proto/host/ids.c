#include "proto/host/ids.h"
#include <assert.h>
#include <sodium.h>

static uint64_t keyed_hash(const void *context, const void *data, size_t len) {
    uint64_t hash;
    static_assert(sizeof hash == crypto_shorthash_BYTES, "a tag is 64 bits");
    crypto_shorthash((unsigned char *)&hash, data, len, context);
    return hash;
}

struct id_key id_key_of(const uint8_t *key) {
    static const uint8_t none[crypto_shorthash_KEYBYTES];
    return (struct id_key){.hash = keyed_hash, .context = key != NULL ? key : none};
}
