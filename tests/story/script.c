/* script.c - the commands of a story. */
#include "tests/story/script.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- names ---- */

struct actor *actor_at(struct story *s, uint32_t peer) {
    for (uint32_t i = 0; i < s->actor_count; i++)
        if (s->actors[i].peer == peer && s->actors[i].kind) return &s->actors[i];
    return NULL;
}

static struct actor *actor_named(struct story *s, const char *name) {
    for (uint32_t i = 0; i < s->actor_count; i++)
        if (strcmp(s->actors[i].name, name) == 0) return &s->actors[i];
    return NULL;
}

const char *task_name(struct story *s, uint64_t id) {
    for (uint32_t i = 0; i < s->task_count; i++)
        if (s->tasks[i].id == id) return s->tasks[i].name;
    return "?";
}

void task_call(struct story *s, uint64_t id, const char *name) {
    for (uint32_t i = 0; i < s->task_count; i++)
        if (s->tasks[i].id == id) return;
    if (s->task_count == NAMES_MAX) s->task_count--; /* of a crowd only the last has a name */
    s->tasks[s->task_count].id = id;
    snprintf(s->tasks[s->task_count++].name, NAME_BYTES, "%s", name);
}

uint64_t task_called(struct story *s, const char *name) {
    for (uint32_t i = s->task_count; i-- > 0;)
        if (strcmp(s->tasks[i].name, name) == 0) return s->tasks[i].id;
    return 999999; /* no task has that number */
}

uint32_t epoch_name(struct story *s, uint64_t epoch) {
    uint32_t i = 0;
    while (i < s->epoch_count && s->epochs[i] != epoch) i++;
    assert(i < NAMES_MAX);
    if (i == s->epoch_count) s->epochs[s->epoch_count++] = epoch;
    return i + 1;
}

uint64_t newest_epoch(struct story *s, uint64_t task) {
    for (uint32_t i = 0; i < s->newest_count; i++)
        if (s->newest[i].task == task) return s->newest[i].epoch;
    return 0;
}

/* ---- words of the line ---- */

static const char *word(struct story *s, const char *key) {
    size_t len = strlen(key);
    for (uint32_t i = 0; i < s->word_count; i++)
        if (strncmp(s->words[i], key, len) == 0 && s->words[i][len] == '=')
            return s->words[i] + len + 1;
    return NULL;
}

static bool flag(struct story *s, const char *name) {
    for (uint32_t i = 0; i < s->word_count; i++)
        if (strcmp(s->words[i], name) == 0) return true;
    return false;
}

static int64_t number(struct story *s, const char *key, int64_t absent) {
    const char *v = word(s, key);
    return v ? strtoll(v, NULL, 10) : absent;
}

static struct slice text(struct story *s, const char *key) {
    const char *v = word(s, key);
    return v ? slice_text(v) : (struct slice){0};
}

/* The text of `key`, or as many letters as size= says. */
static struct slice bytes(struct story *s, const char *key) {
    int64_t size = number(s, "size", 0);
    if (size <= 0) return text(s, key);
    buffer_clear(&s->bytes);
    while ((int64_t)s->bytes.len < size) buffer_byte(&s->bytes, 'x');
    return buffer_slice(&s->bytes);
}

/* "a,b" as a packed list. */
static uint16_t list(struct story *s, const char *key, struct buffer *b, struct slice *out) {
    const char *v = word(s, key);
    uint16_t count = 0;
    buffer_clear(b);
    while (v && *v) {
        size_t len = strcspn(v, ",");
        text_put(b, slice_of(v, len));
        count++;
        v += len + (v[len] == ',');
    }
    *out = buffer_slice(b);
    return count;
}

static uint8_t priority(const char *v) {
    static const char *const names[] = {"low", "normal", "high", "critical"};
    uint8_t p = 0;
    while (p < 3 && strcmp(v, names[p])) p++;
    return p;
}

