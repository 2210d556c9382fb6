#include "gateway/dialect/output.h"
#include "gateway/dialect/number.h"
#include "gateway/dialect/spell.h"
#include "proto/base/utf8.h"
#include <sodium.h>
#include <string.h>

enum { NAME_BYTES_MAX = 128 /* bytes */ };

static const char *const noted[] = {"name", "mime", "sha256"};

struct slice output_note(struct exchange *x, const struct upload *file) {
    char hash[2 * OUTPUT_HASH + 1];
    struct slice name = slice_text(file->file_name), mime = slice_text(file->mime);
    struct out o = {0};
    name.len = utf8_cut(name, NAME_BYTES_MAX);
    mime.len = utf8_cut(mime, NAME_BYTES_MAX);
    sodium_bin2hex(hash, sizeof hash, file->hash, OUTPUT_HASH);
    out_object(&o);
    out_key(&o, noted[0]);
    out_text(&o, name);
    out_key(&o, noted[1]);
    out_text(&o, mime);
    out_key(&o, noted[2]);
    out_string(&o, hash);
    out_object_end(&o);
    struct slice note = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return note;
}

bool output_noted(const struct view *v, const char *name) {
    bool found = false;
    for (size_t i = 0; i < sizeof noted / sizeof *noted; i++)
        found = found || strcmp(name, noted[i]) == 0;
    return found && v->head.dialect == QALPUCH_NUMBER && v->result.result_file != 0;
}

static struct slice member_copy(struct exchange *x, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value)) return (struct slice){0};
    return exchange_copy(x, slice_of(json_string_value(value), json_string_length(value)));
}

/* Inline results are JSON or text; what they are is seen on them. */
static void inline_read(const struct view *v, struct output *ret) {
    json_t *json = json_of(v->result.result);
    ret->mime = slice_text(json != NULL                     ? "application/json"
                           : utf8_valid(v->result.result) ? "text/plain; charset=utf-8"
                                                          : "application/octet-stream");
    json_decref(json);
    ret->size = v->result.result.len;
    crypto_hash_sha256(ret->hash, v->result.result.data, v->result.result.len);
    ret->hashed = true;
}

static void note_read(struct exchange *x, const struct view *v, struct output *ret) {
    json_t *note = v->head.dialect == QALPUCH_NUMBER ? json_of(v->result.metrics) : NULL;
    struct slice mime = member_copy(x, note, noted[1]), hash = member_copy(x, note, noted[2]);
    size_t len = 0;
    ret->name = member_copy(x, note, noted[0]);
    if (mime.len > 0) ret->mime = mime;
    ret->hashed = hash.len == 2 * OUTPUT_HASH &&
                  sodium_hex2bin(ret->hash, OUTPUT_HASH, (const char *)hash.data, hash.len, NULL,
                                 &len, NULL) == 0;
    json_decref(note);
}

void output_read(struct exchange *x, const struct view *v, struct output *ret) {
    *ret = (struct output){.mime = slice_text("application/octet-stream"),
                            .size = v->result_size};
    if (v->result.result_file == 0) inline_read(v, ret);
    else note_read(x, v, ret);
    if (ret->name.len == 0) ret->name = slice_text("result");
}

void output_answer(struct exchange *x, const struct view *v) {
    struct output about;
    char id[CUID_SIZE];
    output_read(x, v, &about);
    if (!about.hashed) { /* a result never changes: its id says as much as a hash would */
        spell_result(x, v->head.id, id);
        crypto_hash_sha256(about.hash, (const uint8_t *)id, strlen(id));
    }
    struct file_answer file = {
        .file = v->result.result_file,
        .size = about.size,
        .name = about.name,
        .mime = about.mime,
        .hash = slice_of(about.hash, OUTPUT_HASH),
        .attachment = true,
        .bytes = v->result.result,
    };
    exchange_file(x, &file);
}
