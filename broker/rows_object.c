/* rows_object.c - lists of objects; see filler.h. */
#include "broker/filler.h"
#include "broker/secret.h"
#include "proto/object.h"
#include <jansson.h>

enum { SCOPE_ALL, SCOPE_BRAND, SCOPE_TASK };

enum code object_walk(const struct question *q, uint8_t role, struct walk *walk) {
    static const struct { const char *text; uint8_t number, scope; } kinds[] = {
#define OBJECT(NAME, number, text, scope, limit, sentence) {text, number, SCOPE_##scope},
#include "broker/core/object.def"
#undef OBJECT
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!slice_equal(q->object, slice_text(kinds[i].text))) continue;
        if (kinds[i].scope == SCOPE_ALL && role != ROLE_ADMIN) return CODE_FORBIDDEN;
        walk->object = kinds[i].number;
        walk->all_brands = kinds[i].scope != SCOPE_ALL && q->brand == 0;
        walk->brand = kinds[i].scope != SCOPE_ALL ? q->brand : 0;
        walk->owner = q->owner;
        walk->from_id = walk->to_id = q->id;
        return CODE_OK;
    }
    return CODE_VALIDATION_ERROR;
}

struct object_view { const struct object_record *object; json_t *body; /* owned */ };

/* Fields are those of the row, and body.NAME when the body is a JSON object. */
static struct field_value object_field(void *context, struct slice name) {
    struct object_view *row = context;
    const struct object_record *o = row->object;
    if (slice_equal(name, slice_text("id"))) return value_number((double)o->id);
    if (slice_equal(name, slice_text("name"))) return value_text(o->name);
    if (slice_equal(name, slice_text("owner"))) return value_text(o->owner);
    if (slice_equal(name, slice_text("version"))) return value_number(o->version);
    if (slice_equal(name, slice_text("created_ms"))) return value_number((double)o->created_ms);
    if (slice_equal(name, slice_text("updated_ms"))) return value_number((double)o->updated_ms);
    if (name.len <= 5 || memcmp(name.data, "body.", 5) != 0)
        return value_absent;
    return field_of_member(&row->body, o->body, slice_of(name.data + 5, name.len - 5));
}

static bool filter_holds(const struct filler *f, const struct object_record *o) {
    struct object_view row = {.object = o};
    const bool holds = filter_matches(f->filter, object_field, &row);
    json_decref(row.body);
    return holds;
}

bool object_matches(const struct filler *f, const struct object_record *o) {
    const struct question *q = f->q;
    const struct slice texts[] = {o->name, o->owner, o->keys, o->body, o->file_name};
    if (o->until_ms != 0 && o->until_ms <= f->page->wall_ms) return false;
    if (q->id != 0 && o->id != q->id) return false;
    if (q->owner.len > 0 && !slice_equal(q->owner, o->owner)) return false;
    if (q->from_ms != 0 && o->created_ms < q->from_ms) return false;
    if (q->to_ms != 0 && o->created_ms > q->to_ms) return false;
    if (f->filter != NULL && !filter_holds(f, o)) return false;
    return q->search.len == 0
        || search_matches(q->search, texts, sizeof texts / sizeof texts[0]);
}

static void row_put_to(const struct filler *f, struct buffer *b, const struct object_record *o) {
    struct object_row row = object_row_of(o);
    if (row.file != 0) row.ticket = ticket_of(f->page->id_key, row.file);
    object_row_put(b, &row);
}

void object_put(struct filler *f, const struct object_record *o) {
    row_put_to(f, &f->page->rows, o);
}

void object_sort(struct filler *f, struct sorter *s, const struct object_record *o) {
    struct object_view row = {.object = o};
    struct buffer bytes = {0};
    row_put_to(f, &bytes, o);
    sorter_take_row(s, o->id, object_field, &row, buffer_slice(&bytes));
    buffer_free(&bytes);
    json_decref(row.body);
}
