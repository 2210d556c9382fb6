/* talk.c - the socket of a streaming job. The client sends the recording as binary messages and
 * {"type":"end"}; it hears {"type":"partial"} and {"type":"final"} with a segment, then
 * {"type":"done"} with the result, or {"type":"error"}. With acks=1 it also hears
 * {"type":"received"} once bytes are on disk. It may leave and come back: the recording goes on
 * where it was (`received` in the result says where), and after=N leaves out the segments heard.
 *
 * One append is under way at a time; what comes meanwhile goes with the next. Over BEHIND_MAX the
 * socket is closed with 1013: the client sends faster than the disk takes. */
#include "gateway/dialect/load.h"
#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/spell.h"
#include <stdlib.h>

enum { BEHIND_MAX = 8 << 20, APPEND_MAX = 256 << 10, UNSENT_MAX = 32 << 10 };

struct talk {
    struct follow follow;
    uint64_t file;
    struct buffer held;  /* owned: of the recording, not sent on yet */
    size_t held_at;
    bool ready;          /* the file is known */
    bool appending, ending, over;
    bool acks;
};

bool socket_welcome(struct exchange *x) {
    const uint8_t role = x->who.role;
    if (role == ROLE_NONE) exchange_socket_close(x, CLOSE_WHO, "credentials are needed");
    else if (role != ROLE_USER && role != ROLE_SERVICE && role != ROLE_ADMIN)
        exchange_socket_close(x, CLOSE_ROLE, "not for this role");
    else return true;
    return false;
}

static void talk_close(struct exchange *x, enum close_code code, const char *why) {
    struct talk *t = x->state;
    t->over = true;
    exchange_socket_close(x, code, why);
}

static void talk_fail(struct exchange *x, enum code code) {
    switch ((int)code) {
    case CODE_GONE: talk_close(x, CLOSE_ENDED, "the recording has ended"); return;
    case CODE_NOT_FOUND:
    case CODE_UNKNOWN_TASK: talk_close(x, CLOSE_NO_JOB, "no such job"); return;
    case CODE_PAYLOAD_TOO_LARGE: talk_close(x, CLOSE_LARGE, "the recording is too long"); return;
    default: talk_close(x, CLOSE_LATER, code_text(code)); return;
    }
}

/* ---- the recording ---- */

static void recording_go_on(struct exchange *x);

static void received_tell(struct exchange *x, const struct recording *r) {
    struct out o = {0};
    out_object(&o);
    out_key(&o, "type");
    out_string(&o, "received");
    recording_write(&o, r);
    out_object_end(&o);
    exchange_socket_send(x, true, buffer_slice(&o.body));
    buffer_free(&o.body);
}

static void appended(struct exchange *x, const struct message *answer) {
    struct talk *t = x->state;
    struct recording r;
    t->appending = false;
    if (t->over) return;
    if (!recording_read(answer, &r)) {
        talk_fail(x, exchange_code(answer));
        return;
    }
    if (t->acks) received_tell(x, &r);
    recording_go_on(x);
}

static void held_send(struct exchange *x, struct talk *t) {
    const size_t left = t->held.len - t->held_at;
    const size_t len = left < APPEND_MAX ? left : APPEND_MAX;
    const struct message m = {
        .verb = VERB_FILE_APPEND,
        .file = {.id = t->file, .seq = -1, .bytes = slice_of(t->held.data + t->held_at, len)}};
    t->appending = true;
    t->held_at += len;
    exchange_try(x, &m, appended);
    if (t->held_at < t->held.len) return;
    buffer_clear(&t->held);
    t->held_at = 0;
}

static void recording_go_on(struct exchange *x) {
    struct talk *t = x->state;
    if (!t->ready || t->appending || t->over) return;
    if (t->held.len > t->held_at) {
        held_send(x, t);
    } else if (t->ending) {
        const struct message m = {.verb = VERB_FILE_END, .file = {.id = t->file}};
        t->ending = false;
        t->appending = true;
        exchange_try(x, &m, appended);
    }
}

static void talk_binary(struct exchange *x, struct slice bytes) {
    struct talk *t = x->state;
    if (t->over) return;
    if (t->held.len - t->held_at + bytes.len > BEHIND_MAX) {
        talk_close(x, CLOSE_LATER, "too fast");
        return;
    }
    if (t->held_at > 0) { /* what has been sent makes room */
        memmove(t->held.data, t->held.data + t->held_at, t->held.len - t->held_at);
        t->held.len -= t->held_at;
        t->held_at = 0;
    }
    buffer_append(&t->held, bytes.data, bytes.len);
    if (t->held.failed) abort();
    recording_go_on(x);
}

