#include "store/disk.h"
#include "proto/host/log.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    MIB = 1 << 20, SPACE_CHECK_MS = 100, MEMTABLE_BYTES = 8 * MIB,
    START_BYTES = MIB / 2,      /* a table that opens writes its manifest, options and log anew */
    BALLAST_BYTES_MIN = 2 * MIB /* of a disk too small for the whole ballast */
};

int64_t disk_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t disk_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct disk *disk_of(struct store *s) { return (struct disk *)s; }

void disk_down(struct disk *d, const char *why) {
    pthread_mutex_lock(&d->inbox_lock);
    bool news = !d->down;
    if (news) {
        snprintf(d->down_why, sizeof d->down_why, "%s", why);
        atomic_set(d->down, true);
    }
    pthread_cond_broadcast(&d->durable_cond);
    pthread_mutex_unlock(&d->inbox_lock);
    if (news) log_error("the store is down", field_text("why", why));
}

/* ---- groups on their way from the store thread to pending ---- */

static bool inbox_room(struct inbox *inbox) {
    if (inbox->count < inbox->cap) return true;
    size_t cap = inbox->cap ? inbox->cap * 2 : 64;
    struct group_bytes **groups = realloc(inbox->groups, cap * sizeof *groups);
    if (!groups) return false;
    inbox->groups = groups;
    inbox->cap = cap;
    return true;
}

void disk_mark(struct disk *d, uint64_t group, uint64_t bytes) {
    const struct mark *last = &d->marks[(d->mark_count + MARKS - 1) % MARKS];
    if (!d->mark_count || d->taken_bytes - last->bytes >= MARK_BYTES)
        d->marks[d->mark_count++ % MARKS] = (struct mark){group - 1, d->taken_bytes};
    d->taken_bytes += bytes;
}

uint64_t disk_bytes_behind(const struct disk *d, uint64_t group) {
    uint64_t first = d->mark_count > MARKS ? d->mark_count - MARKS : 0, end = d->mark_count;
    if (group >= d->applied || !end) return 0;
    while (end - first > 1) { /* the last mark that is not behind the group */
        uint64_t middle = first + (end - first) / 2;
        if (d->marks[middle % MARKS].group <= group) first = middle;
        else end = middle;
    }
    return d->taken_bytes - d->marks[first % MARKS].bytes;
}

void disk_take_in(struct disk *d) {
    pthread_mutex_lock(&d->inbox_lock);
    struct inbox full = d->inbox;
    d->inbox = d->spare;
    pthread_mutex_unlock(&d->inbox_lock);
    for (size_t i = 0; i < full.count; i++) {
        struct group_bytes *g = full.groups[i];
        bool ok = pending_apply(d->pending, g);
        assert(ok); /* a group that does not decode is the writer's bug */
        disk_mark(d, g->group, g->len);
        d->applied = g->group;
        atomic_add(d->inbox_bytes, -(uint64_t)g->len);
        group_bytes_release(g);
    }
    full.count = 0;
    d->spare = full;
    struct pending_size size = pending_size(d->pending);
    atomic_set(d->pending_entries, size.entries);
    atomic_set(d->pending_bytes, size.bytes + size.entries * sizeof(struct task_entry));
}

static enum store_state disk_append(struct store *s, uint64_t group, struct slice records) {
    struct disk *d = disk_of(s);
    char why[WHY_BYTES];
    assert(!d->options.read_only);
    if (atomic_get(d->down)) return STORE_DOWN;
    struct group_bytes *g = group_bytes_new(d->pool, group, disk_now_ms(), records);
    int64_t start = disk_now_us();
    bool ok = g && journal_append(d->journal, group, records, why, sizeof why);
    if (!g) snprintf(why, sizeof why, "memory is out");
    atomic_set(d->sync_us[d->sync_count % SYNC_SAMPLES], (uint32_t)(disk_now_us() - start));
    atomic_add(d->sync_count, 1);
    if (ok) {
        pthread_mutex_lock(&d->inbox_lock);
        ok = inbox_room(&d->inbox);
        if (ok) d->inbox.groups[d->inbox.count++] = g;
        d->durable = group;
        atomic_add(d->inbox_bytes, g->len);
        pthread_cond_broadcast(&d->durable_cond);
        if (d->idle) pthread_cond_signal(&d->work_cond);
        pthread_mutex_unlock(&d->inbox_lock);
        atomic_add(d->groups, 1);
        atomic_add(d->group_bytes, records.len);
        if (ok) return STORE_OK;
        snprintf(why, sizeof why, "memory is out");
    }
    group_bytes_release(g);
    disk_down(d, why);
    return STORE_DOWN;
}

