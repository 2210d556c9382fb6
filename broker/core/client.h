/* client.h - what clients do to tasks that exist: read, wait, cancel, retry, change, delete. */
#ifndef RELAIS_CORE_CLIENT_H
#define RELAIS_CORE_CLIENT_H
#include "broker/core/state.h"

/* GET WATCH CANCEL RETRY UPDATE REMOVE EXPLAIN */
void client_step(struct core *c, const struct event *e);
void client_unwatch(struct core *c, const struct event *e);
#endif
