#include "broker/core/queue.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/hook.h"
#include "broker/core/lane.h"
#include "broker/core/words.h"
#include "broker/core/who.h"
#include "proto/hook.h"
#include <stdlib.h>

enum { WEIGHT_MAX = 1000 };
static const double EPSILON = 1e-6; /* of a token */

static uint64_t queue_hash(uint32_t brand, struct slice name) {
    return hash_bytes(brand + 1u, name.data, name.len);
}

struct queue *queue_find(const struct core *c, uint32_t brand, struct slice name) {
    uint64_t hash = queue_hash(brand, name);
    for (struct map_node *n = map_first(&c->queue_keys, hash); n; n = map_next(n)) {
        struct queue *q = owner_of(n, struct queue, by_key);
        if (q->set.brand == brand && slice_equal(q->set.name, name)) return q;
    }
    return NULL;
}

struct queue *queue_get(struct core *c, uint32_t brand, struct slice name) {
    struct queue *q = queue_find(c, brand, name);
    if (q) return q;
    if (c->queue_count >= c->limits.queues_max) return NULL;
    q = calloc(1, sizeof *q + name.len);
    assert(q != NULL);
    if (name.len) memcpy(q->bytes, name.data, name.len);
    q->set = (struct queue_record){.brand = brand, .name = slice_of(q->bytes, name.len),
                                   .weight = 1};
    q->tokens = 1;
    q->tokens_at = c->now;
    q->timer.kind = TIMER_QUEUE;
    list_init(&q->lanes);
    list_init(&q->dirty);
    map_put(&c->queue_keys, &q->by_key, queue_hash(brand, name));
    c->queue_count++;
    return q;
}

void queue_restore(struct core *c, const struct queue_record *r) {
    struct queue *q = queue_get(c, r->brand, r->name);
    assert(q != NULL);
    struct slice name = q->set.name;
    q->set = *r;
    q->set.name = name;
    if (r->hooks) c->hooked = true;
}

/* Fills the bucket for the time that passed; it holds one second's worth, at least one token. */
static void queue_fill(struct core *c, struct queue *q) {
    double per_ms = q->set.rate_per_min / 60000.0;
    double most = per_ms * 1000 > 1 ? per_ms * 1000 : 1;
    q->tokens += (double)(c->now - q->tokens_at) * per_ms;
    if (q->tokens > most) q->tokens = most;
    q->tokens_at = c->now;
}

bool queue_open(struct core *c, struct queue *q) {
    if (q->set.paused) return false;
    if (q->set.running_max && q->leased >= q->set.running_max) return false;
    if (!q->set.rate_per_min) return true;
    queue_fill(c, q);
    if (q->tokens >= 1 - EPSILON) return true;
    double wait = (1 - q->tokens) * 60000.0 / q->set.rate_per_min;
    heap_set(&c->clock, &q->timer, c->now + (int64_t)(wait + 1 - EPSILON));
    return false;
}

void queue_lease(struct core *c, struct queue *q) {
    q->leased++;
    c->leased++;
    if (q->set.rate_per_min) q->tokens -= 1;
    if (!q->set.rate_per_min && !q->set.running_max) return;
    for (struct node *n = q->lanes.next; n != &q->lanes; n = n->next)
        lane_update(c, owner_of(n, struct lane, in_queue));
}

void queue_unlease(struct core *c, struct queue *q) {
    assert(q->leased > 0 && c->leased > 0);
    q->leased--;
    c->leased--;
    if (c->leased + 1 == c->limits.running_max) crew_wake(c);
    if (q->set.running_max && q->leased + 1 >= q->set.running_max) queue_update(c, q);
}

void queue_update(struct core *c, struct queue *q) {
    for (struct node *n = q->lanes.next; n != &q->lanes; n = n->next) {
        struct lane *l = owner_of(n, struct lane, in_queue);
        lane_update(c, l);
        crew_dispatch_lane(c, l);
    }
}

