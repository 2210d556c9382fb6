/* door.h - the listening socket, and which thread serves whom.
 *
 * Every thread waits at the socket; the one that is woken accepts a few connections and gives each
 * to the thread that has the fewest, itself included, by sending the descriptor's number through
 * that thread's pipe. At connections_max, or when no descriptor is left, it stops accepting and
 * what comes waits in the socket's backlog until door_watch is called again. */
#ifndef RELAIS_GATEWAY_DOOR_H
#define RELAIS_GATEWAY_DOOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct door;

/* Listens at HOST:PORT for `threads` threads; NULL with the cause in why. */
struct door *door_open(const char *address, uint32_t threads, uint32_t connections_max, char *why,
                       size_t why_size);
void door_close(struct door **self);
uint16_t door_port(const struct door *d);
/* The descriptor at which a thread is given connections. */
int door_pipe(const struct door *d, uint32_t thread);
/* Adds the listening socket to a thread's epoll set when it is not in it and there is room. */
void door_watch(struct door *d, uint32_t thread, int epoll, void *about);
/* Takes it out for good. */
void door_leave(struct door *d, uint32_t thread, int epoll);
/* The socket is readable. */
void door_accept(struct door *d, uint32_t thread, int epoll);
/* The next connection given to this thread; -1 = none. */
int door_take(struct door *d, uint32_t thread);
/* One that was taken has ended. */
void door_left(struct door *d, uint32_t thread);
#endif
