/* cache.h - objects held in memory: what is here is the truth, what is not is asked for.
 *
 * An object is found by its number or by any of its names; that something is not there is held
 * too, as an object that is gone. All names of an object come and go with it. Files that objects
 * own stand beside them, as objects of the kind FILE_HELD.
 *
 * A load shows the store as of an earlier group: memory wins over it. What changed therefore stays
 * until its group is closed and every load that was asked for before is answered, and what a load
 * brought until those are that were out beside it: an event that waits for several keys finds all
 * of them in the end. Beyond that the least recently used leave when object_cache_bytes is passed;
 * at twice that much nothing more is asked for: BUSY. */
#ifndef RELAIS_CORE_CACHE_H
#define RELAIS_CORE_CACHE_H
#include "broker/core/park.h"

enum { FILE_HELD = 0 }; /* no kind of object.def has this number */

/* The object behind need's key or id; HELD also when it is gone. ASKED: e has been parked. */
enum found cache_find(struct core *c, const struct event *e, const struct need *need,
                      struct object **o);
/* The one behind need's key, there or not; NULL when that is not known. Never asks. */
struct object *cache_named(struct core *c, const struct need *need);
/* The one with this number, when it is held; never asks. */
struct object *cache_held(const struct core *c, uint8_t kind, uint64_t id);
/* EVENT_LOADED of NEED_OBJECT and NEED_FILE. */
void cache_loaded(struct core *c, const struct event *e);
/* Holds what was read; memory wins. The object as it now stands. */
struct object *cache_adopt(struct core *c, const struct object_record *record);
/* A new object, without any name yet. */
struct object *cache_new(struct core *c, uint8_t kind, uint64_t id);
/* Says that o is now as in `record` (copied), under those names. */
void cache_set(struct core *c, struct object *o, const struct object_record *record);
/* Says that o is not there any more. */
void cache_drop(struct core *c, struct object *o);
/* True when too much is held already. */
bool cache_full(const struct core *c);
/* At the start of each step: those leave that nobody needs. */
void cache_trim(struct core *c);
/* The records of what changed since the last close. */
void cache_close(struct core *c);
void cache_free(struct core *c);
#endif
