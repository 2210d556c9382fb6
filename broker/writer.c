/* writer.c - see writer.h. */
#include "broker/writer.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECORDS_KEPT_BYTES = 1 << 20, PACE_PART = 16 };

struct writer {
    const struct store_options *options;
    struct wake *wake;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t given;   /* a job, or the end */
    pthread_cond_t durable_moved;
    enum writer_job job;    /* under way */
    bool stopping;
    atomic_bool idle, done; /* done: result is there to be taken */
    struct writer_result result;
    struct buffer records;
    uint64_t group, durable;
    atomic_uint pace_us, pace_us_max; /* both forget a PACE_PART with each append */
    /* the store, for those who borrow it */
    pthread_rwlock_t borrowed;
    struct store *store;
    atomic_uint opened;
    atomic_bool closed;
};

static void meta_found(void *context, const struct record *record) {
    uint64_t *incarnation = context;
    if (record->kind == RECORD_META && record->meta.incarnation > *incarnation)
        *incarnation = record->meta.incarnation;
}

static void store_leave(struct writer *w) {
    atomic_store(&w->closed, true);
    pthread_rwlock_wrlock(&w->borrowed);
    if (w->store != NULL) store_close(&w->store);
    pthread_rwlock_unlock(&w->borrowed);
    pthread_mutex_lock(&w->lock);
    pthread_cond_broadcast(&w->durable_moved);
    pthread_mutex_unlock(&w->lock);
}

static void open_run(struct writer *w, struct writer_result *result) {
    store_leave(w);
    struct store *store = store_open(w->options, result->why, sizeof result->why);
    if (store == NULL) return;
    const struct need need = {.kind = NEED_RESTORE};
    const uint64_t group = store_next_group(store);
    result->group = group;
    result->good = store_load(store, &need, group - 1, meta_found, &result->incarnation,
                              result->why, sizeof result->why);
    if (!result->good) {
        store_close(&store);
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->durable = group - 1;
    pthread_mutex_unlock(&w->lock);
    pthread_rwlock_wrlock(&w->borrowed);
    w->store = store;
    atomic_fetch_add(&w->opened, 1);
    atomic_store(&w->closed, false);
    pthread_rwlock_unlock(&w->borrowed);
}

static void pace_learn(struct writer *w, int64_t us) {
    const int64_t took = us > UINT32_MAX ? UINT32_MAX : us;
    const int64_t pace = atomic_load(&w->pace_us), most = atomic_load(&w->pace_us_max);
    const int64_t less = most - most / PACE_PART;
    atomic_store(&w->pace_us, (uint32_t)(pace + (took - pace) / PACE_PART));
    atomic_store(&w->pace_us_max, (uint32_t)(took > less ? took : less));
}

/* False when the group is not durable, and nothing will be before the store is opened again. */
static bool append_try(struct writer *w, struct writer_result *result) {
    const int64_t from_us = clock_mono_us();
    result->group = w->group;
    result->good = store_append(w->store, w->group, buffer_slice(&w->records)) == STORE_OK;
    pace_learn(w, clock_mono_us() - from_us);
    if (!result->good) return false;
    pthread_mutex_lock(&w->lock);
    w->durable = w->group;
    pthread_cond_broadcast(&w->durable_moved);
    pthread_mutex_unlock(&w->lock);
    return true;
}

static void append_run(struct writer *w, struct writer_result *result) {
    if (append_try(w, result)) return;
    snprintf(result->why, sizeof result->why, "a group could not be written; the log says why");
    store_leave(w);
}

static void *writer_main(void *context) {
    pthread_setname_np(pthread_self(), "store");
    struct writer *w = context;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->job == JOB_NONE && !w->stopping) pthread_cond_wait(&w->given, &w->lock);
        if (w->job == JOB_NONE) break;
        const enum writer_job job = w->job;
        pthread_mutex_unlock(&w->lock);
        struct writer_result result = {.job = job};
        if (job == JOB_OPEN)
            open_run(w, &result);
        else
            append_run(w, &result);
        w->result = result;
        pthread_mutex_lock(&w->lock);
        w->job = JOB_NONE;
        atomic_store(&w->done, true);
        wake_ring(w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct writer *writer_start(const struct store_options *options, struct wake *wake) {
    struct writer *w = calloc(1, sizeof *w);
    if (w == NULL) return NULL;
    w->options = options;
    w->wake = wake;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->given, NULL);
    pthread_cond_init(&w->durable_moved, NULL);
    pthread_rwlock_init(&w->borrowed, NULL);
    atomic_init(&w->idle, true);
    atomic_init(&w->done, false);
    atomic_init(&w->opened, 0);
    atomic_init(&w->pace_us, 0);
    atomic_init(&w->pace_us_max, 0);
    atomic_init(&w->closed, true);
    if (pthread_create(&w->thread, NULL, writer_main, w) == 0) return w;
    free(w);
    return NULL;
}

void writer_stop(struct writer *w) {
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->given);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    store_leave(w);
}

