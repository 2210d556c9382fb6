/* cron.h - cron expressions of five fields, and when they come due.
 *
 *   minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, day of week 0-7 or SUN-SAT
 *   (0 and 7 are Sunday). A field is a list, with commas, of *, N and A-B, each perhaps with /STEP;
 *   N/STEP means from N on. Names may have any case.
 *
 * When day of month and day of week are both restricted, either one suffices. Refused: fewer or
 * more fields, values out of range, a range that runs backward, a step of 0, names with @.
 *
 * Clocks that are set forward or back: an expression that names hours comes due once for each
 * local time it names: in a gap at the first instant after it, in a repeated hour at the first
 * pass. One whose hour is * runs by time that passes: nothing in the gap, both passes of a repeated
 * hour, so that what runs every ten minutes does so on that day too. Pure. */
#ifndef RELAIS_PROTO_BASE_CRON_H
#define RELAIS_PROTO_BASE_CRON_H
#include "proto/base/zone.h"

enum { CRON_YEARS_MAX = 30 };

struct cron { /* bit n: the value n is named */
    uint64_t minutes;
    uint32_t hours, days;
    uint16_t months;
    uint8_t weekdays;
};

/* False with a static sentence in *why (may be NULL); *ret is untouched then. */
bool cron_parse(struct slice text, struct cron *ret, const char **why);
/* The first due instant after `after_s` (Unix seconds). False when there is none within
 * CRON_YEARS_MAX years. */
bool cron_next(const struct cron *c, const struct zone *z, int64_t after_s, int64_t *ret_s);
#endif
