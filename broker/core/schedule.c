#include "broker/core/schedule.h"
#include "broker/core/effect.h"
#include "broker/core/lane.h"
#include "broker/core/park.h"
#include "broker/core/submit.h"
#include "broker/core/task.h"
#include "broker/core/who.h"
#include "proto/base/date.h"
#include "proto/schedule.h"
#include <stdlib.h>

enum { ZONES_MAX = 2000, EXPRESSION_MAX = 255, TEXTS = 9, DUE_STEP_MAX = 1000, RETRY_MS = 1000 };

/* ---- memory ---- */

static void texts_of(struct schedule_record *r, struct slice *texts[TEXTS]) {
    struct slice *all[TEXTS] = {&r->name,    &r->expression, &r->zone,  &r->queue, &r->type,
                                &r->payload, &r->extra,      &r->owner, &r->body};
    memcpy(texts, all, sizeof all);
}

static size_t texts_size(const struct schedule_record *record) {
    struct schedule_record r = *record;
    struct slice *texts[TEXTS];
    size_t size = 0;
    texts_of(&r, texts);
    for (int i = 0; i < TEXTS; i++) size += texts[i]->len;
    return size;
}

static uint64_t name_hash(uint32_t brand, uint8_t kind, struct slice name) {
    return hash_bytes(((uint64_t)brand << 8 | kind) + 1, name.data, name.len);
}

static struct schedule *schedule_find(const struct core *c, uint64_t id) {
    struct map_node *n = map_first(&c->schedule_ids, hash_number(id));
    for (; n; n = map_next(n)) {
        struct schedule *s = owner_of(n, struct schedule, by_id);
        if (s->record.id == id) return s;
    }
    return NULL;
}

static struct schedule *schedule_named(const struct core *c, const struct schedule_record *r) {
    struct map_node *n = map_first(&c->schedule_names, name_hash(r->brand, r->kind, r->name));
    for (; n; n = map_next(n)) {
        struct schedule *s = owner_of(n, struct schedule, by_name);
        if (s->record.brand == r->brand && s->record.kind == r->kind &&
            slice_equal(s->record.name, r->name))
            return s;
    }
    return NULL;
}

/* Takes the record over, its texts copied into a block of its own. */
static void record_hold(struct core *c, struct schedule *s, const struct schedule_record *record) {
    struct schedule_record r = *record;
    struct slice *texts[TEXTS];
    const size_t size = texts_size(&r);
    uint8_t *block = malloc(size ? size : 1), *at = block;
    assert(block != NULL);
    texts_of(&r, texts);
    for (int i = 0; i < TEXTS; i++) {
        if (texts[i]->len) memcpy(at, texts[i]->data, texts[i]->len);
        texts[i]->data = at;
        at += texts[i]->len;
    }
    if (s->record.name.len) map_remove(&c->schedule_names, &s->by_name);
    free(s->block);
    c->schedule_bytes += size - s->size;
    s->block = block;
    s->size = size;
    s->record = r;
    if (r.name.len)
        map_put(&c->schedule_names, &s->by_name, name_hash(r.brand, r.kind, r.name));
    const bool sound = cron_parse(r.expression, &s->cron, NULL);
    assert(sound);
}

static void schedule_forget(struct core *c, struct schedule *s) {
    heap_clear(&c->schedules, &s->timer);
    list_unlink(&s->in_zone);
    list_unlink(&s->dirty);
    map_remove(&c->schedule_ids, &s->by_id);
    if (s->record.name.len) map_remove(&c->schedule_names, &s->by_name);
    c->schedule_bytes -= s->size;
    free(s->block);
    free(s);
}

static void schedule_change(struct core *c, struct schedule *s) {
    s->record.version++;
    s->record.updated_ms = c->wall;
    if (list_empty(&s->dirty)) list_push(&c->dirty_schedules, &s->dirty);
}

/* ---- zones ---- */

static bool zone_is_utc(struct slice name) {
    return name.len == 0 || slice_equal(name, slice_text("UTC"));
}

static struct held_zone *zone_find(const struct core *c, struct slice name) {
    struct map_node *n = map_first(&c->zones, hash_bytes(0, name.data, name.len));
    for (; n; n = map_next(n)) {
        struct held_zone *z = owner_of(n, struct held_zone, by_name);
        if (slice_equal(slice_of(z->bytes, z->len), name)) return z;
    }
    return NULL;
}

