#include "gateway/account_flow.h"
#include "gateway/rate.h"
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

const struct who account_house = {.role = ROLE_ADMIN, .brand_admin = true, .name = "gateway"};

struct who account_actor(const struct exchange *x) {
    struct who who = account_house;
    if (x->who.name[0] != 0) memcpy(who.name, x->who.name, sizeof who.name);
    return who;
}

/* ---- accounts ---- */

bool account_of(const struct object_row *row, struct account *ret) {
    struct account a = {.id = row->id, .version = row->version, .created_ms = row->created_ms,
                        .updated_ms = row->updated_ms};
    if (row->name.len == 0 || row->name.len >= sizeof a.name) return false;
    if (!account_read(&a.body, row->body)) return false;
    memcpy(a.name, row->name.data, row->name.len);
    *ret = a;
    return true;
}

const char *account_shown(const struct account *a) {
    return a->body.shown[0] != 0 ? a->body.shown : a->name;
}

const char *account_role(const struct account *a) {
    return a->body.role == ROLE_ADMIN ? "admin" : "user";
}

static bool brand_held(const struct exchange *x, uint32_t brand) {
    for (uint32_t i = 0; i < x->brand_count; i++)
        if (x->brands[i] == brand) return true;
    return false;
}

bool account_visible(const struct exchange *x, const struct account *a) {
    if (strcmp(x->who.name, a->name) == 0) return true;
    if (x->who.role != ROLE_ADMIN) return false;
    return x->brand_count == 0 || (a->body.brand_count > 0 && brand_held(x, a->body.brands[0]));
}

bool account_governed(const struct exchange *x, const struct account *a) {
    if (!account_visible(x, a)) return false;
    if (x->who.role != ROLE_ADMIN || x->brand_count == 0) return true;
    for (uint32_t i = 0; i < a->body.brand_count; i++)
        if (!brand_held(x, a->body.brands[i])) return false;
    return a->body.brand_count > 0 || strcmp(x->who.name, a->name) == 0;
}

void account_password_check(struct exchange *x, const char *name, struct slice password) {
    const uint32_t min = request_of(x)->server->config->password_len_min;
    if (password.data == NULL || password.len >= min) return; /* absent was noted */
    field_refuse(&x->errors, name,
                 exchange_print(x, "A password has at least %u characters.", min));
}

/* ---- steps ---- */

struct flow *flow_new(struct exchange *x) {
    struct flow *f = exchange_alloc(x, sizeof *f);
    request_of(x)->account = f;
    return f;
}

struct message object_message(enum verb verb, const char *kind, struct slice name) {
    struct message m = {.verb = verb};
    m.object.kind = slice_text(kind);
    m.object.name = name;
    return m;
}

struct slice keys_pack(struct exchange *x, struct slice key) {
    struct buffer b = {0};
    text_put(&b, key);
    struct slice packed = exchange_copy(x, buffer_slice(&b));
    buffer_free(&b);
    return packed;
}

bool object_taken(struct exchange *x, const struct message *answer, struct object_row *row,
                  bool *absent) {
    const enum code code = exchange_code(answer);
    *absent = code == CODE_NOT_FOUND || code == CODE_VALIDATION_ERROR;
    if (*absent) return false;
    if (code != CODE_OK) return exchange_refuse(x, code, NULL);
    if (answer->verb == VERB_ANSWER && object_row_read(answer->answer.body, row)) return true;
    return exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
}

static void account_found(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    struct object_row row;
    bool absent;
    if (!object_taken(x, answer, &row, &absent)) {
        if (absent) f->found(x, NULL);
    } else if (account_of(&row, &f->account)) {
        f->found(x, &f->account);
    } else {
        exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
    }
}

void account_find(struct exchange *x, uint64_t id, account_then *then) {
    struct flow *f = flow_new(x);
    const struct slice own = id == 0 ? slice_text(x->who.name) : (struct slice){0};
    struct message m = object_message(VERB_FETCH, "user", own);
    m.object.options.id = id;
    f->found = then;
    exchange_try_as(x, &account_house, &m, account_found);
}

/* ---- tokens ---- */

const char *account_sign(struct exchange *x, const struct token *token) {
    char text[TOKEN_BYTES_MAX + 1];
    struct token_secret secret;
    memcpy(secret.bytes, request_of(x)->server->ring.tokens[0], sizeof secret.bytes);
    const size_t len = token_sign(token, &secret, text, sizeof text);
    sodium_memzero(&secret, sizeof secret);
    assert(len > 0); /* names were checked, and brands are bounded */
    return exchange_print(x, "%s", text);
}

static void revoked(struct exchange *x, const struct message *answer) {
    (void)answer;
    flow_of(x)->done(x);
}

static struct message revocation_message(struct exchange *x, const char *kind, const char *name,
                                         int64_t before_s, int64_t until_ms) {
    struct buffer b = {0};
    const char *text = exchange_print(x, "%s:%s", kind, name);
    struct message m = object_message(VERB_PUT, "revocation", slice_text(text));
    revocation_write(&b, before_s);
    m.object.body = exchange_copy(x, buffer_slice(&b));
    buffer_free(&b);
    m.object.mode = PUT_EITHER;
    m.object.options.until_ms = until_ms;
    return m;
}

