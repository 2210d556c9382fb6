/* Records survive the codec as they went in, and bytes that are no record are refused. */
#include "proto/message.h"
#include "store/codec.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static uint64_t state = 88172645463325252ull;
static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
/* Mostly small, sometimes zero, sometimes every bit. */
static uint64_t number(void) {
    return next() % 3 ? next() % 200 : next() % 2 ? 0 : next() >> next() % 64;
}

static uint8_t pool[4096];
static struct slice bytes(uint32_t max) {
    uint32_t len = (uint32_t)(next() % (max + 1));
    return slice_of(pool + next() % (sizeof pool - max), len);
}

static void any_task(struct task_head *t) {
    *t = (struct task_head){
        .id = number() & ((1ull << 53) - 1), .epoch = number(), .due_ms = (int64_t)number(),
        .created_ms = (int64_t)(next() % (1ull << 42)), .updated_ms = (int64_t)number(),
        .started_ms = (int64_t)number(), .finished_ms = (int64_t)number(),
        .keep_ms = next() % 2 ? KEEP_FAILED : (int64_t)number(), .brand = (uint32_t)number(),
        .lane = (uint32_t)number(), .worker = (uint32_t)number(), .timeout_ms = (uint32_t)number(),
        .version = (uint32_t)number(), .checkpoint = (uint32_t)number(),
        .resume = (uint32_t)number(), .payload_len = (uint32_t)number(),
        .result_len = (uint32_t)number(), .backoff_ms = (uint32_t)number(),
        .run = (uint16_t)number(), .attempt = (uint16_t)number(),
        .retry_count = (uint16_t)number(), .max_retries = (uint16_t)number(),
        .failures = (uint16_t)number(), .log_lines = (uint16_t)number(),
        .losses = (uint8_t)number(), .lease_ms = (uint32_t)number(),
        .source_file = number(), .result_file = number(),
        .status = (uint8_t)(next() % STATUS_COUNT),
        .priority = (uint8_t)(next() % PRIORITY_COUNT), .reason = (uint8_t)(next() % REASON_COUNT),
        .progress = (uint8_t)number(), .crashes = (uint8_t)number(), .flags = (uint8_t)number(),
        .dialect = (uint8_t)number()};
    t->order = next() % 2 ? t->id : number();
}

static void any_was(struct was *w, uint64_t id) {
    w->status = (uint8_t)(next() % STATUS_COUNT);
    w->priority = (uint8_t)(next() % PRIORITY_COUNT);
    if (!w->status) { w->priority = 0; return; }
    w->lane = (uint32_t)number();
    w->order = next() % 2 ? id : number();
    w->due_ms = (int64_t)number();
}

static void any_lane(struct lane_record *l) {
    l->lane = (uint32_t)number();
    l->brand = (uint32_t)number();
    l->queue = bytes(60);
    l->type = bytes(60);
    l->labels = bytes(200);
    for (int i = 0; i < PRIORITY_COUNT; i++) l->cursor[i] = number();
    for (int i = 0; i < STATUS_COUNT * PRIORITY_COUNT; i++) (&l->count[0][0])[i] = number();
}

