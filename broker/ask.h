/* ask.h - lists, searches and counts, answered beside the core on threads of their own: a short
 * question does not wait behind a long one.
 *
 * A question sees at least the group that was durable when it came, and nothing that a crash
 * could take back. It looks at no more than rows_max rows and takes no longer than ms_max: over
 * that the page is `incomplete` and `next` goes on from there. Rows are msgpack arrays; a row of
 * tasks is a VIEW's array without body and result.
 *
 * Refusals: FORBIDDEN for a brand that is not the principal's or for a worker's principal,
 * VALIDATION_ERROR for an unknown kind or a cursor that is none, BUSY when QUESTIONS_MAX wait,
 * UNAVAILABLE while there is no store. */
#ifndef RELAIS_BROKER_ASK_H
#define RELAIS_BROKER_ASK_H
#include "broker/writer.h"
#include "proto/message.h"

enum { ASK_THREADS = 2, QUESTIONS_MAX = 256, LIMIT_DEFAULT = 100, LIMIT_MAX = 1000,
       OFFSET_MAX = 10000, COUNT_MAX = 10000, ASK_RETRY_MS = 200 };

struct ask_answer {
    struct letter letter;
    uint32_t peer, serial; /* as asked */
    struct message message; /* ROWS or REFUSED; its slices lie in `bytes` */
    struct buffer bytes;    /* owned */
};

struct ask;

/* answers: where answers are put. id_key: makes tickets of files; borrowed. */
struct ask *ask_start(struct writer *writer, struct post *answers, const uint8_t *id_key,
                      uint32_t rows_max, uint32_t ms_max);
/* After writer_stop. */
void ask_stop(struct ask **self);
/* Copies the question. 0, or CODE_BUSY, CODE_UNAVAILABLE (memory). `group` must be seen. */
enum code ask_put(struct ask *a, uint32_t peer, uint32_t serial, const struct message *m,
                  const struct who *who, uint32_t opened, uint64_t group);
void ask_answer_free(struct ask_answer *answer);
#endif
