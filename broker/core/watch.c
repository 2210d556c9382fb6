#include "broker/core/watch.h"
#include "broker/core/effect.h"
#include "broker/core/lane.h"
#include "broker/core/park.h"
#include "broker/core/part.h"
#include "broker/core/task.h"
#include "broker/core/worker.h"
#include <stdlib.h>

/* A load with parts begins at one number: it serves those who want that one. */
static const struct event *loaded_of(const struct core *c, uint64_t id,
                                     const struct task_ref *ref) {
    const struct event *e = c->loaded;
    if (!e || e->need.kind != NEED_TASK || e->need.id != id) return NULL;
    return !(ref->want & WANT_PARTS) || e->need.seq == ref->after + 1 ? e : NULL;
}

bool view_whole(const struct core *c, const struct event *e, const struct task *t,
                const struct task_ref *ref) {
    if (loaded_of(c, t->head.id, ref) && c->handling == e) return true;
    if (ref->want & WANT_BODY && !t->body) return false;
    if (ref->want & WANT_RESULT && status_ended((enum status)t->head.status) && !t->result)
        return false;
    if (ref->want & WANT_PARTS && !part_held(t, ref->after)) return false;
    return !(ref->want & (WANT_ATTEMPTS | WANT_LOG));
}

struct need view_need(const struct task_ref *ref) {
    return (struct need){.kind = NEED_TASK, .id = ref->id,
                         .seq = ref->want & WANT_PARTS ? ref->after + 1 : 0};
}

static void view_loaded(struct core *c, struct view *v, const struct event *e, uint32_t want) {
    struct buffer attempts = {0}, logs = {0};
    for (uint32_t i = 0; i < e->record_count; i++) {
        const struct record *r = &e->records[i];
        if (r->kind == RECORD_BODY && want & WANT_BODY && !v->body.id) v->body = r->body;
        else if (r->kind == RECORD_RESULT && want & WANT_RESULT && !v->result.id)
            v->result = r->result;
        else if (r->kind == RECORD_ATTEMPT && want & WANT_ATTEMPTS) {
            attempt_put(&attempts, &r->attempt);
            v->attempt_count++;
        } else if (r->kind == RECORD_LOG && want & WANT_LOG) {
            log_put(&logs, &r->log);
            v->log_count++;
        }
    }
    if (!status_ended((enum status)v->head.status)) v->result = (struct task_result){0};
    v->attempts = note_keep(c, buffer_slice(&attempts));
    v->logs = note_keep(c, buffer_slice(&logs));
    buffer_free(&attempts);
    buffer_free(&logs);
}

void view_say(struct core *c, uint32_t peer, uint64_t number, const struct task *t,
              const struct task_ref *ref) {
    const uint32_t want = ref->want;
    const struct event *loaded = loaded_of(c, t->head.id, ref);
    struct message *m = core_bug(c, BUG_READ_BEFORE_DURABLE)
                            ? say_now(c, peer, VERB_VIEW, number) : say(c, peer, VERB_VIEW, number);
    struct view *v = &m->view;
    *v = (struct view){.number = number, .head = t->head, .queue = t->lane->queue->set.name,
                       .type = t->lane->type, .labels = t->lane->labels,
                       .place = t->head.status == STATUS_QUEUED ? lane_place(c, t) : 0};
    const struct worker *w = t->head.worker ? worker_numbered(c, t->head.worker) : NULL;
    if (w) v->worker = w->record.name;
    if (t->lease) {
        v->progress_text = note_keep(c, buffer_slice(&t->lease->text));
        if (t->lease->until != INT64_MAX) v->lease_until_ms = c->wall + t->lease->until - c->now;
    }
    if (want & WANT_BODY && t->body) v->body = t->body->body;
    if (want & WANT_RESULT && t->result) v->result = t->result->result;
    if (loaded) view_loaded(c, v, loaded, want);
    if (want & WANT_PARTS) part_show(c, v, t, loaded, ref->after);
    if (v->result.id && v->worker.len == 0) v->worker = v->result.worker;
}

void view_say_head(struct core *c, uint32_t peer, uint64_t number, const struct task *t) {
    view_say(c, peer, number, t, &(struct task_ref){.id = t->head.id});
}

bool watch_room(const struct core *c, const struct link *link) {
    const uint32_t quarter = c->limits.parked_max / 4;
    if (link->kind != LINK_GATEWAY && link->waits >= quarter) return false;
    return c->waits < 3 * quarter && c->parked_count < c->limits.parked_max;
}

