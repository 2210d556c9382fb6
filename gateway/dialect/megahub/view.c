#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/people.h"
#include "gateway/dialect/output.h"
#include "gateway/dialect/span.h"
#include "gateway/dialect/spell.h"
#include <stdio.h>
#include <stdlib.h>

const char *const megahub_priorities[] = {"low", "normal", "high", "critical", NULL};

const char *megahub_status(uint8_t status) {
    switch ((enum status)status) {
    case STATUS_DELIVERED:
    case STATUS_RUNNING: return "running";
    case STATUS_PAUSED: return "paused";
    case STATUS_COMPLETED: return "completed";
    case STATUS_FAILED: return "failed";
    case STATUS_CANCELLED: return "cancelled";
    case STATUS_NONE:
    case STATUS_SCHEDULED:
    case STATUS_QUEUED:
    case STATUS_COUNT: break;
    }
    return "pending";
}

struct slice megahub_queue(uint8_t priority) {
    if (priority >= PRIORITY_HIGH) return slice_text("high_priority");
    return slice_text(priority == PRIORITY_LOW ? "low_priority" : "normal");
}

json_t *megahub_extra(struct slice extra) {
    if (extra.len == 0) return json_object();
    json_t *fields = json_of(extra);
    if (json_is_object(fields)) return fields;
    json_decref(fields);
    return NULL;
}

static void extra_read(struct exchange *x, struct slice extra, struct megahub_task *task) {
    json_t *fields = megahub_extra(extra);
    json_t *description = json_object_get(fields, "description");
    json_t *created = json_object_get(fields, "created_ms");
    json_t *scheduled = json_object_get(fields, "scheduled_ms");
    if (json_is_string(description))
        task->description = exchange_copy(x, slice_of(json_string_value(description),
                                                      json_string_length(description)));
    if (json_is_integer(created) && task->dialect == MEGAHUB_NUMBER)
        task->created_ms = json_integer_value(created);
    task->job = json_integer_value(json_object_get(fields, "job")) == 1;
    task->job_can_resume = json_integer_value(json_object_get(fields, "job_resume")) == 1;
    task->job_percent = (uint8_t)json_integer_value(json_object_get(fields, "job_percent"));
    task->due_ms = json_integer_value(scheduled); /* 0 when absent; a retry's delay is not it */
    if (json_is_object(json_object_get(fields, "periodic_task")))
        task->periodic = span_find(extra, "periodic_task");
    if (json_is_object(json_object_get(fields, "cron_job")))
        task->cron_job = span_find(extra, "cron_job");
    json_decref(fields);
}

/* The metrics without what is none of them. */
static struct slice metrics_strip(struct exchange *x, const struct view *v) {
    json_t *given = json_of(v->result.metrics);
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(given, next, key, value) {
        if (output_noted(v, key)) json_object_del(given, key);
    }
    char *text = json_object_size(given) > 0 ? json_dumps(given, JSON_COMPACT) : NULL;
    const struct slice left =
        text != NULL ? exchange_copy(x, slice_text(text)) : (struct slice){0};
    free(text);
    json_decref(given);
    return left;
}

static void files_read(struct exchange *x, const struct view *v, struct megahub_task *task) {
    task->sourced = v->body.source_file != 0;
    task->grows = (v->head.flags & TASK_STREAM) != 0;
    task->source_size = v->source_size;
    task->source_name = v->source_name;
    task->source_mime = v->source_mime;
    task->result_filed = v->result.result_file != 0 && v->head.status == STATUS_COMPLETED;
    if (!task->result_filed) return;
    struct output about;
    output_read(x, v, &about);
    task->result_size = about.size;
    task->result_name = about.name;
    task->result_mime = about.mime;
    task->metrics = metrics_strip(x, v);
}

