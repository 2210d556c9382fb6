/* events.c - server-sent events of a job: `state` as the result, and in streaming mode `final` with
 * the segment's number as its id, and `partial`. In the other modes the id is the job's version. A
 * client that comes back with Last-Event-ID gets what it has not heard, and nothing twice. */
#include "gateway/dialect/load.h"
#include "gateway/dialect/speech/speech.h"
#include <stdio.h>
#include <stdlib.h>

static void event_go_on(struct exchange *x, const struct message *answer);

static void event_tell(struct exchange *x, struct follow *f, enum news news, uint32_t number,
                       struct slice json) {
    static const char *const names[] = {"state", "final", "partial"};
    char id[24];
    snprintf(id, sizeof id, "%u", number);
    const bool counted = news == NEWS_FINAL || (news == NEWS_STATE && !f->live);
    exchange_event(x, names[news], counted ? id : NULL, json);
}

static void event_again(struct exchange *x) {
    const struct message m = follow_ask(x->state, true);
    exchange_try(x, &m, event_go_on);
}

static void event_loaded(struct exchange *x, struct slice bytes) {
    struct follow *f = x->state;
    f->loaded = bytes;
    event_again(x);
}

static void event_go_on(struct exchange *x, const struct message *answer) {
    struct follow *f = x->state;
    const struct view *v = &answer->view;
    if (exchange_code(answer) != CODE_OK) { /* gone with its retention, or the broker is away */
        exchange_end(x);
        return;
    }
    switch (follow_take(x, f, v)) {
    case FOLLOW_LOAD:
        load_file(x, v->result.result_file, v->result_size, v->result_ticket, event_loaded);
        return;
    case FOLLOW_OVER: exchange_end(x); return;
    case FOLLOW_PAUSE: exchange_drained(x, FOLLOW_BEHIND_MAX, event_again); return;
    case FOLLOW_ON: break;
    }
    const struct message m = follow_ask(f, false);
    exchange_try(x, &m, event_go_on);
}

static void events_open(struct exchange *x, const struct message *answer) {
    if (!job_check(x, &answer->view)) return;
    exchange_events(x);
    event_go_on(x, answer);
}

bool events_read(struct exchange *x, struct message *m) {
    struct follow *f = exchange_alloc(x, sizeof *f);
    const char *last = exchange_header(x, "Last-Event-ID");
    (void)m;
    if (!job_id_read(x, &f->id)) return false;
    f->live = f->parts = mode_of(x)->live;
    f->tell = event_tell;
    if (last != NULL) *(f->live ? &f->after : &f->version) = (uint32_t)strtoul(last, NULL, 10);
    x->state = f;
    const struct message get = follow_ask(f, true);
    exchange_send(x, &get, events_open);
    return false;
}
