/* Files: appended in order, sealed on disk with their hash, placed once a record names them, gone
 * with it. The record's side is a real store's. */
#include "store/codec.h"
#include "store/files.h"
#include "store/store.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <sodium.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[64] = "/tmp/relais-files-XXXXXX";
static char why[256];

static struct files *open_files(void) {
    struct files_options o = {.folder = folder, .uploads_max = 4, .file_bytes_max = 1 << 20,
                              .idle_ms_max = 1000, .named_ms_max = 10000};
    struct files *f = files_open(&o, why, sizeof why);
    if (!f) { note("%s", why); exit(1); }
    return f;
}

static bool exists(const char *name) {
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/files/%s", folder, name);
    return stat(path, &st) == 0;
}

static void a_file_comes_in_and_is_read(void) {
    struct files *f = open_files();
    uint8_t bytes[5000], hash[32], want[32];
    uint64_t size = 0;
    struct buffer b = {0};
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7);
    is_int(files_create(f, 77, 0), FILE_OK, "an upload is opened");
    is_int(files_create(f, 77, 0), FILE_EXISTS, "its id is taken then");
    is_int(files_append(f, 77, 0, slice_of(bytes, 3000), 0), FILE_OK, "bytes are appended");
    is_int(files_append(f, 77, 2999, slice_of(bytes, 10), 0), FILE_ORDER, "but not over others");
    is_int(files_append(f, 77, 1000, slice_of(bytes, 2000), 0), FILE_OK, "said again is fine");
    is_int(files_append(f, 77, 3001, slice_of(bytes, 10), 0), FILE_ORDER, "nor behind a gap");
    is_int(files_append(f, 77, 3000, slice_of(bytes + 3000, 2000), 0), FILE_OK, "at the end");
    is_int(files_place(f, 77), FILE_ORDER, "it is not placed before it is sealed");
    is_int(files_read(f, 77, 0, 10, &b, &size), FILE_UNKNOWN, "nor read");
    is_int(files_seal(f, 77, 0, &size, hash), FILE_OK, "it is sealed");
    crypto_hash_sha256(want, bytes, sizeof bytes);
    is_int(size, 5000, "with its size");
    ok(memcmp(hash, want, 32) == 0, "and its hash");
    memset(hash, 0, 32);
    is_int(files_seal(f, 77, 0, &size, hash), FILE_OK, "sealing again is fine");
    ok(memcmp(hash, want, 32) == 0, "and says the same");
    is_int(files_append(f, 77, 5000, slice_of(bytes, 1), 0), FILE_ORDER, "nothing is added then");
    is_int(files_read(f, 77, 4990, 100, &b, &size), FILE_OK, "a sealed upload can be read");
    ok(b.len == 10 && memcmp(b.data, bytes + 4990, 10) == 0 && size == 5000, "to its end");
    ok(exists("incoming/77") && !exists("77"), "it waits in incoming/");
    is_int(files_place(f, 77), FILE_OK, "its record is durable: it gets its place");
    is_int(files_place(f, 77), FILE_OK, "twice is fine");
    ok(!exists("incoming/77") && exists("77"), "there it lies");
    is_int(files_create(f, 77, 0), FILE_EXISTS, "its id is not given again");
    buffer_clear(&b);
    is_int(files_read(f, 77, 5000, 10, &b, &size), FILE_OK, "reading at the end");
    is_int(b.len, 0, "gives nothing");
    is_int(files_read(f, 77, UINT64_MAX, 10, &b, &size), FILE_OK, "reading far behind it");
    is_int(b.len, 0, "gives nothing either");
    is_int(files_remove(f, 77), FILE_OK, "it is removed");
    is_int(files_remove(f, 77), FILE_UNKNOWN, "once");
    is_int(files_read(f, 77, 0, 10, &b, &size), FILE_UNKNOWN, "then there is nothing to read");
    buffer_free(&b);
    files_close(&f);
}

static void count_in(void *context, uint64_t id) { *(uint64_t *)context += id; }

