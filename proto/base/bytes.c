#include "proto/base/bytes.h"
#include <stdlib.h>

bool buffer_grow(struct buffer *b, size_t more) {
    if (b->failed) return false;
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

void buffer_clear(struct buffer *b) { b->len = 0; b->failed = false; }

void buffer_free(struct buffer *b) {
    free(b->data);
    *b = (struct buffer){0};
}
