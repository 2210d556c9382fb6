/* alert.h - a brand's alert rules, watched where metrics become known: in the settlement itself.
 *
 * The rules of all brands are in memory (objects of kind alert_rule, proto/alert.h), so every task
 * that ends, whoever ran it, is compared exactly once, and again when its metrics are amended. A
 * rule that holds fires when cooldown is over since it last did; that it fired, the alert_event
 * and what outgoing webhooks are told of it (feed topic "alert.triggered") are in the group of the
 * settlement: all of them are durable, or none.
 *
 * The event's body, which is also the data of the feed:
 *   {"alert_rule":id,"rule_name":…,"task":id,"task_type":…,"metric_field":…,"metric_value":n,
 *    "threshold":n,"condition":…,"severity":…,"brand":n,"triggered_ms":n}
 *
 * Not watched: what tallies do not count (tally.h). Limits: alert_rules_max rules in all brands,
 * beyond which a PUT is LIMIT_REACHED; events are kept for tally_days_max days. */
#ifndef RELAIS_CORE_ALERT_H
#define RELAIS_CORE_ALERT_H
#include "broker/core/state.h"

/* The numbers of a task that has ended by measure: `mask` says which there are. */
struct taken { double numbers[MEASURE_COUNT]; uint32_t mask; };

/* An object of kind alert_rule is now as in `r`, or not there any more. */
void alert_changed(struct core *c, const struct object_record *r);
void alert_dropped(struct core *c, const struct object_record *r);
bool alert_full(const struct core *c);
void alert_look(struct core *c, const struct task *t, const struct taken *taken);
void alert_free(struct core *c);
#endif
