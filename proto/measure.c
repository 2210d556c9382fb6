#include "proto/measure.h"
#include <string.h>

static const char *const names[MEASURE_COUNT] = {
#define MEASURE(NAME, number, text, sentence) [number] = text,
#include "proto/measure.def"
#undef MEASURE
};

const char *measure_name(enum measure measure) {
    return measure < MEASURE_COUNT ? names[measure] : "?";
}

enum measure measure_named(struct slice text) {
    for (uint32_t i = 0; i < MEASURE_COUNT; i++)
        if (slice_equal(text, slice_text(names[i]))) return (enum measure)i;
    return MEASURE_COUNT;
}

void measure_put(struct buffer *list, enum measure measure, double number) {
    uint8_t row[MEASURE_ROW_BYTES] = {(uint8_t)measure};
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    for (int i = 0; i < 8; i++) row[1 + i] = (uint8_t)(bits >> (8 * i));
    buffer_append(list, row, sizeof row);
}

bool measure_next(struct slice list, uint32_t *at, struct measure_row *ret) {
    if (list.len - *at < MEASURE_ROW_BYTES) return false;
    const uint8_t *row = list.data + *at;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= (uint64_t)row[1 + i] << (8 * i);
    ret->measure = row[0];
    memcpy(&ret->number, &bits, sizeof bits);
    *at += MEASURE_ROW_BYTES;
    return true;
}

bool measure_good(struct slice list) {
    struct measure_row row;
    uint32_t seen = 0;
    if (list.len % MEASURE_ROW_BYTES != 0) return false;
    for (uint32_t at = 0; measure_next(list, &at, &row);) {
        const double zero = row.number - row.number; /* not so for NaN and the infinite */
        if (row.measure >= MEASURE_COUNT || seen >> row.measure & 1 || zero != 0) return false;
        seen |= UINT32_C(1) << row.measure;
    }
    return true;
}

void span_merge(struct span *s, const struct span *other) {
    const bool none = s->count == 0 && s->min == 0 && s->max == 0;
    const bool some = other->count != 0 || other->min != 0 || other->max != 0;
    if (!some) return;
    s->count += other->count;
    s->sum += other->sum;
    s->squares += other->squares;
    if (none || other->min < s->min) s->min = other->min;
    if (none || other->max > s->max) s->max = other->max;
}

double span_mean(const struct span *s) { return s->count > 0 ? s->sum / (double)s->count : 0; }

double bin_low(uint32_t bin) {
    if (bin == 0) return 0;
    const double power = (double)(UINT64_C(1) << ((bin - 1) / 2));
    return (bin - 1) % 2 != 0 ? power * 1.5 : power;
}

double bins_percentile(const int64_t bins[BIN_COUNT], const struct span *s, double share) {
    int64_t all = 0, below = 0;
    for (uint32_t i = 0; i < BIN_COUNT; i++) all += bins[i] > 0 ? bins[i] : 0;
    if (all == 0) return 0;
    const double wanted = share * (double)all;
    for (uint32_t i = 0; i < BIN_COUNT; i++) {
        if (bins[i] <= 0) continue;
        if ((double)(below + bins[i]) < wanted) {
            below += bins[i];
            continue;
        }
        const double low = bin_low(i), high = i + 1 < BIN_COUNT ? bin_low(i + 1) : s->max;
        double number = low + (high - low) * (wanted - (double)below) / (double)bins[i];
        if (number < s->min) number = s->min;
        return number > s->max ? s->max : number;
    }
    return s->max;
}