/* "e3" as the epoch of that name; "0" = my lease; none = the newest one of the task. */
static uint64_t epoch(struct story *s, uint64_t task) {
    const char *v = word(s, "epoch");
    if (!v) return newest_epoch(s, task);
    if (*v != 'e') return 0;
    uint32_t i = (uint32_t)atoi(v + 1);
    return i && i <= s->epoch_count ? s->epochs[i - 1] : 1;
}

const char *story_word(struct story *s, const char *key) { return word(s, key); }
bool story_flag(struct story *s, const char *name) { return flag(s, name); }
int64_t story_number(struct story *s, const char *key, int64_t absent) {
    return number(s, key, absent);
}
struct slice story_text(struct story *s, const char *key) { return text(s, key); }
uint16_t story_list(struct story *s, const char *key, struct buffer *b, struct slice *out) {
    return list(s, key, b, out);
}

/* ---- speaking ---- */

void story_speak(struct story *s, struct actor *a, struct message *m) {
    struct actor *peer = a->via ? a->via : a;
    struct event e = {.kind = EVENT_MESSAGE, .peer = peer->peer, .message = m, .who = a->who,
                      .link = m->verb == VERB_HELLO ? 0 : peer->link};
    world_step(&s->world, &e);
}

static void serves(struct story *s, struct actor *a, struct serves *v) {
    v->queue_count = list(s, "queues", &a->lists[0], &v->queues);
    v->type_count = list(s, "types", &a->lists[1], &v->types);
    v->label_count = list(s, "labels", &a->lists[2], &v->labels);
}

/* held=one:e1:3,two:e2 - checkpoint and `started` may be left out */
static void held(struct story *s, struct actor *a, struct hello *h) {
    const char *v = word(s, "held");
    buffer_clear(&a->lists[3]);
    h->held_count = 0;
    while (v && *v) {
        char name[NAME_BYTES] = "";
        unsigned e = 0, seq = 0;
        size_t len = strcspn(v, ",");
        sscanf(v, "%31[^:]:e%u:%u", name, &e, &seq);
        held_put(&a->lists[3], (struct held){.task = task_called(s, name),
                                             .epoch = e && e <= s->epoch_count ? s->epochs[e - 1]
                                                                               : 1,
                                             .checkpoint = seq, .started = true});
        h->held_count++;
        v += len + (v[len] == ',');
    }
    h->held = buffer_slice(&a->lists[3]);
}

static void connect(struct story *s, struct actor *a) {
    a->peer = s->peer_next++;
    a->open = true;
    a->silent = false;
    struct event e = {.kind = EVENT_OPEN, .peer = a->peer, .who = a->who};
    world_step(&s->world, &e);
}

static void hello(struct story *s, struct actor *a) {
    if (!a->open) connect(s, a);
    struct hello *h = &a->hello.hello;
    if (word(s, "boot")) a->boot = (uint64_t)number(s, "boot", 1);
    if (word(s, "queues")) serves(s, a, &h->serves);
    if (word(s, "slots")) h->slots = (uint32_t)number(s, "slots", 1);
    if (word(s, "prefetch")) h->prefetch = (uint32_t)number(s, "prefetch", 0);
    if (flag(s, "implied")) h->implied = true;
    held(s, a, h);
    h->boot = a->boot;
    h->version = PROTOCOL_VERSION;
    h->kind = a->kind;
    h->name = slice_text(a->name);
    a->hello.verb = VERB_HELLO;
    a->hello.number = ++s->number;
    a->link = 0;
    story_speak(s, a, &a->hello);
    a->beat_at = s->world.mono_ms + s->world.limits.beat_ms;
}

