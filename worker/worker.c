/* worker.c - relais_worker: a session, the thread behind it, and the threads that work. */
#include "proto/host/clock.h"
#include "worker/dealer.h"
#include "worker/session.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

enum { HANDLERS_MAX = 64, PART_BYTES_MAX = 1 << 20 };

enum order { ORDER_NONE = 0, ORDER_DRAIN = 1, ORDER_STOP = 2 };

struct handler { char *type; relais_handler *run; void *context; }; /* type NULL = all others */

struct relais_worker {
    struct dealer dealer;
    struct session session;
    struct session_options options;
    struct buffer queues, types, labels; /* packed lists of the options */
    struct handler handlers[HANDLERS_MAX];
    uint32_t handler_count;
    uint32_t waiters;
    enum code refused; /* of the contact, as the waiters were last told */
    _Atomic int order; /* enum order; set by signal handlers */
    int ready_fd;      /* eventfd; -1 until somebody asks for it */
};

static struct job *job_of(struct relais_task *task) {
    return (struct job *)(void *)((char *)task - offsetof(struct job, task));
}

/* ---- what the dealer's thread calls, lock held ---- */

static enum contact_due due(void *self, int64_t now_ms, uint64_t *number) {
    struct relais_worker *w = self;
    int order = atomic_load(&w->order);
    if (order == ORDER_DRAIN) session_drain(&w->session, now_ms);
    if (order == ORDER_STOP) session_stop(&w->session, now_ms);
    return session_due(&w->session, now_ms, number);
}
static void hello(void *self, struct message *m, struct buffer *held) {
    session_hello(&((struct relais_worker *)self)->session, m, held);
}
static void down(void *self, int64_t now_ms) {
    session_down(&((struct relais_worker *)self)->session, now_ms);
}
static void message(void *self, const struct message *m, int64_t now_ms) {
    session_message(&((struct relais_worker *)self)->session, m, now_ms);
}
static int64_t wake(void *self) {
    return session_wake_ms(&((struct relais_worker *)self)->session);
}
static void round_end(void *self, int64_t now_ms) {
    struct relais_worker *w = self;
    uint64_t one = 1;
    (void)now_ms;
    if (!w->session.woken && w->refused == w->session.contact.refused) return;
    w->refused = w->session.contact.refused;
    w->session.woken = false;
    if (w->waiters) pthread_cond_broadcast(&w->dealer.changed);
    if (w->ready_fd >= 0) (void)!write(w->ready_fd, &one, sizeof one);
}

/* ---- setting up ---- */

static bool list_pack(struct buffer *b, const char *const *list, uint32_t max, uint16_t *count) {
    for (*count = 0; list && list[*count]; (*count)++) {
        if (*count == max || strlen(list[*count]) > 255) return false;
        text_put(b, slice_text(list[*count]));
    }
    return !b->failed;
}

static int options_read(struct relais_worker *w, const struct relais_worker_options *o) {
    static const char *const default_queue[] = {"default", NULL};
    struct session_options *s = &w->options;
    *s = (struct session_options){
        .slots = o->slots ? o->slots : 1, .prefetch = o->prefetch, .brand = o->link.brand,
        .implied = o->implied_start, .stop_in_doubt = o->on_doubt == RELAIS_DOUBT_STOP,
        .name = slice_text(w->dealer.address.name)};
    if (s->slots > SLOTS_MAX || s->prefetch > SLOTS_MAX - s->slots) return RELAIS_ARGUMENT;
    if (!list_pack(&w->queues, o->queues ? o->queues : default_queue, QUEUES_MAX,
                   &s->serves.queue_count) ||
        !list_pack(&w->types, o->types, QUEUES_MAX, &s->serves.type_count) ||
        !list_pack(&w->labels, o->labels, LABELS_MAX, &s->serves.label_count))
        return RELAIS_ARGUMENT;
    s->serves.queues = buffer_slice(&w->queues);
    s->serves.labels = buffer_slice(&w->labels);
    /* 53 bits: the number goes through JSON in lists. */
    if (getrandom(&s->boot, sizeof s->boot, 0) != sizeof s->boot) return RELAIS_SYSTEM;
    s->boot = s->boot >> 11 | 1;
    return RELAIS_OK;
}

