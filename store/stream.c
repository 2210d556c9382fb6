#include "store/stream.h"
#include "proto/base/map.h"
#include "store/coding.h"
#include "store/crc.h"
#include "store/drawer.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXPECTED = 64, SLOT_BYTES = 512, SLOT_USED = 52,
       SLOT_MAGIC = 0x314d5453 /* STM1 */, FLAG_ENDED = 1, FLAG_COUNTED = 2 };

struct stream {
    struct map_node by_id; /* first: a node is its stream */
    uint64_t id;
    int fd, state_fd;
    uint64_t turn;              /* of the newest slot */
    struct stream_state disk;   /* what the newest slot says */
    uint64_t taken, taken_next; /* what the next sync makes of it */
    bool counted;               /* the first chunk has come: its number is fixed */
    bool ending;                /* the next slot says that it has ended */
    bool broken;
    bool named, recorded;       /* under the lock */
    int64_t touched_ms, born_ms /* wall */;
};

struct streams {
    struct streams_options options;
    int placed_fd, growing_fd;
    pthread_mutex_t lock; /* the map, and what other threads ask of a stream */
    struct map map;
};

static struct stream *stream_of(struct map_node *n) { return (struct stream *)(void *)n; }

static struct stream *find_locked(struct streams *s, uint64_t id) {
    for (struct map_node *n = map_first(&s->map, hash_number(id)); n; n = map_next(n))
        if (stream_of(n)->id == id) return stream_of(n);
    return NULL;
}

