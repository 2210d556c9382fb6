#include "gateway/dialect/megahub/calendar.h"
#include "gateway/dialect/megahub/account.h"
#include "gateway/dialect/span.h"
#include "proto/encode.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { CALENDAR_NAME_MAX = 100, RANDOM_BYTES = 16, IDS_MAX = 900 };

/* ---- the periodic tasks of entries ---- */

uint64_t entry_number(const json_t *entry, const char *name) {
    const json_int_t number = json_integer_value(json_object_get(entry, name));
    return number > 0 ? (uint64_t)number : 0;
}

static int id_order(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int held_order(const void *key, const void *entry) {
    return id_order(key, &((const struct held_task *)entry)->id);
}

const struct held_task *held_find(const struct held_tasks *held, uint64_t id) {
    if (held->count == 0) return NULL;
    return bsearch(&id, held->list, held->count, sizeof *held->list, held_order);
}

struct gathering { /* under way: which are wanted, and those that were found */
    uint64_t *ids;
    uint32_t count, room;
    struct held_tasks *held;
    void (*then)(struct exchange *x);
};

static void held_row(struct exchange *x, void *own, const struct schedule_record *r) {
    struct gathering *g = own;
    struct held_tasks *held = g->held;
    if (bsearch(&r->id, g->ids, g->count, sizeof *g->ids, id_order) == NULL) return;
    if (held->count == g->count) return;
    held->list[held->count++] = (struct held_task){
        .id = r->id, .type = exchange_copy(x, r->type),
        .expression = exchange_copy(x, r->expression), .zone = exchange_copy(x, r->zone),
        .description = exchange_copy(x, span_find(r->body, "description")),
        .start_ms = r->start_ms, .end_ms = r->end_ms, .active = r->active};
}

static int held_sort(const void *a, const void *b) {
    return held_order(&((const struct held_task *)a)->id, b);
}

static void held_end(struct exchange *x, void *own) {
    struct gathering *g = own;
    if (g->held->count > 0)
        qsort(g->held->list, g->held->count, sizeof *g->held->list, held_sort);
    g->then(x);
}

static void ids_take(struct exchange *x, struct gathering *g, const json_t *body) {
    const json_t *entries = json_object_get(body, "entries");
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)entries, i, entry) {
        if (g->count == g->room) {
            const uint32_t room = g->room == 0 ? 64 : 2 * g->room;
            uint64_t *more = exchange_alloc(x, room * sizeof *more);
            if (g->count > 0) memcpy(more, g->ids, g->count * sizeof *more);
            g->ids = more;
            g->room = room;
        }
        g->ids[g->count++] = entry_number(entry, "periodic_task");
    }
}

/* Few are asked for by their numbers; many by looking at all. */
static void held_load(struct exchange *x, struct gathering *g) {
    struct buffer filter = {0};
    uint32_t distinct = 0;
    if (g->count == 0) {
        g->then(x);
        return;
    }
    qsort(g->ids, g->count, sizeof *g->ids, id_order);
    for (uint32_t i = 0; i < g->count; i++)
        if (i == 0 || g->ids[i] != g->ids[distinct - 1]) g->ids[distinct++] = g->ids[i];
    g->count = distinct;
    g->held->list = exchange_alloc(x, distinct * sizeof *g->held->list);
    struct schedule_walk walk = {.row = held_row, .end = held_end, .own = g};
    if (distinct <= IDS_MAX) {
        encode_array(&filter, 2 + distinct);
        encode_text(&filter, slice_text("id"));
        encode_text(&filter, slice_text("in"));
        for (uint32_t i = 0; i < distinct; i++)
            encode_text(&filter,
                        slice_text(exchange_print(x, "%llu", (unsigned long long)g->ids[i])));
        walk.filter = exchange_copy(x, buffer_slice(&filter));
        walk.filter_count = 1;
    }
    buffer_free(&filter);
    schedule_walk(x, &walk);
}

