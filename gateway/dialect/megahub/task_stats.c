/* task_stats.c - figures of /tasks/: queue-stats/, type-stats/, stats/ and dashboard/.
 *
 * What stands now comes from the lanes' counters, which know the tasks that are kept; what ran,
 * from the tallies. A queue of queue-stats is a priority. */
#include "gateway/dialect/megahub/monitor.h"
#include "gateway/dialect/megahub/page.h"
#include "proto/decode.h"

enum { LANES_PAGE = 1000, WEEK = 7, RECENT = 5 };

struct stats {
    struct monitor monitor; /* first: x->state */
    struct tally_list today, all, week, before;
    uint64_t counts[STATUS_COUNT][PRIORITY_COUNT];
    void (*counted)(struct exchange *x);
};

/* ---- lanes ---- */

/* One row: [lane, brand, queue, type, labels, [9], [36]]. False when it is none. */
static bool lane_take(struct decode *d, uint64_t counts[STATUS_COUNT][PRIORITY_COUNT]) {
    uint32_t count, cells;
    uint64_t number;
    struct slice queue;
    if (!decode_array(d, &count) || count < 7 || !decode_uint(d, &number) ||
        !decode_uint(d, &number) || !decode_slice(d, &queue))
        return false;
    for (int i = 0; i < 3; i++)
        if (!decode_skip(d, 1)) return false;
    if (!decode_array(d, &cells) || cells != STATUS_COUNT * PRIORITY_COUNT) return false;
    const bool own = queue.len <= 7 || memcmp(queue.data, "relais.", 7) != 0;
    for (uint32_t i = 0; i < cells; i++) {
        if (!decode_uint(d, &number)) return false;
        if (own) counts[i / PRIORITY_COUNT][i % PRIORITY_COUNT] += number;
    }
    for (; count > 7; count--)
        if (!decode_skip(d, 1)) return false;
    return true;
}

static void lanes_ask(struct exchange *x, struct slice cursor);

static void lanes_arrived(struct exchange *x, const struct message *answer) {
    struct stats *s = x->state;
    const struct rows *rows = &answer->rows;
    struct decode d = decode_of(rows->rows.data, rows->rows.len);
    for (uint32_t i = 0; i < rows->row_count && lane_take(&d, s->counts); i++) continue;
    if (rows->next.len > 0) lanes_ask(x, exchange_copy(x, rows->next));
    else s->counted(x);
}

static void lanes_ask(struct exchange *x, struct slice cursor) {
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){.kind = slice_text("lanes"), .brand = x->who.brand,
                                   .limit = LANES_PAGE, .cursor = cursor, .priority = -1,
                                   .dialect = -1};
    exchange_send(x, &m, lanes_arrived);
}

static struct stats *stats_new(struct exchange *x, void (*counted)(struct exchange *x)) {
    struct stats *s = exchange_alloc(x, sizeof *s);
    x->state = s;
    s->counted = counted;
    return s;
}

static uint64_t count_of(const struct stats *s, int status, int priority) {
    uint64_t sum = 0;
    for (int i = 0; i < STATUS_COUNT; i++)
        for (int p = 0; p < PRIORITY_COUNT; p++)
            if ((status < 0 || i == status) && (priority < 0 || p == priority))
                sum += s->counts[i][p];
    return sum;
}

static int64_t today_ms(const struct exchange *x) {
    return x->wall_ms / TALLY_DAY_MS * TALLY_DAY_MS;
}

/* ---- queue-stats ---- */

