#include "worker/carrier.h"
#include "worker/descriptor.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PIECE_BYTES = 256 << 10, GROW_MS = 200 /* others wait so long for their turn */ };

struct carrier {
    const struct relais_link *link;
    struct relais_files *files; /* the thread's own */
    pthread_t thread;
    pthread_mutex_t lock; /* all that follows */
    pthread_cond_t asked;
    struct load *waiting, **waiting_end;
    struct load *finished, **finished_end;
    bool closing;
    int event; /* counts what is finished */
    uint8_t piece[PIECE_BYTES]; /* the thread's own */
};

static void put(struct load ***end, struct load *load) {
    load->next = NULL;
    **end = load;
    *end = &load->next;
}

static struct load *get(struct load **first, struct load ***end) {
    struct load *load = *first;
    if (load) *first = load->next;
    if (!*first) *end = first;
    return load;
}

/* The next piece of a growing file; true when nothing more is to come. */
static bool grow(struct carrier *c, struct load *load) {
    size_t len = 0;
    bool end = false;
    load->code = relais_read(c->files, load->file, load->ticket, load->have, c->piece,
                             sizeof c->piece, GROW_MS, &len, &end);
    if (load->code == RELAIS_TIMEOUT) { /* it is quiet */
        load->code = RELAIS_OK;
        return atomic_load(&load->given_up);
    }
    if (load->code == RELAIS_OK && !descriptor_write(load->fd, c->piece, len))
        load->code = RELAIS_SYSTEM;
    load->have += len;
    return load->code != RELAIS_OK || end || atomic_load(&load->given_up);
}

/* True when the load is done with. */
static bool carry(struct carrier *c, struct load *load) {
    load->code = RELAIS_OK;
    if (!c->files) load->code = relais_files_open(&c->files, c->link);
    if (load->code != RELAIS_OK) return true;
    if (load->grows) return grow(c, load);
    load->code = load->up
        ? relais_upload(c->files, load->fd, load->name, load->mime, &load->sent)
        : relais_download(c->files, load->file, load->ticket, load->fd, NULL);
    return true;
}

static void *carrier_thread(void *argument) {
    struct carrier *c = argument;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->waiting && !c->closing) pthread_cond_wait(&c->asked, &c->lock);
        if (c->closing) break;
        struct load *load = get(&c->waiting, &c->waiting_end);
        pthread_mutex_unlock(&c->lock);
        const bool done = carry(c, load);
        pthread_mutex_lock(&c->lock);
        put(done ? &c->finished_end : &c->waiting_end, load);
        if (done) eventfd_write(c->event, 1);
    }
    pthread_mutex_unlock(&c->lock);
    relais_files_close(&c->files);
    return NULL;
}

struct carrier *carrier_open(const struct relais_link *link) {
    struct carrier *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    *c = (struct carrier){.link = link, .lock = PTHREAD_MUTEX_INITIALIZER,
                          .asked = PTHREAD_COND_INITIALIZER};
    c->waiting_end = &c->waiting;
    c->finished_end = &c->finished;
    c->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    int error = c->event < 0 ? errno : pthread_create(&c->thread, NULL, carrier_thread, c);
    if (!error) return c;
    if (c->event >= 0) close(c->event);
    free(c);
    errno = error;
    return NULL;
}

void carrier_close(struct carrier **self) {
    struct carrier *c = *self;
    if (!c) return;
    *self = NULL;
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_signal(&c->asked);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    close(c->event);
    pthread_cond_destroy(&c->asked);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void carrier_ask(struct carrier *c, struct load *load) {
    pthread_mutex_lock(&c->lock);
    put(&c->waiting_end, load);
    pthread_cond_signal(&c->asked);
    pthread_mutex_unlock(&c->lock);
}

int carrier_fd(const struct carrier *c) { return c->event; }

struct load *carrier_next(struct carrier *c) {
    eventfd_t one;
    if (eventfd_read(c->event, &one) < 0) return NULL;
    pthread_mutex_lock(&c->lock);
    struct load *load = get(&c->finished, &c->finished_end);
    pthread_mutex_unlock(&c->lock);
    return load;
}
