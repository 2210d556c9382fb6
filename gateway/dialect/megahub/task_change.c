/* task_change.c - what a task's owner does with it: change, delete, cancel, retry. */
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/span.h"
#include "gateway/dialect/spell.h"
#include <stdlib.h>

static const char waiting[] = "pending", over[] = "failed,cancelled",
                  under_way[] = "pending,running,paused";

/* {"detail","error_code","field_errors","current_status","allowed_statuses"}: an action that the
 * task's state does not allow. */
static void refuse_state(struct exchange *x, const char *name, const char *detail, uint8_t status,
                         const char *allowed) {
    struct out *o = &x->out;
    out_object(o);
    megahub_stand_write(o, name, detail, status, allowed);
    out_object_end(o);
    exchange_answer(x, 400);
}

/* What an action asked, while the task's state is looked at. */
struct change {
    uint64_t id;
    uint8_t status;      /* before it */
    struct message message;
    struct slice context;
    bool due_named, past;
    uint32_t tries;      /* of a change to the extra that others change too */
};

enum { CHANGE_TRIES = 8 };

static struct change *change_new(struct exchange *x, enum verb verb) {
    struct change *c = exchange_alloc(x, sizeof *c);
    x->state = c;
    c->message.verb = verb;
    if (!megahub_id_read(x, &c->id)) return NULL;
    c->message.ref.id = c->id;
    return c;
}

/* Reads the task first: answers name its state before, refusals the one that stands in the way. */
static bool look(struct exchange *x, struct message *m) {
    const struct change *c = x->state;
    m->ref = (struct task_ref){.id = c->id, .want = WANT_BODY};
    return true;
}

static bool refused(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) return false;
    exchange_refuse(x, code, NULL);
    return true;
}

static void task_id_write(struct exchange *x, uint64_t id) {
    char text[TASK_TEXT_SIZE];
    spell_task(x, id, text);
    out_key(&x->out, "id");
    out_unsigned(&x->out, id);
    out_key(&x->out, "task_id");
    out_string(&x->out, text);
}

/* ---- PUT and PATCH ---- */

/* What other fields a client sends along with a task that it has read are left as they are; a
 * status is refused, because only what happens to a task changes it. */
static void options_read(struct exchange *x, struct change *c) {
    struct options *o = &c->message.ref.options;
    struct field_errors *e = &x->errors;
    const int priority = member_choice(x->json, "priority", 0, megahub_priorities, e);
    if (priority >= 0) {
        o->set |= SET_PRIORITY;
        o->priority = (uint8_t)priority;
    }
    if (member_object(x->json, "context_data", NULLABLE, e) != NULL) {
        o->set |= SET_PAYLOAD;
        o->payload = span_member(x, "context_data", "contextData");
    }
    const json_t *due = member_find(x->json, "scheduled_for");
    c->due_named = due != NULL && !json_is_null(due);
    if (c->due_named) {
        o->set |= SET_DUE;
        o->due_ms = member_time(x->json, "scheduled_for", 0, e);
        c->past = o->due_ms != 0 && o->due_ms <= x->wall_ms;
    }
    member_text(x->json, "description", NULLABLE | BLANK_OK, TASK_DESCRIPTION_MAX, e);
}

bool task_change_read(struct exchange *x, struct message *m) {
    struct change *c = change_new(x, VERB_UPDATE);
    if (c == NULL) return false;
    options_read(x, c);
    return megahub_fields_good(x) && look(x, m);
}

/* What is said of the task, with the new description in it; empty when there is no room. */
static struct slice extra_amend(struct exchange *x, struct slice extra, struct slice description,
                                int64_t due_ms) {
    json_t *fields = megahub_extra(extra);
    if (fields == NULL) return (struct slice){0};
    if (description.data != NULL)
        json_object_set_new(fields, "description",
                            json_stringn((const char *)description.data, description.len));
    if (due_ms > 0) json_object_set_new(fields, "scheduled_ms", json_integer(due_ms));
    char *text = json_dumps(fields, JSON_COMPACT);
    const struct slice copy = exchange_copy(x, slice_text(text != NULL ? text : ""));
    free(text);
    json_decref(fields);
    return copy;
}

