#include "store/codec.h"
#include "store/codec_fleet.h"
#include "store/codec_object.h"
#include "store/codec_schedule.h"
#include "store/coding.h"
#include <assert.h>

enum { WIDE = 0x80, KIND_MASK = 0x7f, NARROW_MAX = 255 };
/* bytes beside the slices, at most */
enum { TASK_FIXED = 240, LANE_FIXED = 520, SCHEDULE_FIXED = 256, FIXED = 128 };
enum { WAS_DUE = 0x40, WAS_ORDER_IS_ID = 0x80 };

/* The head's fields after its place: number of the bit that says it is there, field. */
#define HEAD_TIMES(X) X(0, due_ms) X(1, updated_ms) X(2, started_ms) X(3, finished_ms)
#define HEAD_NUMBERS(X)                                                                          \
    X(4, worker) X(5, timeout_ms) X(6, version) X(7, checkpoint) X(8, resume) X(9, payload_len)  \
    X(10, result_len) X(11, backoff_ms) X(12, run) X(13, attempt) X(14, retry_count)             \
    X(15, max_retries) X(16, failures) X(17, reason) X(18, progress) X(19, crashes)              \
    X(20, flags) X(21, dialect) X(24, losses) X(25, log_lines) X(26, source_file)                \
    X(27, result_file) X(28, lease_ms) X(29, parts) X(30, schedule)
enum { HEAD_EPOCH = 1 << 22, HEAD_KEEP = 1 << 23, HEAD_MASK = INT32_MAX };

static uint8_t *head_put(uint8_t *p, const struct task_head *t) {
    assert(t->status < STATUS_COUNT && t->priority < PRIORITY_COUNT);
    p = put_u64(p, t->id);
    *p++ = (uint8_t)(t->status | t->priority << 4);
    p = put_varint(p, t->lane);
    p = put_near(p, t->order, t->id);
    uint8_t *mask_at = p;
    uint32_t mask = 0;
    p = put_varint(p + 4, t->brand);
    p = put_varint(p, (uint64_t)t->created_ms);
#define X(bit, field)                                                       \
    if (t->field) {                                                         \
        mask |= 1u << bit;                                                  \
        p = put_near(p, (uint64_t)t->field, (uint64_t)t->created_ms);       \
    }
    HEAD_TIMES(X)
#undef X
#define X(bit, field) if (t->field) { mask |= 1u << bit; p = put_varint(p, t->field); }
    HEAD_NUMBERS(X)
#undef X
    if (t->epoch) { mask |= HEAD_EPOCH; p = put_near(p, t->epoch, t->id); }
    if (t->keep_ms) { mask |= HEAD_KEEP; p = put_near(p, (uint64_t)t->keep_ms, 0); }
    put_u32(mask_at, mask);
    return p;
}

static void place_get(struct reader *r, struct head_place *place) {
    place->id = get_u64(r);
    uint8_t state = get_u8(r);
    place->status = state & 15;
    place->priority = state >> 4;
    if (place->status >= STATUS_COUNT || place->priority >= PRIORITY_COUNT) r->bad = true;
    place->lane = (uint32_t)get_max(r, UINT32_MAX);
    place->order = get_near(r, place->id);
}

static void head_get(struct reader *r, struct task_head *t) {
    struct head_place place = {0};
    place_get(r, &place);
    *t = (struct task_head){.id = place.id, .status = place.status, .priority = place.priority,
                            .lane = place.lane, .order = place.order};
    uint32_t mask = get_u32(r);
    if (mask & ~(uint32_t)HEAD_MASK) r->bad = true;
    t->brand = (uint32_t)get_max(r, UINT32_MAX);
    t->created_ms = (int64_t)get_varint(r);
#define X(bit, field) \
    if (mask & 1u << bit) t->field = (int64_t)get_near(r, (uint64_t)t->created_ms);
    HEAD_TIMES(X)
#undef X
#define X(bit, field)                                            \
    if (mask & 1u << bit) {                                      \
        uint64_t v = get_varint(r);                              \
        t->field = (__typeof__(t->field))v;                      \
        if (t->field != v) r->bad = true;                        \
    }
    HEAD_NUMBERS(X)
#undef X
    if (mask & HEAD_EPOCH) t->epoch = get_near(r, t->id);
    if (mask & HEAD_KEEP) t->keep_ms = (int64_t)get_near(r, 0);
    if (t->reason >= REASON_COUNT) r->bad = true;
}

