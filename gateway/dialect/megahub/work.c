#include "gateway/dialect/megahub/job.h"
#include "gateway/dialect/megahub/people.h"
#include "gateway/dialect/megahub/monitor.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/span.h"
#include "gateway/dialect/spell.h"
#include "gateway/dialect/start.h"

enum { CLAIM_LIMIT_MAX = 64, LEASE_S_MAX = 604800 };

/* ---- claim ---- */

struct claimed { /* one delivered task; the answer to CLAIM is gone when its view arrives */
    uint64_t task, epoch;
    uint32_t attempt, lease_ms, checkpoint, brand;
    struct slice checkpoint_name, checkpoint_data;
    struct slice type, queue, payload;
    struct job_members job;
    struct slice job_data; /* JSON; empty = none */
};

struct claim_state {
    struct claimed *list;
    uint32_t count, at;
};

static void names_read(struct exchange *x, const char *name, uint32_t max, struct slice *ret_list,
                       uint16_t *ret_count) {
    json_t *list = member_list(x->json, name, NULLABLE, max, &x->errors);
    struct buffer packed = {0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *text = json_array_get(list, i);
        size_t len = json_string_length(text);
        if (!json_is_string(text) || len == 0 || len > TASK_NAME_MAX) {
            field_wrong(&x->errors, name, FIELD_NOT_TEXT, 0);
            break;
        }
        text_put(&packed, slice_of(json_string_value(text), len));
        *ret_count = (uint16_t)(*ret_count + 1);
    }
    *ret_list = exchange_copy(x, buffer_slice(&packed));
    buffer_free(&packed);
}

static void queues_default(struct exchange *x, struct serves *serves) {
    struct buffer packed = {0};
    text_put(&packed, slice_text("high_priority"));
    text_put(&packed, slice_text("normal"));
    text_put(&packed, slice_text("low_priority"));
    serves->queues = exchange_copy(x, buffer_slice(&packed));
    serves->queue_count = 3;
    buffer_free(&packed);
}

/* Tasks of the dialects that mark theirs are for their own workers, whatever the queue. */
static void labels_own(struct exchange *x, struct serves *serves) {
    struct buffer packed = {0};
    text_put(&packed, slice_text("dialect=002"));
    serves->labels = exchange_copy(x, buffer_slice(&packed));
    serves->label_count = 1;
    buffer_free(&packed);
}

bool task_claim_read(struct exchange *x, struct message *m) {
    struct claim *claim = &m->claim;
    struct field_errors *e = &x->errors;
    labels_own(x, &claim->serves);
    names_read(x, "queues", QUEUES_MAX, &claim->serves.queues, &claim->serves.queue_count);
    names_read(x, "task_types", QUEUES_MAX, &claim->serves.types, &claim->serves.type_count);
    if (claim->serves.queue_count == 0) queues_default(x, &claim->serves);
    claim->limit = (uint32_t)member_integer(x->json, "limit", 0, 1, 1, CLAIM_LIMIT_MAX, e);
    claim->wait_ms =
        setting_wait_ms(x, member_integer(x->json, "wait", 0, 0, 0, INT32_MAX, e));
    claim->lease_ms =
        1000 * (uint32_t)member_integer(x->json, "lease_seconds", 0, 0, 1, LEASE_S_MAX, e);
    claim->again = member_bool(x->json, "again", 0, false, e);
    claim->worker = slice_text(x->who.name);
    claim->boot = x->who.boot;
    claim->brand = x->who.brand;
    return megahub_fields_good(x);
}

static void recovery_write(struct out *o, const struct claimed *claimed) {
    out_key(o, "recovery_data");
    if (claimed->checkpoint == 0) {
        out_null(o);
    } else {
        out_object(o);
        out_key(o, "checkpoint");
        out_unsigned(o, claimed->checkpoint);
        out_key(o, "resume_from_step");
        out_text(o, claimed->checkpoint_name);
        out_key(o, "checkpoint_data");
        out_value(o, claimed->checkpoint_data);
        out_key(o, "completed_steps");
        out_unsigned(o, claimed->job.done);
        out_key(o, "job_data");
        out_raw(o, claimed->job_data);
        out_object_end(o);
    }
    if (!claimed->job.there) return;
    out_key(o, "job_data");
    out_raw(o, claimed->job_data);
}

/* The view says what a delivery does not (priority, retries, the lease's end). Without one, as
 * when the task was cancelled in between, what the delivery said is shown. */
