/* rows_session.c - lists of dialect 003's sessions; see filler.h. Rows are those of proto/fleet.h,
 * in order of names; what is being deleted is not there. */
#include "broker/filler.h"
#include "proto/fleet.h"

bool session_matches(const struct filler *f, const struct session_record *s) {
    const struct question *q = f->q;
    const struct slice texts[] = {s->name, s->title, s->phone, s->display};
    if (s->flags & SESSION_DELETING) return false;
    if (q->status_mask != 0 && !(q->status_mask >> s->status & 1)) return false;
    if (q->owner.len > 0 && !slice_equal(q->owner, s->owner)) return false;
    if (q->worker.len > 0 && !slice_equal(q->worker, s->station)) return false;
    if (q->from_ms != 0 && s->created_ms < q->from_ms) return false;
    if (q->to_ms != 0 && s->created_ms > q->to_ms) return false;
    return q->search.len == 0
        || search_matches(q->search, texts, sizeof texts / sizeof texts[0]);
}

void session_put(struct filler *f, const struct session_record *s) {
    const struct session_row row = {
        .id = s->id, .brand = s->brand, .version = s->version, .name = s->name,
        .owner = s->owner, .title = s->title, .station = s->station, .phone = s->phone,
        .display = s->display, .reason = s->reason, .status = s->status,
        .created_ms = s->created_ms, .updated_ms = s->updated_ms, .seen_ms = s->seen_ms,
        .reported_ms = s->reported_ms, .wanted = s->flags & SESSION_WANTED,
        .recovering = s->flags & SESSION_RECOVERING};
    session_row_put(&f->page->rows, &row);
}
