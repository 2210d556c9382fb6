/* group.c - what a turn commits together, and the life of the store behind it. See turn.h. */
#include "broker/turn_state.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include "store/codec.h"
#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- groups ---- */

static bool file_job_add(struct file_jobs *jobs, uint64_t file, bool gone) {
    if (jobs->count == jobs->cap) {
        const uint32_t cap = jobs->cap == 0 ? 16 : 2 * jobs->cap;
        struct file_job *at = realloc(jobs->at, cap * sizeof *at);
        if (at == NULL) return false;
        jobs->at = at;
        jobs->cap = cap;
    }
    jobs->at[jobs->count++] = (struct file_job){.file = file, .gone = gone};
    return true;
}

/* Encodes records of the group. What it says of files is done once it is durable; a job that
 * is lost (memory) is made up for when the store is next opened: filer_recover. */
static void records_encode(void *context, struct effects *fx) {
    struct turn *t = context;
    for (uint32_t i = 0; i < fx->record_count; i++) {
        const struct record *r = &fx->records[i];
        record_encode(&t->records, r);
        bool kept = true;
        if (r->kind == RECORD_FILE) kept = file_job_add(&t->filling, r->file.file, false);
        if (r->kind == RECORD_FILE_GONE) kept = file_job_add(&t->filling, r->file.file, true);
        if (!kept) log_error("a file is not moved: out of memory");
    }
    fx->record_count = 0;
}

void turn_run_file_jobs(struct turn *t) {
    for (uint32_t i = 0; i < t->in_flight.count; i++) {
        const struct file_job *job = &t->in_flight.at[i];
        if (job->gone)
            filer_remove(t->setup.filer, job->file);
        else
            filer_place(t->setup.filer, job->file);
    }
    t->in_flight.count = 0;
}

static void store_fail(struct turn *t, const char *why);
static void writer_result_take(struct turn *t, const struct writer_result *result);

/* See turn.h. */
static bool appends_here(const struct turn *t, bool more) {
    uint32_t us, us_max;
    if (more || t->life != LIFE_UP || t->here_off > 0 || t->records.len > HERE_BYTES_MAX)
        return false;
    if (t->group_items > HERE_ITEMS_MAX) return false;
    writer_pace(t->writer, &us, &us_max);
    return us <= HERE_US_MAX && us_max <= HERE_PEAK_US_MAX;
}

/* What was just handed to libzmq's thread leaves before this one takes the processor for the write;
 * not where others want it for longer. */
static void thread_yield(struct turn *t) {
    if (t->yield_off > 0) {
        t->yield_off--;
        return;
    }
    const int64_t from_us = clock_mono_us();
    sched_yield();
    if (clock_mono_us() - from_us > YIELD_US_MAX) t->yield_off = HERE_OFF_GROUPS;
}

static void group_append(struct turn *t, bool more) {
    const bool here = appends_here(t, more);
    struct writer_result result;
    t->flying = true;
    if (t->here_off > 0) t->here_off--;
    t->group_items = 0;
    t->open_bytes = 0;
    if (!here) {
        writer_append(t->writer, &t->records, t->group++);
        return;
    }
    thread_yield(t);
    writer_append_here(t->writer, &t->records, t->group++);
    t->wrote_here = true;
    if (writer_done(t->writer, &result)) writer_result_take(t, &result);
}

void turn_close_group(struct turn *t, bool more) {
    if (t->life == LIFE_DOWN || t->life == LIFE_OPENING || t->flying) return;
    if (t->life == LIFE_RESTORING) return; /* the first group is closed when all is restored */
    audit_sync(t->acts.audit);
    assert(t->records.len == 0);
    t->fx.take = records_encode;
    t->fx.context = t;
    if (core_dirty(t->core)) core_close(t->core, &t->fx);
    records_encode(t, &t->fx);
    if (t->records.len == 0 && !t->records.failed) {
        router_release_open(t->setup.router, t->mono_ms);
        t->open_bytes = 0;
        t->group_items = 0;
        return;
    }
    if (t->records.failed) {
        store_fail(t, "out of memory");
        return;
    }
    t->stats.groups++;
    t->stats.group_bytes += t->records.len;
    router_close(t->setup.router);
    const struct file_jobs empty = t->in_flight;
    t->in_flight = t->filling;
    t->filling = empty;
    group_append(t, more);
}

/* ---- the store's life ---- */

/* Every link is of the core that is gone. */
static void say_resync(struct turn *t) {
    const struct message m = {.verb = VERB_RESYNC};
    struct router *router = t->setup.router;
    uint32_t at = 0;
    for (struct peer *p; (p = router_next(router, &at)) != NULL;)
        router_say(router, p->number, SAY_NOW, &m);
}

