#include "store/text.h"
#include "proto/base/fold.h"
#include "store/coding.h"
#include <assert.h>

static const char id_start[] = "task_";
enum { ID_START = sizeof id_start - 1 };

/* ---- the description among a dialect's own fields, a JSON object ---- */

static bool blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Moves behind the string that begins at *at; true when it holds no escape. */
static bool string_skip(struct slice json, uint32_t *at) {
    bool plain = true;
    for (++*at; *at < json.len && json.data[*at] != '"'; ++*at)
        if (json.data[*at] == '\\') {
            plain = false;
            ++*at;
        }
    ++*at;
    return plain;
}

/* The member `description` of the outermost object as it is written; empty when there is none.
 * False when a name has an escape, which is left to a parser, or the text does not end. */
static bool description_find(struct slice json, struct slice *ret) {
    static const char name[] = "description";
    int depth = 0;
    for (uint32_t at = 0; at < json.len;) {
        const uint8_t c = json.data[at];
        if (c != '"') {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            at++;
            continue;
        }
        const uint32_t from = at + 1;
        const bool plain = string_skip(json, &at);
        if (depth != 1 || at > json.len) continue;
        const uint32_t len = at - 1 - from;
        while (at < json.len && blank(json.data[at])) at++;
        if (at == json.len || json.data[at] != ':') continue; /* a value */
        if (!plain) return false;
        if (len != sizeof name - 1 || memcmp(json.data + from, name, len) != 0) continue;
        for (at++; at < json.len && blank(json.data[at]);) at++;
        if (at == json.len || json.data[at] != '"') continue; /* no text */
        const uint32_t text = at + 1;
        string_skip(json, &at);
        if (at > json.len) return false;
        *ret = slice_of(json.data + text, at - 1 - text); /* of several the last, as parsers do */
    }
    return true;
}

/* Appends what a string says; false when it has an escape by number. */
static bool string_read(struct slice s, struct buffer *out) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    for (uint32_t at = 0; at < s.len;) {
        const uint8_t *escape = memchr(s.data + at, '\\', s.len - at);
        const uint32_t plain = escape ? (uint32_t)(escape - s.data) - at : s.len - at;
        buffer_append(out, s.data + at, plain);
        at += plain;
        if (!escape) break;
        const char *letter = at + 1 < s.len ? strchr(letters, s.data[at + 1]) : NULL;
        if (!letter || *letter == 0) return false;
        buffer_byte(out, (uint8_t)meanings[letter - letters]);
        at += 2;
    }
    return true;
}

bool text_of_task(struct slice type, const struct task_body *body, struct buffer *out) {
    struct slice description = {0};
    if (!description_find(body->extra, &description)) return false;
    const size_t from = out->len;
    buffer_append(out, type.data, type.len);
    buffer_byte(out, 0); /* no term goes over it */
    const bool read = string_read(description, out);
    if (!read) out->len = from;
    if (!out->failed) fold(out->data + from, out->len - from);
    return read;
}

/* ---- groups of three ---- */

static int digit36(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : -1;
}

static uint32_t id_group(const uint8_t *three) {
    return (uint32_t)(digit36(three[0]) * 36 * 36 + digit36(three[1]) * 36 + digit36(three[2]));
}

static uint32_t text_group(const uint8_t *three) {
    const uint32_t bytes = (uint32_t)three[0] | (uint32_t)three[1] << 8 | (uint32_t)three[2] << 16;
    return ID_GROUPS + (bytes * 2654435761u >> 17) % TEXT_GROUPS;
}

static void bit_set(struct sign *s, uint32_t bit) {
    s->bits[bit >> 3] |= (uint8_t)(1 << (bit & 7));
}

void sign_add_text(struct sign *s, const struct text_entry *e) {
    if (e->any) memset(s, 0xff, sizeof *s);
    for (uint32_t i = 0; i + 3 <= e->text.len; i++) bit_set(s, text_group(e->text.data + i));
}

void sign_add(struct sign *s, const struct text_entry *e, const struct id_key *ids) {
    char id[TASK_TEXT_SIZE];
    sign_add_text(s, e);
    task_text_write(ids, e->id, id);
    for (const char *at = id + ID_START; at[2]; at++) bit_set(s, id_group((const uint8_t *)at));
}

