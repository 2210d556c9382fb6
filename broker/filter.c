#include "broker/filter.h"
#include "proto/base/fold.h"
#include "proto/decode.h"
#include <math.h>
#include <stdlib.h>

enum op { OP_EQ, OP_NE, OP_LT, OP_LTE, OP_GT, OP_GTE, OP_IN, OP_PREFIX, OP_CONTAINS, OP_NULL,
          OP_WORDS, OP_TERMS, OP_COUNT };

static const double NUMBER_MAX = 9007199254740992; /* whole numbers up to it are exact */

struct value { struct slice text; double number; }; /* NAN: the text is no number */

struct predicate {
    struct slice field;
    enum op op;
    uint32_t first, count; /* of its values */
};

struct filter {
    uint32_t predicate_count, value_count;
    struct predicate predicates[FILTER_PREDICATES_MAX];
    struct value values[FILTER_VALUES_MAX];
    bool terms_assumed;
};

static bool op_read(struct slice name, enum op *op) {
    static const char *const names[OP_COUNT] = {"eq", "ne", "lt",     "lte",      "gt",
                                                "gte", "in", "prefix", "contains", "null",
                                                "words", "terms"};
    for (int i = 0; i < OP_COUNT; i++) {
        if (!slice_equal(name, slice_text(names[i]))) continue;
        *op = (enum op)i;
        return true;
    }
    return false;
}

static double number_of(struct slice text) {
    char copy[64], *end = NULL;
    if (text.len == 0 || text.len >= sizeof copy) return NAN;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    const double number = strtod(copy, &end);
    return end == copy + text.len && isfinite(number) ? number : NAN;
}

static bool predicate_read(struct decode *d, struct filter *f) {
    struct predicate *p = &f->predicates[f->predicate_count++];
    struct slice op;
    uint32_t count;
    if (!decode_array(d, &count) || count < 2 || !decode_slice(d, &p->field) ||
        !decode_slice(d, &op) || !op_read(op, &p->op))
        return false;
    p->first = f->value_count;
    p->count = count - 2;
    if (p->count > FILTER_VALUES_MAX - f->value_count) return false;
    if (p->op != OP_IN && p->count != 1) return false;
    for (uint32_t i = 0; i < p->count; i++) {
        struct value *v = &f->values[f->value_count++];
        if (!decode_slice(d, &v->text)) return false;
        v->number = number_of(v->text);
    }
    return true;
}

enum code filter_new(struct slice wire, struct filter **ret) {
    struct decode d = decode_of(wire.data, wire.len);
    uint32_t count = 0;
    if (wire.len > 0 && (!decode_array(&d, &count) || count > FILTER_PREDICATES_MAX))
        return CODE_VALIDATION_ERROR;
    if (count == 0) {
        *ret = NULL;
        return CODE_OK;
    }
    struct filter *f = calloc(1, sizeof *f);
    if (f == NULL) return CODE_UNAVAILABLE;
    for (uint32_t i = 0; i < count; i++) {
        if (predicate_read(&d, f)) continue;
        free(f);
        return CODE_VALIDATION_ERROR;
    }
    *ret = f;
    return CODE_OK;
}

void filter_destroy(struct filter **self) {
    free(*self);
    *self = NULL;
}

/* ---- words ---- */

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c; }

