#include "broker/core/submit.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/hook.h"
#include "broker/core/lane.h"
#include "broker/core/object.h"
#include "broker/core/park.h"
#include "broker/core/queue.h"
#include "broker/core/tally.h"
#include "broker/core/task.h"
#include "broker/core/watch.h"
#include "broker/core/who.h"

enum { TAKEN_MS_MAX = 60000 };

static const uint64_t hash_seed = 0x72656c616973u;

static void submitted_say(struct core *c, const struct event *e, uint64_t id) {
    struct message *m = say(c, e->peer, VERB_SUBMITTED, e->message->number);
    m->submitted = (struct submitted){.number = e->message->number, .id = id};
}

/* What makes two submits under one key the same: all but the upload's own number. */
static uint64_t submit_hash(const struct submit *m) {
    const struct options *o = &m->options;
    const uint64_t given[] = {o->set | (uint64_t)o->hook << 32,
                              o->set & SET_PRIORITY ? o->priority : 0u,
                              o->set & SET_RETRIES ? o->retries : 0u,
                              o->set & SET_TIMEOUT ? o->timeout_ms : 0u,
                              o->set & SET_PROGRESS ? o->progress_ms : 0u,
                              o->set & SET_BACKOFF ? o->backoff_ms : 0u,
                              o->set & SET_DUE ? (uint64_t)o->due_ms * 2 + o->delay : 0u,
                              o->set & SET_KEEP ? (uint64_t)o->keep_ms : 0u, o->dialect};
    uint64_t h = hash_bytes(hash_seed, m->queue.data, m->queue.len);
    h = hash_bytes(h, m->type.data, m->type.len);
    h = hash_bytes(h, m->payload.data, m->payload.len);
    h = hash_bytes(h, o->extra.data, o->extra.len);
    h = hash_bytes(h, o->labels.data, o->labels.len);
    return hash_bytes(h, given, sizeof given);
}

/* What is too large or not well formed; *what names it. */
static enum code submit_sizes(const struct core *c, const struct submit *m, const char **what) {
    const struct options *o = &m->options;
    *what = m->payload.len > c->limits.payload_max ? "the payload is too large"
            : o->extra.len > c->limits.extra_max ? "extra is too large"
            : o->key.len > c->limits.key_max ? "the key is too long" : NULL;
    if (*what) return CODE_PAYLOAD_TOO_LARGE;
    bool source = name_fits(c, o->source_name) && name_fits(c, o->source_mime);
    *what = !name_good(c, m->queue) ? "bad queue name"
            : !name_fits(c, m->type) ? "bad type"
            : !labels_good(c, o->labels) ? "labels are k=v,k=v with rising keys"
            : !source ? "bad source name or type"
            : o->stream && !o->source_file ? "a stream needs a source"
            : o->set & SET_PRIORITY && o->priority >= PRIORITY_COUNT ? "priority is 0 to 3"
            : o->set & SET_KEEP && !keep_good(o->keep_ms) ? "bad keep"
            : !due_good(o) ? "bad time"
            : o->set & SET_RETRIES && o->retries > c->limits.retries_max ? "too many retries"
            : o->accepted && (o->key.len || o->source_file || o->hook)
                ? "an accepted task has neither key nor source nor hook" : NULL;
    return *what ? CODE_VALIDATION_ERROR : CODE_OK;
}

static enum code submit_check(const struct core *c, const struct event *e, uint32_t *brand,
                              const char **what) {
    const struct submit *m = &e->message->submit;
    if (!who_writes(&e->who)) return CODE_FORBIDDEN;
    *brand = who_brand(&e->who, m->options.set & SET_BRAND ? m->options.brand : 0);
    if (!*brand) return CODE_FORBIDDEN;
    enum code code = submit_sizes(c, m, what);
    if (code != CODE_OK) return code;
    if (c->disk_full && !m->options.accepted) return CODE_STORAGE_FULL;
    if (m->options.accepted && c->accepted_bytes > c->limits.accepted_bytes_max) return CODE_BUSY;
    if (m->options.watch && !watch_room(c, &c->links[e->peer])) return CODE_BUSY;
    return CODE_OK;
}

/* The task that an earlier submit with this key made: in the open group, or as it was read. */
static enum found dedup_find(struct core *c, const struct event *e, uint32_t brand,
                             struct dedup_record *record) {
    struct slice key = e->message->submit.options.key;
    for (uint32_t i = c->note_count; i-- > 0;) {
        const struct record *r = &c->notes[i];
        if (r->kind != RECORD_DEDUP || r->dedup.brand != brand) continue;
        if (!slice_equal(r->dedup.key, key)) continue;
        *record = r->dedup;
        return HELD;
    }
    struct need need = {.kind = NEED_DEDUP, .brand = brand, .key = key};
    const struct event *l = c->loaded;
    if (c->handling != e || !l || l->need.kind != NEED_DEDUP || l->need.brand != brand ||
        !slice_equal(l->need.key, key))
        return park(c, e, &need);
    for (uint32_t i = 0; i < l->record_count; i++)
        if (l->records[i].kind == RECORD_DEDUP) {
            *record = l->records[i].dedup;
            if (c->wall - record->time_ms < (int64_t)c->limits.dedup_ms) return HELD;
            c->dedup_renewed = true;
            return ABSENT;
        }
    return ABSENT;
}

