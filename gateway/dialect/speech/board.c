/* board.c - the socket of many jobs: {"subscribe": job_uuid or a list of them} and
 * {"unsubscribe": …}; ?job_uuid= subscribes at once. Of each job its state is told, as `result` has
 * it, when it is subscribed to and whenever it changes; after its end nothing more comes. A job
 * that is not there is told by {"type":"error"}.
 *
 * A job is opened by a GET, one at a time, so that a refusal is known to be its own; from then on a
 * parked WATCH stands for each. One result file is loaded at a time.
 *
 * Limits: JOBS_MAX jobs at once, SUBSCRIPTIONS_MAX in all; then it closes with 1013. */
#include "gateway/dialect/load.h"
#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/spell.h"
#include <stdlib.h>

enum { JOBS_MAX = 64, SUBSCRIPTIONS_MAX = 4096, MESSAGE_MAX = 16 << 10 };

struct subscription {
    struct follow follow;
    bool queued;   /* to be opened */
    bool waits;    /* for another's file to be loaded */
    bool watching; /* a WATCH stands for it */
    bool muted;    /* unsubscribed while it did */
};

struct board {
    struct subscription *jobs[JOBS_MAX];
    uint32_t count, total;
    struct subscription *opening, *loading;
    bool named;   /* the job in the address is being opened */
    bool over;
};

static void board_close(struct exchange *x, enum close_code code, const char *why) {
    struct board *b = x->state;
    b->over = true;
    exchange_socket_close(x, code, why);
}

static void error_tell(struct exchange *x, const char *job, const char *message,
                       const char *code) {
    struct out o = {0};
    out_object(&o);
    out_key(&o, "type");
    out_string(&o, "error");
    out_key(&o, "job_uuid");
    out_string(&o, job);
    out_key(&o, "message");
    out_string(&o, message);
    out_key(&o, "code");
    out_string(&o, code);
    out_object_end(&o);
    exchange_socket_send(x, true, buffer_slice(&o.body));
    buffer_free(&o.body);
}

/* ---- following ---- */

static struct subscription *job_find(const struct board *b, uint64_t id) {
    for (uint32_t i = 0; i < b->count; i++)
        if (b->jobs[i]->follow.id == id) return b->jobs[i];
    return NULL;
}

static void job_remove(struct board *b, const struct subscription *s) {
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->jobs[i] != s) continue;
        b->jobs[i] = b->jobs[--b->count];
        return;
    }
}

static void board_tell(struct exchange *x, struct follow *f, enum news news, uint32_t number,
                       struct slice json) {
    (void)f;
    (void)number;
    if (news == NEWS_STATE) exchange_socket_send(x, true, json);
}

static void board_next(struct exchange *x);

static void job_loaded(struct exchange *x, struct slice bytes) {
    struct board *b = x->state;
    b->loading->follow.loaded = bytes;
    b->loading->queued = true;
    b->loading = NULL;
    for (uint32_t i = 0; i < b->count; i++) {
        b->jobs[i]->queued |= b->jobs[i]->waits;
        b->jobs[i]->waits = false;
    }
    board_next(x);
}

static void job_watched(struct exchange *x, const struct message *answer);

static void job_take(struct exchange *x, struct subscription *s, const struct view *v) {
    struct board *b = x->state;
    switch (follow_take(x, &s->follow, v)) {
    case FOLLOW_LOAD:
        s->waits = b->loading != NULL;
        if (s->waits) return;
        b->loading = s;
        load_file(x, v->result.result_file, v->result_size, v->result_ticket, job_loaded);
        return;
    case FOLLOW_OVER: job_remove(b, s); return;
    case FOLLOW_PAUSE:
    case FOLLOW_ON: break;
    }
    if (s->watching) return;
    const struct message m = follow_ask(&s->follow, false);
    s->watching = true;
    exchange_try(x, &m, job_watched);
}

static void job_watched(struct exchange *x, const struct message *answer) {
    struct board *b = x->state;
    if (b->over) return;
    if (exchange_code(answer) != CODE_OK) {
        board_close(x, CLOSE_LATER, code_text(exchange_code(answer)));
        return;
    }
    struct subscription *s = job_find(b, answer->view.head.id);
    if (s == NULL) return;
    s->watching = false;
    if (s->muted) job_remove(b, s);
    else job_take(x, s, &answer->view);
}

/* ---- subscribing ---- */

static void job_absent(struct exchange *x, const struct subscription *s) {
    struct board *b = x->state;
    char text[JOB_UUID_SIZE];
    spell_job(x, s->follow.id, text);
    if (b->named) board_close(x, CLOSE_NO_JOB, "no such job");
    else error_tell(x, text, "Job introuvable", "NOT_FOUND");
    job_remove(b, s);
}

