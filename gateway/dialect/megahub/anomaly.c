/* anomaly.c - GET /tasks/monitoring/metrics/anomalies/: tasks that are far from others of their
 * type.
 *
 * A type's mean and deviation come from the tallies of the period; a task is compared with all
 * others of its type, itself left out, when there are SAMPLES_MIN of them. A deviation below a
 * tenth of the mean counts as that tenth. Sensitivity low, medium and high: beyond four, three,
 * two deviations. Looked at are the newest tasks of the period, LOOK_MAX of them. */
#include "gateway/dialect/megahub/monitor.h"
#include "gateway/dialect/megahub/page.h"
#include "gateway/dialect/spell.h"
#include <math.h>
#include <string.h>

enum { DAYS = 7, LOOK_MAX = 1000, SHOWN_MAX = 100, SAMPLES_MIN = 5 };
static const char *const sensitivities[] = {"low", "medium", "high", NULL};
static const double deviations[] = {4, 3, 2};
static const enum measure looked[] = {MEASURE_RUN, MEASURE_WAIT, MEASURE_MEMORY, MEASURE_CPU,
                                      MEASURE_COST, MEASURE_TOKENS, MEASURE_CALLS, MEASURE_ERRORS};

struct search {
    struct monitor monitor; /* first: x->state */
    struct tally_list types;
    double times;
    uint32_t mask, found, by_measure[MEASURE_COUNT];
    const char *sensitivity;
};

struct range { double mean, deviation, low, high; };

static bool range_of(const struct search *s, const struct span *all, double own,
                     struct range *ret) {
    const double count = (double)all->count - 1;
    if (count < SAMPLES_MIN) return false;
    const double mean = (all->sum - own) / count;
    double variance = (all->squares - own * own) / count - mean * mean;
    if (!(variance > 0)) variance = 0;
    double deviation = sqrt(variance);
    if (deviation < 0.1 * fabs(mean)) deviation = 0.1 * fabs(mean);
    *ret = (struct range){mean, deviation, mean - s->times * deviation,
                          mean + s->times * deviation};
    if (ret->low < 0) ret->low = 0;
    return deviation > 0;
}

static double number_of(const struct view *v, const json_t *metrics, enum measure m, bool *there) {
    const json_t *given = json_object_get(metrics, measure_name(m));
    const struct task_head *h = &v->head;
    *there = true;
    if (json_is_number(given)) return json_number_value(given);
    if (m == MEASURE_RUN && h->started_ms > 0 && h->finished_ms >= h->started_ms)
        return (double)(h->finished_ms - h->started_ms);
    if (m == MEASURE_WAIT && h->started_ms >= h->created_ms)
        return (double)(h->started_ms - h->created_ms);
    *there = false;
    return 0;
}

static void anomaly_write(struct exchange *x, const struct view *v, enum measure m, double value,
                          const struct range *r) {
    const double away = fabs(value - r->mean) / r->deviation;
    char text[TASK_TEXT_SIZE];
    spell_task(x, v->head.id, text);
    out_object(&x->out);
    monitor_integer(x, "id", (int64_t)v->head.id);
    monitor_text(x, "task_id", slice_text(text));
    monitor_text(x, "task_type", v->type);
    monitor_text(x, "metric", slice_text(measure_name(m)));
    monitor_number(x, "value", value);
    out_key(&x->out, "expected_range");
    out_list(&x->out);
    out_number(&x->out, round(r->low * 1e4) / 1e4);
    out_number(&x->out, round(r->high * 1e4) / 1e4);
    out_list_end(&x->out);
    out_key(&x->out, "severity");
    out_string(&x->out, away >= 10 ? "critical" : away >= 6 ? "high"
                        : away >= 4 ? "medium" : "low");
    out_key(&x->out, "detected_at");
    out_time(&x->out, v->head.finished_ms);
    out_key(&x->out, "description");
    out_string(&x->out, exchange_print(
        x, "%s is %.6g, %.1f deviations %s the mean %.6g of its type", measure_name(m), value,
        away, value > r->mean ? "above" : "below", r->mean));
    out_object_end(&x->out);
}

