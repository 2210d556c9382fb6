/* answers.h - does a store answer what another answers, and what was fed to it? For the tests of
 * the store, which all work in one temporary folder. */
#ifndef RELAIS_TESTS_UNIT_ANSWERS_H
#define RELAIS_TESTS_UNIT_ANSWERS_H
#include "store/codec.h"
#include "store/store.h"
#include "tests/unit/feed.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static char folder[96] = "/tmp/relais-store-XXXXXX";
static char why[256];
static const uint8_t id_key[16] = "spell of a test";

static inline void wipe(void) {
    char command[600];
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    if (system(command) != 0) abort();
}

static inline struct store_options options(void) {
    return (struct store_options){.folder = folder, .segment_bytes = 1 << 20,
        .tail_bytes_max = 4 << 20, .age_ms_max = 5, .pending_max = 500,
        .ballast_bytes = 1 << 20, .free_bytes_min = 6 << 20, .id_key = id_key};
}

static inline struct store *open_or_die(void) {
    struct store_options o = options();
    struct store *s = store_open(&o, why, sizeof why);
    if (!s) { note("%s", why); exit(1); }
    return s;
}

/* ---- comparing two stores by their answers ---- */

static inline void found(void *context, const struct record *r) { record_encode(context, r); }

static inline uint64_t answer_hash(struct store *s, const struct need *need, uint64_t group) {
    struct buffer b = {0};
    uint64_t hash = 14695981039346656037ull;
    if (!store_load(s, need, group, found, &b, why, sizeof why)) {
        note("need %d: %s", need->kind, why);
        buffer_free(&b);
        return (uint64_t)(uintptr_t)s; /* unequal */
    }
    for (size_t i = 0; i < b.len; i++) hash = (hash ^ b.data[i]) * 1099511628211ull;
    buffer_free(&b);
    return hash;
}

static inline int differs(struct store *a, struct store *b, uint64_t group,
                          const struct need *need) {
    bool same = answer_hash(a, need, group) == answer_hash(b, need, group);
    if (!same) note("need %d id %llu lane %u differs at group %llu", need->kind,
                    (unsigned long long)need->id, need->lane, (unsigned long long)group);
    return !same;
}

static inline int differences(struct store *a, struct store *b, struct feed *f, uint64_t group) {
    int count = 0;
    char name[16];
    struct need need = {.kind = NEED_RESTORE};
    count += differs(a, b, group, &need);
    for (uint32_t lane = 1; lane <= FEED_LANES; lane++)
        for (uint8_t priority = 0; priority < PRIORITY_COUNT; priority++) {
            need = (struct need){.kind = NEED_LANE, .lane = lane, .priority = priority,
                .order = feed_below(f, 2) ? 0 : (1 << 20) + feed_below(f, 2000),
                .count = 1 + feed_below(f, 40)};
            count += differs(a, b, group, &need);
        }
    need = (struct need){.kind = NEED_DUE, .count = 100};
    count += differs(a, b, group, &need);
    need = (struct need){.kind = NEED_DUE, .due_ms = f->now_ms, .order = 9, .count = 10};
    count += differs(a, b, group, &need);
    need = (struct need){.kind = NEED_SWEEP, .id = (1 << 20) + feed_below(f, 500), .count = 50};
    count += differs(a, b, group, &need);
    need = (struct need){.kind = NEED_SWEEP, .object = SWEEP_DEDUPS, .count = 9};
    count += differs(a, b, group, &need);
    need = (struct need){.kind = NEED_SWEEP, .object = SWEEP_OBJECTS, .count = 9,
                         .due_ms = f->now_ms - feed_below(f, 2000),
                         .order = (uint64_t)f->now_ms + feed_below(f, 2000)};
    count += differs(a, b, group, &need);
    for (int i = 0; i < 40; i++) {
        uint64_t id = (1 << 20) + feed_random(f) % (f->next_id - (1 << 20) + 1);
        if (f->count && feed_below(f, 2)) id = f->tasks[feed_below(f, f->count)].head.id;
        need = (struct need){.kind = feed_below(f, 2) ? NEED_TASK : NEED_BODY, .id = id,
                             .seq = feed_below(f, 3)};
        count += differs(a, b, group, &need);
        snprintf(name, sizeof name, "n%u", feed_below(f, FEED_NAMES));
        need = (struct need){.kind = feed_below(f, 2) ? NEED_DEDUP : NEED_OBJECT, .object = 2,
                             .brand = 1 + feed_below(f, 2), .key = slice_text(name)};
        count += differs(a, b, group, &need);
        const struct feed_object *o = &f->objects.list[feed_below(f, FEED_OBJECTS)];
        need = (struct need){.kind = NEED_OBJECT, .object = FEED_OBJECT_KIND,
                             .brand = o->record.brand, .id = o->record.id};
        if (need.id) count += differs(a, b, group, &need);
        need = (struct need){.kind = NEED_FILE, .id = feed_below(f, 60)};
        count += differs(a, b, group, &need);
    }
    return count;
}

