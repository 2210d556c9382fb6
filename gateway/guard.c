#include "gateway/guard.h"
#include "gateway/accept.h"
#include "gateway/account.h"
#include "gateway/fleet.h"
#include "gateway/jwt.h"
#include "gateway/openapi_said.h"
#include "gateway/rate.h"
#include "gateway/request.h"
#include "proto/host/log.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- CORS ---- */

static bool origin_listed(const char *list, const char *origin) {
    size_t len = strlen(origin);
    for (const char *p = list; *p != '\0'; p += strcspn(p, ",")) {
        p += strspn(p, ", ");
        if (strncasecmp(p, origin, len) == 0 && strchr(", ", p[len]) != NULL) return true;
    }
    return false;
}

bool guard_cors(struct exchange *x) {
    const char *list = request_of(x)->server->config->cors_origins;
    const char *origin = exchange_header(x, "Origin");
    if (strcmp(list, "*") == 0) {
        exchange_set(x, "Access-Control-Allow-Origin", "*");
    } else if (origin != NULL && origin_listed(list, origin)) {
        exchange_set(x, "Access-Control-Allow-Origin", origin);
        exchange_set(x, "Vary", "Origin");
    } else {
        return true;
    }
    if (origin == NULL) return true;
    if (x->route != NULL) {
        exchange_set(x, "Access-Control-Expose-Headers",
                     "X-Total-Count, X-Total-Exact, Link, Location, ETag, Content-Disposition, "
                     "Retry-After, X-Request-Id");
        return true;
    }
    exchange_set(x, "Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS");
    exchange_set(x, "Access-Control-Allow-Headers",
                 "Authorization, Content-Type, X-API-KEY, X-Brand-ID, X-Lease, X-Seq, "
                 "Idempotency-Key, Last-Event-ID, Range");
    exchange_set(x, "Access-Control-Max-Age", "600");
    return true;
}

bool guard_accept(struct exchange *x) {
    const char *accept = exchange_header(x, "Accept");
    if (accept == NULL || accept_allows(accept, "application/json")) return true;
    const char *type = said_answer(said_of(x->dialect->name, x->route));
    if (strcmp(type, "*/*") == 0 || accept_allows(accept, type)) return true;
    return exchange_refuse(x, CODE_NOT_ACCEPTABLE, NULL);
}

/* ---- authentication ---- */

static bool refuse(struct exchange *x, enum cause cause, enum code code, const char *text) {
    x->cause = cause;
    return exchange_refuse(x, code, text);
}

/* A wrong credential counts against the address that brought it. */
static bool refuse_wrong(struct exchange *x) {
    struct request *r = request_of(x);
    struct server *s = r->server;
    uint64_t address = r->client->address;
    if (!rate_take(s->rates, &address, sizeof address, s->config->failures_per_min, s->now_ms,
                   &x->retry_after_s)) {
        return exchange_refuse(x, CODE_RATE_LIMITED, NULL);
    }
    return refuse(x, CAUSE_BAD_CREDENTIALS, CODE_UNAUTHORIZED, NULL);
}

static void become(struct exchange *x, const struct credential *c) {
    memset(&x->who, 0, sizeof x->who);
    x->who.role = c->role;
    x->who.brand_admin = c->brand_admin;
    x->who.boot = c->boot;
    const size_t len = strnlen(c->name, sizeof x->who.name - 1);
    memcpy(x->who.name, c->name, len);
    x->who.name[len] = '\0';
    x->brand_count = c->brand_count < BRANDS_MAX ? c->brand_count : BRANDS_MAX;
    memcpy(x->brands, c->brands, x->brand_count * sizeof *x->brands);
    x->who.brand = x->brand_count > 0 ? x->brands[0] : 0;
    struct request *r = request_of(x);
    memcpy(r->jti, c->jti, sizeof r->jti);
    r->token_until_s = c->expires_s;
    r->limited = c->limited;
}

/* "Bearer TEXT" in any case; NULL = another scheme or none. */
static const char *bearer(const char *value) {
    if (value == NULL || strncasecmp(value, "Bearer ", 7) != 0) return NULL;
    value += 7;
    return value + strspn(value, " ");
}

/* The credential that stands where the route lets it stand; browsers cannot set headers of sockets
 * and event streams, so that theirs may be in the query. NULL = none was brought. */
