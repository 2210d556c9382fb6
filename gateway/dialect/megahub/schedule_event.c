/* schedule_event.c - what a calendar has, and when it comes.
 *
 * Limits: EVENTS_PER_TASK runs of one entry, EVENTS_MAX in all and EVENTS_BYTES of JSON; over the
 * last two the answer says that it is incomplete. */
#include "gateway/dialect/megahub/calendar.h"
#include "proto/base/date.h"
#include "proto/host/zones.h"
#include "proto/id.h"
#include "proto/schedule.h"
#include <stdlib.h>
#include <string.h>

enum { EVENTS_PER_TASK = 1000, EVENTS_MAX = 20000, EVENTS_BYTES = 4 << 20, DATE_LEN = 10 };
static const int64_t days_30_ms = INT64_C(30) * 86400000;

/* ---- runs of an entry ---- */

struct period { int64_t from_ms, to_ms; };

struct expansion { /* the entries of a calendar, run by run */
    struct exchange *x;
    const struct calendar *calendar;
    struct period period;
    const json_t *entry;
    const struct held_task *task;
    uint64_t count;
    int64_t first_ms;
    bool full;
    void (*event)(struct expansion *e, int64_t at_ms); /* may be NULL */
    struct out *out;
};

/* An entry's own expression goes by the calendar's zone, the task's by the task's. */
static bool entry_timing(const struct expansion *e, const json_t *body, struct cron *cron,
                         struct zone **zone) {
    const json_t *own = json_object_get(e->entry, "custom_cron");
    const json_t *zone_name = json_object_get(body, "default_timezone");
    const bool custom = json_string_length(own) > 0;
    const struct slice expression =
        custom ? slice_of(json_string_value(own), json_string_length(own)) : e->task->expression;
    const struct slice name =
        custom ? slice_of(json_string_value(zone_name), json_string_length(zone_name))
               : e->task->zone;
    return cron_parse(expression, cron, NULL) && zones_open(name, zone);
}

static int64_t floor_s(int64_t ms) { return ms / 1000 - (ms % 1000 < 0); }

/* A run at the period's first instant is in it. */
static void entry_expand(struct expansion *e, const json_t *body) {
    struct cron cron;
    struct zone *zone = NULL;
    int64_t from_ms = e->period.from_ms, to_ms = e->period.to_ms;
    const struct held_task *t = e->task;
    if (t->start_ms > from_ms) from_ms = t->start_ms;
    if (t->end_ms != 0 && t->end_ms < to_ms) to_ms = t->end_ms;
    if (!entry_timing(e, body, &cron, &zone)) return;
    int64_t at = floor_s(from_ms - 1);
    for (uint32_t i = 0; i < EVENTS_PER_TASK && cron_next(&cron, zone, at, &at); i++) {
        if (at * 1000 > to_ms) break;
        e->full = e->count == EVENTS_MAX ||
                  (e->out != NULL && e->out->body.len > EVENTS_BYTES);
        if (e->full) break;
        e->count++;
        if (e->first_ms == 0 || at * 1000 < e->first_ms) e->first_ms = at * 1000;
        if (e->event != NULL) e->event(e, at * 1000);
    }
    zone_destroy(&zone);
}

/* Of a calendar that rests, and of tasks that do, nothing comes. */
static void calendar_expand(struct expansion *e) {
    json_t *body = calendar_body(e->calendar), *entry;
    size_t i;
    const bool active = json_is_true(json_object_get(body, "is_active"));
    json_array_foreach(json_object_get(body, "entries"), i, entry) {
        const uint64_t id = entry_number(entry, "periodic_task");
        e->entry = entry;
        e->task = held_find(&e->calendar->held, id);
        if (active && e->task != NULL && e->task->active && !e->full) entry_expand(e, body);
    }
    json_decref(body);
}

/* ---- events = schedule ---- */

/* RFC 3339, or a date alone: its first moment. */
static bool query_time(struct exchange *x, const char *name, int64_t *ms) {
    const char *text = exchange_query(x, name);
    if (text == NULL) return false;
    if (strlen(text) == DATE_LEN) text = exchange_print(x, "%sT00:00:00Z", text);
    if (!date_parse(slice_text(text), ms)) field_wrong(&x->errors, name, FIELD_NOT_DATE, 0);
    return true;
}

static void event_write(struct expansion *e, int64_t at_ms) {
    struct out *o = e->out;
    out_object(o);
    out_key(o, "task_id");
    out_unsigned(o, e->task->id);
    out_key(o, "task_type");
    out_text(o, e->task->type);
    out_key(o, "task_description");
    out_raw(o, e->task->description.len > 0 ? e->task->description : slice_text("\"\""));
    out_key(o, "scheduled_at");
    out_time(o, at_ms);
    out_key(o, "calendar_task_id");
    out_unsigned(o, entry_number(e->entry, "id"));
    out_key(o, "custom_config");
    out_json(o, json_object_get(e->entry, "custom_config"));
    out_object_end(o);
}

