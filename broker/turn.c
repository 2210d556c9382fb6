/* turn.c - see turn.h. */
#include "broker/turn_state.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include "proto/host/memory.h"
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

struct turn *turn_new(const struct turn_setup *setup, char *why, size_t why_size) {
    struct turn *t = calloc(1, sizeof *t);
    snprintf(why, why_size, "out of memory or threads");
    if (t == NULL) return NULL;
    t->setup = *setup;
    t->wake.fd = -1;
    atomic_init(&t->stopping, false);
    lobby_open(&t->lobby, setup->submit_wait_ms_max);
    post_open(&t->loaded, &t->wake);
    post_open(&t->answered, &t->wake);
    randombytes_buf(&t->seed, sizeof t->seed);
    t->mono_ms = clock_mono_ms();
    t->wall_ms = clock_wall_ms();
    if (wake_open(&t->wake)) t->writer = writer_start(setup->store, &t->wake);
    if (t->writer != NULL) filer_serve(setup->filer, t->writer);
    if (t->writer != NULL) t->loader = loader_start(t->writer, &t->loaded);
    if (t->loader != NULL)
        t->ask = ask_start(t->writer, &t->answered, setup->secret->id_key, setup->ask_rows_max,
                           setup->ask_ms_max);
    if (t->ask == NULL || !keys_open(&t->keys, setup->data, setup->secret, why, why_size)
        || !acts_open(&t->acts, &setup->audit, why, why_size))
        turn_destroy(&t);
    return t;
}

void turn_destroy(struct turn **self) {
    struct turn *t = *self;
    if (t == NULL) return;
    lobby_close(&t->lobby);
    core_destroy(&t->core);
    filer_serve(t->setup.filer, NULL);
    if (t->writer != NULL) {
        struct writer_result last;
        writer_stop(t->writer); /* the last group is durable now, or never */
        if (t->flying && writer_done(t->writer, &last) && last.good) turn_run_file_jobs(t);
    }
    ask_stop(&t->ask);
    turn_take_answers(t);
    for (struct letter *l = post_take_all(&t->loaded), *next; l != NULL; l = next) {
        next = l->next;
        loader_give_back(t->loader, (struct chunk *)(void *)l);
    }
    loader_stop(&t->loader);
    writer_free(&t->writer);
    effects_free(&t->fx);
    buffer_free(&t->records);
    buffer_free(&t->row);
    free(t->filling.at);
    free(t->in_flight.at);
    keys_free(&t->keys);
    acts_close(&t->acts);
    post_free(&t->loaded);
    post_free(&t->answered);
    wake_close(&t->wake);
    free(t);
    *self = NULL;
}

/* ---- time ---- */

/* Reads the clock; time that was neither worked nor meant to be slept is told to the core first. */
static void clock_take(struct turn *t) {
    const int64_t mono_ms = clock_mono_ms();
    const int64_t stall_ms = mono_ms - t->mono_ms - t->slept_ms;
    assert(mono_ms >= t->mono_ms);
    if (!t->heard && mono_ms > t->mono_ms) router_look(t->setup.router);
    t->heard = false;
    t->mono_ms = mono_ms;
    t->wall_ms = clock_wall_ms();
    t->slept_ms = 0;
    if (stall_ms < STALL_MS_MIN) return;
    t->stalled_ms += stall_ms;
    if (t->life != LIFE_UP) return;
    log_warn("this process stood still; leases are extended", field_signed("ms", stall_ms));
    struct event e = turn_event(t, EVENT_STALL);
    e.stall_ms = stall_ms;
    turn_step(t, &e);
}

static void timers_step(struct turn *t) {
    if (t->life != LIFE_UP) return;
    for (int i = 0; i < TURN_TIMERS_MAX && core_wake_ms(t->core) <= t->mono_ms; i++) {
        struct event e = turn_event(t, EVENT_TIME);
        turn_step(t, &e);
    }
}

static void admission_look(struct turn *t) {
    if (t->life != LIFE_UP) return;
    t->debt = writer_debt(t->writer);
    const bool full = writer_disk_full(t->writer);
    if (full == t->disk_full) return;
    t->disk_full = full;
    if (full)
        log_error("the disk is nearly full: new tasks are refused until there is room; make some, "
                  "or start with a lower free_bytes_min", field_text("data", t->setup.data),
                  field_number("free_bytes_min", t->setup.store->free_bytes_min));
    else
        log_info("there is room on the disk again");
    struct event e = turn_event(t, EVENT_DISK);
    e.disk_full = full;
    turn_step(t, &e);
}

/* What a burst needed goes back to the system once little has come for a second. */
static void memory_rest(struct turn *t) {
    const uint64_t items = t->stats.items - t->rested_items;
    t->rested_items = t->stats.items;
    if (items < REST_ITEMS && t->core != NULL && core_rest(t->core) > 0) memory_give_back();
}

/* What is done once a second. */
static void chores(struct turn *t) {
    if (t->mono_ms < t->sweep_at_ms) return;
    t->sweep_at_ms = t->mono_ms + SWEEP_MS;
    memory_rest(t);
    router_sweep(t->setup.router, t->mono_ms);
    const unsigned change = keys_look(&t->keys, t->mono_ms);
    if ((change & KEYS_CURVE) != 0) turn_check_keys(t);
    if ((change & KEYS_RING) == 0) return;
    uint32_t at = 0;
    for (struct peer *p; (p = router_next(t->setup.router, &at)) != NULL;)
        if (p->who.role == ROLE_GATEWAY && p->link != 0) turn_push_keyring(t, p->number);
}

