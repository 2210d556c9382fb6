/* roll.h - WORKERS: which workers are there now, as far as a brand may know.
 *
 * A brand sees its own workers and those that serve all brands; of what they hold it sees its own
 * tasks only. Workers of the house's own queues are not shown. An HTTP worker is there while it
 * holds a task or waits in a CLAIM. */
#ifndef RELAIS_CORE_ROLL_H
#define RELAIS_CORE_ROLL_H
#include "broker/core/state.h"

/* WORKERS */
void roll_step(struct core *c, const struct event *e);
#endif
