/* hook.h - outgoing webhooks: what is told to whom, and how a call is asked for.
 *
 * An event becomes a task of the queue `relais.webhook` of its brand, type `event`, whose payload
 * is one feed row (proto/object.h): topic, key and data. The core makes it in the very group that
 * makes the event durable (broker/core/hook.h); whoever else has something to say calls
 * hook_submit. The built-in worker (hook_worker.h) takes it, finds who wants it and submits one
 * task of the type `call` for each, under the key hook:EVENT:TARGET, so that each is submitted
 * once whatever dies in between. A `call` is one HTTP request, retried by the task's own rules;
 * its id stays the same.
 *
 * Mails go the same way: tasks of the queue `relais.mail`.
 *
 * Events: task.completed, task.failed, task.cancelled, task.progress, alert.triggered and session.*
 * Refusals are the broker's. */
#ifndef RELAIS_GATEWAY_HOOK_H
#define RELAIS_GATEWAY_HOOK_H
#include "gateway/exchange.h"

/* An event of the acting brand, for the webhooks and mails that want it. */
struct hook_event {
    const char *topic; /* "alert.triggered": one of the events above */
    struct slice key;  /* what it is about: of an alert the rule's id, in decimal */
    struct slice data; /* JSON */
};
/* `then` gets the answer: SUBMITTED, or a refusal. */
void hook_submit(struct exchange *x, const struct hook_event *e, exchange_then *then);
#endif
