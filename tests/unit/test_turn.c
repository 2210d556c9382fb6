/* The broker shell on a real store and real sockets: what waits, what is refused, what survives. */
#include "broker/broker.h"
#include "broker/outbox.h"
#include "broker/router.h"
#include "proto/decode.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zmq.h>

enum { ANSWER_MS = 60000, QUIET_MS = 200, LOG_FD = 99, LARGE_BATCH = 40,
       FLOOD_FRAMES = 400, FLOOD_BATCH = 256 };

/* ---- a broker in a thread, and a client that speaks frames ---- */

struct rig {
    struct config config;
    struct broker *broker;
    pthread_t thread;
    void *context, *socket; /* the client's */
    zmq_msg_t body;
    struct frame frame;
    struct message message; /* the newest received */
    uint32_t link;
    bool open;              /* body is filled */
    uint32_t wait_ms_max;   /* submit_wait_ms_max; 0 = as it is */
};

static void *broker_main(void *context) {
    broker_run(context);
    return NULL;
}

static bool config_take(struct config *config, const char *data) {
    char why[CONFIG_WHY_MAX], folder[64], *argv[] = {"broker", folder, "--listen=tcp://127.0.0.1:0",
                                                    "--links-max=64", NULL};
    int argc = 4;
    snprintf(folder, sizeof folder, "--data=%s", data);
    return config_load(config, SECTION_BASE | SECTION_BROKER, &argc, argv, why);
}

static bool rig_start(struct rig *r, const char *data) {
    char why[512];
    if (!config_take(&r->config, data)) return false;
    if (r->wait_ms_max != 0) r->config.submit_wait_ms_max = r->wait_ms_max;
    const struct broker_setup setup = {.config = &r->config, .stop_fd = -1};
    r->broker = broker_open(&setup, why, sizeof why);
    if (r->broker == NULL) {
        note("%s", why);
        return false;
    }
    pthread_create(&r->thread, NULL, broker_main, r->broker);
    r->context = zmq_ctx_new();
    return true;
}

static void rig_connect(struct rig *r) {
    const int none = 0;
    if (r->socket != NULL) zmq_close(r->socket);
    r->socket = zmq_socket(r->context, ZMQ_DEALER);
    zmq_setsockopt(r->socket, ZMQ_LINGER, &none, sizeof none);
    zmq_connect(r->socket, broker_native(r->broker));
    r->link = 0;
}

static void rig_stop(struct rig *r) {
    if (r->open) zmq_msg_close(&r->body);
    frame_free(&r->frame);
    if (r->socket != NULL) zmq_close(r->socket);
    zmq_ctx_term(r->context);
    broker_stop(r->broker);
    pthread_join(r->thread, NULL);
    broker_close(&r->broker);
    config_free(&r->config);
    *r = (struct rig){0};
}

static void send_as(struct rig *r, uint64_t request, const struct message *m, uint32_t count,
                    const struct who *who) {
    struct buffer b = {0};
    struct frame_writer w;
    frame_begin(&w, &b, m->verb, request, r->link, who);
    for (uint32_t i = 0; i < count; i++) frame_put(&w, m);
    frame_end(&w);
    zmq_send(r->socket, b.data, b.len, 0);
    buffer_free(&b);
}

static void send_one(struct rig *r, uint64_t request, const struct message *m) {
    send_as(r, request, m, 1, NULL);
}

/* The next item from the broker; its verb, or VERB_NONE when none comes in time. */
static enum verb receive(struct rig *r, int wait_ms) {
    enum code code;
    for (;;) {
        if (r->open && message_next(&r->frame, &r->message, &code)) return r->message.verb;
        if (r->open) zmq_msg_close(&r->body);
        r->open = false;
        zmq_pollitem_t item = {.socket = r->socket, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, wait_ms) <= 0) return VERB_NONE;
        zmq_msg_init(&r->body);
        zmq_msg_recv(&r->body, r->socket, 0);
        r->frame = (struct frame){0};
        r->open = frame_read(&r->frame, zmq_msg_data(&r->body), zmq_msg_size(&r->body), 65535)
            == CODE_OK;
        if (!r->open) zmq_msg_close(&r->body);
    }
}

