/* rows_queue.c - the list of queues: their settings, and the sums of their lanes. See filler.h. */
#include "broker/filler.h"
#include "proto/encode.h"
#include <stdlib.h>

struct queue_sum { struct queue_record set; uint64_t count[STATUS_COUNT][PRIORITY_COUNT]; };

static int queue_order(const void *left, const void *right) {
    const struct queue_record *a = &((const struct queue_sum *)left)->set;
    const struct queue_record *b = &((const struct queue_sum *)right)->set;
    if (a->brand != b->brand) return a->brand < b->brand ? -1 : 1;
    const uint32_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
    const int order = len == 0 ? 0 : memcmp(a->name.data, b->name.data, len);
    return order != 0 ? order : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

static void queue_put(struct buffer *b, const struct queue_sum *sum) {
    const struct queue_record *q = &sum->set;
    encode_array(b, 8);
    encode_uint(b, q->brand);
    encode_text(b, q->name);
    encode_bool(b, q->paused);
    encode_uint(b, q->running_max);
    encode_uint(b, q->rate_per_min);
    encode_uint(b, q->weight);
    if (q->keep_set)
        encode_int(b, q->keep_ms);
    else
        encode_nil(b);
    statuses_put(b, sum->count);
}

/* The sums, one entry a lane, sorted: entries of one queue stand together. */
static struct queue_sum *sums_make(struct filler *f, size_t *count) {
    const struct question *q = f->q;
    struct queue_sum *sums = calloc(f->lanes.count > 0 ? f->lanes.count : 1, sizeof *sums);
    *count = 0;
    for (size_t i = 0; sums != NULL && i <= f->lanes.mask; i++) {
        for (struct map_node *n = f->lanes.buckets[i]; n != NULL; n = n->next) {
            const struct lane_record *l = &((struct lane_entry *)(void *)n)->lane;
            if (q->brand != 0 && l->brand != q->brand) continue;
            if (q->queue.len > 0 && !slice_equal(q->queue, l->queue)) continue;
            struct queue_sum *s = &sums[(*count)++];
            s->set = (struct queue_record){.brand = l->brand, .name = l->queue, .weight = 1};
            memcpy(s->count, l->count, sizeof s->count);
        }
    }
    if (sums != NULL) qsort(sums, *count, sizeof *sums, queue_order);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (kept == 0 || queue_order(&sums[kept - 1], &sums[i]) != 0) {
            sums[kept++] = sums[i];
            continue;
        }
        for (int s = 0; s < STATUS_COUNT; s++)
            for (int p = 0; p < PRIORITY_COUNT; p++)
                sums[kept - 1].count[s][p] += sums[i].count[s][p];
    }
    *count = kept;
    return sums;
}

/* Takes over the settings of queues that have some; the names stay those of the lanes. */
static bool settings_take(struct filler *f, struct queue_sum *sums, size_t count) {
    struct walk walk = {.kind = WALK_QUEUES};
    struct record r;
    struct store_walk *w = walk_open(f->view, &walk);
    if (w == NULL) return false;
    while (walk_next(w, &r)) {
        const struct queue_sum key = {.set = r.queue};
        struct queue_sum *sum = bsearch(&key, sums, count, sizeof *sums, queue_order);
        if (sum == NULL) continue;
        const struct slice name = sum->set.name;
        sum->set = r.queue;
        sum->set.name = name;
    }
    walk_close(&w);
    return true;
}

/* All queues that have ever had a task; a page goes by offset, for there are 10,000 at most. The
 * cursor is the place in that order. */
void queues_fill(struct filler *f) {
    struct rows_page *page = f->page;
    size_t count, at = f->skip;
    if (f->q->cursor.len == sizeof(uint32_t)) {
        uint32_t place;
        memcpy(&place, f->q->cursor.data, sizeof place);
        at = place;
    } else if (f->q->cursor.len > 0) {
        page->code = CODE_VALIDATION_ERROR;
        return;
    }
    struct queue_sum *sums = sums_make(f, &count);
    page->code = sums != NULL && settings_take(f, sums, count) ? CODE_OK : CODE_UNAVAILABLE;
    for (; page->code == CODE_OK && at < count && page->count < f->limit; at++, page->count++)
        queue_put(&page->rows, &sums[at]);
    if (page->code == CODE_OK && at < count) {
        const uint32_t place = (uint32_t)at;
        buffer_append(&page->next, &place, sizeof place);
    }
    if (f->q->count) {
        page->total = (int64_t)count;
        page->total_exact = true;
    }
    free(sums);
}