static bool actor_make(struct story *s, const char *kind, const char *name) {
    assert(s->actor_count < PEERS_MAX);
    struct actor *a = &s->actors[s->actor_count++];
    snprintf(a->name, NAME_BYTES, "%s", name);
    a->boot = (uint64_t)number(s, "boot", 1);
    a->who.brand = (uint32_t)number(s, "brand", 1);
    if (strcmp(kind, "http") == 0) {
        a->via = actor_named(s, word(s, "via") ? word(s, "via") : "g");
        a->who.role = flag(s, "fleet") ? ROLE_FLEET : ROLE_WORKER;
        a->who.boot = a->boot;
        snprintf(a->who.name, sizeof a->who.name, "%s", name);
        return a->via != NULL;
    }
    a->kind = strcmp(kind, "client") == 0 ? LINK_CLIENT
              : strcmp(kind, "worker") == 0 ? LINK_WORKER : LINK_GATEWAY;
    a->who.role = a->kind == LINK_CLIENT ? ROLE_CLIENT
                  : a->kind == LINK_WORKER ? ROLE_WORKER : ROLE_GATEWAY;
    if (a->kind == LINK_GATEWAY) a->who.brand = 0;
    if (flag(s, "admin")) a->who.role = ROLE_ADMIN;
    if (a->kind == LINK_WORKER) {
        snprintf(a->who.name, sizeof a->who.name, "key of %s", name);
        a->hello.hello.slots = 1;
    }
    if (word(s, "key")) snprintf(a->who.name, sizeof a->who.name, "%s", word(s, "key"));
    hello(s, a);
    return true;
}

static void options(struct story *s, struct options *o) {
    const struct { const char *key; uint32_t bit; } numbers[] = {
        {"retries", SET_RETRIES}, {"timeout", SET_TIMEOUT}, {"progress", SET_PROGRESS},
        {"backoff", SET_BACKOFF}, {"brand", SET_BRAND}, {"resume", SET_RESUME}};
    uint32_t values[6] = {0};
    for (int i = 0; i < 6; i++) {
        values[i] = (uint32_t)number(s, numbers[i].key, 0);
        if (word(s, numbers[i].key)) o->set |= numbers[i].bit;
    }
    o->retries = (uint16_t)values[0];
    o->timeout_ms = values[1];
    o->progress_ms = values[2];
    o->backoff_ms = values[3];
    o->brand = values[4];
    o->resume = values[5];
    if (word(s, "priority")) o->set |= SET_PRIORITY, o->priority = priority(word(s, "priority"));
    if (word(s, "delay")) o->set |= SET_DUE, o->delay = true, o->due_ms = number(s, "delay", 0);
    const char *keep = word(s, "keep");
    if (keep) {
        o->set |= SET_KEEP;
        o->keep_ms = strcmp(keep, "failed") == 0 ? KEEP_FAILED
                     : strcmp(keep, "none") == 0 ? KEEP_NONE : strtoll(keep, NULL, 10);
    }
    o->accepted = flag(s, "accepted");
    o->watch = flag(s, "watched");
    o->hook = flag(s, "hook");
    o->key = text(s, "key");
    o->labels = text(s, "labels");
    o->extra = text(s, "extra");
    if (word(s, "extra")) o->set |= SET_EXTRA;
}

static void submit(struct story *s, struct actor *a, const char *task) {
    struct message m = {.verb = VERB_SUBMIT, .number = ++s->number};
    m.submit.queue = word(s, "queue") ? text(s, "queue") : slice_text("q");
    m.submit.type = text(s, "type");
    m.submit.payload = word(s, "payload") || word(s, "size") ? bytes(s, "payload")
                                                              : slice_text(task);
    options(s, &m.submit.options);
    struct asked *asked = &s->asked[s->asked_count++ % ASKED_MAX];
    if (s->asked_count >= ASKED_MAX) s->asked_count = 0;
    asked->number = m.number;
    snprintf(asked->task, NAME_BYTES, "%s", task);
    story_speak(s, a, &m);
}

