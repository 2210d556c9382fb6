/* sweep.h - retention: walks the ended tasks in order of id and deletes what is past its keep,
 * SWEEP_COUNT a step, then rests; the same for idempotency keys older than dedup_ms, and for
 * objects whose time has come. What is bound to a task (bond.h) goes with it; BOND_SWEEP_COUNT
 * tasks a step may have to wait for that to be read. */
#ifndef RELAIS_CORE_SWEEP_H
#define RELAIS_CORE_SWEEP_H
#include "broker/core/state.h"

void sweep_timer(struct core *c);
/* True when an ended task is past its keep. */
bool sweep_expired(const struct core *c, const struct task_head *h);
/* EVENT_LOADED of NEED_SWEEP. */
void sweep_loaded(struct core *c, const struct event *e);
#endif