void watch_count(struct core *c, struct link *link, int more) {
    assert(more > 0 || (c->parked_count > 0 && c->waits > 0 && link->waits > 0));
    c->parked_count += (uint32_t)more;
    c->waits += (uint32_t)more;
    link->waits += (uint32_t)more;
}

static struct watch *watch_new(struct core *c, const struct event *e, struct task *t) {
    if (!watch_room(c, &c->links[e->peer])) return NULL;
    struct watch *w = calloc(1, sizeof *w);
    assert(w != NULL);
    w->link = &c->links[e->peer];
    w->who = e->who;
    w->id = t->head.id;
    w->number = e->message->number;
    w->timer.kind = TIMER_WATCH;
    list_push(&w->link->watches, &w->in_link);
    map_put(&c->watches, &w->by_task, hash_number(w->id));
    t->watched = true;
    watch_count(c, w->link, 1);
    return w;
}

bool watch_put(struct core *c, const struct event *e, struct task *t, uint32_t wait_ms) {
    struct watch *w = watch_new(c, e, t);
    if (!w) return false;
    w->want = e->message->ref.want;
    w->version = e->message->ref.version;
    w->after = e->message->ref.after;
    heap_set(&c->clock, &w->timer, c->now + wait_ms);
    return true;
}

bool watch_outcome_put(struct core *c, const struct event *e, struct task *t) {
    struct watch *w = watch_new(c, e, t);
    if (!w) return false;
    w->outcome = true;
    return true;
}

void watch_drop(struct core *c, struct watch *w) {
    heap_clear(&c->clock, &w->timer);
    list_unlink(&w->in_link);
    map_remove(&c->watches, &w->by_task);
    watch_count(c, w->link, -1);
    free(w);
}

static struct watch *watch_at(struct core *c, struct map_node *n, uint64_t id) {
    (void)c;
    for (; n; n = map_next(n)) {
        struct watch *w = owner_of(n, struct watch, by_task);
        if (w->id == id) return w;
    }
    return NULL;
}

void watch_outcome(struct core *c, struct task *t) {
    struct map_node *n = map_first(&c->watches, hash_number(t->head.id));
    for (struct watch *w; (w = watch_at(c, n, t->head.id));) {
        n = map_next(&w->by_task);
        if (!w->outcome) continue;
        const struct task_result *r = &t->result->result;
        struct message *m = say(c, w->link->peer, VERB_OUTCOME, w->number);
        m->outcome = (struct outcome){
            .task = t->head.id, .status = t->head.status, .reason = t->head.reason,
            .result = note_keep(c, r->result), .message = note_keep(c, r->message),
            .result_file = r->result_file};
        watch_drop(c, w);
    }
}

/* The parts a woken watch wants and memory lacks are read by a GET of its own. */
static void watch_answer(struct core *c, struct watch *w, struct task *t) {
    struct message get = {.verb = VERB_GET, .number = w->number};
    get.ref = (struct task_ref){.id = w->id, .want = w->want, .after = w->after};
    struct event e = {.kind = EVENT_MESSAGE, .peer = w->link->peer, .link = w->link->number,
                      .who = w->who, .message = &get, .mono_ms = c->now + c->stalled,
                      .wall_ms = c->wall};
    watch_drop(c, w);
    if (t && view_whole(c, &e, t, &get.ref)) {
        view_say(c, e.peer, get.number, t, &get.ref);
        return;
    }
    const struct event *handling = c->handling;
    struct parked *resuming = c->resuming;
    c->handling = NULL;
    c->resuming = NULL;
    struct need need = view_need(&get.ref);
    park(c, &e, &need);
    c->handling = handling;
    c->resuming = resuming;
}

void watch_flush(struct core *c) {
    for (struct node *x; (x = list_first(&c->touched));) {
        struct task *t = owner_of(x, struct task, touch);
        list_unlink(x);
        t->touched = false;
        struct map_node *n = map_first(&c->watches, hash_number(t->head.id));
        for (struct watch *w; (w = watch_at(c, n, t->head.id));) {
            n = map_next(&w->by_task);
            if (!w->outcome && t->head.version > w->version) watch_answer(c, w, t);
        }
    }
}

void watch_timer(struct core *c, struct watch *w) { watch_answer(c, w, task_held(c, w->id)); }

bool watch_cancel(struct core *c, struct link *link, uint64_t number) {
    for (struct node *n = link->watches.next; n != &link->watches; n = n->next) {
        struct watch *w = owner_of(n, struct watch, in_link);
        if (w->number != number || w->outcome) continue;
        watch_drop(c, w);
        return true;
    }
    return false;
}