static void job_opened(struct exchange *x, const struct message *answer) {
    struct board *b = x->state;
    struct subscription *s = b->opening;
    const enum code code = exchange_code(answer);
    b->opening = NULL;
    if (b->over) return;
    if (code != CODE_OK && code != CODE_UNKNOWN_TASK) {
        board_close(x, CLOSE_LATER, code_text(code));
        return;
    }
    if (job_find(b, s->follow.id) == s) { /* not unsubscribed meanwhile */
        const struct mode *mode = code == CODE_OK ? mode_of_view(&answer->view) : NULL;
        if (mode != NULL && job_visible(x, &answer->view)) {
            s->follow.live = mode->live;
            job_take(x, s, &answer->view);
        } else {
            job_absent(x, s);
        }
    }
    b->named = false;
    board_next(x);
}

static void board_next(struct exchange *x) {
    struct board *b = x->state;
    if (b->opening != NULL || b->over) return;
    for (uint32_t i = 0; i < b->count; i++) {
        struct subscription *s = b->jobs[i];
        if (!s->queued) continue;
        s->queued = false;
        b->opening = s;
        const struct message get = follow_ask(&s->follow, true);
        exchange_try(x, &get, job_opened);
        return;
    }
}

static void job_subscribe(struct exchange *x, const char *text) {
    struct board *b = x->state;
    uint64_t id;
    if (!spell_job_read(x, slice_text(text), &id)) {
        error_tell(x, text, "Job introuvable", "NOT_FOUND");
        return;
    }
    struct subscription *s = job_find(b, id);
    if (s != NULL) {
        if (!s->muted) return;
        s->muted = s->follow.told = false;
        s->follow.version = 0;
        s->queued = true;
        return;
    }
    if (b->count == JOBS_MAX) {
        error_tell(x, text, "Trop de jobs suivis à la fois", "RATE_LIMITED");
        return;
    }
    if (b->total++ == SUBSCRIPTIONS_MAX) {
        board_close(x, CLOSE_LATER, "open another one");
        return;
    }
    s = exchange_alloc(x, sizeof *s);
    s->follow.id = id;
    s->follow.tell = board_tell;
    s->queued = true;
    b->jobs[b->count++] = s;
}

static void job_unsubscribe(struct exchange *x, const char *text) {
    struct board *b = x->state;
    uint64_t id;
    struct subscription *s = NULL;
    if (spell_job_read(x, slice_text(text), &id)) s = job_find(b, id);
    if (s == NULL || s == b->loading) return;
    if (s->watching) s->muted = true;
    else job_remove(b, s);
}

/* A text or a list of texts; false when it is neither. */
static bool each_text(struct exchange *x, const json_t *value,
                      void (*call)(struct exchange *x, const char *text)) {
    const struct board *b = x->state;
    size_t index;
    json_t *one;
    if (json_is_string(value)) call(x, json_string_value(value));
    json_array_foreach(value, index, one) {
        if (b->over) return true;
        if (!json_is_string(one)) return false;
        call(x, json_string_value(one));
    }
    return json_is_string(value) || json_is_array(value);
}

static void board_text(struct exchange *x, struct slice text) {
    struct board *b = x->state;
    if (b->over) return;
    json_t *json = json_of(text);
    const json_t *on = json_object_get(json, "subscribe");
    const json_t *off = json_object_get(json, "unsubscribe");
    bool good = on != NULL || off != NULL;
    if (on != NULL) good &= each_text(x, on, job_subscribe);
    if (off != NULL) good &= each_text(x, off, job_unsubscribe);
    json_decref(json);
    if (!good && !b->over)
        error_tell(x, NULL, "subscribe ou unsubscribe est requis", "VALIDATION_ERROR");
    board_next(x);
}

static void board_open(struct exchange *x) {
    struct board *b = x->state;
    const char *text = exchange_query(x, "job_uuid");
    uint64_t id;
    b->over = !socket_welcome(x);
    if (b->over || text == NULL) return;
    if (!spell_job_read(x, slice_text(text), &id)) {
        board_close(x, CLOSE_NO_JOB, "no such job");
        return;
    }
    b->named = true;
    job_subscribe(x, text);
    board_next(x);
}

static void board_closed(struct exchange *x, uint32_t code) {
    struct board *b = x->state;
    (void)code;
    b->over = true;
}

bool board_read(struct exchange *x, struct message *m) {
    static const struct socket_calls calls = {.open = board_open, .text = board_text,
                                              .closed = board_closed,
                                              .message_max = MESSAGE_MAX};
    (void)m;
    x->state = exchange_alloc(x, sizeof(struct board));
    return exchange_socket(x, &calls);
}
