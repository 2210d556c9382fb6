/* lease.h - the right of one worker incarnation to work on a task, until it ends.
 *
 * Each grant has an epoch, a number never used before: the fence. A write counts only while the
 * task's lease has that epoch. A first grant leaves at once; when an earlier grant of the task was
 * not handed back by its holder's own answer, the next leaves only when it is recorded.
 *
 * Native leases live as long as the worker's beats; HTTP leases until lease_ms after the last call
 * that named the task. A run timeout and a progress timeout may end either.
 *
 * A native worker that must stop (cancelled, timed out) keeps a lease without a task until it says
 * so: STOP is repeated, and its slot stays taken. */
#ifndef RELAIS_CORE_LEASE_H
#define RELAIS_CORE_LEASE_H
#include "broker/core/state.h"

/* Grants the queued task, whose body is in memory, to the taker, and says TASK. */
void lease_deliver(struct core *c, struct taker *taker, struct task *t);
/* Says TASK again for an unstarted lease (a claim whose answer was lost). */
void lease_again(struct core *c, struct lease *l, uint32_t peer, uint64_t number);
/* A lease known from a record or re-presented by its worker; no TASK is said. */
struct lease *lease_restore(struct core *c, struct worker *w, struct task *t, uint64_t epoch);
/* The attempt begins: DELIVERED to RUNNING. */
void lease_start(struct core *c, struct lease *l);
void lease_renew(struct core *c, struct lease *l);
/* Takes the lease off the task and the worker and frees it; the task has no place then. */
void lease_end(struct core *c, struct lease *l);
/* The same, but a native worker that still has the work is told to stop. */
void lease_stop(struct core *c, struct lease *l, enum reason reason);
/* The lease of (task, epoch) that only waits for its worker to stop, or NULL. */
struct lease *lease_stopping(const struct worker *w, uint64_t id, uint64_t epoch);
/* Frees a lease that only waits for its worker to stop. */
void lease_forget(struct core *c, struct lease *l);
/* Its timer has come. */
void lease_timer(struct core *c, struct lease *l);
/* Sets the timer to the earliest of its times. */
void lease_arm(struct core *c, struct lease *l);
#endif
