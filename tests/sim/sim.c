/* sim.c - the simulator: the core in a world drawn from one seed, and what must hold there.
 *
 *     sim --seed N [--ops N]     one seed; what was violated, and the command to see it again
 *       --task N                 and all that is said about one task
 *     sim --seeds N [--from N]   many, on every processor
 *     sim --bug NAME             with this promise broken on purpose, until it is caught
 *     sim --bugs                 every bug switch of core.h must be caught
 *     sim --bench                events a second
 *     sim --fleet N [--from N]   seeds of the world of stations and sessions alone (fleet.h)
 *     sim --plans N [--from N]   seeds of the world of schedules alone (plan.h)
 *     sim --ci                   20,000 seeds and the bugs */
#include "tests/sim/sim.h"
#include "tests/sim/fleet.h"
#include "tests/sim/plan.h"
#include "proto/base/map.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FLEET_EACH = 4 /* every so manieth seed has a fleet, too */,
       FLEET_BUGS = BUG_TWO_SEATS | BUG_NO_RECOVERY | BUG_SEAT_LOST | BUG_COMMAND_LOST |
                    BUG_COMMAND_LIFO | BUG_SEAT_MISCOUNT,
       PLAN_EACH = 16 /* and schedules */, PLAN_BUGS = BUG_DOUBLE_FIRE | BUG_LOST_FIRE,
       OPS = 120, CALM_MS_MAX = 900000, CI_SEEDS = 20000, BUG_SEEDS = 10000, JOBS_MAX = 16 };

static const struct { const char *name; uint32_t bit; } bugs[] = {
#define BUG(name) {#name, BUG_##name}
    BUG(ACK_BEFORE_COMMIT), BUG(NO_FENCE), BUG(EPOCH_RESET), BUG(ID_REUSE),
    BUG(UNRECORDED_REGRANT), BUG(READ_BEFORE_DURABLE), BUG(CHECKPOINT_BACKWARD),
    BUG(NO_REQUEUE), BUG(NO_DEDUP), BUG(DOUBLE_DONE), BUG(LOST_WINDOW), BUG(NO_QUIET),
    BUG(STALL_EXPIRES), BUG(LIFO), BUG(EARLY_DUE), BUG(FOREIGN_BRAND), BUG(MISCOUNT),
    BUG(CURSOR_AHEAD), BUG(STALE_CARRY), BUG(NO_CAS), BUG(SHARED_KEY), BUG(STALE_OBJECT),
    BUG(DROP_TWICE), BUG(TWO_SEATS), BUG(NO_RECOVERY), BUG(SEAT_LOST), BUG(COMMAND_LOST),
    BUG(COMMAND_LIFO), BUG(SEAT_MISCOUNT), BUG(DOUBLE_FIRE), BUG(LOST_FIRE),
    BUG(LEFT_BEHIND)
#undef BUG
};
enum { BUG_KINDS = sizeof bugs / sizeof *bugs };

/* Ten times shorter than in life. */
static void limits_draw(struct sim *s) {
    struct core_limits *l = &s->limits;
    core_limits_default(l);
    l->links_max = CONNS_MAX;
    l->beat_ms = 200;
    l->suspect_ms = 600;
    l->doubt_ms = 1000;
    l->lost_ms = l->quiet_ms = 1500;
    l->stop_repeat_ms = 200;
    l->freeze_ms_max = 6000;
    l->aging_ms = 6000;
    l->backoff_ms = 100;
    l->claim_lease_ms = 20000;
    l->dedup_ms = UINT32_MAX;
    l->failed_keep_ms = INT64_C(1) << 40;
    l->crashes_max = 2;
    if (below(s, 2)) l->window_bytes_max = (uint32_t)below(s, 20000);
    if (below(s, 8) == 0) l->body_bytes_max = below(s, 20000);
    if (below(s, 4) == 0) l->running_max = 1 + (uint32_t)below(s, 8);
    if (below(s, 8) == 0) l->parked_max = 4 + (uint32_t)below(s, 40);
    if (below(s, 4) == 0) l->checkpoints_max = 1 + (uint32_t)below(s, 3);
    if (below(s, 2)) l->object_cache_bytes = below(s, 1000);
    if (below(s, 8) == 0) l->objects_max = 1 + below(s, 8);
    if (below(s, 4) == 0) l->feed_events_max = 1 + (uint32_t)below(s, 20);
    if (s->seed % 3 == 0) l->push_bytes_max = 1 + (uint32_t)(s->seed / 3 % 400);
    l->bugs = (uint32_t)s->bugs;
}

