/* bytes.h - borrowed and owned runs of bytes.
 *
 * slice: borrowed; whoever hands it out says for how long. buffer: owned, grows by doubling up to
 * what memory gives; a failed allocation sets `failed` and every later append is dropped, so that
 * a writer checks once at its end. Pure. */
#ifndef RELAIS_PROTO_BASE_BYTES_H
#define RELAIS_PROTO_BASE_BYTES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data; /* may be NULL when len is 0 */
    uint32_t len;        /* bytes */
};

struct buffer {
    uint8_t *data; /* owned */
    size_t len, cap; /* bytes */
    bool failed;
};

static inline struct slice slice_of(const void *data, size_t len) {
    return (struct slice){.data = data, .len = (uint32_t)len};
}
static inline struct slice slice_text(const char *text) { return slice_of(text, strlen(text)); }
static inline bool slice_equal(struct slice a, struct slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool buffer_grow(struct buffer *b, size_t more); /* where buffer_reserve has no room */
/* Makes room for `more` further bytes; false (and failed) when memory is out. */
static inline bool buffer_reserve(struct buffer *b, size_t more) {
    return (b->cap - b->len >= more && !b->failed) || buffer_grow(b, more);
}
static inline void buffer_append(struct buffer *b, const void *data, size_t len) {
    if (len == 0 || !buffer_reserve(b, len)) return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}
static inline void buffer_byte(struct buffer *b, uint8_t byte) {
    if (buffer_reserve(b, 1)) b->data[b->len++] = byte;
}
/* Forgets the content, keeps the memory. */
void buffer_clear(struct buffer *b);
/* Frees the memory; the struct is empty and usable again. */
void buffer_free(struct buffer *b);
static inline struct slice buffer_slice(const struct buffer *b) {
    return slice_of(b->data, b->len);
}
#endif
