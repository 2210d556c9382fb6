/* labour.c - a worker that speaks frames itself, written after PROTOCOL.md.
 *
 * It says of every delivery that it began, stores a checkpoint in one of CHECKPOINT_IN, runs for
 * a while, reports, and keeps the report until it is settled. After a lost link it opens a fresh
 * connection and says HELLO with all that it holds. It notes each answer with its code. */
#include "proto/host/clock.h"
#include "proto/message.h"
#include "proto/base/random.h"
#include "tests/crash/load.h"
#include "worker/wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum {
    JOBS_MAX = 1024, CHECKPOINT_IN = 8, GREET_MS = 1000, BEAT_MS = 150, SAY_AGAIN_MS = 2000,
    SILENCE_MS = 3000, FRAMES_MAX = 200
};
enum job_step { JOB_NONE = 0, JOB_RUNNING, JOB_POINTING, JOB_DONE, JOB_RELEASED };

struct job {
    uint64_t task, epoch;
    enum job_step step;
    bool point;             /* stores a checkpoint before it runs */
    uint32_t checkpoint;
    int64_t due_ms;         /* when to act next */
};

struct labour {
    struct load *l;
    void *context;
    struct wire *wire;
    struct random random;
    struct buffer frame;
    uint64_t number, boot;
    uint32_t link;
    int64_t greeted_ms, beat_ms, heard_ms;
    struct job jobs[JOBS_MAX];
};

/* Frames are lost when they do not fit: what is unanswered is said again. */
static void say(struct labour *w, const struct message *m, uint64_t number) {
    struct frame_writer f;
    buffer_clear(&w->frame);
    frame_begin(&f, &w->frame, m->verb, number, m->verb == VERB_HELLO ? 0 : w->link, NULL);
    frame_put(&f, m);
    frame_end(&f);
    history_flush(w->l);
    if (!w->frame.failed) wire_send(w->wire, w->frame.data, w->frame.len);
}

static void wire_renew(struct labour *w, int64_t now) {
    if (w->wire) wire_close(&w->wire, 0);
    const struct wire_options options = {.context = w->context, .endpoint = w->l->endpoint};
    w->wire = wire_open(&options);
    if (!w->wire) exit(2);
    w->link = 0;
    w->greeted_ms = 0;
    w->heard_ms = now;
}

static void greet(struct labour *w, int64_t now) {
    struct buffer queues = {0}, held = {0};
    text_put(&queues, slice_text(w->l->queue));
    struct message m = {.verb = VERB_HELLO};
    m.hello = (struct hello){.version = PROTOCOL_VERSION, .kind = LINK_WORKER, .boot = w->boot,
                             .name = slice_text(w->l->name), .slots = (uint32_t)w->l->slots};
    for (int i = 0; i < JOBS_MAX; i++) {
        const struct job *job = &w->jobs[i];
        if (job->step == JOB_NONE) continue;
        held_put(&held, (struct held){.task = job->task, .epoch = job->epoch,
                                      .checkpoint = job->checkpoint, .started = true});
        m.hello.held_count++;
    }
    m.hello.serves.queues = buffer_slice(&queues);
    m.hello.serves.queue_count = 1;
    m.hello.held = buffer_slice(&held);
    w->link = 0;
    w->greeted_ms = now;
    say(w, &m, ++w->number);
    buffer_free(&queues);
    buffer_free(&held);
}

static struct job *job_find(struct labour *w, uint64_t task, uint64_t epoch) {
    for (int i = 0; i < JOBS_MAX; i++)
        if (w->jobs[i].step != JOB_NONE && w->jobs[i].task == task && w->jobs[i].epoch == epoch)
            return &w->jobs[i];
    return NULL;
}

static void job_say(struct labour *w, struct job *job, int64_t now) {
    char text[160];
    struct message m = {.report = {.task = job->task, .epoch = job->epoch, .percent = -1}};
    const char *what = "done";
    int len = snprintf(text, sizeof text, "%s %llu", w->l->name, (unsigned long long)job->epoch);
    m.report.data = slice_of(text, (size_t)len);
    m.verb = VERB_DONE;
    if (job->step == JOB_POINTING) {
        m.verb = VERB_CHECKPOINT;
        m.report.name = slice_text("half");
        what = "checkpoint";
    } else if (job->step == JOB_RELEASED) {
        m.verb = VERB_RELEASE;
        what = "release";
    }
    history_add(w->l, "invoke %s %llu %llu", what, (unsigned long long)job->task,
                (unsigned long long)job->epoch);
    say(w, &m, ++w->number);
    job->due_ms = now + SAY_AGAIN_MS;
}

/* What a job does once its time has come. */
static void job_act(struct labour *w, struct job *job, int64_t now) {
    if (job->step == JOB_RUNNING) {
        job->step = job->point ? JOB_POINTING : JOB_DONE;
        job->point = false;
    }
    job_say(w, job, now);
}

static int64_t run_until(struct labour *w, int64_t now) {
    uint64_t pace = w->l->board->pace_ms;
    return now + (pace ? (int64_t)random_below(&w->random, 2 * pace) : 0);
}

