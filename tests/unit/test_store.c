/* The store on disk answers what the store in memory answers, whatever was written before, in
 * whatever state of materialisation, and after every kind of end. */
#include "store/store.h"
#include "store/codec.h"
#include "tests/unit/feed.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/relais-store-XXXXXX";
static char why[256];

static void wipe(void) {
    char command[200];
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    if (system(command) != 0) abort();
}

static struct store_options options(void) {
    return (struct store_options){.folder = folder, .segment_bytes = 1 << 20,
        .tail_bytes_max = 4 << 20, .age_ms_max = 5, .pending_max = 500,
        .ballast_bytes = 1 << 20, .free_bytes_min = 1 << 20};
}

static struct store *open_or_die(void) {
    struct store_options o = options();
    struct store *s = store_open(&o, why, sizeof why);
    if (!s) { note("%s", why); exit(1); }
    return s;
}

/* ---- comparing two stores by their answers ---- */

static void found(void *context, const struct record *r) { record_encode(context, r); }

static uint64_t answer_hash(struct store *s, const struct need *need, uint64_t group) {
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

static int differs(struct store *a, struct store *b, uint64_t group, const struct need *need) {
    bool same = answer_hash(a, need, group) == answer_hash(b, need, group);
    if (!same) note("need %d id %llu lane %u differs at group %llu", need->kind,
                    (unsigned long long)need->id, need->lane, (unsigned long long)group);
    return !same;
}

static int differences(struct store *a, struct store *b, struct feed *f, uint64_t group) {
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
    }
    return count;
}

static void both_append(struct store *a, struct store *b, struct feed *f, uint32_t changes) {
    struct buffer group = {0};
    feed_group(f, &group, changes);
    uint64_t number = store_next_group(a);
    bool fine = store_append(a, number, buffer_slice(&group)) == STORE_OK &&
                store_append(b, number, buffer_slice(&group)) == STORE_OK;
    if (!fine) ok(false, "both stores take a group");
    buffer_free(&group);
}

static void disk_answers_like_memory(void) {
    wipe();
    struct feed *f = feed_new(1);
    struct store *disk = open_or_die(), *memory = store_open_memory(NULL);
    int wrong = 0, reopened = 0;
    for (int round = 0; round < 300; round++) {
        for (uint32_t i = feed_below(f, 6); i < 6; i++) both_append(disk, memory, f, feed_below(f, 90));
        wrong += differences(disk, memory, f, store_next_group(disk) - 1);
        if (round % 30 == 29) {
            store_close(&disk);
            disk = open_or_die();
            if (store_next_group(disk) != store_next_group(memory)) wrong++;
            wrong += differences(disk, memory, f, store_next_group(disk) - 1);
            reopened++;
        }
        if (feed_below(f, 3) == 0) nanosleep(&(struct timespec){0, 7000000}, NULL);
    }
    struct store_stats stats;
    store_stats(disk, &stats);
    note("%llu table batches since the last open, reached %llu of %llu, %u tasks",
         (unsigned long long)stats.table_batches, (unsigned long long)stats.reached,
         (unsigned long long)store_next_group(disk) - 1, f->count);
    is_int(wrong, 0, "every need has the same answer from disk and from memory, across restarts");
    is_int(reopened, 10, "the store was closed and opened ten times");
    ok(stats.reached > 0, "the table was written");
    store_close(&disk);
    store_close(&memory);
    free(f);
}

int main(void) {
    if (!mkdtemp(folder)) return 1;
    disk_answers_like_memory();
    wipe();
    rmdir(folder);
    return done();
}
