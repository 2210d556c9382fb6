#include "gateway/push.h"
#include "gateway/account.h"
#include "gateway/json.h"
#include "gateway/link.h"
#include "gateway/outward.h"
#include "proto/base/date.h"
#include "proto/fleet.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include "proto/object.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_MS = 300, TIMEOUT_MS = 30000, TRIES_MAX = 3, RETRY_MS = 1000, LOOK_MS = 100,
       PAGE_STATIONS = 200, TAKE_COMMANDS = 16, URL_MAX = 600, MERGES_MAX = 8,
       BEAT_MS = 2000, FRAME_ITEMS_MAX = 256 };

struct brand {
    struct push *push;
    const char *token;
    struct who who;
    struct node calls;
    int64_t due_ms;   /* when its stations are looked at again */
    uint32_t offset;  /* of the next page of them */
};

enum stage { JOB_WAITS, JOB_CALLS, JOB_TELLS };
struct job { /* one command */
    struct node in_push, calls;
    struct brand *brand;
    uint64_t id;
    int64_t due_ms;
    enum stage stage;
    uint8_t type;
    uint8_t tries, merges;
    bool second;      /* the path of the other generation */
    char station[STATION_NAME_MAX + 1], session[SESSION_NAME_MAX + 1], endpoint[URL_MAX];
    char why[OUTWARD_WHY_MAX];
    struct buffer payload, key;
};

struct push {
    const struct gateway_setup *setup;
    struct allow *allow;
    struct outward *outward;
    struct link *link;
    struct node jobs; /* in the order in which they came */
    uint32_t job_count, brand_count;
    struct brand brands[PUSH_BRANDS_MAX];
    char *tokens;     /* owned: what brands' tokens point into */
    int stop_fd;
    pthread_t thread;
    bool started;
};

/* ---- what is called ---- */

struct target { const char *method, *before, *after; };

static bool target_of(uint8_t type, bool second, struct target *ret) {
    static const struct target targets[COMMAND_TYPE_COUNT][2] = {
        [COMMAND_CREATE] = {{"POST", "/api/sessions/start", NULL},
                            {"POST", "/api/sessions/create", NULL}},
        [COMMAND_RESTART] = {{"POST", "/api/sessions/", "/restart"}},
        [COMMAND_DISCONNECT] = {{"POST", "/api/sessions/", "/disconnect"}},
        [COMMAND_LOGOUT] = {{"POST", "/api/sessions/", "/logout"}},
        [COMMAND_DELETE] = {{"DELETE", "/api/sessions/", ""}},
        [COMMAND_SEND] = {{"POST", "/api/", "/send"}, {"POST", "/api/sessions/", "/send"}},
        [COMMAND_MANAGE] = {{"POST", "/api/message/", "/manage"}},
    };
    if (type >= COMMAND_TYPE_COUNT || targets[type][second].method == NULL) return false;
    *ret = targets[type][second];
    return true;
}

static void url_write(const struct job *j, const struct target *t, char url[URL_MAX * 2]) {
    size_t len = strlen(j->endpoint);
    while (len > 0 && j->endpoint[len - 1] == '/') len--;
    snprintf(url, URL_MAX * 2, "%.*s%s%s%s", (int)len, j->endpoint, t->before,
             t->after != NULL ? j->session : "", t->after != NULL ? t->after : "");
}

/* ---- calls to the broker ---- */

static bool ask(struct push *p, const struct who *who, struct node *calls, void *owner,
                const struct message *m,
                void (*done)(struct call *call, const struct message *answer, uint32_t count)) {
    struct call *call = link_send(p->link, who, m, 0, clock_mono_ms());
    if (call == NULL) return false;
    call->owner = owner;
    call->done = done;
    list_push(calls, &call->of_owner);
    return true;
}

static enum code code_of(const struct message *answer) {
    if (answer->verb == VERB_ANSWER) return answer->answer.code;
    return answer->verb == VERB_ROWS ? answer->rows.code : CODE_UNAVAILABLE;
}

