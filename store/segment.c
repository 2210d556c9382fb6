#include "store/segment.h"
#include "store/crc.h"
#include "store/journal.h"
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char magic[8] = {'r', 'e', 'l', 'a', 'i', 's', 'J', '\n'};
enum { ZEROS_BYTES = 1 << 20, SCAN_BYTES = 1 << 20, HEADER_CRC_AT = 60 };

static void put_le64(uint8_t *p, uint64_t v) { v = htole64(v); memcpy(p, &v, 8); }
static void put_le32(uint8_t *p, uint32_t v) { v = htole32(v); memcpy(p, &v, 4); }
static uint64_t get_le64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return le64toh(v); }
static uint32_t get_le32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return le32toh(v); }

static uint64_t aligned(uint64_t len) {
    return (len + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
}

/* All of it or an error; a disk may take a part of a write when it fills up. */
static bool write_all(int fd, struct iovec *parts, int count, uint64_t at) {
    while (count) {
        ssize_t n = pwritev(fd, parts, count, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) { if (n == 0) errno = EIO; return false; }
        at += (uint64_t)n;
        size_t done = (size_t)n;
        while (count && done >= parts->iov_len) { done -= parts->iov_len; parts++; count--; }
        if (count && done) {
            parts->iov_base = (uint8_t *)parts->iov_base + done;
            parts->iov_len -= done;
        }
    }
    return true;
}

/* Reads up to len bytes; fewer at the end of the file. */
static ssize_t read_some(int fd, void *data, size_t len, uint64_t at) {
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(fd, (uint8_t *)data + got, len - got, (off_t)(at + got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static bool fill_with_zeros(int fd, uint64_t size) {
    int error = posix_fallocate(fd, 0, (off_t)size);
    if (error && error != EOPNOTSUPP && error != EINVAL) { errno = error; return false; }
    uint8_t *zeros = calloc(1, ZEROS_BYTES);
    if (!zeros) return false;
    bool ok = true;
    for (uint64_t at = 0; ok && at < size; at += ZEROS_BYTES) {
        struct iovec part = {zeros, size - at < ZEROS_BYTES ? size - at : ZEROS_BYTES};
        ok = write_all(fd, &part, 1, at);
    }
    free(zeros);
    return ok && fsync(fd) == 0;
}

static struct segment *segment_new(const char *path, int flags) {
    struct segment *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    assert(strlen(path) < sizeof s->path);
    snprintf(s->path, sizeof s->path, "%s", path);
    s->end = SEGMENT_HEADER_BYTES;
    s->fd = open(path, flags | O_CLOEXEC, 0600);
    if (s->fd >= 0) return s;
    int error = errno;
    free(s);
    errno = error;
    return NULL;
}

struct segment *segment_make(const char *path, uint64_t size) {
    struct segment *s = segment_new(path, O_RDWR | O_CREAT | O_EXCL);
    if (!s) return NULL;
    s->size = size;
    if (fill_with_zeros(s->fd, size)) return s;
    int error = errno;
    unlink(path);
    segment_close(&s);
    errno = error;
    return NULL;
}

void segment_close(struct segment **self) {
    if (!*self) return;
    close((*self)->fd);
    free(*self);
    *self = NULL;
}

static void header_encode(const struct segment *s, uint8_t *p) {
    memset(p, 0, SEGMENT_HEADER_BYTES);
    memcpy(p, magic, sizeof magic);
    put_le32(p + 8, SEGMENT_VERSION);
    put_le64(p + 16, s->header.sequence);
    put_le64(p + 24, s->header.incarnation);
    put_le64(p + 32, s->header.first_group);
    put_le64(p + 40, s->header.replay_from);
    put_le64(p + 48, s->header.before_end);
    put_le32(p + HEADER_CRC_AT, crc32c(0, p, HEADER_CRC_AT));
}

static bool header_decode(struct segment *s, const uint8_t *p) {
    if (memcmp(p, magic, sizeof magic) != 0 || get_le32(p + 8) != SEGMENT_VERSION) return false;
    if (get_le32(p + HEADER_CRC_AT) != crc32c(0, p, HEADER_CRC_AT)) return false;
    s->header = (struct segment_header){get_le64(p + 16), get_le64(p + 24), get_le64(p + 32),
                                        get_le64(p + 40), get_le64(p + 48)};
    return s->header.sequence > 0;
}

struct segment *segment_open(const char *path, bool read_only) {
    struct segment *s = segment_new(path, read_only ? O_RDONLY : O_RDWR);
    uint8_t header[64];
    struct stat st;
    if (!s) return NULL;
    if (fstat(s->fd, &st) == 0) {
        s->size = (uint64_t)st.st_size;
        ssize_t n = read_some(s->fd, header, sizeof header, 0);
        if (n >= 0) {
            s->used = n == sizeof header && header_decode(s, header);
            return s;
        }
    }
    int error = errno;
    segment_close(&s);
    errno = error;
    return NULL;
}

static void frame_encode(uint8_t *p, const struct frame_header *f) {
    put_le32(p, f->len);
    put_le32(p + 4, f->crc);
    put_le64(p + 8, f->group);
    put_le64(p + 16, f->incarnation);
}

static struct frame_header frame_decode(const uint8_t *p) {
    return (struct frame_header){get_le32(p), get_le32(p + 4), get_le64(p + 8), get_le64(p + 16)};
}

/* Over everything in the frame but the crc itself. */
static uint32_t frame_crc(const struct frame_header *f, const void *records) {
    uint8_t head[20];
    put_le32(head, f->len);
    put_le64(head + 4, f->group);
    put_le64(head + 12, f->incarnation);
    return crc32c(crc32c(0, head, sizeof head), records, f->len);
}

bool segment_append(struct segment *s, uint64_t group, struct slice records) {
    static const uint8_t padding[FRAME_ALIGN];
    uint8_t header[SEGMENT_HEADER_BYTES], head[FRAME_HEADER_BYTES];
    bool first = s->end == SEGMENT_HEADER_BYTES;
    struct frame_header f = {records.len, 0, group, s->header.incarnation};
    uint64_t frame_bytes = aligned(FRAME_HEADER_BYTES + (uint64_t)records.len);
    assert(s->end + frame_bytes <= s->size && group > s->newest);
    f.crc = frame_crc(&f, records.data);
    frame_encode(head, &f);
    if (first) header_encode(s, header);
    struct iovec parts[4] = {
        {header, SEGMENT_HEADER_BYTES},
        {head, FRAME_HEADER_BYTES},
        {(void *)(uintptr_t)records.data, records.len},
        {(void *)(uintptr_t)padding, frame_bytes - FRAME_HEADER_BYTES - records.len},
    };
    bool written = first ? write_all(s->fd, parts, 4, 0) : write_all(s->fd, parts + 1, 3, s->end);
    if (!written || fdatasync(s->fd) != 0) return false;
    s->used = true;
    s->newest = group;
    s->newest_at = s->end;
    s->end += frame_bytes;
    return true;
}

static bool rewrite(int fd, uint64_t at, uint64_t len) {
    uint8_t *copy = malloc(len);
    struct iovec part = {copy, len};
    bool ok = copy && read_some(fd, copy, len, at) == (ssize_t)len && write_all(fd, &part, 1, at);
    free(copy);
    return ok;
}

bool segment_settle(struct segment *s) {
    return rewrite(s->fd, 0, SEGMENT_HEADER_BYTES) &&
           (!s->newest || rewrite(s->fd, s->newest_at, s->end - s->newest_at)) &&
           fdatasync(s->fd) == 0;
}

bool segment_erase(struct segment *s) {
    uint8_t zeros[SEGMENT_HEADER_BYTES] = {0};
    struct iovec part = {zeros, sizeof zeros};
    s->used = false;
    return write_all(s->fd, &part, 1, 0) && fdatasync(s->fd) == 0;
}

/* Whether a frame header is one of this segment and newer; says nothing about its records yet. */
static bool plausible(const struct segment *s, const struct frame_header *f, uint64_t at,
                      uint64_t after) {
    if (f->group <= after || f->len > GROUP_BYTES_MAX) return false;
    if (s->used && f->incarnation != s->header.incarnation) return false;
    return at + FRAME_HEADER_BYTES + f->len <= s->size;
}

static bool frame_read(struct segment *s, uint64_t at, uint64_t after, struct frame_header *frame,
                       struct buffer *records) {
    uint8_t head[FRAME_HEADER_BYTES];
    ssize_t n = read_some(s->fd, head, sizeof head, at);
    if (n < 0) s->error = errno;
    if (n != sizeof head) return false;
    struct frame_header f = frame_decode(head);
    if (!plausible(s, &f, at, after)) return false;
    buffer_clear(records);
    if (!buffer_reserve(records, f.len ? f.len : 1)) { s->error = ENOMEM; return false; }
    n = read_some(s->fd, records->data, f.len, at + FRAME_HEADER_BYTES);
    if (n < 0) s->error = errno;
    if (n != (ssize_t)f.len || frame_crc(&f, records->data) != f.crc) return false;
    records->len = f.len;
    *frame = f;
    return true;
}

bool segment_next(struct segment *s, uint64_t after, struct frame_header *frame,
                  struct buffer *records) {
    if (!frame_read(s, s->end, after, frame, records)) return false;
    s->newest = frame->group;
    s->newest_at = s->end;
    s->end += aligned(FRAME_HEADER_BYTES + (uint64_t)frame->len);
    return true;
}

uint64_t segment_find(struct segment *s, uint64_t after) {
    uint8_t *block = malloc(SCAN_BYTES + FRAME_HEADER_BYTES);
    struct buffer records = {0};
    uint64_t found = 0;
    if (!block) s->error = ENOMEM;
    for (uint64_t at = s->end; block && !found && at < s->size; at += SCAN_BYTES) {
        ssize_t n = read_some(s->fd, block, SCAN_BYTES + FRAME_HEADER_BYTES, at);
        if (n < 0) { s->error = errno; break; }
        for (ssize_t i = 0; i + FRAME_HEADER_BYTES <= n && i < SCAN_BYTES; i += FRAME_ALIGN) {
            struct frame_header f = frame_decode(block + i);
            if (!f.crc || !f.incarnation || !plausible(s, &f, at + (uint64_t)i, after)) continue;
            if (!frame_read(s, at + (uint64_t)i, after, &f, &records)) continue;
            found = at + (uint64_t)i;
            break;
        }
    }
    buffer_free(&records);
    free(block);
    return found;
}

uint64_t segment_torn(struct segment *s, uint64_t after) {
    uint8_t head[FRAME_HEADER_BYTES];
    if (read_some(s->fd, head, sizeof head, s->end) != sizeof head) return 0;
    struct frame_header f = frame_decode(head);
    if (f.incarnation != s->header.incarnation || f.group <= after) return 0;
    uint64_t len = aligned(FRAME_HEADER_BYTES + (uint64_t)f.len);
    return s->end + len > s->size ? s->size - s->end : len;
}
