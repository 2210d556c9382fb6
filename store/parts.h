/* parts.h - heads, or results, of many tasks at once: those that stand near to each other are read
 * in one walk over all between, the others one by one. */
#ifndef RELAIS_STORE_PARTS_H
#define RELAIS_STORE_PARTS_H
#include "store/view.h"

/* kind: HEAD, BODY or RESULT. Of ids in ascending order what the table has: pieces[i] is where in
 * `bytes`, which is cleared first, the i-th lies; len UINT32_MAX = there is none. False when a read
 * failed: see view->why, or memory is out. */
bool parts_read(struct store_view *v, enum key_kind kind, const uint64_t *ids, size_t count,
                struct buffer *bytes, struct piece *pieces);
#endif

