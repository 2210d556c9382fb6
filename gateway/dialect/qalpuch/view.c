/* view.c - the Task JSON. */
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/spell.h"
#include <sodium.h>
#include <string.h>

static struct slice text_of(struct exchange *x, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value)) return (struct slice){0};
    return exchange_copy(x, slice_of(json_string_value(value), json_string_length(value)));
}

void qalpuch_extra_read(struct exchange *x, struct slice extra, struct qalpuch_extra *ret) {
    json_t *fields = json_of(extra);
    *ret = (struct qalpuch_extra){.file = text_of(x, fields, "file"),
                                  .preset = text_of(x, fields, "preset"),
                                  .text = json_is_true(json_object_get(fields, "text"))};
    struct slice hash = text_of(x, fields, "sha256");
    uint8_t *bytes = exchange_alloc(x, crypto_hash_sha256_BYTES);
    size_t len = 0;
    if (sodium_hex2bin(bytes, crypto_hash_sha256_BYTES, (const char *)hash.data, hash.len, NULL,
                       &len, NULL) == 0 && len == crypto_hash_sha256_BYTES)
        ret->hash = slice_of(bytes, len);
    json_decref(fields);
}

/* What the dialect says of a task with this status: pending, processing, completed, failed. */
static const char *status_word(uint8_t status) {
    switch ((enum status)status) {
    case STATUS_DELIVERED:
    case STATUS_RUNNING:
    case STATUS_PAUSED: return "processing";
    case STATUS_COMPLETED: return "completed";
    case STATUS_FAILED:
    case STATUS_CANCELLED: return "failed";
    case STATUS_NONE:
    case STATUS_SCHEDULED:
    case STATUS_QUEUED:
    case STATUS_COUNT: break;
    }
    return "pending";
}

static void text_or_null(struct out *o, const char *key, struct slice text) {
    out_key(o, key);
    out_text_or_null(o, text);
}

static void both_write(struct out *o, const char *camel, const char *snake, struct slice text) {
    text_or_null(o, camel, text);
    text_or_null(o, snake, text);
}

static struct slice message_of(const struct view *v) {
    if (v->head.status == STATUS_FAILED && v->result.message.len == 0)
        return slice_text(reason_name(v->head.reason));
    return status_ended(v->head.status) ? v->result.message : v->progress_text;
}

static void logs_write(struct out *o, const struct view *v) {
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    struct log_record row;
    uint32_t at = 0;
    out_key(o, "logs");
    out_list(o);
    while (log_next(v->logs, &at, &row)) {
        out_object(o);
        out_key(o, "id");
        out_unsigned(o, row.line);
        out_key(o, "level");
        out_string(o, levels[row.level < 3 ? row.level : 3]);
        out_key(o, "message");
        out_text(o, row.text);
        out_key(o, "createdAt");
        out_time(o, row.time_ms);
        out_key(o, "created_at");
        out_time(o, row.time_ms);
        out_object_end(o);
    }
    out_list_end(o);
}

static void files_write(struct exchange *x, struct out *o, const struct view *v,
                        const struct qalpuch_extra *extra) {
    char result[CUID_SIZE] = "";
    if (result_ready(v)) spell_result(x, v->head.id, result);
    both_write(o, "sourceFileId", "source_file_id", extra->file);
    both_write(o, "resultFileId", "result_file_id", slice_text(result));
    both_write(o, "workerId", "worker_id", v->head.worker != 0 || v->worker.len > 0
                                               ? v->worker : (struct slice){0});
}

void qalpuch_task_write(struct exchange *x, struct out *o, const struct view *v) {
    static const char *const priorities[] = {"low", "normal", "high", "critical"};
    struct qalpuch_extra extra;
    char id[CUID_SIZE];
    spell_cuid(x, v->head.id, id);
    qalpuch_extra_read(x, v->body.extra, &extra);
    out_object(o);
    out_key(o, "id");
    out_string(o, id);
    out_key(o, "config");
    if (extra.text) out_text(o, v->body.payload);
    else out_value(o, v->body.payload);
    text_or_null(o, "type", v->type);
    out_key(o, "status");
    out_string(o, status_word(v->head.status));
    files_write(x, o, v, &extra);
    text_or_null(o, "message", message_of(v));
    out_key(o, "progress");
    out_unsigned(o, v->head.status == STATUS_COMPLETED ? 100u : v->head.progress);
    out_key(o, "priority");
    out_string(o, priorities[v->head.priority < PRIORITY_COUNT ? v->head.priority : 1]);
    both_write(o, "predefinedTaskId", "predefined_task_id", extra.preset);
    if (v->head.status == STATUS_CANCELLED) {
        out_key(o, "cancelled");
        out_bool(o, true);
    }
    logs_write(o, v);
    out_times(o, v->head.created_ms, v->head.updated_ms);
    out_object_end(o);
}

