/* process.c - the broker's process: the real core between a network and a store that may fail.
 *
 * It does what the broker's turn does: a group is closed whenever the store is free; what was said
 * for a group leaves when that is durable; `now` leaves at once. A crash keeps as many of the
 * groups that were appended and not yet durable as chance says, whole and in order. */
#include "tests/sim/sim.h"
#include "store/codec.h"
#include <assert.h>
#include <stdlib.h>

enum { LOADS = 256, RETRY_LOAD_MS = 1000, TIMERS_MAX = 64, SLOW_MS = 300 };

static void route(struct sim *s);

static void keep(struct held_bytes *h, struct packet *p) {
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 64;
        h->at = realloc(h->at, h->cap * sizeof(struct packet *));
        assert(h->at != NULL);
    }
    h->at[h->count++] = p;
}

static void drop(struct sim *s, struct held_bytes *h) {
    for (uint32_t i = 0; i < h->count; i++) packet_free(s, h->at[i]);
    h->count = 0;
}

static void release(struct sim *s, struct held_bytes *h) {
    for (uint32_t i = 0; i < h->count; i++) {
        judge_left(s, h->at[i]);
        net_to_peer(s, h->at[i]);
    }
    h->count = 0;
}

void process_soon(struct sim *s) {
    struct process *p = &s->process;
    if (p->turn_due || !p->core) return;
    p->turn_due = true;
    agenda_put(s, s->now + (int64_t)below(s, 3), TURN, p->life, NULL);
}

static void step(struct sim *s, struct event *e) {
    struct process *p = &s->process;
    e->mono_ms = s->now;
    e->wall_ms = s->now + s->wall_off;
    e->seed = random_next(&s->random);
    s->steps++;
    core_step(p->core, e, &p->fx);
    route(s);
    int64_t wake = core_wake_ms(p->core);
    if (wake < p->wake_at) {
        p->wake_at = wake > s->now ? wake : s->now;
        agenda_put(s, p->wake_at, WAKE, p->life, NULL);
    }
    process_soon(s);
}

/* ---- what the core says ---- */

static bool has_gap(const struct view *v) {
    struct log_record row;
    uint32_t at = 0, before = 0;
    while (log_next(v->parts, &at, &row)) {
        if ((before > 0 && row.line != before + 1) || row.line > v->head.parts) return true;
        before = row.line;
    }
    return false;
}

static void view_packet(struct packet *p, const struct view *v) {
    p->number = v->number;
    p->code = v->code;
    p->task = v->head.id;
    p->status = v->head.status;
    p->run = v->head.run;
    p->version = v->head.version;
    p->seq = v->head.checkpoint;
    p->reason = v->head.reason;
    p->priority = v->head.priority;
    p->parts = v->head.parts;
    p->gap = has_gap(v);
    if (v->body.payload.len >= 8) memcpy(&p->op, v->body.payload.data, 8);
}

static void task_packet(struct packet *p, const struct delivery *d) {
    p->number = d->number;
    p->task = d->task;
    p->epoch = d->epoch;
    p->run = d->run;
    p->value = d->attempt;
    p->seq = d->checkpoint;
    if (d->payload.len >= 8) memcpy(&p->op, d->payload.data, 8);
    if (d->checkpoint_data.len >= 4) memcpy(&p->tag, d->checkpoint_data.data, 4);
}

static void welcome_packet(struct packet *p, const struct welcome *w) {
    p->link = w->link;
    p->held_count = (uint8_t)w->verdict_count;
    assert(w->verdict_count <= WORKS_MAX);
    for (uint32_t i = 0; i < w->verdict_count; i++) {
        struct verdict_row v = verdict_at(w->verdicts, i);
        p->held[i].task = v.task;
        p->held[i].epoch = v.epoch;
        p->held[i].verdict = v.verdict;
    }
}

