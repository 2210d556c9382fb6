#include "store/drawer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int folder_open(int at, const char *path) {
    if (mkdirat(at, path, 0700) != 0 && errno != EEXIST) return -1;
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool drawer_open(const char *data, const char *folder, int *ret_placed, int *ret_folder) {
    const int fd = folder_open(AT_FDCWD, data);
    *ret_placed = *ret_folder = -1;
    if (fd < 0) return false;
    *ret_placed = folder_open(fd, "files");
    if (*ret_placed >= 0) *ret_folder = folder_open(*ret_placed, folder);
    const int error = errno;
    close(fd);
    errno = error;
    return *ret_folder >= 0;
}

DIR *drawer_list(int placed, const char *folder) {
    const int fd = openat(placed, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL && fd >= 0) {
        const int error = errno;
        close(fd);
        errno = error;
    }
    return dir;
}

void drawer_why(char *why, size_t why_size, const char *path) {
    snprintf(why, why_size, "%s: %s", path, strerror(errno));
}

const char *drawer_name(uint64_t id, const char *suffix, char name[static DRAWER_NAME]) {
    snprintf(name, DRAWER_NAME, "%" PRIu64 "%s", id, suffix);
    return name;
}

uint64_t drawer_id(const char *name) {
    char again[DRAWER_NAME];
    const uint64_t id = strtoull(name, NULL, 10);
    return strcmp(drawer_name(id, "", again), name) == 0 ? id : 0;
}

enum file_result drawer_result(void) {
    return errno == ENOENT                      ? FILE_UNKNOWN
           : errno == ENOSPC || errno == EDQUOT ? FILE_FULL
                                                : FILE_FAILED;
}

bool drawer_write(int fd, struct slice bytes, uint64_t at) {
    const uint8_t *data = bytes.data;
    size_t len = bytes.len;
    while (len > 0) {
        const ssize_t n = pwrite(fd, data, len, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n == 0) errno = EIO;
            return false;
        }
        data += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}
