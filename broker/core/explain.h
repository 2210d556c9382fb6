/* explain.h - why a task does not run: every gate on its way, in order, with numbers. */
#ifndef RELAIS_CORE_EXPLAIN_H
#define RELAIS_CORE_EXPLAIN_H
#include "broker/core/state.h"

/* ANSWER to EXPLAIN: lines "gate\tstate\tdetail\n", state open, shut or passed; the first gate
 * that is shut is the one that keeps the task. */
void explain_say(struct core *c, const struct event *e, const struct task *t);
#endif