static struct held_zone *zone_make(struct core *c, struct slice name) {
    struct held_zone *z = calloc(1, sizeof *z + name.len);
    assert(z != NULL);
    memcpy(z->bytes, name.data, name.len);
    z->len = (uint16_t)name.len;
    list_init(&z->schedules);
    map_put(&c->zones, &z->by_name, hash_bytes(0, name.data, name.len));
    return z;
}

/* The zone that e names. *zone is NULL for UTC. */
static enum found zone_get(struct core *c, const struct event *e, struct slice name,
                           struct held_zone **zone) {
    *zone = NULL;
    if (zone_is_utc(name)) return HELD;
    struct held_zone *z = zone_find(c, name);
    if (z && z->zone) {
        *zone = z;
        return HELD;
    }
    const struct event *l = c->loaded;
    if (c->handling == e && l && l->need.kind == NEED_ZONE && slice_equal(l->need.key, name))
        return ABSENT;
    if (!z && c->zones.count >= ZONES_MAX) return ABSENT;
    const struct need need = {.kind = NEED_ZONE, .key = name};
    return park(c, e, &need);
}

/* ---- when ---- */

static const struct zone *zone_of(const struct schedule *s) {
    return s->zone ? s->zone->zone : NULL;
}

/* False while its zone is not here. */
static bool schedule_can_run(const struct schedule *s) {
    return zone_is_utc(s->record.zone) || (s->zone && s->zone->zone);
}

static void schedule_arm(struct core *c, struct schedule *s) {
    if (s->record.next_ms && schedule_can_run(s)) {
        const bool room = heap_set(&c->schedules, &s->timer, s->record.next_ms);
        assert(room);
    } else {
        heap_clear(&c->schedules, &s->timer);
    }
}

/* The first nominal time after `after_ms`; 0 = none. */
static int64_t schedule_next(const struct schedule *s, int64_t after_ms) {
    const struct schedule_record *r = &s->record;
    int64_t due_s;
    if (!r->active || (r->executions_max && r->executions >= r->executions_max)) return 0;
    if (r->start_ms && after_ms < r->start_ms - 1) after_ms = r->start_ms - 1;
    if (after_ms < r->last_ms) after_ms = r->last_ms;
    const int64_t after_s = after_ms / 1000 - (after_ms % 1000 < 0);
    if (!cron_next(&s->cron, zone_of(s), after_s, &due_s)) return 0;
    return r->end_ms && due_s * 1000 > r->end_ms ? 0 : due_s * 1000;
}

static void schedule_reckon(struct core *c, struct schedule *s, int64_t after_ms) {
    s->record.next_ms = schedule_next(s, after_ms);
    schedule_arm(c, s);
}

/* ---- runs ---- */

/* Writes the run's time into the payload, where it has a place for it. */
static void run_stamp(struct buffer *payload, uint32_t stamp, int64_t at_ms) {
    char text[DATE_TEXT_MAX];
    if (stamp == 0) return;
    date_format_ms(at_ms, text);
    assert(strlen(text) == SCHEDULE_STAMP_BYTES &&
           stamp + (size_t)SCHEDULE_STAMP_BYTES <= payload->len);
    memcpy(payload->data + stamp, text, SCHEDULE_STAMP_BYTES);
}

struct run { struct slice payload; uint32_t stamp; int64_t at_ms; uint8_t priority; };

/* NULL when no queue can be made for it. */
static struct task *schedule_submit(struct core *c, struct schedule *s, const struct run *run) {
    struct schedule_record *r = &s->record;
    struct lane *lane = lane_get(c, r->brand, r->queue, r->type, (struct slice){0});
    struct buffer payload = {0};
    if (!lane) return NULL;
    buffer_append(&payload, run->payload.data, run->payload.len);
    run_stamp(&payload, run->stamp, run->at_ms);
    const struct submit m = {
        .queue = r->queue, .type = r->type, .payload = buffer_slice(&payload),
        .options = {.set = SET_PRIORITY | SET_RETRIES | SET_TIMEOUT | SET_KEEP | SET_EXTRA,
                    .priority = run->priority, .dialect = r->dialect, .retries = r->retries,
                    .timeout_ms = r->timeout_ms, .keep_ms = r->keep_ms, .extra = r->extra}};
    struct task *t = submit_task(c, lane, &m, r->owner, r->id);
    buffer_free(&payload);
    r->last_task = t->head.id;
    r->run_ms = c->wall;
    r->last_status = STATUS_QUEUED;
    submit_place(c, t);
    return t;
}

