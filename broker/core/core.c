#include "broker/core/core.h"
#include "broker/core/alert.h"
#include "broker/core/bond.h"
#include "broker/core/cache.h"
#include "broker/core/claim.h"
#include "broker/core/checkpoint.h"
#include "broker/core/client.h"
#include "broker/core/command.h"
#include "broker/core/crew.h"
#include "broker/core/demand.h"
#include "broker/core/due.h"
#include "broker/core/effect.h"
#include "broker/core/feed.h"
#include "broker/core/fleet.h"
#include "broker/core/lane.h"
#include "broker/core/lease.h"
#include "broker/core/link.h"
#include "broker/core/object.h"
#include "broker/core/park.h"
#include "broker/core/queue.h"
#include "broker/core/report.h"
#include "broker/core/restore.h"
#include "broker/core/roll.h"
#include "broker/core/roster.h"
#include "broker/core/schedule.h"
#include "broker/core/station.h"
#include "broker/core/step.h"
#include "broker/core/submit.h"
#include "broker/core/sweep.h"
#include "broker/core/tally.h"
#include "broker/core/task.h"
#include "broker/core/watch.h"
#include "broker/core/worker.h"
#include <stdlib.h>

enum { DAY_MS = 24 * 3600 * 1000 };

void core_limits_default(struct core_limits *limits) {
    *limits = (struct core_limits){
        .window_bytes_max = 4u << 20, .body_bytes_max = 64u << 20, .links_max = 4096,
        .workers_max = 4096, .queues_max = 10000, .lanes_max = 20000, .running_max = 200000,
        .parked_max = 65536, .payload_max = 64 << 10, .result_max = 64 << 10,
        .checkpoint_max = 1 << 20, .extra_max = 8 << 10, .key_max = 255, .message_max = 4096,
        .name_max = 128, .log_lines_max = 100, .checkpoints_max = 1000, .retries_max = 1000,
        .parts_max = 10000, .part_bytes_max = 16 << 10, .parts_held_max = 16u << 20,
        .accepted_bytes_max = 64u << 20, .object_cache_bytes = 64u << 20,
        .feed_events_max = 10000, .feed_bytes_max = 64u << 20, .wait_ms_max = 60000,
        .beat_ms = 2000,
        .suspect_ms = 6000, .doubt_ms = 10000, .lost_ms = 15000, .claim_lease_ms = 3600 * 1000,
        .quiet_ms = 15000, .stop_repeat_ms = 2000, .freeze_ms_max = 60000, .backoff_ms = 1000,
        .backoff_ms_max = 300000, .dedup_ms = DAY_MS, .aging_ms = 60000, .crashes_max = 2,
        .retries = 3, .keep_ms = KEEP_FAILED, .failed_keep_ms = (int64_t)7 * DAY_MS,
        .tally_rows_max = 65536, .tally_days_max = 90,
        .alert_rules_max = 10000, .schedules_max = 100000, .schedule_bytes_max = 64 << 20,
        .stations_max = 10000, .sessions_max = 200000, .station_dead_ms = 120000,
        .recovery_ms = 3000, .commands_max = 1000, .command_bytes_max = 64u << 20,
        .command_repeat_ms = 20000, .command_deliveries_max = 5, .command_ttl_ms = DAY_MS};
}

struct core *core_new(const struct core_limits *limits, uint64_t incarnation) {
    struct core *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->limits = *limits;
    c->incarnation = incarnation;
    c->next = c->born = 1;
    c->reserved = 1;
    c->closes = 1;
    c->sweep_low_ms = INT64_MAX;
    c->link_next = (uint32_t)hash_number(incarnation) & 0x7fffffff;
    struct node *lists[] = {&c->dirty, &c->limbo, &c->released, &c->touched, &c->dirty_lanes,
                            &c->dirty_queues, &c->wanted, &c->crews_pending, &c->claims_given,
                            &c->objects_held, &c->objects_dirty, &c->events, &c->fed,
                            &c->dirty_schedules, &c->dirty_tallies};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) list_init(lists[i]);
    struct map *maps[] = {&c->lane_keys, &c->queue_keys, &c->crew_keys, &c->worker_names,
                          &c->worker_numbers, &c->watches, &c->wants, &c->object_ids,
                          &c->object_names, &c->feeds, &c->schedule_ids, &c->schedule_names,
                          &c->zones, &c->tallies, &c->alerts};
    c->tally_turn = 1;
    bool whole = map_init(&c->tasks, 4096) && fleet_init(c);
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) whole &= map_init(maps[i], 64);
    c->links = calloc(limits->links_max, sizeof *c->links);
    c->sweep.kind = TIMER_SWEEP;
    if (whole && c->links) return c;
    core_destroy(&c);
    return NULL;
}

