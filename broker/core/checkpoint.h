/* checkpoint.h - resume points of a task: made by its worker or by a client, changed, dropped.
 *
 * A checkpoint has a sequence within its task, which never goes back, and a number of its own by
 * which it is found among all. The next delivery takes along the one that RETRY named, else the
 * newest that is not a mark (CHECKPOINT_PASSED). A task keeps the newest checkpoints_max.
 *
 * CHECKPOINT_PUT with sequence 0 makes one without a lease, on a task that has not been completed;
 * with a sequence it replaces name, flags and data of that one, which is read first. One that comes
 * packed (CHECKPOINT_PACKED) keeps size and sum of what it was: so its data may be stored smaller
 * and what comes out can be checked. Both verbs are answered by the row (proto/checkpoint.h).
 *
 * Refusals: UNKNOWN_TASK, NOT_FOUND, FORBIDDEN, PAYLOAD_TOO_LARGE, INVALID_STATE (completed, or in
 * memory only), VALIDATION_ERROR (name), STORAGE_FULL. */
#ifndef RELAIS_CORE_CHECKPOINT_H
#define RELAIS_CORE_CHECKPOINT_H
#include "broker/core/state.h"

/* Why the task takes no such checkpoint; OK when it does. */
enum code checkpoint_check(const struct core *c, const struct task *t, struct slice name,
                           struct slice data);
/* Stores a new one: epoch, seq, name, data and flags of `given` count. */
struct checkpoint_record checkpoint_make(struct core *c, struct task *t,
                                         const struct checkpoint_record *given);
/* CHECKPOINT_PUT CHECKPOINT_DROP */
void checkpoint_step(struct core *c, const struct event *e);
#endif
