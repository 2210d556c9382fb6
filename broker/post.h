/* post.h - letters between the threads of the broker process.
 *
 * A post is a queue with many senders and one taker. Letters are intrusive and pass from the
 * sender to the taker with everything in them. Bounds are the senders' duty: each kind of letter
 * has a limit of its own (questions, loads, file jobs), stated where it is sent.
 *
 * A taker that sleeps in poll() is woken through a `wake`: an eventfd that costs a system call
 * only when the taker is really asleep. A taker that does nothing else waits in post_wait. */
#ifndef RELAIS_BROKER_POST_H
#define RELAIS_BROKER_POST_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct wake {
    int fd; /* readable when rung; owned */
    atomic_bool asleep;
};

/* False when no descriptor can be had. */
bool wake_open(struct wake *w);
void wake_close(struct wake *w);
/* Any thread: makes the sleeper look. What it shall see must be written before. */
void wake_ring(struct wake *w);
/* The sleeper, around its poll(): after wake_sleep it must look once more at all it waits for;
 * wake_up is told whether poll() found fd readable. */
void wake_sleep(struct wake *w);
void wake_up(struct wake *w, bool readable);

struct letter { struct letter *next; };

struct post {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct letter *first, **last;
    struct wake *wake; /* borrowed; NULL when the taker uses post_wait */
    atomic_uint count; /* letters in it */
    bool closed;
};

void post_open(struct post *p, struct wake *wake);
/* The letters still in it stay the caller's: take them first. */
void post_free(struct post *p);
void post_put(struct post *p, struct letter *letter);
/* All letters, oldest first, or NULL; never waits. */
struct letter *post_take_all(struct post *p);
/* One letter; waits up to timeout_ms (-1 = for ever). NULL at the time-out or once closed. */
struct letter *post_wait(struct post *p, int64_t timeout_ms);
/* Ends every wait, now and later. */
void post_close(struct post *p);
static inline bool post_empty(struct post *p) { return atomic_load(&p->count) == 0; }
#endif
