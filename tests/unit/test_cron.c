/* Cron and time zones: what is taken, what is refused, and 10,000 expressions around changes of the
 * clock against two other calendars (cron/vectors.txt, made by cron/generate.py). */
#include "proto/base/cron.h"
#include "proto/base/date.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static struct slice zone_bytes(const char *name) {
    static uint8_t bytes[ZONE_BYTES_MAX];
    char path[256];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) return (struct slice){0};
    const size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return slice_of(bytes, len);
}

/* Zones that were read, by name; UTC is NULL. */
static const struct zone *zone_of(const char *name) {
    static struct { char name[32]; struct zone *zone; } known[16];
    if (strcmp(name, "UTC") == 0) return NULL;
    for (int i = 0; i < 16; i++) {
        if (known[i].zone == NULL) {
            snprintf(known[i].name, sizeof known[i].name, "%s", name);
            known[i].zone = zone_new(zone_bytes(name));
        }
        if (strcmp(known[i].name, name) == 0) return known[i].zone;
    }
    return NULL;
}

static int64_t seconds(const char *date) {
    int64_t ms = 0;
    return date_parse(slice_text(date), &ms) ? ms / 1000 : INT64_MIN;
}

static const char *next(const char *text, const char *zone, const char *after) {
    static char date[DATE_TEXT_MAX];
    struct cron c;
    const char *why = "";
    int64_t due;
    if (!cron_parse(slice_text(text), &c, &why)) return why;
    if (!cron_next(&c, zone_of(zone), seconds(after), &due)) return "never";
    date_format_s(due * 1000, date);
    return date;
}

static bool taken(const char *text) {
    struct cron c;
    return cron_parse(slice_text(text), &c, NULL);
}

static void test_fields(void) {
    const char *good[] = {"* * * * *", "0 0 1 1 0", "59 23 31 12 7", "*/15 0-6,22 * * MON-FRI",
                          "0 9 * jan-Mar,DEC sun", "\t5  4 * * *  ", "10/20 * * * *",
                          "0 0 29 2 *", "1,2,3-5/2 */4 1-31 * 5-7", "00 09 * * 1"};
    const char *bad[] = {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
                         "* * 32 * *", "* * * 13 *", "* * * 0 *", "* * * * 8", "*/0 * * * *",
                         "5-1 * * * *", "@daily", "a * * * *", "1, * * * *", ",1 * * * *",
                         "1--2 * * * *", "* * L * *", "* * ? * *", "*/61 * * * *", "1/ * * * *",
                         "99999999999 * * * *", "-1 * * * *", "1.5 * * * *", "* * * * MONDAY",
                         "**/2 * * * *", "1 2 3 4 5x", "* * * FEBR *", "0 0 31 2"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) ok(taken(good[i]), good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char fact[64];
        snprintf(fact, sizeof fact, "refused: \"%s\"", bad[i]);
        ok(!taken(bad[i]), fact);
    }
}

static void test_due(void) {
    const char *t = "2026-11-21T10:00:00Z";
    is_text(next("* * * * *", "UTC", t), "2026-11-21T10:01:00Z", "the next minute");
    is_text(next("* * * * *", "UTC", "2026-11-21T10:00:01Z"), "2026-11-21T10:01:00Z",
            "seconds are rounded up");
    is_text(next("0 10 * * *", "UTC", t), "2026-11-22T10:00:00Z", "strictly after");
    is_text(next("0 9 * * 1-5", "UTC", t), "2026-11-23T09:00:00Z", "a weekday");
    is_text(next("0 0 13 * 5", "UTC", t), "2026-11-27T00:00:00Z",
            "day of month or day of week when both are restricted");
    is_text(next("0 0 */1 * 5", "UTC", t), "2026-11-27T00:00:00Z", "*/1 restricts nothing");
    is_text(next("0 0 29 2 *", "UTC", t), "2028-02-29T00:00:00Z", "the leap day");
    is_text(next("0 0 31 2 *", "UTC", t), "never", "31 February never comes");
    is_text(next("0 0 31 4,6,9,11 *", "UTC", t), "never", "nor a 31st of short months");
    is_text(next("0 0 * * 7", "UTC", t), "2026-11-22T00:00:00Z", "7 is Sunday");
    is_text(next("30 5 * * *", "Asia/Kolkata", t), "2026-11-22T00:00:00Z", "a zone of half hours");
    is_text(next("0 9 * * *", "Europe/Paris", "2045-07-01T12:00:00Z"), "2045-07-02T07:00:00Z",
            "past the zone's table its rule goes on: summer");
    is_text(next("0 9 * * *", "Europe/Paris", "2045-12-01T12:00:00Z"), "2045-12-02T08:00:00Z",
            "past the zone's table its rule goes on: winter");
}