static bool client(struct story *s, struct actor *a, const char *verb, const char *task) {
    static const struct { const char *name; enum verb verb; } verbs[] = {
        {"get", VERB_GET}, {"watch", VERB_WATCH}, {"cancel", VERB_CANCEL}, {"retry", VERB_RETRY},
        {"update", VERB_UPDATE}, {"remove", VERB_REMOVE}, {"explain", VERB_EXPLAIN},
        {"pause", VERB_PAUSE}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, verb)) continue;
        struct message m = {.verb = verbs[i].verb, .number = ++s->number};
        m.ref.id = task_called(s, task);
        m.ref.text = bytes(s, "why");
        a->asked = m.number;
        m.ref.version = (uint32_t)number(s, "version", s->version);
        m.ref.wait_ms = (uint32_t)number(s, "wait", 0);
        m.ref.want = (flag(s, "body") ? WANT_BODY : 0u) | (flag(s, "result") ? WANT_RESULT : 0u) |
                     (flag(s, "attempts") ? WANT_ATTEMPTS : 0u) | (flag(s, "log") ? WANT_LOG : 0u) |
                     (word(s, "after") ? WANT_PARTS : 0u);
        m.ref.after = (uint32_t)number(s, "after", 0);
        options(s, &m.ref.options);
        if (word(s, "payload")) m.ref.options.set |= SET_PAYLOAD;
        m.ref.options.payload = text(s, "payload");
        story_speak(s, a, &m);
        return true;
    }
    return false;
}

static bool report(struct story *s, struct actor *a, const char *verb, const char *task) {
    static const struct { const char *name; enum verb verb; } verbs[] = {
        {"start", VERB_START}, {"progress", VERB_PROGRESS}, {"checkpoint", VERB_CHECKPOINT},
        {"done", VERB_DONE}, {"fail", VERB_FAIL}, {"release", VERB_RELEASE}, {"log", VERB_LOG},
        {"part", VERB_LOG},
        {"stopped", VERB_STOPPED}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, verb)) continue;
        struct message m = {.verb = verbs[i].verb};
        bool silent = verbs[i].verb == VERB_START || verbs[i].verb == VERB_PROGRESS ||
                      strcmp(verb, "log") == 0;
        m.number = silent && !flag(s, "answer") ? 0 : ++s->number;
        struct report *r = &m.report;
        r->task = task_called(s, task);
        r->epoch = epoch(s, r->task);
        r->seq = (uint32_t)number(s, "seq", 0);
        r->percent = (int8_t)number(s, "percent", -1);
        r->level = strcmp(verb, "part") == 0 ? LOG_PART : 0;
        r->reason = flag(s, "permanent") ? REASON_PERMANENT
                    : flag(s, "crashed") ? REASON_CRASHED : REASON_FAILED;
        r->retryable = !flag(s, "final");
        r->text = text(s, "text");
        r->name = text(s, "name");
        r->data = bytes(s, "data");
        story_speak(s, a, &m);
        return true;
    }
    return false;
}

static void claim(struct story *s, struct actor *a) {
    if (word(s, "boot")) a->boot = a->who.boot = (uint64_t)number(s, "boot", 1);
    struct message m = {.verb = VERB_CLAIM, .number = ++s->number};
    m.claim = (struct claim){
        .worker = slice_text(a->name), .boot = a->boot, .limit = (uint32_t)number(s, "limit", 0),
        .wait_ms = (uint32_t)number(s, "wait", 0), .lease_ms = (uint32_t)number(s, "lease", 0),
        .held_max = (uint32_t)number(s, "max", 0), .again = flag(s, "again"),
        .oldest = flag(s, "oldest")};
    a->asked = m.number;
    serves(s, a, &m.claim.serves);
    story_speak(s, a, &m);
}

