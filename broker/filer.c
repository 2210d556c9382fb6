/* filer.c - see filer.h. */
#include "broker/filer.h"
#include "broker/keys.h"
#include "broker/owner.h"
#include "broker/post.h"
#include "broker/registry.h"
#include "broker/streamer.h"
#include "proto/encode.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include "store/files.h"
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum { FILER_FRAMES_MAX = 64, FILER_SLEEP_MS = 1000, NAMED_KEPT_MS = 3600000, RETRY_AFTER_MS = 1,
       ID_TRIES = 8,
       PEER_CHUNKS_MAX = 8 /* libzmq holds so many for one peer: they are long */ };
static const uint64_t id_mask = (UINT64_C(1) << 53) - 1;

enum job_kind { JOB_PLACE, JOB_REMOVE, JOB_UNNAME };
struct job { struct letter letter; uint64_t file; enum job_kind kind; };

struct filer {
    struct filer_setup setup;
    struct router *router;
    struct wake wake;
    struct post jobs;
    pthread_t thread;
    bool running;
    atomic_bool stopping;
    struct files *files;
    struct streams *streams;
    struct streamer *streamer;
    struct owners owners;
    struct registry registry;
    int64_t now_ms, sweep_at_ms;
    struct buffer bytes;  /* of one read */
    struct message message;
};

static void read_answer(void *context, const struct peer *p, uint64_t number,
                        const struct file_ref *ref);

static bool streams_begin(struct filer *f, char *why, size_t why_size) {
    const struct filer_setup *setup = &f->setup;
    const struct streams_options options = {
        .folder = setup->data, .streams_max = setup->streams_max,
        .stream_bytes_max = setup->stream_bytes_max, .idle_ms_max = setup->stream_idle_ms,
        .age_ms_max = setup->stream_ms_max, .unnamed_ms_max = setup->upload_idle_ms};
    f->streams = streams_open(&options, why, why_size);
    if (f->streams == NULL) return false;
    const struct streamer_setup streamer = {
        .streams = f->streams, .files = f->files, .router = f->router,
        .chunk_bytes_max = setup->chunk_bytes_max, .wait_ms_max = setup->wait_ms_max,
        .context = f, .read = read_answer};
    f->streamer = streamer_new(&streamer);
    return f->streamer != NULL;
}

struct filer *filer_new(const struct filer_setup *setup, char *why, size_t why_size) {
    snprintf(why, why_size, "out of memory");
    struct filer *f = calloc(1, sizeof *f);
    if (f == NULL) return NULL;
    f->setup = *setup;
    f->wake.fd = -1;
    f->now_ms = clock_mono_ms();
    atomic_init(&f->stopping, false);
    post_open(&f->jobs, &f->wake);
    registry_open(&f->registry);
    struct router_limits limits = *setup->router_limits;
    if (limits.peer_queue_max > PEER_CHUNKS_MAX) limits.peer_queue_max = PEER_CHUNKS_MAX;
    f->router = router_new(setup->context, &limits);
    const struct files_options options = {
        .folder = setup->data, .uploads_max = setup->uploads_max,
        .file_bytes_max = setup->file_bytes_max, .idle_ms_max = setup->upload_idle_ms,
        .named_ms_max = NAMED_KEPT_MS};
    if (!wake_open(&f->wake) || f->router == NULL || !owners_open(&f->owners)
        || (f->files = files_open(&options, why, why_size)) == NULL
        || !streams_begin(f, why, why_size))
        filer_destroy(&f);
    return f;
}

bool filer_bind(struct filer *f, const char *endpoint, char *bound, size_t bound_size, char *why,
                size_t why_size) {
    return router_bind(f->router, endpoint, f->setup.secret, bound, bound_size, why, why_size);
}

/* ---- uploads ---- */

static bool disk_full(const struct filer *f, uint64_t more) {
    struct statvfs disk;
    if (statvfs(f->setup.data, &disk) != 0) return false;
    const uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
    return left < f->setup.free_bytes_min || left - f->setup.free_bytes_min < more;
}

