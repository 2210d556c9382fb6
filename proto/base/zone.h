/* zone.h - a time zone: how far local time is from UTC at any instant.
 *
 * Read from the bytes of a TZif file (RFC 8536, version 2 and up; the system has them in
 * /usr/share/zoneinfo), whoever reads the file hands them in. Its table holds the changes that
 * are known, its last line the rule for all years after. Times are Unix seconds; local times are
 * counted the same way, as if local were UTC. Without a zone (NULL) everything is UTC.
 *
 * Limits: ZONE_BYTES_MAX of file, ZONE_CHANGES_MAX changes. Pure but for memory. */
#ifndef RELAIS_PROTO_BASE_ZONE_H
#define RELAIS_PROTO_BASE_ZONE_H
#include "proto/base/bytes.h"

enum { ZONE_BYTES_MAX = 1 << 16, ZONE_CHANGES_MAX = 4096 };

struct zone;

/* A run of time without a change: instants in [from_s, to_s) are offset_s ahead of UTC. */
struct zone_span { int64_t from_s, to_s; int32_t offset_s; };

/* NULL when the bytes are no sound TZif file of version 2 and up, or memory is out. Owned by the
 * caller. */
struct zone *zone_new(struct slice bytes);
void zone_destroy(struct zone **self);
/* The span that the instant lies in. */
struct zone_span zone_span(const struct zone *z, int64_t instant_s);
/* The instant at which clocks show local_s; the first, when they show it twice. When they never
 * do, the first instant after the gap, and *ret_gap (may be NULL) is true. */
int64_t zone_instant(const struct zone *z, int64_t local_s, bool *ret_gap);
/* True for names such as Europe/Paris or UTC: no path leads out of a folder by one. */
bool zone_name_fits(struct slice name);
#endif
