/* roster.h - stations as others see them: rows, and STATION_LIST over those of a brand.
 *
 * A list walks the stations in order of creation; at most LIST_MAX rows are given, the total is
 * exact. Sessions are listed by ASK, from the store. */
#ifndef RELAIS_CORE_ROSTER_H
#define RELAIS_CORE_ROSTER_H
#include "broker/core/state.h"

/* ONLINE, not draining, and with room for one more. */
bool station_takes(const struct station *st);
struct station_row station_row_of(const struct station *st);
/* Its sessions as rows, but for those that are being deleted; returns how many. */
uint32_t station_sessions(const struct station *st, struct buffer *rows);
/* STATION_LIST */
void roster_step(struct core *c, const struct event *e);
#endif
