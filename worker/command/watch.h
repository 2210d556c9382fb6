/* watch.h - what a server does while it is loaded: the most memory it had, and how far behind its
 * newest group its table was at most.
 *
 * A thread with a connection of its own looks every 50 ms. How far behind is told from above: of
 * the oldest group that the table has not taken, the last look before it was there counts. Only
 * for a server of the bench's own, whose groups are all of this run. */
#ifndef RELAIS_WORKER_COMMAND_WATCH_H
#define RELAIS_WORKER_COMMAND_WATCH_H
#include "worker/command/bench.h"
#include <pthread.h>
#include <stdatomic.h>

enum { WATCH_LOOKS = 4096 }; /* the newest, 200 s */

struct watch {
    const struct bench *b;
    struct relais_client *client; /* owned */
    pthread_t thread;
    atomic_bool ending;
    bool failed;
    double rss_peak_mb, behind_max_s;
    struct watch_look { int64_t at_us; uint64_t groups; } looks[WATCH_LOOKS];
    uint64_t count, oldest; /* looks so far; the first that may still tell something */
};

/* Begins to look. False when that failed; the cause has been said. */
bool watch_open(struct watch *w, const struct bench *b);
/* Ends it; false when it could not look at some time. */
bool watch_close(struct watch *w);
#endif
