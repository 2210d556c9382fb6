/* A member is cut out of the text exactly as it was written. */
#include "gateway/dialect/span.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static void found(const char *object, const char *key, const char *want, const char *fact) {
    /* an exact copy without a terminator: reading past the end shows under the sanitizers */
    size_t len = strlen(object);
    uint8_t *copy = malloc(len);
    memcpy(copy, object, len);
    struct slice span = span_find(slice_of(copy, len), key);
    char text[256] = "";
    if (span.data != NULL) memcpy(text, span.data, span.len);
    is_text(span.data == NULL ? NULL : text, want, fact);
    free(copy);
}

/* What is cut out parses to what the whole parse holds under that name. */
static void agrees(const char *object) {
    char why[128], fact[128];
    json_t *whole = json_parse(slice_text(object), why, sizeof why);
    const char *key;
    json_t *value;
    json_object_foreach(whole, key, value) {
        struct slice span = span_find(slice_text(object), key);
        json_t *part = span.data != NULL ? json_parse(span, why, sizeof why) : NULL;
        snprintf(fact, sizeof fact, "\"%s\" is the same cut out and parsed", key);
        ok(part != NULL && json_equal(part, value), fact);
        json_decref(part);
    }
    ok(json_object_size(whole) > 0, "the sample has members");
    json_decref(whole);
}

int main(void) {
    found("{\"a\":1}", "a", "1", "a number");
    found("{\"a\":1.50e+2 ,\"b\":2}", "a", "1.50e+2", "a number keeps its form, not its blanks");
    found(" {\n \"a\" :\t[1,  2 ] } ", "a", "[1,  2 ]", "a list keeps its blanks");
    found("{\"b\":{\"a\":1},\"a\":2}", "a", "2", "an inner member is not the outer one");
    found("{\"b\":\"\\\"a\\\":3,\",\"a\":2}", "a", "2", "a text that looks like a member is none");
    found("{\"a\":\"}]\\\\\"}", "a", "\"}]\\\\\"", "brackets and escapes within a text");
    found("{\"a\":{\"x\":[{},[\"]\"]]}}", "a", "{\"x\":[{},[\"]\"]]}", "nesting");
    found("{\"a\":null}", "a", "null", "null");
    found("{\"a\":true,\"b\":false}", "b", "false", "the last member");
    found("{}", "a", NULL, "nothing in an empty object");
    found("{\"ab\":1}", "a", NULL, "a longer name is another name");
    found("{\"\\u0061\":1}", "a", NULL, "a name with escapes is left to the parsed value");
    found("{\"é\":[\"ü\"]}", "é", "[\"ü\"]", "names and texts beyond ASCII");
    found("[1]", "a", NULL, "a list has no members");
    found("{\"a\":\"", "b", NULL, "a text that is cut off ends the walk");
    found("{\"a\":{\"b\":[", "c", NULL, "a value that is cut off ends the walk");
    found("{\"a\"", "a", "", "a member without a value is empty");
    found("", "a", NULL, "nothing in nothing");
    agrees("{\"keyword_ids\": [1,2,3],\"t\" : \"x\\\"y\" , \"o\":{ \"p\" : {\"q\":[[],{}]} },"
           "\"n\":-0.5e-3,\"z\":null,\"e\":[] , \"s\":\"\"}");
    return done();
}
