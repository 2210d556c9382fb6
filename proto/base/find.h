/* find.h - where a short text first stands in a long one, and how many zeros there are, 16 places
 * at a time where the processor can: memmem() prepares tables that cost more than looking through
 * some kilobytes. */
#ifndef RELAIS_PROTO_BASE_FIND_H
#define RELAIS_PROTO_BASE_FIND_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* NULL when it does not. len > 0. */
static inline const uint8_t *find(const uint8_t *from, const uint8_t *end, const uint8_t *what,
                                  size_t len) {
#ifdef __SSE2__
    const __m128i first = _mm_set1_epi8((char)what[0]), last = _mm_set1_epi8((char)what[len - 1]);
    for (; (size_t)(end - from) >= len + 15; from += 16) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)from);
        const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(from + len - 1));
        const __m128i both = _mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last));
        for (unsigned hits = (unsigned)_mm_movemask_epi8(both); hits; hits &= hits - 1) {
            const uint8_t *at = from + __builtin_ctz(hits);
            if (memcmp(at, what, len) == 0) return at;
        }
    }
#endif
    return (size_t)(end - from) < len ? NULL : memmem(from, (size_t)(end - from), what, len);
}

static inline size_t count_zeros(const uint8_t *from, const uint8_t *end) {
    size_t count = 0;
#ifdef __SSE2__
    const __m128i zero = _mm_setzero_si128(), one = _mm_set1_epi8(1);
    __m128i sum = zero; /* two halves of 64 bits */
    for (; end - from >= 16; from += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)from);
        const __m128i ones = _mm_and_si128(_mm_cmpeq_epi8(bytes, zero), one);
        sum = _mm_add_epi64(sum, _mm_sad_epu8(ones, zero));
    }
    uint64_t halves[2];
    _mm_storeu_si128((__m128i *)(void *)halves, sum);
    count = halves[0] + halves[1];
#endif
    for (; from < end; from++) count += *from == 0;
    return count;
}
#endif