void sim_open(struct sim *s, uint64_t seed, uint64_t ops) {
    *s = (struct sim){.seed = seed, .bugs = s->bugs, .trace = s->trace, .op_max = ops};
    s->random = random_seed(hash_number(seed));
    s->wall_off = INT64_C(1700000000000);
    limits_draw(s);
    fault_rates(s);
    process_open(s);
    actors_open(s);
    agenda_put(s, 100, FAULT, 0, NULL);
}

void sim_close(struct sim *s) {
    process_close(s);
    for (uint32_t i = 0; i < s->actor_count; i++) {
        buffer_free(&s->actors[i].queues);
        buffer_free(&s->actors[i].types);
    }
    agenda_free(s);
    map64_free(&s->by_id);
    map64_free(&s->owners);
    map64_free(&s->keys);
    map64_free(&s->acks);
    map64_free(&s->heard);
    buffer_free(&s->held);
    object_world_free(&s->objects);
    free(s->ops);
    free(s->tasks);
}

static void at_peer(struct sim *s, const struct event_at *e) {
    const struct conn *c = &s->conns[e->packet->conn];
    struct actor *x = &s->actors[c->actor];
    if (c->open && c->serial == e->who && x->paused && s->now < x->paused_until) {
        agenda_put(s, x->paused_until, AT_PEER, e->who, e->packet); /* read when it goes on */
        return;
    }
    if (c->open && c->serial == e->who) actor_heard(s, c->actor, e->packet);
    packet_free(s, e->packet);
}

static void at_broker(struct sim *s, const struct event_at *e) {
    const struct conn *c = &s->conns[e->packet->conn];
    if (c->open && c->serial == e->who) process_packet(s, e->packet);
    else packet_free(s, e->packet);
}

static void cut_seen(struct sim *s, uint32_t who) {
    const struct conn *c = &s->conns[who & 0xff];
    if (s->now < s->process.stalled_until) {
        agenda_put(s, s->process.stalled_until, CUT_SEEN, who, NULL);
        return;
    }
    if (c->serial == who >> 8 && !c->open) process_link_gone(s, (uint8_t)(who & 0xff));
}

static void happens(struct sim *s, const struct event_at *e) {
    switch (e->what) {
    case AT_BROKER: at_broker(s, e); return;
    case AT_PEER: at_peer(s, e); return;
    case TICK_ACTOR: actor_tick(s, (uint16_t)e->who); return;
    case TICK_WORK:
        work_tick(s, (uint16_t)(e->who & 0xff), e->who >> 8 & 0xff, e->who >> 16);
        return;
    case FAULT: fault_happens(s); return;
    case CUT_SEEN: cut_seen(s, e->who); return;
    case TURN: case SYNCED: case LOADED: case WAKE: case START: case RESUME: case ROOM:
        process_happens(s, e);
        return;
    }
}

/* Every client has said what it wants and heard of it, and no task waits any more. */
static bool all_done(struct sim *s) {
    for (uint32_t i = 0; i < s->actor_count; i++)
        if (s->actors[i].kind == CLIENT && (s->actors[i].op || s->actors[i].gen < SIM_QUEUES))
            return false;
    if (!process_idle(s)) return false;
    struct core_stats c;
    core_stats(s->process.core, &c);
    for (int st = STATUS_SCHEDULED; st <= STATUS_RUNNING; st++)
        if (c.tasks[st]) return false;
    char which[WHY_MAX];
    return audit_open(s, which, sizeof which) == 0;
}

static void not_done(struct sim *s) {
    char which[WHY_MAX] = "nothing on disk";
    struct core_stats c = {0};
    if (s->process.core) core_stats(s->process.core, &c);
    uint64_t open = audit_open(s, which, sizeof which);
    violate(s, "P8 %llu tasks never end: %s (in memory %llu scheduled, %llu queued, %llu delivered,"
            " %llu running)", (unsigned long long)open, which, (unsigned long long)c.tasks[1],
            (unsigned long long)c.tasks[2], (unsigned long long)c.tasks[3],
            (unsigned long long)c.tasks[4]);
}

