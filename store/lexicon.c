#include "store/lexicon.h"
#include "proto/base/find.h"
#include "proto/base/map.h"
#include "store/coding.h"
#include <stdlib.h>

enum { HEAD_BYTES = 10, ANY = 0x8000, SMALL = 256 };

/* ---- a part under way ---- */

void lexicon_clear(struct lexicon *l) {
    buffer_clear(&l->words);
    buffer_clear(&l->entries);
    buffer_clear(&l->pairs);
    if (l->slots) memset(l->slots, 0, l->slot_count * sizeof *l->slots);
    l->word_count = l->entry_count = 0;
}

void lexicon_free(struct lexicon *l) {
    buffer_free(&l->words);
    buffer_free(&l->entries);
    buffer_free(&l->pairs);
    free(l->slots);
    free(l->list);
    *l = (struct lexicon){0};
}

static uint32_t *slot_of(const struct lexicon *l, struct slice word) {
    uint32_t at = (uint32_t)hash_bytes(0, word.data, word.len) & (l->slot_count - 1);
    for (; l->slots[at]; at = (at + 1) & (l->slot_count - 1)) {
        const struct lexicon_word *w = &l->list[l->slots[at] - 1];
        if (slice_equal(slice_of(l->words.data + w->at, w->len), word)) break;
    }
    return &l->slots[at];
}

static bool grow(struct lexicon *l) {
    const uint32_t cap = l->word_cap ? l->word_cap * 2 : 256;
    struct lexicon_word *list = realloc(l->list, cap * sizeof *list);
    uint32_t *slots = list ? calloc(cap * 2, sizeof *slots) : NULL;
    if (list) l->list = list;
    if (!slots) return false;
    free(l->slots);
    l->slots = slots;
    l->slot_count = cap * 2;
    l->word_cap = cap;
    for (uint32_t i = 0; i < l->word_count; i++) {
        const struct lexicon_word *w = &l->list[i];
        *slot_of(l, slice_of(l->words.data + w->at, w->len)) = i + 1;
    }
    return true;
}

static void number_put(struct buffer *b, uint32_t v, int bytes) {
    for (int i = 0; i < bytes; i++) buffer_byte(b, (uint8_t)(v >> 8 * i));
}

/* The entry has the word, too. */
static void word_add(struct lexicon *l, struct slice word, uint32_t entry) {
    if (l->word_count == l->word_cap && !grow(l)) {
        l->failed = true;
        return;
    }
    uint32_t *slot = slot_of(l, word);
    if (*slot == 0) {
        l->list[l->word_count++] = (struct lexicon_word){(uint32_t)l->words.len, word.len, 0, 0};
        *slot = l->word_count;
        buffer_append(&l->words, word.data, word.len);
        buffer_byte(&l->words, 0);
    }
    struct lexicon_word *w = &l->list[*slot - 1];
    if (w->last == entry + 1) return;
    w->last = entry + 1;
    w->number++;
    number_put(&l->pairs, *slot - 1, 4);
    number_put(&l->pairs, entry, 2);
}

static bool gap(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0; }

static uint32_t entry_add(struct lexicon *l, uint32_t low_and_any) {
    number_put(&l->entries, low_and_any, 2);
    return l->entry_count++;
}

void lexicon_add(struct lexicon *l, const struct text_entry *e) {
    if (l->entry_count == LEXICON_ENTRIES_MAX) {
        l->failed = true;
        return;
    }
    const uint32_t entry = entry_add(l, (uint32_t)(e->id & (BLOCK_IDS - 1)) | (e->any ? ANY : 0));
    for (uint32_t at = 0; at < e->text.len && !l->failed;) {
        while (at < e->text.len && gap(e->text.data[at])) at++;
        const uint32_t from = at;
        while (at < e->text.len && !gap(e->text.data[at])) at++;
        if (at > from) word_add(l, slice_of(e->text.data + from, at - from), entry);
    }
}