static inline void both_append(struct store *a, struct store *b, struct feed *f, uint32_t changes) {
    struct buffer group = {0};
    feed_group(f, &group, changes);
    uint64_t number = store_next_group(a);
    bool fine = store_append(a, number, buffer_slice(&group)) == STORE_OK &&
                store_append(b, number, buffer_slice(&group)) == STORE_OK;
    if (!fine) ok(false, "both stores take a group");
    buffer_free(&group);
}

/* ---- comparing with what the feed knows ---- */

struct seen { uint64_t ids[FEED_TASKS]; uint32_t count, bodies, other; };

static inline void see(void *context, const struct record *r) {
    struct seen *s = context;
    if (r->kind == RECORD_TASK) s->ids[s->count++] = r->task.id;
    else if (r->kind == RECORD_BODY) s->bodies += r->body.id == s->ids[s->count - 1];
    else s->other++;
}

enum sort { BY_ID, BY_ORDER, BY_TYPE, BY_DUE };
static enum sort sort;
static struct feed *sorted_feed;
static inline int compare(const void *a, const void *b) {
    const struct task_head *x = &(*(struct feed_task *const *)a)->head;
    const struct task_head *y = &(*(struct feed_task *const *)b)->head;
    int types = strcmp(sorted_feed->names[x->lane], sorted_feed->names[y->lane]);
    if (sort == BY_TYPE && types) return types;
    if (sort == BY_DUE && x->due_ms != y->due_ms) return x->due_ms < y->due_ms ? -1 : 1;
    if (sort == BY_ORDER) return x->order < y->order ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

typedef bool feed_wants(const struct task_head *t, uint32_t a, uint32_t b);

/* The ids the feed expects, in order. */
static inline uint32_t expect(struct feed *f, feed_wants *wants, uint32_t a, uint32_t b,
                              enum sort how,
                       uint64_t *ids) {
    static struct feed_task *list[FEED_TASKS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (wants(&f->tasks[i].head, a, b)) list[count++] = &f->tasks[i];
    sort = how;
    sorted_feed = f;
    qsort(list, count, sizeof *list, compare);
    for (uint32_t i = 0; i < count; i++) ids[i] = list[i]->head.id;
    return count;
}

static inline bool in_lane(const struct task_head *t, uint32_t lane, uint32_t priority) {
    return t->status == STATUS_QUEUED && t->lane == lane && t->priority == priority;
}
static inline bool in_status(const struct task_head *t, uint32_t brand, uint32_t status) {
    return t->brand == brand && t->status == status;
}
static inline bool in_brand(const struct task_head *t, uint32_t brand, uint32_t any) {
    (void)any;
    return t->brand == brand;
}
static inline bool in_time(const struct task_head *t, uint32_t a, uint32_t b) {
    (void)a;
    (void)b;
    return t->status == STATUS_SCHEDULED;
}
static inline bool active(const struct task_head *t, uint32_t a, uint32_t b) {
    (void)a;
    (void)b;
    return t->status >= STATUS_DELIVERED && t->status <= STATUS_PAUSED;
}

static uint64_t wanted_ids[FEED_TASKS];

static inline int lanes_wrong(struct store *s, struct feed *f) {
    static struct seen seen;
    int wrong = 0;
    for (uint32_t lane = 1; lane <= FEED_LANES; lane++)
        for (uint8_t priority = 0; priority < PRIORITY_COUNT; priority++) {
            uint32_t count = expect(f, in_lane, lane, priority, BY_ORDER, wanted_ids);
            uint32_t max = 1 + feed_below(f, 60);
            struct need need = {.kind = NEED_LANE, .lane = lane, .priority = priority,
                                .count = max};
            seen = (struct seen){0};
            wrong += !store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why);
            if (count > max) count = max;
            wrong += seen.count != count || seen.bodies != count || seen.other ||
                     memcmp(seen.ids, wanted_ids, count * sizeof *wanted_ids);
        }
    return wrong;
}

static inline bool ended(const struct task_head *t, uint32_t a, uint32_t b) {
    (void)a;
    (void)b;
    return status_ended(t->status);
}

/* Steps through all ended tasks, and through all idempotency keys, as the core's sweep does. */
static inline int sweep_wrong(struct store *s, struct feed *f) {
    static struct seen seen, all;
    static struct buffer key;
    uint32_t count = expect(f, ended, 0, 0, BY_ID, wanted_ids);
    struct need need = {.kind = NEED_SWEEP, .count = 1 + feed_below(f, 40)};
    all.count = 0;
    do {
        seen = (struct seen){0};
        if (!store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why)) return 1;
        for (uint32_t i = 0; i < seen.count && all.count < FEED_TASKS; i++)
            all.ids[all.count++] = need.id = seen.ids[i];
    } while (seen.count);
    int wrong = all.count != count || memcmp(all.ids, wanted_ids, count * sizeof *wanted_ids);
    uint32_t keys = 0, whole = 0;
    struct need dedup = {.kind = NEED_SWEEP, .object = 1, .count = 1000};
    for (int step = 0; step < 2; step++) { /* all at once, then one by one */
        for (uint32_t got = 1; got; keys += got) {
            struct buffer answer = {0};
            struct record r = {.kind = RECORD_NONE};
            got = 0;
            dedup.key = buffer_slice(&key);
            if (!store_load(s, &dedup, store_next_group(s) - 1, found, &answer, why, sizeof why))
                return 1;
            for (struct slice in = buffer_slice(&answer); record_decode(&in, &r);) got++;
            buffer_clear(&key);
            if (got) buffer_append(&key, r.dedup.key.data, r.dedup.key.len);
            dedup.brand = got ? r.dedup.brand : 0;
            buffer_free(&answer);
        }
        if (!step) whole = keys;
        dedup.count = 1;
    }
    return wrong + (keys != whole * 2);
}

