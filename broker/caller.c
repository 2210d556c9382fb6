/* caller.c - see caller.h. */
#include "broker/caller.h"
#include "proto/host/clock.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zmq.h>

enum { BOOT_BITS = 53 };

struct caller {
    void *own_zmq, *socket;
    struct who who;
    uint64_t number;
    uint32_t link;
    struct frame frame;
    struct message answer;
    zmq_msg_t body;
    bool held; /* the body of the newest answer */
};

static void answer_drop(struct caller *c) {
    if (!c->held) return;
    frame_free(&c->frame);
    zmq_msg_close(&c->body);
    c->held = false;
}

static bool say(struct caller *c, struct message *m) {
    struct buffer b = {0};
    struct frame_writer w;
    m->number = ++c->number;
    frame_begin(&w, &b, m->verb, m->number, c->link, m->verb == VERB_HELLO ? NULL : &c->who);
    frame_put(&w, m);
    frame_end(&w);
    const bool said = !b.failed && zmq_send(c->socket, b.data, b.len, 0) >= 0;
    buffer_free(&b);
    return said;
}

static uint64_t number_of(const struct message *m) {
    switch ((int)m->verb) {
    case VERB_ANSWER: return m->answer.number;
    case VERB_ROWS: return m->rows.number;
    case VERB_REFUSED: return m->refused.number;
    case VERB_VIEW: return m->view.number;
    default: return 0;
    }
}

/* True when the frame at hand holds what is waited for: WELCOME, or the answer to the newest. */
static bool answer_find(struct caller *c) {
    enum code code;
    while (message_next(&c->frame, &c->answer, &code)) {
        if (code != CODE_OK) continue;
        if (c->link == 0 && c->answer.verb == VERB_WELCOME) {
            c->link = c->answer.welcome.link;
            return true;
        }
        if (number_of(&c->answer) == c->number) return true;
    }
    return false;
}

static bool hear(struct caller *c) {
    const int64_t end_ms = clock_mono_ms() + CALLER_MS;
    for (int64_t left; (left = end_ms - clock_mono_ms()) > 0;) {
        const int wait = (int)left;
        zmq_setsockopt(c->socket, ZMQ_RCVTIMEO, &wait, sizeof wait);
        zmq_msg_init(&c->body);
        if (zmq_msg_recv(&c->body, c->socket, 0) < 0) {
            zmq_msg_close(&c->body);
            if (zmq_errno() == ETERM) return false;
            continue; /* the time is over, or a signal came */
        }
        c->frame = (struct frame){0};
        c->held = true;
        if (frame_read(&c->frame, zmq_msg_data(&c->body), zmq_msg_size(&c->body), UINT16_MAX)
                == CODE_OK
            && answer_find(c))
            return true;
        answer_drop(c);
    }
    return false;
}

static bool hello(struct caller *c) {
    struct message m = {.verb = VERB_HELLO};
    m.hello.version = PROTOCOL_VERSION;
    m.hello.kind = LINK_GATEWAY;
    m.hello.name = slice_text(c->who.name);
    randombytes_buf(&m.hello.boot, sizeof m.hello.boot);
    m.hello.boot = (m.hello.boot >> (64 - BOOT_BITS)) | 1;
    return say(c, &m) && hear(c) && c->link != 0;
}

struct caller *caller_connect(void *zmq, const char *endpoint, const struct who *who, char *why,
                              size_t why_size) {
    struct caller *c = calloc(1, sizeof *c);
    snprintf(why, why_size, "out of memory");
    if (c == NULL || sodium_init() < 0) return NULL;
    if (zmq == NULL) zmq = c->own_zmq = zmq_ctx_new();
    c->who = *who;
    const int linger = 0, wait = CALLER_MS;
    if (zmq != NULL) c->socket = zmq_socket(zmq, ZMQ_DEALER);
    if (c->socket != NULL) {
        zmq_setsockopt(c->socket, ZMQ_LINGER, &linger, sizeof linger);
        zmq_setsockopt(c->socket, ZMQ_SNDTIMEO, &wait, sizeof wait);
        snprintf(why, why_size, "the server at %s does not answer", endpoint);
        if (zmq_connect(c->socket, endpoint) == 0 && hello(c)) return c;
    }
    caller_close(&c);
    return NULL;
}

struct caller *caller_open(const struct config *config, const struct who *who, char *why,
                           size_t why_size) {
    char endpoint[CONFIG_ENDPOINT_MAX];
    struct stat st;
    config_ipc_endpoint(config, endpoint);
    if (stat(endpoint + strlen("ipc://"), &st) == 0)
        return caller_connect(NULL, endpoint, who, why, why_size);
    snprintf(why, why_size, "no server runs on %s: start one (relais serve) and say it again",
             config->data);
    return NULL;
}

void caller_close(struct caller **self) {
    struct caller *c = *self;
    if (c == NULL) return;
    answer_drop(c);
    if (c->link != 0) {
        struct message bye = {.verb = VERB_BYE};
        say(c, &bye);
    }
    if (c->socket != NULL) {
        const int linger = 100; /* the BYE */
        zmq_setsockopt(c->socket, ZMQ_LINGER, &linger, sizeof linger);
        zmq_close(c->socket);
    }
    if (c->own_zmq != NULL) zmq_ctx_term(c->own_zmq);
    free(c);
    *self = NULL;
}

const struct message *caller_ask(struct caller *c, struct message *m) {
    answer_drop(c);
    return say(c, m) && hear(c) ? &c->answer : NULL;
}

enum code caller_code(const struct message *answer) {
    if (answer == NULL) return CODE_TIMED_OUT;
    switch ((int)answer->verb) {
    case VERB_ANSWER: return answer->answer.code;
    case VERB_ROWS: return answer->rows.code;
    case VERB_REFUSED: return answer->refused.code;
    default: return CODE_OK;
    }
}
