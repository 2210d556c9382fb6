#include "gateway/link.h"
#include "gateway/answer.h"
#include "proto/decode.h"
#include "proto/host/log.h"
#include <assert.h>
#include <czmq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum {
    OPEN_FRAMES_MAX = 16,
    FRAME_FULL = 512 << 10,     /* bytes: a frame that long takes no further item */
    EARLY_ITEMS = 8,            /* so many leave at once, so that the broker works beside us:
                                 * in lockstep 64 callers got 27k creates/s, so 32k */
    SEND_HWM = 4096, RECEIVE_HWM = 0,
    LINGER_MS_MAX = 200,
    HELLO_MS = 1000,            /* an unanswered HELLO is repeated, on fresh sockets; doubles */
    HELLO_MS_MAX = 8000,
    ORPHAN_MS = 60000,          /* a dropped CLAIM or FILE_CREATE is remembered so long */
    RECONNECT_MS = 50, RECONNECT_MS_MAX = 1000,
    CALLS_KEPT = 4096,
    FRAME_BYTES_MAX = 8 << 20,  /* of what the broker sends; unused memory costs nothing */
    FRAMES_A_TURN = 256         /* taken in one link_receive, so that requests get their turn */
};

struct open_frame { /* a frame that is being filled */
    struct open_frame *next; /* among the spare ones */
    struct buffer bytes;
    struct frame_writer writer;
    struct who who;
    enum verb verb;
    uint64_t base;
    uint32_t count;
    bool to_files, anyone; /* anyone: without a principal */
};

struct link {
    struct link_options options;
    char public_key[41], secret_key[41];
    bool curve;
    void *tasks, *files;        /* sockets */
    bool moved, welcomed, was_up;
    bool hello_left;            /* false: the connection is still being made */
    uint32_t number_of_link;
    uint32_t batch_max;
    uint64_t boot, next_number;
    int64_t heard_ms, hello_ms, beat_ms;
    uint32_t beat_every_ms, patience_ms;
    struct open_frame *frames[OPEN_FRAMES_MAX], *spare;
    uint32_t frame_count;
    struct map calls;
    struct node all, free;
    uint32_t free_count, file_calls;
    uint8_t *frame;             /* owned: the one that is being read */
    struct message *batch;      /* owned: items of one TASK frame */
    uint32_t batch_cap;
};

/* ---- calls ---- */

static bool is_file_verb(enum verb verb) {
    return verb >= VERB_FILE_CREATE && verb <= VERB_FILE_LINK;
}

static struct call *call_find(struct link *l, uint64_t number) {
    struct map_node *n = map_first(&l->calls, hash_number(number));
    for (; n != NULL; n = map_next(n)) {
        struct call *call = owner_of(n, struct call, by_number);
        if (call->number == number) return call;
    }
    return NULL;
}

static struct call *call_new(struct link *l) {
    struct call *call;
    if (!list_empty(&l->free)) {
        call = owner_of(list_first(&l->free), struct call, in_line);
        list_unlink(&call->in_line);
        l->free_count--;
    } else if ((call = malloc(sizeof *call)) == NULL) {
        abort();
    }
    *call = (struct call){.link = l};
    list_init(&call->of_owner);
    list_init(&call->in_line);
    return call;
}

static void call_forget(struct call *call) {
    struct link *l = call->link;
    map_remove(&l->calls, &call->by_number);
    list_unlink(&call->of_owner);
    list_unlink(&call->in_line);
    l->file_calls -= is_file_verb(call->verb);
    if (l->free_count == CALLS_KEPT) {
        free(call);
        return;
    }
    list_push_front(&l->free, &call->in_line);
    l->free_count++;
}

static void call_finish(struct call *call, const struct message *answer, uint32_t count) {
    bool wanted = call->owner != NULL;
    list_unlink(&call->of_owner);
    if (wanted) call->done(call, answer, count);
    call_forget(call);
}

static void call_fail(struct call *call, enum code code, uint32_t retry_ms) {
    struct message none = {.verb = VERB_REFUSED};
    none.refused.number = call->number;
    none.refused.code = code;
    none.refused.retry_ms = retry_ms;
    call_finish(call, &none, 1);
}

/* The link is down by now, so that `done` can make no new ones. */
static void fail_all(struct link *l, enum code code) {
    assert(!l->welcomed);
    while (!list_empty(&l->all)) {
        call_fail(owner_of(list_first(&l->all), struct call, in_line), code, 1000);
    }
}

/* ---- frames out ---- */

