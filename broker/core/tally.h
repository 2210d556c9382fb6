/* tally.h - how many tasks, and what they took: sums per brand, rolling.
 *
 * A tally counts one place: a brand's UTC day by task type and priority, or its day, or hour, by
 * worker. What is in memory is a row of its own on disk, under a number of its own: a row is never
 * read back, a new process (or one that forgot a row to make room) begins another of the same
 * place, and who reads adds them up. So a count needs no load, and a correction of a day long gone
 * is one more row.
 *
 * A row is written once a group in which it changed, with the group, so that it is as exact as the
 * tasks themselves. Rows whose slot is over are forgotten at once they are written; over
 * tally_rows_max all written ones are. The sweep deletes what is older than tally_days_max days,
 * hours after two days.
 *
 * Not counted: tasks in memory only (accepted), and queues of the house (their names begin with
 * "relais."). Times and known measures of a task count when its run ends as completed or failed;
 * what the worker measured wins over the broker's own. */
#ifndef RELAIS_CORE_TALLY_H
#define RELAIS_CORE_TALLY_H
#include "broker/core/state.h"

enum { TALLY_HOURS_KEPT = 48, TALLY_SWEEP_COUNT = 1000 };

void tally_created(struct core *c, const struct task *t);
/* The run has ended: worker is who ended it (empty = nobody), numbers a list of measure.h. */
void tally_settled(struct core *c, const struct task *t, struct slice worker,
                   struct slice numbers);
/* An ended task's measures were `before` and are `after`: whole lists. */
void tally_amended(struct core *c, const struct task *t, struct slice worker,
                   struct slice before, struct slice after);
/* Records of everything that changed. */
void tally_close(struct core *c);
/* True when the sweep has not looked at tallies today. */
bool tally_sweep_due(const struct core *c);
/* One row of the walk: deleted when it is too old. */
void tally_sweep(struct core *c, const struct tally_record *r);
void tally_free(struct core *c);
#endif
