#include "broker/core/crew.h"
#include "broker/core/hook.h"
#include "broker/core/lane.h"
#include "broker/core/lease.h"
#include <stdlib.h>

static uint64_t crew_hash(uint32_t brand, const struct serves *s) {
    uint64_t h = hash_bytes(brand + 1u, s->queues.data, s->queues.len);
    h = hash_bytes(h, s->types.data, s->types.len);
    return hash_bytes(h, s->labels.data, s->labels.len);
}

static bool list_has(struct slice list, struct slice text) {
    uint32_t at = 0;
    for (struct slice item; text_next(list, &at, &item);)
        if (slice_equal(item, text)) return true;
    return false;
}

static struct slice label_key(struct slice label) {
    const uint8_t *eq = label.len ? memchr(label.data, '=', label.len) : NULL;
    return slice_of(label.data, eq ? (size_t)(eq - label.data) : label.len);
}

/* "+key=value" wants a lane that has the label; the plus is not part of it. */
static bool label_wanted(struct slice *item) {
    if (item->len == 0 || item->data[0] != '+') return false;
    *item = slice_of(item->data + 1, item->len - 1);
    return true;
}

/* A worker that names no label of a key serves every value of it. */
static bool label_serves(struct slice labels, struct slice label) {
    bool named = false;
    uint32_t at = 0;
    for (struct slice item; text_next(labels, &at, &item);) {
        label_wanted(&item);
        if (slice_equal(item, label)) return true;
        if (slice_equal(label_key(item), label_key(label))) named = true;
    }
    return !named;
}

static bool labels_have(struct slice labels, struct slice label) {
    while (labels.len) {
        const uint8_t *comma = memchr(labels.data, ',', labels.len);
        size_t len = comma ? (size_t)(comma - labels.data) : labels.len;
        if (slice_equal(slice_of(labels.data, len), label)) return true;
        size_t skip = comma ? len + 1 : len;
        labels = slice_of(labels.data + skip, labels.len - skip);
    }
    return false;
}

static bool labels_serve(struct slice served, struct slice lane) {
    uint32_t at = 0;
    for (struct slice item; text_next(served, &at, &item);)
        if (label_wanted(&item) && !labels_have(lane, item)) return false;
    while (lane.len) {
        const uint8_t *comma = memchr(lane.data, ',', lane.len);
        size_t len = comma ? (size_t)(comma - lane.data) : lane.len;
        if (!label_serves(served, slice_of(lane.data, len))) return false;
        size_t skip = comma ? len + 1 : len;
        lane = slice_of(lane.data + skip, lane.len - skip);
    }
    return true;
}

bool crew_serves(const struct serves *s, uint32_t brand, const struct lane *l, bool *labels) {
    *labels = labels_serve(s->labels, l->labels);
    if (brand && brand != l->queue->set.brand) return false;
    bool every = !hook_internal(l->queue->set.name) && list_has(s->queues, slice_text("*"));
    if (!every && !list_has(s->queues, l->queue->set.name)) return false;
    return s->type_count == 0 || l->type.len == 0 || list_has(s->types, l->type);
}

static struct crew_brand *crew_brand_get(struct crew *crew, uint32_t brand) {
    for (struct node *n = crew->brands.next; n != &crew->brands; n = n->next) {
        struct crew_brand *b = owner_of(n, struct crew_brand, in_crew);
        if (b->brand == brand) return b;
    }
    struct crew_brand *b = calloc(1, sizeof *b);
    assert(b != NULL);
    b->brand = brand;
    list_init(&b->ring);
    list_init(&b->queues);
    list_push(&crew->brands, &b->in_crew);
    return b;
}

