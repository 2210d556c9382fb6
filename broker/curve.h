/* curve.h - the ZAP handler: whose CURVE key may connect, and what it stands for.
 *
 * libzmq asks at inproc://zeromq.zap.01 once per handshake; the answer looks the key up in the
 * registry (keys.h) and attaches what it grants as properties of the connection (peer.h). A key
 * that is not registered gets 400 and no connection. One handler serves a ZeroMQ context. */
#ifndef RELAIS_BROKER_CURVE_H
#define RELAIS_BROKER_CURVE_H
#include "broker/keys.h"

struct curve;

/* Before the first bind. NULL when the context has a handler already or memory is out. */
struct curve *curve_start(void *context, const char *data);
void curve_stop(struct curve **self);
#endif
