/* ahead.h - rows of an index of tasks, read ahead so that their heads come in one read.
 *
 * Index rows that carry no head of their own are given with it. The first read is small, since a
 * page may be all that is wanted; each further one is twice as large, up to AHEAD_MAX. */
#ifndef RELAIS_STORE_AHEAD_H
#define RELAIS_STORE_AHEAD_H
#include "store/view.h"

enum { AHEAD_FIRST = 16, AHEAD_MAX = 512, AHEAD_KEY_BYTES = 13 /* of CREATED */ };

struct ahead {
    struct ahead_row {
        uint8_t key[AHEAD_KEY_BYTES];
        uint64_t id;
        struct slice value; /* of what is pending: the head */
        bool pending;
        struct piece head;
    } *rows; /* owned */
    size_t count, next, size;
    struct buffer heads;
};

/* The next row of a scan of CREATED: its key and the head. False at the end, and with *failed when
 * a read failed or a head is missing: see view->why. */
bool ahead_next(struct ahead *a, struct scan *scan, struct slice *key, struct slice *head,
                bool *failed);
void ahead_free(struct ahead *a);
#endif