void megahub_task_read(struct exchange *x, const struct view *v, struct megahub_task *ret_task) {
    const struct task_head *head = &v->head;
    *ret_task = (struct megahub_task){
        .id = head->id,
        .type = v->type,
        .queue = v->queue,
        .owner = v->body.owner,
        .context = v->body.payload,
        .result = v->result.result,
        .metrics = v->result.metrics,
        .created_ms = head->created_ms,
        .queued_ms = head->created_ms,
        .updated_ms = head->updated_ms,
        .started_ms = head->started_ms,
        .completed_ms = head->finished_ms,
        .due_ms = head->due_ms,
        .brand = head->brand,
        .dialect = head->dialect,
        .timeout_ms = head->timeout_ms,
        .retry_count = head->retry_count,
        .max_retries = head->max_retries,
        .status = head->status,
        .priority = head->priority,
        .progress = head->status == STATUS_COMPLETED ? 100 : head->progress,
    };
    if (head->status == STATUS_FAILED || head->status == STATUS_CANCELLED)
        ret_task->error = v->result.message;
    files_read(x, v, ret_task);
    extra_read(x, v->body.extra, ret_task);
    if (ret_task->updated_ms < ret_task->created_ms || head->version <= 1)
        ret_task->updated_ms = ret_task->created_ms;
}

static void text_or_null(struct out *o, const char *key, struct slice text) {
    out_key(o, key);
    out_text_or_null(o, text);
}

static bool object_like(struct slice bytes) {
    while (bytes.len > 0 && strchr(" \t\r\n", bytes.data[0]) != NULL && bytes.data[0] != '\0') {
        bytes.data++;
        bytes.len--;
    }
    return bytes.len > 0 && bytes.data[0] == '{';
}

/* Bytes that this dialect did not check itself: an object stays one, all else is named. */
static void object_of(struct out *o, struct slice bytes, const char *name) {
    json_t *value = object_like(bytes) ? json_of(bytes) : NULL;
    if (value != NULL) {
        out_raw(o, bytes);
    } else {
        out_object(o);
        out_key(o, name);
        out_text(o, bytes);
        out_object_end(o);
    }
    json_decref(value);
}

static void file_write(struct exchange *x, const char *key, struct slice name,
                       struct slice mime) {
    out_key(&x->out, key);
    out_text(&x->out, name);
    out_key(&x->out, "mime_type");
    out_text(&x->out, mime);
}

static void url_write(struct exchange *x, uint64_t id, const char *what) {
    out_key(&x->out, "url");
    out_string(&x->out, exchange_print(x, "%s/tasks/%llu/%s/", exchange_origin(x),
                                       (unsigned long long)id, what));
}

/* Only tasks that were made of a file have one. */
static void source_write(struct exchange *x, const struct megahub_task *t) {
    if (!t->sourced) return;
    out_key(&x->out, "source_file");
    out_object(&x->out);
    file_write(x, "name", t->source_name, t->source_mime);
    out_key(&x->out, "size");
    if (t->grows) out_null(&x->out);
    else out_unsigned(&x->out, t->source_size);
    url_write(x, t->id, "source");
    out_object_end(&x->out);
}

static void result_write(struct exchange *x, const struct megahub_task *t) {
    struct out *o = &x->out;
    out_key(o, "result_data");
    if (t->result.len > 0) {
        object_of(o, t->result, "output");
    } else if (t->result_filed) {
        out_object(o);
        file_write(x, "output_file", t->result_name, t->result_mime);
        out_key(o, "size");
        out_unsigned(o, t->result_size);
        url_write(x, t->id, "result");
        out_object_end(o);
    } else {
        out_null(o);
    }
}

/* The broker's own measures, unless the worker gave better ones. */
static void metrics_write(struct exchange *x, const struct megahub_task *t) {
    struct out *o = &x->out;
    json_t *given = json_of(t->metrics);
    out_key(o, "metrics");
    if (t->started_ms == 0 || t->completed_ms == 0) {
        out_json(o, json_is_object(given) ? given : NULL);
        json_decref(given);
        return;
    }
    out_object(o);
    const char *key;
    json_t *value;
    json_object_foreach(given, key, value) {
        out_key_slice(o, slice_text(key));
        out_json(o, value);
    }
    if (json_object_get(given, "execution_time_ms") == NULL) {
        out_key(o, "execution_time_ms");
        out_integer(o, t->completed_ms - t->started_ms);
    }
    if (json_object_get(given, "queue_wait_time_ms") == NULL && t->started_ms >= t->queued_ms) {
        out_key(o, "queue_wait_time_ms");
        out_integer(o, t->started_ms - t->queued_ms);
    }
    out_object_end(o);
    json_decref(given);
}