static struct crew_queue *crew_queue_get(struct crew *crew, struct queue *queue) {
    const uint64_t hash = queue->by_key.hash;
    for (struct map_node *n = map_first(&crew->by_queue, hash); n; n = map_next(n)) {
        struct crew_queue *q = owner_of(n, struct crew_queue, by_queue);
        if (q->queue == queue) return q;
    }
    struct crew_queue *q = calloc(1, sizeof *q);
    assert(q != NULL);
    map_put(&crew->by_queue, &q->by_queue, hash);
    q->queue = queue;
    q->brand = crew_brand_get(crew, queue->set.brand);
    list_init(&q->ring);
    list_init(&q->lanes);
    list_push(&crew->queues, &q->in_crew);
    return q;
}

static void ring_join(struct crew_lane *cl) {
    struct crew_queue *q = cl->queue;
    if (!list_empty(&cl->ring)) return;
    list_push(&q->lanes, &cl->ring);
    if (!list_empty(&q->ring)) return;
    list_push(&q->brand->queues, &q->ring);
    if (list_empty(&q->brand->ring)) list_push(&cl->crew->ring, &q->brand->ring);
}

static void ring_leave(struct crew_lane *cl) {
    struct crew_queue *q = cl->queue;
    list_unlink(&cl->ring);
    if (!list_empty(&q->lanes)) return;
    list_unlink(&q->ring);
    q->spent = 0;
    if (list_empty(&q->brand->queues)) list_unlink(&q->brand->ring);
}

static void crew_join(struct crew *crew, struct lane *l) {
    struct crew_lane *cl = calloc(1, sizeof *cl);
    assert(cl != NULL);
    cl->crew = crew;
    cl->lane = l;
    cl->queue = crew_queue_get(crew, l->queue);
    list_init(&cl->ring);
    list_push(&crew->lanes, &cl->in_crew);
    list_push(&l->crews, &cl->in_lane);
    if (l->ready) ring_join(cl);
}

static uint64_t name_hash(struct slice queue) { return hash_bytes(1, queue.data, queue.len); }

static int name_compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Many lanes meet many crews: that their names differ is seen without comparing them. */
static bool crew_takes(const struct crew *crew, const struct lane *l, uint64_t hash) {
    bool labels;
    if (!crew->every &&
        !bsearch(&hash, crew->names, crew->name_count, sizeof hash, name_compare))
        return false;
    return crew_serves(&crew->serves, crew->brand, l, &labels) && labels;
}

void crew_meet(struct core *c, struct lane *l) {
    const uint64_t hash = name_hash(l->queue->set.name);
    for (size_t i = 0; i <= c->crew_keys.mask; i++)
        for (struct map_node *n = c->crew_keys.buckets[i]; n; n = n->next) {
            struct crew *crew = owner_of(n, struct crew, by_key);
            if (crew_takes(crew, l, hash)) crew_join(crew, l);
        }
}

static void names_hash(struct crew *crew) {
    const struct serves *s = &crew->serves;
    uint32_t at = 0;
    crew->names = malloc((s->queue_count + 1u) * sizeof *crew->names);
    bool room = crew->names && map_init(&crew->by_queue, s->queue_count);
    assert(room);
    for (struct slice queue; text_next(s->queues, &at, &queue);) {
        assert(crew->name_count < s->queue_count);
        crew->names[crew->name_count++] = name_hash(queue);
        crew->every |= slice_equal(queue, slice_text("*"));
    }
    qsort(crew->names, crew->name_count, sizeof *crew->names, name_compare);
}

static struct crew *crew_new(struct core *c, uint32_t brand, const struct serves *s) {
    size_t bytes = (size_t)s->queues.len + s->types.len + s->labels.len;
    struct crew *crew = calloc(1, sizeof *crew + bytes);
    assert(crew != NULL);
    struct node *lists[] = {&crew->ring, &crew->lanes, &crew->queues, &crew->brands, &crew->idle,
                            &crew->pending};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) list_init(lists[i]);
    crew->brand = brand;
    crew->serves = *s;
    struct slice *parts[] = {&crew->serves.queues, &crew->serves.types, &crew->serves.labels};
    uint8_t *at = crew->bytes;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i]->len) memcpy(at, parts[i]->data, parts[i]->len);
        parts[i]->data = at;
        at += parts[i]->len;
    }
    names_hash(crew);
    map_put(&c->crew_keys, &crew->by_key, crew_hash(brand, &crew->serves));
    for (uint32_t i = 1; i <= c->lane_count; i++) {
        const struct lane *l = c->lanes[i];
        if (!l || !crew_takes(crew, l, name_hash(l->queue->set.name))) continue;
        crew_join(crew, c->lanes[i]);
        lane_update(c, c->lanes[i]);
    }
    return crew;
}

