/* Blocks in memory: what is given is what the table has, for whoever reads as of whatever batch. */
#include "store/block_cache.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

enum { BRAND = 7, VALUE_BYTES = 1000 };

static void put(struct block_cache *c, struct shelf *s, uint64_t block, uint64_t batch,
                const char *text) {
    const struct slice value = slice_text(text ? text : "");
    struct block_value *v = shelf_put(c, s, KEY_BRIEF, block, batch, text ? &value : NULL);
    block_value_drop(&v);
}

/* "": there is none; "-": it says that the table has none. */
static const char *get(struct block_cache *c, struct shelf *s, uint64_t block, uint64_t batch) {
    static char text[16];
    struct block_value *v = shelf_get(c, s, KEY_BRIEF, block, batch);
    snprintf(text, sizeof text, "%s", !v ? "" : v->absent ? "-" : "");
    if (v && !v->absent) snprintf(text, sizeof text, "%.*s", (int)v->bytes.len, v->bytes.data);
    block_value_drop(&v);
    return text;
}

static void batch(struct block_cache *c, uint64_t block) {
    block_cache_begin(c);
    block_cache_touch(c, BRAND, block);
    block_cache_end(c);
}

static void what_changed_is_not_given(void) {
    struct block_cache *c = block_cache_new(1 << 20);
    struct shelf *s = shelf_enter(c, BRAND, block_cache_batch(c));
    put(c, s, 5, 0, "old");
    is_text(get(c, s, 5, 0), "old", "a value is given as it was put");
    is_text(get(c, s, 6, 0), "", "of another block there is none");
    batch(c, 5);
    is_text(get(c, s, 5, 1), "", "once its block has changed it is not given");
    is_text(get(c, s, 5, 0), "", "not even to who reads as of before");
    put(c, s, 5, 1, "new");
    is_text(get(c, s, 5, 1), "new", "read anew it is");
    is_text(get(c, s, 5, 0), "", "but not to who reads as of before the change");
    put(c, s, 5, 0, "old");
    is_text(get(c, s, 5, 1), "new", "what was read earlier does not come in its place");
    block_cache_begin(c);
    block_cache_touch(c, BRAND, 5);
    put(c, s, 5, 1, "half");
    is_text(get(c, s, 5, 1), "", "what is being written is not given either");
    block_cache_end(c);
    shelf_leave(c, s);
    block_cache_free(&c);
}

static void who_reads_as_of_before_has_no_shelf(void) {
    struct block_cache *c = block_cache_new(1 << 20);
    const uint64_t before = block_cache_batch(c);
    batch(c, 5);
    ok(shelf_enter(c, BRAND, before) == NULL, "changes of before the shelf was made are unknown");
    struct shelf *s = shelf_enter(c, BRAND, block_cache_batch(c));
    ok(s != NULL, "who reads as of now needs none of them");
    shelf_leave(c, s);
    block_cache_free(&c);
}

static uint64_t next_of(struct block_cache *c, struct shelf *s, uint64_t edge, bool descending) {
    uint64_t block, known;
    return shelf_next(c, s, edge, descending, &block, &known) ? block : 0;
}

static void known_blocks_are_walked(void) {
    struct block_cache *c = block_cache_new(1 << 20);
    struct shelf *s = shelf_enter(c, BRAND, 0);
    batch(c, 3);
    put(c, s, 9, 1, "nine");
    is_int((long long)next_of(c, s, 100, true), 0, "nothing is known for sure at first");
    put(c, s, 8, 1, "eight");
    shelf_extend(c, s, 8);
    batch(c, 12);
    is_int((long long)next_of(c, s, 100, true), 12, "a block that is new is known");
    is_int((long long)next_of(c, s, 12, true), 9, "downwards the edge is not part of it");
    is_int((long long)next_of(c, s, 8, true), 0, "what is not known for sure is not given");
    is_int((long long)next_of(c, s, 9, false), 9, "upwards it is");
    put(c, s, 9, 2, NULL);
    is_text(get(c, s, 9, 2), "-", "that a block is gone is known, too");
    shelf_leave(c, s);
    s = shelf_enter(c, BRAND, 2);
    is_int((long long)next_of(c, s, 12, true), 8, "and it is forgotten when nobody is there");
    shelf_leave(c, s);
    block_cache_free(&c);
}

static void memory_is_bounded(void) {
    struct block_cache *c = block_cache_new(1000 * VALUE_BYTES);
    char text[VALUE_BYTES + 1] = "";
    int kept = 0;
    memset(text, 'a', VALUE_BYTES);
    struct shelf *s = shelf_enter(c, BRAND, 0);
    for (uint64_t block = 0; block < 5000; block++) put(c, s, block, 0, text);
    for (uint64_t block = 0; block < 5000; block++) kept += get(c, s, block, 0)[0] != 0;
    ok(kept > 500 && kept < 1000, "as many values are kept as there is room for");
    struct block_value *held = shelf_put(c, s, KEY_TEXT, 1, 0, &(struct slice){0});
    ok(held && held->bytes.len == 0, "what is not kept is given all the same");
    shelf_leave(c, s);
    ok(block_cache_bytes(c) <= 1000 * VALUE_BYTES, "within the bound");
    for (uint32_t brand = 100; brand < 3000; brand++)
        shelf_leave(c, shelf_enter(c, brand, 0));
    ok(block_cache_bytes(c) <= 1000 * VALUE_BYTES, "however many brands there are");
    block_value_drop(&held);
    block_cache_free(&c);
}

int main(void) {
    what_changed_is_not_given();
    who_reads_as_of_before_has_no_shelf();
    known_blocks_are_walked();
    memory_is_bounded();
    return done();
}
