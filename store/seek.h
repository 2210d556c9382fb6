/* seek.h - from times to ids: which part of the table can have tasks of a time.
 *
 * Ids rise with time as far as the clock does. The table knows by how much a task was at most
 * created before one with a lower id (setback_ms), so that one look at a task says for all before,
 * or all behind it, that they are too old or too new. What is pending is not bounded: it is little.
 */
#ifndef RELAIS_STORE_SEEK_H
#define RELAIS_STORE_SEEK_H
#include "store/view.h"

/* Narrows [from, to], inclusive, to what may have been created from from_ms to to_ms (0 = open),
 * give or take `near` ids. Adds the tasks looked at to *looked. False when the table cannot be
 * read: see view->why. */
bool seek_ids(struct store_view *v, int64_t from_ms, int64_t to_ms, uint64_t near, uint64_t *from,
              uint64_t *to, uint64_t *looked);
/* What the table knows of itself; zeros when there is none. */
bool seek_state(struct store_view *v, struct table_state *state);
#endif