static void uploads_are_bounded(void) {
    struct files *f = open_files();
    static uint8_t much[600 << 10];
    uint64_t size;
    uint8_t hash[32];
    for (uint64_t id = 1; id <= 4; id++) files_create(f, id, (int64_t)id * 100);
    is_int(files_create(f, 5, 0), FILE_LIMIT, "uploads are counted");
    is_int(files_append(f, 1, 0, slice_of(much, sizeof much), 500), FILE_OK, "a large piece");
    is_int(files_append(f, 1, sizeof much, slice_of(much, sizeof much), 500), FILE_LARGE,
           "is the last when the limit would be passed");
    is_int(files_seal(f, 2, 200, &size, hash), FILE_OK, "an empty upload can be sealed");
    is_int(size, 0, "and is empty");
    uint64_t sum = 0;
    is_int(files_expire(f, 1400, count_in, &sum), 3, "idle uploads go, sealed ones too");
    is_int(sum, 2 + 3 + 4, "and are told");
    ok(!exists("incoming/2") && !exists("incoming/4") && exists("incoming/1"), "with their bytes");
    is_int(files_append(f, 2, 0, slice_of(much, 1), 0), FILE_UNKNOWN, "they are unknown then");
    is_int(files_append(f, 1, sizeof much, slice_of(much, 1), 0), FILE_OK, "a live one stays");
    is_int(files_create(f, 5, 0), FILE_OK, "there is room again");
    is_int(files_drop(f, 5), FILE_OK, "an upload can be given up");
    is_int(files_drop(f, 5), FILE_UNKNOWN, "once");
    is_int(files_append(f, 0, 0, slice_of(much, 1), 0), FILE_UNKNOWN, "there is no upload 0");
    files_drop(f, 1);
    files_close(&f);
}

static void what_a_task_names_is_kept(void) {
    struct files *f = open_files();
    uint64_t size = 99, sum = 0;
    uint8_t hash[32];
    files_create(f, 21, 0);
    files_append(f, 21, 0, slice_text("sound"), 0);
    is_int(files_name(f, 21, 0, &size), FILE_UNKNOWN, "what still grows cannot be named");
    files_seal(f, 21, 0, &size, hash);
    size = 0;
    is_int(files_name(f, 21, 0, &size), FILE_OK, "what is sealed can");
    is_int(size, 5, "and has a size");
    files_each_named(f, count_in, &sum);
    is_int(sum, 21, "it is one of the named");
    is_int(files_drop(f, 21), FILE_ORDER, "then it is not given up");
    is_int(files_expire(f, 9999, count_in, &sum), 0, "nor dropped when idle");
    files_unname(f, 21, 9999);
    sum = 0;
    files_each_named(f, count_in, &sum);
    is_int(sum, 0, "until the task did not come to be");
    is_int(files_expire(f, 10998, count_in, &sum), 0, "it has its time again");
    is_int(files_expire(f, 10999, count_in, &sum), 1, "and goes after it");
    is_int(files_name(f, 21, 0, &size), FILE_UNKNOWN, "it cannot be named then");
    files_create(f, 22, 0);
    files_seal(f, 22, 0, &size, hash);
    files_name(f, 22, 5000, &size);
    is_int(files_expire(f, 14999, count_in, &sum), 0, "a name holds for its time");
    files_place(f, 22);
    is_int(files_name(f, 22, 0, &size), FILE_OK, "a placed file can be named too");
    is_int(files_remove(f, 22), FILE_OK, "its record went");
    is_int(files_name(f, 22, 0, &size), FILE_UNKNOWN, "it cannot then");
    files_create(f, 23, 0);
    files_seal(f, 23, 0, &size, hash);
    is_int(files_remove(f, 23), FILE_OK, "a file whose record went before it was placed goes too");
    ok(!exists("incoming/23") && !exists("23"), "from incoming/");
    files_close(&f);
}

/* Many times what is written behind; nothing is lost between its steps. */
static void a_large_file_is_written_behind(void) {
    static uint8_t chunk[1 << 20];
    struct files_options o = {.folder = folder, .uploads_max = 1, .file_bytes_max = 64 << 20,
                              .idle_ms_max = 1000, .named_ms_max = 1000};
    struct files *f = files_open(&o, why, sizeof why);
    struct buffer b = {0};
    uint64_t size = 0;
    uint8_t hash[32], want[32];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    files_create(f, 31, 0);
    for (uint64_t i = 0; i < 21; i++) {
        memset(chunk, (int)i + 1, sizeof chunk);
        crypto_hash_sha256_update(&state, chunk, sizeof chunk);
        files_append(f, 31, i << 20, slice_of(chunk, sizeof chunk), 0);
    }
    crypto_hash_sha256_final(&state, want);
    is_int(files_seal(f, 31, 0, &size, hash), FILE_OK, "21 MiB are sealed");
    ok(size == 21 << 20 && memcmp(hash, want, 32) == 0, "whole");
    files_place(f, 31);
    is_int(files_read(f, 31, 20 << 20, UINT32_MAX, &b, &size), FILE_OK, "its end is read");
    ok(b.len == 1 << 20 && memcmp(b.data, chunk, b.len) == 0, "as it was written");
    buffer_clear(&b);
    is_int(files_read(f, 31, 0, UINT32_MAX, &b, &size), FILE_OK, "a read is bounded");
    is_int(b.len, FILE_READ_MAX, "by its limit");
    buffer_free(&b);
    files_remove(f, 31);
    files_close(&f);
}

