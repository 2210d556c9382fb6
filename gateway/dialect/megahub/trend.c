/* trend.c - how measures move: GET metrics/trends/ and metrics/performance-by-type/.
 *
 * A trend compares the mean of the newer half of the days that have data with the older half:
 * beyond 5 percent it is increasing or decreasing. */
#include "gateway/dialect/megahub/monitor.h"
#include <string.h>

enum { DAYS = 30, SAMPLES_MIN = 10 };
static const double steady_percent = 5;
static const enum measure shown[] = {MEASURE_RUN, MEASURE_WAIT, MEASURE_MEMORY, MEASURE_CPU,
                                     MEASURE_COST, MEASURE_TOKENS, MEASURE_CALLS, MEASURE_ERRORS};
enum { SHOWN = sizeof shown / sizeof *shown };

static const char *trend_word(double percent) {
    return percent > steady_percent ? "increasing"
           : percent < -steady_percent ? "decreasing" : "stable";
}

static double change_percent(const struct span *older, const struct span *newer) {
    const double before = span_mean(older), after = span_mean(newer);
    if (older->count <= 0 || newer->count <= 0 || before == after) return 0;
    return before == 0 ? 100 : 100 * (after - before) / before;
}

/* ---- trends ---- */

struct trends {
    struct monitor monitor; /* first: x->state */
    struct tally_list days;
    uint32_t mask; /* of measures */
};

static void points_write(struct exchange *x, const struct tally_list *days, enum measure m) {
    out_key(&x->out, "data_points");
    out_list(&x->out);
    for (uint32_t i = 0; i < days->count; i++) {
        const struct span *s = &days->rows[i].sums.spans[m];
        if (s->count <= 0) continue;
        out_object(&x->out);
        monitor_date(x, "date", days->rows[i].slot);
        monitor_number(x, "value", span_mean(s));
        monitor_integer(x, "count", s->count);
        out_object_end(&x->out);
    }
    out_list_end(&x->out);
}

static void measure_write(struct exchange *x, const struct tally_list *days, enum measure m) {
    struct span halves[2] = {0};
    uint32_t with = 0, seen = 0;
    for (uint32_t i = 0; i < days->count; i++) with += days->rows[i].sums.spans[m].count > 0;
    for (uint32_t i = 0; i < days->count; i++) {
        const struct span *s = &days->rows[i].sums.spans[m];
        if (s->count > 0) span_merge(&halves[seen++ >= with / 2], s);
    }
    const double percent = change_percent(&halves[0], &halves[1]);
    out_key(&x->out, measure_name(m));
    out_object(&x->out);
    out_key(&x->out, "trend");
    out_string(&x->out, trend_word(percent));
    monitor_number(x, "change_percent", percent);
    points_write(x, days, m);
    out_object_end(&x->out);
}

static void days_write(struct exchange *x, const struct tally_list *days) {
    out_key(&x->out, "daily_performance");
    out_list(&x->out);
    for (uint32_t i = 0; i < days->count; i++) {
        const struct tally_sums *s = &days->rows[i].sums;
        out_object(&x->out);
        monitor_date(x, "date", days->rows[i].slot);
        monitor_integer(x, "total_tasks", monitor_ended(s));
        monitor_integer(x, "failed_tasks", s->failed);
        monitor_number(x, "avg_execution_time_ms", span_mean(&s->spans[MEASURE_RUN]));
        monitor_number(x, "avg_memory_usage_mb", span_mean(&s->spans[MEASURE_MEMORY]));
        monitor_number(x, "success_rate", monitor_success_rate(s));
        out_object_end(&x->out);
    }
    out_list_end(&x->out);
    out_key(&x->out, "cost_trend");
    out_list(&x->out);
    for (uint32_t i = 0; i < days->count; i++) {
        out_object(&x->out);
        monitor_date(x, "date", days->rows[i].slot);
        monitor_number(x, "total_cost_usd", days->rows[i].sums.spans[MEASURE_COST].sum);
        out_object_end(&x->out);
    }
    out_list_end(&x->out);
}

