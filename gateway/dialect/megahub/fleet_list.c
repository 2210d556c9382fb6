/* fleet_list.c - workers/: the list, one of them, and workers/overview/.
 *
 * The fleet is small and not in a table: filters, order and pages are made here. */
#include "gateway/dialect/megahub/fleet_filter.h"
#include "gateway/dialect/spell.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HOURS = 24, ALERTS_MAX = 100 };

struct fleet_page {
    struct fleet_state fleet; /* first: x->state */
    void *page;               /* page.c's */
    uint32_t limit, offset;
    struct slice filter, sort;
    struct tally_list hours;  /* of one */
    uint64_t id;
};

/* ---- list ---- */

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    const struct fleet_worker *list = (const void *)rows.data;
    out_object(&x->out);
    fleet_write(x, &list[(*at)++]);
    out_object_end(&x->out);
}

static void list_loaded(struct exchange *x) {
    struct fleet_page *p = x->state;
    struct fleet_state *f = &p->fleet;
    fleet_filter(f, p->filter);
    fleet_sort(f, p->sort);
    const uint32_t from = p->offset < f->count ? p->offset : f->count;
    const uint32_t count = f->count - from < p->limit ? f->count - from : p->limit;
    struct message answer = {.verb = VERB_ROWS};
    answer.rows = (struct rows){.rows = slice_of(f->list + from, count * sizeof *f->list),
                                .row_count = count, .total = f->count,
                                .total_exact = !f->incomplete};
    x->state = p->page;
    page_write(x, &answer, row_write);
}

static bool list_read(struct exchange *x, struct message *m) {
    struct fleet_page *p = exchange_alloc(x, sizeof *p);
    struct question q = {0};
    (void)m;
    if (!page_read(x, &fleet_page, &q)) return false;
    p->page = x->state;
    p->limit = q.limit;
    p->offset = q.offset;
    p->filter = q.filter;
    p->sort = exchange_copy(x, q.sort);
    x->state = p;
    fleet_load(x, list_loaded);
    return false;
}

/* ---- one ---- */

static void tasks_write(struct exchange *x, const struct fleet_worker *w) {
    struct roll_task task;
    uint32_t at = 0;
    char text[TASK_TEXT_SIZE];
    out_key(&x->out, "current_tasks");
    out_list(&x->out);
    while (w->now.name.len > 0 && roll_task_next(w->now.tasks, &at, &task)) {
        spell_task(x, task.id, text);
        out_object(&x->out);
        monitor_integer(x, "id", (int64_t)task.id);
        monitor_text(x, "task_id", slice_text(text));
        monitor_text(x, "task_type", task.type);
        out_key(&x->out, "started_at");
        out_time(&x->out, task.started_ms);
        out_object_end(&x->out);
    }
    out_list_end(&x->out);
}

/* The newest `hours` full hours and the one under way. */
static void hours_write(struct exchange *x, const char *key, uint32_t hours) {
    const struct fleet_page *p = x->state;
    const uint32_t from = (uint32_t)(x->wall_ms / TALLY_HOUR_MS) - hours;
    struct tally_sums sums = {0};
    for (uint32_t i = 0; i < p->hours.count; i++)
        if (p->hours.rows[i].slot >= from) tally_merge(&sums, &p->hours.rows[i].sums);
    out_key(&x->out, key);
    out_object(&x->out);
    monitor_integer(x, "processed_tasks", monitor_ended(&sums));
    monitor_integer(x, "failed_tasks", sums.failed);
    monitor_number(x, "avg_execution_time_ms", span_mean(&sums.spans[MEASURE_RUN]));
    monitor_number(x, "success_rate", monitor_success_rate(&sums));
    out_object_end(&x->out);
}

