/* Blocks that are kept for the next of their size. */
#include "proto/base/blocks.h"
#include "tests/unit/tap.h"
#include <stdint.h>
#include <string.h>

enum { COUNT = 5000 };
static void *held[COUNT];

static size_t size_of(size_t i) { return 1 + i * 37 % 1500; }

int main(void) {
    struct blocks b = {0};
    int wrong = 0;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            held[i] = blocks_take_zero(&b, size_of(i));
            for (size_t k = 0; held[i] && k < size_of(i); k++)
                wrong += ((uint8_t *)held[i])[k] != 0;
            memset(held[i], (int)(i % 251), size_of(i));
        }
        for (size_t i = 0; i < COUNT; i++) {
            for (size_t k = 0; k < size_of(i); k++)
                wrong += ((uint8_t *)held[i])[k] != i % 251;
            blocks_give(&b, held[i], size_of(i));
        }
    }
    is_int(wrong, 0, "blocks do not overlap and are zero when asked to be");
    ok(b.bytes <= BLOCKS_BYTES_MAX + BLOCK_SIZE_MAX, "what is kept is bounded");
    const size_t before = b.bytes, freed = blocks_rest(&b);
    is_int((int64_t)(before - freed), (int64_t)b.bytes, "what is freed is said");
    ok(b.bytes <= BLOCKS_REST_BYTES && blocks_rest(&b) == 0, "at rest little is kept");
    blocks_give(&b, NULL, 8);
    void *one = blocks_take(&b, 100);
    blocks_free(&b);
    is_int((int64_t)b.bytes, 0, "in the end nothing is kept");
    memset(one, 1, 100);
    blocks_give(&b, one, 100);
    blocks_free(&b);
    is_int((int64_t)b.bytes, 0, "a block that was out goes too");
    return done();
}
