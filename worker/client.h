/* client.h - relais_client inside: requests under way, found again by the number of their answer.
 *
 * A request is taken back into the batch after a reconnect when repeating it is harmless;
 * otherwise it ends as RELAIS_UNCERTAIN once it may have left. */
#ifndef RELAIS_WORKER_CLIENT_H
#define RELAIS_WORKER_CLIENT_H
#include "proto/base/list.h"
#include "proto/base/map.h"
#include "worker/dealer.h"

/* Takes the answer of a call, lock held, on the dealer's thread; its result is the call's. */
typedef int take_fn(void *ret, const struct message *answer);

struct inquiry { /* one request under way */
    struct map_node by_number;
    struct node in_line;
    uint64_t number;
    bool repeatable;
    /* a call that waits */
    const struct message *message; /* borrowed from the waiting thread; NULL = asynchronous */
    take_fn *take;
    void *ret;
    bool done;
    int code;
    /* an asynchronous SUBMIT */
    relais_submitted_fn *submitted;
    void *context;
    struct buffer item; /* owned: its bytes, when it is repeatable */
};

struct completion { relais_submitted_fn *submitted; void *context; int code; uint64_t id; };

struct ended { struct ended *next; struct relais_outcome outcome; uint8_t bytes[]; };

struct relais_client {
    struct dealer dealer;
    struct contact contact;
    struct batch batch;
    uint64_t boot;
    struct map inquiries;
    struct node line, idle;    /* asynchronous ones are pooled */
    uint32_t inflight, inflight_max, waiters, idle_count;
    struct completion *completions, *running; /* owned: two arrays that take turns */
    uint32_t completion_count, completion_cap, running_cap;
    struct ended *ended, **ended_last;
    relais_outcome_fn *outcome;
    void *outcome_context;
    bool woken;
    enum code refused; /* of the contact, as the waiters were last told */
    char detail[512];
};

/* Sends m and waits for its answer. extra_ms: how long the broker itself may take. */
int client_call(struct relais_client *c, struct message *m, uint32_t extra_ms, bool repeatable,
                take_fn *take, void *ret);
/* Several of one verb at once; takes[i] gets rets + i * size. Returns the first code that is not 0;
 * the code of each goes to codes[i]. */
int client_call_many(struct relais_client *c, struct message *ms, uint32_t count, take_fn *take,
                     void *rets, size_t size, int *codes);
/* RELAIS_FULL, RELAIS_MEMORY. */
int client_submit_async(struct relais_client *c, const struct message *m,
                        relais_submitted_fn *done, void *context);
#endif
