/* bench_pending - workers of dialect 000 that wait over HTTP, and the task that one of them gets.
 *
 * So many registered workers, each with its JWT and its connection, stand in GET pending?wait=30.
 * Tasks on an uploaded file are created one at a time: measured is from the creator's answer, which
 * is durable, until one worker has the task (0 when the worker had it first), and from the
 * creator's request; beside them the first answer on a connection that was just opened (first_).
 * The worker hands in a result and waits again. A task that comes to a second worker, or to none,
 * fails the run.
 *
 * --gone closes so many of the connections, in the very moments in which tasks are created;
 * --silent leaves so many open and reads nothing from them any more, as a machine that stands
 * still does: what they are given comes back when its lease (here SILENT_LEASE_MS) ends. */
#include "worker/command/bench.h"
#include "worker/command/web.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SILENT_LEASE_MS = 1000, AFTER_MS = 200, TASK_S_MAX = 30, ID_MAX = 32, WARM = 8 };

struct waiting {
    struct bench *b;
    struct web web;      /* a line for each worker; behind them one for who asks */
    uint32_t asker;
    char **tokens;       /* of the workers; owned */
    char admin[SERVER_TOKEN_MAX];
    char file[ID_MAX];
    bool *left;          /* it is closed, or not read */
    uint32_t left_count;
    char task[ID_MAX];   /* the newest that was created */
    bool expected;       /* nobody has it yet */
    struct web_line *holder;
    char held[ID_MAX];   /* what the holder was given */
    uint64_t twice, renewed;
    struct spread first, after, since;
    int64_t after_ns_max, since_ns_max;
};

/* ---- workers ---- */

static bool pend(struct waiting *s, uint32_t worker, const char *query) {
    char path[64];
    snprintf(path, sizeof path, "/api/v1/tasks/pending%s", query);
    return web_send(&s->web, worker,
                    &(struct web_request){.method = "GET", .path = path,
                                          .token = s->tokens[worker]});
}

static bool worker_wait(struct waiting *s, uint32_t worker) {
    return pend(s, worker, "?wait=30");
}

/* What a worker was given, or the end of its wait. */
static bool heard(void *context, struct web_line *line) {
    struct waiting *s = context;
    if (line->number == s->asker) return true;
    if (line->status == 404) {
        s->renewed++;
        return worker_wait(s, line->number);
    }
    json_t *data = line->status == 200 ? web_line_data(line) : NULL;
    const char *id = json_string_value(json_object_get(data, "id"));
    if (!id) {
        fprintf(stderr, "relais bench: a worker was answered %d %.300s\n", line->status,
                line->body);
    } else if (!s->expected) {
        fprintf(stderr, "relais bench: task %s was given to a second worker\n", id);
        s->twice++;
    } else {
        s->expected = false;
        s->holder = line;
        snprintf(s->held, sizeof s->held, "%s", id);
    }
    json_decref(data);
    return id != NULL;
}

static bool copy_text(const json_t *data, const char *key, char *ret, size_t size) {
    const char *text = json_string_value(json_object_get(data, key));
    return text && snprintf(ret, size, "%s", text) < (int)size;
}

/* An administrator makes the worker, the worker registers. */
static bool worker_enrol(struct waiting *s, uint32_t worker) {
    char body[128], token[64], jwt[SERVER_TOKEN_MAX];
    int len = snprintf(body, sizeof body, "{\"name\":\"w%u\",\"capabilities\":[\"bench\"]}",
                       worker);
    struct web_request make = {.method = "POST", .path = "/api/v1/worker", .token = s->admin,
                               .body = slice_of(body, (size_t)len)};
    json_t *data = web_data(&s->web, s->asker, &make, 201);
    bool ok = copy_text(data, "token", token, sizeof token);
    json_decref(data);
    if (!ok) return false;
    len = snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    struct web_request enter = {.method = "POST", .path = "/api/v1/worker/register",
                                .body = slice_of(body, (size_t)len)};
    data = web_data(&s->web, s->asker, &enter, 200);
    ok = copy_text(data, "token", jwt, sizeof jwt);
    json_decref(data);
    s->tokens[worker] = ok ? strdup(jwt) : NULL;
    return s->tokens[worker] != NULL;
}

