/* feed.h - records as a core would emit them, for tests of the store: tasks that are made, move
 * through their states and go, each record with the right `was`. */
#ifndef RELAIS_TESTS_UNIT_FEED_H
#define RELAIS_TESTS_UNIT_FEED_H
#include "store/codec.h"
#include "tests/unit/feed_object.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { FEED_TASKS = 1500, FEED_LANES = 12, FEED_NAMES = 40 };

struct feed_task {
    struct task_head head;
    struct was was;
    uint32_t checkpoints, logs;
    bool result;
};
struct feed {
    uint64_t random, next_id;
    int64_t now_ms;
    struct feed_task tasks[FEED_TASKS];
    uint32_t count;
    struct lane_record lanes[FEED_LANES + 1];
    char names[FEED_LANES + 1][8];
    bool lane_dirty[FEED_LANES + 1];
    uint32_t lane_count;
    uint8_t payload[512];
    struct feed_objects objects;
};

static inline uint64_t feed_random(struct feed *f) {
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return f->random;
}
static inline uint32_t feed_below(struct feed *f, uint32_t max) {
    return (uint32_t)(feed_random(f) % max);
}

static inline struct feed *feed_new(uint64_t seed) {
    struct feed *f = calloc(1, sizeof *f);
    assert(f);
    f->random = seed * 0x9e3779b97f4a7c15ull + 1;
    f->next_id = 1 << 20;
    f->now_ms = 1700000000000;
    for (size_t i = 0; i < sizeof f->payload; i++) f->payload[i] = (uint8_t)feed_random(f);
    return f;
}

static inline void feed_lane(struct feed *f, uint32_t lane) {
    if (f->lanes[lane].lane) return;
    struct lane_record *l = &f->lanes[lane];
    snprintf(f->names[lane], sizeof f->names[lane], "t%u", lane % 3);
    *l = (struct lane_record){.lane = lane, .brand = 1 + lane % 2, .queue = slice_text("q"),
                              .type = slice_text(f->names[lane])};
    f->lane_count++;
}

static inline void feed_count(struct feed *f, const struct task_head *t, int by) {
    feed_lane(f, t->lane);
    f->lanes[t->lane].count[t->status][t->priority] += (uint64_t)by;
    f->lane_dirty[t->lane] = true;
}

static inline struct was feed_was(const struct task_head *t) {
    return (struct was){t->status, t->priority, t->lane, t->order, t->due_ms};
}

static inline void feed_put_head(struct feed *f, struct buffer *b, struct feed_task *t) {
    struct record r = {.kind = RECORD_TASK, .was = t->was, .task = t->head};
    record_encode(b, &r);
    t->was = feed_was(&t->head);
    (void)f;
}

static inline void feed_create(struct feed *f, struct buffer *b) {
    if (f->count == FEED_TASKS) return;
    struct feed_task *t = &f->tasks[f->count++];
    *t = (struct feed_task){0};
    uint32_t lane = 1 + feed_below(f, FEED_LANES);
    feed_lane(f, lane);
    t->head = (struct task_head){.id = f->next_id, .order = f->next_id, .created_ms = f->now_ms,
        .updated_ms = f->now_ms, .brand = f->lanes[lane].brand, .lane = lane, .run = 1,
        .version = 1, .keep_ms = KEEP_FAILED, .max_retries = 3, .payload_len = 40,
        .priority = (uint8_t)feed_below(f, PRIORITY_COUNT),
        .status = feed_below(f, 5) ? STATUS_QUEUED : STATUS_SCHEDULED};
    f->next_id++;
    if (t->head.status == STATUS_SCHEDULED) t->head.due_ms = f->now_ms + feed_below(f, 50);
    struct record body = {.kind = RECORD_BODY, .body = {.id = t->head.id,
        .payload = slice_of(f->payload + feed_below(f, 100), 40), .owner = slice_text("me")}};
    feed_count(f, &t->head, 1);
    feed_put_head(f, b, t);
    record_encode(b, &body);
}

static inline void feed_gone(struct feed *f, struct buffer *b, uint32_t at) {
    struct feed_task *t = &f->tasks[at];
    struct record r = {.kind = RECORD_TASK_GONE, .was = t->was,
        .task = {.id = t->head.id, .brand = t->head.brand, .checkpoint = t->head.checkpoint}};
    record_encode(b, &r);
    feed_count(f, &t->head, -1);
    f->tasks[at] = f->tasks[--f->count];
}

