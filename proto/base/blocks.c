#include "proto/base/blocks.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined __SANITIZE_ADDRESS__
static const bool keeps = false;
#elif defined __has_feature
static const bool keeps = !__has_feature(address_sanitizer);
#else
static const bool keeps = true;
#endif

static size_t class_of(size_t size) { return (size - 1) / BLOCK_STEP; }
static size_t rounded(size_t size) { return (class_of(size) + 1) * BLOCK_STEP; }

void *blocks_take(struct blocks *b, size_t size) {
    if (!keeps || size > BLOCK_SIZE_MAX) return malloc(size);
    struct block **kept = &b->free[class_of(size)], *block = *kept;
    if (!block) return malloc(rounded(size));
    *kept = block->next;
    b->bytes -= rounded(size);
    return block;
}

void *blocks_take_zero(struct blocks *b, size_t size) {
    void *block = blocks_take(b, size);
    return block ? memset(block, 0, size) : NULL;
}

void blocks_give(struct blocks *b, void *block, size_t size) {
    if (!block) return;
    if (!keeps || size > BLOCK_SIZE_MAX || b->bytes >= BLOCKS_BYTES_MAX) {
        free(block);
        return;
    }
    struct block *freed = block;
    freed->next = b->free[class_of(size)];
    b->free[class_of(size)] = freed;
    b->bytes += rounded(size);
}

size_t blocks_rest(struct blocks *b) {
    const size_t before = b->bytes;
    for (size_t i = 0; i < sizeof b->free / sizeof *b->free; i++)
        while (b->free[i] && b->bytes > BLOCKS_REST_BYTES) {
            struct block *block = b->free[i];
            b->free[i] = block->next;
            b->bytes -= (i + 1) * BLOCK_STEP;
            free(block);
        }
    return before - b->bytes;
}

void blocks_free(struct blocks *b) {
    for (size_t i = 0; i < sizeof b->free / sizeof *b->free; i++)
        for (struct block *at = b->free[i], *next; at; at = next) {
            next = at->next;
            free(at);
        }
    *b = (struct blocks){0};
}
