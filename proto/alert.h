/* alert.h - a brand's alert rule as core and gateway share it.
 *
 * A rule is an object of kind "alert_rule" whose body is a JSON object that begins with these
 * members, in this order and without blanks; the rest is the gateway's:
 *
 *   {"last_triggered_ms":N,"trigger_count":N,"is_triggered":true|false,"rule":"HEX", …}
 *
 * The core writes the first three when it fires, and reads `rule`: these bytes in hex,
 *   measure, condition, active, number of types (1 byte each), cooldown in seconds (4,
 *   little-endian),
 *   threshold (8, an IEEE double, little-endian), then each type behind its length (1 byte)
 * so that it compares numbers and reads no JSON. A body that is not so never fires.
 *
 * Firing makes an object of kind "alert_event", owned by the rule's number in decimal; alert.c of
 * the core says what is in it. Pure. */
#ifndef RELAIS_PROTO_ALERT_H
#define RELAIS_PROTO_ALERT_H
#include "proto/measure.h"

enum { ALERT_TYPES_MAX = 32, ALERT_TYPE_BYTES = 128, ALERT_HEAD_MAX = 160 };

enum condition { CONDITION_GT, CONDITION_GTE, CONDITION_LT, CONDITION_LTE, CONDITION_EQ,
                 CONDITION_COUNT };

struct alert_spec {
    double threshold;
    uint32_t cooldown_s;
    uint8_t measure, condition;
    bool active;
    uint8_t type_count;  /* 0 = all types */
    struct slice types;  /* packed: each behind its length in a byte */
};
struct alert_state { int64_t last_ms; uint64_t count; bool triggered; };

extern const char *const alert_conditions[]; /* "gt" …; by enum condition, NULL-ended */
bool alert_holds(const struct alert_spec *spec, double value);
/* "low", "medium", "high" or "critical", by how far beyond the threshold the value is. */
const char *alert_severity(const struct alert_spec *spec, double value);
/* True when the rule speaks of tasks of this type. */
bool alert_means(const struct alert_spec *spec, struct slice type);
/* Writes the head of a body, up to and with the comma behind `rule`. */
void alert_head_put(struct buffer *b, const struct alert_state *state,
                    const struct alert_spec *spec);
/* Reads a body; the types are written into `bytes`. *rest is what comes behind the head. */
bool alert_read(struct slice body, struct buffer *bytes, struct alert_state *ret_state,
                struct alert_spec *ret_spec, struct slice *rest);
/* A JSON number, of at most six decimals. */
void alert_number_put(struct buffer *b, double number);
void alert_integer_put(struct buffer *b, int64_t number);
/* A JSON text with its quotes; what is no UTF-8 is the caller's affair. */
void alert_text_put(struct buffer *b, struct slice text);
#endif
