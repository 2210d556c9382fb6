/* bench_fleet - stations of dialect 003 that beat with all their sessions, and the death of some.
 *
 * Every station has its own connection, registers, and beats four times in --dead (so every 30 s
 * with the 120 s of the document), evenly spread, each time with the whole array of its sessions,
 * for --seconds. Measured is the server's CPU. Then a quarter of the stations falls silent, each
 * after a last beat. What becomes of their sessions is asked for over HTTP again and again, and
 * measured from that last beat: until all are DISCONNECTED, and until none is assigned to the dead
 * any more. The living take up what their heartbeats tell them to, as a real worker does, until
 * every session is CONNECTED again; a session that is lost, or at two places, fails the run. */
#include "worker/command/bench.h"
#include "worker/command/web.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEAD_PART = 4, BEATS_IN_DEAD = 4, DAY_BEAT_S = 30, LOOK_MS = 20, LATE_MS_MAX = 90000
};
static const char fleet_token[] = "bench-fleet-token";

struct post { /* a station */
    uint32_t *sessions; /* owned */
    uint32_t count, room;
    int64_t beat_ns;    /* its newest beat's answer */
    int64_t marked_ns, moved_ns; /* since its last beat; 0 = not yet */
};

struct fleet {
    const struct bench *b;
    struct web web;        /* a line for each station; behind them one for who looks */
    uint32_t stations, dead, looker;
    struct post *posts;
    struct buffer body;
    char admin[SERVER_TOKEN_MAX];
    uint64_t beats, commands;
    int64_t every_ns;      /* between two beats of one station */
    struct spread answers;
};

/* ---- what stations say ---- */

static bool session_add(struct post *p, uint32_t session) {
    for (uint32_t i = 0; i < p->count; i++)
        if (p->sessions[i] == session) return true; /* a command that is given again */
    if (p->count == p->room) {
        uint32_t room = p->room ? 2 * p->room : 64;
        uint32_t *grown = realloc(p->sessions, room * sizeof *grown);
        if (!grown) return false;
        p->sessions = grown;
        p->room = room;
    }
    p->sessions[p->count++] = session;
    return true;
}

static void body_text(struct fleet *f, const char *text) {
    buffer_append(&f->body, text, strlen(text));
}

static bool station_register(struct fleet *f, uint32_t station) {
    char text[256];
    uint64_t room = 4 * f->b->sessions / f->stations + 4;
    int len = snprintf(text, sizeof text,
                       "{\"workerId\":\"station-%u\",\"endpoint\":\"http://10.0.0.1:8001/%u\","
                       "\"maxSessions\":%llu,\"status\":\"ONLINE\",\"version\":\"1.0.0\","
                       "\"environment\":\"PRODUCTION\"}",
                       station, station, (unsigned long long)(room < 1000 ? room : 1000));
    struct web_request r = {.method = "POST", .path = "/api/v1/workers/register",
                            .token = fleet_token, .body = slice_of(text, (size_t)len)};
    if (!web_line_open(&f->web, station)) return false;
    json_t *data = web_data(&f->web, station, &r, 200);
    json_decref(data);
    return data != NULL;
}

/* The later client's heartbeat: all its sessions, and its figures. */
static bool beat(struct fleet *f, uint32_t station) {
    const struct post *p = &f->posts[station];
    char text[256], path[64];
    buffer_clear(&f->body);
    body_text(f, "{\"status\":\"ONLINE\",\"sessions\":[");
    for (uint32_t i = 0; i < p->count; i++) {
        snprintf(text, sizeof text,
                 "%s{\"sessionId\":\"session-%u\",\"status\":\"CONNECTED\","
                 "\"phoneNumber\":\"62812%07u\",\"displayName\":\"User %u\"}",
                 i ? "," : "", p->sessions[i], p->sessions[i], p->sessions[i]);
        body_text(f, text);
    }
    snprintf(text, sizeof text,
             "],\"metrics\":{\"cpuUsage\":12.5,\"memoryUsage\":34.5,\"uptime\":%llu,"
             "\"messageCount\":7,\"totalSessions\":%u,\"activeSessions\":%u},"
             "\"capabilities\":{}}",
             (unsigned long long)f->beats, p->count, p->count);
    body_text(f, text);
    snprintf(path, sizeof path, "/api/v1/workers/station-%u/heartbeat", station);
    struct web_request r = {.method = "PUT", .path = path, .token = fleet_token,
                            .body = buffer_slice(&f->body)};
    f->beats++;
    return !f->body.failed && web_send(&f->web, station, &r);
}

