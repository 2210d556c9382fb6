/* due.h - tasks that wait for a time: delays and retries.
 *
 * Those due before the horizon (one minute ahead, or less when there are very many) are in a heap
 * on the wall clock, all others on disk only; the horizon moves on by loading what comes next. */
#ifndef RELAIS_CORE_DUE_H
#define RELAIS_CORE_DUE_H
#include "broker/core/state.h"

/* A scheduled task in no place. */
void due_put(struct core *c, struct task *t);
void due_take(struct core *c, struct task *t);
/* A far task is written now: the horizon may have passed it while no load could show it. */
void due_written(struct core *c, struct task *t);
/* Queues what is due and looks ahead. */
void due_step(struct core *c);
/* EVENT_LOADED of NEED_DUE. */
void due_loaded(struct core *c, const struct event *e);
/* When due_step has work again, on the core's monotonic clock. */
int64_t due_wake(const struct core *c);
#endif
