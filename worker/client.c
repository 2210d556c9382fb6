#include "worker/client.h"
#include "proto/host/clock.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { INFLIGHT_MAX = 65536, IDLE_MAX = 65536, ITEM_KEPT = 4096, COMPLETIONS_MAX = 1 << 20 };

/* ---- requests under way ---- */

static struct inquiry *inquiry_find(const struct relais_client *c, uint64_t number) {
    for (struct map_node *n = map_first(&c->inquiries, hash_number(number)); n; n = map_next(n)) {
        struct inquiry *q = owner_of(n, struct inquiry, by_number);
        if (q->number == number) return q;
    }
    return NULL;
}

static void inquiry_add(struct relais_client *c, struct inquiry *q, uint64_t number) {
    q->number = number;
    map_put(&c->inquiries, &q->by_number, hash_number(number));
    list_push(&c->line, &q->in_line);
    c->inflight++;
}

static void inquiry_remove(struct relais_client *c, struct inquiry *q) {
    map_remove(&c->inquiries, &q->by_number);
    list_unlink(&q->in_line);
    c->inflight--;
}

static struct inquiry *inquiry_new(struct relais_client *c) {
    struct node *n = list_first(&c->idle);
    if (!n) {
        struct inquiry *q = calloc(1, sizeof *q);
        if (q) list_init(&q->in_line);
        return q;
    }
    list_unlink(n);
    c->idle_count--;
    return owner_of(n, struct inquiry, in_line);
}

static void inquiry_free(struct relais_client *c, struct inquiry *q) {
    if (c->idle_count >= IDLE_MAX || q->item.cap > ITEM_KEPT) {
        buffer_free(&q->item);
        free(q);
        return;
    }
    buffer_clear(&q->item);
    list_push_front(&c->idle, &q->in_line);
    c->idle_count++;
}

/* For asynchronous ones: the callback is left to relais_poll. */
static void complete(struct relais_client *c, struct inquiry *q, int code, uint64_t id) {
    if (c->completion_count == c->completion_cap) {
        uint32_t cap = c->completion_cap ? c->completion_cap * 2 : 1024;
        struct completion *more = realloc(c->completions, cap * sizeof *more);
        if (!more) return; /* cannot be told; relais_inflight goes down all the same */
        c->completions = more;
        c->completion_cap = cap;
    }
    c->completions[c->completion_count++] = (struct completion){
        .submitted = q->submitted, .context = q->context, .code = code, .id = id};
    c->woken = true;
}

static void inquiry_end(struct relais_client *c, struct inquiry *q, int code, uint64_t id) {
    inquiry_remove(c, q);
    if (q->message) {
        q->done = true;
        q->code = code;
        c->woken = true;
    } else {
        complete(c, q, code, id);
        inquiry_free(c, q);
    }
}

static void inquiry_say(struct relais_client *c, struct inquiry *q) {
    if (q->message) {
        q->number = batch_put(&c->batch, q->message);
    } else {
        q->number = batch_put_item(&c->batch, VERB_SUBMIT, buffer_slice(&q->item));
    }
    map_put(&c->inquiries, &q->by_number, hash_number(q->number));
}

/* What was said over the old link: again if that is harmless; else nobody knows what became of
 * it. */
static void repeat_all(struct relais_client *c) {
    uint64_t oldest[BATCH_VERBS];
    for (uint32_t v = 0; v < BATCH_VERBS; v++) oldest[v] = batch_oldest(&c->batch, v);
    for (struct node *n = c->line.next, *next; n != &c->line; n = next) {
        struct inquiry *q = owner_of(n, struct inquiry, in_line);
        enum verb verb = q->message ? q->message->verb : VERB_SUBMIT;
        next = n->next;
        if (q->number >= oldest[verb]) continue; /* still waits in the batch */
        if (!q->repeatable) {
            inquiry_end(c, q, RELAIS_UNCERTAIN, 0);
            continue;
        }
        map_remove(&c->inquiries, &q->by_number);
        inquiry_say(c, q);
    }
}

/* ---- answers ---- */

