/* account.c - see account.h. */
#include "proto/account.h"
#include "proto/base/utf8.h"
#include "proto/decode.h"
#include "proto/encode.h"
#include <assert.h>

/* ---- writing ---- */

static void text_write(struct buffer *b, const char *key, const char *text) {
    encode_text(b, slice_text(key));
    encode_text(b, slice_text(text));
}

static void flag_write(struct buffer *b, const char *key, bool value) {
    encode_text(b, slice_text(key));
    encode_bool(b, value);
}

void account_write(struct buffer *b, const struct account_body *a) {
    assert(a->brand_count <= ACCOUNT_BRANDS_MAX);
    encode_map(b, 8);
    encode_text(b, slice_text("role"));
    encode_uint(b, a->role);
    text_write(b, "email", a->email);
    text_write(b, "shown", a->shown);
    text_write(b, "hash", a->hash);
    encode_text(b, slice_text("brands"));
    encode_array(b, a->brand_count);
    for (uint32_t i = 0; i < a->brand_count; i++) encode_uint(b, a->brands[i]);
    flag_write(b, "brand_admin", a->brand_admin);
    flag_write(b, "disabled", a->disabled);
    flag_write(b, "limited", a->limited);
}

void brand_write(struct buffer *b, struct slice name) {
    encode_map(b, 1);
    encode_text(b, slice_text("name"));
    encode_text(b, name);
}

void grant_write(struct buffer *b, const uint8_t hash[GRANT_HASH_BYTES]) {
    encode_map(b, 1);
    encode_text(b, slice_text("hash"));
    encode_bin(b, slice_of(hash, GRANT_HASH_BYTES));
}

void revocation_write(struct buffer *b, int64_t before_s) {
    encode_map(b, 1);
    encode_text(b, slice_text("before_s"));
    encode_int(b, before_s);
}

/* ---- reading ---- */

static bool text_read(struct decode *d, char *to, size_t size) {
    struct slice text;
    if (!decode_slice(d, &text) || text.len >= size) return false;
    if (text.len > 0 && memchr(text.data, 0, text.len) != NULL) return false;
    if (text.len > 0) memcpy(to, text.data, text.len);
    to[text.len] = 0;
    return true;
}

static bool brands_read(struct decode *d, struct account_body *a) {
    uint32_t count;
    if (!decode_array(d, &count) || count > ACCOUNT_BRANDS_MAX) return false;
    for (a->brand_count = 0; a->brand_count < count; a->brand_count++) {
        uint64_t brand;
        if (!decode_uint(d, &brand) || brand == 0 || brand > UINT32_MAX) return false;
        a->brands[a->brand_count] = (uint32_t)brand;
    }
    return true;
}

static bool member_read(struct decode *d, struct account_body *a) {
    struct slice key;
    uint64_t role;
    if (!decode_slice(d, &key)) return false;
    if (slice_equal(key, slice_text("role"))) {
        if (!decode_uint(d, &role) || (role != ROLE_ADMIN && role != ROLE_USER)) return false;
        a->role = (uint8_t)role;
        return true;
    }
    if (slice_equal(key, slice_text("email"))) return text_read(d, a->email, sizeof a->email);
    if (slice_equal(key, slice_text("shown"))) return text_read(d, a->shown, sizeof a->shown);
    if (slice_equal(key, slice_text("hash"))) return text_read(d, a->hash, sizeof a->hash);
    if (slice_equal(key, slice_text("brands"))) return brands_read(d, a);
    if (slice_equal(key, slice_text("brand_admin"))) return decode_bool(d, &a->brand_admin);
    if (slice_equal(key, slice_text("disabled"))) return decode_bool(d, &a->disabled);
    if (slice_equal(key, slice_text("limited"))) return decode_bool(d, &a->limited);
    return decode_skip(d, 1);
}

bool account_read(struct account_body *ret, struct slice body) {
    struct account_body a = {0};
    struct decode d = decode_of(body.data, body.len);
    uint32_t members;
    if (!decode_map(&d, &members)) return false;
    for (uint32_t i = 0; i < members; i++)
        if (!member_read(&d, &a)) return false;
    if (a.role == ROLE_NONE) return false;
    *ret = a;
    return true;
}

/* Moves to the value of a key in a map of few members. */
static bool value_find(struct decode *d, struct slice body, const char *name) {
    uint32_t members;
    struct slice key;
    *d = decode_of(body.data, body.len);
    if (!decode_map(d, &members)) return false;
    for (uint32_t i = 0; i < members; i++) {
        if (!decode_slice(d, &key)) return false;
        if (slice_equal(key, slice_text(name))) return true;
        if (!decode_skip(d, 1)) return false;
    }
    return false;
}

struct slice brand_read(struct slice body) {
    struct decode d;
    struct slice name;
    const struct slice none = {0};
    return value_find(&d, body, "name") && decode_slice(&d, &name) ? name : none;
}

bool grant_read(uint8_t ret_hash[GRANT_HASH_BYTES], struct slice body) {
    struct decode d;
    struct slice hash;
    if (!value_find(&d, body, "hash") || !decode_slice(&d, &hash)) return false;
    if (hash.len != GRANT_HASH_BYTES) return false;
    memcpy(ret_hash, hash.data, GRANT_HASH_BYTES);
    return true;
}

int64_t revocation_read(struct slice body) {
    struct decode d;
    int64_t before_s;
    return value_find(&d, body, "before_s") && decode_int(&d, &before_s) ? before_s : 0;
}

/* ---- rules ---- */

static bool plain(struct slice text, const char *refused) {
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) return false;
        if (strchr(refused, text.data[i]) != NULL) return false;
    }
    return utf8_valid(text);
}

bool account_name_good(struct slice name) {
    if (name.len == 0 || name.len >= WHO_NAME_MAX || !plain(name, "/:@")) return false;
    return name.data[0] != ' ' && name.data[name.len - 1] != ' ';
}

bool account_email_good(struct slice email) {
    if (email.len < 5 || email.len > ACCOUNT_EMAIL_MAX) return false;
    if (!plain(email, " ,;<>\"\\()")) return false;
    const uint8_t *at = memchr(email.data, '@', email.len);
    if (at == NULL || at == email.data) return false;
    const uint8_t *end = email.data + email.len;
    const size_t rest = (size_t)(end - at - 1);
    if (rest < 3 || memchr(at + 1, '@', rest) != NULL) return false;
    return at[1] != '.' && end[-1] != '.' && memchr(at + 1, '.', rest) != NULL;
}

void account_key(char key[ACCOUNT_KEY_SIZE], const char *kind, struct slice text) {
    size_t len = strlen(kind);
    assert(len + 1 + text.len < ACCOUNT_KEY_SIZE);
    memcpy(key, kind, len);
    key[len++] = ':';
    for (uint32_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        key[len++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    key[len] = 0;
}
