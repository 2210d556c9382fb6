#include "proto/id.h"
#include <assert.h>

typedef unsigned __int128 u128;

enum { CUID_DIGITS = 24, TASK_DIGITS = 12, CHECK_BITS = 9 };
enum { ROUNDS = 6, HIGH_BITS = 26, LOW_BITS = 27 };

static const char digits36[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* What a hash is for, so that no two uses share an input. */
enum use {
    USE_CUID = 'c', USE_RESULT = 's', USE_UUID = 'u', USE_MASK = 'm', USE_CHECK = 'k',
    USE_ROUND = 'r'
};

static uint64_t hash(const struct id_key *key, enum use use, uint8_t round, uint64_t value) {
    uint8_t input[10] = {(uint8_t)use, round};
    for (unsigned i = 0; i < 8; i++) {
        input[2 + i] = (uint8_t)(value >> (8 * i));
    }
    return key->hash(key->context, input, sizeof input);
}

static int digit_value(uint8_t byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    return byte >= 'a' && byte <= 'z' ? byte - 'a' + 10 : -1;
}

static void digits_write(u128 value, char *text, unsigned count) {
    unsigned i = count;
    text[count] = 0;
    for (; i > 0 && value > UINT64_MAX; i--) {
        text[i - 1] = digits36[(unsigned)(value % 36)];
        value /= 36;
    }
    uint64_t rest = (uint64_t)value; /* which is divided in far less time */
    for (; i > 0; i--) {
        text[i - 1] = digits36[rest % 36];
        rest /= 36;
    }
    assert(value <= UINT64_MAX && rest == 0);
}

static bool digits_read(struct slice text, u128 *value) {
    u128 sum = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        int digit = digit_value(text.data[i]);
        if (digit < 0) {
            return false;
        }
        sum = sum * 36 + (unsigned)digit; /* 36^24 < 2^125: no overflow */
    }
    *value = sum;
    return true;
}

/* 117 bits: the number, masked by its tag so that neighbours do not show, and the tag. */
static u128 tagged_make(const struct id_key *key, enum use use, uint64_t number) {
    assert(number > 0 && number <= ID_NUMBER_MAX);
    uint64_t tag = hash(key, use, 0, number);
    uint64_t mask = hash(key, USE_MASK, 0, tag) & ID_NUMBER_MAX;
    return (u128)(number ^ mask) << 64 | tag;
}

static bool tagged_check(const struct id_key *key, enum use use, u128 value, uint64_t *number) {
    uint64_t tag = (uint64_t)value, high = (uint64_t)(value >> 64);
    if (high > ID_NUMBER_MAX) {
        return false;
    }
    uint64_t plain = high ^ (hash(key, USE_MASK, 0, tag) & ID_NUMBER_MAX);
    if (plain == 0 || hash(key, use, 0, plain) != tag) {
        return false;
    }
    *number = plain;
    return true;
}

static void cuid_make(const struct id_key *key, enum use use, uint64_t number, char *text) {
    text[0] = 'c';
    digits_write(tagged_make(key, use, number), text + 1, CUID_DIGITS);
}

static bool cuid_check(const struct id_key *key, enum use use, struct slice text,
                       uint64_t *number) {
    u128 value;
    return text.len == CUID_SIZE - 1 && text.data[0] == 'c' &&
           digits_read(slice_of(text.data + 1, CUID_DIGITS), &value) &&
           tagged_check(key, use, value, number);
}

void cuid_write(const struct id_key *key, uint64_t number, char text[static CUID_SIZE]) {
    cuid_make(key, USE_CUID, number, text);
}

bool cuid_read(const struct id_key *key, struct slice text, uint64_t *number) {
    return cuid_check(key, USE_CUID, text, number);
}

void result_cuid_write(const struct id_key *key, uint64_t number, char text[static CUID_SIZE]) {
    cuid_make(key, USE_RESULT, number, text);
}

