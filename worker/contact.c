#include "worker/contact.h"

/* HELLO is number 1 of every connection; beats count on from 2. */
enum { HELLO_NUMBER = 1 };

void contact_init(struct contact *c, uint64_t seed, int64_t now_ms) {
    *c = (struct contact){.beat_ms = 2000, .doubt_ms = 10000, .lost_ms = 15000,
                          .payload_max = 65536, .batch_max = 256, .frame_max = 4 << 20,
                          .beat = HELLO_NUMBER, .next_ms = now_ms,
                          .random = random_seed(seed)};
}

static void absent(struct contact *c, int64_t next_ms) {
    c->state = CONTACT_ABSENT;
    c->link = 0;
    c->next_ms = next_ms;
}

static void greeting(struct contact *c, int64_t next_ms) {
    c->state = CONTACT_GREETING;
    c->link = 0;
    c->greeted = false;
    c->next_ms = next_ms;
}

static void beat_next(struct contact *c, int64_t now_ms) {
    c->next_ms = now_ms + (int64_t)random_around(&c->random, c->beat_ms, 10);
}

static int64_t patience(const struct contact *c) {
    return c->lost_ms < GREET_MS ? c->lost_ms : GREET_MS;
}

static bool silent(const struct contact *c, int64_t now_ms) {
    return now_ms - c->answered_ms >= c->lost_ms;
}

enum contact_due contact_due(struct contact *c, int64_t now_ms, uint64_t *number) {
    if (now_ms < c->next_ms) return DUE_NOTHING;
    if (c->state == CONTACT_ABSENT) return DUE_OPEN;
    if (c->state == CONTACT_GREETING && !c->greeted) {
        c->greeted = true;
        c->hello_ms = now_ms;
        c->next_ms = now_ms + patience(c);
        *number = HELLO_NUMBER;
        return DUE_HELLO;
    }
    if (c->state == CONTACT_GREETING || silent(c, now_ms)) {
        absent(c, now_ms);
        return DUE_OPEN;
    }
    *number = ++c->beat;
    c->sent_ms[c->beat % BEATS_OPEN] = now_ms;
    beat_next(c, now_ms);
    return DUE_BEAT;
}

void contact_opened(struct contact *c, int64_t now_ms) { greeting(c, now_ms); }

void contact_up(struct contact *c, int64_t now_ms) {
    if (c->state == CONTACT_GREETING && c->greeted && !c->refused)
        c->next_ms = now_ms + patience(c);
}

void contact_down(struct contact *c, int64_t now_ms) {
    if (c->state != CONTACT_ABSENT) absent(c, now_ms + REOPEN_MS);
}

static void answered(struct contact *c, int64_t sent_ms) {
    if (!c->known || sent_ms > c->answered_ms) c->answered_ms = sent_ms;
    c->known = true;
}

static bool welcome(struct contact *c, const struct welcome *w, int64_t now_ms) {
    if (c->state != CONTACT_GREETING || !c->greeted || w->link == 0) return false;
    c->state = CONTACT_LINKED;
    c->link = w->link;
    c->incarnation = w->incarnation;
    c->refused = CODE_OK;
    if (w->beat_ms) c->beat_ms = w->beat_ms;
    if (w->suspect_ms) c->suspect_ms = w->suspect_ms;
    if (w->doubt_ms) c->doubt_ms = w->doubt_ms;
    if (w->lost_ms) c->lost_ms = w->lost_ms;
    if (w->payload_max) c->payload_max = w->payload_max;
    if (w->batch_max) c->batch_max = w->batch_max;
    if (w->frame_max) c->frame_max = w->frame_max;
    answered(c, c->hello_ms);
    beat_next(c, now_ms);
    return true;
}

bool contact_message(struct contact *c, const struct message *m, int64_t now_ms) {
    if (m->verb == VERB_WELCOME) return welcome(c, &m->welcome, now_ms);
    if (m->verb == VERB_RESYNC && c->state == CONTACT_LINKED) greeting(c, now_ms);
    if (m->verb == VERB_BEAT && c->state == CONTACT_LINKED && m->number > HELLO_NUMBER &&
        m->number <= c->beat && c->beat - m->number < BEATS_OPEN)
        answered(c, c->sent_ms[m->number % BEATS_OPEN]);
    if (m->verb == VERB_REFUSED && c->state == CONTACT_GREETING && c->greeted &&
        m->refused.number == HELLO_NUMBER) {
        int64_t wait = m->refused.retry_ms ? m->refused.retry_ms : REFUSED_MS;
        c->refused = m->refused.code;
        absent(c, now_ms + wait);
    }
    return false;
}

int64_t contact_wake_ms(const struct contact *c) { return c->next_ms; }

bool contact_in_doubt(const struct contact *c, int64_t now_ms) {
    return now_ms >= contact_doubt_ms(c);
}

int64_t contact_doubt_ms(const struct contact *c) {
    return c->known ? c->answered_ms + c->doubt_ms : INT64_MAX;
}

enum code contact_hopeless(const struct contact *c) {
    bool final = c->refused == CODE_UNAUTHORIZED || c->refused == CODE_FORBIDDEN ||
                 c->refused == CODE_BAD_VERSION || c->refused == CODE_VALIDATION_ERROR;
    return final && c->state != CONTACT_LINKED ? c->refused : CODE_OK;
}