static uint8_t *was_put(uint8_t *p, const struct was *w, uint64_t id) {
    assert(w->status < STATUS_COUNT && w->priority < PRIORITY_COUNT);
    uint8_t *first = p++;
    *first = 0;
    if (!w->status) return p;
    *first = (uint8_t)(w->status | w->priority << 4);
    p = put_varint(p, w->lane);
    if (w->order == id) *first |= WAS_ORDER_IS_ID;
    else p = put_u64(p, w->order);
    if (w->due_ms) { *first |= WAS_DUE; p = put_u64(p, (uint64_t)w->due_ms); }
    return p;
}

/* True when the order is the id, which follows in the value. */
static bool was_get(struct reader *r, struct was *w) {
    uint8_t first = get_u8(r);
    *w = (struct was){.status = first & 15, .priority = first >> 4 & 3};
    if (w->status >= STATUS_COUNT || (!w->status && first)) r->bad = true;
    if (!w->status) return false;
    w->lane = (uint32_t)get_max(r, UINT32_MAX);
    if (!(first & WAS_ORDER_IS_ID)) w->order = get_u64(r);
    if (first & WAS_DUE) w->due_ms = (int64_t)get_u64(r);
    return first & WAS_ORDER_IS_ID;
}

enum { BODY_FILE = 1, BODY_EXTRA = 2, BODY_OWNER = 4, BODY_KEY = 8, BODY_PROGRESS = 16,
       BODY_MASK = 31 };

static uint8_t *body_put(uint8_t *p, const struct task_body *t) {
    p = put_u64(p, t->id);
    uint8_t *mask = p++;
    *mask = 0;
    p = put_slice(p, t->payload);
    if (t->source_file) {
        *mask |= BODY_FILE;
        p = put_near(p, t->source_file, t->id);
        p = put_varint(p, t->source_size);
        p = put_slice(p, t->source_name);
        p = put_slice(p, t->source_mime);
    }
    if (t->extra.len) { *mask |= BODY_EXTRA; p = put_slice(p, t->extra); }
    if (t->owner.len) { *mask |= BODY_OWNER; p = put_slice(p, t->owner); }
    if (t->key.len) { *mask |= BODY_KEY; p = put_slice(p, t->key); }
    if (t->progress_ms) { *mask |= BODY_PROGRESS; p = put_varint(p, t->progress_ms); }
    return p;
}

static void body_get(struct reader *r, struct task_body *t) {
    *t = (struct task_body){.id = get_u64(r)};
    uint8_t mask = get_u8(r);
    if (mask & ~BODY_MASK) r->bad = true;
    t->payload = get_slice(r);
    if (mask & BODY_FILE) {
        t->source_file = get_near(r, t->id);
        t->source_size = get_varint(r);
        t->source_name = get_slice(r);
        t->source_mime = get_slice(r);
    }
    if (mask & BODY_EXTRA) t->extra = get_slice(r);
    if (mask & BODY_OWNER) t->owner = get_slice(r);
    if (mask & BODY_KEY) t->key = get_slice(r);
    if (mask & BODY_PROGRESS) t->progress_ms = (uint32_t)get_max(r, UINT32_MAX);
}

static uint8_t *result_put(uint8_t *p, const struct task_result *t) {
    p = put_u64(p, t->id);
    p = put_varint(p, t->result_file);
    p = put_slice(p, t->result);
    p = put_slice(p, t->message);
    p = put_slice(p, t->metrics);
    return put_slice(p, t->worker);
}

static void result_get(struct reader *r, struct task_result *t) {
    *t = (struct task_result){.id = get_u64(r)};
    t->result_file = get_varint(r);
    t->result = get_slice(r);
    t->message = get_slice(r);
    t->metrics = get_slice(r);
    t->worker = get_slice(r);
}

