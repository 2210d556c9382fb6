/* wire.h - one DEALER socket to the broker, with CURVE when there is a key.
 *
 * Each connection is a socket of its own without a routing id, so that the broker sees a fresh
 * one every time. Nothing blocks. wire_event tells that the connection came up or broke; libzmq
 * goes on connecting by itself, but what it still held for the old connection would then leave
 * before our HELLO: after WIRE_DOWN close it and open another. A transport without connections
 * (inproc) has no events.
 *
 * Limits: frames up to FRAME_BYTES_MAX are taken, larger ones close the connection. */
#ifndef RELAIS_WORKER_WIRE_H
#define RELAIS_WORKER_WIRE_H
#include "proto/base/bytes.h"

enum { WIRE_FRAME_MAX = 16 << 20, WIRE_HWM = 1000, KEY_TEXT = 41 };

struct wire;

struct wire_options {
    void *context;        /* borrowed ZeroMQ context */
    const char *endpoint; /* borrowed */
    const char *server_key, *public_key, *secret_key; /* Z85; server_key NULL or "" = no CURVE */
};

enum wire_event { WIRE_NOTHING = 0, WIRE_UP = 1, WIRE_DOWN = 2, WIRE_REJECTED = 3 };

/* NULL with errno: a malformed endpoint or key (EINVAL), or what libzmq says. */
struct wire *wire_open(const struct wire_options *options);
/* What is still to be sent gets linger_ms. */
void wire_close(struct wire **self, int linger_ms);
/* False when it does not fit now (try again when wire_wait says so) or the connection is broken. */
bool wire_send(struct wire *w, const void *data, size_t len);
/* The next frame, borrowed until the next call; false when there is none. */
bool wire_receive(struct wire *w, struct slice *frame);
enum wire_event wire_event(struct wire *w);
/* Waits for a frame, an event, room to send (when asked for), or that fd can be read; at most
 * timeout_ms, -1 = for ever. */
void wire_wait(struct wire *w, int fd, bool room, int64_t timeout_ms);
#endif
