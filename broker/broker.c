/* broker.c - see broker.h. */
#include "broker/broker.h"
#include "broker/curve.h"
#include "broker/founder.h"
#include "broker/turn.h"
#include "proto/host/log.h"
#include "proto/host/memory.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zmq.h>

enum { IPC_PATH_MAX = 107, PORT_TRIES = 32, SILENT_FACTOR = 2, SILENT_MS_MORE = 1000 };

struct broker {
    const struct config *config;
    int stop_fd;
    bool serve;
    void *context;
    struct secret secret;
    struct core_limits core_limits;
    struct store_options store_options;
    struct router_limits limits;
    struct curve *curve;
    struct router *router;
    struct filer *filer;
    struct turn *turn;
    struct founder *founder;
    char native[CONFIG_ENDPOINT_MAX];
    char house[CONFIG_ENDPOINT_MAX]; /* where this process itself is heard; "" = nowhere */
};

static void limits_take(struct broker *b) {
    const struct config *c = b->config;
    core_limits_default(&b->core_limits);
#define OPTION(...)
#define STORE(...)
#define LIMIT(name, ...) b->core_limits.name = c->name;
#include "proto/option.def"
    b->core_limits.push_bytes_max = c->outbox_bytes_max / 2; /* deliveries are no slow reader's */
    b->store_options.folder = c->data;
    b->store_options.id_key = b->secret.id_key;
#define OPTION(...)
#define LIMIT(...)
#define STORE(name, ...) b->store_options.name = c->name;
#include "proto/option.def"
    b->limits = (struct router_limits){
        .peers_max = c->links_max, .batch_max = c->batch_max,
        .frame_bytes_max = c->frame_bytes_max, .outbox_bytes_max = c->outbox_bytes_max,
        .peer_queue_max = c->peer_queue_max, .handshake_ms = c->handshake_ms,
        .silent_ms_max = SILENT_FACTOR * c->lost_ms + SILENT_MS_MORE,
        .curve_always = strcmp(c->curve, "always") == 0};
}

/* One connection takes a descriptor: have as many as we may. */
static void descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool parts_open(struct broker *b, char *why, size_t why_size) {
    const struct config *c = b->config;
    if (!secret_open(&b->secret, c->data, why, why_size)) return false;
    snprintf(why, why_size, "out of memory or threads");
    b->context = zmq_ctx_new();
    if (b->context == NULL) return false;
    zmq_ctx_set(b->context, ZMQ_MAX_SOCKETS, 4096);
    b->curve = curve_start(b->context, c->data);
    b->router = router_new(b->context, &b->limits);
    if (b->curve == NULL || b->router == NULL) return false;
    const struct filer_setup filer = {
        .context = b->context, .data = c->data, .router_limits = &b->limits, .secret = &b->secret,
        .file_bytes_max = c->file_bytes_max, .free_bytes_min = c->free_bytes_min,
        .chunk_bytes_max = c->file_chunk_bytes_max, .uploads_max = c->uploads_max,
        .upload_idle_ms = c->upload_idle_ms, .stream_bytes_max = c->stream_bytes_max,
        .streams_max = c->streams_max, .stream_idle_ms = c->stream_idle_ms,
        .stream_ms_max = c->stream_ms_max, .wait_ms_max = b->core_limits.wait_ms_max};
    b->filer = filer_new(&filer, why, why_size);
    if (b->filer == NULL) return false;
    const struct turn_setup turn = {
        .router = b->router, .filer = b->filer, .limits = &b->core_limits,
        .router_limits = &b->limits, .store = &b->store_options, .secret = &b->secret,
        .data = c->data,
        .audit = {.data = c->data, .bytes_max = c->audit_bytes_max,
                  .files_max = c->audit_files_max},
        .ask_rows_max = c->ask_rows_max, .ask_ms_max = c->ask_ms_max,
        .submit_wait_ms_max = c->submit_wait_ms_max,
        .all_brands = b->serve};
    b->turn = turn_new(&turn, why, why_size);
    return b->turn != NULL && turn_open(b->turn, b->stop_fd, why, why_size);
}