static void submit_head(const struct core *c, struct task *t, const struct submit *m) {
    const struct options *o = &m->options;
    struct task_head *h = &t->head;
    const struct queue_record *q = &t->lane->queue->set;
    h->priority = o->set & SET_PRIORITY ? o->priority : PRIORITY_NORMAL;
    h->max_retries = o->set & SET_RETRIES ? o->retries : (uint16_t)c->limits.retries;
    h->timeout_ms = o->set & SET_TIMEOUT ? o->timeout_ms : c->limits.default_timeout_ms;
    h->keep_ms = o->set & SET_KEEP ? o->keep_ms : q->keep_set ? q->keep_ms : c->limits.keep_ms;
    h->backoff_ms = o->set & SET_BACKOFF ? o->backoff_ms : 0;
    h->payload_len = m->payload.len;
    h->source_file = o->source_file;
    h->dialect = o->dialect;
    const int64_t ago = c->wall - o->taken_ms; /* a clock that is far off does not count */
    if (o->taken_ms && ago > -TAKEN_MS_MAX && ago < TAKEN_MS_MAX) h->created_ms = o->taken_ms;
    if (o->accepted) h->flags |= TASK_ACCEPTED;
    if (o->stream) h->flags |= TASK_STREAM;
    if (o->hook) h->flags |= TASK_HOOKED;
    if (o->hook && h->keep_ms < HOOK_KEEP_MS) h->keep_ms = HOOK_KEEP_MS;
    if (!(o->set & SET_DUE)) return;
    h->due_ms = o->delay ? c->wall + o->due_ms : o->due_ms;
}

struct task *submit_task(struct core *c, struct lane *lane, const struct submit *m,
                         struct slice owner, uint64_t schedule) {
    const struct options *o = &m->options;
    struct task *t = task_new(c, lane);
    submit_head(c, t, m);
    t->head.schedule = schedule;
    struct task_body body = {
        .source_file = o->source_file, .source_size = o->source_size,
        .source_name = o->source_name, .source_mime = o->source_mime, .payload = m->payload,
        .extra = o->extra, .owner = owner, .key = o->key,
        .progress_ms = o->set & SET_PROGRESS ? o->progress_ms : 0};
    task_set_body(c, t, &body);
    return t;
}

void submit_place(struct core *c, struct task *t) {
    const bool later = t->head.due_ms > c->wall;
    task_born(c, t, later ? STATUS_SCHEDULED : STATUS_QUEUED);
    task_place(c, t);
    c->stats.submitted++;
    tally_created(c, t);
    if (!later) crew_dispatch_lane(c, t->lane);
}

static void submit_file(struct core *c, const struct task *t, const struct options *o) {
    if (!o->source_file) return;
    struct record *r = note(c, RECORD_FILE);
    r->file = (struct file_record){
        .file = o->source_file, .task = t->head.id, .size = o->source_size,
        .brand = t->head.brand, .created_ms = c->wall, .name = note_keep(c, o->source_name),
        .mime = note_keep(c, o->source_mime)};
    if (o->source_hash.len == sizeof r->file.hash)
        memcpy(r->file.hash, o->source_hash.data, sizeof r->file.hash);
    object_file_taken(c, o->source_file);
}

static void submit_dedup(struct core *c, const struct event *e, const struct task *t) {
    const struct submit *m = &e->message->submit;
    if (!m->options.key.len) return;
    struct record *r = note(c, RECORD_DEDUP);
    r->dedup = (struct dedup_record){.brand = t->head.brand,
                                     .key = note_keep(c, m->options.key),
                                     .body_hash = submit_hash(m), .task = t->head.id,
                                     .time_ms = c->wall};
}

static uint64_t tasks_stored(const struct core *c) {
    uint64_t count = 0;
    for (int s = 0; s < STATUS_COUNT; s++) count += c->stats.tasks[s];
    return count;
}

static void submit_make(struct core *c, const struct event *e, struct lane *lane) {
    const struct submit *m = &e->message->submit;
    const struct options *o = &m->options;
    struct task *t = submit_task(c, lane, m, slice_text(e->who.name), 0);
    submit_file(c, t, o);
    submit_dedup(c, e, t);
    if (o->watch) watch_outcome_put(c, e, t);
    submitted_say(c, e, t->head.id);
    submit_place(c, t);
}

void submit_step(struct core *c, const struct event *e) {
    const struct submit *m = &e->message->submit;
    uint32_t brand = 0;
    const char *what = NULL;
    enum code code = submit_check(c, e, &brand, &what);
    if (code != CODE_OK) {
        say_code(c, e, code, what ? slice_text(what) : (struct slice){0});
        return;
    }
    if (m->options.key.len && !core_bug(c, BUG_NO_DEDUP)) {
        struct dedup_record before = {0};
        enum found found = dedup_find(c, e, brand, &before);
        if (found == ASKED) return;
        if (found == HELD) {
            if (before.body_hash == submit_hash(m)) submitted_say(c, e, before.task);
            else say_code(c, e, CODE_IDEMPOTENCY_CONFLICT, (struct slice){0});
            return;
        }
    }
    if (m->options.source_file && object_file_known(c, m->options.source_file)) {
        say_code(c, e, CODE_CONFLICT, slice_text("the file is another's already"));
        return;
    }
    if (c->limits.tasks_max && tasks_stored(c) >= c->limits.tasks_max) {
        say_code(c, e, CODE_LIMIT_REACHED, slice_text("tasks_max tasks are stored"));
        return;
    }
    struct lane *lane = lane_get(c, brand, m->queue, m->type, m->options.labels);
    if (!lane || (m->options.hook && !hook_ready(c, brand))) {
        say_code(c, e, CODE_LIMIT_REACHED, slice_text("too many queues or lanes"));
        return;
    }
    submit_make(c, e, lane);
}