static void name_write(struct out *o, const struct calendar *c) {
    json_t *body = calendar_body(c);
    out_key(o, "calendar_name");
    out_json(o, json_object_get(body, "name"));
    json_decref(body);
}

static void events_write(struct exchange *x, struct calendar *c) {
    struct out list = {0}, *o = &x->out;
    const struct period *period = c->own;
    struct expansion e = {.x = x, .calendar = c, .period = *period, .event = event_write,
                          .out = &list};
    out_list(&list);
    calendar_expand(&e);
    out_list_end(&list);
    out_object(o);
    out_key(o, "calendar_id");
    out_unsigned(o, c->id);
    name_write(o, c);
    out_key(o, "period");
    out_object(o);
    out_key(o, "start");
    out_time(o, period->from_ms);
    out_key(o, "end");
    out_time(o, period->to_ms);
    out_object_end(o);
    out_key(o, "schedule");
    out_raw(o, buffer_slice(&list.body));
    out_key(o, "events");
    out_raw(o, buffer_slice(&list.body));
    out_key(o, "total_executions");
    out_unsigned(o, e.count);
    if (e.full) {
        out_key(o, "incomplete");
        out_bool(o, true);
    }
    out_object_end(o);
    buffer_free(&list.body);
    exchange_answer(x, x->route->status);
}

bool calendar_events_read(struct exchange *x, struct message *m) {
    struct period *p = exchange_alloc(x, sizeof *p);
    (void)m;
    p->from_ms = x->wall_ms;
    query_time(x, "start_date", &p->from_ms);
    p->to_ms = p->from_ms + days_30_ms;
    query_time(x, "end_date", &p->to_ms);
    if (x->errors.count == 0 && p->to_ms < p->from_ms)
        field_refuse(&x->errors, "end_date", megahub_french(x) ? "La fin précède le début."
                                                               : "It ends before it starts.");
    return megahub_fields_good(x) && calendar_open(x, p, events_write);
}

/* ---- stats ---- */

static void stats_write(struct exchange *x, struct calendar *c) {
    struct out *o = &x->out;
    struct expansion e = {.x = x, .calendar = c,
                          .period = {x->wall_ms, x->wall_ms + days_30_ms}};
    uint64_t all, active;
    json_t *body = calendar_body(c);
    entries_count(body, &c->held, &all, &active);
    json_decref(body);
    calendar_expand(&e);
    out_object(o);
    out_key(o, "calendar_id");
    out_unsigned(o, c->id);
    name_write(o, c);
    out_key(o, "total_tasks");
    out_unsigned(o, all);
    out_key(o, "active_tasks");
    out_unsigned(o, active);
    out_key(o, "upcoming_executions_count");
    out_unsigned(o, e.count);
    out_key(o, "next_execution");
    out_time(o, e.first_ms);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

bool calendar_stats_read(struct exchange *x, struct message *m) {
    (void)m;
    return calendar_open(x, NULL, stats_write);
}

/* ---- add-task, remove-task ---- */

struct entry_edit {
    uint64_t periodic, entry; /* which task; remove-task also by the entry's own number */
    uint64_t number;          /* of the entry that was put in or taken out */
    struct slice cron;
};

static void entry_answer(struct exchange *x, const char *message, const struct entry_edit *edit) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "message");
    out_string(o, message);
    out_key(o, "calendar_task_id");
    out_unsigned(o, edit->number);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static void added(struct exchange *x, struct calendar *c) {
    entry_answer(x, "Task added to the calendar", c->own);
}

static size_t entry_find(const json_t *entries, const char *name, uint64_t number) {
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)entries, i, entry)
        if (entry_number(entry, name) == number) return i;
    return SIZE_MAX;
}

/* Entries of tasks that are gone make room. */
static void entries_prune(json_t *entries, const struct held_tasks *held) {
    for (size_t i = json_array_size(entries); i-- > 0;)
        if (held_find(held, entry_number(json_array_get(entries, i), "periodic_task")) == NULL)
            json_array_remove(entries, i);
}

