/* job_ready.c - which jobs can be resumed, and several of them at once; see job.h.
 *
 * A job whose worker fell silent waits for the next worker by itself, from its last checkpoint; so
 * what is listed here failed, was cancelled or is paused. auto-resume leaves paused jobs alone:
 * somebody wants them so. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/job.h"
#include "gateway/dialect/megahub/job_ask.h"

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN, RECENT_MS = 86400000, HOURS_MAX = 876000 };

/* ---- resumable ---- */

static const struct page_field fields[] = {
    PAGE_FIELD("priority", "priority", CHOICE, .choices = page_priorities),
    PAGE_FIELD("task_type", "type", TEXT),
    PAGE_FIELD("interrupted_before", "updated_ms", TIME, .op = "lte"),
    PAGE_FIELD("progress", "extra.job_percent", NUMBER),
    PAGE_FIELD("progress_gte", "extra.job_percent", NUMBER, .op = "gte"),
};
static const struct page_list list = {.fields = fields,
                                      .field_count = sizeof fields / sizeof *fields,
                                      .search = "type,extra.description",
                                      .fixed_field = "extra.job", .fixed_value = "1"};

static const char *interruption(const struct job *j) {
    return megahub_status(j->task.status);
}

static void ready_write(struct exchange *x, const struct job *j) {
    struct out *o = &x->out;
    const int64_t left_ms = job_remaining_ms(x, j);
    out_object(o);
    job_write(x, j);
    out_key(o, "last_checkpoint");
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, j->last.number);
    out_key(o, "step_name");
    out_text(o, j->last.name);
    out_key(o, "created_at");
    out_time(o, j->last.time_ms);
    out_key(o, "checkpoint_data");
    out_value(o, j->last.data);
    out_object_end(o);
    out_key(o, "interruption_reason");
    if (j->task.error.len > 0) out_text(o, j->task.error);
    else out_string(o, interruption(j));
    out_key(o, "estimated_resume_time_minutes");
    if (left_ms >= 0) out_integer(o, (left_ms + 59999) / 60000);
    else out_null(o);
    out_key(o, "priority");
    out_string(o, megahub_priorities[j->task.priority]);
    out_object_end(o);
}

static void advice_write(struct out *o, const struct jobs *jobs, uint32_t ready) {
    uint32_t urgent = 0, far = 0;
    for (uint32_t i = 0; i < jobs->count; i++) {
        urgent += jobs->list[i].task.priority >= PRIORITY_HIGH;
        far += jobs->list[i].members.percent >= 80;
    }
    out_key(o, "recommendations");
    out_list(o);
    if (urgent > 0) out_string(o, "Resume jobs of high and critical priority first.");
    if (far > 0) out_string(o, "Resume jobs that are nearly done: little of their work is left.");
    if (ready > 5) out_string(o, "Many jobs wait: auto-resume takes several at once.");
    out_list_end(o);
}

/* -1 = either */
static int recent_wanted(struct exchange *x) {
    const char *text = exchange_query(x, "has_recent_checkpoint");
    if (text == NULL || *text == '\0') return -1;
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0) return 1;
    return strcmp(text, "false") == 0 || strcmp(text, "0") == 0 ? 0 : -1;
}

static bool is_ready(const struct exchange *x, const struct job *j, int recent) {
    const bool fresh = j->last.time_ms + RECENT_MS >= x->wall_ms;
    return j->last.number != 0 && (recent < 0 || fresh == (recent == 1));
}

static void ready_all(struct exchange *x, struct jobs *jobs) {
    struct out *o = &x->out;
    const int recent = recent_wanted(x);
    uint32_t ready = 0;
    for (uint32_t i = 0; i < jobs->count; i++) ready += is_ready(x, &jobs->list[i], recent);
    out_object(o);
    out_key(o, "count");
    out_unsigned(o, ready);
    out_key(o, "resumable_jobs");
    out_unsigned(o, ready);
    out_key(o, "jobs");
    out_list(o);
    for (uint32_t i = 0; i < jobs->count; i++)
        if (is_ready(x, &jobs->list[i], recent)) ready_write(x, &jobs->list[i]);
    out_list_end(o);
    advice_write(o, jobs, ready);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static void ready_found(struct exchange *x, const struct message *answer) {
    struct jobs *jobs = jobs_of_rows(x, answer);
    jobs->bodies = true;
    jobs->then = ready_all;
    jobs_gather(x, jobs);
}

static bool job_resumable_read(struct exchange *x, struct message *m) {
    struct job_ask ask = {0};
    struct question q = {0};
    (void)m;
    if (!page_read(x, &list, &q)) return false; /* what is wrong with the query */
    job_ask_number(&ask, "extra.job", "eq", 1);
    job_ask_number(&ask, "extra.job_resume", "eq", 1);
    job_ask_number(&ask, "resumable", "eq", 1);
    job_ask_wire(&ask, q.filter);
    job_ask_send(x, &ask, 0, JOBS_AT_ONCE_MAX, ready_found);
    return false;
}

/* ---- auto-resume ---- */

struct resuming { struct jobs *jobs; uint32_t most, resumed, skipped; };

static void result_write(struct exchange *x, const struct job *j, const char *status,
                         const char *key, const char *text) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "job_id");
    out_unsigned(o, j->task.id);
    out_key(o, "status");
    out_string(o, status);
    out_key(o, key);
    out_string(o, text);
    out_object_end(o);
}

