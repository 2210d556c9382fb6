/* ask.c - see ask.h. */
#include "broker/ask.h"
#include "broker/rows.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include <assert.h>
#include <stdlib.h>

struct asked {
    struct letter letter;
    uint32_t peer, serial, opened;
    uint64_t group, number;
    struct who who;
    struct question question; /* its slices lie in `bytes` */
    uint8_t bytes[];
};

struct ask {
    struct writer *writer;
    struct post *answers; /* borrowed */
    struct post questions;
    pthread_t threads[ASK_THREADS];
    int running;
    uint32_t rows_max, ms_max;
    const uint8_t *id_key;
};

void ask_answer_free(struct ask_answer *answer) {
    buffer_free(&answer->bytes);
    free(answer);
}

static void answer_send(struct ask *a, const struct asked *asked, struct ask_answer *answer) {
    answer->peer = asked->peer;
    answer->serial = asked->serial;
    post_put(a->answers, &answer->letter);
}

static void refuse(struct ask *a, const struct asked *asked, enum code code) {
    struct ask_answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL) return; /* the asker runs into its deadline */
    answer->message = (struct message){
        .verb = VERB_REFUSED,
        .refused = {.number = asked->number, .code = code, .text = slice_text(code_text(code)),
                    .retry_ms = code == CODE_UNAVAILABLE ? ASK_RETRY_MS : 0}};
    answer_send(a, asked, answer);
}

static void page_send(struct ask *a, const struct asked *asked, struct rows_page *page) {
    struct ask_answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL) return;
    const uint32_t rows_len = (uint32_t)page->rows.len, next_len = (uint32_t)page->next.len;
    answer->bytes = page->rows;
    page->rows = (struct buffer){0};
    buffer_append(&answer->bytes, page->next.data, next_len);
    const uint8_t *data = answer->bytes.data;
    answer->message = (struct message){
        .verb = VERB_ROWS,
        .rows = {.number = asked->number, .rows = slice_of(data, rows_len),
                 .next = slice_of(next_len > 0 ? data + rows_len : NULL, next_len),
                 .row_count = page->count, .incomplete = page->incomplete,
                 .total = page->total, .total_exact = page->total_exact}};
    if (answer->bytes.failed) {
        ask_answer_free(answer);
        refuse(a, asked, CODE_UNAVAILABLE);
        return;
    }
    answer_send(a, asked, answer);
}

/* The acting brand goes into the question. Admins of the installation see all. */
static enum code brand_check(struct question *q, const struct who *who) {
    if (who->role == ROLE_WORKER || who->role == ROLE_NONE) return CODE_FORBIDDEN;
    if (who->brand == 0) return CODE_OK;
    if (q->brand != 0 && q->brand != who->brand) return CODE_FORBIDDEN;
    q->brand = who->brand;
    return CODE_OK;
}

static void head_found(void *context, const struct record *r) {
    if (r->kind == RECORD_TASK) *(struct task_head *)context = r->task;
}

static bool lane_is_of(struct store_view *view, uint32_t lane, struct slice queue) {
    struct walk walk = {.kind = WALK_LANES};
    struct record r;
    bool same = false, found = false;
    struct store_walk *w = walk_open(view, &walk);
    while (w != NULL && !found && walk_next(w, &r)) {
        found = r.kind == RECORD_LANE && r.lane.lane == lane;
        same = found && slice_equal(r.lane.queue, queue);
    }
    walk_close(&w);
    return same;
}

/* What belongs to one task is shown to those who may see the task. */
static enum code task_check(const struct question *q, struct store_view *view) {
    const bool of_task = slice_equal(q->kind, slice_text("checkpoints"))
        || slice_equal(q->kind, slice_text("attempts")) || slice_equal(q->kind, slice_text("log"));
    if (!of_task) return CODE_OK;
    if (q->id == 0 && slice_equal(q->kind, slice_text("checkpoints")))
        return q->queue.len == 0 ? CODE_OK : CODE_FORBIDDEN; /* those of all queues, or none */
    struct task_head head = {0};
    view_task(view, q->id, head_found, &head);
    if (head.brand == 0 || (q->brand != 0 && q->brand != head.brand)) return CODE_UNKNOWN_TASK;
    const bool named = q->queue.len == 0 || lane_is_of(view, head.lane, q->queue);
    return named ? CODE_OK : CODE_UNKNOWN_TASK;
}