static void taken(struct labour *w, const struct delivery *d, int64_t now) {
    if (d->task == 0 || job_find(w, d->task, d->epoch)) return;
    struct job *job = NULL;
    for (int i = 0; i < JOBS_MAX && !job; i++)
        if (w->jobs[i].step == JOB_NONE) job = &w->jobs[i];
    if (!job) exit(2); /* slots are fewer than jobs: the broker gave too many */
    *job = (struct job){.task = d->task, .epoch = d->epoch, .step = JOB_RUNNING,
                        .checkpoint = d->checkpoint, .due_ms = run_until(w, now)};
    job->point = random_below(&w->random, CHECKPOINT_IN) == 0;
    history_add(w->l, "run %llu %llu %u %u", (unsigned long long)d->task,
                (unsigned long long)d->epoch, d->attempt, d->checkpoint);
    struct message m = {.verb = VERB_START, .report = {.task = d->task, .epoch = d->epoch,
                                                      .percent = -1}};
    say(w, &m, 0);
}

static void settled(struct labour *w, uint64_t task, uint64_t epoch, int code) {
    struct job *job = job_find(w, task, epoch);
    if (!job || code == CODE_BUSY || code == CODE_UNAVAILABLE) return;
    history_add(w->l, "ok %s %llu %llu %d", job->step == JOB_RELEASED ? "release" : "done",
                (unsigned long long)task, (unsigned long long)epoch, code);
    if (job->step == JOB_DONE && code == CODE_OK) w->l->board->settled[w->l->place]++;
    job->step = JOB_NONE;
}

static void pointed(struct labour *w, const struct checkpoint_ok *c, int64_t now) {
    struct job *job = job_find(w, c->task, c->epoch);
    if (!job || c->code == CODE_BUSY || c->code == CODE_UNAVAILABLE) return;
    history_add(w->l, "ok checkpoint %llu %llu %d %u", (unsigned long long)c->task,
                (unsigned long long)c->epoch, (int)c->code, c->seq);
    if (c->code == CODE_OK) job->checkpoint = c->seq;
    if (job->step != JOB_POINTING) return;
    job->step = JOB_RUNNING;
    job->due_ms = now + (int64_t)random_below(&w->random, w->l->board->pace_ms / 4 + 1);
}

static void welcomed(struct labour *w, const struct welcome *m, int64_t now) {
    w->link = m->link;
    w->beat_ms = now;
    for (uint32_t i = 0; i < m->verdict_count; i++) {
        struct verdict_row row = verdict_at(m->verdicts, i);
        struct job *job = job_find(w, row.task, row.epoch);
        if (!job) continue;
        if (row.verdict == VERDICT_SETTLED) settled(w, row.task, row.epoch, CODE_OK);
        else if (row.verdict == VERDICT_STOP) job->step = JOB_NONE;
        else if (job->step != JOB_RUNNING) job->due_ms = now;
    }
}

static void stopped(struct labour *w, const struct stop *s) {
    struct job *job = job_find(w, s->task, s->epoch);
    if (job) job->step = JOB_NONE;
    struct message m = {.verb = VERB_STOPPED,
                        .report = {.task = s->task, .epoch = s->epoch, .percent = -1}};
    say(w, &m, ++w->number);
}

static void heard(struct labour *w, const struct message *m, int64_t now) {
    switch ((int)m->verb) {
    case VERB_WELCOME: welcomed(w, &m->welcome, now); break;
    case VERB_TASK: taken(w, &m->task, now); break;
    case VERB_SETTLED: settled(w, m->settled.task, m->settled.epoch, (int)m->settled.code); break;
    case VERB_CHECKPOINT_OK: pointed(w, &m->checkpoint_ok, now); break;
    case VERB_STOP: stopped(w, &m->stop); break;
    default: break; /* BEAT; RECALL: all that is delivered has begun */
    }
}

static void listen(struct labour *w, int64_t now) {
    struct slice data;
    for (int i = 0; i < FRAMES_MAX && wire_receive(w->wire, &data); i++) {
        struct frame f;
        struct message m;
        enum code code;
        if (frame_read(&f, data.data, data.len, 4096) != CODE_OK) exit(2);
        w->heard_ms = now;
        /* a RESYNC that comes while HELLO is unanswered is for what was said before it */
        if (f.verb == VERB_RESYNC && w->link) greet(w, now);
        while (message_next(&f, &m, &code))
            if (code == CODE_OK) heard(w, &m, now);
    }
}

static void act(struct labour *w, int64_t now) {
    if (!w->link) {
        if (now - w->greeted_ms >= GREET_MS) greet(w, now);
        return;
    }
    if (now - w->beat_ms >= BEAT_MS) {
        struct message beat = {.verb = VERB_BEAT};
        w->beat_ms = now;
        say(w, &beat, ++w->number);
    }
    for (int i = 0; i < JOBS_MAX && w->link; i++)
        if (w->jobs[i].step != JOB_NONE && w->jobs[i].due_ms <= now) job_act(w, &w->jobs[i], now);
}

int labour(struct load *l) {
    static struct labour w;
    w = (struct labour){.l = l, .random = random_seed(l->seed), .context = zmq_ctx_new()};
    w.boot = (random_next(&w.random) >> 12) + 1;
    wire_renew(&w, clock_mono_ms());
    while (!l->board->end) {
        enum wire_event event = wire_event(w.wire);
        int64_t now = clock_mono_ms();
        if (event == WIRE_DOWN || event == WIRE_REJECTED || now - w.heard_ms > SILENCE_MS)
            wire_renew(&w, now);
        listen(&w, now);
        act(&w, now);
        history_flush(l);
        wire_wait(w.wire, -1, false, 5);
    }
    wire_close(&w.wire, 0);
    zmq_ctx_term(w.context);
    return 0;
}
