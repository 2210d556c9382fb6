#include "broker/core/hook.h"
#include "broker/core/lane.h"
#include "broker/core/queue.h"
#include "broker/core/submit.h"
#include "proto/hook.h"
#include "proto/object.h"

static bool begins(struct slice text, const char *with) {
    const size_t len = strlen(with);
    return text.len >= len && memcmp(text.data, with, len) == 0;
}

bool hook_internal(struct slice queue) { return begins(queue, "relais."); }

static struct lane *hook_lane(struct core *c, uint32_t brand) {
    return lane_get(c, brand, slice_text(HOOK_QUEUE), slice_text(HOOK_TYPE_EVENT),
                    (struct slice){0});
}

bool hook_ready(struct core *c, uint32_t brand) { return hook_lane(c, brand) != NULL; }

/* Which events somebody of the brand wants. */
static unsigned hook_bits(const struct core *c, uint32_t brand) {
    if (!c->hooked) return 0;
    const struct queue *q = queue_find(c, brand, slice_text(HOOK_QUEUE));
    return q ? q->set.hooks : 0;
}

static void hook_put(struct core *c, uint32_t brand, const struct feed_row *row) {
    struct lane *lane = hook_lane(c, brand);
    struct buffer payload = {0};
    if (!lane) return;
    feed_row_put(&payload, row);
    assert(!payload.failed);
    const struct submit m = {
        .payload = buffer_slice(&payload),
        .options = {.set = SET_PRIORITY | SET_RETRIES | SET_KEEP, .priority = PRIORITY_NORMAL,
                    .retries = HOOK_EVENT_RETRIES, .keep_ms = KEEP_FAILED}};
    submit_place(c, submit_task(c, lane, &m, (struct slice){0}, 0));
    buffer_free(&payload);
}

/* The event's data: the task as it stands. */
static void task_tell(struct core *c, struct task *t, const char *topic,
                      const struct task_result *result) {
    const struct lane *l = t->lane;
    struct message m = {.verb = VERB_VIEW};
    struct buffer data = {0};
    m.view = (struct view){.head = t->head, .queue = l->queue->set.name, .type = l->type,
                           .labels = l->labels};
    if (t->body) m.view.body = t->body->body;
    if (result) {
        m.view.worker = result->worker;
        m.view.result = *result;
        m.view.result.id = t->head.id;
    }
    row_put(&data, &m);
    assert(!data.failed);
    hook_put(c, t->head.brand, &(struct feed_row){.seq = t->head.id, .time_ms = c->wall,
                                                  .topic = slice_text(topic),
                                                  .data = buffer_slice(&data)});
    buffer_free(&data);
}

void hook_settled(struct core *c, struct task *t, const struct task_result *result) {
    const enum status end = (enum status)t->head.status;
    const unsigned bit = end == STATUS_COMPLETED ? HOOK_COMPLETED
                         : end == STATUS_FAILED ? HOOK_FAILED : HOOK_CANCELLED;
    const bool own = t->head.flags & TASK_HOOKED;
    if (!own && !(hook_bits(c, t->head.brand) & bit)) return;
    if (hook_internal(t->lane->queue->set.name)) return;
    task_tell(c, t, bit == HOOK_COMPLETED ? "task.completed"
                    : bit == HOOK_FAILED ? "task.failed" : "task.cancelled", result);
}

void hook_progress(struct core *c, struct task *t) {
    if (!(hook_bits(c, t->head.brand) & HOOK_PROGRESS)) return;
    if (!hook_internal(t->lane->queue->set.name)) task_tell(c, t, "task.progress", NULL);
}

void hook_fed(struct core *c, uint32_t brand, struct slice topic, struct slice key,
              struct slice data) {
    const bool alert = slice_equal(topic, slice_text("alert.triggered"));
    const bool session = begins(topic, "session");
    if (!alert && !(session && hook_bits(c, brand) & HOOK_SESSION)) return;
    hook_put(c, brand, &(struct feed_row){.time_ms = c->wall, .topic = topic, .key = key,
                                          .data = data});
}
