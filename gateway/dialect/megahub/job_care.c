/* job_care.c - advice before a job is made, figures about jobs, and cleaning up; see job.h. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/job.h"
#include "gateway/dialect/megahub/job_ask.h"
#include "gateway/dialect/span.h"
#include <math.h>
#include <string.h>

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN, DAYS_MAX = 36500, FIGURES_MAX = 1000,
       CLEAN_MAX = 1000, TYPES_SHOWN = 20 };

/* ---- validate-config ---- */

static void advice(struct out *o, bool when, const char *text) {
    if (when) out_string(o, text);
}

static bool job_validate_read(struct exchange *x, struct message *m) {
    struct field_errors *e = &x->errors;
    struct out *o = &x->out;
    (void)m;
    const bool data = member_object(x->json, "job_data", REQUIRED, e) != NULL;
    const uint32_t size = data ? span_member(x, "job_data", "jobData").len : 0;
    const double hours = member_number(x->json, "estimated_duration_hours", 0, 1, 0, 87600, e);
    const double minutes = member_number(x->json, "checkpoint_frequency", 0, 10, 0, 527040, e);
    if (!megahub_fields_good(x)) return false;
    const double points = minutes > 0 ? ceil(hours * 60 / minutes) : 0;
    const bool too_large = size > JOB_DATA_MAX, never = minutes == 0;
    out_object(o);
    out_key(o, "valid");
    out_bool(o, !too_large && !never && hours > 0);
    out_key(o, "recommendations");
    out_list(o);
    advice(o, !never && minutes > hours * 30,
           "Checkpoint more often: an interruption would cost more than half of the work.");
    advice(o, points > 1000, "Checkpoint less often: the newest 1000 are kept.");
    advice(o, hours > 12, "Report progress, and use a timeout of more than the duration.");
    out_list_end(o);
    out_key(o, "warnings");
    out_list(o);
    advice(o, too_large, "job_data is over 1 MiB: it would be refused.");
    advice(o, never, "checkpoint_frequency is 0: the job could not be resumed.");
    advice(o, hours == 0, "estimated_duration_hours is 0.");
    advice(o, !too_large && size > JOB_DATA_MAX / 10, "job_data is large: refer to it instead.");
    out_list_end(o);
    out_key(o, "estimated_checkpoints");
    out_number(o, points);
    out_key(o, "estimated_storage_mb");
    out_number(o, ((points > 1000 ? 1000 : points) + 1) * size / (1 << 20));
    out_object_end(o);
    exchange_answer(x, x->route->status);
    return false;
}

/* ---- stats ---- */

struct figures {
    uint32_t jobs, by_status[STATUS_COUNT], resumed, resumed_done, retries, failures;
    uint32_t with_points, percent_sum, points, days;
    int64_t from_ms;
    struct jobs *list;
};

static void figures_sum(struct figures *f) {
    for (uint32_t i = 0; i < f->list->count; i++) {
        const struct job *j = &f->list->list[i];
        f->jobs++;
        f->by_status[j->task.status % STATUS_COUNT]++;
        f->percent_sum += j->members.percent;
        f->retries += j->task.retry_count;
        f->resumed += j->members.from.len > 0;
        f->resumed_done += j->members.from.len > 0 && j->task.status == STATUS_COMPLETED;
        f->with_points += j->points > 0;
        f->points += j->points;
        f->failures += j->task.status == STATUS_FAILED;
    }
}