static uint8_t *attempt_put_value(uint8_t *p, const struct attempt_record *a) {
    p = put_u64(p, a->id);
    p = put_varint(p, a->run);
    p = put_varint(p, a->attempt);
    p = put_near(p, a->epoch, a->id);
    p = put_varint(p, (uint64_t)a->started_ms);
    p = put_varint(p, (uint64_t)a->ended_ms);
    *p++ = a->reason;
    p = put_slice(p, a->worker);
    return put_slice(p, a->message);
}

static void attempt_get(struct reader *r, struct attempt_record *a) {
    *a = (struct attempt_record){.id = get_u64(r)};
    a->run = (uint16_t)get_max(r, UINT16_MAX);
    a->attempt = (uint16_t)get_max(r, UINT16_MAX);
    a->epoch = get_near(r, a->id);
    a->started_ms = (int64_t)get_varint(r);
    a->ended_ms = (int64_t)get_varint(r);
    a->reason = get_u8(r);
    if (a->reason >= REASON_COUNT) r->bad = true;
    a->worker = get_slice(r);
    a->message = get_slice(r);
}

static uint8_t *log_put_value(uint8_t *p, const struct log_record *l) {
    p = put_u64(p, l->id);
    p = put_varint(p, l->line);
    *p++ = l->level;
    p = put_varint(p, (uint64_t)l->time_ms);
    return put_slice(p, l->text);
}

static void log_get(struct reader *r, struct log_record *l) {
    *l = (struct log_record){.id = get_u64(r)};
    l->line = (uint32_t)get_max(r, UINT32_MAX);
    l->level = get_u8(r);
    l->time_ms = (int64_t)get_varint(r);
    l->text = get_slice(r);
}

static uint8_t *checkpoint_put(uint8_t *p, const struct checkpoint_record *c) {
    p = put_u64(p, c->id);
    p = put_varint(p, c->seq);
    p = put_near(p, c->epoch, c->id);
    p = put_varint(p, (uint64_t)c->time_ms);
    p = put_slice(p, c->name);
    p = put_slice(p, c->data);
    p = put_near(p, c->number, c->id);
    p = put_varint(put_varint(p, c->brand), c->size);
    p = put_u64(p, c->sum);
    *p++ = c->flags;
    return p;
}

static void checkpoint_get(struct reader *r, struct checkpoint_record *c) {
    *c = (struct checkpoint_record){.id = get_u64(r)};
    c->seq = (uint32_t)get_max(r, UINT32_MAX);
    c->epoch = get_near(r, c->id);
    c->time_ms = (int64_t)get_varint(r);
    c->name = get_slice(r);
    c->data = get_slice(r);
    c->number = get_near(r, c->id);
    c->brand = (uint32_t)get_max(r, UINT32_MAX);
    c->size = (uint32_t)get_max(r, UINT32_MAX);
    c->sum = get_u64(r);
    c->flags = get_u8(r);
}

static uint8_t *lane_put(uint8_t *p, const struct lane_record *l) {
    p = put_varint(p, l->lane);
    p = put_varint(p, l->brand);
    p = put_slice(p, l->queue);
    p = put_slice(p, l->type);
    p = put_slice(p, l->labels);
    for (int i = 0; i < PRIORITY_COUNT; i++) p = put_varint(p, l->cursor[i]);
    uint8_t *mask_at = p; /* one bit a count: most are zero */
    uint64_t mask = 0;
    const uint64_t *count = &l->count[0][0];
    p += 8;
    for (int i = 0; i < STATUS_COUNT * PRIORITY_COUNT; i++)
        if (count[i]) { mask |= 1ull << i; p = put_varint(p, count[i]); }
    put_u64(mask_at, mask);
    return p;
}

static void lane_get(struct reader *r, struct lane_record *l) {
    *l = (struct lane_record){.lane = (uint32_t)get_max(r, UINT32_MAX)};
    l->brand = (uint32_t)get_max(r, UINT32_MAX);
    l->queue = get_name(r);
    l->type = get_name(r);
    l->labels = get_name(r);
    for (int i = 0; i < PRIORITY_COUNT; i++) l->cursor[i] = get_varint(r);
    uint64_t mask = get_u64(r);
    if (mask >> (STATUS_COUNT * PRIORITY_COUNT)) r->bad = true;
    uint64_t *count = &l->count[0][0];
    for (int i = 0; i < STATUS_COUNT * PRIORITY_COUNT; i++)
        if (mask >> i & 1) count[i] = get_varint(r);
}

