#include "broker/streamer.h"
#include "proto/encode.h"
#include "proto/host/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An append that waits for the sync of this turn. */
struct append { uint32_t peer; uint64_t number, file; enum code code; };

struct waiting {
    uint32_t peer, serial;
    uint64_t number, file, offset, size, ticket;
    int64_t until_ms;
};

struct streamer {
    struct streamer_setup setup;
    struct append *appends;
    uint32_t append_count, append_cap;
    struct waiting *waits; /* READS_WAITING_MAX */
    uint32_t wait_count;
    bool changed;
    int64_t wake_ms;       /* the earliest end of a wait */
    struct buffer body;
};

struct streamer *streamer_new(const struct streamer_setup *setup) {
    struct streamer *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->setup = *setup;
    s->wake_ms = INT64_MAX;
    s->waits = calloc(READS_WAITING_MAX, sizeof *s->waits);
    if (s->waits == NULL) streamer_destroy(&s);
    return s;
}

void streamer_destroy(struct streamer **self) {
    struct streamer *s = *self;
    if (s == NULL) return;
    free(s->appends);
    free(s->waits);
    buffer_free(&s->body);
    free(s);
    *self = NULL;
}

enum code streamer_code(enum file_result result) {
    switch (result) {
    case FILE_OK: return CODE_OK;
    case FILE_UNKNOWN: return CODE_NOT_FOUND;
    case FILE_EXISTS: return CODE_GONE; /* it has ended */
    case FILE_ORDER: return CODE_CONFLICT;
    case FILE_LIMIT: return CODE_LIMIT_REACHED;
    case FILE_LARGE: return CODE_PAYLOAD_TOO_LARGE;
    case FILE_FULL: return CODE_STORAGE_FULL;
    case FILE_FAILED: break;
    }
    log_error("a stream could not be written or read", field_text("why", strerror(errno)));
    return CODE_INTERNAL_ERROR;
}

/* ---- verbs ---- */

/* The state as it is on disk; what has ended and been placed is a file of that size. */
static enum code state_get(const struct streamer *s, uint64_t file, struct stream_state *state) {
    *state = (struct stream_state){0};
    if (streams_state(s->setup.streams, file, state) == FILE_OK) return CODE_OK;
    state->ended = true;
    return streamer_code(files_size(s->setup.files, file, &state->size));
}

static void answer_say(struct streamer *s, uint32_t peer, uint64_t number, uint64_t file,
                       enum code code) {
    struct stream_state state;
    if (code == CODE_OK) code = state_get(s, file, &state);
    buffer_clear(&s->body);
    if (code == CODE_OK) {
        encode_array(&s->body, 3);
        encode_uint(&s->body, state.size);
        encode_uint(&s->body, state.next);
        encode_bool(&s->body, state.ended);
    }
    const struct slice body = code == CODE_OK ? buffer_slice(&s->body)
                                              : slice_text(code_text(code));
    const struct message m = {.verb = VERB_ANSWER,
                              .answer = {.number = number, .code = code, .body = body}};
    router_say(s->setup.router, peer, SAY_NOW, &m);
}

/* Whose the stream is; a placed file has no brand here, but nothing can be done to it either. */
static enum code owner_check(const struct streamer *s, const struct who *who, uint64_t file) {
    struct stream_state state;
    if (who->role == ROLE_WORKER) return CODE_FORBIDDEN;
    if (streams_state(s->setup.streams, file, &state) != FILE_OK) return CODE_OK;
    const bool mine = who->brand == state.brand || (who->brand == 0 && who->role == ROLE_ADMIN);
    return mine ? CODE_OK : CODE_NOT_FOUND;
}

static enum code append(struct streamer *s, const struct file_ref *ref, int64_t now_ms) {
    if (ref->bytes.len > s->setup.chunk_bytes_max) return CODE_PAYLOAD_TOO_LARGE;
    if (ref->seq < STREAM_NEXT) return CODE_VALIDATION_ERROR;
    const enum file_result result =
        streams_append(s->setup.streams, ref->id, ref->seq, ref->bytes, now_ms);
    if (result == FILE_UNKNOWN && files_placed(s->setup.files, ref->id)) return CODE_GONE;
    return streamer_code(result);
}

static void append_hold(struct streamer *s, const struct append *one) {
    if (s->append_count == s->append_cap) {
        const uint32_t cap = s->append_cap ? 2 * s->append_cap : 64;
        struct append *more = realloc(s->appends, cap * sizeof *more);
        if (more == NULL) {
            answer_say(s, one->peer, one->number, one->file, CODE_BUSY);
            return;
        }
        s->appends = more;
        s->append_cap = cap;
    }
    s->appends[s->append_count++] = *one;
}

