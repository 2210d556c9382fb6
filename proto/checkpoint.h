/* checkpoint.h - rows of checkpoints, as answers carry them:
 *   [seq, epoch, time_ms, name, data, number, task, brand, flags, size, sum]
 *
 * The body of the ANSWER to CHECKPOINT_PUT and CHECKPOINT_DROP is one, without data; the rows of
 * ASK "checkpoints" are such rows one after the other, data unpacked, flags as enum
 * checkpoint_flag. size and sum are those of the data as it was given: checkpoint_whole tells
 * whether the data still is that. Slices are borrowed from the bytes. Pure. */
#ifndef RELAIS_PROTO_CHECKPOINT_H
#define RELAIS_PROTO_CHECKPOINT_H
#include "proto/message.h"

void checkpoint_row_put(struct buffer *b, const struct checkpoint_record *r);
/* The next of several; *at starts at 0. False at the end or at the first that is malformed. */
bool checkpoint_row_next(struct slice rows, uint32_t *at, struct checkpoint_record *ret);
/* True when unpacked data has the size and the sum that it was stored with. */
bool checkpoint_whole(const struct checkpoint_record *r);
#endif