static bool send_bytes(void *socket, struct buffer *b) {
    return !b->failed && zmq_send(socket, b->data, b->len, ZMQ_DONTWAIT) >= 0;
}

static void frame_leave(struct link *l, struct open_frame *f) {
    frame_end(&f->writer);
    void *socket = f->to_files ? l->files : l->tasks;
    if (!send_bytes(socket, &f->bytes) && f->base != 0) {
        for (uint32_t i = 0; i < f->count; i++) {
            struct call *call = call_find(l, f->base + i);
            if (call != NULL) call_fail(call, CODE_UNAVAILABLE, 1000);
        }
    }
    if (f->bytes.cap > FRAME_FULL) buffer_free(&f->bytes);
    else buffer_clear(&f->bytes);
    f->next = l->spare;
    l->spare = f;
}

/* The calls of a frame that cannot leave fail, and may send again: into frames behind. */
void link_flush(struct link *l) {
    struct open_frame *leaving[OPEN_FRAMES_MAX];
    uint32_t count = l->frame_count;
    memcpy(leaving, l->frames, sizeof *leaving * count);
    l->frame_count = 0;
    for (uint32_t i = 0; i < count; i++) frame_leave(l, leaving[i]);
}

static struct open_frame *frame_for(struct link *l, const struct who *who, enum verb verb) {
    for (uint32_t i = 0; i < l->frame_count; i++) {
        struct open_frame *f = l->frames[i];
        if (f->verb == verb && f->base != 0 && f->count < l->batch_max &&
            f->bytes.len < FRAME_FULL && !f->anyone && memcmp(&f->who, who, sizeof *who) == 0) {
            return f;
        }
    }
    return NULL;
}

/* base 0: answers to it have no number. */
static struct open_frame *frame_open(struct link *l, const struct who *who, enum verb verb,
                                     bool answered) {
    if (l->frame_count == OPEN_FRAMES_MAX) link_flush(l);
    struct open_frame *f = l->spare;
    if (f != NULL) l->spare = f->next;
    else if ((f = calloc(1, sizeof *f)) == NULL) abort();
    assert(l->frame_count < OPEN_FRAMES_MAX);
    l->frames[l->frame_count++] = f;
    f->verb = verb;
    f->count = 0;
    f->to_files = is_file_verb(verb);
    f->anyone = who == NULL;
    if (who != NULL) f->who = *who;
    f->base = 0;
    if (answered) {
        f->base = l->next_number;
        l->next_number += l->batch_max;
    }
    frame_begin(&f->writer, &f->bytes, verb, f->base, f->to_files ? 0 : l->number_of_link,
                who == NULL ? NULL : &f->who);
    return f;
}

bool link_tell(struct link *l, const struct who *who, const struct message *m) {
    if (!link_up(l)) return false;
    if (m->verb == VERB_UNWATCH) link_flush(l); /* not before the WATCH that it names */
    struct open_frame *f = frame_open(l, who, m->verb, false);
    frame_put(&f->writer, m);
    f->count++;
    return true;
}

struct call *link_send(struct link *l, const struct who *who, const struct message *m,
                       uint32_t answer_ms, int64_t now_ms) {
    if (!link_up(l)) return NULL;
    struct open_frame *f = frame_for(l, who, m->verb);
    if (f == NULL) f = frame_open(l, who, m->verb, true);
    struct call *call = call_new(l);
    call->number = f->base + f->count;
    call->verb = m->verb;
    call->who = *who;
    uint32_t wait_ms = answer_ms > 0 ? answer_ms : l->options.answer_ms;
    if (m->verb == VERB_WATCH) wait_ms += m->ref.wait_ms;
    if (m->verb == VERB_CLAIM) wait_ms += m->claim.wait_ms;
    if (m->verb == VERB_FEED) wait_ms += m->feed.wait_ms;
    if (m->verb == VERB_COMMANDS) wait_ms += m->commands.wait_ms;
    call->deadline_ms = now_ms + wait_ms;
    map_put(&l->calls, &call->by_number, hash_number(call->number));
    list_push(&l->all, &call->in_line);
    l->file_calls += f->to_files;
    frame_put(&f->writer, m);
    if (++f->count == EARLY_ITEMS) link_flush(l);
    return call;
}

bool call_parks(enum verb verb) {
    return verb == VERB_WATCH || verb == VERB_CLAIM || verb == VERB_FEED || verb == VERB_COMMANDS;
}

