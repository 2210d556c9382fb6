#include "worker/session.h"
#include "proto/base/utf8.h"
#include <assert.h>
#include <stdlib.h>

enum { JOBS_EXPECTED = 256 };

static struct job *job_of(struct node *n) { return owner_of(n, struct job, in_line); }

bool session_init(struct session *s, const struct session_options *options, uint64_t seed,
                  int64_t now_ms) {
    assert(options->slots > 0 && options->slots + options->prefetch <= SLOTS_MAX);
    *s = (struct session){.options = *options, .resay_at = INT64_MAX};
    list_init(&s->ready);
    list_init(&s->running);
    list_init(&s->reported);
    list_init(&s->idle);
    contact_init(&s->contact, seed, now_ms);
    return map_init(&s->jobs, JOBS_EXPECTED);
}

/* ---- jobs ---- */

static void job_free(struct job *j) {
    buffer_free(&j->data);
    buffer_free(&j->report);
    buffer_free(&j->point);
    buffer_free(&j->part);
    free(j);
}

void session_free(struct session *s) {
    struct node *lists[] = {&s->ready, &s->running, &s->reported, &s->idle};
    for (uint32_t i = 0; i < 4; i++) {
        for (struct node *n; (n = list_first(lists[i]));) {
            list_unlink(n);
            job_free(job_of(n));
        }
    }
    map_free(&s->jobs);
    batch_free(&s->batch);
}

static struct job *job_find(const struct session *s, uint64_t task, uint64_t epoch) {
    for (struct map_node *n = map_first(&s->jobs, hash_number(epoch)); n; n = map_next(n)) {
        struct job *j = owner_of(n, struct job, by_epoch);
        if (j->task.epoch == epoch && j->task.id == task) return j;
    }
    return NULL;
}

static struct job *job_new(struct session *s) {
    struct node *n = list_first(&s->idle);
    if (!n) {
        struct job *j = calloc(1, sizeof *j);
        if (j) list_init(&j->in_line);
        return j;
    }
    list_unlink(n);
    s->idle_count--;
    return job_of(n);
}

static void count(struct session *s, const struct job *j, int32_t by) {
    if (j->state == JOB_READY) s->ready_count += (uint32_t)by;
    if (j->state == JOB_RUNNING) s->running_count += (uint32_t)by;
    if (j->state == JOB_REPORTED) s->reported_count += (uint32_t)by;
}

static void job_move(struct session *s, struct job *j, enum job_state state) {
    struct node *list = state == JOB_READY ? &s->ready
                        : state == JOB_RUNNING ? &s->running : &s->reported;
    count(s, j, -1);
    list_unlink(&j->in_line);
    j->state = state;
    list_push(list, &j->in_line);
    count(s, j, 1);
}

static void job_gone(struct session *s, struct job *j) {
    count(s, j, -1);
    list_unlink(&j->in_line);
    map_remove(&s->jobs, &j->by_epoch);
    s->woken = true;
    size_t held = j->data.cap + j->report.cap + j->point.cap + j->part.cap;
    if (s->idle_count >= JOBS_IDLE_MAX || held > JOB_BYTES_KEPT) {
        job_free(j);
        return;
    }
    struct buffer data = j->data, report = j->report, point = j->point, part = j->part;
    *j = (struct job){.data = data, .report = report, .point = point, .part = part};
    buffer_clear(&j->data);
    buffer_clear(&j->report);
    buffer_clear(&j->point);
    buffer_clear(&j->part);
    list_push_front(&s->idle, &j->in_line);
    s->idle_count++;
}

/* ---- saying ---- */

static void say_ref(struct session *s, enum verb verb, uint64_t task, uint64_t epoch) {
    struct message m = {.verb = verb};
    m.report.task = task;
    m.report.epoch = epoch;
    batch_put(&s->batch, &m);
}

static void job_say(struct session *s, struct job *j, int64_t now_ms) {
    j->number = batch_put(&s->batch, &j->said);
    j->said_ms = now_ms;
    j->retry_ms = 0;
    if (s->resay_at > now_ms + RESAY_MS) s->resay_at = now_ms + RESAY_MS;
}

