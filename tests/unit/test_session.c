/* A worker's session as a story: what happens is told on the left, what the worker says comes out
 * as lines "[time] WORD task@epoch ...", and the whole is compared as text. No clock is read. */
#include "tests/unit/tap.h"
#include "worker/session.h"
#include <stdlib.h>

struct story {
    struct session session;
    int64_t now;
    char text[8192];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void tell(struct story *s, const char *format, ...) {
    va_list list;
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "[%5lld] ",
                               (long long)s->now);
    va_start(list, format);
    s->len += (size_t)vsnprintf(s->text + s->len, sizeof s->text - s->len, format, list);
    va_end(list);
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "\n");
}

static void narrate(struct story *s, const struct message *m) {
    const struct report *r = &m->report;
    const char *name = verb_name(m->verb);
    if (m->verb == VERB_DRAIN) tell(s, "DRAIN");
    else if (m->verb == VERB_CHECKPOINT)
        tell(s, "%s %llu@%llu \"%.*s\"", name, (unsigned long long)r->task,
             (unsigned long long)r->epoch, (int)r->data.len, (const char *)r->data.data);
    else if (r->text.len || r->data.len)
        tell(s, "%s %llu@%llu %.*s%.*s", name, (unsigned long long)r->task,
             (unsigned long long)r->epoch, (int)r->text.len, (const char *)r->text.data,
             (int)r->data.len, (const char *)r->data.data);
    else
        tell(s, "%s %llu@%llu", name, (unsigned long long)r->task, (unsigned long long)r->epoch);
}

/* What waits is sent, as the dealer would: frame by frame, read back from its bytes. */
static void flush(struct story *s) {
    struct batch out = {0};
    struct buffer bytes = {0};
    struct frame f;
    struct message m;
    enum code code;
    if (s->session.contact.state != CONTACT_LINKED) return;
    batch_take(&s->session.batch, &out);
    while (batch_frame(&out, &bytes, s->session.contact.link, 256, 1 << 20)) {
        if (frame_read(&f, bytes.data, bytes.len, 256) != CODE_OK) tell(s, "a broken frame");
        while (message_next(&f, &m, &code)) narrate(s, &m);
    }
    batch_free(&out);
    buffer_free(&bytes);
}

static void say_hello(struct story *s) {
    struct buffer held = {0};
    struct message m;
    char list[256] = "";
    session_hello(&s->session, &m, &held);
    for (uint32_t i = 0; i < m.hello.held_count; i++) {
        struct held h = held_at(&m.hello, i);
        size_t len = strlen(list);
        snprintf(list + len, sizeof list - len, " %llu@%llu/%u%s", (unsigned long long)h.task,
                 (unsigned long long)h.epoch, h.checkpoint, h.started ? "*" : "");
    }
    tell(s, "HELLO slots %u held:%s", m.hello.slots, list);
    buffer_free(&held);
}

static void due(struct story *s) {
    enum contact_due due;
    uint64_t number;
    while ((due = session_due(&s->session, s->now, &number)) != DUE_NOTHING) {
        if (due == DUE_OPEN) {
            tell(s, "(opens a connection)");
            contact_opened(&s->session.contact, s->now);
        }
        if (due == DUE_HELLO) say_hello(s);
        if (due == DUE_BEAT) tell(s, "BEAT %llu", (unsigned long long)number);
    }
    flush(s);
}

/* Lets time pass, waking whenever the session asks for it. */
static void wait_until(struct story *s, int64_t at) {
    for (uint32_t rounds = 0; rounds < 100; rounds++) {
        int64_t wake = session_wake_ms(&s->session);
        if (wake > at) break;
        if (wake > s->now) s->now = wake;
        due(s);
    }
    s->now = at;
    due(s);
}

static void hear(struct story *s, const struct message *m) {
    session_message(&s->session, m, s->now);
    due(s);
}

