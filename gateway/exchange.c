#include "gateway/answer.h"
#include "gateway/request.h"
#include "gateway/socket.h"
#include "proto/host/log.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- memory ---- */

enum { BLOCK_HEAD = 16 }; /* bytes of a block before what it holds */

void arena_open(struct arena *a, struct block_store *store) {
    a->blocks = a->alone = NULL;
    a->store = store;
    a->at = a->first;
    a->left = sizeof a->first;
}

static void blocks_free(struct block *list) {
    while (list != NULL) {
        struct block *next = list->next;
        free(list);
        list = next;
    }
}

void block_store_free(struct block_store *store) {
    blocks_free(store->list);
    *store = (struct block_store){0};
}

void arena_close(struct arena *a) {
    while (a->blocks != NULL && a->store->count < BLOCKS_KEPT) {
        struct block *block = a->blocks;
        a->blocks = block->next;
        block->next = a->store->list;
        a->store->list = block;
        a->store->count++;
    }
    blocks_free(a->blocks);
    blocks_free(a->alone);
}

/* The block at hand stays in use. */
static void *alone_alloc(struct arena *a, size_t size) {
    struct block *block = calloc(1, BLOCK_HEAD + size);
    if (block == NULL) abort();
    block->next = a->alone;
    a->alone = block;
    return (uint8_t *)block + BLOCK_HEAD;
}

static void block_take(struct arena *a) {
    struct block *block = a->store->list;
    if (block != NULL) {
        a->store->list = block->next;
        a->store->count--;
    } else if ((block = malloc(BLOCK_HEAD + ARENA_BLOCK)) == NULL) {
        abort();
    }
    block->next = a->blocks;
    a->blocks = block;
    a->at = (uint8_t *)block + BLOCK_HEAD;
    a->left = ARENA_BLOCK;
}

void *arena_alloc(struct arena *a, size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (size > a->left && size > ARENA_BLOCK) return alone_alloc(a, size);
    if (size > a->left) block_take(a);
    void *p = a->at;
    a->at += size;
    a->left -= size;
    return memset(p, 0, size);
}

void *exchange_alloc(struct exchange *x, size_t size) {
    return arena_alloc(&request_of(x)->arena, size);
}

struct slice exchange_copy(struct exchange *x, struct slice s) {
    uint8_t *p = exchange_alloc(x, (size_t)s.len + 1);
    if (s.len > 0) memcpy(p, s.data, s.len);
    return slice_of(p, s.len);
}

const char *exchange_digits(struct exchange *x, uint64_t number) {
    char digits[20], *end = digits + sizeof digits, *at = end;
    do *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return (const char *)exchange_copy(x, slice_of(at, (size_t)(end - at))).data;
}

const char *exchange_print(struct exchange *x, const char *format, ...) {
    va_list list;
    char small[256];
    va_start(list, format);
    int n = vsnprintf(small, sizeof small, format, list);
    va_end(list);
    assert(n >= 0);
    char *text = exchange_alloc(x, (size_t)n + 1);
    if ((size_t)n < sizeof small) return memcpy(text, small, (size_t)n + 1);
    va_start(list, format);
    vsnprintf(text, (size_t)n + 1, format, list);
    va_end(list);
    return text;
}

/* ---- the request ---- */

