/* The guard's steps: credentials, tenants, roles, rates. Real tokens, a real keyring. */
#include "gateway/fleet.h"
#include "gateway/guard.h"
#include "gateway/jwt.h"
#include "gateway/rate.h"
#include "gateway/request.h"
#include "tests/unit/tap.h"
#include <sodium.h>
#include <stdlib.h>

static const int64_t NOW_S = 1800000000;
static struct server server;
static struct client client;
static struct config config;
static struct request *request;
static struct header headers[8];
static struct route route;
static enum code refused;

static void fail(struct exchange *x, enum code code, const char *text) {
    (void)text;
    refused = code;
    exchange_answer(x, code_http(code));
}
static struct dialect dialect = {.name = "hub", .fail = fail};

static struct exchange *begin(uint32_t guard) {
    if (request != NULL) request_free(request);
    request = request_new(&server, &client, "/tasks/?a=1&b=x%20y+z&c&b=2&n=12&m=x");
    request->headers = headers;
    request->header_count = 0;
    request->x.query = strchr(request->target, '?') + 1;
    route = (struct route){.guard = guard};
    request->x.route = &route;
    request->x.dialect = &dialect;
    refused = CODE_OK;
    return &request->x;
}

static void header(const char *name, const char *value) {
    headers[request->header_count++] = (struct header){name, value};
}

static void secret_set(struct token_secret *secret, uint8_t byte) {
    memset(secret->bytes, byte, sizeof secret->bytes);
}

static const char *token(struct token t, uint8_t secret_byte) {
    static char text[TOKEN_BYTES_MAX + 16];
    struct token_secret secret;
    secret_set(&secret, secret_byte);
    memcpy(text, "Bearer ", 7);
    if (t.type[0] == '\0') strcpy(t.type, "access");
    if (t.issued_s == 0) t.issued_s = NOW_S - 10;
    if (t.expires_s == 0) t.expires_s = NOW_S + 3600;
    if (token_sign(&t, &secret, text + 7, sizeof text - 7) == 0) return NULL;
    return text;
}

static struct token user(uint32_t brand, uint32_t other) {
    struct token t = {.role = ROLE_USER, .brand_count = other ? 2 : 1, .brands = {brand, other}};
    strcpy(t.name, "ann");
    strcpy(t.jti, "j1");
    return t;
}

static bool signs_in(uint32_t guard, const char *value) {
    struct exchange *x = begin(guard);
    if (value != NULL) header("Authorization", value);
    return guard_who(x);
}

