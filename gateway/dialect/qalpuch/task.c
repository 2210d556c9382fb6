/* task.c - the client side of a task. */
#include "gateway/dialect/output.h"
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/setting.h"
#include <string.h>
#include <strings.h>

enum {
    PENDING = 1 << STATUS_SCHEDULED | 1 << STATUS_QUEUED,
    PROCESSING = 1 << STATUS_DELIVERED | 1 << STATUS_RUNNING | 1 << STATUS_PAUSED,
    FAILED = 1 << STATUS_FAILED | 1 << STATUS_CANCELLED
};

/* ---- list ---- */

static uint32_t status_mask(const char *word) {
    static const struct { const char *word; uint32_t mask; } words[] = {
        {"pending", PENDING},       {"queued", PENDING},
        {"processing", PROCESSING}, {"running", PROCESSING},
        {"in_progress", PROCESSING}, {"completed", 1 << STATUS_COMPLETED},
        {"failed", FAILED},         {"cancelled", 1 << STATUS_CANCELLED}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(word, words[i].word) == 0) return words[i].mask;
    }
    return 0;
}

bool qalpuch_list_read(struct exchange *x, struct message *m) {
    struct question *q = &m->question;
    struct qalpuch_page *page = exchange_alloc(x, sizeof *page);
    const char *status = exchange_query(x, "status"), *type = exchange_query(x, "type");
    if (!qalpuch_page_read(x, q, page)) return false;
    q->kind = slice_text("tasks");
    q->dialect = QALPUCH_NUMBER;
    if (x->who.role != ROLE_ADMIN) q->owner = slice_text(x->who.name);
    if (status != NULL && *status != '\0') {
        q->status_mask = status_mask(status);
        if (q->status_mask == 0)
            field_refuse(&x->errors, "status",
                         "one of pending, processing, completed, failed is expected");
    }
    if (type != NULL) q->type = slice_text(type);
    x->state = page;
    return qalpuch_fields_good(x);
}

static void list_answer(struct exchange *x, const struct slice *list, uint32_t count) {
    qalpuch_open(x, "Tasks retrieved successfully");
    out_list(&x->out);
    for (uint32_t i = 0; i < count; i++) out_raw(&x->out, list[i]);
    out_list_end(&x->out);
    qalpuch_close(x);
}

void qalpuch_list_write(struct exchange *x, const struct message *answer) {
    qalpuch_page_headers(x, x->state, &answer->rows);
    qalpuch_tasks_load(x, &answer->rows, list_answer);
}

/* ---- one task ---- */

static void task_get(struct exchange *x, exchange_then *then) {
    struct message m = {.verb = VERB_GET, .ref = {.want = WANT_BODY | WANT_RESULT | WANT_LOG}};
    if (qalpuch_task_id(x, &m.ref.id)) exchange_send(x, &m, then);
}

static void detail_write(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    if (x->who.role == ROLE_WORKER) {
        if (!qalpuch_holds(x, v)) {
            exchange_refuse(x, CODE_FORBIDDEN, "this task is not yours");
            return;
        }
    } else if (!qalpuch_owned(x, v, CODE_FORBIDDEN)) {
        return;
    }
    qalpuch_open(x, "Task retrieved successfully");
    qalpuch_task_write(x, &x->out, v);
    qalpuch_close(x);
}

bool qalpuch_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    task_get(x, detail_write);
    return false;
}

static void cancelled_write(struct exchange *x, const struct message *answer) {
    qalpuch_task_answer(x, answer->view.head.id, "Task cancelled successfully", "failed");
}

static void cancel_check(struct exchange *x, const struct message *answer) {
    if (!qalpuch_owned(x, &answer->view, CODE_FORBIDDEN)) return;
    struct message m = {.verb = VERB_CANCEL,
                        .ref = {.id = answer->view.head.id, .text = slice_text("cancelled")}};
    exchange_send(x, &m, cancelled_write);
}

bool qalpuch_cancel_read(struct exchange *x, struct message *m) {
    (void)m;
    task_get(x, cancel_check);
    return false;
}

static void retried_write(struct exchange *x, const struct message *answer) {
    qalpuch_task_answer(x, answer->view.head.id, "Task queued again", "pending");
}

/* A cancelled task has ended for good; the broker itself would take it back. */
static void retry_check(struct exchange *x, const struct message *answer) {
    if (!qalpuch_owned(x, &answer->view, CODE_FORBIDDEN)) return;
    if (answer->view.head.status == STATUS_CANCELLED) {
        exchange_refuse(x, CODE_INVALID_STATE, "a cancelled task stays cancelled");
        return;
    }
    struct message m = {.verb = VERB_RETRY, .ref = {.id = answer->view.head.id}};
    m.ref.options.reset_progress = true;
    exchange_send(x, &m, retried_write);
}

bool qalpuch_retry_read(struct exchange *x, struct message *m) {
    (void)m;
    task_get(x, retry_check);
    return false;
}

static void deleted_write(struct exchange *x, const struct message *answer) {
    struct slice id = exchange_param(x, "cuid");
    (void)answer;
    qalpuch_open(x, "Task deleted successfully");
    out_object(&x->out);
    out_key(&x->out, "id");
    out_text(&x->out, id);
    out_object_end(&x->out);
    qalpuch_close(x);
}

static void task_remove(struct exchange *x, const struct message *answer) {
    struct message m = {.verb = VERB_REMOVE, .ref = {.id = answer->view.head.id}};
    exchange_send(x, &m, deleted_write);
}

static void delete_check(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    if (!qalpuch_owned(x, v, CODE_NOT_FOUND)) return;
    bool works = (PROCESSING >> v->head.status & 1) != 0;
    bool admin = x->who.role == ROLE_ADMIN;
    if (!admin && (works || v->head.status == STATUS_COMPLETED)) {
        exchange_refuse(x, CODE_CONFLICT, works ? "the task is being processed"
                                                : "only an admin deletes a completed task");
        return;
    }
    struct message m = {.verb = VERB_CANCEL, .ref = {.id = v->head.id}};
    if (works) exchange_send(x, &m, task_remove);
    else task_remove(x, answer);
}

bool qalpuch_delete_read(struct exchange *x, struct message *m) {
    (void)m;
    task_get(x, delete_check);
    return false;
}

/* ---- its result ---- */

static void bytes_write(struct exchange *x, const struct message *answer) {
    if (!qalpuch_owned(x, &answer->view, CODE_FORBIDDEN)) return;
    if (result_ready(&answer->view)) output_answer(x, &answer->view);
    else exchange_refuse(x, CODE_NOT_FOUND, "there is no result yet");
}

bool qalpuch_result_read(struct exchange *x, struct message *m) {
    (void)m;
    task_get(x, bytes_write);
    return false;
}