static void job_free(struct job *j) {
    struct push *p = j->brand->push;
    while (!list_empty(&j->calls))
        call_drop(owner_of(list_first(&j->calls), struct call, of_owner));
    list_unlink(&j->in_push);
    buffer_free(&j->payload);
    buffer_free(&j->key);
    free(j);
    p->job_count--;
}

static void acknowledged(struct call *call, const struct message *answer, uint32_t count) {
    (void)answer; /* not acknowledged: it is given again */
    (void)count;
    job_free(call->owner);
}

static void acknowledge(struct job *j) {
    struct message m = {.verb = VERB_COMMANDS};
    m.commands = (struct commands_ask){.station = slice_text(j->station), .ack = j->id,
                                       .brand = j->brand->who.brand};
    j->stage = JOB_TELLS;
    if (!ask(j->brand->push, &j->brand->who, &j->calls, j, &m, acknowledged)) job_free(j);
}

/* ---- a worker's refusal ---- */

static void message_look(struct job *j);

static void told(struct call *call, const struct message *answer, uint32_t count) {
    struct job *j = call->owner;
    (void)count;
    bool raced = j->type == COMMAND_SEND && code_of(answer) == CODE_CONFLICT;
    if (raced && ++j->merges < MERGES_MAX) message_look(j);
    else acknowledge(j);
}

static void session_fail(struct job *j) {
    struct message m = {.verb = VERB_SESSION_REPORT};
    m.session = (struct session_ref){.name = slice_text(j->session),
                                     .station = slice_text(j->station),
                                     .brand = j->brand->who.brand,
                                     .status = SESSION_ERROR,
                                     .reason = slice_text(j->why)};
    if (!ask(j->brand->push, &j->brand->who, &j->calls, j, &m, told)) job_free(j);
}

/* The message as it is to be stored, and what listeners are told of it. False when it has moved on
 * already: what the worker reported counts. */
static bool message_fail(struct job *j, struct slice body, struct out *stored, struct out *told) {
    static const char *const members[] = {"messageId", "sessionId", "status", "to",
                                          "errorMessage", "updatedAt"};
    char why[64], now[DATE_TEXT_MAX];
    json_t *message = json_parse(body, why, sizeof why);
    const char *status = json_string_value(json_object_get(message, "status"));
    bool waits = status != NULL && strcmp(status, "PENDING") == 0;
    if (waits) {
        date_format_ms(clock_wall_ms(), now);
        json_object_set_new(message, "status", json_string("FAILED"));
        json_object_set_new(message, "errorMessage", json_string(j->why));
        json_object_set_new(message, "failedAt", json_string(now));
        json_object_set_new(message, "updatedAt", json_string(now));
        out_json(stored, message);
        out_object(told);
        for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
            out_key(told, members[i]);
            out_json(told, json_object_get(message, members[i]));
        }
        out_object_end(told);
    }
    json_decref(message);
    return waits;
}

static void message_looked(struct call *call, const struct message *answer, uint32_t count) {
    struct job *j = call->owner;
    struct object_row row;
    struct out stored = {0}, event = {0};
    (void)count;
    if (code_of(answer) != CODE_OK || !object_row_read(answer->answer.body, &row) ||
        !message_fail(j, row.body, &stored, &event)) {
        acknowledge(j);
        return;
    }
    struct message m = {.verb = VERB_PUT};
    m.object = (struct object_ref){.kind = slice_text("message"), .name = row.name,
                                   .body = buffer_slice(&stored.body), .mode = PUT_REPLACE,
                                   .brand = j->brand->who.brand,
                                   .options = {.version = row.version,
                                               .event = slice_text("message_status_updated"),
                                               .data = buffer_slice(&event.body)}};
    bool sent = ask(j->brand->push, &j->brand->who, &j->calls, j, &m, told);
    buffer_free(&stored.body);
    buffer_free(&event.body);
    if (!sent) job_free(j);
}

static void message_look(struct job *j) {
    char key[160];
    snprintf(key, sizeof key, "m:%.*s", (int)j->key.len, (const char *)j->key.data);
    struct message m = {.verb = VERB_FETCH};
    m.object = (struct object_ref){.kind = slice_text("message"), .name = slice_text(key),
                                   .brand = j->brand->who.brand};
    if (!ask(j->brand->push, &j->brand->who, &j->calls, j, &m, message_looked)) job_free(j);
}

