/* rows_schedule.c - lists of schedules; see filler.h. */
#include "broker/filler.h"
#include "proto/schedule.h"
#include <jansson.h>
#include <stdlib.h>

struct schedule_view { const struct schedule_record *schedule; json_t *body; /* owned */ };

static struct field_value time_value(int64_t ms) {
    return ms == 0 ? value_absent : value_number((double)ms);
}

/* Fields are those of the row, and body.NAME when the body is a JSON object. */
static struct field_value schedule_field(void *context, struct slice name) {
    struct schedule_view *row = context;
    const struct schedule_record *s = row->schedule;
    const struct { const char *name; struct field_value value; } fields[] = {
        {"id", value_number((double)s->id)}, {"kind", value_number(s->kind)},
        {"active", value_number(s->active)}, {"priority", value_number(s->priority)},
        {"executions", value_number(s->executions)}, {"max", time_value(s->executions_max)},
        {"succeeded", value_number(s->succeeded)}, {"failed", value_number(s->failed)},
        {"last_status", time_value(s->last_status)}, {"next_ms", time_value(s->next_ms)},
        {"last_ms", time_value(s->last_ms)}, {"start_ms", time_value(s->start_ms)},
        {"end_ms", time_value(s->end_ms)}, {"created_ms", time_value(s->created_ms)},
        {"updated_ms", time_value(s->updated_ms)}, {"name", value_text(s->name)},
        {"expression", value_text(s->expression)}, {"zone", value_text(s->zone)},
        {"queue", value_text(s->queue)}, {"type", value_text(s->type)},
        {"owner", value_text(s->owner)}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (slice_equal(name, slice_text(fields[i].name))) return fields[i].value;
    if (name.len <= 5 || memcmp(name.data, "body.", 5) != 0) return value_absent;
    return field_of_member(&row->body, s->body, slice_of(name.data + 5, name.len - 5));
}

bool schedule_matches(const struct filler *f, const struct schedule_record *s) {
    const struct question *q = f->q;
    struct schedule_view row = {.schedule = s};
    if (q->brand != 0 && s->brand != q->brand) return false;
    if (q->id != 0 && s->id != q->id) return false;
    const bool holds = filter_matches(f->filter, schedule_field, &row);
    json_decref(row.body);
    return holds;
}

void schedule_put(struct filler *f, const struct schedule_record *s) {
    schedule_row_put(&f->page->rows, s);
}

void schedule_sort(struct sorter *sorter, const struct schedule_record *s) {
    struct schedule_view row = {.schedule = s};
    struct buffer bytes = {0};
    schedule_row_put(&bytes, s);
    sorter_take_row(sorter, s->id, schedule_field, &row, buffer_slice(&bytes));
    buffer_free(&bytes);
    json_decref(row.body);
}

/* One walk over all schedules of the question's brand, in the order of their numbers; what a walk
 * of tasks then asks is looked up. */
static void active_read(struct filler *f) {
    struct walk walk = {.kind = WALK_SCHEDULES, .brand = f->q->brand};
    struct record r;
    size_t room = 64;
    f->active = malloc(room * sizeof *f->active);
    struct store_walk *w = f->active ? walk_open(f->view, &walk) : NULL;
    while (w != NULL && walk_next(w, &r)) {
        if (!r.schedule.active) continue;
        if (f->active_count == room) {
            uint64_t *more = realloc(f->active, 2 * room * sizeof *more);
            if (more == NULL) break;
            f->active = more;
            room *= 2;
        }
        f->active[f->active_count++] = r.schedule.id;
    }
    if (w != NULL) walk_close(&w);
}

static int number_order(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

bool schedule_is_active(struct filler *f, uint64_t id) {
    if (f->active == NULL) active_read(f);
    return f->active_count > 0 && bsearch(&id, f->active, f->active_count, sizeof id,
                                          number_order) != NULL;
}
