/* out.c - the writing half of json.h. */
#include "gateway/json.h"
#include "proto/base/date.h"
#include "proto/base/utf8.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>

static void put(struct out *o, const void *data, size_t len) { buffer_append(&o->body, data, len); }

/* Before each value: the comma, unless a key stands right before it. */
static void begin(struct out *o) {
    if (o->named) {
        o->named = false;
    } else if (o->more[o->depth]) {
        buffer_byte(&o->body, ',');
    }
    o->more[o->depth] = true;
}

static void open_with(struct out *o, uint8_t bracket) {
    begin(o);
    assert(o->depth + 1 < OUT_DEPTH_MAX);
    o->more[++o->depth] = false;
    buffer_byte(&o->body, bracket);
}

static void close_with(struct out *o, uint8_t bracket) {
    assert(o->depth > 0 && !o->named);
    o->depth--;
    buffer_byte(&o->body, bracket);
}

void out_object(struct out *o) { open_with(o, '{'); }
void out_object_end(struct out *o) { close_with(o, '}'); }
void out_list(struct out *o) { open_with(o, '['); }
void out_list_end(struct out *o) { close_with(o, ']'); }

static bool plain_byte(uint8_t c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

static void put_escaped(struct out *o, uint8_t c) {
    static const char shorts[] = "\"\"\\\\\nn\rr\tt\bb\ff";
    for (const char *p = shorts; *p != '\0'; p += 2) {
        if ((uint8_t)*p == c) {
            const char pair[2] = {'\\', p[1]};
            put(o, pair, 2);
            return;
        }
    }
    char escape[8];
    int n = snprintf(escape, sizeof escape, "\\u%04x", c);
    put(o, escape, (size_t)n);
}

static void put_text(struct out *o, struct slice text) {
    buffer_byte(&o->body, '"');
    uint32_t at = 0;
    while (at < text.len) {
        uint32_t run = at;
        while (run < text.len && plain_byte(text.data[run])) run++;
        put(o, text.data + at, run - at);
        at = run;
        if (at == text.len) break;
        uint8_t c = text.data[at];
        if (c < 0x80) {
            put_escaped(o, c);
            at++;
            continue;
        }
        uint32_t code, len = utf8_next(slice_of(text.data + at, text.len - at), &code);
        if (len == 0) {
            put(o, "\xef\xbf\xbd", 3);
            at++;
        } else {
            put(o, text.data + at, len);
            at += len;
        }
    }
    buffer_byte(&o->body, '"');
}

void out_key_plain(struct out *o, const char *key, size_t len) {
    assert(!o->named);
    o->named = true;
    if (!buffer_reserve(&o->body, len + 4)) return;
    uint8_t *at = o->body.data + o->body.len;
    if (o->more[o->depth]) *at++ = ',';
    *at++ = '"';
    memcpy(at, key, len);
    at += len;
    *at++ = '"';
    *at++ = ':';
    o->body.len = (size_t)(at - o->body.data);
    o->more[o->depth] = true;
}

void out_key_slice(struct out *o, struct slice key) {
    assert(!o->named);
    if (o->more[o->depth]) buffer_byte(&o->body, ',');
    o->more[o->depth] = true;
    put_text(o, key);
    buffer_byte(&o->body, ':');
    o->named = true;
}

void out_text(struct out *o, struct slice text) {
    begin(o);
    put_text(o, text);
}

void out_text_or_null(struct out *o, struct slice text) {
    if (text.len > 0) out_text(o, text);
    else out_null(o);
}

void out_string(struct out *o, const char *text) {
    if (text == NULL) out_null(o);
    else out_text(o, slice_text(text));
}

void out_unsigned(struct out *o, uint64_t value) {
    begin(o);
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(o, digits + at, sizeof digits - at);
}

void out_integer(struct out *o, int64_t value) {
    if (value >= 0) {
        out_unsigned(o, (uint64_t)value);
        return;
    }
    begin(o);
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    put(o, text, (size_t)n);
}

void out_number(struct out *o, double value) {
    if (!isfinite(value)) {
        out_null(o);
        return;
    }
    begin(o);
    char text[40]; /* the shortest form that reads back as the same number */
    int n = 0;
    for (int precision = 15; precision <= 17; precision++) {
        double back = 0;
        n = snprintf(text, sizeof text, "%.*g", precision, value);
        if (sscanf(text, "%lf", &back) == 1 && back == value) break;
    }
    put(o, text, (size_t)n);
}

void out_bool(struct out *o, bool value) {
    begin(o);
    if (value) put(o, "true", 4);
    else put(o, "false", 5);
}

void out_null(struct out *o) {
    begin(o);
    put(o, "null", 4);
}

void out_time(struct out *o, int64_t unix_ms) {
    if (unix_ms == 0) {
        out_null(o);
        return;
    }
    char text[DATE_TEXT_MAX];
    date_format_ms(unix_ms, text);
    begin(o);
    buffer_byte(&o->body, '"');
    put(o, text, strlen(text));
    buffer_byte(&o->body, '"');
}

void out_raw(struct out *o, struct slice json) {
    if (json.len == 0) {
        out_null(o);
        return;
    }
    begin(o);
    put(o, json.data, json.len);
}

void out_value(struct out *o, struct slice bytes) {
    json_t *value = json_of(bytes);
    if (value == NULL) {
        out_text(o, bytes);
        return;
    }
    json_decref(value);
    out_raw(o, bytes);
}

static int dump(const char *data, size_t len, void *context) {
    put(context, data, len);
    return 0;
}

void out_json(struct out *o, const json_t *value) {
    if (value == NULL) {
        out_null(o);
        return;
    }
    begin(o);
    /* 15 digits: 0.2 stays 0.2; what has more is a sum that nobody wrote */
    json_dump_callback(value, dump, o, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}
