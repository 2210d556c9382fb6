/* fold.h - letters in one case, for searches: ASCII and Latin-1 ("É" is "é"), in place.
 *
 * Texts are UTF-8 and keep their length. Bytes that are no UTF-8 stay as they are. */
#ifndef RELAIS_PROTO_BASE_FOLD_H
#define RELAIS_PROTO_BASE_FOLD_H
#include <stddef.h>
#include <stdint.h>

/* One byte of a text, by the one before it. */
static inline uint8_t fold_byte(uint8_t before, uint8_t c) {
    if (c >= 'A' && c <= 'Z') return (uint8_t)(c + 32);
    if (before == 0xc3 && c >= 0x80 && c <= 0x9e && c != 0x97) return (uint8_t)(c + 32);
    return c;
}

static inline void fold(uint8_t *text, size_t len) {
    uint8_t before = 0;
    for (size_t i = 0; i < len; i++) {
        const uint8_t c = text[i];
        text[i] = fold_byte(before, c);
        before = c;
    }
}
#endif
