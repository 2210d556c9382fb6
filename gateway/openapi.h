/* openapi.h - the route tables as OpenAPI 3.1, for machines that read it.
 *
 *   GET /openapi.json           every dialect
 *   GET /openapi/DIALECT.json   one: qalpuch, megahub, whatsapp, speech
 *
 * Paths, methods, guards, kinds of body, statuses and sentences come from the tables themselves;
 * members, query parameters and answers that are not JSON from openapi_body.def. Dialect 002's
 * paths are written with the slash at their end that its clients use; without it they are the
 * same. An answer of success is described by its status and sentence only; an error by the form
 * that all errors of the dialect have.
 *
 * Served without credentials: the tables are public. Pure but for memory. */
#ifndef RELAIS_GATEWAY_OPENAPI_H
#define RELAIS_GATEWAY_OPENAPI_H
#include "gateway/route.h"

/* The document of these dialects, NULL-ended. */
void openapi_write(struct out *o, const struct dialect *const *dialects);
#endif
