/* attempt.h - how an attempt ends and what follows for the task.
 *
 *   failed, timeout   counts against max_retries; next try after a back-off that doubles, +-25 %
 *   permanent         the run fails
 *   crashed           back to the queue; the crashes_max-th time the task is poison and fails
 *   lease lost, restart  back to the queue, no fault of the task; LOSSES_MAX a run
 *   released          back to the queue, nothing counts
 *   cancelled         the run ends
 * An attempt that never STARTED counts nowhere; of an HTTP worker the ledger has it all the same.
 * Unless its holder itself gave it back, the old epoch is fenced off by a new number before the
 * task waits again. */
#ifndef RELAIS_CORE_ATTEMPT_H
#define RELAIS_CORE_ATTEMPT_H
#include "broker/core/life.h"
#include "broker/core/state.h"

/* Ends the attempt, if there is one, and holds the task back until it is revived. A worker over a
 * link is told to stop. */
void attempt_pause(struct core *c, struct task *t);
/* Ends the attempt, if there is one, of a task that is cancelled; the caller settles it. */
void attempt_cancel(struct core *c, struct task *t, struct slice text);
/* Ends the lease's attempt without success. text: why, for the ledger and a failed run's
 * message. */
void attempt_end(struct core *c, struct lease *l, enum reason reason, struct slice text,
                 bool retryable);
/* The same as its worker reported it, with what it measured. */
void attempt_fail(struct core *c, struct lease *l, enum reason reason, const struct report *r);
/* Ends the run: COMPLETE, FAIL or CANCEL. The task has no lease any more. result.id is ignored. */
void task_settle(struct core *c, struct task *t, enum move move, enum reason reason,
                 const struct task_result *result);
/* Opens the next run of an ended or paused task. */
void task_revive(struct core *c, struct task *t);
/* Remembers which report ended (id, epoch), so that its repetition gets the same answer: OK. */
void settled_put(struct core *c, uint64_t id, uint64_t epoch, enum verb verb);
/* VERB_NONE when it is not known (any more). */
enum verb settled_get(const struct core *c, uint64_t id, uint64_t epoch);
/* True when this HTTP worker's lease on the task was taken away lately, so far as memory knows: who
 * lost a lease is told so, and not that the task was never its own. Behind it stands the ledger,
 * where such an attempt is kept even if it never started. */
bool lease_was_lost(const struct core *c, uint64_t id, struct slice principal);
#endif
