/* schedule_survey.c - all periodic tasks of a brand: which are ready, counters, how long their runs
 * take and how late they come, and how to spread those that come together.
 *
 * The broker runs what is due by itself, so what is ready is what it could not run yet (a full
 * disk), or what came due this instant. execute-ready asks it for each of them once more: the
 * broker runs it then or says that it cannot; none runs twice. */
#include "gateway/dialect/megahub/schedule.h"
#include "gateway/dialect/spell.h"
#include "proto/encode.h"
#include "proto/schedule.h"
#include <stdlib.h>
#include <string.h>

enum { READY_MAX = 100, SUGGESTIONS_MAX = 100, SURVEY_MAX = 1000, SAMPLE_MAX = 1000,
       SHIFT_MINUTES = 5, HOUR_MINUTES = 60 };

static struct slice ready_filter(struct exchange *x, uint32_t *count) {
    struct buffer b = {0};
    const char *now = exchange_print(x, "%lld", (long long)x->wall_ms);
    schedule_predicate(&b, "active", "eq", "1");
    schedule_predicate(&b, "next_ms", "lte", now);
    *count = 2;
    const struct slice filter = exchange_copy(x, buffer_slice(&b));
    buffer_free(&b);
    return filter;
}

static void task_text(struct exchange *x, const char *key, uint64_t task) {
    char text[TASK_TEXT_SIZE];
    spell_task(x, task, text);
    out_key(&x->out, key);
    out_string(&x->out, text);
}

/* ---- ready-for-execution, execute-ready ---- */

struct due {
    uint64_t id, last_task, run; /* run: what execute-ready brought about; 0 = nothing */
    int64_t next_ms, run_ms;
    struct slice type, expression;
    bool there;
};
struct ready { struct due list[READY_MAX]; uint32_t count, all, at; };

static void ready_row(struct exchange *x, void *own, const struct schedule_record *r) {
    struct ready *ready = own;
    ready->all++;
    if (ready->count == READY_MAX) return;
    ready->list[ready->count++] =
        (struct due){.id = r->id, .last_task = r->last_task, .next_ms = r->next_ms,
                     .type = exchange_copy(x, r->type),
                     .expression = exchange_copy(x, r->expression)};
}

static void ready_write(struct exchange *x, void *own) {
    const struct ready *ready = own;
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "count");
    out_unsigned(o, ready->all);
    out_key(o, "tasks");
    out_list(o);
    for (uint32_t i = 0; i < ready->count; i++) {
        const struct due *d = &ready->list[i];
        out_object(o);
        out_key(o, "id");
        out_unsigned(o, d->id);
        out_key(o, "task_type");
        out_text(o, d->type);
        out_key(o, "cron_expression");
        out_text(o, d->expression);
        out_key(o, "next_run_at");
        out_time(o, d->next_ms);
        out_object_end(o);
    }
    out_list_end(o);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static void ready_walk(struct exchange *x, void (*end)(struct exchange *, void *)) {
    struct schedule_walk walk = {.kind = SCHEDULE_PERIODIC, .row = ready_row, .end = end,
                                 .own = exchange_alloc(x, sizeof(struct ready))};
    walk.filter = ready_filter(x, &walk.filter_count);
    schedule_walk(x, &walk);
}

static bool ready_read(struct exchange *x, struct message *m) {
    (void)m;
    ready_walk(x, ready_write);
    return false;
}

static void executed_write(struct exchange *x, const struct ready *ready, bool ran) {
    struct out *o = &x->out;
    out_list(o);
    for (uint32_t i = 0; i < ready->count; i++) {
        const struct due *d = &ready->list[i];
        if ((d->run != 0) != ran) continue;
        out_object(o);
        out_key(o, "periodic_task_id");
        out_unsigned(o, d->id);
        if (ran) {
            task_text(x, "execution_task_id", d->run);
            out_key(o, "executed_at");
            out_time(o, d->run_ms);
        } else {
            out_key(o, "error");
            out_string(o, d->there ? "The broker cannot run it now." : "It is gone.");
        }
        out_object_end(o);
    }
    out_list_end(o);
}

static void execute_next(struct exchange *x);

/* READ lets the broker run what is due before it answers: what it then says is what came of it. */
static void execute_one(struct exchange *x, const struct message *answer) {
    struct ready *ready = x->state;
    struct due *d = &ready->list[ready->at++];
    struct schedule_record r = {0};
    uint32_t at = 0;
    d->there = exchange_code(answer) == CODE_OK &&
               schedule_row_next(answer->answer.body, &at, &r);
    if (d->there && r.last_task != d->last_task && r.last_ms >= d->next_ms) {
        d->run = r.last_task;
        d->run_ms = r.run_ms;
    }
    execute_next(x);
}