static enum code code_of(enum file_result result) {
    switch (result) {
    case FILE_OK: return CODE_OK;
    case FILE_UNKNOWN: return CODE_NOT_FOUND;
    case FILE_EXISTS: case FILE_ORDER: return CODE_CONFLICT;
    case FILE_LIMIT: return CODE_LIMIT_REACHED;
    case FILE_LARGE: return CODE_PAYLOAD_TOO_LARGE;
    case FILE_FULL: return CODE_STORAGE_FULL;
    case FILE_FAILED: break;
    }
    log_error("a file could not be written or read", field_text("why", strerror(errno)));
    return CODE_INTERNAL_ERROR;
}

/* What is linked: an upload that begins with the bytes of another file. */
struct source { uint64_t file, size; const uint8_t *known; uint8_t hash[FILE_HASH_BYTES]; };

/* Never 0; whether it is taken already is seen when it is used. */
static uint64_t id_draw(void) {
    uint64_t id = 0;
    while (id == 0) {
        randombytes_buf(&id, sizeof id);
        id &= id_mask;
    }
    return id;
}

static enum file_result upload_begin(struct filer *f, uint64_t id, struct source *from) {
    if (from == NULL) return files_create(f->files, id, f->now_ms);
    return files_link(f->files, from->file, id, f->now_ms, from->known, &from->size, from->hash);
}

static enum code upload_create(struct filer *f, const struct who *who, struct source *from,
                               uint64_t *ret_id) {
    enum file_result result = FILE_EXISTS;
    uint64_t id = 0;
    for (int i = 0; i < ID_TRIES && result == FILE_EXISTS; i++)
        result = upload_begin(f, id = id_draw(), from);
    if (result != FILE_OK) return code_of(result);
    if (!owners_put(&f->owners, id, who)) {
        files_drop(f->files, id);
        return CODE_BUSY;
    }
    *ret_id = id;
    return CODE_OK;
}

static enum code stream_create(struct filer *f, const struct who *who, uint64_t *ret_id) {
    if (who->role == ROLE_WORKER || who->brand == 0) return CODE_FORBIDDEN;
    if (disk_full(f, 0)) return CODE_STORAGE_FULL;
    enum file_result result = FILE_EXISTS;
    uint64_t id = 0;
    for (int i = 0; i < ID_TRIES && result == FILE_EXISTS; i++)
        result = streams_create(f->streams, id = id_draw(), who->brand, f->now_ms,
                                clock_wall_ms());
    if (result == FILE_OK) *ret_id = id;
    return streamer_code(result);
}

/* An upload is its principal's alone: nobody else learns that there is one. */
static enum code upload_check(const struct filer *f, const struct who *who, uint64_t id) {
    return owners_match(&f->owners, id, who) ? CODE_OK : CODE_NOT_FOUND;
}

/* Without a ticket nobody learns what exists. */
static bool may_read(const struct filer *f, const struct peer *p, const struct file_ref *ref) {
    return p->who.role == ROLE_GATEWAY || p->who.role == ROLE_LOCAL
        || ref->ticket == ticket_of(f->setup.secret->id_key, ref->id);
}

static enum code upload_write(struct filer *f, const struct who *who, const struct file_ref *ref) {
    const enum code code = upload_check(f, who, ref->id);
    if (code != CODE_OK) return code;
    if (ref->bytes.len > f->setup.chunk_bytes_max) return CODE_PAYLOAD_TOO_LARGE;
    return code_of(files_append(f->files, ref->id, ref->offset, ref->bytes, f->now_ms));
}

static enum code upload_drop(struct filer *f, const struct who *who, uint64_t id) {
    struct stream_state stream;
    streamer_changed(f->streamer); /* whoever waits for it hears that it is gone */
    if (streams_state(f->streams, id, &stream) == FILE_OK)
        return stream.brand == who->brand ? streamer_code(streams_drop(f->streams, id))
                                          : CODE_NOT_FOUND;
    enum code code = upload_check(f, who, id);
    if (code == CODE_OK) code = code_of(files_drop(f->files, id));
    if (code == CODE_OK) owners_forget(&f->owners, id);
    return code;
}

