#include "tests/story/world.h"
#include "store/codec.h"
#include <assert.h>
#include <stdlib.h>

enum { SETTLE_MAX = 10000 };

static void *room(void *array, uint32_t count, uint32_t *cap, size_t size) {
    if (count < *cap) return array;
    *cap = *cap ? *cap * 2 : 64;
    void *bigger = realloc(array, *cap * size);
    assert(bigger != NULL);
    return bigger;
}

static void leave(struct world *w, struct left *left) {
    w->tell(w, left);
    free(left->text);
}

static struct left left_of(struct world *w, const struct say *s) {
    const struct message *m = &s->message;
    struct left left = {.peer = s->peer, .verb = m->verb, .number = m->number, .now = s->now};
    switch ((int)m->verb) {
    case VERB_WELCOME: left.link = m->welcome.link; break;
    case VERB_TASK: left.task = m->task.task; left.epoch = m->task.epoch; break;
    case VERB_SUBMITTED: left.task = m->submitted.id; left.code = m->submitted.code; break;
    case VERB_STOP: left.task = m->stop.task; left.epoch = m->stop.epoch; break;
    default: break;
    }
    left.text = w->note(w, s);
    return left;
}

/* Takes what a step left behind: says, and needs with copies of their keys. */
static void take_effects(struct world *w) {
    for (uint32_t i = 0; i < w->fx.say_count; i++) {
        struct left left = left_of(w, &w->fx.says[i]);
        if (w->fx.says[i].fills) w->full = w->fx.says[i].peer;
        if (left.now || (!w->hold && !core_dirty(w->core) && w->waiting_count == 0)) {
            leave(w, &left);
            continue;
        }
        w->waiting = room(w->waiting, w->waiting_count, &w->waiting_cap, sizeof left);
        w->waiting[w->waiting_count++] = left;
    }
    for (uint32_t i = 0; i < w->fx.need_count; i++) {
        w->needs = room(w->needs, w->need_count, &w->need_cap, sizeof *w->needs);
        struct need_kept *n = &w->needs[w->need_count++];
        *n = (struct need_kept){.need = w->fx.needs[i], .group = w->group - 1};
        assert(n->need.key.len <= sizeof n->key);
        if (n->need.key.len) memcpy(n->key, n->need.key.data, n->need.key.len);
    }
    assert(w->fx.record_count == 0);
    effects_clear(&w->fx);
}

static void step(struct world *w, struct event *e) {
    e->mono_ms = w->mono_ms;
    e->wall_ms = w->wall_ms;
    e->seed = ++w->seed;
    core_step(w->core, e, &w->fx);
    take_effects(w);
}

bool world_commit(struct world *w) {
    bool dirty = core_dirty(w->core);
    if (dirty) core_close(w->core, &w->fx);
    buffer_clear(&w->bytes);
    for (uint32_t i = 0; i < w->fx.record_count; i++) {
        record_encode(&w->bytes, &w->fx.records[i]);
        w->lane_records += w->fx.records[i].kind == RECORD_LANE;
    }
    bool some = w->fx.record_count > 0;
    effects_clear(&w->fx);
    if (some) {
        enum store_state state = store_append(w->store, w->group++, buffer_slice(&w->bytes));
        assert(state == STORE_OK);
    }
    uint32_t count = w->waiting_count;
    for (uint32_t i = 0; i < count; i++) leave(w, &w->waiting[i]);
    w->waiting_count = 0;
    return some || count > 0;
}

static void found(void *context, const struct record *r) { record_encode(context, r); }

/* Reads the oldest need and steps what was found. */
static void answer_need(struct world *w) {
    struct need_kept n = w->needs[0];
    memmove(w->needs, w->needs + 1, --w->need_count * sizeof n);
    n.need.key = slice_of(n.key, n.need.key.len);
    struct buffer bytes = {0};
    char why[256];
    bool good = store_load(w->store, &n.need, n.group, found, &bytes, why, sizeof why);
    assert(good && !bytes.failed);
    struct record *records = NULL;
    uint32_t count = 0, cap = 0;
    for (struct slice in = buffer_slice(&bytes); in.len;) {
        records = room(records, count, &cap, sizeof *records);
        good = record_decode(&in, &records[count++]);
        assert(good);
    }
    struct event e = {.kind = EVENT_LOADED, .need = n.need, .records = records,
                      .record_count = count};
    step(w, &e);
    free(records);
    buffer_free(&bytes);
}

void world_settle(struct world *w) {
    for (int i = 0; !w->hold; i++) {
        assert(i < SETTLE_MAX);
        bool more = world_commit(w);
        if (w->need_count && !w->deaf) {
            answer_need(w);
            continue;
        }
        if (!more) return;
    }
}

void world_step(struct world *w, struct event *e) {
    step(w, e);
    world_settle(w);
}

static void start(struct world *w) {
    w->core = core_new(&w->limits, ++w->incarnation);
    assert(w->core != NULL);
    w->group = store_next_group(w->store);
    struct event e = {.kind = EVENT_RESTORE};
    bool hold = w->hold, deaf = w->deaf;
    w->hold = w->deaf = false;
    world_step(w, &e);
    w->hold = hold;
    w->deaf = deaf;
    assert(core_ready(w->core));
}

void world_open(struct world *w) {
    w->store = store_open_memory(NULL);
    assert(w->store != NULL);
    start(w);
}

static void drop_waiting(struct world *w) {
    for (uint32_t i = 0; i < w->waiting_count; i++) free(w->waiting[i].text);
    w->waiting_count = w->need_count = 0;
}

void world_crash(struct world *w) {
    drop_waiting(w);
    core_destroy(&w->core);
    effects_clear(&w->fx);
    start(w);
}

void world_close(struct world *w) {
    drop_waiting(w);
    core_destroy(&w->core);
    effects_free(&w->fx);
    store_close(&w->store);
    buffer_free(&w->bytes);
    free(w->waiting);
    free(w->needs);
}

void world_wait(struct world *w, int64_t ms) {
    int64_t end = w->mono_ms + ms;
    for (int i = 0;; i++) {
        assert(i < SETTLE_MAX);
        int64_t wake = core_wake_ms(w->core);
        if (wake > end) break;
        if (wake > w->mono_ms) {
            w->wall_ms += wake - w->mono_ms;
            w->mono_ms = wake;
            i = 0;
        }
        struct event e = {.kind = EVENT_TIME};
        world_step(w, &e);
    }
    w->wall_ms += end - w->mono_ms;
    w->mono_ms = end;
}
