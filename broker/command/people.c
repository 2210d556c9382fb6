/* people.c - see people.h. */
#include "broker/command/people.h"
#include "proto/host/clock.h"
#include <stdio.h>

enum { PAGE = 500 };
static const int64_t revoked_ms = INT64_C(315400000) * 1000; /* longer than any token lives */

struct caller *people_open(const struct config *config, const char *command) {
    static const struct who local = {.role = ROLE_ADMIN, .brand_admin = true, .name = "local"};
    char why[512];
    struct caller *c = caller_open(config, &local, why, sizeof why);
    if (c == NULL) fprintf(stderr, "relais %s: %s\n", command, why);
    return c;
}

int people_refused(const char *command, const struct message *answer) {
    const enum code code = caller_code(answer);
    fprintf(stderr, "relais %s: %s\n", command, code_text(code));
    return 1;
}

struct message people_message(enum verb verb, const char *kind, const char *name) {
    struct message m = {.verb = verb};
    m.object.kind = slice_text(kind);
    m.object.name = slice_text(name);
    return m;
}

bool people_ask(struct caller *c, const char *command, struct message *m,
                const struct message **answer) {
    const struct message *got = caller_ask(c, m);
    if (caller_code(got) != CODE_OK) {
        people_refused(command, got);
        return false;
    }
    if (answer != NULL) *answer = got;
    return true;
}

bool people_page(struct caller *c, const char *command, const char *kind, const char *owner,
                 struct buffer *next, struct slice *rows, bool *failed) {
    struct message m = {.verb = VERB_ASK};
    const struct message *answer;
    const bool first = next->data == NULL;
    *failed = false;
    if (!first && next->len == 0) return false;
    m.question.kind = slice_text("objects");
    m.question.object = slice_text(kind);
    if (owner != NULL) m.question.owner = slice_text(owner);
    m.question.limit = PAGE;
    m.question.priority = m.question.dialect = -1;
    m.question.cursor = buffer_slice(next);
    *failed = !people_ask(c, command, &m, &answer);
    if (*failed) return false;
    buffer_reserve(next, 1); /* "asked before" */
    buffer_clear(next);
    buffer_append(next, answer->rows.next.data, answer->rows.next.len);
    *rows = answer->rows.rows;
    return true;
}

bool person_read(struct person *p, const struct object_row *row) {
    if (row->name.len == 0 || row->name.len >= sizeof p->name) return false;
    if (!account_read(&p->body, row->body)) return false;
    p->row = *row;
    memset(p->name, 0, sizeof p->name);
    memcpy(p->name, row->name.data, row->name.len);
    return true;
}

bool people_revoke(struct caller *c, const char *command, const char *name, enum revoke how) {
    struct message m = people_message(VERB_FETCH, "revocation", name);
    struct buffer body = {0};
    struct object_row row;
    const int64_t now_ms = clock_wall_ms();
    int64_t before_s = now_ms / 1000;
    const struct message *answer = caller_ask(c, &m);
    const bool known = caller_code(answer) == CODE_OK && object_row_read(answer->answer.body, &row);
    const int64_t old_s = known ? revocation_read(row.body) : -1;
    /* a token that was given in the second of the last one is dated one later */
    if (old_s >= before_s) before_s = old_s + 1;
    if (how == REVOKE_ALL || (how == REVOKE_NOW && old_s == 0)) before_s = 0;
    revocation_write(&body, before_s);
    m = people_message(VERB_PUT, "revocation", name);
    m.object.mode = PUT_EITHER;
    m.object.body = buffer_slice(&body);
    m.object.options.until_ms = now_ms + revoked_ms;
    const bool done = people_ask(c, command, &m, NULL);
    buffer_free(&body);
    return done;
}
