/* upload.c - see upload.h. */
#include "broker/upload.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void path_in(char *path, const char *data, uint64_t id) {
    snprintf(path, UPLOAD_PATH_MAX, "%s/files/incoming/%" PRIu64, data, id);
}

static void path_of(char *path, const char *data, uint64_t id) {
    snprintf(path, UPLOAD_PATH_MAX, "%s/files/%" PRIu64, data, id);
}

static int folder_sync(const char *data, const char *name) {
    char path[UPLOAD_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", data, name);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    const int bad = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return bad;
}

int upload_folders_make(const char *data) {
    static const char *const names[] = {"files", "files/incoming"};
    char path[UPLOAD_PATH_MAX];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", data, names[i]);
        if (mkdir(path, 0700) != 0 && errno != EEXIST) return errno;
    }
    return 0;
}

int upload_begin(struct upload_file *u, const char *data, uint64_t id) {
    char path[UPLOAD_PATH_MAX];
    path_of(path, data, id);
    if (access(path, F_OK) == 0) return EEXIST;
    path_in(path, data, id);
    *u = (struct upload_file){.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (u->fd < 0) return errno;
    crypto_hash_sha256_init(&u->state);
    return 0;
}

int upload_append(struct upload_file *u, struct slice bytes) {
    assert(u->fd >= 0);
    size_t done = 0;
    while (done < bytes.len) {
        const ssize_t n = pwrite(u->fd, bytes.data + done, bytes.len - done,
                                 (off_t)(u->size + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n == 0 ? EIO : errno;
        done += (size_t)n;
    }
    crypto_hash_sha256_update(&u->state, bytes.data, bytes.len);
    u->size += bytes.len;
    if (u->size - u->behind >= WRITE_BEHIND) { /* so that sealing has little left to wait for */
        sync_file_range(u->fd, (off_t)u->behind, (off_t)(u->size - u->behind),
                        SYNC_FILE_RANGE_WRITE);
        u->behind = u->size;
    }
    return 0;
}

int upload_seal(struct upload_file *u) {
    assert(u->fd >= 0);
    if (fsync(u->fd) != 0) return errno;
    crypto_hash_sha256_final(&u->state, u->hash);
    close(u->fd);
    u->fd = -1;
    return 0;
}

void upload_end(struct upload_file *u, const char *data, uint64_t id, bool drop) {
    if (u->fd >= 0) close(u->fd);
    u->fd = -1;
    if (!drop) return;
    char path[UPLOAD_PATH_MAX];
    path_in(path, data, id);
    unlink(path);
}

int upload_place(const char *data, uint64_t id) {
    char from[UPLOAD_PATH_MAX], to[UPLOAD_PATH_MAX];
    path_in(from, data, id);
    path_of(to, data, id);
    if (rename(from, to) != 0) return errno == ENOENT && access(to, F_OK) == 0 ? 0 : errno;
    const int bad = folder_sync(data, "files");
    return bad != 0 ? bad : folder_sync(data, "files/incoming");
}

int upload_remove(const char *data, uint64_t id) {
    char path[UPLOAD_PATH_MAX];
    path_of(path, data, id);
    const int bad = unlink(path) == 0 ? 0 : errno;
    path_in(path, data, id);
    return unlink(path) == 0 ? 0 : bad;
}

int upload_open(const char *data, uint64_t id, uint64_t *size) {
    char path[UPLOAD_PATH_MAX];
    struct stat st;
    path_of(path, data, id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        path_in(path, data, id);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0) return -1;
    if (fstat(fd, &st) != 0) {
        close(fd);
        return -1;
    }
    *size = (uint64_t)st.st_size;
    return fd;
}

int upload_scan(const char *data, upload_found *found, void *context) {
    char path[UPLOAD_PATH_MAX];
    snprintf(path, sizeof path, "%s/files/incoming", data);
    DIR *dir = opendir(path);
    if (dir == NULL) return errno;
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        char *end = NULL;
        if (d->d_name[0] < '0' || d->d_name[0] > '9') continue;
        const uint64_t id = strtoull(d->d_name, &end, 10);
        if (*end == 0) found(context, id);
    }
    closedir(dir);
    return 0;
}
