#include "tests/sim/plan.h"
#include "broker/core/schedule.h"
#include "proto/base/date.h"
#include "proto/schedule.h"
#include "store/codec.h"
#include "tests/sim/sim.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60000, DAY_MINUTES = 1440, SHADOWS = 64, SLOTS = 6, NEEDS = 64, RUNS = 4096,
       WILD = 500, CALM = 120, CALM_TICK_MS = 10000, STAMP_AT = 7, WAKES_MAX = 4000 };
static const char template[] = "{\"at\":\"0000-00-00T00:00:00.000Z\"}";

/* Expressions by which a minute of a day is named when it leaves `phase` over `every`; whole hours
 * between a zone and UTC do not matter to those of an hour or less. */
static const struct rule { const char *text; uint32_t every, phase; bool zones; } rules[] = {
    {"* * * * *", 1, 0, true}, {"*/5 * * * *", 5, 0, true}, {"7,37 * * * *", 30, 7, true},
    {"59 * * * *", 60, 59, true}, {"30 */2 * * *", 120, 30, false}};
enum { RULES = sizeof rules / sizeof *rules };

struct shadow { /* a schedule as durable groups tell it */
    struct schedule_record r; /* slices are not kept */
    const struct rule *rule;
    int64_t expected_ms;
    bool there, touched; /* touched: a client named its times since the last group */
};

struct pending { struct need need; uint8_t key[128]; };
struct run { uint64_t task, schedule; int64_t nominal_ms, created_ms; };

struct plan_world {
    struct core *core;
    struct store *store;
    struct core_limits limits;
    struct effects fx;
    struct buffer bytes;
    struct random random;
    struct pending needs[NEEDS];
    uint32_t need_count;
    struct shadow shadows[SHADOWS];
    uint32_t shadow_count;
    uint64_t slots[SLOTS], reserved, number, steps, incarnation, group;
    struct run runs[RUNS];
    uint32_t run_count;
    struct map64 history; /* schedule and nominal minute -> the run's task */
    uint32_t link, peer;
    int64_t now, wall_off, wall_max; /* wall_max: the latest since the last group */
    bool calm, full, failed;
    char *why;
    size_t why_size;
};

__attribute__((format(printf, 2, 3))) static void wrong(struct plan_world *w, const char *format,
                                                        ...) {
    if (w->failed) return;
    va_list list;
    va_start(list, format);
    const int n = snprintf(w->why, w->why_size, "schedules, at %lld ms: ", (long long)w->now);
    vsnprintf(w->why + n, w->why_size - (size_t)n, format, list);
    va_end(list);
    w->failed = true;
}

static uint64_t any(struct plan_world *w, uint64_t bound) {
    return random_below(&w->random, bound);
}

static bool odds(struct plan_world *w, uint32_t permille) {
    return !w->calm && random_chance(&w->random, permille);
}
static int64_t wall(const struct plan_world *w) { return w->now + w->wall_off; }

/* ---- the model ---- */

static int64_t next_named(const struct rule *rule, int64_t after_ms) {
    int64_t minute = after_ms / MINUTE_MS + 1;
    while ((uint32_t)(minute % DAY_MINUTES) % rule->every != rule->phase) minute++;
    return minute * MINUTE_MS;
}

static int64_t next_allowed(const struct shadow *s, int64_t after_ms) {
    const int64_t at = next_named(s->rule, after_ms);
    if (s->r.executions_max && s->r.executions >= s->r.executions_max) return 0;
    return s->r.end_ms && at > s->r.end_ms ? 0 : at;
}

/* What is promised once `nominal` ran at `ran_ms`. */
static int64_t next_after_run(const struct shadow *s, int64_t nominal, int64_t ran_ms) {
    if (ran_ms - nominal <= MISFIRE_GRACE_MS) return next_allowed(s, nominal);
    if (s->r.misfire != MISFIRE_ALL) return next_allowed(s, ran_ms);
    int64_t at = nominal;
    for (int i = 0; i < MISFIRES_MAX && at && at <= ran_ms; i++) at = next_allowed(s, at);
    return next_allowed(s, at && at <= ran_ms ? ran_ms : nominal);
}

