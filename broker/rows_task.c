/* rows_task.c - lists of tasks; see filler.h. */
#include "broker/core/hook.h"
#include "broker/filler.h"
#include "proto/encode.h"
#include "proto/host/ids.h"
#include <jansson.h>
#include <stdlib.h>

struct worker_entry {
    struct map_node by_number;
    uint32_t worker;
    struct slice name;
    uint8_t bytes[];
};

/* ---- lanes and workers by number ---- */

static bool lanes_read(struct filler *f) {
    struct walk walk = {.kind = WALK_LANES};
    struct record r;
    struct store_walk *w = walk_open(f->view, &walk);
    if (w == NULL || !map_init(&f->lanes, 64)) return false;
    while (walk_next(w, &r)) {
        const struct lane_record *l = &r.lane;
        struct lane_entry *e = malloc(sizeof *e + l->queue.len + l->type.len + l->labels.len);
        if (e == NULL) break;
        e->lane = *l;
        e->looked = e->wanted = 0;
        uint8_t *at = e->bytes;
        struct slice *parts[] = {&e->lane.queue, &e->lane.type, &e->lane.labels};
        for (int i = 0; i < 3; i++) {
            if (parts[i]->len > 0) memcpy(at, parts[i]->data, parts[i]->len);
            parts[i]->data = at;
            at += parts[i]->len;
        }
        map_put(&f->lanes, &e->by_number, hash_number(l->lane));
    }
    const bool whole = walk_trouble(w) == NULL;
    walk_close(&w);
    return whole;
}

static struct lane_entry *entry_find(const struct filler *f, uint32_t number) {
    for (struct map_node *n = map_first(&f->lanes, hash_number(number)); n; n = map_next(n)) {
        struct lane_entry *e = (struct lane_entry *)(void *)n;
        if (e->lane.lane == number) return e;
    }
    return NULL;
}

const struct lane_record *lane_find(const struct filler *f, uint32_t number) {
    const struct lane_entry *e = entry_find(f, number);
    return e != NULL ? &e->lane : NULL;
}

static bool workers_read(struct filler *f) {
    struct walk walk = {.kind = WALK_WORKERS};
    struct record r;
    struct store_walk *w = walk_open(f->view, &walk);
    if (w == NULL || !map_init(&f->workers, 64)) return false;
    while (walk_next(w, &r)) {
        struct worker_entry *e = malloc(sizeof *e + r.worker.name.len);
        if (e == NULL) break;
        e->worker = r.worker.worker;
        if (r.worker.name.len > 0) memcpy(e->bytes, r.worker.name.data, r.worker.name.len);
        e->name = slice_of(e->bytes, r.worker.name.len);
        map_put(&f->workers, &e->by_number, hash_number(e->worker));
    }
    const bool whole = walk_trouble(w) == NULL;
    walk_close(&w);
    return whole;
}

static struct slice worker_name(const struct filler *f, uint32_t number) {
    for (struct map_node *n = map_first(&f->workers, hash_number(number)); n; n = map_next(n)) {
        const struct worker_entry *e = (struct worker_entry *)(void *)n;
        if (e->worker == number) return e->name;
    }
    return (struct slice){0};
}

static void map_drop(struct map *m) { /* entries begin with their node */
    if (m->buckets == NULL) return;
    for (size_t i = 0; i <= m->mask; i++)
        for (struct map_node *n = m->buckets[i], *next; n != NULL; n = next) {
            next = n->next;
            free(n);
        }
    map_free(m);
}

bool names_read(struct filler *f) { return lanes_read(f) && workers_read(f); }

void names_free(struct filler *f) {
    map_drop(&f->lanes);
    map_drop(&f->workers);
    free(f->active);
}

/* ---- fields ---- */