static void any_task_part(struct record *r) {
    uint64_t id = number();
    switch ((int)r->kind) {
    case RECORD_BODY:
        r->body = (struct task_body){.id = id, .source_file = number(), .payload = bytes(1000),
                                     .extra = bytes(100), .owner = bytes(60), .key = bytes(255),
                                     .progress_ms = (uint32_t)number()};
        if (!r->body.source_file) return;
        r->body.source_size = number();
        r->body.source_name = bytes(60);
        r->body.source_mime = bytes(60);
        return;
    case RECORD_RESULT:
        r->result = (struct task_result){.id = id, .result_file = number(), .result = bytes(1000),
                                         .message = bytes(100), .metrics = bytes(90),
                                         .worker = bytes(60)};
        return;
    case RECORD_RESULT_GONE: r->result.id = id; return;
    case RECORD_ATTEMPT:
        r->attempt = (struct attempt_record){.id = id, .epoch = number(),
            .started_ms = (int64_t)number(), .ended_ms = (int64_t)number(),
            .run = (uint16_t)number(), .attempt = (uint16_t)number(),
            .reason = (uint8_t)(next() % REASON_COUNT), .worker = bytes(60), .message = bytes(99)};
        return;
    case RECORD_LOG: case RECORD_PART:
        r->log = (struct log_record){.id = id, .line = (uint32_t)number(),
            .level = (uint8_t)number(), .time_ms = (int64_t)number(), .text = bytes(999)};
        return;
    case RECORD_CHECKPOINT:
        r->checkpoint = (struct checkpoint_record){.id = id, .epoch = number(),
            .seq = (uint32_t)number(), .time_ms = (int64_t)number(), .name = bytes(99),
            .number = number(), .brand = (uint32_t)number(), .size = (uint32_t)number(),
            .sum = number(), .flags = (uint8_t)number(), .data = bytes(2000)};
        return;
    default: r->checkpoint.id = id; r->checkpoint.seq = (uint32_t)number(); return;
    }
}

static void any_object(struct object_record *o, bool gone) {
    static uint8_t texts[600];
    struct buffer keys = {0};
    for (uint64_t n = next() % 5; n--;) text_put(&keys, slice_of(pool, 1 + next() % 100));
    memcpy(texts, keys.len ? keys.data : pool, keys.len);
    *o = (struct object_record){.kind = (uint8_t)number(), .brand = (uint32_t)number(),
        .id = number(), .name = bytes(255), .keys = slice_of(texts, keys.len),
        .owner = bytes(99), .until_ms = (int64_t)(number() >> 1)};
    buffer_free(&keys);
    if (gone) return;
    o->version = (uint32_t)number();
    o->created_ms = (int64_t)number();
    o->updated_ms = (int64_t)number();
    o->body = bytes(1000);
    o->file = number();
    if (!o->file) return;
    o->file_size = number();
    o->file_name = bytes(60);
    o->file_mime = bytes(60);
    if (next() % 2) o->file_hash = slice_of(pool, 32);
}

static void any_fleet(struct record *r) {
    switch ((int)r->kind) {
    case RECORD_STATION:
        r->station = (struct station_record){.id = number(), .brand = (uint32_t)number(),
            .name = bytes(50), .endpoint = bytes(255), .description = bytes(255),
            .version = bytes(50), .sessions_max = (uint32_t)number(),
            .created_ms = (int64_t)number(), .updated_ms = (int64_t)number(),
            .heard_ms = (int64_t)number(), .flags = (uint8_t)number(),
            .status = (uint8_t)(next() % STATION_STATUS_COUNT),
            .environment = (uint8_t)(next() % ENVIRONMENT_COUNT)};
        return;
    case RECORD_SESSION:
        r->session = (struct session_record){.id = number(), .brand = (uint32_t)number(),
            .version = (uint32_t)number(), .name = bytes(100), .owner = bytes(60),
            .title = bytes(255), .station = bytes(50), .phone = bytes(30), .display = bytes(255),
            .reason = bytes(255), .created_ms = (int64_t)number(),
            .updated_ms = (int64_t)number(), .seen_ms = (int64_t)number(),
            .reported_ms = (int64_t)number(), .flags = (uint8_t)number(),
            .status = (uint8_t)(next() % SESSION_STATUS_COUNT),
            .before = (uint8_t)(next() % SESSION_STATUS_COUNT)};
        return;
    case RECORD_COMMAND:
        r->command = (struct command_record){.id = number(), .order = number(),
            .brand = (uint32_t)number(), .type = (uint8_t)(next() % COMMAND_TYPE_COUNT),
            .station = bytes(50), .session = bytes(100), .payload = bytes(1000),
            .key = bytes(100), .created_ms = (int64_t)number()};
        return;
    case RECORD_COMMAND_GONE: r->command.id = number(); return;
    case RECORD_STATION_GONE:
        r->station = (struct station_record){.brand = (uint32_t)number(), .name = bytes(50)};
        return;
    default:
        r->session = (struct session_record){.brand = (uint32_t)number(), .name = bytes(100)};
        return;
    }
}

