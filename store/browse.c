#include "store/browse.h"
#include "proto/host/ids.h"
#include "store/block_walk.h"
#include "store/seek.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct rows { struct browse_row *list; size_t count, cap, next; }; /* list owned */

enum { FOUND_MAX = 16, TOUCHED_BITS = 4096 };

struct browse {
    struct store_view *view;
    struct terms terms;
    struct id_key ids;
    walk_wanted *wanted;
    void *context;
    uint32_t brand;
    bool descending, failed, by_terms, by_texts; /* by_texts: the table has an index for them */
    struct span_of_ids among, table;
    int64_t from_ms, to_ms; /* inclusive */
    uint64_t touched[TOUCHED_BITS / 64]; /* blocks of which something may be pending */
    uint64_t looked, place;
    struct block_walk *blocks; /* their signs, or their briefs; NULL: none */
    struct rows pending, block; /* what the overlay and the newest block have */
    struct found { /* blocks of a search whose signs may hold all, in the order of the walk */
        uint64_t block;
        uint32_t in_ids;
        struct block_value *text, *brief;
    } found[FOUND_MAX];
    size_t found_count, found_next, found_size;
    uint8_t flags[BLOCK_IDS]; /* of a block's tasks, by their texts */
    bool counts; /* rows are counted and not kept */
    uint64_t counted;
};

static bool within(const struct span_of_ids *s, uint64_t id) {
    return id >= s->from && id <= s->to;
}

static bool wants(const struct browse *b, uint32_t lane, uint8_t status, uint8_t priority) {
    return !b->wanted || b->wanted(b->context, lane, status, priority);
}

static void row_add(struct browse *b, struct rows *rows, const struct browse_row *row) {
    const struct brief *brief = &row->brief;
    if (brief->created_ms < b->from_ms || brief->created_ms > b->to_ms) return;
    if (!wants(b, brief->lane, brief->status, brief->priority)) return;
    if (b->counts) {
        b->counted++;
        return;
    }
    if (rows->count == rows->cap) {
        const size_t cap = rows->cap ? rows->cap * 2 : 64;
        struct browse_row *list = realloc(rows->list, cap * sizeof *list);
        if (!list) {
            b->failed = true;
            return;
        }
        rows->list = list;
        rows->cap = cap;
    }
    rows->list[rows->count++] = *row;
}

static bool damaged(struct browse *b, const char *what, uint64_t block) {
    snprintf(b->view->why, sizeof b->view->why, "%s of block %" PRIu64 " are damaged", what, block);
    b->failed = true;
    return false;
}

/* ---- what is pending ---- */

static int by_id(const void *left, const void *right) {
    const uint64_t a = ((const struct browse_row *)left)->brief.id;
    const uint64_t b = ((const struct browse_row *)right)->brief.id;
    return (a > b) - (a < b);
}

/* Whether the text that is pending has all terms; *sure is set when that is certain. */
static bool text_holds(struct browse *b, const struct task_state *t, bool *sure) {
    struct buffer text = {0};
    struct record r;
    struct text_entry e = {.id = t->id, .any = true};
    if (record_decode_value(RECORD_BODY, part_slice(&t->body), &r))
        e.any = !text_of_task(t->type, &r.body, &text);
    e.text = buffer_slice(&text);
    b->failed |= text.failed;
    const bool holds = terms_hold(&b->terms, &e, &b->ids);
    *sure = !e.any;
    buffer_free(&text);
    return holds;
}

/* Blocks share bits: what is pending is looked up where one is set. */
static uint64_t *touched(struct browse *b, uint64_t block, uint64_t *bit) {
    *bit = UINT64_C(1) << (block & 63);
    return &b->touched[block / 64 % (TOUCHED_BITS / 64)];
}

static bool may_be_pending(struct browse *b, uint64_t block) {
    uint64_t bit;
    return (*touched(b, block, &bit) & bit) != 0;
}

static void pending_take_up(struct browse *b) {
    const struct overlay *o = &b->view->overlay;
    uint64_t bit;
    for (size_t i = 0; i < o->task_count && !b->failed; i++) {
        const struct task_state *t = &o->tasks[i];
        struct record r;
        *touched(b, block_of(t->id), &bit) |= bit;
        if (t->gone || t->head.state != PART_PUT || !within(&b->among, t->id)) continue;
        if (b->by_texts && t->body.state != PART_PUT) continue; /* its text is the table's */
        if (!record_decode_value(RECORD_TASK, part_slice(&t->head), &r)) {
            b->failed = true;
            return;
        }
        struct browse_row row = {.brief = brief_of(&r.task), .task = t};
        if (r.task.brand != b->brand) continue;
        if (b->by_terms && t->body.state == PART_PUT && !text_holds(b, t, &row.sure)) continue;
        row_add(b, &b->pending, &row);
    }
    if (b->pending.count > 1)
        qsort(b->pending.list, b->pending.count, sizeof *b->pending.list, by_id);
}

/* ---- blocks ---- */

