#include "broker/core/life.h"
#include <assert.h>

struct step { uint8_t to, code; };

static const struct step table[STATUS_COUNT][MOVE_COUNT] = {
#define LIFE(from, move, to, code) \
    [STATUS_##from][MOVE_##move] = {STATUS_##to, CODE_##code},
#include "broker/core/life.def"
#undef LIFE
};

/* A second row for a pair is a second enumerator of one name; a missing one changes the count. */
enum row {
#define LIFE(from, move, to, code) ROW_##from##_##move,
#include "broker/core/life.def"
#undef LIFE
    ROW_COUNT
};
_Static_assert(ROW_COUNT == (STATUS_COUNT - 1) * MOVE_COUNT, "life.def lacks a row");

enum status life_next(enum status from, enum move move, enum code *code) {
    assert(from > STATUS_NONE && from < STATUS_COUNT && move < MOVE_COUNT);
    struct step step = table[from][move];
    *code = (enum code)step.code;
    return (enum status)step.to;
}
