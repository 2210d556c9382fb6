/* rows.h - one question answered from a view: which records match, and how a row looks.
 *
 * Rows by kind, as msgpack arrays:
 *   tasks        the array of a VIEW without body, result, attempts and log
 *   queues       [brand, queue, paused, running_max, rate_per_min, weight, keep_ms or nil,
 *                [tasks by status, 9 numbers]]
 *   lanes        [lane, brand, queue, type, labels, [tasks by status, 9 numbers],
 *                [by status and priority, 36 numbers]]
 *   workers      [worker, brand, name, boot, http]
 *   objects      see proto/object.h
 *   checkpoints  see proto/checkpoint.h; those of the task `id`, else of the brand, by number
 *   attempts     [epoch, run, attempt, reason, started_ms, ended_ms, worker, message]
 *   log          [line, level, time_ms, text]
 *   tallies      see proto/tally.h
 *
 * Search: every word of it must begin a word of the task's type, queue, owner, extra or payload
 * (the first SEARCH_BYTES of each); letters of ASCII match in either case. */
#ifndef RELAIS_BROKER_ROWS_H
#define RELAIS_BROKER_ROWS_H
#include "proto/base/map.h"
#include "proto/message.h"
#include "store/store.h"

enum { ROWS_BYTES_MAX = 1 << 20 };

struct rows_page {
    const struct question *question; /* brand is the acting one: 0 = all */
    uint8_t role;      /* of who asks: enum role */
    const uint8_t *id_key; /* tickets of files are made with it */
    uint32_t rows_max; /* to look at */
    int64_t end_ms;    /* monotonic: no later than this */
    int64_t wall_ms;   /* objects that ended by then are not there */
    /* filled */
    struct buffer rows, next; /* owned */
    uint32_t count, looked, rounds;
    bool incomplete, total_exact;
    int64_t total;     /* -1 = not asked for */
    enum code code;
};

/* Fills the page. */
void rows_fill(struct rows_page *page, struct store_view *view);
void rows_free(struct rows_page *page);
#endif
