/* task_list.c - GET /tasks/: every task of the brand, whatever dialect it came by. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/page.h"
#include "gateway/dialect/megahub/people.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct page_choice statuses[] = {
    {"pending", "1,2"}, {"queued", "2"}, {"scheduled", "1"}, {"retry", "2"}, {"running", "3,4"},
    {"processing", "3,4"}, {"paused", "5"}, {"completed", "6"}, {"failed", "7"},
    {"cancelled", "8"}, {NULL, NULL}};

static const struct page_choice active_statuses[] = {{"active", "1"}, {NULL, NULL}};

/* The first is for `status=active` alone: runs of schedules that go on. */
static const struct page_field fields[] = {
    PAGE_FIELD("status", "schedule_active", CHOICE, .choices = active_statuses),
    PAGE_FIELD("id", "id", NUMBER),
    PAGE_FIELD("status", "status", CHOICE, .choices = statuses),
    PAGE_FIELD("priority", "priority", CHOICE, .choices = page_priorities),
    PAGE_FIELD("task_type", "type", TEXT),
    PAGE_FIELD("queue_name", "queue", TEXT),
    PAGE_FIELD("created_by", "owner", TEXT),
    PAGE_FIELD("description", "extra.description", TEXT),
    PAGE_FIELD("worker_name", "worker", TEXT),
    PAGE_TIMES("created", "created_ms"),
    PAGE_TIMES("updated", "updated_ms"),
    PAGE_FIELD("started_at", "started_ms", TIME),
    PAGE_FIELD("completed_at", "finished_ms", TIME),
    PAGE_FIELD("scheduled_for", "extra.scheduled_ms", TIME),
    PAGE_FIELD("progress_percentage", "progress", NUMBER),
    PAGE_FIELD("progress", "progress", NUMBER),
    PAGE_FIELD("retry_count", "retry_count", NUMBER),
    PAGE_FIELD("max_retries", "max_retries", NUMBER),
    PAGE_FIELD("timeout_minutes", "timeout_ms", NUMBER, .scale = 60000),
    PAGE_FIELD("execution_time", "run_ms", NUMBER),
    PAGE_FIELD("execution_time_ms", "run_ms", NUMBER),
    PAGE_FIELD("queue_wait_time_ms", "wait_ms", NUMBER),
    PAGE_FIELD("memory_usage", "metrics.memory_usage_mb", NUMBER),
    PAGE_FIELD("memory_usage_mb", "metrics.memory_usage_mb", NUMBER),
    PAGE_FIELD("cpu_usage_percent", "metrics.cpu_usage_percent", NUMBER),
    PAGE_FIELD("cost", "metrics.cost_usd", NUMBER),
    PAGE_FIELD("cost_usd", "metrics.cost_usd", NUMBER),
    PAGE_FIELD("tokens_used", "metrics.tokens_used", NUMBER),
    PAGE_FIELD("api_calls_count", "metrics.api_calls_count", NUMBER),
    PAGE_FIELD("error_count", "metrics.error_count", NUMBER),
    PAGE_FIELD("has_metrics", "run_ms", THERE),
    PAGE_FIELD("is_resumable", "resumable", BOOL),
    PAGE_FIELD("is_periodic", "schedule", THERE),
};

static const struct page_list list = {.fields = fields + 1,
                                      .field_count = sizeof fields / sizeof *fields - 1,
                                      .search = "type,extra.description,task_id",
                                      .hidden = "internal", .task_ids = true};
static const struct page_list active_list = {.fields = fields,
                                             .field_count = sizeof fields / sizeof *fields,
                                             .search = "type,extra.description,task_id",
                                             .hidden = "internal", .task_ids = true};

/* What is asked for, by a user's name when his number was given. */
static bool question_read(struct exchange *x, struct question *q, const char *owner) {
    const char *status = exchange_query(x, "status");
    const bool active = status != NULL && strcasecmp(status, "active") == 0;
    const struct page_list *plain = active ? &active_list : &list;
    struct page_list *chosen = exchange_alloc(x, sizeof *chosen);
    *chosen = *plain;
    *q = (struct question){.kind = slice_text("tasks"), .brand = x->who.brand, .priority = -1,
                           .dialect = -1, .want = WANT_BODY | WANT_RESULT};
    if (owner != NULL) { /* in place of the field of the query */
        struct page_field *own = exchange_alloc(x, plain->field_count * sizeof *own);
        memcpy(own, plain->fields, plain->field_count * sizeof *own);
        for (uint32_t i = 0; i < plain->field_count; i++)
            if (strcmp(own[i].name, "created_by") == 0) own[i].name = "";
        chosen->fields = own;
        chosen->fixed_field = "owner";
        chosen->fixed_value = owner;
    }
    return page_read(x, chosen, q);
}

static void owner_found(struct exchange *x, const struct message *answer) {
    struct object_row row;
    const bool there = exchange_code(answer) == CODE_OK && answer->verb == VERB_ANSWER &&
                       object_row_read(answer->answer.body, &row);
    const char *name = there ? (const char *)exchange_copy(x, row.name).data : NULL;
    struct message m = {.verb = VERB_ASK};
    if (question_read(x, &m.question, name)) exchange_send(x, &m, task_list_write);
}

bool task_list_read(struct exchange *x, struct message *m) {
    const char *by = exchange_query(x, "created_by");
    const size_t digits = by != NULL ? strspn(by, "0123456789") : 0;
    if (digits == 0 || by[digits] != '\0' || digits > 16)
        return question_read(x, &m->question, NULL);
    struct message fetch = {.verb = VERB_FETCH};
    fetch.object.kind = slice_text("user");
    fetch.object.options.id = strtoull(by, NULL, 10);
    exchange_try_as(x, &account_house, &fetch, owner_found);
    return false;
}

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct frame frame = {0};
    struct message m;
    struct megahub_task task;
    if (row_next(&frame, rows, at, &m)) {
        megahub_task_read(x, &m.view, &task);
        out_object(&x->out);
        megahub_task_write(x, &task);
        out_object_end(&x->out);
    }
    frame_free(&frame);
}

static void known_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}

void task_list_write(struct exchange *x, const struct message *answer) {
    people_answer(x, answer, known_write);
}