static void totals_write(struct out *o, const struct figures *f) {
    static const struct { const char *name; uint8_t a, b; } rows[] = {
        {"pending", STATUS_QUEUED, STATUS_SCHEDULED}, {"running", STATUS_RUNNING, STATUS_DELIVERED},
        {"paused", STATUS_PAUSED, STATUS_NONE}, {"completed", STATUS_COMPLETED, STATUS_NONE},
        {"failed", STATUS_FAILED, STATUS_NONE}, {"cancelled", STATUS_CANCELLED, STATUS_NONE}};
    out_key(o, "totals");
    out_object(o);
    out_key(o, "total_jobs");
    out_unsigned(o, f->jobs);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        out_key(o, rows[i].name);
        out_unsigned(o, f->by_status[rows[i].a] +
                            (rows[i].b != STATUS_NONE ? f->by_status[rows[i].b] : 0));
    }
    out_key(o, "avg_progress_percentage");
    out_number(o, f->jobs > 0 ? (double)f->percent_sum / f->jobs : 0);
    out_object_end(o);
}

static void failures_write(struct exchange *x, const struct figures *f) {
    struct out *o = &x->out;
    struct { struct slice type; uint32_t count; } types[TYPES_SHOWN];
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->list->count; i++) {
        const struct job *j = &f->list->list[i];
        uint32_t k = 0;
        if (j->task.status != STATUS_FAILED) continue;
        while (k < count && !slice_equal(types[k].type, j->task.type)) k++;
        if (k == TYPES_SHOWN) continue;
        if (k == count) {
            types[count].type = j->task.type;
            types[count++].count = 0;
        }
        types[k].count++;
    }
    out_key(o, "failure_analysis");
    out_object(o);
    out_key(o, "total_failures");
    out_unsigned(o, f->failures);
    out_key(o, "failure_rate_percent");
    out_number(o, f->jobs > 0 ? 100.0 * f->failures / f->jobs : 0);
    out_key(o, "by_task_type");
    out_object(o);
    for (uint32_t k = 0; k < count; k++) {
        out_key_slice(o, types[k].type);
        out_unsigned(o, types[k].count);
    }
    out_object_end(o);
    out_object_end(o);
}

/* Jobs made a day, the oldest first. */
static void trends_write(struct exchange *x, const struct figures *f) {
    struct out *o = &x->out;
    out_key(o, "trends");
    out_list(o);
    for (uint32_t day = 0; day < f->days && day < 366; day++) {
        const int64_t from_ms = f->from_ms + (int64_t)day * 86400000;
        uint32_t made = 0, done = 0, failed = 0;
        for (uint32_t i = 0; i < f->list->count; i++) {
            const struct job *j = &f->list->list[i];
            const bool then = j->members.made_ms >= from_ms &&
                              j->members.made_ms < from_ms + 86400000;
            made += then;
            done += then && j->task.status == STATUS_COMPLETED;
            failed += then && j->task.status == STATUS_FAILED;
        }
        out_object(o);
        out_key(o, "from");
        out_time(o, from_ms);
        out_key(o, "created");
        out_unsigned(o, made);
        out_key(o, "completed");
        out_unsigned(o, done);
        out_key(o, "failed");
        out_unsigned(o, failed);
        out_object_end(o);
    }
    out_list_end(o);
}

