#include "proto/base/utf8.h"

uint32_t utf8_next(struct slice text, uint32_t *code) {
    if (text.len == 0) {
        return 0;
    }
    uint8_t first = text.data[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    uint32_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.len < len) {
        return 0;
    }
    uint32_t value = first & (0x7fu >> len);
    for (uint32_t i = 1; i < len; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (text.data[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < least[len] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    *code = value;
    return len;
}

bool utf8_valid(struct slice text) {
    uint32_t code;
    for (uint32_t at = 0; at < text.len;) {
        uint32_t step = utf8_next(slice_of(text.data + at, text.len - at), &code);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

uint32_t utf8_cut(struct slice text, uint32_t max) {
    if (text.len <= max) {
        return text.len;
    }
    uint32_t cut = max;
    while (cut > 0 && max - cut < 4 && (text.data[cut] & 0xc0) == 0x80) {
        cut--;
    }
    return (text.data[cut] & 0xc0) == 0x80 ? max : cut;
}
