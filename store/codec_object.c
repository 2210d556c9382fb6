#include "store/codec_object.h"

enum { OBJECT_KEYS = 1, OBJECT_OWNER = 2, OBJECT_UNTIL = 4, OBJECT_FILE = 8, OBJECT_MASK = 15 };

uint8_t *object_keys_put(uint8_t *p, const struct object_record *o) {
    p = put_u64(p, o->id);
    *p++ = o->kind;
    uint8_t *mask = p++;
    *mask = 0;
    p = put_varint(p, o->brand);
    p = put_slice(p, o->name);
    if (o->keys.len) { *mask |= OBJECT_KEYS; p = put_slice(p, o->keys); }
    if (o->owner.len) { *mask |= OBJECT_OWNER; p = put_slice(p, o->owner); }
    if (o->until_ms) { *mask |= OBJECT_UNTIL; p = put_varint(p, (uint64_t)o->until_ms); }
    if (o->file) *mask |= OBJECT_FILE;
    return p;
}

static uint8_t keys_get(struct reader *r, struct object_record *o) {
    *o = (struct object_record){.id = get_u64(r)};
    o->kind = get_u8(r);
    uint8_t mask = get_u8(r);
    if (mask & ~OBJECT_MASK) r->bad = true;
    o->brand = (uint32_t)get_max(r, UINT32_MAX);
    o->name = get_name(r);
    if (mask & OBJECT_KEYS) o->keys = get_keys(r);
    if (mask & OBJECT_OWNER) o->owner = get_name(r);
    if (mask & OBJECT_UNTIL) o->until_ms = (int64_t)get_max(r, INT64_MAX);
    return mask;
}

void object_keys_get(struct reader *r, struct object_record *o) {
    if (keys_get(r, o) & OBJECT_FILE) r->bad = true;
}

uint8_t *object_value_put(uint8_t *p, const struct object_record *o) {
    p = object_keys_put(p, o);
    p = put_varint(p, o->version);
    p = put_varint(p, (uint64_t)o->created_ms);
    p = put_near(p, (uint64_t)o->updated_ms, (uint64_t)o->created_ms);
    if (o->file) {
        p = put_varint(p, o->file);
        p = put_varint(p, o->file_size);
        p = put_slice(p, o->file_name);
        p = put_slice(p, o->file_mime);
        p = put_slice(p, o->file_hash);
    }
    return put_slice(p, o->body);
}

void object_value_get(struct reader *r, struct object_record *o) {
    uint8_t mask = keys_get(r, o);
    o->version = (uint32_t)get_max(r, UINT32_MAX);
    o->created_ms = (int64_t)get_varint(r);
    o->updated_ms = (int64_t)get_near(r, (uint64_t)o->created_ms);
    if (mask & OBJECT_FILE) {
        o->file = get_varint(r);
        o->file_size = get_varint(r);
        o->file_name = get_slice(r);
        o->file_mime = get_slice(r);
        o->file_hash = get_slice(r);
        if (!o->file || (o->file_hash.len && o->file_hash.len != 32)) r->bad = true;
    }
    o->body = get_slice(r);
}
