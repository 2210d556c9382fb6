#include "proto/alert.h"
#include <string.h>

const char *const alert_conditions[] = {"gt", "gte", "lt", "lte", "eq", NULL};

bool alert_holds(const struct alert_spec *spec, double value) {
    switch ((enum condition)spec->condition) {
    case CONDITION_GT: return value > spec->threshold;
    case CONDITION_GTE: return value >= spec->threshold;
    case CONDITION_LT: return value < spec->threshold;
    case CONDITION_LTE: return value <= spec->threshold;
    case CONDITION_EQ: return value == spec->threshold;
    case CONDITION_COUNT: break;
    }
    return false;
}

const char *alert_severity(const struct alert_spec *spec, double value) {
    const bool below = spec->condition == CONDITION_LT || spec->condition == CONDITION_LTE;
    double more = below ? spec->threshold : value, less = below ? value : spec->threshold;
    if (spec->condition == CONDITION_EQ) return "medium";
    if (more <= 0) more = -less, less = -(below ? spec->threshold : value);
    if (more >= 2 * less) return "critical";
    if (2 * more >= 3 * less) return "high";
    return 5 * more >= 6 * less ? "medium" : "low";
}

bool alert_means(const struct alert_spec *spec, struct slice type) {
    uint32_t at = 0;
    for (uint8_t i = 0; i < spec->type_count && at < spec->types.len; i++) {
        const uint32_t len = spec->types.data[at];
        if (len == type.len && memcmp(spec->types.data + at + 1, type.data, len) == 0) return true;
        at += 1 + len;
    }
    return spec->type_count == 0;
}

/* ---- writing ---- */

static void text(struct buffer *b, const char *s) { buffer_append(b, s, strlen(s)); }

void alert_integer_put(struct buffer *b, int64_t number) {
    char digits[24];
    uint32_t at = sizeof digits;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do digits[--at] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (number < 0) digits[--at] = '-';
    buffer_append(b, digits + at, sizeof digits - at);
}

void alert_number_put(struct buffer *b, double number) {
    int64_t power = 0;
    if (number < 0) {
        buffer_byte(b, '-');
        number = -number;
    }
    for (; number >= 1e15; power++) number /= 10;
    uint64_t whole = (uint64_t)number, part = (uint64_t)((number - (double)whole) * 1e6 + 0.5);
    if (part >= 1000000) {
        whole++;
        part = 0;
    }
    alert_integer_put(b, (int64_t)whole);
    if (part > 0) {
        char digits[7] = ".000000";
        uint32_t len = sizeof digits;
        for (uint32_t i = 6; i > 0; i--, part /= 10) digits[i] = (char)('0' + part % 10);
        while (digits[len - 1] == '0') len--;
        buffer_append(b, digits, len);
    }
    if (power == 0) return;
    buffer_byte(b, 'e');
    alert_integer_put(b, power);
}

