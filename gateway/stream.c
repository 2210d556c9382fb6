/* stream.c - what is streamed to a client: stored files, growing ones, events. See request.h. */
#include "gateway/answer.h"
#include "gateway/request.h"
#include "gateway/socket.h"
#include "proto/host/log.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    READS_AHEAD = 3,           /* chunks asked for before the client took the first */
    GROW_MS = 20000, /* a read of a growing file waits so long before it is asked again */
    READ_MS = 60000, /* a full disk cache may keep the endpoint for long */
    EVENTS_BEHIND_MAX = 64 << 10,
    KEEPALIVE_MS = 15000
};

/* ---- what is streamed out ---- */

struct piece { uint8_t *data; size_t len, at; bool here; };

struct outlet {
    bool events, grows;
    uint32_t chunk_max;
    /* a file: pieces are asked for in order and kept in a ring */
    struct file_answer file;
    uint64_t from, to, asked; /* the range [from, to), what has been asked for */
    struct piece pieces[READS_AHEAD];
    uint32_t first;
    bool broken, ended;
    /* events */
    struct buffer behind;
    size_t behind_at;
    int64_t said_ms;
    int64_t taken_ms; /* the client took something, or there was nothing to take */
};

uint64_t outlet_size(const struct request *r) {
    const struct outlet *o = r->outlet;
    return o->events || o->grows ? UINT64_MAX : o->to - o->from;
}

static void piece_came(struct call *call, const struct message *answer, uint32_t count) {
    struct request *r = call->owner;
    struct outlet *o = r->outlet;
    struct piece *p = &o->pieces[call->tag];
    (void)count;
    struct slice bytes = answer->file_bytes.bytes;
    if (answer->verb != VERB_FILE_BYTES || answer->file_bytes.code != CODE_OK ||
        bytes.len != p->len) {
        log_warn("a stored file cannot be read", field_number("file", o->file.file),
                 field_text("code", code_name(answer_code(answer))),
                 field_number("got", answer->verb == VERB_FILE_BYTES ? bytes.len : 0),
                 field_number("asked", p->len));
        o->broken = true;
    } else {
        p->data = malloc(p->len);
        if (p->data == NULL) abort();
        memcpy(p->data, bytes.data, p->len);
        p->here = true;
    }
    http_wake(r);
}

/* Asks for pieces until the ring is full or the range asked for. */
static void pieces_ask(struct request *r) {
    struct outlet *o = r->outlet;
    for (uint32_t k = 0; k < READS_AHEAD && o->asked < o->to && !o->broken; k++) {
        uint32_t index = (o->first + k) % READS_AHEAD;
        struct piece *p = &o->pieces[index];
        if (p->len > 0) continue;
        uint64_t left = o->to - o->asked;
        struct message m = {.verb = VERB_FILE_READ};
        m.file.id = o->file.file;
        m.file.offset = o->asked;
        m.file.size = left < o->chunk_max ? left : o->chunk_max;
        struct server *s = r->server;
        struct call *call = link_send(s->link, &r->x.who, &m, READ_MS, s->now_ms);
        if (call == NULL) {
            o->broken = true;
            return;
        }
        *p = (struct piece){.len = (size_t)m.file.size};
        call->owner = r;
        call->done = piece_came;
        call->tag = index;
        list_push(&r->calls, &call->of_owner);
        o->asked += m.file.size;
    }
}

static long file_read(struct request *r, uint8_t *to, size_t max) {
    struct outlet *o = r->outlet;
    struct piece *p = &o->pieces[o->first];
    if (o->broken) return -2;
    if (p->len == 0) return -1;
    if (!p->here) return 0;
    size_t n = p->len - p->at < max ? p->len - p->at : max;
    memcpy(to, p->data + p->at, n);
    p->at += n;
    if (p->at == p->len) {
        free(p->data);
        *p = (struct piece){0};
        o->first = (o->first + 1) % READS_AHEAD;
        pieces_ask(r);
    }
    return (long)n;
}

