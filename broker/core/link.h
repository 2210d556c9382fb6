/* link.h - connections: HELLO, beats, credit, and their end.
 *
 * A peer speaks only after HELLO; its frames carry the link number that WELCOME gave. Any other
 * number is answered by RESYNC, and the peer says HELLO again: after a restart of either side, a
 * lost connection or our own mistake there is one way back, and it is always the same. */
#ifndef RELAIS_CORE_LINK_H
#define RELAIS_CORE_LINK_H
#include "broker/core/state.h"

void link_open(struct core *c, const struct event *e);
/* EVENT_LINK_GONE: its watches and claims end; its worker stays until its silence is too long. */
void link_gone(struct core *c, uint32_t peer);
void link_hello(struct core *c, const struct event *e);
void link_beat(struct core *c, const struct event *e);
void link_bye(struct core *c, const struct event *e);
void link_credit(struct core *c, const struct event *e);
void link_drain(struct core *c, const struct event *e);
/* So many bytes were delivered to the link's worker. True when it takes no more before EVENT_ROOM:
 * what a worker that reads is given never outgrows what may wait for it. */
bool link_push(struct core *c, struct link *link, size_t bytes);
void link_room(struct core *c, uint32_t peer);
/* True when the frame's link number is this peer's; else RESYNC has been said,
 * once in beat_ms until HELLO comes. */
bool link_check(struct core *c, const struct event *e);
void link_timer(struct core *c, struct link *link);
#endif
