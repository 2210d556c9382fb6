/* hold.h - what a worker says it still holds when it says HELLO, and what becomes of it.
 *
 * KEEP when the lease is still its own, or when a restart of the broker took the record of its
 * grant back; SETTLED when this very attempt has already ended the task; STOP in all other cases.
 * What we believed it held and it does not name has ended with an answer that was lost: it goes
 * back to the queue. */
#ifndef RELAIS_CORE_HOLD_H
#define RELAIS_CORE_HOLD_H
#include "broker/core/state.h"

/* True when every held task is in memory or known to be absent; else the HELLO is parked. */
bool hold_ready(struct core *c, const struct event *e);
/* Packs one verdict per held task, in order. */
void hold_judge(struct core *c, const struct event *e, struct worker *w, struct buffer *verdicts);
#endif
