#include "gateway/strain.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { THROW_BYTES_MAX = 4 << 20, STASH_STEP = 1024 };

struct strainer {
    size_t memory_max;     /* of libmicrohttpd's connections */
    struct strain **by_fd; /* NULL = not ours */
    size_t fd_count;
    struct node broken;
};

static _Thread_local struct strainer *reading; /* libmicrohttpd runs on this thread */

struct strainer *strainer_new(size_t memory_max) {
    struct strainer *s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    s->memory_max = memory_max;
    list_init(&s->broken);
    return s;
}

void strainer_destroy(struct strainer **self) {
    if (*self == NULL) return;
    assert(list_empty(&(*self)->broken));
    free((*self)->by_fd);
    free(*self);
    *self = NULL;
}

void strainer_begin(struct strainer *s) { reading = s; }

void strainer_end(void) { reading = NULL; }

struct node *strainer_broken(struct strainer *s) { return &s->broken; }

void strain_open(struct strainer *s, struct strain *t, int fd) {
    if ((size_t)fd >= s->fd_count) {
        size_t count = ((size_t)fd + 256) / 256 * 256;
        s->by_fd = realloc(s->by_fd, count * sizeof *s->by_fd);
        if (s->by_fd == NULL) abort();
        memset(s->by_fd + s->fd_count, 0, (count - s->fd_count) * sizeof *s->by_fd);
        s->fd_count = count;
    }
    t->fd = fd;
    list_init(&t->in_broken);
    s->by_fd[fd] = t;
}

void strain_close(struct strainer *s, struct strain *t) {
    assert(s->by_fd[t->fd] == t);
    s->by_fd[t->fd] = NULL;
    list_unlink(&t->in_broken);
    buffer_free(&t->stash);
}

struct slice strain_rest(const struct strain *t) {
    return slice_of(t->stash.data + t->sound, t->stash.len - t->sound);
}

/* ---- reading ---- */

static ssize_t throw_away(struct strain *t, uint8_t *to, size_t max) {
    ssize_t n;
    while ((n = recvfrom(t->fd, to, max, 0, NULL, NULL)) > 0) {
        t->thrown += (uint64_t)n;
        if (t->thrown > THROW_BYTES_MAX) return 0;
    }
    return n;
}

void strain_throw(struct strain *t) {
    uint8_t scrap[4096];
    t->throwing = true;
    t->sound = 0;
    buffer_free(&t->stash);
    list_unlink(&t->in_broken);
    throw_away(t, scrap, sizeof scrap);
}

/* Gives what is sound of the stash. */
static size_t stash_give(struct strain *t, uint8_t *to, size_t max) {
    struct buffer *b = &t->stash;
    size_t n = t->sound < max ? t->sound : max;
    if (n == 0) return 0;
    memcpy(to, b->data, n);
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    t->sound -= n;
    if (b->len == 0) buffer_free(b);
    return n;
}

static void stash_keep(struct strain *t, const uint8_t *data, size_t len) {
    buffer_append(&t->stash, data, len);
    if (t->stash.failed) abort();
}

/* Reads behind the head that is not whole. */
static ssize_t stash_read(struct strainer *s, struct strain *t, bool *ret_short) {
    struct buffer *b = &t->stash;
    assert(t->sound == 0);
    if (!buffer_reserve(b, STASH_STEP)) abort();
    size_t room = b->cap - b->len;
    ssize_t n = recvfrom(t->fd, b->data + b->len, room, 0, NULL, NULL);
    if (n <= 0) return n;
    *ret_short = (size_t)n < room;
    b->len += (size_t)n;
    t->sound = wire_scan(&t->wire, s->memory_max, b->data, b->len);
    return n;
}

/* Reads to where libmicrohttpd wants it. *ret_sound: how much of that may stay there. */
static ssize_t direct_read(struct strainer *s, struct strain *t, uint8_t *to, size_t max,
                           size_t *ret_sound, bool *ret_short) {
    ssize_t n = recvfrom(t->fd, to, max, 0, NULL, NULL);
    if (n <= 0) return n;
    *ret_short = (size_t)n < max;
    *ret_sound = wire_scan(&t->wire, s->memory_max, to, (size_t)n);
    if (*ret_sound < (size_t)n) stash_keep(t, to + *ret_sound, (size_t)n - *ret_sound);
    return n;
}

/* Until `to` is full, or the socket empty, or nothing may pass. */
static ssize_t strained(struct strainer *s, struct strain *t, uint8_t *to, size_t max) {
    size_t got = stash_give(t, to, max), sound = 0;
    ssize_t n = -1;
    bool is_short = false;
    errno = EAGAIN;
    while (got < max && t->wire.state < WIRE_UPGRADED && !is_short) {
        if (t->stash.len == 0) {
            n = direct_read(s, t, to + got, max - got, &sound, &is_short);
            if (n <= 0) break;
            got += sound;
        } else {
            n = stash_read(s, t, &is_short);
            if (n <= 0) break;
            got += stash_give(t, to + got, max - got);
        }
    }
    if (t->wire.state == WIRE_BROKEN && list_empty(&t->in_broken)) {
        list_push(&s->broken, &t->in_broken);
    }
    if (got > 0) return (ssize_t)got;
    if (n <= 0 && t->wire.state < WIRE_UPGRADED && !is_short) return n;
    errno = EAGAIN;
    return -1;
}

/* libmicrohttpd's reads, and every other library's. */
ssize_t recv(int fd, void *to, size_t max, int flags) {
    struct strainer *s = reading;
    bool known = s != NULL && flags == 0 && fd >= 0 && (size_t)fd < s->fd_count;
    struct strain *t = known ? s->by_fd[fd] : NULL;
    if (t == NULL) return recvfrom(fd, to, max, flags, NULL, NULL);
    return t->throwing ? throw_away(t, to, max) : strained(s, t, to, max);
}