static void welcome(struct story *s, uint32_t link, const struct verdict_row *rows,
                    uint32_t count) {
    struct buffer b = {0};
    struct message m = {.verb = VERB_WELCOME};
    for (uint32_t i = 0; i < count; i++) verdict_put(&b, rows[i]);
    m.welcome = (struct welcome){.link = link, .beat_ms = 2000, .suspect_ms = 6000,
                                 .doubt_ms = 10000, .lost_ms = 15000, .payload_max = 1000,
                                 .verdicts = buffer_slice(&b), .verdict_count = count};
    hear(s, &m);
    buffer_free(&b);
}

static void task(struct story *s, uint64_t id, uint64_t epoch) {
    struct message m = {.verb = VERB_TASK};
    m.task = (struct delivery){.task = id, .epoch = epoch, .queue = slice_text("q"),
                               .type = slice_text("t"), .payload = slice_text("work"),
                               .attempt = 1, .run = 1};
    hear(s, &m);
}

static void settled(struct story *s, uint64_t id, uint64_t epoch, enum code code) {
    hear(s, &(struct message){.verb = VERB_SETTLED,
                              .settled = {.task = id, .epoch = epoch, .code = code}});
}

static void order(struct story *s, enum verb verb, uint64_t id, uint64_t epoch, enum reason why) {
    hear(s, &(struct message){.verb = verb,
                              .stop = {.task = id, .epoch = epoch, .reason = (uint8_t)why}});
}

static struct job *begin(struct story *s) {
    struct job *j = session_next(&s->session, s->now);
    flush(s);
    return j;
}

static void finish(struct story *s, struct job *j, enum verb verb, const char *text) {
    struct message m = {.verb = verb};
    if (verb == VERB_DONE) m.report.data = slice_text(text);
    else m.report.text = slice_text(text);
    session_report(&s->session, j, &m, s->now);
    flush(s);
}

static void open_with(struct story *s, uint32_t slots, bool implied, bool stop_in_doubt) {
    static struct session_options options;
    *s = (struct story){.now = 0};
    options = (struct session_options){.name = slice_text("w"), .boot = 1, .slots = slots,
                                       .implied = implied, .stop_in_doubt = stop_in_doubt};
    if (!session_init(&s->session, &options, 1, 0)) abort();
    due(s);
    s->now = 100;
    welcome(s, 7, NULL, 0);
}

static void told(struct story *s, const char *want, const char *fact) {
    is_text(s->text, want, fact);
    session_free(&s->session);
}

#define OPENED "[    0] (opens a connection)\n[    0] HELLO slots 2 held:\n"

static void a_task_is_started_done_and_settled(void) {
    static struct story s;
    open_with(&s, 2, false, false);
    task(&s, 5, 50);
    struct job *j = begin(&s);
    ok(j && j->task.id == 5 && strcmp(j->task.queue, "q") == 0 && j->task.payload_len == 4,
       "the delivered task is handed out");
    ok(!begin(&s), "once");
    s.now = 300;
    finish(&s, j, VERB_DONE, "result");
    is_int(s.session.reported_count, 1, "the report is kept until SETTLED");
    settled(&s, 5, 50, CODE_OK);
    is_int(s.session.reported_count, 0, "then forgotten");
    is_int(s.session.done, 1, "and counted");
    settled(&s, 5, 50, CODE_OK);
    told(&s, OPENED "[  100] START 5@50\n[  300] DONE 5@50 result\n", "START, DONE, nothing more");
}

static void implied_start_says_no_start(void) {
    static struct story s;
    open_with(&s, 2, true, false);
    task(&s, 5, 50);
    finish(&s, begin(&s), VERB_DONE, "r");
    told(&s, OPENED "[  100] DONE 5@50 r\n", "with implied start only DONE is said");
}

