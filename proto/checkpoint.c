#include "proto/checkpoint.h"
#include "proto/base/map.h"
#include "proto/decode.h"
#include "proto/encode.h"

enum { ROW_ELEMENTS = 11, ROW_DEPTH = 1 };

void checkpoint_row_put(struct buffer *b, const struct checkpoint_record *r) {
    encode_array(b, ROW_ELEMENTS);
    encode_uint(b, r->seq);
    encode_uint(b, r->epoch);
    encode_int(b, r->time_ms);
    encode_text(b, r->name);
    encode_bin(b, r->data);
    encode_uint(b, r->number);
    encode_uint(b, r->id);
    encode_uint(b, r->brand);
    encode_uint(b, r->flags);
    encode_uint(b, r->size);
    encode_uint(b, r->sum);
}

static bool below(struct decode *d, uint64_t max, uint64_t *value) {
    return decode_uint(d, value) && *value <= max;
}

bool checkpoint_row_next(struct slice rows, uint32_t *at, struct checkpoint_record *ret) {
    if (*at >= rows.len) return false;
    struct decode d = decode_of(rows.data + *at, rows.len - *at);
    struct checkpoint_record r = {0};
    uint64_t seq, brand, flags, size;
    uint32_t count;
    if (!decode_array(&d, &count) || count < ROW_ELEMENTS) return false;
    if (!below(&d, UINT32_MAX, &seq) || !decode_uint(&d, &r.epoch)) return false;
    if (!decode_int(&d, &r.time_ms) || !decode_slice(&d, &r.name)) return false;
    if (!decode_slice(&d, &r.data) || !decode_uint(&d, &r.number)) return false;
    if (!decode_uint(&d, &r.id) || !below(&d, UINT32_MAX, &brand)) return false;
    if (!below(&d, UINT8_MAX, &flags) || !below(&d, UINT32_MAX, &size)) return false;
    if (!decode_uint(&d, &r.sum)) return false;
    for (uint32_t i = ROW_ELEMENTS; i < count; i++)
        if (!decode_skip(&d, ROW_DEPTH)) return false;
    r.seq = (uint32_t)seq;
    r.brand = (uint32_t)brand;
    r.flags = (uint8_t)flags;
    r.size = (uint32_t)size;
    *at = (uint32_t)(d.at - rows.data);
    *ret = r;
    return true;
}

bool checkpoint_whole(const struct checkpoint_record *r) {
    return r->data.len == r->size && hash_bytes(0, r->data.data, r->data.len) == r->sum;
}
