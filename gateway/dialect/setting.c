#include "gateway/dialect/setting.h"

int64_t setting_keep_ms(const struct exchange *x) { return exchange_config(x)->dialect_keep; }

uint32_t setting_wait_ms(const struct exchange *x, int64_t wait_s) {
    const int64_t most_ms = exchange_config(x)->http_wait_ms_max;
    if (wait_s <= 0) return 0;
    return (uint32_t)(wait_s < most_ms / 1000 ? wait_s * 1000 : most_ms);
}

uint32_t setting_page_max(const struct exchange *x) { return exchange_config(x)->page_max; }
