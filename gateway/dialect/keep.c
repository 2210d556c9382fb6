#include "gateway/dialect/keep.h"
#include <stdlib.h>

int64_t keep_ms(const struct exchange *x) {
    const char *text = exchange_option(x, "dialect_keep");
    if (text == NULL || strcmp(text, "failed") == 0) return KEEP_FAILED;
    if (strcmp(text, "none") == 0) return KEEP_NONE;
    return strtoll(text, NULL, 10); /* the options print times as milliseconds */
}
