/* bench_lists - lists, searches and sums of dialect 002 among many tasks, while others go through.
 *
 * --count tasks of four brands are made over HTTP (stock.h), run, failed, cancelled or left, and
 * listed once from end to end. Then a native client submits --rate tasks a second, --batch in a
 * message, which are run, settled and kept in brand 1. Meanwhile one connection asks each question
 * of each brand once (first_max_us: the longest of these answers, part of which comes from disk),
 * and then for --seconds --asks questions a second. The first CHECKED_MAX answers of each kind are
 * compared afterwards with what the stock calls for: which tasks in which order, and how many there
 * are. A page that says `incomplete` must be right as far as it goes; a count that is not exact
 * must not be too high. Of brand 1, where tasks come all the time, only such questions are asked as
 * leave these out. */
#include "proto/base/date.h"
#include "worker/command/flow.h"
#include "worker/command/stock.h"
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { COUNT_MIN = 500, CHECKED_MAX = 60 /* answers of a kind: each is a pass of the stock */,
       SIZE = 20, DEEP = 200, PATH_MAX_HERE = 512, TERMS = 2, TERM_MAX = 24,
       FLOW_MS = 60000, SETTLE_MS = 20000, TICK_MS = 2, TOP = 5, DAYS_MS = 86400000 };

struct wish { /* what is asked for */
    uint32_t brand, page;
    int end, type, priority, queue; /* -1 = any; END_DONE is also END_PAID: both completed */
    int64_t from_ms, to_ms; /* 0 = open */
    char terms[TERMS][TERM_MAX];
    bool ascending;
};

struct kind {
    const char *name;
    void (*wish)(struct stock *s, struct wish *w, uint64_t dice);
    bool all_brands; /* what goes through beside is not asked for */
    const char *path; /* no list: asked for as it is */
};

struct kind_times { struct spread first, then; };

struct asked { struct wish wish; uint32_t kind; char *body; /* owned */ };

struct lists {
    struct bench *b;
    struct stock stock;
    struct flow flow; /* the flow thread's, from its start on */
    pthread_t thread;
    uint64_t goal, settled; /* atomic: tasks a second; as the flow thread counts */
    bool stop, broken, measuring; /* atomic */
    struct asked *asked; /* owned */
    uint32_t asked_count;
};

/* ---- kinds of questions ---- */

static const struct stock_row *any_row(const struct stock *s, uint32_t brand, uint64_t dice) {
    const uint64_t count = (uint64_t)(s->of[brand] - s->of[brand - 1]);
    return s->of[brand - 1] + dice % (count ? count : 1);
}

static void ask_status(struct stock *s, struct wish *w, uint64_t dice) {
    (void)s;
    w->end = (int)(dice % END_COUNT);
}
static void ask_priority(struct stock *s, struct wish *w, uint64_t dice) {
    (void)s;
    w->priority = (int)(dice & 3);
}
static void ask_type(struct stock *s, struct wish *w, uint64_t dice) {
    (void)s;
    w->type = (int)(dice % STOCK_TYPES);
}
static void ask_queue(struct stock *s, struct wish *w, uint64_t dice) {
    (void)s;
    w->queue = (int)(dice % STOCK_QUEUES);
}
static void ask_range(struct stock *s, struct wish *w, uint64_t dice) {
    const struct stock_row *row = any_row(s, w->brand, dice);
    const int64_t whole = s->of[w->brand][-1].created_ms - s->of[w->brand - 1]->created_ms;
    w->from_ms = row->created_ms;
    w->to_ms = row->created_ms + (int64_t)(stock_random(dice) % (uint64_t)(whole / 8 + 2));
}
static void ask_until(struct stock *s, struct wish *w, uint64_t dice) {
    w->to_ms = any_row(s, w->brand, dice)->created_ms;
    w->type = (int)((dice >> 32) % STOCK_TYPES); /* else what goes through might be as old */
}
static void ask_mix(struct stock *s, struct wish *w, uint64_t dice) {
    ask_status(s, w, dice >> 8);
    ask_type(s, w, dice >> 16);
    ask_priority(s, w, dice >> 24);
}
static void ask_mix_range(struct stock *s, struct wish *w, uint64_t dice) {
    ask_range(s, w, dice);
    ask_status(s, w, dice >> 8);
    ask_type(s, w, dice >> 16);
}
static void ask_all(struct stock *s, struct wish *w, uint64_t dice) {
    (void)s, (void)w, (void)dice;
}

