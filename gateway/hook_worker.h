/* hook_worker.h - the thread that finds the targets of events and calls them; see hook.h.
 *
 * A worker of its own beside the gateway: it claims tasks of the queues `relais.webhook` and
 * `relais.mail` of all brands, over its own link, as any HTTP worker does. Any number of gateways
 * may run one: the broker gives each task to one of them, and to another when that one dies.
 *
 *   event   its targets are found: the brand's hooks that want it, the task's own webhook_url, an
 *           alert rule's webhook_url and notification_emails. Each becomes a `call` or a mail under
 *           the key hook:EVENT:TARGET, where EVENT is the event's task: submitted once, though the
 *           event be taken twice. Then the event is done.
 *   call    one POST. 2xx is success; 410 and an address that is not allowed are its end; anything
 *           else, and no answer in hook_timeout_ms, is a failure that the broker's back-off
 *           repeats, hook_retries times. Redirects are not followed. A hook that is gone or not
 *           active is not called any more.
 *   mail    the same by SMTP, when option smtp_url is set; 5xx is repeated, too.
 *
 * Limits: HOOK_JOBS_MAX tasks in hand, HOOK_TARGETS_MAX hooks a brand. */
#ifndef RELAIS_GATEWAY_HOOK_WORKER_H
#define RELAIS_GATEWAY_HOOK_WORKER_H
#include "gateway/gateway.h"
#include "gateway/hook_call.h"
#include "gateway/link.h"
#include "gateway/outward.h"
#include "proto/keyring.h"
#include "proto/who.h"
#include <pthread.h>

enum { HOOK_JOBS_MAX = 48, HOOK_CLAIMS = 4 };

struct hook_worker {
    const struct gateway_setup *setup;
    struct allow *allow;
    struct outward *outward;
    struct link *link;
    struct keyring ring;
    bool ring_known;
    struct who who;
    struct node jobs, claims; /* claims: calls under way */
    uint32_t job_count, claim_count;
    int64_t claim_at;         /* no claim is sent before */
    int stop_fd;
    pthread_t thread;
    bool started;
};

struct job { /* one task in hand */
    struct node in_worker, calls;
    struct hook_worker *worker;
    uint64_t task, epoch;
    uint32_t brand;
    struct buffer payload;
    /* event */
    struct feed_row event;    /* in the payload */
    struct frame frame;       /* owns what `view` borrows */
    struct message view;      /* a task event's task */
    json_t *extra, *rule;     /* owned; NULL = none */
    struct buffer body;       /* what its calls send */
    uint32_t waiting;         /* submits under way */
    bool failed;
    /* call and mail */
    json_t *call;             /* owned: the payload */
};

/* NULL with an empty `why` when option hooks is off; NULL with the cause in why when an option is
 * malformed. The setup is borrowed until hook_worker_stop. */
struct hook_worker *hook_worker_start(const struct gateway_setup *setup, char *why,
                                      size_t why_size);
void hook_worker_stop(struct hook_worker **self);

/* ---- for its parts ---- */

/* Sends a message whose answer goes to `done`; without a link the job is given up: its lease ends
 * and it comes again. False then. */
bool job_ask(struct job *j, const struct who *who, const struct message *m,
             void (*done)(struct call *call, const struct message *answer, uint32_t count));
/* Report the end of the task; the job is gone once the broker has answered. */
void job_done(struct job *j);
void job_fail(struct job *j, bool again, const char *why);

/* hook_event.c: an event's task was taken. */
void hook_event_begin(struct job *j);
#endif
