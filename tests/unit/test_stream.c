/* Streams: files that grow while they are read. What was synced is there after a crash, and nothing
 * else; an ended one becomes a file. */
#include "store/stream.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64] = "/tmp/relais-stream-XXXXXX";
static char why[256];

static struct streams *streams_begin(void) {
    const struct streams_options o = {.folder = folder, .streams_max = 3,
                                      .stream_bytes_max = 100, .idle_ms_max = 1000,
                                      .age_ms_max = 5000, .unnamed_ms_max = 2000};
    struct streams *s = streams_open(&o, why, sizeof why);
    if (!s) { note("%s", why); exit(1); }
    return s;
}

static bool exists(const char *name) {
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/files/%s", folder, name);
    return stat(path, &st) == 0;
}

static void scribble(const char *name, int flags, off_t at, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/files/%s", folder, name);
    int fd = open(path, O_WRONLY | flags);
    bool ok_written = fd >= 0 && pwrite(fd, text, strlen(text), at) == (ssize_t)strlen(text);
    if (!ok_written) { note("cannot scribble on %s", path); exit(1); }
    close(fd);
}

static enum file_result append(struct streams *s, uint64_t id, int64_t number, const char *text) {
    return streams_append(s, id, number, slice_text(text), 0);
}

/* What can be read of it, as text. */
static const char *content(struct streams *s, uint64_t id, uint64_t from) {
    static char text[128];
    struct buffer b = {0};
    if (streams_read(s, id, from, sizeof text - 1, &b) != FILE_OK) return NULL;
    memcpy(text, b.data ? (const char *)b.data : "", b.len);
    text[b.len] = '\0';
    buffer_free(&b);
    return text;
}

static struct stream_state state(struct streams *s, uint64_t id) {
    struct stream_state st = {0};
    if (streams_state(s, id, &st) != FILE_OK) st.brand = UINT32_MAX;
    return st;
}

static void it_grows_by_counted_chunks(void) {
    struct streams *s = streams_begin();
    is_int(streams_create(s, 7, 5, 0, 0), FILE_OK, "a stream is made");
    is_int(streams_create(s, 7, 5, 0, 0), FILE_EXISTS, "its id is taken then");
    is_int(append(s, 7, 2, "x"), FILE_ORDER, "the first chunk is 0 or 1");
    is_int(append(s, 7, 1, "one "), FILE_OK, "it comes");
    is_int(append(s, 7, 1, "uno "), FILE_OK, "said again it is fine");
    is_int(append(s, 7, 0, "x"), FILE_OK, "as is one before");
    is_int(append(s, 7, 3, "x"), FILE_ORDER, "a gap is refused");
    is_text(content(s, 7, 0), "", "what is not on disk is not read");
    is_int(append(s, 7, STREAM_NEXT, "two "), FILE_OK, "the next needs no number");
    ok(streams_sync(s), "it goes on disk");
    is_text(content(s, 7, 0), "one two ", "then it is read");
    is_text(content(s, 7, 4), "two ", "from anywhere");
    is_text(content(s, 7, 8), "", "up to its end");
    is_text(content(s, 7, 99), "", "and not beyond");
    is_int(state(s, 7).next, 3, "the next number is known");
    is_int(state(s, 7).brand, 5, "and whose it is");
    char large[101];
    memset(large, 'x', 100);
    large[100] = '\0';
    is_int(append(s, 7, 3, large), FILE_LARGE, "it has a bound");
    is_int(append(s, 8, 0, "x"), FILE_UNKNOWN, "what is not there takes nothing");
    streams_create(s, 8, 1, 0, 0);
    streams_create(s, 9, 1, 0, 0);
    is_int(streams_create(s, 10, 1, 0, 0), FILE_LIMIT, "so many at once, no more");
    is_int(streams_drop(s, 8), FILE_OK, "one that nobody names can be dropped");
    ok(!exists("growing/8") && !exists("growing/8.state"), "with all that it had");
    is_int(streams_name(s, 9), FILE_OK, "one is named");
    is_int(streams_drop(s, 9), FILE_ORDER, "then it cannot");
    streams_unname(s, 9, 0);
    is_int(streams_remove(s, 9), FILE_OK, "it goes with its record");
    streams_close(&s);
}

static int named(void *context, uint64_t id) {
    (void)context;
    return id == 7 || id == 11;
}

/* A process that is killed after a sync, with a chunk taken and not yet synced. */
static void crash(void) {
    pid_t child = fork();
    if (child == 0) {
        struct streams *s = streams_begin();
        streams_recover(s, 0, named, NULL, why, sizeof why);
        append(s, 7, 3, "three ");
        streams_sync(s);
        append(s, 7, 4, "lost");
        streams_create(s, 11, 1, 0, 0);
        streams_create(s, 12, 1, 0, 0);
        kill(getpid(), SIGKILL);
    }
    int status;
    waitpid(child, &status, 0);
    ok(WIFSIGNALED(status), "a process dies");
}

