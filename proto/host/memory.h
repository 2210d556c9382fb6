/* memory.h - how this process keeps the memory that it has freed.
 *
 * What a burst needed goes back to the system: blocks from 128 KiB on when they are freed (the C
 * library would raise that bound with the first large block and keep them all from then on), small
 * ones when memory_give_back is called. Few arenas for all threads: what one has freed another
 * uses. */
#ifndef RELAIS_PROTO_HOST_MEMORY_H
#define RELAIS_PROTO_HOST_MEMORY_H

/* Once, before the first thread. */
void memory_start(void);
/* Takes up to some milliseconds, in which allocations of other threads may wait: for quiet
 * moments. */
void memory_give_back(void);
#endif
