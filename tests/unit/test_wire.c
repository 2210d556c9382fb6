/* What passes to libmicrohttpd: sound heads as a whole, bodies byte for byte, nothing else. */
#include "gateway/handshake.h"
#include "gateway/wire.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

enum { MEMORY = 8192 };

#define HOST "Host: a\r\n"
#define GET "GET /a?b HTTP/1.1\r\n" HOST
#define POST "POST /a HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

/* Feeds it `step` bytes at a time, as strain.c does: what did not pass comes again with what
 * follows it. Gives how much has passed. */
static size_t feed(struct wire *w, const char *text, size_t len, size_t step) {
    size_t passed = 0, here = 0;
    *w = (struct wire){0};
    while (here < len && w->state < WIRE_UPGRADED) {
        here = len - here < step ? len : here + step;
        uint8_t *copy = malloc(here - passed); /* its end is watched by the sanitizers */
        memcpy(copy, text + passed, here - passed);
        passed += wire_scan(w, MEMORY, copy, here - passed);
        free(copy);
    }
    return passed;
}

/* The same in every step. */
static bool passes(const char *text, size_t len, size_t want, struct wire *ret) {
    bool same = true;
    for (size_t step = len; step > 0; step = step > 8 ? step / 2 : step - 1) {
        same = feed(ret, text, len, step) == want && same;
        if (!same) note("%zu of %zu in steps of %zu", feed(ret, text, len, step), want, step);
    }
    return same;
}

static void test_sound(void) {
    static const char *const whole[] = {
        GET "\r\n", "\r\n\r\n" GET "\r\n", GET "\r\n" GET "\r\n\r\n" GET "\r\n",
        POST "Content-Length: 5\r\n\r\nab\r\nc" GET "\r\n",
        CHUNKED "5\r\nabcde\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n" GET "\r\n",
        CHUNKED "00\r\nX: y\r\nZ:\r\n\r\n" GET "\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        GET "X:\r\nY: \t b \r\n\r\n",
        POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        struct wire w;
        size_t len = strlen(whole[i]);
        ok(passes(whole[i], len, len, &w) && w.state == WIRE_HEAD, "a sound request passes whole");
    }
}

struct wrong { const char *text; size_t sound; enum code code; bool in_body; };

static void test_wrong(void) {
    static const struct wrong list[] = {
        {"GET /\r\n", 0, CODE_VALIDATION_ERROR, false},
        {"GET / HTTP/2.0\r\n", 0, CODE_VERSION_NOT_SUPPORTED, false},
        {"GET / HTTP/1.1\n", 0, CODE_VALIDATION_ERROR, false},
        {"\x16\x03\x01", 0, CODE_VALIDATION_ERROR, false},
        {"\r\r", 2 - 2, CODE_VALIDATION_ERROR, false},
        {GET "a\r\n\r\n", 0, CODE_VALIDATION_ERROR, false},
        {GET HOST "\r\n", 0, CODE_VALIDATION_ERROR, false},
        {GET " folded\r\n\r\n", 0, CODE_VALIDATION_ERROR, false},
        {POST "Content-Length: 1234567890123456789\r\n\r\n", 0, CODE_PAYLOAD_TOO_LARGE, false},
        {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0, CODE_VALIDATION_ERROR,
         false},
        {GET "\r\nGET", sizeof GET + 1, CODE_OK, false},
        {GET "\r\nget / HTTP/1.1\r\n", sizeof GET + 1, CODE_VALIDATION_ERROR, false},
        {CHUNKED "g", sizeof CHUNKED - 1, CODE_VALIDATION_ERROR, true},
        {CHUNKED "\r\n", sizeof CHUNKED - 1, CODE_VALIDATION_ERROR, true},
        {CHUNKED "1\n", sizeof CHUNKED, CODE_VALIDATION_ERROR, true},
        {CHUNKED "1\r\nab", sizeof CHUNKED + 3, CODE_VALIDATION_ERROR, true},
        {CHUNKED "1234567890123456", sizeof CHUNKED - 1 + 15, CODE_PAYLOAD_TOO_LARGE, true},
        {CHUNKED "0\r\nX\r", sizeof CHUNKED + 3, CODE_VALIDATION_ERROR, true},
        {CHUNKED "0\r\n folded", sizeof CHUNKED + 2, CODE_VALIDATION_ERROR, true},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct wire w;
        bool fits = passes(list[i].text, strlen(list[i].text), list[i].sound, &w);
        ok(fits && w.code == list[i].code && w.in_body == list[i].in_body,
           "only what stands before the first wrong byte passes");
        if (tap.failed > 0) note("%s: %d %s", list[i].text, w.code, w.why ? w.why : "");
    }
}