/* The pairs in the order of words: places[i] is where the i-th of the part comes from. */
static uint32_t *pairs_sort(const struct lexicon *l) {
    const uint32_t pairs = (uint32_t)(l->pairs.len / 6);
    uint32_t *sorted = calloc(pairs + l->word_count + 1, sizeof *sorted);
    if (!sorted) return NULL;
    uint32_t *next = sorted + pairs; /* where the next of a word goes */
    for (uint32_t i = 0; i < l->word_count; i++) next[i + 1] = next[i] + l->list[i].number;
    for (uint32_t i = 0; i < pairs; i++) {
        struct reader r = {l->pairs.data + 6 * i, l->pairs.data + l->pairs.len, false};
        const uint32_t word = get_u32(&r);
        sorted[next[word]++] = (uint32_t)get_u8(&r) | (uint32_t)get_u8(&r) << 8;
    }
    return sorted;
}

void lexicon_put(struct lexicon *l, struct buffer *out) {
    uint32_t *sorted = l->failed ? NULL : pairs_sort(l);
    const size_t from = out->len;
    l->failed |= !sorted || l->words.failed || l->entries.failed || l->pairs.failed;
    if (l->failed) {
        free(sorted);
        return;
    }
    number_put(out, 0, 4);
    number_put(out, l->entry_count, 2);
    number_put(out, (uint32_t)l->words.len, 4);
    buffer_append(out, l->entries.data, l->entries.len);
    buffer_append(out, l->words.data, l->words.len);
    const uint32_t *pair = sorted;
    for (uint32_t i = 0; i < l->word_count; i++) {
        uint8_t count[10];
        buffer_append(out, count, (size_t)(put_varint(count, l->list[i].number) - count));
        for (uint32_t n = l->list[i].number; n > 0; n--)
            number_put(out, *pair++, l->entry_count > SMALL ? 2 : 1);
    }
    free(sorted);
    l->failed |= out->failed;
    const uint32_t len = (uint32_t)(out->len - from - 4);
    for (size_t i = 0; i < 4 && !out->failed; i++) out->data[from + i] = (uint8_t)(len >> 8 * i);
}

/* ---- a part that is read ---- */

struct part {
    uint32_t entry_count;
    const uint8_t *entries;
    struct slice words;
    struct reader places;
    bool wide;
};

/* Takes a part from the front. False at the end, and with *bad when it is damaged. */
static bool part_next(struct slice *value, struct part *p, bool *bad) {
    struct reader r = {value->data, value->data + value->len, false};
    if (value->len == 0) return false;
    const uint32_t len = get_u32(&r);
    *bad = r.bad || len < HEAD_BYTES - 4 || len > (size_t)(r.end - r.p);
    if (*bad) return false;
    r.end = r.p + len;
    p->entry_count = (uint32_t)get_u8(&r) | (uint32_t)get_u8(&r) << 8;
    const uint32_t words = get_u32(&r);
    *bad = (uint64_t)p->entry_count * 2 + words > (size_t)(r.end - r.p);
    if (*bad) return false;
    p->entries = r.p;
    p->words = slice_of(r.p + p->entry_count * 2, words);
    p->places = (struct reader){r.p + p->entry_count * 2 + words, r.end, false};
    p->wide = p->entry_count > SMALL;
    *bad = words > 0 && p->words.data[words - 1] != 0;
    *value = slice_of(value->data + 4 + len, value->len - 4 - len);
    return !*bad;
}

static uint32_t entry_of(const struct part *p, uint32_t at) {
    return (uint32_t)p->entries[2 * at] | (uint32_t)p->entries[2 * at + 1] << 8;
}

/* The next word from *at on, and the places that have it. False at the end. */
static bool word_next(struct part *p, uint32_t *at, struct slice *word, struct slice *places) {
    if (*at == p->words.len) return false;
    const uint8_t *from = p->words.data + *at, *zero = memchr(from, 0, p->words.len - *at);
    const uint64_t count = get_varint(&p->places), bytes = p->wide ? 2 * count : count;
    if (p->places.bad || count > p->entry_count || !has(&p->places, bytes)) return false;
    *word = slice_of(from, (uint32_t)(zero - from));
    *places = slice_of(p->places.p, (uint32_t)bytes);
    p->places.p += bytes;
    *at += word->len + 1;
    return true;
}