void core_destroy(struct core **self) {
    struct core *c = *self;
    if (!c) return;
    *self = NULL;
    struct effects none = {0};
    c->fx = &none;
    for (uint32_t i = 0; c->links && i < c->links_used; i++) link_gone(c, i);
    park_free(c);
    worker_free(c);
    fleet_free(c);
    schedule_free(c);
    tally_free(c);
    alert_free(c);
    for (size_t i = 0; c->tasks.buckets && i <= c->tasks.mask; i++)
        while (c->tasks.buckets[i]) {
            struct task *t = owner_of(c->tasks.buckets[i], struct task, by_id);
            heap_clear(&c->due, &t->due);
            task_free(c, t);
        }
    crew_free(c);
    lane_free(c);
    queue_free(c);
    feed_free(c);
    cache_free(c);
    note_free(c);
    effects_free(&none);
    struct map *maps[] = {&c->tasks, &c->lane_keys, &c->queue_keys, &c->crew_keys,
                          &c->worker_names, &c->worker_numbers, &c->watches, &c->wants,
                          &c->object_ids, &c->object_names, &c->feeds, &c->schedule_ids,
                          &c->schedule_names, &c->zones, &c->tallies, &c->alerts};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) map_free(maps[i]);
    heap_free(&c->clock);
    heap_free(&c->due);
    heap_free(&c->schedules);
    buffer_free(&c->sweep_key);
    free(c->links);
    blocks_free(&c->blocks);
    free(c);
}

void step_message(struct core *c, const struct event *e) {
    switch (e->message->verb) {
    case VERB_HELLO: link_hello(c, e); return;
    case VERB_BEAT: link_beat(c, e); return;
    case VERB_BYE: link_bye(c, e); return;
    case VERB_CREDIT: link_credit(c, e); return;
    case VERB_DRAIN: link_drain(c, e); return;
    case VERB_SUBMIT: submit_step(c, e); return;
    case VERB_GET: case VERB_WATCH: case VERB_CANCEL: case VERB_RETRY: case VERB_UPDATE:
    case VERB_REMOVE: case VERB_EXPLAIN: case VERB_PAUSE: client_step(c, e); return;
    case VERB_CHECKPOINT_PUT: case VERB_CHECKPOINT_DROP: checkpoint_step(c, e); return;
    case VERB_QUEUE: queue_step(c, e); return;
    case VERB_PUT: case VERB_FETCH: case VERB_DROP: object_step(c, e); return;
    case VERB_FEED: feed_step(c, e); return;
    case VERB_SCHEDULE: schedule_step(c, e); return;
    case VERB_START: case VERB_PROGRESS: case VERB_CHECKPOINT: case VERB_DONE: case VERB_FAIL:
    case VERB_RELEASE: case VERB_LOG: case VERB_STOPPED: report_step(c, e); return;
    case VERB_CLAIM: claim_step(c, e); return;
    case VERB_UNWATCH: client_unwatch(c, e); return;
    case VERB_STATION_PUT: case VERB_STATION_BEAT: case VERB_STATION_LEAVE:
    case VERB_STATION_GET: station_step(c, e); return;
    case VERB_STATION_LIST: roster_step(c, e); return;
    case VERB_SESSION_PUT: case VERB_SESSION_REPORT: case VERB_SESSION_DO:
    case VERB_SESSION_GET: demand_step(c, e); return;
    case VERB_COMMANDS: command_step(c, e); return;
    case VERB_FLEET_STATS: fleet_step(c, e); return;
    case VERB_WORKERS: roll_step(c, e); return;
    case VERB_ASK: case VERB_STATS: case VERB_FILE_CREATE: case VERB_FILE_WRITE:
    case VERB_FILE_SEAL: case VERB_FILE_READ: case VERB_FILE_DROP: case VERB_FILE_APPEND:
    case VERB_FILE_LINK:
    case VERB_FILE_END: case VERB_FILE_STAT: case VERB_WELCOME:
    case VERB_RESYNC: case VERB_SUBMITTED: case VERB_TASK: case VERB_SETTLED:
    case VERB_CHECKPOINT_OK: case VERB_STOP: case VERB_RECALL: case VERB_VIEW: case VERB_ANSWER:
    case VERB_ROWS: case VERB_OUTCOME: case VERB_REFUSED: case VERB_FILE_BYTES:
    case VERB_KEYRING:
    case VERB_NONE: say_code(c, e, CODE_UNKNOWN_VERB, (struct slice){0}); return;
    }
}

