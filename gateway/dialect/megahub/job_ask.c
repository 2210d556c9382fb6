#include "gateway/dialect/megahub/job_ask.h"
#include "proto/decode.h"
#include "proto/encode.h"
#include <stdio.h>

enum { DIGITS_MAX = 24 };

void job_ask_number(struct job_ask *ask, const char *field, const char *op, int64_t value) {
    char digits[DIGITS_MAX];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    encode_array(&ask->predicates, 3);
    encode_text(&ask->predicates, slice_text(field));
    encode_text(&ask->predicates, slice_text(op));
    encode_text(&ask->predicates, slice_text(digits));
    ask->count++;
}

void job_ask_wire(struct job_ask *ask, struct slice filter) {
    struct decode d = decode_of(filter.data, filter.len);
    uint32_t count;
    if (filter.len == 0 || !decode_array(&d, &count)) return;
    buffer_append(&ask->predicates, d.at, decode_left(&d));
    ask->count += count;
}

void job_ask_send(struct exchange *x, struct job_ask *ask, uint32_t statuses, uint32_t limit,
                  exchange_then *then) {
    struct message m = {.verb = VERB_ASK};
    struct buffer wire = {0};
    encode_array(&wire, ask->count);
    buffer_append(&wire, ask->predicates.data, ask->predicates.len);
    m.question = (struct question){.kind = slice_text("tasks"), .brand = x->who.brand,
                                   .priority = -1, .dialect = -1, .descending = true,
                                   .status_mask = statuses, .limit = limit, .count = true,
                                   .want = WANT_BODY | WANT_RESULT,
                                   .filter = buffer_slice(&wire)};
    exchange_send(x, &m, then);
    buffer_free(&wire);
    buffer_free(&ask->predicates);
}

struct jobs *jobs_of_rows(struct exchange *x, const struct message *answer) {
    struct jobs *jobs = exchange_alloc(x, sizeof *jobs);
    struct frame frame = {0};
    struct message row;
    uint32_t at = 0;
    jobs->list = exchange_alloc(x, (answer->rows.row_count + 1) * sizeof *jobs->list);
    while (jobs->count < answer->rows.row_count && row_next(&frame, answer->rows.rows, &at, &row))
        jobs->list[jobs->count++] = job_of_view(x, &row.view);
    frame_free(&frame);
    return jobs;
}