/* Opens all connections and uses each once. */
static bool workers_connect(struct waiting *s) {
    for (uint32_t i = 0; i < s->asker; i++) {
        struct web_request once = {.method = "GET", .path = "/api/v1/tasks/pending",
                                   .token = s->tokens[i]};
        int64_t from = web_now_ns();
        if (!web_line_open(&s->web, i) || web_ask(&s->web, i, &once) != 404) return false;
        spread_add(&s->first, s->web.lines[i].heard_ns - from);
    }
    return true;
}

/* They wait at the broker a moment after their requests left. */
static bool workers_wait(struct waiting *s) {
    for (uint32_t i = 0; i < s->asker; i++)
        if (!worker_wait(s, i) || !web_pump(&s->web, 0)) return false;
    int64_t until = web_now_ns() + (int64_t)AFTER_MS * 1000000;
    while (web_now_ns() < until)
        if (!web_pump(&s->web, 20)) return false;
    return true;
}

/* ---- tasks ---- */

static const char form_kind[] = "multipart/form-data; boundary=bench";
static const char form[] = "--bench\r\nContent-Disposition: form-data; name=\"file\"; "
                           "filename=\"f.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
                           "0123456789abcdef\r\n--bench--\r\n";

static bool file_upload(struct waiting *s) {
    struct web_request r = {.method = "POST", .path = "/api/v1/files/upload",
                            .token = s->b->own_token, .kind = form_kind,
                            .body = slice_of(form, sizeof form - 1)};
    json_t *data = web_data(&s->web, s->asker, &r, 201);
    bool ok = copy_text(data, "id", s->file, sizeof s->file);
    json_decref(data);
    return ok;
}

static bool task_create(struct waiting *s) {
    char body[160];
    int len = snprintf(body, sizeof body, "{\"fileId\":\"%s\",\"config\":{\"type\":\"bench\"}}",
                       s->file);
    struct web_request r = {.method = "POST", .path = "/api/v1/tasks", .token = s->b->own_token,
                            .body = slice_of(body, (size_t)len)};
    json_t *data = web_data(&s->web, s->asker, &r, 201);
    bool ok = copy_text(data, "id", s->task, sizeof s->task);
    json_decref(data);
    return ok;
}

static bool task_finish(struct waiting *s) {
    char path[96];
    uint32_t worker = s->holder->number;
    snprintf(path, sizeof path, "/api/v1/tasks/%s/result", s->held);
    struct web_request r = {.method = "POST", .path = path, .token = s->tokens[worker],
                            .kind = form_kind, .body = slice_of(form, sizeof form - 1)};
    json_t *data = web_data(&s->web, worker, &r, 200);
    json_decref(data);
    return data != NULL && worker_wait(s, worker);
}

/* Some of those that wait leave, evenly spread over all. */
static bool leave(struct waiting *s, uint32_t until) {
    bool silent = s->b->silent > 0;
    uint32_t all = (uint32_t)(silent ? s->b->silent : s->b->gone);
    for (; s->left_count < until; s->left_count++) {
        uint32_t worker = (uint32_t)((uint64_t)s->left_count * s->asker / all);
        if (s->left[worker] || !s->web.lines[worker].asked) continue;
        s->left[worker] = true;
        if (!silent) web_line_close(&s->web, worker);
        else if (!web_line_deafen(&s->web, worker)) return false;
    }
    return true;
}

static bool task_follow(struct waiting *s) {
    struct web_line *asker = &s->web.lines[s->asker];
    s->expected = true;
    if (!task_create(s)) return false;
    int64_t until = asker->heard_ns + (int64_t)TASK_S_MAX * 1000000000;
    while (s->expected && web_now_ns() < until)
        if (!web_pump(&s->web, 100)) return false;
    if (s->expected || strcmp(s->held, s->task) != 0) {
        fprintf(stderr, "relais bench: task %s came to nobody\n", s->task);
        return false;
    }
    int64_t after = s->holder->heard_ns - asker->heard_ns;
    int64_t since = s->holder->heard_ns - asker->sent_ns;
    if (after < 0) after = 0;
    spread_add(&s->after, after);
    spread_add(&s->since, since);
    if (after > s->after_ns_max) s->after_ns_max = after;
    if (since > s->since_ns_max) s->since_ns_max = since;
    return task_finish(s);
}

