#include "worker/view.h"
#include <stdlib.h>

/* The block of a view: the struct, then rows, then texts and bytes. */
struct place { uint8_t *at; };

static const void *bytes_put(struct place *p, struct slice bytes) {
    uint8_t *at = p->at;
    if (bytes.len) memcpy(at, bytes.data, bytes.len);
    p->at += bytes.len;
    return at;
}

static const char *text_put_at(struct place *p, struct slice text) {
    const char *at = bytes_put(p, text);
    *p->at++ = 0;
    return at;
}

static uint32_t lines_count(struct slice rows, size_t *texts) {
    struct log_record log;
    uint32_t count = 0;
    for (uint32_t at = 0; log_next(rows, &at, &log); count++) *texts += log.text.len + 1;
    return count;
}

/* Counts into *made; returns the bytes of their rows. */
static size_t rows_size(const struct view *v, struct relais_view *made, size_t *texts) {
    struct attempt_record attempt;
    size_t attempts = 0;
    for (uint32_t at = 0; attempt_next(v->attempts, &at, &attempt); attempts++)
        *texts += attempt.worker.len + attempt.message.len + 2;
    made->attempt_count = attempts;
    made->line_count = lines_count(v->logs, texts);
    made->part_count = lines_count(v->parts, texts);
    return attempts * sizeof(struct relais_attempt) +
           (made->line_count + made->part_count) * sizeof(struct relais_line);
}

static size_t texts_size(const struct view *v) {
    const struct slice all[] = {
        v->queue, v->type, v->labels, v->worker, v->progress_text, v->body.payload, v->body.extra,
        v->body.owner, v->body.key, v->source_name, v->source_mime, v->result.result,
        v->result.metrics, v->result.message, v->result_name, v->result_mime};
    size_t size = sizeof all / sizeof all[0];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) size += all[i].len;
    return size;
}

static void lines_make(struct relais_line *l, struct slice rows, struct place *p) {
    struct log_record log;
    for (uint32_t at = 0; log_next(rows, &at, &log); l++)
        *l = (struct relais_line){.line = log.line, .level = log.level, .time_ms = log.time_ms,
                                  .text = text_put_at(p, log.text)};
}

static void rows_make(struct relais_view *r, const struct view *v, struct place *rows,
                      struct place *p) {
    struct attempt_record attempt;
    struct relais_attempt *a = (struct relais_attempt *)(void *)rows->at;
    struct relais_line *l = (struct relais_line *)(void *)(a + r->attempt_count);
    r->attempts = a;
    r->lines = l;
    r->parts = l + r->line_count;
    for (uint32_t at = 0; attempt_next(v->attempts, &at, &attempt); a++)
        *a = (struct relais_attempt){
            .epoch = attempt.epoch, .started_ms = attempt.started_ms,
            .ended_ms = attempt.ended_ms, .run = attempt.run, .attempt = attempt.attempt,
            .reason = attempt.reason, .worker = text_put_at(p, attempt.worker),
            .message = text_put_at(p, attempt.message)};
    lines_make(l, v->logs, p);
    lines_make(l + r->line_count, v->parts, p);
}

static void head_make(struct relais_view *r, const struct view *v) {
    const struct task_head *h = &v->head;
    *r = (struct relais_view){
        .id = h->id, .epoch = h->epoch, .status = h->status, .reason = h->reason,
        .priority = h->priority + 1, .progress = h->progress, .brand = h->brand,
        .version = h->version, .run = h->run, .attempt = h->attempt,
        .retry_count = h->retry_count, .retries = h->max_retries, .crashes = h->crashes,
        .checkpoint = h->checkpoint, .resume = h->resume,
        .timeout_ms = h->timeout_ms, .created_ms = h->created_ms, .updated_ms = h->updated_ms,
        .started_ms = h->started_ms, .finished_ms = h->finished_ms, .due_ms = h->due_ms,
        .keep_ms = h->keep_ms == KEEP_NONE ? RELAIS_KEEP_NONE : h->keep_ms,
        .lease_until_ms = v->lease_until_ms, .place = v->place,
        .accepted = h->flags & TASK_ACCEPTED, .payload_len = h->payload_len,
        .result_len = h->result_len, .parts_total = h->parts};
}

static void body_make(struct relais_view *r, const struct view *v, struct place *p) {
    r->queue = text_put_at(p, v->queue);
    r->type = text_put_at(p, v->type);
    r->labels = text_put_at(p, v->labels);
    r->worker = text_put_at(p, v->worker.len ? v->worker : v->result.worker);
    r->progress_text = text_put_at(p, v->progress_text);
    r->payload = bytes_put(p, v->body.payload);
    r->payload_given = v->body.payload.len;
    r->extra = bytes_put(p, v->body.extra);
    r->extra_len = v->body.extra.len;
    r->owner = text_put_at(p, v->body.owner);
    r->key = text_put_at(p, v->body.key);
    r->source = v->body.source_file;
    r->source_size = v->source_size;
    r->source_ticket = v->source_ticket;
    r->source_name = text_put_at(p, v->source_name);
    r->source_mime = text_put_at(p, v->source_mime);
    r->result = bytes_put(p, v->result.result);
    r->result_given = v->result.result.len;
    r->metrics = bytes_put(p, v->result.metrics);
    r->metrics_len = v->result.metrics.len;
    r->message = text_put_at(p, v->result.message);
    r->result_file = v->result.result_file;
    r->result_size = v->result_size;
    r->result_ticket = v->result_ticket;
    r->result_name = text_put_at(p, v->result_name);
    r->result_mime = text_put_at(p, v->result_mime);
}

struct relais_view *view_make(const struct view *v) {
    struct relais_view counts = {.id = 0};
    size_t texts = texts_size(v) + v->result.worker.len;
    size_t rows = rows_size(v, &counts, &texts);
    struct relais_view *r = malloc(sizeof *r + rows + texts);
    if (!r) return NULL;
    struct place row_place = {(uint8_t *)(r + 1)}, text_place = {(uint8_t *)(r + 1) + rows};
    head_make(r, v);
    r->attempt_count = counts.attempt_count;
    r->line_count = counts.line_count;
    r->part_count = counts.part_count;
    rows_make(r, v, &row_place, &text_place);
    body_make(r, v, &text_place);
    return r;
}

void relais_view_free(struct relais_view **self) {
    free(*self);
    *self = NULL;
}
