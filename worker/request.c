/* request.c - the client's functions: each one message, one answer. */
#include "proto/host/clock.h"
#include "proto/object.h"
#include "worker/client.h"
#include "worker/view.h"
#include <stdlib.h>

enum { SUBMIT_BATCH_MAX = 4096, WAIT_ROUND_MS = 30000 };

/* ---- from relais.h to the wire ---- */

static struct slice text_of(const char *text) {
    return text ? slice_text(text) : (struct slice){0};
}

static int64_t keep_of(int64_t keep_ms) {
    return keep_ms == RELAIS_KEEP_NONE ? KEEP_NONE : keep_ms;
}

static void set(struct options *o, enum option_bit bit, bool given) {
    if (given) o->set |= bit;
}

static void options_of(struct options *o, const struct relais_submit *t) {
    *o = (struct options){
        .priority = (uint8_t)(t->priority - 1), .accepted = t->accepted, .watch = t->watch,
        .retries = t->retries > 0 ? (uint16_t)t->retries : 0, .timeout_ms = t->timeout_ms,
        .progress_ms = t->progress_timeout_ms, .backoff_ms = t->backoff_ms,
        .due_ms = t->at_ms ? t->at_ms : t->delay_ms, .delay = !t->at_ms,
        .keep_ms = keep_of(t->keep_ms), .key = text_of(t->key), .labels = text_of(t->labels),
        .extra = slice_of(t->extra, t->extra_len)};
    set(o, SET_PRIORITY, t->priority != 0);
    set(o, SET_RETRIES, t->retries != 0);
    set(o, SET_TIMEOUT, t->timeout_ms != 0);
    set(o, SET_PROGRESS, t->progress_timeout_ms != 0);
    set(o, SET_BACKOFF, t->backoff_ms != 0);
    set(o, SET_DUE, t->at_ms != 0 || t->delay_ms != 0);
    set(o, SET_KEEP, t->keep_ms != 0);
    set(o, SET_EXTRA, t->extra_len != 0);
    if (!t->source) return;
    o->source_file = t->source->id;
    o->source_size = t->source->size;
    o->source_name = text_of(t->source->name);
    o->source_mime = text_of(t->source->mime);
    o->source_hash = slice_of(t->source->sha256, sizeof t->source->sha256);
}

static int submit_check(const struct relais_submit *t) {
    if (t->payload_len > UINT32_MAX / 2 || t->extra_len > UINT32_MAX / 2)
        return RELAIS_PAYLOAD_TOO_LARGE;
    bool bad = t->priority < 0 || t->priority > RELAIS_PRIORITY_CRITICAL ||
               t->retries > UINT16_MAX || t->at_ms < 0 || t->delay_ms < 0 ||
               (t->at_ms && t->delay_ms) ||
               (t->payload_len && !t->payload) || (t->key && strlen(t->key) > 255);
    return bad ? RELAIS_ARGUMENT : RELAIS_OK;
}

static int submit_of(struct message *m, const struct relais_submit *t) {
    int code = submit_check(t);
    if (code) return code;
    m->verb = VERB_SUBMIT;
    m->submit.queue = slice_text(t->queue && *t->queue ? t->queue : "default");
    m->submit.type = text_of(t->type);
    m->submit.payload = slice_of(t->payload, t->payload_len);
    options_of(&m->submit.options, t);
    return RELAIS_OK;
}

/* ---- submitting ---- */

static int take_id(void *ret, const struct message *answer) {
    if (answer->verb != VERB_SUBMITTED) return RELAIS_BAD_FRAME;
    *(uint64_t *)ret = answer->submitted.id;
    return RELAIS_OK;
}

int relais_submit(struct relais_client *c, const struct relais_submit *task, uint64_t *ret_id) {
    struct message m;
    uint64_t id = 0;
    int code = submit_of(&m, task);
    if (!code) code = client_call(c, &m, 0, task->key != NULL, take_id, &id);
    if (!code && ret_id) *ret_id = id;
    return code;
}

