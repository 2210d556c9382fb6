/* client.c - clients: one request at a time; what has a key is said again until it is answered. */
#include "tests/sim/sim.h"
#include <assert.h>
#include <stdlib.h>

enum { PATIENCE_MS = 3000 };

static uint64_t op_new(struct sim *s, uint16_t a) {
    if (s->op_count == s->op_cap) {
        s->op_cap = s->op_cap ? s->op_cap * 2 : 256;
        s->ops = realloc(s->ops, s->op_cap * sizeof *s->ops);
        assert(s->ops != NULL);
    }
    uint64_t number = ++s->op_count;
    struct op *op = op_at(s, number);
    *op = (struct op){.brand = (uint8_t)s->actors[a].brand, .queue = (uint8_t)below(s, SIM_QUEUES),
                      .type = below(s, 4) == 0, .priority = PRIORITY_NORMAL, .body = number,
                      .client = (uint8_t)a, .copies = 1};
    if (below(s, 4) == 0) op->priority = (uint8_t)below(s, PRIORITY_COUNT);
    op->keyed = chance(s, s->rates.keyed);
    op->key = number;
    if (op->keyed && number > 1 && chance(s, s->rates.conflict)) { /* an old key, another body */
        const struct op *old = op_at(s, 1 + below(s, number - 1));
        if (old->keyed && old->brand == op->brand) op->key = old->key;
        op->conflict = op->key != number;
    }
    op->delayed = chance(s, s->rates.delay);
    op->due_wall_ms = s->now + s->wall_off + (int64_t)below(s, 8000);
    op->kept = below(s, 4) == 0;
    op->none = !op->kept && below(s, 4) == 0;
    op->accepted = !op->keyed && chance(s, s->rates.accepted);
    return number;
}

static void submit(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    struct packet *p = request_new(s, a, VERB_SUBMIT, true);
    struct op *op = op_at(s, x->op);
    p->op = x->op;
    p->flag = op->client == a && below(s, 8) == 0;
    p->value = op->body % 8 == 0 ? 6000 : 0; /* a run timeout */
    s->asks[p->number % ASKS].op = x->op;
    x->op_at = s->now;
    net_to_broker(s, a, p);
}

static struct said *any_task(struct sim *s) {
    if (!s->task_count) return NULL;
    uint64_t recent = s->task_count < 64 ? s->task_count : 64;
    uint64_t back = below(s, 4) ? below(s, recent) : below(s, s->task_count);
    return &s->tasks[s->task_count - 1 - back];
}

static void meddle(struct sim *s, uint16_t a) {
    const struct rates *r = &s->rates;
    if (chance(s, r->object)) {
        const struct said *bound = below(s, 3) ? NULL : any_task(s);
        if (bound) bond_meddle(s, a, bound->id);
        else object_meddle(s, a);
        return;
    }
    if (chance(s, r->feed)) {
        feed_meddle(s, a);
        return;
    }
    const struct said *t = any_task(s);
    if (!t) return;
    const struct { uint32_t rate; enum verb verb; } rows[] = {
        {r->cancel, VERB_CANCEL}, {r->retry, VERB_RETRY}, {r->update, VERB_UPDATE},
        {r->get, VERB_GET}, {r->watch, VERB_WATCH}, {r->remove, VERB_REMOVE}};
    for (int i = 0; i < 6; i++) {
        if (!chance(s, rows[i].rate)) continue;
        struct packet *p = request_new(s, a, rows[i].verb, true);
        p->task = t->id;
        s->asks[p->number % ASKS].task = t->id;
        p->value = p->verb == VERB_GET ? (uint32_t)below(s, 32) : WANT_BODY;
        if (p->value & WANT_PARTS) p->tag = (uint32_t)below(s, 4);
        p->wait_ms = p->verb == VERB_WATCH ? (uint32_t)below(s, 2000) : 0;
        p->version = p->verb == VERB_WATCH ? (uint32_t)below(s, 6) : 0;
        p->resume = p->verb == VERB_RETRY && t->rec_ckpt ? below(s, t->rec_ckpt + 1) : 0;
        p->priority = (uint8_t)below(s, PRIORITY_COUNT);
        p->flag = p->verb == VERB_UPDATE && below(s, 2);
        p->delay_ms = (int64_t)below(s, 3000);
        net_to_broker(s, a, p);
        return;
    }
    if (!chance(s, r->limit)) return;
    struct packet *p = request_new(s, a, VERB_QUEUE, true);
    p->seq = (uint32_t)below(s, SIM_QUEUES);
    p->set = 1u << below(s, 3);
    p->flag = below(s, 2);
    p->value = (uint32_t)below(s, 4);
    p->version = (uint32_t)below(s, 2) * 6000;
    net_to_broker(s, a, p);
}

/* In the calm every queue is opened again, until the answer has come. */
static void open_queues(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    if (x->op_at && s->now - x->op_at < PATIENCE_MS) return;
    struct packet *p = request_new(s, a, VERB_QUEUE, true);
    p->seq = x->gen;
    p->set = 7;
    x->op_at = s->now;
    x->claim_number = p->number;
    net_to_broker(s, a, p);
}

void client_tick(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    if (!x->linked) return;
    if (x->op) { /* waits for an answer */
        if (x->op_at && s->now - x->op_at < PATIENCE_MS) return;
        struct op *op = op_at(s, x->op);
        if (op->keyed) {
            submit(s, a);
            return;
        }
        op->given_up = true;
        x->op = 0;
    }
    if (s->calm) { /* what was said before has arrived by then */
        if (s->now > s->calm_ms + PATIENCE_MS && x->gen < SIM_QUEUES) open_queues(s, a);
        return;
    }
    if (below(s, 3) && s->op_count < s->op_max) {
        x->op = op_new(s, a);
        submit(s, a);
        if (op_at(s, x->op)->keyed && chance(s, s->rates.twice)) submit(s, a);
        return;
    }
    meddle(s, a);
}

void client_heard(struct sim *s, uint16_t a, const struct packet *p) {
    struct actor *x = &s->actors[a];
    const struct ask *ask = p->number ? ask_of(s, p->number) : NULL;
    if (p->verb == VERB_ROWS) feed_heard(s, a, p);
    if (p->verb == VERB_ANSWER && s->calm && p->number == x->claim_number && p->code == CODE_OK) {
        x->gen++;
        x->op_at = 0;
    }
    if (!ask || ask->verb != VERB_SUBMIT || ask->op != x->op) return;
    bool again = p->verb == VERB_REFUSED || p->code == CODE_STORAGE_FULL || p->code == CODE_BUSY;
    if (again && op_at(s, x->op)->keyed) return; /* when its patience ends */
    if (p->verb == VERB_SUBMITTED || p->verb == VERB_REFUSED) x->op = 0;
}
