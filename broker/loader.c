/* loader.c - see loader.h. */
#include "broker/loader.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct request {
    struct letter letter;
    struct need need; /* key: in `key` */
    uint32_t opened;
    uint64_t group;
    int64_t not_before_ms; /* a read that failed waits so long */
    uint8_t key[];
};

struct loader {
    struct writer *writer;
    struct post *results; /* borrowed */
    struct post requests;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    struct letter *chunks; /* free ones */
    uint32_t made;
    bool stopping;
    struct letter *held, **held_last; /* full chunks of the need that is being read */
    struct request *failed; /* the loader thread's own: to be tried again */
    /* the need that is being read */
    const struct request *request;
    struct chunk *chunk;
    bool cut; /* memory ran out, or the end came */
};

static struct chunk *chunk_take(struct loader *l) {
    struct chunk *c = NULL;
    pthread_mutex_lock(&l->lock);
    while (l->chunks == NULL && l->made >= CHUNKS_MAX && l->held == NULL && !l->stopping)
        pthread_cond_wait(&l->returned, &l->lock);
    if (!l->stopping && l->chunks != NULL) {
        c = (struct chunk *)(void *)l->chunks;
        l->chunks = l->chunks->next;
    } else if (!l->stopping) {
        c = calloc(1, sizeof *c);
        l->made += c != NULL;
    }
    pthread_mutex_unlock(&l->lock);
    if (c == NULL) return NULL;
    c->count = 0;
    c->used = 0;
    c->more = c->failed = false;
    return c;
}

static void chunk_free(struct chunk *c) {
    free(c->block);
    free(c);
}

void loader_give_back(struct loader *l, struct chunk *c) {
    if (c->cap > CHUNK_BYTES) { /* it grew for one large record */
        free(c->block);
        c->block = NULL;
        c->cap = 0;
    }
    pthread_mutex_lock(&l->lock);
    const bool spare = l->made > CHUNKS_MAX;
    if (spare) {
        l->made--;
    } else {
        c->letter.next = l->chunks;
        l->chunks = &c->letter;
        pthread_cond_signal(&l->returned);
    }
    pthread_mutex_unlock(&l->lock);
    if (spare) chunk_free(c);
}

/* ---- copying what was found ---- */

enum { SLICES_MAX = 9 };

/* The slices of a record; returns how many. */
static int record_slices(struct record *r, struct slice *out[SLICES_MAX]) {
    int n = 0;
    switch (r->kind) {
    case RECORD_BODY:
        out[n++] = &r->body.source_name, out[n++] = &r->body.source_mime;
        out[n++] = &r->body.payload, out[n++] = &r->body.extra, out[n++] = &r->body.owner;
        out[n++] = &r->body.key;
        break;
    case RECORD_RESULT:
        out[n++] = &r->result.result, out[n++] = &r->result.message;
        out[n++] = &r->result.metrics, out[n++] = &r->result.worker;
        break;
    case RECORD_ATTEMPT:
        out[n++] = &r->attempt.worker, out[n++] = &r->attempt.message;
        break;
    case RECORD_LOG: case RECORD_PART: out[n++] = &r->log.text; break;
    case RECORD_CHECKPOINT:
        out[n++] = &r->checkpoint.name, out[n++] = &r->checkpoint.data;
        break;
    case RECORD_LANE:
        out[n++] = &r->lane.queue, out[n++] = &r->lane.type, out[n++] = &r->lane.labels;
        break;
    case RECORD_QUEUE: out[n++] = &r->queue.name; break;
    case RECORD_WORKER: case RECORD_WORKER_GONE:
        out[n++] = &r->worker.name, out[n++] = &r->worker.principal;
        break;
    case RECORD_DEDUP: case RECORD_DEDUP_GONE: out[n++] = &r->dedup.key; break;
    case RECORD_OBJECT: case RECORD_OBJECT_GONE:
        out[n++] = &r->object.name, out[n++] = &r->object.keys, out[n++] = &r->object.owner;
        out[n++] = &r->object.body, out[n++] = &r->object.file_name;
        out[n++] = &r->object.file_mime, out[n++] = &r->object.file_hash;
        break;
    case RECORD_FILE: out[n++] = &r->file.name, out[n++] = &r->file.mime; break;
    case RECORD_STATION: case RECORD_STATION_GONE:
        out[n++] = &r->station.name, out[n++] = &r->station.endpoint;
        out[n++] = &r->station.description, out[n++] = &r->station.version;
        break;
    case RECORD_SESSION: case RECORD_SESSION_GONE:
        out[n++] = &r->session.name, out[n++] = &r->session.owner;
        out[n++] = &r->session.title, out[n++] = &r->session.station;
        out[n++] = &r->session.phone, out[n++] = &r->session.display;
        out[n++] = &r->session.reason;
        break;
    case RECORD_COMMAND: case RECORD_COMMAND_GONE:
        out[n++] = &r->command.station, out[n++] = &r->command.session;
        out[n++] = &r->command.payload, out[n++] = &r->command.key;
        break;
    case RECORD_SCHEDULE:
        out[n++] = &r->schedule.name, out[n++] = &r->schedule.expression;
        out[n++] = &r->schedule.zone, out[n++] = &r->schedule.queue;
        out[n++] = &r->schedule.type, out[n++] = &r->schedule.payload;
        out[n++] = &r->schedule.extra, out[n++] = &r->schedule.owner;
        out[n++] = &r->schedule.body;
        break;
    case RECORD_TALLY: out[n++] = &r->tally.name, out[n++] = &r->tally.sums; break;
    case RECORD_NONE: case RECORD_META: case RECORD_TASK: case RECORD_TASK_GONE:
    case RECORD_TALLY_GONE: case RECORD_FILE_GONE: case RECORD_RESULT_GONE:
    case RECORD_CHECKPOINT_GONE:
    case RECORD_SCHEDULE_GONE:
    case RECORD_COUNT:
        break;
    }
    return n;
}