void call_drop(struct call *call) {
    struct link *l = call->link;
    list_unlink(&call->of_owner);
    call->owner = NULL;
    if (call_parks(call->verb)) {
        struct message m = {.verb = VERB_UNWATCH};
        m.unwatch.number = call->number;
        link_tell(l, &call->who, &m);
    }
    /* what these are answered with goes back when it comes */
    if (call->verb == VERB_CLAIM || call->verb == VERB_FILE_CREATE) call->deadline_ms += ORPHAN_MS;
    else call_forget(call);
}

/* ---- frames in ---- */

static void release(struct link *l, const struct who *who, const struct message *task) {
    struct message m = {.verb = VERB_RELEASE};
    m.report.task = task->task.task;
    m.report.epoch = task->task.epoch;
    m.report.percent = -1;
    link_tell(l, who, &m);
}

/* Tasks of one CLAIM stand next to each other in their frame. */
static void tasks_taken(struct link *l, const struct message *tasks, uint32_t count) {
    for (uint32_t at = 0, n; at < count; at += n) {
        uint64_t number = tasks[at].task.number;
        for (n = 1; at + n < count && tasks[at + n].task.number == number; n++) {
        }
        struct call *call = call_find(l, number);
        if (call == NULL) continue; /* answered before, or too late: its lease runs out */
        for (uint32_t i = 0; call->owner == NULL && i < n; i++) {
            if (tasks[at + i].task.task != 0) release(l, &call->who, &tasks[at + i]);
        }
        call_finish(call, &tasks[at], n);
    }
}

/* An upload that nobody waits for any more is given up. */
static void file_release(struct link *l, const struct call *call, const struct message *answer) {
    struct message m = {.verb = VERB_FILE_DROP};
    struct decode d = decode_of(answer->answer.body.data, answer->answer.body.len);
    uint32_t count;
    if (answer->verb == VERB_ANSWER && answer->answer.code == CODE_OK &&
        decode_array(&d, &count) && count > 0 && decode_uint(&d, &m.file.id)) {
        link_tell(l, &call->who, &m);
    }
}

static void welcome(struct link *l, const struct welcome *w, int64_t now_ms) {
    l->number_of_link = w->link;
    l->welcomed = true;
    l->patience_ms = HELLO_MS;
    l->heard_ms = now_ms;
    if (w->beat_ms > 0) l->beat_every_ms = w->beat_ms;
    if (w->batch_max > 0 && w->batch_max < l->batch_max) l->batch_max = w->batch_max;
}

static void say_hello(struct link *l, int64_t now_ms) {
    struct buffer bytes = {0};
    struct frame_writer w;
    struct message m = {.verb = VERB_HELLO};
    m.hello.version = PROTOCOL_VERSION;
    m.hello.kind = LINK_GATEWAY;
    m.hello.name = slice_text(l->options.name);
    m.hello.boot = l->boot;
    frame_begin(&w, &bytes, VERB_HELLO, l->next_number, 0, NULL);
    l->next_number += l->batch_max;
    frame_put(&w, &m);
    frame_end(&w);
    l->hello_left = send_bytes(l->tasks, &bytes);
    buffer_free(&bytes);
    if (l->hello_left) l->hello_ms = now_ms;
}

static void resync(struct link *l, int64_t now_ms) {
    if (!l->welcomed && l->hello_left) return; /* to a frame from before that HELLO */
    l->welcomed = false;
    l->number_of_link = 0;
    log_warn("the broker knows this link no more; saying HELLO again");
    fail_all(l, CODE_UNAVAILABLE);
    say_hello(l, now_ms);
}

static void message_taken(struct link *l, const struct message *m, int64_t now_ms) {
    switch ((int)m->verb) {
    case VERB_WELCOME: welcome(l, &m->welcome, now_ms); return;
    case VERB_RESYNC: resync(l, now_ms); return;
    case VERB_KEYRING: l->options.keyring(l->options.context, m->answer.body); return;
    case VERB_BEAT: return;
    default: break;
    }
    struct call *call = call_find(l, answer_number(m));
    if (call == NULL) return;
    if (call->owner == NULL && call->verb == VERB_FILE_CREATE) file_release(l, call, m);
    call_finish(call, m, 1);
}

