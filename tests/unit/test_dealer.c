/* librelais over a real socket: on the other side a ROUTER that speaks the broker's frames, keeps
 * nothing on disk and gives each task to the one worker it knows. */
#include "proto/encode.h"
#include "proto/message.h"
#include "tests/unit/tap.h"
#include "worker/relais.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { SEEN_MS = 60000 }; /* what must come is waited for so long */

struct peer { uint8_t id[8]; size_t len; uint32_t link; };

struct router {
    void *zmq, *socket;
    pthread_t thread;
    char endpoint[64];
    struct peer client, worker;
    struct buffer frame, answers, tasks;
    struct frame_writer answering, delivering;
    uint64_t next_id, epoch;
    uint32_t links;
    _Atomic bool end, mute;     /* mute: SUBMIT and DONE are not answered */
    _Atomic uint32_t hellos, held, submits, dones, doubles, frames, stopped, logs, points, byes;
    _Atomic int stop_reason;    /* != 0: the next LOG is answered by STOP */
    uint64_t last_done;
};

static void peer_send(struct router *r, const struct peer *p, const struct buffer *b) {
    if (p->len == 0) return;
    zmq_send(r->socket, p->id, p->len, ZMQ_SNDMORE);
    zmq_send(r->socket, b->data, b->len, 0);
}

static void say(struct router *r, const struct peer *p, const struct message *m) {
    struct frame_writer w;
    buffer_clear(&r->frame);
    frame_begin(&w, &r->frame, m->verb, m->number, p->link, NULL);
    frame_put(&w, m);
    frame_end(&w);
    peer_send(r, p, &r->frame);
}

static void hello(struct router *r, const struct peer *from, const struct message *m) {
    struct buffer verdicts = {0};
    struct peer *p = m->hello.kind == LINK_WORKER ? &r->worker : &r->client;
    *p = *from;
    p->link = ++r->links;
    if (m->hello.kind == LINK_WORKER) {
        r->hellos++;
        r->held = m->hello.held_count;
    }
    for (uint32_t i = 0; i < m->hello.held_count; i++) {
        struct held h = held_at(&m->hello, i);
        verdict_put(&verdicts, (struct verdict_row){h.task, h.epoch, VERDICT_KEEP});
    }
    struct message w = {.verb = VERB_WELCOME};
    w.welcome = (struct welcome){.link = p->link, .beat_ms = 200, .suspect_ms = 600,
                                 .doubt_ms = 1000, .lost_ms = 1500, .payload_max = 65536,
                                 .batch_max = 256, .frame_max = 4 << 20,
                                 .verdicts = buffer_slice(&verdicts),
                                 .verdict_count = m->hello.held_count};
    say(r, p, &w);
    buffer_free(&verdicts);
}

static void submit(struct router *r, const struct message *m) {
    struct message a = {.verb = VERB_SUBMITTED}, t = {.verb = VERB_TASK};
    r->submits++;
    if (r->mute) return;
    a.submitted = (struct submitted){.number = m->number, .id = ++r->next_id};
    frame_put(&r->answering, &a);
    t.task = (struct delivery){.task = r->next_id, .epoch = ++r->epoch, .attempt = 1, .run = 1,
                               .queue = m->submit.queue, .type = m->submit.type,
                               .payload = m->submit.payload, .extra = m->submit.options.extra};
    frame_put(&r->delivering, &t);
}

static void done_task(struct router *r, const struct message *m) {
    if (m->report.epoch <= r->last_done) r->doubles++;
    r->last_done = m->report.epoch;
    r->dones++;
    if (r->mute) return;
    struct message s = {.verb = VERB_SETTLED};
    s.settled = (struct settled){.task = m->report.task, .epoch = m->report.epoch};
    frame_put(&r->answering, &s);
    struct message o = {.verb = VERB_OUTCOME};
    o.outcome = (struct outcome){.task = m->report.task, .status = STATUS_COMPLETED,
                                 .reason = REASON_DONE, .result = m->report.data};
    frame_put(&r->delivering, &o);
}

