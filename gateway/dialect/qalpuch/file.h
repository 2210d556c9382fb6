/* file.h - the files of dialect 000 as its other files need them.
 *
 * A file is an object of kind "file": its name is its cuid, its owner the user who uploaded it,
 * and it owns the sealed upload. Its body says how it is called now: {"filename": text}. */
#ifndef RELAIS_GATEWAY_DIALECT_QALPUCH_FILE_H
#define RELAIS_GATEWAY_DIALECT_QALPUCH_FILE_H
#include "gateway/exchange.h"
#include "proto/object.h"

/* The row is borrowed for the call. */
typedef void file_then(struct exchange *x, const struct object_row *row);

/* Reads the file with this cuid in the caller's brand; refuses as not found. `then` is told for a
 * file of anybody: who may have it is the caller's business. */
void file_find(struct exchange *x, struct slice cuid, file_then *then);
/* How it is called now; lives as long as the exchange or the row. */
struct slice file_name(struct exchange *x, const struct object_row *row);
#endif
