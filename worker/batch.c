#include "worker/batch.h"
#include <assert.h>
#include <stdlib.h>

/* In the order in which they leave. */
static const uint8_t line[] = {
    VERB_CREDIT, VERB_DRAIN, VERB_START, VERB_PROGRESS, VERB_LOG, VERB_CHECKPOINT, BATCH_PART,
    VERB_DONE, VERB_FAIL, VERB_RELEASE, VERB_STOPPED, VERB_SUBMIT, VERB_GET, VERB_WATCH,
    VERB_UNWATCH, VERB_CANCEL, VERB_RETRY, VERB_UPDATE, VERB_REMOVE, VERB_EXPLAIN, VERB_ASK,
    VERB_QUEUE, VERB_PUT, VERB_FETCH, VERB_DROP, VERB_STATS,
};
enum { LINE = sizeof line / sizeof line[0] };

static bool unanswered(uint32_t verb) {
    return verb == VERB_CREDIT || verb == VERB_DRAIN || verb == VERB_START ||
           verb == VERB_PROGRESS || verb == VERB_LOG || verb == VERB_UNWATCH;
}

static uint64_t number_of(uint32_t verb, uint64_t count) {
    return (uint64_t)verb << BATCH_NUMBER_BITS | (count + 1);
}

void batch_free(struct batch *b) {
    for (uint32_t i = 0; i < BATCH_VERBS; i++) {
        buffer_free(&b->piles[i].items);
        free(b->piles[i].ends);
    }
    *b = (struct batch){0};
}

static bool ends_reserve(struct pile *p) {
    if (p->count < p->cap) return true;
    uint32_t cap = p->cap ? p->cap * 2 : 64;
    uint32_t *ends = realloc(p->ends, cap * sizeof *ends);
    if (!ends) return false;
    p->ends = ends;
    p->cap = cap;
    return true;
}

/* The bytes of one more item lie in the pile already. */
static void item_close(struct batch *b, struct pile *p, bool room) {
    if (!room || p->items.failed) {
        b->failed = true;
        return;
    }
    p->ends[p->count++] = (uint32_t)p->items.len;
    b->waiting++;
}

static uint64_t put(struct batch *b, uint32_t pile, const struct message *m) {
    struct pile *p = &b->piles[pile];
    uint64_t number = number_of(pile, p->next++);
    bool room = ends_reserve(p);
    if (room) frame_put(&(struct frame_writer){.b = &p->items}, m);
    item_close(b, p, room);
    return number;
}

uint64_t batch_put(struct batch *b, const struct message *m) {
    assert((uint32_t)m->verb < BATCH_PART);
    return put(b, m->verb, m);
}

uint64_t batch_put_part(struct batch *b, const struct message *m) {
    assert(m->verb == VERB_LOG);
    return put(b, BATCH_PART, m);
}

uint64_t batch_put_item(struct batch *b, enum verb verb, struct slice item) {
    struct pile *p = &b->piles[verb];
    uint64_t number = number_of(verb, p->next++);
    bool room = ends_reserve(p);
    if (room) buffer_append(&p->items, item.data, item.len);
    item_close(b, p, room);
    return number;
}

uint64_t batch_next(const struct batch *b, enum verb verb) {
    return number_of(verb, b->piles[verb].next);
}

uint64_t batch_oldest(const struct batch *b, enum verb verb) {
    return number_of(verb, b->piles[verb].next - b->piles[verb].count);
}

static void pile_clear(struct pile *p) {
    buffer_clear(&p->items);
    p->count = p->sent = 0;
}

void batch_clear(struct batch *b, size_t log_bytes_max) {
    for (uint32_t i = 0; i < BATCH_VERBS; i++) {
        struct pile *p = &b->piles[i];
        if (i == VERB_LOG && p->items.len <= log_bytes_max) continue;
        b->waiting -= p->count;
        pile_clear(p);
    }
}

void batch_take(struct batch *b, struct batch *out) {
    assert(out->waiting == 0);
    for (uint32_t i = 0; i < LINE; i++) {
        struct pile *p = &b->piles[line[i]], *q = &out->piles[line[i]];
        if (p->count == 0) continue;
        struct pile spare = *q;
        *q = *p;
        *p = spare;
        p->next = q->next;
        pile_clear(p);
    }
    out->waiting = b->waiting;
    b->waiting = 0;
}

/* One item behind the last that goes into the next frame. */
static uint32_t share(const struct pile *p, uint32_t begin, uint32_t batch_max,
                      uint32_t frame_max) {
    uint32_t end = p->sent + 1;
    while (end < p->count && end - p->sent < batch_max && p->ends[end] - begin <= frame_max) end++;
    return end;
}

bool batch_frame(struct batch *b, struct buffer *frame, uint32_t link, uint32_t batch_max,
                 uint32_t frame_max) {
    struct frame_writer w;
    uint32_t i = 0;
    if (b->waiting == 0) return false;
    while (b->piles[line[i]].sent == b->piles[line[i]].count) i++;
    struct pile *p = &b->piles[line[i]];
    uint32_t begin = p->sent ? p->ends[p->sent - 1] : 0;
    uint32_t end = share(p, begin, batch_max, frame_max);
    uint64_t request = unanswered(line[i]) ? 0 : number_of(line[i], p->next - p->count + p->sent);
    buffer_clear(frame);
    enum verb verb = line[i] == BATCH_PART ? VERB_LOG : (enum verb)line[i];
    frame_begin(&w, frame, verb, request, link, NULL);
    buffer_append(frame, p->items.data + begin, p->ends[end - 1] - begin);
    w.count = end - p->sent;
    frame_end(&w);
    b->waiting -= w.count;
    p->sent = end;
    if (p->sent == p->count) pile_clear(p);
    return true;
}