static uint8_t *queue_put(uint8_t *p, const struct queue_record *q) {
    p = put_varint(p, q->brand);
    p = put_slice(p, q->name);
    *p++ = (uint8_t)(q->paused | q->keep_set << 1 | (q->hooks != 0) << 2);
    p = put_varint(p, q->running_max);
    p = put_varint(p, q->rate_per_min);
    p = put_varint(p, q->weight);
    p = put_near(p, (uint64_t)q->keep_ms, 0);
    if (q->hooks) *p++ = q->hooks;
    return p;
}

static void queue_get(struct reader *r, struct queue_record *q) {
    *q = (struct queue_record){.brand = (uint32_t)get_max(r, UINT32_MAX)};
    q->name = get_name(r);
    uint8_t flags = get_u8(r);
    if (flags > 7) r->bad = true;
    q->paused = flags & 1;
    q->keep_set = flags & 2;
    q->running_max = (uint32_t)get_max(r, UINT32_MAX);
    q->rate_per_min = (uint32_t)get_max(r, UINT32_MAX);
    q->weight = (uint32_t)get_max(r, UINT32_MAX);
    q->keep_ms = (int64_t)get_near(r, 0);
    if (flags & 4) q->hooks = get_u8(r);
}

static uint8_t *worker_put(uint8_t *p, const struct worker_record *w) {
    p = put_varint(p, w->worker);
    p = put_varint(p, w->brand);
    p = put_u64(p, w->boot);
    *p++ = w->http;
    return put_slice(put_slice(p, w->name), w->principal);
}

static void worker_get(struct reader *r, struct worker_record *w) {
    *w = (struct worker_record){.worker = (uint32_t)get_max(r, UINT32_MAX)};
    w->brand = (uint32_t)get_max(r, UINT32_MAX);
    w->boot = get_u64(r);
    uint8_t http = get_u8(r);
    if (http > 1) r->bad = true;
    w->http = http & 1;
    w->name = get_name(r);
    w->principal = get_slice(r);
}

static uint8_t *dedup_put(uint8_t *p, const struct dedup_record *d) {
    p = put_varint(p, d->brand);
    p = put_slice(p, d->key);
    p = put_u64(p, d->body_hash);
    p = put_varint(p, d->task);
    return put_varint(p, (uint64_t)d->time_ms);
}

static void dedup_get(struct reader *r, struct dedup_record *d) {
    *d = (struct dedup_record){.brand = (uint32_t)get_max(r, UINT32_MAX)};
    d->key = get_name(r);
    d->body_hash = get_u64(r);
    d->task = get_varint(r);
    d->time_ms = (int64_t)get_varint(r);
}

static uint8_t *file_put(uint8_t *p, const struct file_record *f) {
    p = put_varint(p, f->file);
    p = put_varint(p, f->task);
    p = put_varint(p, f->size);
    p = put_varint(p, f->brand);
    p = put_varint(p, (uint64_t)f->created_ms);
    memcpy(p, f->hash, sizeof f->hash);
    p += sizeof f->hash;
    p = put_slice(p, f->name);
    return put_slice(p, f->mime);
}

static void file_get(struct reader *r, struct file_record *f) {
    *f = (struct file_record){.file = get_varint(r)};
    f->task = get_varint(r);
    f->size = get_varint(r);
    f->brand = (uint32_t)get_max(r, UINT32_MAX);
    f->created_ms = (int64_t)get_varint(r);
    if (has(r, sizeof f->hash)) {
        memcpy(f->hash, r->p, sizeof f->hash);
        r->p += sizeof f->hash;
    }
    f->name = get_slice(r);
    f->mime = get_slice(r);
}