static void a_crash_takes_only_what_was_not_answered(void) {
    crash();
    scribble("growing/7", O_APPEND, 0, "noise");
    struct streams *s = streams_begin();
    is_int(streams_recover(s, 0, named, NULL, why, sizeof why), 3, "three were growing");
    is_text(content(s, 7, 0), "one two three ", "what was synced is there");
    is_int(state(s, 7).next, 4, "with the number of the next");
    is_int(append(s, 7, 3, "x"), FILE_OK, "what was there counts once");
    is_int(append(s, 7, 4, "four"), FILE_OK, "and it goes on");
    ok(streams_sync(s), "on disk");
    is_text(content(s, 7, 0), "one two three four", "without what was behind");
    is_int(state(s, 11).brand, 1, "one that a record names is kept");
    is_int(state(s, 12).brand, UINT32_MAX, "one that none names is gone");
    ok(!exists("growing/12") && !exists("growing/12.state"), "from the disk, too");
    streams_close(&s);
}

static void a_torn_state_costs_nothing_that_was_answered(void) {
    struct streams *s = streams_begin();
    streams_recover(s, 0, named, NULL, why, sizeof why);
    const uint64_t size = state(s, 7).size;
    streams_close(&s);
    scribble("growing/7.state", 0, 8, "torn"); /* one slot or the other: the older one counts */
    s = streams_begin();
    is_int(streams_recover(s, 0, named, NULL, why, sizeof why), 2, "they are found again");
    ok(state(s, 7).size == size || state(s, 7).size == size - 4, "by a slot that is whole");
    is_int(append(s, 7, (int64_t)state(s, 7).next, "!"), FILE_OK, "and go on");
    ok(streams_sync(s), "on disk");
    streams_close(&s);
}

static void an_ended_one_becomes_a_file(void) {
    struct streams *s = streams_begin();
    streams_recover(s, 0, named, NULL, why, sizeof why);
    is_int(streams_end(s, 11), FILE_OK, "one with a record ends");
    ok(exists("11") && !exists("growing/11") && !exists("growing/11.state"), "and has its place");
    is_int(streams_end(s, 11), FILE_UNKNOWN, "it is no stream any more");
    streams_create(s, 13, 1, 0, 0);
    append(s, 13, 0, "late");
    is_int(streams_end(s, 13), FILE_OK, "one without a record ends");
    ok(state(s, 13).ended && state(s, 13).size == 4, "with what was taken");
    is_int(append(s, 13, 1, "x"), FILE_EXISTS, "and takes no more");
    is_int(append(s, 13, 0, "late"), FILE_OK, "but what it has");
    is_int(streams_end(s, 13), FILE_OK, "ending again is fine");
    ok(exists("growing/13"), "it waits for its record");
    is_int(streams_place(s, 13), FILE_OK, "which comes");
    ok(exists("13") && !exists("growing/13"), "then it has its place");
    is_int(streams_create(s, 13, 1, 0, 0), FILE_EXISTS, "and keeps its id");
    streams_close(&s);
}

static uint32_t over_count;
static void over(void *context, uint64_t id) {
    (void)context;
    (void)id;
    over_count++;
}

static void an_abandoned_one_ends(void) {
    struct streams *s = streams_begin();
    streams_create(s, 20, 1, 0, 0);
    streams_create(s, 21, 1, 0, 0);
    streams_place(s, 20);
    streams_expire(s, 999, 999, over, NULL);
    is_int(over_count, 0, "nothing is over yet");
    streams_expire(s, 1000, 1000, over, NULL);
    is_int(over_count, 1, "after its time a stream with a record is over");
    ok(exists("20"), "it has ended, and is a file");
    streams_expire(s, 2000, 2000, over, NULL);
    is_int(over_count, 2, "one without is dropped");
    ok(!exists("21") && !exists("growing/21"), "altogether");
    streams_create(s, 22, 1, 2000, 0);
    streams_place(s, 22);
    for (int64_t now = 2500; now < 5000; now += 500) {
        streams_append(s, 22, STREAM_NEXT, slice_text("x"), now);
        streams_expire(s, now, now, over, NULL);
    }
    is_int(over_count, 2, "one that goes on lasts");
    streams_append(s, 22, STREAM_NEXT, slice_text("x"), 5000);
    streams_expire(s, 5000, 5000, over, NULL);
    is_int(over_count, 3, "but not for ever");
    streams_close(&s);
}

int main(void) {
    if (mkdtemp(folder) == NULL) return 1;
    it_grows_by_counted_chunks();
    char command[160];
    a_crash_takes_only_what_was_not_answered();
    a_torn_state_costs_nothing_that_was_answered();
    an_ended_one_becomes_a_file();
    an_abandoned_one_ends();
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? done() : 1;
}
