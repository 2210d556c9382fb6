/* The store on disk answers what the store in memory answers, whatever was written before and in
 * whatever state of materialisation. */
#include "store/disk.h"
#include "tests/unit/answers.h"
#include <glob.h>
#include <pthread.h>
#include <unistd.h>

/* A store that is down closes without settling: the next open has something to replay. How much of
 * it the table has already is left to chance; the answers must not depend on it. */
static void end_like_a_crash(struct store *disk) {
    disk_down((struct disk *)disk, "the test ends it like a crash");
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
            if (round % 24 == 11) end_like_a_crash(disk);
            store_close(&disk);
            disk = open_or_die();
            if (store_next_group(disk) != store_next_group(memory)) wrong++;
            wrong += differences(disk, memory, f, store_next_group(disk) - 1);
            reopened++;
        }
        if (feed_below(f, 3) == 0) wrong += !store_settle(disk);
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
        if (feed_below(f, 2)) wrong += !store_settle(s);
        wrong += lanes_wrong(s, f) + due_wrong(s, f) + restore_wrong(s, f) + walks_wrong(s, f) +
                 objects_wrong(s, f) +
                 sweep_wrong(s, f);
        if (on_disk && round % 8 == 7) {
            wrong += audit_findings(s);
            if (round % 16 == 7) end_like_a_crash(s);
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
    ok(store_settle(s), "all of it goes to the table");
    struct feed_task *t = &f->tasks[0];
    while (t->head.status != STATUS_QUEUED) t++;
    struct record lie = {.kind = RECORD_TASK, .was = t->was, .task = t->head};
    lie.was.order++;
    lie.task.order += 1000000;
    buffer_clear(&group);
    record_encode(&group, &lie);
    if (store_append(s, store_next_group(s), buffer_slice(&group)) != STORE_OK) abort();
    if (!store_settle(s)) abort();
    ok(audit_findings(s) > 0, "a head that moved without saying where from is found");
    store_close(&s);
    buffer_free(&group);
    free(f);
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

static void an_orderly_end_leaves_nothing_to_replay(void) {
    wipe();
    struct store_options o = options();
    o.age_ms_max = 60000;
    o.pending_max = 1000000;
    struct feed *f = feed_new(13);
    struct store *s = store_open(&o, why, sizeof why);
    struct store_stats stats;
    struct buffer group = {0};
    for (int i = 0; s && i < 20; i++) {
        buffer_clear(&group);
        feed_group(f, &group, 50);
        if (store_append(s, store_next_group(s), buffer_slice(&group)) != STORE_OK) abort();
    }
    store_stats(s, &stats);
    is_int((int64_t)stats.reached, 0, "young records are not in the table");
    ok(store_settle(s), "the store settles");
    store_stats(s, &stats);
    is_int((int64_t)stats.reached, 20, "then the table has every group");
    is_int((int64_t)stats.pending_records, 0, "and nothing is pending");
    if (store_append(s, 21, buffer_slice(&group)) != STORE_OK) abort();
    store_close(&s);
    s = store_open(&o, why, sizeof why);
    store_stats(s, &stats);
    is_int((int64_t)stats.reached, 21, "after an orderly end the table has the last group too");
    is_int((int64_t)((struct disk *)s)->mark_count, 0, "and the open replays nothing");
    end_like_a_crash(s);
    ok(!store_settle(s), "a store that is down does not settle");
    store_close(&s);
    buffer_free(&group);
    free(f);
}

/* What is left when something was written and no more than `most` is. Up to 60 s for that: that it
 * comes by itself is the fact. */
static uint64_t pending_at_most(struct store *s, uint64_t most) {
    struct store_stats stats;
    store_stats(s, &stats);
    for (int i = 0; i < 12000 && (!stats.table_batches || stats.pending_records > most); i++) {
        usleep(5000);
        store_stats(s, &stats);
    }
    return stats.pending_records;
}

static void what_does_not_survive_never_touches_the_table(void) {
    wipe();
    struct store_options o = options();
    o.age_ms_max = 60000;
    o.pending_max = 1000000;
    struct store *s = store_open(&o, why, sizeof why);
    struct buffer group = {0};
    for (uint64_t id = 100; s && id < 20100; id += 100) {
        buffer_clear(&group);
        for (uint64_t i = id; i < id + 100; i++) {
            struct record head = {.kind = RECORD_TASK, .task = {.id = i, .order = i, .brand = 1,
                .lane = 1, .status = STATUS_QUEUED}};
            struct record body = {.kind = RECORD_BODY, .body = {.id = i}};
            struct record gone = {.kind = RECORD_TASK_GONE,
                .was = {STATUS_QUEUED, 0, 1, i - 100, 0}, .task = {.id = i - 100, .brand = 1}};
            record_encode(&group, &head);
            record_encode(&group, &body);
            if (id > 100) record_encode(&group, &gone);
        }
        if (store_append(s, store_next_group(s), buffer_slice(&group)) != STORE_OK) abort();
    }
    struct need need = {.kind = NEED_LANE, .lane = 1, .count = 1000};
    static struct seen seen;
    store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why);
    is_int(seen.count, 100, "of 20,000 tasks that came and went a hundred are there");
    struct store_stats stats;
    store_stats(s, &stats);
    is_int(stats.table_records, 0, "the table heard of none");
    is_int(stats.pending_records, 100, "those that are there are pending");
    end_like_a_crash(s);
    store_close(&s);
    o.age_ms_max = 1;
    s = store_open(&o, why, sizeof why);
    is_int((int64_t)pending_at_most(s, 0), 0, "in time what stays goes to the table");
    seen = (struct seen){0};
    store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why);
    is_int(seen.count, 100, "and is all that is found there");
    store_close(&s);
    buffer_free(&group);
}

