#include "worker/dealer.h"
#include "proto/host/clock.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

enum { ROUND_FRAMES = 64, LINGER_MS = 1000, REOPEN_FAILED_MS = 1000 };

/* ---- where the broker is ---- */

static bool text_copy(char *to, size_t size, const char *from) {
    return (size_t)snprintf(to, size, "%s", from ? from : "") < size;
}

/* The file endpoint beside an endpoint: the next port, or for a path the name with -files. */
static bool files_beside(char *files, size_t size, const char *endpoint) {
    const char *colon = strrchr(endpoint, ':');
    char *end;
    if (strncmp(endpoint, "tcp://", 6) != 0 || !colon || colon < endpoint + 6)
        return (size_t)snprintf(files, size, "%s-files", endpoint) < size;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || port == 0 || port > 65534) return false;
    return (size_t)snprintf(files, size, "%.*s:%lu", (int)(colon - endpoint), endpoint,
                            port + 1) < size;
}

static void name_default(char *name, size_t size) {
    char host[40] = "";
    gethostname(host, sizeof host - 1);
    snprintf(name, size, "%s-%ld", host, (long)getpid());
}

static bool key_copy(char *to, const char *key) {
    return text_copy(to, KEY_TEXT, key) && (!*to || strlen(to) == KEY_TEXT - 1);
}

int address_read(struct address *r, const struct relais_link *link) {
    const char *endpoint = link->endpoint && *link->endpoint ? link->endpoint
                                                             : getenv("RELAIS_BROKER");
    if (!endpoint || !*endpoint) endpoint = "tcp://127.0.0.1:5555";
    *r = (struct address){.brand = link->brand, .context = link->zmq_context};
    r->timeout_ms = link->timeout_ms ? link->timeout_ms : TIMEOUT_MS;
    r->batch_max = link->batch_max ? link->batch_max : BATCH_MAX;
    bool ok = text_copy(r->endpoint, sizeof r->endpoint, endpoint) && r->batch_max <= BATCH_MAX &&
              key_copy(r->server_key, link->server_key) &&
              key_copy(r->public_key, link->public_key) &&
              key_copy(r->secret_key, link->secret_key) && !*r->public_key == !*r->secret_key;
    if (!ok) return RELAIS_ARGUMENT;
    if (link->files && *link->files) ok = text_copy(r->files, sizeof r->files, link->files);
    else ok = files_beside(r->files, sizeof r->files, endpoint);
    if (link->name && *link->name) ok = ok && text_copy(r->name, sizeof r->name, link->name);
    else name_default(r->name, sizeof r->name);
    return ok ? RELAIS_OK : RELAIS_ARGUMENT;
}

struct wire *address_open(const struct address *r, void *context, bool files) {
    struct wire_options o = {.context = context, .endpoint = files ? r->files : r->endpoint,
                             .server_key = r->server_key};
    if (*r->public_key) {
        o.public_key = r->public_key;
        o.secret_key = r->secret_key;
    }
    return wire_open(&o);
}

/* ---- the thread ---- */

static void drop_wire(struct dealer *d) {
    wire_close(&d->wire, 0);
    batch_clear(&d->out, 0);
    d->blocked = false;
}

static void open_wire(struct dealer *d, int64_t now_ms) {
    drop_wire(d);
    d->wire = address_open(&d->address, d->context, false);
    if (d->wire) contact_opened(d->owner.contact, now_ms);
    else d->owner.contact->next_ms = now_ms + REOPEN_FAILED_MS;
}

static void send_control(struct dealer *d, const struct message *m, uint64_t number) {
    struct buffer b = {0};
    struct frame_writer w;
    frame_begin(&w, &b, m->verb, number, d->owner.contact->link, NULL);
    frame_put(&w, m);
    frame_end(&w);
    if (!b.failed && d->wire) wire_send(d->wire, b.data, b.len);
    buffer_free(&b);
}

static void say_hello(struct dealer *d, uint64_t number) {
    struct buffer held = {0};
    struct message m;
    d->owner.hello(d->owner.self, &m, &held);
    send_control(d, &m, number);
    buffer_free(&held);
}

static void do_due(struct dealer *d, int64_t now_ms) {
    uint64_t number = 0;
    enum contact_due due;
    while ((due = d->owner.due(d->owner.self, now_ms, &number)) != DUE_NOTHING) {
        if (due == DUE_OPEN) open_wire(d, now_ms);
        if (due == DUE_HELLO) say_hello(d, number);
        if (due == DUE_BEAT) send_control(d, &(struct message){.verb = VERB_BEAT}, number);
    }
}

/* Sends what was taken, without the lock: only this thread touches it. True when a frame left. */
static bool send_out(struct dealer *d, uint32_t link) {
    const struct contact *c = d->owner.contact;
    uint32_t batch_max = d->address.batch_max < c->batch_max ? d->address.batch_max : c->batch_max;
    uint32_t bytes_max = c->frame_max / 2;
    bool sent = false;
    while (d->wire) {
        if (!d->blocked && !batch_frame(&d->out, &d->frame, link, batch_max, bytes_max)) break;
        d->blocked = !d->frame.failed && !wire_send(d->wire, d->frame.data, d->frame.len);
        if (d->blocked) break;
        sent = true;
    }
    return sent;
}

