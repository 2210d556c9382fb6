#include "broker/core/feed.h"
#include "broker/core/effect.h"
#include "broker/core/hook.h"
#include "broker/core/task.h"
#include "broker/core/watch.h"
#include "broker/core/who.h"
#include "proto/object.h"
#include <stdlib.h>

enum { ROWS_DEFAULT = 256, ROWS_MAX = 1000, PAGE_BYTES = 1 << 20, EVENT_COST = 64,
       BRAND_SHARE = 4 };

static struct feed *feed_find(const struct core *c, uint32_t brand) {
    for (struct map_node *n = map_first(&c->feeds, hash_number(brand)); n; n = map_next(n)) {
        struct feed *f = owner_of(n, struct feed, by_brand);
        if (f->brand == brand) return f;
    }
    return NULL;
}

static struct feed *feed_get(struct core *c, uint32_t brand) {
    struct feed *f = feed_find(c, brand);
    if (f) return f;
    if (!c->feed_born) c->feed_born = number_next(c);
    f = calloc(1, sizeof *f);
    assert(f != NULL);
    list_init(&f->events);
    list_init(&f->waits);
    list_init(&f->fed);
    f->brand = brand;
    f->floor = f->last = c->feed_born;
    map_put(&c->feeds, &f->by_brand, hash_number(brand));
    return f;
}

/* A feed of which nothing was ever heard, and that nobody waits for, need not be remembered. */
static void feed_release(struct core *c, struct feed *f) {
    if (f->last != c->feed_born || !list_empty(&f->waits)) return;
    map_remove(&c->feeds, &f->by_brand);
    free(f);
}

/* ---- events ---- */

static struct slice event_topic(const struct feed_event *v) {
    return slice_of(v->bytes, v->topic_len);
}
static struct slice event_key(const struct feed_event *v) {
    return slice_of(v->bytes + v->topic_len, v->key_len);
}
static struct slice event_data(const struct feed_event *v) {
    return slice_of(v->bytes + v->topic_len + v->key_len, v->data_len);
}
static uint64_t event_size(const struct feed_event *v) {
    return sizeof *v + EVENT_COST + v->topic_len + v->key_len + v->data_len;
}

static void event_free(struct core *c, struct feed_event *v) {
    struct feed *f = v->feed;
    f->floor = v->seq;
    f->count--;
    f->bytes -= event_size(v);
    c->feed_bytes -= event_size(v);
    list_unlink(&v->in_feed);
    list_unlink(&v->in_order);
    free(v);
}

static void feed_bound(struct core *c, struct feed *f) {
    const uint64_t share = c->limits.feed_bytes_max / BRAND_SHARE;
    while (f->count > c->limits.feed_events_max || f->bytes > share)
        event_free(c, owner_of(list_first(&f->events), struct feed_event, in_feed));
    while (c->feed_bytes > c->limits.feed_bytes_max)
        event_free(c, owner_of(list_first(&c->events), struct feed_event, in_order));
}

void feed_put(struct core *c, uint32_t brand, struct slice topic, struct slice key,
              struct slice data) {
    struct feed *f = feed_get(c, brand);
    struct feed_event *v = malloc(sizeof *v + topic.len + key.len + data.len);
    assert(v != NULL);
    *v = (struct feed_event){.feed = f, .seq = number_next(c), .time_ms = c->wall,
                             .topic_len = topic.len, .key_len = key.len, .data_len = data.len};
    uint8_t *at = v->bytes;
    if (topic.len) memcpy(at, topic.data, topic.len);
    if (key.len) memcpy(at + topic.len, key.data, key.len);
    if (data.len) memcpy(at + topic.len + key.len, data.data, data.len);
    f->last = v->seq;
    f->count++;
    f->bytes += event_size(v);
    c->feed_bytes += event_size(v);
    c->stats.events++;
    list_push(&f->events, &v->in_feed);
    list_push(&c->events, &v->in_order);
    feed_bound(c, f);
    if (!list_empty(&f->waits) && list_empty(&f->fed)) list_push(&c->fed, &f->fed);
    hook_fed(c, brand, topic, key, data);
}