struct task_row { /* the task that is being looked at */
    struct filler *f;
    const struct task_head *head;
    const struct lane_record *lane;
    bool body_read, result_read; /* they were looked for */
    struct buffer body, result;  /* of them, what fields show */
    uint32_t owner_len, error_len;
    json_t *extra, *metrics; /* owned; NULL until asked for */
    char id_text[TASK_TEXT_SIZE]; /* "" until asked for */
};

static void row_body_found(void *context, const struct record *r) {
    struct task_row *row = context;
    buffer_append(&row->body, r->body.owner.data, r->body.owner.len);
    buffer_append(&row->body, r->body.extra.data, r->body.extra.len);
    row->owner_len = r->body.owner.len;
}

static void row_result_found(void *context, const struct record *r) {
    struct task_row *row = context;
    buffer_append(&row->result, r->result.message.data, r->result.message.len);
    buffer_append(&row->result, r->result.metrics.data, r->result.metrics.len);
    row->error_len = r->result.message.len;
}

static void row_body_need(struct task_row *row) {
    if (!row->body_read) view_body(row->f->view, row->head->id, row_body_found, row);
    row->body_read = true;
}

static void row_result_need(struct task_row *row) {
    struct record r;
    if (row->result_read) return;
    row->result_read = true;
    if (row->f->results == NULL)
        view_result(row->f->view, row->head->id, row_result_found, row);
    else if (walk_result(row->f->results, &r))
        row_result_found(row, &r);
}

static void task_row_close(struct task_row *row) {
    json_decref(row->extra);
    json_decref(row->metrics);
    buffer_free(&row->body);
    buffer_free(&row->result);
}

static struct field_value value_time(int64_t ms) {
    return (struct field_value){.kind = ms == 0 ? IS_ABSENT : IS_NUMBER,
                                .number = (double)ms};
}

static struct field_value json_value(const json_t *v) {
    if (json_is_number(v)) return value_number(json_number_value(v));
    if (json_is_boolean(v)) return value_number(json_is_true(v));
    if (!json_is_string(v)) return value_absent;
    return (struct field_value){.kind = IS_TEXT, .text = slice_of(json_string_value(v),
                                                                  json_string_length(v))};
}

struct field_value field_of_member(json_t **tree, struct slice json, struct slice name) {
    char key[64];
    if (name.len >= sizeof key) return value_absent;
    memcpy(key, name.data, name.len);
    key[name.len] = '\0';
    /* A name that is not written anywhere is not there, unless it is written with escapes. */
    if (*tree == NULL && json.len > 0 && memmem(json.data, json.len, name.data, name.len) == NULL &&
        memchr(json.data, '\\', json.len) == NULL)
        return value_absent;
    if (*tree == NULL && json.len > 0)
        *tree = json_loadb((const char *)json.data, json.len, 0, NULL);
    return json_value(json_object_get(*tree, key));
}

static struct field_value value_span(int64_t from_ms, int64_t to_ms) {
    if (from_ms == 0 || to_ms < from_ms) return value_absent;
    return value_number((double)(to_ms - from_ms));
}

/* What only body and result tell. */
static struct field_value part_value(struct task_row *row, struct slice name) {
    const bool extra = name.len > 6 && memcmp(name.data, "extra.", 6) == 0;
    const bool metrics = name.len > 8 && memcmp(name.data, "metrics.", 8) == 0;
    if (extra || slice_equal(name, slice_text("owner"))) {
        row_body_need(row);
        const uint8_t *text = row->body.data;
        if (!extra) return value_text(slice_of(text, row->owner_len));
        if (text == NULL) return value_absent;
        return field_of_member(&row->extra,
                               slice_of(text + row->owner_len, row->body.len - row->owner_len),
                               slice_of(name.data + 6, name.len - 6));
    }
    if (!metrics && !slice_equal(name, slice_text("error"))) return value_absent;
    row_result_need(row);
    const uint8_t *text = row->result.data;
    if (!metrics) return value_text(slice_of(text, row->error_len));
    if (text == NULL) return value_absent;
    return field_of_member(&row->metrics,
                           slice_of(text + row->error_len, row->result.len - row->error_len),
                           slice_of(name.data + 8, name.len - 8));
}

