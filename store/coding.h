/* coding.h - numbers and runs of bytes as the codec writes them: LEB128, zigzag, little-endian.
 *
 * Writing goes through a bare pointer, the caller has made room. Reading is bounded. Pure. */
#ifndef RELAIS_STORE_CODING_H
#define RELAIS_STORE_CODING_H
#include "store/codec.h"
#include "proto/message.h"
#include <endian.h>

static inline uint8_t *put_varint(uint8_t *p, uint64_t v) {
    while (v >= 0x80) { *p++ = (uint8_t)(v | 0x80); v >>= 7; }
    *p++ = (uint8_t)v;
    return p;
}

static inline uint64_t zigzag(uint64_t difference) {
    return (difference << 1) ^ (uint64_t)((int64_t)difference >> 63);
}
static inline uint64_t unzigzag(uint64_t v) { return (v >> 1) ^ (0 - (v & 1)); }

static inline uint8_t *put_near(uint8_t *p, uint64_t v, uint64_t base) {
    return put_varint(p, zigzag(v - base));
}

static inline uint8_t *put_u64(uint8_t *p, uint64_t v) {
    v = htole64(v);
    memcpy(p, &v, 8);
    return p + 8;
}

static inline uint8_t *put_u32(uint8_t *p, uint32_t v) {
    v = htole32(v);
    memcpy(p, &v, 4);
    return p + 4;
}

static inline uint8_t *put_slice(uint8_t *p, struct slice s) {
    p = put_varint(p, s.len);
    if (s.len) memcpy(p, s.data, s.len);
    return p + s.len;
}

/* A cursor over bytes that nobody vouches for: after the first shortage it only yields zeros. */
struct reader { const uint8_t *p, *end; bool bad; };

static inline uint64_t get_varint(struct reader *r) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->p == r->end) break;
        uint8_t byte = *r->p++;
        if (shift == 63 && byte > 1) break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return v;
    }
    r->bad = true;
    r->p = r->end;
    return 0;
}

static inline uint64_t get_near(struct reader *r, uint64_t base) {
    return base + unzigzag(get_varint(r));
}

static inline uint64_t get_max(struct reader *r, uint64_t max) {
    uint64_t v = get_varint(r);
    if (v > max) { r->bad = true; v = 0; }
    return v;
}

static inline bool has(struct reader *r, size_t len) {
    if ((size_t)(r->end - r->p) >= len) return true;
    r->bad = true;
    r->p = r->end;
    return false;
}

static inline uint8_t get_u8(struct reader *r) { return has(r, 1) ? *r->p++ : 0; }

static inline uint64_t get_u64(struct reader *r) {
    uint64_t v = 0;
    if (!has(r, 8)) return 0;
    memcpy(&v, r->p, 8);
    r->p += 8;
    return le64toh(v);
}

static inline uint32_t get_u32(struct reader *r) {
    uint32_t v = 0;
    if (!has(r, 4)) return 0;
    memcpy(&v, r->p, 4);
    r->p += 4;
    return le32toh(v);
}

static inline struct slice get_slice(struct reader *r) {
    uint64_t len = get_varint(r);
    if (len > UINT32_MAX || !has(r, (size_t)len)) return (struct slice){0};
    struct slice s = slice_of(len ? r->p : NULL, (size_t)len);
    r->p += len;
    return s;
}

/* A text that becomes part of a table key. */
static inline struct slice get_name(struct reader *r) {
    struct slice s = get_slice(r);
    if (s.len > CODEC_NAME_MAX) { r->bad = true; s = (struct slice){0}; }
    return s;
}

/* A packed list of texts of which each becomes part of a table key. */
static inline struct slice get_keys(struct reader *r) {
    struct slice s = get_slice(r), text;
    uint32_t at = 0;
    while (at < s.len && !r->bad)
        if (!text_next(s, &at, &text) || !text.len || text.len > CODEC_NAME_MAX) r->bad = true;
    return r->bad ? (struct slice){0} : s;
}
#endif
