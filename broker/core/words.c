#include "broker/core/words.h"

void words_bytes(struct words *t, struct slice s) {
    uint32_t room = WORDS_MAX - t->len;
    uint32_t len = s.len < room ? s.len : room;
    if (len) memcpy(t->bytes + t->len, s.data, len);
    t->len += len;
}

void words_put(struct words *t, const char *s) { words_bytes(t, slice_text(s)); }

void words_integer(struct words *t, int64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) words_put(t, "-");
    words_bytes(t, slice_of(digits + at, sizeof digits - at));
}

void words_number(struct words *t, const char *name, int64_t value) {
    words_put(t, name);
    words_put(t, "\t");
    words_integer(t, value);
    words_put(t, "\n");
}

void words_slice(struct words *t, const char *name, struct slice value) {
    words_put(t, name);
    words_put(t, "\t");
    words_bytes(t, value);
    words_put(t, "\n");
}

struct slice words_done(const struct words *t) { return slice_of(t->bytes, t->len); }
