#include "broker/core/effect.h"
#include <stdlib.h>

enum { CHUNK_SIZE = 64 * 1024 };

static void *grow(void *array, uint32_t count, uint32_t *cap, size_t size) {
    if (count < *cap) return array;
    uint32_t more = *cap ? *cap * 2 : 64;
    void *bigger = realloc(array, more * size);
    assert(bigger != NULL);
    *cap = more;
    return bigger;
}

static struct message *say_put(struct core *c, uint32_t peer, enum verb verb, uint64_t number,
                               bool now) {
    struct effects *fx = c->fx;
    fx->says = grow(fx->says, fx->say_count, &fx->say_cap, sizeof *fx->says);
    struct say *s = &fx->says[fx->say_count++];
    s->peer = peer;
    s->now = now || core_bug(c, BUG_ACK_BEFORE_COMMIT);
    s->fills = false;
    s->message.verb = verb;
    s->message.number = number;
    return &s->message;
}

struct message *say(struct core *c, uint32_t peer, enum verb verb, uint64_t number) {
    return say_put(c, peer, verb, number, false);
}

struct message *say_now(struct core *c, uint32_t peer, enum verb verb, uint64_t number) {
    return say_put(c, peer, verb, number, true);
}

static enum verb answer_verb(enum verb verb) {
    switch ((int)verb) {
#define VERB(name, number, direction, answer, sentence) \
    case VERB_##name: return VERB_##answer;
#include "proto/verb.def"
#undef VERB
    default: return VERB_NONE;
    }
}

void say_code(struct core *c, const struct event *e, enum code code, struct slice text) {
    const struct message *m = e->message;
    enum verb verb = answer_verb(m->verb);
    struct message *s;
    if (verb == VERB_SUBMITTED) {
        s = say(c, e->peer, verb, m->number);
        s->submitted = (struct submitted){.number = m->number, .code = code, .text = text};
    } else if (verb == VERB_VIEW) {
        s = say(c, e->peer, verb, m->number);
        s->view = (struct view){.number = m->number, .code = code, .text = text};
    } else if (verb == VERB_SETTLED) {
        s = say(c, e->peer, verb, m->number);
        s->settled = (struct settled){.task = m->report.task, .epoch = m->report.epoch,
                                      .number = m->number, .code = code};
    } else if (verb == VERB_CHECKPOINT_OK) {
        s = say(c, e->peer, verb, m->number);
        s->checkpoint_ok = (struct checkpoint_ok){.task = m->report.task,
            .epoch = m->report.epoch, .number = m->number, .code = code};
    } else if (verb == VERB_ROWS) {
        s = say(c, e->peer, verb, m->number);
        s->rows = (struct rows){.number = m->number, .code = code, .text = text};
    } else if (verb == VERB_ANSWER) {
        say_answer(c, e, code, text);
    } else {
        s = say(c, e->peer, VERB_REFUSED, m->number);
        s->refused = (struct busy){.number = m->number, .code = code, .text = text};
    }
    if (code != CODE_OK) c->stats.refused++;
}

void say_answer(struct core *c, const struct event *e, enum code code, struct slice body) {
    struct message *s = say(c, e->peer, VERB_ANSWER, e->message->number);
    s->answer = (struct answer){.number = e->message->number, .code = code, .body = body};
}

struct record *note(struct core *c, enum record_kind kind) {
    c->notes = grow(c->notes, c->note_count, &c->note_cap, sizeof *c->notes);
    struct record *r = &c->notes[c->note_count++];
    memset(r, 0, sizeof *r);
    r->kind = kind;
    return r;
}

struct slice note_keep(struct core *c, struct slice bytes) {
    if (bytes.len == 0) return (struct slice){0};
    struct chunk *chunk = c->chunks;
    if (!chunk || chunk->size - chunk->used < bytes.len) {
        size_t size = bytes.len > CHUNK_SIZE ? bytes.len : CHUNK_SIZE;
        chunk = malloc(sizeof *chunk + size);
        assert(chunk != NULL);
        *chunk = (struct chunk){.next = c->chunks, .size = size};
        c->chunks = chunk;
    }
    uint8_t *at = chunk->bytes + chunk->used;
    memcpy(at, bytes.data, bytes.len);
    chunk->used += bytes.len;
    return slice_of(at, bytes.len);
}

struct record *record_put(struct core *c, enum record_kind kind) {
    struct effects *fx = c->fx;
    if (fx->take && fx->record_count == RECORDS_AT_ONCE) {
        fx->take(fx->context, fx);
        assert(fx->record_count == 0);
    }
    fx->records = grow(fx->records, fx->record_count, &fx->record_cap, sizeof *fx->records);
    struct record *r = &fx->records[fx->record_count++];
    r->kind = kind;
    r->was = (struct was){0};
    return r;
}

struct need *need_put(struct core *c) {
    struct effects *fx = c->fx;
    fx->needs = grow(fx->needs, fx->need_count, &fx->need_cap, sizeof *fx->needs);
    return &fx->needs[fx->need_count++];
}

void note_clear(struct core *c) {
    c->note_count = 0;
    while (c->chunks && (c->chunks->next || c->chunks->size > CHUNK_SIZE)) {
        struct chunk *next = c->chunks->next;
        free(c->chunks);
        c->chunks = next;
    }
    if (c->chunks) c->chunks->used = 0;
}

void note_free(struct core *c) {
    note_clear(c);
    free(c->chunks);
    free(c->notes);
    c->chunks = NULL;
    c->notes = NULL;
}

void effects_clear(struct effects *fx) {
    fx->say_count = fx->record_count = fx->need_count = 0;
}

void effects_free(struct effects *fx) {
    free(fx->says);
    free(fx->records);
    free(fx->needs);
    *fx = (struct effects){.take = fx->take, .context = fx->context};
}