static struct shadow *shadow_of(struct plan_world *w, uint64_t id) {
    for (uint32_t i = 0; i < w->shadow_count; i++)
        if (w->shadows[i].r.id == id) return &w->shadows[i];
    assert(w->shadow_count < SHADOWS);
    w->shadows[w->shadow_count] = (struct shadow){.r.id = id, .touched = true};
    return &w->shadows[w->shadow_count++];
}

static const struct rule *rule_of(struct slice text) {
    for (int i = 0; i < RULES; i++)
        if (slice_equal(text, slice_text(rules[i].text))) return &rules[i];
    assert(!"a rule");
    return NULL;
}

static uint64_t history_key(uint64_t schedule, int64_t nominal_ms) {
    return schedule << 32 | (uint64_t)(nominal_ms / MINUTE_MS);
}

/* ---- what becomes durable ---- */

/* What was passed over must have been missed, by the latest clock that the broker has seen. */
static void skipped(struct plan_world *w, struct shadow *s, int64_t from_ms, int64_t to_ms) {
    for (int64_t at = from_ms; at && at < to_ms; at = next_named(s->rule, at))
        if (w->wall_max - at <= MISFIRE_GRACE_MS)
            wrong(w, "schedule %llu left out %lld, which was not missed",
                  (unsigned long long)s->r.id, (long long)at);
}

static void judge_run(struct plan_world *w, const struct run *run) {
    struct shadow *s = shadow_of(w, run->schedule);
    const unsigned long long id = (unsigned long long)run->schedule;
    const long long nominal = (long long)run->nominal_ms;
    const uint64_t key = history_key(run->schedule, run->nominal_ms);
    if (map64_get(&w->history, key)) wrong(w, "schedule %llu ran twice for %lld", id, nominal);
    map64_set(&w->history, key, run->task);
    if (run->created_ms < run->nominal_ms)
        wrong(w, "schedule %llu ran early: %lld at %lld", id, nominal, (long long)run->created_ms);
    if (s->touched || !s->there) return;
    if (run->nominal_ms != next_named(s->rule, run->nominal_ms - 1))
        wrong(w, "schedule %llu ran for %lld, which it does not name", id, nominal);
    if (s->r.misfire == MISFIRE_SKIP) skipped(w, s, s->expected_ms, run->nominal_ms);
    else if (run->nominal_ms != s->expected_ms)
        wrong(w, "schedule %llu ran for %lld in place of %lld", id, nominal,
              (long long)s->expected_ms);
    s->r.executions++;
    s->expected_ms = next_after_run(s, run->nominal_ms, run->created_ms);
}

static void judge_schedule(struct plan_world *w, const struct schedule_record *r) {
    struct shadow *s = shadow_of(w, r->id);
    const bool known = s->there && !s->touched;
    if (known && s->r.misfire == MISFIRE_SKIP && r->next_ms != s->expected_ms && s->expected_ms)
        skipped(w, s, s->expected_ms, r->next_ms ? r->next_ms : s->expected_ms + 1);
    if (known && s->r.misfire != MISFIRE_SKIP && r->next_ms != s->expected_ms)
        wrong(w, "schedule %llu lost a time: %lld was promised, %lld is", (unsigned long long)r->id,
              (long long)s->expected_ms, (long long)r->next_ms);
    s->r = *r;
    s->rule = rule_of(r->expression);
    s->there = true;
    s->expected_ms = r->next_ms;
    if (r->next_ms && r->next_ms != next_named(s->rule, r->next_ms - 1))
        wrong(w, "schedule %llu will run at %lld, which it does not name",
              (unsigned long long)r->id, (long long)r->next_ms);
}

static int run_order(const void *a, const void *b) {
    const struct run *x = a, *y = b;
    if (x->schedule != y->schedule) return x->schedule < y->schedule ? -1 : 1;
    return (x->nominal_ms > y->nominal_ms) - (x->nominal_ms < y->nominal_ms);
}

/* A body is written once, when its task is made. */
static void runs_gather(struct plan_world *w, const struct record *records, uint32_t count) {
    w->run_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct task_body *body = &records[i].body;
        if (records[i].kind != RECORD_BODY || body->payload.len != sizeof template - 1) continue;
        struct run run = {.task = body->id};
        const bool dated = date_parse(slice_of(body->payload.data + STAMP_AT,
                                               SCHEDULE_STAMP_BYTES), &run.nominal_ms);
        assert(dated && w->run_count < RUNS);
        for (uint32_t k = 0; k < count; k++)
            if (records[k].kind == RECORD_TASK && records[k].task.id == body->id) {
                run.schedule = records[k].task.schedule;
                run.created_ms = records[k].task.created_ms;
            }
        assert(run.schedule != 0);
        w->runs[w->run_count++] = run;
    }
    qsort(w->runs, w->run_count, sizeof *w->runs, run_order);
}

