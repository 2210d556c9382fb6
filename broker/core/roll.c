#include "broker/core/roll.h"
#include "broker/core/effect.h"
#include "broker/core/hook.h"
#include "broker/core/who.h"
#include "broker/core/worker.h"
#include "proto/roll.h"

struct roll { struct core *c; uint32_t brand; struct buffer rows, tasks, queues; uint32_t count; };

static void queue_add(struct roll *r, struct slice queue) {
    if (r->queues.len) buffer_byte(&r->queues, ',');
    buffer_append(&r->queues, queue.data, queue.len);
}

/* What it holds, counted for the brand; the queue of an HTTP worker is that of its tasks. */
static void leases_look(struct roll *r, const struct worker *w, struct roll_row *row) {
    const struct queue *last = NULL;
    for (const struct node *n = w->leases.next; n != &w->leases; n = n->next) {
        const struct lease *l = owner_of(n, struct lease, in_worker);
        if (!l->task || (r->brand && l->task->head.brand != r->brand)) continue;
        row->held++;
        row->started += l->started;
        const struct queue *queue = l->task->lane->queue;
        if (w->record.http && queue != last && row->held <= ROLL_TASKS_MAX)
            queue_add(r, queue->set.name);
        last = queue;
        if (row->held > ROLL_TASKS_MAX) continue;
        const struct roll_task task = {l->id, l->task->lane->type, l->task->head.started_ms};
        roll_task_put(&r->tasks, &task);
    }
}

/* Between two claims an HTTP worker holds nothing and waits for nothing: it is there all the same.
 * Those of no brand are of the house. */
static bool heard_lately(const struct core *c, const struct worker *w) {
    return w->record.brand != 0 && w->heard > 0 && c->now - w->heard < WORKER_HEARD_MS;
}

static void worker_put(struct roll *r, const struct worker *w) {
    struct roll_row row = {.name = w->record.name, .brand = w->record.brand, .slots = w->slots,
                           .http = w->record.http};
    const struct core *c = r->c;
    struct slice queue;
    buffer_clear(&r->tasks);
    buffer_clear(&r->queues);
    leases_look(r, w, &row);
    const struct crew *crew = w->record.http ? w->claiming : w->taker.crew;
    bool serves = !crew;
    if (w->record.http && row.held) crew = NULL; /* its tasks say more */
    for (uint32_t at = 0; crew && text_next(crew->serves.queues, &at, &queue);) {
        if (hook_internal(queue)) continue;
        queue_add(r, queue);
        serves = true;
    }
    if (!serves) return; /* of the house itself */
    row.online = w->record.http ? row.held > 0 || w->claiming || heard_lately(c, w)
                                : w->link && !w->suspect;
    if (w->record.http && !row.online) return;
    row.heard_ms = w->heard > 0 && w->heard <= c->now ? c->wall - (c->now - w->heard) : 0;
    row.queues = buffer_slice(&r->queues);
    row.tasks = buffer_slice(&r->tasks);
    roll_row_put(&r->rows, &row);
    r->count++;
}

static bool is_public(const struct crew *crew) {
    struct slice queue;
    for (uint32_t at = 0; text_next(crew->serves.queues, &at, &queue);)
        if (!hook_internal(queue)) return true;
    return false;
}

/* What the HTTP workers that wait are waiting for; not those of the house's own queues. */
static void claims_look(struct core *c) {
    for (size_t i = 0; i <= c->worker_numbers.mask; i++)
        for (struct map_node *n = c->worker_numbers.buckets[i]; n; n = n->next)
            owner_of(n, struct worker, by_number)->claiming = NULL;
    for (uint32_t i = 0; i < c->links_used; i++) {
        const struct link *link = &c->links[i];
        if (!link->open) continue;
        for (struct node *n = link->claims.next; n && n != &link->claims; n = n->next) {
            struct claim_wait *claim = owner_of(n, struct claim_wait, in_link);
            if (is_public(claim->taker.crew)) claim->worker->claiming = claim->taker.crew;
        }
    }
}

void roll_step(struct core *c, const struct event *e) {
    struct roll r = {.c = c, .brand = who_brand(&e->who, e->message->fleet.brand)};
    const bool all = !e->who.brand && e->who.role == ROLE_ADMIN && !e->message->fleet.brand;
    if (!who_writes(&e->who) || (!r.brand && !all)) {
        say_code(c, e, CODE_FORBIDDEN, (struct slice){0});
        return;
    }
    if (all) r.brand = 0;
    bool whole = true;
    claims_look(c);
    for (size_t i = 0; whole && i <= c->worker_numbers.mask; i++)
        for (struct map_node *n = c->worker_numbers.buckets[i]; n && whole; n = n->next) {
            const struct worker *w = owner_of(n, struct worker, by_number);
            if (r.brand && w->record.brand && w->record.brand != r.brand) continue;
            worker_put(&r, w);
            whole = r.count < ROLL_ROWS_MAX && r.rows.len < (1 << 20);
        }
    struct message *m = say(c, e->peer, VERB_ROWS, e->message->number);
    m->rows = (struct rows){.number = e->message->number, .row_count = r.count, .total = -1,
                            .rows = note_keep(c, buffer_slice(&r.rows)), .incomplete = !whole};
    buffer_free(&r.rows);
    buffer_free(&r.tasks);
    buffer_free(&r.queues);
}