static int even(void *context, uint64_t id) {
    (void)context;
    return id % 2 == 0;
}

static int unreadable(void *context, uint64_t id) {
    (void)context;
    (void)id;
    return -1;
}

static void start_up_places_what_has_a_record(void) {
    struct files *f = open_files();
    char path[128];
    uint64_t size;
    uint8_t hash[32];
    for (uint64_t id = 10; id <= 13; id++) {
        files_create(f, id, 0);
        files_append(f, id, 0, slice_text("hello"), 0);
        files_seal(f, id, 0, &size, hash);
    }
    files_close(&f); /* as a crash leaves it */
    f = open_files();
    is_int(files_recover(f, unreadable, NULL, why, sizeof why) < 0, true,
           "records that cannot be read are an error");
    ok(exists("incoming/10") && exists("incoming/11"), "and nobody loses bytes for it");
    snprintf(path, sizeof path, "%s/files/incoming/07 strange", folder);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    is_int(files_recover(f, even, NULL, why, sizeof why), 5, "start-up looks at incoming/");
    ok(exists("10") && exists("12"), "what has a record is placed");
    ok(!exists("11") && !exists("incoming/11") && !exists("incoming/13"), "the rest is unlinked");
    ok(!exists("incoming/07 strange"), "also what is no upload");
    is_int(files_recover(f, even, NULL, why, sizeof why), 0, "then it is empty");
    files_remove(f, 10);
    files_remove(f, 12);
    files_close(&f);
}

static void a_full_disk_leaves_the_upload_as_it_was(void) {
    static uint8_t much[300 << 10];
    if (mount("relais-test", folder, "tmpfs", 0, "size=400k") != 0) {
        skip("a full disk leaves the upload as it was", "no right to mount");
        return;
    }
    struct files *f = open_files();
    uint64_t size = 0;
    uint8_t hash[32], want[32];
    memset(much, 'x', sizeof much);
    files_create(f, 1, 0);
    is_int(files_append(f, 1, 0, slice_of(much, sizeof much), 0), FILE_OK, "there is room");
    is_int(files_append(f, 1, sizeof much, slice_of(much, sizeof much), 0), FILE_FULL, "then none");
    is_int(files_append(f, 1, sizeof much, slice_of(much, 1000), 0), FILE_OK, "a bit still fits");
    is_int(files_seal(f, 1, 0, &size, hash), FILE_OK, "it is sealed");
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, much, sizeof much);
    crypto_hash_sha256_update(&state, much, 1000);
    crypto_hash_sha256_final(&state, want);
    ok(size == sizeof much + 1000 && memcmp(hash, want, 32) == 0, "with what was taken, no more");
    files_close(&f);
    umount(folder);
}

/* ---- with a store ---- */

enum { KEPT = 41, GONE = 42 };

static struct store *open_store(void) {
    struct store_options o = {.folder = folder, .segment_bytes = 1 << 20,
                              .tail_bytes_max = 4 << 20, .age_ms_max = 1, .ballast_bytes = 4096,
                              .free_bytes_min = 4096};
    struct store *s = store_open(&o, why, sizeof why);
    if (!s) { note("%s", why); exit(1); }
    return s;
}

static void commit(struct store *s, enum record_kind kind, uint64_t file) {
    struct buffer group = {0};
    struct record r = {.kind = kind, .file = {.file = file, .brand = 1}};
    record_encode(&group, &r);
    if (store_append(s, store_next_group(s), buffer_slice(&group)) != STORE_OK) _exit(1);
    buffer_free(&group);
}