/* Skips beats; the wanted verb or none. */
static bool await(struct rig *r, enum verb verb) {
    for (;;) {
        const enum verb got = receive(r, ANSWER_MS);
        if (got == verb) return true;
        if (got == VERB_NONE) return false;
    }
}

static bool hello(struct rig *r, uint8_t kind, const char *name) {
    const struct message m = {.verb = VERB_HELLO,
                              .hello = {.version = PROTOCOL_VERSION, .kind = kind, .boot = 7,
                                        .name = slice_text(name), .slots = 1}};
    send_one(r, 1, &m);
    if (!await(r, VERB_WELCOME)) return false;
    r->link = r->message.welcome.link;
    return r->link != 0;
}

static uint64_t submit(struct rig *r, uint64_t request, const char *payload) {
    const struct message m = {.verb = VERB_SUBMIT,
                              .submit = {.queue = slice_text("q"), .type = slice_text("t"),
                                         .payload = slice_text(payload)}};
    send_one(r, request, &m);
    if (!await(r, VERB_SUBMITTED) || r->message.submitted.number != request) return 0;
    return r->message.submitted.id;
}

static enum code refusal(struct rig *r, uint64_t *number) {
    if (!await(r, VERB_REFUSED)) return CODE_OK;
    *number = r->message.refused.number;
    return r->message.refused.code;
}

static void send_bytes(struct rig *r, const void *data, size_t len) {
    zmq_send(r->socket, data, len, 0);
}

/* ---- facts ---- */

static void what_was_acknowledged_survives_a_restart(const char *data) {
    struct rig r = {0};
    if (!ok(rig_start(&r, data), "a broker starts on an empty folder")) return;
    rig_connect(&r);
    ok(hello(&r, LINK_CLIENT, "c"), "a client gets WELCOME");
    is_int(r.message.welcome.batch_max, 256, "which names the batch limit");
    const uint64_t id = submit(&r, 5, "kept");
    ok(id > 0, "a task is acknowledged");
    rig_stop(&r);
    if (!ok(rig_start(&r, data), "a broker starts on the same folder")) return;
    rig_connect(&r);
    const struct message early = {.verb = VERB_GET, .ref = {.id = id}};
    send_one(&r, 2, &early);
    ok(await(&r, VERB_RESYNC), "a frame before HELLO is answered with RESYNC");
    hello(&r, LINK_CLIENT, "c");
    const struct message get = {.verb = VERB_GET, .ref = {.id = id, .want = WANT_BODY}};
    send_one(&r, 9, &get);
    ok(await(&r, VERB_VIEW) && r.message.view.number == 9, "the task can be read");
    ok(slice_equal(r.message.view.body.payload, slice_text("kept")), "with its payload");
    ok(submit(&r, 10, "next") > id, "numbers go on where they were");
    rig_stop(&r);
}

/* More records than the core hands over at once. */
static void a_group_of_many_tasks_survives_as_a_whole(const char *data) {
    enum { MANY = 256 };
    struct rig r = {0};
    uint64_t ids[MANY] = {0};
    uint32_t count = 0, read = 0;
    const struct message m = {.verb = VERB_SUBMIT,
                              .submit = {.queue = slice_text("many"), .type = slice_text("t"),
                                         .payload = slice_text("of many")}};
    rig_start(&r, data);
    rig_connect(&r);
    hello(&r, LINK_CLIENT, "c");
    send_as(&r, 100, &m, MANY, NULL);
    for (; count < MANY && await(&r, VERB_SUBMITTED); count++) ids[count] = r.message.submitted.id;
    is_int(count, MANY, "256 tasks of one frame are acknowledged");
    rig_stop(&r);
    rig_start(&r, data);
    rig_connect(&r);
    hello(&r, LINK_CLIENT, "c");
    for (; read < count; read++) {
        const struct message get = {.verb = VERB_GET, .ref = {.id = ids[read], .want = WANT_BODY}};
        send_one(&r, 1000 + read, &get);
        if (!await(&r, VERB_VIEW) ||
            !slice_equal(r.message.view.body.payload, slice_text("of many"))) break;
    }
    is_int(read, MANY, "and each is there after a restart, with its payload");
    rig_stop(&r);
}

