#include "gateway/hasher.h"
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct hasher {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct hash_job *first, **last;
    uint32_t waiting;
    bool stopping;
    char nobody[ACCOUNT_HASH_SIZE]; /* what unknown users are compared with */
};

/* ---- jobs and boxes ---- */

struct hash_job *hash_job_new(struct hash_box *box, void *owner, struct slice password,
                              const char *stored) {
    struct hash_job *job = calloc(1, sizeof *job + password.len);
    if (job == NULL) abort();
    job->box = box;
    job->owner = owner;
    job->make = stored == NULL;
    job->len = password.len;
    if (password.len > 0) memcpy(job->password, password.data, password.len);
    if (stored != NULL) snprintf(job->text, sizeof job->text, "%s", stored);
    return job;
}

void hash_job_free(struct hash_job **self) {
    if (*self == NULL) return;
    sodium_memzero(*self, sizeof **self + (*self)->len);
    free(*self);
    *self = NULL;
}

bool hash_box_open(struct hash_box *box) {
    *box = (struct hash_box){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    return box->fd >= 0 && pthread_mutex_init(&box->lock, NULL) == 0;
}

void hash_box_close(struct hash_box *box) {
    if (box->fd < 0) return;
    for (struct hash_job *job; (job = hash_box_take(box)) != NULL;) hash_job_free(&job);
    pthread_mutex_destroy(&box->lock);
    close(box->fd);
    box->fd = -1;
}

struct hash_job *hash_box_take(struct hash_box *box) {
    uint64_t count;
    pthread_mutex_lock(&box->lock);
    struct hash_job *job = box->done;
    if (job != NULL) box->done = job->next;
    /* the descriptor stays readable while something lies here */
    if (box->done == NULL && read(box->fd, &count, sizeof count) < 0) count = 0;
    pthread_mutex_unlock(&box->lock);
    return job;
}

static void box_put(struct hash_job *job) {
    struct hash_box *box = job->box;
    const uint64_t one = 1;
    pthread_mutex_lock(&box->lock);
    job->next = box->done;
    box->done = job;
    /* it cannot fail but for a counter that is full, and then it is readable already */
    if (write(box->fd, &one, sizeof one) < 0) box->done = job;
    pthread_mutex_unlock(&box->lock);
}

/* ---- the thread ---- */

/* A text of the same cost that no password fits: what an unknown user is compared with. */
static void nobody_make(struct hasher *h) {
    enum { SALT = crypto_pwhash_SALTBYTES, HASH = 32 };
    uint8_t bytes[SALT + HASH];
    char salt[2 * SALT], hash[2 * HASH];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(salt, sizeof salt, bytes, SALT, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    sodium_bin2base64(hash, sizeof hash, bytes + SALT, HASH,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    snprintf(h->nobody, sizeof h->nobody, "$argon2id$v=19$m=%u,t=%u,p=1$%s$%s",
             (unsigned)crypto_pwhash_MEMLIMIT_INTERACTIVE / 1024,
             (unsigned)crypto_pwhash_OPSLIMIT_INTERACTIVE, salt, hash);
    assert(crypto_pwhash_str_needs_rehash(h->nobody, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                          crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0);
}

static void job_run(struct hasher *h, struct hash_job *job) {
    if (job->make) {
        job->good = crypto_pwhash_str(job->text, job->password, job->len,
                                      crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                      crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0;
    } else {
        const bool known = job->text[0] != 0;
        const bool equal = crypto_pwhash_str_verify(known ? job->text : h->nobody, job->password,
                                                    job->len) == 0;
        job->good = known && equal;
    }
    sodium_memzero(job->password, job->len);
}

static void *hasher_main(void *context) {
    struct hasher *h = context;
    pthread_mutex_lock(&h->lock);
    while (!h->stopping || h->first != NULL) {
        struct hash_job *job = h->first;
        if (job == NULL) {
            pthread_cond_wait(&h->news, &h->lock);
            continue;
        }
        const bool run = !h->stopping;
        h->first = job->next;
        if (h->first == NULL) h->last = &h->first;
        h->waiting--;
        pthread_mutex_unlock(&h->lock);
        if (run) job_run(h, job);
        box_put(job);
        pthread_mutex_lock(&h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

struct hasher *hasher_new(char *why, size_t why_size) {
    struct hasher *h = calloc(1, sizeof *h);
    if (h == NULL) abort();
    h->last = &h->first;
    nobody_make(h);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->news, NULL);
    if (pthread_create(&h->thread, NULL, hasher_main, h) == 0) {
        pthread_setname_np(h->thread, "hasher");
        return h;
    }
    snprintf(why, why_size, "the thread for passwords cannot start");
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->news);
    free(h);
    return NULL;
}

void hasher_destroy(struct hasher **self) {
    struct hasher *h = *self;
    if (h == NULL) return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_cond_signal(&h->news);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->news);
    free(h);
    *self = NULL;
}

bool hasher_put(struct hasher *h, struct hash_job *job) {
    pthread_mutex_lock(&h->lock);
    const bool taken = h->waiting < HASH_WAITING_MAX && !h->stopping;
    if (taken) {
        *h->last = job;
        h->last = &job->next;
        job->next = NULL;
        h->waiting++;
        pthread_cond_signal(&h->news);
    }
    pthread_mutex_unlock(&h->lock);
    return taken;
}
