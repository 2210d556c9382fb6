/* bench_idle - what a worker that waits costs the server; a file on its way there and back, and
 * what tasks feel of it. */
#include "proto/host/clock.h"
#include "worker/command/flow.h"
#include "worker/relais.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TRAFFIC = 4, SETTLE_MS = 60000, TASK_BYTES = 100, WARM_MS = 300 };

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
    process_rest(b->server.pid); /* what its start took is given back */
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

enum part { PART_WARM, PART_BEFORE, PART_MEANWHILE, PARTS };

struct carried { double up_s, down_s; int times; };

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

/* Up and down again and again until the time is over, once at least. */
static bool carry(struct bench *b, const struct relais_link *link, int fd, int64_t time_ms,
                  struct carried *c) {
    int64_t until = flow_now_ns() + time_ms * 1000000;
    do {
        double up_s = 0, down_s = 0;
        lseek(fd, 0, SEEK_SET);
        int code = there_and_back(b, link, fd, &up_s, &down_s);
        if (code != RELAIS_OK) {
            fprintf(stderr, "relais bench: files: %s\n", relais_error_text(code));
            return false;
        }
        c->up_s += up_s;
        c->down_s += down_s;
        c->times++;
    } while (flow_now_ns() < until);
    return true;
}

/* Tasks, one at a time, in a thread beside the files: what was submitted to settled. */
struct beside {
    struct flow flow;
    pthread_t thread;
    atomic_int part; /* which spread it fills; PARTS ends it */
    struct spread settled[PARTS];
    bool failed;
};

static void *one_by_one(void *context) {
    struct beside *s = context;
    int part;
    while (!s->failed && (part = atomic_load(&s->part)) < PARTS) {
        int64_t from = flow_one(&s->flow);
        s->failed = from == 0;
        if (!s->failed) spread_add(&s->settled[part], s->flow.settled_at_ns - from);
    }
    return NULL;
}

static void files_print(struct bench *b, const struct meter *m, const struct carried *c,
                        const struct beside *s) {
    const double mb = (double)b->size / 1e6 * c->times;
    char more[512];
    snprintf(more, sizeof more,
             ",\"bytes\":%llu,\"up_mb_s\":%.1f,\"down_mb_s\":%.1f,\"mb_s\":%.1f,"
             "\"before_p50_us\":%.1f,\"before_p99_us\":%.1f,\"meanwhile_p50_us\":%.1f,"
             "\"meanwhile_p99_us\":%.1f",
             (unsigned long long)b->size, mb / c->up_s, mb / c->down_s,
             2 * mb / (c->up_s + c->down_s), spread_at_us(&s->settled[PART_BEFORE], 0.5),
             spread_at_us(&s->settled[PART_BEFORE], 0.99),
             spread_at_us(&s->settled[PART_MEANWHILE], 0.5),
             spread_at_us(&s->settled[PART_MEANWHILE], 0.99));
    struct result r = {.scenario = "files", .jobs = (uint64_t)c->times,
                       .seconds = c->up_s + c->down_s, .more = more};
    result_print(b, m, &r);
}

/* The file alone, for its speed; then tasks alone, then both. */
static bool files_run(struct bench *b, struct beside *s, int fd) {
    struct relais_link link = bench_link(b);
    struct carried alone = {0}, both = {0};
    struct meter meter = meter_start(b);
    if (!carry(b, &link, fd, b->time_ms, &alone)) return false;
    atomic_store(&s->part, PART_WARM);
    if (pthread_create(&s->thread, NULL, one_by_one, s) != 0) return false;
    poll(NULL, 0, WARM_MS);
    atomic_store(&s->part, PART_BEFORE);
    poll(NULL, 0, (int)b->time_ms);
    atomic_store(&s->part, PART_MEANWHILE);
    bool ok = carry(b, &link, fd, b->time_ms, &both);
    atomic_store(&s->part, PARTS);
    pthread_join(s->thread, NULL);
    if (ok && !s->failed) files_print(b, &meter, &alone, s);
    return ok && !s->failed;
}

bool bench_files(struct bench *b) {
    int fd = file_make(b->size);
    struct beside *s = calloc(1, sizeof *s);
    if (fd < 0 || !s) {
        fprintf(stderr, "relais bench: a file of that size: %s\n", strerror(errno));
        if (fd >= 0) close(fd);
        free(s);
        return false;
    }
    const uint64_t size = b->size;
    b->size = TASK_BYTES; /* of the tasks beside it */
    b->queues = 1;
    bool ok = flow_open(&s->flow, b, 1, 1, 1);
    b->size = size;
    ok = ok && files_run(b, s, fd);
    flow_close(&s->flow);
    close(fd);
    free(s);
    return ok;
}
