/* JSON: strict input, fields with their errors, and the writer. */
#include "gateway/json.h"
#include "tests/unit/tap.h"
#include <math.h>
#include <stdlib.h>

static char why[256];

static bool takes(const char *text) {
    json_t *value = json_parse(slice_text(text), why, sizeof why);
    json_decref(value);
    return value != NULL;
}

static void strict(void) {
    ok(takes("{\"a\":1}") && takes(" [1,2] ") && takes("3"), "any one value is taken");
    ok(!takes("{\"a\":1,\"a\":2}"), "a duplicate key is refused");
    ok(!takes("{\"a\":1} x"), "so is something behind the value");
    ok(!takes("{\"a\":1,}") && !takes("{'a':1}") && !takes("{a:1}"), "so are loose forms");
    ok(!takes("{\"secret\":oops}") && strstr(why, "oops") == NULL, "the input is not quoted back");
    ok(!takes("{\"a\":\"\\u0000\"}"), "so is NUL");
    ok(!takes("{\"a\":\"\xff\"}"), "so is broken UTF-8");
    ok(!takes("1e999"), "so is a number out of range");
    ok(!takes("# no\n{}"), "so is a comment");
    ok(!takes(""), "so is nothing");
    char deep[2 * JSON_DEPTH_MAX + 8];
    memset(deep, '[', JSON_DEPTH_MAX);
    memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    deep[2 * JSON_DEPTH_MAX] = '\0';
    ok(takes(deep), "nesting up to the limit is taken");
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    deep[2 * JSON_DEPTH_MAX + 2] = '\0';
    ok(!takes(deep) && strstr(why, "deeper") != NULL, "one level more is refused");
    ok(takes("{\"a\":\""
             "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"\"}"),
       "brackets within a text do not count");
}

static void members(void) {
    json_t *o = json_parse(slice_text("{\"name\":\"n\",\"fileId\":\"f\",\"max_size\":5,\"s\":\"7\","
                                      "\"nil\":null,\"blank\":\"\",\"yes\":true,\"pi\":3.5,"
                                      "\"when\":\"2026-11-21T10:00:00Z\",\"list\":[1,2],"
                                      "\"kind\":\"HIGH\",\"big\":99}"), why, sizeof why);
    static const char *const kinds[] = {"low", "high", NULL};
    struct field_errors e = {0};
    ok(slice_equal(member_text(o, "name", REQUIRED, 10, &e), slice_text("n")), "a text is read");
    ok(member_text(o, "file_id", REQUIRED, 10, &e).len == 1, "snake_case finds camelCase");
    is_int(member_integer(o, "maxSize", 0, 0, 0, 9, &e), 5, "camelCase finds snake_case");
    is_int(member_integer(o, "s", 0, 0, 0, 9, &e), 7, "a text of digits is an integer");
    is_int(member_integer(o, "none", 0, 42, 0, 9, &e), 42, "what is absent gives the fallback");
    ok(member_bool(o, "yes", 0, false, &e), "a bool is read");
    ok(member_number(o, "pi", 0, 0, 0, 9, &e) == 3.5, "a number is read");
    is_int(member_time(o, "when", 0, &e), 1795255200000, "a time is read");
    is_int(member_choice(o, "kind", 0, kinds, &e), 1, "a choice in any case is read");
    ok(member_text(o, "nil", NULLABLE, 9, &e).data == NULL, "null may count as absent");
    ok(json_array_size(member_list(o, "list", 0, 2, &e)) == 2, "a list is read");
    is_int(e.count, 0, "and nothing was wrong");
    member_text(o, "gone", REQUIRED, 9, &e);
    member_text(o, "nil", 0, 9, &e);
    member_text(o, "blank", 0, 9, &e);
    member_text(o, "pi", 0, 9, &e);
    member_integer(o, "big", 0, 0, 0, 9, &e);
    member_integer(o, "pi", 0, 0, 0, 9, &e);
    member_object(o, "list", 0, &e);
    member_list(o, "list", 0, 1, &e);
    member_choice(o, "name", 0, kinds, &e);
    member_time(o, "name", 0, &e);
    const enum field_wrong want[] = {FIELD_MISSING, FIELD_NULL, FIELD_BLANK, FIELD_NOT_TEXT,
                                     FIELD_TOO_LARGE, FIELD_NOT_INTEGER, FIELD_NOT_OBJECT,
                                     FIELD_TOO_LONG, FIELD_NOT_A_CHOICE, FIELD_NOT_DATE};
    is_int(e.count, sizeof want / sizeof want[0], "each wrong member is noted once");
    for (uint32_t i = 0; i < e.count; i++) is_int(e.list[i].wrong, want[i], e.list[i].name);
    char text[128];
    field_sentence(&e.list[4], text, sizeof text);
    is_text(text, "Ensure this value is less than or equal to 9.", "limits are named");
    field_sentence(&e.list[0], text, sizeof text);
    is_text(text, "This field is required.", "what is missing is said");
    for (int i = 0; i < 100; i++) field_wrong(&e, "x", FIELD_NULL, 0);
    is_int(e.count, FIELD_ERRORS_MAX, "errors are bounded");
    struct field_errors none = {0};
    member_text(NULL, "x", REQUIRED, 9, &none);
    is_int(none.count, 1, "no object at all misses its required members");
    json_decref(o);
}

static const char *text_of(struct out *o) {
    buffer_byte(&o->body, 0);
    return (const char *)o->body.data;
}

static void writes(void) {
    struct out o = {0};
    out_object(&o);
    out_key(&o, "a");
    out_integer(&o, -5);
    out_key(&o, "list");
    out_list(&o);
    out_unsigned(&o, UINT64_MAX);
    out_bool(&o, false);
    out_null(&o);
    out_object(&o);
    out_object_end(&o);
    out_list_end(&o);
    out_key(&o, "t");
    out_time(&o, 1795255200123);
    out_key(&o, "never");
    out_time(&o, 0);
    out_key(&o, "raw");
    out_value(&o, slice_text("{\"b\":[1]}"));
    out_key(&o, "word");
    out_value(&o, slice_text("{b"));
    out_object_end(&o);
    is_text(text_of(&o), "{\"a\":-5,\"list\":[18446744073709551615,false,null,{}],"
                         "\"t\":\"2026-11-21T10:00:00.123Z\",\"never\":null,"
                         "\"raw\":{\"b\":[1]},\"word\":\"{b\"}", "values, commas and nesting");
    buffer_free(&o.body);
    o = (struct out){0};
    out_text(&o, slice_text("a\"b\\c\n\x01\x7f é \xff \xed\xa0\x80"));
    is_text(text_of(&o), "\"a\\\"b\\\\c\\n\\u0001\\u007f é \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd"
                         "\xef\xbf\xbd\"", "texts are escaped and made UTF-8");
    buffer_free(&o.body);
    o = (struct out){0};
    out_list(&o);
    out_number(&o, 0.1);
    out_number(&o, 1.0 / 3);
    out_number(&o, NAN);
    out_string(&o, NULL);
    out_list_end(&o);
    is_text(text_of(&o), "[0.1,0.3333333333333333,null,null]", "numbers read back as themselves");
    buffer_free(&o.body);
}

int main(void) {
    strict();
    members();
    writes();
    return done();
}
