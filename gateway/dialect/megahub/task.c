#include "gateway/dialect/megahub/kind.h"
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/people.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/span.h"
#include "gateway/dialect/spell.h"
#include "gateway/hook_call.h"

enum { KEY_MAX = 255 };

static void context_read(struct exchange *x, struct megahub_task *task) {
    if (member_object(x->json, "context_data", NULLABLE, &x->errors) == NULL) {
        task->context = slice_text("{}");
    } else {
        task->context = span_member(x, "context_data", "contextData");
    }
    task->context_checked = true;
}

static int64_t due_read(struct exchange *x) {
    int64_t due_ms = member_time(x->json, "scheduled_for", NULLABLE, &x->errors);
    if (due_ms != 0 && due_ms <= x->wall_ms)
        field_refuse(&x->errors, "scheduled_for", megahub_past_text(x));
    return due_ms;
}

/* Who hears of its end; NULL = nobody but the brand's subscribers. */
static const char *webhook_read(struct exchange *x) {
    struct slice url = member_text(x->json, "webhook_url", NULLABLE | BLANK_OK, HOOK_URL_MAX,
                                   &x->errors);
    if (url.len == 0) return NULL;
    const char *wrong = megahub_url_wrong(x, (const char *)url.data);
    if (wrong != NULL) field_refuse(&x->errors, "webhook_url", wrong);
    return (const char *)url.data;
}

/* A repeated key is known by queue, type, payload and extra: with a key, extra holds all else that
 * the client said and nothing that differs by the moment. */
static struct slice extra_make(struct exchange *x, const struct megahub_task *task, bool keyed) {
    struct out o = {0};
    out_object(&o);
    out_key(&o, "description");
    out_text(&o, task->description);
    if (keyed) {
        out_key(&o, "said");
        out_list(&o);
        out_integer(&o, task->priority);
        out_integer(&o, task->max_retries);
        out_integer(&o, task->timeout_ms);
        out_list_end(&o);
    } else {
        out_key(&o, "created_ms");
        out_integer(&o, task->created_ms);
    }
    if (task->due_ms > 0) {
        out_key(&o, "scheduled_ms");
        out_integer(&o, task->due_ms);
    }
    if (task->webhook != NULL) {
        out_key(&o, "webhook_url");
        out_string(&o, task->webhook);
    }
    out_object_end(&o);
    struct slice extra = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return extra;
}

/* What the task says itself, or else its type. */
static void course_read(struct exchange *x, struct megahub_task *task) {
    json_t *body = x->json;
    struct field_errors *e = &x->errors;
    const struct kind_defaults kind = kind_defaults(x, task->type);
    int priority = member_choice(body, "priority", 0, megahub_priorities, e);
    if (priority < 0) priority = kind.priority;
    task->priority = priority < 0 ? PRIORITY_NORMAL : (uint8_t)priority;
    task->queue = member_text(body, "queue_name", NULLABLE, TASK_NAME_MAX, e);
    if (task->queue.len == 0) task->queue = kind.queue;
    if (task->queue.len == 0) task->queue = megahub_queue(task->priority);
    const int64_t retries = kind.max_retries >= 0 ? kind.max_retries : TASK_RETRIES;
    task->max_retries =
        (uint16_t)member_integer(body, "max_retries", 0, retries, 0, TASK_RETRIES_MAX, e);
    task->timeout_ms = 60000 * (uint32_t)member_integer(body, "timeout_minutes", 0,
                                                        TASK_TIMEOUT_MINUTES, 1,
                                                        TASK_TIMEOUT_MINUTES_MAX, e);
    if (kind.timeout_ms > 0 && member_find(body, "timeout_minutes") == NULL)
        task->timeout_ms = (uint32_t)kind.timeout_ms;
}

/* The task as it will stand once the broker has taken it: POST answers with it, unread. */
static struct megahub_task *task_new(struct exchange *x) {
    struct megahub_task *task = exchange_alloc(x, sizeof *task);
    json_t *body = x->json;
    struct field_errors *e = &x->errors;
    task->type = member_text(body, "task_type", REQUIRED, TASK_NAME_MAX, e);
    course_read(x, task);
    task->description =
        member_text(body, "description", NULLABLE | BLANK_OK, TASK_DESCRIPTION_MAX, e);
    context_read(x, task);
    task->webhook = webhook_read(x);
    task->due_ms = due_read(x);
    task->owner = slice_text(x->who.name);
    task->brand = x->who.brand;
    task->created_ms = task->updated_ms = x->wall_ms;
    task->status = task->due_ms > 0 ? STATUS_SCHEDULED : STATUS_QUEUED;
    return task;
}