static void a_second_broker_on_the_folder_is_refused(const char *data) {
    struct rig first = {0}, second = {0};
    rig_start(&first, data);
    char why[512] = "";
    config_take(&second.config, data);
    const struct broker_setup setup = {.config = &second.config, .stop_fd = -1};
    ok(broker_open(&setup, why, sizeof why) == NULL, "a second broker does not start");
    ok(why[0] != 0, why);
    config_free(&second.config);
    rig_stop(&first);
}

static void bad_frames_are_refused_with_their_number(struct rig *r) {
    uint64_t number = 0;
    send_bytes(r, "", 0);
    is_int(refusal(r, &number), CODE_BAD_FRAME, "an empty frame");
    send_bytes(r, "\xc1\xff\x00", 3);
    is_int(refusal(r, &number), CODE_BAD_FRAME, "bytes that are no msgpack");
    send_bytes(r, "\x94\x06\x2a\x00\x05", 5);
    is_int(refusal(r, &number), CODE_BAD_FRAME, "items that are no array");
    is_int(number, 42, "its number could be read and is named");
    send_bytes(r, "\x94\x63\x2b\x00\x91\x90", 6);
    is_int(refusal(r, &number), CODE_UNKNOWN_VERB, "a verb that there is not");
    is_int(number, 43, "with its number");
    send_bytes(r, "\x94\x41\x07\x00\x91\x90", 6);
    is_int(refusal(r, &number), CODE_UNKNOWN_VERB, "a verb that only brokers say");
    const struct message files = {.verb = VERB_FILE_DROP, .file = {.id = 1}};
    send_one(r, 8, &files);
    is_int(refusal(r, &number), CODE_UNKNOWN_VERB, "a verb of the file endpoint");
    const struct message m = {.verb = VERB_GET, .ref = {.id = 1}};
    send_as(r, 50, &m, 257, NULL);
    is_int(refusal(r, &number), CODE_PAYLOAD_TOO_LARGE, "more items than batch_max");
    const struct who who = {.role = ROLE_ADMIN, .name = "root"};
    send_as(r, 60, &m, 2, &who);
    is_int(refusal(r, &number), CODE_FORBIDDEN, "a principal attached by no gateway");
    is_int(number, 60, "for the first item");
    is_int(refusal(r, &number), CODE_FORBIDDEN, "and for the second");
    is_int(number, 61, "with the number after it");
    zmq_send(r->socket, "\x94", 1, ZMQ_SNDMORE);
    send_bytes(r, "\x06", 1);
    is_int(refusal(r, &number), CODE_BAD_FRAME, "a frame in two parts");
}

static void random_frames_do_no_harm(struct rig *r) {
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        for (size_t k = 0; k < sizeof bytes; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            bytes[k] = (uint8_t)x;
        }
        if (i % 2 == 0) memcpy(bytes, (uint8_t[]){0x94, (uint8_t)(x % 45), 0x00, 0x00, 0x91}, 5);
        send_bytes(r, bytes, 1 + (size_t)(x >> 32) % sizeof bytes);
        while (i % 64 == 0 && receive(r, 0) != VERB_NONE) {}
    }
    while (receive(r, QUIET_MS) != VERB_NONE) {}
    rig_connect(r);
    ok(hello(r, LINK_CLIENT, "c"), "after 20,000 random frames a newcomer gets WELCOME");
    ok(submit(r, 77, "x") > 0, "and can submit");
}

