/* router.h - the ROUTER sockets, the peers behind them, and what waits for each.
 *
 * Everything is non-blocking. router_receive goes round the sockets, so that no endpoint starves
 * another. What the core says is put into the peer's outbox (router_say) and leaves when its row
 * is released; a frame that libzmq does not take (its queue of SNDHWM frames is full) stays and
 * is tried again by router_retry.
 *
 * Limits: a peer that does not take what is sent to it is given up as gone when its outbox stays
 * above outbox_bytes_max for SLOW_MS_MAX, reaches BURST_FACTOR times that (a burst of large
 * deliveries may pass it for a moment), or is above it while all outboxes together hold more than
 * WAITING_BYTES_MAX. So is one that cannot be routed to, and one not heard for silent_ms_max.
 * Deliveries alone never get there: the core stops at half of outbox_bytes_max (say.fills) until
 * router_roomy; a worker of which nothing is taken for STUCK_MS_MAX meanwhile is gone, too.
 * While more than WAITING_BYTES_MAX wait no frame is taken (router_full); that ends within
 * SLOW_MS_MAX, for then whoever takes nothing goes, whatever waits for it. Frames over
 * frame_bytes_max are refused by libzmq, which closes the connection.
 *
 * Security: a tcp endpoint beyond loopback gets CURVE, always; without server keys it is refused.
 * Handshakes end by handshake_ms. Routing ids are never shown to anyone. */
#ifndef RELAIS_BROKER_ROUTER_H
#define RELAIS_BROKER_ROUTER_H
#include "broker/peer.h"
#include "broker/secret.h"
#include <poll.h>

enum {
    SOCKETS_MAX = 4,
    SLOW_MS_MAX = 1000,
    STUCK_MS_MAX = 10000,
    BURST_FACTOR = 16,
    WAITING_BYTES_MAX = 64 << 20,
    RECEIVE_HWM = 1000
};

struct router_limits {
    uint32_t peers_max, batch_max, frame_bytes_max, outbox_bytes_max;
    uint32_t peer_queue_max; /* SNDHWM */
    uint32_t handshake_ms, silent_ms_max;
    bool curve_always; /* on loopback tcp endpoints too */
};

struct router;

/* context: borrowed ZeroMQ context. NULL when memory is out. */
struct router *router_new(void *context, const struct router_limits *limits);
/* Closes the sockets; what is leaving gets a short linger. */
void router_destroy(struct router **self);
/* Binds an endpoint; writes where it is really bound. False with the cause in why. */
bool router_bind(struct router *r, const char *endpoint, const struct secret *secret,
                 char *bound, size_t bound_size, char *why, size_t why_size);
/* Takes the newest bind back; nobody may have been heard there. */
void router_unbind(struct router *r);
/* Opens a bound ROUTER socket with the rules above, for router_bind and the file endpoint. NULL
 * with the cause in why. */
void *socket_open(void *context, const char *endpoint, const struct router_limits *limits,
                  const struct secret *secret, enum endpoint_kind *kind, char *why,
                  size_t why_size);
/* ENDPOINT_GATEWAY for inproc and ipc, ENDPOINT_LOCAL for loopback tcp, else ENDPOINT_CURVE. */
enum endpoint_kind endpoint_kind_of(const char *endpoint, bool curve_always);
/* Where a socket is bound, with the port that it got. */
void socket_bound(void *socket, char *bound, size_t size);

/* Takes one frame. Returns its peer with `body` filled (close it); NULL = nothing is there. */
struct peer *router_receive(struct router *r, zmq_msg_t *body, int64_t now_ms);
/* Before a sleep: adds the sockets to a poll set; true when one of them has something already. A
 * socket that had nothing is not received from again until router_wake hears its descriptor, or
 * router_look, for a loop that does not sleep, makes all be looked at. */
bool router_poll(struct router *r, struct pollfd *fds, uint32_t *count);
void router_wake(struct router *r, const struct pollfd *fds);
void router_look(struct router *r);

enum say_row { SAY_NOW, SAY_GROUP };
/* Encodes m for the peer; dropped when the peer is gone. While a WELCOME waits for its group
 * nothing goes before it. */
void router_say(struct router *r, uint32_t peer, enum say_row row, const struct message *m);
/* The core delivers nothing more to the peer until what waits for it has left. */
void router_await_room(struct router *r, uint32_t peer, int64_t now_ms);
/* The next peer that was awaited and has room again, or NULL; it is awaited no more. */
struct peer *router_roomy(struct router *r);
/* The open group closes: what was said for it now waits for it. */
void router_close(struct router *r);
/* The group in flight is durable. */
void router_release(struct router *r, int64_t now_ms);
/* Nothing has to be waited for: what was said for the open group leaves. */
void router_release_open(struct router *r, int64_t now_ms);
/* What was said as `now` leaves. */
bool router_leaves_now(const struct router *r); /* whether there is any */
void router_flush(struct router *r, int64_t now_ms);
/* Frames that libzmq did not take are tried again; true when some are left. */
bool router_retry(struct router *r, int64_t now_ms);
/* The group failed: forgets everything that has not been released. */
void router_drop_unsaid(struct router *r);
/* Gives up the peers that were not heard since silent_ms_max. */
void router_sweep(struct router *r, int64_t now_ms);
/* Gives up a peer that has said BYE; another frame of the same connection makes a new one. */
void router_leave(struct router *r, struct peer *p);
/* A peer that is gone: tell the core, then router_forget. NULL = none. Its outbox holds what was
 * never handed to libzmq. */
struct peer *router_gone(struct router *r);
void router_forget(struct router *r, struct peer *p);
/* Goes through the peers; *at starts at 0. NULL at the end. */
struct peer *router_next(struct router *r, uint32_t *at);
struct peer *router_peer(struct router *r, uint32_t number);
/* Any entry of the table, used or not; NULL from the first that never was. */
struct peer *router_entry(struct router *r, uint32_t number);
uint32_t router_peer_count(const struct router *r);
size_t router_waiting_bytes(const struct router *r);
bool router_full(const struct router *r);
#endif
