/* lint.h - the strict reading of a request's head, before anything acts on it.
 *
 * libmicrohttpd 0.9.75 takes heads that other HTTP software reads differently, which lets a second
 * request be smuggled past a proxy. It parses in place: method, target, version, names and values
 * point into one buffer of known size, so the gaps between them tell what stood there. A head
 * that does not fill its buffer exactly (a bare LF, a NUL, a folded line, a blank before a colon)
 * is refused, and so are
 *   Content-Length beside Transfer-Encoding; either of them twice; a length that is no number;
 *   a transfer coding other than one "chunked"; chunked in HTTP/1.0
 *   no Host in HTTP/1.1; Host twice; a Host with a path, blank or user part
 *   a target that is not /path (absolute-form, *, authority), or holds bytes outside of 0x21-0x7e
 *   methods that no route can have (TRACE, CONNECT, …); versions other than HTTP/1.0 and 1.1
 *   names that are no token; values with control bytes
 *   more than HEADERS_MAX headers
 *
 * Pure. */
#ifndef RELAIS_GATEWAY_LINT_H
#define RELAIS_GATEWAY_LINT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEADERS_MAX = 64 };

struct header { const char *name, *value; };

struct head {
    const char *method, *target, *version; /* target: where it stood, for the gaps */
    const char *target_text;               /* its untouched copy */
    const struct header *headers;
    uint32_t header_count;
    bool too_many;
    size_t size; /* bytes from the method to the blank line's end; 0 = do not look at the gaps */
};

struct head_facts { /* what the lint learned */
    uint64_t content_length; /* 0 = none */
    bool chunked, has_body, http_1_0, expects_continue;
};

/* NULL when the head is sound; else a static sentence. */
const char *head_lint(const struct head *h, struct head_facts *ret);
#endif