void alert_text_put(struct buffer *b, struct slice s) {
    static const char hex[] = "0123456789abcdef";
    buffer_byte(b, '"');
    for (uint32_t i = 0; i < s.len; i++) {
        const uint8_t c = s.data[i];
        if (c < 0x20) {
            const char escaped[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            buffer_append(b, escaped, sizeof escaped);
            continue;
        }
        if (c == '"' || c == '\\') buffer_byte(b, '\\');
        buffer_byte(b, c);
    }
    buffer_byte(b, '"');
}

static void hex_put(struct buffer *b, struct slice bytes) {
    static const char hex[] = "0123456789abcdef";
    for (uint32_t i = 0; i < bytes.len; i++) {
        buffer_byte(b, (uint8_t)hex[bytes.data[i] >> 4]);
        buffer_byte(b, (uint8_t)hex[bytes.data[i] & 15]);
    }
}

void alert_head_put(struct buffer *b, const struct alert_state *state,
                    const struct alert_spec *spec) {
    uint8_t fixed[16] = {spec->measure, spec->condition, spec->active, spec->type_count};
    uint64_t bits;
    memcpy(&bits, &spec->threshold, sizeof bits);
    for (int i = 0; i < 4; i++) fixed[4 + i] = (uint8_t)(spec->cooldown_s >> (8 * i));
    for (int i = 0; i < 8; i++) fixed[8 + i] = (uint8_t)(bits >> (8 * i));
    text(b, "{\"last_triggered_ms\":");
    alert_integer_put(b, state->last_ms);
    text(b, ",\"trigger_count\":");
    alert_integer_put(b, (int64_t)state->count);
    text(b, state->triggered ? ",\"is_triggered\":true,\"rule\":\""
                             : ",\"is_triggered\":false,\"rule\":\"");
    hex_put(b, slice_of(fixed, sizeof fixed));
    hex_put(b, spec->types);
    text(b, "\",");
}

/* ---- reading ---- */

static bool skip(struct slice *in, const char *word) {
    const size_t len = strlen(word);
    if (in->len < len || memcmp(in->data, word, len) != 0) return false;
    *in = slice_of(in->data + len, in->len - len);
    return true;
}

static bool integer_get(struct slice *in, uint64_t *ret) {
    uint64_t number = 0;
    uint32_t len = 0;
    for (; len < in->len && len < 18 && in->data[len] >= '0' && in->data[len] <= '9'; len++)
        number = 10 * number + (uint64_t)(in->data[len] - '0');
    *in = slice_of(in->data + len, in->len - len);
    *ret = number;
    return len > 0;
}

static int digit(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_get(struct slice *in, struct buffer *bytes) {
    uint32_t at = 0;
    buffer_clear(bytes);
    for (; at + 1 < in->len && in->data[at] != '"'; at += 2) {
        const int high = digit(in->data[at]), low = digit(in->data[at + 1]);
        if (high < 0 || low < 0) return false;
        buffer_byte(bytes, (uint8_t)(high << 4 | low));
    }
    *in = slice_of(in->data + at, in->len - at);
    return bytes->len >= 16 && !bytes->failed;
}

static bool spec_read(struct slice bytes, struct alert_spec *ret) {
    struct alert_spec spec = {.measure = bytes.data[0], .condition = bytes.data[1],
                              .active = bytes.data[2] != 0, .type_count = bytes.data[3],
                              .types = slice_of(bytes.data + 16, bytes.len - 16)};
    uint64_t bits = 0;
    uint32_t at = 0;
    for (int i = 0; i < 4; i++) spec.cooldown_s |= (uint32_t)bytes.data[4 + i] << (8 * i);
    for (int i = 0; i < 8; i++) bits |= (uint64_t)bytes.data[8 + i] << (8 * i);
    memcpy(&spec.threshold, &bits, sizeof bits);
    for (uint8_t i = 0; i < spec.type_count; i++) {
        if (at >= spec.types.len) return false;
        at += 1u + spec.types.data[at];
    }
    if (at != spec.types.len || spec.measure >= MEASURE_COUNT ||
        spec.condition >= CONDITION_COUNT || spec.type_count > ALERT_TYPES_MAX)
        return false;
    *ret = spec;
    return true;
}

bool alert_read(struct slice body, struct buffer *bytes, struct alert_state *ret_state,
                struct alert_spec *ret_spec, struct slice *rest) {
    struct slice in = body;
    uint64_t last, count;
    struct alert_spec spec;
    if (!skip(&in, "{\"last_triggered_ms\":") || !integer_get(&in, &last) ||
        !skip(&in, ",\"trigger_count\":") || !integer_get(&in, &count) ||
        !skip(&in, ",\"is_triggered\":"))
        return false;
    const bool triggered = skip(&in, "true");
    if ((!triggered && !skip(&in, "false")) || !skip(&in, ",\"rule\":\"") ||
        !hex_get(&in, bytes) || !skip(&in, "\",") || !spec_read(buffer_slice(bytes), &spec))
        return false;
    *ret_state = (struct alert_state){(int64_t)last, count, triggered};
    *ret_spec = spec;
    *rest = in;
    return true;
}
