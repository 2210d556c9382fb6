#include "worker/command/server.h"
#include "proto/host/clock.h"
#include "worker/reach.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READY_MS_MAX = 30000, STOP_MS_MAX = 20000, ASK_MS_MAX = 10000, PATH_SIZE = 4300,
    ARGS_MAX = 8 + SERVER_OPTIONS_MAX
};

static bool folder_make(struct server *s) {
    const char *parent = getenv("TMPDIR");
    if (!parent || parent[0] != '/') parent = "/var/tmp";
    if (asprintf(&s->folder, "%s/relais-bench-XXXXXX", parent) < 0) s->folder = NULL;
    if (!s->folder || !mkdtemp(s->folder)) {
        fprintf(stderr, "relais bench: no folder in %s: %s\n", parent, strerror(errno));
        free(s->folder);
        s->folder = NULL;
        return false;
    }
    struct statfs fs;
    if (statfs(s->folder, &fs) == 0 && fs.f_type == TMPFS_MAGIC)
        fprintf(stderr, "relais bench: %s is a memory disk: nothing is durable there\n", parent);
    return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)type;
    (void)at;
    remove(path);
    return 0;
}

static void folder_remove(const char *folder) {
    enum { OPEN_MAX_HERE = 16 };
    nftw(folder, remove_one, OPEN_MAX_HERE, FTW_DEPTH | FTW_PHYS);
}

/* What the sweeper does. The server is being killed meanwhile, and may still make files. */
static void sweep(const char *folder, int lifeline) {
    enum { TRIES = 500, TRY_MS = 10 };
    char nothing;
    while (read(lifeline, &nothing, 1) < 0 && errno == EINTR) continue;
    for (int i = 0; i < TRIES && access(folder, F_OK) == 0; i++) {
        folder_remove(folder);
        poll(NULL, 0, TRY_MS);
    }
    _exit(0);
}

/* A group of its own: what ends the bench at a terminal does not end it. */
static bool sweeper_start(struct server *s) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) return false;
    s->sweeper = fork();
    if (s->sweeper == 0) {
        setpgid(0, 0);
        close(fds[1]);
        for (int fd = 0; fd <= 2; fd++) close(fd); /* nobody waits for what it might say */
        sweep(s->folder, fds[0]);
    }
    close(fds[0]);
    s->lifeline = fds[1];
    return s->sweeper > 0;
}

/* Starts this binary; its stdout comes out of *out. */
static pid_t self_start(char *const *argv, int *out) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) return -1;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent && dup2(fds[1], 1) >= 0) execv("/proc/self/exe", argv);
        _exit(127);
    }
    close(fds[1]);
    if (pid < 0) close(fds[0]);
    else *out = fds[0];
    return pid;
}

/* Reads stdout until the line has come; the time is bounded. */
static bool line_await(int fd, const char *start, char *line, size_t size, int64_t until_ms) {
    size_t len = 0;
    for (;;) {
        int64_t left = until_ms - clock_mono_ms();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (left <= 0 || len + 1 >= size || poll(&ready, 1, (int)left) <= 0) return false;
        ssize_t n = read(fd, line + len, 1);
        if (n <= 0) return false;
        if (line[len] != '\n') {
            len++;
            continue;
        }
        line[len] = 0;
        if (strncmp(line, start, strlen(start)) == 0) return true;
        len = 0;
    }
}

static bool value_of(const char *line, const char *key, char *value, size_t size) {
    const char *at = strstr(line, key);
    if (!at) return false;
    at += strlen(key);
    size_t len = strcspn(at, " ");
    if (len == 0 || len >= size) return false;
    memcpy(value, at, len);
    value[len] = 0;
    return true;
}

static bool start(struct server *s, const char *const *options) {
    char data[PATH_SIZE], line[1024];
    char http[SERVER_ENDPOINT_MAX + 8], listen[SERVER_ENDPOINT_MAX + 10];
    snprintf(data, sizeof data, "--data=%s/data", s->folder);
    snprintf(http, sizeof http, "--http=%s", s->http[0] ? s->http : "127.0.0.1:0");
    snprintf(listen, sizeof listen, "--listen=%s", s->native[0] ? s->native : "tcp://127.0.0.1:0");
    char *argv[ARGS_MAX] = {"relais", "serve", data, http, listen, "--log-level=error"};
    size_t count = 6;
    while (*options && count + 1 < ARGS_MAX) argv[count++] = (char *)(uintptr_t)*options++;
    int64_t from_ms = clock_mono_ms();
    s->pid = self_start(argv, &s->out);
    if (s->pid > 0 &&
        line_await(s->out, "relais: ready", line, sizeof line, from_ms + READY_MS_MAX) &&
        value_of(line, " http=", s->http, sizeof s->http) &&
        value_of(line, " native=", s->native, sizeof s->native)) {
        s->ready_ms = clock_mono_ms() - from_ms;
        return true;
    }
    fprintf(stderr, "relais bench: the server of its own did not get ready\n");
    if (s->pid > 0) server_kill(s);
    s->pid = 0;
    return false;
}

