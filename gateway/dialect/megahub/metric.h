/* metric.h - what metric.c and metric_row.c share. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_METRIC_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_METRIC_H
#include "gateway/dialect/megahub/monitor.h"

#define METRIC_GONE "_gone" /* a member of metrics that were deleted */

/* What the worker gave, as an object; owned by the caller. */
json_t *metric_parse(const struct view *v);
/* False when the task has none: it has not ended, or they were deleted. */
bool metric_there(const struct view *v, const json_t *metrics);
void metric_write(struct exchange *x, const struct view *v, const json_t *metrics);
#endif