static uint64_t disk_next_group(const struct store *s) {
    return journal_newest(((const struct disk *)s)->journal) + 1;
}

static bool disk_view(struct store *s, uint64_t group, const struct collect *collect,
                      struct store_view *v, char *why, size_t why_size) {
    struct disk *d = disk_of(s);
    pthread_mutex_lock(&d->inbox_lock);
    while (d->durable < group && !d->down) pthread_cond_wait(&d->durable_cond, &d->inbox_lock);
    bool ok = d->durable >= group;
    if (!ok) snprintf(why, why_size, "the store is down: %s", d->down_why);
    pthread_mutex_unlock(&d->inbox_lock);
    if (!ok) return false;
    if (collect->tasks && collect->plains) atomic_set(d->listed_ms, disk_now_ms());
    pthread_mutex_lock(&d->lock);
    disk_take_in(d);
    v->table = d->table;
    v->cache = d->cache;
    if (d->cache) v->batch = block_cache_batch(d->cache);
    if (d->table) v->snapshot = table_snapshot_open(d->table);
    ok = !d->table || v->snapshot;
    if (!ok) snprintf(why, why_size, "memory is out");
    ok = ok && overlay_collect(&v->overlay, d->pending, collect, v->table, v->snapshot, why,
                               why_size);
    pthread_mutex_unlock(&d->lock);
    return ok;
}

/* ---- limits and figures ---- */

bool disk_untidy(uint32_t files, int64_t now_ms) {
    const int64_t over = (int64_t)files - UNSORTED_EASY, most = UNSORTED_MAX - UNSORTED_EASY;
    return over > 0 && now_ms % CYCLE_MS * most < over * CYCLE_MS;
}

static double disk_debt(struct store *s) {
    struct disk *d = disk_of(s);
    uint64_t waiting = atomic_get(d->pending_bytes) + atomic_get(d->inbox_bytes);
    uint64_t per_s = atomic_get(d->drain_per_s);
    int64_t now = disk_now_ms(), oldest = atomic_get(d->oldest_ms);
    /* Few are written in no time, when their turn comes: who is refused does not hasten it. */
    if (atomic_get(d->pending_entries) <= FEW_ENTRIES) oldest = 0;
    double debt[] = {
        (double)waiting / (double)d->options.debt_bytes_max,
        (double)atomic_get(d->tail_bytes) / (double)d->options.tail_bytes_max,
        oldest ? (double)(now - oldest) / BEHIND_MS_MAX : 0,
        per_s ? (double)atomic_get(d->pending_entries) * 1000 / (double)per_s / AHEAD_MS_MAX : 0,
        disk_untidy(atomic_get(d->unsorted), now)};
    for (size_t i = 1; i < sizeof debt / sizeof *debt; i++)
        if (debt[i] > debt[0]) debt[0] = debt[i];
    return debt[0];
}

static uint64_t space_free(const char *folder) {
    struct statvfs st;
    return statvfs(folder, &st) == 0 ? (uint64_t)st.f_bavail * st.f_frsize : UINT64_MAX;
}

