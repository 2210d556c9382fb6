/* lane.h - lanes, their shelves, and the windows at the heads of the shelves.
 *
 * A lane is (brand, queue, type, label set), made on first use. Everything in a lane may go to any
 * worker that serves the lane, so nothing is ever filtered inside one. */
#ifndef RELAIS_CORE_LANE_H
#define RELAIS_CORE_LANE_H
#include "broker/core/state.h"

/* The lane, made when it is new; NULL when lanes_max or queues_max is reached. */
struct lane *lane_get(struct core *c, uint32_t brand, struct slice queue, struct slice type,
                      struct slice labels);
/* From a record, at restore. */
void lane_restore(struct core *c, const struct lane_record *record);
void lane_dirty(struct core *c, struct lane *lane);
/* One more, or one less, of a status and priority. */
void lane_count(struct core *c, struct lane *lane, enum status status, uint8_t priority, int by);
/* The records of lanes that are new, or count what their newest record does not. */
void lane_close(struct core *c);
void lane_free(struct core *c);

/* A queued task in no place: into the window, or to disk behind it. */
void lane_put(struct core *c, struct task *t);
/* Out of its window, its fetch or its place on disk. */
void lane_take(struct core *c, struct task *t);
/* The task to deliver next (not taken out), or NULL when no window has one. */
struct task *lane_head(const struct core *c, const struct lane *lane);
/* Takes the task out of its window until its body has been read. */
void lane_fetch(struct core *c, struct task *t);
/* Decides anew whether the lane is ready, and tells its crews; asks for a refill when low. */
void lane_update(struct core *c, struct lane *lane);
/* EVENT_LOADED of NEED_LANE and NEED_BODY. */
void lane_loaded(struct core *c, const struct event *e);
void lane_fetched(struct core *c, const struct event *e);
/* Tasks waiting in the lane before t, plus one; 0 = not waiting. Exact near both ends of the
 * window, an estimate far inside it and on disk. */
uint64_t lane_place(const struct core *c, const struct task *t);
/* Queued tasks of the lane, over all priorities. */
uint64_t lane_queued(const struct lane *lane);
#endif
