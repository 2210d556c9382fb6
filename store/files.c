#include "store/files.h"
#include "proto/base/map.h"
#include "store/drawer.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXPECTED = 64 };

struct upload {
    struct map_node by_id; /* first: a node is its upload */
    uint64_t id;
    int fd;      /* -1 before it is open, and once sealed */
    bool sealed; /* under the lock, as the next four: other threads ask */
    bool named;  /* a task that is not yet durable names it, since named_ms */
    bool recorded; /* its record is durable */
    int64_t touched_ms, named_ms;
    uint64_t size;   /* stays once sealed */
    uint64_t behind; /* bytes whose way to the disk has begun */
    bool broken;     /* what is on disk is not known any more */
    struct sha256_ctx state;
    uint8_t hash[FILE_HASH_BYTES]; /* once sealed */
};

struct files {
    struct files_options options;
    int placed_fd, incoming_fd; /* folders */
    pthread_mutex_t lock;       /* the map: which there are; each one is its caller's */
    struct map uploads;
};

static struct upload *upload_of(struct map_node *n) { return (struct upload *)(void *)n; }

/* ---- life ---- */

struct files *files_open(const struct files_options *options, char *why, size_t why_size) {
    struct files *f = calloc(1, sizeof *f);
    assert(options->uploads_max > 0 && options->file_bytes_max > 0);
    if (!f) {
        errno = ENOMEM;
        drawer_why(why, why_size, options->folder);
        free(f);
        return NULL;
    }
    f->options = *options;
    pthread_mutex_init(&f->lock, NULL);
    bool room = map_init(&f->uploads, EXPECTED);
    const bool good = drawer_open(options->folder, "incoming", &f->placed_fd, &f->incoming_fd);
    if (!room) errno = ENOMEM;
    if (!room || !good) {
        drawer_why(why, why_size, options->folder);
        files_close(&f);
    }
    return f;
}

void files_close(struct files **self) {
    struct files *f = *self;
    if (!f) return;
    for (size_t i = 0; f->uploads.buckets && i <= f->uploads.mask; i++) {
        for (struct map_node *n = f->uploads.buckets[i], *next; n; n = next) {
            next = n->next;
            if (upload_of(n)->fd >= 0) close(upload_of(n)->fd);
            free(upload_of(n));
        }
    }
    map_free(&f->uploads);
    if (f->incoming_fd >= 0) close(f->incoming_fd);
    if (f->placed_fd >= 0) close(f->placed_fd);
    pthread_mutex_destroy(&f->lock);
    free(f);
    *self = NULL;
}

/* Moves from incoming/ to its place; both folders on disk. */
static enum file_result place(struct files *f, uint64_t id) {
    char name[DRAWER_NAME];
    drawer_name(id, "", name);
    if (renameat(f->incoming_fd, name, f->placed_fd, name) != 0) {
        struct stat st;
        bool there = errno == ENOENT && fstatat(f->placed_fd, name, &st, 0) == 0;
        return there ? FILE_OK : drawer_result();
    }
    bool synced = fsync(f->placed_fd) == 0 && fsync(f->incoming_fd) == 0;
    return synced ? FILE_OK : FILE_FAILED;
}

int64_t files_recover(struct files *f, files_named *named, void *context, char *why,
                      size_t why_size) {
    DIR *dir = drawer_list(f->placed_fd, "incoming");
    int64_t count = 0;
    bool ok = true;
    if (!dir) {
        drawer_why(why, why_size, "files/incoming");
        return -1;
    }
    for (struct dirent *entry; ok && (entry = readdir(dir));) {
        uint64_t id = drawer_id(entry->d_name);
        if (entry->d_name[0] == '.') continue;
        count++;
        int is = id ? named(context, id) : 0;
        if (is > 0) ok = place(f, id) == FILE_OK;
        else if (is == 0) ok = unlinkat(f->incoming_fd, entry->d_name, 0) == 0 || errno == ENOENT;
        if (!ok) drawer_why(why, why_size, entry->d_name);
        if (is >= 0) continue;
        snprintf(why, why_size, "files/incoming/%s: its record cannot be read", entry->d_name);
        ok = false;
    }
    closedir(dir);
    return ok ? count : -1;
}

/* ---- uploads ---- */

/* Call under the lock. */
static struct upload *find_locked(struct files *f, uint64_t id) {
    for (struct map_node *n = map_first(&f->uploads, hash_number(id)); n; n = map_next(n))
        if (upload_of(n)->id == id) return upload_of(n);
    return NULL;
}