static void authentication(void) {
    ok(signs_in(GUARD_USER, token(user(3, 0), 1)), "a sound token is taken");
    ok(request->x.who.role == ROLE_USER && request->x.who.brand == 3 &&
           strcmp(request->x.who.name, "ann") == 0, "and says who it is");
    ok(signs_in(GUARD_USER, token(user(3, 0), 1)), "and again, from memory");
    ok(signs_in(GUARD_USER, token(user(3, 0), 2)), "the secret before it still counts");
    ok(!signs_in(GUARD_USER, token(user(3, 0), 9)) && refused == CODE_UNAUTHORIZED &&
           request->x.cause == CAUSE_BAD_CREDENTIALS, "another secret does not");
    ok(!signs_in(GUARD_USER, NULL) && refused == CODE_UNAUTHORIZED &&
           request->x.cause == CAUSE_NO_CREDENTIALS, "no token is told apart from a wrong one");
    ok(!signs_in(GUARD_USER, "Basic YTpi"), "another scheme is no token");
    ok(signs_in(GUARD_OPEN, NULL), "an open route needs none");
    ok(signs_in(GUARD_OPEN, "Bearer nonsense") && request->x.who.role == ROLE_NONE,
       "and ignores a wrong one");
    ok(signs_in(GUARD_OPEN, token(user(3, 0), 1)) && request->x.who.role == ROLE_USER,
       "but reads a sound one");
    struct token t = user(3, 0);
    t.expires_s = NOW_S - 61;
    ok(!signs_in(GUARD_USER, token(t, 1)), "an expired token is refused");
    t = user(3, 0);
    strcpy(t.type, "refresh");
    ok(!signs_in(GUARD_USER, token(t, 1)), "a refresh token opens nothing");
    t = user(3, 0);
    strcpy(t.jti, "gone");
    ok(!signs_in(GUARD_USER, token(t, 1)), "a revoked token is refused");
    t = (struct token){.role = ROLE_WORKER, .brand_count = 1, .brands = {1}, .boot = 77};
    strcpy(t.name, "w1");
    ok(signs_in(GUARD_WORKER, token(t, 1)) && request->x.who.boot == 77,
       "a worker's token carries its incarnation");
    strcpy(t.name, "dead");
    ok(!signs_in(GUARD_WORKER, token(t, 1)), "a removed worker's does not count");
    server.ring_known = false;
    ok(!signs_in(GUARD_USER, token(user(3, 0), 1)) && refused == CODE_UNAVAILABLE,
       "before the keys are known the answer is 503");
    server.ring_known = true;
    server.ring_version++;
    server.ring.token_count = 1;
    ok(!signs_in(GUARD_USER, token(user(3, 0), 2)), "a secret that is gone counts no more");
    server.ring.token_count = 2;
    server.ring_version++;
}

static void api_keys(void) {
    struct exchange *x = begin(GUARD_SERVICE);
    header("X-API-KEY", "rk_secret");
    ok(guard_key(x) && x->who.role == ROLE_SERVICE && x->who.brand == 4,
       "an API key is found by its hash");
    x = begin(GUARD_SERVICE);
    header("Authorization", "bearer rk_secret");
    ok(guard_key(x) && x->who.role == ROLE_SERVICE, "also as a bearer");
    x = begin(GUARD_SERVICE);
    header("X-API-KEY", "rk_other");
    ok(!guard_key(x) && refused == CODE_UNAUTHORIZED, "another one is refused");
    x = begin(GUARD_SERVICE);
    client.loopback = true;
    ok(!guard_key(x) && refused == CODE_UNAUTHORIZED, "nothing is open by default");
    const char *closed = config.open;
    config.open = "other, hub";
    x = begin(GUARD_SERVICE);
    ok(guard_key(x) && x->who.role == ROLE_SERVICE && x->who.brand == 1,
       "option open lets loopback in");
    x = begin(GUARD_SERVICE);
    header("X-API-KEY", "rk_other");
    ok(!guard_key(x), "but a wrong key stays wrong");
    client.loopback = false;
    x = begin(GUARD_SERVICE);
    ok(!guard_key(x), "and nobody from elsewhere");
    config.open = closed;
}

static bool tenant(struct token t, const char *first, const char *second) {
    struct exchange *x = begin(GUARD_USER | GUARD_ADMIN);
    header("Authorization", token(t, 1));
    if (first != NULL) header("X-Brand-ID", first);
    if (second != NULL) header("x-brand-id", second);
    return guard_who(x) && guard_brand(x);
}