static void no_more_than_its_slots(void) {
    static struct story s;
    open_with(&s, 2, true, false);
    for (uint64_t i = 1; i <= 3; i++) task(&s, i, 10 * i);
    task(&s, 3, 30);
    struct job *first = begin(&s);
    ok(first && begin(&s) && !begin(&s), "two slots run two of the three that are held");
    finish(&s, first, VERB_DONE, "a");
    struct job *third = begin(&s);
    ok(third && third->task.id == 3, "the third follows when one has ended");
    ok(!begin(&s), "a delivery that came twice is taken once");
    session_free(&s.session);
}

static void a_result_is_said_again_after_a_reconnect(void) {
    static struct story s;
    open_with(&s, 2, false, false);
    task(&s, 5, 50);
    task(&s, 6, 60);
    struct job *five = begin(&s), *six = begin(&s);
    (void)six;
    finish(&s, five, VERB_DONE, "result");
    s.now = 1000;
    session_down(&s.session, s.now);
    wait_until(&s, 1300);
    welcome(&s, 8, (struct verdict_row[]){{5, 50, VERDICT_KEEP}, {6, 60, VERDICT_KEEP}}, 2);
    settled(&s, 5, 50, CODE_OK);
    told(&s, OPENED
         "[  100] START 5@50\n[  100] START 6@60\n[  100] DONE 5@50 result\n"
         "[ 1200] (opens a connection)\n[ 1200] HELLO slots 2 held: 6@60/0* 5@50/0*\n"
         "[ 1300] DONE 5@50 result\n",
         "HELLO offers what is held, and the result is replayed");
}

static void verdicts_are_obeyed(void) {
    static struct story s;
    open_with(&s, 2, false, false);
    task(&s, 5, 50);
    task(&s, 6, 60);
    task(&s, 7, 70);
    struct job *five = begin(&s), *six = begin(&s);
    finish(&s, six, VERB_DONE, "r");
    hear(&s, &(struct message){.verb = VERB_RESYNC});
    hear(&s, &(struct message){.verb = VERB_RESYNC}); /* for a frame sent before the HELLO */
    welcome(&s, 9, (struct verdict_row[]){{5, 50, VERDICT_STOP}, {6, 60, VERDICT_SETTLED},
                                          {7, 70, VERDICT_STOP}}, 3);
    is_int(five->stop, REASON_LEASE_LOST, "stop: the running one is told why");
    is_int(s.session.reported_count, 0, "settled: the report is forgotten");
    is_int(s.session.ready_count, 0, "stop: an unstarted one is dropped");
    finish(&s, five, VERB_DONE, "too late");
    settled(&s, 5, 50, CODE_ATTEMPT_SUPERSEDED);
    is_int(s.session.superseded, 1, "and the answer is counted as superseded");
    told(&s, OPENED
         "[  100] START 5@50\n[  100] START 6@60\n[  100] DONE 6@60 r\n"
         "[  100] HELLO slots 2 held: 5@50/0* 7@70/0 6@60/0*\n[  100] STOPPED 5@50\n",
         "RESYNC is answered by one HELLO at once; a stopped task's DONE is said as STOPPED");
}

static void stop_is_acknowledged(void) {
    static struct story s;
    open_with(&s, 2, false, false);
    task(&s, 5, 50);
    struct job *j = begin(&s);
    order(&s, VERB_STOP, 5, 50, REASON_CANCELLED);
    order(&s, VERB_STOP, 5, 50, REASON_CANCELLED);
    is_int(j->stop, REASON_CANCELLED, "the work is told to stop");
    finish(&s, j, VERB_FAIL, "ended");
    order(&s, VERB_STOP, 99, 990, REASON_CANCELLED);
    task(&s, 6, 60);
    order(&s, VERB_STOP, 6, 60, REASON_CANCELLED);
    told(&s, OPENED
         "[  100] START 5@50\n[  100] STOPPED 5@50\n[  100] STOPPED 99@990\n"
         "[  100] STOPPED 6@60\n",
         "STOPPED comes when the work has ended, at once for what is not held or not started");
}

