/* recording.c - a recording that is still being made: a file that grows (PROTOCOL.md, section 9).
 * Whoever goes on after a lost answer or a crash asks `result`, or says the last chunk again: a
 * chunk that is there already is counted once. */
#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/spell.h"
#include "proto/decode.h"
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

enum { RATE_LEAST = 4000, RATE_MOST = 192000, RATE_USUAL = 16000, FORM_PARTS_MAX = 16,
       FORM_BYTES_MAX = 4096 };

/* ---- the fields of createJob: JSON, a form, or the query ---- */

struct fields { struct exchange *x; char name[FORM_NAME_MAX + 1]; struct buffer value; };

static bool field_begin(void *context, const struct form_part *part) {
    struct fields *f = context;
    snprintf(f->name, sizeof f->name, "%s", part->name);
    buffer_clear(&f->value);
    return part->file_name == NULL; /* a recording does not belong here */
}

static bool field_data(void *context, struct slice bytes) {
    struct fields *f = context;
    if (f->value.len + bytes.len > FORM_BYTES_MAX) return false;
    buffer_append(&f->value, bytes.data, bytes.len);
    return true;
}

static bool field_end(void *context) {
    struct fields *f = context;
    json_t *text = json_stringn((const char *)f->value.data, f->value.len);
    return text != NULL && json_object_set_new(f->x->json, f->name, text) == 0;
}

static bool form_fields_read(struct exchange *x, const char *type) {
    struct form *form = exchange_alloc(x, sizeof *form);
    struct fields fields = {.x = x};
    const struct form_sink sink = {&fields, field_begin, field_data, field_end};
    x->json = json_object();
    const bool good = form_open(form, type, FORM_PARTS_MAX, sink) &&
                      form_feed(form, x->body) == FORM_END;
    buffer_free(&fields.value);
    return good || exchange_refuse(x, CODE_VALIDATION_ERROR,
                                   form->state == FORM_STOPPED
                                       ? "createJob ne prend ici que des champs de texte : "
                                         "envoyez l'audio à upload_url"
                                       : "Le formulaire est mal formé");
}

/* The framework frees x->json. A body in the form of a query is read as one. */
static bool fields_read(struct exchange *x) {
    const char *type = exchange_header(x, "Content-Type");
    char why[160] = "an object is expected";
    if (x->body.len == 0) return true;
    if (type != NULL && strncasecmp(type, "multipart/form-data", 19) == 0)
        return form_fields_read(x, type);
    if (type != NULL && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0) {
        x->query = (const char *)exchange_copy(x, x->body).data;
        return true;
    }
    if (type != NULL && strncasecmp(type, "application/json", 16) != 0)
        return exchange_refuse(x, CODE_UNSUPPORTED_MEDIA_TYPE, NULL);
    x->json = json_parse(x->body, why, sizeof why);
    return json_is_object(x->json) || exchange_refuse(x, CODE_VALIDATION_ERROR,
                                                        exchange_print(x, "%s", why));
}

/* A field as text, whatever it came as; NULL = absent. */
static const char *field_text(struct exchange *x, const char *name, const char *alias) {
    const json_t *value = json_object_get(x->json, name);
    if (value == NULL) value = json_object_get(x->json, alias);
    if (json_is_string(value)) return json_string_value(value);
    if (json_is_integer(value))
        return exchange_print(x, "%lld", (long long)json_integer_value(value));
    if (value != NULL && !json_is_null(value)) return "?"; /* no field takes that */
    const char *text = exchange_query(x, name);
    return text != NULL ? text : exchange_query(x, alias);
}

static int64_t rate_read(struct exchange *x) {
    const char *text = field_text(x, "sampleRate", "sample_rate");
    char *end;
    if (text == NULL || *text == '\0') return RATE_USUAL;
    const long rate = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0')
        field_refuse(&x->errors, "sampleRate", "sampleRate doit être un entier");
    else if (rate < RATE_LEAST || rate > RATE_MOST)
        field_refuse(&x->errors, "sampleRate",
                     "sampleRate doit être compris entre 4000 et 192000");
    return rate;
}

