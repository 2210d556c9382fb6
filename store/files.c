#include "store/files.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 24 };

struct upload {
    uint64_t id; /* 0 = free */
    int fd;      /* -1 once sealed */
    uint64_t size;
    int64_t touched_ms;
    crypto_hash_sha256_state state;
    uint8_t hash[FILE_HASH_BYTES]; /* once sealed */
};

struct files {
    struct files_options options;
    int placed_fd, incoming_fd; /* folders */
    pthread_mutex_t lock;       /* the uploads: which there are; each one is its caller's */
    struct upload *uploads;     /* options.uploads_max of them */
};

static bool fail(char *why, size_t why_size, const char *path) {
    snprintf(why, why_size, "%s: %s", path, strerror(errno));
    return false;
}

static const char *name_of(uint64_t id, char name[NAME_BYTES]) {
    snprintf(name, NAME_BYTES, "%" PRIu64, id);
    return name;
}

/* The id a file name spells, 0 when it spells none. */
static uint64_t id_of(const char *name) {
    char again[NAME_BYTES];
    uint64_t id = strtoull(name, NULL, 10);
    return strcmp(name_of(id, again), name) == 0 ? id : 0;
}

static enum file_result result_of_errno(void) {
    return errno == ENOENT                      ? FILE_UNKNOWN
           : errno == ENOSPC || errno == EDQUOT ? FILE_FULL
                                                : FILE_FAILED;
}

/* ---- life ---- */