static void recall_takes_back_what_has_not_started(void) {
    static struct story s;
    open_with(&s, 2, false, false);
    task(&s, 5, 50);
    task(&s, 6, 60);
    begin(&s);
    order(&s, VERB_RECALL, 5, 50, 0);
    order(&s, VERB_RECALL, 6, 60, 0);
    ok(!begin(&s), "a recalled task is not started");
    told(&s, OPENED "[  100] START 5@50\n[  100] RELEASE 6@60\n",
         "RELEASE for the waiting one, silence for the running one");
}

static void checkpoints_are_repeated_until_acknowledged(void) {
    static struct story s;
    open_with(&s, 2, false, false);
    task(&s, 5, 50);
    struct job *j = begin(&s);
    is_int(session_checkpoint(&s.session, j, slice_text("n"), slice_text("half")), 1,
           "a checkpoint begins");
    flush(&s);
    struct message okay = {.verb = VERB_CHECKPOINT_OK,
                           .checkpoint_ok = {.task = 5, .epoch = 50, .seq = 7}};
    uint64_t first = okay.checkpoint_ok.number = j->point_number;
    hear(&s, &okay);
    is_int(j->checkpoint, 7, "acknowledged, with the broker's sequence");
    session_checkpoint(&s.session, j, slice_text("n"), slice_text("more"));
    flush(&s);
    session_down(&s.session, s.now);
    wait_until(&s, 300);
    welcome(&s, 8, (struct verdict_row[]){{5, 50, VERDICT_KEEP}}, 1);
    okay.checkpoint_ok.number = first;
    okay.checkpoint_ok.seq = 8;
    hear(&s, &okay);
    is_int(j->checkpoint, 7, "an old answer acknowledges nothing new");
    ok(j->pointed < j->points, "the second is still under way");
    okay.checkpoint_ok.number = j->point_number;
    hear(&s, &okay);
    ok(j->checkpoint == 8 && j->pointed == j->points, "the right one does");
    session_checkpoint(&s.session, j, slice_text("n"), slice_text("late"));
    okay.checkpoint_ok = (struct checkpoint_ok){.task = 5, .epoch = 50, .number = j->point_number,
                                                .code = CODE_ATTEMPT_SUPERSEDED};
    hear(&s, &okay);
    is_int(j->stop, REASON_LEASE_LOST, "a superseded attempt is told to stop");
    told(&s, OPENED
         "[  100] START 5@50\n[  100] CHECKPOINT 5@50 \"half\"\n"
         "[  100] CHECKPOINT 5@50 \"more\"\n"
         "[  300] (opens a connection)\n[  300] HELLO slots 2 held: 5@50/7*\n"
         "[  300] CHECKPOINT 5@50 \"more\"\n[  300] CHECKPOINT 5@50 \"late\"\n",
         "the unanswered checkpoint goes over the new link too");
}

static struct message part_answer(uint64_t number, enum code code) {
    return (struct message){.verb = VERB_ANSWER, .answer = {.number = number, .code = code}};
}

static void parts_are_repeated_until_acknowledged(void) {
    static struct story s;
    struct message okay;
    open_with(&s, 2, false, false);
    task(&s, 5, 50);
    struct job *j = begin(&s);
    is_int(session_part(&s.session, j, 1, slice_text("hello")), 1, "a part begins");
    flush(&s);
    uint64_t first = j->part_number;
    okay = part_answer(first, CODE_OK);
    hear(&s, &okay);
    ok(j->parted == 1 && j->part_code == CODE_OK, "it is acknowledged by its number");
    session_part(&s.session, j, 2, slice_text("world"));
    flush(&s);
    session_down(&s.session, s.now);
    wait_until(&s, 300);
    welcome(&s, 8, (struct verdict_row[]){{5, 50, VERDICT_KEEP}}, 1);
    hear(&s, &okay);
    is_int(j->parted, 1, "an old answer acknowledges nothing new");
    is_int(j->part_seq, 2, "the part keeps its place in the result");
    okay = part_answer(j->part_number, CODE_OK);
    hear(&s, &okay);
    is_int(j->parted, 2, "the right one does");
    session_part(&s.session, j, 3, slice_text("late"));
    okay = part_answer(j->part_number, CODE_ATTEMPT_SUPERSEDED);
    hear(&s, &okay);
    is_int(j->stop, REASON_LEASE_LOST, "a superseded attempt is told to stop");
    told(&s, OPENED
         "[  100] START 5@50\n[  100] LOG 5@50 hello\n[  100] LOG 5@50 world\n"
         "[  300] (opens a connection)\n[  300] HELLO slots 2 held: 5@50/0*\n"
         "[  300] LOG 5@50 world\n[  300] LOG 5@50 late\n",
         "the unanswered part goes over the new link too");
}

