/* post.c - see post.h. */
#include "broker/post.h"
#include <assert.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

bool wake_open(struct wake *w) {
    atomic_init(&w->asleep, false);
    w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return w->fd >= 0;
}

void wake_close(struct wake *w) {
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
}

void wake_ring(struct wake *w) {
    if (!atomic_exchange(&w->asleep, false)) return;
    const uint64_t one = 1;
    const ssize_t written = write(w->fd, &one, sizeof one);
    assert(written == sizeof one || errno == EAGAIN); /* full means it is readable already */
}

void wake_sleep(struct wake *w) { atomic_store(&w->asleep, true); }

void wake_up(struct wake *w, bool readable) {
    atomic_store(&w->asleep, false);
    if (!readable) return; /* a ringer may be about to write: the next poll() returns at once */
    uint64_t rings = 0;
    const ssize_t taken = read(w->fd, &rings, sizeof rings);
    assert(taken == sizeof rings || errno == EAGAIN);
}

void post_open(struct post *p, struct wake *wake) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->filled, &attr);
    pthread_condattr_destroy(&attr);
    p->first = NULL;
    p->last = &p->first;
    p->wake = wake;
    p->closed = false;
    atomic_init(&p->count, 0);
}

void post_free(struct post *p) {
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->filled);
}

void post_put(struct post *p, struct letter *letter) {
    letter->next = NULL;
    pthread_mutex_lock(&p->lock);
    *p->last = letter;
    p->last = &letter->next;
    atomic_fetch_add(&p->count, 1);
    pthread_mutex_unlock(&p->lock);
    if (p->wake == NULL)
        pthread_cond_signal(&p->filled);
    else
        wake_ring(p->wake);
}

struct letter *post_take_all(struct post *p) {
    if (post_empty(p)) return NULL;
    pthread_mutex_lock(&p->lock);
    struct letter *first = p->first;
    p->first = NULL;
    p->last = &p->first;
    atomic_store(&p->count, 0);
    pthread_mutex_unlock(&p->lock);
    return first;
}

static struct timespec deadline_in(int64_t timeout_ms) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

struct letter *post_wait(struct post *p, int64_t timeout_ms) {
    assert(p->wake == NULL);
    const struct timespec at = deadline_in(timeout_ms < 0 ? 0 : timeout_ms);
    int timed_out = 0;
    pthread_mutex_lock(&p->lock);
    while (p->first == NULL && !p->closed && timed_out == 0) {
        if (timeout_ms < 0)
            pthread_cond_wait(&p->filled, &p->lock);
        else
            timed_out = pthread_cond_timedwait(&p->filled, &p->lock, &at);
    }
    struct letter *letter = p->closed ? NULL : p->first;
    if (letter != NULL) {
        p->first = letter->next;
        if (p->first == NULL) p->last = &p->first;
        atomic_fetch_sub(&p->count, 1);
    }
    pthread_mutex_unlock(&p->lock);
    return letter;
}

void post_close(struct post *p) {
    pthread_mutex_lock(&p->lock);
    p->closed = true;
    pthread_mutex_unlock(&p->lock);
    pthread_cond_broadcast(&p->filled);
}
