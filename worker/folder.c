#include "worker/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char prefix[] = "relais-work-";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)at;
    if (type == FTW_DP) rmdir(path);
    else unlink(path);
    return 0;
}

static int unlock_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)at;
    return type == FTW_DNR || type == FTW_D ? (chmod(path, 0700), 0) : 0;
}

static void remove_tree(const char *path) {
    enum { OPEN_MAX_HERE = 16 };
    nftw(path, remove_one, OPEN_MAX_HERE, FTW_DEPTH | FTW_PHYS);
    if (access(path, F_OK) < 0) return;
    /* A command may have taken its own folder's rights away. */
    nftw(path, unlock_one, OPEN_MAX_HERE, FTW_PHYS);
    nftw(path, remove_one, OPEN_MAX_HERE, FTW_DEPTH | FTW_PHYS);
}

static int lock_open(const char *folder, int flags) {
    char *path = NULL;
    if (asprintf(&path, "%s/lock", folder) < 0) return -1;
    int fd = open(path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Folders of ours whose lock nobody holds. One that has no lock yet belongs to a process that is
 * just starting: it is left alone. */
static void sweep(const char *parent) {
    DIR *dir = opendir(parent);
    if (!dir) return;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0) continue;
        char *path = NULL;
        struct stat st;
        if (asprintf(&path, "%s/%s", parent, entry->d_name) < 0) break;
        bool ours = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
        int lock = ours ? lock_open(path, 0) : -1;
        if (lock >= 0) {
            remove_tree(path);
            close(lock);
        }
        free(path);
    }
    closedir(dir);
}

bool folder_open(struct folder *f) {
    const char *parent = getenv("TMPDIR");
    if (!parent || parent[0] != '/') parent = "/tmp";
    *f = (struct folder){.lock = -1};
    sweep(parent);
    if (asprintf(&f->path, "%s/%sXXXXXX", parent, prefix) < 0) {
        f->path = NULL;
        return false;
    }
    if (mkdtemp(f->path)) f->lock = lock_open(f->path, O_CREAT | O_EXCL);
    if (f->lock >= 0) return true;
    int error = errno;
    folder_close(f);
    errno = error;
    return false;
}

void folder_close(struct folder *f) {
    if (f->path) remove_tree(f->path);
    if (f->lock >= 0) close(f->lock);
    free(f->path);
    *f = (struct folder){.lock = -1};
}

char *folder_task_open(const struct folder *f, uint64_t task, uint64_t epoch) {
    char *path = NULL;
    if (asprintf(&path, "%s/%" PRIu64 "-%" PRIu64, f->path, task, epoch) < 0) return NULL;
    if (mkdir(path, 0700) == 0) return path;
    int error = errno;
    free(path);
    errno = error;
    return NULL;
}

void folder_task_close(char **path) {
    if (*path) remove_tree(*path);
    free(*path);
    *path = NULL;
}
