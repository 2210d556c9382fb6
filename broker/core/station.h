/* station.h - stations: the workers of dialect 003, by what they say of themselves.
 *
 * A station is ONLINE or in MAINTENANCE while it is heard; after station_dead_ms of silence, or
 * when it unregisters, it is OFFLINE: those of its sessions that were up are DISCONNECTED, stay
 * with it for recovery_ms, for most come back at once, and then go to others (fleet.h). When it
 * comes back before, it has them again: by a heartbeat as they were, for it never stopped; by a
 * registration as sessions to be made again, each with a CREATE.
 *
 * When at least FREEZE_WORKERS_MIN stations are there and over FREEZE_PERCENT of them fell silent,
 * that is no hundred deaths: they are OFFLINE in time, but their sessions stay for freeze_ms_max.
 *
 * Registration. The same name and endpoint again is a restart and always good. Refused as
 * WORKER_ALREADY_REGISTERED is only a name that is alive at another endpoint, and an endpoint that
 * is alive under another name. What is OFFLINE never stands in the way.
 *
 * A heartbeat of a name that is not known makes a shadow: a station of which only heartbeats are
 * known, told to REGISTER. Heartbeats change nothing on disk but when something else changed; the
 * time of the newest is written once in HEARD_STEP_MS.
 *
 * An administrator's MAINTENANCE stays until an administrator ends it. One that an administrator
 * removed is not found any more, yet remembered, so that removing it again is fine; its place is
 * the first that a new station takes when stations_max is reached. */
#ifndef RELAIS_CORE_STATION_H
#define RELAIS_CORE_STATION_H
#include "broker/core/state.h"

enum { STATION_SESSIONS_MAX = 4096 /* of one station, whatever it says it has */ };

/* STATION_PUT STATION_BEAT STATION_LEAVE STATION_GET */
void station_step(struct core *c, const struct event *e);
/* Removed ones are known, but not found. */
struct station *station_known(const struct core *c, uint32_t brand, struct slice name);
struct station *station_find(const struct core *c, uint32_t brand, struct slice name);
static inline bool station_up(const struct station *st) {
    return st->record.status != STATION_OFFLINE;
}
/* It fell silent without a word: what it ran may still run. */
static inline bool station_silent(const struct station *st) {
    return !station_up(st) && !(st->record.flags & STATION_LEFT);
}
/* One session more or less; keeps its seat and the counts right. */
void station_seated(struct core *c, struct station *st, int more);
/* It is dead, or its sessions go to others now. */
void station_timer(struct core *c, struct station *st);
void station_restore(struct core *c, const struct station_record *r);
/* All its sessions and commands are there again. */
void station_restored(struct core *c, struct station *st);
#endif
