#include "worker/command/stock.h"
#include "proto/base/date.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BODY_MAX = 640, LINES = 64, FILL_WAIT_MS = 20000, REST_MS = 100 };

const char *const stock_types[STOCK_TYPES] = {"report", "transcode", "email_send", "image_resize",
                                              "audio_mix"};
const char *const stock_priorities[4] = {"low", "normal", "high", "critical"};
const char *const stock_words[STOCK_WORDS] = {
    "invoice",  "customer", "weekly",   "monthly",  "summary",  "archive", "Paris",   "Lyon",
    "Berlin",   "shipping", "refund",   "voice",    "archived", "draft",   "final",   "review",
    "holiday",  "campaign", "newsletter", "winter", "summer",   "contract", "renewal", "payment",
    "reminder", "overdue",  "warehouse", "supplier", "meeting", "minutes", "agenda",  "budget",
    "forecast", "quarter",  "annual",   "audit",    "backup",   "restore", "migrate", "cleanup",
    "export",   "import",   "upload",   "download", "preview",  "thumbnail", "subtitle", "rollout"};

uint64_t stock_random(uint64_t seed) {
    uint64_t x = seed + 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

struct stock_traits stock_traits(uint32_t number) {
    static const struct { uint8_t below; enum stock_end end; } ends[] = {
        {84, END_DONE},  {86, END_PAID},  {88, END_FAILED},
        {97, END_WAITING}, {99, END_LATER}, {100, END_DROPPED}};
    static const uint8_t shares[] = {40, 70, 90, 100}; /* of the brands */
    const uint64_t dice = stock_random(number);
    struct stock_traits t = {.type = (uint8_t)((dice >> 8) % STOCK_TYPES),
                             .priority = (uint8_t)((dice >> 16) & 3), .queue = STOCK_QUEUES};
    const uint8_t share = (uint8_t)((dice >> 24) % 100), end = (uint8_t)((dice >> 40) % 100);
    while (share >= shares[t.brand]) t.brand++;
    t.brand++;
    for (int i = 0; i < END_COUNT; i++)
        if (end < ends[i].below) {
            t.end = ends[i].end;
            break;
        }
    if (t.end == END_DONE) t.queue = (uint8_t)((dice >> 32) % STOCK_QUEUES);
    return t;
}

const char *stock_queue(const struct stock_traits *t) {
    static const char *const names[] = {"bench0", "bench1", "bench2", "bench3"};
    static const char *const others[END_COUNT] = {"",     "claimed", "claimed",
                                                  "left", "later",   "left"};
    return t->end == END_DONE ? names[t->queue] : others[t->end];
}

void stock_text(uint32_t number, char text[static STOCK_TEXT_MAX]) {
    uint64_t dice = stock_random((uint64_t)number << 32 | 7);
    const char *words[5];
    for (int i = 0; i < 5; i++, dice >>= 8) { /* the first words come often */
        const uint64_t a = dice % STOCK_WORDS, b = (dice >> 4) % STOCK_WORDS;
        words[i] = stock_words[a < b ? a : b];
    }
    snprintf(text, STOCK_TEXT_MAX, "%s %s for %s no. %08u, %s %s", words[0], words[1], words[2],
             number * 2654435761u % 100000000u, words[3], words[4]);
}

double stock_cost(uint32_t number) { return (double)(number * 2654435761u % 100000000u) / 10000.0; }

/* ---- making ---- */

enum step { STEP_CREATE, STEP_CANCEL, STEP_CLAIM, STEP_END };

struct making { /* what each line is about */
    struct stock *s;
    struct web web;
    uint32_t next, busy, brand; /* the next to be made; lines under way; whose tasks are claimed */
    struct line { enum step step; uint32_t number; } lines[LINES];
    uint64_t ended;
    bool claiming;
};

static bool send_body(struct making *m, uint32_t line, const char *path, const char *token,
                      const char *body) {
    const struct web_request r = {.method = "POST", .path = path, .token = token,
                                  .body = slice_text(body)};
    return web_send(&m->web, line, &r);
}

static bool create(struct making *m, uint32_t line, uint32_t number) {
    char body[BODY_MAX], text[STOCK_TEXT_MAX];
    const struct stock_traits t = stock_traits(number);
    m->lines[line] = (struct line){STEP_CREATE, number};
    stock_text(number, text);
    snprintf(body, sizeof body,
             "{\"task_type\":\"%s\",\"priority\":\"%s\",\"queue_name\":\"%s\","
             "\"description\":\"%s\",\"context_data\":{\"number\":%u}%s}",
             stock_types[t.type], stock_priorities[t.priority], stock_queue(&t), text, number,
             t.end == END_LATER ? ",\"scheduled_for\":\"2099-01-01T00:00:00Z\"" : "");
    return send_body(m, line, "/tasks/", m->s->users[t.brand - 1], body);
}

static bool create_next(struct making *m, uint32_t line) {
    if (m->next < m->s->count) return create(m, line, m->next++);
    m->busy--;
    return true;
}

/* The server makes tasks faster than it can tidy them away for long: then all lines wait. */
static bool create_again(struct making *m, uint32_t line) {
    const struct timespec rest = {.tv_nsec = REST_MS * 1000000};
    nanosleep(&rest, NULL);
    return create(m, line, m->lines[line].number);
}

static bool claim_next(struct making *m, uint32_t line) {
    m->lines[line].step = STEP_CLAIM;
    return send_body(m, line, "/tasks/claim/", m->s->workers[m->brand],
                     "{\"queues\":[\"claimed\"],\"limit\":1}");
}

static bool created(struct making *m, const struct web_line *l) {
    struct line *line = &m->lines[l->number];
    struct stock_row *row = &m->s->rows[line->number];
    const struct stock_traits t = stock_traits(line->number);
    char path[64];
    if (l->status == 503) return create_again(m, l->number);
    if (l->status != 201 || sscanf(l->body, "{\"id\":%" SCNu64, &row->id) != 1) return false;
    row->number = line->number;
    if (t.end != END_DROPPED) return create_next(m, l->number);
    line->step = STEP_CANCEL;
    snprintf(path, sizeof path, "/tasks/%" PRIu64 "/cancel/", row->id);
    return send_body(m, l->number, path, m->s->users[t.brand - 1], "{}");
}

/* One was claimed: it ends as its place in the stock says. */
static bool claimed(struct making *m, const struct web_line *l) {
    char path[64], body[128];
    uint64_t id;
    uint32_t number;
    const char *first = strstr(l->body, "\"tasks\":[{\"id\":");
    const char *context = strstr(l->body, "\"number\":");
    if (l->status != 200) return false;
    if (!first) {
        m->busy--;
        return true;
    }
    if (sscanf(first, "\"tasks\":[{\"id\":%" SCNu64, &id) != 1 || !context ||
        sscanf(context, "\"number\":%u", &number) != 1)
        return false;
    const struct stock_traits t = stock_traits(number);
    const bool paid = t.end == END_PAID;
    snprintf(path, sizeof path, "/tasks/%" PRIu64 "/%s/", id, paid ? "complete" : "fail");
    snprintf(body, sizeof body, "{\"error_message\":\"no paper\"}");
    if (paid)
        snprintf(body, sizeof body,
                 "{\"metrics\":{\"cost_usd\":%.4f,\"execution_time_ms\":1200}}",
                 stock_cost(number));
    m->lines[l->number].step = STEP_END;
    return send_body(m, l->number, path, m->s->workers[t.brand - 1], body);
}

static bool heard(void *context, struct web_line *l) {
    struct making *m = context;
    bool ok = l->status == 200;
    switch (m->lines[l->number].step) {
    case STEP_CREATE: ok = created(m, l); break;
    case STEP_CANCEL: ok = ok && create_next(m, l->number); break;
    case STEP_CLAIM: ok = claimed(m, l); break;
    case STEP_END:
        m->ended += ok;
        ok = ok && claim_next(m, l->number);
        break;
    }
    if (!ok) fprintf(stderr, "relais bench: lists: got %d %.300s\n", l->status, l->body);
    return ok;
}

static bool run(struct making *m) {
    int64_t until = web_now_ns() + (int64_t)FILL_WAIT_MS * 1000000;
    uint64_t seen = 0;
    while (m->busy > 0) {
        if (!web_pump(&m->web, 100)) return false;
        const uint64_t now = m->next + m->ended;
        if (now != seen) until = web_now_ns() + (int64_t)FILL_WAIT_MS * 1000000;
        seen = now;
        if (web_now_ns() < until) continue;
        fprintf(stderr, "relais bench: lists: the server does not answer any more\n");
        return false;
    }
    return true;
}

static bool tokens_make(struct stock *s) {
    for (uint32_t i = 0; i < STOCK_BRANDS; i++)
        if (!server_token(&s->b->server, "user", i + 1, s->users[i]) ||
            !server_token(&s->b->server, "worker", i + 1, s->workers[i]))
            return false;
    return true;
}

static int by_brand(const void *left, const void *right) {
    const struct stock_row *a = left, *b = right;
    const int x = stock_traits(a->number).brand, y = stock_traits(b->number).brand;
    return x != y ? x - y : (a->id > b->id) - (a->id < b->id);
}

static void sort(struct stock *s) {
    qsort(s->rows, s->count, sizeof *s->rows, by_brand);
    uint32_t at = 0;
    for (uint32_t brand = 0; brand <= STOCK_BRANDS; brand++) {
        while (at < s->count && stock_traits(s->rows[at].number).brand < brand + 1) at++;
        s->of[brand] = s->rows + (brand == STOCK_BRANDS ? s->count : at);
    }
}

static bool making_open(struct making *m, struct stock *s) {
    *m = (struct making){.s = s};
    bool ok = web_open(&m->web, s->b->server.http, LINES);
    m->web.context = m;
    m->web.heard = heard;
    for (uint32_t i = 0; ok && i < LINES; i++) ok = web_line_open(&m->web, i);
    return ok;
}

bool stock_open(struct stock *s, const struct bench *b, uint32_t count) {
    struct making *m = calloc(1, sizeof *m);
    *s = (struct stock){.b = b, .count = count, .rows = calloc(count, sizeof *s->rows)};
    for (uint32_t i = 0; i < count; i++) s->done += stock_traits(i).end == END_DONE;
    bool ok = m && s->rows && tokens_make(s) && making_open(m, s);
    const int64_t from = web_now_ns();
    for (uint32_t i = 0; ok && i < LINES; i++) {
        m->busy++;
        ok = create_next(m, i);
    }
    ok = ok && run(m);
    s->fill_s = (double)(web_now_ns() - from) / 1e9;
    if (m && m->web.lines) web_close(&m->web);
    free(m);
    if (ok) sort(s);
    return ok;
}

void stock_close(struct stock *s) { free(s->rows); }

bool stock_work(struct stock *s) {
    struct making *m = calloc(1, sizeof *m);
    bool ok = m && making_open(m, s);
    for (m->brand = 0; ok && m->brand < STOCK_BRANDS; m->brand++) {
        for (uint32_t i = 0; ok && i < LINES; i++) {
            m->busy++;
            ok = claim_next(m, i);
        }
        ok = ok && run(m);
    }
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const enum stock_end end = stock_traits(i).end;
        wanted += end == END_PAID || end == END_FAILED;
    }
    if (ok && m->ended != wanted)
        fprintf(stderr, "relais bench: lists: %" PRIu64 " of %" PRIu64 " were claimed\n", m->ended,
                wanted);
    ok = ok && m->ended == wanted;
    if (m && m->web.lines) web_close(&m->web);
    free(m);
    return ok;
}

