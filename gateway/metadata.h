/* metadata.h - what OPTIONS tells of a path, as Django REST framework does: its name, its purpose,
 * and for POST and PUT the members of the body. From the route tables and openapi_body.def; it
 * needs no credentials. */
#ifndef RELAIS_GATEWAY_METADATA_H
#define RELAIS_GATEWAY_METADATA_H
#include "gateway/route.h"

/* Writes it into x->out, for dialects whose table says `metadata`. */
void metadata_write(struct exchange *x, const struct route_table *table);
#endif