static void frame_taken(struct link *l, void *data, size_t len, int64_t now_ms) {
    struct frame f = {0};
    enum code code = frame_read(&f, data, len, UINT16_MAX);
    if (code != CODE_OK) {
        log_error("a frame of the broker cannot be read", field_text("code", code_name(code)));
        return;
    }
    if (f.verb == VERB_RESYNC && f.count == 0) resync(l, now_ms);
    if (f.verb == VERB_TASK) {
        if (f.count > l->batch_cap) {
            struct message *grown = realloc(l->batch, f.count * sizeof *grown);
            if (grown == NULL) abort();
            l->batch = grown;
            l->batch_cap = f.count;
        }
        uint32_t n = 0;
        while (n < l->batch_cap && message_next(&f, &l->batch[n], &code)) n += code == CODE_OK;
        tasks_taken(l, l->batch, n);
    } else {
        struct message m;
        while (message_next(&f, &m, &code)) {
            if (code == CODE_OK) message_taken(l, &m, now_ms);
        }
    }
    frame_free(&f);
}

/* Frames are copied: what they point to lives until the next one, whoever sent it. */
static bool socket_receive(struct link *l, void *socket, int64_t now_ms) {
    bool any = false;
    for (uint32_t i = 0; i < FRAMES_A_TURN; i++) {
        int len = zmq_recv(socket, l->frame, FRAME_BYTES_MAX, ZMQ_DONTWAIT);
        if (len < 0) break;
        any = true;
        if (socket == l->tasks) l->heard_ms = now_ms;
        if (len > FRAME_BYTES_MAX) {
            log_error("a frame of the broker is too long", field_number("bytes", (uint64_t)len));
        } else {
            frame_taken(l, l->frame, (size_t)len, now_ms);
        }
    }
    return any;
}

bool link_receive(struct link *l, int64_t now_ms) {
    void *tasks = l->tasks, *files = l->files;
    if (!l->welcomed && !l->hello_left) say_hello(l, now_ms);
    bool any = socket_receive(l, tasks, now_ms);
    /* asking an empty socket costs a system call: only when an answer is due */
    bool due = l->file_calls > 0 && files == l->files;
    if (due) any = socket_receive(l, files, now_ms) || any;
    return any;
}

/* ---- sockets and time ---- */

static void *socket_open(struct link *l, const char *endpoint) {
    void *socket = zmq_socket(l->options.zmq, ZMQ_DEALER);
    if (socket == NULL) return NULL;
    int linger = LINGER_MS_MAX, send_hwm = SEND_HWM, receive_hwm = RECEIVE_HWM, on = 1;
    int first = RECONNECT_MS, last = RECONNECT_MS_MAX;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &send_hwm, sizeof send_hwm);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &receive_hwm, sizeof receive_hwm);
    zmq_setsockopt(socket, ZMQ_IMMEDIATE, &on, sizeof on);
    zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &first, sizeof first);
    zmq_setsockopt(socket, ZMQ_RECONNECT_IVL_MAX, &last, sizeof last);
    if (l->curve) {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, l->options.broker_key, 40);
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, l->public_key, 40);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, l->secret_key, 40);
    }
    if (zmq_connect(socket, endpoint) != 0) {
        log_error("cannot connect", field_text("endpoint", endpoint),
                  field_text("why", zmq_strerror(zmq_errno())));
        zmq_close(socket);
        return NULL;
    }
    return socket;
}

static bool sockets_open(struct link *l, int64_t now_ms) {
    void *tasks = socket_open(l, l->options.broker), *files = NULL;
    if (tasks != NULL) files = socket_open(l, l->options.files);
    if (files == NULL) {
        if (tasks != NULL) zmq_close(tasks);
        return false;
    }
    if (l->tasks != NULL) zmq_close(l->tasks);
    if (l->files != NULL) zmq_close(l->files);
    l->tasks = tasks;
    l->files = files;
    l->moved = true;
    l->welcomed = false;
    l->hello_ms = now_ms;
    say_hello(l, now_ms);
    return true;
}

static bool keys_load(struct link *l, char *why, size_t why_size) {
    l->curve = l->options.broker_key[0] != '\0';
    if (!l->curve) return true;
    if (strlen(l->options.broker_key) != 40) {
        snprintf(why, why_size, "broker_key: 40 characters of Z85 are needed");
        return false;
    }
    if (l->options.curve_file[0] == '\0') {
        return zmq_curve_keypair(l->public_key, l->secret_key) == 0;
    }
    zcert_t *cert = zcert_load(l->options.curve_file);
    if (cert == NULL) {
        snprintf(why, why_size, "curve_file: %s is no certificate", l->options.curve_file);
        return false;
    }
    snprintf(l->public_key, sizeof l->public_key, "%s", zcert_public_txt(cert));
    snprintf(l->secret_key, sizeof l->secret_key, "%s", zcert_secret_txt(cert));
    zcert_destroy(&cert);
    return true;
}

