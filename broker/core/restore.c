#include "broker/core/restore.h"
#include "broker/core/alert.h"
#include "broker/core/attempt.h"
#include "broker/core/command.h"
#include "broker/core/due.h"
#include "broker/core/fleet.h"
#include "broker/core/lane.h"
#include "broker/core/lease.h"
#include "broker/core/object.h"
#include "broker/core/park.h"
#include "broker/core/queue.h"
#include "broker/core/schedule.h"
#include "broker/core/session.h"
#include "broker/core/station.h"
#include "broker/core/task.h"
#include "broker/core/worker.h"

void restore_begin(struct core *c) {
    assert(!c->ready && !c->restoring);
    c->restoring = true;
    want(c, &(struct need){.kind = NEED_RESTORE, .object = OBJECT_ALERT_RULE});
}

static void restore_meta(struct core *c, const struct meta_record *m) {
    if (core_bug(c, BUG_ID_REUSE)) return;
    if (m->sequence > c->next) c->next = m->sequence;
    c->objects = m->objects;
}

static void restore_task(struct core *c, const struct task_head *h) {
    if (h->status != STATUS_DELIVERED && h->status != STATUS_RUNNING) return;
    struct task *t = task_adopt(c, h);
    t->regrant = true;
    struct worker *w = worker_numbered(c, h->worker);
    if (!w) {
        struct worker_record unknown = {.worker = h->worker, .brand = h->brand};
        worker_restore(c, &unknown);
        w = worker_numbered(c, h->worker);
    }
    struct lease *l = lease_restore(c, w, t, h->epoch);
    w->restored++;
    if (w->record.http) {
        l->lease_ms = h->lease_ms;
        l->until = c->now + l->lease_ms;
    } else {
        l->until = c->now + c->limits.quiet_ms;
    }
    if (core_bug(c, BUG_NO_QUIET)) l->until = c->now;
    lease_arm(c, l);
}

static void restore_end(struct core *c) {
    c->restoring = false;
    fleet_restored(c);
    c->ready = c->fresh = true;
    c->born = c->next;
    c->reserved = c->next + NUMBER_BLOCK;
    c->meta_dirty = true;
    heap_set(&c->clock, &c->sweep, c->now + SWEEP_REST_MS);
    schedule_restored(c);
    due_step(c);
}

void restore_loaded(struct core *c, const struct event *e) {
    for (uint32_t i = 0; i < e->record_count; i++) {
        const struct record *r = &e->records[i];
        switch (r->kind) {
        case RECORD_META: restore_meta(c, &r->meta); break;
        case RECORD_LANE: lane_restore(c, &r->lane); break;
        case RECORD_QUEUE: queue_restore(c, &r->queue); break;
        case RECORD_WORKER: worker_restore(c, &r->worker); break;
        case RECORD_STATION: station_restore(c, &r->station); break;
        case RECORD_SESSION: session_restore(c, &r->session); break;
        case RECORD_COMMAND: command_restore(c, &r->command); break;
        case RECORD_SCHEDULE: schedule_restore(c, &r->schedule); break;
        case RECORD_TASK: restore_task(c, &r->task); break;
        case RECORD_OBJECT: alert_changed(c, &r->object); break;
        case RECORD_NONE: case RECORD_TASK_GONE: case RECORD_BODY: case RECORD_RESULT:
        case RECORD_ATTEMPT: case RECORD_LOG: case RECORD_CHECKPOINT: case RECORD_WORKER_GONE:
        case RECORD_DEDUP: case RECORD_DEDUP_GONE: case RECORD_OBJECT_GONE:
        case RECORD_FILE: case RECORD_FILE_GONE: case RECORD_RESULT_GONE:
        case RECORD_CHECKPOINT_GONE: case RECORD_PART: case RECORD_STATION_GONE:
        case RECORD_SESSION_GONE: case RECORD_COMMAND_GONE: case RECORD_SCHEDULE_GONE:
        case RECORD_TALLY: case RECORD_TALLY_GONE: case RECORD_COUNT: break;
        }
    }
    if (!e->more) restore_end(c);
}
