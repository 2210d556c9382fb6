/* hook_call.h - one outgoing call: who wants an event, what is sent, how it is signed.
 *
 * A target is an object of the kind `hook`; its body is JSON:
 *   {"url":TEXT,"events":[TOPIC],"secret":"whsec_…","active":BOOL,"description":TEXT}
 * A topic "session.*" means all that begin so. A task's own webhook_url and an alert rule's are
 * targets too, signed with the brand's secret (hook_brand_secret).
 *
 * A task of the type `call` has the payload {"event":TOPIC,"hook":N or 0,"url":TEXT,"body":TEXT}.
 * It is sent as a POST with the headers of Standard Webhooks: webhook-id (msg_ and the task's
 * number: the same for every try), webhook-timestamp (unix seconds of the try) and webhook-
 * signature ("v1," and the base64 of HMAC-SHA256 over ID.TIMESTAMP.BODY, keyed with what whsec_
 * stands before). A mail's payload is {"to":[TEXT],"subject":TEXT,"text":TEXT}.
 *
 * Pure but for randomness and memory. */
#ifndef RELAIS_GATEWAY_HOOK_CALL_H
#define RELAIS_GATEWAY_HOOK_CALL_H
#include "gateway/json.h"
#include "proto/hook.h"
#include "proto/message.h"
#include "proto/object.h"

#define MAIL_QUEUE "relais.mail"
#define MAIL_TYPE "alert"

enum {
    HOOK_URL_MAX = 2000, HOOK_TARGETS_MAX = 100 /* of one brand */, HOOK_EVENTS_MAX = 16,
    HOOK_SECRET_BYTES = 24, HOOK_SECRET_SIZE = 64, HOOK_ID_SIZE = 32, HOOK_SIGNATURE_SIZE = 64,
    MAIL_TO_MAX = 20, MAIL_ADDRESS_MAX = 254
};

/* The bits (proto/hook.h) of one topic; 0 = there is no such event. */
unsigned hook_bit_of(const char *topic);
/* A feed's topic as subscribers know it: session_status_changed is session.status_changed. */
struct slice hook_topic(struct slice topic, struct buffer *keep);
/* True when this target's body asks for the topic and is active. */
bool hook_wants(const json_t *body, struct slice topic);

void hook_secret_make(char secret[HOOK_SECRET_SIZE]);
/* What a brand's calls without a subscription are signed with; the same as long as id_key is. */
void hook_brand_secret(const uint8_t *id_key, uint32_t brand, char secret[HOOK_SECRET_SIZE]);
/* False when the secret is none, or of fewer than 24 or more than 64 bytes. */
bool hook_secret_good(const char *secret);
void hook_id(uint64_t task, char id[HOOK_ID_SIZE]);
bool hook_sign(const char *secret, const char *id, int64_t unix_s, struct slice body,
               char signature[HOOK_SIGNATURE_SIZE]);

/* {"type","timestamp","data"}: the body of a call. `v` is the task of a task event, else NULL. */
void hook_body_write(struct out *o, const uint8_t *id_key, const struct feed_row *event,
                     const struct view *v);
/* An alert as the rule's own webhook gets it; `rule` is the rule's body. */
void hook_alert_write(struct out *o, const uint8_t *id_key, const struct feed_row *event,
                      const json_t *rule);
void hook_call_write(struct out *o, struct slice topic, uint64_t hook, const char *url,
                     struct slice body);
/* The mail of an alert to these addresses. */
void hook_mail_write(struct out *o, const json_t *rule, struct slice alert, const json_t *to);
#endif