static void bring(struct files *f, struct store *s, uint64_t id) {
    uint64_t size;
    uint8_t hash[32];
    files_create(f, id, 0);
    files_append(f, id, 0, slice_text("bytes"), 0);
    files_seal(f, id, 0, &size, hash);
    commit(s, RECORD_FILE, id);
    files_place(f, id);
}

/* A process that dies between committing that a file is gone and unlinking it. */
static void die_before_the_unlink(void) {
    struct store *s = open_store();
    struct files *f = open_files();
    bring(f, s, KEPT);
    bring(f, s, GONE);
    if (!store_settle(s)) _exit(1); /* the table has both records */
    commit(s, RECORD_FILE_GONE, GONE);
    kill(getpid(), SIGKILL);
}

static void remove_it(void *context, uint64_t id) {
    is_int(files_remove(context, id), FILE_OK, "a file whose record is gone is unlinked again");
}

static void nothing(void *context, const struct record *r) { (void)context, (void)r; }

static void a_crash_before_the_unlink_leaves_no_file(void) {
    uint64_t sum = 0;
    pid_t child = fork();
    if (child == 0) die_before_the_unlink();
    int status = 0;
    waitpid(child, &status, 0);
    ok(WIFSIGNALED(status) && exists("41") && exists("42"), "a crash leaves both files");
    struct store *s = open_store();
    struct files *f = open_files();
    ok(store_settle(s), "what was replayed goes to the table");
    store_files_gone(s, remove_it, f);
    ok(exists("41") && !exists("42"), "the other one stays");
    struct store_view *v = store_view_open(s, store_next_group(s) - 1, why, sizeof why);
    ok(view_file(v, KEPT, nothing, NULL), "as its record does");
    ok(!view_file(v, GONE, nothing, NULL) && !view_trouble(v), "the gone one has none");
    store_view_close(&v);
    store_close(&s);
    s = open_store();
    store_files_gone(s, count_in, &sum);
    is_int(sum, 0, "after an orderly end nothing is to be done");
    store_close(&s);
    files_close(&f);
}

static void a_second_id_is_a_file_of_its_own(void) {
    struct files *f = open_files();
    uint8_t hash[32], copy[32] = {0};
    uint64_t size = 0, sum = 0;
    struct buffer b = {0};
    files_create(f, 901, 0);
    files_append(f, 901, 0, slice_text("twice"), 0);
    is_int(files_link(f, 901, 902, 0, NULL, &size, copy), FILE_UNKNOWN,
           "an open upload is no file");
    files_seal(f, 901, 0, &size, hash);
    is_int(files_link(f, 901, 902, 0, NULL, &size, copy), FILE_OK, "a sealed upload is linked");
    ok(size == 5 && memcmp(hash, copy, 32) == 0, "with its size and hash");
    is_int(files_link(f, 901, 902, 0, NULL, &size, copy), FILE_EXISTS, "an id is used once");
    files_name(f, 901, 0, &size);
    files_place(f, 901);
    is_int(files_link(f, 901, 903, 0, NULL, &size, copy), FILE_UNKNOWN,
           "of a placed file the record says the hash");
    is_int(files_link(f, 901, 903, 0, hash, &size, copy), FILE_OK, "then it is linked as well");
    is_int(files_link(f, 999, 904, 0, hash, &size, copy), FILE_UNKNOWN, "what is not there is not");
    files_name(f, 902, 0, &size);
    files_place(f, 902);
    is_int(files_remove(f, 901), FILE_OK, "the first goes");
    is_int(files_read(f, 902, 0, 99, &b, &size), FILE_OK, "the second stays");
    ok(slice_equal(buffer_slice(&b), slice_text("twice")), "with all its bytes");
    is_int(files_expire(f, 100000, count_in, &sum), 1, "a link that nobody takes goes");
    ok(!exists("incoming/903") && exists("902"), "and only that");
    files_remove(f, 902);
    buffer_free(&b);
    files_close(&f);
}

int main(void) {
    if (!mkdtemp(folder)) return 1;
    a_file_comes_in_and_is_read();
    uploads_are_bounded();
    what_a_task_names_is_kept();
    a_large_file_is_written_behind();
    start_up_places_what_has_a_record();
    a_crash_before_the_unlink_leaves_no_file();
    a_full_disk_leaves_the_upload_as_it_was();
    a_second_id_is_a_file_of_its_own();
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? done() : 1;
}
