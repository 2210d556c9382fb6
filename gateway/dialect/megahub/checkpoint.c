/* checkpoint.c - checkpoints of jobs: listed, read, made; see job.h. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/checkpoint.h"
#include "gateway/dialect/megahub/schedule.h"
#include "gateway/dialect/span.h"
#include "gateway/dialect/start.h"

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN, BARE_MAX = 1000 };

/* ---- lists ---- */

static const struct page_choice large[] = {{"true", "1"}, {"false", "0"}, {NULL, NULL}};

static const struct page_field fields[] = {
    PAGE_FIELD("id", "number", NUMBER),
    PAGE_FIELD("persistent_job", "task", NUMBER),
    PAGE_FIELD("step_name", "name", TEXT),
    PAGE_TIMES("created", "created_ms"),
    PAGE_FIELD("data_size_bytes", "size", NUMBER),
    PAGE_FIELD("has_large_data", "large", CHOICE, .choices = large),
};
static const struct page_list list = {.fields = fields,
                                      .field_count = sizeof fields / sizeof *fields,
                                      .search = "name"};

static bool checkpoint_list_read(struct exchange *x, struct message *m) {
    m->question = (struct question){.kind = slice_text("checkpoints"), .brand = x->who.brand,
                                    .priority = -1, .dialect = -1};
    return page_read(x, &list, &m->question);
}

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct checkpoint_record c;
    if (checkpoint_row_next(rows, at, &c)) job_checkpoint_write(x, &c, true);
}

static void checkpoint_list_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}

/* A job's, newest first, as a bare list. */
static void bare_write(struct exchange *x, const struct message *answer) {
    struct checkpoint_record c;
    uint32_t at = 0;
    out_list(&x->out);
    while (checkpoint_row_next(answer->rows.rows, &at, &c)) job_checkpoint_write(x, &c, true);
    out_list_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void bare_found(struct exchange *x, struct jobs *jobs) {
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){.kind = slice_text("checkpoints"),
                                   .id = jobs->list[0].task.id,
                                   .brand = jobs->list[0].task.brand, .priority = -1,
                                   .dialect = -1, .limit = BARE_MAX, .descending = true};
    exchange_send(x, &m, bare_write);
}

static bool checkpoint_bare_read(struct exchange *x, struct message *m) {
    (void)m;
    return job_load(x, bare_found);
}

/* ---- one ---- */

typedef void checkpoint_then(struct exchange *x, const struct checkpoint_record *c);
struct checkpoint_find { /* while it is under way */
    checkpoint_then *then;
    void *state;
    struct checkpoint_record found;
};

static void number_ask(struct exchange *x, uint64_t number, exchange_then *then) {
    const struct who who = job_house(x);
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){.kind = slice_text("checkpoints"), .number = number,
                                   .brand = x->who.brand, .priority = -1, .dialect = -1,
                                   .limit = 1};
    exchange_send_as(x, &who, &m, then);
}

static void number_arrived(struct exchange *x, const struct message *answer) {
    struct checkpoint_find *f = x->state;
    uint32_t at = 0;
    x->state = f->state;
    if (!checkpoint_row_next(answer->rows.rows, &at, &f->found)) {
        f->then(x, NULL);
        return;
    }
    f->found.name = exchange_copy(x, f->found.name);
    f->found.data = exchange_copy(x, f->found.data);
    f->then(x, &f->found);
}

/* By number, within the caller's brand; NULL = there is none. x->state is the caller's again in
 * `then`; the record lives as long as the exchange. */
static void checkpoint_find(struct exchange *x, uint64_t number, checkpoint_then *then) {
    struct checkpoint_find *f = exchange_alloc(x, sizeof *f);
    *f = (struct checkpoint_find){.then = then, .state = x->state};
    x->state = f;
    number_ask(x, number, number_arrived);
}

static void one_write(struct exchange *x, const struct checkpoint_record *c) {
    if (c == NULL) {
        job_not_found(x);
        return;
    }
    job_checkpoint_write(x, c, true);
    exchange_answer(x, x->route->status);
}

/* {id}: a checkpoint's number. */
static bool id_read(struct exchange *x, uint64_t *ret_number) {
    return schedule_number(exchange_param(x, "id"), ret_number) || job_not_found(x);
}

static bool checkpoint_detail_read(struct exchange *x, struct message *m) {
    uint64_t number;
    (void)m;
    if (id_read(x, &number)) checkpoint_find(x, number, one_write);
    return false;
}

/* ---- POST ---- */

struct making {
    struct job_edit edit;
    struct report report;
    uint64_t number;
    uint32_t seq;
    bool mark, worker;
};

