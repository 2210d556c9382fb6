#include "proto/base/bytes.h"
#include <stdlib.h>

bool buffer_reserve(struct buffer *b, size_t more) {
    if (b->failed) return false;
    if (b->cap - b->len >= more) return true;
    size_t cap = b->cap ? b->cap : 256;
    while (cap - b->len < more) {
        if (cap > SIZE_MAX / 2) { b->failed = true; return false; }
        cap *= 2;
    }
    uint8_t *data = realloc(b->data, cap);
    if (!data) { b->failed = true; return false; }
    b->data = data;
    b->cap = cap;
    return true;
}

void buffer_append(struct buffer *b, const void *data, size_t len) {
    if (len == 0 || !buffer_reserve(b, len)) return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void buffer_byte(struct buffer *b, uint8_t byte) { buffer_append(b, &byte, 1); }

void buffer_clear(struct buffer *b) { b->len = 0; b->failed = false; }

void buffer_free(struct buffer *b) {
    free(b->data);
    *b = (struct buffer){0};
}
