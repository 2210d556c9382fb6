#include "worker/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct word { pid_t group; int begun; };

static void note(pid_t groups[KEEPER_GROUPS_MAX], const struct word *word) {
    for (int i = 0; i < KEEPER_GROUPS_MAX; i++) {
        if (word->begun ? groups[i] != 0 : groups[i] != word->group) continue;
        groups[i] = word->begun ? word->group : 0;
        return;
    }
}

/* The keeper's whole life. Memory of the fork is shared until written: it stays small. */
static void keep(int pipe) {
    pid_t groups[KEEPER_GROUPS_MAX] = {0};
    struct word word;
    enum { PIPE_FD = 0 };
    setpgid(0, 0);
    if (dup2(pipe, PIPE_FD) < 0) _exit(1);
    close_range(PIPE_FD + 1, ~0U, 0);
    for (;;) {
        ssize_t n = read(PIPE_FD, &word, sizeof word);
        if (n < 0 && errno == EINTR) continue;
        if (n != sizeof word) break; /* a word is written at once, or not at all */
        note(groups, &word);
    }
    for (int i = 0; i < KEEPER_GROUPS_MAX; i++)
        if (groups[i] > 1) kill(-groups[i], SIGKILL);
    _exit(0);
}

bool keeper_open(struct keeper *k) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) return false;
    k->pid = fork();
    if (k->pid == 0) {
        close(fds[1]);
        keep(fds[0]);
    }
    close(fds[0]);
    k->pipe = fds[1];
    if (k->pid > 0) return true;
    close(fds[1]);
    k->pipe = -1;
    return false;
}

void keeper_close(struct keeper *k) {
    if (k->pipe < 0) return;
    close(k->pipe);
    k->pipe = -1;
    while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR) continue;
}

void keeper_tell(int pipe, pid_t group, bool begun) {
    struct word word = {.group = group, .begun = begun};
    while (pipe >= 0 && write(pipe, &word, sizeof word) < 0 && errno == EINTR) continue;
}
