/* guard.h - who may do what: the steps that stand before a route's own functions.
 *
 * A dialect lists the steps it wants, in this order; each may end the exchange, none calls
 * another. Deny by default: without guard_who nobody but GUARD_OPEN routes is served, because
 * guard_role refuses a principal without a role.
 *
 *   guard_cors    sets Access-Control-Allow-Origin and -Expose-Headers by option cors_origins
 *   guard_accept  the header Accept against what the route answers: JSON, or what openapi_body.def
 *                 says of it; a route that answers bytes takes any
 *   guard_who     authentication: `Authorization: Bearer JWT`. On GUARD_OPEN routes a token that is
 *                 there is read, a wrong one is ignored.
 *   guard_key     the same, and `X-API-KEY: JWT`; a dialect named in option `open` serves loopback
 *                 clients that send neither as the service of brand 1
 *   guard_fleet   `Authorization: Bearer TEXT` where TEXT is one of option worker_tokens: role
 *                 FLEET of the token's brand; any other text goes the way of guard_who. While the
 *                 option is empty no fleet token is taken, and the log says so once
 *                 On GUARD_QUERY routes a request without either header may carry the credential as
 *                 ?access_token= or ?token=
 *   guard_brand   tenant by X-Brand-ID: at most once, absent = the token's first (an admin's that
 *                 names none: 1), must be in the token's list, `all` for admins only
 *   guard_role    the route's guard against the principal's role
 *   guard_rate    rate_per_min of the principal; GUARD_SLOW routes: failures_per_min of the address
 *
 * What a refusal's cause was stands in x->cause, for dialects that name causes apart.
 *
 * Refusals: NOT_ACCEPTABLE, UNAUTHORIZED, FORBIDDEN, VALIDATION_ERROR (X-Brand-ID), RATE_LIMITED,
 * and UNAVAILABLE while the broker's keys are not known yet. Wrong credentials are counted per
 * address: over failures_per_min the answer is 429 in place of 401. */
#ifndef RELAIS_GATEWAY_GUARD_H
#define RELAIS_GATEWAY_GUARD_H
#include "gateway/route.h"

bool guard_cors(struct exchange *x);
/* Not a step: false when what lets an exchange that lasts be here was revoked since. A token that
 * expired since is no reason. */
bool guard_stands(struct exchange *x);
bool guard_who(struct exchange *x);
bool guard_key(struct exchange *x);
bool guard_fleet(struct exchange *x);
bool guard_brand(struct exchange *x);
bool guard_role(struct exchange *x);
bool guard_rate(struct exchange *x);
bool guard_accept(struct exchange *x);
#endif
