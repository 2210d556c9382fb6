/* zones.h - time zones of this machine, by name: the files of /usr/share/zoneinfo.
 *
 * The names are those of the tz database (Europe/Paris); "UTC" needs no file. What is read is
 * proto/base/zone.h's to understand. A name that would lead out of the folder is not looked for. */
#ifndef RELAIS_PROTO_HOST_ZONES_H
#define RELAIS_PROTO_HOST_ZONES_H
#include "proto/base/zone.h"

/* Appends the file's bytes; false when there is no such zone. UTC appends nothing. */
bool zones_read(struct slice name, struct buffer *bytes);
/* The zone, owned by the caller, NULL for UTC; false when there is no such zone. */
bool zones_open(struct slice name, struct zone **ret);
/* The names of all zones with a place on the map, sorted, each ended by NUL, one after the other;
 * count may be NULL. Always has UTC. */
void zones_list(struct buffer *names, uint32_t *count);
#endif