static void job_resay_at(struct session *s, struct job *j, int64_t at_ms) {
    j->retry_ms = at_ms;
    if (s->resay_at > at_ms) s->resay_at = at_ms;
}

static void point_say(struct session *s, struct job *j) {
    struct message m = {.verb = VERB_CHECKPOINT};
    m.report = (struct report){.task = j->task.id, .epoch = j->task.epoch};
    m.report.name = slice_of(j->point.data, j->point_name);
    m.report.data = slice_of(j->point.data + j->point_name, j->point.len - j->point_name);
    j->point_number = batch_put(&s->batch, &m);
}

static void part_say(struct session *s, struct job *j) {
    struct message m = {.verb = VERB_LOG};
    m.report = (struct report){.task = j->task.id, .epoch = j->task.epoch, .level = LOG_PART,
                               .seq = j->part_seq, .text = buffer_slice(&j->part)};
    j->part_number = batch_put_part(&s->batch, &m);
}

/* Texts that are shown must be UTF-8, or the broker refuses the report: other bytes become '?'. */
static void text_mend(uint8_t *data, uint32_t len) {
    uint32_t code;
    for (uint32_t at = 0; at < len;) {
        uint32_t step = utf8_next(slice_of(data + at, len - at), &code);
        if (step == 0) data[at] = '?';
        at += step ? step : 1;
    }
}

static void text_join(char *text, size_t size, const char *a, const char *b) {
    size_t first = strlen(a), second = strlen(b);
    if (second > size - first - 1) second = size - first - 1;
    memcpy(text, a, first);
    memcpy(text + first, b, second);
    text[first + second] = 0;
}

static struct slice text_cut(struct slice text) {
    return slice_of(text.data, utf8_cut(text, TEXT_BYTES_MAX));
}

/* The report's slices, copied behind each other; their places are found once all are in. */
static bool report_keep(struct job *j, const struct message *m) {
    struct report *r = &j->said.report;
    j->said = *m;
    r->task = j->task.id;
    r->epoch = j->task.epoch;
    r->text = text_cut(r->text);
    struct slice *slices[] = {&r->text, &r->data, &r->metrics, &r->file_hash, &r->file_name,
                              &r->file_mime};
    buffer_clear(&j->report);
    for (uint32_t i = 0; i < 6; i++) buffer_append(&j->report, slices[i]->data, slices[i]->len);
    if (j->report.failed) return false;
    const uint8_t *at = j->report.data;
    for (uint32_t i = 0; i < 6; i++) {
        slices[i]->data = at;
        if (slices[i]->len) at += slices[i]->len;
    }
    if (r->text.len) text_mend(j->report.data, r->text.len);
    return true;
}

/* Without memory for the report only the fact is kept. */
static void job_report(struct session *s, struct job *j, const struct message *m,
                       int64_t now_ms) {
    if (!report_keep(j, m)) {
        struct message bare = {.verb = VERB_RELEASE};
        bare.report.task = j->task.id;
        bare.report.epoch = j->task.epoch;
        j->said = bare;
    }
    job_move(s, j, JOB_REPORTED);
    if (s->contact.state == CONTACT_LINKED) job_say(s, j, now_ms);
}

static void job_release(struct session *s, struct job *j, int64_t now_ms) {
    struct message m = {.verb = VERB_RELEASE};
    job_report(s, j, &m, now_ms);
}

static void job_fail(struct session *s, struct job *j, const char *text, int64_t now_ms) {
    struct message m = {.verb = VERB_FAIL};
    m.report.reason = REASON_PERMANENT;
    m.report.text = slice_text(text);
    job_report(s, j, &m, now_ms);
}

static void job_stop(struct session *s, struct job *j, uint8_t reason) {
    if (j->state != JOB_RUNNING) return;
    j->stop = reason ? reason : REASON_CANCELLED;
    s->woken = true;
}

