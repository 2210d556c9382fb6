/* monitor.c - see monitor.h; and GET /tasks/monitoring/, the map of what is there. */
#include "gateway/dialect/megahub/monitor.h"
#include "gateway/dialect/megahub/schedule.h"
#include "proto/base/date.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- tallies ---- */

static void tallies_take(struct exchange *x, struct tally_list *list, const struct rows *rows) {
    uint32_t at = 0;
    struct tally_row row;
    list->rows = exchange_alloc(x, sizeof *list->rows * (rows->row_count + 1));
    list->incomplete = rows->incomplete;
    while (list->count < rows->row_count && tally_row_next(rows->rows, &at, &row)) {
        row.name = exchange_copy(x, row.name);
        list->rows[list->count++] = row;
    }
}

static void tallies_arrived(struct exchange *x, const struct message *answer) {
    struct monitor *m = x->state;
    tallies_take(x, m->into, &answer->rows);
    m->then(x);
}

void monitor_ask(struct exchange *x, const struct tally_ask *ask, struct tally_list *into,
                 void (*then)(struct exchange *x)) {
    struct monitor *m = x->state;
    struct message message = {.verb = VERB_ASK};
    m->into = into;
    m->then = then;
    message.question = (struct question){
        .kind = slice_text("tallies"), .object = slice_text(ask->span), .brand = x->who.brand,
        .sort = slice_text(ask->by), .from_ms = ask->from_ms, .to_ms = ask->to_ms,
        .type = ask->name, .priority = -1, .dialect = -1};
    exchange_send(x, &message, tallies_arrived);
}

bool monitor_period(struct exchange *x, struct monitor *m, uint32_t days) {
    const char *type = exchange_query(x, "task_type");
    m->days = (uint32_t)exchange_query_number(x, "days", days, 1, MONITOR_DAYS_MAX);
    m->from_ms = (x->wall_ms / TALLY_DAY_MS - m->days + 1) * TALLY_DAY_MS;
    if (m->from_ms < 1) m->from_ms = 1;
    if (type != NULL) m->type = slice_text(type);
    return megahub_fields_good(x) && megahub_brand_read(x, "brand_id");
}

struct tally_sums monitor_total(const struct tally_list *list) {
    struct tally_sums total = {0};
    for (uint32_t i = 0; i < list->count; i++) tally_merge(&total, &list->rows[i].sums);
    return total;
}

static int by_name(const void *left, const void *right) {
    const struct slice a = ((const struct tally_row *)left)->name;
    const struct slice b = ((const struct tally_row *)right)->name;
    const uint32_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_slot(const void *left, const void *right) {
    const uint32_t a = ((const struct tally_row *)left)->slot;
    const uint32_t b = ((const struct tally_row *)right)->slot;
    return (a > b) - (a < b);
}

static int by_ended(const void *left, const void *right) {
    const int64_t a = monitor_ended(&((const struct tally_row *)left)->sums);
    const int64_t b = monitor_ended(&((const struct tally_row *)right)->sums);
    return a != b ? (a < b) - (a > b) : by_name(left, right);
}

void monitor_sort_name(struct tally_list *list) {
    if (list->count > 0) qsort(list->rows, list->count, sizeof *list->rows, by_name);
}

void monitor_sort_slot(struct tally_list *list) {
    if (list->count > 0) qsort(list->rows, list->count, sizeof *list->rows, by_slot);
}

void monitor_sort_ended(struct tally_list *list) {
    if (list->count > 0) qsort(list->rows, list->count, sizeof *list->rows, by_ended);
}

int64_t monitor_ended(const struct tally_sums *sums) { return sums->completed + sums->failed; }

double monitor_error_rate(const struct tally_sums *sums) {
    const int64_t ended = monitor_ended(sums);
    return ended > 0 ? 100.0 * (double)sums->failed / (double)ended : 0;
}

double monitor_success_rate(const struct tally_sums *sums) {
    return 100.0 - monitor_error_rate(sums);
}

/* ---- writing ---- */

void monitor_number(struct exchange *x, const char *key, double number) {
    out_key(&x->out, key);
    out_number(&x->out, fabs(number) < 1e11 ? round(number * 1e4) / 1e4 : number);
}

void monitor_integer(struct exchange *x, const char *key, int64_t number) {
    out_key(&x->out, key);
    out_integer(&x->out, number);
}

void monitor_text(struct exchange *x, const char *key, struct slice text) {
    out_key(&x->out, key);
    out_text(&x->out, text);
}

void monitor_date(struct exchange *x, const char *key, uint32_t day) {
    char text[DATE_TEXT_MAX];
    date_format_s((int64_t)day * TALLY_DAY_MS, text);
    monitor_text(x, key, slice_of(text, 10));
}

void monitor_incomplete(struct exchange *x, const struct tally_list *list) {
    if (!list->incomplete) return;
    out_key(&x->out, "incomplete");
    out_bool(&x->out, true);
}

/* ---- measures ---- */

struct slice monitor_numbers(struct exchange *x, const json_t *metrics) {
    struct buffer list = {0};
    for (uint32_t i = 0; i < MEASURE_COUNT; i++) {
        const json_t *value = json_object_get(metrics, measure_name((enum measure)i));
        if (!json_is_number(value) || !isfinite(json_number_value(value))) continue;
        measure_put(&list, (enum measure)i, json_number_value(value));
    }
    const struct slice numbers = exchange_copy(x, buffer_slice(&list));
    buffer_free(&list);
    return numbers;
}

static double option_number(const char *text) {
    return text != NULL ? strtod(text, NULL) : 0;
}

double monitor_memory_max(const struct exchange *x) {
    return option_number(exchange_option(x, "metric_memory_mb"));
}

double monitor_slow_ms(const struct exchange *x) {
    return option_number(exchange_option(x, "metric_slow_ms"));
}

double monitor_cost_max(const struct exchange *x) {
    return option_number(exchange_option(x, "metric_cost_cents")) / 100;
}

bool monitor_missing(struct exchange *x) {
    x->cause = CAUSE_NO_SUCH_PATH; /* else it would be a task that is not there */
    return exchange_refuse(x, CODE_NOT_FOUND, NULL);
}

bool monitor_id(struct exchange *x, uint64_t *ret_id) {
    return schedule_number(exchange_param(x, "id"), ret_id) || monitor_missing(x);
}

/* ---- GET /tasks/monitoring/ ---- */

static bool map_read(struct exchange *x, struct message *m) {
    static const char *const places[][2] = {
        {"metrics", "metrics/"}, {"metrics-dashboard", "metrics/dashboard/"},
        {"metrics-trends", "metrics/trends/"},
        {"metrics-performance-by-type", "metrics/performance-by-type/"},
        {"metrics-anomalies", "metrics/anomalies/"},
        {"metrics-recommendations", "metrics/recommendations/"},
        {"alerts", "alerts/"}, {"alerts-active", "alerts/active/"},
        {"alerts-history", "alerts/history/"}, {"workers", "workers/"},
        {"workers-overview", "workers/overview/"}};
    const char *origin = exchange_origin(x);
    (void)m;
    out_object(&x->out);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        out_key(&x->out, places[i][0]);
        out_string(&x->out, exchange_print(x, "%s/tasks/monitoring/%s", origin, places[i][1]));
    }
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
    return false;
}

static const struct route routes[] = {
    ROUTE(GET, NONE, "/tasks/monitoring", MONITOR_MEMBER, 200, map_read,
          "what is measured, and where"),
};
const struct routes megahub_monitor = {routes, sizeof routes / sizeof *routes};
