/* script_schedule.c - schedules in a story.
 *
 *   c plan NAME expression=0_9_*_*_1-5 [zone= queue= type= payload= start=MS end=MS max= misfire=
 *               inactive owner= brand= kind=]     reserves a number, then creates; start and end
 *                                                 are from now
 *   c replan NAME [the same] [active|inactive version=]
 *   c runplan NAME [payload= high]   c readplan NAME   c unplan NAME
 *
 * A blank in an expression is written _. */
#include "proto/base/date.h"
#include "proto/schedule.h"
#include "tests/story/script.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t plan_called(const struct story *s, const char *name) {
    for (uint32_t i = s->plan_count; i-- > 0;)
        if (strcmp(s->plans[i].name, name) == 0) return s->plans[i].id;
    return strtoull(name, NULL, 10);
}

static struct slice expression(struct story *s) {
    struct slice text = story_text(s, "expression");
    buffer_clear(&s->bytes);
    for (uint32_t i = 0; i < text.len; i++)
        buffer_byte(&s->bytes, text.data[i] == '_' ? ' ' : text.data[i]);
    return buffer_slice(&s->bytes);
}

static void record_fill(struct story *s, struct schedule_ref *m) {
    struct schedule_record *r = &m->record;
    const struct { const char *key; uint32_t set; struct slice *text; } texts[] = {
        {"zone", SET_SCHEDULE_ZONE, &r->zone}, {"queue", SET_SCHEDULE_QUEUE, &r->queue},
        {"type", SET_SCHEDULE_TYPE, &r->type}, {"title", SET_SCHEDULE_NAME, &r->name},
        {"payload", SET_SCHEDULE_PAYLOAD, &r->payload}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (story_word(s, texts[i].key)) {
            *texts[i].text = story_text(s, texts[i].key);
            m->set |= texts[i].set;
        }
    if (story_word(s, "expression")) {
        r->expression = expression(s);
        m->set |= SET_SCHEDULE_EXPRESSION;
    }
    if (story_word(s, "start")) {
        r->start_ms = s->world.wall_ms + story_number(s, "start", 0);
        m->set |= SET_SCHEDULE_START;
    }
    if (story_word(s, "end")) {
        r->end_ms = s->world.wall_ms + story_number(s, "end", 0);
        m->set |= SET_SCHEDULE_END;
    }
    if (story_word(s, "max")) m->set |= SET_SCHEDULE_MAX;
    r->executions_max = (uint32_t)story_number(s, "max", 0);
    if (story_word(s, "misfire")) m->set |= SET_SCHEDULE_MISFIRE;
    r->misfire = (uint8_t)story_number(s, "misfire", 0);
    if (story_word(s, "high")) m->set |= SET_SCHEDULE_PRIORITY, r->priority = PRIORITY_HIGH;
    if (story_flag(s, "active") || story_flag(s, "inactive")) m->set |= SET_SCHEDULE_ACTIVE;
    r->active = story_flag(s, "active");
    r->kind = (uint8_t)story_number(s, "kind", 0);
    r->brand = (uint32_t)story_number(s, "brand", 0);
    r->version = (uint32_t)story_number(s, "version", 0);
}

bool story_schedule(struct story *s, struct actor *a, const char *verb, const char *name) {
    static const struct { const char *name; enum schedule_op op; } verbs[] = {
        {"plan", SCHEDULE_CREATE}, {"replan", SCHEDULE_CHANGE}, {"runplan", SCHEDULE_RUN},
        {"readplan", SCHEDULE_READ}, {"unplan", SCHEDULE_REMOVE}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, verb) != 0) continue;
        struct message m = {.verb = VERB_SCHEDULE};
        if (verbs[i].op == SCHEDULE_CREATE && plan_called(s, name) == 0) {
            m.number = ++s->number;
            m.schedule.op = SCHEDULE_RESERVE;
            m.schedule.record.brand = (uint32_t)story_number(s, "brand", 0);
            story_speak(s, a, &m);
            assert(s->plan_count < NAMES_MAX);
            s->plans[s->plan_count].id = s->reserved;
            snprintf(s->plans[s->plan_count++].name, NAME_BYTES, "%s", name);
            m = (struct message){.verb = VERB_SCHEDULE};
        }
        m.number = ++s->number;
        m.schedule.op = verbs[i].op;
        m.schedule.id = plan_called(s, name);
        record_fill(s, &m.schedule);
        if (verbs[i].op == SCHEDULE_CREATE && !story_word(s, "queue"))
            m.schedule.record.queue = slice_text("q"), m.schedule.set |= SET_SCHEDULE_QUEUE;
        story_speak(s, a, &m);
        return true;
    }
    return false;
}

static void put(struct buffer *b, const char *text) { buffer_append(b, text, strlen(text)); }

static void put_time(struct buffer *b, const char *before, int64_t ms) {
    char text[DATE_TEXT_MAX];
    if (ms == 0) return;
    date_format_s(ms, text);
    put(b, before);
    put(b, text);
}

bool tell_schedule(struct story *s, struct slice body, struct buffer *b) {
    struct schedule_record r;
    uint32_t at = 0;
    char text[96];
    if (!schedule_row_next(body, &at, &r)) return false;
    if (r.brand == 0) {
        s->reserved = r.id;
        put(b, " a number");
        return true;
    }
    for (uint32_t i = 0; i < s->plan_count; i++)
        if (s->plans[i].id == r.id) put(b, " "), put(b, s->plans[i].name);
    snprintf(text, sizeof text, " v%u", r.version);
    put(b, text);
    put_time(b, " next ", r.next_ms);
    put_time(b, " last ", r.last_ms);
    snprintf(text, sizeof text, " runs %u good %u bad %u%s", r.executions, r.succeeded, r.failed,
             r.active ? "" : " inactive");
    put(b, text);
    return true;
}