/* ---- the inventory ---- */

static bool row_take(struct stock_row *row, const json_t *task) {
    const char *made = json_string_value(json_object_get(task, "created_at"));
    const char *text = json_string_value(json_object_get(task, "task_id"));
    const json_t *id = json_object_get(task, "id");
    if (!made || !text || !date_parse(slice_text(made), &row->created_ms)) return false;
    snprintf(row->text, sizeof row->text, "%s", text);
    return json_is_integer(id) && (uint64_t)json_integer_value(id) == row->id;
}

/* One page; the path of the next, or "" behind the last. */
static bool page_take(struct stock *s, struct web *w, uint32_t brand, char *path, size_t size,
                      struct stock_row **row) {
    const struct web_request r = {.method = "GET", .path = path, .token = s->users[brand]};
    json_t *root = web_ask(w, 0, &r) == 200 ? json_loads(w->lines[0].body, 0, NULL) : NULL, *task;
    const char *next = json_string_value(json_object_get(root, "next"));
    const char *rest = next ? strstr(next, "/tasks/") : NULL;
    size_t i;
    bool ok = root != NULL;
    json_array_foreach(json_object_get(root, "results"), i, task) {
        ok = ok && *row < s->of[brand + 1] && row_take((*row)++, task);
    }
    snprintf(path, size, "%s", rest ? rest : "");
    json_decref(root);
    return ok;
}

bool stock_inventory(struct stock *s) {
    struct web web;
    bool ok = web_open(&web, s->b->server.http, 1) && web_line_open(&web, 0);
    for (uint32_t brand = 0; ok && brand < STOCK_BRANDS; brand++) {
        char path[512];
        struct stock_row *row = s->of[brand];
        snprintf(path, sizeof path, "/tasks/?ordering=created_at&page_size=%d", STOCK_PAGE);
        while (ok && path[0]) ok = page_take(s, &web, brand, path, sizeof path, &row);
        ok = ok && row == s->of[brand + 1];
        if (!ok)
            fprintf(stderr, "relais bench: lists: brand %u is not listed as it was made, from its"
                    " task %zd on\n", brand + 1, row - s->of[brand]);
    }
    if (web.lines) web_close(&web);
    return ok;
}
