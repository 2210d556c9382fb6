/* files.c - relais_files: uploads and downloads over a DEALER of their own.
 *
 * A few chunks are under way at a time, so that the broker writes one while the next travels.
 * Everything is asked for by number; an answer that does not come within the time-out ends the
 * transfer, and the next one begins with a fresh connection. */
#include "proto/decode.h"
#include "proto/host/clock.h"
#include "worker/dealer.h"
#include <assert.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

enum { CHUNK = 512 << 10, WINDOW = 8, READ_WAIT_MS = 20000 };

struct relais_files {
    pthread_mutex_t lock; /* one transfer at a time */
    struct address address;
    void *context;        /* owned when it was not given */
    struct wire *wire;    /* owned; NULL = to be opened */
    struct buffer frame;
    uint64_t number;      /* of the newest request */
};

int relais_files_open(struct relais_files **ret_files, const struct relais_link *link) {
    struct relais_files *f = calloc(1, sizeof *f);
    int code = f ? address_read(&f->address, link) : RELAIS_MEMORY;
    if (!code) f->context = f->address.context ? f->address.context : zmq_ctx_new();
    if (!code && !f->context) code = RELAIS_SYSTEM;
    if (code) {
        free(f);
        return code;
    }
    pthread_mutex_init(&f->lock, NULL);
    *ret_files = f;
    return RELAIS_OK;
}

void relais_files_close(struct relais_files **self) {
    struct relais_files *f = *self;
    if (!f) return;
    wire_close(&f->wire, 0);
    if (f->context != f->address.context) zmq_ctx_term(f->context);
    buffer_free(&f->frame);
    pthread_mutex_destroy(&f->lock);
    free(f);
    *self = NULL;
}

/* ---- one message there, one back ---- */

static int say(struct relais_files *f, struct message *m) {
    struct frame_writer w;
    int64_t deadline = deadline_of(f->address.timeout_ms);
    buffer_clear(&f->frame);
    frame_begin(&w, &f->frame, m->verb, ++f->number, 0, NULL);
    frame_put(&w, m);
    frame_end(&w);
    if (f->frame.failed) return RELAIS_MEMORY;
    while (!wire_send(f->wire, f->frame.data, f->frame.len)) {
        int64_t left = deadline - clock_mono_ms();
        if (left <= 0) return RELAIS_TIMEOUT;
        wire_wait(f->wire, -1, true, left);
    }
    return RELAIS_OK;
}

/* Waits for the answer to request `number`; answers to earlier ones that were given up pass by.
 * The message borrows from the wire until the next call. */
static int hear_until(struct relais_files *f, uint64_t number, struct message *m,
                      int64_t deadline) {
    struct slice bytes;
    struct frame frame;
    for (;;) {
        enum code code;
        while (wire_event(f->wire) != WIRE_NOTHING) {}
        if (!wire_receive(f->wire, &bytes)) {
            int64_t left = deadline - clock_mono_ms();
            if (left <= 0) return RELAIS_TIMEOUT;
            wire_wait(f->wire, -1, false, left);
            continue;
        }
        if (frame_read(&frame, bytes.data, bytes.len, 1) != CODE_OK) continue;
        if (!message_next(&frame, m, &code) || code != CODE_OK) continue;
        frame_free(&frame);
        if (m->verb == VERB_REFUSED && m->refused.number == number) return (int)m->refused.code;
        if (m->verb == VERB_ANSWER && m->answer.number == number) return (int)m->answer.code;
        if (m->verb == VERB_FILE_BYTES && m->file_bytes.number == number)
            return (int)m->file_bytes.code;
    }
}

static int hear(struct relais_files *f, uint64_t number, struct message *m) {
    return hear_until(f, number, m, deadline_of(f->address.timeout_ms));
}

static int ask(struct relais_files *f, struct message *m, struct message *answer) {
    int code = say(f, m);
    return code ? code : hear(f, f->number, answer);
}

static int connect_now(struct relais_files *f) {
    if (!f->wire) f->wire = address_open(&f->address, f->context, true);
    return f->wire ? RELAIS_OK : RELAIS_SYSTEM;
}

