/* The multipart parser: real clients' bodies in every cut, and what it refuses. */
#include "gateway/form.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

struct seen { char text[65536]; size_t len; uint32_t stop_at; uint32_t parts; };

static void add(struct seen *s, const void *data, size_t len) {
    if (s->len + len < sizeof s->text) memcpy(s->text + s->len, data, len);
    s->len += len;
    s->text[s->len] = '\0';
}
static void add_text(struct seen *s, const char *text) { add(s, text, strlen(text)); }

static bool on_part(void *context, const struct form_part *part) {
    struct seen *s = context;
    if (++s->parts == s->stop_at) return false;
    add_text(s, "[");
    add_text(s, part->name);
    if (part->file_name != NULL) {
        add_text(s, "|");
        add_text(s, part->file_name);
    }
    add_text(s, "|");
    add_text(s, part->mime);
    add_text(s, ":");
    return true;
}
static bool on_data(void *context, struct slice bytes) {
    add(context, bytes.data, bytes.len);
    return true;
}
static bool on_close(void *context) {
    add_text(context, "]");
    return true;
}

static struct seen seen;
static struct form form;

static enum form_state parse(const char *type, const char *body, size_t len, size_t cut) {
    seen.len = 0;
    seen.parts = 0;
    seen.text[0] = '\0';
    struct form_sink sink = {&seen, on_part, on_data, on_close};
    if (!form_open(&form, type, 8, sink)) return FORM_BAD;
    enum form_state state = FORM_GO;
    for (size_t at = 0; at < len && state == FORM_GO; at += cut) {
        /* a copy of exactly these bytes, so that reading beyond them shows under a sanitizer */
        size_t n = len - at < cut ? len - at : cut;
        uint8_t *copy = malloc(n);
        memcpy(copy, body + at, n);
        state = form_feed(&form, slice_of(copy, n));
        free(copy);
    }
    return state;
}

static const char type[] = "multipart/form-data; boundary=XyZ";

static bool gives(const char *body, size_t len, const char *want, const char *fact) {
    bool same = true;
    for (size_t cut = 1; cut <= len && same; cut++) {
        same = parse(type, body, len, cut) == FORM_END && strcmp(seen.text, want) == 0;
        if (!same) note("cut %zu: %s %s", cut, seen.text, form_why(&form) ? form_why(&form) : "");
    }
    return ok(same, fact);
}
#define GIVES(body, want, fact) gives(body, sizeof(body) - 1, want, fact)

static bool refuses(const char *body, const char *word) {
    enum form_state state = parse(type, body, strlen(body), 7);
    bool said = state == FORM_BAD && strstr(form_why(&form), word) != NULL;
    if (!said) note("state %d why %s", state, form_why(&form) ? form_why(&form) : "-");
    return said;
}

#define PART "--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"

static void takes(void) {
    GIVES(PART "one\r\n--XyZ--\r\n", "[a|:one]", "one field");
    GIVES(PART "\r\n--XyZ--", "[a|:]", "an empty field, and no line break at the end");
    GIVES("--XyZ\r\ncontent-disposition: form-data; name=audioFile; filename=\"x.wav\"\r\n"
          "Content-Type: Audio/Wav; rate=1\r\n\r\nRIFF\r\n--XyZ\r\n"
          "Content-Disposition: form-data; name=\"language\"\r\n\r\nen\r\n--XyZ--\r\ntrailing",
          "[audioFile|x.wav|audio/wav:RIFF][language|:en]", "a file and a field");
    GIVES(PART "a\r\n--Xy\r\n--XyY\r\r\n-\r\n\r\n--XyZ--", "[a|:a\r\n--Xy\r\n--XyY\r\r\n-\r\n]",
          "what only resembles the boundary is data");
    GIVES(PART "\r\r\n\r\r\n--XyZ--", "[a|:\r\r\n\r]", "CRs right before the boundary are data");
    GIVES("--XyZ\r\nContent-Disposition: form-data; name=\"f\"; "
          "filename=\"C:\\\\dir\\\\a \\\"b.x\"\r\n\r\n1\r\n--XyZ--", "[f|a \"b.x|:1]",
          "escapes are undone, folders cut off");
    GIVES("--XyZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"; "
          "filename*=UTF-8''%C3%A9t%C3%A9.mp3\r\n\r\n1\r\n--XyZ--", "[f|été.mp3|:1]",
          "the extended file name goes before the plain one");
    GIVES("--XyZ\r\nContent-Disposition: form-data; name=\"f\"; "
          "filename=\"../../etc/passwd\"\r\n\r\n1\r\n--XyZ--", "[f|passwd|:1]",
          "a path is never a file name");
    ok(parse("Multipart/Form-Data ;boundary=\"Xy Z'()+_,-./:=?0\"",
             "--Xy Z'()+_,-./:=?0--", 21, 3) == FORM_END, "a quoted boundary, and no part at all");
}