static void cut(char *term, const char *word, uint64_t dice) { /* four letters or more of it */
    const size_t len = strlen(word), from = len > 4 ? dice % (len - 3) : 0;
    const size_t left = len - from, some = left > 4 ? 4 + (dice >> 16) % (left - 3) : left;
    snprintf(term, TERM_MAX, "%.*s", (int)some, word + from);
}

static void ask_words(struct stock *s, struct wish *w, uint64_t dice) {
    (void)s;
    cut(w->terms[0], stock_words[(dice >> 8) % STOCK_WORDS], dice >> 32);
    cut(w->terms[1], stock_words[(dice >> 16) % STOCK_WORDS], dice >> 40);
}
static void ask_number(struct stock *s, struct wish *w, uint64_t dice) {
    char text[STOCK_TEXT_MAX];
    stock_text(any_row(s, w->brand, dice)->number, text);
    snprintf(w->terms[0], TERM_MAX, "%.6s", strstr(text, "no. ") + 4);
    cut(w->terms[1], stock_types[(dice >> 16) % STOCK_TYPES], dice >> 40);
}
static void ask_absent(struct stock *s, struct wish *w, uint64_t dice) {
    ask_words(s, w, dice);
    snprintf(w->terms[1], TERM_MAX, "zyg%c%c", (char)('a' + (dice >> 5) % 26),
             (char)('a' + (dice >> 13) % 26));
}
static void ask_id(struct stock *s, struct wish *w, uint64_t dice) {
    snprintf(w->terms[0], TERM_MAX, "%.*s", 5 + (int)(dice >> 40) % 4,
             any_row(s, w->brand, dice)->text + 5 + (dice >> 32) % 4);
}

