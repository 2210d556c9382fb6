#include "proto/base/date.h"
#include <assert.h>

enum { DAY_S = 86400, ERA_DAYS = 146097, ERA_START = 719468 }; /* an era is 400 years, from March */

static const int64_t ms_min = -62167219200000, ms_max = 253402300799999;

static bool is_leap(int32_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

uint8_t date_month_days(int32_t year, uint8_t month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    assert(month >= 1 && month <= 12);
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Years are counted from March, so that the leap day is a year's last day. */
int64_t date_to_days(struct date date) {
    assert(date.month >= 1 && date.month <= 12);
    int64_t year = date.year - (date.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * ((date.month + 9) % 12) + 2) / 5 + date.day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - ERA_START;
}

struct date date_from_days(int64_t days) {
    days += ERA_START;
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day = days - era * ERA_DAYS;
    int64_t of_era = (day - day / 1460 + day / 36524 - day / (ERA_DAYS - 1)) / 365;
    int64_t of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    int64_t march = (5 * of_year + 2) / 153;
    int64_t month = march < 10 ? march + 3 : march - 9;
    return (struct date){.year = (int32_t)(of_era + era * 400 + (month <= 2)),
                         .month = (uint8_t)month,
                         .day = (uint8_t)(of_year - (153 * march + 2) / 5 + 1)};
}

static char *put_digits(char *at, int64_t number, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + digits;
}

static char *put_seconds(char *at, int64_t ms) {
    int64_t seconds = (ms - ((ms % 1000) + 1000) % 1000) / 1000;
    int64_t of_day = ((seconds % DAY_S) + DAY_S) % DAY_S;
    struct date date = date_from_days((seconds - of_day) / DAY_S);
    at = put_digits(at, date.year, 4);
    *at++ = '-';
    at = put_digits(at, date.month, 2);
    *at++ = '-';
    at = put_digits(at, date.day, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60 % 60, 2);
    *at++ = ':';
    return put_digits(at, of_day % 60, 2);
}

static int64_t clamp(int64_t ms) { return ms < ms_min ? ms_min : ms > ms_max ? ms_max : ms; }

void date_format_ms(int64_t ms, char text[static DATE_TEXT_MAX]) {
    ms = clamp(ms);
    char *at = put_seconds(text, ms);
    *at++ = '.';
    at = put_digits(at, ((ms % 1000) + 1000) % 1000, 3);
    memcpy(at, "Z", 2);
}

void date_format_s(int64_t ms, char text[static DATE_TEXT_MAX]) {
    memcpy(put_seconds(text, clamp(ms)), "Z", 2);
}

static bool take_digits(struct slice *text, uint32_t digits, int32_t *number) {
    if (text->len < digits) {
        return false;
    }
    int32_t value = 0;
    for (uint32_t i = 0; i < digits; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') {
            return false;
        }
        value = value * 10 + (text->data[i] - '0');
    }
    *text = slice_of(text->data + digits, text->len - digits);
    *number = value;
    return true;
}

/* One byte of `choices`, which it returns; 0 when there is none. */
static char take_one(struct slice *text, const char *choices) {
    if (text->len == 0 || text->data[0] == 0 || strchr(choices, text->data[0]) == NULL) {
        return 0;
    }
    char byte = (char)text->data[0];
    *text = slice_of(text->data + 1, text->len - 1);
    return byte;
}

static bool take_day(struct slice *text, int64_t *days) {
    int32_t year, month, day;
    if (!take_digits(text, 4, &year) || !take_one(text, "-") || !take_digits(text, 2, &month) ||
        !take_one(text, "-") || !take_digits(text, 2, &day)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > date_month_days(year, (uint8_t)month)) {
        return false;
    }
    *days = date_to_days((struct date){year, (uint8_t)month, (uint8_t)day});
    return true;
}

static bool take_clock(struct slice *text, int64_t *seconds) {
    int32_t hour, minute, second;
    if (!take_digits(text, 2, &hour) || !take_one(text, ":") || !take_digits(text, 2, &minute) ||
        !take_one(text, ":") || !take_digits(text, 2, &second)) {
        return false;
    }
    *seconds = hour * 3600 + minute * 60 + second;
    return hour <= 23 && minute <= 59 && second <= 60;
}

static bool take_fraction(struct slice *text, int64_t *ms) {
    *ms = 0;
    if (!take_one(text, ".")) {
        return true;
    }
    int32_t digit;
    int32_t scale = 100;
    if (!take_digits(text, 1, &digit)) {
        return false;
    }
    do {
        *ms += (int64_t)digit * scale;
        scale /= 10;
    } while (take_digits(text, 1, &digit));
    return true;
}

static bool take_zone(struct slice *text, int64_t *seconds) {
    *seconds = 0;
    if (take_one(text, "Zz")) {
        return true;
    }
    int32_t hour, minute;
    char sign = take_one(text, "+-");
    if (!sign || !take_digits(text, 2, &hour) || !take_one(text, ":") ||
        !take_digits(text, 2, &minute) || hour > 23 || minute > 59) {
        return false;
    }
    *seconds = (hour * 3600 + minute * 60) * (sign == '-' ? -1 : 1);
    return true;
}

bool date_parse(struct slice text, int64_t *ms) {
    int64_t days, seconds, fraction, zone;
    if (!take_day(&text, &days) || !take_one(&text, "Tt ") || !take_clock(&text, &seconds) ||
        !take_fraction(&text, &fraction) || !take_zone(&text, &zone) || text.len != 0) {
        return false;
    }
    int64_t value = (days * DAY_S + seconds - zone) * 1000 + fraction;
    if (value < ms_min || value > ms_max) {
        return false;
    }
    *ms = value;
    return true;
}
