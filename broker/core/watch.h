/* watch.h - peers that wait for a task to change, and the task as they see it. */
#ifndef RELAIS_CORE_WATCH_H
#define RELAIS_CORE_WATCH_H
#include "broker/core/state.h"

/* VIEW of the task. What memory lacks is taken from the load that is being handled; view_whole says
 * whether what `ref` wants is there, else view_need is what must be read. */
bool view_whole(const struct core *c, const struct event *e, const struct task *t,
                const struct task_ref *ref);
struct need view_need(const struct task_ref *ref);
void view_say(struct core *c, uint32_t peer, uint64_t number, const struct task *t,
              const struct task_ref *ref);
/* The same without anything that is read. */
void view_say_head(struct core *c, uint32_t peer, uint64_t number, const struct task *t);

/* True when the link may park one more watch or claim. They wait long, so they leave a quarter of
 * what may be parked to events that wait for a read; no client takes more than a third of the rest.
 */
bool watch_room(const struct core *c, const struct link *link);
void watch_count(struct core *c, struct link *link, int more); /* watches and claims: +1 or -1 */
/* Parks a WATCH until the task's version passes `version` or the wait is over. */
bool watch_put(struct core *c, const struct event *e, struct task *t, uint32_t wait_ms);
/* SUBMIT with watch: OUTCOME to this link when the task ends. */
bool watch_outcome_put(struct core *c, const struct event *e, struct task *t);
/* The task has ended: says OUTCOME to those who asked at SUBMIT. */
void watch_outcome(struct core *c, struct task *t);
/* At the end of a step: answers the watches of every touched task. */
void watch_flush(struct core *c);
void watch_timer(struct core *c, struct watch *w);
void watch_drop(struct core *c, struct watch *w);
bool watch_cancel(struct core *c, struct link *link, uint64_t number);
#endif