static void more_waits_while_nobody_lists(void) {
    wipe();
    struct store_options o = options();
    o.age_ms_max = 10000;
    o.pending_max = 200;
    struct store *s = store_open(&o, why, sizeof why);
    struct buffer group = {0};
    for (uint64_t id = 1; id <= 1500; id++) {
        struct record head = {.kind = RECORD_TASK, .task = {.id = id, .order = id, .brand = 1,
            .lane = 1, .status = STATUS_QUEUED}};
        record_encode(&group, &head);
    }
    if (!s || store_append(s, 1, buffer_slice(&group)) != STORE_OK) abort();
    const uint64_t left = pending_at_most(s, 1200);
    ok(left <= 1200 && left > 200, "six times pending_max may wait");
    struct store_view *v = store_view_open(s, 1, why, sizeof why);
    store_view_close(&v);
    ok(pending_at_most(s, 200) <= 200, "once somebody has listed no more than pending_max");
    end_like_a_crash(s);
    store_close(&s);
    buffer_free(&group);
}

static void what_changes_all_the_time_holds_nothing_back(void) {
    struct pending *p = pending_new(false);
    struct buffer group = {0};
    int64_t time_ms;
    struct record lane = {.kind = RECORD_LANE, .lane = {.lane = 1, .brand = 1,
        .queue = slice_text("q"), .type = slice_text("t")}};
    record_encode(&group, &lane);
    for (uint64_t g = 5; g < 10; g++) {
        struct group_bytes *bytes = group_bytes_new(NULL, g, 1000, buffer_slice(&group));
        if (!pending_apply(p, bytes)) abort();
        group_bytes_release(bytes);
    }
    is_int((int64_t)pending_oldest(p, &time_ms), 9, "of a lane only the newest group is needed");
    struct record head = {.kind = RECORD_TASK, .task = {.id = 7, .order = 7, .lane = 1,
        .status = STATUS_QUEUED}};
    for (uint64_t g = 10; g < 13; g++) {
        buffer_clear(&group);
        record_encode(&group, &lane);
        record_encode(&group, &head);
        head.was = (struct was){STATUS_QUEUED, 0, 1, 7, 0};
        struct group_bytes *bytes = group_bytes_new(NULL, g, 1000, buffer_slice(&group));
        if (!pending_apply(p, bytes)) abort();
        group_bytes_release(bytes);
    }
    is_int((int64_t)pending_oldest(p, &time_ms), 10, "of a task the oldest that is not written");
    pending_destroy(&p);
    buffer_free(&group);
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

static uint64_t acknowledged(const struct appender *a) {
    return __atomic_load_n(&a->acknowledged, __ATOMIC_ACQUIRE);
}

static void reads_run_beside_appends(void) {
    wipe();
    struct appender a = {.store = open_or_die()};
    pthread_t thread;
    int wrong = 0;
    uint64_t rounds = 0, waited = 0;
    if (pthread_create(&thread, NULL, append_beside, &a) != 0) abort();
    /* As many as it takes for both to have happened often; never without end. */
    for (; rounds < 400 || (acknowledged(&a) <= 100 && rounds < 1000000); rounds++) {
        static struct seen seen;
        uint64_t group = acknowledged(&a);
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
    ok(a.acknowledged > 100 && waited > 4, "reads run beside appends");
    is_int(wrong, 0, "and every one sees a whole state");
    store_close(&a.store);
}

/* Under its lock, so that the table thread does not look meanwhile. */
static double debt_when(struct disk *d, uint64_t entries, int64_t waits_ms, uint32_t files) {
    pthread_mutex_lock(&d->lock);
    const uint64_t pending = d->pending_entries;
    atomic_set(d->pending_entries, entries);
    atomic_set(d->unsorted_look_ms, INT64_MAX);
    atomic_set(d->oldest_ms, waits_ms > 0 ? disk_now_ms() - waits_ms : 0);
    atomic_set(d->unsorted, files);
    const double debt = store_debt(&d->store);
    atomic_set(d->pending_entries, pending);
    pthread_mutex_unlock(&d->lock);
    return debt;
}

static void what_is_behind_closes_the_door(void) {
    wipe();
    struct store *s = open_or_die();
    struct disk *d = (struct disk *)s;
    ok(debt_when(d, 0, 0, 0) < 1, "nothing is behind: all is admitted");
    ok(debt_when(d, FEW_ENTRIES + 1, BEHIND_MS_MAX / 2, UNSORTED_EASY) < 1,
       "a little is: all is admitted");
    ok(debt_when(d, FEW_ENTRIES + 1, BEHIND_MS_MAX + 1, 0) >= 1,
       "the table is a second behind: nothing is");
    ok(debt_when(d, FEW_ENTRIES, BEHIND_MS_MAX + 1, 0) < 1,
       "with little to write, as when the machine stood still: all is");
    pthread_mutex_lock(&d->lock);
    const uint64_t entries = d->pending_entries, per_s = d->drain_per_s;
    atomic_set(d->oldest_ms, 0);
    atomic_set(d->drain_per_s, 1000);
    atomic_set(d->pending_entries, AHEAD_MS_MAX + 1);
    ok(store_debt(s) >= 1, "what waits takes longer than is good: nothing is");
    atomic_set(d->pending_entries, AHEAD_MS_MAX / 2);
    ok(store_debt(s) < 1, "half of it is admitted");
    atomic_set(d->pending_entries, entries);
    atomic_set(d->drain_per_s, per_s);
    pthread_mutex_unlock(&d->lock);
    ok(debt_when(d, 0, 0, UNSORTED_MAX) >= 1, "it has too much to tidy up: nothing is");
    int closed[3] = {0};
    const uint32_t files[3] = {UNSORTED_EASY, (UNSORTED_EASY + UNSORTED_MAX) / 2, UNSORTED_MAX};
    for (int64_t ms = 0; ms < CYCLE_MS; ms++)
        for (int i = 0; i < 3; i++) closed[i] += disk_untidy(files[i], 7 * CYCLE_MS + ms);
    ok(closed[0] == 0 && closed[1] == CYCLE_MS / 2 && closed[2] == CYCLE_MS,
       "between the two a part of the time is closed");
    store_close(&s);
}

/* What it opened with, RocksDB leaves in its folder. */
static void the_table_remembers_where_new_keys_went(void) {
    static const char wanted[] = "memtable_insert_with_hint_prefix_extractor=rocksdb.FixedPrefix.1";
    char path[300], line[512];
    int found = 0;
    wipe();
    struct store *s = open_or_die();
    snprintf(path, sizeof path, "%s/table/OPTIONS-*", folder);
    glob_t g;
    if (glob(path, 0, NULL, &g) != 0) abort();
    FILE *file = fopen(g.gl_pathv[g.gl_pathc - 1], "r");
    while (file && fgets(line, sizeof line, file)) found += strstr(line, wanted) != NULL;
    is_int(found, 1, "RocksDB took the option that only its text form has");
    if (file) fclose(file);
    globfree(&g);
    store_close(&s);
}

int main(void) {
    if (!mkdtemp(folder)) return 1;
    answers_are_what_was_written(false);
    answers_are_what_was_written(true);
    disk_answers_like_memory();
    audit_finds_what_does_not_agree();
    memory_keeps_whole_groups_over_a_crash();
    an_orderly_end_leaves_nothing_to_replay();
    what_does_not_survive_never_touches_the_table();
    more_waits_while_nobody_lists();
    what_changes_all_the_time_holds_nothing_back();
    what_is_behind_closes_the_door();
    the_table_remembers_where_new_keys_went();
    reads_run_beside_appends();
    wipe();
    rmdir(folder);
    return done();
}
