/* The journal keeps what it said it kept, cuts a torn tail, and refuses every other damage. */
#include "store/crc.h"
#include "store/journal.h"
#include "store/segment.h"
#include "tests/unit/tap.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEGMENT = 64 << 10 };
static char base[] = "/tmp/relais-journal-XXXXXX";
static char folder[96], why[256];
static uint8_t noise[1 << 18];

static void wipe(void) {
    char command[200];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) abort();
}

/* What a replay gave: each group's records are noise of a length made from the group. */
struct heard { uint64_t first, last, count, wrong; };

static uint32_t length_of(uint64_t group) { return (uint32_t)(group * 2654435761u % 5000); }

static bool hear(void *context, uint64_t group, struct slice records) {
    struct heard *h = context;
    if (!h->count++) h->first = group;
    else if (group != h->last + 1) h->wrong++;
    h->last = group;
    if (records.len != length_of(group) || memcmp(records.data, noise + group % 1000, records.len))
        h->wrong++;
    return true;
}

static struct journal *open_with(uint64_t reached, uint64_t segment, struct heard *h) {
    struct journal_options o = {.folder = folder, .segment_bytes = segment};
    *h = (struct heard){0};
    why[0] = 0;
    struct journal *j = journal_open(&o, reached, why, sizeof why);
    if (j && !journal_replay(j, hear, h, why, sizeof why)) journal_close(&j);
    return j;
}

static struct journal *open_at(uint64_t reached, struct heard *h) {
    return open_with(reached, SEGMENT, h);
}

static bool append(struct journal *j, uint64_t from, uint64_t to) {
    for (uint64_t g = from; g <= to; g++)
        if (!journal_append(j, g, slice_of(noise + g % 1000, length_of(g)), why, sizeof why))
            return false;
    return true;
}

/* Groups 1..to in a fresh folder, closed again. */
static void fresh(uint64_t to) {
    struct heard h;
    wipe();
    struct journal *j = open_at(0, &h);
    if (!j || !append(j, 1, to)) { note("%s", why); abort(); }
    journal_close(&j);
}

static bool refused(uint64_t reached, const char *named, const char *said) {
    struct heard h;
    struct journal *j = open_at(reached, &h);
    if (j) { journal_close(&j); return false; }
    bool good = strstr(why, named) && strstr(why, said);
    note("%s", why);
    return good;
}

static void path_of(const char *name, char path[128]) {
    snprintf(path, 128, "%s/%s", folder, name);
}

static void flip(const char *name, off_t at, uint8_t bits) {
    char path[128];
    uint8_t byte;
    path_of(name, path);
    int fd = open(path, O_RDWR);
    if (fd < 0 || pread(fd, &byte, 1, at) != 1) abort();
    byte ^= bits;
    if (pwrite(fd, &byte, 1, at) != 1) abort();
    close(fd);
}

/* Where the n-th frame of a file begins. */
static uint64_t frame_at(const char *name, int n) {
    char path[128];
    uint64_t at = SEGMENT_HEADER_BYTES;
    path_of(name, path);
    int fd = open(path, O_RDONLY);
    while (n--) {
        uint32_t len;
        if (pread(fd, &len, 4, (off_t)at) != 4) abort();
        at += (FRAME_HEADER_BYTES + len + 7) & ~7u;
    }
    close(fd);
    return at;
}

static void crc_is_castagnoli(void) {
    is_int(crc32c(0, "123456789", 9), 0xe3069283, "crc32c of the check string");
    int wrong = 0;
    for (uint32_t i = 0; i < 300; i++)
        wrong += crc32c(i, noise + i, i) != crc32c_portable(i, noise + i, i);
    is_int(wrong, 0, "the instruction and the portable code agree");
    is_int(crc32c(crc32c(0, noise, 100), noise + 100, 57), crc32c(0, noise, 157),
           "a crc goes on from where it stood");
}

static void groups_come_back(void) {
    struct heard h;
    fresh(400);
    struct journal *j = open_at(0, &h);
    is_int(h.count, 400, "every group comes back");
    is_int(h.wrong, 0, "in order, with its bytes");
    is_int(journal_newest(j), 400, "the newest is known");
    ok(append(j, 401, 500), "appends go on after a restart");
    journal_close(&j);
    j = open_at(450, &h);
    is_int(h.first, 451, "replay begins behind what the table reached");
    is_int(h.last, 500, "and goes to the end");
    journal_close(&j);
    j = open_at(500, &h);
    is_int(h.count, 0, "with a table that has it all nothing is replayed");
    journal_close(&j);
}