static bool disk_disk_full(struct store *s) {
    struct disk *d = disk_of(s);
    int64_t now = disk_now_ms();
    if (now - atomic_get(d->space_checked_ms) >= SPACE_CHECK_MS) {
        atomic_set(d->space_checked_ms, now);
        atomic_set(d->space_low, space_free(d->folder) < d->options.free_bytes_min);
    }
    return atomic_get(d->space_low);
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void disk_stats(struct store *s, struct store_stats *stats) {
    struct disk *d = disk_of(s);
    struct journal_stats journal;
    uint32_t sorted[SYNC_SAMPLES];
    uint64_t synced = atomic_get(d->sync_count);
    size_t count = synced < SYNC_SAMPLES ? (size_t)synced : SYNC_SAMPLES;
    for (size_t i = 0; i < count; i++) sorted[i] = atomic_get(d->sync_us[i]);
    qsort(sorted, count, sizeof *sorted, by_number);
    journal_stats(d->journal, &journal);
    *stats = (struct store_stats){
        .groups = atomic_get(d->groups), .bytes = atomic_get(d->group_bytes),
        .segments = journal.segments, .pending_records = atomic_get(d->pending_entries),
        .pending_bytes = atomic_get(d->pending_bytes), .reached = atomic_get(d->reached),
        .cut_bytes = journal.cut_bytes, .table_batches = atomic_get(d->table_batches),
        .table_records = atomic_get(d->table_records),
        .sync_us_p50 = count ? sorted[count / 2] : 0,
        .sync_us_p99 = count ? sorted[count * 99 / 100] : 0};
}

/* ---- opening ---- */

static void path_in(const struct disk *d, const char *name, char path[PATH_BYTES + 32]) {
    snprintf(path, PATH_BYTES + 32, "%s/%s", d->folder, name);
}

static bool take_lock(struct disk *d, char *why, size_t why_size) {
    char path[PATH_BYTES + 32];
    if (!d->options.read_only && mkdir(d->folder, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_size, "%s: %s", d->folder, strerror(errno));
        return false;
    }
    path_in(d, "lock", path);
    d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int how = d->options.read_only ? LOCK_SH : LOCK_EX;
    if (d->lock_fd >= 0 && flock(d->lock_fd, how | LOCK_NB) == 0) return true;
    bool taken = d->lock_fd >= 0 && errno == EWOULDBLOCK;
    const char *by = d->options.read_only ? "a broker is running on this folder: stop it first"
                                          : "another broker is running on this folder";
    snprintf(why, why_size, "%s: %s", path, taken ? by : strerror(errno));
    return false;
}

/* RocksDB does not open on a full disk: what was put aside for this makes room. */
static bool give_up_ballast(const struct disk *d) {
    char path[PATH_BYTES + 32];
    path_in(d, "ballast", path);
    if (d->options.read_only || unlink(path) != 0) return false;
    log_warn("no room to start: the ballast was given up", field_text("file", path));
    return true;
}

/* Makes `path` with so many bytes that are its own. Nothing is left of it on failure. */
static bool take_room(const char *path, uint64_t bytes) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool ok = posix_fallocate(fd, 0, (off_t)bytes) == 0;
    close(fd);
    if (!ok) unlink(path);
    return ok;
}

/* Whole where the watermark leaves room for it, else a quarter of what is free. */
static void put_ballast_aside(const struct disk *d) {
    char path[PATH_BYTES + 32], half[PATH_BYTES + 32];
    path_in(d, "ballast", path);
    path_in(d, "ballast.new", half);
    uint64_t bytes = d->options.ballast_bytes, room = space_free(d->folder);
    if (access(path, F_OK) == 0) return;
    if (room < bytes + d->options.free_bytes_min) {
        if (bytes > room / 4) bytes = room / 4;
        if (bytes < BALLAST_BYTES_MIN) return;
    }
    if (take_room(half, bytes) && rename(half, path) != 0) unlink(half);
}

/* RocksDB ends the process when it cannot write while it opens: it is not let near a full disk. */
static bool table_room(const struct disk *d) {
    char path[PATH_BYTES + 32];
    path_in(d, "room", path);
    bool ok = take_room(path, START_BYTES);
    unlink(path);
    return ok;
}

static bool full(const struct disk *d, uint64_t bytes, const char *use, char *why,
                 size_t why_size) {
    snprintf(why, why_size, "%s: no room to start: %llu bytes are free on this disk, %llu are "
             "needed%s; make room on it and start again (what was acknowledged is not lost)",
             d->folder, (unsigned long long)space_free(d->folder), (unsigned long long)bytes, use);
    return false;
}

static bool make_room(const struct disk *d, char *why, size_t why_size) {
    if (d->options.read_only) return true;
    if (space_free(d->folder) < d->options.ballast_bytes) give_up_ballast(d);
    return table_room(d) || (give_up_ballast(d) && table_room(d)) ||
           full(d, START_BYTES, "", why, why_size);
}

