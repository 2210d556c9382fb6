#include "tests/sim/fleet.h"
#include "tests/sim/fleet_world.h"
#include "proto/base/map.h"
#include "store/codec.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fleet_violate(struct world *w, const char *format, ...) {
    if (w->failed) return;
    va_list list;
    va_start(list, format);
    int n = snprintf(w->why, w->why_size, "fleet, at %lld ms: ", (long long)w->now);
    vsnprintf(w->why + n, w->why_size - (size_t)n, format, list);
    va_end(list);
    w->failed = true;
}

const char *fleet_name(char kind, int index) {
    static char names[4][8];
    static int next;
    char *name = names[next++ & 3];
    snprintf(name, 8, "%c%d", kind, index);
    return name;
}

int fleet_index(struct slice name) {
    return name.len == 2 ? name.data[1] - '0' : -1;
}

/* ---- the broker ---- */

static void keep(struct world *w, const struct say *say) {
    const struct message *m = &say->message;
    if (m->verb == VERB_WELCOME) w->link = m->welcome.link;
    if (m->verb != VERB_ANSWER && m->verb != VERB_ROWS) return;
    struct slice body = m->verb == VERB_ROWS ? m->rows.rows : m->answer.body;
    struct answer_kept a = {.number = m->verb == VERB_ROWS ? m->rows.number : m->answer.number,
                            .code = m->verb == VERB_ROWS ? m->rows.code : m->answer.code,
                            .len = body.len, .body = malloc(body.len + 1)};
    assert(a.body != NULL);
    if (body.len) memcpy(a.body, body.data, body.len);
    assert(w->waiting_count < WAITING);
    w->waiting[w->waiting_count++] = a;
}

static void found(void *context, const struct record *r) { record_encode(context, r); }

static void step(struct world *w, struct event *e);

/* Only a restore asks for anything: all else is in memory. */
static void answer_need(struct world *w, struct need need) {
    struct buffer bytes = {0};
    struct record *records = NULL;
    uint32_t count = 0;
    char why[256];
    bool good = store_load(w->store, &need, w->group - 1, found, &bytes, why, sizeof why);
    assert(good && !bytes.failed);
    for (struct slice in = buffer_slice(&bytes); in.len;) {
        records = realloc(records, (count + 1) * sizeof *records);
        assert(records != NULL);
        good = record_decode(&in, &records[count++]);
        assert(good);
    }
    struct event e = {.kind = EVENT_LOADED, .need = need, .records = records,
                      .record_count = count};
    step(w, &e);
    free(records);
    buffer_free(&bytes);
}

static void step(struct world *w, struct event *e) {
    e->mono_ms = w->now;
    e->wall_ms = w->now + w->wall_off;
    e->seed = random_next(&w->random);
    w->steps++;
    core_step(w->core, e, &w->fx);
    for (uint32_t i = 0; i < w->fx.say_count; i++) keep(w, &w->fx.says[i]);
    struct need need = w->fx.need_count ? w->fx.needs[0] : (struct need){.kind = NEED_NONE};
    effects_clear(&w->fx);
    if (need.kind == NEED_RESTORE) answer_need(w, need);
}

static void commit(struct world *w) {
    if (core_dirty(w->core)) {
        core_close(w->core, &w->fx);
        buffer_clear(&w->bytes);
        for (uint32_t i = 0; i < w->fx.record_count; i++)
            record_encode(&w->bytes, &w->fx.records[i]);
        if (w->fx.record_count) {
            enum store_state state = store_append(w->store, w->group++, buffer_slice(&w->bytes));
            assert(state == STORE_OK);
        }
        effects_clear(&w->fx);
    }
    uint32_t count = w->waiting_count;
    struct answer_kept left[WAITING];
    memcpy(left, w->waiting, count * sizeof *left);
    w->waiting_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        fleet_heard(w, &left[i]);
        free(left[i].body);
    }
}

uint64_t fleet_speak(struct world *w, uint8_t role, struct message *m) {
    struct event e = {.kind = EVENT_MESSAGE, .link = w->link, .message = m,
                      .who = {.role = role, .brand = 1}};
    m->number = ++w->number;
    step(w, &e);
    return m->number;
}