static void take_frame(struct dealer *d, struct slice bytes, int64_t now_ms) {
    struct frame f;
    struct message m;
    enum code code;
    if (frame_read(&f, bytes.data, bytes.len, UINT16_MAX) != CODE_OK) return;
    while (message_next(&f, &m, &code)) {
        if (code == CODE_OK) d->owner.message(d->owner.self, &m, now_ms);
    }
}

static bool receive_some(struct dealer *d) {
    struct slice bytes;
    uint32_t frames = 0;
    while (d->wire && frames < ROUND_FRAMES && wire_receive(d->wire, &bytes)) {
        pthread_mutex_lock(&d->lock);
        take_frame(d, bytes, clock_mono_ms());
        pthread_mutex_unlock(&d->lock);
        frames++;
    }
    return frames > 0;
}

static void take_events(struct dealer *d, int64_t now_ms) {
    while (d->wire) {
        enum wire_event event = wire_event(d->wire);
        if (event == WIRE_NOTHING) return;
        if (event == WIRE_UP) contact_up(d->owner.contact, now_ms);
        if (event == WIRE_REJECTED) d->owner.contact->refused = CODE_UNAUTHORIZED;
        if (event == WIRE_DOWN) {
            d->owner.down(d->owner.self, now_ms);
            drop_wire(d);
        }
    }
}

static void rest(struct dealer *d, int64_t now_ms) {
    int64_t wake = d->owner.wake(d->owner.self);
    uint64_t pokes;
    d->asleep = true;
    pthread_mutex_unlock(&d->lock);
    int64_t wait = wake <= now_ms ? 0 : wake - now_ms;
    wire_wait(d->wire, d->wake_fd, d->blocked, wait > 60000 ? 60000 : wait);
    pthread_mutex_lock(&d->lock);
    if (!d->asleep || wait > 0) (void)!read(d->wake_fd, &pokes, sizeof pokes);
    d->asleep = false;
}

/* One round, lock held; true when there may be more to do at once. */
static bool turn(struct dealer *d, int64_t now_ms) {
    bool busy = false;
    do_due(d, now_ms);
    if (d->owner.contact->state == CONTACT_LINKED) {
        if (d->out.waiting == 0 && !d->blocked) batch_take(d->owner.batch, &d->out);
        uint32_t link = d->owner.contact->link;
        pthread_mutex_unlock(&d->lock);
        busy = send_out(d, link);
    } else {
        batch_clear(&d->out, 0);
        d->blocked = false;
        pthread_mutex_unlock(&d->lock);
    }
    busy |= receive_some(d);
    pthread_mutex_lock(&d->lock);
    take_events(d, now_ms);
    d->owner.round(d->owner.self, now_ms);
    return busy;
}

/* Items that were put while the lock was open in turn() have poked nobody. */
static bool sendable(const struct dealer *d) {
    return d->owner.contact->state == CONTACT_LINKED && d->owner.batch->waiting && !d->blocked;
}

static void *run(void *arg) {
    struct dealer *d = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_mutex_lock(&d->lock);
    while (!d->ending) {
        int64_t now_ms = clock_mono_ms();
        if (!turn(d, now_ms) && !sendable(d)) rest(d, now_ms);
    }
    if (d->owner.contact->state == CONTACT_LINKED) {
        turn(d, clock_mono_ms());
        send_control(d, &(struct message){.verb = VERB_BYE}, 0);
    }
    wire_close(&d->wire, d->owner.contact->state == CONTACT_LINKED ? LINGER_MS : 0);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* ---- from outside ---- */

int dealer_init(struct dealer *d, const struct relais_link *link) {
    pthread_condattr_t attr;
    *d = (struct dealer){.wake_fd = -1};
    int code = address_read(&d->address, link);
    if (code) return code;
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, &attr);
    pthread_condattr_destroy(&attr);
    d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    d->context = d->address.context ? d->address.context : zmq_ctx_new();
    if (d->wake_fd >= 0 && d->context) return RELAIS_OK;
    dealer_end(d);
    return RELAIS_SYSTEM;
}

int dealer_start(struct dealer *d, const struct dealer_owner *owner) {
    if (d->started) return RELAIS_OK;
    d->owner = *owner;
    if (pthread_create(&d->thread, NULL, run, d) != 0) return RELAIS_SYSTEM;
    d->started = true;
    return RELAIS_OK;
}

void dealer_end(struct dealer *d) {
    if (d->started) {
        pthread_mutex_lock(&d->lock);
        d->ending = true;
        pthread_mutex_unlock(&d->lock);
        dealer_wake(d);
        pthread_join(d->thread, NULL);
    }
    if (d->context && d->context != d->address.context) zmq_ctx_term(d->context);
    if (d->wake_fd >= 0) close(d->wake_fd);
    batch_free(&d->out);
    buffer_free(&d->frame);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
}

void dealer_poke(struct dealer *d) {
    if (!d->asleep) return;
    d->asleep = false;
    dealer_wake(d);
}

void dealer_wake(struct dealer *d) {
    uint64_t one = 1;
    (void)!write(d->wake_fd, &one, sizeof one);
}

bool dealer_wait(struct dealer *d, int64_t deadline_ms) {
    if (deadline_ms == INT64_MAX) return pthread_cond_wait(&d->changed, &d->lock) == 0;
    struct timespec at = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    return pthread_cond_timedwait(&d->changed, &d->lock, &at) != ETIMEDOUT;
}

int64_t deadline_of(uint32_t timeout_ms) {
    return timeout_ms == UINT32_MAX ? INT64_MAX : clock_mono_ms() + timeout_ms;
}
