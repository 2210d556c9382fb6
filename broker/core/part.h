/* part.h - results that come while a task runs: its parts (LOG with level LOG_PART).
 *
 * A part is durable when it is answered, fenced by the lease, and numbered from 1 over all attempts
 * of the task: a number that is there already is answered OK and changes nothing, so whoever goes
 * on after another may say again what it is not sure of; one that leaves a gap is CONFLICT.
 *
 * A running task holds its newest parts in memory, PARTS_HELD_BYTES at most and limit
 * parts_held_max together; older ones are read by range (NEED_TASK with seq). What a view shows has
 * no gap: it ends where memory and the load do not meet, and whoever wants more asks on from there.
 *
 * Limits: parts_max a task, part_bytes_max a part, PARTS_SHOWN_BYTES of one view. */
#ifndef RELAIS_CORE_PART_H
#define RELAIS_CORE_PART_H
#include "broker/core/state.h"

enum { PARTS_HELD_BYTES = 64 << 10, PARTS_SHOWN_BYTES = 64 << 10 };

/* A LOG of level LOG_PART; OK, or why it is not taken. */
enum code part_take(struct core *c, const struct report *r, struct lease *l);
/* True when memory holds every part after number `after`. */
bool part_held(const struct task *t, uint32_t after);
/* The view's parts after number `after`; `loaded` may be NULL. */
void part_show(struct core *c, struct view *v, const struct task *t, const struct event *loaded,
               uint32_t after);
void part_free(struct core *c, struct task *t);
#endif