int relais_worker_new(struct relais_worker **ret_worker,
                      const struct relais_worker_options *options) {
    struct relais_worker *w = calloc(1, sizeof *w);
    if (!w) return RELAIS_MEMORY;
    w->ready_fd = -1;
    int code = dealer_init(&w->dealer, &options->link);
    if (code) {
        free(w);
        return code;
    }
    code = options_read(w, options);
    if (!code && !session_init(&w->session, &w->options, w->options.boot, clock_mono_ms()))
        code = RELAIS_MEMORY;
    if (!code) *ret_worker = w;
    else relais_worker_destroy(&w);
    return code;
}

/* Reports on their way get their time; nothing else holds the end up. */
static void settle(struct relais_worker *w) {
    int64_t deadline = deadline_of(w->dealer.address.timeout_ms);
    pthread_mutex_lock(&w->dealer.lock);
    session_drain(&w->session, clock_mono_ms());
    dealer_poke(&w->dealer);
    w->waiters++;
    while (w->session.reported_count && !w->session.contact.refused &&
           dealer_wait(&w->dealer, deadline)) {}
    w->waiters--;
    pthread_mutex_unlock(&w->dealer.lock);
}

void relais_worker_destroy(struct relais_worker **self) {
    struct relais_worker *w = *self;
    if (!w) return;
    if (w->dealer.started) settle(w);
    dealer_end(&w->dealer);
    if (w->session.jobs.buckets) session_free(&w->session);
    for (uint32_t i = 0; i < w->handler_count; i++) free(w->handlers[i].type);
    buffer_free(&w->queues);
    buffer_free(&w->types);
    buffer_free(&w->labels);
    if (w->ready_fd >= 0) close(w->ready_fd);
    free(w);
    *self = NULL;
}

/* Without types in the options those of the handlers are served, unless one takes all. */
static void types_settle(struct relais_worker *w) {
    bool all = w->options.serves.type_count > 0 || w->handler_count == 0;
    for (uint32_t i = 0; i < w->handler_count; i++) all = all || !w->handlers[i].type;
    for (uint32_t i = 0; !all && i < w->handler_count; i++) {
        text_put(&w->types, slice_text(w->handlers[i].type));
        w->options.serves.type_count++;
    }
    w->options.serves.types = buffer_slice(&w->types);
    w->session.options = w->options;
}

/* Lock held. */
static int start(struct relais_worker *w) {
    if (w->dealer.started) return RELAIS_OK;
    types_settle(w);
    return dealer_start(&w->dealer, &(struct dealer_owner){
        .self = w, .contact = &w->session.contact, .batch = &w->session.batch, .due = due,
        .hello = hello, .down = down, .message = message, .wake = wake, .round = round_end});
}

/* ---- taking tasks ---- */

static bool over(const struct relais_worker *w) {
    return atomic_load(&w->order) != ORDER_NONE || w->session.draining;
}

/* Nothing is ready any more: the descriptor rests until something is. */
static void ready_clear(struct relais_worker *w) {
    uint64_t pokes;
    if (w->ready_fd >= 0 && w->session.ready_count == 0)
        (void)!read(w->ready_fd, &pokes, sizeof pokes);
}

/* Lock held: waits for the first job that may start. */
static int job_wait(struct relais_worker *w, uint32_t timeout_ms, struct job **ret_job) {
    int64_t deadline = deadline_of(timeout_ms);
    int code = start(w);
    while (!code) {
        int64_t now_ms = clock_mono_ms();
        if (over(w)) code = RELAIS_CLOSED;
        else if ((*ret_job = session_next(&w->session, now_ms))) return RELAIS_OK;
        else if ((code = (int)contact_hopeless(&w->session.contact))) break;
        else if (now_ms >= deadline) code = RELAIS_TIMEOUT;
        if (code) break;
        w->waiters++;
        dealer_wait(&w->dealer, deadline);
        w->waiters--;
    }
    return code;
}

