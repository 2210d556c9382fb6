#include "proto/base/zone.h"
#include "proto/base/date.h"
#include <assert.h>
#include <stdlib.h>

enum {
    HEAD_BYTES = 44, DAY_S = 86400, WEEK_DAYS = 7, OFFSET_MAX_S = 26 * 3600, NAME_MAX_BYTES = 64,
    RULE_TIME_MAX_S = 168 * 3600
};

/* When a change comes in each year, as POSIX TZ spells it. */
struct rule {
    enum rule_kind { RULE_JULIAN /* Jn: 1..365, no leap day */, RULE_DAY /* n: 0..365 */,
                     RULE_WEEKDAY /* Mm.w.d */ } kind;
    int32_t month, week, day;
    int32_t time_s; /* local, by the time that ends */
};

struct zone {
    int32_t first_offset_s; /* before the first change */
    bool has_rules;         /* after the last change years follow the rules */
    int32_t standard_s, summer_s;
    struct rule to_summer, to_standard;
    uint32_t count;
    struct change { int64_t at_s; int32_t offset_s; } changes[];
};

/* ---- the last line: a POSIX TZ text ---- */

static bool take(struct slice *text, char c) {
    if (text->len == 0 || text->data[0] != (uint8_t)c) return false;
    *text = slice_of(text->data + 1, text->len - 1);
    return true;
}

static bool take_number(struct slice *text, int32_t max, int32_t *number) {
    int32_t value = 0;
    uint32_t digits = 0;
    while (digits < text->len && digits < 4 && text->data[digits] >= '0' &&
           text->data[digits] <= '9')
        value = value * 10 + text->data[digits++] - '0';
    if (digits == 0 || value > max) return false;
    *text = slice_of(text->data + digits, text->len - digits);
    *number = value;
    return true;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct slice *text, int32_t max_s, int32_t *seconds) {
    const bool minus = take(text, '-');
    int32_t hours, minutes = 0, rest = 0;
    if (!minus) take(text, '+');
    if (!take_number(text, max_s / 3600, &hours)) return false;
    if (take(text, ':') && !take_number(text, 59, &minutes)) return false;
    if (take(text, ':') && !take_number(text, 59, &rest)) return false;
    *seconds = (hours * 60 + minutes) * 60 + rest;
    if (minus) *seconds = -*seconds;
    return true;
}

static bool take_name(struct slice *text) {
    const bool quoted = take(text, '<');
    uint32_t len = 0;
    for (; len < text->len; len++) {
        const uint8_t c = text->data[len], low = c | 0x20;
        const bool letter = low >= 'a' && low <= 'z';
        if (!letter && !(quoted && (c == '+' || c == '-' || (c >= '0' && c <= '9')))) break;
    }
    if (len < 3) return false;
    *text = slice_of(text->data + len, text->len - len);
    return !quoted || take(text, '>');
}

static bool take_rule(struct slice *text, struct rule *r) {
    r->time_s = 2 * 3600;
    if (take(text, 'M')) {
        r->kind = RULE_WEEKDAY;
        if (!take_number(text, 12, &r->month) || r->month < 1 || !take(text, '.')) return false;
        if (!take_number(text, 5, &r->week) || r->week < 1 || !take(text, '.')) return false;
        if (!take_number(text, 6, &r->day)) return false;
    } else {
        r->kind = take(text, 'J') ? RULE_JULIAN : RULE_DAY;
        if (!take_number(text, 365, &r->day) || (r->kind == RULE_JULIAN && r->day < 1))
            return false;
    }
    return !take(text, '/') || take_time(text, RULE_TIME_MAX_S, &r->time_s);
}

