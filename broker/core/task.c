#include "broker/core/task.h"
#include "broker/core/bond.h"
#include "broker/core/due.h"
#include "broker/core/effect.h"
#include "broker/core/lane.h"
#include "broker/core/part.h"
#include "broker/core/park.h"
#include <stdlib.h>

uint64_t number_next(struct core *c) {
    if (c->next + NUMBER_BLOCK / 2 >= c->reserved) {
        c->reserved += NUMBER_BLOCK;
        c->meta_dirty = true;
    }
    assert(c->next < c->reserved);
    return c->next++;
}

static struct task *task_make(struct core *c, struct lane *lane, uint64_t id) {
    struct task *t = blocks_take_zero(&c->blocks, sizeof *t);
    assert(t != NULL && id != 0);
    list_init(&t->place);
    list_init(&t->dirty);
    list_init(&t->touch);
    t->due.kind = (uint32_t)id; /* of what is due at once the older goes first */
    t->lane = lane;
    t->head.id = id;
    t->watched = c->watches.count > 0;
    map_put(&c->tasks, &t->by_id, hash_serial(id));
    return t;
}

struct task *task_new(struct core *c, struct lane *lane) {
    struct task *t = task_make(c, lane, number_next(c));
    t->head.order = t->head.id;
    t->head.lane = lane->number;
    t->head.brand = lane->queue->set.brand;
    t->head.run = 1;
    t->head.created_ms = c->wall;
    t->watched = false;
    return t;
}

struct task *task_adopt(struct core *c, const struct task_head *head) {
    assert(head->lane > 0 && head->lane <= c->lane_count && c->lanes[head->lane] != NULL);
    struct task *t = task_make(c, c->lanes[head->lane], head->id);
    t->head = *head;
    t->was = (struct was){.status = head->status, .priority = head->priority, .lane = head->lane,
                          .order = head->order, .due_ms = head->due_ms};
    t->regrant = head->epoch != 0;
    t->where = head->status == STATUS_QUEUED ? WHERE_DISK
               : head->status == STATUS_SCHEDULED ? WHERE_FAR : WHERE_NONE;
    return t;
}

void task_drop_body(struct core *c, struct task *t) {
    if (!t->body) return;
    c->body_bytes -= t->body->size;
    if (task_accepted(t)) c->accepted_bytes -= t->body->size;
    blocks_give(&c->blocks, t->body, t->body->size);
    t->body = NULL;
}

void task_drop_carry(struct task *t) {
    free(t->carry);
    t->carry = NULL;
    t->fetched = false;
}

static void task_drop_input(struct core *c, struct task *t) {
    task_drop_body(c, t);
    task_drop_carry(t);
}

void task_free(struct core *c, struct task *t) {
    assert(!t->lease && !t->due.place);
    list_unlink(&t->place);
    list_unlink(&t->dirty);
    list_unlink(&t->touch);
    map_remove(&c->tasks, &t->by_id);
    task_drop_input(c, t);
    part_free(c, t);
    free(t->result);
    blocks_give(&c->blocks, t, sizeof *t);
}

static void count_move(struct core *c, struct task *t, enum status from, enum status to) {
    if (from) c->stats.tasks[from]--;
    if (to) c->stats.tasks[to]++;
    if (task_accepted(t)) return; /* the lane counts what survives */
    if (from) lane_count(c, t->lane, from, t->head.priority, -1);
    if (to && !(core_bug(c, BUG_MISCOUNT) && to == STATUS_CANCELLED))
        lane_count(c, t->lane, to, t->head.priority, 1);
}

/* Takes the task from the place where it waits. */
static void task_leave(struct core *c, struct task *t) {
    if (t->where == WHERE_WINDOW || t->where == WHERE_DISK || t->where == WHERE_FETCH)
        lane_take(c, t);
    else if (t->where == WHERE_DUE) due_take(c, t);
    t->where = WHERE_NONE;
}

