/* Tokens: what is signed is read again, and nothing else is. */
#include "proto/host/token.h"
#include "tests/unit/tap.h"
#include <sodium.h>
#include <stdio.h>

enum { NOW_S = 1800000000, BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING };
static const struct token_secret secret = {.bytes = {1, 2, 3}}, other = {.bytes = {9}};

static struct token sample(void) {
    return (struct token){.role = ROLE_USER, .brand_count = 2, .brands = {7, 3}, .name = "ada",
                          .type = "access", .jti = "j1", .issued_s = NOW_S,
                          .expires_s = NOW_S + 3600, .boot = 42, .brand_admin = true};
}

/* A token with any header and claims, signed with the right secret. */
static size_t forge(char *text, const char *header, const char *claims) {
    size_t len = 0;
    const char *parts[] = {header, claims};
    for (int i = 0; i < 2; i++) {
        sodium_bin2base64(text + len, 8000, (const uint8_t *)parts[i], strlen(parts[i]), BASE64);
        len += strlen(text + len);
        text[len++] = '.';
    }
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256(mac, (const uint8_t *)text, len - 1, secret.bytes);
    sodium_bin2base64(text + len, 64, mac, sizeof mac, BASE64);
    return strlen(text);
}

static const char hs256[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

static const char *verdict_of(const char *header, const char *claims) {
    static char text[12000];
    struct token t;
    const char *why = "taken";
    const size_t len = forge(text, header, claims);
    const enum code code = token_verify(&t, slice_of(text, len), &secret, 1, NOW_S, &why);
    return code == CODE_OK ? "taken" : why;
}

static void what_is_signed_is_read_again(void) {
    char text[TOKEN_BYTES_MAX + 1];
    struct token in = sample(), out;
    const size_t len = token_sign(&in, &secret, text, sizeof text);
    ok(len > 0 && len == strlen(text), "a token is signed");
    is_text(memcmp(text, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", 37) == 0 ? "same" : text, "same",
            "its header is the one form");
    is_int(token_verify(&out, slice_of(text, len), &secret, 1, NOW_S, NULL), CODE_OK, "verified");
    ok(out.role == in.role && out.brand_admin && out.boot == 42, "role and boot are read");
    is_int(out.brand_count, 2, "two brands");
    ok(out.brands[0] == 7 && out.brands[1] == 3, "it has its brands, in their order");
    is_text(out.name, "ada", "the name");
    is_text(out.jti, "j1", "the jti");
    const struct token_secret both[] = {other, secret};
    is_int(token_verify(&out, slice_of(text, len), both, 2, NOW_S, NULL), CODE_OK,
           "the older of two secrets is accepted");
    is_int(token_verify(&out, slice_of(text, len), &other, 1, NOW_S, NULL), CODE_UNAUTHORIZED,
           "another secret is not");
}

static void every_flipped_bit_is_refused(void) {
    char text[TOKEN_BYTES_MAX + 1];
    struct token in = sample(), out;
    const size_t len = token_sign(&in, &secret, text, sizeof text);
    uint32_t taken = 0;
    for (size_t i = 0; i < len * 8; i++) {
        text[i / 8] = (char)(text[i / 8] ^ (1 << i % 8));
        taken += token_verify(&out, slice_of(text, len), &secret, 1, NOW_S, NULL) == CODE_OK;
        text[i / 8] = (char)(text[i / 8] ^ (1 << i % 8));
    }
    is_int(taken, 0, "no flipped bit is taken");
    for (size_t i = 0; i < len; i++)
        taken += token_verify(&out, slice_of(text, i), &secret, 1, NOW_S, NULL) == CODE_OK;
    is_int(taken, 0, "no shorter text is taken");
}

static void times_are_checked_with_a_minute_of_skew(void) {
    char text[TOKEN_BYTES_MAX + 1];
    struct token in = sample(), out;
    const char *why = "";
    const size_t len = token_sign(&in, &secret, text, sizeof text);
    const struct slice token = slice_of(text, len);
    is_int(token_verify(&out, token, &secret, 1, in.expires_s + 59, &why), CODE_OK,
           "59 s after its end it is taken");
    is_int(token_verify(&out, token, &secret, 1, in.expires_s + 60, &why), CODE_UNAUTHORIZED,
           "60 s after it is not");
    is_text(why, "expired", "and says so");
    is_int(token_verify(&out, token, &secret, 1, NOW_S - 60, &why), CODE_OK,
           "issued 60 s ahead is taken");
    is_int(token_verify(&out, token, &secret, 1, NOW_S - 61, &why), CODE_UNAUTHORIZED,
           "61 s ahead is not");
    is_text(why, "early", "and says so");
}

static void only_the_one_form_is_taken(void) {
    const char *good = "{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"brands\":[1]}";
    is_text(verdict_of(hs256, good), "taken", "the forger's own check: a good one is taken");
    is_text(verdict_of("{\"typ\":\"JWT\",\"alg\":\"HS256\"}", good), "taken", "keys in any order");
    is_text(verdict_of("{\"alg\":\"none\",\"typ\":\"JWT\"}", good), "header", "alg none");
    is_text(verdict_of("{\"alg\":\"HS512\"}", good), "header", "another alg");
    is_text(verdict_of("{\"alg\":\"hs256\"}", good), "header", "alg is compared exactly");
    is_text(verdict_of("{\"typ\":\"JWT\"}", good), "header", "no alg");
    is_text(verdict_of("{\"alg\":\"HS256\",\"alg\":\"HS256\"}", good), "header", "alg twice");
    is_text(verdict_of("{\"alg\":\"HS256\",\"crit\":[\"x\"]}", good), "header", "crit");
    is_text(verdict_of("{\"alg\":\"HS256\",\"typ\":\"JWE\"}", good), "header", "another typ");
}

static void claims_are_checked_by_type(void) {
    static const struct { const char *claims, *fact; } bad[] = {
        {"{\"role\":\"user\",\"sub\":\"a\"}", "no exp"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":\"1800000100\"}", "exp as text"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100.5}", "exp as a fraction"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":-1}", "exp below zero"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"exp\":1800000100}", "exp twice"},
        {"{\"role\":\"root\",\"sub\":\"a\",\"exp\":1800000100}", "an unknown role"},
        {"{\"role\":\"gateway\",\"sub\":\"a\",\"exp\":1800000100}", "a role that has no token"},
        {"{\"sub\":\"a\",\"exp\":1800000100}", "no role"},
        {"{\"role\":\"user\",\"exp\":1800000100}", "no name"},
        {"{\"role\":\"user\",\"sub\":\"\",\"exp\":1800000100}", "an empty name"},
        {"{\"role\":\"user\",\"sub\":\"a\\nb\",\"exp\":1800000100}", "a control byte"},
        {"{\"role\":\"user\",\"sub\":5,\"exp\":1800000100}", "a name that is no text"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"brands\":1}", "brands no array"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"brands\":[0]}", "brand 0"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"brands\":[4294967296]}",
         "a brand too high"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"brands\":[\"1\"]}",
         "brand as text"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"brand_admin\":1}", "brand_admin 1"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"iat\":\"x\"}", "iat as text"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"boot\":-5}", "boot below zero"},
        {"[1]", "no object"},
        {"{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100}x", "text behind the object"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        is_text(verdict_of(hs256, bad[i].claims), "claims", bad[i].fact);
    const char *early =
        "{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"nbf\":1800000061}";
    is_text(verdict_of(hs256, early), "early", "nbf in the future");
    const char *more = "{\"role\":\"admin\",\"sub\":\"a\",\"exp\":1800000100,\"x\":{}}";
    is_text(verdict_of(hs256, more), "taken", "an unknown claim is ignored");
}

static void size_is_bounded(void) {
    static char claims[8000], text[12000];
    struct token t;
    const char *why = "";
    snprintf(claims, sizeof claims,
             "{\"role\":\"user\",\"sub\":\"a\",\"exp\":1800000100,\"x\":\"%05000d\"}", 0);
    const size_t len = forge(text, hs256, claims);
    is_int(token_verify(&t, slice_of(text, len), &secret, 1, NOW_S, &why), CODE_UNAUTHORIZED,
           "over 4 KiB is refused");
    is_text(why, "size", "for its size");
    is_int(token_verify(&t, slice_of("", 0), &secret, 1, NOW_S, &why), CODE_UNAUTHORIZED, "empty");
    struct token in = sample();
    is_int(token_sign(&in, &secret, text, 60), 0, "a buffer that is too small gets nothing");
    in.role = ROLE_LOCAL;
    is_int(token_sign(&in, &secret, text, sizeof text), 0, "a role without tokens gets none");
}

static void each_jti_is_new(void) {
    struct token a = {0}, b = {0};
    token_stamp(&a);
    token_stamp(&b);
    ok(strlen(a.jti) == 32 && strcmp(a.jti, b.jti) != 0, "each jti is new");
}

int main(void) {
    if (sodium_init() < 0) return 1;
    what_is_signed_is_read_again();
    every_flipped_bit_is_refused();
    times_are_checked_with_a_minute_of_skew();
    only_the_one_form_is_taken();
    claims_are_checked_by_type();
    size_is_bounded();
    each_jti_is_new();
    return done();
}