void entries_count(const json_t *body, const struct held_tasks *held, uint64_t *all,
                   uint64_t *active) {
    size_t i;
    json_t *entry;
    *all = *active = 0;
    json_array_foreach(json_object_get(body, "entries"), i, entry) {
        const struct held_task *t = held_find(held, entry_number(entry, "periodic_task"));
        *all += t != NULL;
        *active += t != NULL && t->active;
    }
}

/* ---- the Calendar JSON ---- */

json_t *calendar_body(const struct calendar *c) { return json_of(c->body); }

static void calendar_write(struct exchange *x, const struct object_row *row, const json_t *body,
                           const struct held_tasks *held) {
    static const char *const members[] = {"name", "description", "color", "is_active",
                                          "default_timezone"};
    struct out *o = &x->out;
    uint64_t all, active;
    entries_count(body, held, &all, &active);
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, row->id);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        out_key(o, members[i]);
        out_json(o, json_object_get(body, members[i]));
    }
    out_key(o, "tasks_count");
    out_unsigned(o, all);
    out_key(o, "active_tasks_count");
    out_unsigned(o, active);
    const struct schedule_record origin = {.brand = row->brand, .owner = row->owner,
                                           .created_ms = row->created_ms,
                                           .updated_ms = row->updated_ms};
    origin_write(x, &origin);
    out_object_end(o);
}

static void calendar_answer(struct exchange *x, struct calendar *c) {
    json_t *body = calendar_body(c);
    calendar_write(x, &c->row, body, &c->held);
    json_decref(body);
    exchange_answer(x, x->route->status);
}

/* ---- one ---- */

static bool calendar_keep(struct exchange *x, struct calendar *c, struct slice bytes) {
    struct object_row row;
    if (!object_row_read(bytes, &row)) return exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
    row.owner = exchange_copy(x, row.owner);
    row.name = exchange_copy(x, row.name);
    row.body = exchange_copy(x, row.body);
    c->id = row.id;
    c->version = row.version;
    c->body = row.body;
    c->row = row;
    return true;
}

static void calendar_held(struct exchange *x) {
    struct calendar *c = x->state;
    c->read(x, c);
}

static void calendar_found(struct exchange *x, const struct message *answer) {
    struct calendar *c = x->state;
    const enum code code = exchange_code(answer);
    if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    if (!calendar_keep(x, c, answer->answer.body)) return;
    struct gathering *g = exchange_alloc(x, sizeof *g);
    json_t *body = calendar_body(c);
    c->held = (struct held_tasks){0};
    *g = (struct gathering){.held = &c->held, .then = calendar_held};
    ids_take(x, g, body);
    json_decref(body);
    held_load(x, g);
}

static struct message calendar_message(struct exchange *x, enum verb verb,
                                       const struct calendar *c) {
    struct message m = {.verb = verb};
    m.object.kind = slice_text("calendar");
    m.object.brand = x->who.brand;
    m.object.options.id = c->id;
    return m;
}

static void calendar_fetch(struct exchange *x) {
    const struct message m = calendar_message(x, VERB_FETCH, x->state);
    exchange_try(x, &m, calendar_found);
}

bool calendar_open(struct exchange *x, void *own,
                   void (*then)(struct exchange *x, struct calendar *c)) {
    struct calendar *c = exchange_alloc(x, sizeof *c);
    *c = (struct calendar){.read = then, .own = own};
    x->state = c;
    if (!schedule_brand_good(x)) return false;
    if (!schedule_number(exchange_param(x, "id"), &c->id))
        return exchange_refuse(x, CODE_NOT_FOUND, NULL);
    calendar_fetch(x);
    return false;
}

/* ---- storing ---- */

/* A name is unique by a key that is its hash, as names may be longer than keys; so is the
 * Idempotency-Key that it was made under. */
