/* rows.c - see rows.h. */
#include "broker/rows.h"
#include "broker/ask.h"
#include "broker/secret.h"
#include "proto/encode.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include "proto/object.h"
#include <assert.h>
#include <stdlib.h>

enum { CREATED_SLACK_MS = 3600000 }; /* a wall clock that was set back does not hide tasks */

struct lane_entry { /* what a lane number stands for; copied out of the walk */
    struct map_node by_number;
    struct lane_record lane;
    uint8_t bytes[];
};

struct worker_entry {
    struct map_node by_number;
    uint32_t worker;
    struct slice name;
    uint8_t bytes[];
};

struct filler {
    struct rows_page *page;
    struct store_view *view;
    const struct question *q;
    struct map lanes, workers;
    struct message message; /* a row of tasks */
    uint32_t skip, limit;
};

void rows_free(struct rows_page *page) {
    buffer_free(&page->rows);
    buffer_free(&page->next);
}

static enum record_kind kind_of(struct slice name, enum walk_kind *walk) {
    static const struct {
        const char *name;
        enum walk_kind walk;
        enum record_kind record;
    } kinds[] = {
        {"tasks", WALK_TASKS, RECORD_TASK}, {"queues", WALK_QUEUES, RECORD_QUEUE},
        {"lanes", WALK_LANES, RECORD_LANE}, {"workers", WALK_WORKERS, RECORD_WORKER},
        {"objects", WALK_OBJECTS, RECORD_OBJECT},
        {"checkpoints", WALK_CHECKPOINTS, RECORD_CHECKPOINT},
        {"attempts", WALK_ATTEMPTS, RECORD_ATTEMPT}, {"log", WALK_LOG, RECORD_LOG}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!slice_equal(name, slice_text(kinds[i].name))) continue;
        *walk = kinds[i].walk;
        return kinds[i].record;
    }
    return RECORD_NONE;
}

enum { SCOPE_ALL, SCOPE_BRAND };

/* Which objects of which brand; false when there is no such kind. */
static bool object_walk(const struct question *q, struct walk *walk) {
    static const struct { const char *text; uint8_t number, scope; } kinds[] = {
#define OBJECT(NAME, number, text, scope, limit, sentence) {text, number, SCOPE_##scope},
#include "broker/core/object.def"
#undef OBJECT
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!slice_equal(q->object, slice_text(kinds[i].text))) continue;
        walk->object = kinds[i].number;
        walk->all_brands = kinds[i].scope == SCOPE_BRAND && q->brand == 0;
        walk->brand = kinds[i].scope == SCOPE_BRAND ? q->brand : 0;
        walk->owner = q->owner;
        return true;
    }
    return false;
}

/* ---- search ---- */

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c; }

