/* zone.h - what the briefs of a block come to (a zone map): between which times its tasks were
 * made, and how many there are of each kind. Whoever wants none of these kinds or times passes the
 * block over, and who wants all of some kinds counts them without a look at the briefs. Pure. */
#ifndef RELAIS_STORE_ZONE_H
#define RELAIS_STORE_ZONE_H
#include "store/brief.h"
#include <stddef.h>

enum { ZONE_KINDS_MAX = 64 };

struct zone {
    int64_t first_ms, last_ms; /* creation, unix ms; without tasks first_ms > last_ms */
    uint32_t count;
    struct zone_kind { uint32_t lane; uint8_t status, priority; uint16_t count; }
        kinds[ZONE_KINDS_MAX];
};

/* False when the value is not sound (brief.h), or there are more kinds than ZONE_KINDS_MAX. */
bool zone_of(struct slice briefs, struct zone *zone);

/* As much of one as is in use. */
static inline size_t zone_bytes(const struct zone *z) {
    return offsetof(struct zone, kinds) + z->count * sizeof *z->kinds;
}
#endif
