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
#include <unistd.h>

enum { PAYLOAD_MAX = 1 << 20 };

struct flags {
    const char *priority, *keep, *source;
    uint64_t retries;
    int64_t timeout_ms, wait_ms;
    bool no_retry;
};

static int wrong(struct call *c, const char *why) {
    fprintf(stderr, "relais submit: %s\n", why);
    return call_close(c, RELAIS_OK) + 2;
}

/* Everything from stdin, bounded; false when that is too much. */
static bool read_payload(struct buffer *b) {
    uint8_t bytes[4096];
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, stdin)) > 0;) {
        buffer_append(b, bytes, n);
        if (b->len > PAYLOAD_MAX || b->failed) return false;
    }
    return !ferror(stdin);
}

static bool read_flags(const struct flags *f, struct relais_submit *task) {
    for (int p = RELAIS_PRIORITY_LOW; f->priority && p <= RELAIS_PRIORITY_CRITICAL; p++)
        if (strcmp(relais_priority_name(p), f->priority) == 0) task->priority = p;
    if (f->priority && !task->priority) return false;
    if (f->keep) {
        struct config keep;
        char why[OPTION_WHY_MAX];
        config_init(&keep, SECTION_BROKER);
        bool ok = option_set(&option_table[OPTION_AT_keep_ms], &keep, f->keep, why);
        task->keep_ms = keep.keep_ms == 0 ? RELAIS_KEEP_NONE : keep.keep_ms;
        config_free(&keep);
        if (!ok) return false;
    }
    if (f->retries > 65535 || f->timeout_ms > UINT32_MAX) return false;
    task->retries = f->no_retry ? RELAIS_NEVER : (int)f->retries;
    task->timeout_ms = (uint32_t)f->timeout_ms;
    return true;
}

static int upload(struct call *c, const char *path, struct relais_file *file) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "relais submit: %s: %s\n", path, strerror(errno));
        return RELAIS_SYSTEM;
    }
    struct relais_files *files = NULL;
    const char *slash = strrchr(path, '/');
    int code = relais_files_open(&files, &c->reach.link);
    if (code == RELAIS_OK)
        code = relais_upload(files, fd, slash ? slash + 1 : path, NULL, file);
    relais_files_close(&files);
    close(fd);
    return code;
}

/* Prints the number, or what has become of the task when it was waited for. */
static int report(struct call *c, uint64_t id, int64_t wait_ms) {
    if (wait_ms <= 0) {
        if (!c->json) {
            printf("%" PRIu64 "\n", id);
            return RELAIS_OK;
        }
        struct emit e = emit_open(stdout);
        emit_number(&e, "id", (int64_t)id);
        emit_close(&e);
        return RELAIS_OK;
    }
    struct relais_view *v = NULL;
    uint32_t ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
    int code = relais_wait(c->client, id, RELAIS_WANT_RESULT | RELAIS_WANT_ATTEMPTS, ms, &v);
    if (code == RELAIS_OK) show_task(v, c->json);
    relais_view_free(&v);
    return code;
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
        {"wait", ARG_TIME, &f.wait_ms, "wait so long for its end, and show it; needs --keep TIME"}};
    struct call c;
    int words = call_open(&c, table, COUNT(table), "QUEUE [TYPE [PAYLOAD | -]] [--OPTION VALUE]…",
                          1, 3, argc, argv);
    if (words < 0) return call_exit(&c);
    if (!read_flags(&f, &task)) return wrong(&c, "an option's value is not understood");
    struct buffer payload = {0};
    bool from_stdin = words == 3 && strcmp(argv[3], "-") == 0;
    if (from_stdin && !read_payload(&payload)) return wrong(&c, "the payload is too long");
    task.queue = argv[1];
    task.type = words > 1 ? argv[2] : NULL;
    task.payload = from_stdin ? (const void *)payload.data : words == 3 ? argv[3] : NULL;
    task.payload_len = from_stdin ? payload.len : words == 3 ? strlen(argv[3]) : 0;
    int code = f.source ? upload(&c, f.source, &file) : RELAIS_OK;
    if (f.source) task.source = &file;
    uint64_t id = 0;
    if (code == RELAIS_OK) code = relais_submit(c.client, &task, &id);
    if (code == RELAIS_OK) code = report(&c, id, f.wait_ms);
    buffer_free(&payload);
    return call_close(&c, code);
}