/* Binds an endpoint for tasks and the one for files beside it. A free port is taken back and
 * another one tried when the port after it is not free. */
static bool pair_bind(struct broker *b, const char *endpoint, const char *files_option,
                      char *bound, char *why, size_t why_size) {
    char files[CONFIG_ENDPOINT_MAX], files_bound[CONFIG_ENDPOINT_MAX];
    const size_t len = strlen(endpoint);
    const bool any_port = len > 2 && (strcmp(endpoint + len - 2, ":0") == 0
                                      || strcmp(endpoint + len - 2, ":*") == 0);
    for (int i = 0; i < (any_port ? PORT_TRIES : 1); i++) {
        if (!router_bind(b->router, endpoint, &b->secret, bound, CONFIG_ENDPOINT_MAX, why,
                         why_size))
            return false;
        if (files_option[0] != 0)
            snprintf(files, sizeof files, "%s", files_option);
        else
            config_files_endpoint(bound, files);
        if (filer_bind(b->filer, files, files_bound, sizeof files_bound, why, why_size)) {
            log_info("listening", field_text("endpoint", bound), field_text("files", files_bound));
            return true;
        }
        if (any_port) router_unbind(b->router);
    }
    return false;
}

static bool endpoints_bind(struct broker *b, char *why, size_t why_size) {
    char ipc[CONFIG_ENDPOINT_MAX], bound[CONFIG_ENDPOINT_MAX];
    const struct config *c = b->config;
    if (!pair_bind(b, c->listen, c->listen_files, b->native, why, why_size)) return false;
    if (b->serve && !pair_bind(b, BROKER_INPROC, "", bound, why, why_size)) return false;
    if (b->serve) snprintf(b->house, sizeof b->house, "%s", BROKER_INPROC);
    config_ipc_endpoint(c, ipc);
    char files[CONFIG_ENDPOINT_MAX];
    config_files_endpoint(ipc, files);
    if (strlen(files) > IPC_PATH_MAX + strlen("ipc://")) {
        log_warn("the data folder's path is too long for a socket in it: a gateway needs a tcp "
                 "endpoint", field_text("path", ipc));
        return true;
    }
    const mode_t mask = umask(0077); /* the folder is 0700 already; the sockets say so too */
    const bool good = pair_bind(b, ipc, "", bound, why, why_size);
    umask(mask);
    if (good && !b->serve) snprintf(b->house, sizeof b->house, "%s", ipc);
    return good;
}

struct broker *broker_open(const struct broker_setup *setup, char *why, size_t why_size) {
    struct broker *b = calloc(1, sizeof *b);
    snprintf(why, why_size, "out of memory");
    if (b == NULL) return NULL;
    b->config = setup->config;
    b->stop_fd = setup->stop_fd;
    b->serve = setup->serve;
    limits_take(b);
    memory_start();
    descriptors_raise();
    if (!parts_open(b, why, why_size) || !endpoints_bind(b, why, why_size)) {
        broker_close(&b);
        return NULL;
    }
    if (filer_start(b->filer)) return b;
    snprintf(why, why_size, "out of threads");
    broker_close(&b);
    return NULL;
}

void broker_run(struct broker *b) {
    b->founder = founder_start(b->context, b->house, b->config->data);
    turn_run(b->turn, b->stop_fd);
}

void broker_stop(struct broker *b) { turn_stop(b->turn); }

void broker_close(struct broker **self) {
    struct broker *b = *self;
    if (b == NULL) return;
    if (b->turn != NULL) turn_drain(b->turn, b->config->drain_ms);
    turn_destroy(&b->turn);
    filer_destroy(&b->filer);
    router_destroy(&b->router);
    curve_stop(&b->curve);
    if (b->founder != NULL) zmq_ctx_shutdown(b->context); /* it waits for an answer, if at all */
    founder_end(&b->founder);
    if (b->context != NULL) zmq_ctx_term(b->context);
    secret_wipe(&b->secret);
    free(b);
    *self = NULL;
}

const char *broker_native(const struct broker *b) { return b->native; }
void *broker_context(const struct broker *b) { return b->context; }
