/* state.c - job states: what a job notes about its pages and its errors; see job.h. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/job.h"
#include "gateway/dialect/span.h"
#include <stdlib.h>

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN, ENTRIES_MAX = 10000, RETRIES_MOST = 1000 };

static const char *const page_statuses[] = {"pending", "in_progress", "completed", "failed",
                                            "retrying", NULL};

static void written(struct exchange *x, struct jobs *jobs) {
    job_state_write(x, &jobs->list[0]);
    exchange_answer(x, x->route->status);
}

static bool state_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return job_load(x, written);
}

/* ---- list ---- */

static const struct page_field fields[] = {
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("persistent_job", "id", NUMBER),
    PAGE_FIELD("retry_count", "retry_count", NUMBER),
    PAGE_FIELD("created_by", "owner", TEXT),
    PAGE_TIMES("created", "extra.job_made_ms"),
    PAGE_TIMES("updated", "extra.job_changed_ms"),
};
static const struct page_list list = {.fields = fields,
                                      .field_count = sizeof fields / sizeof *fields,
                                      .search = "type,extra.description",
                                      .fixed_field = "extra.job", .fixed_value = "1"};

static bool state_list_read(struct exchange *x, struct message *m) {
    m->question = (struct question){.kind = slice_text("tasks"), .brand = x->who.brand,
                                    .priority = -1, .dialect = -1,
                                    .want = WANT_BODY | WANT_RESULT};
    return page_read(x, &list, &m->question);
}

static void state_list_write(struct exchange *x, const struct message *answer) {
    job_page_write(x, answer, job_state_write);
}

/* ---- PATCH ---- */

static void pages_check(struct exchange *x) {
    json_t *pages = member_object(x->json, "pages_status", 0, &x->errors), *value;
    const char *key;
    if (json_object_size(pages) > ENTRIES_MAX)
        field_wrong(&x->errors, "pages_status", FIELD_TOO_LARGE, ENTRIES_MAX);
    json_object_foreach(pages, key, value) {
        bool known = false;
        for (uint32_t i = 0; page_statuses[i] != NULL && json_is_string(value); i++)
            known = known || strcmp(page_statuses[i], json_string_value(value)) == 0;
        if (known) continue;
        field_wrong(&x->errors, "pages_status", FIELD_NOT_A_CHOICE, 0);
        return;
    }
}

/* What is said replaces what was there, member by member. */
static struct slice state_amend(struct exchange *x, struct slice state) {
    static const char *const names[] = {"pages_status", "error_details", "error_log", "warnings",
                                        "max_retries", "last_error_message", "state_data"};
    json_t *fields_now = json_of(state);
    if (fields_now == NULL) fields_now = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *said = member_find(x->json, names[i]);
        if (said != NULL) json_object_set(fields_now, names[i], said);
    }
    char *text = json_dumps(fields_now, JSON_COMPACT);
    const struct slice copy = exchange_copy(x, slice_text(text != NULL ? text : "{}"));
    free(text);
    json_decref(fields_now);
    return copy;
}

static void edited(struct exchange *x, struct job_edit *e, enum code code) {
    if (code == CODE_OK) job_read_again(x, e->task, written);
    else if (code == CODE_UNKNOWN_TASK) job_not_found(x);
    else exchange_refuse(x, code, NULL);
}

static void put(struct exchange *x, const struct message *answer) {
    struct job_edit *e = x->state;
    if (exchange_code(answer) != CODE_OK) {
        exchange_refuse(x, exchange_code(answer), NULL);
        return;
    }
    e->then = edited; /* its time of change */
    job_edit(x, e);
}

static void found(struct exchange *x, struct jobs *jobs) {
    const struct job *j = &jobs->list[0];
    struct job_edit *e = exchange_alloc(x, sizeof *e);
    e->task = j->task.id;
    x->state = e;
    const struct slice state = state_amend(x, j->state);
    if (state.len > JOB_DATA_MAX) exchange_refuse(x, CODE_PAYLOAD_TOO_LARGE, NULL);
    else job_put(x, j->task.id, j->task.brand, j->data, state, put);
}

static bool state_change_read(struct exchange *x, struct message *m) {
    struct field_errors *e = &x->errors;
    (void)m;
    pages_check(x);
    member_list(x->json, "error_details", 0, ENTRIES_MAX, e);
    member_list(x->json, "error_log", 0, ENTRIES_MAX, e);
    member_list(x->json, "warnings", 0, ENTRIES_MAX, e);
    member_integer(x->json, "max_retries", 0, 0, 0, RETRIES_MOST, e);
    member_text(x->json, "last_error_message", NULLABLE | BLANK_OK, TASK_MESSAGE_MAX, e);
    member_object(x->json, "state_data", 0, e);
    if (!megahub_fields_good(x)) return false;
    return job_load(x, found);
}

#define BASE "/tasks/persistent-jobs/job-states"
static const struct route routes[] = {
    ROUTE(GET, NONE, BASE, MEMBER_GUARD, 200, state_list_read, "lists states of jobs",
          .verb = VERB_ASK, .write = state_list_write),
    ROUTE(GET, NONE, BASE "/{id}", MEMBER_GUARD, 200, state_detail_read, "reads a job's state"),
    ROUTE(PATCH, JSON, BASE "/{id}", MEMBER_GUARD, 200, state_change_read, "changes a job's state"),
};
const struct routes megahub_states = {routes, sizeof routes / sizeof *routes};
