/* bond.h - objects that end with a task.
 *
 * A kind of scope TASK (object.def) is of one task each: the object's name is the task's number, in
 * decimal. It is put while its task is stored, and the task is then marked (TASK_BOUND). Whoever
 * removes a marked task says both gone in one group, so that neither a crash nor a second try can
 * leave one without the other. A marked task is not removed by its end, however short it is kept,
 * but by the next sweep.
 *
 * Refusals of a PUT: VALIDATION_ERROR (the name is no number), UNKNOWN_TASK (it is not there, is of
 * another brand), INVALID_STATE (the task is in memory only). */
#ifndef RELAIS_CORE_BOND_H
#define RELAIS_CORE_BOND_H
#include "broker/core/park.h"
#include "broker/core/state.h"

enum { BOND_SWEEP_COUNT = 64 /* tasks of a sweep's step whose objects must be read first */ };

/* The number that the name of such an object says; 0 = it says none. */
uint64_t bond_number(struct slice name);
/* From now on the object goes when the task does. */
void bond_tie(struct core *c, struct task *t);
/* HELD when all that is bound to the task is in memory; else e is parked. */
enum found bond_find(struct core *c, const struct event *e, const struct task *t);
/* The sweep meets a task whose time has come. True when it may be removed now; otherwise what is
 * bound to it is read, and the task goes when that has come. */
bool bond_swept(struct core *c, struct task *t);
/* EVENT_LOADED of NEED_OBJECT, after the cache has it: may remove a task that waited for it. */
void bond_loaded(struct core *c, const struct event *e);
/* The task goes, and takes along what is bound to it. It must be held, or never have been there. */
void bond_end(struct core *c, const struct task *t);
#endif