static void one(struct router *r, const struct peer *from, const struct message *m) {
    if (m->verb == VERB_HELLO) hello(r, from, m);
    if (m->verb == VERB_BEAT) say(r, from, m);
    if (m->verb == VERB_SUBMIT) submit(r, m);
    if (m->verb == VERB_DONE) done_task(r, m);
    if (m->verb == VERB_STOPPED || m->verb == VERB_RELEASE) {
        struct message s = {.verb = VERB_SETTLED};
        s.settled = (struct settled){.task = m->report.task, .epoch = m->report.epoch};
        r->stopped += m->verb == VERB_STOPPED;
        frame_put(&r->answering, &s);
    }
    if (m->verb == VERB_LOG) r->logs++;
    if (m->verb == VERB_BYE) r->byes++;
    if (m->verb == VERB_CHECKPOINT) {
        r->points++;
        struct message ok = {.verb = VERB_CHECKPOINT_OK};
        ok.checkpoint_ok = (struct checkpoint_ok){
            .task = m->report.task, .epoch = m->report.epoch, .seq = r->points,
            .number = m->number};
        say(r, from, &ok);
    }
    if (m->verb == VERB_LOG && r->stop_reason) {
        struct message stop = {.verb = VERB_STOP};
        stop.stop = (struct stop){m->report.task, m->report.epoch, (uint8_t)r->stop_reason};
        r->stop_reason = 0;
        say(r, from, &stop);
    }
    if (m->verb == VERB_GET) {
        struct message refused = {.verb = VERB_REFUSED};
        refused.refused = (struct busy){.number = m->number, .code = CODE_UNKNOWN_TASK,
                                        .text = slice_text("no such task here")};
        say(r, from, &refused);
    }
}

/* One frame in; the answers to its items leave as one frame each way, as the broker batches. */
static void take(struct router *r, const struct peer *from, const void *data, size_t len) {
    struct frame f;
    struct message m;
    enum code code;
    if (frame_read(&f, data, len, 256) != CODE_OK) return;
    struct peer p = *from;
    p.link = f.link;
    r->frames++;
    enum verb answer = f.verb == VERB_SUBMIT ? VERB_SUBMITTED : VERB_SETTLED;
    enum verb other = f.verb == VERB_SUBMIT ? VERB_TASK : VERB_OUTCOME;
    buffer_clear(&r->answers);
    buffer_clear(&r->tasks);
    frame_begin(&r->answering, &r->answers, answer, 0, f.link, NULL);
    frame_begin(&r->delivering, &r->tasks, other, 0, 0, NULL);
    while (message_next(&f, &m, &code)) {
        if (code == CODE_OK) one(r, &p, &m);
    }
    frame_end(&r->answering);
    frame_end(&r->delivering);
    if (r->answering.count) peer_send(r, from, &r->answers);
    const struct peer *to = f.verb == VERB_SUBMIT ? &r->worker : &r->client;
    if (r->delivering.count) peer_send(r, to, &r->tasks);
}

static void *route(void *arg) {
    struct router *r = arg;
    while (!r->end) {
        struct peer from = {.link = 0};
        zmq_msg_t body;
        int len = zmq_recv(r->socket, from.id, sizeof from.id, 0);
        if (len <= 0) continue;
        from.len = (size_t)len;
        zmq_msg_init(&body);
        zmq_msg_recv(&body, r->socket, 0);
        take(r, &from, zmq_msg_data(&body), zmq_msg_size(&body));
        zmq_msg_close(&body);
    }
    return NULL;
}