static uint8_t *tally_put(uint8_t *p, const struct record *r) {
    const struct tally_record *t = &r->tally;
    p = put_varint(put_varint(put_varint(p, t->brand), t->slot), t->id);
    *p++ = t->span;
    if (r->kind == RECORD_TALLY_GONE) return p;
    *p++ = t->priority;
    return put_slice(put_slice(p, t->name), t->sums);
}

static void tally_get(struct reader *r, struct record *out) {
    struct tally_record *t = &out->tally;
    t->brand = (uint32_t)get_max(r, UINT32_MAX);
    t->slot = (uint32_t)get_max(r, UINT32_MAX);
    t->id = get_varint(r);
    t->span = get_u8(r);
    if (t->span == 0 || t->span >= TALLY_SPANS) r->bad = true;
    if (out->kind == RECORD_TALLY_GONE) return;
    t->priority = get_u8(r);
    t->name = get_slice(r);
    t->sums = get_slice(r);
}

/* Bytes that the record's slices take. */
static size_t slices_len(const struct record *r) {
    switch (r->kind) {
    case RECORD_BODY:
        return (size_t)r->body.payload.len + r->body.extra.len + r->body.owner.len +
               r->body.key.len + r->body.source_name.len + r->body.source_mime.len;
    case RECORD_RESULT:
        return (size_t)r->result.result.len + r->result.message.len + r->result.metrics.len +
               r->result.worker.len;
    case RECORD_ATTEMPT: return (size_t)r->attempt.worker.len + r->attempt.message.len;
    case RECORD_LOG: case RECORD_PART: return r->log.text.len;
    case RECORD_CHECKPOINT: return (size_t)r->checkpoint.name.len + r->checkpoint.data.len;
    case RECORD_LANE: return (size_t)r->lane.queue.len + r->lane.type.len + r->lane.labels.len;
    case RECORD_QUEUE: return r->queue.name.len;
    case RECORD_WORKER: case RECORD_WORKER_GONE:
        return (size_t)r->worker.name.len + r->worker.principal.len;
    case RECORD_DEDUP: case RECORD_DEDUP_GONE: return r->dedup.key.len;
    case RECORD_OBJECT: case RECORD_OBJECT_GONE:
        return (size_t)r->object.name.len + r->object.keys.len + r->object.owner.len +
               r->object.body.len + r->object.file_name.len + r->object.file_mime.len +
               r->object.file_hash.len;
    case RECORD_FILE: case RECORD_FILE_GONE: return (size_t)r->file.name.len + r->file.mime.len;
    case RECORD_STATION: case RECORD_STATION_GONE: return station_slices_len(&r->station);
    case RECORD_SESSION: case RECORD_SESSION_GONE: return session_slices_len(&r->session);
    case RECORD_COMMAND: case RECORD_COMMAND_GONE: return command_slices_len(&r->command);
    case RECORD_SCHEDULE: return schedule_slices_len(&r->schedule);
    case RECORD_TALLY: return (size_t)r->tally.name.len + r->tally.sums.len;
    case RECORD_NONE: case RECORD_META: case RECORD_TASK: case RECORD_TASK_GONE:
    case RECORD_RESULT_GONE: case RECORD_CHECKPOINT_GONE: case RECORD_SCHEDULE_GONE:
    case RECORD_TALLY_GONE: case RECORD_COUNT: break;
    }
    return 0;
}