static void lists_see_what_was_acknowledged(struct rig *r) {
    const uint64_t id = submit(r, 100, "listed");
    const struct message m = {.verb = VERB_ASK,
                              .question = {.kind = slice_text("tasks"), .descending = true,
                                           .limit = 1, .priority = -1, .dialect = -1}};
    send_one(r, 101, &m);
    if (!ok(await(r, VERB_ROWS) && r->message.rows.row_count == 1, "one row")) return;
    struct frame f = {0};
    struct message row;
    uint32_t at = 0;
    ok(row_next(&f, r->message.rows.rows, &at, &row) && row.view.head.id == id,
       "the newest task is the one just acknowledged");
    frame_free(&f);
    ok(r->message.rows.next.len > 0, "a cursor leads on");
    const struct message foreign = {.verb = VERB_ASK,
                                    .question = {.kind = slice_text("tasks"), .brand = 2,
                                                 .priority = -1, .dialect = -1}};
    uint64_t number = 0;
    send_one(r, 102, &foreign);
    is_int(refusal(r, &number), CODE_FORBIDDEN, "another brand's list");
    const struct message unknown = {.verb = VERB_ASK, .question = {.kind = slice_text("x")}};
    send_one(r, 103, &unknown);
    is_int(refusal(r, &number), CODE_VALIDATION_ERROR, "a list that there is not");
}

static void files_that_were_not_sealed_cannot_be_named(struct rig *r) {
    uint64_t number = 0;
    const struct message m = {.verb = VERB_SUBMIT,
                              .submit = {.queue = slice_text("q"), .type = slice_text("t"),
                                         .options = {.source_file = 12345}}};
    send_one(r, 110, &m);
    is_int(refusal(r, &number), CODE_NOT_FOUND, "a task on a file that is not there");
    is_int(number, 110, "with its number");
}

/* The journal's disk stops taking bytes: the process may write no file beyond 1 MB. */
static void a_failed_append_takes_the_restart_path_in_place(struct rig *r) {
    struct rlimit old, low;
    static char payload[60000];
    uint64_t acknowledged[64], request = 200;
    uint32_t count = 0;
    memset(payload, 'x', sizeof payload - 1);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 1 << 20;
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, LOG_FD); /* what it says now is expected */
    setrlimit(RLIMIT_FSIZE, &low);
    const struct message m = {.verb = VERB_SUBMIT,
                              .submit = {.queue = slice_text("q"), .type = slice_text("t"),
                                         .payload = slice_text(payload)}};
    const int64_t end_ms = clock_mono_ms() + ANSWER_MS;
    bool unavailable = false;
    while (!unavailable && clock_mono_ms() < end_ms && count < 64) {
        send_one(r, request++, &m);
        const enum verb verb = receive(r, QUIET_MS);
        if (verb == VERB_SUBMITTED) acknowledged[count++] = r->message.submitted.id;
        unavailable = verb == VERB_REFUSED && r->message.refused.code == CODE_UNAVAILABLE;
    }
    ok(unavailable, "while the store is down callers get UNAVAILABLE");
    ok(count > 0 && count < 64, "some were acknowledged before");
    setrlimit(RLIMIT_FSIZE, &old);
    ok(await(r, VERB_RESYNC), "once it is open again every link gets RESYNC");
    dup2(2, LOG_FD);
    close(nowhere);
    ok(hello(r, LINK_CLIENT, "c"), "HELLO is answered by the new incarnation");
    uint32_t lost = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct message get = {.verb = VERB_GET, .ref = {.id = acknowledged[i]}};
        send_one(r, request++, &get);
        lost += !await(r, VERB_VIEW) || r->message.view.code != CODE_OK;
    }
    is_int(lost, 0, "nothing that was acknowledged is lost");
    ok(submit(r, request, "after") > acknowledged[count - 1], "numbers go on");
}

static void delivery_to_a_broken_connection_goes_to_the_next(struct rig *r) {
    struct rig w = {.broker = r->broker, .context = r->context};
    rig_connect(&w);
    struct buffer queues = {0};
    text_put(&queues, slice_text("handover"));
    struct message m = {.verb = VERB_HELLO,
                        .hello = {.version = PROTOCOL_VERSION, .kind = LINK_WORKER, .boot = 1,
                                  .name = slice_text("gone"), .slots = 1,
                                  .serves = {.queues = buffer_slice(&queues), .queue_count = 1}}};
    send_one(&w, 1, &m);
    ok(await(&w, VERB_WELCOME), "a worker is welcome");
    zmq_close(w.socket);
    w.socket = NULL;
    usleep(100000); /* libzmq notices on a thread of its own */
    rig_connect(&w);
    m.hello.boot = 2;
    m.hello.name = slice_text("next");
    send_one(&w, 1, &m);
    ok(await(&w, VERB_WELCOME), "another one too");
    const struct message s = {.verb = VERB_SUBMIT,
                              .submit = {.queue = slice_text("handover"), .type = slice_text("t")}};
    send_one(r, 130, &s);
    ok(await(r, VERB_SUBMITTED), "a task comes");
    ok(await(&w, VERB_TASK), "the living worker has it");
    ok(w.message.task.task == r->message.submitted.id, "and it is that task");
    if (w.open) zmq_msg_close(&w.body);
    frame_free(&w.frame);
    zmq_close(w.socket);
    buffer_free(&queues);
}