static void crew_drop(struct core *c, struct crew *crew) {
    for (struct node *n; (n = list_first(&crew->lanes));) {
        struct crew_lane *cl = owner_of(n, struct crew_lane, in_crew);
        list_unlink(&cl->ring);
        list_unlink(&cl->in_lane);
        list_unlink(n);
        free(cl);
    }
    for (struct node *n; (n = list_first(&crew->queues));) {
        list_unlink(n);
        free(owner_of(n, struct crew_queue, in_crew));
    }
    for (struct node *n; (n = list_first(&crew->brands));) {
        list_unlink(n);
        free(owner_of(n, struct crew_brand, in_crew));
    }
    list_unlink(&crew->pending);
    map_remove(&c->crew_keys, &crew->by_key);
    map_free(&crew->by_queue);
    free(crew->names);
    free(crew);
}

/* One that nobody uses makes room. */
static void crew_evict(struct core *c) {
    for (size_t i = 0; i <= c->crew_keys.mask; i++)
        for (struct map_node *n = c->crew_keys.buckets[i]; n; n = n->next) {
            struct crew *crew = owner_of(n, struct crew, by_key);
            if (crew->users) continue;
            crew_drop(c, crew);
            return;
        }
}

struct crew *crew_get(struct core *c, uint32_t brand, const struct serves *s) {
    struct crew *crew = NULL;
    for (struct map_node *n = map_first(&c->crew_keys, crew_hash(brand, s)); n; n = map_next(n)) {
        struct crew *other = owner_of(n, struct crew, by_key);
        if (other->brand == brand && slice_equal(other->serves.queues, s->queues) &&
            slice_equal(other->serves.types, s->types) &&
            slice_equal(other->serves.labels, s->labels))
            crew = other;
    }
    if (!crew && c->crew_keys.count >= CREWS_MAX) crew_evict(c);
    if (!crew && c->crew_keys.count >= CREWS_MAX) return NULL;
    if (!crew) crew = crew_new(c, brand, s);
    crew->users++;
    return crew;
}

void crew_leave(struct crew *crew) {
    assert(crew->users > 0);
    crew->users--;
}

void crew_ready(struct core *c, struct lane *l) {
    for (struct node *n = l->crews.next; n != &l->crews; n = n->next) {
        struct crew_lane *cl = owner_of(n, struct crew_lane, in_lane);
        if (l->ready) ring_join(cl);
        else ring_leave(cl);
        if (l->ready && !list_empty(&cl->crew->idle) && list_empty(&cl->crew->pending))
            list_push(&c->crews_pending, &cl->crew->pending);
    }
}

void crew_idle(struct core *c, struct taker *taker) {
    struct crew *crew = taker->crew;
    if (list_empty(&taker->idle)) list_push(&crew->idle, &taker->idle);
    if (list_empty(&crew->pending)) list_push(&c->crews_pending, &crew->pending);
}

void crew_wake(struct core *c) {
    for (size_t i = 0; i <= c->crew_keys.mask; i++)
        for (struct map_node *n = c->crew_keys.buckets[i]; n; n = n->next) {
            struct crew *crew = owner_of(n, struct crew, by_key);
            if (!list_empty(&crew->idle) && list_empty(&crew->pending))
                list_push(&c->crews_pending, &crew->pending);
        }
}

