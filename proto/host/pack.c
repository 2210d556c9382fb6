#include "proto/host/pack.h"
#include <zstd.h>

enum { PACK_LEVEL = 9 };

bool pack_bytes(struct slice bytes, struct buffer *packed) {
    const size_t bound = ZSTD_compressBound(bytes.len);
    if (!buffer_reserve(packed, bound)) return false;
    const size_t len = ZSTD_compress(packed->data + packed->len, bound, bytes.data, bytes.len,
                                     PACK_LEVEL);
    if (ZSTD_isError(len)) return false;
    packed->len += len;
    return true;
}

bool pack_open(struct slice packed, uint32_t size, struct buffer *bytes) {
    if (!buffer_reserve(bytes, size)) return false;
    const size_t len = ZSTD_decompress(bytes->data + bytes->len, size, packed.data, packed.len);
    if (ZSTD_isError(len) || len != size) return false;
    bytes->len += len;
    return true;
}
