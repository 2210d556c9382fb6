/* stock.h - many tasks of several brands, made over HTTP, and what is known of each.
 *
 * Everything about a task but its number (id, task_id, created_at: the server's) follows from
 * its place in the stock, so that any list can be reckoned here and compared with the answer.
 * Most are run by whoever serves the queues `bench0`…; others are claimed over HTTP, where
 * they fail or complete at a price; the rest waits, is for later, or is cancelled. */
#ifndef RELAIS_WORKER_COMMAND_STOCK_H
#define RELAIS_WORKER_COMMAND_STOCK_H
#include "worker/command/bench.h"
#include "worker/command/web.h"

enum { STOCK_BRANDS = 4, STOCK_TYPES = 5, STOCK_QUEUES = 4, STOCK_TEXT_MAX = 160, STOCK_ID_MAX = 18,
       STOCK_WORDS = 48, STOCK_PAGE = 1000 };

enum stock_end { END_DONE, END_PAID, END_FAILED, END_WAITING, END_LATER, END_DROPPED, END_COUNT };

struct stock_traits {
    uint8_t brand /* 1.. */, type, priority, queue; /* queue: STOCK_QUEUES = none of bench0… */
    enum stock_end end;
};

struct stock_row {
    uint64_t id;
    int64_t created_ms; /* as the server lists it */
    uint32_t number;    /* its place in the stock */
    char text[STOCK_ID_MAX]; /* task_id */
};

struct stock {
    const struct bench *b;
    uint32_t count;
    struct stock_row *rows;               /* owned; by brand, then in the order of ids */
    struct stock_row *of[STOCK_BRANDS + 1]; /* the first of brand i + 1; the end */
    uint32_t done;                        /* so many have the end END_DONE */
    char users[STOCK_BRANDS][SERVER_TOKEN_MAX], workers[STOCK_BRANDS][SERVER_TOKEN_MAX];
    double fill_s;
};

extern const char *const stock_types[STOCK_TYPES], *const stock_priorities[4],
    *const stock_words[STOCK_WORDS];
/* What it is called; queue STOCK_QUEUES + end for those without a number. */
const char *stock_queue(const struct stock_traits *t);
struct stock_traits stock_traits(uint32_t number);
/* Its description. */
void stock_text(uint32_t number, char text[static STOCK_TEXT_MAX]);
double stock_cost(uint32_t number); /* END_PAID: no two alike */
uint64_t stock_random(uint64_t seed);

/* Makes the tokens and the tasks. False when that failed; the cause has been said. */
bool stock_open(struct stock *s, const struct bench *b, uint32_t count);
void stock_close(struct stock *s);
/* Claims and ends those that go over HTTP. */
bool stock_work(struct stock *s);
/* Lists every brand from its oldest task to its newest, and compares: each task is there once, in
 * the order of its making. */
bool stock_inventory(struct stock *s);
#endif
