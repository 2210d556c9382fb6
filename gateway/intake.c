/* intake.c - files that come with a request, on their way to the file endpoint. See request.h. */
#include "gateway/answer.h"
#include "gateway/request.h"
#include "proto/decode.h"
#include "proto/object.h"
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 256 << 10,   /* of a file, per message; less where many share the thread */
    UNANSWERED_MAX = 4,        /* chunks under way before the socket is read no further */
    WRITE_MS = 60000, SEAL_MS = 300000 /* a full disk cache may keep the endpoint for long */
};

uint32_t file_chunk_bytes(const struct server *s) {
    if (s->files < 32) return CHUNK_BYTES;
    return s->files < 256 ? CHUNK_BYTES / 4 : CHUNK_BYTES / 16;
}

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
    i->chunk_max = file_chunk_bytes(r->server);
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
