/* brief.h - what lists tell tasks apart by, many tasks in one value.
 *
 * A brand's tasks whose numbers agree but for the last BLOCK_BITS share a block. Its value has
 * BRIEF_BYTES for each, in the order of ids:
 *   2 the last bits of the id, 1 status | priority << 4, 4 lane, 8 creation (unix ms)
 * all little-endian. What is written is added to what is there (the table merges it): of a task
 * the newest counts, and one with status 0 is gone. Pure. */
#ifndef RELAIS_STORE_BRIEF_H
#define RELAIS_STORE_BRIEF_H
#include "proto/base/bytes.h"
#include "proto/record.h"

enum { BLOCK_BITS = 11, BLOCK_IDS = 1 << BLOCK_BITS, BRIEF_BYTES = 15 };

static inline uint64_t block_of(uint64_t id) { return id >> BLOCK_BITS; }

struct brief {
    uint64_t id;
    int64_t created_ms;
    uint32_t lane;
    uint8_t status, priority;
};

static inline struct brief brief_of(const struct task_head *t) {
    return (struct brief){t->id, t->created_ms, t->lane, t->status, t->priority};
}
void brief_put(struct buffer *b, const struct brief *brief);
/* The n-th of a block; n below len / BRIEF_BYTES. */
struct brief brief_at(struct slice value, uint64_t block, uint32_t n);
/* Whether a value is one. */
bool brief_sound(struct slice value);
/* What the table does with the parts of a value, oldest first: appends the result to `out`. whole:
 * nothing is older than these, so that those that are gone need not be told any more. False when
 * one is damaged, as far as that shows here, or memory is out. */
bool brief_merge(const struct slice *parts, size_t count, bool whole, struct buffer *out);
#endif
