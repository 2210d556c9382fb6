/* route.h - what a dialect is: its prefixes, its steps and its table of routes.
 *
 * A pattern is an absolute path of literal segments and {name} segments, written without the
 * trailing slash that is tolerated anyway. The raw path is split first, then each segment is
 * decoded; a decoded segment with "/" or a control byte, or a broken escape, is 400. A literal
 * goes before {}. Two routes of one dialect that one path and method could reach with the same
 * right (ambiguous), a route without a guard, an unknown {name} twice, or a pattern outside of the
 * dialect's prefixes: route_table_new refuses, and so does start-up.
 *
 * GET routes answer HEAD; OPTIONS is answered by the framework (CORS, Allow).
 *
 * Limits: ROUTES_MAX routes, SEGMENTS_MAX segments a path. Pure but for memory. */
#ifndef RELAIS_GATEWAY_ROUTE_H
#define RELAIS_GATEWAY_ROUTE_H
#include "gateway/exchange.h"

enum { ROUTES_MAX = 512, SEGMENTS_MAX = 16 };

enum guard { /* who may call a route; several = any of them */
    GUARD_OPEN = 1,        /* no credentials */
    GUARD_ADMIN = 2,
    GUARD_USER = 4,
    GUARD_WORKER = 8,
    GUARD_SERVICE = 16,
    GUARD_BRAND_ADMIN = 32, /* a user only with the brand_admin right */
    GUARD_SLOW = 64,        /* not a role: the tight rate (logins, registrations) */
    GUARD_FLEET = 128,      /* a fleet token of option worker_tokens; needs step guard_fleet */
    GUARD_LIMITED = 256,    /* not a role: also for a user who must change the password first */
    GUARD_ENROLLED = 1024,  /* a worker whose token names an incarnation; GUARD_WORKER takes those
                             * of the command line only */
    GUARD_QUERY = 512       /* not a role: the token may stand in the query (sockets, events) */
};

enum body_kind {
    BODY_NONE,     /* none is read; one that is sent is thrown away within the limit */
    BODY_JSON,     /* application/json or no type at all: one object, strict; absent = json NULL */
    BODY_FIELDS,   /* the same, or a form of texts (fields.h), read as an object of them */
    BODY_FORM,     /* multipart/form-data; files are streamed to the file endpoint */
    BODY_BYTES,    /* kept in memory */
    BODY_FILE      /* the raw body is one file, streamed: uploads[0] */
};

struct route {
    enum method method;
    const char *path;
    uint32_t guard;          /* enum guard; 0 is refused at start */
    enum body_kind body;
    uint64_t body_max;       /* bytes; 0 = the option body_max (or upload_max for FORM and FILE) */
    enum verb verb;          /* set in the message before read; VERB_NONE = read ends it itself */
    int status;              /* of success; `write` passes x->route->status */
    bool (*read)(struct exchange *x, struct message *m);
    exchange_then *write;
    const char *sentence;    /* one line, for the docs */
    void (*begin)(struct exchange *x);                            /* NULL = none */
    bool (*part)(struct exchange *x, const struct form_part *part); /* NULL = every part */
};

/* A row of a table: ROUTE(POST, JSON, "/tasks", GUARD_USER, 201, task_read, "makes a task"), and
 * behind the sentence what else it has: .verb and .write, .body_max, .begin, .part. */
#define ROUTE(method_, body_, path_, guard_, status_, read_, sentence_, ...)                    \
    {.method = METHOD_##method_, .path = path_, .guard = guard_, .body = BODY_##body_,          \
     .status = status_, .read = read_, .sentence = sentence_, __VA_ARGS__}

/* One step before the body: true = go on; false = the exchange was ended. None calls another. */
typedef bool step(struct exchange *x);

enum fold { FOLD_CASE = 1 /* literals in any case */, FOLD_DASH = 2 /* "-" equals "_" */ };

struct routes { const struct route *list; uint32_t count; };

struct dialect {
    const char *name;
    const char *const *prefixes; /* NULL-ended; unknown paths below them fail in this shape */
    uint32_t fold;
    step *const *steps;          /* NULL-ended; see guard.h */
    /* Writes an error answer: x->out, exchange_answer. Called for the framework's errors too. */
    void (*fail)(struct exchange *x, enum code code, const char *text);
    const struct route *routes;
    uint32_t route_count;
    const struct routes *const *parts; /* NULL-ended: tables of a large dialect's resources, each
                                        * beside its functions; NULL = none */
    bool metadata;               /* OPTIONS tells what a path is for and takes (metadata.h) */
};

/* All dialects, NULL-ended, in order of precedence; defined in gateway/dialect/list.c. */
extern const struct dialect *const dialect_list[];

struct route_table;
/* NULL when the dialects' tables are refused: the reason is in `why`. */
struct route_table *route_table_new(const struct dialect *const *dialects, char *why,
                                    size_t why_size);
void route_table_destroy(struct route_table **self);

enum found { FOUND_ROUTE, FOUND_NOTHING, FOUND_OTHER_METHOD, FOUND_BAD_PATH };
struct found_route {
    const struct dialect *dialect; /* NULL = no dialect's prefix */
    const struct route *route;
    uint32_t allow;                /* OTHER_METHOD: 1 << enum method */
    struct param params[PARAMS_MAX];
    uint32_t param_count;
};
/* `path` is raw, without query. Decoded segments are written into `scratch` (at least as long as
 * the path + 1). METHOD_HEAD finds GET routes; METHOD_OPTIONS gives OTHER_METHOD with allow. */
enum found route_find(const struct route_table *t, enum method method, const char *path,
                      char *scratch, struct found_route *ret);

/* Prints "METHOD path", a line per route, per dialect under a line "# name". */
void route_print(const struct dialect *const *dialects);
enum method method_of(const char *text); /* exact; METHOD_NONE = unknown */
const char *method_name(enum method method);
#endif