static void tenants(void) {
    struct token admin = {.role = ROLE_ADMIN};
    strcpy(admin.name, "root");
    ok(tenant(user(5, 7), NULL, NULL) && request->x.who.brand == 5, "absent is the first brand");
    ok(tenant(user(5, 7), "7", NULL) && request->x.who.brand == 7, "one of the list is taken");
    ok(!tenant(user(5, 7), "6", NULL) && refused == CODE_FORBIDDEN &&
           request->x.cause == CAUSE_BRAND_FORBIDDEN, "another is forbidden");
    ok(!tenant(user(5, 7), "5", "5") && refused == CODE_VALIDATION_ERROR &&
           request->x.cause == CAUSE_BRAND_MALFORMED, "twice is malformed");
    const char *const wrong[] = {"", "x", "5 ", "+5", "-5", "5.0", "0x5", "99999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ok(!tenant(user(5, 7), wrong[i], NULL) && refused == CODE_VALIDATION_ERROR, wrong[i]);
    }
    ok(!tenant(user(5, 7), "0", NULL) && refused == CODE_FORBIDDEN, "0 is no brand");
    ok(!tenant(user(5, 7), "4294967301", NULL) && refused == CODE_FORBIDDEN, "numbers do not wrap");
    ok(!tenant(user(5, 7), "all", NULL) && refused == CODE_FORBIDDEN, "all is for admins");
    ok(tenant(admin, "all", NULL) && request->x.who.brand == 0, "who get it");
    ok(tenant(admin, NULL, NULL) && request->x.who.brand == 1, "an admin's default is brand 1");
    ok(tenant(admin, "42", NULL) && request->x.who.brand == 42, "and any brand is his");
    struct token none = user(1, 0);
    none.brand_count = 0;
    ok(!tenant(none, NULL, NULL) && refused == CODE_FORBIDDEN, "a user without brands has none");
}

static bool role_fits(uint32_t guard, uint8_t role, bool brand_admin) {
    struct exchange *x = begin(guard);
    x->who.role = role;
    x->who.brand_admin = brand_admin;
    return guard_role(x);
}

static void roles(void) {
    ok(role_fits(GUARD_USER, ROLE_USER, false), "a user's route takes a user");
    ok(!role_fits(GUARD_USER, ROLE_WORKER, false) && refused == CODE_FORBIDDEN, "no worker");
    ok(!role_fits(GUARD_WORKER, ROLE_USER, false), "a worker's route takes no user");
    ok(role_fits(GUARD_WORKER | GUARD_USER, ROLE_USER, false), "several roles may be named");
    ok(!role_fits(GUARD_BRAND_ADMIN, ROLE_USER, false), "a brand admin's route needs the right");
    ok(role_fits(GUARD_BRAND_ADMIN, ROLE_USER, true), "that a token may carry");
    ok(role_fits(GUARD_BRAND_ADMIN, ROLE_ADMIN, false), "and an admin has");
    ok(!role_fits(GUARD_USER, ROLE_NONE, false) && refused == CODE_UNAUTHORIZED,
       "nobody is unauthorized");
    ok(role_fits(GUARD_OPEN, ROLE_NONE, false), "but for open routes");
    ok(!role_fits(GUARD_USER | GUARD_ADMIN | GUARD_WORKER | GUARD_SERVICE, ROLE_GATEWAY, false),
       "a gateway's role comes with no token");
}

static void rates(void) {
    struct rates *r = rates_new();
    uint32_t retry = 0;
    int taken = 0;
    for (int i = 0; i < 200; i++) taken += rate_take(r, "a", 1, 60, 1000, &retry);
    is_int(taken, 60, "a minute's worth is there at once");
    is_int(retry, 1, "then it says when the next is");
    ok(rate_take(r, "b", 1, 60, 1000, &retry), "another key has its own");
    ok(!rate_take(r, "a", 1, 60, 1999, &retry), "nothing within the second");
    ok(rate_take(r, "a", 1, 60, 2000, &retry), "one after it");
    ok(!rate_take(r, "a", 1, 60, 2000, &retry), "but one only");
    for (int i = 0; i < 100000; i++) rate_take(r, &i, sizeof i, 60, 2000, &retry);
    ok(!rate_take(r, "a", 1, 60, 2000, &retry), "a flood of other keys does not refill it");
    ok(rate_take(r, "a", 1, 0, 2000, &retry), "no limit is no limit");
    rates_destroy(&r);
    config.failures_per_min = 3;
    int wrong = 0;
    for (int i = 0; i < 5; i++) {
        signs_in(GUARD_USER, "Bearer a.b.c");
        wrong += refused == CODE_UNAUTHORIZED;
    }
    ok(wrong == 3 && refused == CODE_RATE_LIMITED && request->x.retry_after_s > 0,
       "wrong credentials are counted by address");
    ok(signs_in(GUARD_USER, token(user(3, 0), 1)), "right ones still pass");
    config.rate_per_min = 2;
    bool passed[3];
    for (int i = 0; i < 3; i++) {
        struct exchange *x = begin(GUARD_USER);
        header("Authorization", token(user(3, 0), 1));
        passed[i] = guard_who(x) && guard_rate(x);
    }
    ok(passed[0] && passed[1] && !passed[2] && refused == CODE_RATE_LIMITED,
       "a principal has its rate");
}

