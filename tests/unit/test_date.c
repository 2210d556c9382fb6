/* RFC 3339 both ways, against the C library's calendar and by cases. */
#include "proto/base/date.h"
#include "proto/base/random.h"
#include "tests/unit/tap.h"
#include <time.h>

static int64_t parse(const char *text) {
    int64_t ms = -1;
    return date_parse(slice_text(text), &ms) ? ms : INT64_MIN;
}

static void test_format(void) {
    char text[DATE_TEXT_MAX];
    date_format_ms(0, text);
    is_text(text, "1970-01-01T00:00:00.000Z", "zero is the epoch");
    date_format_ms(-1, text);
    is_text(text, "1969-12-31T23:59:59.999Z", "times before it are formatted");
    date_format_s(-1, text);
    is_text(text, "1969-12-31T23:59:59Z", "seconds are rounded down");
    date_format_ms(1709164800123, text);
    is_text(text, "2024-02-29T00:00:00.123Z", "a leap day");
    date_format_ms(INT64_MAX, text);
    is_text(text, "9999-12-31T23:59:59.999Z", "a time past year 9999 prints as its end");
    date_format_s(INT64_MIN, text);
    is_text(text, "0000-01-01T00:00:00Z", "a time before year 0 prints as its start");
}

static void test_against_libc(void) {
    struct random r = random_seed(5);
    bool formatted = true, parsed = true;
    for (unsigned i = 0; i < 200000; i++) {
        int64_t s = (int64_t)random_below(&r, 315569520000) - 62167219200;
        char text[DATE_TEXT_MAX], want[64];
        time_t seconds = (time_t)s;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        date_format_s(s * 1000 + 999, text);
        formatted = formatted && strcmp(text, want) == 0;
        parsed = parsed && parse(text) == s * 1000;
    }
    ok(formatted, "200,000 random times print as the C library's calendar has them");
    ok(parsed, "and come back");
}

static void test_parse(void) {
    is_int(parse("1985-04-12T23:20:50.52Z"), 482196050520, "RFC 3339's first example");
    is_int(parse("1996-12-19T16:39:57-08:00"), 851042397000, "RFC 3339's second example");
    is_int(parse("1990-12-31T23:59:60Z"), parse("1991-01-01T00:00:00Z"),
           "a leap second is the next minute");
    is_int(parse("1937-01-01T12:00:27.87+00:20"), parse("1937-01-01T11:40:27.87Z"),
           "an offset is taken off");
    is_int(parse("2026-11-21t10:00:00z"), parse("2026-11-21 10:00:00Z"), "t, z and a blank");
    is_int(parse("2026-11-21T10:00:00.1239999Z"), parse("2026-11-21T10:00:00.123Z"),
           "below milliseconds is cut off");
    is_int(parse("0000-01-01T00:00:00Z"), -62167219200000, "year 0 is the first");
}

static void test_refusals(void) {
    static const char *const bad[] = {
        "", "2026", "2026-11-21", "2026-11-21T10:00Z", "2026-11-21T10:00:00",
        "2026-11-21T10:00:00.Z", "2026-11-21T10:00:00,5Z", "2026-11-21T24:00:00Z",
        "2026-11-21T10:60:00Z", "2026-11-21T10:00:61Z", "2026-13-21T10:00:00Z",
        "2026-00-21T10:00:00Z", "2026-11-31T10:00:00Z", "2026-11-00T10:00:00Z",
        "2023-02-29T10:00:00Z", "1900-02-29T10:00:00Z", "2026-11-21T10:00:00+24:00",
        "2026-11-21T10:00:00+0100", "2026-11-21T10:00:00 Z", " 2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00Zx", "+026-11-21T10:00:00Z", "2026-1-21T10:00:00Z",
        "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2026-11-21T10:00:00Z\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char fact[80];
        snprintf(fact, sizeof fact, "case %zu is refused", i + 1);
        if (!ok(parse(bad[i]) == INT64_MIN, fact)) {
            note("%s", bad[i]);
        }
    }
    int64_t ms = 5;
    ok(!date_parse(slice_of("2026-11-21T10:00:00Z\0", 21), &ms) && ms == 5,
       "a NUL is refused and the output is untouched");
}

static void test_calendar(void) {
    bool same = true;
    struct date last = date_from_days(date_to_days((struct date){0, 1, 1}) - 1);
    for (int64_t day = date_to_days((struct date){0, 1, 1}); day < 2932897; day++) {
        struct date d = date_from_days(day);
        bool next = d.day == last.day + 1 ||
                    (d.day == 1 && last.day == date_month_days(last.year, last.month) &&
                     (d.month == last.month + 1 || (d.month == 1 && d.year == last.year + 1)));
        same = same && next && date_to_days(d) == day;
        last = d;
    }
    ok(same, "all days of the years 0 to 9999 follow each other");
}

int main(void) {
    test_format();
    test_against_libc();
    test_parse();
    test_refusals();
    test_calendar();
    return done();
}
