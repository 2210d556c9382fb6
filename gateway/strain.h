/* strain.h - between the sockets and libmicrohttpd: every byte that it reads passes through here,
 * and every event that it waits for.
 *
 * libmicrohttpd answers malformed requests itself, with a page of its own, and reads ahead as far
 * as a client sends. So its reads are strained: this program defines recv(), which the linker
 * gives to the shared libraries too, and while strainer_begin is in force a read of a known
 * descriptor gives only what wire_scan finds sound. A head that is not whole waits in a stash of
 * its own size; what is malformed never arrives there, and its strain goes to the list of broken
 * ones for the engine to answer. Any other read is the system's.
 *
 * In the usual case, a sound request in one piece, nothing is copied and no call is added. A read
 * that gives less than it was asked for has emptied the socket, so that libmicrohttpd, which is
 * edge-triggered, misses nothing.
 *
 * Its epoll set is kept here too, by an epoll_ctl() and an epoll_wait() of this program's own: the
 * engine watches each descriptor once, from its first moment to its last, and says what it hears
 * (strain_ready). So a request that is suspended and resumed costs no call for leaving the set and
 * coming back, and a socket that is known to be empty is not read.
 *
 * Nothing passes but through here: wire.heads must have grown before a request begins, and the
 * engine refuses a request for which it has not. */
#ifndef RELAIS_GATEWAY_STRAIN_H
#define RELAIS_GATEWAY_STRAIN_H
#include "gateway/wire.h"
#include "proto/base/list.h"
#include <sys/epoll.h>

enum { STRAIN_EVENTS = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP };

struct strain { /* one connection's */
    int fd;
    bool throwing;        /* it was answered for good: what comes is thrown away */
    struct wire wire;
    struct buffer stash;  /* read, but not passed on */
    size_t sound;         /* bytes of the stash that are sound */
    uint64_t thrown;
    struct node in_broken;
    void *watcher;        /* what libmicrohttpd calls it in its epoll set; NULL = not there */
    uint32_t events;      /* that it was not told yet */
    bool readable, hung;  /* hung: the end, or an error, is there to be read */
    struct node in_due;   /* it is watched, and there are such events */
};

struct strainer; /* one thread's */

struct strainer *strainer_new(size_t memory_max);
void strainer_destroy(struct strainer **self);
/* libmicrohttpd's epoll set. */
void strainer_follow(struct strainer *s, int epoll);
/* While libmicrohttpd runs on this thread. */
void strainer_begin(struct strainer *s);
void strainer_end(void);
/* There is something to tell libmicrohttpd: it is to be run. */
bool strainer_due(const struct strainer *s);
/* The strains on whose wire something malformed came (strain.in_broken). */
struct node *strainer_broken(struct strainer *s);

/* The strain must be zero; it stays where it is until strain_close. */
void strain_open(struct strainer *s, struct strain *t, int fd);
void strain_close(struct strainer *s, struct strain *t);
/* STRAIN_EVENTS, edge-triggered, came for its descriptor. */
void strain_ready(struct strainer *s, struct strain *t, uint32_t events);
/* What is there of a head that is not whole, or of one that was refused. */
struct slice strain_rest(const struct strain *t);
/* What was sent and what still comes is thrown away; beyond a bound the connection ends. */
void strain_throw(struct strain *t);
#endif