int relais_next_batch(struct relais_worker *w, uint32_t timeout_ms, struct relais_task **ret_tasks,
                      size_t max, size_t *ret_count) {
    struct job *job = NULL;
    size_t count = 0;
    if (max == 0) return RELAIS_ARGUMENT;
    pthread_mutex_lock(&w->dealer.lock);
    int code = job_wait(w, timeout_ms, &job);
    int64_t now_ms = code ? 0 : clock_mono_ms();
    while (!code && job) {
        ret_tasks[count++] = &job->task;
        job = count < max ? session_next(&w->session, now_ms) : NULL;
    }
    ready_clear(w);
    if (count && !w->options.implied) dealer_poke(&w->dealer);
    pthread_mutex_unlock(&w->dealer.lock);
    if (!code) *ret_count = count;
    return code;
}

int relais_next(struct relais_worker *w, uint32_t timeout_ms, struct relais_task **ret_task) {
    size_t count;
    return relais_next_batch(w, timeout_ms, ret_task, 1, &count);
}

int relais_worker_fd(struct relais_worker *w) {
    pthread_mutex_lock(&w->dealer.lock);
    if (w->ready_fd < 0) w->ready_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w->session.woken = true; /* what happened before somebody looked */
    int code = start(w);
    dealer_wake(&w->dealer);
    int fd = w->ready_fd;
    pthread_mutex_unlock(&w->dealer.lock);
    return code ? -1 : fd;
}

/* ---- settling ---- */

static int report(struct relais_worker *w, struct relais_task *task, const struct message *m) {
    pthread_mutex_lock(&w->dealer.lock);
    session_report(&w->session, job_of(task), m, clock_mono_ms());
    /* A slot is free: whoever waits may take what was held ready. */
    if (w->session.ready_count) {
        if (w->waiters) pthread_cond_signal(&w->dealer.changed);
        w->session.woken = w->session.woken || w->ready_fd >= 0;
    }
    dealer_poke(&w->dealer);
    pthread_mutex_unlock(&w->dealer.lock);
    return RELAIS_OK;
}

int relais_done_with(struct relais_worker *w, struct relais_task *task, const void *result,
                     size_t len, const struct relais_result *more) {
    struct message m;
    m.verb = VERB_DONE;
    m.report = (struct report){.data = slice_of(result, len > UINT32_MAX ? UINT32_MAX : len)};
    if (more) {
        m.report.metrics = slice_of(more->metrics, more->metrics_len);
        if (more->message) m.report.text = slice_text(more->message);
    }
    if (more && more->file) {
        const struct relais_file *f = more->file;
        m.report.file = f->id;
        m.report.file_size = f->size;
        m.report.file_hash = slice_of(f->sha256, sizeof f->sha256);
        if (f->name) m.report.file_name = slice_text(f->name);
        if (f->mime) m.report.file_mime = slice_text(f->mime);
    }
    return report(w, task, &m);
}

int relais_done(struct relais_worker *w, struct relais_task *task, const void *result, size_t len) {
    return relais_done_with(w, task, result, len, NULL);
}

int relais_fail(struct relais_worker *w, struct relais_task *task, int reason, const char *text) {
    struct message m;
    bool known = reason == REASON_PERMANENT || reason == REASON_CRASHED ||
                 reason == REASON_TIMEOUT;
    m.verb = VERB_FAIL;
    m.report = (struct report){.reason = known ? (uint8_t)reason : REASON_FAILED,
                               .retryable = reason != REASON_PERMANENT};
    if (text) m.report.text = slice_text(text);
    return report(w, task, &m);
}

int relais_release(struct relais_worker *w, struct relais_task *task) {
    struct message m;
    m.verb = VERB_RELEASE;
    m.report = (struct report){0};
    return report(w, task, &m);
}

