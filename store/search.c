#include "store/search.h"
#include "store/heads.h"
#include "proto/host/ids.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct found { uint64_t id; bool sure, twice, holds; struct piece head; };

struct founds { struct found *list; size_t count, cap, next; }; /* owned */

struct search {
    struct store_view *view;
    struct terms terms;
    struct id_key ids;
    uint32_t brand;
    bool descending, sure, failed;
    uint64_t from, to, looked, place;
    struct table_scan *signs; /* NULL at the end */
    struct founds pending, window; /* what the overlay and the newest block have */
    struct buffer block, heads, head;
    struct sign sign;
};

static struct found *found_add(struct search *s, struct founds *f, uint64_t id) {
    if (f->count == f->cap) {
        const size_t cap = f->cap ? f->cap * 2 : 64;
        struct found *list = realloc(f->list, cap * sizeof *list);
        if (!list) {
            s->failed = true;
            return NULL;
        }
        f->list = list;
        f->cap = cap;
    }
    f->list[f->count] = (struct found){.id = id};
    return &f->list[f->count++];
}

static int by_id(const void *left, const void *right) {
    const struct found *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

/* ---- what is pending ---- */

static bool within(const struct search *s, uint64_t id) { return id >= s->from && id <= s->to; }

/* Its text is not the table's. */
static bool overlaid(const struct search *s, uint64_t id) {
    const struct task_state *t = overlay_task(&s->view->overlay, id);
    return t && (t->gone || t->body.state == PART_PUT);
}

static void pending_take_up(struct search *s) {
    const struct overlay *o = &s->view->overlay;
    struct buffer text = {0};
    for (size_t i = 0; i < o->task_count && !s->failed; i++) {
        const struct task_state *t = &o->tasks[i];
        struct record head, body;
        if (t->gone || t->body.state != PART_PUT || !within(s, t->id)) continue;
        const bool here = t->head.state == PART_PUT;
        if (here && !record_decode_value(RECORD_TASK, part_slice(&t->head), &head)) continue;
        if (here && head.task.brand != s->brand) continue;
        struct text_entry e = {.id = t->id, .any = true};
        buffer_clear(&text);
        if (here && record_decode_value(RECORD_BODY, part_slice(&t->body), &body))
            e.any = !text_of_task(t->type, &body.body, &text);
        e.text = buffer_slice(&text);
        if (!terms_hold(&s->terms, &e, &s->ids)) continue;
        struct found *f = found_add(s, &s->pending, t->id);
        if (f) f->sure = !e.any;
    }
    s->failed |= text.failed;
    buffer_free(&text);
    if (s->pending.count > 1)
        qsort(s->pending.list, s->pending.count, sizeof *s->pending.list, by_id);
}

/* ---- blocks ---- */

static struct found *window_of(struct search *s, uint64_t id) {
    const struct founds *w = &s->window; /* entries come nearly in order */
    for (size_t i = w->count; i-- > 0 && w->list[i].id >= id;)
        if (w->list[i].id == id) return &w->list[i];
    return NULL;
}

static bool entries_look(struct search *s, uint64_t block) {
    struct slice in = buffer_slice(&s->block);
    struct text_entry e;
    uint64_t newest = 0;
    bool ordered = true;
    for (uint32_t n = 0; text_entry_next(&in, block, &e); n++) {
        s->looked += n % LOOK_ENTRIES == LOOK_ENTRIES - 1;
        ordered = ordered && e.id > newest;
        newest = e.id > newest ? e.id : newest;
        if (!within(s, e.id) || overlaid(s, e.id)) continue;
        struct found *again = ordered ? NULL : window_of(s, e.id);
        const bool holds = terms_hold(&s->terms, &e, &s->ids);
        /* Without order each entry is kept, so that one of a text that is no more is told. */
        if (again) again->twice = true, again->holds |= holds;
        if (again || (ordered && !holds)) continue;
        struct found *f = found_add(s, &s->window, e.id);
        if (f) *f = (struct found){.id = e.id, .holds = holds, .sure = ordered && !e.any};
        if (!f) return false;
    }
    return in.len == 0;
}

/* Keeps what holds, in order, once. */
static void window_settle(struct search *s) {
    struct founds *w = &s->window;
    size_t count = 0;
    if (w->count > 1) qsort(w->list, w->count, sizeof *w->list, by_id);
    for (size_t i = 0; i < w->count; i++) {
        struct found f = w->list[i];
        for (; i + 1 < w->count && w->list[i + 1].id == f.id; i++) {
            f.holds |= w->list[i + 1].holds;
            f.twice = true;
        }
        f.sure = f.sure && !f.twice;
        if (f.holds) w->list[count++] = f;
    }
    w->count = count;
}

static bool window_heads(struct search *s) {
    struct founds *w = &s->window;
    uint64_t *ids = calloc(w->count, sizeof *ids);
    struct piece *pieces = calloc(w->count, sizeof *pieces);
    for (size_t i = 0; ids && i < w->count; i++) ids[i] = w->list[i].id;
    const bool ok = ids && pieces && heads_read(s->view, ids, w->count, &s->heads, pieces);
    for (size_t i = 0; ok && i < w->count; i++) w->list[i].head = pieces[i];
    free(ids);
    free(pieces);
    return ok;
}

static bool block_read(struct search *s, uint64_t block) {
    struct key key;
    key_block(&key, KEY_TEXT, s->brand, block);
    buffer_clear(&s->block);
    s->window.count = s->window.next = 0;
    const int got = table_get(s->view->table, s->view->snapshot, key_slice(&key), &s->block,
                              s->view->why, sizeof s->view->why);
    if (got < 0 || s->block.failed) return false;
    if (!entries_look(s, block)) {
        snprintf(s->view->why, sizeof s->view->why, "the texts of block %" PRIu64 " are damaged",
                 block);
        return false;
    }
    window_settle(s);
    return s->window.count == 0 || window_heads(s);
}

/* Goes on to the next block in which something is found. */
static void blocks_step(struct search *s, uint64_t looks_max) {
    while (s->signs && !s->failed && s->window.next == s->window.count) {
        if (looks_max && s->looked >= looks_max) return;
        if (!table_scan_valid(s->signs)) {
            s->failed = !table_scan_ok(s->signs, s->view->why, sizeof s->view->why);
            table_scan_close(&s->signs);
            return;
        }
        const uint64_t block = key_tail_id(table_scan_key(s->signs));
        memset(&s->sign, 0, sizeof s->sign);
        s->looked++;
        s->failed = !sign_read(&s->sign, table_scan_value(s->signs));
        if (s->failed) {
            snprintf(s->view->why, sizeof s->view->why, "the sign of block %" PRIu64 " is damaged",
                     block);
            return;
        }
        if (sign_may_hold(&s->sign, &s->terms)) s->failed = !block_read(s, block);
        /* All of the block is behind once its window is empty. */
        if (s->window.next == s->window.count)
            s->place = s->descending ? block << TEXT_BLOCK_BITS
                                     : ((block + 1) << TEXT_BLOCK_BITS) - 1;
        table_scan_next(s->signs);
    }
}

/* ---- the search ---- */

struct search *search_open(struct store_view *v, const struct walk *walk,
                           const struct span_of_ids *among, const struct span_of_ids *table) {
    const uint64_t from = among->from > table->from ? among->from : table->from;
    const uint64_t to = among->to < table->to ? among->to : table->to;
    struct search *s = calloc(1, sizeof *s);
    struct range range;
    if (!s) return NULL;
    s->view = v;
    s->brand = walk->brand;
    s->descending = walk->descending;
    s->from = among->from;
    s->to = among->to;
    s->ids = id_key_of(walk->id_key);
    s->failed = !terms_read(&s->terms, walk->terms);
    pending_take_up(s);
    if (from > to) return s;
    key_block(&range.from, KEY_SIGN, s->brand, text_block(from));
    key_block(&range.to, KEY_SIGN, s->brand, text_block(to) + 1);
    s->signs = table_scan_open(v->table, v->snapshot, &range, s->descending);
    s->failed |= !s->signs;
    return s;
}

void search_close(struct search **self) {
    struct search *s = *self;
    if (!s) return;
    table_scan_close(&s->signs);
    terms_free(&s->terms);
    buffer_free(&s->block);
    buffer_free(&s->heads);
    buffer_free(&s->head);
    free(s->pending.list);
    free(s->window.list);
    free(s);
    *self = NULL;
}

static const struct found *peek(const struct search *s, const struct founds *f) {
    if (f->next == f->count) return NULL;
    return &f->list[s->descending ? f->count - 1 - f->next : f->next];
}

/* The head of a row; false when the task is not there any more. */
static bool head_of(struct search *s, const struct found *f, bool in_window, struct slice *head) {
    const struct task_state *t = overlay_task(&s->view->overlay, f->id);
    if (in_window && !(t && t->head.state != PART_TABLE)) {
        if (f->head.len == UINT32_MAX) return false;
        *head = slice_of(s->heads.data + f->head.at, f->head.len);
        return true;
    }
    buffer_clear(&s->head);
    const int got = view_part(s->view, f->id, KEY_HEAD, &s->head);
    s->failed |= got < 0 || s->head.failed;
    *head = buffer_slice(&s->head);
    return got > 0 && !s->failed;
}

bool search_next(struct search *s, uint64_t looks_max, struct slice *head) {
    while (!s->failed) {
        blocks_step(s, looks_max);
        const struct found *mine = peek(s, &s->pending), *theirs = peek(s, &s->window);
        const bool spent = !theirs && s->signs && looks_max && s->looked >= looks_max;
        /* Behind where the blocks were left nothing is given yet. */
        if (spent && mine && (s->descending ? mine->id < s->place : mine->id > s->place))
            return false;
        if (s->failed || (!mine && !theirs)) return false;
        bool pending = mine != NULL;
        if (mine && theirs) pending = s->descending ? mine->id > theirs->id : mine->id < theirs->id;
        const struct found *f = pending ? mine : theirs;
        if (pending) s->pending.next++;
        else s->window.next++;
        s->looked++;
        s->place = f->id;
        s->sure = f->sure;
        if (head_of(s, f, !pending, head)) return true;
    }
    return false;
}

bool search_sure(const struct search *s) { return s->sure; }
bool search_failed(const struct search *s) { return s->failed; }
uint64_t search_looked(const struct search *s) { return s->looked; }
uint64_t search_place(const struct search *s) { return s->place; }
