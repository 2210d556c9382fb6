/* ids.h - the key of id.h with its hash, SipHash-2-4. */
#ifndef RELAIS_PROTO_HOST_IDS_H
#define RELAIS_PROTO_HOST_IDS_H
#include "proto/id.h"

/* 16 bytes, borrowed; NULL = zeros. */
struct id_key id_key_of(const uint8_t *key);
#endif
