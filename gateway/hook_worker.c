#include "gateway/hook_worker.h"
#include "gateway/account.h"
#include "gateway/answer.h"
#include "proto/base/date.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BEAT_MS = 2000, FRAME_ITEMS_MAX = 256, LOOK_MS = 100, CLAIM_WAIT_MS = 10000,
       LEASE_MORE_MS = 2000, AGAIN_MS = 1000, ADDRESS_BYTES_MAX = 320 };

/* ---- a job's life ---- */

static void job_free(struct job *j) {
    struct hook_worker *w = j->worker;
    while (!list_empty(&j->calls))
        call_drop(owner_of(list_first(&j->calls), struct call, of_owner));
    list_unlink(&j->in_worker);
    frame_free(&j->frame);
    json_decref(j->extra);
    json_decref(j->rule);
    json_decref(j->call);
    buffer_free(&j->payload);
    buffer_free(&j->body);
    free(j);
    w->job_count--;
}

bool job_ask(struct job *j, const struct who *who, const struct message *m,
             void (*done)(struct call *call, const struct message *answer, uint32_t count)) {
    struct call *call = link_send(j->worker->link, who, m, 0, clock_mono_ms());
    if (call == NULL) return false;
    call->owner = j;
    call->done = done;
    list_push(&j->calls, &call->of_owner);
    return true;
}

/* Not settled: the lease ends, and the task comes again. */
static void settled(struct call *call, const struct message *answer, uint32_t count) {
    (void)answer;
    (void)count;
    job_free(call->owner);
}

/* Another may take it at once. What was under way is said again by its next taker. */
static void job_return(struct job *j) {
    struct message m = {.verb = VERB_RELEASE};
    m.report = (struct report){.task = j->task, .epoch = j->epoch, .percent = -1};
    link_tell(j->worker->link, &j->worker->who, &m);
    job_free(j);
}

static void job_report(struct job *j, const struct message *m) {
    if (!job_ask(j, &j->worker->who, m, settled)) job_free(j);
}

void job_done(struct job *j) {
    struct message m = {.verb = VERB_DONE};
    m.report = (struct report){.task = j->task, .epoch = j->epoch, .percent = -1};
    job_report(j, &m);
}

void job_fail(struct job *j, bool again, const char *why) {
    struct message m = {.verb = VERB_FAIL};
    m.report = (struct report){.task = j->task, .epoch = j->epoch, .percent = -1,
                               .reason = again ? REASON_FAILED : REASON_PERMANENT,
                               .retryable = again, .text = slice_text(why)};
    job_report(j, &m);
}

/* ---- calls ---- */

static void job_ended(struct job *j, const struct outward_result *r) {
    char why[OUTWARD_WHY_MAX];
    if (r->status >= 200 && r->status < 300) {
        job_done(j);
        return;
    }
    if (r->status != 0) snprintf(why, sizeof why, "it answered %ld", r->status);
    else snprintf(why, sizeof why, "%s", r->why);
    log_info("a webhook or mail was not taken", field_number("task", j->task),
             field_number("brand", j->brand), field_text("why", why));
    job_fail(j, !r->refused && r->status != 410, why);
}

static void call_send(struct job *j, const char *url, const char *secret) {
    const char *body = json_string_value(json_object_get(j->call, "body"));
    char id[HOOK_ID_SIZE], signature[HOOK_SIGNATURE_SIZE], why[OUTWARD_WHY_MAX];
    char lines[3][HOOK_SIGNATURE_SIZE + 32];
    const char *const headers[] = {lines[0], lines[1], lines[2], NULL};
    const int64_t now_s = clock_wall_ms() / 1000;
    hook_id(j->task, id);
    if (url == NULL || body == NULL ||
        !hook_sign(secret, id, now_s, slice_text(body), signature)) {
        job_fail(j, false, "the call cannot be read");
        return;
    }
    snprintf(lines[0], sizeof lines[0], "webhook-id: %s", id);
    snprintf(lines[1], sizeof lines[1], "webhook-timestamp: %lld", (long long)now_s);
    snprintf(lines[2], sizeof lines[2], "webhook-signature: %s", signature);
    const struct outward_call call = {.method = "POST", .url = url, .headers = headers,
                                      .json = slice_text(body), .owner = j};
    if (!outward_start(j->worker->outward, &call, why, sizeof why)) job_fail(j, true, why);
}

