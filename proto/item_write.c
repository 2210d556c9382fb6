#include "proto/encode.h"
#include "proto/item.h"

enum { NUMBER_SPACE = 9, KEY_SPACE = 20 }; /* bytes that a number, a key, take at most */

static bool field_given(const struct layout *l, const struct field *f, const void *base);

static bool group_given(const struct layout *l, const void *base) {
    for (uint32_t i = 0; i < l->count; i++) {
        if (field_given(l, &l->fields[i], base)) return true;
    }
    return false;
}

static bool set_bit(const struct layout *l, const struct field *f, const uint8_t *base) {
    if (l->set_bytes == 1) return base[l->set_at] & f->set;
    uint32_t word;
    memcpy(&word, base + l->set_at, sizeof word);
    return word & f->set;
}

/* True when the field is to be written: set, or not zero. */
static bool field_given(const struct layout *l, const struct field *f, const void *base) {
    const uint8_t *at = (const uint8_t *)base + f->at;
    if (f->set && !set_bit(l, f, base)) return false;
    if (f->set && f->bits) return true;
    if (f->bits) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)base + f->word, sizeof word);
        return word >> f->bit << (64 - f->bits) != 0;
    }
    switch ((int)f->form) {
    case FORM_AT: return !((const struct options *)base)->delay;
    case FORM_DELAY: return ((const struct options *)base)->delay;
    case FORM_GROUP: case FORM_MAP: return group_given(f->sub, at);
    case FORM_SMALL: return *(const int8_t *)at >= 0;
    default: return true; /* FORM_VIEW */
    }
}

/* The same, the usual case at once: most fields are looked at and not given. */
static inline bool is_given(const struct layout *l, const struct field *f, const uint8_t *base) {
    if (f->set || !f->bits) return field_given(l, f, base);
    uint64_t word;
    memcpy(&word, base + f->word, sizeof word);
    return word >> f->bit << (64 - f->bits) != 0;
}

static void held_write(struct buffer *b, struct held held) {
    encode_array(b, 4);
    encode_uint(b, held.task);
    encode_uint(b, held.epoch);
    encode_uint(b, held.checkpoint);
    encode_bool(b, held.started);
}

static void verdict_write(struct buffer *b, struct verdict_row row) {
    encode_array(b, 3);
    encode_uint(b, row.task);
    encode_uint(b, row.epoch);
    encode_uint(b, row.verdict);
}

static void texts_write(struct buffer *b, struct slice list, uint32_t count) {
    struct slice text;
    uint32_t at = 0;
    encode_array(b, count);
    while (count-- && text_next(list, &at, &text)) encode_text(b, text);
}

static void attempts_write(struct buffer *b, struct slice list, uint32_t count) {
    struct attempt_record row;
    uint32_t at = 0;
    encode_array(b, count);
    while (count-- && attempt_next(list, &at, &row)) {
        encode_array(b, 8);
        encode_uint(b, row.run);
        encode_uint(b, row.attempt);
        encode_uint(b, row.epoch);
        encode_uint(b, row.reason);
        encode_int(b, row.started_ms);
        encode_int(b, row.ended_ms);
        encode_text(b, row.worker);
        encode_text(b, row.message);
    }
}

static void logs_write(struct buffer *b, struct slice list, uint32_t count) {
    struct log_record row;
    uint32_t at = 0;
    encode_array(b, count);
    while (count-- && log_next(list, &at, &row)) {
        encode_array(b, 4);
        encode_uint(b, row.line);
        encode_uint(b, row.level);
        encode_int(b, row.time_ms);
        encode_text(b, row.text);
    }
}

static void held_rows_write(struct buffer *b, const struct hello *hello) {
    encode_array(b, hello->held_count);
    for (uint32_t i = 0; i < hello->held_count; i++) held_write(b, held_at(hello, i));
}

static void verdict_rows_write(struct buffer *b, const struct welcome *welcome) {
    encode_array(b, welcome->verdict_count);
    for (uint32_t i = 0; i < welcome->verdict_count; i++)
        verdict_write(b, verdict_at(welcome->verdicts, i));
}