/* An empty line says nothing: the last change holds for ever. */
static bool rules_read(struct slice text, struct zone *z) {
    int32_t west;
    if (text.len == 0) return true;
    if (!take_name(&text) || !take_time(&text, OFFSET_MAX_S, &west)) return false;
    z->has_rules = true;
    z->standard_s = z->summer_s = -west;
    if (text.len == 0) return true;
    if (!take_name(&text)) return false;
    z->summer_s = z->standard_s + 3600;
    if (text.len > 0 && text.data[0] != ',') {
        if (!take_time(&text, OFFSET_MAX_S, &west)) return false;
        z->summer_s = -west;
    }
    return take(&text, ',') && take_rule(&text, &z->to_summer) && take(&text, ',') &&
           take_rule(&text, &z->to_standard) && text.len == 0;
}

/* ---- the file ---- */

static int64_t big_endian(const uint8_t *at, int bytes) {
    uint64_t value = at[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | at[i];
    return (int64_t)value;
}

struct head { uint32_t isut, isstd, leap, times, types, chars; };

static bool head_read(struct slice bytes, struct head *h) {
    if (bytes.len < HEAD_BYTES || memcmp(bytes.data, "TZif", 4) != 0 || bytes.data[4] < '2')
        return false;
    uint32_t *counts[] = {&h->isut, &h->isstd, &h->leap, &h->times, &h->types, &h->chars};
    for (int i = 0; i < 6; i++) {
        *counts[i] = (uint32_t)big_endian(bytes.data + 20 + 4 * i, 4);
        if (*counts[i] > ZONE_BYTES_MAX) return false;
    }
    return true;
}

static uint64_t data_bytes(const struct head *h, uint32_t time_bytes) {
    return (uint64_t)h->times * (time_bytes + 1) + (uint64_t)h->types * 6 + h->chars +
           (uint64_t)h->leap * (time_bytes + 4) + h->isstd + h->isut;
}

static bool changes_read(const uint8_t *data, const struct head *h, struct zone *z) {
    const uint8_t *kinds = data + 8 * (size_t)h->times, *types = kinds + h->times;
    for (uint32_t i = 0; i < h->types; i++) {
        const int64_t offset = big_endian(types + 6 * i, 4);
        if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S) return false;
    }
    z->first_offset_s = (int32_t)big_endian(types, 4);
    int32_t before = z->first_offset_s;
    for (uint32_t i = 0; i < h->times; i++) {
        const int64_t at = big_endian(data + 8 * (size_t)i, 8);
        if (kinds[i] >= h->types) return false;
        if (i > 0 && at <= big_endian(data + 8 * (size_t)(i - 1), 8)) return false;
        const int32_t offset = (int32_t)big_endian(types + 6 * kinds[i], 4);
        if (offset == before) continue; /* another name, the same time */
        z->changes[z->count++] = (struct change){at, offset};
        before = offset;
    }
    return true;
}

struct zone *zone_new(struct slice bytes) {
    struct head h;
    if (bytes.len > ZONE_BYTES_MAX || !head_read(bytes, &h)) return NULL;
    const uint64_t skip = HEAD_BYTES + data_bytes(&h, 4); /* the part of version 1 */
    if (skip > bytes.len) return NULL;
    bytes = slice_of(bytes.data + skip, bytes.len - skip);
    if (!head_read(bytes, &h) || h.types == 0 || h.times > ZONE_CHANGES_MAX) return NULL;
    const uint64_t size = HEAD_BYTES + data_bytes(&h, 8);
    if (size + 2 > bytes.len || bytes.data[size] != '\n') return NULL;
    const uint8_t *line = bytes.data + size + 1;
    const uint8_t *end = memchr(line, '\n', bytes.len - size - 1);
    struct zone *z = calloc(1, sizeof *z + h.times * sizeof *z->changes);
    if (z == NULL) return NULL;
    if (end == NULL || !changes_read(bytes.data + HEAD_BYTES, &h, z) ||
        !rules_read(slice_of(line, (size_t)(end - line)), z))
        zone_destroy(&z);
    return z;
}

void zone_destroy(struct zone **self) {
    free(*self);
    *self = NULL;
}

/* ---- spans ---- */

