/* What a crash leaves of files, a broker that starts on the folder puts right. */
#include "broker/broker.h"
#include "proto/host/log.h"
#include "store/codec.h"
#include "store/files.h"
#include "store/store.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLACED = 41, GONE = 42, WAITING = 43, UNNAMED = 44 };

static char folder[64] = "/tmp/relais-filer-XXXXXX";
static char why[512];

static bool exists(const char *name) {
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/files/%s", folder, name);
    return stat(path, &st) == 0;
}

static void commit(struct store *s, enum record_kind kind, uint64_t file) {
    struct buffer group = {0};
    struct record r = {.kind = kind, .file = {.file = file, .brand = 1}};
    record_encode(&group, &r);
    if (store_append(s, store_next_group(s), buffer_slice(&group)) != STORE_OK) _exit(1);
    buffer_free(&group);
}

static void upload(struct files *f, uint64_t id) {
    uint64_t size;
    uint8_t hash[FILE_HASH_BYTES];
    files_create(f, id, 0);
    files_append(f, id, 0, slice_text("bytes"), 0);
    if (files_seal(f, id, 0, &size, hash) != FILE_OK) _exit(1);
}

/* Between every commit and what follows it on the disk. */
static void die(void) {
    struct store_options store = {.folder = folder, .ballast_bytes = 4096, .free_bytes_min = 4096};
    struct files_options files = {.folder = folder, .uploads_max = 8, .file_bytes_max = 1 << 20,
                                  .idle_ms_max = 1000, .named_ms_max = 1000};
    struct store *s = store_open(&store, why, sizeof why);
    struct files *f = files_open(&files, why, sizeof why);
    if (s == NULL || f == NULL) _exit(1);
    for (uint64_t id = PLACED; id <= UNNAMED; id++) upload(f, id);
    for (uint64_t id = PLACED; id <= WAITING; id++) commit(s, RECORD_FILE, id);
    files_place(f, PLACED);
    files_place(f, GONE);
    commit(s, RECORD_FILE_GONE, GONE);
    kill(getpid(), SIGKILL);
}

static struct broker *start(struct config *config) {
    char data[80], *argv[] = {"broker", data, "--listen=tcp://127.0.0.1:0", NULL};
    int argc = 3;
    snprintf(data, sizeof data, "--data=%s", folder);
    if (!config_load(config, SECTION_BASE | SECTION_BROKER, &argc, argv, why)) return NULL;
    const struct broker_setup setup = {.config = config, .stop_fd = -1};
    return broker_open(&setup, why, sizeof why);
}

static void a_start_after_a_crash_puts_files_right(void) {
    struct config config = {0};
    int status = 0;
    const pid_t child = fork();
    if (child == 0) die();
    waitpid(child, &status, 0);
    ok(WIFSIGNALED(status), "a process dies");
    ok(exists("41") && exists("42") && exists("incoming/43") && exists("incoming/44"),
       "with files that were not yet placed or unlinked");
    struct broker *b = start(&config);
    if (!ok(b != NULL, "a broker starts on what it left")) note("%s", why);
    ok(exists("41"), "a file with a record stays where it is");
    ok(!exists("42"), "one whose record went is unlinked again");
    ok(exists("43") && !exists("incoming/43"), "one whose record is durable gets its place");
    ok(!exists("44") && !exists("incoming/44"), "an upload that no record names goes");
    broker_close(&b);
    config_free(&config);
}

int main(void) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (mkdtemp(folder) == NULL) return 1;
    log_open("test", LEVEL_ERROR, nowhere);
    a_start_after_a_crash_puts_files_right();
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? done() : 1;
}