static void queue(struct story *s, struct actor *a, const char *name) {
    struct message m = {.verb = VERB_QUEUE, .number = ++s->number};
    struct queue_set *q = &m.queue;
    q->queue = slice_text(name);
    if (word(s, "paused")) q->set |= SET_QUEUE_PAUSED;
    if (word(s, "running")) q->set |= SET_QUEUE_RUNNING;
    if (word(s, "rate")) q->set |= SET_QUEUE_RATE;
    if (word(s, "weight")) q->set |= SET_QUEUE_WEIGHT;
    if (word(s, "keep")) q->set |= SET_QUEUE_KEEP;
    if (word(s, "hooks")) q->set |= SET_QUEUE_HOOKS;
    q->paused = number(s, "paused", 0) != 0;
    q->running_max = (uint32_t)number(s, "running", 0);
    q->rate_per_min = (uint32_t)number(s, "rate", 0);
    q->weight = (uint32_t)number(s, "weight", 0);
    q->keep_ms = number(s, "keep", 0);
    q->hooks = (uint8_t)number(s, "hooks", 0);
    story_speak(s, a, &m);
}

/* Verbs about the link itself. */
static bool linkage(struct story *s, struct actor *a, const char *verb) {
    struct message m = {.number = ++s->number};
    if (strcmp(verb, "hello") == 0) hello(s, a);
    else if (strcmp(verb, "silent") == 0) a->silent = true;
    else if (strcmp(verb, "awake") == 0) a->silent = false, a->beat_at = s->world.mono_ms;
    else if (strcmp(verb, "unwatch") == 0) {
        m.verb = VERB_UNWATCH;
        m.unwatch.number = a->asked;
        story_speak(s, a, &m);
    } else if (strcmp(verb, "gone") == 0) {
        struct event e = {.kind = EVENT_LINK_GONE, .peer = a->peer};
        a->open = false;
        a->peer = UINT32_MAX;
        world_step(&s->world, &e);
    } else if (strcmp(verb, "beat") == 0) m.verb = VERB_BEAT, story_speak(s, a, &m);
    else if (strcmp(verb, "bye") == 0) m.verb = VERB_BYE, story_speak(s, a, &m);
    else if (strcmp(verb, "drain") == 0) m.verb = VERB_DRAIN, story_speak(s, a, &m);
    else if (strcmp(verb, "credit") == 0) {
        m.verb = VERB_CREDIT;
        m.credit = (struct credit){(uint32_t)number(s, "slots", 1),
                                   (uint32_t)number(s, "prefetch", 0)};
        story_speak(s, a, &m);
    } else return false;
    return true;
}

static bool say_of(struct story *s, struct actor *a) {
    const char *verb = s->words[1], *name = s->word_count > 2 ? s->words[2] : "";
    if (strcmp(verb, "claim") == 0) {
        claim(s, a);
        return true;
    }
    if (linkage(s, a, verb)) return true;
    if (s->word_count < 3) return false;
    if (strcmp(verb, "submit") == 0) submit(s, a, name);
    else if (strcmp(verb, "queue") == 0) queue(s, a, name);
    else if (strcmp(verb, "feed") == 0) return story_feed(s, a, name);
    else return client(s, a, verb, name) || report(s, a, verb, name) ||
                story_object(s, a, verb, name) || story_schedule(s, a, verb, name) ||
                story_fleet(s, a, verb, name);
    return true;
}

/* ---- the world ---- */

static void beat_all(struct story *s) {
    for (uint32_t i = 0; i < s->actor_count; i++) {
        struct actor *a = &s->actors[i];
        if (a->via || !a->open || a->silent || a->beat_at > s->world.mono_ms) continue;
        struct message m = {.verb = VERB_BEAT, .number = ++s->number};
        a->beat_at = s->world.mono_ms + s->world.limits.beat_ms;
        if (a->link) story_speak(s, a, &m);
    }
}

static void pass(struct story *s, int64_t ms) {
    int64_t end = s->world.mono_ms + ms;
    beat_all(s);
    if (ms == 0) world_wait(&s->world, 0);
    while (s->world.mono_ms < end) {
        int64_t next = end;
        for (uint32_t i = 0; i < s->actor_count; i++) {
            const struct actor *a = &s->actors[i];
            if (!a->via && a->open && !a->silent && a->beat_at < next) next = a->beat_at;
        }
        world_wait(&s->world, next - s->world.mono_ms);
        beat_all(s);
    }
}

