/* journal.h - groups on disk, in order, before anything they acknowledge is said.
 *
 * Segments are files of one size in one folder, filled with zeros when they are made and used
 * again once the table holds their groups, so that a sync touches data only. A segment begins with
 * a header block: its place in the chain, where the segment before it ended, the group that replay
 * must start from. Then frames: length, crc32c, group, incarnation, records. The incarnation is
 * new at each open and partly random, so that neither an old frame nor bytes that a client sent
 * pass for a frame of this segment. LAYOUT.md shows the bytes.
 *
 * Recovery: frames are read in order until one does not hold. In the newest segment that is the
 * torn tail of a write that was never acknowledged, and is cut, unless a frame that holds lies
 * behind it: then the journal is damaged and is refused. In an older segment the frames must reach
 * exactly where the next header says they ended. Every open begins a new segment.
 *
 * Threads: append by one thread; trim and prepare by another; stats and newest by any.
 *
 * DIAGNOSTICS: `why` names the file and the offset. After a failed append nothing more can be
 * appended. */
#ifndef RELAIS_STORE_JOURNAL_H
#define RELAIS_STORE_JOURNAL_H
#include "proto/base/bytes.h"

enum { GROUP_BYTES_MAX = 1 << 30 };

struct journal;
struct journal_options {
    const char *folder;     /* made when absent */
    uint64_t segment_bytes; /* a multiple of 4096, at least 64 KiB */
    bool read_only;
};

/* Opens the journal behind a table that holds every group up to `reached`. Owned by the caller. */
struct journal *journal_open(const struct journal_options *options, uint64_t reached, char *why,
                             size_t why_size);
void journal_close(struct journal **self);

/* Gives every group after `reached` in order; then the journal is ready for appends. The records
 * are borrowed for the call. False: damaged, or `taken` said no. */
typedef bool journal_taken(void *context, uint64_t group, struct slice records);
bool journal_replay(struct journal *j, journal_taken *taken, void *context, char *why,
                    size_t why_size);

/* Durable when true. `group` is higher than any before. */
bool journal_append(struct journal *j, uint64_t group, struct slice records, char *why,
                    size_t why_size);
uint64_t journal_newest(const struct journal *j); /* group; 0 = none */

/* The table has put every group up to `reached` on disk: segments without a later one are free. */
void journal_trim(struct journal *j, uint64_t reached);
/* Sees to it that a free segment is ready, so that append need not make one. False: it cannot be
 * made; append will try again, and say why. */
bool journal_prepare(struct journal *j);

struct journal_stats { uint64_t segments, spare, bytes, cut_bytes; }; /* bytes: appended */
void journal_stats(struct journal *j, struct journal_stats *stats);
#endif