/* A beat was answered: what it tells to make is there with the next one. */
static bool heard(void *context, struct web_line *line) {
    struct fleet *f = context;
    struct post *p = &f->posts[line->number];
    json_t *data = line->status == 200 ? web_line_data(line) : NULL;
    json_t *list = json_object_get(data, "commands"), *command;
    size_t i;
    bool ok = data != NULL;
    spread_add(&f->answers, line->heard_ns - line->sent_ns);
    p->beat_ns = line->heard_ns;
    json_array_foreach(list, i, command) {
        const char *type = json_string_value(json_object_get(command, "type"));
        const char *name = json_string_value(json_object_get(command, "sessionId"));
        uint32_t session = 0;
        if (!type || strcmp(type, "create_session") != 0) continue;
        ok = ok && name && sscanf(name, "session-%u", &session) == 1 && session_add(p, session);
        f->commands++;
    }
    if (!ok) fprintf(stderr, "relais bench: a beat got %d %.300s\n", line->status, line->body);
    json_decref(data);
    return ok;
}

/* Beats of the stations from `first` on, evenly spread over each period, until then. */
struct rhythm { uint32_t first, at; int64_t next_ns; };

static bool rhythm_step(struct fleet *f, struct rhythm *r, int wait_ms) {
    uint32_t count = f->stations - r->first;
    while (web_now_ns() >= r->next_ns) {
        uint32_t station = r->first + r->at++ % count;
        r->next_ns += f->every_ns / count;
        if (!f->web.lines[station].asked && !beat(f, station)) return false;
    }
    int64_t left_ms = (r->next_ns - web_now_ns()) / 1000000;
    if (left_ms < wait_ms) wait_ms = left_ms > 0 ? (int)left_ms : 0;
    return web_pump(&f->web, wait_ms);
}

static bool rhythm_run(struct fleet *f, struct rhythm *r, int64_t ms) {
    int64_t until = web_now_ns() + ms * 1000000;
    while (web_now_ns() < until)
        if (!rhythm_step(f, r, 50)) return false;
    return true;
}

/* All of them at once, and their answers. */
static bool beat_all(struct fleet *f, uint32_t from, uint32_t to) {
    bool asked = true;
    for (uint32_t i = from; i < to; i++) {
        while (f->web.lines[i].asked)
            if (!web_pump(&f->web, 100)) return false;
        if (!beat(f, i) || !web_pump(&f->web, 0)) return false;
    }
    while (asked) {
        if (!web_pump(&f->web, 100)) return false;
        asked = false;
        for (uint32_t i = from; i < to; i++) asked = asked || f->web.lines[i].asked;
    }
    return true;
}

/* ---- what is seen ---- */

/* The sessions that are a station's now, and how many of them are not DISCONNECTED. */
static bool look(struct fleet *f, uint32_t station, uint32_t *ret_count, uint32_t *ret_up) {
    char path[80];
    snprintf(path, sizeof path, "/api/v1/workers/station-%u/sessions/assigned", station);
    struct web_request r = {.method = "GET", .path = path, .token = fleet_token};
    json_t *data = web_data(&f->web, f->looker, &r, 200);
    json_t *list = json_object_get(data, "sessions"), *session;
    size_t i;
    *ret_count = *ret_up = 0;
    json_array_foreach(list, i, session) {
        const char *status = json_string_value(json_object_get(session, "status"));
        *ret_count += 1;
        *ret_up += status && strcmp(status, "DISCONNECTED") != 0;
    }
    json_decref(data);
    return data != NULL;
}

