/* retire.c - the end of a worker: its tokens die first, then the worker, then what it holds goes
 * back as if it had never been delivered. A claim of another incarnation closes what it waits for;
 * it asks for nothing. */
#include "gateway/account.h"
#include "gateway/dialect/qalpuch/agent.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_ROWS_MAX = 1000 };

struct retiring { struct agent agent; struct who who; uint32_t open; };

static void retired_answer(struct exchange *x, const struct message *answer) {
    const struct retiring *r = x->state;
    (void)answer;
    qalpuch_open(x, "Worker deleted successfully");
    out_object(&x->out);
    out_key(&x->out, "id");
    out_text(&x->out, r->agent.id);
    out_object_end(&x->out);
    qalpuch_close(x);
}

static void incarnation_close(struct exchange *x) {
    const struct retiring *r = x->state;
    struct who who = r->who;
    who.boot = r->agent.boot + 1;
    struct message m = {.verb = VERB_CLAIM,
                        .claim = {.worker = r->agent.id, .boot = who.boot,
                                  .brand = r->agent.brand, .limit = 1}};
    exchange_try_as(x, &who, &m, retired_answer);
}

/* One that was settled meanwhile is no trouble. */
static void released(struct exchange *x, const struct message *answer) {
    struct retiring *r = x->state;
    (void)answer;
    if (--r->open == 0) incarnation_close(x);
}

static void held_release(struct exchange *x, const struct message *answer) {
    struct retiring *r = x->state;
    struct frame frame = {0};
    struct message row;
    uint32_t at = 0;
    r->open = 1;
    while (row_next(&frame, answer->rows.rows, &at, &row)) {
        struct message m = {.verb = VERB_RELEASE,
                            .report = {.task = row.view.head.id, .percent = -1}};
        r->open++;
        exchange_try_as(x, &r->who, &m, released);
    }
    frame_free(&frame);
    released(x, answer);
}

static void dropped(struct exchange *x, const struct message *answer) {
    const struct retiring *r = x->state;
    (void)answer;
    struct message m = {.verb = VERB_ASK,
                        .question = {.kind = slice_text("tasks"), .worker = r->agent.id,
                                     .brand = r->agent.brand, .priority = -1, .dialect = -1,
                                     .limit = HELD_ROWS_MAX,
                                     .status_mask = 1 << STATUS_DELIVERED | 1 << STATUS_RUNNING}};
    exchange_send_as(x, &account_house, &m, held_release);
}

static void revoked(struct exchange *x) {
    const struct retiring *r = x->state;
    struct message m = {.verb = VERB_DROP,
                        .object = {.kind = slice_text("agent"), .name = r->agent.id}};
    exchange_send_as(x, &account_house, &m, dropped);
}

static void delete_go_on(struct exchange *x, const struct message *answer) {
    struct retiring *r = x->state;
    const char *ttl = exchange_option(x, "worker_token_ms");
    if (!agent_taken(x, answer, &r->agent)) return;
    r->who = (struct who){.role = ROLE_WORKER, .brand = r->agent.brand, .boot = r->agent.boot};
    snprintf(r->who.name, sizeof r->who.name, "%.*s", (int)r->agent.id.len,
             (const char *)r->agent.id.data);
    account_revoke(x, "worker", r->who.name, 0,
                   x->wall_ms + (ttl != NULL ? strtoll(ttl, NULL, 10) : 0), revoked);
}

bool agent_delete_read(struct exchange *x, struct message *m) {
    struct slice id;
    (void)m;
    if (!qalpuch_cuid(x, &id)) return false;
    x->state = exchange_alloc(x, sizeof(struct retiring));
    agent_fetch(x, id, delete_go_on);
    return false;
}
