#include "store/block_walk.h"
#include "store/brief.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LAST_BLOCK (UINT64_MAX >> BLOCK_BITS)

struct block_walk {
    struct store_view *view;
    uint32_t brand;
    struct span_of_blocks among;
    bool descending, failed, learns; /* learns: what is read from the table adjoins the shelf */
    enum key_kind lead;
    struct shelf *shelf;      /* NULL: none, or of no use here */
    uint64_t edge;            /* what the shelf has before it (descending: from it on) has been */
    struct block_value *held; /* of the block the walk is at, while it is in the shelf; else NULL */
    struct table_scan *scan;  /* the others; NULL until it comes to them */
    struct table_scan *texts, *briefs; /* where they were read last; NULL at first */
};

static struct table_scan *scan_of(const struct block_walk *b, enum key_kind kind, uint64_t to,
                                  bool descending) {
    struct range range;
    key_block(&range.from, kind, b->brand, b->among.from);
    key_block(&range.to, kind, b->brand, to + 1);
    return table_scan_open(b->view->table, b->view->snapshot, &range, descending);
}

/* Keeps what the table has of the block where the walk is. */
static void learn(struct block_walk *b) {
    if (!b->learns) return;
    const uint64_t block = key_tail_id(table_scan_key(b->scan));
    const struct slice value = table_scan_value(b->scan);
    struct block_value *v =
        shelf_put(b->view->cache, b->shelf, b->lead, block, b->view->batch, &value);
    block_value_drop(&v);
    shelf_extend(b->view->cache, b->shelf, block);
}

/* The walk is in the table: looks whether there is a block. */
static void scan_look(struct block_walk *b) {
    if (table_scan_valid(b->scan)) {
        learn(b);
        return;
    }
    b->failed |= !table_scan_ok(b->scan, b->view->why, sizeof b->view->why);
    if (b->learns && !b->failed) shelf_extend(b->view->cache, b->shelf, b->among.from);
}

/* Leaves the shelf for what is not known there. Ascending, all is known, or there is no shelf. */
static void scan_begin(struct block_walk *b, uint64_t known) {
    uint64_t to = b->among.to;
    if (known <= b->among.from) return;
    if (b->shelf) {
        b->learns = b->edge >= known || (known == BLOCKS_NONE && to == LAST_BLOCK);
        if (b->edge <= to) to = b->edge - 1;
        if (known <= to) to = known - 1;
    }
    b->scan = scan_of(b, b->lead, to, b->descending);
    b->failed |= !b->scan;
    if (b->scan) scan_look(b);
}

/* What the shelf or the table has of a block; NULL: memory is out, or a read failed. */
static struct block_value *value_of(struct block_walk *b, enum key_kind kind, uint64_t block) {
    struct buffer bytes = {0};
    struct key key;
    struct block_value *v = shelf_get(b->view->cache, b->shelf, kind, block, b->view->batch);
    if (v) return v;
    key_block(&key, kind, b->brand, block);
    const int got = table_get(b->view->table, b->view->snapshot, key_slice(&key), &bytes,
                              b->view->why, sizeof b->view->why);
    const struct slice value = buffer_slice(&bytes);
    if (got >= 0 && !bytes.failed)
        v = shelf_put(b->view->cache, b->shelf, kind, block, b->view->batch, got ? &value : NULL);
    buffer_free(&bytes);
    return v;
}

/* Goes on in the shelf as long as there is something, then in the table. */
static void shelf_look(struct block_walk *b) {
    uint64_t block, known = BLOCKS_NONE;
    while (b->shelf &&
           shelf_next(b->view->cache, b->shelf, b->edge, b->descending, &block, &known)) {
        if (b->descending ? block < b->among.from : block > b->among.to) return;
        b->edge = b->descending ? block : block + 1;
        b->held = value_of(b, b->lead, block);
        b->failed |= !b->held;
        if (b->failed || !b->held->absent) return;
        block_value_drop(&b->held);
    }
    scan_begin(b, known);
}

/* Who goes upwards has no use for a shelf that does not know where to begin. */
static void shelf_check(struct block_walk *b) {
    uint64_t block, known;
    shelf_next(b->view->cache, b->shelf, b->edge, false, &block, &known);
    if (known <= b->among.from) return;
    shelf_leave(b->view->cache, b->shelf);
    b->shelf = NULL;
}

struct block_walk *block_walk_open(struct store_view *v, uint32_t brand,
                                   const struct span_of_blocks *among, bool descending,
                                   enum key_kind lead) {
    struct block_walk *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    assert(among->to <= LAST_BLOCK);
    *b = (struct block_walk){.view = v, .brand = brand, .among = *among, .descending = descending,
                         .lead = lead};
    b->edge = descending ? among->to + 1 : among->from;
    if (v->cache) b->shelf = shelf_enter(v->cache, brand, v->batch);
    if (b->shelf && !descending) shelf_check(b);
    shelf_look(b);
    return b;
}

void block_walk_close(struct block_walk **self) {
    struct block_walk *b = *self;
    if (!b) return;
    block_value_drop(&b->held);
    if (b->shelf) shelf_leave(b->view->cache, b->shelf);
    table_scan_close(&b->scan);
    table_scan_close(&b->texts);
    table_scan_close(&b->briefs);
    free(b);
    *self = NULL;
}

bool block_walk_valid(const struct block_walk *b) {
    return !b->failed && (b->held || (b->scan && table_scan_valid(b->scan)));
}

bool block_walk_failed(const struct block_walk *b) { return b->failed; }

uint64_t block_walk_number(const struct block_walk *b) {
    return b->held ? b->held->block : key_tail_id(table_scan_key(b->scan));
}

struct slice block_walk_value(const struct block_walk *b) {
    return b->held ? b->held->bytes : table_scan_value(b->scan);
}

const struct zone *block_walk_zone(const struct block_walk *b) {
    return b->held ? b->held->zone : NULL;
}

void block_walk_next(struct block_walk *b) {
    if (b->scan) {
        table_scan_next(b->scan);
        scan_look(b);
        return;
    }
    block_value_drop(&b->held);
    shelf_look(b);
}

struct block_value *block_walk_read(struct block_walk *b, enum key_kind kind, uint64_t block) {
    struct table_scan **scan = kind == KEY_TEXT ? &b->texts : &b->briefs;
    struct block_value *v =
        b->shelf ? shelf_get(b->view->cache, b->shelf, kind, block, b->view->batch) : NULL;
    struct key key;
    if (v && !v->absent) return v;
    block_value_drop(&v);
    if (!*scan) *scan = scan_of(b, kind, b->among.to, false);
    if (!*scan) return NULL;
    key_block(&key, kind, b->brand, block);
    table_scan_seek(*scan, key_slice(&key));
    if (!table_scan_valid(*scan) || !slice_equal(table_scan_key(*scan), key_slice(&key))) {
        if (table_scan_ok(*scan, b->view->why, sizeof b->view->why))
            snprintf(b->view->why, sizeof b->view->why,
                     "a value of block %" PRIu64 " is missing", block);
        return NULL;
    }
    const struct slice value = table_scan_value(*scan);
    return shelf_put(b->view->cache, b->shelf, kind, block, b->view->batch, &value);
}
