/* object.h - everything that has no behaviour in time: accounts, messages, files, documents.
 *
 * An object has a name and up to four keys, unique among the names and keys of its kind and
 * brand; a version that each PUT raises by one and that a PUT or DROP may demand; an owner, by whom
 * it is listed; a time from which on it is not there; and a file that goes with it. PUT, FETCH and
 * DROP act on the newest state and are answered when that is durable.
 *
 * An object whose time has come is absent for everybody at once; it leaves the disk when its name
 * is taken anew, or with the sweep. A file has one owner, once: a second one that names it, even
 * after the first has let go, is refused. An object of a kind of scope TASK ends with its task
 * (bond.h).
 *
 * Refusals: NOT_FOUND; CONFLICT (it exists, another version, a name or key of another, a file of
 * another), FORBIDDEN (the role, or another brand), VALIDATION_ERROR, PAYLOAD_TOO_LARGE (the kind's
 * limit), LIMIT_REACHED (objects_max), BUSY (too much is held), STORAGE_FULL. */
#ifndef RELAIS_CORE_OBJECT_H
#define RELAIS_CORE_OBJECT_H
#include "broker/core/state.h"

enum scope { SCOPE_ALL, SCOPE_BRAND, SCOPE_TASK };
enum object_number {
#define OBJECT(NAME, number, text, scope, body_max, sentence) OBJECT_##NAME = number,
#include "broker/core/object.def"
#undef OBJECT
};

/* PUT FETCH DROP */
void object_step(struct core *c, const struct event *e);
/* It goes, with its file. It must be there, or its time must have come. */
void object_leave(struct core *c, struct object *o);
/* A task has taken a file: no object may. */
void object_file_taken(struct core *c, uint64_t file);
/* True when the file is known to be somebody's; never asks. */
bool object_file_known(const struct core *c, uint64_t file);
/* The sweep met an object in the store: it goes when its time has come. True when it went. */
bool object_sweep(struct core *c, const struct object_record *r);
#endif
