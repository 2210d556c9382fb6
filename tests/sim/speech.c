/* speech.c - packets as messages. */
#include "tests/sim/sim.h"
#include <assert.h>

static const char *const queue_names[SIM_QUEUES] = {"mail", "video"};
static const char *const type_names[SIM_TYPES] = {"", "big"};

static struct serves serves(const struct actor *a) {
    return (struct serves){.queues = buffer_slice(&a->queues), .types = buffer_slice(&a->types),
                           .queue_count = (uint16_t)__builtin_popcount(a->queue_mask),
                           .type_count = a->type_count};
}

static void hello(struct sim *s, const struct packet *p, struct hello *h) {
    const struct actor *a = &s->actors[p->actor];
    *h = (struct hello){.version = PROTOCOL_VERSION, .name = slice_text(a->name),
                        .kind = a->kind == CLIENT ? LINK_CLIENT
                                : a->kind == WORKER ? LINK_WORKER : LINK_GATEWAY};
    if (a->kind != WORKER) return;
    h->boot = p->value;
    h->slots = a->slots;
    h->prefetch = a->prefetch;
    h->implied = a->implied;
    h->serves = serves(a);
    buffer_clear(&s->held);
    for (uint32_t i = 0; i < p->held_count; i++)
        held_put(&s->held, (struct held){.task = p->held[i].task, .epoch = p->held[i].epoch,
                                         .started = p->held[i].verdict != 0});
    h->held = buffer_slice(&s->held);
    h->held_count = p->held_count;
}

static void submit(struct sim *s, const struct packet *p, struct submit *m) {
    const struct op *op = op_at(s, p->op);
    memcpy(s->body, &op->body, 8);
    *m = (struct submit){.queue = slice_text(queue_names[op->queue]),
                         .type = slice_text(type_names[op->type]),
                         .payload = slice_of(s->body, sizeof s->body)};
    struct options *o = &m->options;
    o->set = SET_PRIORITY | SET_RETRIES | SET_BACKOFF | SET_TIMEOUT;
    o->priority = op->priority;
    o->retries = 2;
    o->backoff_ms = 200;
    o->timeout_ms = p->value;
    if (op->kept || op->none) {
        o->set |= SET_KEEP;
        o->keep_ms = op->kept ? INT64_C(1) << 40 : KEEP_NONE;
    }
    if (op->delayed) {
        o->set |= SET_DUE;
        o->due_ms = op->due_wall_ms;
    }
    o->accepted = op->accepted;
    o->watch = p->flag;
    if (op->keyed) {
        for (int i = 0; i < 16; i++) s->key[i] = (uint8_t)('a' + (op->key >> 4 * i & 15));
        o->key = slice_of(s->key, 16);
    }
}

static void report(struct sim *s, const struct packet *p, struct report *r) {
    *r = (struct report){.task = p->task, .epoch = p->epoch, .seq = p->seq, .reason = p->reason,
                         .percent = (int8_t)p->percent, .retryable = !p->flag};
    if (p->verb == VERB_CHECKPOINT || p->verb == VERB_DONE) {
        memcpy(s->data, &p->tag, 4);
        r->data = slice_of(s->data, sizeof s->data);
    }
    if (p->verb == VERB_FAIL) r->text = slice_text("no");
    if (p->verb == VERB_PROGRESS) r->text = slice_text("on its way");
    if (p->verb == VERB_LOG) {
        r->text = slice_text("a line");
        r->level = p->flag ? LOG_PART : 0;
    }
}

static void reference(const struct packet *p, struct task_ref *r) {
    *r = (struct task_ref){.id = p->task, .want = p->value, .version = p->version,
                           .wait_ms = p->wait_ms, .after = p->tag};
    if (p->verb == VERB_RETRY && p->resume) {
        r->options.set |= SET_RESUME;
        r->options.resume = (uint32_t)p->resume;
    }
    if (p->verb == VERB_UPDATE && p->flag) {
        r->options.set |= SET_DUE;
        r->options.delay = true;
        r->options.due_ms = p->delay_ms;
    } else if (p->verb == VERB_UPDATE) {
        r->options.set |= SET_PRIORITY;
        r->options.priority = p->priority;
    }
}

static void claim(struct sim *s, const struct packet *p, struct claim *m) {
    const struct actor *a = &s->actors[p->actor];
    *m = (struct claim){.worker = slice_text(a->name), .boot = p->value, .limit = p->priority,
                        .wait_ms = p->wait_ms, .again = p->flag, .held_max = a->slots,
                        .lease_ms = 20000};
    m->serves = serves(a);
}

void speech(struct sim *s, const struct packet *p, struct message *m) {
    m->verb = p->verb;
    m->number = p->number;
    switch ((int)p->verb) {
    case VERB_HELLO: hello(s, p, &m->hello); return;
    case VERB_SUBMIT: submit(s, p, &m->submit); return;
    case VERB_CREDIT: m->credit = (struct credit){p->value, p->seq}; return;
    case VERB_GET: case VERB_WATCH: case VERB_CANCEL: case VERB_RETRY: case VERB_UPDATE:
    case VERB_REMOVE: case VERB_EXPLAIN:
        reference(p, &m->ref);
        return;
    case VERB_START: case VERB_PROGRESS: case VERB_CHECKPOINT: case VERB_DONE: case VERB_FAIL:
    case VERB_RELEASE: case VERB_STOPPED: case VERB_LOG:
        report(s, p, &m->report);
        return;
    case VERB_CLAIM: claim(s, p, &m->claim); return;
    case VERB_PUT: case VERB_FETCH: case VERB_DROP: object_speech(s, p, &m->object); return;
    case VERB_FEED: feed_speech(p, &m->feed); return;
    case VERB_UNWATCH: m->unwatch.number = p->task; return;
    case VERB_QUEUE:
        m->queue = (struct queue_set){.queue = slice_text(queue_names[p->seq % SIM_QUEUES]),
                                      .set = (uint8_t)p->set, .paused = p->flag,
                                      .running_max = p->value, .rate_per_min = p->version};
        return;
    default: return;
    }
}
