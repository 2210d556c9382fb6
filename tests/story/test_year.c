/* A year of schedules in two time zones, over many restarts: each nominal time of a list that was
 * made without the broker's calendar fires exactly once.
 *
 * The list comes from the C library's local time, minute by minute. An expression that names hours
 * fires once for each local time it names, at the first instant after it where clocks skip it, at
 * the first of both where they show it twice; one whose hour is * fires by time that passes. */
#include "proto/schedule.h"
#include "tests/story/world.h"
#include "tests/unit/tap.h"
#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum { MINUTE_MS = 60000, DAY_MS = 86400000, FIRES_MAX = 40000, PLANS = 12, HOUR_MINUTES = 60 };
static const char payload[] = "{\"at\":\"0000-00-00T00:00:00.000Z\"}";
enum { STAMP_AT = 7 };

/* ---- the expressions, and when a local time is named by them ---- */

struct plan {
    const char *expression, *zone;
    bool (*names)(const struct tm *t);
    bool any_hour;
    uint64_t id;
};

static bool half_past_two(const struct tm *t) { return t->tm_hour == 2 && t->tm_min == 30; }
static bool every_half_hour(const struct tm *t) { return t->tm_min % 30 == 0; }
static bool workdays(const struct tm *t) {
    return t->tm_hour == 9 && t->tm_min == 0 && t->tm_wday >= 1 && t->tm_wday <= 5;
}
static bool quarters_by_night(const struct tm *t) {
    return t->tm_hour >= 1 && t->tm_hour <= 3 && (t->tm_min == 15 || t->tm_min == 45);
}
static bool friday_or_13th(const struct tm *t) {
    return t->tm_hour == 0 && t->tm_min == 0 && (t->tm_mday == 13 || t->tm_wday == 5);
}
static bool last_of_year(const struct tm *t) {
    return t->tm_mon == 11 && t->tm_mday == 31 && t->tm_hour == 23 && t->tm_min == 59;
}

static struct plan plans[PLANS] = {
    {"30 2 * * *", "Europe/Paris", half_past_two, false, 0},
    {"30 2 * * *", "America/New_York", half_past_two, false, 0},
    {"*/30 * * * *", "Europe/Paris", every_half_hour, true, 0},
    {"*/30 * * * *", "America/New_York", every_half_hour, true, 0},
    {"0 9 * * 1-5", "Europe/Paris", workdays, false, 0},
    {"0 9 * * MON-FRI", "America/New_York", workdays, false, 0},
    {"15,45 1-3 * * *", "Europe/Paris", quarters_by_night, false, 0},
    {"15,45 1-3 * * *", "America/New_York", quarters_by_night, false, 0},
    {"0 0 13 * 5", "Europe/Paris", friday_or_13th, false, 0},
    {"0 0 13 * 5", "America/New_York", friday_or_13th, false, 0},
    {"59 23 31 12 *", "Europe/Paris", last_of_year, false, 0},
    {"59 23 31 12 *", "America/New_York", last_of_year, false, 0},
};

/* ---- the list ---- */

struct fires { int64_t *at_ms; uint32_t count; };

static void fire_add(struct fires *f, int64_t at_ms) {
    assert(f->count < FIRES_MAX);
    f->at_ms[f->count++] = at_ms;
}

static struct tm local_of(int64_t minute) {
    const time_t seconds = (time_t)(minute * HOUR_MINUTES);
    struct tm t;
    localtime_r(&seconds, &t);
    return t;
}

/* Whether clocks show the minute for the second time: they were set back by an hour before it. */
static bool shown_before(int64_t minute, const struct tm *t) {
    const struct tm before = local_of(minute - HOUR_MINUTES);
    return before.tm_gmtoff != t->tm_gmtoff && before.tm_hour == t->tm_hour &&
           before.tm_mday == t->tm_mday;
}

/* Whether a local time that clocks skipped just before this minute is named. */
static bool skipped_named(const struct plan *p, int64_t minute, const struct tm *t) {
    struct tm before = local_of(minute - 1);
    const long skipped = (t->tm_gmtoff - before.tm_gmtoff) / HOUR_MINUTES;
    for (long i = 1; i <= skipped; i++) { /* no day ends within these gaps */
        struct tm gone = before;
        gone.tm_min = (before.tm_min + (int)i) % HOUR_MINUTES;
        gone.tm_hour = before.tm_hour + (before.tm_min + (int)i) / HOUR_MINUTES;
        if (p->names(&gone)) return true;
    }
    return false;
}