void task_born(struct core *c, struct task *t, enum status status) {
    t->head.status = (uint8_t)status;
    count_move(c, t, STATUS_NONE, status);
    task_change(c, t, CHANGE_HEAD | CHANGE_BODY);
}

enum code task_move(struct core *c, struct task *t, enum move move) {
    enum code code;
    enum status to = life_next((enum status)t->head.status, move, &code);
    if (to == STATUS_NONE) return code;
    task_leave(c, t);
    count_move(c, t, (enum status)t->head.status, to);
    t->head.status = (uint8_t)to;
    task_change(c, t, CHANGE_HEAD);
    return CODE_OK;
}

void task_place(struct core *c, struct task *t) {
    assert(t->where == WHERE_NONE);
    list_unlink(&t->place);
    if (t->head.status == STATUS_QUEUED) lane_put(c, t);
    else if (t->head.status == STATUS_SCHEDULED) due_put(c, t);
}

void task_prioritise(struct core *c, struct task *t, uint8_t priority) {
    assert(priority < PRIORITY_COUNT);
    if (t->head.priority == priority) return;
    enum status status = (enum status)t->head.status;
    bool waits = status == STATUS_QUEUED || status == STATUS_SCHEDULED;
    if (waits) task_leave(c, t);
    count_move(c, t, status, STATUS_NONE);
    t->head.priority = priority;
    count_move(c, t, STATUS_NONE, status);
    if (status == STATUS_QUEUED) t->head.order = number_next(c);
    if (waits) task_place(c, t);
    task_change(c, t, CHANGE_HEAD);
}

void task_touch(struct core *c, struct task *t) {
    t->head.version++;
    if (!t->watched || t->touched) return;
    t->touched = true;
    list_push(&c->touched, &t->touch);
}

void task_change(struct core *c, struct task *t, unsigned change) {
    if (t->head.updated_ms < c->wall) t->head.updated_ms = c->wall;
    task_touch(c, t);
    t->change |= (uint8_t)change;
    if (list_empty(&t->dirty)) list_push(&c->dirty, &t->dirty);
}

static void file_gone(struct core *c, uint64_t file) {
    if (file) note(c, RECORD_FILE_GONE)->file.file = file;
}

void task_remove(struct core *c, struct task *t) {
    assert(!t->lease);
    task_leave(c, t);
    count_move(c, t, (enum status)t->head.status, STATUS_NONE);
    if (t->head.source_file) file_gone(c, t->head.source_file);
    if (t->head.result_file) file_gone(c, t->head.result_file);
    bond_end(c, t);
    task_change(c, t, CHANGE_GONE);
}

void task_rest(struct core *c, struct task *t) {
    bool idle = t->where == WHERE_NONE || t->where == WHERE_DISK || t->where == WHERE_FAR;
    if (!idle || t->change || t->lease) return;
    list_unlink(&t->place);
    list_push(&c->released, &t->place);
}

void task_recycle(struct core *c) {
    for (struct node *n; (n = list_first(&c->released));) {
        struct task *t = owner_of(n, struct task, place);
        list_unlink(n);
        if (t->change || t->lease) continue; /* needed again since; its close lets it rest */
        if (list_empty(&c->wanted)) {
            task_free(c, t);
        } else {
            t->free_after = c->ticket;
            if (!t->amended) task_drop_body(c, t); /* a load under way may show the one before */
            list_push(&c->limbo, n);
        }
    }
    for (struct node *n; (n = list_first(&c->limbo));) {
        struct task *t = owner_of(n, struct task, place);
        if (park_older(c, t->free_after)) break;
        list_unlink(n);
        if (!t->change && !t->lease) task_free(c, t);
    }
}