static inline int due_wrong(struct store *s, struct feed *f) {
    static struct seen seen;
    uint32_t count = expect(f, in_time, 0, 0, BY_DUE, wanted_ids);
    struct need need = {.kind = NEED_DUE, .count = 4000};
    seen = (struct seen){0};
    bool fine = store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why);
    return !fine || seen.count != count || memcmp(seen.ids, wanted_ids, count * sizeof *wanted_ids);
}

static inline int restore_wrong(struct store *s, struct feed *f) {
    static struct seen seen;
    uint32_t count = expect(f, active, 0, 0, BY_ID, wanted_ids);
    struct need need = {.kind = NEED_RESTORE};
    seen = (struct seen){0};
    bool fine = store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why);
    return !fine || seen.count != count || seen.other < f->lane_count + 1;
}

/* Walks all of it in pages, each a new walk from the cursor of the one before. */
static inline uint32_t walk_pages(struct store_view *v, struct walk walk, uint32_t page,
                                  uint64_t *ids,
                           uint32_t max) {
    struct buffer cursor = {0};
    uint32_t count = 0, got = page;
    while (got == page && count < max) {
        struct record r;
        walk.cursor = buffer_slice(&cursor);
        struct store_walk *w = walk_open(v, &walk);
        for (got = 0; got < page && count < max && walk_next(w, &r); got++)
            ids[count++] = r.kind == RECORD_OBJECT ? r.object.id : r.task.id;
        if (walk_trouble(w)) { note("%s", walk_trouble(w)); count = max; }
        if (got) walk_cursor(w, &cursor);
        walk_close(&w);
    }
    buffer_free(&cursor);
    return count;
}

static inline int walk_wrong(struct store_view *v, struct feed *f, struct walk walk,
                             uint32_t count) {
    static uint64_t ids[FEED_TASKS + 1];
    uint32_t page = 1 + feed_below(f, 300);
    int wrong = 0;
    for (int way = 0; way < 2; way++) {
        walk.descending = way;
        uint32_t got = walk_pages(v, walk, page, ids, FEED_TASKS + 1);
        wrong += got != count;
        for (uint32_t i = 0; i < got && got == count; i++)
            if (ids[i] != wanted_ids[way ? count - 1 - i : i]) { wrong++; break; }
    }
    if (wrong) note("walk %d brand %u page %u brief %d", walk.kind, walk.brand, page, walk.brief);
    return wrong;
}

static inline bool of_status(void *context, uint32_t lane, uint8_t status, uint8_t priority) {
    (void)lane;
    (void)priority;
    return status == *(const uint8_t *)context;
}

