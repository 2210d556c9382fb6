#include "gateway/lint.h"
#include "proto/base/word.h"
#include <string.h>
#include <strings.h>

static bool refuse(struct head *h, enum code code, const char *why) {
    h->code = code;
    h->why = why;
    return false;
}

static bool bad(struct head *h, const char *why) { return refuse(h, CODE_VALIDATION_ERROR, why); }

static bool is(struct slice s, const char *text) {
    size_t len = strlen(text);
    return s.len == len && strncasecmp((const char *)s.data, text, len) == 0;
}

static bool same(struct slice s, const char *text) { return slice_equal(s, slice_text(text)); }

/* ---- the first line ---- */

static bool method_fits(struct slice method) {
    static const char *const methods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                          "PATCH", "DELETE", "OPTIONS", NULL};
    for (const char *const *m = methods; *m != NULL; m++) {
        if (same(method, *m)) return true;
    }
    return false;
}

static bool target_fits(struct slice target, struct head *h) {
    if (target.len == 0 || target.data[0] != '/') {
        return bad(h, "the request's target is not a path");
    }
    for (uint32_t i = 0; i < target.len; i++) {
        uint8_t c = target.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '#') {
            return bad(h, "the request's target has a stray byte");
        }
    }
    return true;
}

static bool version_fits(struct slice version, struct head *h) {
    h->facts.http_1_0 = same(version, "HTTP/1.0");
    if (h->facts.http_1_0 || same(version, "HTTP/1.1")) return true;
    bool shape = version.len == 8 && memcmp(version.data, "HTTP/", 5) == 0 &&
                 version.data[5] >= '0' && version.data[5] <= '9' && version.data[6] == '.' &&
                 version.data[7] >= '0' && version.data[7] <= '9';
    if (shape && version.data[5] != '1') return refuse(h, CODE_VERSION_NOT_SUPPORTED, NULL);
    return bad(h, "HTTP/1.0 and 1.1 are spoken");
}

bool line_lint(struct slice line, struct head *ret) {
    const uint8_t *end = line.data + line.len;
    const uint8_t *one = memchr(line.data, ' ', line.len);
    const uint8_t *two = memrchr(line.data, ' ', line.len);
    *ret = (struct head){0};
    if (one == two) return bad(ret, "the request's first line is malformed");
    struct slice method = slice_of(line.data, (size_t)(one - line.data));
    struct slice version = slice_of(two + 1, (size_t)(end - two - 1));
    if (!version_fits(version, ret)) return false;
    if (!method_fits(method)) return bad(ret, "this method is not taken");
    return target_fits(slice_of(one + 1, (size_t)(two - one - 1)), ret);
}

/* ---- the other lines ---- */

/* Bit c % 64 of word c / 64: "()<>@,;:\\\"/[]?={}", controls, the blank and all above 0x7e. */
static bool name_fits(struct slice name) {
    static const uint64_t stray[4] = {0xfc009305ffffffff, 0xa800000038000001, UINT64_MAX,
                                      UINT64_MAX};
    uint64_t found = 0;
    for (uint32_t i = 0; i < name.len; i++) {
        found |= stray[name.data[i] >> 6] >> (name.data[i] & 63);
    }
    return name.len > 0 && !(found & 1);
}

/* Not 0 when one of eight bytes is a control byte. */
static uint64_t controls(uint64_t word) { return word_below(word, 0x20) | word_has(word, 0x7f); }

static bool value_fits(struct slice value) {
    const uint8_t *at = value.data, *end = at + value.len;
    while (at < end) {
        if (end - at >= 8 && !controls(word_load(at))) {
            at += 8;
            continue;
        }
        uint8_t c = *at++;
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

static bool host_fits(struct slice host) {
    static const char marks[] = ".-_:[]%~!$&'()*+,;=";
    for (uint32_t i = 0; i < host.len; i++) {
        uint8_t c = host.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && memchr(marks, c, sizeof marks - 1) == NULL) return false;
    }
    return true;
}

static bool length_read(struct slice text, struct head *h) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c < '0' || c > '9') return bad(h, "Content-Length is malformed");
        if (i < 18) value = value * 10 + (uint64_t)(c - '0');
    }
    if (text.len == 0) return bad(h, "Content-Length is malformed");
    if (text.len > 18) return refuse(h, CODE_PAYLOAD_TOO_LARGE, "Content-Length is too large");
    h->facts.content_length = value;
    return true;
}

struct counts { uint32_t headers, hosts, lengths, codings; size_t cost; };