static void peers_forget_core(struct turn *t) {
    for (uint32_t i = 0; i < t->setup.router_limits->peers_max; i++) {
        struct peer *p = router_entry(t->setup.router, i);
        if (p == NULL) break;
        p->known = false;
        p->link = 0;
    }
}

/* Everything that was said but not released is forgotten: it was never promised. */
static void store_fail(struct turn *t, const char *why) {
    if (t->was_up)
        log_error("the store failed: nothing is acknowledged until it is open again",
                  field_text("why", why), field_number("group", t->group));
    router_drop_unsaid(t->setup.router);
    core_destroy(&t->core);
    peers_forget_core(t);
    effects_clear(&t->fx);
    buffer_free(&t->records);
    t->filling.count = t->in_flight.count = 0;
    t->flying = false;
    acts_forget(&t->acts, t->wall_ms);
    t->life = LIFE_DOWN;
    t->stats.restarts++;
    t->reopen_wait_ms = t->reopen_wait_ms == 0 ? REOPEN_MS_MIN : 2 * t->reopen_wait_ms;
    if (t->reopen_wait_ms > REOPEN_MS_MAX) t->reopen_wait_ms = REOPEN_MS_MAX;
    t->reopen_at_ms = t->mono_ms + t->reopen_wait_ms;
}

static void come_up(struct turn *t) {
    t->life = LIFE_UP;
    t->reopen_wait_ms = 0;
    if (t->was_up) say_resync(t);
    t->was_up = true;
    log_info("restored", field_number("incarnation", t->incarnation),
             field_number("group", t->group), field_number("peers",
             router_peer_count(t->setup.router)));
}

/* A new core on the store that was opened: it asks for what it needs. */
static void core_begin(struct turn *t, const struct writer_result *result) {
    const uint64_t now_s = (uint64_t)(t->wall_ms / 1000);
    t->incarnation = result->incarnation + 1 > now_s ? result->incarnation + 1 : now_s;
    t->group = result->group;
    t->durable = result->group - 1;
    t->opened = writer_opened(t->writer);
    t->disk_full = false; /* the new core has not been told */
    t->core = core_new(t->setup.limits, t->incarnation);
    if (t->core == NULL) {
        store_fail(t, "out of memory");
        return;
    }
    t->life = LIFE_RESTORING;
    struct event e = turn_event(t, EVENT_RESTORE);
    turn_step(t, &e);
}

static void writer_result_take(struct turn *t, const struct writer_result *result) {
    if (result->job == JOB_OPEN && t->life == LIFE_OPENING) {
        snprintf(t->why, sizeof t->why, "%s", result->why);
        if (result->good)
            core_begin(t, result);
        else
            store_fail(t, result->why);
        return;
    }
    if (result->job != JOB_APPEND || !t->flying) return; /* of a store that failed since */
    t->flying = false;
    if (!result->good) {
        snprintf(t->why, sizeof t->why, "%s", result->why);
        store_fail(t, result->why);
        return;
    }
    t->durable = result->group;
    router_release(t->setup.router, t->mono_ms);
    turn_run_file_jobs(t);
    if (t->life == LIFE_SETTLING) come_up(t);
}

void turn_tend_store(struct turn *t) {
    struct writer_result result;
    if (writer_done(t->writer, &result)) writer_result_take(t, &result);
    if (t->life == LIFE_DOWN && t->mono_ms >= t->reopen_at_ms && writer_idle(t->writer)) {
        t->life = LIFE_OPENING;
        writer_open(t->writer);
    }
    if (t->life == LIFE_RESTORING && core_ready(t->core)) {
        t->life = LIFE_SETTLING;
        turn_close_group(t, true);
        if (!t->flying) come_up(t);
    }
}

void turn_take_loaded(struct turn *t) {
    for (struct letter *l = post_take_all(&t->loaded), *next; l != NULL; l = next) {
        next = l->next;
        struct chunk *chunk = (struct chunk *)(void *)l;
        if (t->core != NULL && chunk->opened == t->opened) {
            struct event e = turn_event(t, EVENT_LOADED);
            e.need = chunk->need;
            e.records = chunk->records;
            e.record_count = chunk->count;
            e.more = chunk->more;
            if (chunk->failed)
                store_fail(t, "what the core needs at start could not be read");
            else
                turn_step(t, &e);
        }
        loader_give_back(t->loader, chunk);
    }
}
