/* codec.h - records as bytes: what a group holds, and what the table holds as values.
 *
 * A record is [kind][length][payload]. The length is one byte, or four (little-endian) when the
 * kind carries WIDE. The payload of RECORD_TASK and RECORD_TASK_GONE begins with `was`; what
 * follows it, and the whole payload of every other kind, is the record's *value*: the same bytes
 * are the value in the table. Values of records that belong to a task begin with its id.
 *
 * Numbers are LEB128, near numbers are stored as zigzag differences (order and epoch against the
 * id, times against created_ms), absent fields cost nothing: a head is about 35 bytes.
 *
 * Decoding is bounded: every length is checked against the bytes that are left, every enum
 * against its range, and a payload must be used up exactly. Decoded slices are borrowed from the
 * input. Encoding never fails but for memory (buffer.failed). */
#ifndef RELAIS_STORE_CODEC_H
#define RELAIS_STORE_CODEC_H
#include "proto/record.h"

enum { CODEC_NAME_MAX = 1024 /* bytes of a name or key that becomes part of a table key */ };

void record_encode(struct buffer *b, const struct record *r);

/* Reads one record and moves `in` behind it. False, `in` untouched, when the bytes are none. */
bool record_decode(struct slice *in, struct record *r);

/* The outside of a record, read without decoding its value. */
struct record_outline {
    enum record_kind kind;
    struct was was;     /* TASK and TASK_GONE */
    uint64_t id;        /* kinds that belong to a task, else 0 */
    struct slice value; /* borrowed */
};
bool record_outline(struct slice *in, struct record_outline *outline);

/* Decodes a value; `was` is zero. False when it is damaged. */
bool record_decode_value(enum record_kind kind, struct slice value, struct record *r);

/* True for kinds that belong to a task: their values begin with its id. */
bool record_of_task(enum record_kind kind);

/* What places a head in its lane, from the first bytes of its value. */
struct head_place { uint8_t status, priority; uint32_t lane; uint64_t id, order; };
bool head_place(struct slice value, struct head_place *place);
#endif