static long events_read(struct request *r, uint8_t *to, size_t max) {
    struct outlet *o = r->outlet;
    size_t n = o->behind.len - o->behind_at;
    if (o->broken) return -2;
    if (n == 0) return o->ended ? -1 : 0;
    if (n > max) n = max;
    memcpy(to, o->behind.data + o->behind_at, n);
    o->behind_at += n;
    if (o->behind_at == o->behind.len) {
        buffer_clear(&o->behind);
        o->behind_at = 0;
    }
    o->taken_ms = r->server->now_ms;
    exchange_taken(r);
    return (long)n;
}

/* ---- a file that grows: what has come waits in `behind`; then the next piece is asked for ---- */

static void growth_ask(struct request *r);

static void growth_came(struct call *call, const struct message *answer, uint32_t count) {
    struct request *r = call->owner;
    struct outlet *o = r->outlet;
    const struct file_bytes *b = &answer->file_bytes;
    (void)count;
    if (answer->verb != VERB_FILE_BYTES || b->code != CODE_OK) {
        o->broken = true;
    } else {
        buffer_append(&o->behind, b->bytes.data, b->bytes.len);
        if (o->behind.failed) abort();
        o->asked += b->bytes.len;
        o->ended = b->end;
        if (b->bytes.len == 0 && !b->end) {
            growth_ask(r);
            return;
        }
    }
    http_wake(r);
}

static void growth_ask(struct request *r) {
    struct outlet *o = r->outlet;
    struct server *s = r->server;
    const struct message m = {.verb = VERB_FILE_READ,
                              .file = {.id = o->file.file, .offset = o->asked,
                                       .size = o->chunk_max, .wait_ms = GROW_MS}};
    struct call *call = link_send(s->link, &r->x.who, &m, READ_MS, s->now_ms);
    if (call == NULL) {
        o->broken = true;
        http_wake(r);
        return;
    }
    call->owner = r;
    call->done = growth_came;
    list_push(&r->calls, &call->of_owner);
}

static long growth_read(struct request *r, uint8_t *to, size_t max) {
    const long n = events_read(r, to, max);
    if (n > 0 && r->outlet->behind.len == 0 && !r->outlet->ended) growth_ask(r);
    return n;
}

long outlet_read(struct request *r, uint8_t *to, size_t max) {
    if (r->outlet->grows) return growth_read(r, to, max);
    return r->outlet->events ? events_read(r, to, max) : file_read(r, to, max);
}

void outlet_free(struct request *r) {
    struct outlet *o = r->outlet;
    if (o == NULL) return;
    for (uint32_t i = 0; i < READS_AHEAD; i++) free(o->pieces[i].data);
    r->server->files -= !o->events;
    buffer_free(&o->behind);
    r->outlet = NULL;
}

static struct outlet *outlet_begin(struct request *r, int status) {
    assert(r->stage != STAGE_ENDED);
    struct outlet *o = exchange_alloc(&r->x, sizeof *o);
    r->outlet = o;
    r->status = status;
    r->streams = true;
    r->stage = STAGE_ENDED;
    o->said_ms = o->taken_ms = r->server->now_ms;
    return o;
}

/* ---- ranges ---- */

/* One range of `bytes=`; several, or another unit, are answered whole as RFC 9110 allows. -1: the
 * range lies outside. 0: the whole. 1: [from, to). */
