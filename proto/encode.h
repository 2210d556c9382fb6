/* encode.h - msgpack onto a buffer; the only file that includes msgpack-c.
 *
 * The packing templates of msgpack-c are instantiated with `struct buffer *` as their user, so
 * that a value is stored without a callback. A failed allocation sets b->failed, which the writer
 * looks at once, at its end. Pure. */
#ifndef RELAIS_PROTO_ENCODE_H
#define RELAIS_PROTO_ENCODE_H
#include "proto/base/bytes.h"
#include <endian.h>
#include <limits.h>
#include <msgpack/sysdep.h>
#include <msgpack/timestamp.h>

static inline int encode_bytes(struct buffer *b, const void *data, size_t len) {
    if (b->cap - b->len >= len && !b->failed) {
        if (len) memcpy(b->data + b->len, data, len);
        b->len += len;
    } else {
        buffer_append(b, data, len);
    }
    return 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#define msgpack_pack_inline_func(name) static inline int encode_msgpack ## name
#define msgpack_pack_user struct buffer *
#define msgpack_pack_append_buffer(user, buf, len) return encode_bytes(user, buf, len)
#include <msgpack/pack_template.h>
#pragma GCC diagnostic pop

static inline void encode_nil(struct buffer *b) { encode_msgpack_nil(b); }
static inline void encode_bool(struct buffer *b, bool value) {
    if (value) encode_msgpack_true(b);
    else encode_msgpack_false(b);
}
/* The most frequent of all: stored at once where there is room, in msgpack-c's form. */
static inline void encode_uint(struct buffer *b, uint64_t value) {
    if (b->cap - b->len < 9 || b->failed) {
        encode_msgpack_uint64(b, value);
        return;
    }
    uint8_t *at = b->data + b->len;
    if (value < 0x80) {
        *at = (uint8_t)value;
        b->len++;
        return;
    }
    const unsigned power = value > UINT32_MAX ? 3 : value > 0xffff ? 2 : value > 0xff;
    const uint64_t big = htobe64(value << (64 - (8u << power)));
    *at = (uint8_t)(0xcc + power);
    memcpy(at + 1, &big, sizeof big);
    b->len += 1 + (1u << power);
}
static inline void encode_int(struct buffer *b, int64_t value) {
    if (value >= 0) encode_uint(b, (uint64_t)value);
    else encode_msgpack_int64(b, value);
}
/* Heads: `count` elements, or pairs, must follow. */
static inline void encode_array(struct buffer *b, uint32_t count) {
    encode_msgpack_array(b, count);
}
static inline void encode_map(struct buffer *b, uint32_t count) { encode_msgpack_map(b, count); }
/* UTF-8 text; the caller vouches for it. */
static inline void encode_text(struct buffer *b, struct slice text) {
    encode_msgpack_str(b, text.len);
    encode_bytes(b, text.data, text.len);
}
static inline void encode_bin(struct buffer *b, struct slice bytes) {
    encode_msgpack_bin(b, bytes.len);
    encode_bytes(b, bytes.data, bytes.len);
}
#endif