static void queue_write(struct exchange *x, const struct stats *s, int p) {
    const uint64_t running = count_of(s, STATUS_DELIVERED, p) + count_of(s, STATUS_RUNNING, p);
    int64_t today = 0;
    for (uint32_t i = 0; i < s->today.count; i++)
        if (s->today.rows[i].priority == p) today += s->today.rows[i].sums.created;
    out_key(&x->out, megahub_priorities[p]);
    out_object(&x->out);
    monitor_integer(x, "pending", (int64_t)(count_of(s, STATUS_SCHEDULED, p) +
                                            count_of(s, STATUS_QUEUED, p)));
    monitor_integer(x, "running", (int64_t)running);
    monitor_integer(x, "processing", (int64_t)running);
    monitor_integer(x, "paused", (int64_t)count_of(s, STATUS_PAUSED, p));
    monitor_integer(x, "completed", (int64_t)count_of(s, STATUS_COMPLETED, p));
    monitor_integer(x, "failed", (int64_t)count_of(s, STATUS_FAILED, p));
    monitor_integer(x, "cancelled", (int64_t)count_of(s, STATUS_CANCELLED, p));
    monitor_integer(x, "total", (int64_t)count_of(s, -1, p));
    monitor_integer(x, "total_today", today);
    out_object_end(&x->out);
}