bool server_start(struct server *s, const char *const *options) {
    *s = (struct server){.out = -1, .lifeline = -1};
    if (!folder_make(s)) return false;
    if (sweeper_start(s) && start(s, options)) return true;
    server_close(s);
    return false;
}

bool server_restart(struct server *s, const char *const *options) { return start(s, options); }

static void gone(struct server *s) {
    s->pid = 0;
    if (s->out >= 0) close(s->out);
    s->out = -1;
}

void server_stop(struct server *s) {
    if (s->pid <= 0) return;
    kill(s->pid, SIGTERM);
    int64_t until_ms = clock_mono_ms() + STOP_MS_MAX;
    while (waitpid(s->pid, NULL, WNOHANG) == 0) {
        if (clock_mono_ms() > until_ms) {
            server_kill(s);
            return;
        }
        poll(NULL, 0, 5);
    }
    gone(s);
}

void server_kill(struct server *s) {
    if (s->pid <= 0) return;
    kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) continue;
    gone(s);
}

void server_close(struct server *s) {
    server_stop(s);
    if (s->folder) folder_remove(s->folder);
    if (s->lifeline >= 0) close(s->lifeline);
    while (s->sweeper > 0 && waitpid(s->sweeper, NULL, 0) < 0 && errno == EINTR) continue;
    free(s->folder);
    *s = (struct server){.out = -1, .lifeline = -1};
}

/* Runs this binary and reads the line of its stdout that starts so, without the start. */
static bool self_ask(char *const *argv, const char *start, char *line, size_t size) {
    int out = -1;
    pid_t pid = self_start(argv, &out);
    bool got = pid > 0 && line_await(out, start, line, size, clock_mono_ms() + ASK_MS_MAX);
    if (pid > 0) {
        close(out);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    }
    if (!got) fprintf(stderr, "relais bench: relais %s failed\n", argv[1]);
    memmove(line, line + strlen(start), got ? strlen(line + strlen(start)) + 1 : 0);
    return got;
}

static bool pair_make(const struct server *s, const char *name, const char *role,
                      char public_key[41], char secret_key[41]) {
    char data[PATH_SIZE], path[PATH_SIZE];
    snprintf(data, sizeof data, "--data=%s/data", s->folder);
    char *argv[] = {"relais", "key", "curve", (char *)(uintptr_t)name, "--role",
                    (char *)(uintptr_t)role, data, NULL};
    return self_ask(argv, "certificate ", path, sizeof path) &&
           reach_certificate(path, public_key, secret_key);
}

bool server_keys_make(struct server *s) {
    struct server_keys *k = &s->keys;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/data/server.key", s->folder);
    FILE *f = fopen(path, "re");
    bool ok = f && fscanf(f, "%40s", k->server) == 1 && strlen(k->server) == 40;
    if (f) fclose(f);
    if (!ok) fprintf(stderr, "relais bench: no key in %s\n", path);
    return ok && pair_make(s, "bench-client", "client", k->client_public, k->client_secret) &&
           pair_make(s, "bench-worker", "worker", k->worker_public, k->worker_secret);
}

bool server_token(const struct server *s, const char *role, uint32_t brand,
                  char token[static SERVER_TOKEN_MAX]) {
    char data[PATH_SIZE], as[32], of[32];
    snprintf(data, sizeof data, "--data=%s/data", s->folder);
    snprintf(as, sizeof as, "--role=%s", role);
    snprintf(of, sizeof of, "--brand=%u", brand);
    char *argv[] = {"relais", "token", data, as, "--user=bench", of, NULL};
    return self_ask(argv, "", token, SERVER_TOKEN_MAX);
}

double process_cpu_s(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = pid > 0 ? fopen(path, "re") : NULL;
    if (!f) return 0;
    size_t len = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[len] = 0;
    unsigned long user = 0, system = 0;
    const char *at = strrchr(text, ')');
    if (at) sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double process_rss_mb(pid_t pid) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = pid > 0 ? fopen(path, "re") : NULL;
    if (!f) return 0;
    unsigned long kb = 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %lu", &kb) == 1) break;
    fclose(f);
    return (double)kb / 1024;
}

void process_rest(pid_t pid) {
    enum { LOOK_MS = 200, STILL_MS = 3000, REST_MS_MAX = 60000 };
    const int64_t from_ms = clock_mono_ms();
    int64_t moved_ms = from_ms, now_ms = from_ms;
    double was_mb = process_rss_mb(pid), was_s = process_cpu_s(pid);
    while (now_ms - moved_ms < STILL_MS && now_ms - from_ms < REST_MS_MAX) {
        poll(NULL, 0, LOOK_MS);
        const double mb = process_rss_mb(pid), s = process_cpu_s(pid);
        now_ms = clock_mono_ms();
        const bool still = mb > was_mb * 0.99 && mb < was_mb * 1.01 && s - was_s < 0.05;
        if (still) continue;
        moved_ms = now_ms;
        was_mb = mb;
        was_s = s;
    }
}
