/* json.h - strict JSON in, typed fields out of it, and a writer for answers.
 *
 * In: one value, duplicate keys refused, no NUL in texts, depth <= JSON_DEPTH_MAX, size bounded by
 * the caller. Unknown keys are ignored by the getters (they never look).
 *
 * Getters: each looks for the name as written, then in its other spelling (snake_case <->
 * camelCase). What is wrong is noted in field_errors and the fallback is given; so a read function
 * reads all fields and then looks once whether errors.count is 0. A dialect words the errors from
 * their kind. REQUIRED: absent is an error. NULLABLE: null counts as absent; otherwise it is an
 * error of its own.
 *
 * Out: appended to a buffer that grows; commas are the writer's business. Nothing is checked but
 * by assertion: a caller that opens must close. */
#ifndef RELAIS_GATEWAY_JSON_H
#define RELAIS_GATEWAY_JSON_H
#include "proto/base/bytes.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 64, FIELD_ERRORS_MAX = 10, OUT_DEPTH_MAX = 32 };

/* NULL when it is refused: `why` says where and what, without quoting the input. Owned by the
 * caller (json_decref). */
json_t *json_parse(struct slice text, char *why, size_t why_size);
/* The same for those whom it is nothing to say why; NULL for an empty text, too. */
json_t *json_of(struct slice text);

/* ---- fields ---- */

enum field_wrong {
    FIELD_MISSING = 1, FIELD_NULL, FIELD_BLANK, FIELD_NOT_TEXT, FIELD_NOT_INTEGER,
    FIELD_NOT_NUMBER, FIELD_NOT_BOOL, FIELD_NOT_OBJECT, FIELD_NOT_LIST, FIELD_NOT_DATE,
    FIELD_TOO_LONG, FIELD_TOO_SMALL, FIELD_TOO_LARGE, FIELD_NOT_A_CHOICE, FIELD_REFUSED
};
struct field_error {
    const char *name;  /* borrowed: a literal of the dialect */
    enum field_wrong wrong;
    int64_t limit;     /* TOO_LONG, TOO_SMALL, TOO_LARGE */
    const char *text;  /* REFUSED: the dialect's own sentence; else NULL */
};
struct field_errors { struct field_error list[FIELD_ERRORS_MAX]; uint32_t count; };
void field_wrong(struct field_errors *e, const char *name, enum field_wrong wrong, int64_t limit);
void field_refuse(struct field_errors *e, const char *name, const char *text);
/* English default sentence of an error, written into `text`. */
void field_sentence(const struct field_error *e, char *text, size_t size);

enum field_flag { OPTIONAL = 0, REQUIRED = 1, NULLABLE = 2, BLANK_OK = 4 };

/* The value under a name in either spelling; NULL = absent. `object` may be NULL or no object. */
json_t *member_find(json_t *object, const char *name);
/* Text of at most `max` bytes; .data NULL = absent. Borrowed from the object, NUL behind it. */
struct slice member_text(json_t *object, const char *name, uint32_t flags, uint32_t max,
                         struct field_errors *e);
int64_t member_integer(json_t *object, const char *name, uint32_t flags, int64_t fallback,
                      int64_t min, int64_t max, struct field_errors *e);
double member_number(json_t *object, const char *name, uint32_t flags, double fallback,
                    double min, double max, struct field_errors *e);
bool member_bool(json_t *object, const char *name, uint32_t flags, bool fallback,
                struct field_errors *e);
json_t *member_object(json_t *object, const char *name, uint32_t flags, struct field_errors *e);
json_t *member_list(json_t *object, const char *name, uint32_t flags, uint32_t max,
                   struct field_errors *e);
/* Index of the text (any case) in a NULL-ended list of choices; -1 = absent or wrong. */
int member_choice(json_t *object, const char *name, uint32_t flags, const char *const *choices,
                 struct field_errors *e);
/* RFC 3339 time in unix milliseconds; 0 = absent or wrong. */
int64_t member_time(json_t *object, const char *name, uint32_t flags, struct field_errors *e);

/* ---- writing ---- */

struct out {
    struct buffer body;  /* owned by the exchange */
    uint32_t depth;
    bool more[OUT_DEPTH_MAX]; /* something stands before at this depth */
    bool named;          /* a key was written: its value follows */
};
void out_object(struct out *o);  /* { */
void out_object_end(struct out *o);
void out_list(struct out *o);    /* [ */
void out_list_end(struct out *o);
void out_key_plain(struct out *o, const char *key, size_t len);
/* A text that needs no escapes, as a rule a literal. */
static inline void out_key(struct out *o, const char *key) { out_key_plain(o, key, strlen(key)); }
void out_key_slice(struct out *o, struct slice key); /* any text */
/* Values; broken UTF-8 becomes U+FFFD. */
void out_text(struct out *o, struct slice text);
void out_text_or_null(struct out *o, struct slice text); /* empty writes null */
void out_string(struct out *o, const char *text); /* NULL writes null */
void out_integer(struct out *o, int64_t value);
void out_unsigned(struct out *o, uint64_t value);
void out_number(struct out *o, double value); /* not finite: null */
void out_bool(struct out *o, bool value);
void out_null(struct out *o);
void out_time(struct out *o, int64_t unix_ms); /* RFC 3339 with ms and Z; 0 writes null */
/* Bytes that are JSON already; the caller answers for that. Empty writes null. */
void out_raw(struct out *o, struct slice json);
/* Bytes from outside: as they are when they parse as JSON (strict), else as a text. */
void out_value(struct out *o, struct slice bytes);
void out_json(struct out *o, const json_t *value); /* NULL writes null */
#endif
