/* rows_sort.c - pages in another order than that of creation; see filler.h.
 *
 * The first skip + limit rows of that order are kept in a heap with the last of them on top, so
 * that memory is bounded by the page and its offset, whatever is looked at. */
#include "broker/filler.h"
#include <stdlib.h>

struct sorted {
    uint64_t id;
    struct sort_key keys[SORT_KEYS_MAX];
    uint32_t count;
    bool oldest_first;     /* what decides between equals */
    uint32_t row_len;
    uint8_t *row;          /* owned: the row as it is written; NULL: of a task, it is made then */
    struct task_head head; /* of a task */
};

struct sorter {
    struct filler *f;
    struct sorted *list; /* a heap: none comes after the first */
    uint32_t count, room, cap;
    bool more;           /* there was more than fits */
};

static int key_order(const struct sort_key *a, const struct sort_key *b) {
    const struct field_value left = {.kind = a->kind, .number = a->number,
                                     .text = slice_of(a->text, a->len)};
    const struct field_value right = {.kind = b->kind, .number = b->number,
                                      .text = slice_of(b->text, b->len)};
    const int order = field_order(&left, &right);
    return a->descending ? -order : order;
}

static int sorted_order(const void *left, const void *right) {
    const struct sorted *a = left, *b = right;
    for (uint32_t i = 0; i < a->count; i++) {
        const int order = key_order(&a->keys[i], &b->keys[i]);
        if (order != 0) return order;
    }
    const int order = (a->id < b->id) - (a->id > b->id);
    return a->oldest_first ? -order : order;
}

uint32_t sort_keys(struct slice sort, field_find *find, void *row,
                   struct sort_key keys[SORT_KEYS_MAX]) {
    uint32_t count = 0;
    while (sort.len > 0 && count < SORT_KEYS_MAX) {
        const uint8_t *comma = memchr(sort.data, ',', sort.len);
        const uint32_t len = comma != NULL ? (uint32_t)(comma - sort.data) : sort.len;
        const bool descending = sort.data[0] == '-';
        struct sort_key *key = &keys[count++];
        const struct field_value v = find(row, slice_of(sort.data + descending, len - descending));
        *key = (struct sort_key){.kind = (uint8_t)v.kind, .descending = descending,
                                 .number = v.number};
        if (v.kind == IS_TEXT) {
            key->len = (uint8_t)(v.text.len < SORT_TEXT_BYTES ? v.text.len : SORT_TEXT_BYTES);
            memcpy(key->text, v.text.data, key->len);
        }
        const uint32_t step = comma != NULL ? len + 1 : len;
        sort = slice_of(sort.data + step, sort.len - step);
    }
    return count;
}

struct sorter *sorter_new(struct filler *f) {
    struct sorter *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    s->f = f;
    s->room = f->skip + f->limit;
    return s;
}

void sorter_destroy(struct sorter **self) {
    for (uint32_t i = 0; *self != NULL && i < (*self)->count; i++) free((*self)->list[i].row);
    if (*self != NULL) free((*self)->list);
    free(*self);
    *self = NULL;
}

static void swap(struct sorted *a, struct sorted *b) {
    const struct sorted c = *a;
    *a = *b;
    *b = c;
}

static void sink(struct sorter *s, uint32_t at) {
    for (uint32_t child; (child = 2 * at + 1) < s->count; at = child) {
        if (child + 1 < s->count && sorted_order(&s->list[child + 1], &s->list[child]) > 0) child++;
        if (sorted_order(&s->list[child], &s->list[at]) <= 0) return;
        swap(&s->list[child], &s->list[at]);
    }
}

static void rise(struct sorter *s, uint32_t at) {
    for (; at > 0 && sorted_order(&s->list[at], &s->list[(at - 1) / 2]) > 0; at = (at - 1) / 2)
        swap(&s->list[at], &s->list[(at - 1) / 2]);
}

static void item_take(struct sorter *s, struct sorted *item) {
    if (s->count == s->room) {
        s->more = true;
        if (s->room == 0 || sorted_order(item, &s->list[0]) >= 0) {
            free(item->row);
            return;
        }
        free(s->list[0].row);
        s->list[0] = *item;
        sink(s, 0);
        return;
    }
    if (s->count == s->cap) {
        const uint32_t cap = s->cap == 0 ? 64 : 2 * s->cap;
        struct sorted *list = realloc(s->list, cap * sizeof *list);
        if (list == NULL) abort();
        s->list = list;
        s->cap = cap;
    }
    s->list[s->count] = *item;
    rise(s, s->count++);
}

void sorter_take(struct sorter *s, const struct task_head *t) {
    struct sorted item = {.id = t->id, .head = *t};
    item.oldest_first = s->f->q->sort.len == 0 && !s->f->q->descending;
    item.count = task_sort_keys(s->f, t, item.keys);
    item_take(s, &item);
}

void sorter_take_row(struct sorter *s, uint64_t id, field_find *find, void *row,
                     struct slice bytes) {
    struct sorted item = {.id = id, .row_len = bytes.len, .row = malloc(bytes.len)};
    if (item.row == NULL) abort();
    memcpy(item.row, bytes.data, bytes.len);
    item.count = sort_keys(s->f->q->sort, find, row, item.keys);
    item_take(s, &item);
}

bool sorter_put(struct sorter *s) {
    if (s->count > 0) qsort(s->list, s->count, sizeof *s->list, sorted_order);
    for (uint32_t i = s->f->skip; i < s->count; i++) {
        if (s->f->page->rows.len >= ROWS_BYTES_MAX) return true;
        const struct sorted *item = &s->list[i];
        if (item->row != NULL) buffer_append(&s->f->page->rows, item->row, item->row_len);
        else task_put(s->f, &item->head);
        s->f->page->count++;
    }
    return s->more;
}