static void timer_run(struct core *c, struct timer *t) {
    heap_clear(&c->clock, t);
    switch ((enum timer_kind)t->kind) {
    case TIMER_LEASE: lease_timer(c, owner_of(t, struct lease, timer)); return;
    case TIMER_LINK: link_timer(c, owner_of(t, struct link, timer)); return;
    case TIMER_WORKER: worker_timer(c, owner_of(t, struct worker, timer)); return;
    case TIMER_WATCH: watch_timer(c, owner_of(t, struct watch, timer)); return;
    case TIMER_CLAIM: claim_timer(c, owner_of(t, struct claim_wait, timer)); return;
    case TIMER_QUEUE: queue_update(c, owner_of(t, struct queue, timer)); return;
    case TIMER_SWEEP: sweep_timer(c); return;
    case TIMER_STATION: station_timer(c, owner_of(t, struct station, timer)); return;
    case TIMER_FLEET: fleet_timer(c, owner_of(t, struct fleet, timer)); return;
    case TIMER_COMMANDS: command_timer(c, owner_of(t, struct command_wait, timer)); return;
    case TIMER_FEED: feed_timer(c, owner_of(t, struct feed_wait, timer)); return;
    }
}

static void step_time(struct core *c) {
    if (!c->ready) return;
    for (struct timer *t; (t = heap_first(&c->clock)) && t->at <= c->now;) timer_run(c, t);
    schedule_due(c);
    due_step(c);
}

static void loaded_task(struct core *c, const struct event *e) {
    for (uint32_t i = 0; i < e->record_count; i++) {
        const struct record *r = &e->records[i];
        if (r->kind != RECORD_TASK || r->task.id != e->need.id) continue;
        if (!task_held(c, r->task.id)) task_rest(c, task_adopt(c, &r->task));
    }
}

static void step_loaded(struct core *c, const struct event *e) {
    struct wanted *answered = e->more ? NULL : park_answered(c, e);
    c->loaded = e;
    switch (e->need.kind) {
    case NEED_TASK: loaded_task(c, e); break;
    case NEED_BODY: lane_fetched(c, e); break;
    case NEED_LANE: lane_loaded(c, e); break;
    case NEED_DUE: due_loaded(c, e); break;
    case NEED_RESTORE: restore_loaded(c, e); break;
    case NEED_SWEEP: sweep_loaded(c, e); break;
    case NEED_OBJECT: case NEED_FILE:
        cache_loaded(c, e);
        bond_loaded(c, e);
        break;
    case NEED_ZONE: schedule_zone_loaded(c, e); break;
    case NEED_DEDUP: case NEED_POINT: case NEED_NONE: break;
    }
    if (answered) park_resume(c, answered);
    c->loaded = NULL;
}

static void step_event(struct core *c, const struct event *e) {
    switch (e->kind) {
    case EVENT_MESSAGE:
        if (e->message->verb == VERB_HELLO) link_hello(c, e);
        else if (link_check(c, e)) step_message(c, e);
        return;
    case EVENT_TIME: step_time(c); return;
    case EVENT_LOADED: step_loaded(c, e); return;
    case EVENT_LINK_GONE: link_gone(c, e->peer); return;
    case EVENT_RESTORE: restore_begin(c); return;
    case EVENT_STALL: return; /* core_step has set the clock back already */
    case EVENT_OPEN: link_open(c, e); return;
    case EVENT_DISK: c->disk_full = e->disk_full; return;
    case EVENT_ROOM: link_room(c, e->peer); return;
    }
}

