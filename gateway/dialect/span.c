#include "gateway/dialect/span.h"
#include "proto/base/word.h"
#include <stdlib.h>

struct walk { const uint8_t *at, *end; };

static void blanks_skip(struct walk *w) {
    while (w->at < w->end && (*w->at == ' ' || *w->at == '\n' || *w->at == '\r' || *w->at == '\t'))
        w->at++;
}

static bool text_ends(uint64_t word) {
    return (word_has(word, '"') | word_has(word, '\\')) != 0;
}

/* From an opening quote to behind the closing one. */
static void text_skip(struct walk *w) {
    for (w->at++; w->at < w->end && *w->at != '"'; w->at++) {
        while (w->end - w->at >= 8 && !text_ends(word_load(w->at))) w->at += 8;
        if (w->at == w->end || *w->at == '"') break;
        if (*w->at == '\\') w->at++;
    }
    w->at = w->at < w->end ? w->at + 1 : w->end;
}

/* From the first byte of a value to behind its last. */
static void value_skip(struct walk *w) {
    uint32_t depth = 0;
    while (w->at < w->end) {
        uint8_t byte = *w->at;
        if (byte == '"') {
            text_skip(w);
            if (depth == 0) return;
            continue;
        }
        if (depth == 0 && (byte == ',' || byte == '}' || byte == ']')) return;
        if (byte == '{' || byte == '[') depth++;
        w->at++;
        if ((byte == '}' || byte == ']') && --depth == 0) return;
    }
}

static struct slice blanks_cut(struct slice s) {
    while (s.len > 0 && strchr(" \t\r\n", s.data[s.len - 1]) != NULL) s.len--;
    return s;
}

struct slice span_find(struct slice object, const char *key) {
    struct slice wanted = slice_text(key);
    struct walk w = {object.data, object.data + object.len};
    blanks_skip(&w);
    if (w.at < w.end && *w.at == '{') w.at++;
    for (;;) {
        blanks_skip(&w);
        if (w.at >= w.end || *w.at != '"') return (struct slice){0};
        const uint8_t *from = w.at + 1;
        text_skip(&w);
        struct slice name = slice_of(from, (size_t)(w.at - from) - 1);
        blanks_skip(&w);
        if (w.at < w.end) w.at++; /* the colon */
        blanks_skip(&w);
        from = w.at;
        value_skip(&w);
        if (slice_equal(name, wanted)) return blanks_cut(slice_of(from, (size_t)(w.at - from)));
        blanks_skip(&w);
        if (w.at < w.end && *w.at == ',') w.at++;
    }
}

struct slice span_member(struct exchange *x, const char *name, const char *alias) {
    json_t *value = json_object_get(x->json, name);
    if (value == NULL && alias != NULL) {
        name = alias;
        value = json_object_get(x->json, name);
    }
    if (value == NULL || json_is_null(value)) return (struct slice){0};
    struct slice span = span_find(x->body, name);
    if (span.data != NULL) return span;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY); /* the key had escapes */
    if (text == NULL) return (struct slice){0};
    span = exchange_copy(x, slice_text(text));
    free(text);
    return span;
}
