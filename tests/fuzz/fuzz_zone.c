/* Any bytes as the file of a time zone: what is taken has spans that follow each other without a
 * hole, clocks that lead back to the instant, and cron expressions that come due in it. */
#include "proto/base/cron.h"
#include "proto/base/zone.h"
#include <assert.h>
#include <stdlib.h>

enum { INSTANTS = 16, HEAD = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void span_check(const struct zone *z, int64_t at) {
    const struct zone_span s = zone_span(z, at);
    bool gap = false;
    assert(s.from_s <= at && at < s.to_s);
    assert(zone_span(z, s.from_s).from_s == s.from_s);
    if (s.to_s != INT64_MAX) assert(zone_span(z, s.to_s).from_s <= s.to_s);
    const int64_t local = at + s.offset_s, back = zone_instant(z, local, &gap);
    assert(!gap); /* clocks show it: at this instant */
    assert(back <= at && back + zone_span(z, back).offset_s == local);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const expressions[] = {"* * * * *", "30 2 * * *", "0 0 29 2 *",
                                              "15,45 1-3 * * 0"};
    if (size < HEAD) return 0;
    int64_t at = 0;
    for (int i = 0; i < 5; i++) at = at << 8 | data[i];
    at = at % (INT64_C(16) << 30) - (INT64_C(4) << 30); /* 1834 to 2378 */
    uint8_t *copy = malloc(size - HEAD + 1); /* its own end is the sanitizer's */
    assert(copy != NULL);
    for (size_t i = HEAD; i < size; i++) copy[i - HEAD] = data[i];
    struct zone *z = zone_new(slice_of(copy, size - HEAD));
    free(copy);
    if (z == NULL) return 0;
    int64_t step = at;
    for (int i = 0; i < INSTANTS; i++) {
        span_check(z, step);
        const struct zone_span s = zone_span(z, step);
        if (s.to_s == INT64_MAX || s.to_s > INT64_C(1) << 40) break;
        step = s.to_s; /* and the second before it */
        span_check(z, step - 1);
    }
    struct cron c;
    for (int i = 0; i < 4; i++) {
        int64_t due = at, before = at;
        assert(cron_parse(slice_text(expressions[i]), &c, NULL));
        for (int k = 0; k < 3 && cron_next(&c, z, before, &due); k++) {
            assert(due > before);
            before = due;
        }
    }
    zone_destroy(&z);
    return 0;
}
