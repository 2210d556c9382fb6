#include "store/brief.h"
#include <endian.h>
#include <string.h>

void brief_put(struct buffer *b, const struct brief *brief) {
    uint8_t bytes[BRIEF_BYTES];
    const uint16_t low = htole16((uint16_t)(brief->id & (BLOCK_IDS - 1)));
    const uint32_t lane = htole32(brief->lane);
    const uint64_t created = htole64((uint64_t)brief->created_ms);
    memcpy(bytes, &low, 2);
    bytes[2] = (uint8_t)(brief->status | brief->priority << 4);
    memcpy(bytes + 3, &lane, 4);
    memcpy(bytes + 7, &created, 8);
    buffer_append(b, bytes, sizeof bytes);
}

static uint16_t low_of(const uint8_t *bytes) {
    uint16_t low;
    memcpy(&low, bytes, 2);
    return le16toh(low);
}

struct brief brief_at(struct slice value, uint64_t block, uint32_t n) {
    const uint8_t *bytes = value.data + (size_t)n * BRIEF_BYTES;
    uint32_t lane;
    uint64_t created;
    memcpy(&lane, bytes + 3, 4);
    memcpy(&created, bytes + 7, 8);
    return (struct brief){.id = block << BLOCK_BITS | low_of(bytes),
                          .created_ms = (int64_t)le64toh(created), .lane = le32toh(lane),
                          .status = bytes[2] & 15, .priority = bytes[2] >> 4};
}

bool brief_sound(struct slice value) {
    int before = -1;
    if (value.len % BRIEF_BYTES != 0) return false;
    for (uint32_t at = 0; at < value.len; at += BRIEF_BYTES) {
        const uint8_t *bytes = value.data + at;
        const int low = low_of(bytes);
        if (low <= before || low >= BLOCK_IDS || (bytes[2] & 15) >= STATUS_COUNT ||
            bytes[2] >> 4 >= PRIORITY_COUNT)
            return false;
        before = low;
    }
    return true;
}

static bool gone(const uint8_t *bytes) { return (bytes[2] & 15) == STATUS_NONE; }

static void rows_put(struct buffer *out, struct slice rows, bool whole) {
    uint32_t from = 0;
    for (uint32_t at = 0; whole && at < rows.len; at += BRIEF_BYTES) {
        if (!gone(rows.data + at)) continue;
        buffer_append(out, rows.data + from, at - from);
        from = at + BRIEF_BYTES;
    }
    if (from < rows.len) buffer_append(out, rows.data + from, rows.len - from);
}

/* Most of what is added to a block comes behind what is there. Whether it is sound then is for
 * whoever reads it to see. */
static bool in_line(const struct slice *parts, size_t count) {
    int last = -1;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len == 0) continue;
        if (low_of(parts[i].data) <= last) return false;
        last = low_of(parts[i].data + parts[i].len - BRIEF_BYTES);
    }
    return true;
}

bool brief_merge(const struct slice *parts, size_t count, bool whole, struct buffer *out) {
    for (size_t i = 0; i < count; i++)
        if (parts[i].len % BRIEF_BYTES != 0) return false;
    if (in_line(parts, count)) {
        for (size_t i = 0; i < count; i++) rows_put(out, parts[i], whole);
        return !out->failed;
    }
    const uint8_t *newest[BLOCK_IDS] = {0};
    for (size_t i = 0; i < count; i++) {
        if (!brief_sound(parts[i])) return false;
        for (uint32_t at = 0; at < parts[i].len; at += BRIEF_BYTES)
            newest[low_of(parts[i].data + at)] = parts[i].data + at;
    }
    for (uint32_t low = 0; low < BLOCK_IDS; low++)
        if (newest[low] && !(whole && gone(newest[low])))
            buffer_append(out, newest[low], BRIEF_BYTES);
    return !out->failed;
}
