/* job_resume.c - a job goes on from a checkpoint, is paused, or starts again; see job.h. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/checkpoint.h"
#include "gateway/dialect/span.h"
#include <stdlib.h>

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN, PAGE = 100 };

static const char over[] = "failed,cancelled,paused";

/* What a request asks, and what was found for it. */
struct resumption {
    struct jobs *jobs;
    struct job_edit edit;
    struct job_removal removal;
    struct checkpoint_record point; /* number 0 = none: from the start */
    struct slice from;              /* a checkpoint's name */
    uint64_t from_number;
    uint8_t priority;
    bool named, moves_step, boosts, keeps, resets, restarts;
    uint32_t waiting;
    enum code code;
};

static const struct job *job_of(const struct resumption *r) { return &r->jobs->list[0]; }

static bool may_go_on(uint8_t status) {
    return status == STATUS_FAILED || status == STATUS_CANCELLED || status == STATUS_PAUSED;
}

/* ---- the answer ---- */

static void recovery_write(struct exchange *x, const struct resumption *r) {
    struct out *o = &x->out;
    const struct job *j = job_of(r);
    out_key(o, "recovery_data");
    out_object(o);
    out_key(o, "checkpoint_data");
    if (r->point.number != 0) out_value(o, r->point.data);
    else out_null(o);
    out_key(o, "resume_from_step");
    if (r->point.number != 0) out_text(o, r->point.name);
    else out_null(o);
    out_key(o, "completed_steps");
    out_unsigned(o, r->edit.set & JOB_DONE ? r->edit.done : j->members.done);
    out_key(o, "job_data");
    out_raw(o, j->data.len > 0 ? j->data : slice_text("{}"));
    out_object_end(o);
}

static void resumed_write(struct exchange *x, struct job_edit *e, enum code code) {
    const struct resumption *r = x->state;
    const struct job *j = job_of(r);
    struct out *o = &x->out;
    (void)code; /* the task waits already, whatever became of its members */
    out_object(o);
    out_key(o, "success");
    out_bool(o, true);
    out_key(o, "message");
    out_string(o, r->restarts ? "Job restarted" : "Job resumed");
    out_key(o, "job_id");
    out_unsigned(o, j->task.id);
    out_key(o, "status");
    out_string(o, "pending");
    out_key(o, "resumed_from");
    if (r->point.number != 0) out_text(o, r->point.name);
    else out_null(o);
    out_key(o, "current_step");
    out_text(o, e->set & JOB_STEP ? e->step : j->members.step);
    out_key(o, "progress_percentage");
    out_unsigned(o, e->set & JOB_DONE ? 0 : j->members.percent);
    out_key(o, "estimated_completion");
    const int64_t left_ms = job_remaining_ms(x, j);
    out_time(o, left_ms > 0 ? x->wall_ms + left_ms : 0);
    out_key(o, r->restarts ? "restarted_at" : "resumed_at");
    out_time(o, x->wall_ms);
    if (r->restarts) {
        out_key(o, "checkpoints_preserved");
        out_bool(o, r->keeps);
    }
    recovery_write(x, r);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

/* ---- the task waits again ---- */

static void revived(struct exchange *x, const struct message *answer) {
    struct resumption *r = x->state;
    const struct job *j = job_of(r);
    const enum code code = exchange_code(answer);
    if (code == CODE_MAX_RETRIES) {
        job_refuse(x, j, "MAX_RETRIES_EXCEEDED", "The job has no retries left.", "");
    } else if (code == CODE_INVALID_STATE || code == CODE_ALREADY_SETTLED ||
               code == CODE_NOT_FOUND) {
        job_refuse(x, j, r->restarts ? "INVALID_JOB_STATE" : "JOB_NOT_RESUMABLE",
                   "The job's state changed meanwhile.", over);
    } else if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
    } else {
        r->edit.task = j->task.id;
        r->edit.then = resumed_write;
        job_edit(x, &r->edit);
    }
}