static const char *credential_of(struct exchange *x, bool api_key) {
    const char *key = api_key ? exchange_header(x, "X-API-KEY") : NULL;
    const char *header = exchange_header(x, "Authorization");
    if (key != NULL || header != NULL || !(x->route->guard & GUARD_QUERY))
        return key != NULL ? key : bearer(header);
    const char *query = exchange_query(x, "access_token");
    return query != NULL ? query : exchange_query(x, "token");
}

static bool authenticate(struct exchange *x, const char *text) {
    struct request *r = request_of(x);
    struct server *s = r->server;
    bool open = (x->route->guard & GUARD_OPEN) != 0;
    if (!s->ring_known) {
        return open || exchange_refuse(x, CODE_UNAVAILABLE, "the broker was not heard yet");
    }
    if (text == NULL) {
        return open || refuse(x, CAUSE_NO_CREDENTIALS, CODE_UNAUTHORIZED, NULL);
    }
    const char *why = NULL;
    const struct credential *c = jwt_check(s->tokens, &s->ring, s->ring_version, text,
                                           s->wall_ms / 1000, &r->client->token_place, &why);
    if (c != NULL) {
        become(x, c);
        r->credential = text;
        r->credential_ring = s->ring_version;
        account_sight(x, c);
        return true;
    }
    log_info("credentials refused", field_text("id", x->request_id), field_text("why", why));
    return open || refuse_wrong(x);
}

bool guard_stands(struct exchange *x) {
    struct request *r = request_of(x);
    struct server *s = r->server;
    const char *why = NULL;
    if (r->credential == NULL || r->credential_ring == s->ring_version) return true;
    r->credential_ring = s->ring_version;
    if (jwt_check(s->tokens, &s->ring, s->ring_version, r->credential, s->wall_ms / 1000,
                  &r->client->token_place, &why))
        return true;
    if (strcmp(why, "revoked") != 0 && strcmp(why, "key") != 0) return true; /* it just grew old */
    log_info("credentials ended", field_text("id", x->request_id), field_text("why", why));
    return false;
}

bool guard_who(struct exchange *x) {
    return authenticate(x, credential_of(x, false));
}

bool guard_fleet(struct exchange *x) {
    static atomic_flag told = ATOMIC_FLAG_INIT;
    const struct fleet *f = request_of(x)->server->fleet;
    const char *text = credential_of(x, false);
    const uint32_t brand = text != NULL ? fleet_find(f, text) : 0;
    if (brand != 0) {
        const struct credential c = {.role = ROLE_FLEET, .brand_count = 1, .brands = {brand},
                                     .name = "fleet", .expires_s = INT64_MAX};
        become(x, &c);
        return true;
    }
    if (fleet_empty(f) && !atomic_flag_test_and_set(&told))
        log_warn("worker_tokens is not set: no worker of dialect 003 is let in");
    return authenticate(x, text);
}

/* Option `open` names dialects that loopback clients use without credentials. */
static bool open_to(const struct request *r, const struct dialect *d) {
    const char *list = r->server->config->open;
    return r->client->loopback && list[0] != '\0' && origin_listed(list, d->name);
}

bool guard_key(struct exchange *x) {
    struct request *r = request_of(x);
    const char *text = credential_of(x, true);
    if (text == NULL && open_to(r, x->dialect)) {
        struct credential c = {.role = ROLE_SERVICE, .brand_count = 1, .brands = {1},
                               .name = "open"};
        become(x, &c);
        return true;
    }
    return authenticate(x, text);
}

/* ---- tenants ---- */

static bool has_brand(const struct exchange *x, uint64_t brand) {
    for (uint32_t i = 0; i < x->brand_count; i++) {
        if (x->brands[i] == brand) return true;
    }
    return x->brand_count == 0 && x->who.role == ROLE_ADMIN;
}

static bool default_brand(struct exchange *x) {
    if (x->brand_count > 0) {
        x->who.brand = x->brands[0];
        return true;
    }
    if (x->who.role == ROLE_ADMIN) { /* names none: all are his, the first one is meant */
        x->who.brand = 1;
        return true;
    }
    return refuse(x, CAUSE_BRAND_FORBIDDEN, CODE_FORBIDDEN, "the token names no brand");
}