static struct upload *find(struct files *f, uint64_t id) {
    pthread_mutex_lock(&f->lock);
    struct upload *found = find_locked(f, id);
    pthread_mutex_unlock(&f->lock);
    return found;
}

static void forget(struct files *f, struct upload *u) {
    pthread_mutex_lock(&f->lock);
    map_remove(&f->uploads, &u->by_id);
    pthread_mutex_unlock(&f->lock);
    if (u->fd >= 0) close(u->fd);
    free(u);
}

static struct upload *reserve(struct files *f, uint64_t id, int64_t now_ms) {
    struct upload *u = calloc(1, sizeof *u);
    if (!u) return NULL;
    u->id = id;
    u->fd = -1;
    u->touched_ms = now_ms;
    pthread_mutex_lock(&f->lock);
    bool room = f->uploads.count < f->options.uploads_max;
    if (room) map_put(&f->uploads, &u->by_id, hash_number(id));
    pthread_mutex_unlock(&f->lock);
    if (room) return u;
    free(u);
    return NULL;
}

/* The upload, which somebody still works on. */
static struct upload *touch(struct files *f, uint64_t id, int64_t now_ms) {
    pthread_mutex_lock(&f->lock);
    struct upload *u = find_locked(f, id);
    if (u) u->touched_ms = now_ms;
    pthread_mutex_unlock(&f->lock);
    return u;
}

enum file_result files_create(struct files *f, uint64_t id, int64_t now_ms) {
    char name[DRAWER_NAME];
    struct stat st;
    assert(id != 0);
    if (find(f, id)) return FILE_EXISTS;
    drawer_name(id, "", name);
    if (fstatat(f->placed_fd, name, &st, 0) == 0) return FILE_EXISTS;
    struct upload *u = reserve(f, id, now_ms);
    if (!u) return FILE_LIMIT;
    int fd = openat(f->incoming_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        enum file_result result = errno == EEXIST ? FILE_EXISTS : drawer_result();
        forget(f, u);
        return result;
    }
    sha256_init(&u->state);
    u->fd = fd;
    return FILE_OK;
}

enum file_result files_append(struct files *f, uint64_t id, uint64_t offset, struct slice bytes,
                              int64_t now_ms) {
    struct upload *u = touch(f, id, now_ms);
    if (!u) return FILE_UNKNOWN;
    if (offset < u->size && bytes.len <= u->size - offset) return FILE_OK;
    if (u->fd < 0 || offset != u->size) return FILE_ORDER;
    if (bytes.len > f->options.file_bytes_max - u->size) return FILE_LARGE;
    if (!drawer_write(u->fd, bytes, u->size)) {
        enum file_result result = drawer_result();
        int error = errno;
        /* Else a part of this append would stay behind the end. */
        if (ftruncate(u->fd, (off_t)u->size) != 0) u->broken = true;
        errno = error;
        return result;
    }
    sha256_update(&u->state, bytes.len, bytes.data);
    u->size += bytes.len;
    if (u->size - u->behind >= FILE_BEHIND_BYTES) {
        /* Only begins it; a disk that fails says so when the upload is sealed. */
        sync_file_range(u->fd, (off_t)u->behind, (off_t)(u->size - u->behind),
                        SYNC_FILE_RANGE_WRITE);
        u->behind = u->size;
    }
    return FILE_OK;
}

enum file_result files_seal(struct files *f, uint64_t id, int64_t now_ms, uint64_t *ret_size,
                            uint8_t ret_hash[FILE_HASH_BYTES]) {
    struct upload *u = touch(f, id, now_ms);
    if (!u) return FILE_UNKNOWN;
    if (u->broken) { errno = EIO; return FILE_FAILED; }
    if (!u->sealed) {
        if (fsync(u->fd) != 0 || fsync(f->incoming_fd) != 0) {
            u->broken = true; /* the next sync would succeed, without the bytes */
            return drawer_result();
        }
        sha256_digest(&u->state, sizeof u->hash, u->hash);
        close(u->fd);
        u->fd = -1;
        pthread_mutex_lock(&f->lock);
        u->sealed = true;
        pthread_mutex_unlock(&f->lock);
    }
    *ret_size = u->size;
    memcpy(ret_hash, u->hash, FILE_HASH_BYTES);
    return FILE_OK;
}