static void fill(struct packet *p, const struct message *m) {
    p->verb = m->verb;
    p->number = m->number;
    switch ((int)m->verb) {
    case VERB_WELCOME: welcome_packet(p, &m->welcome); break;
    case VERB_SUBMITTED: p->task = m->submitted.id; p->code = m->submitted.code; break;
    case VERB_TASK: task_packet(p, &m->task); break;
    case VERB_SETTLED:
        p->task = m->settled.task;
        p->epoch = m->settled.epoch;
        p->code = m->settled.code;
        break;
    case VERB_CHECKPOINT_OK:
        p->task = m->checkpoint_ok.task;
        p->epoch = m->checkpoint_ok.epoch;
        p->seq = m->checkpoint_ok.seq;
        p->code = m->checkpoint_ok.code;
        break;
    case VERB_STOP: p->task = m->stop.task; p->epoch = m->stop.epoch; break;
    case VERB_VIEW: view_packet(p, &m->view); break;
    case VERB_ANSWER:
        p->code = m->answer.code;
        object_packet(p, &m->answer);
        break;
    case VERB_ROWS:
        p->code = m->rows.code;
        feed_packet(p, &m->rows);
        break;
    case VERB_OUTCOME: p->task = m->outcome.task; p->status = m->outcome.status; break;
    case VERB_REFUSED: p->code = m->refused.code; break;
    default: break;
    }
}

static void load_put(struct sim *s, const struct need *need) {
    struct process *p = &s->process;
    uint32_t i = 0;
    while (i < LOADS && p->loads[i].used) i++;
    assert(i < LOADS && need->key.len <= sizeof p->loads[i].key);
    p->loads[i] = (struct load){.need = *need, .group = p->group - 1, .used = true,
                                .life = p->life};
    if (need->key.len) memcpy(p->loads[i].key, need->key.data, need->key.len);
    int64_t wait = (int64_t)below(s, 3);
    if (chance(s, s->rates.slow_load)) wait += (int64_t)below(s, 700);
    agenda_put(s, s->now + wait, LOADED, i | p->life << 8, NULL);
}

static void route(struct sim *s) {
    struct process *p = &s->process;
    for (uint32_t i = 0; i < p->fx.say_count; i++) {
        const struct say *say = &p->fx.says[i];
        struct packet *packet = packet_new(s);
        fill(packet, &say->message);
        packet->conn = (uint8_t)say->peer;
        packet->serial = s->conns[say->peer].serial;
        packet->actor = s->conns[say->peer].actor;
        packet->now = say->now;
        judge_said(s, say, packet);
        if (say->fills)
            agenda_put(s, s->now + (int64_t)below(s, 300), ROOM, say->peer | p->life << 8, NULL);
        if (!say->now) {
            keep(&p->open, packet);
            continue;
        }
        judge_left(s, packet);
        net_to_peer(s, packet);
    }
    for (uint32_t i = 0; i < p->fx.need_count; i++) load_put(s, &p->fx.needs[i]);
    effects_clear(&p->fx);
}

/* ---- groups ---- */

static void group_forget(struct process *p, uint32_t count) { /* the oldest appended ones */
    uint32_t recs = 0;
    for (uint32_t i = 0; i < count; i++) recs += p->appended[i].count;
    memmove(p->open_recs.at, p->open_recs.at + recs,
            (p->open_recs.count - recs) * sizeof *p->open_recs.at);
    p->open_recs.count -= recs;
    memmove(p->appended, p->appended + count,
            (p->appended_count - count) * sizeof *p->appended);
    p->appended_count -= count;
}

static void groups_durable(struct sim *s, uint32_t count) {
    struct process *p = &s->process;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < p->appended[i].count; k++)
            judge_durable(s, &p->open_recs.at[at++]);
    if (count) group_forget(p, count);
}

static void records_encode(struct sim *s) {
    struct process *p = &s->process;
    buffer_clear(&p->bytes);
    uint32_t count = p->fx.record_count;
    if (p->open_recs.count + count > p->open_recs.cap) {
        p->open_recs.cap = (p->open_recs.count + count) * 2;
        p->open_recs.at = realloc(p->open_recs.at, p->open_recs.cap * sizeof *p->open_recs.at);
        assert(p->open_recs.at != NULL);
    }
    for (uint32_t i = 0; i < count; i++) {
        record_encode(&p->bytes, &p->fx.records[i]);
        judge_record(s, &p->fx.records[i], &p->open_recs.at[p->open_recs.count++]);
    }
    assert(p->appended_count < 64);
    p->appended[p->appended_count].group = p->group;
    p->appended[p->appended_count++].count = count;
}

