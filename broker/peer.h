/* peer.h - who is connected: one entry per connection, and what it may do.
 *
 * A peer is known by its socket and routing id, never trusted by it: the principal comes from the
 * endpoint and, under CURVE, from the key that the handshake proved. Peers have small stable
 * numbers, the core's `peer`. A routing id that turns up with another key is another peer.
 *
 * Principals
 *   gateway endpoint (inproc, ipc in DATA)   ROLE_GATEWAY; `who` attached to a frame counts
 *   loopback tcp without CURVE               ROLE_LOCAL: brand 1 for what clients say; what
 *                                            workers say counts for all brands under serve,
 *                                            for brand 1 under broker
 *   CURVE                                    role, brand and queues of the registered key
 *
 * Refusals: FORBIDDEN for a verb that the role may not say, a queue that the key does not name, or
 * a `who` from someone who is no gateway; UNKNOWN_VERB for a verb that only brokers say or that
 * belongs to the file endpoint. */
#ifndef RELAIS_BROKER_PEER_H
#define RELAIS_BROKER_PEER_H
#include "broker/lobby.h"
#include "broker/outbox.h"
#include "proto/base/map.h"
#include "proto/message.h"
#include <zmq.h>

enum { PEER_ID_MAX = 255, KEY_TEXT_LEN = 64, QUEUES_TEXT_MAX = 1024 };

enum endpoint_kind { ENDPOINT_GATEWAY = 1, ENDPOINT_LOCAL = 2, ENDPOINT_CURVE = 3 };

/* Names of the properties that the ZAP handler attaches to a connection. */
#define PROPERTY_NAME "Relais-Name"
#define PROPERTY_ROLE "Relais-Role"
#define PROPERTY_BRAND "Relais-Brand"
#define PROPERTY_QUEUES "Relais-Queues"

struct grant { /* what a CURVE key stands for; owned by the peer */
    char key[KEY_TEXT_LEN + 1];         /* hex of the public key */
    char queues[QUEUES_TEXT_MAX];       /* comma list; "" = all queues */
};

struct peer {
    struct map_node by_id;
    uint32_t number;       /* place in the table */
    uint32_t link;         /* from its newest WELCOME; 0 = none */
    uint32_t next_free;
    uint32_t serial;       /* tells apart the peers that had this number */
    uint8_t socket;        /* index of its endpoint */
    uint8_t endpoint;      /* enum endpoint_kind */
    uint8_t kind;          /* enum link_kind of its newest HELLO; 0 = none yet */
    uint8_t id_len;
    bool used, gone;
    bool known;            /* the core has made its link */
    bool withdrawn;        /* its key is no longer registered */
    bool greeted;          /* a WELCOME waits in a row: nothing may overtake it */
    bool in_now, in_filling, in_flying, in_blocked, in_full; /* stands in the router's lists */
    struct who who;        /* the principal of the connection */
    struct grant *grant;   /* owned; CURVE only */
    int64_t heard_ms, over_since_ms; /* monotonic; 0 = the outbox is within its bound */
    int64_t taken_ms;      /* it, or libzmq for it, took a frame; counts while in_full */
    struct outbox outbox;
    struct line line;      /* its frames that wait in the turn's lobby */
    uint8_t *id;           /* owned: routing id */
};

struct peer_table { /* owned by the thread that owns the socket */
    struct peer *peers;
    uint32_t cap, count, first_free, serial, top; /* top: numbers from here were never used */
    struct map by_id;
};

bool peers_open(struct peer_table *t, uint32_t peers_max);
void peers_free(struct peer_table *t, struct parcel_pool *pool);
/* The peer with that routing id on that socket, or NULL. */
struct peer *peer_find(const struct peer_table *t, uint8_t socket, const void *id, size_t len);
/* NULL when the table is full or memory is out. `body` is its first frame: it carries the
 * properties of the connection. */
struct peer *peer_add(struct peer_table *t, uint8_t socket, enum endpoint_kind endpoint,
                      const void *id, size_t len, zmq_msg_t *body);
void peer_remove(struct peer_table *t, struct peer *p, struct parcel_pool *pool);
/* True when the frame came over the connection that the peer stands for. */
bool peer_same(const struct peer *p, zmq_msg_t *body);
/* The principal for one frame; 0 or a refusal of the frame. */
enum code peer_who(const struct peer *p, const struct frame *f, struct who *who);
/* What the principal may do with one item. all_brands: what local workers say counts for all. */
enum code peer_allow(const struct peer *p, const struct message *m, bool all_brands,
                     struct who *who);
#endif
