#include "broker/core/tally.h"
#include "broker/core/alert.h"
#include "broker/core/effect.h"
#include "broker/core/task.h"
#include <stdlib.h>

struct place { struct tally_record record; uint64_t hash; };

static uint32_t slot_of(uint8_t span, int64_t wall_ms) {
    const int64_t unit = span == TALLY_HOUR ? TALLY_HOUR_MS : TALLY_DAY_MS;
    return wall_ms <= 0 ? 0 : (uint32_t)(wall_ms / unit);
}

static struct place place_of(uint32_t brand, uint8_t span, int64_t wall_ms, uint8_t priority,
                             struct slice name) {
    struct place p = {.record = {.brand = brand, .slot = slot_of(span, wall_ms), .span = span,
                                 .priority = priority, .name = name}};
    p.hash = hash_number((uint64_t)brand << 32 | p.record.slot);
    p.hash = hash_bytes(p.hash ^ (uint64_t)span << 8 ^ priority, name.data, name.len);
    return p;
}

static void tally_forget(struct core *c, struct tally *t) {
    map_remove(&c->tallies, &t->by_place);
    list_unlink(&t->dirty);
    free(t);
}

/* Forgets written rows: all of them, or those whose time is over. */
static void tallies_trim(struct core *c, bool all) {
    c->tally_turn++;
    for (size_t i = 0; i <= c->tallies.mask; i++)
        for (struct map_node *n = c->tallies.buckets[i], *next; n; n = next) {
            struct tally *t = owner_of(n, struct tally, by_place);
            next = n->next;
            if (!list_empty(&t->dirty)) continue;
            if (all || t->record.slot != slot_of(t->record.span, c->wall)) tally_forget(c, t);
        }
}

/* A new hour has begun: rows of the one before are not needed again. */
static void tallies_roll(struct core *c) {
    const uint32_t hour = slot_of(TALLY_HOUR, c->wall);
    if (hour == c->tally_hour) return;
    c->tally_hour = hour;
    tallies_trim(c, false);
}

static struct tally *tally_make(struct core *c, const struct place *p) {
    if (c->tallies.count >= c->limits.tally_rows_max) tallies_trim(c, true);
    struct tally *t = calloc(1, sizeof *t + p->record.name.len);
    assert(t != NULL);
    list_init(&t->dirty);
    t->record = p->record;
    t->record.id = number_next(c);
    if (p->record.name.len) memcpy(t->bytes, p->record.name.data, p->record.name.len);
    t->record.name.data = t->bytes;
    map_put(&c->tallies, &t->by_place, p->hash);
    return t;
}

static struct tally *tally_get(struct core *c, const struct place *p) {
    const struct tally_record *r = &p->record;
    for (struct map_node *n = map_first(&c->tallies, p->hash); n; n = map_next(n)) {
        struct tally *t = owner_of(n, struct tally, by_place);
        if (t->record.brand == r->brand && t->record.slot == r->slot &&
            t->record.span == r->span && t->record.priority == r->priority &&
            slice_equal(t->record.name, r->name))
            return t;
    }
    return tally_make(c, p);
}

static void tally_dirty(struct core *c, struct tally *t) {
    if (list_empty(&t->dirty)) list_push(&c->dirty_tallies, &t->dirty);
}

/* The row of the task's type and priority today; a lane has only one type. */
static struct tally *tally_of_lane(struct core *c, const struct task *task) {
    struct lane *l = task->lane;
    tallies_roll(c);
    if (l->tally_turn != c->tally_turn) {
        memset(l->tallies, 0, sizeof l->tallies);
        l->tally_turn = c->tally_turn;
    }
    struct tally **held = &l->tallies[task->head.priority];
    if (!*held) {
        const struct place p = place_of(task->head.brand, TALLY_TYPE, c->wall,
                                        task->head.priority, l->type);
        *held = tally_get(c, &p); /* making room may have begun a new turn */
        l->tally_turn = c->tally_turn;
    }
    return *held;
}

/* The rows of the worker's day and hour. Those of the newest workers are found by their number. */
static void tallies_of_worker(struct core *c, const struct task *task, struct slice worker,
                              struct tally *ret[2]) {
    struct tally_slot *s = &c->tally_slots[task->head.worker % TALLY_SLOTS];
    const bool known = s->turn == c->tally_turn && s->worker == task->head.worker &&
                       s->brand == task->head.brand && s->rows[0] &&
                       slice_equal(s->rows[0]->record.name, worker);
    if (!known) {
        const struct place day = place_of(task->head.brand, TALLY_WORKER, c->wall, 0, worker);
        const struct place hour = place_of(task->head.brand, TALLY_HOUR, c->wall, 0, worker);
        tally_dirty(c, tally_get(c, &day)); /* what is to be written is not forgotten */
        s->rows[1] = tally_get(c, &hour);
        s->rows[0] = tally_get(c, &day);
        s->worker = task->head.worker;
        s->brand = task->head.brand;
        s->turn = c->tally_turn;
    }
    ret[0] = s->rows[0];
    ret[1] = s->rows[1];
}

/* False when the task is none that is counted. */
static bool counts(const struct task *t) {
    const struct slice queue = t->lane->queue->set.name;
    return !task_accepted(t) && !(queue.len > 7 && memcmp(queue.data, "relais.", 7) == 0);
}