static void test_bounds(void) {
    static char text[3 * MEMORY];
    struct wire w;
    size_t n = (size_t)snprintf(text, sizeof text, "GET /");
    memset(text + n, 'a', MEMORY);
    ok(passes(text, MEMORY, 0, &w) && w.code == CODE_URI_TOO_LONG, "a long target is refused");
    n = (size_t)snprintf(text, sizeof text, "%sX: ", GET);
    memset(text + n, 'a', MEMORY);
    ok(passes(text, MEMORY, 0, &w) && w.code == CODE_HEADERS_TOO_LARGE, "a long header is refused");
    n = (size_t)snprintf(text, sizeof text, "%s", GET);
    for (int i = 0; i < 70; i++) n += (size_t)snprintf(text + n, sizeof text - n, "X: y\r\n");
    n += (size_t)snprintf(text + n, sizeof text - n, "\r\n");
    ok(passes(text, n, 0, &w) && w.state == WIRE_BROKEN, "too many headers are refused");
    n = (size_t)snprintf(text, sizeof text, "%sCookie: ", GET);
    for (int i = 0; i < 120; i++) n += (size_t)snprintf(text + n, sizeof text - n, "a=b;");
    n += (size_t)snprintf(text + n, sizeof text - n, "\r\n\r\n");
    ok(passes(text, n, 0, &w) && w.code == CODE_HEADERS_TOO_LARGE, "cookies cost what they take");
    n = (size_t)snprintf(text, sizeof text, "%s0\r\n", CHUNKED);
    for (int i = 0; i < 9; i++) n += (size_t)snprintf(text + n, sizeof text - n, "X:\r\n");
    ok(feed(&w, text, n, n) < n && w.in_body, "too many trailers are refused");
}

static void test_upgrade(void) {
    struct wire w;
    const char *text = GET "Upgrade: WebSocket\r\n\r\n\x81\x80....";
    size_t head = strlen(text) - 6;
    ok(passes(text, strlen(text), head, &w) && w.state == WIRE_UPGRADED,
       "behind a request for a WebSocket nothing passes");
    struct header h[] = {{"upgrade", "websocket"}, {"Connection", "keep-alive,Upgrade"},
                         {"Sec-WebSocket-Version", "13"},
                         {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    char accept[ACCEPT_SIZE];
    const char *why;
    ok(handshake_read(h, 4, accept, &why) == CODE_OK, "a handshake is taken");
    is_text(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "its answer is the document's");
    h[3].value = "dGhlIHNhbXBsZSBub25jZQ=";
    ok(handshake_read(h, 4, accept, &why) == CODE_VALIDATION_ERROR, "a key of another length");
    ok(handshake_read(h, 3, accept, &why) == CODE_VALIDATION_ERROR, "no key");
    ok(handshake_read(h + 1, 3, accept, &why) == CODE_UPGRADE_REQUIRED, "no upgrade");
}

static void test_guess(void) {
    struct slice method, target;
    head_guess(slice_text("GET /tasks/?x HTT"), &method, &target);
    ok(slice_equal(method, slice_text("GET")) && slice_equal(target, slice_text("/tasks/?x")),
       "method and target of a cut head are found");
    head_guess(slice_text("\x16\x03\x01 /x"), &method, &target);
    ok(method.len == 0 && target.len == 0, "and of what is no head nothing is");
    head_guess(slice_text("GET"), &method, &target);
    ok(target.len == 0, "nor a target where none is");
}

int main(void) {
    test_sound();
    test_wrong();
    test_bounds();
    test_upgrade();
    test_guess();
    return done();
}
