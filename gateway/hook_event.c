/* hook_event.c - from an event to its targets. Each step asks the broker once and goes on with what
 * it answered; nothing is kept but what the calls will say. */
#include "gateway/account.h"
#include "gateway/answer.h"
#include "gateway/hook_worker.h"
#include <stdio.h>
#include <stdlib.h>

enum { KEY_SIZE = 64 };

static bool topic_begins(const struct job *j, const char *with) {
    const size_t len = strlen(with);
    return j->event.topic.len >= len && memcmp(j->event.topic.data, with, len) == 0;
}

/* ---- submitting ---- */

static void event_end(struct job *j) {
    if (j->failed) job_fail(j, true, "a call could not be submitted");
    else job_done(j);
}

/* Under the same key with another body: it was submitted when the target was another. */
static void submitted(struct call *call, const struct message *answer, uint32_t count) {
    struct job *j = call->owner;
    const enum code code = answer_code(answer);
    (void)count;
    if (code != CODE_OK && code != CODE_IDEMPOTENCY_CONFLICT) j->failed = true;
    if (--j->waiting == 0) event_end(j);
}

static void target_submit(struct job *j, const char *queue, const char *type, const char *target,
                          struct slice payload) {
    const struct config *c = j->worker->setup->config;
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "hook:%llu:%s", (unsigned long long)j->task, target);
    struct message m = {.verb = VERB_SUBMIT};
    m.submit = (struct submit){.queue = slice_text(queue), .type = slice_text(type),
                               .payload = payload};
    m.submit.options = (struct options){
        .set = SET_BRAND | SET_RETRIES | SET_BACKOFF | SET_KEEP | SET_PRIORITY, .brand = j->brand,
        .priority = PRIORITY_NORMAL, .retries = (uint16_t)c->hook_retries,
        .backoff_ms = c->hook_backoff_ms, .keep_ms = KEEP_FAILED, .key = slice_text(key)};
    if (job_ask(j, &account_house, &m, submitted)) j->waiting++;
    else j->failed = true;
}

static void call_submit(struct job *j, uint64_t hook, const char *url, const char *target,
                        struct slice body) {
    struct buffer keep = {0};
    struct out o = {0};
    hook_call_write(&o, hook_topic(j->event.topic, &keep), hook, url, body);
    target_submit(j, HOOK_QUEUE, HOOK_TYPE_CALL, target, buffer_slice(&o.body));
    buffer_free(&o.body);
    buffer_free(&keep);
}

static void rule_submit(struct job *j) {
    const char *url = json_string_value(json_object_get(j->rule, "webhook_url"));
    const json_t *to = json_object_get(j->rule, "notification_emails");
    struct out o = {0};
    if (url != NULL && url[0] != '\0') {
        hook_alert_write(&o, j->worker->ring.id_key, &j->event, j->rule);
        call_submit(j, 0, url, "rule", buffer_slice(&o.body));
        buffer_clear(&o.body);
    }
    if (json_array_size(to) > 0 && j->worker->setup->config->smtp_url[0] != '\0') {
        o = (struct out){.body = o.body};
        hook_mail_write(&o, j->rule, j->event.data, to);
        target_submit(j, MAIL_QUEUE, MAIL_TYPE, "mail", buffer_slice(&o.body));
    }
    buffer_free(&o.body);
}

static void hook_row_submit(struct job *j, const struct object_row *row, struct slice topic) {
    char target[32];
    json_t *hook = json_of(row->body);
    const char *url = json_string_value(json_object_get(hook, "url"));
    if (url != NULL && hook_wants(hook, topic)) {
        snprintf(target, sizeof target, "%llu", (unsigned long long)row->id);
        call_submit(j, row->id, url, target, buffer_slice(&j->body));
    }
    json_decref(hook);
}

