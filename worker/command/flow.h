/* flow.h - tasks on their whole way: submitted, delivered, done, settled; one thread, raw frames.
 *
 * A client link submits in frames of `batch` items while fewer than `depth` tasks are in flight
 * (submitted, not yet settled); `workers` links take what comes and answer each delivery with
 * DONE at once, up to `batch` items a frame. A task counts once its acknowledgement and its
 * settlement are here. The payload begins with the time of its submission, so that no table of
 * tasks is needed. */
#ifndef RELAIS_WORKER_COMMAND_FLOW_H
#define RELAIS_WORKER_COMMAND_FLOW_H
#include "worker/command/peer.h"

struct flow_worker {
    struct peer peer;
    int64_t *sent_ns; /* owned: by number of the DONE, modulo ring */
    uint64_t ring;    /* a power of two */
    bool writing;     /* a DONE frame is begun */
};

struct flow {
    const struct bench *b;
    void *context; /* owned: ZeroMQ */
    struct peer client;
    struct flow_worker *workers; /* owned */
    struct peer **peers;         /* owned: client first, then workers */
    uint32_t worker_count;
    bool every;                  /* its workers serve every queue */
    struct buffer payload;
    uint64_t depth, batch;
    uint64_t submitted, acked, delivered, settled, refused;
    int64_t busy_until_ms;
    struct spread settled_ns;    /* submission to settlement */
    struct spread delivered_ns;  /* submission to delivery, of payloads of our own size */
    bool holds;                  /* its workers keep what they are given */
    int64_t acked_at_ns, delivered_at_ns, settled_at_ns; /* when the newest came */
    bool broken;
};

int64_t flow_now_ns(void);
/* Connects everything; workers 0 = a client only. False when that failed. */
bool flow_open(struct flow *f, const struct bench *b, uint64_t depth, uint64_t batch,
               uint32_t workers);
void flow_close(struct flow *f);
/* Submits one frame of `count` tasks to a queue. */
bool flow_submit(struct flow *f, uint64_t count, const char *queue, size_t queue_len);
/* Takes everything that is here; waits up to wait_ms for the first message. False when broken. */
bool flow_pump(struct flow *f, int wait_ms);
/* Pumps until nothing is in flight, at most wait_ms. */
bool flow_settle(struct flow *f, int64_t wait_ms);
/* Submits one task to a flow of one worker and waits until it is acknowledged and settled; the
 * times of its answers are in the *_at_ns, since the returned one. 0: it was not settled. */
int64_t flow_one(struct flow *f);
/* Queues `count` tasks in a queue that no worker of the bench serves. */
bool flow_fill(struct flow *f, uint64_t count, const char *queue);
#endif
