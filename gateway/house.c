#include "gateway/house.h"
#include "gateway/openapi.h"
#include "proto/decode.h"
#include <stdio.h>
#include <string.h>

enum { DIALECTS_SHOWN_MAX = 18 };

static void fail(struct exchange *x, enum code code, const char *text) {
    out_object(&x->out);
    out_key(&x->out, "error");
    out_string(&x->out, text);
    out_key(&x->out, "code");
    out_string(&x->out, code_name(code));
    out_object_end(&x->out);
    exchange_answer(x, code_http(code));
}

static void say_status(struct exchange *x, const char *status, int http) {
    out_object(&x->out);
    out_key(&x->out, "status");
    out_string(&x->out, status);
    out_object_end(&x->out);
    exchange_answer(x, http);
}

static bool health_read(struct exchange *x, struct message *m) {
    (void)m;
    say_status(x, "ok", 200);
    return false;
}

static bool ready_read(struct exchange *x, struct message *m) {
    const struct server *s = request_of(x)->server;
    bool ready = link_up(s->link) && s->ring_known && !s->draining;
    (void)m;
    if (!ready) exchange_set(x, "Retry-After", "1");
    say_status(x, ready ? "ready" : "the broker cannot be reached", ready ? 200 : 503);
    return false;
}

/* ---- /metrics ---- */

static void metric(struct exchange *x, const char *name, const char *kind, const char *sentence,
                   uint64_t value) {
    const char *text =
        exchange_print(x, "# HELP relais_%s %s\n# TYPE relais_%s %s\nrelais_%s %llu\n", name,
                       sentence, name, kind, name, (unsigned long long)value);
    buffer_append(&x->out.body, text, strlen(text));
}

static void own_metrics(struct exchange *x) {
    struct count n;
    gateway_count(request_of(x)->server->gateway, &n);
    const char *head = "# HELP relais_http_requests_total requests answered, by class of status\n"
                       "# TYPE relais_http_requests_total counter\n";
    buffer_append(&x->out.body, head, strlen(head));
    for (int class = 1; class < 6; class++) {
        const char *line = exchange_print(x, "relais_http_requests_total{class=\"%dxx\"} %llu\n",
                                          class, (unsigned long long)n.classes[class]);
        buffer_append(&x->out.body, line, strlen(line));
    }
    metric(x, "http_connections", "gauge", "open HTTP connections", n.open_connections);
    metric(x, "http_sockets", "gauge", "open WebSockets", n.open_sockets);
    metric(x, "http_connections_total", "counter", "HTTP connections accepted", n.connections);
    metric(x, "http_received_bytes_total", "counter", "bytes of request bodies", n.bytes_in);
    metric(x, "http_sent_bytes_total", "counter", "bytes of answers' bodies", n.bytes_out);
    metric(x, "http_refused_heads_total", "counter", "requests whose head was malformed",
           n.refused_heads);
    metric(x, "http_left_total", "counter", "waits whose client hung up", n.left);
    metric(x, "http_late_total", "counter", "connections closed over a deadline", n.late_kills);
}

