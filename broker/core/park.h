/* park.h - events that wait for a key to be read.
 *
 * A handler looks every key up first. task_find, dedup_find and object_find answer HELD, ABSENT or
 * ASKED; on ASKED the event has been copied and parked, and the handler returns without having
 * changed anything. When the answer comes the event is handled again, from the start. Events that
 * ask for a key somebody already waits for stand behind it, so each key keeps its order. At most
 * parked_max events of PARKED_BYTES_MAX bytes wait; more are refused as BUSY. */
#ifndef RELAIS_CORE_PARK_H
#define RELAIS_CORE_PARK_H
#include "broker/core/state.h"

enum found { HELD, ABSENT, ASKED };
enum { PARKED_BYTES_MAX = 64 << 20 };

enum found task_find(struct core *c, const struct event *e, uint64_t id, struct task **t);
/* The task in memory, or NULL; never asks. */
struct task *task_held(const struct core *c, uint64_t id);
/* Starts a load that no event waits for (windows, bodies, due tasks, sweep). */
void want(struct core *c, const struct need *need);
/* Parks e behind the key of need, asking for it when nobody has. Refuses as BUSY (and says so)
 * when too much is parked. Always ASKED. */
enum found park(struct core *c, const struct event *e, const struct need *need);
/* EVENT_LOADED whose last part has arrived: the want is over (its handler may want the same again),
 * NULL when nobody wanted it. Then its waiters are handled and it is freed. */
struct wanted *park_answered(struct core *c, const struct event *e);
void park_resume(struct core *c, struct wanted *w);
/* True while a load asked for at or before `ticket` is still out. */
bool park_older(const struct core *c, uint64_t ticket);
/* Drops what the peer's gone link had parked. */
void park_free(struct core *c);
#endif