static void test_clocks(void) {
    const char *spring = "2026-03-28T23:30:00Z", *autumn = "2026-10-25T00:30:00Z";
    is_text(next("30 2 * * *", "Europe/Paris", spring), "2026-03-29T01:00:00Z",
            "a time in the gap comes due at the first instant after it");
    is_text(next("*/20 2 * * *", "Europe/Paris", "2026-03-29T01:00:00Z"), "2026-03-30T00:00:00Z",
            "and once, however many lay in the gap");
    is_text(next("30 2 * * *", "Europe/Paris", autumn), "2026-10-26T01:30:00Z",
            "a repeated time comes due once, at its first pass");
    is_text(next("30 * * * *", "Europe/Paris", autumn), "2026-10-25T01:30:00Z",
            "what runs every hour runs in both passes");
    is_text(next("15 * * * *", "Europe/Paris", "2026-03-29T00:20:00Z"), "2026-03-29T01:15:00Z",
            "and skips nothing but the gap");
    is_text(next("0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z"), "2011-12-30T10:00:00Z",
            "a day that a zone skipped comes due at its end");
}

static void test_zone_files(void) {
    static uint8_t bytes[ZONE_BYTES_MAX];
    struct slice paris = zone_bytes("Europe/Paris");
    memcpy(bytes, paris.data, paris.len);
    uint32_t read = 0;
    for (uint32_t len = 0; len < paris.len; len++) {
        struct zone *z = zone_new(slice_of(bytes, len));
        read += z != NULL;
        zone_destroy(&z);
    }
    is_int(read, 0, "no beginning of a zone file is a zone file");
    for (uint32_t at = 0; at < paris.len; at++) { /* nothing but what sanitizers see */
        bytes[at] ^= 0xff;
        struct zone *z = zone_new(slice_of(bytes, paris.len));
        if (z != NULL) {
            const struct zone_span s = zone_span(z, 1700000000);
            read += s.from_s > 1700000000 || s.to_s <= 1700000000;
        }
        zone_destroy(&z);
        bytes[at] ^= 0xff;
    }
    is_int(read, 0, "a damaged zone file gives no span that misses its instant");
    ok(zone_name_fits(slice_text("America/Argentina/Buenos_Aires")), "a zone's name");
    ok(!zone_name_fits(slice_text("../../etc/passwd")), "no path leads out");
    ok(!zone_name_fits(slice_text("/etc/passwd")), "nor begins at the root");
    ok(!zone_name_fits(slice_text("")), "a name is not empty");
}

struct tally { int lines, walked, agreed, changes; };

static void line_check(char *line, struct tally *t) {
    char *part[5];
    int parts = 0;
    for (char *at = line; at != NULL && parts < 5; parts++) part[parts] = strsep(&at, "|\n");
    struct cron c;
    if (parts < 5 || !cron_parse(slice_text(part[0]), &c, NULL)) return;
    const struct zone *zone = zone_of(part[1]);
    const int64_t after = strtoll(part[2], NULL, 10) * 60;
    const bool agreed = strcmp(part[4], "=") == 0;
    int64_t at = after, due;
    int same = 0;
    char *want = part[3];
    for (int i = 0; i < 3 && cron_next(&c, zone, at, &due); i++, at = due) {
        same += due - at == strtoll(want, &want, 10) * 60;
        want += *want == ',';
    }
    if (same < 3) note("%s in %s after %s", part[0], part[1], part[2]);
    t->lines++;
    t->walked += same == 3;
    t->agreed += agreed;
    const struct zone_span around = zone_span(zone, after);
    t->changes += !agreed && (around.to_s <= at + 6 * 3600 || around.from_s > after - 3 * 3600);
}

static void test_vectors(const char *path) {
    struct tally t = {0};
    char line[256];
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) line_check(line, &t);
    if (file != NULL) fclose(file);
    is_int(t.lines, 10000, "10,000 vectors were read");
    is_int(t.walked, t.lines, "all come due when a walk over every minute says");
    ok(t.agreed > 9700, "and nearly all when cron-parser says");
    is_int(t.changes, t.lines - t.agreed, "they differ only where the clocks change");
    note("%d of %d agree with cron-parser", t.agreed, t.lines);
}

int main(void) {
    test_fields();
    test_due();
    test_clocks();
    test_zone_files();
    test_vectors("tests/unit/cron/vectors.txt");
    return done();
}
