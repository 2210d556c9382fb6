/* packed.c - the lists inside messages: little-endian rows, see message.h. */
#include "proto/message.h"
#include <assert.h>

enum { HELD_ROW = 21, VERDICT_ROW = 17, ATTEMPT_ROW = 41, LOG_ROW = 21 };

static void number_put(struct buffer *b, uint64_t value, uint32_t bytes) {
    uint8_t raw[8];
    for (uint32_t i = 0; i < bytes; i++) raw[i] = (uint8_t)(value >> (8 * i));
    buffer_append(b, raw, bytes);
}

static uint64_t number_at(const uint8_t *at, uint32_t bytes) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

bool text_next(struct slice list, uint32_t *at, struct slice *text) {
    if (list.len - *at < 2 || *at > list.len) return false;
    uint32_t len = (uint32_t)number_at(list.data + *at, 2);
    if (list.len - *at - 2 < len) return false;
    *text = slice_of(list.data + *at + 2, len);
    *at += 2 + len;
    return true;
}

void text_put(struct buffer *b, struct slice text) {
    assert(text.len <= UINT16_MAX);
    number_put(b, text.len, 2);
    buffer_append(b, text.data, text.len);
}

struct held held_at(const struct hello *h, uint32_t index) {
    assert(index < h->held.len / HELD_ROW);
    const uint8_t *at = h->held.data + (size_t)index * HELD_ROW;
    return (struct held){.task = number_at(at, 8), .epoch = number_at(at + 8, 8),
                         .checkpoint = (uint32_t)number_at(at + 16, 4), .started = at[20] != 0};
}

void held_put(struct buffer *b, struct held held) {
    number_put(b, held.task, 8);
    number_put(b, held.epoch, 8);
    number_put(b, held.checkpoint, 4);
    number_put(b, held.started, 1);
}

struct verdict_row verdict_at(struct slice verdicts, uint32_t index) {
    assert(index < verdicts.len / VERDICT_ROW);
    const uint8_t *at = verdicts.data + (size_t)index * VERDICT_ROW;
    return (struct verdict_row){
        .task = number_at(at, 8), .epoch = number_at(at + 8, 8), .verdict = at[16]};
}

void verdict_put(struct buffer *b, struct verdict_row row) {
    number_put(b, row.task, 8);
    number_put(b, row.epoch, 8);
    number_put(b, row.verdict, 1);
}

/* The row at *at, whose length stands before it; false when there is none, or it is short. */
static bool entry_next(struct slice list, uint32_t *at, uint32_t fixed, struct slice *row) {
    if (*at > list.len || list.len - *at < 4) return false;
    uint32_t len = (uint32_t)number_at(list.data + *at, 4);
    if (len < fixed || list.len - *at - 4 < len) return false;
    *row = slice_of(list.data + *at + 4, len);
    *at += 4 + len;
    return true;
}

bool attempt_next(struct slice attempts, uint32_t *at, struct attempt_record *row) {
    struct slice raw;
    if (!entry_next(attempts, at, ATTEMPT_ROW, &raw)) return false;
    const uint8_t *p = raw.data;
    uint32_t worker = (uint32_t)number_at(p + 37, 4);
    if (worker > raw.len - ATTEMPT_ROW) return false;
    *row = (struct attempt_record){
        .id = number_at(p, 8), .epoch = number_at(p + 8, 8),
        .started_ms = (int64_t)number_at(p + 16, 8), .ended_ms = (int64_t)number_at(p + 24, 8),
        .run = (uint16_t)number_at(p + 32, 2), .attempt = (uint16_t)number_at(p + 34, 2),
        .reason = p[36], .worker = slice_of(p + ATTEMPT_ROW, worker),
        .message = slice_of(p + ATTEMPT_ROW + worker, raw.len - ATTEMPT_ROW - worker)};
    return true;
}

void attempt_put(struct buffer *b, const struct attempt_record *row) {
    number_put(b, (uint64_t)ATTEMPT_ROW + row->worker.len + row->message.len, 4);
    number_put(b, row->id, 8);
    number_put(b, row->epoch, 8);
    number_put(b, (uint64_t)row->started_ms, 8);
    number_put(b, (uint64_t)row->ended_ms, 8);
    number_put(b, row->run, 2);
    number_put(b, row->attempt, 2);
    number_put(b, row->reason, 1);
    number_put(b, row->worker.len, 4);
    buffer_append(b, row->worker.data, row->worker.len);
    buffer_append(b, row->message.data, row->message.len);
}

bool log_next(struct slice logs, uint32_t *at, struct log_record *row) {
    struct slice raw;
    if (!entry_next(logs, at, LOG_ROW, &raw)) return false;
    const uint8_t *p = raw.data;
    *row = (struct log_record){
        .id = number_at(p, 8), .time_ms = (int64_t)number_at(p + 8, 8),
        .line = (uint32_t)number_at(p + 16, 4), .level = p[20],
        .text = slice_of(p + LOG_ROW, raw.len - (LOG_ROW))};
    return true;
}

void log_put(struct buffer *b, const struct log_record *row) {
    number_put(b, (uint64_t)LOG_ROW + row->text.len, 4);
    number_put(b, row->id, 8);
    number_put(b, (uint64_t)row->time_ms, 8);
    number_put(b, row->line, 4);
    number_put(b, row->level, 1);
    buffer_append(b, row->text.data, row->text.len);
}
