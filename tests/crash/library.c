/* library.c - a worker by librelais. The library repeats what is not acknowledged and says no
 * code for a settled task: here stands what was begun and what was said; the result names worker
 * and epoch, so that the final state tells whose outcome it is. */
#include "proto/base/random.h"
#include "tests/crash/load.h"
#include "worker/relais.h"
#include <stdio.h>
#include <time.h>

enum { TAKEN_MAX = 64, WAIT_MS = 100 };

static void finish(struct load *l, struct relais_worker *w, struct relais_task *task) {
    unsigned long long id = task->id, epoch = task->epoch;
    char result[160];
    int len = snprintf(result, sizeof result, "%s %llu", l->name, epoch);
    history_add(l, "invoke done %llu %llu", id, epoch);
    history_flush(l);
    relais_done(w, task, result, (size_t)len);
}

int labour_by_library(struct load *l) {
    const char *const queues[] = {l->queue, NULL};
    const struct relais_worker_options options = {
        .link = {.endpoint = l->endpoint, .name = l->name}, .queues = queues,
        .slots = (uint32_t)l->slots, .prefetch = (uint32_t)l->slots, .implied_start = true};
    struct random random = random_seed(l->seed);
    struct relais_worker *w;
    struct relais_task *tasks[TAKEN_MAX];
    struct relais_worker_state state = {0};
    if (relais_worker_new(&w, &options)) return 1;
    uint64_t before = l->board->settled[l->place];
    while (!l->board->end) {
        size_t count = 0;
        if (relais_next_batch(w, WAIT_MS, tasks, TAKEN_MAX, &count)) count = 0;
        for (size_t i = 0; i < count; i++)
            history_add(l, "run %llu %llu %u %u", (unsigned long long)tasks[i]->id,
                        (unsigned long long)tasks[i]->epoch, tasks[i]->attempt,
                        tasks[i]->checkpoint);
        history_flush(l);
        uint64_t pace = count ? l->board->pace_ms : 0;
        if (pace) {
            uint64_t ms = random_below(&random, 2 * pace);
            nanosleep(&(struct timespec){.tv_sec = (time_t)(ms / 1000),
                                         .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
        }
        for (size_t i = 0; i < count; i++) finish(l, w, tasks[i]);
        relais_worker_state(w, &state);
        l->board->settled[l->place] = before + state.done;
    }
    relais_worker_destroy(&w);
    return 0;
}
