#include "worker/descriptor.h"
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

bool descriptor_write(int fd, const void *data, size_t len) {
    const uint8_t *at = data;
    while (len > 0) {
        const ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool descriptor_read(int fd, void *data, size_t len) {
    uint8_t *at = data;
    while (len > 0) {
        const ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

void descriptor_close(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}