static int range_read(const char *text, uint64_t size, uint64_t *from, uint64_t *to) {
    if (text == NULL || strncmp(text, "bytes=", 6) != 0 || strchr(text, ',') != NULL) return 0;
    text += 6;
    size_t first = strspn(text, "0123456789");
    const char *dash = text + first;
    if (*dash != '-' || first > 18) return 0;
    size_t last = strspn(dash + 1, "0123456789");
    if (dash[1 + last] != '\0' || last > 18 || first + last == 0) return 0;
    uint64_t a = strtoull(text, NULL, 10), b = strtoull(dash + 1, NULL, 10);
    if (first == 0) { /* the last b bytes */
        if (b == 0 || size == 0) return -1;
        *from = b < size ? size - b : 0;
        *to = size;
        return 1;
    }
    if (last > 0 && b < a) return 0;
    if (a >= size) return -1;
    *from = a;
    *to = last == 0 || b >= size ? size : b + 1;
    return 1;
}

static const char *hex_text(struct exchange *x, struct slice bytes) {
    char *text = exchange_alloc(x, bytes.len * 2 + 3);
    text[0] = '"';
    for (uint32_t i = 0; i < bytes.len; i++) {
        text[1 + 2 * i] = "0123456789abcdef"[bytes.data[i] >> 4];
        text[2 + 2 * i] = "0123456789abcdef"[bytes.data[i] & 15];
    }
    text[bytes.len * 2 + 1] = '"';
    return text;
}

/* A name for Content-Disposition: plain bytes in the quoted form, all of it in the other. */
static void disposition_set(struct exchange *x, const struct file_answer *file) {
    char plain[256], full[1024];
    size_t n = 0, m = 0;
    for (uint32_t i = 0; i < file->name.len && n < sizeof plain - 1 && m < sizeof full - 4; i++) {
        uint8_t c = file->name.data[i];
        bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      strchr("-._", c) != NULL;
        plain[n++] = c >= 0x20 && c < 0x7f && c != '"' && c != '\\' ? (char)c : '_';
        if (letter && c != 0) full[m++] = (char)c;
        else m += (size_t)snprintf(full + m, 4, "%%%02X", c);
    }
    plain[n] = full[m] = '\0';
    const char *how = file->attachment ? "attachment" : "inline";
    if (n == 0) exchange_set(x, "Content-Disposition", how);
    else exchange_set(x, "Content-Disposition",
                      exchange_print(x, "%s; filename=\"%s\"; filename*=UTF-8''%s", how, plain,
                                     full));
}

static void file_headers(struct exchange *x, const struct file_answer *file) {
    struct slice mime = exchange_copy(x, file->mime);
    exchange_set(x, "Content-Type",
                 mime.len > 0 ? (const char *)mime.data : "application/octet-stream");
    exchange_set(x, "Accept-Ranges", "bytes");
    exchange_set(x, "X-Content-Type-Options", "nosniff");
    disposition_set(x, file);
    if (file->hash.len > 0) exchange_set(x, "ETag", hex_text(x, file->hash));
}

void exchange_file(struct exchange *x, const struct file_answer *file) {
    struct request *r = request_of(x);
    const char *range = exchange_header(x, "Range"), *known = exchange_header(x, "If-None-Match");
    const char *only_if = exchange_header(x, "If-Range");
    const char *etag = file->hash.len > 0 ? hex_text(x, file->hash) : NULL;
    uint64_t from = 0, to = file->size;
    if (etag != NULL && known != NULL && strcmp(known, etag) == 0) {
        exchange_set(x, "ETag", etag);
        exchange_answer(x, 304);
        return;
    }
    if (only_if != NULL && (etag == NULL || strcmp(only_if, etag) != 0)) range = NULL;
    int part = range_read(range, file->size, &from, &to);
    if (part < 0) {
        exchange_set(x, "Content-Range",
                     exchange_print(x, "bytes */%llu", (unsigned long long)file->size));
        exchange_refuse(x, CODE_RANGE_NOT_SATISFIABLE, NULL);
        return;
    }
    file_headers(x, file);
    if (part > 0) {
        exchange_set(x, "Content-Range",
                     exchange_print(x, "bytes %llu-%llu/%llu", (unsigned long long)from,
                                    (unsigned long long)to - 1, (unsigned long long)file->size));
    }
    if (from == to || file->file == 0) {
        if (from < to) buffer_append(&x->out.body, file->bytes.data + from, to - from);
        exchange_answer(x, part > 0 ? 206 : 200);
        return;
    }
    struct outlet *o = outlet_begin(r, part > 0 ? 206 : 200);
    o->file = (struct file_answer){.file = file->file, .size = file->size};
    o->chunk_max = file_chunk_bytes(r->server);
    r->server->files++;
    o->from = o->asked = from;
    o->to = to;
    if (!r->head_only) pieces_ask(r);
    http_wake(r);
}