static void metrics_end(struct exchange *x) {
    exchange_set(x, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    exchange_answer(x, 200);
}

struct known_metric { const char *name, *kind, *sentence; };
#define GAUGE "gauge"
#define COUNTER "counter"
static const struct known_metric known_metrics[] = {
#define CORE_METRIC(name, kind, sentence) {"core_" #name, kind, sentence},
#define STORE_METRIC(name, kind, sentence) {"store_" #name, kind, sentence},
#include "proto/metric.def"
};

static bool begins(struct slice name, const char *with) {
    size_t len = strlen(with);
    return name.len >= len && memcmp(name.data, with, len) == 0;
}

/* One figure of STATS under the name and kind that metric.def gives it, with or without the name
 * of the part it comes from; one that stands not there is a gauge. */
static void broker_metric(struct exchange *x, struct slice name, uint64_t value) {
    static const char tasks[] = "tasks_";
    if (begins(name, "core_tasks_")) name = slice_of(name.data + 5, name.len - 5);
    if (begins(name, tasks)) {
        const char *line = exchange_print(x, "relais_tasks{status=\"%.*s\"} %llu\n",
                                          (int)(name.len - sizeof tasks + 1),
                                          (const char *)name.data + sizeof tasks - 1,
                                          (unsigned long long)value);
        buffer_append(&x->out.body, line, strlen(line));
        return;
    }
    for (size_t i = 0; i < sizeof known_metrics / sizeof *known_metrics; i++) {
        const struct known_metric *k = &known_metrics[i];
        const char *bare = strchr(k->name, '_') + 1;
        if (!slice_equal(name, slice_text(k->name)) && !slice_equal(name, slice_text(bare))) {
            continue;
        }
        const char *end = strcmp(k->kind, COUNTER) == 0 ? "_total" : "";
        metric(x, exchange_print(x, "%s%s", k->name, end), k->kind, k->sentence, value);
        return;
    }
    const char *text = exchange_print(x, "%.*s", (int)name.len, (const char *)name.data);
    metric(x, text, GAUGE, "a figure of the broker", value);
}

/* The body of STATS is a map of names to numbers. */
static void metrics_write(struct exchange *x, const struct message *answer) {
    uint32_t count;
    own_metrics(x);
    if (exchange_code(answer) == CODE_OK && answer->verb == VERB_ANSWER) {
        struct decode d = decode_of(answer->answer.body.data, answer->answer.body.len);
        struct slice name;
        if (!decode_map(&d, &count)) count = 0;
        for (; count > 0 && decode_slice(&d, &name); count--) {
            uint64_t value;
            struct decode before = d;
            if (decode_uint(&d, &value)) {
                broker_metric(x, name, value);
            } else {
                d = before;
                if (!decode_skip(&d, 1)) break;
            }
        }
    }
    metrics_end(x);
}

static bool metrics_read(struct exchange *x, struct message *m) {
    if (!link_up(request_of(x)->server->link)) {
        own_metrics(x);
        metrics_end(x);
        return false;
    }
    x->who.role = ROLE_ADMIN;
    snprintf(x->who.name, sizeof x->who.name, "metrics");
    exchange_try(x, m, metrics_write);
    return false;
}

/* ---- /openapi.json ---- */

static bool openapi_read(struct exchange *x, struct message *m) {
    const struct slice name = exchange_param(x, "name");
    const struct dialect *one[] = {NULL, NULL};
    const struct dialect *all[DIALECTS_SHOWN_MAX] = {&house};
    uint32_t count = 1;
    (void)m;
    for (const struct dialect *const *d = dialect_list; *d != NULL; d++) {
        const char *file = exchange_print(x, "%s.json", (*d)->name);
        if (slice_equal(slice_text(file), name)) one[0] = *d;
        if (count < DIALECTS_SHOWN_MAX - 1) all[count++] = *d;
    }
    if (name.data != NULL && one[0] == NULL) return exchange_refuse(x, CODE_NOT_FOUND, NULL);
    openapi_write(&x->out, name.data != NULL ? one : all);
    exchange_answer(x, x->route->status);
    return false;
}

#define OPEN(path_, read_, sentence_) \
    ROUTE(GET, NONE, path_, GUARD_OPEN, 200, read_, sentence_)
static const struct route routes[] = {
    OPEN("/health", health_read, "the process serves"),
    OPEN("/healthz", health_read, "the process serves"),
    OPEN("/live", health_read, "the process serves"),
    OPEN("/ready", ready_read, "the broker is heard"),
    OPEN("/readyz", ready_read, "the broker is heard"),
    OPEN("/openapi.json", openapi_read, "these tables, as OpenAPI 3.1"),
    OPEN("/openapi/{name}", openapi_read, "those of one dialect: NAME.json"),
    ROUTE(GET, NONE, "/metrics", GUARD_OPEN, 200, metrics_read, "Prometheus text",
          .verb = VERB_STATS, .write = metrics_write),
};
static const char *const prefixes[] = {"/health", "/healthz", "/live", "/ready", "/readyz",
                                       "/metrics", "/openapi.json", "/openapi", NULL};
static step *const steps[] = {NULL};

const struct dialect house = {
    .name = "house", .prefixes = prefixes, .steps = steps, .fail = fail, .routes = routes,
    .route_count = sizeof routes / sizeof routes[0]};
