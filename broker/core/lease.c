#include "broker/core/lease.h"
#include "broker/core/attempt.h"
#include "broker/core/claim.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/lane.h"
#include "broker/core/link.h"
#include "broker/core/queue.h"
#include "broker/core/task.h"
#include "broker/core/worker.h"
#include <stdlib.h>

enum { DELIVERY_BYTES = 64 /* of a TASK beside what it carries */ };

static struct lease *lease_new(struct core *c, struct worker *w, struct task *t, uint64_t epoch) {
    struct lease *l = blocks_take_zero(&c->blocks, sizeof *l);
    assert(l != NULL && !t->lease);
    l->task = t;
    l->worker = w;
    l->id = t->head.id;
    l->epoch = epoch;
    l->timer.kind = TIMER_LEASE;
    l->until = l->run_until = l->progress_until = l->stop_at = INT64_MAX;
    if (t->body) l->progress_ms = t->body->body.progress_ms;
    list_push(&w->leases, &l->in_worker);
    w->lease_count++;
    t->lease = l;
    t->where = WHERE_LEASED;
    queue_lease(c, t->lane->queue);
    return l;
}

void lease_arm(struct core *c, struct lease *l) {
    int64_t at = l->until;
    if (l->run_until < at) at = l->run_until;
    if (l->progress_until < at) at = l->progress_until;
    if (l->stop_at < at) at = l->stop_at;
    if (at == INT64_MAX) heap_clear(&c->clock, &l->timer);
    else heap_set(&c->clock, &l->timer, at);
}

/* Returns the bytes that it carries. */
static size_t lease_say(struct core *c, const struct lease *l, uint32_t peer, uint64_t number,
                        bool now) {
    const struct task *t = l->task;
    const struct task_body *b = &t->body->body;
    struct message *m = now ? say_now(c, peer, VERB_TASK, number) : say(c, peer, VERB_TASK, number);
    m->task = (struct delivery){
        .task = t->head.id, .epoch = l->epoch, .number = number, .source_file = b->source_file,
        .source_size = b->source_size, .brand = t->head.brand, .timeout_ms = t->head.timeout_ms,
        .lease_ms = l->lease_ms, .attempt = t->head.attempt + !l->started, .run = t->head.run,
        .created_ms = t->head.created_ms, .queue = t->lane->queue->set.name,
        .type = t->lane->type, .payload = b->payload, .labels = t->lane->labels,
        .extra = b->extra, .source_name = b->source_name, .source_mime = b->source_mime,
        .stream = (t->head.flags & TASK_STREAM) != 0, .parts = t->head.parts};
    const size_t bytes = DELIVERY_BYTES + b->payload.len + b->extra.len;
    if (!t->carry) return bytes;
    m->task.checkpoint = t->carry->checkpoint.seq;
    m->task.checkpoint_name = t->carry->checkpoint.name;
    m->task.checkpoint_data = t->carry->checkpoint.data;
    return bytes + t->carry->checkpoint.data.len;
}

void lease_deliver(struct core *c, struct taker *taker, struct task *t) {
    struct claim_wait *claim = taker->claim ? owner_of(taker, struct claim_wait, taker) : NULL;
    struct worker *w = claim ? claim->worker : owner_of(taker, struct worker, taker);
    enum code code = task_move(c, t, MOVE_DELIVER);
    assert(code == CODE_OK && (claim || w->link));
    t->head.epoch = core_bug(c, BUG_EPOCH_RESET) ? t->head.epoch + 1 : number_next(c);
    t->head.worker = w->record.worker;
    t->head.lease_ms = 0;
    t->fetched = false;
    worker_record_once(c, w);
    struct lease *l = lease_new(c, w, t, t->head.epoch);
    if (claim) {
        l->lease_ms = t->head.timeout_ms ? t->head.timeout_ms : c->limits.claim_lease_ms;
        if (claim->lease_ms && claim->lease_ms < l->lease_ms) l->lease_ms = claim->lease_ms;
        l->until = c->now + l->lease_ms;
        t->head.lease_ms = l->lease_ms; /* a restart arms it again for as long */
    } else if (w->implied && w->started < w->slots) {
        lease_start(c, l);
    }
    bool first = claim || w->link->welcomed; /* no TASK overtakes WELCOME */
    bool now = (first && !t->regrant) || core_bug(c, BUG_UNRECORDED_REGRANT);
    struct link *link = claim ? claim->link : w->link;
    const size_t bytes = lease_say(c, l, link->peer, claim ? claim->number : 0, now);
    if (!claim && link_push(c, link, bytes)) c->fx->says[c->fx->say_count - 1].fills = true;
    c->stats.delivered++;
    lease_arm(c, l);
    if (claim) claim_given(c, claim);
    else worker_room(c, w);
}