static void job_refused(struct job *j, long status) {
    log_warn("a worker refused a command", field_text("station", j->station),
             field_text("session", j->session), field_number("status", (uint64_t)status));
    snprintf(j->why, sizeof j->why, "the worker answered %ld", status);
    j->stage = JOB_TELLS;
    if (j->type == COMMAND_SEND) message_look(j);
    else if (j->type == COMMAND_CREATE || j->type == COMMAND_RESTART) session_fail(j);
    else acknowledge(j);
}

/* ---- calls to workers ---- */

static void job_again(struct job *j, const char *why) {
    log_info("a worker was not reached", field_text("station", j->station),
             field_text("why", why), field_number("try", j->tries));
    if (j->tries == TRIES_MAX) {
        job_free(j); /* the broker gives the command again */
        return;
    }
    j->stage = JOB_WAITS;
    j->due_ms = clock_mono_ms() + RETRY_MS * j->tries;
}

static void job_ended(struct job *j, const struct outward_result *r) {
    struct target other;
    if (r->refused) {
        log_warn("a worker's endpoint is not allowed", field_text("station", j->station),
                 field_text("endpoint", j->endpoint));
        job_free(j);
    } else if (r->status >= 200 && r->status < 300) {
        acknowledge(j);
    } else if (r->status == 404 && !j->second && target_of(j->type, true, &other)) {
        j->second = true;
        j->tries--;
        j->stage = JOB_WAITS;
        j->due_ms = 0;
    } else if (r->status >= 400 && r->status < 500) {
        job_refused(j, r->status);
    } else {
        char text[48];
        snprintf(text, sizeof text, "it answered %ld", r->status);
        job_again(j, r->status != 0 ? text : r->why);
    }
}

static void job_start(struct job *j) {
    struct push *p = j->brand->push;
    struct target t;
    char url[URL_MAX * 2], why[OUTWARD_WHY_MAX];
    if (!target_of(j->type, j->second, &t)) {
        job_free(j);
        return;
    }
    url_write(j, &t, url);
    j->tries++;
    j->stage = JOB_CALLS;
    struct outward_call call = {.method = t.method, .url = url, .bearer = j->brand->token,
                                .json = buffer_slice(&j->payload), .owner = j};
    if (!outward_start(p->outward, &call, why, sizeof why)) job_again(j, why);
}

/* True when an earlier command of the same station is still in hand. */
static bool job_behind(const struct push *p, const struct job *j) {
    for (const struct node *n = p->jobs.next; n != &j->in_push; n = n->next) {
        const struct job *earlier = owner_of(n, struct job, in_push);
        if (earlier->brand == j->brand && strcmp(earlier->station, j->station) == 0) return true;
    }
    return false;
}

static void jobs_start(struct push *p, int64_t now_ms) {
    for (struct node *n = p->jobs.next, *next; n != &p->jobs; n = next) {
        struct job *j = owner_of(n, struct job, in_push);
        next = n->next;
        if (j->stage == JOB_WAITS && j->due_ms <= now_ms && !job_behind(p, j)) job_start(j);
    }
}

/* ---- what the broker has for them ---- */

static bool job_known(const struct push *p, uint64_t id) {
    for (const struct node *n = p->jobs.next; n != &p->jobs; n = n->next) {
        if (owner_of(n, struct job, in_push)->id == id) return true;
    }
    return false;
}

static void payload_make(struct job *j, const struct command_row *c) {
    struct out o = {0};
    if (c->payload.len > 0) {
        buffer_append(&j->payload, c->payload.data, c->payload.len);
        return;
    }
    out_object(&o);
    out_key(&o, "sessionId");
    out_text(&o, c->session);
    out_key(&o, "userId");
    out_text(&o, c->owner);
    out_key(&o, "sessionName");
    out_text(&o, c->title);
    out_object_end(&o);
    j->payload = o.body;
}