/* ---- answers ---- */

struct listen { uint64_t after; uint32_t limit; struct slice topics, key; };

static bool event_wanted(const struct feed_event *v, const struct listen *l) {
    struct slice topic = event_topic(v), prefix;
    if (l->key.len && !slice_equal(l->key, event_key(v))) return false;
    if (!l->topics.len) return true;
    for (uint32_t at = 0; text_next(l->topics, &at, &prefix);)
        if (prefix.len <= topic.len && memcmp(prefix.data, topic.data, prefix.len) == 0)
            return true;
    return false;
}

/* The oldest event behind `after`; listeners are mostly close to the end. */
static struct feed_event *event_behind(const struct feed *f, uint64_t after) {
    struct node *n = f->events.prev;
    while (n != &f->events && owner_of(n, struct feed_event, in_feed)->seq > after) n = n->prev;
    n = n->next;
    return n == &f->events ? NULL : owner_of(n, struct feed_event, in_feed);
}

struct page { struct buffer rows; uint32_t count; uint64_t seen; };

static void page_fill(const struct feed *f, const struct listen *l, struct page *page) {
    struct feed_event *v = f ? event_behind(f, l->after) : NULL;
    while (v && page->count < l->limit && page->rows.len < PAGE_BYTES) {
        if (event_wanted(v, l)) {
            feed_row_put(&page->rows, &(struct feed_row){
                .seq = v->seq, .time_ms = v->time_ms, .topic = event_topic(v),
                .key = event_key(v), .data = event_data(v)});
            page->count++;
        }
        page->seen = v->seq;
        struct node *n = v->in_feed.next;
        v = n == &f->events ? NULL : owner_of(n, struct feed_event, in_feed);
    }
    assert(!page->rows.failed);
}

static void page_say(struct core *c, uint32_t peer, uint64_t number, const struct page *page,
                     bool incomplete) {
    struct buffer next = {0};
    feed_next_put(&next, page->seen);
    assert(!next.failed);
    struct message *m = say(c, peer, VERB_ROWS, number);
    m->rows = (struct rows){.number = number, .rows = note_keep(c, buffer_slice(&page->rows)),
                            .next = note_keep(c, buffer_slice(&next)), .row_count = page->count,
                            .incomplete = incomplete, .total = -1};
    buffer_free(&next);
}

/* ---- those who wait ---- */

static void wait_drop(struct core *c, struct feed_wait *w) {
    struct feed *f = w->feed;
    heap_clear(&c->clock, &w->timer);
    list_unlink(&w->in_feed);
    list_unlink(&w->in_link);
    watch_count(c, w->link, -1);
    free(w);
    feed_release(c, f);
}

static void wait_put(struct core *c, const struct event *e, struct feed *f,
                     const struct listen *l, uint32_t wait_ms) {
    struct feed_wait *w = malloc(sizeof *w + l->topics.len + l->key.len);
    assert(w != NULL);
    *w = (struct feed_wait){.link = &c->links[e->peer], .feed = f, .number = e->message->number,
                            .after = f->last, .limit = l->limit, .topics_len = l->topics.len,
                            .key_len = l->key.len, .timer.kind = TIMER_FEED};
    if (l->topics.len) memcpy(w->bytes, l->topics.data, l->topics.len);
    if (l->key.len) memcpy(w->bytes + l->topics.len, l->key.data, l->key.len);
    list_push(&f->waits, &w->in_feed);
    list_push(&w->link->feeds, &w->in_link);
    watch_count(c, w->link, 1);
    heap_set(&c->clock, &w->timer, c->now + wait_ms);
}

static struct listen wait_listen(const struct feed_wait *w) {
    return (struct listen){.after = w->after, .limit = w->limit,
                           .topics = slice_of(w->bytes, w->topics_len),
                           .key = slice_of(w->bytes + w->topics_len, w->key_len)};
}

