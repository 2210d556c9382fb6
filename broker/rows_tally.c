/* rows_tally.c - sums over tallies; see filler.h.
 *
 * ASK "tallies": brand; object "type", "worker" or "hour" (enum tally_span, the first when absent);
 * from_ms and to_ms: the days, or hours, that hold them and all between; type: only that name;
 * priority. sort says what tells rows of the answer apart, any of "slot,priority,name": all else is
 * summed. Rows are those of proto/tally.h, in no order. At most TALLY_PLACES_MAX of them: what
 * comes beyond is left out, and the answer incomplete. */
#include "broker/filler.h"
#include "proto/tally.h"
#include <stdlib.h>

enum { TALLY_PLACES_MAX = 4000, TALLY_LOOK_FACTOR = 20 /* rows are cheap: no body is read */ };

struct sum {
    struct map_node by_place;
    struct tally_row row; /* name owned, behind the struct */
    uint8_t bytes[];
};

struct summing { struct map sums; bool slot, priority, name, full; };

static bool list_has(struct slice list, const char *word) {
    const size_t len = strlen(word);
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.len);
        const uint32_t part = comma != NULL ? (uint32_t)(comma - list.data) : list.len;
        if (part == len && memcmp(list.data, word, len) == 0) return true;
        const uint32_t step = comma != NULL ? part + 1 : part;
        list = slice_of(list.data + step, list.len - step);
    }
    return false;
}

static struct sum *sum_get(struct summing *s, const struct tally_row *place) {
    uint64_t hash = hash_number((uint64_t)place->slot << 8 | place->priority);
    hash = hash_bytes(hash, place->name.data, place->name.len);
    for (struct map_node *n = map_first(&s->sums, hash); n != NULL; n = map_next(n)) {
        struct sum *sum = (struct sum *)(void *)n;
        if (sum->row.slot == place->slot && sum->row.priority == place->priority &&
            slice_equal(sum->row.name, place->name))
            return sum;
    }
    s->full |= s->sums.count >= TALLY_PLACES_MAX;
    struct sum *sum = s->full ? NULL : calloc(1, sizeof *sum + place->name.len);
    if (sum == NULL) return NULL;
    sum->row = *place;
    if (place->name.len > 0) memcpy(sum->bytes, place->name.data, place->name.len);
    sum->row.name.data = sum->bytes;
    map_put(&s->sums, &sum->by_place, hash);
    return sum;
}

static bool sum_take(struct summing *s, const struct tally_record *t) {
    struct tally_row place = {.slot = s->slot ? t->slot : 0,
                              .priority = s->priority ? t->priority : 0};
    struct tally_sums sums;
    if (s->name) place.name = t->name;
    if (!tally_sums_read(t->sums, &sums)) return false;
    struct sum *sum = sum_get(s, &place);
    if (sum != NULL) tally_merge(&sum->row.sums, &sums);
    return true;
}

static bool tally_matches(const struct question *q, const struct tally_record *t) {
    return (q->type.len == 0 || slice_equal(q->type, t->name))
        && (q->priority < 0 || t->priority == (uint8_t)q->priority);
}

static void sums_put(struct rows_page *page, struct summing *s) {
    for (size_t i = 0; i <= s->sums.mask; i++)
        for (struct map_node *n = s->sums.buckets[i], *next; n != NULL; n = next) {
            struct sum *sum = (struct sum *)(void *)n;
            next = n->next;
            if (page->rows.len < ROWS_BYTES_MAX) {
                tally_row_put(&page->rows, &sum->row);
                page->count++;
            } else {
                page->incomplete = true;
            }
            free(sum);
        }
    map_free(&s->sums);
}

static struct walk walk_of(const struct filler *f) {
    const struct question *q = f->q;
    struct walk w = {.kind = WALK_TALLIES, .brand = q->brand, .object = TALLY_TYPE,
                     .looks_max = f->page->rows_max * TALLY_LOOK_FACTOR, .to_id = UINT32_MAX};
    if (slice_equal(q->object, slice_text("worker"))) w.object = TALLY_WORKER;
    if (slice_equal(q->object, slice_text("hour"))) w.object = TALLY_HOUR;
    const int64_t unit = w.object == TALLY_HOUR ? TALLY_HOUR_MS : TALLY_DAY_MS;
    if (q->from_ms > 0) w.from_id = (uint64_t)(q->from_ms / unit);
    if (q->to_ms > 0) w.to_id = (uint64_t)(q->to_ms / unit);
    return w;
}

void tallies_fill(struct filler *f) {
    struct rows_page *page = f->page;
    const struct walk walk = walk_of(f);
    struct summing s = {.slot = list_has(f->q->sort, "slot"),
                        .priority = list_has(f->q->sort, "priority"),
                        .name = list_has(f->q->sort, "name")};
    struct record r;
    page->code = CODE_UNAVAILABLE;
    struct store_walk *w = walk_open(f->view, &walk);
    if (w == NULL || !map_init(&s.sums, 64)) return;
    bool whole = true;
    while (whole && walk_next(w, &r))
        if (tally_matches(f->q, &r.tally)) whole = sum_take(&s, &r.tally);
    page->incomplete = walk_spent(w) || s.full;
    whole = whole && walk_trouble(w) == NULL;
    walk_close(&w);
    sums_put(page, &s);
    if (whole && !page->rows.failed) page->code = CODE_OK;
}