void sim_run(struct sim *s, uint64_t events) {
    struct event_at e;
    int64_t look_at = 0;
    while (!s->failed && agenda_take(s, &e)) {
        assert(e.at >= s->now);
        s->now = e.at;
        s->events++;
        happens(s, &e);
        if (!s->calm && (s->op_count >= s->op_max || s->events >= events)) {
            s->calm_ms = s->now;
            fault_calm(s);
        }
        if (!s->calm || s->now < look_at) continue;
        look_at = s->now + 500;
        process_disk(s, false);
        if (all_done(s)) break;
        if (s->now - s->calm_ms > CALM_MS_MAX) not_done(s);
    }
    if (s->failed || !s->process.core) return;
    s->process.digest = core_digest(s->process.core);
    process_crash(s, 1); /* the last audit, and what lives is what is restored */
    while (!s->failed && !s->process.ready && agenda_take(s, &e)) {
        s->now = e.at;
        happens(s, &e);
    }
}

/* ---- the command ---- */

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct total { uint64_t events, steps, restarts, groups, tasks; };

static uint64_t trace; /* the task to be told about */

static bool run_one(uint64_t seed, uint64_t ops, uint64_t broken, struct total *total,
                    char *why) {
    static struct sim s;
    if (broken & FLEET_BUGS) return fleet_run(seed, (uint32_t)broken, &total->steps, why, WHY_MAX);
    if (seed % FLEET_EACH == 0 && !broken && !trace &&
        !fleet_run(seed, 0, &total->steps, why, WHY_MAX))
        return false;
    if (broken & PLAN_BUGS) return plan_run(seed, (uint32_t)broken, &total->steps, why, WHY_MAX);
    if (seed % PLAN_EACH == 0 && !broken && !trace &&
        !plan_run(seed, 0, &total->steps, why, WHY_MAX))
        return false;
    s.trace = trace;
    s.bugs = broken;
    sim_open(&s, seed, ops);
    sim_run(&s, UINT64_MAX);
    bool good = !s.failed;
    snprintf(why, WHY_MAX, "%s", s.why);
    total->events += s.events;
    total->steps += s.steps;
    total->restarts += s.process.restarts;
    total->groups += s.process.groups;
    total->tasks += s.task_count;
    sim_close(&s);
    return good;
}

static void print_total(const struct total *t, double took) {
    printf("# %llu events, %llu core steps, %llu tasks, %llu groups, %llu restarts in %.1f s: "
           "%.2f million events/s\n", (unsigned long long)t->events, (unsigned long long)t->steps,
           (unsigned long long)t->tasks, (unsigned long long)t->groups,
           (unsigned long long)t->restarts, took, (double)t->events / took / 1e6);
}

static int fail(uint64_t seed, uint64_t ops, const char *why) {
    printf("not ok - seed %llu: %s\n# see it again: build/release/tests/sim/sim --seed %llu --ops "
           "%llu\n", (unsigned long long)seed, why, (unsigned long long)seed,
           (unsigned long long)ops);
    fflush(stdout);
    return 1;
}

static int run_range(uint64_t from, uint64_t to, uint64_t stride, uint64_t ops) {
    struct total total = {0};
    char why[WHY_MAX];
    double begun = seconds();
    for (uint64_t seed = from; seed < to; seed += stride)
        if (!run_one(seed, ops, 0, &total, why)) return fail(seed, ops, why);
    print_total(&total, seconds() - begun);
    fflush(stdout);
    return 0;
}

static int run_seeds(uint64_t from, uint64_t count, uint64_t ops) {
    long jobs = sysconf(_SC_NPROCESSORS_ONLN);
    if (jobs > JOBS_MAX) jobs = JOBS_MAX;
    int failed = 0, status;
    fflush(stdout);
    for (long i = 0; i < jobs; i++)
        if (fork() == 0)
            _exit(run_range(from + (uint64_t)i, from + count, (uint64_t)jobs, ops));
    while (wait(&status) > 0) {
        if (WIFSIGNALED(status)) printf("not ok - a run died of signal %d\n", WTERMSIG(status));
        failed |= status != 0;
    }
    if (!failed) printf("ok - %llu seeds\n", (unsigned long long)count);
    return failed;
}

