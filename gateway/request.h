/* request.h - the inside of an exchange: what the engine (http, request, stream, guard) shares and
 * no dialect sees.
 *
 * A server is one thread: an epoll set, a libmicrohttpd daemon, a link. A client is one connection,
 * a request one exchange on it. http.c knows sockets and libmicrohttpd, request.c the stages of a
 * request, exchange.c what dialects call, stream.c files and events.
 *
 * Stages: HEAD (lint, route, steps) -> BEGIN (the route's own begin) -> BODY -> FILES (uploads
 * are being sealed) -> WORK (read, verbs, write) -> ENDED (the answer is known; it may still
 * stream). */
#ifndef RELAIS_GATEWAY_REQUEST_H
#define RELAIS_GATEWAY_REQUEST_H
#include "gateway/known.h"
#include "gateway/door.h"
#include "gateway/exchange.h"
#include "gateway/form.h"
#include "gateway/guard.h"
#include "gateway/hasher.h"
#include "gateway/lint.h"
#include "gateway/link.h"
#include "gateway/route.h"
#include "gateway/strain.h"
#include "proto/base/list.h"
#include "proto/host/config.h"
#include "proto/host/token.h"
#include "proto/keyring.h"

enum { ARENA_FIRST = 768, ARENA_BLOCK = 4096, BLOCKS_KEPT = 64, ANSWER_HEADERS_FEW = 4,
       ANSWER_HEADERS_MAX = 20, REQUESTS_KEPT = 256, SIGHTS = 1024, TICK_MS = 100,
       STILL_MS = 500 };

enum stage { STAGE_HEAD, STAGE_BEGIN, STAGE_BODY, STAGE_FILES, STAGE_WORK, STAGE_ENDED };

struct block { struct block *next; };
struct block_store { struct block *list; uint32_t count; }; /* of ARENA_BLOCK, kept for reuse */
struct arena { /* everything of one request; freed with it */
    struct block *blocks, *alone; /* alone: of what is larger than one */
    struct block_store *store;
    size_t left;
    uint8_t *at;
    uint8_t first[ARENA_FIRST];
};

struct count { /* one thread's counters, for /metrics */
    uint64_t requests, classes[6], refused_heads, bytes_in, bytes_out, left, late_kills;
    uint64_t open_connections, connections, open_sockets;
};