static uint8_t *payload_put(uint8_t *p, const struct record *r) {
    switch (r->kind) {
    case RECORD_META:
        p = put_varint(put_varint(p, r->meta.sequence), r->meta.incarnation);
        return put_varint(p, r->meta.objects);
    case RECORD_TASK: return head_put(was_put(p, &r->was, r->task.id), &r->task);
    case RECORD_TASK_GONE:
        p = put_u64(was_put(p, &r->was, r->task.id), r->task.id);
        return put_varint(put_varint(p, r->task.brand), r->task.checkpoint);
    case RECORD_BODY: return body_put(p, &r->body);
    case RECORD_RESULT: return result_put(p, &r->result);
    case RECORD_RESULT_GONE: return put_u64(p, r->result.id);
    case RECORD_ATTEMPT: return attempt_put_value(p, &r->attempt);
    case RECORD_LOG: case RECORD_PART: return log_put_value(p, &r->log);
    case RECORD_CHECKPOINT: return checkpoint_put(p, &r->checkpoint);
    case RECORD_CHECKPOINT_GONE: return put_varint(put_u64(p, r->checkpoint.id), r->checkpoint.seq);
    case RECORD_LANE: return lane_put(p, &r->lane);
    case RECORD_QUEUE: return queue_put(p, &r->queue);
    case RECORD_WORKER: return worker_put(p, &r->worker);
    case RECORD_WORKER_GONE: return put_varint(p, r->worker.worker);
    case RECORD_DEDUP: return dedup_put(p, &r->dedup);
    case RECORD_DEDUP_GONE: return put_slice(put_varint(p, r->dedup.brand), r->dedup.key);
    case RECORD_OBJECT: return object_value_put(p, &r->object);
    case RECORD_OBJECT_GONE: return object_keys_put(p, &r->object);
    case RECORD_FILE: return file_put(p, &r->file);
    case RECORD_FILE_GONE: return put_varint(p, r->file.file);
    case RECORD_STATION: return station_value_put(p, &r->station);
    case RECORD_STATION_GONE: return put_slice(put_varint(p, r->station.brand), r->station.name);
    case RECORD_SESSION: return session_value_put(p, &r->session);
    case RECORD_SESSION_GONE: return put_slice(put_varint(p, r->session.brand), r->session.name);
    case RECORD_COMMAND: return command_value_put(p, &r->command);
    case RECORD_COMMAND_GONE: return put_varint(p, r->command.id);
    case RECORD_SCHEDULE: return schedule_value_put(p, &r->schedule);
    case RECORD_SCHEDULE_GONE: return put_varint(p, r->schedule.id);
    case RECORD_TALLY: case RECORD_TALLY_GONE: return tally_put(p, r);
    case RECORD_NONE: case RECORD_COUNT: break;
    }
    assert(!"a record of no kind");
    return p;
}

void record_encode(struct buffer *b, const struct record *r) {
    size_t fixed = r->kind == RECORD_TASK   ? TASK_FIXED
                   : r->kind == RECORD_LANE ? LANE_FIXED
                   : r->kind == RECORD_SCHEDULE ? SCHEDULE_FIXED
                                            : FIXED;
    size_t bound = fixed + slices_len(r);
    assert(bound <= UINT32_MAX);
    if (!buffer_reserve(b, bound + 5)) return;
    bool wide = bound > NARROW_MAX;
    uint8_t *start = b->data + b->len;
    uint8_t *payload = start + (wide ? 5 : 2);
    uint8_t *end = payload_put(payload, r);
    size_t len = (size_t)(end - payload);
    assert(len <= bound);
    if (wide) {
        start[0] = (uint8_t)(r->kind | WIDE);
        put_u32(start + 1, (uint32_t)len);
    } else {
        start[0] = (uint8_t)r->kind;
        start[1] = (uint8_t)len;
    }
    b->len = (size_t)(end - b->data);
}

bool record_of_task(enum record_kind kind) {
    return (kind >= RECORD_TASK && kind <= RECORD_CHECKPOINT) || kind == RECORD_RESULT_GONE ||
           kind == RECORD_CHECKPOINT_GONE || kind == RECORD_PART;
}

bool record_outline(struct slice *in, struct record_outline *o) {
    struct reader r = {in->data, in->data + in->len, false};
    uint8_t kind = get_u8(&r);
    uint32_t len = kind & WIDE ? get_u32(&r) : get_u8(&r);
    kind &= KIND_MASK;
    if (r.bad || kind == RECORD_NONE || kind >= RECORD_COUNT || !has(&r, len)) return false;
    struct reader payload = {r.p, r.p + len, false};
    struct record_outline out = {.kind = kind};
    bool order_is_id = false;
    if (kind == RECORD_TASK || kind == RECORD_TASK_GONE)
        order_is_id = was_get(&payload, &out.was);
    out.value = slice_of(payload.p, (size_t)(payload.end - payload.p));
    if (record_of_task(out.kind)) out.id = get_u64(&payload);
    if (order_is_id) out.was.order = out.id;
    if (payload.bad) return false;
    *o = out;
    const uint8_t *next = r.p + len;
    *in = slice_of(next, (size_t)(r.end - next));
    return true;
}