static void revive(struct exchange *x) {
    struct resumption *r = x->state;
    const struct job *j = job_of(r);
    struct message m = {.verb = VERB_RETRY, .ref = {.id = j->task.id}};
    struct options *o = &m.ref.options;
    o->set = r->restarts ? 0 : SET_RETRIES;
    o->retries = (uint16_t)job_retries_max(x, j);
    o->reset_progress = r->resets;
    if (r->point.number != 0) {
        o->set |= SET_RESUME;
        o->resume = r->point.seq;
    }
    if (r->boosts) {
        o->set |= SET_PRIORITY;
        o->priority = r->priority;
    }
    exchange_try(x, &m, revived);
}

/* ---- resume ---- */

static void point_chosen(struct exchange *x, struct resumption *r) {
    const struct job *j = job_of(r);
    if (r->point.number == 0 || r->point.id != j->task.id) {
        job_refuse(x, j, "JOB_NOT_RESUMABLE",
                   r->named ? "The job has no such checkpoint." : "The job has no checkpoint.",
                   over);
        return;
    }
    if (!checkpoint_whole(&r->point)) {
        job_refuse(x, j, "CHECKPOINT_CORRUPTED",
                   "The checkpoint's data is not what was stored.", over);
        return;
    }
    r->edit.from = r->point.name;
    r->edit.set |= JOB_FROM;
    if (r->moves_step) {
        r->edit.step = r->point.name;
        r->edit.set |= JOB_STEP;
    }
    revive(x);
}

static void point_arrived(struct exchange *x, const struct message *answer) {
    struct resumption *r = x->state;
    uint32_t at = 0;
    if (exchange_code(answer) != CODE_OK) {
        exchange_refuse(x, exchange_code(answer), NULL);
        return;
    }
    if (checkpoint_row_next(answer->rows.rows, &at, &r->point)) {
        r->point.name = exchange_copy(x, r->point.name);
        r->point.data = exchange_copy(x, r->point.data);
    }
    if (!r->restarts) point_chosen(x, r);
    else if (r->point.number != 0 && checkpoint_whole(&r->point)) revive(x);
    else job_refuse(x, job_of(r), "INVALID_JOB_STATE", "The job has no checkpoint of that step.",
                    over);
}

/* The newest that fits: by number, by name, or whatever is a recovery point. */
static void point_ask(struct exchange *x, const struct resumption *r) {
    const struct job *j = job_of(r);
    struct message m = {.verb = VERB_ASK};
    struct buffer filter = {0};
    const bool by_name = r->from.len > 0;
    m.question = (struct question){.kind = slice_text("checkpoints"), .id = j->task.id,
                                   .number = r->from_number, .brand = j->task.brand,
                                   .priority = -1, .dialect = -1, .limit = 1,
                                   .descending = true};
    if (r->from_number == 0) {
        page_filter(&filter, by_name ? "name" : "mark",
                    by_name ? r->from : slice_text("0"));
        m.question.filter = buffer_slice(&filter);
    }
    exchange_try(x, &m, point_arrived);
    buffer_free(&filter);
}

static bool priority_read(struct exchange *x, struct resumption *r) {
    const json_t *boost = member_find(x->json, "priority_boost");
    const uint8_t now = job_of(r)->task.priority;
    if (boost == NULL || json_is_null(boost)) return true;
    r->boosts = true;
    if (json_is_boolean(boost)) {
        r->boosts = json_is_true(boost);
        r->priority = (uint8_t)(now < PRIORITY_CRITICAL ? now + 1 : now);
    } else if (json_is_integer(boost) && json_integer_value(boost) >= 0) {
        const json_int_t to = now + json_integer_value(boost);
        r->priority = (uint8_t)(to < PRIORITY_CRITICAL ? to : PRIORITY_CRITICAL);
    } else {
        const int to = member_choice(x->json, "priority_boost", 0, megahub_priorities, &x->errors);
        r->priority = (uint8_t)(to < 0 ? now : to);
    }
    return megahub_fields_good(x);
}