/* ---- answers ---- */

static void answer_say(struct filer *f, const struct peer *p, uint64_t number, enum code code,
                       struct slice body) {
    if (code != CODE_OK) body = slice_text(code_text(code));
    const struct message m = {.verb = VERB_ANSWER,
                              .answer = {.number = number, .code = code, .body = body}};
    router_say(f->router, p->number, SAY_NOW, &m);
}

static void refuse(struct filer *f, const struct peer *p, uint64_t number, enum code code) {
    const struct message m = {.verb = VERB_REFUSED,
                              .refused = {.number = number, .code = code,
                                          .text = slice_text(code_text(code))}};
    router_say(f->router, p->number, SAY_NOW, &m);
}

/* Whoever may read a file may have a second id for its bytes. */
static void link_take(struct filer *f, const struct peer *p, const struct who *who) {
    const struct file_ref *ref = &f->message.file;
    struct source from = {.file = ref->id};
    uint8_t hash[FILE_HASH_BYTES];
    uint64_t id = 0;
    enum code code = CODE_NOT_FOUND;
    if (may_read(f, p, ref)) {
        if (registry_hash(&f->registry, ref->id, hash)) from.known = hash;
        code = upload_create(f, who, &from, &id);
    }
    buffer_clear(&f->bytes);
    encode_array(&f->bytes, 3);
    encode_uint(&f->bytes, id);
    encode_uint(&f->bytes, from.size);
    encode_bin(&f->bytes, slice_of(from.hash, sizeof from.hash));
    answer_say(f, p, f->message.number, code, buffer_slice(&f->bytes));
}

static void create_take(struct filer *f, const struct peer *p, const struct who *who) {
    uint64_t id = 0;
    const struct file_ref *ref = &f->message.file;
    const enum code code = ref->stream                              ? stream_create(f, who, &id)
                           : ref->size > f->setup.file_bytes_max    ? CODE_PAYLOAD_TOO_LARGE
                           : disk_full(f, ref->size)                ? CODE_STORAGE_FULL
                                                    : upload_create(f, who, NULL, &id);
    buffer_clear(&f->bytes);
    encode_array(&f->bytes, 1);
    encode_uint(&f->bytes, id);
    answer_say(f, p, f->message.number, code, buffer_slice(&f->bytes));
}

static void seal_take(struct filer *f, const struct peer *p, const struct who *who) {
    uint8_t hash[FILE_HASH_BYTES];
    uint64_t size = 0;
    enum code code = upload_check(f, who, f->message.file.id);
    if (code == CODE_OK)
        code = code_of(files_seal(f->files, f->message.file.id, f->now_ms, &size, hash));
    buffer_clear(&f->bytes);
    if (code == CODE_OK) {
        encode_array(&f->bytes, 2);
        encode_uint(&f->bytes, size);
        encode_bin(&f->bytes, slice_of(hash, sizeof hash));
    }
    answer_say(f, p, f->message.number, code, buffer_slice(&f->bytes));
}

/* Reads into f->bytes; at most a chunk. */
static enum code bytes_read(struct filer *f, const struct file_ref *ref, bool *end) {
    uint64_t size = 0;
    const uint32_t len = ref->size == 0 || ref->size > f->setup.chunk_bytes_max
        ? f->setup.chunk_bytes_max : (uint32_t)ref->size;
    buffer_clear(&f->bytes);
    struct stream_state stream = {.ended = true};
    const bool grows = streams_state(f->streams, ref->id, &stream) == FILE_OK;
    const enum file_result result =
        grows ? streams_read(f->streams, ref->id, ref->offset, len, &f->bytes)
              : files_read(f->files, ref->id, ref->offset, len, &f->bytes, &size);
    if (grows) size = stream.size;
    if (f->bytes.failed) {
        buffer_free(&f->bytes);
        return CODE_BUSY;
    }
    if (result != FILE_OK) return code_of(result);
    if (stream.ended && ref->offset > size) return CODE_RANGE_NOT_SATISFIABLE;
    *end = stream.ended && ref->offset + f->bytes.len >= size;
    return CODE_OK;
}

