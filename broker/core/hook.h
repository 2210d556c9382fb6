/* hook.h - events that somebody outside is to hear of: each becomes a task in the same group.
 *
 * What is told to a webhook must not be lost between its cause and its telling. So the core submits
 * a task of the queue `relais.webhook` where the cause happens: both are durable together, or
 * neither is. The gateway's worker takes it from there (gateway/hook.h).
 *
 *   task.completed, task.failed, task.cancelled   each end of a run; data: the task as it ended,
 *                      one row of ASK "tasks" with what is at hand of its body and result
 *   task.progress      a running task came to another percent; only while its broker remembers it
 *   alert.triggered    always
 *   session…           what the feed says of sessions
 *
 * Only brands whose queue `relais.webhook` has the event's bit pay for it (QUEUE with `hooks`), and
 * tasks with the flag TASK_HOOKED, whose ends are always told. Tasks of queues `relais.…` tell
 * nothing. A brand that has no room for another lane (lanes are bounded) tells nothing either:
 * hook_ready, asked before anything may want to be told, sees to it that it has. */
#ifndef RELAIS_CORE_HOOK_H
#define RELAIS_CORE_HOOK_H
#include "broker/core/state.h"

enum { HOOK_KEEP_MS = 24 * 3600 * 1000 /* a hooked task is kept at least so long */ };

/* True for the queues that serve relais itself: no "*" means them. */
bool hook_internal(struct slice queue);
/* False when the brand has no room for the lane of its events. */
bool hook_ready(struct core *c, uint32_t brand);
/* The task's run has ended with this result. */
void hook_settled(struct core *c, struct task *t, const struct task_result *result);
/* The task has come further. */
void hook_progress(struct core *c, struct task *t);
/* An event of the feed. */
void hook_fed(struct core *c, uint32_t brand, struct slice topic, struct slice key,
              struct slice data);
#endif