/* After a failure late answers may still come: a fresh connection hears none of them. */
static int finish(struct relais_files *f, int code) {
    if (code) wire_close(&f->wire, 0);
    pthread_mutex_unlock(&f->lock);
    return code;
}

/* ---- upload ---- */

static int create(struct relais_files *f, const char *name, uint64_t *id) {
    struct message m = {.verb = VERB_FILE_CREATE}, answer;
    uint32_t count;
    m.file.name = slice_text(name ? name : "");
    int code = ask(f, &m, &answer);
    if (code) return code;
    if (answer.verb != VERB_ANSWER) return RELAIS_BAD_FRAME;
    struct decode d = decode_of(answer.answer.body.data, answer.answer.body.len);
    return decode_array(&d, &count) && count >= 1 && decode_uint(&d, id) ? RELAIS_OK
                                                                         : RELAIS_BAD_FRAME;
}

/* Fills the chunk unless the input ends first; -1 with errno. */
static ssize_t chunk_read(int fd, uint8_t *chunk) {
    size_t len = 0;
    while (len < CHUNK) {
        ssize_t some = read(fd, chunk + len, CHUNK - len);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return -1;
        if (some == 0) break;
        len += (size_t)some;
    }
    return (ssize_t)len;
}

static int write_all(struct relais_files *f, uint64_t id, int fd, struct sha256_ctx *hash,
                     uint64_t *size) {
    uint8_t *chunk = malloc(CHUNK);
    uint64_t first = f->number + 1;
    struct message answer;
    int code = chunk ? RELAIS_OK : RELAIS_MEMORY;
    bool end = false;
    *size = 0;
    while (!code && (!end || first <= f->number)) {
        if (first <= f->number && (end || f->number - first + 1 >= WINDOW)) {
            code = hear(f, first++, &answer);
            continue;
        }
        ssize_t len = chunk_read(fd, chunk);
        end = len < CHUNK;
        if (len < 0) code = RELAIS_SYSTEM;
        if (len <= 0) continue;
        sha256_update(hash, (size_t)len, chunk);
        struct message m = {.verb = VERB_FILE_WRITE};
        m.file = (struct file_ref){.id = id, .offset = *size};
        m.file.bytes = slice_of(chunk, (size_t)len);
        code = say(f, &m);
        *size += (uint64_t)len;
    }
    free(chunk);
    return code;
}

static int seal(struct relais_files *f, uint64_t id, uint64_t size, const uint8_t hash[32]) {
    struct message m = {.verb = VERB_FILE_SEAL}, answer;
    uint32_t count;
    uint64_t stored;
    struct slice digest;
    m.file.id = id;
    int code = ask(f, &m, &answer);
    if (code) return code;
    if (answer.verb != VERB_ANSWER) return RELAIS_BAD_FRAME;
    struct decode d = decode_of(answer.answer.body.data, answer.answer.body.len);
    if (!decode_array(&d, &count) || count < 2 || !decode_uint(&d, &stored) ||
        !decode_slice(&d, &digest))
        return RELAIS_BAD_FRAME;
    bool same = stored == size && digest.len == 32 && memcmp(digest.data, hash, 32) == 0;
    return same ? RELAIS_OK : RELAIS_DAMAGED;
}

static int upload(struct relais_files *f, int fd, const char *name, struct relais_file *file) {
    struct sha256_ctx hash;
    int code = connect_now(f);
    if (!code) code = create(f, name, &file->id);
    if (code) return code;
    sha256_init(&hash);
    code = write_all(f, file->id, fd, &hash, &file->size);
    sha256_digest(&hash, sizeof file->sha256, file->sha256);
    if (!code) code = seal(f, file->id, file->size, file->sha256);
    if (code) {
        int why = errno;
        struct message m = {.verb = VERB_FILE_DROP}, answer;
        m.file.id = file->id;
        if (code != RELAIS_TIMEOUT) ask(f, &m, &answer);
        errno = why;
    }
    return code;
}

int relais_upload(struct relais_files *f, int fd, const char *name, const char *mime,
                  struct relais_file *ret_file) {
    struct relais_file file = {.name = name, .mime = mime};
    pthread_mutex_lock(&f->lock);
    int code = finish(f, upload(f, fd, name, &file));
    if (!code) *ret_file = file;
    return code;
}

