/* main.c - `relais gateway`, and the gateway's threads. See gateway.h. */
#include "command.h"
#include "gateway/fleet.h"
#include "gateway/gateway.h"
#include "gateway/hook_worker.h"
#include "gateway/house.h"
#include "gateway/http.h"
#include "gateway/jwt.h"
#include "gateway/push.h"
#include "gateway/rate.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include "proto/host/signal.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

enum { THREADS_MAX = 64, DIALECTS_MAX = 16, GATEWAY_BEAT_MS = 2000, GATEWAY_BATCH_MAX = 256,
       DRAIN_MS = 5000 };

struct gateway {
    struct gateway_setup setup;
    const struct dialect *dialects[DIALECTS_MAX + 2];
    struct route_table *routes;
    struct rates *rates;
    struct fleet *fleet;
    struct hasher *hasher;
    struct door *door;
    struct push *push;
    struct hook_worker *hooks;
    int stop_fd;
    char address[CONFIG_HOST_MAX + 16];
    uint32_t count; /* of threads */
    struct thread {
        pthread_t thread;
        bool started;
        struct server server;
    } threads[];
};

static void on_keyring(void *context, struct slice body) {
    struct server *s = context;
    if (!keyring_take(&s->ring, body)) {
        log_error("the broker's keyring cannot be read");
        return;
    }
    s->ring_version++;
    __atomic_store_n(&s->ring_known, true, __ATOMIC_RELEASE);
}

static void server_close(struct server *s) {
    http_close(s);
    while (s->free != NULL) {
        struct request *r = s->free;
        s->free = r->next_free;
        buffer_free(&r->x.out.body);
        buffer_free(&r->body);
        free(r);
    }
    block_store_free(&s->blocks);
    link_destroy(&s->link);
    keyring_free(&s->ring);
    jwt_cache_destroy(&s->tokens);
}

/* What the thread is given; the rest it opens itself. */
static void server_fill(struct gateway *g, struct server *s, uint32_t thread) {
    s->door = g->door;
    s->thread = thread;
    s->config = g->setup.config;
    s->routes = g->routes;
    s->house = &house;
    s->rates = g->rates;
    s->fleet = g->fleet;
    s->hasher = g->hasher;
    s->gateway = g;
    s->now_ms = clock_mono_ms();
    s->wall_ms = clock_wall_ms();
    s->tokens = jwt_cache_new();
    randombytes_buf(&s->request_base, sizeof s->request_base);
    list_init(&s->clients);
}

/* The link's sockets belong to the thread that opens them. */
static bool server_open(struct gateway *g, struct server *s, char *why, size_t why_size) {
    const struct config *c = g->setup.config;
    struct link_options options = {
        .zmq = g->setup.zmq, .broker = g->setup.broker, .files = g->setup.files,
        .broker_key = c->broker_key, .curve_file = c->curve_file, .beat_ms = GATEWAY_BEAT_MS,
        .silence_ms = c->silence_ms, .answer_ms = c->answer_ms, .batch_max = GATEWAY_BATCH_MAX,
        .name = g->address, .context = s, .keyring = on_keyring};
    s->link = link_new(&options, s->now_ms, why, why_size);
    return s->link != NULL && http_open(s, g->stop_fd, why, why_size);
}

static void *thread_main(void *context) {
    struct server *s = context;
    struct gateway *g = s->gateway;
    char why[512] = "";
    if (server_open(g, s, why, sizeof why)) http_run(s, g->setup.drain_ms);
    else log_error("a gateway thread cannot start", field_text("why", why));
    server_close(s);
    return NULL;
}

static bool dialects_load(struct gateway *g, char *why, size_t why_size) {
    uint32_t n = 0;
    g->dialects[n++] = &house;
    for (const struct dialect *const *d = dialect_list; *d != NULL && n <= DIALECTS_MAX; d++) {
        g->dialects[n++] = *d;
    }
    g->routes = route_table_new(g->dialects, why, why_size);
    return g->routes != NULL;
}

/* The list itself is needed no more once its hashes are held. */
static bool fleet_load(struct gateway *g, char *why, size_t why_size) {
    const char *list = g->setup.config->worker_tokens;
    g->fleet = fleet_new(list, why, why_size);
    if (g->fleet != NULL && list[0] != 0) sodium_memzero((char *)(uintptr_t)list, strlen(list));
    return g->fleet != NULL;
}

static bool gateway_listen(struct gateway *g, char *why, size_t why_size) {
    const struct config *c = g->setup.config;
    g->door = door_open(c->http, g->count, c->connections_max, why, why_size);
    if (g->door == NULL) return false;
    const char *colon = strrchr(c->http, ':');
    snprintf(g->address, sizeof g->address, "%.*s:%u", (int)(colon - c->http), c->http,
             door_port(g->door));
    return true;
}

