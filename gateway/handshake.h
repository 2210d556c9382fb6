/* handshake.h - the opening handshake of a WebSocket (RFC 6455, section 4.2): what a request must
 * say, and what it is answered.
 *
 * Asked for are HTTP/1.1, `Upgrade: websocket`, a Connection that lists upgrade,
 * `Sec-WebSocket-Version: 13` and a Sec-WebSocket-Key of 16 bytes in base64, each once.
 * Extensions and subprotocols are never agreed upon. Pure. */
#ifndef RELAIS_GATEWAY_HANDSHAKE_H
#define RELAIS_GATEWAY_HANDSHAKE_H
#include "gateway/lint.h"

enum { ACCEPT_SIZE = 29 }; /* base64 of a SHA-1, NUL included */

/* CODE_OK with the value of Sec-WebSocket-Accept, or UPGRADE_REQUIRED or VALIDATION_ERROR with a
 * static sentence. */
enum code handshake_read(const struct header *headers, uint32_t count, char accept[ACCEPT_SIZE],
                         const char **ret_why);
#endif
