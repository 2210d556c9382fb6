/* rows_checkpoint.c - lists of checkpoints; see filler.h. */
#include "broker/filler.h"
#include "proto/checkpoint.h"
#include "proto/host/pack.h"

enum { LARGE_BYTES = 100 << 10 };

/* Fields: number, task, seq, name, created_ms, size, large (1 = over LARGE_BYTES), mark (1 = no
 * attempt resumes from it). */
static struct field_value checkpoint_field(void *context, struct slice name) {
    const struct checkpoint_record *c = context;
    if (slice_equal(name, slice_text("number"))) return value_number((double)c->number);
    if (slice_equal(name, slice_text("task"))) return value_number((double)c->id);
    if (slice_equal(name, slice_text("seq"))) return value_number(c->seq);
    if (slice_equal(name, slice_text("name"))) return value_text(c->name);
    if (slice_equal(name, slice_text("created_ms"))) return value_number((double)c->time_ms);
    if (slice_equal(name, slice_text("size"))) return value_number(c->size);
    if (slice_equal(name, slice_text("large"))) return value_number(c->size > LARGE_BYTES);
    if (slice_equal(name, slice_text("mark")))
        return value_number((c->flags & CHECKPOINT_PASSED) != 0);
    return value_absent;
}

bool checkpoint_matches(const struct filler *f, const struct checkpoint_record *c) {
    const struct question *q = f->q;
    struct checkpoint_record row = *c;
    if (q->number != 0 && c->number != q->number) return false;
    if (q->from_ms != 0 && c->time_ms < q->from_ms) return false;
    if (q->to_ms != 0 && c->time_ms > q->to_ms) return false;
    return f->filter == NULL || filter_matches(f->filter, checkpoint_field, &row);
}

/* What cannot be unpacked has no data: whoever reads it sees that it is not whole. */
void checkpoint_put(struct filler *f, const struct checkpoint_record *c) {
    struct checkpoint_record row = *c;
    struct buffer bytes = {0};
    if (c->flags & CHECKPOINT_PACKED) {
        if (!pack_open(c->data, c->size, &bytes)) buffer_clear(&bytes);
        row.data = buffer_slice(&bytes);
    }
    checkpoint_row_put(&f->page->rows, &row);
    buffer_free(&bytes);
}
