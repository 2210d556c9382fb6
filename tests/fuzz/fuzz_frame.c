/* Any bytes as a frame: reading never goes past them, and what could be read can be written, and
 * reads again as the same. */
#include "proto/message.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The message as one frame of its own. */
static void write_one(struct buffer *b, const struct message *m, const struct frame *f) {
    struct frame_writer w;
    buffer_clear(b);
    frame_begin(&w, b, m->verb, f->request, f->link, f->has_who ? &f->who : NULL);
    frame_put(&w, m);
    frame_end(&w);
    assert(!b->failed);
}

static void again(const struct message *m, const struct frame *f) {
    struct buffer first = {0}, second = {0};
    struct frame g;
    struct message n;
    enum code code;
    write_one(&first, m, f);
    assert(frame_read(&g, first.data, first.len, 1) == CODE_OK);
    assert(g.verb == m->verb && g.request == f->request && g.has_who == f->has_who);
    assert(message_next(&g, &n, &code) && code == CODE_OK);
    write_one(&second, &n, &g);
    assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    assert(!message_next(&g, &n, &code));
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct frame f;
    struct message m;
    enum code code;
    uint8_t *end_of_block = malloc(size ? size : 1); /* a read past it is seen */
    if (size) memcpy(end_of_block, data, size);
    if (frame_read(&f, end_of_block, size, 256) == CODE_OK) {
        uint32_t items = 0;
        while (message_next(&f, &m, &code)) {
            items++;
            if (code == CODE_OK) again(&m, &f);
        }
        assert(items <= 256);
    }
    struct frame rows = {0};
    uint32_t at = 0;
    while (row_next(&rows, slice_of(end_of_block, size), &at, &m)) {}
    frame_free(&rows);
    free(end_of_block);
    return 0;
}