/* ---- many tasks ---- */

struct loading {
    uint64_t *ids;
    struct slice *list; /* the JSON of each; empty = gone */
    uint32_t count, open;
    bool ended;         /* the exchange was refused */
    void *before;       /* x->state of the caller */
    tasks_then *then;
};

static void loading_end(struct exchange *x, struct loading *l) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->list[i].len > 0) l->list[count++] = l->list[i];
    }
    x->state = l->before;
    l->then(x, l->list, count);
}

static void loaded(struct exchange *x, const struct message *answer) {
    struct loading *l = x->state;
    enum code code = exchange_code(answer);
    if (code != CODE_OK && code != CODE_UNKNOWN_TASK) {
        l->ended = true;
        exchange_refuse(x, code, NULL);
        return;
    }
    for (uint32_t i = 0; code == CODE_OK && i < l->count; i++) {
        struct out o = {0};
        if (l->ids[i] != answer->view.head.id) continue;
        qalpuch_task_write(x, &o, &answer->view);
        l->list[i] = exchange_copy(x, buffer_slice(&o.body));
        buffer_free(&o.body);
    }
    if (--l->open == 0) loading_end(x, l);
}

/* The rows say which tasks; config, result and log of each are asked for together. */
void qalpuch_tasks_load(struct exchange *x, const struct rows *rows, tasks_then *then) {
    struct loading *l = exchange_alloc(x, sizeof *l);
    struct frame frame = {0};
    struct message row;
    uint32_t at = 0;
    *l = (struct loading){.before = x->state, .then = then,
                          .ids = exchange_alloc(x, sizeof *l->ids * (rows->row_count + 1)),
                          .list = exchange_alloc(x, sizeof *l->list * (rows->row_count + 1))};
    while (l->count < rows->row_count && row_next(&frame, rows->rows, &at, &row))
        l->ids[l->count++] = row.view.head.id;
    frame_free(&frame);
    x->state = l;
    l->open = l->count;
    if (l->count == 0) loading_end(x, l);
    for (uint32_t i = 0, count = l->count; i < count && !l->ended; i++) {
        struct message m = {.verb = VERB_GET,
                            .ref = {.id = l->ids[i],
                                    .want = WANT_BODY | WANT_RESULT | WANT_LOG}};
        exchange_try(x, &m, loaded);
    }
}

/* ---- a task as the whole answer ---- */

struct answer_of { uint64_t id; const char *message, *gone; };

static void task_answer_write(struct exchange *x, const struct message *answer) {
    const struct answer_of *a = x->state;
    enum code code = exchange_code(answer);
    if (code != CODE_OK && code != CODE_UNKNOWN_TASK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    qalpuch_open(x, a->message);
    if (code == CODE_OK) {
        qalpuch_task_write(x, &x->out, &answer->view);
    } else { /* not kept: it is gone, but what was done to it was acknowledged */
        char id[CUID_SIZE];
        spell_cuid(x, a->id, id);
        out_object(&x->out);
        out_key(&x->out, "id");
        out_string(&x->out, id);
        out_key(&x->out, "status");
        out_string(&x->out, a->gone);
        out_object_end(&x->out);
    }
    qalpuch_close(x);
}

void qalpuch_task_answer(struct exchange *x, uint64_t id, const char *message, const char *gone) {
    struct answer_of *a = exchange_alloc(x, sizeof *a);
    *a = (struct answer_of){id, message, gone};
    x->state = a;
    struct message m = {.verb = VERB_GET,
                        .ref = {.id = id, .want = WANT_BODY | WANT_RESULT | WANT_LOG}};
    exchange_try(x, &m, task_answer_write);
}

/* ---- who may see a task ---- */

bool qalpuch_owned(struct exchange *x, const struct view *v, enum code foreign) {
    if (v->head.dialect != QALPUCH_NUMBER)
        return exchange_refuse(x, CODE_UNKNOWN_TASK, NULL);
    if (x->who.role == ROLE_ADMIN || slice_equal(v->body.owner, slice_text(x->who.name)))
        return true;
    if (foreign == CODE_FORBIDDEN) return exchange_refuse(x, foreign, "this task is not yours");
    return exchange_refuse(x, CODE_UNKNOWN_TASK, NULL);
}

bool qalpuch_holds(const struct exchange *x, const struct view *v) {
    bool held = v->head.status == STATUS_DELIVERED || v->head.status == STATUS_RUNNING;
    return held && slice_equal(v->worker, slice_text(x->who.name));
}
