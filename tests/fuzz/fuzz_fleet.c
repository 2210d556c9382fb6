/* Any bytes as what stations, users and administrators of dialect 003 say, in any order and with
 * any values, while time passes: the core answers everything, and what it wrote is what it was. */
#include "broker/core/core.h"
#include "proto/fleet.h"
#include "store/codec.h"
#include "store/store.h"
#include <assert.h>
#include <stdlib.h>

enum { SAID_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input { const uint8_t *at, *end; };
struct ground {
    struct core *core;
    struct store *store;
    struct effects fx;
    struct buffer bytes;
    uint64_t group, number;
    int64_t now;
    uint32_t link, answers;
};

static uint8_t next(struct input *in) { return in->at < in->end ? *in->at++ : 0; }
static struct slice text(struct input *in) {
    static const char *const names[] = {"", "a", "b", "c", "http://a", "http://b", "m1", "m2"};
    uint8_t n = next(in);
    if (n < 248) return slice_text(names[n & 7]);
    static uint8_t words[8][256]; /* UTF-8, as the decoder lets through */
    static int turn;
    uint8_t *word = words[turn++ & 7];
    for (uint32_t i = 0; i < n; i++) word[i] = next(in) & 0x7f;
    return slice_of(word, n);
}
static int64_t number(struct input *in) {
    uint8_t n = next(in);
    return n == 255 ? INT64_MAX : n == 254 ? INT64_MIN : (int64_t)n * n * n;
}

static void step(struct ground *g, struct event *e);

static void found(void *context, const struct record *r) { record_encode(context, r); }

static void answer_need(struct ground *g, struct need need) {
    struct buffer bytes = {0};
    struct record *records = NULL;
    uint32_t count = 0;
    char why[256];
    bool good = store_load(g->store, &need, g->group - 1, found, &bytes, why, sizeof why);
    assert(good);
    for (struct slice in = buffer_slice(&bytes); in.len;) {
        records = realloc(records, (count + 1) * sizeof *records);
        good = record_decode(&in, &records[count++]);
        assert(good);
    }
    struct event e = {.kind = EVENT_LOADED, .need = need, .records = records,
                      .record_count = count};
    step(g, &e);
    free(records);
    buffer_free(&bytes);
}

static void step(struct ground *g, struct event *e) {
    e->mono_ms = g->now;
    e->wall_ms = INT64_C(1700000000000) + g->now;
    core_step(g->core, e, &g->fx);
    for (uint32_t i = 0; i < g->fx.say_count; i++) {
        const struct message *m = &g->fx.says[i].message;
        if (m->verb == VERB_WELCOME) g->link = m->welcome.link;
        struct fleet_answer a;
        if (m->verb == VERB_ANSWER && m->answer.code == CODE_OK && m->answer.body.len > 20)
            assert(fleet_read(m->answer.body, &a));
        g->answers++;
    }
    struct need need = g->fx.need_count ? g->fx.needs[0] : (struct need){.kind = NEED_NONE};
    effects_clear(&g->fx);
    if (need.kind == NEED_RESTORE) answer_need(g, need);
}

static void commit(struct ground *g) {
    if (!core_dirty(g->core)) return;
    core_close(g->core, &g->fx);
    buffer_clear(&g->bytes);
    for (uint32_t i = 0; i < g->fx.record_count; i++) record_encode(&g->bytes, &g->fx.records[i]);
    if (g->fx.record_count) store_append(g->store, g->group++, buffer_slice(&g->bytes));
    effects_clear(&g->fx);
}

static void begin(struct ground *g) {
    struct core_limits limits;
    core_limits_default(&limits);
    limits.links_max = 4;
    limits.stations_max = 3;
    limits.sessions_max = 4;
    limits.commands_max = 3;
    limits.lost_ms = UINT32_MAX / 2;
    g->core = core_new(&limits, ++g->number);
    g->group = store_next_group(g->store);
    struct event restore = {.kind = EVENT_RESTORE};
    step(g, &restore);
    struct event open = {.kind = EVENT_OPEN, .who = {.role = ROLE_GATEWAY}};
    step(g, &open);
    struct message hello = {.verb = VERB_HELLO, .number = 1};
    hello.hello.version = PROTOCOL_VERSION;
    hello.hello.kind = LINK_GATEWAY;
    struct event e = {.kind = EVENT_MESSAGE, .message = &hello, .who = {.role = ROLE_GATEWAY}};
    step(g, &e);
}

static void again(struct ground *g) {
    commit(g);
    uint64_t before = core_digest(g->core);
    core_destroy(&g->core);
    begin(g);
    assert(core_digest(g->core) == before);
}

static void fill_rows(struct input *in, struct buffer *rows) {
    for (uint8_t n = next(in) & 3; n--;) {
        const struct session_row row = {
            .name = text(in), .phone = text(in), .seen_ms = number(in),
            .status = next(in) % SESSION_STATUS_COUNT};
        session_row_put(rows, &row);
    }
}

static void say(struct ground *g, struct input *in) {
    static const uint8_t roles[] = {ROLE_FLEET, ROLE_ADMIN, ROLE_USER, ROLE_LOCAL, ROLE_WORKER};
    struct message m = {.verb = (enum verb)(VERB_STATION_PUT + next(in) % 11),
                        .number = ++g->number};
    struct buffer rows = {0};
    uint8_t role = roles[next(in) % sizeof roles];
    if (m.verb <= VERB_STATION_GET) {
        fill_rows(in, &rows);
        m.station = (struct station_ref){
            .name = text(in), .endpoint = text(in), .version = text(in), .set = next(in),
            .mode = next(in) & 3, .status = next(in) & 7, .environment = next(in) & 7,
            .sessions_max = next(in), .draining = next(in) & 1, .whole = next(in) & 1,
            .remove = next(in) & 1, .commands = next(in), .time_ms = number(in),
            .sessions = next(in) & 8 ? text(in) : buffer_slice(&rows), .beat = text(in)};
    } else if (m.verb == VERB_STATION_LIST) {
        m.stations = (struct station_question){.search = text(in), .status_mask = next(in),
                                               .limit = next(in), .offset = next(in)};
    } else if (m.verb == VERB_COMMANDS) {
        m.commands = (struct commands_ask){.station = text(in), .key = text(in),
                                           .ack = (uint64_t)number(in), .limit = next(in),
                                           .wait_ms = (uint32_t)number(in)};
    } else if (m.verb != VERB_FLEET_STATS) {
        m.session = (struct session_ref){
            .name = text(in), .owner = text(in), .station = text(in), .phone = text(in),
            .display = text(in), .reason = text(in), .key = text(in), .payload = text(in),
            .act = next(in) & 7, .status = next(in) & 7, .time_ms = number(in),
            .gone = next(in) & 1};
    }
    struct event e = {.kind = EVENT_MESSAGE, .link = g->link, .message = &m,
                      .who = {.role = role, .brand = 1 + (next(in) & 1)}};
    step(g, &e);
    buffer_free(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ground g = {.store = store_open_memory(NULL)};
    struct input in = {data, data + size};
    begin(&g);
    for (int i = 0; in.at < in.end && i < SAID_MAX; i++) {
        uint8_t what = next(&in);
        if (what < 200) say(&g, &in);
        else if (what < 240) g.now += (int64_t)(what - 199) * (what - 199) * 100;
        else if (what < 250) commit(&g);
        else again(&g);
        for (int k = 0; k < 100 && core_wake_ms(g.core) <= g.now; k++) {
            struct event time = {.kind = EVENT_TIME};
            step(&g, &time);
        }
    }
    again(&g);
    core_destroy(&g.core);
    effects_free(&g.fx);
    buffer_free(&g.bytes);
    store_close(&g.store);
    return 0;
}