static void queues_write(struct exchange *x) {
    const struct stats *s = x->state;
    const struct tally_sums all = monitor_total(&s->all);
    out_object(&x->out);
    monitor_integer(x, "total_tasks", (int64_t)count_of(s, -1, -1));
    out_key(&x->out, "queues");
    out_object(&x->out);
    for (int p = PRIORITY_COUNT; p-- > 0;) queue_write(x, s, p);
    out_object_end(&x->out);
    out_key(&x->out, "status_distribution");
    out_object(&x->out);
    monitor_integer(x, "pending", (int64_t)(count_of(s, STATUS_SCHEDULED, -1) +
                                            count_of(s, STATUS_QUEUED, -1)));
    monitor_integer(x, "running", (int64_t)(count_of(s, STATUS_DELIVERED, -1) +
                                            count_of(s, STATUS_RUNNING, -1)));
    for (uint8_t i = STATUS_PAUSED; i < STATUS_COUNT; i++)
        monitor_integer(x, megahub_status(i), (int64_t)count_of(s, i, -1));
    out_object_end(&x->out);
    monitor_number(x, "avg_processing_time_minutes",
                   span_mean(&all.spans[MEASURE_RUN]) / 60000);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void queues_all_ask(struct exchange *x) {
    struct stats *s = x->state;
    const struct tally_ask ask = {.span = "type", .by = ""};
    monitor_ask(x, &ask, &s->all, queues_write);
}

static void queues_today_ask(struct exchange *x) {
    struct stats *s = x->state;
    const struct tally_ask ask = {.span = "type", .by = "priority", .from_ms = today_ms(x)};
    monitor_ask(x, &ask, &s->today, queues_all_ask);
}

static bool queues_read(struct exchange *x, struct message *m) {
    (void)m;
    stats_new(x, queues_today_ask);
    lanes_ask(x, (struct slice){0});
    return false;
}

/* ---- type-stats ---- */

static void types_write(struct exchange *x) {
    struct stats *s = x->state;
    monitor_sort_name(&s->all);
    out_object(&x->out);
    out_key(&x->out, "task_types");
    out_object(&x->out);
    for (uint32_t i = 0; i < s->all.count; i++) {
        const struct tally_row *row = &s->all.rows[i];
        out_key_slice(&x->out, row->name);
        out_object(&x->out);
        monitor_integer(x, "total", row->sums.created);
        monitor_integer(x, "completed", row->sums.completed);
        monitor_integer(x, "failed", row->sums.failed);
        monitor_integer(x, "cancelled", row->sums.cancelled);
        monitor_number(x, "avg_duration_minutes",
                       span_mean(&row->sums.spans[MEASURE_RUN]) / 60000);
        monitor_number(x, "success_rate", monitor_success_rate(&row->sums));
        out_object_end(&x->out);
    }
    out_object_end(&x->out);
    monitor_incomplete(x, &s->all);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static bool types_read(struct exchange *x, struct message *m) {
    struct stats *s = stats_new(x, NULL);
    const struct tally_ask ask = {.span = "type", .by = "name"};
    (void)m;
    monitor_ask(x, &ask, &s->all, types_write);
    return false;
}

/* ---- stats ---- */

static void stats_write(struct exchange *x) {
    const struct stats *s = x->state;
    const int64_t recent = monitor_total(&s->week).created;
    const int64_t before = monitor_total(&s->before).created;
    out_object(&x->out);
    monitor_integer(x, "total_items", (int64_t)count_of(s, -1, -1));
    monitor_integer(x, "recent_items", recent);
    monitor_number(x, "growth_rate", before > 0 ? 100.0 * (double)(recent - before) /
                                                      (double)before
                                                : recent > 0 ? 100 : 0);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void stats_before_ask(struct exchange *x) {
    struct stats *s = x->state;
    const int64_t from_ms = today_ms(x) - (WEEK - 1) * (int64_t)TALLY_DAY_MS;
    const struct tally_ask ask = {.span = "type", .by = "", .to_ms = from_ms - 1,
                                  .from_ms = from_ms - WEEK * (int64_t)TALLY_DAY_MS};
    monitor_ask(x, &ask, &s->before, stats_write);
}

static void stats_week_ask(struct exchange *x) {
    struct stats *s = x->state;
    const struct tally_ask ask = {.span = "type", .by = "",
                                  .from_ms = today_ms(x) - (WEEK - 1) * (int64_t)TALLY_DAY_MS};
    monitor_ask(x, &ask, &s->week, stats_before_ask);
}

static bool stats_read(struct exchange *x, struct message *m) {
    (void)m;
    stats_new(x, stats_week_ask);
    lanes_ask(x, (struct slice){0});
    return false;
}

/* ---- dashboard ---- */

static void dashboard_write(struct exchange *x, const struct message *answer) {
    const struct rows *rows = &answer->rows;
    struct frame frame = {0};
    struct message m;
    struct megahub_task task;
    uint32_t at = 0;
    out_object(&x->out);
    monitor_integer(x, "total_count", rows->total >= 0 ? rows->total : rows->row_count);
    out_key(&x->out, "recent_items");
    out_list(&x->out);
    while (row_next(&frame, rows->rows, &at, &m)) {
        megahub_task_read(x, &m.view, &task);
        out_object(&x->out);
        megahub_task_write(x, &task);
        out_object_end(&x->out);
    }
    frame_free(&frame);
    out_list_end(&x->out);
    out_key(&x->out, "generated_at");
    out_time(&x->out, x->wall_ms);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static bool dashboard_read(struct exchange *x, struct message *m) {
    struct buffer filter = {0};
    page_filter(&filter, "internal", slice_text("0"));
    m->question = (struct question){.kind = slice_text("tasks"), .brand = x->who.brand,
                                    .priority = -1, .dialect = -1, .limit = RECENT,
                                    .descending = true, .count = true,
                                    .want = WANT_BODY | WANT_RESULT,
                                    .filter = exchange_copy(x, buffer_slice(&filter))};
    buffer_free(&filter);
    return true;
}

static const struct route routes[] = {
    ROUTE(GET, NONE, "/tasks/queue-stats", MONITOR_MEMBER, 200, queues_read,
          "counts by priority and status"),
    ROUTE(GET, NONE, "/tasks/type-stats", MONITOR_MEMBER, 200, types_read,
          "counts and durations by task type"),
    ROUTE(GET, NONE, "/tasks/stats", MONITOR_MEMBER, 200, stats_read,
          "how many, and how many lately"),
    ROUTE(GET, NONE, "/tasks/dashboard", MONITOR_MEMBER, 200, dashboard_read, "the newest tasks",
          .verb = VERB_ASK, .write = dashboard_write),
};
const struct routes megahub_task_stats = {routes, sizeof routes / sizeof *routes};
