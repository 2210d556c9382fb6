/* dashboard.c - GET /tasks/monitoring/metrics/dashboard/: a brand's newest days at a glance. */
#include "gateway/dialect/megahub/monitor.h"
#include "gateway/dialect/spell.h"

enum { DAYS = 7, TOP = 5, LOOKS = 4000 /* each result is read */, NAMES_SHOWN = 100 };

struct board {
    struct monitor monitor; /* first: x->state */
    struct tally_list days, priorities, types, workers;
};

static void means_write(struct exchange *x, const struct tally_sums *s) {
    const struct span *spans = s->spans;
    monitor_number(x, "avg_execution_time_ms", span_mean(&spans[MEASURE_RUN]));
    monitor_number(x, "avg_queue_wait_time_ms", span_mean(&spans[MEASURE_WAIT]));
    monitor_number(x, "avg_memory_usage_mb", span_mean(&spans[MEASURE_MEMORY]));
    monitor_number(x, "avg_cpu_usage_percent", span_mean(&spans[MEASURE_CPU]));
    monitor_number(x, "total_cost_usd", spans[MEASURE_COST].sum);
}

static void summary_write(struct exchange *x, const struct tally_sums *s) {
    out_key(&x->out, "summary");
    out_object(&x->out);
    monitor_integer(x, "total_tasks", monitor_ended(s));
    means_write(x, s);
    monitor_number(x, "total_tokens_used", s->spans[MEASURE_TOKENS].sum);
    monitor_number(x, "total_api_calls", s->spans[MEASURE_CALLS].sum);
    monitor_number(x, "error_rate_percent", monitor_error_rate(s));
    out_object_end(&x->out);
}

static void trend_write(struct exchange *x, const struct board *b, const char *key,
                        enum measure measure, bool sum) {
    out_key(&x->out, key);
    out_list(&x->out);
    for (uint32_t i = 0; i < b->days.count; i++) {
        const struct span *s = &b->days.rows[i].sums.spans[measure];
        if (s->count <= 0) continue;
        out_object(&x->out);
        monitor_date(x, "date", b->days.rows[i].slot);
        monitor_number(x, "value", sum ? s->sum : span_mean(s));
        out_object_end(&x->out);
    }
    out_list_end(&x->out);
}

static void priorities_write(struct exchange *x, const struct board *b) {
    out_key(&x->out, "performance_by_priority");
    out_object(&x->out);
    for (int p = PRIORITY_COUNT; p-- > 0;) {
        struct tally_sums sums = {0};
        for (uint32_t i = 0; i < b->priorities.count; i++)
            if (b->priorities.rows[i].priority == p)
                tally_merge(&sums, &b->priorities.rows[i].sums);
        out_key(&x->out, megahub_priorities[p]);
        out_object(&x->out);
        monitor_integer(x, "count", monitor_ended(&sums));
        means_write(x, &sums);
        monitor_number(x, "success_rate", monitor_success_rate(&sums));
        out_object_end(&x->out);
    }
    out_object_end(&x->out);
}

static void general_write(struct exchange *x, const struct tally_sums *s) {
    out_key(&x->out, "general");
    out_object(&x->out);
    monitor_integer(x, "total_tasks", monitor_ended(s));
    monitor_integer(x, "created_tasks", s->created);
    monitor_integer(x, "completed_tasks", s->completed);
    monitor_integer(x, "failed_tasks", s->failed);
    monitor_integer(x, "cancelled_tasks", s->cancelled);
    monitor_number(x, "total_errors", s->spans[MEASURE_ERRORS].sum);
    monitor_number(x, "total_warnings", s->spans[MEASURE_WARNINGS].sum);
    out_object_end(&x->out);
    out_key(&x->out, "performance");
    out_object(&x->out);
    means_write(x, s);
    monitor_number(x, "max_execution_time_ms", s->spans[MEASURE_RUN].max);
    monitor_number(x, "p95_execution_time_ms",
                   bins_percentile(s->bins[MEASURE_RUN], &s->spans[MEASURE_RUN], 0.95));
    monitor_number(x, "max_memory_usage_mb", s->spans[MEASURE_MEMORY].max);
    out_object_end(&x->out);
}

static void names_write(struct exchange *x, struct tally_list *list, const char *key,
                        const char *name) {
    monitor_sort_ended(list);
    out_key(&x->out, key);
    out_list(&x->out);
    for (uint32_t i = 0; i < list->count && i < NAMES_SHOWN; i++) {
        const struct tally_row *row = &list->rows[i];
        if (monitor_ended(&row->sums) == 0) continue;
        out_object(&x->out);
        monitor_text(x, name, row->name);
        monitor_integer(x, "count", monitor_ended(&row->sums));
        means_write(x, &row->sums);
        monitor_number(x, "success_rate", monitor_success_rate(&row->sums));
        out_object_end(&x->out);
    }
    out_list_end(&x->out);
}