/* Only its own thread writes a counter, others read it meanwhile. */
static inline void count_add(uint64_t *counter, uint64_t n) {
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

struct rates;       /* rate.h */
struct fleet;       /* fleet.h */
struct hasher;      /* hasher.h */
struct jwt_cache;   /* jwt.h */
struct gateway;     /* gateway.h */
struct http;        /* http.c */
struct intake;      /* stream.c */
struct outlet;
struct socket;      /* socket.c */

struct server {
    const struct config *config;   /* borrowed */
    const struct route_table *routes; /* borrowed, shared */
    const struct dialect *house;   /* answers where no dialect does */
    struct rates *rates;           /* borrowed, shared */
    const struct fleet *fleet;     /* borrowed, shared */
    struct hasher *hasher;         /* borrowed, shared */
    struct hash_box hashed;        /* passwords that are done */
    struct gateway *gateway;       /* borrowed: for /metrics of all threads */
    struct link *link;
    struct keyring ring;           /* the newest KEYRING */
    bool ring_known;
    uint64_t ring_version;         /* raised by each */
    struct jwt_cache *tokens;
    struct request *free;          /* requests kept for reuse */
    uint32_t free_count;
    struct block_store blocks;
    struct node clients;
    struct node sockets_used;      /* socket.c: those that have something to do */
    struct strainer *strainer;     /* strain.h */
    struct door *door;             /* borrowed, shared: connections come through it */
    uint32_t thread;               /* its number there */
    int64_t now_ms, wall_ms, tick_ms; /* mono, wall, when the next tick is due */
    struct count count;
    struct http *http;             /* http.c */
    uint64_t sights[SIGHTS];       /* account_sight.c: hashes of names that were made */
    struct known_slot known[KNOWN_SLOTS]; /* known.c */
    uint64_t request_base;         /* random: request ids */
    uint64_t request_count;
    uint32_t files;                /* that are being sent or received */
    uint32_t checks_left;          /* http.c: credentials that this tick looks at again */
    bool draining;
};

struct client { /* one connection */
    struct strain strain; /* strain.h */
    struct node in_server;
    struct server *server;
    void *connection;  /* http.c */
    struct request *request; /* the one under way; NULL = between two */
    uint64_t begun, completed; /* requests; begun: libmicrohttpd has read their first line */
    int64_t deadline_ms; /* when it is closed unless something moves it */
    uint64_t address;  /* hash, for rates */
    uint64_t token_place; /* jwt.h: of its newest credential */
    int fd;
    bool loopback, gone; /* gone: it has hung up */
};

struct answer_header { const char *name, *value; };
struct claimed { uint64_t task, epoch; };

struct request {
    struct exchange x; /* first: an exchange is a request */
    struct server *server;
    struct client *client;
    struct request *next_free;
    struct arena arena;
    enum stage stage;
    bool suspended;    /* in libmicrohttpd */
    bool begun, waiting; /* waiting: nothing to do before it is woken */
    bool in_body;      /* the head's part is over */
    bool queued;       /* libmicrohttpd has the answer */
    bool said;         /* the answer was written past libmicrohttpd: the rest is thrown away */
    bool abandoned;    /* the client left: no answer */
    bool close_after, streams, head_only;
    const char *target; /* path and query as sent */
    struct header *headers;
    uint32_t header_count;
    struct head_facts facts;
    struct answer_header *answer_headers; /* in the arena: who waits has few or none */
    uint32_t answer_header_count, answer_header_cap;
    int status;
    int64_t start_us;  /* mono */
    int64_t stage_ms, stalled_ms, stalled_since_ms; /* body: its start; our own back-pressure */
    uint64_t body_len, body_max;
    uint64_t mark_len; /* bytes at the last look at their rate */
    struct buffer body;
    struct form *form; /* in the arena */
    struct node calls; /* call.of_owner */
    struct hash_job *hash; /* account.c: a password at the hasher; NULL = none */
    char jti[TOKEN_JTI_MAX]; /* of its token; "" = none */
    const char *credential;  /* its text, sound when it came; borrowed; NULL = none that may end */
    uint64_t credential_ring; /* the ring_version that it was last sound by */
    int64_t token_until_s;   /* when that expires */
    bool limited;            /* the password must be changed first */
    void *account;     /* account.c: the step of a login under way; in the arena */
    struct claimed *claimed; /* tasks given to this client by CLAIM; in the arena */
    uint32_t claimed_count;
    struct intake *intake;   /* stream.c: uploads under way */
    struct outlet *outlet;   /* stream.c: what is streamed out */
    struct socket *socket;   /* socket.c; in the arena */
    void (*drained)(struct exchange *x); /* called when no more than this lies unsent: */
    size_t drained_left;
};

static inline struct request *request_of(struct exchange *x) { return (struct request *)x; }

/* ---- exchange.c ---- */

/* `store` is borrowed: blocks come from there and go back. */
void arena_open(struct arena *a, struct block_store *store);
void arena_close(struct arena *a);
void block_store_free(struct block_store *store);
void *arena_alloc(struct arena *a, size_t size);
/* The client has taken something: whoever waits for that is called. */
void exchange_taken(struct request *r);
/* Takes back what is under way for a request that has ended or lost its client. */
void exchange_cut(struct request *r);
/* RELEASEs the tasks that were claimed for it. */
void exchange_unclaim(struct request *r);

/* ---- request.c ---- */

struct request *request_new(struct server *s, struct client *c, const char *target);
void request_free(struct request *r);
/* The head is whole: route, steps, begin. */
void request_start(struct request *r, const char *method);
/* Ends it in the form of the dialect whose path it has: its head was not taken. */
void request_refuse(struct request *r, struct slice method, enum code code, const char *why);
/* Takes body bytes; fewer than len when it must wait first. */
size_t request_body(struct request *r, const uint8_t *data, size_t len);
/* The body is whole. */
void request_body_end(struct request *r);
/* All uploads are sealed. */
void request_read(struct request *r);
/* Ends an exchange that waits for nothing and has not ended: a route's bug must not hang it. */
void request_check(struct request *r);
/* True when it waits for something that may take long. */
bool request_waits(const struct request *r);
/* A stream, a socket, an upload or a wait goes on while its credentials do: ends it, and is true,
 * when they were revoked. */
bool request_revoked(struct request *r);
/* The client has hung up. */
void request_left(struct request *r);
/* The answer has been written, or the connection has ended: log, counters. */
void request_log(struct request *r, bool complete);

/* ---- intake.c ---- */

/* Bytes of a file that one message carries. Memory of a thread's files stays bounded: the more
 * there are, the smaller are their chunks. */
uint32_t file_chunk_bytes(const struct server *s);
/* Opens the intake of one file; its bytes follow. False: the exchange was refused. */
bool intake_open(struct request *r, const char *name, const char *file_name, const char *mime);
bool intake_write(struct request *r, struct slice bytes);
bool intake_close(struct request *r); /* the file is whole: seal it */
/* True between intake_open and intake_close. */
bool intake_open_now(const struct request *r);
/* True when no more body may be read now. */
bool intake_full(const struct request *r);
/* True when every file is sealed. */
bool intake_done(const struct request *r);
/* Drops what no successful answer has taken. */
void intake_drop(struct request *r);
/* A message that names a file succeeded: that file stays. */
void intake_taken(struct request *r, uint64_t file);

/* ---- stream.c ---- */

/* Bytes for the client: > 0; 0 = wait (the request is woken); -1 = the end; -2 = broken off. */
long outlet_read(struct request *r, uint8_t *to, size_t max);
void outlet_free(struct request *r);
/* Size of the streamed body; UINT64_MAX = not known. */
uint64_t outlet_size(const struct request *r);
/* False when the client takes nothing of what lies ready. */
bool outlet_tick(struct request *r);
/* Bytes that the client has not taken yet. */
size_t outlet_behind(const struct request *r);
/* Ends it: events in good form, the bytes of a file short. */
void outlet_break(struct request *r);

/* ---- http.c ---- */

/* There is something to do for it again: it is handed to libmicrohttpd. */
void http_wake(struct request *r);
/* False when the peer has hung up. */
bool http_alive(const struct client *c);
#endif
