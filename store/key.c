#include "store/key.h"
#include "proto/message.h"
#include <assert.h>
#include <endian.h>

static void put(struct key *k, const void *data, size_t len) {
    assert(k->len + len <= KEY_BYTES_MAX);
    if (len) memcpy(k->bytes + k->len, data, len);
    k->len += (uint32_t)len;
}

void key_begin(struct key *k, enum key_kind kind) {
    k->len = 1;
    k->bytes[0] = (uint8_t)kind;
}

void key_u8(struct key *k, uint8_t v) { put(k, &v, 1); }

void key_u32(struct key *k, uint32_t v) {
    v = htobe32(v);
    put(k, &v, 4);
}

void key_u64(struct key *k, uint64_t v) {
    v = htobe64(v);
    put(k, &v, 8);
}

void key_type(struct key *k, struct slice type) {
    uint16_t len = htobe16((uint16_t)type.len);
    put(k, &len, 2);
    put(k, type.data, type.len);
}

void key_plain(struct key *k, enum key_kind kind) { key_begin(k, kind); }

void key_id(struct key *k, enum key_kind kind, uint64_t id) {
    key_begin(k, kind);
    key_u64(k, id);
}

void key_number(struct key *k, enum key_kind kind, uint32_t number) {
    key_begin(k, kind);
    key_u32(k, number);
}

void key_sub(struct key *k, uint64_t id, enum record_kind kind, uint64_t number) {
    key_id(k, KEY_SUB, id);
    key_u8(k, (uint8_t)kind);
    key_u64(k, number);
}

void key_laned(struct key *k, uint32_t lane, uint8_t priority, uint64_t order) {
    key_number(k, KEY_LANED, lane);
    key_u8(k, priority);
    key_u64(k, order);
}

void key_tally(struct key *k, const struct tally_record *t) {
    key_begin(k, KEY_TALLY);
    key_u32(k, t->brand);
    key_u8(k, t->span);
    key_u32(k, t->slot);
    key_u64(k, t->id);
}

void key_due(struct key *k, int64_t due_ms, uint64_t id) {
    key_begin(k, KEY_DUE);
    key_u64(k, (uint64_t)due_ms ^ 1ull << 63);
    key_u64(k, id);
}

void key_status(struct key *k, uint8_t status, uint32_t brand, struct slice type, uint64_t id) {
    key_begin(k, KEY_STATUS);
    key_u8(k, status);
    key_u32(k, brand);
    key_type(k, type);
    key_u64(k, id);
}

void key_name(struct key *k, enum key_kind kind, uint8_t object, uint32_t brand,
              struct slice name) {
    key_begin(k, kind);
    if (kind == KEY_NAME) key_u8(k, object);
    key_u32(k, brand);
    put(k, name.data, name.len);
}

void key_object(struct key *k, uint8_t object, uint32_t brand, uint64_t id) {
    key_begin(k, KEY_OBJECT);
    key_u8(k, object);
    key_u32(k, brand);
    key_u64(k, id);
}

void key_point(struct key *k, uint32_t brand, uint64_t number) {
    key_number(k, KEY_POINT, brand);
    key_u64(k, number);
}

void key_block(struct key *k, enum key_kind kind, uint32_t brand, uint64_t block) {
    key_number(k, kind, brand);
    key_u64(k, block);
}

static void key_owned(struct key *k, const struct object_record *o) {
    key_begin(k, KEY_OWNED);
    key_u8(k, o->kind);
    key_u32(k, o->brand);
    key_type(k, o->owner);
    key_u64(k, o->id);
}

static void key_expiry(struct key *k, const struct object_record *o) {
    key_begin(k, KEY_EXPIRY);
    key_u64(k, (uint64_t)o->until_ms ^ 1ull << 63);
    key_u8(k, o->kind);
    key_u32(k, o->brand);
    key_u64(k, o->id);
}

bool key_of_object(struct key *k, const struct object_record *o, struct object_keys *cursor) {
    enum { STAGE_NAME, STAGE_KEYS, STAGE_OWNER, STAGE_UNTIL, STAGE_END };
    struct slice text = o->name;
    if (cursor->stage == STAGE_KEYS && !text_next(o->keys, &cursor->at, &text)) cursor->stage++;
    if (cursor->stage == STAGE_OWNER && !o->owner.len) cursor->stage++;
    if (cursor->stage == STAGE_UNTIL && !o->until_ms) cursor->stage++;
    switch (cursor->stage) {
    case STAGE_NAME: key_name(k, KEY_NAME, o->kind, o->brand, text); cursor->stage++; return true;
    case STAGE_KEYS: key_name(k, KEY_NAME, o->kind, o->brand, text); return true;
    case STAGE_OWNER: key_owned(k, o); cursor->stage++; return true;
    case STAGE_UNTIL: key_expiry(k, o); cursor->stage++; return true;
    default: return false;
    }
}

void key_after_prefix(struct key *out, const struct key *k) {
    *out = *k;
    while (out->len && out->bytes[out->len - 1] == 0xff) out->len--;
    assert(out->len); /* no kind is 0xff */
    out->bytes[out->len - 1]++;
}

/* Attempts of a task in the order of run, then of attempt; the epoch tells apart deliveries that
 * were never started and so share an attempt number. */
static void key_attempt(struct key *k, const struct attempt_record *a) {
    key_id(k, KEY_SUB, a->id);
    key_u8(k, RECORD_ATTEMPT);
    key_u32(k, (uint32_t)a->run << 16 | a->attempt);
    key_u64(k, a->epoch);
}

