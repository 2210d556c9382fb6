#include "gateway/strain.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THROW_BYTES_MAX = 4 << 20, STASH_STEP = 1024 };

struct strainer {
    size_t memory_max;     /* of libmicrohttpd's connections */
    struct strain **by_fd; /* NULL = not ours */
    size_t fd_count;
    int epoll;             /* libmicrohttpd's; -1 = not known yet */
    struct node broken, due;
};

static _Thread_local struct strainer *reading; /* libmicrohttpd runs on this thread */

struct strainer *strainer_new(size_t memory_max) {
    struct strainer *s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    s->memory_max = memory_max;
    s->epoll = -1;
    list_init(&s->broken);
    list_init(&s->due);
    return s;
}

void strainer_destroy(struct strainer **self) {
    if (*self == NULL) return;
    assert(list_empty(&(*self)->broken) && list_empty(&(*self)->due));
    free((*self)->by_fd);
    free(*self);
    *self = NULL;
}

void strainer_follow(struct strainer *s, int epoll) { s->epoll = epoll; }

void strainer_begin(struct strainer *s) { reading = s; }

void strainer_end(void) { reading = NULL; }

bool strainer_due(const struct strainer *s) { return !list_empty(&s->due); }

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
    t->readable = true; /* for all that is known */
    list_init(&t->in_broken);
    list_init(&t->in_due);
    s->by_fd[fd] = t;
}

void strain_close(struct strainer *s, struct strain *t) {
    assert(s->by_fd[t->fd] == t);
    s->by_fd[t->fd] = NULL;
    list_unlink(&t->in_broken);
    list_unlink(&t->in_due);
    buffer_free(&t->stash);
}

struct slice strain_rest(const struct strain *t) {
    return slice_of(t->stash.data + t->sound, t->stash.len - t->sound);
}

/* ---- events ---- */

static void events_add(struct strainer *s, struct strain *t, uint32_t events) {
    t->events |= events;
    if (t->watcher != NULL && t->events != 0 && list_empty(&t->in_due)) {
        list_push(&s->due, &t->in_due);
    }
}

void strain_ready(struct strainer *s, struct strain *t, uint32_t events) {
    t->hung = t->hung || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    t->readable = t->readable || t->hung || (events & EPOLLIN) != 0;
    events_add(s, t, events & ~(uint32_t)EPOLLRDHUP);
}

static int epoll_change(int epoll, int what, int fd, struct epoll_event *event) {
    return (int)syscall(SYS_epoll_ctl, epoll, what, fd, event);
}

/* libmicrohttpd's changes of its set. A connection that is over leaves it after strain_close. */
int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event) {
    struct strainer *s = reading;
    if (s == NULL || epoll != s->epoll) return epoll_change(epoll, what, fd, event);
    struct strain *t = fd >= 0 && (size_t)fd < s->fd_count ? s->by_fd[fd] : NULL;
    if (what == EPOLL_CTL_DEL) {
        if (t == NULL) epoll_change(epoll, what, fd, event);
        if (t == NULL) return 0;
        t->watcher = NULL;
        list_unlink(&t->in_due);
        return 0;
    }
    if (t == NULL) return epoll_change(epoll, what, fd, event);
    t->watcher = event->data.ptr;
    events_add(s, t, t->readable ? EPOLLIN : 0);
    return 0;
}

/* What is due; when there is nothing, the system is asked for what is not a connection. */
int epoll_wait(int epoll, struct epoll_event *events, int max, int wait_ms) {
    struct strainer *s = reading;
    if (s == NULL || epoll != s->epoll || list_empty(&s->due)) {
        return epoll_pwait(epoll, events, max, wait_ms, NULL);
    }
    int n = 0;
    while (n < max && !list_empty(&s->due)) {
        struct strain *t = owner_of(list_first(&s->due), struct strain, in_due);
        events[n++] = (struct epoll_event){.events = t->events, .data.ptr = t->watcher};
        t->events = 0;
        list_unlink(&t->in_due);
    }
    return n;
}

/* ---- reading ---- */

/* A read that gives less than it might have has emptied the socket; but the end is still there. */
static ssize_t socket_read(struct strain *t, uint8_t *to, size_t max) {
    ssize_t n = -1;
    errno = EAGAIN;
    if (t->readable) n = recvfrom(t->fd, to, max, 0, NULL, NULL);
    if (n < 0 || (n > 0 && (size_t)n < max)) t->readable = t->hung;
    return n;
}

static ssize_t throw_away(struct strain *t, uint8_t *to, size_t max) {
    ssize_t n;
    while ((n = socket_read(t, to, max)) > 0) {
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
    ssize_t n = socket_read(t, b->data + b->len, room);
    if (n <= 0) return n;
    *ret_short = (size_t)n < room;
    b->len += (size_t)n;
    t->sound = wire_scan(&t->wire, s->memory_max, b->data, b->len);
    return n;
}

/* Reads to where libmicrohttpd wants it. *ret_sound: how much of that may stay there. */
static ssize_t direct_read(struct strainer *s, struct strain *t, uint8_t *to, size_t max,
                           size_t *ret_sound, bool *ret_short) {
    ssize_t n = socket_read(t, to, max);
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
    if (is_short && t->hung) events_add(s, t, EPOLLIN); /* it takes a short read for the last */
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