/* Links it from where it is now; a file moves from incoming/ to its place only. */
static enum file_result link_bytes(struct files *f, uint64_t from, const struct upload *u,
                                   struct stat *st) {
    char old[DRAWER_NAME], new[DRAWER_NAME];
    drawer_name(from, "", old);
    drawer_name(u->id, "", new);
    if (linkat(f->incoming_fd, old, f->incoming_fd, new, 0) != 0 &&
        (errno != ENOENT || linkat(f->placed_fd, old, f->incoming_fd, new, 0) != 0))
        return errno == EEXIST ? FILE_EXISTS : drawer_result();
    if (fstatat(f->incoming_fd, new, st, 0) != 0 || fsync(f->incoming_fd) != 0) {
        enum file_result result = drawer_result();
        unlinkat(f->incoming_fd, new, 0);
        return result;
    }
    return FILE_OK;
}

enum file_result files_link(struct files *f, uint64_t from, uint64_t id, int64_t now_ms,
                            const uint8_t *hash, uint64_t *ret_size,
                            uint8_t ret_hash[FILE_HASH_BYTES]) {
    struct stat st;
    assert(id != 0 && id != from);
    const struct upload *source = find(f, from);
    if (source ? !source->sealed : !hash) return FILE_UNKNOWN;
    if (find(f, id) || files_placed(f, id)) return FILE_EXISTS;
    struct upload *u = reserve(f, id, now_ms);
    if (!u) return FILE_LIMIT;
    enum file_result result = link_bytes(f, from, u, &st);
    if (result != FILE_OK) {
        forget(f, u);
        return result;
    }
    memcpy(u->hash, source ? source->hash : hash, FILE_HASH_BYTES);
    pthread_mutex_lock(&f->lock);
    u->size = (uint64_t)st.st_size;
    u->sealed = true;
    pthread_mutex_unlock(&f->lock);
    *ret_size = u->size;
    memcpy(ret_hash, u->hash, FILE_HASH_BYTES);
    return FILE_OK;
}

/* The bytes of an upload that is no longer in the map. */
static enum file_result let_go(struct files *f, struct upload *u) {
    char name[DRAWER_NAME];
    if (u->fd >= 0) close(u->fd);
    bool gone = unlinkat(f->incoming_fd, drawer_name(u->id, "", name), 0) == 0 || errno == ENOENT;
    free(u);
    return gone ? FILE_OK : FILE_FAILED;
}

enum file_result files_drop(struct files *f, uint64_t id) {
    pthread_mutex_lock(&f->lock);
    struct upload *u = find_locked(f, id);
    bool kept = u && (u->named || u->recorded);
    if (u && !kept) map_remove(&f->uploads, &u->by_id);
    pthread_mutex_unlock(&f->lock);
    if (!u) return FILE_UNKNOWN;
    return kept ? FILE_ORDER : let_go(f, u);
}

static bool idle(const struct files *f, const struct upload *u, int64_t now_ms) {
    if (u->recorded || now_ms - u->touched_ms < f->options.idle_ms_max) return false;
    return !u->named || now_ms - u->named_ms >= f->options.named_ms_max;
}

uint32_t files_expire(struct files *f, int64_t now_ms, files_found *dropped, void *context) {
    struct map_node *going = NULL;
    uint32_t count = 0;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i <= f->uploads.mask; i++) {
        for (struct map_node *n = f->uploads.buckets[i], *next; n; n = next) {
            next = n->next;
            if (!idle(f, upload_of(n), now_ms)) continue;
            map_remove(&f->uploads, n);
            n->next = going;
            going = n;
        }
    }
    pthread_mutex_unlock(&f->lock);
    for (struct map_node *n = going, *next; n; n = next, count++) {
        next = n->next;
        uint64_t id = upload_of(n)->id;
        let_go(f, upload_of(n)); /* what cannot be unlinked now, start-up unlinks */
        dropped(context, id);
    }
    return count;
}

/* ---- names ---- */

enum file_result files_name(struct files *f, uint64_t id, int64_t now_ms, uint64_t *ret_size) {
    char name[DRAWER_NAME];
    struct stat st;
    pthread_mutex_lock(&f->lock);
    struct upload *u = find_locked(f, id);
    bool there = u && u->sealed;
    if (there) {
        u->named = true;
        u->named_ms = now_ms;
        *ret_size = u->size;
    }
    pthread_mutex_unlock(&f->lock);
    if (u) return there ? FILE_OK : FILE_UNKNOWN;
    if (fstatat(f->placed_fd, drawer_name(id, "", name), &st, 0) != 0) return drawer_result();
    *ret_size = (uint64_t)st.st_size;
    return FILE_OK;
}