static void judge_group(struct plan_world *w) {
    runs_gather(w, w->fx.records, w->fx.record_count);
    for (uint32_t i = 0; i < w->run_count; i++) judge_run(w, &w->runs[i]);
    for (uint32_t i = 0; i < w->fx.record_count; i++) {
        const struct record *r = &w->fx.records[i];
        if (r->kind == RECORD_SCHEDULE) judge_schedule(w, &r->schedule);
        if (r->kind == RECORD_SCHEDULE_GONE) shadow_of(w, r->schedule.id)->there = false;
    }
    for (uint32_t i = 0; i < w->shadow_count; i++) /* what waits for a zone may still come */
        w->shadows[i].touched = w->shadows[i].touched && w->need_count > 0;
    w->wall_max = wall(w);
}

/* ---- the broker ---- */

static void take(struct plan_world *w) {
    for (uint32_t i = 0; i < w->fx.say_count; i++) {
        const struct message *m = &w->fx.says[i].message;
        struct schedule_record r;
        uint32_t at = 0;
        if (m->verb == VERB_WELCOME) w->link = m->welcome.link;
        if (m->verb == VERB_ANSWER && m->answer.code == CODE_OK &&
            schedule_row_next(m->answer.body, &at, &r) && r.brand == 0)
            w->reserved = r.id;
    }
    for (uint32_t i = 0; i < w->fx.need_count; i++) {
        const struct need *need = &w->fx.needs[i];
        assert(w->need_count < NEEDS && need->key.len <= sizeof w->needs[0].key);
        struct pending *p = &w->needs[w->need_count++];
        p->need = *need;
        if (need->key.len) memcpy(p->key, need->key.data, need->key.len);
    }
    effects_clear(&w->fx);
}

static void step(struct plan_world *w, struct event *e) {
    e->mono_ms = w->now;
    e->wall_ms = wall(w);
    if (e->wall_ms > w->wall_max) w->wall_max = e->wall_ms;
    e->seed = random_next(&w->random);
    w->steps++;
    core_step(w->core, e, &w->fx);
    take(w);
}

static void found(void *context, const struct record *r) { record_encode(context, r); }

static void answer_need(struct plan_world *w) {
    struct pending p = w->needs[0];
    struct buffer bytes = {0};
    struct record *records = NULL;
    uint32_t count = 0;
    char why[256];
    memmove(w->needs, w->needs + 1, --w->need_count * sizeof p);
    p.need.key = slice_of(p.key, p.need.key.len);
    bool good = store_load(w->store, &p.need, w->group - 1, found, &bytes, why, sizeof why);
    assert(good && !bytes.failed);
    for (struct slice in = buffer_slice(&bytes); in.len;) {
        records = realloc(records, (count + 1) * sizeof *records);
        assert(records != NULL);
        good = record_decode(&in, &records[count++]);
        assert(good);
    }
    struct event e = {.kind = EVENT_LOADED, .need = p.need, .records = records,
                      .record_count = count};
    step(w, &e);
    free(records);
    buffer_free(&bytes);
}

static void commit(struct plan_world *w) {
    if (!core_dirty(w->core)) return;
    core_close(w->core, &w->fx);
    buffer_clear(&w->bytes);
    for (uint32_t i = 0; i < w->fx.record_count; i++)
        record_encode(&w->bytes, &w->fx.records[i]);
    if (w->fx.record_count) {
        const enum store_state state =
            store_append(w->store, w->group++, buffer_slice(&w->bytes));
        assert(state == STORE_OK);
        judge_group(w);
    }
    effects_clear(&w->fx);
}

static void speak(struct plan_world *w, struct message *m) {
    struct event e = {.kind = EVENT_MESSAGE, .peer = w->peer, .message = m,
                      .link = m->verb == VERB_HELLO ? 0 : w->link,
                      .who = {.role = ROLE_CLIENT, .brand = 1}};
    m->number = ++w->number;
    step(w, &e);
}