/* A checkpoint's number, or its name; digits are a number. */
static bool from_read(struct exchange *x, struct resumption *r) {
    const json_t *from = member_find(x->json, "from_checkpoint");
    if (from == NULL || json_is_null(from)) return true;
    r->named = true;
    if (json_is_integer(from) && json_integer_value(from) > 0) {
        r->from_number = (uint64_t)json_integer_value(from);
    } else {
        r->from = member_text(x->json, "from_checkpoint", 0, JOB_STEP_MAX, &x->errors);
        const char *text = (const char *)r->from.data;
        if (r->from.len > 0 && strspn(text, "0123456789") == r->from.len && r->from.len < 17) {
            r->from_number = strtoull(text, NULL, 10);
            r->from = (struct slice){0};
        }
    }
    return megahub_fields_good(x);
}

static void resume_found(struct exchange *x, struct jobs *jobs) {
    struct resumption *r = exchange_alloc(x, sizeof *r);
    const struct job *j = &jobs->list[0];
    r->jobs = jobs;
    if (!priority_read(x, r) || !from_read(x, r)) return;
    r->moves_step = member_bool(x->json, "reset_current_step", 0, false, &x->errors);
    if (!megahub_fields_good(x)) return;
    x->state = r;
    if (!may_go_on(j->task.status) || !j->members.can_resume || j->points == 0) {
        job_refuse(x, j, "JOB_NOT_RESUMABLE",
                   !may_go_on(j->task.status) ? "Only a failed, cancelled or paused job goes on."
                   : j->points == 0 ? "The job has no checkpoint." : "The job may not be resumed.",
                   over);
        return;
    }
    if (j->task.status != STATUS_PAUSED && j->task.retry_count >= job_retries_max(x, j)) {
        job_refuse(x, j, "MAX_RETRIES_EXCEEDED", "The job has no retries left.", "");
        return;
    }
    point_ask(x, r);
}

static bool job_resume_read(struct exchange *x, struct message *m) {
    (void)m;
    return job_load(x, resume_found);
}

/* ---- restart ---- */

static void cleared(struct exchange *x, struct job_removal *removal, enum code code) {
    (void)removal;
    if (code == CODE_OK) revive(x);
    else exchange_refuse(x, code, NULL);
}

static void marks_ask(struct exchange *x);

static void marked(struct exchange *x, const struct message *answer) {
    struct resumption *r = x->state;
    const enum code code = exchange_code(answer);
    if (code != CODE_OK && code != CODE_NOT_FOUND) r->code = code;
    if (--r->waiting > 0) return;
    if (r->code != CODE_OK) exchange_refuse(x, r->code, NULL);
    else marks_ask(x);
}

/* What is kept is only a record from now on: no attempt begins from it unless it is named. */
static void marks_arrived(struct exchange *x, const struct message *answer) {
    struct resumption *r = x->state;
    struct checkpoint_record c;
    uint32_t at = 0;
    if (exchange_code(answer) != CODE_OK) {
        exchange_refuse(x, exchange_code(answer), NULL);
        return;
    }
    while (checkpoint_row_next(answer->rows.rows, &at, &c)) {
        const struct message m = {
            .verb = VERB_CHECKPOINT_PUT,
            .checkpoint = {.task = c.id, .seq = c.seq, .name = c.name, .data = c.data,
                           .flags = CHECKPOINT_PASSED}};
        r->waiting++;
        exchange_try(x, &m, marked);
    }
    if (r->waiting == 0) revive(x);
}

static void marks_ask(struct exchange *x) {
    const struct resumption *r = x->state;
    struct message m = {.verb = VERB_ASK};
    struct buffer filter = {0};
    page_filter(&filter, "mark", slice_text("0"));
    m.question = (struct question){.kind = slice_text("checkpoints"), .id = job_of(r)->task.id,
                                   .brand = job_of(r)->task.brand, .priority = -1, .dialect = -1,
                                   .limit = PAGE, .filter = buffer_slice(&filter)};
    exchange_try(x, &m, marks_arrived);
    buffer_free(&filter);
}

