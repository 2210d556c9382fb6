#include "gateway/dialect/load.h"
#include "gateway/dialect/span.h"
#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/start.h"
#include "proto/id.h"
#include <stdlib.h>

enum {
    MESSAGE_MAX = 4096, NAME_MAX = 128,
    INLINE_MAX = 64 << 10 /* bytes of a result in the task's record */
};

/* ---- reports ---- */

struct reporting {
    struct message message;
    struct message part;  /* LOG, when its task is not 0: goes before the message */
    exchange_then *write;
    uint64_t from;        /* of the recording */
};

/* X-Lease names the attempt; without it the caller's own is meant. */
static bool report_read(struct exchange *x, struct message *m) {
    const char *lease = exchange_header(x, "X-Lease");
    if (lease != NULL) {
        char *end;
        unsigned long long epoch = strtoull(lease, &end, 10);
        if (*lease < '0' || *lease > '9' || *end != '\0' || epoch > ID_NUMBER_MAX)
            return exchange_refuse(x, CODE_VALIDATION_ERROR, "X-Lease doit être un nombre");
        m->report.epoch = epoch;
    }
    m->report.percent = -1;
    return job_id_read(x, &m->report.task);
}

static void report_go(struct exchange *x, const struct message *answer) {
    const struct reporting *r = x->state;
    const enum code code = answer != NULL ? exchange_code(answer) : CODE_OK;
    if (code == CODE_OK) exchange_send(x, &r->message, r->write);
    else exchange_refuse(x, code, NULL);
}

/* A job of another mode is none. One that is not there may have ended and not be kept: the broker
 * knows what to say of that. */
