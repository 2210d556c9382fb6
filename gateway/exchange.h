/* exchange.h - one HTTP request and its answer, as a dialect sees it. No dialect knows a socket.
 *
 * Life of an exchange: header lint, route, the dialect's steps (guard.h), then the route's
 *   begin  (optional) before the body is read: may ask the broker first, then exchange_proceed
 *   part   (optional) at each part of a form: false after exchange_refuse = not taken
 *   read   the whole body is there: fills in the message; true = send it, false = already ended
 *          (exchange_refuse, exchange_answer) or gone its own way (exchange_send)
 *   write  the broker's answer is there: writes the answer into x->out, exchange_answer
 * Between these calls the connection is suspended; nothing of that is visible here. An exchange
 * ends exactly once, by exchange_answer, exchange_refuse, exchange_file or exchange_end; answers
 * that arrive later are dropped, a parked WATCH or CLAIM is taken back, a claimed task that finds
 * its client gone is RELEASEd, and uploads that no successful SUBMIT or report names are dropped.
 *
 * All calls happen on the exchange's own thread. Slices and pointers found here live as long as
 * the exchange, those of an answer (message) only during the callback: exchange_copy keeps them.
 *
 * Refusals: every one goes through the dialect's `fail`, the framework's own included. */
#ifndef RELAIS_GATEWAY_EXCHANGE_H
#define RELAIS_GATEWAY_EXCHANGE_H
#include "gateway/form.h"
#include "gateway/json.h"
#include "proto/base/bytes.h"
#include "proto/host/config.h"
#include "proto/message.h"
#include "proto/who.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { PARAMS_MAX = 4, FORM_FIELDS_MAX = 64, UPLOADS_MAX = 4, BRANDS_MAX = 32 };

enum method {
    METHOD_NONE = 0, METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_PATCH,
    METHOD_DELETE, METHOD_OPTIONS, METHOD_COUNT
};

/* One {name} of the pattern: `name` ends at "}", the value is the decoded segment. */
struct param { const char *name; struct slice value; };

struct form_field { const char *name; struct slice value; };

/* A file that came with the request; it is on disk and hashed before `read` is called. */
struct upload {
    const char *name;      /* of the form's field; "" for a raw body */
    const char *file_name; /* last path component only; "" = not given */
    const char *mime;      /* lower case, without parameters */
    uint64_t file, size;
    uint8_t hash[32];      /* SHA-256 */
    bool sealed, taken;    /* the framework's */
};

enum cause { /* why the framework refused; for dialects that name more than enum code does */
    CAUSE_NONE, CAUSE_NO_CREDENTIALS, CAUSE_BAD_CREDENTIALS, CAUSE_ROLE, CAUSE_BRAND_MALFORMED,
    CAUSE_BRAND_FORBIDDEN, CAUSE_PARSE, CAUSE_NO_SUCH_PATH, CAUSE_NO_SUCH_PAGE
};

struct exchange {
    /* the request */
    enum method method;         /* a HEAD is answered by the GET route: METHOD_GET here */
    const struct dialect *dialect;
    const struct route *route;
    const char *path;           /* raw, without the query */
    const char *query;          /* raw, "" = none */
    struct param params[PARAMS_MAX];
    uint32_t param_count;
    struct who who;             /* the principal; who.brand is the acting brand */
    uint32_t brands[BRANDS_MAX]; /* brands of the token, first = default */
    uint32_t brand_count;
    int64_t wall_ms;            /* when it began */
    char request_id[40];
    struct slice body;          /* BODY_BYTES, BODY_JSON, BODY_FIELDS */
    json_t *json;               /* BODY_JSON, BODY_FIELDS: parsed; NULL when there was no body */
    struct form_field *fields;  /* BODY_FORM */
    uint32_t field_count;
    struct upload *uploads;     /* BODY_FORM, BODY_FILE */
    uint32_t upload_count;
    struct field_errors errors; /* what the getters of json.h found wrong */
    /* the broker's answer */
    uint32_t answers;           /* messages at `answer`; > 1 only for a CLAIM */
    /* what `fail` may show */
    uint32_t allow;             /* 405: 1 << enum method */
    uint32_t retry_after_s;     /* 429, 503; already in the headers */
    enum cause cause;
    /* the answer */
    struct out out;             /* its body; empty at start */
    void *state;                /* the dialect's own */
    struct load *load;          /* dialect/load.h's: a file that is being read */
    struct known_own *known;    /* known.h's: what it was told */
};

