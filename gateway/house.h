/* house.h - the paths that belong to no dialect, and errors on paths that no dialect knows.
 *
 *   /health /healthz /live   200 while the process serves
 *   /ready /readyz           200 when the broker is heard, else 503
 *   /metrics                 Prometheus text: this process, and the broker's counters when it is
 *                            heard
 *   /openapi.json, /openapi/DIALECT.json   the route tables (openapi.h)
 *
 * Errors are {"error": sentence, "code": NAME}. */
#ifndef RELAIS_GATEWAY_HOUSE_H
#define RELAIS_GATEWAY_HOUSE_H
#include "gateway/request.h"

extern const struct dialect house;

/* The counters of all threads together. */
void gateway_count(const struct gateway *g, struct count *sum);
#endif
