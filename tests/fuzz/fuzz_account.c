/* Any bytes as the bodies of users, brands, grants and revocations, and as a keyring: what is read
 * is within its limits and is read the same again, and names are judged whatever they are. */
#include "proto/account.h"
#include "proto/keyring.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void user(struct slice in) {
    struct account_body a, again;
    struct buffer b = {0};
    if (!account_read(&a, in)) return;
    assert(a.brand_count <= ACCOUNT_BRANDS_MAX && memchr(a.hash, 0, sizeof a.hash) != NULL);
    account_write(&b, &a);
    assert(account_read(&again, buffer_slice(&b)) && strcmp(a.hash, again.hash) == 0);
    assert(a.brand_count == again.brand_count && a.role == again.role);
    buffer_free(&b);
}

static void ring(struct slice in) {
    struct keyring k = {0}, held = {.token_count = 1};
    struct buffer b = {0};
    if (keyring_take(&k, in)) {
        struct keyring again = {0};
        keyring_write(&b, &k);
        assert(keyring_take(&again, buffer_slice(&b)));
        assert(again.revoked_count == k.revoked_count && again.key_count == k.key_count);
        assert(keyring_revoked_before(&k, "user", "x") ==
               keyring_revoked_before(&again, "user", "x"));
        keyring_free(&again);
    }
    keyring_add_revoked(&held, slice_text("jti:kept"), 0);
    keyring_take(&held, in);
    assert(held.token_count > 0 && held.token_count <= KEYRING_TOKENS_MAX);
    keyring_free(&k);
    keyring_free(&held);
    buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t hash[GRANT_HASH_BYTES];
    char key[ACCOUNT_KEY_SIZE];
    const struct slice in = slice_of(data, size);
    user(in);
    ring(in);
    grant_read(hash, in);
    const struct slice name = brand_read(in);
    assert(name.len == 0 || (name.data >= data && name.data + name.len <= data + size));
    revocation_read(in);
    if (account_email_good(in)) account_key(key, "email", in);
    if (account_name_good(in))
        assert(size > 0 && size < WHO_NAME_MAX && memchr(data, 0, size) == NULL);
    return 0;
}
