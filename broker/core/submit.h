/* submit.h - SUBMIT: a task is born, once per idempotency key. */
#ifndef RELAIS_CORE_SUBMIT_H
#define RELAIS_CORE_SUBMIT_H
#include "broker/core/state.h"

void submit_step(struct core *c, const struct event *e);
#endif
