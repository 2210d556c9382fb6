/* sweep.h - retention: walks the ended tasks in order of id and deletes what is past its keep,
 * SWEEP_COUNT a step, then rests; the same for idempotency keys older than dedup_ms, and for
 * objects whose time has come. */
#ifndef RELAIS_CORE_SWEEP_H
#define RELAIS_CORE_SWEEP_H
#include "broker/core/state.h"

void sweep_timer(struct core *c);
/* EVENT_LOADED of NEED_SWEEP. */
void sweep_loaded(struct core *c, const struct event *e);
#endif