int relais_submit_async(struct relais_client *c, const struct relais_submit *task,
                        relais_submitted_fn *done, void *context) {
    struct message m;
    int code = submit_of(&m, task);
    if (!code) code = client_submit_async(c, &m, done, context);
    return code;
}

static int submit_some(struct relais_client *c, const struct relais_submit *tasks, uint32_t count,
                       struct relais_submitted *ret) {
    struct message *ms = calloc(count, sizeof *ms);
    uint64_t *ids = calloc(count, sizeof *ids);
    int *codes = calloc(count, sizeof *codes);
    int code = ms && ids && codes ? RELAIS_OK : RELAIS_MEMORY;
    for (uint32_t i = 0; !code && i < count; i++) code = submit_of(&ms[i], &tasks[i]);
    bool asked = !code;
    if (asked) code = client_call_many(c, ms, count, take_id, ids, sizeof *ids, codes);
    for (uint32_t i = 0; i < count; i++)
        ret[i] = (struct relais_submitted){asked ? ids[i] : 0, asked ? codes[i] : code};
    free(ms);
    free(ids);
    free(codes);
    return code;
}

int relais_submit_batch(struct relais_client *c, const struct relais_submit *tasks, size_t count,
                        struct relais_submitted *ret) {
    int first = RELAIS_OK;
    for (size_t done = 0; done < count;) {
        uint32_t some = count - done < SUBMIT_BATCH_MAX ? (uint32_t)(count - done)
                                                        : SUBMIT_BATCH_MAX;
        int code = submit_some(c, tasks + done, some, ret + done);
        if (!first) first = code;
        done += some;
    }
    return first;
}

/* ---- reading and changing tasks ---- */

static int take_view(void *ret, const struct message *answer) {
    struct relais_view **view = ret;
    if (answer->verb != VERB_VIEW) return RELAIS_BAD_FRAME;
    if (!view) return RELAIS_OK;
    *view = view_make(&answer->view);
    return *view ? RELAIS_OK : RELAIS_MEMORY;
}

static struct message ref_message(enum verb verb, uint64_t id) {
    struct message m = {.verb = verb};
    m.ref.id = id;
    return m;
}

int relais_get(struct relais_client *c, uint64_t id, unsigned want, struct relais_view **ret_view) {
    struct message m = ref_message(VERB_GET, id);
    m.ref.want = want;
    return client_call(c, &m, 0, true, take_view, ret_view);
}

int relais_watch(struct relais_client *c, uint64_t id, unsigned want, uint32_t version,
                 uint32_t wait_ms, struct relais_view **ret_view) {
    struct message m = ref_message(VERB_WATCH, id);
    m.ref.want = want;
    m.ref.version = version;
    m.ref.wait_ms = wait_ms;
    return client_call(c, &m, wait_ms, true, take_view, ret_view);
}

int relais_parts(struct relais_client *c, uint64_t id, uint32_t after, uint32_t version,
                 uint32_t wait_ms, struct relais_view **ret_view) {
    struct message m = ref_message(VERB_WATCH, id);
    m.ref.want = RELAIS_WANT_PARTS;
    m.ref.after = after;
    m.ref.version = version;
    m.ref.wait_ms = wait_ms;
    return client_call(c, &m, wait_ms, true, take_view, ret_view);
}

int relais_wait(struct relais_client *c, uint64_t id, unsigned want, uint32_t timeout_ms,
                struct relais_view **ret_view) {
    int64_t deadline = deadline_of(timeout_ms);
    uint32_t version = 0, wait_ms = 0;
    for (;;) {
        struct relais_view *view = NULL;
        int code = relais_watch(c, id, want, version, wait_ms, &view);
        if (code) return code;
        if (view->status >= RELAIS_COMPLETED) {
            *ret_view = view;
            return RELAIS_OK;
        }
        version = view->version;
        relais_view_free(&view);
        int64_t left = deadline == INT64_MAX ? WAIT_ROUND_MS : deadline - clock_mono_ms();
        if (left <= 0) return RELAIS_TIMEOUT;
        wait_ms = left < WAIT_ROUND_MS ? (uint32_t)left : WAIT_ROUND_MS;
    }
}

