/* wire.h - what comes over a connection, told apart: heads, bodies, chunks, trailers.
 *
 * It runs ahead of libmicrohttpd over every byte and says how many of them are sound, so that
 * nothing else ever reaches it: its own answers to malformed requests (its own page, of no
 * dialect) are never reached. A head is sound as a whole or not at all; of a body the bytes up to
 * the first wrong one. Chunks: a size of at most 15 digits, an extension of at most
 * EXTENSION_MAX bytes; trailers of at most TRAILERS_MAX bytes; every line ends in CR LF. Empty
 * lines before a request are skipped, as RFC 9112 asks.
 *
 * Behind a head that asks for a WebSocket nothing is sound: those bytes are no request.
 *
 * Pure. */
#ifndef RELAIS_GATEWAY_WIRE_H
#define RELAIS_GATEWAY_WIRE_H
#include "gateway/lint.h"

enum { EXTENSION_MAX = 256, TRAILERS_MAX = 512, TRAILER_LINES_MAX = 8 };

enum wire_state {
    WIRE_HEAD, WIRE_LENGTH,                              /* a head; a body of known length */
    WIRE_SIZE, WIRE_EXTENSION, WIRE_SIZE_LF, WIRE_CHUNK, /* a chunk: "5;x" CR LF bytes */
    WIRE_CHUNK_CR, WIRE_CHUNK_LF,                        /* CR LF */
    WIRE_TRAILER, WIRE_NAME, WIRE_VALUE, WIRE_TRAILER_LF, WIRE_LAST_LF, /* after the last chunk */
    WIRE_UPGRADED, WIRE_BROKEN                           /* nothing passes any more */
};

struct wire { /* zero at the start of a connection */
    enum wire_state state;
    bool line_passed;   /* the first line of the head at hand */
    bool in_body;       /* BROKEN: in the body of the newest head, not in a head */
    uint8_t digits, lines;
    uint32_t searched;  /* bytes of the head at hand whose lines are known to be complete */
    uint32_t extra;     /* bytes of the extension or of the trailers */
    uint64_t left;      /* of the body or the chunk */
    uint64_t heads;     /* that have passed */
    enum code code;     /* BROKEN: why */
    const char *why;    /* static; NULL = the code's own sentence */
};

/* How many of the bytes are sound. Less than len: the rest is a head that is not whole yet (WIRE_
 * HEAD: pass it again, with what follows it), or nothing that may pass. */
size_t wire_scan(struct wire *w, size_t memory_max, const uint8_t *data, size_t len);
#endif
