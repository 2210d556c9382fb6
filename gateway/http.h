/* http.h - the threads that serve HTTP: sockets, libmicrohttpd, and the loop around them.
 *
 * Each thread has its own epoll set with libmicrohttpd's descriptor, the link's two and a wake-up
 * in it; connections come through the door (door.h), which evens them out between the threads.
 * What libmicrohttpd reads of them is strained first (strain.h). They are watched from their first
 * moment on, also while a request is suspended: libmicrohttpd would not notice a hang-up then.
 *
 * Deadlines, looked at every TICK_MS: header_ms for a head from its first byte (from the accept
 * for the first one), idle_ms between requests, request_ms or upload_ms for a body, request_ms for
 * taking an answer. A body, and a file that is sent, must reach body_rate_min over every header_ms
 * (time that we kept the peer waiting does not count). Over one of them the connection is closed,
 * with a 408 in the form of the dialect when a request was begun and not answered (early.h).
 *
 * A refusal in the middle of a large body is written at once and the rest of the body thrown away
 * for a moment, so that the client can read it before it sees the connection close. */
#ifndef RELAIS_GATEWAY_HTTP_H
#define RELAIS_GATEWAY_HTTP_H
#include "gateway/request.h"

enum { DRAIN_BYTES_MAX = 256 << 10 };

/* Opens daemon and epoll set of a filled server. False with the cause in why. */
bool http_open(struct server *s, int stop_fd, char *why, size_t why_size);
/* Serves until stop_fd is readable; then ends what is under way within drain_ms. */
void http_run(struct server *s, uint32_t drain_ms);
void http_close(struct server *s);
/* The socket of this request is done: its connection ends. */
void http_socket_end(struct request *r, void *handle);
/* "Not Found" for 404. */
const char *http_reason(int status);
#endif
