/* enrol.c - how a worker gets its tokens, and its signs of life. See agent.h. */
#include "gateway/account.h"
#include "gateway/dialect/qalpuch/agent.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_MS = 300000, SEEN_MS = 30000, TOKEN_MAX = 256, STATUS_MAX = 32 };
static const char bad_token[] = "Invalid, used or expired registration token";
static const char bad_refresh[] = "Invalid refresh token";

/* ---- what is stored ---- */

const char *agent_key(struct exchange *x, struct slice token) {
    char hash[QALPUCH_HASH_SIZE];
    qalpuch_hash(x, "registration", token, (struct slice){0}, hash);
    return exchange_print(x, "t:%s", hash);
}

static const char *refresh_text(struct exchange *x, const struct agent *a) {
    char hash[QALPUCH_HASH_SIZE];
    const char *which = exchange_print(x, "%llu/%u", (unsigned long long)a->boot, a->refreshes);
    qalpuch_hash(x, "refresh", a->id, slice_text(which), hash);
    return exchange_print(x, "%.*s.%s", (int)a->id.len, (const char *)a->id.data, hash);
}

/* Before the broker was heard no token can be judged. */
static bool keys_known(struct exchange *x) {
    return exchange_id_key(x) != NULL ||
           exchange_refuse(x, CODE_UNAVAILABLE, "the broker was not heard yet");
}

