/* result.c - a task's result as bytes and as a file, whether it is stored as a file or, being
 * small and from a native worker, in the task's record. */
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/spell.h"
#include "proto/base/utf8.h"
#include <sodium.h>
#include <string.h>

enum { HASH = 32 };

/* What is known of a result beside its bytes. */
struct about { struct slice name, mime; uint8_t hash[HASH]; bool hashed; };

bool result_ready(const struct view *v) { return v->head.status == STATUS_COMPLETED; }

struct slice result_note(struct exchange *x, const struct upload *file) {
    char hash[2 * HASH + 1];
    struct slice name = slice_text(file->file_name), mime = slice_text(file->mime);
    struct out o = {0};
    name.len = utf8_cut(name, QALPUCH_NAME_MAX);
    mime.len = utf8_cut(mime, QALPUCH_NAME_MAX);
    sodium_bin2hex(hash, sizeof hash, file->hash, HASH);
    out_object(&o);
    out_key(&o, "name");
    out_text(&o, name);
    out_key(&o, "mime");
    out_text(&o, mime);
    out_key(&o, "sha256");
    out_string(&o, hash);
    out_object_end(&o);
    struct slice note = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return note;
}

static struct slice member_copy(struct exchange *x, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value)) return (struct slice){0};
    return exchange_copy(x, slice_of(json_string_value(value), json_string_length(value)));
}

/* Inline results are JSON or text; what they are is seen on them. */
static void inline_about(const struct view *v, struct about *about) {
    char why[1];
    json_t *json = json_parse(v->result.result, why, sizeof why);
    about->mime = slice_text(json != NULL                            ? "application/json"
                             : utf8_valid(v->result.result) ? "text/plain; charset=utf-8"
                                                            : "application/octet-stream");
    json_decref(json);
    crypto_hash_sha256(about->hash, v->result.result.data, v->result.result.len);
    about->hashed = true;
}

static void about_read(struct exchange *x, const struct view *v, struct about *about) {
    char why[1];
    *about = (struct about){.mime = slice_text("application/octet-stream")};
    if (v->result.result_file == 0) {
        inline_about(v, about);
    } else {
        json_t *note = v->result.metrics.len > 0
                           ? json_parse(v->result.metrics, why, sizeof why) : NULL;
        struct slice mime = member_copy(x, note, "mime"), hash = member_copy(x, note, "sha256");
        size_t len = 0;
        about->name = member_copy(x, note, "name");
        if (mime.len > 0) about->mime = mime;
        about->hashed = hash.len == 2 * HASH &&
                        sodium_hex2bin(about->hash, HASH, (const char *)hash.data, hash.len, NULL,
                                       &len, NULL) == 0;
        json_decref(note);
    }
    if (about->name.len == 0) about->name = slice_text("result");
}

static uint64_t size_of(const struct view *v) {
    return v->result.result_file != 0 ? v->result_size : v->result.result.len;
}

void result_file_write(struct exchange *x, const struct view *v) {
    struct out *o = &x->out;
    struct about about;
    char id[CUID_SIZE], hash[2 * HASH + 1];
    spell_result(x, v->head.id, id);
    about_read(x, v, &about);
    sodium_bin2hex(hash, sizeof hash, about.hash, HASH);
    out_object(o);
    out_key(o, "id");
    out_string(o, id);
    out_key(o, "filename");
    out_text(o, about.name);
    out_key(o, "path");
    out_string(o, exchange_print(x, "/api/v1/files/%s/download", id));
    out_key(o, "size");
    out_unsigned(o, size_of(v));
    out_key(o, "mimeType");
    out_text(o, about.mime);
    out_key(o, "mime_type");
    out_text(o, about.mime);
    out_key(o, "hash");
    out_string(o, about.hashed ? hash : NULL);
    out_times(o, v->head.finished_ms, v->head.finished_ms);
    out_object_end(o);
}

void result_bytes_answer(struct exchange *x, const struct view *v) {
    struct about about;
    char id[CUID_SIZE];
    about_read(x, v, &about);
    if (!about.hashed) { /* a result never changes: its id says as much as a hash would */
        spell_result(x, v->head.id, id);
        crypto_hash_sha256(about.hash, (const uint8_t *)id, strlen(id));
    }
    struct file_answer file = {
        .file = v->result.result_file,
        .size = size_of(v),
        .name = about.name,
        .mime = about.mime,
        .hash = slice_of(about.hash, HASH),
        .attachment = true,
        .bytes = v->result.result,
    };
    exchange_file(x, &file);
}
