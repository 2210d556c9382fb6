/* registry.h - what the store has recorded of a file, for the file endpoint's thread.
 *
 * It reads through the broker's writer while there is one: registry_serve lends it and takes it
 * back, and waits for a read under way. Threads: any. */
#ifndef RELAIS_BROKER_REGISTRY_H
#define RELAIS_BROKER_REGISTRY_H
#include "broker/writer.h"

struct registry {
    pthread_mutex_t lock;
    struct writer *writer; /* borrowed; NULL = none now */
};

void registry_open(struct registry *r);
void registry_close(struct registry *r);
/* From now on reads go through this writer; NULL = none. */
void registry_serve(struct registry *r, struct writer *writer);
/* The SHA-256 that the file's record has. False when there is no record or it cannot be read. */
bool registry_hash(struct registry *r, uint64_t file, uint8_t ret_hash[32]);
#endif
