/* bench - the load tool with which users measure their own machine. */
#include "worker/command/bench.h"
#include "command.h"
#include "proto/host/clock.h"
#include "proto/record.h"
#include "proto/host/args.h"
#include "worker/reach.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LINK_MS = 60000 };
#define UNSAID UINT64_MAX

/* What HTTP creates is kept as the server says; native tasks say it themselves. */
static void http_options(struct bench *b) { bench_option(b, "--dialect-keep=%.40s", b->keep); }

static const struct scenario {
    const char *name, *sentence;
    bool (*run)(struct bench *b);
    void (*options)(struct bench *b); /* of its server; NULL = none */
    bool http;                        /* it needs a token */
} scenarios[] = {
    {"native", "submit, run, settled: --depth tasks in flight", bench_native, NULL, false},
    {"latency", "the same, one task at a time, unloaded", bench_latency, NULL, false},
    {"enqueue", "--producers that each wait for the acknowledgement", bench_enqueue, NULL, false},
    {"http", "POST /tasks/ over --connections kept alive", bench_http, http_options, true},
    {"fill", "queues --count tasks and leaves them", bench_fill, NULL, false},
    {"restart", "kill -9 with --count tasks queued, until ready again", bench_restart, NULL, false},
    {"idle", "memory of --workers that wait", bench_idle, NULL, false},
    {"files", "a file of --size bytes up and down; tasks beside", bench_files, NULL, false},
    {"overload", "three times the load it can take, native and HTTP", bench_overload,
     http_options, true},
    {"pending", "--workers of dialect 000 that wait, and a task for one of them", bench_pending,
     bench_pending_options, true},
    {"lists", "filters, searches and sums among --count tasks while --rate go through",
     bench_lists, bench_lists_options, true},
    {"fleet", "--stations of dialect 003 beat and die, with --sessions", bench_fleet,
     bench_fleet_options, true},
};

struct meter meter_start(const struct bench *b) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (struct meter){
        .server_s = process_cpu_s(b->server.pid),
        .client_s = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                    (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6,
        .from_us = clock_mono_us()};
}

static void print_spread(const char *name, const struct spread *s) {
    if (!s || s->count == 0) return;
    printf(",\"%sp50_us\":%.1f,\"%sp99_us\":%.1f", name, spread_at_us(s, 0.5), name,
           spread_at_us(s, 0.99));
}

void result_print(const struct bench *b, const struct meter *m, const struct result *r) {
    struct meter now = meter_start(b);
    double wall_s = (double)(now.from_us - m->from_us) / 1e6;
    printf("{\"scenario\":\"%s\",\"guarantee\":\"%s\",\"jobs\":%llu,\"seconds\":%.3f,"
           "\"rate\":%.0f",
           r->scenario, b->accepted ? "accepted" : "durable", (unsigned long long)r->jobs,
           r->seconds,
           r->seconds > 0 ? (double)r->jobs / r->seconds : 0);
    print_spread("", r->spread);
    print_spread("ack_", r->acked);
    print_spread("worker_", r->delivered);
    print_spread("settled_", r->settled);
    if (b->own) printf(",\"server_cpu\":%.2f", (now.server_s - m->server_s) / wall_s);
    printf(",\"client_cpu\":%.2f", (now.client_s - m->client_s) / wall_s);
    if (b->own && r->rests) {
        printf(",\"rss_busy_mb\":%.1f", process_rss_mb(b->server.pid));
        process_rest(b->server.pid);
    }
    if (b->own) printf(",\"rss_mb\":%.1f", process_rss_mb(b->server.pid));
    printf(",\"keep\":\"%s\"%s}\n", b->keep, r->more ? r->more : "");
    fflush(stdout);
}

struct relais_link bench_link(const struct bench *b) {
    const struct server_keys *k = &b->server.keys;
    struct relais_link link = {.endpoint = b->server.native, .timeout_ms = LINK_MS};
    if (k->server[0]) {
        link.server_key = k->server;
        link.public_key = k->client_public;
        link.secret_key = k->client_secret;
    }
    return link;
}