void exchange_growing(struct exchange *x, const struct file_answer *file, uint64_t from) {
    struct request *r = request_of(x);
    file_headers(x, file);
    exchange_set(x, "Accept-Ranges", "none");
    struct outlet *o = outlet_begin(r, 200);
    o->grows = true;
    o->file = (struct file_answer){.file = file->file};
    o->chunk_max = file_chunk_bytes(r->server);
    r->server->files++;
    o->asked = from;
    if (!r->head_only) growth_ask(r);
    http_wake(r);
}

/* ---- events ---- */

void exchange_events(struct exchange *x) {
    struct request *r = request_of(x);
    exchange_set(x, "Content-Type", "text/event-stream");
    exchange_set(x, "Cache-Control", "no-store");
    exchange_set(x, "X-Accel-Buffering", "no");
    outlet_begin(r, 200)->events = true;
    int bytes = EVENTS_BEHIND_MAX; /* else the system would hold megabytes for who reads nothing */
    setsockopt(r->client->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    http_wake(r);
}

static void say(struct outlet *o, const char *text) {
    buffer_append(&o->behind, text, strlen(text));
}

void exchange_event(struct exchange *x, const char *event, const char *id, struct slice data) {
    struct request *r = request_of(x);
    struct outlet *o = r->outlet;
    if (o->broken || o->ended) return;
    if (o->behind.len - o->behind_at > EVENTS_BEHIND_MAX) {
        o->broken = true;
        http_wake(r);
        return;
    }
    if (event != NULL) {
        say(o, "event: ");
        say(o, event);
        say(o, "\n");
    }
    if (id != NULL) {
        say(o, "id: ");
        say(o, id);
        say(o, "\n");
    }
    const uint8_t *p = data.data, *end = p + data.len;
    do { /* a line of data per line */
        const uint8_t *line = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        const uint8_t *stop = line != NULL ? line : end;
        say(o, "data: ");
        if (stop > p) buffer_append(&o->behind, p, (size_t)(stop - p));
        say(o, "\n");
        p = line != NULL ? line + 1 : end;
    } while (p < end);
    say(o, "\n");
    o->said_ms = r->server->now_ms;
    http_wake(r);
}

void exchange_end(struct exchange *x) {
    struct request *r = request_of(x);
    if (r->socket != NULL) socket_finish(r);
    if (r->outlet == NULL) return;
    r->outlet->ended = true;
    exchange_cut(r);
    http_wake(r);
}

size_t outlet_behind(const struct request *r) {
    return r->outlet->behind.len - r->outlet->behind_at;
}

void outlet_break(struct request *r) {
    if (r->outlet->events) {
        exchange_end(&r->x);
        return;
    }
    r->outlet->broken = true;
    exchange_cut(r);
    http_wake(r);
}

bool outlet_tick(struct request *r) {
    struct outlet *o = r->outlet;
    const int64_t now_ms = r->server->now_ms;
    if (outlet_behind(r) == 0) o->taken_ms = now_ms;
    if (now_ms - o->taken_ms >= r->server->config->idle_ms) return false;
    if (!o->events || o->ended || now_ms - o->said_ms < KEEPALIVE_MS) return true;
    o->said_ms = now_ms;
    say(o, ":\n\n");
    http_wake(r);
    return true;
}