static void store_failed(struct sim *s);

static void group_close(struct sim *s) {
    struct process *p = &s->process;
    if (p->flying) return;
    if (core_dirty(p->core)) core_close(p->core, &p->fx);
    if (p->fx.record_count == 0) {
        if (p->ready) release(s, &p->open);
        return;
    }
    records_encode(s);
    effects_clear(&p->fx);
    p->groups++;
    bool fails = chance(s, s->rates.append_fail);
    if (fails) {
        struct memory_faults faults = {.holds = true, .fail_append_at = p->group};
        store_memory_faults(p->store, &faults);
    }
    if (store_append(p->store, p->group, buffer_slice(&p->bytes)) != STORE_OK) {
        p->open_recs.count -= p->appended[--p->appended_count].count;
        store_failed(s);
        return;
    }
    p->group++;
    p->flying = true;
    struct held_bytes flight = p->flight;
    p->flight = p->open;
    p->open = flight;
    int64_t wait = (int64_t)below(s, 4);
    if (chance(s, s->rates.slow_sync)) wait += (int64_t)below(s, 2000);
    if (wait > SLOW_MS) p->unstable_at = s->now + wait; /* longer than a lease is nobody's fault */
    agenda_put(s, s->now + wait, SYNCED, p->life, NULL);
}

static void group_synced(struct sim *s) {
    struct process *p = &s->process;
    assert(p->flying);
    p->flying = false;
    p->durable = p->group - 1;
    store_memory_sync(p->store, p->durable);
    groups_durable(s, p->appended_count);
    if (!p->ready) { /* the first group of this life: now it may be talked to */
        tell_task(s, s->trace, "the broker is ready");
        p->ready = true;
        p->born_at = p->wake_at = s->now;
        agenda_put(s, s->now, WAKE, p->life, NULL);
        drop(s, &p->open);
        for (int c = 0; c < CONNS_MAX; c++) {
            if (!s->conns[c].open) continue;
            struct packet *resync = packet_new(s);
            resync->verb = VERB_RESYNC;
            resync->conn = (uint8_t)c;
            resync->serial = s->conns[c].serial;
            net_to_peer(s, resync);
        }
    }
    release(s, &p->flight);
    process_soon(s);
}

/* ---- reading ---- */

static void found(void *context, const struct record *r) { record_encode(context, r); }

static uint32_t load_read(struct sim *s, const struct load *l) {
    struct process *p = &s->process;
    char why[256];
    buffer_clear(&p->load);
    bool good = store_load(p->store, &l->need, l->group, found, &p->load, why, sizeof why);
    assert(good);
    uint32_t count = 0;
    for (struct slice in = buffer_slice(&p->load); in.len;) {
        if (count == p->loaded_cap) {
            p->loaded_cap = p->loaded_cap ? p->loaded_cap * 2 : 256;
            p->loaded = realloc(p->loaded, p->loaded_cap * sizeof *p->loaded);
            assert(p->loaded != NULL);
        }
        good = record_decode(&in, &p->loaded[count++]);
        assert(good);
    }
    return count;
}