static bool open_table(struct disk *d, char *why, size_t why_size) {
    char path[PATH_BYTES + 32];
    path_in(d, "table", path);
    if (d->options.read_only && access(path, F_OK) != 0) return true; /* nothing stored yet */
    struct table_options o = {.folder = path, .memory_bytes = MEMTABLE_BYTES,
                              .cache_bytes = d->options.cache_bytes,
                              .read_only = d->options.read_only};
    d->table = table_open(&o, why, why_size);
    if (!d->table && give_up_ballast(d)) d->table = table_open(&o, why, why_size);
    return d->table != NULL;
}

static bool read_reached(struct disk *d, char *why, size_t why_size) {
    struct buffer value = {0};
    struct key key;
    struct table_state state = {0};
    key_plain(&key, KEY_REACHED);
    int got = d->table ? table_get(d->table, NULL, key_slice(&key), &value, why, why_size) : 0;
    bool ok = got >= 0;
    if (got > 0) {
        ok = table_state_read(buffer_slice(&value), &state);
        d->reached = state.reached;
        d->version = state.version;
        d->text_key = state.text_key;
        d->writer.created_max_ms = state.created_max_ms;
        d->writer.setback_ms = state.setback_ms;
        if (!ok)
            snprintf(why, why_size, "%s/table: written by another version (layout %u, this is %d)",
                     d->folder, state.version, LAYOUT_VERSION);
    }
    buffer_free(&value);
    return ok;
}

/* The types of the lanes that the table knows, and whether any task there has parts. */
static bool read_catalog(struct disk *d, char *why, size_t why_size) {
    struct key prefix;
    struct range range;
    bool ok = true;
    if (!d->table) return true;
    key_begin(&prefix, KEY_LANE);
    range_prefix(&range, &prefix);
    struct table_scan *scan = table_scan_open(d->table, NULL, &range, false);
    for (; scan && ok && table_scan_valid(scan); table_scan_next(scan)) {
        struct record r;
        ok = record_decode_value(RECORD_LANE, table_scan_value(scan), &r) &&
             pending_know_lane(d->pending, &r.lane);
        if (!ok) snprintf(why, why_size, "%s/table: a lane is damaged", d->folder);
    }
    ok = ok && scan && table_scan_ok(scan, why, why_size);
    table_scan_close(&scan);
    key_begin(&prefix, KEY_SUB);
    range_prefix(&range, &prefix);
    scan = ok ? table_scan_open(d->table, NULL, &range, false) : NULL;
    d->writer.has_subs = scan && table_scan_valid(scan);
    ok = ok && scan && table_scan_ok(scan, why, why_size);
    table_scan_close(&scan);
    return ok;
}

static bool ready_writer(struct disk *d, char *why, size_t why_size) {
    if (d->options.read_only) return true;
    d->cache = block_cache_new(d->options.list_cache_bytes);
    d->writer.table = d->table;
    d->writer.batch = table_batch_new();
    d->writer.pending = d->pending;
    bool ok = d->writer.batch && d->cache;
    d->writer.briefs.cache = d->cache;
    if (d->options.id_key) {
        ok = texts_open(&d->texts, d->options.id_key, d->cache) && ok;
        d->writer.texts = &d->texts;
    }
    if (!ok) snprintf(why, why_size, "%s: memory is out", d->folder);
    return ok;
}

static bool take_replayed(void *context, uint64_t group, struct slice records) {
    struct disk *d = context;
    struct group_bytes *g = group_bytes_new(d->pool, group, disk_now_ms(), records);
    bool ok = g && pending_apply(d->pending, g);
    group_bytes_release(g);
    disk_mark(d, group, records.len);
    d->applied = group;
    return ok;
}

static bool open_journal(struct disk *d, char *why, size_t why_size) {
    char path[PATH_BYTES + 32];
    path_in(d, "journal", path);
    struct journal_options o = {.folder = path, .segment_bytes = d->options.segment_bytes,
                                .read_only = d->options.read_only};
    d->journal = journal_open(&o, d->reached, why, why_size);
    if (!d->journal) return false;
    d->applied = d->flushed = d->reached;
    pending_replaying(d->pending, true);
    bool ok = journal_replay(d->journal, take_replayed, d, why, why_size);
    pending_replaying(d->pending, false);
    d->durable = journal_newest(d->journal);
    struct journal_stats stats;
    journal_stats(d->journal, &stats);
    if (ok && stats.cut_bytes)
        log_warn("a torn write at the end of the journal was cut; it was never acknowledged",
                 field_text("journal", path), field_number("bytes", stats.cut_bytes));
    return ok;
}

