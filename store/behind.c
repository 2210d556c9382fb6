/* behind.c - the table thread: what is durable reaches the table, late and only if it survives.
 *
 * Every few milliseconds it takes in the new groups and, when entries are older than age_ms_max,
 * there are too many or somebody waits (behind_settle), writes the oldest in one batch, together
 * with `reached`: the newest group of which nothing is left to write. What waits longer is more
 * often gone before it was written, and costs nothing then; but whoever lists copies all that
 * waits. So while nobody has listed for a second PATIENCE times as much may wait, and as many times
 * as long, while no more than a quarter of tail_bytes_max lies behind it. When the journal behind
 * the last flush has grown to half of tail_bytes_max it has the table flush; once that is on disk
 * the journal is trimmed to the `reached` that was written before the flush began. */
#include "proto/host/memory.h"
#include "store/disk.h"
#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PATIENCE = 6, LISTED_MS = 1000 };
enum { MEMORY_LOOK_MS = 1000, UNSORTED_LOOK_MS = 50, DRAIN_LOOK_US = 100000 };
enum { QUIET_BYTES = 256 << 10, BURST_BYTES = 4 << 20 };

void behind_put_reached(struct disk *d, uint64_t reached) {
    struct key key;
    struct buffer value = {0};
    key_plain(&key, KEY_REACHED);
    for (int i = 0; i < 8; i++) buffer_byte(&value, (uint8_t)(reached >> 8 * i));
    for (int i = 0; i < 4; i++) buffer_byte(&value, (uint8_t)(LAYOUT_VERSION >> 8 * i));
    const uint64_t more[] = {(uint64_t)d->writer.created_max_ms, (uint64_t)d->writer.setback_ms,
                             d->writer.texts ? texts_mark(d->options.id_key) : 0};
    for (size_t k = 0; k < sizeof more / sizeof *more; k++)
        for (int i = 0; i < 8; i++) buffer_byte(&value, (uint8_t)(more[k] >> 8 * i));
    table_batch_put(d->writer.batch, key_slice(&key), buffer_slice(&value));
    buffer_free(&value);
}

static bool write_batch(struct disk *d, uint64_t reached, char *why, size_t why_size) {
    behind_put_reached(d, reached);
    if (!table_write(d->table, d->writer.batch, why, why_size)) return false;
    atomic_set(d->reached, reached);
    atomic_add(d->table_batches, 1);
    atomic_set(d->table_records, d->writer.records);
    return true;
}

/* Every group before the oldest dirty entry's is wholly in the table. Call under `lock`. */
static uint64_t reached_now(const struct disk *d) {
    int64_t time_ms;
    uint64_t oldest = pending_oldest(d->pending, &time_ms);
    return oldest ? oldest - 1 : d->applied;
}

/* After a replay the table itself must say where it has a task: it may be ahead of the groups that
 * were replayed. Reads without the lock: only this thread changes the table. */
static bool verify(struct disk *d, char *why, size_t why_size) {
    pthread_mutex_lock(&d->lock);
    size_t count = pending_unverified(d->pending, BATCH_MAX, d->ids);
    pthread_mutex_unlock(&d->lock);
    for (size_t i = 0; i < count; i++)
        if (!materialise_where(d->table, d->ids[i], &d->wheres[i], why, why_size)) return false;
    if (!count) return true;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < count; i++) pending_verify(d->pending, d->ids[i], &d->wheres[i]);
    pthread_mutex_unlock(&d->lock);
    return true;
}

/* How many entries it takes a second, with all that holds it up; small batches do not tell. */
static void drain_learn(struct disk *d, size_t entries, int64_t us) {
    if (entries < BATCH_MAX) return;
    d->drained += entries;
    d->drain_us += us > 0 ? (uint64_t)us : 0;
    if (d->drain_us < DRAIN_LOOK_US) return;
    atomic_set(d->drain_per_s, d->drained * 1000000 / d->drain_us + 1);
    d->drained /= 2; /* what is newer counts for more */
    d->drain_us /= 2;
}

/* A batch takes milliseconds, and so long may whoever wants this processor wait, the broker say,
 * also beside one that is idle: the kernel moves nobody for so little. */
static void let_pass(void) { sched_yield(); }