static void job_make(struct brand *b, const struct command_row *c) {
    struct push *p = b->push;
    struct target t;
    if (!target_of(c->type, false, &t) || job_known(p, c->id) || p->job_count == PUSH_JOBS_MAX)
        return;
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL) abort();
    j->brand = b;
    j->id = c->id;
    j->type = c->type;
    snprintf(j->station, sizeof j->station, "%.*s", (int)c->station.len,
             (const char *)c->station.data);
    snprintf(j->session, sizeof j->session, "%.*s", (int)c->session.len,
             (const char *)c->session.data);
    snprintf(j->endpoint, sizeof j->endpoint, "%.*s", (int)c->endpoint.len,
             (const char *)c->endpoint.data);
    payload_make(j, c);
    buffer_append(&j->key, c->key.data, c->key.len);
    list_init(&j->calls);
    list_push(&p->jobs, &j->in_push);
    p->job_count++;
}

static void commands_come(struct call *call, const struct message *answer, uint32_t count) {
    struct fleet_answer a;
    struct command_row c;
    uint32_t at = 0;
    (void)count;
    if (code_of(answer) != CODE_OK || !fleet_read(answer->answer.body, &a)) return;
    while (command_row_next(a.commands, &at, &c)) job_make(call->owner, &c);
}

static void commands_ask(struct brand *b, const struct station_row *s) {
    struct push *p = b->push;
    char url[URL_MAX];
    if (s->endpoint.len >= sizeof url || p->job_count + TAKE_COMMANDS > PUSH_JOBS_MAX) return;
    snprintf(url, sizeof url, "%.*s", (int)s->endpoint.len, (const char *)s->endpoint.data);
    if (!outward_hopes(p->outward, url)) return;
    struct message m = {.verb = VERB_COMMANDS};
    m.commands = (struct commands_ask){.station = s->name, .brand = b->who.brand,
                                       .limit = TAKE_COMMANDS};
    ask(p, &b->who, &b->calls, b, &m, commands_come);
}

static void stations_come(struct call *call, const struct message *answer, uint32_t count) {
    struct brand *b = call->owner;
    struct station_row s;
    uint32_t at = 0, rows = 0;
    (void)count;
    b->due_ms = clock_mono_ms() + POLL_MS;
    if (code_of(answer) != CODE_OK || answer->verb != VERB_ROWS) return;
    for (; station_row_next(answer->rows.rows, &at, &s); rows++) {
        if (s.commands > 0) commands_ask(b, &s);
    }
    b->offset = rows == PAGE_STATIONS ? b->offset + rows : 0;
}

static void stations_ask(struct push *p, int64_t now_ms) {
    for (uint32_t i = 0; i < p->brand_count; i++) {
        struct brand *b = &p->brands[i];
        struct message m = {.verb = VERB_STATION_LIST,
                            .stations = {.brand = b->who.brand, .limit = PAGE_STATIONS,
                                         .offset = b->offset}};
        if (b->due_ms > now_ms || !list_empty(&b->calls)) continue;
        ask(p, &b->who, &b->calls, b, &m, stations_come);
    }
}

/* ---- the thread ---- */

static void on_keyring(void *context, struct slice body) {
    (void)context; /* nobody's credentials are looked at here */
    (void)body;
}

static bool link_open(struct push *p, char *why, size_t why_size) {
    const struct config *c = p->setup->config;
    struct link_options options = {
        .zmq = p->setup->zmq, .broker = p->setup->broker, .files = p->setup->files,
        .broker_key = c->broker_key, .curve_file = c->curve_file, .beat_ms = BEAT_MS,
        .silence_ms = c->silence_ms, .answer_ms = c->answer_ms, .batch_max = FRAME_ITEMS_MAX,
        .name = "push", .context = p, .keyring = on_keyring};
    p->link = link_new(&options, clock_mono_ms(), why, why_size);
    return p->link != NULL;
}

static bool stopping(const struct push *p) {
    uint64_t one;
    return read(p->stop_fd, &one, sizeof one) > 0;
}

