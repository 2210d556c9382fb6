/* object.h - rows of objects and of events, as answers carry them.
 *
 *   object  [id, kind, brand, name, body, created_ms, updated_ms, version, owner, until_ms, file,
 *            file_size, file_name, file_mime, file_hash, ticket]
 *   event   [seq, time_ms, topic, key, data]
 *
 * The body of the ANSWER to PUT, FETCH and DROP is one object; the rows of ASK "objects" are
 * objects one after the other, those of FEED events. kind is the number of broker/core/object.def.
 * A ticket reads the file (FILE_READ). Readers are bounded; slices are borrowed from the bytes.
 * More elements than these are passed over. Pure. */
#ifndef RELAIS_PROTO_OBJECT_H
#define RELAIS_PROTO_OBJECT_H
#include "proto/message.h"

struct object_row {
    uint64_t id;
    uint8_t kind;
    uint32_t brand, version;
    int64_t created_ms, updated_ms, until_ms; /* until_ms 0 = for ever */
    struct slice name, body, owner;
    uint64_t file, file_size, ticket;         /* file 0 = none */
    struct slice file_name, file_mime, file_hash; /* hash: 32 bytes or none */
};

struct feed_row {
    uint64_t seq;
    int64_t time_ms;
    struct slice topic, key, data;
};

/* The row of a record; its ticket is 0. */
struct object_row object_row_of(const struct object_record *o);
void object_row_put(struct buffer *b, const struct object_row *row);
/* One object that fills `body` exactly; false, and *ret untouched, when it is none. */
bool object_row_read(struct slice body, struct object_row *ret);
/* The next of several; *at starts at 0. False at the end or at the first that is malformed. */
bool object_row_next(struct slice rows, uint32_t *at, struct object_row *ret);

/* The body of FILE_LINK's ANSWER: [id, size, sha256]. False when it is none. */
bool file_link_read(struct slice body, uint64_t *id, uint64_t *size, struct slice *hash);

void feed_row_put(struct buffer *b, const struct feed_row *row);
bool feed_row_next(struct slice rows, uint32_t *at, struct feed_row *ret);
/* `next` of a FEED's ROWS: what `after` of the following FEED must be. 0 when it is none. */
void feed_next_put(struct buffer *b, uint64_t seq);
uint64_t feed_next_read(struct slice next);
#endif