static struct slice keys_of(struct exchange *x, const json_t *body, uint16_t *count) {
    const json_t *name = json_object_get(body, "name"), *once = json_object_get(body, "once_key");
    const char *hash = hash_hex(x, json_string_value(name), json_string_length(name));
    struct buffer keys = {0};
    text_put(&keys, slice_text(exchange_print(x, "n:%s", hash)));
    if (once != NULL)
        text_put(&keys, slice_text(exchange_print(x, "i:%s", json_string_value(once))));
    *count = (uint16_t)(1 + (once != NULL));
    const struct slice kept = exchange_copy(x, buffer_slice(&keys));
    buffer_free(&keys);
    return kept;
}

/* Its version tells whether somebody was faster, or the name is another's. */
static void conflict_read(struct exchange *x, const struct message *answer) {
    struct calendar *c = x->state;
    struct object_row row;
    const enum code code = exchange_code(answer);
    if (code == CODE_OK && object_row_read(answer->answer.body, &row) &&
        row.version == c->version)
        schedule_name_taken(x);
    else if (code == CODE_OK && ++c->tries == TRIES_MAX) exchange_refuse(x, CODE_CONFLICT, NULL);
    else calendar_found(x, answer);
}

/* The name was taken, or the Idempotency-Key: then the first answer again, as it is by now. */
static void first_read(struct exchange *x, const struct message *answer) {
    struct calendar *c = x->state;
    struct object_row row;
    if (exchange_code(answer) != CODE_OK || !object_row_read(answer->answer.body, &row)) {
        schedule_name_taken(x);
        return;
    }
    json_t *body = json_of(row.body);
    const char *made = json_string_value(json_object_get(body, "once"));
    const bool same = made != NULL && strcmp(made, once_body(x)) == 0;
    json_decref(body);
    c->read = c->done;
    if (same) calendar_found(x, answer);
    else exchange_refuse(x, CODE_IDEMPOTENCY_CONFLICT, NULL);
}

static void calendar_stored(struct exchange *x, const struct message *answer) {
    struct calendar *c = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && c->id == 0 && once_key(x) != NULL) {
        struct message m = calendar_message(x, VERB_FETCH, c);
        m.object.name = slice_text(exchange_print(x, "i:%s", once_key(x)));
        exchange_try(x, &m, first_read);
    } else if (code == CODE_CONFLICT && c->id == 0) {
        schedule_name_taken(x);
    } else if (code == CODE_CONFLICT) {
        const struct message m = calendar_message(x, VERB_FETCH, c);
        exchange_try(x, &m, conflict_read);
    } else if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
    } else if (calendar_keep(x, c, answer->answer.body)) {
        c->done(x, c);
    }
}

void calendar_put(struct exchange *x, json_t *body,
                  void (*done)(struct exchange *x, struct calendar *c)) {
    struct calendar *c = x->state;
    struct message m = calendar_message(x, VERB_PUT, c);
    uint8_t name[RANDOM_BYTES];
    char text[2 * RANDOM_BYTES + 1];
    c->done = done;
    m.object.options.keys = keys_of(x, body, &m.object.options.key_count);
    m.object.body = json_keep(x, body);
    m.object.options.version = c->version;
    m.object.mode = c->id != 0 ? PUT_REPLACE : PUT_CREATE;
    if (c->id == 0) {
        randombytes_buf(name, sizeof name);
        m.object.name = slice_text(sodium_bin2hex(text, sizeof text, name, sizeof name));
        m.object.options.owner = slice_text(x->who.name);
    } else {
        m.object.name = c->row.name;
    }
    exchange_try(x, &m, calendar_stored);
}

/* ---- CRUD ---- */

static bool color_good(struct slice color) {
    bool good = color.len == 7 && color.data[0] == '#';
    for (uint32_t i = 1; good && i < 7; i++)
        good = strchr("0123456789abcdefABCDEF", color.data[i]) != NULL;
    return good;
}

static void text_set(json_t *body, const char *name, struct slice text) {
    if (text.data != NULL)
        json_object_set_new(body, name, json_stringn((const char *)text.data, text.len));
}

/* The request's fields over those of the body. False, with the exchange ended, when they cannot
 * be. */