static void a_group_larger_than_a_segment_is_kept(void) {
    struct heard h = {0};
    wipe();
    struct journal *j = open_at(0, &h);
    bool fine = append(j, 1, 3) &&
                journal_append(j, 4, slice_of(noise, sizeof noise), why, sizeof why) &&
                append(j, 5, 9);
    ok(fine, "a group larger than a segment is taken");
    journal_close(&j);
    struct journal_options o = {.folder = folder, .segment_bytes = SEGMENT};
    j = journal_open(&o, 4, why, sizeof why);
    fine = j && journal_replay(j, hear, &h, why, sizeof why);
    ok(fine && h.first == 5 && h.last == 9 && !h.wrong, "and those behind it come back");
    journal_close(&j);
}

static void a_torn_tail_is_cut(void) {
    struct heard h;
    for (int what = 0; what < 4; what++) {
        fresh(5);
        uint64_t last = frame_at("000001.seg", 4);
        if (what == 0) flip("000001.seg", (off_t)last + 40, 1);  /* its records */
        if (what == 1) flip("000001.seg", (off_t)last + 1, 4);   /* its length */
        if (what == 2) flip("000001.seg", (off_t)last + 9, 1);   /* its group */
        if (what == 3) flip("000001.seg", (off_t)last + 20, 64); /* its incarnation */
        struct journal *j = open_at(0, &h);
        ok(j && h.last == 4 && h.wrong == 0, "a broken last frame is cut");
        if (!j) { note("%s", why); continue; }
        struct journal_stats stats;
        journal_stats(j, &stats);
        if (what == 0) ok(stats.cut_bytes > 0, "and counted");
        ok(append(j, 5, 8), "appends go on in its place");
        journal_close(&j);
        j = open_at(0, &h);
        ok(j && h.last == 8 && h.count == 8 && h.wrong == 0, "and what came later is whole");
        journal_close(&j);
    }
}

static void a_tail_torn_anywhere_is_cut(void) {
    char path[128], copy[400];
    struct heard h;
    int wrong = 0;
    fresh(4);
    path_of("000001.seg", path);
    uint64_t from = frame_at("000001.seg", 3), to = frame_at("000001.seg", 4);
    for (uint64_t cut = from; cut < to; cut += 97) {
        snprintf(copy, sizeof copy, "rm -f %s/0000*.bak; cp %s %s.bak", folder, path, path);
        if (system(copy) != 0) abort();
        int fd = open(path, O_RDWR);
        static const uint8_t zeros[8192];
        if (pwrite(fd, zeros, to - cut, (off_t)cut) != (ssize_t)(to - cut)) abort();
        close(fd);
        struct journal *j = open_at(0, &h);
        if (!j || h.last != 3) wrong++;
        journal_close(&j);
        snprintf(copy, sizeof copy, "cd %s; mv 000001.seg.bak keep; rm *.seg; mv keep 000001.seg",
                 folder);
        if (system(copy) != 0) abort();
    }
    is_int(wrong, 0, "a frame cut off at any place is cut, what stands before it is kept");
}

static void damage_is_refused_and_named(void) {
    fresh(6);
    flip("000001.seg", (off_t)frame_at("000001.seg", 2) + 30, 16);
    ok(refused(0, "000001.seg", "damaged at offset"), "a flipped bit before the last frame");
    fresh(100);
    flip("000001.seg", (off_t)frame_at("000001.seg", 3) + 30, 16);
    ok(refused(0, "000001.seg", "damaged at offset"), "a flipped bit in an older segment");
    fresh(100);
    flip("000002.seg", 17, 1);
    ok(refused(0, ".seg", "missing"), "an older segment's header");
    fresh(100);
    char path[128];
    path_of("000002.seg", path);
    unlink(path);
    ok(refused(0, "000003.seg", "segment before it is missing"), "an older segment that is gone");
    fresh(6);
    flip("000001.seg", 33, 1);
    ok(refused(0, "000001.seg", "header does not hold"), "the newest segment's header");
    fresh(6);
    ok(refused(7, "000001.seg", "ends at group 6, but the table holds group 7"),
       "a table that is ahead of the journal");
    wipe();
    ok(refused(7, folder, "ends at group 0"), "a journal that is gone");
}

