/* folder.h - the temporary folder of a worker process, and one folder in it per running task.
 *
 * $TMPDIR/relais-work-XXXXXX (0700) holds a file `lock`, locked while the process lives, so that
 * the next worker on the machine can tell what a killed one left behind, and removes it. All
 * folders go away with their task; removal never follows a symbolic link. */
#ifndef RELAIS_WORKER_FOLDER_H
#define RELAIS_WORKER_FOLDER_H
#include <stdbool.h>
#include <stdint.h>

struct folder {
    char *path; /* owned */
    int lock;   /* descriptor */
};

/* Makes the folder and removes those of dead processes; false with errno when it cannot. */
bool folder_open(struct folder *f);
void folder_close(struct folder *f);
/* Makes the folder of an attempt and returns its path, owned by the caller; NULL with errno. */
char *folder_task_open(const struct folder *f, uint64_t task, uint64_t epoch);
/* Removes a folder and everything in it; frees and clears *path. */
void folder_task_close(char **path);
#endif