static const struct kind kinds[] = {
    {"newest", ask_all, false, NULL},
    {"status", ask_status, false, NULL},
    {"priority", ask_priority, false, NULL},
    {"type", ask_type, true, NULL},
    {"queue", ask_queue, false, NULL},
    {"created", ask_range, true, NULL},
    {"created_before,type", ask_until, true, NULL},
    {"status,type,priority", ask_mix, true, NULL},
    {"created,status,type", ask_mix_range, true, NULL},
    {"search", ask_words, true, NULL},
    {"search_number", ask_number, true, NULL},
    {"search_absent", ask_absent, true, NULL},
    {"search_id", ask_id, false, NULL},
    {"dashboard", NULL, false, "/tasks/monitoring/metrics/dashboard/"},
    {"trends", NULL, false, "/tasks/monitoring/metrics/trends/"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- asking ---- */

static const char *status_word(int end) {
    static const char *const words[END_COUNT] = {"completed", "completed", "failed", "queued",
                                                 "scheduled", "cancelled"};
    return words[end];
}

static void part(char *path, const char *name, const char *value) {
    const size_t len = strlen(path);
    snprintf(path + len, PATH_MAX_HERE - len, "%s%s", name, value);
}

static void path_write(const struct wish *w, char path[PATH_MAX_HERE]) {
    char text[DATE_TEXT_MAX], number[16];
    snprintf(number, sizeof number, "%u", w->page);
    snprintf(path, PATH_MAX_HERE, "/tasks/?page_size=%d", SIZE);
    part(path, "&ordering=", w->ascending ? "created_at" : "-created_at");
    if (w->end >= 0) part(path, "&status=", status_word(w->end));
    if (w->type >= 0) part(path, "&task_type=", stock_types[w->type]);
    if (w->priority >= 0) part(path, "&priority=", stock_priorities[w->priority]);
    if (w->queue >= 0) {
        const struct stock_traits t = {.end = END_DONE, .queue = (uint8_t)w->queue};
        part(path, "&queue_name=", stock_queue(&t));
    }
    date_format_ms(w->from_ms, text);
    if (w->from_ms) part(path, w->ascending ? "&created_at__gte=" : "&created_after=", text);
    date_format_ms(w->to_ms, text);
    if (w->to_ms) part(path, w->ascending ? "&created_at__lte=" : "&created_before=", text);
    if (w->terms[0][0]) part(path, "&search=", w->terms[0]);
    if (w->terms[1][0]) part(path, "+", w->terms[1]);
    if (w->page > 1) part(path, "&page=", number);
}

static uint32_t brand_of(uint64_t dice) { return 1 + (uint32_t)(dice >> 3) % STOCK_BRANDS; }

static bool ask_one(struct lists *l, struct web *web, uint32_t kind, uint64_t dice,
                    struct spread *spread) {
    struct asked *a = &l->asked[l->asked_count];
    const struct kind *k = &kinds[kind];
    struct wish w = {.end = -1, .type = -1, .priority = -1, .queue = -1, .page = 1,
                     .brand = brand_of(dice), .ascending = dice & 1};
    char path[PATH_MAX_HERE];
    if (!k->all_brands && w.brand == 1) w.brand = 2;
    if ((dice >> 1 & 3) == 0) w.page = 1 + (uint32_t)(stock_random(dice + 1) % DEEP);
    if (k->wish) k->wish(&l->stock, &w, stock_random(dice + 2));
    if (k->path) snprintf(path, sizeof path, "%s", k->path);
    else path_write(&w, path);
    const struct web_request r = {.method = "GET", .path = path,
                                  .token = l->stock.users[w.brand - 1]};
    const int status = web_ask(web, 0, &r);
    const struct web_line *line = &web->lines[0];
    const bool no_page = status == 404 && w.page > 1; /* there are not so many */
    if (status != 200 && !no_page) {
        fprintf(stderr, "relais bench: lists: GET %s: %d %.300s\n", path, status, line->body);
        return false;
    }
    spread_add(spread, line->heard_ns - line->sent_ns);
    *a = (struct asked){.wish = w, .kind = kind, .body = strdup(no_page ? "" : line->body)};
    l->asked_count += a->body != NULL;
    return a->body != NULL;
}

/* ---- is it right? ---- */

static bool holds(const char *text, const char *term) { return strcasestr(text, term) != NULL; }

static bool wanted(const struct wish *w, const struct stock_row *row) {
    const struct stock_traits t = stock_traits(row->number);
    const enum stock_end end = t.end == END_PAID ? END_DONE : t.end;
    if (w->end >= 0 && end != (w->end == END_PAID ? END_DONE : (enum stock_end)w->end))
        return false;
    if ((w->type >= 0 && t.type != w->type) || (w->priority >= 0 && t.priority != w->priority) ||
        (w->queue >= 0 && t.queue != w->queue))
        return false;
    if ((w->from_ms && row->created_ms < w->from_ms) || (w->to_ms && row->created_ms > w->to_ms))
        return false;
    if (!w->terms[0][0]) return true;
    char text[STOCK_TEXT_MAX];
    stock_text(row->number, text);
    for (int i = 0; i < TERMS && w->terms[i][0]; i++)
        if (!holds(text, w->terms[i]) && !holds(row->text, w->terms[i]) &&
            !holds(stock_types[t.type], w->terms[i]))
            return false;
    return true;
}

struct tally { uint32_t checked, wrong, incomplete, inexact; };

/* `due` is what the stock calls for, as a count or an id. */
static bool wrong(struct tally *t, const struct asked *a, const char *why, uint64_t due) {
    char path[PATH_MAX_HERE] = "";
    if (!kinds[a->kind].path) path_write(&a->wish, path);
    if (t->wrong++ < 3)
        fprintf(stderr, "relais bench: lists: %s, brand %u: GET %s: %s: %" PRIu64 "\n%.400s\n",
                kinds[a->kind].name, a->wish.brand, path, why, due, a->body);
    return false;
}

static bool list_check(const struct stock *s, const struct asked *a, const json_t *root,
                       struct tally *tally) {
    const struct wish *w = &a->wish;
    const json_t *results = json_object_get(root, "results");
    const struct stock_row *from = s->of[w->brand - 1], *to = s->of[w->brand];
    const size_t skip = (w->page - 1) * (size_t)SIZE, given = json_array_size(results);
    size_t count = 0;
    for (size_t i = 0; i < (size_t)(to - from); i++) {
        const struct stock_row *row = w->ascending ? from + i : to - 1 - i;
        if (!wanted(w, row)) continue;
        if (count >= skip && count - skip < given) {
            const json_t *id = json_object_get(json_array_get(results, count - skip), "id");
            if ((uint64_t)json_integer_value(id) != row->id)
                return wrong(tally, a, "another task was due", row->id);
        }
        count++;
    }
    const bool short_page = json_is_true(json_object_get(root, "incomplete"));
    const bool inexact = json_is_false(json_object_get(root, "count_exact"));
    const size_t said = (size_t)json_integer_value(json_object_get(root, "count"));
    const size_t due = count > skip ? (count - skip < SIZE ? count - skip : SIZE) : 0;
    tally->incomplete += short_page;
    tally->inexact += inexact;
    if (!a->body[0]) return due == 0 || wrong(tally, a, "there is such a page", count);
    if (given > due || (given < due && !short_page))
        return wrong(tally, a, "other tasks were due", due);
    if (inexact ? said > count : said != count)
        return wrong(tally, a, "the count is another", count);
    return true;
}

static int dearer(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a < b) - (a > b);
}

/* Of a brand that rests: how many ended, and what the dearest cost. */
static bool sums_check(const struct stock *s, const struct asked *a, const json_t *root,
                       struct tally *tally) {
    int64_t ended = 0, said = 0;
    double top[TOP + 1] = {0};
    const struct stock_row *row = s->of[a->wish.brand - 1];
    for (; row < s->of[a->wish.brand]; row++) {
        const enum stock_end end = stock_traits(row->number).end;
        ended += end == END_DONE || end == END_PAID || end == END_FAILED;
        if (end != END_PAID) continue;
        top[TOP] = stock_cost(row->number);
        qsort(top, TOP + 1, sizeof *top, dearer);
    }
    const json_t *summary = json_object_get(root, "summary"), *day;
    size_t i;
    json_array_foreach(json_object_get(root, "daily_performance"), i, day) {
        said += json_integer_value(json_object_get(day, "total_tasks"));
    }
    if (summary) said = json_integer_value(json_object_get(summary, "total_tasks"));
    if (said != ended) return wrong(tally, a, "another number of tasks has ended",
                                      (uint64_t)ended);
    /* Those of the tasks that the server looks at: the dearest of all, or less. */
    const json_t *dearest = json_object_get(root, "top_expensive_tasks"), *task;
    if (summary && top[0] > 0 && json_array_size(dearest) == 0)
        return wrong(tally, a, "some had a price", TOP);
    json_array_foreach(dearest, i, task) {
        const double cost = json_number_value(json_object_get(task, "cost_usd"));
        if (i >= TOP || cost > top[i] + 1e-6) return wrong(tally, a, "another was the dearest", i);
    }
    return true;
}

static struct tally check(const struct lists *l, uint32_t kind) {
    struct tally tally = {0};
    for (uint32_t i = 0; i < l->asked_count; i++) {
        const struct asked *a = &l->asked[i];
        if (a->kind != kind || tally.checked == CHECKED_MAX) continue;
        tally.checked++;
        json_t *root = a->body[0] ? json_loads(a->body, 0, NULL) : NULL;
        if (kinds[kind].path) sums_check(&l->stock, a, root, &tally);
        else list_check(&l->stock, a, root, &tally);
        json_decref(root);
    }
    return tally;
}

/* ---- what goes through ---- */

static void *flow_main(void *context) {
    struct lists *l = context;
    struct flow *f = &l->flow;
    int64_t since = flow_now_ns();
    uint64_t first = 0, goal = 0, frames = 0;
    bool ok = true, measuring = false;
    while (ok && !__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE)) {
        const uint64_t now = __atomic_load_n(&l->goal, __ATOMIC_RELAXED);
        if (now != goal || measuring != __atomic_load_n(&l->measuring, __ATOMIC_RELAXED)) {
            measuring = __atomic_load_n(&l->measuring, __ATOMIC_RELAXED);
            goal = now;
            since = flow_now_ns();
            first = f->submitted;
            f->settled_ns = (struct spread){0};
        }
        const uint64_t due = first + (uint64_t)((double)(flow_now_ns() - since) / 1e9 *
                                                (double)goal);
        const bool busy = f->busy_until_ms && flow_now_ns() / 1000000 < f->busy_until_ms;
        while (ok && !busy && f->submitted < due &&
               f->submitted - f->refused - f->acked < f->depth) {
            char name[16];
            const int len = snprintf(name, sizeof name, "bench%d", (int)(frames++ % STOCK_QUEUES));
            ok = flow_submit(f, l->b->batch, name, (size_t)len);
        }
        ok = ok && flow_pump(f, TICK_MS);
        __atomic_store_n(&l->settled, f->settled, __ATOMIC_RELAXED);
    }
    if (!ok) __atomic_store_n(&l->broken, true, __ATOMIC_RELAXED);
    return NULL;
}

