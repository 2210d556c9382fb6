/* preset.c - predefined tasks. See preset.h. */
#include "gateway/dialect/qalpuch/preset.h"
#include "gateway/account.h"
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/span.h"
#include <ctype.h>
#include <string.h>

enum { NAME_MAX_BYTES = 120, DESCRIPTION_MAX = 4096 };

struct preset { /* as a request gives it; no data = not given */
    struct slice name, description, config;
    struct slice cuid;
    const char *once;
};

/* ---- the Predefined Task JSON ---- */

static void member_write(struct out *o, const char *key, struct slice body) {
    out_key(o, key);
    out_raw(o, span_find(body, key)); /* the body was written here: its keys have no escapes */
}

static void row_write(struct exchange *x, const struct object_row *row) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "id");
    out_text(o, row->name);
    member_write(o, "name", row->body);
    member_write(o, "description", row->body);
    member_write(o, "config", row->body);
    out_times(o, row->created_ms, row->updated_ms);
    out_key(o, "adminId");
    out_text(o, row->owner);
    out_key(o, "admin_id");
    out_text(o, row->owner);
    out_object_end(o);
}

static void answer_row(struct exchange *x, const struct object_row *row, const char *message) {
    qalpuch_open(x, message);
    row_write(x, row);
    qalpuch_close(x);
}

/* False, with the exchange ended, when the answer is no object. */
static bool row_taken(struct exchange *x, const struct message *answer, struct object_row *ret) {
    enum code code = exchange_code(answer);
    if (code == CODE_OK && object_row_read(answer->answer.body, ret)) return true;
    const char *text = code == CODE_NOT_FOUND  ? "there is no such predefined task"
                       : code == CODE_CONFLICT ? "a predefined task with this name exists" : NULL;
    return exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR, text);
}

/* ---- asking ---- */

static void preset_fetch(struct exchange *x, struct slice name, exchange_then *then) {
    struct message m = {.verb = VERB_FETCH,
                        .object = {.kind = slice_text("preset"), .name = name,
                                   .brand = x->who.brand}};
    if (qalpuch_one_brand(x)) exchange_try_as(x, &account_house, &m, then);
}

struct configuring { struct slice cuid; preset_then *then; void *before; };

static void config_found(struct exchange *x, const struct message *answer) {
    struct configuring *c = x->state;
    struct object_row row;
    x->state = c->before;
    if (row_taken(x, answer, &row)) c->then(x, c->cuid, span_find(row.body, "config"));
}

void preset_config(struct exchange *x, struct slice cuid, preset_then *then) {
    struct configuring *c = exchange_alloc(x, sizeof *c);
    if (!cuid_form(cuid)) {
        exchange_refuse(x, CODE_NOT_FOUND, "there is no such predefined task");
        return;
    }
    *c = (struct configuring){cuid, then, x->state};
    x->state = c;
    preset_fetch(x, cuid, config_found);
}

/* ---- storing ---- */

static struct slice body_make(struct exchange *x, const struct preset *p) {
    struct out o = {0};
    out_object(&o);
    out_key(&o, "name");
    out_text(&o, p->name);
    out_key(&o, "description");
    if (p->description.data != NULL) out_text(&o, p->description);
    else out_null(&o);
    out_key(&o, "config");
    out_raw(&o, p->config);
    out_object_end(&o);
    struct slice body = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return body;
}

static void preset_store(struct exchange *x, const struct preset *p, enum put_mode mode,
                         exchange_then *then) {
    struct buffer keys = {0};
    char name[NAME_MAX_BYTES + 3] = "n:";
    for (uint32_t i = 0; i < p->name.len; i++) name[2 + i] = (char)tolower(p->name.data[i]);
    name[2 + p->name.len] = '\0';
    text_put(&keys, slice_text(name));
    if (p->once != NULL) text_put(&keys, slice_text(p->once));
    struct message m = {
        .verb = VERB_PUT,
        .object = {.kind = slice_text("preset"), .name = p->cuid, .mode = (uint8_t)mode,
                   .brand = x->who.brand, .body = body_make(x, p),
                   .options = {.keys = exchange_copy(x, buffer_slice(&keys)),
                               .key_count = (uint16_t)(1 + (p->once != NULL))}}};
    if (mode == PUT_CREATE) m.object.options.owner = slice_text(x->who.name);
    buffer_free(&keys);
    exchange_try_as(x, &account_house, &m, then);
}

static void preset_read(struct exchange *x, struct preset *p, bool whole) {
    struct field_errors *e = &x->errors;
    const json_t *config = json_object_get(x->json, "config");
    uint32_t flags = whole ? REQUIRED : OPTIONAL;
    p->name = member_text(x->json, "name", flags, NAME_MAX_BYTES, e);
    p->description = member_text(x->json, "description", NULLABLE | BLANK_OK, DESCRIPTION_MAX, e);
    p->config = span_member(x, "config", NULL);
    if (p->config.len == 0 && whole) field_wrong(e, "config", FIELD_MISSING, 0);
    if (p->config.len > 0 && !json_is_object(config) && !json_is_string(config))
        field_wrong(e, "config", FIELD_NOT_OBJECT, 0);
    for (uint32_t i = 0; i < p->name.len; i++) {
        if (p->name.data[i] >= 0x20 && p->name.data[i] != 0x7f) continue;
        field_refuse(e, "name", "Control characters are not taken.");
        return;
    }
}

