/* heads.h - the heads of many tasks at once: those that stand near to each other are read in one
 * walk over all between, the others one by one. */
#ifndef RELAIS_STORE_HEADS_H
#define RELAIS_STORE_HEADS_H
#include "store/view.h"

/* Of ids in ascending order what the table has: pieces[i] is where in `bytes`, which is cleared
 * first, the i-th head lies; len UINT32_MAX = there is none. False when a read failed: see
 * view->why, or memory is out. */
bool heads_read(struct store_view *v, const uint64_t *ids, size_t count, struct buffer *bytes,
                struct piece *pieces);
#endif
