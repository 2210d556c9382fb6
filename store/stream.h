/* stream.h - files that grow while they are read: recordings that are still being made.
 *
 * A stream grows in DATA/files/growing/ID by chunks that its maker counts. streams_append takes
 * chunks, streams_sync puts everything that was taken on disk at once: the bytes of all streams
 * first, then beside each, in ID.state, how far it is. Only what both say is there: it alone is
 * read, and it alone is there after a crash. Ended and named by a durable record, a stream becomes
 * a placed file like any other (files.h) and is forgotten here.
 *
 * Chunks. The first has the number 0 or 1; each later one the next. One that is there already
 * changes nothing; one that leaves a gap is FILE_ORDER. STREAM_NEXT stands for the next.
 *
 * ID.state holds two slots of 512 bytes, written in turn: magic, turn, size, next number, brand,
 * flags, birth (wall clock), crc32c. The newest good one counts, so a torn write costs nothing that
 * was acknowledged.
 *
 * Limits: streams at once, bytes of a stream. streams_expire ends those that nobody went on with
 * for idle_ms_max or that are older than age_ms_max, and drops the idle ones that no record names.
 *
 * Threads: one, but streams_name, streams_knows and streams_each_named from any.
 *
 * DIAGNOSTICS: enum file_result, and errno with FILE_FAILED. After a sync that failed a stream is
 * broken: it takes nothing and stays as its last good state says. */
#ifndef RELAIS_STORE_STREAM_H
#define RELAIS_STORE_STREAM_H
#include "store/files.h"

enum { STREAM_NEXT = -1 /* instead of a number: the next */ };

struct streams_options {
    const char *folder; /* DATA */
    uint32_t streams_max;
    uint64_t stream_bytes_max;
    int64_t idle_ms_max, age_ms_max, unnamed_ms_max;
};

struct stream_state {
    uint64_t size;   /* bytes on disk */
    uint64_t next;   /* number of the next chunk */
    uint32_t brand;  /* whose it is */
    bool ended;
};

struct streams;
/* Owned by the caller; NULL with a line in `why`. */
struct streams *streams_open(const struct streams_options *options, char *why, size_t why_size);
void streams_close(struct streams **self);
/* Start-up: goes on with the streams that a record names, places those that had ended, unlinks the
 * rest. Returns how many there were, -1 on error. */
int64_t streams_recover(struct streams *s, int64_t now_ms, files_named *named, void *context,
                        char *why, size_t why_size);

/* On disk when it returns. */
enum file_result streams_create(struct streams *s, uint64_t id, uint32_t brand, int64_t now_ms,
                                int64_t wall_ms);
/* Any thread. */
bool streams_knows(struct streams *s, uint64_t id);
/* As it is on disk; FILE_UNKNOWN also once it is placed. */
enum file_result streams_state(struct streams *s, uint64_t id, struct stream_state *ret);
/* Takes a chunk that the next streams_sync puts on disk. One that is there already, or will be with
 * that sync, is FILE_OK too. FILE_EXISTS: the stream has ended. */
enum file_result streams_append(struct streams *s, uint64_t id, int64_t number, struct slice bytes,
                                int64_t now_ms);
/* All that was taken goes on disk; false when it did not for some stream, which is then broken. */
bool streams_sync(struct streams *s);
bool streams_broken(struct streams *s, uint64_t id);
/* Ends it for good, on disk when it returns; again is fine. */
enum file_result streams_end(struct streams *s, uint64_t id);
/* Appends up to `len` bytes from `offset` to `bytes`, of those that are on disk. */
enum file_result streams_read(struct streams *s, uint64_t id, uint64_t offset, uint32_t len,
                              struct buffer *bytes);
/* Gives a stream up that no task names: FILE_ORDER when one does. */
enum file_result streams_drop(struct streams *s, uint64_t id);
/* Calls `changed` for each stream that it ended or dropped. */
void streams_expire(struct streams *s, int64_t now_ms, int64_t wall_ms, files_found *changed,
                    void *context);

/* As in files.h. */
enum file_result streams_name(struct streams *s, uint64_t id);
void streams_unname(struct streams *s, uint64_t id, int64_t now_ms);
void streams_each_named(struct streams *s, files_found *found, void *context);
/* Its record is durable: it is kept, and placed once it has ended. */
enum file_result streams_place(struct streams *s, uint64_t id);
enum file_result streams_remove(struct streams *s, uint64_t id);
#endif
