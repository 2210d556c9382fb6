/* answer.h - what any answer of the broker says: which message it answers, and how it went.
 *
 * Verbs that answer carry their number and code in places of their own; here they are found by
 * the verb. Slices are the message's. Pure. */
#ifndef RELAIS_GATEWAY_ANSWER_H
#define RELAIS_GATEWAY_ANSWER_H
#include "proto/message.h"

/* 0 for verbs that answer nothing. */
uint64_t answer_number(const struct message *answer);
/* 0 for those that carry none. */
enum code answer_code(const struct message *answer);
/* The sentence that came with a refusal; may be empty. */
struct slice answer_text(const struct message *answer);
#endif