struct link *link_new(const struct link_options *options, int64_t now_ms, char *why,
                      size_t why_size) {
    struct link *l = calloc(1, sizeof *l);
    if (l == NULL) abort();
    l->options = *options;
    l->batch_max = options->batch_max;
    l->beat_every_ms = options->beat_ms;
    l->patience_ms = HELLO_MS;
    l->next_number = 1;
    l->heard_ms = l->beat_ms = now_ms;
    list_init(&l->all);
    list_init(&l->free);
    l->frame = malloc(FRAME_BYTES_MAX);
    if (l->frame == NULL) abort();
    l->boot = (uint64_t)now_ms << 20 ^ (uint64_t)getpid() ^ (uint64_t)(uintptr_t)l << 8;
    l->boot &= (UINT64_C(1) << 53) - 1;
    if (!map_init(&l->calls, 1024)) abort();
    if (!keys_load(l, why, why_size) || !sockets_open(l, now_ms)) {
        if (why[0] == '\0') {
            snprintf(why, why_size, "broker: cannot connect to %s", options->broker);
        }
        link_destroy(&l);
        return NULL;
    }
    return l;
}

void link_destroy(struct link **self) {
    struct link *l = *self;
    if (l == NULL) return;
    while (!list_empty(&l->all)) {
        call_forget(owner_of(list_first(&l->all), struct call, in_line));
    }
    while (!list_empty(&l->free)) {
        struct node *n = list_first(&l->free);
        list_unlink(n);
        free(owner_of(n, struct call, in_line));
    }
    if (l->welcomed) {
        struct message bye = {.verb = VERB_BYE};
        link_tell(l, NULL, &bye);
        link_flush(l);
    }
    if (l->tasks != NULL) zmq_close(l->tasks);
    if (l->files != NULL) zmq_close(l->files);
    while (l->frame_count > 0) { /* the broker was not there to take them */
        struct open_frame *f = l->frames[--l->frame_count];
        f->next = l->spare;
        l->spare = f;
    }
    while (l->spare != NULL) {
        struct open_frame *f = l->spare;
        l->spare = f->next;
        buffer_free(&f->bytes);
        free(f);
    }
    map_free(&l->calls);
    free(l->batch);
    free(l->frame);
    memset(l->secret_key, 0, sizeof l->secret_key);
    free(l);
    *self = NULL;
}

void link_descriptors(const struct link *l, int *tasks, int *files) {
    size_t size = sizeof *tasks;
    *tasks = *files = -1;
    zmq_getsockopt(l->tasks, ZMQ_FD, tasks, &size);
    size = sizeof *files;
    zmq_getsockopt(l->files, ZMQ_FD, files, &size);
}

bool link_moved(struct link *l) {
    bool moved = l->moved;
    l->moved = false;
    return moved;
}

bool link_up(const struct link *l) { return l->welcomed; }

/* Those that are over stand in a list of their own first: `done` may change the other anywhere. */
static void expire(struct link *l, int64_t now_ms) {
    struct node over, *next;
    list_init(&over);
    for (struct node *n = l->all.next; n != &l->all; n = next) {
        struct call *call = owner_of(n, struct call, in_line);
        next = n->next;
        if (call->deadline_ms > now_ms) continue;
        list_unlink(n);
        list_push(&over, n);
    }
    while (!list_empty(&over)) {
        call_fail(owner_of(list_first(&over), struct call, in_line), CODE_TIMED_OUT, 0);
    }
}

void link_tick(struct link *l, int64_t now_ms) {
    expire(l, now_ms);
    socket_receive(l, l->files, now_ms); /* late answers, that hit nothing */
    if (l->welcomed && now_ms - l->heard_ms > l->options.silence_ms) {
        l->welcomed = false;
        fail_all(l, CODE_UNAVAILABLE);
    }
    if (link_up(l) != l->was_up) {
        l->was_up = link_up(l);
        if (l->was_up) log_info("the broker answers", field_number("link", l->number_of_link));
        else log_warn("the broker is silent", field_text("endpoint", l->options.broker));
    }
    if (!l->welcomed && now_ms - l->hello_ms >= l->patience_ms) {
        l->patience_ms = l->patience_ms < HELLO_MS_MAX ? 2 * l->patience_ms : HELLO_MS_MAX;
        if (!sockets_open(l, now_ms)) l->hello_ms = now_ms;
    } else if (l->welcomed && now_ms - l->beat_ms >= l->beat_every_ms) {
        struct message beat = {.verb = VERB_BEAT};
        l->beat_ms = now_ms;
        link_tell(l, NULL, &beat);
    }
    link_flush(l);
}