static void read_answer(void *context, const struct peer *p, uint64_t number,
                        const struct file_ref *ref) {
    struct filer *f = context;
    bool end = false;
    const enum code code = bytes_read(f, ref, &end);
    const struct slice bytes = code == CODE_OK ? buffer_slice(&f->bytes)
                                               : slice_text(code_text(code));
    const struct message m = {.verb = VERB_FILE_BYTES,
                              .file_bytes = {.number = number, .code = code,
                                             .offset = ref->offset, .bytes = bytes, .end = end}};
    router_say(f->router, p->number, SAY_NOW, &m);
}

static void read_refuse(struct filer *f, const struct peer *p, enum code code) {
    const struct message m = {.verb = VERB_FILE_BYTES,
                              .file_bytes = {.number = f->message.number, .code = code,
                                             .offset = f->message.file.offset,
                                             .bytes = slice_text(code_text(code))}};
    router_say(f->router, p->number, SAY_NOW, &m);
}

static void read_take(struct filer *f, const struct peer *p) {
    const struct file_ref *ref = &f->message.file;
    const bool over = p->who.role != ROLE_GATEWAY /* which reads for many */
        && p->outbox.bytes >= (size_t)PEER_CHUNKS_MAX * f->setup.chunk_bytes_max;
    if (!may_read(f, p, ref))
        read_refuse(f, p, CODE_NOT_FOUND);
    else if (over)
        read_refuse(f, p, CODE_BUSY);
    else if (!streamer_wait(f->streamer, p, f->message.number, ref, f->now_ms))
        read_answer(f, p, f->message.number, ref);
}

static void item_take(struct filer *f, const struct peer *p, const struct who *who) {
    switch ((int)f->message.verb) {
    case VERB_FILE_CREATE: create_take(f, p, who); break;
    case VERB_FILE_LINK: link_take(f, p, who); break;
    case VERB_FILE_SEAL: seal_take(f, p, who); break;
    case VERB_FILE_READ: read_take(f, p); break;
    case VERB_FILE_APPEND: case VERB_FILE_END: case VERB_FILE_STAT:
        streamer_take(f->streamer, p, who, &f->message, f->now_ms);
        break;
    case VERB_FILE_WRITE:
        answer_say(f, p, f->message.number, upload_write(f, who, &f->message.file),
                   (struct slice){0});
        break;
    case VERB_FILE_DROP:
        answer_say(f, p, f->message.number, upload_drop(f, who, f->message.file.id),
                   (struct slice){0});
        break;
    default: refuse(f, p, f->message.number, CODE_UNKNOWN_VERB);
    }
}

static void frame_take(struct filer *f, struct peer *p, zmq_msg_t *body) {
    struct frame frame = {0};
    enum code code = frame_read(&frame, zmq_msg_data(body), zmq_msg_size(body),
                                f->setup.router_limits->batch_max);
    if (p->grant != NULL && !keys_has_curve(f->setup.data, p->grant->key))
        code = CODE_UNAUTHORIZED;
    if (code == CODE_OK && frame.has_who && p->who.role != ROLE_GATEWAY) code = CODE_FORBIDDEN;
    if (code != CODE_OK) {
        refuse(f, p, frame.request, code);
        return;
    }
    const struct who *who = frame.has_who ? &frame.who : &p->who;
    while (message_next(&frame, &f->message, &code)) {
        if (code == CODE_OK)
            item_take(f, p, who);
        else
            refuse(f, p, f->message.number, code);
    }
}

/* ---- the loop ---- */

static bool frames_take(struct filer *f) {
    for (int i = 0; i < FILER_FRAMES_MAX; i++) {
        zmq_msg_t body;
        struct peer *p = router_receive(f->router, &body, f->now_ms);
        if (p == NULL) return false;
        frame_take(f, p, &body);
        zmq_msg_close(&body);
        router_flush(f->router, f->now_ms);
    }
    return true;
}

