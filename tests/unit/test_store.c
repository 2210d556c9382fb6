/* The store on disk answers what the store in memory answers, whatever was written before, in
 * whatever state of materialisation, and after every kind of end. */
#include "store/store.h"
#include "store/codec.h"
#include "tests/unit/feed.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[96] = "/tmp/relais-store-XXXXXX";
static char why[256];

static void wipe(void) {
    char command[600];
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    if (system(command) != 0) abort();
}

static struct store_options options(void) {
    return (struct store_options){.folder = folder, .segment_bytes = 1 << 20,
        .tail_bytes_max = 4 << 20, .age_ms_max = 5, .pending_max = 500,
        .ballast_bytes = 1 << 20, .free_bytes_min = 6 << 20};
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
    need = (struct need){.kind = NEED_SWEEP, .object = 1, .count = 9};
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
    for (int round = 0; round < 120; round++) {
        for (uint32_t i = feed_below(f, 6); i < 6; i++)
            both_append(disk, memory, f, feed_below(f, 90));
        wrong += differences(disk, memory, f, store_next_group(disk) - 1);
        if (round % 12 == 11) {
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

/* ---- comparing with what the feed knows ---- */

struct seen { uint64_t ids[FEED_TASKS]; uint32_t count, bodies, other; };

static void see(void *context, const struct record *r) {
    struct seen *s = context;
    if (r->kind == RECORD_TASK) s->ids[s->count++] = r->task.id;
    else if (r->kind == RECORD_BODY) s->bodies += r->body.id == s->ids[s->count - 1];
    else s->other++;
}

enum sort { BY_ID, BY_ORDER, BY_TYPE, BY_DUE };
static enum sort sort;
static struct feed *sorted_feed;
static int compare(const void *a, const void *b) {
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
static uint32_t expect(struct feed *f, feed_wants *wants, uint32_t a, uint32_t b, enum sort how,
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

static bool in_lane(const struct task_head *t, uint32_t lane, uint32_t priority) {
    return t->status == STATUS_QUEUED && t->lane == lane && t->priority == priority;
}
static bool in_status(const struct task_head *t, uint32_t brand, uint32_t status) {
    return t->brand == brand && t->status == status;
}
static bool in_brand(const struct task_head *t, uint32_t brand, uint32_t any) {
    (void)any;
    return t->brand == brand;
}
static bool in_time(const struct task_head *t, uint32_t a, uint32_t b) {
    (void)a;
    (void)b;
    return t->status == STATUS_SCHEDULED;
}
static bool active(const struct task_head *t, uint32_t a, uint32_t b) {
    (void)a;
    (void)b;
    return t->status >= STATUS_DELIVERED && t->status <= STATUS_PAUSED;
}

static uint64_t wanted_ids[FEED_TASKS];

static int lanes_wrong(struct store *s, struct feed *f) {
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

static bool ended(const struct task_head *t, uint32_t a, uint32_t b) {
    (void)a;
    (void)b;
    return status_ended(t->status);
}

/* Steps through all ended tasks, and through all idempotency keys, as the core's sweep does. */
static int sweep_wrong(struct store *s, struct feed *f) {
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

static int due_wrong(struct store *s, struct feed *f) {
    static struct seen seen;
    uint32_t count = expect(f, in_time, 0, 0, BY_DUE, wanted_ids);
    struct need need = {.kind = NEED_DUE, .count = 4000};
    seen = (struct seen){0};
    bool fine = store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why);
    return !fine || seen.count != count || memcmp(seen.ids, wanted_ids, count * sizeof *wanted_ids);
}

static int restore_wrong(struct store *s, struct feed *f) {
    static struct seen seen;
    uint32_t count = expect(f, active, 0, 0, BY_ID, wanted_ids);
    struct need need = {.kind = NEED_RESTORE};
    seen = (struct seen){0};
    bool fine = store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why);
    return !fine || seen.count != count || seen.other < f->lane_count + 1;
}

/* Walks all of it in pages, each a new walk from the cursor of the one before. */
static uint32_t walk_pages(struct store_view *v, struct walk walk, uint32_t page, uint64_t *ids,
                           uint32_t max) {
    struct buffer cursor = {0};
    uint32_t count = 0, got = page;
    while (got == page && count < max) {
        struct record r;
        walk.cursor = buffer_slice(&cursor);
        struct store_walk *w = walk_open(v, &walk);
        for (got = 0; got < page && count < max && walk_next(w, &r); got++)
            ids[count++] = r.task.id;
        if (walk_trouble(w)) { note("%s", walk_trouble(w)); count = max; }
        if (got) walk_cursor(w, &cursor);
        walk_close(&w);
    }
    buffer_free(&cursor);
    return count;
}

static int walk_wrong(struct store_view *v, struct feed *f, struct walk walk, uint32_t count) {
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
    if (wrong) note("walk %d brand %u status %u page %u", walk.kind, walk.brand, walk.status, page);
    return wrong;
}

static int walks_wrong(struct store *s, struct feed *f) {
    int wrong = 0;
    struct store_view *v = store_view_open(s, store_next_group(s) - 1, why, sizeof why);
    for (uint32_t brand = 1; brand <= 2; brand++) {
        struct walk walk = {.kind = WALK_TASKS, .brand = brand};
        wrong += walk_wrong(v, f, walk, expect(f, in_brand, brand, 0, BY_ID, wanted_ids));
        for (uint8_t status = STATUS_SCHEDULED; status < STATUS_COUNT; status++) {
            walk = (struct walk){.kind = WALK_STATUS, .brand = brand, .status = status};
            uint32_t count = expect(f, in_status, brand, status, BY_TYPE, wanted_ids);
            if (status != STATUS_QUEUED) wrong += walk_wrong(v, f, walk, count);
        }
        static uint64_t ids[FEED_TASKS + 1];
        walk = (struct walk){.kind = WALK_STATUS, .brand = brand, .status = STATUS_QUEUED};
        for (int way = 0; way < 2; way++) {
            walk.descending = way;
            uint32_t got = walk_pages(v, walk, 1 + feed_below(f, 50), ids, FEED_TASKS + 1);
            wrong += got != expect(f, in_status, brand, STATUS_QUEUED, BY_ID, wanted_ids);
        }
    }
    store_view_close(&v);
    return wrong;
}

static void complain(void *context, const char *text) {
    if ((*(int *)context)++ < 5) note("audit: %s", text);
}

static int audit_findings(struct store *s) {
    int said = 0;
    return (int)store_audit(s, complain, &said);
}

static void answers_are_what_was_written(bool on_disk) {
    wipe();
    struct feed *f = feed_new(7);
    struct store *s = on_disk ? open_or_die() : store_open_memory(NULL);
    struct buffer group = {0};
    int wrong = 0;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 6; i++) {
            buffer_clear(&group);
            feed_group(f, &group, feed_below(f, 120));
            wrong += store_append(s, store_next_group(s), buffer_slice(&group)) != STORE_OK;
        }
        if (feed_below(f, 2)) nanosleep(&(struct timespec){0, 8000000}, NULL);
        wrong += lanes_wrong(s, f) + due_wrong(s, f) + restore_wrong(s, f) + walks_wrong(s, f) +
                 sweep_wrong(s, f);
        if (on_disk && round % 8 == 7) {
            wrong += audit_findings(s);
            store_close(&s);
            s = open_or_die();
        }
    }
    note("%u tasks", f->count);
    is_int(wrong, 0, on_disk ? "on disk: needs and walks give what was written, in order"
                             : "in memory: needs and walks give what was written, in order");
    buffer_free(&group);
    store_close(&s);
    free(f);
}

static void audit_finds_what_does_not_agree(void) {
    wipe();
    struct feed *f = feed_new(3);
    struct store *s = open_or_die();
    struct buffer group = {0};
    for (int i = 0; i < 30; i++) {
        buffer_clear(&group);
        feed_group(f, &group, 50);
        if (store_append(s, store_next_group(s), buffer_slice(&group)) != STORE_OK) abort();
    }
    is_int(audit_findings(s), 0, "a sound store has no findings");
    nanosleep(&(struct timespec){0, 60000000}, NULL); /* so that the table has it */
    struct feed_task *t = &f->tasks[0];
    while (t->head.status != STATUS_QUEUED) t++;
    struct record lie = {.kind = RECORD_TASK, .was = t->was, .task = t->head};
    lie.was.order++;
    lie.task.order += 1000000;
    buffer_clear(&group);
    record_encode(&group, &lie);
    if (store_append(s, store_next_group(s), buffer_slice(&group)) != STORE_OK) abort();
    nanosleep(&(struct timespec){0, 60000000}, NULL);
    ok(audit_findings(s) > 0, "a head that moved without saying where from is found");
    store_close(&s);
    buffer_free(&group);
    free(f);
}

/* ---- ends ---- */

/* The feed as it stands after `groups` groups of seed 11; the last one's bytes stay in `group`. */
static struct feed *feed_at(uint64_t groups, struct buffer *group) {
    struct feed *f = feed_new(11);
    for (uint64_t i = 0; i < groups; i++) {
        buffer_clear(group);
        feed_group(f, group, 20 + feed_below(f, 40));
    }
    return f;
}

static void append_for_ever(int report) {
    struct buffer group = {0};
    struct store *s = open_or_die();
    struct feed *f = feed_at(store_next_group(s) - 1, &group);
    for (;;) {
        uint64_t number = store_next_group(s);
        buffer_clear(&group);
        feed_group(f, &group, 20 + feed_below(f, 40));
        if (store_append(s, number, buffer_slice(&group)) != STORE_OK) _exit(1);
        if (write(report, &number, sizeof number) != sizeof number) _exit(1);
    }
}

/* Starts a child that appends, kills it; returns the newest group that it acknowledged. */
static uint64_t append_and_kill(uint64_t acknowledged, int groups) {
    int pipes[2];
    uint64_t g;
    if (pipe(pipes) != 0) abort();
    pid_t child = fork();
    if (child == 0) {
        char report[16];
        snprintf(report, sizeof report, "%d", pipes[1]);
        execl("/proc/self/exe", "test_store", folder, report, NULL);
        _exit(1);
    }
    close(pipes[1]);
    for (int i = 0; i < groups && read(pipes[0], &g, sizeof g) == sizeof g; i++) acknowledged = g;
    kill(child, SIGKILL);
    while (read(pipes[0], &g, sizeof g) == sizeof g) acknowledged = g;
    waitpid(child, NULL, 0);
    close(pipes[0]);
    return acknowledged;
}

static void acknowledged_is_recovered_after_kill(void) {
    wipe();
    int lost = 0, wrong = 0, rounds = 9;
    uint64_t acknowledged = 0;
    struct buffer group = {0};
    for (int round = 0; round < rounds; round++) {
        acknowledged = append_and_kill(acknowledged, 60 + 25 * round);
        struct store *s = open_or_die();
        uint64_t newest = store_next_group(s) - 1;
        lost += newest < acknowledged;
        struct feed *f = feed_at(newest, &group);
        wrong += lanes_wrong(s, f) + due_wrong(s, f) + restore_wrong(s, f) + walks_wrong(s, f);
        wrong += audit_findings(s);
        if (round % 3 == 2) nanosleep(&(struct timespec){0, 50000000}, NULL);
        store_close(&s);
        acknowledged = newest;
        free(f);
    }
    note("%llu groups over %d kills", (unsigned long long)acknowledged, rounds);
    is_int(lost, 0, "after kill -9 every acknowledged group is there");
    is_int(wrong, 0, "whole, and nothing else; indexes and counters agree");
    buffer_free(&group);
}

static void a_second_broker_is_refused(void) {
    wipe();
    struct store_options o = options();
    struct store *s = open_or_die();
    ok(!store_open(&o, why, sizeof why), "a second broker on the folder is refused");
    ok(strstr(why, "another broker is running"), "and told why");
    o.read_only = true;
    ok(!store_open(&o, why, sizeof why), "so is a check beside a running broker");
    store_close(&s);
    s = open_or_die();
    ok(s != NULL, "once it has ended the folder is free");
    store_close(&s);
}

static void read_only_changes_nothing(void) {
    wipe();
    struct store_options o = options();
    struct buffer group = {0};
    append_and_kill(0, 50);
    o.read_only = true;
    struct store *s = store_open(&o, why, sizeof why);
    if (!s) note("%s", why);
    ok(s && audit_findings(s) == 0, "a read-only store can be audited");
    uint64_t newest = s ? store_next_group(s) - 1 : 0;
    struct feed *f = feed_at(newest, &group);
    ok(s && newest >= 50 && !lanes_wrong(s, f) && !walks_wrong(s, f), "and sees everything");
    if (s) store_close(&s);
    free(f);
    buffer_free(&group);
}

static void a_lost_journal_is_refused(void) {
    char command[600];
    struct store_options o = options();
    wipe();
    struct feed *f = feed_new(5);
    struct store *s = open_or_die(), *memory = store_open_memory(NULL);
    for (int i = 0; i < 60; i++) both_append(s, memory, f, 60);
    nanosleep(&(struct timespec){0, 40000000}, NULL);
    store_close(&s);
    snprintf(command, sizeof command, "mv %s/journal %s/away", folder, folder);
    if (system(command) != 0) abort();
    s = store_open(&o, why, sizeof why);
    note("%s", why);
    ok(!s && strstr(why, "but the table holds group"), "a table without its journal is refused");
    snprintf(command, sizeof command, "rm -r %s/journal; mv %s/away %s/journal; rm -r %s/table",
             folder, folder, folder, folder);
    if (system(command) != 0) abort();
    s = store_open(&o, why, sizeof why);
    ok(s && !differences(s, memory, f, store_next_group(s) - 1),
       "a table that is gone is made again while the journal still holds everything");
    if (s) store_close(&s);
    store_close(&memory);
    free(f);
}

static void a_full_disk_takes_the_store_down_and_it_comes_back(void) {
    char at[128], usual[sizeof folder];
    snprintf(at, sizeof at, "%s/f", folder);
    wipe();
    mkdir(at, 0700);
    if (mount("relais-test", at, "tmpfs", 0, "size=12m") != 0) {
        skip("a full disk takes the store down", "no right to mount");
        return;
    }
    memcpy(usual, folder, sizeof folder);
    memcpy(folder, at, strlen(at) + 1);
    struct feed *f = feed_new(5);
    struct store *s = open_or_die();
    struct buffer group = {0};
    enum store_state state = STORE_OK;
    uint64_t acknowledged = 0;
    struct record big = {.kind = RECORD_OBJECT, .object = {.kind = 1, .brand = 1,
        .body = slice_of(f->tasks, 100000), .name = slice_text("big")}};
    for (int i = 0; i < 2000 && state == STORE_OK; i++) {
        buffer_clear(&group);
        feed_group(f, &group, 5);
        big.object.id = (uint64_t)i;
        char name[16];
        snprintf(name, sizeof name, "o%d", i);
        big.object.name = slice_text(name);
        record_encode(&group, &big);
        state = store_append(s, store_next_group(s), buffer_slice(&group));
        if (state == STORE_OK) acknowledged++;
    }
    note("%llu groups", (unsigned long long)acknowledged);
    is_int(state, STORE_DOWN, "a full disk takes the store down");
    nanosleep(&(struct timespec){0, 120000000}, NULL); /* it is looked at ten times a second */
    ok(store_disk_full(s), "and the watermark says so");
    store_close(&s);
    s = open_or_die();
    ok(store_next_group(s) - 1 >= acknowledged, "it opens again, on the ballast, with all of it");
    store_close(&s);
    free(f);
    buffer_free(&group);
    umount(at);
    memcpy(folder, usual, sizeof folder);
}

static void memory_keeps_whole_groups_over_a_crash(void) {
    struct memory_faults faults = {.holds = true};
    struct store *s = store_open_memory(&faults);
    struct buffer group = {0};
    for (uint64_t g = 1; g <= 6; g++) {
        struct record r = {.kind = RECORD_META, .meta = {.sequence = g}};
        buffer_clear(&group);
        record_encode(&group, &r);
        if (store_append(s, g, buffer_slice(&group)) != STORE_OK) abort();
    }
    store_memory_sync(s, 2);
    is_int(store_memory_unsynced(s), 4, "groups wait to be synced");
    store_memory_crash(s, 1);
    is_int(store_next_group(s), 4, "a crash keeps what was synced and what it is told");
    faults = (struct memory_faults){.fail_append_at = 5};
    store_memory_faults(s, &faults);
    is_int(store_append(s, 4, buffer_slice(&group)), STORE_OK, "an append before the fault");
    is_int(store_append(s, 5, buffer_slice(&group)), STORE_DOWN, "the scripted fault");
    is_int(store_append(s, 6, buffer_slice(&group)), STORE_DOWN, "and down it stays");
    store_memory_crash(s, 0);
    is_int(store_append(s, 5, buffer_slice(&group)), STORE_OK, "until the restart");
    buffer_free(&group);
    store_close(&s);
}

struct appender { struct store *store; uint64_t acknowledged; bool stop; };

static void *append_beside(void *context) {
    struct appender *a = context;
    struct feed *f = feed_new(21);
    struct buffer group = {0};
    while (!__atomic_load_n(&a->stop, __ATOMIC_RELAXED)) {
        uint64_t number = store_next_group(a->store);
        buffer_clear(&group);
        feed_group(f, &group, feed_below(f, 60));
        if (store_append(a->store, number, buffer_slice(&group)) != STORE_OK) break;
        __atomic_store_n(&a->acknowledged, number, __ATOMIC_RELEASE);
    }
    buffer_free(&group);
    free(f);
    return NULL;
}

static void reads_run_beside_appends(void) {
    wipe();
    struct appender a = {.store = open_or_die()};
    pthread_t thread;
    int wrong = 0;
    uint64_t rounds = 0, waited = 0;
    if (pthread_create(&thread, NULL, append_beside, &a) != 0) abort();
    struct timespec from, now;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (;; rounds++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - from.tv_sec >= 1) break;
        static struct seen seen;
        uint64_t group = __atomic_load_n(&a.acknowledged, __ATOMIC_ACQUIRE);
        struct need need = {.kind = NEED_LANE, .lane = 1 + (uint32_t)(rounds % FEED_LANES),
                            .priority = rounds % PRIORITY_COUNT, .count = 50};
        seen = (struct seen){0};
        if (rounds % 5 == 0) { group++; waited++; } /* not there yet: waits for it */
        wrong += !store_load(a.store, &need, group, see, &seen, why, sizeof why);
        wrong += seen.bodies != seen.count;
        if (rounds % 50 == 0) wrong += audit_findings(a.store);
    }
    __atomic_store_n(&a.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    note("%llu groups beside %llu reads", (unsigned long long)a.acknowledged,
         (unsigned long long)rounds);
    ok(a.acknowledged > 20 && rounds > 20 && waited > 4, "reads run beside appends");
    is_int(wrong, 0, "and every one sees a whole state");
    store_close(&a.store);
}

int main(int argc, char **argv) {
    if (argc == 3) {
        snprintf(folder, sizeof folder, "%s", argv[1]);
        append_for_ever(atoi(argv[2]));
    }
    if (!mkdtemp(folder)) return 1;
    answers_are_what_was_written(false);
    answers_are_what_was_written(true);
    disk_answers_like_memory();
    audit_finds_what_does_not_agree();
    acknowledged_is_recovered_after_kill();
    a_second_broker_is_refused();
    read_only_changes_nothing();
    a_lost_journal_is_refused();
    a_full_disk_takes_the_store_down_and_it_comes_back();
    memory_keeps_whole_groups_over_a_crash();
    reads_run_beside_appends();
    wipe();
    rmdir(folder);
    return done();
}
