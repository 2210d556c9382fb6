/* token.c - see token.h. */
#include "proto/host/token.h"
#include <assert.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>

enum { BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING, MAC_TEXT_LEN = 43 };
static const char header_text[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

static const struct { enum role role; const char *name; } role_names[] = {
    {ROLE_ADMIN, "admin"}, {ROLE_USER, "user"}, {ROLE_SERVICE, "service"}, {ROLE_WORKER, "worker"}};
enum { ROLE_NAMES = sizeof role_names / sizeof role_names[0] };

enum role token_role(const char *name) {
    for (int i = 0; i < ROLE_NAMES; i++)
        if (strcmp(name, role_names[i].name) == 0) return role_names[i].role;
    return ROLE_NONE;
}

const char *token_role_name(enum role role) {
    for (int i = 0; i < ROLE_NAMES; i++)
        if (role == role_names[i].role) return role_names[i].name;
    return "?";
}

void token_stamp(struct token *token) {
    uint8_t raw[16];
    static_assert(sizeof token->jti > 2 * sizeof raw, "jti holds the hex text");
    randombytes_buf(raw, sizeof raw);
    sodium_bin2hex(token->jti, sizeof token->jti, raw, sizeof raw);
}

static void mac_of(uint8_t mac[crypto_auth_hmacsha256_BYTES], const char *text, size_t len,
                   const struct token_secret *secret) {
    static_assert(sizeof secret->bytes == crypto_auth_hmacsha256_KEYBYTES, "the key's size");
    crypto_auth_hmacsha256(mac, (const uint8_t *)text, len, secret->bytes);
}

static json_t *claims_of(const struct token *t) {
    json_t *brands = json_array();
    for (uint32_t i = 0; i < t->brand_count; i++)
        json_array_append_new(brands, json_integer(t->brands[i]));
    json_t *claims = json_pack("{s:s, s:s, s:I, s:I, s:o}", "role", token_role_name(t->role),
                               "sub", t->name, "iat", (json_int_t)t->issued_s, "exp",
                               (json_int_t)t->expires_s, "brands", brands);
    if (claims == NULL) return NULL;
    int bad = 0;
    if (t->brand_admin) bad |= json_object_set_new(claims, "brand_admin", json_true());
    if (t->type[0] != 0) bad |= json_object_set_new(claims, "typ", json_string(t->type));
    if (t->jti[0] != 0) bad |= json_object_set_new(claims, "jti", json_string(t->jti));
    if (t->boot != 0)
        bad |= json_object_set_new(claims, "boot", json_integer((json_int_t)t->boot));
    if (bad == 0) return claims;
    json_decref(claims);
    return NULL;
}

size_t token_sign(const struct token *token, const struct token_secret *secret, char *text,
                  size_t size) {
    assert(token->brand_count <= TOKEN_BRANDS_MAX && token->boot <= INT64_MAX);
    if (token_role(token_role_name(token->role)) == ROLE_NONE) return 0;
    json_t *claims = claims_of(token);
    char *body = claims == NULL ? NULL : json_dumps(claims, JSON_COMPACT);
    json_decref(claims);
    if (body == NULL) return 0;
    const size_t head_len = sodium_base64_encoded_len(sizeof header_text - 1, BASE64);
    const size_t body_len = sodium_base64_encoded_len(strlen(body), BASE64);
    const size_t need = head_len + body_len + MAC_TEXT_LEN + 1; /* dots stand on terminators */
    if (need > size || need - 1 > TOKEN_BYTES_MAX) {
        free(body);
        return 0;
    }
    sodium_bin2base64(text, head_len, (const uint8_t *)header_text, sizeof header_text - 1, BASE64);
    text[head_len - 1] = '.';
    sodium_bin2base64(text + head_len, body_len, (const uint8_t *)body, strlen(body), BASE64);
    free(body);
    const size_t signed_len = head_len + body_len - 1;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    mac_of(mac, text, signed_len, secret);
    text[signed_len] = '.';
    sodium_bin2base64(text + signed_len + 1, MAC_TEXT_LEN + 1, mac, sizeof mac, BASE64);
    return need - 1;
}

/* Reads a base64url part as JSON object; NULL when it is not one. */
static json_t *part_read(const char *text, size_t len) {
    uint8_t raw[TOKEN_BYTES_MAX];
    size_t raw_len = 0;
    if (sodium_base642bin(raw, sizeof raw, text, len, NULL, &raw_len, NULL, BASE64) != 0)
        return NULL;
    json_t *value = json_loadb((const char *)raw, raw_len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(value)) return value;
    json_decref(value);
    return NULL;
}

static bool header_good(const char *text, size_t len) {
    json_t *header = part_read(text, len);
    const char *alg = json_string_value(json_object_get(header, "alg"));
    const json_t *typ = json_object_get(header, "typ");
    const bool good = alg != NULL && strcmp(alg, "HS256") == 0
        && (typ == NULL || (json_is_string(typ) && strcmp(json_string_value(typ), "JWT") == 0))
        && json_object_get(header, "crit") == NULL;
    json_decref(header);
    return good;
}

/* Copies a text claim; absent = "". False when it is no text, too long or has control bytes. */
static bool text_claim(const json_t *claims, const char *key, char *out, size_t size) {
    out[0] = 0;
    const json_t *value = json_object_get(claims, key);
    if (value == NULL) return true;
    if (!json_is_string(value)) return false;
    const char *text = json_string_value(value);
    const size_t len = json_string_length(value);
    if (len >= size) return false;
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f) return false;
    memcpy(out, text, len + 1);
    return true;
}