/* ---- download ---- */

static int write_out(int fd, struct slice bytes) {
    while (bytes.len) {
        ssize_t some = write(fd, bytes.data, bytes.len);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) return RELAIS_SYSTEM;
        bytes = slice_of(bytes.data + some, bytes.len - (size_t)some);
    }
    return RELAIS_OK;
}

/* Asks for WINDOW chunks ahead. A short chunk that is not the end (the file grows, or the broker
 * gives less at a time) makes the offsets asked for wrong: those answers are passed over. */
static int download(struct relais_files *f, uint64_t file, uint64_t ticket, int fd,
                    uint64_t *size) {
    struct message answer;
    uint64_t first = f->number + 1, next = 0;
    int code = connect_now(f);
    *size = 0;
    while (!code) {
        while (!code && f->number + 1 - first < WINDOW) {
            struct message m = {.verb = VERB_FILE_READ};
            m.file = (struct file_ref){.id = file, .offset = next, .size = CHUNK, .ticket = ticket};
            code = say(f, &m);
            next += CHUNK;
        }
        if (!code) code = hear(f, first++, &answer);
        if (code) break;
        if (answer.verb != VERB_FILE_BYTES) return RELAIS_BAD_FRAME;
        struct file_bytes got = answer.file_bytes;
        if (got.offset != *size) continue;
        code = write_out(fd, got.bytes);
        *size += got.bytes.len;
        if (got.end) break;
        if (got.bytes.len == 0) return RELAIS_DAMAGED;
        if (got.bytes.len < CHUNK) next = *size;
    }
    return code;
}

int relais_download(struct relais_files *f, uint64_t file, uint64_t ticket, int fd,
                    uint64_t *ret_size) {
    uint64_t size = 0;
    pthread_mutex_lock(&f->lock);
    int code = download(f, file, ticket, fd, &size);
    /* Chunks asked for beyond the end are still to come. */
    wire_close(&f->wire, 0);
    finish(f, code);
    if (!code && ret_size) *ret_size = size;
    return code;
}

/* ---- a part of a file, which may still grow ---- */

/* One question; *answered tells a broker that has nothing yet from one that does not answer. */
static int read_once(struct relais_files *f, struct message *m, struct file_bytes *got,
                     bool *answered) {
    struct message answer;
    int code = connect_now(f);
    if (!code) code = say(f, m);
    if (!code)
        code = hear_until(f, f->number, &answer,
                          deadline_of(f->address.timeout_ms + m->file.wait_ms));
    *answered = code >= 0;
    if (code) return code;
    if (answer.verb != VERB_FILE_BYTES) return RELAIS_BAD_FRAME;
    *got = answer.file_bytes;
    return RELAIS_OK;
}

int relais_read(struct relais_files *f, uint64_t file, uint64_t ticket, uint64_t offset,
                void *data, size_t size, uint32_t timeout_ms, size_t *ret_len, bool *ret_end) {
    struct message m = {.verb = VERB_FILE_READ};
    struct file_bytes got = {0};
    int64_t deadline = deadline_of(timeout_ms), left;
    bool answered = true;
    int code;
    if (size == 0 || !data) return RELAIS_ARGUMENT;
    m.file = (struct file_ref){.id = file, .offset = offset, .ticket = ticket,
                               .size = size < CHUNK ? size : CHUNK};
    pthread_mutex_lock(&f->lock);
    do { /* the broker may wait less than it was asked to */
        left = deadline - clock_mono_ms();
        m.file.wait_ms = left < 0 ? 0 : left > READ_WAIT_MS ? READ_WAIT_MS : (uint32_t)left;
        code = read_once(f, &m, &got, &answered);
    } while (!code && got.bytes.len == 0 && !got.end && left > 0);
    if (!code && got.bytes.len == 0 && !got.end) code = RELAIS_TIMEOUT;
    if (!code && got.bytes.len > size) code = RELAIS_BAD_FRAME;
    if (!code) {
        if (got.bytes.len) memcpy(data, got.bytes.data, got.bytes.len);
        *ret_len = got.bytes.len;
        *ret_end = got.end;
    }
    /* an answer that was not waited for would come to the next question */
    finish(f, answered ? RELAIS_OK : code);
    return code;
}