/* ---- from the broker ---- */

static const char *text_keep(struct buffer *b, struct slice text) {
    const uint8_t *at = b->data + b->len;
    buffer_append(b, text.data, text.len);
    buffer_byte(b, 0);
    return (const char *)at;
}

static const void *bytes_keep(struct buffer *b, struct slice bytes) {
    const uint8_t *at = b->data + b->len;
    buffer_append(b, bytes.data, bytes.len);
    return at;
}

/* Room is made at once, so that the pointers into `data` stay true. */
static bool job_fill(struct job *j, const struct delivery *d) {
    struct buffer *b = &j->data;
    size_t texts = (size_t)d->queue.len + d->type.len + d->labels.len + d->source_name.len +
                   d->source_mime.len + d->checkpoint_name.len + 6;
    size_t bytes = (size_t)d->payload.len + d->extra.len + d->checkpoint_data.len;
    if (!buffer_reserve(b, texts + bytes)) return false;
    j->task = (struct relais_task){
        .id = d->task, .epoch = d->epoch, .attempt = d->attempt, .run = d->run,
        .brand = d->brand, .timeout_ms = d->timeout_ms, .created_ms = d->created_ms,
        .source = d->source_file, .source_size = d->source_size, .source_ticket = d->ticket,
        .growing = d->stream, .parts = d->parts,
        .checkpoint = d->checkpoint, .payload_len = d->payload.len, .extra_len = d->extra.len,
        .checkpoint_len = d->checkpoint_data.len};
    j->task.payload = bytes_keep(b, d->payload);
    j->task.extra = bytes_keep(b, d->extra);
    j->task.checkpoint_data = bytes_keep(b, d->checkpoint_data);
    j->task.queue = text_keep(b, d->queue);
    j->task.type = text_keep(b, d->type);
    j->task.labels = text_keep(b, d->labels);
    j->task.source_name = text_keep(b, d->source_name);
    j->task.source_mime = text_keep(b, d->source_mime);
    j->task.checkpoint_name = text_keep(b, d->checkpoint_name);
    j->checkpoint = d->checkpoint;
    return true;
}

/* A delivery that cannot be kept is handed back at once; the same one twice is taken once. */
static void take_task(struct session *s, const struct delivery *d, int64_t now_ms) {
    if (d->task == 0 || job_find(s, d->task, d->epoch)) return;
    struct job *j = job_new(s);
    if (!j || !job_fill(j, d)) {
        if (j) job_free(j);
        say_ref(s, VERB_RELEASE, d->task, d->epoch);
        return;
    }
    map_put(&s->jobs, &j->by_epoch, hash_number(j->task.epoch));
    job_move(s, j, JOB_READY);
    s->woken = true;
    if (s->draining) job_release(s, j, now_ms);
}

static void count_settled(struct session *s, const struct job *j, enum code code) {
    if (code == CODE_ATTEMPT_SUPERSEDED || code == CODE_UNKNOWN_TASK) s->superseded++;
    else if (j->said.verb == VERB_DONE) s->done++;
    else if (j->said.verb == VERB_FAIL) s->failed++;
    else if (j->said.verb == VERB_RELEASE) s->released++;
    else s->stopped_count++;
}

static bool comes_again(enum code code) {
    return code == CODE_BUSY || code == CODE_UNAVAILABLE || code == CODE_RATE_LIMITED ||
           code == CODE_STORAGE_FULL || code == CODE_NOT_LINKED || code == CODE_TIMED_OUT;
}

/* The task is over for this worker, whatever else it is. */
static bool is_end(enum code code) {
    return code == CODE_OK || code == CODE_ATTEMPT_SUPERSEDED || code == CODE_UNKNOWN_TASK ||
           code == CODE_ALREADY_SETTLED || code == CODE_INVALID_STATE;
}