/* Reads a number claim that is 0 or more; absent = `absent`, and -1 there makes it required. */
static bool number_claim(const json_t *claims, const char *key, int64_t absent, int64_t *out) {
    const json_t *value = json_object_get(claims, key);
    *out = value == NULL ? absent : json_is_integer(value) ? json_integer_value(value) : -1;
    return *out >= 0;
}

static bool brands_claim(const json_t *claims, struct token *t) {
    const json_t *brands = json_object_get(claims, "brands");
    if (brands == NULL) return true;
    if (!json_is_array(brands) || json_array_size(brands) > TOKEN_BRANDS_MAX) return false;
    for (size_t i = 0; i < json_array_size(brands); i++) {
        const json_t *brand = json_array_get(brands, i);
        const json_int_t number = json_integer_value(brand);
        if (!json_is_integer(brand) || number < 1 || number > UINT32_MAX) return false;
        t->brands[t->brand_count++] = (uint32_t)number;
    }
    return true;
}

static bool claims_read(const json_t *claims, struct token *t, int64_t *not_before_s) {
    char role[16];
    int64_t boot = 0;
    const json_t *brand_admin = json_object_get(claims, "brand_admin");
    if (brand_admin != NULL && !json_is_boolean(brand_admin)) return false;
    t->brand_admin = json_is_true(brand_admin);
    const bool good = text_claim(claims, "role", role, sizeof role)
        && text_claim(claims, "sub", t->name, sizeof t->name)
        && text_claim(claims, "typ", t->type, sizeof t->type)
        && text_claim(claims, "jti", t->jti, sizeof t->jti)
        && number_claim(claims, "exp", -1, &t->expires_s)
        && number_claim(claims, "iat", 0, &t->issued_s)
        && number_claim(claims, "nbf", 0, not_before_s)
        && number_claim(claims, "boot", 0, &boot) && brands_claim(claims, t);
    if (!good) return false;
    t->boot = (uint64_t)boot;
    t->role = (uint8_t)token_role(role);
    return t->role != ROLE_NONE && t->name[0] != 0;
}

static bool mac_good(const char *text, size_t signed_len, const struct token_secret *secrets,
                     uint32_t secret_count) {
    uint8_t given[crypto_auth_hmacsha256_BYTES], mac[crypto_auth_hmacsha256_BYTES];
    size_t given_len = 0;
    if (sodium_base642bin(given, sizeof given, text + signed_len + 1, MAC_TEXT_LEN, NULL,
                          &given_len, NULL, BASE64) != 0 || given_len != sizeof given)
        return false;
    bool good = false;
    for (uint32_t i = 0; i < secret_count; i++) {
        mac_of(mac, text, signed_len, &secrets[i]);
        good |= sodium_memcmp(mac, given, sizeof mac) == 0;
    }
    sodium_memzero(mac, sizeof mac);
    return good;
}

/* The word that says why the token is refused, or NULL; fills *t. */
static const char *token_fault(struct token *t, struct slice slice,
                               const struct token_secret *secrets, uint32_t secret_count,
                               int64_t now_s) {
    if (slice.len == 0 || slice.len > TOKEN_BYTES_MAX) return "size";
    const char *text = (const char *)slice.data;
    for (size_t i = 0; i < slice.len; i++)
        if ((uint8_t)text[i] >= 0x80) return "form"; /* libsodium reads 0xdf as if it were '_' */
    const char *dot = memchr(text, '.', slice.len);
    if (dot == NULL) return "form";
    const size_t head_len = (size_t)(dot - text), rest = slice.len - head_len - 1;
    const char *second = memchr(dot + 1, '.', rest);
    if (second == NULL) return "form";
    const size_t body_len = (size_t)(second - dot - 1);
    if (rest - body_len - 1 != MAC_TEXT_LEN) return "form";
    if (!header_good(text, head_len)) return "header";
    if (!mac_good(text, (size_t)(second - text), secrets, secret_count)) return "signature";
    json_t *claims = part_read(dot + 1, body_len);
    int64_t not_before_s = 0;
    const bool good = claims != NULL && claims_read(claims, t, &not_before_s);
    json_decref(claims);
    if (!good) return "claims";
    if (now_s - TOKEN_SKEW_S >= t->expires_s) return "expired";
    if (t->issued_s > now_s + TOKEN_SKEW_S || not_before_s > now_s + TOKEN_SKEW_S) return "early";
    return NULL;
}

enum code token_verify(struct token *ret_token, struct slice text,
                       const struct token_secret *secrets, uint32_t secret_count, int64_t now_s,
                       const char **why) {
    assert(secret_count <= TOKEN_SECRETS_MAX);
    struct token t = {0};
    const char *fault = token_fault(&t, text, secrets, secret_count, now_s);
    if (why != NULL && fault != NULL) *why = fault;
    if (fault != NULL) return CODE_UNAUTHORIZED;
    *ret_token = t;
    return CODE_OK;
}
