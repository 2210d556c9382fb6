/* hasher.h - passwords through argon2id, on one thread of the process.
 *
 * A password takes tens of milliseconds and 64 MB: it never runs on a thread that serves. One job
 * runs, HASH_WAITING_MAX wait, more are refused, so that neither memory nor the processor can be
 * taken by those who guess. A job without a stored text (the user is not known, or has no
 * password) costs the same time and ends in false.
 *
 *   struct hash_job *job = hash_job_new(box, owner, password, stored);
 *   if (!hasher_put(hasher, job)) … refuse …       box->fd becomes readable when one is done:
 *   for (job = hash_box_take(box); job != NULL; …)  … job->good, job->text … hash_job_free(&job)
 *
 * Threads: a box belongs to the thread that takes from it; hasher_put may be called by any. */
#ifndef RELAIS_GATEWAY_HASHER_H
#define RELAIS_GATEWAY_HASHER_H
#include "proto/account.h"
#include <pthread.h>

enum { HASH_WAITING_MAX = 2 };

struct hash_box { /* where one thread's finished jobs lie */
    pthread_mutex_t lock;
    struct hash_job *done;
    int fd; /* eventfd */
};

struct hash_job {
    struct hash_job *next;
    struct hash_box *box;
    void *owner;                  /* of the box's thread; NULL = nobody waits any more */
    void (*then)(void);           /* the owner's own: cast back before use */
    bool make;                    /* make a text; else compare with it */
    bool good;
    char text[ACCOUNT_HASH_SIZE]; /* stored, or made */
    size_t len;
    char password[];              /* wiped once it was used */
};

struct hasher;

/* Starts the thread. NULL with the cause in why. */
struct hasher *hasher_new(char *why, size_t why_size);
/* Ends the thread after the job at hand; those that wait end as not good. */
void hasher_destroy(struct hasher **self);
/* Takes the job; false when too many wait, and the job is still the caller's. */
bool hasher_put(struct hasher *h, struct hash_job *job);

/* stored: text to compare with, "" = there is none; NULL = make one. */
struct hash_job *hash_job_new(struct hash_box *box, void *owner, struct slice password,
                              const char *stored);
void hash_job_free(struct hash_job **self);

bool hash_box_open(struct hash_box *box);
void hash_box_close(struct hash_box *box);
/* One finished job, NULL = none: owned by the caller. */
struct hash_job *hash_box_take(struct hash_box *box);
#endif
