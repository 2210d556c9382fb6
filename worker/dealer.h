/* dealer.h - the thread behind a client or a worker: its socket, its beats, its reconnects.
 *
 * The owner's state lies under dealer->lock; the functions of dealer_owner are called with it
 * held. Program threads put into the owner's batch under the lock and call dealer_poke; the
 * thread sends whatever waits, one frame per verb, and hands in whatever comes. */
#ifndef RELAIS_WORKER_DEALER_H
#define RELAIS_WORKER_DEALER_H
#include "worker/batch.h"
#include "worker/contact.h"
#include "worker/relais.h"
#include "worker/wire.h"
#include <pthread.h>

enum { ENDPOINT_MAX = 256, NAME_MAX_BYTES = 63, BATCH_MAX = 256, TIMEOUT_MS = 10000 };

/* A struct relais_link, copied and with its defaults filled in. */
struct address {
    char endpoint[ENDPOINT_MAX], files[ENDPOINT_MAX], name[NAME_MAX_BYTES + 1];
    char server_key[KEY_TEXT], public_key[KEY_TEXT], secret_key[KEY_TEXT];
    uint32_t brand, timeout_ms, batch_max;
    void *context; /* borrowed; NULL = none given */
};
/* RELAIS_ARGUMENT when a text is too long or a key has not 40 characters. */
int address_read(struct address *a, const struct relais_link *link);
struct wire *address_open(const struct address *a, void *context, bool files);

struct dealer_owner {
    void *self;
    struct contact *contact; /* owned by the owner */
    struct batch *batch;
    /* As session_due, session_hello, session_down, session_message, session_wake_ms. */
    enum contact_due (*due)(void *self, int64_t now_ms, uint64_t *number);
    void (*hello)(void *self, struct message *hello, struct buffer *held);
    void (*down)(void *self, int64_t now_ms);
    void (*message)(void *self, const struct message *m, int64_t now_ms);
    int64_t (*wake)(void *self);
    void (*round)(void *self, int64_t now_ms); /* at the end of each round: wakes who waits */
};

struct dealer {
    pthread_mutex_t lock;
    pthread_cond_t changed;  /* on the monotonic clock; broadcast by the owner */
    struct address address;
    struct dealer_owner owner;
    pthread_t thread;
    void *context;           /* ZeroMQ's; owned when it was not given */
    int wake_fd;             /* eventfd */
    bool started, asleep, ending;
    /* the thread's own */
    struct wire *wire;
    struct batch out;        /* taken, not yet in frames */
    struct buffer frame;     /* the frame that is being sent */
    bool blocked;            /* libzmq did not take it yet */
};

/* RELAIS_ARGUMENT, RELAIS_SYSTEM. The thread starts with dealer_start. */
int dealer_init(struct dealer *d, const struct relais_link *link);
int dealer_start(struct dealer *d, const struct dealer_owner *owner);
/* Sends what waits, says BYE, ends the thread and frees. */
void dealer_end(struct dealer *d);
/* Lock held: something was put into the batch. */
void dealer_poke(struct dealer *d);
/* May be called from a signal handler, without the lock. */
void dealer_wake(struct dealer *d);
/* Lock held: waits for `changed` until the time; false when it is over. deadline_ms INT64_MAX =
 * for ever. */
bool dealer_wait(struct dealer *d, int64_t deadline_ms);
/* now + timeout, UINT32_MAX = never. */
int64_t deadline_of(uint32_t timeout_ms);
#endif
