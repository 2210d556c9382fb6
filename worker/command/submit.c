/* submit - creates a task. */
#include "command.h"
#include "worker/command/call.h"
#include "worker/command/emit.h"
#include "worker/command/show.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAYLOAD_MAX = 1 << 20, LABEL_WORDS_MAX = 16, SHOWN_KEEP_MS = 3600000 };

struct flags {
    const char *priority, *keep, *source;
    uint64_t retries;
    int64_t timeout_ms, wait_ms;
    bool no_retry;
};

/* Everything from stdin, bounded; false when that is too much. */
static bool read_payload(struct buffer *b) {
    uint8_t bytes[4096];
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, stdin)) > 0;) {
        buffer_append(b, bytes, n);
        if (b->len > PAYLOAD_MAX || b->failed) return false;
    }
    return !ferror(stdin);
}

/* NULL, or what is wrong. */
static const char *read_flags(const struct flags *f, struct relais_submit *task) {
    for (int p = RELAIS_PRIORITY_LOW; f->priority && p <= RELAIS_PRIORITY_CRITICAL; p++)
        if (strcmp(relais_priority_name(p), f->priority) == 0) task->priority = p;
    if (f->priority && !task->priority) return "--priority is low, normal, high or critical";
    if (f->keep) {
        struct config keep;
        char why[OPTION_WHY_MAX];
        config_init(&keep, SECTION_BROKER);
        bool ok = option_set(&option_table[OPTION_AT_keep_ms], &keep, f->keep, why);
        task->keep_ms = keep.keep_ms == 0 ? RELAIS_KEEP_NONE : keep.keep_ms;
        config_free(&keep);
        if (!ok) return "--keep is failed, none or a time";
    } else if (f->wait_ms > 0) {
        task->keep_ms = SHOWN_KEEP_MS; /* what shall be shown must be there */
    }
    if (f->retries > 65535) return "--retries is too high";
    if (f->timeout_ms > UINT32_MAX) return "--timeout is too long";
    task->retries = f->no_retry ? RELAIS_NEVER : (int)f->retries;
    task->timeout_ms = (uint32_t)f->timeout_ms;
    return NULL;
}

/* The order of keys. */
static int label_compare(const void *a, const void *b) {
    const char *one = *(char *const *)a, *two = *(char *const *)b;
    size_t len = strcspn(one, "="), other = strcspn(two, "=");
    int order = memcmp(one, two, len < other ? len : other);
    return order ? order : (len > other) - (len < other);
}

/* "b=2,a=1" to "a=1,b=2", as the wire wants it; false when that is no list of key=value. */
static bool labels_sort(const char *labels, struct buffer *sorted) {
    char *words[LABEL_WORDS_MAX], *copy = strdup(labels), *rest = copy;
    size_t count = 0;
    bool good = copy != NULL;
    for (char *word; good && (word = strsep(&rest, ",")) != NULL;) {
        good = count < LABEL_WORDS_MAX && word[0] != '=' && strchr(word, '=') != NULL;
        if (good) words[count++] = word;
    }
    if (good) qsort(words, count, sizeof *words, label_compare);
    for (size_t i = 0; good && i < count; i++) {
        if (i > 0) buffer_byte(sorted, ',');
        buffer_append(sorted, words[i], strlen(words[i]));
    }
    buffer_byte(sorted, 0);
    free(copy);
    return good && !sorted->failed;
}

/* The source file, to be read; -1 when that cannot be, and has been said. */
static int source_open(const char *path) {
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool folder = fd >= 0 && fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode);
    if (fd >= 0 && !folder) return fd;
    fprintf(stderr, "relais submit: %s: %s\n", path, strerror(folder ? EISDIR : errno));
    if (fd >= 0) close(fd);
    return -1;
}

static int upload(struct call *c, const char *path, int fd, struct relais_file *file) {
    struct relais_files *files = NULL;
    const char *slash = strrchr(path, '/');
    int code = relais_files_open(&files, &c->reach.link);
    if (code == RELAIS_OK)
        code = relais_upload(files, fd, slash ? slash + 1 : path, NULL, file);
    relais_files_close(&files);
    return code;
}

static void print_number(const struct call *c, uint64_t id) {
    if (!c->json) {
        printf("%" PRIu64 "\n", id);
        return;
    }
    struct emit e = emit_open(stdout);
    emit_number(&e, "id", (int64_t)id);
    emit_close(&e);
}

