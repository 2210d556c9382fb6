/* tell.c - what the core says, as lines that a reader understands. */
#include "tests/story/script.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 2048 };
struct text { char at[TEXT_MAX]; size_t len; };

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int n = vsnprintf(t->at + t->len, TEXT_MAX - t->len, format, list);
    va_end(list);
    t->len += n > 0 ? (size_t)n : 0;
    if (t->len >= TEXT_MAX) t->len = TEXT_MAX - 1;
}

static void put_slice(struct text *t, const char *before, struct slice s) {
    if (s.len) put(t, " %s\"%.*s\"", before, (int)s.len, (const char *)s.data);
}

/* Moves the bytes over. */
static void put_bytes(struct text *t, struct buffer *b) {
    put(t, "%.*s", (int)b->len, b->len ? (const char *)b->data : "");
    buffer_clear(b);
}

static void put_code(struct text *t, enum code code) {
    if (code != CODE_OK) put(t, " %s", code_name(code));
}

static void put_lines(struct text *t, struct slice body) {
    if (body.len && body.data[body.len - 1] != '\n') put_slice(t, "", body);
    for (uint32_t i = 0, start = 0; i < body.len; i++) {
        if (body.data[i] != '\n') continue;
        put(t, "\n             ");
        for (uint32_t k = start; k < i; k++)
            put(t, "%c", body.data[k] == '\t' ? ' ' : body.data[k]);
        start = i + 1;
    }
}

static void put_attempts(struct text *t, const struct view *v) {
    uint32_t at = 0;
    struct attempt_record a;
    while (attempt_next(v->attempts, &at, &a)) {
        put(t, "\n             attempt %u.%u %s", a.run, a.attempt, reason_name(a.reason));
        put_slice(t, "", a.worker);
        put_slice(t, "", a.message);
    }
    at = 0;
    struct log_record l;
    while (log_next(v->logs, &at, &l)) {
        put(t, "\n             log %u level %u", l.line, l.level);
        put_slice(t, "", l.text);
    }
    at = 0;
    while (log_next(v->parts, &at, &l)) {
        put(t, "\n             part %u of %u", l.line, v->head.parts);
        put_slice(t, "", l.text);
    }
}

static void put_view(struct story *s, struct text *t, const struct view *v) {
    if (v->code != CODE_OK) {
        put_code(t, v->code);
        return;
    }
    const struct task_head *h = &v->head;
    s->version = h->version;
    put(t, " %s %s", task_name(s, h->id), status_name((enum status)h->status));
    if (h->run > 1) put(t, " run %u", h->run);
    if (h->attempt) put(t, " attempt %u", h->attempt);
    if (h->progress) put(t, " %u%%", h->progress);
    if (h->checkpoint) put(t, " checkpoint %u", h->checkpoint);
    if (h->reason) put(t, " reason %s", reason_name((enum reason)h->reason));
    if (v->place) put(t, " place %llu", (unsigned long long)v->place);
    if (h->status == STATUS_SCHEDULED)
        put(t, " due in %lld", (long long)(h->due_ms - s->world.wall_ms));
    put_slice(t, "by ", v->worker);
    put_slice(t, "body ", v->body.payload);
    put_slice(t, "extra ", v->body.extra);
    put_slice(t, "result ", v->result.result);
    put_slice(t, "message ", v->result.message);
    put_slice(t, "saying ", v->progress_text);
    put_attempts(t, v);
}

static void put_delivery(struct story *s, struct text *t, const struct delivery *d) {
    if (d->task == 0) {
        put(t, " none");
        return;
    }
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)d->payload.len, (const char *)d->payload.data);
    task_call(s, d->task, name);
    put(t, " %s e%u attempt %u", task_name(s, d->task), epoch_name(s, d->epoch), d->attempt);
    if (d->run > 1) put(t, " run %u", d->run);
    if (d->lease_ms) put(t, " lease %u", d->lease_ms);
    if (d->parts) put(t, " parts %u", d->parts);
    if (d->checkpoint) put(t, " checkpoint %u", d->checkpoint);
    put_slice(t, "", d->checkpoint_data);
}

static void put_welcome(struct story *s, struct text *t, const struct welcome *w) {
    for (uint32_t i = 0; i < w->verdict_count; i++) {
        static const char *const words[] = {"keep", "stop", "settled"};
        struct verdict_row v = verdict_at(w->verdicts, i);
        put(t, " %s e%u: %s", task_name(s, v.task), epoch_name(s, v.epoch), words[v.verdict]);
    }
}