/* The broker's answer to a report, be it SETTLED or REFUSED. */
static void job_answered(struct session *s, struct job *j, enum code code, uint32_t retry_ms,
                         int64_t now_ms) {
    if (j->state != JOB_REPORTED) return;
    if (comes_again(code)) {
        job_resay_at(s, j, now_ms + (retry_ms ? retry_ms : 1000));
    } else if (!is_end(code) && !j->fallen) {
        char text[128];
        text_join(text, sizeof text, "the broker refused the report: ", code_text(code));
        j->fallen = true;
        job_fail(s, j, text, now_ms);
    } else {
        count_settled(s, j, code);
        job_gone(s, j);
    }
}

static void take_settled(struct session *s, const struct settled *m, int64_t now_ms) {
    struct job *j = job_find(s, m->task, m->epoch);
    if (j) job_answered(s, j, m->code, 0, now_ms);
}

static void take_refused(struct session *s, const struct busy *m, int64_t now_ms) {
    if (m->number == 0) return;
    for (struct node *n = s->reported.next, *next; n != &s->reported; n = next) {
        struct job *j = job_of(n);
        next = n->next;
        if (j->number != m->number) continue;
        job_answered(s, j, m->code, m->retry_ms, now_ms);
        return;
    }
}

static void take_checkpoint_ok(struct session *s, const struct checkpoint_ok *m) {
    struct job *j = job_find(s, m->task, m->epoch);
    if (!j || j->pointed == j->points || m->number != j->point_number) return;
    j->point_code = m->code;
    j->pointed = j->points;
    s->woken = true;
    buffer_clear(&j->point);
    if (m->code == CODE_OK) j->checkpoint = m->seq;
    if (m->code == CODE_ATTEMPT_SUPERSEDED) job_stop(s, j, REASON_LEASE_LOST);
}

/* The answer to the part under way of one of the running jobs, if it is one. */
static bool take_part(struct session *s, uint64_t number, enum code code) {
    if (number >> BATCH_NUMBER_BITS != BATCH_PART) return false;
    for (struct node *n = s->running.next; n != &s->running; n = n->next) {
        struct job *j = job_of(n);
        if (j->parted == j->parts || j->part_number != number) continue;
        j->part_code = code;
        j->parted = j->parts;
        s->woken = true;
        if (code == CODE_ATTEMPT_SUPERSEDED || code == CODE_UNKNOWN_TASK)
            job_stop(s, j, REASON_LEASE_LOST);
        break;
    }
    return true;
}

static void take_stop(struct session *s, const struct stop *m, int64_t now_ms) {
    struct job *j = job_find(s, m->task, m->epoch);
    if (!j) {
        say_ref(s, VERB_STOPPED, m->task, m->epoch);
    } else if (j->state == JOB_READY) {
        struct message stopped = {.verb = VERB_STOPPED};
        job_report(s, j, &stopped, now_ms);
    } else {
        job_stop(s, j, m->reason);
        j->doubted = false;
    }
}

static void take_recall(struct session *s, const struct stop *m, int64_t now_ms) {
    struct job *j = job_find(s, m->task, m->epoch);
    if (!j) say_ref(s, VERB_RELEASE, m->task, m->epoch);
    else if (j->state == JOB_READY) job_release(s, j, now_ms);
}

static void obey(struct session *s, const struct verdict_row *row) {
    struct job *j = job_find(s, row->task, row->epoch);
    if (!j || row->verdict == VERDICT_KEEP) return;
    if (j->state != JOB_RUNNING) job_gone(s, j);
    else job_stop(s, j, REASON_LEASE_LOST);
}

/* The new link heard nothing yet of what the old one was told. */
static void welcome(struct session *s, const struct welcome *w, int64_t now_ms) {
    for (uint32_t i = 0; i < w->verdict_count; i++) {
        struct verdict_row row = verdict_at(w->verdicts, i);
        obey(s, &row);
    }
    batch_clear(&s->batch, LOG_BYTES_KEPT);
    if (s->draining) {
        struct message m = {.verb = VERB_DRAIN};
        batch_put(&s->batch, &m);
    }
    for (struct node *n = s->running.next; n != &s->running; n = n->next) {
        if (job_of(n)->pointed != job_of(n)->points) point_say(s, job_of(n));
        if (job_of(n)->parted != job_of(n)->parts) part_say(s, job_of(n));
    }
    for (struct node *n = s->reported.next; n != &s->reported; n = n->next)
        job_say(s, job_of(n), now_ms);
    s->woken = true;
}