static inline int walks_wrong(struct store *s, struct feed *f) {
    int wrong = 0;
    struct store_view *v = store_view_open(s, store_next_group(s) - 1, why, sizeof why);
    for (uint32_t brand = 1; brand <= 2; brand++) {
        struct walk walk = {.kind = WALK_TASKS, .brand = brand};
        wrong += walk_wrong(v, f, walk, expect(f, in_brand, brand, 0, BY_ID, wanted_ids));
        for (uint8_t status = STATUS_SCHEDULED; status < STATUS_COUNT; status++) {
            walk.wanted = of_status;
            walk.context = &status;
            walk.brief = feed_below(f, 2);
            uint32_t count = expect(f, in_status, brand, status, BY_ID, wanted_ids);
            wrong += walk_wrong(v, f, walk, count);
        }
    }
    store_view_close(&v);
    return wrong;
}

/* ---- objects ---- */

struct one { uint64_t id; uint32_t version, count; };

static inline void see_one(void *context, const struct record *r) {
    struct one *one = context;
    one->count++;
    if (r->kind == RECORD_OBJECT) one->id = r->object.id, one->version = r->object.version;
}

/* Whether `name` leads to o, or to nothing when o is NULL. */
static inline int name_wrong(struct store *s, uint32_t brand, struct slice name,
                             const struct feed_object *o) {
    struct one one = {0};
    struct need need = {.kind = NEED_OBJECT, .object = FEED_OBJECT_KIND, .brand = brand,
                        .key = name};
    if (!store_load(s, &need, store_next_group(s) - 1, see_one, &one, why, sizeof why)) return 1;
    if (!o) return one.count != 0;
    return one.count != 1 || one.id != o->record.id || one.version != o->record.version;
}

static inline int names_wrong(struct store *s, struct feed *f) {
    int wrong = 0;
    for (uint32_t i = 0; i < FEED_OBJECTS; i++) {
        const struct feed_object *o = &f->objects.list[i];
        struct slice key;
        char name[8];
        snprintf(name, sizeof name, "n%u", i / 2);
        wrong += name_wrong(s, 1 + i % 2, slice_text(name), o->there ? o : NULL);
        for (uint32_t at = 0; o->there && text_next(o->record.keys, &at, &key);)
            wrong += name_wrong(s, 1 + i % 2, key, o);
    }
    for (uint32_t i = 0; i < 2 * FEED_SHARED; i++) {
        char name[16];
        snprintf(name, sizeof name, "shared%u", i / 2);
        wrong += name_wrong(s, 1 + i % 2, slice_text(name), f->objects.holder[i % 2][i / 2]);
    }
    return wrong;
}

static inline int by_number(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Those of a brand and, unless it is empty, of an owner, in order of creation. */
static inline uint32_t expect_objects(const struct feed *f, uint32_t brand, const char *owner) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < FEED_OBJECTS; i++) {
        const struct feed_object *o = &f->objects.list[i];
        if (!o->there || o->record.brand != brand) continue;
        if (*owner && strcmp(o->owner, owner)) continue;
        wanted_ids[count++] = o->record.id;
    }
    qsort(wanted_ids, count, sizeof *wanted_ids, by_number);
    return count;
}

static inline void see_end(void *context, const struct record *r) {
    *(uint32_t *)context += r->object.until_ms != 0;
}

static inline int ends_wrong(struct store *s, const struct feed *f) {
    uint32_t count = 0, got = 0;
    for (uint32_t i = 0; i < FEED_OBJECTS; i++) {
        const struct feed_object *o = &f->objects.list[i];
        count += o->there && o->record.until_ms && o->record.until_ms <= f->now_ms;
    }
    struct need need = {.kind = NEED_SWEEP, .object = SWEEP_OBJECTS, .count = FEED_OBJECTS,
                        .order = (uint64_t)f->now_ms};
    bool fine = store_load(s, &need, store_next_group(s) - 1, see_end, &got, why, sizeof why);
    return !fine || got != count;
}

static inline int objects_wrong(struct store *s, struct feed *f) {
    int wrong = names_wrong(s, f) + ends_wrong(s, f);
    struct store_view *v = store_view_open(s, store_next_group(s) - 1, why, sizeof why);
    for (uint32_t brand = 1; brand <= 2; brand++)
        for (uint32_t i = 0; i <= FEED_OWNERS; i++) {
            char owner[8] = "";
            if (i) snprintf(owner, sizeof owner, "o%u", i - 1);
            struct walk walk = {.kind = WALK_OBJECTS, .object = FEED_OBJECT_KIND, .brand = brand,
                                .owner = slice_text(owner)};
            wrong += walk_wrong(v, f, walk, expect_objects(f, brand, owner));
        }
    store_view_close(&v);
    return wrong;
}

static inline void complain(void *context, const char *text) {
    if ((*(int *)context)++ < 5) note("audit: %s", text);
}

static inline int audit_findings(struct store *s) {
    int said = 0;
    return (int)store_audit(s, complain, &said);
}
#endif