static void any_schedule(struct schedule_record *s) {
    *s = (struct schedule_record){.id = number(), .last_task = number(),
        .brand = (uint32_t)number(), .version = (uint32_t)number(),
        .executions = (uint32_t)number(), .executions_max = (uint32_t)number(),
        .succeeded = (uint32_t)number(), .failed = (uint32_t)number(),
        .created_ms = (int64_t)number(), .updated_ms = (int64_t)number(),
        .start_ms = (int64_t)number(), .end_ms = (int64_t)number(), .next_ms = (int64_t)number(),
        .last_ms = (int64_t)number(), .late_ms = (int64_t)number(), .keep_ms = -1,
        .manual = (uint32_t)number(), .stamp = (uint32_t)number(), .run_ms = (int64_t)number(),
        .timeout_ms = (uint32_t)number(), .retries = (uint16_t)number(),
        .kind = (uint8_t)number(), .priority = (uint8_t)(next() % PRIORITY_COUNT),
        .dialect = (uint8_t)number(), .misfire = (uint8_t)(next() % MISFIRE_COUNT),
        .last_status = (uint8_t)(next() % STATUS_COUNT), .active = next() % 2, .name = bytes(100),
        .expression = bytes(60), .zone = bytes(60), .queue = bytes(60), .type = bytes(60),
        .payload = bytes(1000), .extra = bytes(100), .owner = bytes(60), .body = bytes(1000)};
}

static void any_tally(struct record *r) {
    r->tally = (struct tally_record){.id = number(), .brand = (uint32_t)number(),
        .slot = (uint32_t)number(), .span = (uint8_t)(1 + next() % (TALLY_SPANS - 1))};
    if (r->kind == RECORD_TALLY_GONE) return;
    r->tally.priority = (uint8_t)number();
    r->tally.name = bytes(100);
    r->tally.sums = bytes(1000);
}

static void any_plain(struct record *r) {
    switch ((int)r->kind) {
    case RECORD_META: r->meta = (struct meta_record){number(), number(), number()}; return;
    case RECORD_LANE: any_lane(&r->lane); return;
    case RECORD_QUEUE:
        r->queue = (struct queue_record){.brand = (uint32_t)number(), .name = bytes(60),
            .paused = next() % 2, .running_max = (uint32_t)number(),
            .rate_per_min = (uint32_t)number(), .weight = (uint32_t)number(),
            .keep_ms = (int64_t)number(), .keep_set = next() % 2, .hooks = next() % 64};
        return;
    case RECORD_WORKER:
        r->worker = (struct worker_record){.worker = (uint32_t)number(),
            .brand = (uint32_t)number(), .boot = number(), .http = next() % 2, .name = bytes(60),
            .principal = bytes(60)};
        return;
    case RECORD_WORKER_GONE: r->worker.worker = (uint32_t)number(); return;
    case RECORD_DEDUP:
        r->dedup = (struct dedup_record){.brand = (uint32_t)number(), .key = bytes(255),
            .body_hash = number(), .task = number(), .time_ms = (int64_t)number()};
        return;
    case RECORD_DEDUP_GONE:
        r->dedup = (struct dedup_record){.brand = (uint32_t)number(), .key = bytes(255)};
        return;
    case RECORD_OBJECT:
    case RECORD_OBJECT_GONE: any_object(&r->object, r->kind == RECORD_OBJECT_GONE); return;
    case RECORD_FILE:
        r->file = (struct file_record){.file = number(), .task = number(), .size = number(),
            .brand = (uint32_t)number(), .created_ms = (int64_t)number(), .name = bytes(255),
            .mime = bytes(60)};
        memcpy(r->file.hash, pool + next() % 1000, 32);
        return;
    default: r->file.file = number(); return;
    }
}

