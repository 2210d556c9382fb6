#include "worker/run.h"
#include "proto/host/signal.h"
#include "worker/descriptor.h"
#include "worker/keeper.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINGER_MS = 1000, READ_MAX = 65536, READS_A_STEP = 16, NOTE_FD = 3, PIPES = 3 };
enum pipe_name { PIPE_OUT, PIPE_ERR, PIPE_NOTE };

struct run {
    struct run_spec spec;
    pid_t pid; /* and the process group */
    int pidfd, pipe[PIPES];
    struct lines errors, notes;
    struct run_end end;
    int64_t kill_ms;   /* KILL is due; INT64_MAX = TERM was not sent */
    int64_t linger_ms; /* the command has ended: pipes close by then; INT64_MAX = it runs */
    uint64_t oom_kills; /* of the machine, when it started */
    bool stopped, oversize;
};

/* Kills by the kernel for lack of memory, of all processes; 0 when it cannot be read. The count
 * moves for limits of a control group too. */
static uint64_t oom_kills_read(void) {
    FILE *f = fopen("/proc/vmstat", "re");
    if (!f) return 0;
    char line[128];
    unsigned long long kills = 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "oom_kill %llu", &kills) == 1) break;
    fclose(f);
    return kills;
}

/* ---- starting ---- */