static void malformed(void) {
    ok(refuses("hello" PART "x\r\n--XyZ--", "begin"), "a preamble is refused");
    ok(refuses("\r\n" PART "x\r\n--XyZ--", "begin"), "even an empty one");
    ok(refuses("--XyZ\nContent-Disposition: form-data; name=a\n\nx\n--XyZ--", "end its line"),
       "bare LFs are refused");
    ok(refuses("--XyZ\r\n\r\nx\r\n--XyZ--", "no Content-Disposition"), "a part needs a name");
    ok(refuses("--XyZ\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XyZ--", "no proper name"),
       "in its Content-Disposition");
    ok(refuses("--XyZ\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx", "no proper name"),
       "which is not empty");
    ok(refuses("--XyZ\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx", "not form-data"),
       "another disposition is refused");
    ok(refuses("--XyZ\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx",
               "no proper name"),
       "two names are refused");
    ok(refuses("--XyZ\r\nContent-Disposition : form-data; name=a\r\n\r\nx", "malformed"),
       "a blank before the colon is refused");
    ok(refuses("--XyZ\r\nContent-Disposition: form-data; name=a\r\n b: c\r\n\r\nx", "malformed"),
       "a folded line is refused");
    ok(refuses("--XyZ\r\nContent-Disposition: form-data; name=a\x01\r\n\r\nx", "control"),
       "a control byte is refused");
    ok(refuses("--XyZ\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: "
               "base64\r\n\r\nx", "Transfer"), "base64 is refused");
    ok(refuses(PART "1\r\n" PART "2\r\n" PART "3\r\n" PART "4\r\n" PART "5\r\n" PART "6\r\n" PART
               "7\r\n" PART "8\r\n" PART "9\r\n--XyZ--", "too many"), "parts are bounded");
    static char longer[FORM_HEAD_MAX + 64] = "--XyZ\r\nX: ";
    memset(longer + 10, 'a', FORM_HEAD_MAX);
    ok(refuses(longer, "too long"), "a part's headers are bounded");
    ok(parse(type, PART "cut", sizeof PART + 2, 5) == FORM_GO, "a cut body has not ended");
    seen.stop_at = 2;
    ok(parse(type, PART "1\r\n" PART "2", 2 * sizeof PART + 2, 9) == FORM_STOPPED,
       "the caller can stop it");
    seen.stop_at = 0;
}

static void types(void) {
    struct form_sink sink = {&seen, on_part, on_data, on_close};
    ok(!form_open(&form, "multipart/form-data", 8, sink), "a boundary is needed");
    ok(!form_open(&form, "multipart/form-data; boundary=", 8, sink), "that is not empty");
    ok(!form_open(&form, "multipart/form-data; boundary=\"a\rb\"", 8, sink), "nor malformed");
    ok(!form_open(&form, "multipart/form-data; boundary=a; boundary=b", 8, sink), "nor double");
    ok(!form_open(&form, "multipart/mixed; boundary=a", 8, sink), "another type is refused");
    ok(!form_open(&form, "multipart/form-data; boundary="
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 8,
                  sink),
       "71 bytes are too long");
    char text[8];
    is_int(header_parameter("a; b=c;d = e", "b", text, sizeof text), -2, "blanks around = are bad");
    is_int(header_parameter("a; b=\"12345678\"", "b", text, sizeof text), -2, "too long is bad");
    is_int(header_parameter("a; b=1", "c", text, sizeof text), -1, "absent is told apart");
}

int main(void) {
    takes();
    malformed();
    types();
    return done();
}