void session_message(struct session *s, const struct message *m, int64_t now_ms) {
    if (contact_message(&s->contact, m, now_ms)) welcome(s, &m->welcome, now_ms);
    if (s->contact.state != CONTACT_LINKED) return;
    if (m->verb == VERB_TASK) take_task(s, &m->task, now_ms);
    if (m->verb == VERB_SETTLED) take_settled(s, &m->settled, now_ms);
    if (m->verb == VERB_CHECKPOINT_OK) take_checkpoint_ok(s, &m->checkpoint_ok);
    if (m->verb == VERB_STOP) take_stop(s, &m->stop, now_ms);
    if (m->verb == VERB_RECALL) take_recall(s, &m->stop, now_ms);
    if (m->verb == VERB_ANSWER) take_part(s, m->answer.number, m->answer.code);
    if (m->verb == VERB_REFUSED && !take_part(s, m->refused.number, m->refused.code))
        take_refused(s, &m->refused, now_ms);
}

/* ---- the link ---- */

/* What runs while we are in doubt and must not: it hands its task back. */
static void doubt(struct session *s, int64_t now_ms) {
    bool in_doubt = contact_in_doubt(&s->contact, now_ms);
    if (in_doubt == s->doubt_seen) return;
    s->doubt_seen = in_doubt;
    s->woken = true;
    if (!in_doubt || !s->options.stop_in_doubt) return;
    for (struct node *n = s->running.next; n != &s->running; n = n->next) {
        struct job *j = job_of(n);
        if (j->stop) continue;
        j->doubted = true;
        job_stop(s, j, REASON_LEASE_LOST);
    }
}

static void resay(struct session *s, int64_t now_ms) {
    if (s->contact.state != CONTACT_LINKED || now_ms < s->resay_at) return;
    uint32_t left = s->reported_count;
    s->resay_at = INT64_MAX;
    for (struct node *n = s->reported.next; left--; n = n->next) {
        struct job *j = job_of(n);
        int64_t at = j->retry_ms ? j->retry_ms : j->said_ms + RESAY_MS;
        if (now_ms >= at) job_say(s, j, now_ms);
        else if (s->resay_at > at) s->resay_at = at;
    }
}

enum contact_due session_due(struct session *s, int64_t now_ms, uint64_t *number) {
    doubt(s, now_ms);
    resay(s, now_ms);
    return contact_due(&s->contact, now_ms, number);
}

static void held_add(const struct job *j, struct buffer *held, uint32_t *count) {
    if (*count >= HELD_MAX) return;
    held_put(held, (struct held){.task = j->task.id, .epoch = j->task.epoch,
                                 .checkpoint = j->checkpoint,
                                 .started = j->state != JOB_READY});
    (*count)++;
}

void session_hello(struct session *s, struct message *hello, struct buffer *held) {
    const struct session_options *o = &s->options;
    const struct node *lists[] = {&s->running, &s->ready, &s->reported};
    *hello = (struct message){.verb = VERB_HELLO};
    buffer_clear(held);
    hello->hello = (struct hello){
        .version = PROTOCOL_VERSION, .kind = LINK_WORKER, .name = o->name, .boot = o->boot,
        .serves = o->serves, .slots = s->draining ? 0 : o->slots,
        .prefetch = s->draining ? 0 : o->prefetch, .implied = o->implied, .brand = o->brand};
    for (uint32_t i = 0; i < 3; i++) {
        for (struct node *n = lists[i]->next; n != lists[i]; n = n->next)
            held_add(job_of(n), held, &hello->hello.held_count);
    }
    hello->hello.held = buffer_slice(held);
}

