#include "broker/core/bond.h"
#include "broker/core/cache.h"
#include "broker/core/object.h"
#include "broker/core/sweep.h"
#include "broker/core/task.h"

/* The kinds of scope TASK; 0 stands for all others. */
static const uint8_t kinds[] = {
#define OBJECT(name, number, text, scope, body_max, sentence) \
    SCOPE_##scope == SCOPE_TASK ? number : 0,
#include "broker/core/object.def"
#undef OBJECT
};
enum { KINDS = sizeof kinds, NUMBER_DIGITS = 20 };

uint64_t bond_number(struct slice name) {
    uint64_t number = 0;
    if (!name.len || name.len > NUMBER_DIGITS - 1 || name.data[0] == '0') return 0;
    for (uint32_t i = 0; i < name.len; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') return 0;
        number = number * 10 + (uint64_t)(name.data[i] - '0');
    }
    return number;
}

void bond_tie(struct core *c, struct task *t) {
    if (t->head.flags & TASK_BOUND) return;
    t->head.flags |= TASK_BOUND;
    task_change(c, t, CHANGE_HEAD);
}

/* text: NUMBER_DIGITS bytes, which live as long as the need. */
static struct need need_of(const struct task *t, uint8_t kind, uint8_t *text) {
    uint32_t at = NUMBER_DIGITS;
    for (uint64_t n = t->head.id; n > 0; n /= 10) text[--at] = (uint8_t)('0' + n % 10);
    return (struct need){.kind = NEED_OBJECT, .object = kind, .brand = t->head.brand,
                         .key = slice_of(text + at, NUMBER_DIGITS - at)};
}

enum found bond_find(struct core *c, const struct event *e, const struct task *t) {
    enum found found = HELD;
    uint8_t text[NUMBER_DIGITS];
    struct object *o;
    if (!(t->head.flags & TASK_BOUND)) return HELD;
    for (size_t i = 0; i < KINDS; i++) {
        if (!kinds[i]) continue;
        if (found == ASKED && !c->resuming) return ASKED; /* it could not be parked */
        const struct need need = need_of(t, kinds[i], text);
        if (cache_find(c, e, &need, &o) == ASKED) found = ASKED;
    }
    return found;
}

/* Asks for what is not held. True when nothing is missing. */
static bool bond_held(struct core *c, const struct task *t) {
    bool held = true;
    uint8_t text[NUMBER_DIGITS];
    for (size_t i = 0; i < KINDS; i++) {
        if (!kinds[i]) continue;
        const struct need need = need_of(t, kinds[i], text);
        if (cache_named(c, &need)) continue;
        held = false;
        want(c, &need);
    }
    return held;
}

bool bond_swept(struct core *c, struct task *t) {
    if (!(t->head.flags & TASK_BOUND) || bond_held(c, t)) return true;
    t->leaving = true;
    return false;
}

void bond_loaded(struct core *c, const struct event *e) {
    struct task *t = e->more ? NULL : task_held(c, bond_number(e->need.key));
    if (!t || !t->leaving || t->head.brand != e->need.brand) return;
    const bool stays = task_gone(t) || !sweep_expired(c, &t->head);
    if (!stays && !bond_held(c, t)) return; /* of another kind, or it had to make room already */
    t->leaving = false;
    if (stays) task_rest(c, t);
    else task_remove(c, t);
}

void bond_end(struct core *c, const struct task *t) {
    uint8_t text[NUMBER_DIGITS];
    if (!(t->head.flags & TASK_BOUND) || core_bug(c, BUG_LEFT_BEHIND)) return;
    for (size_t i = 0; i < KINDS; i++) {
        if (!kinds[i]) continue;
        const struct need need = need_of(t, kinds[i], text);
        struct object *o = cache_named(c, &need);
        assert(o != NULL);
        if (!o->gone) object_leave(c, o);
    }
}