static void statuses_write(struct buffer *b, uint32_t mask) {
    encode_array(b, (uint32_t)__builtin_popcount(mask));
    for (uint32_t i = 0; i < 32; i++) {
        if (mask >> i & 1) encode_uint(b, i);
    }
}

static const char *kind_name(uint8_t kind) {
    return kind == LINK_GATEWAY ? "gateway" : kind == LINK_WORKER ? "worker" : "client";
}

static void fields_write(struct buffer *b, const struct layout *l, const uint8_t *base);

static void map_write(struct buffer *b, const struct layout *l, const uint8_t *base);

static void field_write(struct buffer *b, const struct layout *l, const struct field *f,
                        const uint8_t *base) {
    const struct message *m = (const struct message *)(const void *)base; /* but in options */
    const void *at = base + f->at, *count_at = base + f->count_at;
    switch ((enum form)f->form) {
    case FORM_U8: encode_uint(b, *(const uint8_t *)at); break;
    case FORM_U16: encode_uint(b, *(const uint16_t *)at); break;
    case FORM_U32: encode_uint(b, *(const uint32_t *)at); break;
    case FORM_U64: encode_uint(b, *(const uint64_t *)at); break;
    case FORM_AT: case FORM_DELAY: case FORM_I64: encode_int(b, *(const int64_t *)at); break;
    case FORM_BOOL: encode_bool(b, *(const bool *)at); break;
    case FORM_TEXT: encode_text(b, *(const struct slice *)at); break;
    case FORM_BIN: encode_bin(b, *(const struct slice *)at); break;
    case FORM_KIND: encode_text(b, slice_text(kind_name(*(const uint8_t *)at))); break;
    case FORM_STATUSES: statuses_write(b, *(const uint32_t *)at); break;
    case FORM_ORDER: encode_text(b, slice_text(*(const bool *)at ? "desc" : "asc")); break;
    case FORM_MAP: map_write(b, f->sub, at); break;
    case FORM_SMALL:
        if (*(const int8_t *)at < 0) encode_nil(b);
        else encode_uint(b, *(const uint8_t *)at);
        break;
    case FORM_GROUP:
        if (field_given(l, f, base)) fields_write(b, f->sub, at);
        else encode_nil(b);
        break;
    case FORM_VIEW:
        if (m->view.code) encode_text(b, m->view.text);
        else fields_write(b, f->sub, at);
        break;
    case FORM_TEXTS:
        texts_write(b, *(const struct slice *)at, *(const uint16_t *)count_at);
        break;
    case FORM_ATTEMPTS:
        attempts_write(b, *(const struct slice *)at, *(const uint32_t *)count_at);
        break;
    case FORM_LOGS: logs_write(b, *(const struct slice *)at, *(const uint32_t *)count_at); break;
    case FORM_HELD: held_rows_write(b, &m->hello); break;
    case FORM_VERDICTS: verdict_rows_write(b, &m->welcome); break;
    }
}

static void map_write(struct buffer *b, const struct layout *l, const uint8_t *base) {
    uint32_t given = 0, list[2] = {0}; /* which fields, as bits: at most 64 */
    for (uint32_t i = 0; i < l->count; i++) {
        if (!is_given(l, &l->fields[i], base)) continue;
        list[i / 32] |= 1U << (i % 32);
        given++;
    }
    encode_map(b, given);
    for (uint32_t i = 0; given && i < l->count; i++) {
        const struct field *f = &l->fields[i];
        if (!(list[i / 32] >> (i % 32) & 1)) continue;
        encode_text(b, slice_of(f->name, f->len));
        field_write(b, l, f, base);
        given--;
    }
}

/* Elements of an array; those at its end that are not given are left out. */
static void fields_write(struct buffer *b, const struct layout *l, const uint8_t *base) {
    uint32_t count = l->count;
    while (count > l->written && !is_given(l, &l->fields[count - 1], base)) count--;
    encode_array(b, count);
    for (uint32_t i = 0; i < count; i++) field_write(b, l, &l->fields[i], base);
}

void array_write(struct buffer *b, const struct layout *l, const struct message *m) {
    if (!buffer_reserve(b, l->count * (size_t)(NUMBER_SPACE + KEY_SPACE))) return;
    fields_write(b, l, (const uint8_t *)m);
}