/* Writes the oldest entries. */
static bool materialise_some(struct disk *d, char *why, size_t why_size) {
    const int64_t from_us = disk_now_us();
    if (!verify(d, why, why_size)) return false;
    block_cache_begin(d->cache);
    bool ok = briefs_sweep(&d->writer.briefs, d->table, d->writer.batch, why, why_size);
    pthread_mutex_lock(&d->lock);
    pending_take(d->pending, BATCH_MAX, &d->taken);
    for (size_t i = 0; ok && i < d->taken.task_count; i++)
        ok = materialise_task(&d->writer, d->taken.tasks[i], why, why_size);
    for (size_t i = 0; ok && i < d->taken.plain_count; i++)
        materialise_plain(&d->writer, d->taken.plains[i]);
    uint64_t reached = reached_now(d);
    pthread_mutex_unlock(&d->lock);
    let_pass();
    ok = ok && briefs_write(&d->writer.briefs, d->writer.batch, why, why_size);
    if (ok && d->writer.texts) ok = texts_write(d->writer.texts, d->writer.batch, why, why_size);
    let_pass();
    ok = ok && write_batch(d, reached, why, why_size);
    let_pass();
    if (!ok) return false;
    block_cache_end(d->cache);
    pthread_mutex_lock(&d->lock);
    drain_learn(d, d->taken.task_count + d->taken.plain_count, disk_now_us() - from_us);
    pending_taken(d->pending, &d->taken);
    disk_take_in(d);
    pthread_mutex_unlock(&d->lock);
    pthread_mutex_lock(&d->inbox_lock);
    d->settled = reached;
    if (d->settle_until) pthread_cond_broadcast(&d->durable_cond);
    pthread_mutex_unlock(&d->inbox_lock);
    return true;
}

/* Somebody waits. Asks `settled`, not `reached`: a flush may move that one alone. */
static bool settle_wanted(const struct disk *d) {
    return atomic_get(d->settle_until) > d->settled;
}

static bool due(struct disk *d) {
    int64_t time_ms = 0, now = disk_now_ms();
    pthread_mutex_lock(&d->lock);
    disk_take_in(d);
    struct pending_size size = pending_size(d->pending);
    uint64_t oldest = pending_oldest(d->pending, &time_ms);
    uint64_t behind = oldest ? disk_bytes_behind(d, oldest - 1) : 0;
    atomic_set(d->oldest_ms, oldest ? time_ms : 0);
    pthread_mutex_unlock(&d->lock);
    if (settle_wanted(d)) return true; /* `reached` must tell even of groups that left nothing */
    if (!oldest) return false;
    const uint64_t patience = now - atomic_get(d->listed_ms) >= LISTED_MS ? PATIENCE : 1;
    return size.entries > d->options.pending_max * patience ||
           size.bytes > d->options.debt_bytes_max / 2 || behind > d->options.tail_bytes_max / 4 ||
           now - time_ms >= (int64_t)(d->options.age_ms_max * patience);
}

static bool flush_begin(struct disk *d, uint64_t reached, char *why, size_t why_size) {
    if (!write_batch(d, reached, why, why_size)) return false;
    d->flush_mark = reached;
    return table_flush(d->table, why, why_size);
}

/* Every open begins a segment, so that many restarts make many segments of few bytes. */
static bool flush_due(struct disk *d, uint64_t tail, uint64_t gain) {
    struct journal_stats stats;
    uint64_t max = d->options.tail_bytes_max;
    if (tail >= max / 2 && gain >= max / 4) return true;
    journal_stats(d->journal, &stats);
    return gain && stats.segments > 2 + max / d->options.segment_bytes;
}

static void unsorted_look(struct disk *d) {
    int64_t now = disk_now_ms();
    if (now < atomic_get(d->unsorted_look_ms)) return;
    atomic_set(d->unsorted_look_ms, now + UNSORTED_LOOK_MS);
    atomic_set(d->unsorted, table_unsorted(d->table));
}

/* One step of the flush: begins one when the journal behind the last has grown and a new one would
 * let go of some of it, or sees that one ended. */
static bool flush_step(struct disk *d, char *why, size_t why_size) {
    pthread_mutex_lock(&d->lock);
    uint64_t reached = reached_now(d), tail = disk_bytes_behind(d, d->flushed);
    uint64_t gain = tail - disk_bytes_behind(d, reached);
    pthread_mutex_unlock(&d->lock);
    atomic_set(d->tail_bytes, tail);
    unsorted_look(d);
    if (table_broken(d->table)) {
        snprintf(why, why_size, "table: a background write failed");
        return false;
    }
    if (!d->flush_mark) {
        if (!flush_due(d, tail, gain)) return true;
        return flush_begin(d, reached, why, why_size);
    }
    if (table_flushing(d->table)) return true;
    journal_trim(d->journal, d->flush_mark);
    d->flushed = d->flush_mark;
    d->flush_mark = 0;
    return true;
}