int relais_cancel(struct relais_client *c, uint64_t id, const char *reason,
                  struct relais_view **ret_view) {
    struct message m = ref_message(VERB_CANCEL, id);
    m.ref.text = text_of(reason);
    return client_call(c, &m, 0, true, take_view, ret_view);
}

static int change(struct relais_client *c, struct message *m, const struct relais_submit *changes,
                  bool reset_progress, bool repeatable, struct relais_view **ret_view) {
    int code = changes ? submit_check(changes) : RELAIS_OK;
    if (!code && changes) options_of(&m->ref.options, changes);
    if (changes && changes->payload) {
        m->ref.options.payload = slice_of(changes->payload, changes->payload_len);
        m->ref.options.set |= SET_PAYLOAD;
    }
    m->ref.options.reset_progress = reset_progress;
    if (!code) code = client_call(c, m, 0, repeatable, take_view, ret_view);
    return code;
}

int relais_retry(struct relais_client *c, uint64_t id, const struct relais_submit *changes,
                 bool reset_progress, struct relais_view **ret_view) {
    struct message m = ref_message(VERB_RETRY, id);
    return change(c, &m, changes, reset_progress, false, ret_view);
}

int relais_update(struct relais_client *c, uint64_t id, const struct relais_submit *changes,
                  struct relais_view **ret_view) {
    struct message m = ref_message(VERB_UPDATE, id);
    return change(c, &m, changes, false, true, ret_view);
}

int relais_remove(struct relais_client *c, uint64_t id, struct relais_view **ret_view) {
    struct message m = ref_message(VERB_REMOVE, id);
    return client_call(c, &m, 0, false, take_view, ret_view);
}

/* ---- answers that are bytes ---- */

void relais_bytes_free(struct relais_bytes *bytes) {
    free(bytes->data);
    *bytes = (struct relais_bytes){0};
}

static int take_body(void *ret, const struct message *answer) {
    struct relais_bytes *bytes = ret;
    if (answer->verb != VERB_ANSWER) return RELAIS_BAD_FRAME;
    if (!bytes) return RELAIS_OK;
    struct slice body = answer->answer.body;
    bytes->data = malloc(body.len + 1);
    if (!bytes->data) return RELAIS_MEMORY;
    if (body.len) memcpy(bytes->data, body.data, body.len);
    ((uint8_t *)bytes->data)[body.len] = 0; /* bodies that are text can be printed */
    bytes->len = body.len;
    return RELAIS_OK;
}

int relais_explain(struct relais_client *c, uint64_t id, struct relais_bytes *ret_body) {
    struct message m = ref_message(VERB_EXPLAIN, id);
    return client_call(c, &m, 0, true, take_body, ret_body);
}

int relais_stats(struct relais_client *c, struct relais_bytes *ret_body) {
    struct message m = {.verb = VERB_STATS};
    return client_call(c, &m, 0, true, take_body, ret_body);
}

int relais_queue_set(struct relais_client *c, const struct relais_queue *queue,
                     struct relais_bytes *ret_body) {
    struct message m = {.verb = VERB_QUEUE};
    m.queue = (struct queue_set){
        .queue = text_of(queue->queue), .brand = queue->brand, .running_max = queue->running_max,
        .rate_per_min = queue->rate_per_min, .weight = queue->weight, .paused = queue->paused,
        .keep_ms = keep_of(queue->keep_ms)};
    m.queue.set = (uint8_t)((queue->set_paused ? SET_QUEUE_PAUSED : 0) |
                            (queue->set_running_max ? SET_QUEUE_RUNNING : 0) |
                            (queue->set_rate ? SET_QUEUE_RATE : 0) |
                            (queue->set_weight ? SET_QUEUE_WEIGHT : 0) |
                            (queue->set_keep ? SET_QUEUE_KEEP : 0) |
                            (queue->brand != 0 ? SET_QUEUE_BRAND : 0));
    return client_call(c, &m, 0, true, take_body, ret_body);
}