/* The worker's own measure, when it gave one; else the broker's; none when they were deleted. */
static struct field_value measure(struct task_row *row, const char *metric, int64_t from_ms,
                                  int64_t to_ms) {
    if (part_value(row, slice_text("metrics._gone")).kind != IS_ABSENT) return value_absent;
    const struct field_value given = part_value(row, slice_text(metric));
    return given.kind != IS_ABSENT ? given : value_span(from_ms, to_ms);
}

static struct field_value named_worker(struct task_row *row) {
    const struct field_value given = part_value(row, slice_text("metrics.worker_name"));
    return given.kind != IS_ABSENT ? given : value_text(worker_name(row->f, row->head->worker));
}

enum field_name {
#define FIELD(name, sentence) NAME_##name,
#include "broker/field.def"
#undef FIELD
    NAME_COUNT
};

static enum field_name field_named(struct slice name) {
    static const char *const names[] = {
#define FIELD(name, sentence) #name,
#include "broker/field.def"
#undef FIELD
    };
    for (uint32_t i = 0; i < NAME_COUNT; i++)
        if (slice_equal(name, slice_text(names[i]))) return (enum field_name)i;
    return NAME_COUNT;
}

static struct field_value task_field(void *context, struct slice name) {
    struct task_row *row = context;
    const struct task_head *t = row->head;
    switch (field_named(name)) {
    case NAME_id: return value_number((double)t->id);
    case NAME_status: return value_number(t->status);
    case NAME_priority: return value_number(t->priority);
    case NAME_dialect: return value_number(t->dialect);
    case NAME_queue: return value_text(row->lane->queue);
    case NAME_type: return value_text(row->lane->type);
    case NAME_labels: return value_text(row->lane->labels);
    case NAME_worker: return value_text(worker_name(row->f, t->worker));
    case NAME_internal: return value_number(hook_internal(row->lane->queue));
    case NAME_created_ms: return value_time(t->created_ms);
    case NAME_updated_ms: return value_time(t->updated_ms);
    case NAME_started_ms: return value_time(t->started_ms);
    case NAME_finished_ms: return value_time(t->finished_ms);
    case NAME_due_ms: return value_time(t->due_ms);
    case NAME_progress: return value_number(t->progress);
    case NAME_attempt: return value_number(t->attempt);
    case NAME_retry_count: return value_number(t->retry_count);
    case NAME_max_retries: return value_number(t->max_retries);
    case NAME_timeout_ms: return value_number(t->timeout_ms);
    case NAME_checkpoint: return value_number(t->checkpoint);
    case NAME_has_checkpoint: return value_number(t->checkpoint > 0);
    case NAME_resumable:
        return value_number(t->checkpoint > 0 && (t->status == STATUS_FAILED ||
                                                  t->status == STATUS_CANCELLED ||
                                                  t->status == STATUS_PAUSED));
    case NAME_task_id: {
        const struct id_key ids = id_key_of(row->f->page->id_key);
        if (row->id_text[0] == 0) task_text_write(&ids, t->id, row->id_text);
        return value_text(slice_text(row->id_text));
    }
    case NAME_schedule: return value_time((int64_t)t->schedule);
    case NAME_schedule_active:
        return t->schedule == 0 ? value_absent
                                : value_number(schedule_is_active(row->f, t->schedule));
    case NAME_ran_by: return named_worker(row);
    case NAME_run_ms:
        return measure(row, "metrics.execution_time_ms", t->started_ms, t->finished_ms);
    case NAME_wait_ms:
        return measure(row, "metrics.queue_wait_time_ms", t->created_ms, t->started_ms);
    case NAME_COUNT: break;
    }
    return part_value(row, name);
}

/* ---- which tasks match ---- */

