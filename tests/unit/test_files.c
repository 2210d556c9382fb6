/* Files: appended in order, sealed on disk with their hash, placed once a record names them. */
#include "store/files.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64] = "/tmp/relais-files-XXXXXX";
static char why[256];

static struct files *open_files(void) {
    struct files_options o = {.folder = folder, .uploads_max = 4, .file_bytes_max = 1 << 20,
                              .idle_ms_max = 1000};
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
    is_int(files_expire(f, 1400), 3, "idle uploads go, sealed ones too");
    is_int(files_append(f, 2, 0, slice_of(much, 1), 0), FILE_UNKNOWN, "they are unknown then");
    is_int(files_append(f, 1, sizeof much, slice_of(much, 1), 0), FILE_OK, "a live one stays");
    is_int(files_create(f, 5, 0), FILE_OK, "there is room again");
    is_int(files_drop(f, 5), FILE_OK, "an upload can be given up");
    is_int(files_drop(f, 5), FILE_UNKNOWN, "once");
    is_int(files_append(f, 0, 0, slice_of(much, 1), 0), FILE_UNKNOWN, "there is no upload 0");
    files_drop(f, 1);
    files_close(&f);
}

static bool even(void *context, uint64_t id) {
    (void)context;
    return id % 2 == 0;
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
    snprintf(path, sizeof path, "%s/files/incoming/07 strange", folder);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    f = open_files();
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

int main(void) {
    if (!mkdtemp(folder)) return 1;
    a_file_comes_in_and_is_read();
    uploads_are_bounded();
    start_up_places_what_has_a_record();
    a_full_disk_leaves_the_upload_as_it_was();
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? done() : 1;
}
