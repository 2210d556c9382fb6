/* What Accept headers allow. */
#include "gateway/accept.h"
#include "tests/unit/tap.h"

static const char json[] = "application/json";

static void allowed(void) {
    static const char *const headers[] = {
        "application/json", "Application/JSON", "*/*", "application/*", "", "  ", ",,", "json",
        "text/html, application/xhtml+xml, */*;q=0.8", "application/json; indent=4; q=0.2",
        "*/*;q=0, application/json", "text/*, application/json;q=0.001",
        "text/html;x=\"a,b\";q=0.5,*/*", "application/json;q=0, application/json",
        "application/json;charset=utf-8"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        note("Accept: %s", headers[i]);
        ok(accept_allows(headers[i], json), "JSON may be answered");
    }
}

static void refused(void) {
    static const char *const headers[] = {
        "text/html", "application/xml", "text/*", "application/json;q=0", "*/*;q=0",
        "application/json; q=0.0, */*", "application/*;q=0, */*", "application/jsonp",
        "application/jso", "text/html;x=\"application/json\"",
        "text/html;x=\"a,application/json\"", "text/html;x=\"\\\",application/json"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        note("Accept: %s", headers[i]);
        ok(!accept_allows(headers[i], json), "JSON may not be answered");
    }
}

int main(void) {
    allowed();
    refused();
    return done();
}