void bench_option(struct bench *b, const char *form, ...) {
    size_t count = 0;
    while (b->server_options[count]) count++;
    assert(count < SERVER_OPTIONS_MAX);
    va_list rest;
    va_start(rest, form);
    int len = vsnprintf(b->option_text[count], sizeof b->option_text[count], form, rest);
    va_end(rest);
    assert(len > 0 && len < (int)sizeof b->option_text[count]);
    b->server_options[count] = b->option_text[count];
}

/* "failed", "none" or a time, as option.def reads KEEP. */
static bool read_keep(struct bench *b, struct config *c) {
    char why[OPTION_WHY_MAX];
    if (!option_set(&option_table[OPTION_AT_keep_ms], c, b->keep, why)) {
        fprintf(stderr, "relais bench: --keep %s %s\n", b->keep, why);
        return false;
    }
    b->keep_ms = c->keep_ms;
    return true;
}

/* --broker, with its key and our certificate when it has CURVE. */
static bool reach_named(struct bench *b) {
    struct reach r;
    struct server_keys *k = &b->server.keys;
    if (!reach_open(&r, b->config)) return false;
    if (strlen(r.endpoint) >= sizeof b->server.native) return false;
    memcpy(b->server.native, r.endpoint, strlen(r.endpoint) + 1);
    if (!r.link.server_key) return true;
    snprintf(k->server, sizeof k->server, "%s", r.link.server_key);
    memcpy(k->client_public, r.public_key, sizeof k->client_public);
    memcpy(k->client_secret, r.secret_key, sizeof k->client_secret);
    memcpy(k->worker_public, r.public_key, sizeof k->worker_public);
    memcpy(k->worker_secret, r.secret_key, sizeof k->worker_secret);
    return true;
}

static bool measure(struct bench *b, const struct scenario *s, const char *http) {
    bool need_http = s->http;
    if (!b->own) {
        if (b->curve) fprintf(stderr, "relais bench: --curve is for a server of its own\n");
        if (need_http && (!http || !b->token))
            fprintf(stderr, "relais bench: with --broker, http needs --http and --token\n");
        if (b->curve || (need_http && (!http || !b->token))) return false;
        if (http) snprintf(b->server.http, sizeof b->server.http, "%s", http);
        return reach_named(b) && s->run(b);
    }
    if (b->curve) bench_option(b, "--curve=always");
    if (s->options) s->options(b);
    if (!server_start(&b->server, b->server_options)) return false;
    b->token = b->own_token;
    bool ok = (!need_http || server_token(&b->server, "user", 1, b->own_token)) &&
              (!b->curve || server_keys_make(&b->server)) && s->run(b);
    server_close(&b->server);
    return ok;
}

static const struct scenario *scenario_find(const char *name) {
    for (size_t i = 0; i < COUNT(scenarios); i++)
        if (strcmp(scenarios[i].name, name) == 0) return &scenarios[i];
    fprintf(stderr, "relais bench: there is no scenario %.64s; there are:\n", name);
    for (size_t i = 0; i < COUNT(scenarios); i++)
        fprintf(stderr, "  %-8s  %s\n", scenarios[i].name, scenarios[i].sentence);
    return NULL;
}

static bool within_limits(const struct bench *b) {
    bool ok = b->batch >= 1 && b->batch <= 256 && b->depth >= 1 && b->depth <= 1000000 &&
              b->workers >= 1 && b->workers <= 60000 && b->producers >= 1 &&
              b->producers <= 10000 && b->connections >= 1 && b->connections <= 10000 &&
              b->queues >= 1 && b->queues <= 10000 && b->size <= (uint64_t)1 << 40 &&
              b->time_ms >= 100 && b->time_ms <= 86400000 && b->gone + b->silent < b->workers &&
              (b->gone == 0 || b->silent == 0) && b->stations >= 2 && b->stations <= 5000 &&
              b->sessions <= b->stations * 500 && b->dead_ms >= 2000 && b->dead_ms <= 600000 &&
              b->count >= 1 && b->rate <= 1000000 && b->running <= 100000 && b->asks >= 1 &&
              b->asks <= 10000;
    if (!ok) fprintf(stderr, "relais bench: an option is outside its limits\n");
    return ok;
}