static void task_look(struct exchange *x, struct search *s, const struct view *v) {
    const struct tally_row *type = NULL;
    for (uint32_t i = 0; i < s->types.count && type == NULL; i++)
        if (slice_equal(s->types.rows[i].name, v->type)) type = &s->types.rows[i];
    if (type == NULL) return;
    json_t *metrics = json_of(v->result.metrics);
    for (size_t i = 0; i < sizeof looked / sizeof *looked; i++) {
        const enum measure m = looked[i];
        struct range r;
        bool there;
        if (!(s->mask >> m & 1) || s->found >= SHOWN_MAX) continue;
        const double value = number_of(v, metrics, m, &there);
        if (!there || !range_of(s, &type->sums.spans[m], value, &r)) continue;
        if (value >= r.low && value <= r.high) continue;
        anomaly_write(x, v, m, value, &r);
        s->found++;
        s->by_measure[m]++;
    }
    json_decref(metrics);
}

static void advice_write(struct exchange *x, const struct search *s) {
    out_key(&x->out, "recommendations");
    out_list(&x->out);
    for (uint32_t i = 0; i < MEASURE_COUNT; i++)
        if (s->by_measure[i] > 0)
            out_string(&x->out, exchange_print(
                x, "Look at the %u tasks whose %s is out of range: input, worker and retries.",
                s->by_measure[i], measure_name((enum measure)i)));
    out_list_end(&x->out);
}

static void search_write(struct exchange *x, const struct message *answer) {
    struct search *s = x->state;
    struct frame frame = {0};
    struct message m;
    uint32_t at = 0;
    out_object(&x->out);
    out_key(&x->out, "period");
    out_string(&x->out, exchange_print(x, "last_%u_days", s->monitor.days));
    monitor_text(x, "sensitivity", slice_text(s->sensitivity));
    out_key(&x->out, "anomalies");
    out_list(&x->out);
    while (row_next(&frame, answer->rows.rows, &at, &m))
        if (m.view.head.finished_ms >= s->monitor.from_ms) task_look(x, s, &m.view);
    frame_free(&frame);
    out_list_end(&x->out);
    monitor_integer(x, "anomalies_detected", s->found);
    monitor_integer(x, "tasks_looked_at", answer->rows.row_count);
    advice_write(x, s);
    if (answer->rows.incomplete || answer->rows.next.len > 0 || s->types.incomplete) {
        out_key(&x->out, "incomplete");
        out_bool(&x->out, true);
    }
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void tasks_ask(struct exchange *x) {
    const struct search *s = x->state;
    struct message m = {.verb = VERB_ASK};
    struct buffer filter = {0};
    page_filter(&filter, "internal", slice_text("0"));
    m.question = (struct question){
        .kind = slice_text("tasks"), .brand = x->who.brand, .priority = -1, .dialect = -1,
        .status_mask = 1u << STATUS_COMPLETED | 1u << STATUS_FAILED, .type = s->monitor.type,
        .limit = LOOK_MAX, .descending = true, .want = WANT_RESULT,
        .filter = buffer_slice(&filter)};
    exchange_send(x, &m, search_write);
    buffer_free(&filter);
}

static bool search_read(struct exchange *x, struct message *m) {
    struct search *s = exchange_alloc(x, sizeof *s);
    const char *word = exchange_query(x, "sensitivity"), *metric = exchange_query(x, "metric");
    int at = word == NULL || *word == '\0' ? 1 : -1;
    (void)m;
    x->state = s;
    for (int i = 0; at < 0 && sensitivities[i] != NULL; i++)
        if (strcmp(sensitivities[i], word) == 0) at = i;
    if (at < 0) field_wrong(&x->errors, "sensitivity", FIELD_NOT_A_CHOICE, 0);
    s->mask = UINT32_MAX;
    if (metric != NULL && *metric != '\0') {
        const enum measure one = measure_named(slice_text(metric));
        if ((uint32_t)one == MEASURE_COUNT) {
            field_wrong(&x->errors, "metric", FIELD_NOT_A_CHOICE, 0);
            return megahub_refuse(x, "METRIC_FIELD_INVALID", "There is no such metric.");
        }
        s->mask = 1u << one;
    }
    if (!monitor_period(x, &s->monitor, DAYS)) return false;
    s->times = deviations[at];
    s->sensitivity = sensitivities[at];
    const struct tally_ask ask = {.span = "type", .by = "name", .from_ms = s->monitor.from_ms,
                                  .name = s->monitor.type};
    monitor_ask(x, &ask, &s->types, tasks_ask);
    return false;
}

static const struct route routes[] = {
    ROUTE(GET, NONE, "/tasks/monitoring/metrics/anomalies", MONITOR_MEMBER, 200, search_read,
          "tasks far from others of their type"),
};
const struct routes megahub_anomaly = {routes, sizeof routes / sizeof *routes};
