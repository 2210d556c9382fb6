/* follow.c - a job as it goes on. What a view has that was not told yet is told in order: segments
 * that are final (parts of the task, numbered), then the newest partial text, then the state. The
 * end is told when nothing is missing before it. */
#include "gateway/dialect/speech/speech.h"
#include "proto/base/map.h"

enum { WATCH_MS = 15000 };

static void tell(struct exchange *x, struct follow *f, enum news news, uint32_t number) {
    f->tell(x, f, news, number, buffer_slice(&x->out.body));
}

static struct out *fresh(struct exchange *x) {
    buffer_clear(&x->out.body);
    x->out = (struct out){.body = x->out.body};
    out_object(&x->out);
    return &x->out;
}

/* What workers say is an object, or the text alone. */
static void segment_write(struct out *o, struct slice text) {
    json_t *given = text.len > 0 && text.data[0] == '{' ? json_of(text) : NULL;
    out_key(o, "segment");
    if (given != NULL) {
        out_json(o, given);
    } else {
        out_object(o);
        out_key(o, "text");
        out_text(o, text);
        out_object_end(o);
    }
    json_decref(given);
}

static void final_tell(struct exchange *x, struct follow *f, const struct log_record *row) {
    struct out *o = fresh(x);
    out_key(o, "type");
    out_string(o, "final");
    out_key(o, "number");
    out_unsigned(o, row->line);
    segment_write(o, row->text);
    out_object_end(o);
    f->after = row->line;
    tell(x, f, NEWS_FINAL, row->line);
}

static void partial_tell(struct exchange *x, struct follow *f, const struct view *v) {
    const struct slice text = v->progress_text;
    const uint64_t hash = hash_bytes(1, text.data, text.len);
    if (text.len == 0 || hash == f->partial) return;
    f->partial = hash;
    struct out *o = fresh(x);
    out_key(o, "type");
    out_string(o, "partial");
    segment_write(o, text);
    out_object_end(o);
    tell(x, f, NEWS_PARTIAL, 0);
}

/* A live job's version rises with each word; its state is what changes seldom. */
static bool is_news(const struct follow *f, const struct view *v) {
    if (!f->live) return v->head.version != f->version;
    return !f->told || v->head.progress != f->progress ||
           strcmp(job_state(v->head.status), job_state(f->status)) != 0;
}

static void state_tell(struct exchange *x, struct follow *f, const struct view *v) {
    struct out *o = fresh(x);
    job_result_write(x, v, f->loaded);
    out_object_end(o);
    f->told = true;
    f->status = v->head.status;
    f->progress = v->head.progress;
    tell(x, f, NEWS_STATE, v->head.version);
}

enum followed follow_take(struct exchange *x, struct follow *f, const struct view *v) {
    struct log_record row;
    uint32_t at = 0;
    const bool ended = status_ended(v->head.status);
    while (f->parts && log_next(v->parts, &at, &row)) {
        if (exchange_behind(x) > FOLLOW_BEHIND_MAX) return FOLLOW_PAUSE;
        if (row.line == f->after + 1) final_tell(x, f, &row);
    }
    if (f->parts && v->head.parts > f->after) return FOLLOW_ON;
    if (f->live && !ended) partial_tell(x, f, v);
    if (job_must_load(v, f->loaded)) return FOLLOW_LOAD;
    if (is_news(f, v)) state_tell(x, f, v);
    f->version = v->head.version;
    return ended ? FOLLOW_OVER : FOLLOW_ON;
}

struct message follow_ask(const struct follow *f, bool at_once) {
    struct message m = {.verb = at_once ? VERB_GET : VERB_WATCH,
                        .ref = {.id = f->id, .want = WANT_RESULT, .version = f->version,
                                .wait_ms = WATCH_MS, .after = f->after}};
    if (f->parts) m.ref.want |= WANT_PARTS;
    if (at_once) m.ref.want |= WANT_ATTEMPTS | WANT_BODY;
    return m;
}