/* The first group begins a segment: it must be there, or the start would fail without a word. */
static bool ready_journal(struct disk *d, char *why, size_t why_size) {
    if (d->options.read_only) return true;
    return journal_prepare(d->journal) || (give_up_ballast(d) && journal_prepare(d->journal)) ||
           full(d, d->options.segment_bytes, " for the journal (segment_bytes)", why, why_size);
}

static void defaults(struct store_options *o) {
    if (!o->segment_bytes) o->segment_bytes = 16 * MIB;
    if (!o->tail_bytes_max) o->tail_bytes_max = 32 * MIB;
    if (!o->debt_bytes_max) o->debt_bytes_max = 32 * MIB;
    if (!o->age_ms_max) o->age_ms_max = 50;
    if (!o->pending_max) o->pending_max = 8192;
    if (!o->free_bytes_min) o->free_bytes_min = 256ull * MIB;
    if (!o->ballast_bytes) o->ballast_bytes = 32 * MIB;
    if (!o->cache_bytes) o->cache_bytes = 8 * MIB;
    if (!o->list_cache_bytes) o->list_cache_bytes = 128 * MIB;
}

static bool disk_settle(struct store *s) { return behind_settle(disk_of(s)); }

static void disk_close(struct store **self) {
    struct disk *d = disk_of(*self);
    if (d->thread_runs && !atomic_get(d->down)) behind_settle(d); /* else the journal has it all */
    behind_stop(d);
    for (size_t i = 0; i < d->inbox.count; i++) group_bytes_release(d->inbox.groups[i]);
    free(d->inbox.groups);
    free(d->spare.groups);
    pending_destroy(&d->pending);
    group_pool_free(&d->pool);
    table_close(&d->table);
    block_cache_free(&d->cache);
    journal_close(&d->journal);
    if (d->lock_fd >= 0) close(d->lock_fd);
    pthread_cond_destroy(&d->durable_cond);
    pthread_cond_destroy(&d->work_cond);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->inbox_lock);
    free(d->store.gone_files);
    free(d);
    *self = NULL;
}

static const struct store_ops disk_ops = {
    disk_close, disk_append, disk_next_group, disk_debt, disk_disk_full, disk_view, disk_stats,
    disk_settle,
};

static struct disk *disk_new(const struct store_options *options) {
    struct disk *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->store.ops = &disk_ops;
    d->options = *options;
    defaults(&d->options);
    d->lock_fd = -1;
    d->listed_ms = INT64_MIN / 2;
    snprintf(d->folder, sizeof d->folder, "%s", options->folder);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->inbox_lock, NULL);
    pthread_cond_init(&d->durable_cond, &monotonic);
    pthread_cond_init(&d->work_cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
    d->pending = pending_new(false);
    d->pool = group_pool_new();
    return d;
}

struct store *store_open(const struct store_options *options, char *why, size_t why_size) {
    if (strlen(options->folder) >= PATH_BYTES / 2) {
        snprintf(why, why_size, "%s: the path is too long", options->folder);
        return NULL;
    }
    struct disk *d = disk_new(options);
    snprintf(why, why_size, "%s: memory is out", options->folder);
    if (!d) return NULL;
    bool ok = d->pending && d->pool && take_lock(d, why, why_size) && make_room(d, why, why_size) &&
              open_table(d, why, why_size) && read_reached(d, why, why_size) &&
              read_catalog(d, why, why_size) && ready_writer(d, why, why_size) &&
              disk_upgrade(d, why, why_size) && open_journal(d, why, why_size) &&
              ready_journal(d, why, why_size);
    if (ok && !options->read_only) {
        put_ballast_aside(d);
        ok = gone_files_note(&d->store, why, why_size) && behind_start(d, why, why_size);
    }
    struct store *s = &d->store;
    if (!ok) disk_close(&s);
    return s;
}
