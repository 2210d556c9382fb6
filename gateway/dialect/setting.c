#include "gateway/dialect/setting.h"
#include <stdlib.h>

int64_t setting_keep_ms(const struct exchange *x) {
    const char *text = exchange_option(x, "dialect_keep");
    if (text == NULL || strcmp(text, "failed") == 0) return KEEP_FAILED;
    if (strcmp(text, "none") == 0) return KEEP_NONE;
    return strtoll(text, NULL, 10); /* the options print times as milliseconds */
}

/* Numbers print bare. */
static uint32_t number_of(const char *text) {
    return text != NULL ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

uint32_t setting_wait_ms(const struct exchange *x, int64_t wait_s) {
    int64_t most_ms = number_of(exchange_option(x, "http_wait_ms_max"));
    if (wait_s <= 0) return 0;
    return (uint32_t)(wait_s < most_ms / 1000 ? wait_s * 1000 : most_ms);
}

uint32_t setting_page_max(const struct exchange *x) {
    return number_of(exchange_option(x, "page_max"));
}