static void queue_answer(struct core *c, const struct event *e, const struct queue *q,
                         uint32_t brand) {
    static const struct queue_record fresh = {.weight = 1};
    const struct queue_record *set = q ? &q->set : &fresh;
    struct words words = {0};
    words_number(&words, "brand", brand);
    words_slice(&words, "queue", e->message->queue.queue);
    words_number(&words, "paused", set->paused);
    words_number(&words, "running", q ? q->leased : 0);
    words_number(&words, "running_max", set->running_max);
    words_number(&words, "rate_per_min", set->rate_per_min);
    words_number(&words, "weight", set->weight);
    if (set->keep_set) words_number(&words, "keep", set->keep_ms);
    if (set->hooks) words_number(&words, "hooks", set->hooks);
    uint64_t queued = 0;
    if (q)
        for (struct node *n = q->lanes.next; n != &q->lanes; n = n->next)
            queued += lane_queued(owner_of(n, struct lane, in_queue));
    words_number(&words, "queued", (int64_t)queued);
    say_answer(c, e, CODE_OK, note_keep(c, words_done(&words)));
}

void queue_step(struct core *c, const struct event *e) {
    const struct queue_set *m = &e->message->queue;
    uint32_t brand = who_brand(&e->who, m->set & SET_QUEUE_BRAND ? m->brand : 0);
    if (!brand) {
        say_code(c, e, CODE_FORBIDDEN, slice_text("name a brand that is yours"));
        return;
    }
    if (!name_good(c, m->queue) ||
        (m->set & SET_QUEUE_WEIGHT && (m->weight < 1 || m->weight > WEIGHT_MAX)) ||
        (m->set & SET_QUEUE_KEEP && !keep_good(m->keep_ms)) ||
        (m->set & SET_QUEUE_HOOKS && !slice_equal(m->queue, slice_text(HOOK_QUEUE)))) {
        say_code(c, e, CODE_VALIDATION_ERROR, slice_text("bad queue name, weight, keep or hooks"));
        return;
    }
    if (!(m->set & ~SET_QUEUE_BRAND)) {
        queue_answer(c, e, queue_find(c, brand, m->queue), brand);
        return;
    }
    struct queue *q = who_writes(&e->who) ? queue_get(c, brand, m->queue) : NULL;
    if (q && m->set & SET_QUEUE_HOOKS && !hook_ready(c, brand)) q = NULL;
    if (!q) {
        enum code code = who_writes(&e->who) ? CODE_LIMIT_REACHED : CODE_FORBIDDEN;
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (m->set & SET_QUEUE_PAUSED) q->set.paused = m->paused;
    if (m->set & SET_QUEUE_RUNNING) q->set.running_max = m->running_max;
    if (m->set & SET_QUEUE_RATE) q->set.rate_per_min = m->rate_per_min;
    if (m->set & SET_QUEUE_WEIGHT) q->set.weight = m->weight;
    if (m->set & SET_QUEUE_KEEP) q->set.keep_ms = m->keep_ms, q->set.keep_set = true;
    if (m->set & SET_QUEUE_HOOKS)
        q->set.hooks = m->hooks ? (q->set.hooks | m->hooks) & HOOK_ALL : 0;
    if (q->set.hooks) c->hooked = true;
    if (list_empty(&q->dirty)) list_push(&c->dirty_queues, &q->dirty);
    queue_update(c, q);
    queue_answer(c, e, q, brand);
}

void queue_close(struct core *c) {
    for (struct node *n; (n = list_first(&c->dirty_queues));) {
        list_unlink(n);
        record_put(c, RECORD_QUEUE)->queue = owner_of(n, struct queue, dirty)->set;
    }
}

void queue_free(struct core *c) {
    for (size_t i = 0; i <= c->queue_keys.mask && c->queue_keys.buckets; i++)
        for (struct map_node *n = c->queue_keys.buckets[i], *next; n; n = next) {
            next = n->next;
            free(owner_of(n, struct queue, by_key));
        }
}
