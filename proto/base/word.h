/* word.h - eight bytes of a text looked at in one go, where most are nothing special. Pure. */
#ifndef RELAIS_PROTO_BASE_WORD_H
#define RELAIS_PROTO_BASE_WORD_H
#include <stdint.h>
#include <string.h>

#define WORD_ONES UINT64_C(0x0101010101010101)
#define WORD_HIGHS UINT64_C(0x8080808080808080)

static inline uint64_t word_load(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}
/* Not 0 when one of the bytes is below `least`, which is at most 0x80. */
static inline uint64_t word_below(uint64_t word, uint8_t least) {
    return (word - WORD_ONES * least) & ~word & WORD_HIGHS;
}
/* Not 0 when one of the bytes is `byte`. */
static inline uint64_t word_has(uint64_t word, uint8_t byte) {
    return word_below(word ^ WORD_ONES * byte, 1);
}
#endif
