/* filer.c - see filer.h. */
#include "broker/filer.h"
#include "broker/post.h"
#include "broker/upload.h"
#include "proto/encode.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FILER_FRAMES_MAX = 64, FILER_SLEEP_MS = 1000, NAMED_KEPT_MS = 3600000, RETRY_AFTER_MS = 1,
       ID_TRIES = 8 };
static const uint64_t id_mask = (UINT64_C(1) << 53) - 1;

struct upload {
    struct map_node by_id; /* first: a node is its upload */
    uint64_t id;
    struct who who;        /* who may go on with it */
    int64_t heard_ms;
    int64_t named_ms;      /* a task that is not yet durable names it; 0 = none */
    bool sealed;
    struct upload_file file;
};

struct job { struct letter letter; uint64_t file; bool gone; };

struct filer {
    struct filer_setup setup;
    struct router *router;
    struct wake wake;
    struct post jobs;
    pthread_t thread;
    bool running;
    atomic_bool stopping;
    pthread_mutex_t lock; /* the map: the broker thread looks uploads up */
    struct map uploads;
    int64_t now_ms, sweep_at_ms;
    struct buffer bytes;  /* of one read */
    struct message message;
};

struct filer *filer_new(const struct filer_setup *setup, char *why, size_t why_size) {
    const int bad = upload_folders_make(setup->data);
    if (bad != 0) {
        snprintf(why, why_size, "cannot make %s/files: %s", setup->data, strerror(bad));
        return NULL;
    }
    snprintf(why, why_size, "out of memory");
    struct filer *f = calloc(1, sizeof *f);
    if (f == NULL) return NULL;
    f->setup = *setup;
    f->wake.fd = -1;
    f->now_ms = clock_mono_ms();
    atomic_init(&f->stopping, false);
    pthread_mutex_init(&f->lock, NULL);
    post_open(&f->jobs, &f->wake);
    f->router = router_new(setup->context, setup->router_limits);
    if (!wake_open(&f->wake) || f->router == NULL || !map_init(&f->uploads, 64))
        filer_destroy(&f);
    return f;
}

bool filer_bind(struct filer *f, const char *endpoint, char *bound, size_t bound_size, char *why,
                size_t why_size) {
    return router_bind(f->router, endpoint, f->setup.secret, bound, bound_size, why, why_size);
}

/* ---- uploads ---- */

static struct upload *upload_find(struct filer *f, uint64_t id) {
    for (struct map_node *n = map_first(&f->uploads, hash_number(id)); n; n = map_next(n)) {
        struct upload *u = (struct upload *)(void *)n;
        if (u->id == id) return u;
    }
    return NULL;
}

static void upload_forget(struct filer *f, struct upload *u, bool drop) {
    pthread_mutex_lock(&f->lock);
    map_remove(&f->uploads, &u->by_id);
    pthread_mutex_unlock(&f->lock);
    upload_end(&u->file, f->setup.data, u->id, drop);
    free(u);
}

static bool disk_full(const struct filer *f, uint64_t more) {
    struct statvfs disk;
    if (statvfs(f->setup.data, &disk) != 0) return false;
    const uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
    return left < f->setup.free_bytes_min || left - f->setup.free_bytes_min < more;
}

static enum code code_of(int error) {
    if (error == 0) return CODE_OK;
    if (error == ENOSPC || error == EDQUOT) return CODE_STORAGE_FULL;
    if (error == ENOENT) return CODE_NOT_FOUND;
    log_error("a file could not be written", field_text("why", strerror(error)));
    return CODE_INTERNAL_ERROR;
}

static enum code upload_create(struct filer *f, const struct who *who, uint64_t size,
                               uint64_t *ret_id) {
    if (size > f->setup.file_bytes_max) return CODE_PAYLOAD_TOO_LARGE;
    if (f->uploads.count >= f->setup.uploads_max) return CODE_LIMIT_REACHED;
    if (disk_full(f, size)) return CODE_STORAGE_FULL;
    struct upload *u = calloc(1, sizeof *u);
    if (u == NULL) return CODE_BUSY;
    int bad = EEXIST;
    for (int i = 0; i < ID_TRIES && bad == EEXIST; i++) {
        randombytes_buf(&u->id, sizeof u->id);
        u->id &= id_mask;
        bad = u->id == 0 ? EEXIST : upload_begin(&u->file, f->setup.data, u->id);
    }
    if (bad != 0) {
        free(u);
        return code_of(bad);
    }
    u->who = *who;
    u->heard_ms = f->now_ms;
    pthread_mutex_lock(&f->lock);
    map_put(&f->uploads, &u->by_id, hash_number(u->id));
    pthread_mutex_unlock(&f->lock);
    *ret_id = u->id;
    return CODE_OK;
}