struct gateway *gateway_start(const struct gateway_setup *setup, char *why, size_t why_size) {
    const struct config *c = setup->config;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t count = c->http_threads > 0 ? c->http_threads : cores > 0 ? (uint32_t)cores : 1;
    if (count > THREADS_MAX) count = THREADS_MAX;
    struct gateway *g = calloc(1, sizeof *g + count * sizeof *g->threads);
    if (g == NULL || sodium_init() < 0) abort();
    g->setup = *setup;
    g->count = count;
    g->rates = rates_new();
    g->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (uint32_t i = 0; i < count; i++) g->threads[i].server.hashed.fd = -1;
    if (dialects_load(g, why, why_size) && fleet_load(g, why, why_size))
        g->hasher = hasher_new(why, why_size);
    if (g->hasher == NULL || !gateway_listen(g, why, why_size)) {
        gateway_stop(&g);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct thread *t = &g->threads[i];
        server_fill(g, &t->server, i);
        t->started = hash_box_open(&t->server.hashed) &&
                     pthread_create(&t->thread, NULL, thread_main, &t->server) == 0;
        if (t->started) pthread_setname_np(t->thread, "http");
        if (!t->started) {
            snprintf(why, why_size, "http: a thread cannot start");
            gateway_stop(&g);
            return NULL;
        }
    }
    why[0] = '\0';
    g->push = push_start(&g->setup, why, why_size);
    if (why[0] == '\0') g->hooks = hook_worker_start(&g->setup, why, why_size);
    if (why[0] != '\0') gateway_stop(&g);
    return g;
}

const char *gateway_address(const struct gateway *g) { return g->address; }

bool gateway_ready(const struct gateway *g) {
    for (uint32_t i = 0; i < g->count; i++) {
        if (!__atomic_load_n(&g->threads[i].server.ring_known, __ATOMIC_ACQUIRE)) return false;
    }
    return true;
}

/* Torn reads of one counter cannot happen on the machines this runs on; sums may be a moment
 * apart. */
void gateway_count(const struct gateway *g, struct count *sum) {
    *sum = (struct count){0};
    uint64_t *to = (uint64_t *)sum;
    for (uint32_t i = 0; i < g->count; i++) {
        const uint64_t *from = (const uint64_t *)&g->threads[i].server.count;
        for (size_t k = 0; k < sizeof *sum / sizeof *to; k++) {
            to[k] += __atomic_load_n(&from[k], __ATOMIC_RELAXED);
        }
    }
}

void gateway_stop(struct gateway **self) {
    struct gateway *g = *self;
    if (g == NULL) return;
    uint64_t one = 1;
    push_stop(&g->push);
    hook_worker_stop(&g->hooks);
    if (g->stop_fd >= 0 && write(g->stop_fd, &one, sizeof one) < 0) {
        log_error("the gateway cannot be stopped", field_text("why", strerror(errno)));
    }
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->threads[i].started) pthread_join(g->threads[i].thread, NULL);
    }
    hasher_destroy(&g->hasher); /* before the boxes it puts into */
    for (uint32_t i = 0; i < g->count; i++) hash_box_close(&g->threads[i].server.hashed);
    fleet_destroy(&g->fleet);
    door_close(&g->door);
    if (g->stop_fd >= 0) close(g->stop_fd);
    route_table_destroy(&g->routes);
    rates_destroy(&g->rates);
    free(g);
    *self = NULL;
}

/* ---- relais gateway ---- */

static int help_print(enum help help) {
    fputs("usage: relais gateway [--routes] [--OPTION VALUE]…\n\n"
          "Serves HTTP for a broker elsewhere (--broker ENDPOINT) or here (--data DIR).\n"
          "  --routes                     prints the route tables, one METHOD PATH a line\n",
          stdout);
    config_help(SECTION_BASE | SECTION_GATEWAY, help, stdout);
    return 0;
}

/* Waits for the end: a signal, or never. Says that it is ready once the broker was heard. */
static void wait_for_end(struct gateway *g, int signals) {
    bool said = false;
    struct pollfd fd = {.fd = signals, .events = POLLIN};
    while (signal_read(signals) == 0) {
        if (!said && gateway_ready(g)) {
            printf("relais: ready http=%s\n", gateway_address(g));
            fflush(stdout);
            supervisor_say("READY=1");
            said = true;
        }
        poll(&fd, 1, said ? -1 : 20);
    }
}

static int serve_alone(const struct config *c) {
    char broker[CONFIG_ENDPOINT_MAX], files[CONFIG_ENDPOINT_MAX], why[512] = "";
    int signals = signal_open();
    void *zmq = zmq_ctx_new();
    config_broker_endpoint(c, broker);
    snprintf(files, sizeof files, "%s", c->broker_files);
    if (files[0] == '\0') config_files_endpoint(broker, files);
    struct gateway_setup setup = {.config = c, .zmq = zmq, .broker = broker, .files = files,
                                  .drain_ms = DRAIN_MS};
    struct gateway *g = gateway_start(&setup, why, sizeof why);
    if (g == NULL) {
        fprintf(stderr, "relais gateway: %s\n", why);
    } else {
        wait_for_end(g, signals);
        supervisor_say("STOPPING=1");
    }
    int code = g == NULL;
    gateway_stop(&g);
    zmq_ctx_term(zmq);
    return code;
}

int command_gateway(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--routes") == 0) {
        route_print(dialect_list);
        return 0;
    }
    const enum help help = config_help_asked(argc, argv);
    if (help != HELP_NONE) return help_print(help);
    struct config config;
    int code = config_start(&config, SECTION_BASE | SECTION_GATEWAY, &argc, argv);
    if (code >= 0) return code;
    code = config_used_up(argc, argv) ? serve_alone(&config) : 2;
    config_free(&config);
    return code;
}
