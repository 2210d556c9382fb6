#include "store/codec_fleet.h"

uint8_t *station_value_put(uint8_t *p, const struct station_record *s) {
    p = put_varint(p, s->brand);
    p = put_slice(p, s->name);
    p = put_varint(p, s->id);
    *p++ = s->status;
    *p++ = s->environment;
    *p++ = s->flags;
    p = put_varint(p, s->sessions_max);
    p = put_slice(p, s->endpoint);
    p = put_slice(p, s->description);
    p = put_slice(p, s->version);
    p = put_varint(p, (uint64_t)s->created_ms);
    p = put_varint(p, (uint64_t)s->updated_ms);
    return put_varint(p, (uint64_t)s->heard_ms);
}

void station_value_get(struct reader *r, struct station_record *s) {
    *s = (struct station_record){.brand = (uint32_t)get_max(r, UINT32_MAX)};
    s->name = get_name(r);
    s->id = get_varint(r);
    s->status = get_u8(r);
    s->environment = get_u8(r);
    s->flags = get_u8(r);
    if (s->status >= STATION_STATUS_COUNT || s->environment >= ENVIRONMENT_COUNT) r->bad = true;
    s->sessions_max = (uint32_t)get_max(r, UINT32_MAX);
    s->endpoint = get_slice(r);
    s->description = get_slice(r);
    s->version = get_slice(r);
    s->created_ms = (int64_t)get_varint(r);
    s->updated_ms = (int64_t)get_varint(r);
    s->heard_ms = (int64_t)get_varint(r);
}

uint8_t *session_value_put(uint8_t *p, const struct session_record *s) {
    p = put_varint(p, s->brand);
    p = put_slice(p, s->name);
    p = put_varint(p, s->id);
    *p++ = s->status;
    *p++ = s->flags;
    *p++ = s->before;
    p = put_varint(p, s->version);
    p = put_slice(p, s->owner);
    p = put_slice(p, s->title);
    p = put_slice(p, s->station);
    p = put_slice(p, s->phone);
    p = put_slice(p, s->display);
    p = put_slice(p, s->reason);
    p = put_varint(p, (uint64_t)s->created_ms);
    p = put_varint(p, (uint64_t)s->updated_ms);
    p = put_varint(p, (uint64_t)s->seen_ms);
    return put_varint(p, (uint64_t)s->reported_ms);
}

void session_value_get(struct reader *r, struct session_record *s) {
    *s = (struct session_record){.brand = (uint32_t)get_max(r, UINT32_MAX)};
    s->name = get_name(r);
    s->id = get_varint(r);
    s->status = get_u8(r);
    s->flags = get_u8(r);
    s->before = get_u8(r);
    if (s->status >= SESSION_STATUS_COUNT || s->before >= SESSION_STATUS_COUNT) r->bad = true;
    s->version = (uint32_t)get_max(r, UINT32_MAX);
    s->owner = get_slice(r);
    s->title = get_slice(r);
    s->station = get_name(r);
    s->phone = get_slice(r);
    s->display = get_slice(r);
    s->reason = get_slice(r);
    s->created_ms = (int64_t)get_varint(r);
    s->updated_ms = (int64_t)get_varint(r);
    s->seen_ms = (int64_t)get_varint(r);
    s->reported_ms = (int64_t)get_varint(r);
}

uint8_t *command_value_put(uint8_t *p, const struct command_record *c) {
    p = put_varint(p, c->id);
    p = put_near(p, c->order, c->id);
    p = put_varint(p, c->brand);
    *p++ = c->type;
    p = put_slice(p, c->station);
    p = put_slice(p, c->session);
    p = put_slice(p, c->payload);
    p = put_slice(p, c->key);
    return put_varint(p, (uint64_t)c->created_ms);
}

void command_value_get(struct reader *r, struct command_record *c) {
    *c = (struct command_record){.id = get_varint(r)};
    c->order = get_near(r, c->id);
    c->brand = (uint32_t)get_max(r, UINT32_MAX);
    c->type = get_u8(r);
    if (c->type >= COMMAND_TYPE_COUNT) r->bad = true;
    c->station = get_name(r);
    c->session = get_name(r);
    c->payload = get_slice(r);
    c->key = get_slice(r);
    c->created_ms = (int64_t)get_varint(r);
}

size_t station_slices_len(const struct station_record *s) {
    return (size_t)s->name.len + s->endpoint.len + s->description.len + s->version.len;
}

size_t session_slices_len(const struct session_record *s) {
    return (size_t)s->name.len + s->owner.len + s->title.len + s->station.len + s->phone.len +
           s->display.len + s->reason.len;
}

size_t command_slices_len(const struct command_record *c) {
    return (size_t)c->station.len + c->session.len + c->payload.len + c->key.len;
}
