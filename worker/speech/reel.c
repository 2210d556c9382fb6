#include "worker/speech/reel.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Containers of sound; none of them names other files to be opened. */
#define FORMATS "wav,w64,mp3,ogg,flac,mov,mp4,m4a,matroska,webm,aac,amr,aiff,caf,asf,au"
enum { LOOK_MS = 50, BYTES_PER_S = 32000 };

void reel_follow(struct reel *r, struct booth *b, const struct relais_task *task) {
    *r = (struct reel){.files = b->files, .file = task->source, .ticket = task->source_ticket,
                       .fd = -1};
}

void reel_close(struct reel *r) {
    if (r->fd >= 0) close(r->fd);
    r->fd = -1;
}

static int file_temporary(void) {
    const char *folder = getenv("TMPDIR");
    return open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* ffmpeg with these as its stdin, stdout and stderr; 0 or an errno. */
static int ffmpeg_start(int input, int output, int errors, pid_t *ret_pid) {
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", RECORDING_S_MAX + 1);
    char *argv[] = {"ffmpeg", "-nostdin", "-v", "error", "-format_whitelist", FORMATS, "-i",
                    "/dev/stdin", "-vn", "-t", seconds, "-ac", "1", "-ar", "16000", "-f", "s16le",
                    "pipe:1", NULL};
    posix_spawn_file_actions_t fds;
    posix_spawn_file_actions_init(&fds);
    posix_spawn_file_actions_adddup2(&fds, input, 0);
    posix_spawn_file_actions_adddup2(&fds, output, 1);
    posix_spawn_file_actions_adddup2(&fds, errors, 2);
    int failed = posix_spawnp(ret_pid, "ffmpeg", &fds, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fds);
    return failed;
}

/* Waits for it; ends it when the task is to stop. -1 = stopped, else its exit status. */
static int ffmpeg_wait(pid_t pid, struct relais_worker *w, struct relais_task *task) {
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (relais_cancelled(w, task)) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        poll(NULL, 0, LOOK_MS);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* The last line that ffmpeg said. */
static void complaint(int errors, char why[REEL_WHY]) {
    char text[REEL_WHY - 32];
    off_t size = lseek(errors, 0, SEEK_END);
    off_t from = size < (off_t)sizeof text ? 0 : size - (off_t)sizeof text + 1;
    ssize_t len = pread(errors, text, sizeof text - 1, from);
    text[len > 0 ? len : 0] = 0;
    while (len > 0 && text[len - 1] == '\n') text[--len] = 0;
    const char *line = strrchr(text, '\n');
    snprintf(why, REEL_WHY, "not a recording: %s", line ? line + 1 : text);
}

static int decode(int input, int output, int errors, struct relais_worker *w,
                  struct relais_task *task, char why[REEL_WHY]) {
    pid_t pid;
    int failed = ffmpeg_start(input, output, errors, &pid);
    if (failed) {
        snprintf(why, REEL_WHY, "ffmpeg: %s", strerror(failed));
        return RELAIS_SYSTEM;
    }
    int status = ffmpeg_wait(pid, w, task);
    if (status < 0) return RELAIS_CLOSED;
    if (status == 0) return RELAIS_OK;
    complaint(errors, why);
    return RELAIS_VALIDATION_ERROR;
}

static int measure(struct reel *r, char why[REEL_WHY]) {
    struct stat file;
    if (fstat(r->fd, &file) != 0) return RELAIS_SYSTEM;
    r->size = (uint64_t)file.st_size;
    if (r->size > 0 && r->size <= (uint64_t)RECORDING_S_MAX * BYTES_PER_S) return RELAIS_OK;
    snprintf(why, REEL_WHY, r->size ? "the recording is longer than four hours"
                                    : "the recording is empty");
    return RELAIS_VALIDATION_ERROR;
}

int reel_decode(struct reel *r, struct booth *b, struct relais_worker *w,
                struct relais_task *task, char why[REEL_WHY]) {
    int input = file_temporary(), errors = memfd_create("ffmpeg", MFD_CLOEXEC);
    reel_follow(r, b, task);
    r->fd = file_temporary();
    int code = input < 0 || errors < 0 || r->fd < 0 ? RELAIS_SYSTEM : RELAIS_OK;
    if (code) snprintf(why, REEL_WHY, "no temporary file: %s", strerror(errno));
    if (!code) {
        code = relais_download(b->files, task->source, task->source_ticket, input, NULL);
        if (code) snprintf(why, REEL_WHY, "the recording: %s", relais_error_text(code));
        /* not the recording's fault, whatever the broker said */
        if (code == RELAIS_VALIDATION_ERROR) code = RELAIS_SYSTEM;
    }
    if (!code) {
        lseek(input, 0, SEEK_SET);
        code = decode(input, r->fd, errors, w, task, why);
    }
    if (!code) code = measure(r, why);
    if (input >= 0) close(input);
    if (errors >= 0) close(errors);
    if (code) reel_close(r);
    return code;
}

int reel_read(struct reel *r, uint64_t offset, void *data, size_t size, uint32_t timeout_ms,
              size_t *ret_len, bool *ret_end) {
    if (r->fd < 0)
        return relais_read(r->files, r->file, r->ticket, offset, data, size, timeout_ms, ret_len,
                           ret_end);
    ssize_t some = pread(r->fd, data, size, (off_t)offset);
    if (some < 0) return RELAIS_SYSTEM;
    *ret_len = (size_t)some;
    *ret_end = offset + (uint64_t)some >= r->size;
    return RELAIS_OK;
}