static void slice_copy(struct chunk *c, struct slice *s) {
    if (s->len > 0) memcpy(c->block + c->used, s->data, s->len);
    s->data = c->block + c->used;
    c->used += s->len;
}

static bool chunk_reserve(struct chunk *c, size_t need) {
    if (c->cap - c->used >= need) return true;
    if (c->used > 0) return false; /* slices point into the block: it cannot move */
    const size_t cap = need > CHUNK_BYTES ? need : CHUNK_BYTES;
    uint8_t *block = malloc(cap);
    if (block == NULL) return false;
    free(c->block);
    c->block = block;
    c->cap = cap;
    return true;
}

/* Begins a chunk for the need under way; its key goes in first. */
static bool chunk_begin(struct loader *l, size_t need) {
    struct chunk *c = chunk_take(l);
    if (c == NULL) return false;
    c->need = l->request->need;
    c->opened = l->request->opened;
    if (c->need.kind == NEED_TASK) need += TASK_BYTES; /* one answer, never cut */
    if (!chunk_reserve(c, need + c->need.key.len)) {
        loader_give_back(l, c);
        return false;
    }
    slice_copy(c, &c->need.key);
    l->chunk = c;
    return true;
}

/* The chunk is full: a restore's goes out, others are held until the answer is whole. */
static void chunk_full(struct loader *l) {
    struct chunk *c = l->chunk;
    c->more = true;
    l->chunk = NULL;
    if (c->need.kind == NEED_RESTORE) {
        post_put(l->results, &c->letter);
        return;
    }
    c->letter.next = NULL;
    *l->held_last = &c->letter;
    l->held_last = &c->letter.next;
}

static void record_found(void *context, const struct record *found) {
    struct loader *l = context;
    if (l->cut) return;
    struct record record = *found;
    struct slice *slices[SLICES_MAX];
    int n = record_slices(&record, slices);
    size_t need = 0;
    for (int i = 0; i < n; i++) need += slices[i]->len;
    if (l->chunk->count == CHUNK_RECORDS || !chunk_reserve(l->chunk, need)) {
        chunk_full(l);
        l->cut = !chunk_begin(l, need);
        if (l->cut) return;
    }
    struct chunk *c = l->chunk;
    for (int i = 0; i < n; i++) slice_copy(c, slices[i]);
    c->records[c->count++] = record;
}

/* ---- the thread ---- */