bool files_hash(struct files *f, uint64_t id, uint8_t ret_hash[FILE_HASH_BYTES]) {
    pthread_mutex_lock(&f->lock);
    const struct upload *u = find_locked(f, id);
    bool there = u && u->sealed;
    if (there) memcpy(ret_hash, u->hash, FILE_HASH_BYTES);
    pthread_mutex_unlock(&f->lock);
    return there;
}

bool files_placed(struct files *f, uint64_t id) {
    char name[DRAWER_NAME];
    struct stat st;
    return fstatat(f->placed_fd, drawer_name(id, "", name), &st, 0) == 0;
}

enum file_result files_size(struct files *f, uint64_t id, uint64_t *ret_size) {
    char name[DRAWER_NAME];
    struct stat st;
    if (fstatat(f->placed_fd, drawer_name(id, "", name), &st, 0) != 0) return drawer_result();
    *ret_size = (uint64_t)st.st_size;
    return FILE_OK;
}

void files_unname(struct files *f, uint64_t id, int64_t now_ms) {
    struct upload *u = touch(f, id, now_ms);
    pthread_mutex_lock(&f->lock);
    if (u) u->named = false;
    pthread_mutex_unlock(&f->lock);
}

void files_each_named(struct files *f, files_found *found, void *context) {
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i <= f->uploads.mask; i++)
        for (struct map_node *n = f->uploads.buckets[i]; n; n = n->next)
            if (upload_of(n)->named) found(context, upload_of(n)->id);
    pthread_mutex_unlock(&f->lock);
}

/* ---- placed files ---- */

enum file_result files_place(struct files *f, uint64_t id) {
    pthread_mutex_lock(&f->lock);
    struct upload *u = find_locked(f, id);
    bool growing = u && !u->sealed;
    if (u && !growing) u->recorded = true;
    pthread_mutex_unlock(&f->lock);
    if (growing) return FILE_ORDER;
    enum file_result result = place(f, id);
    if (u && result == FILE_OK) forget(f, u);
    return result;
}

enum file_result files_remove(struct files *f, uint64_t id) {
    char name[DRAWER_NAME];
    struct upload *u = find(f, id);
    enum file_result result = FILE_OK;
    if (unlinkat(f->placed_fd, drawer_name(id, "", name), 0) != 0) result = drawer_result();
    if (u) forget(f, u);
    return unlinkat(f->incoming_fd, name, 0) == 0 ? FILE_OK : result;
}

/* A file that is being placed is in one folder or, a moment later, in the other. */
static int open_to_read(struct files *f, uint64_t id) {
    char name[DRAWER_NAME];
    drawer_name(id, "", name);
    int fd = openat(f->placed_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT) return fd;
    pthread_mutex_lock(&f->lock);
    const struct upload *u = find_locked(f, id);
    bool growing = u && !u->sealed;
    pthread_mutex_unlock(&f->lock);
    if (growing) { errno = ENOENT; return -1; }
    if (u) fd = openat(f->incoming_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fd = openat(f->placed_fd, name, O_RDONLY | O_CLOEXEC);
    return fd;
}

/* How much of `len` bytes from `offset` there is. */
static uint32_t within(uint64_t size, uint64_t offset, uint32_t len) {
    if (len > FILE_READ_MAX) len = FILE_READ_MAX;
    if (offset >= size) return 0;
    return len < size - offset ? len : (uint32_t)(size - offset);
}

enum file_result files_read(struct files *f, uint64_t id, uint64_t offset, uint32_t len,
                            struct buffer *bytes, uint64_t *ret_size) {
    struct stat st;
    int fd = open_to_read(f, id);
    if (fd < 0) return drawer_result();
    bool ok = fstat(fd, &st) == 0;
    len = ok ? within((uint64_t)st.st_size, offset, len) : 0;
    ok = ok && buffer_reserve(bytes, len);
    for (size_t got = 0; ok && got < len;) { /* straight to where it leaves from */
        ssize_t n = pread(fd, bytes->data + bytes->len, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR) continue;
        ok = n >= 0;
        if (n <= 0) break;
        got += (size_t)n;
        bytes->len += (size_t)n;
    }
    int error = errno;
    close(fd);
    errno = error;
    if (!ok) return FILE_FAILED;
    *ret_size = (uint64_t)st.st_size;
    return FILE_OK;
}