static bool calendar_apply(struct exchange *x, json_t *body, bool whole) {
    const char *wrong = NULL;
    struct slice zone = {0};
    text_set(body, "name", member_text(x->json, "name", whole ? REQUIRED : 0, CALENDAR_NAME_MAX,
                                       &x->errors));
    const struct slice text = member_text(x->json, "description", NULLABLE | BLANK_OK,
                                          TASK_DESCRIPTION_MAX, &x->errors);
    if (member_find(x->json, "description") != NULL)
        text_set(body, "description", text.data != NULL ? text : slice_text(""));
    const struct slice color = member_text(x->json, "color", 0, 32, &x->errors);
    if (color.data != NULL && !color_good(color))
        field_refuse(&x->errors, "color", "A color is # and six hexadecimal digits.");
    text_set(body, "color", color);
    const bool active = json_is_true(json_object_get(body, "is_active"));
    json_object_set_new(body, "is_active",
                        json_boolean(member_bool(x->json, "is_active", 0, active, &x->errors)));
    field_zone(x, "default_timezone", &zone, &wrong);
    text_set(body, "default_timezone", zone);
    return fields_good(x, wrong);
}

static void created(struct exchange *x, struct calendar *c) {
    schedule_locate(x, "calendars", c->id);
    calendar_answer(x, c);
}

static bool calendar_create_read(struct exchange *x, struct message *m) {
    struct calendar *c = exchange_alloc(x, sizeof *c);
    (void)m;
    x->state = c;
    if (!schedule_brand_good(x) || !once_good(x)) return false;
    json_t *body = json_object();
    if (once_key(x) != NULL) {
        json_object_set_new(body, "once_key", json_string(once_key(x)));
        json_object_set_new(body, "once", json_string(once_body(x)));
    }
    json_object_set_new(body, "description", json_string(""));
    json_object_set_new(body, "color", json_string("#6366f1"));
    json_object_set_new(body, "is_active", json_true());
    json_object_set_new(body, "default_timezone", json_string("UTC"));
    json_object_set_new(body, "has_events", json_false());
    json_object_set_new(body, "entries", json_array());
    if (calendar_apply(x, body, true)) calendar_put(x, body, created);
    else json_decref(body);
    return false;
}

static void change(struct exchange *x, struct calendar *c) {
    json_t *body = calendar_body(c);
    if (calendar_apply(x, body, x->method == METHOD_PUT)) calendar_put(x, body, calendar_answer);
    else json_decref(body);
}

static bool calendar_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return calendar_open(x, NULL, calendar_answer);
}

static bool calendar_change_read(struct exchange *x, struct message *m) {
    (void)m;
    return calendar_open(x, NULL, change);
}

static void dropped(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code != CODE_OK) exchange_refuse(x, code, NULL);
    else exchange_answer(x, x->route->status);
}

static bool calendar_delete_read(struct exchange *x, struct message *m) {
    struct calendar c = {0};
    (void)m;
    if (!schedule_brand_good(x)) return false;
    if (!schedule_number(exchange_param(x, "id"), &c.id))
        return exchange_refuse(x, CODE_NOT_FOUND, NULL);
    const struct message drop = calendar_message(x, VERB_DROP, &c);
    exchange_try(x, &drop, dropped);
    return false;
}

/* ---- the list ---- */

static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("name", "body.name", TEXT),
    PAGE_FIELD("is_active", "body.is_active", BOOL),
    PAGE_FIELD("default_timezone", "body.default_timezone", TEXT),
    PAGE_FIELD("has_events", "body.has_events", BOOL),
    PAGE_FIELD("created_by", "owner", TEXT),
    PAGE_TIMES("created", "created_ms"),
    PAGE_TIMES("updated", "updated_ms"),
};

struct listing { /* page_write shows x->state to nobody: what its rows need hangs here */
    void *page;
    struct message answer;
    struct held_tasks held;
};