static void push_run(struct push *p) {
    while (!stopping(p)) {
        struct outward_result result;
        int descriptors[3] = {p->stop_fd};
        int64_t now_ms = clock_mono_ms();
        link_tick(p->link, now_ms);
        if (link_up(p->link)) stations_ask(p, now_ms);
        jobs_start(p, now_ms);
        link_flush(p->link);
        link_descriptors(p->link, &descriptors[1], &descriptors[2]);
        if (!link_receive(p->link, now_ms)) outward_wait(p->outward, descriptors, 3, LOOK_MS);
        while (link_receive(p->link, clock_mono_ms())) continue;
        while (outward_next(p->outward, &result)) job_ended(result.owner, &result);
        link_moved(p->link);
    }
}

static void *thread_main(void *context) {
    struct push *p = context;
    char why[512] = "";
    p->outward = outward_new(p->allow, TIMEOUT_MS);
    if (link_open(p, why, sizeof why)) push_run(p);
    else log_error("commands cannot be pushed", field_text("why", why));
    while (!list_empty(&p->jobs)) job_free(owner_of(list_first(&p->jobs), struct job, in_push));
    link_destroy(&p->link);
    outward_destroy(&p->outward);
    return NULL;
}

/* ---- start and stop ---- */

static bool brand_add(struct push *p, char *entry) {
    char *token = entry;
    size_t digits = strspn(entry, "0123456789");
    unsigned long long number = 1;
    if (digits > 0 && entry[digits] == '=') {
        number = digits <= 10 ? strtoull(entry, NULL, 10) : 0;
        token = entry + digits + 1;
    }
    if (number == 0 || number > UINT32_MAX || *token == '\0' ||
        p->brand_count == PUSH_BRANDS_MAX)
        return false;
    for (uint32_t i = 0; i < p->brand_count; i++) {
        if (p->brands[i].who.brand == number) return false;
    }
    struct brand *b = &p->brands[p->brand_count++];
    *b = (struct brand){.push = p, .token = token, .who = account_house};
    b->who.brand = (uint32_t)number;
    list_init(&b->calls);
    return true;
}

static bool tokens_read(struct push *p, char *why, size_t why_size) {
    char *at = p->tokens, *rest = NULL;
    for (char *entry = strtok_r(at, ", ", &rest); entry != NULL;
         entry = strtok_r(NULL, ", ", &rest)) {
        if (brand_add(p, entry)) continue;
        snprintf(why, why_size, "push_tokens: entry %u is no TOKEN or N=TOKEN, or its brand has "
                 "one already", p->brand_count + 1);
        return false;
    }
    if (p->brand_count == 0) snprintf(why, why_size, "push_endpoints needs push_tokens");
    return p->brand_count > 0;
}

struct push *push_start(const struct gateway_setup *setup, char *why, size_t why_size) {
    const struct config *c = setup->config;
    struct allow *allow = allow_new(c->push_endpoints, why, why_size);
    if (allow == NULL) return NULL;
    if (allow_empty(allow)) {
        allow_destroy(&allow);
        why[0] = '\0';
        return NULL;
    }
    struct push *p = calloc(1, sizeof *p);
    if (p == NULL) abort();
    p->setup = setup;
    p->allow = allow;
    list_init(&p->jobs);
    p->tokens = strdup(c->push_tokens);
    p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (tokens_read(p, why, why_size)) {
        p->started = pthread_create(&p->thread, NULL, thread_main, p) == 0;
        if (!p->started) snprintf(why, why_size, "push: a thread cannot start");
    }
    if (!p->started) push_stop(&p);
    else pthread_setname_np(p->thread, "push");
    return p;
}

void push_stop(struct push **self) {
    struct push *p = *self;
    uint64_t one = 1;
    if (p == NULL) return;
    if (p->started && write(p->stop_fd, &one, sizeof one) < 0)
        log_error("pushing cannot be stopped", field_text("why", strerror(errno)));
    if (p->started) pthread_join(p->thread, NULL);
    close(p->stop_fd);
    allow_destroy(&p->allow);
    free(p->tokens);
    free(p);
    *self = NULL;
}