static void any_record(struct record *r, enum record_kind kind) {
    memset(r, 0, sizeof *r);
    r->kind = kind;
    if (kind == RECORD_TASK) any_task(&r->task);
    else if (kind == RECORD_TASK_GONE)
        r->task = (struct task_head){.id = number(), .brand = (uint32_t)number(),
                                     .checkpoint = (uint32_t)number()};
    else if ((kind >= RECORD_BODY && kind <= RECORD_CHECKPOINT) || kind == RECORD_RESULT_GONE ||
             kind == RECORD_CHECKPOINT_GONE || kind == RECORD_PART)
        any_task_part(r);
    else if (kind >= RECORD_STATION && kind <= RECORD_COMMAND_GONE) any_fleet(r);
    else if (kind == RECORD_SCHEDULE) any_schedule(&r->schedule);
    else if (kind == RECORD_SCHEDULE_GONE) r->schedule.id = number();
    else if (kind == RECORD_TALLY || kind == RECORD_TALLY_GONE) any_tally(r);
    else any_plain(r);
    if (kind == RECORD_TASK || kind == RECORD_TASK_GONE) any_was(&r->was, r->task.id);
}

/* Equal when they encode alike: the encoding is a function of every field, and injective. */
static bool same(const struct record *a, const struct record *b) {
    struct buffer x = {0}, y = {0};
    record_encode(&x, a);
    record_encode(&y, b);
    bool equal = slice_equal(buffer_slice(&x), buffer_slice(&y));
    buffer_free(&x);
    buffer_free(&y);
    return equal;
}

static void every_kind_survives(void) {
    for (enum record_kind kind = 1; kind < RECORD_COUNT; kind++) {
        int wrong = 0, short_read = 0;
        for (int i = 0; i < 2000; i++) {
            struct record in, out;
            struct buffer b = {0};
            any_record(&in, kind);
            record_encode(&b, &in);
            struct slice s = buffer_slice(&b);
            if (!record_decode(&s, &out) || s.len || out.kind != kind || !same(&in, &out)) wrong++;
            for (uint32_t len = 0; len < b.len && i < 20; len++) {
                struct slice cut = slice_of(b.data, len);
                if (record_decode(&cut, &out)) short_read++;
            }
            buffer_free(&b);
        }
        if (wrong || short_read) note("kind %d: %d wrong, %d cut", kind, wrong, short_read);
        ok(!wrong, "a record of each kind comes back as it went in");
        ok(!short_read, "a truncated record is refused");
    }
}

static void fields_come_back(void) {
    struct record in = {.kind = RECORD_TASK}, out;
    struct buffer b = {0};
    in.task = (struct task_head){.id = 77, .order = 70, .epoch = 99, .due_ms = 5000,
        .created_ms = 4000, .updated_ms = 3999, .keep_ms = KEEP_FAILED, .brand = 3, .lane = 300,
        .status = STATUS_PAUSED, .priority = PRIORITY_CRITICAL, .reason = REASON_POISON,
        .run = 2, .max_retries = 5};
    in.was = (struct was){STATUS_SCHEDULED, PRIORITY_LOW, 300, 70, 6000};
    record_encode(&b, &in);
    struct slice s = buffer_slice(&b);
    ok(record_decode(&s, &out), "a head is decoded");
    is_int(out.task.id, 77, "its id");
    is_int(out.task.order, 70, "its order");
    is_int(out.task.epoch, 99, "its epoch");
    is_int(out.task.due_ms, 5000, "its due time");
    is_int(out.task.updated_ms, 3999, "a time before its creation");
    is_int(out.task.started_ms, 0, "a time that is not there");
    is_int(out.task.keep_ms, KEEP_FAILED, "a negative keep");
    is_int(out.task.priority, PRIORITY_CRITICAL, "its priority");
    is_int(out.task.reason, REASON_POISON, "its reason");
    is_int(out.was.due_ms, 6000, "the due time it had");
    is_int(out.was.order, 70, "the order it had");
    is_int(out.was.status, STATUS_SCHEDULED, "the status it had");
    buffer_free(&b);
}

