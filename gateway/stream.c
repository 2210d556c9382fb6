/* stream.c - what is too large for one message: uploads, stored files, events. See request.h. */
#include "gateway/answer.h"
#include "gateway/request.h"
#include "gateway/socket.h"
#include "proto/decode.h"
#include "proto/host/log.h"
#include "proto/object.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 256 << 10,   /* of a file, per message; less where many share the thread */
    UNANSWERED_MAX = 4,        /* chunks under way before the socket is read no further */
    READS_AHEAD = 3,           /* chunks asked for before the client took the first */
    GROW_MS = 20000, /* a read of a growing file waits so long before it is asked again */
    WRITE_MS = 60000, SEAL_MS = 300000, /* a full disk cache may keep the endpoint for long */
    EVENTS_BEHIND_MAX = 64 << 10,
    KEEPALIVE_MS = 15000
};

/* Memory of a thread's files stays bounded: the more there are, the smaller are their chunks. */
static uint32_t chunk_bytes(const struct server *s) {
    if (s->files < 32) return CHUNK_BYTES;
    return s->files < 256 ? CHUNK_BYTES / 4 : CHUNK_BYTES / 16;
}

/* ---- uploads ---- */

struct intake {
    bool open;          /* a file's bytes are coming */
    bool created;       /* its id is known */
    bool sealing;
    struct upload *file;
    struct buffer chunk; /* what has not been sent yet */
    uint32_t chunk_max;
    uint32_t unanswered, unsealed;
};

bool intake_open_now(const struct request *r) { return r->intake != NULL && r->intake->open; }

bool intake_full(const struct request *r) {
    const struct intake *i = r->intake;
    if (i == NULL) return false;
    return i->unanswered >= UNANSWERED_MAX || (!i->created && i->chunk.len >= i->chunk_max);
}

bool intake_done(const struct request *r) { return r->intake == NULL || r->intake->unsealed == 0; }

/* NULL when the exchange has been refused. */
static struct call *file_send(struct request *r, const struct message *m, struct upload *u,
                              void (*done)(struct call *, const struct message *, uint32_t)) {
    struct server *s = r->server;
    uint32_t wait_ms = m->verb == VERB_FILE_SEAL ? SEAL_MS : WRITE_MS;
    struct call *call = link_send(s->link, &r->x.who, m, wait_ms, s->now_ms);
    if (call == NULL) {
        exchange_refuse(&r->x, CODE_UNAVAILABLE, NULL);
        return NULL;
    }
    call->owner = r;
    call->done = done;
    call->tag = (uint64_t)(u - r->x.uploads);
    list_push(&r->calls, &call->of_owner);
    return call;
}

/* Common to all answers of the file endpoint; false when the exchange has been refused. */
static bool file_answered(struct request *r, const struct message *answer) {
    enum code code = answer_code(answer);
    if (code == CODE_OK && answer->verb == VERB_ANSWER) return true;
    struct slice text = exchange_copy(&r->x, answer_text(answer));
    exchange_refuse(&r->x, code == CODE_OK ? CODE_INTERNAL_ERROR : code,
                    text.len > 0 ? (const char *)text.data : NULL);
    return false;
}

static void intake_go_on(struct request *r) {
    if (r->waiting && r->stage == STAGE_BODY && !intake_full(r)) http_wake(r);
}

static void chunk_written(struct call *call, const struct message *answer, uint32_t count) {
    struct request *r = call->owner;
    (void)count;
    r->intake->unanswered--;
    if (file_answered(r, answer)) intake_go_on(r);
}

static bool chunk_send(struct request *r) {
    struct intake *i = r->intake;
    if (i->chunk.len == 0) return true;
    if (i->chunk.failed) abort();
    struct message m = {.verb = VERB_FILE_WRITE};
    m.file.id = i->file->file;
    m.file.offset = i->file->size;
    m.file.bytes = buffer_slice(&i->chunk);
    if (file_send(r, &m, i->file, chunk_written) == NULL) return false;
    i->file->size += i->chunk.len;
    i->unanswered++;
    buffer_clear(&i->chunk);
    return true;
}