/* One nominal time has come. False when nothing can be submitted now. */
static bool schedule_fire(struct core *c, struct schedule *s) {
    struct schedule_record *r = &s->record;
    const int64_t nominal = r->next_ms, late = c->wall - nominal;
    const bool missed = late > MISFIRE_GRACE_MS;
    const bool skip = missed && (r->misfire == MISFIRE_SKIP || core_bug(c, BUG_LOST_FIRE));
    const struct run run = {r->payload, r->stamp, nominal, r->priority};
    if (!skip) {
        if (!schedule_submit(c, s, &run)) return false;
        r->executions++;
        r->late_ms += late;
    }
    r->last_ms = nominal;
    if (!core_bug(c, BUG_DOUBLE_FIRE)) schedule_change(c, s);
    if (!missed) {
        schedule_reckon(c, s, nominal);
        return true;
    }
    int64_t from = c->wall; /* all until now are made up for */
    if (r->misfire == MISFIRE_SKIP) from -= MISFIRE_GRACE_MS + 1; /* what is just late runs */
    if (r->misfire == MISFIRE_ALL) {
        int64_t at = nominal;
        for (int i = 0; i < MISFIRES_MAX && at && at <= c->wall; i++) at = schedule_next(s, at);
        from = at && at <= c->wall ? c->wall : nominal;
    }
    schedule_reckon(c, s, from);
    return true;
}

void schedule_due(struct core *c) {
    const int64_t early_ms = core_bug(c, BUG_EARLY_DUE) ? RETRY_MS : 0;
    for (int i = 0; i < DUE_STEP_MAX && !c->disk_full; i++) {
        struct timer *first = heap_first(&c->schedules);
        if (!first || first->at > c->wall + early_ms) return;
        struct schedule *s = owner_of(first, struct schedule, timer);
        if (schedule_fire(c, s)) continue;
        const bool room = heap_set(&c->schedules, &s->timer, c->wall + RETRY_MS);
        assert(room);
    }
}

int64_t schedule_wake(const struct core *c) {
    const struct timer *first = heap_first(&c->schedules);
    if (!first || !c->ready) return INT64_MAX;
    const int64_t wait = first->at - c->wall;
    if (wait <= 0) return c->disk_full ? c->now + RETRY_MS : c->now;
    return c->now + wait;
}

void schedule_settled(struct core *c, const struct task *t) {
    struct schedule *s = t->head.schedule ? schedule_find(c, t->head.schedule) : NULL;
    if (!s) return;
    if (t->head.status == STATUS_COMPLETED) s->record.succeeded++;
    else s->record.failed++;
    if (t->head.id == s->record.last_task) s->record.last_status = t->head.status;
    if (list_empty(&s->dirty)) list_push(&c->dirty_schedules, &s->dirty);
}

/* ---- SCHEDULE ---- */

static void schedule_say(struct core *c, const struct event *e, const struct schedule *s,
                         uint64_t last_task) {
    struct schedule_record r = s->record;
    struct buffer body = {0};
    if (last_task) r.last_task = last_task;
    schedule_row_put(&body, &r);
    say_answer(c, e, CODE_OK, note_keep(c, buffer_slice(&body)));
    buffer_free(&body);
}