static void value_get(struct reader *r, struct record *out) {
    switch (out->kind) {
    case RECORD_META:
        out->meta.sequence = get_varint(r);
        out->meta.incarnation = get_varint(r);
        out->meta.objects = get_varint(r);
        return;
    case RECORD_TASK: head_get(r, &out->task); return;
    case RECORD_TASK_GONE:
        out->task.id = get_u64(r);
        out->task.brand = (uint32_t)get_max(r, UINT32_MAX);
        out->task.checkpoint = (uint32_t)get_max(r, UINT32_MAX);
        return;
    case RECORD_BODY: body_get(r, &out->body); return;
    case RECORD_RESULT: result_get(r, &out->result); return;
    case RECORD_RESULT_GONE: out->result.id = get_u64(r); return;
    case RECORD_ATTEMPT: attempt_get(r, &out->attempt); return;
    case RECORD_LOG: case RECORD_PART: log_get(r, &out->log); return;
    case RECORD_CHECKPOINT: checkpoint_get(r, &out->checkpoint); return;
    case RECORD_CHECKPOINT_GONE:
        out->checkpoint.id = get_u64(r);
        out->checkpoint.seq = (uint32_t)get_max(r, UINT32_MAX);
        return;
    case RECORD_LANE: lane_get(r, &out->lane); return;
    case RECORD_QUEUE: queue_get(r, &out->queue); return;
    case RECORD_WORKER: worker_get(r, &out->worker); return;
    case RECORD_WORKER_GONE: out->worker.worker = (uint32_t)get_max(r, UINT32_MAX); return;
    case RECORD_DEDUP: dedup_get(r, &out->dedup); return;
    case RECORD_DEDUP_GONE:
        out->dedup.brand = (uint32_t)get_max(r, UINT32_MAX);
        out->dedup.key = get_name(r);
        return;
    case RECORD_OBJECT: object_value_get(r, &out->object); return;
    case RECORD_OBJECT_GONE: object_keys_get(r, &out->object); return;
    case RECORD_FILE: file_get(r, &out->file); return;
    case RECORD_FILE_GONE: out->file.file = get_varint(r); return;
    case RECORD_STATION: station_value_get(r, &out->station); return;
    case RECORD_STATION_GONE:
        out->station.brand = (uint32_t)get_max(r, UINT32_MAX);
        out->station.name = get_name(r);
        return;
    case RECORD_SESSION: session_value_get(r, &out->session); return;
    case RECORD_SESSION_GONE:
        out->session.brand = (uint32_t)get_max(r, UINT32_MAX);
        out->session.name = get_name(r);
        return;
    case RECORD_COMMAND: command_value_get(r, &out->command); return;
    case RECORD_COMMAND_GONE: out->command.id = get_varint(r); return;
    case RECORD_SCHEDULE: schedule_value_get(r, &out->schedule); return;
    case RECORD_SCHEDULE_GONE: out->schedule.id = get_varint(r); return;
    case RECORD_TALLY: case RECORD_TALLY_GONE: tally_get(r, out); return;
    case RECORD_NONE: case RECORD_COUNT: break;
    }
    r->bad = true;
}

bool record_decode_value(enum record_kind kind, struct slice value, struct record *out) {
    struct reader r = {value.data, value.data + value.len, false};
    struct record record;
    memset(&record, 0, sizeof record);
    record.kind = kind;
    value_get(&r, &record);
    if (r.bad || r.p != r.end) return false;
    *out = record;
    return true;
}

bool record_decode(struct slice *in, struct record *out) {
    struct slice rest = *in;
    struct record_outline o;
    if (!record_outline(&rest, &o) || !record_decode_value(o.kind, o.value, out)) return false;
    out->was = o.was;
    *in = rest;
    return true;
}

bool head_place(struct slice value, struct head_place *place) {
    struct reader r = {value.data, value.data + value.len, false};
    struct head_place out = {0};
    place_get(&r, &out);
    if (r.bad) return false;
    *place = out;
    return true;
}
