#include "proto/object.h"
#include "proto/decode.h"
#include "proto/encode.h"

enum { OBJECT_ELEMENTS = 16, EVENT_ELEMENTS = 5, ROW_DEPTH = 1 };

struct object_row object_row_of(const struct object_record *o) {
    return (struct object_row){
        .id = o->id, .kind = o->kind, .brand = o->brand, .version = o->version,
        .created_ms = o->created_ms, .updated_ms = o->updated_ms, .until_ms = o->until_ms,
        .name = o->name, .body = o->body, .owner = o->owner, .file = o->file,
        .file_size = o->file_size, .file_name = o->file_name, .file_mime = o->file_mime,
        .file_hash = o->file_hash};
}

void object_row_put(struct buffer *b, const struct object_row *row) {
    encode_array(b, OBJECT_ELEMENTS);
    encode_uint(b, row->id);
    encode_uint(b, row->kind);
    encode_uint(b, row->brand);
    encode_text(b, row->name);
    encode_bin(b, row->body);
    encode_int(b, row->created_ms);
    encode_int(b, row->updated_ms);
    encode_uint(b, row->version);
    encode_text(b, row->owner);
    encode_int(b, row->until_ms);
    encode_uint(b, row->file);
    encode_uint(b, row->file_size);
    encode_text(b, row->file_name);
    encode_text(b, row->file_mime);
    encode_bin(b, row->file_hash);
    encode_uint(b, row->ticket);
}

static bool number_read(struct decode *d, uint64_t max, uint64_t *value) {
    return decode_uint(d, value) && *value <= max;
}

static bool text_read(struct decode *d, struct slice *text) {
    return decode_slice(d, text) && decode_utf8(*text);
}

static bool rest_skip(struct decode *d, uint32_t count, uint32_t known) {
    for (; count > known; count--)
        if (!decode_skip(d, ROW_DEPTH)) return false;
    return true;
}

static bool file_read(struct decode *d, struct object_row *row) {
    return decode_uint(d, &row->file) && decode_uint(d, &row->file_size) &&
           text_read(d, &row->file_name) && text_read(d, &row->file_mime) &&
           decode_slice(d, &row->file_hash) &&
           (row->file_hash.len == 0 || row->file_hash.len == OBJECT_HASH_BYTES) &&
           decode_uint(d, &row->ticket);
}

static bool row_read(struct decode *d, struct object_row *ret) {
    struct object_row row = {0};
    uint32_t count;
    uint64_t kind, brand, version;
    if (!decode_array(d, &count) || count < OBJECT_ELEMENTS) return false;
    if (!decode_uint(d, &row.id) || !number_read(d, UINT8_MAX, &kind)) return false;
    if (!number_read(d, UINT32_MAX, &brand) || !text_read(d, &row.name)) return false;
    if (!decode_slice(d, &row.body) || !decode_int(d, &row.created_ms)) return false;
    if (!decode_int(d, &row.updated_ms) || !number_read(d, UINT32_MAX, &version)) return false;
    if (!text_read(d, &row.owner) || !decode_int(d, &row.until_ms)) return false;
    if (!file_read(d, &row) || !rest_skip(d, count, OBJECT_ELEMENTS)) return false;
    row.kind = (uint8_t)kind;
    row.brand = (uint32_t)brand;
    row.version = (uint32_t)version;
    *ret = row;
    return true;
}

bool object_row_read(struct slice body, struct object_row *ret) {
    struct decode d = decode_of(body.data, body.len);
    struct object_row row;
    if (!row_read(&d, &row) || decode_left(&d) != 0) return false;
    *ret = row;
    return true;
}

bool object_row_next(struct slice rows, uint32_t *at, struct object_row *ret) {
    if (*at >= rows.len) return false;
    struct decode d = decode_of(rows.data + *at, rows.len - *at);
    if (!row_read(&d, ret)) return false;
    *at = rows.len - (uint32_t)decode_left(&d);
    return true;
}

bool file_link_read(struct slice body, uint64_t *id, uint64_t *size, struct slice *hash) {
    struct decode d = decode_of(body.data, body.len);
    uint32_t count;
    uint64_t new_id, bytes;
    struct slice sum;
    if (!decode_array(&d, &count) || count < 3 || !decode_uint(&d, &new_id)) return false;
    if (!decode_uint(&d, &bytes) || !decode_slice(&d, &sum)) return false;
    if (new_id == 0 || sum.len != OBJECT_HASH_BYTES) return false;
    *id = new_id;
    *size = bytes;
    *hash = sum;
    return true;
}

void feed_row_put(struct buffer *b, const struct feed_row *row) {
    encode_array(b, EVENT_ELEMENTS);
    encode_uint(b, row->seq);
    encode_int(b, row->time_ms);
    encode_text(b, row->topic);
    encode_text(b, row->key);
    encode_bin(b, row->data);
}

bool feed_row_next(struct slice rows, uint32_t *at, struct feed_row *ret) {
    if (*at >= rows.len) return false;
    struct decode d = decode_of(rows.data + *at, rows.len - *at);
    struct feed_row row;
    uint32_t count;
    if (!decode_array(&d, &count) || count < EVENT_ELEMENTS) return false;
    if (!decode_uint(&d, &row.seq) || !decode_int(&d, &row.time_ms)) return false;
    if (!text_read(&d, &row.topic) || !text_read(&d, &row.key)) return false;
    if (!decode_slice(&d, &row.data) || !rest_skip(&d, count, EVENT_ELEMENTS)) return false;
    *at = rows.len - (uint32_t)decode_left(&d);
    *ret = row;
    return true;
}

void feed_next_put(struct buffer *b, uint64_t seq) { encode_uint(b, seq); }

uint64_t feed_next_read(struct slice next) {
    struct decode d = decode_of(next.data, next.len);
    uint64_t seq;
    return decode_uint(&d, &seq) && decode_left(&d) == 0 ? seq : 0;
}
