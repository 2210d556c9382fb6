/* claim.h - workers that poll: one CLAIM takes up to `limit` tasks now, or waits for the first.
 *
 * A claim is answered by one TASK item a task; with none, or when limit > 1, an empty TASK closes
 * it. A parked claim ends with the link that brought it. With `again` a worker that holds a
 * delivered, unstarted task is given that one again. */
#ifndef RELAIS_CORE_CLAIM_H
#define RELAIS_CORE_CLAIM_H
#include "broker/core/state.h"

void claim_step(struct core *c, const struct event *e);
/* A parked claim was given its task. */
void claim_given(struct core *c, struct claim_wait *claim);
/* At the end of a step: closes the claims that were given some of several tasks. */
void claim_flush(struct core *c);
/* Its wait is over. */
void claim_timer(struct core *c, struct claim_wait *claim);
/* Forgets it without an answer. */
void claim_drop(struct core *c, struct claim_wait *claim);
/* The same for all of a worker's claims. */
void claim_drop_all(struct core *c, const struct worker *w);
/* UNWATCH of a claim's number; true when there was one. */
bool claim_cancel(struct core *c, struct link *link, uint64_t number);
#endif