/* What was taken before it goes on disk with it. */
static enum code end(struct streamer *s, uint64_t file) {
    const enum file_result result = streams_end(s->setup.streams, file);
    s->changed = true;
    if (result == FILE_UNKNOWN && files_placed(s->setup.files, file)) return CODE_OK;
    return streamer_code(result);
}

void streamer_take(struct streamer *s, const struct peer *p, const struct who *who,
                   const struct message *m, int64_t now_ms) {
    const uint64_t file = m->file.id;
    enum code code = owner_check(s, who, file);
    if (m->verb == VERB_FILE_APPEND) {
        if (code == CODE_OK) code = append(s, &m->file, now_ms);
        append_hold(s, &(struct append){p->number, m->number, file, code});
        return;
    }
    if (code == CODE_OK && m->verb == VERB_FILE_END) code = end(s, file);
    answer_say(s, p->number, m->number, file, code);
}

/* ---- waiting reads ---- */

/* Nothing can be said yet but that nothing came. */
static bool is_early(const struct streamer *s, uint64_t file, uint64_t offset) {
    struct stream_state state;
    return streams_state(s->setup.streams, file, &state) == FILE_OK && !state.ended &&
           offset >= state.size;
}

bool streamer_wait(struct streamer *s, const struct peer *p, uint64_t number,
                   const struct file_ref *ref, int64_t now_ms) {
    if (s->wait_count == READS_WAITING_MAX || ref->wait_ms == 0) return false;
    if (!is_early(s, ref->id, ref->offset)) return false;
    const uint32_t wait_ms = ref->wait_ms < s->setup.wait_ms_max ? ref->wait_ms
                                                                 : s->setup.wait_ms_max;
    s->waits[s->wait_count++] =
        (struct waiting){.peer = p->number, .serial = p->serial, .number = number,
                         .file = ref->id, .offset = ref->offset, .size = ref->size,
                         .ticket = ref->ticket, .until_ms = now_ms + wait_ms};
    if (now_ms + wait_ms < s->wake_ms) s->wake_ms = now_ms + wait_ms;
    return true;
}

static void wait_end(struct streamer *s, const struct waiting *w) {
    const struct peer *p = router_peer(s->setup.router, w->peer);
    if (p == NULL || p->serial != w->serial) return;
    const struct file_ref ref = {.id = w->file, .offset = w->offset, .size = w->size,
                                 .ticket = w->ticket, .seq = STREAM_NEXT};
    s->setup.read(s->setup.context, p, w->number, &ref);
}

static void waits_look(struct streamer *s, int64_t now_ms) {
    uint32_t kept = 0;
    s->wake_ms = INT64_MAX;
    for (uint32_t i = 0; i < s->wait_count; i++) {
        const struct waiting w = s->waits[i];
        if (w.until_ms <= now_ms || !is_early(s, w.file, w.offset)) {
            wait_end(s, &w);
            continue;
        }
        if (w.until_ms < s->wake_ms) s->wake_ms = w.until_ms;
        s->waits[kept++] = w;
    }
    s->wait_count = kept;
}

void streamer_turn(struct streamer *s, int64_t now_ms) {
    if (s->append_count > 0) {
        if (!streams_sync(s->setup.streams))
            log_error("a stream could not be put on disk", field_text("why", strerror(errno)));
        for (uint32_t i = 0; i < s->append_count; i++) {
            const struct append *a = &s->appends[i];
            const bool lost = a->code == CODE_OK && streams_broken(s->setup.streams, a->file);
            answer_say(s, a->peer, a->number, a->file, lost ? CODE_INTERNAL_ERROR : a->code);
        }
        s->append_count = 0;
        s->changed = true;
    }
    if (s->wait_count > 0 && (s->changed || s->wake_ms <= now_ms)) waits_look(s, now_ms);
    s->changed = false;
}

void streamer_changed(struct streamer *s) { s->changed = true; }

int streamer_sleep_ms(const struct streamer *s, int64_t now_ms, int most_ms) {
    if (s->changed) return 0;
    if (s->wait_count == 0 || s->wake_ms - now_ms >= most_ms) return most_ms;
    return s->wake_ms > now_ms ? (int)(s->wake_ms - now_ms) : 0;
}
