/* checkpoint_pack.c - optimize-storage: old checkpoints are packed where they are, surplus ones go.
 *
 * A walk over the brand's checkpoints, newest first, OPTIMIZE_MAX at most; what it meets is packed
 * when it is older than days_old_threshold and packing saves something. Of each job the newest
 * recovery point is left as it is, and those beyond max_checkpoints_per_job are dropped. The saving
 * is what was measured. `incomplete` says that there is more: call again. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/checkpoint.h"
#include "proto/host/pack.h"

enum { OPTIMIZE_MAX = 2000, OPTIMIZE_PAGE = 100, JOBS_SEEN_MAX = OPTIMIZE_MAX, DAYS_MAX = 36500,
       KEPT_MAX = 1000 };

struct seen { uint64_t task; uint32_t count; bool recoverable; };

struct optimize {
    struct seen *jobs;       /* in the order they are met */
    uint32_t job_count;
    uint32_t processed, packed, dropped, waiting, per_job;
    int64_t before_ms, saved; /* bytes */
    bool packs, incomplete;
    struct slice next;
    enum code code;
};

static void page_ask(struct exchange *x);

static struct seen *seen_of(struct optimize *o, uint64_t task) {
    for (uint32_t i = 0; i < o->job_count; i++)
        if (o->jobs[i].task == task) return &o->jobs[i];
    o->jobs[o->job_count].task = task;
    return &o->jobs[o->job_count++];
}

static void optimized_write(struct exchange *x) {
    const struct optimize *o = x->state;
    struct out *out = &x->out;
    out_object(out);
    out_key(out, "optimization_results");
    out_object(out);
    out_key(out, "checkpoints_compressed");
    out_unsigned(out, o->packed);
    out_key(out, "storage_saved_mb");
    out_number(out, (double)o->saved / (1 << 20));
    out_key(out, "old_checkpoints_archived");
    out_unsigned(out, o->dropped);
    out_key(out, "total_checkpoints_processed");
    out_unsigned(out, o->processed);
    out_object_end(out);
    if (o->incomplete) {
        out_key(out, "incomplete");
        out_bool(out, true);
    }
    out_object_end(out);
    exchange_answer(x, x->route->status);
}

static void go_on(struct exchange *x) {
    const struct optimize *o = x->state;
    if (o->waiting > 0) return;
    if (o->code != CODE_OK) exchange_refuse(x, o->code, NULL);
    else if (o->next.len > 0 && o->processed < OPTIMIZE_MAX) page_ask(x);
    else optimized_write(x);
}

static void stored(struct exchange *x, const struct message *answer) {
    struct optimize *o = x->state;
    const enum code code = exchange_code(answer);
    if (code != CODE_OK && code != CODE_NOT_FOUND) o->code = code;
    o->waiting--;
    go_on(x);
}

static void drop(struct exchange *x, struct optimize *o, const struct checkpoint_record *c) {
    const struct message m = {.verb = VERB_CHECKPOINT_DROP,
                              .checkpoint = {.task = c->id, .seq = c->seq}};
    o->dropped++;
    o->saved += c->size;
    exchange_try(x, &m, stored);
}

/* False when nothing is sent: it would save nothing, or its bytes are not what they were. */
static bool pack(struct exchange *x, struct optimize *o, const struct checkpoint_record *c) {
    struct buffer packed = {0};
    if (!checkpoint_whole(c) || !pack_bytes(c->data, &packed) || packed.len >= c->data.len) {
        buffer_free(&packed);
        return false;
    }
    const struct message m = {
        .verb = VERB_CHECKPOINT_PUT,
        .checkpoint = {.task = c->id, .seq = c->seq, .name = c->name,
                       .data = buffer_slice(&packed),
                       .flags = c->flags | CHECKPOINT_PACKED}};
    o->packed++;
    o->saved += (int64_t)(c->data.len - packed.len);
    exchange_try(x, &m, stored);
    buffer_free(&packed);
    return true;
}

static void page_arrived(struct exchange *x, const struct message *answer) {
    struct optimize *o = x->state;
    struct checkpoint_record c;
    uint32_t at = 0;
    o->next = exchange_copy(x, answer->rows.next);
    o->waiting = 1; /* this function: nobody goes on before it ends */
    while (o->processed < OPTIMIZE_MAX && checkpoint_row_next(answer->rows.rows, &at, &c)) {
        struct seen *job = seen_of(o, c.id);
        const bool newest = !job->recoverable && !(c.flags & CHECKPOINT_PASSED);
        o->processed++;
        job->count++;
        if (newest) job->recoverable = true;
        if (newest) continue;
        if (job->count > o->per_job) {
            o->waiting++;
            drop(x, o, &c);
        } else if (o->packs && c.time_ms < o->before_ms && !(c.flags & CHECKPOINT_PACKED)) {
            o->waiting++;
            if (!pack(x, o, &c)) o->waiting--;
        }
    }
    o->incomplete = o->processed == OPTIMIZE_MAX && o->next.len > 0;
    o->waiting--;
    go_on(x);
}

static void page_ask(struct exchange *x) {
    struct optimize *o = x->state;
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){.kind = slice_text("checkpoints"), .brand = x->who.brand,
                                   .priority = -1, .dialect = -1, .limit = OPTIMIZE_PAGE,
                                   .descending = true, .cursor = o->next};
    exchange_send(x, &m, page_arrived);
}

bool checkpoint_optimize_read(struct exchange *x, struct message *m) {
    struct optimize *o = exchange_alloc(x, sizeof *o);
    struct field_errors *e = &x->errors;
    (void)m;
    o->packs = member_bool(x->json, "compress_old_checkpoints", 0, true, e);
    const int64_t days = member_integer(x->json, "days_old_threshold", 0, 7, 0, DAYS_MAX, e);
    o->per_job = (uint32_t)member_integer(x->json, "max_checkpoints_per_job", 0, 20, 1, KEPT_MAX,
                                          e);
    if (!megahub_fields_good(x)) return false;
    o->before_ms = x->wall_ms - days * 86400000;
    o->jobs = exchange_alloc(x, JOBS_SEEN_MAX * sizeof *o->jobs);
    x->state = o;
    page_ask(x);
    return false;
}
