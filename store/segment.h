/* segment.h - one file of the journal: its header block and its frames.
 *
 * Nothing here knows the chain; journal.c does. Functions return false with errno set, or say in
 * `why` what is wrong with which file. */
#ifndef RELAIS_STORE_SEGMENT_H
#define RELAIS_STORE_SEGMENT_H
#include "proto/base/bytes.h"

enum { SEGMENT_HEADER_BYTES = 4096, FRAME_HEADER_BYTES = 24, FRAME_ALIGN = 8, SEGMENT_VERSION = 1 };

struct segment_header {
    uint64_t sequence;    /* place in the chain, from 1 */
    uint64_t incarnation; /* of its frames */
    uint64_t first_group; /* of its first frame */
    uint64_t replay_from; /* the table held every earlier group when this segment began */
    uint64_t before_end;  /* offset where the frames of sequence - 1 end; 0 = there was none */
};

struct segment {
    struct segment *next;
    char path[512];
    int fd;
    uint64_t size;
    bool used;                    /* has a valid header */
    struct segment_header header; /* while used */
    uint64_t end;                 /* where the next frame goes */
    uint64_t newest;              /* group of its last frame; 0 = no frame */
    uint64_t newest_at;           /* its offset */
    int error;                    /* errno of a read that failed; then no frame is to be missed */
};

struct frame_header { uint32_t len, crc; uint64_t group, incarnation; };

/* Makes a file of `size` zeros, on disk. NULL with errno. */
struct segment *segment_make(const char *path, uint64_t size);
/* Opens a file and reads its header; `used` tells whether that holds. NULL with errno. */
struct segment *segment_open(const char *path, bool read_only);
void segment_close(struct segment **self);

/* Writes a frame at the end, with the header in front when it is the first, and syncs. */
bool segment_append(struct segment *s, uint64_t group, struct slice records);
/* Writes the last frame and the header again and syncs: what was read may never have reached the
 * disk if the process before this one saw its sync fail. */
bool segment_settle(struct segment *s);

/* The frame at s->end, if one holds there that is newer than `after`: moves the end behind it. */
bool segment_next(struct segment *s, uint64_t after, struct frame_header *frame,
                  struct buffer *records);
/* Takes the header away, on disk: the segment is nobody's. */
bool segment_erase(struct segment *s);
/* A frame of this segment (or, without header, any frame) newer than `after` anywhere behind its
 * end: its offset, 0 = none. */
uint64_t segment_find(struct segment *s, uint64_t after);
/* Bytes of the broken frame at the end; 0 when there is none. */
uint64_t segment_torn(struct segment *s, uint64_t after);
#endif
