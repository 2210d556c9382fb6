#include "store/group.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { CAP_STEP = 64 << 10 };

struct group_pool {
    pthread_mutex_t lock;
    struct group_bytes *kept; /* the one that came last first: it is warm */
    size_t bytes;             /* that are kept */
    size_t out;               /* groups that will come back; atomic */
};

struct group_pool *group_pool_new(void) {
    struct group_pool *p = calloc(1, sizeof *p);
    if (p) pthread_mutex_init(&p->lock, NULL);
    return p;
}

void group_pool_free(struct group_pool **self) {
    struct group_pool *p = *self;
    if (!p) return;
    group_pool_rest(p);
    assert(__atomic_load_n(&p->out, __ATOMIC_RELAXED) == 0);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *self = NULL;
}

void group_pool_rest(struct group_pool *p) {
    pthread_mutex_lock(&p->lock);
    struct group_bytes *kept = p->kept;
    p->kept = NULL;
    p->bytes = 0;
    pthread_mutex_unlock(&p->lock);
    for (struct group_bytes *next; kept; kept = next) {
        next = kept->next;
        free(kept);
    }
}

size_t group_pool_bytes(struct group_pool *p) {
    pthread_mutex_lock(&p->lock);
    const size_t bytes = p->bytes;
    pthread_mutex_unlock(&p->lock);
    return bytes;
}

static struct group_bytes *pool_take(struct group_pool *p, size_t len) {
    pthread_mutex_lock(&p->lock);
    struct group_bytes **at = &p->kept;
    while (*at && (*at)->cap < len) at = &(*at)->next;
    struct group_bytes *g = *at;
    if (g) {
        *at = g->next;
        p->bytes -= g->cap;
    }
    pthread_mutex_unlock(&p->lock);
    return g;
}

static void pool_give(struct group_pool *p, struct group_bytes *g) {
    pthread_mutex_lock(&p->lock);
    const bool room = p->bytes + g->cap <= POOL_BYTES_MAX;
    if (room) {
        g->next = p->kept;
        p->kept = g;
        p->bytes += g->cap;
    }
    pthread_mutex_unlock(&p->lock);
    if (!room) free(g);
    const size_t out = __atomic_fetch_sub(&p->out, 1, __ATOMIC_RELAXED);
    assert(out > 0);
}

struct group_bytes *group_bytes_new(struct group_pool *pool, uint64_t group, int64_t time_ms,
                                    struct slice records) {
    if (records.len < POOLED_BYTES_MIN) pool = NULL;
    struct group_bytes *g = pool ? pool_take(pool, records.len) : NULL;
    size_t cap = g ? g->cap : records.len;
    if (!g) {
        if (pool) cap = (cap / CAP_STEP + 1) * CAP_STEP; /* the next may be a little larger */
        g = malloc(sizeof *g + cap);
        if (!g) return NULL;
    }
    if (pool) __atomic_add_fetch(&pool->out, 1, __ATOMIC_RELAXED);
    *g = (struct group_bytes){.refs = 1, .len = records.len, .group = group, .time_ms = time_ms,
                              .pool = pool, .cap = cap};
    if (records.len) memcpy(g->data, records.data, records.len);
    return g;
}

struct group_bytes *group_bytes_ref(struct group_bytes *g) {
    if (g) __atomic_add_fetch(&g->refs, 1, __ATOMIC_RELAXED);
    return g;
}

void group_bytes_release(struct group_bytes *g) {
    if (!g || __atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL) != 0) return;
    if (g->pool) pool_give(g->pool, g);
    else free(g);
}
