/* Task entries of the store's pending map: what a burst took goes back, slab by slab. */
#include "store/entries.h"
#include "tests/unit/tap.h"
#include <string.h>

enum { BURST = 100000 };

static struct task_entry *taken[BURST];

static bool take(struct entries *all, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        taken[i] = entry_take(all);
        if (!taken[i]) return false;
        taken[i]->state.id = i + 1;
    }
    return true;
}

static bool whole(size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        if (taken[i]->state.id != i + 1) return false;
    return true;
}

int main(void) {
    struct entries all = {0};
    size_t burst = 0;

    ok(take(&all, 0, BURST) && whole(0, BURST), "a hundred thousand entries do not overlap");
    burst = all.slabs;
    for (size_t i = 0; i < BURST; i++) entry_give_back(&all, taken[i]);
    is_int(all.slabs, 1, "when all have gone one slab is spared");

    ok(take(&all, 0, BURST), "the next burst finds room");
    is_int(all.slabs, burst, "as much as the first");
    for (size_t i = 0; i < BURST / 2; i++) entry_give_back(&all, taken[i]);
    ok(all.slabs <= burst / 2 + 2, "when the older half has gone so have its slabs");
    ok(whole(BURST / 2, BURST), "the younger half is untouched");
    ok(take(&all, 0, BURST / 4) && whole(BURST / 2, BURST), "those that come now share none of it");
    ok(all.slabs <= burst * 3 / 4 + 3, "and fill the room that there is");
    for (size_t i = 0; i < BURST / 4; i++) entry_give_back(&all, taken[i]);
    for (size_t i = BURST / 2; i < BURST; i++) entry_give_back(&all, taken[i]);
    is_int(all.slabs, 1, "in the end one slab is left");

    struct task_entry *e = entry_take(&all);
    ok(e && e->state.id == 0 && !e->dirty, "an entry that comes again is as new");
    entry_give_back(&all, e);
    entries_free(&all);
    is_int(all.slabs, 0, "and nothing stays");
    return done();
}
