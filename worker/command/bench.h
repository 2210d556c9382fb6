/* bench.h - what the scenarios of `relais bench` share: options, the server, the line they print.
 *
 * Every scenario measures a real broker: the one named by --broker, or one of its own started on
 * a temporary folder. Each prints one JSON object a line on stdout, nothing else; a scenario that
 * cannot do what its options ask for says so and fails. Clients, workers and server share the
 * machine, so a client's own cost counts: one thread, raw frames, memory reused. */
#ifndef RELAIS_WORKER_COMMAND_BENCH_H
#define RELAIS_WORKER_COMMAND_BENCH_H
#include "proto/host/config.h"
#include "worker/command/server.h"
#include "worker/command/spread.h"
#include "worker/relais.h"

struct bench {
    const struct config *config;
    struct server server; /* pid 0: somebody else's, at server.native */
    bool own;
    const char *token;    /* http: given, or made by `relais token` */
    uint64_t batch, depth, workers, producers, connections, queues, backlog, size, count;
    uint64_t running;            /* restart */
    uint64_t memory_max;         /* overload: bytes */
    uint64_t gone, silent;       /* pending */
    uint64_t stations, sessions; /* fleet */
    uint64_t rate, asks;         /* lists */
    int64_t dead_ms;      /* fleet */
    int64_t time_ms;      /* --seconds */
    int64_t keep_ms;      /* KEEP_FAILED, KEEP_NONE or a time */
    const char *keep;     /* as it was written; NULL = the default of what is measured */
    const char *server_options[SERVER_OPTIONS_MAX + 1]; /* of a server of its own; NULL-ended */
    char option_text[SERVER_OPTIONS_MAX][64];
    bool accepted, curve;
    char own_token[SERVER_TOKEN_MAX];
};

struct result { /* one line; what a scenario does not measure stays away */
    const char *scenario;
    uint64_t jobs;
    double seconds;
    const struct spread *spread;                     /* p50_us p99_us; may be NULL */
    const struct spread *acked, *delivered, *settled; /* latency: the three instead */
    bool rests; /* rss_mb is of the server at rest; rss_busy_mb is what it was before */
    const char *more; /* further members, ",\"key\":value", or "" */
};

/* CPU of server and client, from meter_start to result_print. */
struct meter { double server_s, client_s; int64_t from_us; };
struct meter meter_start(const struct bench *b);
void result_print(const struct bench *b, const struct meter *m, const struct result *r);

/* Scenarios: true when it has measured. */
bool bench_native(struct bench *b);
bool bench_latency(struct bench *b);
bool bench_enqueue(struct bench *b);
bool bench_http(struct bench *b);
bool bench_fill(struct bench *b);
bool bench_restart(struct bench *b);
bool bench_idle(struct bench *b);
bool bench_files(struct bench *b);
bool bench_pending(struct bench *b);
bool bench_fleet(struct bench *b);
bool bench_lists(struct bench *b);
bool bench_overload(struct bench *b);
/* What their servers are started with. */
void bench_pending_options(struct bench *b);
void bench_fleet_options(struct bench *b);
void bench_lists_options(struct bench *b);
/* One more option of the server that will be started. */
void bench_option(struct bench *b, const char *form, ...) __attribute__((format(printf, 2, 3)));
/* How librelais reaches the server; borrows from b. */
struct relais_link bench_link(const struct bench *b);
#endif