static void many(struct story *s) { /* many COUNT NAME command…: NAME1 NAME2 … in its place */
    int count = atoi(s->words[1]);
    char whole[1024] = "";
    for (uint32_t i = 3; i < s->word_count; i++) {
        strncat(whole, s->words[i], sizeof whole - strlen(whole) - 2);
        strcat(whole, " ");
    }
    char *name = strdup(s->words[2]), *line = strdup(whole);
    for (int i = 1; i <= count; i++) {
        char made[1024];
        const char *at = strstr(line, "%");
        assert(at != NULL);
        snprintf(made, sizeof made, "%.*s%s%d%s", (int)(at - line), line, name, i, at + 1);
        bool good = story_command(s, made);
        assert(good);
    }
    free(name);
    free(line);
}

static bool limit(struct story *s) {
    struct core_limits *l = &s->world.limits;
    const struct { const char *key; uint32_t *at; } rows[] = {
        {"window", &l->window_bytes_max}, {"running", &l->running_max},
        {"parked", &l->parked_max}, {"aging", &l->aging_ms}, {"queues", &l->queues_max},
        {"lanes", &l->lanes_max}, {"workers", &l->workers_max}, {"log_lines", &l->log_lines_max},
        {"checkpoints", &l->checkpoints_max}, {"bugs", &l->bugs}, {"retries", &l->retries},
        {"claim_lease", &l->claim_lease_ms}, {"dedup", &l->dedup_ms},
        {"message", &l->message_max}, {"parts", &l->parts_max}, {"part", &l->part_bytes_max},
        {"stations", &l->stations_max}, {"sessions", &l->sessions_max},
        {"commands", &l->commands_max}, {"ttl", &l->command_ttl_ms}, {"recovery", &l->recovery_ms},
        {"push", &l->push_bytes_max}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (word(s, rows[i].key)) *rows[i].at = (uint32_t)number(s, rows[i].key, 0);
    l->failed_keep_ms = number(s, "failed_keep", l->failed_keep_ms);
    l->parts_held_max = (uint64_t)number(s, "parts_held", (int64_t)l->parts_held_max);
    l->tasks_max = (uint64_t)number(s, "tasks", (int64_t)l->tasks_max);
    l->objects_max = (uint64_t)number(s, "objects", (int64_t)l->objects_max);
    l->object_cache_bytes = (uint64_t)number(s, "cache", (int64_t)l->object_cache_bytes);
    l->feed_events_max = (uint32_t)number(s, "events", l->feed_events_max);
    l->feed_bytes_max = (uint64_t)number(s, "event_bytes", (int64_t)l->feed_bytes_max);
    if (word(s, "accepted_bytes")) l->accepted_bytes_max = (uint64_t)number(s, "accepted_bytes", 0);
    core_destroy(&s->world.core); /* limits are those of a core's start */
    world_crash(&s->world);
    return true;
}

static void counts(struct story *s) {
    struct core_stats c;
    core_stats(s->world.core, &c);
    story_say(s, "scheduled %llu queued %llu delivered %llu running %llu completed %llu failed "
              "%llu cancelled %llu; workers %u", (unsigned long long)c.tasks[1],
              (unsigned long long)c.tasks[2], (unsigned long long)c.tasks[3],
              (unsigned long long)c.tasks[4], (unsigned long long)c.tasks[6],
              (unsigned long long)c.tasks[7], (unsigned long long)c.tasks[8], c.workers);
}

static bool of_world(struct story *s) {
    struct world *w = &s->world;
    const char *verb = s->words[0], *arg = s->word_count > 1 ? s->words[1] : "";
    if (strcmp(verb, "wait") == 0) pass(s, atoll(arg));
    else if (strcmp(verb, "stall") == 0) {
        struct event e = {.kind = EVENT_STALL, .stall_ms = atoll(arg)};
        w->mono_ms += e.stall_ms;
        w->wall_ms += e.stall_ms;
        world_step(w, &e);
    } else if (strcmp(verb, "clock") == 0) w->wall_ms += atoll(arg);
    else if (strcmp(verb, "hold") == 0) w->hold = true;
    else if (strcmp(verb, "deaf") == 0) w->deaf = true;
    else if (strcmp(verb, "go") == 0) {
        w->hold = w->deaf = false;
        world_settle(w);
    } else if (strcmp(verb, "crash") == 0) {
        for (uint32_t i = 0; i < s->actor_count; i++) {
            s->actors[i].open = false;
            s->actors[i].peer = UINT32_MAX;
        }
        s->peer_next = 0;
        world_crash(w);
        story_say(s, "the broker is back");
    } else if (strcmp(verb, "disk") == 0) {
        struct event e = {.kind = EVENT_DISK, .disk_full = strcmp(arg, "full") == 0};
        world_step(w, &e);
    } else if (strcmp(verb, "room") == 0) {
        struct event e = {.kind = EVENT_ROOM, .peer = w->full};
        world_step(w, &e);
    } else if (strcmp(verb, "counts") == 0) counts(s);
    else if (strcmp(verb, "lanes") == 0)
        story_say(s, "lanes were written %llu times", (unsigned long long)w->lane_records);
    else if (strcmp(verb, "unwritten") == 0)
        story_say(s, "%s is to be written", core_dirty(w->core) ? "something" : "nothing");
    else if (strcmp(verb, "quiet") == 0) s->quiet = true;
    else if (strcmp(verb, "loud") == 0) s->quiet = false;
    else if (strcmp(verb, "limits") == 0) return limit(s);
    else if (strcmp(verb, "stored") == 0) return story_stored(s, (uint8_t)atoi(arg));
    else if (strcmp(verb, "many") == 0 && s->word_count > 3) many(s);
    else return false;
    return true;
}

/* Splits at blanks; a part in "quotes" may hold blanks. */
static void split(struct story *s, char *line) {
    bool quoted = false;
    char *out = line;
    s->word_count = 0;
    for (char *p = line; *p && s->word_count < WORDS_MAX_LINE;) {
        while (*p == ' ') p++;
        if (!*p) break;
        s->words[s->word_count++] = out;
        for (; *p && (quoted || *p != ' '); p++) {
            if (*p == '"') quoted = !quoted;
            else *out++ = *p;
        }
        bool end = !*p;
        *out++ = 0;
        if (!end) p++;
    }
}

bool story_command(struct story *s, const char *line) {
    char *copy = strdup(line);
    split(s, copy);
    bool known = false;
    if (s->word_count) {
        struct actor *a = actor_named(s, s->words[0]);
        const char *kinds[] = {"client", "worker", "gateway", "http"};
        for (int i = 0; i < 4; i++)
            if (strcmp(s->words[0], kinds[i]) == 0 && s->word_count > 1) {
                known = actor_make(s, kinds[i], s->words[1]);
                free(copy);
                return known;
            }
        known = a && s->word_count > 1 ? say_of(s, a) : of_world(s);
    }
    free(copy);
    return known;
}

struct story *story_new(void) {
    struct story *s = calloc(1, sizeof *s);
    assert(s != NULL);
    struct world *w = &s->world;
    core_limits_default(&w->limits);
    w->limits.links_max = 64;
    w->wall_ms = INT64_C(1700000000000);
    w->seed = 1;
    w->context = s;
    w->note = tell_note;
    w->tell = tell_left;
    world_open(w);
    return s;
}

void story_free(struct story **self) {
    struct story *s = *self;
    for (uint32_t i = 0; i < s->actor_count; i++)
        for (int k = 0; k < 4; k++) buffer_free(&s->actors[i].lists[k]);
    buffer_free(&s->out);
    buffer_free(&s->bytes);
    buffer_free(&s->told);
    world_close(&s->world);
    free(s);
    *self = NULL;
}
