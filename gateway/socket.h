/* socket.h - WebSockets: the frames between an exchange's calls (exchange.h, "sockets") and the
 * connection that libmicrohttpd has handed over.
 *
 * The frames are libwslay's. What is sent is queued at once and leaves at the end of the turn
 * (sockets_flush); what came is read up to READ_MAX bytes a turn, so that one peer cannot keep a
 * thread for itself. Masking, reserved bits, opcodes, fragments, control frames, UTF-8 and the
 * bound of a message are libwslay's checks, and it answers pings and the peer's close. Nothing is
 * called from within a call of the exchange.
 *
 * Bounds: sockets_max sockets, a message of message_max bytes in
 * FRAGMENTS_MAX fragments, BEHIND_MAX bytes and QUEUED_MAX
 * frames unsent; after a close has begun CLOSE_MS for its end. */
#ifndef RELAIS_GATEWAY_SOCKET_H
#define RELAIS_GATEWAY_SOCKET_H
#include "gateway/request.h"

/* Bytes that the peer has not taken yet. */
size_t socket_behind(const struct request *r);
/* libmicrohttpd has sent the 101 and given the connection away. `early` is what came behind the
 * request. */
void socket_opened(struct request *r, void *handle, struct slice early);
/* Something happened on its descriptor. */
void socket_event(struct request *r);
/* Reads and writes for those that were used since. True when some of them are not done. */
bool sockets_flush(struct server *s);
void socket_tick(struct request *r);
/* A refusal, or the end, of an exchange that is a socket. */
void socket_refuse(struct request *r, enum code code, const char *text);
void socket_finish(struct request *r);
/* The connection is no more, whatever was going on. */
void socket_gone(struct request *r);
#endif
