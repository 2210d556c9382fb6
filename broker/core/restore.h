/* restore.h - a core's first events: what the store holds becomes what the core holds.
 *
 * Read are the numbers, lanes with their counts, queues, workers and every task that a worker
 * may be holding. Those leases live on for the quiet period (HTTP: for their whole lease), in
 * which their workers offer them again. The heads of lanes follow when somebody serves them. */
#ifndef RELAIS_CORE_RESTORE_H
#define RELAIS_CORE_RESTORE_H
#include "broker/core/state.h"

void restore_begin(struct core *c);
void restore_loaded(struct core *c, const struct event *e);
#endif