void tally_created(struct core *c, const struct task *t) {
    if (!counts(t)) return;
    struct tally *row = tally_of_lane(c, t);
    row->sums.created++;
    tally_dirty(c, row);
}

/* The broker's own numbers where the worker gave none. */
static struct taken taken_of(const struct task *t, struct slice numbers) {
    struct taken taken = {.mask = 0};
    const struct task_head *h = &t->head;
    struct measure_row row;
    if (h->started_ms && h->finished_ms >= h->started_ms) {
        taken.numbers[MEASURE_RUN] = (double)(h->finished_ms - h->started_ms);
        taken.mask |= 1u << MEASURE_RUN;
    }
    if (h->started_ms && h->started_ms >= h->created_ms) {
        taken.numbers[MEASURE_WAIT] = (double)(h->started_ms - h->created_ms);
        taken.mask |= 1u << MEASURE_WAIT;
    }
    for (uint32_t at = 0; measure_next(numbers, &at, &row);) {
        taken.numbers[row.measure] = row.number;
        taken.mask |= 1u << row.measure;
    }
    return taken;
}

static void taken_count(struct tally_sums *sums, const struct taken *taken, bool out) {
    for (uint32_t left = taken->mask; left; left &= left - 1) {
        const enum measure m = (enum measure)__builtin_ctz(left);
        if (out) tally_subtract(sums, m, taken->numbers[m]);
        else tally_add(sums, m, taken->numbers[m]);
    }
}

static void end_count(struct tally_sums *sums, enum status status) {
    if (status == STATUS_COMPLETED) sums->completed++;
    else if (status == STATUS_FAILED) sums->failed++;
    else sums->cancelled++;
}

void tally_settled(struct core *c, const struct task *t, struct slice worker,
                   struct slice numbers) {
    if (!counts(t)) return;
    const enum status status = (enum status)t->head.status;
    struct tally *rows[3] = {tally_of_lane(c, t)};
    uint32_t count = 1;
    tally_dirty(c, rows[0]);
    if (status != STATUS_CANCELLED && worker.len) {
        tallies_of_worker(c, t, worker, &rows[1]);
        count = 3;
    }
    const struct taken taken = taken_of(t, numbers);
    for (uint32_t i = 0; i < count; i++) {
        end_count(&rows[i]->sums, status);
        if (status != STATUS_CANCELLED) taken_count(&rows[i]->sums, &taken, false);
        tally_dirty(c, rows[i]);
    }
    if (status != STATUS_CANCELLED) alert_look(c, t, &taken);
}

void tally_amended(struct core *c, const struct task *t, struct slice worker,
                   struct slice before, struct slice after) {
    const struct taken less = taken_of(t, before), more = taken_of(t, after);
    const struct task_head *h = &t->head;
    const struct place places[] = {
        place_of(h->brand, TALLY_TYPE, h->finished_ms, h->priority, t->lane->type),
        place_of(h->brand, TALLY_WORKER, h->finished_ms, 0, worker),
        place_of(h->brand, TALLY_HOUR, h->finished_ms, 0, worker)};
    if (!counts(t)) return;
    for (size_t i = 0; i < (worker.len ? 3 : 1); i++) {
        struct tally *row = tally_get(c, &places[i]);
        taken_count(&row->sums, &less, true);
        taken_count(&row->sums, &more, false);
        tally_dirty(c, row);
    }
    alert_look(c, t, &more);
}

void tally_close(struct core *c) {
    for (struct node *n; (n = list_first(&c->dirty_tallies));) {
        struct tally *t = owner_of(n, struct tally, dirty);
        list_unlink(n);
        buffer_clear(&c->tally_bytes);
        tally_sums_put(&c->tally_bytes, &t->sums);
        assert(!c->tally_bytes.failed);
        struct record *r = record_put(c, RECORD_TALLY);
        r->tally = t->record;
        r->tally.name = note_keep(c, t->record.name); /* the row may go before it is written */
        r->tally.sums = note_keep(c, buffer_slice(&c->tally_bytes));
    }
}

bool tally_sweep_due(const struct core *c) {
    return c->tally_swept != slot_of(TALLY_TYPE, c->wall);
}

void tally_sweep(struct core *c, const struct tally_record *r) {
    const int64_t kept_ms = r->span == TALLY_HOUR
                                ? (int64_t)TALLY_HOURS_KEPT * TALLY_HOUR_MS
                                : (int64_t)c->limits.tally_days_max * TALLY_DAY_MS;
    c->sweep_seen++;
    c->sweep_brand = r->brand;
    c->sweep_span = r->span;
    c->sweep_slot = r->slot;
    c->sweep_id = r->id;
    if (r->slot >= slot_of(r->span, c->wall - kept_ms)) return;
    note(c, RECORD_TALLY_GONE)->tally = (struct tally_record){
        .id = r->id, .brand = r->brand, .slot = r->slot, .span = r->span};
}

void tally_free(struct core *c) {
    for (size_t i = 0; c->tallies.buckets && i <= c->tallies.mask; i++)
        while (c->tallies.buckets[i])
            tally_forget(c, owner_of(c->tallies.buckets[i], struct tally, by_place));
    buffer_free(&c->tally_bytes);
}