/* A member of the statistics of all workers; -1 when there is none. */
static int64_t statistic(struct fleet *f, const char *part, const char *key) {
    struct web_request r = {.method = "GET", .path = "/api/v1/workers/statistics",
                            .token = f->admin};
    json_t *data = web_data(&f->web, f->looker, &r, 200);
    json_t *value = json_object_get(part ? json_object_get(data, part) : data, key);
    int64_t found = json_is_integer(value) ? json_integer_value(value) : -1;
    json_decref(data);
    return found;
}

/* One look at each of the dead whose sessions are not gone yet; true while there is such a one. */
static bool look_round(struct fleet *f, struct rhythm *living, bool *ret_ok) {
    bool more = false;
    for (uint32_t i = 0; *ret_ok && i < f->dead; i++) {
        struct post *p = &f->posts[i];
        uint32_t count, up;
        if (p->moved_ns) continue;
        more = true;
        *ret_ok = look(f, i, &count, &up) && rhythm_step(f, living, 0);
        int64_t since = f->web.lines[f->looker].heard_ns - p->beat_ns;
        if (up == 0 && !p->marked_ns) p->marked_ns = since;
        if (count == 0) p->moved_ns = since;
    }
    return more;
}

/* ---- the run ---- */

static bool assemble(struct fleet *f) {
    for (uint32_t i = 0; i < f->stations; i++)
        if (!station_register(f, i)) return false;
    for (uint32_t i = 0; i < f->b->sessions; i++)
        if (!session_add(&f->posts[i % f->stations], i)) return false;
    if (!beat_all(f, 0, f->stations) || !web_line_open(&f->web, f->looker)) return false;
    int64_t up = statistic(f, "sessions", "CONNECTED");
    if (up == (int64_t)f->b->sessions) return true;
    fprintf(stderr, "relais bench: %lld sessions of %llu are CONNECTED\n", (long long)up,
            (unsigned long long)f->b->sessions);
    return false;
}

static bool live(struct fleet *f) {
    const struct bench *b = f->b;
    struct rhythm all = {.next_ns = web_now_ns()};
    f->beats = 0;
    f->answers = (struct spread){0};
    struct meter meter = meter_start(b);
    int64_t from = web_now_ns();
    if (!rhythm_run(f, &all, b->time_ms)) return false;
    double wall_s = (double)(web_now_ns() - from) / 1e9;
    double cpu_s = process_cpu_s(b->server.pid) - meter.server_s, beats = (double)f->beats;
    char more[256];
    snprintf(more, sizeof more,
             ",\"stations\":%u,\"sessions\":%llu,\"beat_s\":%.1f,\"beat_cpu_us\":%.0f,"
             "\"cpu_at_30s\":%.4f",
             f->stations, (unsigned long long)b->sessions, (double)f->every_ns / 1e9,
             beats > 0 ? cpu_s / beats * 1e6 : 0,
             beats > 0 ? cpu_s / beats * f->stations / DAY_BEAT_S : 0);
    struct result r = {.scenario = "fleet", .jobs = f->beats, .seconds = wall_s,
                       .spread = &f->answers, .more = more};
    result_print(b, &meter, &r);
    return true;
}