/* ---- signs ---- */

enum { PART_SPARSE = 0, PART_ALL = 1 };

void sign_put(struct buffer *b, const struct sign *s) {
    uint8_t counts[SIGN_BUCKETS] = {0}, lows[SIGN_SPARSE_MAX];
    uint32_t count = 0;
    bool sparse = true;
    for (uint32_t byte = 0; byte < SIGN_BYTES && sparse; byte++)
        for (uint32_t left = s->bits[byte]; left && sparse; left &= left - 1) {
            sparse = count < SIGN_SPARSE_MAX && counts[byte / 32] < UINT8_MAX;
            if (!sparse) break;
            counts[byte / 32]++;
            lows[count++] = (uint8_t)(byte % 32 * 8 + (uint32_t)__builtin_ctz(left));
        }
    buffer_byte(b, sparse ? PART_SPARSE : PART_ALL);
    if (sparse) buffer_append(b, counts, sizeof counts);
    buffer_append(b, sparse ? lows : s->bits, sparse ? count : SIGN_BYTES);
}

/* Eight counts at a time, in four lanes of 16 bits, which hold the sum of all buckets. */
static uint32_t sum_of(const uint8_t *counts, uint32_t buckets) {
    static const uint64_t low = 0x00ff00ff00ff00ff;
    static_assert(SIGN_BUCKETS / 8 * 2 * 255 < UINT16_MAX, "a lane holds its sums");
    uint64_t lanes = 0;
    uint32_t sum = 0, i = 0;
    for (; i + 8 <= buckets; i += 8) {
        uint64_t eight;
        memcpy(&eight, counts + i, 8);
        lanes += (eight & low) + (eight >> 8 & low);
    }
    for (; i < buckets; i++) sum += counts[i];
    for (; lanes; lanes >>= 16) sum += (uint16_t)lanes;
    return sum;
}

/* The next part of a value that is sound; false at the end. */
static bool part_next(struct slice *value, struct slice *part) {
    if (value->len == 0) return false;
    const uint32_t len = value->data[0] == PART_ALL
                             ? 1 + SIGN_BYTES
                             : 1 + SIGN_BUCKETS + sum_of(value->data + 1, SIGN_BUCKETS);
    *part = slice_of(value->data, len);
    *value = slice_of(value->data + len, value->len - len);
    return true;
}

bool sign_sound(struct slice value) {
    while (value.len > 0) {
        uint32_t len = 1 + SIGN_BYTES;
        if (value.data[0] > PART_ALL) return false;
        if (value.data[0] == PART_SPARSE) {
            if (value.len < 1 + SIGN_BUCKETS) return false;
            len = 1 + SIGN_BUCKETS + sum_of(value.data + 1, SIGN_BUCKETS);
        }
        if (value.len < len) return false;
        value = slice_of(value.data + len, value.len - len);
    }
    return true;
}

void sign_read(struct sign *s, struct slice value) {
    for (struct slice part; part_next(&value, &part);) {
        const uint8_t *low = part.data + 1 + SIGN_BUCKETS;
        if (part.data[0] == PART_ALL)
            for (uint32_t i = 0; i < SIGN_BYTES; i++) s->bits[i] |= part.data[1 + i];
        else
            for (uint32_t bucket = 0; bucket < SIGN_BUCKETS; bucket++)
                for (uint32_t n = part.data[1 + bucket]; n > 0; n--) {
                    const uint32_t bit = bucket * 256 + *low++;
                    if (bit < SIGN_BITS) bit_set(s, bit);
                }
    }
}

static bool part_has(struct slice part, uint32_t bit) {
    const uint8_t *counts = part.data + 1;
    if (part.data[0] == PART_ALL) return counts[bit >> 3] >> (bit & 7) & 1;
    const uint32_t bucket = bit / 256;
    if (counts[bucket] == 0) return false;
    const uint8_t *lows = counts + SIGN_BUCKETS + sum_of(counts, bucket);
    return memchr(lows, (int)(bit % 256), counts[bucket]) != NULL;
}