/* Needs the C library's zone to be the plan's. */
static void fires_list(const struct plan *p, int64_t from_ms, int64_t to_ms, struct fires *f) {
    for (int64_t minute = from_ms / MINUTE_MS + 1; minute * MINUTE_MS <= to_ms; minute++) {
        const struct tm t = local_of(minute);
        bool fires = p->names(&t);
        if (!p->any_hour)
            fires = (fires && !shown_before(minute, &t)) || skipped_named(p, minute, &t);
        if (fires) fire_add(f, minute * MINUTE_MS);
    }
}

/* ---- the world ---- */

static uint64_t newest_id; /* of the last ANSWER that was a schedule */

static char *note_none(struct world *w, const struct say *say) {
    const struct message *m = &say->message;
    struct schedule_record r;
    uint32_t at = 0;
    (void)w;
    if (m->verb == VERB_ANSWER && m->answer.code == CODE_OK &&
        schedule_row_next(m->answer.body, &at, &r))
        newest_id = r.id;
    return NULL;
}

static uint32_t link_now, peer_now; /* a link that was silent for hours is none */

static void tell_link(struct world *w, const struct left *left) {
    (void)w;
    if (left->verb == VERB_WELCOME) link_now = left->link;
}

static void speak(struct world *w, struct message *m) {
    struct event e = {.kind = EVENT_MESSAGE, .peer = peer_now, .message = m,
                      .link = m->verb == VERB_HELLO ? 0 : link_now,
                      .who = {.role = ROLE_CLIENT, .brand = 1}};
    static uint64_t number;
    m->number = ++number;
    world_step(w, &e);
}

static void connect(struct world *w) {
    struct event open = {.kind = EVENT_OPEN, .peer = ++peer_now};
    struct message hello = {.verb = VERB_HELLO,
                            .hello = {.version = PROTOCOL_VERSION, .kind = LINK_CLIENT,
                                      .boot = 1, .name = slice_text("c")}};
    world_step(w, &open);
    speak(w, &hello);
}

static void plan_make(struct world *w, struct plan *p) {
    struct message reserve = {.verb = VERB_SCHEDULE,
                              .schedule = {.op = SCHEDULE_RESERVE, .record.brand = 1}};
    newest_id = 0;
    speak(w, &reserve);
    p->id = newest_id;
    struct message create = {
        .verb = VERB_SCHEDULE,
        .schedule = {.op = SCHEDULE_CREATE, .id = p->id,
                     .set = SET_SCHEDULE_EXPRESSION | SET_SCHEDULE_ZONE | SET_SCHEDULE_QUEUE |
                            SET_SCHEDULE_PAYLOAD | SET_SCHEDULE_STAMP,
                     .record = {.brand = 1, .expression = slice_text(p->expression),
                                .zone = slice_text(p->zone), .queue = slice_text("q"),
                                .payload = slice_text(payload), .stamp = STAMP_AT}}};
    newest_id = 0;
    speak(w, &create);
    ok(p->id != 0 && newest_id == p->id, p->expression);
}

/* ---- what fired ---- */

struct run { uint64_t schedule; int64_t at_ms; };
struct runs { struct run *list; uint32_t count; int64_t due_ms; bool early; };
enum { TAKEN_MAX = 4000 };

static void body_found(void *context, const struct record *r) {
    struct runs *runs = context;
    if (r->kind != RECORD_BODY) return;
    assert(r->body.payload.len == sizeof payload - 1);
    struct tm t = {0};
    char text[SCHEDULE_STAMP_BYTES + 1] = "";
    memcpy(text, r->body.payload.data + STAMP_AT, SCHEDULE_STAMP_BYTES);
    assert(strptime(text, "%Y-%m-%dT%H:%M:%S", &t) != NULL);
    runs->due_ms = (int64_t)timegm(&t) * 1000;
}

