#include "worker/lines.h"

void lines_open(struct lines *l, uint32_t line_max, lines_take *take, void *context) {
    *l = (struct lines){.line_max = line_max, .take = take, .context = context};
}

static void hand_out(struct lines *l, bool cut) {
    size_t len = l->held.len;
    if (!cut && len > 0 && l->held.data[len - 1] == '\r') len--;
    l->take(l->context, slice_of(l->held.data, len), cut);
    buffer_clear(&l->held);
}

/* Takes bytes of one line; what is beyond the bound is dropped. */
static void hold(struct lines *l, const uint8_t *data, size_t len) {
    if (l->skipping) return;
    size_t room = l->line_max - l->held.len;
    buffer_append(&l->held, data, len < room ? len : room);
    if (len <= room && !l->held.failed) return;
    hand_out(l, true);
    l->skipping = true;
}

void lines_feed(struct lines *l, const void *data, size_t len) {
    const uint8_t *at = data, *end = at + len;
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        hold(l, at, (size_t)((newline ? newline : end) - at));
        if (!newline) return;
        if (!l->skipping) hand_out(l, false);
        l->skipping = false;
        at = newline + 1;
    }
}

void lines_close(struct lines *l) {
    if (l->held.len > 0 && !l->skipping) hand_out(l, false);
    buffer_free(&l->held);
}
