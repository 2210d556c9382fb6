#include "proto/schedule.h"
#include "proto/decode.h"
#include "proto/encode.h"

enum { ROW_FIELDS = 36, ROW_DEPTH = 2 };

void schedule_row_put(struct buffer *b, const struct schedule_record *s) {
    encode_array(b, ROW_FIELDS);
    encode_uint(b, s->id);
    encode_uint(b, s->kind);
    encode_uint(b, s->brand);
    encode_uint(b, s->version);
    encode_text(b, s->name);
    encode_text(b, s->expression);
    encode_text(b, s->zone);
    encode_int(b, s->created_ms);
    encode_int(b, s->updated_ms);
    encode_int(b, s->start_ms);
    encode_int(b, s->end_ms);
    encode_int(b, s->next_ms);
    encode_int(b, s->last_ms);
    encode_bool(b, s->active);
    encode_uint(b, s->executions);
    encode_uint(b, s->executions_max);
    encode_uint(b, s->succeeded);
    encode_uint(b, s->failed);
    encode_uint(b, s->last_task);
    encode_uint(b, s->last_status);
    encode_int(b, s->late_ms);
    encode_uint(b, s->misfire);
    encode_text(b, s->queue);
    encode_text(b, s->type);
    encode_uint(b, s->priority);
    encode_bin(b, s->payload);
    encode_bin(b, s->extra);
    encode_text(b, s->owner);
    encode_bin(b, s->body);
    encode_uint(b, s->retries);
    encode_uint(b, s->timeout_ms);
    encode_int(b, s->keep_ms);
    encode_uint(b, s->dialect);
    encode_uint(b, s->manual);
    encode_uint(b, s->stamp);
    encode_int(b, s->run_ms);
}

struct row_reader { struct decode d; bool bad; };

static uint64_t take(struct row_reader *r, uint64_t max) {
    uint64_t value = 0;
    if (!decode_uint(&r->d, &value) || value > max) r->bad = true;
    return value;
}

static int64_t take_int(struct row_reader *r) {
    int64_t value = 0;
    if (!decode_int(&r->d, &value)) r->bad = true;
    return value;
}

static struct slice take_slice(struct row_reader *r) {
    struct slice value = {0};
    if (!decode_slice(&r->d, &value)) r->bad = true;
    return value;
}

static void row_times(struct row_reader *r, struct schedule_record *s) {
    s->created_ms = take_int(r);
    s->updated_ms = take_int(r);
    s->start_ms = take_int(r);
    s->end_ms = take_int(r);
    s->next_ms = take_int(r);
    s->last_ms = take_int(r);
    if (!decode_bool(&r->d, &s->active)) r->bad = true;
    s->executions = (uint32_t)take(r, UINT32_MAX);
    s->executions_max = (uint32_t)take(r, UINT32_MAX);
    s->succeeded = (uint32_t)take(r, UINT32_MAX);
    s->failed = (uint32_t)take(r, UINT32_MAX);
    s->last_task = take(r, UINT64_MAX);
    s->last_status = (uint8_t)take(r, UINT8_MAX);
    s->late_ms = take_int(r);
    s->misfire = (uint8_t)take(r, UINT8_MAX);
}

static void row_runs(struct row_reader *r, struct schedule_record *s) {
    s->queue = take_slice(r);
    s->type = take_slice(r);
    s->priority = (uint8_t)take(r, UINT8_MAX);
    s->payload = take_slice(r);
    s->extra = take_slice(r);
    s->owner = take_slice(r);
    s->body = take_slice(r);
    s->retries = (uint16_t)take(r, UINT16_MAX);
    s->timeout_ms = (uint32_t)take(r, UINT32_MAX);
    s->keep_ms = take_int(r);
    s->dialect = (uint8_t)take(r, UINT8_MAX);
    s->manual = (uint32_t)take(r, UINT32_MAX);
    s->stamp = (uint32_t)take(r, UINT32_MAX);
    s->run_ms = take_int(r);
}

bool schedule_row_next(struct slice rows, uint32_t *at, struct schedule_record *ret) {
    if (*at >= rows.len) return false;
    struct row_reader r = {.d = decode_of(rows.data + *at, rows.len - *at)};
    struct schedule_record s = {0};
    uint32_t count;
    if (!decode_array(&r.d, &count) || count < ROW_FIELDS) return false;
    s.id = take(&r, UINT64_MAX);
    s.kind = (uint8_t)take(&r, UINT8_MAX);
    s.brand = (uint32_t)take(&r, UINT32_MAX);
    s.version = (uint32_t)take(&r, UINT32_MAX);
    s.name = take_slice(&r);
    s.expression = take_slice(&r);
    s.zone = take_slice(&r);
    row_times(&r, &s);
    row_runs(&r, &s);
    for (uint32_t i = ROW_FIELDS; i < count && !r.bad; i++) r.bad = !decode_skip(&r.d, ROW_DEPTH);
    if (r.bad) return false;
    *at = (uint32_t)(r.d.at - rows.data);
    *ret = s;
    return true;
}