static void put_submitted(struct story *s, struct text *t, const struct submitted *m) {
    if (m->id == 0) {
        put_code(t, m->code);
        put_slice(t, "", m->text);
        return;
    }
    for (uint32_t i = 0; i < s->asked_count; i++)
        if (s->asked[i].number == m->number) task_call(s, m->id, s->asked[i].task);
    put(t, " %s", task_name(s, m->id));
    put_code(t, m->code);
}

static void put_report_answer(struct story *s, struct text *t, uint64_t task, uint64_t epoch,
                              enum code code) {
    put(t, " %s", task_name(s, task));
    if (epoch) put(t, " e%u", epoch_name(s, epoch));
    put_code(t, code);
}

static void put_outcome(struct story *s, struct text *t, const struct outcome *o) {
    put(t, " %s %s %s", task_name(s, o->task), status_name((enum status)o->status),
        reason_name((enum reason)o->reason));
    put_slice(t, "", o->result);
    put_slice(t, "message ", o->message);
}

char *tell_note(struct world *w, const struct say *say) {
    struct story *s = w->context;
    const struct message *m = &say->message;
    struct text t = {.len = 0};
    buffer_clear(&s->told);
    switch ((int)m->verb) {
    case VERB_WELCOME: put_welcome(s, &t, &m->welcome); break;
    case VERB_SUBMITTED: put_submitted(s, &t, &m->submitted); break;
    case VERB_TASK: put_delivery(s, &t, &m->task); break;
    case VERB_SETTLED:
        put_report_answer(s, &t, m->settled.task, m->settled.epoch, m->settled.code);
        break;
    case VERB_CHECKPOINT_OK:
        put_report_answer(s, &t, m->checkpoint_ok.task, m->checkpoint_ok.epoch,
                          m->checkpoint_ok.code);
        put(&t, " seq %u", m->checkpoint_ok.seq);
        break;
    case VERB_STOP:
        put_report_answer(s, &t, m->stop.task, m->stop.epoch, CODE_OK);
        put(&t, " %s", reason_name((enum reason)m->stop.reason));
        break;
    case VERB_VIEW: put_view(s, &t, &m->view); break;
    case VERB_ANSWER:
        put_code(&t, m->answer.code);
        if (m->answer.code != CODE_OK || (!tell_schedule(s, m->answer.body, &s->told) &&
                                          !tell_object(s, m->answer.body, &s->told) &&
                                          !tell_fleet(s, m->answer.body, &s->told)))
            put_lines(&t, m->answer.body);
        put_bytes(&t, &s->told);
        break;
    case VERB_ROWS:
        put_code(&t, m->rows.code);
        if (m->rows.code == CODE_OK && !tell_stations(&m->rows, &s->told))
            tell_events(s, &m->rows, &s->told);
        put_bytes(&t, &s->told);
        break;
    case VERB_OUTCOME: put_outcome(s, &t, &m->outcome); break;
    case VERB_REFUSED:
        put_code(&t, m->refused.code);
        if (m->refused.retry_ms) put(&t, " in %u", m->refused.retry_ms);
        break;
    default: break;
    }
    if (m->verb == VERB_TASK && say->now) put(&t, " (at once)");
    return strdup(t.at);
}

void story_say(struct story *s, const char *format, ...) {
    if (s->quiet) return;
    struct text t = {.len = 0};
    va_list list;
    va_start(list, format);
    int n = vsnprintf(t.at, TEXT_MAX, format, list);
    va_end(list);
    char head[40];
    snprintf(head, sizeof head, "    [%6lld] ", (long long)s->world.mono_ms);
    buffer_append(&s->out, head, strlen(head));
    buffer_append(&s->out, t.at, n < TEXT_MAX ? (size_t)n : TEXT_MAX - 1);
    buffer_append(&s->out, "\n", 1);
}

void tell_left(struct world *w, const struct left *left) {
    struct story *s = w->context;
    struct actor *a = actor_at(s, left->peer);
    if (left->verb == VERB_BEAT) return;
    if (left->verb == VERB_WELCOME && a) a->link = left->link;
    if (left->verb == VERB_TASK && left->task) {
        uint32_t i = 0;
        while (i < s->newest_count && s->newest[i].task != left->task) i++;
        if (i == s->newest_count && i < NAMES_MAX) s->newest_count++;
        if (i < NAMES_MAX) s->newest[i].task = left->task, s->newest[i].epoch = left->epoch;
    }
    story_say(s, "%s < %s%s", a ? a->name : "nobody", verb_name(left->verb), left->text);
}
