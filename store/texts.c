#include "store/texts.h"
#include "proto/host/ids.h"
#include <stdio.h>
#include <stdlib.h>

uint64_t texts_mark(const uint8_t *ids) {
    const struct id_key key = id_key_of(ids);
    return key.hash(key.context, "search", 6);
}

bool texts_open(struct texts *t, const uint8_t *ids, struct block_cache *cache) {
    *t = (struct texts){.ids = id_key_of(ids), .cache = cache, .sign = calloc(1, sizeof *t->sign)};
    return t->sign != NULL;
}

void texts_close(struct texts *t) {
    buffer_free(&t->bytes);
    buffer_free(&t->value);
    lexicon_free(&t->lexicon);
    free(t->items);
    free(t->sign);
    *t = (struct texts){0};
}

static bool room(struct texts *t) {
    if (t->count < t->cap) return true;
    const size_t more = t->cap ? t->cap * 2 : 512;
    struct texts_item *bigger = realloc(t->items, more * sizeof *bigger);
    t->failed |= !bigger;
    if (!bigger) return false;
    t->items = bigger;
    t->cap = more;
    return true;
}

void texts_note(struct texts *t, uint32_t brand, uint64_t id, struct slice type,
                const struct task_body *body) {
    if (!room(t)) return;
    struct texts_item *item = &t->items[t->count++];
    *item = (struct texts_item){.brand = brand, .id = id, .at = t->bytes.len};
    item->any = !text_of_task(type, body, &t->bytes);
    item->len = (uint32_t)(t->bytes.len - item->at);
    t->failed |= t->bytes.failed;
}

static int by_block(const void *left, const void *right) {
    const struct texts_item *a = left, *b = right;
    if (a->brand != b->brand) return a->brand < b->brand ? -1 : 1;
    if (block_of(a->id) != block_of(b->id)) return a->id < b->id ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* Items from `first` on that are of one block; returns the next. */
static size_t block_write(struct texts *t, struct table_batch *batch, size_t first) {
    const uint32_t brand = t->items[first].brand;
    const uint64_t block = block_of(t->items[first].id);
    struct key key;
    size_t next = first;
    memset(t->sign, 0, sizeof *t->sign);
    lexicon_clear(&t->lexicon);
    for (; next < t->count; next++) {
        const struct texts_item *item = &t->items[next];
        if (item->brand != brand || block_of(item->id) != block) break;
        const struct text_entry e = {.id = item->id, .any = item->any,
                                     .text = slice_of(t->bytes.data + item->at, item->len)};
        lexicon_add(&t->lexicon, &e);
        sign_add(t->sign, &e, &t->ids);
    }
    buffer_clear(&t->value);
    lexicon_put(&t->lexicon, &t->value);
    key_block(&key, KEY_TEXT, brand, block);
    table_batch_merge(batch, key_slice(&key), buffer_slice(&t->value));
    buffer_clear(&t->value);
    sign_put(&t->value, t->sign);
    key_block(&key, KEY_SIGN, brand, block);
    table_batch_merge(batch, key_slice(&key), buffer_slice(&t->value));
    block_cache_touch(t->cache, brand, block);
    t->failed |= t->value.failed || t->lexicon.failed;
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
