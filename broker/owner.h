/* owner.h - whose an upload is: only the principal that began it may go on with it. For the file
 * endpoint's thread alone; known until the upload is placed, dropped or given up. */
#ifndef RELAIS_BROKER_OWNER_H
#define RELAIS_BROKER_OWNER_H
#include "proto/base/map.h"
#include "proto/who.h"

struct owners { struct map by_id; };

/* False when memory is out; owners_close is right after that too. */
bool owners_open(struct owners *o);
void owners_close(struct owners *o);
/* False when memory is out. The id is new. */
bool owners_put(struct owners *o, uint64_t id, const struct who *who);
/* True when the upload is this principal's: the same name, role and brand. */
bool owners_match(const struct owners *o, uint64_t id, const struct who *who);
void owners_forget(struct owners *o, uint64_t id);
#endif