/* A number of STATS. */
static uint64_t stat_of(struct rig *r, const char *name) {
    const struct message m = {.verb = VERB_STATS};
    uint32_t pairs;
    send_one(r, 1, &m);
    if (!await(r, VERB_ANSWER)) return 0;
    const struct slice body = r->message.answer.body;
    struct decode d = decode_of(body.data, body.len);
    if (!decode_map(&d, &pairs)) return 0;
    for (uint32_t i = 0; i < pairs; i++) {
        struct slice key;
        uint64_t value;
        if (!decode_slice(&d, &key) || !decode_uint(&d, &value)) return 0;
        if (slice_equal(key, slice_text(name))) return value;
    }
    return 0;
}

static bool submit_large(struct rig *r, uint32_t count, const struct message *m) {
    for (uint32_t taken = 0; taken < count;) { /* the disk may be behind: refused, and said again */
        send_as(r, 1000, m, LARGE_BATCH, NULL);
        for (int i = 0; i < LARGE_BATCH; i++) {
            enum verb verb;
            do verb = receive(r, ANSWER_MS);
            while (verb != VERB_SUBMITTED && verb != VERB_REFUSED && verb != VERB_NONE);
            if (verb == VERB_NONE) return false;
            taken += verb == VERB_SUBMITTED && r->message.submitted.code == CODE_OK;
        }
    }
    return true;
}

static void a_worker_that_reads_late_is_not_dropped_for_what_it_was_given(struct rig *r) {
    enum { COUNT = 400, SIZE = 65536, RCVBUF = 65536, ONE = 1 };
    struct rig w = {.broker = r->broker, .context = r->context};
    struct buffer queues = {0}, payload = {0};
    text_put(&queues, slice_text("large"));
    for (int i = 0; i < SIZE; i++) buffer_byte(&payload, 'x');
    const struct message s = {.verb = VERB_SUBMIT,
                              .submit = {.queue = slice_text("large"), .type = slice_text("t"),
                                         .payload = buffer_slice(&payload)}};
    ok(submit_large(r, COUNT, &s), "many large tasks wait");
    rig_connect(&w);
    const int one = ONE, room = RCVBUF;
    zmq_disconnect(w.socket, broker_native(r->broker));
    zmq_setsockopt(w.socket, ZMQ_RCVHWM, &one, sizeof one);
    zmq_setsockopt(w.socket, ZMQ_RCVBUF, &room, sizeof room);
    zmq_connect(w.socket, broker_native(r->broker));
    const struct message m = {.verb = VERB_HELLO,
                              .hello = {.version = PROTOCOL_VERSION, .kind = LINK_WORKER, .boot = 1,
                                        .name = slice_text("late"), .slots = 2 * COUNT,
                                        .serves = {.queues = buffer_slice(&queues),
                                                   .queue_count = 1}}};
    send_one(&w, 1, &m);
    ok(await(&w, VERB_WELCOME), "a worker for all of them");
    w.link = (uint32_t)w.message.welcome.link;
    const int64_t until = clock_mono_ms() + ANSWER_MS;
    uint64_t waiting;
    while ((waiting = stat_of(r, "outbox_bytes")) < SIZE && clock_mono_ms() < until) usleep(1000);
    ok(waiting > 0 && waiting < r->config.outbox_bytes_max, "what waits is within the bound");
    uint32_t got = 0;
    while (got < COUNT && await(&w, VERB_TASK)) got++;
    is_int(got, COUNT, "it gets every one of them");
    const struct message beat = {.verb = VERB_BEAT};
    send_one(&w, 2, &beat);
    ok(await(&w, VERB_BEAT), "over the link that it had");
    if (w.open) zmq_msg_close(&w.body);
    frame_free(&w.frame);
    zmq_close(w.socket);
    buffer_free(&queues);
    buffer_free(&payload);
}

