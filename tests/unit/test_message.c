/* The wire: what is written can be read, and nothing a peer sends does harm. */
#include "proto/decode.h"
#include "proto/encode.h"
#include "proto/layout.h"
#include "proto/message.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <time.h>

static uint64_t seed = 1;
static uint64_t dice(void) { /* splitmix64 */
    uint64_t z = (seed += 0x9e3779b97f4a7c15U);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static const enum verb verbs[] = {
#define VERB(name, number, direction, answer, sentence) VERB_##name,
#include "proto/verb.def"
#undef VERB
};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

/* ---- a message whose every field is set by the dice, along the layout ---- */

static uint8_t texts[512];
static struct buffer lists[16];
static uint32_t list_used;

static struct slice text_any(void) { return slice_of(texts + dice() % 200, dice() % 300); }

static void list_fill(enum form form, struct slice *list, uint32_t count) {
    struct buffer *b = &lists[list_used++ % 16];
    buffer_clear(b);
    for (uint32_t i = 0; i < count; i++) {
        if (form == FORM_TEXTS) text_put(b, text_any());
        if (form == FORM_HELD)
            held_put(b, (struct held){dice(), dice(), (uint32_t)dice(), dice() & 1});
        if (form == FORM_VERDICTS)
            verdict_put(b, (struct verdict_row){dice(), dice(), (uint8_t)dice()});
        if (form == FORM_ATTEMPTS)
            attempt_put(b, &(struct attempt_record){
                .id = 7, .epoch = dice(), .started_ms = (int64_t)dice(), .ended_ms = 9,
                .run = (uint16_t)dice(), .attempt = 3, .reason = (uint8_t)dice(),
                .worker = text_any(), .message = text_any()});
        if (form == FORM_LOGS)
            log_put(b, &(struct log_record){.id = 7, .line = (uint32_t)dice(), .level = 2,
                                            .time_ms = (int64_t)dice(), .text = text_any()});
    }
    *list = buffer_slice(b);
}

static void fields_fill(const struct layout *l, uint8_t *base, uint32_t percent);

static void field_fill(const struct field *f, uint8_t *base, uint32_t percent) {
    void *at = base + f->at;
    uint32_t count = f->max ? 1 + (uint32_t)(dice() % (f->max < 9 ? f->max : 9)) : 0;
    switch ((enum form)f->form) {
    case FORM_U8: *(uint8_t *)at = (uint8_t)(1 + dice() % 255); break;
    case FORM_U16: *(uint16_t *)at = (uint16_t)(1 + dice() % 65535); break;
    case FORM_U32: *(uint32_t *)at = (uint32_t)(dice() >> (dice() % 32 + 32)) | 1; break;
    case FORM_U64: *(uint64_t *)at = dice() >> dice() % 64 | 1; break;
    case FORM_I64: *(int64_t *)at = (int64_t)(dice() | 1) >> dice() % 64; break;
    case FORM_AT: case FORM_DELAY: {
        struct options *o = at - offsetof(struct options, due_ms);
        o->due_ms = (int64_t)dice() >> 8;
        o->delay = f->form == FORM_DELAY;
        break;
    }
    case FORM_BOOL: case FORM_ORDER: *(bool *)at = true; break;
    case FORM_SMALL: *(int8_t *)at = (int8_t)(dice() % 128); break;
    case FORM_TEXT: case FORM_BIN: *(struct slice *)at = text_any(); break;
    case FORM_KIND: *(uint8_t *)at = (uint8_t)(1 + dice() % 3); break;
    case FORM_STATUSES: *(uint32_t *)at = (uint32_t)dice() & 0x1ff; break;
    case FORM_TEXTS: *(uint16_t *)(void *)(base + f->count_at) = (uint16_t)count;
        list_fill((enum form)f->form, at, count);
        break;
    case FORM_HELD: case FORM_VERDICTS: case FORM_ATTEMPTS: case FORM_LOGS:
        if (f->count_at) *(uint32_t *)(void *)(base + f->count_at) = count;
        list_fill((enum form)f->form, at, count);
        break;
    case FORM_MAP: case FORM_GROUP: fields_fill(f->sub, at, percent); break;
    case FORM_VIEW:
        if (((struct message *)(void *)base)->view.code)
            ((struct message *)(void *)base)->view.text = text_any();
        else
            fields_fill(f->sub, at, percent);
        break;
    }
}

static void fields_fill(const struct layout *l, uint8_t *base, uint32_t percent) {
    for (uint32_t i = 0; i < l->count; i++) {
        if (i >= l->required && dice() % 100 >= percent) continue;
        if (l->set_bytes == 1) base[l->set_at] |= (uint8_t)l->fields[i].set;
        if (l->set_bytes == 4) *(uint32_t *)(void *)(base + l->set_at) |= l->fields[i].set;
        field_fill(&l->fields[i], base, percent);
    }
}

static void message_fill(struct message *m, enum verb verb, uint32_t percent) {
    memset(m, 0, sizeof *m);
    m->verb = verb;
    item_default(m);
    list_used = 0;
    fields_fill(layout_of(verb), (uint8_t *)m, percent);
    if (verb == VERB_VIEW && dice() % 4) {
        memset(&m->view, 0, sizeof m->view);
        m->view.number = dice();
        fields_fill(&view_layout, (uint8_t *)m, percent);
        m->view.head.id = 7; /* as in the packed rows, whose id is not on the wire */
    }
}

/* ---- equality, along the layout ---- */

static bool fields_equal(const struct layout *l, const uint8_t *a, const uint8_t *b);

static bool field_equal(const struct field *f, const uint8_t *a, const uint8_t *b) {
    const void *x = a + f->at, *y = b + f->at;
    switch ((enum form)f->form) {
    case FORM_U8: case FORM_SMALL: case FORM_KIND: case FORM_BOOL: case FORM_ORDER:
        return memcmp(x, y, 1) == 0;
    case FORM_U16: return memcmp(x, y, 2) == 0;
    case FORM_U32: case FORM_STATUSES: return memcmp(x, y, 4) == 0;
    case FORM_U64: case FORM_I64: return memcmp(x, y, 8) == 0;
    case FORM_AT: case FORM_DELAY: {
        const struct options *o = (const void *)a, *p = (const void *)b;
        return o->due_ms == p->due_ms && o->delay == p->delay;
    }
    case FORM_TEXTS:
        if (memcmp(a + f->count_at, b + f->count_at, 2) != 0) return false;
        return slice_equal(*(const struct slice *)x, *(const struct slice *)y);
    case FORM_HELD: case FORM_VERDICTS: case FORM_ATTEMPTS: case FORM_LOGS:
        if (f->count_at && memcmp(a + f->count_at, b + f->count_at, 4) != 0) return false;
        return slice_equal(*(const struct slice *)x, *(const struct slice *)y);
    case FORM_TEXT: case FORM_BIN:
        return slice_equal(*(const struct slice *)x, *(const struct slice *)y);
    case FORM_MAP: case FORM_GROUP: return fields_equal(f->sub, x, y);
    case FORM_VIEW: {
        const struct message *m = (const void *)a, *n = (const void *)b;
        if (m->view.code) return slice_equal(m->view.text, n->view.text);
        return fields_equal(f->sub, x, y);
    }
    }
    return false;
}

static bool fields_equal(const struct layout *l, const uint8_t *a, const uint8_t *b) {
    if (memcmp(a + l->set_at, b + l->set_at, l->set_bytes) != 0) return false;
    for (uint32_t i = 0; i < l->count; i++) {
        if (field_equal(&l->fields[i], a, b)) continue;
        note("field %s differs", l->fields[i].name);
        return false;
    }
    return true;
}

static bool message_equal(const struct message *a, const struct message *b) {
    if (a->verb != b->verb) return false;
    return fields_equal(layout_of(a->verb), (const uint8_t *)a, (const uint8_t *)b);
}

/* ---- facts ---- */

static void every_verb_survives_the_round_trip(void) {
    struct buffer b = {0};
    struct message m, got;
    struct frame f;
    struct frame_writer w;
    enum code code;
    for (uint32_t v = 0; v < VERBS; v++) {
        bool same = true;
        for (uint32_t round = 0; same && round < 300; round++) {
            struct who who = {.role = ROLE_USER, .brand = (uint32_t)dice(), .boot = dice(),
                              .brand_admin = dice() & 1, .name = "marie"};
            uint32_t percent = round % 3 == 0 ? 100 : round % 3 == 1 ? 0 : 50;
            message_fill(&m, verbs[v], percent);
            buffer_clear(&b);
            frame_begin(&w, &b, verbs[v], 77, 5, round & 1 ? &who : NULL);
            frame_put(&w, &m);
            frame_put(&w, &m);
            frame_end(&w);
            same = !b.failed && frame_read(&f, b.data, b.len, 256) == CODE_OK && f.count == 2 &&
                   f.request == 77 && f.link == 5 && f.verb == verbs[v] &&
                   f.has_who == (round & 1) &&
                   (!f.has_who || (f.who.role == who.role && f.who.brand == who.brand &&
                                   f.who.boot == who.boot && strcmp(f.who.name, "marie") == 0 &&
                                   f.who.brand_admin == who.brand_admin));
            for (uint64_t i = 0; same && i < 2; i++) {
                memset(&got, 0xa5, sizeof got);
                same = message_next(&f, &got, &code) && code == CODE_OK && got.number == 77 + i &&
                       message_equal(&m, &got);
            }
            same = same && !message_next(&f, &got, &code);
        }
        char fact[80];
        snprintf(fact, sizeof fact, "%s survives the round trip", verb_name(verbs[v]));
        ok(same, fact);
    }
    buffer_free(&b);
}

static void read_whole(const uint8_t *data, size_t len, bool *clean) {
    struct frame f;
    struct message m;
    enum code code;
    *clean = frame_read(&f, data, len, 256) == CODE_OK;
    if (!*clean) return;
    while (message_next(&f, &m, &code)) *clean = *clean && code == CODE_OK;
}

/* The bytes lie at the end of their own block, so that a sanitizer sees a read past them. */
static void every_truncation_is_refused(void) {
    struct buffer b = {0};
    struct message m;
    bool refused = true, clean;
    for (uint32_t v = 0; v < VERBS; v++) {
        struct frame_writer w;
        message_fill(&m, verbs[v], 100);
        buffer_clear(&b);
        frame_begin(&w, &b, verbs[v], 1, 1, NULL);
        frame_put(&w, &m);
        frame_end(&w);
        for (size_t len = 0; len < b.len; len++) {
            uint8_t *cut = malloc(len ? len : 1);
            memcpy(cut, b.data, len);
            read_whole(cut, len, &clean);
            refused = refused && !clean;
            free(cut);
        }
    }
    ok(refused, "every frame cut short at any byte is refused");
    buffer_free(&b);
}

static void random_bytes_do_no_harm(void) {
    uint8_t raw[200];
    struct buffer b = {0};
    struct message m;
    uint32_t taken = 0;
    bool clean;
    for (uint32_t round = 0; round < 200000; round++) {
        size_t len = dice() % sizeof raw;
        for (size_t i = 0; i < len; i++) raw[i] = (uint8_t)dice();
        if (len > 5) memcpy(raw, (uint8_t[]){0x94, (uint8_t)(1 + dice() % 80), 1, 1, 0x92}, 5);
        read_whole(raw, len, &clean);
        taken += clean;
    }
    ok(taken < 200000, "random bytes are mostly refused, and never read past");
    for (uint32_t round = 0; round < 100000; round++) { /* a true frame with a few bytes changed */
        struct frame_writer w;
        enum verb verb = verbs[dice() % VERBS];
        message_fill(&m, verb, 50);
        buffer_clear(&b);
        frame_begin(&w, &b, verb, 1, 1, NULL);
        frame_put(&w, &m);
        frame_end(&w);
        for (uint32_t i = 0; i < 3; i++) b.data[dice() % b.len] = (uint8_t)dice();
        read_whole(b.data, b.len, &clean);
    }
    ok(true, "changed bytes in true frames do no harm");
    buffer_free(&b);
}

static enum code item_code(const char *bytes, size_t len, uint32_t skip, struct message *m) {
    struct frame f;
    enum code code = CODE_OK;
    if (frame_read(&f, bytes, len, 256) != CODE_OK) return CODE_INTERNAL_ERROR;
    for (uint32_t i = 0; i <= skip; i++) {
        if (!message_next(&f, m, &code)) return CODE_GONE;
    }
    frame_free(&f);
    return code;
}

#define BYTES(text) text, sizeof(text) - 1

static void bad_items_are_told_apart(void) {
    struct message m;
    struct frame f;
    is_int(item_code(BYTES("\x94\x07\x01\x01\x92\x91\xa1x\x91\x2a"), 0, &m), CODE_VALIDATION_ERROR,
           "a text where a number belongs is not valid");
    is_int(item_code(BYTES("\x94\x07\x01\x01\x92\x91\xa1x\x91\x2a"), 1, &m), CODE_OK,
           "the item behind a bad one is read");
    is_int((int64_t)m.ref.id, 42, "and is the right one");
    is_int((int64_t)m.number, 2, "and carries its own number");
    is_int(item_code(BYTES("\x94\x07\x01\x01\x92\xcd\x91"), 0, &m), CODE_BAD_FRAME,
           "bytes that end within an item break the frame");
    is_int(item_code(BYTES("\x94\x07\x01\x01\x91\x90"), 0, &m), CODE_VALIDATION_ERROR,
           "a required element must be there");
    is_int(item_code(BYTES("\x94\x07\x01\x01\x91\x91\xc0"), 0, &m), CODE_VALIDATION_ERROR,
           "and may not be nil");
    is_int(item_code(BYTES("\x94\x07\x01\x01\x91\x94\x2a\xc0\x07\xa1z"), 0, &m), CODE_OK,
           "elements this version does not know are passed over");
    is_int(item_code(BYTES("\x94\x07\x01\x01\x91\x92\x2a\xcf\0\0\0\1\0\0\0\0"), 0, &m),
           CODE_VALIDATION_ERROR, "a number beyond its range is not valid");
    is_int(item_code(BYTES("\x94\x07\x01\x01\x91\x91\xd0\x2a"), 0, &m), CODE_OK,
           "a number may come in any integer form");
    is_int(item_code(BYTES("\x94\x07\x01\x01\x91\x91\xff"), 0, &m), CODE_VALIDATION_ERROR,
           "but not below zero");
    is_int(item_code(BYTES("\x94\x06\x01\x01\x91\x94\xa1q\xa1t\xa1p\x81\xa4what\x91\x01"), 0, &m),
           CODE_OK, "an unknown key is skipped");
    is_int(item_code(BYTES("\x94\x06\x01\x01\x91\x93\xa2\xc0\x80\xa1t\xa1p"), 0, &m),
           CODE_VALIDATION_ERROR, "text that is not UTF-8 is not valid");
    is_int(item_code(BYTES("\x94\x06\x01\x01\x91\x93\xc4\x01q\xa1t\xc4\x01p"), 0, &m), CODE_OK,
           "binary is taken for text");
    is_int(frame_read(&f, BYTES("\x94\x05\x07\x01"), 256), CODE_BAD_FRAME, "items must be there");
    is_int(frame_read(&f, BYTES("\x94\x7f\x09\x01\x91\x90"), 256), CODE_UNKNOWN_VERB,
           "verb 127 is not known");
    is_int((int64_t)f.request, 9, "and the refusal can name the request");
    is_int(frame_read(&f, BYTES("\x94\x02\x01\x01\x90"), 256), CODE_BAD_FRAME,
           "a frame has at least one item");
    is_int(frame_read(&f, BYTES("\x94\x02\x01\x01\xdd\xff\xff\xff\xff"), 256), CODE_BAD_FRAME,
           "a count beyond the bytes that are left is refused");
    is_int(frame_read(&f, BYTES("\x94\x02\x01\x01\x93\x90\x90\x90"), 2), CODE_PAYLOAD_TOO_LARGE,
           "more items than a batch may have are refused");
    is_int(frame_read(&f, BYTES("\x95\x02\x01\x01\x91\x90\x91\x01"), 2), CODE_BAD_FRAME,
           "half a principal is refused");
    is_int(item_code(BYTES("\x94\x07\x01\x01\x91\x92\x2a\x91\x91\x91\x91\x91\x91\x90"), 0, &m),
           CODE_BAD_FRAME, "nesting beyond eight breaks the frame");
    is_int(item_code(BYTES("\x94\x01\x01\x00\x91\x91\x82\xa6queues\x91\xa1q"
                           "\xa6queues\x91\xa1q"), 0, &m),
           CODE_VALIDATION_ERROR, "a list given twice is refused");
    char many[17 + QUEUES_MAX + 1] = "\x94\x01\x01\x00\x91\x91\x81\xa6queues\xdc\x00";
    memset(many + 17, '\xa0', QUEUES_MAX + 1);
    many[16] = QUEUES_MAX;
    is_int(item_code(many, 17 + QUEUES_MAX, 0, &m), CODE_OK, "a list up to its limit is taken");
    many[16] = QUEUES_MAX + 1;
    is_int(item_code(many, sizeof many, 0, &m), CODE_VALIDATION_ERROR,
           "a list beyond its limit is refused");
}

/* Written down once by hand, as PROTOCOL.md shows them: the layout cannot drift unseen. */
static void the_bytes_are_those_of_the_document(void) {
    struct buffer b = {0};
    struct frame_writer w;
    struct message m = {.verb = VERB_SUBMIT};
    m.submit = (struct submit){.queue = slice_text("echo"), .payload = slice_text("hi"),
                               .options = {.set = SET_PRIORITY, .priority = 2, .watch = true}};
    frame_begin(&w, &b, VERB_SUBMIT, 7, 12, NULL);
    frame_put(&w, &m);
    frame_end(&w);
    static const char submit[] = "\x94\x06\x07\x0c\xdc\x00\x01\x94\xa4" "echo\xa0\xc4\x02hi\x82"
                                 "\xa5watch\xc3\xa8priority\x02";
    ok(b.len == sizeof submit - 1 && memcmp(b.data, submit, b.len) == 0, "SUBMIT's bytes");
    buffer_clear(&b);
    m = (struct message){.verb = VERB_SETTLED, .settled = {.task = 300, .epoch = 70000, .code = 8}};
    frame_begin(&w, &b, VERB_SETTLED, 0, 12, NULL);
    frame_put(&w, &m);
    frame_end(&w);
    static const char settled[] =
        "\x94\x44\x00\x0c\xdc\x00\x01\x93\xcd\x01\x2c\xce\x00\x01\x11\x70\x08";
    ok(b.len == sizeof settled - 1 && memcmp(b.data, settled, b.len) == 0, "SETTLED's bytes");
    buffer_clear(&b);
    m = (struct message){.verb = VERB_FAIL};
    m.report = (struct report){.task = 1, .epoch = 2, .reason = REASON_PERMANENT,
                               .text = slice_text("no")};
    struct who who = {.role = ROLE_WORKER, .brand = 3, .boot = 4, .name = "w"};
    frame_begin(&w, &b, VERB_FAIL, 9, 1, &who);
    frame_put(&w, &m);
    frame_end(&w);
    static const char fail[] =
        "\x95\x17\x09\x01\xdc\x00\x01\x97\x01\x02\x03\xa2no\xc2\xc4\x00\xc4\x00"
        "\x95\x04\x03\xa1w\x04\xc2";
    ok(b.len == sizeof fail - 1 && memcmp(b.data, fail, b.len) == 0, "FAIL's bytes, with who");
    buffer_free(&b);
}

static void rows_of_tasks_are_views(void) {
    struct buffer b = {0};
    struct message in[3], out;
    struct frame f = {0};
    uint32_t at = 0;
    for (uint32_t i = 0; i < 3; i++) {
        message_fill(&in[i], VERB_SETTLED, 0);
        memset(&in[i].view, 0, sizeof in[i].view);
        fields_fill(&view_layout, (uint8_t *)&in[i], 40);
        in[i].view.attempt_count = in[i].view.log_count = 0;
        in[i].view.part_count = 0;
        in[i].view.attempts = in[i].view.logs = in[i].view.parts = (struct slice){0};
        row_put(&b, &in[i]);
    }
    bool same = true;
    for (uint32_t i = 0; i < 3; i++) {
        same = same && row_next(&f, buffer_slice(&b), &at, &out) &&
               fields_equal(&view_layout, (uint8_t *)&in[i], (uint8_t *)&out);
    }
    ok(same && at == b.len, "task rows come back as they were put");
    ok(!row_next(&f, buffer_slice(&b), &at, &out), "and end");
    frame_free(&f);
    buffer_free(&b);
}

static void utf8_is_told_from_other_bytes(void) {
    ok(decode_utf8(slice_text("plain, naïve, 漢字, 🙂 and more than eight")), "UTF-8 is UTF-8");
    static const char *const bad[] = {"\x80", "\xc1\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xc3", "\xff",
                                      "12345678\xe2\x82"};
    bool refused = true;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused = refused && !decode_utf8(slice_text(bad[i]));
    ok(refused, "overlong forms, surrogates and cut sequences are not");
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Prints what one item costs: for who looks, a clock is no fact. */
static void hot_items_are_read_in_bulk(void) {
    static const enum verb hot[] = {VERB_SUBMIT, VERB_DONE, VERB_TASK, VERB_START, VERB_SETTLED};
    static uint8_t payload[100];
    struct buffer b = {0};
    enum { ROUNDS = 2000, BATCH = 64 };
    for (uint32_t v = 0; v < sizeof hot / sizeof hot[0]; v++) {
        struct message m = {.verb = hot[v]}, got;
        struct frame_writer w;
        struct frame f;
        enum code code;
        if (hot[v] == VERB_SUBMIT)
            m.submit = (struct submit){.queue = slice_text("default"), .type = slice_text("echo"),
                                       .payload = slice_of(payload, 100),
                                       .options = {.set = SET_KEEP, .keep_ms = -1}};
        if (hot[v] == VERB_TASK)
            m.task = (struct delivery){.task = 1ULL << 45, .epoch = 1ULL << 44, .attempt = 1,
                .queue = slice_text("default"), .type = slice_text("echo"), .brand = 1, .run = 1,
                .created_ms = 1732188000000, .payload = slice_of(payload, 100)};
        if (hot[v] == VERB_DONE || hot[v] == VERB_START)
            m.report = (struct report){.task = 1ULL << 45, .epoch = 1ULL << 44,
                                       .data = slice_of(payload, 20)};
        if (hot[v] == VERB_SETTLED)
            m.settled = (struct settled){.task = 1ULL << 45, .epoch = 1ULL << 44, .number = 99999};
        double begin = seconds();
        for (uint32_t round = 0; round < ROUNDS; round++) {
            buffer_clear(&b);
            frame_begin(&w, &b, hot[v], 1, 1, NULL);
            for (uint32_t i = 0; i < BATCH; i++) frame_put(&w, &m);
            frame_end(&w);
        }
        double middle = seconds();
        uint64_t sum = 0;
        for (uint32_t round = 0; round < ROUNDS; round++) {
            if (frame_read(&f, b.data, b.len, 256) != CODE_OK) break;
            while (message_next(&f, &got, &code)) sum += got.number + (uint64_t)code;
        }
        double end = seconds();
        double items = (double)ROUNDS * BATCH / 1e9;
        note("%-8s write %5.1f ns  read %5.1f ns an item", verb_name(hot[v]),
             (middle - begin) / items, (end - middle) / items);
        is_int((int64_t)sum, (int64_t)ROUNDS * BATCH * (BATCH + 1) / 2,
               "each item of each batch is read");
    }
    buffer_free(&b);
}

/* Every length that msgpack has, on both sides of each border, with and without room. */
static void numbers_are_as_short_as_msgpack_has_them(void) {
    static uint8_t room[64];
    int wrong = 0;
    for (unsigned bit = 0; bit < 64; bit++)
        for (int more = -1; more <= 1; more++)
            for (size_t cap = 1; cap <= 12; cap++) {
                const uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)more;
                struct buffer one = {.data = room, .cap = cap}, two = {0};
                if (cap < 9 && value >= 0x80) continue; /* it would have to grow */
                encode_uint(&one, value);
                encode_msgpack_uint64(&two, value);
                wrong += !slice_equal(buffer_slice(&one), buffer_slice(&two));
                if (value <= INT64_MAX) {
                    one.len = 0;
                    encode_int(&one, (int64_t)value);
                    buffer_clear(&two);
                    encode_msgpack_int64(&two, (int64_t)value);
                    wrong += !slice_equal(buffer_slice(&one), buffer_slice(&two));
                }
                buffer_free(&two);
            }
    is_int(wrong, 0, "numbers are written as msgpack-c writes them");
}

/* A field is told from zero by its own bits alone. */
static void what_is_zero_is_left_out_whatever_stands_beside_it(void) {
    struct message m = {.verb = VERB_SUBMIT}, read = {.verb = VERB_SUBMIT};
    struct buffer b = {0};
    struct frame_writer w;
    struct frame f = {0};
    enum code code;
    m.submit.options.accepted = true; /* next to `watch` */
    m.submit.options.source_size = UINT64_C(1) << 63;
    frame_begin(&w, &b, VERB_SUBMIT, 1, 1, NULL);
    frame_put(&w, &m);
    frame_end(&w);
    ok(frame_read(&f, b.data, b.len, 1) == CODE_OK && message_next(&f, &read, &code) &&
       code == CODE_OK, "it can be read");
    ok(read.submit.options.accepted && !read.submit.options.watch, "a flag beside another");
    ok(read.submit.options.source_size == UINT64_C(1) << 63, "a number with its highest bit alone");
    ok(read.submit.options.set == 0 && !read.submit.options.stream, "and nothing else");
    frame_free(&f);
    buffer_free(&b);
}

int main(void) {
    numbers_are_as_short_as_msgpack_has_them();
    what_is_zero_is_left_out_whatever_stands_beside_it();

    for (size_t i = 0; i < sizeof texts; i++) texts[i] = (uint8_t)(i % 95 + 32);
    every_verb_survives_the_round_trip();
    every_truncation_is_refused();
    bad_items_are_told_apart();
    the_bytes_are_those_of_the_document();
    rows_of_tasks_are_views();
    utf8_is_told_from_other_bytes();
    random_bytes_do_no_harm();
    hot_items_are_read_in_bulk();
    is_text(code_name(CODE_BUSY), "BUSY", "codes have names");
    is_int(code_http(CODE_BUSY), 503, "and HTTP statuses");
    is_text(status_name(STATUS_DELIVERED), "delivered", "so have states");
    is_text(reason_name(REASON_LEASE_LOST), "lease_lost", "and reasons");
    for (uint32_t i = 0; i < 16; i++) buffer_free(&lists[i]);
    return done();
}
