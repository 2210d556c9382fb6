/* lint.h - the strict reading of a request's head, before anything acts on it.
 *
 * It reads the raw bytes as they came, from the method to the blank line. Refused are
 *   lines that do not end in CR LF; folded lines; a blank before a colon; control bytes, NUL
 *   Content-Length beside Transfer-Encoding; either of them twice; a length that is no number
 *   a transfer coding other than one "chunked"; chunked in HTTP/1.0
 *   no Host in HTTP/1.1; Host twice; a Host with a path, blank or user part
 *   a target that is not /path (absolute-form, *, authority), or holds bytes outside of 0x21-0x7e
 *   methods that no route can have (TRACE, CONNECT, …); names that are no token
 *   more than HEADERS_MAX headers
 * with VALIDATION_ERROR; another major version with VERSION_NOT_SUPPORTED; a length beyond 18
 * digits with PAYLOAD_TOO_LARGE; and a head that would take more memory in libmicrohttpd than a
 * connection has, its cookies and HEAD_ROOM for the answer counted, with URI_TOO_LONG when the
 * first line alone is over it and HEADERS_TOO_LARGE else.
 *
 * Pure. */
#ifndef RELAIS_GATEWAY_LINT_H
#define RELAIS_GATEWAY_LINT_H
#include "proto/base/bytes.h"
#include "proto/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HEADERS_MAX = 64,
    HEADER_COST = 64, /* libmicrohttpd's record of one header or cookie */
    HEAD_ROOM = 1664  /* of a connection's memory: what the answer's head and trailers take */
};

struct header { const char *name, *value; };

struct head_facts { /* what the lint learned */
    uint64_t content_length; /* 0 = none */
    bool chunked, has_body, http_1_0, expects_continue;
    bool upgrades; /* asks for a WebSocket: what follows is no request */
};

struct head {
    struct head_facts facts;
    enum code code;  /* CODE_OK, or why it is refused: */
    const char *why; /* a static sentence, or NULL: the code's own */
};

/* The first line, without its end. False with code and why. */
bool line_lint(struct slice line, struct head *ret);
/* A whole head, its blank line included. memory_max: of the connection. False with code and why. */
bool head_lint(struct slice bytes, size_t memory_max, struct head *ret);
/* What can be read of the method and the target of a head that may be cut or malformed; else empty.
 * Slices of `bytes`. */
void head_guess(struct slice bytes, struct slice *ret_method, struct slice *ret_target);
/* The facts of a head that passed, from libmicrohttpd's reading of it. */
void head_facts(const struct header *headers, uint32_t count, const char *version,
                struct head_facts *ret);
#endif