static void request_fail(struct loader *l, struct request *r, const char *why) {
    log_error("a read of the store failed", field_text("why", why),
              field_number("kind", r->need.kind), field_number("task", r->need.id));
    r->not_before_ms = clock_mono_ms() + RETRY_MS;
    r->letter.next = l->failed == NULL ? NULL : &l->failed->letter;
    l->failed = r;
}

/* Hands over or gives back what was held. */
static void held_end(struct loader *l, bool good) {
    for (struct letter *letter = l->held, *next; letter != NULL; letter = next) {
        next = letter->next;
        if (good)
            post_put(l->results, letter);
        else
            loader_give_back(l, (struct chunk *)(void *)letter);
    }
    l->held = NULL;
    l->held_last = &l->held;
}

static bool request_read(struct loader *l, struct request *r, struct store *store, char *why) {
    snprintf(why, WHY_MAX, "out of memory");
    l->request = r;
    l->cut = !chunk_begin(l, 0);
    const bool good = !l->cut
        && store_load(store, &r->need, r->group, record_found, l, why, WHY_MAX) && !l->cut;
    held_end(l, good);
    struct chunk *last = l->chunk;
    l->chunk = NULL;
    if (last != NULL && !good && r->need.kind == NEED_RESTORE) last->failed = true;
    if (last != NULL && (good || last->failed))
        post_put(l->results, &last->letter);
    else if (last != NULL)
        loader_give_back(l, last);
    return good || (last != NULL && last->failed);
}

static void request_run(struct loader *l, struct request *r) {
    char why[WHY_MAX];
    struct store *store = NULL;
    if (writer_await(l->writer, r->opened, r->group)) store = writer_borrow(l->writer, r->opened);
    if (store == NULL) { /* closed since: the core that asked is gone */
        free(r);
        return;
    }
    const bool answered = request_read(l, r, store, why);
    writer_return(l->writer);
    if (answered || l->stopping)
        free(r);
    else
        request_fail(l, r, why);
}

/* The oldest failed request whose time has come, or NULL. */
static struct request *failed_due(struct loader *l) {
    if (l->failed == NULL || l->failed->not_before_ms > clock_mono_ms()) return NULL;
    struct request *r = l->failed;
    l->failed = (struct request *)(void *)r->letter.next;
    return r;
}

static void *loader_main(void *context) {
    pthread_setname_np(pthread_self(), "loader");
    struct loader *l = context;
    for (;;) {
        struct request *r = failed_due(l);
        if (r == NULL)
            r = (struct request *)(void *)post_wait(&l->requests, l->failed ? RETRY_MS : -1);
        if (r != NULL) request_run(l, r);
        if (r == NULL && l->requests.closed) break;
    }
    while (l->failed != NULL) {
        struct request *r = l->failed;
        l->failed = (struct request *)(void *)r->letter.next;
        free(r);
    }
    return NULL;
}

struct loader *loader_start(struct writer *writer, struct post *results) {
    struct loader *l = calloc(1, sizeof *l);
    if (l == NULL) return NULL;
    l->writer = writer;
    l->results = results;
    l->held_last = &l->held;
    post_open(&l->requests, NULL);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->returned, NULL);
    if (pthread_create(&l->thread, NULL, loader_main, l) == 0) return l;
    post_free(&l->requests);
    free(l);
    return NULL;
}

void loader_stop(struct loader **self) {
    struct loader *l = *self;
    if (l == NULL) return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->returned);
    pthread_mutex_unlock(&l->lock);
    post_close(&l->requests);
    pthread_join(l->thread, NULL);
    for (struct letter *letter = post_take_all(&l->requests), *next; letter; letter = next) {
        next = letter->next;
        free(letter);
    }
    while (l->chunks != NULL) {
        struct chunk *c = (struct chunk *)(void *)l->chunks;
        l->chunks = l->chunks->next;
        chunk_free(c);
    }
    post_free(&l->requests);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->returned);
    free(l);
    *self = NULL;
}

bool loader_ask(struct loader *l, const struct need *need, uint32_t opened, uint64_t group) {
    struct request *r = malloc(sizeof *r + need->key.len);
    if (r == NULL) return false;
    *r = (struct request){.need = *need, .opened = opened, .group = group};
    if (need->key.len > 0) memcpy(r->key, need->key.data, need->key.len);
    r->need.key = slice_of(r->key, need->key.len);
    post_put(&l->requests, &r->letter);
    return true;
}