static bool tasks_follow(struct waiting *s) {
    uint64_t leaving = s->b->silent + s->b->gone;
    for (uint64_t i = 0; i < s->b->count; i++) {
        uint64_t left = s->b->silent > 0 ? leaving : leaving * (i + 1) / s->b->count;
        if (!leave(s, (uint32_t)left) || !task_follow(s)) return false;
    }
    int64_t until = web_now_ns() + (int64_t)AFTER_MS * 1000000;
    while (web_now_ns() < until) /* whoever gets what is not his, gets it now */
        if (!web_pump(&s->web, 20)) return false;
    return s->twice == 0;
}

/* ---- the run ---- */

/* Buffers that the first requests make are no worker's cost. */
static bool warm(struct waiting *s) {
    bool ok = file_upload(s);
    for (uint32_t i = 0; ok && i < WARM && i < s->asker; i++)
        ok = web_line_open(&s->web, i) && worker_wait(s, i);
    for (uint32_t i = 0; ok && i < WARM; i++) ok = task_follow(s);
    for (uint32_t i = 0; i < WARM && i < s->asker; i++) web_line_close(&s->web, i);
    s->after = s->since = (struct spread){0};
    s->after_ns_max = s->since_ns_max = 0;
    return ok;
}

static bool run(struct waiting *s) {
    const struct bench *b = s->b;
    double per = 1024.0 / s->asker;
    if (!web_line_open(&s->web, s->asker)) return false;
    for (uint32_t i = 0; i < s->asker; i++)
        if (!worker_enrol(s, i)) return false;
    if (!warm(s)) return false;
    double enrolled = process_rss_mb(b->server.pid);
    if (!workers_connect(s)) return false;
    double used = process_rss_mb(b->server.pid);
    if (!workers_wait(s)) return false;
    double waiting = process_rss_mb(b->server.pid);
    struct meter meter = meter_start(b);
    int64_t from = web_now_ns();
    bool ok = tasks_follow(s);
    char more[512];
    snprintf(more, sizeof more,
             ",\"max_us\":%.1f,\"request_p50_us\":%.1f,\"request_p99_us\":%.1f,"
             "\"request_max_us\":%.1f,\"first_p50_us\":%.1f,\"first_p95_us\":%.1f,"
             "\"workers\":%u,\"gone\":%llu,\"silent\":%llu,\"twice\":%llu,\"used_kb\":%.1f,"
             "\"waiting_kb\":%.1f",
             (double)s->after_ns_max / 1e3, spread_at_us(&s->since, 0.5),
             spread_at_us(&s->since, 0.99), (double)s->since_ns_max / 1e3,
             spread_at_us(&s->first, 0.5), spread_at_us(&s->first, 0.95), s->asker,
             (unsigned long long)b->gone, (unsigned long long)b->silent,
             (unsigned long long)s->twice, (used - enrolled) * per, (waiting - enrolled) * per);
    struct result r = {.scenario = "pending", .jobs = s->after.count, .spread = &s->after,
                       .more = more, .seconds = (double)(web_now_ns() - from) / 1e9};
    result_print(b, &meter, &r);
    return ok;
}

bool bench_pending(struct bench *b) {
    if (!b->own) {
        fprintf(stderr, "relais bench: pending reads the memory of a server of its own\n");
        return false;
    }
    struct waiting *s = calloc(1, sizeof *s);
    if (!s) return false;
    s->b = b;
    s->asker = (uint32_t)b->workers;
    s->tokens = calloc(s->asker, sizeof *s->tokens);
    s->left = calloc(s->asker, sizeof *s->left);
    bool ok = s->tokens && s->left && server_token(&b->server, "admin", 1, s->admin) &&
              web_open(&s->web, b->server.http, s->asker + 1);
    s->web.context = s;
    s->web.heard = heard;
    ok = ok && run(s);
    if (s->web.lines) web_close(&s->web);
    for (uint32_t i = 0; s->tokens && i < s->asker; i++) free(s->tokens[i]);
    free(s->tokens);
    free(s->left);
    free(s);
    return ok;
}

void bench_pending_options(struct bench *b) {
    bench_option(b, "--failures-per-min=0"); /* registrations are few in a minute, else */
    if (b->silent > 0) bench_option(b, "--claim-lease-ms=%d", SILENT_LEASE_MS);
}