/* Sleeps a tick, or until there is work when there is none at all. False: stop. */
static bool rest(struct disk *d, bool idle) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ms = idle && !d->flush_mark ? 1000 : TICK_MS;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&d->inbox_lock);
    d->idle = idle;
    int error = 0;
    while (!d->stop && !error && !(d->idle && d->inbox.count) && !settle_wanted(d))
        error = pthread_cond_timedwait(&d->work_cond, &d->inbox_lock, &until);
    d->idle = false;
    bool go_on = !d->stop;
    pthread_mutex_unlock(&d->inbox_lock);
    return go_on;
}

/* Nothing is pending and nothing came since the last look: while groups come that leave nothing,
 * ticking is cheaper than being woken by each. */
static bool at_rest(struct disk *d) {
    int64_t time_ms;
    pthread_mutex_lock(&d->lock);
    bool nothing = pending_oldest(d->pending, &time_ms) == 0 && d->applied == d->looked_at;
    d->looked_at = d->applied;
    pthread_mutex_unlock(&d->lock);
    return nothing;
}

/* What a burst needed goes back to the system once a second has held little of it, and once more
 * when the table has tidied up behind it. */
static void memory_look(struct disk *d) {
    int64_t now = disk_now_ms();
    if (now < d->memory_look_ms) return;
    d->memory_look_ms = now + MEMORY_LOOK_MS;
    uint64_t bytes = atomic_get(d->group_bytes);
    bool quiet = bytes - d->memory_looked_at < QUIET_BYTES &&
                 atomic_get(d->pending_entries) <= d->options.pending_max;
    d->memory_looked_at = bytes;
    if (!quiet) return;
    bool busy = table_compacting(d->table);
    if (bytes - d->memory_given_at < BURST_BYTES && (busy || !d->memory_again)) return;
    d->memory_given_at = bytes;
    d->memory_again = busy;
    group_pool_rest(d->pool);
    memory_give_back();
}

static void *behind(void *context) {
    pthread_setname_np(pthread_self(), "table");
    struct disk *d = context;
    char why[WHY_BYTES] = "";
    bool ok = true;
    do {
        journal_prepare(d->journal);
        ok = flush_step(d, why, sizeof why);
        while (ok && !atomic_get(d->stop) && due(d)) {
            ok = materialise_some(d, why, sizeof why) && flush_step(d, why, sizeof why);
            journal_prepare(d->journal);
        }
        memory_look(d);
    } while (ok && rest(d, at_rest(d)));
    if (!ok) disk_down(d, why);
    return NULL;
}

bool behind_start(struct disk *d, char *why, size_t why_size) {
    d->settled = d->reached;
    d->taken.tasks = calloc(BATCH_MAX, sizeof *d->taken.tasks);
    d->taken.plains = calloc(BATCH_MAX, sizeof *d->taken.plains);
    d->ids = calloc(BATCH_MAX, sizeof *d->ids);
    d->wheres = calloc(BATCH_MAX, sizeof *d->wheres);
    bool ok = d->taken.tasks && d->taken.plains && d->ids && d->wheres;
    if (ok) ok = pthread_create(&d->thread, NULL, behind, d) == 0;
    if (!ok) snprintf(why, why_size, "%s: no memory or no thread", d->folder);
    d->thread_runs = ok;
    return ok;
}

bool behind_settle(struct disk *d) {
    if (d->options.read_only) return true;
    pthread_mutex_lock(&d->inbox_lock);
    uint64_t until = d->durable;
    if (until > d->settle_until) atomic_set(d->settle_until, until);
    pthread_cond_signal(&d->work_cond);
    while (d->settled < until && !d->down) pthread_cond_wait(&d->durable_cond, &d->inbox_lock);
    bool ok = !d->down;
    pthread_mutex_unlock(&d->inbox_lock);
    return ok;
}

void behind_stop(struct disk *d) {
    if (d->thread_runs) {
        pthread_mutex_lock(&d->inbox_lock);
        atomic_set(d->stop, true);
        pthread_cond_signal(&d->work_cond);
        pthread_mutex_unlock(&d->inbox_lock);
        pthread_join(d->thread, NULL);
        d->thread_runs = false;
    }
    table_batch_free(&d->writer.batch);
    texts_close(&d->texts);
    briefs_close(&d->writer.briefs);
    free(d->taken.tasks);
    free(d->taken.plains);
    free(d->ids);
    free(d->wheres);
}
