/* item.h - one item between its bytes and its struct, along its layout. Private to proto. */
#ifndef RELAIS_PROTO_ITEM_H
#define RELAIS_PROTO_ITEM_H
#include "proto/decode.h"
#include "proto/layout.h"

/* Reads the item at d into m, whose verb is set. Packed lists are allocated and chained in
 * *packed, which the caller owns. False when a value is missing, of another type or out of its
 * range, or when the bytes end; the cursor is then anywhere within the item. */
bool item_read(struct decode *d, const struct layout *l, struct message *m, void **packed);
/* The same without clearing m->view first, for rows. */
bool array_read(struct decode *d, const struct layout *l, struct message *m, void **packed);
/* Appends the array to b. */
void array_write(struct buffer *b, const struct layout *l, const struct message *m);
/* Frees a chain of packed lists; *packed is NULL then. */
void packed_free(void **packed);
#endif