typedef void exchange_then(struct exchange *x, const struct message *answer);

/* ---- the request ---- */

/* NULL data when the pattern has no such name. */
struct slice exchange_param(const struct exchange *x, const char *name);
/* Text of a query or of a form, decoded ("+" is a blank), NUL-ended in the arena. */
const char *exchange_decode(struct exchange *x, const char *from, size_t len);
/* First value of a query key, decoded ("+" is a blank), NUL-ended in the arena; NULL = absent.
 * A key without "=" gives "". */
const char *exchange_query(struct exchange *x, const char *name);
/* Goes through all pairs; *at starts at 0. False at the end. */
bool exchange_query_next(struct exchange *x, uint32_t *at, const char **name, const char **value);
/* Query key as a number within [min, max]; absent = fallback; anything else adds a field error. */
int64_t exchange_query_number(struct exchange *x, const char *name, int64_t fallback, int64_t min,
                              int64_t max);
/* A request header, NULL = absent. */
const char *exchange_header(const struct exchange *x, const char *name);
/* Value of a form field, NULL data = absent; uploads by field name, NULL = absent. */
struct slice exchange_field(const struct exchange *x, const char *name);
struct upload *exchange_upload(struct exchange *x, const char *name);
/* "http://host[:port]" as the client addressed us; for absolute URLs in answers. */
const char *exchange_origin(struct exchange *x);

/* ---- memory: all of it goes with the exchange ---- */