/* Shows what has become of the task; *good is whether it has completed. */
static int await(struct call *c, uint64_t id, int64_t wait_ms, bool *good) {
    const unsigned want = RELAIS_WANT_RESULT | RELAIS_WANT_ATTEMPTS;
    struct relais_view *v = NULL;
    uint32_t ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
    *good = false;
    int code = relais_wait(c->client, id, want, ms, &v);
    if (code == RELAIS_TIMEOUT) code = relais_get(c->client, id, want, &v);
    if (code == RELAIS_UNKNOWN_TASK) {
        fprintf(stderr, "relais submit: task %" PRIu64 " has ended and was not kept: --keep TIME\n",
                id);
        return RELAIS_OK;
    }
    if (code != RELAIS_OK) return code;
    if (v->status < RELAIS_COMPLETED)
        fprintf(stderr, "relais submit: task %" PRIu64 " has not ended yet\n", id);
    show_task(v, c->json);
    *good = v->status == RELAIS_COMPLETED;
    relais_view_free(&v);
    return RELAIS_OK;
}

int command_submit(int argc, char **argv) {
    struct flags f = {.priority = NULL};
    struct relais_submit task = {.queue = NULL};
    struct relais_file file = {.id = 0};
    const struct arg table[] = {
        {"priority", ARG_TEXT, &f.priority, "low, normal, high or critical"},
        {"delay", ARG_TIME, &task.delay_ms, "not before so long from now; 10 or 10s, 5m, 2h"},
        {"retries", ARG_NUMBER, &f.retries, "automatic retries; the broker's default without"},
        {"no-retry", ARG_FLAG, &f.no_retry, "no automatic retry"},
        {"timeout", ARG_TIME, &f.timeout_ms, "of one run"},
        {"keep", ARG_TEXT, &f.keep, "failed, none or a time: how long it is kept after its end"},
        {"key", ARG_TEXT, &task.key, "the same key and task again give the same number"},
        {"labels", ARG_TEXT, &task.labels, "k=v,k=v: only workers that serve them get it"},
        {"source", ARG_TEXT, &f.source, "a file that is the task's input"},
        {"accepted", ARG_FLAG, &task.accepted, "do not wait for the disk; lost at a restart"},
        {"wait", ARG_TIME, &f.wait_ms, "show its end: exit 0 if completed; kept 1h unless --keep"}};
    struct call c;
    int words = call_open(&c, table, COUNT(table), "QUEUE [TYPE [PAYLOAD | -]] [--OPTION VALUE]…",
                          1, 3, argc, argv);
    if (words < 0) return call_exit(&c);
    const char *bad = read_flags(&f, &task);
    struct buffer payload = {0}, labels = {0};
    if (task.labels && !task.labels[0]) task.labels = NULL;
    if (!bad && task.labels && !labels_sort(task.labels, &labels))
        bad = "--labels is key=value, comma between";
    if (task.labels && !bad) task.labels = (const char *)labels.data;
    bool from_stdin = words == 3 && strcmp(argv[3], "-") == 0;
    if (from_stdin && !read_payload(&payload)) bad = "the payload is too long";
    if (bad) {
        fprintf(stderr, "relais submit: %s; --help lists what there is\n", bad);
        buffer_free(&payload);
        buffer_free(&labels);
        return call_close(&c, RELAIS_OK) + 2;
    }
    task.queue = argv[1];
    task.type = words > 1 ? argv[2] : NULL;
    task.payload = from_stdin ? (const void *)payload.data : words == 3 ? argv[3] : NULL;
    task.payload_len = from_stdin ? payload.len : words == 3 ? strlen(argv[3]) : 0;
    int fd = f.source ? source_open(f.source) : -1, code = RELAIS_OK;
    bool good = !f.source || fd >= 0;
    uint64_t id = 0;
    if (fd >= 0) {
        code = upload(&c, f.source, fd, &file);
        close(fd);
        task.source = &file;
    }
    if (good && code == RELAIS_OK) {
        code = relais_submit(c.client, &task, &id);
        if (code == RELAIS_OK && f.wait_ms > 0) code = await(&c, id, f.wait_ms, &good);
        else if (code == RELAIS_OK) print_number(&c, id);
    }
    buffer_free(&payload);
    buffer_free(&labels);
    return call_close(&c, code) || !good;
}