static int64_t rule_local_s(const struct rule *r, int32_t year) {
    const int64_t january = date_to_days((struct date){year, 1, 1});
    int64_t day = january + r->day;
    if (r->kind == RULE_JULIAN) {
        const bool after_leap_day = date_month_days(year, 2) == 29 && r->day >= 60;
        day = january + r->day - 1 + after_leap_day;
    } else if (r->kind == RULE_WEEKDAY) {
        const uint8_t month = (uint8_t)r->month;
        const int64_t first = date_to_days((struct date){year, month, 1});
        const int64_t weekday = ((first + 4) % WEEK_DAYS + WEEK_DAYS) % WEEK_DAYS;
        day = first + (r->day - weekday + WEEK_DAYS) % WEEK_DAYS + (r->week - 1) * WEEK_DAYS;
        if (day >= first + date_month_days(year, month)) day -= WEEK_DAYS;
    }
    return day * DAY_S + r->time_s;
}

static int64_t days_of(int64_t seconds) {
    return seconds / DAY_S - (seconds % DAY_S < 0);
}

/* The span by the rules alone. Both changes of the years around it are lined up; the newest that
 * is not after the instant begins it. */
static struct zone_span rule_span(const struct zone *z, int64_t instant_s) {
    struct zone_span s = {INT64_MIN, INT64_MAX, z->standard_s};
    if (z->standard_s == z->summer_s) return s;
    const int32_t year = date_from_days(days_of(instant_s + z->standard_s)).year;
    for (int32_t y = year - 1; y <= year + 1; y++) {
        const struct change two[] = {
            {rule_local_s(&z->to_summer, y) - z->standard_s, z->summer_s},
            {rule_local_s(&z->to_standard, y) - z->summer_s, z->standard_s}};
        for (int i = 0; i < 2; i++) {
            if (two[i].at_s <= instant_s && two[i].at_s >= s.from_s) {
                s.from_s = two[i].at_s;
                s.offset_s = two[i].offset_s;
            }
            if (two[i].at_s > instant_s && two[i].at_s < s.to_s) s.to_s = two[i].at_s;
        }
    }
    return s;
}

struct zone_span zone_span(const struct zone *z, int64_t instant_s) {
    if (z == NULL) return (struct zone_span){INT64_MIN, INT64_MAX, 0};
    uint32_t low = 0, high = z->count; /* changes before `low` are not after the instant */
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (z->changes[middle].at_s <= instant_s) low = middle + 1;
        else high = middle;
    }
    struct zone_span s = {.from_s = low > 0 ? z->changes[low - 1].at_s : INT64_MIN,
                     .to_s = low < z->count ? z->changes[low].at_s : INT64_MAX,
                     .offset_s = low > 0 ? z->changes[low - 1].offset_s : z->first_offset_s};
    if (low < z->count || !z->has_rules) return s;
    const struct zone_span by_rule = rule_span(z, instant_s);
    s.to_s = by_rule.to_s;
    if (by_rule.from_s > s.from_s) {
        s.from_s = by_rule.from_s;
        s.offset_s = by_rule.offset_s;
    }
    return s;
}

int64_t zone_instant(const struct zone *z, int64_t local_s, bool *ret_gap) {
    assert(local_s > INT64_MIN / 2 && local_s < INT64_MAX / 2);
    struct zone_span s = zone_span(z, local_s - OFFSET_MAX_S);
    if (ret_gap != NULL) *ret_gap = false;
    while (local_s - s.offset_s >= s.to_s) {
        const struct zone_span next = zone_span(z, s.to_s);
        if (local_s - next.offset_s < next.from_s) { /* the clocks jumped over it */
            if (ret_gap != NULL) *ret_gap = true;
            return next.from_s;
        }
        s = next;
    }
    return local_s - s.offset_s;
}

bool zone_name_fits(struct slice name) {
    if (name.len == 0 || name.len > NAME_MAX_BYTES || name.data[0] == '/') return false;
    for (uint32_t i = 0; i < name.len; i++) {
        const uint8_t c = name.data[i], low = c | 0x20;
        const bool plain = (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9');
        if (!plain && c != '/' && c != '_' && c != '-' && c != '+') return false;
    }
    return true;
}