static void broker_start(struct plan_world *w) {
    struct event restore = {.kind = EVENT_RESTORE}, disk = {.kind = EVENT_DISK};
    w->core = core_new(&w->limits, ++w->incarnation);
    assert(w->core != NULL);
    w->group = store_next_group(w->store);
    w->need_count = 0;
    step(w, &restore);
    while (!core_ready(w->core)) {
        assert(w->need_count > 0);
        answer_need(w);
    }
    struct event open = {.kind = EVENT_OPEN, .peer = w->peer};
    step(w, &open);
    struct message hello = {.verb = VERB_HELLO, .hello = {.version = PROTOCOL_VERSION,
                                                          .kind = LINK_CLIENT, .boot = 1,
                                                          .name = slice_text("c")}};
    speak(w, &hello);
    disk.disk_full = w->full;
    step(w, &disk);
}

static void broker_crash(struct plan_world *w) {
    core_destroy(&w->core);
    effects_clear(&w->fx);
    for (uint32_t i = 0; i < w->shadow_count; i++) w->shadows[i].touched = false;
    w->now += (int64_t)any(w, any(w, 4) ? 5000 : 400000);
    broker_start(w);
}

/* ---- clients ---- */

static void record_draw(struct plan_world *w, struct schedule_ref *m) {
    struct schedule_record *r = &m->record;
    const struct rule *rule = &rules[any(w, RULES)];
    m->set |= SET_SCHEDULE_EXPRESSION | SET_SCHEDULE_ZONE;
    r->expression = slice_text(rule->text);
    r->zone = slice_text(rule->zones && any(w, 2) ? "Europe/Paris" : "UTC");
    if (any(w, 4) == 0) m->set |= SET_SCHEDULE_MAX, r->executions_max = (uint32_t)any(w, 9);
    if (any(w, 4) == 0) {
        m->set |= SET_SCHEDULE_END;
        r->end_ms = wall(w) + (int64_t)any(w, 7200000);
    }
}

static void plan_create(struct plan_world *w, uint64_t *slot) {
    struct message m = {.verb = VERB_SCHEDULE, .schedule = {.op = SCHEDULE_RESERVE}};
    if (w->shadow_count == SHADOWS) return;
    w->reserved = 0;
    m.schedule.record.brand = 1;
    speak(w, &m);
    if (w->reserved == 0) return; /* refused: the disk is full */
    *slot = w->reserved;
    m = (struct message){.verb = VERB_SCHEDULE,
                         .schedule = {.op = SCHEDULE_CREATE, .id = *slot,
                                      .set = SET_SCHEDULE_QUEUE | SET_SCHEDULE_PAYLOAD |
                                             SET_SCHEDULE_STAMP | SET_SCHEDULE_MISFIRE,
                                      .record = {.brand = 1, .queue = slice_text("q"),
                                                 .payload = slice_text(template),
                                                 .stamp = STAMP_AT}}};
    m.schedule.record.misfire = (uint8_t)any(w, MISFIRE_COUNT);
    record_draw(w, &m.schedule);
    shadow_of(w, *slot)->touched = true;
    speak(w, &m);
}

static void plan_meddle(struct plan_world *w) {
    uint64_t *slot = &w->slots[any(w, SLOTS)];
    struct message m = {.verb = VERB_SCHEDULE, .schedule = {.id = *slot, .record.brand = 1}};
    struct schedule_ref *p = &m.schedule;
    if (*slot == 0) {
        plan_create(w, slot);
        return;
    }
    switch (any(w, 8)) {
    case 0: p->op = SCHEDULE_REMOVE; *slot = 0; break;
    case 1:
        p->op = SCHEDULE_RUN;
        p->set = SET_SCHEDULE_PAYLOAD;
        p->record.payload = slice_text("by hand");
        break;
    case 2:
        p->op = SCHEDULE_CHANGE;
        record_draw(w, p);
        shadow_of(w, p->id)->touched = true;
        break;
    case 3: case 4:
        p->op = SCHEDULE_CHANGE;
        p->set = SET_SCHEDULE_ACTIVE;
        p->record.active = any(w, 3) > 0;
        shadow_of(w, p->id)->touched = true;
        break;
    case 5: /* names no times: what was promised stays */
        p->op = SCHEDULE_CHANGE;
        p->set = SET_SCHEDULE_PRIORITY;
        p->record.priority = (uint8_t)any(w, PRIORITY_COUNT);
        break;
    default: p->op = SCHEDULE_READ; break;
    }
    speak(w, &m);
}

