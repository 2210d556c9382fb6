/* decode.h - a bounded pull decoder for msgpack; peers' input is read with this and nothing else.
 *
 * The reader says what it expects; nothing is allocated and no tree is built. Every count is
 * compared with the bytes that are left (an element takes at least one), nesting ends at
 * DECODE_DEPTH_MAX. A function that returns false may have moved the cursor: the caller goes back
 * to where the value began and skips it as a whole, or gives the frame up. Slices are borrowed
 * from the input. Pure. */
#ifndef RELAIS_PROTO_DECODE_H
#define RELAIS_PROTO_DECODE_H
#include "proto/base/bytes.h"

enum { DECODE_DEPTH_MAX = 8 }; /* arrays and maps within each other, the outermost included */

struct decode { const uint8_t *at, *end; };

static inline struct decode decode_of(const void *data, size_t len) {
    const uint8_t *at = data;
    return (struct decode){.at = at, .end = at + len};
}
static inline size_t decode_left(const struct decode *d) { return (size_t)(d->end - d->at); }

/* The long forms, out of line; call the functions below. */
bool decode_uint_long(struct decode *d, uint64_t *value);
bool decode_count_long(struct decode *d, bool map, uint32_t *count);
bool decode_slice_long(struct decode *d, struct slice *value);

/* A non-negative integer, in any of msgpack's integer forms. */
static inline bool decode_uint(struct decode *d, uint64_t *value) {
    if (d->at < d->end && *d->at < 0x80) { *value = *d->at++; return true; }
    return decode_uint_long(d, value);
}
/* An integer that fits int64. */
bool decode_int(struct decode *d, int64_t *value);
bool decode_bool(struct decode *d, bool *value);
/* Consumes a nil when that is next; false and nothing moved otherwise. */
static inline bool decode_nil(struct decode *d) {
    if (d->at >= d->end || *d->at != 0xc0) return false;
    d->at++;
    return true;
}
/* The head of an array; the elements follow. */
static inline bool decode_array(struct decode *d, uint32_t *count) {
    if (d->at < d->end && (*d->at & 0xf0) == 0x90) {
        *count = *d->at++ & 0x0fU;
        return *count <= decode_left(d);
    }
    return decode_count_long(d, false, count);
}
/* The head of a map; `count` pairs follow. */
static inline bool decode_map(struct decode *d, uint32_t *count) {
    if (d->at < d->end && (*d->at & 0xf0) == 0x80) {
        *count = *d->at++ & 0x0fU;
        return *count * (size_t)2 <= decode_left(d);
    }
    return decode_count_long(d, true, count);
}
/* A text or a binary, both taken for either. */
static inline bool decode_slice(struct decode *d, struct slice *value) {
    if (d->at < d->end && (*d->at & 0xe0) == 0xa0) {
        uint32_t len = *d->at & 0x1fU;
        if (decode_left(d) <= len) return false;
        *value = slice_of(d->at + 1, len);
        d->at += 1 + len;
        return true;
    }
    return decode_slice_long(d, value);
}
/* Passes over one value of any kind, `depth` levels below the outermost (0 = it is that). False
 * when it is cut off, nested too deep, or no msgpack. */
bool decode_skip(struct decode *d, uint32_t depth);
/* True when the bytes are well-formed UTF-8: no surrogates, no overlong forms. */
bool decode_utf8(struct slice text);
#endif
