/* rows.c - see rows.h. */
#include "broker/rows.h"
#include "broker/ask.h"
#include "broker/filler.h"
#include "proto/encode.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include <assert.h>

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
        {"attempts", WALK_ATTEMPTS, RECORD_ATTEMPT}, {"log", WALK_LOG, RECORD_LOG},
        {"sessions", WALK_SESSIONS, RECORD_SESSION},
        {"schedules", WALK_SCHEDULES, RECORD_SCHEDULE},
        {"tallies", WALK_TALLIES, RECORD_TALLY}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!slice_equal(name, slice_text(kinds[i].name))) continue;
        *walk = kinds[i].walk;
        return kinds[i].record;
    }
    return RECORD_NONE;
}

/* ---- which records match ---- */

static bool record_matches(struct filler *f, struct store_walk *w, const struct record *r) {
    const struct question *q = f->q;
    switch ((int)r->kind) {
    case RECORD_TASK: {
        const bool sure = !f->searches || walk_sure(w);
        if (f->exact && sure) return true;
        if (f->searches) filter_assume_terms(f->filter, sure);
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
    case RECORD_SCHEDULE: return schedule_matches(f, &r->schedule);
    case RECORD_CHECKPOINT: return checkpoint_matches(f, &r->checkpoint);
    case RECORD_SESSION: return session_matches(f, &r->session);
    default: return true;
    }
}

/* ---- how a row looks ---- */

static void note_put(struct buffer *b, const struct record *r) {
    switch ((int)r->kind) {
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

static void priorities_put(struct buffer *b, const uint64_t count[STATUS_COUNT][PRIORITY_COUNT]) {
    encode_array(b, STATUS_COUNT * PRIORITY_COUNT);
    for (int s = 0; s < STATUS_COUNT; s++)
        for (int p = 0; p < PRIORITY_COUNT; p++) encode_uint(b, count[s][p]);
}

static void row_write(struct filler *f, const struct record *r) {
    struct buffer *b = &f->page->rows;
    switch ((int)r->kind) {
    case RECORD_TASK: task_put(f, &r->task); break;
    case RECORD_LANE:
        encode_array(b, 7);
        encode_uint(b, r->lane.lane);
        encode_uint(b, r->lane.brand);
        encode_text(b, r->lane.queue);
        encode_text(b, r->lane.type);
        encode_text(b, r->lane.labels);
        statuses_put(b, r->lane.count);
        priorities_put(b, r->lane.count);
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
    case RECORD_SCHEDULE: schedule_put(f, &r->schedule); break;
    case RECORD_CHECKPOINT: checkpoint_put(f, &r->checkpoint); break;
    case RECORD_SESSION: session_put(f, &r->session); break;
    default: note_put(b, r);
    }
}

/* ---- the walk ---- */

static bool budget_spent(struct rows_page *page) {
    if (page->looked >= page->rows_max) return true;
    return (++page->rounds & 63) == 0 && clock_mono_ms() > page->end_ms;
}

/* Goes on counting behind the page, without writing rows. */
static void rest_count(struct filler *f, struct store_walk *w, int64_t counted) {
    struct rows_page *page = f->page;
    struct record r;
    page->total_exact = true;
    if (f->exact && !f->searches) counted += (int64_t)walk_count(w);
    while (walk_next(w, &r)) {
        page->looked = (uint32_t)walk_looked(w);
        if (record_matches(f, w, &r)) counted++;
        if ((counted >= COUNT_MAX && (f->searches || !f->exact)) || budget_spent(page)) {
            page->total_exact = false;
            break;
        }
    }
    if (walk_spent(w)) page->total_exact = false;
    page->total = counted;
}

/* In another order than the walk's: all that match are looked at, as far as the budget goes. */
static void walk_sort(struct filler *f, struct store_walk *w, struct sorter *sorter) {
    struct rows_page *page = f->page;
    struct record r;
    int64_t matched = 0;
    while (!page->incomplete && walk_next(w, &r)) {
        page->looked = (uint32_t)walk_looked(w);
        if (record_matches(f, w, &r)) {
            if (r.kind == RECORD_OBJECT) object_sort(f, sorter, &r.object);
            else if (r.kind == RECORD_SCHEDULE) schedule_sort(sorter, &r.schedule);
            else sorter_take(sorter, &r.task);
            matched++;
        }
        page->incomplete = budget_spent(page);
    }
    page->incomplete |= walk_spent(w);
    sorter_put(sorter);
    if (!f->q->count || page->total >= 0) return;
    page->total = matched;
    page->total_exact = !page->incomplete;
}

static void walk_fill(struct filler *f, struct store_walk *w) {
    struct rows_page *page = f->page;
    struct record r;
    uint32_t skipped = 0;
    bool more = false;
    while ((f->known < 0 || (int64_t)page->count + skipped < f->known) && walk_next(w, &r)) {
        page->looked = (uint32_t)walk_looked(w);
        if (record_matches(f, w, &r)) {
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
    rest_count(f, w, (int64_t)page->count + skipped);
}

static enum code question_walk(const struct question *q, uint8_t role, struct walk *walk) {
    *walk = (struct walk){.brand = q->brand, .id = q->id, .descending = q->descending,
                          .cursor = q->cursor};
    if (kind_of(q->kind, &walk->kind) == RECORD_NONE) return CODE_VALIDATION_ERROR;
    if (q->offset > OFFSET_MAX) return CODE_VALIDATION_ERROR;
    if (walk->kind == WALK_OBJECTS) return object_walk(q, role, walk);
    if (walk->kind == WALK_CHECKPOINTS && q->id == 0) {
        walk->kind = WALK_POINTS;
        walk->from_id = walk->to_id = q->number;
    }
    walk->from_ms = q->from_ms;
    walk->to_ms = q->to_ms;
    return CODE_OK;
}

/* A search of what the store has an index for. */
static void search_prepare(struct filler *f, struct walk *walk) {
    struct slice fields, terms;
    if (!filter_terms(f->filter, &fields, &terms)) return;
    if (!slice_equal(fields, slice_text("type,extra.description,task_id"))) return;
    walk->kind = WALK_TEXT;
    walk->terms = terms;
    walk->id_key = f->page->id_key;
    f->searches = true;
}

static void page_walk(struct filler *f, struct walk *walk) {
    struct rows_page *page = f->page;
    walk->looks_max = page->rows_max;
    if (walk->kind == WALK_TASKS && walk->brand != 0) {
        search_prepare(f, walk);
        task_walk(f, walk);
    }
    struct store_walk *w = walk_open(f->view, walk);
    if (w == NULL) {
        page->code = f->q->cursor.len > 0 ? CODE_VALIDATION_ERROR : CODE_UNAVAILABLE;
        return;
    }
    const bool tasks = walk->kind == WALK_TASKS || walk->kind == WALK_TEXT;
    const bool sorts = tasks || walk->kind == WALK_OBJECTS || walk->kind == WALK_SCHEDULES;
    if (walk->results) f->results = w;
    struct sorter *sorter = sorts && f->q->sort.len > 0 ? sorter_new(f) : NULL;
    if (sorter != NULL) walk_sort(f, w, sorter);
    else walk_fill(f, w);
    sorter_destroy(&sorter);
    f->results = NULL;
    const char *trouble = walk_trouble(w) != NULL ? walk_trouble(w) : view_trouble(f->view);
    if (trouble != NULL) { /* a page with a hole is no page */
        log_error("a list could not be read", field_text("why", trouble));
        walk_close(&w);
        return;
    }
    walk_close(&w);
    page->code = page->rows.failed || page->next.failed ? CODE_UNAVAILABLE : CODE_OK;
}

static void filler_run(struct filler *f) {
    struct walk walk;
    struct rows_page *page = f->page;
    page->code = question_walk(f->q, page->role, &walk);
    if (page->code != CODE_OK) return;
    page->code = CODE_UNAVAILABLE;
    if (walk.kind == WALK_TALLIES) {
        tallies_fill(f);
        return;
    }
    if (!names_read(f)) return;
    int64_t total;
    if (walk.kind == WALK_TASKS && task_counters(f, &total)) {
        if (f->q->cursor.len == 0) f->known = total;
        if (f->q->count) page->total = total;
        page->total_exact = f->q->count;
    }
    if (walk.kind == WALK_QUEUES) {
        queues_fill(f);
        return;
    }
    if (f->known == 0)
        page->code = CODE_OK;
    else
        page_walk(f, &walk);
}

void rows_fill(struct rows_page *page, struct store_view *view) {
    const struct question *q = page->question;
    if (q->looks > 0 && q->looks < page->rows_max) page->rows_max = q->looks;
    struct filler f = {.page = page, .view = view, .q = q, .skip = q->offset, .known = -1,
                       .limit = q->limit == 0 ? LIMIT_DEFAULT : q->limit};
    if (f.limit > LIMIT_MAX) f.limit = LIMIT_MAX;
    page->total = -1;
    f.message.verb = VERB_VIEW;
    page->code = filter_new(q->filter, &f.filter);
    if (page->code == CODE_OK) filler_run(&f);
    filter_destroy(&f.filter);
    names_free(&f);
}
