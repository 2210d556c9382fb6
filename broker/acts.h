/* acts.h - administrative acts between their frame and their answer.
 *
 * Noted are PUT and DROP of the kinds that govern who may do what, and settings of queues. When
 * the core answers one it goes into the audit log with its outcome; a revocation that was taken is
 * also said to every gateway, in the same group and before the answer: whoever hears that
 * a token is revoked finds it revoked. What the gateways do for themselves (logins, first sight of
 * a name) is no act of anybody's and is not in the log.
 *
 * At start, once a minute and when one was taken back the revocations are read from the store as a
 * whole: that lets the expired ones go. No gateway gets its keyring before the first time.
 *
 * Limits: ACTS_MAX wait for an answer; beyond that the oldest is logged as of unknown outcome. */
#ifndef RELAIS_BROKER_ACTS_H
#define RELAIS_BROKER_ACTS_H
#include "broker/audit.h"
#include "broker/keys.h"

enum { ACTS_MAX = 1024, PEER_SHELL = INT32_MAX, REVOKED_READ_MS = 60000, REVOKED_AGAIN_MS = 200 };

struct noted {
    uint32_t peer;
    uint64_t number;
    struct act act;
    bool audited, revokes, unrevokes;
    int64_t before_s;
};

struct acts {
    struct audit *audit;
    struct noted *list; /* ACTS_MAX, the oldest first */
    uint32_t count;
    struct keyring reading; /* revocations that have come so far */
    struct keyring since;   /* those that were taken meanwhile */
    struct buffer cursor;
    bool asking, stale, known; /* known: read once since the start */
    uint64_t stale_group;      /* the group that must be durable before they are read */
    int64_t read_at_ms;        /* when they are read again, by themselves */
};

bool acts_open(struct acts *a, const struct audit_options *audit, char *why, size_t why_size);
void acts_close(struct acts *a);
/* The store failed: no answer will come, and what is revoked must be read anew. */
void acts_forget(struct acts *a, int64_t wall_ms);
#endif
