/* worker.c - workers: native ones behind their links, and those that poll over a gateway.
 *
 * What a worker holds goes NEW, RUNS (progress, checkpoints), ENDED (its report waits for the
 * answer, and is said again after a reconnect). */
#include "tests/sim/sim.h"
#include <assert.h>

enum { PATIENCE_MS = 2500, STEPS_MAX = 5 };

static struct work *work_find(struct actor *x, uint64_t task, uint64_t epoch) {
    for (int i = 0; i < WORKS_MAX; i++)
        if (x->works[i].phase && x->works[i].task == task && x->works[i].epoch == epoch)
            return &x->works[i];
    return NULL;
}

static void work_later(struct sim *s, uint16_t a, struct work *w, int64_t ms) {
    uint32_t slot = (uint32_t)(w - s->actors[a].works);
    w->gen = ++s->actors[a].gen & 0xfff;
    agenda_put(s, s->now + ms, TICK_WORK, a | slot << 8 | w->gen << 16, NULL);
}

static void work_drop(struct work *w) { w->phase = WORK_NONE; }

static int64_t duration(struct sim *s) {
    return below(s, 40) ? 1 + (int64_t)below(s, 30) : (int64_t)below(s, 1500);
}

static void work_take(struct sim *s, uint16_t a, const struct packet *p) {
    struct actor *x = &s->actors[a];
    map64_set(&s->heard, p->epoch, 1);
    if (work_find(x, p->task, p->epoch)) return;
    for (int i = 0; i < WORKS_MAX; i++) {
        struct work *w = &x->works[i];
        if (w->phase) continue;
        *w = (struct work){.task = p->task, .epoch = p->epoch, .phase = WORK_NEW, .seq = p->seq,
                           .steps = (uint32_t)below(s, STEPS_MAX), .names = below(s, 3) == 0};
        work_later(s, a, w, duration(s));
        return;
    }
    struct packet *back = request_new(s, a, VERB_RELEASE, true); /* no room */
    back->task = p->task;
    back->epoch = p->epoch;
    struct ask *ask = &s->asks[back->number % ASKS];
    ask->task = p->task;
    ask->epoch = p->epoch;
    net_to_broker(s, a, back);
}

/* ---- reports ---- */

static void report(struct sim *s, uint16_t a, struct work *w, enum verb verb) {
    struct actor *x = &s->actors[a];
    bool poller = x->kind == POLLER;
    bool numbered = poller || verb == VERB_CHECKPOINT || verb == VERB_DONE || verb == VERB_FAIL ||
                    verb == VERB_RELEASE || verb == VERB_STOPPED;
    struct packet *p = request_new(s, a, verb, numbered);
    p->task = w->task;
    p->epoch = poller && below(s, 2) ? 0 : w->epoch;
    p->reason = w->end_reason;
    p->tag = w->tag;
    if (verb == VERB_CHECKPOINT && w->names) p->seq = ++w->seq;
    if (p->seq > 3 && chance(s, s->rates.twice)) p->seq = 1; /* long behind */
    if (verb == VERB_PROGRESS) p->percent = (uint8_t)below(s, 100);
    if (verb == VERB_LOG) p->flag = below(s, 2);
    if (verb == VERB_LOG && p->flag && below(s, 2)) p->seq = 1 + (uint32_t)below(s, 3);
    if (numbered) {
        struct ask *ask = &s->asks[p->number % ASKS];
        ask->task = w->task;
        ask->epoch = w->epoch;
        ask->tag = w->tag;
        ask->mine = p->epoch == 0;
    }
    w->number = p->number;
    w->sent_at = s->now;
    net_to_broker(s, a, p);
}

