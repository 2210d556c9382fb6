#include "gateway/dialect/load.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/span.h"
#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/spell.h"
#include "gateway/dialect/start.h"
#include <stdlib.h>

enum {
    LEASE_S_MAX = 604800, MESSAGE_MAX = 4096, NAME_MAX = 128,
    INLINE_MAX = 64 << 10 /* bytes of a result in the task's record */
};

/* ---- claim ---- */

struct claimed { uint64_t task, epoch; uint32_t attempt, checkpoint; struct slice name, data; };

bool job_claim_read(struct exchange *x, struct message *m) {
    struct claim *claim = &m->claim;
    struct field_errors *e = &x->errors;
    struct slice wanted = member_text(x->json, "language", NULLABLE, 16, e);
    struct buffer queues = {0}, types = {0}, labels = {0};
    char language[LANGUAGE_SIZE];
    claim->limit = 1;
    claim->wait_ms =
        setting_wait_ms(x, member_integer(x->json, "wait", NULLABLE, 0, 0, INT32_MAX, e));
    claim->lease_ms =
        1000 * (uint32_t)member_integer(x->json, "lease_seconds", NULLABLE, 0, 1, LEASE_S_MAX, e);
    if (wanted.len > 0 && !language_read(x, wanted, language))
        field_refuse(e, "language", "La langue doit être un code de deux lettres");
    claim->again = member_bool(x->json, "again", 0, false, e);
    if (e->count > 0) return exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
    text_put(&queues, slice_text(BATCH_QUEUE));
    text_put(&types, slice_text(BATCH_TYPE));
    if (wanted.len > 0) text_put(&labels, slice_text(exchange_print(x, "language=%s", language)));
    claim->serves = (struct serves){
        .queues = exchange_copy(x, buffer_slice(&queues)), .queue_count = 1,
        .types = exchange_copy(x, buffer_slice(&types)), .type_count = 1,
        .labels = exchange_copy(x, buffer_slice(&labels)), .label_count = wanted.len > 0,
    };
    buffer_free(&queues);
    buffer_free(&types);
    buffer_free(&labels);
    claim->worker = slice_text(x->who.name);
    claim->boot = x->who.boot;
    claim->brand = x->who.brand;
    return true;
}

static void checkpoint_write(struct out *o, const struct claimed *claimed) {
    out_key(o, "checkpoint");
    if (claimed->checkpoint == 0) {
        out_null(o);
        return;
    }
    out_object(o);
    out_key(o, "seq");
    out_unsigned(o, claimed->checkpoint);
    out_key(o, "name");
    out_text(o, claimed->name);
    out_key(o, "data");
    out_value(o, claimed->data);
    out_object_end(o);
}

/* The broker's view says when the lease ends and what the recording is. */
static void claimed_write(struct exchange *x, const struct message *answer) {
    const struct claimed *claimed = x->state;
    const struct view *v = &answer->view;
    struct out *o = &x->out;
    char text[JOB_UUID_SIZE];
    spell_job(x, claimed->task, text);
    envelope_open(x);
    out_key(o, "task");
    out_object(o);
    job_id_write(x, claimed->task);
    out_key(o, "language");
    out_string(o, job_language(x, v->labels));
    out_key(o, "attempt");
    out_unsigned(o, claimed->attempt);
    out_key(o, "lease_epoch");
    out_unsigned(o, claimed->epoch);
    out_key(o, "lease_expires_at");
    out_time(o, v->lease_until_ms);
    out_key(o, "audio_url");
    out_string(o, exchange_print(x, "%s/api/batchTranscription/%s/audio", exchange_origin(x),
                                 text));
    out_key(o, "file_name");
    out_text(o, v->source_name);
    out_key(o, "mime_type");
    out_text(o, v->source_mime);
    out_key(o, "size");
    out_unsigned(o, v->source_size);
    checkpoint_write(o, claimed);
    out_object_end(o);
    envelope_close(x);
}

void job_claim_write(struct exchange *x, const struct message *answer) {
    const struct delivery *d = &answer->task;
    if (d->task == 0) {
        envelope_open(x);
        out_key(&x->out, "task");
        out_null(&x->out);
        envelope_close(x);
        return;
    }
    struct claimed *claimed = exchange_alloc(x, sizeof *claimed);
    *claimed = (struct claimed){
        .task = d->task,
        .epoch = d->epoch,
        .attempt = d->attempt,
        .checkpoint = d->checkpoint,
        .name = exchange_copy(x, d->checkpoint_name),
        .data = exchange_copy(x, d->checkpoint_data),
    };
    x->state = claimed;
    struct message m = {.verb = VERB_GET, .ref = {.id = d->task, .want = WANT_BODY}};
    exchange_send(x, &m, claimed_write);
}

/* ---- reports ---- */

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

static bool report_good(struct exchange *x) {
    return x->errors.count == 0 || exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
}