static void talk_text(struct exchange *x, struct slice text) {
    struct talk *t = x->state;
    if (t->over) return;
    json_t *json = json_of(text);
    const char *type = json_string_value(json_object_get(json, "type"));
    const bool end = type != NULL && strcmp(type, "end") == 0;
    json_decref(json);
    if (!end) {
        talk_close(x, CLOSE_WRONG, "only {\"type\":\"end\"} is known");
        return;
    }
    t->ending = true;
    recording_go_on(x);
}

/* ---- what is heard ---- */

/* {"type": …} before the members of a state. */
static void typed_send(struct exchange *x, const char *type, struct slice json) {
    struct buffer b = {0};
    static const char begin[] = "{\"type\":\"";
    buffer_append(&b, begin, sizeof begin - 1);
    buffer_append(&b, type, strlen(type));
    buffer_append(&b, "\",", 2);
    buffer_append(&b, json.data + 1, json.len - 1);
    if (b.failed) abort();
    exchange_socket_send(x, true, buffer_slice(&b));
    buffer_free(&b);
}

static void talk_tell(struct exchange *x, struct follow *f, enum news news, uint32_t number,
                      struct slice json) {
    (void)number;
    switch (news) {
    case NEWS_STATE:
        if (status_ended(f->status))
            typed_send(x, f->status == STATUS_COMPLETED ? "done" : "error", json);
        return;
    case NEWS_PARTIAL:
        if (exchange_behind(x) > UNSENT_MAX) return; /* the next one says more */
        exchange_socket_send(x, true, json);
        return;
    case NEWS_FINAL: exchange_socket_send(x, true, json); return;
    }
}

static void talk_go_on(struct exchange *x, const struct message *answer);

static void talk_again(struct exchange *x) {
    const struct talk *t = x->state;
    const struct message m = follow_ask(&t->follow, true);
    if (!t->over) exchange_try(x, &m, talk_go_on);
}

static void talk_loaded(struct exchange *x, struct slice bytes) {
    struct talk *t = x->state;
    t->follow.loaded = bytes;
    talk_again(x);
}

static void talk_go_on(struct exchange *x, const struct message *answer) {
    struct talk *t = x->state;
    const struct view *v = &answer->view;
    if (t->over) return;
    if (exchange_code(answer) != CODE_OK) {
        talk_fail(x, exchange_code(answer));
        return;
    }
    switch (follow_take(x, &t->follow, v)) {
    case FOLLOW_LOAD:
        load_file(x, v->result.result_file, v->result_size, v->result_ticket, talk_loaded);
        return;
    case FOLLOW_OVER: talk_close(x, CLOSE_GOOD, NULL); return;
    case FOLLOW_PAUSE: exchange_drained(x, FOLLOW_BEHIND_MAX, talk_again); return;
    case FOLLOW_ON: break;
    }
    const struct message m = follow_ask(&t->follow, false);
    exchange_try(x, &m, talk_go_on);
}

static void talk_opened(struct exchange *x, const struct message *answer) {
    struct talk *t = x->state;
    const struct view *v = &answer->view;
    if (t->over) return;
    const enum code code = exchange_code(answer);
    if (code != CODE_OK || !job_visible(x, v)) {
        talk_fail(x, code != CODE_OK ? code : CODE_UNKNOWN_TASK);
        return;
    }
    t->file = v->body.source_file;
    t->ready = true;
    recording_go_on(x);
    talk_go_on(x, answer);
}

static void talk_open(struct exchange *x) {
    struct talk *t = x->state;
    const char *text = exchange_query(x, "job_uuid");
    if (text == NULL) text = exchange_query(x, "job_id");
    t->over = !socket_welcome(x);
    if (t->over) return;
    if (text == NULL || !spell_job_read(x, slice_text(text), &t->follow.id)) {
        talk_close(x, CLOSE_NO_JOB, "no such job");
        return;
    }
    const struct message get = follow_ask(&t->follow, true);
    exchange_try(x, &get, talk_opened);
}

static void talk_closed(struct exchange *x, uint32_t code) {
    struct talk *t = x->state;
    (void)code;
    t->over = true;
    buffer_free(&t->held);
}

bool talk_read(struct exchange *x, struct message *m) {
    static const struct socket_calls calls = {.open = talk_open, .text = talk_text,
                                              .binary = talk_binary, .closed = talk_closed,
                                              .message_max = RECORDING_CHUNK_MAX};
    struct talk *t = exchange_alloc(x, sizeof *t);
    const char *acks = exchange_query(x, "acks"), *after = exchange_query(x, "after");
    (void)m;
    t->acks = acks != NULL && strcmp(acks, "1") == 0;
    t->follow.live = t->follow.parts = true;
    t->follow.after = after != NULL ? (uint32_t)strtoul(after, NULL, 10) : 0;
    t->follow.tell = talk_tell;
    x->state = t;
    return exchange_socket(x, &calls);
}
