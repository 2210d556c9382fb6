/* load.h - the parts of the load program: producers and workers that write down what they do.
 *
 *   load producer|worker|library --endpoint E --history FILE --board FILE --name NAME --place N
 *        [--queue Q] [--seed N] [--slots N]
 *
 * producer  submits through librelais, each task with an idempotency key of its own
 * worker    speaks frames itself and notes the code of every answer: the checker's best witness
 * library   works through librelais, which knows how to come back
 *
 * A history is one line an operation, `MICROSECONDS word…` on the monotonic clock, which all
 * processes of a machine share. What is about to be said is written down and flushed before it
 * leaves; a line that kill -9 cut off is not counted. The words:
 *
 *   invoke submit KEY             ok submit KEY ID       fail submit KEY CODE
 *   run ID EPOCH ATTEMPT CHECKPOINT                      the task begins here
 *   invoke WHAT ID EPOCH          ok WHAT ID EPOCH CODE [SEQ]
 *                                 WHAT: done, checkpoint, release
 *
 * The board is a small file mapped by all: what was acknowledged and settled, by place, and what
 * the test wishes. Each place has one writer at a time; a successor goes on counting. */
#ifndef RELAIS_TESTS_CRASH_LOAD_H
#define RELAIS_TESTS_CRASH_LOAD_H
#include <stdbool.h>
#include <stdint.h>

enum { PLACES = 64 };

struct board {
    volatile uint64_t submitted[PLACES], settled[PLACES];
    volatile uint64_t level;   /* tasks that are to be in flight; 0 = submit no more */
    volatile uint64_t pace_ms; /* how long a task runs, on average */
    volatile uint64_t end;     /* 1 = leave */
};

struct load {
    const char *role, *endpoint, *name, *queue;
    uint64_t place, seed, slots;
    struct board *board;
    int history;
};

/* One line of history; kept until history_flush, or until the buffer is full. */
__attribute__((format(printf, 2, 3))) void history_add(struct load *l, const char *format, ...);
void history_flush(struct load *l);
uint64_t board_in_flight(const struct board *b);

int produce(struct load *l);
int labour(struct load *l);
int labour_by_library(struct load *l);
#endif
