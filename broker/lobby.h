/* lobby.h - frames that were read and wait for their turn, a line for each peer.
 *
 * Under load the broker reads all that has come and takes only part of it at once: SUBMIT frames
 * wait here, and what the same peer says after them. So it knows how long they wait, sees reports
 * and beats at once, and can refuse what would wait too long while that is still cheap.
 *
 * Turns: each line in turn gives frames of LOBBY_QUANTUM items (fair by items, not by frames: who
 * says one at a time is not behind who says 256).
 *
 * Refusals: a frame is admitted while its expected wait, items before it in its line times what
 * such an item took lately, is within wait_ms_max, and the oldest frame of the line has not waited
 * longer than that. Less than LOBBY_QUANTUM is not reckoned with. Who was refused is admitted again
 * when the expected wait is under a LOBBY_SHED_PART of wait_ms_max, until its line has been empty:
 * an open loop that does not hear then waits little, while who is silent for as long as it was
 * told, or only waits for its own answers, has all of it. Nor is anything admitted while more than
 * LOBBY_BYTES_MAX wait. */
#ifndef RELAIS_BROKER_LOBBY_H
#define RELAIS_BROKER_LOBBY_H
#include "proto/base/list.h"
#include <stdint.h>
#include <zmq.h>

enum { LOBBY_QUANTUM = 256, LOBBY_SHED_PART = 4, LOBBY_BYTES_MAX = 32 << 20,
       LOBBY_FREE_MAX = 4096 };

struct waiting; /* a frame */

struct line { /* of one peer; all zero = empty */
    struct node turn; /* in the lobby while it is not empty */
    struct waiting *first, *last;
    uint32_t items, credit; /* that wait; that it may give in this turn */
    uint32_t cost_ms, cost_items; /* how long frames waited lately, behind so many items */
    bool shed;        /* it was refused, and has not been empty since */
};

struct lobby {
    struct node turns;
    struct waiting *free;
    uint32_t free_count, wait_ms_max;
    size_t bytes;
};

void lobby_open(struct lobby *l, uint32_t wait_ms_max);
void lobby_close(struct lobby *l);
/* True when another frame may wait in the line. */
bool lobby_admits(const struct lobby *l, struct line *line, int64_t now_ms);
/* Takes the frame: body is empty then. False when memory is out. */
bool lobby_put(struct lobby *l, struct line *line, zmq_msg_t *body, uint32_t items,
               int64_t now_ms);
/* The line whose turn it is and its first frame (close it), or NULL. */
struct line *lobby_take(struct lobby *l, zmq_msg_t *body, int64_t now_ms);
/* Forgets what waits in the line. */
void lobby_forget(struct lobby *l, struct line *line);
bool lobby_empty(const struct lobby *l);
#endif