/* The upload that this principal may go on with. */
static enum code upload_mine(struct filer *f, const struct who *who, uint64_t id,
                             struct upload **ret_upload) {
    struct upload *u = upload_find(f, id);
    if (u == NULL || u->who.brand != who->brand || u->who.role != who->role
        || strcmp(u->who.name, who->name) != 0)
        return CODE_NOT_FOUND;
    u->heard_ms = f->now_ms;
    *ret_upload = u;
    return CODE_OK;
}

static enum code upload_write(struct filer *f, struct upload *u, const struct file_ref *ref) {
    if (ref->bytes.len > f->setup.chunk_bytes_max) return CODE_PAYLOAD_TOO_LARGE;
    if (ref->offset < u->file.size && ref->offset + ref->bytes.len <= u->file.size)
        return CODE_OK; /* said again after a lost answer */
    if (u->sealed || ref->offset != u->file.size) return CODE_CONFLICT;
    if (ref->bytes.len > f->setup.file_bytes_max - u->file.size) return CODE_PAYLOAD_TOO_LARGE;
    return code_of(upload_append(&u->file, ref->bytes));
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

static void create_take(struct filer *f, const struct peer *p, const struct who *who) {
    uint64_t id = 0;
    const enum code code = upload_create(f, who, f->message.file.size, &id);
    buffer_clear(&f->bytes);
    encode_array(&f->bytes, 1);
    encode_uint(&f->bytes, id);
    answer_say(f, p, f->message.number, code, buffer_slice(&f->bytes));
}

static void seal_take(struct filer *f, const struct peer *p, const struct who *who) {
    struct upload *u = NULL;
    enum code code = upload_mine(f, who, f->message.file.id, &u);
    if (code == CODE_OK && !u->sealed) code = code_of(upload_seal(&u->file));
    buffer_clear(&f->bytes);
    if (code == CODE_OK) {
        pthread_mutex_lock(&f->lock);
        u->sealed = true;
        pthread_mutex_unlock(&f->lock);
        encode_array(&f->bytes, 2);
        encode_uint(&f->bytes, u->file.size);
        encode_bin(&f->bytes, slice_of(u->file.hash, HASH_BYTES));
    }
    answer_say(f, p, f->message.number, code, buffer_slice(&f->bytes));
}

/* Reads into f->bytes; at most a chunk. */
static enum code bytes_read(struct filer *f, const struct file_ref *ref, bool *end) {
    uint64_t size = 0;
    const struct upload *u = upload_find(f, ref->id);
    if (u != NULL && !u->sealed) return CODE_NOT_FOUND;
    const int fd = upload_open(f->setup.data, ref->id, &size);
    if (fd < 0) return CODE_NOT_FOUND;
    uint64_t len = ref->size == 0 || ref->size > f->setup.chunk_bytes_max
        ? f->setup.chunk_bytes_max : ref->size;
    if (ref->offset > size) len = 0;
    else if (len > size - ref->offset) len = size - ref->offset;
    buffer_clear(&f->bytes);
    ssize_t got = -1;
    if (buffer_reserve(&f->bytes, len + 1))
        got = pread(fd, f->bytes.data, len, (off_t)ref->offset);
    close(fd);
    if (ref->offset > size) return CODE_RANGE_NOT_SATISFIABLE;
    if (got < 0) return f->bytes.failed ? CODE_BUSY : CODE_INTERNAL_ERROR;
    f->bytes.len = (size_t)got;
    *end = ref->offset + (uint64_t)got >= size;
    return CODE_OK;
}

static void read_take(struct filer *f, const struct peer *p) {
    const struct file_ref *ref = &f->message.file;
    const bool trusted = p->who.role == ROLE_GATEWAY || p->who.role == ROLE_LOCAL;
    bool end = false;
    enum code code = CODE_NOT_FOUND; /* without a ticket nobody learns what exists */
    if (trusted || ref->ticket == ticket_of(f->setup.secret->id_key, ref->id))
        code = bytes_read(f, ref, &end);
    const struct slice bytes = code == CODE_OK ? buffer_slice(&f->bytes)
                                               : slice_text(code_text(code));
    const struct message m = {.verb = VERB_FILE_BYTES,
                              .file_bytes = {.number = f->message.number, .code = code,
                                             .offset = ref->offset, .bytes = bytes, .end = end}};
    router_say(f->router, p->number, SAY_NOW, &m);
}

static void item_take(struct filer *f, const struct peer *p, const struct who *who) {
    struct upload *u = NULL;
    enum code code;
    switch ((int)f->message.verb) {
    case VERB_FILE_CREATE: create_take(f, p, who); break;
    case VERB_FILE_SEAL: seal_take(f, p, who); break;
    case VERB_FILE_READ: read_take(f, p); break;
    case VERB_FILE_WRITE:
        code = upload_mine(f, who, f->message.file.id, &u);
        if (code == CODE_OK) code = upload_write(f, u, &f->message.file);
        answer_say(f, p, f->message.number, code, (struct slice){0});
        break;
    case VERB_FILE_DROP:
        code = upload_mine(f, who, f->message.file.id, &u);
        if (code == CODE_OK && u->named_ms != 0) code = CODE_CONFLICT;
        if (code == CODE_OK) upload_forget(f, u, true);
        answer_say(f, p, f->message.number, code, (struct slice){0});
        break;
    default: refuse(f, p, f->message.number, CODE_UNKNOWN_VERB);
    }
}

static void frame_take(struct filer *f, struct peer *p, zmq_msg_t *body) {
    struct frame frame = {0};
    enum code code = frame_read(&frame, zmq_msg_data(body), zmq_msg_size(body),
                                f->setup.router_limits->batch_max);
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

static void job_run(struct filer *f, const struct job *job) {
    struct upload *u = upload_find(f, job->file);
    if (u != NULL && (job->gone || u->sealed)) upload_forget(f, u, false);
    const int bad = job->gone ? upload_remove(f->setup.data, job->file)
                              : upload_place(f->setup.data, job->file);
    if (bad != 0 && !(job->gone && bad == ENOENT))
        log_error("a file could not be moved or removed", field_number("file", job->file),
                  field_text("why", strerror(bad)));
}

static void jobs_run(struct filer *f) {
    for (struct letter *l = post_take_all(&f->jobs), *next; l != NULL; l = next) {
        next = l->next;
        job_run(f, (struct job *)(void *)l);
        free(l);
    }
}

/* Gives up uploads that nobody goes on with. */
static void sweep(struct filer *f) {
    if (f->now_ms < f->sweep_at_ms) return;
    f->sweep_at_ms = f->now_ms + FILER_SLEEP_MS;
    router_sweep(f->router, f->now_ms);
    for (size_t i = 0; i <= f->uploads.mask; i++) {
        for (struct map_node *n = f->uploads.buckets[i], *next; n != NULL; n = next) {
            next = n->next;
            struct upload *u = (struct upload *)(void *)n;
            if (f->now_ms - u->heard_ms < f->setup.upload_idle_ms) continue;
            if (u->named_ms != 0 && f->now_ms - u->named_ms < NAMED_KEPT_MS) continue;
            log_info("an upload was given up", field_number("file", u->id),
                     field_number("bytes", u->file.size));
            upload_forget(f, u, true);
        }
    }
}

static void filer_sleep(struct filer *f, bool blocked) {
    struct pollfd fds[SOCKETS_MAX + 1] = {{.fd = f->wake.fd, .events = POLLIN}};
    uint32_t count = 1;
    wake_sleep(&f->wake);
    if (!router_poll(f->router, fds, &count) && post_empty(&f->jobs)
        && !atomic_load(&f->stopping))
        poll(fds, count, blocked ? RETRY_AFTER_MS : FILER_SLEEP_MS);
    router_wake(f->router, fds + 1);
    wake_up(&f->wake, (fds[0].revents & POLLIN) != 0);
}

static void *filer_main(void *context) {
    struct filer *f = context;
    while (!atomic_load(&f->stopping)) {
        f->now_ms = clock_mono_ms();
        router_look(f->router);
        jobs_run(f);
        const bool more = frames_take(f);
        sweep(f);
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
    for (size_t i = 0; f->uploads.buckets != NULL && i <= f->uploads.mask; i++)
        while (f->uploads.buckets[i] != NULL) /* what is sealed is looked at by the next start */
            upload_forget(f, (struct upload *)(void *)f->uploads.buckets[i], false);
    map_free(&f->uploads);
    router_destroy(&f->router);
    wake_close(&f->wake);
    post_free(&f->jobs);
    pthread_mutex_destroy(&f->lock);
    buffer_free(&f->bytes);
    free(f);
    *self = NULL;
}

/* ---- for the broker thread ---- */

enum code filer_name(struct filer *f, uint64_t file, uint64_t *ret_size) {
    bool there = false;
    pthread_mutex_lock(&f->lock);
    struct upload *u = upload_find(f, file);
    if (u != NULL && u->sealed) {
        u->named_ms = clock_mono_ms();
        *ret_size = u->file.size;
        there = true;
    }
    pthread_mutex_unlock(&f->lock);
    if (u != NULL) return there ? CODE_OK : CODE_NOT_FOUND;
    const int fd = upload_open(f->setup.data, file, ret_size); /* a repeat: it has its place */
    if (fd < 0) return CODE_NOT_FOUND;
    close(fd);
    return CODE_OK;
}

static void job_put(struct filer *f, uint64_t file, bool gone) {
    struct job *job = malloc(sizeof *job);
    if (job == NULL) {
        log_error("a file is not moved: out of memory", field_number("file", file));
        return;
    }
    *job = (struct job){.file = file, .gone = gone};
    post_put(&f->jobs, &job->letter);
}

void filer_place(struct filer *f, uint64_t file) { job_put(f, file, false); }
void filer_remove(struct filer *f, uint64_t file) { job_put(f, file, true); }

/* ---- start ---- */

struct incoming { struct map ids; bool failed; };
struct incoming_id { struct map_node by_id; uint64_t id; };

static void incoming_found(void *context, uint64_t id) {
    struct incoming *in = context;
    struct incoming_id *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        in->failed = true;
        return;
    }
    entry->id = id;
    map_put(&in->ids, &entry->by_id, hash_number(id));
}

static void incoming_settle(struct filer *f, struct incoming *in, uint64_t id, bool named) {
    for (struct map_node *n = map_first(&in->ids, hash_number(id)); n; n = map_next(n)) {
        struct incoming_id *entry = (struct incoming_id *)(void *)n;
        if (entry->id != id) continue;
        const int bad = named ? upload_place(f->setup.data, id)
                              : upload_remove(f->setup.data, id);
        log_info(named ? "a file was moved to its place" : "an unfinished upload was removed",
                 field_number("file", id), field_text("why", strerror(bad)));
        map_remove(&in->ids, n);
        free(entry);
        return;
    }
}

bool filer_recover(struct filer *f, struct store *store, char *why, size_t why_size) {
    struct incoming in = {0};
    struct walk walk = {.kind = WALK_FILES};
    struct record r;
    snprintf(why, why_size, "%s/files cannot be read", f->setup.data);
    if (!map_init(&in.ids, 16)) return false;
    bool good = upload_scan(f->setup.data, incoming_found, &in) == 0 && !in.failed;
    if (good && in.ids.count > 0) { /* else there is nothing to look up */
        struct store_view *view = store_view_open(store, store_next_group(store) - 1, why,
                                                  why_size);
        struct store_walk *w = view == NULL ? NULL : walk_open(view, &walk);
        good = w != NULL;
        while (good && walk_next(w, &r)) incoming_settle(f, &in, r.file.file, true);
        walk_close(&w);
        store_view_close(&view);
    }
    for (size_t i = 0; i <= in.ids.mask; i++)
        while (in.ids.buckets[i] != NULL) {
            struct incoming_id *entry = (struct incoming_id *)(void *)in.ids.buckets[i];
            if (good) {
                incoming_settle(f, &in, entry->id, false);
            } else {
                map_remove(&in.ids, &entry->by_id);
                free(entry);
            }
        }
    map_free(&in.ids);
    return good;
}
