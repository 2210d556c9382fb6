/* alert.h - what alert.c, alert_rule.c and alert_event.c share. A rule's body is proto/alert.h's
 * head, then "name", "description", "metric_field", "condition", "threshold_value", "is_active",
 * "task_types", "notification_emails", "webhook_url", "cooldown_minutes", "acknowledged_ms",
 * "created_by". */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_ALERT_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_ALERT_H
#include "gateway/dialect/megahub/monitor.h"
#include "proto/alert.h"
#include "proto/object.h"

enum { ALERT_GUARD = GUARD_ADMIN | GUARD_BRAND_ADMIN };

/* Checks what a client sent and writes it as a body, with this state; no data, with the exchange
 * ended, when it is none. `before` (may be NULL) is the stored body: what `said` does not name is
 * taken from there when `partial`. */
struct slice rule_body(struct exchange *x, json_t *said, const json_t *before, bool partial,
                       const struct alert_state *state);
/* The stored rule; json is owned by the caller, spec and state are filled. False when damaged. */
struct rule { json_t *json; struct alert_spec spec; struct alert_state state; };
bool rule_read(struct exchange *x, const struct object_row *row, struct rule *ret);
/* Writes the members of a rule, without the braces. */
void rule_write(struct exchange *x, const struct object_row *row, const struct rule *r);
#endif