struct body_match { const struct question *q; const struct lane_record *lane; bool matches; };

static void body_found(void *context, const struct record *r) {
    struct body_match *m = context;
    const struct slice texts[] = {m->lane->type, m->lane->queue, r->body.owner, r->body.extra,
                                  r->body.payload};
    m->matches = (m->q->owner.len == 0 || slice_equal(m->q->owner, r->body.owner))
        && search_matches(m->q->search, texts, sizeof texts / sizeof texts[0]);
}

static bool filter_holds(struct filler *f, const struct task_head *t,
                         const struct lane_record *l) {
    struct task_row row = {.f = f, .head = t, .lane = l};
    const bool holds = filter_matches(f->filter, task_field, &row);
    task_row_close(&row);
    return holds;
}

bool task_matches(struct filler *f, const struct task_head *t, const struct lane_record *l) {
    const struct question *q = f->q;
    if (q->status_mask != 0 && (q->status_mask >> t->status & 1) == 0) return false;
    if (q->priority >= 0 && t->priority != (uint8_t)q->priority) return false;
    if (q->dialect >= 0 && t->dialect != (uint8_t)q->dialect) return false;
    if (q->from_ms != 0 && t->created_ms < q->from_ms) return false;
    if (q->to_ms != 0 && t->created_ms > q->to_ms) return false;
    if (q->queue.len > 0 && !slice_equal(q->queue, l->queue)) return false;
    if (q->type.len > 0 && !slice_equal(q->type, l->type)) return false;
    if (q->worker.len > 0 && !slice_equal(q->worker, worker_name(f, t->worker))) return false;
    if (f->filter != NULL && !filter_holds(f, t, l)) return false;
    if (q->owner.len == 0 && q->search.len == 0) return true;
    struct body_match match = {.q = q, .lane = l};
    view_body(f->view, t->id, body_found, &match);
    return match.matches;
}

uint32_t task_sort_keys(struct filler *f, const struct task_head *t,
                        struct sort_key keys[SORT_KEYS_MAX]) {
    struct task_row row = {.f = f, .head = t, .lane = lane_find(f, t->lane)};
    const uint32_t count = sort_keys(f->q->sort, task_field, &row, keys);
    task_row_close(&row);
    return count;
}

/* ---- how a row looks ---- */

void statuses_put(struct buffer *b, const uint64_t count[STATUS_COUNT][PRIORITY_COUNT]) {
    encode_array(b, STATUS_COUNT);
    for (int s = 0; s < STATUS_COUNT; s++) {
        uint64_t sum = 0;
        for (int p = 0; p < PRIORITY_COUNT; p++) sum += count[s][p];
        encode_uint(b, sum);
    }
}

/* With question.want, what it names of body and result stands in the row; the texts lie in `kept`
 * until it is written. */
struct row_parts { struct view *view; struct buffer kept; uint32_t want; };

static struct slice part_keep(struct row_parts *p, struct slice text) {
    buffer_append(&p->kept, text.data, text.len);
    return slice_of(NULL, text.len); /* kept may move: the places are filled in at the end */
}

static void body_keep(struct row_parts *p, const struct task_body *body) {
    p->view->body = *body;
    struct slice *texts[] = {&p->view->body.payload, &p->view->body.extra, &p->view->body.owner,
                             &p->view->body.key, &p->view->body.source_name,
                             &p->view->body.source_mime};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *texts[i] = part_keep(p, *texts[i]);
}

static void result_keep(struct row_parts *p, const struct task_result *result) {
    p->view->result = *result;
    struct slice *texts[] = {&p->view->result.result, &p->view->result.message,
                             &p->view->result.metrics, &p->view->result.worker};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *texts[i] = part_keep(p, *texts[i]);
}

static void parts_found(void *context, const struct record *r) {
    struct row_parts *p = context;
    if (r->kind == RECORD_BODY && (p->want & WANT_BODY)) body_keep(p, &r->body);
    if (r->kind == RECORD_RESULT && (p->want & WANT_RESULT)) result_keep(p, &r->result);
}