static void question_run(struct ask *a, struct asked *asked, struct store *store) {
    char why[WHY_MAX];
    struct store_view *view = store_view_open(store, asked->group, why, sizeof why);
    if (view == NULL) {
        log_error("a list could not be read", field_text("why", why));
        refuse(a, asked, CODE_UNAVAILABLE);
        return;
    }
    struct rows_page page = {.question = &asked->question, .rows_max = a->rows_max,
                             .end_ms = clock_mono_ms() + a->ms_max, .id_key = a->id_key,
                             .role = asked->who.role,
                             .wall_ms = clock_wall_ms()};
    page.code = task_check(&asked->question, view);
    if (page.code == CODE_OK) rows_fill(&page, view);
    store_view_close(&view);
    if (page.code == CODE_OK)
        page_send(a, asked, &page);
    else
        refuse(a, asked, page.code);
    rows_free(&page);
}

static void *ask_main(void *context) {
    pthread_setname_np(pthread_self(), "ask");
    struct ask *a = context;
    for (struct letter *l; (l = post_wait(&a->questions, -1)) != NULL;) {
        struct asked *asked = (struct asked *)(void *)l;
        const enum code code = brand_check(&asked->question, &asked->who);
        struct store *store = NULL;
        if (code == CODE_OK) store = writer_borrow(a->writer, asked->opened);
        if (store != NULL) {
            question_run(a, asked, store);
            writer_return(a->writer);
        } else {
            refuse(a, asked, code == CODE_OK ? CODE_UNAVAILABLE : code);
        }
        free(asked);
    }
    return NULL;
}

struct ask *ask_start(struct writer *writer, struct post *answers, const uint8_t *id_key,
                      uint32_t rows_max, uint32_t ms_max) {
    struct ask *a = calloc(1, sizeof *a);
    if (a == NULL) return NULL;
    a->writer = writer;
    a->answers = answers;
    a->id_key = id_key;
    a->rows_max = rows_max;
    a->ms_max = ms_max;
    post_open(&a->questions, NULL);
    while (a->running < ASK_THREADS &&
           pthread_create(&a->threads[a->running], NULL, ask_main, a) == 0)
        a->running++;
    if (a->running == ASK_THREADS) return a;
    ask_stop(&a);
    return NULL;
}

void ask_stop(struct ask **self) {
    struct ask *a = *self;
    if (a == NULL) return;
    post_close(&a->questions);
    while (a->running > 0) pthread_join(a->threads[--a->running], NULL);
    for (struct letter *l = post_take_all(&a->questions), *next; l != NULL; l = next) {
        next = l->next;
        free(l);
    }
    post_free(&a->questions);
    free(a);
    *self = NULL;
}

enum code ask_put(struct ask *a, uint32_t peer, uint32_t serial, const struct message *m,
                  const struct who *who, uint32_t opened, uint64_t group) {
    assert(m->verb == VERB_ASK);
    if (atomic_load(&a->questions.count) >= QUESTIONS_MAX) return CODE_BUSY;
    const struct question *q = &m->question;
    const struct slice *from[] = {&q->kind, &q->queue, &q->type, &q->owner, &q->object,
                                  &q->search, &q->cursor, &q->worker, &q->filter, &q->sort};
    enum { SLICES = sizeof from / sizeof from[0] };
    size_t len = 0;
    for (int i = 0; i < SLICES; i++) len += from[i]->len;
    struct asked *asked = malloc(sizeof *asked + len);
    if (asked == NULL) return CODE_UNAVAILABLE;
    *asked = (struct asked){.peer = peer, .serial = serial, .opened = opened, .group = group,
                            .number = m->number, .who = *who, .question = *q};
    struct question *to = &asked->question;
    struct slice *copies[SLICES] = {&to->kind, &to->queue, &to->type, &to->owner, &to->object,
                                    &to->search, &to->cursor, &to->worker, &to->filter,
                                    &to->sort};
    uint8_t *at = asked->bytes;
    for (int i = 0; i < SLICES; i++) {
        if (from[i]->len > 0) memcpy(at, from[i]->data, from[i]->len);
        copies[i]->data = at;
        at += from[i]->len;
    }
    post_put(&a->questions, &asked->letter);
    return CODE_OK;
}