/* Which tasks of the block may have all terms. */
static bool texts_look(struct browse *b, const struct found *f) {
    memset(b->flags, 0, sizeof b->flags);
    b->looked += f->brief->bytes.len / BRIEF_BYTES / LOOK_ROWS;
    return lexicon_search(f->text->bytes, f->block, &b->terms, &b->ids, f->in_ids, b->flags) ||
           damaged(b, "the texts", f->block);
}

/* What the overlay knows of a row of the table. False when that is all there is to it. */
static bool row_settle(const struct browse *b, struct browse_row *row) {
    struct record r;
    const struct task_state *t = overlay_task(&b->view->overlay, row->brief.id);
    if (!t) return true;
    if (!b->by_texts) return t->head.state == PART_TABLE;
    if (t->gone || t->body.state == PART_PUT) return false;
    if (t->head.state != PART_PUT) return true;
    row->task = t;
    if (!record_decode_value(RECORD_TASK, part_slice(&t->head), &r)) return false;
    row->brief = brief_of(&r.task);
    return true;
}

/* zone: its; NULL: not known. */
static void briefs_take(struct browse *b, uint64_t block, struct slice value,
                        const struct zone *zone) {
    const uint32_t count = value.len / BRIEF_BYTES;
    const bool pending = may_be_pending(b, block);
    if (!zone && !brief_sound(value)) {
        damaged(b, "the briefs", block);
        return;
    }
    b->looked += count / LOOK_ROWS;
    for (uint32_t i = 0; i < count && !b->failed; i++) {
        struct browse_row row = {.brief = brief_at(value, block, i)};
        if (b->by_texts) {
            const uint8_t flags = b->flags[row.brief.id & (BLOCK_IDS - 1)];
            if (!(flags & TEXT_HOLDS)) continue;
            row.sure = !(flags & TEXT_UNSURE);
        }
        if (row.brief.status == STATUS_NONE || !within(&b->table, row.brief.id)) continue;
        if (!pending || row_settle(b, &row)) row_add(b, &b->block, &row);
    }
}

/* What can be said of a block by its zone: that nothing in it is wanted, or how much is when rows
 * are counted. False when its briefs must be looked at. */
static bool zone_settles(struct browse *b, uint64_t block, const struct zone *z) {
    const struct span_of_ids ids = {block << BLOCK_BITS, ((block + 1) << BLOCK_BITS) - 1};
    uint64_t wanted = 0;
    if (!z) return false;
    for (uint32_t i = 0; i < z->count; i++) {
        const struct zone_kind *k = &z->kinds[i];
        if (wants(b, k->lane, k->status, k->priority)) wanted += k->count;
    }
    if (wanted == 0 || z->last_ms < b->from_ms || z->first_ms > b->to_ms) return true;
    if (!b->counts || may_be_pending(b, block)) return false;
    if (z->first_ms < b->from_ms || z->last_ms > b->to_ms) return false;
    if (!within(&b->table, ids.from) || !within(&b->table, ids.to)) return false;
    b->counted += wanted;
    return true;
}

static bool blocks_left(const struct browse *b) {
    return b->found_next < b->found_count || (b->blocks && block_walk_valid(b->blocks));
}

/* Where the walk is when a block has been given whole. */
static uint64_t behind(const struct browse *b, uint64_t block) {
    return b->descending ? block << BLOCK_BITS : ((block + 1) << BLOCK_BITS) - 1;
}

static void found_free(struct browse *b) {
    for (size_t i = 0; i < b->found_count; i++) {
        block_value_drop(&b->found[i].text);
        block_value_drop(&b->found[i].brief);
    }
    b->found_count = b->found_next = 0;
}

/* Looks at signs until some blocks are found. */
static void signs_look(struct browse *b, uint64_t looks_max) {
    const size_t more = b->found_size == 0 ? 1 : 2 * b->found_size; /* the first may do */
    b->found_size = more < FOUND_MAX ? more : FOUND_MAX;
    found_free(b);
    while (b->found_count < b->found_size && block_walk_valid(b->blocks)) {
        const uint64_t block = block_walk_number(b->blocks);
        const struct slice sign = block_walk_value(b->blocks);
        if (looks_max && b->looked >= looks_max) return;
        if (!sign_sound(sign)) {
            damaged(b, "the groups of letters", block);
            return;
        }
        b->looked++;
        if (sign_may_hold(sign, &b->terms))
            b->found[b->found_count++] = (struct found){
                .block = block, .in_ids = sign_terms_in_ids(sign, &b->terms)};
        else if (b->found_count == 0)
            b->place = behind(b, block);
        block_walk_next(b->blocks);
    }
    b->failed |= block_walk_failed(b->blocks);
}

/* Finds the next blocks of a search and reads what they have, in the order of keys. */
static void found_fill(struct browse *b, uint64_t looks_max) {
    signs_look(b, looks_max);
    for (size_t i = 0; i < b->found_count && !b->failed; i++) {
        struct found *f = &b->found[b->descending ? b->found_count - 1 - i : i];
        f->text = block_walk_read(b->blocks, KEY_TEXT, f->block);
        f->brief = block_walk_read(b->blocks, KEY_BRIEF, f->block);
        b->failed |= !f->text || !f->brief;
    }
}