void account_revoke(struct exchange *x, const char *kind, const char *name, int64_t before_s,
                    int64_t until_ms, account_done *then) {
    const struct who actor = account_actor(x);
    struct flow *f = flow_of(x) != NULL ? flow_of(x) : flow_new(x);
    const int64_t old_s = keyring_revoked_before(&request_of(x)->server->ring, kind, name);
    /* a token that was given in the second of the last one is dated one later */
    if (before_s > 0 && old_s >= before_s && old_s < INT64_MAX) before_s = old_s + 1;
    const struct message m = revocation_message(x, kind, name, before_s, until_ms);
    f->done = then;
    exchange_send_as(x, &actor, &m, revoked);
}

/* ---- families ---- */

void flow_arrived(struct exchange *x) {
    struct flow *f = flow_of(x);
    assert(f->waiting > 0);
    if (--f->waiting == 0) f->next(x);
}

/* One that has gone already is as good as ended. */
static void family_ended(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code != CODE_OK && code != CODE_NOT_FOUND) exchange_refuse(x, code, NULL);
    else flow_arrived(x);
}

void family_end(struct exchange *x, const char *family) {
    struct flow *f = flow_of(x);
    const struct request *r = request_of(x);
    int64_t until_ms = x->wall_ms + r->server->config->access_ms;
    if (strcmp(family, r->jti) == 0 && r->token_until_s > until_ms / 1000)
        until_ms = r->token_until_s < REVOKED_MS_MAX / 100 ? r->token_until_s * 1000 : 0;
    if (until_ms > 0) until_ms += 2 * TOKEN_SKEW_S * 1000;
    const struct message gone = object_message(VERB_DROP, "grant", slice_text(family));
    const struct message dead = revocation_message(x, "jti", family, 0, until_ms);
    f->waiting += 2;
    exchange_try_as(x, &account_house, &gone, family_ended);
    if (request_of(x)->stage == STAGE_ENDED) return; /* the broker is silent */
    exchange_try_as(x, &account_house, &dead, family_ended);
}

static void families_question(struct exchange *x, uint32_t limit, exchange_then *then) {
    struct message m = {.verb = VERB_ASK};
    m.question.kind = slice_text("objects");
    m.question.object = slice_text("grant");
    m.question.owner = slice_text(flow_of(x)->account.name);
    m.question.limit = limit;
    m.question.priority = m.question.dialect = -1;
    exchange_try_as(x, &account_house, &m, then);
}

/* Ends the first `count` families of the rows, the oldest; true when there was one to end. The
 * flow goes on when all are ended, and the caller has said flow_arrived. */
static bool families_begin_end(struct exchange *x, struct slice rows, uint32_t count) {
    struct flow *f = flow_of(x);
    struct object_row row;
    uint32_t at = 0;
    bool any = false;
    const struct slice copy = exchange_copy(x, rows);
    f->waiting = 1; /* until all are said */
    while (count-- > 0 && object_row_next(copy, &at, &row)) {
        const char *family = (const char *)exchange_copy(x, row.name).data;
        if (f->spared != NULL && strcmp(family, f->spared) == 0) continue;
        any = true;
        family_end(x, family);
        if (request_of(x)->stage == STAGE_ENDED) return any;
    }
    return any;
}

static void families_ask(struct exchange *x);

/* Asked again after a full page; what was ended is no longer in the next. */
static void families_come(struct exchange *x, const struct message *answer) {
    struct flow *f = flow_of(x);
    const enum code code = exchange_code(answer);
    if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    f->next = answer->rows.row_count < GRANTS_PAGE ? f->after : families_ask;
    const bool any = families_begin_end(x, answer->rows.rows, answer->rows.row_count);
    if (!any) f->next = f->after;
    if (request_of(x)->stage != STAGE_ENDED) flow_arrived(x);
}

static void families_ask(struct exchange *x) { families_question(x, GRANTS_PAGE, families_come); }

void families_end(struct exchange *x, account_done *next) {
    flow_of(x)->after = next;
    families_ask(x);
}

static void trim_come(struct exchange *x, const struct message *answer) {
    const uint32_t max = request_of(x)->server->config->logins_max;
    const uint32_t count = answer->rows.row_count;
    const enum code code = exchange_code(answer);
    if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    families_begin_end(x, answer->rows.rows, count >= max ? count - max + 1 : 0);
    if (request_of(x)->stage != STAGE_ENDED) flow_arrived(x);
}

void families_trim(struct exchange *x, account_done *next) {
    const uint32_t max = request_of(x)->server->config->logins_max;
    flow_of(x)->next = next;
    families_question(x, max + 1, trim_come);
}

/* ---- passwords ---- */

void password_hash(struct exchange *x, struct slice password, const char *stored,
                   hash_then *then) {
    struct request *r = request_of(x);
    struct server *s = r->server;
    struct hash_job *job = hash_job_new(&s->hashed, r, password, stored);
    assert(r->hash == NULL);
    job->then = (void (*)(void))then;
    if (hasher_put(s->hasher, job)) {
        r->hash = job;
        r->waiting = true;
        return;
    }
    hash_job_free(&job);
    x->retry_after_s = 1;
    exchange_refuse(x, CODE_RATE_LIMITED, "too many passwords are being checked");
}

void account_hashed(struct server *s) {
    for (struct hash_job *job; (job = hash_box_take(&s->hashed)) != NULL;) {
        struct request *r = job->owner;
        if (r != NULL) {
            r->hash = NULL;
            ((hash_then *)job->then)(&r->x, job->good, job->text);
            request_check(r);
        }
        hash_job_free(&job);
    }
}
