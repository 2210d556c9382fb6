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
    struct text_entry e = {.id = id};
    buffer_clear(&t->value);
    e.any = !text_of_task(type, body, &t->value);
    if (!e.any) e.text = buffer_slice(&t->value);
    struct texts_item *item = &t->items[t->count++];
    *item = (struct texts_item){.brand = brand, .block = block_of(id), .at = t->bytes.len};
    text_entry_put(&t->bytes, &e);
    item->len = (uint32_t)(t->bytes.len - item->at);
    t->failed = t->bytes.failed || t->value.failed;
}

static int by_block(const void *left, const void *right) {
    const struct texts_item *a = left, *b = right;
    if (a->brand != b->brand) return a->brand < b->brand ? -1 : 1;
    if (a->block != b->block) return a->block < b->block ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
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