void lease_again(struct core *c, struct lease *l, uint32_t peer, uint64_t number) {
    lease_renew(c, l);
    lease_say(c, l, peer, number, false);
}

struct lease *lease_restore(struct core *c, struct worker *w, struct task *t, uint64_t epoch) {
    struct lease *l = lease_new(c, w, t, epoch);
    l->started = t->head.status == STATUS_RUNNING;
    if (l->started) w->started++;
    l->restored = true;
    if (t->head.timeout_ms && l->started) l->run_until = c->now + t->head.timeout_ms;
    return l;
}

void lease_start(struct core *c, struct lease *l) {
    struct task *t = l->task;
    if (l->started) return;
    enum code code = task_move(c, t, MOVE_START);
    assert(code == CODE_OK);
    t->where = WHERE_LEASED;
    l->started = true;
    l->worker->started++;
    t->head.attempt++;
    t->head.started_ms = c->wall;
    if (t->head.timeout_ms) l->run_until = c->now + t->head.timeout_ms;
    lease_renew(c, l);
}

void lease_renew(struct core *c, struct lease *l) {
    if (l->lease_ms) l->until = c->now + l->lease_ms;
    if (l->progress_ms && l->started) l->progress_until = c->now + l->progress_ms;
    lease_arm(c, l);
}

void lease_forget(struct core *c, struct lease *l) {
    struct worker *w = l->worker;
    heap_clear(&c->clock, &l->timer);
    list_unlink(&l->in_worker);
    w->lease_count--;
    if (l->stopping) w->stopping--;
    if (l->restored && w->restored) w->restored--;
    buffer_free(&l->text);
    blocks_give(&c->blocks, l, sizeof *l);
    worker_room(c, w);
    if (w->record.http) worker_leave(c, w);
}

static void lease_detach(struct core *c, struct lease *l) {
    struct task *t = l->task;
    if (l->started) l->worker->started--;
    t->lease = NULL;
    l->task = NULL;
    queue_unlease(c, t->lane->queue);
}

void lease_end(struct core *c, struct lease *l) {
    lease_detach(c, l);
    lease_forget(c, l);
}

static void stop_say(struct core *c, const struct lease *l) {
    struct message *m = say(c, l->worker->link->peer, VERB_STOP, 0);
    m->stop = (struct stop){.task = l->id, .epoch = l->epoch, .reason = l->stop_reason};
}

void lease_stop(struct core *c, struct lease *l, enum reason reason) {
    if (l->worker->record.http || !l->worker->link) {
        lease_end(c, l);
        return;
    }
    lease_detach(c, l);
    l->stop_reason = (uint8_t)reason;
    l->stopping = true;
    l->worker->stopping++;
    l->until = l->run_until = l->progress_until = INT64_MAX;
    l->stop_at = c->now + c->limits.stop_repeat_ms;
    stop_say(c, l);
    lease_arm(c, l);
}

struct lease *lease_stopping(const struct worker *w, uint64_t id, uint64_t epoch) {
    if (w->stopping == 0) return NULL;
    for (struct node *n = w->leases.next; n != &w->leases; n = n->next) {
        struct lease *l = owner_of(n, struct lease, in_worker);
        if (!l->task && l->id == id && l->epoch == epoch) return l;
    }
    return NULL;
}

void lease_timer(struct core *c, struct lease *l) {
    if (!l->task) {
        if (!l->worker->link) {
            lease_forget(c, l);
            return;
        }
        l->stop_at = c->now + c->limits.stop_repeat_ms;
        stop_say(c, l);
        lease_arm(c, l);
        return;
    }
    bool lost = l->until <= c->now;
    if (lost && c->now < c->frozen_until) {
        l->until = c->frozen_until;
        lease_arm(c, l);
        return;
    }
    enum reason reason = !lost ? REASON_TIMEOUT
                         : l->restored ? REASON_BROKER_RESTART : REASON_LEASE_LOST;
    const char *text = !lost ? "out of time" : "the worker fell silent";
    attempt_end(c, l, reason, slice_text(text), true);
}