bool guard_brand(struct exchange *x) {
    struct request *r = request_of(x);
    const char *text = NULL;
    if (x->who.role == ROLE_NONE) return true;
    for (uint32_t i = 0; i < r->header_count; i++) {
        if (strcasecmp(r->headers[i].name, "X-Brand-ID") != 0) continue;
        if (text != NULL) {
            return refuse(x, CAUSE_BRAND_MALFORMED, CODE_VALIDATION_ERROR,
                          "X-Brand-ID stands twice");
        }
        text = r->headers[i].value;
    }
    if (text == NULL) return default_brand(x);
    if (strcmp(text, "all") == 0) {
        if (x->who.role != ROLE_ADMIN || x->brand_count > 0) {
            return refuse(x, CAUSE_BRAND_FORBIDDEN, CODE_FORBIDDEN,
                          "all brands are for admins only");
        }
        x->who.brand = 0;
        return true;
    }
    size_t len = strlen(text);
    if (len == 0 || len > 10 || strspn(text, "0123456789") != len) {
        return refuse(x, CAUSE_BRAND_MALFORMED, CODE_VALIDATION_ERROR,
                      "X-Brand-ID is no integer");
    }
    uint64_t brand = strtoull(text, NULL, 10);
    if (brand == 0 || brand > UINT32_MAX || !has_brand(x, brand)) {
        return refuse(x, CAUSE_BRAND_FORBIDDEN, CODE_FORBIDDEN, "this brand is not yours");
    }
    x->who.brand = (uint32_t)brand;
    return true;
}

/* ---- roles and rates ---- */

bool guard_role(struct exchange *x) {
    uint32_t guard = x->route->guard;
    bool fits = (guard & GUARD_OPEN) != 0;
    switch ((enum role)x->who.role) {
    case ROLE_ADMIN: fits = fits || (guard & (GUARD_ADMIN | GUARD_BRAND_ADMIN)); break;
    case ROLE_USER:
        fits = fits || (guard & GUARD_USER) || ((guard & GUARD_BRAND_ADMIN) && x->who.brand_admin);
        break;
    case ROLE_WORKER: /* what an enrolled one may, and how long, only its dialect knows */
        fits = fits || (guard & (x->who.boot != 0 ? GUARD_ENROLLED : GUARD_WORKER));
        break;
    case ROLE_SERVICE: fits = fits || (guard & GUARD_SERVICE); break;
    case ROLE_FLEET: fits = fits || (guard & GUARD_FLEET); break;
    case ROLE_NONE:
        if (!fits) return refuse(x, CAUSE_NO_CREDENTIALS, CODE_UNAUTHORIZED, NULL);
        break;
    case ROLE_CLIENT:
    case ROLE_GATEWAY:
    case ROLE_LOCAL: break; /* no credential of HTTP gives these */
    }
    if (fits && request_of(x)->limited && !(guard & (GUARD_OPEN | GUARD_LIMITED)))
        return refuse(x, CAUSE_ROLE, CODE_FORBIDDEN, "the password must be changed first");
    return fits || refuse(x, CAUSE_ROLE, CODE_FORBIDDEN, NULL);
}

bool guard_rate(struct exchange *x) {
    struct request *r = request_of(x);
    struct server *s = r->server;
    uint64_t address = r->client->address;
    bool fits = true;
    if (x->route->guard & GUARD_SLOW) {
        struct { uint64_t address; const void *route; } key = {address, x->route};
        fits = rate_take(s->rates, &key, sizeof key, s->config->failures_per_min, s->now_ms,
                         &x->retry_after_s);
    }
    if (fits && s->config->rate_per_min > 0) {
        char key[WHO_NAME_MAX + 24];
        int n = snprintf(key, sizeof key, "%u/%u/%s", x->who.role, x->who.brand, x->who.name);
        fits = x->who.role == ROLE_NONE
                   ? rate_take(s->rates, &address, sizeof address, s->config->rate_per_min,
                               s->now_ms, &x->retry_after_s)
                   : rate_take(s->rates, key, (size_t)n, s->config->rate_per_min, s->now_ms,
                               &x->retry_after_s);
    }
    return fits || exchange_refuse(x, CODE_RATE_LIMITED, NULL);
}