static bool sign_has(struct slice value, uint32_t bit) {
    for (struct slice part; part_next(&value, &part);)
        if (part_has(part, bit)) return true;
    return false;
}

/* ---- terms ---- */

static void term_read(struct term *t) {
    const struct slice s = t->text;
    for (uint32_t i = 0; i + 3 <= s.len && t->group_count < GROUPS_MAX; i++)
        t->groups[t->group_count++] = text_group(s.data + i);
    /* Of an id: the end of its start, perhaps, and characters of its own. */
    uint32_t own = s.len;
    while (own > 0 && digit36(s.data[own - 1]) >= 0) own--;
    for (uint32_t at = 0; at < ID_START; at++) {
        const uint32_t left = ID_START - at, some = left < s.len ? left : s.len;
        if (s.len == 0 || memcmp(id_start + at, s.data, some) != 0) continue;
        if (some == s.len) t->in_every_id = true;
        else if (own <= some) t->in_ids = true;
    }
    t->in_ids |= own == 0;
    t->in_ids &= s.len - own < TASK_TEXT_SIZE;
    for (uint32_t i = own; t->in_ids && i + 3 <= s.len && t->id_group_count < GROUPS_MAX; i++)
        t->id_groups[t->id_group_count++] = id_group(s.data + i);
}

bool terms_read(struct terms *t, struct slice search) {
    *t = (struct terms){0};
    buffer_append(&t->text, search.data, search.len);
    if (t->text.failed) return false;
    fold(t->text.data, t->text.len);
    for (uint32_t at = 0; at < search.len && t->count < TERMS_MAX;) {
        while (at < search.len && blank(t->text.data[at])) at++;
        const uint32_t from = at;
        while (at < search.len && !blank(t->text.data[at])) at++;
        if (at == from) break;
        struct term *term = &t->list[t->count++];
        term->text = slice_of(t->text.data + from, at - from);
        term_read(term);
    }
    return true;
}

void terms_free(struct terms *t) { buffer_free(&t->text); }

static bool bits_are_set(struct slice sign, const uint32_t *bits, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!sign_has(sign, bits[i])) return false;
    return true;
}

static bool may_be_in_ids(struct slice sign, const struct term *t) {
    return t->in_ids && bits_are_set(sign, t->id_groups, t->id_group_count);
}

bool sign_may_hold(struct slice sign, const struct terms *t) {
    for (uint32_t i = 0; i < t->count; i++) {
        const struct term *term = &t->list[i];
        if (!term->in_every_id && !bits_are_set(sign, term->groups, term->group_count) &&
            !may_be_in_ids(sign, term))
            return false;
    }
    return true;
}

uint32_t sign_terms_in_ids(struct slice sign, const struct terms *t) {
    uint32_t in_ids = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (may_be_in_ids(sign, &t->list[i])) in_ids |= UINT32_C(1) << i;
    return in_ids;
}

bool terms_hold(const struct terms *t, const struct text_entry *e, const struct id_key *ids) {
    char id[TASK_TEXT_SIZE] = "";
    for (uint32_t i = 0; i < t->count && !e->any; i++) {
        const struct slice term = t->list[i].text;
        if (t->list[i].in_every_id) continue;
        if (memmem(e->text.data, e->text.len, term.data, term.len) != NULL) continue;
        if (!t->list[i].in_ids) return false;
        if (id[0] == 0) task_text_write(ids, e->id, id);
        if (memmem(id, TASK_TEXT_SIZE - 1, term.data, term.len) == NULL) return false;
    }
    return true;
}

/* ---- in the table ---- */

bool sign_merge(const struct slice *parts, size_t count, struct buffer *out) {
    uint32_t have = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice left = parts[i], part;
        if (!sign_sound(left)) return false;
        while (part_next(&left, &part)) have++;
    }
    struct sign sum = {{0}};
    for (size_t i = 0; i < count; i++) {
        if (have > SIGN_PARTS_MAX) sign_read(&sum, parts[i]);
        else buffer_append(out, parts[i].data, parts[i].len);
    }
    if (have > SIGN_PARTS_MAX) sign_put(out, &sum);
    return !out->failed;
}