static void detail_keep(struct relais_client *c, struct slice text) {
    snprintf(c->detail, sizeof c->detail, "%.*s", (int)text.len, (const char *)text.data);
}

static uint64_t answer_of(const struct message *m, enum code *code, struct slice *text) {
    *code = CODE_OK;
    *text = (struct slice){0};
    switch ((uint32_t)m->verb) {
    case VERB_SUBMITTED:
        *code = m->submitted.code;
        *text = m->submitted.text;
        return m->submitted.number;
    case VERB_VIEW:
        *code = m->view.code;
        if (m->view.code) *text = m->view.text;
        return m->view.number;
    case VERB_ANSWER:
        *code = m->answer.code;
        if (m->answer.code) *text = m->answer.body;
        return m->answer.number;
    case VERB_ROWS:
        *code = m->rows.code;
        *text = m->rows.text;
        return m->rows.number;
    case VERB_REFUSED:
        *code = m->refused.code;
        *text = m->refused.text;
        return m->refused.number;
    default: return 0;
    }
}

static void take_outcome(struct relais_client *c, const struct outcome *o) {
    if (!c->outcome) return;
    struct ended *e = calloc(1, sizeof *e + o->result.len + o->message.len + 1);
    if (!e) return;
    if (o->result.len) memcpy(e->bytes, o->result.data, o->result.len);
    if (o->message.len) memcpy(e->bytes + o->result.len, o->message.data, o->message.len);
    e->outcome = (struct relais_outcome){
        .id = o->task, .status = o->status, .reason = o->reason, .result = e->bytes,
        .result_len = o->result.len, .result_file = o->result_file,
        .message = (const char *)e->bytes + o->result.len};
    *c->ended_last = e;
    c->ended_last = &e->next;
    c->woken = true;
}

static void take_answer(struct relais_client *c, const struct message *m) {
    enum code code;
    struct slice text;
    uint64_t number = answer_of(m, &code, &text);
    struct inquiry *q = number ? inquiry_find(c, number) : NULL;
    if (!q) return;
    int result = (int)code;
    if (code) detail_keep(c, text);
    else if (q->message) result = q->take ? q->take(q->ret, m) : RELAIS_OK;
    inquiry_end(c, q, result, m->verb == VERB_SUBMITTED ? m->submitted.id : 0);
}

/* ---- what the dealer's thread calls, lock held ---- */

static enum contact_due due(void *self, int64_t now_ms, uint64_t *number) {
    return contact_due(&((struct relais_client *)self)->contact, now_ms, number);
}
static void hello(void *self, struct message *m, struct buffer *held) {
    const struct relais_client *c = self;
    (void)held;
    *m = (struct message){.verb = VERB_HELLO};
    m->hello = (struct hello){.version = PROTOCOL_VERSION, .kind = LINK_CLIENT, .boot = c->boot,
                              .name = slice_text(c->dealer.address.name),
                              .brand = c->dealer.address.brand};
}
static void down(void *self, int64_t now_ms) {
    contact_down(&((struct relais_client *)self)->contact, now_ms);
}
static void message(void *self, const struct message *m, int64_t now_ms) {
    struct relais_client *c = self;
    if (contact_message(&c->contact, m, now_ms)) {
        repeat_all(c);
        c->woken = true;
    }
    if (m->verb == VERB_REFUSED && c->contact.refused) {
        detail_keep(c, m->refused.text);
        c->woken = true;
    }
    if (m->verb == VERB_OUTCOME) take_outcome(c, &m->outcome);
    else take_answer(c, m);
}
static int64_t wake(void *self) {
    return contact_wake_ms(&((struct relais_client *)self)->contact);
}
static void round_end(void *self, int64_t now_ms) {
    struct relais_client *c = self;
    (void)now_ms;
    if (!c->woken && c->refused == c->contact.refused) return;
    c->refused = c->contact.refused;
    c->woken = false;
    if (c->waiters) pthread_cond_broadcast(&c->dealer.changed);
}

/* ---- opening and closing ---- */

static int start(struct relais_client *c) {
    return dealer_start(&c->dealer, &(struct dealer_owner){
        .self = c, .contact = &c->contact, .batch = &c->batch, .due = due, .hello = hello,
        .down = down, .message = message, .wake = wake, .round = round_end});
}

