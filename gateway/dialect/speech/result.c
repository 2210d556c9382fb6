/* result.c - a job as its client sees it. A wait is a loop: WATCH answers when the job's version
 * has changed, or at the deadline. A transcription that outgrew the task's record is a file: it is
 * read first, and then the job again. Of a recording that still grows it is asked how much is
 * there. */
#include "gateway/dialect/load.h"
#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/spell.h"
#include "proto/host/clock.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- the transcription ---- */

static struct slice blanks_trim(struct slice s) {
    while (s.len > 0 && strchr(" \t\r\n", s.data[s.len - 1]) != NULL) s.len--;
    while (s.len > 0 && strchr(" \t\r\n", s.data[0]) != NULL) {
        s.data++;
        s.len--;
    }
    return s;
}

static struct slice text_member(const json_t *object, const char *const *names) {
    for (; *names != NULL; names++) {
        const json_t *value = json_object_get(object, *names);
        if (json_is_string(value))
            return slice_of(json_string_value(value), json_string_length(value));
    }
    return (struct slice){0};
}

/* What was said, when the worker gave segments alone. */
static struct slice segments_join(struct exchange *x, const json_t *segments) {
    struct buffer text = {0};
    size_t index;
    json_t *one;
    json_array_foreach(segments, index, one) {
        const json_t *words = json_object_get(one, "text");
        if (!json_is_string(words)) continue;
        if (text.len > 0) buffer_byte(&text, ' ');
        buffer_append(&text, json_string_value(words), json_string_length(words));
    }
    struct slice joined = exchange_copy(x, buffer_slice(&text));
    buffer_free(&text);
    return joined;
}

/* result{full_text, segments, language} and whatever else the worker said beside them. */
static void result_write(struct exchange *x, json_t *given, struct slice text,
                         const char *language) {
    struct out *o = &x->out;
    out_key(o, "result");
    out_object(o);
    out_key(o, "full_text");
    out_text(o, text);
    out_key(o, "segments");
    json_t *segments = json_object_get(given, "segments");
    if (json_is_array(segments)) {
        out_json(o, segments);
    } else {
        out_list(o);
        out_list_end(o);
    }
    out_key(o, "language");
    json_t *spoken = json_object_get(given, "language");
    if (json_is_string(spoken)) out_json(o, spoken);
    else out_string(o, language);
    const char *key;
    json_t *value;
    json_object_foreach(given, key, value) {
        if (strcmp(key, "full_text") == 0 || strcmp(key, "segments") == 0 ||
            strcmp(key, "language") == 0)
            continue;
        out_key_slice(o, slice_text(key));
        out_json(o, value);
    }
    out_object_end(o);
}

static const char *result_url(struct exchange *x, const struct mode *mode, uint64_t id) {
    char text[JOB_UUID_SIZE];
    spell_job(x, id, text);
    return exchange_print(x, "%s/api/%sTranscription/%s/result", exchange_origin(x), mode->name,
                          text);
}

/* A JSON object is the result, any other text is the transcription itself. */
static void completed_write(struct exchange *x, const struct view *v, struct slice bytes) {
    const struct mode *mode = mode_of_view(v);
    static const char *const names[] = {"full_text", "transcription", "text", NULL};
    bytes = blanks_trim(bytes);
    json_t *given = bytes.len > 0 && bytes.data[0] == '{' ? json_of(bytes) : NULL;
    struct slice text = given != NULL ? text_member(given, names) : bytes;
    if (given != NULL && text.len == 0)
        text = segments_join(x, json_object_get(given, "segments"));
    out_key(&x->out, "transcription");
    out_text(&x->out, text);
    result_write(x, given, text, job_language(x, v->labels));
    if (v->result.result_file != 0) {
        out_key(&x->out, "result_url");
        out_string(&x->out, result_url(x, mode, v->head.id));
    }
    out_key(&x->out, mode->time_key);
    out_number(&x->out, v->head.started_ms > 0
                            ? (double)(v->head.finished_ms - v->head.started_ms) / 1000.0
                            : 0);
    json_decref(given);
}

