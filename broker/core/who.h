/* who.h - what a principal may do, and which texts are taken as names. */
#ifndef RELAIS_CORE_WHO_H
#define RELAIS_CORE_WHO_H
#include "broker/core/state.h"

/* The acting brand of a client: `asked` (0 = its own) when that is allowed, else 0. */
uint32_t who_brand(const struct who *who, uint32_t asked);
/* The brand of a worker's service, 0 = all; *ok = false when `asked` is not its own. */
uint32_t who_serves(const struct who *who, uint32_t asked, bool *ok);
bool who_reads(const struct who *who, const struct task_head *task); /* sees this task */
bool who_writes(const struct who *who);                             /* submits, cancels, sets */
bool who_works(const struct who *who);                              /* takes tasks */
/* 1..name_max bytes without control bytes. */
bool name_good(const struct core *c, struct slice name);
/* The same, or empty. */
bool name_fits(const struct core *c, struct slice name);
/* What a worker says it serves: names and labels, each fit to be one. */
bool serves_good(const struct core *c, const struct serves *serves);
/* A due time or delay, and a keep, that no sum of times can overflow. */
bool due_good(const struct options *o);
bool keep_good(int64_t keep_ms);
/* "k=v,k=v" with rising keys, or empty. */
bool labels_good(const struct core *c, struct slice labels);
#endif