/* The target as it now is: another URL, another secret, or none any more. */
static void hook_come(struct call *call, const struct message *answer, uint32_t count) {
    struct job *j = call->owner;
    const enum code code = answer_code(answer);
    struct object_row row;
    (void)count;
    json_t *hook = NULL;
    if (code == CODE_OK && object_row_read(answer->answer.body, &row))
        hook = json_of(row.body);
    if (code != CODE_OK && code != CODE_NOT_FOUND)
        job_fail(j, true, "the webhook could not be read");
    else if (!json_is_true(json_object_get(hook, "active")))
        job_done(j);
    else
        call_send(j, json_string_value(json_object_get(hook, "url")),
                  json_string_value(json_object_get(hook, "secret")));
    json_decref(hook);
}

static void call_begin(struct job *j) {
    const json_int_t hook = json_integer_value(json_object_get(j->call, "hook"));
    char secret[HOOK_SECRET_SIZE];
    if (hook <= 0) {
        hook_brand_secret(j->worker->ring.id_key, j->brand, secret);
        call_send(j, json_string_value(json_object_get(j->call, "url")), secret);
        return;
    }
    struct message m = {.verb = VERB_FETCH};
    m.object = (struct object_ref){.kind = slice_text("hook"), .brand = j->brand,
                                   .options = {.id = (uint64_t)hook}};
    if (!job_ask(j, &account_house, &m, hook_come)) job_fail(j, true, "the broker is away");
}

/* ---- mails ---- */

static void line_put(struct buffer *b, const char *name, const char *value) {
    buffer_append(b, name, strlen(name));
    for (; *value != '\0'; value++) buffer_byte(b, (uint8_t)*value < ' ' ? ' ' : (uint8_t)*value);
    buffer_append(b, "\r\n", 2);
}

/* Lines end in CR LF; the dots that begin them are the library's business. */
static void text_put_lines(struct buffer *b, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '\n') buffer_byte(b, '\r');
        if (*text != '\r') buffer_byte(b, (uint8_t)*text);
    }
    buffer_append(b, "\r\n", 2);
}

static void mail_write(struct job *j, struct buffer *b, const char *subject, const char *text) {
    char id[ADDRESS_BYTES_MAX], date[DATE_TEXT_MAX];
    snprintf(id, sizeof id, "<relais-%llu@relais>", (unsigned long long)j->task);
    line_put(b, "From: ", j->worker->setup->config->smtp_from);
    line_put(b, "To: ", "undisclosed-recipients:;");
    line_put(b, "Subject: ", subject);
    line_put(b, "Message-ID: ", id);
    date_format_ms(clock_wall_ms(), date);
    line_put(b, "X-Relais-Time: ", date);
    line_put(b, "MIME-Version: ", "1.0");
    line_put(b, "Content-Type: ", "text/plain; charset=utf-8");
    line_put(b, "Content-Transfer-Encoding: ", "8bit");
    buffer_append(b, "\r\n", 2);
    text_put_lines(b, text);
}

/* One that cannot be taken for anything else on its way to the server. */
static bool address_good(const char *text) {
    if (text == NULL || strchr(text, '@') == NULL || strlen(text) > MAIL_ADDRESS_MAX) return false;
    for (; *text != '\0'; text++)
        if ((uint8_t)*text <= ' ' || (uint8_t)*text >= 0x7f || strchr("<>,;:\"\\()[]", *text))
            return false;
    return true;
}

