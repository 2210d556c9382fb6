/* submit.h - SUBMIT: a task is born, once per idempotency key. */
#ifndef RELAIS_CORE_SUBMIT_H
#define RELAIS_CORE_SUBMIT_H
#include "broker/core/state.h"

void submit_step(struct core *c, const struct event *e);
/* A task of that lane, sound in all its sizes, not yet in its place; schedule 0 = a client's. */
struct task *submit_task(struct core *c, struct lane *lane, const struct submit *m,
                         struct slice owner, uint64_t schedule);
void submit_place(struct core *c, struct task *t);
#endif