void crew_busy(struct taker *taker) { list_unlink(&taker->idle); }

static void ring_turn(struct node *ring, struct node *n) {
    list_unlink(n);
    list_push(ring, n);
}

/* The lane whose turn it is; the rings move on. */
static struct lane *crew_next(struct crew *crew) {
    struct node *n = list_first(&crew->ring);
    if (!n) return NULL;
    struct crew_brand *b = owner_of(n, struct crew_brand, ring);
    struct crew_queue *q = owner_of(list_first(&b->queues), struct crew_queue, ring);
    struct crew_lane *cl = owner_of(list_first(&q->lanes), struct crew_lane, ring);
    ring_turn(&crew->ring, &b->ring);
    ring_turn(&q->lanes, &cl->ring);
    if (++q->spent >= q->queue->set.weight) {
        q->spent = 0;
        ring_turn(&b->queues, &q->ring);
    }
    return cl->lane;
}

/* The ready lane whose head has the highest priority, and of those the oldest. Only the first
 * OLDEST_LANES_MAX are looked at: with more, turns must do. */
static struct lane *crew_oldest(const struct core *c, const struct crew *crew) {
    const struct task *best = NULL;
    uint32_t looked = 0;
    for (struct node *n = crew->lanes.next; n != &crew->lanes; n = n->next) {
        const struct lane *l = owner_of(n, struct crew_lane, in_crew)->lane;
        if (!l->ready) continue;
        if (++looked > OLDEST_LANES_MAX) return NULL;
        const struct task *t = lane_head(c, l);
        const bool before = !best || t->head.priority > best->head.priority ||
                            (t->head.priority == best->head.priority &&
                             t->head.order < best->head.order);
        if (before) best = t;
    }
    return best ? best->lane : NULL;
}

/* One task of the lane to whoever of the crew is idle longest. False when the lane gave none. */
static bool crew_give(struct core *c, struct crew *crew, struct lane *l) {
    struct taker *taker = owner_of(list_first(&crew->idle), struct taker, idle);
    struct task *t = lane_head(c, l);
    assert(t != NULL);
    if (!t->body || (t->head.checkpoint && !t->carry && !t->fetched)) {
        lane_fetch(c, t);
        return false;
    }
    lease_deliver(c, taker, t);
    return true;
}

/* Delivers while somebody of the crew is idle and a lane of it is ready. */
static void dispatch(struct core *c, struct crew *crew) {
    crew->users++; /* a claim that is served may be its last user */
    while (c->leased < c->limits.running_max && !list_empty(&crew->idle)) {
        const struct taker *taker = owner_of(list_first(&crew->idle), struct taker, idle);
        struct lane *l = taker->oldest ? crew_oldest(c, crew) : NULL;
        if (!l) l = crew_next(crew);
        if (!l) break;
        crew_give(c, crew, l);
    }
    crew_leave(crew);
}

void crew_dispatch_pending(struct core *c) {
    for (struct node *n; (n = list_first(&c->crews_pending));) {
        list_unlink(n);
        dispatch(c, owner_of(n, struct crew, pending));
    }
}

void crew_dispatch_lane(struct core *c, struct lane *l) {
    bool found = true;
    while (l->ready && found && c->leased < c->limits.running_max) {
        found = false;
        for (struct node *n = l->crews.next; n != &l->crews && l->ready && !found; n = n->next) {
            struct crew *crew = owner_of(n, struct crew_lane, in_lane)->crew;
            if (list_empty(&crew->idle)) continue;
            found = true;
            crew->users++;
            crew_give(c, crew, l);
            ring_turn(&l->crews, n);
            crew_leave(crew);
            break;
        }
    }
}

void crew_free(struct core *c) {
    for (size_t i = 0; c->crew_keys.buckets && i <= c->crew_keys.mask; i++)
        while (c->crew_keys.buckets[i])
            crew_drop(c, owner_of(c->crew_keys.buckets[i], struct crew, by_key));
}
