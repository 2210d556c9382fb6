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
    if (value.len % BRIEF_BYTES != 0) return false;
    for (uint32_t at = 0; at < value.len; at += BRIEF_BYTES) {
        const uint8_t *bytes = value.data + at;
        if (low_of(bytes) >= BLOCK_IDS || (bytes[2] & 15) >= STATUS_COUNT ||
            bytes[2] >> 4 >= PRIORITY_COUNT)
            return false;
    }
    return true;
}

bool brief_merge(const struct slice *parts, size_t count, bool whole, struct buffer *out) {
    const uint8_t *newest[BLOCK_IDS] = {0};
    for (size_t i = 0; i < count; i++) {
        if (!brief_sound(parts[i])) return false;
        for (uint32_t at = 0; at < parts[i].len; at += BRIEF_BYTES)
            newest[low_of(parts[i].data + at)] = parts[i].data + at;
    }
    for (uint32_t low = 0; low < BLOCK_IDS; low++) {
        const bool gone = newest[low] && (newest[low][2] & 15) == 0;
        if (newest[low] && !(gone && whole)) buffer_append(out, newest[low], BRIEF_BYTES);
    }
    return !out->failed;
}