static void parts_are_answered_and_log_lines_are_not(void) {
    struct batch b = {0}, out = {0};
    struct buffer bytes = {0};
    struct frame f;
    struct message line = {.verb = VERB_LOG}, part = {.verb = VERB_LOG};
    line.report = (struct report){.task = 1, .epoch = 2, .level = 1, .text = slice_text("line")};
    part.report = (struct report){.task = 1, .epoch = 2, .level = LOG_PART, .seq = 1,
                                  .text = slice_text("part")};
    batch_put(&b, &line);
    uint64_t number = batch_put_part(&b, &part);
    batch_take(&b, &out);
    batch_frame(&out, &bytes, 3, 256, 1 << 20);
    ok(frame_read(&f, bytes.data, bytes.len, 256) == CODE_OK && f.verb == VERB_LOG &&
           f.request == 0, "a log line asks for no answer");
    batch_frame(&out, &bytes, 3, 256, 1 << 20);
    ok(frame_read(&f, bytes.data, bytes.len, 256) == CODE_OK && f.verb == VERB_LOG &&
           f.request == number, "a part travels apart, under its own number");
    batch_free(&b);
    batch_free(&out);
    buffer_free(&bytes);
}

static void beats_answer(struct story *s) {
    hear(s, &(struct message){.verb = VERB_BEAT, .number = s->session.contact.beat});
}

static void doubt_starts_nothing_new(void) {
    static struct story s;
    open_with(&s, 2, false, false);
    task(&s, 5, 50);
    struct job *j = begin(&s);
    task(&s, 6, 60);
    wait_until(&s, 2300); /* one beat was sent at about 2000 */
    beats_answer(&s);
    int64_t sent = s.session.contact.answered_ms;
    ok(sent > 1500 && sent < 2300, "life counts from the sending of the answered beat");
    s.now = sent + 9999;
    ok(!contact_in_doubt(&s.session.contact, s.now), "9.999 s after it there is no doubt");
    s.now = sent + 10000;
    due(&s);
    ok(contact_in_doubt(&s.session.contact, s.now), "at 10 s there is");
    ok(!begin(&s), "nothing new is started in doubt");
    is_int(j->stop, 0, "what runs goes on");
    beats_answer(&s);
    ok(begin(&s) != NULL, "an answered beat ends the doubt");
    session_free(&s.session);
}

static void doubt_can_stop_what_runs(void) {
    static struct story s;
    open_with(&s, 2, false, true);
    task(&s, 5, 50);
    struct job *j = begin(&s);
    s.now = 10000; /* the HELLO was sent at 0 and is the newest answered sign of life */
    due(&s);
    is_int(j->stop, REASON_LEASE_LOST, "at 10 s the running task is told to stop");
    finish(&s, j, VERB_FAIL, "stopped");
    ok(strstr(s.text, "RELEASE 5@50") != NULL, "and is handed back, for no broker asked for it");
    session_free(&s.session);
}

