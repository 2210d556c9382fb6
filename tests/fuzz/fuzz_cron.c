/* Any text as a cron expression, from any moment on, in some zones: what is taken comes due after
 * the moment, in order, where its fields say, and at no earlier minute. */
#include "proto/base/cron.h"
#include "proto/base/date.h"
#include "proto/host/zones.h"
#include <assert.h>
#include <string.h>

enum { DAY_S = 86400, LOOK_MINUTES = 3000, RUNS = 6, HEAD = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct zone *zone_drawn(uint8_t number) {
    static const char *const names[] = {"UTC", "Europe/Paris", "America/New_York",
                                        "Australia/Lord_Howe", "Asia/Kathmandu"};
    static struct zone *zones[5];
    static bool read;
    for (size_t i = 0; i < 5 && !read; i++) zones_open(slice_text(names[i]), &zones[i]);
    read = true;
    return zones[number % 5];
}

/* Whether the fields name the minute of UTC; written anew, without the calendar under test. */
static bool named(const struct cron *c, int64_t at_s) {
    const int64_t days = at_s / DAY_S - (at_s % DAY_S < 0);
    const int64_t second = at_s - days * DAY_S;
    const struct date d = date_from_days(days);
    const bool any_day = (c->days >> 1 & 0x7fffffff) == 0x7fffffff;
    const bool any_weekday = (c->weekdays & 0x7f) == 0x7f;
    const bool day = c->days >> d.day & 1, weekday = c->weekdays >> ((days % 7 + 11) % 7) & 1;
    return c->minutes >> second / 60 % 60 & 1 && c->hours >> second / 3600 & 1 &&
           c->months >> d.month & 1 &&
           (any_day ? weekday : any_weekday ? day : day || weekday);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cron c;
    const char *why = NULL;
    if (size < HEAD) return 0;
    const struct zone *zone = zone_drawn(data[0]);
    int64_t at = 0, due;
    for (int i = 1; i < HEAD; i++) at = at << 8 | data[i]; /* to about the year 36,000 */
    at %= INT64_C(8) << 30;
    if (!cron_parse(slice_of(data + HEAD, size - HEAD), &c, &why)) {
        assert(why != NULL && *why != '\0');
        return 0;
    }
    for (int run = 0; run < RUNS && cron_next(&c, zone, at, &due); run++) {
        int64_t again;
        assert(due > at && due % 60 == 0);
        assert(cron_next(&c, zone, due - 1, &again) && again == due);
        if (zone == NULL) {
            assert(named(&c, due));
            for (int64_t m = at / 60 + 1, i = 0; m * 60 < due && i < LOOK_MINUTES; m++, i++)
                assert(!named(&c, m * 60));
        }
        at = due;
    }
    return 0;
}