/* Goes on to the word that has this place of the words, without looking at those before it. */
static bool words_skip(struct part *p, uint32_t *at, uint32_t place) {
    const uint8_t *from = p->words.data + *at, *end = p->words.data + place;
    while (end > from && end[-1] != 0) end--;
    *at = (uint32_t)(end - p->words.data);
    for (size_t words = count_zeros(from, end); words > 0; words--) {
        const uint64_t count = get_varint(&p->places), bytes = p->wide ? 2 * count : count;
        if (p->places.bad || count > p->entry_count || !has(&p->places, bytes)) return false;
        p->places.p += bytes;
    }
    return true;
}

static uint32_t place_at(const struct part *p, struct slice places, uint32_t i) {
    return p->wide ? (uint32_t)places.data[2 * i] | (uint32_t)places.data[2 * i + 1] << 8
                   : places.data[i];
}

/* ---- searches ---- */

/* Where the terms stand next in the words; at the end of these when they do not. */
struct hits { const uint8_t *at[TERMS_MAX], *end; uint32_t found; /* terms, a bit each */ };

static const uint8_t *hit_from(const struct hits *h, const struct terms *t, uint32_t term,
                               const uint8_t *from) {
    const struct slice text = t->list[term].text;
    const uint8_t *hit = from < h->end ? find(from, h->end, text.data, text.len) : NULL;
    return hit ? hit : h->end;
}

static void hits_find(struct hits *h, const struct terms *t, struct slice words) {
    *h = (struct hits){.end = words.data + words.len};
    for (uint32_t i = 0; i < t->count; i++) {
        h->at[i] = hit_from(h, t, i, words.data);
        if (h->at[i] < h->end) h->found |= UINT32_C(1) << i;
    }
}

static const uint8_t *hits_next(const struct hits *h, const struct terms *t) {
    const uint8_t *next = h->end;
    for (uint32_t i = 0; i < t->count; i++)
        if (h->at[i] < next) next = h->at[i];
    return next;
}

/* The terms that are in this word, which has the next hit; those go on behind it. */
static uint32_t hits_take(struct hits *h, const struct terms *t, struct slice word) {
    const uint8_t *end = word.data + word.len;
    uint32_t in = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        if (h->at[i] >= end) continue;
        in |= UINT32_C(1) << i;
        h->at[i] = hit_from(h, t, i, end);
    }
    return in;
}

/* Whether the terms that the text lacks are in the task's spelling. */
static bool id_has(uint64_t id, const struct terms *t, const struct id_key *ids, uint32_t lacked) {
    char text[TASK_TEXT_SIZE];
    task_text_write(ids, id, text);
    for (; lacked; lacked &= lacked - 1) {
        const struct slice term = t->list[__builtin_ctz(lacked)].text;
        if (!memmem(text, TASK_TEXT_SIZE - 1, term.data, term.len)) return false;
    }
    return true;
}

