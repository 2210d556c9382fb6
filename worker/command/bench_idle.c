/* bench_idle - what a worker that waits costs the server, and a file on its way there and back. */
#include "proto/host/clock.h"
#include "worker/command/flow.h"
#include "worker/relais.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TRAFFIC = 4, SETTLE_MS = 60000 };

/* A few tasks for each worker: buffers that only traffic makes are there afterwards. */
static bool traffic(struct flow *f) {
    for (uint64_t left = (uint64_t)TRAFFIC * f->worker_count; left > 0;) {
        uint64_t some = left < f->worker_count ? left : f->worker_count;
        for (uint64_t i = 0; i < some; i++)
            if (!flow_submit(f, 1, "bench0", 6)) return false;
        if (!flow_settle(f, SETTLE_MS)) return false;
        left -= some;
    }
    return true;
}

bool bench_idle(struct bench *b) {
    if (!b->own) {
        fprintf(stderr, "relais bench: idle reads the memory of a server of its own\n");
        return false;
    }
    struct flow *f = calloc(1, sizeof *f);
    if (!f) return false;
    struct meter meter = meter_start(b);
    int64_t from = flow_now_ns();
    b->queues = 1;
    double before = process_rss_mb(b->server.pid);
    bool ok = flow_open(f, b, 1, 1, (uint32_t)b->workers);
    double idle = process_rss_mb(b->server.pid);
    ok = ok && traffic(f);
    if (ok) {
        double after = process_rss_mb(b->server.pid), per = 1024.0 / (double)b->workers;
        char more[128];
        snprintf(more, sizeof more, ",\"workers\":%llu,\"idle_kb\":%.1f,\"after_traffic_kb\":%.1f",
                 (unsigned long long)b->workers, (idle - before) * per, (after - before) * per);
        struct result r = {.scenario = "idle", .jobs = f->settled, .more = more,
                           .seconds = (double)(flow_now_ns() - from) / 1e9};
        result_print(b, &meter, &r);
    }
    flow_close(f);
    free(f);
    return ok;
}

/* ---- files ---- */

/* A file in memory with bytes that do not repeat soon. */
static int file_make(uint64_t size) {
    enum { BLOCK = 1 << 16 };
    uint64_t block[BLOCK / 8];
    uint64_t state = 88172645463325252u;
    int fd = memfd_create("bench", MFD_CLOEXEC);
    for (uint64_t at = 0; fd >= 0 && at < size; at += BLOCK) {
        for (size_t i = 0; i < BLOCK / 8; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block[i] = state;
        }
        size_t len = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        if (write(fd, block, len) != (ssize_t)len) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0) lseek(fd, 0, SEEK_SET);
    return fd;
}

/* Up, as the source of a task, and down again with the ticket that its view carries. */
static int there_and_back(struct bench *b, const struct relais_link *link, int fd, double *up_s,
                          double *down_s) {
    struct relais_client_options options = {.link = *link};
    struct relais_files *files = NULL;
    struct relais_client *client = NULL;
    struct relais_view *view = NULL;
    struct relais_file file;
    uint64_t id = 0, size = 0;
    int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int64_t from = flow_now_ns();
    int code = relais_files_open(&files, link);
    if (code == RELAIS_OK) code = relais_upload(files, fd, "bench", NULL, &file);
    *up_s = (double)(flow_now_ns() - from) / 1e9;
    struct relais_submit task = {.queue = "files", .type = "bench", .source = &file};
    if (code == RELAIS_OK) code = relais_client_open(&client, &options);
    if (code == RELAIS_OK) code = relais_submit(client, &task, &id);
    if (code == RELAIS_OK) code = relais_get(client, id, RELAIS_WANT_BODY, &view);
    from = flow_now_ns();
    if (code == RELAIS_OK)
        code = relais_download(files, view->source, view->source_ticket, sink, &size);
    *down_s = (double)(flow_now_ns() - from) / 1e9;
    if (code == RELAIS_OK && size != b->size) code = RELAIS_DAMAGED;
    relais_view_free(&view);
    relais_client_close(&client);
    relais_files_close(&files);
    close(sink);
    return code;
}

bool bench_files(struct bench *b) {
    struct relais_link link = bench_link(b);
    int fd = file_make(b->size);
    if (fd < 0) {
        fprintf(stderr, "relais bench: a file of that size: %s\n", strerror(errno));
        return false;
    }
    struct meter meter = meter_start(b);
    double up_s = 0, down_s = 0, mb = (double)b->size / 1e6;
    int code = there_and_back(b, &link, fd, &up_s, &down_s);
    close(fd);
    if (code != RELAIS_OK) {
        fprintf(stderr, "relais bench: files: %s\n", relais_error_text(code));
        return false;
    }
    char more[160];
    snprintf(more, sizeof more, ",\"bytes\":%llu,\"up_mb_s\":%.1f,\"down_mb_s\":%.1f",
             (unsigned long long)b->size, mb / up_s, mb / down_s);
    struct result r = {.scenario = "files", .jobs = 1, .seconds = up_s + down_s, .more = more};
    result_print(b, &meter, &r);
    return true;
}