static const char *format_read(struct exchange *x) {
    static const char *const formats[] = {"s16le", "pcm", "wav", "webm", "ogg", "opus", "mp3",
                                          "m4a", "aac", "flac", NULL};
    const char *text = field_text(x, "format", "format");
    if (text == NULL || *text == '\0') return formats[0];
    for (const char *const *f = formats; *f != NULL; f++)
        if (strcasecmp(text, *f) == 0) return *f;
    field_refuse(&x->errors, "format", "format n'est pas un format audio pris en charge");
    return formats[0];
}

/* ---- createJob ---- */

struct creation { struct message submit; uint64_t id; };

static struct slice payload_make(struct exchange *x, const char *language, int64_t rate,
                                 const char *format) {
    struct out o = {0};
    out_object(&o);
    out_key(&o, "language");
    out_string(&o, language);
    out_key(&o, "sampleRate");
    out_integer(&o, rate);
    out_key(&o, "format");
    out_string(&o, format);
    out_object_end(&o);
    struct slice payload = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return payload;
}

static void file_forget(struct exchange *x, uint64_t file) {
    const struct message m = {.verb = VERB_FILE_DROP, .file = {.id = file}};
    exchange_send(x, &m, NULL);
}

/* ws://host for a request to http://host. */
static const char *socket_origin(struct exchange *x) {
    const char *origin = exchange_origin(x);
    return exchange_print(x, "ws%s", origin + 4);
}

static void opened_write(struct exchange *x, const struct message *answer) {
    const struct creation *creation = x->state;
    const bool viewed = exchange_code(answer) == CODE_OK;
    const struct view *v = &answer->view;
    const uint64_t file = creation->submit.submit.options.source_file;
    char text[JOB_UUID_SIZE];
    spell_job(x, creation->id, text);
    /* a repeated createJob found its job: this file is not that one's */
    if (viewed && v->body.source_file != file) file_forget(x, file);
    job_created_open(x, creation->id, viewed ? v : NULL);
    out_key(&x->out, "stream_url");
    out_string(&x->out, exchange_print(x, "%s/api/streamingTranscription/stream?job_uuid=%s",
                                       socket_origin(x), text));
    out_key(&x->out, "upload_url");
    out_string(&x->out, exchange_print(x, "%s/api/streamingTranscription/%s/audio",
                                       exchange_origin(x), text));
    job_created_close(x);
}

static void submitted(struct exchange *x, const struct message *answer) {
    struct creation *creation = x->state;
    if (exchange_code(answer) != CODE_OK) {
        file_forget(x, creation->submit.submit.options.source_file);
        exchange_refuse(x, exchange_code(answer), NULL);
        return;
    }
    creation->id = answer->submitted.id;
    const struct message m = {.verb = VERB_GET, .ref = {.id = creation->id, .want = WANT_BODY}};
    exchange_try(x, &m, opened_write);
}

static void file_made(struct exchange *x, const struct message *answer) {
    struct creation *creation = x->state;
    struct decode d = decode_of(answer->answer.body.data, answer->answer.body.len);
    uint32_t count;
    uint64_t *file = &creation->submit.submit.options.source_file;
    if (answer->verb != VERB_ANSWER || !decode_array(&d, &count) || count < 1 ||
        !decode_uint(&d, file)) {
        exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
        return;
    }
    exchange_try(x, &creation->submit, submitted);
}

bool recording_create_read(struct exchange *x, struct message *m) {
    char language[LANGUAGE_SIZE] = "";
    const struct mode *mode = mode_of(x);
    (void)m;
    if (!fields_read(x)) return false;
    const char *text = field_text(x, "language", "language");
    if (!language_read(x, text != NULL ? slice_text(text) : (struct slice){0}, language))
        field_refuse(&x->errors, "language", "La langue doit être un code de deux lettres");
    const int64_t rate = rate_read(x);
    const char *format = format_read(x);
    struct creation *creation = exchange_alloc(x, sizeof *creation);
    struct submit *submit = &creation->submit.submit;
    creation->submit.verb = VERB_SUBMIT;
    if (!job_options_read(x, language, &submit->options)) return false;
    submit->queue = mode_queue(x, mode);
    submit->type = slice_text(mode->type);
    submit->payload = payload_make(x, language, rate, format);
    submit->options.stream = true;
    submit->options.source_mime = slice_text("application/octet-stream");
    submit->options.source_name = slice_text(exchange_print(x, "recording.%s", format));
    x->state = creation;
    const struct message create = {.verb = VERB_FILE_CREATE,
                                   .file = {.name = submit->options.source_name,
                                            .stream = true}};
    exchange_send(x, &create, file_made);
    return false;
}