bool result_cuid_read(const struct id_key *key, struct slice text, uint64_t *number) {
    return cuid_check(key, USE_RESULT, text, number);
}

/* The 117 bits and five zero bits fill the 122 that UUIDv8 leaves free. */
void job_uuid_write(const struct id_key *key, uint64_t number, char text[static JOB_UUID_SIZE]) {
    u128 free_bits = tagged_make(key, USE_UUID, number) << 5;
    u128 value = free_bits >> 74 << 80 | (u128)8 << 76 | (free_bits >> 62 & 0xfff) << 64 |
                 (u128)2 << 62 | (free_bits & ((UINT64_C(1) << 62) - 1));
    char *at = text;
    for (int shift = 124; shift >= 0; shift -= 4) {
        if (at - text == 8 || at - text == 13 || at - text == 18 || at - text == 23) {
            *at++ = '-';
        }
        *at++ = digits36[(unsigned)(value >> shift) & 15];
    }
    *at = 0;
}

static bool uuid_bits(struct slice text, u128 *value) {
    u128 sum = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (byte != '-') {
                return false;
            }
            continue;
        }
        int digit = digit_value(byte >= 'A' && byte <= 'F' ? (uint8_t)(byte + 32) : byte);
        if (digit < 0 || digit > 15) {
            return false;
        }
        sum = sum << 4 | (unsigned)digit;
    }
    *value = sum;
    return true;
}

bool job_uuid_read(const struct id_key *key, struct slice text, uint64_t *number) {
    u128 value;
    if (text.len != JOB_UUID_SIZE - 1 || !uuid_bits(text, &value)) {
        return false;
    }
    if (((unsigned)(value >> 76) & 15) != 8 || ((unsigned)(value >> 62) & 3) != 2) {
        return false;
    }
    u128 free_bits = value >> 80 << 74 | (value >> 64 & 0xfff) << 62 |
                     (value & ((UINT64_C(1) << 62) - 1));
    return (free_bits & 31) == 0 && tagged_check(key, USE_UUID, free_bits >> 5, number);
}

/* A Feistel network over 26 + 27 bits: each round changes one half by a hash of the other, so the
 * rounds can be undone in reverse. */
static uint64_t permute(const struct id_key *key, uint64_t number, bool undo) {
    uint64_t high = number >> LOW_BITS, low = number & ((1u << LOW_BITS) - 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint8_t round = (uint8_t)(undo ? ROUNDS - 1 - i : i);
        if (round % 2 == 0) {
            high ^= hash(key, USE_ROUND, round, low) & ((1u << HIGH_BITS) - 1);
        } else {
            low ^= hash(key, USE_ROUND, round, high) & ((1u << LOW_BITS) - 1);
        }
    }
    return high << LOW_BITS | low;
}

static uint64_t check_bits(const struct id_key *key, uint64_t number) {
    return hash(key, USE_CHECK, 0, number) & ((1u << CHECK_BITS) - 1);
}

void task_text_write(const struct id_key *key, uint64_t number,
                     char text[static TASK_TEXT_SIZE]) {
    assert(number > 0 && number <= ID_NUMBER_MAX);
    memcpy(text, "task_", 5);
    digits_write(permute(key, number, false) << CHECK_BITS | check_bits(key, number), text + 5,
                 TASK_DIGITS); /* 62 bits < 36^12 */
}

bool task_text_read(const struct id_key *key, struct slice text, uint64_t *number) {
    u128 value;
    if (text.len != TASK_TEXT_SIZE - 1 || memcmp(text.data, "task_", 5) != 0 ||
        !digits_read(slice_of(text.data + 5, TASK_DIGITS), &value) ||
        value >> CHECK_BITS > ID_NUMBER_MAX) {
        return false;
    }
    uint64_t plain = permute(key, (uint64_t)(value >> CHECK_BITS), true);
    if (plain == 0 || check_bits(key, plain) != ((uint64_t)value & ((1u << CHECK_BITS) - 1))) {
        return false;
    }
    *number = plain;
    return true;
}