/* More than can be taken within the time, at once. False when not each item has its answer. */
static bool flood(struct rig *r, uint64_t request, uint64_t *acknowledged, uint64_t *refused) {
    const struct message m = {.verb = VERB_SUBMIT,
                              .submit = {.queue = slice_text("q"), .type = slice_text("t")}};
    for (uint32_t i = 0; i < FLOOD_FRAMES; i++)
        send_as(r, request + i * FLOOD_BATCH, &m, FLOOD_BATCH, NULL);
    uint8_t *answers = calloc(FLOOD_FRAMES, FLOOD_BATCH);
    bool good = answers != NULL;
    for (uint32_t left = FLOOD_FRAMES * FLOOD_BATCH; good && left > 0; left--) {
        const enum verb verb = receive(r, ANSWER_MS);
        const bool busy = verb == VERB_REFUSED && r->message.refused.code == CODE_BUSY
            && r->message.refused.retry_ms > 0;
        const bool taken = verb == VERB_SUBMITTED && r->message.submitted.code == CODE_OK;
        const uint64_t number =
            (verb == VERB_REFUSED ? r->message.refused.number : r->message.submitted.number)
            - request;
        good = (busy || taken) && number < FLOOD_FRAMES * FLOOD_BATCH && answers[number]++ == 0;
        *(busy ? refused : acknowledged) += 1;
    }
    free(answers);
    return good;
}

/* Asks again as long as there is too much to do, as the flood left it. */
static bool taken_in_the_end(struct rig *r, uint64_t request) {
    const struct message m = {.verb = VERB_SUBMIT,
                              .submit = {.queue = slice_text("q"), .type = slice_text("t")}};
    const int64_t until = clock_mono_ms() + ANSWER_MS;
    for (;; request++) {
        send_one(r, request, &m);
        const enum verb verb = receive(r, ANSWER_MS);
        if (verb == VERB_SUBMITTED) return r->message.submitted.number == request;
        if (verb != VERB_REFUSED || r->message.refused.code != CODE_BUSY) return false;
        if (clock_mono_ms() > until) return false;
        usleep(1000 * r->message.refused.retry_ms);
    }
}

static void what_would_wait_too_long_is_refused_and_the_rest_is_taken(const char *data) {
    struct rig r = {.wait_ms_max = 1};
    uint64_t acknowledged = 0, refused = 0;
    bool good = true;
    ok(rig_start(&r, data), "a broker that lets nothing wait");
    rig_connect(&r);
    ok(hello(&r, LINK_CLIENT, "flood"), "and its client");
    const uint64_t before = stat_of(&r, "submitted");
    const int64_t until = clock_mono_ms() + ANSWER_MS;
    for (uint64_t at = 1000; good && refused == 0 && clock_mono_ms() < until; at += 1000000)
        good = flood(&r, at, &acknowledged, &refused);
    ok(good, "each task of a flood is acknowledged, or refused with a time, once");
    ok(acknowledged > 0 && refused > 0, "some are taken, others refused");
    is_int(stat_of(&r, "submitted") - before, acknowledged, "what is refused was not taken");
    ok(taken_in_the_end(&r, 10), "when the flood is over tasks are taken again");
    rig_stop(&r);
}

/* ---- the outbox alone ---- */

static const char *order_of(struct outbox *o) {
    static char text[256];
    size_t len = 0;
    text[0] = 0;
    for (struct parcel *p = NULL; (p = outbox_next(o, p)) != NULL;)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s*%u ", verb_name(p->verb),
                                p->writer.count);
    return text;
}

static void put(struct outbox *o, struct parcel_pool *pool, enum verb verb) {
    const struct message m = {.verb = verb};
    outbox_put(o, &o->filling, pool, 1, &m);
}