static int64_t option_ms(const struct exchange *x, const char *name) {
    const char *text = exchange_option(x, name);
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

/* ---- register ---- */

struct enrolment {
    struct agent agent;
    struct slice token;  /* as it was sent */
    struct slice by;     /* hash of the Idempotency-Key, empty = none */
    const char *message;
};

/* The same incarnation and time give the same text, so a repeated call gets the same answer. */
static void tokens_write(struct exchange *x) {
    const struct enrolment *e = x->state;
    const struct agent *a = &e->agent;
    struct token t = {.role = ROLE_WORKER, .brand_count = 1, .brands = {a->brand},
                      .type = "worker", .issued_s = a->issued_s, .boot = a->boot};
    t.expires_s = a->issued_s + option_ms(x, "worker_token_ms") / 1000;
    snprintf(t.name, sizeof t.name, "%.*s", (int)a->id.len, (const char *)a->id.data);
    snprintf(t.jti, sizeof t.jti, "%llx.%x", (unsigned long long)a->boot, a->refreshes);
    out_key(&x->out, "token");
    out_string(&x->out, account_sign(x, &t));
    out_key(&x->out, "refreshToken");
    out_string(&x->out, refresh_text(x, a));
    out_key(&x->out, "refresh_token");
    out_string(&x->out, refresh_text(x, a));
}

/* Who lost the race for the token has a used one. */
static void stored_check(struct exchange *x, const struct message *answer) {
    const struct enrolment *e = x->state;
    enum code code = exchange_code(answer);
    if (code == CODE_OK)
        qalpuch_twice(x, e->message, tokens_write);
    else if (code == CODE_CONFLICT || code == CODE_NOT_FOUND)
        exchange_refuse(x, CODE_UNAUTHORIZED,
                        x->route->read == enrol_register_read ? bad_token : bad_refresh);
    else
        exchange_refuse(x, code, NULL);
}

static bool is_replay(const struct exchange *x, const struct enrolment *e) {
    return e->by.len > 0 && slice_equal(e->by, e->agent.registered_by) &&
           x->wall_ms - e->agent.registered_ms < REPLAY_MS;
}

static void register_go_on(struct exchange *x, const struct message *answer) {
    struct enrolment *e = x->state;
    struct agent *a = &e->agent;
    enum code code = exchange_code(answer);
    struct object_row row;
    if (code != CODE_OK && code != CODE_NOT_FOUND) {
        exchange_refuse(x, code, NULL);
        return;
    }
    bool found = code == CODE_OK && object_row_read(answer->answer.body, &row) &&
                 agent_of(x, &row, a);
    if (found && a->registered_ms != 0 && is_replay(x, e)) {
        qalpuch_twice(x, e->message, tokens_write);
        return;
    }
    if (!found || a->registered_ms != 0 || a->token_until_ms <= x->wall_ms) {
        exchange_refuse(x, CODE_UNAUTHORIZED, bad_token);
        return;
    }
    a->registered_ms = a->seen_ms = x->wall_ms;
    a->registered_by = e->by;
    a->issued_s = x->wall_ms / 1000;
    a->boot = (uint64_t)randombytes_random() << 20 | (randombytes_random() >> 12);
    a->boot += a->boot == 0;
    a->refreshes = 0;
    agent_store(x, a, NULL, PUT_REPLACE, stored_check);
}

bool enrol_register_read(struct exchange *x, struct message *m) {
    struct enrolment *e = exchange_alloc(x, sizeof *e);
    const char *key = exchange_header(x, "Idempotency-Key");
    static const char *const names[] = {"token", "registrationToken"};
    bool second = member_find(x->json, "token") == NULL &&
                  member_find(x->json, names[1]) != NULL;
    (void)m;
    e->token = member_text(x->json, names[second], REQUIRED, TOKEN_MAX, &x->errors);
    if (!qalpuch_fields_good(x) || !keys_known(x)) return false;
    if (key != NULL && *key != '\0') {
        char hash[QALPUCH_HASH_SIZE];
        qalpuch_hash(x, "register", slice_text(key), e->token, hash);
        e->by = exchange_copy(x, slice_text(hash));
    }
    e->message = "Worker authenticated successfully";
    x->state = e;
    const char *name = agent_key(x, e->token);
    agent_fetch(x, slice_text(name), register_go_on);
    return false;
}

/* ---- refresh ---- */

static void refresh_go_on(struct exchange *x, const struct message *answer) {
    struct enrolment *e = x->state;
    struct agent *a = &e->agent;
    enum code code = exchange_code(answer);
    struct object_row row;
    if (code != CODE_OK && code != CODE_NOT_FOUND) {
        exchange_refuse(x, code, NULL);
        return;
    }
    bool good = code == CODE_OK && object_row_read(answer->answer.body, &row) &&
                agent_of(x, &row, a) && a->boot != 0;
    if (good) {
        const char *wanted = refresh_text(x, a);
        good = strlen(wanted) == e->token.len &&
               sodium_memcmp(wanted, e->token.data, e->token.len) == 0;
    }
    if (!good) {
        exchange_refuse(x, CODE_UNAUTHORIZED, bad_refresh);
        return;
    }
    a->refreshes++;
    a->issued_s = x->wall_ms / 1000;
    a->seen_ms = x->wall_ms;
    agent_store(x, a, NULL, PUT_REPLACE, stored_check);
}

bool enrol_refresh_read(struct exchange *x, struct message *m) {
    struct enrolment *e = exchange_alloc(x, sizeof *e);
    (void)m;
    e->token = member_text(x->json, "refreshToken", REQUIRED, TOKEN_MAX, &x->errors);
    if (!qalpuch_fields_good(x) || !keys_known(x)) return false;
    const uint8_t *dot = memchr(e->token.data, '.', e->token.len);
    struct slice id = slice_of(e->token.data, dot != NULL ? (size_t)(dot - e->token.data) : 0);
    if (!cuid_form(id)) return exchange_refuse(x, CODE_UNAUTHORIZED, bad_refresh);
    e->message = "Token refreshed successfully";
    x->state = e;
    agent_fetch(x, id, refresh_go_on);
    return false;
}

/* ---- signs of life ---- */

struct seeing { struct agent agent; agent_then *then; void *before; };

static void nothing_more(struct exchange *x, const struct message *answer) {
    (void)x;
    (void)answer;
}

static void seen_go_on(struct exchange *x, const struct message *answer) {
    struct seeing *s = x->state;
    struct agent *a = &s->agent;
    static const struct capabilities all;
    enum code code = exchange_code(answer);
    struct object_row row;
    x->state = s->before;
    if (code != CODE_OK && code != CODE_NOT_FOUND) {
        exchange_refuse(x, code, NULL);
        return;
    }
    if (code == CODE_NOT_FOUND && !cuid_form(slice_text(x->who.name))) {
        s->then(x, &all); /* a token from the command line: no worker was made for it */
        return;
    }
    bool known = code == CODE_OK && object_row_read(answer->answer.body, &row) &&
                 agent_of(x, &row, a) && a->brand == x->who.brand;
    if (!known || (x->who.boot != 0 && a->boot != x->who.boot)) {
        exchange_refuse(x, CODE_UNAUTHORIZED, "this worker is not registered any more");
        return;
    }
    if (x->wall_ms - a->seen_ms > SEEN_MS) { /* who stores it meanwhile has seen it, too */
        a->seen_ms = x->wall_ms;
        agent_store(x, a, NULL, PUT_REPLACE, nothing_more);
    }
    s->then(x, &a->capabilities);
}

void agent_seen(struct exchange *x, agent_then *then) {
    struct seeing *s = exchange_alloc(x, sizeof *s);
    *s = (struct seeing){.then = then, .before = x->state};
    x->state = s;
    agent_fetch(x, slice_text(x->who.name), seen_go_on);
}

/* ---- heartbeat ---- */

struct beat { struct slice said; double load; };

static void beat_answer(struct exchange *x, const struct message *answer) {
    const struct beat *beat = x->state;
    enum code code = answer != NULL ? exchange_code(answer) : CODE_OK;
    if (code != CODE_OK && code != CODE_CONFLICT) { /* a conflict: it was seen by another call */
        exchange_refuse(x, code, NULL);
        return;
    }
    qalpuch_open(x, "Heartbeat received");
    out_object(&x->out);
    out_key(&x->out, "id");
    out_string(&x->out, x->who.name);
    out_key(&x->out, "status");
    if (beat->said.len > 0) out_text(&x->out, beat->said);
    else out_string(&x->out, "online");
    out_key(&x->out, "timestamp");
    out_time(&x->out, x->wall_ms);
    out_object_end(&x->out);
    qalpuch_close(x);
}

static void beat_go_on(struct exchange *x, const struct message *answer) {
    const struct beat *beat = x->state;
    enum code code = exchange_code(answer);
    struct object_row row;
    struct agent a;
    if (code == CODE_NOT_FOUND && !cuid_form(slice_text(x->who.name))) {
        beat_answer(x, NULL);
        return;
    }
    if (code != CODE_OK && code != CODE_NOT_FOUND) {
        exchange_refuse(x, code, NULL);
        return;
    }
    bool known = code == CODE_OK && object_row_read(answer->answer.body, &row) &&
                 agent_of(x, &row, &a) && a.brand == x->who.brand;
    if (!known || (x->who.boot != 0 && a.boot != x->who.boot)) {
        exchange_refuse(x, CODE_UNAUTHORIZED, "this worker is not registered any more");
        return;
    }
    a.seen_ms = x->wall_ms;
    a.said = beat->said;
    a.load = beat->load;
    agent_store(x, &a, NULL, PUT_REPLACE, beat_answer);
}

bool enrol_heartbeat_read(struct exchange *x, struct message *m) {
    static const char *const statuses[] = {"online", "busy", "offline", NULL};
    struct beat *beat = exchange_alloc(x, sizeof *beat);
    (void)m;
    int status = member_choice(x->json, "status", NULLABLE, statuses, &x->errors);
    beat->load = member_number(x->json, "load", NULLABLE, -1, 0, 1e9, &x->errors);
    if (!qalpuch_fields_good(x)) return false;
    if (status >= 0) beat->said = slice_text(statuses[status]);
    x->state = beat;
    agent_fetch(x, slice_text(x->who.name), beat_go_on);
    return false;
}
