#include "gateway/account_flow.h"
#include "gateway/rate.h"
#include "proto/host/log.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- refresh tokens: FAMILY-SECRET ---- */

static void secret_hash(struct exchange *x, const char *secret, size_t len,
                        uint8_t hash[GRANT_HASH_BYTES]) {
    crypto_generichash(hash, GRANT_HASH_BYTES, (const uint8_t *)secret, len, exchange_id_key(x),
                       KEYRING_ID_KEY_BYTES);
}

/* Splits FAMILY-SECRET; false when it has not that form. */
static bool refresh_read(struct exchange *x, struct slice text, char family[FAMILY_SIZE],
                  uint8_t hash[GRANT_HASH_BYTES]) {
    const char *at = (const char *)text.data;
    if (text.len != REFRESH_TEXT_SIZE - 1 || at[FAMILY_SIZE - 1] != '-') return false;
    for (int i = 0; i < FAMILY_SIZE - 1; i++)
        if (strchr("0123456789abcdef", at[i]) == NULL) return false;
    memcpy(family, at, FAMILY_SIZE - 1);
    family[FAMILY_SIZE - 1] = 0;
    secret_hash(x, at + FAMILY_SIZE, text.len - FAMILY_SIZE, hash);
    return true;
}

/* Makes a secret for the flow's family: its text and its hash. */
static void refresh_make(struct exchange *x, struct flow *f, uint8_t hash[GRANT_HASH_BYTES]) {
    uint8_t raw[REFRESH_SECRET_BYTES];
    char secret[44];
    randombytes_buf(raw, sizeof raw);
    sodium_bin2base64(secret, sizeof secret, raw, sizeof raw,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    secret_hash(x, secret, strlen(secret), hash);
    snprintf(f->refresh, sizeof f->refresh, "%s-%s", f->family, secret);
    sodium_memzero(raw, sizeof raw);
    sodium_memzero(secret, sizeof secret);
}

/* ---- what a login gives ---- */

/* Tokens issued up to the second of a revocation are dead: this one must not be. */
static int64_t issue_s(struct exchange *x, const char *name) {
    const struct server *s = request_of(x)->server;
    const int64_t now_s = s->wall_ms / 1000;
    const int64_t before_s = keyring_revoked_before(&s->ring, "user", name);
    return before_s >= now_s && before_s - now_s < TOKEN_SKEW_S ? before_s + 1 : now_s;
}

static void login_give(struct exchange *x) {
    struct flow *f = flow_of(x);
    const struct account_body *a = &f->account.body;
    struct token t = {.role = a->role, .brand_admin = a->brand_admin,
                      .brand_count = a->brand_count};
    struct login login = {.account = &f->account, .refresh = f->refresh};
    memcpy(t.brands, a->brands, a->brand_count * sizeof *t.brands);
    snprintf(t.name, sizeof t.name, "%s", f->account.name);
    snprintf(t.type, sizeof t.type, "%s", a->limited ? "limited" : "login");
    snprintf(t.jti, sizeof t.jti, "%s", f->family);
    t.issued_s = issue_s(x, f->account.name);
    login.access_s = request_of(x)->server->config->access_ms / 1000;
    t.expires_s = t.issued_s + login.access_s;
    login.access = account_sign(x, &t);
    f->login(x, &login);
}

/* Of two that present the same secret at once the second one finds another version. */
static void grant_put(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT || code == CODE_NOT_FOUND) flow_of(x)->login(x, NULL);
    else if (code != CODE_OK) exchange_refuse(x, code, NULL);
    else login_give(x);
}

/* version 0 = a new family. */
static void grant_write_out(struct exchange *x) {
    struct flow *f = flow_of(x);
    struct buffer b = {0};
    uint8_t hash[GRANT_HASH_BYTES];
    struct message m = object_message(VERB_PUT, "grant", slice_text(f->family));
    refresh_make(x, f, hash);
    grant_write(&b, hash);
    m.object.body = exchange_copy(x, buffer_slice(&b));
    buffer_free(&b);
    m.object.mode = f->version == 0 ? PUT_CREATE : PUT_REPLACE;
    m.object.options.version = f->version;
    m.object.options.owner = slice_text(f->account.name);
    m.object.options.until_ms = x->wall_ms + request_of(x)->server->config->refresh_ms;
    exchange_try_as(x, &account_house, &m, grant_put);
}

static void family_open(struct exchange *x) {
    struct flow *f = flow_of(x);
    uint8_t raw[(FAMILY_SIZE - 1) / 2];
    randombytes_buf(raw, sizeof raw);
    sodium_bin2hex(f->family, sizeof f->family, raw, sizeof raw);
    f->version = 0;
    grant_write_out(x);
}

/* ---- login ---- */

static void login_hashed(struct exchange *x, bool good, const char *text) {
    struct flow *f = flow_of(x);
    (void)text;
    if (!good || f->account.body.disabled) f->login(x, NULL);
    else families_trim(x, family_open);
}

static void login_found(struct exchange *x, const struct account *a) {
    struct flow *f = flow_of(x);
    password_hash(x, f->password, a != NULL ? a->body.hash : "", login_hashed);
}

