/* batch.h - what waits to be sent: items by verb, made into frames when the sender comes by.
 *
 * Whatever waits of one verb travels in one frame, up to `batch_max` items and about `frame_max`
 * bytes; nothing is held back for more to come. Verbs leave in the order of a task's life (START
 * before DONE), so that two messages about one task are never swapped. Items of one verb are
 * numbered one after the other, in a space of their own: number = verb << 45 | count.
 * Parts of a result are LOG on the wire, but answered: they have a pile and numbers of their own.
 * Pure; owns its buffers. */
#ifndef RELAIS_WORKER_BATCH_H
#define RELAIS_WORKER_BATCH_H
#include "proto/message.h"

enum { BATCH_PART = VERB_FILE_CREATE - 1 /* no verb: the pile of parts */,
       BATCH_VERBS = BATCH_PART + 1, BATCH_NUMBER_BITS = 45 };

struct pile { /* the waiting items of one verb */
    struct buffer items;
    uint32_t *ends;     /* offset behind each item, in items */
    uint32_t count, cap;
    uint32_t sent;      /* after batch_take: the first so many are in frames already */
    uint64_t next;      /* count for the next item's number */
};

struct batch {
    struct pile piles[BATCH_VERBS];
    uint32_t waiting;   /* items in all */
    bool failed;        /* memory is out: what was put then is lost */
};

void batch_free(struct batch *b);
/* Returns the item's number; a verb that asks for no answer is numbered too, but sent with
 * request 0. The verb is one that clients or workers say. */
uint64_t batch_put(struct batch *b, const struct message *m);
/* A LOG with level LOG_PART. */
uint64_t batch_put_part(struct batch *b, const struct message *m);
/* The same as batch_put with the item's bytes, as they were written once. */
uint64_t batch_put_item(struct batch *b, enum verb verb, struct slice item);
/* The number that the next item of the verb will get: those before have been put. */
uint64_t batch_next(const struct batch *b, enum verb verb);
/* The number of the oldest item of the verb that still waits; batch_next when none does. */
uint64_t batch_oldest(const struct batch *b, enum verb verb);
/* Forgets what waits, but for log lines up to `log_bytes_max`: a new link says it again. */
void batch_clear(struct batch *b, size_t log_bytes_max);
/* Moves everything that waits from `b` into `out`, which is empty; the numbers go on in b. */
void batch_take(struct batch *b, struct batch *out);
/* Writes the next frame into `frame` (cleared first); false when nothing waits. `b` is what
 * batch_take filled. */
bool batch_frame(struct batch *b, struct buffer *frame, uint32_t link, uint32_t batch_max,
                 uint32_t frame_max);
#endif
