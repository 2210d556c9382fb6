/* push.h - commands of dialect 003 brought to its workers' own endpoints.
 *
 * The real workers never read the commands that a heartbeat is answered with: their backend calls
 * them. With option push_endpoints, an allow-list (allow.h), this thread does: it asks the broker
 * which stations wait for commands, takes those of the stations whose endpoint is on the list, and
 * calls
 *
 *   create_session      POST ENDPOINT/api/sessions/start, or /api/sessions/create
 *   restart_, disconnect_, logout_session   POST ENDPOINT/api/sessions/ID/restart …
 *   delete_session      DELETE ENDPOINT/api/sessions/ID
 *   send_message        POST ENDPOINT/api/ID/send, or /api/sessions/ID/send
 *   manage_message      POST ENDPOINT/api/message/ID/manage
 *
 * with the bearer token that option push_tokens names for the brand; only those brands push. Where
 * there are two paths, the second is tried when the first is answered 404.
 *
 * A 2xx acknowledges the command. Any 4xx is the worker's last word: its session is in ERROR, its
 * message FAILED, and the command is done. Anything else, and 30 s without an answer, is tried
 * again after 1 s and 2 s; after the third time the broker gives the command again, as it does for
 * any that nobody acknowledges. The commands of one station go one after the other. Other workers
 * get their commands as always.
 *
 * Limits: PUSH_JOBS_MAX commands in hand, PUSH_BRANDS_MAX brands. A thread of its own, with its own
 * link to the broker. */
#ifndef RELAIS_GATEWAY_PUSH_H
#define RELAIS_GATEWAY_PUSH_H
#include "gateway/gateway.h"

enum { PUSH_JOBS_MAX = 256, PUSH_BRANDS_MAX = 64 };

struct push;

/* NULL with an empty `why` when push_endpoints is empty: nothing is pushed; NULL with the cause in
 * why when an option is malformed. The setup is borrowed until push_stop. */
struct push *push_start(const struct gateway_setup *setup, char *why, size_t why_size);
void push_stop(struct push **self);
#endif