static void parts_settle(struct row_parts *p) {
    struct view *v = p->view;
    const uint8_t *at = p->kept.data;
    struct slice *texts[] = {
        &v->body.payload, &v->body.extra, &v->body.owner, &v->body.key, &v->body.source_name,
        &v->body.source_mime, &v->result.result, &v->result.message, &v->result.metrics,
        &v->result.worker};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        texts[i]->data = at;
        at += texts[i]->len;
    }
}

static void size_found(void *context, const struct record *r) {
    if (r->kind == RECORD_FILE) *(uint64_t *)context = r->file.size;
}

/* What a view says of files; see view_complete in intake.c. */
static void files_settle(struct filler *f, struct view *v) {
    v->source_size = v->body.source_size;
    v->source_name = v->body.source_name;
    v->source_mime = v->body.source_mime;
    if (v->result.result_file != 0)
        view_file(f->view, v->result.result_file, size_found, &v->result_size);
}

static void head_found(void *context, const struct record *r) {
    *(struct task_head *)context = r->task;
}

void task_put(struct filler *f, const struct task_head *t) {
    const struct lane_record *l = lane_find(f, t->lane);
    struct task_head whole = *t;
    if (f->brief) view_head(f->view, t->id, head_found, &whole);
    t = &whole;
    f->message.view = (struct view){.head = *t, .queue = l->queue, .type = l->type,
                                    .labels = l->labels, .worker = worker_name(f, t->worker)};
    struct row_parts p = {.view = &f->message.view, .want = f->q->want};
    if (p.want & (WANT_BODY | WANT_RESULT)) {
        view_task(f->view, t->id, parts_found, &p);
        parts_settle(&p);
        files_settle(f, p.view);
    }
    row_put(&f->page->rows, &f->message);
    buffer_free(&p.kept);
}

/* ---- what counters and briefs tell ---- */

/* Fields that the lanes' counters tell apart, and those that briefs do besides. */
#define LANE_FIELDS "status,priority,queue,type,labels,internal"
#define BRIEF_FIELDS LANE_FIELDS ",id,task_id,created_ms"
#define RESULT_FIELDS "metrics.,error,ran_by,run_ms,wait_ms"
#define BRIEF_AND_RESULT_FIELDS BRIEF_FIELDS ",metrics."

/* Nothing is asked for beside times and what a filter names. */
static bool asks_little(const struct question *q) {
    return q->owner.len == 0 && q->search.len == 0 && q->worker.len == 0 && q->dialect < 0;
}

static bool has_terms(const struct filler *f) {
    struct slice fields, terms;
    return filter_terms(f->filter, &fields, &terms);
}

/* True when the lanes' counters answer: nothing is asked for that they do not tell apart. */
static bool counters_suffice(const struct filler *f) {
    return asks_little(f->q) && f->q->from_ms == 0 && f->q->to_ms == 0 && !has_terms(f) &&
           filter_names_only(f->filter, LANE_FIELDS);
}

/* Whether tasks of that status and priority in the lane may match, as far as these tell. */
static bool lane_wanted(struct filler *f, const struct lane_record *l, uint8_t status,
                        uint8_t priority) {
    const struct question *q = f->q;
    if (q->status_mask != 0 && (q->status_mask >> status & 1) == 0) return false;
    if (q->priority >= 0 && q->priority != priority) return false;
    if (q->queue.len > 0 && !slice_equal(q->queue, l->queue)) return false;
    if (q->type.len > 0 && !slice_equal(q->type, l->type)) return false;
    const struct task_head t = {.status = status, .priority = priority, .lane = l->lane};
    struct task_row row = {.f = f, .head = &t, .lane = l};
    const bool holds = filter_matches_on(f->filter, LANE_FIELDS, task_field, &row);
    task_row_close(&row);
    return holds;
}

