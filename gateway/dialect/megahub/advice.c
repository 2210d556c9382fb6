/* advice.c - GET /tasks/monitoring/metrics/recommendations/: what the figures of 30 days suggest.
 *
 * Each stands with the numbers that it follows from. A type is judged from ENDED_MIN ends on:
 *   reliability  10 percent or more failed
 *   performance  the 95th percentile is over three times the mean, or the mean over metric_slow_ms
 *   memory       a task took metric_memory_mb or more
 *   cost         half of all cost, or more, is one type's, of two or more
 *   scaling      tasks wait longer than they run, and over a second */
#include "gateway/dialect/megahub/monitor.h"

enum { DAYS = 30, ENDED_MIN = 10 };

struct advice {
    struct monitor monitor; /* first: x->state */
    struct tally_list types;
    double cost;
};

struct item {
    const char *type, *priority, *description, *impact, *implementation;
};

static void item_write(struct exchange *x, struct slice name, const struct item *item) {
    out_object(&x->out);
    monitor_text(x, "type", slice_text(item->type));
    monitor_text(x, "priority", slice_text(item->priority));
    monitor_text(x, "task_type", name);
    monitor_text(x, "description", slice_text(item->description));
    monitor_text(x, "impact", slice_text(item->impact));
    monitor_text(x, "implementation", slice_text(item->implementation));
    out_object_end(&x->out);
}

static const char *shown(struct exchange *x, struct slice name) {
    return exchange_print(x, "%.*s", (int)name.len, (const char *)name.data);
}

static void reliability(struct exchange *x, const struct tally_row *row) {
    const double rate = monitor_error_rate(&row->sums);
    if (rate < 10) return;
    const struct item item = {
        "reliability", rate >= 50 ? "critical" : "high",
        exchange_print(x, "%lld of %lld tasks of type %s failed (%.1f %%).",
                       (long long)row->sums.failed, (long long)monitor_ended(&row->sums),
                       shown(x, row->name), rate),
        exchange_print(x, "Up to %lld failures less in %d days.", (long long)row->sums.failed,
                       DAYS),
        "Read the errors of the failed tasks; raise max_retries where they pass by themselves."};
    item_write(x, row->name, &item);
}

static void performance(struct exchange *x, const struct tally_row *row) {
    const struct span *run = &row->sums.spans[MEASURE_RUN];
    const double mean = span_mean(run);
    const double p95 = bins_percentile(row->sums.bins[MEASURE_RUN], run, 0.95);
    const bool slow = mean >= monitor_slow_ms(x);
    if (run->count == 0 || (!slow && p95 <= 3 * mean)) return;
    const struct item item = {
        "performance", slow ? "high" : "medium",
        exchange_print(x, "Tasks of type %s run %.0f ms on average, the slowest twentieth over "
                          "%.0f ms.", shown(x, row->name), mean, p95),
        exchange_print(x, "%.0f s of run time in %d days.", run->sum / 1000, DAYS),
        slow ? "Split the work into several tasks, or make it a persistent job with checkpoints."
             : "Compare the context_data of the slow tasks with the others; set timeout_minutes."};
    item_write(x, row->name, &item);
}

static void memory(struct exchange *x, const struct tally_row *row) {
    const struct span *used = &row->sums.spans[MEASURE_MEMORY];
    if (used->count == 0 || used->max < monitor_memory_max(x)) return;
    const struct item item = {
        "memory", "medium",
        exchange_print(x, "A task of type %s took %.0f MB; the mean is %.0f MB.",
                       shown(x, row->name), used->max, span_mean(used)),
        exchange_print(x, "A worker with several slots needs %.0f MB for each of them.",
                       used->max),
        "Give this type a queue and workers of its own, with fewer slots."};
    item_write(x, row->name, &item);
}

static void cost(struct exchange *x, const struct advice *a, const struct tally_row *row) {
    const double spent = row->sums.spans[MEASURE_COST].sum;
    if (a->types.count < 2 || !(a->cost > 0) || spent < a->cost / 2) return;
    const struct item item = {
        "cost", spent >= monitor_cost_max(x) ? "high" : "low",
        exchange_print(x, "Tasks of type %s cost %.4f USD of %.4f USD in all (%.0f %%).",
                       shown(x, row->name), spent, a->cost, 100 * spent / a->cost),
        exchange_print(x, "%.6f USD a task.", span_mean(&row->sums.spans[MEASURE_COST])),
        "Keep results that are asked for again, and use fewer tokens or a cheaper service."};
    item_write(x, row->name, &item);
}

static void scaling(struct exchange *x, const struct tally_row *row) {
    const double wait = span_mean(&row->sums.spans[MEASURE_WAIT]);
    const double run = span_mean(&row->sums.spans[MEASURE_RUN]);
    if (wait <= 1000 || wait <= run) return;
    const struct item item = {
        "scaling", wait > 10 * run ? "high" : "medium",
        exchange_print(x, "Tasks of type %s wait %.0f ms for a worker and run %.0f ms.",
                       shown(x, row->name), wait, run),
        exchange_print(x, "About %.0f ms less for each of %lld tasks.", wait - run,
                       (long long)row->sums.spans[MEASURE_WAIT].count),
        "Start more workers for its queue, or give the tasks a higher priority."};
    item_write(x, row->name, &item);
}

static void advice_write(struct exchange *x) {
    struct advice *a = x->state;
    const struct tally_sums total = monitor_total(&a->types);
    a->cost = total.spans[MEASURE_COST].sum;
    monitor_sort_ended(&a->types);
    out_object(&x->out);
    out_key(&x->out, "recommendations");
    out_list(&x->out);
    for (uint32_t i = 0; i < a->types.count; i++) {
        const struct tally_row *row = &a->types.rows[i];
        if (monitor_ended(&row->sums) < ENDED_MIN) continue;
        reliability(x, row);
        performance(x, row);
        memory(x, row);
        cost(x, a, row);
        scaling(x, row);
    }
    out_list_end(&x->out);
    monitor_integer(x, "tasks_considered", monitor_ended(&total));
    monitor_integer(x, "period_days", a->monitor.days);
    monitor_incomplete(x, &a->types);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static bool advice_read(struct exchange *x, struct message *m) {
    struct advice *a = exchange_alloc(x, sizeof *a);
    (void)m;
    x->state = a;
    if (!monitor_period(x, &a->monitor, DAYS)) return false;
    const struct tally_ask ask = {.span = "type", .by = "name", .from_ms = a->monitor.from_ms,
                                  .name = a->monitor.type};
    monitor_ask(x, &ask, &a->types, advice_write);
    return false;
}

static const struct route routes[] = {
    ROUTE(GET, NONE, "/tasks/monitoring/metrics/recommendations", MONITOR_MEMBER, 200, advice_read,
          "what the figures suggest, with the numbers"),
};
const struct routes megahub_advice = {routes, sizeof routes / sizeof *routes};
