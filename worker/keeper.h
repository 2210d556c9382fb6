/* keeper.h - a small process that ends what a killed worker had started.
 *
 * A worker that dies by kill -9 cannot end its commands, and what they started themselves would
 * go on beside the next attempt. The keeper holds the other end of a pipe: it is told of each
 * process group that begins and ends, and when the pipe breaks it kills those that are left.
 *
 * It is forked before the worker's first thread, holds no descriptor but the pipe, is in a group
 * of its own, and ends with the worker. Limits: KEEPER_GROUPS_MAX groups at once; more are not
 * kept. */
#ifndef RELAIS_WORKER_KEEPER_H
#define RELAIS_WORKER_KEEPER_H
#include <stdbool.h>
#include <sys/types.h>

enum { KEEPER_GROUPS_MAX = 4096 };

struct keeper {
    int pipe;  /* written by the worker */
    pid_t pid;
};

/* False with errno. SIGTERM and SIGINT must be blocked: the keeper leaves them so. */
bool keeper_open(struct keeper *k);
/* The worker ends in good order: nothing is left to kill. */
void keeper_close(struct keeper *k);
/* A group has begun, or is about to end. pipe: keeper.pipe, or -1 for no keeper. */
void keeper_tell(int pipe, pid_t group, bool begun);
#endif
