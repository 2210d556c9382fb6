/* schedule.h - schedules: what is submitted again and again, and when.
 *
 * A schedule has a cron expression and a time zone (proto/base/cron.h says when that comes due),
 * and a template of the task that each run submits. Runs go by the wall clock. The record holds
 * the next nominal time; the task of a run and the time after it are in one group, so each nominal
 * time runs at most once, whatever happens in between, and none runs before the newest that ran,
 * though the clock be set back.
 *
 * Times that came while nothing could run (no broker, a full disk) are misfires. By its rule all of
 * them are made up for by one run (once), by none (skip), or by one each, up to MISFIRES_MAX (all).
 * What is late by less than MISFIRE_GRACE_MS is not one: it runs, but for once in the one run.
 *
 * Schedules are in memory whole, bounded by schedules_max and schedule_bytes_max. Time zones are
 * read once (NEED_ZONE) and stay; a schedule whose zone this machine does not have does not run.
 *
 * Refusals: VALIDATION_ERROR with what is wrong ("expression: …", "zone: …"),
 * PAYLOAD_TOO_LARGE for a template over the limits of a task, CONFLICT for a name
 * that another of its kind has and for a stale version, LIMIT_REACHED, NOT_FOUND, STORAGE_FULL. */
#ifndef RELAIS_CORE_SCHEDULE_H
#define RELAIS_CORE_SCHEDULE_H
#include "broker/core/state.h"

enum { MISFIRES_MAX = 100, MISFIRE_GRACE_MS = 60000 };

void schedule_step(struct core *c, const struct event *e); /* SCHEDULE */
/* Runs what is due. */
void schedule_due(struct core *c);
/* When schedule_due has work again, on the core's monotonic clock. */
int64_t schedule_wake(const struct core *c);
/* A task of a schedule has ended: the schedule says how. */
void schedule_settled(struct core *c, const struct task *t);
void schedule_zone_loaded(struct core *c, const struct event *e);
void schedule_restore(struct core *c, const struct schedule_record *r);
void schedule_restored(struct core *c);
/* Records of everything that changed. */
void schedule_close(struct core *c);
uint64_t schedule_digest(const struct core *c);
void schedule_free(struct core *c);
#endif
