/* schedule.h - a schedule on the wire: a msgpack array of
 *   [id, kind, brand, version, name, expression, zone, created_ms, updated_ms, start_ms, end_ms,
 *    next_ms, last_ms, active, executions, max, succeeded, failed, last_task, last_status, late_ms,
 *    misfire, queue, type, priority, payload, extra, owner, body, retries, timeout_ms, keep_ms,
 *    dialect, manual, stamp, run_ms]
 * in the ANSWER to SCHEDULE, and as a row of ASK kind "schedules". What a later version adds stands
 * at its end. Slices are borrowed from the body. Pure. */
#ifndef RELAIS_PROTO_SCHEDULE_H
#define RELAIS_PROTO_SCHEDULE_H
#include "proto/record.h"

void schedule_row_put(struct buffer *b, const struct schedule_record *s);
/* The next row; *at starts at 0. False at the end or when it is malformed. */
bool schedule_row_next(struct slice rows, uint32_t *at, struct schedule_record *ret);
#endif