static void silence_opens_a_new_connection(void) {
    static struct story s;
    open_with(&s, 2, false, false);
    s.len = 0;
    wait_until(&s, 20000);
    ok(strstr(s.text, "BEAT 2") && strstr(s.text, "BEAT 7"), "beats go out about every 2 s");
    const char *opens = strstr(s.text, "(opens");
    ok(opens && strstr(opens, "HELLO"), "15 s without an answer: a new connection and HELLO");
    int64_t at = opens ? strtoll(opens - 7, NULL, 10) : 0;
    ok(at >= 15000 && at < 17300, "not before");
    session_free(&s.session);
}

static void an_unanswered_hello_is_said_anew(void) {
    static struct story s = {.now = 0};
    static struct session_options options = {.slots = 2};
    ok(session_init(&s.session, &options, 1, 0), "a session begins");
    wait_until(&s, 6500);
    told(&s, OPENED
         "[ 3000] (opens a connection)\n[ 3000] HELLO slots 2 held:\n"
         "[ 6000] (opens a connection)\n[ 6000] HELLO slots 2 held:\n",
         "every 3 s over a fresh connection");
}

static void a_refused_hello_waits(void) {
    static struct story s = {.now = 0};
    static struct session_options options = {.slots = 2};
    session_init(&s.session, &options, 1, 0);
    due(&s);
    struct message m = {.verb = VERB_REFUSED,
                        .refused = {.number = 1, .code = CODE_FORBIDDEN, .retry_ms = 4000}};
    hear(&s, &m);
    is_int(s.session.contact.refused, CODE_FORBIDDEN, "the refusal is kept");
    wait_until(&s, 4100);
    told(&s, OPENED "[ 4000] (opens a connection)\n[ 4000] HELLO slots 2 held:\n",
         "and HELLO is tried again after its time");
}

static void busy_reports_are_said_again(void) {
    static struct story s;
    open_with(&s, 2, true, false);
    task(&s, 5, 50);
    struct job *j = begin(&s);
    finish(&s, j, VERB_DONE, "r");
    hear(&s, &(struct message){.verb = VERB_REFUSED, .refused = {
        .number = j->number, .code = CODE_BUSY, .retry_ms = 500}});
    wait_until(&s, 700);
    told(&s, OPENED "[  100] DONE 5@50 r\n[  600] DONE 5@50 r\n", "after retry_ms");
    open_with(&s, 2, true, false);
    task(&s, 5, 50);
    finish(&s, begin(&s), VERB_DONE, "r");
    for (int64_t at = 1000; at <= 15200; at += 100) { /* the link lives, only SETTLED is missing */
        wait_until(&s, at);
        beats_answer(&s);
    }
    const char *again = strstr(s.text, "[15100] DONE 5@50 r");
    ok(again != NULL, "a report without any answer is said again after 15 s");
    session_free(&s.session);
}

static void a_result_that_is_never_taken_fails_the_task(void) {
    static struct story s;
    char large[1100];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    open_with(&s, 2, true, false);
    task(&s, 5, 50);
    task(&s, 6, 60);
    finish(&s, begin(&s), VERB_DONE, large);
    finish(&s, begin(&s), VERB_DONE, "r");
    settled(&s, 6, 60, CODE_VALIDATION_ERROR);
    is_int(s.session.reported_count, 2, "the failure now waits for its answer");
    settled(&s, 6, 60, CODE_FORBIDDEN);
    is_int(s.session.reported_count, 1, "and is said only once");
    told(&s, OPENED
         "[  100] FAIL 5@50 the result is over the size limit: send it as a file\n"
         "[  100] DONE 6@60 r\n"
         "[  100] FAIL 6@60 the broker refused the report: the request is not valid\n",
         "permanently, with the reason");
}

static void texts_are_made_fit_to_be_shown(void) {
    static struct story s;
    open_with(&s, 2, true, false);
    task(&s, 5, 50);
    finish(&s, begin(&s), VERB_FAIL, "caf\xc3\xa9 \xff\xfe end");
    told(&s, OPENED "[  100] FAIL 5@50 caf\xc3\xa9 ?? end\n", "bytes that are no UTF-8 become '?'");
}

