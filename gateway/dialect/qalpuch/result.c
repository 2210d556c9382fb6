/* result.c - a task's result as a File. */
#include "gateway/dialect/output.h"
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/spell.h"
#include <sodium.h>

bool result_ready(const struct view *v) { return v->head.status == STATUS_COMPLETED; }

void result_file_write(struct exchange *x, const struct view *v) {
    struct out *o = &x->out;
    struct output about;
    char id[CUID_SIZE], hash[2 * OUTPUT_HASH + 1];
    spell_result(x, v->head.id, id);
    output_read(x, v, &about);
    sodium_bin2hex(hash, sizeof hash, about.hash, OUTPUT_HASH);
    out_object(o);
    out_key(o, "id");
    out_string(o, id);
    out_key(o, "filename");
    out_text(o, about.name);
    out_key(o, "path");
    out_string(o, exchange_print(x, "/api/v1/files/%s/download", id));
    out_key(o, "size");
    out_unsigned(o, about.size);
    out_key(o, "mimeType");
    out_text(o, about.mime);
    out_key(o, "mime_type");
    out_text(o, about.mime);
    out_key(o, "hash");
    out_string(o, about.hashed ? hash : NULL);
    out_times(o, v->head.finished_ms, v->head.finished_ms);
    out_object_end(o);
}