static void loaded(struct sim *s, uint32_t who) {
    struct process *p = &s->process;
    struct load *l = &p->loads[who & 255];
    if (!l->used || who >> 8 != (l->life & 0xffffff)) return;
    if (l->group > p->durable) { /* as the loader waits for the group */
        agenda_put(s, s->now + 1, LOADED, who, NULL);
        return;
    }
    if (l->need.kind != NEED_RESTORE && chance(s, s->rates.fail_load)) {
        p->unstable_at = s->now;
        agenda_put(s, s->now + RETRY_LOAD_MS, LOADED, who, NULL);
        return;
    }
    l->need.key = slice_of(l->key, l->need.key.len);
    uint32_t count = load_read(s, l), from = 0;
    l->used = false;
    struct need need = l->need;
    uint8_t key[32];
    memcpy(key, l->key, sizeof key); /* the place is free for the needs that follow */
    need.key = slice_of(key, need.key.len);
    bool cut = need.kind != NEED_TASK && need.kind != NEED_BODY && count > 4 && below(s, 4) == 0;
    uint32_t life = p->life;
    while (cut && from + 2 < count && below(s, 3)) {
        uint32_t to = from + 1 + (uint32_t)below(s, count - from - 1);
        bool parted = s->rates.slow_load % 2; /* in half of the worlds a head may lose its body */
        while (to < count && p->loaded[to].kind == RECORD_BODY && !parted) to++;
        if (to >= count) break;
        struct event e = {.kind = EVENT_LOADED, .need = need, .records = p->loaded + from,
                          .record_count = to - from, .more = true};
        from = to;
        step(s, &e);
        if (!p->core || p->life != life) return;
    }
    struct event e = {.kind = EVENT_LOADED, .need = need, .records = p->loaded + from,
                      .record_count = count - from};
    step(s, &e);
    if (need.kind != NEED_RESTORE || !p->core) return;
    assert(core_ready(p->core));
    if (p->compare && core_digest(p->core) != p->digest)
        violate(s, "what was restored is not what lived: the digests differ");
    p->compare = false;
    group_close(s);
}

/* ---- life and death ---- */

static void start(struct sim *s) {
    struct process *p = &s->process;
    p->life = (p->life + 1) & 0xffffff;
    p->incarnation++;
    p->core = core_new(&s->limits, p->incarnation);
    assert(p->core != NULL);
    p->group = store_next_group(p->store);
    p->durable = p->group - 1;
    p->flying = p->turn_due = p->ready = p->disk_full = false;
    p->wake_at = INT64_MAX;
    struct event e = {.kind = EVENT_RESTORE};
    step(s, &e);
}

static void die(struct sim *s) {
    struct process *p = &s->process;
    core_destroy(&p->core);
    effects_clear(&p->fx);
    drop(s, &p->open);
    drop(s, &p->flight);
    for (int i = 0; i < LOADS; i++) p->loads[i].used = false;
    p->flying = p->ready = false;
    p->stall_ms = p->stalled_until = 0;
    p->life = (p->life + 1) & 0xffffff;
    p->restarts++;
    for (int c = 0; c < CONNS_MAX; c++) s->conns[c].known = false;
    uint32_t held = (uint32_t)store_memory_unsynced(p->store);
    uint32_t kept = held ? (uint32_t)below(s, held + 1) : 0;
    store_memory_crash(p->store, kept);
    groups_durable(s, kept);
    p->open_recs.count = p->appended_count = 0;
    struct memory_faults faults = {.holds = true};
    store_memory_faults(p->store, &faults);
    audit_store(s);
}

void process_crash(struct sim *s, int64_t down_ms) {
    struct process *p = &s->process;
    if (!p->core) return;
    tell_task(s, s->trace, "the broker dies");
    p->compare = false;
    if (p->ready && !p->flying && !core_dirty(p->core) && p->open.count == 0) {
        p->digest = core_digest(p->core);
        p->compare = true;
    }
    die(s);
    net_down(s);
    agenda_put(s, s->now + down_ms, START, p->life, NULL);
}

/* The disk failed: everything not yet durable is dropped, the connections stay. */
static void store_failed(struct sim *s) {
    struct process *p = &s->process;
    tell_task(s, s->trace, "the store fails");
    p->compare = false;
    p->unstable_at = s->now;
    die(s);
    agenda_put(s, s->now + 200, START, p->life, NULL);
}

/* The process runs again after a stall: it says so to the core before anything else. */
static void resume(struct sim *s) {
    struct process *p = &s->process;
    if (!p->stall_ms) return;
    struct event e = {.kind = EVENT_STALL, .stall_ms = p->stall_ms};
    p->unstable_at += p->stall_ms; /* for nothing has come of it meanwhile */
    for (uint32_t i = 0; i < s->actor_count; i++) s->actors[i].blamed_at += p->stall_ms;
    p->stall_ms = 0;
    step(s, &e);
}

