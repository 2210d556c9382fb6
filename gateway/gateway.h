/* gateway.h - the gateway as a part of a process: `relais gateway` alone, or beside the broker
 * under `relais serve`.
 *
 *   struct gateway_setup setup = {.config = &config, .zmq = context, .broker = "inproc://…", …};
 *   struct gateway *g = gateway_start(&setup, why, sizeof why);
 *   … gateway_address(g) … gateway_stop(&g);
 *
 * It is stateless: nothing survives it, any number may run. gateway_stop ends what is under way:
 * parked waits get 503, the rest has drain_ms to finish. The context is the caller's; all sockets
 * in it are closed on return. */
#ifndef RELAIS_GATEWAY_GATEWAY_H
#define RELAIS_GATEWAY_GATEWAY_H
#include "proto/host/config.h"

struct gateway;

struct gateway_setup {
    const struct config *config; /* borrowed until gateway_stop, like the rest */
    void *zmq;
    const char *broker, *files;  /* endpoints */
    uint32_t drain_ms;
};

/* Listens and serves from its own threads. NULL with the cause in why. */
struct gateway *gateway_start(const struct gateway_setup *setup, char *why, size_t why_size);
/* "127.0.0.1:8000": where it listens, with the port that it got. */
const char *gateway_address(const struct gateway *g);
/* True once every thread has heard the broker and its keys. */
bool gateway_ready(const struct gateway *g);
void gateway_stop(struct gateway **self);
#endif
