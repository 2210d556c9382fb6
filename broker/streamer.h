/* streamer.h - the part of the file endpoint that serves files which grow while they are read.
 *
 * Appends of one turn share one sync (store/stream.h): each is answered after it, so what was
 * answered survives a crash. A FILE_READ at the end of a growing file waits here, until bytes are
 * on disk, the file has ended or gone, or its time is over; then it is read like any other.
 *
 * A stream belongs to its brand: its principals may append, end and ask; to others it does not
 * exist. Workers only read.
 *
 * Limits: READS_WAITING_MAX reads wait at once, any more are answered at once; wait_ms_max.
 * Refusals: NOT_FOUND, FORBIDDEN (a worker), CONFLICT (a gap), GONE (it has ended),
 * PAYLOAD_TOO_LARGE, STORAGE_FULL, LIMIT_REACHED.
 * Threads: the file endpoint's. */
#ifndef RELAIS_BROKER_STREAMER_H
#define RELAIS_BROKER_STREAMER_H
#include "broker/router.h"
#include "store/stream.h"

enum { READS_WAITING_MAX = 4096 };

struct streamer_setup {
    struct streams *streams; /* borrowed */
    struct files *files;     /* borrowed: what has ended is one of them */
    struct router *router;   /* borrowed */
    uint32_t chunk_bytes_max, wait_ms_max;
    void *context;           /* of the function below: answers a read as things now stand */
    void (*read)(void *context, const struct peer *p, uint64_t number, const struct file_ref *ref);
};

struct streamer;

struct streamer *streamer_new(const struct streamer_setup *setup);
void streamer_destroy(struct streamer **self);
/* FILE_APPEND, FILE_END or FILE_STAT. An append is answered by the next streamer_turn. */
void streamer_take(struct streamer *s, const struct peer *p, const struct who *who,
                   const struct message *m, int64_t now_ms);
/* True when the read now waits; else it is to be answered at once. */
bool streamer_wait(struct streamer *s, const struct peer *p, uint64_t number,
                   const struct file_ref *ref, int64_t now_ms);
/* After the frames of a turn: syncs, answers. */
void streamer_turn(struct streamer *s, int64_t now_ms);
/* Something became of a stream beside the verbs: waiting reads are looked at. */
void streamer_changed(struct streamer *s);
/* How long the thread may sleep, at most `most_ms`. */
int streamer_sleep_ms(const struct streamer *s, int64_t now_ms, int most_ms);
/* The code that a result of the store's is for peers; INTERNAL_ERROR is logged. */
enum code streamer_code(enum file_result result);
#endif