static void claimed_write(struct exchange *x, const struct claimed *claimed,
                          const struct view *view) {
    struct megahub_task task = {.id = claimed->task, .type = claimed->type,
                                .queue = claimed->queue, .context = claimed->payload,
                                .status = STATUS_DELIVERED, .brand = x->who.brand,
                                .created_ms = x->wall_ms, .updated_ms = x->wall_ms};
    int64_t lease_until_ms = claimed->lease_ms > 0 ? x->wall_ms + claimed->lease_ms : 0;
    if (view != NULL) {
        megahub_task_read(x, view, &task);
        if (view->lease_until_ms > 0) lease_until_ms = view->lease_until_ms;
    }
    struct out *o = &x->out;
    out_object(o);
    megahub_task_write(x, &task);
    out_key(o, "attempt");
    out_unsigned(o, claimed->attempt);
    out_key(o, "lease_epoch");
    out_unsigned(o, claimed->epoch);
    out_key(o, "lease_expires_at");
    out_time(o, lease_until_ms);
    recovery_write(o, claimed);
    out_object_end(o);
}

static void claim_next(struct exchange *x);

static void view_arrived(struct exchange *x, const struct message *answer) {
    struct claim_state *state = x->state;
    bool good = exchange_code(answer) == CODE_OK && answer->view.body.id != 0;
    claimed_write(x, &state->list[state->at], good ? &answer->view : NULL);
    state->at++;
    claim_next(x);
}

static void view_known(struct exchange *x, const struct message *answer);

static void view_ask(struct exchange *x) {
    const struct claim_state *state = x->state;
    const struct message m = {.verb = VERB_GET,
                              .ref = {.id = state->list[state->at].task, .want = WANT_BODY}};
    exchange_try(x, &m, view_known);
}

static void view_known(struct exchange *x, const struct message *answer) {
    people_answer(x, answer, view_arrived);
}

static void data_arrived(struct exchange *x, const struct message *answer) {
    struct claim_state *state = x->state;
    struct object_row row;
    if (exchange_code(answer) == CODE_OK && object_row_read(answer->answer.body, &row))
        state->list[state->at].job_data = span_find(exchange_copy(x, row.body), "job_data");
    view_ask(x);
}

/* One task after the other: of a job what it works on, then what the delivery does not say. */
static void claim_next(struct exchange *x) {
    struct claim_state *state = x->state;
    if (state->at == state->count) {
        out_list_end(&x->out);
        out_object_end(&x->out);
        exchange_answer(x, x->route->status);
        return;
    }
    const struct claimed *c = &state->list[state->at];
    if (!c->job.there) {
        view_ask(x);
        return;
    }
    const struct who who = job_house(x);
    struct message m = {.verb = VERB_FETCH};
    m.object.kind = slice_text("job");
    m.object.name = slice_text(exchange_print(x, "%llu", (unsigned long long)c->task));
    m.object.brand = c->brand;
    exchange_try_as(x, &who, &m, data_arrived);
}

static struct claimed claimed_copy(struct exchange *x, const struct delivery *d) {
    return (struct claimed){
        .task = d->task,
        .epoch = d->epoch,
        .attempt = d->attempt,
        .lease_ms = d->lease_ms,
        .checkpoint = d->checkpoint,
        .checkpoint_name = exchange_copy(x, d->checkpoint_name),
        .checkpoint_data = exchange_copy(x, d->checkpoint_data),
        .type = exchange_copy(x, d->type),
        .queue = exchange_copy(x, d->queue),
        .payload = exchange_copy(x, d->payload),
        .brand = d->brand,
        .job = job_members_read(x, d->extra),
    };
}

void task_claim_write(struct exchange *x, const struct message *answer) {
    struct claim_state *state = exchange_alloc(x, sizeof *state);
    state->list = exchange_alloc(x, sizeof *state->list * x->answers);
    for (uint32_t i = 0; i < x->answers; i++) {
        if (answer[i].task.task == 0) continue;
        state->list[state->count++] = claimed_copy(x, &answer[i].task);
    }
    x->state = state;
    out_object(&x->out);
    out_key(&x->out, "count");
    out_unsigned(&x->out, state->count);
    out_key(&x->out, "tasks");
    out_list(&x->out);
    claim_next(x);
}

/* ---- reports ---- */

static bool report_read(struct exchange *x, struct message *m) {
    m->report.epoch = (uint64_t)member_integer(x->json, "lease_epoch", NULLABLE, 0, 0,
                                               (int64_t)ID_NUMBER_MAX, &x->errors);
    m->report.percent = -1;
    return megahub_id_read(x, &m->report.task);
}