/* The record as it will stand: what the message names over what was there. */
static struct schedule_record record_merge(const struct core *c, const struct schedule_ref *m,
                                           const struct schedule_record *before) {
    struct schedule_record r = *before;
    const struct schedule_record *n = &m->record;
    if (m->set & SET_SCHEDULE_NAME) r.name = n->name;
    if (m->set & SET_SCHEDULE_EXPRESSION) r.expression = n->expression;
    if (m->set & SET_SCHEDULE_ZONE) r.zone = n->zone;
    if (m->set & SET_SCHEDULE_START) r.start_ms = n->start_ms;
    if (m->set & SET_SCHEDULE_END) r.end_ms = n->end_ms;
    if (m->set & SET_SCHEDULE_ACTIVE) r.active = n->active;
    if (m->set & SET_SCHEDULE_MAX) r.executions_max = n->executions_max;
    if (m->set & SET_SCHEDULE_MISFIRE) r.misfire = n->misfire;
    if (m->set & SET_SCHEDULE_QUEUE) r.queue = n->queue;
    if (m->set & SET_SCHEDULE_TYPE) r.type = n->type;
    if (m->set & SET_SCHEDULE_PAYLOAD) r.payload = n->payload;
    if (m->set & SET_SCHEDULE_EXTRA) r.extra = n->extra;
    if (m->set & SET_SCHEDULE_PRIORITY) r.priority = n->priority;
    if (m->set & SET_SCHEDULE_RETRIES) r.retries = n->retries;
    if (m->set & SET_SCHEDULE_TIMEOUT) r.timeout_ms = n->timeout_ms;
    if (m->set & SET_SCHEDULE_KEEP) r.keep_ms = n->keep_ms;
    if (m->set & SET_SCHEDULE_BODY) r.body = n->body;
    if (m->set & SET_SCHEDULE_STAMP) r.stamp = n->stamp;
    else if (m->set & SET_SCHEDULE_PAYLOAD) r.stamp = 0; /* it was a place in another payload */
    if (n->dialect) r.dialect = n->dialect;
    r.updated_ms = c->wall;
    return r;
}

static bool stamp_fits(uint32_t stamp, struct slice payload) {
    return stamp == 0 || stamp + (uint64_t)SCHEDULE_STAMP_BYTES <= payload.len;
}

static const char *template_wrong(const struct core *c, const struct schedule_record *r) {
    const struct core_limits *l = &c->limits;
    return !name_good(c, r->queue) ? "bad queue name"
           : !name_fits(c, r->type) ? "bad type"
           : !name_fits(c, r->name) ? "bad name"
           : r->expression.len > EXPRESSION_MAX ? "expression: it is too long"
           : r->priority >= PRIORITY_COUNT ? "priority is 0 to 3"
           : r->misfire >= MISFIRE_COUNT ? "misfire is 0 to 2"
           : r->retries > l->retries_max ? "too many retries"
           : !keep_good(r->keep_ms) ? "bad keep"
           : !stamp_fits(r->stamp, r->payload) ? "bad stamp"
           : r->start_ms < 0 || r->end_ms < 0 ? "bad time" : NULL;
}

/* `why` lives until the next call of the core. */
static enum code record_check(struct core *c, const struct schedule *s,
                              const struct schedule_record *r, struct slice *why) {
    const struct schedule *named = r->name.len ? schedule_named(c, r) : NULL;
    const size_t more = texts_size(r) - (s ? s->size : 0);
    const char *wrong = template_wrong(c, r), *unsound;
    struct cron cron;
    if (wrong) {
        *why = slice_text(wrong);
        return CODE_VALIDATION_ERROR;
    }
    if (!cron_parse(r->expression, &cron, &unsound)) {
        struct buffer text = {0};
        buffer_append(&text, "expression: ", sizeof "expression: " - 1);
        buffer_append(&text, unsound, strlen(unsound));
        *why = note_keep(c, buffer_slice(&text));
        buffer_free(&text);
        return CODE_VALIDATION_ERROR;
    }
    if (r->payload.len > c->limits.payload_max || r->body.len > c->limits.payload_max ||
        r->extra.len > c->limits.extra_max)
        return CODE_PAYLOAD_TOO_LARGE;
    if (named && named != s) return CODE_CONFLICT;
    if (c->schedule_bytes + more > c->limits.schedule_bytes_max) return CODE_LIMIT_REACHED;
    return !s && c->schedule_ids.count >= c->limits.schedules_max ? CODE_LIMIT_REACHED : CODE_OK;
}

static void zone_join(struct schedule *s, struct held_zone *zone) {
    list_unlink(&s->in_zone);
    s->zone = zone;
    if (zone) list_push(&zone->schedules, &s->in_zone);
}

static struct schedule *schedule_make(struct core *c, const struct schedule_record *r) {
    struct schedule *s = calloc(1, sizeof *s);
    assert(s != NULL);
    list_init(&s->in_zone);
    list_init(&s->dirty);
    record_hold(c, s, r);
    map_put(&c->schedule_ids, &s->by_id, hash_number(r->id));
    return s;
}

