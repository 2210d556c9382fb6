/* load.h - a stored file read into memory, for results that outgrew a message.
 *
 * Asks the file endpoint for the file in chunks of LOAD_CHUNK and calls `then` once with all of
 * it; one file at a time. Bytes live as long as the exchange. Only for files of at most LOAD_MAX
 * bytes: asserted.
 *
 * Refusals end the exchange: NOT_FOUND, UNAVAILABLE. */
#ifndef RELAIS_GATEWAY_DIALECT_LOAD_H
#define RELAIS_GATEWAY_DIALECT_LOAD_H
#include "gateway/exchange.h"

enum { LOAD_CHUNK = 256 << 10, LOAD_MAX = 4 << 20 };

typedef void load_then(struct exchange *x, struct slice bytes);

void load_file(struct exchange *x, uint64_t file, uint64_t size, uint64_t ticket,
               load_then *then);
#endif
