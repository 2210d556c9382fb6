/* metric_row.c - how a metric looks: a task's own measures, with the broker's where it gave none.
 *
 * performance_score is 100, less up to 40 for run time against metric_slow_ms, 20 for memory
 * against metric_memory_mb, 20 for cost against metric_cost_cents and 20 for errors against five;
 * each share grows evenly up to its limit. A task that failed has at most 50. */
#include "gateway/dialect/megahub/metric.h"
#include "gateway/dialect/spell.h"

enum { ERRORS_FULL = 5 };

static double share(double value, double limit) {
    if (!(limit > 0) || value <= 0) return 0;
    return value >= limit ? 1 : value / limit;
}

static double score(const struct exchange *x, const struct view *v, const double *numbers) {
    double points = 100 - 40 * share(numbers[MEASURE_RUN], monitor_slow_ms(x))
                        - 20 * share(numbers[MEASURE_MEMORY], monitor_memory_max(x))
                        - 20 * share(numbers[MEASURE_COST], monitor_cost_max(x))
                        - 20 * share(numbers[MEASURE_ERRORS], ERRORS_FULL);
    if (v->head.status == STATUS_FAILED && points > 50) points = 50;
    return points;
}

static void task_write(struct exchange *x, const struct view *v) {
    char text[TASK_TEXT_SIZE];
    spell_task(x, v->head.id, text);
    out_key(&x->out, "base_task");
    out_object(&x->out);
    monitor_integer(x, "id", (int64_t)v->head.id);
    monitor_text(x, "task_id", slice_text(text));
    monitor_text(x, "task_type", v->type);
    monitor_text(x, "status", slice_text(megahub_status(v->head.status)));
    out_object_end(&x->out);
}

bool metric_there(const struct view *v, const json_t *metrics) {
    const struct task_head *h = &v->head;
    const bool ended = h->status == STATUS_COMPLETED || h->status == STATUS_FAILED;
    if (!ended || json_object_get(metrics, METRIC_GONE) != NULL) return false;
    return h->started_ms > 0 || json_is_number(json_object_get(metrics, "execution_time_ms"));
}

void metric_write(struct exchange *x, const struct view *v, const json_t *metrics) {
    const struct task_head *h = &v->head;
    double numbers[MEASURE_COUNT] = {0};
    out_object(&x->out);
    monitor_integer(x, "id", (int64_t)h->id);
    task_write(x, v);
    for (uint32_t i = 0; i < MEASURE_COUNT; i++) {
        const char *name = measure_name((enum measure)i);
        const json_t *given = json_object_get(metrics, name);
        bool there = json_is_number(given);
        if (there) numbers[i] = json_number_value(given);
        else if (i == MEASURE_RUN && (there = h->started_ms > 0 && h->finished_ms > 0))
            numbers[i] = (double)(h->finished_ms - h->started_ms);
        else if (i == MEASURE_WAIT && (there = h->started_ms > 0))
            numbers[i] = (double)(h->started_ms - h->created_ms);
        out_key(&x->out, name);
        if (there) out_number(&x->out, numbers[i]);
        else out_null(&x->out);
    }
    monitor_integer(x, "retry_count", h->retry_count);
    const json_t *worker = json_object_get(metrics, "worker_name");
    if (json_is_string(worker)) {
        out_key(&x->out, "worker_name");
        out_string(&x->out, json_string_value(worker));
    } else {
        monitor_text(x, "worker_name", v->worker);
    }
    monitor_number(x, "performance_score", score(x, v, numbers));
    out_key(&x->out, "created_at");
    out_time(&x->out, h->finished_ms);
    out_key(&x->out, "updated_at");
    out_time(&x->out, h->updated_ms);
    out_object_end(&x->out);
}

json_t *metric_parse(const struct view *v) {
    json_t *metrics = json_of(v->result.metrics);
    if (json_is_object(metrics)) return metrics;
    json_decref(metrics);
    return json_object();
}
