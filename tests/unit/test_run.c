/* The exec worker's command: how it is fed, heard, stopped, and what is said of its end. */
#include "proto/host/clock.h"
#include "tests/unit/tap.h"
#include "worker/run.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

static char heard[4096]; /* lines of fd 3, a | after each */
static int cuts;
static uint32_t grace_ms = 200;

static void hear(void *context, struct slice line, bool cut) {
    (void)context;
    cuts += cut;
    if (strlen(heard) + line.len + 2 > sizeof heard) return;
    strncat(heard, (const char *)line.data, line.len);
    strcat(heard, "|");
}

struct ran { struct run_end end; char out[4096]; int error; };

/* Runs a shell script; stop_on: run_stop once this line was heard on fd 3. */
static struct ran run_script(const char *script, const char *input, const char *stop_on,
                             uint64_t output_max) {
    struct ran ran = {.error = 0};
    char *argv[] = {"bash", "-c", (char *)(uintptr_t)script, NULL};
    int in = memfd_create("in", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC);
    if (write(in, input, strlen(input)) < 0) abort();
    lseek(in, 0, SEEK_SET);
    heard[0] = 0;
    cuts = 0;
    struct run_spec spec = {.argv = argv, .environment = environ, .input = in, .output = out,
                            .echo = -1, .keeper = -1, .output_max = output_max, .note_max = 64,
                            .grace_ms = grace_ms, .note = hear};
    struct run *run = run_start(&spec, clock_mono_ms());
    while (run && !run_step(run, clock_mono_ms(), &ran.end)) {
        struct pollfd fds[RUN_FDS];
        run_fds(run, fds);
        if (stop_on && strstr(heard, stop_on)) run_stop(run, clock_mono_ms());
        poll(fds, RUN_FDS, 20);
    }
    ran.error = run ? 0 : errno;
    run_destroy(&run);
    ssize_t len = pread(out, ran.out, sizeof ran.out - 1, 0);
    ran.out[len > 0 ? len : 0] = 0;
    close(in);
    close(out);
    return ran;
}

static int open_descriptors(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

static void ends(void) {
    struct ran r = run_script("cat; echo warned >&2; echo >&2; echo '{\"progress\":5}' >&3",
                              "hello", NULL, 100);
    is_int(r.end.how, RUN_EXITED, "a command that returns has exited");
    is_int(r.end.status, 0, "with its status");
    is_text(r.out, "hello", "its stdin is the input, its stdout is copied");
    is_int(r.end.output_len, 5, "and counted");
    is_text(r.end.last_line, "warned", "the last line of stderr that is not blank is kept");
    is_text(heard, "{\"progress\":5}|", "fd 3 is read by lines");
    r = run_script("echo -n 'no newline' >&2; exit 7", "", NULL, 100);
    is_int(r.end.status, 7, "an exit status is told");
    is_text(r.end.last_line, "no newline", "a last line without its newline counts");
    r = run_script("kill -SEGV $$", "", NULL, 100);
    is_int(r.end.how, RUN_SIGNALLED, "a signal is told from an exit");
    is_int(r.end.status, SIGSEGV, "with its number");
    r = run_script("kill -KILL $$", "", NULL, 100);
    is_int(r.end.how, RUN_SIGNALLED, "KILL without lack of memory is a signal like others");
}

static void stops(void) {
    grace_ms = 60000; /* it may take its time */
    struct ran r = run_script("trap 'exit 0' TERM; echo up >&3; while :; do sleep 0.01; done", "",
                              "up", 100);
    is_int(r.end.how, RUN_EXITED, "a command that ends well on TERM has ended well");
    r = run_script("echo up >&3; sleep 60", "", "up", 100);
    is_int(r.end.how, RUN_STOPPED, "one that dies of TERM was stopped");
    grace_ms = 200;
    int64_t from_ms = clock_mono_ms();
    r = run_script("trap '' TERM; echo up >&3; while :; do sleep 0.01; done", "", "up", 100);
    is_int(r.end.how, RUN_STOPPED, "one that ignores TERM was stopped, too");
    ok(clock_mono_ms() - from_ms >= 200, "by KILL, after the grace");
    r = run_script("yes", "", NULL, 100000);
    is_int(r.end.how, RUN_OVERSIZE, "too much output ends a command");
    ok(r.end.output_len <= 100000, "and what was copied is within the bound");
}

static void leaves_nothing(void) {
    int before = open_descriptors();
    struct ran r = run_script("sleep 60 & echo $! ; exec 1>&- 2>&- 3>&-", "", NULL, 100);
    pid_t left = atoi(r.out);
    ok(left > 0, "a command may leave a process in its group");
    bool gone = false;
    for (int i = 0; i < 6000 && !gone; i++) {
        gone = kill(left, 0) < 0 && errno == ESRCH;
        if (!gone) poll(NULL, 0, 10); /* init takes it over and reaps it when it likes */
    }
    if (!gone) { /* a container's first process may never reap */
        char path[64], state[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", left);
        int fd = open(path, O_RDONLY);
        ssize_t len = fd < 0 ? 0 : read(fd, state, sizeof state - 1);
        close(fd);
        gone = len <= 0 || strstr(state, ") Z ");
    }
    ok(gone, "which does not outlive it");
    is_int(open_descriptors(), before, "no descriptor is left open");
    r = run_script("ls /proc/self/fd | wc -l", "", NULL, 100);
    is_int(atoi(r.out), 5, "the command has descriptors 0 to 3, and ls its own");
}

static void refuses(void) {
    char *argv[] = {"/nonexistent/command", NULL};
    int before = open_descriptors(), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct run_spec spec = {.argv = argv, .environment = environ, .input = null, .output = null,
                            .echo = -1, .keeper = -1, .note_max = 64, .note = hear};
    struct run *run = run_start(&spec, clock_mono_ms());
    int error = errno;
    ok(!run, "a command that is not there does not start");
    is_int(error, ENOENT, "and errno says why");
    close(null);
    is_int(open_descriptors(), before, "nothing stays open");
    run_script("head -c 200 /dev/zero | tr '\\0' a >&3; echo >&3; echo ok >&3", "", NULL, 100);
    is_int(cuts, 1, "an overlong line on fd 3 is cut once");
    ok(strstr(heard, "|ok|"), "and the next one is read");
}

int main(void) {
    ends();
    stops();
    leaves_nothing();
    refuses();
    return done();
}