static void router_open(struct router *r) {
    int patience = 50, linger = 0, many = 100000; /* a full queue would drop */
    size_t size = sizeof r->endpoint;
    r->zmq = zmq_ctx_new();
    r->socket = zmq_socket(r->zmq, ZMQ_ROUTER);
    zmq_setsockopt(r->socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(r->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(r->socket, ZMQ_SNDHWM, &many, sizeof many);
    int bound = -1;
    for (int i = 0; bound != 0 && i < SEEN_MS / 10; i++) {
        bound = zmq_bind(r->socket, *r->endpoint ? r->endpoint : "tcp://127.0.0.1:*");
        if (bound != 0) usleep(10000); /* the old socket's port is free in a moment */
    }
    if (bound != 0) abort();
    zmq_getsockopt(r->socket, ZMQ_LAST_ENDPOINT, r->endpoint, &size);
    r->end = false;
    r->client.len = r->worker.len = 0;
    pthread_create(&r->thread, NULL, route, r);
}

static void router_close(struct router *r) {
    r->end = true;
    pthread_join(r->thread, NULL);
    zmq_close(r->socket);
    zmq_ctx_term(r->zmq);
}

static void router_free(struct router *r) {
    router_close(r);
    buffer_free(&r->frame);
    buffer_free(&r->answers);
    buffer_free(&r->tasks);
}

/* ---- facts ---- */

struct outcomes { uint32_t ended, acknowledged, wrong; };

static void on_submitted(void *context, int code, uint64_t id) {
    struct outcomes *o = context;
    o->acknowledged++;
    o->wrong += code != 0 || id == 0;
}
static void on_outcome(void *context, const struct relais_outcome *outcome) {
    struct outcomes *o = context;
    o->ended++;
    o->wrong += outcome->status != RELAIS_COMPLETED || outcome->result_len != 5 ||
                memcmp(outcome->result, "hello", 5) != 0;
}
static int echo(struct relais_worker *w, struct relais_task *task, void *context) {
    (void)context;
    return relais_done(w, task, task->payload, task->payload_len);
}
static void *run(void *worker) { return (void *)(intptr_t)relais_run(worker); }

static struct relais_worker *worker_new(const struct router *r, uint32_t slots, bool implied) {
    struct relais_worker *w = NULL;
    struct relais_worker_options o = {.link = {.endpoint = r->endpoint, .timeout_ms = SEEN_MS},
                                      .slots = slots, .implied_start = implied};
    is_int(relais_worker_new(&w, &o), RELAIS_OK, "a worker is made");
    return w;
}

static struct relais_client *client_open(const struct router *r, uint32_t batch_max) {
    struct relais_client *c = NULL;
    struct relais_client_options o = {
        .link = {.endpoint = r->endpoint, .timeout_ms = SEEN_MS, .batch_max = batch_max}};
    is_int(relais_client_open(&c, &o), RELAIS_OK, "a client opens");
    is_int(relais_client_connected(c, SEEN_MS), RELAIS_OK, "and is linked");
    return c;
}

static void wait_linked(struct relais_worker *w) {
    struct relais_worker_state state;
    for (int i = 0; i < SEEN_MS / 10; i++) {
        relais_worker_state(w, &state);
        if (state.linked) return;
        usleep(10000);
    }
}

static void handlers_run_tasks_and_outcomes_come_back(void) {
    static struct router r;
    struct outcomes o = {0};
    struct relais_submit task = {.type = "echo", .payload = "hello", .payload_len = 5,
                                 .watch = true};
    struct relais_submitted many[100];
    struct relais_submit tasks[100];
    pthread_t thread;
    void *result;
    router_open(&r);
    struct relais_worker *w = worker_new(&r, 3, false);
    relais_handle(w, "echo", echo, NULL);
    is_int(relais_handle(w, "echo", echo, NULL), RELAIS_ARGUMENT, "a type has one handler");
    pthread_create(&thread, NULL, run, w);
    wait_linked(w);
    struct relais_client *c = client_open(&r, 0);
    relais_on_outcome(c, on_outcome, &o);
    uint64_t id = 0;
    is_int(relais_submit(c, &task, &id), RELAIS_OK, "a task is submitted");
    ok(id == 1, "and gets its id");
    for (int i = 0; i < 100; i++) tasks[i] = task;
    is_int(relais_submit_batch(c, tasks, 100, many), RELAIS_OK, "a hundred at once");
    ok(many[0].id == 2 && many[99].id == 101, "get their ids in order");
    for (int i = 0; i < 50; i++) relais_submit_async(c, &task, on_submitted, &o);
    for (int i = 0; i < SEEN_MS / 100 && o.ended < 151; i++) relais_poll(c, 100);
    is_int(o.ended, 151, "every outcome is reported");
    is_int(o.acknowledged, 50, "every asynchronous submit is answered");
    is_int(o.wrong, 0, "rightly");
    struct relais_view *view = NULL;
    char why[64];
    is_int(relais_get(c, 77, 0, &view), RELAIS_UNKNOWN_TASK, "a refusal is returned as its code");
    relais_client_detail(c, why, sizeof why);
    is_text(why, "no such task here", "and its sentence can be asked for");
    relais_drain(w);
    pthread_join(thread, &result);
    is_int((intptr_t)result, 0, "drain ends relais_run");
    relais_worker_destroy(&w);
    ok(!w, "destroy clears the pointer");
    relais_client_close(&c);
    for (int i = 0; i < SEEN_MS / 10 && r.byes < 2; i++) usleep(10000);
    is_int(r.byes, 2, "both say BYE");
    router_free(&r);
}

static void a_result_outlives_the_broker(void) {
    static struct router r;
    struct relais_task *task = NULL, *other = NULL;
    struct relais_worker_state state;
    struct relais_submit submitted = {.payload = "x", .payload_len = 1};
    router_open(&r);
    struct relais_worker *w = worker_new(&r, 2, true);
    relais_next(w, 0, &task);
    wait_linked(w);
    struct relais_client *c = client_open(&r, 0);
    relais_submit(c, &submitted, NULL);
    relais_submit(c, &submitted, NULL);
    is_int(relais_next(w, 2000, &task), RELAIS_OK, "a task comes");
    is_int(relais_next(w, 2000, &other), RELAIS_OK, "and another");
    r.mute = true;
    relais_done(w, task, "r", 1);
    for (int i = 0; i < SEEN_MS / 10 && r.dones < 1; i++) usleep(10000);
    router_close(&r);
    r.last_done = 0;
    r.mute = false;
    router_open(&r);
    for (int i = 0; i < SEEN_MS / 10; i++) {
        relais_worker_state(w, &state);
        if (state.unsettled == 0) break;
        usleep(10000);
    }
    is_int(state.unsettled, 0, "the result is settled by the broker that came after");
    is_int(r.dones, 2, "for it was said again");
    is_int(r.held, 2, "and both tasks were offered in HELLO");
    relais_done(w, other, "r", 1);
    is_int(relais_submit(c, &submitted, NULL), RELAIS_OK, "the client is back too");
    relais_worker_destroy(&w);
    relais_client_close(&c);
    router_free(&r);
}

struct codes { int keyed, plain, answered; };

static void on_keyed(void *context, int code, uint64_t id) {
    struct codes *codes = context;
    codes->keyed = code;
    codes->answered += id != 0;
}
static void on_plain(void *context, int code, uint64_t id) {
    struct codes *codes = context;
    codes->plain = code;
    codes->answered += id != 0;
}

static void a_submit_with_a_key_outlives_the_broker(void) {
    static struct router r;
    struct codes codes = {99, 99, 0};
    struct relais_submit plain = {.payload = "x", .payload_len = 1}, keyed = plain;
    keyed.key = "once";
    router_open(&r);
    struct relais_client *c = client_open(&r, 1);
    r.mute = true;
    relais_submit_async(c, &keyed, on_keyed, &codes);
    relais_submit_async(c, &plain, on_plain, &codes);
    for (int i = 0; i < SEEN_MS / 10 && r.submits < 2; i++) usleep(10000);
    router_close(&r);
    r.mute = false;
    router_open(&r);
    for (int i = 0; i < SEEN_MS / 100 && (codes.keyed == 99 || codes.plain == 99); i++)
        relais_poll(c, 100);
    is_int(codes.keyed, RELAIS_OK, "it is said again to the next broker");
    is_int(codes.plain, RELAIS_UNCERTAIN, "without a key nobody knows, and that is the answer");
    is_int(codes.answered, 1, "so the next broker made one task");
    is_int((int64_t)relais_inflight(c), 0, "nothing is under way any more");
    relais_client_close(&c);
    router_free(&r);
}

static void stop_checkpoint_log_and_fd(void) {
    static struct router r;
    struct relais_task *task = NULL;
    struct relais_submit submitted = {.payload = "x", .payload_len = 1};
    router_open(&r);
    struct relais_worker *w = worker_new(&r, 1, false);
    zmq_pollitem_t item = {.fd = relais_worker_fd(w), .events = ZMQ_POLLIN};
    wait_linked(w);
    while (relais_next(w, 50, &task) != RELAIS_TIMEOUT) {}
    struct relais_client *c = client_open(&r, 0);
    relais_submit(c, &submitted, NULL);
    is_int(zmq_poll(&item, 1, SEEN_MS), 1, "the descriptor tells of a task");
    is_int(relais_next(w, SEEN_MS, &task), RELAIS_OK, "which then is there");
    uint32_t seq = 0;
    is_int(relais_checkpoint(w, task, "n", "data", 4, SEEN_MS, &seq), RELAIS_OK,
           "a checkpoint is kept");
    is_int(seq, 1, "as the first");
    r.stop_reason = REASON_CANCELLED; /* only now: a STOP would end the wait for the checkpoint */
    relais_log(w, task, 1, "a line");
    is_int(relais_progress(w, task, 101, NULL), RELAIS_ARGUMENT, "101 percent is no progress");
    for (int i = 0; i < SEEN_MS / 10 && !relais_cancelled(w, task); i++) usleep(10000);
    is_int(relais_cancelled(w, task), RELAIS_REASON_CANCELLED, "STOP is seen by the work");
    relais_done(w, task, "ignored", 7);
    for (int i = 0; i < SEEN_MS / 10 && !r.stopped; i++) usleep(10000);
    ok(r.stopped == 1 && r.dones == 0, "and its end is said as STOPPED");
    is_int(r.logs, 1, "the log line arrived");
    relais_drain(w);
    is_int(relais_next(w, SEEN_MS, &task), RELAIS_CLOSED, "after drain no task comes");
    relais_client_close(&c);
    relais_worker_destroy(&w);
    router_free(&r);
}

static void nobody_listens(void) {
    struct relais_client *c = NULL;
    struct relais_worker *w = NULL;
    struct relais_task *task;
    struct relais_client_options o = {.link = {.endpoint = "tcp://127.0.0.1:1", .timeout_ms = 200}};
    struct relais_submit task_to = {.payload = "x", .payload_len = 1};
    is_int(relais_client_open(&c, &o), RELAIS_OK, "a client opens without a broker");
    is_int(relais_submit(c, &task_to, NULL), RELAIS_TIMEOUT, "its calls end by their time-out");
    relais_client_close(&c);
    struct relais_worker_options wo = {.link = o.link};
    is_int(relais_worker_new(&w, &wo), RELAIS_OK, "so does a worker");
    is_int(relais_next(w, 100, &task), RELAIS_TIMEOUT, "and waits in vain");
    relais_worker_destroy(&w);
    o.link.server_key = "short";
    is_int(relais_client_open(&c, &o), RELAIS_ARGUMENT, "a key of the wrong length is refused");
    task_to.at_ms = task_to.delay_ms = 65;
    o.link.server_key = NULL;
    relais_client_open(&c, &o);
    is_int(relais_submit(c, &task_to, NULL), RELAIS_ARGUMENT, "so are a time and a delay at once");
    relais_client_close(&c);
}

/* ---- how fast: printed, not judged but for a floor that any machine passes ---- */

struct puller { struct relais_worker *w; uint32_t count; };

static void *pull(void *arg) {
    struct puller *p = arg;
    struct relais_task *tasks[64];
    size_t count;
    for (uint32_t done = 0; done < p->count; done += (uint32_t)count) {
        if (relais_next_batch(p->w, 5000, tasks, 64, &count) != RELAIS_OK) break;
        for (size_t i = 0; i < count; i++) relais_done(p->w, tasks[i], "hello", 5);
    }
    return NULL;
}

static void rate(uint32_t batch_max, uint32_t count) {
    static struct router r;
    struct outcomes o = {0};
    struct relais_submit task = {.payload = "hello", .payload_len = 5, .watch = true};
    struct timespec begin, end;
    pthread_t thread;
    memset(&r, 0, sizeof r);
    router_open(&r);
    struct relais_worker_options wo = {
        .link = {.endpoint = r.endpoint, .batch_max = batch_max}, .slots = 1000,
        .prefetch = 1000, .implied_start = true};
    struct relais_worker *w = NULL;
    struct relais_task *none;
    relais_worker_new(&w, &wo);
    relais_next(w, 0, &none);
    wait_linked(w);
    struct relais_client *c = client_open(&r, batch_max);
    struct puller p = {w, count};
    relais_on_outcome(c, on_outcome, &o);
    pthread_create(&thread, NULL, pull, &p);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (uint32_t sent = 0; o.ended < count;) {
        while (sent < count && sent - o.ended < 1000) {
            relais_submit_async(c, &task, on_submitted, &o);
            sent++;
        }
        if (relais_poll(c, SEEN_MS) == 0) break;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    pthread_join(thread, NULL);
    double seconds = (double)(end.tv_sec - begin.tv_sec);
    seconds += (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    is_int(o.ended, count, "all tasks end");
    note("batches of up to %u: %.0f tasks/s through one client, one worker, 1000 in flight",
         batch_max, count / seconds);
    relais_client_close(&c);
    relais_worker_destroy(&w);
    router_free(&r);
}

int main(int argc, char **argv) {
    uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 20000;
    handlers_run_tasks_and_outcomes_come_back();
    a_result_outlives_the_broker();
    a_submit_with_a_key_outlives_the_broker();
    stop_checkpoint_log_and_fd();
    nobody_listens();
    rate(1, count);
    rate(256, count);
    return done();
}
