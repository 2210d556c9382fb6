/* create.c - a task is made: its file and its config are looked up, the task gets a copy of the
 * file that is its own (no bytes are copied), and is submitted. */
#include "gateway/dialect/qalpuch/file.h"
#include "gateway/dialect/qalpuch/preset.h"
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/span.h"
#include "proto/base/utf8.h"
#include <sodium.h>
#include <string.h>

enum { CUID_MAX = 64 };

struct creating {
    struct slice file, preset;  /* cuids */
    struct slice config;        /* the JSON value's text */
    struct slice type;          /* as the request gives it */
    const char *once;
    int priority;
};

/* ---- the submit ---- */

/* What workers read: the object, or what the string holds. */
static struct slice payload_make(struct exchange *x, const struct creating *c, json_t **ret_config,
                                 bool *ret_text) {
    json_t *value = json_of(c->config);
    *ret_text = json_is_string(value);
    *ret_config = NULL;
    if (!*ret_text) {
        *ret_config = value;
        return c->config;
    }
    struct slice text = exchange_copy(x, slice_of(json_string_value(value),
                                                  json_string_length(value)));
    json_decref(value);
    if (text.len > 0) *ret_config = json_of(text);
    return text;
}

static struct slice extra_make(struct exchange *x, const struct creating *c, bool text,
                               const struct upload *copy) {
    char hash[2 * sizeof copy->hash + 1];
    struct out o = {0};
    sodium_bin2hex(hash, sizeof hash, copy->hash, sizeof copy->hash);
    out_object(&o);
    out_key(&o, "file");
    out_text(&o, c->file);
    out_key(&o, "sha256");
    out_string(&o, hash);
    if (text) {
        out_key(&o, "text");
        out_bool(&o, true);
    }
    if (c->preset.len > 0) {
        out_key(&o, "preset");
        out_text(&o, c->preset);
    }
    out_object_end(&o);
    struct slice extra = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return extra;
}

/* The task as it was born: a worker may have begun already, and a repeated call gets the first
 * one's answer. */
static void born_write(struct exchange *x, const struct message *answer) {
    struct view v = answer->view;
    v.head.status = STATUS_QUEUED;
    v.head.progress = 0;
    v.head.worker = 0;
    v.head.updated_ms = v.head.created_ms;
    v.worker = v.progress_text = (struct slice){0};
    qalpuch_open(x, "Task created successfully");
    qalpuch_task_write(x, &x->out, &v);
    qalpuch_close(x);
}

static void submitted(struct exchange *x, const struct message *answer) {
    struct message m = {.verb = VERB_GET,
                        .ref = {.id = answer->submitted.id, .want = WANT_BODY}};
    exchange_send(x, &m, born_write);
}

static void submit(struct exchange *x, const struct upload *copy) {
    const struct creating *c = x->state;
    struct message m = {.verb = VERB_SUBMIT};
    struct options *options = &m.submit.options;
    json_t *config;
    bool text;
    m.submit.payload = payload_make(x, c, &config, &text);
    const json_t *type = json_object_get(config, "type");
    struct slice word = json_is_string(type) && json_string_length(type) > 0
                            ? exchange_copy(x, slice_text(json_string_value(type)))
                            : (struct slice){0};
    json_decref(config);
    m.submit.queue = word.len > 0 ? word : slice_text(QALPUCH_QUEUE);
    m.submit.type = word.len > 0 ? word : c->type;
    options->set = SET_KEEP | SET_RETRIES | SET_EXTRA | (c->priority >= 0 ? SET_PRIORITY : 0u);
    options->retries = 0; /* a failure that a worker reports is final */
    options->dialect = QALPUCH_NUMBER;
    options->priority = c->priority >= 0 ? (uint8_t)c->priority : 0;
    options->keep_ms = setting_keep_ms(x);
    options->labels = slice_text(QALPUCH_LABEL);
    options->extra = extra_make(x, c, text, copy);
    options->source_file = copy->file;
    options->source_size = copy->size;
    options->source_name = slice_text(copy->file_name);
    options->source_mime = slice_text(copy->mime);
    options->source_hash = slice_of(copy->hash, sizeof copy->hash);
    if (c->once != NULL) options->key = slice_text(c->once);
    exchange_send(x, &m, submitted);
}

/* ---- what it is made of ---- */

static void file_found(struct exchange *x, const struct object_row *row) {
    bool mine = x->who.role == ROLE_ADMIN || slice_equal(row->owner, slice_text(x->who.name));
    if (!mine) {
        exchange_refuse(x, CODE_NOT_FOUND, "there is no such file");
        return;
    }
    struct slice name = file_name(x, row), mime = row->file_mime;
    name.len = utf8_cut(name, QALPUCH_NAME_MAX);
    name = exchange_copy(x, name);
    mime = exchange_copy(x, mime);
    exchange_link(x, row->file, row->ticket, (const char *)name.data, (const char *)mime.data,
                  submit);
}

static void preset_found(struct exchange *x, struct slice cuid, struct slice config) {
    struct creating *c = x->state;
    c->preset = cuid;
    if (c->config.len == 0) c->config = exchange_copy(x, config); /* one's own goes first */
    file_find(x, c->file, file_found);
}

bool qalpuch_create_read(struct exchange *x, struct message *m) {
    static const char *const priorities[] = {"low", "normal", "high", "critical", NULL};
    struct creating *c = exchange_alloc(x, sizeof *c);
    struct field_errors *e = &x->errors;
    const json_t *config = json_object_get(x->json, "config");
    (void)m;
    const char *file = member_find(x->json, "fileId") == NULL &&
                       member_find(x->json, "sourceFileId") != NULL ? "sourceFileId" : "fileId";
    c->file = member_text(x->json, file, REQUIRED, CUID_MAX, e);
    c->preset = member_text(x->json, "predefinedTaskId", NULLABLE, CUID_MAX, e);
    c->type = member_text(x->json, "type", NULLABLE | BLANK_OK, QALPUCH_NAME_MAX, e);
    c->priority = member_choice(x->json, "priority", NULLABLE, priorities, e);
    c->config = span_member(x, "config", NULL);
    c->once = qalpuch_once(x);
    if (c->config.len > 0 && !json_is_object(config) && !json_is_string(config))
        field_refuse(e, "config", "An object or a string is expected.");
    if (c->config.len == 0 && c->preset.len == 0)
        field_refuse(e, "config", "config or predefinedTaskId is required.");
    if (!qalpuch_one_brand(x)) return false;
    if (!cuid_form(c->file)) return exchange_refuse(x, CODE_NOT_FOUND, "there is no such file");
    x->state = c;
    if (c->preset.len > 0) preset_config(x, c->preset, preset_found);
    else file_find(x, c->file, file_found);
    return false;
}