static void failed_write(struct exchange *x, const struct view *v) {
    struct slice message = v->result.message;
    out_key(&x->out, "error_message");
    if (v->head.status == STATUS_CANCELLED) {
        out_string(&x->out, "Votre demande a été annulée");
        out_key(&x->out, "cancelled");
        out_bool(&x->out, true);
    } else if (message.len > 0) {
        out_text(&x->out, message);
    } else {
        out_string(&x->out, reason_name(v->head.reason));
    }
}

static void attempts_write(struct exchange *x, const struct view *v) {
    struct out *o = &x->out;
    struct attempt_record row;
    uint32_t at = 0;
    out_key(o, "logs");
    out_list(o);
    while (attempt_next(v->attempts, &at, &row)) {
        out_object(o);
        out_key(o, "attempt");
        out_unsigned(o, row.attempt);
        out_key(o, "reason");
        out_string(o, reason_name(row.reason));
        out_key(o, "message");
        out_text(o, row.message);
        out_key(o, "worker");
        out_text(o, row.worker);
        out_key(o, "started_at");
        out_time(o, row.started_ms);
        out_key(o, "ended_at");
        out_time(o, row.ended_ms);
        out_object_end(o);
    }
    if (v->head.status == STATUS_COMPLETED) { /* the ledger holds the attempts that did not */
        out_object(o);
        out_key(o, "attempt");
        out_unsigned(o, v->head.attempt);
        out_key(o, "reason");
        out_string(o, reason_name(REASON_DONE));
        out_key(o, "worker");
        out_text(o, v->result.worker);
        out_key(o, "started_at");
        out_time(o, v->head.started_ms);
        out_key(o, "ended_at");
        out_time(o, v->head.finished_ms);
        out_object_end(o);
    }
    out_list_end(o);
}

void job_result_write(struct exchange *x, const struct view *v, struct slice loaded) {
    struct out *o = &x->out;
    const char *state = job_state(v->head.status);
    job_id_write(x, v->head.id);
    out_key(o, "status");
    out_string(o, state);
    out_key(o, "state");
    out_string(o, state);
    if (v->head.status == STATUS_COMPLETED) {
        completed_write(x, v, v->result.result_file != 0 ? loaded : v->result.result);
    } else if (status_ended(v->head.status)) {
        failed_write(x, v);
    } else if (v->head.status == STATUS_QUEUED || v->head.status == STATUS_SCHEDULED) {
        out_key(o, "position");
        if (v->place > 0) out_unsigned(o, v->place);
        else out_null(o);
    } else {
        out_key(o, "progress");
        out_integer(o, v->head.progress);
    }
    if (v->attempt_count > 0 || v->head.status == STATUS_COMPLETED) {
        out_key(o, "attempt_count");
        out_unsigned(o, v->head.attempt);
    }
    const char *logs = exchange_query(x, "logs");
    if (logs != NULL && strcmp(logs, "0") != 0) attempts_write(x, v);
}

bool job_must_load(const struct view *v, struct slice loaded) {
    return v->head.status == STATUS_COMPLETED && v->result.result_file != 0 &&
           loaded.data == NULL && v->result_size <= LOAD_MAX;
}

/* ---- result, with or without a wait ---- */

struct reading {
    int64_t until_ms;    /* monotonic: the end of the wait */
    uint64_t id;
    bool asked;          /* how much of the recording there is */
    struct recording recording;
    struct slice loaded; /* the result file */
};

static void get_again(struct exchange *x, exchange_then *then) {
    const struct reading *reading = x->state;
    struct message m = {.verb = VERB_GET,
                        .ref = {.id = reading->id,
                                .want = WANT_BODY | WANT_RESULT | WANT_ATTEMPTS}};
    exchange_send(x, &m, then);
}

