/* slot.h - one place of an exec worker: a task, from its delivery to its settlement.
 *
 *   free -> fetching (its source file) -> running (the command) -> storing (a large result) -> free
 *
 * The command gets the task's payload, or the bytes of its source file, on stdin; with `input
 * file` the path of a file that holds them, as its last argument. Its environment is ours and
 *   RELAIS_TASK_ID, RELAIS_ATTEMPT, RELAIS_EPOCH, RELAIS_TASK_QUEUE, RELAIS_TASK_TYPE,
 *   RELAIS_TASK_LABELS
 *   RELAIS_SOURCE_FILE      path of the source file; empty when the task has none
 *   RELAIS_PAYLOAD_FILE     path of the payload; empty when stdin carries it
 *   RELAIS_CHECKPOINT_DIR   a folder; holds the checkpoint to resume from, under its name
 *   RELAIS_RESULT_FILE      path of a file; when written, it is the result instead of stdout
 *   TMPDIR                  the task's own folder, which goes away with it
 * What it says on fd 3 is reported (note.h), progress at most ten times a second.
 *
 * How it ends: exit 0 is done, with stdout or the result file (over RESULT_INLINE_MAX it becomes
 * a file of the broker). Any other exit status N fails the attempt with "exit N: last line of
 * stderr", for good when N is in `permanent`. A signal counts as a crash, and so does a kill by
 * the kernel for lack of memory. Too much output fails for good. When the broker tells us to stop,
 * the command gets TERM, then KILL. */
#ifndef RELAIS_WORKER_SLOT_H
#define RELAIS_WORKER_SLOT_H
#include "worker/carrier.h"
#include "worker/folder.h"
#include "worker/keeper.h"
#include "worker/note.h"
#include "worker/run.h"

enum { RESULT_INLINE_MAX = 64 << 10, CHECKPOINT_MAX = 1 << 20, PROGRESS_MS_MIN = 100 };

struct work { /* what all slots share */
    struct relais_worker *worker;
    struct carrier *carrier;
    struct folder folder;
    struct keeper keeper;
    char *const *command;    /* NULL-ended */
    bool input_file;
    uint32_t kill_ms;
    uint64_t output_max;     /* bytes */
    uint64_t permanent[4];   /* a bit for each exit status */
};

enum slot_state { SLOT_FREE = 0, SLOT_FETCHING, SLOT_RUNNING, SLOT_STORING };

struct slot {
    enum slot_state state;
    struct work *work;
    struct relais_task *task;
    char *folder;      /* owned */
    char **argv, **environment; /* owned, each with what was added to it */
    int input, output; /* descriptors; -1 = closed */
    struct load load;
    struct run *run;
    int8_t percent;              /* of the newest progress, */
    char text[NOTE_TEXT_MAX + 1]; /* its text, */
    bool progress_due;           /* and whether it still is to be sent */
    int64_t progress_ms; /* when one was sent last */
    int64_t started_ms;
    uint32_t bad_notes;
    int stopping;      /* enum relais_reason: told to end; 0 = not */
    bool releasing;    /* we end it, and hand it back */
};

void slot_open(struct slot *s, struct work *work);
/* Begins a task; what cannot begin is reported at once and the slot stays free. */
void slot_take(struct slot *s, struct relais_task *task, int64_t now_ms);
/* Does what is due: told to stop, the command's pipes and end, progress that waited. */
void slot_step(struct slot *s, int64_t now_ms);
/* The slot's load has been carried. */
void slot_loaded(struct slot *s, int64_t now_ms);
/* Ends the command and hands its task back. */
void slot_release(struct slot *s, int64_t now_ms);
/* RUN_FDS entries for poll; -1 where there is nothing. */
void slot_fds(const struct slot *s, struct pollfd fds[RUN_FDS]);
int64_t slot_wake_ms(const struct slot *s);
#endif