static void the_last_segments_end_is_vouched_for(void) {
    /* A bit that breaks the last frame of an older segment looks like a torn tail there; the next
     * segment's header says how far the frames went. */
    struct heard h;
    fresh(100);
    struct journal *j = open_at(0, &h);
    journal_close(&j);
    int n = 0;
    uint64_t at = 0, end = 0;
    for (uint32_t len = 1; len; n++) {
        char path[128];
        path_of("000001.seg", path);
        at = end;
        end = frame_at("000001.seg", n);
        int fd = open(path, O_RDONLY);
        if (pread(fd, &len, 4, (off_t)end) != 4) len = 0;
        close(fd);
    }
    flip("000001.seg", (off_t)at + 25, 1);
    ok(refused(0, "000001.seg", "damaged"), "the last frame of an older segment");
}

static void recycled_segments_are_clean(void) {
    struct heard h;
    struct journal_stats stats;
    wipe();
    struct journal *j = open_at(0, &h);
    uint64_t group = 0, reached = 0;
    for (int round = 0; round < 40; round++) {
        if (!append(j, group + 1, group + 30)) abort();
        group += 30;
        reached = group - 20;
        journal_prepare(j);
        journal_trim(j, reached);
        if (round % 7 == 3) {
            journal_close(&j);
            j = open_at(reached, &h);
            if (!j || h.wrong || h.last != group || h.first != reached + 1) break;
        }
    }
    ok(j && group == 1200, "segments are used again, restarts find the newest groups alone");
    if (!j) { note("%s", why); return; }
    journal_stats(j, &stats);
    note("%llu segments, %llu spare", (unsigned long long)stats.segments,
         (unsigned long long)stats.spare);
    ok(stats.segments + stats.spare <= 12, "the number of files is bounded");
    journal_close(&j);
    ok(refused(300, ".seg", "missing") || strstr(why, "begins behind"),
       "a table that is older than what was trimmed is refused");
}

static void old_frames_behind_the_tail_do_not_count(void) {
    struct heard h;
    wipe();
    struct journal *j = open_at(0, &h);
    if (!append(j, 1, 60)) abort();
    journal_trim(j, 60); /* all but the last segment are free, full of old frames */
    if (!append(j, 61, 75)) abort();
    journal_close(&j);
    j = open_at(60, &h);
    ok(j && h.first == 61 && h.last == 75, "old frames behind the tail are no damage");
    journal_close(&j);
}

static void frames_in_payloads_do_not_count(void) {
    /* A client sends bytes that are a whole later frame of another incarnation. */
    struct heard h;
    fresh(2);
    char path[128];
    uint8_t bytes[8192];
    path_of("000001.seg", path);
    int fd = open(path, O_RDONLY);
    if (pread(fd, bytes, sizeof bytes, SEGMENT_HEADER_BYTES) != sizeof bytes) abort();
    close(fd);
    struct journal *j = open_at(0, &h); /* a new incarnation */
    bool fine = journal_append(j, 3, slice_of(bytes, sizeof bytes), why, sizeof why);
    journal_close(&j);
    DIR *dir = opendir(folder);
    char newest[64] = "";
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] == '0' && strcmp(e->d_name, newest) > 0) strcpy(newest, e->d_name);
    closedir(dir);
    flip(newest, SEGMENT_HEADER_BYTES + 24 + 5000, 1); /* group 3 is torn */
    j = open_at(0, &h);
    ok(fine && j && h.last == 2, "a frame inside a payload does not pass for one of the journal");
    journal_close(&j);
}

