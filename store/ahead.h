/* ahead.h - tasks of a brand with their heads, and results when they are asked for, read ahead so
 * that those of many come in one read.
 *
 * The first read is small, since a page may be all that is wanted; each further one is twice as
 * large, up to AHEAD_MAX. */
#ifndef RELAIS_STORE_AHEAD_H
#define RELAIS_STORE_AHEAD_H
#include "store/browse.h"

enum { AHEAD_FIRST = 16, AHEAD_MAX = 512 };

struct ahead_parts { bool heads, results; }; /* which are read */
struct ahead_row { struct browse_row row; struct piece head, result; };

struct ahead {
    struct ahead_row *rows; /* owned */
    size_t count, next, size;
    uint64_t given, place;
    struct buffer heads, results;
};

/* The next row, by the looks of ahead_looked at most looks_max of them (0 = no bound). False at the
 * end, when these are spent, and with *failed when a read failed or a head is missing: see
 * view->why. */
bool ahead_next(struct ahead *a, struct store_view *v, struct browse *b, struct ahead_parts parts,
                uint64_t looks_max, bool *failed);
/* Those of browse.h, and one a row. */
uint64_t ahead_looked(const struct ahead *a, const struct browse *b);
/* The id behind which all has been given; 0 = nothing has. */
uint64_t ahead_place(const struct ahead *a);
/* Of the row given last; no result has no bytes. */
struct slice ahead_head(const struct ahead *a);
struct slice ahead_result(const struct ahead *a);
const struct browse_row *ahead_row(const struct ahead *a);
void ahead_free(struct ahead *a);
#endif
