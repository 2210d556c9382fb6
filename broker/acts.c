/* acts.c - see acts.h. */
#include "broker/turn_state.h"
#include "proto/account.h"
#include "proto/host/log.h"
#include "proto/object.h"
#include <stdio.h>
#include <stdlib.h>

enum { REVOKED_PAGE = 1000 };

bool acts_open(struct acts *a, const struct audit_options *audit, char *why, size_t why_size) {
    *a = (struct acts){.stale = true};
    a->list = calloc(ACTS_MAX, sizeof *a->list);
    snprintf(why, why_size, "out of memory");
    if (a->list != NULL) a->audit = audit_open(audit, why, why_size);
    return a->audit != NULL;
}

void acts_close(struct acts *a) {
    audit_close(&a->audit);
    free(a->list);
    keyring_free(&a->reading);
    keyring_free(&a->since);
    buffer_free(&a->cursor);
    *a = (struct acts){0};
}

void acts_forget(struct acts *a, int64_t wall_ms) {
    for (uint32_t i = 0; i < a->count; i++)
        if (a->list[i].audited) audit_put(a->audit, &a->list[i].act, "unknown", wall_ms);
    a->count = 0;
    a->stale = true;
    a->asking = false;
    a->stale_group = 0;
}

/* ---- noting ---- */

static void text_take(char *to, size_t size, struct slice from) {
    const size_t len = from.len < size ? from.len : size - 1;
    if (len > 0) memcpy(to, from.data, len);
    to[len] = 0;
    for (size_t i = 0; i < len; i++)
        if (to[i] == 0) to[i] = '?';
}

static bool kind_is(const struct message *m, const char *kind) {
    return slice_equal(m->object.kind, slice_text(kind));
}

static bool governs(const struct message *m) {
    return kind_is(m, "user") || kind_is(m, "brand") || kind_is(m, "revocation")
        || kind_is(m, "apikey") || kind_is(m, "key") || kind_is(m, "agent");
}

/* What it is called: by its name, or by its number. */
static void object_name(struct act *act, const struct object_ref *o) {
    text_take(act->name, sizeof act->name, o->name);
    if (o->name.len == 0)
        snprintf(act->name, sizeof act->name, "id:%llu", (unsigned long long)o->options.id);
}

static bool act_read(struct noted *n, const struct message *m, const struct who *who) {
    *n = (struct noted){.number = m->number, .audited = strcmp(who->name, "gateway") != 0};
    snprintf(n->act.actor, sizeof n->act.actor, "%s", who->name);
    n->act.role = who->role;
    if (m->verb == VERB_QUEUE) {
        n->act.verb = "queue";
        n->act.brand = m->queue.brand != 0 ? m->queue.brand : who->brand;
        text_take(n->act.kind, sizeof n->act.kind, slice_text("queue"));
        text_take(n->act.name, sizeof n->act.name, m->queue.queue);
        return (m->queue.set & ~SET_QUEUE_BRAND) != 0;
    }
    if ((m->verb != VERB_PUT && m->verb != VERB_DROP) || !governs(m)) return false;
    if (who->role != ROLE_ADMIN) return false; /* it will be refused: no way to fill the log */
    n->act.verb = m->verb == VERB_DROP ? "drop"
                : m->object.mode == PUT_CREATE ? "create" : "change";
    n->act.brand = m->object.brand;
    text_take(n->act.kind, sizeof n->act.kind, m->object.kind);
    object_name(&n->act, &m->object);
    if (kind_is(m, "revocation")) {
        n->revokes = m->verb == VERB_PUT;
        n->unrevokes = !n->revokes;
        n->before_s = revocation_read(m->object.body);
    }
    return n->audited || n->revokes || n->unrevokes;
}

static void noted_remove(struct acts *a, uint32_t i) {
    a->count--;
    memmove(&a->list[i], &a->list[i + 1], (a->count - i) * sizeof *a->list);
}

enum code turn_note_act(struct turn *t, const struct peer *p, const struct who *who) {
    struct acts *a = &t->acts;
    struct noted n;
    const struct message *m = &t->message;
    if (m->verb != VERB_PUT && m->verb != VERB_DROP && m->verb != VERB_QUEUE) return CODE_OK;
    if (!act_read(&n, m, who)) return CODE_OK;
    if (n.revokes && t->keys.ring.revoked_count >= KEYRING_REVOKED_MAX) return CODE_LIMIT_REACHED;
    if (n.revokes && m->object.name.len >= REVOCATION_NAME_SIZE) return CODE_VALIDATION_ERROR;
    if (n.number == 0) { /* asks for no answer: all that can be said is that it came */
        if (n.audited) audit_put(a->audit, &n.act, "unknown", t->wall_ms);
        if (n.revokes || n.unrevokes) return CODE_VALIDATION_ERROR;
        return CODE_OK;
    }
    if (a->count == ACTS_MAX) {
        if (a->list[0].audited) audit_put(a->audit, &a->list[0].act, "unknown", t->wall_ms);
        noted_remove(a, 0);
    }
    n.peer = p->number;
    a->list[a->count++] = n;
    return CODE_OK;
}