/* ---- time ---- */

static void wake(struct plan_world *w) {
    for (int i = 0; core_wake_ms(w->core) <= w->now || w->need_count; i++) {
        assert(i < WAKES_MAX);
        struct event time = {.kind = EVENT_TIME};
        if (w->need_count) answer_need(w);
        else if (w->full && i > 8) return; /* it asks again later */
        else step(w, &time);
        if (w->calm || any(w, 3)) commit(w);
    }
}

static void disk_turn(struct plan_world *w, bool full) {
    struct event e = {.kind = EVENT_DISK, .disk_full = full};
    w->full = full;
    step(w, &e);
}

static void tick(struct plan_world *w) {
    w->now += w->calm ? CALM_TICK_MS : (int64_t)any(w, any(w, 8) ? 20000 : 90000);
    if (odds(w, 20)) {
        struct event stall = {.kind = EVENT_STALL, .stall_ms = (int64_t)any(w, 200000)};
        w->now += stall.stall_ms;
        step(w, &stall);
    }
    if (odds(w, 15)) w->wall_off += (int64_t)any(w, 7200000) - 3600000;
    if (odds(w, 20)) disk_turn(w, !w->full);
    if (!w->calm && any(w, 3) == 0) plan_meddle(w);
    wake(w);
    if (w->calm || any(w, 4)) commit(w);
    if (odds(w, 40)) broker_crash(w);
}

/* ---- the calm ---- */

static void calm_begin(struct plan_world *w, int64_t from_ms[SHADOWS]) {
    w->calm = true;
    disk_turn(w, false); /* a step in any case: the clock may have jumped since the last */
    wake(w);
    commit(w);
    for (uint32_t i = 0; i < w->shadow_count; i++) {
        const struct shadow *s = &w->shadows[i];
        from_ms[i] = s->there ? s->expected_ms : 0;
        if (from_ms[i] && from_ms[i] < wall(w))
            wrong(w, "schedule %llu is overdue in the calm", (unsigned long long)s->r.id);
    }
}

static void calm_end(struct plan_world *w, const int64_t from_ms[SHADOWS]) {
    for (uint32_t i = 0; i < w->shadow_count; i++) {
        const struct shadow *s = &w->shadows[i];
        if (!s->there || !from_ms[i]) continue;
        const int64_t to_ms = s->expected_ms ? s->expected_ms : from_ms[i];
        if (s->expected_ms && s->expected_ms <= wall(w))
            wrong(w, "schedule %llu does not run any more", (unsigned long long)s->r.id);
        for (int64_t at = from_ms[i]; at < to_ms; at = next_named(s->rule, at))
            if (!map64_get(&w->history, history_key(s->r.id, at)))
                wrong(w, "schedule %llu never ran for %lld", (unsigned long long)s->r.id,
                      (long long)at);
    }
}

bool plan_run(uint64_t seed, uint32_t bugs, uint64_t *steps, char *why, size_t why_size) {
    static struct plan_world world;
    struct plan_world *w = &world;
    int64_t from_ms[SHADOWS];
    *w = (struct plan_world){.why = why, .why_size = why_size, .now = 1000000, .peer = 1,
                             .random = random_seed(hash_number(seed * 2 + 1)),
                             .wall_off = INT64_C(1700000000000)};
    core_limits_default(&w->limits);
    w->limits.lost_ms = UINT32_MAX / 2; /* the client's link itself never fails here */
    w->limits.bugs = bugs;
    w->store = store_open_memory(NULL);
    assert(w->store != NULL);
    broker_start(w);
    for (int i = 0; i < WILD && !w->failed; i++) tick(w);
    if (!w->failed) calm_begin(w, from_ms);
    for (int i = 0; i < CALM && !w->failed; i++) tick(w);
    if (!w->failed) calm_end(w, from_ms);
    core_destroy(&w->core);
    effects_free(&w->fx);
    store_close(&w->store);
    buffer_free(&w->bytes);
    map64_free(&w->history);
    *steps += w->steps;
    return !w->failed;
}
