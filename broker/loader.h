/* loader.h - the thread that reads for the core: needs go in, chunks of records come out.
 *
 * A need is read as of the newest group that was closed when it was asked, for anything newer is
 * still in the core's memory. What is found is copied into chunks, each one block of memory; a
 * need with much to say takes several (`more`). The answer to a need is handed over when it is
 * whole (the need bounds it); only the restore, which may be large, goes chunk by chunk. While
 * CHUNKS_MAX chunks are out the loader waits until the broker thread has given one back.
 *
 * Needs in waiting are bounded by the core (parked events). A read that fails is said in the log
 * and tried again after RETRY_MS, so that a damaged block is never taken for absence; the events
 * that wait for it run into their deadlines, all others go on. A restore that fails ends with a
 * chunk that says `failed`: the store must be opened again. */
#ifndef RELAIS_BROKER_LOADER_H
#define RELAIS_BROKER_LOADER_H
#include "broker/writer.h"

enum { CHUNKS_MAX = 8, CHUNK_RECORDS = 512, CHUNK_BYTES = 128 << 10, TASK_BYTES = 4 << 20,
       RETRY_MS = 1000 };

struct chunk {
    struct letter letter;
    struct need need; /* its key lies in the block */
    uint32_t opened;  /* the opening of the store that it was read from */
    bool more;        /* further records of the need follow */
    bool failed;      /* the restore could not be read */
    uint32_t count;
    struct record records[CHUNK_RECORDS]; /* their slices lie in the block */
    uint8_t *block;   /* owned */
    size_t used, cap;
};

struct loader;

/* results: where chunks are put; borrowed. */
struct loader *loader_start(struct writer *writer, struct post *results);
/* After writer_stop. Chunks still in the post are the caller's to give back first. */
void loader_stop(struct loader **self);
/* Asks; the key is copied. False when memory is out. */
bool loader_ask(struct loader *l, const struct need *need, uint32_t opened, uint64_t group);
/* The chunk has been stepped. */
void loader_give_back(struct loader *l, struct chunk *chunk);
#endif
