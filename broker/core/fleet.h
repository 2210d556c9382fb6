/* fleet.h - dialect 003's stations and sessions of one brand, as a whole.
 *
 * A station that may take sessions (ONLINE, not draining, with room) sits in `seats`, the least
 * loaded first: sessions / sessions_max, equal loads in order of creation. Finding a seat is
 * O(log stations).
 *
 * Recovery. A session that lost its station while somebody wanted it waits in `waiting`. The
 * fleet's timer moves MOVES_MAX of them a millisecond to seats, so that a hundred dead stations
 * are one short step after another; without room they wait until a station has some.
 *
 * Stations and sessions live in memory whole (stations_max, sessions_max) and are written when
 * something but the time of the newest heartbeat changed. */
#ifndef RELAIS_CORE_FLEET_H
#define RELAIS_CORE_FLEET_H
#include "broker/core/state.h"

/* The acting fleet of a message about `brand`; FORBIDDEN when the principal may not act there, or
 * when `works` and it is no station's, or when `leads` and it is no administrator. *fleet may be
 * NULL: the brand has none yet. */
enum fleet_right { FLEET_READS, FLEET_WRITES, FLEET_WORKS, FLEET_LEADS };
enum code fleet_enter(struct core *c, const struct event *e, uint32_t brand,
                      enum fleet_right right, struct fleet **fleet, uint32_t *acting);
struct fleet *fleet_get(struct core *c, uint32_t brand); /* made when there is none */
/* The seat that the next session gets, NULL when there is no room. */
struct station *fleet_seat(const struct fleet *f);
/* Some of the waiting move soon, when there is room. */
void fleet_wake(struct core *c, struct fleet *f);
void fleet_timer(struct core *c, struct fleet *f);
/* FLEET_STATS */
void fleet_step(struct core *c, const struct event *e);
/* Answers e with what `answer` holds. */
void fleet_say(struct core *c, const struct event *e, const struct fleet_answer *answer);
/* The last step of a restore: every session and command knows its station. */
void fleet_restored(struct core *c);
/* Records of everything that changed. */
void fleet_close(struct core *c);
bool fleet_dirty(const struct core *c);
uint64_t fleet_digest(const struct core *c);
bool fleet_init(struct core *c);
void fleet_free(struct core *c);
#endif
