#include "store/zone.h"
#include <string.h>

enum { SLOTS = 4 * ZONE_KINDS_MAX /* a power of two: mostly the first one looked at fits */ };

static bool is_kind(const struct zone_kind *k, const struct brief *b) {
    return k->lane == b->lane && k->status == b->status && k->priority == b->priority;
}

/* NULL when there are too many. slots: places in the zone's kinds, from 1 on. */
static struct zone_kind *kind_of(struct zone *z, uint8_t slots[SLOTS], const struct brief *b) {
    uint32_t at = b->lane * 31 + b->status * 7u + b->priority;
    for (;; at++) {
        uint8_t *slot = &slots[at & (SLOTS - 1)];
        if (*slot && is_kind(&z->kinds[*slot - 1], b)) return &z->kinds[*slot - 1];
        if (*slot) continue;
        if (z->count == ZONE_KINDS_MAX) return NULL;
        z->kinds[z->count] = (struct zone_kind){b->lane, b->status, b->priority, 0};
        *slot = (uint8_t)++z->count;
        return &z->kinds[z->count - 1];
    }
}

bool zone_of(struct slice briefs, struct zone *z) {
    uint8_t slots[SLOTS] = {0};
    struct zone_kind *last = NULL;
    z->first_ms = INT64_MAX;
    z->last_ms = INT64_MIN;
    z->count = 0;
    if (!brief_sound(briefs)) return false;
    for (uint32_t i = 0; i < briefs.len / BRIEF_BYTES; i++) {
        const struct brief b = brief_at(briefs, 0, i);
        if (b.status == STATUS_NONE) continue;
        if (!last || !is_kind(last, &b)) last = kind_of(z, slots, &b);
        if (!last) return false;
        last->count++;
        if (b.created_ms < z->first_ms) z->first_ms = b.created_ms;
        if (b.created_ms > z->last_ms) z->last_ms = b.created_ms;
    }
    return true;
}