static bool submit_make(struct exchange *x, struct message *m) {
    struct megahub_task *task = task_new(x);
    const char *key = exchange_header(x, "Idempotency-Key");
    if (key != NULL && (*key == '\0' || strlen(key) > KEY_MAX))
        return exchange_refuse(x, CODE_VALIDATION_ERROR, "Idempotency-Key takes 1 to 255 bytes.");
    if (x->who.brand == 0) { /* an admin's "all" */
        x->cause = CAUSE_BRAND_MALFORMED;
        return exchange_refuse(x, CODE_VALIDATION_ERROR,
                               "X-Brand-ID must name one brand to create a task.");
    }
    if (!megahub_fields_good(x)) return false;
    x->state = task;
    struct submit *s = &m->submit;
    s->queue = task->queue;
    s->type = task->type;
    s->payload = task->context;
    struct options *options = &s->options;
    options->set = SET_PRIORITY | SET_RETRIES | SET_TIMEOUT | SET_KEEP | SET_EXTRA;
    options->dialect = MEGAHUB_NUMBER;
    options->taken_ms = x->wall_ms; /* as the answer says */
    options->priority = task->priority;
    options->retries = task->max_retries;
    options->timeout_ms = task->timeout_ms;
    options->keep_ms = setting_keep_ms(x);
    options->extra = extra_make(x, task, key != NULL);
    options->hook = task->webhook != NULL;
    if (task->due_ms > 0) {
        options->set |= SET_DUE;
        options->due_ms = task->due_ms;
    }
    if (key != NULL) options->key = slice_text(key);
    return true;
}

static void kind_loaded(struct exchange *x) {
    struct message m = {.verb = VERB_SUBMIT};
    if (submit_make(x, &m)) exchange_send(x, &m, task_create_write);
}

bool task_create_read(struct exchange *x, struct message *m) {
    const json_t *type = member_find(x->json, "task_type");
    const struct slice name = json_is_string(type)
                                  ? slice_of(json_string_value(type), json_string_length(type))
                                  : (struct slice){0};
    if (kind_known(x, name)) return submit_make(x, m);
    kind_load(x, name, kind_loaded);
    return false;
}

static void known_write(struct exchange *x) {
    const struct megahub_task *task = x->state;
    exchange_set(x, "Location", exchange_print(x, "/tasks/%llu/", (unsigned long long)task->id));
    out_object(&x->out);
    megahub_task_write(x, task);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static void created_write(struct exchange *x, struct megahub_task *task) {
    struct person *person = exchange_alloc(x, sizeof *person);
    *person = (struct person){task->owner, task->brand};
    task->owner = person->owner = exchange_copy(x, task->owner);
    x->state = task;
    people_load(x, person, 1, known_write);
}

/* A key that was used before gives the first answer again: the task as it was when created. */
static void repeated_write(struct exchange *x, const struct message *answer) {
    struct megahub_task *task = x->state;
    if (exchange_code(answer) == CODE_OK && answer->view.body.id != 0) {
        struct megahub_task stored;
        megahub_task_read(x, &answer->view, &stored);
        task->created_ms = task->updated_ms = stored.created_ms;
        task->owner = stored.owner;
    }
    created_write(x, task);
}

void task_create_write(struct exchange *x, const struct message *answer) {
    struct megahub_task *task = x->state;
    task->id = answer->submitted.id;
    if (exchange_header(x, "Idempotency-Key") == NULL) {
        created_write(x, task);
        return;
    }
    struct message m = {.verb = VERB_GET, .ref = {.id = task->id, .want = WANT_BODY}};
    exchange_try(x, &m, repeated_write);
}

bool task_detail_read(struct exchange *x, struct message *m) {
    m->ref.want = WANT_BODY | WANT_RESULT;
    return megahub_id_read(x, &m->ref.id);
}

static void detail_write(struct exchange *x, const struct message *answer) {
    struct megahub_task task;
    megahub_task_read(x, &answer->view, &task);
    out_object(&x->out);
    megahub_task_write(x, &task);
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

void task_detail_write(struct exchange *x, const struct message *answer) {
    people_answer(x, answer, detail_write);
}