/* Zeroed; never NULL: out of memory aborts. */
void *exchange_alloc(struct exchange *x, size_t size);
struct slice exchange_copy(struct exchange *x, struct slice s); /* NUL behind it */
const char *exchange_digits(struct exchange *x, uint64_t number);
const char *exchange_print(struct exchange *x, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- the broker ---- */

/* Sends one message for x->who. Its number is chosen here. A refusal ends the exchange through
 * `fail`; otherwise `then` gets the answer. Several may be under way at once. Verbs that are never
 * answered (UNWATCH) take then = NULL. */
void exchange_send(struct exchange *x, const struct message *m, exchange_then *then);
/* The same, but `then` gets refusals too. */
void exchange_try(struct exchange *x, const struct message *m, exchange_then *then);
/* The two for another principal than x->who: the gateway acts as the house itself (logins, first
 * sight of a name, metrics), or lends an administrator the house's reach over all brands. */
void exchange_send_as(struct exchange *x, const struct who *who, const struct message *m,
                      exchange_then *then);
void exchange_try_as(struct exchange *x, const struct who *who, const struct message *m,
                     exchange_then *then);
/* Gives a stored file a second id, so that a task or an object can own bytes which another owns
 * already: neither is copied nor read. `then` gets it as an upload of the request: sealed, with
 * size and hash, dropped unless a successful SUBMIT, report or PUT names it. `ticket` as for
 * reading it. A refusal ends the exchange: NOT_FOUND, LIMIT_REACHED. */
typedef void exchange_linked(struct exchange *x, const struct upload *copy);
void exchange_link(struct exchange *x, uint64_t file, uint64_t ticket, const char *file_name,
                   const char *mime, exchange_linked *then);
/* The code of any answer: of REFUSED, SUBMITTED, VIEW …; 0 for those that carry none. */
enum code exchange_code(const struct message *answer);
/* After `begin`: go on with the body. */
void exchange_proceed(struct exchange *x);

/* ---- the answer ---- */

/* Adds a response header; name and value are copied; control bytes in the value become blanks. */
void exchange_set(struct exchange *x, const char *name, const char *value);
/* Ends it with x->out as body; application/json unless Content-Type was set. 204 has no body. */
void exchange_answer(struct exchange *x, int status);
/* Ends it through the dialect's fail; text NULL = the code's own sentence. Always returns false,
 * so that a read function can end with it. */
bool exchange_refuse(struct exchange *x, enum code code, const char *text);

/* Ends it with a stored file: 200, or 206 and 416 by Range, 304 by If-None-Match, HEAD. */
struct file_answer {
    uint64_t file, size;
    struct slice name, mime, hash; /* hash empty = no ETag */
    bool attachment;               /* Content-Disposition: attachment */
    struct slice bytes;            /* file 0: the content itself, `size` bytes of it */
};
void exchange_file(struct exchange *x, const struct file_answer *file);
/* Ends it with a file that may still grow, from an offset on: 200, as long as it lasts, chunked.
 * Its size does not matter. */
void exchange_growing(struct exchange *x, const struct file_answer *file, uint64_t from);

/* Server-sent events: 200 at once, then any number of events, then exchange_end. A client that
 * reads too slowly (64 KiB behind) is cut off, and one that takes nothing of what lies ready for it
 * for idle_ms. event and id may be NULL. Blank lines keep the connection alive. */
void exchange_events(struct exchange *x);
void exchange_event(struct exchange *x, const char *event, const char *id, struct slice data);
void exchange_end(struct exchange *x);
/* Bytes of events, or of a socket's messages, that the client has not taken yet. */
size_t exchange_behind(const struct exchange *x);
/* Calls `then` when the client has taken all but `left` bytes: at once, or as soon as it has. One
 * waits at a time; when the exchange ends first, `then` is not called. A producer that has more to
 * tell than a client may be behind goes on from here. */
void exchange_drained(struct exchange *x, size_t left, void (*then)(struct exchange *x));

/* ---- sockets ---- */

/* A WebSocket (RFC 6455): a GET route without body whose `read` ends with
 *     return exchange_socket(x, &calls);
 * So the route's steps have passed, and a refusal before is an ordinary answer. The exchange goes
 * on: exchange_send and exchange_try work from every call below (a WATCH may be sent again and
 * again), and what `then` says is sent with exchange_socket_send. After `closed` nothing works any
 * more and the exchange is gone.
 *
 * Refusals before it opens: 426 with Upgrade and Sec-WebSocket-Version when no upgrade is asked
 * for or another version, 400 when the key or another part of the handshake is malformed, 429 over
 * sockets_max.
 *
 * What closes it: exchange_socket_close, or exchange_end (1000); the peer; the gateway's end, a
 * broker that is not heard, or a refusal of exchange_send (1001); a frame that is none (1002); a
 * kind of message that has no call (1003); text that is not UTF-8 (1007); over 64 KiB that the peer
 * has not taken, or none of it for idle_ms (1008); a message over message_max (1009); nothing
 * heard, not even a pong, for twice socket_ping_ms (1001, and the connection is cut). Callbacks
 * never nest: what a call sends leaves after it. The exchange's memory is not given back before
 * its end: what every message needs is kept in x->state or x->out, not allocated anew. */
struct socket_calls {
    void (*open)(struct exchange *x);                         /* NULL = none */
    void (*text)(struct exchange *x, struct slice message);   /* valid UTF-8; NULL = 1003 */
    void (*binary)(struct exchange *x, struct slice message); /* NULL = 1003 */
    void (*closed)(struct exchange *x, uint32_t code);        /* the last call; NULL = none */
    uint64_t message_max;                                     /* bytes; 0 = socket_bytes_max */
};
/* Always false. `calls` is borrowed: static. */
bool exchange_socket(struct exchange *x, const struct socket_calls *calls);
/* Sends one message; a long one (over 64 KiB) only when nothing lies unsent. False when it is
 * closing, also from now on for what lies unsent. */
bool exchange_socket_send(struct exchange *x, bool text, struct slice message);
/* Starts the closing handshake; code 1000, 1001, 1003, 1007 … 1013 or 3000 … 4999; reason at most
 * 123 bytes, NULL = none. */
void exchange_socket_close(struct exchange *x, uint32_t code, const char *reason);

/* ---- the house ---- */

/* All options: what many requests need is read here. */
const struct config *exchange_config(const struct exchange *x);
/* An option of the [gateway] section by name, as text; NULL = unknown. */
const char *exchange_option(const struct exchange *x, const char *name);
/* The 16-byte key with which public ids are spelled (proto/id.h); NULL until the broker was
 * heard. */
const uint8_t *exchange_id_key(const struct exchange *x);
#endif
