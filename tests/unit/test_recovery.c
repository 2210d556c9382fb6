/* Every kind of end: kills, a full disk, folders that are in use, lost or read-only. What was
 * acknowledged is there afterwards, and nothing that was not written. */
#include "tests/unit/answers.h"
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
        if (round % 3 == 1) acknowledged = append_and_kill(acknowledged, 30); /* no orderly end */
        struct store *s = open_or_die();
        uint64_t newest = store_next_group(s) - 1;
        lost += newest < acknowledged;
        struct feed *f = feed_at(newest, &group);
        wrong += lanes_wrong(s, f) + due_wrong(s, f) + restore_wrong(s, f) + walks_wrong(s, f) +
                 objects_wrong(s, f);
        wrong += audit_findings(s);
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
    ok(s && newest >= 50 && !lanes_wrong(s, f) && !walks_wrong(s, f) && !objects_wrong(s, f),
       "and sees everything");
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

/* Flips a bit in the first half of the largest file of the table: where bodies and heads lie. */
static void damage_the_table(void) {
    char command[600], path[256] = "";
    snprintf(command, sizeof command, "ls -S %s/table/*.sst | head -1", folder);
    FILE *list = popen(command, "r");
    if (!list || !fgets(path, sizeof path, list)) abort();
    pclose(list);
    path[strcspn(path, "\n")] = 0;
    FILE *file = fopen(path, "r+");
    if (!file || fseek(file, 0, SEEK_END) != 0) abort();
    long middle = ftell(file) * 3 / 10;
    fseek(file, middle, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, middle, SEEK_SET);
    fputc(byte ^ 16, file);
    fclose(file);
}

static void damage_in_the_table_fails_only_what_reads_it(void) {
    wipe();
    struct feed *f = feed_new(9);
    struct store *s = open_or_die();
    struct buffer group = {0};
    for (int i = 0; i < 60; i++) {
        buffer_clear(&group);
        feed_group(f, &group, 60);
        if (store_append(s, store_next_group(s), buffer_slice(&group)) != STORE_OK) abort();
    }
    store_close(&s);
    damage_the_table();
    s = open_or_die();
    static struct seen seen;
    uint32_t failed = 0, fine = 0, lanes = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        struct need need = {.kind = NEED_TASK, .id = f->tasks[i].head.id};
        seen = (struct seen){0};
        bool read = store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why);
        if (read) fine += seen.count == 1 && seen.bodies == 1;
        else failed++;
    }
    for (uint32_t lane = 1; lane <= FEED_LANES; lane++) {
        struct need need = {.kind = NEED_LANE, .lane = lane, .priority = 1, .count = 1000};
        lanes += !store_load(s, &need, store_next_group(s) - 1, see, &seen, why, sizeof why);
        seen = (struct seen){0};
    }
    note("%u of %u tasks and %u lanes cannot be read: %s", failed, f->count, lanes, why);
    ok(failed + lanes > 0, "a flipped bit in the table is noticed by those who read it");
    ok(failed < f->count && fine + failed == f->count, "all others read on");
    buffer_clear(&group);
    feed_group(f, &group, 5);
    is_int(store_append(s, store_next_group(s), buffer_slice(&group)), STORE_OK,
           "and groups are still taken");
    store_close(&s);
    buffer_free(&group);
    free(f);
}

/* Keeps the disk full, whatever the table thread may still let go of, until the watermark has
 * looked: up to 60 s. */
static bool told_full(struct store *s) {
    char filler[128];
    static const char zeros[65536];
    bool full = false;
    snprintf(filler, sizeof filler, "%s/filler", folder);
    FILE *file = fopen(filler, "a");
    for (int i = 0; file && !full && i < 6000; i++) {
        while (write(fileno(file), zeros, sizeof zeros) > 0) {}
        full = store_disk_full(s);
        if (!full) usleep(10000);
    }
    if (file) fclose(file);
    unlink(filler);
    return full;
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
    ok(told_full(s), "and the watermark says so");
    store_close(&s);
    s = open_or_die();
    ok(store_next_group(s) - 1 >= acknowledged, "it opens again, on the ballast, with all of it");
    store_close(&s);
    free(f);
    buffer_free(&group);
    umount(at);
    memcpy(folder, usual, sizeof folder);
}

int main(int argc, char **argv) {
    if (argc == 3) {
        snprintf(folder, sizeof folder, "%s", argv[1]);
        append_for_ever(atoi(argv[2]));
    }
    if (!mkdtemp(folder)) return 1;
    acknowledged_is_recovered_after_kill();
    a_second_broker_is_refused();
    read_only_changes_nothing();
    a_lost_journal_is_refused();
    damage_in_the_table_fails_only_what_reads_it();
    a_full_disk_takes_the_store_down_and_it_comes_back();
    wipe();
    rmdir(folder);
    return done();
}