/* CREATE with s NULL, else CHANGE. */
static void schedule_write(struct core *c, const struct event *e, struct schedule *s,
                           uint32_t brand) {
    const struct schedule_ref *m = &e->message->schedule;
    const struct schedule_record fresh = {
        .id = m->id, .brand = brand, .kind = m->record.kind, .active = true,
        .priority = PRIORITY_NORMAL, .retries = (uint16_t)c->limits.retries,
        .keep_ms = c->limits.keep_ms, .created_ms = c->wall, .owner = slice_text(e->who.name)};
    const struct schedule_record r = record_merge(c, m, s ? &s->record : &fresh);
    struct held_zone *zone;
    struct slice why = {0};
    const enum code code = record_check(c, s, &r, &why);
    if (code != CODE_OK) {
        say_code(c, e, code, why);
        return;
    }
    const enum found found = zone_get(c, e, r.zone, &zone);
    if (found == ASKED) return;
    if (found == ABSENT) {
        say_code(c, e, CODE_VALIDATION_ERROR, slice_text("zone: there is no such time zone"));
        return;
    }
    const unsigned times = SET_SCHEDULE_EXPRESSION | SET_SCHEDULE_ZONE | SET_SCHEDULE_START |
                           SET_SCHEDULE_END | SET_SCHEDULE_ACTIVE | SET_SCHEDULE_MAX;
    const bool moved = !s || (m->set & times);
    if (s) record_hold(c, s, &r);
    else s = schedule_make(c, &r);
    zone_join(s, zone);
    schedule_change(c, s);
    if (moved) schedule_reckon(c, s, c->wall);
    schedule_say(c, e, s, 0);
}

static void schedule_run(struct core *c, const struct event *e, struct schedule *s) {
    const struct schedule_ref *m = &e->message->schedule;
    const bool own = m->set & SET_SCHEDULE_PAYLOAD;
    const struct run run = {
        .payload = own ? m->record.payload : s->record.payload,
        .stamp = m->set & SET_SCHEDULE_STAMP ? m->record.stamp : own ? 0 : s->record.stamp,
        .at_ms = c->wall,
        .priority = m->set & SET_SCHEDULE_PRIORITY ? m->record.priority : s->record.priority};
    if (run.payload.len > c->limits.payload_max || run.priority >= PRIORITY_COUNT ||
        !stamp_fits(run.stamp, run.payload)) {
        say_code(c, e, CODE_VALIDATION_ERROR, (struct slice){0});
        return;
    }
    const struct task *t = schedule_submit(c, s, &run);
    if (!t) {
        say_code(c, e, CODE_LIMIT_REACHED, slice_text("too many queues or lanes"));
        return;
    }
    s->record.manual++;
    schedule_change(c, s);
    schedule_say(c, e, s, t->head.id);
}

static void schedule_remove(struct core *c, const struct event *e, struct schedule *s) {
    schedule_say(c, e, s, 0);
    note(c, RECORD_SCHEDULE_GONE)->schedule =
        (struct schedule_record){.id = s->record.id, .brand = s->record.brand};
    schedule_forget(c, s);
}

static void schedule_reserve(struct core *c, const struct event *e) {
    const struct schedule_record r = {.id = number_next(c)};
    struct buffer body = {0};
    schedule_row_put(&body, &r);
    say_answer(c, e, CODE_OK, note_keep(c, buffer_slice(&body)));
    buffer_free(&body);
}

static void schedule_act(struct core *c, const struct event *e, struct schedule *s,
                         uint32_t brand) {
    const struct schedule_ref *m = &e->message->schedule;
    switch ((enum schedule_op)m->op) {
    case SCHEDULE_READ: schedule_say(c, e, s, 0); return;
    case SCHEDULE_CREATE:
    case SCHEDULE_CHANGE: schedule_write(c, e, s, brand); return;
    case SCHEDULE_REMOVE: schedule_remove(c, e, s); return;
    case SCHEDULE_RUN: schedule_run(c, e, s); return;
    case SCHEDULE_RESERVE: schedule_reserve(c, e); return;
    }
}

