/* broker.h - a broker in this process: everything from the data folder to the sockets.
 *
 * broker_open makes what is missing in the data folder, opens and restores the store, and only
 * then binds: whoever can connect is served. broker_run is the loop; broker_stop, from any thread,
 * ends it; broker_close lets what is in flight become durable and leave.
 *
 * Endpoints: `listen` (tcp), the socket in the data folder for gateways, and under serve one
 * within the process. Each has a file endpoint beside it.
 *
 * DIAGNOSTICS: broker_open says in one line why it cannot: the folder is in use, the store is
 * damaged (which file), an address is taken. */
#ifndef RELAIS_BROKER_BROKER_H
#define RELAIS_BROKER_BROKER_H
#include "proto/host/config.h"
#include <stdbool.h>
#include <stddef.h>

#define BROKER_INPROC "inproc://relais"

struct broker;

struct broker_setup {
    const struct config *config; /* borrowed; sections BASE and BROKER are read */
    bool serve;  /* with a gateway in this process; local workers serve all brands */
    int stop_fd; /* readable = end; -1 = none */
};

/* NULL with the cause in why. */
struct broker *broker_open(const struct broker_setup *setup, char *why, size_t why_size);
/* Runs until stop_fd is readable or broker_stop was called. */
void broker_run(struct broker *b);
void broker_stop(struct broker *b);
/* Ends within drain_ms and a moment. */
void broker_close(struct broker **self);
/* Where clients and workers connect, as bound. */
const char *broker_native(const struct broker *b);
/* The ZeroMQ context that the inproc endpoints live in. */
void *broker_context(const struct broker *b);
#endif