static void file_sealed(struct call *call, const struct message *answer, uint32_t count) {
    struct request *r = call->owner;
    struct upload *u = &r->x.uploads[call->tag];
    (void)count;
    if (!file_answered(r, answer)) return;
    struct decode d = decode_of(answer->answer.body.data, answer->answer.body.len);
    uint32_t n;
    struct slice hash;
    if (!decode_array(&d, &n) || n < 2 || !decode_uint(&d, &u->size) ||
        !decode_slice(&d, &hash) || hash.len != sizeof u->hash) {
        exchange_refuse(&r->x, CODE_INTERNAL_ERROR, NULL);
        return;
    }
    memcpy(u->hash, hash.data, sizeof u->hash);
    u->sealed = true;
    r->server->files--;
    if (--r->intake->unsealed == 0 && r->stage == STAGE_FILES) request_read(r);
}

/* All bytes are there: the rest, then the seal. The endpoint acts in the order of arrival. */
static bool intake_seal(struct request *r) {
    struct intake *i = r->intake;
    struct message m = {.verb = VERB_FILE_SEAL};
    m.file.id = i->file->file;
    i->open = i->sealing = false;
    /* two frames: the chunk's must leave first, and frames leave in the order they were begun */
    return chunk_send(r) && file_send(r, &m, i->file, file_sealed) != NULL;
}

static void file_created(struct call *call, const struct message *answer, uint32_t count) {
    struct request *r = call->owner;
    struct intake *i = r->intake;
    struct upload *u = &r->x.uploads[call->tag];
    (void)count;
    if (!file_answered(r, answer)) return;
    struct decode d = decode_of(answer->answer.body.data, answer->answer.body.len);
    uint32_t n;
    if (!decode_array(&d, &n) || n < 1 || !decode_uint(&d, &u->file) || u->file == 0) {
        exchange_refuse(&r->x, CODE_INTERNAL_ERROR, NULL);
        return;
    }
    i->created = true;
    if (i->sealing) intake_seal(r);
    else if (i->chunk.len < i->chunk_max || chunk_send(r)) intake_go_on(r);
}

/* NULL when the exchange has been refused. */
static struct upload *upload_new(struct request *r, const char *name, const char *file_name,
                                 const char *mime) {
    struct exchange *x = &r->x;
    if (r->intake == NULL) {
        r->intake = exchange_alloc(x, sizeof *r->intake);
        x->uploads = exchange_alloc(x, sizeof *x->uploads * UPLOADS_MAX);
    }
    if (x->upload_count == UPLOADS_MAX) {
        exchange_refuse(x, CODE_VALIDATION_ERROR, "too many files");
        return NULL;
    }
    struct upload *u = &x->uploads[x->upload_count++];
    u->name = (const char *)exchange_copy(x, slice_text(name)).data;
    u->file_name = (const char *)exchange_copy(x, slice_text(file_name)).data;
    u->mime = (const char *)exchange_copy(x, slice_text(mime)).data;
    r->server->files++;
    return u;
}

bool intake_open(struct request *r, const char *name, const char *file_name, const char *mime) {
    struct exchange *x = &r->x;
    struct intake *i = r->intake;
    if (i != NULL && i->unsealed > 0 && !i->created) { /* the one before still waits for its id */
        return exchange_refuse(x, CODE_VALIDATION_ERROR, "only one file at a time is taken");
    }
    struct upload *u = upload_new(r, name, file_name, mime);
    if (u == NULL) return false;
    i = r->intake;
    i->file = u;
    i->open = true;
    i->created = i->sealing = false;
    i->unsealed++;
    i->chunk_max = chunk_bytes(r->server);
    struct message m = {.verb = VERB_FILE_CREATE};
    m.file.name = slice_text(u->file_name);
    return file_send(r, &m, u, file_created) != NULL;
}