static bool letter(uint8_t c) {
    return c >= 0x80 || (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool word_begins(struct slice word, struct slice text) {
    const uint32_t len = text.len < SEARCH_BYTES ? text.len : SEARCH_BYTES;
    for (uint32_t i = 0; i + word.len <= len; i++) {
        if (i > 0 && letter(text.data[i - 1])) continue;
        uint32_t n = 0;
        while (n < word.len && lower(text.data[i + n]) == lower(word.data[n])) n++;
        if (n == word.len) return true;
    }
    return false;
}

/* The next word of the search from *at on; empty at its end. */
static struct slice word_next(struct slice search, uint32_t *at) {
    while (*at < search.len && !letter(search.data[*at])) ++*at;
    const uint32_t from = *at;
    while (*at < search.len && letter(search.data[*at])) ++*at;
    return slice_of(search.data + from, *at - from);
}

bool search_matches(struct slice search, const struct slice *texts, uint32_t count) {
    uint32_t at = 0;
    for (int words = 0; words < SEARCH_WORDS_MAX; words++) {
        const struct slice word = word_next(search, &at);
        bool found = word.len == 0;
        for (uint32_t i = 0; i < count && !found; i++) found = word_begins(word, texts[i]);
        if (!found) return false;
    }
    return true;
}

/* The fields are asked for word by word: the text of one is gone when the next is found. */
static bool words_hold(const struct predicate *p, struct slice search, field_find *find,
                       void *row) {
    uint32_t at = 0;
    for (int words = 0; words < SEARCH_WORDS_MAX; words++) {
        const struct slice word = word_next(search, &at);
        bool found = word.len == 0;
        struct slice left = p->field;
        while (left.len > 0 && !found) {
            const uint8_t *comma = memchr(left.data, ',', left.len);
            const uint32_t len = comma != NULL ? (uint32_t)(comma - left.data) : left.len;
            const struct field_value v = find(row, slice_of(left.data, len));
            found = v.kind == IS_TEXT && word_begins(word, v.text);
            const uint32_t step = comma != NULL ? len + 1 : len;
            left = slice_of(left.data + step, left.len - step);
        }
        if (!found) return false;
    }
    return true;
}

static uint8_t folded(struct slice text, uint32_t at) {
    return fold_byte(at > 0 ? text.data[at - 1] : 0, text.data[at]);
}

static bool contains(struct slice text, struct slice part) {
    for (uint32_t at = 0; at + part.len <= text.len; at++) {
        uint32_t n = 0;
        while (n < part.len && folded(text, at + n) == folded(part, n)) n++;
        if (n == part.len) return true;
    }
    return false;
}

/* The next of a search's terms from *at on; empty at its end. */
static struct slice term_next(struct slice search, uint32_t *at) {
    static const char blanks[] = " \t\n\r";
    while (*at < search.len && memchr(blanks, search.data[*at], 4) != NULL) ++*at;
    const uint32_t from = *at;
    while (*at < search.len && memchr(blanks, search.data[*at], 4) == NULL) ++*at;
    return slice_of(search.data + from, *at - from);
}

/* Whether one of the fields of a list holds the text. */
static bool fields_hold(struct slice fields, struct slice term, field_find *find, void *row) {
    while (fields.len > 0) {
        const uint8_t *comma = memchr(fields.data, ',', fields.len);
        const uint32_t len = comma != NULL ? (uint32_t)(comma - fields.data) : fields.len;
        const struct field_value v = find(row, slice_of(fields.data, len));
        if (v.kind == IS_TEXT && contains(v.text, term)) return true;
        const uint32_t step = comma != NULL ? len + 1 : len;
        fields = slice_of(fields.data + step, fields.len - step);
    }
    return false;
}

static bool terms_hold(const struct predicate *p, struct slice search, field_find *find,
                       void *row) {
    uint32_t at = 0;
    for (int terms = 0; terms < SEARCH_WORDS_MAX; terms++) {
        const struct slice term = term_next(search, &at);
        if (term.len == 0) return true;
        if (!fields_hold(p->field, term, find, row)) return false;
    }
    return true;
}

bool filter_terms(const struct filter *f, struct slice *fields, struct slice *terms) {
    for (uint32_t i = 0; f != NULL && i < f->predicate_count; i++) {
        if (f->predicates[i].op != OP_TERMS) continue;
        *fields = f->predicates[i].field;
        *terms = f->values[f->predicates[i].first].text;
        return true;
    }
    return false;
}

void filter_assume_terms(struct filter *f, bool hold) { f->terms_assumed = hold; }

/* ---- does it hold? ---- */

static int text_order(struct slice a, struct slice b) {
    const uint32_t len = a.len < b.len ? a.len : b.len;
    const int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* How the field lies to the value. A number lies nowhere to a text that is none. */
static bool order_of(const struct field_value *field, const struct value *v, int *order) {
    if (field->kind == IS_TEXT) {
        *order = text_order(field->text, v->text);
        return true;
    }
    if (isnan(v->number)) return false;
    *order = (field->number > v->number) - (field->number < v->number);
    return true;
}

static bool value_fits(enum op op, const struct field_value *field, const struct value *v) {
    int order;
    if (op == OP_PREFIX)
        return field->kind == IS_TEXT && field->text.len >= v->text.len &&
               slice_equal(slice_of(field->text.data, v->text.len), v->text);
    if (op == OP_CONTAINS) return field->kind == IS_TEXT && contains(field->text, v->text);
    if (!order_of(field, v, &order)) return op == OP_NE;
    switch (op) {
    case OP_EQ:
    case OP_IN: return order == 0;
    case OP_NE: return order != 0;
    case OP_LT: return order < 0;
    case OP_LTE: return order <= 0;
    case OP_GT: return order > 0;
    case OP_GTE: return order >= 0;
    case OP_PREFIX:
    case OP_CONTAINS:
    case OP_NULL:
    case OP_WORDS:
    case OP_TERMS:
    case OP_COUNT: break;
    }
    return false;
}

static bool predicate_holds(const struct filter *f, const struct predicate *p, field_find *find,
                            void *row) {
    const struct slice first = p->count > 0 ? f->values[p->first].text : (struct slice){0};
    if (p->op == OP_WORDS) return words_hold(p, first, find, row);
    if (p->op == OP_TERMS) return f->terms_assumed || terms_hold(p, first, find, row);
    const struct field_value field = find(row, p->field);
    if (p->op == OP_NULL) return (field.kind == IS_ABSENT) == (f->values[p->first].number == 1);
    bool fits = false;
    if (field.kind != IS_ABSENT)
        for (uint32_t v = 0; v < p->count && !fits; v++)
            fits = value_fits(p->op, &field, &f->values[p->first + v]);
    return fits;
}

bool filter_matches(const struct filter *f, field_find *find, void *row) {
    for (uint32_t i = 0; f != NULL && i < f->predicate_count; i++)
        if (!predicate_holds(f, &f->predicates[i], find, row)) return false;
    return true;
}

bool field_is_among(const char *names, struct slice name) {
    for (const char *at = names; *at != '\0';) {
        const size_t len = strcspn(at, ",");
        const uint32_t some = at[len - 1] == '.' && name.len > len ? (uint32_t)len : name.len;
        if (slice_equal(slice_of(name.data, some), slice_of(at, len))) return true;
        at += len + (at[len] == ',');
    }
    return false;
}

bool filter_names_only(const struct filter *f, const char *names) {
    for (uint32_t i = 0; f != NULL && i < f->predicate_count; i++)
        if (f->predicates[i].op != OP_TERMS && !field_is_among(names, f->predicates[i].field))
            return false;
    return true;
}

bool filter_matches_on(const struct filter *f, const char *names, field_find *find, void *row) {
    for (uint32_t i = 0; f != NULL && i < f->predicate_count; i++) {
        const struct predicate *p = &f->predicates[i];
        if (field_is_among(names, p->field) && !predicate_holds(f, p, find, row)) return false;
    }
    return true;
}

bool filter_range(const struct filter *f, const char *name, int64_t *from, int64_t *to) {
    for (uint32_t i = 0; f != NULL && i < f->predicate_count; i++) {
        const struct predicate *p = &f->predicates[i];
        if (!slice_equal(p->field, slice_text(name))) continue;
        const double bound = p->count == 1 ? f->values[p->first].number : NAN;
        if (isnan(bound) || fabs(bound) > NUMBER_MAX) return false;
        const bool lower = p->op == OP_GT || p->op == OP_GTE || p->op == OP_EQ;
        const bool upper = p->op == OP_LT || p->op == OP_LTE || p->op == OP_EQ;
        if (!lower && !upper) return false;
        const int64_t low = (int64_t)(p->op == OP_GT ? floor(bound) + 1 : ceil(bound));
        const int64_t high = (int64_t)(p->op == OP_LT ? ceil(bound) - 1 : floor(bound));
        if (lower && low > *from) *from = low;
        if (upper && high < *to) *to = high;
    }
    return true;
}

bool filter_names(const struct filter *f, const char *names) {
    for (uint32_t i = 0; f != NULL && i < f->predicate_count; i++)
        if (field_is_among(names, f->predicates[i].field)) return true;
    return false;
}

int field_order(const struct field_value *a, const struct field_value *b) {
    if (a->kind != b->kind) return (a->kind > b->kind) - (a->kind < b->kind);
    if (a->kind == IS_TEXT) return text_order(a->text, b->text);
    return a->kind == IS_ABSENT ? 0 : (a->number > b->number) - (a->number < b->number);
}