static void deaths_print(const struct fleet *f, const struct meter *m, int64_t from,
                         int64_t whole_ns) {
    int64_t marked = 0, moved = 0;
    for (uint32_t i = 0; i < f->dead; i++) {
        const struct post *p = &f->posts[i];
        if (p->marked_ns > marked) marked = p->marked_ns;
        if (p->moved_ns > moved) moved = p->moved_ns;
    }
    char more[256];
    snprintf(more, sizeof more,
             ",\"stations\":%u,\"dead\":%u,\"dead_s\":%.1f,\"marked_max_s\":%.2f,"
             "\"moved_max_s\":%.2f,\"connected_s\":%.2f,\"commands\":%llu",
             f->stations, f->dead, (double)f->b->dead_ms / 1000, (double)marked / 1e9,
             (double)moved / 1e9, (double)whole_ns / 1e9, (unsigned long long)f->commands);
    uint64_t orphans = 0;
    for (uint32_t i = 0; i < f->dead; i++) orphans += f->posts[i].count;
    struct result r = {.scenario = "fleet-death", .jobs = orphans, .more = more,
                       .seconds = (double)(web_now_ns() - from) / 1e9};
    result_print(f->b, m, &r);
}

/* Every session stands at exactly one of the living. */
static bool all_there(struct fleet *f) {
    uint64_t seated = 0, listed = 0;
    for (uint32_t i = 0; i < f->stations; i++) {
        uint32_t count, up;
        if (!look(f, i, &count, &up)) return false;
        seated += count;
        if (i >= f->dead) listed += f->posts[i].count;
    }
    if (seated == f->b->sessions && listed == seated) return true;
    fprintf(stderr, "relais bench: of %llu sessions %llu are assigned, %llu are listed\n",
            (unsigned long long)f->b->sessions, (unsigned long long)seated,
            (unsigned long long)listed);
    return false;
}

static bool die(struct fleet *f) {
    struct meter meter = meter_start(f->b);
    int64_t from = web_now_ns(), whole_ns = 0;
    struct rhythm living = {.first = f->dead, .next_ns = from};
    bool ok = beat_all(f, 0, f->dead);
    f->commands = 0;
    ok = ok && rhythm_run(f, &living, f->b->dead_ms * 9 / 10);
    int64_t end = web_now_ns() + (f->b->dead_ms + LATE_MS_MAX) * 1000000;
    while (ok && look_round(f, &living, &ok) && web_now_ns() < end)
        ok = ok && rhythm_run(f, &living, LOOK_MS);
    while (ok && !whole_ns && web_now_ns() < end) {
        int64_t up = statistic(f, "sessions", "CONNECTED");
        if (up == (int64_t)f->b->sessions) whole_ns = web_now_ns() - from;
        ok = up >= 0 && rhythm_run(f, &living, LOOK_MS);
    }
    deaths_print(f, &meter, from, whole_ns);
    if (ok && !whole_ns) fprintf(stderr, "relais bench: sessions were not taken up in time\n");
    return ok && whole_ns && all_there(f);
}

bool bench_fleet(struct bench *b) {
    if (!b->own) {
        fprintf(stderr, "relais bench: fleet measures a server of its own\n");
        return false;
    }
    struct fleet *f = calloc(1, sizeof *f);
    if (!f) return false;
    f->b = b;
    f->stations = f->looker = (uint32_t)b->stations;
    f->dead = f->stations / DEAD_PART + (f->stations < DEAD_PART);
    f->every_ns = b->dead_ms * 1000000 / BEATS_IN_DEAD;
    f->posts = calloc(f->stations, sizeof *f->posts);
    bool ok = f->posts && server_token(&b->server, "admin", 1, f->admin) &&
              web_open(&f->web, b->server.http, f->stations + 1);
    f->web.context = f;
    f->web.heard = heard;
    ok = ok && assemble(f) && live(f) && die(f);
    if (f->web.lines) web_close(&f->web);
    for (uint32_t i = 0; f->posts && i < f->stations; i++) free(f->posts[i].sessions);
    free(f->posts);
    buffer_free(&f->body);
    free(f);
    return ok;
}

void bench_fleet_options(struct bench *b) {
    bench_option(b, "--worker-tokens=%s", fleet_token);
    bench_option(b, "--station-dead-ms=%lld", (long long)b->dead_ms);
    bench_option(b, "--idle-ms=%lld", (long long)(2 * b->dead_ms + LATE_MS_MAX));
}