static bool part_search(struct part *p, uint64_t block, const struct terms *t,
                        const struct id_key *ids, uint32_t in_ids, uint8_t flags[BLOCK_IDS]) {
    uint16_t masks[LEXICON_ENTRIES_MAX];
    uint32_t in_every = 0, at = 0;
    const uint32_t all = (UINT32_C(1) << t->count) - 1;
    struct slice word, places;
    struct hits h;
    hits_find(&h, t, p->words);
    for (uint32_t i = 0; i < t->count; i++)
        if (t->list[i].in_every_id) in_every |= UINT32_C(1) << i;
    const bool may = ((h.found | in_every | in_ids) & all) == all;
    for (uint32_t i = 0; i < p->entry_count; i++) masks[i] = (uint16_t)in_every;
    for (const uint8_t *next; may && (next = hits_next(&h, t)) < h.end;) {
        if (!words_skip(p, &at, (uint32_t)(next - p->words.data)) ||
            !word_next(p, &at, &word, &places))
            return false;
        const uint32_t in = hits_take(&h, t, word);
        for (uint32_t i = 0; i < places.len >> p->wide; i++) {
            const uint32_t place = place_at(p, places, i);
            if (place >= p->entry_count) return false;
            masks[place] |= (uint16_t)in;
        }
    }
    for (uint32_t i = 0; i < p->entry_count; i++) {
        const uint32_t entry = entry_of(p, i), low = entry & (BLOCK_IDS - 1);
        const uint32_t lacked = all & ~masks[i];
        const bool any = entry & ANY;
        /* Of a task with two texts one is no more. */
        if (any || flags[low] & TEXT_SEEN) flags[low] |= TEXT_UNSURE;
        flags[low] |= TEXT_SEEN;
        if (any || lacked == 0 ||
            ((lacked & ~in_ids) == 0 && id_has(block << BLOCK_BITS | low, t, ids, lacked)))
            flags[low] |= TEXT_HOLDS;
    }
    return !p->places.bad;
}

bool lexicon_search(struct slice value, uint64_t block, const struct terms *t,
                    const struct id_key *ids, uint32_t in_ids, uint8_t flags[BLOCK_IDS]) {
    struct part p;
    bool bad = false;
    while (part_next(&value, &p, &bad))
        if (!part_search(&p, block, t, ids, in_ids, flags)) return false;
    return !bad;
}

/* ---- in the table ---- */

/* Adds a part's entries behind those that are there. */
static bool part_add(struct lexicon *l, struct part *p) {
    const uint32_t before = l->entry_count;
    struct slice word, places;
    uint32_t at = 0;
    if (before + p->entry_count > LEXICON_ENTRIES_MAX) return false;
    for (uint32_t i = 0; i < p->entry_count; i++) entry_add(l, entry_of(p, i));
    while (word_next(p, &at, &word, &places))
        for (uint32_t i = 0; i < places.len >> p->wide; i++) {
            const uint32_t place = place_at(p, places, i);
            if (place >= p->entry_count) return false;
            word_add(l, word, before + place);
        }
    return at == p->words.len && !l->failed;
}

bool lexicon_merge(const struct slice *values, size_t count, struct buffer *out) {
    struct lexicon l = {0};
    struct part p;
    uint32_t parts = 0, entries = 0;
    bool bad = false;
    for (size_t i = 0; i < count && !bad; i++)
        for (struct slice left = values[i]; part_next(&left, &p, &bad); parts++)
            entries += p.entry_count;
    if (bad) return false;
    const bool one = parts > PARTS_MAX && entries <= LEXICON_ENTRIES_MAX;
    for (size_t i = 0; i < count && !one; i++)
        buffer_append(out, values[i].data, values[i].len);
    for (size_t i = 0; i < count && one && !bad; i++)
        for (struct slice left = values[i]; !bad && part_next(&left, &p, &bad);)
            bad = !part_add(&l, &p);
    if (one && !bad) lexicon_put(&l, out);
    bad |= l.failed || out->failed;
    lexicon_free(&l);
    return !bad;
}

/* ---- for those who audit ---- */

bool lexicon_text(struct slice value, uint64_t block, uint64_t id, struct buffer *out, bool *any) {
    struct part p, newest = {0};
    uint32_t place = 0, at = 0;
    bool bad = false;
    struct slice word, places;
    while (part_next(&value, &p, &bad))
        for (uint32_t i = 0; i < p.entry_count; i++)
            if ((block << BLOCK_BITS | (entry_of(&p, i) & (BLOCK_IDS - 1))) == id) {
                newest = p;
                place = i;
            }
    if (bad || newest.entry_count == 0) return false;
    *any = entry_of(&newest, place) & ANY;
    while (word_next(&newest, &at, &word, &places))
        for (uint32_t i = 0; i < places.len >> newest.wide; i++)
            if (place_at(&newest, places, i) == place) {
                buffer_append(out, word.data, word.len);
                buffer_byte(out, ' ');
            }
    return at == newest.words.len && !*any && !out->failed;
}
