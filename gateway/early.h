/* early.h - answers that are written past libmicrohttpd: to requests whose head or body is
 * malformed or late, and to bodies that are refused in their middle.
 *
 * Each has the form of the dialect whose path the request has, says that the connection closes,
 * and leaves it half open for LINGER_MS, in which what the client still sends is thrown away, so
 * that it reads the answer before it sees the end. Twice what the largest body without a file has
 * is read: a client that is cut off while it sends may never read. Answers to the requests before
 * it on the connection have left when it is written. */
#ifndef RELAIS_GATEWAY_EARLY_H
#define RELAIS_GATEWAY_EARLY_H
#include "gateway/request.h"

enum { LINGER_BYTES_MAX = 8 << 20, LINGER_MS = 2000 };

/* Writes the answer of an exchange that has ended. */
void answer_early(struct request *r);
/* Answers what strain.h found malformed and whose turn has come. */
void early_settle(struct server *s);
/* Over a deadline: 408 to what was begun, else the connection just closes. */
void early_late(struct client *c);
#endif
