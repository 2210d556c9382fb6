/* intake.c - frames in, answers out: the part of the turn that talks. See turn.h. */
#include "broker/turn_state.h"
#include "proto/encode.h"
#include "proto/host/log.h"
#include "proto/object.h"
#include <assert.h>

static uint64_t seed_next(struct turn *t) { /* splitmix64: good enough for jitter, and fresh */
    uint64_t x = t->seed += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

struct event turn_event(struct turn *t, enum event_kind kind) {
    return (struct event){.kind = kind, .mono_ms = t->mono_ms, .wall_ms = t->wall_ms};
}

/* ---- what the core says ---- */

/* What a view says of files: the source's name and size are in the body, the result's size is what
 * is on disk. */
static void view_complete(struct turn *t, struct view *v) {
    const uint8_t *key = t->setup.secret->id_key;
    if (v->head.source_file != 0) {
        v->source_ticket = ticket_of(key, v->head.source_file);
        v->source_size = v->body.source_size;
        v->source_name = v->body.source_name;
        v->source_mime = v->body.source_mime;
    }
    if (v->head.result_file != 0) {
        v->result_ticket = ticket_of(key, v->head.result_file);
        if (v->result.id != 0) filer_name(t->setup.filer, v->head.result_file, &v->result_size);
    }
}

/* The ticket of an object's file goes into its row. */
static void object_complete(struct turn *t, struct answer *a) {
    struct object_row row;
    if (!object_row_read(a->body, &row)) return;
    row.ticket = ticket_of(t->setup.secret->id_key, a->file);
    buffer_clear(&t->row);
    object_row_put(&t->row, &row);
    if (!t->row.failed) a->body = buffer_slice(&t->row);
}

/* What the core leaves to the shell: the limits of the wire and the tickets of files. */
static void message_complete(struct turn *t, uint32_t peer, struct message *m) {
    const uint8_t *key = t->setup.secret->id_key;
    switch ((int)m->verb) {
    case VERB_WELCOME: {
        struct peer *p = router_peer(t->setup.router, peer);
        if (p != NULL) p->link = m->welcome.link;
        m->welcome.batch_max = t->setup.router_limits->batch_max;
        m->welcome.frame_max = t->setup.router_limits->frame_bytes_max;
        break;
    }
    case VERB_TASK:
        if (m->task.source_file != 0) m->task.ticket = ticket_of(key, m->task.source_file);
        break;
    case VERB_VIEW: view_complete(t, &m->view); break;
    case VERB_ANSWER:
        if (m->answer.file != 0) object_complete(t, &m->answer);
        break;
    default: break;
    }
}

/* Not before it is known what is revoked; then everybody gets it. */
void turn_push_keyring(struct turn *t, uint32_t peer) {
    if (!t->acts.known) return;
    const struct message m = {.verb = VERB_KEYRING,
                              .answer = {.body = keys_body(&t->keys)}};
    router_say(t->setup.router, peer, SAY_GROUP, &m);
}

/* Encodes the core's says and asks its needs. */
static void route(struct turn *t) {
    struct router *router = t->setup.router;
    for (uint32_t i = 0; i < t->fx.say_count; i++) {
        struct say *say = &t->fx.says[i];
        message_complete(t, say->peer, &say->message);
        turn_settle_act(t, say->peer, &say->message);
        router_say(router, say->peer, say->now ? SAY_NOW : SAY_GROUP, &say->message);
        if (say->fills) router_await_room(router, say->peer, t->mono_ms);
        if (say->message.verb != VERB_WELCOME) continue;
        const struct peer *p = router_peer(router, say->peer);
        if (p == NULL || p->who.role != ROLE_GATEWAY) continue;
        turn_push_keyring(t, say->peer);
        t->keys.look_at_ms = t->sweep_at_ms = 0; /* it may be `relais key`, which made one */
    }
    for (uint32_t i = 0; i < t->fx.need_count; i++)
        if (!loader_ask(t->loader, &t->fx.needs[i], t->opened, t->group - 1))
            log_error("a read was not asked for: out of memory");
    effects_clear(&t->fx);
}

void turn_step(struct turn *t, struct event *e) {
    e->seed = seed_next(t);
    core_step(t->core, e, &t->fx);
    assert(t->fx.record_count == 0); /* records come from core_close alone */
    if (t->fx.say_count > 0 || t->fx.need_count > 0) route(t);
}

/* ---- what peers say ---- */

static void item_refuse(struct turn *t, const struct peer *p, uint64_t number, enum code code,
                        uint32_t retry_ms) {
    const struct message m = {
        .verb = VERB_REFUSED,
        .refused = {.number = number, .code = code, .retry_ms = retry_ms,
                    .text = slice_text(code_text(code))}};
    t->stats.refused++;
    router_say(t->setup.router, p->number, SAY_NOW, &m);
}

static void stat_put(struct buffer *b, const char *name, uint64_t value) {
    encode_text(b, slice_text(name));
    encode_uint(b, value);
}

/* STATS: a map of names and numbers. */
static void stats_say(struct turn *t, const struct peer *p, uint64_t number) {
    struct core_stats core = {0};
    struct store_stats store = {0};
    struct buffer b = {0};
    core_stats(t->core, &core);
    writer_stats(t->writer, &store);
    const struct { const char *name; uint64_t value; } rows[] = {
        {"tasks_scheduled", core.tasks[STATUS_SCHEDULED]},
        {"tasks_queued", core.tasks[STATUS_QUEUED]},
        {"tasks_delivered", core.tasks[STATUS_DELIVERED]},
        {"tasks_running", core.tasks[STATUS_RUNNING]},
        {"tasks_paused", core.tasks[STATUS_PAUSED]},
        {"tasks_completed", core.tasks[STATUS_COMPLETED]},
        {"tasks_failed", core.tasks[STATUS_FAILED]},
        {"tasks_cancelled", core.tasks[STATUS_CANCELLED]},
        {"submitted", core.submitted}, {"delivered", core.delivered},
        {"completed", core.completed}, {"failed", core.failed}, {"cancelled", core.cancelled},
        {"requeued", core.requeued}, {"superseded", core.superseded},
        {"refused", core.refused + t->stats.refused}, {"parked", core.parked},
        {"window_bytes", core.window_bytes}, {"body_bytes", core.body_bytes},
        {"accepted_bytes", core.accepted_bytes}, {"links", core.links},
        {"objects", core.objects}, {"object_bytes", core.object_bytes},
        {"events", core.events}, {"stations", core.stations},
        {"sessions", core.sessions}, {"commands", core.commands},
        {"command_bytes", core.command_bytes}, {"workers", core.workers}, {"lanes", core.lanes},
        {"queues", core.queues},
        {"peers", router_peer_count(t->setup.router)},
        {"outbox_bytes", router_waiting_bytes(t->setup.router)},
        {"turns", t->stats.turns}, {"frames", t->stats.frames}, {"items", t->stats.items},
        {"groups", t->stats.groups}, {"group_bytes", t->stats.group_bytes},
        {"store_restarts", t->stats.restarts}, {"incarnation", t->incarnation},
        {"journal_groups", store.groups}, {"journal_bytes", store.bytes},
        {"journal_segments", store.segments}, {"journal_cut_bytes", store.cut_bytes},
        {"pending_records", store.pending_records}, {"pending_bytes", store.pending_bytes},
        {"reached", store.reached}, {"table_batches", store.table_batches},
        {"table_records", store.table_records}, {"sync_us_p50", store.sync_us_p50},
        {"sync_us_p99", store.sync_us_p99}};
    const uint32_t count = sizeof rows / sizeof rows[0];
    encode_map(&b, count);
    for (uint32_t i = 0; i < count; i++) stat_put(&b, rows[i].name, rows[i].value);
    const struct message m = {.verb = VERB_ANSWER,
                              .answer = {.number = number, .body = buffer_slice(&b)}};
    if (!b.failed) router_say(t->setup.router, p->number, SAY_GROUP, &m);
    buffer_free(&b);
}

/* What is on disk counts, not what is said of it. */
static void hash_take(struct turn *t, uint64_t file, struct slice *hash) {
    if (filer_hash(t->setup.filer, file, t->hash)) *hash = slice_of(t->hash, sizeof t->hash);
}

/* A file that the item names must be sealed; its size and hash are what is on disk. */
static enum code file_check(struct turn *t) {
    struct message *m = &t->message;
    if (m->verb == VERB_SUBMIT && m->submit.options.source_file != 0) {
        struct options *o = &m->submit.options;
        const enum code code = o->stream
            ? filer_name_stream(t->setup.filer, o->source_file)
            : filer_name(t->setup.filer, o->source_file, &o->source_size);
        hash_take(t, o->source_file, &o->source_hash);
        if (code != CODE_OK || o->key.len > 0) return code; /* with a key it may be said again */
        /* a file goes with its task: two would lose it with the first */
        return filer_placed(t->setup.filer, o->source_file) ? CODE_CONFLICT : CODE_OK;
    }
    if (m->verb == VERB_PUT && m->object.options.file != 0) { /* whose it is, the core knows */
        hash_take(t, m->object.options.file, &m->object.options.file_hash);
        return filer_name(t->setup.filer, m->object.options.file, &m->object.options.file_size);
    }
    if (m->verb != VERB_DONE || m->report.file == 0) return CODE_OK;
    hash_take(t, m->report.file, &m->report.file_hash);
    return filer_name(t->setup.filer, m->report.file, &m->report.file_size);
}

/* True when the shell itself took the item. */
static bool item_take_here(struct turn *t, struct peer *p, const struct who *who) {
    const struct message *m = &t->message;
    enum code code = CODE_OK;
    switch ((int)m->verb) {
    case VERB_SUBMIT: case VERB_PUT: case VERB_DONE:
        code = file_check(t);
        if (code != CODE_OK) item_refuse(t, p, m->number, code, 0);
        return code != CODE_OK;
    case VERB_ASK:
        code = ask_put(t->ask, p->number, p->serial, m, who, t->opened, t->durable);
        if (code != CODE_OK) item_refuse(t, p, m->number, code, ASK_RETRY_MS);
        return true;
    case VERB_STATS:
        if (who->role == ROLE_WORKER)
            item_refuse(t, p, m->number, CODE_FORBIDDEN, 0);
        else
            stats_say(t, p, m->number);
        return true;
    case VERB_HELLO:
        if (m->hello.kind != 0) p->kind = m->hello.kind;
        return false;
    default: return false;
    }
}

static void frame_refuse(struct turn *t, const struct peer *p, struct frame *f, enum code code,
                         uint32_t retry_ms) {
    if (f->request == 0) return; /* nobody waits for an answer */
    for (uint32_t i = 0; i < f->count; i++) item_refuse(t, p, f->request + i, code, retry_ms);
}

/* One sentence for all items, which are not looked at: a refusal must cost less than what is
 * refused. */
static void frame_refuse_busy(struct turn *t, const struct peer *p, const struct frame *f) {
    for (uint32_t i = 0; i < f->count; i++)
        item_refuse(t, p, f->request == 0 ? 0 : f->request + i, CODE_BUSY, BUSY_RETRY_MS);
}

/* True when what the frame brings would only make more of what the disk is behind with. */
static bool frame_overloads(const struct turn *t, const struct frame *f) {
    if (t->debt < 1 && t->open_bytes <= GROUP_BYTES_MAX) return false;
    return f->verb == VERB_SUBMIT || f->verb == VERB_PUT || f->verb == VERB_SCHEDULE
        || f->verb == VERB_SESSION_PUT || f->verb == VERB_SESSION_DO;
}

static void items_take(struct turn *t, struct peer *p, struct frame *f, const struct who *who) {
    struct event e = turn_event(t, EVENT_MESSAGE);
    e.peer = p->number;
    e.link = f->link;
    e.message = &t->message;
    e.queues = p->grant == NULL ? NULL : p->grant->queues;
    enum code code;
    while (message_next(f, &t->message, &code)) {
        t->stats.items++;
        t->group_items++;
        e.who = *who;
        if (code == CODE_OK) code = peer_allow(p, &t->message, t->setup.all_brands, &e.who);
        bool taken = code == CODE_OK && item_take_here(t, p, &e.who);
        if (code == CODE_OK && !taken) code = turn_note_act(t, p, &e.who);
        if (code != CODE_OK) {
            item_refuse(t, p, t->message.number, code, 0);
        } else if (!taken) {
            turn_step(t, &e);
            if (f->verb == VERB_BYE && f->link == p->link) router_leave(t->setup.router, p);
        }
        if (p->gone) break;
    }
    frame_free(f);
}

static void frame_take(struct turn *t, struct peer *p, zmq_msg_t *body) {
    struct frame f = {0};
    struct who who;
    const size_t len = zmq_msg_size(body);
    enum code code = frame_read(&f, zmq_msg_data(body), len, t->setup.router_limits->batch_max);
    t->stats.frames++;
    t->open_bytes += len;
    if (code != CODE_OK) {
        item_refuse(t, p, f.request, code, 0);
        return;
    }
    code = p->withdrawn ? CODE_UNAUTHORIZED : peer_who(p, &f, &who);
    if (code == CODE_OK && t->life != LIFE_UP) code = CODE_UNAVAILABLE;
    if (code != CODE_OK)
        frame_refuse(t, p, &f, code, code == CODE_UNAVAILABLE ? UNAVAILABLE_RETRY_MS : 0);
    else if (frame_overloads(t, &f))
        frame_refuse_busy(t, p, &f);
    else
        items_take(t, p, &f, &who);
}

void turn_check_keys(struct turn *t) {
    uint32_t at = 0;
    for (struct peer *p; (p = router_next(t->setup.router, &at)) != NULL;) {
        if (p->grant == NULL) continue;
        p->withdrawn = !keys_has_curve(t->setup.data, p->grant->key);
        if (!p->withdrawn || !p->known) continue;
        struct event e = turn_event(t, EVENT_LINK_GONE);
        e.peer = p->number;
        p->known = false;
        turn_step(t, &e);
        log_info("a key was withdrawn", field_text("name", p->who.name));
    }
}

static void peer_introduce(struct turn *t, struct peer *p) {
    if (p->grant != NULL) p->withdrawn = !keys_has_curve(t->setup.data, p->grant->key);
    if (p->withdrawn) return;
    struct event e = turn_event(t, EVENT_OPEN);
    e.peer = p->number;
    e.who = p->who;
    p->known = true;
    turn_step(t, &e);
}

/* Steps what the frame says, and closes it. */
static void body_take(struct turn *t, struct peer *p, zmq_msg_t *body) {
    if (!p->known && t->life == LIFE_UP) peer_introduce(t, p);
    if (!p->gone) frame_take(t, p, body);
    zmq_msg_close(body);
    if (p->gone) turn_bury_peers(t); /* the next frame may be of the same connection */
}

/* In a crowd: true when the frame was put into the lobby, or refused because it would wait there
 * for too long. What belongs to no link is answered at once. */
static bool body_waits(struct turn *t, struct peer *p, zmq_msg_t *body) {
    struct frame f = {0};
    const int64_t now_ms = t->mono_ms - t->stalled_ms;
    const size_t len = zmq_msg_size(body);
    if (t->life != LIFE_UP || p->withdrawn || p->gone
        || frame_read(&f, zmq_msg_data(body), len, t->setup.router_limits->batch_max) != CODE_OK)
        return false;
    const bool behind = p->line.first != NULL;
    if (f.verb != VERB_SUBMIT) {
        if (!behind || f.verb == VERB_BEAT) return false;
    } else {
        if (!behind && f.link != p->link) return false;
        if (frame_overloads(t, &f) || !lobby_admits(&t->lobby, &p->line, now_ms)) {
            t->stats.frames++;
            frame_refuse_busy(t, p, &f);
            zmq_msg_close(body);
            return true;
        }
    }
    return lobby_put(&t->lobby, &p->line, body, f.count, now_ms);
}

/* What was done so far: a turn is as long whether it takes or refuses. */
static uint64_t turn_work(const struct turn *t) {
    return t->stats.items + t->stats.refused / REFUSALS_PER_ITEM;
}

/* The rest of the turn is the lobby's. */
static void lobby_serve(struct turn *t, uint64_t items_end) {
    const int64_t now_ms = t->mono_ms - t->stalled_ms;
    if (items_end < turn_work(t) + LOBBY_ITEMS_MIN) items_end = turn_work(t) + LOBBY_ITEMS_MIN;
    while (turn_work(t) < items_end && !router_full(t->setup.router)) {
        zmq_msg_t body;
        struct line *line = lobby_take(&t->lobby, &body, now_ms);
        if (line == NULL) return;
        body_take(t, owner_of(line, struct peer, line), &body);
    }
}

bool turn_take_frames(struct turn *t) {
    const bool crowd = !lobby_empty(&t->lobby) || t->mono_ms - t->dry_ms >= CROWD_MS;
    const uint64_t items_end = turn_work(t) + TURN_ITEMS_MAX;
    bool more = true;
    for (int i = 0; i < (crowd ? CROWD_FRAMES_MAX : TURN_FRAMES_MAX); i++) {
        if (turn_work(t) >= items_end || t->lobby.bytes > 2 * LOBBY_BYTES_MAX) break;
        if (router_full(t->setup.router)) return false;
        zmq_msg_t body;
        struct peer *p = router_receive(t->setup.router, &body, t->mono_ms);
        if (p == NULL) {
            t->dry_ms = t->mono_ms;
            more = false;
            break;
        }
        if (!crowd || !body_waits(t, p, &body)) body_take(t, p, &body);
    }
    if (crowd) lobby_serve(t, items_end);
    return more || !lobby_empty(&t->lobby);
}

void turn_take_answers(struct turn *t) {
    for (struct letter *l = post_take_all(&t->answered), *next; l != NULL; l = next) {
        next = l->next;
        struct ask_answer *answer = (struct ask_answer *)(void *)l;
        if (answer->peer == PEER_SHELL && answer->serial == t->opened)
            turn_take_revoked(t, &answer->message);
        const struct peer *p = router_peer(t->setup.router, answer->peer);
        if (p != NULL && p->serial == answer->serial)
            router_say(t->setup.router, answer->peer, SAY_NOW, &answer->message);
        ask_answer_free(answer);
    }
}

bool turn_tell_room(struct turn *t) {
    bool some = false;
    for (uint32_t i = 0; i < TURN_FRAMES_MAX; i++) {
        const struct peer *p = router_roomy(t->setup.router);
        if (p == NULL) break;
        if (t->life != LIFE_UP || !p->known) continue;
        struct event e = turn_event(t, EVENT_ROOM);
        e.peer = p->number;
        turn_step(t, &e);
        some = true;
    }
    return some;
}

static void step_for(struct turn *t, const struct peer *p, const struct message *m) {
    struct event e = turn_event(t, EVENT_MESSAGE);
    e.peer = p->number;
    e.link = p->link;
    e.who = p->who;
    e.message = m;
    turn_step(t, &e);
}

/* A delivery that never left is handed back for the worker: nobody can have seen it. Its credit
 * goes first, or it would get the task again. */
static void deliveries_release(struct turn *t, struct peer *p) {
    const struct message no_credit = {.verb = VERB_CREDIT};
    step_for(t, p, &no_credit);
    for (struct parcel *f = NULL; (f = outbox_next(&p->outbox, f)) != NULL;) {
        struct frame frame = {0};
        enum code code;
        if (f->verb != VERB_TASK) continue;
        if (frame_read(&frame, f->bytes.data, f->bytes.len, UINT16_MAX) != CODE_OK) continue;
        while (message_next(&frame, &t->message, &code)) {
            const uint64_t task = t->message.task.task, epoch = t->message.task.epoch;
            if (code != CODE_OK || task == 0) continue;
            const struct message release = {.verb = VERB_RELEASE,
                                            .report = {.task = task, .epoch = epoch}};
            step_for(t, p, &release);
        }
    }
}

void turn_bury_peers(struct turn *t) {
    for (struct peer *p; (p = router_gone(t->setup.router)) != NULL;) {
        if (p->known) {
            if (p->link != 0 && p->kind == LINK_WORKER) deliveries_release(t, p);
            struct event e = turn_event(t, EVENT_LINK_GONE);
            e.peer = p->number;
            turn_step(t, &e);
        }
        lobby_forget(&t->lobby, &p->line);
        router_forget(t->setup.router, p);
    }
}