static void figures_write(struct exchange *x, struct jobs *jobs) {
    struct figures *f = exchange_alloc(x, sizeof *f);
    struct out *o = &x->out;
    f->list = jobs;
    f->days = (uint32_t)exchange_query_number(x, "days", 30, 1, DAYS_MAX);
    f->from_ms = x->wall_ms - (int64_t)f->days * 86400000;
    figures_sum(f);
    out_object(o);
    out_key(o, "period");
    out_string(o, exchange_print(x, "last_%u_days", f->days));
    totals_write(o, f);
    out_key(o, "resume_stats");
    out_object(o);
    out_key(o, "resumed_jobs");
    out_unsigned(o, f->resumed);
    out_key(o, "total_resumes");
    out_unsigned(o, f->retries);
    out_key(o, "resume_success_rate");
    out_number(o, f->resumed > 0 ? 100.0 * f->resumed_done / f->resumed : 0);
    out_object_end(o);
    out_key(o, "checkpoint_stats");
    out_object(o);
    out_key(o, "total_checkpoints");
    out_unsigned(o, f->points);
    out_key(o, "jobs_with_checkpoints");
    out_unsigned(o, f->with_points);
    out_key(o, "avg_checkpoints_per_job");
    out_number(o, f->jobs > 0 ? (double)f->points / f->jobs : 0);
    out_object_end(o);
    failures_write(x, f);
    const char *trends = exchange_query(x, "include_trends");
    if (trends != NULL && (strcmp(trends, "true") == 0 || strcmp(trends, "1") == 0))
        trends_write(x, f);
    if (jobs->count == FIGURES_MAX) {
        out_key(o, "incomplete");
        out_bool(o, true);
    }
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static void figures_found(struct exchange *x, const struct message *answer) {
    struct jobs *jobs = jobs_of_rows(x, answer);
    jobs->then = figures_write;
    jobs_gather(x, jobs);
}

static bool job_stats_read(struct exchange *x, struct message *m) {
    struct job_ask ask = {0};
    const int64_t days = exchange_query_number(x, "days", 30, 1, DAYS_MAX);
    (void)m;
    if (!megahub_fields_good(x)) return false;
    job_ask_number(&ask, "extra.job", "eq", 1);
    job_ask_number(&ask, "extra.job_made_ms", "gte", x->wall_ms - days * 86400000);
    job_ask_send(x, &ask, 0, FIGURES_MAX, figures_found);
    return false;
}

/* ---- cleanup-old ---- */

struct cleaning {
    struct jobs *jobs;
    struct job_removal removal;
    int64_t cutoff_ms;
    uint64_t bytes;
    uint32_t deleted, failed_kept, points_kept, points;
    bool keeps_failed, keeps_points, dry;
    bool *gone;
};

static void clean_next(struct exchange *x);

static void cleaned_write(struct exchange *x, const struct cleaning *c) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "cleanup_summary");
    out_object(o);
    out_key(o, "jobs_reviewed");
    out_unsigned(o, c->jobs->count);
    out_key(o, "jobs_deleted");
    out_unsigned(o, c->deleted);
    out_key(o, "jobs_preserved");
    out_unsigned(o, c->jobs->count - c->deleted);
    out_key(o, "checkpoints_deleted");
    out_unsigned(o, c->points);
    out_key(o, "storage_freed_mb");
    out_number(o, (double)c->bytes / (1 << 20));
    out_object_end(o);
    out_key(o, "preserved_reasons");
    out_object(o);
    out_key(o, "failed_jobs");
    out_unsigned(o, c->failed_kept);
    out_key(o, "has_checkpoints");
    out_unsigned(o, c->points_kept);
    out_object_end(o);
    out_key(o, "deleted_job_types");
    out_object(o);
    for (uint32_t i = 0; i < c->jobs->count; i++) {
        const struct slice type = c->jobs->list[i].task.type;
        uint32_t count = 0;
        bool before = false;
        for (uint32_t k = 0; k < c->jobs->count; k++) {
            if (!c->gone[k] || !slice_equal(type, c->jobs->list[k].task.type)) continue;
            before = before || k < i;
            count++;
        }
        if (!c->gone[i] || before) continue;
        out_key_slice(o, type);
        out_unsigned(o, count);
    }
    out_object_end(o);
    out_key(o, "deleted_checkpoints");
    out_unsigned(o, c->points);
    out_key(o, "cutoff_date");
    out_time(o, c->cutoff_ms);
    out_key(o, "dry_run");
    out_bool(o, c->dry);
    if (c->jobs->count == CLEAN_MAX) {
        out_key(o, "incomplete");
        out_bool(o, true);
    }
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static void cleaned_one(struct exchange *x, struct job_removal *r, enum code code) {
    struct cleaning *c = x->state;
    if (code != CODE_OK && code != CODE_UNKNOWN_TASK) { /* what went already stays gone */
        exchange_refuse(x, code, NULL);
        return;
    }
    c->gone[c->jobs->at++] = true;
    c->deleted++;
    c->points += r->checkpoints;
    c->bytes += r->bytes;
    clean_next(x);
}