static void expensive_write(struct exchange *x, const struct rows *rows) {
    struct frame frame = {0};
    struct message m;
    uint32_t at = 0;
    out_key(&x->out, "top_expensive_tasks");
    out_list(&x->out);
    while (row_next(&frame, rows->rows, &at, &m)) {
        char text[TASK_TEXT_SIZE];
        json_t *metrics = json_of(m.view.result.metrics);
        spell_task(x, m.view.head.id, text);
        out_object(&x->out);
        monitor_integer(x, "id", (int64_t)m.view.head.id);
        monitor_text(x, "task_id", slice_text(text));
        monitor_text(x, "task_type", m.view.type);
        monitor_number(x, "cost_usd", json_number_value(json_object_get(metrics, "cost_usd")));
        out_object_end(&x->out);
        json_decref(metrics);
    }
    frame_free(&frame);
    out_list_end(&x->out);
}

static void board_write(struct exchange *x, const struct message *answer) {
    struct board *b = x->state;
    const struct tally_sums total = monitor_total(&b->days);
    monitor_sort_slot(&b->days);
    out_object(&x->out);
    out_key(&x->out, "period");
    out_string(&x->out, exchange_print(x, "last_%u_days", b->monitor.days));
    monitor_integer(x, "period_days", b->monitor.days);
    summary_write(x, &total);
    out_key(&x->out, "trends");
    out_object(&x->out);
    trend_write(x, b, "execution_time", MEASURE_RUN, false);
    trend_write(x, b, "cost", MEASURE_COST, true);
    trend_write(x, b, "memory_usage", MEASURE_MEMORY, false);
    out_object_end(&x->out);
    expensive_write(x, &answer->rows);
    priorities_write(x, b);
    general_write(x, &total);
    names_write(x, &b->types, "task_types", "task_type");
    names_write(x, &b->workers, "workers", "worker_name");
    monitor_number(x, "success_rate", monitor_success_rate(&total));
    monitor_incomplete(x, &b->days);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

/* Ends carry their cost in the metrics: the dearest of those that the row budget reaches. */
static void expensive_ask(struct exchange *x) {
    const struct board *b = x->state;
    struct message m = {.verb = VERB_ASK};
    struct buffer filter = {0};
    const struct tally_sums total = monitor_total(&b->days);
    if (total.spans[MEASURE_COST].count <= 0) { /* nothing had a price */
        board_write(x, &(struct message){.verb = VERB_ROWS});
        return;
    }
    static const uint8_t there[] = "\x91\x93\xb0metrics.cost_usd\xa4null\xa1" "0";
    buffer_append(&filter, there, sizeof there - 1);
    m.question = (struct question){
        .kind = slice_text("tasks"), .brand = x->who.brand, .priority = -1, .dialect = -1,
        .status_mask = 1u << STATUS_COMPLETED | 1u << STATUS_FAILED, .type = b->monitor.type,
        .from_ms = b->monitor.from_ms, .sort = slice_text("-metrics.cost_usd"), .limit = TOP,
        .looks = LOOKS,
        .descending = true, .want = WANT_RESULT,
        .filter = exchange_copy(x, buffer_slice(&filter))};
    buffer_free(&filter);
    exchange_send(x, &m, board_write);
}

static struct tally_ask ask_of(const struct board *b, const char *span, const char *by) {
    const bool types = span[0] == 't';
    return (struct tally_ask){.span = span, .by = by, .from_ms = b->monitor.from_ms,
                              .name = types ? b->monitor.type : (struct slice){0}};
}

static void workers_ask(struct exchange *x) {
    struct board *b = x->state;
    const struct tally_ask ask = ask_of(b, "worker", "name");
    monitor_ask(x, &ask, &b->workers, expensive_ask);
}

static void types_ask(struct exchange *x) {
    struct board *b = x->state;
    const struct tally_ask ask = ask_of(b, "type", "name");
    monitor_ask(x, &ask, &b->types, workers_ask);
}

static void priorities_ask(struct exchange *x) {
    struct board *b = x->state;
    const struct tally_ask ask = ask_of(b, "type", "priority");
    monitor_ask(x, &ask, &b->priorities, types_ask);
}

static bool board_read(struct exchange *x, struct message *m) {
    struct board *b = exchange_alloc(x, sizeof *b);
    (void)m;
    x->state = b;
    if (!monitor_period(x, &b->monitor, DAYS)) return false;
    const struct tally_ask ask = ask_of(b, "type", "slot");
    monitor_ask(x, &ask, &b->days, priorities_ask);
    return false;
}

static const struct route routes[] = {
    ROUTE(GET, NONE, "/tasks/monitoring/metrics/dashboard", MONITOR_MEMBER, 200, board_read,
          "the newest days at a glance"),
};
const struct routes megahub_dashboard = {routes, sizeof routes / sizeof *routes};
