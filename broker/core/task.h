/* task.h - a task in memory: its parts, its place, its counts, its way to disk.
 *
 * task_move is the only way a status changes: it asks life.def, takes the task from where it
 * waits, keeps the lane's counts and marks it changed. The caller then sets what goes with the
 * move and gives the task its new place with task_place. */
#ifndef RELAIS_CORE_TASK_H
#define RELAIS_CORE_TASK_H
#include "broker/core/life.h"
#include "broker/core/state.h"

/* A new task in no place, status NONE; id, order and version are set. */
struct task *task_new(struct core *c, struct lane *lane);
/* A task as the store has it; its place is DISK, FAR or NONE by status. */
struct task *task_adopt(struct core *c, const struct task_head *head);
void task_free(struct core *c, struct task *t);

/* Gives the task its first status and counts it. */
void task_born(struct core *c, struct task *t, enum status status);
enum code task_move(struct core *c, struct task *t, enum move move);
/* Finds a place for a task that is queued or scheduled. */
void task_place(struct core *c, struct task *t);
/* Changes the priority; a queued task goes behind those already there. */
void task_prioritise(struct core *c, struct task *t, uint8_t priority);

/* Marks what must be written (enum change) and raises the version. */
void task_change(struct core *c, struct task *t, unsigned change);
/* Raises the version and tells watchers, writes nothing (progress). */
void task_touch(struct core *c, struct task *t);
/* Deletes the task: record, counts, files, what is bound to it. It must hold no lease. */
void task_remove(struct core *c, struct task *t);
/* Called when nothing may need the task in memory any more. */
void task_rest(struct core *c, struct task *t);
/* Frees what rests, once no older load is out. Called at the start of each step. */
void task_recycle(struct core *c);
/* Emits the records of every changed task. */
void task_close(struct core *c);

/* Parts; the bytes are copied. The earlier part is freed. */
void task_set_body(struct core *c, struct task *t, const struct task_body *body);
void task_drop_body(struct core *c, struct task *t);
/* The checkpoint that its next delivery takes along is read again. */
void task_drop_carry(struct task *t);
void task_set_result(struct task *t, const struct task_result *result);
void task_set_carry(struct task *t, const struct checkpoint_record *checkpoint);

static inline bool task_accepted(const struct task *t) {
    return (t->head.flags & TASK_ACCEPTED) != 0;
}
static inline bool task_gone(const struct task *t) {
    return t->gone || (t->change & CHANGE_GONE);
}
/* True when its end is recorded: keep says so for this way of ending. */
static inline bool task_kept(const struct task *t, enum status end) {
    if (task_accepted(t)) return false;
    if (t->head.flags & TASK_BOUND) return true; /* until the sweep has what goes with it */
    return t->head.keep_ms > 0 || (t->head.keep_ms == KEEP_FAILED && end != STATUS_COMPLETED);
}
/* The next number: ids, orders and epochs. Never given twice, not even by a later process. */
uint64_t number_next(struct core *c);
#endif