static void trends_write(struct exchange *x) {
    struct trends *t = x->state;
    monitor_sort_slot(&t->days);
    out_object(&x->out);
    out_key(&x->out, "period");
    out_string(&x->out, exchange_print(x, "last_%u_days", t->monitor.days));
    out_key(&x->out, "metrics");
    out_object(&x->out);
    for (uint32_t i = 0; i < MEASURE_COUNT; i++)
        if (t->mask >> i & 1) measure_write(x, &t->days, (enum measure)i);
    out_object_end(&x->out);
    days_write(x, &t->days);
    monitor_incomplete(x, &t->days);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

/* metric names one or several, with comma between. */
static bool mask_read(struct exchange *x, uint32_t *mask) {
    const char *text = exchange_query(x, "metric");
    *mask = 0;
    if (text == NULL || *text == '\0') {
        for (uint32_t i = 0; i < SHOWN; i++) *mask |= 1u << shown[i];
        return true;
    }
    for (const char *at = text; *at != '\0'; at += at[strcspn(at, ",")] == ',') {
        const size_t len = strcspn(at, ",");
        const enum measure m = measure_named(slice_of(at, len));
        at += len;
        if ((uint32_t)m == MEASURE_COUNT) {
            field_wrong(&x->errors, "metric", FIELD_NOT_A_CHOICE, 0);
            return megahub_refuse(x, "METRIC_FIELD_INVALID", "There is no such metric.");
        }
        *mask |= 1u << m;
    }
    return true;
}

static bool trends_read(struct exchange *x, struct message *m) {
    struct trends *t = exchange_alloc(x, sizeof *t);
    (void)m;
    x->state = t;
    if (!monitor_period(x, &t->monitor, DAYS) || !mask_read(x, &t->mask)) return false;
    const struct tally_ask ask = {.span = "type", .by = "slot", .from_ms = t->monitor.from_ms,
                                  .name = t->monitor.type};
    monitor_ask(x, &ask, &t->days, trends_write);
    return false;
}

/* ---- performance by type ---- */

struct kinds {
    struct monitor monitor; /* first: x->state */
    struct tally_list all, older;
    int64_t samples_min;
};

/* What ended in the newer half: all, less what ended in the older. */
static struct span newer_of(const struct span *all, const struct span *older) {
    return (struct span){.count = all->count - older->count, .sum = all->sum - older->sum};
}

static void kind_write(struct exchange *x, const struct kinds *k, const struct tally_row *row) {
    const struct tally_sums *s = &row->sums;
    const struct span *run = &s->spans[MEASURE_RUN];
    struct span older = {0};
    for (uint32_t i = 0; i < k->older.count; i++)
        if (slice_equal(k->older.rows[i].name, row->name))
            older = k->older.rows[i].sums.spans[MEASURE_RUN];
    const struct span newer = newer_of(run, &older);
    out_key_slice(&x->out, row->name);
    out_object(&x->out);
    monitor_integer(x, "total_executions", monitor_ended(s));
    monitor_number(x, "avg_execution_time_ms", span_mean(run));
    monitor_number(x, "min_execution_time_ms", run->min);
    monitor_number(x, "max_execution_time_ms", run->max);
    monitor_number(x, "p95_execution_time_ms", bins_percentile(s->bins[MEASURE_RUN], run, 0.95));
    monitor_number(x, "avg_memory_usage_mb", span_mean(&s->spans[MEASURE_MEMORY]));
    monitor_number(x, "avg_cost_usd", span_mean(&s->spans[MEASURE_COST]));
    monitor_number(x, "success_rate", monitor_success_rate(s));
    out_key(&x->out, "trend");
    out_string(&x->out, trend_word(change_percent(&older, &newer)));
    out_object_end(&x->out);
}

static void kinds_write(struct exchange *x) {
    struct kinds *k = x->state;
    monitor_sort_name(&k->all);
    out_object(&x->out);
    out_key(&x->out, "period");
    out_string(&x->out, exchange_print(x, "last_%u_days", k->monitor.days));
    monitor_integer(x, "min_samples", k->samples_min);
    out_key(&x->out, "task_types");
    out_object(&x->out);
    for (uint32_t i = 0; i < k->all.count; i++)
        if (monitor_ended(&k->all.rows[i].sums) >= k->samples_min)
            kind_write(x, k, &k->all.rows[i]);
    out_object_end(&x->out);
    monitor_incomplete(x, &k->all);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void older_ask(struct exchange *x) {
    struct kinds *k = x->state;
    const int64_t to_ms = k->monitor.from_ms + k->monitor.days / 2 * (int64_t)TALLY_DAY_MS - 1;
    const struct tally_ask ask = {.span = "type", .by = "name", .from_ms = k->monitor.from_ms,
                                  .to_ms = to_ms, .name = k->monitor.type};
    if (k->monitor.days < 2) kinds_write(x);
    else monitor_ask(x, &ask, &k->older, kinds_write);
}

static bool kinds_read(struct exchange *x, struct message *m) {
    struct kinds *k = exchange_alloc(x, sizeof *k);
    (void)m;
    x->state = k;
    k->samples_min = exchange_query_number(x, "min_samples", SAMPLES_MIN, 1, INT32_MAX);
    if (!monitor_period(x, &k->monitor, DAYS)) return false;
    const struct tally_ask ask = {.span = "type", .by = "name", .from_ms = k->monitor.from_ms,
                                  .name = k->monitor.type};
    monitor_ask(x, &ask, &k->all, older_ask);
    return false;
}

#define BASE "/tasks/monitoring/metrics"
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE "/trends", MONITOR_MEMBER, 200, trends_read,
          "how measures move from day to day"),
    ROUTE(GET, NONE, BASE "/performance-by-type", MONITOR_MEMBER, 200, kinds_read,
          "what tasks of each type take"),
};
const struct routes megahub_trend = {routes, sizeof routes / sizeof *routes};
