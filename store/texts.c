#include "store/texts.h"
#include "proto/host/ids.h"
#include <stdio.h>
#include <stdlib.h>

uint64_t texts_mark(const uint8_t *ids) {
    const struct id_key key = id_key_of(ids);
    return key.hash(key.context, "search", 6);
}

bool texts_open(struct texts *t, const uint8_t *ids) {
    *t = (struct texts){.ids = id_key_of(ids), .sign = calloc(1, sizeof *t->sign)};
    return t->sign != NULL;
}

void texts_close(struct texts *t) {
    buffer_free(&t->bytes);
    buffer_free(&t->value);
    free(t->items);
    free(t->gone);
    free(t->sign);
    *t = (struct texts){0};
}

static void *room(struct texts *t, void *array, size_t count, size_t *cap, size_t size) {
    if (count < *cap) return array;
    const size_t more = *cap ? *cap * 2 : 512;
    void *bigger = realloc(array, more * size);
    if (!bigger) {
        t->failed = true;
        return array;
    }
    *cap = more;
    return bigger;
}

void texts_note(struct texts *t, uint32_t brand, uint64_t id, struct slice type,
                const struct task_body *body) {
    t->items = room(t, t->items, t->count, &t->cap, sizeof *t->items);
    if (t->failed) return;
    struct text_entry e = {.id = id};
    buffer_clear(&t->value);
    e.any = !text_of_task(type, body, &t->value);
    if (!e.any) e.text = buffer_slice(&t->value);
    struct texts_item *item = &t->items[t->count++];
    *item = (struct texts_item){.brand = brand, .block = text_block(id), .at = t->bytes.len};
    text_entry_put(&t->bytes, &e);
    item->len = (uint32_t)(t->bytes.len - item->at);
    t->failed = t->bytes.failed || t->value.failed;
}

void texts_note_gone(struct texts *t, uint32_t brand, uint64_t id) {
    const struct texts_gone *last = t->gone_count ? &t->gone[t->gone_count - 1] : NULL;
    if (last && last->brand == brand && last->block == text_block(id)) return;
    t->gone = room(t, t->gone, t->gone_count, &t->gone_cap, sizeof *t->gone);
    if (!t->failed) t->gone[t->gone_count++] = (struct texts_gone){brand, text_block(id)};
}

static int by_block(const void *left, const void *right) {
    const struct texts_item *a = left, *b = right;
    if (a->brand != b->brand) return a->brand < b->brand ? -1 : 1;
    if (a->block != b->block) return a->block < b->block ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static int by_gone(const void *left, const void *right) {
    const struct texts_gone *a = left, *b = right;
    if (a->brand != b->brand) return a->brand < b->brand ? -1 : 1;
    return (a->block > b->block) - (a->block < b->block);
}

bool texts_sweep(struct texts *t, struct table *table, struct table_batch *batch, char *why,
                 size_t why_size) {
    bool ok = true;
    if (t->gone_count > 1) qsort(t->gone, t->gone_count, sizeof *t->gone, by_gone);
    for (size_t i = 0; ok && i < t->gone_count; i++) {
        const struct texts_gone *g = &t->gone[i];
        struct range range;
        struct key key;
        if (i > 0 && by_gone(g, g - 1) == 0) continue;
        key_created(&range.from, g->brand, g->block << TEXT_BLOCK_BITS);
        key_created(&range.to, g->brand, (g->block + 1) << TEXT_BLOCK_BITS);
        struct table_scan *scan = table_scan_open(table, NULL, &range, false);
        if (!scan) {
            snprintf(why, why_size, "memory is out");
            return false;
        }
        const bool empty = !table_scan_valid(scan);
        ok = table_scan_ok(scan, why, why_size);
        table_scan_close(&scan);
        if (!ok || !empty) continue;
        key_block(&key, KEY_TEXT, g->brand, g->block);
        table_batch_delete(batch, key_slice(&key));
        key_block(&key, KEY_SIGN, g->brand, g->block);
        table_batch_delete(batch, key_slice(&key));
    }
    t->gone_count = 0;
    return ok;
}

/* Items from `first` on that are of one block; returns the next. */
static size_t block_write(struct texts *t, struct table_batch *batch, size_t first) {
    const struct texts_item *head = &t->items[first];
    struct key key;
    size_t next = first;
    buffer_clear(&t->value);
    memset(t->sign, 0, sizeof *t->sign);
    for (; next < t->count; next++) {
        const struct texts_item *item = &t->items[next];
        struct slice bytes = slice_of(t->bytes.data + item->at, item->len);
        struct text_entry e;
        if (item->brand != head->brand || item->block != head->block) break;
        buffer_append(&t->value, bytes.data, bytes.len);
        if (text_entry_next(&bytes, item->block, &e)) sign_add(t->sign, &e, &t->ids);
    }
    key_block(&key, KEY_TEXT, head->brand, head->block);
    table_batch_merge(batch, key_slice(&key), buffer_slice(&t->value));
    buffer_clear(&t->value);
    sign_put(&t->value, t->sign);
    key_block(&key, KEY_SIGN, head->brand, head->block);
    table_batch_merge(batch, key_slice(&key), buffer_slice(&t->value));
    t->failed |= t->value.failed;
    return next;
}

bool texts_write(struct texts *t, struct table_batch *batch, char *why, size_t why_size) {
    if (t->count > 1) qsort(t->items, t->count, sizeof *t->items, by_block);
    for (size_t i = 0; i < t->count && !t->failed;) i = block_write(t, batch, i);
    t->count = 0;
    buffer_clear(&t->bytes);
    if (t->failed) snprintf(why, why_size, "memory is out");
    return !t->failed;
}
