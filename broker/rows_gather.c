/* rows_gather.c - pages of few among many; see filler.h.
 *
 * The walk through all tasks of a brand, newest first, fills a page at once when many of them
 * match, and looks in vain when few do. The lanes' counters know how many there are, by status; so
 * when the statuses that have them hold less than the walk would look at, these are read whole
 * instead, and put into order here. */
#include "broker/filler.h"

struct share { uint64_t matched, all; }; /* of the tasks of one status */

static void counts_fill(struct filler *f, struct share by_status[STATUS_COUNT],
                         uint64_t *brand_all) {
    const struct question *q = f->q;
    *brand_all = 0;
    for (size_t i = 0; i <= f->lanes.mask; i++) {
        for (struct map_node *n = f->lanes.buckets[i]; n != NULL; n = n->next) {
            const struct lane_record *l = &((struct lane_entry *)(void *)n)->lane;
            if (l->brand != q->brand) continue;
            for (uint8_t s = 1; s < STATUS_COUNT; s++) {
                uint64_t all = 0;
                for (int p = 0; p < PRIORITY_COUNT; p++) all += l->count[s][p];
                *brand_all += all;
                if (q->type.len > 0 && !slice_equal(q->type, l->type)) continue;
                by_status[s].all += all;
                if (all > 0) by_status[s].matched += lane_matches(f, l, s);
            }
        }
    }
}

bool gather_pays(struct filler *f, int64_t matched, uint32_t *statuses) {
    struct share by_status[STATUS_COUNT] = {{0}};
    uint64_t brand_all, looks = 0;
    if (matched <= 0 || f->q->brand == 0 || f->q->cursor.len > 0) return false;
    counts_fill(f, by_status, &brand_all);
    *statuses = 0;
    for (uint32_t s = 1; s < STATUS_COUNT; s++) {
        if (by_status[s].matched == 0) continue;
        *statuses |= UINT32_C(1) << s;
        looks += by_status[s].all;
    }
    const uint64_t wanted = f->skip + f->limit, all = (uint64_t)matched;
    const uint64_t needed = wanted < all && f->q->sort.len == 0 ? wanted : all;
    return looks <= f->page->rows_max && looks < brand_all / all * needed;
}

bool gather_fill(struct filler *f, uint32_t statuses) {
    struct rows_page *page = f->page;
    struct sorter *sorter = sorter_new(f);
    bool whole = sorter != NULL;
    for (uint8_t s = 1; s < STATUS_COUNT && whole; s++) {
        if ((statuses >> s & 1) == 0) continue;
        const struct walk walk = {.kind = WALK_STATUS, .brand = f->q->brand, .status = s,
                                  .type = f->q->type};
        struct record r;
        struct store_walk *w = walk_open(f->view, &walk);
        whole = w != NULL;
        while (whole && walk_next(w, &r)) {
            page->looked++;
            const struct lane_record *l = lane_find(f, r.task.lane);
            if (l != NULL && task_matches(f, &r.task, l)) sorter_take(sorter, &r.task);
        }
        whole = whole && walk_trouble(w) == NULL;
        walk_close(&w);
    }
    if (whole) sorter_put(sorter);
    sorter_destroy(&sorter);
    return whole && view_trouble(f->view) == NULL;
}
