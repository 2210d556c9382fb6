/* worker.h - workers: named incarnations that hold leases.
 *
 * A native worker (name, boot) is served by its link and lives by beats: suspect after suspect_ms
 * of silence (unstarted work is taken back, no new work), lost after lost_ms (all of it). A new
 * boot under an old name means that the old process died: what it ran has crashed. An HTTP worker
 * has no link; its claims and reports name it, its leases carry their own time.
 * When very many workers fall silent in one window it is we who are cut off: expiry is frozen. */
#ifndef RELAIS_CORE_WORKER_H
#define RELAIS_CORE_WORKER_H
#include "broker/core/state.h"

enum { WORKER_HEARD_MS = 60000 /* one that polls is there so long after it was last heard */ };

/* The worker of this principal and name, made when new; NULL at workers_max. Another boot than
 * known ends the old one. */
struct worker *worker_get(struct core *c, uint32_t brand, const struct who *who,
                          struct slice name, uint64_t boot, bool http);
void worker_restore(struct core *c, const struct worker_record *record);
struct worker *worker_numbered(const struct core *c, uint32_t number);
/* Writes its record before its first lease is written. */
void worker_record_once(struct core *c, struct worker *w);
/* Idle or busy, by its slots, link and health. */
void worker_room(struct core *c, struct worker *w);
void worker_heard(struct core *c, struct worker *w);
/* Its attempts end (CRASHED or LEASE_LOST) and it is forgotten. */
void worker_lost(struct core *c, struct worker *w, enum reason reason);
/* Frees it when it holds nothing, is not linked and not claiming; but an HTTP worker of a brand is
 * remembered for a while, though it never had a task. Such memories go when room is needed. */
void worker_leave(struct core *c, struct worker *w);
void worker_timer(struct core *c, struct worker *w);
void worker_free(struct core *c);
#endif
