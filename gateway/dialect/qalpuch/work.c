/* work.c - the worker side of a task. */
#include "gateway/dialect/output.h"
#include "gateway/dialect/qalpuch/agent.h"
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/start.h"
#include "proto/base/utf8.h"
#include <stdlib.h>
#include <string.h>

enum { WAIT_S_MAX = 30 };


/* ---- pending ---- */

static void pending_none(struct exchange *x) {
    const char *empty = exchange_query(x, "empty");
    if (empty == NULL || strcmp(empty, "200") != 0) {
        exchange_refuse(x, CODE_NOT_FOUND, "No pending tasks");
        return;
    }
    qalpuch_open(x, "No pending tasks");
    out_null(&x->out);
    qalpuch_close(x);
}

static void pending_write(struct exchange *x, const struct message *answer) {
    if (answer->task.task == 0) pending_none(x);
    else qalpuch_task_answer(x, answer->task.task, "Task assigned successfully", "processing");
}

/* What the worker can do, and of that what the call names: packed for CLAIM. */
static struct slice types_pack(struct exchange *x, const struct capabilities *able,
                               uint16_t *ret_count) {
    const char *named = exchange_query(x, "capabilities");
    struct buffer b = {0};
    uint16_t count = 0;
    if (named == NULL || *named == '\0') {
        for (uint32_t i = 0; i < able->count; i++) text_put(&b, able->list[i]);
        count = (uint16_t)able->count;
    }
    while (named != NULL && *named != '\0' && count < QALPUCH_CAPABILITIES_MAX) {
        named += strspn(named, ", ");
        struct slice word = slice_of(named, strcspn(named, ", "));
        named += word.len;
        bool can = able->count == 0 || capabilities_have(able, word);
        if (word.len == 0 || !can) continue;
        text_put(&b, word);
        count++;
    }
    struct slice packed = exchange_copy(x, buffer_slice(&b));
    buffer_free(&b);
    *ret_count = count;
    return packed;
}

static void pending_claim(struct exchange *x, const struct capabilities *able) {
    const char *named = exchange_query(x, "capabilities");
    struct message m = {.verb = VERB_CLAIM};
    struct buffer queues = {0}, labels = {0};
    struct claim *claim = &m.claim;
    int64_t wait_s = exchange_query_number(x, "wait", 0, 0, INT32_MAX);
    if (!qalpuch_fields_good(x)) return;
    text_put(&queues, slice_text("*"));
    text_put(&labels, slice_text("+" QALPUCH_LABEL));
    claim->serves.queues = exchange_copy(x, buffer_slice(&queues));
    claim->serves.labels = exchange_copy(x, buffer_slice(&labels));
    claim->serves.queue_count = claim->serves.label_count = 1;
    claim->serves.types = types_pack(x, able, &claim->serves.type_count);
    buffer_free(&queues);
    buffer_free(&labels);
    if (named != NULL && *named != '\0' && claim->serves.type_count == 0) {
        pending_none(x); /* it asks only for what it cannot do */
        return;
    }
    claim->worker = slice_text(x->who.name);
    claim->boot = x->who.boot;
    claim->brand = x->who.brand;
    claim->limit = 1;
    claim->held_max = QALPUCH_HELD_MAX;
    claim->again = true;
    claim->oldest = true;
    claim->wait_ms = setting_wait_ms(x, wait_s < WAIT_S_MAX ? wait_s : WAIT_S_MAX);
    exchange_send(x, &m, pending_write);
}

bool work_pending_read(struct exchange *x, struct message *m) {
    (void)m;
    agent_seen(x, pending_claim);
    return false;
}

/* ---- status ---- */

struct patch { struct report report; const char *gone; };

/* The first number before a percent sign; -1 = none up to 100. */
static int8_t percent_find(struct slice text) {
    for (uint32_t i = 1; i < text.len; i++) {
        if (text.data[i] != '%') continue;
        uint32_t end = i;
        while (end > 0 && text.data[end - 1] == ' ') end--;
        uint32_t from = end;
        while (from > 0 && end - from < 4 && text.data[from - 1] >= '0' &&
               text.data[from - 1] <= '9')
            from--;
        if (from == end || end - from > 3) continue;
        int value = 0;
        for (uint32_t k = from; k < end; k++) value = value * 10 + text.data[k] - '0';
        if (value <= 100) return (int8_t)value;
    }
    return -1;
}