static int folder_open(int at, const char *path) {
    if (mkdirat(at, path, 0700) != 0 && errno != EEXIST) return -1;
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct files *files_open(const struct files_options *options, char *why, size_t why_size) {
    struct files *f = calloc(1, sizeof *f);
    assert(options->uploads_max > 0 && options->file_bytes_max > 0);
    if (!f || sodium_init() < 0) {
        errno = ENOMEM;
        fail(why, why_size, options->folder);
        free(f);
        return NULL;
    }
    f->options = *options;
    f->placed_fd = f->incoming_fd = -1;
    pthread_mutex_init(&f->lock, NULL);
    f->uploads = calloc(options->uploads_max, sizeof *f->uploads);
    int folder = folder_open(AT_FDCWD, options->folder);
    if (folder >= 0) f->placed_fd = folder_open(folder, "files");
    if (f->placed_fd >= 0) f->incoming_fd = folder_open(f->placed_fd, "incoming");
    if (!f->uploads || f->incoming_fd < 0) {
        fail(why, why_size, options->folder);
        files_close(&f);
    }
    if (folder >= 0) close(folder);
    return f;
}

void files_close(struct files **self) {
    struct files *f = *self;
    if (!f) return;
    for (uint32_t i = 0; f->uploads && i < f->options.uploads_max; i++)
        if (f->uploads[i].id && f->uploads[i].fd >= 0) close(f->uploads[i].fd);
    if (f->incoming_fd >= 0) close(f->incoming_fd);
    if (f->placed_fd >= 0) close(f->placed_fd);
    pthread_mutex_destroy(&f->lock);
    free(f->uploads);
    free(f);
    *self = NULL;
}

/* Moves from incoming/ to its place; both folders on disk. */
static enum file_result place(struct files *f, uint64_t id) {
    char name[NAME_BYTES];
    name_of(id, name);
    if (renameat(f->incoming_fd, name, f->placed_fd, name) != 0) {
        struct stat st;
        bool there = errno == ENOENT && fstatat(f->placed_fd, name, &st, 0) == 0;
        return there ? FILE_OK : result_of_errno();
    }
    bool synced = fsync(f->placed_fd) == 0 && fsync(f->incoming_fd) == 0;
    return synced ? FILE_OK : FILE_FAILED;
}

int64_t files_recover(struct files *f, files_named *named, void *context, char *why,
                      size_t why_size) {
    int fd = openat(f->placed_fd, "incoming", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    int64_t count = 0;
    bool ok = true;
    if (!dir) {
        fail(why, why_size, "files/incoming");
        if (fd >= 0) close(fd);
        return -1;
    }
    for (struct dirent *entry; ok && (entry = readdir(dir));) {
        uint64_t id = id_of(entry->d_name);
        if (entry->d_name[0] == '.') continue;
        count++;
        if (id && named(context, id)) ok = place(f, id) == FILE_OK;
        else ok = unlinkat(f->incoming_fd, entry->d_name, 0) == 0 || errno == ENOENT;
        if (!ok) fail(why, why_size, entry->d_name);
    }
    closedir(dir);
    return ok ? count : -1;
}

/* ---- uploads ---- */

static struct upload *find(struct files *f, uint64_t id) {
    struct upload *found = NULL;
    pthread_mutex_lock(&f->lock);
    for (uint32_t i = 0; id && !found && i < f->options.uploads_max; i++)
        if (f->uploads[i].id == id) found = &f->uploads[i];
    pthread_mutex_unlock(&f->lock);
    return found;
}

/* True while an upload still grows. */
static bool growing(struct files *f, uint64_t id) {
    bool open = false;
    pthread_mutex_lock(&f->lock);
    for (uint32_t i = 0; id && i < f->options.uploads_max; i++)
        if (f->uploads[i].id == id) open = f->uploads[i].fd >= 0;
    pthread_mutex_unlock(&f->lock);
    return open;
}

static void set_fd(struct files *f, struct upload *u, int fd) {
    pthread_mutex_lock(&f->lock);
    u->fd = fd;
    pthread_mutex_unlock(&f->lock);
}

static void forget(struct files *f, struct upload *u) {
    if (u->fd >= 0) close(u->fd);
    pthread_mutex_lock(&f->lock);
    u->id = 0;
    pthread_mutex_unlock(&f->lock);
}

static struct upload *reserve(struct files *f, uint64_t id, int64_t now_ms) {
    struct upload *free_one = NULL;
    pthread_mutex_lock(&f->lock);
    for (uint32_t i = 0; !free_one && i < f->options.uploads_max; i++)
        if (f->uploads[i].id == 0) free_one = &f->uploads[i];
    if (free_one) *free_one = (struct upload){.id = id, .fd = -1, .touched_ms = now_ms};
    pthread_mutex_unlock(&f->lock);
    return free_one;
}

enum file_result files_create(struct files *f, uint64_t id, int64_t now_ms) {
    char name[NAME_BYTES];
    struct stat st;
    assert(id != 0);
    if (find(f, id)) return FILE_EXISTS;
    name_of(id, name);
    if (fstatat(f->placed_fd, name, &st, 0) == 0) return FILE_EXISTS;
    struct upload *u = reserve(f, id, now_ms);
    if (!u) return FILE_LIMIT;
    int fd = openat(f->incoming_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        enum file_result result = errno == EEXIST ? FILE_EXISTS : result_of_errno();
        forget(f, u);
        return result;
    }
    crypto_hash_sha256_init(&u->state);
    set_fd(f, u, fd);
    return FILE_OK;
}

static bool write_all(int fd, const uint8_t *data, size_t len, uint64_t at) {
    while (len) {
        ssize_t n = pwrite(fd, data, len, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) { if (n == 0) errno = EIO; return false; }
        data += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

enum file_result files_append(struct files *f, uint64_t id, uint64_t offset, struct slice bytes,
                              int64_t now_ms) {
    struct upload *u = find(f, id);
    if (!u) return FILE_UNKNOWN;
    if (u->fd < 0 || offset != u->size) return FILE_ORDER;
    if (bytes.len > f->options.file_bytes_max - u->size) return FILE_LARGE;
    u->touched_ms = now_ms;
    if (!write_all(u->fd, bytes.data, bytes.len, u->size)) {
        enum file_result result = result_of_errno();
        /* A later append overwrites what a part of this one left behind the end. */
        return ftruncate(u->fd, (off_t)u->size) == 0 ? result : FILE_FAILED;
    }
    crypto_hash_sha256_update(&u->state, bytes.data, bytes.len);
    u->size += bytes.len;
    return FILE_OK;
}

enum file_result files_seal(struct files *f, uint64_t id, int64_t now_ms, uint64_t *ret_size,
                            uint8_t ret_hash[FILE_HASH_BYTES]) {
    struct upload *u = find(f, id);
    if (!u) return FILE_UNKNOWN;
    u->touched_ms = now_ms;
    if (u->fd >= 0) {
        if (fsync(u->fd) != 0 || fsync(f->incoming_fd) != 0) return result_of_errno();
        crypto_hash_sha256_final(&u->state, u->hash);
        close(u->fd);
        set_fd(f, u, -1);
    }
    *ret_size = u->size;
    memcpy(ret_hash, u->hash, FILE_HASH_BYTES);
    return FILE_OK;
}

enum file_result files_drop(struct files *f, uint64_t id) {
    char name[NAME_BYTES];
    struct upload *u = find(f, id);
    if (!u) return FILE_UNKNOWN;
    bool gone = unlinkat(f->incoming_fd, name_of(id, name), 0) == 0 || errno == ENOENT;
    forget(f, u);
    return gone ? FILE_OK : FILE_FAILED;
}

uint32_t files_expire(struct files *f, int64_t now_ms) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->options.uploads_max; i++) {
        const struct upload *u = &f->uploads[i];
        if (!u->id || now_ms - u->touched_ms < f->options.idle_ms_max) continue;
        count += files_drop(f, u->id) == FILE_OK;
    }
    return count;
}

/* ---- placed files ---- */

enum file_result files_place(struct files *f, uint64_t id) {
    struct upload *u = find(f, id);
    if (u && u->fd >= 0) return FILE_ORDER;
    enum file_result result = place(f, id);
    if (u && result == FILE_OK) forget(f, u);
    return result;
}

enum file_result files_remove(struct files *f, uint64_t id) {
    char name[NAME_BYTES];
    return unlinkat(f->placed_fd, name_of(id, name), 0) == 0 ? FILE_OK : result_of_errno();
}

/* A file that is being placed is in one folder or, a moment later, in the other. */
static int open_to_read(struct files *f, uint64_t id) {
    char name[NAME_BYTES];
    name_of(id, name);
    int fd = openat(f->placed_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT) return fd;
    if (growing(f, id)) { errno = ENOENT; return -1; }
    if (find(f, id)) fd = openat(f->incoming_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fd = openat(f->placed_fd, name, O_RDONLY | O_CLOEXEC);
    return fd;
}

enum file_result files_read(struct files *f, uint64_t id, uint64_t offset, uint32_t len,
                            struct buffer *bytes, uint64_t *ret_size) {
    struct stat st;
    int fd = open_to_read(f, id);
    if (fd < 0) return result_of_errno();
    if (len > FILE_READ_MAX) len = FILE_READ_MAX;
    bool ok = fstat(fd, &st) == 0 && buffer_reserve(bytes, len);
    size_t got = 0;
    while (ok && got < len && offset <= INT64_MAX - FILE_READ_MAX) {
        ssize_t n = pread(fd, bytes->data + bytes->len, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR) continue;
        ok = n >= 0;
        if (n <= 0) break;
        got += (size_t)n;
        bytes->len += (size_t)n;
    }
    close(fd);
    if (!ok) return FILE_FAILED;
    *ret_size = (uint64_t)st.st_size;
    return FILE_OK;
}