static bool calendar_list_read(struct exchange *x, struct message *m) {
    static const struct page_list list = {.fields = fields,
                                          .field_count = sizeof fields / sizeof *fields,
                                          .search = "body.name,body.description"};
    if (!megahub_brand_read(x, "brand")) return false;
    m->question = (struct question){.kind = slice_text("objects"),
                                    .object = slice_text("calendar"), .brand = x->who.brand,
                                    .priority = -1, .dialect = -1};
    return page_read(x, &list, &m->question);
}

/* A row was counted before: its body has the two numbers already. */
static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct object_row row;
    if (!object_row_next(rows, at, &row)) return;
    out_raw(&x->out, row.body);
}

/* The rows anew, each body being the row's JSON. */
static void list_held(struct exchange *x) {
    struct listing *l = x->state;
    struct buffer rows = {0};
    struct object_row row;
    uint32_t at = 0;
    while (object_row_next(l->answer.rows.rows, &at, &row)) {
        const struct out before = x->out;
        json_t *body = json_of(row.body);
        x->out = (struct out){0};
        calendar_write(x, &row, body, &l->held);
        json_decref(body);
        row.body = buffer_slice(&x->out.body);
        object_row_put(&rows, &row);
        buffer_free(&x->out.body);
        x->out = before;
    }
    l->answer.rows.rows = exchange_copy(x, buffer_slice(&rows));
    buffer_free(&rows);
    x->state = l->page;
    page_write(x, &l->answer, row_write);
}

static void calendar_list_write(struct exchange *x, const struct message *answer) {
    struct listing *l = exchange_alloc(x, sizeof *l);
    struct gathering *g = exchange_alloc(x, sizeof *g);
    struct object_row row;
    uint32_t at = 0;
    *l = (struct listing){.page = x->state, .answer = *answer};
    l->answer.rows.rows = exchange_copy(x, answer->rows.rows);
    l->answer.rows.next = exchange_copy(x, answer->rows.next);
    *g = (struct gathering){.held = &l->held, .then = list_held};
    while (object_row_next(answer->rows.rows, &at, &row)) {
        json_t *body = json_of(row.body);
        ids_take(x, g, body);
        json_decref(body);
    }
    x->state = l;
    held_load(x, g);
}

#define BASE "/tasks/scheduled/calendars"
enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN };
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE, MEMBER_GUARD, 200, calendar_list_read, "lists calendars",
          .verb = VERB_ASK, .write = calendar_list_write),
    ROUTE(POST, JSON, BASE, MEMBER_GUARD, 201, calendar_create_read, "makes a calendar"),
    ROUTE(GET, NONE, BASE "/{id}", MEMBER_GUARD, 200, calendar_detail_read, "reads a calendar"),
    ROUTE(PUT, JSON, BASE "/{id}", MEMBER_GUARD, 200, calendar_change_read, "changes a calendar"),
    ROUTE(PATCH, JSON, BASE "/{id}", MEMBER_GUARD, 200, calendar_change_read, "changes a calendar"),
    ROUTE(DELETE, NONE, BASE "/{id}", MEMBER_GUARD, 204, calendar_delete_read,
          "deletes a calendar"),
    ROUTE(GET, NONE, BASE "/{id}/events", MEMBER_GUARD, 200, calendar_events_read,
          "when its tasks come in a span of time"),
    ROUTE(GET, NONE, BASE "/{id}/schedule", MEMBER_GUARD, 200, calendar_events_read,
          "when its tasks come in a span of time"),
    ROUTE(GET, NONE, BASE "/{id}/stats", MEMBER_GUARD, 200, calendar_stats_read, "its counters"),
    ROUTE(POST, JSON, BASE "/{id}/add-task", MEMBER_GUARD, 200, calendar_add_read,
          "puts a periodic task into it"),
    ROUTE(POST, JSON, BASE "/{id}/remove-task", MEMBER_GUARD, 200, calendar_remove_read,
          "takes a periodic task out of it"),
};
const struct routes megahub_calendar = {routes, sizeof routes / sizeof *routes};