static void execute_next(struct exchange *x) {
    const struct ready *ready = x->state;
    struct out *o = &x->out;
    if (ready->at < ready->count) {
        const struct message m = {
            .verb = VERB_SCHEDULE,
            .schedule = {.op = SCHEDULE_READ, .id = ready->list[ready->at].id,
                         .record.brand = x->who.brand}};
        exchange_try(x, &m, execute_one);
        return;
    }
    out_object(o);
    out_key(o, "executed");
    executed_write(x, ready, true);
    out_key(o, "failed");
    executed_write(x, ready, false);
    out_key(o, "total");
    out_unsigned(o, ready->count);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static void execute_all(struct exchange *x, void *own) {
    x->state = own;
    execute_next(x);
}

static bool execute_ready_read(struct exchange *x, struct message *m) {
    (void)m;
    ready_walk(x, execute_all);
    return false;
}

/* ---- stats ---- */

struct counts {
    uint64_t all, active, executions, manual, succeeded, failed, ready;
    int64_t next_ms, late_ms;
};

static void count_row(struct exchange *x, void *own, const struct schedule_record *r) {
    struct counts *c = own;
    c->all++;
    c->active += r->active;
    c->executions += r->executions;
    c->manual += r->manual;
    c->succeeded += r->succeeded;
    c->failed += r->failed;
    c->late_ms += r->late_ms;
    c->ready += r->next_ms != 0 && r->next_ms <= x->wall_ms;
    if (r->next_ms != 0 && (c->next_ms == 0 || r->next_ms < c->next_ms)) c->next_ms = r->next_ms;
}

static void rate_write(struct out *o, uint64_t good, uint64_t bad) {
    out_key(o, "success_rate");
    if (good + bad == 0) out_null(o);
    else out_number(o, 100.0 * (double)good / (double)(good + bad));
}

static void counts_write(struct exchange *x, void *own) {
    const struct counts *c = own;
    struct out *o = &x->out;
    const struct { const char *key; uint64_t value; } numbers[] = {
        {"total_tasks", c->all}, {"active_tasks", c->active},
        {"paused_tasks", c->all - c->active}, {"ready_tasks", c->ready},
        {"total_executions", c->executions}, {"manual_executions", c->manual},
        {"successful_executions", c->succeeded}, {"failed_executions", c->failed}};
    out_object(o);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        out_key(o, numbers[i].key);
        out_unsigned(o, numbers[i].value);
    }
    rate_write(o, c->succeeded, c->failed);
    out_key(o, "avg_drift_ms");
    if (c->executions == 0) out_null(o);
    else out_number(o, (double)c->late_ms / (double)c->executions);
    out_key(o, "next_run_at");
    out_time(o, c->next_ms);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static bool stats_read(struct exchange *x, struct message *m) {
    const struct schedule_walk walk = {.kind = SCHEDULE_PERIODIC, .row = count_row,
                                       .end = counts_write,
                                       .own = exchange_alloc(x, sizeof(struct counts))};
    (void)m;
    schedule_walk(x, &walk);
    return false;
}

/* ---- performance-analysis ---- */

struct sampled { /* one periodic task and its newest runs */
    uint64_t id, runs;
    struct slice type, expression;
    int64_t late_ms, sum_ms, min_ms, max_ms;
    uint32_t executions, succeeded, failed;
    uint8_t last_status;
};
struct survey { struct sampled *list; uint32_t count; uint64_t all, looked; };

static void sample_row(struct exchange *x, void *own, const struct schedule_record *r) {
    struct survey *s = own;
    s->all++;
    if (s->count == SURVEY_MAX) return;
    s->list[s->count++] = (struct sampled){
        .id = r->id, .type = exchange_copy(x, r->type),
        .expression = exchange_copy(x, r->expression), .late_ms = r->late_ms,
        .executions = r->executions, .succeeded = r->succeeded, .failed = r->failed,
        .last_status = r->last_task != 0 ? r->last_status : (uint8_t)STATUS_NONE};
}

static void mean_write(struct out *o, const char *key, int64_t sum, uint64_t count) {
    out_key(o, key);
    if (count == 0) out_null(o);
    else out_number(o, (double)sum / (double)count);
}

static void sampled_write(struct exchange *x, const struct sampled *t) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "periodic_task_id");
    out_unsigned(o, t->id);
    out_key(o, "task_type");
    out_text(o, t->type);
    out_key(o, "cron_expression");
    out_text(o, t->expression);
    out_key(o, "executions_count");
    out_unsigned(o, t->executions);
    rate_write(o, t->succeeded, t->failed);
    out_key(o, "last_run_status");
    out_string(o, t->last_status != STATUS_NONE ? megahub_status(t->last_status) : NULL);
    mean_write(o, "avg_drift_ms", t->late_ms, t->executions);
    out_key(o, "sampled_runs");
    out_unsigned(o, t->runs);
    mean_write(o, "avg_duration_ms", t->sum_ms, t->runs);
    mean_write(o, "min_duration_ms", t->min_ms, t->runs != 0);
    mean_write(o, "max_duration_ms", t->max_ms, t->runs != 0);
    out_object_end(o);
}