static bool kind_wanted(void *context, uint32_t lane, uint8_t status, uint8_t priority) {
    struct filler *f = context;
    struct lane_entry **near = &f->near[lane % LANES_NEAR];
    if (*near == NULL || (*near)->lane.lane != lane) *near = entry_find(f, lane);
    struct lane_entry *e = *near;
    if (e == NULL || status >= STATUS_COUNT || priority >= PRIORITY_COUNT) return false;
    const uint64_t bit = UINT64_C(1) << (status * PRIORITY_COUNT + priority);
    if ((e->looked & bit) == 0 && lane_wanted(f, &e->lane, status, priority))
        e->wanted |= bit;
    e->looked |= bit;
    return (e->wanted & bit) != 0;
}

/* A field that says of itself whether a brief, or a result, has it. */
static struct field_value name_in_brief(void *by_brief, struct slice name) {
    if (!field_is_among(BRIEF_AND_RESULT_FIELDS, name)) *(bool *)by_brief = false;
    return value_absent;
}

static bool sorts_by_brief(struct slice sort) {
    struct sort_key keys[SORT_KEYS_MAX];
    bool by_brief = true;
    sort_keys(sort, name_in_brief, &by_brief, keys);
    return by_brief;
}

/* A field that says of itself whether a result has it. */
static struct field_value name_in_result(void *by_result, struct slice name) {
    if (field_is_among(RESULT_FIELDS, name)) *(bool *)by_result = true;
    return value_absent;
}

/* Results are read with the heads when every task is judged by them. */
static bool wants_results(const struct filler *f) {
    struct sort_key keys[SORT_KEYS_MAX];
    bool by_result = filter_names(f->filter, RESULT_FIELDS);
    sort_keys(f->q->sort, name_in_result, &by_result, keys);
    return by_result;
}

void task_walk(struct filler *f, struct walk *walk) {
    const bool terms = !has_terms(f) || f->searches;
    const struct question *q = f->q;
    int64_t from_ms = q->from_ms != 0 ? q->from_ms : INT64_MIN;
    int64_t to_ms = q->to_ms != 0 ? q->to_ms : INT64_MAX;
    const bool range = filter_range(f->filter, "created_ms", &from_ms, &to_ms);
    if (from_ms > INT64_MIN) walk->from_ms = from_ms > 0 ? from_ms : 1; /* 0 is open */
    if (to_ms < INT64_MAX) walk->to_ms = to_ms > 0 ? to_ms : 1;
    walk->wanted = kind_wanted;
    walk->context = f;
    f->brief = asks_little(f->q) && terms && sorts_by_brief(f->q->sort) &&
               filter_names_only(f->filter, BRIEF_AND_RESULT_FIELDS);
    f->exact = f->brief && range && filter_names_only(f->filter, LANE_FIELDS ",created_ms");
    walk->brief = f->brief;
    walk->results = wants_results(f);
}

static uint64_t lane_matches(struct filler *f, const struct lane_record *l) {
    uint64_t sum = 0;
    for (uint8_t s = 1; s < STATUS_COUNT; s++)
        for (uint8_t p = 0; p < PRIORITY_COUNT; p++)
            if (l->count[s][p] > 0 && lane_wanted(f, l, s, p)) sum += l->count[s][p];
    return sum;
}

bool task_counters(struct filler *f, int64_t *total) {
    const struct question *q = f->q;
    uint64_t sum = 0;
    if (!counters_suffice(f)) return false;
    for (size_t i = 0; i <= f->lanes.mask; i++) {
        for (struct map_node *n = f->lanes.buckets[i]; n != NULL; n = n->next) {
            const struct lane_record *l = &((struct lane_entry *)(void *)n)->lane;
            if (q->brand != 0 && l->brand != q->brand) continue;
            sum += lane_matches(f, l);
        }
    }
    *total = (int64_t)sum;
    return true;
}
