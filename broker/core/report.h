/* report.h - what workers say of the attempts they hold.
 *
 * Every report is checked against the lease: (task, epoch) and the speaker. A stale one gets
 * ATTEMPT_SUPERSEDED and changes nothing; a repeated end gets the answer it got before. */
#ifndef RELAIS_CORE_REPORT_H
#define RELAIS_CORE_REPORT_H
#include "broker/core/state.h"

void report_step(struct core *c, const struct event *e);
#endif
