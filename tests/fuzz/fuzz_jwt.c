/* Any text as a credential: nothing is taken that was not signed here, and nothing crashes. */
#include "gateway/jwt.h"
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* header.claims with a right signature, so that the claims' reader is reached: the fuzzer gives
 * the claims. */
static char *sign(const uint8_t *claims, size_t size, const uint8_t *secret) {
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    size_t room = sodium_base64_ENCODED_LEN(sizeof header, variant) +
                  sodium_base64_ENCODED_LEN(size, variant) + 64;
    char *text = calloc(1, room);
    sodium_bin2base64(text, room, (const uint8_t *)header, sizeof header - 1, variant);
    strcat(text, ".");
    size_t at = strlen(text);
    sodium_bin2base64(text + at, room - at, claims, size, variant);
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, secret, KEYRING_SECRET_BYTES);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)text, strlen(text));
    crypto_auth_hmacsha256_final(&state, mac);
    strcat(text, ".");
    at = strlen(text);
    sodium_bin2base64(text + at, room - at, mac, sizeof mac, variant);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct jwt_cache *cache;
    static struct keyring ring;
    static uint64_t place;
    const char *why = NULL;
    if (cache == NULL) {
        assert(sodium_init() >= 0);
        cache = jwt_cache_new();
        ring.token_count = 1;
        memset(ring.tokens[0], 7, KEYRING_SECRET_BYTES);
    }
    char *raw = malloc(size + 1);
    memcpy(raw, data, size);
    raw[size] = '\0';
    const struct credential *c = jwt_check(cache, &ring, 1, raw, 1800000000, &place, &why);
    assert(c != NULL || why != NULL);
    free(raw);
    if (size > 3000) return 0;
    char *signed_text = sign(data, size, ring.tokens[0]);
    c = jwt_check(cache, &ring, 1, signed_text, 1800000000, &place, &why);
    if (c != NULL) {
        assert(c->role == ROLE_ADMIN || c->role == ROLE_USER || c->role == ROLE_SERVICE ||
               c->role == ROLE_WORKER);
        assert(c->brand_count <= TOKEN_BRANDS_MAX && c->expires_s + TOKEN_SKEW_S >= 1800000000);
        assert(memchr(c->name, 0, sizeof c->name) != NULL);
        /* one changed byte of the signature is another token */
        size_t last = strlen(signed_text) - 2;
        signed_text[last] = signed_text[last] == 'A' ? 'B' : 'A';
        assert(jwt_check(cache, &ring, 1, signed_text, 1800000000, &place, &why) == NULL);
    }
    free(signed_text);
    return 0;
}
