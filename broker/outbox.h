/* outbox.h - the frames that wait for a peer, and when they may leave.
 *
 * What the core says is encoded at once, into one frame per peer and verb as long as that frame
 * is open: acknowledgements of one group travel together. A frame stands in one of four rows:
 *   now      leaves at the end of the turn (first deliveries, refusals that no state caused)
 *   filling  what the open group acknowledges, or was read while it was open
 *   flying   the same of the group that is with the store thread
 *   leaving  free to go; stays only while the peer does not read
 * outbox_close moves filling to flying, outbox_release flying (or filling) to leaving.
 *
 * Order: frames of a row leave in the order they were begun. STOP, RECALL, WELCOME and RESYNC
 * never overtake what was said before them, nor are they overtaken.
 *
 * Limits: a frame is sealed at PARCEL_BYTES or batch_max items; how many bytes may wait is the
 * router's rule. Parcels come from a pool and go back to it with their memory, as long as the
 * pool holds less than POOL_BYTES_MAX. */
#ifndef RELAIS_BROKER_OUTBOX_H
#define RELAIS_BROKER_OUTBOX_H
#include "proto/message.h"

enum { PARCEL_BYTES = 32 << 10, PARCELS_KEPT = 1024, POOL_BYTES_MAX = 4 << 20 };

struct parcel { /* one frame */
    struct parcel *next;
    struct buffer bytes;
    struct frame_writer writer;
    size_t counted; /* bytes it stands for in outbox.bytes and pool.waiting */
    enum verb verb;
    bool open;
};

struct row { struct parcel *first, *last; };

struct parcel_pool { /* owned by the thread that sends */
    struct parcel *free;
    uint32_t free_count;
    size_t free_bytes;  /* memory of the free ones */
    uint32_t batch_max; /* items in a frame */
    size_t waiting;     /* bytes in all rows of all outboxes */
};

struct outbox {
    struct row now, filling, flying, leaving;
    size_t bytes; /* in all rows */
};

void pool_open(struct parcel_pool *pool, uint32_t batch_max);
void pool_free(struct parcel_pool *pool);

/* Encodes m into `row` of the outbox. `link` stands in the frame's head. False when memory is
 * out: the peer must then be dropped, for it would miss something. */
bool outbox_put(struct outbox *o, struct row *row, struct parcel_pool *pool, uint32_t link,
                const struct message *m);
/* The group closes: what was filling now flies. Nothing may be flying. */
void outbox_close(struct outbox *o);
/* Moves a row to leaving. */
void outbox_release(struct outbox *o, struct row *row);
/* The next frame that may leave, or NULL; its head is final. */
struct parcel *outbox_first(struct outbox *o);
/* The first frame has left. */
void outbox_sent(struct outbox *o, struct parcel_pool *pool);
/* Forgets a row: nothing of it will leave. */
void outbox_drop(struct outbox *o, struct row *row, struct parcel_pool *pool);
/* Goes through the frames that have not left, of all rows, which all go to leaving.
 * `at` starts at NULL. NULL at the end. */
struct parcel *outbox_next(struct outbox *o, struct parcel *at);
bool row_has(const struct row *row, enum verb verb);
void outbox_free(struct outbox *o, struct parcel_pool *pool);
#endif