bool job_progress_read(struct exchange *x, struct message *m) {
    if (!report_read(x, m)) return false;
    const char *name = member_find(x->json, "progress") != NULL ? "progress"
                                                                : "progress_percentage";
    m->report.percent =
        (int8_t)member_integer(x->json, name, NULLABLE, -1, 0, 100, &x->errors);
    m->report.text = member_text(x->json, "message", NULLABLE | BLANK_OK, MESSAGE_MAX, &x->errors);
    if (!report_good(x)) return false;
    start_tell(x, &m->report);
    return true;
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

void job_progress_write(struct exchange *x, const struct message *answer) {
    (void)answer;
    state_ask(x, progressed_write);
}

bool job_checkpoint_read(struct exchange *x, struct message *m) {
    if (!report_read(x, m)) return false;
    struct report *r = &m->report;
    const char *name = member_find(x->json, "name") != NULL ? "name" : "step_name";
    r->name = member_text(x->json, name, NULLABLE | BLANK_OK, NAME_MAX, &x->errors);
    r->seq = (uint32_t)member_integer(x->json, "seq", NULLABLE, 0, 0, INT32_MAX, &x->errors);
    r->data = span_member(x, "data", "checkpoint_data");
    if (r->data.len == 0) field_wrong(&x->errors, "data", FIELD_MISSING, 0);
    if (!report_good(x)) return false;
    start_tell(x, r);
    return true;
}

void job_checkpoint_write(struct exchange *x, const struct message *answer) {
    envelope_open(x);
    job_id_write(x, answer->checkpoint_ok.task);
    out_key(&x->out, "checkpoint");
    out_unsigned(&x->out, answer->checkpoint_ok.seq);
    envelope_close(x);
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
    if (!report_read(x, m)) return false;
    const json_t *result = json_object_get(x->json, "result");
    if (json_is_string(result)) { /* a bare transcription */
        m->report.data = slice_of(json_string_value(result), json_string_length(result));
    } else if (json_is_object(result)) {
        m->report.data = span_member(x, "result", NULL);
    } else {
        m->report.data = x->body;
        result = x->json;
    }
    m->report.metrics = span_member(x, "metrics", NULL);
    return json_is_string(result) || result_good(x, result);
}

/* A small result goes into the task's record, a large one stays the file that it came as. */
static void put_loaded(struct exchange *x, struct slice bytes) {
    const char *type = exchange_header(x, "Content-Type");
    struct message m = {.verb = VERB_DONE};
    char why[128];
    if (!report_read(x, &m)) return;
    if (type != NULL && strstr(type, "json") != NULL) {
        json_t *result = json_parse(bytes, why, sizeof why);
        bool good = result != NULL
                        ? result_good(x, result)
                        : exchange_refuse(x, CODE_VALIDATION_ERROR, exchange_print(x, "%s", why));
        json_decref(result);
        if (!good) return;
    }
    if (bytes.len <= INLINE_MAX) {
        m.report.data = bytes;
    } else {
        const struct upload *file = &x->uploads[0];
        m.report.file = file->file;
        m.report.file_size = file->size;
        m.report.file_hash = slice_of(file->hash, sizeof file->hash);
        m.report.file_name = slice_text("result");
        m.report.file_mime = slice_text(file->mime);
    }
    exchange_send(x, &m, job_settled_write);
}

bool job_put_result_read(struct exchange *x, struct message *m) {
    if (!report_read(x, m)) return false;
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
    if (!report_read(x, m)) return false;
    int at = 0;
    while (at < 2 && member_find(x->json, names[at]) == NULL) at++;
    if (member_find(x->json, names[at]) == NULL) at = 0; /* none: the first one is missed */
    m->report.text = member_text(x->json, names[at], REQUIRED, MESSAGE_MAX, &x->errors);
    m->report.retryable = retryable_read(x);
    m->report.reason = m->report.retryable ? REASON_FAILED : REASON_PERMANENT;
    return report_good(x);
}

static void settled_answer(struct exchange *x, const struct message *answer) {
    uint64_t id;
    enum code code = exchange_code(answer);
    if (!job_id_read(x, &id)) return;
    if (code != CODE_OK && code != CODE_UNKNOWN_TASK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    /* not kept: it is gone, but its end was acknowledged */
    const char *state = x->route->verb == VERB_FAIL ? "FAILED" : "COMPLETED";
    if (code == CODE_OK) state = job_state(answer->view.head.status);
    envelope_open(x);
    job_id_write(x, id);
    out_key(&x->out, "status");
    out_string(&x->out, state);
    out_key(&x->out, "state");
    out_string(&x->out, state);
    envelope_close(x);
}

void job_settled_write(struct exchange *x, const struct message *answer) {
    (void)answer;
    state_ask(x, settled_answer);
}

/* ---- the recording ---- */

/* The first download is the start of the attempt; a stale lease gets nothing. */
bool job_audio_read(struct exchange *x, struct message *m) { return report_read(x, m); }

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
    exchange_file(x, &file);
}

void job_audio_write(struct exchange *x, const struct message *answer) {
    struct message m = {.verb = VERB_GET, .ref = {.want = WANT_BODY}};
    (void)answer;
    if (job_id_read(x, &m.ref.id)) exchange_send(x, &m, audio_answer);
}