bool process_idle(const struct sim *s) {
    const struct process *p = &s->process;
    return p->core && p->ready && !p->flying && !core_dirty(p->core) && p->open.count == 0;
}

void process_disk(struct sim *s, bool full) {
    struct process *p = &s->process;
    if (!p->ready || p->disk_full == full || s->now < p->stalled_until) return;
    resume(s);
    p->disk_full = full;
    struct event e = {.kind = EVENT_DISK, .disk_full = full};
    step(s, &e);
}

void process_link_gone(struct sim *s, uint8_t conn) {
    struct process *p = &s->process;
    struct conn *c = &s->conns[conn];
    if (!p->ready || !c->known) return;
    c->known = false;
    resume(s);
    struct event e = {.kind = EVENT_LINK_GONE, .peer = conn};
    step(s, &e);
}

static void wake(struct sim *s) {
    struct process *p = &s->process;
    p->wake_at = INT64_MAX;
    uint32_t life = p->life;
    for (int i = 0; i < TIMERS_MAX && p->life == life; i++) {
        if (i && core_wake_ms(p->core) > s->now) return;
        struct event e = {.kind = EVENT_TIME};
        step(s, &e);
    }
}

void process_stall(struct sim *s, int64_t ms) {
    struct process *p = &s->process;
    if (!p->core || p->stall_ms) return;
    tell_task(s, s->trace, "the broker stalls for %lld", (long long)ms);
    p->stall_ms = ms;
    p->stalled_until = s->now + ms;
    agenda_put(s, p->stalled_until, RESUME, p->life, NULL);
}

void process_packet(struct sim *s, struct packet *packet) {
    struct process *p = &s->process;
    struct conn *c = &s->conns[packet->conn];
    if (p->core && s->now < p->stalled_until) {
        agenda_put(s, p->stalled_until, AT_BROKER, packet->serial, packet);
        return;
    }
    if (!p->core || !p->ready) {
        packet_free(s, packet);
        return;
    }
    resume(s);
    if (!c->known) {
        struct event e = {.kind = EVENT_OPEN, .peer = packet->conn, .who = s->actors[c->actor].who};
        c->known = true;
        step(s, &e);
    }
    struct message m;
    struct event e = {.kind = EVENT_MESSAGE, .peer = packet->conn, .link = packet->link,
                      .who = s->actors[packet->actor].who, .message = &m};
    if (e.who.boot) e.who.boot = packet->boot;
    speech(s, packet, &m);
    judge_asked(s, packet);
    step(s, &e);
    packet_free(s, packet);
}

void process_happens(struct sim *s, const struct event_at *e) {
    struct process *p = &s->process;
    if (e->what == START) {
        if (e->who == p->life && !p->core) start(s);
        return;
    }
    if (!p->core) return;
    if (s->now < p->stalled_until) { /* it stands still: later, in the same order */
        agenda_put(s, p->stalled_until, e->what, e->who, e->packet);
        return;
    }
    resume(s);
    if (e->what == ROOM && e->who >> 8 == p->life && p->ready) {
        struct event room = {.kind = EVENT_ROOM, .peer = e->who & UINT8_MAX};
        step(s, &room);
    }
    if (e->what == LOADED) loaded(s, e->who);
    if (e->what == LOADED || e->what == ROOM || e->who != p->life) return;
    if (e->what == TURN) {
        p->turn_due = false;
        if (p->ready) group_close(s);
    } else if (e->what == SYNCED) {
        group_synced(s);
    } else if (e->what == WAKE) {
        if (p->ready && p->wake_at <= s->now) wake(s);
    }
}

void process_open(struct sim *s) {
    struct memory_faults faults = {.holds = true};
    s->process.unstable_at = -LONG_AGO_MS;
    s->process.store = store_open_memory(&faults);
    assert(s->process.store != NULL);
    start(s);
}

void process_close(struct sim *s) {
    struct process *p = &s->process;
    core_destroy(&p->core);
    effects_free(&p->fx);
    store_close(&p->store);
    buffer_free(&p->bytes);
    buffer_free(&p->load);
    free(p->loaded);
    free(p->open.at);
    free(p->flight.at);
    free(p->open_recs.at);
    *p = (struct process){0};
}