static bool patch_fields(struct exchange *x, struct report *r, int *ret_status) {
    static const char *const statuses[] = {"processing", "failed", NULL};
    static const char *const levels[] = {"debug", "info", "warning", "error", "warn", NULL};
    struct field_errors *e = &x->errors;
    bool long_name = member_find(x->json, "status_message") != NULL;
    *ret_status = member_choice(x->json, "status", REQUIRED, statuses, e);
    r->text = member_text(x->json, long_name ? "status_message" : "message", NULLABLE | BLANK_OK,
                          QALPUCH_MESSAGE_MAX, e);
    r->percent = (int8_t)member_integer(x->json, "progress", NULLABLE, -1, 0, 100, e);
    int level = member_choice(x->json, "level", NULLABLE, levels, e);
    r->level = (uint8_t)(level < 0 ? 1 : level == 4 ? 2 : level);
    if (level < 0 && *ret_status == 1) r->level = 3;
    return qalpuch_fields_good(x);
}

static void patch_logged(struct exchange *x, const struct message *answer) {
    const struct patch *patch = x->state;
    (void)answer; /* a full log is no reason to refuse the status */
    qalpuch_task_answer(x, patch->report.task, "Task updated successfully",
                        patch->gone != NULL ? patch->gone : "processing");
}

static void patch_done(struct exchange *x, const struct message *answer) {
    const struct patch *patch = x->state;
    struct message line = {.verb = VERB_LOG, .report = patch->report};
    if (patch->gone == NULL && line.report.text.len > 0) exchange_try(x, &line, patch_logged);
    else patch_logged(x, answer);
}

bool work_patch_read(struct exchange *x, struct message *m) {
    struct patch *patch = exchange_alloc(x, sizeof *patch);
    struct report *r = &patch->report;
    int status = -1;
    if (!qalpuch_task_id(x, &r->task) || !patch_fields(x, r, &status)) return false;
    x->state = patch;
    if (r->percent < 0) r->percent = percent_find(r->text);
    *m = (struct message){.verb = VERB_PROGRESS, .report = *r};
    if (status == 1) {
        struct message line = {.verb = VERB_LOG, .report = *r};
        patch->gone = "failed";
        if (r->text.len > 0) exchange_send(x, &line, NULL); /* before the lease is gone */
        m->verb = VERB_FAIL;
        m->report.reason = REASON_PERMANENT;
    }
    exchange_send(x, m, patch_done);
    return false;
}

/* ---- result ---- */

struct handing { uint64_t task; bool repeated; };

/* The worker that completed the task says so again: its answer was lost. */
static void handed_check(struct exchange *x, const struct message *answer) {
    struct handing *h = x->state;
    const struct view *v = &answer->view;
    h->repeated = v->head.status == STATUS_COMPLETED &&
                  slice_equal(v->result.worker, slice_text(x->who.name));
    if (h->repeated) exchange_proceed(x);
    else exchange_refuse(x, CODE_ATTEMPT_SUPERSEDED, NULL);
}

static void started_check(struct exchange *x, const struct message *answer) {
    const struct handing *h = x->state;
    enum code code = exchange_code(answer);
    if (code == CODE_OK) {
        exchange_proceed(x);
    } else if (code == CODE_ATTEMPT_SUPERSEDED) {
        struct message m = {.verb = VERB_GET, .ref = {.id = h->task, .want = WANT_RESULT}};
        exchange_send(x, &m, handed_check);
    } else {
        exchange_refuse(x, code, NULL);
    }
}

/* Who may not hand in is told before the bytes come; the start of the upload starts the work. */
void work_result_begin(struct exchange *x) {
    struct handing *h = exchange_alloc(x, sizeof *h);
    x->state = h;
    if (!qalpuch_task_id(x, &h->task)) return;
    struct message m = {.verb = VERB_START, .report = {.task = h->task, .percent = -1}};
    exchange_try(x, &m, started_check);
}

static void handed_write(struct exchange *x, const struct message *answer) {
    const struct handing *h = x->state;
    (void)answer;
    qalpuch_task_answer(x, h->task, "Task completed successfully", "completed");
}

bool work_result_read(struct exchange *x, struct message *m) {
    const struct handing *h = x->state;
    const struct upload *file = exchange_upload(x, "file");
    if (file == NULL) return exchange_refuse(x, CODE_VALIDATION_ERROR, "No file uploaded");
    if (h->repeated) {
        handed_write(x, NULL);
        return false;
    }
    *m = (struct message){
        .verb = VERB_DONE,
        .report = {.task = h->task, .percent = -1, .metrics = output_note(x, file),
                   .file = file->file, .file_size = file->size,
                   .file_hash = slice_of(file->hash, sizeof file->hash),
                   .file_name = slice_text(file->file_name), .file_mime = slice_text(file->mime)}};
    m->report.file_name.len = utf8_cut(m->report.file_name, QALPUCH_NAME_MAX);
    m->report.file_mime.len = utf8_cut(m->report.file_mime, QALPUCH_NAME_MAX);
    exchange_send(x, m, handed_write);
    return false;
}
