/* setting.h - the options that several dialects obey, as they need them. */
#ifndef RELAIS_GATEWAY_DIALECT_SETTING_H
#define RELAIS_GATEWAY_DIALECT_SETTING_H
#include "gateway/exchange.h"

/* How long ended tasks of the dialects are kept, as the broker takes it: KEEP_FAILED, KEEP_NONE or
 * milliseconds. Option dialect_keep. */
int64_t setting_keep_ms(const struct exchange *x);
/* A caller's wait in milliseconds, at most option http_wait_ms_max: a longer one is not an error,
 * it is answered sooner. */
uint32_t setting_wait_ms(const struct exchange *x, int64_t wait_s);
/* Option page_max: rows of one list page. */
uint32_t setting_page_max(const struct exchange *x);
#endif
