#include "gateway/dialect/setting.h"
#include "gateway/dialect/speech/speech.h"
#include <strings.h>

enum { PAGE_SIZE = 20, PAGE_MAX = 10000 };
enum {
    WAITING = 1 << STATUS_SCHEDULED | 1 << STATUS_QUEUED,
    WORKING = 1 << STATUS_DELIVERED | 1 << STATUS_RUNNING | 1 << STATUS_PAUSED,
    OVER = 1 << STATUS_FAILED | 1 << STATUS_CANCELLED
};

static struct question jobs_question(const struct exchange *x) {
    return (struct question){.kind = slice_text("tasks"),
                             .queue = mode_queue(x, mode_of(x)),
                             .type = slice_text(mode_of(x)->type),
                             .brand = x->who.brand,
                             .priority = -1,
                             .dialect = SPEECH_NUMBER,
                             .count = true};
}

/* ---- jobs ---- */

struct page { int64_t number, size; };

/* The statuses that one of our words stands for; 0 = no such word. */
static uint32_t status_mask(const char *word) {
    if (strcasecmp(word, "PENDING") == 0 || strcasecmp(word, "QUEUED") == 0) return WAITING;
    if (strcasecmp(word, "PROCESSING") == 0 || strcasecmp(word, "IN_PROGRESS") == 0)
        return WORKING;
    if (strcasecmp(word, "COMPLETED") == 0) return 1 << STATUS_COMPLETED;
    if (strcasecmp(word, "CANCELLED") == 0) return 1 << STATUS_CANCELLED;
    return strcasecmp(word, "FAILED") == 0 ? OVER : 0;
}

bool job_list_read(struct exchange *x, struct message *m) {
    struct page *page = exchange_alloc(x, sizeof *page);
    const char *status = exchange_query(x, "status");
    const uint32_t most = setting_page_max(x);
    m->question = jobs_question(x);
    page->number = exchange_query_number(x, "page", 1, 1, PAGE_MAX);
    const int64_t usual = most < PAGE_SIZE ? most : PAGE_SIZE;
    page->size = exchange_query_number(x, "page_size", usual, 1, most);
    if (status != NULL && *status != '\0') {
        m->question.status_mask = status_mask(status);
        if (m->question.status_mask == 0)
            field_refuse(&x->errors, "status",
                         "status doit valoir PENDING, PROCESSING, COMPLETED, FAILED ou CANCELLED");
    }
    if (x->errors.count > 0) return exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
    m->question.descending = true;
    m->question.limit = (uint32_t)page->size;
    m->question.offset = (uint32_t)((page->number - 1) * page->size);
    x->state = page;
    return true;
}

static void job_write(struct exchange *x, const struct view *v) {
    struct out *o = &x->out;
    const char *state = job_state(v->head.status);
    out_object(o);
    job_id_write(x, v->head.id);
    out_key(o, "status");
    out_string(o, state);
    out_key(o, "state");
    out_string(o, state);
    if (v->head.status == STATUS_CANCELLED) {
        out_key(o, "cancelled");
        out_bool(o, true);
    }
    out_key(o, "language");
    out_string(o, job_language(x, v->labels));
    out_key(o, "progress");
    out_integer(o, v->head.status == STATUS_COMPLETED ? 100 : v->head.progress);
    out_key(o, "attempt_count");
    out_unsigned(o, v->head.attempt);
    out_key(o, "created_at");
    out_time(o, v->head.created_ms);
    out_key(o, "started_at");
    out_time(o, v->head.started_ms);
    out_key(o, "completed_at");
    out_time(o, v->head.finished_ms);
    out_object_end(o);
}

void job_list_write(struct exchange *x, const struct message *answer) {
    const struct page *page = x->state;
    const struct rows *rows = &answer->rows;
    struct frame frame = {0};
    struct message row;
    struct out *o = &x->out;
    uint32_t at = 0;
    envelope_open(x);
    out_key(o, "jobs");
    out_list(o);
    while (row_next(&frame, rows->rows, &at, &row)) job_write(x, &row.view);
    out_list_end(o);
    frame_free(&frame);
    out_key(o, "page");
    out_integer(o, page->number);
    out_key(o, "page_size");
    out_integer(o, page->size);
    if (rows->total >= 0) {
        out_key(o, "count");
        out_integer(o, rows->total);
        if (!rows->total_exact) {
            out_key(o, "count_exact");
            out_bool(o, false);
        }
    }
    if (rows->incomplete) {
        out_key(o, "incomplete");
        out_bool(o, true);
    }
    envelope_close(x);
}

/* ---- queue ---- */

struct queue_state { int64_t waiting, working; };

bool job_queue_read(struct exchange *x, struct message *m) {
    m->question = jobs_question(x);
    m->question.status_mask = WAITING;
    m->question.limit = 1;
    x->state = exchange_alloc(x, sizeof(struct queue_state));
    return true;
}

static void workers_write(struct exchange *x, const struct message *answer) {
    const struct queue_state *state = x->state;
    struct out *o = &x->out;
    envelope_open(x);
    out_key(o, "queue");
    out_text(o, mode_queue(x, mode_of(x)));
    out_key(o, "length");
    out_integer(o, state->waiting);
    out_key(o, "processing");
    out_integer(o, state->working);
    out_key(o, "workers");
    out_integer(o, answer->rows.total >= 0 ? answer->rows.total : answer->rows.row_count);
    envelope_close(x);
}

static void working_write(struct exchange *x, const struct message *answer) {
    struct queue_state *state = x->state;
    struct message m = {.verb = VERB_ASK,
                        .question = {.kind = slice_text("workers"),
                                     .queue = mode_queue(x, mode_of(x)),
                                     .brand = x->who.brand,
                                     .priority = -1,
                                     .dialect = -1,
                                     .limit = 1000,
                                     .count = true}};
    state->working = answer->rows.total;
    exchange_send(x, &m, workers_write);
}

void job_queue_write(struct exchange *x, const struct message *answer) {
    struct queue_state *state = x->state;
    struct message m = {.verb = VERB_ASK, .question = jobs_question(x)};
    state->waiting = answer->rows.total;
    m.question.status_mask = WORKING;
    m.question.limit = 1;
    exchange_send(x, &m, working_write);
}