static void login_fetched(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    struct object_row row;
    bool absent;
    if (object_taken(x, answer, &row, &absent)) {
        login_found(x, account_of(&row, &f->account) ? &f->account : NULL);
    } else if (absent) {
        login_found(x, NULL);
    }
}

/* Names longer than any there can be would not fit a key: they are nobody's. */
static struct slice login_name(struct exchange *x, struct slice handle) {
    char key[ACCOUNT_KEY_SIZE];
    if (memchr(handle.data, '@', handle.len) == NULL) return handle;
    account_key(key, "email", handle);
    return exchange_copy(x, slice_text(key));
}

void account_login(struct exchange *x, struct slice handle, struct slice password,
                   login_then *then) {
    struct server *s = request_of(x)->server;
    struct flow *f = flow_new(x);
    f->login = then;
    f->password = password;
    if (handle.len == 0 || handle.len > ACCOUNT_EMAIL_MAX || password.len > ACCOUNT_PASSWORD_MAX) {
        login_found(x, NULL);
        return;
    }
    char bucket[ACCOUNT_KEY_SIZE]; /* by any spelling of the name */
    account_key(bucket, "login", handle);
    if (!rate_take(s->rates, bucket, strlen(bucket), s->config->logins_per_min, s->now_ms,
                   &x->retry_after_s)) {
        exchange_refuse(x, CODE_RATE_LIMITED, NULL);
        return;
    }
    const struct message m = object_message(VERB_FETCH, "user", login_name(x, handle));
    exchange_try_as(x, &account_house, &m, login_fetched);
}

void account_open(struct exchange *x, const struct account *a, login_then *then) {
    const struct account account = *a;
    struct flow *f = flow_new(x);
    f->login = then;
    f->account = account;
    family_open(x);
}

/* ---- refresh ---- */

static void reuse_ended(struct exchange *x) { flow_of(x)->login(x, NULL); }

static void refresh_user(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    struct object_row row;
    bool absent;
    const bool taken = object_taken(x, answer, &row, &absent);
    if (!taken && !absent) return;
    if (taken && account_of(&row, &f->account) && !f->account.body.disabled) {
        grant_write_out(x);
        return;
    }
    f->next = reuse_ended;
    family_end(x, f->family);
}

static void refresh_fetched(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    struct object_row row;
    uint8_t stored[GRANT_HASH_BYTES];
    bool absent;
    if (!object_taken(x, answer, &row, &absent)) {
        if (absent) f->login(x, NULL);
        return;
    }
    if (grant_read(stored, row.body) && sodium_memcmp(stored, f->hash, sizeof stored) == 0) {
        const struct slice user = exchange_copy(x, row.owner);
        const struct message m = object_message(VERB_FETCH, "user", user);
        f->version = row.version;
        exchange_try_as(x, &account_house, &m, refresh_user);
        return;
    }
    log_warn("a refresh token was used again: its login ends",
             field_text("user", (const char *)exchange_copy(x, row.owner).data));
    f->next = reuse_ended; /* of an older secret, or a guess: whoever holds the newest is told */
    family_end(x, f->family);
}

void account_refresh(struct exchange *x, struct slice refresh, login_then *then) {
    struct flow *f = flow_new(x);
    f->login = then;
    if (!refresh_read(x, refresh, f->family, (uint8_t *)f->hash)) {
        then(x, NULL);
        return;
    }
    const struct message m = object_message(VERB_FETCH, "grant", slice_text(f->family));
    exchange_try_as(x, &account_house, &m, refresh_fetched);
}

/* ---- logout ---- */

static void logout_ended(struct exchange *x) { flow_of(x)->done(x); }

/* The other login ends too when the secret is its newest and it is the caller's. */
static void logout_fetched(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    struct object_row row;
    uint8_t stored[GRANT_HASH_BYTES];
    bool absent;
    const bool taken = object_taken(x, answer, &row, &absent);
    if (!taken && !absent) return;
    const bool own = taken && slice_equal(row.owner, slice_text(x->who.name)) &&
                     grant_read(stored, row.body) &&
                     sodium_memcmp(stored, f->hash, sizeof stored) == 0;
    if (own) {
        f->waiting++; /* until both are said */
        family_end(x, f->family);
        if (request_of(x)->stage == STAGE_ENDED) return;
        f->waiting--;
    }
    family_end(x, request_of(x)->jti);
}

void account_logout(struct exchange *x, struct slice refresh, account_done *then) {
    struct flow *f = flow_new(x);
    f->done = then;
    f->next = logout_ended;
    if (request_of(x)->jti[0] == 0) { /* an API key: it has no login */
        then(x);
        return;
    }
    const bool other = refresh_read(x, refresh, f->family, (uint8_t *)f->hash) &&
                       strcmp(f->family, request_of(x)->jti) != 0;
    if (!other) {
        family_end(x, request_of(x)->jti);
        return;
    }
    const struct message m = object_message(VERB_FETCH, "grant", slice_text(f->family));
    exchange_try_as(x, &account_house, &m, logout_fetched);
}