/* ---- settling ---- */

static void keyring_say(struct turn *t, struct slice body) {
    const struct message m = {.verb = VERB_KEYRING, .answer = {.body = body}};
    uint32_t at = 0;
    if (body.len == 0) log_error("the keyring cannot be written: out of memory");
    for (struct peer *p; body.len > 0 && (p = router_next(t->setup.router, &at)) != NULL;)
        if (p->who.role == ROLE_GATEWAY && p->link != 0)
            router_say(t->setup.router, p->number, SAY_GROUP, &m);
}

static void revocation_say(struct turn *t, const struct noted *n) {
    struct buffer b = {0};
    const struct slice text = slice_text(n->act.name);
    if (!keys_add_revoked(&t->keys, text, n->before_s))
        log_error("a revocation does not fit into the keyring", field_text("name", n->act.name));
    if (t->acts.asking) keyring_add_revoked(&t->acts.since, text, n->before_s);
    t->acts.stale_group = t->group;
    keyring_write_revoked(&b, text, n->before_s);
    if (!b.failed) keyring_say(t, buffer_slice(&b));
    buffer_free(&b);
}

static void revoked_stale(struct turn *t) {
    t->acts.stale = true;
    t->acts.stale_group = t->group;
}

void turn_settle_act(struct turn *t, uint32_t peer, const struct message *m) {
    struct acts *a = &t->acts;
    uint64_t number;
    enum code code;
    if (a->count == 0) return;
    if (m->verb == VERB_ANSWER) {
        number = m->answer.number;
        code = m->answer.code;
    } else if (m->verb == VERB_REFUSED) {
        number = m->refused.number;
        code = m->refused.code;
    } else {
        return;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        const struct noted n = a->list[i];
        if (n.peer != peer || n.number != number) continue;
        noted_remove(a, i);
        if (n.audited) audit_put(a->audit, &n.act, code_name(code), t->wall_ms);
        if (code == CODE_OK && n.revokes) revocation_say(t, &n);
        if (code == CODE_OK && n.unrevokes) revoked_stale(t);
        return;
    }
}

/* ---- all revocations, from the store ---- */

static void revoked_ask(struct turn *t) {
    static const struct who shell = {.role = ROLE_ADMIN, .name = "broker"};
    struct message m = {.verb = VERB_ASK};
    m.question.kind = slice_text("objects");
    m.question.object = slice_text("revocation");
    m.question.limit = REVOKED_PAGE;
    m.question.cursor = buffer_slice(&t->acts.cursor);
    m.question.priority = m.question.dialect = -1;
    t->acts.asking = ask_put(t->ask, PEER_SHELL, t->opened, &m, &shell, t->opened, t->durable)
        == CODE_OK;
    if (!t->acts.asking) t->acts.read_at_ms = t->mono_ms + REVOKED_AGAIN_MS;
}

/* A revocation that was said is in the table, or will be asked for, once it is durable. */
void turn_tend_revoked(struct turn *t) {
    struct acts *a = &t->acts;
    if (t->life != LIFE_UP || a->asking || t->durable < a->stale_group) return;
    if (!a->stale && t->mono_ms < a->read_at_ms) return;
    a->stale = false;
    a->read_at_ms = t->mono_ms + REVOKED_READ_MS;
    keyring_free(&a->reading);
    keyring_free(&a->since);
    buffer_clear(&a->cursor);
    revoked_ask(t);
}

static void revoked_rows(struct acts *a, const struct rows *rows) {
    struct object_row row;
    uint32_t at = 0;
    while (object_row_next(rows->rows, &at, &row))
        if (!keyring_add_revoked(&a->reading, row.name, revocation_read(row.body)))
            log_error("too many revocations: some are not in force");
}

/* All have come. */
static void revoked_replace(struct turn *t) {
    struct acts *a = &t->acts;
    buffer_append(&a->reading.revoked, a->since.revoked.data, a->since.revoked.len);
    const uint32_t count = a->reading.revoked_count + a->since.revoked_count;
    if (a->reading.revoked.failed) {
        a->read_at_ms = t->mono_ms + REVOKED_AGAIN_MS;
        return;
    }
    keys_set_revoked(&t->keys, &a->reading.revoked, count);
    a->reading.revoked_count = 0;
    a->known = true;
    keyring_say(t, keys_body(&t->keys));
}

void turn_take_revoked(struct turn *t, const struct message *m) {
    struct acts *a = &t->acts;
    if (!a->asking || t->life != LIFE_UP || t->ask == NULL) return;
    a->asking = false;
    if (m->verb != VERB_ROWS || m->rows.code != CODE_OK) {
        a->read_at_ms = t->mono_ms + REVOKED_AGAIN_MS;
        return;
    }
    revoked_rows(a, &m->rows);
    if (m->rows.next.len == 0) {
        revoked_replace(t);
        return;
    }
    buffer_clear(&a->cursor);
    buffer_append(&a->cursor, m->rows.next.data, m->rows.next.len);
    revoked_ask(t);
}