/* ---- create ---- */

static void created_before(struct exchange *x, const struct message *answer) {
    const struct preset *p = x->state;
    struct object_row row;
    if (exchange_code(answer) == CODE_NOT_FOUND) { /* the name was taken, not the key */
        exchange_refuse(x, CODE_CONFLICT, "a predefined task with this name exists");
        return;
    }
    if (!row_taken(x, answer, &row)) return;
    if (slice_equal(row.body, body_make(x, p)))
        answer_row(x, &row, "Predefined task created successfully");
    else
        exchange_refuse(x, CODE_IDEMPOTENCY_CONFLICT, NULL);
}

static void created(struct exchange *x, const struct message *answer) {
    const struct preset *p = x->state;
    struct object_row row;
    if (exchange_code(answer) == CODE_CONFLICT && p->once != NULL) {
        preset_fetch(x, slice_text(p->once), created_before);
        return;
    }
    if (row_taken(x, answer, &row)) answer_row(x, &row, "Predefined task created successfully");
}

bool preset_create_read(struct exchange *x, struct message *m) {
    struct preset *p = exchange_alloc(x, sizeof *p);
    (void)m;
    preset_read(x, p, true);
    p->once = qalpuch_once(x);
    p->cuid = slice_text(cuid_new(x));
    if (!qalpuch_one_brand(x)) return false;
    x->state = p;
    preset_store(x, p, PUT_CREATE, created);
    return false;
}

/* ---- list and detail ---- */

bool preset_list_read(struct exchange *x, struct message *m) {
    struct qalpuch_page *page = exchange_alloc(x, sizeof *page);
    if (!qalpuch_page_read(x, &m->question, page)) return false;
    m->question.kind = slice_text("objects");
    m->question.object = slice_text("preset");
    x->state = page;
    return true;
}

void preset_list_write(struct exchange *x, const struct message *answer) {
    struct object_row row;
    uint32_t at = 0;
    qalpuch_page_headers(x, x->state, &answer->rows);
    qalpuch_open(x, "Predefined tasks retrieved successfully");
    out_list(&x->out);
    while (object_row_next(answer->rows.rows, &at, &row)) row_write(x, &row);
    out_list_end(&x->out);
    qalpuch_close(x);
}

static void detail_write(struct exchange *x, const struct message *answer) {
    struct object_row row;
    if (row_taken(x, answer, &row)) answer_row(x, &row, "Predefined task retrieved successfully");
}

bool preset_detail_read(struct exchange *x, struct message *m) {
    struct slice cuid;
    (void)m;
    if (qalpuch_cuid(x, &cuid)) preset_fetch(x, cuid, detail_write);
    return false;
}

/* ---- change and delete ---- */

static void updated(struct exchange *x, const struct message *answer) {
    struct object_row row;
    if (row_taken(x, answer, &row)) answer_row(x, &row, "Predefined task updated successfully");
}

static struct slice text_now(struct exchange *x, const json_t *body, const char *name) {
    const json_t *value = json_object_get(body, name);
    if (!json_is_string(value)) return (struct slice){0};
    return exchange_copy(x, slice_of(json_string_value(value), json_string_length(value)));
}

/* What is not given stays. */
static void update_go_on(struct exchange *x, const struct message *answer) {
    struct preset *p = x->state;
    struct object_row row;
    if (!row_taken(x, answer, &row)) return;
    json_t *body = json_of(row.body);
    if (p->name.data == NULL) p->name = text_now(x, body, "name");
    if (p->description.data == NULL) p->description = text_now(x, body, "description");
    if (p->config.len == 0) p->config = exchange_copy(x, span_find(row.body, "config"));
    json_decref(body);
    preset_store(x, p, PUT_REPLACE, updated);
}

bool preset_update_read(struct exchange *x, struct message *m) {
    struct preset *p = exchange_alloc(x, sizeof *p);
    (void)m;
    preset_read(x, p, false);
    if (!qalpuch_fields_good(x) || !qalpuch_cuid(x, &p->cuid)) return false;
    x->state = p;
    preset_fetch(x, p->cuid, update_go_on);
    return false;
}

static void deleted(struct exchange *x, const struct message *answer) {
    struct object_row row;
    if (!row_taken(x, answer, &row)) return;
    qalpuch_open(x, "Predefined task deleted successfully");
    out_object(&x->out);
    out_key(&x->out, "id");
    out_text(&x->out, row.name);
    out_object_end(&x->out);
    qalpuch_close(x);
}

bool preset_delete_read(struct exchange *x, struct message *m) {
    struct slice cuid;
    (void)m;
    if (!qalpuch_cuid(x, &cuid) || !qalpuch_one_brand(x)) return false;
    struct message drop = {.verb = VERB_DROP,
                           .object = {.kind = slice_text("preset"), .name = cuid,
                                      .brand = x->who.brand}};
    exchange_try_as(x, &account_house, &drop, deleted);
    return false;
}