static void report_checked(struct exchange *x, const struct message *answer) {
    const struct reporting *r = x->state;
    const enum verb verb = r->message.verb;
    const enum code code = exchange_code(answer);
    if (code != CODE_OK && code != CODE_UNKNOWN_TASK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    if (code == CODE_OK && !job_check(x, &answer->view)) return;
    if (verb == VERB_PROGRESS || verb == VERB_CHECKPOINT) start_tell(x, &r->message.report);
    if (r->part.report.task != 0) exchange_try(x, &r->part, report_go);
    else report_go(x, NULL);
}

static bool report_send(struct exchange *x, const struct reporting *reporting) {
    struct reporting *r = exchange_alloc(x, sizeof *r);
    *r = *reporting;
    x->state = r;
    const struct message get = {.verb = VERB_GET, .ref = {.id = r->message.report.task}};
    exchange_try(x, &get, report_checked);
    return false;
}

static bool report_good(struct exchange *x) {
    return x->errors.count == 0 || exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
}

static void state_ask(struct exchange *x, exchange_then *then) {
    uint64_t id;
    if (!job_id_read(x, &id)) return;
    struct message m = {.verb = VERB_GET, .ref = {.id = id, .want = WANT_RESULT}};
    exchange_try(x, &m, then);
}

static void progressed_write(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    if (exchange_code(answer) != CODE_OK) {
        exchange_refuse(x, exchange_code(answer), NULL);
        return;
    }
    envelope_open(x);
    job_id_write(x, v->head.id);
    out_key(&x->out, "state");
    out_string(&x->out, job_state(v->head.status));
    out_key(&x->out, "progress");
    out_integer(&x->out, v->head.progress);
    out_key(&x->out, "lease_epoch");
    out_unsigned(&x->out, v->head.epoch);
    out_key(&x->out, "lease_expires_at");
    out_time(&x->out, v->lease_until_ms);
    out_key(&x->out, "cancel_requested");
    out_bool(&x->out, (v->head.flags & TASK_CANCELLING) != 0);
    envelope_close(x);
}

static void progress_write(struct exchange *x, const struct message *answer) {
    (void)answer;
    state_ask(x, progressed_write);
}

/* A segment that is final is a part of the task; its number makes it count once. */
static void segment_read(struct exchange *x, const struct report *report, struct message *part) {
    const json_t *segment = member_find(x->json, "segment");
    if (segment == NULL || json_is_null(segment)) return;
    if (!json_is_object(segment)) {
        field_refuse(&x->errors, "segment", "segment doit être un objet");
        return;
    }
    part->verb = VERB_LOG;
    part->report = *report;
    part->report.level = LOG_PART;
    part->report.text = span_member(x, "segment", NULL);
    part->report.seq =
        (uint32_t)member_integer(x->json, "number", NULLABLE, 0, 1, INT32_MAX, &x->errors);
}

/* A partial text is an object or the text alone; in streaming mode a message is one too. */
static struct slice words_read(struct exchange *x) {
    const json_t *partial = member_find(x->json, "partial");
    if (json_is_object(partial)) {
        const struct slice text = span_member(x, "partial", NULL);
        if (text.len > MESSAGE_MAX) field_wrong(&x->errors, "partial", FIELD_TOO_LONG, MESSAGE_MAX);
        return text;
    }
    return member_text(x->json, partial != NULL ? "partial" : "message", NULLABLE | BLANK_OK,
                       MESSAGE_MAX, &x->errors);
}

bool job_progress_read(struct exchange *x, struct message *m) {
    struct reporting r = {.message = {.verb = VERB_PROGRESS}, .write = progress_write};
    struct report *report = &r.message.report;
    (void)m;
    if (!report_read(x, &r.message)) return false;
    const char *name = member_find(x->json, "progress") != NULL ? "progress"
                                                                : "progress_percentage";
    if (mode_of(x)->live) segment_read(x, report, &r.part);
    report->percent = (int8_t)member_integer(x->json, name, NULLABLE, -1, 0, 100, &x->errors);
    report->text = words_read(x);
    return report_good(x) && report_send(x, &r);
}

static void checkpoint_write(struct exchange *x, const struct message *answer) {
    envelope_open(x);
    job_id_write(x, answer->checkpoint_ok.task);
    out_key(&x->out, "checkpoint");
    out_unsigned(&x->out, answer->checkpoint_ok.seq);
    envelope_close(x);
}

bool job_checkpoint_read(struct exchange *x, struct message *m) {
    struct reporting reporting = {.message = {.verb = VERB_CHECKPOINT}, .write = checkpoint_write};
    struct report *r = &reporting.message.report;
    (void)m;
    if (!report_read(x, &reporting.message)) return false;
    const char *name = member_find(x->json, "name") != NULL ? "name" : "step_name";
    r->name = member_text(x->json, name, NULLABLE | BLANK_OK, NAME_MAX, &x->errors);
    r->seq = (uint32_t)member_integer(x->json, "seq", NULLABLE, 0, 0, INT32_MAX, &x->errors);
    r->data = span_member(x, "data", "checkpoint_data");
    if (r->data.len == 0) field_wrong(&x->errors, "data", FIELD_MISSING, 0);
    return report_good(x) && report_send(x, &reporting);
}

/* ---- ends ---- */

static void settled_answer(struct exchange *x, const struct message *answer) {
    uint64_t id;
    enum code code = exchange_code(answer);
    if (!job_id_read(x, &id)) return;
    if (code != CODE_OK && code != CODE_UNKNOWN_TASK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    /* not kept: it is gone, but its end was acknowledged */
    const struct reporting *r = x->state;
    const char *state = r->message.verb == VERB_FAIL ? "FAILED" : "COMPLETED";
    if (code == CODE_OK) state = job_state(answer->view.head.status);
    envelope_open(x);
    job_id_write(x, id);
    out_key(&x->out, "status");
    out_string(&x->out, state);
    out_key(&x->out, "state");
    out_string(&x->out, state);
    envelope_close(x);
}

static void settled_write(struct exchange *x, const struct message *answer) {
    (void)answer;
    state_ask(x, settled_answer);
}

/* A transcription has a text or segments; anything else would be shown as an empty one. */
static bool result_good(struct exchange *x, const json_t *result) {
    static const char *const names[] = {"full_text", "transcription", "text"};
    bool good = json_is_array(json_object_get(result, "segments"));
    for (int i = 0; i < 3; i++) good |= json_is_string(json_object_get(result, names[i]));
    return good || exchange_refuse(x, CODE_VALIDATION_ERROR,
                                   "full_text, transcription ou segments est requis");
}

bool job_complete_read(struct exchange *x, struct message *m) {
    struct reporting r = {.message = {.verb = VERB_DONE}, .write = settled_write};
    (void)m;
    if (!report_read(x, &r.message)) return false;
    const json_t *result = json_object_get(x->json, "result");
    if (json_is_string(result)) { /* a bare transcription */
        r.message.report.data = slice_of(json_string_value(result), json_string_length(result));
    } else if (json_is_object(result)) {
        r.message.report.data = span_member(x, "result", NULL);
    } else {
        r.message.report.data = x->body;
        result = x->json;
    }
    r.message.report.metrics = span_member(x, "metrics", NULL);
    return (json_is_string(result) || result_good(x, result)) && report_send(x, &r);
}

/* A small result goes into the task's record, a large one stays the file that it came as. */
static void put_loaded(struct exchange *x, struct slice bytes) {
    const char *type = exchange_header(x, "Content-Type");
    struct reporting r = {.message = {.verb = VERB_DONE}, .write = settled_write};
    struct report *report = &r.message.report;
    char why[128];
    if (!report_read(x, &r.message)) return;
    if (type != NULL && strstr(type, "json") != NULL) {
        json_t *result = json_parse(bytes, why, sizeof why);
        bool good = result != NULL
                        ? result_good(x, result)
                        : exchange_refuse(x, CODE_VALIDATION_ERROR, exchange_print(x, "%s", why));
        json_decref(result);
        if (!good) return;
    }
    if (bytes.len <= INLINE_MAX) {
        report->data = bytes;
    } else {
        const struct upload *file = &x->uploads[0];
        report->file = file->file;
        report->file_size = file->size;
        report->file_hash = slice_of(file->hash, sizeof file->hash);
        report->file_name = slice_text("result");
        report->file_mime = slice_text(file->mime);
    }
    report_send(x, &r);
}

bool job_put_result_read(struct exchange *x, struct message *m) {
    struct message checked = {.verb = VERB_DONE};
    (void)m;
    if (!report_read(x, &checked)) return false;
    if (x->upload_count == 0 || x->uploads[0].size == 0)
        return exchange_refuse(x, CODE_VALIDATION_ERROR, "Le résultat est vide");
    if (x->uploads[0].size > LOAD_MAX) return exchange_refuse(x, CODE_PAYLOAD_TOO_LARGE, NULL);
    load_file(x, x->uploads[0].file, x->uploads[0].size, 0, put_loaded);
    return false;
}

/* Failures may pass unless the worker says otherwise. */
static bool retryable_read(struct exchange *x) {
    static const char *const classes[] = {"PERMANENT", "RETRYABLE", NULL};
    int class = member_choice(x->json, "error_class", 0, classes, &x->errors);
    return member_bool(x->json, "retryable", 0, class != 0, &x->errors);
}

bool job_fail_read(struct exchange *x, struct message *m) {
    static const char *const names[] = {"error_message", "message", "error"};
    struct reporting r = {.message = {.verb = VERB_FAIL}, .write = settled_write};
    struct report *report = &r.message.report;
    (void)m;
    if (!report_read(x, &r.message)) return false;
    int at = 0;
    while (at < 2 && member_find(x->json, names[at]) == NULL) at++;
    if (member_find(x->json, names[at]) == NULL) at = 0; /* none: the first one is missed */
    report->text = member_text(x->json, names[at], REQUIRED, MESSAGE_MAX, &x->errors);
    report->retryable = retryable_read(x);
    report->reason = report->retryable ? REASON_FAILED : REASON_PERMANENT;
    return report_good(x) && report_send(x, &r);
}

/* ---- the recording ---- */

static void audio_answer(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    if (v->body.source_file == 0) {
        exchange_refuse(x, CODE_NOT_FOUND, NULL);
        return;
    }
    struct file_answer file = {
        .file = v->body.source_file,
        .size = v->source_size,
        .name = v->source_name,
        .mime = v->source_mime,
        .attachment = true,
    };
    const struct reporting *r = x->state;
    if (v->head.flags & TASK_STREAM) exchange_growing(x, &file, r->from);
    else exchange_file(x, &file);
}

static void audio_write(struct exchange *x, const struct message *answer) {
    const struct reporting *r = x->state;
    const struct message m = {.verb = VERB_GET,
                              .ref = {.id = r->message.report.task, .want = WANT_BODY}};
    (void)answer;
    exchange_send(x, &m, audio_answer);
}

/* The first download is the start of the attempt; a stale lease gets nothing. */
bool job_audio_read(struct exchange *x, struct message *m) {
    struct reporting r = {.message = {.verb = VERB_START}, .write = audio_write};
    (void)m;
    const int64_t from = exchange_query_number(x, "offset", 0, 0, INT64_MAX);
    if (!report_good(x) || !report_read(x, &r.message)) return false;
    r.from = (uint64_t)from;
    return report_send(x, &r);
}