void feed_step(struct core *c, const struct event *e) {
    const struct feed_ask *m = &e->message->feed;
    uint32_t brand = who_brand(&e->who, m->brand);
    struct slice topic;
    enum code code = CODE_OK;
    for (uint32_t at = 0; text_next(m->topics, &at, &topic);)
        if (!name_fits(c, topic)) code = CODE_VALIDATION_ERROR;
    if (!name_fits(c, m->key)) code = CODE_VALIDATION_ERROR;
    if (!who_writes(&e->who) || (!brand && (m->brand || e->who.role != ROLE_ADMIN)))
        code = CODE_FORBIDDEN;
    uint32_t wait_ms = m->wait_ms < c->limits.wait_ms_max ? m->wait_ms : c->limits.wait_ms_max;
    if (code == CODE_OK && wait_ms && !watch_room(c, &c->links[e->peer])) code = CODE_BUSY;
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    struct feed *f = feed_get(c, brand);
    struct listen l = {.after = m->after, .topics = m->topics, .key = m->key,
                       .limit = m->limit < ROWS_MAX ? m->limit : ROWS_MAX};
    if (l.limit == 0) l.limit = ROWS_DEFAULT;
    if (l.after == 0 || l.after > f->last) l.after = f->last;
    bool incomplete = l.after < f->floor;
    struct page page = {.seen = incomplete ? f->floor : l.after};
    page_fill(f, &l, &page);
    if (page.count == 0 && !incomplete && wait_ms) wait_put(c, e, f, &l, wait_ms);
    else page_say(c, e->peer, e->message->number, &page, incomplete);
    buffer_free(&page.rows);
    feed_release(c, f);
}

/* Tells w what there is for it; false when it must go on waiting. */
static bool wait_tell(struct core *c, struct feed_wait *w, bool over) {
    struct listen l = wait_listen(w);
    bool incomplete = w->after < w->feed->floor;
    struct page page = {.seen = incomplete ? w->feed->floor : w->after};
    page_fill(w->feed, &l, &page);
    bool told = page.count > 0 || incomplete || over;
    if (told) page_say(c, w->link->peer, w->number, &page, incomplete);
    else w->after = page.seen;
    buffer_free(&page.rows);
    return told;
}

void feed_flush(struct core *c) {
    for (struct node *n; (n = list_first(&c->fed));) {
        struct feed *f = owner_of(n, struct feed, fed);
        list_unlink(n);
        for (struct node *x = f->waits.next, *next; x != &f->waits; x = next) {
            next = x->next;
            struct feed_wait *w = owner_of(x, struct feed_wait, in_feed);
            if (wait_tell(c, w, false)) wait_drop(c, w);
        }
    }
}

void feed_timer(struct core *c, struct feed_wait *w) {
    wait_tell(c, w, true);
    wait_drop(c, w);
}

void feed_leave(struct core *c, struct link *link) {
    for (struct node *n; (n = list_first(&link->feeds));)
        wait_drop(c, owner_of(n, struct feed_wait, in_link));
}

bool feed_cancel(struct core *c, struct link *link, uint64_t number) {
    for (struct node *n = link->feeds.next; n != &link->feeds; n = n->next) {
        struct feed_wait *w = owner_of(n, struct feed_wait, in_link);
        if (w->number != number) continue;
        wait_drop(c, w);
        return true;
    }
    return false;
}

void feed_free(struct core *c) {
    for (struct node *n; (n = list_first(&c->events));)
        event_free(c, owner_of(n, struct feed_event, in_order));
    for (size_t i = 0; c->feeds.buckets && i <= c->feeds.mask; i++)
        while (c->feeds.buckets[i]) {
            struct feed *f = owner_of(c->feeds.buckets[i], struct feed, by_brand);
            map_remove(&c->feeds, &f->by_brand);
            list_unlink(&f->fed);
            free(f);
        }
}