/* ---- files ---- */

/* Once for each opening of the store; the first time before anybody can connect. */
static bool files_settle(struct turn *t, char *why, size_t why_size) {
    struct store *store = writer_borrow(t->writer, t->opened);
    t->files_settled = t->opened;
    if (store == NULL) return true; /* it failed meanwhile: the next turn says so */
    const bool good = filer_recover(t->setup.filer, store, why, why_size);
    writer_return(t->writer);
    return good;
}

static void files_settle_again(struct turn *t) {
    char why[WHY_MAX];
    if (t->life != LIFE_UP || t->files_settled == 0 || t->files_settled == t->opened) return;
    if (!files_settle(t, why, sizeof why))
        log_error("what became of files while the store was down is not known",
                  field_text("why", why));
}

/* ---- the loop ---- */

/* What leaves now had to wait for a write in this thread: the other one writes for a while. */
static void here_learn(struct turn *t) {
    if (t->wrote_here && router_leaves_now(t->setup.router)) t->here_off = HERE_OFF_GROUPS;
    t->wrote_here = false;
}

/* One turn; true when there is more to do at once. */
static bool turn_once(struct turn *t) {
    t->stats.turns++;
    clock_take(t);
    turn_tend_store(t);
    turn_take_loaded(t);
    files_settle_again(t);
    admission_look(t);
    const bool more = !t->draining && turn_take_frames(t);
    turn_take_answers(t);
    turn_tend_revoked(t);
    timers_step(t);
    chores(t);
    turn_bury_peers(t);
    here_learn(t);
    router_flush(t->setup.router, t->mono_ms);
    turn_close_group(t, more);
    t->send_blocked = router_retry(t->setup.router, t->mono_ms);
    const bool room = turn_tell_room(t);
    return more || room || router_gone(t->setup.router) != NULL;
}

static int64_t sleep_ms(const struct turn *t) {
    int64_t ms = SLEEP_MS_MAX;
    if (t->life == LIFE_UP && core_wake_ms(t->core) - t->mono_ms < ms)
        ms = core_wake_ms(t->core) - t->mono_ms;
    if (t->life == LIFE_DOWN && t->reopen_at_ms - t->mono_ms < ms)
        ms = t->reopen_at_ms - t->mono_ms;
    if ((t->send_blocked || router_full(t->setup.router)) && ms > RETRY_SEND_MS) ms = RETRY_SEND_MS;
    return ms < 0 ? 0 : ms;
}

static bool something_waits(struct turn *t) {
    return writer_news(t->writer) || !post_empty(&t->loaded) || !post_empty(&t->answered)
        || atomic_load(&t->stopping);
}

/* Sleeps until there is something to do; true when stop_fd is readable. */
static bool turn_sleep(struct turn *t, int stop_fd) {
    struct pollfd fds[SOCKETS_MAX + 2] = {{.fd = t->wake.fd, .events = POLLIN},
                                          {.fd = stop_fd, .events = POLLIN}};
    uint32_t count = 2;
    const int64_t before_ms = clock_mono_ms(), ms = sleep_ms(t);
    wake_sleep(&t->wake);
    const bool full = router_full(t->setup.router); /* then frames have to wait */
    if ((full || !router_poll(t->setup.router, fds, &count)) && !something_waits(t)) {
        poll(fds, count, (int)ms);
        t->wrote_here = false; /* what comes from now on did not wait */
        t->heard = !full;
    }
    router_wake(t->setup.router, fds + 2);
    wake_up(&t->wake, (fds[0].revents & POLLIN) != 0);
    const int64_t slept_ms = clock_mono_ms() - before_ms;
    t->slept_ms = slept_ms < ms ? slept_ms : ms;
    return stop_fd >= 0 && (fds[1].revents & POLLIN) != 0;
}

bool turn_open(struct turn *t, int stop_fd, char *why, size_t why_size) {
    while (t->life != LIFE_UP) {
        turn_once(t);
        if (t->life == LIFE_DOWN && t->stats.restarts > 0) { /* the first try decides */
            snprintf(why, why_size, "%s", t->why);
            return false;
        }
        if (t->life != LIFE_UP && turn_sleep(t, stop_fd)) {
            snprintf(why, why_size, "stopped while it was starting");
            return false;
        }
    }
    return files_settle(t, why, why_size);
}

void turn_run(struct turn *t, int stop_fd) {
    while (!atomic_load(&t->stopping)) {
        if (turn_once(t)) continue;
        if (turn_sleep(t, stop_fd)) break;
    }
}

void turn_stop(struct turn *t) {
    atomic_store(&t->stopping, true);
    wake_ring(&t->wake);
}

void turn_drain(struct turn *t, uint32_t drain_ms) {
    const int64_t end_ms = clock_mono_ms() + drain_ms;
    atomic_store(&t->stopping, false);
    t->draining = true; /* what is not read now is read by the next broker, or sent again */
    do {
        turn_once(t);
        const bool quiet = t->life != LIFE_UP || (!t->flying && !core_dirty(t->core));
        if (quiet && router_waiting_bytes(t->setup.router) == 0) break;
        turn_sleep(t, -1);
    } while (t->mono_ms < end_ms);
    turn_once(t);
}