static void mail_begin(struct job *j) {
    const struct config *c = j->worker->setup->config;
    const char *subject = json_string_value(json_object_get(j->call, "subject"));
    const char *text = json_string_value(json_object_get(j->call, "text"));
    const json_t *list = json_object_get(j->call, "to");
    const char *to[MAIL_TO_MAX + 1] = {NULL};
    char why[OUTWARD_WHY_MAX];
    struct buffer b = {0};
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(list) && count < MAIL_TO_MAX; i++) {
        const char *address = json_string_value(json_array_get(list, i));
        if (address_good(address)) to[count++] = address;
    }
    if (to[0] == NULL || subject == NULL || text == NULL || c->smtp_url[0] == '\0') {
        job_fail(j, false, c->smtp_url[0] == '\0' ? "no mail server is known"
                                                  : "the mail cannot be read");
        return;
    }
    mail_write(j, &b, subject, text);
    const struct outward_mail mail = {.server = c->smtp_url, .from = c->smtp_from, .to = to,
                                      .text = buffer_slice(&b), .owner = j};
    if (!outward_mail(j->worker->outward, &mail, why, sizeof why)) job_fail(j, true, why);
    buffer_free(&b);
}

/* ---- taking tasks ---- */

static void job_begin(struct job *j, const struct delivery *t) {
    struct message start = {.verb = VERB_START};
    start.report = (struct report){.task = t->task, .epoch = t->epoch, .percent = -1};
    link_tell(j->worker->link, &j->worker->who, &start);
    const bool mail = slice_equal(t->queue, slice_text(MAIL_QUEUE));
    if (!mail && slice_equal(t->type, slice_text(HOOK_TYPE_EVENT))) {
        hook_event_begin(j);
        return;
    }
    j->call = json_of(buffer_slice(&j->payload));
    if (mail) mail_begin(j);
    else call_begin(j);
}

static void job_take(struct hook_worker *w, const struct delivery *t) {
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL) abort();
    j->worker = w;
    j->task = t->task;
    j->epoch = t->epoch;
    j->brand = t->brand;
    buffer_append(&j->payload, t->payload.data, t->payload.len);
    list_init(&j->calls);
    list_push(&w->jobs, &j->in_worker);
    w->job_count++;
    job_begin(j, t);
}

