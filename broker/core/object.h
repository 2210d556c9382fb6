/* object.h - everything that has no behaviour in time: created, put, read and dropped by name. */
#ifndef RELAIS_CORE_OBJECT_H
#define RELAIS_CORE_OBJECT_H
#include "broker/core/state.h"

/* PUT FETCH DROP */
void object_step(struct core *c, const struct event *e);
#endif