static void changed_write(struct exchange *x, const struct message *answer) {
    if (!refused(x, answer)) task_detail_write(x, answer);
}

static void looked_again(struct exchange *x, const struct message *answer) {
    if (!refused(x, answer)) task_change_write(x, answer);
}

static void read_again(struct exchange *x, const struct message *answer) {
    struct change *c = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && ++c->tries < CHANGE_TRIES) { /* its job was changed meanwhile */
        const struct message again = {.verb = VERB_GET, .ref = {.id = c->id, .want = WANT_BODY}};
        exchange_try(x, &again, looked_again);
        return;
    }
    if (code == CODE_INVALID_STATE || code == CODE_ALREADY_SETTLED) {
        refuse_state(x, "INVALID_OPERATION", "This field can no longer be changed.", c->status,
                     waiting);
        return;
    }
    if (refused(x, answer)) return;
    const struct message m = {.verb = VERB_GET,
                              .ref = {.id = c->id, .want = WANT_BODY | WANT_RESULT}};
    exchange_try(x, &m, changed_write);
}

/* A client that PUTs a task it has read sends its status along: the same one is no change. */
static bool status_kept(struct exchange *x, uint8_t status) {
    const json_t *said = member_find(x->json, "status");
    if (said == NULL) return true;
    if (json_is_string(said) && strcmp(json_string_value(said), megahub_status(status)) == 0)
        return true;
    refuse_state(x, "INVALID_STATUS_TRANSITION",
                 "The status follows from what happens to the task.", status, "");
    return false;
}

void task_change_write(struct exchange *x, const struct message *answer) {
    struct change *c = x->state;
    const struct view *v = &answer->view;
    struct options *o = &c->message.ref.options;
    c->status = v->head.status;
    if (!status_kept(x, c->status)) return;
    const struct slice none = {0};
    const json_t *said = member_find(x->json, "description");
    const struct slice description =
        said == NULL ? none : json_is_string(said)
            ? slice_of(json_string_value(said), json_string_length(said)) : slice_text("");
    int64_t due_ms = 0;
    if (c->due_named) { /* the time that stands already may have come by now */
        struct megahub_task task;
        megahub_task_read(x, v, &task);
        if (o->due_ms == task.due_ms) {
            o->set &= ~(uint32_t)SET_DUE;
        } else if (c->past) {
            field_refuse(&x->errors, "scheduled_for", megahub_past_text(x));
            megahub_fields_good(x);
            return;
        }
        due_ms = o->set & SET_DUE ? o->due_ms : 0;
    }
    if (o->set & SET_PAYLOAD && slice_equal(o->payload, v->body.payload))
        o->set &= ~(uint32_t)SET_PAYLOAD;
    if (description.data != NULL || due_ms > 0) {
        o->set |= SET_EXTRA | SET_VERSION;
        o->version = v->head.version;
        o->extra = extra_amend(x, v->body.extra, description, due_ms);
        if (o->extra.len == 0) {
            refuse_state(x, "INVALID_OPERATION", "A native client keeps data of its own here.",
                         c->status, "");
            return;
        }
    }
    if (o->set & SET_PRIORITY && o->priority == v->head.priority)
        o->set &= ~(uint32_t)SET_PRIORITY;
    exchange_try(x, &c->message, read_again);
}

/* ---- DELETE ---- */

bool task_delete_read(struct exchange *x, struct message *m) {
    return change_new(x, VERB_REMOVE) != NULL && look(x, m);
}

static void deleted_write(struct exchange *x, const struct message *answer) {
    const struct change *c = x->state;
    if (exchange_code(answer) == CODE_INVALID_STATE)
        refuse_state(x, "INVALID_OPERATION", "A running task cannot be deleted: cancel it first.",
                     c->status, "pending,paused,completed,failed,cancelled");
    else if (!refused(x, answer))
        exchange_answer(x, x->route->status);
}

