/* fault.c - what goes wrong, how often, and its end. Each seed draws its own weather. */
#include "tests/sim/sim.h"

enum { EVERY_MS = 40 };

static uint32_t draw(struct sim *s, uint32_t most) {
    return below(s, 3) ? (uint32_t)below(s, most + 1) : 0;
}

void fault_rates(struct sim *s) {
    struct rates *r = &s->rates;
    *r = (struct rates){
        .duplicate = draw(s, 20), .reorder = draw(s, 20), .lose = draw(s, 4), .cut = draw(s, 30),
        .crash = draw(s, 30), .pause = draw(s, 20), .kill = draw(s, 20), .stall = draw(s, 10),
        .append_fail = draw(s, 3), .slow_sync = draw(s, 20), .slow_load = draw(s, 100),
        .fail_load = draw(s, 20), .jump = draw(s, 10), .disk_full = draw(s, 10),
        .clean = draw(s, 20), .fail = draw(s, 200), .release = draw(s, 100),
        .cancel = draw(s, 120), .retry = draw(s, 120), .update = draw(s, 80),
        .get = draw(s, 200), .watch = draw(s, 100), .remove = draw(s, 30),
        .checkpoint = draw(s, 400), .keyed = draw(s, 600), .conflict = draw(s, 100),
        .delay = draw(s, 150), .accepted = draw(s, 100), .give_back = draw(s, 20),
        .twice = draw(s, 200), .limit = draw(s, 60), .drain = draw(s, 10),
        .object = draw(s, 700), .feed = draw(s, 100)};
    uint32_t *const faults[] = {&r->duplicate, &r->reorder, &r->lose, &r->cut, &r->crash,
                                &r->pause, &r->kill, &r->stall, &r->append_fail, &r->slow_sync,
                                &r->slow_load, &r->fail_load, &r->jump, &r->disk_full};
    enum { KINDS = sizeof faults / sizeof *faults };
    if (below(s, 3)) return;
    uint32_t only = (uint32_t)below(s, KINDS); /* one kind alone shows what others would excuse */
    for (uint32_t i = 0; i < KINDS; i++)
        if (i != only) *faults[i] = 0;
    *faults[only] += 20;
}

static struct actor *any(struct sim *s, enum actor_kind kind, uint16_t *at) {
    for (int i = 0; i < 8; i++) {
        *at = (uint16_t)below(s, s->actor_count);
        if (s->actors[*at].kind == kind) return &s->actors[*at];
    }
    return NULL;
}

static void pause_one(struct sim *s) {
    uint16_t at;
    struct actor *x = any(s, below(s, 3) ? WORKER : POLLER, &at);
    if (!x || x->dead) return;
    x->paused = true;
    x->paused_until = s->now + (int64_t)below(s, below(s, 2) ? 500 : 6000);
    x->blamed_at = x->paused_until;
}

void fault_happens(struct sim *s) {
    const struct rates *r = &s->rates;
    uint16_t at;
    struct actor *x;
    if (s->calm) return;
    if (chance(s, r->crash)) process_crash(s, 1 + (int64_t)below(s, 300));
    if (chance(s, r->clean) && process_idle(s)) process_crash(s, 1);
    if (chance(s, r->stall))
        process_stall(s, (int64_t)below(s, below(s, 2) ? 300 : 6 * s->limits.lost_ms));
    if (chance(s, r->cut)) net_cut(s, (uint8_t)below(s, CONNS_MAX), below(s, 3) != 0);
    if (chance(s, r->pause)) pause_one(s);
    if (chance(s, r->kill) && (x = any(s, below(s, 4) ? WORKER : POLLER, &at)) && !x->dead)
        work_kill(s, at);
    if (chance(s, r->jump)) {
        bool small = below(s, 2);
        if (s->now + s->wall_off > s->wall_max) s->wall_max = s->now + s->wall_off;
        s->wall_off += (int64_t)below(s, small ? 4000 : 600000) - (small ? 2000 : 0);
    }
    if (chance(s, r->disk_full)) process_disk(s, below(s, 3) != 0);
    agenda_put(s, s->now + EVERY_MS, FAULT, 0, NULL);
}

/* From now on nothing goes wrong any more. */
void fault_calm(struct sim *s) {
    s->calm = true;
    for (uint32_t i = 0; i < s->actor_count; i++) {
        s->actors[i].op_at = 0;
        s->actors[i].gen = s->actors[i].kind == CLIENT ? 0 : s->actors[i].gen;
    }
}
