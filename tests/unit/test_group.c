/* The bytes of groups: whole while anybody refers to them; what large ones took serves the next. */
#include "store/group.h"
#include "tests/unit/tap.h"
#include <pthread.h>
#include <stdlib.h>

enum { LARGE = 300 << 10, SMALL = 1 << 10, MANY = 40, ROUNDS = 2000 };

static struct slice records_of(uint8_t *room, size_t len, uint8_t byte) {
    memset(room, byte, len);
    return slice_of(room, len);
}

static bool all_are(const struct group_bytes *g, uint8_t byte) {
    for (uint32_t i = 0; i < g->len; i++)
        if (g->data[i] != byte) return false;
    return true;
}

static void large_ones_come_again(uint8_t *room) {
    struct group_pool *p = group_pool_new();
    struct group_bytes *first = group_bytes_new(p, 7, 1000, records_of(room, LARGE, 'a'));
    group_bytes_ref(first);
    group_bytes_release(first);
    is_int((int64_t)group_pool_bytes(p), 0, "nothing is kept while somebody refers to it");
    ok(all_are(first, 'a') && first->group == 7 && first->time_ms == 1000, "it is whole");
    group_bytes_release(first);
    ok(group_pool_bytes(p) >= LARGE, "the last one's release keeps it");
    struct group_bytes *second = group_bytes_new(p, 8, 0, records_of(room, LARGE - 9, 'b'));
    is_int((int64_t)group_pool_bytes(p), 0, "the next group takes its place");
    struct group_bytes *third = group_bytes_new(p, 9, 0, records_of(room, LARGE, 'c'));
    ok(second->len == LARGE - 9 && second->group == 8 && all_are(second, 'b'),
       "and nothing is left of the one before");
    ok(third->group == 9 && all_are(third, 'c'), "two at once do not overlap");
    group_bytes_release(second);
    struct group_bytes *larger = group_bytes_new(p, 10, 0, records_of(room, 2 * LARGE, 'd'));
    ok(larger->len == 2 * LARGE && all_are(larger, 'd') && group_pool_bytes(p) >= LARGE - 9,
       "what is too small for a group stays");
    group_bytes_release(larger);
    group_bytes_release(third);
    group_pool_rest(p);
    is_int((int64_t)group_pool_bytes(p), 0, "at rest nothing is kept");
    group_pool_free(&p);
    ok(p == NULL, "a pool goes when all has come back");
}

static void what_is_kept_has_a_bound(uint8_t *room) {
    struct group_pool *p = group_pool_new();
    struct group_bytes *groups[MANY];
    for (size_t i = 0; i < MANY; i++)
        groups[i] = group_bytes_new(p, i, 0, records_of(room, LARGE, (uint8_t)i));
    for (size_t i = 0; i < MANY; i++) group_bytes_release(groups[i]);
    ok(group_pool_bytes(p) <= POOL_BYTES_MAX, "a burst leaves no more than the bound");
    ok(group_pool_bytes(p) > POOL_BYTES_MAX - 2 * LARGE, "and as much as that");
    group_pool_free(&p);
    p = group_pool_new();
    group_bytes_release(group_bytes_new(p, 1, 0, records_of(room, SMALL, 's')));
    is_int((int64_t)group_pool_bytes(p), 0, "small ones are malloc's");
    group_pool_free(&p);
    struct group_bytes *alone = group_bytes_new(NULL, 1, 0, records_of(room, LARGE, 'n'));
    ok(all_are(alone, 'n'), "without a pool all are");
    group_bytes_release(alone);
    group_bytes_release(NULL);
}

struct sender { struct group_pool *pool; uint8_t byte; bool whole; };

static void *send_some(void *context) {
    struct sender *s = context;
    uint8_t *room = malloc(LARGE);
    s->whole = room != NULL;
    for (size_t i = 0; s->whole && i < ROUNDS; i++) {
        const size_t len = POOLED_BYTES_MIN + i * 64;
        struct group_bytes *g = group_bytes_new(s->pool, i, 0, records_of(room, len, s->byte));
        s->whole = g && g->len == len && all_are(g, s->byte);
        group_bytes_release(g);
        if (i % 100 == 0) group_pool_rest(s->pool);
    }
    free(room);
    return NULL;
}

static void threads_share_a_pool(void) {
    struct group_pool *p = group_pool_new();
    struct sender senders[2] = {{.pool = p, .byte = 'x'}, {.pool = p, .byte = 'y'}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, send_some, &senders[i]) != 0) abort();
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    ok(senders[0].whole && senders[1].whole, "of two threads each has its own bytes");
    group_pool_free(&p);
}

int main(void) {
    uint8_t *room = malloc(2 * LARGE);
    if (!room) return 1;
    large_ones_come_again(room);
    what_is_kept_has_a_bound(room);
    threads_share_a_pool();
    free(room);
    return done();
}
