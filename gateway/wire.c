#include "gateway/wire.h"
#include <assert.h>
#include <string.h>

enum { DIGITS_MAX = 15 };

static void broken(struct wire *w, enum code code, const char *why) {
    w->in_body = w->state != WIRE_HEAD;
    w->state = WIRE_BROKEN;
    w->code = code;
    w->why = why;
}

/* ---- heads ---- */

/* The head is whole: `len` bytes of it. */
static size_t head_end(struct wire *w, size_t memory_max, const uint8_t *data, size_t len) {
    struct head h;
    if (!head_lint(slice_of(data, len), memory_max, &h)) {
        broken(w, h.code, h.why);
        return 0;
    }
    w->heads++;
    w->searched = 0;
    w->line_passed = false;
    if (h.facts.upgrades) w->state = WIRE_UPGRADED;
    else if (h.facts.chunked) w->state = WIRE_SIZE;
    else if (h.facts.content_length > 0) w->state = WIRE_LENGTH;
    w->left = h.facts.content_length;
    w->digits = 0;
    return len;
}

/* One more line of a head, [at, end) with its line feed. False when it breaks. */
static bool head_line(struct wire *w, const uint8_t *data, size_t at, size_t end) {
    struct head h;
    if (end - at < 2 || data[end - 2] != '\r') {
        broken(w, CODE_VALIDATION_ERROR, "a line of the request's head ends without CR LF");
    } else if (!w->line_passed) {
        if (line_lint(slice_of(data + at, end - at - 2), &h)) w->line_passed = true;
        else broken(w, h.code, h.why);
    }
    return w->state == WIRE_HEAD;
}

/* Bytes of a whole, sound head; 0 when it is not whole or broken. */
static size_t head_scan(struct wire *w, size_t memory_max, const uint8_t *data, size_t len) {
    size_t at = w->searched;
    const uint8_t *feed;
    while ((feed = memchr(data + at, '\n', len - at)) != NULL) {
        size_t end = (size_t)(feed - data) + 1;
        if (!head_line(w, data, at, end)) return 0;
        if (end - at == 2) return head_end(w, memory_max, data, end);
        at = end;
    }
    w->searched = (uint32_t)at;
    if (len + HEAD_ROOM > memory_max) {
        broken(w, w->line_passed ? CODE_HEADERS_TOO_LARGE : CODE_URI_TOO_LONG, NULL);
    } else if (at == 0 && !(len == 1 && data[0] == '\r') && (data[0] <= 0x20 || data[0] >= 0x7f)) {
        broken(w, CODE_VALIDATION_ERROR, "the request's first line is malformed");
    }
    return 0;
}

/* Empty lines before a head. A lone CR waits for what follows. */
static size_t blank_lines(const struct wire *w, const uint8_t *data, size_t len) {
    size_t n = 0;
    if (w->searched > 0 || w->line_passed) return 0;
    while (len - n >= 2 && data[n] == '\r' && data[n + 1] == '\n') n += 2;
    return n;
}

/* ---- chunks ---- */

static void chunk_broken(struct wire *w) {
    broken(w, CODE_VALIDATION_ERROR, "the chunked body is malformed");
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool plain(uint8_t c) { return (c >= 0x20 || c == '\t') && c != 0x7f; }

static void size_byte(struct wire *w, uint8_t c) {
    int digit = hex_digit(c);
    if (digit >= 0 && w->digits < DIGITS_MAX) {
        w->left = w->digits++ == 0 ? (uint64_t)digit : w->left * 16 + (uint64_t)digit;
    } else if (digit >= 0) {
        broken(w, CODE_PAYLOAD_TOO_LARGE, "a chunk is too large");
    } else if (w->digits > 0 && c == '\r') {
        w->state = WIRE_SIZE_LF;
    } else if (w->digits > 0 && c == ';') {
        w->state = WIRE_EXTENSION;
        w->extra = 0;
    } else {
        chunk_broken(w);
    }
}

static void trailer_byte(struct wire *w, uint8_t c) {
    static const char stray[] = "()<>@,;\\\"/[]?={}";
    if (++w->extra > TRAILERS_MAX) {
        broken(w, CODE_HEADERS_TOO_LARGE, "the trailers are too long");
    } else if (w->state == WIRE_TRAILER && c == '\r') {
        w->state = WIRE_LAST_LF;
    } else if (w->state == WIRE_VALUE) {
        if (c == '\r') w->state = WIRE_TRAILER_LF;
        else if (!plain(c)) chunk_broken(w);
    } else if (w->state == WIRE_NAME && c == ':') {
        w->state = WIRE_VALUE;
    } else if (c <= 0x20 || c >= 0x7f || c == ':' || memchr(stray, c, sizeof stray - 1) != NULL) {
        chunk_broken(w);
    } else {
        if (w->state == WIRE_TRAILER && ++w->lines > TRAILER_LINES_MAX) chunk_broken(w);
        else w->state = WIRE_NAME;
    }
}

static void line_feed(struct wire *w, uint8_t c, enum wire_state next) {
    if (c == '\n') w->state = next;
    else chunk_broken(w);
}

/* One byte of the framing; the wire is BROKEN when it is wrong. */
static void frame_byte(struct wire *w, uint8_t c) {
    switch (w->state) {
    case WIRE_SIZE: size_byte(w, c); break;
    case WIRE_EXTENSION:
        if (c == '\r') w->state = WIRE_SIZE_LF;
        else if (!plain(c) || ++w->extra > EXTENSION_MAX) chunk_broken(w);
        break;
    case WIRE_SIZE_LF:
        line_feed(w, c, w->left > 0 ? WIRE_CHUNK : WIRE_TRAILER);
        w->extra = w->lines = 0;
        break;
    case WIRE_CHUNK_CR:
        if (c == '\r') w->state = WIRE_CHUNK_LF;
        else chunk_broken(w);
        break;
    case WIRE_CHUNK_LF:
        line_feed(w, c, WIRE_SIZE);
        w->digits = 0;
        break;
    case WIRE_TRAILER:
    case WIRE_NAME:
    case WIRE_VALUE: trailer_byte(w, c); break;
    case WIRE_TRAILER_LF: line_feed(w, c, WIRE_TRAILER); break;
    case WIRE_LAST_LF: line_feed(w, c, WIRE_HEAD); break;
    case WIRE_HEAD:
    case WIRE_LENGTH:
    case WIRE_CHUNK:
    case WIRE_UPGRADED:
    case WIRE_BROKEN: assert(!"no state of the framing");
    }
}

/* ---- all of it ---- */

static size_t body_scan(struct wire *w, size_t len) {
    size_t n = w->left < len ? (size_t)w->left : len;
    w->left -= n;
    if (w->left == 0) w->state = w->state == WIRE_CHUNK ? WIRE_CHUNK_CR : WIRE_HEAD;
    return n;
}

size_t wire_scan(struct wire *w, size_t memory_max, const uint8_t *data, size_t len) {
    size_t at = 0, blank, n;
    while (at < len && w->state < WIRE_UPGRADED) {
        if (w->state == WIRE_HEAD) {
            blank = blank_lines(w, data + at, len - at);
            at += blank;
            n = at < len ? head_scan(w, memory_max, data + at, len - at) : 0;
            at += n;
            if (n == 0 && w->state == WIRE_HEAD) break;
        } else if (w->state == WIRE_LENGTH || w->state == WIRE_CHUNK) {
            at += body_scan(w, len - at);
        } else {
            frame_byte(w, data[at]);
            at += w->state != WIRE_BROKEN;
        }
    }
    return at;
}