/* The body of the object whose row came. */
static int take_object(void *ret, const struct message *answer) {
    struct message inner = *answer;
    struct object_row row;
    if (answer->verb != VERB_ANSWER || !object_row_read(answer->answer.body, &row))
        return RELAIS_BAD_FRAME;
    inner.answer.body = row.body;
    return take_body(ret, &inner);
}

static struct message object_message(enum verb verb, const char *kind, const char *name,
                                     uint32_t brand) {
    struct message m = {.verb = verb};
    m.object = (struct object_ref){.kind = text_of(kind), .name = text_of(name), .brand = brand};
    return m;
}

int relais_object_put(struct relais_client *c, const char *kind, const char *name,
                      const void *body, size_t len, int mode, uint32_t brand) {
    struct message m = object_message(VERB_PUT, kind, name, brand);
    if (mode < 0 || mode > PUT_EITHER) return RELAIS_ARGUMENT;
    if (len > UINT32_MAX / 2) return RELAIS_PAYLOAD_TOO_LARGE;
    m.object.body = slice_of(body, len);
    m.object.mode = (uint8_t)mode;
    return client_call(c, &m, 0, mode != PUT_CREATE, take_body, NULL);
}

int relais_object_fetch(struct relais_client *c, const char *kind, const char *name,
                        uint32_t brand, struct relais_bytes *ret_body) {
    struct message m = object_message(VERB_FETCH, kind, name, brand);
    return client_call(c, &m, 0, true, take_object, ret_body);
}

int relais_object_drop(struct relais_client *c, const char *kind, const char *name,
                       uint32_t brand) {
    struct message m = object_message(VERB_DROP, kind, name, brand);
    return client_call(c, &m, 0, false, take_body, NULL);
}

/* ---- lists ---- */

static int take_rows(void *ret, const struct message *answer) {
    const struct rows *r = &answer->rows;
    if (answer->verb != VERB_ROWS) return RELAIS_BAD_FRAME;
    struct relais_rows *rows = malloc(sizeof *rows + r->rows.len + r->next.len);
    if (!rows) return RELAIS_MEMORY;
    uint8_t *at = (uint8_t *)(rows + 1);
    if (r->rows.len) memcpy(at, r->rows.data, r->rows.len);
    if (r->next.len) memcpy(at + r->rows.len, r->next.data, r->next.len);
    *rows = (struct relais_rows){
        .rows = at, .rows_len = r->rows.len, .count = r->row_count, .next = at + r->rows.len,
        .next_len = r->next.len, .incomplete = r->incomplete, .total_exact = r->total_exact,
        .total = r->total};
    *(struct relais_rows **)ret = rows;
    return RELAIS_OK;
}

int relais_list(struct relais_client *c, const struct relais_question *q,
                struct relais_rows **ret_rows) {
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){
        .kind = text_of(q->kind), .queue = text_of(q->queue), .type = text_of(q->type),
        .owner = text_of(q->owner), .object = text_of(q->object), .search = text_of(q->search),
        .worker = text_of(q->worker), .cursor = slice_of(q->cursor, q->cursor_len),
        .brand = q->brand, .status_mask = q->status_mask, .limit = q->limit, .offset = q->offset,
        .priority = (int8_t)(q->priority - 1), .dialect = -1, .from_ms = q->from_ms,
        .to_ms = q->to_ms, .id = q->id, .descending = q->descending, .count = q->count};
    return client_call(c, &m, 0, true, take_rows, ret_rows);
}

void relais_rows_free(struct relais_rows **self) {
    free(*self);
    *self = NULL;
}

bool relais_rows_view(const struct relais_rows *rows, size_t *at, struct relais_view **ret_view) {
    struct frame f = {0};
    struct message m;
    uint32_t place = (uint32_t)*at;
    if (!row_next(&f, slice_of(rows->rows, rows->rows_len), &place, &m)) {
        frame_free(&f);
        return false;
    }
    *ret_view = view_make(&m.view);
    *at = place;
    frame_free(&f);
    return *ret_view != NULL;
}