static bool letter(uint8_t c) {
    return c >= 0x80 || (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool word_begins(struct slice word, struct slice text) {
    const uint32_t len = text.len < SEARCH_BYTES ? text.len : SEARCH_BYTES;
    for (uint32_t i = 0; i + word.len <= len; i++) {
        if (i > 0 && letter(text.data[i - 1])) continue;
        uint32_t n = 0;
        while (n < word.len && lower(text.data[i + n]) == lower(word.data[n])) n++;
        if (n == word.len) return true;
    }
    return false;
}

bool search_matches(struct slice search, const struct slice *texts, uint32_t count) {
    uint32_t words = 0;
    for (uint32_t at = 0; at < search.len && words < SEARCH_WORDS_MAX;) {
        const uint32_t from = at;
        while (at < search.len && letter(search.data[at])) at++;
        if (at == from) {
            at++;
            continue;
        }
        words++;
        bool found = false;
        for (uint32_t i = 0; i < count && !found; i++)
            found = word_begins(slice_of(search.data + from, at - from), texts[i]);
        if (!found) return false;
    }
    return true;
}

/* ---- lanes and workers by number ---- */

static bool lanes_read(struct filler *f) {
    struct walk walk = {.kind = WALK_LANES};
    struct record r;
    struct store_walk *w = walk_open(f->view, &walk);
    if (w == NULL || !map_init(&f->lanes, 64)) return false;
    while (walk_next(w, &r)) {
        const struct lane_record *l = &r.lane;
        struct lane_entry *e = malloc(sizeof *e + l->queue.len + l->type.len + l->labels.len);
        if (e == NULL) break;
        e->lane = *l;
        uint8_t *at = e->bytes;
        struct slice *parts[] = {&e->lane.queue, &e->lane.type, &e->lane.labels};
        for (int i = 0; i < 3; i++) {
            if (parts[i]->len > 0) memcpy(at, parts[i]->data, parts[i]->len);
            parts[i]->data = at;
            at += parts[i]->len;
        }
        map_put(&f->lanes, &e->by_number, hash_number(l->lane));
    }
    const bool whole = walk_trouble(w) == NULL;
    walk_close(&w);
    return whole;
}

static const struct lane_record *lane_find(const struct filler *f, uint32_t number) {
    for (struct map_node *n = map_first(&f->lanes, hash_number(number)); n; n = map_next(n)) {
        const struct lane_entry *e = (struct lane_entry *)(void *)n;
        if (e->lane.lane == number) return &e->lane;
    }
    return NULL;
}

static bool workers_read(struct filler *f) {
    struct walk walk = {.kind = WALK_WORKERS};
    struct record r;
    struct store_walk *w = walk_open(f->view, &walk);
    if (w == NULL || !map_init(&f->workers, 64)) return false;
    while (walk_next(w, &r)) {
        struct worker_entry *e = malloc(sizeof *e + r.worker.name.len);
        if (e == NULL) break;
        e->worker = r.worker.worker;
        if (r.worker.name.len > 0) memcpy(e->bytes, r.worker.name.data, r.worker.name.len);
        e->name = slice_of(e->bytes, r.worker.name.len);
        map_put(&f->workers, &e->by_number, hash_number(e->worker));
    }
    const bool whole = walk_trouble(w) == NULL;
    walk_close(&w);
    return whole;
}

static struct slice worker_name(const struct filler *f, uint32_t number) {
    for (struct map_node *n = map_first(&f->workers, hash_number(number)); n; n = map_next(n)) {
        const struct worker_entry *e = (struct worker_entry *)(void *)n;
        if (e->worker == number) return e->name;
    }
    return (struct slice){0};
}

static void map_drop(struct map *m) { /* entries begin with their node */
    if (m->buckets == NULL) return;
    for (size_t i = 0; i <= m->mask; i++)
        for (struct map_node *n = m->buckets[i], *next; n != NULL; n = next) {
            next = n->next;
            free(n);
        }
    map_free(m);
}

/* ---- which records match ---- */

struct body_match { const struct question *q; const struct lane_record *lane; bool matches; };

static void body_found(void *context, const struct record *r) {
    struct body_match *m = context;
    if (r->kind != RECORD_BODY) return;
    const struct slice texts[] = {m->lane->type, m->lane->queue, r->body.owner, r->body.extra,
                                  r->body.payload};
    m->matches = (m->q->owner.len == 0 || slice_equal(m->q->owner, r->body.owner))
        && search_matches(m->q->search, texts, sizeof texts / sizeof texts[0]);
}

static bool task_matches(struct filler *f, const struct task_head *t, const struct lane_record *l) {
    const struct question *q = f->q;
    if (q->status_mask != 0 && (q->status_mask >> t->status & 1) == 0) return false;
    if (q->priority >= 0 && t->priority != (uint8_t)q->priority) return false;
    if (q->dialect >= 0 && t->dialect != (uint8_t)q->dialect) return false;
    if (q->from_ms != 0 && t->created_ms < q->from_ms) return false;
    if (q->to_ms != 0 && t->created_ms > q->to_ms) return false;
    if (q->queue.len > 0 && !slice_equal(q->queue, l->queue)) return false;
    if (q->type.len > 0 && !slice_equal(q->type, l->type)) return false;
    if (q->worker.len > 0 && !slice_equal(q->worker, worker_name(f, t->worker))) return false;
    if (q->owner.len == 0 && q->search.len == 0) return true;
    struct body_match match = {.q = q, .lane = l};
    view_task(f->view, t->id, body_found, &match);
    return match.matches;
}

static bool object_matches(const struct filler *f, const struct object_record *o) {
    const struct question *q = f->q;
    const struct slice texts[] = {o->name, o->owner, o->keys, o->body, o->file_name};
    if (o->until_ms != 0 && o->until_ms <= f->page->wall_ms) return false;
    if (q->id != 0 && o->id != q->id) return false;
    if (q->owner.len > 0 && !slice_equal(q->owner, o->owner)) return false;
    if (q->from_ms != 0 && o->created_ms < q->from_ms) return false;
    if (q->to_ms != 0 && o->created_ms > q->to_ms) return false;
    return q->search.len == 0
        || search_matches(q->search, texts, sizeof texts / sizeof texts[0]);
}

/* True when no later record of the walk can match. */
static bool walk_is_past(const struct question *q, const struct record *r) {
    if (r->kind != RECORD_TASK) return false;
    if (q->descending && q->from_ms != 0)
        return r->task.created_ms + CREATED_SLACK_MS < q->from_ms; /* theirs may be any number */
    return !q->descending && q->to_ms != 0 && r->task.created_ms - CREATED_SLACK_MS > q->to_ms;
}

static bool record_matches(struct filler *f, const struct record *r) {
    const struct question *q = f->q;
    switch ((int)r->kind) {
    case RECORD_TASK: {
        const struct lane_record *l = lane_find(f, r->task.lane);
        return l != NULL && (q->brand == 0 || r->task.brand == q->brand)
            && task_matches(f, &r->task, l);
    }
    case RECORD_LANE:
        return (q->brand == 0 || r->lane.brand == q->brand)
            && (q->queue.len == 0 || slice_equal(q->queue, r->lane.queue))
            && (q->type.len == 0 || slice_equal(q->type, r->lane.type));
    case RECORD_WORKER:
        return (q->brand == 0 || r->worker.brand == 0 || r->worker.brand == q->brand)
            && (q->worker.len == 0 || slice_equal(q->worker, r->worker.name));
    case RECORD_OBJECT:
        return object_matches(f, &r->object);
    default: return true;
    }
}

/* ---- how a row looks ---- */

static void statuses_put(struct buffer *b, const uint64_t count[STATUS_COUNT][PRIORITY_COUNT]) {
    encode_array(b, STATUS_COUNT);
    for (int s = 0; s < STATUS_COUNT; s++) {
        uint64_t sum = 0;
        for (int p = 0; p < PRIORITY_COUNT; p++) sum += count[s][p];
        encode_uint(b, sum);
    }
}

static void task_put(struct filler *f, const struct task_head *t) {
    const struct lane_record *l = lane_find(f, t->lane);
    f->message.view = (struct view){.head = *t, .queue = l->queue, .type = l->type,
                                    .labels = l->labels, .worker = worker_name(f, t->worker)};
    row_put(&f->page->rows, &f->message);
}

static void object_put(struct filler *f, const struct object_record *o) {
    struct object_row row = object_row_of(o);
    if (row.file != 0) row.ticket = ticket_of(f->page->id_key, row.file);
    object_row_put(&f->page->rows, &row);
}

static void note_put(struct buffer *b, const struct record *r) {
    switch ((int)r->kind) {
    case RECORD_CHECKPOINT:
        encode_array(b, 5);
        encode_uint(b, r->checkpoint.seq);
        encode_uint(b, r->checkpoint.epoch);
        encode_int(b, r->checkpoint.time_ms);
        encode_text(b, r->checkpoint.name);
        encode_bin(b, r->checkpoint.data);
        break;
    case RECORD_ATTEMPT:
        encode_array(b, 8);
        encode_uint(b, r->attempt.epoch);
        encode_uint(b, r->attempt.run);
        encode_uint(b, r->attempt.attempt);
        encode_uint(b, r->attempt.reason);
        encode_int(b, r->attempt.started_ms);
        encode_int(b, r->attempt.ended_ms);
        encode_text(b, r->attempt.worker);
        encode_text(b, r->attempt.message);
        break;
    case RECORD_LOG:
        encode_array(b, 4);
        encode_uint(b, r->log.line);
        encode_uint(b, r->log.level);
        encode_int(b, r->log.time_ms);
        encode_text(b, r->log.text);
        break;
    default: assert(!"a record that has no row");
    }
}

static void row_write(struct filler *f, const struct record *r) {
    struct buffer *b = &f->page->rows;
    switch ((int)r->kind) {
    case RECORD_TASK: task_put(f, &r->task); break;
    case RECORD_LANE:
        encode_array(b, 6);
        encode_uint(b, r->lane.lane);
        encode_uint(b, r->lane.brand);
        encode_text(b, r->lane.queue);
        encode_text(b, r->lane.type);
        encode_text(b, r->lane.labels);
        statuses_put(b, r->lane.count);
        break;
    case RECORD_WORKER:
        encode_array(b, 5);
        encode_uint(b, r->worker.worker);
        encode_uint(b, r->worker.brand);
        encode_text(b, r->worker.name);
        encode_uint(b, r->worker.boot);
        encode_bool(b, r->worker.http);
        break;
    case RECORD_OBJECT:
        object_put(f, &r->object);
        break;
    default: note_put(b, r);
    }
}

/* ---- totals ---- */

/* True when the lanes' counters answer: nothing is asked for that they do not tell apart. */
static bool counters_suffice(const struct question *q) {
    return q->owner.len == 0 && q->search.len == 0 && q->worker.len == 0 && q->dialect < 0
        && q->from_ms == 0 && q->to_ms == 0;
}

static int64_t counters_sum(const struct filler *f) {
    const struct question *q = f->q;
    uint64_t sum = 0;
    for (size_t i = 0; i <= f->lanes.mask; i++) {
        for (struct map_node *n = f->lanes.buckets[i]; n != NULL; n = n->next) {
            const struct lane_record *l = &((struct lane_entry *)(void *)n)->lane;
            if (q->brand != 0 && l->brand != q->brand) continue;
            if (q->queue.len > 0 && !slice_equal(q->queue, l->queue)) continue;
            if (q->type.len > 0 && !slice_equal(q->type, l->type)) continue;
            for (int s = 1; s < STATUS_COUNT; s++)
                for (int p = 0; p < PRIORITY_COUNT; p++)
                    if ((q->status_mask == 0 || (q->status_mask >> s & 1) != 0)
                        && (q->priority < 0 || q->priority == p))
                        sum += l->count[s][p];
        }
    }
    return (int64_t)sum;
}

/* ---- the walk ---- */

static bool budget_spent(struct rows_page *page) {
    if (page->looked >= page->rows_max) return true;
    return (page->looked & 255) == 0 && page->looked > 0 && clock_mono_ms() > page->end_ms;
}

/* Goes on counting behind the page, without writing rows. */
static void walk_count(struct filler *f, struct store_walk *w, int64_t counted) {
    struct rows_page *page = f->page;
    struct record r;
    page->total_exact = true;
    while (walk_next(w, &r)) {
        page->looked++;
        if (walk_is_past(f->q, &r)) break;
        if (record_matches(f, &r)) counted++;
        if (counted >= COUNT_MAX || budget_spent(page)) {
            page->total_exact = false;
            break;
        }
    }
    if (walk_spent(w)) page->total_exact = false;
    page->total = counted;
}

static void walk_fill(struct filler *f, struct store_walk *w) {
    struct rows_page *page = f->page;
    struct record r;
    uint32_t skipped = 0;
    bool more = false;
    while (walk_next(w, &r)) {
        page->looked++;
        if (walk_is_past(f->q, &r)) break;
        if (record_matches(f, &r)) {
            if (skipped < f->skip) {
                skipped++;
            } else {
                row_write(f, &r);
                page->count++;
            }
        }
        page->incomplete = budget_spent(page);
        more = page->count >= f->limit || page->rows.len >= ROWS_BYTES_MAX || page->incomplete;
        if (more) break;
    }
    if (!more && walk_spent(w)) more = page->incomplete = true;
    if (more) walk_cursor(w, &page->next);
    if (!f->q->count || page->total >= 0) return;
    walk_count(f, w, (int64_t)page->count + skipped);
}

static enum code question_walk(const struct question *q, struct walk *walk) {
    *walk = (struct walk){.brand = q->brand, .id = q->id, .descending = q->descending,
                          .cursor = q->cursor};
    if (kind_of(q->kind, &walk->kind) == RECORD_NONE) return CODE_VALIDATION_ERROR;
    if (q->offset > OFFSET_MAX) return CODE_VALIDATION_ERROR;
    if (walk->kind == WALK_OBJECTS && !object_walk(q, walk)) return CODE_VALIDATION_ERROR;
    const uint32_t mask = q->status_mask;
    const bool one = mask != 0 && (mask & (mask - 1)) == 0;
    if (walk->kind == WALK_TASKS && one && mask != 1u << STATUS_QUEUED && q->brand != 0) {
        walk->kind = WALK_STATUS; /* queued tasks have no such index: they leave too soon */
        walk->status = (uint8_t)__builtin_ctz(mask);
        walk->type = q->type;
    }
    return CODE_OK;
}

static void queues_fill(struct filler *f);

static void filler_run(struct filler *f) {
    struct walk walk;
    struct rows_page *page = f->page;
    page->code = question_walk(f->q, &walk);
    if (page->code != CODE_OK) return;
    page->code = CODE_UNAVAILABLE;
    if (!lanes_read(f) || !workers_read(f)) return;
    const bool tasks = walk.kind == WALK_TASKS || walk.kind == WALK_STATUS;
    if (f->q->count && tasks && counters_suffice(f->q)) {
        page->total = counters_sum(f);
        page->total_exact = true;
    }
    if (walk.kind == WALK_QUEUES) {
        queues_fill(f);
        return;
    }
    walk.looks_max = page->rows_max;
    struct store_walk *w = walk_open(f->view, &walk);
    if (w == NULL) {
        page->code = f->q->cursor.len > 0 ? CODE_VALIDATION_ERROR : CODE_UNAVAILABLE;
        return;
    }
    walk_fill(f, w);
    const char *trouble = walk_trouble(w) != NULL ? walk_trouble(w) : view_trouble(f->view);
    if (trouble != NULL) { /* a page with a hole is no page */
        log_error("a list could not be read", field_text("why", trouble));
        walk_close(&w);
        return;
    }
    walk_close(&w);
    page->code = page->rows.failed || page->next.failed ? CODE_UNAVAILABLE : CODE_OK;
}

void rows_fill(struct rows_page *page, struct store_view *view) {
    const struct question *q = page->question;
    struct filler f = {.page = page, .view = view, .q = q, .skip = q->offset,
                       .limit = q->limit == 0 ? LIMIT_DEFAULT : q->limit};
    if (f.limit > LIMIT_MAX) f.limit = LIMIT_MAX;
    page->total = -1;
    f.message.verb = VERB_VIEW;
    filler_run(&f);
    map_drop(&f.lanes);
    map_drop(&f.workers);
}

/* ---- queues: their settings, and the sums of their lanes ---- */

struct queue_sum { struct queue_record set; uint64_t count[STATUS_COUNT][PRIORITY_COUNT]; };

static int queue_order(const void *left, const void *right) {
    const struct queue_record *a = &((const struct queue_sum *)left)->set;
    const struct queue_record *b = &((const struct queue_sum *)right)->set;
    if (a->brand != b->brand) return a->brand < b->brand ? -1 : 1;
    const uint32_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
    const int order = len == 0 ? 0 : memcmp(a->name.data, b->name.data, len);
    return order != 0 ? order : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

static void queue_put(struct buffer *b, const struct queue_sum *sum) {
    const struct queue_record *q = &sum->set;
    encode_array(b, 8);
    encode_uint(b, q->brand);
    encode_text(b, q->name);
    encode_bool(b, q->paused);
    encode_uint(b, q->running_max);
    encode_uint(b, q->rate_per_min);
    encode_uint(b, q->weight);
    if (q->keep_set)
        encode_int(b, q->keep_ms);
    else
        encode_nil(b);
    statuses_put(b, sum->count);
}

/* The sums, one entry a lane, sorted: entries of one queue stand together. */
static struct queue_sum *sums_make(struct filler *f, size_t *count) {
    const struct question *q = f->q;
    struct queue_sum *sums = calloc(f->lanes.count > 0 ? f->lanes.count : 1, sizeof *sums);
    *count = 0;
    for (size_t i = 0; sums != NULL && i <= f->lanes.mask; i++) {
        for (struct map_node *n = f->lanes.buckets[i]; n != NULL; n = n->next) {
            const struct lane_record *l = &((struct lane_entry *)(void *)n)->lane;
            if (q->brand != 0 && l->brand != q->brand) continue;
            if (q->queue.len > 0 && !slice_equal(q->queue, l->queue)) continue;
            struct queue_sum *s = &sums[(*count)++];
            s->set = (struct queue_record){.brand = l->brand, .name = l->queue, .weight = 1};
            memcpy(s->count, l->count, sizeof s->count);
        }
    }
    if (sums != NULL) qsort(sums, *count, sizeof *sums, queue_order);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (kept == 0 || queue_order(&sums[kept - 1], &sums[i]) != 0) {
            sums[kept++] = sums[i];
            continue;
        }
        for (int s = 0; s < STATUS_COUNT; s++)
            for (int p = 0; p < PRIORITY_COUNT; p++)
                sums[kept - 1].count[s][p] += sums[i].count[s][p];
    }
    *count = kept;
    return sums;
}

/* Takes over the settings of queues that have some; the names stay those of the lanes. */
static bool settings_take(struct filler *f, struct queue_sum *sums, size_t count) {
    struct walk walk = {.kind = WALK_QUEUES};
    struct record r;
    struct store_walk *w = walk_open(f->view, &walk);
    if (w == NULL) return false;
    while (walk_next(w, &r)) {
        const struct queue_sum key = {.set = r.queue};
        struct queue_sum *sum = bsearch(&key, sums, count, sizeof *sums, queue_order);
        if (sum == NULL) continue;
        const struct slice name = sum->set.name;
        sum->set = r.queue;
        sum->set.name = name;
    }
    walk_close(&w);
    return true;
}

/* All queues that have ever had a task; a page goes by offset, for there are 10,000 at most. The
 * cursor is the place in that order. */
static void queues_fill(struct filler *f) {
    struct rows_page *page = f->page;
    size_t count, at = f->skip;
    if (f->q->cursor.len == sizeof(uint32_t)) {
        uint32_t place;
        memcpy(&place, f->q->cursor.data, sizeof place);
        at = place;
    } else if (f->q->cursor.len > 0) {
        page->code = CODE_VALIDATION_ERROR;
        return;
    }
    struct queue_sum *sums = sums_make(f, &count);
    page->code = sums != NULL && settings_take(f, sums, count) ? CODE_OK : CODE_UNAVAILABLE;
    for (; page->code == CODE_OK && at < count && page->count < f->limit; at++, page->count++)
        queue_put(&page->rows, &sums[at]);
    if (page->code == CODE_OK && at < count) {
        const uint32_t place = (uint32_t)at;
        buffer_append(&page->next, &place, sizeof place);
    }
    if (f->q->count) {
        page->total = (int64_t)count;
        page->total_exact = true;
    }
    free(sums);
}
