/* step.h - one message, handed to whoever handles its verb. */
#ifndef RELAIS_CORE_STEP_H
#define RELAIS_CORE_STEP_H
#include "broker/core/state.h"

void step_message(struct core *c, const struct event *e);
#endif
