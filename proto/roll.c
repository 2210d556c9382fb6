#include "proto/roll.h"
#include "proto/decode.h"
#include "proto/encode.h"

enum { ROW_ELEMENTS = 10, TASK_ELEMENTS = 3 };

void roll_row_put(struct buffer *b, const struct roll_row *row) {
    encode_array(b, ROW_ELEMENTS);
    encode_text(b, row->name);
    encode_uint(b, row->brand);
    encode_bool(b, row->http);
    encode_bool(b, row->online);
    encode_uint(b, row->slots);
    encode_uint(b, row->held);
    encode_uint(b, row->started);
    encode_int(b, row->heard_ms);
    encode_text(b, row->queues);
    encode_bin(b, row->tasks);
}

void roll_task_put(struct buffer *b, const struct roll_task *task) {
    encode_array(b, TASK_ELEMENTS);
    encode_uint(b, task->id);
    encode_text(b, task->type);
    encode_int(b, task->started_ms);
}

static bool rest_skip(struct decode *d, uint32_t count, uint32_t known) {
    for (; count > known; count--)
        if (!decode_skip(d, 1)) return false;
    return true;
}

static bool number_read(struct decode *d, uint32_t *ret) {
    uint64_t number;
    if (!decode_uint(d, &number) || number > UINT32_MAX) return false;
    *ret = (uint32_t)number;
    return true;
}

bool roll_row_next(struct slice rows, uint32_t *at, struct roll_row *ret) {
    struct decode d = decode_of(rows.data + *at, rows.len - *at);
    struct roll_row row = {0};
    uint32_t count;
    if (!decode_array(&d, &count) || count < ROW_ELEMENTS || !decode_slice(&d, &row.name) ||
        !number_read(&d, &row.brand) || !decode_bool(&d, &row.http) ||
        !decode_bool(&d, &row.online) || !number_read(&d, &row.slots) ||
        !number_read(&d, &row.held) || !number_read(&d, &row.started) ||
        !decode_int(&d, &row.heard_ms) || !decode_slice(&d, &row.queues) ||
        !decode_slice(&d, &row.tasks) || !rest_skip(&d, count, ROW_ELEMENTS))
        return false;
    *at = (uint32_t)(d.at - rows.data);
    *ret = row;
    return true;
}

bool roll_task_next(struct slice tasks, uint32_t *at, struct roll_task *ret) {
    struct decode d = decode_of(tasks.data + *at, tasks.len - *at);
    struct roll_task task = {0};
    uint32_t count;
    if (!decode_array(&d, &count) || count < TASK_ELEMENTS || !decode_uint(&d, &task.id) ||
        !decode_slice(&d, &task.type) || !decode_int(&d, &task.started_ms) ||
        !rest_skip(&d, count, TASK_ELEMENTS))
        return false;
    *at = (uint32_t)(d.at - tasks.data);
    *ret = task;
    return true;
}