static void queries(void) {
    struct exchange *x = begin(GUARD_OPEN);
    is_text(exchange_query(x, "a"), "1", "a query key is found");
    is_text(exchange_query(x, "b"), "x y z", "its value is decoded, the first counts");
    is_text(exchange_query(x, "c"), "", "a key without a value is empty");
    ok(exchange_query(x, "d") == NULL, "an absent key is told apart");
    is_int(exchange_query_number(x, "n", 1, 0, 20), 12, "a number is read");
    is_int(exchange_query_number(x, "d", 7, 0, 20), 7, "or its fallback given");
    is_int(exchange_query_number(x, "m", 7, 0, 20), 7, "what is no number");
    is_int(exchange_query_number(x, "n", 7, 0, 9), 7, "or too large");
    is_int(x->errors.count, 2, "is noted");
}

static bool fleet_signs_in(uint32_t guard, const char *value) {
    struct exchange *x = begin(guard);
    if (value != NULL) header("Authorization", value);
    return guard_fleet(x) && guard_role(x);
}

static void fleets(void) {
    char why[200] = "";
    struct fleet *f = fleet_new(" tok-one , 7=tok=two,", why, sizeof why), *none;
    ok(f != NULL && !fleet_empty(f), "a list of fleet tokens is read");
    server.fleet = f;
    ok(fleet_signs_in(GUARD_FLEET, "Bearer tok-one") && request->x.who.role == ROLE_FLEET &&
           request->x.who.brand == 1, "a bare one is of brand 1");
    ok(fleet_signs_in(GUARD_FLEET, "bearer tok=two") && request->x.who.brand == 7,
       "N= names another brand; the rest may hold more of them");
    ok(!fleet_signs_in(GUARD_FLEET, "Bearer 7=tok=two") && refused == CODE_UNAUTHORIZED,
       "the number is no part of it");
    ok(!fleet_signs_in(GUARD_FLEET, "Bearer tok-on") && refused == CODE_UNAUTHORIZED,
       "a part of one is none");
    ok(!fleet_signs_in(GUARD_FLEET, NULL) && request->x.cause == CAUSE_NO_CREDENTIALS,
       "nor is nothing");
    ok(!fleet_signs_in(GUARD_USER, "Bearer tok-one") && refused == CODE_FORBIDDEN,
       "it opens no user's route");
    ok(fleet_signs_in(GUARD_FLEET | GUARD_USER, token(user(3, 0), 1)) &&
           request->x.who.role == ROLE_USER, "a JWT passes where its role may");
    ok(!fleet_signs_in(GUARD_FLEET, token(user(3, 0), 1)) && refused == CODE_FORBIDDEN,
       "and does not elsewhere");
    none = fleet_new("", why, sizeof why);
    server.fleet = none;
    ok(fleet_empty(none) && !fleet_signs_in(GUARD_FLEET, "Bearer worker-secret-token") &&
           refused == CODE_UNAUTHORIZED, "there is no default token");
    const char *const wrong[] = {"0=a", "7=", "a b", "4294967296=a", "99999999999=a"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ok(fleet_new(wrong[i], why, sizeof why) == NULL && strstr(why, "worker_tokens") != NULL,
           wrong[i]);
    server.fleet = NULL;
    fleet_destroy(&f);
    fleet_destroy(&none);
}

static void people(void) {
    struct token t = user(3, 0);
    strcpy(t.name, "eve");
    t.issued_s = NOW_S - 5;
    keyring_add_revoked(&server.ring, slice_text("user:eve"), NOW_S - 5);
    server.ring_version++;
    ok(!signs_in(GUARD_USER, token(t, 1)) && refused == CODE_UNAUTHORIZED,
       "what was issued up to the second of a revocation is dead");
    t.issued_s = NOW_S - 4;
    ok(signs_in(GUARD_USER, token(t, 1)), "what was issued after it is not");
    struct token w = {.role = ROLE_WORKER, .brand_count = 1, .brands = {1}};
    strcpy(w.name, "eve");
    w.issued_s = NOW_S - 5;
    ok(signs_in(GUARD_WORKER, token(w, 1)), "a worker of that name is another");
    strcpy(t.type, "limited");
    ok(signs_in(GUARD_USER, token(t, 1)) && !guard_role(&request->x) && refused == CODE_FORBIDDEN,
       "who must change the password first may do nothing");
    ok(signs_in(GUARD_USER | GUARD_LIMITED, token(t, 1)) && guard_role(&request->x),
       "but what is meant for that");
}

static bool query_signs_in(uint32_t guard, const char *query, const char *value) {
    struct exchange *x = begin(guard);
    x->query = query;
    if (value != NULL) header("Authorization", value);
    return guard_who(x);
}

static void query_tokens(void) {
    char query[TOKEN_BYTES_MAX + 64];
    snprintf(query, sizeof query, "a=1&access_token=%s", token(user(3, 0), 1) + 7);
    ok(query_signs_in(GUARD_USER | GUARD_QUERY, query, NULL), "a token may stand in the query");
    ok(!query_signs_in(GUARD_USER, query, NULL) && refused == CODE_UNAUTHORIZED,
       "on routes that say so");
    ok(!query_signs_in(GUARD_USER | GUARD_QUERY, query, "Bearer a.b.c"), "a header goes before it");
    snprintf(query, sizeof query, "token=%s", token(user(3, 0), 1) + 7);
    ok(query_signs_in(GUARD_USER | GUARD_QUERY, query, NULL), "also under its other name");
}

int main(void) {
    if (sodium_init() < 0) return 1;
    config_init(&config, SECTION_BASE | SECTION_GATEWAY);
    server.config = &config;
    server.house = &dialect;
    server.rates = rates_new();
    server.tokens = jwt_cache_new();
    server.wall_ms = NOW_S * 1000;
    server.ring_known = true;
    server.ring.token_count = 2;
    memset(server.ring.tokens[0], 1, KEYRING_SECRET_BYTES);
    memset(server.ring.tokens[1], 2, KEYRING_SECRET_BYTES);
    keyring_add_revoked(&server.ring, slice_text("jti:gone"), 0);
    keyring_add_revoked(&server.ring, slice_text("worker:dead"), 0);
    struct keyring_key key = {.brand = 4, .role = ROLE_SERVICE, .name = "batch"};
    crypto_generichash(key.hash, sizeof key.hash, (const uint8_t *)"rk_secret", 9,
                       server.ring.id_key, sizeof server.ring.id_key);
    keyring_add_key(&server.ring, &key);
    authentication();
    api_keys();
    tenants();
    roles();
    queries();
    fleets();
    people();
    query_tokens();
    rates();
    request_free(request);
    while (server.free != NULL) {
        struct request *r = server.free;
        server.free = r->next_free;
        buffer_free(&r->x.out.body);
        free(r);
    }
    rates_destroy(&server.rates);
    jwt_cache_destroy(&server.tokens);
    keyring_free(&server.ring);
    config_free(&config);
    return done();
}
