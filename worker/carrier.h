/* carrier.h - moves task files while the worker's own loop goes on.
 *
 * One thread, one connection to the file endpoint (opened when it is first needed), transfers in
 * the order they were asked for. A file that still grows is fetched until it has ended, a little
 * at a time, so that others have their turns between.
 * A load belongs to the caller; it must stay alive, and its
 * descriptor open, from carrier_ask until carrier_next hands it back. */
#ifndef RELAIS_WORKER_CARRIER_H
#define RELAIS_WORKER_CARRIER_H
#include "worker/relais.h"
#include <stdatomic.h>

struct load {
    bool up;                 /* to the broker; else from it */
    int fd;                  /* read from, or written to */
    uint64_t file, ticket;   /* down: which */
    bool grows;              /* down: it may not be whole yet */
    atomic_bool given_up;    /* a growing one is not waited for any longer */
    uint64_t have;           /* the carrier's own: bytes of a growing one */
    const char *name, *mime; /* up */
    int code;                /* when it is handed back */
    struct relais_file sent; /* up */
    struct load *next;       /* the carrier's own */
};

struct carrier;

/* link is borrowed for the carrier's life. NULL with errno. */
struct carrier *carrier_open(const struct relais_link *link);
/* Waits for the transfer that runs and gives the others up. */
void carrier_close(struct carrier **self);
void carrier_ask(struct carrier *c, struct load *load);
/* Readable while carrier_next would give one. */
int carrier_fd(const struct carrier *c);
/* A finished load, or NULL. */
struct load *carrier_next(struct carrier *c);
#endif