static void one_write(struct exchange *x) {
    const struct fleet_page *p = x->state;
    const struct fleet_worker *w = fleet_worker_find(&p->fleet, p->id);
    out_object(&x->out);
    fleet_write(x, w);
    tasks_write(x, w);
    out_key(&x->out, "recent_performance");
    out_object(&x->out);
    hours_write(x, "last_hour", 1);
    hours_write(x, "last_24_hours", HOURS);
    out_object_end(&x->out);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void one_loaded(struct exchange *x) {
    struct fleet_page *p = x->state;
    const struct fleet_worker *w = fleet_worker_find(&p->fleet, p->id);
    if (w == NULL) {
        monitor_missing(x);
        return;
    }
    const struct tally_ask ask = {.span = "hour", .by = "slot", .name = w->name,
                                  .from_ms = x->wall_ms - HOURS * (int64_t)TALLY_HOUR_MS};
    monitor_ask(x, &ask, &p->hours, one_write);
}

static bool one_read(struct exchange *x, struct message *m) {
    struct fleet_page *p = exchange_alloc(x, sizeof *p);
    (void)m;
    x->state = p;
    if (!monitor_id(x, &p->id)) return false;
    fleet_load(x, one_loaded);
    return false;
}

/* ---- overview ---- */

struct mean { double sum; uint32_t count; };
static void mean_add(struct mean *m, double value) {
    if (isnan(value)) return;
    m->sum += value;
    m->count++;
}
static double mean_of(const struct mean *m) { return m->count > 0 ? m->sum / m->count : 0; }

static bool queue_next(struct slice queues, uint32_t *at, struct slice *ret) {
    if (*at > queues.len || queues.len == 0) return false;
    uint32_t end = *at;
    while (end < queues.len && queues.data[end] != ',') end++;
    *ret = slice_of(queues.data + *at, end - *at);
    *at = end + 1;
    return true;
}

/* A queue is written where it is met first. */
static bool queue_is_new(const struct fleet_state *f, uint32_t before, struct slice name) {
    struct slice other;
    for (uint32_t i = 0; i < before; i++)
        for (uint32_t at = 0; queue_next(f->list[i].queues, &at, &other);)
            if (slice_equal(other, name)) return false;
    return true;
}

static void queue_write(struct exchange *x, const struct fleet_state *f, struct slice name,
                        bool loads) {
    struct mean load = {0}, cpu = {0}, memory = {0};
    struct slice other;
    uint32_t workers = 0;
    double active = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        bool serves = false;
        for (uint32_t at = 0; queue_next(f->list[i].queues, &at, &other);)
            serves = serves || slice_equal(other, name);
        if (!serves) continue;
        workers++;
        active += f->list[i].figures[FIGURE_ACTIVE];
        mean_add(&load, f->list[i].figures[FIGURE_LOAD]);
        mean_add(&cpu, f->list[i].figures[FIGURE_CPU]);
        mean_add(&memory, f->list[i].figures[FIGURE_MEMORY]);
    }
    out_key_slice(&x->out, name);
    out_object(&x->out);
    monitor_integer(x, "workers", workers);
    monitor_number(x, "active_tasks", active);
    if (loads) monitor_number(x, "avg_load", mean_of(&load));
    if (!loads) monitor_number(x, "avg_cpu", mean_of(&cpu));
    if (!loads) monitor_number(x, "avg_memory", mean_of(&memory));
    out_object_end(&x->out);
}

static void queues_write(struct exchange *x, const struct fleet_state *f, const char *key,
                         bool loads) {
    struct slice name;
    out_key(&x->out, key);
    out_object(&x->out);
    for (uint32_t i = 0; i < f->count; i++)
        for (uint32_t at = 0; queue_next(f->list[i].queues, &at, &name);)
            if (queue_is_new(f, i, name)) queue_write(x, f, name, loads);
    out_object_end(&x->out);
}

static void warnings_write(struct exchange *x, const struct fleet_state *f) {
    uint32_t shown = 0;
    out_key(&x->out, "alerts");
    out_list(&x->out);
    for (uint32_t i = 0; i < f->count && shown < ALERTS_MAX; i++) {
        const struct fleet_worker *w = &f->list[i];
        const bool known = w->carded || w->enrolled;
        if (w->healthy || (!w->online && w->figures[FIGURE_ACTIVE] == 0 && !known)) continue;
        shown++;
        out_object(&x->out);
        monitor_text(x, "worker_name", w->name);
        monitor_text(x, "message", slice_text(!w->online ? "The worker is offline."
                                                         : "The worker is overloaded."));
        out_object_end(&x->out);
    }
    out_list_end(&x->out);
}

static void overview_loaded(struct exchange *x) {
    const struct fleet_page *p = x->state;
    const struct fleet_state *f = &p->fleet;
    struct mean cpu = {0}, memory = {0}, load = {0};
    uint32_t online = 0, healthy = 0;
    double active = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        const double *figures = f->list[i].figures;
        online += f->list[i].online;
        healthy += f->list[i].healthy;
        active += figures[FIGURE_ACTIVE];
        if (!f->list[i].online) continue;
        mean_add(&cpu, figures[FIGURE_CPU]);
        mean_add(&memory, figures[FIGURE_MEMORY]);
        mean_add(&load, figures[FIGURE_LOAD]);
    }
    out_object(&x->out);
    monitor_integer(x, "total_workers", f->count);
    monitor_integer(x, "online_workers", online);
    monitor_integer(x, "offline_workers", f->count - online);
    queues_write(x, f, "queues", true);
    out_key(&x->out, "system_health");
    out_object(&x->out);
    monitor_text(x, "overall_status", slice_text(online == 0         ? "critical"
                                                 : healthy < online ? "degraded" : "healthy"));
    monitor_number(x, "avg_cpu_percent", mean_of(&cpu));
    monitor_number(x, "avg_memory_percent", mean_of(&memory));
    monitor_number(x, "total_active_tasks", active);
    monitor_number(x, "avg_load_average", mean_of(&load));
    out_object_end(&x->out);
    queues_write(x, f, "queues_status", false);
    warnings_write(x, f);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static bool overview_read(struct exchange *x, struct message *m) {
    struct fleet_page *p = exchange_alloc(x, sizeof *p);
    (void)m;
    x->state = p;
    fleet_load(x, overview_loaded);
    return false;
}

#define BASE "/tasks/monitoring/workers"
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE, MONITOR_MEMBER, 200, list_read, "lists workers"),
    ROUTE(GET, NONE, BASE "/{id}", MONITOR_MEMBER, 200, one_read,
          "a worker, its tasks and its newest figures"),
    ROUTE(GET, NONE, BASE "/overview", MONITOR_MEMBER, 200, overview_read,
          "the workers at a glance"),
};
const struct routes megahub_fleet = {routes, sizeof routes / sizeof *routes};