/* A run with a bug may end by an assertion of the core: that is caught, too. */
static int run_bug(int bug, uint64_t ops) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct total total = {0};
        char why[WHY_MAX];
        if (!freopen("/dev/null", "w", stderr)) _exit(3);
        for (uint64_t seed = 1; seed <= BUG_SEEDS; seed++) {
            if (run_one(seed, ops, bugs[bug].bit, &total, why)) continue;
            printf("# %s, seed %llu: %s\n", bugs[bug].name, (unsigned long long)seed, why);
            fflush(stdout);
            _exit(0);
        }
        _exit(2);
    }
    int status;
    waitpid(child, &status, 0);
    bool caught = WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (WIFSIGNALED(status)) printf("# %s: an assertion of the core\n", bugs[bug].name);
    printf("%s - bug %s is caught\n", caught ? "ok" : "not ok", bugs[bug].name);
    fflush(stdout);
    return !caught;
}

static int run_bugs(const char *name, uint64_t ops) {
    int failed = 0, known = 0;
    for (int i = 0; i < BUG_KINDS; i++) {
        if (name && strcmp(name, bugs[i].name)) continue;
        known++;
        failed |= run_bug(i, ops);
    }
    if (!known) fprintf(stderr, "sim: no bug is called %s\n", name);
    return failed || !known;
}

typedef bool world_run(uint64_t seed, uint32_t bugs, uint64_t *steps, char *why, size_t size);

static int run_world(world_run *run, const char *name, uint64_t from, uint64_t count) {
    char why[WHY_MAX];
    uint64_t steps = 0;
    double begun = seconds();
    for (uint64_t seed = from; seed < from + count; seed++)
        if (!run(seed, 0, &steps, why, sizeof why)) {
            printf("not ok - seed %llu: %s\n# see it again: build/release/tests/sim/sim --%s 1 "
                   "--from %llu\n", (unsigned long long)seed, why, name,
                   (unsigned long long)seed);
            return 1;
        }
    printf("ok - %llu seeds of %s, %llu core steps in %.1f s\n", (unsigned long long)count, name,
           (unsigned long long)steps, seconds() - begun);
    return 0;
}

static int run_bench(void) {
    struct total total = {0};
    char why[WHY_MAX];
    double begun = seconds();
    for (uint64_t seed = 1; seconds() - begun < 5; seed++)
        if (!run_one(seed, OPS, 0, &total, why)) return fail(seed, OPS, why);
    print_total(&total, seconds() - begun);
    return 0;
}

int main(int argc, char **argv) {
    uint64_t ops = OPS, from = 1, seeds = 0, seed = 0, fleet = 0, plans = 0;
    const char *bug = NULL;
    bool all_bugs = false, ci = false, bench = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        const struct { const char *name; uint64_t *at; } numbers[] = {
            {"--seed", &seed}, {"--seeds", &seeds}, {"--from", &from}, {"--ops", &ops},
            {"--task", &trace}, {"--fleet", &fleet}, {"--plans", &plans}};
        size_t k = 0, known = sizeof numbers / sizeof *numbers;
        while (k < known && strcmp(argv[i], numbers[k].name)) k++;
        if (k < known) *numbers[k].at = strtoull(value, NULL, 10), i++;
        else if (!strcmp(argv[i], "--bug")) bug = value, i++;
        else if (!strcmp(argv[i], "--bugs")) all_bugs = true;
        else if (!strcmp(argv[i], "--ci")) ci = true;
        else if (!strcmp(argv[i], "--bench")) bench = true;
        else {
            fprintf(stderr, "usage: sim --seed N [--task N] | --seeds N [--from N] | --bug NAME | "
                    "--bugs | --bench | --ci | --fleet N | --plans N  [--ops N]\n");
            return 2;
        }
    }
    if (fleet) return run_world(fleet_run, "fleet", from, fleet);
    if (plans) return run_world(plan_run, "plans", from, plans);
    if (ci) return run_seeds(from, CI_SEEDS, ops) | run_bugs(NULL, ops);
    if (bench) return run_bench();
    if (bug || all_bugs) return run_bugs(bug, ops);
    if (seed) return run_range(seed, seed + 1, 1, ops);
    return run_seeds(from, seeds ? seeds : 100, ops);
}