/* ---- chunks ---- */

struct chunk { struct message message; uint64_t id; const char *text; };

bool recording_read(const struct message *answer, struct recording *ret) {
    struct decode d = decode_of(answer->answer.body.data, answer->answer.body.len);
    struct recording r = {0};
    uint32_t count;
    if (answer->verb != VERB_ANSWER || answer->answer.code != CODE_OK) return false;
    if (!decode_array(&d, &count) || count < 3 || !decode_uint(&d, &r.received)) return false;
    if (!decode_uint(&d, &r.next_seq) || !decode_bool(&d, &r.ended)) return false;
    *ret = r;
    return true;
}

void recording_write(struct out *o, const struct recording *r) {
    out_key(o, "received");
    out_unsigned(o, r->received);
    out_key(o, "next_seq");
    if (r->ended) out_null(o);
    else out_unsigned(o, r->next_seq);
    out_key(o, "ended");
    out_bool(o, r->ended);
}

/* What was refused, and from where to go on. */
static void gap_write(struct exchange *x, const struct message *answer) {
    struct recording r;
    if (!recording_read(answer, &r)) {
        exchange_refuse(x, CODE_CONFLICT, NULL);
        return;
    }
    out_object(&x->out);
    out_key(&x->out, "status");
    out_string(&x->out, "error");
    out_key(&x->out, "message");
    out_string(&x->out, "Il manque un morceau avant celui-ci");
    out_key(&x->out, "code");
    out_string(&x->out, "CONFLICT");
    recording_write(&x->out, &r);
    out_object_end(&x->out);
    exchange_answer(x, 409);
}

static void chunk_write(struct exchange *x, const struct message *answer) {
    const struct chunk *chunk = x->state;
    const enum code code = exchange_code(answer);
    struct recording r;
    if (code == CODE_CONFLICT) {
        const struct message m = {.verb = VERB_FILE_STAT, .file = {.id = chunk->message.file.id}};
        exchange_send(x, &m, gap_write);
    } else if (code == CODE_OK && recording_read(answer, &r)) {
        envelope_open(x);
        job_id_write(x, chunk->id);
        recording_write(&x->out, &r);
        envelope_close(x);
    } else {
        exchange_refuse(x, code == CODE_OK ? CODE_INTERNAL_ERROR : code, NULL);
    }
}

/* A job that has ended takes no more audio; its end may be said again. */
static void chunk_send(struct exchange *x, const struct message *answer) {
    struct chunk *chunk = x->state;
    const struct view *v = &answer->view;
    if (!job_check(x, v)) return;
    chunk->message.file.id = v->body.source_file;
    if (status_ended(v->head.status) && chunk->message.verb == VERB_FILE_APPEND)
        exchange_refuse(x, CODE_GONE, NULL);
    else
        exchange_try(x, &chunk->message, chunk_write);
}

static bool chunk_begin(struct exchange *x, const struct file_ref *file, enum verb verb) {
    struct chunk *chunk = exchange_alloc(x, sizeof *chunk);
    if (!job_id_read(x, &chunk->id)) return false;
    chunk->message.verb = verb;
    chunk->message.file = *file;
    x->state = chunk;
    const struct message get = {.verb = VERB_GET, .ref = {.id = chunk->id, .want = WANT_BODY}};
    exchange_send(x, &get, chunk_send);
    return false;
}

bool recording_append_read(struct exchange *x, struct message *m) {
    const char *text = exchange_header(x, "X-Seq");
    struct file_ref file = {.bytes = x->body, .seq = -1};
    (void)m;
    if (text != NULL) {
        const size_t len = strlen(text);
        if (len == 0 || len > 15 || strspn(text, "0123456789") != len)
            return exchange_refuse(x, CODE_VALIDATION_ERROR, "X-Seq doit être un nombre");
        file.seq = strtoll(text, NULL, 10);
    }
    if (x->body.len == 0)
        return exchange_refuse(x, CODE_VALIDATION_ERROR, "Le morceau audio est vide");
    return chunk_begin(x, &file, VERB_FILE_APPEND);
}

bool recording_end_read(struct exchange *x, struct message *m) {
    const struct file_ref file = {.seq = -1};
    (void)m;
    return chunk_begin(x, &file, VERB_FILE_END);
}