/* Changing any byte of a head that is no padding changes what is stored: no field is forgotten. */
static void every_field_of_a_head_is_stored(void) {
    enum { FIELDS = 5 * 8 + 8 + 4 * 8 + 12 * 4 + 2 * 8 + 6 * 2 + 8 /* bytes of all fields */ };
    struct record base = {.kind = RECORD_TASK}, changed;
    struct buffer a = {0}, b = {0};
    int stored = 0;
    memset(&base.task, 1, sizeof base.task);
    record_encode(&a, &base);
    for (size_t i = 0; i < sizeof base.task; i++) {
        changed = base;
        ((uint8_t *)&changed.task)[i] = 2;
        buffer_clear(&b);
        record_encode(&b, &changed);
        stored += !slice_equal(buffer_slice(&a), buffer_slice(&b));
    }
    is_int(stored, FIELDS, "every field of a head is stored");
    is_int((sizeof base.task - FIELDS) / 8, 0, "no field is missing in that count");
    buffer_free(&a);
    buffer_free(&b);
}

/* Every number as large as it gets. */
static void the_largest_head_fits(void) {
    struct record r = {.kind = RECORD_TASK}, out;
    struct buffer b = {0};
    memset(&r.task, 0xff, sizeof r.task);
    r.task.status = STATUS_CANCELLED;
    r.task.priority = PRIORITY_CRITICAL;
    r.task.reason = REASON_COUNT - 1;
    r.task.id = 1;
    r.task.created_ms = INT64_MIN;
    r.was = (struct was){STATUS_CANCELLED, PRIORITY_CRITICAL, UINT32_MAX, UINT64_MAX, INT64_MIN};
    record_encode(&b, &r);
    struct slice s = buffer_slice(&b);
    note("%zu bytes", b.len);
    ok(record_decode(&s, &out) && same(&r, &out), "the largest head comes back");
    ok(b.data[0] == RECORD_TASK, "and its length fits into one byte");
    buffer_free(&b);
}

static void a_fresh_task_is_small(void) {
    struct record r = {.kind = RECORD_TASK};
    struct buffer b = {0};
    r.task = (struct task_head){.id = 1 << 20, .order = 1 << 20, .created_ms = 1700000000000,
        .updated_ms = 1700000000000, .keep_ms = KEEP_FAILED, .brand = 1, .lane = 1, .version = 1,
        .payload_len = 100, .run = 1, .max_retries = 3, .status = STATUS_QUEUED, .priority = 1};
    record_encode(&b, &r);
    note("%zu bytes", b.len);
    ok(b.len <= 40, "the head of a fresh task takes at most 40 bytes");
    buffer_free(&b);
}

static void noise_is_refused_or_bounded(void) {
    uint8_t noise[300];
    int taken = 0;
    for (int i = 0; i < 300000; i++) {
        uint32_t len = (uint32_t)(next() % sizeof noise);
        for (uint32_t k = 0; k < len; k++) noise[k] = (uint8_t)next();
        noise[0] = (uint8_t)(next() % RECORD_COUNT);
        struct slice s = slice_of(noise, len);
        struct record r;
        while (s.len && record_decode(&s, &r)) taken++;
    }
    note("%d records in noise", taken);
    ok(taken < 300000, "noise is not taken for records");
}

static void damage_is_survived(void) {
    int same_after = 0;
    for (int i = 0; i < 50000; i++) {
        struct record in, out;
        struct buffer b = {0};
        any_record(&in, 1 + next() % (RECORD_COUNT - 1));
        record_encode(&b, &in);
        uint8_t *copy = malloc(b.len); /* exact size: the sanitizer sees a read behind it */
        memcpy(copy, b.data, b.len);
        copy[next() % b.len] ^= (uint8_t)(1 << next() % 8);
        struct slice s = slice_of(copy, b.len);
        if (record_decode(&s, &out) && s.len == 0 && same(&in, &out)) same_after++;
        free(copy);
        buffer_free(&b);
    }
    is_int(same_after, 0, "a flipped bit never decodes to the same record");
}

int main(void) {
    for (size_t i = 0; i < sizeof pool; i++) pool[i] = (uint8_t)next();
    every_kind_survives();
    fields_come_back();
    every_field_of_a_head_is_stored();
    the_largest_head_fits();
    a_fresh_task_is_small();
    noise_is_refused_or_bounded();
    damage_is_survived();
    return done();
}
