/* hook.h - the words of outgoing webhooks that core and gateway share.
 *
 * A queue record's `hooks` says which events of its brand are wanted, as bits; it stands on the
 * brand's queue HOOK_QUEUE, where the tasks that tell them go. */
#ifndef RELAIS_PROTO_HOOK_H
#define RELAIS_PROTO_HOOK_H

#define HOOK_QUEUE "relais.webhook"
#define HOOK_TYPE_EVENT "event" /* payload: a feed row (object.h) */
#define HOOK_TYPE_CALL "call"   /* payload: JSON, see gateway/hook_call.h */

enum hook_bit {
    HOOK_COMPLETED = 1, HOOK_FAILED = 2, HOOK_CANCELLED = 4, HOOK_PROGRESS = 8, HOOK_ALERT = 16,
    HOOK_SESSION = 32, HOOK_ALL = 63
};
enum { HOOK_EVENT_RETRIES = 1000 /* of the task that finds an event's targets */ };
#endif
