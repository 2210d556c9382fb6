/* feed.h - what happened in a brand, told to whoever listens.
 *
 * Events are kept in memory, in order, feed_events_max of each brand and feed_bytes_max in all
 * (a quarter of that for one brand): the oldest go first. An event is said when the group that was
 * open when it happened is durable, like every answer. A listener names the number it has seen;
 * what is no longer kept, or was before a restart, is told as `incomplete`.
 *
 * A FEED with nothing to tell is parked for wait_ms like a WATCH: it belongs to its link, UNWATCH
 * of its number takes it back, and it counts among parked_max. */
#ifndef RELAIS_CORE_FEED_H
#define RELAIS_CORE_FEED_H
#include "broker/core/state.h"

/* FEED */
void feed_step(struct core *c, const struct event *e);
/* Something happened in a brand (0 = of the installation). Everything is copied. */
void feed_put(struct core *c, uint32_t brand, struct slice topic, struct slice key,
              struct slice data);
/* At the end of each step: listeners whose brand had an event are answered. */
void feed_flush(struct core *c);
/* Its wait is over. */
struct feed_wait;
void feed_timer(struct core *c, struct feed_wait *w);
/* Drops a link's waits; one of them by its number: false when there is none. */
void feed_leave(struct core *c, struct link *link);
bool feed_cancel(struct core *c, struct link *link, uint64_t number);
void feed_free(struct core *c);
#endif