void writer_free(struct writer **self) {
    struct writer *w = *self;
    if (w == NULL) return;
    assert(w->stopping && w->store == NULL);
    buffer_free(&w->records);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->given);
    pthread_cond_destroy(&w->durable_moved);
    pthread_rwlock_destroy(&w->borrowed);
    free(w);
    *self = NULL;
}

bool writer_idle(const struct writer *w) { return atomic_load(&w->idle); }

static void job_give(struct writer *w, enum writer_job job) {
    assert(atomic_load(&w->idle));
    atomic_store(&w->idle, false);
    pthread_mutex_lock(&w->lock);
    w->job = job;
    pthread_cond_signal(&w->given);
    pthread_mutex_unlock(&w->lock);
}

void writer_open(struct writer *w) { job_give(w, JOB_OPEN); }

static void group_take(struct writer *w, struct buffer *records, uint64_t group) {
    assert(atomic_load(&w->idle) && w->store != NULL && group > 0);
    const struct buffer empty = w->records;
    w->records = *records;
    *records = empty;
    if (empty.cap > RECORDS_KEPT_BYTES) buffer_free(records);
    else buffer_clear(records);
    w->group = group;
}

void writer_append(struct writer *w, struct buffer *records, uint64_t group) {
    group_take(w, records, group);
    job_give(w, JOB_APPEND);
}

void writer_append_here(struct writer *w, struct buffer *records, uint64_t group) {
    struct writer_result result = {.job = JOB_APPEND};
    group_take(w, records, group);
    if (!append_try(w, &result)) {
        job_give(w, JOB_APPEND); /* a store that is down takes nothing: its thread closes it */
        return;
    }
    w->result = result;
    atomic_store(&w->idle, false);
    atomic_store(&w->done, true);
}

void writer_pace(const struct writer *w, uint32_t *us, uint32_t *us_max) {
    *us = atomic_load(&w->pace_us);
    *us_max = atomic_load(&w->pace_us_max);
}

bool writer_news(const struct writer *w) { return atomic_load(&w->done); }

bool writer_done(struct writer *w, struct writer_result *result) {
    if (!atomic_load(&w->done)) return false;
    atomic_store(&w->done, false);
    *result = w->result;
    atomic_store(&w->idle, true);
    return true;
}

struct store *writer_borrow(struct writer *w, uint32_t opened) {
    if (atomic_load(&w->closed)) return NULL; /* or the opener might wait for readers for ever */
    pthread_rwlock_rdlock(&w->borrowed);
    if (w->store != NULL && atomic_load(&w->opened) == opened && !atomic_load(&w->closed))
        return w->store;
    pthread_rwlock_unlock(&w->borrowed);
    return NULL;
}

void writer_return(struct writer *w) { pthread_rwlock_unlock(&w->borrowed); }

bool writer_await(struct writer *w, uint32_t opened, uint64_t group) {
    pthread_mutex_lock(&w->lock);
    while (w->durable < group && !atomic_load(&w->closed) && atomic_load(&w->opened) == opened
           && !w->stopping)
        pthread_cond_wait(&w->durable_moved, &w->lock);
    const bool durable = w->durable >= group && !atomic_load(&w->closed)
        && atomic_load(&w->opened) == opened;
    pthread_mutex_unlock(&w->lock);
    return durable;
}

uint32_t writer_opened(const struct writer *w) { return atomic_load(&w->opened); }

double writer_debt(struct writer *w) {
    struct store *store = writer_borrow(w, writer_opened(w));
    if (store == NULL) return 0;
    const double debt = store_debt(store);
    writer_return(w);
    return debt;
}

bool writer_disk_full(struct writer *w) {
    struct store *store = writer_borrow(w, writer_opened(w));
    if (store == NULL) return false;
    const bool full = store_disk_full(store);
    writer_return(w);
    return full;
}

bool writer_stats(struct writer *w, struct store_stats *stats) {
    struct store *store = writer_borrow(w, writer_opened(w));
    if (store == NULL) return false;
    store_stats(store, stats);
    writer_return(w);
    return true;
}
