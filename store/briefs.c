#include "store/briefs.h"
#include <stdio.h>
#include <stdlib.h>

void briefs_close(struct briefs *b) {
    buffer_free(&b->value);
    free(b->items);
    free(b->gone);
    *b = (struct briefs){0};
}

static void *room(struct briefs *b, void *array, size_t count, size_t *cap, size_t size) {
    if (count < *cap) return array;
    const size_t more = *cap ? *cap * 2 : 512;
    void *bigger = realloc(array, more * size);
    if (!bigger) {
        b->failed = true;
        return array;
    }
    *cap = more;
    return bigger;
}

void briefs_note(struct briefs *b, uint32_t brand, const struct brief *brief) {
    b->items = room(b, b->items, b->count, &b->cap, sizeof *b->items);
    if (!b->failed) b->items[b->count++] = (struct briefs_item){brand, *brief};
}

void briefs_note_gone(struct briefs *b, uint32_t brand, uint64_t id) {
    const struct briefs_gone *last = b->gone_count ? &b->gone[b->gone_count - 1] : NULL;
    briefs_note(b, brand, &(struct brief){.id = id});
    if (last && last->brand == brand && last->block == block_of(id)) return;
    b->gone = room(b, b->gone, b->gone_count, &b->gone_cap, sizeof *b->gone);
    if (!b->failed) b->gone[b->gone_count++] = (struct briefs_gone){brand, block_of(id)};
}

static int by_id(const void *left, const void *right) {
    const struct briefs_item *a = left, *b = right;
    if (a->brand != b->brand) return a->brand < b->brand ? -1 : 1;
    return (a->brief.id > b->brief.id) - (a->brief.id < b->brief.id);
}

static int by_block(const void *left, const void *right) {
    const struct briefs_gone *a = left, *b = right;
    if (a->brand != b->brand) return a->brand < b->brand ? -1 : 1;
    return (a->block > b->block) - (a->block < b->block);
}

bool briefs_sweep(struct briefs *b, struct table *table, struct table_batch *batch, char *why,
                  size_t why_size) {
    bool ok = true;
    if (b->gone_count > 1) qsort(b->gone, b->gone_count, sizeof *b->gone, by_block);
    for (size_t i = 0; ok && i < b->gone_count; i++) {
        static const enum key_kind kinds[] = {KEY_BRIEF, KEY_TEXT, KEY_SIGN};
        const struct briefs_gone *g = &b->gone[i];
        struct key key;
        if (i > 0 && by_block(g, g - 1) == 0) continue;
        buffer_clear(&b->value);
        key_block(&key, KEY_BRIEF, g->brand, g->block);
        const int got = table_get(table, NULL, key_slice(&key), &b->value, why, why_size);
        ok = got >= 0;
        if (got <= 0 || b->value.failed || b->value.len > 0) continue;
        block_cache_touch(b->cache, g->brand, g->block);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            key_block(&key, kinds[k], g->brand, g->block);
            table_batch_delete(batch, key_slice(&key));
        }
    }
    b->gone_count = 0;
    return ok;
}

/* Items from `first` on that are of one block; returns the next. */
static size_t block_write(struct briefs *b, struct table_batch *batch, size_t first) {
    const uint32_t brand = b->items[first].brand;
    const uint64_t block = block_of(b->items[first].brief.id);
    struct key key;
    size_t next = first;
    buffer_clear(&b->value);
    for (; next < b->count; next++) {
        const struct briefs_item *item = &b->items[next];
        if (item->brand != brand || block_of(item->brief.id) != block) break;
        brief_put(&b->value, &item->brief);
    }
    key_block(&key, KEY_BRIEF, brand, block);
    table_batch_merge(batch, key_slice(&key), buffer_slice(&b->value));
    block_cache_touch(b->cache, brand, block);
    b->failed |= b->value.failed;
    return next;
}

bool briefs_write(struct briefs *b, struct table_batch *batch, char *why, size_t why_size) {
    if (b->count > 1) qsort(b->items, b->count, sizeof *b->items, by_id);
    for (size_t i = 0; i < b->count && !b->failed;) i = block_write(b, batch, i);
    b->count = 0;
    if (b->failed) snprintf(why, why_size, "memory is out");
    return !b->failed;
}