static inline void feed_parts(struct feed *f, struct buffer *b, struct feed_task *t) {
    uint64_t id = t->head.id;
    struct record r = {.kind = RECORD_CHECKPOINT};
    switch (feed_below(f, 4)) {
    case 0:
        r.checkpoint = (struct checkpoint_record){.id = id, .epoch = t->head.epoch,
            .seq = ++t->checkpoints, .time_ms = f->now_ms, .data = slice_of(f->payload, 30),
            .brand = t->head.brand, .number = id * 1000 + t->checkpoints};
        t->head.checkpoint = t->checkpoints;
        record_encode(b, &r);
        if (t->checkpoints > 2) {
            struct record old = {.kind = RECORD_CHECKPOINT_GONE,
                                 .checkpoint = {.id = id, .seq = t->checkpoints - 2}};
            record_encode(b, &old);
        }
        return;
    case 1:
        r = (struct record){.kind = feed_below(f, 2) ? RECORD_LOG : RECORD_PART,
            .log = {.id = id, .line = ++t->logs, .time_ms = f->now_ms,
                    .text = slice_text("a line")}};
        record_encode(b, &r);
        return;
    case 2:
        r = (struct record){.kind = RECORD_ATTEMPT, .attempt = {.id = id, .epoch = f->next_id++,
            .run = t->head.run, .attempt = t->head.attempt, .reason = REASON_CRASHED}};
        record_encode(b, &r);
        return;
    default: t->head.progress = (uint8_t)feed_below(f, 100); return;
    }
}

static inline void feed_result(struct feed *f, struct buffer *b, struct feed_task *t, bool put) {
    struct record r = {.kind = put ? RECORD_RESULT : RECORD_RESULT_GONE,
        .result = {.id = t->head.id, .result = slice_of(f->payload, put ? 20 : 0)}};
    if (put || t->result) record_encode(b, &r);
    t->result = put;
}

/* A task goes on to a next state, or something under it changes. */
static inline void feed_move(struct feed *f, struct buffer *b, uint32_t at) {
    static const uint8_t after[STATUS_COUNT] = {0, STATUS_QUEUED, STATUS_DELIVERED, STATUS_RUNNING,
        STATUS_COMPLETED, STATUS_QUEUED, 0, STATUS_SCHEDULED, 0};
    struct feed_task *t = &f->tasks[at];
    uint8_t to = after[t->head.status];
    if (t->head.status == STATUS_RUNNING && feed_below(f, 3)) {
        feed_parts(f, b, t);
        to = STATUS_RUNNING;
        if (!feed_below(f, 5)) to = STATUS_PAUSED;
        if (!feed_below(f, 5)) to = STATUS_FAILED;
    }
    if (!to || (status_ended(t->head.status) && feed_below(f, 3))) { feed_gone(f, b, at); return; }
    feed_count(f, &t->head, -1);
    if (status_ended(to) && !status_ended(t->head.status)) feed_result(f, b, t, true);
    if (!status_ended(to) && status_ended(t->head.status)) feed_result(f, b, t, false);
    if (to == STATUS_DELIVERED) t->head.epoch = f->next_id++;
    if (to == STATUS_QUEUED && feed_below(f, 2)) t->head.order = f->next_id++;
    t->head.due_ms = to == STATUS_SCHEDULED ? f->now_ms + feed_below(f, 500) : 0;
    t->head.status = to;
    t->head.version++;
    t->head.updated_ms = ++f->now_ms;
    feed_count(f, &t->head, 1);
    feed_put_head(f, b, t);
}

static inline void feed_plain(struct feed *f, struct buffer *b) {
    char name[16];
    struct record r = {.kind = RECORD_NONE};
    snprintf(name, sizeof name, "n%u", feed_below(f, FEED_NAMES));
    bool gone = !feed_below(f, 3);
    uint32_t brand = 1 + feed_below(f, 2);
    switch (feed_below(f, 5)) {
    case 0:
        feed_object_change(&f->objects, feed_below(f, FEED_OBJECTS), feed_random(f), &f->next_id,
                           ++f->now_ms, b);
        return;
    case 1:
        r = (struct record){.kind = gone ? RECORD_DEDUP_GONE : RECORD_DEDUP, .dedup = {
            .brand = brand, .key = slice_text(name), .body_hash = 7, .task = f->next_id}};
        break;
    case 2:
        r = (struct record){.kind = gone ? RECORD_WORKER_GONE : RECORD_WORKER, .worker = {
            .worker = feed_below(f, 30), .boot = 9, .name = slice_text(name)}};
        break;
    case 3:
        r = (struct record){.kind = gone ? RECORD_FILE_GONE : RECORD_FILE, .file = {
            .file = feed_below(f, 60) + 1, .size = 9, .name = slice_text(name)}};
        break;
    default:
        r = (struct record){.kind = RECORD_QUEUE, .queue = {.brand = brand,
            .name = slice_text(name), .running_max = feed_below(f, 9), .weight = 1}};
        break;
    }
    record_encode(b, &r);
}

/* One group of about `changes` changes. */
static inline void feed_group(struct feed *f, struct buffer *b, uint32_t changes) {
    for (uint32_t i = 0; i < changes; i++) {
        uint32_t what = feed_below(f, 10);
        if (what < 4 || !f->count) feed_create(f, b);
        else if (what < 9) feed_move(f, b, feed_below(f, f->count));
        else feed_plain(f, b);
    }
    for (uint32_t lane = 1; lane <= FEED_LANES; lane++) {
        struct record r = {.kind = RECORD_LANE, .lane = f->lanes[lane]};
        if (f->lane_dirty[lane]) record_encode(b, &r);
        f->lane_dirty[lane] = false;
    }
    struct record meta = {.kind = RECORD_META,
                          .meta = {f->next_id + (1 << 20), 5, f->objects.count}};
    record_encode(b, &meta);
    assert(!b->failed);
}
#endif