/* ---- while it runs ---- */

static int tell(struct relais_worker *w, struct relais_task *task, struct message *m) {
    pthread_mutex_lock(&w->dealer.lock);
    session_remark(&w->session, job_of(task), m);
    dealer_poke(&w->dealer);
    pthread_mutex_unlock(&w->dealer.lock);
    return RELAIS_OK;
}

int relais_progress(struct relais_worker *w, struct relais_task *task, int percent,
                    const char *text) {
    struct message m;
    if (percent > 100) return RELAIS_ARGUMENT;
    m.verb = VERB_PROGRESS;
    m.report = (struct report){.percent = percent < 0 ? -1 : (int8_t)percent};
    if (text) m.report.text = slice_text(text);
    return tell(w, task, &m);
}

int relais_log(struct relais_worker *w, struct relais_task *task, int level, const char *text) {
    struct message m;
    if (level < 0 || level > 3 || !text) return RELAIS_ARGUMENT;
    m.verb = VERB_LOG;
    m.report = (struct report){.level = (uint8_t)level, .text = slice_text(text)};
    return tell(w, task, &m);
}

int relais_checkpoint(struct relais_worker *w, struct relais_task *task, const char *name,
                      const void *data, size_t len, uint32_t timeout_ms, uint32_t *ret_seq) {
    struct job *j = job_of(task);
    int64_t deadline = deadline_of(timeout_ms);
    int code = RELAIS_TIMEOUT;
    if (len > UINT32_MAX / 2) return RELAIS_PAYLOAD_TOO_LARGE;
    pthread_mutex_lock(&w->dealer.lock);
    uint32_t mine = session_checkpoint(&w->session, j, slice_text(name ? name : ""),
                                       slice_of(data, len));
    dealer_poke(&w->dealer);
    w->waiters++;
    while (j->pointed < mine && !j->stop && dealer_wait(&w->dealer, deadline)) {}
    w->waiters--;
    uint32_t seq = j->checkpoint;
    if (mine == 0) code = RELAIS_MEMORY;
    else if (j->pointed >= mine) code = (int)j->point_code;
    else if (j->stop) code = RELAIS_ATTEMPT_SUPERSEDED;
    pthread_mutex_unlock(&w->dealer.lock);
    if (code == RELAIS_OK && ret_seq) *ret_seq = seq;
    return code;
}

int relais_part(struct relais_worker *w, struct relais_task *task, uint32_t number,
                const void *text, size_t len, uint32_t timeout_ms) {
    struct job *j = job_of(task);
    int64_t deadline = deadline_of(timeout_ms);
    int code = RELAIS_TIMEOUT;
    if (number == 0 || len == 0) return RELAIS_ARGUMENT;
    if (len > PART_BYTES_MAX) return RELAIS_PAYLOAD_TOO_LARGE;
    pthread_mutex_lock(&w->dealer.lock);
    uint32_t mine = session_part(&w->session, j, number, slice_of(text, len));
    dealer_poke(&w->dealer);
    w->waiters++;
    while (j->parted < mine && !j->stop && dealer_wait(&w->dealer, deadline)) {}
    w->waiters--;
    if (mine == 0) code = RELAIS_MEMORY;
    else if (j->parted >= mine) code = (int)j->part_code;
    else if (j->stop) code = RELAIS_ATTEMPT_SUPERSEDED;
    pthread_mutex_unlock(&w->dealer.lock);
    return code;
}

int relais_cancelled(struct relais_worker *w, struct relais_task *task) {
    pthread_mutex_lock(&w->dealer.lock);
    int reason = job_of(task)->stop;
    ready_clear(w);
    pthread_mutex_unlock(&w->dealer.lock);
    return reason;
}

/* ---- handlers ---- */