/* In the child, between fork and exec: async-signal-safe calls only. */
static void child_exec(const struct run_spec *spec, const int out[PIPES], int report,
                       pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    const int from[] = {spec->input, out[PIPE_OUT], out[PIPE_ERR], out[PIPE_NOTE]};
    int high[NOTE_FD + 1];
    bool ok = true;
    /* Out of the way first: a source may itself be numbered 0 to 3. */
    for (int i = 0; i <= NOTE_FD; i++) {
        high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
        ok = ok && high[i] >= 0;
    }
    int safe = fcntl(report, F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i <= NOTE_FD && ok; i++) ok = dup2(high[i], i) >= 0;
    int error = errno;
    signal_reset();
    close_range(NOTE_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC); /* also what we inherited ourselves */
    if (ok) {
        execvpe(spec->argv[0], spec->argv, spec->environment);
        error = errno;
    }
    ssize_t ignored = write(safe, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

/* Forks; 0, or errno of whatever kept the command from running. */
static int spawn(struct run *r, const int write_end[PIPES]) {
    int report[2]; /* closed by a successful exec, else carries its errno */
    if (pipe2(report, O_CLOEXEC) < 0) return errno;
    pid_t parent = getpid();
    r->pid = fork();
    if (r->pid == 0) child_exec(&r->spec, write_end, report[1], parent);
    int error = r->pid < 0 ? errno : 0;
    close(report[1]);
    if (r->pid > 0) {
        ssize_t got;
        while ((got = read(report[0], &error, sizeof error)) < 0 && errno == EINTR) continue;
        if (got <= 0) error = 0;
        if (error) waitpid(r->pid, NULL, 0);
    }
    close(report[0]);
    return error;
}

static void error_line(void *context, struct slice line, bool cut) {
    struct run *r = context;
    (void)cut;
    while (line.len > 0 && (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\t'))
        line.len--;
    if (line.len == 0) return;
    size_t len = line.len < sizeof r->end.last_line ? line.len : sizeof r->end.last_line - 1;
    for (size_t i = 0; i < len; i++)
        r->end.last_line[i] = line.data[i] < ' ' ? ' ' : (char)line.data[i];
    r->end.last_line[len] = 0;
}

static bool pipes_open(struct run *r, int write_end[PIPES]) {
    for (int i = 0; i < PIPES; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0) return false;
        r->pipe[i] = fds[0];
        write_end[i] = fds[1];
        /* Only our end: a command may rely on its own writes blocking. */
        if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) return false;
    }
    return true;
}

struct run *run_start(const struct run_spec *spec, int64_t now_ms) {
    assert(spec->argv[0] && spec->input >= 0 && spec->output >= 0 && now_ms < INT64_MAX);
    struct run *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    *r = (struct run){.spec = *spec, .pidfd = -1, .pipe = {-1, -1, -1},
                      .kill_ms = INT64_MAX, .linger_ms = INT64_MAX};
    int write_end[PIPES] = {-1, -1, -1};
    r->oom_kills = oom_kills_read();
    int error = pipes_open(r, write_end) ? spawn(r, write_end) : errno;
    for (int i = 0; i < PIPES; i++) descriptor_close(&write_end[i]);
    if (!error) {
        keeper_tell(spec->keeper, r->pid, true);
        r->pidfd = pidfd_open(r->pid, 0);
        error = r->pidfd < 0 ? errno : 0;
    } else {
        r->pid = 0;
    }
    lines_open(&r->errors, RUN_LAST_LINE_MAX, error_line, r);
    lines_open(&r->notes, spec->note_max, spec->note, spec->context);
    if (error) {
        run_destroy(&r);
        errno = error;
    }
    return r;
}

static void run_kill(struct run *r, int signal_number) {
    kill(-r->pid, signal_number);
}

/* The keeper forgets the group while its number still cannot be given to another. */
static int reap(struct run *r) {
    int status = 0;
    keeper_tell(r->spec.keeper, r->pid, false);
    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR) continue;
    r->pid = 0;
    return status;
}

void run_destroy(struct run **self) {
    struct run *r = *self;
    if (!r) return;
    *self = NULL;
    if (r->pid > 0) {
        run_kill(r, SIGKILL);
        reap(r);
    }
    for (int i = 0; i < PIPES; i++) descriptor_close(&r->pipe[i]);
    descriptor_close(&r->pidfd);
    buffer_free(&r->errors.held);
    buffer_free(&r->notes.held);
    free(r);
}

/* ---- running ---- */

void run_fds(const struct run *r, struct pollfd fds[RUN_FDS]) {
    for (int i = 0; i < PIPES; i++) fds[i] = (struct pollfd){.fd = r->pipe[i], .events = POLLIN};
    /* The end of the command is news once; after that only its pipes and the time matter. */
    int pidfd = r->linger_ms == INT64_MAX ? r->pidfd : -1;
    fds[PIPES] = (struct pollfd){.fd = pidfd, .events = POLLIN};
}

static void take(struct run *r, enum pipe_name name, const uint8_t *data, size_t len,
                 int64_t now_ms) {
    switch (name) {
    case PIPE_OUT:
        if (r->oversize) return;
        if (len > r->spec.output_max - r->end.output_len ||
            !descriptor_write(r->spec.output, data, len)) {
            r->oversize = true;
            run_stop(r, now_ms);
            return;
        }
        r->end.output_len += len;
        return;
    case PIPE_ERR:
        if (r->spec.echo >= 0) descriptor_write(r->spec.echo, data, len);
        lines_feed(&r->errors, data, len);
        return;
    case PIPE_NOTE:
        lines_feed(&r->notes, data, len);
        return;
    }
}

/* Reads one pipe, bounded, so that one talkative command does not hold up the others. */
static void drain(struct run *r, enum pipe_name name, int64_t now_ms) {
    uint8_t bytes[READ_MAX];
    for (int i = 0; i < READS_A_STEP && r->pipe[name] >= 0; i++) {
        ssize_t n = read(r->pipe[name], bytes, sizeof bytes);
        if (n > 0) {
            take(r, name, bytes, (size_t)n, now_ms);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            descriptor_close(&r->pipe[name]);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static bool pipes_closed(const struct run *r) {
    return r->pipe[PIPE_OUT] < 0 && r->pipe[PIPE_ERR] < 0 && r->pipe[PIPE_NOTE] < 0;
}

/* The command is a zombie and its output is in: ends the group, then gives the pid back. */
static void finish(struct run *r) {
    run_kill(r, SIGKILL);
    int status = reap(r);
    lines_close(&r->errors);
    lines_close(&r->notes);
    bool oom = oom_kills_read() > r->oom_kills;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    r->end.status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    /* A command that ended well before the stop reached it has ended well. */
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (r->oversize) r->end.how = RUN_OVERSIZE;
    else if (r->stopped && !well) r->end.how = RUN_STOPPED;
    else if (killed && oom) r->end.how = RUN_OOM;
    /* A shell reports its own child's death by KILL as 128 + 9. */
    else if (oom && WIFEXITED(status) && r->end.status == 128 + SIGKILL) r->end.how = RUN_OOM;
    else r->end.how = WIFSIGNALED(status) ? RUN_SIGNALLED : RUN_EXITED;
}

bool run_step(struct run *r, int64_t now_ms, struct run_end *end) {
    assert(r->pid > 0);
    if (r->linger_ms == INT64_MAX) {
        struct pollfd ended = {.fd = r->pidfd, .events = POLLIN};
        if (poll(&ended, 1, 0) == 1) r->linger_ms = now_ms + LINGER_MS;
    }
    for (int i = 0; i < PIPES; i++) drain(r, (enum pipe_name)i, now_ms);
    if (r->linger_ms == INT64_MAX) {
        if (now_ms >= r->kill_ms) {
            run_kill(r, SIGKILL);
            r->kill_ms = INT64_MAX;
        }
        return false;
    }
    if (!pipes_closed(r) && now_ms < r->linger_ms) return false;
    finish(r);
    *end = r->end;
    return true;
}

int64_t run_wake_ms(const struct run *r) {
    return r->linger_ms < INT64_MAX ? r->linger_ms : r->kill_ms;
}

void run_stop(struct run *r, int64_t now_ms) {
    if (r->stopped || r->pid <= 0) return;
    r->stopped = true;
    run_kill(r, SIGTERM);
    r->kill_ms = now_ms + r->spec.grace_ms;
}