static void work_end(struct sim *s, uint16_t a, struct work *w) {
    w->phase = WORK_ENDED;
    w->end = VERB_DONE;
    w->tag = (uint32_t)++s->tag;
    if (chance(s, s->rates.fail)) {
        w->end = VERB_FAIL;
        w->end_reason = below(s, 8) == 0 ? REASON_PERMANENT
                        : below(s, 8) == 0 ? REASON_CRASHED : REASON_FAILED;
    } else if (chance(s, s->rates.release)) {
        w->end = VERB_RELEASE;
    }
    report(s, a, w, w->end);
}

static void work_step(struct sim *s, uint16_t a, struct work *w) {
    if (w->phase == WORK_NEW) {
        w->phase = WORK_RUNS;
        if (!s->actors[a].implied) report(s, a, w, VERB_START);
    } else if (w->steps) {
        w->steps--;
        bool checkpoint = chance(s, s->rates.checkpoint);
        if (checkpoint) w->tag = (uint32_t)++s->tag;
        report(s, a, w, checkpoint ? VERB_CHECKPOINT : below(s, 8) ? VERB_PROGRESS : VERB_LOG);
    } else {
        work_end(s, a, w);
    }
    if (w->phase != WORK_ENDED) work_later(s, a, w, duration(s));
}

void work_tick(struct sim *s, uint16_t a, uint32_t slot, uint32_t gen) {
    struct actor *x = &s->actors[a];
    struct work *w = &x->works[slot];
    if (w->phase == WORK_NONE || w->gen != gen || x->dead) return;
    if (x->paused && s->now < x->paused_until) {
        work_later(s, a, w, x->paused_until - s->now);
        return;
    }
    if (x->kind == POLLER) {
        if (w->number) { /* no answer to its last report yet */
            if (s->now - w->sent_at > PATIENCE_MS)
                report(s, a, w, w->phase == WORK_ENDED ? w->end : VERB_PROGRESS);
            work_later(s, a, w, PATIENCE_MS / 4);
            return;
        }
        work_step(s, a, w);
        if (w->phase == WORK_ENDED) work_later(s, a, w, PATIENCE_MS / 4);
        return;
    }
    if (!x->linked) {
        work_later(s, a, w, 50);
        return;
    }
    work_step(s, a, w);
}

/* After WELCOME: what may be kept is said again. */
static void works_resend(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    for (int i = 0; i < WORKS_MAX; i++) {
        struct work *w = &x->works[i];
        if (w->phase == WORK_RUNS && !x->implied) report(s, a, w, VERB_START);
        else if (w->phase == WORK_ENDED) report(s, a, w, w->end);
    }
}

static void verdicts(struct sim *s, uint16_t a, const struct packet *p) {
    struct actor *x = &s->actors[a];
    for (int i = 0; i < p->held_count; i++) {
        struct work *w = work_find(x, p->held[i].task, p->held[i].epoch);
        if (w && p->held[i].verdict != VERDICT_KEEP) work_drop(w);
    }
    works_resend(s, a);
}

static void stopped(struct sim *s, uint16_t a, const struct packet *p) {
    struct actor *x = &s->actors[a];
    struct work *w = work_find(x, p->task, p->epoch);
    if (w) work_drop(w);
    struct packet *answer = request_new(s, a, VERB_STOPPED, true);
    answer->task = p->task;
    answer->epoch = p->epoch;
    net_to_broker(s, a, answer);
}

static void poller_heard(struct sim *s, uint16_t a, const struct packet *p) {
    struct actor *x = &s->actors[a];
    if (p->number == x->claim_number) {
        if (p->verb == VERB_TASK && p->task) work_take(s, a, p);
        if (!p->task || p->verb == VERB_REFUSED) x->claim_number = 0;
        if (p->task && x->claim_at < 0) x->claim_number = 0;
        return;
    }
    for (int i = 0; i < WORKS_MAX; i++) {
        struct work *w = &x->works[i];
        if (w->phase == WORK_NONE || w->number != p->number) continue;
        w->number = 0;
        bool ok = p->code == CODE_OK && p->verb != VERB_REFUSED;
        bool conflict = (p->verb == VERB_CHECKPOINT_OK || p->verb == VERB_ANSWER) &&
                        (p->code == CODE_CONFLICT || p->code == CODE_STORAGE_FULL ||
                         p->code == CODE_INVALID_STATE); /* a checkpoint or part alone */
        if ((!ok && !conflict && p->code != CODE_LIMIT_REACHED) || p->verb == VERB_SETTLED)
            work_drop(w);
        else if (p->verb == VERB_CHECKPOINT_OK && ok && p->seq > w->seq) w->seq = p->seq;
        return;
    }
}