static int sampled_order(const void *key, const void *entry) {
    const uint64_t id = *(const uint64_t *)key, other = ((const struct sampled *)entry)->id;
    return (id > other) - (id < other);
}

static void run_count(struct survey *s, const struct task_head *run) {
    struct sampled *t = bsearch(&run->schedule, s->list, s->count, sizeof *t, sampled_order);
    const int64_t ms = run->finished_ms - run->started_ms;
    if (t == NULL || run->started_ms == 0 || ms < 0) return;
    if (t->runs == 0 || ms < t->min_ms) t->min_ms = ms;
    if (ms > t->max_ms) t->max_ms = ms;
    t->sum_ms += ms;
    t->runs++;
}

static void survey_write(struct exchange *x, const struct message *answer) {
    struct survey *s = x->state;
    struct frame frame = {0};
    struct message m;
    uint32_t at = 0;
    while (row_next(&frame, answer->rows.rows, &at, &m)) {
        run_count(s, &m.view.head);
        s->looked++;
    }
    frame_free(&frame);
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "total_tasks");
    out_unsigned(o, s->all);
    out_key(o, "analyzed_runs");
    out_unsigned(o, s->looked);
    if (s->all > s->count || answer->rows.incomplete) {
        out_key(o, "incomplete");
        out_bool(o, true);
    }
    out_key(o, "tasks");
    out_list(o);
    for (uint32_t i = 0; i < s->count; i++) sampled_write(x, &s->list[i]);
    out_list_end(o);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static int survey_order(const void *a, const void *b) {
    return sampled_order(&((const struct sampled *)a)->id, b);
}

/* The newest runs of all of them that ended, in one list. */
static void survey_runs(struct exchange *x, void *own) {
    struct survey *s = own;
    struct buffer filter = {0};
    struct message m = {.verb = VERB_ASK};
    qsort(s->list, s->count, sizeof *s->list, survey_order);
    encode_array(&filter, 2);
    schedule_predicate(&filter, "schedule", "null", "0");
    schedule_predicate(&filter, "finished_ms", "null", "0");
    m.question = (struct question){
        .kind = slice_text("tasks"), .brand = x->who.brand, .priority = -1, .dialect = -1,
        .limit = SAMPLE_MAX, .descending = true,
        .filter = exchange_copy(x, buffer_slice(&filter))};
    buffer_free(&filter);
    x->state = s;
    exchange_send(x, &m, survey_write);
}

static bool analysis_read(struct exchange *x, struct message *m) {
    struct survey *s = exchange_alloc(x, sizeof *s);
    const struct schedule_walk walk = {.row = sample_row, .end = survey_runs, .own = s};
    (void)m;
    s->list = exchange_alloc(x, SURVEY_MAX * sizeof *s->list);
    schedule_walk(x, &walk);
    return false;
}

/* ---- optimize-schedules ---- */

struct planned { uint64_t id; uint32_t version; struct slice expression, zone; };
struct suggestion { const struct planned *of; const char *expression; bool applied, failed; };
struct spread {
    struct planned *list;
    uint32_t count, suggestion_count, at, applied;
    bool dry;
    struct suggestion suggestions[SUGGESTIONS_MAX];
};

static void plan_row(struct exchange *x, void *own, const struct schedule_record *r) {
    struct spread *s = own;
    if (s->count == SURVEY_MAX) return;
    s->list[s->count++] = (struct planned){r->id, r->version, exchange_copy(x, r->expression),
                                           exchange_copy(x, r->zone)};
}

/* Minute of an expression whose first field is one number, and where the rest begins. */
static bool minute_of(struct slice text, uint32_t *minute, struct slice *rest) {
    uint32_t i = 0, number = 0;
    for (; i < text.len && text.data[i] >= '0' && text.data[i] <= '9' && i < 2; i++)
        number = 10 * number + (uint32_t)(text.data[i] - '0');
    if (i == 0 || i == text.len || text.data[i] != ' ' || number >= HOUR_MINUTES) return false;
    *minute = number;
    *rest = slice_of(text.data + i, text.len - i);
    return true;
}