void session_down(struct session *s, int64_t now_ms) { contact_down(&s->contact, now_ms); }

int64_t session_wake_ms(const struct session *s) {
    int64_t at = contact_wake_ms(&s->contact);
    int64_t doubt_at = contact_doubt_ms(&s->contact);
    if (!s->doubt_seen && doubt_at < at) at = doubt_at;
    if (s->contact.state == CONTACT_LINKED && s->resay_at < at) at = s->resay_at;
    return at;
}

/* ---- the work ---- */

struct job *session_next(struct session *s, int64_t now_ms) {
    struct node *n = list_first(&s->ready);
    if (!n || s->draining || s->running_count >= s->options.slots) return NULL;
    if (s->contact.state != CONTACT_LINKED || contact_in_doubt(&s->contact, now_ms)) return NULL;
    struct job *j = job_of(n);
    job_move(s, j, JOB_RUNNING);
    if (!s->options.implied) say_ref(s, VERB_START, j->task.id, j->task.epoch);
    return j;
}

void session_report(struct session *s, struct job *j, const struct message *m, int64_t now_ms) {
    assert(j->state == JOB_RUNNING);
    struct message stopped = {.verb = j->doubted ? VERB_RELEASE : VERB_STOPPED};
    if (j->stop) m = &stopped;
    if (m->verb == VERB_DONE && m->report.data.len > s->contact.payload_max)
        job_fail(s, j, "the result is over the size limit: send it as a file", now_ms);
    else
        job_report(s, j, m, now_ms);
}

void session_remark(struct session *s, struct job *j, struct message *m) {
    uint8_t text[TEXT_BYTES_MAX];
    bool linked = s->contact.state == CONTACT_LINKED;
    if (!linked && (m->verb != VERB_LOG || s->batch.piles[VERB_LOG].items.len > LOG_BYTES_KEPT))
        return;
    m->report.task = j->task.id;
    m->report.epoch = j->task.epoch;
    m->report.text = text_cut(m->report.text);
    if (m->report.text.len) memcpy(text, m->report.text.data, m->report.text.len);
    m->report.text.data = text;
    text_mend(text, m->report.text.len);
    batch_put(&s->batch, m);
}

uint32_t session_checkpoint(struct session *s, struct job *j, struct slice name,
                            struct slice data) {
    assert(j->state == JOB_RUNNING);
    buffer_clear(&j->point);
    buffer_append(&j->point, name.data, name.len);
    buffer_append(&j->point, data.data, data.len);
    if (j->point.failed) {
        buffer_clear(&j->point);
        j->pointed = j->points;
        return 0;
    }
    j->point_name = name.len;
    j->points++;
    if (s->contact.state == CONTACT_LINKED) point_say(s, j);
    return j->points;
}

uint32_t session_part(struct session *s, struct job *j, uint32_t seq, struct slice text) {
    assert(j->state == JOB_RUNNING);
    buffer_clear(&j->part);
    buffer_append(&j->part, text.data, text.len);
    if (j->part.failed) {
        buffer_clear(&j->part);
        j->parted = j->parts;
        return 0;
    }
    j->part_seq = seq;
    j->parts++;
    if (s->contact.state == CONTACT_LINKED) part_say(s, j);
    return j->parts;
}

void session_drain(struct session *s, int64_t now_ms) {
    if (s->draining) return;
    s->draining = s->woken = true;
    for (struct node *n; (n = list_first(&s->ready));) job_release(s, job_of(n), now_ms);
    if (s->contact.state != CONTACT_LINKED) return;
    struct message m = {.verb = VERB_DRAIN};
    batch_put(&s->batch, &m);
}

void session_stop(struct session *s, int64_t now_ms) {
    session_drain(s, now_ms);
    if (s->stopped) return;
    s->stopped = true;
    for (struct node *n = s->running.next; n != &s->running; n = n->next) {
        struct job *j = job_of(n);
        if (j->stop) continue;
        j->doubted = true;
        job_stop(s, j, REASON_RELEASED);
    }
}