void work_heard(struct sim *s, uint16_t a, struct packet *p) {
    struct actor *x = &s->actors[a];
    struct work *w = p->task ? work_find(x, p->task, p->epoch) : NULL;
    if (x->kind == POLLER) {
        poller_heard(s, a, p);
        return;
    }
    switch ((int)p->verb) {
    case VERB_WELCOME: verdicts(s, a, p); return;
    case VERB_TASK: work_take(s, a, p); return;
    case VERB_SETTLED: if (w) work_drop(w); return;
    case VERB_STOP: stopped(s, a, p); return;
    case VERB_CHECKPOINT_OK:
        if (w && p->code == CODE_OK && p->seq > w->seq) w->seq = p->seq;
        return;
    default: return;
    }
}

static uint32_t works_held(const struct actor *x) {
    uint32_t held = 0;
    for (int i = 0; i < WORKS_MAX; i++) held += x->works[i].phase != WORK_NONE;
    return held;
}

/* Ends cleanly: no new work, what runs goes on, then BYE; and comes back. */
static void drain(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    if (!x->linked) return;
    if (!x->draining && chance(s, s->rates.drain)) {
        x->draining = true;
        net_to_broker(s, a, request_new(s, a, VERB_DRAIN, false));
    } else if (x->draining && works_held(x) == 0) {
        net_to_broker(s, a, request_new(s, a, VERB_BYE, false));
        x->draining = x->linked = false;
        x->hello_at = x->blamed_at = s->now; /* a TASK may be under way to it */
    }
}

void work_look(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    if (x->kind == WORKER) {
        drain(s, a);
        if (x->linked && chance(s, s->rates.give_back)) {
            struct packet *p = request_new(s, a, VERB_CREDIT, false);
            x->slots = 1 + (uint32_t)below(s, 4);
            x->prefetch = (uint32_t)below(s, 3);
            p->value = x->slots;
            p->seq = x->prefetch;
            net_to_broker(s, a, p);
        }
        return;
    }
    if (!s->actors[x->gateway].linked) return;
    uint32_t held = works_held(x);
    bool waits = x->claim_number && s->now < (x->claim_at < 0 ? -x->claim_at : x->claim_at);
    if (held >= x->slots || waits || below(s, 2)) return;
    struct packet *p = request_new(s, a, VERB_CLAIM, true);
    p->value = x->boot;
    p->wait_ms = (uint32_t)below(s, 1500);
    p->flag = true;
    p->priority = below(s, 3) ? 1 : (uint8_t)(1 + below(s, x->slots - held));
    x->claim_number = p->number;
    x->claim_at = s->now + p->wait_ms + PATIENCE_MS;
    if (p->priority == 1) x->claim_at = -x->claim_at; /* one TASK ends it */
    net_to_broker(s, a, p);
}

/* Its process dies; another takes its place after a while. */
void work_kill(struct sim *s, uint16_t a) {
    struct actor *x = &s->actors[a];
    for (int i = 0; i < WORKS_MAX; i++) work_drop(&x->works[i]);
    x->boot++;
    x->draining = false;
    if (x->kind == POLLER) x->who.boot = x->boot;
    x->claim_number = 0;
    x->blamed_at = s->now;
    x->dead = true;
    x->paused_until = s->now + (int64_t)below(s, 3000);
    if (x->conn < CONNS_MAX) net_cut(s, x->conn, below(s, 4) != 0);
}
