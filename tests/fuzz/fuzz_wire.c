/* Any bytes over a connection, whole and in pieces: the same bytes pass and the same is broken;
 * what passed of it would pass again. */
#include "gateway/wire.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 4096 };

static size_t feed(struct wire *w, const uint8_t *data, size_t len, size_t step) {
    size_t passed = 0, here = 0;
    *w = (struct wire){0};
    while (here < len && w->state < WIRE_UPGRADED) {
        here = len - here < step ? len : here + step;
        uint8_t *copy = malloc(here - passed);
        memcpy(copy, data + passed, here - passed);
        size_t n = wire_scan(w, MEMORY, copy, here - passed);
        free(copy);
        assert(n <= here - passed);
        passed += n;
        assert(passed == here || w->state == WIRE_HEAD || w->state >= WIRE_UPGRADED);
        assert(here - passed < MEMORY + step || w->state >= WIRE_UPGRADED);
    }
    return passed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wire whole, pieces, again;
    if (size == 0) return 0;
    size_t a = feed(&whole, data, size, size);
    size_t b = feed(&pieces, data, size, 1 + size % 11);
    assert(a == b && whole.heads == pieces.heads && whole.left == pieces.left);
    assert((whole.state == WIRE_BROKEN) == (pieces.state == WIRE_BROKEN));
    /* of several faults the pieces may find another one first */
    if (whole.state == WIRE_BROKEN) assert(whole.code != CODE_OK && pieces.code != CODE_OK);
    if (a == 0) return 0;
    size_t c = feed(&again, data, a, a);
    assert(c == a && again.state != WIRE_BROKEN && again.heads == whole.heads);
    return 0;
}