static void stream_job_run(struct filer *f, const struct job *job) {
    enum file_result result = FILE_OK;
    switch (job->kind) {
    case JOB_PLACE: result = streams_place(f->streams, job->file); break;
    case JOB_REMOVE: result = streams_remove(f->streams, job->file); break;
    case JOB_UNNAME: streams_unname(f->streams, job->file, f->now_ms); break;
    }
    if (result != FILE_OK)
        log_error("a stream could not be placed or removed", field_number("file", job->file),
                  field_text("why", strerror(errno)));
    streamer_changed(f->streamer);
}

static void job_run(struct filer *f, const struct job *job) {
    enum file_result result = FILE_OK;
    const bool grows = streams_knows(f->streams, job->file);
    if (grows) {
        stream_job_run(f, job);
        return;
    }
    switch (job->kind) {
    case JOB_PLACE: result = files_place(f->files, job->file); break;
    case JOB_REMOVE: result = files_remove(f->files, job->file); break;
    case JOB_UNNAME: files_unname(f->files, job->file, f->now_ms); return;
    }
    if (result != FILE_OK && !(job->kind == JOB_REMOVE && result == FILE_UNKNOWN))
        log_error("a file could not be moved or removed", field_number("file", job->file),
                  field_text("why", result == FILE_UNKNOWN ? "there is none" : strerror(errno)));
    owners_forget(&f->owners, job->file);
}

static void jobs_run(struct filer *f) {
    for (struct letter *l = post_take_all(&f->jobs), *next; l != NULL; l = next) {
        next = l->next;
        job_run(f, (struct job *)(void *)l);
        free(l);
    }
}

static void upload_dropped(void *context, uint64_t id) {
    struct filer *f = context;
    log_info("an upload that nobody went on with was given up", field_number("file", id));
    owners_forget(&f->owners, id);
}

static void stream_over(void *context, uint64_t id) {
    struct filer *f = context;
    log_info("a stream that nobody went on with, or that is too long, was ended",
             field_number("file", id));
    streamer_changed(f->streamer);
}

static void sweep(struct filer *f) {
    if (f->now_ms < f->sweep_at_ms) return;
    f->sweep_at_ms = f->now_ms + FILER_SLEEP_MS;
    router_sweep(f->router, f->now_ms);
    files_expire(f->files, f->now_ms, upload_dropped, f);
    streams_expire(f->streams, f->now_ms, clock_wall_ms(), stream_over, f);
}

static void filer_sleep(struct filer *f, bool blocked) {
    struct pollfd fds[SOCKETS_MAX + 1] = {{.fd = f->wake.fd, .events = POLLIN}};
    uint32_t count = 1;
    wake_sleep(&f->wake);
    if (!router_poll(f->router, fds, &count) && post_empty(&f->jobs)
        && !atomic_load(&f->stopping))
        poll(fds, count, streamer_sleep_ms(f->streamer, f->now_ms,
                                           blocked ? RETRY_AFTER_MS : FILER_SLEEP_MS));
    router_wake(f->router, fds + 1);
    wake_up(&f->wake, (fds[0].revents & POLLIN) != 0);
}

static void *filer_main(void *context) {
    pthread_setname_np(pthread_self(), "files");
    struct filer *f = context;
    while (!atomic_load(&f->stopping)) {
        f->now_ms = clock_mono_ms();
        router_look(f->router);
        jobs_run(f);
        const bool more = frames_take(f);
        sweep(f);
        streamer_turn(f->streamer, f->now_ms);
        router_flush(f->router, f->now_ms);
        for (struct peer *p; (p = router_gone(f->router)) != NULL;) router_forget(f->router, p);
        const bool blocked = router_retry(f->router, f->now_ms);
        if (!more) filer_sleep(f, blocked);
    }
    jobs_run(f);
    return NULL;
}

bool filer_start(struct filer *f) {
    f->running = pthread_create(&f->thread, NULL, filer_main, f) == 0;
    return f->running;
}