static void result_answer(struct exchange *x, const struct view *v) {
    const struct reading *reading = x->state;
    const char *legacy = exchange_option(x, "legacy_failed");
    if (v->head.status == STATUS_FAILED && legacy != NULL && strcmp(legacy, "500") == 0) {
        exchange_refuse(x, CODE_INTERNAL_ERROR,
                        v->result.message.len > 0
                            ? (const char *)exchange_copy(x, v->result.message).data
                            : reason_name(v->head.reason));
        return;
    }
    envelope_open(x);
    job_result_write(x, v, reading->loaded);
    if (reading->asked) recording_write(&x->out, &reading->recording);
    envelope_close(x);
}

static void result_go_on(struct exchange *x, const struct message *answer);

static void recording_asked(struct exchange *x, const struct message *answer) {
    struct reading *reading = x->state;
    reading->asked = true;
    recording_read(answer, &reading->recording);
    get_again(x, result_go_on);
}

static void recording_ask(struct exchange *x, uint64_t file) {
    const struct message m = {.verb = VERB_FILE_STAT, .file = {.id = file, .seq = -1}};
    exchange_try(x, &m, recording_asked);
}

static void result_loaded(struct exchange *x, struct slice bytes) {
    struct reading *reading = x->state;
    reading->loaded = bytes;
    get_again(x, result_go_on);
}

static void result_go_on(struct exchange *x, const struct message *answer) {
    const struct reading *reading = x->state;
    const struct view *v = &answer->view;
    if (!job_check(x, v)) return;
    int64_t left_ms = reading->until_ms - clock_mono_ms();
    if (job_must_load(v, reading->loaded)) {
        load_file(x, v->result.result_file, v->result_size, v->result_ticket, result_loaded);
        return;
    }
    if (status_ended(v->head.status) || left_ms <= 0) {
        if (v->head.flags & TASK_STREAM && !status_ended(v->head.status) && !reading->asked)
            recording_ask(x, v->body.source_file);
        else
            result_answer(x, v);
        return;
    }
    struct message m = {.verb = VERB_WATCH,
                        .ref = {.id = v->head.id,
                                .want = WANT_BODY | WANT_RESULT | WANT_ATTEMPTS,
                                .version = v->head.version,
                                .wait_ms = (uint32_t)left_ms}};
    exchange_send(x, &m, result_go_on);
}

bool job_result_read(struct exchange *x, struct message *m) {
    struct reading *reading = exchange_alloc(x, sizeof *reading);
    (void)m;
    if (!job_id_read(x, &reading->id)) return false;
    int64_t wait_s = exchange_query_number(x, "wait", 0, 0, INT32_MAX);
    if (x->errors.count > 0) return exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
    reading->until_ms = clock_mono_ms() + setting_wait_ms(x, wait_s);
    x->state = reading;
    get_again(x, result_go_on);
    return false;
}

/* ---- the result's own bytes ---- */

static void bytes_answer(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    if (!job_check(x, v)) return;
    if (v->head.status != STATUS_COMPLETED) {
        exchange_refuse(x, CODE_NOT_FOUND, NULL);
        return;
    }
    if (v->result.result_file == 0) {
        json_t *json = json_of(v->result.result);
        exchange_set(x, "Content-Type",
                     json != NULL ? "application/json" : "text/plain; charset=utf-8");
        json_decref(json);
        buffer_append(&x->out.body, v->result.result.data, v->result.result.len);
        exchange_answer(x, x->route->status);
        return;
    }
    struct file_answer file = {.file = v->result.result_file,
                               .size = v->result_size,
                               .name = v->result_name,
                               .mime = v->result_mime};
    exchange_file(x, &file);
}

bool job_bytes_read(struct exchange *x, struct message *m) {
    struct message get = {.verb = VERB_GET, .ref = {.want = WANT_RESULT}};
    (void)m;
    if (job_id_read(x, &get.ref.id)) exchange_send(x, &get, bytes_answer);
    return false;
}
