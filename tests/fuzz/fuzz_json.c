/* Any bytes as a JSON body: taken or refused with a cause; the getters and the writer hold. */
#include "gateway/json.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_members(json_t *value) {
    static const char *const choices[] = {"low", "high", NULL};
    static const char *const names[] = {"task_type", "priority", "context_data", "list", "when"};
    struct field_errors e = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice text = member_text(value, names[i], REQUIRED, 64, &e);
        assert(text.len <= 64);
        int64_t n = member_integer(value, names[i], NULLABLE, 3, 0, 9, &e);
        assert(n >= 0 && n <= 9);
        double d = member_number(value, names[i], 0, 1, 0, 2, &e);
        assert(d >= 0 && d <= 2);
        int c = member_choice(value, names[i], 0, choices, &e);
        assert(c >= -1 && c < 2);
        member_bool(value, names[i], 0, false, &e);
        member_object(value, names[i], 0, &e);
        member_time(value, names[i], 0, &e);
        json_t *list = member_list(value, names[i], 0, 4, &e);
        assert(json_array_size(list) <= 4);
    }
    assert(e.count <= FIELD_ERRORS_MAX);
    for (uint32_t i = 0; i < e.count; i++) {
        char text[128];
        field_sentence(&e.list[i], text, sizeof text);
        assert(text[0] != '\0');
    }
}

/* What the writer makes of it is JSON again, whatever the bytes were. */
static void write_back(struct slice bytes) {
    struct out o = {0};
    char why[192];
    out_object(&o);
    out_key_slice(&o, slice_of(bytes.data, bytes.len < 9 ? bytes.len : 9));
    out_text(&o, bytes);
    out_key(&o, "raw-value");
    out_value(&o, bytes);
    out_object_end(&o);
    json_t *back = json_parse(buffer_slice(&o.body), why, sizeof why);
    /* only a NUL (escaped, which strict reading refuses) or the wrapper's own depth may stop it */
    assert(back != NULL || memchr(bytes.data, 0, bytes.len) != NULL ||
           strstr(why, "deeper") != NULL || strstr(why, "duplicate") != NULL);
    json_decref(back);
    buffer_free(&o.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char why[192] = "";
    json_t *value = json_parse(slice_of(data, size), why, sizeof why);
    assert((value == NULL) == (why[0] != '\0'));
    if (value != NULL) read_members(value);
    json_decref(value);
    if (size > 0) write_back(slice_of(data, size));
    return 0;
}
