/* agent.h - the workers of dialect 000: what is stored of one.
 *
 * A worker is an object of kind "agent" of the installation: its name is its cuid, which is also
 * the `sub` of its JWTs; its owner is its brand, in decimal; its one key is "t:" and the keyed hash
 * of its newest registration token, under which a worker that registers is found. The body is a
 * JSON object with the members of struct agent.
 *
 * A registration token is a random UUID. It is accepted once, within registration_ms: the worker's
 * version decides which of two is first. Registering opens an incarnation, `boot`; a new
 * registration token closes it: the JWTs of another incarnation get no more tasks, though what
 * they hold they may finish. A refresh token is CUID.HEX, a keyed hash of the incarnation and of
 * the number of refreshes so far: nothing of it needs to be stored. */
#ifndef RELAIS_GATEWAY_DIALECT_QALPUCH_AGENT_H
#define RELAIS_GATEWAY_DIALECT_QALPUCH_AGENT_H
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "proto/object.h"

enum { AGENT_GONE_MS = 120000 };

struct capabilities { struct slice *list; uint32_t count; }; /* of the exchange's memory */

struct agent {
    struct slice id; /* its cuid */
    uint32_t brand, version;
    int64_t created_ms, updated_ms;
    /* the body */
    struct slice name;
    struct capabilities capabilities;
    int64_t token_until_ms;    /* of the registration token */
    int64_t registered_ms;     /* 0 = the newest token was not used yet */
    struct slice registered_by; /* hash of the Idempotency-Key it was used with */
    uint64_t boot;             /* 0 = not registered */
    uint32_t refreshes;
    int64_t issued_s;          /* of the newest JWT */
    int64_t seen_ms;
    struct slice said;         /* status in the newest heartbeat; empty = none */
    double load;               /* the same; below 0 = none */
};

bool capabilities_have(const struct capabilities *l, struct slice word);
/* False when the object is not one of ours. What it holds lives as long as the exchange. */
bool agent_of(struct exchange *x, const struct object_row *row, struct agent *ret);
/* True when the answer is a worker of the acting brand, else refuses as not found. */
bool agent_taken(struct exchange *x, const struct message *answer, struct agent *ret);
/* True when it was heard within AGENT_GONE_MS and did not say that it goes. */
bool agent_here(const struct exchange *x, const struct agent *a);
/* FETCH of the worker with this name or key, as the house. */
void agent_fetch(struct exchange *x, struct slice name, exchange_then *then);
/* Stores it; with a version only when nobody did meanwhile: else `then` gets CONFLICT. A key of
 * NULL keeps the one it has. */
void agent_store(struct exchange *x, const struct agent *a, const char *key, enum put_mode mode,
                 exchange_then *then);
/* "t:" and the hash of a registration token. */
const char *agent_key(struct exchange *x, struct slice token);

typedef void agent_then(struct exchange *x, const struct capabilities *capabilities);
/* The calling worker was heard: notes it, at most twice a minute, and goes on with what it can do.
 * A worker that was deleted or registered anew is refused. */
void agent_seen(struct exchange *x, agent_then *then);
#endif