/* A task stands in a calendar once: adding it again changes its entry. */
static void adding(struct exchange *x, struct calendar *c) {
    struct entry_edit *edit = c->own;
    json_t *body = calendar_body(c), *entries = json_object_get(body, "entries");
    entries_prune(entries, &c->held);
    const size_t at = entry_find(entries, "periodic_task", edit->periodic);
    if (at == SIZE_MAX && json_array_size(entries) >= ENTRIES_MAX) {
        json_decref(body);
        exchange_refuse(x, CODE_LIMIT_REACHED, "The calendar is full.");
        return;
    }
    json_t *config = member_object(x->json, "custom_config", NULLABLE, &x->errors);
    json_t *entry = json_object();
    edit->number = at == SIZE_MAX ? entry_number(body, "last_entry") + 1
                                  : entry_number(json_array_get(entries, at), "id");
    json_object_set_new(entry, "id", json_integer((json_int_t)edit->number));
    json_object_set_new(entry, "periodic_task", json_integer((json_int_t)edit->periodic));
    json_object_set_new(entry, "custom_cron",
                        edit->cron.len == 0 ? json_null()
                                            : json_stringn((const char *)edit->cron.data,
                                                           edit->cron.len));
    json_object_set_new(entry, "custom_config",
                        config != NULL ? json_incref(config) : json_object());
    if (at == SIZE_MAX) {
        json_array_append_new(entries, entry);
        json_object_set_new(body, "last_entry", json_integer((json_int_t)edit->number));
    } else {
        json_array_set_new(entries, at, entry);
    }
    json_object_set_new(body, "has_events", json_true());
    calendar_put(x, body, added);
}

/* The task must be the brand's: another's is not found. */
static void task_found(struct exchange *x, const struct message *answer) {
    struct entry_edit *edit = x->state;
    struct schedule_record r;
    uint32_t at = 0;
    const enum code code = exchange_code(answer);
    const bool found = code == CODE_OK && schedule_row_next(answer->answer.body, &at, &r) &&
                       r.kind == SCHEDULE_PERIODIC;
    if (found) calendar_open(x, edit, adding);
    else exchange_refuse(x, code == CODE_OK ? CODE_NOT_FOUND : code, NULL);
}

static uint64_t number_read(struct exchange *x, const char *name, uint32_t flags) {
    json_t *given = member_find(x->json, name);
    uint64_t number = 0;
    if (json_is_string(given) &&
        schedule_number(slice_of(json_string_value(given), json_string_length(given)), &number))
        return number;
    return (uint64_t)member_integer(x->json, name, flags, 0, 1, (int64_t)ID_NUMBER_MAX, &x->errors);
}

bool calendar_add_read(struct exchange *x, struct message *m) {
    struct entry_edit *edit = exchange_alloc(x, sizeof *edit);
    const char *wrong = NULL;
    (void)m;
    edit->periodic = number_read(x, "periodic_task_id", REQUIRED);
    const json_t *cron = member_find(x->json, "custom_cron");
    if (cron != NULL && !json_is_null(cron) && json_string_length(cron) + !json_is_string(cron) > 0)
        field_expression(x, "custom_cron", 0, &edit->cron, &wrong);
    const json_t *config = member_object(x->json, "custom_config", NULLABLE, &x->errors);
    if (config != NULL && json_dumpb(config, NULL, 0, JSON_COMPACT) > ENTRY_CONFIG_MAX)
        field_wrong(&x->errors, "custom_config", FIELD_TOO_LONG, ENTRY_CONFIG_MAX);
    if (!fields_good(x, wrong) || !schedule_brand_good(x)) return false;
    x->state = edit;
    const struct message read = {
        .verb = VERB_SCHEDULE,
        .schedule = {.op = SCHEDULE_READ, .id = edit->periodic, .record.brand = x->who.brand}};
    exchange_try(x, &read, task_found);
    return false;
}

static void taken_out(struct exchange *x, struct calendar *c) {
    entry_answer(x, "Task removed from the calendar", c->own);
}

static void removing(struct exchange *x, struct calendar *c) {
    struct entry_edit *edit = c->own;
    json_t *body = calendar_body(c), *entries = json_object_get(body, "entries");
    const size_t at = edit->periodic != 0
                          ? entry_find(entries, "periodic_task", edit->periodic)
                          : entry_find(entries, "id", edit->entry);
    if (at == SIZE_MAX) {
        json_decref(body);
        exchange_refuse(x, CODE_NOT_FOUND, NULL);
        return;
    }
    edit->number = entry_number(json_array_get(entries, at), "id");
    json_array_remove(entries, at);
    entries_prune(entries, &c->held);
    json_object_set_new(body, "has_events", json_boolean(json_array_size(entries) > 0));
    calendar_put(x, body, taken_out);
}

bool calendar_remove_read(struct exchange *x, struct message *m) {
    struct entry_edit *edit = exchange_alloc(x, sizeof *edit);
    (void)m;
    edit->entry = number_read(x, "calendar_task_id", 0);
    edit->periodic = number_read(x, "periodic_task_id", edit->entry == 0 ? REQUIRED : 0);
    return megahub_fields_good(x) && calendar_open(x, edit, removing);
}