bool key_of_record(struct key *k, const struct record *r) {
    switch (r->kind) {
    case RECORD_META: key_plain(k, KEY_META); return true;
    case RECORD_TASK: case RECORD_TASK_GONE: key_id(k, KEY_HEAD, r->task.id); return true;
    case RECORD_BODY: key_id(k, KEY_BODY, r->body.id); return true;
    case RECORD_RESULT: case RECORD_RESULT_GONE: key_id(k, KEY_RESULT, r->result.id); return true;
    case RECORD_ATTEMPT: key_attempt(k, &r->attempt); return true;
    case RECORD_LOG: case RECORD_PART: key_sub(k, r->log.id, r->kind, r->log.line); return true;
    case RECORD_CHECKPOINT: case RECORD_CHECKPOINT_GONE:
        key_sub(k, r->checkpoint.id, RECORD_CHECKPOINT, r->checkpoint.seq);
        return true;
    case RECORD_LANE: key_number(k, KEY_LANE, r->lane.lane); return true;
    case RECORD_QUEUE: key_name(k, KEY_QUEUE, 0, r->queue.brand, r->queue.name); return true;
    case RECORD_WORKER: case RECORD_WORKER_GONE:
        key_number(k, KEY_WORKER, r->worker.worker);
        return true;
    case RECORD_DEDUP: case RECORD_DEDUP_GONE:
        key_name(k, KEY_DEDUP, 0, r->dedup.brand, r->dedup.key);
        return true;
    case RECORD_OBJECT: case RECORD_OBJECT_GONE:
        key_object(k, r->object.kind, r->object.brand, r->object.id);
        return true;
    case RECORD_FILE: case RECORD_FILE_GONE: key_id(k, KEY_FILE, r->file.file); return true;
    case RECORD_STATION: case RECORD_STATION_GONE:
        key_name(k, KEY_STATION, 0, r->station.brand, r->station.name);
        return true;
    case RECORD_SESSION: case RECORD_SESSION_GONE:
        key_name(k, KEY_SESSION, 0, r->session.brand, r->session.name);
        return true;
    case RECORD_COMMAND: case RECORD_COMMAND_GONE:
        key_id(k, KEY_COMMAND, r->command.id);
        return true;
    case RECORD_SCHEDULE: case RECORD_SCHEDULE_GONE:
        key_id(k, KEY_SCHEDULE, r->schedule.id);
        return true;
    case RECORD_TALLY: case RECORD_TALLY_GONE: key_tally(k, &r->tally); return true;
    case RECORD_NONE: case RECORD_COUNT: break;
    }
    return false;
}

static bool active(uint8_t status) {
    return status == STATUS_DELIVERED || status == STATUS_RUNNING || status == STATUS_PAUSED;
}

bool key_index(struct key *k, enum key_kind kind, const struct task_head *t, struct slice type) {
    switch (kind) {
    case KEY_HEAD: key_id(k, KEY_HEAD, t->id); return true;
    case KEY_LANED:
        if (t->status != STATUS_QUEUED) return false;
        key_laned(k, t->lane, t->priority, t->order);
        return true;
    case KEY_DUE:
        if (t->status != STATUS_SCHEDULED) return false;
        key_due(k, t->due_ms, t->id);
        return true;
    case KEY_STATUS:
        if (!active(t->status)) return false;
        key_status(k, t->status, t->brand, type, t->id);
        return true;
    case KEY_REACHED: case KEY_META: case KEY_BODY: case KEY_RESULT: case KEY_SUB: case KEY_LANE:
    case KEY_STATION: case KEY_SESSION: case KEY_COMMAND: case KEY_SCHEDULE: case KEY_TALLY:
    case KEY_QUEUE: case KEY_WORKER: case KEY_DEDUP: case KEY_OBJECT: case KEY_FILE:
    case KEY_NAME: case KEY_OWNED: case KEY_EXPIRY: case KEY_POINT: case KEY_TEXT: case KEY_SIGN:
    case KEY_BRIEF:
        break;
    }
    return false;
}

enum record_kind key_value_kind(struct slice key) {
    if (key.len == 0) return RECORD_NONE;
    switch ((enum key_kind)key.data[0]) {
    case KEY_META: return RECORD_META;
    case KEY_HEAD: case KEY_LANED: case KEY_STATUS: return RECORD_TASK;
    case KEY_BODY: return RECORD_BODY;
    case KEY_RESULT: return RECORD_RESULT;
    case KEY_SUB: return key.len > 9 ? (enum record_kind)key.data[9] : RECORD_NONE;
    case KEY_LANE: return RECORD_LANE;
    case KEY_QUEUE: return RECORD_QUEUE;
    case KEY_WORKER: return RECORD_WORKER;
    case KEY_DEDUP: return RECORD_DEDUP;
    case KEY_OBJECT: return RECORD_OBJECT;
    case KEY_FILE: return RECORD_FILE;
    case KEY_STATION: return RECORD_STATION;
    case KEY_SESSION: return RECORD_SESSION;
    case KEY_COMMAND: return RECORD_COMMAND;
    case KEY_SCHEDULE: return RECORD_SCHEDULE;
    case KEY_TALLY: return RECORD_TALLY;
    case KEY_REACHED: case KEY_DUE: case KEY_BRIEF: case KEY_NAME: case KEY_OWNED:
    case KEY_EXPIRY: case KEY_POINT: case KEY_TEXT: case KEY_SIGN: break;
    }
    return RECORD_NONE;
}

uint64_t key_tail_id(struct slice key) {
    uint64_t id;
    assert(key.len >= 8);
    memcpy(&id, key.data + key.len - 8, 8);
    return be64toh(id);
}

int slice_order(struct slice a, struct slice b) {
    uint32_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}