int relais_client_open(struct relais_client **ret_client,
                       const struct relais_client_options *options) {
    struct relais_client *c = calloc(1, sizeof *c);
    if (!c) return RELAIS_MEMORY;
    int code = dealer_init(&c->dealer, &options->link);
    if (code) {
        free(c);
        return code;
    }
    list_init(&c->line);
    list_init(&c->idle);
    c->ended_last = &c->ended;
    c->inflight_max = options->inflight_max ? options->inflight_max : INFLIGHT_MAX;
    if (getrandom(&c->boot, sizeof c->boot, 0) != sizeof c->boot) code = RELAIS_SYSTEM;
    c->boot = c->boot >> 11 | 1;
    contact_init(&c->contact, c->boot, clock_mono_ms());
    if (!code && !map_init(&c->inquiries, 1024)) code = RELAIS_MEMORY;
    if (!code) code = start(c);
    if (!code) *ret_client = c;
    else relais_client_close(&c);
    return code;
}

static void line_free(struct node *line) {
    for (struct node *n; (n = list_first(line));) {
        struct inquiry *q = owner_of(n, struct inquiry, in_line);
        list_unlink(n);
        buffer_free(&q->item);
        free(q);
    }
}

void relais_client_close(struct relais_client **self) {
    struct relais_client *c = *self;
    if (!c) return;
    dealer_end(&c->dealer);
    line_free(&c->line);
    line_free(&c->idle);
    for (struct ended *e = c->ended; e; e = c->ended) {
        c->ended = e->next;
        free(e);
    }
    map_free(&c->inquiries);
    batch_free(&c->batch);
    free(c->completions);
    free(c->running);
    free(c);
    *self = NULL;
}

int relais_client_connected(struct relais_client *c, uint32_t timeout_ms) {
    int64_t deadline = deadline_of(timeout_ms);
    int code = RELAIS_OK;
    pthread_mutex_lock(&c->dealer.lock);
    c->waiters++;
    while (c->contact.state != CONTACT_LINKED && !code) {
        if (contact_hopeless(&c->contact)) code = (int)c->contact.refused;
        else if (!dealer_wait(&c->dealer, deadline)) code = RELAIS_TIMEOUT;
    }
    c->waiters--;
    if (c->contact.state == CONTACT_LINKED) code = RELAIS_OK;
    pthread_mutex_unlock(&c->dealer.lock);
    return code;
}

void relais_client_detail(struct relais_client *c, char *text, size_t size) {
    pthread_mutex_lock(&c->dealer.lock);
    snprintf(text, size, "%s", c->detail);
    pthread_mutex_unlock(&c->dealer.lock);
}

/* ---- calls ---- */

/* False when there is nothing more to wait for. */
static bool call_wait(struct relais_client *c, int64_t deadline) {
    return !contact_hopeless(&c->contact) && dealer_wait(&c->dealer, deadline);
}

static void call_give_up(struct relais_client *c, struct inquiry *q) {
    inquiry_remove(c, q);
    q->code = c->contact.refused ? (int)c->contact.refused : RELAIS_TIMEOUT;
}

int client_call_many(struct relais_client *c, struct message *ms, uint32_t count, take_fn *take,
                     void *rets, size_t size, int *codes) {
    struct inquiry *qs = calloc(count, sizeof *qs);
    int64_t deadline = deadline_of(c->dealer.address.timeout_ms);
    int first = RELAIS_OK;
    bool time = true;
    if (!qs) return RELAIS_MEMORY;
    pthread_mutex_lock(&c->dealer.lock);
    for (uint32_t i = 0; i < count; i++) {
        qs[i] = (struct inquiry){.message = &ms[i], .take = take, .ret = (char *)rets + i * size,
                                 .repeatable = ms[i].submit.options.key.len > 0};
        list_init(&qs[i].in_line);
        inquiry_add(c, &qs[i], batch_put(&c->batch, &ms[i]));
    }
    dealer_poke(&c->dealer);
    c->waiters++;
    for (uint32_t i = 0; i < count; i++) {
        while (!qs[i].done && time) time = call_wait(c, deadline);
        if (!qs[i].done) call_give_up(c, &qs[i]);
        codes[i] = qs[i].code;
        if (!first) first = codes[i];
    }
    c->waiters--;
    pthread_mutex_unlock(&c->dealer.lock);
    free(qs);
    return first;
}

