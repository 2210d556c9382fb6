/* lines.h - cuts a stream of bytes into lines, within a bound.
 *
 * Bytes go in as they come from a pipe, whole lines come out through a function, without their
 * newline and without a carriage return before it. A line longer than the bound is handed out
 * once, cut at the bound and marked; the rest of it is skipped. NUL bytes are data like others.
 *
 * Limits: memory <= the bound. */
#ifndef RELAIS_WORKER_LINES_H
#define RELAIS_WORKER_LINES_H
#include "proto/base/bytes.h"

/* The line is borrowed until the function returns. */
typedef void lines_take(void *context, struct slice line, bool cut);

struct lines {
    struct buffer held; /* owned: the line that is not whole yet */
    uint32_t line_max;  /* bytes */
    bool skipping;      /* inside a line that was cut */
    lines_take *take;
    void *context;
};

void lines_open(struct lines *l, uint32_t line_max, lines_take *take, void *context);
void lines_feed(struct lines *l, const void *data, size_t len);
/* The stream has ended: what is held is the last line. Frees the memory. */
void lines_close(struct lines *l);
#endif