/* Waits until so many are settled that they are all but the newest few. */
static bool settled_await(struct lists *l, uint64_t wanted) {
    const int64_t until = web_now_ns() + (int64_t)FLOW_MS * 1000000;
    while (__atomic_load_n(&l->settled, __ATOMIC_RELAXED) < wanted) {
        const struct timespec rest = {.tv_nsec = 10000000};
        if (__atomic_load_n(&l->broken, __ATOMIC_RELAXED) || web_now_ns() > until) {
            fprintf(stderr, "relais bench: lists: %" PRIu64 " of %" PRIu64 " were settled\n",
                    __atomic_load_n(&l->settled, __ATOMIC_RELAXED), wanted);
            return false;
        }
        nanosleep(&rest, NULL);
    }
    return true;
}

/* ---- the run ---- */

static bool ask_first(struct lists *l, struct web *web, struct kind_times *times) {
    bool ok = true;
    for (uint32_t i = 0; ok && i < KINDS * STOCK_BRANDS; i++) {
        uint64_t dice = stock_random(UINT64_MAX - i);
        while (brand_of(dice) != 1 + i / KINDS) dice = stock_random(dice);
        ok = ask_one(l, web, i % KINDS, dice, &times[i % KINDS].first);
    }
    return ok;
}

static bool ask_then(struct lists *l, struct web *web, struct kind_times *times) {
    const int64_t each_ns = 1000000000 / (int64_t)l->b->asks, from = web_now_ns();
    const int64_t end = from + l->b->time_ms * 1000000;
    bool ok = true;
    /* Each question once, however slow the machine is. */
    for (uint64_t i = 0; ok && (i < KINDS || web_now_ns() < end); i++) {
        const int64_t rest_ns = from + (int64_t)i * each_ns - web_now_ns();
        const struct timespec rest = {.tv_nsec = rest_ns > 0 ? (long)rest_ns : 0};
        const uint32_t kind = (uint32_t)(i % KINDS);
        if (rest_ns > 0) nanosleep(&rest, NULL);
        ok = ask_one(l, web, kind, stock_random(i), &times[kind].then);
        if (__atomic_load_n(&l->broken, __ATOMIC_RELAXED)) ok = false;
    }
    return ok;
}