static void frames_are_shared_but_nothing_overtakes_a_stop(void) {
    struct parcel_pool pool;
    struct outbox o = {0};
    pool_open(&pool, 3);
    const enum verb verbs[] = {VERB_SETTLED, VERB_OUTCOME, VERB_SETTLED, VERB_STOP, VERB_STOP,
                               VERB_SETTLED, VERB_STOP, VERB_SUBMITTED, VERB_SUBMITTED,
                               VERB_SUBMITTED, VERB_SUBMITTED};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) put(&o, &pool, verbs[i]);
    is_text(order_of(&o), "SETTLED*2 OUTCOME*1 STOP*2 SETTLED*1 STOP*1 SUBMITTED*3 SUBMITTED*1 ",
            "one frame per verb, STOP keeps its place, batch_max seals");
    ok(o.bytes > 0 && pool.waiting == o.bytes, "bytes are counted");
    outbox_free(&o, &pool);
    is_int(pool.waiting, 0, "and given back");
    put(&o, &pool, VERB_SETTLED);
    outbox_close(&o);
    put(&o, &pool, VERB_SETTLED);
    outbox_release(&o, &o.flying);
    ok(outbox_first(&o) != NULL && outbox_first(&o)->next == NULL,
       "only the group that is durable leaves");
    outbox_free(&o, &pool);
    pool_free(&pool);
}

static void endpoints_beyond_loopback_get_curve(void) {
    is_int(endpoint_kind_of("tcp://127.0.0.1:5555", false), ENDPOINT_LOCAL, "127.0.0.1");
    is_int(endpoint_kind_of("tcp://[::1]:5555", false), ENDPOINT_LOCAL, "::1");
    is_int(endpoint_kind_of("tcp://localhost:5555", false), ENDPOINT_LOCAL, "localhost");
    is_int(endpoint_kind_of("tcp://127.0.0.1:5555", true), ENDPOINT_CURVE, "curve always");
    is_int(endpoint_kind_of("tcp://*:5555", false), ENDPOINT_CURVE, "every address");
    is_int(endpoint_kind_of("tcp://0.0.0.0:5555", false), ENDPOINT_CURVE, "0.0.0.0");
    is_int(endpoint_kind_of("tcp://10.1.2.3:5555", false), ENDPOINT_CURVE, "another address");
    is_int(endpoint_kind_of("tcp://eth0:5555", false), ENDPOINT_CURVE, "an interface");
    is_int(endpoint_kind_of("tcp://[::ffff:10.0.0.1]:1", false), ENDPOINT_CURVE, "a mapped one");
    is_int(endpoint_kind_of("tcp://127.0.0.1.example.org:1", false), ENDPOINT_CURVE, "a name");
    is_int(endpoint_kind_of("ipc:///x", true), ENDPOINT_GATEWAY, "ipc");
}

int main(void) {
    char data[] = "/tmp/relais-turn-XXXXXX", command[64];
    signal(SIGXFSZ, SIG_IGN);
    dup2(2, LOG_FD);
    log_open("test", LEVEL_ERROR, LOG_FD);
    frames_are_shared_but_nothing_overtakes_a_stop();
    endpoints_beyond_loopback_get_curve();
    if (mkdtemp(data) == NULL) return 1;
    what_was_acknowledged_survives_a_restart(data);
    a_group_of_many_tasks_survives_as_a_whole(data);
    a_second_broker_on_the_folder_is_refused(data);
    struct rig r = {0};
    if (rig_start(&r, data)) {
        rig_connect(&r);
        ok(hello(&r, LINK_CLIENT, "c"), "a client is linked");
        bad_frames_are_refused_with_their_number(&r);
        random_frames_do_no_harm(&r);
        lists_see_what_was_acknowledged(&r);
        files_that_were_not_sealed_cannot_be_named(&r);
        delivery_to_a_broken_connection_goes_to_the_next(&r);
        a_failed_append_takes_the_restart_path_in_place(&r);
        a_worker_that_reads_late_is_not_dropped_for_what_it_was_given(&r);
        rig_stop(&r);
    }
    what_would_wait_too_long_is_refused_and_the_rest_is_taken(data);
    snprintf(command, sizeof command, "rm -rf %s", data);
    return system(command) != 0 || done();
}