int relais_handle(struct relais_worker *w, const char *type, relais_handler *handler,
                  void *context) {
    if (w->handler_count == HANDLERS_MAX || !handler || w->dealer.started) return RELAIS_ARGUMENT;
    for (uint32_t i = 0; i < w->handler_count; i++) {
        const char *other = w->handlers[i].type;
        if (type && other ? strcmp(type, other) == 0 : type == other) return RELAIS_ARGUMENT;
    }
    char *copy = type ? strdup(type) : NULL;
    if (type && !copy) return RELAIS_MEMORY;
    w->handlers[w->handler_count++] = (struct handler){copy, handler, context};
    return RELAIS_OK;
}

static const struct handler *handler_of(const struct relais_worker *w, const char *type) {
    const struct handler *other = NULL;
    for (uint32_t i = 0; i < w->handler_count; i++) {
        const struct handler *h = &w->handlers[i];
        if (!h->type) other = h;
        else if (strcmp(h->type, type) == 0) return h;
    }
    return other;
}

/* The pointer may be dead after the handler: whether the task still runs is asked by its epoch. */
static bool still_running(struct relais_worker *w, uint64_t epoch) {
    bool running = false;
    pthread_mutex_lock(&w->dealer.lock);
    for (struct map_node *n = map_first(&w->session.jobs, hash_number(epoch)); n; n = map_next(n)) {
        const struct job *j = owner_of(n, struct job, by_epoch);
        running = running || (j->task.epoch == epoch && j->state == JOB_RUNNING);
    }
    pthread_mutex_unlock(&w->dealer.lock);
    return running;
}

static void work(struct relais_worker *w, struct relais_task *task) {
    const struct handler *h = handler_of(w, task->type);
    uint64_t epoch = task->epoch;
    if (!h) {
        relais_fail(w, task, RELAIS_REASON_FAILED, "this worker has no handler for the type");
        return;
    }
    int code = h->run(w, task, h->context);
    if (!still_running(w, epoch)) return;
    if (code == 0) relais_done(w, task, NULL, 0);
    else relais_fail(w, task, RELAIS_REASON_FAILED, "the handler failed");
}

static void *work_loop(void *arg) {
    struct relais_worker *w = arg;
    struct relais_task *task;
    int code;
    while ((code = relais_next(w, UINT32_MAX, &task)) == RELAIS_OK) work(w, task);
    return (void *)(intptr_t)(code == RELAIS_CLOSED ? RELAIS_OK : code);
}

int relais_run(struct relais_worker *w) {
    uint32_t slots = w->options.slots, count = 0;
    pthread_t *threads = calloc(slots, sizeof *threads);
    int code = threads ? RELAIS_OK : RELAIS_MEMORY;
    while (!code && count + 1 < slots) {
        if (pthread_create(&threads[count], NULL, work_loop, w) != 0) break;
        count++;
    }
    if (!code) code = (int)(intptr_t)work_loop(w); /* this thread is one of the slots */
    for (uint32_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
    free(threads);
    return code;
}

/* ---- the end ---- */

static void command(struct relais_worker *w, enum order order) {
    if (atomic_load(&w->order) < (int)order) atomic_store(&w->order, order);
    dealer_wake(&w->dealer);
}
void relais_drain(struct relais_worker *w) { command(w, ORDER_DRAIN); }
void relais_stop(struct relais_worker *w) { command(w, ORDER_STOP); }

void relais_worker_state(struct relais_worker *w, struct relais_worker_state *ret_state) {
    const struct session *s = &w->session;
    pthread_mutex_lock(&w->dealer.lock);
    *ret_state = (struct relais_worker_state){
        .linked = s->contact.state == CONTACT_LINKED,
        .in_doubt = contact_in_doubt(&s->contact, clock_mono_ms()),
        .draining = s->draining, .refused = (int)s->contact.refused, .running = s->running_count,
        .ready = s->ready_count, .unsettled = s->reported_count, .done = s->done,
        .failed = s->failed, .released = s->released, .superseded = s->superseded,
        .stopped = s->stopped_count};
    pthread_mutex_unlock(&w->dealer.lock);
}