void core_step(struct core *c, const struct event *e, struct effects *fx) {
    c->fx = fx;
    if (c->closed) {
        c->closed = false;
        note_clear(c);
    }
    if (!list_empty(&c->released) || !list_empty(&c->limbo)) task_recycle(c);
    if (c->object_bytes > c->limits.object_cache_bytes) cache_trim(c);
    if (e->kind == EVENT_STALL && !core_bug(c, BUG_STALL_EXPIRES)) c->stalled += e->stall_ms;
    if (c->fresh) { /* nobody could reach us yet: leases and quiet period begin with the first */
        c->stalled = e->mono_ms - c->now;
        c->fresh = e->kind == EVENT_LOADED || e->kind == EVENT_STALL;
    }
    if (e->mono_ms - c->stalled > c->now) c->now = e->mono_ms - c->stalled;
    c->wall = e->wall_ms;
    c->random = hash_number(c->random ^ e->seed);
    c->handling = NULL;
    c->resuming = NULL;
    step_event(c, e);
    if (!list_empty(&c->crews_pending)) crew_dispatch_pending(c);
    if (!list_empty(&c->claims_given)) claim_flush(c);
    if (!list_empty(&c->touched)) watch_flush(c);
    if (!list_empty(&c->called)) command_flush(c);
    if (!list_empty(&c->fed)) feed_flush(c);
}

void core_close(struct core *c, struct effects *fx) {
    c->fx = fx;
    if (c->closed) note_clear(c);
    if (c->meta_dirty) {
        record_put(c, RECORD_META)->meta =
            (struct meta_record){.sequence = c->reserved, .incarnation = c->incarnation,
                                 .objects = c->objects};
        c->meta_dirty = false;
    }
    queue_close(c);
    lane_close(c);
    for (uint32_t i = 0; i < c->note_count; i++) *record_put(c, c->notes[i].kind) = c->notes[i];
    task_close(c);
    fleet_close(c);
    schedule_close(c);
    tally_close(c);
    cache_close(c);
    c->note_count = 0;
    c->closed = true;
}

bool core_dirty(const struct core *c) {
    return c->meta_dirty || !list_empty(&c->dirty_queues) || !list_empty(&c->dirty_lanes) ||
           (!c->closed && c->note_count > 0) || !list_empty(&c->dirty) ||
           !list_empty(&c->objects_dirty) || !list_empty(&c->dirty_schedules) ||
           !list_empty(&c->dirty_tallies) || fleet_dirty(c);
}

size_t core_rest(struct core *c) { return blocks_rest(&c->blocks); }

bool core_ready(const struct core *c) { return c->ready; }

int64_t core_wake_ms(const struct core *c) {
    if (!c->ready) return INT64_MAX;
    const struct timer *first = heap_first(&c->clock);
    int64_t wake = due_wake(c);
    if (first && first->at < wake) wake = first->at;
    const int64_t scheduled = schedule_wake(c);
    if (scheduled < wake) wake = scheduled;
    return wake == INT64_MAX ? wake : wake + c->stalled;
}

void core_stats(const struct core *c, struct core_stats *stats) {
    *stats = c->stats;
    stats->parked = c->parked_count;
    stats->window_bytes = c->window_bytes;
    stats->body_bytes = c->body_bytes;
    stats->accepted_bytes = c->accepted_bytes;
    stats->links = c->link_count;
    stats->workers = c->worker_count;
    stats->lanes = c->lane_count;
    stats->queues = c->queue_count;
    stats->objects = c->objects;
    stats->object_bytes = c->object_bytes;
    stats->schedules = c->schedule_ids.count;
    stats->stations = c->station_count;
    stats->sessions = c->session_count;
    stats->commands = c->command_ids.count;
    stats->command_bytes = c->command_bytes;
}

static uint64_t lane_digest(const struct lane *l) {
    uint64_t h = hash_bytes(l->number, l->type.data, l->type.len);
    h = hash_bytes(h, l->queue->set.name.data, l->queue->set.name.len);
    for (int p = 0; p < PRIORITY_COUNT; p++)
        h = hash_bytes(h, l->shelves[p].count, sizeof l->shelves[p].count);
    return h;
}

uint64_t core_digest(const struct core *c) {
    uint64_t sum = hash_number(c->objects) + fleet_digest(c) + schedule_digest(c);
    for (uint32_t i = 1; i <= c->lane_count; i++)
        if (c->lanes[i]) sum += lane_digest(c->lanes[i]);
    for (size_t i = 0; i <= c->tasks.mask; i++)
        for (struct map_node *n = c->tasks.buckets[i]; n; n = n->next) {
            const struct task *t = owner_of(n, struct task, by_id);
            if (!t->lease || task_accepted(t)) continue;
            uint64_t h = hash_number(t->head.id) ^ hash_number(t->head.epoch * 3);
            sum += hash_number(h ^ ((uint64_t)t->head.status << 32) ^ t->head.attempt ^
                               ((uint64_t)t->head.checkpoint << 8));
        }
    return sum;
}