static struct stream *find(struct streams *s, uint64_t id) {
    pthread_mutex_lock(&s->lock);
    struct stream *found = find_locked(s, id);
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void stream_free(struct stream *x) {
    if (x->fd >= 0) close(x->fd);
    if (x->state_fd >= 0) close(x->state_fd);
    free(x);
}

static void forget(struct streams *s, struct stream *x) {
    pthread_mutex_lock(&s->lock);
    map_remove(&s->map, &x->by_id);
    pthread_mutex_unlock(&s->lock);
    stream_free(x);
}

/* ---- the state beside the bytes ---- */

static bool slot_write(struct stream *x) {
    uint8_t slot[SLOT_USED], *p = slot;
    const uint32_t flags = (x->ending ? FLAG_ENDED : 0u) | (x->counted ? FLAG_COUNTED : 0u);
    p = put_u32(p, SLOT_MAGIC);
    p = put_u64(p, x->turn + 1);
    p = put_u64(p, x->taken);
    p = put_u64(p, x->taken_next);
    p = put_u32(p, x->disk.brand);
    p = put_u32(p, flags);
    p = put_u64(p, (uint64_t)x->born_ms);
    p = put_u32(p, 0); /* left for later */
    p = put_u32(p, crc32c(0, slot, (size_t)(p - slot)));
    assert(p - slot == SLOT_USED);
    return drawer_write(x->state_fd, slice_of(slot, sizeof slot),
                        ((x->turn + 1) & 1) * SLOT_BYTES);
}

/* What a slot says counts when it is newer than what is known. */
static void slot_read(struct stream *x, int index) {
    uint8_t slot[SLOT_USED];
    if (pread(x->state_fd, slot, sizeof slot, index * SLOT_BYTES) != SLOT_USED) return;
    struct reader r = {slot, slot + sizeof slot, false};
    if (get_u32(&r) != SLOT_MAGIC) return;
    const uint64_t turn = get_u64(&r), size = get_u64(&r), next = get_u64(&r);
    const uint32_t brand = get_u32(&r), flags = get_u32(&r);
    const int64_t born_ms = (int64_t)get_u64(&r);
    (void)get_u32(&r);
    if (get_u32(&r) != crc32c(0, slot, SLOT_USED - 4) || turn <= x->turn) return;
    x->turn = turn;
    x->disk = (struct stream_state){.size = size, .next = next, .brand = brand,
                                    .ended = (flags & FLAG_ENDED) != 0};
    x->counted = (flags & FLAG_COUNTED) != 0;
    x->born_ms = born_ms;
    x->taken = size;
    x->taken_next = next;
    x->ending = x->disk.ended;
}

static void slot_durable(struct stream *x) {
    x->turn++;
    x->disk.size = x->taken;
    x->disk.next = x->taken_next;
    x->disk.ended = x->ending;
}

static bool is_dirty(const struct stream *x) {
    return !x->broken && (x->taken_next != x->disk.next || x->taken != x->disk.size ||
                          x->ending != x->disk.ended);
}

static bool stream_sync(struct stream *x) {
    x->broken = fdatasync(x->fd) != 0 || !slot_write(x) || fdatasync(x->state_fd) != 0;
    if (!x->broken) slot_durable(x);
    return !x->broken;
}

/* ---- life ---- */

struct streams *streams_open(const struct streams_options *options, char *why, size_t why_size) {
    struct streams *s = calloc(1, sizeof *s);
    assert(options->streams_max > 0 && options->stream_bytes_max > 0);
    errno = ENOMEM;
    if (!s || !map_init(&s->map, EXPECTED)) {
        drawer_why(why, why_size, options->folder);
        free(s);
        return NULL;
    }
    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    if (!drawer_open(options->folder, "growing", &s->placed_fd, &s->growing_fd)) {
        drawer_why(why, why_size, options->folder);
        streams_close(&s);
    }
    return s;
}

void streams_close(struct streams **self) {
    struct streams *s = *self;
    if (!s) return;
    for (size_t i = 0; i <= s->map.mask; i++) {
        for (struct map_node *n = s->map.buckets[i], *next; n; n = next) {
            next = n->next;
            stream_free(stream_of(n));
        }
    }
    map_free(&s->map);
    if (s->growing_fd >= 0) close(s->growing_fd);
    if (s->placed_fd >= 0) close(s->placed_fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *self = NULL;
}

static bool stream_open(struct streams *s, struct stream *x, int flags) {
    char name[DRAWER_NAME];
    x->fd = openat(s->growing_fd, drawer_name(x->id, "", name), O_RDWR | O_CLOEXEC | flags, 0600);
    if (x->fd < 0) return false;
    drawer_name(x->id, ".state", name);
    x->state_fd = openat(s->growing_fd, name, O_RDWR | O_CLOEXEC | flags, 0600);
    return x->state_fd >= 0;
}

static enum file_result unlink_both(struct streams *s, uint64_t id) {
    char name[DRAWER_NAME];
    const bool gone = unlinkat(s->growing_fd, drawer_name(id, "", name), 0) == 0;
    const int error = errno;
    unlinkat(s->growing_fd, drawer_name(id, ".state", name), 0);
    errno = error;
    return gone ? FILE_OK : drawer_result();
}

/* An ended stream with a record becomes a file; what is behind its end was never acknowledged. */
static enum file_result stream_settle(struct streams *s, struct stream *x) {
    char name[DRAWER_NAME];
    drawer_name(x->id, "", name);
    if (ftruncate(x->fd, (off_t)x->disk.size) != 0 || fsync(x->fd) != 0 ||
        renameat(s->growing_fd, name, s->placed_fd, name) != 0 || fsync(s->placed_fd) != 0)
        return FILE_FAILED;
    unlinkat(s->growing_fd, drawer_name(x->id, ".state", name), 0);
    forget(s, x);
    return FILE_OK;
}

/* Goes on with a stream that was there before. One whose first state never reached the disk was
 * never acknowledged: it is unlinked. */
static bool stream_adopt(struct streams *s, uint64_t id, int64_t now_ms) {
    struct stream *x = calloc(1, sizeof *x);
    if (!x) return false;
    *x = (struct stream){.id = id, .fd = -1, .state_fd = -1, .recorded = true,
                         .touched_ms = now_ms};
    if (stream_open(s, x, 0)) {
        slot_read(x, 0);
        slot_read(x, 1);
    }
    struct stat st;
    const bool whole = x->turn > 0 && fstat(x->fd, &st) == 0 &&
                       (uint64_t)st.st_size >= x->disk.size &&
                       ftruncate(x->fd, (off_t)x->disk.size) == 0;
    if (!whole) {
        stream_free(x);
        return unlink_both(s, id) == FILE_OK;
    }
    pthread_mutex_lock(&s->lock);
    map_put(&s->map, &x->by_id, hash_number(id));
    pthread_mutex_unlock(&s->lock);
    return !x->disk.ended || stream_settle(s, x) == FILE_OK;
}

/* A state without its bytes: its stream was being unlinked, or had become a file. */
static void state_tidy(struct streams *s, const char *text) {
    char name[DRAWER_NAME];
    struct stat st;
    const uint64_t id = strtoull(text, NULL, 10);
    if (fstatat(s->growing_fd, drawer_name(id, "", name), &st, 0) != 0 && errno == ENOENT)
        unlinkat(s->growing_fd, text, 0);
}

int64_t streams_recover(struct streams *s, int64_t now_ms, files_named *named, void *context,
                        char *why, size_t why_size) {
    DIR *dir = drawer_list(s->placed_fd, "growing");
    int64_t count = 0;
    bool ok = true;
    if (!dir) {
        drawer_why(why, why_size, "files/growing");
        return -1;
    }
    for (struct dirent *entry; ok && (entry = readdir(dir));) {
        const uint64_t id = drawer_id(entry->d_name);
        if (entry->d_name[0] == '.') continue;
        if (id == 0) {
            state_tidy(s, entry->d_name);
            continue;
        }
        count++;
        const int is = named(context, id);
        if (is > 0) ok = stream_adopt(s, id, now_ms);
        else if (is == 0) ok = unlink_both(s, id) == FILE_OK;
        if (!ok) drawer_why(why, why_size, entry->d_name);
        if (is >= 0) continue;
        snprintf(why, why_size, "files/growing/%s: its record cannot be read", entry->d_name);
        ok = false;
    }
    closedir(dir);
    return ok ? count : -1;
}

/* ---- making one ---- */

static struct stream *reserve(struct streams *s, uint64_t id) {
    struct stream *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    *x = (struct stream){.id = id, .fd = -1, .state_fd = -1};
    pthread_mutex_lock(&s->lock);
    const bool room = s->map.count < s->options.streams_max;
    if (room) map_put(&s->map, &x->by_id, hash_number(id));
    pthread_mutex_unlock(&s->lock);
    if (room) return x;
    free(x);
    return NULL;
}

enum file_result streams_create(struct streams *s, uint64_t id, uint32_t brand, int64_t now_ms,
                                int64_t wall_ms) {
    char name[DRAWER_NAME];
    struct stat st;
    assert(id != 0);
    if (find(s, id)) return FILE_EXISTS;
    if (fstatat(s->placed_fd, drawer_name(id, "", name), &st, 0) == 0) return FILE_EXISTS;
    struct stream *x = reserve(s, id);
    if (!x) return FILE_LIMIT;
    x->disk.brand = brand;
    x->touched_ms = now_ms;
    x->born_ms = wall_ms;
    if (!stream_open(s, x, O_CREAT | O_EXCL)) {
        const bool taken = errno == EEXIST;
        const enum file_result result = taken ? FILE_EXISTS : drawer_result();
        if (!taken) unlink_both(s, id);
        forget(s, x);
        return result;
    }
    if (stream_sync(x) && fsync(s->growing_fd) == 0) return FILE_OK;
    const enum file_result result = drawer_result();
    unlink_both(s, id);
    forget(s, x);
    return result;
}

bool streams_knows(struct streams *s, uint64_t id) { return find(s, id) != NULL; }

enum file_result streams_state(struct streams *s, uint64_t id, struct stream_state *ret) {
    const struct stream *x = find(s, id);
    if (!x) return FILE_UNKNOWN;
    *ret = x->disk;
    return FILE_OK;
}

/* FILE_OK with *fresh: the chunk is the next one. */
static enum file_result number_check(const struct stream *x, int64_t number, bool *fresh) {
    *fresh = number == STREAM_NEXT || (x->counted ? (uint64_t)number == x->taken_next
                                                  : number == 0 || number == 1);
    if (*fresh) return FILE_OK;
    return x->counted && number >= 0 && (uint64_t)number < x->taken_next ? FILE_OK : FILE_ORDER;
}

enum file_result streams_append(struct streams *s, uint64_t id, int64_t number, struct slice bytes,
                                int64_t now_ms) {
    struct stream *x = find(s, id);
    bool fresh;
    if (!x) return FILE_UNKNOWN;
    if (x->broken) { errno = EIO; return FILE_FAILED; }
    const enum file_result result = number_check(x, number, &fresh);
    if (x->ending && (fresh || result != FILE_OK)) return FILE_EXISTS;
    if (result != FILE_OK || !fresh) return result;
    if (bytes.len > s->options.stream_bytes_max - x->taken) return FILE_LARGE;
    if (!drawer_write(x->fd, bytes, x->taken)) return drawer_result();
    if (number != STREAM_NEXT) x->taken_next = (uint64_t)number;
    x->counted = true;
    x->taken += bytes.len;
    x->taken_next++;
    x->touched_ms = now_ms;
    return FILE_OK;
}

/* The kernel is told of all of them before one is waited for. */
bool streams_sync(struct streams *s) {
    bool ok = true;
    for (size_t i = 0; i <= s->map.mask; i++)
        for (struct map_node *n = s->map.buckets[i]; n; n = n->next) {
            const struct stream *x = stream_of(n);
            if (is_dirty(x))
                sync_file_range(x->fd, (off_t)x->disk.size, (off_t)(x->taken - x->disk.size),
                                SYNC_FILE_RANGE_WRITE);
        }
    for (size_t i = 0; i <= s->map.mask; i++)
        for (struct map_node *n = s->map.buckets[i]; n; n = n->next)
            if (is_dirty(stream_of(n))) ok &= stream_sync(stream_of(n));
    return ok;
}

bool streams_broken(struct streams *s, uint64_t id) {
    const struct stream *x = find(s, id);
    return x && x->broken;
}

enum file_result streams_end(struct streams *s, uint64_t id) {
    struct stream *x = find(s, id);
    if (!x) return FILE_UNKNOWN;
    if (x->disk.ended) return FILE_OK;
    if (x->broken) { errno = EIO; return FILE_FAILED; }
    x->ending = true;
    if (!stream_sync(x)) return drawer_result();
    return x->recorded ? stream_settle(s, x) : FILE_OK;
}

enum file_result streams_read(struct streams *s, uint64_t id, uint64_t offset, uint32_t len,
                              struct buffer *bytes) {
    const struct stream *x = find(s, id);
    if (!x) return FILE_UNKNOWN;
    if (len > FILE_READ_MAX) len = FILE_READ_MAX;
    if (offset >= x->disk.size) return FILE_OK;
    if (len > x->disk.size - offset) len = (uint32_t)(x->disk.size - offset);
    bool ok = buffer_reserve(bytes, len);
    for (size_t got = 0; ok && got < len;) {
        ssize_t n = pread(x->fd, bytes->data + bytes->len, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO;
        ok = n > 0;
        if (!ok) break;
        got += (size_t)n;
        bytes->len += (size_t)n;
    }
    return ok ? FILE_OK : FILE_FAILED;
}

enum file_result streams_drop(struct streams *s, uint64_t id) {
    struct stream *x = find(s, id);
    if (!x) return FILE_UNKNOWN;
    pthread_mutex_lock(&s->lock);
    const bool kept = x->named || x->recorded;
    if (!kept) map_remove(&s->map, &x->by_id);
    pthread_mutex_unlock(&s->lock);
    if (kept) return FILE_ORDER;
    stream_free(x);
    return unlink_both(s, id);
}

/* True when something becomes of it now: it is given up, or ended. */
static bool is_over(const struct streams *s, const struct stream *x, int64_t now_ms,
                    int64_t wall_ms) {
    const int64_t idle_ms = now_ms - x->touched_ms;
    if (!x->recorded) return !x->named && idle_ms >= s->options.unnamed_ms_max;
    if (x->disk.ended || x->broken) return false;
    return idle_ms >= s->options.idle_ms_max || wall_ms - x->born_ms >= s->options.age_ms_max;
}

static struct stream *over_find(struct streams *s, int64_t now_ms, int64_t wall_ms) {
    struct stream *found = NULL;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; !found && i <= s->map.mask; i++)
        for (struct map_node *n = s->map.buckets[i]; !found && n; n = n->next)
            if (is_over(s, stream_of(n), now_ms, wall_ms)) found = stream_of(n);
    pthread_mutex_unlock(&s->lock);
    return found;
}

void streams_expire(struct streams *s, int64_t now_ms, int64_t wall_ms, files_found *changed,
                    void *context) {
    for (struct stream *x; (x = over_find(s, now_ms, wall_ms));) {
        const uint64_t id = x->id;
        const enum file_result result = x->recorded ? streams_end(s, id) : streams_drop(s, id);
        if (result != FILE_OK && find(s, id)) x->broken = true; /* not tried again and again */
        changed(context, id);
    }
}

/* ---- names ---- */

enum file_result streams_name(struct streams *s, uint64_t id) {
    pthread_mutex_lock(&s->lock);
    struct stream *x = find_locked(s, id);
    if (x) x->named = true;
    pthread_mutex_unlock(&s->lock);
    return x ? FILE_OK : FILE_UNKNOWN;
}

void streams_unname(struct streams *s, uint64_t id, int64_t now_ms) {
    pthread_mutex_lock(&s->lock);
    struct stream *x = find_locked(s, id);
    if (x) {
        x->named = false;
        x->touched_ms = now_ms;
    }
    pthread_mutex_unlock(&s->lock);
}

void streams_each_named(struct streams *s, files_found *found, void *context) {
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i <= s->map.mask; i++)
        for (struct map_node *n = s->map.buckets[i]; n; n = n->next)
            if (stream_of(n)->named && !stream_of(n)->recorded) found(context, stream_of(n)->id);
    pthread_mutex_unlock(&s->lock);
}

enum file_result streams_place(struct streams *s, uint64_t id) {
    pthread_mutex_lock(&s->lock);
    struct stream *x = find_locked(s, id);
    if (x) x->recorded = true;
    pthread_mutex_unlock(&s->lock);
    if (!x) return FILE_UNKNOWN;
    return x->disk.ended ? stream_settle(s, x) : FILE_OK;
}

enum file_result streams_remove(struct streams *s, uint64_t id) {
    struct stream *x = find(s, id);
    if (!x) return FILE_UNKNOWN;
    forget(s, x);
    return unlink_both(s, id);
}