/* What was not said is what suits the scenario. */
static void defaults(struct bench *b, const struct scenario *s) {
    const bool overload = s->run == bench_overload, lists = s->run == bench_lists;
    if (b->batch == UNSAID) b->batch = overload ? 64 : lists ? 10 : 1;
    if (b->depth == UNSAID) b->depth = overload ? 8192 : 1000;
    if (b->connections == UNSAID) b->connections = overload ? 256 : 64;
    if (b->count == UNSAID) b->count = s->run == bench_pending ? 200 : 1000000;
    if (!b->keep)
        b->keep = overload || lists || s->run == bench_http ? "7d" : "failed";
}

int command_bench(int argc, char **argv) {
    struct config config;
    int code = config_start(&config, SECTION_BASE, &argc, argv);
    if (code >= 0) return code;
    struct bench *b = calloc(1, sizeof *b);
    if (!b) return 1;
    *b = (struct bench){.config = &config, .batch = UNSAID, .depth = UNSAID, .count = UNSAID,
                        .connections = UNSAID, .workers = 4, .producers = 32, .queues = 1,
                        .size = 100, .memory_max = 512 << 20,
                        .time_ms = 5000, .stations = 400, .sessions = 20000,
                        .dead_ms = 120000, .rate = 20000, .asks = 40};
    const char *http = NULL;
    const struct arg table[] = {
        {"batch", ARG_NUMBER, &b->batch, "tasks in one frame (1; lists 10; overload 64)"},
        {"depth", ARG_NUMBER, &b->depth, "tasks in flight (1000; overload 8192)"},
        {"workers", ARG_NUMBER, &b->workers, "worker links (4)"},
        {"queues", ARG_NUMBER, &b->queues, "queues the tasks are spread over (1)"},
        {"backlog", ARG_NUMBER, &b->backlog, "tasks queued beforehand in another queue (0)"},
        {"size", ARG_BYTES, &b->size, "bytes of a payload (100)"},
        {"seconds", ARG_TIME, &b->time_ms, "how long to measure (5)"},
        {"keep", ARG_TEXT, &b->keep, "failed, none or a time it is kept (failed; with HTTP 7d)"},
        {"accepted", ARG_FLAG, &b->accepted, "ask for memory only, not for durability"},
        {"curve", ARG_FLAG, &b->curve, "encrypt"},
        {"producers", ARG_NUMBER, &b->producers, "enqueue: links (32)"},
        {"connections", ARG_NUMBER, &b->connections, "http, overload: connections (64; 256)"},
        {"memory-max", ARG_BYTES, &b->memory_max, "overload: of the server, else it fails (512M)"},
        {"count", ARG_NUMBER, &b->count, "fill, restart, lists: tasks (1M); pending (200)"},
        {"running", ARG_NUMBER, &b->running, "restart: tasks that run when it is killed (0)"},
        {"gone", ARG_NUMBER, &b->gone, "pending: workers that close while tasks come (0)"},
        {"silent", ARG_NUMBER, &b->silent, "pending: workers that stop reading (0)"},
        {"rate", ARG_NUMBER, &b->rate, "lists: tasks a second beside the questions (20k)"},
        {"asks", ARG_NUMBER, &b->asks, "lists: questions a second (40)"},
        {"stations", ARG_NUMBER, &b->stations, "fleet: workers of dialect 003 (400)"},
        {"sessions", ARG_NUMBER, &b->sessions, "fleet: their sessions, all together (20k)"},
        {"dead", ARG_TIME, &b->dead_ms, "fleet: silence after which one is dead (120)"},
        {"http", ARG_TEXT, &http, "http with --broker: ADDR:PORT"},
        {"token", ARG_TEXT, &b->token, "http with --broker: a user's token"},
    };
    int words = args_read(table, COUNT(table), "SCENARIO", argc, argv);
    const struct scenario *s = words == 1 ? scenario_find(argv[1]) : NULL;
    if (s) defaults(b, s);
    if (words >= 0 && words != 1) fprintf(stderr, "usage: relais bench SCENARIO, see --help\n");
    struct config keep;
    config_init(&keep, SECTION_BROKER);
    b->own = config.source[OPTION_AT_broker].from == FROM_DEFAULT;
    if (words < 0) code = args_exit(words);
    else if (!s || !within_limits(b) || !read_keep(b, &keep)) code = 2;
    else code = measure(b, s, http) ? 0 : 1;
    config_free(&keep);
    config_free(&config);
    free(b);
    return code;
}
