/* reel.h - the bytes of a task's recording, from the broker as they come or decoded beforehand.
 *
 * reel_follow reads the source as it was sent, while it grows. reel_decode fetches the whole of it,
 * has ffmpeg make 16 kHz mono s16le of whatever it is, and reads that: it needs ffmpeg, and room
 * in TMPDIR; playlists and all else that names other files are not opened. A recording is at most
 * RECORDING_S_MAX long. */
#ifndef RELAIS_WORKER_SPEECH_REEL_H
#define RELAIS_WORKER_SPEECH_REEL_H
#include "worker/speech/booth.h"

enum { RECORDING_S_MAX = 4 * 3600, REEL_WHY = 256 };

struct reel {
    struct relais_files *files; /* borrowed */
    uint64_t file, ticket;
    int fd;                     /* decoded: owned; -1 = read from the broker */
    uint64_t size;              /* decoded: bytes; 0 = not known */
};

void reel_follow(struct reel *r, struct booth *b, const struct relais_task *task);
/* RELAIS_OK; RELAIS_CLOSED when the worker was told to stop; else what went wrong is in `why`, and
 * RELAIS_VALIDATION_ERROR means that it will always. */
int reel_decode(struct reel *r, struct booth *b, struct relais_worker *w,
                struct relais_task *task, char why[REEL_WHY]);
/* As relais_read. */
int reel_read(struct reel *r, uint64_t offset, void *data, size_t size, uint32_t timeout_ms,
              size_t *ret_len, bool *ret_end);
void reel_close(struct reel *r);
#endif
