/* Any bytes as stored records: what decodes encodes back to the same record, and a store that is
 * given it, however senseless, answers every need and every walk. */
#include "store/codec.h"
#include "store/store.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void found(void *context, const struct record *r) { record_encode(context, r); }
static void complain(void *context, const char *finding) {
    (void)context;
    (void)finding;
}

/* Encodes every record that decodes; the codec's own spelling of them. */
static void collect(struct slice in, struct buffer *out) {
    struct record r, again;
    while (in.len && record_decode(&in, &r)) {
        size_t at = out->len;
        record_encode(out, &r);
        struct slice mine = slice_of(out->data + at, out->len - at);
        assert(record_decode(&mine, &again) && mine.len == 0 && again.kind == r.kind);
    }
}

static void ask(struct store *s, const struct record *r) {
    struct buffer answer = {0};
    char why[256];
    uint64_t group = store_next_group(s) - 1;
    for (enum need_kind kind = NEED_TASK; kind <= NEED_SWEEP; kind++) {
        struct need need = {.kind = kind, .count = 10, .lane = 1, .priority = 1, .brand = 1};
        if (record_of_task(r->kind)) need.id = r->task.id; /* the id comes first in all of them */
        if (r->kind == RECORD_TASK) {
            need.lane = r->task.lane;
            need.priority = r->task.priority;
        }
        buffer_clear(&answer);
        store_load(s, &need, group, found, &answer, why, sizeof why);
    }
    buffer_free(&answer);
}

static void walk(struct store *s) {
    char why[256];
    struct store_view *v = store_view_open(s, store_next_group(s) - 1, why, sizeof why);
    assert(v);
    for (enum walk_kind kind = WALK_TASKS; kind <= WALK_FILES; kind++)
        for (uint32_t brand = 0; brand < 3; brand++) {
            struct walk ask_for = {.kind = kind, .brand = brand, .descending = brand & 1};
            struct record r;
            struct store_walk *w = walk_open(v, &ask_for);
            while (walk_next(w, &r)) assert(r.kind != RECORD_NONE);
            walk_close(&w);
        }
    store_view_close(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer group = {0};
    if (size > 1 << 16) return 0;
    collect(slice_of(data, size), &group);
    assert(!group.failed);
    struct store *s = store_open_memory(NULL);
    struct slice in = buffer_slice(&group);
    struct record r;
    if (in.len && store_append(s, 1, in) == STORE_OK) {
        for (int i = 0; i < 8 && record_decode(&in, &r); i++) ask(s, &r);
        walk(s);
        store_audit(s, complain, NULL);
    }
    store_close(&s);
    buffer_free(&group);
    return 0;
}