static void resume_next(struct exchange *x);

static void resumed_one(struct exchange *x, const struct message *answer) {
    struct resuming *r = x->state;
    const struct job *j = &r->jobs->list[r->jobs->at++];
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) {
        r->resumed++;
        result_write(x, j, "resumed", "message", "Job resumed");
    } else {
        r->skipped++;
        result_write(x, j, "skipped", "reason", code_name(code));
    }
    resume_next(x);
}

static const char *why_not(struct exchange *x, const struct job *j) {
    if (j->last.number == 0) return "NO_CHECKPOINT";
    if (!checkpoint_whole(&j->last)) return "CHECKPOINT_CORRUPTED";
    if (j->task.retry_count >= job_retries_max(x, j)) return "MAX_RETRIES_EXCEEDED";
    return NULL;
}

static void resume_next(struct exchange *x) {
    struct resuming *r = x->state;
    struct jobs *jobs = r->jobs;
    struct out *o = &x->out;
    const char *why;
    while (jobs->at < jobs->count && r->resumed < r->most &&
           (why = why_not(x, &jobs->list[jobs->at])) != NULL) {
        result_write(x, &jobs->list[jobs->at++], "skipped", "reason", why);
        r->skipped++;
    }
    if (jobs->at < jobs->count && r->resumed < r->most) {
        struct message m = {.verb = VERB_RETRY, .ref = {.id = jobs->list[jobs->at].task.id}};
        m.ref.options.set = SET_RETRIES;
        m.ref.options.retries = (uint16_t)job_retries_max(x, &jobs->list[jobs->at]);
        exchange_try(x, &m, resumed_one);
        return;
    }
    out_list_end(o);
    out_key(o, "resumed_jobs");
    out_unsigned(o, r->resumed);
    out_key(o, "skipped_jobs");
    out_unsigned(o, r->skipped);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static void gathered(struct exchange *x, struct jobs *jobs) {
    struct resuming *r = exchange_alloc(x, sizeof *r);
    r->jobs = jobs;
    r->most = (uint32_t)member_integer(x->json, "max_jobs", 0, 5, 1, JOBS_AT_ONCE_MAX, &x->errors);
    x->state = r;
    out_object(&x->out);
    out_key(&x->out, "results");
    out_list(&x->out);
    resume_next(x);
}

static void interrupted_found(struct exchange *x, const struct message *answer) {
    struct jobs *jobs = jobs_of_rows(x, answer);
    jobs->bodies = true;
    jobs->then = gathered;
    jobs_gather(x, jobs);
}

static bool job_auto_resume_read(struct exchange *x, struct message *m) {
    struct field_errors *e = &x->errors;
    struct job_ask ask = {0};
    (void)m;
    member_integer(x->json, "max_jobs", 0, 5, 1, JOBS_AT_ONCE_MAX, e);
    const int priority = member_choice(x->json, "priority_threshold", NULLABLE,
                                       megahub_priorities, e);
    const int64_t percent = member_integer(x->json, "min_progress_percentage", 0, 0, 0, 100, e);
    const int64_t hours = member_integer(x->json, "max_interruption_hours", 0, 24, 1, HOURS_MAX,
                                         e);
    if (!megahub_fields_good(x)) return false;
    job_ask_number(&ask, "extra.job", "eq", 1);
    job_ask_number(&ask, "extra.job_resume", "eq", 1);
    job_ask_number(&ask, "resumable", "eq", 1);
    job_ask_number(&ask, "finished_ms", "gte", x->wall_ms - hours * 3600000);
    if (priority > 0) job_ask_number(&ask, "priority", "gte", priority);
    if (percent > 0) job_ask_number(&ask, "extra.job_percent", "gte", percent);
    job_ask_send(x, &ask, 1u << STATUS_FAILED | 1u << STATUS_CANCELLED, JOBS_AT_ONCE_MAX,
                 interrupted_found);
    return false;
}

#define READY_ROUTES(BASE) \
    ROUTE(GET, NONE, BASE "/resumable", MEMBER_GUARD, 200, job_resumable_read, \
          "lists jobs that can be resumed"), \
    ROUTE(POST, JSON, BASE "/auto-resume", MEMBER_GUARD, 200, job_auto_resume_read, \
          "resumes interrupted jobs")

static const struct route routes[] = {
    READY_ROUTES("/tasks/persistent-jobs/persistent-jobs"),
    READY_ROUTES("/tasks/persistent-jobs"),
};
const struct routes megahub_job_ready = {routes, sizeof routes / sizeof *routes};