static void hooks_come(struct call *call, const struct message *answer, uint32_t count) {
    struct job *j = call->owner;
    struct buffer keep = {0};
    struct object_row row;
    (void)count;
    if (answer_code(answer) != CODE_OK || answer->verb != VERB_ROWS) {
        job_fail(j, true, "the brand's webhooks could not be read");
        return;
    }
    const char *own = json_string_value(json_object_get(j->extra, "webhook_url"));
    const struct slice topic = hook_topic(j->event.topic, &keep);
    j->waiting = 1; /* this function itself */
    for (uint32_t at = 0; object_row_next(answer->rows.rows, &at, &row);)
        hook_row_submit(j, &row, topic);
    if (own != NULL && !slice_equal(topic, slice_text("task.progress")))
        call_submit(j, 0, own, "own", buffer_slice(&j->body));
    rule_submit(j);
    buffer_free(&keep);
    if (--j->waiting == 0) event_end(j);
}

static void hooks_ask(struct job *j) {
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){.kind = slice_text("objects"), .object = slice_text("hook"),
                                   .priority = -1, .dialect = -1, .brand = j->brand,
                                   .limit = HOOK_TARGETS_MAX};
    if (!job_ask(j, &account_house, &m, hooks_come)) job_fail(j, true, "the broker is away");
}

/* ---- what is said ---- */

static void body_make(struct job *j, const struct view *v) {
    struct out o = {0};
    hook_body_write(&o, j->worker->ring.id_key, &j->event, v);
    j->body = o.body;
    if (v != NULL) j->extra = json_of(v->body.extra);
    hooks_ask(j);
}

/* A task that is gone has said all that it will: what the event brought. */
static void task_come(struct call *call, const struct message *answer, uint32_t count) {
    struct job *j = call->owner;
    const enum code code = answer_code(answer);
    struct view v = j->view.view;
    (void)count;
    if (code != CODE_OK && code != CODE_UNKNOWN_TASK && code != CODE_NOT_FOUND) {
        job_fail(j, true, "the task could not be read");
        return;
    }
    if (code == CODE_OK) v.body = answer->view.body;
    body_make(j, &v);
}

static void rule_come(struct call *call, const struct message *answer, uint32_t count) {
    struct job *j = call->owner;
    const enum code code = answer_code(answer);
    struct object_row row;
    (void)count;
    if (code != CODE_OK && code != CODE_NOT_FOUND && code != CODE_VALIDATION_ERROR) {
        job_fail(j, true, "the alert's rule could not be read");
        return;
    }
    if (code == CODE_OK && object_row_read(answer->answer.body, &row))
        j->rule = json_of(row.body);
    body_make(j, NULL);
}

static void task_begin(struct job *j) {
    uint32_t at = 0;
    if (!row_next(&j->frame, j->event.data, &at, &j->view)) {
        job_fail(j, false, "the event's task cannot be read");
        return;
    }
    if (j->view.view.body.id != 0) {
        body_make(j, &j->view.view);
        return;
    }
    struct message m = {.verb = VERB_GET};
    m.ref = (struct task_ref){.id = j->view.view.head.id, .want = WANT_BODY};
    if (!job_ask(j, &account_house, &m, task_come)) job_fail(j, true, "the broker is away");
}

static void rule_begin(struct job *j) {
    char number[24] = "";
    if (j->event.key.len < sizeof number) memcpy(number, j->event.key.data, j->event.key.len);
    struct message m = {.verb = VERB_FETCH};
    m.object = (struct object_ref){.kind = slice_text("alert_rule"), .brand = j->brand,
                                   .options = {.id = strtoull(number, NULL, 10)}};
    if (!job_ask(j, &account_house, &m, rule_come)) job_fail(j, true, "the broker is away");
}

void hook_event_begin(struct job *j) {
    uint32_t at = 0;
    if (!feed_row_next(buffer_slice(&j->payload), &at, &j->event)) {
        job_fail(j, false, "the event cannot be read");
        return;
    }
    if (topic_begins(j, "task.")) task_begin(j);
    else if (topic_begins(j, "alert.")) rule_begin(j);
    else body_make(j, NULL);
}
