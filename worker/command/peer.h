/* peer.h - one raw link to the broker for load: frames in and out of reused memory.
 *
 * No reconnecting and no replay: in a bench a lost link is a failed measurement. Nothing is held
 * back by high-water marks; the scenario bounds what is in flight. */
#ifndef RELAIS_WORKER_COMMAND_PEER_H
#define RELAIS_WORKER_COMMAND_PEER_H
#include "proto/message.h"
#include "worker/command/bench.h"
#include <zmq.h>

struct peer {
    void *socket;         /* owned */
    int fd;               /* readable when libzmq has something to tell */
    bool dry;             /* the last receive found nothing: not tried again in this millisecond */
    bool asked;           /* nothing was sent since: the descriptor can be trusted */
    int64_t dry_ms;
    zmq_msg_t in;         /* owned: the frame that is being read */
    struct frame frame;   /* into it */
    bool reading;
    int64_t heard_ns;     /* when that frame was taken: its items came together */
    struct buffer out;    /* owned: the frame that is being written */
    struct frame_writer writer;
    uint64_t next_number; /* of the next request */
    uint32_t link, beat_ms;
    int64_t beat_at_ms;
};

struct peer_options {
    enum link_kind kind;
    const char *name;
    struct slice queues; /* packed texts */
    uint16_t queue_count;
    uint32_t slots;      /* worker; tasks count as started when delivered */
};

/* Connects, says HELLO and waits for WELCOME. False when the broker does not answer or refuses;
 * the cause has been said. */
bool peer_open(struct peer *p, void *context, const struct bench *b, const struct peer_options *o);
void peer_close(struct peer *p);

/* Begins a frame whose items are numbered from the returned number on; items are put with
 * frame_put(&p->writer, …). */
uint64_t peer_begin(struct peer *p, enum verb verb, bool answered);
/* Ends the frame and sends it; false when that failed. */
bool peer_send(struct peer *p);
/* The next message that is here; false when there is none, or with *broken when the link is of no
 * use any more. Does not block. Slices are borrowed until the next call. */
bool peer_receive(struct peer *p, struct message *m, bool *broken);
/* Sends a beat when one is due. */
bool peer_beat(struct peer *p, int64_t now_ms);
/* Waits until one of `count` peers can be read, at most timeout_ms. */
void peers_wait(struct peer **peers, uint32_t count, int timeout_ms);
#endif