static bool report(struct lists *l, const struct meter *meter, const struct kind_times *times,
                   double seconds, double through) {
    bool right = true;
    for (uint32_t k = 0; k < KINDS; k++) {
        const struct tally tally = check(l, k);
        char more[256];
        snprintf(more, sizeof more,
                 ",\"question\":\"%s\",\"stored\":%u,\"through\":%.0f,\"checked\":%u,"
                 "\"incomplete\":%u,\"count_inexact\":%u,\"wrong\":%u,\"first_max_us\":%.1f",
                 kinds[k].name, l->stock.count, through, tally.checked, tally.incomplete,
                 tally.inexact, tally.wrong, spread_at_us(&times[k].first, 1));
        const struct result r = {.scenario = "lists", .jobs = times[k].then.count, .more = more,
                                 .spread = &times[k].then, .seconds = seconds};
        result_print(l->b, meter, &r);
        right = right && tally.wrong == 0;
    }
    return right;
}

static bool run(struct lists *l) {
    struct kind_times *times = calloc(KINDS, sizeof *times);
    struct web web = {0};
    l->asked = calloc((uint64_t)l->b->time_ms * l->b->asks / 1000 + KINDS * (STOCK_BRANDS + 1) + 2,
                      sizeof *l->asked);
    bool ok = times && l->asked && stock_open(&l->stock, l->b, (uint32_t)l->b->count) &&
              stock_work(&l->stock) && settled_await(l, l->stock.done) &&
              stock_inventory(&l->stock);
    if (!ok) {
        free(times);
        return false;
    }
    fprintf(stderr, "relais bench: lists: %u tasks made in %.0f s, and listed\n", l->stock.count,
            l->stock.fill_s);
    __atomic_store_n(&l->goal, l->b->rate, __ATOMIC_RELAXED);
    ok = web_open(&web, l->b->server.http, 1) && web_line_open(&web, 0) &&
         ask_first(l, &web, times);
    const uint64_t before = __atomic_load_n(&l->settled, __ATOMIC_RELAXED);
    struct meter meter = meter_start(l->b);
    const int64_t from = web_now_ns();
    ok = ok && ask_then(l, &web, times);
    if (web.lines) web_close(&web);
    const double seconds = (double)(web_now_ns() - from) / 1e9;
    const uint64_t after = __atomic_load_n(&l->settled, __ATOMIC_RELAXED);
    __atomic_store_n(&l->goal, 0, __ATOMIC_RELAXED);
    ok = ok && report(l, &meter, times, seconds, (double)(after - before) / seconds);
    free(times);
    return ok;
}

bool bench_lists(struct bench *b) {
    if (!b->own) {
        fprintf(stderr, "relais bench: lists measures a server of its own\n");
        return false;
    }
    if (b->count < COUNT_MIN || b->count > UINT32_MAX / 2) {
        fprintf(stderr, "relais bench: lists takes --count from %d on\n", COUNT_MIN);
        return false;
    }
    struct lists *l = calloc(1, sizeof *l);
    if (!l) return false;
    l->b = b;
    b->queues = STOCK_QUEUES;
    bool opened = flow_open(&l->flow, b, b->depth > 8192 ? b->depth : 8192, b->batch, 1);
    bool started = opened && pthread_create(&l->thread, NULL, flow_main, l) == 0;
    bool ok = started && run(l);
    __atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
    if (started) pthread_join(l->thread, NULL);
    if (opened) flow_close(&l->flow);
    for (uint32_t i = 0; i < l->asked_count; i++) free(l->asked[i].body);
    free(l->asked);
    stock_close(&l->stock);
    free(l);
    return ok;
}

void bench_lists_options(struct bench *b) { bench_option(b, "--dialect-keep=%.40s", b->keep); }
