#include "worker/command/emit.h"
#include "proto/base/date.h"
#include "proto/base/utf8.h"
#include <inttypes.h>

struct emit emit_open(FILE *out) {
    putc('{', out);
    return (struct emit){.out = out};
}

void emit_close(struct emit *e) { fputs("}\n", e->out); }

void emit_name(struct emit *e, const char *name) {
    fprintf(e->out, "%s\"%s\":", e->some ? "," : "", name);
    e->some = true;
}

void emit_number(struct emit *e, const char *name, int64_t number) {
    emit_name(e, name);
    fprintf(e->out, "%" PRId64, number);
}

void emit_time(struct emit *e, const char *name, int64_t ms) {
    char text[DATE_TEXT_MAX];
    date_format_ms(ms, text);
    emit_string(e, name, ms ? text : NULL);
}

void emit_string(struct emit *e, const char *name, const char *text) {
    emit_name(e, name);
    if (text) emit_quoted(e->out, slice_text(text));
    else fputs("null", e->out);
}

static void base64(FILE *out, struct slice bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (uint32_t i = 0; i < bytes.len; i += 3) {
        uint32_t left = bytes.len - i, group = (uint32_t)bytes.data[i] << 16;
        if (left > 1) group |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2) group |= bytes.data[i + 2];
        putc(digits[group >> 18 & 63], out);
        putc(digits[group >> 12 & 63], out);
        putc(left > 1 ? digits[group >> 6 & 63] : '=', out);
        putc(left > 2 ? digits[group & 63] : '=', out);
    }
}

void emit_bytes(struct emit *e, const char *name, struct slice bytes) {
    if (utf8_valid(bytes)) {
        emit_name(e, name);
        emit_quoted(e->out, bytes);
        return;
    }
    fprintf(e->out, "%s\"%s_base64\":\"", e->some ? "," : "", name);
    e->some = true;
    base64(e->out, bytes);
    putc('"', e->out);
}

void emit_quoted(FILE *out, struct slice text) {
    putc('"', out);
    while (text.len > 0) {
        uint32_t code, len = utf8_next(text, &code);
        if (len == 0) fputs("\\ufffd", out);
        else if (code == '"' || code == '\\') fprintf(out, "\\%c", (char)code);
        else if (code == '\n') fputs("\\n", out);
        else if (code < ' ' || code == 0x7f) fprintf(out, "\\u%04x", code);
        else fwrite(text.data, 1, len, out);
        uint32_t step = len ? len : 1;
        text = slice_of(text.data + step, text.len - step);
    }
    putc('"', out);
}

/* ---- msgpack ---- */

static bool value(FILE *out, struct decode *d, int depth);

static bool key(FILE *out, struct decode *d) {
    struct slice text;
    struct decode from = *d;
    if (decode_slice(d, &text)) {
        emit_quoted(out, text);
        return true;
    }
    /* JSON has no keys but texts: a number goes between quotes. */
    *d = from;
    putc('"', out);
    bool ok = value(out, d, DECODE_DEPTH_MAX);
    putc('"', out);
    return ok;
}

static bool many(FILE *out, struct decode *d, uint32_t count, bool map, int depth) {
    if (depth >= DECODE_DEPTH_MAX) return false;
    putc(map ? '{' : '[', out);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) putc(',', out);
        if (map && !key(out, d)) return false;
        if (map) putc(':', out);
        if (!value(out, d, depth + 1)) return false;
    }
    putc(map ? '}' : ']', out);
    return true;
}

static bool value(FILE *out, struct decode *d, int depth) {
    struct decode from = *d;
    uint64_t number;
    int64_t negative;
    uint32_t count;
    bool flag;
    struct slice text;
    if (decode_nil(d)) return fputs("null", out) >= 0;
    if (decode_uint(d, &number)) return fprintf(out, "%" PRIu64, number) > 0;
    *d = from;
    if (decode_int(d, &negative)) return fprintf(out, "%" PRId64, negative) > 0;
    *d = from;
    if (decode_bool(d, &flag)) return fputs(flag ? "true" : "false", out) >= 0;
    *d = from;
    if (decode_slice(d, &text)) {
        emit_quoted(out, text);
        return true;
    }
    *d = from;
    if (decode_array(d, &count)) return many(out, d, count, false, depth);
    *d = from;
    if (decode_map(d, &count)) return many(out, d, count, true, depth);
    return false;
}

bool emit_msgpack(FILE *out, struct decode *d) { return value(out, d, 0); }
