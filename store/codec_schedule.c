#include "store/codec_schedule.h"

enum { TEXTS = 9 };

static void texts_of(struct schedule_record *s, struct slice *texts[TEXTS]) {
    struct slice *all[TEXTS] = {&s->name, &s->expression, &s->zone, &s->queue, &s->type,
                                &s->payload, &s->extra, &s->owner, &s->body};
    memcpy(texts, all, sizeof all);
}

uint8_t *schedule_value_put(uint8_t *p, const struct schedule_record *record) {
    struct schedule_record s = *record;
    struct slice *texts[TEXTS];
    const int64_t times[] = {s.created_ms, s.updated_ms, s.start_ms, s.end_ms,
                             s.next_ms,    s.last_ms,    s.late_ms,  s.keep_ms};
    const uint32_t numbers[] = {s.brand,     s.version, s.executions, s.executions_max,
                                s.succeeded, s.failed,  s.timeout_ms, s.retries};
    const uint8_t bytes[] = {s.kind, s.priority, s.dialect, s.misfire, s.last_status, s.active};
    p = put_varint(p, s.id);
    p = put_varint(p, s.last_task);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) p = put_varint(p, numbers[i]);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        p = put_varint(p, (uint64_t)times[i]);
    for (size_t i = 0; i < sizeof bytes; i++) *p++ = bytes[i];
    texts_of(&s, texts);
    for (size_t i = 0; i < TEXTS; i++) p = put_slice(p, *texts[i]);
    p = put_varint(p, s.manual);
    p = put_varint(p, s.stamp);
    return put_varint(p, (uint64_t)s.run_ms);
}

void schedule_value_get(struct reader *r, struct schedule_record *s) {
    struct slice *texts[TEXTS];
    *s = (struct schedule_record){.id = get_varint(r)};
    s->last_task = get_varint(r);
    uint32_t *numbers[] = {&s->brand, &s->version, &s->executions, &s->executions_max,
                           &s->succeeded, &s->failed, &s->timeout_ms};
    int64_t *times[] = {&s->created_ms, &s->updated_ms, &s->start_ms, &s->end_ms,
                        &s->next_ms, &s->last_ms, &s->late_ms, &s->keep_ms};
    uint8_t *bytes[] = {&s->kind, &s->priority, &s->dialect, &s->misfire, &s->last_status};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = (uint32_t)get_max(r, UINT32_MAX);
    s->retries = (uint16_t)get_max(r, UINT16_MAX);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) *times[i] = (int64_t)get_varint(r);
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) *bytes[i] = get_u8(r);
    const uint8_t active = get_u8(r);
    s->active = active != 0;
    if (active > 1 || s->priority >= PRIORITY_COUNT || s->misfire >= MISFIRE_COUNT ||
        s->last_status >= STATUS_COUNT)
        r->bad = true;
    texts_of(s, texts);
    for (size_t i = 0; i < TEXTS; i++) *texts[i] = get_slice(r);
    s->manual = (uint32_t)get_max(r, UINT32_MAX);
    s->stamp = (uint32_t)get_max(r, UINT32_MAX);
    s->run_ms = (int64_t)get_varint(r);
}

size_t schedule_slices_len(const struct schedule_record *record) {
    struct schedule_record s = *record;
    struct slice *texts[TEXTS];
    size_t len = 0;
    texts_of(&s, texts);
    for (size_t i = 0; i < TEXTS; i++) len += texts[i]->len;
    return len;
}