/* Takes up the next block. False when there is none, or none may be looked at. */
static bool block_step(struct browse *b, uint64_t looks_max, uint64_t *block) {
    if (!b->by_texts) {
        if (!block_walk_valid(b->blocks) || (looks_max && b->looked >= looks_max)) return false;
        *block = block_walk_number(b->blocks);
        b->looked++;
        const struct zone *zone = block_walk_zone(b->blocks);
        if (!zone_settles(b, *block, zone))
            briefs_take(b, *block, block_walk_value(b->blocks), zone);
        if (!b->failed) block_walk_next(b->blocks);
        b->failed |= block_walk_failed(b->blocks);
        return !b->failed;
    }
    if (b->found_next == b->found_count) {
        found_fill(b, looks_max);
        if (b->failed || b->found_count == 0) return false;
    }
    const struct found *f = &b->found[b->found_next++];
    *block = f->block;
    if (texts_look(b, f)) briefs_take(b, f->block, f->brief->bytes, f->brief->zone);
    return !b->failed;
}

/* Goes on to the next block in which something is wanted. */
static void blocks_step(struct browse *b, uint64_t looks_max) {
    uint64_t block;
    while (blocks_left(b) && !b->failed && b->block.next == b->block.count) {
        b->block.count = b->block.next = 0;
        if (!block_step(b, looks_max, &block)) return;
        /* All of the block is behind once its rows have been given. */
        if (b->block.count == 0) b->place = behind(b, block);
    }
}

/* ---- all of it ---- */

/* Whether the table has its texts under the key that tasks are spelt by. */
static bool texts_there(struct browse *b, const uint8_t *id_key) {
    struct table_state state;
    if (!b->view->table || !id_key) return false;
    if (!seek_state(b->view, &state)) {
        b->failed = true;
        return false;
    }
    return state.version == LAYOUT_VERSION && state.text_key == texts_mark(id_key);
}

struct browse *browse_open(struct store_view *v, const struct walk *walk,
                           const struct span_of_ids *among, const struct span_of_ids *table) {
    struct browse *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->view = v;
    b->brand = walk->brand;
    b->descending = walk->descending;
    b->wanted = walk->wanted;
    b->context = walk->context;
    b->from_ms = walk->from_ms ? walk->from_ms : INT64_MIN;
    b->to_ms = walk->to_ms ? walk->to_ms : INT64_MAX;
    b->among = b->table = *among;
    if (table->from > b->table.from) b->table.from = table->from;
    if (table->to < b->table.to) b->table.to = table->to;
    b->by_terms = walk->kind == WALK_TEXT && walk->id_key;
    if (b->by_terms) {
        b->ids = id_key_of(walk->id_key);
        b->failed = !terms_read(&b->terms, walk->terms);
        b->by_texts = texts_there(b, walk->id_key);
    }
    if (!b->failed) pending_take_up(b);
    if (b->failed || !v->table || b->table.from > b->table.to) return b;
    const struct span_of_blocks span = {block_of(b->table.from), block_of(b->table.to)};
    b->blocks = block_walk_open(v, b->brand, &span, b->descending,
                                b->by_texts ? KEY_SIGN : KEY_BRIEF);
    b->failed = b->blocks == NULL || block_walk_failed(b->blocks);
    return b;
}

void browse_close(struct browse **self) {
    struct browse *b = *self;
    if (!b) return;
    found_free(b);
    block_walk_close(&b->blocks);
    terms_free(&b->terms);
    free(b->pending.list);
    free(b->block.list);
    free(b);
    *self = NULL;
}

static const struct browse_row *peek(const struct browse *b, const struct rows *rows) {
    if (rows->next == rows->count) return NULL;
    return &rows->list[b->descending ? rows->count - 1 - rows->next : rows->next];
}

bool browse_next(struct browse *b, uint64_t looks_max, struct browse_row *row) {
    blocks_step(b, looks_max);
    const struct browse_row *mine = peek(b, &b->pending), *theirs = peek(b, &b->block);
    const bool spent = !theirs && blocks_left(b) && looks_max && b->looked >= looks_max;
    /* Behind where the blocks were left nothing is given yet. */
    if (spent && mine && (b->descending ? mine->brief.id < b->place : mine->brief.id > b->place))
        return false;
    if (b->failed || (!mine && !theirs)) return false;
    bool pending = mine != NULL;
    if (mine && theirs)
        pending = b->descending ? mine->brief.id > theirs->brief.id
                                : mine->brief.id < theirs->brief.id;
    *row = pending ? *mine : *theirs;
    if (pending) b->pending.next++;
    else b->block.next++;
    b->place = row->brief.id;
    return true;
}

uint64_t browse_count(struct browse *b, uint64_t looks_max) {
    b->counted = b->pending.count - b->pending.next + b->block.count - b->block.next;
    b->pending.next = b->pending.count;
    b->block.next = b->block.count;
    b->counts = true;
    blocks_step(b, looks_max);
    return b->counted;
}

bool browse_failed(const struct browse *b) { return b->failed; }
uint64_t browse_looked(const struct browse *b) { return b->looked; }
uint64_t browse_place(const struct browse *b) { return b->place; }
