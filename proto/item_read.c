#include "proto/item.h"
#include <stdlib.h>

enum {
    TEXT_MAX = 65535,    /* bytes of one text of a packed list */
    ITEM_DEPTH = 3       /* frame, items, item: the depth of an item's elements */
};

struct reader {
    struct decode d;
    const struct message *m;
    void **packed;
};

struct block { struct block *next; uint8_t data[]; };

void packed_free(void **packed) {
    struct block *block = *packed;
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    *packed = NULL;
}

/* Hands the buffer's memory over to the chain: the list lives as long as the message. */
static bool packed_keep(struct reader *r, struct buffer *b, struct slice *list) {
    struct block *block = b->failed ? NULL : malloc(sizeof *block + b->len);
    if (block) {
        if (b->len) memcpy(block->data, b->data, b->len);
        block->next = *r->packed;
        *r->packed = block;
        *list = slice_of(block->data, b->len);
    }
    buffer_free(b);
    return block != NULL;
}

static bool number_read(struct reader *r, uint64_t max, uint64_t *value) {
    return decode_uint(&r->d, value) && *value <= max;
}

static bool text_read(struct reader *r, struct slice *text) {
    return decode_slice(&r->d, text) && decode_utf8(*text);
}

static bool held_read(struct reader *r, struct buffer *b) {
    uint32_t count;
    uint64_t checkpoint = 0;
    struct held held = {0};
    if (!decode_array(&r->d, &count) || count < 2) return false;
    if (!decode_uint(&r->d, &held.task) || !decode_uint(&r->d, &held.epoch)) return false;
    if (count > 2 && !number_read(r, UINT32_MAX, &checkpoint)) return false;
    if (count > 3 && !decode_bool(&r->d, &held.started)) return false;
    if (count > 4) return false;
    held.checkpoint = (uint32_t)checkpoint;
    held_put(b, held);
    return true;
}

static bool verdict_read(struct reader *r, struct buffer *b) {
    uint32_t count;
    uint64_t verdict;
    struct verdict_row row;
    if (!decode_array(&r->d, &count) || count != 3) return false;
    if (!decode_uint(&r->d, &row.task) || !decode_uint(&r->d, &row.epoch)) return false;
    if (!number_read(r, UINT8_MAX, &verdict)) return false;
    row.verdict = (uint8_t)verdict;
    verdict_put(b, row);
    return true;
}

/* [run, attempt, epoch, reason, started_ms, ended_ms, worker, message] */
static bool attempt_read(struct reader *r, struct buffer *b) {
    uint32_t count;
    uint64_t run, attempt, reason;
    struct attempt_record row = {.id = r->m->view.head.id};
    if (!decode_array(&r->d, &count) || count != 8) return false;
    if (!number_read(r, UINT16_MAX, &run) || !number_read(r, UINT16_MAX, &attempt)) return false;
    if (!decode_uint(&r->d, &row.epoch) || !number_read(r, UINT8_MAX, &reason)) return false;
    if (!decode_int(&r->d, &row.started_ms) || !decode_int(&r->d, &row.ended_ms)) return false;
    if (!text_read(r, &row.worker) || !text_read(r, &row.message)) return false;
    row.run = (uint16_t)run;
    row.attempt = (uint16_t)attempt;
    row.reason = (uint8_t)reason;
    attempt_put(b, &row);
    return true;
}

/* [line, level, time_ms, text] */
static bool log_read(struct reader *r, struct buffer *b) {
    uint32_t count;
    uint64_t line, level;
    struct log_record row = {.id = r->m->view.head.id};
    if (!decode_array(&r->d, &count) || count != 4) return false;
    if (!number_read(r, UINT32_MAX, &line) || !number_read(r, UINT8_MAX, &level)) return false;
    if (!decode_int(&r->d, &row.time_ms) || !text_read(r, &row.text)) return false;
    row.line = (uint32_t)line;
    row.level = (uint8_t)level;
    log_put(b, &row);
    return true;
}

static bool element_read(struct reader *r, enum form form, struct buffer *b) {
    struct slice text;
    if (form == FORM_HELD) return held_read(r, b);
    if (form == FORM_VERDICTS) return verdict_read(r, b);
    if (form == FORM_ATTEMPTS) return attempt_read(r, b);
    if (form == FORM_LOGS) return log_read(r, b);
    if (!text_read(r, &text) || text.len > TEXT_MAX) return false;
    text_put(b, text);
    return true;
}

/* A list given twice would hold memory twice: refused. */
static bool list_read(struct reader *r, const struct field *f, uint8_t *base) {
    struct slice *list = (struct slice *)(void *)(base + f->at);
    struct buffer b = {0};
    uint32_t count;
    if (list->data || !decode_array(&r->d, &count) || count > f->max) return false;
    if (count == 0) return true;
    for (uint32_t i = 0; i < count; i++) {
        if (!element_read(r, (enum form)f->form, &b)) { buffer_free(&b); return false; }
    }
    if (!packed_keep(r, &b, list)) return false;
    if (f->form == FORM_TEXTS) *(uint16_t *)(void *)(base + f->count_at) = (uint16_t)count;
    else *(uint32_t *)(void *)(base + f->count_at) = count;
    return true;
}

static bool statuses_read(struct reader *r, uint32_t *mask) {
    uint32_t count;
    uint64_t status;
    if (!decode_array(&r->d, &count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!number_read(r, STATUS_COUNT - 1, &status)) return false;
        *mask |= 1U << status;
    }
    return true;
}