void task_delete_write(struct exchange *x, const struct message *answer) {
    struct change *c = x->state;
    c->status = answer->view.head.status;
    exchange_try(x, &c->message, deleted_write);
}

/* ---- cancel ---- */

bool task_cancel_read(struct exchange *x, struct message *m) {
    struct change *c = change_new(x, VERB_CANCEL);
    if (c == NULL) return false;
    c->message.ref.text = member_text(x->json, "reason", NULLABLE | BLANK_OK, TASK_MESSAGE_MAX,
                                      &x->errors);
    return megahub_fields_good(x) && look(x, m);
}

static void cancelled_write(struct exchange *x, const struct message *answer) {
    const struct change *c = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_ALREADY_SETTLED || code == CODE_INVALID_STATE) {
        refuse_state(x, "TASK_ALREADY_COMPLETED", "The task has already ended.", c->status,
                     under_way);
        return;
    }
    if (refused(x, answer)) return;
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "message");
    out_string(o, "Task cancelled");
    task_id_write(x, c->id);
    out_key(o, "previous_status");
    out_string(o, megahub_status(c->status));
    out_key(o, "status");
    out_string(o, megahub_status(STATUS_CANCELLED));
    out_key(o, "cancelled_at");
    out_time(o, answer->view.head.finished_ms);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

void task_cancel_write(struct exchange *x, const struct message *answer) {
    struct change *c = x->state;
    c->status = answer->view.head.status;
    exchange_try(x, &c->message, cancelled_write);
}

/* ---- retry ---- */

bool task_retry_read(struct exchange *x, struct message *m) {
    struct change *c = change_new(x, VERB_RETRY);
    if (c == NULL) return false;
    struct options *o = &c->message.ref.options;
    const int priority = member_choice(x->json, "new_priority", 0, megahub_priorities, &x->errors);
    if (priority >= 0) {
        o->set |= SET_PRIORITY;
        o->priority = (uint8_t)priority;
    }
    o->reset_progress = member_bool(x->json, "reset_progress", 0, false, &x->errors);
    member_bool(x->json, "clear_errors", 0, true, &x->errors); /* the error is the last run's */
    return megahub_fields_good(x) && look(x, m);
}

static void retried_write(struct exchange *x, const struct message *answer) {
    const struct change *c = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_MAX_RETRIES) {
        refuse_state(x, "MAX_RETRIES_EXCEEDED", "The task has no retries left.", c->status, over);
        return;
    }
    if (code == CODE_INVALID_STATE || code == CODE_ALREADY_SETTLED) {
        refuse_state(x, "INVALID_OPERATION", "Only a failed or cancelled task can be retried.",
                     c->status, over);
        return;
    }
    if (refused(x, answer)) return;
    const struct task_head *head = &answer->view.head;
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "status");
    out_string(o, "Task queued for retry");
    out_key(o, "message");
    out_string(o, "Task queued for retry");
    task_id_write(x, c->id);
    out_key(o, "new_status");
    out_string(o, megahub_status(head->status));
    out_key(o, "retry_count");
    out_unsigned(o, head->retry_count);
    out_key(o, "max_retries");
    out_unsigned(o, head->max_retries);
    out_key(o, "estimated_start");
    out_time(o, head->due_ms > head->updated_ms ? head->due_ms : head->updated_ms);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}

void task_retry_write(struct exchange *x, const struct message *answer) {
    struct change *c = x->state;
    struct options *o = &c->message.ref.options;
    c->status = answer->view.head.status;
    if (c->status == STATUS_PAUSED) { /* resume is the way out of a pause */
        refuse_state(x, "INVALID_OPERATION", "Only a failed or cancelled task can be retried.",
                     c->status, over);
        return;
    }
    if (answer->view.head.dialect != QALPUCH_NUMBER) { /* that one knows no limit of retries */
        o->set |= SET_RETRIES;
        o->retries = answer->view.head.max_retries;
    }
    exchange_try(x, &c->message, retried_write);
}