static bool header_note(struct slice name, struct slice value, struct counts *n, struct head *h) {
    switch (name.data[0] | 0x20) {
    case 'h':
        if (!is(name, "Host")) break;
        if (++n->hosts > 1) return bad(h, "Host stands twice");
        return host_fits(value) || bad(h, "Host is malformed");
    case 'c':
        if (is(name, "Cookie")) { /* it is copied, and each of its parts has a record */
            n->cost += value.len + HEADER_COST * 2;
            for (uint32_t i = 0; i < value.len; i++) {
                if (value.data[i] == ';' || value.data[i] == ',') n->cost += HEADER_COST;
            }
        }
        if (!is(name, "Content-Length")) break;
        if (++n->lengths > 1) return bad(h, "Content-Length stands twice");
        return length_read(value, h);
    case 't':
        if (!is(name, "Transfer-Encoding")) break;
        if (++n->codings > 1) return bad(h, "Transfer-Encoding stands twice");
        h->facts.chunked = is(value, "chunked");
        return h->facts.chunked || bad(h, "this Transfer-Encoding is not taken");
    case 'e':
        if (!is(name, "Expect")) break;
        h->facts.expects_continue = is(value, "100-continue");
        return h->facts.expects_continue || bad(h, "this Expect cannot be met");
    case 'u':
        if (is(name, "Upgrade") && is(value, "websocket")) h->facts.upgrades = true;
        break;
    default: break;
    }
    return true;
}

static bool header_lint(struct slice line, struct counts *n, struct head *h) {
    if (++n->headers > HEADERS_MAX) return bad(h, "too many headers");
    n->cost += HEADER_COST;
    const uint8_t *colon = memchr(line.data, ':', line.len);
    if (colon == NULL) return bad(h, "a header's line has no colon");
    struct slice name = slice_of(line.data, (size_t)(colon - line.data));
    struct slice value = slice_of(colon + 1, line.len - name.len - 1);
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value = slice_of(value.data + 1, value.len - 1);
    }
    if (!name_fits(name)) return bad(h, "a header's name is malformed");
    if (!value_fits(value)) return bad(h, "a header's value has a control byte");
    return header_note(name, value, n, h);
}

static bool facts_fit(const struct counts *n, struct head *h) {
    struct head_facts *f = &h->facts;
    if (n->hosts == 0 && !f->http_1_0) return bad(h, "Host is missing");
    if (n->codings > 0 && n->lengths > 0) {
        return bad(h, "Content-Length stands beside Transfer-Encoding");
    }
    if (f->chunked && f->http_1_0) return bad(h, "this Transfer-Encoding is not taken");
    f->has_body = f->chunked || f->content_length > 0;
    return true;
}

/* The line that begins at *at, without its CR LF; false when it ends otherwise. */
static bool line_next(struct slice bytes, size_t *at, struct slice *ret) {
    const uint8_t *from = bytes.data + *at;
    const uint8_t *end = memchr(from, '\n', bytes.len - *at);
    if (end == NULL || end == from || end[-1] != '\r') return false;
    *ret = slice_of(from, (size_t)(end - from) - 1);
    *at = (size_t)(end - bytes.data) + 1;
    return true;
}

bool head_lint(struct slice bytes, size_t memory_max, struct head *ret) {
    struct counts n = {.cost = bytes.len + HEAD_ROOM};
    struct slice line;
    size_t at = 0;
    *ret = (struct head){0};
    if (!line_next(bytes, &at, &line)) return bad(ret, "the request's first line is malformed");
    if (!line_lint(line, ret)) return false;
    if (at + HEAD_ROOM > memory_max) return refuse(ret, CODE_URI_TOO_LONG, NULL);
    for (;;) {
        if (!line_next(bytes, &at, &line)) return bad(ret, "a header's line is malformed");
        if (line.len == 0) break;
        if (!header_lint(line, &n, ret)) return false;
    }
    if (at != bytes.len) return bad(ret, "the request's head is malformed");
    if (n.cost > memory_max) return refuse(ret, CODE_HEADERS_TOO_LARGE, NULL);
    return facts_fit(&n, ret);
}

void head_guess(struct slice bytes, struct slice *ret_method, struct slice *ret_target) {
    uint32_t at = 0, from;
    while (at < bytes.len && bytes.data[at] > 0x20 && bytes.data[at] < 0x7f) at++;
    *ret_method = slice_of(bytes.data, at);
    *ret_target = slice_of(bytes.data, 0);
    if (at == 0 || at == bytes.len || bytes.data[at] != ' ') return;
    from = ++at;
    while (at < bytes.len && bytes.data[at] > 0x20 && bytes.data[at] < 0x7f) at++;
    if (at > from && bytes.data[from] == '/') *ret_target = slice_of(bytes.data + from, at - from);
}

void head_facts(const struct header *headers, uint32_t count, const char *version,
                struct head_facts *ret) {
    struct head h = {0};
    struct counts n = {0};
    h.facts.http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    for (uint32_t i = 0; i < count; i++) {
        header_note(slice_text(headers[i].name), slice_text(headers[i].value), &n, &h);
    }
    h.facts.has_body = h.facts.chunked || h.facts.content_length > 0;
    *ret = h.facts;
}
