/* filter.h - which rows of a list are wanted: predicates over named fields, all of which must hold.
 *
 * On the wire an array of predicates, each an array [field, op, value…] of texts:
 *   eq ne lt lte gt gte   one value      compared as numbers when the field is one
 *   in                    any number of values, one of which is equal
 *   prefix contains       one value; contains does not mind the case of letters (fold.h)
 *   words                 one value, and field is a list with comma between: every word of the
 *                         value must begin a word in one of them (their first SEARCH_BYTES)
 *   terms                 likewise, and each of what stands between blanks in the value must be
 *                         contained in one of them (SEARCH_WORDS_MAX of these, the rest is ignored)
 *   null                  "1": the row has no such field, "0": it has one
 * A row that does not have the field fails every predicate on it but null.
 *
 * What fields there are is the caller's affair: it gives a function that finds them.
 * Limits: FILTER_PREDICATES_MAX, FILTER_VALUES_MAX in all. Refusal: CODE_VALIDATION_ERROR. */
#ifndef RELAIS_BROKER_FILTER_H
#define RELAIS_BROKER_FILTER_H
#include "proto/message.h"

enum { FILTER_PREDICATES_MAX = 32, FILTER_VALUES_MAX = 1000, SEARCH_BYTES = 4096,
       SEARCH_WORDS_MAX = 16 };

struct field_value {
    enum { IS_ABSENT, IS_NUMBER, IS_TEXT } kind;
    double number;
    struct slice text; /* lives until the next field is asked for */
};

#define value_absent ((struct field_value){.kind = IS_ABSENT})
static inline struct field_value value_number(double number) {
    return (struct field_value){.kind = IS_NUMBER, .number = number};
}
static inline struct field_value value_text(struct slice text) { /* empty = absent */
    return (struct field_value){.kind = text.len == 0 ? IS_ABSENT : IS_TEXT, .text = text};
}

/* Finds a field of the row that is being looked at. */
typedef struct field_value field_find(void *row, struct slice name);

struct filter;

/* 0 and *ret owned by the caller, NULL when there is nothing to filter. The texts are borrowed from
 * the wire. */
enum code filter_new(struct slice wire, struct filter **ret);
void filter_destroy(struct filter **self);
/* The first predicate of terms: its fields and its value; false when there is none. */
bool filter_terms(const struct filter *f, struct slice *fields, struct slice *terms);
/* From now on the terms are known to hold, or not any more. */
void filter_assume_terms(struct filter *f, bool hold);
bool filter_matches(const struct filter *f, field_find *find, void *row);
/* True when every word of `search` begins a word of one of the texts. */
bool search_matches(struct slice search, const struct slice *texts, uint32_t count);
/* Whether a list of names with comma between has that one; one that ends in a dot stands for all
 * that begin with it. */
bool field_is_among(const char *names, struct slice name);
/* True when every predicate but those of terms is on a field of the list, names with comma between;
 * also without any. */
bool filter_names_only(const struct filter *f, const char *names);
/* Whether those predicates hold that are on a field of the list. */
bool filter_matches_on(const struct filter *f, const char *names, field_find *find, void *row);
/* Narrows [*from, *to], whole numbers, by the predicates on a field that say no more than that it
 * is above, below or equal to one. False when one of them says something else. */
bool filter_range(const struct filter *f, const char *name, int64_t *from, int64_t *to);
/* Whether a predicate is on a field of the list. */
bool filter_names(const struct filter *f, const char *names);
/* Below zero, zero or above as `a` comes before `b`: absent ones first, then numbers, then
 * texts. */
int field_order(const struct field_value *a, const struct field_value *b);
#endif