static void people_write(struct exchange *x, const struct megahub_task *t) {
    struct out *o = &x->out;
    const struct slice brand = people_brand(x, t->brand);
    out_key(o, "brand");
    out_object(o);
    out_key(o, "id");
    out_unsigned(o, t->brand);
    out_key(o, "name");
    out_text(o, brand);
    out_object_end(o);
    out_key(o, "brand_name");
    out_text(o, brand);
    out_key(o, "created_by");
    if (t->owner.len > 0) {
        out_object(o);
        out_key(o, "id");
        out_unsigned(o, people_number(x, t->owner));
        out_key(o, "username");
        out_text(o, t->owner);
        out_object_end(o);
    } else {
        out_null(o);
    }
    text_or_null(o, "created_by_name", t->owner);
}

static void times_write(struct out *o, const struct megahub_task *t) {
    out_key(o, "created_at");
    out_time(o, t->created_ms);
    out_key(o, "updated_at");
    out_time(o, t->updated_ms);
    out_key(o, "started_at");
    out_time(o, t->started_ms);
    out_key(o, "completed_at");
    out_time(o, t->completed_ms);
    out_key(o, "scheduled_for");
    out_time(o, t->due_ms);
    out_key(o, "timeout_minutes");
    if (t->timeout_ms > 0) out_integer(o, (t->timeout_ms + 59999) / 60000);
    else out_null(o);
}

static void job_write(struct out *o, const struct megahub_task *t) {
    out_key(o, "persistent_job");
    if (!t->job) {
        out_null(o);
        return;
    }
    out_object(o);
    out_key(o, "progress_percentage");
    out_unsigned(o, t->job_percent);
    out_key(o, "can_resume");
    out_bool(o, t->job_can_resume);
    out_object_end(o);
}

void megahub_task_write(struct exchange *x, const struct megahub_task *t) {
    struct out *o = &x->out;
    char text[TASK_TEXT_SIZE];
    spell_task(x, t->id, text);
    out_key(o, "id");
    out_unsigned(o, t->id);
    out_key(o, "task_id");
    out_string(o, text);
    out_key(o, "task_type");
    out_text(o, t->type);
    out_key(o, "status");
    out_string(o, megahub_status(t->status));
    out_key(o, "priority");
    out_string(o, megahub_priorities[t->priority < PRIORITY_COUNT ? t->priority : 0]);
    out_key(o, "queue_name");
    out_text(o, t->queue);
    out_key(o, "description");
    out_text(o, t->description);
    out_key(o, "progress_percentage");
    out_integer(o, t->progress);
    people_write(x, t);
    times_write(o, t);
    out_key(o, "context_data");
    if (t->context_checked) {
        out_raw(o, t->context);
    } else if (t->context.len > 0) {
        object_of(o, t->context, "input");
    } else {
        out_object(o);
        out_object_end(o);
    }
    result_write(x, t);
    text_or_null(o, "error_message", t->error);
    out_key(o, "retry_count");
    out_integer(o, t->retry_count);
    out_key(o, "max_retries");
    out_integer(o, t->max_retries);
    metrics_write(x, t);
    source_write(x, t);
    job_write(o, t);
    out_key(o, "periodic_task");
    out_raw(o, t->periodic); /* empty: null */
    if (t->cron_job.len == 0) return;
    out_key(o, "cron_job");
    out_raw(o, t->cron_job);
}

bool megahub_id_read(struct exchange *x, uint64_t *ret_id) {
    struct slice text = exchange_param(x, "id");
    uint64_t number = 0;
    uint32_t i = 0;
    for (; i < text.len && i < 16 && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    bool good = text.len > 0 && i == text.len && number > 0 && number <= ID_NUMBER_MAX;
    if (!good && !spell_task_read(x, text, &number))
        return exchange_refuse(x, CODE_UNKNOWN_TASK, NULL);
    *ret_id = number;
    return true;
}