static void made_arrived(struct exchange *x, const struct message *answer) {
    struct checkpoint_record c;
    uint32_t at = 0;
    if (!checkpoint_row_next(answer->rows.rows, &at, &c)) {
        exchange_refuse(x, CODE_UNAVAILABLE, NULL); /* its job was deleted in between */
        return;
    }
    exchange_set(x, "Location", exchange_print(x, "/tasks/persistent-jobs/checkpoints/%llu/",
                                               (unsigned long long)c.number));
    job_checkpoint_write(x, &c, true);
    exchange_answer(x, x->route->status);
}

/* The newest of the task: the one that was just made, or one that came right behind it. */
static void made_read(struct exchange *x, const struct making *making) {
    const struct who who = job_house(x);
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){.kind = slice_text("checkpoints"), .id = making->edit.task,
                                   .number = making->number, .brand = x->who.brand,
                                   .priority = -1, .dialect = -1, .limit = 1,
                                   .descending = true};
    exchange_send_as(x, &who, &m, made_arrived);
}

static void members_moved(struct exchange *x, struct job_edit *e, enum code code) {
    const struct making *making = x->state;
    (void)e;
    if (code == CODE_OK || code == CODE_CONFLICT) made_read(x, making);
    else exchange_refuse(x, code, NULL);
}

static void moved(struct exchange *x, struct making *making) {
    making->edit.then = members_moved;
    job_edit(x, &making->edit);
}

static void worker_made(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) moved(x, x->state);
    else if (code == CODE_FORBIDDEN || code == CODE_UNKNOWN_TASK)
        exchange_refuse(x, CODE_ATTEMPT_SUPERSEDED, NULL);
    else exchange_refuse(x, code, NULL);
}

static void member_made(struct exchange *x, const struct message *answer) {
    struct making *making = x->state;
    struct checkpoint_record c;
    uint32_t at = 0;
    const enum code code = exchange_code(answer);
    if (code == CODE_INVALID_STATE) {
        megahub_refuse(x, "INVALID_JOB_STATE", "A completed job takes no checkpoints.");
    } else if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
    } else {
        if (checkpoint_row_next(answer->answer.body, &at, &c)) making->number = c.number;
        moved(x, making);
    }
}

