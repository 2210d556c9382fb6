/* start.h - a worker over HTTP says no START: the first call that names its task is one.
 * Said before the report that brought it; when the attempt has started already, nothing changes,
 * and when the lease is another's, the report that follows is refused. */
#ifndef RELAIS_GATEWAY_DIALECT_START_H
#define RELAIS_GATEWAY_DIALECT_START_H
#include "gateway/exchange.h"

void start_tell(struct exchange *x, const struct report *report);
#endif