void filer_destroy(struct filer **self) {
    struct filer *f = *self;
    if (f == NULL) return;
    atomic_store(&f->stopping, true);
    wake_ring(&f->wake);
    if (f->running) pthread_join(f->thread, NULL);
    streamer_destroy(&f->streamer);
    streams_close(&f->streams);
    files_close(&f->files); /* what is in incoming/ is looked at by the next start */
    owners_close(&f->owners);
    router_destroy(&f->router);
    wake_close(&f->wake);
    post_free(&f->jobs);
    registry_close(&f->registry);
    buffer_free(&f->bytes);
    free(f);
    *self = NULL;
}

/* ---- for the broker thread ---- */

enum code filer_name(struct filer *f, uint64_t file, uint64_t *ret_size) {
    return code_of(files_name(f->files, file, clock_mono_ms(), ret_size));
}

enum code filer_name_stream(struct filer *f, uint64_t file) {
    if (streams_name(f->streams, file) == FILE_OK) return CODE_OK;
    return files_placed(f->files, file) ? CODE_OK : CODE_NOT_FOUND;
}

bool filer_hash(struct filer *f, uint64_t file, uint8_t ret_hash[32]) {
    return files_hash(f->files, file, ret_hash);
}

void filer_serve(struct filer *f, struct writer *writer) {
    registry_serve(&f->registry, writer);
}

bool filer_placed(struct filer *f, uint64_t file) { return files_placed(f->files, file); }

static void job_put(struct filer *f, uint64_t file, enum job_kind kind) {
    struct job *job = malloc(sizeof *job);
    if (job == NULL) {
        log_error("a file is not moved: out of memory", field_number("file", file));
        return;
    }
    *job = (struct job){.file = file, .kind = kind};
    post_put(&f->jobs, &job->letter);
}

void filer_place(struct filer *f, uint64_t file) { job_put(f, file, JOB_PLACE); }
void filer_remove(struct filer *f, uint64_t file) { job_put(f, file, JOB_REMOVE); }

/* ---- when the store was opened ---- */

struct settling { struct filer *filer; struct store_view *view; };

static void nothing_more(void *context, const struct record *record) {
    (void)context;
    (void)record;
}

static int has_record(void *context, uint64_t id) {
    const struct settling *s = context;
    if (view_file(s->view, id, nothing_more, NULL)) return 1;
    return view_trouble(s->view) != NULL ? -1 : 0;
}

/* The group that was to name it failed, and turned out to be durable or not. */
static void name_settle(void *context, uint64_t id) {
    const struct settling *s = context;
    const int is = has_record(context, id);
    if (is >= 0) job_put(s->filer, id, is > 0 ? JOB_PLACE : JOB_UNNAME);
}

static void gone_settle(void *context, uint64_t id) {
    struct filer *f = context;
    if (f->running) {
        filer_remove(f, id);
        return;
    }
    const enum file_result result = files_remove(f->files, id);
    if (result == FILE_OK)
        log_info("a file whose record is gone was removed", field_number("file", id));
    else if (result != FILE_UNKNOWN)
        log_error("a file whose record is gone could not be removed", field_number("file", id),
                  field_text("why", strerror(errno)));
}

static void names_settle(struct filer *f, struct settling *s) {
    files_each_named(f->files, name_settle, s);
    streams_each_named(f->streams, name_settle, s);
}

/* How many unfinished uploads there were, and streams; -1 when they cannot be told. */
static int64_t both_recover(struct filer *f, struct settling *s, char *why, size_t why_size) {
    const int64_t uploads = files_recover(f->files, has_record, s, why, why_size);
    if (uploads < 0) return -1;
    const int64_t streams = streams_recover(f->streams, f->now_ms, has_record, s, why, why_size);
    return streams < 0 ? -1 : uploads + streams;
}

bool filer_recover(struct filer *f, struct store *store, char *why, size_t why_size) {
    struct settling s = {.filer = f, .view = store_view_open(store, store_next_group(store) - 1,
                                                             why, why_size)};
    if (s.view == NULL) return false;
    int64_t count = 0;
    if (f->running)
        names_settle(f, &s);
    else
        count = both_recover(f, &s, why, why_size);
    if (count > 0)
        log_info("unfinished uploads were looked at", field_signed("count", count));
    store_view_close(&s.view);
    store_files_gone(store, gone_settle, f);
    return count >= 0;
}