static void job_found(struct exchange *x, const struct message *answer) {
    struct making *making = x->state;
    const struct report *r = &making->report;
    const struct view *v = &answer->view;
    const enum code code = exchange_code(answer);
    const bool job = code == CODE_OK && job_members_read(x, v->body.extra).there;
    if (code != CODE_OK && code != CODE_UNKNOWN_TASK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    if (!job) field_refuse(&x->errors, "persistent_job", "Invalid pk: object does not exist.");
    if (!megahub_fields_good(x)) return;
    struct message m = {.verb = VERB_CHECKPOINT, .report = *r};
    if (making->worker) {
        start_tell(x, &m.report);
        exchange_try(x, &m, worker_made);
        return;
    }
    const struct checkpoint_ref ref = {.task = r->task, .name = r->name, .data = r->data,
                                       .flags = r->mark ? CHECKPOINT_PASSED : 0};
    m = (struct message){.verb = VERB_CHECKPOINT_PUT, .checkpoint = ref};
    exchange_try(x, &m, member_made);
}

static bool checkpoint_create_read(struct exchange *x, struct message *m) {
    struct making *making = exchange_alloc(x, sizeof *making);
    struct report *r = &making->report;
    struct field_errors *e = &x->errors;
    (void)m;
    r->task = making->edit.task = job_number_member(x, "persistent_job", true);
    r->percent = -1;
    r->name = making->edit.step = member_text(x->json, "step_name", REQUIRED, JOB_STEP_MAX, e);
    if (member_object(x->json, "checkpoint_data", REQUIRED, e) != NULL)
        r->data = span_member(x, "checkpoint_data", "checkpointData");
    r->mark = !member_bool(x->json, "is_recovery_point", 0, true, e);
    r->epoch = (uint64_t)member_integer(x->json, "lease_epoch", NULLABLE, 0, 0,
                                        (int64_t)ID_NUMBER_MAX, e);
    const struct slice now = member_text(x->json, "current_step", NULLABLE, JOB_STEP_MAX, e);
    making->edit.done = (uint32_t)member_integer(x->json, "completed_steps", NULLABLE, 0, 0,
                                                 JOB_STEPS_MAX, e);
    making->edit.set = JOB_STEP;
    if (now.len > 0) making->edit.step = now;
    const json_t *done = member_find(x->json, "completed_steps");
    if (done != NULL && !json_is_null(done)) making->edit.set |= JOB_DONE;
    making->worker = x->who.role == ROLE_WORKER;
    if (!megahub_fields_good(x)) return false;
    x->state = making;
    const struct who who = job_house(x);
    const struct message get = {.verb = VERB_GET, .ref = {.id = r->task, .want = WANT_BODY}};
    exchange_try_as(x, &who, &get, job_found);
    return false;
}

/* ---- PUT, PATCH, DELETE ---- */

static void changed(struct exchange *x, const struct message *answer) {
    const uint64_t *number = x->state;
    if (exchange_code(answer) == CODE_OK) checkpoint_find(x, *number, one_write);
    else if (exchange_code(answer) == CODE_NOT_FOUND) job_not_found(x);
    else exchange_refuse(x, exchange_code(answer), NULL);
}

static void change(struct exchange *x, const struct checkpoint_record *c) {
    const bool whole = x->method == METHOD_PUT;
    struct field_errors *e = &x->errors;
    if (c == NULL) {
        job_not_found(x);
        return;
    }
    struct checkpoint_ref ref = {.task = c->id, .seq = c->seq, .name = c->name, .data = c->data};
    const struct slice name =
        member_text(x->json, "step_name", whole ? REQUIRED : 0, JOB_STEP_MAX, e);
    if (name.len > 0) ref.name = name;
    if (member_object(x->json, "checkpoint_data", whole ? REQUIRED : 0, e) != NULL)
        ref.data = span_member(x, "checkpoint_data", "checkpointData");
    const bool point = member_bool(x->json, "is_recovery_point", 0,
                                   whole || !(c->flags & CHECKPOINT_PASSED), e);
    if (!point) ref.flags |= CHECKPOINT_PASSED;
    if (!megahub_fields_good(x)) return;
    uint64_t *number = exchange_alloc(x, sizeof *number);
    *number = c->number;
    x->state = number;
    const struct message m = {.verb = VERB_CHECKPOINT_PUT, .checkpoint = ref};
    exchange_try(x, &m, changed);
}

static bool checkpoint_change_read(struct exchange *x, struct message *m) {
    uint64_t number;
    (void)m;
    if (id_read(x, &number)) checkpoint_find(x, number, change);
    return false;
}

static void dropped(struct exchange *x, const struct message *answer) {
    if (exchange_code(answer) == CODE_OK) exchange_answer(x, x->route->status);
    else if (exchange_code(answer) == CODE_NOT_FOUND) job_not_found(x);
    else exchange_refuse(x, exchange_code(answer), NULL);
}

static void drop(struct exchange *x, const struct checkpoint_record *c) {
    if (c == NULL) {
        job_not_found(x);
        return;
    }
    const struct message m = {.verb = VERB_CHECKPOINT_DROP,
                              .checkpoint = {.task = c->id, .seq = c->seq}};
    exchange_try(x, &m, dropped);
}

static bool checkpoint_delete_read(struct exchange *x, struct message *m) {
    uint64_t number;
    (void)m;
    if (id_read(x, &number)) checkpoint_find(x, number, drop);
    return false;
}

#define BASE "/tasks/persistent-jobs/checkpoints"
#define JOBS "/tasks/persistent-jobs"
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE, MEMBER_GUARD, 200, checkpoint_list_read, "lists checkpoints",
          .verb = VERB_ASK, .write = checkpoint_list_write),
    ROUTE(POST, JSON, BASE, MEMBER_GUARD | GUARD_WORKER, 201, checkpoint_create_read,
          "stores a checkpoint"),
    ROUTE(POST, JSON, BASE "/optimize-storage", MEMBER_GUARD, 200, checkpoint_optimize_read,
          "packs old checkpoints, drops surplus ones"),
    ROUTE(GET, NONE, BASE "/{id}", MEMBER_GUARD, 200, checkpoint_detail_read, "reads a checkpoint"),
    ROUTE(PUT, JSON, BASE "/{id}", MEMBER_GUARD, 200, checkpoint_change_read,
          "changes a checkpoint"),
    ROUTE(PATCH, JSON, BASE "/{id}", MEMBER_GUARD, 200, checkpoint_change_read,
          "changes a checkpoint"),
    ROUTE(DELETE, NONE, BASE "/{id}", MEMBER_GUARD, 204, checkpoint_delete_read,
          "deletes a checkpoint"),
    ROUTE(GET, NONE, JOBS "/{id}/checkpoints", MEMBER_GUARD, 200, checkpoint_bare_read,
          "lists a job's checkpoints"),
    ROUTE(GET, NONE, JOBS "/persistent-jobs/{id}/checkpoints", MEMBER_GUARD, 200,
          checkpoint_bare_read, "lists a job's checkpoints"),
};
const struct routes megahub_checkpoints = {routes, sizeof routes / sizeof *routes};
