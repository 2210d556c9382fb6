/* Filters of lists: what the wire may say, and which rows hold. */
#include "broker/filter.h"
#include "proto/encode.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

struct row { double age; const char *name; };

static struct field_value find(void *context, struct slice field) {
    const struct row *row = context;
    if (slice_equal(field, slice_text("age"))) return value_number(row->age);
    if (slice_equal(field, slice_text("name"))) return value_text(slice_text(row->name));
    return value_absent;
}

/* One predicate; "|" stands between values. */
static void predicate_put(struct buffer *b, const char *field, const char *op, const char *values) {
    uint32_t count = 1;
    for (const char *at = values; *at != '\0'; at++) count += *at == '|';
    encode_array(b, 2 + count);
    encode_text(b, slice_text(field));
    encode_text(b, slice_text(op));
    for (const char *at = values;; at += strcspn(at, "|") + 1) {
        encode_text(b, slice_of(at, strcspn(at, "|")));
        if (--count == 0) break;
    }
}

static bool holds(const char *field, const char *op, const char *values) {
    struct row anna = {.age = 34.5, .name = "Anna Berg"};
    struct buffer b = {0};
    struct filter *f = NULL;
    encode_array(&b, 1);
    predicate_put(&b, field, op, values);
    const bool is = filter_new(buffer_slice(&b), &f) == CODE_OK && filter_matches(f, find, &anna);
    filter_destroy(&f);
    buffer_free(&b);
    return is;
}

static void test_predicates(void) {
    ok(holds("age", "eq", "34.5"), "a number is equal");
    ok(holds("age", "eq", "3.45e1"), "however it is spelled");
    ok(!holds("age", "eq", "34"), "and not to another");
    ok(holds("age", "lt", "100"), "numbers are not compared as texts");
    ok(holds("age", "gte", "34.5") && !holds("age", "gt", "34.5"), "gte and gt");
    ok(holds("age", "lte", "34.5") && !holds("age", "lt", "34.5"), "lte and lt");
    ok(holds("age", "in", "1|34.5|7") && !holds("age", "in", "1|2"), "in a list");
    ok(!holds("age", "eq", "abc") && !holds("age", "lt", "abc"), "a text is near no number");
    ok(holds("age", "ne", "abc"), "but other than it");
    ok(!holds("age", "eq", "nan") && !holds("age", "lt", "inf"), "nan and inf are no numbers");
    ok(holds("name", "prefix", "Anna") && !holds("name", "prefix", "anna"), "prefix");
    ok(holds("name", "contains", "BERG") && !holds("name", "contains", "burg"), "contains");
    ok(holds("name", "in", "Otto|Anna Berg"), "a text in a list");
    ok(holds("name", "gt", "Anna") && holds("name", "lt", "Bea"), "texts in order");
    ok(holds("name", "prefix", "") && holds("name", "contains", ""), "the empty part is in each");
    ok(holds("name", "words", "berg anna") && !holds("name", "words", "erg"), "words begin words");
    ok(holds("size,name", "words", "AN") && !holds("size,age", "words", "an"), "in any of fields");
    ok(holds("name", "words", " - "), "no word is in every text");
    ok(!holds("size", "eq", "") && !holds("size", "ne", "1"), "an absent field fails");
    ok(holds("size", "null", "1") && !holds("size", "null", "0"), "but for null");
    ok(holds("age", "null", "0") && !holds("age", "null", "1"), "which one that is there fails");
}

static enum code refused(const void *data, size_t len) {
    struct filter *f = NULL;
    const enum code code = filter_new(slice_of(data, len), &f);
    filter_destroy(&f);
    return code;
}

static void test_wire(void) {
    struct filter *f = NULL;
    is_int(filter_new((struct slice){0}, &f), CODE_OK, "nothing filters nothing");
    ok(f == NULL && filter_matches(NULL, find, NULL), "and every row holds");
    is_int(refused("\xc1", 1), CODE_VALIDATION_ERROR, "no msgpack");
    is_int(refused("\x91\x92\xa1" "a\xa2" "eq", 7), CODE_VALIDATION_ERROR, "eq without a value");
    is_int(refused("\x91\x93\xa1" "a\xa2" "xx\xa1" "1", 9), CODE_VALIDATION_ERROR, "no such op");
    is_int(refused("\x91\x94\xa1" "a\xa2" "eq\xa1" "1\xa1" "2", 11), CODE_VALIDATION_ERROR,
           "eq of two values");
    is_int(refused("\x91\x92\xa1" "a\xa2" "in", 7), CODE_OK, "in an empty list is no row");
    struct buffer b = {0};
    encode_array(&b, FILTER_PREDICATES_MAX + 1);
    for (int i = 0; i <= FILTER_PREDICATES_MAX; i++) predicate_put(&b, "age", "gt", "1");
    is_int(refused(b.data, b.len), CODE_VALIDATION_ERROR, "more predicates than there may be");
    buffer_clear(&b);
    encode_array(&b, 1);
    encode_array(&b, FILTER_VALUES_MAX + 3);
    encode_text(&b, slice_text("age"));
    encode_text(&b, slice_text("in"));
    for (int i = 0; i <= FILTER_VALUES_MAX; i++) encode_text(&b, slice_text("1"));
    is_int(refused(b.data, b.len), CODE_VALIDATION_ERROR, "more values than there may be");
    for (uint32_t len = 0; len < 64; len++) refused(b.data, len);
    ok(true, "cut off anywhere, nothing is read beyond it");
    buffer_free(&b);
}

/* What a filter on one field leaves of -100..100 as a range, and by its rows. */
static bool range_is(const char *op, const char *value, bool can) {
    struct buffer b = {0};
    struct filter *f = NULL;
    int64_t from = -100, to = 100;
    bool same = true;
    encode_array(&b, 2);
    predicate_put(&b, "age", op, value);
    predicate_put(&b, "name", "eq", "Anna");
    if (filter_new(buffer_slice(&b), &f) != CODE_OK) abort();
    const bool told = filter_range(f, "age", &from, &to);
    for (int age = -100; told && age <= 100; age++) {
        struct row row = {.age = age, .name = "Anna"};
        same = same && filter_matches(f, find, &row) == (age >= from && age <= to);
    }
    filter_destroy(&f);
    buffer_free(&b);
    return told == can && same;
}

static void test_ranges(void) {
    static const char *const ops[] = {"lt", "lte", "gt", "gte", "eq"};
    static const char *const values[] = {"7", "-7.5", "99.99", "0", "-100", "1e9", "-1e9", "100.5"};
    int wrong = 0;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            wrong += !range_is(ops[i], values[k], true);
    is_int(wrong, 0, "as a range the predicates on a number leave what they leave of its rows");
    ok(range_is("ne", "1", false) && range_is("in", "1|2", false) && range_is("eq", "x", false) &&
           range_is("gt", "1e18", false),
       "what is no range is not told as one");
    ok(field_is_among("age,name", slice_text("name")) && !field_is_among("ages", slice_text("age")),
       "names are told apart whole");
}

int main(void) {
    test_predicates();
    test_ranges();
    test_wire();
    return done();
}
