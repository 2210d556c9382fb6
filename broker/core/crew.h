/* crew.h - who may serve which lanes, and who is next.
 *
 * Fair share: a crew takes one task of a brand, then of the next brand; within a brand a queue
 * has `weight` tasks before the next queue's turn; within a queue its lanes take turns. Nothing
 * idles while something it may run is ready. A taker may ask for the oldest task of the highest
 * priority instead (CLAIM `oldest`): of up to OLDEST_LANES_MAX ready lanes. */
#ifndef RELAIS_CORE_CREW_H
#define RELAIS_CORE_CREW_H
#include "broker/core/state.h"

enum { OLDEST_LANES_MAX = 1000 };

/* The crew of this brand (0 = all) and service, made when new; one more user. NULL at CREWS_MAX. */
struct crew *crew_get(struct core *c, uint32_t brand, const struct serves *serves);
/* One user less. A crew stays when nobody uses it, for the next claim is like the last one; at
 * CREWS_MAX it makes room. */
void crew_leave(struct crew *crew);
/* A new lane finds the crews that serve it. */
void crew_meet(struct core *c, struct lane *lane);
/* lane->ready has changed; idle crews are served at the end of the step at the latest. */
void crew_ready(struct core *c, struct lane *lane);
/* The taker has room (it is served at the end of the step at the latest), or none any more. */
void crew_idle(struct core *c, struct taker *taker);
void crew_busy(struct taker *taker);
/* Every crew with idle takers is served at the end of the step: a limit has room again. */
void crew_wake(struct core *c);
/* Delivers while the lane is ready and somebody idle serves it. */
void crew_dispatch_lane(struct core *c, struct lane *lane);
/* The same for every crew that got idle takers in this step. */
void crew_dispatch_pending(struct core *c);
/* True when who serves this for the brand (0 = all) serves the lane but for its labels; *labels
 * says whether those fit too. */
bool crew_serves(const struct serves *serves, uint32_t brand, const struct lane *lane,
                 bool *labels);
void crew_free(struct core *c);
#endif