struct slice exchange_param(const struct exchange *x, const char *name) {
    size_t len = strlen(name);
    for (uint32_t i = 0; i < x->param_count; i++) {
        const struct param *p = &x->params[i];
        if (strncmp(p->name, name, len) == 0 && p->name[len] == '}') return p->value;
    }
    return (struct slice){0};
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A broken escape stays as it is, and so does an escaped NUL. */
const char *exchange_decode(struct exchange *x, const char *from, size_t len) {
    char *text = exchange_alloc(x, len + 1), *to = text;
    for (size_t i = 0; i < len; i++) {
        char c = from[i] == '+' ? ' ' : from[i];
        if (c == '%' && len - i > 2) {
            int high = hex_value(from[i + 1]), low = hex_value(from[i + 2]);
            if (high >= 0 && low >= 0 && high + low > 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        *to++ = c;
    }
    *to = '\0';
    return text;
}

bool exchange_query_next(struct exchange *x, uint32_t *at, const char **name,
                         const char **value) {
    const char *p = x->query + *at;
    while (*p == '&') p++;
    if (*p == '\0') return false;
    size_t len = strcspn(p, "&"), key = strcspn(p, "&=");
    *name = exchange_decode(x, p, key);
    *value = key < len ? exchange_decode(x, p + key + 1, len - key - 1) : "";
    *at = (uint32_t)(p + len - x->query);
    return true;
}

const char *exchange_query(struct exchange *x, const char *name) {
    uint32_t at = 0;
    const char *key, *value;
    while (exchange_query_next(x, &at, &key, &value)) {
        if (strcmp(key, name) == 0) return value;
    }
    return NULL;
}

int64_t exchange_query_number(struct exchange *x, const char *name, int64_t fallback, int64_t min,
                              int64_t max) {
    const char *text = exchange_query(x, name);
    if (text == NULL) return fallback;
    size_t len = strlen(text), sign = text[0] == '-';
    if (len == sign || len - sign > 18 || strspn(text + sign, "0123456789") != len - sign) {
        field_wrong(&x->errors, name, FIELD_NOT_INTEGER, 0);
        return fallback;
    }
    int64_t number = strtoll(text, NULL, 10);
    if (number < min) field_wrong(&x->errors, name, FIELD_TOO_SMALL, min);
    else if (number > max) field_wrong(&x->errors, name, FIELD_TOO_LARGE, max);
    else return number;
    return fallback;
}

const char *exchange_header(const struct exchange *x, const char *name) {
    const struct request *r = (const struct request *)x;
    for (uint32_t i = 0; i < r->header_count; i++) {
        const char *known = r->headers[i].name;
        if (((*known ^ *name) | 0x20) == 0x20 && strcasecmp(known, name) == 0)
            return r->headers[i].value;
    }
    return NULL;
}

struct slice exchange_field(const struct exchange *x, const char *name) {
    for (uint32_t i = 0; i < x->field_count; i++) {
        if (strcmp(x->fields[i].name, name) == 0) return x->fields[i].value;
    }
    return (struct slice){0};
}

struct upload *exchange_upload(struct exchange *x, const char *name) {
    for (uint32_t i = 0; i < x->upload_count; i++) {
        if (strcmp(x->uploads[i].name, name) == 0) return &x->uploads[i];
    }
    return NULL;
}

const char *exchange_origin(struct exchange *x) {
    const char *host = exchange_header(x, "Host");
    return exchange_print(x, "http://%s", host != NULL ? host : "localhost");
}

/* ---- the broker ---- */

enum code exchange_code(const struct message *answer) { return answer_code(answer); }

static uint64_t file_of(const struct message *m) {
    if (m->verb == VERB_SUBMIT) return m->submit.options.source_file;
    if (m->verb == VERB_PUT) return m->object.options.file;
    return m->verb == VERB_DONE ? m->report.file : 0;
}

static void claimed_note(struct request *r, const struct message *tasks, uint32_t count) {
    uint32_t n = r->claimed_count;
    struct claimed *list = arena_alloc(&r->arena, sizeof *list * (n + count));
    if (n > 0) memcpy(list, r->claimed, sizeof *list * n);
    for (uint32_t i = 0; i < count; i++) {
        if (tasks[i].task.task == 0) continue;
        list[n++] = (struct claimed){tasks[i].task.task, tasks[i].task.epoch};
    }
    r->claimed = list;
    r->claimed_count = n;
}

void exchange_unclaim(struct request *r) {
    for (uint32_t i = 0; i < r->claimed_count; i++) {
        struct message m = {.verb = VERB_RELEASE};
        m.report.task = r->claimed[i].task;
        m.report.epoch = r->claimed[i].epoch;
        m.report.percent = -1;
        link_tell(r->server->link, &r->x.who, &m);
    }
    r->claimed_count = 0;
}

static void answered(struct call *call, const struct message *answer, uint32_t count) {
    struct request *r = call->owner;
    exchange_then *then = (exchange_then *)call->then;
    enum code code = answer_code(answer);
    if (call->verb == VERB_CLAIM && answer->verb == VERB_TASK) {
        claimed_note(r, answer, count);
        if (r->claimed_count > 0 && !http_alive(r->client)) {
            request_left(r);
            return;
        }
    }
    if (code == CODE_OK && call->tag != 0) intake_taken(r, call->tag);
    if (answer->verb == VERB_REFUSED && answer->refused.retry_ms > 0) {
        r->x.retry_after_s = (answer->refused.retry_ms + 999) / 1000;
    }
    r->x.answers = count;
    if (code != CODE_OK && !call->refusals) {
        struct slice text = exchange_copy(&r->x, answer_text(answer));
        exchange_refuse(&r->x, code, text.len > 0 ? (const char *)text.data : NULL);
    } else {
        then(&r->x, answer);
    }
    request_check(r);
}

static void send(struct exchange *x, const struct who *who, const struct message *m,
                 exchange_then *then, bool refusals) {
    struct request *r = request_of(x);
    assert(r->stage != STAGE_ENDED || r->streams);
    if (then == NULL) {
        link_tell(r->server->link, who, m);
        return;
    }
    struct call *call = link_send(r->server->link, who, m, 0, r->server->now_ms);
    if (call == NULL) {
        struct message none = {.verb = VERB_REFUSED};
        none.refused.code = CODE_UNAVAILABLE;
        x->retry_after_s = 1;
        x->answers = 1;
        if (refusals) then(x, &none);
        else exchange_refuse(x, CODE_UNAVAILABLE, NULL);
        return;
    }
    call->owner = r;
    call->done = answered;
    call->then = (void (*)(void))then;
    call->refusals = refusals;
    call->tag = file_of(m);
    list_push(&r->calls, &call->of_owner);
    r->waiting = true;
}

void exchange_send(struct exchange *x, const struct message *m, exchange_then *then) {
    send(x, &x->who, m, then, false);
}

void exchange_try(struct exchange *x, const struct message *m, exchange_then *then) {
    send(x, &x->who, m, then, true);
}

void exchange_send_as(struct exchange *x, const struct who *who, const struct message *m,
                      exchange_then *then) {
    send(x, who, m, then, false);
}

void exchange_try_as(struct exchange *x, const struct who *who, const struct message *m,
                     exchange_then *then) {
    send(x, who, m, then, true);
}

/* ---- what the client has taken ---- */

size_t exchange_behind(const struct exchange *x) {
    const struct request *r = (const struct request *)x;
    return r->socket != NULL ? socket_behind(r) : r->outlet != NULL ? outlet_behind(r) : 0;
}

void exchange_drained(struct exchange *x, size_t left, void (*then)(struct exchange *x)) {
    struct request *r = request_of(x);
    r->drained = then;
    r->drained_left = left;
    exchange_taken(r);
}

void exchange_taken(struct request *r) {
    void (*then)(struct exchange *x) = r->drained;
    if (then == NULL || exchange_behind(&r->x) > r->drained_left) return;
    r->drained = NULL;
    then(&r->x);
}

void exchange_proceed(struct exchange *x) {
    struct request *r = request_of(x);
    assert(r->stage == STAGE_BEGIN);
    r->stage = STAGE_BODY;
    r->stage_ms = r->server->now_ms;
    r->waiting = false;
    http_wake(r);
}

void exchange_cut(struct request *r) {
    while (!list_empty(&r->calls)) {
        call_drop(owner_of(list_first(&r->calls), struct call, of_owner));
    }
    r->drained = NULL;
    if (r->intake != NULL) intake_drop(r);
    if (r->hash != NULL) r->hash->owner = NULL; /* its result is thrown away */
    r->hash = NULL;
}

/* ---- the answer ---- */

static struct answer_header *answer_header_new(struct request *r) {
    if (r->answer_header_count == r->answer_header_cap) {
        struct answer_header *old = r->answer_headers;
        r->answer_header_cap = old == NULL ? ANSWER_HEADERS_FEW : ANSWER_HEADERS_MAX;
        r->answer_headers = arena_alloc(&r->arena, r->answer_header_cap * sizeof *old);
        if (old != NULL) memcpy(r->answer_headers, old, r->answer_header_count * sizeof *old);
    }
    assert(r->answer_header_count < ANSWER_HEADERS_MAX);
    return &r->answer_headers[r->answer_header_count++];
}

void exchange_set(struct exchange *x, const char *name, const char *value) {
    struct request *r = request_of(x);
    struct slice copy = exchange_copy(x, slice_text(value));
    char *text = (char *)(uintptr_t)copy.data;
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = ' ';
    }
    struct answer_header *header = NULL;
    for (uint32_t i = 0; i < r->answer_header_count && header == NULL; i++) {
        if (strcasecmp(r->answer_headers[i].name, name) == 0) header = &r->answer_headers[i];
    }
    if (header == NULL) {
        header = answer_header_new(r);
        header->name = (const char *)exchange_copy(x, slice_text(name)).data;
    }
    header->value = text;
}

void exchange_answer(struct exchange *x, int status) {
    struct request *r = request_of(x);
    assert(r->stage != STAGE_ENDED && x->out.depth == 0);
    r->stage = STAGE_ENDED;
    r->status = status;
    if (x->out.body.failed) abort();
    exchange_cut(r);
    http_wake(r);
}

bool exchange_refuse(struct exchange *x, enum code code, const char *text) {
    struct request *r = request_of(x);
    if (r->socket != NULL) {
        socket_refuse(r, code, text);
        return false;
    }
    if (r->stage == STAGE_ENDED) { /* it streams already: nothing but the end can be said */
        exchange_end(x);
        return false;
    }
    buffer_clear(&x->out.body);
    x->out.depth = 0;
    x->out.named = false;
    x->out.more[0] = false;
    int status = code_http(code);
    bool later = status == 429 || status == 503 || status == 504;
    if (later && x->retry_after_s == 0) x->retry_after_s = 1;
    if (x->retry_after_s > 0) {
        exchange_set(x, "Retry-After", exchange_print(x, "%u", x->retry_after_s));
    }
    x->dialect->fail(x, code, text != NULL ? text : code_text(code));
    return false;
}

/* ---- the house ---- */

const struct config *exchange_config(const struct exchange *x) {
    return ((const struct request *)x)->server->config;
}

const char *exchange_option(const struct exchange *x, const char *name) {
    const struct request *r = (const struct request *)x;
    const struct option *option = option_find(name, strlen(name), false);
    if (option == NULL) return NULL;
    char text[2048];
    option_print(option, r->server->config, text, sizeof text);
    return exchange_print((struct exchange *)(uintptr_t)x, "%s", text);
}

const uint8_t *exchange_id_key(const struct exchange *x) {
    const struct server *s = ((const struct request *)x)->server;
    return s->ring_known ? s->ring.id_key : NULL;
}