/* A child appends and reports each group once it is durable; it is killed in the middle. */
static void acknowledged_is_recovered_after_kill(void) {
    int lost = 0, wrong = 0, rounds = 12;
    uint64_t total = 0;
    wipe();
    for (int round = 0; round < rounds; round++) {
        int pipes[2];
        if (pipe(pipes) != 0) abort();
        pid_t child = fork();
        if (child == 0) {
            struct heard h;
            struct journal *j = open_at(0, &h);
            if (!j) _exit(1);
            for (uint64_t g = journal_newest(j) + 1;; g++)
                if (!append(j, g, g) || write(pipes[1], &g, sizeof g) != sizeof g) _exit(1);
        }
        close(pipes[1]);
        uint64_t acknowledged = total, g;
        for (int i = 0; i < 40 + round * 3; i++) {
            if (read(pipes[0], &g, sizeof g) != sizeof g) break;
            acknowledged = g;
        }
        kill(child, SIGKILL);
        while (read(pipes[0], &g, sizeof g) == sizeof g) acknowledged = g;
        waitpid(child, NULL, 0);
        close(pipes[0]);
        struct heard h;
        struct journal *j = open_at(0, &h);
        if (!j) { note("%s", why); wrong++; break; }
        lost += h.last < acknowledged;
        wrong += h.wrong > 0 || h.first != 1 || h.count != h.last;
        total = h.last;
        journal_close(&j);
    }
    note("%llu groups over %d kills", (unsigned long long)total, rounds);
    is_int(lost, 0, "after kill -9 every acknowledged group is there");
    is_int(wrong, 0, "and nothing else");
    ok(total > 300, "groups were acknowledged");
}

static void a_full_disk_is_an_error(void) {
    char mount_at[48];
    struct heard h;
    wipe();
    snprintf(mount_at, sizeof mount_at, "%s/full", base);
    mkdir(mount_at, 0700);
    if (mount("relais-test", mount_at, "tmpfs", 0, "size=300k") != 0) {
        skip("a full disk is an error, what was acknowledged stays", "no right to mount");
        rmdir(mount_at);
        return;
    }
    char usual[96];
    memcpy(usual, folder, sizeof usual);
    snprintf(folder, sizeof folder, "%s/j", mount_at);
    struct journal *j = open_at(0, &h);
    uint64_t g = 0;
    while (j && g < 1000 && append(j, g + 1, g + 1)) g++;
    note("group %llu: %s", (unsigned long long)g + 1, why);
    ok(g > 10 && g < 1000 && strstr(why, "No space"), "a full disk is an error");
    if (j) journal_close(&j);
    j = open_at(0, &h);
    ok(j && h.last == g && !h.wrong, "what was acknowledged stays");
    if (j) journal_close(&j);
    umount(mount_at);
    rmdir(mount_at);
    memcpy(folder, usual, sizeof usual);
}

static void a_short_write_is_an_error(void) {
    /* The file size limit makes write() take a part, then fail: as a disk does that fills up. */
    pid_t child = fork();
    if (child == 0) {
        struct heard h;
        signal(SIGXFSZ, SIG_IGN);
        wipe();
        struct journal *j = open_with(0, SEGMENT, &h);
        if (!j || !append(j, 1, 3)) _exit(1);
        struct rlimit limit = {SEGMENT_HEADER_BYTES + 12000, SEGMENT_HEADER_BYTES + 12000};
        setrlimit(RLIMIT_FSIZE, &limit);
        uint64_t g = 3;
        while (g < 100 && append(j, g + 1, g + 1)) g++;
        _exit(g < 100 && g > 0 ? 10 + (int)g : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    uint64_t acknowledged = (uint64_t)WEXITSTATUS(status) - 10;
    struct heard h;
    struct journal *j = open_at(0, &h);
    ok(WEXITSTATUS(status) > 10 && j && h.last == acknowledged && !h.wrong,
       "a write that was taken in part is an error, and is cut");
    if (j) journal_close(&j);
}

int main(void) {
    if (!mkdtemp(base)) return 1;
    snprintf(folder, sizeof folder, "%s/journal", base);
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)(i * 2654435761u >> 13);
    crc_is_castagnoli();
    groups_come_back();
    a_group_larger_than_a_segment_is_kept();
    a_torn_tail_is_cut();
    a_tail_torn_anywhere_is_cut();
    damage_is_refused_and_named();
    the_last_segments_end_is_vouched_for();
    recycled_segments_are_clean();
    old_frames_behind_the_tail_do_not_count();
    frames_in_payloads_do_not_count();
    acknowledged_is_recovered_after_kill();
    a_full_disk_is_an_error();
    a_short_write_is_an_error();
    wipe();
    rmdir(base);
    return done();
}