static int text_order(struct slice a, struct slice b) {
    const uint32_t len = a.len < b.len ? a.len : b.len;
    const int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int planned_order(const void *a, const void *b) {
    const struct planned *p = a, *q = b;
    const int zones = text_order(p->zone, q->zone);
    const int order = zones != 0 ? zones : text_order(p->expression, q->expression);
    return order != 0 ? order : (p->id > q->id) - (p->id < q->id);
}

/* Those that share expression and zone keep their hour: all but the first move by some minutes,
 * forward while the hour lasts, else back. */
static void spread_reckon(struct exchange *x, struct spread *s) {
    uint32_t minute, nth = 0;
    struct slice rest;
    qsort(s->list, s->count, sizeof *s->list, planned_order);
    for (uint32_t i = 1; i < s->count && s->suggestion_count < SUGGESTIONS_MAX; i++) {
        const struct planned *p = &s->list[i], *before = &s->list[i - 1];
        const bool same = slice_equal(p->expression, before->expression) &&
                          slice_equal(p->zone, before->zone);
        nth = same ? nth + 1 : 0;
        if (nth == 0 || !minute_of(p->expression, &minute, &rest)) continue;
        const uint32_t shift = nth * SHIFT_MINUTES;
        if (shift >= HOUR_MINUTES) continue; /* the hour is full */
        const uint32_t moved = (minute + shift) % HOUR_MINUTES;
        s->suggestions[s->suggestion_count++] = (struct suggestion){
            .of = p, .expression = exchange_print(x, "%u%.*s", moved, (int)rest.len, rest.data)};
    }
}

static void spread_write(struct exchange *x, const struct spread *s) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "dry_run");
    out_bool(o, s->dry);
    out_key(o, "analyzed_tasks");
    out_unsigned(o, s->count);
    out_key(o, "applied");
    out_unsigned(o, s->applied);
    out_key(o, "suggestions");
    out_list(o);
    for (uint32_t i = 0; i < s->suggestion_count; i++) {
        const struct suggestion *one = &s->suggestions[i];
        out_object(o);
        out_key(o, "periodic_task_id");
        out_unsigned(o, one->of->id);
        out_key(o, "current_cron");
        out_text(o, one->of->expression);
        out_key(o, "suggested_cron");
        out_string(o, one->expression);
        out_key(o, "timezone");
        out_text(o, one->of->zone);
        out_key(o, "reason");
        out_string(o, "Other tasks come at the same time.");
        out_key(o, "applied");
        out_bool(o, one->applied);
        out_object_end(o);
    }
    out_list_end(o);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static void spread_next(struct exchange *x);

static void spread_changed(struct exchange *x, const struct message *answer) {
    struct spread *s = x->state;
    const bool applied = exchange_code(answer) == CODE_OK; /* else it changed meanwhile */
    s->suggestions[s->at++].applied = applied;
    s->applied += applied;
    spread_next(x);
}

static void spread_next(struct exchange *x) {
    const struct spread *s = x->state;
    if (s->dry || s->at == s->suggestion_count) {
        spread_write(x, s);
        return;
    }
    const struct suggestion *one = &s->suggestions[s->at];
    const struct message m = {
        .verb = VERB_SCHEDULE,
        .schedule = {.op = SCHEDULE_CHANGE, .id = one->of->id, .set = SET_SCHEDULE_EXPRESSION,
                     .record = {.brand = x->who.brand, .version = one->of->version,
                                .expression = slice_text(one->expression)}}};
    exchange_try(x, &m, spread_changed);
}

static void spread_all(struct exchange *x, void *own) {
    x->state = own;
    spread_reckon(x, own);
    spread_next(x);
}

static bool optimize_read(struct exchange *x, struct message *m) {
    struct spread *s = exchange_alloc(x, sizeof *s);
    struct buffer filter = {0};
    (void)m;
    s->dry = member_bool(x->json, "dry_run", 0, true, &x->errors);
    if (!megahub_fields_good(x)) return false;
    s->list = exchange_alloc(x, SURVEY_MAX * sizeof *s->list);
    schedule_predicate(&filter, "active", "eq", "1");
    const struct schedule_walk walk = {.row = plan_row, .end = spread_all, .own = s,
                                       .filter = exchange_copy(x, buffer_slice(&filter)),
                                       .filter_count = 1};
    buffer_free(&filter);
    schedule_walk(x, &walk);
    return false;
}

#define BASE "/tasks/scheduled/periodic-tasks"
enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN };
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE "/ready-for-execution", MEMBER_GUARD, 200, ready_read,
          "periodic tasks that are due"),
    ROUTE(POST, JSON, BASE "/execute-ready", MEMBER_GUARD, 200, execute_ready_read,
          "runs those that are due"),
    ROUTE(GET, NONE, BASE "/stats", MEMBER_GUARD, 200, stats_read,
          "counters of all periodic tasks"),
    ROUTE(GET, NONE, BASE "/performance-analysis", MEMBER_GUARD, 200, analysis_read,
          "how long the runs take, and how late they come"),
    ROUTE(POST, JSON, BASE "/optimize-schedules", MEMBER_GUARD, 200, optimize_read,
          "suggests how to spread those that come together"),
};
const struct routes megahub_survey = {routes, sizeof routes / sizeof *routes};
