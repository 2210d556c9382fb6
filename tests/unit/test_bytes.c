/* Slices, buffers, UTF-8 and log lines. */
#include "proto/base/bytes.h"
#include "proto/base/find.h"
#include "proto/base/utf8.h"
#include "proto/host/log.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static void test_slices(void) {
    ok(slice_equal(slice_text(""), (struct slice){0}), "empty slices are equal");
    ok(slice_equal(slice_text("ab"), slice_of("abc", 2)), "equal bytes are equal");
    ok(!slice_equal(slice_text("ab"), slice_text("ac")), "other bytes are not");
    ok(!slice_equal(slice_text("ab"), slice_text("abc")), "a prefix is not equal");
}

static void test_buffers(void) {
    struct buffer b = {0};
    char want[10001];
    for (int i = 0; i < 10000; i++) {
        want[i] = (char)('a' + i % 26);
        buffer_byte(&b, (uint8_t)want[i]);
    }
    ok(b.len == 10000 && !b.failed && memcmp(b.data, want, 10000) == 0, "a buffer grows");
    buffer_append(&b, "xyz", 3);
    ok(b.len == 10003 && memcmp(b.data + 10000, "xyz", 3) == 0, "appends go to its end");
    size_t cap = b.cap;
    buffer_clear(&b);
    ok(b.len == 0 && b.cap == cap, "clear keeps the memory");
    ok(!buffer_reserve(&b, SIZE_MAX / 2) && b.failed, "what memory cannot give fails");
    buffer_append(&b, "x", 1);
    is_int(b.len, 0, "after a failure appends are dropped");
    buffer_free(&b);
    ok(b.data == NULL && b.cap == 0 && !b.failed, "free leaves an empty buffer");
}

static void test_find(void) {
    uint8_t text[200];
    int wrong = 0;
    uint32_t dice = 7;
    for (int round = 0; round < 20000; round++) {
        const size_t len = (dice = dice * 1664525 + 1013904223) >> 16 & 127, from = dice >> 25;
        const size_t what = 1 + (dice >> 13) % 5, at = len > 0 ? (dice >> 8) % len : 0;
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (uint8_t)('a' + ((dice = dice * 1664525 + 1013904223) >> 24) % 3);
        const uint8_t *begin = text + from % 40, *end = begin + len, *part = text + at;
        wrong += find(begin, end, part, what) != memmem(begin, len, part, what);
    }
    is_int(wrong, 0, "a text is found where memmem finds it");
}

static void test_utf8(void) {
    ok(utf8_valid(slice_text("aé€😀")), "one to four bytes are valid");
    static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf",
                                      "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "a\xff"};
    bool refused = true;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refused = refused && !utf8_valid(slice_text(bad[i]));
    }
    ok(refused, "overlong, surrogate, out of range, stray and cut bytes are not");
    is_int(utf8_cut(slice_text("aé€"), 2), 1, "a cut does not split a character");
    is_int(utf8_cut(slice_text("aé€"), 3), 3, "and keeps whole ones");
    is_int(utf8_cut(slice_text("aé"), 9), 3, "a short text is not cut");
    uint32_t codes = 0, code = 0;
    for (uint32_t value = 1; value < 0x110000; value++) {
        uint8_t text[4] = {(uint8_t)value};
        uint32_t len = value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
        for (uint32_t i = len - 1, left = value; len > 1 && i > 0; i--, left >>= 6) {
            text[i] = (uint8_t)(0x80 | (left & 0x3f));
        }
        if (len > 1) {
            text[0] = (uint8_t)((0xf00u >> len) | value >> (6 * (len - 1)));
        }
        codes += utf8_next(slice_of(text, len), &code) == len && code == value;
    }
    is_int(codes, 0x10ffff - 0x800, "every code but the surrogates is read");
}

static const char *line_of(const struct log_field *fields, size_t count) {
    static char line[LOG_LINE_MAX + 1];
    size_t len = log_format(line, 0, LEVEL_WARN, "it happened", fields, count);
    line[len] = 0;
    return line;
}
#define LINE(...) line_of(LOG_FIELDS(__VA_ARGS__) + 1, LOG_COUNT(__VA_ARGS__))

static void test_log(void) {
    is_text(line_of(NULL, 0), "1970-01-01T00:00:00.000Z warn relais: it happened\n",
            "a record without fields");
    is_text(LINE(field_number("task", UINT64_MAX), field_signed("at", -5), field_text("q", "a.b")),
            "1970-01-01T00:00:00.000Z warn relais: it happened task=18446744073709551615 at=-5 "
            "q=a.b\n",
            "fields follow as key=value");
    is_text(LINE(field_text("t", "a b\n\"\\\t\r\x01\x7f"), field_text("e", "")),
            "1970-01-01T00:00:00.000Z warn relais: it happened "
            "t=\"a b\\n\\\"\\\\\\t\\r\\x01\\x7f\" e=\"\"\n",
            "control bytes and quotes are escaped, the line stays one line");
    is_text(LINE(field_text("t", "é\xff\xc2\x85\xe2\x80\xa8")),
            "1970-01-01T00:00:00.000Z warn relais: it happened "
            "t=\"é\\xff\\xc2\\x85\\xe2\\x80\\xa8\"\n",
            "UTF-8 stays; broken bytes, C1 controls and line separators are escaped");
    is_text(LINE(field_text("t", NULL)), "1970-01-01T00:00:00.000Z warn relais: it happened t=-\n",
            "no text is a dash");
    char *large = malloc(100000);
    memset(large, 1, 99999);
    large[99999] = 0;
    const char *line = LINE(field_text("t", large));
    ok(strlen(line) <= LOG_LINE_MAX && strcmp(line + strlen(line) - 2, "~\n") == 0 &&
           strchr(line, '\n') == line + strlen(line) - 1,
       "a long line is cut and says so");
    free(large);
    enum log_level level = LEVEL_INFO;
    ok(log_level_parse("error", &level) && level == LEVEL_ERROR && !log_level_parse("x", &level),
       "levels have names");
}

int main(void) {
    test_slices();
    test_buffers();
    test_find();
    test_utf8();
    test_log();
    return done();
}