static bool kind_read(struct reader *r, uint8_t *kind) {
    struct slice text;
    if (!decode_slice(&r->d, &text)) return false;
    if (slice_equal(text, slice_text("client"))) *kind = LINK_CLIENT;
    else if (slice_equal(text, slice_text("worker"))) *kind = LINK_WORKER;
    else if (slice_equal(text, slice_text("gateway"))) *kind = LINK_GATEWAY;
    else return false;
    return true;
}

static bool order_read(struct reader *r, bool *descending) {
    struct slice text;
    if (!decode_slice(&r->d, &text)) return false;
    *descending = slice_equal(text, slice_text("desc"));
    return *descending || slice_equal(text, slice_text("asc"));
}

static bool due_read(struct reader *r, uint8_t *base, bool delay) {
    struct options *o = (struct options *)(void *)base;
    o->delay = delay;
    return decode_int(&r->d, &o->due_ms);
}

static bool fields_read(struct reader *r, const struct layout *l, uint8_t *base, uint32_t count,
                        uint32_t depth);
static bool map_read(struct reader *r, const struct layout *l, uint8_t *base, uint32_t depth);

static bool group_read(struct reader *r, const struct layout *l, uint8_t *base, uint32_t depth) {
    uint32_t count;
    return decode_array(&r->d, &count) && fields_read(r, l, base, count, depth + 1);
}

static bool field_read(struct reader *r, const struct field *f, uint8_t *base, uint32_t depth) {
    void *at = base + f->at;
    uint64_t value;
    switch ((enum form)f->form) {
    case FORM_U8:
        if (!number_read(r, UINT8_MAX, &value)) return false;
        *(uint8_t *)at = (uint8_t)value;
        return true;
    case FORM_U16:
        if (!number_read(r, UINT16_MAX, &value)) return false;
        *(uint16_t *)at = (uint16_t)value;
        return true;
    case FORM_U32:
        if (!number_read(r, UINT32_MAX, &value)) return false;
        *(uint32_t *)at = (uint32_t)value;
        return true;
    case FORM_SMALL:
        if (!number_read(r, INT8_MAX, &value)) return false;
        *(int8_t *)at = (int8_t)value;
        return true;
    case FORM_U64: return decode_uint(&r->d, at);
    case FORM_I64: return decode_int(&r->d, at);
    case FORM_BOOL: return decode_bool(&r->d, at);
    case FORM_TEXT: return text_read(r, at);
    case FORM_BIN: return decode_slice(&r->d, at);
    case FORM_KIND: return kind_read(r, at);
    case FORM_STATUSES: return statuses_read(r, at);
    case FORM_ORDER: return order_read(r, at);
    case FORM_AT: return due_read(r, base, false);
    case FORM_DELAY: return due_read(r, base, true);
    case FORM_MAP: return map_read(r, f->sub, at, depth);
    case FORM_GROUP: return group_read(r, f->sub, at, depth);
    case FORM_VIEW:
        if (r->m->view.code) return text_read(r, &((struct message *)(void *)base)->view.text);
        return group_read(r, f->sub, at, depth);
    case FORM_TEXTS: case FORM_HELD: case FORM_VERDICTS: case FORM_ATTEMPTS: case FORM_LOGS:
        return list_read(r, f, base);
    }
    return false;
}

static void mark_set(const struct layout *l, const struct field *f, uint8_t *base) {
    if (l->set_bytes == 1) base[l->set_at] |= (uint8_t)f->set;
    else if (l->set_bytes) *(uint32_t *)(void *)(base + l->set_at) |= f->set;
}

static bool map_read(struct reader *r, const struct layout *l, uint8_t *base, uint32_t depth) {
    uint32_t count;
    if (!decode_map(&r->d, &count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        struct slice key;
        const struct field *f = l->fields, *end = l->fields + l->count;
        if (!decode_slice(&r->d, &key)) return false;
        while (f < end && (f->len != key.len || memcmp(f->name, key.data, key.len) != 0)) f++;
        if (f == end) {
            if (!decode_skip(&r->d, depth + 1)) return false;
        } else if (!decode_nil(&r->d)) {
            if (!field_read(r, f, base, depth + 1)) return false;
            mark_set(l, f, base);
        }
    }
    return true;
}

/* Elements of an array: missing ones keep their default, more than known ones are passed over. */
static bool fields_read(struct reader *r, const struct layout *l, uint8_t *base, uint32_t count,
                        uint32_t depth) {
    if (count < l->required) return false;
    uint32_t known = count < l->count ? count : l->count;
    for (uint32_t i = 0; i < known; i++) {
        if (i >= l->required && decode_nil(&r->d)) continue;
        if (!field_read(r, &l->fields[i], base, depth)) return false;
    }
    for (uint32_t i = known; i < count; i++) {
        if (!decode_skip(&r->d, depth)) return false;
    }
    return true;
}

bool array_read(struct decode *d, const struct layout *l, struct message *m, void **packed) {
    struct reader r = {.d = *d, .m = m, .packed = packed};
    bool ok = group_read(&r, l, (uint8_t *)m, ITEM_DEPTH - 1);
    *d = r.d;
    return ok;
}

bool item_read(struct decode *d, const struct layout *l, struct message *m, void **packed) {
    memset(&m->hello, 0, l->size); /* the union's members all begin there */
    item_default(m);
    return array_read(d, l, m, packed);
}
