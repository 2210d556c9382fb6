#include "proto/tally.h"
#include "proto/decode.h"
#include "proto/encode.h"
#include <string.h>

void tally_add(struct tally_sums *sums, enum measure measure, double number) {
    span_add(&sums->spans[measure], number);
    if ((uint32_t)measure < BINNED) sums->bins[measure][bin_of(number)]++;
}

void tally_subtract(struct tally_sums *sums, enum measure measure, double number) {
    const struct span less = {-1, -number, -number * number, number, number};
    span_merge(&sums->spans[measure], &less);
    if ((uint32_t)measure < BINNED) sums->bins[measure][bin_of(number)]--;
}

void tally_merge(struct tally_sums *sums, const struct tally_sums *other) {
    sums->created += other->created;
    sums->completed += other->completed;
    sums->failed += other->failed;
    sums->cancelled += other->cancelled;
    for (uint32_t i = 0; i < MEASURE_COUNT; i++) span_merge(&sums->spans[i], &other->spans[i]);
    for (uint32_t i = 0; i < BINNED; i++)
        for (uint32_t k = 0; k < BIN_COUNT; k++) sums->bins[i][k] += other->bins[i][k];
}

/* ---- bytes: LEB128 zigzag numbers, doubles of 8 bytes, only what is there ---- */

static void number_put(struct buffer *b, int64_t number) {
    uint8_t bytes[10], len = 0;
    uint64_t v = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    for (; v >= 0x80; v >>= 7) bytes[len++] = (uint8_t)(v | 0x80);
    bytes[len++] = (uint8_t)v;
    buffer_append(b, bytes, len);
}

static void double_put(struct buffer *b, double number) {
    uint8_t bytes[8];
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(bits >> (8 * i));
    buffer_append(b, bytes, sizeof bytes);
}

struct in { const uint8_t *at, *end; bool bad; };

static int64_t number_get(struct in *in) {
    uint64_t v = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        if (in->at == in->end) break;
        const uint8_t byte = *in->at++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return (int64_t)(v >> 1 ^ (0 - (v & 1)));
    }
    in->bad = true;
    return 0;
}

static double double_get(struct in *in) {
    uint64_t bits = 0;
    double number;
    if (in->end - in->at < 8) {
        in->bad = true;
        return 0;
    }
    for (int i = 0; i < 8; i++) bits |= (uint64_t)in->at[i] << (8 * i);
    in->at += 8;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void bins_put(struct buffer *b, const int64_t bins[BIN_COUNT]) {
    int64_t used = 0;
    for (uint32_t k = 0; k < BIN_COUNT; k++) used += bins[k] != 0;
    number_put(b, used);
    for (uint32_t k = 0; k < BIN_COUNT; k++) {
        if (bins[k] == 0) continue;
        number_put(b, k);
        number_put(b, bins[k]);
    }
}

static void bins_get(struct in *in, int64_t bins[BIN_COUNT]) {
    const int64_t used = number_get(in);
    if (used < 0 || used > BIN_COUNT) in->bad = true;
    for (int64_t i = 0; i < used && !in->bad; i++) {
        const int64_t k = number_get(in);
        if (k < 0 || k >= BIN_COUNT) in->bad = true;
        else bins[k] = number_get(in);
    }
}

static bool span_there(const struct span *s) {
    return s->count || s->sum || s->squares || s->min || s->max;
}

void tally_sums_put(struct buffer *b, const struct tally_sums *sums) {
    int64_t mask = 0;
    for (uint32_t i = 0; i < MEASURE_COUNT; i++)
        mask |= (int64_t)span_there(&sums->spans[i]) << i;
    number_put(b, sums->created);
    number_put(b, sums->completed);
    number_put(b, sums->failed);
    number_put(b, sums->cancelled);
    number_put(b, mask);
    for (uint32_t i = 0; i < MEASURE_COUNT; i++) {
        const struct span *s = &sums->spans[i];
        if (!span_there(s)) continue;
        number_put(b, s->count);
        double_put(b, s->sum);
        double_put(b, s->squares);
        double_put(b, s->min);
        double_put(b, s->max);
    }
    for (uint32_t i = 0; i < BINNED; i++) bins_put(b, sums->bins[i]);
}

bool tally_sums_read(struct slice bytes, struct tally_sums *ret) {
    struct in in = {bytes.data, bytes.data + bytes.len, false};
    struct tally_sums sums = {0};
    sums.created = number_get(&in);
    sums.completed = number_get(&in);
    sums.failed = number_get(&in);
    sums.cancelled = number_get(&in);
    const int64_t mask = number_get(&in);
    if (mask < 0 || mask >> MEASURE_COUNT != 0) return false;
    for (uint32_t i = 0; i < MEASURE_COUNT; i++) {
        if ((mask >> i & 1) == 0) continue;
        sums.spans[i].count = number_get(&in);
        sums.spans[i].sum = double_get(&in);
        sums.spans[i].squares = double_get(&in);
        sums.spans[i].min = double_get(&in);
        sums.spans[i].max = double_get(&in);
    }
    for (uint32_t i = 0; i < BINNED; i++) bins_get(&in, sums.bins[i]);
    if (in.bad || in.at != in.end) return false;
    *ret = sums;
    return true;
}

void tally_row_put(struct buffer *b, const struct tally_row *row) {
    struct buffer sums = {0};
    tally_sums_put(&sums, &row->sums);
    encode_array(b, 4);
    encode_uint(b, row->slot);
    encode_uint(b, row->priority);
    encode_text(b, row->name);
    encode_bin(b, buffer_slice(&sums));
    if (sums.failed) b->failed = true;
    buffer_free(&sums);
}

bool tally_row_next(struct slice rows, uint32_t *at, struct tally_row *ret) {
    struct decode d = decode_of(rows.data + *at, rows.len - *at);
    uint32_t count;
    uint64_t slot, priority;
    struct slice sums;
    struct tally_row row = {0};
    if (!decode_array(&d, &count) || count < 4 || !decode_uint(&d, &slot) || slot > UINT32_MAX ||
        !decode_uint(&d, &priority) || priority > UINT8_MAX || !decode_slice(&d, &row.name) ||
        !decode_slice(&d, &sums) || !tally_sums_read(sums, &row.sums))
        return false;
    for (; count > 4; count--)
        if (!decode_skip(&d, 1)) return false;
    row.slot = (uint32_t)slot;
    row.priority = (uint8_t)priority;
    *at = (uint32_t)(d.at - rows.data);
    *ret = row;
    return true;
}
