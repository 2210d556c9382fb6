/* caller.h - one question after the other to the broker that runs on a data folder.
 *
 * Connects to the socket in the folder as a gateway, which only those may who can read the folder
 * (0700), and speaks for the principal it is given. For the commands that administrate, and for
 * the first start. Blocking, with a deadline; no retries: what is not answered is not known.
 *
 * The answer is borrowed until the next call. */
#ifndef RELAIS_BROKER_CALLER_H
#define RELAIS_BROKER_CALLER_H
#include "proto/host/config.h"
#include "proto/message.h"

enum { CALLER_MS = 5000 };

struct caller;

/* NULL with the cause in why: no server runs on the folder, or it does not answer. */
struct caller *caller_open(const struct config *config, const struct who *who, char *why,
                           size_t why_size);
/* The same over an endpoint of a context (borrowed); NULL context = one of its own. */
struct caller *caller_connect(void *zmq, const char *endpoint, const struct who *who, char *why,
                              size_t why_size);
void caller_close(struct caller **self);
/* The answer, or NULL when none came in time. m->number is chosen here. */
const struct message *caller_ask(struct caller *c, struct message *m);
/* The code of any answer; NULL is TIMED_OUT. */
enum code caller_code(const struct message *answer);
#endif
