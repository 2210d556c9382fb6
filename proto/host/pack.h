/* pack.h - bytes that are kept long and read seldom, made smaller with zstd. */
#ifndef RELAIS_PROTO_HOST_PACK_H
#define RELAIS_PROTO_HOST_PACK_H
#include "proto/base/bytes.h"
#include <stdbool.h>

/* Appends the packed bytes; false when memory is out. */
bool pack_bytes(struct slice bytes, struct buffer *packed);
/* Appends what was packed; false when these are no packed bytes, or of another size. */
bool pack_open(struct slice packed, uint32_t size, struct buffer *bytes);
#endif