int client_call(struct relais_client *c, struct message *m, uint32_t extra_ms, bool repeatable,
                take_fn *take, void *ret) {
    struct inquiry q = {.message = m, .take = take, .ret = ret, .repeatable = repeatable};
    uint32_t timeout = c->dealer.address.timeout_ms;
    int64_t deadline = deadline_of(extra_ms > UINT32_MAX / 2 ? extra_ms : timeout + extra_ms);
    list_init(&q.in_line);
    pthread_mutex_lock(&c->dealer.lock);
    inquiry_add(c, &q, batch_put(&c->batch, m));
    dealer_poke(&c->dealer);
    c->waiters++;
    while (!q.done && call_wait(c, deadline)) {}
    c->waiters--;
    if (!q.done) call_give_up(c, &q);
    pthread_mutex_unlock(&c->dealer.lock);
    return q.code;
}

int client_submit_async(struct relais_client *c, const struct message *m,
                        relais_submitted_fn *done, void *context) {
    struct inquiry *q = NULL;
    int code = RELAIS_OK;
    pthread_mutex_lock(&c->dealer.lock);
    if (c->inflight >= c->inflight_max || c->completion_count >= COMPLETIONS_MAX)
        code = RELAIS_FULL;
    else if (!(q = inquiry_new(c)))
        code = RELAIS_MEMORY;
    if (!code) {
        q->message = NULL;
        q->submitted = done;
        q->context = context;
        q->repeatable = m->submit.options.key.len > 0;
        if (q->repeatable) frame_put(&(struct frame_writer){.b = &q->item}, m);
        q->repeatable = q->repeatable && !q->item.failed;
        inquiry_add(c, q, batch_put(&c->batch, m));
        dealer_poke(&c->dealer);
    }
    pthread_mutex_unlock(&c->dealer.lock);
    return code;
}

/* ---- callbacks ---- */

void relais_on_outcome(struct relais_client *c, relais_outcome_fn *fn, void *context) {
    pthread_mutex_lock(&c->dealer.lock);
    c->outcome = fn;
    c->outcome_context = context;
    pthread_mutex_unlock(&c->dealer.lock);
}

static int run_completions(const struct completion *list, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].submitted) list[i].submitted(list[i].context, list[i].code, list[i].id);
    }
    return (int)count;
}

static int run_ended(struct ended *e, relais_outcome_fn *fn, void *context) {
    int count = 0;
    for (struct ended *next; e; e = next, count++) {
        next = e->next;
        if (fn) fn(context, &e->outcome);
        free(e);
    }
    return count;
}

int relais_poll(struct relais_client *c, uint32_t timeout_ms) {
    int64_t deadline = timeout_ms ? deadline_of(timeout_ms) : 0;
    pthread_mutex_lock(&c->dealer.lock);
    c->waiters++;
    while (!c->completion_count && !c->ended && timeout_ms && dealer_wait(&c->dealer, deadline)) {}
    c->waiters--;
    struct completion *list = c->completions;
    uint32_t count = c->completion_count, cap = c->completion_cap;
    c->completions = c->running;
    c->completion_cap = c->running_cap;
    c->completion_count = 0;
    c->running = list;
    c->running_cap = cap;
    struct ended *ended = c->ended;
    c->ended = NULL;
    c->ended_last = &c->ended;
    relais_outcome_fn *fn = c->outcome;
    void *context = c->outcome_context;
    pthread_mutex_unlock(&c->dealer.lock);
    return run_completions(list, count) + run_ended(ended, fn, context);
}

size_t relais_inflight(struct relais_client *c) {
    pthread_mutex_lock(&c->dealer.lock);
    size_t count = c->inflight;
    pthread_mutex_unlock(&c->dealer.lock);
    return count;
}
