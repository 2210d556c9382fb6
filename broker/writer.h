/* writer.h - the store thread: it opens the store, and makes one group durable after the other.
 *
 * One job at a time: the broker thread hands over a group when the writer is idle and goes on; the
 * wake rings when it is done. Whoever else reads the store (loader, lists) borrows it for the time
 * of one read; while the store is closed and opened again there is none to borrow.
 *
 * DIAGNOSTICS: a failed append closes the store at once. Nothing is acknowledged from then on;
 * the broker says so, asks for writer_open until that works, and rebuilds the core. */
#ifndef RELAIS_BROKER_WRITER_H
#define RELAIS_BROKER_WRITER_H
#include "broker/post.h"
#include "store/store.h"

enum { WHY_MAX = 512 };

enum writer_job { JOB_NONE = 0, JOB_OPEN = 1, JOB_APPEND = 2 };

struct writer_result {
    enum writer_job job;
    bool good;
    uint64_t group;       /* APPEND: the one that is durable; OPEN: the next one's number */
    uint64_t incarnation; /* OPEN: the newest that any process stored; 0 = a new store */
    char why[WHY_MAX];
};

struct writer;

/* options: borrowed until writer_stop. NULL when no thread can be had. */
struct writer *writer_start(const struct store_options *options, struct wake *wake);
/* Waits for the job under way, then closes the store: whoever waits or asks is told there is none.
 * writer_free comes last, when the readers' threads have ended. */
void writer_stop(struct writer *w);
void writer_free(struct writer **self);
bool writer_idle(const struct writer *w);
/* The jobs; only when idle. Append swaps `records` for an empty buffer. */
void writer_open(struct writer *w);
void writer_append(struct writer *w, struct buffer *records, uint64_t group);
/* Appends in the caller's own thread, without the two wake-ups, and then as above: writer_done has
 * the result at once, or later when it failed, for the store is closed by its thread. Whoever calls
 * hears nothing else meanwhile. */
void writer_append_here(struct writer *w, struct buffer *records, uint64_t group);
/* How long the newest appends took, those of both kinds: about, and at most. */
void writer_pace(const struct writer *w, uint32_t *us, uint32_t *us_max);
/* True when writer_done has something. */
bool writer_news(const struct writer *w);
/* True once per job, when it is done. */
bool writer_done(struct writer *w, struct writer_result *result);

/* For readers on other threads: the store, or NULL while there is none. `opened` numbers its
 * openings: a question about an earlier one is void. Give it back soon. */
struct store *writer_borrow(struct writer *w, uint32_t opened);
void writer_return(struct writer *w);
/* Waits until the group is durable; false when the store was closed since. */
bool writer_await(struct writer *w, uint32_t opened, uint64_t group);
uint32_t writer_opened(const struct writer *w);
/* The broker thread's own questions; 0 and false while there is no store. */
double writer_debt(struct writer *w);
bool writer_disk_full(struct writer *w);
bool writer_stats(struct writer *w, struct store_stats *stats);
#endif