void schedule_step(struct core *c, const struct event *e) {
    const struct schedule_ref *m = &e->message->schedule;
    const bool fresh = m->op == SCHEDULE_CREATE || m->op == SCHEDULE_RESERVE;
    const bool reads = m->op == SCHEDULE_READ || m->op == SCHEDULE_REMOVE;
    schedule_due(c); /* what is due is not moved past its time */
    struct schedule *s = m->op == SCHEDULE_RESERVE ? NULL : schedule_find(c, m->id);
    const uint32_t brand = who_brand(&e->who, m->record.brand);
    enum code code = CODE_OK;
    if (m->op > SCHEDULE_RUN) code = CODE_VALIDATION_ERROR;
    else if (!who_writes(&e->who)) code = CODE_FORBIDDEN;
    else if (fresh ? !brand : !s || (brand && s->record.brand != brand))
        code = fresh ? CODE_FORBIDDEN : CODE_NOT_FOUND;
    else if (m->op == SCHEDULE_CREATE && (s || m->id == 0 || m->id >= c->next))
        code = s ? CODE_CONFLICT : CODE_VALIDATION_ERROR;
    else if (m->op == SCHEDULE_CHANGE && m->record.version &&
             m->record.version != s->record.version)
        code = CODE_CONFLICT;
    else if (!reads && c->disk_full)
        code = CODE_STORAGE_FULL;
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    schedule_act(c, e, s, brand);
}

/* ---- restart, groups ---- */

void schedule_zone_loaded(struct core *c, const struct event *e) {
    struct held_zone *z = zone_find(c, e->need.key);
    struct zone *zone = NULL;
    for (uint32_t i = 0; i < e->record_count && !zone; i++)
        if (e->records[i].kind == RECORD_OBJECT) zone = zone_new(e->records[i].object.body);
    if (!zone) return;
    if (!z) z = zone_make(c, e->need.key);
    if (z->zone) {
        zone_destroy(&zone);
        return;
    }
    z->zone = zone;
    for (struct node *n = z->schedules.next; n != &z->schedules; n = n->next)
        schedule_arm(c, owner_of(n, struct schedule, in_zone));
}

void schedule_restore(struct core *c, const struct schedule_record *r) {
    schedule_make(c, r);
}

void schedule_restored(struct core *c) {
    for (size_t i = 0; i <= c->schedule_ids.mask; i++)
        for (struct map_node *n = c->schedule_ids.buckets[i]; n; n = n->next) {
            struct schedule *s = owner_of(n, struct schedule, by_id);
            if (zone_is_utc(s->record.zone)) {
                schedule_arm(c, s);
                continue;
            }
            struct held_zone *z = zone_find(c, s->record.zone);
            if (!z) {
                z = zone_make(c, s->record.zone);
                want(c, &(struct need){.kind = NEED_ZONE, .key = slice_of(z->bytes, z->len)});
            }
            zone_join(s, z);
        }
}

void schedule_close(struct core *c) {
    for (struct node *n; (n = list_first(&c->dirty_schedules));) {
        struct schedule *s = owner_of(n, struct schedule, dirty);
        list_unlink(n);
        record_put(c, RECORD_SCHEDULE)->schedule = s->record;
    }
}

uint64_t schedule_digest(const struct core *c) {
    uint64_t sum = 0;
    for (size_t i = 0; i <= c->schedule_ids.mask; i++)
        for (struct map_node *n = c->schedule_ids.buckets[i]; n; n = n->next) {
            const struct schedule_record *r = &owner_of(n, struct schedule, by_id)->record;
            const uint64_t numbers[] = {r->id, (uint64_t)r->next_ms, (uint64_t)r->last_ms,
                                        r->version, r->executions, r->last_task};
            sum += hash_bytes(hash_bytes(r->brand, numbers, sizeof numbers), r->payload.data,
                              r->payload.len);
        }
    return sum;
}

void schedule_free(struct core *c) {
    for (size_t i = 0; c->schedule_ids.buckets && i <= c->schedule_ids.mask; i++)
        while (c->schedule_ids.buckets[i])
            schedule_forget(c, owner_of(c->schedule_ids.buckets[i], struct schedule, by_id));
    for (size_t i = 0; c->zones.buckets && i <= c->zones.mask; i++)
        while (c->zones.buckets[i]) {
            struct held_zone *z = owner_of(c->zones.buckets[i], struct held_zone, by_name);
            map_remove(&c->zones, &z->by_name);
            zone_destroy(&z->zone);
            free(z);
        }
}
