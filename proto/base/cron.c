#include "proto/base/cron.h"
#include "proto/base/date.h"
#include <assert.h>

enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60, DAYS_MAX = CRON_YEARS_MAX * 366,
       SPANS_MAX = CRON_YEARS_MAX * 8 };

static const uint32_t every_hour = 0xffffff, every_day = 0xfffffffe;
static const uint8_t every_weekday = 0x7f;

/* ---- reading ---- */

struct field { uint32_t min, max; const char *names; /* three letters each, from min on */ };
static const struct field fields[] = {
    {0, 59, ""}, {0, 23, ""}, {1, 31, ""},
    {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"}, {0, 7, "sunmontuewedthufrisat"}};

static bool take(struct slice *text, char c) {
    if (text->len == 0 || text->data[0] != (uint8_t)c) return false;
    *text = slice_of(text->data + 1, text->len - 1);
    return true;
}

static bool take_digits(struct slice *text, uint32_t *number) {
    uint32_t value = 0, digits = 0;
    while (digits < text->len && text->data[digits] >= '0' && text->data[digits] <= '9') {
        if (digits == 4) return false;
        value = value * 10 + text->data[digits++] - '0';
    }
    if (digits == 0) return false;
    *text = slice_of(text->data + digits, text->len - digits);
    *number = value;
    return true;
}

static bool take_value(struct slice *text, const struct field *f, uint32_t *value) {
    for (uint32_t i = 0; f->names[3 * i] != '\0' && text->len >= 3; i++) {
        uint32_t same = 0;
        while (same < 3 && (text->data[same] | 0x20) == (uint8_t)f->names[3 * i + same]) same++;
        if (same < 3) continue;
        *text = slice_of(text->data + 3, text->len - 3);
        *value = f->min + i;
        return true;
    }
    return take_digits(text, value) && *value >= f->min && *value <= f->max;
}

/* One part of a list: *, N or A-B, then perhaps /STEP. */
static const char *part_read(struct slice *text, const struct field *f, uint64_t *bits) {
    uint32_t from = f->min, to = f->max, step = 1;
    const bool all = take(text, '*');
    bool range = all;
    if (!all) {
        if (!take_value(text, f, &from)) return "a cron field has a value out of its range";
        to = from;
        range = take(text, '-');
        if (range && !take_value(text, f, &to)) return "a cron range has no sound end";
        if (to < from) return "a cron range runs backward";
    }
    if (take(text, '/')) {
        if (!take_digits(text, &step) || step == 0) return "a cron step is a number from 1";
        if (step > f->max) return "a cron step is larger than its field";
        if (!range) to = f->max;
    }
    if (all && f->max == 7) to = 6; /* Sunday is there once */
    for (uint32_t value = from; value <= to; value += step) *bits |= UINT64_C(1) << value;
    return NULL;
}

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

static struct slice blanks_skip(struct slice text) {
    while (text.len > 0 && is_blank(text.data[0])) text = slice_of(text.data + 1, text.len - 1);
    return text;
}

static const char *fields_read(struct slice text, uint64_t bits[5]) {
    for (int i = 0; i < 5; i++) {
        text = blanks_skip(text);
        if (text.len == 0) return "a cron expression has five fields";
        do {
            const char *why = part_read(&text, &fields[i], &bits[i]);
            if (why != NULL) return why;
        } while (take(&text, ','));
        if (text.len > 0 && !is_blank(text.data[0])) return "a cron field has a stray character";
    }
    return blanks_skip(text).len > 0 ? "a cron expression has five fields" : NULL;
}

bool cron_parse(struct slice text, struct cron *ret, const char **why) {
    uint64_t bits[5] = {0};
    const char *wrong = fields_read(text, bits);
    if (wrong != NULL) {
        if (why != NULL) *why = wrong;
        return false;
    }
    *ret = (struct cron){.minutes = bits[0], .hours = (uint32_t)bits[1],
                         .days = (uint32_t)bits[2], .months = (uint16_t)bits[3],
                         .weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & every_weekday)};
    return true;
}

/* ---- coming due ---- */

static int64_t days_of(int64_t seconds) { return seconds / DAY_S - (seconds % DAY_S < 0); }

static bool day_named(const struct cron *c, int64_t day) {
    const struct date date = date_from_days(day);
    const uint32_t weekday = (uint32_t)(((day + 4) % 7 + 7) % 7); /* 1970 began on a Thursday */
    if ((c->months >> date.month & 1) == 0) return false;
    const bool by_day = c->days >> date.day & 1, by_week = c->weekdays >> weekday & 1;
    const bool both = c->days != every_day && c->weekdays != every_weekday;
    return both ? by_day || by_week : by_day && by_week;
}

/* The first named local time that is not before local_s and before end_s; INT64_MAX = none. */
static int64_t local_next(const struct cron *c, int64_t local_s, int64_t end_s) {
    const int64_t first = days_of(local_s);
    for (int64_t day = first; day <= first + DAYS_MAX && day * DAY_S < end_s; day++) {
        if (!day_named(c, day)) continue;
        for (uint32_t hour = 0; hour < 24; hour++) {
            const int64_t at = day * DAY_S + hour * HOUR_S;
            if ((c->hours >> hour & 1) == 0 || at + HOUR_S <= local_s) continue;
            for (uint32_t minute = 0; minute < 60; minute++)
                if ((c->minutes >> minute & 1) && at + minute * MINUTE_S >= local_s)
                    return at + minute * MINUTE_S;
        }
    }
    return INT64_MAX;
}

/* By time that passes: within a span local time runs evenly. */
static bool next_by_time(const struct cron *c, const struct zone *z, int64_t after_s,
                         int64_t *ret_s) {
    int64_t from = after_s + 1;
    for (int i = 0; i < SPANS_MAX; i++) {
        const struct zone_span s = zone_span(z, from);
        const int64_t end = s.to_s == INT64_MAX ? INT64_MAX : s.to_s + s.offset_s;
        const int64_t local = local_next(c, from + s.offset_s, end);
        if (local != INT64_MAX && local < end) {
            *ret_s = local - s.offset_s;
            return true;
        }
        if (s.to_s == INT64_MAX || s.to_s - after_s > (int64_t)DAYS_MAX * DAY_S) return false;
        from = s.to_s;
    }
    return false;
}

/* By the clock on the wall: later local times never come before earlier ones. */
static bool next_by_clock(const struct cron *c, const struct zone *z, int64_t after_s,
                          int64_t *ret_s) {
    const struct zone_span s = zone_span(z, after_s);
    int64_t local = after_s + s.offset_s - 2 * DAY_S; /* a gap may hold a whole day */
    while ((local = local_next(c, local, INT64_MAX)) != INT64_MAX) {
        const int64_t instant = zone_instant(z, local, NULL);
        if (instant > after_s) {
            *ret_s = instant;
            return true;
        }
        local++;
    }
    return false;
}

bool cron_next(const struct cron *c, const struct zone *z, int64_t after_s, int64_t *ret_s) {
    int64_t found = 0;
    assert(after_s > -(INT64_C(1) << 40) && after_s < INT64_C(1) << 40);
    const bool is = c->hours == every_hour ? next_by_time(c, z, after_s, &found)
                                           : next_by_clock(c, z, after_s, &found);
    if (!is || found - after_s > (int64_t)DAYS_MAX * DAY_S) return false;
    *ret_s = found;
    return true;
}
