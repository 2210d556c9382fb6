/* thing.c - objects with a name that an administrator makes, changes and deletes; see kind.h. */
#include "gateway/dialect/megahub/kind.h"
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/schedule.h"
#include <string.h>

struct thing { /* x->state of a change */
    const struct things *things;
    struct object_row row;       /* as it stands now, or stood */
    bool gone;
    void (*found)(struct exchange *x);
};

static const struct things *things_of(const struct exchange *x) {
    const size_t len = strlen(things_types.path);
    return strncmp(x->route->path, things_types.path, len) == 0 ? &things_types : &things_queues;
}

static bool not_found(struct exchange *x) {
    x->cause = CAUSE_NO_SUCH_PATH; /* else it would be a task that is not there */
    return exchange_refuse(x, CODE_NOT_FOUND, NULL);
}

static bool brand_named(struct exchange *x) {
    if (x->who.brand != 0) return true;
    x->cause = CAUSE_BRAND_MALFORMED; /* an admin's "all" */
    return exchange_refuse(x, CODE_VALIDATION_ERROR, "X-Brand-ID must name one brand.");
}

static struct message thing_message(struct exchange *x, enum verb verb) {
    const struct thing *t = x->state;
    struct message m = {.verb = verb};
    m.object.kind = slice_text(t->things->object);
    m.object.brand = x->who.brand;
    m.object.options.id = t->row.id;
    return m;
}

static void row_keep(struct exchange *x, struct object_row *row, const struct object_row *from) {
    *row = *from;
    row->name = exchange_copy(x, from->name);
    row->body = exchange_copy(x, from->body);
}

/* ---- the JSON ---- */

static void thing_write(struct exchange *x, const struct object_row *row) {
    struct out *o = &x->out;
    json_t *body = json_of(row->body);
    const char *key;
    json_t *value;
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, row->id);
    out_key(o, "name");
    out_text(o, row->name);
    json_object_foreach(body, key, value) {
        out_key_slice(o, slice_text(key));
        out_json(o, value);
    }
    out_key(o, "created_at");
    out_time(o, row->created_ms);
    out_key(o, "updated_at");
    out_time(o, row->updated_ms);
    out_object_end(o);
    json_decref(body);
}

/* ---- a change ---- */

void things_done(struct exchange *x) {
    const struct thing *t = x->state;
    if (!t->gone) thing_write(x, &t->row);
    exchange_answer(x, x->route->status);
}

static void stored(struct exchange *x, const struct message *answer) {
    struct thing *t = x->state;
    const enum code code = exchange_code(answer);
    struct object_row row;
    if (code == CODE_CONFLICT) {
        field_refuse(&x->errors, "name", "An object with this name already exists.");
        megahub_fields_good(x);
        return;
    }
    if (code == CODE_NOT_FOUND) {
        not_found(x);
        return;
    }
    if (code != CODE_OK || !object_row_read(answer->answer.body, &row)) {
        exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR, NULL);
        return;
    }
    row_keep(x, &t->row, &row);
    if (x->method == METHOD_POST)
        exchange_set(x, "Location", exchange_print(x, "%s/%llu/", t->things->path,
                                                   (unsigned long long)row.id));
    if (t->things->stored != NULL) t->things->stored(x, &t->row, t->gone);
    else things_done(x);
}

static void put(struct exchange *x, struct slice name, struct slice before, enum put_mode mode) {
    const struct thing *t = x->state;
    struct out body = {0};
    t->things->read(x, before, x->method != METHOD_PATCH, &body);
    struct message m = thing_message(x, VERB_PUT);
    m.object.name = name;
    m.object.mode = (uint8_t)mode;
    m.object.options.version = mode == PUT_CREATE ? 0 : t->row.version;
    m.object.body = buffer_slice(&body.body);
    if (megahub_fields_good(x)) exchange_try(x, &m, stored);
    buffer_free(&body.body);
}

bool things_create_read(struct exchange *x, struct message *m) {
    struct thing *t = exchange_alloc(x, sizeof *t);
    (void)m;
    if (!brand_named(x)) return false;
    t->things = things_of(x);
    x->state = t;
    const struct slice name = member_text(x->json, "name", REQUIRED, TASK_NAME_MAX, &x->errors);
    put(x, name, (struct slice){0}, PUT_CREATE);
    return false;
}

/* ---- one that is there ---- */

static void found(struct exchange *x, const struct message *answer) {
    struct thing *t = x->state;
    const enum code code = exchange_code(answer);
    struct object_row row;
    if (code == CODE_NOT_FOUND || code == CODE_VALIDATION_ERROR) {
        not_found(x);
    } else if (code != CODE_OK || !object_row_read(answer->answer.body, &row)) {
        exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR, NULL);
    } else {
        row_keep(x, &t->row, &row);
        t->found(x);
    }
}

static bool find(struct exchange *x, void (*then)(struct exchange *x)) {
    struct thing *t = exchange_alloc(x, sizeof *t);
    *t = (struct thing){.things = things_of(x), .found = then};
    if (!schedule_number(exchange_param(x, "id"), &t->row.id)) return not_found(x);
    if (!brand_named(x)) return false;
    x->state = t;
    const struct message m = thing_message(x, VERB_FETCH);
    exchange_try(x, &m, found);
    return false;
}

bool things_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return find(x, things_done);
}

static void change(struct exchange *x) {
    const struct thing *t = x->state;
    const struct slice said = member_text(x->json, "name", 0, TASK_NAME_MAX, &x->errors);
    if (said.len > 0 && !slice_equal(said, t->row.name))
        field_refuse(&x->errors, "name", "The name cannot be changed.");
    put(x, (struct slice){0}, t->row.body, PUT_REPLACE);
}

bool things_change_read(struct exchange *x, struct message *m) {
    (void)m;
    return find(x, change);
}

static void drop(struct exchange *x) {
    struct thing *t = x->state;
    t->gone = true;
    const struct message m = thing_message(x, VERB_DROP);
    exchange_try(x, &m, stored);
}

bool things_delete_read(struct exchange *x, struct message *m) {
    (void)m;
    return find(x, drop);
}

/* ---- the list ---- */

bool things_list_read(struct exchange *x, struct message *m) {
    const struct things *things = things_of(x);
    m->question = (struct question){.kind = slice_text("objects"),
                                    .object = slice_text(things->object),
                                    .brand = x->who.brand, .priority = -1, .dialect = -1};
    return page_read(x, &things->list, &m->question);
}

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct object_row row;
    if (object_row_next(rows, at, &row)) thing_write(x, &row);
}

void things_list_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}