static void claimed(struct call *call, const struct message *answer, uint32_t count) {
    struct hook_worker *w = call->owner;
    w->claim_count--;
    if (answer_code(answer) != CODE_OK || answer->verb != VERB_TASK) {
        w->claim_at = clock_mono_ms() + AGAIN_MS;
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        if (answer[i].task.task != 0) job_take(w, &answer[i].task);
}

static void claim(struct hook_worker *w, int64_t now_ms) {
    const uint32_t timeout_ms = w->setup->config->hook_timeout_ms;
    struct buffer queues = {0};
    struct message m = {.verb = VERB_CLAIM};
    text_put(&queues, slice_text(HOOK_QUEUE));
    text_put(&queues, slice_text(MAIL_QUEUE));
    m.claim = (struct claim){.worker = slice_text(w->who.name), .boot = w->who.boot, .limit = 1,
                             .serves = {.queues = buffer_slice(&queues), .queue_count = 2},
                             .wait_ms = CLAIM_WAIT_MS, .lease_ms = 2 * timeout_ms + LEASE_MORE_MS};
    struct call *call = link_send(w->link, &w->who, &m, 0, now_ms);
    buffer_free(&queues);
    if (call == NULL) return;
    call->owner = w;
    call->done = claimed;
    list_push(&w->claims, &call->of_owner);
    w->claim_count++;
}

static void claims_send(struct hook_worker *w, int64_t now_ms) {
    while (w->claim_at <= now_ms && w->claim_count < HOOK_CLAIMS &&
           w->job_count + w->claim_count < HOOK_JOBS_MAX) {
        const uint32_t before = w->claim_count;
        claim(w, now_ms);
        if (w->claim_count == before) return;
    }
}

/* ---- the thread ---- */

static void on_keyring(void *context, struct slice body) {
    struct hook_worker *w = context;
    if (keyring_take(&w->ring, body)) w->ring_known = true;
}

static bool link_open(struct hook_worker *w, char *why, size_t why_size) {
    const struct config *c = w->setup->config;
    const struct link_options options = {
        .zmq = w->setup->zmq, .broker = w->setup->broker, .files = w->setup->files,
        .broker_key = c->broker_key, .curve_file = c->curve_file, .beat_ms = BEAT_MS,
        .silence_ms = c->silence_ms, .answer_ms = c->answer_ms, .batch_max = FRAME_ITEMS_MAX,
        .name = "webhooks", .context = w, .keyring = on_keyring};
    w->link = link_new(&options, clock_mono_ms(), why, why_size);
    return w->link != NULL;
}

static bool stopping(const struct hook_worker *w) {
    uint64_t one;
    return read(w->stop_fd, &one, sizeof one) > 0;
}

static void worker_run(struct hook_worker *w) {
    while (!stopping(w)) {
        struct outward_result result;
        int descriptors[3] = {w->stop_fd};
        const int64_t now_ms = clock_mono_ms();
        link_tick(w->link, now_ms);
        if (link_up(w->link) && w->ring_known) claims_send(w, now_ms);
        link_flush(w->link);
        link_descriptors(w->link, &descriptors[1], &descriptors[2]);
        if (!link_receive(w->link, now_ms)) outward_wait(w->outward, descriptors, 3, LOOK_MS);
        while (link_receive(w->link, clock_mono_ms())) continue;
        while (outward_next(w->outward, &result)) job_ended(result.owner, &result);
        link_moved(w->link);
    }
}

static void *thread_main(void *context) {
    struct hook_worker *w = context;
    char why[512] = "";
    w->outward = outward_new(w->allow, w->setup->config->hook_timeout_ms);
    outward_web(w->outward);
    if (link_open(w, why, sizeof why)) worker_run(w);
    else log_error("webhooks cannot be sent", field_text("why", why));
    while (!list_empty(&w->claims))
        call_drop(owner_of(list_first(&w->claims), struct call, of_owner));
    while (!list_empty(&w->jobs)) job_return(owner_of(list_first(&w->jobs), struct job, in_worker));
    if (w->link != NULL) link_flush(w->link);
    link_destroy(&w->link);
    outward_destroy(&w->outward);
    return NULL;
}

struct hook_worker *hook_worker_start(const struct gateway_setup *setup, char *why,
                                      size_t why_size) {
    why[0] = '\0';
    if (!setup->config->hooks) return NULL;
    struct allow *allow = allow_new(setup->config->hook_allow, why, why_size);
    if (allow == NULL) return NULL;
    struct hook_worker *w = calloc(1, sizeof *w);
    if (w == NULL) abort();
    w->setup = setup;
    w->allow = allow;
    list_init(&w->jobs);
    list_init(&w->claims);
    w->who = (struct who){.role = ROLE_WORKER};
    randombytes_buf(&w->who.boot, sizeof w->who.boot);
    w->who.boot = (w->who.boot & ((UINT64_C(1) << 53) - 1)) | 1;
    snprintf(w->who.name, sizeof w->who.name, "relais-hooks-%llx",
             (unsigned long long)w->who.boot);
    w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->started = pthread_create(&w->thread, NULL, thread_main, w) == 0;
    if (w->started) {
        pthread_setname_np(w->thread, "webhooks");
        return w;
    }
    snprintf(why, why_size, "webhooks: a thread cannot start");
    hook_worker_stop(&w);
    return NULL;
}

void hook_worker_stop(struct hook_worker **self) {
    struct hook_worker *w = *self;
    const uint64_t one = 1;
    if (w == NULL) return;
    if (w->started && write(w->stop_fd, &one, sizeof one) < 0)
        log_error("webhooks cannot be stopped", field_text("why", strerror(errno)));
    if (w->started) pthread_join(w->thread, NULL);
    close(w->stop_fd);
    keyring_free(&w->ring);
    allow_destroy(&w->allow);
    free(w);
    *self = NULL;
}
