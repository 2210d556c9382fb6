#include "proto/decode.h"
#include "proto/base/utf8.h"
#include <endian.h>

/* `bytes` is 1, 2, 4 or 8, and eight can be read. */
static inline uint64_t big_at_once(const uint8_t *at, uint32_t bytes) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return be64toh(word) >> (64 - 8 * bytes);
}

static uint64_t big(const uint8_t *at, uint32_t bytes) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

static bool take(struct decode *d, uint32_t bytes, uint64_t *value) {
    if (decode_left(d) < bytes) return false;
    *value = big(d->at, bytes);
    d->at += bytes;
    return true;
}

/* Sign-extends the two's complement number in the low `bytes` bytes. */
static int64_t extend(uint64_t value, uint32_t bytes) {
    uint32_t unused = 64 - 8 * bytes;
    return (int64_t)(value << unused) >> unused;
}

bool decode_int(struct decode *d, int64_t *value) {
    if (d->at >= d->end) return false;
    uint8_t head = *d->at++;
    uint64_t raw = 0;
    if (head < 0x80) { *value = head; return true; }
    if (head >= 0xe0) { *value = (int8_t)head; return true; }
    if (head >= 0xcc && head <= 0xcf) {
        if (!take(d, 1U << (head - 0xcc), &raw) || raw > INT64_MAX) return false;
        *value = (int64_t)raw;
        return true;
    }
    if (head < 0xd0 || head > 0xd3) return false;
    uint32_t bytes = 1U << (head - 0xd0);
    if (!take(d, bytes, &raw)) return false;
    *value = extend(raw, bytes);
    return true;
}

bool decode_uint_long(struct decode *d, uint64_t *value) {
    if (d->at >= d->end) return false;
    if (*d->at >= 0xcc && *d->at <= 0xcf) {
        uint32_t bytes = 1U << (*d->at++ - 0xcc);
        if (decode_left(d) < 8) return take(d, bytes, value);
        *value = big_at_once(d->at, bytes);
        d->at += bytes;
        return true;
    }
    int64_t number;
    if (!decode_int(d, &number) || number < 0) return false;
    *value = (uint64_t)number;
    return true;
}

bool decode_bool(struct decode *d, bool *value) {
    if (d->at >= d->end || (*d->at & 0xfe) != 0xc2) return false;
    *value = *d->at++ == 0xc3;
    return true;
}

bool decode_count_long(struct decode *d, bool map, uint32_t *count) {
    if (d->at >= d->end) return false;
    uint8_t head = *d->at, first = map ? 0xde : 0xdc;
    uint64_t raw;
    if (head != first && head != first + 1) return false;
    d->at++;
    if (!take(d, head == first ? 2 : 4, &raw)) return false;
    if (raw * (map ? 2 : 1) > decode_left(d)) return false;
    *count = (uint32_t)raw;
    return true;
}

bool decode_slice_long(struct decode *d, struct slice *value) {
    if (d->at >= d->end) return false;
    uint8_t head = *d->at++;
    uint64_t len;
    uint32_t bytes;
    if (head >= 0xc4 && head <= 0xc6) bytes = 1U << (head - 0xc4);
    else if (head >= 0xd9 && head <= 0xdb) bytes = 1U << (head - 0xd9);
    else return false;
    if (!take(d, bytes, &len) || len > decode_left(d)) return false;
    *value = slice_of(d->at, (size_t)len);
    d->at += len;
    return true;
}

/* Reads the head of any value: how many plain bytes follow it, and how many values. */
static bool head_read(struct decode *d, uint64_t *bytes, uint64_t *values) {
    static const uint8_t plain[] = {/* c4.. */ 1, 2, 4, /* ext, len + type */ 1, 2, 4};
    uint8_t head = *d->at++;
    uint64_t len = 0;
    *bytes = 0;
    *values = 0;
    if (head < 0x80 || head >= 0xe0 || head == 0xc0 || head == 0xc2 || head == 0xc3) return true;
    if (head < 0x90) { *values = (head & 0x0fU) * 2U; return true; }
    if (head < 0xa0) { *values = head & 0x0fU; return true; }
    if (head < 0xc0) { *bytes = head & 0x1fU; return true; }
    if (head == 0xc1) return false;
    if (head <= 0xc9) { /* bin and ext */
        if (!take(d, plain[head - 0xc4], &len)) return false;
        *bytes = len + (head >= 0xc7 ? 1 : 0);
        return true;
    }
    if (head <= 0xcb) { *bytes = head == 0xca ? 4 : 8; return true; }
    if (head <= 0xd3) { *bytes = 1U << ((head - 0xcc) & 3); return true; }
    if (head <= 0xd8) { *bytes = 1 + (1U << (head - 0xd4)); return true; }
    if (head <= 0xdb) return take(d, 1U << (head - 0xd9), bytes);
    if (!take(d, (head & 1) ? 4 : 2, &len)) return false;
    *values = head >= 0xde ? len * 2 : len;
    return true;
}

bool decode_skip(struct decode *d, uint32_t depth) {
    uint64_t open[DECODE_DEPTH_MAX + 1]; /* values still to come, per level below this one */
    uint32_t level = 0;
    open[0] = 1;
    for (;;) {
        uint64_t bytes, values;
        if (d->at >= d->end || !head_read(d, &bytes, &values)) return false;
        if (bytes > decode_left(d) || values > decode_left(d)) return false;
        d->at += bytes;
        open[level]--;
        if (values) {
            if (depth + level + 1 > DECODE_DEPTH_MAX) return false;
            open[++level] = values;
        }
        while (open[level] == 0) {
            if (level-- == 0) return true;
        }
    }
}

bool decode_utf8(struct slice text) {
    uint32_t plain = 0; /* bytes in front that are ASCII, seen eight at a time */
    for (uint64_t word; text.len - plain >= 8; plain += 8) {
        memcpy(&word, text.data + plain, 8);
        if (word & 0x8080808080808080U) break;
    }
    uint8_t high = 0;
    for (uint32_t i = plain; i < text.len; i++) high |= text.data[i];
    return high < 0x80 || utf8_valid(slice_of(text.data + plain, text.len - plain));
}
