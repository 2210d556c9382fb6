/* monitor.h - what the files of /tasks/monitoring/ share: sums of what tasks took, and how they are
 * shown.
 *
 *   monitor.c     questions about tallies, days, measures, the map of the addresses
 *   metric.c      metrics/: a task's own measures; metric_row.c how one looks
 *   dashboard.c   metrics/dashboard/
 *   trend.c       metrics/trends/ and performance-by-type/
 *   anomaly.c     metrics/anomalies/; advice.c metrics/recommendations/
 *   alert.c       alerts/; alert_event.c what has fired
 *   fleet.c       workers/
 *   task_stats.c  queue-stats/, type-stats/, stats/ and dashboard/ of /tasks/
 *
 * Figures come from tallies (proto/tally.h): UTC days, today included; what a task took counts on
 * the day on which it ended. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_MONITOR_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_MONITOR_H
#include "gateway/dialect/megahub/megahub.h"
#include "proto/tally.h"

enum { MONITOR_DAYS_MAX = 3650, MONITOR_MEMBER = GUARD_USER | GUARD_ADMIN };

/* ---- tallies ---- */

struct tally_ask {
    const char *span, *by;  /* see broker/rows_tally.c */
    int64_t from_ms, to_ms; /* 0 = open */
    struct slice name;      /* only this type or worker; empty = all */
};
struct tally_list { struct tally_row *rows; uint32_t count; bool incomplete; };

/* What x->state begins with. */
struct monitor {
    struct tally_list *into;
    void (*then)(struct exchange *x);
    int64_t from_ms;  /* the first moment of the period */
    uint32_t days;
    struct slice type; /* task_type of the query; empty = all */
};
/* Asks, keeps the rows in `into` and goes on; a refusal ends the exchange. */
void monitor_ask(struct exchange *x, const struct tally_ask *ask, struct tally_list *into,
                 void (*then)(struct exchange *x));
/* Reads days, task_type and brand_id of the query; false with the exchange ended. */
bool monitor_period(struct exchange *x, struct monitor *m, uint32_t days);
struct tally_sums monitor_total(const struct tally_list *list);
/* Sorted by name, by slot, or the most ended first. */
void monitor_sort_name(struct tally_list *list);
void monitor_sort_slot(struct tally_list *list);
void monitor_sort_ended(struct tally_list *list);
int64_t monitor_ended(const struct tally_sums *sums);
/* Percent of the ended that failed, or did not; 0 and 100 of none. */
double monitor_error_rate(const struct tally_sums *sums);
double monitor_success_rate(const struct tally_sums *sums);

/* ---- writing ---- */

void monitor_number(struct exchange *x, const char *key, double number); /* four decimals */
void monitor_integer(struct exchange *x, const char *key, int64_t number);
void monitor_text(struct exchange *x, const char *key, struct slice text);
void monitor_date(struct exchange *x, const char *key, uint32_t day);
void monitor_incomplete(struct exchange *x, const struct tally_list *list);

/* ---- measures ---- */

/* Members of a JSON object of metrics that are known measures: a list of measure.h. */
struct slice monitor_numbers(struct exchange *x, const json_t *metrics);
/* Options metric_memory_mb, metric_slow_ms, metric_cost_cents (in USD here). */
double monitor_memory_max(const struct exchange *x);
double monitor_slow_ms(const struct exchange *x);
double monitor_cost_max(const struct exchange *x);
/* Not found, without being a task. Always false. */
bool monitor_missing(struct exchange *x);
/* {id} as a number; false with the exchange ended. */
bool monitor_id(struct exchange *x, uint64_t *ret_id);

extern const struct routes megahub_monitor, megahub_metric, megahub_dashboard, megahub_trend,
    megahub_anomaly, megahub_advice, megahub_alert, megahub_alert_event, megahub_fleet,
    megahub_task_stats;
#endif
