#include "worker/crew.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include "proto/host/signal.h"
#include <stdlib.h>

enum { POLL_SIGNAL, POLL_LINK, POLL_LOAD, POLL_SLOTS }; /* places in c->polls */
enum { TICK_MS = 1000, TICK_BUSY_MS = 100, SILENT_MS = 5000, BARREN_MAX = 3 };

bool crew_open(struct crew *c, struct work *work, uint32_t slot_count, bool prefetch, int signals) {
    *c = (struct crew){.work = work, .slot_count = slot_count, .prefetch = prefetch,
                       .signals = signals, .warn_ms = clock_mono_ms() + SILENT_MS,
                       .link = relais_worker_fd(work->worker)};
    c->slots = calloc(slot_count, sizeof *c->slots);
    c->polls = calloc(POLL_SLOTS + (size_t)slot_count * RUN_FDS, sizeof *c->polls);
    for (uint32_t i = 0; c->slots && i < slot_count; i++) slot_open(&c->slots[i], work);
    if (c->slots && c->polls && c->link >= 0) return true;
    crew_close(c);
    return false;
}

void crew_close(struct crew *c) {
    free(c->slots);
    free(c->polls);
    c->slots = NULL;
    c->polls = NULL;
}

static struct slot *slot_find(struct crew *c, enum slot_state state) {
    for (uint32_t i = 0; i < c->slot_count; i++)
        if (c->slots[i].state == state) return &c->slots[i];
    return NULL;
}

static bool idle(const struct crew *c) {
    for (uint32_t i = 0; i < c->slot_count; i++)
        if (c->slots[i].state != SLOT_FREE) return false;
    return true;
}

static void take_tasks(struct crew *c, int64_t now_ms) {
    struct slot *slot;
    while (!c->releasing && !c->closed && (slot = slot_find(c, SLOT_FREE)) != NULL) {
        struct relais_task *task;
        int code = relais_next(c->work->worker, 0, &task);
        if (code == RELAIS_TIMEOUT) return;
        if (code != RELAIS_OK) {
            c->closed = true;
            if (code != RELAIS_CLOSED) c->refused = code;
            return;
        }
        slot_take(slot, task, now_ms);
        c->barren = 0;
    }
}

static void hear_signals(struct crew *c, int64_t now_ms) {
    while (signal_read(c->signals) != 0) {
        if (!c->draining) {
            c->draining = true;
            log_info("draining: what runs is finished, nothing new is taken");
            relais_drain(c->work->worker);
        } else if (!c->releasing) {
            c->releasing = true;
            log_info("ending: what runs is stopped and handed back");
            for (uint32_t i = 0; i < c->slot_count; i++)
                if (c->slots[i].state != SLOT_FREE) slot_release(&c->slots[i], now_ms);
        }
    }
}

static void watch_link(struct crew *c, int64_t now_ms) {
    if (now_ms < c->warn_ms) return;
    struct relais_worker_state state;
    relais_worker_state(c->work->worker, &state);
    if (!state.linked && !c->unheard) log_warn("no answer from the broker; trying on");
    if (state.linked && c->unheard) log_info("the broker answers again");
    c->unheard = !state.linked;
    c->warn_ms = now_ms + TICK_MS;
}

/* Waits for news, or until something is due. */
static void await(struct crew *c, int64_t now_ms) {
    bool room = slot_find(c, SLOT_FREE) && !c->closed;
    /* What is ready but may not start now (no slot, or in doubt) keeps the link's descriptor
     * readable: it is then looked at now and again only. */
    bool hidden = (!room && c->prefetch) || c->barren >= BARREN_MAX;
    int64_t wake_ms = now_ms + (hidden ? TICK_BUSY_MS : TICK_MS);
    c->polls[POLL_SIGNAL] = (struct pollfd){.fd = c->signals, .events = POLLIN};
    c->polls[POLL_LINK] = (struct pollfd){
        .fd = hidden || c->closed ? -1 : c->link, .events = POLLIN};
    c->polls[POLL_LOAD] = (struct pollfd){.fd = carrier_fd(c->work->carrier), .events = POLLIN};
    for (uint32_t i = 0; i < c->slot_count; i++) {
        slot_fds(&c->slots[i], &c->polls[POLL_SLOTS + i * RUN_FDS]);
        int64_t slot_ms = slot_wake_ms(&c->slots[i]);
        if (slot_ms < wake_ms) wake_ms = slot_ms;
    }
    int timeout_ms = wake_ms > now_ms ? (int)(wake_ms - now_ms) : 0;
    poll(c->polls, POLL_SLOTS + (nfds_t)c->slot_count * RUN_FDS, timeout_ms);
    c->barren = c->polls[POLL_LINK].revents ? c->barren + 1 : 0;
}

bool crew_run(struct crew *c) {
    for (;;) {
        int64_t now_ms = clock_mono_ms();
        hear_signals(c, now_ms);
        for (struct load *load; (load = carrier_next(c->work->carrier)) != NULL;)
            for (uint32_t i = 0; i < c->slot_count; i++)
                if (&c->slots[i].load == load) slot_loaded(&c->slots[i], now_ms);
        for (uint32_t i = 0; i < c->slot_count; i++) slot_step(&c->slots[i], now_ms);
        take_tasks(c, now_ms);
        if ((c->closed || c->releasing) && idle(c)) break;
        watch_link(c, now_ms);
        await(c, now_ms);
    }
    return c->refused == 0;
}