static void restart_found(struct exchange *x, struct jobs *jobs) {
    struct resumption *r = exchange_alloc(x, sizeof *r);
    const struct job *j = &jobs->list[0];
    struct field_errors *e = &x->errors;
    r->jobs = jobs;
    r->restarts = true;
    r->keeps = member_bool(x->json, "preserve_checkpoints", 0, true, e);
    r->resets = member_bool(x->json, "reset_progress", 0, true, e);
    r->from = member_text(x->json, "from_step", NULLABLE, JOB_STEP_MAX, e);
    if (!megahub_fields_good(x)) return;
    x->state = r;
    if (!may_go_on(j->task.status)) {
        job_refuse(x, j, "INVALID_JOB_STATE", "Only a failed, cancelled or paused job restarts.",
                   over);
        return;
    }
    r->edit.step = r->from.len > 0 ? r->from : slice_text("init");
    r->edit.from = r->from;
    r->edit.set = JOB_STEP | JOB_FROM | (r->resets ? JOB_DONE : 0u);
    r->removal = (struct job_removal){.task = j->task.id, .brand = j->task.brand,
                                      .keep_job = true, .then = cleared};
    if (r->from.len > 0) point_ask(x, r);
    else if (r->keeps) marks_ask(x);
    else job_remove(x, &r->removal);
}

static bool job_restart_read(struct exchange *x, struct message *m) {
    (void)m;
    return job_load(x, restart_found);
}

/* ---- pause ---- */

static void paused(struct exchange *x, const struct message *answer) {
    const struct jobs *jobs = x->state;
    const struct job *j = &jobs->list[0];
    const struct task_head *head = &answer->view.head;
    const enum code code = exchange_code(answer);
    struct out *o = &x->out;
    if (code == CODE_ALREADY_SETTLED || code == CODE_INVALID_STATE) {
        job_refuse(x, j, "INVALID_JOB_STATE", "Only a pending or running job can be paused.",
                   "pending,running");
        return;
    }
    if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    const bool now = head->status == STATUS_PAUSED;
    out_object(o);
    out_key(o, "message");
    out_string(o, now ? "Job paused" : "Pause requested: the worker is told at its next call");
    out_key(o, "job_id");
    out_unsigned(o, j->task.id);
    out_key(o, "status");
    out_string(o, megahub_status(head->status));
    out_key(o, "paused_at");
    out_time(o, now ? head->updated_ms : x->wall_ms);
    out_key(o, "current_progress");
    out_unsigned(o, j->members.percent);
    out_key(o, "checkpoint_created");
    out_bool(o, j->last.number != 0);
    out_key(o, "can_resume");
    out_bool(o, j->members.can_resume);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

static void pause_found(struct exchange *x, struct jobs *jobs) {
    const struct job *j = &jobs->list[0];
    if (j->task.status == STATUS_PAUSED) {
        job_refuse(x, j, "INVALID_JOB_STATE", "The job is paused already.", "pending,running");
        return;
    }
    const struct message m = {.verb = VERB_PAUSE, .ref = {.id = j->task.id}};
    exchange_try(x, &m, paused);
}

static bool job_pause_read(struct exchange *x, struct message *m) {
    (void)m;
    return job_load(x, pause_found);
}

#define ACT_ROUTES(BASE) \
    ROUTE(POST, JSON, BASE "/{id}/resume", MEMBER_GUARD, 200, job_resume_read, \
          "lets a job go on from a checkpoint"), \
    ROUTE(POST, JSON, BASE "/{id}/pause", MEMBER_GUARD, 200, job_pause_read, "holds a job back"), \
    ROUTE(POST, JSON, BASE "/{id}/restart", MEMBER_GUARD, 200, job_restart_read, \
          "starts a job again")

static const struct route routes[] = {
    ACT_ROUTES("/tasks/persistent-jobs/persistent-jobs"),
    ACT_ROUTES("/tasks/persistent-jobs"),
};
const struct routes megahub_job_acts = {routes, sizeof routes / sizeof *routes};
