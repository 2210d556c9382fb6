/* history.c - what happened to a task: its attempts and status changes, and its log.
 *
 *   /tasks/{id}/events/  in the order of time: created, each attempt's start and end with its
 *                        reason, what it is now
 *   /tasks/{id}/logs/    the lines that its workers wrote, and how each attempt ended
 *
 * The broker keeps the newest 32 attempts that did not complete the task, and its first
 * log_lines_max lines; so a list is one page. */
#include "gateway/dialect/megahub/megahub.h"

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN };

static void list_write(struct exchange *x, struct out *rows, uint32_t count) {
    struct out *o = &x->out;
    out_list_end(rows);
    out_object(o);
    out_key(o, "count");
    out_unsigned(o, count);
    out_key(o, "next");
    out_null(o);
    out_key(o, "previous");
    out_null(o);
    out_key(o, "results");
    out_raw(o, buffer_slice(&rows->body));
    out_object_end(o);
    buffer_free(&rows->body);
    exchange_answer(x, x->route->status);
}

struct happening {
    const char *event, *status;
    int64_t time_ms;
    uint32_t run, attempt;
    struct slice worker, message;
    const char *reason;
};

static void happening_write(struct out *o, const struct happening *h, uint32_t number) {
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, number);
    out_key(o, "event");
    out_string(o, h->event);
    out_key(o, "status");
    out_string(o, h->status);
    out_key(o, "run");
    out_unsigned(o, h->run);
    out_key(o, "attempt");
    out_unsigned(o, h->attempt);
    out_key(o, "worker_name");
    out_text_or_null(o, h->worker);
    out_key(o, "reason");
    out_string(o, h->reason);
    out_key(o, "message");
    out_text_or_null(o, h->message);
    out_key(o, "created_at");
    out_time(o, h->time_ms);
    out_object_end(o);
}

/* ---- events ---- */

/* What became of the task when this attempt ended: the last one of a run ends it. */
static const char *status_after(const struct view *v, const struct attempt_record *a) {
    const struct task_head *head = &v->head;
    switch (a->reason) {
    case REASON_PAUSED: return "paused";
    case REASON_PERMANENT:
    case REASON_POISON: return "failed";
    case REASON_CANCELLED: return "cancelled";
    default: break;
    }
    const bool last = a->run == head->run && a->attempt == head->attempt;
    return last && status_ended((enum status)head->status) ? megahub_status(head->status)
                                                           : "pending";
}

static uint32_t attempts_write(struct out *o, const struct view *v) {
    struct attempt_record a;
    uint32_t at = 0, number = 1;
    while (attempt_next(v->attempts, &at, &a)) {
        happening_write(o, &(struct happening){.event = "attempt_started", .status = "running",
                                               .time_ms = a.started_ms, .run = a.run,
                                               .attempt = a.attempt, .worker = a.worker},
                        ++number);
        happening_write(o, &(struct happening){.event = "attempt_ended",
                                               .status = status_after(v, &a),
                                               .time_ms = a.ended_ms, .run = a.run,
                                               .attempt = a.attempt, .worker = a.worker,
                                               .message = a.message,
                                               .reason = reason_name((enum reason)a.reason)},
                        ++number);
    }
    return number;
}

/* The attempt that the ledger does not have: it runs, or it completed the task. */
static bool is_newest(const struct view *v) {
    const uint8_t status = v->head.status;
    return status == STATUS_RUNNING || status == STATUS_COMPLETED;
}

static void events_write(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    const struct task_head *head = &v->head;
    struct out rows = {0};
    out_list(&rows);
    happening_write(&rows, &(struct happening){.event = "created", .status = "pending",
                                               .time_ms = head->created_ms, .run = 1}, 1);
    uint32_t number = attempts_write(&rows, v);
    if (is_newest(v) && head->started_ms > 0)
        happening_write(&rows, &(struct happening){.event = "attempt_started",
                                                   .status = "running",
                                                   .time_ms = head->started_ms,
                                                   .run = head->run, .attempt = head->attempt,
                                                   .worker = v->worker}, ++number);
    if (status_ended((enum status)head->status) || head->status == STATUS_PAUSED)
        happening_write(&rows, &(struct happening){
            .event = megahub_status(head->status), .status = megahub_status(head->status),
            .time_ms = head->finished_ms > 0 ? head->finished_ms : head->updated_ms,
            .run = head->run, .attempt = head->attempt, .worker = v->worker,
            .message = v->result.message, .reason = reason_name((enum reason)head->reason)},
            ++number);
    list_write(x, &rows, number);
}

/* ---- logs ---- */

static const char *level_name(uint8_t level) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    return names[level < 4 ? level : 3];
}

static void line_write(struct out *o, uint32_t number, const char *level, struct slice text,
                       int64_t time_ms, struct slice worker) {
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, number);
    out_key(o, "level");
    out_string(o, level);
    out_key(o, "message");
    out_text(o, text);
    out_key(o, "worker_name");
    out_text_or_null(o, worker);
    out_key(o, "created_at");
    out_time(o, time_ms);
    out_object_end(o);
}

static void logs_write(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    struct out rows = {0};
    struct attempt_record a;
    struct log_record l;
    uint32_t line_at = 0, attempt_at = 0, number = 0;
    bool line = log_next(v->logs, &line_at, &l);
    bool attempt = attempt_next(v->attempts, &attempt_at, &a);
    out_list(&rows);
    while (line || attempt) { /* both are in the order of time: the older first */
        if (line && (!attempt || l.time_ms <= a.ended_ms)) {
            line_write(&rows, ++number, level_name(l.level), l.text, l.time_ms,
                       (struct slice){0});
            line = log_next(v->logs, &line_at, &l);
        } else {
            const char *reason = reason_name((enum reason)a.reason);
            const char *text = exchange_print(x, "Attempt %u of run %u ended: %s%s%.*s",
                                              a.attempt, a.run, reason,
                                              a.message.len > 0 ? ": " : "",
                                              (int)a.message.len, (const char *)a.message.data);
            const bool meant = a.reason == REASON_PAUSED || a.reason == REASON_CANCELLED;
            line_write(&rows, ++number, meant ? "info" : "error", slice_text(text), a.ended_ms,
                       a.worker);
            attempt = attempt_next(v->attempts, &attempt_at, &a);
        }
    }
    list_write(x, &rows, number);
}

static bool history_read(struct exchange *x, struct message *m) {
    m->ref.want = WANT_ATTEMPTS | WANT_LOG | WANT_RESULT;
    return megahub_id_read(x, &m->ref.id);
}

static const struct route routes[] = {
    ROUTE(GET, NONE, "/tasks/{id}/events", MEMBER_GUARD, 200, history_read,
          "lists what happened to a task", .verb = VERB_GET, .write = events_write),
    ROUTE(GET, NONE, "/tasks/{id}/logs", MEMBER_GUARD, 200, history_read, "lists a task's log",
          .verb = VERB_GET, .write = logs_write),
};
const struct routes megahub_history = {routes, sizeof routes / sizeof *routes};
