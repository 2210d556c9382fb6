/* run.h - one command at work on one task: its process group, its pipes and how it ended.
 *
 * The command is started in a process group of its own with stdin from a descriptor, stdout
 * copied to a descriptor within a bound, stderr kept as its last line (and passed on), and fd 3
 * read as lines. Nothing here blocks: the caller polls run_fds() and calls run_step() with the
 * time. A command that is told to stop gets TERM and, after the grace, KILL, both to its whole
 * group. When the command itself has ended, what it left behind in its group may still write for
 * a second and is then killed; the group is gone before the process id is given back.
 *
 * Every descriptor is close-on-exec, so that one command never holds another's pipes. The kernel
 * kills the command when the process that started it dies (PR_SET_PDEATHSIG), and the keeper its
 * group; so runs must be started by a thread that lives as long as the process.
 *
 * DIAGNOSTICS: run_end.how tells apart an exit status, a signal, a kill by the kernel for lack of
 * memory, a stop by us, and output beyond its bound. */
#ifndef RELAIS_WORKER_RUN_H
#define RELAIS_WORKER_RUN_H
#include "worker/lines.h"
#include <poll.h>

enum { RUN_FDS = 4, RUN_LAST_LINE_MAX = 512 };

enum run_how {
    RUN_EXITED = 1,    /* status is the exit status */
    RUN_SIGNALLED = 2, /* status is the signal */
    RUN_OOM = 3,       /* killed by the kernel: out of memory */
    RUN_STOPPED = 4,   /* by run_stop */
    RUN_OVERSIZE = 5   /* stdout went over output_max: stopped */
};

struct run_spec { /* everything is borrowed while the run lives, descriptors too */
    char *const *argv;        /* argv[0] is looked up in PATH */
    char *const *environment; /* NULL-ended, whole */
    int input;                /* stdin */
    int output;               /* where stdout is copied to */
    int echo;                 /* where stderr is passed on to; -1 = nowhere */
    int keeper;               /* pipe of the keeper that hears of the group; -1 = none */
    uint64_t output_max;      /* bytes */
    uint32_t note_max;        /* bytes a line on fd 3 */
    uint32_t grace_ms;        /* between TERM and KILL */
    lines_take *note;         /* a line from fd 3 */
    void *context;
};

struct run_end {
    enum run_how how;
    int status;
    uint64_t output_len; /* bytes copied */
    char last_line[RUN_LAST_LINE_MAX]; /* of stderr, the last that was not blank; may be "" */
};

struct run;

/* Starts the command; NULL with errno when that is not possible (ENOENT: no such command). */
struct run *run_start(const struct run_spec *spec, int64_t now_ms);
/* Kills what still runs, waits for it and frees the run. */
void run_destroy(struct run **self);

/* Fills RUN_FDS entries; closed pipes are -1. */
void run_fds(const struct run *r, struct pollfd fds[RUN_FDS]);
/* Reads what is there and does what is due. True once the command has ended; *end is then set,
 * and untouched before. */
bool run_step(struct run *r, int64_t now_ms, struct run_end *end);
/* Time of the next thing that is due by itself; INT64_MAX = none. */
int64_t run_wake_ms(const struct run *r);
/* Asks the command to end. */
void run_stop(struct run *r, int64_t now_ms);
#endif