static void task_record(struct core *c, struct task *t) {
    if (t->change & CHANGE_BODY && t->body) record_put(c, RECORD_BODY)->body = t->body->body;
    if (t->change & CHANGE_RESULT_GONE) record_put(c, RECORD_RESULT_GONE)->result.id = t->head.id;
    if (t->change & CHANGE_RESULT && t->result)
        record_put(c, RECORD_RESULT)->result = t->result->result;
    struct record *r = record_put(c, RECORD_TASK);
    r->task = t->head;
    r->task.flags &= (uint8_t)~TASK_WATCHED;
    r->was = t->was;
    t->was = (struct was){.status = t->head.status, .priority = t->head.priority,
                          .lane = t->head.lane, .order = t->head.order, .due_ms = t->head.due_ms};
}

/* Tasks are closed long after they changed: the next comes from memory while one is recorded. */
static void task_call(const struct node *dirty) {
    const char *t = (const char *)owner_of(dirty, const struct task, dirty);
    for (size_t at = 64; at < sizeof(struct task); at += 64) __builtin_prefetch(t + at, 1);
}

void task_close(struct core *c) {
    for (struct node *n; (n = list_first(&c->dirty));) {
        struct task *t = owner_of(n, struct task, dirty);
        task_call(n->next);
        list_unlink(n);
        if (t->change & CHANGE_GONE) {
            if (t->was.status || t->change & CHANGE_NOTES) {
                struct record *r = record_put(c, RECORD_TASK_GONE);
                r->task = t->head;
                r->was = t->was;
            }
            t->where = WHERE_NONE;
            t->gone = true;
        } else if (!task_accepted(t) && t->change & ~CHANGE_NOTES) {
            task_record(c, t);
        }
        if (t->where == WHERE_LEASED && t->lease->started && !(t->change & CHANGE_BODY) &&
            !task_accepted(t) && !t->amended)
            task_drop_input(c, t); /* read again should it come back */
        t->change = 0;
        due_written(c, t);
        task_rest(c, t);
    }
}

static size_t slices_size(struct slice *const *slices, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) bytes += slices[i]->len;
    return bytes;
}

/* Copies the slices' bytes to `at`, one behind the other, and points them there. */
static void slices_move(uint8_t *at, struct slice *const *slices, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (slices[i]->len) memcpy(at, slices[i]->data, slices[i]->len);
        slices[i]->data = at;
        at += slices[i]->len;
    }
}

void task_set_body(struct core *c, struct task *t, const struct task_body *body) {
    task_drop_body(c, t);
    struct task_body copy = *body;
    copy.id = t->head.id;
    struct slice *parts[] = {&copy.payload, &copy.extra, &copy.owner, &copy.key,
                             &copy.source_name, &copy.source_mime};
    size_t size = sizeof(struct body) + slices_size(parts, 6);
    struct body *b = blocks_take(&c->blocks, size);
    assert(b != NULL);
    slices_move(b->bytes, parts, 6);
    b->size = size;
    b->body = copy;
    t->body = b;
    c->body_bytes += size;
    if (task_accepted(t)) c->accepted_bytes += size;
}

void task_set_result(struct task *t, const struct task_result *result) {
    struct task_result copy = *result;
    copy.id = t->head.id;
    copy.numbers = (struct slice){0};
    struct slice *parts[] = {&copy.result, &copy.message, &copy.metrics, &copy.worker};
    size_t size = sizeof(struct result) + slices_size(parts, 4);
    struct result *r = malloc(size);
    assert(r != NULL);
    slices_move(r->bytes, parts, 4);
    r->size = size;
    r->result = copy;
    free(t->result);
    t->result = r;
}

void task_set_carry(struct task *t, const struct checkpoint_record *checkpoint) {
    struct checkpoint_record copy = *checkpoint;
    struct slice *parts[] = {&copy.name, &copy.data};
    struct carry *carry = malloc(sizeof *carry + slices_size(parts, 2));
    assert(carry != NULL);
    slices_move(carry->bytes, parts, 2);
    carry->checkpoint = copy;
    free(t->carry);
    t->carry = carry;
}