static int run_order(const void *a, const void *b) {
    const struct run *x = a, *y = b;
    if (x->schedule != y->schedule) return x->schedule < y->schedule ? -1 : 1;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

/* Notes the tasks that are on disk, and removes them: what is noted is not met again. */
static void runs_take(struct world *w, struct runs *runs) {
    uint64_t ids[TAKEN_MAX];
    uint32_t count = 0;
    char why[256];
    struct store_view *v = store_view_open(w->store, w->group - 1, why, sizeof why);
    const struct walk walk = {.kind = WALK_TASKS};
    struct record r;
    assert(v != NULL);
    struct store_walk *tasks = walk_open(v, &walk);
    while (walk_next(tasks, &r)) {
        const struct task_head head = r.task;
        const bool found = view_task(v, head.id, body_found, runs);
        assert(found && count < TAKEN_MAX && runs->count < PLANS * FIRES_MAX);
        runs->early |= head.created_ms < runs->due_ms;
        runs->list[runs->count++] = (struct run){head.schedule, runs->due_ms};
        ids[count++] = head.id;
    }
    walk_close(&tasks);
    store_view_close(&v);
    connect(w);
    for (uint32_t i = 0; i < count; i++) {
        struct message cancel = {.verb = VERB_CANCEL, .ref = {.id = ids[i]}};
        struct message drop = {.verb = VERB_REMOVE, .ref = {.id = ids[i]}};
        speak(w, &cancel);
        speak(w, &drop);
    }
}

/* Some hours pass; then the process dies, at times with something in it that is not on disk yet,
 * and is away for less than what counts as missed. */
static void year_pass(struct world *w, int64_t to_ms, struct runs *runs) {
    uint64_t state = 88172645463325252u;
    while (w->wall_ms < to_ms) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        int64_t ms = 1 + (int64_t)(state % (40 * 3600000));
        if (w->wall_ms + ms > to_ms) ms = to_ms - w->wall_ms;
        world_wait(w, ms);
        runs_take(w, runs);
        if (w->wall_ms == to_ms) return;
        w->hold = state & (1u << 30);
        world_wait(w, (int64_t)(state >> 40) % 50000);
        w->hold = false;
        world_crash(w);
    }
}

static void compare(const struct plan *p, const struct runs *runs, const struct fires *f) {
    uint32_t at = 0, twice = 0, count = 0, lost = 0, strange = 0, i = 0;
    char fact[120];
    while (at < runs->count && runs->list[at].schedule < p->id) at++;
    for (; at < runs->count && runs->list[at].schedule == p->id; at++, count++) {
        const int64_t ms = runs->list[at].at_ms;
        if (count > 0 && runs->list[at - 1].at_ms == ms) {
            twice++;
            continue;
        }
        for (; i < f->count && f->at_ms[i] < ms; i++) lost++;
        if (i < f->count && f->at_ms[i] == ms) i++;
        else strange++;
    }
    lost += f->count - i;
    snprintf(fact, sizeof fact, "\"%s\" in %s: all %u times of the list, each once", p->expression,
             p->zone, f->count);
    if (!ok(twice == 0 && lost == 0 && strange == 0 && f->count > 0, fact))
        note("%u runs: %u twice, %u lost, %u not in the list", count, twice, lost, strange);
}

int main(void) {
    static const int64_t begin_ms = INT64_C(1767225600000); /* 2026-01-01 */
    struct world w = {.wall_ms = begin_ms, .mono_ms = 1000000, .note = note_none,
                      .tell = tell_link};
    struct fires fires = {malloc(FIRES_MAX * sizeof *fires.at_ms), 0};
    struct runs runs = {.list = malloc((size_t)PLANS * FIRES_MAX * sizeof *runs.list)};
    const char *flavour = getenv("RELAIS_FLAVOUR"); /* sanitizers take ten times as long */
    const bool whole = flavour == NULL || strcmp(flavour, "release") == 0;
    const int64_t end_ms = begin_ms + (whole ? 366 : 100) * (int64_t)DAY_MS;
    assert(fires.at_ms != NULL && runs.list != NULL);
    core_limits_default(&w.limits);
    world_open(&w);
    connect(&w);
    for (int i = 0; i < PLANS; i++) plan_make(&w, &plans[i]);
    year_pass(&w, end_ms, &runs);
    qsort(runs.list, runs.count, sizeof *runs.list, run_order);
    note("%llu starts of the broker", (unsigned long long)w.incarnation);
    ok(w.incarnation > (whole ? 200 : 40), "the broker was started again and again");
    ok(!runs.early, "none ran before its time");
    for (int i = 0; i < PLANS; i++) {
        setenv("TZ", plans[i].zone, 1);
        tzset();
        fires.count = 0;
        fires_list(&plans[i], begin_ms, end_ms, &fires);
        if (whole || fires.count > 0) compare(&plans[i], &runs, &fires);
    }
    world_close(&w);
    free(fires.at_ms);
    free(runs.list);
    return done();
}