/* The task after a report; the broker's view of it is asked for, for the report's own answer does
 * not say whether a cancel waits. */
static void state_ask(struct exchange *x, uint32_t want, exchange_then *then) {
    uint64_t id;
    if (!megahub_id_read(x, &id)) return;
    struct message m = {.verb = VERB_GET, .ref = {.id = id, .want = want}};
    exchange_try(x, &m, then);
}

bool task_heartbeat_read(struct exchange *x, struct message *m) {
    if (!report_read(x, m) || !megahub_fields_good(x)) return false;
    start_tell(x, &m->report);
    return true;
}

bool task_progress_read(struct exchange *x, struct message *m) {
    if (!report_read(x, m)) return false;
    m->report.percent = (int8_t)member_integer(x->json, "progress_percentage", REQUIRED, 0, 0, 100,
                                               &x->errors);
    m->report.text = member_text(x->json, "message", NULLABLE | BLANK_OK, TASK_MESSAGE_MAX,
                                 &x->errors);
    if (!megahub_fields_good(x)) return false;
    start_tell(x, &m->report);
    return true;
}

static void lease_write(struct exchange *x, const struct message *answer) {
    struct out *o = &x->out;
    const struct view *v = &answer->view;
    if (exchange_code(answer) != CODE_OK) {
        exchange_refuse(x, exchange_code(answer), NULL);
        return;
    }
    char text[TASK_TEXT_SIZE];
    spell_task(x, v->head.id, text);
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, v->head.id);
    out_key(o, "task_id");
    out_string(o, text);
    out_key(o, "status");
    out_string(o, megahub_status(v->head.status));
    out_key(o, "progress_percentage");
    out_integer(o, v->head.progress);
    out_key(o, "lease_epoch");
    out_unsigned(o, v->head.epoch);
    out_key(o, "lease_expires_at");
    out_time(o, v->lease_until_ms);
    out_key(o, "cancel_requested");
    out_bool(o, (v->head.flags & TASK_CANCELLING) != 0);
    out_key(o, "pause_requested");
    out_bool(o, (v->head.flags & TASK_PAUSING) != 0);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

void task_progress_write(struct exchange *x, const struct message *answer) {
    (void)answer;
    state_ask(x, 0, lease_write);
}

bool task_complete_read(struct exchange *x, struct message *m) {
    if (!report_read(x, m)) return false;
    member_object(x->json, "result_data", NULLABLE, &x->errors);
    member_object(x->json, "metrics", NULLABLE, &x->errors);
    if (!megahub_fields_good(x)) return false;
    m->report.data = span_member(x, "result_data", "resultData");
    m->report.metrics = span_member(x, "metrics", NULL);
    m->report.numbers = monitor_numbers(x, member_find(x->json, "metrics"));
    return true;
}

bool task_fail_read(struct exchange *x, struct message *m) {
    if (!report_read(x, m)) return false;
    m->report.text = member_text(x->json, "error_message", REQUIRED | BLANK_OK, TASK_MESSAGE_MAX,
                                 &x->errors);
    m->report.retryable = member_bool(x->json, "retryable", 0, false, &x->errors);
    m->report.reason = m->report.retryable ? REASON_FAILED : REASON_PERMANENT;
    member_object(x->json, "metrics", NULLABLE, &x->errors);
    m->report.metrics = span_member(x, "metrics", NULL);
    m->report.numbers = monitor_numbers(x, member_find(x->json, "metrics"));
    return megahub_fields_good(x);
}

/* A task that is not kept is gone by now; its end was acknowledged all the same. */
static void ended_write(struct exchange *x, const struct message *answer) {
    enum code code = exchange_code(answer);
    if (code == CODE_OK) {
        task_detail_write(x, answer);
        return;
    }
    if (code != CODE_UNKNOWN_TASK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    uint64_t id;
    if (!megahub_id_read(x, &id)) return;
    char text[TASK_TEXT_SIZE];
    spell_task(x, id, text);
    out_object(&x->out);
    out_key(&x->out, "id");
    out_unsigned(&x->out, id);
    out_key(&x->out, "task_id");
    out_string(&x->out, text);
    out_key(&x->out, "status");
    out_string(&x->out, x->route->verb == VERB_DONE ? "completed" : "failed");
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

void task_settled_write(struct exchange *x, const struct message *answer) {
    (void)answer;
    state_ask(x, WANT_BODY | WANT_RESULT, ended_write);
}