static void file_linked(struct call *call, const struct message *answer, uint32_t count) {
    struct request *r = call->owner;
    struct upload *u = &r->x.uploads[call->tag];
    exchange_linked *then = (exchange_linked *)call->then;
    struct slice hash;
    (void)count;
    if (!file_answered(r, answer)) return;
    if (!file_link_read(answer->answer.body, &u->file, &u->size, &hash)) {
        exchange_refuse(&r->x, CODE_INTERNAL_ERROR, NULL);
        return;
    }
    memcpy(u->hash, hash.data, sizeof u->hash);
    u->sealed = true;
    r->server->files--;
    then(&r->x, u);
    request_check(r);
}

void exchange_link(struct exchange *x, uint64_t file, uint64_t ticket, const char *file_name,
                   const char *mime, exchange_linked *then) {
    struct request *r = request_of(x);
    struct upload *u = upload_new(r, "", file_name, mime);
    if (u == NULL) return;
    struct message m = {.verb = VERB_FILE_LINK};
    m.file.id = file;
    m.file.ticket = ticket;
    struct call *call = file_send(r, &m, u, file_linked);
    if (call != NULL) call->then = (void (*)(void))then;
}

bool intake_write(struct request *r, struct slice bytes) {
    struct intake *i = r->intake;
    if (i->chunk.cap == 0) buffer_reserve(&i->chunk, i->chunk_max + r->server->config->pool_bytes);
    buffer_append(&i->chunk, bytes.data, bytes.len);
    return !i->created || i->chunk.len < i->chunk_max || chunk_send(r);
}

bool intake_close(struct request *r) {
    struct intake *i = r->intake;
    i->sealing = true;
    i->open = false;
    return !i->created || intake_seal(r);
}

void intake_taken(struct request *r, uint64_t file) {
    for (uint32_t i = 0; i < r->x.upload_count; i++) {
        if (r->x.uploads[i].file == file) r->x.uploads[i].taken = true;
    }
}

/* One whose id is still on its way is dropped by the link when it comes. */
void intake_drop(struct request *r) {
    for (uint32_t i = 0; i < r->x.upload_count; i++) {
        struct upload *u = &r->x.uploads[i];
        if (!u->sealed) r->server->files--;
        if (u->file == 0 || u->taken) continue;
        struct message m = {.verb = VERB_FILE_DROP};
        m.file.id = u->file;
        link_tell(r->server->link, &r->x.who, &m);
    }
    buffer_free(&r->intake->chunk);
    r->intake = NULL;
}

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
        struct call *call = link_send(s->link, &r->x.who, &m, WRITE_MS, s->now_ms);
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

static long events_read(struct outlet *o, uint8_t *to, size_t max) {
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
    struct call *call = link_send(s->link, &r->x.who, &m, WRITE_MS, s->now_ms);
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
    const long n = events_read(r->outlet, to, max);
    if (n > 0 && r->outlet->behind.len == 0 && !r->outlet->ended) growth_ask(r);
    return n;
}

long outlet_read(struct request *r, uint8_t *to, size_t max) {
    if (r->outlet->grows) return growth_read(r, to, max);
    return r->outlet->events ? events_read(r->outlet, to, max) : file_read(r, to, max);
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
    o->said_ms = r->server->now_ms;
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
    o->chunk_max = chunk_bytes(r->server);
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
    o->chunk_max = chunk_bytes(r->server);
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

size_t exchange_events_behind(const struct exchange *x) {
    const struct outlet *o = ((const struct request *)x)->outlet;
    return o != NULL ? o->behind.len - o->behind_at : 0;
}

void outlet_tick(struct request *r) {
    struct outlet *o = r->outlet;
    if (!o->events || o->ended || r->server->now_ms - o->said_ms < KEEPALIVE_MS) return;
    o->said_ms = r->server->now_ms;
    say(o, ":\n\n");
    http_wake(r);
}