static void drain_hands_back_what_waits(void) {
    static struct story s;
    open_with(&s, 2, false, false);
    task(&s, 5, 50);
    task(&s, 6, 60);
    task(&s, 7, 70);
    struct job *j = begin(&s);
    session_drain(&s.session, s.now);
    flush(&s);
    task(&s, 8, 80);
    ok(!begin(&s), "nothing is started any more");
    finish(&s, j, VERB_DONE, "r");
    told(&s, OPENED
         "[  100] START 5@50\n[  100] DRAIN\n[  100] RELEASE 6@60\n[  100] RELEASE 7@70\n"
         "[  100] RELEASE 8@80\n[  100] DONE 5@50 r\n",
         "what runs is finished");
    open_with(&s, 2, true, false);
    task(&s, 5, 50);
    j = begin(&s);
    session_stop(&s.session, s.now);
    is_int(j->stop, REASON_RELEASED, "stop tells the running ones too");
    finish(&s, j, VERB_FAIL, "x");
    ok(strstr(s.text, "RELEASE 5@50") != NULL, "and hands them back");
    session_free(&s.session);
}

static void batches_hold_whatever_waits(void) {
    struct batch b = {0}, out = {0};
    struct buffer bytes = {0};
    struct frame f;
    struct message m = {.verb = VERB_DONE};
    uint64_t first = batch_next(&b, VERB_DONE);
    for (uint32_t i = 0; i < 5; i++) {
        m.report = (struct report){.task = i, .epoch = i, .data = slice_text("0123456789")};
        batch_put(&b, &m);
    }
    m.verb = VERB_START;
    batch_put(&b, &m);
    batch_take(&b, &out);
    ok(batch_frame(&out, &bytes, 3, 4, 1 << 20) &&
       frame_read(&f, bytes.data, bytes.len, 256) == CODE_OK && f.verb == VERB_START &&
       f.count == 1 && f.request == 0 && f.link == 3, "START leaves first, without a number");
    ok(batch_frame(&out, &bytes, 3, 4, 1 << 20) &&
       frame_read(&f, bytes.data, bytes.len, 256) == CODE_OK && f.verb == VERB_DONE &&
       f.count == 4 && f.request == first, "then as many as one frame may have");
    ok(batch_frame(&out, &bytes, 3, 4, 1 << 20) &&
       frame_read(&f, bytes.data, bytes.len, 256) == CODE_OK && f.count == 1 &&
       f.request == first + 4, "then the rest, whose numbers go on");
    ok(!batch_frame(&out, &bytes, 3, 4, 1 << 20), "and no more");
    is_int((int64_t)batch_next(&b, VERB_DONE), (int64_t)first + 5, "numbers are used once");
    m.verb = VERB_DONE;
    for (uint32_t i = 0; i < 3; i++) batch_put(&b, &m);
    batch_take(&b, &out);
    uint32_t frames = 0;
    while (batch_frame(&out, &bytes, 3, 256, 20)) frames++;
    is_int(frames, 3, "a frame ends at its size limit");
    batch_free(&b);
    batch_free(&out);
    buffer_free(&bytes);
}

int main(void) {
    a_task_is_started_done_and_settled();
    implied_start_says_no_start();
    no_more_than_its_slots();
    a_result_is_said_again_after_a_reconnect();
    verdicts_are_obeyed();
    stop_is_acknowledged();
    recall_takes_back_what_has_not_started();
    checkpoints_are_repeated_until_acknowledged();
    parts_are_repeated_until_acknowledged();
    parts_are_answered_and_log_lines_are_not();
    doubt_starts_nothing_new();
    doubt_can_stop_what_runs();
    silence_opens_a_new_connection();
    an_unanswered_hello_is_said_anew();
    a_refused_hello_waits();
    busy_reports_are_said_again();
    a_result_that_is_never_taken_fails_the_task();
    texts_are_made_fit_to_be_shown();
    drain_hands_back_what_waits();
    batches_hold_whatever_waits();
    return done();
}
