/* keep.h - how long ended tasks of the dialects are kept: option dialect_keep, as the broker
 * takes it (KEEP_FAILED, KEEP_NONE, or milliseconds). */
#ifndef RELAIS_GATEWAY_DIALECT_KEEP_H
#define RELAIS_GATEWAY_DIALECT_KEEP_H
#include "gateway/exchange.h"

int64_t keep_ms(const struct exchange *x);
#endif
