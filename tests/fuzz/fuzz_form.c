/* Any bytes as a multipart body, fed in two different cuts: same parts, same data, same end. */
#include "gateway/form.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally { uint64_t hash; uint32_t parts, closed; };

static void mix(struct tally *t, const void *data, size_t len) {
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) t->hash = (t->hash ^ p[i]) * UINT64_C(0x100000001b3);
}

static bool on_part(void *context, const struct form_part *part) {
    struct tally *t = context;
    assert(strlen(part->name) > 0 && strlen(part->name) <= FORM_NAME_MAX);
    assert(strlen(part->mime) <= FORM_NAME_MAX);
    if (part->file_name != NULL) {
        assert(strlen(part->file_name) <= FORM_FILE_NAME_MAX);
        assert(strpbrk(part->file_name, "/\\") == NULL);
        mix(t, part->file_name, strlen(part->file_name));
    }
    mix(t, part->name, strlen(part->name));
    t->parts++;
    return true;
}
static bool on_data(void *context, struct slice bytes) {
    mix(context, bytes.data, bytes.len);
    return true;
}
static bool on_close(void *context) {
    struct tally *t = context;
    t->closed++;
    assert(t->closed <= t->parts);
    return true;
}

static enum form_state feed(const char *type, const uint8_t *data, size_t size, size_t cut,
                            struct tally *t) {
    static struct form form;
    struct form_sink sink = {t, on_part, on_data, on_close};
    enum form_state state = FORM_GO;
    if (!form_open(&form, type, 16, sink)) return FORM_STOPPED;
    for (size_t at = 0; at < size && state == FORM_GO; at += cut) {
        size_t n = size - at < cut ? size - at : cut;
        uint8_t *copy = malloc(n);
        memcpy(copy, data + at, n);
        state = form_feed(&form, slice_of(copy, n));
        free(copy);
    }
    assert(state != FORM_BAD || form_why(&form) != NULL);
    assert(state != FORM_END || t->closed == t->parts);
    return state;
}

/* The first line is the Content-Type's parameters, the rest the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char type[256] = "multipart/form-data;";
    const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t len = line != NULL ? (size_t)(line - data) : 0;
    if (line == NULL || len > 200) return 0;
    memcpy(type + strlen(type), data, len);
    struct tally whole = {0}, bytes = {0};
    enum form_state a = feed(type, line + 1, size - len - 1, SIZE_MAX / 2, &whole);
    enum form_state b = feed(type, line + 1, size - len - 1, 1 + size % 7, &bytes);
    assert(a == b && whole.hash == bytes.hash && whole.parts == bytes.parts);
    return 0;
}
