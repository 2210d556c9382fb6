/* roll.h - rows of WORKERS: who is there now.
 *
 *   worker  [name, brand, http, online, slots, held, started, heard_ms, queues, tasks]
 *   task    [id, type, started_ms]     one behind the other in a worker's `tasks`
 *
 * Readers are bounded; slices are borrowed; more elements than these are passed over. Pure. */
#ifndef RELAIS_PROTO_ROLL_H
#define RELAIS_PROTO_ROLL_H
#include "proto/base/bytes.h"
#include <stdbool.h>
#include <stdint.h>

enum { ROLL_TASKS_MAX = 8, ROLL_ROWS_MAX = 4000 };

struct roll_row {
    struct slice name, queues; /* queues: comma between, "*" = all */
    uint32_t brand, slots;     /* brand 0 = serves all */
    uint32_t held, started;    /* tasks of the asker's brand */
    int64_t heard_ms;
    bool http, online;
    struct slice tasks;
};
struct roll_task { uint64_t id; struct slice type; int64_t started_ms; };

void roll_row_put(struct buffer *b, const struct roll_row *row);
void roll_task_put(struct buffer *b, const struct roll_task *task);
/* The next of several; *at starts at 0. False at the end or at the first that is malformed. */
bool roll_row_next(struct slice rows, uint32_t *at, struct roll_row *ret);
bool roll_task_next(struct slice tasks, uint32_t *at, struct roll_task *ret);
#endif