static bool is_kept(struct cleaning *c, const struct job *j) {
    if (c->keeps_failed && j->task.status == STATUS_FAILED) {
        c->failed_kept++;
        return true;
    }
    if (!c->keeps_points || j->points == 0) return false;
    c->points_kept++;
    return true;
}

static void clean_next(struct exchange *x) {
    struct cleaning *c = x->state;
    struct jobs *jobs = c->jobs;
    for (; jobs->at < jobs->count; jobs->at++) {
        const struct job *j = &jobs->list[jobs->at];
        if (is_kept(c, j)) continue;
        if (!c->dry) {
            c->removal = (struct job_removal){.task = j->task.id, .brand = j->task.brand,
                                              .then = cleaned_one};
            job_remove(x, &c->removal);
            return;
        }
        c->gone[jobs->at] = true;
        c->deleted++;
        c->points += j->points;
        c->bytes += j->data.len + j->state.len + (uint64_t)j->last.size * j->points;
    }
    cleaned_write(x, c);
}

static void clean_gathered(struct exchange *x, struct jobs *jobs) {
    struct cleaning *c = exchange_alloc(x, sizeof *c);
    struct field_errors *e = &x->errors;
    c->jobs = jobs;
    c->gone = exchange_alloc(x, jobs->count + 1);
    c->keeps_failed = member_bool(x->json, "preserve_failed", 0, false, e);
    c->keeps_points = member_bool(x->json, "preserve_with_checkpoints", 0, false, e);
    c->dry = member_bool(x->json, "dry_run", 0, false, e);
    c->cutoff_ms = x->wall_ms - member_integer(x->json, "days_old", 0, 30, 0, DAYS_MAX, e) *
                                    INT64_C(86400000);
    x->state = c;
    clean_next(x);
}

static void clean_found(struct exchange *x, const struct message *answer) {
    struct jobs *jobs = jobs_of_rows(x, answer);
    jobs->then = clean_gathered;
    jobs_gather(x, jobs);
}

static bool job_clean_read(struct exchange *x, struct message *m) {
    struct field_errors *e = &x->errors;
    struct job_ask ask = {0};
    (void)m;
    const int64_t days = member_integer(x->json, "days_old", 0, 30, 0, DAYS_MAX, e);
    member_bool(x->json, "preserve_failed", 0, false, e);
    member_bool(x->json, "preserve_with_checkpoints", 0, false, e);
    member_bool(x->json, "dry_run", 0, false, e);
    if (!megahub_fields_good(x)) return false;
    job_ask_number(&ask, "extra.job", "eq", 1);
    job_ask_number(&ask, "finished_ms", "lte", x->wall_ms - days * 86400000);
    job_ask_send(x, &ask, 1u << STATUS_COMPLETED | 1u << STATUS_FAILED | 1u << STATUS_CANCELLED,
                 CLEAN_MAX, clean_found);
    return false;
}

#define CARE_ROUTES(BASE) \
    ROUTE(POST, JSON, BASE "/validate-config", MEMBER_GUARD, 200, job_validate_read, \
          "looks at a job before it is made"), \
    ROUTE(GET, NONE, BASE "/stats", MEMBER_GUARD, 200, job_stats_read, "figures about jobs"), \
    ROUTE(POST, JSON, BASE "/cleanup-old", MEMBER_GUARD, 200, job_clean_read, \
          "deletes jobs that ended long ago")

static const struct route routes[] = {
    CARE_ROUTES("/tasks/persistent-jobs/persistent-jobs"),
    CARE_ROUTES("/tasks/persistent-jobs"),
};
const struct routes megahub_job_care = {routes, sizeof routes / sizeof *routes};