static void broker_start(struct world *w) {
    w->core = core_new(&w->limits, ++w->incarnation);
    assert(w->core != NULL);
    w->group = store_next_group(w->store);
    w->core_stalled = 0;
    struct event e = {.kind = EVENT_RESTORE};
    step(w, &e);
    assert(core_ready(w->core));
    if (w->compare && core_digest(w->core) != w->digest)
        fleet_violate(w, "what was restored is not what lived");
    struct event open = {.kind = EVENT_OPEN, .who = {.role = ROLE_GATEWAY}};
    step(w, &open);
    struct message hello = {.verb = VERB_HELLO, .number = 1};
    hello.hello.version = PROTOCOL_VERSION;
    hello.hello.kind = LINK_GATEWAY;
    struct event e2 = {.kind = EVENT_MESSAGE, .message = &hello, .who = {.role = ROLE_GATEWAY}};
    step(w, &e2);
    commit(w);
    w->up_at = w->now;
    w->room_since = 0;
    for (int i = 0; i < STATIONS; i++) {
        struct host *h = &w->hosts[i];
        h->stuck_since = 0;
        h->beaten = false;
        if (h->heard_at != INT64_MIN) h->heard_at = w->now; /* it has its whole time again */
    }
}

static void broker_crash(struct world *w) {
    w->compare = !core_dirty(w->core) && w->waiting_count == 0;
    w->digest = core_digest(w->core);
    for (uint32_t i = 0; i < w->waiting_count; i++) free(w->waiting[i].body);
    w->waiting_count = 0;
    core_destroy(&w->core);
    effects_clear(&w->fx);
    for (int i = 0; i < SESSIONS; i++) w->users[i].asked = 0;
    w->now += (int64_t)fleet_below(w, 500);
    broker_start(w);
}

/* ---- time ---- */

static void tick(struct world *w) {
    w->now += TICK_MS;
    if (fleet_chance(w, 5)) { /* the whole process stood still */
        struct event stall = {.kind = EVENT_STALL, .stall_ms = (int64_t)fleet_below(w, 3000)};
        w->now += stall.stall_ms;
        w->core_stalled += stall.stall_ms;
        for (int i = 0; i < STATIONS; i++) w->hosts[i].stuck_since = 0;
        w->room_since = 0;
        step(w, &stall);
    }
    if (fleet_chance(w, 10)) w->wall_off += (int64_t)fleet_below(w, 7200000) - 3600000;
    for (int i = 0; i < STATIONS; i++) fleet_host_tick(w, i);
    if (!w->calm && fleet_below(w, 3) == 0) fleet_user_act(w);
    if (fleet_chance(w, 8)) fleet_admin_act(w);
    for (int i = 0; i < 64 && core_wake_ms(w->core) <= w->now; i++) {
        struct event time = {.kind = EVENT_TIME};
        step(w, &time);
    }
    if (w->calm || fleet_below(w, 4)) commit(w);
    if (fleet_below(w, 5) == 0) fleet_look(w);
    if (fleet_chance(w, 8)) broker_crash(w);
}

bool fleet_run(uint64_t seed, uint32_t bugs, uint64_t *steps, char *why, size_t why_size) {
    static struct world world;
    struct world *w = &world;
    *w = (struct world){.why = why, .why_size = why_size,
                        .random = random_seed(hash_number(seed * 2 + 1)),
                        .wall_off = INT64_C(1700000000000)};
    core_limits_default(&w->limits);
    w->limits.links_max = 4;
    w->limits.lost_ms = UINT32_MAX / 2; /* the gateway's link itself never fails here */
    w->limits.station_dead_ms = DEAD_MS;
    w->limits.recovery_ms = RECOVERY_MS;
    w->limits.command_repeat_ms = 100;
    w->limits.command_deliveries_max = 1000;
    w->limits.bugs = bugs;
    w->store = store_open_memory(NULL);
    for (int i = 0; i < STATIONS; i++) {
        w->hosts[i].heard_at = INT64_MIN;
        w->hosts[i].max = fleet_below(w, 2) ? SESSIONS : 1 + (uint32_t)fleet_below(w, 4);
        w->hosts[i].wake_at = (int64_t)fleet_below(w, 2000);
    }
    broker_start(w);
    for (int i = 0; i < TICKS_WILD && !w->failed; i++) tick(w);
    w->calm = true;
    fleet_admin_mend(w);
    for (int i = 0; i < TICKS_CALM && !w->failed; i++) tick(w);
    if (!w->failed) fleet_look_calm(w);
    if (!w->failed) {
        commit(w);
        broker_crash(w);
    }
    for (uint32_t i = 0; i < w->waiting_count; i++) free(w->waiting[i].body);
    free(w->now_answer.body);
    core_destroy(&w->core);
    effects_free(&w->fx);
    store_close(&w->store);
    buffer_free(&w->bytes);
    *steps += w->steps;
    return !w->failed;
}
