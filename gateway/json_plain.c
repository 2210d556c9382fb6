#include "gateway/json_plain.h"
#include "gateway/json.h"
#include "proto/base/utf8.h"
#include "proto/base/word.h"

enum { DIGITS_MAX = 18 };

struct reader { const uint8_t *at, *end; };

static json_t *value_read(struct reader *r, int depth);

/* The next byte that is no blank, not taken; 0 at the end. */
static uint8_t peek(struct reader *r) {
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
    return r->at < r->end ? *r->at : 0;
}

static bool take(struct reader *r, uint8_t byte) {
    if (peek(r) != byte) return false;
    r->at++;
    return true;
}

/* Not 0 when one of eight bytes ends a text, or is more than a letter of it. */
static uint64_t special(uint64_t word) {
    return word_has(word, '"') | word_has(word, '\\') | word_below(word, 0x20) |
           (word & WORD_HIGHS);
}

/* A text without escapes; false when it is none. */
static bool text_read(struct reader *r, struct slice *ret) {
    uint8_t seen = 0;
    if (!take(r, '"')) return false;
    const uint8_t *from = r->at;
    while (r->end - r->at >= 8 && !special(word_load(r->at))) r->at += 8;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && *r->at >= 0x20) seen |= *r->at++;
    if (r->at == r->end || *r->at != '"') return false;
    *ret = slice_of(from, (size_t)(r->at++ - from));
    return seen < 0x80 || utf8_valid(*ret);
}

static json_t *number_read(struct reader *r) {
    bool negative = *r->at == '-';
    const uint8_t *from = r->at += negative;
    json_int_t number = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - from <= DIGITS_MAX)
        number = number * 10 + (*r->at++ - '0');
    const long digits = r->at - from;
    if (digits == 0 || digits > DIGITS_MAX || (*from == '0' && digits > 1)) return NULL;
    if (r->at < r->end && (*r->at == '.' || (*r->at | 0x20) == 'e')) return NULL;
    return json_integer(negative ? -number : number);
}

static bool word_read(struct reader *r, const char *word) {
    const size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0) return false;
    r->at += len;
    return true;
}

/* From behind the brace. */
static bool members_read(struct reader *r, json_t *object, int depth) {
    if (take(r, '}')) return true;
    for (size_t count = 1;; count++) {
        struct slice key;
        if (!text_read(r, &key) || !take(r, ':')) return false;
        json_t *value = value_read(r, depth);
        if (value == NULL || json_object_setn_new_nocheck(object, (const char *)key.data, key.len,
                                                          value) != 0)
            return false;
        if (json_object_size(object) < count) return false; /* it was there before */
        if (take(r, '}')) return true;
        if (!take(r, ',')) return false;
    }
}

static bool items_read(struct reader *r, json_t *list, int depth) {
    if (take(r, ']')) return true;
    for (;;) {
        json_t *value = value_read(r, depth);
        if (value == NULL || json_array_append_new(list, value) != 0) return false;
        if (take(r, ']')) return true;
        if (!take(r, ',')) return false;
    }
}

static json_t *value_read(struct reader *r, int depth) {
    struct slice text;
    json_t *whole;
    const uint8_t first = peek(r);
    switch (first) {
    case '{':
    case '[':
        if (depth == JSON_DEPTH_MAX) return NULL;
        r->at++;
        whole = first == '{' ? json_object() : json_array();
        if (whole != NULL && (first == '{' ? members_read(r, whole, depth + 1)
                                           : items_read(r, whole, depth + 1)))
            return whole;
        json_decref(whole);
        return NULL;
    case '"': return text_read(r, &text) ? json_stringn_nocheck((const char *)text.data, text.len)
                                         : NULL;
    case 't': return word_read(r, "true") ? json_true() : NULL;
    case 'f': return word_read(r, "false") ? json_false() : NULL;
    case 'n': return word_read(r, "null") ? json_null() : NULL;
    default: return first == '-' || (first >= '0' && first <= '9') ? number_read(r) : NULL;
    }
}

json_t *json_plain(struct slice text) {
    struct reader r = {text.data, text.data + text.len};
    json_t *value = value_read(&r, 0);
    if (value == NULL || (peek(&r), r.at == r.end)) return value;
    json_decref(value);
    return NULL;
}
